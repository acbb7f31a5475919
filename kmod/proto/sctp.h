/* SPDX-License-Identifier: GPL-2.0 */
/*
 * SCTP, RFC 9260.
 */
#ifndef _FT_PROTO_SCTP_H
#define _FT_PROTO_SCTP_H

#include <linux/nf_flowtrack.h>

#include "base/invalid.h"
#include "flow/tuple.h"
#include "proto/step.h"

enum ft_invalid ft_sctp_check(struct sk_buff *skb, const struct ft_pkt *pkt,
			      unsigned int hook, bool checksum);
enum ft_verdict ft_sctp_new(const struct sk_buff *skb, const struct ft_pkt *pkt,
			    struct ft_step *step, union ft_proto_state *state);
enum ft_verdict ft_sctp_packet(const struct sk_buff *skb,
			       const struct ft_pkt *pkt, struct ft_step *step,
			       union ft_proto_state *state);
u32 ft_sctp_timeout(u32 word, const struct ft_settings *set);
enum flowtrack_class ft_sctp_class(u32 word);

#endif /* _FT_PROTO_SCTP_H */
