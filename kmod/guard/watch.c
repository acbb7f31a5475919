// SPDX-License-Identifier: GPL-2.0
#include <linux/errno.h>
#include <linux/jiffies.h>
#include <linux/ratelimit.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/timekeeping.h>
#include <linux/workqueue.h>
#include <net/netfilter/nf_conntrack.h>

#include "base/settings.h"
#include "base/tenant.h"
#include "flow/flow.h"
#include "flow/shadow.h"
#include "guard/end.h"
#include "guard/guard.h"
#include "guard/heavy.h"
#include "guard/learn.h"
#include "guard/sweep.h"
#include "guard/wake.h"
#include "guard/watch.h"
#include "net.h"
#include "policy/loan.h"
#include "policy/watermark.h"

/* How long shadows are kept after somebody has looked at them. */
#define SHOWN_FOR	(10 * HZ)
/* How long they wait for the shadows. */
#define WAITS		(10 * HZ)
#define TENANT_WAITS	(2 * HZ)

/* Is the table nearly full, or were newcomers refused since the last look? */
static bool watch_pressed(const struct ft_net *tn)
{
	u64 max = READ_ONCE(nf_conntrack_max);

	return READ_ONCE(tn->guard.refused) ||
	       (max && (u64)nf_conntrack_count(tn->net) * 10 >= max * 9);
}

static void look(struct ft_net *tn)
{
	ft_guard_learn(tn);
	ft_guard_sweep(tn);
	if (watch_pressed(tn)) {
		WRITE_ONCE(tn->guard.refused, false);
		ft_guard_heavy_look(tn);
	} else if (rcu_access_pointer(tn->guard.heavy)) {
		ft_guard_heavy_forget(tn);
	}
}

/* A dump, top or a deletion looks at shadows, or a limit for each source counts them. */
static bool wanted(const struct ft_net *tn)
{
	return rcu_access_pointer(tn->sources.table) ||
	       (s32)(READ_ONCE(tn->guard.wanted_until) - ft_now()) > 0;
}

/* Is there room, under a limit of @max? */
static bool has_calmed(const struct ft_net *tn, u32 max)
{
	if (max == FT_GUARD_AWAKE)
		return false;
	return !max || nf_conntrack_count(tn->net) <
			       ft_guard_calm_at(max, ft_setting(&tn->set, RESERVED));
}

static int forget(struct ft_shadow *shadow, void *arg)
{
	struct ft_shadow_key key = shadow->key;
	struct ft_net *tn = arg;

	ft_guard_drop(tn, &key);
	return READ_ONCE(tn->dying) ? -ENODEV : 0;
}

/*
 * A packet that still saw the table as filling may add a shadow behind the walk. The next
 * look at the table, a second later, forgets it.
 */
static void forget_all(struct ft_net *tn)
{
	ft_shadow_for_each(&tn->guard.shadows, false, false, forget, tn);
}

static void rest(struct ft_net *tn, u32 max)
{
	struct ft_guard *guard = &tn->guard;

	WRITE_ONCE(guard->learned, false);
	/* Pairs with that in ft_guard_show(): it sees the store above, or we see its wish. */
	smp_mb();
	if (wanted(tn)) {
		WRITE_ONCE(guard->learned, true);
		return;
	}
	WRITE_ONCE(guard->calm_max, max);
	if (rcu_access_pointer(guard->heavy))
		ft_guard_heavy_forget(tn);
	guard->cursor = (struct ft_shadow_cursor){};
	guard->others = 0;
	guard->settled = true;
	guard->verify = false;
	guard->sweep_took = 0;
}

/* How many entries there may be, but for those that are reserved. */
static u32 conntrack_room(const struct ft_net *tn)
{
	u32 max = READ_ONCE(nf_conntrack_max);

	return max - min(ft_setting(&tn->set, RESERVED), max / 2);
}

static bool is_awake(const struct ft_net *tn)
{
	return READ_ONCE(tn->guard.calm_max) == FT_GUARD_AWAKE;
}

