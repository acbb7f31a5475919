/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The request for top talkers, and one of them in a message.
 */
#ifndef _FT_NETLINK_TOP_H
#define _FT_NETLINK_TOP_H

#include <linux/in6.h>
#include <linux/types.h>
#include <net/netlink.h>

struct ft_source;
struct ft_top_entry;
struct ft_top_report;
struct genl_info;
struct sk_buff;

#define FT_NETLINK_TOP_ENTRY_SIZE					\
	(nla_total_size(0) + nla_total_size(sizeof(struct in6_addr)) +	\
	 8 * nla_total_size(sizeof(u32)) + nla_total_size_64bit(sizeof(u64)))

int ft_netlink_put_top_entry(struct sk_buff *skb, unsigned int attr,
			     const struct ft_top_report *report,
			     const struct ft_top_entry *entry, u8 kind,
			     u8 order);
int ft_netlink_put_host(struct sk_buff *skb, const struct ft_source *host, u8 prefix);
int ft_netlink_top_get(struct sk_buff *skb, struct genl_info *info);

#endif /* _FT_NETLINK_TOP_H */
