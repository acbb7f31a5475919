/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The request that enters a flow.
 */
#ifndef _FT_NETLINK_ADD_H
#define _FT_NETLINK_ADD_H

#include <linux/nf_flowtrack.h>
#include <net/netlink.h>

struct genl_info;
struct sk_buff;

extern const struct nla_policy ft_counters_policy[FLOWTRACK_A_COUNTERS_MAX + 1];
int ft_netlink_flow_add(struct sk_buff *skb, struct genl_info *info);

#endif /* _FT_NETLINK_ADD_H */
