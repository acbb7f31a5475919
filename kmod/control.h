/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Settings take effect: what is shown of them, and what follows from a change.
 */
#ifndef _FT_CONTROL_H
#define _FT_CONTROL_H

#include <linux/types.h>

struct ft_net;
struct ft_settings;
struct netlink_ext_ack;

void ft_settings_init(struct ft_net *tn);
int ft_settings_inherit(struct ft_net *tn);
u32 ft_settings_get(struct ft_net *tn, unsigned int attr);
int ft_settings_set(struct ft_net *tn, unsigned int attr, u32 value,
		    struct netlink_ext_ack *extack);
int ft_settings_apply(struct ft_net *tn, const struct ft_settings *wanted,
		      u64 which, unsigned int *bad,
		      struct netlink_ext_ack *extack);

#endif /* _FT_CONTROL_H */
