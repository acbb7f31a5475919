// SPDX-License-Identifier: GPL-2.0
#include <linux/bitops.h>
#include <linux/moduleparam.h>
#include <linux/prefetch.h>
#include <linux/ratelimit.h>
#include <linux/timekeeping.h>
#include <net/ipv6.h>

#include "adaptive.h"
#include "lifecycle.h"
#include "notify.h"
#include "pressure.h"
#include "proto.h"
#include "trace.h"

/*
 * Samples for one newcomer: a short one and three long ones, until there is a
 * flow that costs nobody anything, and one more where others race for it.
 */
#define EVICT_TRIES	5
#define EVICT_SEARCHES	3

/* Flows of all namespaces, bounded by ft_params.total_max. */
static atomic_t total;

/* Take one of @limit places; exact, whatever other CPUs do. */
static bool take_place(atomic_t *count, u32 limit)
{
	int c = atomic_read(count);

	do {
		if ((u32)c >= limit)
			return false;
	} while (!atomic_try_cmpxchg(count, &c, c + 1));
	return true;
}

/*
 * Take one of the places of all namespaces. The machine's own admin gets in
 * however much the others hold; theirs do not, or the sum had no bound.
 */
static bool take_total(const struct ft_net *tn, bool reserved, bool *kept)
{
	u32 beyond = ft_setting(&tn->set, RESERVED);

	if (take_place(&total, ft_params.total_max))
		return true;
	*kept = true;
	return reserved && net_eq(tn->net, &init_net) &&
	       take_place(&total, ft_params.total_max + beyond);
}

/*
 * Take a place. The last ones are kept for packets with the reserved mark; max
 * may fall below what is reserved for a moment, while both change.
 */
static bool reserve(struct ft_net *tn, bool reserved)
{
	u32 max = ft_setting(&tn->set, MAX_FLOWS);
	bool kept = false;

	if (!take_place(&tn->count, ft_flow_room(&tn->set))) {
		kept = true;
		if (!reserved || !take_place(&tn->count, max))
			return false;
	}
	if (!take_total(tn, reserved, &kept)) {
		atomic_dec(&tn->count);
		return false;
	}
	if (kept)
		ft_stat_inc(tn, RESERVED);
	return true;
}

static void unreserve(struct ft_net *tn)
{
	atomic_dec(&total);
	atomic_dec(&tn->count);
}

static bool end_flow(struct ft_net *tn, struct ft_flow *flow, u32 index,
		     u32 gen, enum flowtrack_reason reason, bool keep_place);

static const char * const policy_words[] = {
	[FLOWTRACK_POLICY_EVICT] = "evict",
	[FLOWTRACK_POLICY_DROP] = "drop",
	[FLOWTRACK_POLICY_PASS] = "pass",
};

static void log_full(struct ft_net *tn, const char *done)
{
	u32 count = atomic_read(&tn->count);

	if (!__ratelimit(&tn->full_log))
		return;
	if (count < ft_flow_room(&tn->set) &&
	    (u32)atomic_read(&total) >= ft_params.total_max) {
		pr_warn("nf_flowtrack: netns %u: table full, %u flows of all namespaces, policy %s: %s; load the module with more than total_max=%u, or lower nf_flowtrack_max of some\n",
			tn->net->ns.inum, atomic_read(&total),
			policy_words[ft_setting(&tn->set, FULL_POLICY)], done,
			ft_params.total_max);
		return;
	}
	pr_warn("nf_flowtrack: netns %u: table full, %u of %u flows, policy %s: %s; raise net.netfilter.nf_flowtrack_max or lower its timeouts\n",
		tn->net->ns.inum, count, ft_setting(&tn->set, MAX_FLOWS),
		policy_words[ft_setting(&tn->set, FULL_POLICY)], done);
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
static void look(const struct ft_net *tn, struct ft_candidate *candidate)
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
	if (ft_proto_late(proto, word))
		candidate->flags |= FT_CANDIDATE_LATE;
	if (is_heavy(tn, flow, word))
		candidate->flags |= FT_CANDIDATE_HEAVY;
}

/*
 * Look at some candidates; the misses overlap, in turn they would add up. Those
 * that nobody answered were brought in by ft_table_sample().
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
		look(tn, &candidates[i]);
}

/*
 * End the flow that a slot named, if it still is what was seen of it. Its place
 * is the caller's then.
 */
static bool evict(struct ft_net *tn, const struct ft_candidate *victim,
		  enum ft_rank rank)
{
	struct ft_flow *flow = ft_table_at(tn->table, victim->index);
	struct ft_candidate now = { .index = victim->index };
	u32 gen;

