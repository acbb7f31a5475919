/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The request for counters.
 */
#ifndef _FT_NETLINK_STATS_H
#define _FT_NETLINK_STATS_H

struct genl_info;
struct netlink_callback;
struct sk_buff;

int ft_netlink_stats_get(struct sk_buff *skb, struct genl_info *info);
int ft_netlink_stats_dump(struct sk_buff *skb, struct netlink_callback *cb);

#endif /* _FT_NETLINK_STATS_H */
