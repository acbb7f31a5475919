/* SPDX-License-Identifier: GPL-2.0 */
/*
 * net.netfilter.nf_flowtrack_*: the settings as files.
 */
#ifndef _FT_SYSCTL_H
#define _FT_SYSCTL_H

struct ft_net;

int ft_sysctl_init(struct ft_net *tn);
void ft_sysctl_exit(struct ft_net *tn);

#endif /* _FT_SYSCTL_H */
