// SPDX-License-Identifier: GPL-2.0
/*
 * Any protocol that flowtrack knows nothing about, and what UDP, ICMP and GRE
 * have in common with it: enum flowtrack_flow_state.
 *
 *	UNREPLIED	only the initiator has sent something
 *	REPLIED		the responder has answered
 *	STREAM		they go on talking: the flow is assured
 *
 * Whether and when a flow becomes a stream is up to the protocol. The reply
 * itself never makes one: like nf_conntrack, a packet that finds a flow
 * replied is needed.
 */
#include <linux/nf_flowtrack.h>

#include "base/settings.h"
#include "flow/flow.h"
#include "proto/generic.h"

/**
 * ft_generic_begin() - state of a new flow
 * @step: the first packet's
 * @state: its stream is filled
 *
 * Context: any.
 */
void ft_generic_begin(struct ft_step *step, union ft_proto_state *state)
{
	state->stream.since = step->now;
	step->update = false;
	ft_step_set(step, FLOWTRACK_FLOW_STATE_UNREPLIED,
		    FLOWTRACK_CLASS_EMBRYONIC);
}

/**
 * ft_generic_advance() - state of a flow after one more packet
 * @step: the packet's
 * @stream: the protocol sees a stream if traffic went both ways before
 *
 * Context: the flow's lock.
 */
void ft_generic_advance(struct ft_step *step, bool stream)
{
	u32 before = step->word;
	u8 state;

	state = ft_word_state(before);
	if (before & FT_FLOW_SEEN_REPLY && stream) {
		state = FLOWTRACK_FLOW_STATE_STREAM;
		step->word |= FT_FLOW_ASSURED;
	} else if (step->dir == FT_DIR_REPLY &&
		   !(before & FT_FLOW_SEEN_REPLY)) {
		state = FLOWTRACK_FLOW_STATE_REPLIED;
		step->word |= FT_FLOW_SEEN_REPLY;
	}
	ft_step_set(step, state, ft_generic_class(step->word));
	step->update = step->word != before;
}

/**
 * ft_generic_settled() - would ft_generic_advance() change nothing?
 * @word: bits of the flow
 * @dir: direction of the packet
 *
 * Of a protocol that knows no streams, or of a flow that is not one yet.
 *
 * Context: any.
 * Return: true if it would not.
 */
bool ft_generic_settled(u32 word, enum ft_dir dir)
{
	return dir == FT_DIR_ORIG || word & FT_FLOW_SEEN_REPLY;
}

/**
 * ft_generic_new() - first packet of a flow of an unknown protocol
 * @skb: the packet
 * @pkt: parsed
 * @step: filled
 * @state: filled
 *
 * Context: any.
 * Return: FT_VERDICT_ACCEPT.
 */
enum ft_verdict ft_generic_new(const struct sk_buff *skb,
			       const struct ft_pkt *pkt, struct ft_step *step,
			       union ft_proto_state *state)
{
	ft_generic_begin(step, state);
	step->timeout = ft_generic_timeout(step->word, step->set);
	return FT_VERDICT_ACCEPT;
}

/**
 * ft_generic_packet() - later packet of a flow of an unknown protocol
 * @skb: the packet
 * @pkt: parsed
 * @step: filled
 * @state: not used
 *
 * As generic_packet() of nf_conntrack_core.c: one timeout, never assured.
 *
 * Context: the flow's lock.
 * Return: FT_VERDICT_ACCEPT.
 */
enum ft_verdict ft_generic_packet(const struct sk_buff *skb,
				  const struct ft_pkt *pkt,
				  struct ft_step *step,
				  union ft_proto_state *state)
{
	ft_generic_advance(step, false);
	step->timeout = ft_generic_timeout(step->word, step->set);
	return FT_VERDICT_ACCEPT;
}

/**
 * ft_generic_steady() - would ft_generic_packet() change only the deadline?
 * @word: bits of the flow
 * @step: set, now and dir are given; timeout is filled
 *
 * Context: any.
 * Return: true if so.
 */
bool ft_generic_steady(u32 word, struct ft_step *step)
{
	step->timeout = ft_generic_timeout(word, step->set);
	return ft_generic_settled(word, step->dir);
}

/**
 * ft_generic_timeout() - timeout of a flow of an unknown protocol
 * @word: bits of the flow
 * @set: settings of the namespace
 *
 * Context: any.
 * Return: jiffies.
 */
u32 ft_generic_timeout(u32 word, const struct ft_settings *set)
{
	return ft_timeout(set, GENERIC_TIMEOUT);
}

/**
 * ft_generic_class() - what a flow of a protocol without connections is worth
 * @word: bits of the flow
 *
 * Context: any.
 * Return: the class.
 */
enum flowtrack_class ft_generic_class(u32 word)
{
	if (word & FT_FLOW_ASSURED)
		return FLOWTRACK_CLASS_ASSURED;
	if (word & FT_FLOW_SEEN_REPLY)
		return FLOWTRACK_CLASS_REPLIED;
	return FLOWTRACK_CLASS_EMBRYONIC;
}
