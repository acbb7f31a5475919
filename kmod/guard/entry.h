/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An entry of nf_conntrack as its shadow keeps it; and from the shadow back to the entry.
 */
#ifndef _FT_GUARD_ENTRY_H
#define _FT_GUARD_ENTRY_H

#include <linux/types.h>
#include <net/netfilter/nf_conntrack.h>

#include "flow/flow.h"
#include "flow/shadow.h"
#include "proto/proto.h"

struct ft_net;

/**
 * ft_guard_word_bits() - what a shadow keeps of an entry whose word is known
 * @ct: the entry
 * @word: by ft_proto_conntrack_word()
 *
 * Context: any.
 * Return: FT_SHADOW_* bits.
 */
static inline u32 ft_guard_word_bits(const struct nf_conn *ct, u32 word)
{
	return ft_word_class(word) |
	       (ft_proto_last_ack_due(nf_ct_protonum(ct), word) ? FT_SHADOW_LAST_DUE : 0);
}

u32 ft_guard_bits(const struct nf_conn *ct);
u32 ft_guard_deadline(const struct nf_conn *ct);
struct nf_conn *ft_guard_real(const struct ft_net *tn,
			      const struct ft_shadow_key *key);

#endif /* _FT_GUARD_ENTRY_H */
