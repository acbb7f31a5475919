// SPDX-License-Identifier: GPL-2.0
/*
 * nf_flowtrack: connection tracking that keeps working when its table is full.
 *
 * This file: module and namespaces, what comes first and what goes last.
 */
#include <linux/log2.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/nf_flowtrack.h>
#include <linux/ratelimit.h>
#include <net/net_namespace.h>

#include "base/limits.h"
#include "base/settings.h"
#include "base/stats.h"
#include "base/tenant.h"
#include "control.h"
#include "flow/flow.h"
#include "flow/shadow.h"
#include "flow/table.h"
#include "guard/watch.h"
#include "main.h"
#include "net.h"
#include "netlink/netlink.h"
#include "policy/adaptive.h"
#include "policy/loan.h"
#include "policy/source.h"
#include "policy/top.h"
#include "policy/watermark.h"
#include "proc.h"
#include "sysctl.h"
#include "track/ahead.h"
#include "track/carrier.h"
#include "track/consumers.h"
#include "track/dropped.h"
#include "track/enable.h"
#include "track/end.h"
#include "track/gc.h"
#include "track/hooks.h"
#include "track/nat_end.h"
#include "track/nat_source.h"
#include "track/pool.h"
#include "track/unique.h"

#ifndef FT_VERSION
#define FT_VERSION "0.1.0"
#endif

#define pr_param(fmt, ...) pr_err("nf_flowtrack: " fmt, ##__VA_ARGS__)

/* Namespaces exist: parameters act on the first one, too. */
static bool ft_loaded;

static int param_u32(const char *name, const char *val, u32 min, u32 max,
		     bool zero_ok, u32 *out)
{
	u32 v;

	if (kstrtou32(val, 0, &v) || (!(zero_ok && !v) && (v < min || v > max))) {
		pr_param("%s=%s: must be %sa number from %u to %u\n", name, val,
			 zero_ok ? "0 or " : "", min, max);
		return -EINVAL;
	}
	*out = v;
	return 0;
}

static int set_hashsize(const char *val, const struct kernel_param *kp)
{
	u32 v;
	int err;

	err = param_u32("hashsize", val, FT_BUCKETS_MIN, FT_BUCKETS_MAX, true,
			&v);
	if (err)
		return err;
	if (ft_loaded) {
		err = ft_settings_set(ft_pernet(&init_net),
				      FLOWTRACK_A_SETTINGS_BUCKETS, v, NULL);
		if (err) {
			pr_param("hashsize=%u: resize refused: %pe\n", v,
				 ERR_PTR(err));
			return err;
		}
	}
	ft_params.hashsize = v;
	return 0;
}

static int get_hashsize(char *buffer, const struct kernel_param *kp)
{
	u32 v = ft_params.hashsize;

	if (ft_loaded)
		v = ft_table_buckets(ft_pernet(&init_net)->table);
	return sysfs_emit(buffer, "%u\n", v);
}

static const struct kernel_param_ops hashsize_ops = {
	.set = set_hashsize,
	.get = get_hashsize,
};

module_param_cb(hashsize, &hashsize_ops, NULL, 0644);
MODULE_PARM_DESC(hashsize, "Buckets of the flow table, 64 to 67108864, rounded up to a power of two; 0 (default): follow the number of flows. Writable: resizes the first namespace's table");

static int set_max(const char *val, const struct kernel_param *kp)
{
	return param_u32("max", val, 1, FT_FLOWS_MAX, true, &ft_params.max);
}

static int get_max(char *buffer, const struct kernel_param *kp)
{
	return sysfs_emit(buffer, "%u\n", ft_params.max);
}

static const struct kernel_param_ops max_ops = {
	.set = set_max,
	.get = get_max,
};

module_param_cb(max, &max_ops, NULL, 0444);
MODULE_PARM_DESC(max, "Initial net.netfilter.nf_flowtrack_max of every namespace, 1 to 134217728; 0 (default): by memory, as nf_conntrack_max");

