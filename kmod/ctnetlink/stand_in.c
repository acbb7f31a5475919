// SPDX-License-Identifier: GPL-2.0
#include <linux/ktime.h>
#include <linux/nf_flowtrack.h>
#include <linux/siphash.h>
#include <linux/timekeeping.h>
#include <net/netfilter/nf_conntrack_zones.h>

#include "base/settings.h"
#include "ctnetlink/stand_in.h"
#include "flow/flow.h"
#include "flow/table.h"
#include "flow/tuple.h"
#include "net.h"
#include "proto/conntrack.h"
#include "proto/proto.h"
#include "track/carrier.h"

/* None yet, see add_ext(). */
static void clear_ext(struct ft_stand_in *stand_in)
{
	struct nf_ct_ext *ext = (struct nf_ct_ext *)stand_in->ext;

	memset(ext, 0, sizeof(*ext));
	ext->len = sizeof(*ext);
	stand_in->ct.ext = NULL;
}

/* As nf_ct_ext_add(), but in memory that is there already. */
static void *add_ext(struct ft_stand_in *stand_in, enum nf_ct_ext_id id, size_t size)
{
	struct nf_ct_ext *ext = (struct nf_ct_ext *)stand_in->ext;
	u8 offset = ALIGN(ext->len, 8);

	BUILD_BUG_ON(sizeof(stand_in->ext) > U8_MAX);
	ext->offset[id] = offset;
	ext->len = offset + size;
	stand_in->ct.ext = ext;
	return stand_in->ext + offset;
}

static void set_tuples(struct nf_conn *ct, const struct ft_key *key, bool orig_hi)
{
	unsigned int dir;

	for (dir = 0; dir < IP_CT_DIR_MAX; dir++)
		ft_carrier_tuple(&ct->tuplehash[dir].tuple, key, orig_hi != dir, dir);
}

/* Both bits NAT_DONE are set, whichever translation there is: as in nf_conntrack's entries. */
static void set_translated(struct nf_conn *ct, const struct ft_flow6 *copy, u32 word)
{
	struct ft_key answer;

	ft_nat_key(&copy->f, &copy->nat, &answer);
	ft_carrier_tuple(&ct->tuplehash[IP_CT_DIR_REPLY].tuple, &answer,
			 word & FT_FLOW_REPLY_HI, true);
	ct->status |= IPS_NAT_DONE_MASK;
	if (word & FT_FLOW_SNAT)
		ct->status |= IPS_SRC_NAT;
	if (word & FT_FLOW_DNAT)
		ct->status |= IPS_DST_NAT;
}

static void set_counters(struct ft_stand_in *stand_in, const struct ft_flow *flow)
{
	struct nf_conn_acct *acct = add_ext(stand_in, NF_CT_EXT_ACCT, sizeof(*acct));
	unsigned int dir;

	for (dir = 0; dir < IP_CT_DIR_MAX; dir++) {
		atomic64_set(&acct->counter[dir].packets, flow->packets[dir]);
		atomic64_set(&acct->counter[dir].bytes, flow->bytes[dir]);
	}
}

/* The same whenever it is asked for, as long as nobody sets the clock. */
static u64 start_of(const struct ft_flow *flow)
{
	u64 suspended = ktime_to_ns(ktime_mono_to_any(0, TK_OFFS_BOOT));

	return ktime_to_ns(ktime_mono_to_real(ns_to_ktime(flow->born - suspended)));
}

static void set_timestamp(struct ft_stand_in *stand_in, const struct ft_flow *flow)
{
#ifdef CONFIG_NF_CONNTRACK_TIMESTAMP
	struct nf_conn_tstamp *tstamp = add_ext(stand_in, NF_CT_EXT_TSTAMP, sizeof(*tstamp));

	tstamp->start = start_of(flow);
	tstamp->stop = 0;
#endif
}

/**
 * ft_stand_in_clear() - begin with a stand-in
 * @stand_in: all of it is set, to nothing
 * @tn: namespace
 *
 * Context: any.
 */
void ft_stand_in_clear(struct ft_stand_in *stand_in, const struct ft_net *tn)
{
	memset(stand_in, 0, sizeof(*stand_in));
	clear_ext(stand_in);
	refcount_set(&stand_in->ct.ct_general.use, 1);
	/* TCP's state is read and written under this lock. */
	spin_lock_init(&stand_in->ct.lock);
	write_pnet(&stand_in->ct.ct_net, tn->net);
}

/**
 * ft_stand_in_set() - make a stand-in say what a flow is
 * @stand_in: set, all of it
 * @tn: namespace: its settings say whether counters and times are shown
 * @copy: the flow
 *
 * Context: any.
 */
void ft_stand_in_set(struct ft_stand_in *stand_in, const struct ft_net *tn,
		     const struct ft_flow6 *copy)
{
	ft_stand_in_clear(stand_in, tn);
	ft_stand_in_again(stand_in, tn, copy);
}

