/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What makes up a namespace's flows, for the KUnit suites: theirs have no
 * hooks.
 */
#ifndef _FT_MAIN_H
#define _FT_MAIN_H

#include <linux/types.h>

struct ft_net;

int ft_net_flows_init(struct ft_net *tn, u32 buckets);
void ft_net_flows_exit(struct ft_net *tn);

#endif /* _FT_MAIN_H */
