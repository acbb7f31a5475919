/* SPDX-License-Identifier: GPL-2.0 */
/*
 * UDP (RFC 768) and UDP-Lite (RFC 3828).
 */
#ifndef _FT_PROTO_UDP_H
#define _FT_PROTO_UDP_H

#include "base/invalid.h"
#include "flow/tuple.h"
#include "proto/step.h"

enum ft_invalid ft_udp_check(struct sk_buff *skb, const struct ft_pkt *pkt,
			     unsigned int hook, bool checksum);
enum ft_invalid ft_udplite_check(struct sk_buff *skb, const struct ft_pkt *pkt,
				 unsigned int hook, bool checksum);
enum ft_verdict ft_udp_new(const struct sk_buff *skb, const struct ft_pkt *pkt,
			   struct ft_step *step, union ft_proto_state *state);
enum ft_verdict ft_udp_packet(const struct sk_buff *skb,
			      const struct ft_pkt *pkt, struct ft_step *step,
			      union ft_proto_state *state);
bool ft_udp_steady(const struct ft_flow *flow, u32 word, struct ft_step *step);
u32 ft_udp_timeout(u32 word, const struct ft_settings *set);

#endif /* _FT_PROTO_UDP_H */
