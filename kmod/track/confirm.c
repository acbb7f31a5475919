// SPDX-License-Identifier: GPL-2.0
#include <linux/bottom_half.h>
#include <linux/minmax.h>
#include <linux/netdevice.h>
#include <linux/nf_flowtrack.h>
#include <linux/skbuff.h>
#include <linux/timekeeping.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/netfilter/nf_conntrack_zones.h>

#include "base/invalid.h"
#include "base/limits.h"
#include "base/settings.h"
#include "base/stats.h"
#include "flow/flow.h"
#include "flow/table.h"
#include "flow/tuple.h"
#include "guard/feed.h"
#include "guard/guard.h"
#include "net.h"
#include "proto/conntrack.h"
#include "proto/proto.h"
#include "proto/step.h"
#include "track/admit.h"
#include "track/birth.h"
#include "track/carrier.h"
#include "track/confirm.h"
#include "track/consumers.h"
#include "track/end.h"
#include "track/family.h"
#include "track/mode.h"
#include "track/nat.h"
#include "track/nat_source.h"
#include "track/pool.h"
#include "track/unique.h"

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

/* The carrier's packet has opened a flow: from now on the carrier is that flow's. */
static void follow(const struct ft_net *tn, struct ft_carrier *carrier,
		   const struct ft_birth *birth)
{
	struct ft_flow *flow;
	u32 index, word;

	flow = ft_table_lookup(tn->table, &birth->key, birth->hash, &index);
	if (!flow || !ft_flow_lock_key(flow, &birth->key))
		return;
	carrier->gen = flow->gen;
	WRITE_ONCE(carrier->mark, flow->mark);
	word = atomic_read(&flow->word);
	carrier->named = word & FT_FLOW_NAMED;
	ft_flow_unlock(flow, word);
	WRITE_ONCE(carrier->index, index);
}

/*
 * A first packet asks for a place for its flow. If it is refused, the carrier stays
 * pending: so clones of the packet, which share the carrier, are refused, too.
 */
static noinline_for_stack unsigned int
confirm_new(struct ft_net *tn, const struct sk_buff *skb,
	    struct ft_carrier *carrier, const struct nf_hook_state *state)
{
	struct ft_birth *birth = &carrier->birth;
	unsigned int verdict = NF_ACCEPT;

	birth->mark = READ_ONCE(carrier->ct.mark);
	birth->born = born_now(tn);
	if (ft_mark_reserved(&tn->set, skb->mark))
		birth->reserved = true;
	/* This machine opens the flow itself: no source has to be limited. */
	birth->exempt = !skb->skb_iif;
	local_bh_disable();
	switch (ft_flow_admit(tn, birth)) {
	case FT_ADMIT_OK:
	case FT_ADMIT_CLASH:
		/* The packet may meet more rules, on lo, or as a clone. */
		if (comes_back(state) ||
		    refcount_read(&carrier->ct.ct_general.use) > 2)
			follow(tn, carrier, birth);
		fallthrough;
	case FT_ADMIT_PASS:
		carrier->pending = false;
		break;
	case FT_ADMIT_DROP:
		verdict = NF_DROP;
		break;
	}
	local_bh_enable();
	return verdict;
}

/*
 * A flow that has borrowed the address of a device, and whose packets leave by another
 * one now: it ends, as nf_nat has it.
 */
static noinline_for_stack bool has_moved(struct ft_net *tn, const struct ft_carrier *carrier,
					 enum ip_conntrack_info ctinfo,
					 const struct nf_hook_state *state)
{
	struct ft_flow *flow;

	if (state->hook != NF_INET_POST_ROUTING || CTINFO2DIR(ctinfo) != IP_CT_DIR_ORIGINAL ||
	    state->out->ifindex == carrier->masq)
		return false;
	local_bh_disable();
	flow = ft_table_at(tn->table, carrier->index);
	if (flow)
		ft_flow_end(tn, flow, carrier->index, carrier->gen, FLOWTRACK_REASON_DELETED);
	local_bh_enable();
	return true;
}

static unsigned int confirm_carrier(struct ft_net *tn, struct sk_buff *skb,
				    struct ft_carrier *carrier,
				    enum ip_conntrack_info ctinfo,
				    const struct nf_hook_state *state)
{
	unsigned int verdict = NF_ACCEPT;

	if (unlikely(carrier->masq) && has_moved(tn, carrier, ctinfo, state))
		return NF_DROP;
	/* The answer that "reject" made carries the state of its cause. */
	if (carrier->pending && ctinfo == IP_CT_NEW) {
		verdict = confirm_new(tn, skb, carrier, state);
	} else if (ft_carrier_written(carrier)) {
		local_bh_disable();
		ft_carrier_settle(tn, carrier);
		local_bh_enable();
	}
	if (!comes_back(state))
		ft_carrier_return(carrier, skb);
	return verdict;
}

