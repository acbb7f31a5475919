// SPDX-License-Identifier: GPL-2.0
#include <linux/cpumask.h>
#include <linux/icmp.h>
#include <linux/nf_flowtrack.h>
#include <linux/random.h>
#include <linux/ratelimit.h>
#include <linux/workqueue.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/netfilter/nf_conntrack_zones.h>

#include "base/settings.h"
#include "base/stats.h"
#include "base/tenant.h"
#include "flow/flow.h"
#include "flow/shadow.h"
#include "flow/table.h"
#include "flow/tuple.h"
#include "guard/end.h"
#include "guard/entry.h"
#include "guard/guard.h"
#include "guard/heavy.h"
#include "guard/idle.h"
#include "guard/learn.h"
#include "guard/room.h"
#include "guard/source.h"
#include "net.h"
#include "policy/adaptive.h"
#include "policy/loan.h"
#include "policy/pressure.h"
#include "policy/source.h"

/* Shadows in a sample, samples for a newcomer, and real entries looked at. */
#define SAMPLE		32
#define SAMPLES		3
#define LOOKS		8

/* A flow in the terms of the policy, by what its shadow says. */
static void candidate_set(const struct ft_net *tn,
			  struct ft_candidate *candidate,
			  const struct ft_shadow *shadow)
{
	u32 now = ft_now(), word = READ_ONCE(shadow->word);
	s32 left = ft_shadow_left(shadow, now);
	struct ft_source source;

	*candidate = (struct ft_candidate){
		.class = ft_shadow_class(word),
		.left = left > 0 ? min_t(s32, left / HZ + 1, S16_MAX) : 0,
		.idle = ft_shadow_idle(word, now),
		.flags = FT_CANDIDATE_KNOWN,
	};
	if (word & FT_SHADOW_LAST_DUE)
		candidate->flags |= FT_CANDIDATE_LAST_DUE;
	if (!ft_guard_heavy_any(tn))
		return;
	ft_guard_source(&source, &shadow->key);
	if (ft_guard_is_heavy(tn, &source))
		candidate->flags |= FT_CANDIDATE_HEAVY;
}

static enum ft_decision decide(const struct ft_net *tn,
			       const struct ft_newcomer *newcomer,
			       const struct ft_candidate *candidates,
			       unsigned int n, unsigned int *victim,
			       enum ft_rank *rank)
{
	return ft_pressure_decide(ft_setting(&tn->set, FULL_POLICY),
				  ft_setting(&tn->set, FULL_FALLBACK),
				  newcomer, candidates, n, victim, rank);
}

/**
 * ft_guard_kept() - entries of nf_conntrack's that are kept free
 * @max: its limit
 * @cpus: each may be between the guard and nf_conntrack's allocation with a packet
 * @reserved: setting; 0 for those who may have the reserved ones
 *
 * Of a table that is small for so many CPUs half is kept for them, and one entry
 * at least: nf_conntrack makes none beyond its limit. Reserved are half of its
 * table at most, too, since that may be smaller than ours. So an empty table has
 * room, however small it is.
 *
 * Context: any; pure.
 * Return: how many.
 */
u32 ft_guard_kept(u32 max, u32 cpus, u32 reserved)
{
	return clamp(max / 2, 1u, cpus) + min(reserved, max / 2);
}

/* Does nf_conntrack have room for one more? */
static bool has_room(const struct ft_net *tn, bool reserved)
{
	u32 max = READ_ONCE(nf_conntrack_max);
	u32 kept = ft_guard_kept(max, num_online_cpus(),
				 reserved ? 0 : ft_setting(&tn->set, RESERVED));

	return !max || nf_conntrack_count(tn->net) + kept <= max;
}

/* nf_conntrack makes no entry for an ICMP error. */
static bool is_error(const struct nf_conntrack_tuple *tuple)
{
	enum ft_icmp_kind kind;

	return ft_tuple_is_icmp(tuple, &kind) && kind == FT_ICMP_ERROR;
}

