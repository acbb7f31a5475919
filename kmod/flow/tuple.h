/* SPDX-License-Identifier: GPL-2.0 */
/*
 * From packet to tuple: what identifies the flow that a packet belongs to.
 *
 * Pure: reads the packet, knows nothing of the table. Every access is bounds
 * checked, so that a truncated header is an answer and never a fault.
 */
#ifndef _FT_FLOW_TUPLE_H
#define _FT_FLOW_TUPLE_H

#include <linux/in.h>
#include <linux/in6.h>
#include <linux/netfilter.h>
#include <linux/siphash.h>
#include <linux/skbuff.h>
#include <linux/string.h>
#include <linux/types.h>
#include <net/netfilter/nf_conntrack_tuple.h>

#include "base/invalid.h"

struct nf_conntrack_tuple;

/**
 * struct ft_key - canonical identity of a flow, the same for both directions
 * @addr4: IPv4: lower and upper address; IPv6: each address folded to 32 bits
 *	by exclusive or, so that 16 bytes tell most flows apart
 * @port: ports of the lower and of the upper endpoint (TCP, UDP, UDP-Lite,
 *	SCTP); ICMP: the id and (request type << 8 | code), not ordered;
 *	GRE version 1: 0 for the sender, the call id for the receiver; else 0
 * @zone: conntrack zone, as the ruleset gave it
 * @l4proto: IPPROTO_*
 * @family: NFPROTO_IPV4 or NFPROTO_IPV6; 0 marks a key of no flow
 * @addr6: IPv6: lower and upper address; IPv4: zero
 *
 * The endpoint with the lower (address, port), compared as bytes, comes first
 * and is called the lower one. ICMP has no ports that would tell the requester,
 * so there the requester comes first, whatever its address: of two hosts that
 * ping each other with the same id, the request of one must not pass for the
 * reply to the other. There is no padding: keys are hashed and compared as
 * memory.
 */
struct ft_key {
	__be32 addr4[2];
	__be16 port[2];
	u16 zone;
	u8 l4proto;
	u8 family;
	struct in6_addr addr6[2];
} __aligned(8);

/* What a key needs in a flow object: IPv4 has no use for addr6. */
#define FT_KEY_HEAD	offsetof(struct ft_key, addr6)

/**
 * struct ft_pkt - a packet as the tracker sees it
 * @key: identity of its flow
 * @l4off: offset of the transport header from skb->data, in bytes
 * @l4len: bytes from there to the end of the datagram, as the IP header has it
 * @from_hi: the sender is the upper endpoint of @key. Where both endpoints are the
 *	same it is set, as if the packet answered: what meets such a flow is a reply
 * @opens_hi: @from_hi of a flow that the packet opens
 * @icmp_type: ICMP, ICMPv6: the type; else 0
 * @icmp_code: ICMP, ICMPv6: the code; else 0
 * @family: NFPROTO_IPV4 or NFPROTO_IPV6
 */
struct ft_pkt {
	struct ft_key key;
	unsigned int l4off;
	unsigned int l4len;
	bool from_hi;
	bool opens_hi;
	u8 icmp_type;
	u8 icmp_code;
	u8 family;
};

/**
 * enum ft_parse - what the headers of a packet turn out to be
 * @FT_PARSE_OK: the packet of a flow; ft_pkt is complete
 * @FT_PARSE_ERROR: an ICMP or ICMPv6 error; ft_tuple_inner() tells about which
 *	flow
 * @FT_PARSE_UNTRACKED: never tracked: neighbour discovery, MLD, router messages
 * @FT_PARSE_LEFT: of a protocol that is left to nf_conntrack, see ft_l4_left()
 * @FT_PARSE_INVALID: truncated or inconsistent; the reason is given
 */
enum ft_parse {
	FT_PARSE_OK,
	FT_PARSE_ERROR,
	FT_PARSE_UNTRACKED,
	FT_PARSE_LEFT,
	FT_PARSE_INVALID,
};

/**
 * enum ft_icmp_kind - what an ICMP or ICMPv6 type is to the tracker
 * @FT_ICMP_REQUEST: opens a flow (echo, timestamp, information, address mask;
 *	ICMPv6: echo, node information query)
 * @FT_ICMP_REPLY: answers one
 * @FT_ICMP_ERROR: carries the packet it is about
 * @FT_ICMP_UNTRACKED: ICMPv6 neighbour discovery, MLD, router messages
 * @FT_ICMP_INVALID: anything else
 */
enum ft_icmp_kind {
	FT_ICMP_REQUEST,
	FT_ICMP_REPLY,
	FT_ICMP_ERROR,
	FT_ICMP_UNTRACKED,
	FT_ICMP_INVALID,
};

/**
 * ft_l4_has_ports() - do the packets of a protocol have ports?
 * @l4proto: IPPROTO_*
 *
 * Return: true if so.
 */
