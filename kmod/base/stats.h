/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Statistics of a network namespace: per CPU, indexed by the netlink
 * attribute, so that a counter can't exist on one side only.
 */
#ifndef _FT_BASE_STATS_H
#define _FT_BASE_STATS_H

#include <linux/nf_flowtrack.h>
#include <linux/percpu.h>
#include <linux/types.h>

/**
 * struct ft_stats - counters of one CPU
 * @v: values by FLOWTRACK_A_STATS_*
 */
struct ft_stats {
	u64 v[__FLOWTRACK_A_STATS_MAX];
};

/* Count an event of namespace @tn; any context. */
#define ft_stat_inc(tn, name) \
	this_cpu_inc((tn)->stats->v[FLOWTRACK_A_STATS_##name])
/*
 * The same for what is counted with BHs disabled and nowhere else: cheaper,
 * where the CPU does not add to memory in one instruction.
 */
#define ft_stat_inc_bh(tn, name) \
	__this_cpu_inc((tn)->stats->v[FLOWTRACK_A_STATS_##name])
#define ft_stat_add(tn, name, n) \
	this_cpu_add((tn)->stats->v[FLOWTRACK_A_STATS_##name], (n))

struct ft_net;

int ft_stats_init(struct ft_net *tn);
void ft_stats_exit(struct ft_net *tn);
void ft_stats_cpu(const struct ft_net *tn, int cpu, struct ft_stats *out);
void ft_stats_sum(const struct ft_net *tn, struct ft_stats *out);

#endif /* _FT_BASE_STATS_H */
