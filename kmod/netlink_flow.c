// SPDX-License-Identifier: GPL-2.0
/*
 * A flow in a message, and the requests that name one: flow-get, flow-del.
 */
#include <linux/ktime.h>
#include <linux/netlink.h>
#include <linux/timekeeping.h>
#include <net/netfilter/nf_conntrack.h>

#include "lifecycle.h"
#include "netlink.h"
#include "netlink_filter.h"
#include "netlink_ops.h"

#define A(name)		FLOWTRACK_A_FLOW_##name

/* Buckets between two chances for others to run. */
#define WALK_SLICE	256

/**
 * ft_netlink_flow_size() - bytes of attributes that a flow takes at most
 *
 * Return: the number, with what a notification adds: reason and stop.
 */
size_t ft_netlink_flow_size(void)
{
	size_t u64_size = nla_total_size_64bit(sizeof(u64));
	size_t u32_size = nla_total_size(sizeof(u32));
	size_t small = nla_total_size(sizeof(u16));
	size_t tuple, counters, tcp_dir;

	tuple = nla_total_size(0) + 2 * nla_total_size(sizeof(struct in6_addr)) +
		3 * small;
	counters = nla_total_size(0) + 2 * u64_size;
	tcp_dir = nla_total_size(0) + 4 * u32_size + 2 * small;

	return u64_size +		/* id */
	       7 * small +		/* family to class without nests, tracker */
	       2 * tuple + 2 * counters + 2 * tcp_dir +
	       3 * u32_size +		/* status, timeout, mark */
	       3 * u64_size +		/* age, start, stop */
	       2 * u32_size +		/* vtags */
	       small;			/* reason */
}

static int put_dir_counters(struct sk_buff *skb, const struct ft_flow *flow,
			    enum ft_dir dir)
{
	unsigned int attr = dir == FT_DIR_ORIG ? A(COUNTERS_ORIG) :
						 A(COUNTERS_REPLY);
	struct nlattr *nest = nla_nest_start(skb, attr);

	if (!nest ||
	    nla_put_u64_64bit(skb, FLOWTRACK_A_COUNTERS_PACKETS,
			      flow->packets[dir], FLOWTRACK_A_COUNTERS_PAD) ||
	    nla_put_u64_64bit(skb, FLOWTRACK_A_COUNTERS_BYTES,
			      flow->bytes[dir], FLOWTRACK_A_COUNTERS_PAD)) {
		nla_nest_cancel(skb, nest);
		return -EMSGSIZE;
	}
	nla_nest_end(skb, nest);
	return 0;
}

/**
 * ft_netlink_put_counters() - encode what was counted of a flow
 * @skb: message
 * @flow: the flow
 *
 * Context: any.
 * Return: 0 or -EMSGSIZE.
 */
int ft_netlink_put_counters(struct sk_buff *skb, const struct ft_flow *flow)
{
	return put_dir_counters(skb, flow, FT_DIR_ORIG) ?:
	       put_dir_counters(skb, flow, FT_DIR_REPLY);
}

static int put_tcp(struct sk_buff *skb, const struct ft_tcp *tcp,
		   enum ft_dir dir)
{
	unsigned int attr = dir == FT_DIR_ORIG ? A(TCP_ORIG) : A(TCP_REPLY);
	struct nlattr *nest = nla_nest_start(skb, attr);

	if (!nest ||
	    nla_put_u32(skb, FLOWTRACK_A_TCP_DIR_END, tcp->end[dir]) ||
	    nla_put_u32(skb, FLOWTRACK_A_TCP_DIR_MAXEND, tcp->maxend[dir]) ||
	    nla_put_u32(skb, FLOWTRACK_A_TCP_DIR_MAXWIN, tcp->maxwin[dir]) ||
	    nla_put_u32(skb, FLOWTRACK_A_TCP_DIR_MAXACK, tcp->maxack[dir]) ||
	    nla_put_u8(skb, FLOWTRACK_A_TCP_DIR_SCALE, tcp->scale[dir]) ||
	    nla_put_u8(skb, FLOWTRACK_A_TCP_DIR_FLAGS, tcp->flags[dir])) {
		nla_nest_cancel(skb, nest);
		return -EMSGSIZE;
	}
	nla_nest_end(skb, nest);
	return 0;
}

static int put_protocol(struct sk_buff *skb, const struct ft_flow *flow)
{
	if (flow->key.l4proto == IPPROTO_TCP)
		return put_tcp(skb, &flow->proto.tcp, FT_DIR_ORIG) ?:
		       put_tcp(skb, &flow->proto.tcp, FT_DIR_REPLY);
	if (flow->key.l4proto == IPPROTO_SCTP)
		return nla_put_be32(skb, A(VTAG_ORIG),
				    flow->proto.sctp.vtag[FT_DIR_ORIG]) ?:
		       nla_put_be32(skb, A(VTAG_REPLY),
				    flow->proto.sctp.vtag[FT_DIR_REPLY]);
	return 0;
}

