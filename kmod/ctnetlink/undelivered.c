// SPDX-License-Identifier: GPL-2.0
#include <linux/init.h>
#include <linux/jiffies.h>
#include <linux/list.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include <net/net_namespace.h>
#include <net/netns/generic.h>

#include "base/settings.h"
#include "base/tenant.h"
#include "ctnetlink/encode.h"
#include "ctnetlink/send.h"
#include "ctnetlink/stand_in.h"
#include "ctnetlink/undelivered.h"
#include "flow/flow.h"
#include "net.h"

/* As nf_conntrack's: jiffies between two attempts, and of one. */
#define AGAIN	msecs_to_jiffies(10)
#define SLICE	msecs_to_jiffies(10)

/**
 * struct end - a flow that has ended, and not all know it
 * @list: in the list of its namespace, by @serial
 * @serial: for dumps
 * @copy: the flow
 * @event: its end
 */
struct end {
	struct list_head list;
	u64 serial;
	struct ft_flow6 copy;
	struct ft_ctnl_own_event event;
};

/**
 * struct undelivered - what a namespace has not told
 * @net: the namespace
 * @lock: protects @list, @n, @serial and @closed
 * @list: struct end
 * @n: how many they are: at most what the table may hold, as in nf_conntrack
 * @serial: of the next one
 * @closed: the namespace goes away: nothing is added any more
 * @work: tells them again
 */
struct undelivered {
	struct net *net;
	spinlock_t lock; /* protects list, n, serial, closed */
	struct list_head list;
	u32 n;
	u64 serial;
	bool closed;
	struct delayed_work work;
};

static unsigned int net_id;

static struct undelivered *undelivered_of(const struct net *net)
{
	return net_generic(net, net_id);
}

/* Charged to the tenant as the flow was. */
static struct end *end_alloc(const struct ft_net *tn)
{
	gfp_t gfp = ft_tenant_gfp(tn->memcg, GFP_ATOMIC | __GFP_NOWARN);
	struct mem_cgroup *outer;
	struct end *end;

	outer = ft_tenant_charge(tn->memcg);
	end = kmalloc(sizeof(*end), gfp);
	ft_tenant_uncharge(tn->memcg, outer);
	return end;
}

/**
 * ft_undelivered_add() - tell of an end again
 * @tn: namespace
 * @event: the end, which not all could be told
 *
 * Where there is no memory, or there are too many already, the end is lost. The
 * listener's socket has said so.
 *
 * Context: BH disabled; RCU read side.
 */
void ft_undelivered_add(const struct ft_net *tn, const struct ft_ctnl_own_event *event)
{
	struct undelivered *undelivered = undelivered_of(tn->net);
	struct end *end = end_alloc(tn);

	if (!end)
		return;
	end->copy = *event->copy;
	end->event = *event;
	end->event.copy = &end->copy;
	/* The program that asked for the answer has been told. */
	end->event.report = false;

	spin_lock_bh(&undelivered->lock);
	if (!undelivered->closed && undelivered->n < ft_setting(&tn->set, MAX_FLOWS)) {
		end->serial = undelivered->serial++;
		list_add_tail(&end->list, &undelivered->list);
		undelivered->n++;
		end = NULL;
		queue_delayed_work(tn->wq, &undelivered->work, AGAIN);
	}
	spin_unlock_bh(&undelivered->lock);
	kfree(end);
}

/* The first of them. Return: false: there is none, or it has to wait. */
static bool tell_first(struct undelivered *undelivered, const struct ft_net *tn)
{
	struct end *end;
	bool told;

	spin_lock_bh(&undelivered->lock);
	end = list_first_entry_or_null(&undelivered->list, struct end, list);
	told = end && !ft_ctnl_send_own(tn, &end->event);
	if (told) {
		list_del(&end->list);
		undelivered->n--;
	}
	spin_unlock_bh(&undelivered->lock);
	if (told)
		kfree(end);
	return told;
}

static void tell_again(struct work_struct *work)
{
	struct undelivered *undelivered = container_of(work, struct undelivered, work.work);
	const struct ft_net *tn = ft_pernet(undelivered->net);
	unsigned long end = jiffies + SLICE;
	bool told = true;

	while (told && time_before(jiffies, end)) {
		rcu_read_lock();
		told = tell_first(undelivered, tn);
		rcu_read_unlock();
		cond_resched();
	}
	if (!list_empty_careful(&undelivered->list))
		queue_delayed_work(tn->wq, &undelivered->work, told ? 0 : AGAIN);
}

/**
 * ft_undelivered_show() - show the flows whose end has not been told yet
 * @skb: message
 * @head: of the answers
 * @tn: namespace
 * @family: NFPROTO_*; 0: all
 * @next: where to go on; advanced
 *
 * Context: process.
 * Return: false: one does not fit.
 */
bool ft_undelivered_show(struct sk_buff *skb, const struct ft_ctnl_head *head,
			 const struct ft_net *tn, u8 family, u64 *next)
{
	struct undelivered *undelivered = undelivered_of(tn->net);
	struct ft_stand_in stand_in;
	const struct end *end;
	bool fits = true;

	spin_lock_bh(&undelivered->lock);
	list_for_each_entry(end, &undelivered->list, list) {
		if (end->serial < *next || (family && end->copy.f.key.family != family))
			continue;
		ft_stand_in_set(&stand_in, tn, &end->copy);
		ft_stand_in_stop(&stand_in, end->event.stop);
		fits = !ft_ctnl_put_ct(skb, head, &stand_in.ct,
				       ft_stand_in_id(tn, &end->copy, end->event.index), true);
		if (!fits)
			break;
		*next = end->serial + 1;
	}
	spin_unlock_bh(&undelivered->lock);
	return fits;
}

static int __net_init undelivered_net_init(struct net *net)
{
	struct undelivered *undelivered = undelivered_of(net);

	undelivered->net = net;
	spin_lock_init(&undelivered->lock);
	INIT_LIST_HEAD(&undelivered->list);
	INIT_DELAYED_WORK(&undelivered->work, tell_again);
	return 0;
}

/* The namespace's last flows end after this. */
static void __net_exit undelivered_net_exit(struct net *net)
{
	struct undelivered *undelivered = undelivered_of(net);
	struct end *end, *next;

	spin_lock_bh(&undelivered->lock);
	undelivered->closed = true;
	spin_unlock_bh(&undelivered->lock);
	cancel_delayed_work_sync(&undelivered->work);
	list_for_each_entry_safe(end, next, &undelivered->list, list)
		kfree(end);
}

static struct pernet_operations net_ops = {
	.init = undelivered_net_init,
	.exit = undelivered_net_exit,
	.id = &net_id,
	.size = sizeof(struct undelivered),
};

/**
 * ft_undelivered_init() - prepare for ends that cannot be told
 *
 * Context: may sleep; before anybody is told.
 * Return: 0 or -ENOMEM.
 */
int __init ft_undelivered_init(void)
{
	return register_pernet_subsys(&net_ops);
}

/**
 * ft_undelivered_exit() - forget them
 *
 * Context: may sleep; nobody is being told any more.
 */
void ft_undelivered_exit(void)
{
	unregister_pernet_subsys(&net_ops);
}
