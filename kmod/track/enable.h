/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where packets are tracked: nf_flowtrack_enable.
 */
#ifndef _FT_TRACK_ENABLE_H
#define _FT_TRACK_ENABLE_H

#include <linux/types.h>

struct ft_net;

int ft_enable_apply(struct ft_net *tn, u32 value);
void ft_enable_follow(struct ft_net *tn);

void ft_enable_net_init(struct ft_net *tn);
void ft_enable_net_exit(struct ft_net *tn);

void ft_enable_init(void);
void ft_enable_exit(void);

#endif /* _FT_TRACK_ENABLE_H */
