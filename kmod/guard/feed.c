// SPDX-License-Identifier: GPL-2.0
#include <linux/bitfield.h>
#include <linux/bits.h>
#include <linux/bottom_half.h>
#include <linux/in.h>
#include <linux/kernel.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/nf_flowtrack.h>
#include <linux/sched.h>
#include <linux/workqueue.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/netfilter/nf_conntrack_zones.h>

#include "base/settings.h"
#include "base/stats.h"
#include "flow/flow.h"
#include "flow/shadow.h"
#include "flow/tuple.h"
#include "guard/feed.h"
#include "guard/guard.h"
#include "guard/idle.h"
#include "net.h"
#include "policy/loan.h"
#include "policy/source.h"
#include "policy/top.h"
#include "proto/conntrack.h"
#include "proto/proto.h"

/* Shadows are compared with reality once a second. */
#define SWEEP_PERIOD	HZ

/*
 * The note: what the shadow was told last, kept in the entry itself. While it holds,
 * packets need not look for the shadow. It is a shadow's word, but for the lower bits
 * of the protocol's state, which has the timeout, in the place of FT_SHADOW_SOURCE. 0:
 * the shadow was told nothing yet.
 *
 * nf_conntrack's status is a long whose upper half has no bits: netlink and rules
 * know 32 of them.
 */
#define NOTE_SHIFT	32
#define NOTE_STATE	FT_SHADOW_SOURCE

static_assert(BITS_PER_LONG == 64);
static_assert(__IPS_MAX_BIT <= NOTE_SHIFT);

/* What a shadow keeps of an entry whose word is @word. */
static u32 bits_of(const struct nf_conn *ct, u32 word)
{
	return ft_word_class(word) |
	       (ft_proto_last_ack_due(nf_ct_protonum(ct), word) ? FT_SHADOW_LAST_DUE : 0);
}

/* What the note says of an entry, but for the time. */
static u32 note_of(const struct nf_conn *ct)
{
	u32 word = ft_proto_conntrack_word(ct);

	return bits_of(ct, word) |
	       FIELD_PREP(NOTE_STATE, ft_word_state(word) & FIELD_MAX(NOTE_STATE));
}

/* Note in an entry what its shadow knows, by its word, with what note_of() said. */
static void note_fed(struct nf_conn *ct, u32 said, u32 word)
{
	unsigned long old = READ_ONCE(ct->status);
	u64 new = said | (word & FT_SHADOW_SEEN);

	/* If nf_conntrack sets a bit meanwhile the next packet notes it. */
	cmpxchg(&ct->status, old, lower_32_bits(old) | new << NOTE_SHIFT);
}

/**
 * ft_guard_fed() - has an earlier packet told the shadow all that this one could?
 * @ct: the packet's entry, confirmed
 *
 * Context: any. Reads what nf_conntrack has read for the packet, and writes nothing.
 * Return: true if less than FT_SHADOW_STEP has passed and the state is the same.
 */
bool ft_guard_fed(const struct nf_conn *ct)
{
	u32 noted = (u64)READ_ONCE(ct->status) >> NOTE_SHIFT;

	return noted && (noted & ~FT_SHADOW_SEEN) == note_of(ct) &&
	       ft_now() - (noted & FT_SHADOW_SEEN) < FT_SHADOW_STEP;
}

/**
 * ft_guard_bits() - what a shadow keeps of an entry
 * @ct: the entry
 *
 * Context: any; the entry is referenced, or the packet's own.
 * Return: FT_SHADOW_* bits.
 */
u32 ft_guard_bits(const struct nf_conn *ct)
{
	return bits_of(ct, ft_proto_conntrack_word(ct));
}

/**
 * ft_guard_deadline() - when an entry ends if no packet comes
 * @ct: the entry
 *
 * An entry that is not confirmed yet has its timeout relative to that.
 *
 * Context: any; the entry is referenced, or the packet's own.
 * Return: jiffies, as ft_now().
 */
u32 ft_guard_deadline(const struct nf_conn *ct)
{
	u32 timeout = READ_ONCE(ct->timeout);

	return nf_ct_is_confirmed(ct) ? timeout : ft_now() + timeout;
}

/**
 * ft_guard_real() - the entry that a shadow is of
 * @tn: namespace
 * @key: the flow
 *
 * An entry that has expired is collected on the way, by nf_conntrack.
 *
 * Context: RCU read side.
 * Return: the entry, referenced; NULL: it is gone.
 */
