/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A large table, resized to a much larger one and back.
 */
#ifndef _FT_STRESS_BIG_H
#define _FT_STRESS_BIG_H

/* Flows to a bucket, unless a run asks for more. */
#define FT_STRESS_LOAD	4

/**
 * struct ft_stress_big - what came of it
 * @up_ms: how long it took to make it larger, in milliseconds
 * @down_ms: and smaller again
 * @gap_us: the longest time between two turns of a thread that looked up flows
 *	meanwhile, a real-time one that wanted to go on after 100 us of sleep, in
 *	microseconds
 * @lookups: of that thread
 * @missed: those that missed a flow; all flows were there
 */
struct ft_stress_big {
	unsigned int up_ms;
	unsigned int down_ms;
	unsigned int gap_us;
	unsigned int lookups;
	unsigned int missed;
};

int ft_stress_big(struct ft_stress_big *result, unsigned int flows,
		  unsigned int buckets, unsigned int load);

#endif /* _FT_STRESS_BIG_H */
