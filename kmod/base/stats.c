// SPDX-License-Identifier: GPL-2.0
#include <linux/cpumask.h>
#include <linux/errno.h>
#include <linux/string.h>

#include "base/stats.h"
#include "net.h"

/**
 * ft_stats_init() - make the counters of a namespace
 * @tn: namespace
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int ft_stats_init(struct ft_net *tn)
{
	tn->stats = alloc_percpu_gfp(struct ft_stats, GFP_KERNEL_ACCOUNT);
	return tn->stats ? 0 : -ENOMEM;
}

/**
 * ft_stats_exit() - free the counters of a namespace
 * @tn: namespace that nothing counts in any more
 */
void ft_stats_exit(struct ft_net *tn)
{
	free_percpu(tn->stats);
	tn->stats = NULL;
}

/**
 * ft_stats_cpu() - counters of one CPU
 * @tn: namespace
 * @cpu: a possible CPU
 * @out: filled by attribute
 *
 * Counters go on while they are read: each is exact at some moment, and there
 * is no moment for all of them. On 32 bits a carry between the halves may be
 * missed by a reader, never by the counter.
 *
 * Context: any.
 */
void ft_stats_cpu(const struct ft_net *tn, int cpu, struct ft_stats *out)
{
	const struct ft_stats *stats = per_cpu_ptr(tn->stats, cpu);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(out->v); i++)
		out->v[i] = READ_ONCE(stats->v[i]);
}

/**
 * ft_stats_sum() - counters of all CPUs together
 * @tn: namespace
 * @out: filled by attribute
 *
 * Context: any. CPUs that went offline still count.
 */
void ft_stats_sum(const struct ft_net *tn, struct ft_stats *out)
{
	struct ft_stats one;
	unsigned int i;
	int cpu;

	memset(out, 0, sizeof(*out));
	for_each_possible_cpu(cpu) {
		ft_stats_cpu(tn, cpu, &one);
		for (i = 0; i < ARRAY_SIZE(out->v); i++)
			out->v[i] += one.v[i];
	}
}
