/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a protocol keeps of a flow, as nf_conntrack keeps it. States and flags have
 * the same values in both.
 */
#ifndef _FT_PROTO_CONNTRACK_H
#define _FT_PROTO_CONNTRACK_H

#include <linux/bitfield.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/types.h>

#include "flow/flow.h"

struct nf_conn;

/**
 * ft_proto_conntrack_status() - the status of an entry that says what a flow's word says
 * @word: FT_FLOW_*
 *
 * Context: any; pure.
 * Return: those of IPS_SEEN_REPLY, IPS_ASSURED and IPS_FIXED_TIMEOUT that hold.
 */
static inline unsigned long ft_proto_conntrack_status(u32 word)
{
	return FIELD_GET(FT_FLOW_SEEN_REPLY, word) * IPS_SEEN_REPLY |
	       FIELD_GET(FT_FLOW_ASSURED, word) * IPS_ASSURED |
	       FIELD_GET(FT_FLOW_FIXED, word) * IPS_FIXED_TIMEOUT;
}

u32 ft_proto_conntrack_word(const struct nf_conn *ct);
u32 ft_proto_conntrack_add(u32 word, u8 l4proto, unsigned long status);
void ft_proto_to_conntrack(struct nf_conn *ct, const struct ft_flow *flow, u32 word);
void ft_proto_from_conntrack(const struct nf_conn *ct, union ft_proto_state *state);

#endif /* _FT_PROTO_CONNTRACK_H */
