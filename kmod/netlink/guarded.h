/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The flows of nf_conntrack, in messages.
 */
#ifndef _FT_NETLINK_GUARDED_H
#define _FT_NETLINK_GUARDED_H

#include <linux/types.h>

struct ft_filter;
struct ft_flow6;
struct ft_key;
struct ft_net;
struct nf_conn;
struct sk_buff;

bool ft_netlink_guarded_match(const struct ft_filter *filter,
			      const struct nf_conn *ct);
int ft_netlink_put_guarded(struct sk_buff *skb, const struct nf_conn *ct);
struct nf_conn *ft_netlink_guarded_get(struct ft_net *tn,
				       const struct ft_key *key, bool from_hi);
int ft_netlink_guarded_by_id(struct ft_net *tn, u64 id, struct nf_conn **found);
bool ft_netlink_guarded_end(struct ft_net *tn, struct nf_conn *ct);
int ft_netlink_guarded_del(struct ft_net *tn, const struct ft_filter *filter,
			   u32 *ended);
int ft_netlink_guarded_each(struct ft_net *tn, const struct ft_filter *filter,
			    void (*fn)(const struct ft_flow6 *copy, void *arg), void *arg);

#endif /* _FT_NETLINK_GUARDED_H */
