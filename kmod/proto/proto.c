// SPDX-License-Identifier: GPL-2.0
/*
 * From a protocol number to its state machine. Plain switches: an indirect
 * call on every packet costs more than the machines do.
 */
#include <linux/export.h>
#include <linux/in.h>
#include <linux/minmax.h>
#include <linux/netfilter.h>
#include <linux/nf_flowtrack.h>
#include <net/netfilter/nf_conntrack.h>

#include "proto/generic.h"
#include "proto/gre.h"
#include "proto/icmp.h"
#include "proto/nlattr.h"
#include "proto/proto.h"
#include "proto/sctp.h"
#include "proto/tcp.h"
#include "proto/udp.h"

/**
 * ft_proto_check() - header and checksum of a packet, whatever its flow
 * @skb: the packet, skb->data at its IP header; the state of its checksum may
 *	change, and pointers into it may become stale
 * @pkt: parsed: FT_PARSE_OK, FT_PARSE_ERROR or FT_PARSE_UNTRACKED
 * @hook: where the packet is
 * @checksum: the setting of that name
 *
 * Checksums are looked at where packets come in and nowhere else: our own are
 * good or not computed yet.
 *
 * Context: any.
 * Return: why the packet is INVALID, or FT_INVALID_NONE.
 */
enum ft_invalid ft_proto_check(struct sk_buff *skb, const struct ft_pkt *pkt,
			       unsigned int hook, bool checksum)
{
	checksum = checksum && hook == NF_INET_PRE_ROUTING;

	switch (pkt->key.l4proto) {
	case IPPROTO_TCP:
		return ft_tcp_check(skb, pkt, hook, checksum);
	case IPPROTO_UDP:
		return ft_udp_check(skb, pkt, hook, checksum);
	case IPPROTO_UDPLITE:
		return ft_udplite_check(skb, pkt, hook, checksum);
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		return ft_icmp_check(skb, pkt, hook, checksum);
	case IPPROTO_SCTP:
		return ft_sctp_check(skb, pkt, hook, checksum);
	default:
		return FT_INVALID_NONE;
	}
}

/**
 * ft_proto_new() - may this packet open a flow?
 * @skb: the packet, checked by ft_proto_check()
 * @pkt: parsed, FT_PARSE_OK
 * @step: filled
 * @state: filled, unless the verdict is INVALID
 *
 * Context: any.
 * Return: FT_VERDICT_ACCEPT or FT_VERDICT_INVALID.
 */
enum ft_verdict ft_proto_new(const struct sk_buff *skb,
			     const struct ft_pkt *pkt, struct ft_step *step,
			     union ft_proto_state *state)
{
	switch (pkt->key.l4proto) {
	case IPPROTO_TCP:
		return ft_tcp_new(skb, pkt, step, state);
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
		return ft_udp_new(skb, pkt, step, state);
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		return ft_icmp_new(skb, pkt, step, state);
	case IPPROTO_SCTP:
		return ft_sctp_new(skb, pkt, step, state);
	case IPPROTO_GRE:
		return ft_gre_new(skb, pkt, step, state);
	default:
		return ft_generic_new(skb, pkt, step, state);
	}
}

/**
 * ft_proto_packet() - a packet meets its flow
 * @skb: the packet, checked by ft_proto_check()
 * @pkt: parsed, FT_PARSE_OK
 * @step: filled
 * @state: of the flow
 *
 * Context: the flow's lock.
 * Return: what the packet is to the flow.
 */
enum ft_verdict ft_proto_packet(const struct sk_buff *skb,
				const struct ft_pkt *pkt, struct ft_step *step,
				union ft_proto_state *state)
{
	switch (pkt->key.l4proto) {
	case IPPROTO_TCP:
		return ft_tcp_packet(skb, pkt, step, state);
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
		return ft_udp_packet(skb, pkt, step, state);
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		return ft_icmp_packet(skb, pkt, step, state);
	case IPPROTO_SCTP:
		return ft_sctp_packet(skb, pkt, step, state);
	case IPPROTO_GRE:
		return ft_gre_packet(skb, pkt, step, state);
	default:
		return ft_generic_packet(skb, pkt, step, state);
	}
}