/* A packet that comes in again through lo, and whose flow is ours by now. */
static noinline_for_stack bool carry_on(struct ft_net *tn, struct sk_buff *skb,
					const struct ft_birth *birth)
{
	struct ft_carrier *carrier = ft_carrier_get(tn);
	struct ft_view view = {
		.key = &birth->key,
		.answer = &birth->answer,
		.masq = birth->masq,
		.word = birth->word,
		.left = birth->timeout,
		.mark = birth->mark,
		.acct = birth->packets[FT_DIR_ORIG],
		.packets = { birth->packets[0], birth->packets[1] },
		.bytes = { birth->bytes[0], birth->bytes[1] },
	};

	if (!carrier)
		return false;
	ft_carrier_fill(carrier, &view);
	follow(tn, carrier, birth);
	ft_carrier_attach(carrier, skb, IP_CT_NEW);
	return true;
}

/* Has the packet the reserved mark, or had it before the rules? */
static bool is_reserved(const struct ft_net *tn, const struct sk_buff *skb,
			const struct nf_conn *ct)
{
	return ft_mark_reserved(&tn->set, skb->mark) ||
	       ft_carrier_notes(ct) & FT_NOTE_RESERVED;
}

/* A packet whose flow stays in nf_conntrack. @enter: it opens one, enter that now. */
static unsigned int feed(struct ft_net *tn, struct sk_buff *skb, struct nf_conn *ct, bool enter)
{
	switch (ft_guard_feed(tn, ct, !skb->skb_iif || is_reserved(tn, skb, ct))) {
	case FT_GUARD_DROP:
		return NF_DROP;
	case FT_GUARD_PASS:
		/*
		 * The unconfirmed nf_conn is freed, and its place in nf_conntrack's count
		 * with it.
		 */
		ft_carrier_detach(skb);
		break;
	case FT_GUARD_GO:
		if (enter)
			return __nf_conntrack_confirm(skb);
		break;
	}
	return NF_ACCEPT;
}

/*
 * As feed(), of a packet that opens a flow which is translated, or to be: under the
 * locks that keep its tuples free.
 */
static unsigned int keep_translated(struct ft_net *tn, struct sk_buff *skb, struct nf_conn *ct,
				    const struct nf_hook_state *state)
{
	unsigned int verdict = NF_DROP;
	struct ft_unique_pair pair;

	local_bh_disable();
	if (ft_unique_translated(tn, skb, ct, state, &pair)) {
		verdict = feed(tn, skb, ct, true);
		ft_unique_release(&pair);
	}
	local_bh_enable();
	return verdict;
}

/*
 * What verdicts on its first packet have asked for, while nobody knew which table will have
 * it. If its timeout is to be fixed it stays in nf_conntrack, see ft_mode_plain().
 */
static void follow_verdicts(struct ft_birth *birth, const struct nf_conn *ct, unsigned long status)
{
	if (status & FT_STATUS_NAMED)
		birth->word |= FT_FLOW_NAMED;
	if (status & FT_STATUS_TIMED)
		birth->timeout = min(READ_ONCE(ct->timeout), FT_TIMEOUT_MAX * HZ);
	birth->word = ft_proto_conntrack_add(birth->word, nf_ct_protonum(ct), status);
}

/*
 * All that a flow is to be, except for its keys, from its first packet.
 *
 * That must still be what its conntrack was made from, or what NAT has made of it: have
 * @key, and come from the upper endpoint if @opens_hi. A rule may have rewritten it,
 * behind which the next packets would be looked for in vain.
 */
static bool describe(struct ft_net *tn, struct sk_buff *skb, const struct nf_conn *ct,
		     const struct nf_hook_state *state, const struct ft_key *key, bool opens_hi,
		     struct ft_birth *birth)
{
	struct ft_step step = { .set = &tn->set, .now = ft_now() };
	unsigned long status = READ_ONCE(ct->status);
	enum ft_invalid reason = FT_INVALID_NONE;
	struct ft_pkt pkt;