static int set_total_max(const char *val, const struct kernel_param *kp)
{
	return param_u32("total_max", val, 1, FT_FLOWS_MAX, true,
			 &ft_params.total_max);
}

static int get_total_max(char *buffer, const struct kernel_param *kp)
{
	return sysfs_emit(buffer, "%u\n", ft_params.total_max);
}

static const struct kernel_param_ops total_max_ops = {
	.set = set_total_max,
	.get = get_total_max,
};

module_param_cb(total_max, &total_max_ops, NULL, 0444);
MODULE_PARM_DESC(total_max, "Flows of all namespaces together, 1 to 134217728; 0 (default): what fits in a quarter of the memory. The initial namespace may have all, others what it leaves, see sysctl.rst");

static int set_full_policy(const char *val, const struct kernel_param *kp)
{
	int policy = ft_setting_value(FLOWTRACK_A_SETTINGS_FULL_POLICY, val);

	if (policy < 0) {
		pr_param("full_policy=%s: must be evict, drop or pass\n", val);
		return -EINVAL;
	}
	ft_params.full_policy = policy;
	return 0;
}

static int get_full_policy(char *buffer, const struct kernel_param *kp)
{
	return sysfs_emit(buffer, "%s\n", ft_setting_name(FLOWTRACK_A_SETTINGS_FULL_POLICY,
						     ft_params.full_policy));
}

static const struct kernel_param_ops full_policy_ops = {
	.set = set_full_policy,
	.get = get_full_policy,
};

module_param_cb(full_policy, &full_policy_ops, NULL, 0444);
MODULE_PARM_DESC(full_policy, "Initial net.netfilter.nf_flowtrack_full_policy of every namespace: evict (default), drop or pass");

static int set_enable(const char *val, const struct kernel_param *kp)
{
	int enable = ft_setting_value(FLOWTRACK_A_SETTINGS_ENABLE, val);

	if (enable < 0) {
		pr_param("enable=%s: must be 0, 1 or auto\n", val);
		return -EINVAL;
	}
	ft_params.enable = enable;
	return 0;
}

static int get_enable(char *buffer, const struct kernel_param *kp)
{
	return sysfs_emit(buffer, "%s\n", ft_setting_name(FLOWTRACK_A_SETTINGS_ENABLE,
						     ft_params.enable));
}

static const struct kernel_param_ops enable_ops = {
	.set = set_enable,
	.get = get_enable,
};

module_param_cb(enable, &enable_ops, NULL, 0644);
MODULE_PARM_DESC(enable, "Initial net.netfilter.nf_flowtrack_enable of every namespace: auto (default: track where nf_conntrack does), 1 or 0. Writable");

module_param_cb(inherit, &param_ops_bool, &ft_params.inherit, 0644);
MODULE_PARM_DESC(inherit, "New namespaces begin with the settings that were made in the initial one: 0 (default) or 1. Writable");

/**
 * ft_net_flows_init() - make a namespace that can have flows
 * @tn: namespace; net and settings are set
 * @buckets: initial number of buckets
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int ft_net_flows_init(struct ft_net *tn, u32 buckets)
{
	atomic_set(&tn->count, 0);
	tn->wq = ft_tenant_wq(tn->tenant);
	ft_adaptive_init(&tn->adaptive);
	ft_loan_init(&tn->loan);
	ratelimit_state_init(&tn->full_log, 10 * HZ, 1);
	ratelimit_set_flags(&tn->full_log, RATELIMIT_MSG_ON_RELEASE);
	ratelimit_state_init(&tn->ports_log, 10 * HZ, 1);
	ratelimit_set_flags(&tn->ports_log, RATELIMIT_MSG_ON_RELEASE);
	tn->table = ft_table_create(buckets);
	if (IS_ERR(tn->table))
		return PTR_ERR(tn->table);
	tn->sieve = ft_table_sieve(tn->table);
	ft_table_charge(tn->table, tn->memcg);
	ft_source_init(tn);
	ft_top_init(tn);
	ft_watermark_init(tn);
	ft_gc_init(tn);
	ft_nat_end_net_init(tn);
	ft_nat_source_net_init(tn);
	ft_enable_net_init(tn);
	return 0;
}

/**
 * ft_net_flows_exit() - end all flows of a namespace, and what works on them
 * @tn: namespace; no hook, sysctl or netlink request can reach it any more
 *
 * Context: may sleep.
 */