/**
 * ft_proto_steady() - would ft_proto_packet() change nothing but the deadline?
 * @flow: the flow that was found
 * @word: its bits
 * @step: set, now and dir are given; timeout is filled if true
 *
 * TCP and SCTP look at every packet's header with the lock held: never true.
 *
 * Context: RCU read side; the flow may change, and even be another one by the
 * time that this returns.
 * Return: true if so, and the verdict is FT_VERDICT_ACCEPT.
 */
bool ft_proto_steady(const struct ft_flow *flow, u32 word, struct ft_step *step)
{
	u8 l4proto = READ_ONCE(flow->key.l4proto);

	switch (l4proto) {
	case IPPROTO_TCP:
	case IPPROTO_SCTP:
		return false;
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
		return ft_udp_steady(flow, word, step);
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		return ft_icmp_steady(l4proto, word, step);
	case IPPROTO_GRE:
		return ft_gre_steady(word, step);
	default:
		return ft_generic_steady(word, step);
	}
}

/**
 * ft_proto_timeout() - timeout of a flow by its state
 * @l4proto: IPPROTO_*
 * @family: NFPROTO_IPV4 or NFPROTO_IPV6; today no protocol cares
 * @word: bits of the flow
 * @set: settings of the namespace
 *
 * Context: any.
 * Return: jiffies.
 */
u32 ft_proto_timeout(u8 l4proto, u8 family, u32 word,
		     const struct ft_settings *set)
{
	switch (l4proto) {
	case IPPROTO_TCP:
		return ft_tcp_timeout(word, set);
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
		return ft_udp_timeout(word, set);
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		return ft_icmp_timeout(l4proto, word, set);
	case IPPROTO_SCTP:
		return ft_sctp_timeout(word, set);
	case IPPROTO_GRE:
		return ft_gre_timeout(word, set);
	default:
		return ft_generic_timeout(word, set);
	}
}

/**
 * ft_proto_idle() - for how long has a flow had no packet?
 * @l4proto: IPPROTO_*
 * @family: NFPROTO_IPV4 or NFPROTO_IPV6
 * @word: bits of the flow
 * @left: jiffies until its deadline
 * @set: settings of the namespace
 *
 * From the timeout that its state gives it. If that setting was changed since
 * the last packet, the answer is wrong by the difference.
 *
 * Context: any.
 * Return: jiffies, up to a second too many: deadlines move in such steps.
 */
u32 ft_proto_idle(u8 l4proto, u8 family, u32 word, u32 left,
		  const struct ft_settings *set)
{
	u32 timeout;

	if (l4proto == IPPROTO_TCP)
		return ft_tcp_idle(word, left, set);
	timeout = ft_proto_timeout(l4proto, family, word, set);
	return timeout > left ? timeout - left : 0;
}

/**
 * ft_proto_last_ack_due() - a closing flow: will its last packet still come?
 * @l4proto: IPPROTO_*
 * @word: bits of the flow
 *
 * The ACK of the second FIN of TCP, which would be INVALID without the flow.
 *
 * Context: any.
 * Return: true if so.
 */
bool ft_proto_last_ack_due(u8 l4proto, u32 word)
{
	return l4proto == IPPROTO_TCP &&
	       ft_word_state(word) == FLOWTRACK_TCP_STATE_LAST_ACK;
}

/**
 * ft_proto_class() - what a flow is worth by its state
 * @l4proto: IPPROTO_*
 * @word: bits of the flow
 *
 * Context: any.
 * Return: the class.
 */
enum flowtrack_class ft_proto_class(u8 l4proto, u32 word)
{
	switch (l4proto) {
	case IPPROTO_TCP:
		return ft_tcp_class(word);
	case IPPROTO_SCTP:
		return ft_sctp_class(word);
	default:
		return ft_generic_class(word);
	}
}

