// SPDX-License-Identifier: GPL-2.0
/*
 * pressure-ntf: a table has reached a watermark.
 */
#include <linux/netlink.h>
#include <linux/nf_flowtrack.h>
#include <net/genetlink.h>
#include <net/netlink.h>

#include "base/notify.h"
#include "base/settings.h"
#include "flow/table.h"
#include "net.h"
#include "netlink/family.h"
#include "netlink/pressure.h"
#include "netlink/top.h"
#include "policy/adaptive.h"
#include "policy/top.h"
#include "policy/watermark.h"

#define A(name)		FLOWTRACK_A_PRESSURE_##name

/* Two nests of a top-entry, a name, and numbers. */
#define EVENT_SIZE	(2 * FT_NETLINK_TOP_ENTRY_SIZE +		\
			 nla_total_size(64) +				\
			 FLOWTRACK_A_PRESSURE_MAX *			\
			 nla_total_size_64bit(sizeof(u64)))

static int put_census(struct sk_buff *skb, const struct ft_census *census)
{
	unsigned int i;

	for (i = 0; i < FT_CLASSES; i++) {
		if (nla_put_u32(skb, A(CLOSING) + i, census->n[i]))
			return -EMSGSIZE;
	}
	return 0;
}

static int put_factors(struct sk_buff *skb, const struct ft_adaptive *adaptive)
{
	unsigned int i;

	for (i = 0; i < FT_CLASSES; i++) {
		if (nla_put_u32(skb, A(ADAPTIVE_CLOSING) + i,
				ft_adaptive_shown(adaptive, i)))
			return -EMSGSIZE;
	}
	return 0;
}

static int put_number(struct sk_buff *skb, unsigned int attr, u64 value)
{
	return nla_put_u64_64bit(skb, attr, value, A(PAD));
}

static int put_work(struct sk_buff *skb, const struct ft_watermark_work *work)
{
	if (put_number(skb, A(EVICTED), work->evicted) ||
	    put_number(skb, A(DROPPED), work->dropped) ||
	    put_number(skb, A(PASSED), work->passed) ||
	    put_number(skb, A(REFUSED), work->refused))
		return -EMSGSIZE;
	return 0;
}

static int put_first(struct sk_buff *skb, const struct ft_net *tn,
		     unsigned int attr, const struct ft_top_entry *entry,
		     enum flowtrack_top_kind kind, enum flowtrack_tracker table)
{
	if (!entry)
		return 0;
	return ft_netlink_put_top_entry(skb, attr,
					rcu_dereference(tn->top.report), entry,
					kind, table == FLOWTRACK_TRACKER_OWN ?
					FT_TOP_ORDER_OWN : FT_TOP_ORDER_GUARDED);
}

static int put_pressure_event(struct sk_buff *skb, const struct ft_net *tn,
			      const struct ft_watermark_event *event)
{
	void *hdr = genlmsg_put(skb, 0, 0, &ft_genl_family, 0,
				FLOWTRACK_CMD_PRESSURE_NTF);
	u32 fill = div_u64((u64)event->count * 1000, max(event->room, 1U));
	char sysctl[FT_WATERMARK_SYSCTL_SIZE];

	if (!hdr)
		return -EMSGSIZE;
	if (nla_put_u8(skb, A(TABLE), event->table) ||
	    nla_put_u8(skb, A(LEVEL), event->level) ||
	    nla_put_u32(skb, A(COUNT), event->count) ||
	    nla_put_u32(skb, A(ROOM), event->room) ||
	    nla_put_u32(skb, A(FILL), fill) ||
	    (event->table == FLOWTRACK_TRACKER_OWN &&
	     nla_put_u32(skb, A(RATE), event->rate)) ||
	    put_census(skb, &event->census) ||
	    put_first(skb, tn, A(SOURCE), event->source,
		      FLOWTRACK_TOP_KIND_SOURCE, event->table) ||
	    put_first(skb, tn, A(SERVICE), event->service,
		      FLOWTRACK_TOP_KIND_SERVICE, event->table) ||
	    nla_put_u8(skb, A(POLICY), ft_setting(&tn->set, FULL_POLICY)) ||
	    put_factors(skb, &tn->adaptive) ||
	    put_number(skb, A(SINCE), event->since) ||
	    put_work(skb, &event->work) ||
	    nla_put_string(skb, A(SYSCTL),
			   ft_watermark_sysctl(event, sysctl, sizeof(sysctl))))
		return -EMSGSIZE;
	genlmsg_end(skb, hdr);
	return 0;
}

/**
 * ft_netlink_pressure() - tell the listeners that a watermark was crossed
 * @tn: namespace
 * @event: what there is to tell
 *
 * Context: process, RCU read side.
 */
void ft_netlink_pressure(struct ft_net *tn,
			 const struct ft_watermark_event *event)
{
	struct sk_buff *skb = genlmsg_new(EVENT_SIZE, GFP_ATOMIC);

	ft_genl_multicast(tn, FT_MCGRP_PRESSURE, skb,
			  skb ? put_pressure_event(skb, tn, event) : 0);
}
