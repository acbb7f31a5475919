/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Carriers: how a packet tells nftables and iptables what flowtrack knows.
 *
 * A ruleset reads the state of a packet from the struct nf_conn that is
 * attached to it. A carrier is such an object that never enters nf_conntrack's
 * table: it is filled from our flow, serves one packet, and is taken up again
 * once that packet has let go of it.
 */
#ifndef _FT_TRACK_CARRIER_H
#define _FT_TRACK_CARRIER_H

#include <linux/list.h>
#include <linux/refcount.h>
#include <linux/skbuff.h>
#include <net/netfilter/nf_conntrack.h>

#include "flow/flow.h"
#include "proto/conntrack.h"
#include "track/birth.h"

struct ft_net;

/*
 * Why a carrier has the status bits that it has, IPS_*:
 *
 *	CONFIRMED	nf_conntrack_in() and nf_confirm() take it as it is
 *	SRC/DST_NAT_DONE nat chains have nothing to set up
 *	DYING		nf_ct_delete() finds that somebody else deletes it
 *	OFFLOAD		"flow add" finds it offloaded already
 *	SRC/DST_NAT	of a translated flow: nf_nat makes of its packets what the
 *			tuples say
 *	TEMPLATE	besides, once it has left its pool: the last put frees
 *			it, without nf_conntrack's slab or count
 */
#define FT_CARRIER_STATUS	(IPS_CONFIRMED | IPS_NAT_DONE_MASK | \
				 IPS_DYING | IPS_OFFLOAD)

/**
 * enum ft_aim - what the tuples of a carrier are
 * @FT_AIM_NONE: those of an earlier packet
 * @FT_AIM_LO: the lower endpoint of the flow's key is the initiator
 * @FT_AIM_HI: the upper one is
 */
enum ft_aim {
	FT_AIM_NONE,
	FT_AIM_LO,
	FT_AIM_HI,
};

/**
 * struct ft_carrier - one carrier
 * @ct: what the packet carries; free for the next packet while its reference
 *	count is 1. First: freeing it as a template frees the carrier
 * @node: in one of the lists of its pool, see track/pool.c
 * @rcu: for carrier_gone()
 * @home: number of its namespace, see ft_pool_net_init()
 * @index: flow, or FT_INDEX_NONE; a flow may end while its packet travels, so
 *	@gen is checked
 * @gen: generation of that flow
 * @mark: conntrack mark as published: a difference is the ruleset's doing
 * @state: state of TCP as published, likewise
 * @l4proto: protocol of the last packet that had it: whose ct.proto is
 * @invalid: the packet is INVALID; the carrier only gets it past nf_conntrack
 * @pending: no flow yet: @birth is what ft_flow_admit() will be asked for
 * @counted: the counters of @ct are not zero
 * @changed: the packet has changed the state of its flow, and somebody wants to hear of it
 * @named: FT_FLOW_NAMED of the flow: its id is to be told when it has ended, too
 * @leaving: it has left its pool, and will soon be a template
 * @aim: enum ft_aim
 * @masq: number of the device that the flow's packets leave by, or it ends; 0: any
 * @busy: how often the pool found it busy; saturates
 * @birth: the flow to be, while @pending
 *
 * Written only by the packet's owner, but for what belongs to the pool: @node,
 * @leaving, @busy.
 */
struct ft_carrier {
	struct nf_conn ct;
	struct list_head node;
	struct rcu_head rcu;
	u32 home;
	u32 index;
	u32 gen;
	u32 mark;
	u32 masq;
	u8 state;
	u8 l4proto;
	bool invalid;
	bool pending;
	bool counted;
	bool changed;
	bool named;
	bool leaving;
	u8 aim;
	u8 busy;
	struct ft_birth birth;
};

static_assert(offsetof(struct ft_carrier, ct) == 0);

/**
 * struct ft_view - what of a flow a packet publishes
 * @key: its identity
 * @answer: FT_FLOW_NAT: its second key
 * @masq: FT_FLOW_NAT: number of the device whose address it borrows; 0: none
 * @word: FT_FLOW_* bits
 * @left: jiffies until it ends
 * @mark: conntrack mark
 * @acct: @packets and @bytes are to be published
 * @packets: by direction
 * @bytes: by direction
 */
