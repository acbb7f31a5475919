// SPDX-License-Identifier: GPL-2.0
#include <linux/jiffies.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/clock.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_conntrack_core.h>

#include "flow/flow.h"
#include "flow/shadow.h"
#include "guard/end.h"
#include "guard/entry.h"
#include "guard/guard.h"
#include "guard/sweep.h"
#include "net.h"

/* How long a pass may take in a second. */
#define SWEEP_TIME	(50 * NSEC_PER_MSEC)
/* The same, after nf_conntrack was flushed. */
#define SWEEP_TIME_LONG	(400 * NSEC_PER_MSEC)
/* Buckets between two chances for others to run. */
#define SWEEP_SLICE	256
/* Passes take one part in so many of a CPU, see FT_GUARD_DRIFT_SHARE. */
#define SWEEP_SHARE	50

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

/* Return: true when the pass is complete. */
static bool pass_until(struct ft_net *tn, u64 end)
{
	struct ft_guard *guard = &tn->guard;
	int more;

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
			return true;
		}
		cond_resched();
		if (READ_ONCE(tn->dying) || local_clock() > end)
			return false;
	}
}

/*
 * Is there no hurry? Entries end all the time. To know how many did is not worth a
 * look at all shadows every second.
 */
static bool may_wait(const struct ft_net *tn, u64 now)
{
	const struct ft_guard *guard = &tn->guard;
	u32 drift = abs(others(tn) - guard->others);

	return now < guard->sweep_after &&
	       drift <= ft_shadow_count(&guard->shadows) / FT_GUARD_DRIFT_SHARE;
}

/**
 * ft_guard_sweep() - a part of a comparison of shadows with nf_conntrack's entries
 * @tn: namespace whose shadows are kept
 *
 * Numbers that differ by as much as they did after everything had been looked
 * at say that nothing has drifted. If they do not: first those shadows whose
 * deadline has passed, which costs a read each; if that does not explain it,
 * all. What is left after that is not ours, and becomes the new difference.
 *
 * Context: the work of watch.c; may sleep.
 */
void ft_guard_sweep(struct ft_net *tn)
{
	struct ft_guard *guard = &tn->guard;
	bool begun = guard->verify || guard->cursor.table;
	u64 begin = local_clock();
	u64 end = begin + SWEEP_TIME;
	bool complete;

	if (!begun && may_wait(tn, begin))
		return;
	if (!guard->verify) {
		if (!guard->settled)
			verify(tn);
		else if (others(tn) == guard->others)
			return;
	}
	if (nf_conntrack_count(tn->net) < ft_shadow_count(&guard->shadows) / 2)
		end += SWEEP_TIME_LONG - SWEEP_TIME;
	complete = pass_until(tn, end);
	guard->sweep_took += local_clock() - begin;
	if (!complete)
		return;
	guard->sweep_after = begin + guard->sweep_took * SWEEP_SHARE;
	guard->sweep_took = 0;
}
