/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Whether shadows are kept. While there is much room in nf_conntrack's table
 * no entry will have to be evicted: then there are none, and its flows cost what they cost
 * without us. When it fills, or somebody asks, all are learned.
 */
#ifndef _FT_GUARD_WATCH_H
#define _FT_GUARD_WATCH_H

#include <linux/types.h>

struct ft_net;
struct ft_shadow_key;

int ft_guard_init(struct ft_net *tn);
void ft_guard_start(struct ft_net *tn);
int ft_guard_show(struct ft_net *tn);
bool ft_guard_on(const struct ft_net *tn);
bool ft_guard_has(struct ft_net *tn, const struct ft_shadow_key *key);
u32 ft_guard_count(const struct ft_net *tn);
void ft_guard_stop(struct ft_net *tn);
void ft_guard_exit(struct ft_net *tn);

#endif /* _FT_GUARD_WATCH_H */
