// SPDX-License-Identifier: GPL-2.0
/*
 * After nf_conntrack_netlink.c: Jay Schulist, Harald Welte, Patrick McHardy,
 * Pablo Neira Ayuso.
 */
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_conntrack_l4proto.h>
#include <net/netfilter/nf_conntrack_labels.h>

#include "ctnetlink/parse.h"

const struct nla_policy ft_ctnl_policy[CTA_MAX + 1] = {
	[CTA_TUPLE_ORIG]	= { .type = NLA_NESTED },
	[CTA_TUPLE_REPLY]	= { .type = NLA_NESTED },
	[CTA_STATUS]		= { .type = NLA_U32 },
	[CTA_PROTOINFO]		= { .type = NLA_NESTED },
	[CTA_HELP]		= { .type = NLA_NESTED },
	[CTA_NAT_SRC]		= { .type = NLA_NESTED },
	[CTA_TIMEOUT]		= { .type = NLA_U32 },
	[CTA_MARK]		= { .type = NLA_U32 },
	[CTA_ID]		= { .type = NLA_U32 },
	[CTA_NAT_DST]		= { .type = NLA_NESTED },
	[CTA_TUPLE_MASTER]	= { .type = NLA_NESTED },
	[CTA_SEQ_ADJ_ORIG]	= { .type = NLA_NESTED },
	[CTA_SEQ_ADJ_REPLY]	= { .type = NLA_NESTED },
	[CTA_ZONE]		= { .type = NLA_U16 },
	[CTA_MARK_MASK]		= { .type = NLA_U32 },
	[CTA_LABELS]		= { .type = NLA_BINARY, .len = NF_CT_LABELS_MAX_SIZE },
	[CTA_LABELS_MASK]	= { .type = NLA_BINARY, .len = NF_CT_LABELS_MAX_SIZE },
	[CTA_FILTER]		= { .type = NLA_NESTED },
	[CTA_STATUS_MASK]	= { .type = NLA_U32 },
#ifdef FT_HAVE_CTA_TIMESTAMP_EVENT
	[CTA_TIMESTAMP_EVENT]	= { .type = NLA_REJECT },
#endif
};

static const struct nla_policy ip_policy[CTA_IP_MAX + 1] = {
	[CTA_IP_V4_SRC]	= { .type = NLA_U32 },
	[CTA_IP_V4_DST]	= { .type = NLA_U32 },
	[CTA_IP_V6_SRC]	= { .len = sizeof(struct in6_addr) },
	[CTA_IP_V6_DST]	= { .len = sizeof(struct in6_addr) },
};

static const struct nla_policy proto_policy[CTA_PROTO_MAX + 1] = {
	[CTA_PROTO_NUM]	= { .type = NLA_U8 },
};

static const struct nla_policy tuple_policy[CTA_TUPLE_MAX + 1] = {
	[CTA_TUPLE_IP]		= { .type = NLA_NESTED },
	[CTA_TUPLE_PROTO]	= { .type = NLA_NESTED },
	[CTA_TUPLE_ZONE]	= { .type = NLA_U16 },
};

static int parse_ip_address(const struct nlattr *attr, u8 family, union nf_inet_addr *addr)
{
	if (!attr)
		return -EINVAL;
	if (family == NFPROTO_IPV4)
		addr->ip = nla_get_in_addr(attr);
	else
		addr->in6 = nla_get_in6_addr(attr);
	return 0;
}

static int parse_ip(const struct nlattr *attr, struct nf_conntrack_tuple *tuple, u32 parts)
{
	bool v4 = tuple->src.l3num == NFPROTO_IPV4;
	struct nlattr *tb[CTA_IP_MAX + 1];
	int err;

	err = nla_parse_nested_deprecated(tb, CTA_IP_MAX, attr, ip_policy, NULL);
	if (!err && parts & FT_CTNL_PART_IP_SRC)
		err = parse_ip_address(tb[v4 ? CTA_IP_V4_SRC : CTA_IP_V6_SRC], tuple->src.l3num,
				       &tuple->src.u3);
	if (!err && parts & FT_CTNL_PART_IP_DST)
		err = parse_ip_address(tb[v4 ? CTA_IP_V4_DST : CTA_IP_V6_DST], tuple->src.l3num,
				       &tuple->dst.u3);
	return err;
}

static int parse_proto(const struct nlattr *attr, struct nf_conntrack_tuple *tuple, u32 parts)
{
	const struct nf_conntrack_l4proto *l4proto;
	struct nlattr *tb[CTA_PROTO_MAX + 1];
	int err;

	err = nla_parse_nested_deprecated(tb, CTA_PROTO_MAX, attr, proto_policy, NULL);
	if (err)
		return err;
	if (!tb[CTA_PROTO_NUM])
		return -EINVAL;
	tuple->dst.protonum = nla_get_u8(tb[CTA_PROTO_NUM]);
	l4proto = nf_ct_l4proto_find(tuple->dst.protonum);
	if (!l4proto->nlattr_to_tuple)
		return 0;
	return nla_validate_nested_deprecated(attr, CTA_PROTO_MAX, l4proto->nla_policy, NULL) ?:
	       l4proto->nlattr_to_tuple(tb, tuple, parts);
}

