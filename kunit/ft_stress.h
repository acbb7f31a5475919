/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Everything at once on one table: lookups, inserts, refreshes, ends, expiry,
 * walks and resizes, from several threads, for a bounded time. Meant for
 * machines with several CPUs; on one it only shows what preemption can.
 *
 * What must hold, whatever the order of things:
 *	- a flow that nobody ends is found by every lookup and every full walk;
 *	- a flow that only one thread enters and ends is found by its lookups in
 *	  between, and by none after that;
 *	- no two flows of one key are alive at once;
 *	- once all have ended no slot is left.
 */
#ifndef _FT_STRESS_H
#define _FT_STRESS_H

#include <linux/bitmap.h>
#include <linux/bottom_half.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/prandom.h>
#include <linux/random.h>
#include <linux/slab.h>

#include "flow/table.h"

#define FT_STRESS_STAY	500u	/* flows 0 to here: nobody ends them */
#define FT_STRESS_KEYS	2000u	/* the others come and go */
#define FT_STRESS_THREADS 16u
#define FT_STRESS_OWN	8u	/* flows of a thread of its own */

/**
 * struct ft_stress - a run, and what came of it
 * @table: the table; nobody else uses it
 * @held: by key: who holds the lock of a live flow of it
 * @threads: that play packets
 * @lookups: done
 * @inserts: done
 * @ends: done; as many as @inserts in the end
 * @resizes: done
 * @missed: lookups that missed a flow which was there
 * @unseen: full walks that did not see all of them
 * @early: flows that expiry ended before their time
 * @twins: two live flows of one key, or one that had ended
 * @left: slots that were left when all flows had ended
 */
struct ft_stress {
	struct ft_table *table;
	atomic_t held[FT_STRESS_KEYS];
	atomic_t threads, lookups, inserts, ends, resizes;
	atomic_t missed, unseen, early, twins, left;
};

#ifdef CONFIG_NF_FLOWTRACK_KUNIT
/* Filters of a table that do not say what they must. */
static inline u32 ft_stress_stale(struct ft_table *table)
{
	u32 stale;

	rcu_read_lock();
	stale = ft_table_filters_stale(table);
	rcu_read_unlock();
	return stale;
}
#endif

static inline void ft_stress_key(struct ft_key *key, u32 i)
{
	union nf_inet_addr src = {}, dst = {};

	if (i % 4) {
		src.ip = htonl(0x0a000000 + i);
		dst.ip = htonl(0xc0000201);
	} else {
		src.ip6[0] = htonl(0x20010db8);
		src.ip6[3] = htonl(i);
		dst.ip6[0] = htonl(0x20010db8);
		dst.ip6[1] = htonl(1);
	}
	ft_key_set(key, i % 4 ? NFPROTO_IPV4 : NFPROTO_IPV6, IPPROTO_UDP, 0,
		   &src, &dst, htons(1), htons(2));
}

/* Context of all below: BH disabled, RCU read side. */
static inline bool ft_stress_enter(struct ft_stress *s, u32 i, u32 timeout)
{
	struct ft_flow *flow, *clash;
	struct ft_key key;
	u32 index;

	ft_stress_key(&key, i);
	flow = ft_table_alloc(s->table, key.family, &index);
	if (!flow)
		return false;
	ft_flow_lock(flow);
	memcpy(&flow->key, &key, sizeof(flow->key));
	if (key.family == NFPROTO_IPV6)
		memcpy(ft_flow_addr6(flow), key.addr6, sizeof(key.addr6));
	WRITE_ONCE(flow->deadline, ft_now() + timeout);
	WRITE_ONCE(flow->mark, i);
	ft_flow_unlock(flow, FT_FLOW_DEAD);
	if (ft_table_insert(s->table, flow, index,
			    ft_key_hash(&key, ft_table_secret(s->table)),
			    &clash)) {
		ft_table_free(s->table, flow, index);
		return false;
	}
	atomic_inc(&s->inserts);
	return true;
}

