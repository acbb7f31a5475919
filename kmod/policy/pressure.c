// SPDX-License-Identifier: GPL-2.0
#include <linux/bits.h>
#include <linux/jiffies.h>
#include <linux/minmax.h>

#include "policy/adaptive.h"
#include "policy/loan.h"
#include "policy/pressure.h"

/* A flow of a heavy source has no more than this, in jiffies. */
#define HEAVY_FLOOR	HZ

/* The ranks of flows that had no answer. */
static enum ft_rank rank_embryonic(const struct ft_newcomer *newcomer,
				   const struct ft_candidate *candidate)
{
	if (candidate->flags & FT_CANDIDATE_HEAVY)
		return FT_RANK_EMBRYONIC_HEAVY;
	if (candidate->idle > ft_adaptive_floor(FLOWTRACK_CLASS_EMBRYONIC))
		return FT_RANK_EMBRYONIC;
	return newcomer->heavy ? FT_RANK_NEVER : FT_RANK_YOUNG;
}

/* And of those that had one. */
static enum ft_rank rank_answered(const struct ft_newcomer *newcomer,
				  const struct ft_candidate *candidate)
{
	if (newcomer->fair && candidate->flags & FT_CANDIDATE_HEAVY &&
	    candidate->idle > HEAVY_FLOOR)
		return FT_RANK_IDLE_HEAVY;
	if (newcomer->idle &&
	    candidate->idle > ft_adaptive_floor(candidate->class))
		return candidate->class == FLOWTRACK_CLASS_REPLIED ?
		       FT_RANK_IDLE_REPLIED : FT_RANK_IDLE_ASSURED;
	/* The newcomer was restored, adopted, or picked up: it was answered before. */
	if (candidate->class == FLOWTRACK_CLASS_REPLIED && !newcomer->heavy &&
	    newcomer->class > FLOWTRACK_CLASS_EMBRYONIC)
		return FT_RANK_REPLIED;
	return FT_RANK_NEVER;
}

/**
 * ft_pressure_rank() - may a newcomer evict this flow, and for what reason?
 * @newcomer: asks for a place
 * @candidate: the flow
 *
 * An unanswered first packet proves nothing: it evicts what is over, what
 * has proved no more than itself, and, where @newcomer says so, what is idle. A
 * handshake that is on its way is spared as long as there is any of these.
 *
 * Context: any; pure.
 * Return: the rank; what is not known counts in favour of the flow.
 */
enum ft_rank ft_pressure_rank(const struct ft_newcomer *newcomer,
			      const struct ft_candidate *candidate)
{
	bool known = candidate->flags & FT_CANDIDATE_KNOWN;
	bool last_due = candidate->flags & FT_CANDIDATE_LAST_DUE;

	if (candidate->flags & FT_CANDIDATE_GONE)
		return FT_RANK_NEVER;
	/*
	 * A passed hint in a slot says only that no scan has come by, not that the flow has
	 * expired.
	 */
	if (known && candidate->left <= 0)
		return FT_RANK_EXPIRED;
	if (candidate->class == FLOWTRACK_CLASS_CLOSING)
		return known && !last_due ? FT_RANK_CLOSING : FT_RANK_CLOSING_LAST_DUE;
	if (candidate->class == FLOWTRACK_CLASS_EMBRYONIC)
		return rank_embryonic(newcomer, candidate);
	return rank_answered(newcomer, candidate);
}

/**
 * ft_pressure_decide() - what to do with a newcomer when there is no room
 * @policy: setting full_policy
 * @fallback: setting full_fallback: for evict, when nothing can be evicted
 * @newcomer: asks for a place
 * @candidates: sample of the flows in reach
 * @n: how many
 * @victim: set to the candidate to evict if the decision is EVICT
 * @rank: set to the reason why, FT_RANK_NEVER if the decision is another one
 *
 * The flow of the best rank is evicted; within a rank the one that has been
 * idle for longest, then the one that would expire first.
 *
 * Context: any; pure.
 * Return: the decision.
 */
enum ft_decision ft_pressure_decide(enum flowtrack_policy policy,
				    enum flowtrack_policy fallback,
				    const struct ft_newcomer *newcomer,
				    const struct ft_candidate *candidates,
				    unsigned int n, unsigned int *victim,
				    enum ft_rank *rank)
{
	const struct ft_candidate *c, *best = NULL;
	enum ft_rank r;

	*rank = FT_RANK_NEVER;
	if (policy != FLOWTRACK_POLICY_EVICT)
		goto refuse;
	for (c = candidates; c < candidates + n; c++) {
		r = ft_pressure_rank(newcomer, c);
		if (r == FT_RANK_NEVER || r > *rank)
			continue;
		if (r == *rank &&
		    (c->idle < best->idle ||
		     (c->idle == best->idle && c->left >= best->left)))
			continue;
		best = c;
		*rank = r;
	}
	if (best) {
		*victim = best - candidates;
		return FT_DECISION_EVICT;
	}
	policy = fallback;
refuse:
	return policy == FLOWTRACK_POLICY_PASS ? FT_DECISION_PASS :
						 FT_DECISION_DROP;
}

/*
 * The order in which candidates are looked at, by what their slots say: what
 * may have expired, then by class, but the answered ones together.
 */
#define TIER_ANSWERED	(1 + FLOWTRACK_CLASS_REPLIED)

static unsigned int tier_of(const struct ft_candidate *candidate)
{
	if (candidate->left <= 0)
		return 0;
	return 1 + min_t(u8, candidate->class, FLOWTRACK_CLASS_REPLIED);
}

/*
 * Copy candidates of tiers @first to @last, @max of them at most, those of a
 * better tier first. Within a tier all have the same chance: what slots say of
 * the time left is of another protocol's timeout, or of long ago.
 */
