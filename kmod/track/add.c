// SPDX-License-Identifier: GPL-2.0
#include <linux/bottom_half.h>
#include <linux/export.h>
#include <linux/rcupdate.h>
#include <linux/spinlock.h>

#include "flow/flow.h"
#include "track/add.h"
#include "track/admit.h"
#include "track/nat_source.h"
#include "track/unique.h"

/* Context: BH disabled, RCU read side. */
static enum ft_admission add_plain(struct ft_net *tn, struct ft_birth *birth)
{
	const bool orig_hi = birth->word & FT_FLOW_ORIG_HI;
	enum ft_admission admission = FT_ADMIT_CLASH;
	spinlock_t *lock; /* of the tuple, see unique.h */

	lock = ft_unique_lock(&birth->key);
	if (ft_unique_addable(tn, &birth->key, orig_hi, &birth->key, !orig_hi))
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

/**
 * ft_flow_add() - enter a flow that no packet opened
 * @tn: namespace
 * @birth: the flow; its zone is that of both directions
 *
 * At a full table it fares like the flow of a packet.
 *
 * Context: any, but hard interrupts; takes the locks of the tuples.
 * Return: what came of it. FT_ADMIT_CLASH: one of the two tables has such a flow.
 */
enum ft_admission ft_flow_add(struct ft_net *tn, struct ft_birth *birth)
{
	enum ft_admission admission;

	rcu_read_lock();
	local_bh_disable();
	admission = birth->word & FT_FLOW_NAT ? add_translated(tn, birth) :
						add_plain(tn, birth);
	local_bh_enable();
	rcu_read_unlock();
	return admission;
}
EXPORT_SYMBOL_NS_GPL(ft_flow_add, FT_SYMBOL_NS);
