// SPDX-License-Identifier: GPL-2.0
/*
 * CT_DELETE.
 */
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/nf_flowtrack.h>
#include <linux/slab.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_conntrack_core.h>

#include "ctnetlink/encode.h"
#include "ctnetlink/events.h"
#include "ctnetlink/filter.h"
#include "ctnetlink/ops.h"
#include "ctnetlink/own.h"
#include "ctnetlink/parse.h"
#include "ctnetlink/stand_in.h"
#include "flow/flow.h"
#include "flow/table.h"
#include "net.h"

/**
 * struct flush_arg - which of our flows end
 * @tn: namespace
 * @filter: that match; NULL: all
 */
struct flush_arg {
	struct ft_net *tn;
	const struct ft_ctnl_filter *filter;
};

static int flush_own(struct ft_flow *flow, u32 index, void *arg)
{
	const struct flush_arg *flush = arg;
	struct ft_stand_in stand_in;
	struct ft_own own;

	if (!ft_own_snapshot(&own, flow, index))
		return 0;
	if (flush->filter) {
		ft_stand_in_set(&stand_in, flush->tn, &own.copy);
		if (!ft_ctnl_filter_match(flush->filter, &stand_in.ct))
			return 0;
	}
	ft_own_end(flush->tn, &own, flush->filter ? FLOWTRACK_REASON_DELETED :
						    FLOWTRACK_REASON_FLUSHED);
	return 0;
}

static int flush_conntrack(struct nf_conn *ct, void *data)
{
	return ft_ctnl_filter_match(data, ct);
}

static int flush(struct sk_buff *skb, const struct nfnl_info *info,
		 const struct nlattr * const cda[])
{
	/* Old programs send a family that they do not mean. */
	bool meant = info->nfmsg->version || cda[CTA_FILTER];
	u8 family = meant ? info->nfmsg->nfgen_family : NFPROTO_UNSPEC;
	struct ft_ctnl_filter *filter = ft_ctnl_filter_create(cda, family);
	struct flush_arg own = { .tn = ft_pernet(info->net), .filter = filter };
	struct nf_ct_iter_data iter = {
		.net = info->net,
		.data = filter,
		.portid = NETLINK_CB(skb).portid,
		.report = nlmsg_report(info->nlh),
	};

	if (IS_ERR(filter))
		return PTR_ERR(filter);
	nf_ct_iterate_cleanup_net(flush_conntrack, &iter);
	ft_ctnl_act(skb, info);
	/* To its end, as that of entries, even if the program is killed meanwhile. */
	ft_table_for_each(own.tn->table, false, flush_own, &own);
	ft_ctnl_act_end();
	kfree(filter);
	return 0;
}

/* Return: 0 or -ENOENT: there is one, but with another id. */
static int delete_conntrack(struct sk_buff *skb, const struct nfnl_info *info,
			    const struct nlattr *id, struct nf_conntrack_tuple_hash *found)
{
	struct nf_conn *ct = nf_ct_tuplehash_to_ctrack(found);
	int err = -ENOENT;

	if (!id || nla_get_be32(id) == ft_ctnl_ct_id(ct)) {
		nf_ct_delete(ct, NETLINK_CB(skb).portid, nlmsg_report(info->nlh));
		err = 0;
	}
	nf_ct_put(ct);
	return err;
}

static int delete_own(struct ft_net *tn, const struct nf_conntrack_zone *zone,
		      const struct nf_conntrack_tuple *tuple, const struct nlattr *id)
{
	struct ft_own own;
	int err = -ENOENT;

	rcu_read_lock();
	if (ft_own_find(tn, zone, tuple, &own) &&
	    (!id || nla_get_be32(id) == ft_stand_in_id(tn, &own.copy, own.index))) {
		ft_own_end(tn, &own, FLOWTRACK_REASON_DELETED);
		err = 0;
	}
	rcu_read_unlock();
	return err;
}

/**
 * ft_ctnl_delete() - delete a connection, or those that match
 * @skb: request
 * @info: likewise
 * @cda: its attributes
 *
 * Return: 0; -ENOENT; -EINVAL; -EOPNOTSUPP; -ENOMEM.
 */
int ft_ctnl_delete(struct sk_buff *skb, const struct nfnl_info *info,
		   const struct nlattr * const cda[])
{
	struct nf_conntrack_tuple_hash *found;
	struct nf_conntrack_tuple tuple;
	struct nf_conntrack_zone zone;
	int err;

	if (cda[CTA_FILTER] || (!cda[CTA_TUPLE_ORIG] && !cda[CTA_TUPLE_REPLY]))
		return flush(skb, info, cda);
	err = ft_ctnl_parse_named(cda, &tuple, info->nfmsg->nfgen_family, &zone);
	if (err)
		return err;
	found = nf_conntrack_find_get(info->net, &zone, &tuple);
	if (found)
		return delete_conntrack(skb, info, cda[CTA_ID], found);
	ft_ctnl_act(skb, info);
	err = delete_own(ft_pernet(info->net), &zone, &tuple, cda[CTA_ID]);
	ft_ctnl_act_end();
	return err;
}
