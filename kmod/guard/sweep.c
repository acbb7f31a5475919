// SPDX-License-Identifier: GPL-2.0
#include <linux/jiffies.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/clock.h>
#include <linux/workqueue.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_conntrack_core.h>

#include "base/settings.h"
#include "base/tenant.h"
#include "flow/flow.h"
#include "flow/shadow.h"
#include "guard/feed.h"
#include "guard/guard.h"
#include "guard/heavy.h"
#include "guard/learn.h"
#include "guard/sweep.h"
#include "net.h"
#include "policy/loan.h"
#include "policy/watermark.h"

#define SWEEP_TIME	(50 * NSEC_PER_MSEC)
/* After nf_conntrack was flushed. */
#define SWEEP_TIME_LONG	(400 * NSEC_PER_MSEC)
/* Buckets between two chances for others to run. */
#define SWEEP_SLICE	256

/* Bring a shadow in line with the real entry, or forget it. */
static int look_at(struct ft_shadow *shadow, void *arg)
{
	struct ft_shadow_key key = shadow->key;
	struct ft_net *tn = arg;
	struct nf_conn *ct;

	if (!tn->guard.verify && ft_shadow_left(shadow, ft_now()) > 0)
		return 0;
	ct = ft_guard_real(tn, &key);
	if (!ct) {
		tn->guard.expected += ft_guard_forget(tn, &key);
		return 0;
	}
	ft_shadow_update(shadow, ft_guard_bits(ct), ft_guard_deadline(ct), ft_now());
	nf_ct_put(ct);
	return 0;
}

/* How many entries nf_conntrack has that are without a shadow. */
static s32 others(const struct ft_net *tn)
{
	return nf_conntrack_count(tn->net) -
	       ft_shadow_count(&tn->guard.shadows);
}

static void verify(struct ft_net *tn)
{
	tn->guard.cursor = (struct ft_shadow_cursor){};
	tn->guard.verify = true;
	tn->guard.expected = others(tn);
}

/* A pass is complete. Return: true if there is nothing more to do. */
static bool pass_complete(struct ft_net *tn)
{
	struct ft_guard *guard = &tn->guard;

	guard->cursor = (struct ft_shadow_cursor){};
	if (!guard->verify) {
		if (others(tn) == guard->others)
			return true;
		verify(tn);
		return false;
	}
	/* If entries came and went meanwhile, look again in a second. */
	guard->verify = false;
	guard->others = others(tn);
	guard->settled = guard->others >= 0 &&
			 guard->others == guard->expected;
	return true;
}

/*
 * Numbers that differ by as much as they did after everything had been looked
 * at say that nothing has drifted. If they do not: first those shadows whose
 * deadline has passed, which costs a read each; if that does not explain it,
 * all. What is left after that is not ours, and becomes the new difference.
 */
static void sweep(struct ft_net *tn)
{
	struct ft_guard *guard = &tn->guard;
	u64 end = local_clock() + SWEEP_TIME;
	int more;

	if (!guard->verify) {
		if (!guard->settled)
			verify(tn);
		else if (others(tn) == guard->others)
			return;
	}
	if (nf_conntrack_count(tn->net) < ft_shadow_count(&guard->shadows) / 2)
		end += SWEEP_TIME_LONG - SWEEP_TIME;
	for (;;) {
		rcu_read_lock();
		more = ft_shadow_walk(&guard->shadows, &guard->cursor,
				      SWEEP_SLICE, look_at, tn);
		rcu_read_unlock();
		if (more < 0) {
			/* Being resized, often by what was dropped here. */
			schedule_timeout_uninterruptible(1);
			if (guard->verify)
				verify(tn);
		} else if (!more && pass_complete(tn)) {
			return;
		}
		cond_resched();
		if (READ_ONCE(tn->dying) || local_clock() > end)
			return;
	}
}

/* Is the table nearly full, or were newcomers refused since the last look? */
static bool sweep_pressed(const struct ft_net *tn)
{
	u64 max = READ_ONCE(nf_conntrack_max);

	return READ_ONCE(tn->guard.refused) ||
	       (max && (u64)nf_conntrack_count(tn->net) * 10 >= max * 9);
}

/* How many entries there may be, but for those that are reserved. */
static u32 conntrack_room(const struct ft_net *tn)
{
	u32 max = READ_ONCE(nf_conntrack_max);

	return max - min(ft_setting(&tn->set, RESERVED), max / 2);
}

static void guard_work(struct work_struct *work)
{
	struct ft_net *tn = container_of(to_delayed_work(work), struct ft_net,
					 guard.work);

	const u64 began = ktime_get_ns();

	ft_guard_learn(tn);
	sweep(tn);
	if (sweep_pressed(tn)) {
		WRITE_ONCE(tn->guard.refused, false);
		ft_guard_heavy_look(tn);
	} else if (rcu_access_pointer(tn->guard.heavy)) {
		ft_guard_heavy_forget(tn);
	}
	ft_watermark_conntrack(tn, &tn->guard.watermark, nf_conntrack_count(tn->net),
			       conntrack_room(tn));
	/*
	 * Without shadows there is nothing to do: the next one starts it. But
	 * listeners that were told that the table fills are told that there is
	 * room.
	 */
	if (ft_shadow_count(&tn->guard.shadows) || tn->guard.watermark.above)
		ft_guard_kick(tn);
	ft_tenant_rest(tn->tenant, began, &tn->dying);
}

/**
 * ft_guard_init() - prepare a namespace for guarding
 * @tn: namespace; net and settings are set
 *
 * Return: 0 or -ENOMEM.
 */
int ft_guard_init(struct ft_net *tn)
{
	struct ft_guard *guard = &tn->guard;
	int err;

	err = ft_shadows_init(&guard->shadows);
	if (err)
		return err;
	INIT_DELAYED_WORK(&guard->work, guard_work);
	guard->cursor = (struct ft_shadow_cursor){};
	ft_watermark_prepare(&guard->watermark, U32_MAX);
	guard->others = 0;
	guard->settled = true;
	guard->verify = false;
	guard->refused = false;
	RCU_INIT_POINTER(guard->heavy, NULL);
	ft_loan_init(&guard->loan);
	guard->hopeless = ft_now() - 1;
	guard->learn_after = 0;
	return 0;
}

/**
 * ft_guard_start() - find out what nf_conntrack tracks already
 * @tn: namespace whose packets come by from now on
 *
 * Context: any.
 */
void ft_guard_start(struct ft_net *tn)
{
	if (nf_conntrack_count(tn->net) && !READ_ONCE(tn->dying))
		mod_delayed_work(tn->wq, &tn->guard.work, 0);
}

/**
 * ft_guard_stop() - compare shadows with reality no more
 * @tn: namespace, with dying set; no packet is in a hook any more
 *
 * The shadows stay, as reports count them: see ft_top_exit().
 *
 * Context: may sleep.
 */
void ft_guard_stop(struct ft_net *tn)
{
	cancel_delayed_work_sync(&tn->guard.work);
	ft_guard_heavy_forget(tn);
}

/**
 * ft_guard_exit() - forget what was guarded in a namespace
 * @tn: namespace, after ft_guard_stop() and when nobody counts shadows any more
 *
 * Context: may sleep.
 */
void ft_guard_exit(struct ft_net *tn)
{
	ft_shadows_exit(&tn->guard.shadows);
}
