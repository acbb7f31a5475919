/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What passes the hooks feeds the shadows: each flow that stays in nf_conntrack
 * has one. And from a shadow back to the entry that it is of.
 */
#ifndef _FT_GUARD_FEED_H
#define _FT_GUARD_FEED_H

#include <linux/types.h>

#include "guard/guard.h"

struct ft_net;
struct ft_shadow_key;
struct nf_conn;

bool ft_guard_fed(const struct nf_conn *ct);
enum ft_guard_answer ft_guard_feed(struct ft_net *tn, struct nf_conn *ct, bool exempt);
int ft_guard_remember(struct ft_net *tn, const struct nf_conn *ct);
void ft_guard_recount(struct ft_net *tn);
enum ft_guard_answer ft_guard_refuse_source(struct ft_net *tn);
struct nf_conn *ft_guard_real(const struct ft_net *tn,
			      const struct ft_shadow_key *key);
bool ft_guard_end(struct ft_net *tn, const struct ft_shadow_key *key,
		  struct nf_conn *ct);
bool ft_guard_drop(struct ft_net *tn, const struct ft_shadow_key *key);
bool ft_guard_forget(struct ft_net *tn, const struct ft_shadow_key *key);
bool ft_guard_half_full(const struct ft_net *tn);
void ft_guard_wake(struct ft_net *tn);
void ft_guard_kick(struct ft_net *tn);
u32 ft_guard_bits(const struct nf_conn *ct);
u32 ft_guard_deadline(const struct nf_conn *ct);

#endif /* _FT_GUARD_FEED_H */
