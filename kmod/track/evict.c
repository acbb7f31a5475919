// SPDX-License-Identifier: GPL-2.0
#include <linux/atomic.h>
#include <linux/bitops.h>
#include <linux/export.h>
#include <linux/nf_flowtrack.h>
#include <linux/percpu.h>
#include <linux/prefetch.h>
#include <linux/ratelimit.h>

#include "base/settings.h"
#include "base/stats.h"
#include "base/tenant.h"
#include "flow/flow.h"
#include "flow/table.h"
#include "flow/tuple.h"
#include "net.h"
#include "policy/adaptive.h"
#include "policy/loan.h"
#include "policy/pressure.h"
#include "policy/top.h"
#include "proto/proto.h"
#include "track/end.h"
#include "track/evict.h"
#include "track/place.h"

/*
 * Samples for one newcomer: a short one and three long ones, until there is a
 * flow that costs nobody anything, and one more where others race for it.
 */
#define EVICT_TRIES	5
#define EVICT_SEARCHES	3

static void log_full(struct ft_net *tn, const char *done)
{
	const char *policy, *whose;
	u32 count;

	if (!ft_tenant_may_log(tn->net) || !__ratelimit(&tn->full_log))
		return;
	policy = ft_setting_name(FLOWTRACK_A_SETTINGS_FULL_POLICY,
				 ft_setting(&tn->set, FULL_POLICY));
	whose = ft_place_short(tn, &count);
	if (whose) {
		pr_warn("nf_flowtrack: netns %u: table full, %u flows of %s, policy %s: %s; load the module with more than total_max=%u, or lower nf_flowtrack_max of some\n",
			tn->net->ns.inum, count, whose, policy, done,
			ft_params.total_max);
		return;
	}
	pr_warn("nf_flowtrack: netns %u: table full, %u of %u flows, policy %s: %s; raise net.netfilter.nf_flowtrack_max or lower its timeouts\n",
		tn->net->ns.inum, count, ft_setting(&tn->set, MAX_FLOWS), policy,
		done);
}

/* A hint: the flow may change while its key is read. */
static bool is_heavy(const struct ft_net *tn, const struct ft_flow *flow,
		     u32 word)
{
	struct ft_key key;

	if (!ft_top_any_heavy(tn))
		return false;
	ft_flow_key(flow, &key);
	return ft_top_heavy(tn, &key, word);
}

/* What a look at the flow itself tells of a candidate. */
static void look_at_victim(const struct ft_net *tn, struct ft_candidate *candidate)
{
	const struct ft_flow *flow = ft_table_at(tn->table, candidate->index);
	u32 word;
	u8 proto;
	s32 left;

	if (!flow || atomic_read(&flow->word) & FT_FLOW_DEAD) {
		candidate->flags |= FT_CANDIDATE_GONE;
		return;
	}
	word = atomic_read(&flow->word);
	proto = READ_ONCE(flow->key.l4proto);
	left = ft_flow_left(flow, ft_now());
	candidate->class = ft_word_class(word);
	candidate->left = clamp_t(s32, left / HZ + (left > 0), S16_MIN, S16_MAX);
	candidate->idle = ft_proto_idle(proto, flow->key.family, word,
					max(left, 0), &tn->set);
	candidate->flags = FT_CANDIDATE_KNOWN;
	if (ft_proto_last_ack_due(proto, word))
		candidate->flags |= FT_CANDIDATE_LAST_DUE;
	if (is_heavy(tn, flow, word))
		candidate->flags |= FT_CANDIDATE_HEAVY;
}

/*
 * Look at some candidates together: so the cache misses overlap, and do not add up.
 * ft_table_sample() has brought in those without an answer.
 */
static void look_all(const void *arg, struct ft_candidate *candidates,
		     unsigned int n)
{
	const struct ft_net *tn = arg;
	unsigned int i;

	for (i = 0; i < n; i++) {
		if (candidates[i].class > FLOWTRACK_CLASS_EMBRYONIC)
			prefetch(ft_table_at(tn->table, candidates[i].index));
	}
	for (i = 0; i < n; i++)
		look_at_victim(tn, &candidates[i]);
}

/*
 * End the flow that a slot named, if it has not changed since the slot was read. Its place
 * is the caller's then.
 */
static bool end_victim(struct ft_net *tn, const struct ft_candidate *victim,
		       enum ft_rank rank)
{
	struct ft_flow *flow = ft_table_at(tn->table, victim->index);
	struct ft_candidate now = { .index = victim->index };
	u32 gen, deadline;

