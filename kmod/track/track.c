// SPDX-License-Identifier: GPL-2.0
#include <linux/ip.h>
#include <linux/nf_flowtrack.h>
#include <linux/preempt.h>
#include <linux/skbuff.h>
#include <net/ip.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_conntrack_zones.h>

#include "base/invalid.h"
#include "base/notify.h"
#include "base/settings.h"
#include "base/stats.h"
#include "flow/flow.h"
#include "flow/sieve.h"
#include "flow/table.h"
#include "flow/tuple.h"
#include "guard/guard.h"
#include "guard/room.h"
#include "net.h"
#include "proto/proto.h"
#include "proto/step.h"
#include "track/admit.h"
#include "track/ahead.h"
#include "track/birth.h"
#include "track/carrier.h"
#include "track/end.h"
#include "track/mode.h"
#include "track/pool.h"
#include "track/report.h"
#include "track/track.h"

/* Deadlines move in steps: a refresh that gains less dirties no cache line. */
#define REFRESH_STEP	HZ
/* See shorten(). */
#define NEARLY_OVER	(120 * HZ)

/**
 * struct found - what a packet met in the table, and what it will carry
 * @carrier: that; NULL: none is to be had
 * @flow: the flow; it may end at any time
 * @index: its index
 * @gen: its generation
 * @hash: hash of the packet's key
 * @said: @carrier says what the flow is; else @view does
 * @view: what to publish
 * @other: of a translated flow: the key that the packet does not have
 */
struct found {
	struct ft_carrier *carrier;
	struct ft_flow *flow;
	u32 index;
	u32 gen;
	u64 hash;
	bool said;
	struct ft_view view;
	struct ft_key other;
};

static unsigned int drop_uncarried(struct ft_net *tn)
{
	ft_stat_inc(tn, CARRIER_NONE);
	return NF_DROP;
}

/* Publish INVALID: past nf_conntrack as if untracked, see ft_strip_invalid(). */
static noinline_for_stack unsigned int
publish_invalid(struct ft_net *tn, struct sk_buff *skb,
		const struct nf_hook_state *state, u8 l4proto,
		enum ft_invalid reason)
{
	struct ft_carrier *carrier;

	ft_log_invalid(tn, skb, state, l4proto, reason);
	carrier = ft_carrier_get(tn);
	if (!carrier)
		return drop_uncarried(tn);
	carrier->invalid = true;
	ft_carrier_attach(carrier, skb, IP_CT_UNTRACKED);
	return NF_ACCEPT;
}

static unsigned int publish_untracked(struct ft_net *tn, struct sk_buff *skb)
{
	nf_conntrack_put(skb_nfct(skb));
	nf_ct_set(skb, NULL, IP_CT_UNTRACKED);
	ft_stat_inc(tn, UNTRACKED);
	return NF_ACCEPT;
}

static __always_inline unsigned int
publish_found(struct ft_net *tn, struct sk_buff *skb, const struct found *found,
	      enum ip_conntrack_info ctinfo)
{
	struct ft_carrier *carrier = found->carrier;

	if (!carrier)
		return drop_uncarried(tn);
	carrier->index = found->index;
	carrier->gen = found->gen;
	if (unlikely(!found->said))
		ft_carrier_fill(carrier, &found->view);
	ft_carrier_attach(carrier, skb, ctinfo);
	return NF_ACCEPT;
}

/* A packet has one of the keys of a translated flow; what it publishes is of both. */
static noinline_for_stack void view_translated(struct found *found, const struct ft_key *key)
{
	const struct ft_flow *flow = found->flow;
	const struct ft_nat *nat = ft_flow_nat(flow, key->family);

	found->view.masq = READ_ONCE(nat->masq);
	if (ft_flow_named(flow, key)) {
		ft_nat_key(flow, nat, &found->other);
		found->view.answer = &found->other;
		return;
	}
	ft_flow_key(flow, &found->other);
	found->view.key = &found->other;
	found->view.answer = key;
	/* The carrier was aimed with the second key. */
	if (likely(found->carrier))
		found->carrier->aim = FT_AIM_NONE;
}