/**
 * ft_guard_fits() - as ft_guard_roomy(), while shadows are kept
 * @tn: namespace
 *
 * Context: any.
 * Return: true if nf_conntrack has room, or nobody minds that it has none.
 */
bool ft_guard_fits(const struct ft_net *tn)
{
	return has_room(tn, false) || !ft_setting(&tn->set, GUARD);
}

/**
 * ft_guard_open() - may a packet go on to nf_conntrack just so?
 * @tn: namespace
 * @skb: the packet, with no entry of ours
 * @pf: NFPROTO_IPV4 or NFPROTO_IPV6
 * @zone: conntrack zone
 * @newcomer: filled if it may not
 *
 * Context: RCU read side.
 * Return: true if nf_conntrack has room, knows its flow, or wants none.
 */
bool ft_guard_open(const struct ft_net *tn, const struct sk_buff *skb, u8 pf,
		   const struct nf_conntrack_zone *zone,
		   struct ft_guard_newcomer *newcomer)
{
	struct nf_conntrack_tuple_hash *found;
	struct nf_conntrack_tuple tuple;
	struct ft_shadow_key key;

	if (ft_guard_roomy(tn))
		return true;
	/* What has no tuple gets no entry. */
	if (!nf_ct_get_tuplepr(skb, skb_network_offset(skb), pf, tn->net,
			       &tuple) || is_error(&tuple))
		return true;
	found = nf_conntrack_find_get(tn->net, zone, &tuple);
	if (!found) {
		ft_shadow_key_set(&key, &tuple, zone);
		ft_guard_source(&newcomer->source, &key);
		newcomer->reserved = ft_mark_reserved(&tn->set, skb->mark);
		newcomer->exempt = newcomer->reserved || !skb->skb_iif;
		return false;
	}
	nf_ct_put(nf_ct_tuplehash_to_ctrack(found));
	return true;
}

static void log_conntrack_full(struct ft_net *tn, const char *done)
{
	if (!ft_tenant_may_log(tn->net) || !__ratelimit(&tn->guard.full_log))
		return;
	pr_warn("nf_flowtrack: netns %u: nf_conntrack full, limit of %u entries: %s; raise net.netfilter.nf_conntrack_max or lower its timeouts\n",
		tn->net->ns.inum, READ_ONCE(nf_conntrack_max), done);
}

/*
 * Delete an entry, if the newcomer may evict what it is now; for one that
 * nobody answered, its place may be a loan. Return: true if that was us.
 */
static bool delete_for(struct ft_net *tn, const struct ft_newcomer *newcomer,
		       const struct ft_candidate *candidate, struct nf_conn *ct)
{
	unsigned int victim;
	enum ft_rank rank;
	bool lent;

	if (decide(tn, newcomer, candidate, 1, &victim, &rank) !=
	    FT_DECISION_EVICT)
		return false;
	lent = ft_pressure_borrows(newcomer, rank);
	if (lent && !ft_loan_take(&tn->guard.loan))
		return false;
	if (nf_ct_delete(ct, 0, 0))
		return true;
	if (lent)
		ft_loan_repay(&tn->guard.loan);
	return false;
}

/*
 * Delete a shadow's flow, if that is still allowed and frees its place. Return:
 * true if so.
 */
static bool evict_shadow(struct ft_net *tn, const struct ft_newcomer *newcomer,
			 struct ft_shadow *shadow)
{
	struct ft_shadow_key key = shadow->key;
	struct ft_candidate candidate;
	struct nf_conn *ct;
	bool deleted;

