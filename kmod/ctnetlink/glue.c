// SPDX-License-Identifier: GPL-2.0
/*
 * nf_conntrack's part after nf_conntrack_netlink.c: Jay Schulist, Harald Welte,
 * Patrick McHardy, Pablo Neira Ayuso.
 */
#include <linux/log2.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/siphash.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_conntrack_seqadj.h>

#include "ctnetlink/change.h"
#include "ctnetlink/encode.h"
#include "ctnetlink/expect.h"
#include "ctnetlink/glue.h"
#include "ctnetlink/own.h"
#include "ctnetlink/parse.h"
#include "ctnetlink/stand_in.h"
#include "flow/flow.h"
#include "flow/table.h"
#include "flow/tuple.h"
#include "net.h"
#include "proto/conntrack.h"
#include "track/birth.h"
#include "track/carrier.h"

#ifdef CONFIG_NETFILTER_NETLINK_GLUE_CT

/* Does the packet of a carrier belong to a flow that is there? */
static bool find_flow(const struct ft_net *tn, const struct ft_carrier *carrier, struct ft_own *own)
{
	struct ft_flow *flow;

	if (carrier->pending || carrier->index == FT_INDEX_NONE)
		return false;
	flow = ft_table_at(tn->table, carrier->index);
	return flow && ft_own_snapshot(own, flow, carrier->index) &&
	       own->copy.f.gen == carrier->gen;
}

/* The packet opens a flow, which is entered when the ruleset has accepted the packet. */
static __be32 set_pending(struct ft_stand_in *stand_in, const struct ft_net *tn,
			  struct ft_birth *birth)
{
	struct ft_flow6 copy = {};

	/* Copies of a packet write the same. */
	WRITE_ONCE(birth->word, birth->word | FT_FLOW_NAMED);
	atomic_set(&copy.f.word, birth->word);
	memcpy(&copy.f.key, &birth->key, sizeof(copy.f.key));
	memcpy(copy.addr6, birth->key.addr6, sizeof(copy.addr6));
	memcpy(copy.f.packets, birth->packets, sizeof(copy.f.packets));
	memcpy(copy.f.bytes, birth->bytes, sizeof(copy.f.bytes));
	copy.f.proto = birth->proto;
	copy.f.born = ktime_get_boottime_ns();
	ft_stand_in_set(stand_in, tn, &copy);
	/* Until an entry is in a table, its timeout is a duration. */
	stand_in->ct.status &= ~IPS_CONFIRMED;
	stand_in->ct.timeout = birth->timeout;
	return ft_stand_in_name(tn, &birth->key);
}

/* The flow has ended, or was none: take what the carrier says of it. */
static __be32 set_ended(struct ft_stand_in *stand_in, const struct ft_net *tn,
			const struct ft_carrier *carrier)
{
	struct nf_conn *ct = &stand_in->ct;
	struct ft_key key;
	unsigned int dir;

	ft_stand_in_clear(stand_in, tn);
	for (dir = 0; dir < IP_CT_DIR_MAX; dir++)
		ct->tuplehash[dir].tuple = carrier->ct.tuplehash[dir].tuple;
#ifdef CONFIG_NF_CONNTRACK_ZONES
	ct->zone = carrier->ct.zone;
#endif
	ct->status = READ_ONCE(carrier->ct.status) & ~(FT_CARRIER_STATUS | IPS_TEMPLATE);
	ct->status |= IPS_CONFIRMED | IPS_DYING;
	ct->timeout = nfct_time_stamp;
	ct->proto = carrier->ct.proto;
	if (carrier->named || carrier->index == FT_INDEX_NONE) {
		ft_key_from_tuple(&key, nf_ct_tuple(ct, IP_CT_DIR_ORIGINAL), nf_ct_zone(ct)->id);
		return ft_stand_in_name(tn, &key);
	}
	return (__force __be32)siphash_2u32(carrier->gen, carrier->index,
					    ft_table_secret(tn->table));
}

static __be32 set_carrier(struct ft_stand_in *stand_in, struct ft_carrier *carrier)
{
	const struct ft_net *tn = ft_pernet(nf_ct_net(&carrier->ct));
	struct ft_own own;
	__be32 id;

	if (carrier->pending) {
		id = set_pending(stand_in, tn, &carrier->birth);
	} else if (find_flow(tn, carrier, &own)) {
		ft_stand_in_set(stand_in, tn, &own.copy);
		id = ft_stand_in_id(tn, &own.copy, own.index);
	} else {
		id = set_ended(stand_in, tn, carrier);
	}
#ifdef CONFIG_NF_CONNTRACK_MARK
	/* A rule may have written a mark that is not stored in the flow yet. */
	stand_in->ct.mark = READ_ONCE(carrier->ct.mark);
#endif
	return id;
}

static size_t build_size(const struct nf_conn *ct)
{
	return ft_ctnl_event_size(ct);
}

