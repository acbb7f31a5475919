/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Notifications of watermarks.
 */
#ifndef _FT_NETLINK_PRESSURE_H
#define _FT_NETLINK_PRESSURE_H

struct ft_net;
struct ft_watermark_event;

void ft_netlink_pressure(struct ft_net *tn,
			 const struct ft_watermark_event *event);

#endif /* _FT_NETLINK_PRESSURE_H */