/**
 * ft_proto_word() - bits of a flow with another state
 * @l4proto: IPPROTO_*
 * @word: its other bits
 * @state: the state
 *
 * Context: any.
 * Return: the bits, with the class that follows from them.
 */
u32 ft_proto_word(u8 l4proto, u32 word, u8 state)
{
	/* The class that is set first is not looked at. */
	word = ft_word_set(word, state, FLOWTRACK_CLASS_CLOSING);
	return ft_word_set(word, state, ft_proto_class(l4proto, word));
}
EXPORT_SYMBOL_NS_GPL(ft_proto_word, FT_SYMBOL_NS);

/**
 * ft_proto_state_max() - highest state of a protocol
 * @l4proto: IPPROTO_*
 *
 * Context: any.
 * Return: the state; all below it exist, too.
 */
u8 ft_proto_state_max(u8 l4proto)
{
	switch (l4proto) {
	case IPPROTO_TCP:
		return FLOWTRACK_TCP_STATE_SYN_SENT2;
	case IPPROTO_SCTP:
		return FLOWTRACK_SCTP_STATE_HEARTBEAT_SENT;
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
	case IPPROTO_GRE:
		return FLOWTRACK_FLOW_STATE_STREAM;
	default:
		return FLOWTRACK_FLOW_STATE_REPLIED;
	}
}
EXPORT_SYMBOL_NS_GPL(ft_proto_state_max, FT_SYMBOL_NS);

/**
 * ft_proto_state_default() - state of a flow of which little is known
 * @l4proto: IPPROTO_*
 * @replied: whether it was answered
 *
 * Context: any.
 * Return: the state.
 */
u8 ft_proto_state_default(u8 l4proto, bool replied)
{
	switch (l4proto) {
	case IPPROTO_TCP:
		return replied ? FLOWTRACK_TCP_STATE_ESTABLISHED :
				 FLOWTRACK_TCP_STATE_SYN_SENT;
	case IPPROTO_SCTP:
		return replied ? FLOWTRACK_SCTP_STATE_ESTABLISHED :
				 FLOWTRACK_SCTP_STATE_COOKIE_WAIT;
	default:
		return replied ? FLOWTRACK_FLOW_STATE_REPLIED :
				 FLOWTRACK_FLOW_STATE_UNREPLIED;
	}
}
EXPORT_SYMBOL_NS_GPL(ft_proto_state_default, FT_SYMBOL_NS);

/**
 * ft_proto_nlattr_size() - what ft_proto_to_nlattr() adds to a message
 *
 * Return: bytes, for the protocol that needs most.
 */
size_t ft_proto_nlattr_size(void)
{
	return max(ft_tcp_nlattr_size(), ft_sctp_nlattr_size());
}

/**
 * ft_proto_to_nlattr() - encode what a protocol keeps of a flow
 * @skb: message
 * @l4proto: protocol of the flow
 * @state: what it keeps
 *
 * Context: any.
 * Return: 0, or -EMSGSIZE with the message in an undefined state.
 */
int ft_proto_to_nlattr(struct sk_buff *skb, u8 l4proto,
		       const union ft_proto_state *state)
{
	switch (l4proto) {
	case IPPROTO_TCP:
		return ft_tcp_to_nlattr(skb, &state->tcp);
	case IPPROTO_SCTP:
		return ft_sctp_to_nlattr(skb, &state->sctp);
	default:
		return 0;
	}
}

/**
 * ft_proto_from_nlattr() - read what a protocol keeps of a flow
 * @attrs: FLOWTRACK_A_FLOW_*, each of them checked by FT_PROTO_NLATTR_POLICY
 * @l4proto: protocol of the flow
 * @state: zeroed; filled
 * @extack: for errors
 *
 * Each protocol is asked: it refuses its attributes in a flow of another one.
 *
 * Context: any.
 * Return: 0, or -EINVAL with message and attribute in @extack.
 */
