/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What flowtrack keeps for one network namespace.
 *
 * struct ft_net embeds what the floors above keep for a namespace, so that a
 * packet chases no pointer for it. So this header includes upward, the only one
 * that may: see "Floors" in Documentation/architecture.rst.
 */
#ifndef _FT_NET_H
#define _FT_NET_H

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/netfilter.h>
#include <linux/ratelimit_types.h>
#include <linux/workqueue.h>
#include <net/net_namespace.h>

#include "base/follow.h"
#include "base/settings.h"
#include "base/stats.h"
#include "base/tenant.h"
#include "flow/table.h"
#include "guard/guard.h"
#include "policy/adaptive.h"
#include "policy/loan.h"
#include "policy/source.h"
#include "policy/top.h"
#include "policy/watermark.h"
#include "track/consumers.h"
#include "track/nat_end.h"
#include "track/nat_source.h"

struct ctl_table_header;
struct mem_cgroup;
struct ctl_table;
struct ft_pool;

/**
 * struct ft_net - one namespace's flows, settings, statistics and workers
 * @net: the namespace
 * @list: in ft_nets
 * @table: its flows
 * @sieve: ft_table_sieve() of them
 * @count: entries admitted and not yet ended; never above the setting max by
 *	more than what was there when max was lowered
 * @tenant: whose namespace it is; NULL: the machine's own
 * @memcg: the tenant's control group, charged for what flows need; or NULL
 * @wq: where work for it is queued, see ft_tenant_wq()
 * @set: settings
 * @follow: which of them are nf_conntrack's
 * @settings_lock: protects writes to @set and what follows from them (hooks
 *	registered or not, table resized); taken by process context only
 * @hooked: enum ft_hooks_family: hooks are registered; written under @settings_lock
 * @asked: enum ft_hooks_family: what something in the namespace asked for when
 *	track/enable.c looked last; written under @settings_lock
 * @ahead: enum ft_hooks_family: what is looked ahead for, see track/ahead.c; written under
 *	@settings_lock
 * @ahead_always: whether it is worth it or not; likewise
 * @passed: packets of flows of nf_conntrack pass by, or did within a second
 * @adopting: of IPv4, IPv6: ft_now() when ft_mode_adopting() was true last
 * @hook_ops: the hooks to register: their priv leads back here
 * @pools: carriers, per CPU, see track/pool.c
 * @home: number of this namespace; carriers have it, and no pointer
 * @stats: per CPU
 * @gc_work: expiry, see gc.c
 * @gc_began: jiffies when the packet path or @gc_work last queued @gc_work
 * @gc_cursor: where expiry stands; touched by @gc_work only
 * @shrink_cursor: where adaptive timeouts stand; touched by @gc_work only
 * @adaptive: adaptive timeouts
 * @loan: places of idle flows that unanswered newcomers took, see loan.c
 * @hooks_work: takes hooks away, see track/enable.c
 * @resize_work: follows the number of flows with the number of buckets
 * @resize_again: jiffies until which new flows do not ask for that, since it failed;
 *	0: it did not
 * @sources: flows by source, see source.c
 * @top: sources that hold most flows, see top.c
 * @watermark: tells that the table fills, see watermark.c
 * @full_log: limits the message about the own full table
 * @ports_log: limits the message about ports of NAT's that are all in use
 * @guard: of the flows that stay in nf_conntrack
 * @nat_end: translated flows that are to end
 * @nat_sources: what sources are translated to, see track/nat_source.c
 * @handing_over: no translated flow is entered, see track/hand_over.c; written under
 *	@settings_lock
 * @handed_over: the last round of ft_hand_over_unreachable() that came here; protected by
 *	ft_nets_lock
 * @consumers: readers of nf_conntrack's table, which need flows to stay there
 * @sysctl: registered table
 * @sysctl_table: its storage
 * @dying: the namespace goes away: nothing is scheduled any more
 */
struct ft_net {
	struct net *net;
	struct list_head list;
	struct ft_table *table;
	const struct ft_sieve *sieve;
	atomic_t count;
	struct ft_tenant *tenant;
	struct mem_cgroup *memcg;
	struct workqueue_struct *wq;
	struct ft_settings set;
	struct ft_follow follow;
	struct mutex settings_lock; /* protects set, hooked, asked, ahead (writes) */
	u8 hooked;
	u8 asked;
	u8 ahead;
	bool ahead_always;
	bool passed;
	u32 adopting[2];
	struct nf_hook_ops *hook_ops;
	struct ft_pool __percpu *pools;
	u32 home;
	struct ft_stats __percpu *stats;
	struct delayed_work gc_work;
	unsigned long gc_began;
	struct ft_cursor gc_cursor;
	struct ft_cursor shrink_cursor;
	struct ft_adaptive adaptive;
	struct ft_loan loan;
	struct work_struct hooks_work;
	struct work_struct resize_work;
	unsigned long resize_again;
	struct ft_sources sources;
	struct ft_top top;
	struct ft_watermark watermark;
	struct ratelimit_state full_log;
	struct ratelimit_state ports_log;
	struct ft_guard guard;
	struct ft_nat_end nat_end;
	struct ft_nat_sources nat_sources;
	bool handing_over;
	unsigned int handed_over;
	struct ft_consumers consumers;
	struct ctl_table_header *sysctl;
	struct ctl_table *sysctl_table;
	bool dying;
};

/**
 * struct ft_params - module parameters: initial values of every namespace
 * @hashsize: buckets; 0: follow the number of flows
 * @max: flows; 0: by the machine's memory
 * @full_policy: enum flowtrack_policy
 * @enable: enum ft_enable: track in new namespaces
 * @total_max: flows of all namespaces together
 * @inherit: new namespaces begin with what is set in the initial one
 */
struct ft_params {
	u32 hashsize;
	u32 max;
	u32 full_policy;
	u32 enable;
	u32 total_max;
	bool inherit;
};

extern struct ft_params ft_params;
extern unsigned int ft_net_id;

extern struct mutex ft_nets_lock;
extern struct list_head ft_nets;

struct ft_net *ft_pernet(const struct net *net);
void ft_net_add(struct ft_net *tn);
void ft_net_del(struct ft_net *tn);

void ft_net_scan_soon(struct ft_net *tn);
void ft_net_scan_now(struct ft_net *tn);

/* Settings of nf_conntrack may have changed; true if they have. */
static inline bool ft_net_follow(struct ft_net *tn)
{
	return ft_follow_update(&tn->follow, &tn->set, tn->net);
}

#endif /* _FT_NET_H */
