// SPDX-License-Identifier: GPL-2.0
#include <linux/bitfield.h>
#include <linux/bottom_half.h>
#include <linux/nf_flowtrack.h>
#include <linux/rcupdate.h>
#include <linux/string.h>

#include "base/settings.h"
#include "base/stats.h"
#include "flow/shadow.h"
#include "flow/tuple.h"
#include "guard/guard.h"
#include "guard/source.h"
#include "net.h"
#include "policy/source.h"
#include "policy/top.h"

/**
 * ft_guard_source() - the source that opened a guarded flow
 * @source: filled, the whole address
 * @key: the flow
 *
 * Context: any; pure.
 */
void ft_guard_source(struct ft_source *source, const struct ft_shadow_key *key)
{
	memset(source, 0, sizeof(*source));
	if (key->bits & FT_SHADOW_V6) {
		source->family = NFPROTO_IPV6;
		memcpy(source->addr, &key->addr[0], sizeof(source->addr));
	} else {
		source->family = NFPROTO_IPV4;
		source->addr[0] = key->addr[0].ip;
	}
}

/**
 * ft_guard_charge() - count a guarded flow with its source, if that may have it
 * @tn: namespace
 * @key: the flow
 * @exempt: the limits do not hold for it; it is counted even so
 * @bits: set to how it is counted, in the place of FT_SHADOW_SOURCE, for
 *	ft_guard_release()
 *
 * Context: any but hard interrupts; RCU read side.
 * Return: the verdict.
 */
enum ft_source_verdict ft_guard_charge(struct ft_net *tn, const struct ft_shadow_key *key,
				       bool exempt, u32 *bits)
{
	enum ft_source_verdict verdict;
	struct ft_key flow;
	u32 word;

	*bits = 0;
	if (likely(!rcu_access_pointer(tn->sources.table)))
		return FT_SOURCE_OK;
	word = ft_shadow_flow_key(key, &flow);
	local_bh_disable();
	verdict = ft_source_charge(tn, &flow, &word, exempt);
	local_bh_enable();
	if (verdict == FT_SOURCE_MAX || verdict == FT_SOURCE_RATE)
		ft_source_refused(tn, &flow, word, verdict);
	*bits = FIELD_PREP(FT_SHADOW_SOURCE, FIELD_GET(FT_FLOW_SOURCE, word));
	return verdict;
}

/**
 * ft_guard_release() - give back what a guarded flow counts with its source
 * @tn: namespace
 * @key: the flow
 * @bits: of its shadow; what ft_guard_charge() has set is read
 *
 * Context: any but hard interrupts.
 */
void ft_guard_release(struct ft_net *tn, const struct ft_shadow_key *key, u32 bits)
{
	struct ft_key flow;
	u32 word;

	if (likely(!(bits & FT_SHADOW_SOURCE)))
		return;
	word = ft_shadow_flow_key(key, &flow) |
	       FIELD_PREP(FT_FLOW_SOURCE, FIELD_GET(FT_SHADOW_SOURCE, bits));
	rcu_read_lock();
	local_bh_disable();
	ft_source_release(tn, &flow, word);
	local_bh_enable();
	rcu_read_unlock();
}

/**
 * ft_guard_refuse_source() - a newcomer that its source may not have
 * @tn: namespace
 *
 * Context: any.
 * Return: what the setting src_policy says becomes of it: PASS or DROP.
 */
enum ft_guard_answer ft_guard_refuse_source(struct ft_net *tn)
{
	if (ft_setting(&tn->set, SRC_POLICY) != FLOWTRACK_POLICY_PASS)
		return FT_GUARD_DROP;
	ft_stat_inc(tn, SRC_PASS);
	return FT_GUARD_PASS;
}

/**
 * ft_guard_born() - a guarded flow began: for the list of sources that open most
 * @tn: namespace
 * @key: the flow
 *
 * Context: any but hard interrupts; RCU read side.
 */
void ft_guard_born(struct ft_net *tn, const struct ft_shadow_key *key)
{
	struct ft_key flow;
	u32 word;

	if (likely(!rcu_access_pointer(tn->top.rings)))
		return;
	word = ft_shadow_flow_key(key, &flow);
	local_bh_disable();
	ft_top_born(tn, &flow, NULL, word);
	local_bh_enable();
}

/* Count a flow that was there before its source's limits were. */
static int recount_shadow(struct ft_shadow *shadow, void *arg)
{
	struct ft_shadow_key key = shadow->key;
	struct ft_net *tn = arg;
	u32 source;

	/* ft_source_apply() waits for it, before another table is counted. */
	rcu_read_lock();
	if (ft_guard_charge(tn, &key, true, &source) != FT_SOURCE_OK)
		ft_stat_inc(tn, NOMEM);
	/* Else a later table of sources would take the shadow for one that it has counted. */
	if (!ft_shadow_set_source(&tn->guard.shadows, &key, source))
		ft_guard_release(tn, &key, source);
	rcu_read_unlock();
	return 0;
}

/**
 * ft_guard_recount() - count the guarded flows that there are by their sources
 * @tn: namespace, with a new table of sources
 *
 * Context: may sleep.
 */
void ft_guard_recount(struct ft_net *tn)
{
	ft_shadow_for_each(&tn->guard.shadows, false, false, recount_shadow, tn);
}
