// SPDX-License-Identifier: GPL-2.0
/*
 * CT_GET and CT_GET_CTRZERO of one connection.
 */
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_conntrack_core.h>

#include "ctnetlink/encode.h"
#include "ctnetlink/ops.h"
#include "ctnetlink/own.h"
#include "ctnetlink/parse.h"
#include "ctnetlink/stand_in.h"
#include "net.h"

static int put_conntrack(struct sk_buff *answer, const struct ft_ctnl_head *head,
			 struct nf_conntrack_tuple_hash *found)
{
	struct nf_conn *ct = nf_ct_tuplehash_to_ctrack(found);
	int err;

	err = ft_ctnl_put_ct(answer, head, ct, ft_ctnl_ct_id(ct), true);
	nf_ct_put(ct);
	return err;
}

static int answer_own(struct sk_buff *answer, const struct ft_ctnl_head *head,
		      const struct ft_net *tn, struct ft_own *own)
{
	struct ft_stand_in stand_in;

	if (head->type == IPCTNL_MSG_CT_GET_CTRZERO)
		ft_own_zero(own);
	ft_stand_in_set(&stand_in, tn, &own->copy);
	/* As of an entry of nf_conntrack: the table has a reference, and the reader has one. */
	refcount_set(&stand_in.ct.ct_general.use, 2);
	return ft_ctnl_put_ct(answer, head, &stand_in.ct,
			      ft_stand_in_id(tn, &own->copy, own->index), true);
}

static int answer_one(struct sk_buff *answer, const struct ft_ctnl_head *head, struct net *net,
		      const struct nf_conntrack_zone *zone, const struct nf_conntrack_tuple *tuple)
{
	struct nf_conntrack_tuple_hash *found = nf_conntrack_find_get(net, zone, tuple);
	const struct ft_net *tn = ft_pernet(net);
	struct ft_own own;
	int err = -ENOENT;

	if (found)
		return put_conntrack(answer, head, found);
	rcu_read_lock();
	if (ft_own_find(tn, zone, tuple, &own))
		err = answer_own(answer, head, tn, &own);
	rcu_read_unlock();
	return err;
}

/**
 * ft_ctnl_get() - show connections, and zero their counters if that is asked for
 * @skb: request
 * @info: likewise
 * @cda: its attributes
 *
 * Return: 0; -EINVAL; -EOPNOTSUPP; -ENOENT; -ENOMEM.
 */
int ft_ctnl_get(struct sk_buff *skb, const struct nfnl_info *info,
		const struct nlattr * const cda[])
{
	struct ft_ctnl_head head = ft_ctnl_head_of(skb, info->nlh);
	struct nf_conntrack_tuple tuple;
	struct nf_conntrack_zone zone;
	struct sk_buff *answer;
	int err;

	if (info->nlh->nlmsg_flags & NLM_F_DUMP)
		return ft_ctnl_dump_begin(skb, info, cda);
	err = ft_ctnl_parse_named(cda, &tuple, info->nfmsg->nfgen_family, &zone);
	if (err)
		return err;
	answer = nlmsg_new(NLMSG_DEFAULT_SIZE, GFP_KERNEL);
	if (!answer)
		return -ENOMEM;
	err = answer_one(answer, &head, info->net, &zone, &tuple);
	if (err) {
		kfree_skb(answer);
		/* The reason that nf_conntrack_netlink gives. */
		return err == -EMSGSIZE ? -ENOMEM : err;
	}
	return nfnetlink_unicast(answer, info->net, head.portid);
}
