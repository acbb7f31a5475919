// SPDX-License-Identifier: GPL-2.0
/*
 * The life of a packet.
 *
 *	PRE_ROUTING, LOCAL_OUT	before nf_conntrack	ft_track
 *	PRE_ROUTING, LOCAL_OUT	after nf_conntrack	ft_uncover
 *	LOCAL_IN, POST_ROUTING	last but nf_conntrack	ft_confirm
 *
 * Between the first and the last the ruleset reads what ft_track published.
 * Nothing is allocated before ft_confirm: a packet that the ruleset drops
 * costs one lookup.
 */
#include <linux/bottom_half.h>
#include <linux/ip.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/netfilter_ipv4.h>
#include <linux/netfilter_ipv6.h>
#include <linux/timekeeping.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include <net/netfilter/ipv4/nf_defrag_ipv4.h>
#include <net/netfilter/ipv6/nf_defrag_ipv6.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_conntrack_zones.h>

#include "guard.h"
#include "hooks.h"
#include "invalid.h"
#include "lifecycle.h"
#include "mode.h"
#include "notify.h"
#include "proto.h"
#include "publish.h"
#include "report.h"

/* Deadlines move in steps: a refresh that gains less dirties no cache line. */
#define REFRESH_STEP	HZ

/**
 * struct found - what a packet met in the table, and what it will carry
 * @carrier: that; NULL: none is to be had
 * @flow: the flow; it may end at any time
 * @index: its index
 * @gen: its generation
 * @hash: hash of its key
 * @view: what to publish
 */
struct found {
	struct ft_carrier *carrier;
	struct ft_flow *flow;
	u32 index;
	u32 gen;
	u64 hash;
	struct ft_view view;
};

static unsigned int drop_uncarried(struct ft_net *tn)
{
	ft_stat_inc(tn, CARRIER_NONE);
	return NF_DROP;
}

/* Publish INVALID: past nf_conntrack as if untracked, see ft_uncover(). */
static noinline_for_stack unsigned int
publish_invalid(struct ft_net *tn, struct sk_buff *skb,
		const struct nf_hook_state *state, u8 l4proto,
		enum ft_invalid reason)
{
	struct ft_carrier *carrier;

	ft_invalid(tn, skb, state, l4proto, reason);
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

static unsigned int publish_found(struct ft_net *tn, struct sk_buff *skb,
				  const struct found *found,
				  enum ip_conntrack_info ctinfo)
{
	struct ft_carrier *carrier = found->carrier;

	if (!carrier)
		return drop_uncarried(tn);
	carrier->index = found->index;
	carrier->gen = found->gen;
	ft_carrier_fill(carrier, &found->view);
	ft_carrier_attach(carrier, skb, ctinfo);
	return NF_ACCEPT;
}

static void view_flow(struct ft_view *view, const struct ft_net *tn,
		      const struct ft_flow *flow, const struct ft_key *key,
		      u32 word, u32 now)
{
	view->key = key;
	view->word = word;
	view->left = max(ft_flow_left(flow, now), 0);
	view->mark = READ_ONCE(flow->mark);
	view->acct = ft_setting(&tn->set, ACCT);
	if (!view->acct)
		return;
	memcpy(view->packets, flow->packets, sizeof(view->packets));
	memcpy(view->bytes, flow->bytes, sizeof(view->bytes));
}

/* Move the deadline, unless that gains too little. Under the flow's lock. */
static bool refresh(struct ft_flow *flow, const struct ft_step *step)
{
	u32 deadline = step->now + step->timeout;
	s32 gain = deadline - flow->deadline;

	if (gain >= 0 && gain < REFRESH_STEP)
		return false;
	WRITE_ONCE(flow->deadline, deadline);
	return gain < 0;
}

/* A packet that says that the flow may be over. Under the flow's lock. */
static bool shorten(struct ft_flow *flow, const struct ft_step *step)
{
	if (!step->limit || ft_flow_left(flow, step->now) <= (s32)step->limit)
		return false;
	WRITE_ONCE(flow->deadline, step->now + step->limit);
	return true;
}

static void account(struct ft_flow *flow, enum ft_dir dir, unsigned int len)
{
	WRITE_ONCE(flow->packets[dir], flow->packets[dir] + 1);
	WRITE_ONCE(flow->bytes[dir], flow->bytes[dir] + len);
}

/* A steady packet changes nothing but, now and then, the deadline. */
static bool steady_needs_lock(const struct ft_net *tn,
			      const struct ft_flow *flow,
			      const struct ft_step *step)
{
	s32 gain = step->now + step->timeout - READ_ONCE(flow->deadline);

	return ft_setting(&tn->set, ACCT) || gain < 0 || gain >= REFRESH_STEP;
}

static noinline_for_stack void notify_update(struct ft_net *tn,
					     struct found *found)
{
	struct ft_flow6 copy;

