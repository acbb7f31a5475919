// SPDX-License-Identifier: GPL-2.0
/*
 * Requests and replies of ICMP and ICMPv6. A flow is never assured, and it
 * stays after its reply: replies may come twice, and the id is used again a
 * second later. As nf_conntrack_proto_icmp.c and _icmpv6.c.
 *
 * Types were sorted by tuple.c, and a key names the requester: whatever meets
 * a flow is its request again, or its reply.
 */
#include <linux/icmp.h>
#include <linux/in.h>
#include <linux/netfilter.h>

#include "base/invalid.h"
#include "base/settings.h"
#include "flow/flow.h"
#include "proto/generic.h"
#include "proto/icmp.h"

/**
 * ft_icmp_check() - header and checksum of an ICMP or ICMPv6 packet
 * @skb: the packet, an error or not; its checksum state may change, as
 *	nf_checksum() does it
 * @pkt: parsed
 * @hook: where the packet is
 * @checksum: verify the checksum
 *
 * Context: any.
 * Return: why the packet is INVALID, or FT_INVALID_NONE.
 */
enum ft_invalid ft_icmp_check(struct sk_buff *skb, const struct ft_pkt *pkt,
			      unsigned int hook, bool checksum)
{
	if (pkt->l4len < sizeof(struct icmphdr))
		return FT_INVALID_ICMP_HEADER;
	if (checksum && nf_checksum(skb, hook, pkt->l4off, pkt->key.l4proto,
				    pkt->family))
		return FT_INVALID_CHECKSUM;
	return FT_INVALID_NONE;
}

/**
 * ft_icmp_new() - first packet of a flow
 * @skb: the packet
 * @pkt: parsed
 * @step: filled
 * @state: filled
 *
 * Context: any.
 * Return: FT_VERDICT_ACCEPT for a request, FT_VERDICT_INVALID for a reply that
 * nobody asked for.
 */
enum ft_verdict ft_icmp_new(const struct sk_buff *skb, const struct ft_pkt *pkt,
			    struct ft_step *step, union ft_proto_state *state)
{
	u8 request;

	if (ft_icmp_kind_of(pkt->family, pkt->icmp_type, &request) !=
	    FT_ICMP_REQUEST) {
		step->reason = FT_INVALID_ICMP_TYPE;
		return FT_VERDICT_INVALID;
	}
	ft_generic_begin(step, state);
	step->timeout = ft_icmp_timeout(pkt->key.l4proto, step->word, step->set);
	return FT_VERDICT_ACCEPT;
}

/**
 * ft_icmp_packet() - later packet of a flow
 * @skb: the packet
 * @pkt: parsed
 * @step: filled
 * @state: not used
 *
 * Context: the flow's lock.
 * Return: FT_VERDICT_ACCEPT.
 */
enum ft_verdict ft_icmp_packet(const struct sk_buff *skb,
			       const struct ft_pkt *pkt, struct ft_step *step,
			       union ft_proto_state *state)
{
	ft_generic_advance(step, false);
	step->timeout = ft_icmp_timeout(pkt->key.l4proto, step->word, step->set);
	return FT_VERDICT_ACCEPT;
}

/**
 * ft_icmp_steady() - would ft_icmp_packet() change only the deadline?
 * @l4proto: IPPROTO_ICMP or IPPROTO_ICMPV6
 * @word: bits of the flow
 * @step: set, now and dir are given; timeout is filled
 *
 * Context: any.
 * Return: true if so.
 */
bool ft_icmp_steady(u8 l4proto, u32 word, struct ft_step *step)
{
	step->timeout = ft_icmp_timeout(l4proto, word, step->set);
	return ft_generic_settled(word, step->dir);
}

/**
 * ft_icmp_timeout() - timeout of a flow
 * @l4proto: IPPROTO_ICMP or IPPROTO_ICMPV6
 * @word: bits of the flow
 * @set: settings of the namespace
 *
 * Context: any.
 * Return: jiffies.
 */
u32 ft_icmp_timeout(u8 l4proto, u32 word, const struct ft_settings *set)
{
	if (l4proto == IPPROTO_ICMPV6)
		return ft_timeout(set, ICMPV6_TIMEOUT);
	return ft_timeout(set, ICMP_TIMEOUT);
}