static void view_flow(struct found *found, const struct ft_net *tn,
		      const struct ft_key *key, u32 word, u32 now)
{
	const struct ft_flow *flow = found->flow;
	struct ft_view *view = &found->view;

	found->said = false;
	view->key = key;
	if (unlikely(word & FT_FLOW_NAT))
		view_translated(found, key);
	view->word = word;
	view->left = max(ft_flow_left(flow, now), 0);
	view->mark = READ_ONCE(flow->mark);
	view->acct = ft_setting(&tn->set, ACCT);
	if (!view->acct)
		return;
	memcpy(view->packets, flow->packets, sizeof(view->packets));
	memcpy(view->bytes, flow->bytes, sizeof(view->bytes));
}

/* As say_flow(), of a translated flow. A packet of no ports is rare, and has more to be said. */
static noinline_for_stack void say_translated(struct found *found, const struct ft_net *tn,
					      const struct ft_key *key, const struct ft_step *step)
{
	const struct ft_flow *flow = found->flow;
	struct ft_carrier *carrier = found->carrier;
	unsigned long nat;

	if (unlikely(!ft_l4_has_ports(key->l4proto))) {
		view_flow(found, tn, key, step->word, step->now);
		return;
	}
	found->said = true;
	nat = ft_carrier_aim_nat(carrier, key, flow, step->word, step->dir);
	ft_carrier_say(carrier, key->l4proto, step->word, max(ft_flow_left(flow, step->now), 0),
		       READ_ONCE(flow->mark), nat);
}

/*
 * As view_flow(), and ft_carrier_fill(): of a flow that is as most are, the carrier is told
 * at once. What it says may turn out to be of two flows, and is said again then.
 */
static __always_inline void say_flow(struct found *found, const struct ft_net *tn,
				     const struct ft_key *key, const struct ft_step *step)
{
	u32 word = step->word, now = step->now;
	enum ft_aim aim = word & FT_FLOW_ORIG_HI ? FT_AIM_HI : FT_AIM_LO;
	const struct ft_flow *flow = found->flow;
	struct ft_carrier *carrier = found->carrier;

	if (unlikely(!carrier || carrier->counted || ft_setting(&tn->set, ACCT))) {
		view_flow(found, tn, key, word, now);
		return;
	}
	if (unlikely(word & FT_FLOW_NAT)) {
		say_translated(found, tn, key, step);
		return;
	}
	found->said = true;
	carrier->masq = 0;
	if (carrier->aim != aim)
		ft_carrier_aim(carrier, key, aim == FT_AIM_HI);
	ft_carrier_say(carrier, key->l4proto, word, max(ft_flow_left(flow, now), 0),
		       READ_ONCE(flow->mark), 0);
}

/* Move the deadline, unless that gains too little. Under the flow's lock. */
static bool refresh(struct ft_flow *flow, const struct ft_step *step)
{
	u32 deadline = step->now + step->timeout;
	s32 gain = deadline - flow->deadline;

	/* The end of a connection that was refused is no timeout. */
	if (unlikely(step->word & FT_FLOW_FIXED) && step->timeout)
		return false;
	if (gain >= 0 && gain < REFRESH_STEP)
		return false;
	WRITE_ONCE(flow->deadline, deadline);
	return gain < 0;
}

/*
 * A packet that says that the flow may be over. Under the flow's lock. As
 * nf_tcp_handle_invalid() has it, one that is nearly over is left alone.
 */
static bool shorten(struct ft_flow *flow, const struct ft_step *step)
{
	const s32 left = ft_flow_left(flow, step->now);

	if (!step->limit || step->word & FT_FLOW_FIXED || left <= (s32)step->limit ||
	    left < NEARLY_OVER)
		return false;
	WRITE_ONCE(flow->deadline, step->now + step->limit);
	return true;
}

static void account(struct ft_flow *flow, enum ft_dir dir, unsigned int len)
{
	WRITE_ONCE(flow->packets[dir], flow->packets[dir] + 1);
	WRITE_ONCE(flow->bytes[dir], flow->bytes[dir] + len);
}

