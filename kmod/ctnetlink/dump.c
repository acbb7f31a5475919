// SPDX-License-Identifier: GPL-2.0
/*
 * CT_GET and CT_GET_CTRZERO, dump: nf_conntrack's table, then ours, in as many
 * messages as it takes.
 *
 * nf_conntrack's part after nf_conntrack_netlink.c: Jay Schulist, Harald Welte,
 * Patrick McHardy, Pablo Neira Ayuso.
 */
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/sock.h>

#include "ctnetlink/encode.h"
#include "ctnetlink/filter.h"
#include "ctnetlink/ops.h"
#include "ctnetlink/own.h"
#include "ctnetlink/stand_in.h"
#include "flow/flow.h"
#include "flow/table.h"
#include "net.h"

/* Buckets between two chances for others to run. */
#define DUMP_SLICE	64

/* Expired entries of one bucket that are collected on the way. */
#define EXPIRED_MAX	8

/**
 * struct dump - a dump between two messages; lives in netlink_callback.ctx
 * @filter: what it shows; NULL: all
 * @last: nf_conntrack: id of the entry that did not fit, as last_id() has it; 0: none
 * @bucket: nf_conntrack: the bucket that is next
 * @cursor: where it stands in our table
 * @own: it has come to our table
 */
struct dump {
	struct ft_ctnl_filter *filter;
	unsigned long last;
	unsigned int bucket;
	struct ft_cursor cursor;
	bool own;
};

/**
 * struct message - a message of a dump while it is being filled
 * @skb: the message
 * @head: what stands in the headers of what is in it
 * @net: namespace
 * @dump: the dump
 * @stand_in: of one flow of ours after the other
 * @full: the next connection does not fit
 */
struct message {
	struct sk_buff *skb;
	struct ft_ctnl_head head;
	struct net *net;
	struct dump *dump;
	struct ft_stand_in stand_in;
	bool full;
};

static struct dump *dump_of(struct netlink_callback *cb)
{
	return (struct dump *)cb->ctx;
}

static int dump_start(struct netlink_callback *cb)
{
	const struct nlattr * const *cda = cb->data;
	const struct nfgenmsg *nfmsg = nlmsg_data(cb->nlh);
	struct dump *dump = dump_of(cb);
	struct ft_ctnl_filter *filter;

	BUILD_BUG_ON(sizeof(*dump) > sizeof(cb->ctx));
	memset(dump, 0, sizeof(*dump));
	filter = ft_ctnl_filter_create(cda, nfmsg->nfgen_family);
	if (IS_ERR(filter))
		return PTR_ERR(filter);
	dump->filter = filter;
	if (filter)
		cb->answer_flags = NLM_F_DUMP_FILTERED;
	return 0;
}

static int dump_done(struct netlink_callback *cb)
{
	kfree(dump_of(cb)->filter);
	return 0;
}

/* Entries come and go between two messages: one is known by its id, not its place. */
static unsigned long last_id(const struct nf_conn *ct)
{
	return nf_ct_get_id(ct) ?: 1;
}

/**
 * struct expired - expired entries of a bucket
 * @ct: referenced
 * @n: how many
 */
struct expired {
	struct nf_conn *ct[EXPIRED_MAX];
	unsigned int n;
};

/* Not with the bucket locked: nf_ct_kill() takes the lock. */
static void collect(struct expired *expired)
{
	while (expired->n) {
		struct nf_conn *ct = expired->ct[--expired->n];

		if (nf_ct_should_gc(ct))
			nf_ct_kill(ct);
		nf_ct_put(ct);
	}
}

/* Shall an entry be shown? */
static bool is_shown(const struct message *msg, const struct nf_conntrack_tuple_hash *h,
		     struct expired *expired)
{
	struct nf_conn *ct = nf_ct_tuplehash_to_ctrack(h);

	if (nf_ct_is_expired(ct)) {
		if (expired->n < EXPIRED_MAX && refcount_inc_not_zero(&ct->ct_general.use))
			expired->ct[expired->n++] = ct;
		return false;
	}
	return net_eq(msg->net, nf_ct_net(ct)) && NF_CT_DIRECTION(h) == IP_CT_DIR_ORIGINAL;
}

