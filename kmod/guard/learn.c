// SPDX-License-Identifier: GPL-2.0
#include <linux/bottom_half.h>
#include <linux/cpumask.h>
#include <linux/list_nulls.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/clock.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_conntrack_core.h>

#include "base/settings.h"
#include "flow/shadow.h"
#include "guard/feed.h"
#include "guard/guard.h"
#include "guard/learn.h"
#include "guard/wake.h"
#include "net.h"

/* One entry in so many may be unknown. */
#define UNKNOWN_SHARE	32
/* A walk takes one part in so many of a CPU, and there is a second between two. */
#define LEARN_SHARE	100

/**
 * ft_guard_knows() - do the shadows show what nf_conntrack's table holds?
 * @tn: namespace
 *
 * Those that are not confirmed yet count as well, and have no shadow: some on
 * each CPU are no sign of anything.
 *
 * Context: any.
 * Return: false if many entries have no shadow.
 */
bool ft_guard_knows(const struct ft_net *tn)
{
	s32 entries = nf_conntrack_count(tn->net);
	s32 unknown = entries - ft_shadow_count(&tn->guard.shadows);

	return unknown <= entries / UNKNOWN_SHARE + (s32)num_online_cpus();
}

/*
 * Learn the entries of a bucket. Under its lock, as ctnetlink's dump: an entry in
 * the table has a reference, and a resize takes all locks. Return: 1; 0: there
 * is no such bucket; -EBUSY: the shadows' table is being resized.
 */
static int learn_bucket(struct ft_net *tn, unsigned int bucket)
{
	spinlock_t *lock = &nf_conntrack_locks[bucket % CONNTRACK_LOCKS];
	struct nf_conntrack_tuple_hash *h;
	struct hlist_nulls_node *n;
	struct nf_conn *ct;
	int more = 0;

	rcu_read_lock();
	local_bh_disable();
	nf_conntrack_lock(lock);
	/* nf_conntrack_lock() is declared without a hint for sparse. */
	__acquire(lock);
	if (bucket >= nf_conntrack_htable_size)
		goto out;
	more = 1;
	hlist_nulls_for_each_entry(h, n, &nf_conntrack_hash[bucket], hnnode) {
		if (NF_CT_DIRECTION(h) != IP_CT_DIR_ORIGINAL)
			continue;
		ct = nf_ct_tuplehash_to_ctrack(h);
		if (!net_eq(nf_ct_net(ct), tn->net) || nf_ct_is_expired(ct))
			continue;
		if (ft_guard_remember(tn, ct) == -EBUSY) {
			more = -EBUSY;
			break;
		}
	}
out:
	spin_unlock(lock);
	local_bh_enable();
	rcu_read_unlock();
	return more;
}

static void walk(struct ft_net *tn)
{
	unsigned int bucket = 0;
	int more;

	do {
		more = learn_bucket(tn, bucket);
		if (more > 0)
			bucket++;
		else if (more)
			schedule_timeout_uninterruptible(1);
		cond_resched();
	} while (more && !READ_ONCE(tn->dying) && ft_setting(&tn->set, GUARD));
}

/* Has an entry been missed, or do so many have no shadow that some must have been? */
static bool must_walk(const struct ft_net *tn)
{
	return READ_ONCE(tn->guard.missed) || (ft_guard_fills(tn) && !ft_guard_knows(tn));
}

/**
 * ft_guard_learn() - learn what nf_conntrack has, if that is not known
 * @tn: namespace whose shadows are kept
 *
 * What is known is there for newcomers at once: not the whole table has to have
 * been walked.
 *
 * Context: the work of watch.c; may sleep.
 */
void ft_guard_learn(struct ft_net *tn)
{
	struct ft_guard *guard = &tn->guard;
	u64 begin = local_clock();
	u64 took;

	if (!ft_setting(&tn->set, GUARD) || !READ_ONCE(tn->hooked))
		return;
	if (guard->learned && (begin < guard->learn_after || !must_walk(tn)))
		return;
	/* Before the walk, which may miss one again. */
	WRITE_ONCE(guard->missed, false);
	walk(tn);
	WRITE_ONCE(guard->learned, true);
	took = local_clock() - begin;
	guard->learn_after = begin + max_t(u64, took * LEARN_SHARE, NSEC_PER_SEC);
}