/* A steady packet changes nothing but, now and then, the deadline, and tells nothing new. */
static bool steady_needs_lock(const struct ft_net *tn,
			      const struct ft_flow *flow,
			      const struct ft_step *step)
{
	s32 left = ft_flow_left(flow, step->now);
	s32 gain = step->timeout - left;

	return ft_setting(&tn->set, ACCT) || left <= 0 || gain < 0 || gain >= REFRESH_STEP ||
	       step->word & FT_FLOW_UNTOLD;
}

/*
 * The lockless way: a packet that changes nothing. What was read is that of
 * one flow if the generation is the same before and after.
 */
static bool step_steady(struct ft_net *tn, const struct ft_pkt *pkt,
			struct found *found, struct ft_step *step)
{
	struct ft_flow *flow = found->flow;

	if (!ft_flow_alive(flow, &found->gen, &step->word))
		return false;
	if (!ft_flow_dir(flow, step->word, &pkt->key, pkt->from_hi, &step->dir))
		return false;
	if (!ft_proto_steady(flow, step->word, step) ||
	    steady_needs_lock(tn, flow, step))
		return false;
	say_flow(found, tn, &pkt->key, step);
	/* All that is published was read before the generation is read again. */
	smp_rmb();
	if (!ft_flow_matches(flow, &pkt->key))
		return false;
	/* And so was the key. */
	smp_rmb();
	return READ_ONCE(flow->gen) == found->gen;
}

/* The hash of a flow's first key; the packet may have had the second one. */
static u64 first_hash(const struct ft_net *tn, const struct found *found, u32 word)
{
	struct ft_key key;

	if (likely(!(word & FT_FLOW_NAT)))
		return found->hash;
	/*
	 * The flow is another one by now: its slot is not in the bucket any more, or is
	 * brought up to date.
	 */
	ft_flow_key(found->flow, &key);
	return ft_key_hash(&key, ft_table_secret(tn->table));
}

/**
 * step_flow() - a packet meets its flow
 * @tn: namespace
 * @skb: the packet
 * @pkt: parsed
 * @found: the flow, or what ft_table_guess() takes for it; on ACCEPT and KEEP gen is set, and
 *	what to publish
 * @step: filled with the outcome
 * @verdict: what the packet is to the flow
 *
 * Return: false if it is not the flow, or has ended before it could be looked at, or is
 * translated and the packet none of its own.
 */
static bool step_flow(struct ft_net *tn, struct sk_buff *skb,
		      const struct ft_pkt *pkt, struct found *found,
		      struct ft_step *step, enum ft_verdict *verdict)
{
	struct ft_flow *flow = found->flow;
	bool nearer = false;
	u32 before;

	if (ft_proto_lockless(pkt->key.l4proto) &&
	    step_steady(tn, pkt, found, step)) {
		*verdict = FT_VERDICT_ACCEPT;
		return true;
	}

	if (!ft_flow_lock_key(flow, &pkt->key))
		return false;
	found->gen = flow->gen;
	before = atomic_read(&flow->word) & ~FT_FLOW_LOCK;
	step->word = before;
	if (!ft_flow_dir(flow, before, &pkt->key, pkt->from_hi, &step->dir)) {
		ft_flow_unlock(flow, before);
		return false;
	}
	step->limit = 0;
	step->update = false;
	*verdict = ft_proto_packet(skb, pkt, step, &flow->proto);
	switch (*verdict) {
	case FT_VERDICT_ACCEPT:
		nearer = refresh(flow, step);
		fallthrough;
	case FT_VERDICT_KEEP:
		if (ft_setting(&tn->set, ACCT))
			account(flow, step->dir, skb->len);
		say_flow(found, tn, &pkt->key, step);
		break;
	default:
		step->word = before;
		nearer = shorten(flow, step);
		break;
	}
	ft_flow_unlock(flow, step->word);

	if (nearer || (step->word ^ before) & FT_FLOW_CLASS)
		ft_flow_class_changed(tn, flow, found->index, first_hash(tn, found, before),
				      before, step->word);
	/* Told with what the rules will have changed. */
	if ((step->update || before & FT_FLOW_UNTOLD) && found->carrier &&
	    ft_notify_wanted(tn) &&
	    (*verdict == FT_VERDICT_ACCEPT || *verdict == FT_VERDICT_KEEP))
		found->carrier->changed = true;
	return true;
}

