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

#include <linux/bitmap.h>
#include <linux/types.h>

struct ft_net;
struct net;
struct nf_conn;
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

/* enum ft_need takes the lowest bits of ft_consumers.tables. */
#define FT_NEED_MASK		3UL

/* Ports that are told apart; others are taken for one of them. */
#define FT_CONSUMERS_PORTS	256

/**
 * struct ft_consumers - what is known of those of a namespace
 * @looked: jiffies32 when @tables was compared
 * @tables: what tells that nftables' tables are as they were, and the enum
 *	ft_need of their objects
 * @ports: those to which NAT has sent what came in
 *
 * No lock: CPUs that look at the same time find the same.
 */
struct ft_consumers {
	u32 looked;
	unsigned long tables;
	DECLARE_BITMAP(ports, FT_CONSUMERS_PORTS);
};

int ft_consumers_init(void);
void ft_consumers_exit(void);
void ft_consumers_look(void);
bool ft_consumers_any(struct ft_net *tn, u8 pf);
enum ft_need ft_consumers_need(struct ft_net *tn, u8 pf);
const struct nf_hook_entry *
ft_consumers_nat_hook(const struct net *net, u8 pf, unsigned int hook);
bool ft_consumers_nat(const struct net *net, u8 pf);
bool ft_consumers_origin(const struct net *net);
void ft_consumers_redirected(struct ft_net *tn, const struct nf_conn *ct);
bool ft_consumers_redirect(const struct ft_net *tn, u8 pf,
			   const struct nf_conn *ct);

#endif /* _FT_TRACK_CONSUMERS_H */
