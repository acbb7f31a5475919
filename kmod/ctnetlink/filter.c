// SPDX-License-Identifier: GPL-2.0
/*
 * After nf_conntrack_netlink.c: Jay Schulist, Harald Welte, Patrick McHardy,
 * Pablo Neira Ayuso.
 */
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/slab.h>
#include <net/ipv6.h>
#include <net/netfilter/nf_conntrack_zones.h>

#include "ctnetlink/filter.h"
#include "ctnetlink/parse.h"

static const struct nla_policy filter_policy[CTA_FILTER_MAX + 1] = {
	[CTA_FILTER_ORIG_FLAGS]		= NLA_POLICY_MASK(NLA_U32, FT_CTNL_PARTS_ALL),
	[CTA_FILTER_REPLY_FLAGS]	= NLA_POLICY_MASK(NLA_U32, FT_CTNL_PARTS_ALL),
};

static int parse_mark_mask(struct ft_ctnl_value *mark, const struct nlattr * const cda[])
{
	if (!cda[CTA_MARK])
		return cda[CTA_MARK_MASK] ? -EINVAL : 0;
	if (!IS_ENABLED(CONFIG_NF_CONNTRACK_MARK))
		return -EOPNOTSUPP;
	mark->val = ntohl(nla_get_be32(cda[CTA_MARK]));
	mark->mask = cda[CTA_MARK_MASK] ? ntohl(nla_get_be32(cda[CTA_MARK_MASK])) : U32_MAX;
	return 0;
}

static int parse_status(struct ft_ctnl_value *status, const struct nlattr * const cda[])
{
	if (!cda[CTA_STATUS])
		return cda[CTA_STATUS_MASK] ? -EINVAL : 0;
	status->val = ntohl(nla_get_be32(cda[CTA_STATUS]));
	status->mask = cda[CTA_STATUS_MASK] ? ntohl(nla_get_be32(cda[CTA_STATUS_MASK])) :
					      status->val;
	/* An empty mask would mean all connections, or none. */
	return status->mask ? 0 : -EINVAL;
}

static int parse_tuples(struct ft_ctnl_filter *filter, const struct nlattr * const cda[])
{
	struct nlattr *tb[CTA_FILTER_MAX + 1];
	unsigned int dir;
	int err;

	err = nla_parse_nested(tb, CTA_FILTER_MAX, cda[CTA_FILTER], filter_policy, NULL);
	if (err)
		return err;
	/* The attributes of the two directions follow one another, here as there. */
	for (dir = 0; dir < IP_CT_DIR_MAX; dir++) {
		const struct nlattr *parts = tb[CTA_FILTER_ORIG_FLAGS + dir];

		filter->parts[dir] = parts ? nla_get_u32(parts) : 0;
		if (!filter->parts[dir])
			continue;
		if (!cda[CTA_TUPLE_ORIG + dir])
			return -EINVAL;
		err = ft_ctnl_parse_parts(cda, &filter->tuple[dir], CTA_TUPLE_ORIG + dir,
					  filter->family, &filter->zone, filter->parts[dir]);
		if (err)
			return err;
	}
	return 0;
}

/**
 * ft_ctnl_filter_create() - the filter that a request asks for
 * @cda: its attributes
 * @family: NFPROTO_*, of the request; 0: any
 *
 * Context: may sleep.
 * Return: the filter, to be freed by kfree(); NULL: none; ERR_PTR(): -EINVAL, -EOPNOTSUPP,
 * -ENOMEM, -ERANGE.
 */
struct ft_ctnl_filter *ft_ctnl_filter_create(const struct nlattr * const cda[], u8 family)
{
	struct ft_ctnl_filter *filter;
	int err;

