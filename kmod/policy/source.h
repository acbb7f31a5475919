/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Sources: how many flows each of them holds, and how fast it opens more. A
 * source is an initiator's address, cut to the prefix length of the settings
 * src_prefix4 and src_prefix6.
 *
 * They are counted only while src_max or src_rate is set. Counts are exact: a
 * flow is counted before anything is allocated for it, and the count is given
 * back when it ends.
 *
 * Memory: 64 bytes for each source that holds a flow, so no more than there are
 * flows, and for FT_SOURCE_IDLE others for each bucket at most, which are
 * remembered until their rate is forgiven. A newcomer that is refused belongs
 * to a source that is known: it costs nothing.
 */
#ifndef _FT_POLICY_SOURCE_H
#define _FT_POLICY_SOURCE_H

#include <linux/bits.h>
#include <linux/ratelimit_types.h>
#include <linux/string.h>
#include <linux/types.h>
#include <linux/workqueue.h>

#include "flow/tuple.h"

/* Sources without a flow that a bucket remembers. */
#define FT_SOURCE_IDLE		4
/* Buckets: one for four flows of the setting max; 8 MiB at most. */
#define FT_SOURCE_BUCKETS_MIN	64u
#define FT_SOURCE_BUCKETS_MAX	BIT(20)

struct ft_net;
struct ft_settings;
struct ft_source_table;

/**
 * struct ft_source - a source
 * @addr: address, network byte order; IPv4: the first word, the rest is zero
 * @family: NFPROTO_IPV4 or NFPROTO_IPV6
 *
 * There is no padding: sources are hashed and compared as memory.
 */
struct ft_source {
	__be32 addr[4];
	u32 family;
};

/**
 * struct ft_source_prefix - how many bits of an address make a source
 * @v4: bits of an IPv4 address, 1 to 32
 * @v6: bits of an IPv6 address, 1 to 128
 */
struct ft_source_prefix {
	u8 v4;
	u8 v6;
};

/**
 * struct ft_sources - what a namespace keeps for this
 * @table: the sources, or NULL while they are not counted. Written under
 *	ft_net.settings_lock
 * @interval: nanoseconds between two new flows at src_rate; 0: no limit.
 *	Written under ft_net.settings_lock, read by anyone
 * @tolerance: how many nanoseconds a source may be ahead of that: src_burst;
 *	likewise
 * @mark_a: the table has the first of two marks; under ft_net.settings_lock
 * @sweep: forgets sources that hold no flow and whose rate is forgiven
 * @log: limits the message about refused newcomers
 */
struct ft_sources {
	struct ft_source_table __rcu *table;
	u64 interval;
	u64 tolerance;
	bool mark_a;
	struct delayed_work sweep;
	struct ratelimit_state log;
};

/**
 * enum ft_source_verdict - may a source have one more flow?
 * @FT_SOURCE_OK: yes; it is counted, unless nothing is
 * @FT_SOURCE_MAX: it holds src_max flows
 * @FT_SOURCE_RATE: it opens more than src_rate per second
 * @FT_SOURCE_NOMEM: there is no memory to count it
 */
enum ft_source_verdict {
	FT_SOURCE_OK,
	FT_SOURCE_MAX,
	FT_SOURCE_RATE,
	FT_SOURCE_NOMEM,
};

static inline bool ft_source_equal(const struct ft_source *a,
				   const struct ft_source *b)
{
	return !memcmp(a, b, sizeof(*a));
}

void ft_source_get(struct ft_source *source, const struct ft_key *key,
		   unsigned int end);
void ft_source_cut(struct ft_source *source, struct ft_source_prefix prefix);

enum ft_source_verdict ft_source_charge(struct ft_net *tn,
					const struct ft_key *key, u32 *word,
					bool exempt);
bool ft_source_full(struct ft_net *tn, const struct ft_source *address);
void ft_source_release(struct ft_net *tn, const struct ft_key *key, u32 word);
void ft_source_uncharge(struct ft_net *tn, const struct ft_key *key, u32 word,
			bool exempt);
void ft_source_refused(struct ft_net *tn, const struct ft_key *key, u32 word,
		       enum ft_source_verdict verdict);
u32 ft_source_count(const struct ft_net *tn);

int ft_source_prepare(struct ft_net *tn, const struct ft_settings *set,
		      struct ft_source_table **next);
bool ft_source_apply(struct ft_net *tn, struct ft_source_table *next);
void ft_source_init(struct ft_net *tn);
void ft_source_exit(struct ft_net *tn);
#ifdef CONFIG_NF_FLOWTRACK_KUNIT
u32 ft_source_buckets(const struct ft_net *tn);
#endif

#endif /* _FT_POLICY_SOURCE_H */
