// SPDX-License-Identifier: GPL-2.0
#include <linux/jiffies.h>
#include <linux/workqueue.h>
#include <net/netfilter/nf_conntrack.h>

#include "guard/guard.h"
#include "guard/wake.h"
#include "net.h"

/* Shadows are compared with reality once a second. */
#define SWEEP_PERIOD	HZ

/**
 * ft_guard_half_full() - will entries have to be evicted before long?
 * @tn: namespace
 *
 * Context: any. Reads a line that others write to for each new flow.
 * Return: false while more than half of nf_conntrack's table is free.
 */
bool ft_guard_half_full(const struct ft_net *tn)
{
	u32 max = READ_ONCE(nf_conntrack_max);

	return max && nf_conntrack_count(tn->net) >= max / 2;
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