static unsigned int select_best(const struct ft_candidate *candidates,
				unsigned int n, unsigned int first,
				unsigned int last, struct ft_candidate *best,
				unsigned int max)
{
	unsigned int i, tier, picked = 0;
	unsigned long present = 0;

	for (i = 0; i < n; i++)
		present |= BIT(tier_of(&candidates[i]));
	for (tier = first; tier <= last; tier++) {
		if (!(present & BIT(tier)))
			continue;
		for (i = 0; i < n && picked < max; i++) {
			if (tier_of(&candidates[i]) == tier)
				best[picked++] = candidates[i];
		}
	}
	return picked;
}

/**
 * ft_pressure_newcomer() - what a newcomer may take of others
 * @newcomer: filled
 * @class: enum flowtrack_class
 * @heavy: its source holds too much
 * @lends: places of idle flows may still be lent, see ft_loan_open()
 * @adaptive: adaptive timeouts are on
 *
 * A first packet may be forged: what it can take of flows that had an answer is
 * bounded. Those of its own source it may take in any case.
 *
 * Context: any; pure.
 */
void ft_pressure_newcomer(struct ft_newcomer *newcomer,
			  enum flowtrack_class class, bool heavy, bool lends,
			  bool adaptive)
{
	bool trusted = class > FLOWTRACK_CLASS_EMBRYONIC || lends;

	newcomer->class = class;
	newcomer->heavy = heavy;
	newcomer->idle = trusted && adaptive;
	newcomer->fair = trusted || heavy;
}

/**
 * ft_pressure_crowd() - do unanswered flows crowd a sample?
 * @newcomer: the newcomer; loses what is not for an unanswered one in a crowd
 * @candidates: the sample, as the slots have it
 * @n: how many
 *
 * What may be lent follows from a count that is a second old, and a flood can
 * fill the table in less.
 *
 * Context: any; pure.
 */
void ft_pressure_crowd(struct ft_newcomer *newcomer,
		       const struct ft_candidate *candidates, unsigned int n)
{
	unsigned int i, embryonic = 0;

	if (newcomer->class > FLOWTRACK_CLASS_EMBRYONIC)
		return;
	for (i = 0; i < n; i++)
		embryonic += candidates[i].class == FLOWTRACK_CLASS_EMBRYONIC;
	if (embryonic < 2 || embryonic * FT_LOAN_SHARE <= n)
		return;
	newcomer->idle = false;
	newcomer->fair = newcomer->heavy;
}

/**
 * ft_pressure_borrows() - is the victim's place lent to the newcomer?
 * @newcomer: takes it
 * @rank: why it may
 *
 * What had an answer gives way to what had none, and may never have one.
 *
 * Context: any; pure.
 * Return: true if ft_loan_take() has to agree.
 */
bool ft_pressure_borrows(const struct ft_newcomer *newcomer, enum ft_rank rank)
{
	if (newcomer->class > FLOWTRACK_CLASS_EMBRYONIC)
		return false;
	return rank == FT_RANK_IDLE_REPLIED || rank == FT_RANK_IDLE_ASSURED ||
	       (rank == FT_RANK_IDLE_HEAVY && !newcomer->heavy);
}

/**
 * ft_pressure_settled() - can a larger sample offer anything better?
 * @newcomer: asks for a place
 * @rank: the best reason so far
 *
 * Something a little better, perhaps: what counts is whether @rank costs anybody
 * anything, while there may be what costs nobody.
 *
 * Context: any; pure.
 * Return: true if it is not worth the search.
 */
bool ft_pressure_settled(const struct ft_newcomer *newcomer, enum ft_rank rank)
{
	return rank < FT_RANK_IDLE_HEAVY ||
	       (rank == FT_RANK_YOUNG && !newcomer->idle && !newcomer->fair);
}

/**
 * ft_pressure_choose() - decide, looking at no more flows than it takes
 * @fallback: setting full_fallback
 * @newcomer: asks for a place
 * @candidates: sample of the flows in reach, as their slots have them
 * @n: how many
 * @look: looks at flows
 * @arg: its argument
 * @victim: set to the flow to evict if the decision is EVICT
 * @rank: as for ft_pressure_decide()
 *
 * Answered flows are looked at only if nothing less valuable settles it; at
 * FT_PRESSURE_LOOKS flows at most.
 *
 * Context: any; that of @look.
 * Return: the decision.
 */
enum ft_decision ft_pressure_choose(enum flowtrack_policy fallback,
				    const struct ft_newcomer *newcomer,
				    const struct ft_candidate *candidates,
				    unsigned int n, ft_look_fn look,
				    const void *arg,
				    struct ft_candidate *victim,
				    enum ft_rank *rank)
{
	struct ft_candidate best[FT_PRESSURE_LOOKS] __uninitialized;
	enum ft_decision decision;
	unsigned int first, more;
	unsigned int i = 0;

	first = select_best(candidates, n, 0, TIER_ANSWERED - 1, best,
			    FT_PRESSURE_LOOKS_FIRST);
	look(arg, best, first);
	decision = ft_pressure_decide(FLOWTRACK_POLICY_EVICT, fallback,
				      newcomer, best, first, &i, rank);
	if (!ft_pressure_settled(newcomer, *rank)) {
		more = select_best(candidates, n, TIER_ANSWERED, TIER_ANSWERED,
				   best + first, FT_PRESSURE_LOOKS - first);
		look(arg, best + first, more);
		decision = ft_pressure_decide(FLOWTRACK_POLICY_EVICT, fallback,
					      newcomer, best, first + more,
					      &i, rank);
	}
	if (decision == FT_DECISION_EVICT)
		*victim = best[i];
	return decision;
}