static bool counted(const struct ft_net *tn, const struct ft_flow *flow)
{
	return ft_setting(&tn->set, ACCT) ||
	       flow->packets[FT_DIR_ORIG] || flow->packets[FT_DIR_REPLY];
}

static int put_status(struct sk_buff *skb, u32 word)
{
	u32 status = 0;

	if (word & FT_FLOW_SEEN_REPLY)
		status |= FLOWTRACK_STATUS_SEEN_REPLY;
	if (word & FT_FLOW_ASSURED)
		status |= FLOWTRACK_STATUS_ASSURED;
	return nla_put_u32(skb, A(STATUS), status);
}

static int put_times(struct sk_buff *skb, const struct ft_net *tn,
		     const struct ft_flow *flow)
{
	s32 left = max(ft_flow_left(flow, ft_now()), 0);
	u64 now = ktime_get_boottime_ns();
	/* Born on another CPU a moment ago: no age yet. */
	u64 age = max_t(s64, now - flow->born, 0);
	int err;

	err = nla_put_u32(skb, A(TIMEOUT), jiffies_to_msecs(left)) ?:
	      nla_put_u64_64bit(skb, A(AGE), div_u64(age, NSEC_PER_MSEC),
				A(PAD));
	if (err || !ft_setting(&tn->set, TIMESTAMP))
		return err;
	return nla_put_u64_64bit(skb, A(START), ktime_get_real_ns() - age,
				 A(PAD));
}

/**
 * ft_netlink_put_head() - encode what every flow has, whoever tracks it
 * @skb: message
 * @copy: the flow
 * @reply: a flow that is opened by its answers, or NULL if these are what is to
 *	be expected: NAT makes the difference
 * @id: names it
 * @tracker: who tracks it
 *
 * Context: any.
 * Return: 0, or -EMSGSIZE with the message in an undefined state.
 */
int ft_netlink_put_head(struct sk_buff *skb, const struct ft_flow6 *copy,
			const struct ft_flow6 *reply, u64 id,
			enum flowtrack_tracker tracker)
{
	const struct ft_flow *flow = &copy->f;
	u32 word = atomic_read(&flow->word);

	if (nla_put_u64_64bit(skb, A(ID), id, A(PAD)) ||
	    nla_put_u8(skb, A(FAMILY), flow->key.family) ||
	    nla_put_u8(skb, A(L4PROTO), flow->key.l4proto) ||
	    nla_put_u16(skb, A(ZONE), flow->key.zone) ||
	    nla_put_u8(skb, A(TRACKER), tracker) ||
	    ft_netlink_put_tuple(skb, A(ORIG), copy, FT_DIR_ORIG) ||
	    ft_netlink_put_tuple(skb, A(REPLY), reply ?: copy,
				 reply ? FT_DIR_ORIG : FT_DIR_REPLY) ||
	    nla_put_u8(skb, A(STATE), ft_word_state(word)) ||
	    nla_put_u8(skb, A(CLASS), ft_word_class(word)) ||
	    put_status(skb, word) ||
	    nla_put_u32(skb, A(MARK), flow->mark))
		return -EMSGSIZE;
	return 0;
}

/**
 * ft_netlink_put_flow() - encode a flow
 * @skb: message
 * @tn: namespace: its settings say whether times and counters are shown
 * @copy: the flow
 * @index: its index
 *
 * Context: any.
 * Return: 0, or -EMSGSIZE with the message in an undefined state: the caller
 * cancels it.
 */
int ft_netlink_put_flow(struct sk_buff *skb, const struct ft_net *tn,
			const struct ft_flow6 *copy, u32 index)
{
	const struct ft_flow *flow = &copy->f;

	if (ft_netlink_put_head(skb, copy, NULL, (u64)flow->gen << 32 | index,
				FLOWTRACK_TRACKER_OWN) ||
	    put_times(skb, tn, flow) || put_protocol(skb, flow) ||
	    (counted(tn, flow) && ft_netlink_put_counters(skb, flow)))
		return -EMSGSIZE;
	return 0;
}

/**
 * ft_netlink_snapshot() - copy a flow that may be shown
 * @flow: the flow
 * @gen: its generation
 * @copy: filled
 *
 * A flow whose deadline has passed is no flow any more, though it may take two
 * seconds until it is collected: no packet will find it either.
 *
 * Context: RCU read side.
 * Return: false if the flow has ended or expired.
 */
