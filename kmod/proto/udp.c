// SPDX-License-Identifier: GPL-2.0
/*
 * UDP and UDP-Lite. There is no end to see, so timeouts do everything: a short
 * one for a question and its answer, a long one for what lasts.
 *
 * As nf_conntrack_proto_udp.c, with one exception: the checksum of UDP-Lite is
 * computed with the protocol number of UDP-Lite (RFC 3828 3.1), where
 * nf_conntrack takes that of UDP and finds good packets bad.
 */
#include <linux/in.h>
#include <linux/netfilter.h>
#include <linux/nf_flowtrack.h>
#include <linux/udp.h>

#include "base/invalid.h"
#include "base/settings.h"
#include "flow/flow.h"
#include "proto/checksum.h"
#include "proto/generic.h"
#include "proto/udp.h"

/* An exchange that goes on for longer than this is a stream. */
#define STREAM_AFTER	(2 * HZ)

/**
 * ft_udp_check() - header and checksum of a UDP packet
 * @skb: the packet; its checksum state may change, see ft_checksum_bad()
 * @pkt: parsed
 * @hook: where the packet is
 * @checksum: verify the checksum
 *
 * Context: any.
 * Return: why the packet is INVALID, or FT_INVALID_NONE.
 */
enum ft_invalid ft_udp_check(struct sk_buff *skb, const struct ft_pkt *pkt,
			     unsigned int hook, bool checksum)
{
	const struct udphdr *udph;
	struct udphdr buf __uninitialized;
	unsigned int len;

	udph = skb_header_pointer(skb, pkt->l4off, sizeof(buf), &buf);
	if (!udph)
		return FT_INVALID_UDP_HEADER;
	len = ntohs(udph->len);
	if (len < sizeof(*udph) || len > pkt->l4len)
		return FT_INVALID_UDP_HEADER;

	/* No checksum; over IPv6 tunnels may do so (RFC 6935). */
	if (!udph->check)
		return FT_INVALID_NONE;
	if (checksum && ft_checksum_bad(skb, hook, pkt->l4off, IPPROTO_UDP, pkt->family))
		return FT_INVALID_CHECKSUM;
	return FT_INVALID_NONE;
}

/**
 * ft_udplite_check() - header and checksum of a UDP-Lite packet
 * @skb: the packet; its checksum state may change
 * @pkt: parsed
 * @hook: where the packet is
 * @checksum: verify the checksum
 *
 * What UDP has as length is the coverage of the checksum here, and there must
 * be a checksum (RFC 3828 3.1).
 *
 * Context: any.
 * Return: why the packet is INVALID, or FT_INVALID_NONE.
 */
enum ft_invalid ft_udplite_check(struct sk_buff *skb, const struct ft_pkt *pkt,
				 unsigned int hook, bool checksum)
{
	const struct udphdr *udph;
	struct udphdr buf __uninitialized;
	unsigned int len;

	udph = skb_header_pointer(skb, pkt->l4off, sizeof(buf), &buf);
	if (!udph || pkt->l4len < sizeof(*udph))
		return FT_INVALID_UDP_HEADER;
	len = ntohs(udph->len);
	if (!len)
		len = pkt->l4len;
	if (len < sizeof(*udph) || len > pkt->l4len || !udph->check)
		return FT_INVALID_UDP_HEADER;

	if (checksum && nf_checksum_partial(skb, hook, pkt->l4off, len,
					    IPPROTO_UDPLITE, pkt->family))
		return FT_INVALID_CHECKSUM;
	return FT_INVALID_NONE;
}

/* Has the flow been there for long enough to be a stream? */
static bool lasting(u8 l4proto, u32 since, u32 now)
{
	u32 age = now - since;

	if (l4proto == IPPROTO_UDPLITE)
		return true;
	/* Just below zero: another CPU entered the flow while we came here. */
	return age > STREAM_AFTER && age < (u32)-STREAM_AFTER;
}

/**
 * ft_udp_new() - first packet of a flow
 * @skb: the packet
 * @pkt: parsed
 * @step: filled
 * @state: filled
 *
 * Context: any.
 * Return: FT_VERDICT_ACCEPT.
 */
enum ft_verdict ft_udp_new(const struct sk_buff *skb, const struct ft_pkt *pkt,
			   struct ft_step *step, union ft_proto_state *state)
{
	ft_generic_begin(step, state);
	step->timeout = ft_udp_timeout(step->word, step->set);
	return FT_VERDICT_ACCEPT;
}

/**
 * ft_udp_packet() - later packet of a flow
 * @skb: the packet
 * @pkt: parsed
 * @step: filled
 * @state: of the flow
 *
 * Context: the flow's lock.
 * Return: FT_VERDICT_ACCEPT.
 */
enum ft_verdict ft_udp_packet(const struct sk_buff *skb,
			      const struct ft_pkt *pkt, struct ft_step *step,
			      union ft_proto_state *state)
{
	/* Once a stream, always a stream: an age in 32 bits starts over. */
	bool stream = ft_word_state(step->word) == FLOWTRACK_FLOW_STATE_STREAM ||
		      lasting(pkt->key.l4proto, state->stream.since, step->now);

	ft_generic_advance(step, stream);
	step->timeout = ft_udp_timeout(step->word, step->set);
	return FT_VERDICT_ACCEPT;
}

/**
 * ft_udp_steady() - would ft_udp_packet() change only the deadline?
 * @flow: the flow
 * @word: its bits
 * @step: set, now and dir are given; timeout is filled
 *
 * Looks at the second cache line of @flow only while it is REPLIED.
 *
 * Context: RCU read side; the flow may change meanwhile.
 * Return: true if so.
 */
bool ft_udp_steady(const struct ft_flow *flow, u32 word, struct ft_step *step)
{
	step->timeout = ft_udp_timeout(word, step->set);
	if (ft_word_state(word) == FLOWTRACK_FLOW_STATE_STREAM)
		return word & FT_FLOW_ASSURED && word & FT_FLOW_SEEN_REPLY;
	if (!(word & FT_FLOW_SEEN_REPLY))
		return step->dir == FT_DIR_ORIG;
	return !lasting(READ_ONCE(flow->key.l4proto),
			READ_ONCE(flow->proto.stream.since), step->now);
}

/**
 * ft_udp_timeout() - timeout of a flow
 * @word: its bits
 * @set: settings of the namespace
 *
 * Context: any.
 * Return: jiffies.
 */
u32 ft_udp_timeout(u32 word, const struct ft_settings *set)
{
	if (ft_word_state(word) == FLOWTRACK_FLOW_STATE_STREAM)
		return ft_timeout(set, UDP_TIMEOUT_STREAM);
	return ft_timeout(set, UDP_TIMEOUT);
}