struct ft_view {
	const struct ft_key *key;
	const struct ft_key *answer;
	u32 masq;
	u32 word;
	u32 left;
	u32 mark;
	bool acct;
	u64 packets[2];
	u64 bytes[2];
};

/**
 * ft_carrier_say() - make a carrier say what a flow is, except for ends and counters
 * @carrier: aimed
 * @l4proto: IPPROTO_*
 * @word: FT_FLOW_* bits
 * @left: jiffies until it ends
 * @mark: conntrack mark
 * @nat: what nf_nat is to do, IPS_*
 *
 * Context: BH disabled.
 */
static inline void ft_carrier_say(struct ft_carrier *carrier, u8 l4proto, u32 word, u32 left,
				  u32 mark, unsigned long nat)
{
	struct nf_conn *ct = &carrier->ct;

	WRITE_ONCE(ct->status, FT_CARRIER_STATUS | nat | ft_proto_conntrack_status(word));
	WRITE_ONCE(ct->timeout, nfct_time_stamp + left);
#ifdef CONFIG_NF_CONNTRACK_MARK
	WRITE_ONCE(ct->mark, mark);
#endif
	carrier->mark = mark;
	carrier->named = word & FT_FLOW_NAMED;
	/* Only nfnetlink reads it, and "reject" sets the state of TCP. */
	if (unlikely(carrier->l4proto != l4proto)) {
		memset(&ct->proto, 0, sizeof(ct->proto));
		carrier->l4proto = l4proto;
	}
	if (l4proto == IPPROTO_TCP) {
		carrier->state = ft_word_state(word);
		WRITE_ONCE(ct->proto.tcp.state, carrier->state);
	}
}

void ft_carrier_init(void);
void ft_carrier_exit(void);

struct ft_carrier *ft_carrier_create(struct ft_net *tn);
void ft_carrier_tuple(struct nf_conntrack_tuple *tuple, const struct ft_key *key, bool from_hi,
		      bool reply);
void ft_carrier_release(struct ft_carrier *carrier);
void ft_carrier_leave(struct ft_carrier *carrier);
void ft_carrier_aim(struct ft_carrier *carrier, const struct ft_key *key,
		    bool orig_hi);
unsigned long ft_carrier_aim_nat(struct ft_carrier *carrier, const struct ft_key *key,
				 const struct ft_flow *flow, u32 word, enum ft_dir dir);
void ft_carrier_fill(struct ft_carrier *carrier, const struct ft_view *view);
void ft_carrier_copy(struct ft_carrier *to, const struct ft_carrier *from);
void ft_carrier_settle(struct ft_net *tn, struct ft_carrier *carrier);

/* Tells a carrier from a conntrack; another number each time it is loaded. */
extern unsigned long ft_carrier_magic;

/**
 * ft_carrier_of() - is this conntrack one of our carriers?
 * @ct: what a packet has attached
 *
 * The mark of a carrier is where nf_conntrack keeps a pointer from the moment
 * it makes an nf_conn, and an odd number, so nothing of its own can look like
 * it.
 *
 * Return: the carrier, or NULL: it is nf_conntrack's.
 */
static inline struct ft_carrier *ft_carrier_of(const struct nf_conn *ct)
{
	if ((unsigned long)ct->tuplehash[IP_CT_DIR_ORIGINAL].hnnode.pprev !=
	    ft_carrier_magic)
		return NULL;
	return container_of((struct nf_conn *)ct, struct ft_carrier, ct);
}

/*
 * A program was told of this conntrack before it was in a table, and has an id for it: a
 * bit of its status that is nobody's.
 */
#define FT_STATUS_NAMED		BIT(31)
/* Likewise: a verdict has set its timeout. */
#define FT_STATUS_TIMED		BIT(30)
#define FT_STATUS_OURS		(FT_STATUS_NAMED | FT_STATUS_TIMED)

static_assert(__IPS_MAX_BIT <= 30);

/* What the mark of a first packet says of its flow. */
#define FT_NOTE_STAYS		BIT(0)	/* in nf_conntrack */
#define FT_NOTE_RESERVED	BIT(1)	/* it may have a reserved entry */
#define FT_NOTES		(FT_NOTE_STAYS | FT_NOTE_RESERVED)

