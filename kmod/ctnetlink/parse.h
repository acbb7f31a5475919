/* SPDX-License-Identifier: GPL-2.0 */
/*
 * From ctnetlink's attributes to tuples and zones.
 */
#ifndef _FT_CTNETLINK_PARSE_H
#define _FT_CTNETLINK_PARSE_H

#include <linux/bits.h>
#include <linux/types.h>
#include <net/netlink.h>
#include <net/netfilter/nf_conntrack_tuple.h>
#include <net/netfilter/nf_conntrack_zones.h>

/*
 * Which parts of a tuple are meant: values of CTA_FILTER_ORIG_FLAGS and
 * CTA_FILTER_REPLY_FLAGS. They belong to the interface, as library and kernel
 * agree on them, but no header of the interface has them.
 */
#define FT_CTNL_PART_IP_SRC	BIT(0)
#define FT_CTNL_PART_IP_DST	BIT(1)
#define FT_CTNL_PART_ZONE	BIT(2)
#define FT_CTNL_PART_PROTO	BIT(3)
#define FT_CTNL_PART_SPORT	BIT(4)
#define FT_CTNL_PART_DPORT	BIT(5)
#define FT_CTNL_PART_ICMP_TYPE	BIT(6)
#define FT_CTNL_PART_ICMP_CODE	BIT(7)
#define FT_CTNL_PART_ICMP_ID	BIT(8)
#define FT_CTNL_PART_ICMP6_TYPE	BIT(9)
#define FT_CTNL_PART_ICMP6_CODE	BIT(10)
#define FT_CTNL_PART_ICMP6_ID	BIT(11)
#define FT_CTNL_PARTS_L4	GENMASK(11, 4)
#define FT_CTNL_PARTS_ALL	GENMASK(11, 0)

extern const struct nla_policy ft_ctnl_policy[];

int ft_ctnl_parse_zone(const struct nlattr *attr, struct nf_conntrack_zone *zone);
int ft_ctnl_parse_parts(const struct nlattr * const cda[], struct nf_conntrack_tuple *tuple,
			u32 type, u8 family, struct nf_conntrack_zone *zone, u32 parts);
int ft_ctnl_parse_named(const struct nlattr * const cda[], struct nf_conntrack_tuple *tuple,
			u8 family, struct nf_conntrack_zone *zone);

/**
 * ft_ctnl_parse_tuple() - read a whole tuple
 * @cda: attributes of the request
 * @tuple: filled
 * @type: which of them it is
 * @family: NFPROTO_*, of the request
 * @zone: as for ft_ctnl_parse_parts()
 *
 * Context: any.
 * Return: 0; -EINVAL: incomplete; -EOPNOTSUPP: no such family.
 */
static inline int ft_ctnl_parse_tuple(const struct nlattr * const cda[],
				      struct nf_conntrack_tuple *tuple, u32 type, u8 family,
				      struct nf_conntrack_zone *zone)
{
	return ft_ctnl_parse_parts(cda, tuple, type, family, zone, FT_CTNL_PARTS_ALL);
}

#endif /* _FT_CTNETLINK_PARSE_H */
