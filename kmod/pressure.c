// SPDX-License-Identifier: GPL-2.0
#include <linux/jiffies.h>
#include <linux/minmax.h>

#include "adaptive.h"
#include "pressure.h"

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
	/* Restored, adopted, or picked up: it comes with more than a promise. */
	if (candidate->class == FLOWTRACK_CLASS_REPLIED && !newcomer->heavy &&
	    newcomer->class > FLOWTRACK_CLASS_EMBRYONIC)
		return FT_RANK_REPLIED;
	return FT_RANK_NEVER;
}

/**
 * ft_pressure_rank() - may a newcomer displace this flow, and for what reason?
 * @newcomer: who asks
 * @candidate: the flow
 *
 * An unanswered first packet proves nothing: it displaces what is over, what
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
	bool late = candidate->flags & FT_CANDIDATE_LATE;

	if (candidate->flags & FT_CANDIDATE_GONE)
		return FT_RANK_NEVER;
	/* A slot says that nobody looked for long, not that it has expired. */
	if (known && candidate->left <= 0)
		return FT_RANK_EXPIRED;
	if (candidate->class == FLOWTRACK_CLASS_CLOSING)
		return known && !late ? FT_RANK_CLOSING : FT_RANK_CLOSING_LATE;
	if (candidate->class == FLOWTRACK_CLASS_EMBRYONIC)
		return rank_embryonic(newcomer, candidate);
	return rank_answered(newcomer, candidate);
}

/**
 * ft_pressure_decide() - what to do with a newcomer when there is no room
 * @policy: setting full_policy
 * @fallback: setting full_fallback: for evict, when nothing can be displaced
 * @newcomer: who asks
 * @candidates: sample of the flows in reach
 * @n: how many
 * @victim: set to the candidate to displace if the decision is EVICT
 * @rank: set to the reason why, FT_RANK_NEVER if the decision is another one
 *
 * The best rank goes; within a rank, who has been idle for longest, then who
 * would expire first.
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
#define TIERS	(2 + FLOWTRACK_CLASS_REPLIED)

static unsigned int tier_of(const struct ft_candidate *candidate)
{
	if (candidate->left <= 0)
		return 0;
	return 1 + min_t(u8, candidate->class, FLOWTRACK_CLASS_REPLIED);
}

/* Candidates of a tier that nobody looked at yet, @max of them at most. */
static unsigned int pick_tier(const struct ft_candidate *candidates,
			      unsigned int n, unsigned int tier, u8 *pick,
			      unsigned int max)
{
	unsigned int i, picked = 0;

	for (i = 0; i < n && picked < max; i++) {
		if (!candidates[i].flags && tier_of(&candidates[i]) == tier)
			pick[picked++] = i;
	}
	return picked;
}

/*
 * Do unanswered flows crowd the sample? The budget of ft_adaptive knows only
 * what was a second ago, and a flood can fill the table in less.
 */
static bool crowded(const struct ft_candidate *candidates, unsigned int n)
{
	unsigned int i, embryonic = 0;

	for (i = 0; i < n; i++)
		embryonic += candidates[i].class == FLOWTRACK_CLASS_EMBRYONIC;
	return embryonic > 1 && embryonic * FT_ADAPTIVE_SHARE > n;
}

/**
 * ft_pressure_choose() - decide, looking at no more flows than it takes
 * @fallback: setting full_fallback
 * @newcomer: who asks
 * @candidates: sample of the flows in reach, as their slots have them
 * @n: how many, 256 at most
 * @look: looks at flows
 * @arg: its argument
 * @victim: as for ft_pressure_decide()
 * @rank: likewise
 *
 * Tier by tier, until what a further tier could offer is no better: at
 * FT_PRESSURE_LOOKS flows at most.
 *
 * Context: any; that of @look.
 * Return: the decision.
 */
enum ft_decision ft_pressure_choose(enum flowtrack_policy fallback,
				    const struct ft_newcomer *newcomer,
				    struct ft_candidate *candidates,
				    unsigned int n, ft_look_fn look,
				    const void *arg, unsigned int *victim,
				    enum ft_rank *rank)
{
	unsigned int looks = FT_PRESSURE_LOOKS_FIRST;
	enum ft_decision decision = FT_DECISION_DROP;
	struct ft_newcomer who = *newcomer;
	u8 pick[FT_PRESSURE_LOOKS];
	unsigned int tier, picked;

	if (who.class <= FLOWTRACK_CLASS_EMBRYONIC && crowded(candidates, n)) {
		who.idle = false;
		who.fair = who.heavy;
	}
	for (tier = 0; tier < TIERS; tier++) {
		if (tier == TIERS - 1)
			looks += FT_PRESSURE_LOOKS - FT_PRESSURE_LOOKS_FIRST;
		picked = pick_tier(candidates, n, tier, pick, looks);
		if (!picked && tier < TIERS - 1)
			continue;
		look(arg, candidates, pick, picked);
		looks -= picked;
		decision = ft_pressure_decide(FLOWTRACK_POLICY_EVICT, fallback,
					      &who, candidates, n, victim,
					      rank);
		if (decision != FT_DECISION_EVICT)
			continue;
		if (*rank < FT_RANK_IDLE_HEAVY ||
		    (*rank == FT_RANK_YOUNG && !who.idle && !who.fair))
			break;
	}
	return decision;
}
