// SPDX-License-Identifier: GPL-2.0
#include <linux/atomic.h>
#include <linux/jiffies.h>
#include <linux/minmax.h>
#include <linux/workqueue.h>
#include <net/netfilter/nf_conntrack.h>

#include "base/settings.h"
#include "guard/guard.h"
#include "guard/wake.h"
#include "net.h"

/* Shadows are compared with reality once a second. */
#define SWEEP_PERIOD	HZ
/* See ft_guard_wake_at(). */
#define PLACES		2048U

/**
 * ft_guard_wake_at() - entries from which on shadows are kept
 * @max: nf_conntrack's limit, not 0
 * @reserved: setting
 *
 * What is left then fills while the worker learns the others. Newcomers have a shadow from
 * then on, so that of a flood there are victims even if it is faster than the worker.
 *
 * Context: any; pure.
 * Return: how many: an eighth of the places is left, or PLACES of them if these are more,
 * but not more than half.
 */
u32 ft_guard_wake_at(u32 max, u32 reserved)
{
	u32 room = max - min(reserved, max / 2);

	return room - max(room / 8, min(room / 2, PLACES));
}

/**
 * ft_guard_calm_at() - entries below which no shadows are kept any more
 * @max: nf_conntrack's limit, not 0
 * @reserved: setting
 *
 * Context: any; pure.
 * Return: how many: four fifths of ft_guard_wake_at(), so that shadows neither come and go
 * with each wave of flows, nor stay where a table was nearly full once.
 */
u32 ft_guard_calm_at(u32 max, u32 reserved)
{
	u32 wake = ft_guard_wake_at(max, reserved);

	return wake - wake / 5;
}

/**
 * ft_guard_fills() - will entries have to be evicted before long?
 * @tn: namespace
 *
 * Context: any. Reads a line that others write to for each new flow.
 * Return: false while there is more room in nf_conntrack's table than that.
 */
bool ft_guard_fills(const struct ft_net *tn)
{
	u32 max = READ_ONCE(nf_conntrack_max);

	return max && nf_conntrack_count(tn->net) >=
		      ft_guard_wake_at(max, ft_setting(&tn->set, RESERVED));
}

/**
 * ft_guard_stays_calm() - is there room under a new limit, too?
 * @tn: namespace, where ft_guard_calm() is not true
 *
 * Context: any.
 * Return: true if so: ft_guard_calm() is true again. False if shadows are kept.
 */
bool ft_guard_stays_calm(struct ft_net *tn)
{
	u32 was = READ_ONCE(tn->guard.calm_max);
	u32 max = READ_ONCE(nf_conntrack_max);

	if (was == FT_GUARD_AWAKE || max == FT_GUARD_AWAKE || ft_guard_fills(tn))
		return false;
	/* Another CPU may have found that it fills. */
	return cmpxchg(&tn->guard.calm_max, was, max) == was;
}

/**
 * ft_guard_wake() - keep shadows from now on, and learn what they would be
 * @tn: namespace
 *
 * Context: any.
 */
void ft_guard_wake(struct ft_net *tn)
{
	if (READ_ONCE(tn->guard.calm_max) == FT_GUARD_AWAKE)
		return;
	WRITE_ONCE(tn->guard.calm_max, FT_GUARD_AWAKE);
	if (!READ_ONCE(tn->dying))
		mod_delayed_work(tn->wq, &tn->guard.work, 0);
}

/**
 * ft_guard_kick() - make sure that shadows are compared with reality
 * @tn: namespace that has one
 *
 * Context: any.
 */
void ft_guard_kick(struct ft_net *tn)
{
	if (delayed_work_pending(&tn->guard.work) || READ_ONCE(tn->dying))
		return;
	queue_delayed_work(tn->wq, &tn->guard.work, SWEEP_PERIOD);
}