	if (!flow)
		return false;
	/* The newcomer will be written where it was. */
	prefetchw((void *)flow + SMP_CACHE_BYTES);
	gen = READ_ONCE(flow->gen);
	/*
	 * Pairs with the release in ft_flow_unlock(): what is seen below is of
	 * this generation, or ft_flow_kill_idle() refuses.
	 */
	smp_rmb();
	deadline = READ_ONCE(flow->deadline);
	look_at_victim(tn, &now);
	if (now.flags & FT_CANDIDATE_GONE || now.class != victim->class ||
	    now.idle < victim->idle ||
	    (rank == FT_RANK_EXPIRED && now.left > 0))
		return false;
	return ft_flow_evict(tn, flow, victim->index, gen, deadline);
}

/* Why a flow was evicted, where its class does not say so. */
static void count_rank(struct ft_net *tn, enum ft_rank rank)
{
	switch (rank) {
	case FT_RANK_EXPIRED:
		ft_stat_inc(tn, EVICT_EXPIRED);
		break;
	case FT_RANK_IDLE_REPLIED:
	case FT_RANK_IDLE_ASSURED:
		ft_stat_inc(tn, EVICT_IDLE);
		ft_adaptive_scarce(&tn->adaptive);
		break;
	case FT_RANK_IDLE_HEAVY:
	case FT_RANK_EMBRYONIC_HEAVY:
		ft_stat_inc(tn, EVICT_HEAVY);
		break;
	default:
		break;
	}
}

/* As end_victim(); for a newcomer that nobody answered, its place may be a loan. */
static bool end_victim_for(struct ft_net *tn, struct ft_newcomer *newcomer,
			   const struct ft_candidate *victim, enum ft_rank rank)
{
	bool lent = ft_pressure_borrows(newcomer, rank);

	if (lent && !ft_loan_take(&tn->loan)) {
		/* Other CPUs took the loans: then the newcomer evicts only flows like itself. */
		newcomer->idle = false;
		newcomer->fair = newcomer->heavy;
		return false;
	}
	if (end_victim(tn, victim, rank))
		return true;
	if (lent)
		ft_loan_repay(&tn->loan);
	return false;
}

static enum ft_admission refuse_newcomer(struct ft_net *tn, const struct ft_birth *birth,
					 enum ft_decision decision)
{
	enum flowtrack_class class = ft_word_class(birth->word);

	if (decision == FT_DECISION_PASS) {
		ft_stat_inc(tn, FULL_PASS);
		this_cpu_inc(tn->stats->v[FLOWTRACK_A_STATS_FULL_PASS_CLOSING +
					  class]);
		return FT_ADMIT_PASS;
	}
	ft_stat_inc(tn, FULL_DROP);
	this_cpu_inc(tn->stats->v[FLOWTRACK_A_STATS_FULL_DROP_CLOSING + class]);
	return FT_ADMIT_DROP;
}

/**
 * ft_evict_nomem() - a newcomer that there is no memory for
 * @tn: namespace
 * @birth: the newcomer
 *
 * Context: BH disabled, RCU read side.
 * Return: PASS or DROP, as the policy's fallback is.
 */
enum ft_admission ft_evict_nomem(struct ft_net *tn,
				 const struct ft_birth *birth)
{
	u32 policy = ft_setting(&tn->set, FULL_POLICY);

	if (policy == FLOWTRACK_POLICY_EVICT)
		policy = ft_setting(&tn->set, FULL_FALLBACK);
	ft_stat_inc(tn, FULL_NOMEM);
	return refuse_newcomer(tn, birth, policy == FLOWTRACK_POLICY_PASS ?
					  FT_DECISION_PASS : FT_DECISION_DROP);
}

/*
 * Evict a flow for a newcomer. Return: EVICT if it has the place.
 *
 * It looks at a few flows first: in a flood, one of them is as good as any.
 * Only a newcomer that finds none, or only flows that had an answer, searches
 * on. After a failed search, no other does so in the same jiffy: at a table
 * with nothing to evict, a flood must not make each packet search.
 */
