/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Shadows are compared with what nf_conntrack has, from the first to the last.
 */
#ifndef _FT_GUARD_SWEEP_H
#define _FT_GUARD_SWEEP_H

struct ft_net;

void ft_guard_sweep(struct ft_net *tn);

#endif /* _FT_GUARD_SWEEP_H */
