// SPDX-License-Identifier: GPL-2.0
#include <linux/export.h>
#include <linux/nf_flowtrack.h>
#include <linux/string.h>
#include <linux/workqueue.h>

#include "base/notify.h"
#include "base/settings.h"
#include "base/stats.h"
#include "flow/flow.h"
#include "flow/table.h"
#include "net.h"
#include "policy/loan.h"
#include "policy/source.h"
#include "policy/top.h"
#include "policy/watermark.h"
#include "track/admit.h"
#include "track/evict.h"
#include "track/place.h"
#include "track/trace.h"

/* Fill a flow object that nobody but stale readers can reach. */
static void prepare(struct ft_flow *flow, const struct ft_birth *birth,
		    u32 word)
{
	/* A stale reader may hold the lock for a moment. */
	ft_flow_lock(flow);
	WRITE_ONCE(flow->deadline, ft_now() + birth->timeout);
	WRITE_ONCE(flow->mark, birth->mark);
	flow->packets[0] = birth->packets[0];
	flow->packets[1] = birth->packets[1];
	flow->bytes[0] = birth->bytes[0];
	flow->bytes[1] = birth->bytes[1];
	memcpy(&flow->key, &birth->key, sizeof(flow->key));
	if (birth->key.family == NFPROTO_IPV6)
		memcpy(ft_flow_addr6(flow), birth->key.addr6,
		       sizeof(birth->key.addr6));
	flow->born = birth->born;
	flow->proto = birth->proto;
	if (word & FT_FLOW_NAT)
		ft_nat_set(ft_flow_nat(flow, birth->key.family), &birth->answer, birth->masq);
	/* Dead until ft_table_insert() has it in the table. */
	ft_flow_unlock(flow, word | FT_FLOW_DEAD);
}

static void tell_of_new(struct ft_net *tn, struct ft_flow *flow, u32 index)
{
	struct ft_flow6 copy;

	if (!ft_flow_snapshot(flow, READ_ONCE(flow->gen), &copy))
		return;
	trace_nf_flowtrack_new(tn->net, &copy, index, 0);
	if (ft_notify_wanted(tn) &&
	    ft_notify_flow(tn, FLOWTRACK_CMD_FLOW_NEW_NTF, &copy, index, 0))
		ft_flow_untold(flow, copy.f.gen, FT_FLOW_UNTOLD_NEW);
}

/* Mostly no program listens: then no copy is even cleared. */
static void announce(struct ft_net *tn, struct ft_flow *flow, u32 index)
{
	if (ft_notify_wanted(tn) || trace_nf_flowtrack_new_enabled())
		tell_of_new(tn, flow, index);
}

/* Grow in step with the number of flows, unless a size is pinned. */
static void follow_count(struct ft_net *tn)
{
	unsigned long again = READ_ONCE(tn->resize_again);
	u32 count = atomic_read(&tn->count);

	if (ft_setting(&tn->set, BUCKETS) || READ_ONCE(tn->dying))
		return;
	if (ft_table_wanted(tn->table, count) == ft_table_buckets(tn->table))
		return;
	/* Memory was short a moment ago: do not try again with each new flow. */
	if (likely(!again) || time_after_eq(jiffies, again))
		queue_work(tn->wq, &tn->resize_work);
}

/**
 * ft_flow_admit_soon() - a packet may ask for a place, once it is accepted
 * @tn: namespace
 * @hash: ft_key_hash() of the flow that it would open
 *
 * Where the table is full, a victim is searched for near @hash: that comes in
 * while the ruleset is at work.
 *
 * Context: RCU read side.
 */
void ft_flow_admit_soon(const struct ft_net *tn, u64 hash)
{
	if (likely((u32)atomic_read(&tn->count) < ft_flow_room(&tn->set)))
		return;
	ft_table_prefetch(tn->table, hash + 1);
	ft_table_prefetch(tn->table, hash + 2);
	ft_table_prefetch(tn->table, hash + 3);
}

/* The table has reached its high watermark, and no message about that was sent. */
static void watch_level(struct ft_net *tn)
{
	if (unlikely((u32)atomic_read(&tn->count) >=
		     READ_ONCE(tn->watermark.trip)))
		ft_watermark_trip(tn);
}

