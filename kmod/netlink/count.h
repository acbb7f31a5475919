/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The request for counts of flows by what they are like.
 */
#ifndef _FT_NETLINK_COUNT_H
#define _FT_NETLINK_COUNT_H

struct genl_info;
struct sk_buff;

/* Entries of a reply, at most. */
#define FT_NETLINK_COUNT_MAX	256

int ft_netlink_count_get(struct sk_buff *skb, struct genl_info *info);

#endif /* _FT_NETLINK_COUNT_H */
