// SPDX-License-Identifier: GPL-2.0
/*
 * The requests that name a flow: flow-get, flow-del.
 */
#include <linux/netlink.h>
#include <linux/nf_flowtrack.h>
#include <linux/skbuff.h>
#include <linux/timekeeping.h>
#include <net/genetlink.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/netlink.h>

#include "base/extack.h"
#include "flow/flow.h"
#include "flow/table.h"
#include "flow/tuple.h"
#include "net.h"
#include "netlink/encode.h"
#include "netlink/family.h"
#include "netlink/filter.h"
#include "netlink/flow.h"
#include "netlink/guarded.h"
#include "netlink/tuple.h"
#include "track/end.h"

#define A(name)		FLOWTRACK_A_FLOW_##name

/**
 * struct found - the flow that a request named
 * @flow: the flow; may end at any time
 * @index: its index
 * @gen: its generation when it was found
 */
struct found {
	struct ft_flow *flow;
	u32 index;
	u32 gen;
};

static int not_found(struct genl_info *info)
{
	GENL_SET_ERR_MSG(info, "no such flow");
	return -ENOENT;
}

/* The flow by id. Context: RCU read side, as long as @found is used. */
static int find_id(struct ft_net *tn, struct genl_info *info,
		   struct found *found)
{
	u64 id = nla_get_u64(info->attrs[A(ID)]);

	found->index = (u32)id;
	found->gen = id >> 32;
	/* Zero is the generation of no flow. */
	if (!found->gen)
		return not_found(info);
	found->flow = ft_table_at(tn->table, found->index);
	return found->flow ? 0 : not_found(info);
}

/* The flow by tuple. Context: RCU read side, as long as @found is used. */
static int find_key(struct ft_net *tn, struct genl_info *info,
		    const struct ft_key *key, struct found *found)
{
	u64 hash = ft_key_hash(key, ft_table_secret(tn->table));

	found->flow = ft_table_lookup(tn->table, key, hash, &found->index);
	if (!found->flow)
		return not_found(info);
	found->gen = READ_ONCE(found->flow->gen);
	/*
	 * If that is the generation of a successor, the key is the successor's, too. So the
	 * key is compared again after the generation was read.
	 */
	smp_rmb();
	return ft_flow_matches(found->flow, key) ? 0 : not_found(info);
}

/*
 * The flow by whichever of the two the request has; @key: the tuple's. Context: RCU read
 * side, as long as @found is used.
 */
static int find_named(struct ft_net *tn, struct genl_info *info,
		      const struct ft_key *key, struct found *found)
{
	return info->attrs[A(ID)] ? find_id(tn, info, found) :
				    find_key(tn, info, key, found);
}

/* Exactly one way to say which flow is meant. */
static int check_selector(struct genl_info *info, bool filter_ok)
{
	struct nlattr **attrs = info->attrs;
	unsigned int n = !!attrs[A(ID)] + !!attrs[A(ORIG)] + !!attrs[A(FILTER)];
	struct nlattr *part;

	if (attrs[A(FILTER)] && !filter_ok)
		return FT_NETLINK_BAD(info->extack, attrs[A(FILTER)],
				      "a filter is for dumps");
	if (!n)
		return FT_NETLINK_MISSING(info->extack, NULL, A(ID),
					  "which flow? neither id nor orig nor filter");
	if (n > 1)
		return FT_NETLINK_BAD(info->extack, attrs[A(FILTER)] ?:
				      attrs[A(ORIG)],
				      "more than one of id, orig and filter");
	part = attrs[A(FAMILY)] ?: attrs[A(L4PROTO)] ?: attrs[A(ZONE)];
	if (part && !attrs[A(ORIG)])
		return FT_NETLINK_BAD(info->extack, part, "goes with orig only");
	return 0;
}

/* An id of nf_conntrack's has no generation: no own flow's is like that. */
static bool maybe_guarded(const struct genl_info *info)
{
	return info->attrs[A(ORIG)] || !(nla_get_u64(info->attrs[A(ID)]) >> 32);
}

/* The flow that is not ours, if it is guarded; @key if it was named by tuple. */
static int find_guarded(struct genl_info *info, const struct ft_key *key,
			bool from_hi, struct nf_conn **ct)
{
	struct ft_net *tn = ft_netlink_net(info);
	int err;

	if (info->attrs[A(ID)]) {
		err = ft_netlink_guarded_by_id(tn, nla_get_u64(info->attrs[A(ID)]), ct);
		if (err == -ENOTUNIQ)
			GENL_SET_ERR_MSG(info, "two guarded flows have this id: name the tuple");
		return err == -ENOENT ? not_found(info) : err;
	}
	*ct = ft_netlink_guarded_get(tn, key, from_hi);
	return *ct ? 0 : not_found(info);
}

static int get_guarded(struct genl_info *info, const struct ft_key *key,
		       bool from_hi)
{
	struct nf_conn *ct;
	struct sk_buff *msg;
	void *hdr;
	int err;

	err = find_guarded(info, key, from_hi, &ct);
	if (err)
		return err;
	err = -ENOMEM;
	msg = ft_netlink_reply(info, ft_netlink_flow_size(), &hdr);
	if (msg) {
		err = ft_netlink_put_guarded(msg, ct);
		err = ft_netlink_send(info, msg, hdr, err);
	}
	nf_ct_put(ct);
	return err;
}

