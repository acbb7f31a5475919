// SPDX-License-Identifier: GPL-2.0
/*
 * nf_conntrack's part after nf_conntrack_netlink.c: Jay Schulist, Harald Welte,
 * Patrick McHardy, Pablo Neira Ayuso.
 */
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/nf_flowtrack.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <net/net_namespace.h>
#include <net/netfilter/nf_conntrack_ecache.h>

#include "base/notify.h"
#include "ctnetlink/encode.h"
#include "ctnetlink/events.h"
#include "ctnetlink/expect.h"
#include "ctnetlink/stand_in.h"
#include "flow/flow.h"
#include "flow/tuple.h"
#include "net.h"

/**
 * struct actor - the program whose request ends, changes or enters flows of ours
 * @task: it; NULL: no request is being worked on
 * @portid: its netlink port: events say whose doing they are
 * @report: it wants to have them itself (NLM_F_ECHO)
 *
 * nf_conntrack hands portid and report down with every call. Of ours only the events
 * want to know, and they are told of in the context of the request.
 */
struct actor {
	const struct task_struct *task;
	u32 portid;
	bool report;
};

/* Written with the mutex of the subsystem held; read by its own task. */
static struct actor actor;

/**
 * ft_ctnl_act() - what happens to our flows from now on is the doing of a request
 * @skb: the request
 * @info: likewise
 *
 * Context: the mutex of NFNL_SUBSYS_CTNETLINK is held until ft_ctnl_act_end().
 */
void ft_ctnl_act(const struct sk_buff *skb, const struct nfnl_info *info)
{
	actor.portid = NETLINK_CB(skb).portid;
	actor.report = nlmsg_report(info->nlh);
	WRITE_ONCE(actor.task, current);
}

/**
 * ft_ctnl_act_end() - the request has done what it does
 *
 * Context: as for ft_ctnl_act().
 */
void ft_ctnl_act_end(void)
{
	WRITE_ONCE(actor.task, NULL);
}

#ifdef CONFIG_NF_CONNTRACK_EVENTS

/* A packet on top of the request is another matter. */
static const struct actor *current_actor(void)
{
	if (READ_ONCE(actor.task) != current || in_serving_softirq() || in_hardirq())
		return NULL;
	return &actor;
}

/**
 * struct event - an event on its way
 * @ct: the connection, or a stand-in
 * @id: its id
 * @events: what has happened, bits of enum ip_conntrack_events
 * @portid: whose doing it is
 * @report: that one wants to have it
 */
struct event {
	struct nf_conn *ct;
	__be32 id;
	unsigned int events;
	u32 portid;
	bool report;
};

static unsigned int group_of(unsigned int events)
{
	if (events & BIT(IPCT_DESTROY))
		return NFNLGRP_CONNTRACK_DESTROY;
	if (events & (BIT(IPCT_NEW) | BIT(IPCT_RELATED)))
		return NFNLGRP_CONNTRACK_NEW;
	return NFNLGRP_CONNTRACK_UPDATE;
}

/* Return: 0; -ENOBUFS: a listener has lost it. */
static int send(struct net *net, const struct event *event)
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

/* Of an entry of nf_conntrack. */
static int conntrack_event(unsigned int events, const struct nf_ct_event *item)
{
	struct event event = {
		.ct = item->ct,
		.events = events,
		.portid = item->portid,
		.report = item->report,
	};

	if (!events)
		return 0;
	event.id = ft_ctnl_ct_id(item->ct);
	return send(nf_ct_net(item->ct), &event);
}

static struct nf_ct_event_notifier conntrack_notifier = {
	.ct_event = conntrack_event,
	.exp_event = ft_ctnl_expect_event,
};

/* What nf_conntrack would say of it. A request's change may be any. */
static unsigned int events_of(unsigned int cmd, const struct ft_flow6 *copy, bool by_request)
{
	unsigned int events = 0;

	switch (cmd) {
	case FLOWTRACK_CMD_FLOW_DESTROY_NTF:
		return BIT(IPCT_DESTROY);
	case FLOWTRACK_CMD_FLOW_NEW_NTF:
		events = BIT(IPCT_NEW);
		break;
	default:
		events = BIT(IPCT_REPLY);
		break;
	}
	if (ft_l4_stateful(copy->f.key.l4proto))
		events |= BIT(IPCT_PROTOINFO);
	if (by_request)
		events |= BIT(IPCT_MARK);
	return events;
}

/* Of a flow of ours. */
static void tell(struct ft_net *tn, const struct ft_flow6 *copy, u32 index,
		 unsigned int events, const struct actor *by)
{
	struct ft_stand_in stand_in;
	struct event event = {
		.ct = &stand_in.ct,
		.events = events,
		.portid = by ? by->portid : 0,
		.report = by && by->report,
	};

	/* The listener may be one of another namespace. */
	if (!event.report && !nfnetlink_has_listeners(tn->net, group_of(event.events)))
		return;
	ft_stand_in_set(&stand_in, tn, copy);
	if (events & BIT(IPCT_DESTROY))
		ft_stand_in_stop(&stand_in);
	event.id = ft_stand_in_id(tn, copy, index);
	send(tn->net, &event);
}

static void own_event(struct ft_net *tn, unsigned int cmd, const struct ft_flow6 *copy,
		      u32 index, enum flowtrack_reason reason)
{
	const struct actor *by = current_actor();

	tell(tn, copy, index, events_of(cmd, copy, by), by);
}

/* In one message, as nf_conntrack does. */
static void own_changed(struct ft_net *tn, const struct ft_flow6 *copy, u32 index,
			unsigned int what)
{
	unsigned int events = 0;

	if (what & FT_CHANGED_STATE)
		events = events_of(FLOWTRACK_CMD_FLOW_UPDATE_NTF, copy, false);
	if (what & FT_CHANGED_MARK)
		events |= BIT(IPCT_MARK);
	tell(tn, copy, index, events, NULL);
}

static const struct ft_notifier own_notifier = {
	.flow = own_event,
	.changed = own_changed,
};

static int __net_init net_init(struct net *net)
{
	nf_conntrack_register_notifier(net, &conntrack_notifier);
	return 0;
}

/* A grace period follows. */
static void __net_exit net_pre_exit(struct net *net)
{
	nf_conntrack_unregister_notifier(net);
}

static struct pernet_operations net_ops = {
	.init = net_init,
	.pre_exit = net_pre_exit,
};

/**
 * ft_ctnl_events_init() - tell of both tables from now on
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int __init ft_ctnl_events_init(void)
{
	int err = register_pernet_subsys(&net_ops);

	if (!err)
		ft_notify_register(&own_notifier);
	return err;
}

/**
 * ft_ctnl_events_exit() - do not tell any more
 *
 * Context: may sleep. On return nobody is being told.
 */
void ft_ctnl_events_exit(void)
{
	ft_notify_unregister(&own_notifier);
	unregister_pernet_subsys(&net_ops);
	synchronize_rcu();
}

#else

int __init ft_ctnl_events_init(void)
{
	return 0;
}

void ft_ctnl_events_exit(void)
{
}

#endif
