// SPDX-License-Identifier: GPL-2.0
#include "pressure.h"

/* May a newcomer of that class displace this flow at all? */
static bool displaceable(const struct ft_candidate *candidate,
			 enum flowtrack_class newcomer)
{
	/* Expired: nothing is lost. */
	if (candidate->left <= 0)
		return true;
	/*
	 * An unanswered first packet proves nothing: it displaces what is
	 * closing and what has proved no more than itself, so that a flood
	 * with forged sources can only displace itself. A newcomer that comes
	 * with more (restored, adopted) may displace one class more.
	 */
	switch (candidate->class) {
	case FLOWTRACK_CLASS_CLOSING:
	case FLOWTRACK_CLASS_EMBRYONIC:
		return true;
	case FLOWTRACK_CLASS_REPLIED:
		return newcomer > FLOWTRACK_CLASS_EMBRYONIC;
	default:
		return false;
	}
}

/* Is @a less worth keeping than @b? By class, then by time left. */
static bool lesser(const struct ft_candidate *a, const struct ft_candidate *b)
{
	bool a_over = a->left <= 0;
	bool b_over = b->left <= 0;

	if (a_over != b_over)
		return a_over;
	if (a->class != b->class)
		return a->class < b->class;
	return a->left < b->left;
}

/**
 * ft_pressure_decide() - what to do with a newcomer when there is no room
 * @policy: setting full_policy
 * @fallback: setting full_fallback: for evict, when nothing can be displaced
 * @newcomer: class of the newcomer
 * @candidates: sample of the flows in reach
 * @n: how many
 * @victim: set to the candidate to displace if the decision is EVICT
 *
 * Context: any; pure.
 * Return: the decision.
 */
enum ft_decision ft_pressure_decide(enum flowtrack_policy policy,
				    enum flowtrack_policy fallback,
				    enum flowtrack_class newcomer,
				    const struct ft_candidate *candidates,
				    unsigned int n, unsigned int *victim)
{
	const struct ft_candidate *best = NULL;
	unsigned int i;

	if (policy != FLOWTRACK_POLICY_EVICT)
		goto refuse;
	for (i = 0; i < n; i++) {
		if (!displaceable(&candidates[i], newcomer))
			continue;
		if (!best || lesser(&candidates[i], best))
			best = &candidates[i];
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
