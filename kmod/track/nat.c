// SPDX-License-Identifier: GPL-2.0
#include <linux/in.h>
#include <linux/netdevice.h>
#include <linux/netfilter.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_conntrack_zones.h>
#include <net/netfilter/nf_nat.h>

#include "base/notify.h"
#include "base/settings.h"
#include "flow/flow.h"
#include "flow/table.h"
#include "flow/tuple.h"
#include "net.h"
#include "track/birth.h"
#include "track/consumers.h"
#include "track/mode.h"
#include "track/nat.h"

/*
 * Programs that publish ports (dockerd, kube-proxy) delete the flows of a rule that they
 * change, by ctnetlink: these are ours only where they are in its reach.
 */
static bool is_allowed(const struct ft_net *tn, unsigned long status)
{
	switch (ft_setting(&tn->set, NAT)) {
	case FT_NAT_ALL:
		return true;
	case FT_NAT_SNAT:
		return !(status & IPS_DST_NAT);
	case FT_NAT_AUTO:
		return !(status & IPS_DST_NAT) || ft_notify_ctnetlink();
	default:
		return false;
	}
}

/* A server may ask nf_conntrack where a connection was to go to: also through lo. */
static bool is_asked_for(const struct nf_hook_state *state, const struct nf_conn *ct)
{
	if (state->hook == NF_INET_POST_ROUTING && !(state->out->flags & IFF_LOOPBACK))
		return false;
	return ct->status & IPS_DST_NAT && ft_l4_original_dst(nf_ct_protonum(ct));
}

/* The ports of one end; of ICMP there are none. */
static bool same_port(const struct nf_conn *ct, __be16 a, __be16 b)
{
	u8 l4proto = nf_ct_protonum(ct);

	return l4proto == IPPROTO_ICMP || l4proto == IPPROTO_ICMPV6 || a == b;
}

/* IPVS changes where answers come from, too, and leaves no trace in the status. */
static bool is_by_nat_alone(const struct nf_conn *ct)
{
	const struct nf_conntrack_tuple *orig = nf_ct_tuple(ct, IP_CT_DIR_ORIGINAL);
	const struct nf_conntrack_tuple *reply = nf_ct_tuple(ct, IP_CT_DIR_REPLY);

	if (!(ct->status & IPS_SRC_NAT) &&
	    !(nf_inet_addr_cmp(&orig->src.u3, &reply->dst.u3) &&
	      same_port(ct, orig->src.u.all, reply->dst.u.all)))
		return false;
	return ct->status & IPS_DST_NAT ||
	       (nf_inet_addr_cmp(&orig->dst.u3, &reply->src.u3) &&
		same_port(ct, orig->dst.u.all, reply->src.u.all));
}

static bool key_set(struct ft_key *key, const struct nf_conn *ct, enum ip_conntrack_dir dir)
{
	const struct nf_conntrack_tuple *tuple = nf_ct_tuple(ct, dir);

	return ft_key_from_tuple(key, tuple, nf_ct_zone(ct)->id);
}

/* A flow of two equal keys, or one between equal ends, has no directions to tell apart. */
static bool has_directions(const struct ft_birth *birth, const struct nf_conn *ct)
{
	unsigned int end;

	for (end = 0; end < 2; end++) {
		const struct nf_conntrack_tuple *tuple = nf_ct_tuple(ct, end);

		if (nf_inet_addr_cmp(&tuple->src.u3, &tuple->dst.u3))
			return false;
	}
	return !ft_key_equal(&birth->key, &birth->answer);
}

/**
 * ft_nat_adoptable() - may a new flow that is translated become ours?
 * @tn: namespace, adopting
 * @state: where its first packet is
 * @ct: its unconfirmed entry: what nf_nat has chosen
 *
 * Context: RCU read side.
 * Return: true if so.
 */
