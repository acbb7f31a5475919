/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Protocol state machines: a packet and the state of its flow go in, the new
 * state, its timeout and a verdict come out. A machine reads the packet's
 * transport header only, and knows neither table nor carrier.
 */
#ifndef _FT_PROTO_H
#define _FT_PROTO_H

#include <linux/skbuff.h>
#include <linux/types.h>

#include "flow.h"
#include "invalid.h"
#include "settings.h"
#include "tuple.h"

/**
 * enum ft_verdict - what a packet is to its flow
 * @FT_VERDICT_ACCEPT: it belongs to the flow; state and timeout are set
 * @FT_VERDICT_KEEP: it belongs to the flow, but the deadline does not change
 *	(a packet that TCP would answer with a challenge ACK)
 * @FT_VERDICT_INVALID: it does not; the reason says why
 * @FT_VERDICT_REOPEN: the flow has ended and this packet opens its successor:
 *	end the flow and treat the packet as one that met no flow
 * @FT_VERDICT_DROP: as INVALID, and the flow must end with it
 */
enum ft_verdict {
	FT_VERDICT_ACCEPT,
	FT_VERDICT_KEEP,
	FT_VERDICT_INVALID,
	FT_VERDICT_REOPEN,
	FT_VERDICT_DROP,
};

/**
 * struct ft_step - one packet's step through a state machine
 * @set: settings of the namespace
 * @now: ft_now()
 * @dir: direction of the packet within the flow; for a first packet ORIG
 * @word: in: bits of the flow, out: bits to store; for a first packet 0 in
 * @timeout: out: new timeout in jiffies, counted from now; 0: it ends at once
 * @limit: out, with INVALID: no more jiffies than these shall be left; 0: no
 *	matter
 * @reason: out, unless the verdict is ACCEPT or KEEP: why not
 * @update: out: the change is worth a notification (state, assured)
 *
 * A machine sets state and the bits SEEN_REPLY and ASSURED in @word, and the
 * class through ft_step_set().
 */
struct ft_step {
	const struct ft_settings *set;
	u32 now;
	enum ft_dir dir;
	u32 word;
	u32 timeout;
	u32 limit;
	enum ft_invalid reason;
	bool update;
};

/**
 * ft_step_set() - store state and class of a flow in a step
 * @step: the step
 * @state: state of the protocol
 * @class: what the flow is worth in that state
 */
static inline void ft_step_set(struct ft_step *step, u8 state,
			       enum flowtrack_class class)
{
	step->word &= ~(FT_FLOW_STATE | FT_FLOW_CLASS);
	step->word |= (u32)state << 8 | (u32)class << 5;
}

/**
 * ft_proto_lockless() - may a packet change nothing of its flow?
 * @l4proto: IPPROTO_*
 *
 * Return: false for TCP and SCTP, which keep something of every packet: asking
 * ft_proto_steady() is futile.
 */
static inline bool ft_proto_lockless(u8 l4proto)
{
	return l4proto != IPPROTO_TCP && l4proto != IPPROTO_SCTP;
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
bool ft_proto_late(u8 l4proto, u32 word);
/* Class of a flow in the state that @word tells. */
enum flowtrack_class ft_proto_class(u8 l4proto, u32 word);
/* Highest state number of a protocol, for the checks of flow-add. */
u8 ft_proto_state_max(u8 l4proto);
/* ICMP error: could the quoted segment have been sent? TCP only. */
bool ft_proto_quoted(const struct sk_buff *skb, const struct ft_pkt *inner,
		     enum ft_dir dir, const union ft_proto_state *state);

#endif /* _FT_PROTO_H */
