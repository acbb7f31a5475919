// SPDX-License-Identifier: GPL-2.0
#include <linux/export.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/netfilter/nf_conntrack_extend.h>
#include <net/netfilter/nf_conntrack_helper.h>
#include <net/netfilter/nf_conntrack_labels.h>
#include <net/netfilter/nf_conntrack_zones.h>

#include "base/settings.h"
#include "flow/flow.h"
#include "flow/tuple.h"
#include "net.h"
#include "track/consumers.h"
#include "track/mode.h"
#include "track/unique.h"

static bool is_adopting(struct ft_net *tn, u8 pf)
{
	switch (ft_setting(&tn->set, ADOPT)) {
	case FT_ADOPT_ALWAYS:
		return true;
	case FT_ADOPT_NEVER:
		return false;
	default:
		return ft_consumers_any(tn, pf);
	}
}

/**
 * ft_mode_adopting() - does nf_conntrack see new flows first?
 * @tn: namespace
 * @pf: family of the flow
 *
 * Context: RCU read side.
 * Return: true if a packet that met no flow of ours is left to nf_conntrack.
 */
bool ft_mode_adopting(struct ft_net *tn, u8 pf)
{
	u32 *seen = &tn->adopting[pf == NFPROTO_IPV6];
	const u32 now = ft_now();

	if (!is_adopting(tn, pf))
		return false;
	/* See ft_mode_adopting_still(). */
	if (READ_ONCE(*seen) != now)
		WRITE_ONCE(*seen, now);
	return true;
}

/**
 * ft_mode_conntrack_used() - might nf_conntrack know a flow that we do not?
 * @tn: namespace
 *
 * Context: any.
 * Return: false while it tracks none in this namespace.
 */
bool ft_mode_conntrack_used(const struct ft_net *tn)
{
	return nf_conntrack_count(tn->net) != 0;
}

/**
 * ft_mode_in_conntrack() - does nf_conntrack track the flow of a packet?
 * @tn: namespace
 * @skb: a packet that met no flow of ours
 * @pf: its family
 * @zone: its zone, the same in both directions
 *
 * A flow stays where it is when NAT or the last helper goes, when adopting is
 * switched off, and when flowtrack comes to a machine at work: the ruleset
 * would see a connection that it knows as NEW. Costs a lookup in nf_conntrack's
 * table, but only while that has flows of this namespace.
 *
 * Context: RCU read side, softirqs disabled.
 * Return: true if the packet belongs to one of them.
 */
bool ft_mode_in_conntrack(const struct ft_net *tn, const struct sk_buff *skb,
			  u8 pf, u16 zone)
{
	struct nf_conntrack_zone ct_zone;
	struct nf_conntrack_tuple tuple;

	if (!ft_mode_conntrack_used(tn))
		return false;
	if (!nf_ct_get_tuplepr(skb, skb_network_offset(skb), pf, tn->net,
			       &tuple))
		return false;
	nf_ct_zone_init(&ct_zone, zone, NF_CT_DEFAULT_ZONE_DIR, 0);
	return ft_unique_in_conntrack(tn->net, &ct_zone, &tuple);
}

/* Does a conntrack have an extension that only nf_conntrack can serve? */
static bool has_special_extension(const struct nf_conn *ct)
{
	const struct nf_conn_help *help = nfct_help(ct);

	if (help && (rcu_access_pointer(help->helper) ||
		     !hlist_empty(&help->expectations)))
		return true;
	if (nf_ct_ext_exist(ct, NF_CT_EXT_SEQADJ))
		return true;
#ifdef CONFIG_NF_CONNTRACK_TIMEOUT
	if (nf_ct_ext_exist(ct, NF_CT_EXT_TIMEOUT))
		return true;
#endif
#if IS_ENABLED(CONFIG_NETFILTER_SYNPROXY)
	if (nf_ct_ext_exist(ct, NF_CT_EXT_SYNPROXY))
		return true;
#endif
#if IS_ENABLED(CONFIG_NET_ACT_CT)
	if (nf_ct_ext_exist(ct, NF_CT_EXT_ACT_CT))
		return true;
#endif
	return false;
}

