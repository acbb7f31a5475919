// SPDX-License-Identifier: GPL-2.0
/*
 * Tuples in messages: one direction of a flow, as its sender's packets have it.
 */
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/netlink.h>
#include <linux/nf_flowtrack.h>
#include <linux/socket.h>
#include <net/genetlink.h>
#include <net/netlink.h>

#include "base/extack.h"
#include "flow/tuple.h"
#include "netlink/tuple.h"

#define A(name)		FLOWTRACK_A_TUPLE_##name

const struct nla_policy ft_tuple_policy[FLOWTRACK_A_TUPLE_MAX + 1] = {
	[A(SRC4)] = { .type = NLA_BE32 },
	[A(DST4)] = { .type = NLA_BE32 },
	[A(SRC6)] = NLA_POLICY_EXACT_LEN(sizeof(struct in6_addr)),
	[A(DST6)] = NLA_POLICY_EXACT_LEN(sizeof(struct in6_addr)),
	[A(SPORT)] = { .type = NLA_BE16 },
	[A(DPORT)] = { .type = NLA_BE16 },
	[A(ICMP_ID)] = { .type = NLA_BE16 },
	[A(ICMP_TYPE)] = { .type = NLA_U8 },
	[A(ICMP_CODE)] = { .type = NLA_U8 },
	[A(GRE_KEY)] = { .type = NLA_BE32 },
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

static bool is_icmp(u8 l4proto)
{
	return l4proto == IPPROTO_ICMP || l4proto == IPPROTO_ICMPV6;
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

/* The key has the request's type; the other direction sends its answer. */
static int put_icmp(struct sk_buff *skb, const struct ft_flow6 *copy,
		    unsigned int from)
{
	u16 type_code = ntohs(copy->f.key.port[1]);
	u8 type = type_code >> 8;

	/* The requester is the lower endpoint. */
	if (from)
		type = ft_icmp_reply_type(copy->f.key.family, type);
	return nla_put_be16(skb, A(ICMP_ID), copy->f.key.port[0]) ?:
	       nla_put_u8(skb, A(ICMP_TYPE), type) ?:
	       nla_put_u8(skb, A(ICMP_CODE), type_code & 0xff);
}

static int put_protocol(struct sk_buff *skb, const struct ft_flow6 *copy,
			unsigned int from)
{
	const __be16 *port = copy->f.key.port;

	if (ft_l4_has_ports(copy->f.key.l4proto))
		return nla_put_be16(skb, A(SPORT), port[from]) ?:
		       nla_put_be16(skb, A(DPORT), port[!from]);
	if (is_icmp(copy->f.key.l4proto))
		return put_icmp(skb, copy, from);
	if (copy->f.key.l4proto == IPPROTO_GRE)
		return nla_put_be32(skb, A(GRE_KEY),
				    htonl((u32)ntohs(port[0]) << 16 |
					  ntohs(port[1])));
	return 0;
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
	    put_protocol(skb, copy, from)) {
		nla_nest_cancel(skb, nest);
		return -EMSGSIZE;
	}
	nla_nest_end(skb, nest);
	return 0;
}

/**
 * struct request - a tuple that is being read
 * @nest: its nest
 * @tb: what is in it
 * @extack: for errors
 */
struct request {
	const struct nlattr *nest;
	struct nlattr *tb[FLOWTRACK_A_TUPLE_MAX + 1];
	struct netlink_ext_ack *extack;
};

/* The first of some attributes (0 ends them) that is there, or NULL. */
static struct nlattr *first_of(const struct request *req,
			       const unsigned int *attrs)
{
	for (; *attrs; attrs++) {
		if (req->tb[*attrs])
			return req->tb[*attrs];
	}
	return NULL;
}

static const unsigned int port_attrs[] = { A(SPORT), A(DPORT), 0 };
static const unsigned int icmp_attrs[] = {
	A(ICMP_ID), A(ICMP_TYPE), A(ICMP_CODE), 0
};

static const unsigned int addr4_attrs[] = { A(SRC4), A(DST4), 0 };
static const unsigned int addr6_attrs[] = { A(SRC6), A(DST6), 0 };

static int read_addresses(const struct request *req, u8 *family,
			  union nf_inet_addr *addr)
{
	struct nlattr * const *tb = req->tb;
	struct nlattr *wrong;

	if (!*family)
		*family = tb[A(SRC6)] ? NFPROTO_IPV6 : NFPROTO_IPV4;
	memset(addr, 0, 2 * sizeof(*addr));
	if (*family == NFPROTO_IPV4) {
		wrong = first_of(req, addr6_attrs);
		if (wrong)
			return FT_NETLINK_BAD(req->extack, wrong,
					      "an IPv6 address in an IPv4 flow");
		if (!tb[A(SRC4)])
			return FT_NETLINK_MISSING(req->extack, req->nest, A(SRC4),
					  "no source address");
		if (!tb[A(DST4)])
			return FT_NETLINK_MISSING(req->extack, req->nest, A(DST4),
					  "no destination address");
		addr[0].ip = nla_get_be32(tb[A(SRC4)]);
		addr[1].ip = nla_get_be32(tb[A(DST4)]);
		return 0;
	}
	wrong = first_of(req, addr4_attrs);
	if (wrong)
		return FT_NETLINK_BAD(req->extack, wrong,
				      "an IPv4 address in an IPv6 flow");
	if (!tb[A(SRC6)])
		return FT_NETLINK_MISSING(req->extack, req->nest, A(SRC6),
					  "no source address");
	if (!tb[A(DST6)])
		return FT_NETLINK_MISSING(req->extack, req->nest, A(DST6),
					  "no destination address");
	addr[0].in6 = nla_get_in6_addr(tb[A(SRC6)]);
	addr[1].in6 = nla_get_in6_addr(tb[A(DST6)]);
	return 0;
}

static int read_ports(const struct request *req, __be16 *port)
{
	if (!req->tb[A(SPORT)])
		return FT_NETLINK_MISSING(req->extack, req->nest, A(SPORT),
					  "no source port");
	if (!req->tb[A(DPORT)])
		return FT_NETLINK_MISSING(req->extack, req->nest, A(DPORT),
					  "no destination port");
	port[0] = nla_get_be16(req->tb[A(SPORT)]);
	port[1] = nla_get_be16(req->tb[A(DPORT)]);
	return 0;
}

static int read_icmp(const struct request *req, u8 family, bool opens,
		     __be16 *port)
{
	struct nlattr * const *tb = req->tb;
	enum ft_icmp_kind kind;
	u8 type, code, request;

	if (!tb[A(ICMP_ID)])
		return FT_NETLINK_MISSING(req->extack, req->nest, A(ICMP_ID),
					  "no ICMP id");
	if (!tb[A(ICMP_TYPE)])
		return FT_NETLINK_MISSING(req->extack, req->nest, A(ICMP_TYPE),
					  "no ICMP type");
	type = nla_get_u8(tb[A(ICMP_TYPE)]);
	code = tb[A(ICMP_CODE)] ? nla_get_u8(tb[A(ICMP_CODE)]) : 0;
	kind = ft_icmp_kind_of(family, type, &request);
	if (kind != FT_ICMP_REQUEST && (opens || kind != FT_ICMP_REPLY))
		return FT_NETLINK_BAD(req->extack, tb[A(ICMP_TYPE)],
				      "no flow begins with this ICMP type");
	port[0] = nla_get_be16(tb[A(ICMP_ID)]);
	port[1] = htons(type << 8 | code);
	return 0;
}

/*
 * What stands in for the ports, as ft_key_set() wants it; of GRE as the key has it, of the
 * lower and of the upper endpoint.
 */
static int read_protocol(const struct request *req, u8 family, u8 l4proto,
			 bool opens, __be16 *port)
{
	struct nlattr *wrong;
	u32 gre_key;

	port[0] = 0;
	port[1] = 0;
	wrong = first_of(req, port_attrs);
	if (wrong && !ft_l4_has_ports(l4proto))
		return FT_NETLINK_BAD(req->extack, wrong,
				      "the protocol has no ports");
	wrong = first_of(req, icmp_attrs);
	if (wrong && !is_icmp(l4proto))
		return FT_NETLINK_BAD(req->extack, wrong,
				      "the protocol is not ICMP");
	wrong = req->tb[A(GRE_KEY)];
	if (wrong && l4proto != IPPROTO_GRE)
		return FT_NETLINK_BAD(req->extack, wrong,
				      "the protocol is not GRE");

	if (ft_l4_has_ports(l4proto))
		return read_ports(req, port);
	if (is_icmp(l4proto))
		return read_icmp(req, family, opens, port);
	if (req->tb[A(GRE_KEY)]) {
		gre_key = ntohl(nla_get_be32(req->tb[A(GRE_KEY)]));
		port[0] = htons(gre_key >> 16);
		port[1] = htons(gre_key & 0xffff);
	}
	return 0;
}

static int check_icmp_family(struct nlattr *attr, u8 family,
			     struct netlink_ext_ack *extack)
{
	u8 wrong = family == NFPROTO_IPV4 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;

	if (nla_get_u8(attr) != wrong)
		return 0;
	return FT_NETLINK_BAD(extack, attr,
			      "ICMP goes with IPv4 and ICMPv6 with IPv6");
}

/* Begin to read a tuple. */
static int request_init(struct request *req, const struct genl_info *info,
			const struct nlattr *nest)
{
	req->extack = info->extack;
	req->nest = nest;
	return nla_parse_nested(req->tb, FLOWTRACK_A_TUPLE_MAX, nest, ft_tuple_policy,
				info->extack);
}

/* The key of a tuple of which the addresses have been read. */
static int read_key(const struct request *req, u8 family, u8 l4proto, u16 zone,
		    const union nf_inet_addr *addr, bool opens, struct ft_key *key, bool *from_hi)
{
	__be16 port[2];
	int err;

	err = read_protocol(req, family, l4proto, opens, port);
	if (err)
		return err;
	if (l4proto == IPPROTO_GRE) {
		*from_hi = ft_key_set(key, family, l4proto, zone, &addr[0], &addr[1], 0, 0);
		key->port[0] = port[0];
		key->port[1] = port[1];
	} else {
		*from_hi = ft_key_set(key, family, l4proto, zone, &addr[0], &addr[1],
				      port[0], port[1]);
	}
	return 0;
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
	struct nlattr **attrs = info->attrs;
	union nf_inet_addr addr[2];
	struct request req;
	struct nlattr *attr;
	u8 family, l4proto;
	int err;

	attr = attrs[FLOWTRACK_A_FLOW_ORIG];
	if (!attr)
		return FT_NETLINK_MISSING(info->extack, NULL,
					  FLOWTRACK_A_FLOW_ORIG, "no tuple");
	err = request_init(&req, info, attr);
	if (err)
		return err;
	attr = attrs[FLOWTRACK_A_FLOW_FAMILY];
	if (attr) {
		err = ft_netlink_check_family(attr, info->extack);
		if (err)
			return err;
	}
	family = attr ? nla_get_u8(attr) : 0;
	err = read_addresses(&req, &family, addr);
	if (err)
		return err;

	attr = attrs[FLOWTRACK_A_FLOW_L4PROTO];
	if (!attr)
		return FT_NETLINK_MISSING(info->extack, NULL,
					  FLOWTRACK_A_FLOW_L4PROTO,
					  "no protocol");
	l4proto = nla_get_u8(attr);
	err = check_icmp_family(attr, family, info->extack);
	if (err)
		return err;
	attr = attrs[FLOWTRACK_A_FLOW_ZONE];
	return read_key(&req, family, l4proto, attr ? nla_get_u16(attr) : 0, addr, opens, key,
			from_hi);
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
	union nf_inet_addr addr[2];
	u8 family = first->family;
	struct request req;
	int err;

	err = request_init(&req, info, nest) ?: read_addresses(&req, &family, addr) ?:
	      read_key(&req, family, first->l4proto, first->zone, addr, false, key, from_hi);
	if (err || !is_icmp(first->l4proto) ||
	    (*from_hi && key->port[1] == first->port[1]))
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
