/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Top talkers: the sources, destinations and services that have most flows, or
 * open most, without looking at all flows. Guarded flows, those in
 * nf_conntrack's table, are flows, too.
 *
 * The first is estimated from a random sample of either table, the second from
 * a record of the last births on each CPU. The packet path pays for the record
 * only while somebody asks, or while the table is full. All else happens on
 * request, once a second at most, at a cost that does not depend on the size of
 * the tables.
 *
 * Bounds, at a confidence of 95 %: what a source, destination or service has of
 * a table is off by 0.98 / sqrt(n) of that table's flows at most, n being the
 * flows looked at, 16384: 0.77 percentage points. With no more flows than that
 * in the table, it is exact. Its share in both together is off by no more than
 * that, either: the errors are independent, and each counts by its table's part
 * w of all flows, so the variance of the sum is that of a single table times
 * w1^2 + w2^2, which is 1 at most. The share in the births is off by the same
 * with n being the births looked at, up to 1024 on each CPU.
 */
#ifndef _FT_POLICY_TOP_H
#define _FT_POLICY_TOP_H

#include <linux/mutex.h>
#include <linux/nf_flowtrack.h>
#include <linux/rcupdate.h>
#include <linux/types.h>
#include <linux/workqueue.h>

#include "flow/table.h"
#include "policy/source.h"

#define FT_TOP_SAMPLE	16384u	/* flows looked at, of each table */
#define FT_TOP_LINES	65536u	/* buckets looked at for them, at most */
#define FT_TOP_BIRTHS	8192u	/* births looked at, of all CPUs */
#define FT_TOP_RING	1024u	/* births that a CPU remembers */
#define FT_TOP_MAX	64u	/* entries of a list */
#define FT_TOP_HEAVY	16u	/* heavy sources at once */

/* An address is heavy from this share of the table on: one in so many. */
#define FT_TOP_HEAVY_SHARE	32

#define FT_TOP_KINDS	(FLOWTRACK_TOP_KIND_EXTERNAL + 1)
#define FT_TOP_ORDERS	(FLOWTRACK_TOP_ORDER_BYTES + 1)

/*
 * Orders that users do not have: by own flows alone, and by guarded ones. What is
 * done about a full table, and told of it, follows from what is in that one.
 */
enum {
	FT_TOP_ORDER_OWN = FT_TOP_ORDERS,
	FT_TOP_ORDER_GUARDED,
	FT_TOP_ORDERS_ALL
};

struct ft_birth;
struct ft_flow;
struct ft_net;
struct ft_top_rings;

/**
 * struct ft_top_key - a source, a destination, a service or an external address
 * @host: source (a prefix), destination or external address; service: zero
 * @port: service: the responder's port, 0 if the protocol has none
 * @l4proto: service: IPPROTO_*
 * @zero: zero; keys are hashed and compared as memory
 */
struct ft_top_key {
	struct ft_source host;
	__be16 port;
	u8 l4proto;
	u8 zero;
};

/**
 * struct ft_top_entry - what is known of one of them
 * @key: which one
 * @held: own flows in the sample
 * @flows: flows, own and guarded, estimated; exact if the report is
 * @guarded: of these are guarded
 * @rate: flows opened per second, estimated
 * @bytes: of these flows, in both directions, as far as they are counted; estimated
 */
struct ft_top_entry {
	struct ft_top_key key;
	u32 held;
	u32 flows;
	u32 guarded;
	u32 rate;
	u64 bytes;
};

/**
 * struct ft_top_list - the first of them, in descending order
 * @n: how many
 * @entry: the entries
 */
struct ft_top_list {
	u32 n;
	struct ft_top_entry entry[FT_TOP_MAX];
};

/**
 * struct ft_top_part - one of the two tables
 * @total: flows in it
 * @sampled: of these were looked at
 * @bytes: what those have carried, in both directions, as far as it is counted
 * @census: these, by class
 */
struct ft_top_part {
	u32 total;
	u32 sampled;
	u64 bytes;
	struct ft_census census;
};

/**
 * struct ft_top_report - what was found the last time
 * @rcu: for freeing it
 * @when: jiffies
 * @prefix: what made a source of an address
 * @n_heavy: heavy sources; set to 0 once there is room again
 * @heavy: the heavy sources
 * @own: the namespace's table
 * @guarded: its part of nf_conntrack's
 * @exact: all flows were looked at, and each once
 * @window: milliseconds that the rates are of; 0: there are no rates yet
 * @births: births that were looked at
 * @rate: flows opened per second, by all
 * @bytes: of all flows, estimated
 * @list: by enum flowtrack_top_kind and enum flowtrack_top_order, or one of the
 *	orders that follow it
 */
struct ft_top_report {
	struct rcu_head rcu;
	unsigned long when;
	struct ft_source_prefix prefix;
	u32 n_heavy;
	struct ft_source heavy[FT_TOP_HEAVY];
	struct ft_top_part own;
	struct ft_top_part guarded;
	bool exact;
	u32 window;
	u32 births;
	u32 rate;
	u64 bytes;
	struct ft_top_list list[FT_TOP_KINDS][FT_TOP_ORDERS_ALL];
};

/**
 * struct ft_top - what a namespace keeps for this
 * @report: the last one, or NULL
 * @rings: births by CPU while reports are asked for, or NULL
 * @lock: one report is made at a time
 * @work: makes a report every second while the table is full, and keeps the
 *	rings as long as they are wanted
 * @wanted: jiffies until which the rings are; protected by @lock
 * @refused: a newcomer met a full table since @work looked last
 */
struct ft_top {
	struct ft_top_report __rcu *report;
	struct ft_top_rings __rcu *rings;
	struct mutex lock; /* protects report, rings (writes), wanted */
	struct delayed_work work;
	unsigned long wanted;
	bool refused;
};

void ft_top_init(struct ft_net *tn);
void ft_top_exit(struct ft_net *tn);

void ft_top_born(struct ft_net *tn, const struct ft_key *key, const struct ft_key *answer,
		 u32 word);
void ft_top_refused(struct ft_net *tn);
int ft_top_refresh(struct ft_net *tn);
int ft_top_sample(struct ft_net *tn);
void ft_top_look(struct ft_net *tn);
const struct ft_top_entry *ft_top_first(const struct ft_net *tn, enum flowtrack_top_kind kind,
					unsigned int order);
void ft_top_census(const struct ft_top_part *part, struct ft_census *census);

bool ft_top_any_heavy(const struct ft_net *tn);
bool ft_top_heavy(const struct ft_net *tn, const struct ft_key *key, u32 word);
unsigned int ft_top_heavy_count(const u32 *held, unsigned int n, u32 sampled);

#endif /* _FT_POLICY_TOP_H */
