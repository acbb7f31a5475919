// SPDX-License-Identifier: GPL-2.0
/*
 * TCP's windows as netlink attributes: of a flow that is shown or entered.
 */
#include <linux/errno.h>
#include <linux/in.h>
#include <linux/netlink.h>
#include <linux/nf_flowtrack.h>
#include <linux/skbuff.h>
#include <net/netlink.h>

#include "base/extack.h"
#include "flow/flow.h"
#include "proto/nlattr.h"

#define A(name)		FLOWTRACK_A_TCP_DIR_##name
#define ATTR_OF(dir)	((dir) == FT_DIR_ORIG ? FLOWTRACK_A_FLOW_TCP_ORIG :	\
						FLOWTRACK_A_FLOW_TCP_REPLY)

/* A window is 16 bits, shifted by 14 at most (RFC 7323 2.3). */
#define SCALE_MAX	14

const struct nla_policy ft_tcp_dir_policy[FLOWTRACK_A_TCP_DIR_MAX + 1] = {
	[A(END)] = { .type = NLA_U32 },
	[A(MAXEND)] = { .type = NLA_U32 },
	[A(MAXWIN)] = { .type = NLA_U32 },
	[A(MAXACK)] = { .type = NLA_U32 },
	[A(SCALE)] = NLA_POLICY_MAX(NLA_U8, SCALE_MAX),
	[A(FLAGS)] = { .type = NLA_U8 },
};

/**
 * ft_tcp_nlattr_size() - what ft_tcp_to_nlattr() adds to a message
 *
 * Return: bytes.
 */
size_t ft_tcp_nlattr_size(void)
{
	return 2 * (nla_total_size(0) + 4 * nla_total_size(sizeof(u32)) +
		    2 * nla_total_size(sizeof(u8)));
}

static int put_dir(struct sk_buff *skb, const struct ft_tcp *tcp,
		   enum ft_dir dir)
{
	struct nlattr *nest = nla_nest_start(skb, ATTR_OF(dir));

	if (!nest || nla_put_u32(skb, A(END), tcp->end[dir]) ||
	    nla_put_u32(skb, A(MAXEND), tcp->maxend[dir]) ||
	    nla_put_u32(skb, A(MAXWIN), tcp->maxwin[dir]) ||
	    nla_put_u32(skb, A(MAXACK), tcp->maxack[dir]) ||
	    nla_put_u8(skb, A(SCALE), tcp->scale[dir]) ||
	    nla_put_u8(skb, A(FLAGS), tcp->flags[dir])) {
		nla_nest_cancel(skb, nest);
		return -EMSGSIZE;
	}
	nla_nest_end(skb, nest);
	return 0;
}

/**
 * ft_tcp_to_nlattr() - encode the windows of a connection
 * @skb: message
 * @tcp: state of the flow
 *
 * Context: any.
 * Return: 0, or -EMSGSIZE with the message in an undefined state.
 */
int ft_tcp_to_nlattr(struct sk_buff *skb, const struct ft_tcp *tcp)
{
	return put_dir(skb, tcp, FT_DIR_ORIG) ?:
	       put_dir(skb, tcp, FT_DIR_REPLY);
}

static int read_dir(const struct nlattr *nest, struct ft_tcp *tcp,
		    enum ft_dir dir, struct netlink_ext_ack *extack)
{
	struct nlattr *tb[FLOWTRACK_A_TCP_DIR_MAX + 1];
	unsigned int i;
	int err;

	err = nla_parse_nested(tb, FLOWTRACK_A_TCP_DIR_MAX, nest,
			       ft_tcp_dir_policy, extack);
	if (err)
		return err;
	for (i = 1; i <= FLOWTRACK_A_TCP_DIR_MAX; i++) {
		if (tb[i])
			continue;
		return FT_NETLINK_MISSING(extack, nest, i,
					  "the TCP state of a direction is incomplete");
	}
	tcp->end[dir] = nla_get_u32(tb[A(END)]);
	tcp->maxend[dir] = nla_get_u32(tb[A(MAXEND)]);
	tcp->maxwin[dir] = nla_get_u32(tb[A(MAXWIN)]);
	tcp->maxack[dir] = nla_get_u32(tb[A(MAXACK)]);
	tcp->scale[dir] = nla_get_u8(tb[A(SCALE)]);
	tcp->flags[dir] = nla_get_u8(tb[A(FLAGS)]);
	return 0;
}

/**
 * ft_tcp_from_nlattr() - read the windows of a flow that is entered
 * @attrs: FLOWTRACK_A_FLOW_*, each of them checked by its policy
 * @l4proto: protocol of the flow
 * @tcp: state of the flow, zeroed; filled if it is TCP and they are there
 * @extack: for errors
 *
 * Without them the windows stay zero, which means unknown: they are learnt from
 * the packets that come, as in the middle of any connection.
 *
 * Context: any.
 * Return: 0, or -EINVAL with message and attribute in @extack.
 */
int ft_tcp_from_nlattr(struct nlattr **attrs, u8 l4proto, struct ft_tcp *tcp,
		       struct netlink_ext_ack *extack)
{
	struct nlattr *orig = attrs[ATTR_OF(FT_DIR_ORIG)];
	struct nlattr *reply = attrs[ATTR_OF(FT_DIR_REPLY)];

	if (!orig && !reply)
		return 0;
	if (l4proto != IPPROTO_TCP)
		return FT_NETLINK_BAD(extack, orig ?: reply,
				      "the protocol is not TCP");
	if (!orig || !reply)
		return FT_NETLINK_MISSING(extack, NULL,
					  orig ? ATTR_OF(FT_DIR_REPLY) :
						 ATTR_OF(FT_DIR_ORIG),
					  "TCP state of both directions or of none");
	return read_dir(orig, tcp, FT_DIR_ORIG, extack) ?:
	       read_dir(reply, tcp, FT_DIR_REPLY, extack);
}
