/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One event as one message to the listeners of its group.
 */
#ifndef _FT_CTNETLINK_SEND_H
#define _FT_CTNETLINK_SEND_H

#include <linux/types.h>

struct ft_flow6;
struct ft_net;
struct net;
struct nf_conn;

/**
 * struct ft_ctnl_event - an event on its way
 * @ct: the connection, or a stand-in
 * @id: its id
 * @events: what has happened, bits of enum ip_conntrack_events
 * @portid: the socket whose request it was
 * @report: that socket wants to be told, too
 */
struct ft_ctnl_event {
	struct nf_conn *ct;
	__be32 id;
	unsigned int events;
	u32 portid;
	bool report;
};

/**
 * struct ft_ctnl_own_event - an event of a flow of ours
 * @copy: the flow
 * @index: its index
 * @events: what has happened, bits of enum ip_conntrack_events
 * @portid: the socket whose request it was; 0: none
 * @report: that socket wants to be told, too
 * @stop: when the flow ended, ns since 1970; 0: it did not
 */
struct ft_ctnl_own_event {
	const struct ft_flow6 *copy;
	u32 index;
	unsigned int events;
	u32 portid;
	bool report;
	u64 stop;
};

int ft_ctnl_send(struct net *net, const struct ft_ctnl_event *event);
bool ft_ctnl_own_wanted(const struct ft_net *tn, const struct ft_ctnl_own_event *event);
int ft_ctnl_send_own(const struct ft_net *tn, const struct ft_ctnl_own_event *event);

#endif /* _FT_CTNETLINK_SEND_H */
