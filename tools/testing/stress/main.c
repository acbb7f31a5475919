// SPDX-License-Identifier: GPL-2.0
/*
 * The stress of kunit/ft_stress.h as a module, for kernels that have no KUnit,
 * but several CPUs; and that of sources.c, for which one CPU would not do. Or, if
 * told how many flows, that of big.c instead. It runs while it is loaded;
 * afterwards its parameters say what came of it.
 *
 * Besides it tells for how long the table keeps BHs off: there a resize moves
 * one bucket, with its lock held, and this is all that it may delay a packet
 * by, be it of this bucket or of this CPU.
 */
#include <linux/log2.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/percpu.h>
#include <linux/prandom.h>
#include <linux/timekeeping.h>

#include "base/limits.h"
#include "big.h"
#include "clock.h"
#include "ft_stress.h"
#include "sources.h"

/* The functions below are those that the table is given; here are the others. */
#undef local_bh_disable
#undef local_bh_enable

#define HISTOGRAM	32u	/* by logarithm of the nanoseconds */

static unsigned int ms = 3000;
module_param(ms, uint, 0444);
MODULE_PARM_DESC(ms, "For how long, in milliseconds");

static unsigned int flows;
module_param(flows, uint, 0444);
MODULE_PARM_DESC(flows, "That many in one table, which is resized to that many buckets and back, and nothing else");

static unsigned int buckets = 1 << 20;
module_param(buckets, uint, 0444);
MODULE_PARM_DESC(buckets, "See flows");

static unsigned int load = FT_STRESS_LOAD;
module_param(load, uint, 0444);
MODULE_PARM_DESC(load, "See flows: how many of them there are to a bucket before, 400 at most");

static unsigned int lookups, inserts, ends, resizes, missed, unseen, early, twins, left;
static unsigned int longest_ns;
static unsigned int sections[HISTOGRAM];

module_param(lookups, uint, 0444);
MODULE_PARM_DESC(lookups, "Result: lookups");
module_param(inserts, uint, 0444);
MODULE_PARM_DESC(inserts, "Result: flows entered");
module_param(ends, uint, 0444);
MODULE_PARM_DESC(ends, "Result: flows ended");
module_param(resizes, uint, 0444);
MODULE_PARM_DESC(resizes, "Result: resizes");
module_param(missed, uint, 0444);
MODULE_PARM_DESC(missed, "Result: lookups that missed a flow that was there");
module_param(unseen, uint, 0444);
MODULE_PARM_DESC(unseen, "Result: walks that did not see a flow that was there");
module_param(early, uint, 0444);
MODULE_PARM_DESC(early, "Result: flows that expiry ended before their time");
module_param(twins, uint, 0444);
MODULE_PARM_DESC(twins, "Result: flows that were there twice");
module_param(left, uint, 0444);
MODULE_PARM_DESC(left, "Result: slots left when all flows had ended");
module_param(longest_ns, uint, 0444);
MODULE_PARM_DESC(longest_ns, "Result: the longest section with BHs off, in nanoseconds");
module_param_array(sections, uint, NULL, 0444);
MODULE_PARM_DESC(sections, "Result: how many there were, by the logarithm of their length in nanoseconds");

static struct ft_stress_big big;

module_param_named(big_up_ms, big.up_ms, uint, 0444);
MODULE_PARM_DESC(big_up_ms, "Result: how long it took to make a large table larger, in milliseconds");
module_param_named(big_down_ms, big.down_ms, uint, 0444);
MODULE_PARM_DESC(big_down_ms, "Result: and smaller, in milliseconds");
module_param_named(big_gap_us, big.gap_us, uint, 0444);
MODULE_PARM_DESC(big_gap_us, "Result: the longest that another thread waited for its turn meanwhile, in microseconds");
module_param_named(big_lookups, big.lookups, uint, 0444);
MODULE_PARM_DESC(big_lookups, "Result: lookups of that thread");
module_param_named(big_missed, big.missed, uint, 0444);
MODULE_PARM_DESC(big_missed, "Result: those that missed a flow that was there");

static struct ft_stress_sources sources;

module_param_named(source_granted, sources.granted, uint, 0444);
MODULE_PARM_DESC(source_granted, "Result: flows that a source was allowed");
module_param_named(source_refused, sources.refused, uint, 0444);
MODULE_PARM_DESC(source_refused, "Result: flows that a source was refused");
module_param_named(source_over, sources.over, uint, 0444);
MODULE_PARM_DESC(source_over, "Result: how often a source had one flow too many");
module_param_named(source_kept, sources.kept, uint, 0444);
MODULE_PARM_DESC(source_kept, "Result: sources left when all flows had ended");

/**
 * struct clock - sections with BHs off, of one CPU
 * @began: when the current one did, in nanoseconds
 * @longest: how long the longest one was, in nanoseconds
 * @n: how many there were, by the logarithm of their length
 */
struct clock {
	u64 began;
	u64 longest;
	unsigned int n[HISTOGRAM];
};

static DEFINE_PER_CPU(struct clock, clocks);

/**
 * ft_stress_bh_disable() - begin a section
 *
 * Context: process.
 */
void ft_stress_bh_disable(void)
{
	local_bh_disable();
	this_cpu_write(clocks.began, ktime_get_mono_fast_ns());
}

/**
 * ft_stress_bh_enable() - end a section
 *
 * Context: process, after ft_stress_bh_disable().
 */
void ft_stress_bh_enable(void)
{
	struct clock *clock = this_cpu_ptr(&clocks);
	u64 ns = ktime_get_mono_fast_ns() - clock->began;

	clock->longest = max(clock->longest, ns);
	clock->n[min_t(unsigned int, ilog2(ns | 1), HISTOGRAM - 1)]++;
	local_bh_enable();
}

static void sum_up_clocks(void)
{
	u64 longest = 0;
	unsigned int i;
	int cpu;

	for_each_possible_cpu(cpu) {
		const struct clock *clock = per_cpu_ptr(&clocks, cpu);

		longest = max(longest, clock->longest);
		for (i = 0; i < HISTOGRAM; i++)
			sections[i] += clock->n[i];
	}
	longest_ns = min_t(u64, longest, U32_MAX);
}

static int __init stress_init(void)
{
	struct ft_stress *s;
	int err;

	err = ft_table_cache_init();
	if (err)
		return err;
	if (flows) {
		err = ft_stress_big(&big, flows, buckets, load);
		sum_up_clocks();
		goto out_cache;
	}
	err = -ENOMEM;
	s = kzalloc(sizeof(*s), GFP_KERNEL);
	if (!s)
		goto out_cache;
	s->table = ft_table_create(FT_BUCKETS_MIN);
	if (IS_ERR(s->table)) {
		err = PTR_ERR(s->table);
		goto out_free;
	}
	err = ft_stress(s, 2 * num_online_cpus(), ms);
	lookups = atomic_read(&s->lookups);
	inserts = atomic_read(&s->inserts);
	ends = atomic_read(&s->ends);
	resizes = atomic_read(&s->resizes);
	missed = atomic_read(&s->missed);
	unseen = atomic_read(&s->unseen);
	early = atomic_read(&s->early);
	twins = atomic_read(&s->twins);
	left = atomic_read(&s->left);
	ft_table_destroy(s->table);
	sum_up_clocks();
	if (!err)
		err = ft_stress_sources(&sources, ms / 3);
out_free:
	kfree(s);
out_cache:
	ft_table_cache_exit();
	return err;
}

static void __exit stress_exit(void)
{
}

module_init(stress_init);
module_exit(stress_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Stress for the flow table and the sources of nf_flowtrack");
