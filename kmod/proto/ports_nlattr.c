// SPDX-License-Identifier: GPL-2.0
/*
 * The ports of a tuple as netlink attributes, of every protocol that has ports.
 */
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
 * ft_ports_nlattr_size() - what ft_ports_to_nlattr() adds to a message
 *
 * Return: bytes.
 */
size_t ft_ports_nlattr_size(void)
{
	return 2 * nla_total_size(sizeof(__be16));
}

/**
 * ft_ports_to_nlattr() - encode the ports of a tuple
 * @skb: message, in the tuple's nest
 * @flow: the flow
 * @from: the endpoint that sends: 0 the lower, 1 the upper one
 *
 * Context: any.
 * Return: 0 or -EMSGSIZE.
 */
int ft_ports_to_nlattr(struct sk_buff *skb, const struct ft_flow *flow, unsigned int from)
{
	return nla_put_be16(skb, A(SPORT), flow->key.port[from]) ?:
	       nla_put_be16(skb, A(DPORT), flow->key.port[!from]);
}

/**
 * ft_ports_from_nlattr() - read the ports of a tuple
 * @tuple: what was read of it
 * @port: source and destination port; filled if the protocol has ports
 *
 * Context: any.
 * Return: 0, or -EINVAL with message and attribute in the tuple's extack.
 */
int ft_ports_from_nlattr(const struct ft_tuple_nlattr *tuple, __be16 *port)
{
	struct nlattr *sport = tuple->tb[A(SPORT)];
	struct nlattr *dport = tuple->tb[A(DPORT)];

	if (!ft_l4_has_ports(tuple->l4proto)) {
		if (sport || dport)
			return FT_NETLINK_BAD(tuple->extack, sport ?: dport,
					      "the protocol has no ports");
		return 0;
	}
	if (!sport)
		return FT_NETLINK_MISSING(tuple->extack, tuple->nest, A(SPORT), "no source port");
	if (!dport)
		return FT_NETLINK_MISSING(tuple->extack, tuple->nest, A(DPORT),
					  "no destination port");
	port[0] = nla_get_be16(sport);
	port[1] = nla_get_be16(dport);
	return 0;
}