	if (ft_notify_wanted(tn) &&
	    ft_flow_snapshot(found->flow, found->gen, &copy))
		ft_notify_flow(tn, FLOWTRACK_CMD_FLOW_UPDATE_NTF, &copy,
			       found->index, 0);
}

/*
 * The lockless way: a packet that changes nothing. What was read is that of
 * one flow if the generation is the same before and after.
 */
static bool step_steady(struct ft_net *tn, const struct ft_pkt *pkt,
			struct found *found, struct ft_step *step)
{
	struct ft_flow *flow = found->flow;

	found->gen = READ_ONCE(flow->gen);
	/* Pairs with the release in ft_flow_unlock(), as the one below. */
	smp_rmb();
	step->word = atomic_read(&flow->word) & ~FT_FLOW_LOCK;
	step->dir = ft_word_dir(step->word, pkt->from_hi);
	if (!ft_proto_steady(flow, step->word, step) ||
	    steady_needs_lock(tn, flow, step))
		return false;
	view_flow(&found->view, tn, flow, &pkt->key, step->word, step->now);
	/* All that is published was read before what follows. */
	smp_rmb();
	if (!ft_flow_matches(flow, &pkt->key))
		return false;
	/* And so was the key. */
	smp_rmb();
	return READ_ONCE(flow->gen) == found->gen;
}

/**
 * step_flow() - a packet meets its flow
 * @tn: namespace
 * @skb: the packet
 * @pkt: parsed
 * @found: the flow; on ACCEPT and KEEP gen and view are filled
 * @step: filled with the outcome
 * @verdict: what the packet is to the flow
 *
 * Return: false if the flow ended before it could be looked at.
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
	step->dir = ft_word_dir(before, pkt->from_hi);
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
		view_flow(&found->view, tn, flow, &pkt->key, step->word,
			  step->now);
		break;
	default:
		step->word = before;
		nearer = shorten(flow, step);
		break;
	}
	ft_flow_unlock(flow, step->word);

	if (nearer || (step->word ^ before) & FT_FLOW_CLASS)
		ft_flow_class_changed(tn, flow, found->index, found->hash,
				      before, step->word);
	if (step->update &&
	    (*verdict == FT_VERDICT_ACCEPT || *verdict == FT_VERDICT_KEEP))
		notify_update(tn, found);
	return true;
}

/* In pieces, inline: each newcomer pays for what memcpy() costs. */
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
	birth->word = step->word | (pkt->from_hi ? FT_FLOW_ORIG_HI : 0);
	birth->timeout = step->timeout;
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
 * Adopting: a packet that met no flow of ours is nf_conntrack's, if that has
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
	/* What opens no flow displaces none. */
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
	ft_stat_inc(tn, BYPASS);
	return NF_ACCEPT;
}

static enum ip_conntrack_info ctinfo_of(const struct ft_step *step)
{
	if (step->dir == FT_DIR_REPLY)
		return IP_CT_ESTABLISHED_REPLY;
	return step->word & FT_FLOW_SEEN_REPLY ? IP_CT_ESTABLISHED : IP_CT_NEW;
}

