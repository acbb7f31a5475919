// SPDX-License-Identifier: GPL-2.0
/*
 * Each namespace has a pool of carriers on each CPU, which belongs to that CPU
 * under ft_own_lock(). A packet that lets go of a carrier tells nobody, so the
 * pool looks:
 *
 *	hot	the one that was taken last. Mostly its packet is through by the
 *		time that the next one comes, so one carrier, which is in the
 *		cache, serves all
 *	spare	found free; last in, first out
 *	away	a packet had it when it was last looked at; first in, first out
 *	held	has been away for long: in a queue of NFQUEUE, in a qdisc, with a
 *		multicast router that waits for its route. Looked at last
 *
 * One that is not to be had in a few looks is made. So packets that are held,
 * however many and for however long, cost the others nothing, and those of other
 * namespaces do not even meet them. Beyond POOL_MAX the one that is away for
 * longest leaves the pool: it is freed with its packet. What is spare for a while
 * is freed, too.
 *
 * What a rule writes to a carrier (ct mark) is stored into the flow by
 * ft_confirm(); if the packet does not get there, when the kernel drops it, see
 * track/dropped.c, and if it was neither, before the carrier is taken again, and
 * by pool_sweep().
 */
#include <linux/cpu.h>
#include <linux/cpumask.h>
#include <linux/jiffies.h>
#include <linux/list.h>
#include <linux/local_lock.h>
#include <linux/percpu.h>
#include <linux/timer.h>
#include <linux/xarray.h>

#include "base/stats.h"
#include "flow/flow.h"
#include "net.h"
#include "track/carrier.h"
#include "track/pool.h"

/* Carriers of a pool, in flight or not; NFQUEUE holds 1024 unless told otherwise. */
#define POOL_MAX	4096
/* Carriers that are away looked at before one is made. */
#define POOL_LOOKS	4
/* A carrier that was found busy so often is held. */
#define POOL_PATIENCE	4
/* Carriers that one sweep looks at in each list, and frees. */
#define SWEEP_MAX	64
/* Jiffies between two sweeps, while there is something to do and while not. */
#define SWEEP_SOON	max(HZ / 50, 1)
#define SWEEP_LATE	HZ

/**
 * struct ft_pool - carriers of one namespace and one CPU
 * @hot: the one that was taken last; NULL: none
 * @swept: @timer is not running: nobody will look at @hot
 * @spare: free ones, the last one that came first
 * @away: those that a packet has, the next one to look at first
 * @held: those that a packet has for long, likewise
 * @count: how many there are in all
 * @spares: length of @spare
 * @idle: how many of them were not needed since the last sweep
 * @pause: jiffies until the next sweep
 * @cpu: whose it is
 * @tn: namespace
 * @timer: runs pool_sweep()
 *
 * Touched by its CPU under ft_own_lock(); while that is offline, by @timer alone.
 */
struct ft_pool {
	struct ft_carrier *hot;
	bool swept;
	struct list_head spare;
	struct list_head away;
	struct list_head held;
	unsigned int count;
	unsigned int spares;
	unsigned int idle;
	unsigned int pause;
	unsigned int cpu;
	struct ft_net *tn;
	struct timer_list timer;
};

/*
 * Empty but for PREEMPT_RT and lockdep, which alloc_percpu() can't be asked for: the 8 KiB
 * that modules share for static per-CPU data lose nothing elsewhere.
 */
DEFINE_PER_CPU(struct ft_own, ft_own) = {
	.lock = INIT_LOCAL_LOCK(lock),
};

/* Namespaces by the number that their carriers have, until they go. */
static DEFINE_XARRAY_ALLOC1(homes);
static u32 next_home;

/* The carrier was found busy again: look at the others first. */
static void carrier_busy(struct ft_pool *pool, struct ft_carrier *carrier)
{
	if (carrier->busy < POOL_PATIENCE)
		carrier->busy++;
	list_move_tail(&carrier->node, carrier->busy < POOL_PATIENCE ?
		       &pool->away : &pool->held);
}

/* A carrier that was away or held is free: store what its packet wrote. */
static void carrier_back(struct ft_pool *pool, struct ft_carrier *carrier)
{
	if (ft_carrier_written(carrier))
		ft_carrier_settle(pool->tn, carrier);
	list_move(&carrier->node, &pool->spare);
	pool->spares++;
}

