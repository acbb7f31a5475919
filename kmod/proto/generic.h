/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Protocols without connections: all that is known of a flow is which sides
 * have sent something. Serves the protocols that have a file of their own, too.
 */
#ifndef _FT_PROTO_GENERIC_H
#define _FT_PROTO_GENERIC_H

#include <linux/nf_flowtrack.h>

#include "flow/flow.h"
#include "flow/tuple.h"
#include "proto/step.h"

void ft_generic_begin(struct ft_step *step, union ft_proto_state *state);
void ft_generic_advance(struct ft_step *step, bool stream);
bool ft_generic_settled(u32 word, enum ft_dir dir);

enum ft_verdict ft_generic_new(const struct sk_buff *skb,
			       const struct ft_pkt *pkt, struct ft_step *step,
			       union ft_proto_state *state);
enum ft_verdict ft_generic_packet(const struct sk_buff *skb,
				  const struct ft_pkt *pkt,
				  struct ft_step *step,
				  union ft_proto_state *state);
bool ft_generic_steady(u32 word, struct ft_step *step);
u32 ft_generic_timeout(u32 word, const struct ft_settings *set);
enum flowtrack_class ft_generic_class(u32 word);

#endif /* _FT_PROTO_GENERIC_H */
