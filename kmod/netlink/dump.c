// SPDX-License-Identifier: GPL-2.0
/*
 * flow-get, dump: the table in as many messages as it takes; then, if they are
 * wanted, the flows of nf_conntrack that are guarded.
 *
 * Between two messages nothing is held: the cursor names a place in the table,
 * not a flow. A flow that lives from the first to the last message is shown
 * once, unless the table is resized meanwhile; then the dump says so
 * (NLM_F_DUMP_INTR), and a client that needs all flows asks again.
 */
#include <linux/ktime.h>
#include <linux/netlink.h>
#include <linux/nf_flowtrack.h>
#include <linux/sched/signal.h>
#include <linux/skbuff.h>
#include <linux/slab.h>
#include <net/genetlink.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/netlink.h>
#include <net/sock.h>

#include "base/extack.h"
#include "flow/flow.h"
#include "flow/shadow.h"
#include "flow/table.h"
#include "guard/entry.h"
#include "guard/watch.h"
#include "net.h"
#include "netlink/dump.h"
#include "netlink/encode.h"
#include "netlink/family.h"
#include "netlink/filter.h"
#include "netlink/guarded.h"

/* Buckets between two chances for others to run. */
#define DUMP_SLICE	64

/**
 * struct dump - a dump between two messages; lives in netlink_callback.ctx
 * @cursor: where it stands in the table
 * @shadows: where it stands among the guarded flows
 * @filter: what it shows; NULL: all that are in the table
 * @seq: what tells of a resize by being another one
 * @begun: the request has been looked at
 * @trackers: trackers whose flows are left to be shown
 * @show: how much of each, enum flowtrack_show
 */
struct dump {
	union {
		struct ft_cursor cursor;
		struct ft_shadow_cursor shadows;
	};
	struct ft_filter *filter;
	u32 seq;
	bool begun;
	u8 trackers;
	u8 show;
};

/**
 * struct message - a message of a dump while it is being filled
 * @skb: the message
 * @cb: the dump
 * @tn: namespace
 * @filter: what is shown; NULL: all that are in the table
 * @now: ktime_get_boottime_ns()
 * @show: how much of each flow
 * @full: the next flow does not fit
 */
struct message {
	struct sk_buff *skb;
	struct netlink_callback *cb;
	struct ft_net *tn;
	const struct ft_filter *filter;
	u64 now;
	enum flowtrack_show show;
	bool full;
};

static struct dump *flow_dump_of(struct netlink_callback *cb)
{
	return (struct dump *)cb->ctx;
}

static int check_request(struct nlattr **attrs, struct netlink_ext_ack *extack)
{
	unsigned int i;

	for (i = 1; i <= FLOWTRACK_A_FLOW_SHOW; i++) {
		if (!attrs[i] || i == FLOWTRACK_A_FLOW_FILTER || i == FLOWTRACK_A_FLOW_SHOW)
			continue;
		return FT_NETLINK_BAD(extack, attrs[i],
				      "a dump takes nothing but filter and show");
	}
	return 0;
}

/**
 * ft_netlink_flow_dump_start() - begin a dump
 * @cb: the dump
 *
 * The request is looked at with the first message: older kernels have nowhere
 * to put the reason of an error before that.
 *
 * Return: 0.
 */
int ft_netlink_flow_dump_start(struct netlink_callback *cb)
{
	struct dump *dump = flow_dump_of(cb);

	BUILD_BUG_ON(sizeof(*dump) > sizeof(cb->ctx));
	memset(dump, 0, sizeof(*dump));
	return 0;
}

/* Never zero, which netlink takes for "nobody cares". */
static u32 sequence(const struct ft_net *tn)
{
	return ft_table_generation(tn->table) | BIT(31);
}

/* Read the request, before the first message. */
static int begin(struct ft_net *tn, struct netlink_callback *cb)
{
	struct nlattr **attrs = genl_info_dump(cb)->attrs;
	struct nlattr *nest = attrs[FLOWTRACK_A_FLOW_FILTER];
	struct dump *dump = flow_dump_of(cb);
	int err;

	err = check_request(attrs, cb->extack);
	if (err)
		return err;
	if (nest) {
		dump->filter = kmalloc(sizeof(*dump->filter), GFP_KERNEL);
		if (!dump->filter)
			return -ENOMEM;
		/* The callback done frees it, on error, too. */
		err = ft_filter_parse(dump->filter, nest, cb->extack);
		if (err)
			return err;
	}
	dump->trackers = dump->filter ? dump->filter->trackers :
					FLOWTRACK_TRACKER_OWN;
	if (attrs[FLOWTRACK_A_FLOW_SHOW])
		dump->show = nla_get_u8(attrs[FLOWTRACK_A_FLOW_SHOW]);
	if (dump->show && dump->trackers != FLOWTRACK_TRACKER_OWN)
		return FT_NETLINK_BAD(cb->extack, attrs[FLOWTRACK_A_FLOW_SHOW],
				      "guarded flows have no digest");
	if (dump->trackers & FLOWTRACK_TRACKER_OWN)
		dump->cursor.generation = ft_table_generation(tn->table);
	dump->seq = sequence(tn);
	dump->begun = true;
	return 0;
}

