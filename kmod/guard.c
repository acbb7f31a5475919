// SPDX-License-Identifier: GPL-2.0
#include <linux/bitfield.h>
#include <linux/bottom_half.h>
#include <linux/cpumask.h>
#include <linux/icmp.h>
#include <linux/ip.h>
#include <linux/random.h>
#include <linux/ratelimit.h>
#include <linux/sched.h>
#include <linux/sched/clock.h>
#include <net/ip.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/netfilter/nf_conntrack_zones.h>

#include "guard.h"
#include "guard_heavy.h"
#include "lifecycle.h"
#include "net.h"
#include "pressure.h"
#include "proto.h"

/* Shadows in a sample, samples for a newcomer, and real entries looked at. */
#define SAMPLE		32
#define SAMPLES		3
#define LOOKS		8

/* Shadows are compared with reality once a second, for so long at most. */
#define SWEEP_PERIOD	HZ
#define SWEEP_TIME	(50 * NSEC_PER_MSEC)
/* After nf_conntrack was flushed. */
#define SWEEP_TIME_LONG	(400 * NSEC_PER_MSEC)
/* Buckets between two chances for others to run. */
#define SWEEP_SLICE	256

/**
 * ft_guard_word() - a flow of nf_conntrack in the terms of flowtrack
 * @ct: its entry
 *
 * Context: any; the entry is referenced, or the packet's own.
 * Return: FT_FLOW_* bits: status, state, class.
 */
u32 ft_guard_word(const struct nf_conn *ct)
{
	unsigned long status = READ_ONCE(ct->status);
	u8 l4proto = nf_ct_protonum(ct);
	u32 word = 0, state;

	if (status & IPS_SEEN_REPLY)
		word |= FT_FLOW_SEEN_REPLY;
	if (status & IPS_ASSURED)
		word |= FT_FLOW_ASSURED;
	switch (l4proto) {
	case IPPROTO_TCP:
		state = READ_ONCE(ct->proto.tcp.state);
		break;
	case IPPROTO_SCTP:
		state = READ_ONCE(ct->proto.sctp.state);
		break;
	default:
		state = FLOWTRACK_FLOW_STATE_UNREPLIED;
		if (status & IPS_ASSURED)
			state = FLOWTRACK_FLOW_STATE_STREAM;
		else if (status & IPS_SEEN_REPLY)
			state = FLOWTRACK_FLOW_STATE_REPLIED;
		break;
	}
	word |= state << 8;
	return word | (u32)ft_proto_class(l4proto, word) << 5;
}

/* FT_SHADOW_* bits of an entry. */
static u32 bits_of(const struct nf_conn *ct)
{
	u32 word = ft_guard_word(ct);

	return ft_word_class(word) |
	       (ft_proto_late(nf_ct_protonum(ct), word) ? FT_SHADOW_LATE : 0);
}

/* An entry that is not confirmed yet has its timeout relative to that. */
static u32 deadline_of(const struct nf_conn *ct)
{
	u32 timeout = READ_ONCE(ct->timeout);

	return nf_ct_is_confirmed(ct) ? timeout : ft_now() + timeout;
}

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
	if (word & FT_SHADOW_LATE)
		candidate->flags |= FT_CANDIDATE_LATE;
	if (!ft_guard_heavy_any(tn))
		return;
	ft_guard_source(&source, &shadow->key);
	if (ft_guard_heavy(tn, &source))
		candidate->flags |= FT_CANDIDATE_HEAVY;
}

/* Nobody has answered it, it may be forged: what it can take is bounded. */
static void describe(const struct ft_net *tn,
		     const struct ft_guard_newcomer *who,
		     struct ft_newcomer *newcomer)
{
	bool trusted = ft_loan_open(&tn->guard.loan);

