/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Shadows are compared with what nf_conntrack has, from the first to the last.
 */
#ifndef _FT_GUARD_SWEEP_H
#define _FT_GUARD_SWEEP_H

struct ft_net;

int ft_guard_init(struct ft_net *tn);
void ft_guard_start(struct ft_net *tn);
void ft_guard_stop(struct ft_net *tn);
void ft_guard_exit(struct ft_net *tn);

#endif /* _FT_GUARD_SWEEP_H */
