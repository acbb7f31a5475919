/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the protocols keep of a flow, as netlink attributes of the flow. Which
 * protocol has which is told here and in proto.c, so that the requests and
 * replies need not know any protocol.
 */
#ifndef _FT_PROTO_NLATTR_H
#define _FT_PROTO_NLATTR_H

#include <linux/netlink.h>
#include <linux/skbuff.h>
#include <linux/types.h>
#include <linux/nf_flowtrack.h>
#include <net/netlink.h>

#include "flow/flow.h"

extern const struct nla_policy ft_tcp_dir_policy[FLOWTRACK_A_TCP_DIR_MAX + 1];

/* Rows of a policy of FLOWTRACK_A_FLOW_*: what ft_proto_from_nlattr() reads. */
#define FT_PROTO_NLATTR_POLICY						\
	[FLOWTRACK_A_FLOW_TCP_ORIG] =					\
		NLA_POLICY_NESTED(ft_tcp_dir_policy),			\
	[FLOWTRACK_A_FLOW_TCP_REPLY] =					\
		NLA_POLICY_NESTED(ft_tcp_dir_policy),			\
	[FLOWTRACK_A_FLOW_VTAG_ORIG] = { .type = NLA_BE32 },		\
	[FLOWTRACK_A_FLOW_VTAG_REPLY] = { .type = NLA_BE32 },

size_t ft_tcp_nlattr_size(void);
int ft_tcp_to_nlattr(struct sk_buff *skb, const struct ft_tcp *tcp);
int ft_tcp_from_nlattr(struct nlattr **attrs, u8 l4proto, struct ft_tcp *tcp,
		       struct netlink_ext_ack *extack);

size_t ft_sctp_nlattr_size(void);
int ft_sctp_to_nlattr(struct sk_buff *skb, const struct ft_sctp *sctp);
int ft_sctp_from_nlattr(struct nlattr **attrs, u8 l4proto, struct ft_sctp *sctp,
			struct netlink_ext_ack *extack);

#endif /* _FT_PROTO_NLATTR_H */