/**
 * ft_carrier_notes() - what was noted in a conntrack
 * @ct: unconfirmed, of a first packet
 *
 * Return: FT_NOTE_* that ft_carrier_note() was given; 0: it was not called.
 */
static inline unsigned long ft_carrier_notes(const struct nf_conn *ct)
{
	unsigned long notes;

	notes = (unsigned long)ct->tuplehash[IP_CT_DIR_ORIGINAL].hnnode.pprev ^
		~ft_carrier_magic;
	return notes <= FT_NOTES ? notes : 0;
}

/**
 * ft_carrier_note() - note what the mark of a packet says of its flow
 * @ct: unconfirmed, of a first packet
 * @notes: FT_NOTE_*
 *
 * Where nf_conntrack has nothing yet, and a pointer once it is confirmed. The
 * packet may lose the mark before ft_confirm() sees it.
 */
static inline void ft_carrier_note(struct nf_conn *ct, unsigned long notes)
{
	ct->tuplehash[IP_CT_DIR_ORIGINAL].hnnode.pprev =
		(struct hlist_nulls_node **)(~ft_carrier_magic ^ notes);
}

/**
 * ft_carrier_is_free() - has the last packet let go of a carrier?
 * @carrier: one of the caller's pool
 *
 * Return: true if so; then it is the caller's alone.
 */
static inline bool ft_carrier_is_free(const struct ft_carrier *carrier)
{
	/*
	 * Pairs with the release in nf_ct_put(): what the previous packet's
	 * owner read or wrote happened before.
	 */
	if (refcount_read(&carrier->ct.ct_general.use) != 1)
		return false;
	smp_acquire__after_ctrl_dep();
	return true;
}

/**
 * ft_carrier_written() - is there something to be stored, or to be told?
 * @carrier: a carrier that a packet has or had
 *
 * Return: true if ft_carrier_settle() has something to do.
 */
static inline bool ft_carrier_written(const struct ft_carrier *carrier)
{
	if (carrier->index == FT_INDEX_NONE)
		return false;
	return READ_ONCE(carrier->ct.mark) != READ_ONCE(carrier->mark) ||
	       READ_ONCE(carrier->changed) ||
	       (carrier->l4proto == IPPROTO_TCP &&
		READ_ONCE(carrier->ct.proto.tcp.state) !=
		READ_ONCE(carrier->state));
}

/**
 * ft_carrier_attach() - give a carrier to a packet
 * @carrier: from ft_carrier_get(), filled
 * @skb: the packet; a template that it has is put
 * @ctinfo: what the packet is to its flow
 *
 * Context: ft_own_lock(), since ft_carrier_get().
 */
static inline void ft_carrier_attach(struct ft_carrier *carrier,
				     struct sk_buff *skb,
				     enum ip_conntrack_info ctinfo)
{
	nf_conntrack_put(skb_nfct(skb));
	/* It is free, and so nobody else's: adding would lock the line for nothing. */
	refcount_set(&carrier->ct.ct_general.use, 2);
	nf_ct_set(skb, &carrier->ct, ctinfo);
}

/**
 * ft_carrier_detach() - take what a packet carries away from it
 * @skb: the packet
 */
static inline void ft_carrier_detach(struct sk_buff *skb)
{
	struct nf_conntrack *nfct = skb_nfct(skb);

	skb->_nfct = 0;
	nf_conntrack_put(nfct);
}

/**
 * ft_carrier_return() - take a carrier of ours away from a packet
 * @carrier: what the packet carries
 * @skb: the packet
 *
 * As ft_carrier_detach(), but cheaper where nothing else has the carrier: then
 * there are two references, the pool's and the packet's, and only their owners
 * can change the count. The pool gives its own up a grace period after it has
 * said that the carrier is leaving, or after all hooks have ended.
 *
 * Context: RCU read side.
 */
static inline void ft_carrier_return(struct ft_carrier *carrier, struct sk_buff *skb)
{
	if (unlikely(refcount_read(&carrier->ct.ct_general.use) != 2 ||
		     READ_ONCE(carrier->leaving))) {
		ft_carrier_detach(skb);
		return;
	}
	skb->_nfct = 0;
	/* Pairs with the acquire in ft_carrier_is_free(). */
	refcount_set_release(&carrier->ct.ct_general.use, 1);
}

#endif /* _FT_TRACK_CARRIER_H */
