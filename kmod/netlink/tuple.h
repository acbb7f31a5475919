/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tuples in messages: one direction of a flow.
 */
#ifndef _FT_NETLINK_TUPLE_H
#define _FT_NETLINK_TUPLE_H

#include <linux/types.h>
#include <linux/nf_flowtrack.h>
#include <net/netlink.h>

#include "flow/flow.h"

struct genl_info;
struct sk_buff;

extern const struct nla_policy ft_tuple_policy[FLOWTRACK_A_TUPLE_MAX + 1];
int ft_netlink_check_family(const struct nlattr *attr,
			    struct netlink_ext_ack *extack);
int ft_netlink_put_tuple(struct sk_buff *skb, unsigned int attr,
			 const struct ft_flow6 *copy, enum ft_dir dir);
int ft_netlink_get_key(const struct genl_info *info, struct ft_key *key,
		       bool *from_hi, bool opens);
int ft_netlink_get_answer(const struct genl_info *info, const struct ft_key *first,
			  struct ft_key *key, bool *from_hi);
const struct ft_flow6 *ft_netlink_answers(const struct ft_flow6 *copy, struct ft_flow6 *reply);

#endif /* _FT_NETLINK_TUPLE_H */
