// SPDX-License-Identifier: GPL-2.0
/*
 * Flows of nf_conntrack that are guarded, in messages: as those of the table,
 * but told from the entry that nf_conntrack has now.
 */
#include <linux/in.h>
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/netlink.h>
#include <linux/nf_flowtrack.h>
#include <linux/sched/signal.h>
#include <linux/timekeeping.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_conntrack_acct.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/netfilter/nf_conntrack_timestamp.h>
#include <net/netfilter/nf_conntrack_zones.h>
#include <net/netlink.h>

#include "flow/flow.h"
#include "flow/shadow.h"
#include "flow/tuple.h"
#include "guard/end.h"
#include "guard/entry.h"
#include "guard/watch.h"
#include "net.h"
#include "netlink/encode.h"
#include "netlink/filter.h"
#include "netlink/guarded.h"
#include "proto/conntrack.h"
#include "track/carrier.h"

#define A(name)		FLOWTRACK_A_FLOW_##name

/* A tuple as that of a flow which it opens. */
static void set_key(struct ft_flow6 *copy,
		    const struct nf_conntrack_tuple *tuple, u16 zone, u32 word)
{
	struct ft_key key;

	if (ft_key_from_tuple(&key, tuple, zone))
		word |= FT_FLOW_ORIG_HI;
	atomic_set(&copy->f.word, word);
	memcpy(&copy->f.key, &key, sizeof(copy->f.key));
	memcpy(copy->addr6, key.addr6, sizeof(copy->addr6));
}

/* When the first packet came, if nf_conntrack knows. */
static bool has_age(const struct nf_conn *ct, u64 *age)
{
	const struct nf_conn_tstamp *tstamp = nf_conn_tstamp_find(ct);

	if (!tstamp || !tstamp->start)
		return false;
	*age = max_t(s64, ktime_get_real_ns() - tstamp->start, 0);
	return true;
}

static void set_guarded_counters(struct ft_flow *flow, const struct nf_conn_acct *acct)
{
	unsigned int dir;

	for (dir = 0; dir < IP_CT_DIR_MAX; dir++) {
		flow->packets[dir] = atomic64_read(&acct->counter[dir].packets);
		flow->bytes[dir] = atomic64_read(&acct->counter[dir].bytes);
	}
}

/* An entry in the terms of the table. */
static void describe_guarded(struct ft_flow6 *copy, const struct nf_conn *ct)
{
	const struct nf_conn_acct *acct = nf_conn_acct_find(ct);

	memset(copy, 0, sizeof(*copy));
	set_key(copy, nf_ct_tuple(ct, IP_CT_DIR_ORIGINAL), nf_ct_zone(ct)->id,
		ft_proto_conntrack_word(ct));
	copy->f.mark = READ_ONCE(ct->mark);
	if (acct)
		set_guarded_counters(&copy->f, acct);
}

/**
 * ft_netlink_guarded_match() - does a flow of nf_conntrack match?
 * @filter: from ft_filter_parse()
 * @ct: its entry, referenced
 *
 * Context: any.
 * Return: true if it matches all that was given. An age that nf_conntrack does
 * not know matches none.
 */
bool ft_netlink_guarded_match(const struct ft_filter *filter,
			      const struct nf_conn *ct)
{
	u64 now = ktime_get_boottime_ns(), age = 0;
	struct ft_flow6 copy, reply = {};

	describe_guarded(&copy, ct);
	copy.f.born = has_age(ct, &age) ? now - age : FT_FILTER_NO_AGE;
	set_key(&reply, nf_ct_tuple(ct, IP_CT_DIR_REPLY), 0, 0);
	return ft_filter_match(filter, &copy, &reply, now);
}

/* As ctnetlink's users see it: that sends it without a byte order. */
static u64 guarded_id(const struct nf_conn *ct)
{
	return be32_to_cpu((__force __be32)nf_ct_get_id(ct));
}

static int put_guarded_times(struct sk_buff *skb, const struct nf_conn *ct)
{
	int err = nla_put_u32(skb, A(TIMEOUT),
			      jiffies_to_msecs(nf_ct_expires(ct)));
	u64 age;

	if (err || !has_age(ct, &age))
		return err;
	return nla_put_u64_64bit(skb, A(AGE), div_u64(age, NSEC_PER_MSEC),
				 A(PAD)) ?:
	       nla_put_u64_64bit(skb, A(START), ktime_get_real_ns() - age,
				 A(PAD));
}

