/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Protocol state machines: a packet and the state of its flow go in, the new
 * state, its timeout and a verdict come out. A machine reads the packet's
 * transport header only, and knows neither table nor carrier.
 */
#ifndef _FT_PROTO_PROTO_H
#define _FT_PROTO_PROTO_H

#include <linux/nf_flowtrack.h>
#include <linux/skbuff.h>
#include <linux/types.h>

#include "base/invalid.h"
#include "base/settings.h"
#include "flow/flow.h"
#include "flow/tuple.h"
#include "proto/step.h"

struct ft_tuple_nlattr;
struct netlink_ext_ack;
struct nlattr;
union nf_inet_addr;

/**
 * ft_proto_lockless() - may a packet change nothing of its flow?
 * @l4proto: IPPROTO_*
 *
 * Return: false if something of every packet is kept: asking ft_proto_steady()
 * is futile.
 */
static inline bool ft_proto_lockless(u8 l4proto)
{
	return !ft_l4_stateful(l4proto);
}

/* Checks of header and checksum that need no flow; on every packet. */
enum ft_invalid ft_proto_check(struct sk_buff *skb,
			       const struct ft_pkt *pkt, unsigned int hook,
			       bool checksum);
/* First packet of a flow: may it open one? Fills @state. */
enum ft_verdict ft_proto_new(const struct sk_buff *skb,
			     const struct ft_pkt *pkt, struct ft_step *step,
			     union ft_proto_state *state);
/* Later packet. Context: the flow's lock. */
enum ft_verdict ft_proto_packet(const struct sk_buff *skb,
				const struct ft_pkt *pkt, struct ft_step *step,
				union ft_proto_state *state);
/* Would ft_proto_packet() change nothing but the deadline? No lock needed. */
bool ft_proto_steady(const struct ft_flow *flow, u32 word, struct ft_step *step);
/* Timeout in jiffies of a flow in the state that @word tells. */
u32 ft_proto_timeout(u8 l4proto, u8 family, u32 word,
		     const struct ft_settings *set);
/* Jiffies without a packet of a flow with @left until its deadline. */
u32 ft_proto_idle(u8 l4proto, u8 family, u32 word, u32 left,
		  const struct ft_settings *set);
/* A closing flow: will its last packet still come? */
bool ft_proto_last_ack_due(u8 l4proto, u32 word);
/* Class of a flow in the state that @word tells. */
enum flowtrack_class ft_proto_class(u8 l4proto, u32 word);
/* @word with a state, and with the class that follows. */
u32 ft_proto_word(u8 l4proto, u32 word, u8 state);
/* Highest state number of a protocol, for the checks of flow-add. */
u8 ft_proto_state_max(u8 l4proto);
/* State of a flow of which only is known whether it was answered. */
u8 ft_proto_state_default(u8 l4proto, bool replied);
/* What the protocol keeps of a flow, in a message: at most so many bytes. */
size_t ft_proto_nlattr_size(void);
int ft_proto_to_nlattr(struct sk_buff *skb, u8 l4proto,
		       const union ft_proto_state *state);
int ft_proto_from_nlattr(struct nlattr **attrs, u8 l4proto,
			 union ft_proto_state *state,
			 struct netlink_ext_ack *extack);
/* What stands in a tuple for the ports, in a message: at most so many bytes. */
size_t ft_proto_tuple_nlattr_size(void);
int ft_proto_tuple_to_nlattr(struct sk_buff *skb, const struct ft_flow *flow,
			     unsigned int from);
int ft_proto_key_from_nlattr(const struct ft_tuple_nlattr *tuple,
			     const union nf_inet_addr *addr, u16 zone,
			     struct ft_key *key, bool *from_hi);
/* Can packets of one key answer a flow of another one? */
bool ft_proto_answers(const struct ft_key *first, const struct ft_key *answer, bool from_hi);
/* ICMP error: could the quoted segment have been sent? TCP only. */
bool ft_proto_quoted(const struct sk_buff *skb, const struct ft_pkt *inner,
		     enum ft_dir dir, const union ft_proto_state *state);

#endif /* _FT_PROTO_PROTO_H */
