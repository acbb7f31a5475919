// SPDX-License-Identifier: GPL-2.0
#include <linux/bottom_half.h>
#include <linux/ktime.h>
#include <linux/nf_flowtrack.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/workqueue.h>

#include "base/limits.h"
#include "base/settings.h"
#include "base/stats.h"
#include "base/tenant.h"
#include "flow/flow.h"
#include "flow/table.h"
#include "net.h"
#include "policy/adaptive.h"
#include "policy/loan.h"
#include "policy/watermark.h"
#include "proto/proto.h"
#include "track/end.h"
#include "track/gc.h"

/* Buckets between two chances for others to run: 64 KiB of bucket lines. */
#define GC_SLICE	1024
/* Under pressure, the flows of one bucket in so many are looked at each time. */
#define SHRINK_SHARE	16
/* Until a resize that failed is tried again. */
#define RESIZE_PAUSE	(5 * HZ)

static int expire_one(struct ft_flow *flow, u32 index, void *arg)
{
	u32 gen, word, deadline;

	/* A packet may have refreshed it since the table looked. */
	if (!ft_flow_alive(flow, &gen, &word))
		return 0;
	deadline = READ_ONCE(flow->deadline);
	if (ft_time_left(deadline, ft_now()) > 0)
		return 0;
	local_bh_disable();
	ft_flow_expire(arg, flow, index, gen, deadline);
	local_bh_enable();
	return 0;
}

/* Has a flow been idle for longer than pressure allows? */
static int shrink_one(struct ft_flow *flow, u32 index, void *arg)
{
	u32 factor, timeout, idle, word, gen, deadline;
	struct ft_net *tn = arg;
	u8 proto, family;
	bool ended;
	s32 left;

	if (!ft_flow_alive(flow, &gen, &word))
		return 0;
	factor = READ_ONCE(tn->adaptive.factor[ft_word_class(word)]);
	if (factor == FT_ADAPTIVE_WHOLE)
		return 0;
	proto = READ_ONCE(flow->key.l4proto);
	family = READ_ONCE(flow->key.family);
	deadline = READ_ONCE(flow->deadline);
	left = ft_time_left(deadline, ft_now());
	timeout = ft_proto_timeout(proto, family, word, &tn->set);
	idle = ft_proto_idle(proto, family, word, max(left, 0), &tn->set);
	if (idle <= ft_adaptive_limit(ft_word_class(word), timeout, factor))
		return 0;
	local_bh_disable();
	ended = ft_flow_expire(tn, flow, index, gen, deadline);
	if (ended)
		ft_stat_inc(tn, EXPIRE_ADAPTIVE);
	local_bh_enable();
	return 0;
}

/*
 * Apply adaptive timeouts to the flows that there are. It takes a look at each:
 * what its slot says is too coarse. A share of the buckets a second bounds what
 * this costs, and how late it may be: by SHRINK_SHARE seconds.
 */
static void shrink(struct ft_net *tn)
{
	struct ft_cursor *cursor = &tn->shrink_cursor;
	u32 left = max(ft_table_buckets(tn->table) / SHRINK_SHARE,
		       FT_BUCKETS_MIN / SHRINK_SHARE);
	u32 slice;
	int more;

	while (left && !READ_ONCE(tn->dying)) {
		slice = min_t(u32, left, GC_SLICE);
		rcu_read_lock();
		more = ft_table_walk(tn->table, cursor, slice, shrink_one, tn);
		rcu_read_unlock();
		if (!more)
			*cursor = (struct ft_cursor){};
		left -= slice;
		cond_resched();
	}
}

/* Has the table kept its size over a round? (The generation is odd in a resize.) */
static bool is_exact(const struct ft_net *tn, const struct ft_cursor *cursor)
{
	return !(cursor->generation & 1) &&
	       cursor->generation == ft_table_generation(tn->table);
}

