/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A stand-in: a struct nf_conn that says what a flow of ours is, for a moment.
 *
 * Encoder and filter know struct nf_conn only. So a flow of ours looks as
 * nf_conntrack's entry of the same connection would, by construction.
 */
#ifndef _FT_CTNETLINK_STAND_IN_H
#define _FT_CTNETLINK_STAND_IN_H

#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_conntrack_acct.h>
#include <net/netfilter/nf_conntrack_extend.h>
#include <net/netfilter/nf_conntrack_timestamp.h>

struct ft_flow6;
struct ft_key;
struct ft_net;

/**
 * struct ft_stand_in - a stand-in; lives on its user's stack
 * @ct: what the flow is. In no table; nobody may take a reference
 * @ext: its extensions: a struct nf_ct_ext and what is behind it
 */
struct ft_stand_in {
	struct nf_conn ct;
	u8 ext[sizeof(struct nf_ct_ext) + sizeof(struct nf_conn_acct) +
	       sizeof(struct nf_conn_tstamp)] __aligned(8);
};

void ft_stand_in_clear(struct ft_stand_in *stand_in, const struct ft_net *tn);
void ft_stand_in_set(struct ft_stand_in *stand_in, const struct ft_net *tn,
		     const struct ft_flow6 *copy);
void ft_stand_in_again(struct ft_stand_in *stand_in, const struct ft_net *tn,
		       const struct ft_flow6 *copy);
int ft_stand_in_word(const struct ft_stand_in *stand_in, u32 *word);
void ft_stand_in_stop(struct ft_stand_in *stand_in, u64 stop);
__be32 ft_stand_in_name(const struct ft_net *tn, const struct ft_key *key);
__be32 ft_stand_in_id(const struct ft_net *tn, const struct ft_flow6 *copy, u32 index);

#endif /* _FT_CTNETLINK_STAND_IN_H */
