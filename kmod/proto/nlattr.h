/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the protocols keep of a flow, as netlink attributes of the flow, and what
 * stands in their tuples for the ports. Which protocol has which is told here and
 * in proto.c, so that the requests and replies need not know any protocol.
 */
#ifndef _FT_PROTO_NLATTR_H
#define _FT_PROTO_NLATTR_H

#include <linux/netlink.h>
#include <linux/skbuff.h>
#include <linux/types.h>
#include <linux/nf_flowtrack.h>
#include <net/netlink.h>

#include "flow/flow.h"
#include "flow/tuple.h"

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

/* Rows of a policy of FLOWTRACK_A_TUPLE_*: what ft_proto_key_from_nlattr() reads. */
#define FT_PROTO_TUPLE_NLATTR_POLICY					\
	[FLOWTRACK_A_TUPLE_SPORT] = { .type = NLA_BE16 },		\
	[FLOWTRACK_A_TUPLE_DPORT] = { .type = NLA_BE16 },		\
	[FLOWTRACK_A_TUPLE_ICMP_ID] = { .type = NLA_BE16 },		\
	[FLOWTRACK_A_TUPLE_ICMP_TYPE] = { .type = NLA_U8 },		\
	[FLOWTRACK_A_TUPLE_ICMP_CODE] = { .type = NLA_U8 },		\
	[FLOWTRACK_A_TUPLE_GRE_KEY] = { .type = NLA_BE32 },

/**
 * struct ft_tuple_nlattr - a tuple of a request that is being read
 * @nest: its nest
 * @tb: FLOWTRACK_A_TUPLE_*: what is in it
 * @l4attr: the attribute that names the protocol
 * @extack: for errors
 * @family: NFPROTO_IPV4 or NFPROTO_IPV6
 * @l4proto: IPPROTO_*
 * @opens: must be that of a first packet; else either direction's will do
 */
struct ft_tuple_nlattr {
	const struct nlattr *nest;
	struct nlattr *tb[FLOWTRACK_A_TUPLE_MAX + 1];
	const struct nlattr *l4attr;
	struct netlink_ext_ack *extack;
	u8 family;
	u8 l4proto;
	bool opens;
};

size_t ft_ports_nlattr_size(void);
int ft_ports_to_nlattr(struct sk_buff *skb, const struct ft_flow *flow, unsigned int from);
int ft_ports_from_nlattr(const struct ft_tuple_nlattr *tuple, __be16 *port);

size_t ft_icmp_nlattr_size(void);
int ft_icmp_to_nlattr(struct sk_buff *skb, const struct ft_flow *flow, unsigned int from);
int ft_icmp_from_nlattr(const struct ft_tuple_nlattr *tuple, __be16 *port);

size_t ft_gre_nlattr_size(void);
int ft_gre_to_nlattr(struct sk_buff *skb, const struct ft_flow *flow);
int ft_gre_from_nlattr(const struct ft_tuple_nlattr *tuple, struct ft_key *key);

#endif /* _FT_PROTO_NLATTR_H */
