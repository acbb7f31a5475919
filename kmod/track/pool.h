/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where carriers come from.
 */
#ifndef _FT_TRACK_POOL_H
#define _FT_TRACK_POOL_H

struct ft_carrier;
struct ft_net;

struct ft_carrier *ft_carrier_get(struct ft_net *tn);
struct ft_net *ft_pool_net(const struct ft_carrier *carrier);

int ft_pool_net_init(struct ft_net *tn);
void ft_pool_net_stop(struct ft_net *tn);
void ft_pool_net_exit(struct ft_net *tn);

#endif /* _FT_TRACK_POOL_H */
