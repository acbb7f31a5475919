/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which connections a dump shows, or a flush deletes.
 */
#ifndef _FT_CTNETLINK_FILTER_H
#define _FT_CTNETLINK_FILTER_H

#include <linux/types.h>
#include <net/netlink.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_conntrack_tuple.h>

/**
 * struct ft_ctnl_value - some bits of a number
 * @val: their values
 * @mask: which bits; 0: any number will do
 */
struct ft_ctnl_value {
	u32 val;
	u32 mask;
};

/**
 * struct ft_ctnl_filter - what a connection must be
 * @family: NFPROTO_*; 0: any
 * @has_zone: @zone counts
 * @zone: CTA_ZONE
 * @parts: which parts of @tuple count, by direction, FT_CTNL_PART_*
 * @tuple: by direction
 * @mark: connection mark
 * @status: IPS_*
 */
struct ft_ctnl_filter {
	u8 family;
	bool has_zone;
	struct nf_conntrack_zone zone;
	u32 parts[IP_CT_DIR_MAX];
	struct nf_conntrack_tuple tuple[IP_CT_DIR_MAX];
	struct ft_ctnl_value mark;
	struct ft_ctnl_value status;
};

struct ft_ctnl_filter *ft_ctnl_filter_create(const struct nlattr * const cda[], u8 family);
bool ft_ctnl_filter_match(const struct ft_ctnl_filter *filter, const struct nf_conn *ct);

#endif /* _FT_CTNETLINK_FILTER_H */
