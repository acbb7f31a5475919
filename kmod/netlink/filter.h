/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Filters: which flows a dump shows and a flow-del ends. A request's attributes
 * are checked and translated once; matching a flow is a row of comparisons.
 */
#ifndef _FT_NETLINK_FILTER_H
#define _FT_NETLINK_FILTER_H

#include <linux/netfilter.h>
#include <linux/types.h>
#include <linux/nf_flowtrack.h>
#include <net/netlink.h>

struct ft_flow6;

/* Parts of a filter, at most: each costs time with every flow. */
#define FT_FILTER_PARTS	64

/* When a flow was born if that is not known: it has no age to match. */
#define FT_FILTER_NO_AGE	((u64)S64_MAX)

/* The ends of a flow, in both directions, and any of these. */
enum ft_filter_end {
	FT_FILTER_SRC,
	FT_FILTER_DST,
	FT_FILTER_REPLY_SRC,
	FT_FILTER_REPLY_DST,
	FT_FILTER_EITHER,
	FT_FILTER_ENDS
};

/**
 * struct ft_filter - a filter
 * @given: which of the following counts, bits by FLOWTRACK_A_FILTER_*; of a
 *	pair (address and prefix, minimum and maximum) the first stands for both
 * @addr: masked, by enum ft_filter_end
 * @mask: their masks
 * @port_min: likewise, host byte order
 * @port_max: likewise
 * @mark: masked
 * @mark_mask: its mask
 * @age_min: nanoseconds; 0 without a minimum
 * @age_end: nanoseconds: the first age that is too old; U64_MAX without
 * @zone: conntrack zone
 * @family: NFPROTO_IPV4 or NFPROTO_IPV6, given or implied by an address
 * @l4proto: IPPROTO_*
 * @state: state of the protocol
 * @class: enum flowtrack_class
 * @trackers: bits of enum flowtrack_tracker: whose flows are meant, which is for
 *	the caller to see to; own if not given, and not in @given
 * @list: of a part: parts of one list are alternatives; 0: an exception
 * @n_parts: alternatives and exceptions
 * @parts: these, those of a list in a row; NULL: none
 */
struct ft_filter {
	u32 given;
	union nf_inet_addr addr[FT_FILTER_ENDS];
	union nf_inet_addr mask[FT_FILTER_ENDS];
	u16 port_min[FT_FILTER_ENDS];
	u16 port_max[FT_FILTER_ENDS];
	u32 mark;
	u32 mark_mask;
	u64 age_min;
	u64 age_end;
	u16 zone;
	u8 family;
	u8 l4proto;
	u8 state;
	u8 class;
	u8 trackers;
	u8 list;
	u8 n_parts;
	struct ft_filter *parts;
};

extern const struct nla_policy ft_filter_any_policy[FLOWTRACK_A_ANY_MAX + 1];
extern const struct nla_policy ft_filter_policy[FLOWTRACK_A_FILTER_MAX + 1];

int ft_filter_parse(struct ft_filter *filter, const struct nlattr *nest,
		    struct netlink_ext_ack *extack);
void ft_filter_free(struct ft_filter *filter);
bool ft_filter_match_own(const struct ft_filter *filter, const struct ft_flow6 *copy, u64 now);
bool ft_filter_match(const struct ft_filter *filter, const struct ft_flow6 *copy,
		     const struct ft_flow6 *reply, u64 now);

#endif /* _FT_NETLINK_FILTER_H */