/**
 * ft_netlink_flow_dump_done() - end a dump, complete or not
 * @cb: the dump
 *
 * Return: 0.
 */
int ft_netlink_flow_dump_done(struct netlink_callback *cb)
{
	struct dump *dump = flow_dump_of(cb);

	if (dump->filter)
		ft_filter_free(dump->filter);
	kfree(dump->filter);
	return 0;
}

static void *begin_flow(struct message *msg)
{
	return genlmsg_put(msg->skb, NETLINK_CB(msg->cb->skb).portid,
			   msg->cb->nlh->nlmsg_seq, &ft_genl_family,
			   NLM_F_MULTI, FLOWTRACK_CMD_FLOW_GET);
}

/* Stops the walk, at this flow, when the message is full. */
static int end_flow(struct message *msg, void *hdr, int err)
{
	if (err) {
		genlmsg_cancel(msg->skb, hdr);
		msg->full = true;
		return -EMSGSIZE;
	}
	genl_dump_check_consistent(msg->cb, hdr);
	genlmsg_end(msg->skb, hdr);
	return 0;
}

static int dump_one(struct ft_flow *flow, u32 index, void *arg)
{
	struct message *msg = arg;
	struct ft_flow6 copy;
	void *hdr;

	if (!ft_netlink_snapshot(flow, READ_ONCE(flow->gen), &copy))
		return 0;
	if (msg->filter && !ft_filter_match_own(msg->filter, &copy, msg->now))
		return 0;
	hdr = begin_flow(msg);
	return end_flow(msg, hdr, hdr ? ft_netlink_show_flow(msg->skb, msg->tn, &copy, index,
							     msg->show) :
					-EMSGSIZE);
}

static int dump_guarded(struct ft_shadow *shadow, void *arg)
{
	struct ft_shadow_key key = shadow->key;
	struct message *msg = arg;
	struct nf_conn *ct;
	int err = 0;
	void *hdr;

	ct = ft_guard_real(msg->tn, &key);
	if (!ct)
		return 0;
	if (ft_netlink_guarded_match(msg->filter, ct)) {
		hdr = begin_flow(msg);
		err = end_flow(msg, hdr, hdr ?
			       ft_netlink_put_guarded(msg->skb, ct) :
			       -EMSGSIZE);
	}
	nf_ct_put(ct);
	return err;
}

/* A part of the table. */
static void walk_own(struct message *msg, struct dump *dump)
{
	struct ft_table *table = msg->tn->table;
	bool more;

	dump->seq = sequence(msg->tn);
	msg->cb->seq = dump->seq;
	rcu_read_lock();
	more = ft_table_walk(table, &dump->cursor, DUMP_SLICE, dump_one, msg);
	rcu_read_unlock();
	if (more)
		return;
	/* A resize in this last part counts as well. */
	dump->seq = sequence(msg->tn);
	dump->shadows = (struct ft_shadow_cursor){};
	dump->trackers &= ~FLOWTRACK_TRACKER_OWN;
}

/* A part of the guarded flows; after a resize from the beginning. */
static void walk_guarded(struct message *msg, struct dump *dump)
{
	const bool begun = dump->shadows.table;
	const u32 len = msg->skb->len;
	int more;

	msg->cb->seq = dump->seq;
	rcu_read_lock();
	more = ft_shadow_walk(&msg->tn->guard.shadows, &dump->shadows,
			      DUMP_SLICE, dump_guarded, msg);
	rcu_read_unlock();
	if (!more)
		dump->trackers &= ~FLOWTRACK_TRACKER_GUARDED;
	if (more != -EAGAIN)
		return;
	if (begun || msg->skb->len != len)
		dump->seq = (dump->seq + 1) | BIT(31);
	schedule_timeout_killable(1);
}

/**
 * ft_netlink_flow_dump() - fill one message of a dump
 * @skb: message
 * @cb: the dump
 *
 * A filter that matches little makes for a long way to the next message: the
 * walk yields on its way and can be killed.
 *
 * Context: may sleep.
 * Return: bytes of the message; 0: the end; -EINVAL; -ENOMEM; -EINTR;
 * -EMSGSIZE.
 */
int ft_netlink_flow_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct ft_net *tn = ft_pernet(sock_net(cb->skb->sk));
	struct dump *dump = flow_dump_of(cb);
	struct message msg = {
		.skb = skb,
		.cb = cb,
		.tn = tn,
		.now = ktime_get_boottime_ns(),
	};
	int err;

	if (!dump->begun) {
		err = begin(tn, cb);
		if (err)
			return err;
	}
	msg.filter = dump->filter;
	msg.show = dump->show;
	/* Each message is some time after the last one. */
	if (dump->trackers & FLOWTRACK_TRACKER_GUARDED)
		ft_guard_show(tn);
	while (dump->trackers && !msg.full) {
		if (dump->trackers & FLOWTRACK_TRACKER_OWN)
			walk_own(&msg, dump);
		else
			walk_guarded(&msg, dump);
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	/* The end of the dump is checked against this, too. */
	if (dump->trackers & FLOWTRACK_TRACKER_OWN)
		dump->seq = sequence(tn);
	cb->seq = dump->seq;

	if (msg.full && !skb->len)
		return -EMSGSIZE;
	return skb->len;
}