void ft_net_flows_exit(struct ft_net *tn)
{
	WRITE_ONCE(tn->dying, true);
	ft_enable_net_exit(tn);
	ft_gc_exit(tn);
	ft_nat_end_net_exit(tn);
	ft_top_exit(tn);
	ft_nat_source_net_exit(tn);
	ft_flow_end_all(tn, FLOWTRACK_REASON_FLUSHED);
	WARN_ON_ONCE(atomic_read(&tn->count));
	ft_source_exit(tn);
	ft_table_destroy(tn->table);
}

/* The kernel makes a namespace at the expense of the task that asked for it. */
static int tenant_init(struct ft_net *tn)
{
	tn->tenant = ft_tenant_get(tn->net);
	if (IS_ERR(tn->tenant))
		return PTR_ERR(tn->tenant);
	tn->memcg = tn->tenant ? get_mem_cgroup_from_mm(NULL) : NULL;
	return 0;
}

static void tenant_exit(struct ft_net *tn)
{
	mem_cgroup_put(tn->memcg);
	ft_tenant_put(tn->tenant);
}

static int __net_init ft_net_init(struct net *net)
{
	struct ft_net *tn = ft_pernet(net);
	u32 buckets;
	int err;

	tn->net = net;
	mutex_init(&tn->settings_lock);
	err = tenant_init(tn);
	if (err)
		return err;
	err = ft_stats_init(tn);
	if (err)
		goto err_tenant;
	ft_settings_init(tn);
	buckets = ft_setting(&tn->set, BUCKETS);
	err = ft_net_flows_init(tn, buckets ?: FT_BUCKETS_MIN);
	if (err)
		goto err_stats;
	err = ft_guard_init(tn);
	if (err)
		goto err_flows;
	err = ft_pool_net_init(tn);
	if (err)
		goto err_guard;
	err = ft_sysctl_init(tn);
	if (err)
		goto err_pool;
	err = ft_proc_init(tn);
	if (err)
		goto err_sysctl;
	err = ft_hooks_init(tn);
	if (err)
		goto err_proc;
	err = ft_settings_inherit(tn);
	if (err)
		goto err_hooks;
	err = ft_enable_apply(tn, ft_setting(&tn->set, ENABLE));
	if (err)
		goto err_hooks;
	ft_net_add(tn);
	return 0;

err_hooks:
	/* Packets may be in hooks that were registered before another one could not be. */
	ft_pool_net_stop(tn);
	synchronize_net();
	ft_hooks_exit(tn);
err_proc:
	ft_proc_exit(tn);
err_sysctl:
	ft_sysctl_exit(tn);
err_pool:
	ft_pool_net_stop(tn);
	ft_pool_net_exit(tn);
err_guard:
	ft_guard_stop(tn);
	ft_guard_exit(tn);
err_flows:
	ft_net_flows_exit(tn);
err_stats:
	ft_stats_exit(tn);
err_tenant:
	tenant_exit(tn);
	return err;
}

/* A grace period lies between pre_exit and exit: no packet is inside then. */
static void __net_exit ft_net_pre_exit(struct net *net)
{
	struct ft_net *tn = ft_pernet(net);

	ft_net_del(tn);
	/* First: a task that writes a setting, and waits for something, need not any more. */
	mutex_lock(&tn->settings_lock);
	WRITE_ONCE(tn->dying, true);
	mutex_unlock(&tn->settings_lock);
	ft_proc_exit(tn);
	ft_sysctl_exit(tn);
	mutex_lock(&tn->settings_lock);
	ft_hooks_set(tn, 0);
	mutex_unlock(&tn->settings_lock);
	ft_pool_net_stop(tn);
}

