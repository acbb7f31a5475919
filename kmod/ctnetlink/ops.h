/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The requests: what nfnetlink calls. Each with the mutex of its subsystem held.
 */
#ifndef _FT_CTNETLINK_OPS_H
#define _FT_CTNETLINK_OPS_H

#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/skbuff.h>

#include "ctnetlink/encode.h"

int ft_ctnl_get(struct sk_buff *skb, const struct nfnl_info *info,
		const struct nlattr * const cda[]);
int ft_ctnl_dump_begin(struct sk_buff *skb, const struct nfnl_info *info,
		       const struct nlattr * const cda[]);
int ft_ctnl_new(struct sk_buff *skb, const struct nfnl_info *info,
		const struct nlattr * const cda[]);
int ft_ctnl_delete(struct sk_buff *skb, const struct nfnl_info *info,
		   const struct nlattr * const cda[]);
int ft_ctnl_get_dying(struct sk_buff *skb, const struct nfnl_info *info,
		      const struct nlattr * const cda[]);
int ft_ctnl_get_unconfirmed(struct sk_buff *skb, const struct nfnl_info *info,
			    const struct nlattr * const cda[]);
int ft_ctnl_get_stats(struct sk_buff *skb, const struct nfnl_info *info,
		      const struct nlattr * const cda[]);
int ft_ctnl_get_stats_cpu(struct sk_buff *skb, const struct nfnl_info *info,
			  const struct nlattr * const cda[]);

/**
 * typedef ft_ctnl_put_cpu_t - append the message about one CPU
 * @skb: answer
 * @head: headers of the message
 * @cpu: CPU
 * @st: its counters
 *
 * Return: 0 or -EMSGSIZE.
 */
typedef int (*ft_ctnl_put_cpu_t)(struct sk_buff *skb, const struct ft_ctnl_head *head,
				 unsigned int cpu, const struct ip_conntrack_stat *st);
int ft_ctnl_dump_cpus(struct sk_buff *skb, struct netlink_callback *cb, struct ft_ctnl_head head,
		      ft_ctnl_put_cpu_t put);

/**
 * ft_ctnl_head_of() - headers of an answer
 * @skb: request
 * @nlh: its header
 *
 * Return: the headers, with the type of the request.
 */
static inline struct ft_ctnl_head ft_ctnl_head_of(const struct sk_buff *skb,
						  const struct nlmsghdr *nlh)
{
	return (struct ft_ctnl_head) {
		.portid = NETLINK_CB(skb).portid,
		.seq = nlh->nlmsg_seq,
		.type = NFNL_MSG_TYPE(nlh->nlmsg_type),
	};
}

#endif /* _FT_CTNETLINK_OPS_H */