bool ft_nat_adoptable(const struct ft_net *tn, const struct nf_hook_state *state,
		      const struct nf_conn *ct)
{
	const struct nf_conntrack_tuple *orig = nf_ct_tuple(ct, IP_CT_DIR_ORIGINAL);

	return ct->status & IPS_NAT_MASK && is_allowed(tn, ct->status) &&
	       !READ_ONCE(tn->handing_over) &&
	       !ft_consumers_origin(tn->net) &&
	       ft_l4_nat(orig->dst.protonum, orig->src.u.all, orig->dst.u.all) &&
	       !is_asked_for(state, ct) &&
	       ft_mode_plain(ct) && is_by_nat_alone(ct);
}

/**
 * ft_nat_birth() - a flow to be, as nf_nat translates it
 * @birth: its keys, their hashes, and bits of its word are set
 * @tn: namespace
 * @ct: its unconfirmed entry, which ft_nat_adoptable() is true of
 *
 * Context: RCU read side.
 * Return: false if its two directions can't be told apart: it is not to be adopted.
 */
bool ft_nat_birth(struct ft_birth *birth, const struct ft_net *tn, const struct nf_conn *ct)
{
	const struct nf_conn_nat *nat = nfct_nat(ct);

	birth->word &= ~(FT_FLOW_ORIG_HI | FT_FLOW_REPLY_HI | FT_FLOW_NAT);
	if (key_set(&birth->key, ct, IP_CT_DIR_ORIGINAL))
		birth->word |= FT_FLOW_ORIG_HI;
	if (key_set(&birth->answer, ct, IP_CT_DIR_REPLY))
		birth->word |= FT_FLOW_REPLY_HI;
	if (ct->status & IPS_SRC_NAT)
		birth->word |= FT_FLOW_SNAT;
	if (ct->status & IPS_DST_NAT)
		birth->word |= FT_FLOW_DNAT;
	birth->hash = ft_key_hash(&birth->key, ft_table_secret(tn->table));
	birth->second = ft_key_hash(&birth->answer, ft_table_secret(tn->table));
	/* They come in while the packet is looked at. */
	ft_table_prefetch(tn->table, birth->hash);
	ft_table_prefetch(tn->table, birth->second);
	birth->masq = 0;
#if IS_ENABLED(CONFIG_NF_NAT_MASQUERADE)
	if (nat)
		birth->masq = nat->masq_index;
#endif
	return has_directions(birth, ct);
}

/**
 * ft_nat_find_twin() - has another packet of a flow been faster?
 * @tn: namespace
 * @birth: from ft_nat_birth()
 *
 * Context: BH disabled, RCU read side.
 * Return: see enum ft_nat_twin. A flow that has the key, but is opened from the other
 * end, is no twin.
 */
enum ft_nat_twin ft_nat_find_twin(const struct ft_net *tn, const struct ft_birth *birth)
{
	enum ft_nat_twin twin = FT_NAT_TWIN_NONE;
	struct ft_key answer;
	struct ft_flow *flow;
	enum ft_dir dir;
	u32 index, word;

	flow = ft_table_lookup(tn->table, &birth->key, birth->hash, &index);
	if (!flow || !ft_flow_lock_key(flow, &birth->key))
		return FT_NAT_TWIN_NONE;
	word = atomic_read(&flow->word) & ~FT_FLOW_LOCK;
	if (ft_flow_dir(flow, word, &birth->key, birth->word & FT_FLOW_ORIG_HI, &dir)) {
		twin = FT_NAT_TWIN_OTHER;
		if (word & FT_FLOW_NAT && dir == FT_DIR_ORIG) {
			ft_flow_answer_key(flow, &answer);
			if (ft_key_equal(&answer, &birth->answer))
				twin = FT_NAT_TWIN_SAME;
		}
	}
	ft_flow_unlock(flow, word);
	return twin;
}

/**
 * ft_nat_taken() - does a translated flow have the answers of one that is not?
 * @tn: namespace
 * @birth: a flow to be, not translated
 *
 * Context: BH disabled, RCU read side.
 * Return: true if so: they would go to that one.
 */
bool ft_nat_taken(const struct ft_net *tn, const struct ft_birth *birth)
{
	const struct ft_flow *flow;
	u32 index;

	flow = ft_table_lookup(tn->table, &birth->key, birth->hash, &index);
	return unlikely(flow) && index & FT_INDEX_NAT;
}