/**
 * ft_ctnl_parse_zone() - read a zone
 * @attr: the attribute, or NULL
 * @zone: set, to the default without an attribute
 *
 * Context: any.
 * Return: 0; -EOPNOTSUPP: the kernel has no zones.
 */
int ft_ctnl_parse_zone(const struct nlattr *attr, struct nf_conntrack_zone *zone)
{
	nf_ct_zone_init(zone, NF_CT_DEFAULT_ZONE_ID, NF_CT_DEFAULT_ZONE_DIR, 0);
	if (!attr)
		return 0;
#ifdef CONFIG_NF_CONNTRACK_ZONES
	zone->id = ntohs(nla_get_be16(attr));
	return 0;
#else
	return -EOPNOTSUPP;
#endif
}

static int parse_tuple_zone(const struct nlattr *attr, u32 type, struct nf_conntrack_zone *zone)
{
	int err;

	/* CTA_ZONE is the zone of both directions: not both. */
	if (!zone || zone->id != NF_CT_DEFAULT_ZONE_ID)
		return -EINVAL;
	err = ft_ctnl_parse_zone(attr, zone);
	if (err)
		return err;
	zone->dir = type == CTA_TUPLE_REPLY ? NF_CT_ZONE_DIR_REPL : NF_CT_ZONE_DIR_ORIG;
	return 0;
}

/**
 * ft_ctnl_parse_parts() - read parts of a tuple
 * @cda: attributes of the request
 * @tuple: filled; what is not meant is zero
 * @type: which of them it is: CTA_TUPLE_*, CTA_EXPECT_*
 * @family: NFPROTO_*, of the request
 * @zone: from ft_ctnl_parse_zone(); set if the tuple has one of its own. NULL: it may not
 * @parts: which parts are meant, FT_CTNL_PART_*
 *
 * Context: any.
 * Return: 0; -EINVAL: a part is missing; -EOPNOTSUPP: no such family.
 */
int ft_ctnl_parse_parts(const struct nlattr * const cda[], struct nf_conntrack_tuple *tuple,
			u32 type, u8 family, struct nf_conntrack_zone *zone, u32 parts)
{
	struct nlattr *tb[CTA_TUPLE_MAX + 1];
	int err;

	memset(tuple, 0, sizeof(*tuple));
	err = nla_parse_nested_deprecated(tb, CTA_TUPLE_MAX, cda[type], tuple_policy, NULL);
	if (err)
		return err;
	if (family != NFPROTO_IPV4 && family != NFPROTO_IPV6)
		return -EOPNOTSUPP;
	tuple->src.l3num = family;
	if (parts & (FT_CTNL_PART_IP_SRC | FT_CTNL_PART_IP_DST)) {
		if (!tb[CTA_TUPLE_IP])
			return -EINVAL;
		err = parse_ip(tb[CTA_TUPLE_IP], tuple, parts);
		if (err)
			return err;
	}
	if (parts & FT_CTNL_PART_PROTO) {
		if (!tb[CTA_TUPLE_PROTO])
			return -EINVAL;
		err = parse_proto(tb[CTA_TUPLE_PROTO], tuple, parts);
		if (err)
			return err;
	} else if (parts & FT_CTNL_PARTS_L4) {
		/* Ports of what? */
		return -EINVAL;
	}
	if (parts & FT_CTNL_PART_ZONE && tb[CTA_TUPLE_ZONE]) {
		err = parse_tuple_zone(tb[CTA_TUPLE_ZONE], type, zone);
		if (err)
			return err;
	}
	tuple->dst.dir = type == CTA_TUPLE_REPLY ? IP_CT_DIR_REPLY : IP_CT_DIR_ORIGINAL;
	return 0;
}

/**
 * ft_ctnl_parse_named() - which connection is meant?
 * @cda: attributes of the request
 * @tuple: set to that of its original direction, else to that of the other one
 * @family: NFPROTO_*, of the request
 * @zone: set
 *
 * Context: any.
 * Return: 0; -EINVAL: neither, or one that is incomplete; -EOPNOTSUPP: no such family.
 */
int ft_ctnl_parse_named(const struct nlattr * const cda[], struct nf_conntrack_tuple *tuple,
			u8 family, struct nf_conntrack_zone *zone)
{
	u32 type = cda[CTA_TUPLE_ORIG] ? CTA_TUPLE_ORIG : CTA_TUPLE_REPLY;
	int err;

	err = ft_ctnl_parse_zone(cda[CTA_ZONE], zone);
	if (err)
		return err;
	if (!cda[type])
		return -EINVAL;
	return ft_ctnl_parse_tuple(cda, tuple, type, family, zone);
}
