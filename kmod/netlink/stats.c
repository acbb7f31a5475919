// SPDX-License-Identifier: GPL-2.0
/*
 * stats-get: counters, as a sum or by CPU.
 */
#include <linux/cpumask.h>
#include <linux/math64.h>
#include <linux/netlink.h>
#include <linux/nf_flowtrack.h>
#include <linux/skbuff.h>
#include <net/genetlink.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/netlink.h>
#include <net/sock.h>

#include "base/settings.h"
#include "base/stats.h"
#include "flow/table.h"
#include "guard/watch.h"
#include "net.h"
#include "netlink/family.h"
#include "netlink/stats.h"
#include "policy/adaptive.h"
#include "policy/top.h"

/* No counters, but numbers of the whole namespace as it is now. */
static bool is_gauge(unsigned int attr)
{
	return (attr >= FLOWTRACK_A_STATS_ADAPTIVE_CLOSING &&
		attr <= FLOWTRACK_A_STATS_ADAPTIVE_ASSURED) ||
	       (attr >= FLOWTRACK_A_STATS_RESERVED_USED &&
		attr <= FLOWTRACK_A_STATS_CONNTRACK_FILL);
}

static u64 per_mille(u64 part, u64 whole)
{
	return whole ? div64_u64(part * 1000, whole) : 0;
}

/* What there is in either table, by class, as of a second ago. */
static void read_classes(struct ft_net *tn, struct ft_stats *stats)
{
	struct ft_census guarded = {};
	unsigned int i;

	/* Without memory for a sample the classes are not known. */
	if (stats->v[FLOWTRACK_A_STATS_GUARDED] && !ft_top_sample(tn)) {
		rcu_read_lock();
		ft_top_census(&rcu_dereference(tn->top.report)->guarded, &guarded);
		rcu_read_unlock();
	}
	for (i = 0; i < FT_CLASSES; i++) {
		stats->v[FLOWTRACK_A_STATS_FLOWS_CLOSING + i] =
			stats->v[FLOWTRACK_A_STATS_FLOWS] ?
			READ_ONCE(tn->watermark.census.n[i]) : 0;
		stats->v[FLOWTRACK_A_STATS_GUARDED_CLOSING + i] = guarded.n[i];
	}
}

static void read_gauges(struct ft_net *tn, struct ft_stats *stats)
{
	u32 entries = nf_conntrack_count(tn->net), limit = READ_ONCE(nf_conntrack_max);
	u32 flows = atomic_read(&tn->count);
	/* More than max are there only after it was lowered. */
	u32 count = min(flows, ft_setting(&tn->set, MAX_FLOWS));
	u32 room = ft_flow_room(&tn->set);
	unsigned int i;

	for (i = 0; i < FT_CLASSES; i++)
		stats->v[FLOWTRACK_A_STATS_ADAPTIVE_CLOSING + i] =
			ft_adaptive_shown(&tn->adaptive, i);
	stats->v[FLOWTRACK_A_STATS_RESERVED_USED] = count > room ? count - room :
								0;
	stats->v[FLOWTRACK_A_STATS_FLOWS] = flows;
	stats->v[FLOWTRACK_A_STATS_FLOWS_MAX] = room;
	stats->v[FLOWTRACK_A_STATS_FLOWS_FILL] = per_mille(flows, room);
	stats->v[FLOWTRACK_A_STATS_GUARDED] = ft_guard_count(tn);
	stats->v[FLOWTRACK_A_STATS_CONNTRACK] = entries;
	stats->v[FLOWTRACK_A_STATS_CONNTRACK_MAX] = limit;
	stats->v[FLOWTRACK_A_STATS_CONNTRACK_FILL] = per_mille(entries, limit);
	read_classes(tn, stats);
}

static int put_stats(struct sk_buff *skb, const struct ft_stats *stats,
		     bool sum)
{
	unsigned int i;
	int err;

	/* The first is the number of the CPU, no counter. */
	for (i = FLOWTRACK_A_STATS_CPU + 1; i < ARRAY_SIZE(stats->v); i++) {
		if (i == FLOWTRACK_A_STATS_PAD || (is_gauge(i) && !sum))
			continue;
		err = nla_put_u64_64bit(skb, i, stats->v[i],
					FLOWTRACK_A_STATS_PAD);
		if (err)
			return err;
	}
	return 0;
}

/**
 * ft_netlink_stats_get() - counters of all CPUs together, and gauges
 * @skb: request
 * @info: likewise
 *
 * Return: 0 or -ENOMEM.
 */
int ft_netlink_stats_get(struct sk_buff *skb, struct genl_info *info)
{
	struct ft_net *tn = ft_netlink_net(info);
	struct ft_stats stats;
	struct sk_buff *msg;
	void *hdr;

	ft_stats_sum(tn, &stats);
	read_gauges(tn, &stats);
	msg = ft_netlink_reply(info, FLOWTRACK_A_STATS_MAX *
			       nla_total_size_64bit(sizeof(u64)), &hdr);
	if (!msg)
		return -ENOMEM;
	return ft_netlink_send(info, msg, hdr, put_stats(msg, &stats, true));
}

static int put_stats_of(struct sk_buff *skb, struct netlink_callback *cb,
			const struct ft_net *tn, int cpu)
{
	struct ft_stats stats;
	void *hdr;

	hdr = genlmsg_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq,
			  &ft_genl_family, NLM_F_MULTI,
			  FLOWTRACK_CMD_STATS_GET);
	if (!hdr)
		return -EMSGSIZE;
	ft_stats_cpu(tn, cpu, &stats);
	if (nla_put_u32(skb, FLOWTRACK_A_STATS_CPU, cpu) ||
	    put_stats(skb, &stats, false)) {
		genlmsg_cancel(skb, hdr);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, hdr);
	return 0;
}

/**
 * ft_netlink_stats_dump() - counters CPU by CPU
 * @skb: message to fill
 * @cb: the dump; args[0] is the next CPU
 *
 * Return: bytes of the message; 0: the end; -EMSGSIZE.
 */
int ft_netlink_stats_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	const struct ft_net *tn = ft_pernet(sock_net(cb->skb->sk));
	unsigned int cpu;

	for (cpu = cb->args[0]; cpu < nr_cpu_ids; cpu++) {
		if (!cpu_possible(cpu))
			continue;
		if (put_stats_of(skb, cb, tn, cpu)) {
			if (!skb->len)
				return -EMSGSIZE;
			break;
		}
	}
	cb->args[0] = cpu;
	return skb->len;
}
