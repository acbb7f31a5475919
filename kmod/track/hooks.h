/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The life of a packet: where flowtrack meets it and what it does there.
 */
#ifndef _FT_TRACK_HOOKS_H
#define _FT_TRACK_HOOKS_H

struct ft_net;

int ft_hooks_init(struct ft_net *tn);
void ft_hooks_exit(struct ft_net *tn);
int ft_hooks_set(struct ft_net *tn, unsigned int families);

#endif /* _FT_TRACK_HOOKS_H */