static inline bool ft_l4_has_ports(u8 l4proto)
{
	return l4proto == IPPROTO_TCP || l4proto == IPPROTO_UDP ||
	       l4proto == IPPROTO_UDPLITE || l4proto == IPPROTO_SCTP ||
	       l4proto == IPPROTO_DCCP;
}

/**
 * ft_l4_left() - is a protocol left to nf_conntrack?
 * @l4proto: IPPROTO_*
 *
 * nf_conntrack has a state machine for DCCP, on the kernels that know DCCP at all.
 * What nobody uses is not worth a second one, and must not get by with less.
 *
 * Return: true if so.
 */
static inline bool ft_l4_left(u8 l4proto)
{
	return l4proto == IPPROTO_DCCP;
}

/**
 * ft_l4_stateful() - is something of every packet of a protocol kept?
 * @l4proto: IPPROTO_*
 *
 * Return: true for protocols with states of their own; false for those of which
 * enum flowtrack_flow_state says all, and of which most packets change nothing.
 */
static inline bool ft_l4_stateful(u8 l4proto)
{
	return l4proto == IPPROTO_TCP || l4proto == IPPROTO_SCTP;
}

/**
 * ft_l4_original_dst() - can a server ask where a connection was to go to?
 * @l4proto: IPPROTO_*
 *
 * SO_ORIGINAL_DST, which nf_conntrack answers from its table alone.
 *
 * Return: true if so.
 */
static inline bool ft_l4_original_dst(u8 l4proto)
{
	return l4proto == IPPROTO_TCP || l4proto == IPPROTO_SCTP;
}

/**
 * ft_l4_nat() - may a translated flow of a protocol be ours?
 * @l4proto: IPPROTO_*
 * @sport: source port, as ft_key_set() means it
 * @dport: destination port, likewise
 *
 * The call ids of GRE version 1 are not those of its ends, so the key of its answers can't
 * be told. Version 0 has none.
 *
 * Return: true if so.
 */
static inline bool ft_l4_nat(u8 l4proto, __be16 sport, __be16 dport)
{
	return l4proto != IPPROTO_GRE || !(sport | dport);
}

/* What ft_key.addr4 has of an IPv6 address. */
static inline __be32 ft_fold6(const struct in6_addr *addr)
{
	return addr->s6_addr32[0] ^ addr->s6_addr32[1] ^
	       addr->s6_addr32[2] ^ addr->s6_addr32[3];
}

const char *ft_l4_name(u8 l4proto);

enum ft_icmp_kind ft_icmp_kind_of(u8 family, u8 type, u8 *request);

/**
 * ft_tuple_is_icmp() - is a tuple of nf_conntrack's one of ICMP, and of what kind?
 * @tuple: the tuple
 * @kind: set to what its type is, if so
 *
 * Context: any; pure.
 * Return: true if so.
 */
static inline bool ft_tuple_is_icmp(const struct nf_conntrack_tuple *tuple,
				    enum ft_icmp_kind *kind)
{
	u8 family = tuple->src.l3num;
	u8 request;

	if (tuple->dst.protonum != (family == NFPROTO_IPV4 ? IPPROTO_ICMP : IPPROTO_ICMPV6))
		return false;
	*kind = ft_icmp_kind_of(family, tuple->dst.u.icmp.type, &request);
	return true;
}

u8 ft_icmp_reply_type(u8 family, u8 request);

enum ft_parse ft_tuple_get(const struct sk_buff *skb, u8 family, u16 zone,
			   struct ft_pkt *pkt, enum ft_invalid *reason);
enum ft_parse ft_tuple_inner(const struct sk_buff *skb,
			     const struct ft_pkt *outer, struct ft_pkt *inner,
			     enum ft_invalid *reason);

bool ft_tuple_is(const struct sk_buff *skb, u8 family, const struct ft_pkt *pkt);

bool ft_pkt_to_sender(const struct sk_buff *skb, u8 family,
		      const struct ft_pkt *inner);

bool ft_key_set(struct ft_key *key, u8 family, u8 l4proto, u16 zone,
		const union nf_inet_addr *src, const union nf_inet_addr *dst,
		__be16 sport, __be16 dport);
bool ft_key_from_tuple(struct ft_key *key, const struct nf_conntrack_tuple *tuple, u16 zone);

/**
 * ft_key_equal() - are two keys one?
 * @a: a key
 * @b: another one
 *
 * Return: true if so.
 */
static inline bool ft_key_equal(const struct ft_key *a, const struct ft_key *b)
{
	const u64 *p = (const u64 *)a;
	const u64 *q = (const u64 *)b;

	if ((p[0] ^ q[0]) | (p[1] ^ q[1]))
		return false;
	return a->family == NFPROTO_IPV4 || !memcmp(a->addr6, b->addr6, sizeof(a->addr6));
}

u64 ft_key_hash(const struct ft_key *key, const siphash_key_t *secret);

#endif /* _FT_FLOW_TUPLE_H */