	ft_net_follow(tn);
	if (ft_tuple_get(skb, state->pf, nf_ct_zone(ct)->id, &pkt, &reason) != FT_PARSE_OK ||
	    pkt.opens_hi != opens_hi || !ft_key_equal(&pkt.key, key) ||
	    ft_proto_new(skb, &pkt, &step, &birth->proto) != FT_VERDICT_ACCEPT)
		return false;
	birth->word |= step.word;
	birth->exempt = !skb->skb_iif;
	birth->timeout = step.timeout;
	if (unlikely(status & (FT_STATUS_OURS | IPS_SEEN_REPLY | IPS_ASSURED)))
		follow_verdicts(birth, ct, status);
	birth->mark = READ_ONCE(ct->mark);
	birth->reserved = is_reserved(tn, skb, ct);
	birth->born = born_now(tn);
	if (ft_setting(&tn->set, ACCT)) {
		birth->packets[FT_DIR_ORIG] = 1;
		birth->bytes[FT_DIR_ORIG] = skb->len;
	}
	return true;
}

/* A packet whose flow is ours now: the unconfirmed nf_conn goes, and with it its place. */
static void let_go(struct ft_net *tn, struct sk_buff *skb, const struct ft_birth *birth,
		   const struct nf_hook_state *state)
{
	if (!comes_back(state) || !carry_on(tn, skb, birth))
		ft_carrier_detach(skb);
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
	struct ft_birth birth = {};
	enum ft_admission answer;
	spinlock_t *lock; /* of the tuple */

	if (ft_key_from_tuple(&birth.key, nf_ct_tuple(ct, IP_CT_DIR_ORIGINAL), nf_ct_zone(ct)->id))
		birth.word = FT_FLOW_ORIG_HI;
	if (!describe(tn, skb, ct, state, &birth.key, birth.word, &birth))
		return feed(tn, skb, ct, false);
	birth.hash = ft_key_hash(&birth.key, ft_table_secret(tn->table));

	lock = ft_unique_lock(&birth.key);
	/* In this order: ft_hand_over() moves flows from our table to the other one. */
	if (ft_nat_taken(tn, &birth) || !ft_unique_adoptable(ct)) {
		/* A translated flow took the tuple first: this flow has to be translated, too. */
		ft_unique_unlock(lock);
		if (ft_consumers_nat(tn->net, state->pf))
			return keep_translated(tn, skb, ct, state);
		return feed(tn, skb, ct, false);
	}
	answer = ft_flow_admit(tn, &birth);
	ft_unique_unlock(lock);
	switch (answer) {
	case FT_ADMIT_OK:
		ft_stat_inc_bh(tn, ADOPTED);
		break;
	case FT_ADMIT_CLASH:
	case FT_ADMIT_PASS:
		break;
	case FT_ADMIT_DROP:
		return NF_DROP;
	}
	let_go(tn, skb, &birth, state);
	return NF_ACCEPT;
}

/*
 * Set up what @birth has of a translation. nf_nat does not know our other flows of the same
 * source: if those have a mapping, nf_nat is told of it, and chooses once more. Return:
 * false: the packet is to be dropped.
 */
static bool keep_source(const struct ft_net *tn, struct sk_buff *skb, struct nf_conn *ct,
			const struct nf_hook_state *state, struct ft_birth *birth, bool *adoptable)
{
	struct nf_conntrack_tuple had;

	*adoptable = ft_nat_birth(birth, tn, ct);
	if (likely(!ft_nat_source_find(tn, birth, &had)))
		return true;
	if (!ft_unique_propose(skb, ct, state, &had))
		return false;
	*adoptable = ft_nat_birth(birth, tn, ct);
	return true;
}

/* As adopt(), with what nf_nat has made of the flow. */
static noinline_for_stack unsigned int adopt_translated(struct ft_net *tn, struct sk_buff *skb,
							struct nf_conn *ct,
							const struct nf_hook_state *state)
{
	enum ft_admission answer = FT_ADMIT_CLASH;
	unsigned int verdict = NF_ACCEPT;
	struct ft_unique_pair pair;
	struct ft_birth birth = {};
	bool adoptable;

	if (!keep_source(tn, skb, ct, state, &birth, &adoptable))
		return NF_DROP;
	if (!adoptable ||
	    !describe(tn, skb, ct, state, &birth.answer, !(birth.word & FT_FLOW_REPLY_HI), &birth))
		return keep_translated(tn, skb, ct, state);
	if (!ft_unique_try(tn, &birth.key, &birth.answer, birth.second, &pair)) {
		if (ft_nat_find_twin(tn, &birth) == FT_NAT_TWIN_SAME) {
			/* Two queries of one socket, on two CPUs: the other CPU was faster. */
			let_go(tn, skb, &birth, state);
			return NF_ACCEPT;
		}
		if (!ft_unique_translated(tn, skb, ct, state, &pair))
			return NF_DROP;
		/* NAT has chosen again. */
		adoptable = ft_nat_birth(&birth, tn, ct);
	}
	if (adoptable && ft_unique_adoptable(ct))
		answer = ft_flow_admit(tn, &birth);
	switch (answer) {
	case FT_ADMIT_OK:
		ft_stat_inc_bh(tn, ADOPTED);
		ft_nat_source_note(tn, &birth);
		break;
	case FT_ADMIT_CLASH:
		/*
		 * It is ours since a moment ago, with another mapping; or one of ours has
		 * the key, from the other end; or nf_conntrack has it.
		 */
		verdict = ft_nat_find_twin(tn, &birth) == FT_NAT_TWIN_NONE ?
			  feed(tn, skb, ct, true) : NF_DROP;
		break;
	case FT_ADMIT_PASS:
		break;
	case FT_ADMIT_DROP:
		verdict = NF_DROP;
		break;
	}
	ft_unique_release(&pair);
	if (answer == FT_ADMIT_OK || answer == FT_ADMIT_PASS)
		let_go(tn, skb, &birth, state);
	return verdict;
}

