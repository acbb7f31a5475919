/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Notifications to the multicast group "events": a flow began, changed, ended.
 */
#ifndef _FT_NETLINK_EVENTS_H
#define _FT_NETLINK_EVENTS_H

#include <linux/nf_flowtrack.h>
#include <linux/types.h>

struct ft_flow6;
struct ft_net;
struct nf_conn;

int ft_events_flow(struct ft_net *tn, unsigned int cmd,
		   const struct ft_flow6 *copy, u32 index,
		   enum flowtrack_reason reason);
void ft_events_guarded(struct ft_net *tn, unsigned int cmd, const struct nf_conn *ct);

#endif /* _FT_NETLINK_EVENTS_H */
