// SPDX-License-Identifier: GPL-2.0
/*
 * GRE. A tunnel has neither beginning nor end to see; one that both sides use
 * is assured. As nf_conntrack_proto_gre.c; the header is judged by tuple.c,
 * which has to read it anyway.
 */
#include <linux/nf_flowtrack.h>

#include "base/settings.h"
#include "flow/flow.h"
#include "proto/generic.h"
#include "proto/gre.h"

/**
 * ft_gre_new() - first packet of a flow
 * @skb: the packet
 * @pkt: parsed
 * @step: filled
 * @state: filled
 *
 * Context: any.
 * Return: FT_VERDICT_ACCEPT.
 */
enum ft_verdict ft_gre_new(const struct sk_buff *skb, const struct ft_pkt *pkt,
			   struct ft_step *step, union ft_proto_state *state)
{
	ft_generic_begin(step, state);
	step->timeout = ft_gre_timeout(step->word, step->set);
	return FT_VERDICT_ACCEPT;
}

/**
 * ft_gre_packet() - later packet of a flow
 * @skb: the packet
 * @pkt: parsed
 * @step: filled
 * @state: not used
 *
 * Context: the flow's lock.
 * Return: FT_VERDICT_ACCEPT.
 */
enum ft_verdict ft_gre_packet(const struct sk_buff *skb,
			      const struct ft_pkt *pkt, struct ft_step *step,
			      union ft_proto_state *state)
{
	ft_generic_advance(step, true);
	step->timeout = ft_gre_timeout(step->word, step->set);
	return FT_VERDICT_ACCEPT;
}

/**
 * ft_gre_steady() - would ft_gre_packet() change only the deadline?
 * @word: bits of the flow
 * @step: set, now and dir are given; timeout is filled
 *
 * Context: any.
 * Return: true if so.
 */
bool ft_gre_steady(u32 word, struct ft_step *step)
{
	step->timeout = ft_gre_timeout(word, step->set);
	if (!(word & FT_FLOW_SEEN_REPLY))
		return step->dir == FT_DIR_ORIG;
	return word & FT_FLOW_ASSURED &&
	       ft_word_state(word) == FLOWTRACK_FLOW_STATE_STREAM;
}

/**
 * ft_gre_timeout() - timeout of a flow
 * @word: its bits
 * @set: settings of the namespace
 *
 * Context: any.
 * Return: jiffies.
 */
u32 ft_gre_timeout(u32 word, const struct ft_settings *set)
{
	if (ft_word_state(word) == FLOWTRACK_FLOW_STATE_STREAM)
		return ft_timeout(set, GRE_TIMEOUT_STREAM);
	return ft_timeout(set, GRE_TIMEOUT);
}
