/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Counters and gauges of a namespace, or of one CPU of it.
 */
#ifndef FT_STATS_H
#define FT_STATS_H

#include <linux/nf_flowtrack.h>
#include <linux/types.h>
#include <stdbool.h>

struct nl;
struct nlmsghdr;

/**
 * struct stats - what the kernel counts
 * @value: by FLOWTRACK_A_STATS_*; 0 where it did not say
 * @has: what it said
 */
struct stats {
	__u64 value[__FLOWTRACK_A_STATS_MAX];
	bool has[__FLOWTRACK_A_STATS_MAX];
};

void stats_parse(const struct nlmsghdr *nlh, struct stats *s);
int stats_get(struct nl *nl, struct stats *s);

#endif /* FT_STATS_H */