static void gc_work(struct work_struct *work)
{
	struct ft_net *tn = container_of(to_delayed_work(work), struct ft_net,
					 gc_work);
	struct ft_cursor *cursor = &tn->gc_cursor;
	const u64 began = ktime_get_ns();
	struct ft_census census = {};
	struct mem_cgroup *outer;
	u32 lent;
	int more;

	*cursor = (struct ft_cursor){
		.generation = ft_table_generation(tn->table),
	};
	lent = atomic_read(&tn->loan.lent);
	ft_net_follow(tn);
	do {
		rcu_read_lock();
		more = ft_table_expired(tn->table, cursor, GC_SLICE, expire_one,
					tn, &census);
		rcu_read_unlock();
		cond_resched();
	} while (more > 0 && !READ_ONCE(tn->dying));

	if (READ_ONCE(tn->dying))
		return;
	/* Else some may have been counted twice; the next round is not far. */
	if (is_exact(tn, cursor)) {
		if (ft_adaptive_update(&tn->adaptive, &census, ft_flow_room(&tn->set),
				       ft_setting(&tn->set, ADAPTIVE_START),
				       ft_setting(&tn->set, ADAPTIVE_END), ft_now()))
			shrink(tn);
		ft_loan_update(&tn->loan, lent, census.n[FLOWTRACK_CLASS_EMBRYONIC],
			       ft_flow_room(&tn->set));
	}
	outer = ft_tenant_charge(tn->memcg);
	ft_watermark_update(tn, &census);
	ft_tenant_uncharge(tn->memcg, outer);
	if (!ft_setting(&tn->set, BUCKETS) &&
	    ft_table_wanted(tn->table, atomic_read(&tn->count)) !=
	    ft_table_buckets(tn->table))
		queue_work(tn->wq, &tn->resize_work);
	if (READ_ONCE(tn->passed) || !atomic_read(&tn->count)) {
		WRITE_ONCE(tn->passed, false);
		ft_table_sieve_renew(tn->table, atomic_read(&tn->count));
	}
	/* An empty namespace costs nothing: the next flow starts the worker again. */
	if (atomic_read(&tn->count)) {
		ft_net_scan_soon(tn);
	} else {
		ft_adaptive_init(&tn->adaptive);
		ft_loan_init(&tn->loan);
	}
	ft_tenant_rest(tn->tenant, began, &tn->dying);
}

static void resize_work(struct work_struct *work)
{
	struct ft_net *tn = container_of(work, struct ft_net, resize_work);
	const u64 began = ktime_get_ns();
	u32 wanted;

	/* Not while an administrator pins a size or the namespace ends. */
	mutex_lock(&tn->settings_lock);
	if (ft_setting(&tn->set, BUCKETS) || tn->dying)
		goto out;
	wanted = ft_table_wanted(tn->table, atomic_read(&tn->count));
	if (wanted == ft_table_buckets(tn->table))
		goto out;
	if (ft_table_resize(tn->table, wanted)) {
		WRITE_ONCE(tn->resize_again, (jiffies + RESIZE_PAUSE) ?: 1);
		goto out;
	}
	WRITE_ONCE(tn->resize_again, 0);
	ft_stat_inc(tn, RESIZE);
out:
	mutex_unlock(&tn->settings_lock);
	ft_tenant_rest(tn->tenant, began, &tn->dying);
}

/**
 * ft_gc_init() - prepare expiry of a namespace, and its table's following the flows
 * @tn: namespace
 */
void ft_gc_init(struct ft_net *tn)
{
	INIT_DELAYED_WORK(&tn->gc_work, gc_work);
	INIT_WORK(&tn->resize_work, resize_work);
}

/**
 * ft_gc_exit() - stop expiry and resizing for good
 * @tn: namespace, with dying set
 *
 * Context: may sleep.
 */
void ft_gc_exit(struct ft_net *tn)
{
	cancel_delayed_work_sync(&tn->gc_work);
	cancel_work_sync(&tn->resize_work);
}