static int del_guarded(struct genl_info *info, const struct ft_key *key,
		       bool from_hi)
{
	struct nf_conn *ct;
	int err;

	err = find_guarded(info, key, from_hi, &ct);
	if (err)
		return err;
	if (!ft_netlink_guarded_end(ft_netlink_net(info), ct))
		err = not_found(info);
	nf_ct_put(ct);
	return err;
}

/**
 * ft_netlink_flow_get() - show one flow
 * @skb: request
 * @info: likewise
 *
 * Return: 0; -EINVAL; -ENOENT; -ENOTUNIQ; -EINTR; -ENOMEM.
 */
int ft_netlink_flow_get(struct sk_buff *skb, struct genl_info *info)
{
	enum flowtrack_show show = FLOWTRACK_SHOW_ALL;
	struct ft_net *tn = ft_netlink_net(info);
	struct ft_flow6 copy;
	struct found found;
	struct sk_buff *msg;
	struct ft_key key;
	bool from_hi;
	void *hdr;
	int err;

	if (info->attrs[A(SHOW)])
		show = nla_get_u8(info->attrs[A(SHOW)]);
	err = check_selector(info, false);
	if (!err && info->attrs[A(ORIG)])
		err = ft_netlink_get_key(info, &key, &from_hi, false);
	if (err)
		return err;

	rcu_read_lock();
	err = find_named(tn, info, &key, &found);
	if (!err && !ft_netlink_snapshot(found.flow, found.gen, &copy))
		err = not_found(info);
	rcu_read_unlock();
	if (err == -ENOENT && maybe_guarded(info) && !show)
		return get_guarded(info, &key, from_hi);
	if (err)
		return err;

	msg = ft_netlink_reply(info, ft_netlink_flow_size(), &hdr);
	if (!msg)
		return -ENOMEM;
	err = ft_netlink_show_flow(msg, tn, &copy, found.index, show);
	return ft_netlink_send(info, msg, hdr, err);
}

/**
 * struct selection - which flows end
 * @tn: namespace
 * @filter: that match
 * @now: ktime_get_boottime_ns() when the request came
 * @ended: how many did
 */
struct selection {
	struct ft_net *tn;
	const struct ft_filter *filter;
	u64 now;
	u32 ended;
};

static int end_selected(struct ft_flow *flow, u32 index, void *arg)
{
	u32 gen = READ_ONCE(flow->gen);
	struct selection *sel = arg;
	struct ft_flow6 copy;

	if (!ft_netlink_snapshot(flow, gen, &copy) ||
	    !ft_filter_match_own(sel->filter, &copy, sel->now))
		return 0;
	local_bh_disable();
	sel->ended += ft_flow_end(sel->tn, flow, index, gen,
				  FLOWTRACK_REASON_DELETED);
	local_bh_enable();
	return 0;
}

static int del_filtered(struct genl_info *info, u32 *ended)
{
	struct ft_net *tn = ft_netlink_net(info);
	struct selection sel = { .tn = tn };
	struct ft_filter filter;
	int err;

	err = ft_filter_parse(&filter, info->attrs[A(FILTER)], info->extack);
	if (err)
		goto out;
	sel.filter = &filter;
	sel.now = ktime_get_boottime_ns();
	if (filter.trackers & FLOWTRACK_TRACKER_OWN) {
		if (filter.given || filter.n_parts)
			err = ft_table_for_each(tn->table, true, end_selected,
						&sel);
		else
			sel.ended = ft_flow_end_all(tn,
						    FLOWTRACK_REASON_FLUSHED);
	}
	if (!err && filter.trackers & FLOWTRACK_TRACKER_GUARDED)
		err = ft_netlink_guarded_del(tn, &filter, &sel.ended);
	*ended = sel.ended;
out:
	ft_filter_free(&filter);
	return err;
}

static int del_one(struct genl_info *info)
{
	struct ft_net *tn = ft_netlink_net(info);
	struct found found;
	struct ft_key key;
	bool from_hi;
	int err = 0;

	if (info->attrs[A(ORIG)])
		err = ft_netlink_get_key(info, &key, &from_hi, false);
	if (err)
		return err;

	rcu_read_lock();
	err = find_named(tn, info, &key, &found);
	if (!err) {
		local_bh_disable();
		if (!ft_flow_end(tn, found.flow, found.index, found.gen,
				 FLOWTRACK_REASON_DELETED))
			err = not_found(info);
		local_bh_enable();
	}
	rcu_read_unlock();
	if (err == -ENOENT && maybe_guarded(info))
		return del_guarded(info, &key, from_hi);
	return err;
}

/**
 * ft_netlink_flow_del() - end one flow, those that match a filter, or all
 * @skb: request
 * @info: likewise
 *
 * The answer says how many ended. A filter that matches none is no error.
 *
 * Return: 0; -EINVAL; -ENOENT: no such flow; -ENOTUNIQ; -EINTR; -ENOMEM.
 */
int ft_netlink_flow_del(struct sk_buff *skb, struct genl_info *info)
{
	struct sk_buff *msg;
	u32 ended = 1;
	void *hdr;
	int err;

	err = check_selector(info, true);
	if (err)
		return err;
	/* Allocate the reply first: no flow shall end if the answer can't say so. */
	msg = ft_netlink_reply(info, nla_total_size(sizeof(u32)), &hdr);
	if (!msg)
		return -ENOMEM;

	err = info->attrs[A(FILTER)] ? del_filtered(info, &ended) :
				       del_one(info);
	if (err) {
		nlmsg_free(msg);
		return err;
	}
	err = nla_put_u32(msg, A(DELETED), ended);
	return ft_netlink_send(info, msg, hdr, err);
}
