/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the parts of the netlink family share, and what nobody else needs: the
 * family, its operations, which netlink.c puts together, and a few checks.
 */
#ifndef _FT_NETLINK_OPS_H
#define _FT_NETLINK_OPS_H

#include <linux/in.h>
#include <linux/types.h>
#include <linux/nf_flowtrack.h>
#include <net/genetlink.h>
#include <net/net_namespace.h>

#include "base/notify.h"
#include "net.h"

struct ft_filter;
struct ft_watermark_event;
struct nf_conn;

/* netlink_family.c */
extern struct genl_family ft_genl_family;

struct sk_buff *ft_netlink_reply(struct genl_info *info, size_t payload,
				 void **hdr);
int ft_netlink_send(struct genl_info *info, struct sk_buff *skb, void *hdr,
		    int err);
void ft_genl_multicast(struct ft_net *tn, enum ft_mcgrp group,
		       struct sk_buff *skb, int err);

/* netlink_tuple.c */
extern const struct nla_policy ft_tuple_policy[FLOWTRACK_A_TUPLE_MAX + 1];
int ft_netlink_check_family(const struct nlattr *attr,
			    struct netlink_ext_ack *extack);
int ft_netlink_put_tuple(struct sk_buff *skb, unsigned int attr,
			 const struct ft_flow6 *copy, enum ft_dir dir);
int ft_netlink_get_key(const struct genl_info *info, struct ft_key *key,
		       bool *from_hi, bool opens);

/* netlink_encode.c */
size_t ft_netlink_flow_size(void);
int ft_netlink_put_flow(struct sk_buff *skb, const struct ft_net *tn,
			const struct ft_flow6 *copy, u32 index);
int ft_netlink_put_head(struct sk_buff *skb, const struct ft_flow6 *copy,
			const struct ft_flow6 *reply, u64 id,
			enum flowtrack_tracker tracker);
int ft_netlink_put_counters(struct sk_buff *skb, const struct ft_flow *flow);
bool ft_netlink_snapshot(struct ft_flow *flow, u32 gen, struct ft_flow6 *copy);

/* netlink_flow.c */
int ft_netlink_flow_get(struct sk_buff *skb, struct genl_info *info);
int ft_netlink_flow_del(struct sk_buff *skb, struct genl_info *info);

/* netlink_dump.c */
int ft_netlink_flow_dump_start(struct netlink_callback *cb);
int ft_netlink_flow_dump(struct sk_buff *skb, struct netlink_callback *cb);
int ft_netlink_flow_dump_done(struct netlink_callback *cb);

/* netlink_guarded.c */
bool ft_netlink_guarded_match(const struct ft_filter *filter,
			      const struct nf_conn *ct);
int ft_netlink_put_guarded(struct sk_buff *skb, const struct nf_conn *ct);
struct nf_conn *ft_netlink_guarded_get(struct ft_net *tn,
				       const struct ft_key *key, bool from_hi);
int ft_netlink_guarded_by_id(struct ft_net *tn, u64 id, struct nf_conn **found);
bool ft_netlink_guarded_end(struct ft_net *tn, struct nf_conn *ct);
int ft_netlink_guarded_del(struct ft_net *tn, const struct ft_filter *filter,
			   u32 *ended);

/* netlink_add.c */
extern const struct nla_policy ft_counters_policy[FLOWTRACK_A_COUNTERS_MAX + 1];
int ft_netlink_flow_add(struct sk_buff *skb, struct genl_info *info);

/* netlink_stats.c */
int ft_netlink_stats_get(struct sk_buff *skb, struct genl_info *info);
int ft_netlink_stats_dump(struct sk_buff *skb, struct netlink_callback *cb);

/* netlink_top.c */
#define FT_NETLINK_TOP_ENTRY_SIZE					\
	(nla_total_size(0) + nla_total_size(sizeof(struct in6_addr)) +	\
	 8 * nla_total_size(sizeof(u32)))

int ft_netlink_put_top_entry(struct sk_buff *skb, unsigned int attr,
			     const struct ft_top_report *report,
			     const struct ft_top_entry *entry, u8 kind,
			     u8 order);
int ft_netlink_top_get(struct sk_buff *skb, struct genl_info *info);

/* netlink_pressure.c */
void ft_netlink_pressure(struct ft_net *tn,
			 const struct ft_watermark_event *event);

/* netlink_settings.c */
extern const struct nla_policy ft_settings_policy[FLOWTRACK_A_SETTINGS_MAX + 1];
int ft_netlink_settings_get(struct sk_buff *skb, struct genl_info *info);
int ft_netlink_settings_set(struct sk_buff *skb, struct genl_info *info);

/* The namespace of a request. */
static inline struct ft_net *ft_netlink_net(struct genl_info *info)
{
	return ft_pernet(genl_info_net(info));
}

#endif /* _FT_NETLINK_OPS_H */