static int build(struct sk_buff *skb, struct nf_conn *ct, enum ip_conntrack_info ctinfo,
		 u16 attr, u16 info_attr)
{
	struct nlattr *nest = nla_nest_start(skb, attr);
	struct ft_carrier *carrier = ft_carrier_of(ct);
	struct ft_stand_in stand_in;
	__be32 id;
	int err;

	if (!nest)
		return -ENOSPC;
	if (carrier) {
		rcu_read_lock();
		id = set_carrier(&stand_in, carrier);
		rcu_read_unlock();
		err = ft_ctnl_put_queued(skb, &stand_in.ct, id);
	} else {
		/* We may take it over, or not, when the packet has passed the rules. */
		if (!nf_ct_is_confirmed(ct) && !nf_ct_is_template(ct))
			set_bit(ilog2(FT_STATUS_NAMED), &ct->status);
		err = ft_ctnl_put_queued(skb, ct, ft_ctnl_ct_id(ct));
	}
	nla_nest_end(skb, nest);
	return err || nla_put_be32(skb, info_attr, htonl(ctinfo)) ? -ENOSPC : 0;
}

/* Of the flow of a packet, if that is there. */
static int change_present(struct ft_carrier *carrier, int type, const struct nlattr *attr)
{
	struct ft_net *tn = ft_pernet(nf_ct_net(&carrier->ct));
	const struct nlattr *cda[CTA_MAX + 1] = {};
	struct ft_own own;

	cda[type] = attr;
	return find_flow(tn, carrier, &own) ? ft_own_change_queued(tn, &own, cda) : 0;
}

static int change_timeout(struct ft_carrier *carrier, const struct nlattr *attr)
{
	if (!carrier->pending)
		return change_present(carrier, CTA_TIMEOUT, attr);
	if (READ_ONCE(carrier->birth.word) & FT_FLOW_FIXED)
		return -EPERM;
	WRITE_ONCE(carrier->birth.timeout, ft_ctnl_flow_timeout(attr));
	return 0;
}

/* Rules that the packet has still to pass see it, too. */
static int change_status(struct ft_carrier *carrier, const struct nlattr *attr)
{
	struct ft_birth *birth = &carrier->birth;
	u32 word;
	int err;

	err = ft_ctnl_update_status(&carrier->ct, attr);
	if (err)
		return err;
	if (!carrier->pending)
		return change_present(carrier, CTA_STATUS, attr);
	word = READ_ONCE(birth->word) & ~FT_FLOW_FIXED;
	WRITE_ONCE(birth->word, ft_proto_conntrack_add(word, birth->key.l4proto,
						       READ_ONCE(carrier->ct.status)));
	return 0;
}

/* The mark stays with the packet, which brings it to the flow, as it does with marks of rules. */
static int change_carrier(struct ft_carrier *carrier, const struct nlattr * const cda[])
{
	int err = 0;

	if (cda[CTA_TIMEOUT])
		err = change_timeout(carrier, cda[CTA_TIMEOUT]);
	if (!err && cda[CTA_STATUS])
		err = change_status(carrier, cda[CTA_STATUS]);
	if (!err && cda[CTA_HELP])
		err = ft_ctnl_change_helper(&carrier->ct, cda);
	if (!err && cda[CTA_LABELS])
		err = ft_ctnl_change_labels(&carrier->ct, cda);
	if (!err && cda[CTA_MARK])
		ft_ctnl_change_mark(&carrier->ct, cda);
	return err;
}

static int parse(const struct nlattr *attr, struct nf_conn *ct)
{
	struct ft_carrier *carrier = ft_carrier_of(ct);
	struct nlattr *tb[CTA_MAX + 1];
	const struct nlattr * const *cda = (const struct nlattr * const *)tb;
	int err;

	err = nla_parse_nested_deprecated(tb, CTA_MAX, attr, ft_ctnl_policy, NULL);
	if (err)
		return err;
	return carrier ? change_carrier(carrier, cda) : ft_ctnl_change_queued(ct, cda);
}

static void adjust(struct sk_buff *skb, struct nf_conn *ct, enum ip_conntrack_info ctinfo, s32 diff)
{
	if (ct->status & IPS_NAT_MASK)
		nf_ct_tcp_seqadj_set(skb, ct, ctinfo, diff);
}

static const struct nfnl_ct_hook hook = {
	.build_size	= build_size,
	.build		= build,
	.parse		= parse,
	.attach_expect	= ft_ctnl_expect_attach,
	.seq_adjust	= adjust,
};

/**
 * ft_ctnl_glue_init() - from now on say of which connection a queued packet is
 *
 * Context: any.
 */
void ft_ctnl_glue_init(void)
{
	rcu_assign_pointer(nfnl_ct_hook, &hook);
}

/**
 * ft_ctnl_glue_exit() - say it no more
 *
 * Context: may sleep; a grace period must follow.
 */
void ft_ctnl_glue_exit(void)
{
	RCU_INIT_POINTER(nfnl_ct_hook, NULL);
}

#else

void ft_ctnl_glue_init(void)
{
}

void ft_ctnl_glue_exit(void)
{
}

#endif