/* Field by field: memcpy() is a call on the path of every new flow. */
static void copy_key(struct ft_key *to, const struct ft_key *from)
{
	to->addr4[0] = from->addr4[0];
	to->addr4[1] = from->addr4[1];
	to->port[0] = from->port[0];
	to->port[1] = from->port[1];
	to->zone = from->zone;
	to->l4proto = from->l4proto;
	to->family = from->family;
	to->addr6[0] = from->addr6[0];
	to->addr6[1] = from->addr6[1];
}

/*
 * First packet of a flow: publish NEW, and keep what ft_confirm() will need to
 * @enter it, unless it is to go on without an entry.
 */
static unsigned int track_new(struct ft_net *tn, struct sk_buff *skb,
			      const struct nf_hook_state *state,
			      const struct ft_pkt *pkt,
			      const struct found *found, struct ft_step *step,
			      bool enter)
{
	struct ft_carrier *carrier = found->carrier;
	struct ft_view view __uninitialized;
	struct ft_birth *birth;

	if (!carrier)
		return drop_uncarried(tn);
	birth = &carrier->birth;
	step->word = 0;
	step->dir = FT_DIR_ORIG;
	if (ft_proto_new(skb, pkt, step, &birth->proto) != FT_VERDICT_ACCEPT)
		return publish_invalid(tn, skb, state, pkt->key.l4proto,
				       step->reason);

	copy_key(&birth->key, &pkt->key);
	birth->hash = found->hash;
	birth->word = step->word | (pkt->opens_hi ? FT_FLOW_ORIG_HI : 0);
	birth->timeout = step->timeout;
	/* This holds even if a rule sets another mark later. */
	birth->reserved = ft_mark_reserved(&tn->set, skb->mark);
	view.acct = ft_setting(&tn->set, ACCT);
	birth->packets[FT_DIR_ORIG] = view.acct;
	birth->bytes[FT_DIR_ORIG] = view.acct ? skb->len : 0;
	birth->packets[FT_DIR_REPLY] = 0;
	birth->bytes[FT_DIR_REPLY] = 0;

	view.key = &birth->key;
	view.word = birth->word;
	view.left = birth->timeout;
	view.mark = 0;
	view.packets[FT_DIR_ORIG] = birth->packets[FT_DIR_ORIG];
	view.packets[FT_DIR_REPLY] = 0;
	view.bytes[FT_DIR_ORIG] = birth->bytes[FT_DIR_ORIG];
	view.bytes[FT_DIR_REPLY] = 0;
	carrier->pending = enter;
	if (enter)
		ft_flow_admit_soon(tn, found->hash);
	ft_carrier_fill(carrier, &view);
	ft_carrier_attach(carrier, skb, IP_CT_NEW);
	ft_stat_inc_bh(tn, NEW);
	return NF_ACCEPT;
}

/*
 * Adopting: a packet that met no flow of ours goes on to nf_conntrack, if nf_conntrack has
 * room for it or knows its flow.
 */
static noinline_for_stack unsigned int leave(struct ft_net *tn,
					     struct sk_buff *skb,
					     const struct nf_hook_state *state,
					     const struct ft_pkt *pkt,
					     const struct found *found,
					     struct ft_step *step)
{
	struct ft_guard_newcomer newcomer;
	struct nf_conntrack_zone zone;
	union ft_proto_state proto;

	nf_ct_zone_init(&zone, pkt->key.zone, NF_CT_DEFAULT_ZONE_DIR, 0);
	if (likely(ft_guard_open(tn, skb, state->pf, &zone, &newcomer)))
		goto leave;
	ft_net_follow(tn);
	/* A packet that may open no flow must evict none. */
	step->word = 0;
	step->dir = FT_DIR_ORIG;
	if (ft_proto_new(skb, pkt, step, &proto) != FT_VERDICT_ACCEPT)
		return publish_invalid(tn, skb, state, pkt->key.l4proto,
				       step->reason);
	switch (ft_guard_make_room(tn, &newcomer)) {
	case FT_GUARD_PASS:
		return track_new(tn, skb, state, pkt, found, step, false);
	case FT_GUARD_DROP:
		return NF_DROP;
	case FT_GUARD_GO:
		break;
	}
leave:
	if (!READ_ONCE(tn->passed))
		WRITE_ONCE(tn->passed, true);
	ft_stat_inc(tn, BYPASS);
	return NF_ACCEPT;
}

