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

#include <linux/skbuff.h>
#include <net/netfilter/nf_conntrack.h>

#include "track/birth.h"

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
 * @ct: what the packet carries. Free for the next packet while its reference
 *	count is 1; its nat_bysource, which no carrier needs for NAT, leads back
 * @next: ring of this CPU's carriers; written by that CPU with BH disabled
 * @tn: namespace of the packet: compared, never followed
 * @index: flow, or FT_INDEX_NONE; a flow may end while its packet travels, so
 *	@gen is checked
 * @gen: generation of that flow
 * @mark: conntrack mark as published: a difference is the ruleset's doing
 * @invalid: the packet is INVALID; the carrier only gets it past nf_conntrack
 * @pending: no flow yet: @birth is what ft_flow_admit() will be asked for
 * @counted: the counters of @ct are not zero
 * @aim: enum ft_aim
 * @padto: ct->proto.tmpl_padto as allocated, needed to free it
 * @birth: the flow to be, while @pending
 *
 * Written only by who owns the packet.
 */
struct ft_carrier {
	struct nf_conn *ct;
	struct ft_carrier *next;
	const struct ft_net *tn;
	u32 index;
	u32 gen;
	u32 mark;
	bool invalid;
	bool pending;
	bool counted;
	u8 aim;
	u16 padto;
	struct ft_birth birth;
};

/**
 * struct ft_view - what of a flow a packet publishes
 * @key: its identity
 * @word: FT_FLOW_* bits
 * @left: jiffies until it ends
 * @mark: conntrack mark
 * @acct: @packets and @bytes are to be published
 * @packets: by direction
 * @bytes: by direction
 */
struct ft_view {
	const struct ft_key *key;
	u32 word;
	u32 left;
	u32 mark;
	bool acct;
	u64 packets[2];
	u64 bytes[2];
};

void ft_publish_exit(void);

struct ft_carrier *ft_carrier_get(struct ft_net *tn);
void ft_carrier_aim(struct ft_carrier *carrier, const struct ft_key *key,
		    bool orig_hi);
void ft_carrier_fill(struct ft_carrier *carrier, const struct ft_view *view);

/* Its address in nat_bysource.pprev tells a carrier from a conntrack. */
extern struct hlist_node *ft_carrier_magic;

/**
 * ft_carrier_of() - is this conntrack one of our carriers?
 * @ct: what a packet has attached
 *
 * Return: the carrier, or NULL: it is nf_conntrack's.
 */
static inline struct ft_carrier *ft_carrier_of(const struct nf_conn *ct)
{
	if (ct->nat_bysource.pprev != &ft_carrier_magic)
		return NULL;
	return (struct ft_carrier *)ct->nat_bysource.next;
}

/**
 * ft_carrier_attach() - give a carrier to a packet
 * @carrier: from ft_carrier_get(), filled
 * @skb: the packet; a template that it has is put
 * @ctinfo: what the packet is to its flow
 *
 * Context: BH disabled, on the CPU of ft_carrier_get().
 */
static inline void ft_carrier_attach(struct ft_carrier *carrier,
				     struct sk_buff *skb,
				     enum ip_conntrack_info ctinfo)
{
	nf_conntrack_put(skb_nfct(skb));
	nf_conntrack_get(&carrier->ct->ct_general);
	nf_ct_set(skb, carrier->ct, ctinfo);
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

#endif /* _FT_TRACK_CARRIER_H */