static void __net_exit ft_net_exit(struct net *net)
{
	struct ft_net *tn = ft_pernet(net);

	ft_hooks_exit(tn);
	/* Its timers store marks into the table: so the table goes later. */
	ft_pool_net_exit(tn);
	/* Its work gives back what sources count; top looks at its shadows. */
	ft_guard_stop(tn);
	ft_net_flows_exit(tn);
	ft_guard_exit(tn);
	ft_stats_exit(tn);
	tenant_exit(tn);
}

static struct pernet_operations ft_net_ops = {
	.init = ft_net_init,
	.pre_exit = ft_net_pre_exit,
	.exit = ft_net_exit,
	.id = &ft_net_id,
	.size = sizeof(struct ft_net),
};

/* What fits in a quarter of the memory, at an IPv6 flow and its slot each. */
static u32 total_by_memory(void)
{
	u64 bytes = (u64)totalram_pages() << PAGE_SHIFT;
	u64 flows = div_u64(bytes / 4, FT_FLOW6_BYTES + 16);

	return clamp_t(u64, flows, 1, FT_FLOWS_MAX);
}

static int __init ft_init(void)
{
	int err;

	if (!ft_params.total_max)
		ft_params.total_max = total_by_memory();
	err = ft_tenant_init();
	if (err)
		return err;
	err = ft_table_cache_init();
	if (err)
		goto err_tenant;
	err = ft_shadow_cache_init();
	if (err)
		goto err_table;
	ft_unique_init();
	err = ft_consumers_init();
	if (err)
		goto err_shadow;
	ft_carrier_init();
	err = ft_ahead_init();
	if (err)
		goto err_mode;
	err = ft_dropped_init();
	if (err)
		goto err_ahead;
	err = register_pernet_subsys(&ft_net_ops);
	if (err)
		goto err_dropped;
	err = ft_nat_end_init();
	if (err)
		goto err_pernet;
	err = ft_netlink_init();
	if (err)
		goto err_nat_end;
	ft_ahead_start();
	ft_enable_init();
	ft_loaded = true;
	/* The second module would say that the original is there, but is not even built. */
	if (IS_BUILTIN(CONFIG_NF_CT_NETLINK))
		pr_notice("nf_flowtrack: nf_conntrack_netlink is built into this kernel: programs that speak ctnetlink do not see flowtrack's flows\n");
	return 0;

err_nat_end:
	ft_nat_end_exit();
err_pernet:
	unregister_pernet_subsys(&ft_net_ops);
err_dropped:
	ft_dropped_exit();
	ft_carrier_exit();
err_ahead:
	ft_ahead_exit();
err_mode:
	ft_consumers_exit();
err_shadow:
	ft_shadow_cache_exit();
err_table:
	ft_table_cache_exit();
err_tenant:
	ft_tenant_exit();
	return err;
}

static void __exit ft_exit(void)
{
	/* A task that reads or writes hashsize holds no reference of the module, but this lock. */
	kernel_param_lock(THIS_MODULE);
	ft_loaded = false;
	kernel_param_unlock(THIS_MODULE);
	ft_enable_exit();
	ft_ahead_stop();
	ft_netlink_exit();
	ft_nat_end_exit();
	unregister_pernet_subsys(&ft_net_ops);
	ft_dropped_exit();
	ft_carrier_exit();
	ft_ahead_exit();
	ft_consumers_exit();
	ft_shadow_cache_exit();
	ft_table_cache_exit();
	ft_tenant_exit();
}

module_init(ft_init);
module_exit(ft_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Connection tracking that keeps working when its table is full");
MODULE_VERSION(FT_VERSION);