	if (!flow)
		return false;
	/* The newcomer will be written where it was. */
	prefetchw((void *)flow + SMP_CACHE_BYTES);
	gen = READ_ONCE(flow->gen);
	/*
	 * Pairs with the release in ft_flow_unlock(): what is seen below is of
	 * this generation, or ft_flow_kill() refuses.
	 */
	smp_rmb();
	look(tn, &now);
	if (now.flags & FT_CANDIDATE_GONE || now.class != victim->class ||
	    now.idle < victim->idle ||
	    (rank == FT_RANK_EXPIRED && now.left > 0))
		return false;
	return end_flow(tn, flow, victim->index, gen, FLOWTRACK_REASON_EVICTED,
			true);
}

/* Why a flow was displaced, where its class does not say so. */
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

/* As evict(); for a newcomer that nobody answered, its place may be a loan. */
static bool evict_for(struct ft_net *tn, struct ft_newcomer *newcomer,
		      const struct ft_candidate *victim, enum ft_rank rank)
{
	bool lent = ft_pressure_borrows(newcomer, rank);

	if (lent && !ft_loan_take(&tn->loan)) {
		/* Others were faster: among its like, then. */
		newcomer->idle = false;
		newcomer->fair = newcomer->heavy;
		return false;
	}
	if (evict(tn, victim, rank))
		return true;
	if (lent)
		ft_loan_repay(&tn->loan);
	return false;
}

static enum ft_admission refuse(struct ft_net *tn, const struct ft_birth *birth,
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

/* The verdict for a newcomer that there is no memory for. */
static enum ft_admission fallback(struct ft_net *tn,
				  const struct ft_birth *birth)
{
	u32 policy = ft_setting(&tn->set, FULL_POLICY);

	if (policy == FLOWTRACK_POLICY_EVICT)
		policy = ft_setting(&tn->set, FULL_FALLBACK);
	ft_stat_inc(tn, FULL_NOMEM);
	return refuse(tn, birth, policy == FLOWTRACK_POLICY_PASS ?
				 FT_DECISION_PASS : FT_DECISION_DROP);
}

/* A first packet may be forged: what it can take of others is bounded. */
static void describe(const struct ft_net *tn, const struct ft_birth *birth,
		     struct ft_newcomer *newcomer)
{
	bool trusted;

	newcomer->class = ft_word_class(birth->word);
	newcomer->heavy = ft_top_any_heavy(tn) &&
			  ft_top_heavy(tn, &birth->key, birth->word);
	trusted = newcomer->class > FLOWTRACK_CLASS_EMBRYONIC ||
		  ft_loan_open(&tn->loan);
	newcomer->idle = trusted && ft_adaptive_on(&tn->set);
	/* Its own flows it may take in any case. */
	newcomer->fair = trusted || newcomer->heavy;
}

/*
 * Displace a flow for a newcomer. Return: EVICT if it has the place.
 *
 * A few flows are looked at first: in a flood, one of them is as good as any.
 * Only who finds nobody, or somebody who had an answer, searches on. In vain it
 * does so only once in a jiffy: at a table with nobody to displace, a flood
 * must not make each packet search.
 */
static enum ft_decision displace(struct ft_net *tn,
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

	describe(tn, birth, &newcomer);
	/* After max was lowered, two go for one that comes. */
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
			/* Then whom an earlier search had found. */
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
		if (!evict_for(tn, &newcomer, &victim, rank))
			continue;
		count_rank(tn, rank);
		if (!one_more)
			return FT_DECISION_EVICT;
		one_more = false;
		unreserve(tn);
	}
	if (decision != FT_DECISION_EVICT) {
		WRITE_ONCE(tn->adaptive.hopeless, ft_now());
		return decision;
	}
	/* Others were faster at every victim. */
	return fallback == FLOWTRACK_POLICY_PASS ? FT_DECISION_PASS :
						   FT_DECISION_DROP;
}