/**
 * ft_netlink_put_guarded() - encode a flow of nf_conntrack
 * @skb: message
 * @ct: its entry, referenced
 *
 * The answers are what NAT makes of them. Counters and times are there when
 * nf_conntrack has them.
 *
 * Context: any.
 * Return: 0, or -EMSGSIZE with the message in an undefined state: the caller
 * cancels it.
 */
int ft_netlink_put_guarded(struct sk_buff *skb, const struct nf_conn *ct)
{
	struct ft_flow6 copy, reply = {};

	describe_guarded(&copy, ct);
	set_key(&reply, nf_ct_tuple(ct, IP_CT_DIR_REPLY), 0, 0);
	if (ft_netlink_put_head(skb, &copy, &reply, guarded_id(ct),
				FLOWTRACK_TRACKER_GUARDED) ||
	    put_guarded_times(skb, ct) ||
	    (nf_conn_acct_find(ct) && ft_netlink_put_counters(skb, &copy.f)))
		return -EMSGSIZE;
	return 0;
}

/**
 * ft_netlink_guarded_get() - the guarded flow that a tuple names
 * @tn: namespace
 * @key: the tuple, from ft_netlink_get_key()
 * @from_hi: likewise
 *
 * The tuple may be that of either direction, as the packets have it.
 *
 * Context: may sleep.
 * Return: its entry, referenced; NULL: there is none, or it is not guarded.
 */
struct nf_conn *ft_netlink_guarded_get(struct ft_net *tn,
				       const struct ft_key *key, bool from_hi)
{
	struct nf_conntrack_tuple_hash *found;
	struct nf_conntrack_tuple tuple;
	struct nf_conntrack_zone zone;
	struct ft_shadow_key shadow;
	struct nf_conn *ct = NULL;

	/* Of ICMP the lower endpoint asks, and the upper one replies. */
	ft_carrier_tuple(&tuple, key, from_hi, from_hi);
	nf_ct_zone_init(&zone, key->zone, NF_CT_DEFAULT_ZONE_DIR, 0);
	rcu_read_lock();
	found = nf_conntrack_find_get(tn->net, &zone, &tuple);
	if (!found)
		goto out;
	ct = nf_ct_tuplehash_to_ctrack(found);
	ft_shadow_key_set(&shadow, nf_ct_tuple(ct, IP_CT_DIR_ORIGINAL),
			  nf_ct_zone(ct));
	if (!ft_guard_has(tn, &shadow)) {
		nf_ct_put(ct);
		ct = NULL;
	}
out:
	rcu_read_unlock();
	return ct;
}

/* Calls @fn for every shadow. Return: as ft_guard_show(), and as ft_shadow_for_each(). */
static int each_shadow(struct ft_net *tn, ft_shadow_fn fn, void *arg, bool once)
{
	int err = ft_guard_show(tn);

	return err ?: ft_shadow_for_each(&tn->guard.shadows, true, once, fn, arg);
}

/**
 * struct wanted - the guarded flow that an id names
 * @tn: namespace
 * @id: as guarded_id() has it
 * @ct: its entry, referenced; NULL: not met yet
 * @twice: another flow has the id, too
 */
struct wanted {
	struct ft_net *tn;
	u64 id;
	struct nf_conn *ct;
	bool twice;
};

static int find_wanted(struct ft_shadow *shadow, void *arg)
{
	struct ft_shadow_key key = shadow->key;
	struct wanted *wanted = arg;
	struct nf_conn *ct;

	ct = ft_guard_real(wanted->tn, &key);
	if (!ct)
		return 0;
	if (guarded_id(ct) == wanted->id && !wanted->ct) {
		wanted->ct = ct;
		return 0;
	}
	if (guarded_id(ct) == wanted->id && ct != wanted->ct)
		wanted->twice = true;
	nf_ct_put(ct);
	return 0;
}

