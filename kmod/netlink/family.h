/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The generic netlink family "flowtrack": its groups, and what every answer needs.
 */
#ifndef _FT_NETLINK_FAMILY_H
#define _FT_NETLINK_FAMILY_H

#include <linux/types.h>
#include <net/genetlink.h>

#include "base/notify.h"
#include "net.h"

struct sk_buff;

extern struct genl_family ft_genl_family;

struct sk_buff *ft_netlink_reply(struct genl_info *info, size_t payload,
				 void **hdr);
int ft_netlink_send(struct genl_info *info, struct sk_buff *skb, void *hdr,
		    int err);
void ft_genl_multicast(struct ft_net *tn, enum ft_mcgrp group,
		       struct sk_buff *skb, int err);

/* The namespace of a request. */
static inline struct ft_net *ft_netlink_net(struct genl_info *info)
{
	return ft_pernet(genl_info_net(info));
}

#endif /* _FT_NETLINK_FAMILY_H */
