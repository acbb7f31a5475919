/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Telling that a table fills up, before it is full: once when it reaches the
 * high watermark, and once when it has come down below the low one. There are two
 * tables: flowtrack's, and nf_conntrack's where flows are guarded in it.
 *
 * The packet path compares the count of the own table, which it has just changed,
 * with one word. All else is done by expiry's worker: it runs once a second, and
 * at once when that word is reached. nf_conntrack's table is looked at once a
 * second by guarding's.
 */
#ifndef _FT_POLICY_WATERMARK_H
#define _FT_POLICY_WATERMARK_H

#include <linux/nf_flowtrack.h>
#include <linux/ratelimit_types.h>
#include <linux/types.h>

#include "flow/table.h"

struct ft_net;
struct ft_top_entry;

/* A name of a sysctl, without net.netfilter. */
#define FT_WATERMARK_SYSCTL_SIZE	64

/* Per mille of the table from which one source is named as the cause. */
#define FT_WATERMARK_SHARE	250

/**
 * enum ft_crossing - what became of the fill level
 * @FT_CROSSING_NONE: it stayed on its side
 * @FT_CROSSING_HIGH: it has reached the high watermark
 * @FT_CROSSING_LOW: it has come down below the low one
 */
enum ft_crossing {
	FT_CROSSING_NONE,
	FT_CROSSING_HIGH,
	FT_CROSSING_LOW,
};

/**
 * struct ft_watermark_work - what was done for newcomers so far
 * @evicted: flows evicted
 * @dropped: newcomers dropped for want of a place
 * @passed: newcomers let through without an entry
 * @refused: newcomers refused for their source's limits
 */
struct ft_watermark_work {
	u64 evicted;
	u64 dropped;
	u64 passed;
	u64 refused;
};

/**
 * struct ft_watermark - of one table of a namespace
 * @trip: count from which a newcomer makes gc_work run at once; U32_MAX: none
 *	does. Written by gc_work and by the newcomer, read by every newcomer
 * @tripped: one did since gc_work last looked
 * @above: the high watermark was reached, and the low one not yet. As all that
 *	follows, touched only by the table's worker: gc_work, or guarding's
 * @running: @when and @born are up to date: gc_work has run without a break
 * @when: jiffies; the older one begins the window that the rate is of
 * @born: flows entered until then; these four are not used for nf_conntrack's
 * @told: jiffies of the last notification, or of the beginning
 * @work: what had been done until then
 * @census: own flows by class when gc_work looked last; read by anyone
 * @log: limits the messages
 */
struct ft_watermark {
	u32 trip;
	bool tripped;
	bool above;
	bool running;
	unsigned long when[2];
	u64 born[2];
	unsigned long told;
	struct ft_watermark_work work;
	struct ft_census census;
	struct ratelimit_state log;
};

/**
 * struct ft_watermark_event - what is told when a watermark is crossed
 * @table: of which table
 * @level: which one
 * @count: flows; of nf_conntrack's table all entries, guarded or not
 * @room: how many there may be, without the reserved entries
 * @rate: own flows opened per second
 * @census: flows by class; of guarded ones an estimate
 * @since: milliseconds since the last notification, or since the beginning
 * @work: what was done in that time
 * @help: FLOWTRACK_A_SETTINGS_* of the setting that helps
 * @source: what holds most flows in the table; NULL: not known
 * @service: what most flows in the table are to; NULL: not known
 */
struct ft_watermark_event {
	enum flowtrack_tracker table;
	enum flowtrack_level level;
	u32 count;
	u32 room;
	u32 rate;
	struct ft_census census;
	u64 since;
	struct ft_watermark_work work;
	unsigned int help;
	const struct ft_top_entry *source;
	const struct ft_top_entry *service;
};

u32 ft_watermark_level(u32 room, u32 percent);
enum ft_crossing ft_watermark_cross(bool above, u32 count, u32 room, u32 low,
				    u32 high);
unsigned int ft_watermark_help(const struct ft_census *census, u32 share,
			       u8 l4proto, enum flowtrack_policy policy);

const char *ft_watermark_sysctl(const struct ft_watermark_event *event, char *buf, size_t size);
void ft_watermark_prepare(struct ft_watermark *w, u32 trip);
void ft_watermark_init(struct ft_net *tn);
void ft_watermark_trip(struct ft_net *tn);
void ft_watermark_update(struct ft_net *tn, const struct ft_census *census);
void ft_watermark_conntrack(struct ft_net *tn, struct ft_watermark *w, u32 count, u32 room);

#endif /* _FT_POLICY_WATERMARK_H */