/* A bucket of nf_conntrack, which is locked. */
static void fill_bucket(struct message *msg, struct expired *expired)
{
	struct dump *dump = msg->dump;
	struct nf_conntrack_tuple_hash *h;
	struct hlist_nulls_node *n;
	struct nf_conn *ct;

	hlist_nulls_for_each_entry(h, n, &nf_conntrack_hash[dump->bucket], hnnode) {
		if (!is_shown(msg, h, expired))
			continue;
		ct = nf_ct_tuplehash_to_ctrack(h);
		if (dump->last && dump->last != last_id(ct))
			continue;
		dump->last = 0;
		if (!ft_ctnl_filter_match(dump->filter, ct))
			continue;
		if (ft_ctnl_put_ct(msg->skb, &msg->head, ct, ft_ctnl_ct_id(ct), true)) {
			dump->last = last_id(ct);
			msg->full = true;
			return;
		}
	}
}

/* Return: false behind the last bucket. */
static bool walk_bucket(struct message *msg)
{
	struct dump *dump = msg->dump;
	struct expired expired = {};
	spinlock_t *lock; /* nf_conntrack's, of the bucket */
	bool in;

	lock = &nf_conntrack_locks[dump->bucket % CONNTRACK_LOCKS];
	local_bh_disable();
	nf_conntrack_lock(lock);
	/* Its declaration does not tell sparse. */
	__acquire(lock);
	/* A resize takes all these locks. */
	in = dump->bucket < nf_conntrack_htable_size;
	if (in)
		fill_bucket(msg, &expired);
	/* The entry to go on with has ended, so its place is not known: begin the bucket again. */
	if (in && dump->last && !msg->full) {
		dump->last = 0;
		fill_bucket(msg, &expired);
	}
	spin_unlock(lock);
	collect(&expired);
	local_bh_enable();
	if (in && !msg->full)
		dump->bucket++;
	return in;
}

static void walk_conntrack(struct message *msg)
{
	unsigned int n;

	/* Each of its buckets has a lock, and none has anything of this namespace. */
	if (!nf_conntrack_count(msg->net)) {
		msg->dump->own = true;
		return;
	}
	for (n = 0; n < DUMP_SLICE && !msg->full; n++) {
		if (walk_bucket(msg))
			continue;
		msg->dump->own = true;
		return;
	}
}

static int put_own(struct ft_flow *flow, u32 index, void *arg)
{
	struct message *msg = arg;
	const bool zero = msg->head.type == IPCTNL_MSG_CT_GET_CTRZERO;
	const struct ft_net *tn = ft_pernet(msg->net);
	struct nf_conn *ct = &msg->stand_in.ct;
	struct ft_own own;

	if (!ft_own_snapshot(&own, flow, index))
		return 0;
	ft_stand_in_again(&msg->stand_in, tn, &own.copy);
	if (!ft_ctnl_filter_match(msg->dump->filter, ct))
		return 0;
	if (zero) {
		ft_own_zero(&own);
		ft_stand_in_again(&msg->stand_in, tn, &own.copy);
	}
	if (!ft_ctnl_put_ct(msg->skb, &msg->head, ct, ft_stand_in_id(tn, &own.copy, index), true))
		return 0;
	if (zero)
		ft_own_unzero(&own);
	msg->full = true;
	return -EMSGSIZE;
}

/* Return: false at the end. */
static bool walk_own_flows(struct message *msg)
{
	bool more;

	rcu_read_lock();
	more = ft_table_walk(ft_pernet(msg->net)->table, &msg->dump->cursor, DUMP_SLICE, put_own,
			     msg);
	rcu_read_unlock();
	return more;
}

static int dump_connections(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct message msg = {
		.skb = skb,
		.head = ft_ctnl_head_of(cb->skb, cb->nlh),
		.net = sock_net(skb->sk),
		.dump = dump_of(cb),
	};

	ft_stand_in_clear(&msg.stand_in, ft_pernet(msg.net));
	if (msg.dump->filter)
		msg.head.flags = NLM_F_DUMP_FILTERED;
	while (!msg.full) {
		if (!msg.dump->own)
			walk_conntrack(&msg);
		else if (!walk_own_flows(&msg))
			break;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return skb->len;
}

/**
 * ft_ctnl_dump_begin() - show all connections that a request asks for
 * @skb: request
 * @info: likewise
 * @cda: its attributes
 *
 * Return: 0 or an error.
 */
int ft_ctnl_dump_begin(struct sk_buff *skb, const struct nfnl_info *info,
		       const struct nlattr * const cda[])
{
	struct netlink_dump_control control = {
		.start = dump_start,
		.dump = dump_connections,
		.done = dump_done,
		.data = (void *)cda,
	};

	return netlink_dump_start(info->sk, skb, info->nlh, &control);
}