	if (!family && !cda[CTA_MARK] && !cda[CTA_FILTER] && !cda[CTA_STATUS] && !cda[CTA_ZONE])
		return NULL;
	filter = kzalloc(sizeof(*filter), GFP_KERNEL);
	if (!filter)
		return ERR_PTR(-ENOMEM);
	filter->family = family;
	filter->has_zone = cda[CTA_ZONE];
	err = parse_mark_mask(&filter->mark, cda) ?:
	      parse_status(&filter->status, cda) ?:
	      ft_ctnl_parse_zone(cda[CTA_ZONE], &filter->zone);
	if (!err && cda[CTA_FILTER])
		err = parse_tuples(filter, cda);
	if (err) {
		kfree(filter);
		return ERR_PTR(err);
	}
	return filter;
}

static bool is_address(const union nf_inet_addr *a, const union nf_inet_addr *b, u8 family)
{
	return family == NFPROTO_IPV6 ? ipv6_addr_equal(&a->in6, &b->in6) : a->ip == b->ip;
}

static bool match_icmp(const struct nf_conntrack_tuple *want,
		       const struct nf_conntrack_tuple *tuple, bool type, bool code, bool id)
{
	return (!type || want->dst.u.icmp.type == tuple->dst.u.icmp.type) &&
	       (!code || want->dst.u.icmp.code == tuple->dst.u.icmp.code) &&
	       (!id || want->src.u.icmp.id == tuple->src.u.icmp.id);
}

static bool match_l4(const struct nf_conntrack_tuple *want, const struct nf_conntrack_tuple *tuple,
		     u32 parts)
{
	switch (tuple->dst.protonum) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
		return (!(parts & FT_CTNL_PART_SPORT) || want->src.u.all == tuple->src.u.all) &&
		       (!(parts & FT_CTNL_PART_DPORT) || want->dst.u.all == tuple->dst.u.all);
	case IPPROTO_ICMP:
		return match_icmp(want, tuple, parts & FT_CTNL_PART_ICMP_TYPE,
				  parts & FT_CTNL_PART_ICMP_CODE, parts & FT_CTNL_PART_ICMP_ID);
	case IPPROTO_ICMPV6:
		return match_icmp(want, tuple, parts & FT_CTNL_PART_ICMP6_TYPE,
				  parts & FT_CTNL_PART_ICMP6_CODE, parts & FT_CTNL_PART_ICMP6_ID);
	default:
		return true;
	}
}

static bool match_tuple(const struct nf_conntrack_tuple *want,
			const struct nf_conntrack_tuple *tuple, u32 parts)
{
	u8 family = want->src.l3num;

	if (parts & FT_CTNL_PART_IP_SRC && !is_address(&want->src.u3, &tuple->src.u3, family))
		return false;
	if (parts & FT_CTNL_PART_IP_DST && !is_address(&want->dst.u3, &tuple->dst.u3, family))
		return false;
	if (parts & FT_CTNL_PART_PROTO && want->dst.protonum != tuple->dst.protonum)
		return false;
	return match_l4(want, tuple, parts);
}

static bool match_value(const struct ft_ctnl_value *want, u32 value)
{
	return (value & want->mask) == want->val;
}

/**
 * ft_ctnl_filter_match() - is a connection meant?
 * @filter: from ft_ctnl_filter_create(); NULL: all are
 * @ct: the connection
 *
 * Context: any.
 * Return: true if it is.
 */
bool ft_ctnl_filter_match(const struct ft_ctnl_filter *filter, const struct nf_conn *ct)
{
	unsigned int dir;

	if (!filter)
		return true;
	if (filter->family && nf_ct_l3num(ct) != filter->family)
		return false;
	if (filter->has_zone && !nf_ct_zone_equal_any(ct, &filter->zone))
		return false;
	for (dir = 0; dir < IP_CT_DIR_MAX; dir++) {
		if (filter->parts[dir] && !match_tuple(&filter->tuple[dir], nf_ct_tuple(ct, dir),
						       filter->parts[dir]))
			return false;
	}
#ifdef CONFIG_NF_CONNTRACK_MARK
	if (!match_value(&filter->mark, READ_ONCE(ct->mark)))
		return false;
#endif
	return match_value(&filter->status, READ_ONCE(ct->status));
}