/**
 * ft_stand_in_again() - make a stand-in say what another flow is
 * @stand_in: from ft_stand_in_clear(), or one that this has set before
 * @tn: the same namespace
 * @copy: the flow
 *
 * Half as much to write as ft_stand_in_set() has. What the flow before had of the state
 * of another protocol stays, and nobody reads it.
 *
 * Context: any.
 */
void ft_stand_in_again(struct ft_stand_in *stand_in, const struct ft_net *tn,
		       const struct ft_flow6 *copy)
{
	const struct ft_flow *flow = &copy->f;
	u32 word = atomic_read(&flow->word);
	struct nf_conn *ct = &stand_in->ct;
	struct ft_key key;

	clear_ext(stand_in);
	ct->status = IPS_CONFIRMED;
	ft_flow_key(flow, &key);
	set_tuples(ct, &key, word & FT_FLOW_ORIG_HI);
	if (word & FT_FLOW_NAT)
		set_translated(ct, copy, word);
#ifdef CONFIG_NF_CONNTRACK_ZONES
	nf_ct_zone_init(&ct->zone, key.zone, NF_CT_DEFAULT_ZONE_DIR, 0);
#endif
	ct->status |= ft_proto_conntrack_status(word);
	ct->timeout = nfct_time_stamp + max(ft_flow_left(flow, ft_now()), 0);
#ifdef CONFIG_NF_CONNTRACK_MARK
	ct->mark = flow->mark;
#endif
	ft_proto_to_conntrack(ct, flow, word);
	if (ft_setting(&tn->set, ACCT) || flow->packets[FT_DIR_ORIG] || flow->packets[FT_DIR_REPLY])
		set_counters(stand_in, flow);
	if (ft_setting(&tn->set, TIMESTAMP))
		set_timestamp(stand_in, flow);
}

/*
 * No flow is in state NONE, in which an entry of nf_conntrack begins; and where there is
 * no state, any status may be asked for.
 */
static u32 default_word(u32 word, u8 l4proto)
{
	bool replied = word & FT_FLOW_SEEN_REPLY;

	if (!ft_l4_stateful(l4proto))
		return ft_proto_word(l4proto, word, min(ft_word_state(word),
							ft_proto_state_max(l4proto)));
	if (ft_word_state(word))
		return word;
	return ft_proto_word(l4proto, word, ft_proto_state_default(l4proto, replied));
}

/**
 * ft_stand_in_word() - the state that a stand-in says, in our terms
 * @stand_in: from ft_stand_in_set(), changed
 * @word: set to FT_FLOW_* bits: status, state, class
 *
 * What it says of the protocol besides is read by ft_proto_from_conntrack().
 *
 * Context: any.
 * Return: 0; -EINVAL: the protocol has no such state.
 */
int ft_stand_in_word(const struct ft_stand_in *stand_in, u32 *word)
{
	const struct nf_conn *ct = &stand_in->ct;
	u8 l4proto = nf_ct_protonum(ct);

	*word = default_word(ft_proto_conntrack_word(ct), l4proto);
	if (ct->status & IPS_FIXED_TIMEOUT)
		*word |= FT_FLOW_FIXED;
	return ft_word_state(*word) > ft_proto_state_max(l4proto) ? -EINVAL : 0;
}

/**
 * ft_stand_in_stop() - the flow ends now
 * @stand_in: from ft_stand_in_set()
 * @stop: when that is, ns since 1970
 *
 * Context: any.
 */
void ft_stand_in_stop(struct ft_stand_in *stand_in, u64 stop)
{
	struct nf_conn_tstamp *tstamp = nf_conn_tstamp_find(&stand_in->ct);

	set_bit(IPS_DYING_BIT, &stand_in->ct.status);
	if (tstamp)
		tstamp->stop = stop;
}

/**
 * ft_stand_in_name() - CTA_ID of a connection that a program is told of before it begins
 * @tn: namespace
 * @key: its identity
 *
 * While its first packet is held nothing says which table will have it, and where. So this
 * is from its addresses and ports alone, and stays its id: FT_FLOW_NAMED, FT_STATUS_NAMED.
 *
 * Context: any.
 * Return: the id.
 */
__be32 ft_stand_in_name(const struct ft_net *tn, const struct ft_key *key)
{
	const siphash_key_t *secret = ft_table_secret(tn->table);

	return (__force __be32)siphash_1u64(ft_key_hash(key, secret), secret);
}

/**
 * ft_stand_in_id() - CTA_ID of a flow
 * @tn: namespace
 * @copy: the flow
 * @index: its index
 *
 * From what names the flow, hashed as nf_conntrack hashes an address: it tells
 * nothing of memory.
 *
 * Context: any.
 * Return: the same for the flow's whole life.
 */
__be32 ft_stand_in_id(const struct ft_net *tn, const struct ft_flow6 *copy, u32 index)
{
	struct ft_key key;

	if (atomic_read(&copy->f.word) & FT_FLOW_NAMED) {
		ft_flow_key(&copy->f, &key);
		return ft_stand_in_name(tn, &key);
	}
	return (__force __be32)siphash_2u32(copy->f.gen, index, ft_table_secret(tn->table));
}
