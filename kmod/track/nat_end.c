// SPDX-License-Identifier: GPL-2.0
/*
 * As net/netfilter/nf_nat_masquerade.c does it for nf_conntrack's entries: a notifier
 * asks, and a work item looks through the table.
 */
#include <linux/bottom_half.h>
#include <linux/inetdevice.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/nf_flowtrack.h>
#include <linux/notifier.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/timekeeping.h>
#include <net/addrconf.h>
#include <net/if_inet6.h>

#include "base/tenant.h"
#include "flow/flow.h"
#include "flow/table.h"
#include "net.h"
#include "track/end.h"
#include "track/nat_end.h"

/* Requests that may wait. The flows of a further one are left to their timeouts. */
#define ASKED_MAX	16

/**
 * struct ask - flows that are to end
 * @list: in ft_nat_end.asked
 * @tn: namespace
 * @device: number of the device whose address they have; 0: all that are translated
 * @family: of @addr; 0: whatever address
 * @addr: that
 */
struct ask {
	struct list_head list;
	struct ft_net *tn;
	u32 device;
	u8 family;
	union nf_inet_addr addr;
};

/* Has a flow borrowed that address? It is where the answers go to. */
static bool has_address(const struct ft_flow *flow, u32 word, const struct ft_nat *nat,
			const struct ask *ask)
{
	bool end = !(word & FT_FLOW_REPLY_HI);

	if (READ_ONCE(flow->key.family) != ask->family)
		return false;
	if (ask->family == NFPROTO_IPV6)
		return ipv6_addr_equal(&nat->addr6[end], &ask->addr.in6);
	return READ_ONCE(nat->addr4[end]) == ask->addr.ip;
}

/* What is read without the lock is that of one flow, or ft_flow_end() does nothing. */
static int end_one(struct ft_flow *flow, u32 index, void *arg)
{
	const struct ask *ask = arg;
	const struct ft_nat *nat;
	u32 gen, word;

	if (!(index & FT_INDEX_NAT) || !ft_flow_alive(flow, &gen, &word))
		return 0;
	nat = ft_flow_nat(flow, index & FT_INDEX_V6 ? NFPROTO_IPV6 : NFPROTO_IPV4);
	if (ask->device && READ_ONCE(nat->masq) != ask->device)
		return 0;
	if (ask->family && !has_address(flow, word, nat, ask))
		return 0;
	/* Pairs with the release in ft_flow_unlock(): all was read before. */
	smp_rmb();
	local_bh_disable();
	ft_flow_end(ask->tn, flow, index, gen, FLOWTRACK_REASON_DELETED);
	local_bh_enable();
	return 0;
}

static struct ask *next_ask(struct ft_nat_end *end)
{
	struct ask *ask;

	spin_lock_bh(&end->lock);
	ask = list_first_entry_or_null(&end->asked, struct ask, list);
	if (ask) {
		list_del(&ask->list);
		end->n--;
	}
	spin_unlock_bh(&end->lock);
	return ask;
}

static void end_work(struct work_struct *work)
{
	struct ft_net *tn = container_of(work, struct ft_net, nat_end.work);
	struct ask *ask;
	u64 began;

	while ((ask = next_ask(&tn->nat_end))) {
		began = ktime_get_ns();
		ft_table_for_each(tn->table, false, end_one, ask);
		kfree(ask);
		/* Each time: more may be asked for as fast as this is done. */
		ft_tenant_rest(tn->tenant, began, &tn->dying);
	}
}

/* Context: any, as @gfp. */
static void ask_for(struct ft_net *tn, const struct ask *what, gfp_t gfp)
{
	struct ft_nat_end *end = &tn->nat_end;
	struct ask *ask;

	if (READ_ONCE(tn->dying) || !ft_table_translated(tn->table))
		return;
	/* No memory: as nf_nat has it, they time out. */
	ask = kmemdup(what, sizeof(*what), gfp | __GFP_NOWARN);
	if (!ask)
		return;
	ask->tn = tn;
	spin_lock_bh(&end->lock);
	if (end->n < ASKED_MAX) {
		list_add_tail(&ask->list, &end->asked);
		end->n++;
		ask = NULL;
		queue_work(tn->wq, &end->work);
	}
	spin_unlock_bh(&end->lock);
	kfree(ask);
}

/* A notifier that is unregistered is told that every device goes down: they do not. */
static bool leaving;

static int device_event(struct notifier_block *nb, unsigned long event, void *ptr)
{
	const struct net_device *dev = netdev_notifier_info_to_dev(ptr);
	const struct ask ask = { .device = dev->ifindex };

	if (event == NETDEV_DOWN && !READ_ONCE(leaving))
		ask_for(ft_pernet(dev_net(dev)), &ask, GFP_KERNEL);
	return NOTIFY_DONE;
}

