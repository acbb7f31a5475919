/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Guarding: the pressure policy for flows that stay in nf_conntrack.
 *
 * What passes the hooks feeds a shadow of each such flow. Before nf_conntrack
 * makes an entry for a newcomer that it would have no room for, the policy
 * names a victim among the shadows, and the real entry is deleted.
 */
#ifndef _FT_GUARD_GUARD_H
#define _FT_GUARD_GUARD_H

#include <linux/atomic.h>
#include <linux/ratelimit_types.h>
#include <linux/types.h>
#include <linux/workqueue.h>
#include <net/netfilter/nf_conntrack.h>

#include "flow/shadow.h"
#include "policy/loan.h"
#include "policy/watermark.h"

/**
 * enum ft_guard_answer - may a newcomer go on to nf_conntrack?
 * @FT_GUARD_GO: it may; a place has been made
 * @FT_GUARD_PASS: no place; the packet goes on without an entry
 * @FT_GUARD_DROP: no place; the packet is to be dropped
 */
enum ft_guard_answer {
	FT_GUARD_GO,
	FT_GUARD_PASS,
	FT_GUARD_DROP,
};

struct ft_guard_heavy;

/* Shadows are compared with reality at once if the numbers differ by one in so many. */
#define FT_GUARD_DRIFT_SHARE	8

/* ft_guard.calm_max while shadows are kept. With this limit they always are. */
#define FT_GUARD_AWAKE	U32_MAX

/**
 * struct ft_guard - what guards one namespace's part of nf_conntrack
 * @calm_max: nf_conntrack_max when there was room last, by which nothing has to be
 *	known; FT_GUARD_AWAKE: shadows are kept. Read by every packet, written when
 *	that changes, see watch.c
 * @wanted_until: ft_now() up to which somebody looks at shadows
 * @in_vain: ft_now() up to which nobody waits for them, as somebody did in vain
 * @asked: how often somebody has asked for all shadows
 * @answered: @asked when @work began that has learned them last
 * @shadows: of its flows
 * @work: compares shadows with reality, once a second while there are any
 * @cursor: where that stands; touched by @work only
 * @others: entries of nf_conntrack that had no shadow when all shadows had been
 *	looked at: as long as the numbers differ by this, nothing has drifted;
 *	touched by @work only
 * @expected: what @others will be after this pass if nothing else happens;
 *	touched by @work only
 * @settled: @others is true; touched by @work only
 * @learned: nf_conntrack's table has been walked since shadows are kept; set
 *	by @work only
 * @missed: an entry could not be given a shadow: for want of memory, or while their
 *	table grew
 * @verify: this pass looks every shadow up, not only those that are due;
 *	touched by @work only
 * @refused: a newcomer found no room since @work looked last
 * @hopeless: ft_now() when a search for a victim last failed
 * @sweep_after: local_clock() before which no pass begins; touched by @work only
 * @sweep_took: nanoseconds that this pass has taken; touched by @work only
 * @learn_after: local_clock() before which nf_conntrack's table is not walked again;
 *	touched by @work only
 * @loan: places of idle flows that unanswered newcomers took, see loan.c
 * @watermark: tells that nf_conntrack's table fills; touched by @work only
 * @heavy: sources that hold too much, or NULL; see heavy.c
 * @full_log: limits the message about nf_conntrack's full table; the own one has
 *	another limit, so that neither hides the other
 */
struct ft_guard {
	u32 calm_max;
	u32 wanted_until;
	u32 in_vain;
	atomic_t asked;
	u32 answered;
	struct ft_shadows shadows;
	struct delayed_work work;
	struct ft_shadow_cursor cursor;
	s32 others;
	s32 expected;
	bool settled;
	bool learned;
	bool missed;
	bool verify;
	bool refused;
	u32 hopeless;
	u64 sweep_after;
	u64 sweep_took;
	u64 learn_after;
	struct ft_loan loan;
	struct ft_watermark watermark;
	struct ft_guard_heavy __rcu *heavy;
	struct ratelimit_state full_log;
};

/**
 * ft_guard_calm() - is there so much room that no shadows are kept?
 * @guard: of the namespace
 *
 * Context: any. Two reads of lines that hardly anybody writes to.
 * Return: false also if nf_conntrack_max was changed since that was found.
 */
static inline bool ft_guard_calm(const struct ft_guard *guard)
{
	u32 calm_max = READ_ONCE(guard->calm_max);

	return calm_max == READ_ONCE(nf_conntrack_max) && calm_max != FT_GUARD_AWAKE;
}

#endif /* _FT_GUARD_GUARD_H */
