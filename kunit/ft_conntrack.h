/* SPDX-License-Identifier: GPL-2.0 */
/*
 * For the suites about guarding: entries of nf_conntrack, in the initial namespace, and
 * the guard's worker, called when the test wants it.
 */
#ifndef _FT_CONNTRACK_H
#define _FT_CONNTRACK_H

#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/netfilter/nf_conntrack_zones.h>

#include "ft_kunit.h"
#include "guard/feed.h"
#include "guard/room.h"

static inline void ft_ct_end(void *data)
{
	struct nf_conn *ct = data;

	nf_ct_delete(ct, 0, 0);
	nf_ct_put(ct);
}

/* The tuple of UDP flow number @i. */
static inline void ft_ct_tuple(struct nf_conntrack_tuple *tuple, u32 i)
{
	memset(tuple, 0, sizeof(*tuple));
	tuple->src.u3.ip = htonl(0x0a000000 + i);
	tuple->dst.u3.ip = FT_IP(192, 0, 2, 1);
	tuple->src.u.udp.port = htons(1000);
	tuple->dst.u.udp.port = htons(53);
	tuple->src.l3num = NFPROTO_IPV4;
	tuple->dst.protonum = IPPROTO_UDP;
}

/*
 * An entry of nf_conntrack, with answers to @reply. The test holds a reference
 * until it ends; ft_ct_drop() gives it back, for those that may be deleted.
 */
static inline struct nf_conn *ft_ct_entry(struct kunit *test,
					  const struct nf_conntrack_tuple *orig,
					  const struct nf_conntrack_tuple *reply,
					  unsigned long status, u32 timeout)
{
	struct nf_conn *ct;

	ct = nf_conntrack_alloc(&init_net, &nf_ct_zone_dflt, orig, reply,
				GFP_KERNEL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, ct);
	ct->timeout = nfct_time_stamp + timeout;
	ct->status = status | IPS_CONFIRMED;
	rcu_read_lock();
	KUNIT_ASSERT_EQ(test, nf_conntrack_hash_check_insert(ct), 0);
	rcu_read_unlock();
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, ft_ct_end, ct),
			0);
	return ct;
}

/* UDP flow number @i. */
static inline struct nf_conn *ft_ct_udp(struct kunit *test, u32 i,
					unsigned long status, u32 timeout)
{
	struct nf_conntrack_tuple orig, reply;

	ft_ct_tuple(&orig, i);
	nf_ct_invert_tuple(&reply, &orig);
	return ft_ct_entry(test, &orig, &reply, status, timeout);
}

static inline void ft_ct_drop(struct kunit *test, struct nf_conn *ct)
{
	kunit_remove_action(test, ft_ct_end, ct);
	nf_ct_put(ct);
}

static inline enum ft_guard_answer ft_ct_feed(struct ft_net *tn,
					      struct nf_conn *ct)
{
	enum ft_guard_answer answer;

	rcu_read_lock();
	answer = ft_guard_feed(tn, ct, false);
	rcu_read_unlock();
	return answer;
}

static inline bool ft_ct_has(u32 i)
{
	struct nf_conntrack_tuple_hash *found;
	struct nf_conntrack_tuple tuple;

	ft_ct_tuple(&tuple, i);
	found = nf_conntrack_find_get(&init_net, &nf_ct_zone_dflt, &tuple);
	if (found)
		nf_ct_put(nf_ct_tuplehash_to_ctrack(found));
	return found;
}

/* As nf_conntrack does it by itself: without telling. */
static inline void ft_ct_delete(u32 i)
{
	struct nf_conntrack_tuple_hash *found;
	struct nf_conntrack_tuple tuple;

	ft_ct_tuple(&tuple, i);
	found = nf_conntrack_find_get(&init_net, &nf_ct_zone_dflt, &tuple);
	if (!found)
		return;
	nf_ct_delete(nf_ct_tuplehash_to_ctrack(found), 0, 0);
	nf_ct_put(nf_ct_tuplehash_to_ctrack(found));
}

static inline int ft_ct_any(struct nf_conn *ct, void *arg)
{
	return 1;
}

static inline void ft_ct_end_all(void)
{
	struct nf_ct_iter_data iter = { .net = &init_net };

	nf_ct_iterate_cleanup_net(ft_ct_any, &iter);
}

static inline void ft_ct_restore(void *max)
{
	nf_conntrack_max = (unsigned long)max;
	ft_ct_end_all();
}

/*
 * A suite's init: after each test all entries end, and nf_conntrack's limit, which is
 * everybody's, is what it was.
 */
static inline int ft_ct_init(struct kunit *test)
{
	return kunit_add_action_or_reset(test, ft_ct_restore,
					 (void *)(unsigned long)nf_conntrack_max);
}

/* Have the guard's worker look now. */
static inline void ft_ct_look(struct ft_net *tn)
{
	mod_delayed_work(system_dfl_wq, &tn->guard.work, 0);
	flush_delayed_work(&tn->guard.work);
}

/* As ft_ct_look() after a while: the worker compares all it has to. */
static inline void ft_ct_sweep(struct ft_net *tn)
{
	tn->guard.sweep_after = 0;
	ft_ct_look(tn);
}

/* A namespace whose shadows are kept, and which has nothing left to learn. */
static inline struct ft_net *ft_ct_guard_net(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 100);

	KUNIT_ASSERT_EQ(test, nf_conntrack_count(&init_net), 0);
	tn->guard.learned = true;
	return tn;
}

static inline enum ft_guard_answer
ft_ct_make_room(struct ft_net *tn, const struct ft_guard_newcomer *who)
{
	enum ft_guard_answer answer;

	rcu_read_lock();
	answer = ft_guard_make_room(tn, who);
	rcu_read_unlock();
	return answer;
}

#endif /* _FT_CONNTRACK_H */
