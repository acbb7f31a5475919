// SPDX-License-Identifier: GPL-2.0
#include <linux/bottom_half.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/nf_flowtrack.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/netfilter/nf_conntrack_tuple.h>
#include <net/netfilter/nf_conntrack_zones.h>

#include "base/notify.h"
#include "ctnetlink/change.h"
#include "ctnetlink/own.h"
#include "ctnetlink/stand_in.h"
#include "flow/table.h"
#include "flow/tuple.h"
#include "net.h"
#include "proto/conntrack.h"
#include "proto/proto.h"
#include "track/admit.h"
#include "track/end.h"

/**
 * ft_own_snapshot() - copy a flow that may be shown
 * @own: set
 * @flow: the flow
 * @index: its index
 *
 * Context: RCU read side.
 * Return: false if the flow has ended or expired.
 */
bool ft_own_snapshot(struct ft_own *own, struct ft_flow *flow, u32 index)
{
	own->flow = flow;
	own->index = index;
	return ft_flow_snapshot(flow, 0, &own->copy) && ft_flow_left(&own->copy.f, ft_now()) > 0;
}

/* A key of a translated flow names one of its directions. */
static bool is_direction(const struct ft_flow6 *copy, const struct ft_key *key, bool from_hi)
{
	enum ft_dir dir;

	return ft_flow_dir(&copy->f, atomic_read(&copy->f.word), key, from_hi, &dir);
}

/**
 * ft_own_find() - look a flow up
 * @tn: namespace
 * @zone: of the request
 * @tuple: of either direction, as its packets have it
 * @own: set
 *
 * Context: RCU read side.
 * Return: true if there is one.
 */
bool ft_own_find(const struct ft_net *tn, const struct nf_conntrack_zone *zone,
		 const struct nf_conntrack_tuple *tuple, struct ft_own *own)
{
	struct ft_flow *flow;
	struct ft_key key;
	bool from_hi;
	u32 index;

	from_hi = ft_key_from_tuple(&key, tuple, nf_ct_zone_id(zone, tuple->dst.dir));
	flow = ft_table_lookup(tn->table, &key, ft_key_hash(&key, ft_table_secret(tn->table)),
			       &index);
	if (!flow || !ft_own_snapshot(own, flow, index))
		return false;
	/* Another flow may be in its place by now. */
	return ft_copy_matches(&own->copy, &key) && is_direction(&own->copy, &key, from_hi);
}

/**
 * ft_own_zero() - zero a flow's counters for a reader, who is the only one to see them
 * @own: from ft_own_snapshot(); gets what they were, for ft_own_unzero() as well
 *
 * Context: RCU read side.
 */
void ft_own_zero(struct ft_own *own)
{
	struct ft_flow *flow = own->flow, *copy = &own->copy.f;
	unsigned int dir;

	local_bh_disable();
	ft_flow_lock(flow);
	for (dir = 0; flow->gen == copy->gen && dir < IP_CT_DIR_MAX; dir++) {
		copy->packets[dir] = flow->packets[dir];
		copy->bytes[dir] = flow->bytes[dir];
		WRITE_ONCE(flow->packets[dir], 0);
		WRITE_ONCE(flow->bytes[dir], 0);
	}
	ft_flow_unlock(flow, atomic_read(&flow->word));
	local_bh_enable();
}

/**
 * ft_own_unzero() - give a flow back what ft_own_zero() has taken, as nobody saw it
 * @own: of ft_own_zero()
 *
 * Context: RCU read side.
 */
void ft_own_unzero(const struct ft_own *own)
{
	struct ft_flow *flow = own->flow;
	unsigned int dir;

	local_bh_disable();
	ft_flow_lock(flow);
	for (dir = 0; flow->gen == own->copy.f.gen && dir < IP_CT_DIR_MAX; dir++) {
		WRITE_ONCE(flow->packets[dir], flow->packets[dir] + own->copy.f.packets[dir]);
		WRITE_ONCE(flow->bytes[dir], flow->bytes[dir] + own->copy.f.bytes[dir]);
	}
	ft_flow_unlock(flow, atomic_read(&flow->word));
	local_bh_enable();
}

/**
 * struct change - what a request changes of a flow
 * @cda: what of it: attributes of the request
 * @queued: by a verdict on a packet
 * @word: state and status to be
 * @stand_in: the flow, with the change made
 */
struct change {
	const struct nlattr * const *cda;
	bool queued;
	u32 word;
	struct ft_stand_in stand_in;
};

