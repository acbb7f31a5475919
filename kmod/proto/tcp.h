/* SPDX-License-Identifier: GPL-2.0 */
/*
 * TCP, RFC 9293.
 */
#ifndef _FT_PROTO_TCP_H
#define _FT_PROTO_TCP_H

#include <linux/nf_flowtrack.h>

#include "base/invalid.h"
#include "flow/flow.h"
#include "flow/tuple.h"
#include "proto/step.h"

enum ft_invalid ft_tcp_check(struct sk_buff *skb, const struct ft_pkt *pkt,
			     unsigned int hook, bool checksum);
enum ft_verdict ft_tcp_new(const struct sk_buff *skb, const struct ft_pkt *pkt,
			   struct ft_step *step, union ft_proto_state *state);
enum ft_verdict ft_tcp_packet(const struct sk_buff *skb,
			      const struct ft_pkt *pkt, struct ft_step *step,
			      union ft_proto_state *state);
u32 ft_tcp_timeout(u32 word, const struct ft_settings *set);
u32 ft_tcp_idle(u32 word, u32 left, const struct ft_settings *set);
enum flowtrack_class ft_tcp_class(u32 word);
bool ft_tcp_quoted(const struct sk_buff *skb, const struct ft_pkt *inner,
		   enum ft_dir dir, const union ft_proto_state *state);

#endif /* _FT_PROTO_TCP_H */