static enum ip_conntrack_info ctinfo_of(const struct ft_step *step)
{
	if (step->dir == FT_DIR_REPLY)
		return IP_CT_ESTABLISHED_REPLY;
	return step->word & FT_FLOW_SEEN_REPLY ? IP_CT_ESTABLISHED : IP_CT_NEW;
}

/*
 * Direction of the packet that an ICMP error quotes. Of a translated flow it is quoted
 * as it was where the error comes from: answers to it have one of the flow's keys.
 */
static bool quoted_dir(const struct ft_flow *flow, u32 word, const struct ft_pkt *inner,
		       enum ft_dir *dir)
{
	if (likely(!(word & FT_FLOW_NAT))) {
		*dir = ft_word_dir(word, inner->from_hi);
		return true;
	}
	if (!ft_flow_nat_dir(flow, word, &inner->key, !inner->from_hi, dir))
		return false;
	*dir = !*dir;
	return true;
}

/* An ICMP error: RELATED to the flow that it is about, or INVALID. */
static noinline_for_stack unsigned int
track_error(struct ft_net *tn, struct sk_buff *skb,
	    const struct nf_hook_state *state, const struct ft_pkt *pkt)
{
	enum ft_invalid reason = FT_INVALID_NONE;
	struct ft_pkt inner;
	struct found found;
	enum ft_dir dir;
	bool quoted, known;
	u32 word;

	reason = ft_proto_check(skb, pkt, state->hook,
				ft_setting(&tn->set, CHECKSUM));
	if (reason)
		goto invalid;
	switch (ft_tuple_inner(skb, pkt, &inner, &reason)) {
	case FT_PARSE_OK:
		break;
	case FT_PARSE_LEFT:
		ft_stat_inc(tn, BYPASS);
		return NF_ACCEPT;
	default:
		goto invalid;
	}
	found.carrier = ft_carrier_get(tn);
	found.hash = ft_key_hash(&inner.key, ft_table_secret(tn->table));
	found.flow = ft_table_lookup(tn->table, &inner.key, found.hash,
				     &found.index);
	known = found.flow && ft_flow_lock_key(found.flow, &inner.key);
	if (known) {
		word = atomic_read(&found.flow->word) & ~FT_FLOW_LOCK;
		known = quoted_dir(found.flow, word, &inner, &dir);
		if (!known)
			ft_flow_unlock(found.flow, word);
	}
	if (!known) {
		/* nf_conntrack may know the flow. */
		if (ft_mode_adopting(tn, pkt->family) ||
		    ft_mode_conntrack_used(tn)) {
			ft_stat_inc(tn, BYPASS);
			return NF_ACCEPT;
		}
		reason = FT_INVALID_ICMP_NO_FLOW;
		goto invalid;
	}
	found.gen = found.flow->gen;
	quoted = ft_proto_quoted(skb, &inner, dir, &found.flow->proto);
	view_flow(&found, tn, &inner.key, word, ft_now());
	ft_flow_unlock(found.flow, word);

	/* The error must travel to the sender of what it quotes. */
	if (!ft_pkt_to_sender(skb, pkt->family, &inner)) {
		reason = FT_INVALID_ICMP_OUTER;
		goto invalid;
	}
	if (!quoted) {
		reason = FT_INVALID_ICMP_WINDOW;
		goto invalid;
	}
	ft_stat_inc(tn, RELATED);
	return publish_found(tn, skb, &found, dir == FT_DIR_ORIG ?
			     IP_CT_RELATED_REPLY : IP_CT_RELATED);
invalid:
	return publish_invalid(tn, skb, state, pkt->key.l4proto, reason);
}

