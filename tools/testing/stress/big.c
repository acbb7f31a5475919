// SPDX-License-Identifier: GPL-2.0
/*
 * Millions of buckets: what a resize costs those that are not in it, and whether
 * anybody has to wait for it.
 */
#include <linux/bottom_half.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/minmax.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "big.h"
#include "ft_stress.h"

/* Flows that are looked up, or entered, in one go. */
#define BATCH	64u
/* For how long a thread sleeps after each, in microseconds. */
#define NAP_US	100u

/**
 * struct looker - a thread that looks up all flows, over and over
 * @table: the table
 * @flows: flows 0 to @flows - 1 are in
 * @result: filled but for the times of the resizes
 */
struct looker {
	struct ft_table *table;
	unsigned int flows;
	struct ft_stress_big *result;
};

static bool is_in(struct ft_table *table, u32 i)
{
	struct ft_flow *flow;
	struct ft_key key;
	bool right;
	u32 index;

	ft_stress_key(&key, i);
	rcu_read_lock();
	flow = ft_table_lookup(table, &key,
			       ft_key_hash(&key, ft_table_secret(table)),
			       &index);
	right = flow && flow->mark == i;
	rcu_read_unlock();
	return right;
}

static int look(void *data)
{
	const struct looker *looker = data;
	struct ft_stress_big *result = looker->result;
	u64 longest = 0, last = ktime_get_mono_fast_ns(), now;
	u32 i = 0, n;

	/* Nobody but those who do not give way can keep it waiting. */
	sched_set_fifo(current);
	while (!kthread_should_stop()) {
		for (n = 0; n < BATCH; n++) {
			result->missed += !is_in(looker->table, i);
			i = i + 1 < looker->flows ? i + 1 : 0;
		}
		result->lookups += BATCH;
		usleep_range(NAP_US, NAP_US + 10);
		now = ktime_get_mono_fast_ns();
		longest = max(longest, now - last);
		last = now;
	}
	result->gap_us = min_t(u64, longest / NSEC_PER_USEC, U32_MAX);
	return 0;
}

static int fill(struct ft_stress *s, u32 flows)
{
	u32 i, failed = 0;
	bool in;

	for (i = 0; i < flows;) {
		rcu_read_lock();
		local_bh_disable();
		in = ft_stress_enter(s, i, 3600 * HZ);
		local_bh_enable();
		rcu_read_unlock();
		/* Memory is made ahead by a worker, who must get to run. */
		if (!in && failed++ > flows)
			return -ENOMEM;
		i += in;
		if (i % BATCH == 0 || !in)
			cond_resched();
	}
	return 0;
}

static int resize(struct ft_table *table, u32 buckets, unsigned int *ms)
{
	u64 begun = ktime_get_mono_fast_ns();
	int err = ft_table_resize(table, buckets);

	*ms = (ktime_get_mono_fast_ns() - begun) / NSEC_PER_MSEC;
	return err;
}

/**
 * ft_stress_big() - run it
 * @result: zeroed; filled
 * @flows: that are in the table all the time
 * @buckets: how many it gets; afterwards, one for FT_STRESS_LOAD flows
 * @load: flows to a bucket before: the more, the longer are the chains that are
 *	moved under one lock
 *
 * Context: may sleep.
 * Return: 0, -ENOMEM, or why a thread could not be started.
 */
int ft_stress_big(struct ft_stress_big *result, unsigned int flows,
		  unsigned int buckets, unsigned int load)
{
	struct looker looker = { .flows = flows, .result = result };
	struct ft_cursor cursor = {};
	struct task_struct *thread;
	struct ft_stress *s;
	int err = -ENOMEM;

	s = kzalloc(sizeof(*s), GFP_KERNEL);
	if (!s)
		return -ENOMEM;
	s->table = ft_table_create(flows / clamp(load, 1u, 400u));
	if (IS_ERR(s->table)) {
		err = PTR_ERR(s->table);
		goto out_free;
	}
	err = fill(s, flows);
	if (err)
		goto out_table;
	looker.table = s->table;
	thread = kthread_run(look, &looker, "ft_stress/look");
	if (IS_ERR(thread)) {
		err = PTR_ERR(thread);
		goto out_table;
	}
	err = resize(s->table, buckets, &result->up_ms);
	if (!err)
		err = resize(s->table, flows / FT_STRESS_LOAD, &result->down_ms);
	kthread_stop(thread);
out_table:
	rcu_read_lock();
	while (ft_table_walk(s->table, &cursor, 256, ft_stress_end_one, s)) {
		rcu_read_unlock();
		cond_resched();
		rcu_read_lock();
	}
	rcu_read_unlock();
	ft_table_destroy(s->table);
out_free:
	kfree(s);
	return err;
}
