// SPDX-License-Identifier: GPL-2.0
/*
 * Id, type and code of ICMP and ICMPv6 as netlink attributes of a tuple.
 */
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/netlink.h>
#include <linux/nf_flowtrack.h>
#include <linux/skbuff.h>
#include <net/netlink.h>

#include "base/extack.h"
#include "flow/flow.h"
#include "flow/tuple.h"
#include "proto/nlattr.h"

#define A(name)		FLOWTRACK_A_TUPLE_##name

/**
 * ft_icmp_nlattr_size() - what ft_icmp_to_nlattr() adds to a message
 *
 * Return: bytes.
 */
size_t ft_icmp_nlattr_size(void)
{
	return nla_total_size(sizeof(__be16)) + 2 * nla_total_size(sizeof(u8));
}

/**
 * ft_icmp_to_nlattr() - encode what an ICMP tuple has for ports
 * @skb: message, in the tuple's nest
 * @flow: the flow
 * @from: the endpoint that sends: 0 the requester, which is the lower one; 1 the other
 *
 * The key has the request's type; the other direction sends its answer.
 *
 * Context: any.
 * Return: 0 or -EMSGSIZE.
 */
int ft_icmp_to_nlattr(struct sk_buff *skb, const struct ft_flow *flow, unsigned int from)
{
	u16 type_code = ntohs(flow->key.port[1]);
	u8 type = type_code >> 8;

	if (from)
		type = ft_icmp_reply_type(flow->key.family, type);
	return nla_put_be16(skb, A(ICMP_ID), flow->key.port[0]) ?:
	       nla_put_u8(skb, A(ICMP_TYPE), type) ?:
	       nla_put_u8(skb, A(ICMP_CODE), type_code & 0xff);
}

static int check_icmp_family(const struct ft_tuple_nlattr *tuple)
{
	u8 wrong = tuple->family == NFPROTO_IPV4 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;

	if (tuple->l4proto != wrong)
		return 0;
	return FT_NETLINK_BAD(tuple->extack, tuple->l4attr,
			      "ICMP goes with IPv4 and ICMPv6 with IPv6");
}

/**
 * ft_icmp_from_nlattr() - read what an ICMP tuple has for ports
 * @tuple: what was read of it
 * @port: as ft_key_set() wants it; filled if the protocol is ICMP or ICMPv6
 *
 * Context: any.
 * Return: 0, or -EINVAL with message and attribute in the tuple's extack.
 */
int ft_icmp_from_nlattr(const struct ft_tuple_nlattr *tuple, __be16 *port)
{
	struct nlattr *id = tuple->tb[A(ICMP_ID)];
	struct nlattr *type = tuple->tb[A(ICMP_TYPE)];
	struct nlattr *code = tuple->tb[A(ICMP_CODE)];
	enum ft_icmp_kind kind;
	u8 request;
	int err;

	if (tuple->l4proto != IPPROTO_ICMP && tuple->l4proto != IPPROTO_ICMPV6) {
		if (id || type || code)
			return FT_NETLINK_BAD(tuple->extack, id ?: type ?: code,
					      "the protocol is not ICMP");
		return 0;
	}
	err = check_icmp_family(tuple);
	if (err)
		return err;
	if (!id)
		return FT_NETLINK_MISSING(tuple->extack, tuple->nest, A(ICMP_ID), "no ICMP id");
	if (!type)
		return FT_NETLINK_MISSING(tuple->extack, tuple->nest, A(ICMP_TYPE), "no ICMP type");
	kind = ft_icmp_kind_of(tuple->family, nla_get_u8(type), &request);
	if (kind != FT_ICMP_REQUEST && (tuple->opens || kind != FT_ICMP_REPLY))
		return FT_NETLINK_BAD(tuple->extack, type, "no flow begins with this ICMP type");
	port[0] = nla_get_be16(id);
	port[1] = htons(nla_get_u8(type) << 8 | (code ? nla_get_u8(code) : 0));
	return 0;
}
