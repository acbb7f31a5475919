/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Requests and replies of ICMP (RFC 792) and ICMPv6 (RFC 4443). Errors have no
 * flow of their own, see ft_tuple_inner().
 */
#ifndef _FT_PROTO_ICMP_H
#define _FT_PROTO_ICMP_H

#include "base/invalid.h"
#include "flow/tuple.h"
#include "proto/step.h"

enum ft_invalid ft_icmp_check(struct sk_buff *skb, const struct ft_pkt *pkt,
			      unsigned int hook, bool checksum);
enum ft_verdict ft_icmp_new(const struct sk_buff *skb, const struct ft_pkt *pkt,
			    struct ft_step *step, union ft_proto_state *state);
enum ft_verdict ft_icmp_packet(const struct sk_buff *skb,
			       const struct ft_pkt *pkt, struct ft_step *step,
			       union ft_proto_state *state);
bool ft_icmp_steady(u8 l4proto, u32 word, struct ft_step *step);
u32 ft_icmp_timeout(u8 l4proto, u32 word, const struct ft_settings *set);

#endif /* _FT_PROTO_ICMP_H */
