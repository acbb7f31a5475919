// SPDX-License-Identifier: GPL-2.0
/*
 * Each processor opens and ends flows of two sources as fast as it can; a source
 * may have one. A thread that is granted one raises a count, and lowers it before the flow
 * ends: a count above one is a limit that was not kept. A source is forgotten
 * with its only flow, so that records come and go all the time, too.
 */
#include <linux/atomic.h>
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/kthread.h>
#include <linux/percpu.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "base/limits.h"
#include "net.h"
#include "policy/source.h"
#include "sources.h"

#define SOURCES		2
#define LIMIT		1

/**
 * struct stress - what the threads share
 * @tn: a namespace that has settings, and sources, and a table with no flows
 * @held: flows that each source holds
 * @granted: see struct ft_stress_sources
 * @refused: likewise
 * @over: likewise
 */
struct stress {
	struct ft_net tn;
	atomic_t held[SOURCES];
	atomic_t granted;
	atomic_t refused;
	atomic_t over;
};

static void open_and_end(struct stress *stress, unsigned int i)
{
	union nf_inet_addr src = { .ip = htonl(0x0a000001 + i) };
	union nf_inet_addr dst = { .ip = htonl(0xc0000201) };
	struct ft_key key = {};
	u32 word = 0;

	if (ft_key_set(&key, NFPROTO_IPV4, IPPROTO_UDP, 0, &src, &dst,
		       htons(1000), htons(53)))
		word |= FT_FLOW_ORIG_HI;
	if (ft_source_charge(&stress->tn, &key, &word, false) != FT_SOURCE_OK) {
		atomic_inc(&stress->refused);
		return;
	}
	if (atomic_inc_return(&stress->held[i]) > LIMIT)
		atomic_inc(&stress->over);
	atomic_inc(&stress->granted);
	cpu_relax();
	atomic_dec(&stress->held[i]);
	ft_source_release(&stress->tn, &key, word);
}

static int flood(void *data)
{
	struct stress *stress = data;
	unsigned int i = 0;

	while (!kthread_should_stop()) {
		local_bh_disable();
		rcu_read_lock();
		open_and_end(stress, i++ % SOURCES);
		rcu_read_unlock();
		local_bh_enable();
		cond_resched();
	}
	return 0;
}

/* One thread for each processor, on it. */
static int run(struct stress *stress, unsigned int ms)
{
	struct task_struct **thread;
	int err = 0, n = 0, cpu;

	thread = kcalloc(nr_cpu_ids, sizeof(*thread), GFP_KERNEL);
	if (!thread)
		return -ENOMEM;
	for_each_online_cpu(cpu) {
		thread[n] = kthread_create(flood, stress, "ft_sources/%d", cpu);
		if (IS_ERR(thread[n])) {
			err = PTR_ERR(thread[n]);
			break;
		}
		kthread_bind(thread[n], cpu);
		wake_up_process(thread[n++]);
	}
	if (!err)
		msleep(ms);
	while (n)
		kthread_stop(thread[--n]);
	kfree(thread);
	return err;
}

static int prepare(struct stress *stress)
{
	struct ft_net *tn = &stress->tn;
	struct ft_source_table *next;
	int err;

	mutex_init(&tn->settings_lock);
	tn->net = &init_net;
	tn->wq = system_dfl_wq;
	tn->set.v[FLOWTRACK_A_SETTINGS_SRC_MAX] = LIMIT;
	tn->set.v[FLOWTRACK_A_SETTINGS_SRC_PREFIX4] = 32;
	tn->set.v[FLOWTRACK_A_SETTINGS_SRC_PREFIX6] = 64;
	ft_source_init(tn);
	mutex_lock(&tn->settings_lock);
	err = ft_source_prepare(tn, &tn->set, &next);
	if (!err)
		ft_source_apply(tn, next);
	mutex_unlock(&tn->settings_lock);
	return err;
}

/**
 * ft_stress_sources() - let all processors meet the limit of a source
 * @result: filled
 * @ms: for how long, in milliseconds
 *
 * Context: process; may sleep. ft_table_cache_init() was called.
 * Return: 0, or a negative error that kept it from running.
 */
int ft_stress_sources(struct ft_stress_sources *result, unsigned int ms)
{
	struct stress *stress;
	int err = -ENOMEM;

	stress = kzalloc(sizeof(*stress), GFP_KERNEL);
	if (!stress)
		return -ENOMEM;
	stress->tn.stats = alloc_percpu(struct ft_stats);
	if (!stress->tn.stats)
		goto out_stress;
	stress->tn.table = ft_table_create(FT_BUCKETS_MIN);
	if (IS_ERR(stress->tn.table)) {
		err = PTR_ERR(stress->tn.table);
		goto out_stats;
	}
	err = prepare(stress);
	if (err)
		goto out_table;
	err = run(stress, ms);
	result->granted = atomic_read(&stress->granted);
	result->refused = atomic_read(&stress->refused);
	result->over = atomic_read(&stress->over);
	result->kept = ft_source_count(&stress->tn);
	stress->tn.dying = true;
	ft_source_exit(&stress->tn);
out_table:
	ft_table_destroy(stress->tn.table);
out_stats:
	free_percpu(stress->tn.stats);
out_stress:
	kfree(stress);
	return err;
}