	ct = ft_guard_real(tn, &key);
	if (!ct) {
		ft_guard_forget(tn, &key);
		return false;
	}
	ft_shadow_update(shadow, ft_guard_bits(ct), ft_guard_deadline(ct), ft_now());
	candidate_set(tn, &candidate, shadow);
	/* Its packets may have passed no hook of ours, or came while it was learned. */
	candidate.idle = min(candidate.idle, ft_guard_idle(ct));
	/*
	 * Offloaded: its packets pass by, it is not as idle as it looks. More
	 * references than the table's and ours: packets of it are queued, and
	 * its place would be free only after them. Another key: the shadow has
	 * become that of another flow, whose idle time says nothing.
	 */
	deleted = !test_bit(IPS_OFFLOAD_BIT, &ct->status) &&
		  refcount_read(&ct->ct_general.use) <= 2 &&
		  !memcmp(&shadow->key, &key, sizeof(key)) &&
		  delete_for(tn, newcomer, &candidate, ct);
	nf_ct_put(ct);
	if (!deleted)
		return false;
	ft_guard_drop(tn, &key);
	this_cpu_inc(tn->stats->v[FLOWTRACK_A_STATS_GUARD_EVICT_CLOSING +
				  candidate.class]);
	return true;
}

/* As evict_shadow(). Return: true if there is room now, also if another CPU made it. */
static bool evict_makes_room(struct ft_net *tn, const struct ft_newcomer *newcomer,
			     struct ft_shadow *shadow)
{
	bool deleted = evict_shadow(tn, newcomer, shadow);

	/* While reserved places are in use, a newcomer gets the place of the evicted entry. */
	return has_room(tn, false) || (deleted && has_room(tn, true));
}

/*
 * The flow to evict if no other sample has a better one. It is looked at anew
 * then: within the read-side section the shadow may become that of another
 * flow.
 */
struct spare {
	struct ft_shadow *shadow;
	enum ft_rank rank;
};

/*
 * Take one sample. A flow is not evicted while another sample may have a better
 * one: unless this is the last sample, it is kept as @spare until then. Return:
 * true if there is room now.
 */
static bool evict_any(struct ft_net *tn, const struct ft_newcomer *claim,
		      bool last, struct spare *spare,
		      enum ft_decision *decision)
{
	struct ft_candidate candidates[SAMPLE];
	struct ft_newcomer newcomer = *claim;
	struct ft_shadow *shadows[SAMPLE];
	unsigned int n, i, looks, victim;
	enum ft_rank rank;

	n = ft_shadow_sample(&tn->guard.shadows, get_random_u32(), shadows,
			     SAMPLE);
	for (i = 0; i < n; i++)
		candidate_set(tn, &candidates[i], shadows[i]);
	ft_pressure_crowd(&newcomer, candidates, n);
	for (looks = 0; looks < LOOKS; looks++) {
		*decision = decide(tn, &newcomer, candidates, n, &victim,
				   &rank);
		if (*decision != FT_DECISION_EVICT)
			break;
		if (!last && !ft_pressure_settled(&newcomer, rank)) {
			if (rank <= spare->rank)
				*spare = (struct spare){ shadows[victim], rank };
			return false;
		}
		if (evict_makes_room(tn, &newcomer, shadows[victim]))
			return true;
		n--;
		shadows[victim] = shadows[n];
		candidates[victim] = candidates[n];
	}
	return last && spare->shadow && evict_makes_room(tn, claim, spare->shadow);
}

/* Find out which sources fill the table: at once, but once a second at most. */
static void note_refused(struct ft_net *tn)
{
	if (READ_ONCE(tn->guard.refused))
		return;
	WRITE_ONCE(tn->guard.refused, true);
	if (!rcu_access_pointer(tn->guard.heavy) && !READ_ONCE(tn->dying))
		mod_delayed_work(tn->wq, &tn->guard.work, 0);
}