static bool has_labels(const struct nf_conn *ct)
{
#ifdef CONFIG_NF_CONNTRACK_LABELS
	const struct nf_conn_labels *labels = nf_ct_labels_find(ct);

	return labels && !bitmap_empty(labels->bits, NF_CT_LABELS_MAX_SIZE *
				       BITS_PER_BYTE);
#else
	return false;
#endif
}

/* IPVS expects the answers from another address, and sets no bit of the status. */
static bool has_other_reply(const struct nf_conn *ct)
{
	struct nf_conntrack_tuple reply;

	return !nf_ct_invert_tuple(&reply, nf_ct_tuple(ct, IP_CT_DIR_ORIGINAL)) ||
	       !nf_ct_tuple_equal(&reply, nf_ct_tuple(ct, IP_CT_DIR_REPLY));
}

/* As ft_mode_adopting(), and nobody wants all flows in nf_conntrack. */
static bool may_adopt(struct ft_net *tn, u8 pf)
{
	u32 adopt = ft_setting(&tn->set, ADOPT);

	if (adopt == FT_ADOPT_NEVER)
		return false;
	switch (ft_consumers_need(tn, pf)) {
	case FT_NEED_ALL:
		return false;
	case FT_NEED_NOTHING:
		return adopt == FT_ADOPT_ALWAYS;
	default:
		return true;
	}
}

/**
 * ft_mode_adopts() - may a flow that nf_conntrack has seen first become ours?
 * @tn: namespace
 * @state: where its first packet is
 * @ct: its entry, unconfirmed
 *
 * Context: RCU read side.
 * Return: false if no flow is adopted, or if somebody will look for this one in
 * nf_conntrack's table.
 */
bool ft_mode_adopts(struct ft_net *tn, const struct nf_hook_state *state,
		    const struct nf_conn *ct)
{
	if (!may_adopt(tn, state->pf))
		return false;
	return state->hook != NF_INET_LOCAL_IN || !ft_l4_original_dst(nf_ct_protonum(ct)) ||
	       !ft_consumers_redirect(tn, state->pf, ct);
}

/**
 * ft_mode_plain() - does nothing but NAT need the nf_conn of a flow?
 * @ct: an unconfirmed conntrack that has passed the ruleset
 *
 * Context: RCU read side.
 * Return: false if a helper, an expectation, or something else that the ruleset
 * set up needs it.
 */
bool ft_mode_plain(const struct nf_conn *ct)
{
	const unsigned long special = IPS_EXPECTED | IPS_SEQ_ADJUST | IPS_FIXED_TIMEOUT |
				      IPS_HELPER | IPS_OFFLOAD;

	if (ct->status & special || ct->master || ft_l4_left(nf_ct_protonum(ct)))
		return false;
	if (nf_ct_zone(ct)->dir != NF_CT_DEFAULT_ZONE_DIR)
		return false;
	return !has_special_extension(ct) && !has_labels(ct);
}

/**
 * ft_mode_adoptable() - could flowtrack track this flow just as well?
 * @ct: an unconfirmed conntrack that has passed the ruleset
 *
 * Context: RCU read side.
 * Return: false if it is translated, or the real nf_conn is needed, see
 * ft_mode_plain().
 */
bool ft_mode_adoptable(const struct nf_conn *ct)
{
	return !(ct->status & IPS_NAT_MASK) && ft_mode_plain(ct) && !has_other_reply(ct);
}
EXPORT_SYMBOL_NS_GPL(ft_mode_adoptable, FT_SYMBOL_NS);

/**
 * ft_mode_template_plain() - does a template say no more than a zone?
 * @tmpl: the template that the ruleset gave the packet
 *
 * Return: false if it asks for a helper, a timeout policy, synproxy, events by
 * kind, or a zone of one direction: nf_conntrack knows how.
 */
bool ft_mode_template_plain(const struct nf_conn *tmpl)
{
	return !tmpl->ext && !(tmpl->status & IPS_HELPER) &&
	       nf_ct_zone(tmpl)->dir == NF_CT_DEFAULT_ZONE_DIR;
}
