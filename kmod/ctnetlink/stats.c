// SPDX-License-Identifier: GPL-2.0
/*
 * Counters. They are nf_conntrack's, as in its files: what flowtrack counts is in
 * flowtrack's own statistics. The number of connections is that of both tables.
 */
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/sock.h>

#include "base/settings.h"
#include "ctnetlink/encode.h"
#include "ctnetlink/ops.h"
#include "net.h"

static int put_cpu_stats(struct sk_buff *skb, const struct ft_ctnl_head *head, unsigned int cpu,
			 const struct ip_conntrack_stat *st)
{
	struct nlmsghdr *nlh = ft_ctnl_msg_put(skb, head, NFNL_SUBSYS_CTNETLINK, AF_UNSPEC, cpu);

	if (!nlh)
		return -EMSGSIZE;
	if (nla_put_be32(skb, CTA_STATS_FOUND, htonl(st->found)) ||
	    nla_put_be32(skb, CTA_STATS_INVALID, htonl(st->invalid)) ||
	    nla_put_be32(skb, CTA_STATS_INSERT, htonl(st->insert)) ||
	    nla_put_be32(skb, CTA_STATS_INSERT_FAILED, htonl(st->insert_failed)) ||
	    nla_put_be32(skb, CTA_STATS_DROP, htonl(st->drop)) ||
	    nla_put_be32(skb, CTA_STATS_EARLY_DROP, htonl(st->early_drop)) ||
	    nla_put_be32(skb, CTA_STATS_ERROR, htonl(st->error)) ||
	    nla_put_be32(skb, CTA_STATS_SEARCH_RESTART, htonl(st->search_restart)) ||
	    nla_put_be32(skb, CTA_STATS_CLASH_RESOLVE, htonl(st->clash_resolve)) ||
	    nla_put_be32(skb, CTA_STATS_CHAIN_TOOLONG, htonl(st->chaintoolong))) {
		nlmsg_cancel(skb, nlh);
		return -EMSGSIZE;
	}
	nlmsg_end(skb, nlh);
	return 0;
}

/**
 * ft_ctnl_dump_cpus() - messages about each CPU
 * @skb: answer, which is filled as far as it goes
 * @cb: of the dump; its args[0] is the first CPU that no answer has told yet
 * @head: headers of the messages, but that they are many
 * @put: appends the message about one CPU; returns 0, or -EMSGSIZE if there is no room
 *
 * Return: bytes in @skb.
 */
int ft_ctnl_dump_cpus(struct sk_buff *skb, struct netlink_callback *cb, struct ft_ctnl_head head,
		      ft_ctnl_put_cpu_t put)
{
	const struct net *net = sock_net(skb->sk);
	unsigned int cpu;

	head.flags = NLM_F_MULTI;
	for (cpu = cb->args[0]; cpu < nr_cpu_ids; cpu++) {
		if (cpu_possible(cpu) && put(skb, &head, cpu, per_cpu_ptr(net->ct.stat, cpu)))
			break;
	}
	cb->args[0] = cpu;
	return skb->len;
}

static int dump_cpus(struct sk_buff *skb, struct netlink_callback *cb)
{
	return ft_ctnl_dump_cpus(skb, cb, ft_ctnl_head_of(cb->skb, cb->nlh), put_cpu_stats);
}

/**
 * ft_ctnl_get_stats_cpu() - nf_conntrack's counters, by CPU
 * @skb: request
 * @info: likewise
 * @cda: its attributes
 *
 * Return: 0 or an error of netlink_dump_start().
 */
int ft_ctnl_get_stats_cpu(struct sk_buff *skb, const struct nfnl_info *info,
			  const struct nlattr * const cda[])
{
	struct netlink_dump_control control = { .dump = dump_cpus };

	if (!(info->nlh->nlmsg_flags & NLM_F_DUMP))
		return 0;
	return netlink_dump_start(info->sk, skb, info->nlh, &control);
}

static int put_totals(struct sk_buff *skb, const struct ft_ctnl_head *head, struct net *net)
{
	struct nlmsghdr *nlh = ft_ctnl_msg_put(skb, head, NFNL_SUBSYS_CTNETLINK, AF_UNSPEC, 0);
	struct ft_net *tn = ft_pernet(net);
	u32 count, max;

	if (!nlh)
		return -EMSGSIZE;
	count = nf_conntrack_count(net) + atomic_read(&tn->count);
	max = nf_conntrack_max + ft_setting(&tn->set, MAX_FLOWS);
	if (nla_put_be32(skb, CTA_STATS_GLOBAL_ENTRIES, htonl(count)) ||
	    nla_put_be32(skb, CTA_STATS_GLOBAL_MAX_ENTRIES, htonl(max)))
		return -EMSGSIZE;
	nlmsg_end(skb, nlh);
	return 0;
}

/**
 * ft_ctnl_get_stats() - how many connections there are, and may be, in both tables
 * @skb: request
 * @info: likewise
 * @cda: its attributes
 *
 * Return: 0 or -ENOMEM.
 */
int ft_ctnl_get_stats(struct sk_buff *skb, const struct nfnl_info *info,
		      const struct nlattr * const cda[])
{
	struct ft_ctnl_head head = ft_ctnl_head_of(skb, info->nlh);
	struct sk_buff *answer = nlmsg_new(NLMSG_DEFAULT_SIZE, GFP_KERNEL);

	if (!answer)
		return -ENOMEM;
	head.flags = NLM_F_MULTI;
	if (put_totals(answer, &head, info->net)) {
		kfree_skb(answer);
		return -ENOMEM;
	}
	return nfnetlink_unicast(answer, info->net, head.portid);
}
