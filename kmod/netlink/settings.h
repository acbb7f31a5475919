/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The requests for settings.
 */
#ifndef _FT_NETLINK_SETTINGS_H
#define _FT_NETLINK_SETTINGS_H

#include <linux/nf_flowtrack.h>
#include <net/netlink.h>

struct genl_info;
struct sk_buff;

extern const struct nla_policy ft_settings_policy[FLOWTRACK_A_SETTINGS_MAX + 1];
int ft_netlink_settings_get(struct sk_buff *skb, struct genl_info *info);
int ft_netlink_settings_set(struct sk_buff *skb, struct genl_info *info);

#endif /* _FT_NETLINK_SETTINGS_H */
