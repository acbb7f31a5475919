/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Expectations. All are nf_conntrack's: a flow with a helper stays there.
 */
#ifndef _FT_CTNETLINK_EXPECT_H
#define _FT_CTNETLINK_EXPECT_H

#include <linux/netfilter/nfnetlink.h>
#include <linux/skbuff.h>
#include <net/netlink.h>

struct nf_conn;
struct nf_conntrack_expect;
struct nf_exp_event;

extern const struct nla_policy ft_ctnl_expect_policy[];

int ft_ctnl_expect_get(struct sk_buff *skb, const struct nfnl_info *info,
		       const struct nlattr * const cda[]);
int ft_ctnl_expect_new(struct sk_buff *skb, const struct nfnl_info *info,
		       const struct nlattr * const cda[]);
int ft_ctnl_expect_delete(struct sk_buff *skb, const struct nfnl_info *info,
			  const struct nlattr * const cda[]);
int ft_ctnl_expect_get_stats_cpu(struct sk_buff *skb, const struct nfnl_info *info,
				 const struct nlattr * const cda[]);
int ft_ctnl_expect_event(unsigned int events, const struct nf_exp_event *item);
int ft_ctnl_expect_attach(const struct nlattr *attr, struct nf_conn *ct, u32 portid, u32 report);

#endif /* _FT_CTNETLINK_EXPECT_H */
