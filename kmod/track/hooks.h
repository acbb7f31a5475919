/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The life of a packet: where flowtrack meets it and what it does there.
 */
#ifndef _FT_TRACK_HOOKS_H
#define _FT_TRACK_HOOKS_H

#include <linux/bits.h>

struct ft_net;

/**
 * enum ft_hooks_family - what hooks are registered for
 * @FT_HOOKS_IPV4: IPv4
 * @FT_HOOKS_IPV6: IPv6
 */
enum ft_hooks_family {
	FT_HOOKS_IPV4 = BIT(0),
	FT_HOOKS_IPV6 = BIT(1),
};

int ft_hooks_init(struct ft_net *tn);
void ft_hooks_exit(struct ft_net *tn);
int ft_hooks_set(struct ft_net *tn, unsigned int families);

#endif /* _FT_TRACK_HOOKS_H */
