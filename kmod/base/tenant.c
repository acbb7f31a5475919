// SPDX-License-Identifier: GPL-2.0
/*
 * Tenants: users without privileges who have made namespaces of their own.
 *
 * A user who may make a user namespace is root in it, and can have hundreds of
 * network namespaces. What such a user may take is bounded for all of them together:
 *
 *	entries		by shares of total_max, see track/place.c
 *	memory		charged to the tenant's control group
 *	CPU		the work for all tenants' namespaces is done one after
 *			the other, and rests nine times as long as it takes
 *	the log		says nothing of these namespaces, unless
 *			net.netfilter.nf_log_all_netns is set
 */
#include <linux/cred.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/export.h>
#include <linux/ktime.h>
#include <linux/mutex.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/user_namespace.h>
#include <linux/workqueue.h>
#include <net/net_namespace.h>
#include <net/netfilter/nf_log.h>

#include "base/tenant.h"

/* Tenants' work gets one part in so many of one CPU. */
#define CPU_SHARE	10
/* Shorter rests are saved up. */
#define REST_MIN	(20 * NSEC_PER_MSEC)
#define REST_MAX	NSEC_PER_SEC

static LIST_HEAD(tenants); /* protected by tenants_lock */
static DEFINE_MUTEX(tenants_lock);

/* Ordered: one work at a time, whatever number of CPUs there is. */
static struct workqueue_struct *tenants_wq;
/* Nanoseconds of rest that are due; touched by the work of tenants_wq only. */
static u64 rest_due;

/*
 * A tenant may have made further user namespaces inside the first one, and be another user
 * in them.
 */
static kuid_t owner_of(const struct user_namespace *user_ns)
{
	while (user_ns->parent != &init_user_ns)
		user_ns = user_ns->parent;
	return user_ns->owner;
}

/**
 * ft_tenant_get() - the tenant that a namespace belongs to
 * @net: network namespace that is being made
 *
 * Context: may sleep; memory is charged as for what else it consists of.
 * Return: the tenant, to be put; NULL: it is the machine's own;
 * ERR_PTR(-ENOMEM).
 */
struct ft_tenant *ft_tenant_get(const struct net *net)
{
	struct ft_tenant *tenant;
	kuid_t uid;

	if (net->user_ns == &init_user_ns)
		return NULL;
	uid = owner_of(net->user_ns);
	mutex_lock(&tenants_lock);
	list_for_each_entry(tenant, &tenants, list) {
		if (uid_eq(tenant->uid, uid))
			goto found;
	}
	tenant = kzalloc(sizeof(*tenant), GFP_KERNEL_ACCOUNT);
	if (!tenant) {
		mutex_unlock(&tenants_lock);
		return ERR_PTR(-ENOMEM);
	}
	tenant->uid = uid;
	list_add(&tenant->list, &tenants);
found:
	tenant->nets++;
	mutex_unlock(&tenants_lock);
	return tenant;
}

/**
 * ft_tenant_put() - a namespace of a tenant goes
 * @tenant: the tenant; NULL does nothing
 *
 * Context: may sleep.
 */
void ft_tenant_put(struct ft_tenant *tenant)
{
	if (!tenant)
		return;
	mutex_lock(&tenants_lock);
	if (--tenant->nets) {
		mutex_unlock(&tenants_lock);
		return;
	}
	list_del(&tenant->list);
	mutex_unlock(&tenants_lock);
	WARN_ON_ONCE(atomic_read(&tenant->flows));
	kfree(tenant);
}

/**
 * ft_tenant_may_log() - may what happens in a namespace go to the kernel's log?
 * @net: network namespace
 *
 * Context: any.
 * Return: true if so.
 */
bool ft_tenant_may_log(const struct net *net)
{
	return net->user_ns == &init_user_ns ||
	       READ_ONCE(sysctl_nf_log_all_netns);
}

/**
 * ft_tenant_charge() - charge a tenant for what is allocated from here on
 * @memcg: the tenant's control group; NULL: charge nobody
 *
 * Only for allocations with __GFP_ACCOUNT, see ft_tenant_gfp().
 *
 * Context: any.
 * Return: for ft_tenant_uncharge().
 */
struct mem_cgroup *ft_tenant_charge(struct mem_cgroup *memcg)
{
	return memcg ? set_active_memcg(memcg) : NULL;
}
EXPORT_SYMBOL_NS_GPL(ft_tenant_charge, FT_SYMBOL_NS);

/**
 * ft_tenant_uncharge() - charge the control group that was charged before
 * @memcg: as for ft_tenant_charge()
 * @outer: what that returned
 *
 * Context: that of ft_tenant_charge().
 */
void ft_tenant_uncharge(struct mem_cgroup *memcg, struct mem_cgroup *outer)
{
	if (memcg)
		set_active_memcg(outer);
}
EXPORT_SYMBOL_NS_GPL(ft_tenant_uncharge, FT_SYMBOL_NS);

/**
 * ft_tenant_wq() - where work for a namespace is queued
 * @tenant: whose it is; NULL: the machine's own
 *
 * Return: the queue.
 */
struct workqueue_struct *ft_tenant_wq(const struct ft_tenant *tenant)
{
	return tenant ? tenants_wq : system_dfl_wq;
}

/**
 * ft_tenant_rest() - end of a work for a namespace
 * @tenant: whose it is; NULL: the machine's own, and nothing is done
 * @began: ktime_get_ns() when it began
 * @hurry: somebody waits for the work to end when this becomes true
 *
 * Rests long enough that all tenants' work together takes a tenth of one CPU. A
 * tenant with many namespaces, or expensive ones, makes it slower for tenants, and
 * for nobody else.
 *
 * Context: a work on ft_tenant_wq(); sleeps.
 */
void ft_tenant_rest(const struct ft_tenant *tenant, u64 began, const bool *hurry)
{
	u64 now = ktime_get_ns(), end;

	if (!tenant)
		return;
	rest_due += (now - began) * (CPU_SHARE - 1);
	if (rest_due < REST_MIN)
		return;
	end = now + min_t(u64, rest_due, REST_MAX);
	rest_due = 0;
	while (!READ_ONCE(*hurry) && ktime_get_ns() < end)
		msleep(REST_MIN / NSEC_PER_MSEC);
}

/**
 * ft_tenant_init() - prepare to have tenants
 *
 * Return: 0 or -ENOMEM.
 */
int ft_tenant_init(void)
{
	tenants_wq = alloc_ordered_workqueue("nf_flowtrack", 0);
	return tenants_wq ? 0 : -ENOMEM;
}

/**
 * ft_tenant_exit() - there are none any more
 *
 * Context: may sleep; all namespaces are gone.
 */
void ft_tenant_exit(void)
{
	destroy_workqueue(tenants_wq);
}
