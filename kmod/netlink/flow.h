/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The requests that name flows: get and delete.
 */
#ifndef _FT_NETLINK_FLOW_H
#define _FT_NETLINK_FLOW_H

struct genl_info;
struct sk_buff;

int ft_netlink_flow_get(struct sk_buff *skb, struct genl_info *info);
int ft_netlink_flow_del(struct sk_buff *skb, struct genl_info *info);

#endif /* _FT_NETLINK_FLOW_H */
