// SPDX-License-Identifier: GPL-2.0
#include <linux/bits.h>
#include <linux/in.h>
#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_sctp.h>
#include <linux/netfilter/nf_conntrack_tcp.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_conntrack_zones.h>

#include "base/settings.h"
#include "base/stats.h"
#include "flow/flow.h"
#include "flow/shadow.h"
#include "guard/entry.h"
#include "guard/feed.h"
#include "guard/guard.h"
#include "guard/idle.h"
#include "guard/source.h"
#include "guard/wake.h"
#include "net.h"
#include "policy/loan.h"
#include "policy/source.h"

/*
 * The note: what the shadow was told last, kept in the entry itself. While it holds,
 * packets need not look for the shadow. It is FT_SHADOW_SEEN of the shadow's word, and
 * note_of(). 0: the shadow was told nothing yet.
 *
 * nf_conntrack's status is a long whose upper half has no bits: netlink and rules
 * know 32 of them.
 */
#define NOTE_SHIFT	32
#define NOTE_STATES	10
#define NOTE_ANSWERS	3

static_assert(BITS_PER_LONG == 64);
static_assert(__IPS_MAX_BIT <= NOTE_SHIFT);
static_assert(!((NOTE_STATES * NOTE_ANSWERS - 1) & FT_SHADOW_SEEN));
static_assert(TCP_CONNTRACK_MAX <= NOTE_STATES);
static_assert(SCTP_CONNTRACK_MAX <= NOTE_STATES);

/*
 * All of an entry that ft_guard_bits() depends on, as a number: cheaper to find out, for each
 * packet, than those bits.
 */
static u32 note_of(const struct nf_conn *ct, unsigned long status)
{
	u32 answers = 0;
	u8 state = 0;

	if (status & IPS_ASSURED)
		answers = 2;
	else if (status & IPS_SEEN_REPLY)
		answers = 1;
	if (nf_ct_protonum(ct) == IPPROTO_TCP)
		state = READ_ONCE(ct->proto.tcp.state);
	else if (nf_ct_protonum(ct) == IPPROTO_SCTP)
		state = READ_ONCE(ct->proto.sctp.state);
	return min_t(u8, state, NOTE_STATES - 1) * NOTE_ANSWERS + answers;
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
	unsigned long status = READ_ONCE(ct->status);
	u32 noted = (u64)status >> NOTE_SHIFT;

	return noted && (noted & ~FT_SHADOW_SEEN) == note_of(ct, status) &&
	       ft_now() - (noted & FT_SHADOW_SEEN) < FT_SHADOW_STEP;
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
	if (ft_guard_fills(tn))
		return false;
	/* A flow that is entered by ctnetlink passes no hook. */
	ft_guard_kick(tn);
	return true;
}

/*
 * A flow that is about to be entered has no shadow, but for one that an earlier flow of the
 * same ends has left: ft_shadow_add() finds that, too. Only where sources are limited must
 * it be found before the flow is counted.
 */
static bool may_have_shadow(const struct ft_net *tn, const struct nf_conn *ct)
{
	return nf_ct_is_confirmed(ct) || rcu_access_pointer(tn->sources.table);
}

/* As ft_guard_feed(), while shadows are kept. */
static noinline_for_stack enum ft_guard_answer
feed_shadow(struct ft_net *tn, struct nf_conn *ct, bool exempt)
{
	enum ft_source_verdict verdict;
	struct ft_shadow_key key;
	struct ft_shadow *shadow;
	const u32 now = ft_now();
	u32 said, bits, source;
	int err;

	if (!ft_setting(&tn->set, GUARD))
		return FT_GUARD_GO;
	ft_guard_wake(tn);
	/* First: what changes after that is told by the next packet. */
	said = note_of(ct, READ_ONCE(ct->status));
	bits = ft_guard_bits(ct);
	ft_shadow_key_set(&key, &ct->tuplehash[IP_CT_DIR_ORIGINAL].tuple,
			  nf_ct_zone(ct));
	shadow = may_have_shadow(tn, ct) ? ft_shadow_find(&tn->guard.shadows, &key) : NULL;
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
	verdict = ft_guard_charge(tn, &key, exempt, &source);
	if (verdict == FT_SOURCE_MAX || verdict == FT_SOURCE_RATE)
		return ft_guard_refuse_source(tn);
	err = ft_shadow_add(&tn->guard.shadows, &key, bits | source,
			    ft_guard_deadline(ct), now);
	if (err)
		ft_guard_release(tn, &key, source);
	else if (!nf_ct_is_confirmed(ct))
		ft_guard_born(tn, &key);
	if (!err || err == -EEXIST)
		note_fed(ct, said, now);
	if (verdict == FT_SOURCE_NOMEM || (err && err != -EEXIST))
		ft_stat_inc(tn, NOMEM);
	/* Its next packet may never come. */
	if (err && err != -EEXIST)
		WRITE_ONCE(tn->guard.missed, true);
	ft_guard_kick(tn);
	return FT_GUARD_GO;
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
	/* All that comes while there is room is learned when there is not. */
	if ((ft_guard_calm(&tn->guard) || ft_guard_stays_calm(tn)) && rests(tn, ct))
		return FT_GUARD_GO;
	return feed_shadow(tn, ct, exempt);
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
	ft_guard_charge(tn, &key, true, &source);
	err = ft_shadow_add(&tn->guard.shadows, &key, ft_guard_bits(ct) | source,
			    ft_guard_deadline(ct),
			    ft_now() - (idle == FT_GUARD_IDLE_UNKNOWN ? 0 : idle));
	if (err)
		ft_guard_release(tn, &key, source);
	if (err == -EEXIST)
		return 0;
	if (err && err != -EBUSY) {
		ft_stat_inc(tn, NOMEM);
		WRITE_ONCE(tn->guard.missed, true);
	}
	return err;
}
