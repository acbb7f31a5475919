// SPDX-License-Identifier: GPL-2.0
#include <linux/bottom_half.h>
#include <linux/errno.h>
#include <linux/export.h>
#include <linux/rcupdate.h>
#include <linux/spinlock.h>

#include "flow/flow.h"
#include "net.h"
#include "track/add.h"
#include "track/admit.h"
#include "track/nat.h"
#include "track/nat_source.h"
#include "track/unique.h"

/* Context: BH disabled, RCU read side. */
static enum ft_admission add_plain(struct ft_net *tn, struct ft_birth *birth)
{
	const bool orig_hi = birth->word & FT_FLOW_ORIG_HI;
	enum ft_admission admission = FT_ADMIT_CLASH;
	spinlock_t *lock; /* of the tuple, see unique.h */

	lock = ft_unique_lock(&birth->key);
	/* In this order: ft_hand_over() moves flows from our table to the other one. */
	if (!ft_nat_taken(tn, birth) &&
	    ft_unique_addable(tn, &birth->key, orig_hi, &birth->key, !orig_hi))
		admission = ft_flow_admit(tn, birth);
	ft_unique_unlock(lock);
	return admission;
}

/* Likewise. */
static enum ft_admission add_translated(struct ft_net *tn, struct ft_birth *birth)
{
	enum ft_admission admission = FT_ADMIT_CLASH;
	struct ft_unique_pair pair;

	if (!ft_unique_try(tn, &birth->key, &birth->answer, birth->second, &pair))
		return FT_ADMIT_CLASH;
	if (ft_unique_addable(tn, &birth->key, birth->word & FT_FLOW_ORIG_HI, &birth->answer,
			      birth->word & FT_FLOW_REPLY_HI))
		admission = ft_flow_admit(tn, birth);
	if (admission == FT_ADMIT_OK)
		ft_nat_source_note(tn, birth);
	ft_unique_release(&pair);
	return admission;
}

static int error_of(enum ft_admission admission)
{
	switch (admission) {
	case FT_ADMIT_OK:
		return 0;
	case FT_ADMIT_CLASH:
		return -EEXIST;
	default:
		return -ENOSPC;
	}
}

/**
 * ft_flow_add() - enter a flow that no packet opened
 * @tn: namespace
 * @birth: the flow; its zone is that of both directions
 *
 * At a full table it fares like the flow of a packet.
 *
 * Context: any, but hard interrupts; takes the locks of the tuples.
 * Return: 0; -EEXIST: one of the two tables has such a flow; -ENOSPC: no room; -EBUSY:
 * translated flows are being handed over to nf_conntrack, and this one would be left behind.
 */
int ft_flow_add(struct ft_net *tn, struct ft_birth *birth)
{
	int err;

	rcu_read_lock();
	local_bh_disable();
	if (!(birth->word & FT_FLOW_NAT))
		err = error_of(add_plain(tn, birth));
	else if (READ_ONCE(tn->handing_over))
		err = -EBUSY;
	else
		err = error_of(add_translated(tn, birth));
	local_bh_enable();
	rcu_read_unlock();
	return err;
}
EXPORT_SYMBOL_NS_GPL(ft_flow_add, FT_SYMBOL_NS);
