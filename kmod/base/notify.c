// SPDX-License-Identifier: GPL-2.0
#include <linux/export.h>
#include <linux/netfilter.h>
#include <linux/rcupdate.h>
#include <net/genetlink.h>

#include "base/notify.h"
#include "base/settings.h"
#include "net.h"

/*
 * Packets come before a notifier is there and after it has gone; the family's group
 * numbers may be another family's then.
 */
static const struct ft_notifier __rcu *family_notifier;
static const struct ft_notifier __rcu *ctnetlink_notifier;

/**
 * ft_notify_register() - from now on tell @n
 * @n: the notifier, the only one of its kind; its family, if it has one, is registered
 *
 * Context: any.
 */
void ft_notify_register(const struct ft_notifier *n)
{
	if (n->family)
		rcu_assign_pointer(family_notifier, n);
	else
		rcu_assign_pointer(ctnetlink_notifier, n);
}
EXPORT_SYMBOL_NS_GPL(ft_notify_register, FT_SYMBOL_NS);

/**
 * ft_notify_unregister() - do not tell @n any more
 * @n: from ft_notify_register()
 *
 * Context: may sleep. On return it is not being told.
 */
void ft_notify_unregister(const struct ft_notifier *n)
{
	if (n->family)
		RCU_INIT_POINTER(family_notifier, NULL);
	else
		RCU_INIT_POINTER(ctnetlink_notifier, NULL);
	/* Each CPU that saw the notifier has finished its message. */
	synchronize_net();
}
EXPORT_SYMBOL_NS_GPL(ft_notify_unregister, FT_SYMBOL_NS);

static bool has_listeners(const struct ft_notifier *n, const struct ft_net *tn,
			  enum ft_mcgrp group)
{
	return n && genl_has_listeners(n->family, tn->net, group);
}

/* Does anyone listen to the family? */
static bool family_wanted(const struct ft_net *tn)
{
	return ft_setting(&tn->set, EVENTS) &&
	       has_listeners(rcu_dereference(family_notifier), tn, FT_MCGRP_EVENTS);
}

/*
 * Does anyone listen to ctnetlink, in whatever namespace? nf_conntrack asks the same
 * before it keeps events of an entry. Which group of which namespace is the
 * notifier's to see.
 *
 * Of a namespace that goes away nothing is told, as by nf_conntrack: nfnetlink's socket may
 * be gone before our last flow. From ft_net_pre_exit() to that there is a grace period.
 */
static bool ctnetlink_wanted(const struct ft_net *tn)
{
#ifdef CONFIG_NF_CONNTRACK_EVENTS
	return READ_ONCE(nf_ctnetlink_has_listener) && rcu_access_pointer(ctnetlink_notifier) &&
	       READ_ONCE(tn->net->ct.sysctl_events) && !READ_ONCE(tn->dying);
#else
	return false;
#endif
}

/**
 * ft_notify_ctnetlink() - do programs that speak ctnetlink see our flows?
 *
 * Context: any.
 * Return: true while the second module serves both tables.
 */
bool ft_notify_ctnetlink(void)
{
	return rcu_access_pointer(ctnetlink_notifier);
}

/**
 * ft_notify_wanted() - does anyone want to hear about flows?
 * @tn: namespace
 *
 * Context: RCU read side.
 * Return: false if building a notification would be for nothing.
 */
bool ft_notify_wanted(const struct ft_net *tn)
{
	return family_wanted(tn) || ctnetlink_wanted(tn);
}
EXPORT_SYMBOL_NS_GPL(ft_notify_wanted, FT_SYMBOL_NS);

/**
 * ft_notify_flow() - tell the listeners about a flow
 * @tn: namespace
 * @cmd: FLOWTRACK_CMD_FLOW_NEW_NTF, _UPDATE_NTF or _DESTROY_NTF
 * @copy: the flow
 * @index: its index
 * @reason: destroy: why it ended
 *
 * Context: RCU read side, softirq or BH disabled; ft_notify_wanted().
 * Return: 0; -ENOBUFS: a listener that asked to miss nothing could not be told. It will be
 * told of an end again; of anything else see ft_flow_untold().
 */
int ft_notify_flow(struct ft_net *tn, unsigned int cmd,
		   const struct ft_flow6 *copy, u32 index,
		   enum flowtrack_reason reason)
{
	const struct ft_notifier *n;
	int err = 0;

	if (family_wanted(tn)) {
		n = rcu_dereference(family_notifier);
		if (n)
			n->flow(tn, cmd, copy, index, reason);
	}
	if (ctnetlink_wanted(tn)) {
		n = rcu_dereference(ctnetlink_notifier);
		if (n)
			err = n->flow(tn, cmd, copy, index, reason);
	}
	return err;
}
EXPORT_SYMBOL_NS_GPL(ft_notify_flow, FT_SYMBOL_NS);

/**
 * ft_notify_pressure() - tell the listeners that a watermark was crossed
 * @tn: namespace
 * @event: what there is to tell
 *
 * Nothing is done if nobody listens.
 *
 * Context: process, RCU read side.
 */
void ft_notify_pressure(struct ft_net *tn,
			const struct ft_watermark_event *event)
{
	const struct ft_notifier *n = rcu_dereference(family_notifier);

	if (has_listeners(n, tn, FT_MCGRP_PRESSURE))
		n->pressure(tn, event);
}

/**
 * ft_notify_changed() - tell the listeners what a packet has changed of its flow
 * @tn: namespace
 * @copy: the flow
 * @index: its index
 * @what: FT_CHANGED_*: by the packet itself, by a rule, or by both
 *
 * The family's do not hear of marks: a ruleset may give one with every packet.
 *
 * Context: RCU read side, BH disabled; ft_notify_wanted().
 * Return: as ft_notify_flow().
 */
int ft_notify_changed(struct ft_net *tn, const struct ft_flow6 *copy, u32 index,
		      unsigned int what)
{
	const struct ft_notifier *n;
	int err = 0;

	if (what & FT_CHANGED_STATE && family_wanted(tn)) {
		n = rcu_dereference(family_notifier);
		if (n)
			n->flow(tn, FLOWTRACK_CMD_FLOW_UPDATE_NTF, copy, index, 0);
	}
	if (ctnetlink_wanted(tn)) {
		n = rcu_dereference(ctnetlink_notifier);
		if (n)
			err = n->changed(tn, copy, index, what);
	}
	return err;
}

/**
 * ft_notify_guarded() - tell the family's listeners about an entry of nf_conntrack
 * @tn: namespace
 * @cmd: FLOWTRACK_CMD_FLOW_NEW_NTF, _UPDATE_NTF or _DESTROY_NTF
 * @ct: the entry, referenced
 *
 * ctnetlink, which is the only one that nf_conntrack tells, has told its own.
 *
 * Context: RCU read side; any but hard interrupts.
 */
void ft_notify_guarded(struct ft_net *tn, unsigned int cmd, const struct nf_conn *ct)
{
	const struct ft_notifier *n;

	if (!family_wanted(tn))
		return;
	n = rcu_dereference(family_notifier);
	if (n)
		n->guarded(tn, cmd, ct);
}
EXPORT_SYMBOL_NS_GPL(ft_notify_guarded, FT_SYMBOL_NS);