/* An ICMP error: RELATED to the flow it is about, or INVALID. */
static noinline_for_stack unsigned int
track_error(struct ft_net *tn, struct sk_buff *skb,
	    const struct nf_hook_state *state, const struct ft_pkt *pkt)
{
	enum ft_invalid reason = FT_INVALID_NONE;
	struct ft_pkt inner;
	struct found found;
	enum ft_dir dir;
	bool quoted;
	u32 word;

	reason = ft_proto_check(skb, pkt, state->hook,
				ft_setting(&tn->set, CHECKSUM));
	if (reason)
		goto invalid;
	if (ft_tuple_inner(skb, pkt, &inner, &reason) != FT_PARSE_OK)
		goto invalid;
	found.hash = ft_key_hash(&inner.key, ft_table_secret(tn->table));
	found.flow = ft_table_lookup(tn->table, &inner.key, found.hash,
				     &found.index);
	if (!found.flow || !ft_flow_lock_key(found.flow, &inner.key)) {
		/* nf_conntrack may know the flow. */
		if (ft_mode_adopting(tn) || ft_mode_conntrack_used(tn)) {
			ft_stat_inc(tn, BYPASS);
			return NF_ACCEPT;
		}
		reason = FT_INVALID_ICMP_NO_FLOW;
		goto invalid;
	}
	found.gen = found.flow->gen;
	word = atomic_read(&found.flow->word) & ~FT_FLOW_LOCK;
	dir = ft_word_dir(word, inner.from_hi);
	quoted = ft_proto_quoted(skb, &inner, dir, &found.flow->proto);
	view_flow(&found.view, tn, found.flow, &inner.key, word, ft_now());
	ft_flow_unlock(found.flow, word);

	/* It must travel to the sender of what it quotes. */
	if (!ft_pkt_to_sender(skb, pkt->family, &inner)) {
		reason = FT_INVALID_ICMP_OUTER;
		goto invalid;
	}
	if (!quoted) {
		reason = FT_INVALID_ICMP_WINDOW;
		goto invalid;
	}
	ft_stat_inc(tn, RELATED);
	found.carrier = ft_carrier_get(tn);
	return publish_found(tn, skb, &found, dir == FT_DIR_ORIG ?
			     IP_CT_RELATED_REPLY : IP_CT_RELATED);
invalid:
	return publish_invalid(tn, skb, state, pkt->key.l4proto, reason);
}

static unsigned int track_packet(struct ft_net *tn, struct sk_buff *skb,
				 const struct nf_hook_state *state,
				 const struct ft_pkt *pkt)
{
	struct ft_step step = { .set = &tn->set, .now = ft_now() };
	struct found found __uninitialized;
	enum ft_verdict verdict;
	enum ft_invalid reason;

	found.hash = ft_key_hash(&pkt->key, ft_table_secret(tn->table));
	/* The line comes in while header and checksum are looked at. */
	ft_table_prefetch(tn->table, found.hash);
	reason = ft_proto_check(skb, pkt, state->hook,
				ft_setting(&tn->set, CHECKSUM));
	if (reason)
		return publish_invalid(tn, skb, state, pkt->key.l4proto, reason);
	/* And while the packet gets what it will carry, if the sender opened
	 * the flow or is about to.
	 */
	found.carrier = ft_carrier_get(tn);
	if (likely(found.carrier))
		ft_carrier_aim(found.carrier, &pkt->key, pkt->from_hi);

	found.flow = ft_table_lookup(tn->table, &pkt->key, found.hash,
				     &found.index);
	if (!found.flow || !step_flow(tn, skb, pkt, &found, &step, &verdict))
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
		ft_invalid(tn, skb, state, pkt->key.l4proto, step.reason);
		return NF_DROP;
	case FT_VERDICT_INVALID:
		break;
	}
	return publish_invalid(tn, skb, state, pkt->key.l4proto, step.reason);

