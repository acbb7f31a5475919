// SPDX-License-Identifier: GPL-2.0
#include <linux/bottom_half.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/workqueue.h>

#include "gc.h"
#include "lifecycle.h"

/* A scan a second: with the slots' one-second hints, two seconds at most. */
#define GC_PERIOD	HZ
/* Buckets between two chances for others to run: 64 KiB of bucket lines. */
#define GC_SLICE	1024

static int expire_one(struct ft_flow *flow, u32 index, void *arg)
{
	u32 gen = READ_ONCE(flow->gen);

	/*
	 * A packet may have refreshed it since the table looked. Pairs with
	 * the release in ft_flow_unlock(): the deadline is that of this gen.
	 */
	smp_rmb();
	if (ft_flow_left(flow, ft_now()) > 0)
		return 0;
	local_bh_disable();
	ft_flow_end(arg, flow, index, gen, FLOWTRACK_REASON_TIMEOUT);
	local_bh_enable();
	return 0;
}

static void gc_work(struct work_struct *work)
{
	struct ft_net *tn = container_of(to_delayed_work(work), struct ft_net,
					 gc_work);
	struct ft_cursor *cursor = &tn->gc_cursor;
	int more;

	*cursor = (struct ft_cursor){
		.generation = ft_table_generation(tn->table),
	};
	do {
		rcu_read_lock();
		more = ft_table_expired(tn->table, cursor, GC_SLICE, expire_one,
					tn);
		rcu_read_unlock();
		cond_resched();
	} while (more > 0 && !READ_ONCE(tn->dying));

	if (READ_ONCE(tn->dying))
		return;
	if (!ft_setting(&tn->set, BUCKETS) &&
	    ft_table_wanted(tn->table, atomic_read(&tn->count)) !=
	    ft_table_buckets(tn->table))
		queue_work(system_unbound_wq, &tn->resize_work);
	/* An empty namespace costs nothing: the next flow starts it again. */
	if (atomic_read(&tn->count))
		ft_gc_kick(tn);
}

/**
 * ft_gc_init() - prepare expiry of a namespace
 * @tn: namespace
 */
void ft_gc_init(struct ft_net *tn)
{
	INIT_DELAYED_WORK(&tn->gc_work, gc_work);
}

/**
 * ft_gc_kick() - make sure that expiry runs
 * @tn: namespace that has a flow
 *
 * Context: any. Called for each new flow: finding the work queued already
 * costs one read of a line that nobody writes meanwhile.
 */
void ft_gc_kick(struct ft_net *tn)
{
	if (delayed_work_pending(&tn->gc_work) || READ_ONCE(tn->dying))
		return;
	queue_delayed_work(system_unbound_wq, &tn->gc_work, GC_PERIOD);
}

/**
 * ft_gc_exit() - stop expiry for good
 * @tn: namespace, with dying set
 *
 * Context: may sleep.
 */
void ft_gc_exit(struct ft_net *tn)
{
	cancel_delayed_work_sync(&tn->gc_work);
}
