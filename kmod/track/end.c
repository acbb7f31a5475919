// SPDX-License-Identifier: GPL-2.0
#include <linux/bottom_half.h>
#include <linux/export.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>

#include "base/notify.h"
#include "base/stats.h"
#include "flow/flow.h"
#include "flow/table.h"
#include "flow/tuple.h"
#include "net.h"
#include "policy/source.h"
#include "track/end.h"
#include "track/place.h"
#include "track/trace.h"

static void count_end(struct ft_net *tn, u32 word, enum flowtrack_reason reason)
{
	switch (reason) {
	case FLOWTRACK_REASON_TIMEOUT:
		ft_stat_inc(tn, EXPIRE);
		break;
	case FLOWTRACK_REASON_CLOSED:
		ft_stat_inc(tn, CLOSE);
		break;
	case FLOWTRACK_REASON_EVICTED:
		this_cpu_inc(tn->stats->v[FLOWTRACK_A_STATS_EVICT_CLOSING +
					  ft_word_class(word)]);
		break;
	case FLOWTRACK_REASON_DELETED:
	case FLOWTRACK_REASON_FLUSHED:
		ft_stat_inc(tn, DELETE);
		break;
	}
}

static void tell_of_end(struct ft_net *tn, const struct ft_flow *flow,
			u32 index, enum flowtrack_reason reason)
{
	struct ft_flow6 copy;

	/* Dead, and the caller's alone: no lock, no generation. */
	ft_flow_copy(flow, &copy);
	if (reason == FLOWTRACK_REASON_EVICTED)
		trace_nf_flowtrack_evict(tn->net, &copy, index, reason);
	trace_nf_flowtrack_destroy(tn->net, &copy, index, reason);
	if (ft_notify_wanted(tn))
		ft_notify_flow(tn, FLOWTRACK_CMD_FLOW_DESTROY_NTF, &copy, index,
			       reason);
}

static void announce_end(struct ft_net *tn, const struct ft_flow *flow,
			 u32 index, enum flowtrack_reason reason)
{
	if (ft_notify_wanted(tn) || trace_nf_flowtrack_destroy_enabled() ||
	    trace_nf_flowtrack_evict_enabled())
		tell_of_end(tn, flow, index, reason);
}

/* The flow is dead, so it is the caller's alone; stale readers look and leave. @key: set */
static void unhash(struct ft_net *tn, const struct ft_flow *flow, u32 index,
		   struct ft_key *key)
{
	ft_flow_key(flow, key);
	ft_table_remove(tn->table, index, ft_key_hash(key, ft_table_secret(tn->table)));
}

static void free_flow(struct ft_net *tn, struct ft_flow *flow, u32 index,
		      const struct ft_key *key)
{
	ft_source_release(tn, key, atomic_read(&flow->word));
	ft_table_free(tn->table, flow, index);
}

static void take_out(struct ft_net *tn, struct ft_flow *flow, u32 index,
		     enum flowtrack_reason reason)
{
	struct ft_key key;

	unhash(tn, flow, index, &key);
	count_end(tn, atomic_read(&flow->word), reason);
	announce_end(tn, flow, index, reason);
	free_flow(tn, flow, index, &key);
}

/**
 * ft_flow_end() - end a flow, whatever comes
 * @tn: namespace
 * @flow: the flow
 * @index: its index
 * @gen: its generation, as seen when it was decided that it ends
 * @reason: why
 *
 * Context: BH disabled, RCU read side. Any number of CPUs may try.
 * Return: true for the one caller that ended it.
 */
bool ft_flow_end(struct ft_net *tn, struct ft_flow *flow, u32 index, u32 gen,
		 enum flowtrack_reason reason)
{
	if (!ft_flow_kill(flow, gen))
		return false;
	take_out(tn, flow, index, reason);
	ft_place_give(tn);
	return true;
}
EXPORT_SYMBOL_NS_GPL(ft_flow_end, FT_SYMBOL_NS);

/**
 * ft_flow_leave() - take a flow out that goes on in nf_conntrack
 * @tn: namespace
 * @flow: the flow
 * @index: its index
 * @gen: its generation, as seen when it was entered there
 *
 * Nobody is told, and no end is counted: the connection lives.
 *
 * Context: BH disabled, RCU read side. Any number of CPUs may try.
 * Return: true for the one caller that took it out; false: it has ended.
 */
bool ft_flow_leave(struct ft_net *tn, struct ft_flow *flow, u32 index, u32 gen)
{
	struct ft_key key;

	if (!ft_flow_kill(flow, gen))
		return false;
	unhash(tn, flow, index, &key);
	free_flow(tn, flow, index, &key);
	ft_place_give(tn);
	return true;
}

/**
 * ft_flow_expire() - end a flow that no packet has come for
 * @tn: namespace
 * @flow: the flow
 * @index: its index
 * @gen: its generation, as seen when it was decided that it ends
 * @deadline: its deadline, likewise
 *
 * Context: BH disabled, RCU read side. Any number of CPUs may try.
 * Return: true for the one caller that ended it; false, too, if a packet moved
 * the deadline.
 */
bool ft_flow_expire(struct ft_net *tn, struct ft_flow *flow, u32 index, u32 gen,
		    u32 deadline)
{
	if (!ft_flow_kill_idle(flow, gen, deadline))
		return false;
	take_out(tn, flow, index, FLOWTRACK_REASON_TIMEOUT);
	ft_place_give(tn);
	return true;
}

/**
 * ft_flow_evict() - end a flow whose place a newcomer takes
 * @tn: namespace
 * @flow: the flow
 * @index: its index
 * @gen: its generation, as seen when it was chosen
 * @deadline: its deadline, likewise
 *
 * Context: BH disabled, RCU read side. Any number of CPUs may try.
 * Return: true for the one caller that ended it; the place is that caller's.
 * False, too, if a packet moved the deadline: it is not what was chosen.
 */
bool ft_flow_evict(struct ft_net *tn, struct ft_flow *flow, u32 index, u32 gen,
		   u32 deadline)
{
	if (!ft_flow_kill_idle(flow, gen, deadline))
		return false;
	take_out(tn, flow, index, FLOWTRACK_REASON_EVICTED);
	return true;
}

/**
 * struct flush - argument of flush_one()
 * @tn: namespace
 * @reason: why all flows end
 * @ended: how many did
 */
struct flush {
	struct ft_net *tn;
	enum flowtrack_reason reason;
	u32 ended;
};

static int flush_one(struct ft_flow *flow, u32 index, void *arg)
{
	struct flush *flush = arg;

	local_bh_disable();
	flush->ended += ft_flow_end(flush->tn, flow, index,
				    READ_ONCE(flow->gen), flush->reason);
	local_bh_enable();
	return 0;
}

/**
 * ft_flow_end_all() - end every flow of a namespace
 * @tn: namespace
 * @reason: why
 *
 * A flow that is entered while this runs may stay.
 *
 * Context: may sleep.
 * Return: how many ended.
 */
u32 ft_flow_end_all(struct ft_net *tn, enum flowtrack_reason reason)
{
	struct flush flush = { .tn = tn, .reason = reason };

	ft_table_for_each(tn->table, false, flush_one, &flush);
	return flush.ended;
}