struct nf_conn *ft_guard_real(const struct ft_net *tn,
			      const struct ft_shadow_key *key)
{
	struct nf_conntrack_tuple_hash *found;
	struct nf_conntrack_tuple tuple;
	struct nf_conntrack_zone zone;
	struct nf_conn *ct;

	ft_shadow_key_tuple(key, &tuple, &zone);
	found = nf_conntrack_find_get(tn->net, &zone, &tuple);
	if (!found)
		return NULL;
	ct = nf_ct_tuplehash_to_ctrack(found);
	if (NF_CT_DIRECTION(found) == IP_CT_DIR_ORIGINAL)
		return ct;
	/* The answers to another flow look like that. */
	nf_ct_put(ct);
	return NULL;
}

/* Give back what a flow counts with its source. */
static void uncount(struct ft_net *tn, const struct ft_shadow_key *key,
		    u32 bits)
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

/*
 * Count a flow with its source, if that may have it. Return: the verdict; @bits
 * set to how it is counted.
 */
static enum ft_source_verdict count(struct ft_net *tn,
				    const struct ft_shadow_key *key,
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
 * ft_guard_drop() - remove the shadow of an entry that was deleted
 * @tn: namespace
 * @key: the flow
 *
 * Context: any but hard interrupts.
 * Return: false if there is none.
 */
bool ft_guard_drop(struct ft_net *tn, const struct ft_shadow_key *key)
{
	u32 word;

	if (!ft_shadow_drop(&tn->guard.shadows, key, &word))
		return false;
	uncount(tn, key, word);
	return true;
}

/**
 * ft_guard_forget() - remove the shadow of an entry that ended by itself
 * @tn: namespace
 * @key: the flow
 *
 * Context: any but hard interrupts.
 * Return: false if there is none.
 */
bool ft_guard_forget(struct ft_net *tn, const struct ft_shadow_key *key)
{
	if (!ft_guard_drop(tn, key))
		return false;
	ft_stat_inc(tn, GUARD_FORGOT);
	return true;
}

/* A flow began: for the list of sources that open most. */
static void born(struct ft_net *tn, const struct ft_shadow_key *key)
{
	struct ft_key flow;
	u32 word;

	if (likely(!rcu_access_pointer(tn->top.rings)))
		return;
	word = ft_shadow_flow_key(key, &flow);
	local_bh_disable();
	ft_top_born(tn, &flow, word);
	local_bh_enable();
}

/**
 * ft_guard_half_full() - will entries have to be evicted before long?
 * @tn: namespace
 *
 * Context: any. Reads a line that others write to for each new flow.
 * Return: false while more than half of nf_conntrack's table is free.
 */
bool ft_guard_half_full(const struct ft_net *tn)
{
	u32 max = READ_ONCE(nf_conntrack_max);

	return max && nf_conntrack_count(tn->net) >= max / 2;
}

/**
 * ft_guard_wake() - keep shadows from now on, and learn what they would be
 * @tn: namespace
 *
 * Context: any.
 */
void ft_guard_wake(struct ft_net *tn)
{
	if (READ_ONCE(tn->guard.calm_max) == FT_GUARD_AWAKE)
		return;
	WRITE_ONCE(tn->guard.calm_max, FT_GUARD_AWAKE);
	if (!READ_ONCE(tn->dying))
		mod_delayed_work(tn->wq, &tn->guard.work, 0);
}

/**
 * ft_guard_kick() - make sure that shadows are compared with reality
 * @tn: namespace that has one
 *
 * Context: any.
 */
void ft_guard_kick(struct ft_net *tn)
{
	if (delayed_work_pending(&tn->guard.work) || READ_ONCE(tn->dying))
		return;
	queue_delayed_work(tn->wq, &tn->guard.work, SWEEP_PERIOD);
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

/*
 * There are never more shadows than nf_conntrack has or may have entries (its limit may
 * have been lowered), but for a share for entries that have ended, see ft_guard_sweep().
 */
static bool too_many(const struct ft_net *tn)
{
	u32 max = READ_ONCE(nf_conntrack_max);
	u32 most = max_t(u32, max, nf_conntrack_count(tn->net));

	return max && ft_shadow_count(&tn->guard.shadows) >=
			      most + most / FT_GUARD_DRIFT_SHARE;
}

/* There is room now. Will there be, with the flow of this packet? */
static bool rests(struct ft_net *tn, const struct nf_conn *ct)
{
	if (nf_ct_is_confirmed(ct))
		return true;
	if (ft_guard_half_full(tn))
		return false;
	/* A flow that is entered by ctnetlink passes no hook. */
	ft_guard_kick(tn);
	return true;
}

/**
 * ft_guard_feed() - a packet whose flow stays in nf_conntrack
 * @tn: namespace
 * @ct: its entry, confirmed or about to be
 * @exempt: the limits for sources do not hold for this packet
 *
 * The caller may leave out a packet of a confirmed entry that ft_guard_fed() is true of.
 *
 * Context: RCU read side.
 * Return: GO; else the flow is new, and its source has too many: PASS, the
 * packet is to go on without the entry; DROP.
 */
enum ft_guard_answer ft_guard_feed(struct ft_net *tn, struct nf_conn *ct, bool exempt)
{
	const u32 said = note_of(ct), bits = said & ~NOTE_STATE;
	enum ft_source_verdict verdict;
	struct ft_shadow_key key;
	struct ft_shadow *shadow;
	const u32 now = ft_now();
	u32 source;
	int err;

	/* All that comes while there is room is learned when there is not. */
	if (ft_guard_calm(&tn->guard) && rests(tn, ct))
		return FT_GUARD_GO;
	if (!ft_setting(&tn->set, GUARD))
		return FT_GUARD_GO;
	ft_guard_wake(tn);
	ft_shadow_key_set(&key, &ct->tuplehash[IP_CT_DIR_ORIGINAL].tuple,
			  nf_ct_zone(ct));
	shadow = ft_shadow_find(&tn->guard.shadows, &key);
	if (shadow) {
		if (ft_shadow_packet(shadow, bits, ft_guard_deadline(ct), now))
			ft_loan_repay(&tn->guard.loan);
		note_fed(ct, said, READ_ONCE(shadow->word));
		return FT_GUARD_GO;
	}
	/* The entry has been deleted while this packet had it. */
	if (nf_ct_is_dying(ct))
		return FT_GUARD_GO;
	if (too_many(tn))
		return FT_GUARD_GO;
	/* A flow that exists already, or that a helper expects, is counted, but not refused. */
	exempt |= nf_ct_is_confirmed(ct) || ct->master;
	verdict = count(tn, &key, exempt, &source);
	if (verdict == FT_SOURCE_MAX || verdict == FT_SOURCE_RATE)
		return ft_guard_refuse_source(tn);
	err = ft_shadow_add(&tn->guard.shadows, &key, bits | source,
			    ft_guard_deadline(ct), now);
	if (err)
		uncount(tn, &key, source);
	else if (!nf_ct_is_confirmed(ct))
		born(tn, &key);
	if (!err)
		note_fed(ct, said, now);
	if (verdict == FT_SOURCE_NOMEM || (err && err != -EEXIST))
		ft_stat_inc(tn, NOMEM);
	ft_guard_kick(tn);
	return FT_GUARD_GO;
}

/**
 * ft_guard_remember() - an entry that no packet of it has made known
 * @tn: namespace
 * @ct: the entry, confirmed; its bucket is locked
 *
 * When its last packet came is told by its timeout; one that does not tell has
 * had a packet just now.
 *
 * Context: RCU read side, softirqs disabled.
 * Return: 0, also if it is known or there are too many; -ENOMEM; -EBUSY or
 * -E2BIG: the shadows' table can't grow as fast.
 */
int ft_guard_remember(struct ft_net *tn, const struct nf_conn *ct)
{
	u32 idle = ft_guard_idle(ct);
	struct ft_shadow_key key;
	u32 source;
	int err;

	ft_shadow_key_set(&key, &ct->tuplehash[IP_CT_DIR_ORIGINAL].tuple,
			  nf_ct_zone(ct));
	if (nf_ct_is_dying(ct) || too_many(tn) ||
	    ft_shadow_find(&tn->guard.shadows, &key))
		return 0;
	count(tn, &key, true, &source);
	err = ft_shadow_add(&tn->guard.shadows, &key, ft_guard_bits(ct) | source,
			    ft_guard_deadline(ct),
			    ft_now() - (idle == FT_GUARD_IDLE_UNKNOWN ? 0 : idle));
	if (err)
		uncount(tn, &key, source);
	if (err == -EEXIST)
		err = 0;
	else if (err && err != -EBUSY)
		ft_stat_inc(tn, NOMEM);
	return err;
}

/* Count a flow that was there before its source's limits were. */
static int recount_shadow(struct ft_shadow *shadow, void *arg)
{
	struct ft_shadow_key key = shadow->key;
	struct ft_net *tn = arg;
	u32 source;

	if (count(tn, &key, true, &source) != FT_SOURCE_OK)
		ft_stat_inc(tn, NOMEM);
	/* Else a later table of sources would take the shadow for one that it has counted. */
	if (!ft_shadow_set_source(&tn->guard.shadows, &key, source))
		uncount(tn, &key, source);
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

/**
 * ft_guard_end() - delete a guarded flow by request
 * @tn: namespace
 * @key: the flow
 * @ct: its entry, referenced
 *
 * Context: any but hard interrupts.
 * Return: false if nf_conntrack has ended it already.
 */
bool ft_guard_end(struct ft_net *tn, const struct ft_shadow_key *key,
		  struct nf_conn *ct)
{
	if (!nf_ct_delete(ct, 0, 0))
		return false;
	ft_guard_drop(tn, key);
	return true;
}