/* Begin to look for the flow of a packet, or take over what was found ahead. */
static void find_begin(struct ft_net *tn, const struct ft_pkt *pkt,
		       const struct ft_ahead *ahead, struct found *found)
{
	if (ahead) {
		found->hash = ahead->hash;
		found->index = ahead->index;
		ft_stat_inc_bh(tn, LOOKAHEAD);
		return;
	}
	/* The line comes in while header and checksum are looked at. */
	found->hash = ft_table_prepare(tn->table, &pkt->key);
	found->index = FT_INDEX_NONE;
}

/* Where the packet's flow probably is: step_flow() makes sure, so that nobody does so twice. */
static void find(struct ft_net *tn, const struct ft_pkt *pkt, struct found *found)
{
	found->flow = NULL;
	if (found->index != FT_INDEX_NONE)
		found->flow = ft_table_at(tn->table, found->index);
	if (!found->flow)
		found->flow = ft_table_guess(tn->table, &pkt->key, found->hash, &found->index);
}

/* As step_flow(), for what find() has found. Return: false if there is no flow. */
static __always_inline bool meet_flow(struct ft_net *tn, struct sk_buff *skb,
				      const struct ft_pkt *pkt, struct found *found,
				      struct ft_step *step, enum ft_verdict *verdict)
{
	bool sure = false;

	while (found->flow) {
		if (likely(step_flow(tn, skb, pkt, found, step, verdict)))
			return true;
		if (sure)
			return false;
		sure = true;
		found->flow = ft_table_lookup(tn->table, &pkt->key, found->hash, &found->index);
	}
	return false;
}

/*
 * Is the upper endpoint the initiator? A flow that was fetched ahead is in the cache, and can
 * be asked. Else the sender probably opened the flow, or is about to.
 */
static bool probably_hi(const struct ft_pkt *pkt, const struct ft_ahead *ahead,
			const struct found *found)
{
	if (ahead && found->flow)
		return atomic_read(&found->flow->word) & FT_FLOW_ORIG_HI;
	return pkt->from_hi;
}

/* Does nothing keep a packet that is of no flow of ours from going on to nf_conntrack? */
static bool passes(struct ft_net *tn, u8 pf)
{
	return (ft_mode_adopting_still(tn, pf) || ft_mode_adopting(tn, pf)) && ft_guard_roomy(tn);
}

/*
 * As is_unseen() and passes(), of a packet that has been parsed: flows of ours are between
 * its addresses, or of a bit that these share, but none of them can be its own.
 */
static bool passes_parsed(struct ft_net *tn, u8 pf, const struct found *found)
{
	return READ_ONCE(tn->passed) && found->index == FT_INDEX_NONE &&
	       !ft_table_may_have(tn->table, found->hash) && passes(tn, pf);
}

/* No task counts on this CPU meanwhile: as ft_stat_inc_bh() wants it, where tasks count, too. */
static bool counts_alone(void)
{
	return !IS_ENABLED(CONFIG_PREEMPT_RT) && softirq_count();
}

/* A packet is left to nf_conntrack. */
static void count_bypass(const struct ft_net *tn)
{
	if (counts_alone())
		ft_stat_inc_bh(tn, BYPASS);
	else
		ft_stat_inc(tn, BYPASS);
}

