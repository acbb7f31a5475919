// SPDX-License-Identifier: GPL-2.0
/*
 * GET_DYING and GET_UNCONFIRMED: what is in neither table, and not gone.
 *
 * After nf_conntrack_netlink.c: Jay Schulist, Harald Welte, Patrick McHardy,
 * Pablo Neira Ayuso.
 */
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_conntrack_ecache.h>
#include <net/sock.h>

#include "ctnetlink/encode.h"
#include "ctnetlink/ops.h"
#include "ctnetlink/undelivered.h"
#include "net.h"

/**
 * struct dump - a dump between two messages; lives in netlink_callback.ctx
 * @last: the entry that did not fit, as dying_last_id() has it; 0: none
 * @done: all of nf_conntrack's have been shown
 * @own: where it stands in ours
 */
struct dump {
	unsigned long last;
	bool done;
	u64 own;
};

#ifdef CONFIG_NF_CONNTRACK_EVENTS

static unsigned long dying_last_id(const struct nf_conn *ct)
{
	return nf_ct_get_id(ct) ?: 1;
}

/* Context: the list's lock, under which extensions stay. Return: false: an entry does not fit. */
static bool show_dying(struct sk_buff *skb, struct netlink_callback *cb,
		       const struct nf_conntrack_net_ecache *ecache)
{
	const struct nfgenmsg *nfmsg = nlmsg_data(cb->nlh);
	struct ft_ctnl_head head = ft_ctnl_head_of(cb->skb, cb->nlh);
	struct dump *dump = (struct dump *)cb->ctx;
	struct nf_conntrack_tuple_hash *h;
	struct hlist_nulls_node *n;
	struct nf_conn *ct;

	hlist_nulls_for_each_entry(h, n, &ecache->dying_list, hnnode) {
		ct = nf_ct_tuplehash_to_ctrack(h);
		if (nfmsg->nfgen_family && nf_ct_l3num(ct) != nfmsg->nfgen_family)
			continue;
		if (dump->last && dump->last != dying_last_id(ct))
			continue;
		dump->last = 0;
		if (ft_ctnl_put_ct(skb, &head, ct, ft_ctnl_ct_id(ct), true)) {
			dump->last = dying_last_id(ct);
			return false;
		}
	}
	return true;
}

static int dump_dying(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct nf_conntrack_net_ecache *ecache = nf_conn_pernet_ecache(sock_net(skb->sk));
	const struct ft_ctnl_head head = ft_ctnl_head_of(cb->skb, cb->nlh);
	const struct nfgenmsg *nfmsg = nlmsg_data(cb->nlh);
	struct dump *dump = (struct dump *)cb->ctx;

	BUILD_BUG_ON(sizeof(*dump) > sizeof(cb->ctx));
	if (!dump->done) {
		spin_lock_bh(&ecache->dying_lock);
		dump->done = show_dying(skb, cb, ecache);
		spin_unlock_bh(&ecache->dying_lock);
	}
	if (dump->done)
		ft_undelivered_show(skb, &head, ft_pernet(sock_net(skb->sk)), nfmsg->nfgen_family,
				    &dump->own);
	return skb->len;
}

#else

static int dump_dying(struct sk_buff *skb, struct netlink_callback *cb)
{
	return 0;
}

#endif

/**
 * ft_ctnl_get_dying() - connections whose end has not been told yet
 * @skb: request
 * @info: likewise
 * @cda: its attributes
 *
 * Return: 0; -EOPNOTSUPP: not a dump.
 */
int ft_ctnl_get_dying(struct sk_buff *skb, const struct nfnl_info *info,
		      const struct nlattr * const cda[])
{
	struct netlink_dump_control control = { .dump = dump_dying };

	if (!(info->nlh->nlmsg_flags & NLM_F_DUMP))
		return -EOPNOTSUPP;
	return netlink_dump_start(info->sk, skb, info->nlh, &control);
}

static int dump_nothing(struct sk_buff *skb, struct netlink_callback *cb)
{
	return 0;
}

/**
 * ft_ctnl_get_unconfirmed() - nothing: nf_conntrack has no list of them any more
 * @skb: request
 * @info: likewise
 * @cda: its attributes
 *
 * Return: 0; -EOPNOTSUPP: not a dump.
 */
int ft_ctnl_get_unconfirmed(struct sk_buff *skb, const struct nfnl_info *info,
			    const struct nlattr * const cda[])
{
	struct netlink_dump_control control = { .dump = dump_nothing };

	if (!(info->nlh->nlmsg_flags & NLM_F_DUMP))
		return -EOPNOTSUPP;
	return netlink_dump_start(info->sk, skb, info->nlh, &control);
}