	newcomer->class = FLOWTRACK_CLASS_EMBRYONIC;
	newcomer->heavy = ft_guard_heavy(tn, &who->source);
	newcomer->idle = trusted && ft_adaptive_on(&tn->set);
	/* Its own flows it may take in any case. */
	newcomer->fair = trusted || newcomer->heavy;
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
 * ft_guard_real() - the entry that a shadow is of
 * @tn: namespace
 * @key: the flow
 *
 * An entry that has expired is collected on the way, by nf_conntrack.
 *
 * Context: RCU read side.
 * Return: the entry, referenced; NULL: it is gone.
 */
struct nf_conn *ft_guard_real(const struct ft_net *tn,
			      const struct ft_shadow_key *key)
{
	struct nf_conntrack_tuple_hash *found;
	struct nf_conntrack_tuple tuple;
	struct nf_conntrack_zone zone;
	struct nf_conn *ct;

	ft_shadow_key_tuple(key, &tuple, &zone);
	found = nf_conntrack_find_get(tn->net, &zone, &tuple);
	if (!found)
		return NULL;
	ct = nf_ct_tuplehash_to_ctrack(found);
	if (NF_CT_DIRECTION(found) == IP_CT_DIR_ORIGINAL)
		return ct;
	/* The answers to another flow look like that. */
	nf_ct_put(ct);
	return NULL;
}

/* Give back what a flow counts with its source. */
static void uncount(struct ft_net *tn, const struct ft_shadow_key *key,
		    u32 bits)
{
	struct ft_key flow;
	u32 word;

	if (likely(!(bits & FT_SHADOW_SOURCE)))
		return;
	word = ft_shadow_flow_key(key, &flow) |
	       FIELD_PREP(FT_FLOW_SOURCE, FIELD_GET(FT_SHADOW_SOURCE, bits));
	rcu_read_lock();
	local_bh_disable();
	ft_source_release(tn, &flow, word);
	local_bh_enable();
	rcu_read_unlock();
}

/*
 * Count a flow with its source, if that may have it. Return: the verdict; @bits
 * set to how it is counted.
 */
static enum ft_source_verdict count(struct ft_net *tn,
				    const struct ft_shadow_key *key,
				    bool exempt, u32 *bits)
{
	enum ft_source_verdict verdict;
	struct ft_key flow;
	u32 word;

	*bits = 0;
	if (likely(!rcu_access_pointer(tn->sources.table)))
		return FT_SOURCE_OK;
	word = ft_shadow_flow_key(key, &flow);
	local_bh_disable();
	verdict = ft_source_charge(tn, &flow, &word, exempt);
	local_bh_enable();
	if (verdict == FT_SOURCE_MAX || verdict == FT_SOURCE_RATE)
		ft_source_refused(tn, &flow, word, verdict);
	*bits = FIELD_PREP(FT_SHADOW_SOURCE, FIELD_GET(FT_FLOW_SOURCE, word));
	return verdict;
}

static bool drop(struct ft_net *tn, const struct ft_shadow_key *key)
{
	u32 word;

	if (!ft_shadow_drop(&tn->guard.shadows, key, &word))
		return false;
	uncount(tn, key, word);
	return true;
}

static bool forget(struct ft_net *tn, const struct ft_shadow_key *key)
{
	if (!drop(tn, key))
		return false;
	ft_stat_inc(tn, GUARD_FORGOT);
	return true;
}

/* A flow began, for those who want to know who opens most. */
static void born(struct ft_net *tn, const struct ft_shadow_key *key)
{
	struct ft_key flow;
	u32 word;

	if (likely(!rcu_access_pointer(tn->top.rings)))
		return;
	word = ft_shadow_flow_key(key, &flow);
	local_bh_disable();
	ft_top_born(tn, &flow, word);
	local_bh_enable();
}

static void kick(struct ft_net *tn)
{
	if (delayed_work_pending(&tn->guard.work) || READ_ONCE(tn->dying))
		return;
	queue_delayed_work(system_unbound_wq, &tn->guard.work, SWEEP_PERIOD);
}

/* A newcomer that its source may not have. */
static enum ft_guard_answer refuse_source(struct ft_net *tn)
{
	if (ft_setting(&tn->set, SRC_POLICY) != FLOWTRACK_POLICY_PASS)
		return FT_GUARD_DROP;
	ft_stat_inc(tn, SRC_PASS);
	return FT_GUARD_PASS;
}

/**
 * ft_guard_feed() - a packet whose flow stays in nf_conntrack
 * @tn: namespace
 * @ct: its entry, confirmed or about to be
 * @exempt: the limits for sources do not hold for this packet
 *
 * Context: RCU read side.
 * Return: GO; else the flow is new, and its source has too many: PASS, the
 * packet is to go on without the entry; DROP.
 */
enum ft_guard_answer ft_guard_feed(struct ft_net *tn, const struct nf_conn *ct,
				   bool exempt)
{
	unsigned int max = READ_ONCE(nf_conntrack_max);
	enum ft_source_verdict verdict;
	struct ft_shadow_key key;
	struct ft_shadow *shadow;
	u32 bits, source;
	int err;

	if (!ft_setting(&tn->set, GUARD))
		return FT_GUARD_GO;
	bits = bits_of(ct);
	ft_shadow_key_set(&key, &ct->tuplehash[IP_CT_DIR_ORIGINAL].tuple,
			  nf_ct_zone(ct));
	shadow = ft_shadow_find(&tn->guard.shadows, &key);
	if (shadow) {
		if (ft_shadow_packet(shadow, bits, deadline_of(ct), ft_now()))
			ft_loan_repay(&tn->guard.loan);
		return FT_GUARD_GO;
	}
	/* Deleted, this was the last packet. */
	if (nf_ct_is_dying(ct))
		return FT_GUARD_GO;
	/* No more shadows than things that cast one. */
	if (max && ft_shadow_count(&tn->guard.shadows) >= max)
		return FT_GUARD_GO;
	/* What is there, and what another flow has announced, is counted only. */
	exempt |= nf_ct_is_confirmed(ct) || ct->master;
	verdict = count(tn, &key, exempt, &source);
	if (verdict == FT_SOURCE_MAX || verdict == FT_SOURCE_RATE)
		return refuse_source(tn);
	err = ft_shadow_add(&tn->guard.shadows, &key, bits | source,
			    deadline_of(ct), ft_now());
	if (err)
		uncount(tn, &key, source);
	else if (!nf_ct_is_confirmed(ct))
		born(tn, &key);
	if (verdict == FT_SOURCE_NOMEM || (err && err != -EEXIST))
		ft_stat_inc(tn, NOMEM);
	kick(tn);
	return FT_GUARD_GO;
}

/* Count a flow that was there before its source's limits were. */
static int recount_one(struct ft_shadow *shadow, void *arg)
{
	struct ft_shadow_key key = shadow->key;
	struct ft_net *tn = arg;
	u32 source;

	if (count(tn, &key, true, &source) != FT_SOURCE_OK)
		ft_stat_inc(tn, NOMEM);
	/* One that is not counted must not look like it, two tables on. */
	if (!ft_shadow_set_source(&tn->guard.shadows, &key, source))
		uncount(tn, &key, source);
	return 0;
}

/**
 * ft_guard_recount() - count the guarded flows that there are by their sources
 * @tn: namespace, with a new table of sources
 *
 * Context: may sleep.
 */
void ft_guard_recount(struct ft_net *tn)
{
	struct ft_shadow_cursor cursor = {};
	int more;

	do {
		rcu_read_lock();
		more = ft_shadow_walk(&tn->guard.shadows, &cursor, SWEEP_SLICE,
				      recount_one, tn);
		rcu_read_unlock();
		/* Being resized: from the beginning, once that is done. */
		if (more == -EAGAIN)
			schedule_timeout_uninterruptible(1);
		cond_resched();
	} while (more);
}

/*
 * Does nf_conntrack have room for one more? Each CPU may be between here and
 * its allocation with a packet: that many places are kept free. And the reserved
 * ones are, though half of its table at most, which may be smaller than ours.
 */
static bool has_room(const struct ft_net *tn, bool reserved)
{
	unsigned int max = READ_ONCE(nf_conntrack_max);
	unsigned int kept = num_online_cpus();

	if (!max)
		return true;
	if (!reserved)
		kept += min(ft_setting(&tn->set, RESERVED), max / 2);
	return nf_conntrack_count(tn->net) + kept <= max;
}

/* nf_conntrack makes no entry for an ICMP error. */
static bool is_error(const struct nf_conntrack_tuple *tuple)
{
	u8 family = tuple->src.l3num;
	u8 request;

	if (tuple->dst.protonum != (family == NFPROTO_IPV4 ? IPPROTO_ICMP :
							     IPPROTO_ICMPV6))
		return false;
	return ft_icmp_kind(family, tuple->dst.u.icmp.type, &request) ==
	       FT_ICMP_ERROR;
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

	if (has_room(tn, false) || !ft_setting(&tn->set, GUARD))
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

static void log_full(struct ft_net *tn, const char *done)
{
	if (!__ratelimit(&tn->full_log))
		return;
	pr_warn("nf_flowtrack: netns %u: nf_conntrack full, limit of %u entries: %s; raise net.netfilter.nf_conntrack_max or lower its timeouts\n",
		tn->net->ns.inum, READ_ONCE(nf_conntrack_max), done);
}

/*
 * Delete an entry, if the newcomer may displace what it is now; for one that
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
static bool evict(struct ft_net *tn, const struct ft_newcomer *newcomer,
		  struct ft_shadow *shadow)
{
	struct ft_shadow_key key = shadow->key;
	struct ft_candidate candidate;
	struct nf_conn *ct;
	bool deleted;

	ct = ft_guard_real(tn, &key);
	if (!ct) {
		forget(tn, &key);
		return false;
	}
	ft_shadow_update(shadow, bits_of(ct), deadline_of(ct), ft_now());
	candidate_set(tn, &candidate, shadow);
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
	drop(tn, &key);
	this_cpu_inc(tn->stats->v[FLOWTRACK_A_STATS_GUARD_EVICT_CLOSING +
				  candidate.class]);
	return true;
}

/* Likewise. Return: true if there is room now, whoever made it. */
static bool displace(struct ft_net *tn, const struct ft_newcomer *newcomer,
		     struct ft_shadow *shadow)
{
	bool deleted = evict(tn, newcomer, shadow);

	/* While reserved places are in use, one goes for one. */
	return has_room(tn, false) || (deleted && has_room(tn, true));
}

/*
 * Who may go if no other sample has a better one. Looked at anew by then: within
 * the read-side section the shadow may become that of another flow.
 */
struct spare {
	struct ft_shadow *shadow;
	enum ft_rank rank;
};

/*
 * One sample: true if there is room now. Unless it is the last one, nobody goes
 * for whom another sample may have a better one: kept as @spare until then.
 */
static bool evict_any(struct ft_net *tn, const struct ft_newcomer *who,
		      bool last, struct spare *spare,
		      enum ft_decision *decision)
{
	struct ft_candidate candidates[SAMPLE];
	struct ft_newcomer newcomer = *who;
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
		if (displace(tn, &newcomer, shadows[victim]))
			return true;
		n--;
		shadows[victim] = shadows[n];
		candidates[victim] = candidates[n];
	}
	return last && spare->shadow && displace(tn, who, spare->shadow);
}

/* Find out who fills the table: at once, but once a second at most. */
static void note_refused(struct ft_net *tn)
{
	if (READ_ONCE(tn->guard.refused))
		return;
	WRITE_ONCE(tn->guard.refused, true);
	if (!rcu_access_pointer(tn->guard.heavy) && !READ_ONCE(tn->dying))
		mod_delayed_work(system_unbound_wq, &tn->guard.work, 0);
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
	enum ft_decision decision = FT_DECISION_EVICT;
	struct spare spare = { .rank = FT_RANK_NEVER };
	struct ft_newcomer who;
	unsigned int victim, i;
	bool found = false;
	enum ft_rank rank;

	/* Who would be refused later must not cost another one its entry. */
	if (!newcomer->exempt && ft_source_full(tn, &newcomer->source))
		return refuse_source(tn);
	if (newcomer->reserved && has_room(tn, true)) {
		ft_stat_inc(tn, RESERVED);
		return FT_GUARD_GO;
	}
	ft_stat_inc(tn, GUARD_FULL);
	note_refused(tn);
	describe(tn, newcomer, &who);
	for (i = 0; i < SAMPLES; i++) {
		if (evict_any(tn, &who, i == SAMPLES - 1, &spare, &decision)) {
			log_full(tn, "a less valuable one was deleted");
			return FT_GUARD_GO;
		}
		found |= decision == FT_DECISION_EVICT;
		/* In vain, only one packet in a jiffy searches on. */
		if (!found && READ_ONCE(tn->guard.hopeless) == ft_now())
			break;
	}
	if (!found)
		WRITE_ONCE(tn->guard.hopeless, ft_now());
	/* The fallback: what is decided when nobody is in reach. */
	decision = decide(tn, &who, NULL, 0, &victim, &rank);
	if (decision == FT_DECISION_PASS) {
		ft_stat_inc(tn, GUARD_PASS);
		log_full(tn, "a new connection goes on untracked");
		return FT_GUARD_PASS;
	}
	ft_stat_inc(tn, GUARD_DROP);
	log_full(tn, "a new connection was dropped");
	return FT_GUARD_DROP;
}

/**
 * ft_guard_end() - delete a guarded flow by request
 * @tn: namespace
 * @key: the flow
 * @ct: its entry, referenced
 *
 * Context: any but hard interrupts.
 * Return: false if nf_conntrack has ended it already.
 */
bool ft_guard_end(struct ft_net *tn, const struct ft_shadow_key *key,
		  struct nf_conn *ct)
{
	if (!nf_ct_delete(ct, 0, 0))
		return false;
	drop(tn, key);
	return true;
}

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
		tn->guard.expected += forget(tn, &key);
		return 0;
	}
	ft_shadow_update(shadow, bits_of(ct), deadline_of(ct), ft_now());
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

