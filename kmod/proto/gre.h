/* SPDX-License-Identifier: GPL-2.0 */
/*
 * GRE: RFC 2784 with the key of RFC 2890, and the one of PPTP, RFC 2637.
 */
#ifndef _FT_PROTO_GRE_H
#define _FT_PROTO_GRE_H

#include "flow/tuple.h"
#include "proto/step.h"

enum ft_verdict ft_gre_new(const struct sk_buff *skb, const struct ft_pkt *pkt,
			   struct ft_step *step, union ft_proto_state *state);
enum ft_verdict ft_gre_packet(const struct sk_buff *skb,
			      const struct ft_pkt *pkt, struct ft_step *step,
			      union ft_proto_state *state);
bool ft_gre_steady(u32 word, struct ft_step *step);
u32 ft_gre_timeout(u32 word, const struct ft_settings *set);

#endif /* _FT_PROTO_GRE_H */
