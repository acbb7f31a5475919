/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The generic netlink family "flowtrack", as the module has it and lets it go.
 */
#ifndef _FT_NETLINK_NETLINK_H
#define _FT_NETLINK_NETLINK_H

int ft_netlink_init(void);
void ft_netlink_exit(void);

#endif /* _FT_NETLINK_NETLINK_H */
