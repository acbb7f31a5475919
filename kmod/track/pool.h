/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where carriers come from.
 */
#ifndef _FT_TRACK_POOL_H
#define _FT_TRACK_POOL_H

#include <linux/bottom_half.h>
#include <linux/local_lock.h>
#include <linux/percpu.h>

struct ft_carrier;
struct ft_net;

/**
 * struct ft_own - lock of what the packet path has for each CPU, in all namespaces
 * @lock: protects the CPU's pools of carriers, and its ring of track/ahead.c. Nothing where
 *	code with BH disabled is not interrupted by such code; from 6.18 on PREEMPT_RT may
 *	do that
 */
struct ft_own {
	local_lock_t lock;
};

DECLARE_PER_CPU(struct ft_own, ft_own);

/**
 * ft_own_lock() - begin to use what the CPU has for packets
 *
 * Taken once for a packet, outside of all other locks.
 *
 * Context: BH disabled.
 */
static inline void ft_own_lock(void)
{
	local_lock_nested_bh(&ft_own.lock);
}

static inline void ft_own_unlock(void)
{
	local_unlock_nested_bh(&ft_own.lock);
}

/* The same, and BH disabled meanwhile. */
static inline void ft_own_lock_bh(void)
{
	local_bh_disable();
	ft_own_lock();
}

static inline void ft_own_unlock_bh(void)
{
	ft_own_unlock();
	local_bh_enable();
}

struct ft_carrier *ft_carrier_get(struct ft_net *tn);
struct ft_net *ft_pool_net(const struct ft_carrier *carrier);

int ft_pool_net_init(struct ft_net *tn);
void ft_pool_net_stop(struct ft_net *tn);
void ft_pool_net_exit(struct ft_net *tn);

#endif /* _FT_TRACK_POOL_H */
