// SPDX-License-Identifier: GPL-2.0
/*
 * Where packets are tracked: nf_flowtrack_enable.
 *
 * nf_conntrack registers its hooks in a namespace when the first rule there
 * asks for them (a ct expression, -m conntrack, NAT, a helper, synproxy: all
 * that call nf_ct_netns_get()), for IPv4 and IPv6 apart, and takes them away
 * with the last one. With auto our hooks are where its hooks are. No notifier
 * tells when they come and go, and a module cannot read the counters of their
 * users. It can see the hooks, so one worker looks at those of all namespaces.
 */
#include <linux/kernel.h>
#include <linux/lockdep.h>
#include <linux/mutex.h>
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>
#include <linux/netfilter_ipv6.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/timekeeping.h>
#include <linux/workqueue.h>

#include "base/settings.h"
#include "base/tenant.h"
#include "flow/table.h"
#include "net.h"
#include "track/ahead.h"
#include "track/enable.h"
#include "track/family.h"
#include "track/hooks.h"

/*
 * Tracking begins, and ends, within a second: a change counts once it was seen
 * twice.
 */
#define LOOK_PERIOD	(HZ / 2)

/*
 * Is there a hook of nf_conntrack? Its functions are static. Chains of nftables
 * may stand at its priority, and say what they are; nobody else's hook does.
 */
static bool has_conntrack(struct nf_hook_entries __rcu *const *head, int priority)
{
	const struct nf_hook_entries *entries = rcu_dereference(*head);
	const struct nf_hook_ops *op;
	struct nf_hook_ops **ops;
	unsigned int i;

	if (!entries)
		return false;
	ops = nf_hook_entries_get_hook_ops(entries);
	for (i = 0; i < entries->num_hook_entries; i++) {
		/* Another one takes its place while it is being removed. */
		op = READ_ONCE(ops[i]);
		if (op->priority == priority && op->hook_ops_type == NF_HOOK_OP_UNDEFINED)
			return true;
	}
	return false;
}

/* The families that nf_conntrack tracks in a namespace, enum ft_hooks_family. */
static unsigned int asked_for(const struct net *net)
{
	unsigned int families = 0;

	rcu_read_lock();
	if (has_conntrack(&net->nf.hooks_ipv4[NF_INET_PRE_ROUTING],
			  NF_IP_PRI_CONNTRACK))
		families |= FT_HOOKS_IPV4;
	if (has_conntrack(&net->nf.hooks_ipv6[NF_INET_PRE_ROUTING],
			  NF_IP6_PRI_CONNTRACK))
		families |= FT_HOOKS_IPV6;
	rcu_read_unlock();
	return families;
}

/**
 * ft_enable_apply() - track where a value of nf_flowtrack_enable says
 * @tn: namespace
 * @value: enum ft_enable
 *
 * Context: may sleep; settings_lock held, or nobody else knows @tn yet.
 * Return: 0, or an error with the hooks as they were.
 */
int ft_enable_apply(struct ft_net *tn, u32 value)
{
	switch (value) {
	case FT_ENABLE_OFF:
		return ft_hooks_set(tn, 0);
	case FT_ENABLE_AUTO:
		tn->asked = asked_for(tn->net);
		return ft_hooks_set(tn, tn->asked);
	default:
		return ft_hooks_set(tn, FT_HOOKS_IPV4 | FT_HOOKS_IPV6);
	}
}

/* Context: settings_lock held. Return: may tracking follow what asks for it? */
static bool follows(const struct ft_net *tn)
{
	return !tn->dying && ft_setting(&tn->set, ENABLE) == FT_ENABLE_AUTO;
}

/**
 * ft_enable_follow() - look whether something asks for tracking
 * @tn: namespace
 *
 * Hooks come with the first look that finds something, and go when two in a row
 * found nothing: a ruleset that is taken away and loaded anew does not make
 * strangers of the flows there are. If there is no memory for them, or
 * settings_lock is held, the next look tries again: a table that is resized in
 * one namespace must not make the others wait. Nor must hooks that go, which takes
 * grace periods, and translated flows' handing over: a work of the namespace's own does that.
 *
 * Context: may sleep; takes settings_lock.
 */
void ft_enable_follow(struct ft_net *tn)
{
	unsigned int now, wanted;

	if (ft_setting(&tn->set, ENABLE) != FT_ENABLE_AUTO)
		return;
	now = asked_for(tn->net);
	if (now == READ_ONCE(tn->asked) && now == READ_ONCE(tn->hooked))
		return;

	if (!mutex_trylock(&tn->settings_lock))
		return;
	if (follows(tn)) {
		wanted = now | (tn->asked & tn->hooked);
		WRITE_ONCE(tn->asked, now);
		ft_hooks_set(tn, wanted | tn->hooked);
		if (tn->hooked & ~wanted)
			queue_work(tn->wq, &tn->hooks_work);
	}
	mutex_unlock(&tn->settings_lock);
}

/* Something may ask again since that was queued. */
static void hooks_work(struct work_struct *work)
{
	struct ft_net *tn = container_of(work, struct ft_net, hooks_work);
	const u64 began = ktime_get_ns();

	mutex_lock(&tn->settings_lock);
	if (follows(tn))
		ft_hooks_set(tn, tn->asked | asked_for(tn->net));
	mutex_unlock(&tn->settings_lock);
	ft_tenant_rest(tn->tenant, began, &tn->dying);
}

/**
 * ft_enable_net_init() - prepare a namespace
 * @tn: namespace
 */
void ft_enable_net_init(struct ft_net *tn)
{
	INIT_WORK(&tn->hooks_work, hooks_work);
}

/**
 * ft_enable_net_exit() - undo ft_enable_net_init()
 * @tn: namespace, with dying set
 *
 * Context: may sleep; settings_lock not held.
 */
void ft_enable_net_exit(struct ft_net *tn)
{
	cancel_work_sync(&tn->hooks_work);
}

/* Two pointers and a few words a namespace: 10000 take a few milliseconds. */
static void look_work(struct work_struct *work)
{
	struct delayed_work *look = to_delayed_work(work);
	struct ft_net *tn;

	mutex_lock(&ft_nets_lock);
	list_for_each_entry(tn, &ft_nets, list) {
		ft_enable_follow(tn);
		cond_resched();
	}
	mutex_unlock(&ft_nets_lock);
	ft_ahead_adapt();
	queue_delayed_work(system_dfl_wq, look, LOOK_PERIOD);
}

static DECLARE_DELAYED_WORK(look, look_work);

/**
 * ft_enable_init() - start to follow rulesets
 *
 * Context: may sleep.
 */
void ft_enable_init(void)
{
	queue_delayed_work(system_dfl_wq, &look, LOOK_PERIOD);
}

/**
 * ft_enable_exit() - stop following rulesets
 *
 * Context: may sleep.
 */
void ft_enable_exit(void)
{
	cancel_delayed_work_sync(&look);
}
