/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Ends of flows of ours that a listener which asked to miss none
 * (NETLINK_BROADCAST_ERROR) had no room for. They are told again until it has room, as
 * nf_conntrack does with the entries in its list of dying ones.
 */
#ifndef _FT_CTNETLINK_UNDELIVERED_H
#define _FT_CTNETLINK_UNDELIVERED_H

#include <linux/types.h>

struct ft_ctnl_head;
struct ft_ctnl_own_event;
struct ft_net;
struct sk_buff;

void ft_undelivered_add(const struct ft_net *tn, const struct ft_ctnl_own_event *event);
bool ft_undelivered_show(struct sk_buff *skb, const struct ft_ctnl_head *head,
			 const struct ft_net *tn, u8 family, u64 *next);
int ft_undelivered_init(void);
void ft_undelivered_exit(void);

#endif /* _FT_CTNETLINK_UNDELIVERED_H */