/* A packet that opens a flow which nf_conntrack has seen first: which table is to have it? */
static unsigned int confirm_first(struct ft_net *tn, struct sk_buff *skb, struct nf_conn *ct,
				  const struct nf_hook_state *state)
{
	bool translated = ct->status & IPS_NAT_MASK;
	unsigned int verdict;

	if (state->hook == NF_INET_LOCAL_IN && ct->status & IPS_DST_NAT)
		ft_consumers_redirected(tn, ct);
	/* Next packets have to find it: not before they meet ft_track(). */
	if (READ_ONCE(tn->hooked) & ft_hooks_family_of(state->pf) &&
	    !(ft_carrier_notes(ct) & FT_NOTE_STAYS) &&
	    (translated ? ft_nat_adoptable(tn, state, ct) : ft_mode_adoptable(ct)) &&
	    ft_mode_adopts(tn, state, ct)) {
		ft_own_lock_bh();
		verdict = translated ? adopt_translated(tn, skb, ct, state) :
				       adopt(tn, skb, ct, state);
		ft_own_unlock_bh();
		return verdict;
	}
	return translated ? keep_translated(tn, skb, ct, state) : feed(tn, skb, ct, false);
}

/* As ft_confirm(), of a packet that carries something. */
static noinline_for_stack unsigned int confirm(struct ft_net *tn, struct sk_buff *skb,
					       const struct nf_hook_state *state)
{
	enum ip_conntrack_info ctinfo;
	struct ft_carrier *carrier;
	struct nf_conn *ct;

	ct = nf_ct_get(skb, &ctinfo);
	/* On its way through a VRF: the real device comes next. */
	if (state->hook == NF_INET_POST_ROUTING &&
	    netif_is_l3_master(state->out))
		return NF_ACCEPT;

	carrier = ft_carrier_of(ct);
	if (carrier) {
		if (carrier->home != tn->home)
			return NF_ACCEPT;
		return confirm_carrier(tn, skb, carrier, ctinfo, state);
	}

	if (nf_ct_is_template(ct))
		return NF_ACCEPT;
	if (nf_ct_is_confirmed(ct))
		return ft_guard_fed(ct) ? NF_ACCEPT : feed(tn, skb, ct, false);
	if (ctinfo == IP_CT_NEW)
		return confirm_first(tn, skb, ct, state);
	/* A packet that "reject" made does not confirm the conntrack that it carries. */
	if (CTINFO2DIR(ctinfo) != IP_CT_DIR_ORIGINAL)
		return NF_ACCEPT;
	return ct->status & IPS_NAT_MASK ? keep_translated(tn, skb, ct, state) :
					   feed(tn, skb, ct, false);
}

/**
 * ft_confirm() - a packet has passed the ruleset
 * @priv: struct ft_net
 * @skb: the packet
 * @state: where it is
 *
 * Enters the flow that a first packet opens, stores what the ruleset wrote to
 * the carrier, and takes that away.
 *
 * Context: a hook: RCU read side; softirq, or process context where this
 * machine sends.
 * Return: NF_ACCEPT or NF_DROP.
 */
unsigned int ft_confirm(void *priv, struct sk_buff *skb,
			const struct nf_hook_state *state)
{
	enum ip_conntrack_info ctinfo;
	struct ft_net *tn = priv;
	const struct nf_conn *ct;

	ct = nf_ct_get(skb, &ctinfo);
	if (!ct)
		return NF_ACCEPT;
	/*
	 * Most packets of guarded flows: as long as there is room, nothing of the flow has
	 * to be known. What takes a stack frame is elsewhere.
	 */
	if (nf_ct_is_confirmed(ct) && !ft_carrier_of(ct) && ft_guard_calm(&tn->guard))
		return NF_ACCEPT;
	return confirm(tn, skb, state);
}
