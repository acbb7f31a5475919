/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What happens to connections of both tables, told to ctnetlink's groups.
 */
#ifndef _FT_CTNETLINK_EVENTS_H
#define _FT_CTNETLINK_EVENTS_H

#include <linux/netfilter/nfnetlink.h>
#include <linux/skbuff.h>
#include <linux/types.h>

int ft_ctnl_events_init(void);
void ft_ctnl_events_exit(void);
void ft_ctnl_act(const struct sk_buff *skb, const struct nfnl_info *info);
void ft_ctnl_act_end(void);

#endif /* _FT_CTNETLINK_EVENTS_H */