/*
 * Numbers that differ by as much as they did after everything had been looked
 * at say that nothing has drifted. If they do not: first those shadows whose
 * deadline has passed, which costs a read each; if that does not explain it,
 * all. What is left after that is not ours, and becomes the new difference.
 */
static void sweep(struct ft_net *tn)
{
	struct ft_guard *guard = &tn->guard;
	u64 end = local_clock() + SWEEP_TIME;
	int more;

	if (!guard->verify) {
		if (!guard->settled)
			verify(tn);
		else if (others(tn) == guard->others)
			return;
	}
	if (nf_conntrack_count(tn->net) < ft_shadow_count(&guard->shadows) / 2)
		end += SWEEP_TIME_LONG - SWEEP_TIME;
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
			return;
		}
		cond_resched();
		if (READ_ONCE(tn->dying) || local_clock() > end)
			return;
	}
}

/* Is the table nearly full, or were newcomers refused since the last look? */
static bool pressed(const struct ft_net *tn)
{
	u64 max = READ_ONCE(nf_conntrack_max);

	return READ_ONCE(tn->guard.refused) ||
	       (max && (u64)nf_conntrack_count(tn->net) * 10 >= max * 9);
}

static void guard_work(struct work_struct *work)
{
	struct ft_net *tn = container_of(to_delayed_work(work), struct ft_net,
					 guard.work);

	sweep(tn);
	if (pressed(tn)) {
		WRITE_ONCE(tn->guard.refused, false);
		ft_guard_heavy_look(tn);
	} else if (rcu_access_pointer(tn->guard.heavy)) {
		ft_guard_heavy_forget(tn);
	}
	/* Without shadows there is nothing to do: the next one starts it. */
	if (ft_shadow_count(&tn->guard.shadows))
		kick(tn);
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

	err = ft_shadows_init(&guard->shadows);
	if (err)
		return err;
	INIT_DELAYED_WORK(&guard->work, guard_work);
	guard->cursor = (struct ft_shadow_cursor){};
	guard->others = 0;
	guard->settled = true;
	guard->verify = false;
	guard->refused = false;
	RCU_INIT_POINTER(guard->heavy, NULL);
	ft_loan_init(&guard->loan);
	guard->hopeless = ft_now() - 1;
	return 0;
}

/**
 * ft_guard_stop() - compare shadows with reality no more
 * @tn: namespace, with dying set; no packet is in a hook any more
 *
 * The shadows stay, for those who count them: see ft_top_exit().
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
 * @tn: namespace, after ft_guard_stop() and ft_lifecycle_exit()
 *
 * Context: may sleep.
 */
void ft_guard_exit(struct ft_net *tn)
{
	ft_shadows_exit(&tn->guard.shadows);
}
