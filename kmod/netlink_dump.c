// SPDX-License-Identifier: GPL-2.0
/*
 * flow-get, dump: the table in as many messages as it takes.
 *
 * Between two messages nothing is held: the cursor names a place in the table,
 * not a flow. A flow that lives from the first to the last message is shown
 * once, unless the table is resized meanwhile; then the dump says so
 * (NLM_F_DUMP_INTR), and who needs it complete asks again.
 */
#include <linux/ktime.h>
#include <linux/netlink.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <net/sock.h>

#include "netlink.h"
#include "netlink_filter.h"
#include "netlink_ops.h"

/* Buckets between two chances for others to run. */
#define DUMP_SLICE	64

/**
 * struct dump - a dump between two messages; lives in netlink_callback.ctx
 * @cursor: where it stands
 * @filter: what it shows; NULL: everything
 * @begun: the request has been looked at
 * @finished: nothing is left
 */
struct dump {
	struct ft_cursor cursor;
	struct ft_filter *filter;
	bool begun;
	bool finished;
};

/**
 * struct message - a message of a dump while it is being filled
 * @skb: the message
 * @cb: the dump
 * @tn: namespace
 * @filter: what is shown; NULL: everything
 * @now: ktime_get_boottime_ns()
 * @full: the next flow does not fit
 */
struct message {
	struct sk_buff *skb;
	struct netlink_callback *cb;
	struct ft_net *tn;
	const struct ft_filter *filter;
	u64 now;
	bool full;
};

static struct dump *dump_of(struct netlink_callback *cb)
{
	return (struct dump *)cb->ctx;
}

static int check_request(struct nlattr **attrs, struct netlink_ext_ack *extack)
{
	unsigned int i;

	for (i = 1; i <= FLOWTRACK_A_FLOW_FILTER; i++) {
		if (!attrs[i] || i == FLOWTRACK_A_FLOW_FILTER)
			continue;
		return FT_NETLINK_BAD(extack, attrs[i],
				      "a dump takes nothing but a filter");
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
	struct dump *dump = dump_of(cb);

	BUILD_BUG_ON(sizeof(*dump) > sizeof(cb->ctx));
	memset(dump, 0, sizeof(*dump));
	return 0;
}

/* What is wanted? Before the first message. */
static int begin(struct ft_net *tn, struct netlink_callback *cb)
{
	struct nlattr **attrs = genl_info_dump(cb)->attrs;
	struct nlattr *nest = attrs[FLOWTRACK_A_FLOW_FILTER];
	struct dump *dump = dump_of(cb);
	int err;

	err = check_request(attrs, cb->extack);
	if (err)
		return err;
	if (nest) {
		dump->filter = kmalloc(sizeof(*dump->filter), GFP_KERNEL);
		if (!dump->filter)
			return -ENOMEM;
		/* On error, too, it is freed by done. */
		err = ft_filter_parse(dump->filter, nest, cb->extack);
		if (err)
			return err;
	}
	dump->cursor.generation = ft_table_generation(tn->table);
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
	kfree(dump_of(cb)->filter);
	return 0;
}

/* Stops the walk, at this flow, when the message is full. */
static int dump_one(struct ft_flow *flow, u32 index, void *arg)
{
	struct message *msg = arg;
	struct ft_flow6 copy;
	void *hdr;

	if (!ft_netlink_snapshot(flow, READ_ONCE(flow->gen), &copy))
		return 0;
	if (msg->filter && !ft_filter_match(msg->filter, &copy, msg->now))
		return 0;

	hdr = genlmsg_put(msg->skb, NETLINK_CB(msg->cb->skb).portid,
			  msg->cb->nlh->nlmsg_seq, &ft_genl_family, NLM_F_MULTI,
			  FLOWTRACK_CMD_FLOW_GET);
	if (!hdr || ft_netlink_put_flow(msg->skb, msg->tn, &copy, index)) {
		genlmsg_cancel(msg->skb, hdr);
		msg->full = true;
		return -EMSGSIZE;
	}
	genl_dump_check_consistent(msg->cb, hdr);
	genlmsg_end(msg->skb, hdr);
	return 0;
}

/* Never zero, which netlink takes for "nobody cares". */
static u32 sequence(const struct ft_net *tn)
{
	return ft_table_generation(tn->table) | BIT(31);
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
	struct ft_net *tn = ft_net(sock_net(cb->skb->sk));
	struct dump *dump = dump_of(cb);
	struct message msg = {
		.skb = skb,
		.cb = cb,
		.tn = tn,
		.now = ktime_get_boottime_ns(),
	};
	bool more;
	int err;

	if (dump->finished)
		return 0;
	if (!dump->begun) {
		err = begin(tn, cb);
		if (err)
			return err;
	}
	msg.filter = dump->filter;
	do {
		cb->seq = sequence(tn);
		rcu_read_lock();
		more = ft_table_walk(tn->table, &dump->cursor, DUMP_SLICE,
				     dump_one, &msg);
		rcu_read_unlock();
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	} while (more && !msg.full);
	/* The end of the dump is checked against this, too. */
	cb->seq = sequence(tn);

	dump->finished = !more;
	if (msg.full && !skb->len)
		return -EMSGSIZE;
	return skb->len;
}