miss:
	if (ft_mode_adopting(tn))
		return leave(tn, skb, state, pkt, &found, &step);
	if (ft_mode_held(tn, skb, state->pf, pkt->key.zone)) {
		ft_stat_inc(tn, BYPASS);
		return NF_ACCEPT;
	}
	return track_new(tn, skb, state, pkt, &found, &step, true);
}

/* A socket with IP_NODEFRAG sends fragments: nobody tracks them. */
static bool is_fragment(const struct sk_buff *skb,
			const struct nf_hook_state *state)
{
	return state->hook == NF_INET_LOCAL_OUT &&
	       state->pf == NFPROTO_IPV4 && ip_is_fragment(ip_hdr(skb));
}

/* What is left to nf_conntrack, whatever flow it is of. */
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

static unsigned int ft_track(void *priv, struct sk_buff *skb,
			     const struct nf_hook_state *state)
{
	enum ft_invalid reason = FT_INVALID_NONE;
	const struct nf_conntrack_zone *zone;
	struct nf_conntrack_zone zone_mark;
	enum ip_conntrack_info ctinfo;
	struct ft_pkt pkt __uninitialized;
	struct ft_net *tn = priv;
	unsigned int verdict;
	struct nf_conn *tmpl;

	tmpl = nf_ct_get(skb, &ctinfo);
	if (tmpl || ctinfo == IP_CT_UNTRACKED) {
		/* Seen before (loopback), notrack, or made by "reject". */
		if (ctinfo == IP_CT_UNTRACKED || !nf_ct_is_template(tmpl)) {
			ft_stat_inc(tn, UNTRACKED);
			return NF_ACCEPT;
		}
	}
	if (is_fragment(skb, state)) {
		ft_stat_inc(tn, BYPASS);
		return NF_ACCEPT;
	}
	zone = nf_ct_zone_tmpl(tmpl, skb, &zone_mark);
	if (ft_mark_bypass(&tn->set, skb->mark) || (tmpl && !ft_mode_template_plain(tmpl)))
		return bypassed(tn, skb, state, zone);

	/* Carriers and locks of flows belong to a CPU for the moment. */
	local_bh_disable();
	switch (ft_tuple_get(skb, state->pf, zone->id, &pkt, &reason)) {
	case FT_PARSE_OK:
		verdict = track_packet(tn, skb, state, &pkt);
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
	default:
		verdict = publish_invalid(tn, skb, state, pkt.key.l4proto,
					  reason);
		break;
	}
	local_bh_enable();
	return verdict;
}

/*
 * nf_conntrack has let an INVALID packet pass as untracked; now the ruleset
 * must see it as what it is: a packet with no conntrack.
 */
static unsigned int ft_uncover(void *priv, struct sk_buff *skb,
			       const struct nf_hook_state *state)
{
	const struct ft_carrier *carrier;
	enum ip_conntrack_info ctinfo;
	const struct nf_conn *ct;

	ct = nf_ct_get(skb, &ctinfo);
	if (!ct || ctinfo != IP_CT_UNTRACKED)
		return NF_ACCEPT;
	carrier = ft_carrier_of(ct);
	if (carrier && carrier->invalid)
		ft_carrier_detach(skb);
	return NF_ACCEPT;
}

/* Packets that come back through PRE_ROUTING keep what they carry. */
static bool comes_back(const struct nf_hook_state *state)
{
	return state->hook == NF_INET_POST_ROUTING &&
	       (state->out->flags & IFF_LOOPBACK ||
		netif_is_l3_master(state->out));
}

static u64 born_now(const struct ft_net *tn)
{
	return ft_setting(&tn->set, TIMESTAMP) ? ktime_get_boottime_ns() :
						 ktime_get_coarse_boottime_ns();
}

