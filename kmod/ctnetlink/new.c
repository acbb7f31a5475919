// SPDX-License-Identifier: GPL-2.0
/*
 * CT_NEW: change a connection that is there, or enter one.
 */
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/netfilter/nf_conntrack_ecache.h>

#include "ctnetlink/change.h"
#include "ctnetlink/create.h"
#include "ctnetlink/events.h"
#include "ctnetlink/ops.h"
#include "ctnetlink/own.h"
#include "ctnetlink/parse.h"
#include "net.h"

/* What a request that changes or enters an entry may have done to it. */
#define ANY_CHANGE	(BIT(IPCT_REPLY) | BIT(IPCT_ASSURED) | BIT(IPCT_HELPER) | \
			 BIT(IPCT_PROTOINFO) | BIT(IPCT_SEQADJ) | BIT(IPCT_MARK) | \
			 BIT(IPCT_SYNPROXY))

static int change_conntrack(struct sk_buff *skb, const struct nfnl_info *info,
			    const struct nlattr * const cda[],
			    struct nf_conntrack_tuple_hash *found)
{
	struct nf_conn *ct = nf_ct_tuplehash_to_ctrack(found);
	int err = -EEXIST;

	if (info->nlh->nlmsg_flags & NLM_F_EXCL)
		goto out;
	err = ft_ctnl_change(ct, cda);
	if (!err)
		nf_conntrack_eventmask_report(ANY_CHANGE | BIT(IPCT_LABEL), ct,
					      NETLINK_CB(skb).portid, nlmsg_report(info->nlh));
out:
	nf_ct_put(ct);
	return err;
}

static int enter_conntrack(struct sk_buff *skb, const struct nfnl_info *info,
			   const struct nlattr * const cda[], const struct ft_ctnl_birth *birth)
{
	unsigned int events = ANY_CHANGE;
	struct nf_conn *ct;

	ct = ft_ctnl_create_conntrack(info->net, cda, birth);
	if (IS_ERR(ct))
		return PTR_ERR(ct);
	events |= test_bit(IPS_EXPECTED_BIT, &ct->status) ? BIT(IPCT_RELATED) : BIT(IPCT_NEW);
	if (cda[CTA_LABELS] && !ft_ctnl_change_labels(ct, cda))
		events |= BIT(IPCT_LABEL);
	nf_conntrack_eventmask_report(events, ct, NETLINK_CB(skb).portid,
				      nlmsg_report(info->nlh));
	nf_ct_put(ct);
	return 0;
}

static int enter_either(struct sk_buff *skb, const struct nfnl_info *info,
			const struct nlattr * const cda[], const struct ft_ctnl_birth *birth)
{
	struct ft_net *tn = ft_pernet(info->net);
	int err;

	if (!(info->nlh->nlmsg_flags & NLM_F_CREATE))
		return -ENOENT;
	if (!cda[CTA_TUPLE_ORIG] || !cda[CTA_TUPLE_REPLY] ||
	    birth->tuple[IP_CT_DIR_ORIGINAL].dst.protonum !=
	    birth->tuple[IP_CT_DIR_REPLY].dst.protonum)
		return -EINVAL;
	if (!ft_ctnl_birth_own(tn, cda, birth))
		return enter_conntrack(skb, info, cda, birth);
	ft_ctnl_act(skb, info);
	err = ft_ctnl_create_own(tn, cda, birth);
	ft_ctnl_act_end();
	return err;
}

/* Return: 1: there is none. */
static int change_own(struct sk_buff *skb, const struct nfnl_info *info,
		      const struct nlattr * const cda[], const struct ft_ctnl_birth *birth,
		      const struct nf_conntrack_tuple *tuple)
{
	struct ft_net *tn = ft_pernet(info->net);
	struct ft_own own;
	int err = 1;

	rcu_read_lock();
	if (ft_own_find(tn, &birth->zone, tuple, &own)) {
		ft_ctnl_act(skb, info);
		err = info->nlh->nlmsg_flags & NLM_F_EXCL ? -EEXIST : ft_own_change(tn, &own, cda);
		ft_ctnl_act_end();
	}
	rcu_read_unlock();
	return err;
}

/**
 * ft_ctnl_new() - change a connection, or enter one
 * @skb: request
 * @info: likewise
 * @cda: its attributes
 *
 * Return: 0; -ENOENT; -EEXIST; -EINVAL; -EBUSY; -EOPNOTSUPP; -ENOMEM: no room; and those of
 * ft_ctnl_change().
 */
int ft_ctnl_new(struct sk_buff *skb, const struct nfnl_info *info,
		const struct nlattr * const cda[])
{
	struct nf_conntrack_tuple_hash *found;
	struct nf_conntrack_tuple *tuple;
	struct ft_ctnl_birth birth = {};
	unsigned int dir;
	int err;

	err = ft_ctnl_parse_zone(cda[CTA_ZONE], &birth.zone);
	for (dir = 0; dir < IP_CT_DIR_MAX && !err; dir++) {
		if (cda[CTA_TUPLE_ORIG + dir])
			err = ft_ctnl_parse_tuple(cda, &birth.tuple[dir], CTA_TUPLE_ORIG + dir,
						  info->nfmsg->nfgen_family, &birth.zone);
	}
	if (err)
		return err;
	if (!cda[CTA_TUPLE_ORIG] && !cda[CTA_TUPLE_REPLY])
		return info->nlh->nlmsg_flags & NLM_F_CREATE ? -EINVAL : -ENOENT;
	tuple = &birth.tuple[cda[CTA_TUPLE_ORIG] ? IP_CT_DIR_ORIGINAL : IP_CT_DIR_REPLY];
	birth.family = info->nfmsg->nfgen_family;
	found = nf_conntrack_find_get(info->net, &birth.zone, tuple);
	if (found)
		return change_conntrack(skb, info, cda, found);
	err = change_own(skb, info, cda, &birth, tuple);
	return err <= 0 ? err : enter_either(skb, info, cda, &birth);
}