/* Look at some of a list, at each once. Return: how many were free. */
static unsigned int pool_look_at(struct ft_pool *pool, struct list_head *list,
				 unsigned int looks, unsigned int wanted)
{
	struct list_head *last = list->prev, *node;
	struct ft_carrier *carrier;
	unsigned int found = 0;

	if (list_empty(list))
		return 0;
	do {
		node = list->next;
		carrier = list_entry(node, struct ft_carrier, node);
		if (ft_carrier_is_free(carrier)) {
			carrier_back(pool, carrier);
			found++;
		} else {
			carrier_busy(pool, carrier);
		}
	} while (node != last && --looks && found < wanted);
	return found;
}

static void pool_leave(struct ft_pool *pool, struct ft_carrier *carrier)
{
	list_del(&carrier->node);
	pool->count--;
	ft_carrier_leave(carrier);
}

/* The hot one is in flight: find another, or make one. */
static noinline_for_stack struct ft_carrier *pool_next(struct ft_pool *pool)
{
	struct ft_carrier *carrier = pool->hot;
	struct list_head *oldest;

	if (!pool->spares && !pool_look_at(pool, &pool->away, POOL_LOOKS, 1))
		pool_look_at(pool, &pool->held, POOL_LOOKS, 1);
	if (carrier) {
		carrier->busy = 0;
		list_add_tail(&carrier->node, &pool->away);
		pool->hot = NULL;
	}
	if (pool->spares) {
		carrier = list_first_entry(&pool->spare, struct ft_carrier, node);
		list_del(&carrier->node);
		pool->spares--;
		pool->idle = min(pool->idle, pool->spares);
		pool->hot = carrier;
		return carrier;
	}

	carrier = ft_carrier_create(pool->tn);
	if (!carrier)
		return NULL;
	if (pool->count >= POOL_MAX) {
		oldest = list_empty(&pool->held) ? &pool->away : &pool->held;
		pool_leave(pool, list_first_entry(oldest, struct ft_carrier, node));
	}
	pool->count++;
	pool->hot = carrier;
	ft_stat_inc(pool->tn, CARRIER_GROWN);
	return carrier;
}

/* Free half of the carriers that were spare all the time. */
static void pool_shrink(struct ft_pool *pool)
{
	unsigned int n = min((pool->idle + 1) / 2, SWEEP_MAX);
	struct ft_carrier *carrier;

	while (n--) {
		carrier = list_last_entry(&pool->spare, struct ft_carrier, node);
		list_del(&carrier->node);
		pool->spares--;
		pool->count--;
		ft_carrier_release(carrier);
	}
	pool->idle = pool->spares;
}

/*
 * A CPU went offline, and its timers came here. As long as it cannot come back, its pool is
 * nobody's. Return: true with cpus_read_lock() held, or false: the timer is set again.
 */
static bool own_instead(struct ft_pool *pool)
{
	if (!cpus_read_trylock()) {
		/* Some CPU comes or goes right now. */
		mod_timer(&pool->timer, jiffies + SWEEP_SOON);
		return false;
	}
	if (!cpu_online(pool->cpu))
		return true;
	pool->timer.expires = jiffies + SWEEP_SOON;
	add_timer_on(&pool->timer, pool->cpu);
	cpus_read_unlock();
	return false;
}

/*
 * Take back carriers that packets have let go of meanwhile. The sweep runs again as long as
 * a packet has a carrier; carriers that are held for long are looked at once a second.
 */
static void pool_sweep(struct timer_list *timer)
{
	struct ft_pool *pool = container_of(timer, struct ft_pool, timer);
	bool elsewhere = pool->cpu != smp_processor_id();
	unsigned int found;

	if (unlikely(elsewhere) && !own_instead(pool))
		return;
	ft_own_lock();
	rcu_read_lock();
	if (pool->hot && ft_carrier_is_free(pool->hot) &&
	    ft_carrier_written(pool->hot))
		ft_carrier_settle(pool->tn, pool->hot);
	found = pool_look_at(pool, &pool->away, SWEEP_MAX, SWEEP_MAX);
	found += pool_look_at(pool, &pool->held, SWEEP_MAX, SWEEP_MAX);
	rcu_read_unlock();
	pool_shrink(pool);

	if (found || pool->spares || !list_empty(&pool->away))
		pool->pause = SWEEP_SOON;
	else
		pool->pause = min(pool->pause * 2, SWEEP_LATE);
	if (pool->spares || !list_empty(&pool->away) || !list_empty(&pool->held))
		mod_timer(&pool->timer, jiffies + pool->pause);
	else
		pool->swept = true;
	ft_own_unlock();
	if (unlikely(elsewhere))
		cpus_read_unlock();
}

