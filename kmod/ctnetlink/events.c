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
#include <linux/timekeeping.h>
#include <net/net_namespace.h>
#include <net/netfilter/nf_conntrack_ecache.h>

#include "base/notify.h"
#include "ctnetlink/encode.h"
#include "ctnetlink/events.h"
#include "ctnetlink/expect.h"
#include "ctnetlink/send.h"
#include "ctnetlink/undelivered.h"
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

/* A packet that interrupts the request is not the program's doing. */
static const struct actor *current_actor(void)
{
	if (READ_ONCE(actor.task) != current || in_serving_softirq() || in_hardirq())
		return NULL;
	return &actor;
}

/* What flowtrack's own family says of an entry's events. Marks and labels are not told. */
static unsigned int family_command(unsigned int events)
{
	if (events & BIT(IPCT_DESTROY))
		return FLOWTRACK_CMD_FLOW_DESTROY_NTF;
	if (events & (BIT(IPCT_NEW) | BIT(IPCT_RELATED)))
		return FLOWTRACK_CMD_FLOW_NEW_NTF;
	if (events & (BIT(IPCT_REPLY) | BIT(IPCT_ASSURED) | BIT(IPCT_PROTOINFO)))
		return FLOWTRACK_CMD_FLOW_UPDATE_NTF;
	return 0;
}

static void tell_family(const struct nf_conn *ct, unsigned int events)
{
	unsigned int cmd = family_command(events);

	if (cmd)
		ft_notify_guarded(ft_pernet(nf_ct_net(ct)), cmd, ct);
}

/* Something happened to an entry of nf_conntrack. */
static int conntrack_event(unsigned int events, const struct nf_ct_event *item)
{
	struct ft_ctnl_event event = {
		.ct = item->ct,
		.events = events,
		.portid = item->portid,
		.report = item->report,
	};
	int err;

	if (!events)
		return 0;
	event.id = ft_ctnl_ct_id(item->ct);
	err = ft_ctnl_send(nf_ct_net(item->ct), &event);
	/* What could not be told is told again, and shall be told to the family once. */
	if (!err)
		tell_family(item->ct, events);
	return err;
}

static struct nf_ct_event_notifier conntrack_notifier = {
	.ct_event = conntrack_event,
	.exp_event = ft_ctnl_expect_event,
};

/* The events that nf_conntrack would report. A request may have changed anything. */
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

/* Of an end that could not be told everybody is told again, as nf_conntrack does it. */
static int own_event(struct ft_net *tn, unsigned int cmd, const struct ft_flow6 *copy,
		     u32 index, enum flowtrack_reason reason)
{
	const struct actor *by = current_actor();
	struct ft_ctnl_own_event event = {
		.copy = copy,
		.index = index,
		.events = events_of(cmd, copy, by),
		.portid = by ? by->portid : 0,
		.report = by && by->report,
	};
	int err;

	if (!ft_ctnl_own_wanted(tn, &event))
		return 0;
	if (event.events & BIT(IPCT_DESTROY))
		event.stop = ktime_get_real_ns();
	err = ft_ctnl_send_own(tn, &event);
	if (err && event.events & BIT(IPCT_DESTROY))
		ft_undelivered_add(tn, &event);
	return err;
}

/* In one message, as nf_conntrack does. */
static int own_changed(struct ft_net *tn, const struct ft_flow6 *copy, u32 index,
		       unsigned int what)
{
	struct ft_ctnl_own_event event = { .copy = copy, .index = index };

	if (what & FT_CHANGED_STATE)
		event.events = events_of(FLOWTRACK_CMD_FLOW_UPDATE_NTF, copy, false);
	if (what & FT_CHANGED_MARK)
		event.events |= BIT(IPCT_MARK);
	if (what & FT_CHANGED_NEW)
		event.events |= BIT(IPCT_NEW);
	return ft_ctnl_own_wanted(tn, &event) ? ft_ctnl_send_own(tn, &event) : 0;
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