/* Take out a flow that was killed. */
static inline void ft_stress_take_out(struct ft_stress *s, struct ft_flow *flow,
				      u32 index)
{
	struct ft_key key;

	ft_flow_key(flow, &key);
	ft_table_remove(s->table, index,
			ft_key_hash(&key, ft_table_secret(s->table)));
	ft_table_free(s->table, flow, index);
	atomic_inc(&s->ends);
}

/* End the flow of a generation. */
static inline void ft_stress_end(struct ft_stress *s, struct ft_flow *flow,
				 u32 index, u32 gen)
{
	if (ft_flow_kill(flow, gen))
		ft_stress_take_out(s, flow, index);
}

/* A packet of flow @i: find, lock, refresh; now and then the last one. */
static inline void ft_stress_packet(struct ft_stress *s, u32 i, u32 dice)
{
	bool stays = i < FT_STRESS_STAY;
	struct ft_flow *flow;
	struct ft_key key;
	u32 index, gen;

	ft_stress_key(&key, i);
	flow = ft_table_lookup(s->table, &key,
			       ft_key_hash(&key, ft_table_secret(s->table)),
			       &index);
	atomic_inc(&s->lookups);
	if (!flow || !ft_flow_lock_key(flow, &key)) {
		if (stays)
			atomic_inc(&s->missed);
		else
			ft_stress_enter(s, i, 1 + dice % 4);
		return;
	}
	if (atomic_inc_return(&s->held[i]) != 1)
		atomic_inc(&s->twins);
	gen = flow->gen;
	if (flow->mark != i)
		atomic_inc(&s->twins);
	/* Let others come into the gap between "alive" and "refreshed". */
	if (dice % 64 == 0)
		udelay(9);
	/* And the deadline pass in it, so that expiry waits for the lock. */
	while (!stays && dice % 1024 == 1 && ft_flow_left(flow, ft_now()) > 0)
		cpu_relax();
	WRITE_ONCE(flow->deadline,
		   ft_now() + (stays ? 3600 * HZ : 1 + dice % 4));
	atomic_dec(&s->held[i]);
	ft_flow_unlock(flow, atomic_read(&flow->word));
	if (!stays && dice % 8 == 0)
		ft_stress_end(s, flow, index, gen);
}

/* A flow that nobody else enters or ends; @in: it is in the table. */
static inline bool ft_stress_own(struct ft_stress *s, u32 i, u32 dice, bool in)
{
	struct ft_flow *flow;
	struct ft_key key;
	u32 index;

	ft_stress_key(&key, i);
	flow = ft_table_lookup(s->table, &key,
			       ft_key_hash(&key, ft_table_secret(s->table)),
			       &index);
	atomic_inc(&s->lookups);
	if (in && !flow)
		atomic_inc(&s->missed);
	if (!in && flow)
		atomic_inc(&s->twins);
	if (!flow)
		return ft_stress_enter(s, i, 3600 * HZ);
	if (dice % 8)
		return true;
	ft_stress_end(s, flow, index, flow->gen);
	return false;
}

static inline int ft_stress_packets(void *data)
{
	DECLARE_BITMAP(own, FT_STRESS_OWN) = {};
	struct ft_stress *s = data;
	struct rnd_state rnd;
	u32 i, n, k, first;
	bool in;

	prandom_seed_state(&rnd, get_random_u64());
	first = FT_STRESS_KEYS +
		atomic_fetch_inc(&s->threads) * FT_STRESS_OWN;
	while (!kthread_should_stop()) {
		rcu_read_lock();
		local_bh_disable();
		for (n = 0; n < 64; n++) {
			i = prandom_u32_state(&rnd) % FT_STRESS_KEYS;
			/* Few keys that all fight for. */
			if (n % 4 == 0)
				i = FT_STRESS_STAY + i % 8;
			ft_stress_packet(s, i, prandom_u32_state(&rnd) >> 8);
			k = n % FT_STRESS_OWN;
			in = ft_stress_own(s, first + k,
					   prandom_u32_state(&rnd) >> 8,
					   test_bit(k, own));
			__assign_bit(k, own, in);
		}
		local_bh_enable();
		rcu_read_unlock();
		cond_resched();
	}
	return 0;
}