static void guard_work(struct work_struct *work)
{
	struct ft_net *tn = container_of(to_delayed_work(work), struct ft_net,
					 guard.work);
	const u32 asked = atomic_read(&tn->guard.asked);
	u32 max = READ_ONCE(nf_conntrack_max);
	const u64 began = ktime_get_ns();

	if (ft_guard_fills(tn) && ft_setting(&tn->set, GUARD))
		ft_guard_wake(tn);
	if (is_awake(tn)) {
		look(tn);
		/* Pairs with that in ft_guard_show(): the shadows are there. */
		smp_store_release(&tn->guard.answered, asked);
		if (!wanted(tn) && has_calmed(tn, max))
			rest(tn, max);
	}
	if (!is_awake(tn) && ft_shadow_count(&tn->guard.shadows))
		forget_all(tn);
	ft_watermark_conntrack(tn, &tn->guard.watermark, nf_conntrack_count(tn->net),
			       conntrack_room(tn));
	/*
	 * Without entries there is nothing to do: the next one starts it. But
	 * listeners that were told that the table fills are told that there is
	 * room.
	 */
	if (is_awake(tn) || nf_conntrack_count(tn->net) ||
	    ft_shadow_count(&tn->guard.shadows) || tn->guard.watermark.above)
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

	err = ft_shadows_init(&guard->shadows, tn->memcg);
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
	ratelimit_state_init(&guard->full_log, 10 * HZ, 1);
	ratelimit_set_flags(&guard->full_log, RATELIMIT_MSG_ON_RELEASE);
	guard->hopeless = ft_now() - 1;
	guard->learned = false;
	guard->missed = false;
	guard->learn_after = 0;
	guard->sweep_after = 0;
	guard->sweep_took = 0;
	guard->wanted_until = ft_now();
	guard->in_vain = ft_now();
	atomic_set(&guard->asked, 0);
	guard->answered = 0;
	WRITE_ONCE(guard->calm_max, READ_ONCE(nf_conntrack_max));
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
	/* While no packet came by there were entries that were not learned. */
	WRITE_ONCE(tn->guard.learned, false);
	if (ft_guard_fills(tn))
		ft_guard_wake(tn);
	if (is_awake(tn) && !READ_ONCE(tn->dying))
		mod_delayed_work(tn->wq, &tn->guard.work, 0);
}

/**
 * ft_guard_on() - are nf_conntrack's flows of a namespace guarded?
 * @tn: namespace
 *
 * Context: any.
 * Return: true if so, with shadows or without.
 */
bool ft_guard_on(const struct ft_net *tn)
{
	return READ_ONCE(tn->hooked) && ft_setting(&tn->set, GUARD);
}

static void wish(struct ft_guard *guard)
{
	WRITE_ONCE(guard->wanted_until, ft_now() + SHOWN_FOR);
	/* Pairs with that in rest(). */
	smp_mb();
}

/* Not long ago? By the window, not the sign: half of all old times would be ahead of now. */
static bool was_in_vain(const struct ft_guard *guard)
{
	return READ_ONCE(guard->in_vain) - ft_now() - 1 < SHOWN_FOR;
}

/* Have the shadows been learned, or what there was of them, since @asked? */
static bool has_learned(const struct ft_guard *guard, u32 asked)
{
	/* Pairs with the release in guard_work(). */
	return READ_ONCE(guard->learned) || (s32)(smp_load_acquire(&guard->answered) - asked) >= 0;
}

/**
 * ft_guard_show() - somebody is about to look at the shadows: have all of them
 * @tn: namespace
 *
 * They are kept for some seconds more. If they are not there in time, nobody waits for the
 * next seconds: the lock of the one that does, generic netlink's, say, is everybody's.
 *
 * Context: may sleep. No lock held that a work of the namespace takes: those of tenants wait
 * for each other.
 * Return: 0; -EBUSY: not all may be there; -EINTR: likewise, the task is killed.
 */
int ft_guard_show(struct ft_net *tn)
{
	struct ft_guard *guard = &tn->guard;
	unsigned long end;
	u32 asked;

	wish(guard);
	if (READ_ONCE(guard->learned))
		return 0;
	ft_guard_wake(tn);
	/* Where packets do not come by, or are not guarded, there is nothing to learn. */
	if (!ft_guard_on(tn))
		return 0;
	if (READ_ONCE(tn->dying) || was_in_vain(guard))
		return -EBUSY;
	asked = atomic_inc_return(&guard->asked);
	mod_delayed_work(tn->wq, &guard->work, 0);
	end = jiffies + (tn->tenant ? TENANT_WAITS : WAITS);
	while (!has_learned(guard, asked)) {
		if (fatal_signal_pending(current))
			return -EINTR;
		if (READ_ONCE(tn->dying))
			return -EBUSY;
		if (time_after(jiffies, end)) {
			WRITE_ONCE(guard->in_vain, ft_now() + SHOWN_FOR);
			return -EBUSY;
		}
		/* The work may have come to rest meanwhile. */
		wish(guard);
		ft_guard_wake(tn);
		schedule_timeout_killable(1);
	}
	return 0;
}

/* Is each entry of nf_conntrack guarded, though there are no shadows? */
static bool guards_all(const struct ft_net *tn)
{
	return ft_guard_calm(&tn->guard) && ft_guard_on(tn);
}

/**
 * ft_guard_has() - is a flow guarded?
 * @tn: namespace
 * @key: the flow, which nf_conntrack tracks
 *
 * Context: RCU read side.
 * Return: true if so.
 */
bool ft_guard_has(struct ft_net *tn, const struct ft_shadow_key *key)
{
	return guards_all(tn) || ft_shadow_find(&tn->guard.shadows, key);
}

/**
 * ft_guard_count() - how many flows are guarded
 * @tn: namespace
 *
 * Context: any.
 * Return: the number.
 */
u32 ft_guard_count(const struct ft_net *tn)
{
	if (guards_all(tn))
		return nf_conntrack_count(tn->net);
	return ft_shadow_count(&tn->guard.shadows);
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
