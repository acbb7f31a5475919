/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The generic netlink family "flowtrack": requests, and the encoding of a flow
 * that replies and notifications share.
 */
#ifndef _FT_NETLINK_H
#define _FT_NETLINK_H

#include <linux/types.h>
#include <linux/nf_flowtrack.h>

struct ft_flow6;
struct ft_net;
struct ft_watermark_event;
struct genl_family;
struct sk_buff;

extern struct genl_family ft_genl_family;

int ft_netlink_init(void);
void ft_netlink_exit(void);

void ft_netlink_pressure(struct ft_net *tn,
			 const struct ft_watermark_event *event);
int ft_netlink_put_flow(struct sk_buff *skb, const struct ft_net *tn,
			const struct ft_flow6 *copy, u32 index);

#endif /* _FT_NETLINK_H */
