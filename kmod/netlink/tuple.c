// SPDX-License-Identifier: GPL-2.0
/*
 * Tuples in messages: one direction of a flow, as its sender's packets have it.
 */
#include <linux/in6.h>
#include <linux/netlink.h>
#include <linux/nf_flowtrack.h>
#include <linux/socket.h>
#include <net/genetlink.h>
#include <net/netlink.h>

#include "base/extack.h"
#include "flow/tuple.h"
#include "netlink/tuple.h"
#include "proto/nlattr.h"
#include "proto/proto.h"

#define A(name)		FLOWTRACK_A_TUPLE_##name

const struct nla_policy ft_tuple_policy[FLOWTRACK_A_TUPLE_MAX + 1] = {
	[A(SRC4)] = { .type = NLA_BE32 },
	[A(DST4)] = { .type = NLA_BE32 },
	[A(SRC6)] = NLA_POLICY_EXACT_LEN(sizeof(struct in6_addr)),
	[A(DST6)] = NLA_POLICY_EXACT_LEN(sizeof(struct in6_addr)),
	FT_PROTO_TUPLE_NLATTR_POLICY
};

/**
 * ft_netlink_check_family() - is it AF_INET or AF_INET6?
 * @attr: attribute with an address family
 * @extack: gets message and attribute of an error
 *
 * Not a validation function of the policies: when a client asks the kernel for
 * a policy, it dumps the range of an integer, which shares its memory with the
 * function, and warns.
 *
 * Return: 0 or -EINVAL.
 */
int ft_netlink_check_family(const struct nlattr *attr,
			    struct netlink_ext_ack *extack)
{
	static_assert(AF_INET == NFPROTO_IPV4 && AF_INET6 == NFPROTO_IPV6);

	if (nla_get_u8(attr) == AF_INET || nla_get_u8(attr) == AF_INET6)
		return 0;
	return FT_NETLINK_BAD(extack, attr, "must be AF_INET or AF_INET6");
}

static int put_addresses(struct sk_buff *skb, const struct ft_flow6 *copy,
			 unsigned int from)
{
	if (copy->f.key.family == NFPROTO_IPV4)
		return nla_put_be32(skb, A(SRC4), copy->f.key.addr4[from]) ?:
		       nla_put_be32(skb, A(DST4), copy->f.key.addr4[!from]);
	return nla_put(skb, A(SRC6), sizeof(copy->addr6[from]),
		       &copy->addr6[from]) ?:
	       nla_put(skb, A(DST6), sizeof(copy->addr6[!from]),
		       &copy->addr6[!from]);
}

/**
 * ft_netlink_put_tuple() - encode one direction of a flow
 * @skb: message
 * @attr: attribute for the nest
 * @copy: the flow
 * @dir: which direction
 *
 * Return: 0 or -EMSGSIZE.
 */
int ft_netlink_put_tuple(struct sk_buff *skb, unsigned int attr,
			 const struct ft_flow6 *copy, enum ft_dir dir)
{
	bool orig_hi = atomic_read(&copy->f.word) & FT_FLOW_ORIG_HI;
	unsigned int from = orig_hi == (dir == FT_DIR_ORIG);
	struct nlattr *nest = nla_nest_start(skb, attr);

	if (!nest || put_addresses(skb, copy, from) ||
	    ft_proto_tuple_to_nlattr(skb, &copy->f, from)) {
		nla_nest_cancel(skb, nest);
		return -EMSGSIZE;
	}
	nla_nest_end(skb, nest);
	return 0;
}

/* The first of some attributes (0 ends them) that is there, or NULL. */
static struct nlattr *first_of(const struct ft_tuple_nlattr *tuple,
			       const unsigned int *attrs)
{
	for (; *attrs; attrs++) {
		if (tuple->tb[*attrs])
			return tuple->tb[*attrs];
	}
	return NULL;
}

static const unsigned int addr4_attrs[] = { A(SRC4), A(DST4), 0 };
static const unsigned int addr6_attrs[] = { A(SRC6), A(DST6), 0 };

static int read_addresses(struct ft_tuple_nlattr *tuple,
			  union nf_inet_addr *addr)
{
	struct nlattr * const *tb = tuple->tb;
	struct nlattr *wrong;

	if (!tuple->family)
		tuple->family = tb[A(SRC6)] ? NFPROTO_IPV6 : NFPROTO_IPV4;
	memset(addr, 0, 2 * sizeof(*addr));
	if (tuple->family == NFPROTO_IPV4) {
		wrong = first_of(tuple, addr6_attrs);
		if (wrong)
			return FT_NETLINK_BAD(tuple->extack, wrong,
					      "an IPv6 address in an IPv4 flow");
		if (!tb[A(SRC4)])
			return FT_NETLINK_MISSING(tuple->extack, tuple->nest, A(SRC4),
					  "no source address");
		if (!tb[A(DST4)])
			return FT_NETLINK_MISSING(tuple->extack, tuple->nest, A(DST4),
					  "no destination address");
		addr[0].ip = nla_get_be32(tb[A(SRC4)]);
		addr[1].ip = nla_get_be32(tb[A(DST4)]);
		return 0;
	}
	wrong = first_of(tuple, addr4_attrs);
	if (wrong)
		return FT_NETLINK_BAD(tuple->extack, wrong,
				      "an IPv4 address in an IPv6 flow");
	if (!tb[A(SRC6)])
		return FT_NETLINK_MISSING(tuple->extack, tuple->nest, A(SRC6),
					  "no source address");
	if (!tb[A(DST6)])
		return FT_NETLINK_MISSING(tuple->extack, tuple->nest, A(DST6),
					  "no destination address");
	addr[0].in6 = nla_get_in6_addr(tb[A(SRC6)]);
	addr[1].in6 = nla_get_in6_addr(tb[A(DST6)]);
	return 0;
}