/* No place: displace a flow, or say what becomes of the newcomer. */
static enum ft_admission make_room(struct ft_net *tn,
				   const struct ft_birth *birth)
{
	u32 policy = ft_setting(&tn->set, FULL_POLICY);
	enum ft_decision decision;
	unsigned int victim;
	enum ft_rank rank;

	ft_stat_inc(tn, FULL);
	ft_top_refused(tn);
	if (policy == FLOWTRACK_POLICY_EVICT)
		decision = displace(tn, birth);
	else
		decision = ft_pressure_decide(policy, policy, NULL, NULL, 0,
					      &victim, &rank);
	switch (decision) {
	case FT_DECISION_EVICT:
		log_full(tn, "a less valuable flow was displaced");
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
	return refuse(tn, birth, decision);
}

/* Fill a flow object that nobody but stale readers can reach. */
static void prepare(struct ft_flow *flow, const struct ft_birth *birth,
		    u32 word)
{
	/* A stale reader may hold the lock for a moment. */
	ft_flow_lock(flow);
	WRITE_ONCE(flow->deadline, ft_now() + birth->timeout);
	WRITE_ONCE(flow->mark, birth->mark);
	memcpy(flow->packets, birth->packets, sizeof(flow->packets));
	memcpy(flow->bytes, birth->bytes, sizeof(flow->bytes));
	memcpy(&flow->key, &birth->key, sizeof(flow->key));
	if (birth->key.family == NFPROTO_IPV6)
		memcpy(ft_flow_addr6(flow), birth->key.addr6,
		       sizeof(birth->key.addr6));
	flow->born = birth->born;
	flow->proto = birth->proto;
	/* Dead until ft_table_insert() has it in the table. */
	ft_flow_unlock(flow, word | FT_FLOW_DEAD);
}

static void tell_of_new(struct ft_net *tn, struct ft_flow *flow, u32 index)
{
	struct ft_flow6 copy;

	if (!ft_flow_snapshot(flow, READ_ONCE(flow->gen), &copy))
		return;
	trace_nf_flowtrack_new(tn->net, &copy, index, 0);
	if (ft_notify_wanted(tn))
		ft_notify_flow(tn, FLOWTRACK_CMD_FLOW_NEW_NTF, &copy, index, 0);
}

/* Mostly nobody listens: then no copy is even cleared. */
static void announce(struct ft_net *tn, struct ft_flow *flow, u32 index)
{
	if (ft_notify_wanted(tn) || trace_nf_flowtrack_new_enabled())
		tell_of_new(tn, flow, index);
}

/* Grow in step with the number of flows, unless a size is pinned. */
static void follow_count(struct ft_net *tn)
{
	u32 count = atomic_read(&tn->count);

	if (ft_setting(&tn->set, BUCKETS) || READ_ONCE(tn->dying))
		return;
	if (ft_table_wanted(tn->table, count) != ft_table_buckets(tn->table))
		queue_work(system_unbound_wq, &tn->resize_work);
}

/**
 * ft_flow_admit_soon() - a packet may ask for a place, once it is accepted
 * @tn: namespace
 * @hash: ft_key_hash() of the flow that it would open
 *
 * Where the table is full, a victim is searched for near @hash: that comes in
 * while the ruleset is at work.
 *
 * Context: RCU read side.
 */
void ft_flow_admit_soon(const struct ft_net *tn, u64 hash)
{
	if (likely((u32)atomic_read(&tn->count) < ft_flow_room(&tn->set)))
		return;
	ft_table_prefetch(tn->table, hash + 1);
	ft_table_prefetch(tn->table, hash + 2);
	ft_table_prefetch(tn->table, hash + 3);
}

/* The table has reached its high watermark, and nobody was told. */
static void watch_level(struct ft_net *tn)
{
	if (unlikely((u32)atomic_read(&tn->count) >=
		     READ_ONCE(tn->watermark.trip)))
		ft_watermark_trip(tn);
}

/* Enter a flow that its source may have; @word: birth.word, and its mark. */
static enum ft_admission enter(struct ft_net *tn, const struct ft_birth *birth,
			       u32 word)
{
	enum ft_admission admission;
	struct ft_flow *flow, *clash;
	u32 index;
	int err;

	if (!reserve(tn, birth->reserved)) {
		/* A retransmission of what is in already needs no room. */
		if (ft_table_lookup(tn->table, &birth->key, birth->hash, &index)) {
			ft_stat_inc(tn, CLASH);
			return FT_ADMIT_CLASH;
		}
		admission = make_room(tn, birth);
		if (admission != FT_ADMIT_OK)
			return admission;
	}

	flow = ft_table_alloc(tn->table, birth->key.family, &index);
	if (!flow) {
		ft_stat_inc(tn, NOMEM);
		unreserve(tn);
		return fallback(tn, birth);
	}
	prepare(flow, birth, word);

	err = ft_table_insert(tn->table, flow, index, birth->hash, &clash);
	if (err)
		goto err_insert;

	ft_stat_inc(tn, INSERT);
	ft_top_born(tn, &birth->key, birth->word);
	announce(tn, flow, index);
	ft_net_scan_soon(tn);
	follow_count(tn);
	watch_level(tn);
	return FT_ADMIT_OK;

err_insert:
	/* It was never in reach of a lookup: no event, no statistics. */
	ft_table_free(tn->table, flow, index);
	unreserve(tn);
	if (err == -EEXIST) {
		ft_stat_inc(tn, CLASH);
		return FT_ADMIT_CLASH;
	}
	if (err == -ENOSPC)
		ft_stat_inc(tn, CHAIN_TOOLONG);
	else
		ft_stat_inc(tn, NOMEM);
	return fallback(tn, birth);
}

/* A newcomer that its source may not have. */
static enum ft_admission refuse_source(struct ft_net *tn,
				       const struct ft_birth *birth,
				       enum ft_source_verdict verdict)
{
	u32 index;

	/* A retransmission of what is in already is no more flow. */
	if (ft_table_lookup(tn->table, &birth->key, birth->hash, &index)) {
		ft_stat_inc(tn, CLASH);
		return FT_ADMIT_CLASH;
	}
	if (verdict == FT_SOURCE_NOMEM) {
		ft_stat_inc(tn, NOMEM);
		return fallback(tn, birth);
	}
	ft_source_refused(tn, &birth->key, birth->word, verdict);
	if (ft_setting(&tn->set, SRC_POLICY) != FLOWTRACK_POLICY_PASS)
		return FT_ADMIT_DROP;
	ft_stat_inc(tn, SRC_PASS);
	return FT_ADMIT_PASS;
}

/**
 * ft_flow_admit() - enter a flow into the table
 * @tn: namespace
 * @birth: what it is to be
 *
 * The limits of its source come first, and cost nothing if it is over them. At
 * the limit of the table, and when memory is short, the policy decides.
 *
 * Context: BH disabled, RCU read side.
 * Return: see enum ft_admission.
 */
enum ft_admission ft_flow_admit(struct ft_net *tn, const struct ft_birth *birth)
{
	enum ft_source_verdict verdict;
	enum ft_admission admission;
	u32 word = birth->word;

	verdict = ft_source_charge(tn, &birth->key, &word,
				   birth->exempt || birth->reserved);
	if (verdict != FT_SOURCE_OK)
		return refuse_source(tn, birth, verdict);
	admission = enter(tn, birth, word);
	if (admission != FT_ADMIT_OK)
		ft_source_release(tn, &birth->key, word);
	return admission;
}

static void count_end(struct ft_net *tn, u32 word, enum flowtrack_reason reason)
{
	switch (reason) {
	case FLOWTRACK_REASON_TIMEOUT:
		ft_stat_inc(tn, EXPIRE);
		break;
	case FLOWTRACK_REASON_CLOSED:
		ft_stat_inc(tn, CLOSE);
		break;
	case FLOWTRACK_REASON_EVICTED:
		this_cpu_inc(tn->stats->v[FLOWTRACK_A_STATS_EVICT_CLOSING +
					  ft_word_class(word)]);
		break;
	case FLOWTRACK_REASON_DELETED:
	case FLOWTRACK_REASON_FLUSHED:
		ft_stat_inc(tn, DELETE);
		break;
	}
}

static void tell_of_end(struct ft_net *tn, const struct ft_flow *flow,
			u32 index, enum flowtrack_reason reason)
{
	struct ft_flow6 copy;

	memcpy(&copy, flow, flow->key.family == NFPROTO_IPV6 ?
	       sizeof(struct ft_flow6) : sizeof(struct ft_flow));
	if (reason == FLOWTRACK_REASON_EVICTED)
		trace_nf_flowtrack_evict(tn->net, &copy, index, reason);
	trace_nf_flowtrack_destroy(tn->net, &copy, index, reason);
	if (ft_notify_wanted(tn))
		ft_notify_flow(tn, FLOWTRACK_CMD_FLOW_DESTROY_NTF, &copy, index,
			       reason);
}

static void announce_end(struct ft_net *tn, const struct ft_flow *flow,
			 u32 index, enum flowtrack_reason reason)
{
	if (ft_notify_wanted(tn) || trace_nf_flowtrack_destroy_enabled() ||
	    trace_nf_flowtrack_evict_enabled())
		tell_of_end(tn, flow, index, reason);
}

static bool end_flow(struct ft_net *tn, struct ft_flow *flow, u32 index,
		     u32 gen, enum flowtrack_reason reason, bool keep_place)
{
	struct ft_key key;

	if (!ft_flow_kill(flow, gen))
		return false;

	/* Dead, so it is ours alone; stale readers look and leave. */
	ft_flow_key(flow, &key);
	ft_table_remove(tn->table, index,
			ft_key_hash(&key, ft_table_secret(tn->table)));
	count_end(tn, atomic_read(&flow->word), reason);
	announce_end(tn, flow, index, reason);
	ft_source_release(tn, &key, atomic_read(&flow->word));
	ft_table_free(tn->table, flow, index);
	if (!keep_place)
		unreserve(tn);
	return true;
}

/**
 * ft_flow_end() - end a flow: the only way out of the table
 * @tn: namespace
 * @flow: the flow
 * @index: its index
 * @gen: its generation, as seen when it was decided that it ends
 * @reason: why
 *
 * Context: BH disabled, RCU read side. Any number of CPUs may try.
 * Return: true for the one caller that ended it.
 */
bool ft_flow_end(struct ft_net *tn, struct ft_flow *flow, u32 index, u32 gen,
		 enum flowtrack_reason reason)
{
	return end_flow(tn, flow, index, gen, reason, false);
}

/**
 * struct flush - argument of flush_one()
 * @tn: namespace
 * @reason: why all flows end
 * @ended: how many did
 */
struct flush {
	struct ft_net *tn;
	enum flowtrack_reason reason;
	u32 ended;
};

static int flush_one(struct ft_flow *flow, u32 index, void *arg)
{
	struct flush *flush = arg;

	local_bh_disable();
	flush->ended += ft_flow_end(flush->tn, flow, index,
				    READ_ONCE(flow->gen), flush->reason);
	local_bh_enable();
	return 0;
}

/**
 * ft_flow_end_all() - end every flow of a namespace
 * @tn: namespace
 * @reason: why
 *
 * A flow that is entered while this runs may stay.
 *
 * Context: may sleep.
 * Return: how many ended.
 */
u32 ft_flow_end_all(struct ft_net *tn, enum flowtrack_reason reason)
{
	struct flush flush = { .tn = tn, .reason = reason };
	struct ft_cursor cursor;
	int more;

	/* A resize in the middle may hide flows from the walk: go again. */
	do {
		cursor = (struct ft_cursor){
			.generation = ft_table_generation(tn->table),
		};
		do {
			rcu_read_lock();
			more = ft_table_walk(tn->table, &cursor, 256, flush_one,
					     &flush);
			rcu_read_unlock();
			cond_resched();
		} while (more > 0);
	} while (cursor.generation != ft_table_generation(tn->table));
	return flush.ended;
}

/**
 * ft_flow_class_changed() - bring a flow's slot up to date
 * @tn: namespace
 * @flow: the flow, whose class changed or whose deadline came nearer
 * @index: its index
 * @hash: its hash
 * @from: its word, as it was
 * @to: and as it is
 *
 * Who has completed a handshake was no forgery, and pays back the place that it
 * may have taken of an idle flow. An answer alone proves nothing: that of a UDP
 * service goes to whom it was asked for.
 *
 * Context: BH disabled, RCU read side; the flow's lock is not held.
 */
void ft_flow_class_changed(struct ft_net *tn, struct ft_flow *flow, u32 index,
			   u64 hash, u32 from, u32 to)
{
	if (ft_word_class(from) == FLOWTRACK_CLASS_EMBRYONIC &&
	    ft_word_class(to) == FLOWTRACK_CLASS_ASSURED)
		ft_loan_repay(&tn->loan);
	ft_table_hint(tn->table, index, hash);
}

/**
 * ft_lifecycle_init() - prepare a namespace for flows
 * @tn: namespace; net and settings are set
 * @buckets: initial number of buckets
 *
 * Return: 0 or -ENOMEM.
 */
int ft_lifecycle_init(struct ft_net *tn, u32 buckets)
{
	atomic_set(&tn->count, 0);
	ft_adaptive_init(&tn->adaptive);
	ft_loan_init(&tn->loan);
	ratelimit_state_init(&tn->full_log, 10 * HZ, 1);
	ratelimit_set_flags(&tn->full_log, RATELIMIT_MSG_ON_RELEASE);
	tn->table = ft_table_create(buckets);
	return PTR_ERR_OR_ZERO(tn->table);
}

/**
 * ft_lifecycle_exit() - free the table of a namespace
 * @tn: namespace, all of whose flows have ended
 *
 * Context: may sleep.
 */
void ft_lifecycle_exit(struct ft_net *tn)
{
	WARN_ON_ONCE(atomic_read(&tn->count));
	ft_table_destroy(tn->table);
}
