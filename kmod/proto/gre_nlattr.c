// SPDX-License-Identifier: GPL-2.0
/*
 * What GRE has for ports as a netlink attribute of a tuple.
 */
#include <linux/in.h>
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
 * ft_gre_nlattr_size() - what ft_gre_to_nlattr() adds to a message
 *
 * Return: bytes.
 */
size_t ft_gre_nlattr_size(void)
{
	return nla_total_size(sizeof(__be32));
}

/**
 * ft_gre_to_nlattr() - encode what a GRE tuple has for ports
 * @skb: message, in the tuple's nest
 * @flow: the flow
 *
 * As the key has it, in both directions: what is the lower endpoint's is in the
 * upper half.
 *
 * Context: any.
 * Return: 0 or -EMSGSIZE.
 */
int ft_gre_to_nlattr(struct sk_buff *skb, const struct ft_flow *flow)
{
	const __be16 *port = flow->key.port;

	return nla_put_be32(skb, A(GRE_KEY), htonl((u32)ntohs(port[0]) << 16 | ntohs(port[1])));
}

/**
 * ft_gre_from_nlattr() - read what a GRE tuple has for ports
 * @tuple: what was read of it
 * @key: of the flow, without; completed if the protocol is GRE
 *
 * Context: any.
 * Return: 0, or -EINVAL with message and attribute in the tuple's extack.
 */
int ft_gre_from_nlattr(const struct ft_tuple_nlattr *tuple, struct ft_key *key)
{
	struct nlattr *attr = tuple->tb[A(GRE_KEY)];
	u32 gre_key;

	if (!attr)
		return 0;
	if (tuple->l4proto != IPPROTO_GRE)
		return FT_NETLINK_BAD(tuple->extack, attr, "the protocol is not GRE");
	gre_key = ntohl(nla_get_be32(attr));
	key->port[0] = htons(gre_key >> 16);
	key->port[1] = htons(gre_key & 0xffff);
	return 0;
}
