// SPDX-License-Identifier: GPL-2.0
#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/netfilter/nf_conntrack_zones.h>

#include "flow/flow.h"
#include "flow/shadow.h"
#include "guard/entry.h"
#include "net.h"
#include "proto/conntrack.h"

/**
 * ft_guard_bits() - what a shadow keeps of an entry
 * @ct: the entry
 *
 * Context: any; the entry is referenced, or the packet's own.
 * Return: FT_SHADOW_* bits.
 */
u32 ft_guard_bits(const struct nf_conn *ct)
{
	return ft_guard_word_bits(ct, ft_proto_conntrack_word(ct));
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