static enum ft_decision search_victim(struct ft_net *tn,
				      const struct ft_birth *birth)
{
	struct ft_candidate candidates[FT_PRESSURE_SAMPLE] __uninitialized;
	enum flowtrack_class wanted = FLOWTRACK_CLASS_ASSURED;
	u32 fallback = ft_setting(&tn->set, FULL_FALLBACK);
	enum ft_decision decision = FT_DECISION_DROP;
	struct ft_candidate victim, spare = {};
	enum ft_rank rank, spare_rank = FT_RANK_NEVER;
	struct ft_newcomer newcomer, here;
	unsigned int n, tries;
	bool one_more;

	ft_pressure_newcomer(&newcomer, ft_word_class(birth->word),
			     ft_top_any_heavy(tn) &&
			     ft_top_heavy(tn, &birth->key, birth->word),
			     ft_loan_open(&tn->loan), ft_adaptive_on(&tn->set));
	/* After max was lowered, two flows are evicted for each newcomer. */
	one_more = atomic_read(&tn->count) > ft_setting(&tn->set, MAX_FLOWS);
	for (tries = 0; tries < EVICT_TRIES; tries++) {
		n = ft_table_sample(tn->table, ror64(birth->hash, tries * 13),
				    wanted, candidates, ARRAY_SIZE(candidates));
		here = newcomer;
		ft_pressure_crowd(&here, candidates, n);
		decision = ft_pressure_choose(fallback, &here, candidates, n,
					      look_all, tn, &victim, &rank);
		/* Where an idle flow may go, a handshake isn't looked for. */
		wanted = newcomer.idle ? FLOWTRACK_CLASS_CLOSING :
					 FLOWTRACK_CLASS_EMBRYONIC;
		if (decision != FT_DECISION_EVICT) {
			if (spare_rank == FT_RANK_NEVER &&
			    READ_ONCE(tn->adaptive.hopeless) == ft_now())
				return decision;
			if (spare_rank == FT_RANK_NEVER ||
			    tries < EVICT_SEARCHES)
				continue;
			/* Take the victim of an earlier search. */
			decision = FT_DECISION_EVICT;
			victim = spare;
			rank = spare_rank;
			spare_rank = FT_RANK_NEVER;
		} else if (tries < EVICT_SEARCHES &&
			   !ft_pressure_settled(&here, rank)) {
			if (rank <= spare_rank) {
				spare = victim;
				spare_rank = rank;
			}
			continue;
		}
		if (!end_victim_for(tn, &newcomer, &victim, rank))
			continue;
		count_rank(tn, rank);
		if (!one_more)
			return FT_DECISION_EVICT;
		one_more = false;
		ft_place_give(tn);
	}
	if (decision != FT_DECISION_EVICT) {
		WRITE_ONCE(tn->adaptive.hopeless, ft_now());
		return decision;
	}
	/* Other CPUs took every victim first. */
	return fallback == FLOWTRACK_POLICY_PASS ? FT_DECISION_PASS :
						   FT_DECISION_DROP;
}

/**
 * ft_evict_for() - a newcomer that there is no place for
 * @tn: namespace
 * @birth: the newcomer
 *
 * Ends a flow for it, or says what becomes of it.
 *
 * Context: BH disabled, RCU read side.
 * Return: OK if it has the ended flow's place now; PASS; DROP.
 */
enum ft_admission ft_evict_for(struct ft_net *tn, const struct ft_birth *birth)
{
	u32 policy = ft_setting(&tn->set, FULL_POLICY);
	enum ft_decision decision;
	unsigned int victim;
	enum ft_rank rank;

	ft_stat_inc(tn, FULL);
	ft_top_refused(tn);
	if (policy == FLOWTRACK_POLICY_EVICT)
		decision = search_victim(tn, birth);
	else
		decision = ft_pressure_decide(policy, policy, NULL, NULL, 0,
					      &victim, &rank);
	switch (decision) {
	case FT_DECISION_EVICT:
		log_full(tn, "a less valuable flow was evicted");
		return FT_ADMIT_OK;
	case FT_DECISION_PASS:
		log_full(tn, "a new connection goes on untracked");
		break;
	case FT_DECISION_DROP:
		log_full(tn, "a new connection was dropped");
		break;
	}
	if (policy == FLOWTRACK_POLICY_EVICT)
		ft_stat_inc(tn, FULL_NOBODY);
	return refuse_newcomer(tn, birth, decision);
}

/**
 * ft_evict_among() - one of some flows gives way
 * @tn: namespace
 * @indices: of the flows
 * @n: how many, FT_EVICT_AMONG at most
 *
 * The newcomer is one that nobody has answered. It needs what the flow has, not its
 * place, which is given back.
 *
 * Context: BH disabled, RCU read side.
 * Return: which of them has ended, the least valuable one; -1: none may, or the policy
 * is to evict nobody.
 */
int ft_evict_among(struct ft_net *tn, const u32 *indices, unsigned int n)
{
	struct ft_candidate candidates[FT_EVICT_AMONG] __uninitialized;
	u32 policy = ft_setting(&tn->set, FULL_POLICY);
	struct ft_newcomer newcomer;
	unsigned int i, victim;
	enum ft_rank rank;

	for (i = 0; i < n; i++)
		candidates[i] = (struct ft_candidate){ .index = indices[i] };
	look_all(tn, candidates, n);
	ft_pressure_newcomer(&newcomer, FLOWTRACK_CLASS_EMBRYONIC, false,
			     ft_loan_open(&tn->loan), ft_adaptive_on(&tn->set));
	if (ft_pressure_decide(policy, policy, &newcomer, candidates, n, &victim, &rank) !=
	    FT_DECISION_EVICT ||
	    !end_victim_for(tn, &newcomer, &candidates[victim], rank))
		return -1;
	count_rank(tn, rank);
	ft_place_give(tn);
	return victim;
}
EXPORT_SYMBOL_NS_GPL(ft_evict_among, FT_SYMBOL_NS);
