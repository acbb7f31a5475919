/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The end of the calm: what starts the keeping of shadows when nf_conntrack's table fills,
 * and their worker, which is in watch.c.
 */
#ifndef _FT_GUARD_WAKE_H
#define _FT_GUARD_WAKE_H

#include <linux/types.h>

struct ft_net;

u32 ft_guard_wake_at(u32 max, u32 reserved);
u32 ft_guard_calm_at(u32 max, u32 reserved);
bool ft_guard_fills(const struct ft_net *tn);
bool ft_guard_stays_calm(struct ft_net *tn);
void ft_guard_wake(struct ft_net *tn);
void ft_guard_kick(struct ft_net *tn);

#endif /* _FT_GUARD_WAKE_H */
