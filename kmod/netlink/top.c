// SPDX-License-Identifier: GPL-2.0
/*
 * top-get: the sources, destinations, services or external addresses with most flows.
 */
#include <linux/netlink.h>
#include <linux/nf_flowtrack.h>
#include <linux/socket.h>
#include <net/genetlink.h>
#include <net/netlink.h>

#include "flow/tuple.h"
#include "guard/watch.h"
#include "net.h"
#include "netlink/family.h"
#include "netlink/top.h"
#include "policy/source.h"
#include "policy/top.h"

#define A(name)		FLOWTRACK_A_TOP_##name
#define E(name)		FLOWTRACK_A_TOP_ENTRY_##name

/* Entries of a reply if none is asked for. */
#define DEFAULT_LIMIT	10

/* The attributes before the entries, at most. */
#define HEAD_SIZE	(10 * nla_total_size(sizeof(u32)) + nla_total_size_64bit(sizeof(u64)))

/**
 * ft_netlink_put_host() - a source or destination, in a nest for a top-entry
 * @skb: message
 * @host: its address
 * @prefix: bits of it that count
 *
 * Return: 0 or -EMSGSIZE.
 */
int ft_netlink_put_host(struct sk_buff *skb, const struct ft_source *host, u8 prefix)
{
	int err = nla_put_u8(skb, E(FAMILY), host->family);

	if (err)
		return err;
	if (host->family == AF_INET)
		err = nla_put_be32(skb, E(ADDR4), host->addr[0]);
	else
		err = nla_put(skb, E(ADDR6), sizeof(host->addr), host->addr);
	return err ?: nla_put_u8(skb, E(PREFIX), prefix);
}

static int put_top_key(struct sk_buff *skb, const struct ft_top_report *report,
		       const struct ft_top_key *key, u8 kind)
{
	bool v4 = key->host.family == NFPROTO_IPV4;

	switch (kind) {
	case FLOWTRACK_TOP_KIND_SOURCE:
		return ft_netlink_put_host(skb, &key->host,
					   v4 ? report->prefix.v4 : report->prefix.v6);
	case FLOWTRACK_TOP_KIND_DESTINATION:
	case FLOWTRACK_TOP_KIND_EXTERNAL:
		return ft_netlink_put_host(skb, &key->host, v4 ? 32 : 128);
	default:
		if (ft_l4_has_ports(key->l4proto) &&
		    nla_put_be16(skb, E(PORT), key->port))
			return -EMSGSIZE;
		return nla_put_u8(skb, E(L4PROTO), key->l4proto);
	}
}

/**
 * ft_netlink_put_top_entry() - one entry of a list
 * @skb: message
 * @attr: number of the attribute
 * @report: what the entry is from
 * @entry: the entry
 * @kind: enum flowtrack_top_kind of the list
 * @order: enum flowtrack_top_order of the list; FT_TOP_ORDER_OWN: guarded flows
 *	are left out; FT_TOP_ORDER_GUARDED: own ones are
 *
 * Return: 0 or -EMSGSIZE.
 */