/* Enter a flow that its source may have. @word: birth.word, and how the source counts it. */
static enum ft_admission enter(struct ft_net *tn, struct ft_birth *birth,
			       u32 word)
{
	enum ft_admission admission;
	struct ft_flow *flow, *clash;
	u32 index;
	int err;

	if (!ft_place_take(tn, birth->reserved)) {
		/* A retransmission of a first packet whose flow is in already needs no room. */
		if (ft_table_lookup(tn->table, &birth->key, birth->hash, &index)) {
			ft_stat_inc(tn, CLASH);
			return FT_ADMIT_CLASH;
		}
		admission = ft_evict_for(tn, birth);
		if (admission != FT_ADMIT_OK)
			return admission;
	}

	flow = likely(!(word & FT_FLOW_NAT)) ?
	       ft_table_alloc(tn->table, birth->key.family, &index) :
	       ft_table_alloc_nat(tn->table, birth->key.family, &index);
	if (!flow) {
		ft_stat_inc(tn, NOMEM);
		ft_place_give(tn);
		return ft_evict_nomem(tn, birth);
	}
	prepare(flow, birth, word);

	err = likely(!(word & FT_FLOW_NAT)) ?
	      ft_table_insert(tn->table, flow, index, birth->hash, &clash) :
	      ft_table_insert_nat(tn->table, flow, index, birth->hash, birth->second, &clash);
	if (err)
		goto err_insert;

	birth->index = index;
	ft_stat_inc(tn, INSERT);
	ft_top_born(tn, &birth->key, &birth->answer, birth->word);
	announce(tn, flow, index);
	ft_net_scan_soon(tn);
	follow_count(tn);
	watch_level(tn);
	return FT_ADMIT_OK;

err_insert:
	/* The flow was never in reach of a lookup: no event, no statistics. */
	ft_table_free(tn->table, flow, index);
	ft_place_give(tn);
	if (err == -EEXIST) {
		ft_stat_inc(tn, CLASH);
		return FT_ADMIT_CLASH;
	}
	if (err == -ENOSPC)
		ft_stat_inc(tn, CHAIN_TOOLONG);
	else
		ft_stat_inc(tn, NOMEM);
	return ft_evict_nomem(tn, birth);
}

/* A newcomer that its source may not have. */
static enum ft_admission refuse_source(struct ft_net *tn,
				       const struct ft_birth *birth,
				       enum ft_source_verdict verdict)
{
	u32 index;

	/* A retransmission of a first packet whose flow is in already opens no second flow. */
	if (ft_table_lookup(tn->table, &birth->key, birth->hash, &index)) {
		ft_stat_inc(tn, CLASH);
		return FT_ADMIT_CLASH;
	}
	if (verdict == FT_SOURCE_NOMEM) {
		ft_stat_inc(tn, NOMEM);
		return ft_evict_nomem(tn, birth);
	}
	ft_source_refused(tn, &birth->key, birth->word, verdict);
	if (ft_setting(&tn->set, SRC_POLICY) != FLOWTRACK_POLICY_PASS)
		return FT_ADMIT_DROP;
	ft_stat_inc(tn, SRC_PASS);
	return FT_ADMIT_PASS;
}

/**
 * ft_flow_admit() - enter a flow into the table
 * @tn: namespace
 * @birth: what it is to be; of one that is entered, the index is set
 *
 * The limits of its source come first, and cost nothing if it is over them. At
 * the limit of the table, and when memory is short, the policy decides.
 *
 * Context: BH disabled, RCU read side.
 * Return: see enum ft_admission.
 */
enum ft_admission ft_flow_admit(struct ft_net *tn, struct ft_birth *birth)
{
	bool exempt = birth->exempt || birth->reserved;
	enum ft_source_verdict verdict;
	enum ft_admission admission;
	u32 word = birth->word;

	verdict = ft_source_charge(tn, &birth->key, &word, exempt);
	if (verdict != FT_SOURCE_OK)
		return refuse_source(tn, birth, verdict);
	admission = enter(tn, birth, word);
	if (admission == FT_ADMIT_CLASH)
		ft_source_uncharge(tn, &birth->key, word, exempt);
	else if (admission != FT_ADMIT_OK)
		ft_source_release(tn, &birth->key, word);
	return admission;
}

/**
 * ft_flow_class_changed() - bring a flow's slot up to date
 * @tn: namespace
 * @flow: the flow, whose class changed or whose deadline came nearer
 * @index: its index
 * @hash: its hash
 * @from: its word, as it was
 * @to: and as it is
 *
 * A client that has completed a handshake was no forgery, and pays back the
 * place that it may have taken of an idle flow. An answer alone proves nothing:
 * a UDP service also answers a forged query.
 *
 * Context: BH disabled, RCU read side; the flow's lock is not held.
 */
void ft_flow_class_changed(struct ft_net *tn, struct ft_flow *flow, u32 index,
			   u64 hash, u32 from, u32 to)
{
	if (ft_word_class(from) == FLOWTRACK_CLASS_EMBRYONIC &&
	    ft_word_class(to) == FLOWTRACK_CLASS_ASSURED)
		ft_loan_repay(&tn->loan);
	ft_table_hint(tn->table, index, hash);
}
EXPORT_SYMBOL_NS_GPL(ft_flow_class_changed, FT_SYMBOL_NS);
