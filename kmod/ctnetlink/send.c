// SPDX-License-Identifier: GPL-2.0
/*
 * nf_conntrack's part after nf_conntrack_netlink.c: Jay Schulist, Harald Welte,
 * Patrick McHardy, Pablo Neira Ayuso.
 */
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <net/netfilter/nf_conntrack_ecache.h>

#include "ctnetlink/encode.h"
#include "ctnetlink/send.h"
#include "ctnetlink/stand_in.h"
#include "net.h"

static unsigned int group_of(unsigned int events)
{
	if (events & BIT(IPCT_DESTROY))
		return NFNLGRP_CONNTRACK_DESTROY;
	if (events & (BIT(IPCT_NEW) | BIT(IPCT_RELATED)))
		return NFNLGRP_CONNTRACK_NEW;
	return NFNLGRP_CONNTRACK_UPDATE;
}

/**
 * ft_ctnl_send() - tell the listeners, and the program whose request it was
 * @net: namespace
 * @event: what there is to tell
 *
 * Context: any; RCU read side.
 * Return: 0; -ENOBUFS: a listener that asked to miss nothing has missed it.
 */
int ft_ctnl_send(struct net *net, const struct ft_ctnl_event *event)
{
	unsigned int group = group_of(event->events);
	struct ft_ctnl_head head = {
		.portid = event->portid,
		.type = group == NFNLGRP_CONNTRACK_DESTROY ? IPCTNL_MSG_CT_DELETE :
							     IPCTNL_MSG_CT_NEW,
		.flags = group == NFNLGRP_CONNTRACK_NEW ? NLM_F_CREATE | NLM_F_EXCL : 0,
	};
	struct sk_buff *skb;
	int err;

	if (!event->report && !nfnetlink_has_listeners(net, group))
		return 0;
	skb = nlmsg_new(ft_ctnl_event_size(event->ct), GFP_ATOMIC);
	if (!skb || ft_ctnl_put_event(skb, &head, event->ct, event->id, event->events)) {
		kfree_skb(skb);
		return nfnetlink_set_err(net, 0, group, -ENOBUFS) > 0 ? -ENOBUFS : 0;
	}
	err = nfnetlink_send(skb, net, event->portid, group, event->report, GFP_ATOMIC);
	return err == -ENOBUFS || err == -EAGAIN ? -ENOBUFS : 0;
}

/**
 * ft_ctnl_own_wanted() - is there anybody to tell of a flow of ours?
 * @tn: namespace
 * @event: what there is to tell
 *
 * ft_notify_wanted() says that somebody listens, maybe to another namespace or group.
 *
 * Context: any; RCU read side.
 * Return: true if so.
 */
bool ft_ctnl_own_wanted(const struct ft_net *tn, const struct ft_ctnl_own_event *event)
{
	return event->report || nfnetlink_has_listeners(tn->net, group_of(event->events));
}

/**
 * ft_ctnl_send_own() - ft_ctnl_send() of a flow of ours
 * @tn: namespace
 * @event: what there is to tell
 *
 * Context: any; RCU read side.
 * Return: as ft_ctnl_send().
 */
int ft_ctnl_send_own(const struct ft_net *tn, const struct ft_ctnl_own_event *event)
{
	struct ft_stand_in stand_in;
	struct ft_ctnl_event sent = {
		.ct = &stand_in.ct,
		.id = ft_stand_in_id(tn, event->copy, event->index),
		.events = event->events,
		.portid = event->portid,
		.report = event->report,
	};

	ft_stand_in_set(&stand_in, tn, event->copy);
	if (event->stop)
		ft_stand_in_stop(&stand_in, event->stop);
	return ft_ctnl_send(tn->net, &sent);
}
