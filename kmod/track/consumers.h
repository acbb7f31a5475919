/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What reads nf_conntrack's table, or its nf_conn, beyond the hooks.
 *
 * NAT and helpers look at a new flow once, while it has no entry yet: they need
 * to see it first. Others look flows up in the table for as long as these live.
 * Nobody has to say which of them a ruleset uses: it is seen here.
 */
#ifndef _FT_TRACK_CONSUMERS_H
#define _FT_TRACK_CONSUMERS_H

#include <linux/types.h>

struct net;
struct nf_hook_entry;

/**
 * enum ft_need - what the consumers of a namespace need of nf_conntrack
 * @FT_NEED_NOTHING: there is none
 * @FT_NEED_FIRST: it must see each new flow before flowtrack does
 * @FT_NEED_ALL: it must have each new flow, as long as this lives
 */
enum ft_need {
	FT_NEED_NOTHING,
	FT_NEED_FIRST,
	FT_NEED_ALL,
};

int ft_consumers_init(void);
void ft_consumers_exit(void);
void ft_consumers_look(void);
enum ft_need ft_consumers_need(const struct net *net, u8 pf);
const struct nf_hook_entry *
ft_consumers_nat_hook(const struct net *net, u8 pf, unsigned int hook);
bool ft_consumers_nat(const struct net *net, u8 pf);
bool ft_consumers_origin(const struct net *net);
bool ft_consumers_redirect(const struct net *net, u8 pf);

#endif /* _FT_TRACK_CONSUMERS_H */
