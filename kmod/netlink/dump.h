/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Lists of flows, over many messages.
 */
#ifndef _FT_NETLINK_DUMP_H
#define _FT_NETLINK_DUMP_H

struct netlink_callback;
struct sk_buff;

int ft_netlink_flow_dump_start(struct netlink_callback *cb);
int ft_netlink_flow_dump(struct sk_buff *skb, struct netlink_callback *cb);
int ft_netlink_flow_dump_done(struct netlink_callback *cb);

#endif /* _FT_NETLINK_DUMP_H */