/* Return: true if there is room for it now. */
static bool search(struct ft_net *tn, const struct ft_newcomer *claim)
{
	enum ft_decision decision = FT_DECISION_EVICT;
	struct spare spare = { .rank = FT_RANK_NEVER };
	bool found = false;
	unsigned int i;

	for (i = 0; i < SAMPLES; i++) {
		if (evict_any(tn, claim, i == SAMPLES - 1, &spare, &decision))
			return true;
		found |= decision == FT_DECISION_EVICT;
		/* After a failed search, at most one packet per jiffy searches again. */
		if (!found && READ_ONCE(tn->guard.hopeless) == ft_now())
			break;
	}
	if (!found)
		WRITE_ONCE(tn->guard.hopeless, ft_now());
	return false;
}

/* What no responder has answered. */
static void claim_set(const struct ft_net *tn, struct ft_newcomer *claim,
		      const struct ft_source *source)
{
	ft_pressure_newcomer(claim, FLOWTRACK_CLASS_EMBRYONIC,
			     ft_guard_is_heavy(tn, source),
			     ft_loan_open(&tn->guard.loan),
			     ft_adaptive_on(&tn->set));
}

/**
 * ft_guard_make_room() - a newcomer that nf_conntrack has no room for
 * @tn: namespace
 * @newcomer: from ft_guard_open()
 *
 * Context: RCU read side.
 * Return: what becomes of it.
 */
enum ft_guard_answer ft_guard_make_room(struct ft_net *tn,
					const struct ft_guard_newcomer *newcomer)
{
	enum ft_decision decision;
	struct ft_newcomer claim;
	unsigned int victim;
	enum ft_rank rank;

	/*
	 * A newcomer that would be refused later must cost no flow its entry.
	 */
	if (!newcomer->exempt && ft_source_full(tn, &newcomer->source))
		return ft_guard_refuse_source(tn);
	if (newcomer->reserved && has_room(tn, true)) {
		ft_stat_inc(tn, RESERVED);
		return FT_GUARD_GO;
	}
	ft_stat_inc(tn, GUARD_FULL);
	note_refused(tn);
	claim_set(tn, &claim, &newcomer->source);
	if (search(tn, &claim)) {
		log_conntrack_full(tn, "a less valuable one was deleted");
		return FT_GUARD_GO;
	}
	/* The fallback: what is decided when no victim is in reach. */
	decision = decide(tn, &claim, NULL, 0, &victim, &rank);
	if (decision == FT_DECISION_PASS) {
		ft_stat_inc(tn, GUARD_PASS);
		log_conntrack_full(tn, "a new connection goes on untracked");
		return FT_GUARD_PASS;
	}
	/* nf_conntrack's early drop may find an entry that the guard does not know yet. */
	if (!ft_guard_knows(tn))
		return FT_GUARD_GO;
	ft_stat_inc(tn, GUARD_DROP);
	log_conntrack_full(tn, "a new connection was dropped");
	return FT_GUARD_DROP;
}

/**
 * ft_guard_another() - for a moment, an entry more than a newcomer has
 * @tn: namespace
 * @ct: the newcomer's unconfirmed entry, which has taken the place that was made for it
 * @mark: of its packet
 *
 * Context: RCU read side.
 * Return: true if nf_conntrack makes one; false, which is in the log, if it would say
 * that its table is full.
 */
bool ft_guard_another(struct ft_net *tn, const struct nf_conn *ct, u32 mark)
{
	struct ft_newcomer claim;
	struct ft_shadow_key key;
	struct ft_source source;

	if (ft_guard_roomy(tn))
		return true;
	ft_shadow_key_set(&key, nf_ct_tuple(ct, IP_CT_DIR_ORIGINAL), nf_ct_zone(ct));
	ft_guard_source(&source, &key);
	claim_set(tn, &claim, &source);
	/* The places of other CPUs are the last ones that it takes. */
	if ((ft_mark_reserved(&tn->set, mark) && has_room(tn, true)) ||
	    search(tn, &claim) || nf_conntrack_count(tn->net) < READ_ONCE(nf_conntrack_max) ||
	    !ft_guard_knows(tn))
		return true;
	log_conntrack_full(tn, "NAT could not choose a port, a new connection was dropped");
	return false;
}