/* Store what the ruleset did to the conntrack of a packet's flow. */
static noinline_for_stack void write_back(struct ft_net *tn,
					  const struct ft_carrier *carrier)
{
	u32 mark = READ_ONCE(carrier->ct->mark);
	struct ft_flow *flow;
	bool closed, nearer;
	u32 timeout, was, word;

	flow = ft_table_at(tn->table, carrier->index);
	if (!flow)
		return;
	ft_flow_lock(flow);
	word = atomic_read(&flow->word) & ~FT_FLOW_LOCK;
	if (flow->gen != carrier->gen || word & FT_FLOW_DEAD) {
		ft_flow_unlock(flow, word);
		return;
	}
	was = word;
	nearer = false;
	if (mark != carrier->mark)
		WRITE_ONCE(flow->mark, mark);
	/* "reject with tcp reset" closes the connection it rejects. */
	closed = flow->key.l4proto == IPPROTO_TCP &&
		 ft_word_state(word) != FLOWTRACK_TCP_STATE_CLOSE &&
		 READ_ONCE(carrier->ct->proto.tcp.state) ==
		 FLOWTRACK_TCP_STATE_CLOSE;
	if (closed) {
		word &= ~(FT_FLOW_STATE | FT_FLOW_CLASS);
		word |= FLOWTRACK_TCP_STATE_CLOSE << 8 |
			FLOWTRACK_CLASS_CLOSING << 5;
		timeout = ft_timeout(&tn->set, TCP_TIMEOUT_CLOSE);
		nearer = (s32)(ft_now() + timeout - flow->deadline) < 0;
		if (nearer)
			WRITE_ONCE(flow->deadline, ft_now() + timeout);
	}
	ft_flow_unlock(flow, word);
	if (closed) {
		struct ft_key key;

		ft_flow_key(flow, &key);
		ft_flow_class_changed(tn, flow, carrier->index,
				      ft_key_hash(&key, ft_table_secret(tn->table)),
				      was, word);
	}
}

static bool written_to(const struct ft_carrier *carrier)
{
	const struct nf_conn *ct = carrier->ct;

	if (carrier->index == FT_INDEX_NONE)
		return false;
	return READ_ONCE(ct->mark) != carrier->mark ||
	       (nf_ct_protonum(ct) == IPPROTO_TCP &&
		READ_ONCE(ct->proto.tcp.state) == FLOWTRACK_TCP_STATE_CLOSE);
}

static unsigned int confirm_carrier(struct ft_net *tn, struct sk_buff *skb,
				    struct ft_carrier *carrier,
				    enum ip_conntrack_info ctinfo,
				    const struct nf_hook_state *state)
{
	unsigned int verdict = NF_ACCEPT;

	/* The answer that "reject" made carries the state of its cause. */
	if (carrier->pending && ctinfo == IP_CT_NEW) {
		carrier->pending = false;
		carrier->birth.mark = READ_ONCE(carrier->ct->mark);
		carrier->birth.born = born_now(tn);
		carrier->birth.reserved = ft_mark_reserved(&tn->set, skb->mark);
		/* Opened by this machine itself: no source to be limited. */
		carrier->birth.exempt = !skb->skb_iif;
		local_bh_disable();
		if (ft_flow_admit(tn, &carrier->birth) == FT_ADMIT_DROP)
			verdict = NF_DROP;
		local_bh_enable();
	} else if (written_to(carrier)) {
		local_bh_disable();
		write_back(tn, carrier);
		local_bh_enable();
	}
	if (!comes_back(state))
		ft_carrier_detach(skb);
	return verdict;
}

/*
 * A new flow that nf_conntrack has seen first, and that neither NAT nor a
 * helper wanted: ours from here on.
 */
