// SPDX-License-Identifier: GPL-2.0
/*
 * A flow in a message, as replies, dumps and notifications have it.
 */
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/netdevice.h>
#include <linux/nf_flowtrack.h>
#include <linux/siphash.h>
#include <linux/string.h>
#include <linux/timekeeping.h>
#include <net/netlink.h>

#include "base/settings.h"
#include "flow/flow.h"
#include "flow/table.h"
#include "net.h"
#include "netlink/encode.h"
#include "netlink/tuple.h"
#include "proto/proto.h"

#define A(name)		FLOWTRACK_A_FLOW_##name

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
	size_t tuple, counters;

	tuple = nla_total_size(0) + 2 * nla_total_size(sizeof(struct in6_addr)) +
		ft_proto_tuple_nlattr_size();
	counters = nla_total_size(0) + 2 * u64_size;

	return 2 * u64_size +		/* id, digest */
	       7 * small +		/* family to class without nests, tracker */
	       nla_total_size(IFNAMSIZ) + /* masq */
	       2 * tuple + 2 * counters + ft_proto_nlattr_size() +
	       3 * u32_size +		/* status, timeout, mark */
	       3 * u64_size +		/* age, start, stop */
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

static int put_left(struct sk_buff *skb, const struct ft_flow *flow)
{
	s32 left = max(ft_flow_left(flow, ft_now()), 0);

	return nla_put_u32(skb, A(TIMEOUT), jiffies_to_msecs(left));
}

static int put_times(struct sk_buff *skb, const struct ft_net *tn,
		     const struct ft_flow *flow)
{
	u64 now = ktime_get_boottime_ns();
	/* Another CPU has entered the flow a moment ago: it has no age yet. */
	u64 age = max_t(s64, now - flow->born, 0);
	int err;

	err = put_left(skb, flow) ?:
	      nla_put_u64_64bit(skb, A(AGE), div_u64(age, NSEC_PER_MSEC),
				A(PAD));
	if (err || !ft_setting(&tn->set, TIMESTAMP))
		return err;
	return nla_put_u64_64bit(skb, A(START), ktime_get_real_ns() - age,
				 A(PAD));
}

/**
 * ft_netlink_put_head() - encode what every flow has, own or guarded
 * @skb: message
 * @copy: the flow
 * @reply: a flow that is opened by its answers, or NULL if these are what is to
 *	be expected: NAT makes the difference
 * @id: names it
 * @tracker: which of the two tracks it
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

/* The device whose address a flow has borrowed; of one that is gone, nothing. */
static int put_masq(struct sk_buff *skb, const struct ft_net *tn, const struct ft_flow6 *copy)
{
	const struct net_device *dev;
	int err = 0;

	if (likely(!(atomic_read(&copy->f.word) & FT_FLOW_NAT) || !copy->nat.masq))
		return 0;
	rcu_read_lock();
	dev = dev_get_by_index_rcu(tn->net, copy->nat.masq);
	if (dev)
		err = nla_put_string(skb, A(MASQ), dev->name);
	rcu_read_unlock();
	return err;
}

static noinline_for_stack int put_own_head(struct sk_buff *skb, const struct ft_flow6 *copy,
					   u64 id)
{
	struct ft_flow6 reply;

	return ft_netlink_put_head(skb, copy, ft_netlink_answers(copy, &reply), id,
				   FLOWTRACK_TRACKER_OWN);
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

	if (put_own_head(skb, copy, (u64)flow->gen << 32 | index) ||
	    put_masq(skb, tn, copy) ||
	    put_times(skb, tn, flow) ||
	    ft_proto_to_nlattr(skb, flow->key.l4proto, &flow->proto) ||
	    (counted(tn, flow) && ft_netlink_put_counters(skb, flow)))
		return -EMSGSIZE;
	return 0;
}

/**
 * ft_netlink_digest() - a number that is another one when a flow has changed
 * @copy: the flow
 * @secret: ft_table_secret(): nobody can make a flow change without the number
 *
 * Of what a reply tells of it and can change, but for what time alone does.
 *
 * Context: any.
 * Return: the number.
 */
u64 ft_netlink_digest(const struct ft_flow6 *copy, const siphash_key_t *secret)
{
	const struct ft_flow *flow = &copy->f;
	struct {
		u32 word;
		u32 deadline;
		u64 mark;
		u64 packets[2];
		u64 bytes[2];
		union ft_proto_state proto;
	} __aligned(SIPHASH_ALIGNMENT) told = {
		.word = atomic_read(&flow->word) & ~(FT_FLOW_UNTOLD | FT_FLOW_SOURCE),
		.deadline = flow->deadline,
		.mark = flow->mark,
	};

	memcpy(told.packets, flow->packets, sizeof(told.packets));
	memcpy(told.bytes, flow->bytes, sizeof(told.bytes));
	/* What another flow has left there stays as it is, too. */
	memcpy(&told.proto, &flow->proto, sizeof(told.proto));
	static_assert(sizeof(told) == 48 + sizeof(union ft_proto_state));
	return siphash(&told, sizeof(told), secret);
}

static int put_digest(struct sk_buff *skb, const struct ft_net *tn, const struct ft_flow6 *copy)
{
	return nla_put_u64_64bit(skb, A(DIGEST),
				 ft_netlink_digest(copy, ft_table_secret(tn->table)), A(PAD));
}

/**
 * ft_netlink_show_flow() - encode as much of a flow as was asked for
 * @skb: message
 * @tn: namespace
 * @copy: the flow
 * @index: its index
 * @show: how much that is
 *
 * Context: any.
 * Return: as ft_netlink_put_flow().
 */
int ft_netlink_show_flow(struct sk_buff *skb, const struct ft_net *tn,
			 const struct ft_flow6 *copy, u32 index, enum flowtrack_show show)
{
	u64 id = (u64)copy->f.gen << 32 | index;

	if (show == FLOWTRACK_SHOW_DIGEST_ONLY)
		return nla_put_u64_64bit(skb, A(ID), id, A(PAD)) ?:
		       put_left(skb, &copy->f) ?:
		       put_digest(skb, tn, copy);
	return ft_netlink_put_flow(skb, tn, copy, index) ?:
	       (show == FLOWTRACK_SHOW_DIGEST ? put_digest(skb, tn, copy) : 0);
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