static noinline_for_stack void sweep_soon(struct ft_pool *pool)
{
	pool->swept = false;
	pool->pause = SWEEP_SOON;
	mod_timer(&pool->timer, jiffies + SWEEP_SOON);
}

/**
 * ft_carrier_get() - a carrier for one packet
 * @tn: namespace of the packet
 *
 * The caller fills it and attaches it with ft_carrier_attach(), or leaves it.
 * What an earlier packet wrote is in its flow when this returns: read the flow
 * afterwards.
 *
 * Context: ft_own_lock(), from here until it is attached; RCU read side.
 * Return: the carrier, or NULL: no memory.
 */
struct ft_carrier *ft_carrier_get(struct ft_net *tn)
{
	struct ft_pool *pool = this_cpu_ptr(tn->pools);
	struct ft_carrier *carrier = pool->hot;

	if (unlikely(!carrier || !ft_carrier_is_free(carrier))) {
		carrier = pool_next(pool);
		if (!carrier)
			return NULL;
	}
	if (unlikely(ft_carrier_written(carrier)))
		ft_carrier_settle(tn, carrier);
	if (unlikely(pool->swept))
		sweep_soon(pool);
	carrier->index = FT_INDEX_NONE;
	carrier->invalid = false;
	carrier->pending = false;
	carrier->aim = FT_AIM_NONE;
#ifdef CONFIG_NF_CONNTRACK_SECMARK
	WRITE_ONCE(carrier->ct.secmark, 0);
#endif
	return carrier;
}

/**
 * ft_pool_net_init() - prepare a namespace for carriers
 * @tn: namespace
 *
 * Context: may sleep.
 * Return: 0 or an error.
 */
int ft_pool_net_init(struct ft_net *tn)
{
	struct ft_pool *pool;
	unsigned int cpu;
	int err;

	tn->pools = alloc_percpu_gfp(struct ft_pool, GFP_KERNEL_ACCOUNT);
	if (!tn->pools)
		return -ENOMEM;
	for_each_possible_cpu(cpu) {
		pool = per_cpu_ptr(tn->pools, cpu);
		INIT_LIST_HEAD(&pool->spare);
		INIT_LIST_HEAD(&pool->away);
		INIT_LIST_HEAD(&pool->held);
		pool->swept = true;
		pool->cpu = cpu;
		pool->tn = tn;
		timer_setup(&pool->timer, pool_sweep, TIMER_PINNED);
	}
	err = xa_alloc_cyclic(&homes, &tn->home, tn, xa_limit_32b, &next_home,
			      GFP_KERNEL_ACCOUNT);
	if (err < 0) {
		free_percpu(tn->pools);
		return err;
	}
	return 0;
}

/**
 * ft_pool_net_stop() - a namespace goes: let no carrier lead to it
 * @tn: namespace, a grace period before ft_pool_net_exit()
 *
 * Context: may sleep.
 */
void ft_pool_net_stop(struct ft_net *tn)
{
	xa_erase(&homes, tn->home);
}

static void release_all(struct list_head *list)
{
	struct ft_carrier *carrier, *next;

	list_for_each_entry_safe(carrier, next, list, node)
		ft_carrier_release(carrier);
}

/**
 * ft_pool_net_exit() - let go of all carriers of a namespace
 * @tn: namespace; none of its hooks is running
 *
 * Packets may still have some of them, for as long as they like.
 *
 * Context: may sleep.
 */
void ft_pool_net_exit(struct ft_net *tn)
{
	struct ft_pool *pool;
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		pool = per_cpu_ptr(tn->pools, cpu);
		timer_shutdown_sync(&pool->timer);
		if (pool->hot)
			ft_carrier_release(pool->hot);
		release_all(&pool->spare);
		release_all(&pool->away);
		release_all(&pool->held);
	}
	free_percpu(tn->pools);
}

/**
 * ft_pool_net() - the namespace that a carrier is of
 * @carrier: a carrier that a packet has
 *
 * Context: RCU read side, for as long as the namespace is used.
 * Return: the namespace, or NULL: it is gone, or going.
 */
struct ft_net *ft_pool_net(const struct ft_carrier *carrier)
{
	return xa_load(&homes, carrier->home);
}
