// SPDX-License-Identifier: GPL-2.0
/*
 * A packet is dropped, by a rule or by whatever had it in a queue. What rules wrote
 * to its conntrack is stored into the flow at once, as with nf_conntrack: the flow's
 * next packet sees it, whichever CPU that comes to.
 */
#include <linux/bottom_half.h>
#include <linux/hardirq.h>
#include <linux/skbuff.h>
#include <linux/tracepoint.h>
#include <net/netfilter/nf_conntrack.h>
#include <trace/events/skb.h>

#include "base/notify.h"
#include "track/carrier.h"
#include "track/dropped.h"
#include "track/pool.h"

/*
 * A probe runs with preemption disabled. On PREEMPT_RT that is enough for locks of flows,
 * and more than local_bh_disable() and notifications bear, which may sleep there: if
 * somebody listens, it is pool_sweep() that stores the mark, and tells of it.
 */
static void bh_disable(void)
{
	if (!IS_ENABLED(CONFIG_PREEMPT_RT))
		local_bh_disable();
}

static void bh_enable(void)
{
	if (!IS_ENABLED(CONFIG_PREEMPT_RT))
		local_bh_enable();
}

static bool may_tell(const struct ft_net *tn)
{
	return !IS_ENABLED(CONFIG_PREEMPT_RT) || !ft_notify_wanted(tn);
}

/* Probe of the tracepoint kfree_skb, as drop_monitor has one. */
static void FT_KFREE_SKB_PROBE(packet_dropped)
{
	struct nf_conntrack *nfct = skb_nfct(skb);
	struct ft_carrier *carrier;
	struct ft_net *tn;

	if (likely(!nfct))
		return;
	carrier = ft_carrier_of(container_of(nfct, struct nf_conn, ct_general));
	if (!carrier || !ft_carrier_written(carrier))
		return;
	/*
	 * Locks of flows must not be taken in an interrupt: pool_sweep() will store
	 * the mark.
	 */
	if (in_hardirq() || irqs_disabled())
		return;
	rcu_read_lock();
	bh_disable();
	/*
	 * The namespace may be gone. If it is not, it waits until this is done.
	 */
	tn = ft_pool_net(carrier);
	if (tn && may_tell(tn))
		ft_carrier_settle(tn, carrier);
	bh_enable();
	rcu_read_unlock();
}

/**
 * ft_dropped_init() - begin to look at dropped packets
 *
 * Context: may sleep.
 * Return: 0 or the error of registering a probe.
 */
int ft_dropped_init(void)
{
	/* Without tracepoints the sweep of the pool does what it can. */
	if (!IS_ENABLED(CONFIG_TRACEPOINTS))
		return 0;
	return register_trace_kfree_skb(packet_dropped, NULL);
}

/**
 * ft_dropped_exit() - stop looking at dropped packets
 *
 * Context: may sleep.
 */
void ft_dropped_exit(void)
{
	unregister_trace_kfree_skb(packet_dropped, NULL);
	tracepoint_synchronize_unregister();
}