bool ft_netlink_snapshot(struct ft_flow *flow, u32 gen, struct ft_flow6 *copy)
{
	return ft_flow_snapshot(flow, gen, copy) &&
	       ft_flow_left(&copy->f, ft_now()) > 0;
}

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
	 * If that is the generation of a successor, the key is its key, too:
	 * looked at again after the generation was read.
	 */
	smp_rmb();
	return ft_flow_matches(found->flow, key) ? 0 : not_found(info);
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

/* A flow by tuple that is not ours, if it is guarded. */
static int get_guarded(struct genl_info *info, const struct ft_key *key,
		       bool from_hi)
{
	struct nf_conn *ct;
	struct sk_buff *msg;
	int err = -ENOMEM;
	void *hdr;

	ct = ft_netlink_guarded_get(ft_netlink_net(info), key, from_hi);
	if (!ct)
		return not_found(info);
	msg = ft_netlink_reply(info, ft_netlink_flow_size(), &hdr);
	if (msg) {
		err = ft_netlink_put_guarded(msg, ct);
		err = ft_netlink_send(info, msg, hdr, err);
	}
	nf_ct_put(ct);
	return err;
}

/**
 * ft_netlink_flow_get() - show one flow
 * @skb: request
 * @info: likewise
 *
 * Return: 0; -EINVAL; -ENOENT; -ENOMEM.
 */
int ft_netlink_flow_get(struct sk_buff *skb, struct genl_info *info)
{
	struct ft_net *tn = ft_netlink_net(info);
	struct ft_flow6 copy;
	struct found found;
	struct sk_buff *msg;
	struct ft_key key;
	bool from_hi;
	void *hdr;
	int err;

	err = check_selector(info, false);
	if (!err && info->attrs[A(ORIG)])
		err = ft_netlink_get_key(info, &key, &from_hi, false);
	if (err)
		return err;

	rcu_read_lock();
	err = info->attrs[A(ID)] ? find_id(tn, info, &found) :
				   find_key(tn, info, &key, &found);
	if (!err && !ft_netlink_snapshot(found.flow, found.gen, &copy))
		err = not_found(info);
	rcu_read_unlock();
	if (err == -ENOENT && info->attrs[A(ORIG)])
		return get_guarded(info, &key, from_hi);
	if (err)
		return err;

	msg = ft_netlink_reply(info, ft_netlink_flow_size(), &hdr);
	if (!msg)
		return -ENOMEM;
	err = ft_netlink_put_flow(msg, tn, &copy, found.index);
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
	    !ft_filter_match(sel->filter, &copy, sel->now))
		return 0;
	local_bh_disable();
	sel->ended += ft_flow_end(sel->tn, flow, index, gen,
				  FLOWTRACK_REASON_DELETED);
	local_bh_enable();
	return 0;
}

/* All that match; who is entered while this runs may stay. */
static int end_filtered(struct selection *sel)
{
	struct ft_table *table = sel->tn->table;
	struct ft_cursor cursor;
	int more;

	/* A resize in the middle may hide flows from the walk: go again. */
	do {
		cursor = (struct ft_cursor){
			.generation = ft_table_generation(table),
		};
		do {
			rcu_read_lock();
			more = ft_table_walk(table, &cursor, WALK_SLICE,
					     end_selected, sel);
			rcu_read_unlock();
			if (fatal_signal_pending(current))
				return -EINTR;
			cond_resched();
		} while (more > 0);
	} while (cursor.generation != ft_table_generation(table));
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
		return err;
	sel.filter = &filter;
	sel.now = ktime_get_boottime_ns();
	if (filter.trackers & FLOWTRACK_TRACKER_OWN) {
		if (filter.given)
			err = end_filtered(&sel);
		else
			sel.ended = ft_flow_end_all(tn,
						    FLOWTRACK_REASON_FLUSHED);
	}
	if (!err && filter.trackers & FLOWTRACK_TRACKER_GUARDED)
		err = ft_netlink_guarded_del(tn, &filter, &sel.ended);
	*ended = sel.ended;
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
	err = info->attrs[A(ID)] ? find_id(tn, info, &found) :
				   find_key(tn, info, &key, &found);
	if (!err) {
		local_bh_disable();
		if (!ft_flow_end(tn, found.flow, found.index, found.gen,
				 FLOWTRACK_REASON_DELETED))
			err = not_found(info);
		local_bh_enable();
	}
	rcu_read_unlock();
	return err;
}

/**
 * ft_netlink_flow_del() - end one flow, those that match a filter, or all
 * @skb: request
 * @info: likewise
 *
 * The answer says how many ended. A filter that matches none is no error.
 *
 * Return: 0; -EINVAL; -ENOENT: no such flow; -ENOMEM.
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
	/* First, so that nothing ends that can't be told. */
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
