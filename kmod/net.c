// SPDX-License-Identifier: GPL-2.0
#include <linux/export.h>
#include <linux/jiffies.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/workqueue.h>
#include <net/netns/generic.h>

#include "net.h"

/* One scan a second: an expired flow is freed within a second plus one scan. */
#define SCAN_PERIOD	HZ

unsigned int ft_net_id __read_mostly;

struct ft_params ft_params = {
	.enable = FT_ENABLE_AUTO,
};

/* All namespaces. Taken before any settings_lock. */
DEFINE_MUTEX(ft_nets_lock);
LIST_HEAD(ft_nets); /* protected by ft_nets_lock */

/**
 * ft_pernet() - what flowtrack keeps for a namespace
 * @net: the namespace
 *
 * Context: between the namespace's init and exit.
 * Return: its own, never NULL.
 */
struct ft_net *ft_pernet(const struct net *net)
{
	return net_generic(net, ft_net_id);
}
EXPORT_SYMBOL_NS_GPL(ft_pernet, FT_SYMBOL_NS);

/**
 * ft_net_add() - let the workers that serve all namespaces see one
 * @tn: namespace, complete
 *
 * Context: may sleep.
 */
void ft_net_add(struct ft_net *tn)
{
	mutex_lock(&ft_nets_lock);
	list_add_tail(&tn->list, &ft_nets);
	mutex_unlock(&ft_nets_lock);
}

/**
 * ft_net_del() - hide a namespace from the workers that serve all
 * @tn: namespace
 *
 * Context: may sleep; waits for a worker that is at it.
 */
void ft_net_del(struct ft_net *tn)
{
	mutex_lock(&ft_nets_lock);
	list_del(&tn->list);
	mutex_unlock(&ft_nets_lock);
}

/**
 * ft_net_scan_soon() - make sure that expiry runs
 * @tn: namespace that has a flow
 *
 * Context: any. Called for each new flow: finding the work queued already
 * costs one read of a line that nobody writes meanwhile.
 */
void ft_net_scan_soon(struct ft_net *tn)
{
	if (delayed_work_pending(&tn->gc_work) || READ_ONCE(tn->dying))
		return;
	if (queue_delayed_work(tn->wq, &tn->gc_work, SCAN_PERIOD))
		WRITE_ONCE(tn->gc_began, jiffies);
}

/**
 * ft_net_scan_now() - make expiry run now
 * @tn: namespace
 *
 * What it brings up to date besides, the adaptive timeouts and the watermarks,
 * then is of this moment.
 *
 * Context: any.
 */
void ft_net_scan_now(struct ft_net *tn)
{
	if (!READ_ONCE(tn->dying))
		mod_delayed_work(tn->wq, &tn->gc_work, 0);
}
