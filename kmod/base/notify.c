// SPDX-License-Identifier: GPL-2.0
#include <linux/rcupdate.h>
#include <net/genetlink.h>

#include "base/notify.h"
#include "base/settings.h"
#include "net.h"

/*
 * Packets come before the family is there and after it has gone; its group
 * numbers may be another family's then.
 */
static const struct ft_notifier __rcu *notifier;

/**
 * ft_notify_register() - from now on tell @n
 * @n: the notifier, the only one; its family is registered
 *
 * Context: any.
 */
void ft_notify_register(const struct ft_notifier *n)
{
	rcu_assign_pointer(notifier, n);
}

/**
 * ft_notify_unregister() - tell nobody any more
 *
 * Context: may sleep. On return nobody is being told.
 */
void ft_notify_unregister(void)
{
	RCU_INIT_POINTER(notifier, NULL);
	/* Each CPU that saw the listener there has sent what it had. */
	synchronize_net();
}

static bool has_listeners(const struct ft_notifier *n, const struct ft_net *tn,
			  enum ft_mcgrp group)
{
	return n && genl_has_listeners(n->family, tn->net, group);
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
	return ft_setting(&tn->set, EVENTS) &&
	       has_listeners(rcu_dereference(notifier), tn, FT_MCGRP_EVENTS);
}

/**
 * ft_notify_flow() - tell the listeners about a flow
 * @tn: namespace
 * @cmd: FLOWTRACK_CMD_FLOW_NEW_NTF, _UPDATE_NTF or _DESTROY_NTF
 * @copy: the flow
 * @index: its index
 * @reason: destroy: why it ended
 *
 * Context: RCU read side, softirq or BH disabled; ft_notify_wanted().
 */
void ft_notify_flow(struct ft_net *tn, unsigned int cmd,
		    const struct ft_flow6 *copy, u32 index,
		    enum flowtrack_reason reason)
{
	const struct ft_notifier *n = rcu_dereference(notifier);

	if (n)
		n->flow(tn, cmd, copy, index, reason);
}

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
	const struct ft_notifier *n = rcu_dereference(notifier);

	if (has_listeners(n, tn, FT_MCGRP_PRESSURE))
		n->pressure(tn, event);
}