/* A packet of a flow; @ahead: what was found out about it before, or NULL. */
static unsigned int track_packet(struct ft_net *tn, struct sk_buff *skb,
				 const struct nf_hook_state *state,
				 const struct ft_pkt *pkt,
				 const struct ft_ahead *ahead)
{
	struct ft_step step = { .set = &tn->set, .now = ft_now() };
	struct found found __uninitialized;
	enum ft_verdict verdict;
	enum ft_invalid reason;

	find_begin(tn, pkt, ahead, &found);
	if (passes_parsed(tn, state->pf, &found)) {
		count_bypass(tn);
		return NF_ACCEPT;
	}
	reason = ft_proto_check(skb, pkt, state->hook,
				ft_setting(&tn->set, CHECKSUM));
	if (unlikely(reason) && ft_net_follow(tn))
		reason = ft_proto_check(skb, pkt, state->hook,
					ft_setting(&tn->set, CHECKSUM));
	if (reason)
		return publish_invalid(tn, skb, state, pkt->key.l4proto, reason);
	find(tn, pkt, &found);
	found.carrier = ft_carrier_get(tn);
	/* The flow's line comes in meanwhile. */
	if (likely(found.carrier))
		ft_carrier_aim(found.carrier, &pkt->key, probably_hi(pkt, ahead, &found));
	if (!meet_flow(tn, skb, pkt, &found, &step, &verdict))
		goto miss;

	switch (verdict) {
	case FT_VERDICT_ACCEPT:
	case FT_VERDICT_KEEP:
		ft_stat_inc_bh(tn, FOUND);
		return publish_found(tn, skb, &found, ctinfo_of(&step));
	case FT_VERDICT_REOPEN:
		ft_flow_end(tn, found.flow, found.index, found.gen,
			    FLOWTRACK_REASON_CLOSED);
		goto miss;
	case FT_VERDICT_DROP:
		ft_flow_end(tn, found.flow, found.index, found.gen,
			    FLOWTRACK_REASON_CLOSED);
		ft_log_invalid(tn, skb, state, pkt->key.l4proto, step.reason);
		return NF_DROP;
	case FT_VERDICT_INVALID:
		ft_net_follow(tn);
		break;
	}
	return publish_invalid(tn, skb, state, pkt->key.l4proto, step.reason);

miss:
	if (ft_mode_adopting(tn, state->pf))
		return leave(tn, skb, state, pkt, &found, &step);
	ft_net_follow(tn);
	if (ft_mode_in_conntrack(tn, skb, state->pf, pkt->key.zone)) {
		ft_stat_inc(tn, BYPASS);
		return NF_ACCEPT;
	}
	return track_new(tn, skb, state, pkt, &found, &step, true);
}

/* A socket with IP_NODEFRAG sends fragments: neither flowtrack nor nf_conntrack tracks them. */
static bool is_fragment(const struct sk_buff *skb,
			const struct nf_hook_state *state)
{
	return state->hook == NF_INET_LOCAL_OUT &&
	       state->pf == NFPROTO_IPV4 && ip_is_fragment(ip_hdr(skb));
}

/*
 * Adopting: may a packet pass for which ft_track() need not find a flow of ours, since there
 * is none between its addresses? As leave(), but it has not been parsed.
 */
static bool is_unseen(const struct ft_net *tn, const struct sk_buff *skb, u8 pf)
{
	return READ_ONCE(tn->passed) && !skb->_nfct &&
	       !ft_sieve_may_have_header(tn->sieve, skb_network_header(skb), pf);
}

/* Is a packet left to nf_conntrack, whichever flow it belongs to? */
static noinline_for_stack unsigned int
bypassed(struct ft_net *tn, struct sk_buff *skb,
	 const struct nf_hook_state *state,
	 const struct nf_conntrack_zone *zone)
{
	struct ft_guard_newcomer newcomer;

	if (unlikely(!ft_guard_open(tn, skb, state->pf, zone, &newcomer))) {
		switch (ft_guard_make_room(tn, &newcomer)) {
		case FT_GUARD_PASS:
			return publish_untracked(tn, skb);
		case FT_GUARD_DROP:
			return NF_DROP;
		case FT_GUARD_GO:
			break;
		}
	}
	ft_stat_inc(tn, BYPASS);
	return NF_ACCEPT;
}

/*
 * A packet was held somewhere between lo's two ends for so long that its carrier
 * has left the pool. To nf_conntrack that is a template: give it another one.
 */
static noinline_for_stack unsigned int
replace(struct ft_net *tn, struct sk_buff *skb, const struct ft_carrier *old,
	enum ip_conntrack_info ctinfo)
{
	unsigned int verdict = NF_ACCEPT;
	struct ft_carrier *carrier;

	/* A carrier of another namespace says nothing in this one. */
	if (old->home != tn->home)
		return NF_ACCEPT;
	ft_own_lock_bh();
	carrier = ft_carrier_get(tn);
	if (carrier) {
		ft_carrier_copy(carrier, old);
		ft_carrier_attach(carrier, skb, ctinfo);
		ft_stat_inc(tn, UNTRACKED);
	} else {
		verdict = drop_uncarried(tn);
	}
	ft_own_unlock_bh();
	return verdict;
}