static noinline_for_stack unsigned int adopt(struct ft_net *tn,
					     struct sk_buff *skb,
					     struct nf_conn *ct,
					     const struct nf_hook_state *state)
{
	struct ft_step step = { .set = &tn->set, .now = ft_now() };
	enum ft_invalid reason = FT_INVALID_NONE;
	struct ft_birth birth = {};
	struct ft_pkt pkt;

	if (ft_tuple_get(skb, state->pf, nf_ct_zone(ct)->id, &pkt, &reason) !=
	    FT_PARSE_OK)
		return NF_ACCEPT;
	if (ft_proto_new(skb, &pkt, &step, &birth.proto) != FT_VERDICT_ACCEPT)
		return NF_ACCEPT;

	birth.key = pkt.key;
	birth.hash = ft_key_hash(&pkt.key, ft_table_secret(tn->table));
	birth.word = step.word | (pkt.from_hi ? FT_FLOW_ORIG_HI : 0);
	birth.exempt = !skb->skb_iif;
	birth.timeout = step.timeout;
	birth.mark = READ_ONCE(ct->mark);
	birth.reserved = ft_mark_reserved(&tn->set, skb->mark);
	birth.born = born_now(tn);
	if (ft_setting(&tn->set, ACCT)) {
		birth.packets[FT_DIR_ORIG] = 1;
		birth.bytes[FT_DIR_ORIG] = skb->len;
	}

	switch (ft_flow_admit(tn, &birth)) {
	case FT_ADMIT_OK:
		ft_stat_inc(tn, ADOPTED);
		break;
	case FT_ADMIT_CLASH:
	case FT_ADMIT_PASS:
		break;
	case FT_ADMIT_DROP:
		return NF_DROP;
	}
	/* The unconfirmed nf_conn goes, and with it its place in the count. */
	ft_carrier_detach(skb);
	return NF_ACCEPT;
}

static unsigned int ft_confirm(void *priv, struct sk_buff *skb,
			       const struct nf_hook_state *state)
{
	enum ip_conntrack_info ctinfo;
	struct ft_carrier *carrier;
	struct ft_net *tn = priv;
	unsigned int verdict;
	struct nf_conn *ct;

	ct = nf_ct_get(skb, &ctinfo);
	if (!ct)
		return NF_ACCEPT;
	/* On its way through a VRF: the real device comes next. */
	if (state->hook == NF_INET_POST_ROUTING &&
	    netif_is_l3_master(state->out))
		return NF_ACCEPT;

	carrier = ft_carrier_of(ct);
	if (carrier) {
		if (carrier->tn != tn)
			return NF_ACCEPT;
		return confirm_carrier(tn, skb, carrier, ctinfo, state);
	}

	if (nf_ct_is_template(ct))
		return NF_ACCEPT;
	if (ctinfo == IP_CT_NEW && !nf_ct_is_confirmed(ct) &&
	    ft_mode_adopting(tn) && !ft_mark_bypass(&tn->set, skb->mark) && ft_mode_adoptable(ct)) {
		local_bh_disable();
		verdict = adopt(tn, skb, ct, state);
		local_bh_enable();
		return verdict;
	}
	/* What "reject" answers does not confirm what it carries. */
	if (!nf_ct_is_confirmed(ct) && CTINFO2DIR(ctinfo) != IP_CT_DIR_ORIGINAL)
		return NF_ACCEPT;
	switch (ft_guard_feed(tn, ct, !skb->skb_iif ||
			      ft_mark_reserved(&tn->set, skb->mark))) {
	case FT_GUARD_DROP:
		return NF_DROP;
	case FT_GUARD_PASS:
		/* The unconfirmed nf_conn goes, and with it its place. */
		ft_carrier_detach(skb);
		break;
	case FT_GUARD_GO:
		break;
	}
	return NF_ACCEPT;
}

#define FT_HOOK(_fn, _pf, _hook, _prio) \
	{ .hook = (_fn), .pf = (_pf), .hooknum = (_hook), .priority = (_prio) }