int ft_netlink_put_top_entry(struct sk_buff *skb, unsigned int attr,
			     const struct ft_top_report *report,
			     const struct ft_top_entry *entry, u8 kind,
			     u8 order)
{
	struct nlattr *nest = nla_nest_start(skb, attr);
	bool both = order < FT_TOP_ORDERS;
	u32 flows = entry->flows;
	u64 part, whole;

	if (order == FT_TOP_ORDER_OWN) {
		flows -= entry->guarded;
		part = entry->held;
		whole = report->own.sampled;
	} else if (order == FT_TOP_ORDER_GUARDED) {
		flows = entry->guarded;
		part = flows;
		whole = report->guarded.total;
	} else if (order == FLOWTRACK_TOP_ORDER_RATE) {
		part = entry->rate;
		whole = report->rate;
	} else if (order == FLOWTRACK_TOP_ORDER_BYTES) {
		/* A thousand times as many shall fit. */
		part = entry->bytes >> (report->bytes >> 54 ? 10 : 0);
		whole = report->bytes >> (report->bytes >> 54 ? 10 : 0);
	} else {
		part = flows;
		whole = (u64)report->own.total + report->guarded.total;
	}
	/* Rounded parts may add up to more than the whole. */
	part = whole ? min_t(u64, div64_u64(part * 1000, whole), 1000) : 0;
	if (!nest || put_top_key(skb, report, &entry->key, kind) ||
	    nla_put_u32(skb, E(FLOWS), flows) ||
	    (report->window && nla_put_u32(skb, E(RATE), entry->rate)) ||
	    nla_put_u32(skb, E(SHARE), part) ||
	    (both && nla_put_u32(skb, E(GUARDED), entry->guarded)) ||
	    (both && report->bytes &&
	     nla_put_u64_64bit(skb, E(BYTES), entry->bytes, E(PAD)))) {
		nla_nest_cancel(skb, nest);
		return -EMSGSIZE;
	}
	nla_nest_end(skb, nest);
	return 0;
}

static int put_report(struct sk_buff *skb, const struct ft_top_report *report,
		      u8 kind, u8 order, u32 limit)
{
	const struct ft_top_list *list = &report->list[kind][order];
	u32 i;
	int err;

	if (nla_put_u8(skb, A(KIND), kind) ||
	    nla_put_u8(skb, A(ORDER), order) ||
	    nla_put_u32(skb, A(TOTAL),
			report->own.total + report->guarded.total) ||
	    nla_put_u32(skb, A(SAMPLED),
			report->own.sampled + report->guarded.sampled) ||
	    nla_put_u8(skb, A(EXACT), report->exact) ||
	    nla_put_u32(skb, A(GUARDED), report->guarded.total) ||
	    (report->bytes && nla_put_u64_64bit(skb, A(BYTES), report->bytes, A(PAD))))
		return -EMSGSIZE;
	if (report->window &&
	    (nla_put_u32(skb, A(WINDOW), report->window) ||
	     nla_put_u32(skb, A(BIRTHS), report->births) ||
	     nla_put_u32(skb, A(RATE), report->rate)))
		return -EMSGSIZE;
	for (i = 0; i < min(limit, list->n); i++) {
		err = ft_netlink_put_top_entry(skb, A(ENTRY), report,
					       &list->entry[i], kind, order);
		if (err)
			return err;
	}
	return 0;
}

/**
 * ft_netlink_top_get() - report top talkers
 * @skb: request
 * @info: likewise
 *
 * Return: 0; -ENOMEM; -EINTR.
 */
int ft_netlink_top_get(struct sk_buff *skb, struct genl_info *info)
{
	struct ft_net *tn = ft_netlink_net(info);
	u8 kind = FLOWTRACK_TOP_KIND_SOURCE;
	u8 order = FLOWTRACK_TOP_ORDER_FLOWS;
	u32 limit = DEFAULT_LIMIT;
	struct sk_buff *msg;
	void *hdr;
	int err;

	if (info->attrs[A(KIND)])
		kind = nla_get_u8(info->attrs[A(KIND)]);
	if (info->attrs[A(ORDER)])
		order = nla_get_u8(info->attrs[A(ORDER)]);
	if (info->attrs[A(LIMIT)])
		limit = nla_get_u32(info->attrs[A(LIMIT)]);
	ft_guard_show(tn);
	err = ft_top_refresh(tn);
	if (err) {
		GENL_SET_ERR_MSG(info, "no memory for a sample of the table");
		return err;
	}
	msg = ft_netlink_reply(info, HEAD_SIZE +
				limit * FT_NETLINK_TOP_ENTRY_SIZE, &hdr);
	if (!msg)
		return -ENOMEM;
	rcu_read_lock();
	err = put_report(msg, rcu_dereference(tn->top.report), kind, order,
			 limit);
	rcu_read_unlock();
	return ft_netlink_send(info, msg, hdr, err);
}
