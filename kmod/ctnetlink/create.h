/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A connection that a request enters, into the table that can keep it.
 */
#ifndef _FT_CTNETLINK_CREATE_H
#define _FT_CTNETLINK_CREATE_H

#include <linux/types.h>
#include <net/netlink.h>
#include <net/netfilter/nf_conntrack.h>

struct ft_net;

/**
 * struct ft_ctnl_birth - a connection to be
 * @tuple: by direction
 * @zone: its zone
 * @family: NFPROTO_*
 */
struct ft_ctnl_birth {
	struct nf_conntrack_tuple tuple[IP_CT_DIR_MAX];
	struct nf_conntrack_zone zone;
	u8 family;
};

bool ft_ctnl_birth_own(struct ft_net *tn, const struct nlattr * const cda[],
		       const struct ft_ctnl_birth *birth);
int ft_ctnl_create_own(struct ft_net *tn, const struct nlattr * const cda[],
		       const struct ft_ctnl_birth *birth);
struct nf_conn *ft_ctnl_create_conntrack(struct net *net, const struct nlattr * const cda[],
					 const struct ft_ctnl_birth *birth);

#endif /* _FT_CTNETLINK_CREATE_H */