/**
 * ft_netlink_guarded_by_id() - the guarded flow that an id names
 * @tn: namespace
 * @id: id, as a dump shows it
 * @found: set to its entry, referenced
 *
 * nf_conntrack has no index by id, and its ids have 32 bits: all guarded flows
 * are looked at, and an id that two of them have names none.
 *
 * Context: may sleep.
 * Return: 0; -ENOENT; -ENOTUNIQ: two flows have it; -EINTR.
 */
int ft_netlink_guarded_by_id(struct ft_net *tn, u64 id, struct nf_conn **found)
{
	struct wanted wanted = { .tn = tn, .id = id };
	int err;

	err = each_shadow(tn, find_wanted, &wanted, false);
	if (!err && !wanted.ct)
		err = -ENOENT;
	if (!err && wanted.twice)
		err = -ENOTUNIQ;
	if (err && wanted.ct)
		nf_ct_put(wanted.ct);
	else
		*found = wanted.ct;
	return err;
}

/**
 * ft_netlink_guarded_end() - delete a guarded flow from nf_conntrack
 * @tn: namespace
 * @ct: its entry, referenced
 *
 * Context: may sleep.
 * Return: true if this ended it.
 */
bool ft_netlink_guarded_end(struct ft_net *tn, struct nf_conn *ct)
{
	struct ft_shadow_key key;

	ft_shadow_key_set(&key, nf_ct_tuple(ct, IP_CT_DIR_ORIGINAL), nf_ct_zone(ct));
	return ft_guard_end(tn, &key, ct);
}

/**
 * struct selection - which flows are deleted
 * @tn: namespace
 * @filter: that match
 * @ended: how many were
 */
struct selection {
	struct ft_net *tn;
	const struct ft_filter *filter;
	u32 ended;
};

static int end_selected_guarded(struct ft_shadow *shadow, void *arg)
{
	struct ft_shadow_key key = shadow->key;
	struct selection *sel = arg;
	struct nf_conn *ct;

	ct = ft_guard_real(sel->tn, &key);
	if (!ct)
		return 0;
	if (ft_netlink_guarded_match(sel->filter, ct))
		sel->ended += ft_guard_end(sel->tn, &key, ct);
	nf_ct_put(ct);
	return 0;
}

/**
 * ft_netlink_guarded_del() - delete guarded flows from nf_conntrack
 * @tn: namespace
 * @filter: which
 * @ended: their number is added
 *
 * Context: may sleep.
 * Return: 0 or -EINTR.
 */
int ft_netlink_guarded_del(struct ft_net *tn, const struct ft_filter *filter,
			   u32 *ended)
{
	struct selection sel = { .tn = tn, .filter = filter };
	int err;

	err = each_shadow(tn, end_selected_guarded, &sel, false);
	*ended += sel.ended;
	return err;
}

/**
 * struct each - a walk over guarded flows
 * @tn: namespace
 * @filter: that match
 * @fn: called for each
 * @arg: argument of @fn
 */
struct each {
	struct ft_net *tn;
	const struct ft_filter *filter;
	void (*fn)(const struct ft_flow6 *copy, void *arg);
	void *arg;
};

static int visit_guarded(struct ft_shadow *shadow, void *arg)
{
	struct ft_shadow_key key = shadow->key;
	struct each *each = arg;
	struct ft_flow6 copy;
	struct nf_conn *ct;

	ct = ft_guard_real(each->tn, &key);
	if (!ct)
		return 0;
	if (ft_netlink_guarded_match(each->filter, ct)) {
		describe_guarded(&copy, ct);
		each->fn(&copy, each->arg);
	}
	nf_ct_put(ct);
	return 0;
}

/**
 * ft_netlink_guarded_each() - visit every guarded flow once
 * @tn: namespace
 * @filter: those that match
 * @fn: called for each, in the terms of the table, in an RCU read side
 * @arg: argument of @fn
 *
 * Context: may sleep.
 * Return: 0; -EINTR; -EAGAIN: it was not once, and not all, because of a resize.
 */
int ft_netlink_guarded_each(struct ft_net *tn, const struct ft_filter *filter,
			    void (*fn)(const struct ft_flow6 *copy, void *arg), void *arg)
{
	struct each each = { .tn = tn, .filter = filter, .fn = fn, .arg = arg };

	return each_shadow(tn, visit_guarded, &each, true);
}