static int inet_event(struct notifier_block *nb, unsigned long event, void *ptr)
{
	const struct in_ifaddr *ifa = ptr;
	const struct net_device *dev = ifa->ifa_dev->dev;
	const struct ask ask = {
		.device = dev->ifindex,
		.family = NFPROTO_IPV4,
		.addr.ip = ifa->ifa_address,
	};

	/* A device that goes takes all its addresses along: device_event(). */
	if (event == NETDEV_DOWN && !ifa->ifa_dev->dead)
		ask_for(ft_pernet(dev_net(dev)), &ask, GFP_KERNEL);
	return NOTIFY_DONE;
}

#if IS_ENABLED(CONFIG_IPV6)
static int inet6_event(struct notifier_block *nb, unsigned long event, void *ptr)
{
	const struct inet6_ifaddr *ifa = ptr;
	const struct net_device *dev = ifa->idev->dev;
	const struct ask ask = {
		.device = dev->ifindex,
		.family = NFPROTO_IPV6,
		.addr.in6 = ifa->addr,
	};

	if (event == NETDEV_DOWN)
		ask_for(ft_pernet(dev_net(dev)), &ask, GFP_ATOMIC);
	return NOTIFY_DONE;
}

static struct notifier_block inet6_nb = {
	.notifier_call = inet6_event,
};
#endif

/* Nobody is left to translate a packet: nf_conntrack's translated entries end, too. */
static int module_event(struct notifier_block *nb, unsigned long event, void *ptr)
{
	const struct module *module = ptr;
	const struct ask all = {};
	struct ft_net *tn;

	if (event != MODULE_STATE_GOING || strcmp(module->name, "nf_nat"))
		return NOTIFY_DONE;
	mutex_lock(&ft_nets_lock);
	list_for_each_entry(tn, &ft_nets, list)
		ask_for(tn, &all, GFP_KERNEL);
	mutex_unlock(&ft_nets_lock);
	return NOTIFY_DONE;
}

static struct notifier_block device_nb = {
	.notifier_call = device_event,
};

static struct notifier_block inet_nb = {
	.notifier_call = inet_event,
};

static struct notifier_block module_nb = {
	.notifier_call = module_event,
};

/**
 * ft_nat_end_net_init() - prepare a namespace
 * @tn: namespace
 */
void ft_nat_end_net_init(struct ft_net *tn)
{
	spin_lock_init(&tn->nat_end.lock);
	INIT_LIST_HEAD(&tn->nat_end.asked);
	INIT_WORK(&tn->nat_end.work, end_work);
}

/**
 * ft_nat_end_net_exit() - undo ft_nat_end_net_init()
 * @tn: namespace, dying for a grace period
 *
 * Context: may sleep.
 */
void ft_nat_end_net_exit(struct ft_net *tn)
{
	struct ask *ask;

	cancel_work_sync(&tn->nat_end.work);
	while ((ask = next_ask(&tn->nat_end)))
		kfree(ask);
}

/**
 * ft_nat_end_init() - from now on see devices and addresses go
 *
 * Context: may sleep; namespaces are there.
 * Return: 0 or an error.
 */
int ft_nat_end_init(void)
{
	int err;

	err = register_netdevice_notifier(&device_nb);
	if (err)
		return err;
	err = register_inetaddr_notifier(&inet_nb);
	if (err)
		goto err_device;
#if IS_ENABLED(CONFIG_IPV6)
	err = register_inet6addr_notifier(&inet6_nb);
	if (err)
		goto err_inet;
#endif
	err = register_module_notifier(&module_nb);
	if (err)
		goto err_inet6;
	return 0;

err_inet6:
#if IS_ENABLED(CONFIG_IPV6)
	unregister_inet6addr_notifier(&inet6_nb);
err_inet:
#endif
	unregister_inetaddr_notifier(&inet_nb);
err_device:
	unregister_netdevice_notifier(&device_nb);
	return err;
}

/**
 * ft_nat_end_exit() - undo ft_nat_end_init()
 *
 * Context: may sleep; namespaces are still there.
 */
void ft_nat_end_exit(void)
{
	WRITE_ONCE(leaving, true);
	unregister_module_notifier(&module_nb);
#if IS_ENABLED(CONFIG_IPV6)
	unregister_inet6addr_notifier(&inet6_nb);
#endif
	unregister_inetaddr_notifier(&inet_nb);
	unregister_netdevice_notifier(&device_nb);
}
