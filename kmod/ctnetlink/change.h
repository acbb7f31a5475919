/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a request changes of a connection: an entry of nf_conntrack, confirmed or not,
 * or a stand-in.
 */
#ifndef _FT_CTNETLINK_CHANGE_H
#define _FT_CTNETLINK_CHANGE_H

#include <linux/types.h>
#include <net/netlink.h>
#include <net/netfilter/nf_conntrack.h>

int ft_ctnl_parse_help(const struct nlattr *attr, const char **name, struct nlattr **info);
int ft_ctnl_change_helper(struct nf_conn *ct, const struct nlattr * const cda[]);
int ft_ctnl_change_protoinfo(struct nf_conn *ct, const struct nlattr *attr);
int ft_ctnl_change_seqadj(struct nf_conn *ct, const struct nlattr * const cda[]);
int ft_ctnl_change_synproxy(struct nf_conn *ct, const struct nlattr *attr);
int ft_ctnl_change_labels(struct nf_conn *ct, const struct nlattr * const cda[]);
void ft_ctnl_change_mark(struct nf_conn *ct, const struct nlattr * const cda[]);
u32 ft_ctnl_new_mark(u32 mark, const struct nlattr * const cda[]);
u64 ft_ctnl_new_timeout(const struct nlattr *attr);
u32 ft_ctnl_flow_timeout(const struct nlattr *attr);
int ft_ctnl_change(struct nf_conn *ct, const struct nlattr * const cda[]);
int ft_ctnl_update_status(struct nf_conn *ct, const struct nlattr *attr);
int ft_ctnl_change_queued(struct nf_conn *ct, const struct nlattr * const cda[]);

#endif /* _FT_CTNETLINK_CHANGE_H */