static const struct nf_hook_ops hook_ops[] = {
	FT_HOOK(ft_track, NFPROTO_IPV4, NF_INET_PRE_ROUTING,
		NF_IP_PRI_CONNTRACK - 1),
	FT_HOOK(ft_track, NFPROTO_IPV4, NF_INET_LOCAL_OUT,
		NF_IP_PRI_CONNTRACK - 1),
	FT_HOOK(ft_uncover, NFPROTO_IPV4, NF_INET_PRE_ROUTING,
		NF_IP_PRI_CONNTRACK + 1),
	FT_HOOK(ft_uncover, NFPROTO_IPV4, NF_INET_LOCAL_OUT,
		NF_IP_PRI_CONNTRACK + 1),
	FT_HOOK(ft_confirm, NFPROTO_IPV4, NF_INET_LOCAL_IN,
		NF_IP_PRI_CONNTRACK_CONFIRM - 1),
	FT_HOOK(ft_confirm, NFPROTO_IPV4, NF_INET_POST_ROUTING,
		NF_IP_PRI_CONNTRACK_CONFIRM - 1),
	FT_HOOK(ft_track, NFPROTO_IPV6, NF_INET_PRE_ROUTING,
		NF_IP6_PRI_CONNTRACK - 1),
	FT_HOOK(ft_track, NFPROTO_IPV6, NF_INET_LOCAL_OUT,
		NF_IP6_PRI_CONNTRACK - 1),
	FT_HOOK(ft_uncover, NFPROTO_IPV6, NF_INET_PRE_ROUTING,
		NF_IP6_PRI_CONNTRACK + 1),
	FT_HOOK(ft_uncover, NFPROTO_IPV6, NF_INET_LOCAL_OUT,
		NF_IP6_PRI_CONNTRACK + 1),
	FT_HOOK(ft_confirm, NFPROTO_IPV6, NF_INET_LOCAL_IN,
		NF_IP6_PRI_LAST - 1),
	FT_HOOK(ft_confirm, NFPROTO_IPV6, NF_INET_POST_ROUTING,
		NF_IP6_PRI_LAST - 1),
};

/**
 * ft_hooks_init() - prepare the hooks of a namespace
 * @tn: namespace
 *
 * Return: 0 or -ENOMEM.
 */
int ft_hooks_init(struct ft_net *tn)
{
	unsigned int i;

	tn->hook_ops = kmemdup(hook_ops, sizeof(hook_ops), GFP_KERNEL);
	if (!tn->hook_ops)
		return -ENOMEM;
	for (i = 0; i < ARRAY_SIZE(hook_ops); i++)
		tn->hook_ops[i].priv = tn;
	return 0;
}

/**
 * ft_hooks_exit() - forget the hooks of a namespace
 * @tn: namespace, its hooks unregistered a grace period ago
 */
void ft_hooks_exit(struct ft_net *tn)
{
	kfree(tn->hook_ops);
}

/**
 * ft_hooks_register() - start to track in a namespace
 * @tn: namespace
 *
 * Context: may sleep; settings_lock held, or nobody else knows @tn yet.
 * Return: 0, or an error with nothing registered.
 */
int ft_hooks_register(struct ft_net *tn)
{
	int err;

	if (tn->hooked)
		return 0;
	err = nf_defrag_ipv4_enable(tn->net);
	if (err)
		return err;
	err = nf_defrag_ipv6_enable(tn->net);
	if (err)
		goto err_defrag4;
	err = nf_register_net_hooks(tn->net, tn->hook_ops, ARRAY_SIZE(hook_ops));
	if (err)
		goto err_defrag6;
	tn->hooked = true;
	return 0;

err_defrag6:
	nf_defrag_ipv6_disable(tn->net);
err_defrag4:
	nf_defrag_ipv4_disable(tn->net);
	return err;
}

/**
 * ft_hooks_unregister() - stop to track in a namespace
 * @tn: namespace
 *
 * Packets that NFQUEUE holds for this namespace are dropped. A packet may
 * still be inside a hook until a grace period has passed.
 *
 * Context: may sleep; settings_lock held, or nobody else knows @tn any more.
 */
void ft_hooks_unregister(struct ft_net *tn)
{
	if (!tn->hooked)
		return;
	nf_unregister_net_hooks(tn->net, tn->hook_ops, ARRAY_SIZE(hook_ops));
	nf_defrag_ipv6_disable(tn->net);
	nf_defrag_ipv4_disable(tn->net);
	tn->hooked = false;
}