/* Begin to read a tuple. */
static int tuple_init(struct ft_tuple_nlattr *tuple, const struct genl_info *info,
		      const struct nlattr *nest)
{
	tuple->extack = info->extack;
	tuple->nest = nest;
	tuple->l4attr = info->attrs[FLOWTRACK_A_FLOW_L4PROTO];
	return nla_parse_nested(tuple->tb, FLOWTRACK_A_TUPLE_MAX, nest, ft_tuple_policy,
				info->extack);
}

/**
 * ft_netlink_get_key() - the flow that a request's tuple names
 * @info: the request: family (may be missing), l4proto, zone, orig
 * @key: filled
 * @from_hi: set to whether the tuple's sender is the upper endpoint
 * @opens: the tuple must be that of a first packet; else either direction's
 *	will do
 *
 * Context: any.
 * Return: 0, or -EINVAL with message and attribute in the request's extack.
 */
int ft_netlink_get_key(const struct genl_info *info, struct ft_key *key,
		       bool *from_hi, bool opens)
{
	struct ft_tuple_nlattr tuple = { .opens = opens };
	struct nlattr **attrs = info->attrs;
	union nf_inet_addr addr[2];
	struct nlattr *attr;
	int err;

	attr = attrs[FLOWTRACK_A_FLOW_ORIG];
	if (!attr)
		return FT_NETLINK_MISSING(info->extack, NULL,
					  FLOWTRACK_A_FLOW_ORIG, "no tuple");
	err = tuple_init(&tuple, info, attr);
	if (err)
		return err;
	attr = attrs[FLOWTRACK_A_FLOW_FAMILY];
	if (attr) {
		err = ft_netlink_check_family(attr, info->extack);
		if (err)
			return err;
		tuple.family = nla_get_u8(attr);
	}
	err = read_addresses(&tuple, addr);
	if (err)
		return err;

	if (!tuple.l4attr)
		return FT_NETLINK_MISSING(info->extack, NULL,
					  FLOWTRACK_A_FLOW_L4PROTO,
					  "no protocol");
	tuple.l4proto = nla_get_u8(tuple.l4attr);
	attr = attrs[FLOWTRACK_A_FLOW_ZONE];
	return ft_proto_key_from_nlattr(&tuple, addr, attr ? nla_get_u16(attr) : 0,
					key, from_hi);
}

/**
 * ft_netlink_get_answer() - what the answers to a flow are like
 * @info: the request: reply
 * @first: the flow's key, from ft_netlink_get_key()
 * @key: filled: the key of its answers, which is another one if it is translated
 * @from_hi: set to whether the tuple's sender is the upper endpoint of @key
 *
 * Context: any.
 * Return: as ft_netlink_get_key().
 */
int ft_netlink_get_answer(const struct genl_info *info, const struct ft_key *first,
			  struct ft_key *key, bool *from_hi)
{
	const struct nlattr *nest = info->attrs[FLOWTRACK_A_FLOW_REPLY];
	struct ft_tuple_nlattr tuple = { .family = first->family, .l4proto = first->l4proto };
	union nf_inet_addr addr[2];
	int err;

	err = tuple_init(&tuple, info, nest) ?: read_addresses(&tuple, addr) ?:
	      ft_proto_key_from_nlattr(&tuple, addr, first->zone, key, from_hi);
	if (err || ft_proto_answers(first, key, *from_hi))
		return err;
	return FT_NETLINK_BAD(info->extack, nest, "not the answer to this request");
}

/**
 * ft_netlink_answers() - the answers to a translated flow
 * @copy: the flow
 * @reply: filled: a flow that they would open
 *
 * Context: any.
 * Return: @reply; NULL: the flow is not translated, its answers are what is to be
 * expected.
 */
const struct ft_flow6 *ft_netlink_answers(const struct ft_flow6 *copy, struct ft_flow6 *reply)
{
	u32 word = atomic_read(&copy->f.word);
	struct ft_key key;

	if (likely(!(word & FT_FLOW_NAT)))
		return NULL;
	memset(reply, 0, sizeof(*reply));
	ft_nat_key(&copy->f, &copy->nat, &key);
	memcpy(&reply->f.key, &key, sizeof(reply->f.key));
	memcpy(reply->addr6, key.addr6, sizeof(reply->addr6));
	atomic_set(&reply->f.word, word & FT_FLOW_REPLY_HI ? FT_FLOW_ORIG_HI : 0);
	return reply;
}
