/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a protocol keeps of a flow, as nf_conntrack keeps it. States and flags have
 * the same values in both.
 */
#ifndef _FT_PROTO_CONNTRACK_H
#define _FT_PROTO_CONNTRACK_H

#include <linux/types.h>

struct ft_flow;
struct nf_conn;
union ft_proto_state;

u32 ft_proto_conntrack_word(const struct nf_conn *ct);
void ft_proto_to_conntrack(struct nf_conn *ct, const struct ft_flow *flow, u32 word);
void ft_proto_from_conntrack(const struct nf_conn *ct, union ft_proto_state *state);

#endif /* _FT_PROTO_CONNTRACK_H */
