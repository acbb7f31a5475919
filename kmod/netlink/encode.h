/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A flow in a message.
 */
#ifndef _FT_NETLINK_ENCODE_H
#define _FT_NETLINK_ENCODE_H

#include <linux/siphash.h>
#include <linux/types.h>
#include <linux/nf_flowtrack.h>

struct ft_flow;
struct ft_flow6;
struct ft_net;
struct sk_buff;

size_t ft_netlink_flow_size(void);
int ft_netlink_put_flow(struct sk_buff *skb, const struct ft_net *tn,
			const struct ft_flow6 *copy, u32 index);
int ft_netlink_show_flow(struct sk_buff *skb, const struct ft_net *tn,
			 const struct ft_flow6 *copy, u32 index, enum flowtrack_show show);
u64 ft_netlink_digest(const struct ft_flow6 *copy, const siphash_key_t *secret);
int ft_netlink_put_head(struct sk_buff *skb, const struct ft_flow6 *copy,
			const struct ft_flow6 *reply, u64 id,
			enum flowtrack_tracker tracker);
int ft_netlink_put_counters(struct sk_buff *skb, const struct ft_flow *flow);
bool ft_netlink_snapshot(struct ft_flow *flow, u32 gen, struct ft_flow6 *copy);

#endif /* _FT_NETLINK_ENCODE_H */
