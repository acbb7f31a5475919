// SPDX-License-Identifier: GPL-2.0
#include <linux/bottom_half.h>
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

	memcpy(&copy, flow, flow->key.family == NFPROTO_IPV6 ?
	       sizeof(struct ft_flow6) : sizeof(struct ft_flow));
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

static bool end_flow(struct ft_net *tn, struct ft_flow *flow, u32 index,
		     u32 gen, enum flowtrack_reason reason, bool keep_place)
{
	struct ft_key key;

	if (!ft_flow_kill(flow, gen))
		return false;

	/* Dead, so it is ours alone; stale readers look and leave. */
	ft_flow_key(flow, &key);
	ft_table_remove(tn->table, index,
			ft_key_hash(&key, ft_table_secret(tn->table)));
	count_end(tn, atomic_read(&flow->word), reason);
	announce_end(tn, flow, index, reason);
	ft_source_release(tn, &key, atomic_read(&flow->word));
	ft_table_free(tn->table, flow, index);
	if (!keep_place)
		ft_place_give(tn);
	return true;
}

/**
 * ft_flow_end() - end a flow: the only way out of the table
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
	return end_flow(tn, flow, index, gen, reason, false);
}

/**
 * ft_flow_evict() - end a flow whose place a newcomer takes
 * @tn: namespace
 * @flow: the flow
 * @index: its index
 * @gen: its generation, as seen when it was chosen
 *
 * Context: BH disabled, RCU read side. Any number of CPUs may try.
 * Return: true for the one caller that ended it; the place is that caller's.
 */
bool ft_flow_evict(struct ft_net *tn, struct ft_flow *flow, u32 index, u32 gen)
{
	return end_flow(tn, flow, index, gen, FLOWTRACK_REASON_EVICTED, true);
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