static inline int ft_stress_expire(struct ft_flow *flow, u32 index, void *arg)
{
	u32 gen, word, deadline;
	struct ft_stress *s = arg;

	if (!ft_flow_alive(flow, &gen, &word))
		return 0;
	deadline = READ_ONCE(flow->deadline);
	if (ft_time_left(deadline, ft_now()) > 0)
		return 0;
	local_bh_disable();
	if (ft_flow_kill_idle(flow, gen, deadline)) {
		/* Dead: nobody refreshes it any more, and nobody has freed it. */
		if (ft_flow_left(flow, ft_now()) > 0)
			atomic_inc(&s->early);
		ft_stress_take_out(s, flow, index);
	}
	local_bh_enable();
	return 0;
}

static inline int ft_stress_see(struct ft_flow *flow, u32 index, void *arg)
{
	u32 i = READ_ONCE(flow->mark);
	unsigned long *seen = arg;

	if (i < FT_STRESS_STAY)
		__set_bit(i, seen);
	return 0;
}

/* What works in the background: expiry, dumps. */
static inline int ft_stress_scans(void *data)
{
	DECLARE_BITMAP(seen, FT_STRESS_STAY);
	struct ft_stress *s = data;
	struct ft_cursor cursor;

	while (!kthread_should_stop()) {
		rcu_read_lock();
		cursor = (struct ft_cursor){};
		ft_table_expired(s->table, &cursor, U32_MAX, ft_stress_expire,
				 s, NULL);
		bitmap_zero(seen, FT_STRESS_STAY);
		cursor = (struct ft_cursor){};
		ft_table_walk(s->table, &cursor, U32_MAX, ft_stress_see, seen);
		rcu_read_unlock();
		if (!bitmap_full(seen, FT_STRESS_STAY))
			atomic_inc(&s->unseen);
		cond_resched();
	}
	return 0;
}

static inline int ft_stress_resizes(void *data)
{
	struct ft_stress *s = data;

	while (!kthread_should_stop()) {
		if (!ft_table_resize(s->table, 64u << get_random_u32() % 7))
			atomic_inc(&s->resizes);
		cond_resched();
	}
	return 0;
}

static inline int ft_stress_end_one(struct ft_flow *flow, u32 index, void *arg)
{
	local_bh_disable();
	ft_stress_end(arg, flow, index, READ_ONCE(flow->gen));
	local_bh_enable();
	return 0;
}

/**
 * ft_stress() - run it
 * @s: zeroed, with a new table of its own
 * @packets: threads that play packets
 * @ms: for how long
 *
 * Context: may sleep.
 * Return: 0, or why a thread could not be started. The caller looks at
 * what is counted in @s.
 */
static inline int ft_stress(struct ft_stress *s, unsigned int packets,
			    unsigned int ms)
{
	struct task_struct *thread[FT_STRESS_THREADS + 2];
	struct ft_candidate slot;
	struct ft_cursor cursor = {};
	unsigned int n = 0;
	int err = 0;
	u32 i;

	for (i = 0; i < FT_STRESS_STAY; i++) {
		rcu_read_lock();
		local_bh_disable();
		ft_stress_enter(s, i, 3600 * HZ);
		local_bh_enable();
		rcu_read_unlock();
	}
	packets = min(packets, FT_STRESS_THREADS);
	for (; n < packets + 2; n++) {
		thread[n] = kthread_run(n == 0 ? ft_stress_resizes :
					n == 1 ? ft_stress_scans :
					ft_stress_packets, s, "ft_stress/%u", n);
		if (IS_ERR(thread[n])) {
			err = PTR_ERR(thread[n]);
			break;
		}
	}
	msleep(ms);
	while (n)
		kthread_stop(thread[--n]);

	rcu_read_lock();
	ft_table_walk(s->table, &cursor, U32_MAX, ft_stress_end_one, s);
	for (i = 0; i < ft_table_buckets(s->table); i++)
		atomic_add(ft_table_sample(s->table, i, FLOWTRACK_CLASS_ASSURED,
					   &slot, 1), &s->left);
	rcu_read_unlock();
	return err;
}

#endif /* _FT_STRESS_H */