/* As ft_track(). @unseen: nothing has to be found, if the packet may pass. */
static noinline_for_stack unsigned int track(struct ft_net *tn, struct sk_buff *skb,
					     const struct nf_hook_state *state, bool unseen)
{
	enum ft_invalid reason = FT_INVALID_NONE;
	const struct nf_conntrack_zone *zone;
	struct nf_conntrack_zone zone_mark;
	enum ip_conntrack_info ctinfo;
	const struct ft_ahead *ahead;
	struct ft_pkt pkt __uninitialized;
	struct ft_carrier *carrier;
	unsigned int verdict;
	struct nf_conn *tmpl;

	tmpl = nf_ct_get(skb, &ctinfo);
	if (tmpl || ctinfo == IP_CT_UNTRACKED) {
		/* Seen before (loopback), notrack, or made by "reject". */
		carrier = tmpl ? ft_carrier_of(tmpl) : NULL;
		if (unlikely(carrier && READ_ONCE(carrier->leaving)))
			return replace(tn, skb, carrier, ctinfo);
		if (ctinfo == IP_CT_UNTRACKED || carrier ||
		    !nf_ct_is_template(tmpl)) {
			ft_stat_inc(tn, UNTRACKED);
			return NF_ACCEPT;
		}
	}
	if (is_fragment(skb, state) || (unseen && passes(tn, state->pf))) {
		count_bypass(tn);
		return NF_ACCEPT;
	}
	zone = nf_ct_zone_tmpl(tmpl, skb, &zone_mark);
	if (ft_mark_bypass(&tn->set, skb->mark) ||
	    (tmpl && !ft_mode_template_plain(tmpl)))
		return bypassed(tn, skb, state, zone);

	/* Also for the locks of flows: with BH disabled. */
	ft_own_lock_bh();
	if (state->hook == NF_INET_PRE_ROUTING) {
		ahead = ft_ahead_take(tn, skb, state->pf, zone->id);
		if (ahead) {
			verdict = track_packet(tn, skb, state, &ahead->pkt, ahead);
			goto out;
		}
	}
	switch (ft_tuple_get(skb, state->pf, zone->id, &pkt, &reason)) {
	case FT_PARSE_OK:
		verdict = track_packet(tn, skb, state, &pkt, NULL);
		break;
	case FT_PARSE_ERROR:
		verdict = track_error(tn, skb, state, &pkt);
		break;
	case FT_PARSE_UNTRACKED:
		reason = ft_proto_check(skb, &pkt, state->hook,
					ft_setting(&tn->set, CHECKSUM));
		verdict = reason ? publish_invalid(tn, skb, state,
						   pkt.key.l4proto, reason) :
				   publish_untracked(tn, skb);
		break;
	case FT_PARSE_LEFT:
		verdict = bypassed(tn, skb, state, zone);
		break;
	default:
		verdict = publish_invalid(tn, skb, state, pkt.key.l4proto,
					  reason);
		break;
	}
out:
	ft_own_unlock_bh();
	return verdict;
}

/**
 * ft_track() - a packet comes in, or is sent by this machine
 * @priv: struct ft_net
 * @skb: the packet, put together if it was in fragments
 * @state: where it is
 *
 * Looks it up, runs the state machine of its protocol, and publishes what the
 * packet is to its flow.
 *
 * Context: a hook: RCU read side; softirq, or process context at LOCAL_OUT.
 * Return: NF_ACCEPT or NF_DROP.
 */
unsigned int ft_track(void *priv, struct sk_buff *skb,
		      const struct nf_hook_state *state)
{
	struct ft_net *tn = priv;
	bool unseen = is_unseen(tn, skb, state->pf);

	/* Most packets of guarded flows. What takes a stack frame is elsewhere. */
	if (likely(unseen && counts_alone()) && ft_mode_adopting_still(tn, state->pf) &&
	    ft_guard_calm(&tn->guard)) {
		ft_stat_inc_bh(tn, BYPASS);
		return NF_ACCEPT;
	}
	return track(tn, skb, state, unseen);
}
