/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tenants: users without privileges who have made namespaces of their own.
 */
#ifndef _FT_BASE_TENANT_H
#define _FT_BASE_TENANT_H

#include <linux/atomic.h>
#include <linux/gfp.h>
#include <linux/list.h>
#include <linux/types.h>
#include <linux/uidgid.h>

struct mem_cgroup;
struct net;
struct workqueue_struct;

/**
 * struct ft_tenant - a user of the machine, with all namespaces that the user made
 * @list: in the list of all
 * @uid: the user who made the outermost user namespace, by the machine's number
 * @nets: how many network namespaces the user has; protected by the list's lock
 * @flows: entries in all of them together, see track/place.c
 */
struct ft_tenant {
	struct list_head list;
	kuid_t uid;
	unsigned int nets;
	atomic_t flows;
};

struct ft_tenant *ft_tenant_get(const struct net *net);
void ft_tenant_put(struct ft_tenant *tenant);
bool ft_tenant_may_log(const struct net *net);

struct mem_cgroup *ft_tenant_charge(struct mem_cgroup *memcg);
void ft_tenant_uncharge(struct mem_cgroup *memcg, struct mem_cgroup *outer);

/* Allocation flags for a namespace's memory: is a control group charged for it? */
static inline gfp_t ft_tenant_gfp(const struct mem_cgroup *memcg, gfp_t gfp)
{
	return memcg ? gfp | __GFP_ACCOUNT : gfp;
}

struct workqueue_struct *ft_tenant_wq(const struct ft_tenant *tenant);
void ft_tenant_rest(const struct ft_tenant *tenant, u64 began, const bool *hurry);

int ft_tenant_init(void);
void ft_tenant_exit(void);

#endif /* _FT_BASE_TENANT_H */