int ft_proto_from_nlattr(struct nlattr **attrs, u8 l4proto,
			 union ft_proto_state *state,
			 struct netlink_ext_ack *extack)
{
	return ft_tcp_from_nlattr(attrs, l4proto, &state->tcp, extack) ?:
	       ft_sctp_from_nlattr(attrs, l4proto, &state->sctp, extack);
}

/**
 * ft_proto_tuple_nlattr_size() - what ft_proto_tuple_to_nlattr() adds to a message
 *
 * Return: bytes, for the protocol that needs most.
 */
size_t ft_proto_tuple_nlattr_size(void)
{
	return max3(ft_ports_nlattr_size(), ft_icmp_nlattr_size(), ft_gre_nlattr_size());
}

/**
 * ft_proto_tuple_to_nlattr() - encode the protocol's part of a tuple
 * @skb: message, in the tuple's nest
 * @flow: the flow
 * @from: the endpoint that sends: 0 the lower, 1 the upper one
 *
 * Context: any.
 * Return: 0, or -EMSGSIZE with the message in an undefined state.
 */
int ft_proto_tuple_to_nlattr(struct sk_buff *skb, const struct ft_flow *flow,
			     unsigned int from)
{
	if (ft_l4_has_ports(flow->key.l4proto))
		return ft_ports_to_nlattr(skb, flow, from);
	switch (flow->key.l4proto) {
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		return ft_icmp_to_nlattr(skb, flow, from);
	case IPPROTO_GRE:
		return ft_gre_to_nlattr(skb, flow);
	default:
		return 0;
	}
}

/**
 * ft_proto_key_from_nlattr() - identity of a flow from a tuple
 * @tuple: what was read of the tuple
 * @addr: source and destination address
 * @zone: conntrack zone
 * @key: filled
 * @from_hi: set to whether the tuple's sender is the upper endpoint
 *
 * Each protocol is asked: it refuses its attributes in a tuple of another one.
 *
 * Context: any.
 * Return: 0, or -EINVAL with message and attribute in the tuple's extack.
 */
int ft_proto_key_from_nlattr(const struct ft_tuple_nlattr *tuple,
			     const union nf_inet_addr *addr, u16 zone,
			     struct ft_key *key, bool *from_hi)
{
	__be16 port[2] = {};
	int err;

	err = ft_ports_from_nlattr(tuple, port) ?:
	      ft_icmp_from_nlattr(tuple, port);
	if (err)
		return err;
	*from_hi = ft_key_set(key, tuple->family, tuple->l4proto, zone, &addr[0], &addr[1],
			      port[0], port[1]);
	return ft_gre_from_nlattr(tuple, key);
}

/**
 * ft_proto_answers() - can packets answer a flow?
 * @first: the flow's key
 * @answer: that of the packets; another one if the flow is translated
 * @from_hi: the upper endpoint of @answer sends
 *
 * A reply of ICMP has the type and code that its request asks for; NAT leaves them alone.
 *
 * Context: any.
 * Return: true if they can, by what stands for the ports.
 */
bool ft_proto_answers(const struct ft_key *first, const struct ft_key *answer, bool from_hi)
{
	switch (first->l4proto) {
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		return from_hi && answer->port[1] == first->port[1];
	default:
		return true;
	}
}

/**
 * ft_proto_quoted() - could an ICMP error's quoted packet have been sent?
 * @skb: the error
 * @inner: the quoted packet, from ft_tuple_inner()
 * @dir: its direction within the flow
 * @state: of the flow
 *
 * A host that did not see a TCP connection can't guess its sequence numbers,
 * see RFC 5927. Other protocols have nothing to check.
 *
 * Context: the flow's lock.
 * Return: false if it could not.
 */
bool ft_proto_quoted(const struct sk_buff *skb, const struct ft_pkt *inner,
		     enum ft_dir dir, const union ft_proto_state *state)
{
	if (inner->key.l4proto == IPPROTO_TCP)
		return ft_tcp_quoted(skb, inner, dir, state);
	return true;
}
