/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Translated flows of our own.
 *
 * nf_nat translates a packet by what the packet carries: the status and the tuples of
 * an nf_conn. A carrier says both as well as nf_conntrack's own entry. So once nf_nat
 * has chosen, on the first packet, how a flow is translated, the flow is adopted with
 * that mapping, and the kernel's NAT goes on translating its packets.
 */
#ifndef _FT_TRACK_NAT_H
#define _FT_TRACK_NAT_H

#include <linux/types.h>

struct ft_birth;
struct ft_net;
struct nf_conn;
struct nf_hook_state;
struct sk_buff;

/**
 * enum ft_nat_twin - what the table has of a translated flow to be
 * @FT_NAT_TWIN_NONE: nothing
 * @FT_NAT_TWIN_SAME: the same flow, with the same mapping
 * @FT_NAT_TWIN_OTHER: the same flow, but nf_nat has chosen another mapping for it
 */
enum ft_nat_twin {
	FT_NAT_TWIN_NONE,
	FT_NAT_TWIN_SAME,
	FT_NAT_TWIN_OTHER,
};

bool ft_nat_adoptable(const struct ft_net *tn, const struct nf_hook_state *state,
		      const struct nf_conn *ct);
bool ft_nat_birth(struct ft_birth *birth, const struct ft_net *tn, const struct nf_conn *ct);
bool ft_nat_taken(const struct ft_net *tn, const struct ft_birth *birth);
enum ft_nat_twin ft_nat_find_twin(const struct ft_net *tn, const struct ft_birth *birth);

#endif /* _FT_TRACK_NAT_H */