/* Everything is read, and found right, before anything is changed. */
static int read_change(struct change *change, const struct ft_net *tn, const struct ft_own *own)
{
	const struct nlattr * const *cda = change->cda;
	struct nf_conn *ct = &change->stand_in.ct;
	int err = 0;

	/* Only a new connection can be given these, and it is nf_conntrack's then. */
	if (cda[CTA_NAT_SRC] || cda[CTA_NAT_DST] || cda[CTA_TUPLE_MASTER])
		return -EOPNOTSUPP;
	if (cda[CTA_TIMEOUT] && atomic_read(&own->copy.f.word) & FT_FLOW_FIXED)
		return -EPERM;
	ft_stand_in_set(&change->stand_in, tn, &own->copy);
	if (cda[CTA_HELP])
		err = ft_ctnl_change_helper(ct, cda);
	if (!err && cda[CTA_LABELS])
		err = ft_ctnl_change_labels(ct, cda);
	if (!err && cda[CTA_STATUS])
		err = change->queued ? ft_ctnl_update_status(ct, cda[CTA_STATUS]) :
			nf_ct_change_status_common(ct, ntohl(nla_get_be32(cda[CTA_STATUS])));
	if (!err && cda[CTA_PROTOINFO])
		err = ft_ctnl_change_protoinfo(ct, cda[CTA_PROTOINFO]);
	return err ?: ft_stand_in_word(&change->stand_in, &change->word);
}

/* Under the flow's lock. Return: its bits. */
static u32 store_change(struct ft_flow *flow, u32 word, const struct change *change)
{
	const u32 status = FT_FLOW_SEEN_REPLY | FT_FLOW_ASSURED | FT_FLOW_FIXED;
	const struct nlattr * const *cda = change->cda;
	u8 state = ft_word_state(word);

	/* Only a verdict takes something away. */
	if (cda[CTA_STATUS] && change->queued)
		word &= ~FT_FLOW_FIXED;
	if (cda[CTA_STATUS])
		word |= change->word & status;
	if (cda[CTA_PROTOINFO]) {
		ft_proto_from_conntrack(&change->stand_in.ct, &flow->proto);
		state = ft_word_state(change->word);
	}
	/* Of protocols without states the status says all. */
	if (cda[CTA_STATUS] && !ft_l4_stateful(flow->key.l4proto))
		state = max(state, ft_word_state(change->word));
	if (cda[CTA_MARK])
		WRITE_ONCE(flow->mark, ft_ctnl_new_mark(flow->mark, cda));
	if (cda[CTA_TIMEOUT])
		WRITE_ONCE(flow->deadline, ft_now() + ft_ctnl_flow_timeout(cda[CTA_TIMEOUT]));
	return ft_proto_word(flow->key.l4proto, word, state);
}

static int change_flow(struct ft_net *tn, struct ft_own *own, struct change *change)
{
	struct ft_flow *flow = own->flow;
	u32 before, word;
	struct ft_key key;
	bool alive;
	int err;

	err = read_change(change, tn, own);
	if (err)
		return err;
	ft_flow_key(&own->copy.f, &key);
	local_bh_disable();
	ft_flow_lock(flow);
	before = atomic_read(&flow->word) & ~FT_FLOW_LOCK;
	word = before;
	alive = flow->gen == own->copy.f.gen && !(before & FT_FLOW_DEAD);
	if (alive)
		word = store_change(flow, before, change);
	ft_flow_unlock(flow, word);
	if (alive) {
		ft_flow_class_changed(tn, flow, own->index,
				      ft_key_hash(&key, ft_table_secret(tn->table)), before, word);
		if (ft_notify_wanted(tn) &&
		    ft_flow_snapshot(flow, own->copy.f.gen, &own->copy) &&
		    ft_notify_flow(tn, FLOWTRACK_CMD_FLOW_UPDATE_NTF, &own->copy, own->index, 0))
			ft_flow_untold(flow, own->copy.f.gen, FT_FLOW_UNTOLD_CHANGE);
	}
	local_bh_enable();
	return alive ? 0 : -ENOENT;
}

/**
 * ft_own_change() - change a flow
 * @tn: namespace
 * @own: from ft_own_find()
 * @cda: what to
 *
 * Context: RCU read side.
 * Return: 0; -ENOENT: it has just ended; -EINVAL; -EBUSY; -ENOSPC: it has no labels;
 * -EPERM: its timeout is fixed;
 * -EOPNOTSUPP. Unless 0 nothing has been changed.
 */
int ft_own_change(struct ft_net *tn, struct ft_own *own, const struct nlattr * const cda[])
{
	struct change change;

	change.cda = cda;
	change.queued = false;
	return change_flow(tn, own, &change);
}

/**
 * ft_own_change_queued() - change the flow of a packet in a queue
 * @tn: namespace
 * @own: from ft_own_snapshot()
 * @cda: what to
 *
 * As ft_own_change(), but for CTA_STATUS: see ft_ctnl_update_status().
 *
 * Context: RCU read side.
 * Return: as ft_own_change().
 */
int ft_own_change_queued(struct ft_net *tn, struct ft_own *own, const struct nlattr * const cda[])
{
	struct change change;

	change.cda = cda;
	change.queued = true;
	return change_flow(tn, own, &change);
}

/**
 * ft_own_end() - end a flow
 * @tn: namespace
 * @own: from ft_own_snapshot()
 * @reason: why
 *
 * Context: RCU read side.
 * Return: false if another one was faster.
 */
bool ft_own_end(struct ft_net *tn, const struct ft_own *own, enum flowtrack_reason reason)
{
	bool ended;

	local_bh_disable();
	ended = ft_flow_end(tn, own->flow, own->index, own->copy.f.gen, reason);
	local_bh_enable();
	return ended;
}
