// SPDX-License-Identifier: GPL-2.0
/*
 * From packet to tuple.
 *
 * What opens a flow, what answers, what is an error and what is never tracked
 * is as in nf_conntrack, packet for packet: a ruleset must not notice which of
 * the two tracks. Offsets count from skb->data, and nothing here needs linear
 * data.
 */
#include <linux/bitops.h>
#include <linux/bits.h>
#include <linux/export.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/if_tunnel.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/string.h>
#include <linux/unaligned.h>
#include <net/gre.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include <net/ndisc.h>
#include <net/netfilter/nf_conntrack_tuple.h>

#include "base/siphash13.h"
#include "flow/tuple.h"

/*
 * IPv6 allows any number of extension headers, one after the other. Nobody
 * sends more than a handful; without a limit one packet costs 8000 steps.
 */
#define EXT_HDRS_MAX	32

static void set_address(struct ft_key *key, unsigned int end,
			const union nf_inet_addr *addr)
{
	if (key->family == NFPROTO_IPV4) {
		key->addr4[end] = addr->ip;
		return;
	}
	key->addr6[end] = addr->in6;
	key->addr4[end] = ft_fold6(&addr->in6);
}

static void swap_addresses(struct ft_key *key)
{
	swap(key->addr4[0], key->addr4[1]);
	if (key->family == NFPROTO_IPV6)
		swap(key->addr6[0], key->addr6[1]);
}

/* ipv6_addr_cmp() goes byte by byte on most machines. Both are a key's, and so aligned. */
static int compare_addr6(const struct in6_addr *x, const struct in6_addr *y)
{
	const __be64 *a = (const __be64 *)x;
	const __be64 *b = (const __be64 *)y;
	unsigned int half = a[0] == b[0];

	if (a[half] == b[half])
		return 0;
	return be64_to_cpu(a[half]) > be64_to_cpu(b[half]) ? 1 : -1;
}

/*
 * Put the lower endpoint first. @ports: they belong to the endpoints.
 *
 * Return: more than 0: what was first is now second; 0: both are the same.
 */
static int order(struct ft_key *key, bool ports)
{
	int cmp;

	if (key->family == NFPROTO_IPV4) {
		u32 a = ntohl(key->addr4[0]);
		u32 b = ntohl(key->addr4[1]);

		cmp = (a > b) - (a < b);
	} else {
		cmp = compare_addr6(&key->addr6[0], &key->addr6[1]);
	}
	if (!cmp && ports)
		cmp = (int)ntohs(key->port[0]) - (int)ntohs(key->port[1]);
	if (cmp <= 0)
		return cmp;

	swap_addresses(key);
	if (ports)
		swap(key->port[0], key->port[1]);
	return cmp;
}

/*
 * When a socket talks to itself, nothing tells the directions apart. The first packet opens
 * the flow, and all others count as answers. So, as with nf_conntrack, a TCP socket gets
 * through its simultaneous open, and datagrams do not stay NEW.
 */
static void order_pkt(struct ft_pkt *pkt, bool ports)
{
	int cmp = order(&pkt->key, ports);

	pkt->from_hi = cmp >= 0;
	pkt->opens_hi = cmp > 0;
}

/*
 * Put the requester first, whatever its address: two hosts that ping each
 * other with the same id have two flows, and the request of one must never
 * pass for the reply to the other.
 */
static bool order_icmp(struct ft_key *key, bool reply)
{
	if (reply)
		swap_addresses(key);
	return reply;
}

static u8 icmp_proto(u8 family)
{
	return family == NFPROTO_IPV4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
}

static enum ft_icmp_kind icmp4_kind(u8 type, u8 *request)
{
	switch (type) {
	case ICMP_ECHO:
	case ICMP_TIMESTAMP:
	case ICMP_INFO_REQUEST:
	case ICMP_ADDRESS:
		*request = type;
		return FT_ICMP_REQUEST;
	case ICMP_ECHOREPLY:
		*request = ICMP_ECHO;
		return FT_ICMP_REPLY;
	case ICMP_TIMESTAMPREPLY:
	case ICMP_INFO_REPLY:
	case ICMP_ADDRESSREPLY:
		*request = type - 1;
		return FT_ICMP_REPLY;
	case ICMP_DEST_UNREACH:
	case ICMP_SOURCE_QUENCH:
	case ICMP_REDIRECT:
	case ICMP_TIME_EXCEEDED:
	case ICMP_PARAMETERPROB:
		return FT_ICMP_ERROR;
	default:
		return FT_ICMP_INVALID;
	}
}

static enum ft_icmp_kind icmp6_kind(u8 type, u8 *request)
{
	/* RFC 4443 2.1: errors have the high-order bit clear. */
	if (type < ICMPV6_INFOMSG_MASK)
		return FT_ICMP_ERROR;

	switch (type) {
	case ICMPV6_ECHO_REQUEST:
	case ICMPV6_NI_QUERY:
		*request = type;
		return FT_ICMP_REQUEST;
	case ICMPV6_ECHO_REPLY:
	case ICMPV6_NI_REPLY:
		*request = type - 1;
		return FT_ICMP_REPLY;
	case NDISC_REDIRECT:
		return FT_ICMP_ERROR;
	case ICMPV6_MGM_QUERY:
	case ICMPV6_MGM_REPORT:
	case ICMPV6_MGM_REDUCTION:
	case NDISC_ROUTER_SOLICITATION:
	case NDISC_ROUTER_ADVERTISEMENT:
	case NDISC_NEIGHBOUR_SOLICITATION:
	case NDISC_NEIGHBOUR_ADVERTISEMENT:
	case ICMPV6_MLD2_REPORT:
	case ICMPV6_MRDISC_ADV:
	case ICMPV6_MRDISC_SOL:
		return FT_ICMP_UNTRACKED;
	default:
		return FT_ICMP_INVALID;
	}
}

/**
 * ft_icmp_kind_of() - what a type of ICMP or ICMPv6 is to the tracker
 * @family: NFPROTO_IPV4 or NFPROTO_IPV6
 * @type: the type
 * @request: set to the type of the request if @type is one or answers one,
 *	else to zero
 *
 * The same types as in nf_conntrack_proto_icmp.c and _icmpv6.c. An ICMPv6
 * redirect counts as an error there and here: it quotes the packet that it is
 * about.
 *
 * Context: any.
 * Return: the kind.
 */
enum ft_icmp_kind ft_icmp_kind_of(u8 family, u8 type, u8 *request)
{
	*request = 0;
	return family == NFPROTO_IPV4 ? icmp4_kind(type, request) :
					icmp6_kind(type, request);
}
EXPORT_SYMBOL_NS_GPL(ft_icmp_kind_of, FT_SYMBOL_NS);

/**
 * ft_icmp_reply_type() - the type that answers a request
 * @family: NFPROTO_IPV4 or NFPROTO_IPV6
 * @request: type of the request, one that ft_icmp_kind_of() calls so
 *
 * Context: any.
 * Return: the type of the reply.
 */
u8 ft_icmp_reply_type(u8 family, u8 request)
{
	if (family == NFPROTO_IPV4 && request == ICMP_ECHO)
		return ICMP_ECHOREPLY;
	return request + 1;
}

/* Addresses, protocol, and where the transport header is and ends. */
static __always_inline enum ft_invalid
read_ipv4(const struct sk_buff *skb, unsigned int nhoff, struct ft_pkt *pkt, unsigned int *end)
{
	const struct iphdr *iph;
	struct iphdr buf __uninitialized;

	pkt->key.addr6[0] = (struct in6_addr){};
	pkt->key.addr6[1] = (struct in6_addr){};
	iph = skb_header_pointer(skb, nhoff, sizeof(buf), &buf);
	if (!iph)
		return FT_INVALID_TRUNCATED;
	pkt->key.l4proto = iph->protocol;
	pkt->key.addr4[0] = iph->saddr;
	pkt->key.addr4[1] = iph->daddr;
	if (iph->frag_off & htons(IP_OFFSET))
		return FT_INVALID_FRAGMENT;
	if (iph->ihl < 5)
		return FT_INVALID_IP_HEADER;
	pkt->l4off = nhoff + iph->ihl * 4;
	/* BIG TCP: the length does not fit, so the field is zero. */
	*end = iph->tot_len ? nhoff + ntohs(iph->tot_len) : skb->len;
	return FT_INVALID_NONE;
}

/* The headers of IPv6 that follow the first one: the next one is @nexthdr, at @off. */
static noinline_for_stack enum ft_invalid
read_extensions(const struct sk_buff *skb, unsigned int off, u8 nexthdr, struct ft_pkt *pkt)
{
	const struct ipv6_opt_hdr *ext;
	struct ipv6_opt_hdr extbuf;
	unsigned int i;

	for (i = 0; ipv6_ext_hdr(nexthdr); i++) {
		if (nexthdr == NEXTHDR_NONE || i == EXT_HDRS_MAX)
			return FT_INVALID_IP_HEADER;
		ext = skb_header_pointer(skb, off, sizeof(extbuf), &extbuf);
		if (!ext)
			return FT_INVALID_TRUNCATED;

		if (nexthdr == NEXTHDR_FRAGMENT) {
			const __be16 *frag_off;
			__be16 fragbuf;

			frag_off = skb_header_pointer(skb, off +
						      offsetof(struct frag_hdr, frag_off),
						      sizeof(fragbuf), &fragbuf);
			if (!frag_off)
				return FT_INVALID_TRUNCATED;
			/* An atomic fragment (RFC 6946) is a whole packet. */
			if (*frag_off & htons(IP6_OFFSET))
				return FT_INVALID_FRAGMENT;
			nexthdr = ext->nexthdr;
			off += sizeof(struct frag_hdr);
			continue;
		}
		off += nexthdr == NEXTHDR_AUTH ? ipv6_authlen(ext) :
						 ipv6_optlen(ext);
		nexthdr = ext->nexthdr;
	}
	pkt->key.l4proto = nexthdr;
	pkt->l4off = off;
	return FT_INVALID_NONE;
}

static __always_inline enum ft_invalid
read_ipv6(const struct sk_buff *skb, unsigned int nhoff, struct ft_pkt *pkt, unsigned int *end)
{
	unsigned int off = nhoff + sizeof(struct ipv6hdr);
	const struct ipv6hdr *ip6h;
	struct ipv6hdr buf __uninitialized;

	ip6h = skb_header_pointer(skb, nhoff, sizeof(buf), &buf);
	if (!ip6h) {
		pkt->key.addr6[0] = (struct in6_addr){};
		pkt->key.addr6[1] = (struct in6_addr){};
		return FT_INVALID_TRUNCATED;
	}
	set_address(&pkt->key, 0, (const union nf_inet_addr *)&ip6h->saddr);
	set_address(&pkt->key, 1, (const union nf_inet_addr *)&ip6h->daddr);
	/* Zero: nothing follows, or a jumbogram or BIG TCP. */
	*end = ip6h->payload_len ? off + ntohs(ip6h->payload_len) : skb->len;
	if (unlikely(ip6h->nexthdr != IPPROTO_TCP && ip6h->nexthdr != IPPROTO_UDP))
		return read_extensions(skb, off, ip6h->nexthdr, pkt);
	pkt->key.l4proto = ip6h->nexthdr;
	pkt->l4off = off;
	return FT_INVALID_NONE;
}

static __always_inline enum ft_invalid
read_ip(const struct sk_buff *skb, unsigned int nhoff, u8 family, u16 zone, struct ft_pkt *pkt,
	unsigned int *end)
{
	enum ft_invalid reason;

	/* In pieces, stored inline: each packet pays for what memset() costs. */
	pkt->key.addr4[0] = 0;
	pkt->key.addr4[1] = 0;
	pkt->key.port[0] = 0;
	pkt->key.port[1] = 0;
	pkt->key.l4proto = 0;
	pkt->l4off = 0;
	pkt->l4len = 0;
	pkt->from_hi = false;
	pkt->opens_hi = false;
	pkt->icmp_type = 0;
	pkt->icmp_code = 0;
	pkt->family = family;
	pkt->key.family = family;
	pkt->key.zone = zone;
	reason = family == NFPROTO_IPV4 ? read_ipv4(skb, nhoff, pkt, end) :
					  read_ipv6(skb, nhoff, pkt, end);
	if (!reason && pkt->l4off > skb->len)
		reason = FT_INVALID_TRUNCATED;
	return reason;
}

static enum ft_parse invalid(enum ft_invalid *reason, enum ft_invalid why)
{
	*reason = why;
	return FT_PARSE_INVALID;
}

static noinline_for_stack enum ft_parse
read_icmp(const struct sk_buff *skb, struct ft_pkt *pkt,
	  enum ft_invalid *reason)
{
	/* The fields that are read are the same in ICMP and ICMPv6. */
	const struct icmphdr *icmph;
	struct icmphdr buf;
	u8 request;

	icmph = skb_header_pointer(skb, pkt->l4off, sizeof(buf), &buf);
	if (!icmph)
		return invalid(reason, FT_INVALID_TRUNCATED);
	pkt->icmp_type = icmph->type;
	pkt->icmp_code = icmph->code;
	if (pkt->key.l4proto != icmp_proto(pkt->family))
		return invalid(reason, FT_INVALID_ICMP_TYPE);

	switch (ft_icmp_kind_of(pkt->family, icmph->type, &request)) {
	case FT_ICMP_REQUEST:
		break;
	case FT_ICMP_REPLY:
		pkt->from_hi = order_icmp(&pkt->key, true);
		pkt->opens_hi = pkt->from_hi;
		break;
	case FT_ICMP_ERROR:
		return FT_PARSE_ERROR;
	case FT_ICMP_UNTRACKED:
		return FT_PARSE_UNTRACKED;
	default:
		return invalid(reason, FT_INVALID_ICMP_TYPE);
	}
	pkt->key.port[0] = icmph->un.echo.id;
	pkt->key.port[1] = htons(request << 8 | icmph->code);
	return FT_PARSE_OK;
}

/*
 * Version 0 (RFC 2890): one flow for two hosts, as with nf_conntrack: the keys of
 * a tunnel may differ in the two directions. Version 1 (RFC 2637, PPTP) has a call
 * id. A header too short for that is no reason to refuse the packet: nf_conntrack
 * takes it as one without.
 */
static noinline_for_stack enum ft_parse
read_gre(const struct sk_buff *skb, struct ft_pkt *pkt,
	 enum ft_invalid *reason)
{
	const struct gre_base_hdr *greh;
	struct gre_base_hdr buf;
	const __be16 *half;
	unsigned int off;
	__be16 halves[2];

	greh = skb_header_pointer(skb, pkt->l4off, sizeof(buf), &buf);
	if (!greh)
		goto out;
	if ((greh->flags & GRE_VERSION) != GRE_VERSION_1)
		goto out;
	off = pkt->l4off + sizeof(*greh);
	half = skb_header_pointer(skb, off, sizeof(halves), halves);
	if (!half)
		goto out;
	if (greh->protocol != GRE_PROTO_PPP)
		return invalid(reason, FT_INVALID_GRE_HEADER);
	/* Payload length, then the call id that the receiver gave out. */
	pkt->key.port[1] = half[1];
	order_pkt(pkt, true);
	return FT_PARSE_OK;

out:
	order_pkt(pkt, false);
	return FT_PARSE_OK;
}

static __always_inline enum ft_parse
read_ports(const struct sk_buff *skb, struct ft_pkt *pkt, enum ft_invalid *reason)
{
	const __be16 *port;
	__be16 buf[2] __uninitialized;

	port = skb_header_pointer(skb, pkt->l4off, sizeof(buf), buf);
	if (!port)
		return invalid(reason, FT_INVALID_TRUNCATED);
	pkt->key.port[0] = port[0];
	pkt->key.port[1] = port[1];
	order_pkt(pkt, true);
	return FT_PARSE_OK;
}

static noinline_for_stack enum ft_parse
read_other(const struct sk_buff *skb, struct ft_pkt *pkt, enum ft_invalid *reason)
{
	switch (pkt->key.l4proto) {
	case IPPROTO_UDPLITE:
	case IPPROTO_SCTP:
		return read_ports(skb, pkt, reason);
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		return read_icmp(skb, pkt, reason);
	case IPPROTO_GRE:
		return read_gre(skb, pkt, reason);
	case IPPROTO_DCCP:
		return FT_PARSE_LEFT;
	default:
		order_pkt(pkt, false);
		return FT_PARSE_OK;
	}
}

/* Nearly all packets are of TCP or UDP. */
static __always_inline enum ft_parse
read_l4(const struct sk_buff *skb, struct ft_pkt *pkt, enum ft_invalid *reason)
{
	switch (pkt->key.l4proto) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
		return read_ports(skb, pkt, reason);
	default:
		return read_other(skb, pkt, reason);
	}
}

/**
 * ft_tuple_get() - identify the flow of a packet
 * @skb: the packet, defragmented; its network header is set
 * @family: NFPROTO_IPV4 or NFPROTO_IPV6
 * @zone: conntrack zone
 * @pkt: filled. Complete on FT_PARSE_OK; on FT_PARSE_ERROR,
 *	FT_PARSE_UNTRACKED and FT_PARSE_LEFT there are no ports and the addresses are source and
 *	destination; on FT_PARSE_INVALID it holds what was read so far, else zero
 * @reason: set on FT_PARSE_INVALID
 *
 * Follows get_l4proto() and nf_ct_get_tuple() of nf_conntrack_core.c: a first
 * or atomic fragment is a packet, any other fragment is INVALID, so is an IPv6
 * packet whose headers lead to no transport (RFC 8200 4.7).
 *
 * Context: any.
 * Return: what the packet is.
 */
enum ft_parse ft_tuple_get(const struct sk_buff *skb, u8 family, u16 zone,
			   struct ft_pkt *pkt, enum ft_invalid *reason)
{
	unsigned int end;

	*reason = read_ip(skb, skb_network_offset(skb), family, zone, pkt, &end);
	if (*reason)
		return FT_PARSE_INVALID;
	if (end < pkt->l4off)
		return invalid(reason, FT_INVALID_IP_HEADER);
	if (end > skb->len)
		return invalid(reason, FT_INVALID_TRUNCATED);
	pkt->l4len = end - pkt->l4off;
	return read_l4(skb, pkt, reason);
}

/*
 * Pairs of the lower and the upper endpoint, as the packet has them: of the one that sends
 * first. A pair is compared in one piece.
 */
static __always_inline bool is_pair32(const void *pair, const __be16 *of_key, bool from_hi)
{
	return __get_unaligned_t(u32, pair) == rol32(*(const u32 *)of_key, from_hi * 16);
}

static __always_inline bool is_pair64(const void *pair, const __be32 *of_key, bool from_hi)
{
	return __get_unaligned_t(u64, pair) == rol64(*(const u64 *)of_key, from_hi * 32);
}

static __always_inline bool is_addr6(const struct in6_addr *addr, const struct in6_addr *of_key)
{
	const u64 *half = (const u64 *)of_key;

	return !((__get_unaligned_t(u64, addr) ^ half[0]) |
		 (__get_unaligned_t(u64, (const u64 *)addr + 1) ^ half[1]));
}

/* The fixed part of an IPv4 header, and no options are new. */
static __always_inline bool is_ipv4(const struct sk_buff *skb, unsigned int nhoff,
				    const struct ft_pkt *pkt)
{
	const struct iphdr *iph = (const struct iphdr *)(skb->data + nhoff);
	unsigned int len = ntohs(iph->tot_len);

	return pkt->l4off >= nhoff + sizeof(*iph) &&
	       is_pair64(&iph->saddr, pkt->key.addr4, pkt->from_hi) &&
	       iph->protocol == pkt->key.l4proto && !(iph->frag_off & htons(IP_OFFSET)) &&
	       pkt->l4off == nhoff + iph->ihl * 4 && len == iph->ihl * 4 + pkt->l4len &&
	       nhoff + len <= skb->len;
}

/* An IPv6 header that the transport follows at once. */
static __always_inline bool is_ipv6(const struct sk_buff *skb, unsigned int nhoff,
				    const struct ft_pkt *pkt)
{
	const struct ipv6hdr *ip6h = (const struct ipv6hdr *)(skb->data + nhoff);
	unsigned int len = pkt->l4len;

	return pkt->l4off == nhoff + sizeof(*ip6h) &&
	       is_addr6(&ip6h->saddr, &pkt->key.addr6[pkt->from_hi]) &&
	       is_addr6(&ip6h->daddr, &pkt->key.addr6[!pkt->from_hi]) &&
	       ip6h->nexthdr == pkt->key.l4proto && len && ntohs(ip6h->payload_len) == len &&
	       pkt->l4off + len <= skb->len;
}

/**
 * ft_tuple_is() - would ft_tuple_get() say of a packet what it has said before?
 * @skb: the packet; its network header is set
 * @family: NFPROTO_IPV4 or NFPROTO_IPV6
 * @pkt: what it said of some packet, which may have been this one, with FT_PARSE_OK
 *
 * Cheaper than to ask again, but only the plain case is looked at: ports, no extension
 * headers, the headers in one piece. The zone is the caller's to compare.
 *
 * Context: any.
 * Return: true if it would; false if not, or if that cannot be told.
 */
bool ft_tuple_is(const struct sk_buff *skb, u8 family, const struct ft_pkt *pkt)
{
	unsigned int nhoff = skb_network_offset(skb);

	if (family != pkt->family || !ft_l4_has_ports(pkt->key.l4proto) ||
	    pkt->l4off + sizeof(pkt->key.port) > skb_headlen(skb) ||
	    !is_pair32(skb->data + pkt->l4off, pkt->key.port, pkt->from_hi))
		return false;
	return family == NFPROTO_IPV4 ? is_ipv4(skb, nhoff, pkt) : is_ipv6(skb, nhoff, pkt);
}

/*
 * An ICMPv6 redirect quotes a packet in an option, behind the target and the
 * destination (RFC 4861 4.5, 4.6.3). Only a router on the link may send one.
 *
 * Return: offset of the quoted packet, 0 if there is none.
 */
static unsigned int redirect_quote(const struct sk_buff *skb,
				   const struct ft_pkt *outer)
{
	unsigned int off = outer->l4off + sizeof(struct rd_msg);
	const struct nd_opt_hdr *opt;
	const struct ipv6hdr *ip6h;
	struct nd_opt_hdr optbuf;
	struct ipv6hdr buf;

	if (outer->icmp_code)
		return 0;
	ip6h = skb_header_pointer(skb, skb_network_offset(skb), sizeof(buf),
				  &buf);
	if (!ip6h || ip6h->hop_limit != 255 ||
	    !(ipv6_addr_type(&ip6h->saddr) & IPV6_ADDR_LINKLOCAL))
		return 0;
	opt = skb_header_pointer(skb, off, sizeof(optbuf), &optbuf);
	if (!opt || !opt->nd_opt_len ||
	    opt->nd_opt_type != ND_OPT_REDIRECT_HDR)
		return 0;
	return off + 8;
}

/**
 * ft_tuple_inner() - identify the flow that an ICMP error is about
 * @skb: the error
 * @outer: what ft_tuple_get() made of it, with FT_PARSE_ERROR
 * @inner: filled; its from_hi tells which endpoint sent the quoted packet, and
 *	its l4len is what the quoted header says, which may be more than was
 *	quoted
 * @reason: set on FT_PARSE_INVALID
 *
 * At least eight bytes of the transport header are quoted (RFC 792). Nothing
 * else of the quoted packet is trusted or needed.
 *
 * Context: any.
 * Return: FT_PARSE_OK; FT_PARSE_LEFT, and @inner has no ports; FT_PARSE_INVALID.
 */
enum ft_parse ft_tuple_inner(const struct sk_buff *skb,
			     const struct ft_pkt *outer, struct ft_pkt *inner,
			     enum ft_invalid *reason)
{
	unsigned int off = outer->l4off + sizeof(struct icmphdr);
	enum ft_invalid ignored;
	enum ft_parse parsed;
	unsigned int end;

	*reason = FT_INVALID_ICMP_INNER;
	if (outer->family == NFPROTO_IPV6 &&
	    outer->icmp_type == NDISC_REDIRECT) {
		off = redirect_quote(skb, outer);
		if (!off)
			return FT_PARSE_INVALID;
	}
	if (read_ip(skb, off, outer->family, outer->key.zone, inner, &end))
		return FT_PARSE_INVALID;
	inner->l4len = end > inner->l4off ? end - inner->l4off : 0;
	parsed = read_l4(skb, inner, &ignored);
	if (parsed != FT_PARSE_OK && parsed != FT_PARSE_LEFT)
		return FT_PARSE_INVALID;
	*reason = FT_INVALID_NONE;
	return parsed;
}

/**
 * ft_pkt_to_sender() - does an ICMP error go to the sender of what it quotes?
 * @skb: the error
 * @family: NFPROTO_IPV4 or NFPROTO_IPV6
 * @inner: the quoted packet
 *
 * Else its sender could reach hosts that never talked to it, by quoting a flow
 * of another one; see nf_conntrack_inet_error().
 *
 * Context: any.
 * Return: true if it does.
 */
bool ft_pkt_to_sender(const struct sk_buff *skb, u8 family,
		      const struct ft_pkt *inner)
{
	unsigned int nhoff = skb_network_offset(skb);
	const struct in6_addr *daddr6;
	struct in6_addr buf6;
	const __be32 *daddr;
	__be32 buf;

	if (family == NFPROTO_IPV4) {
		daddr = skb_header_pointer(skb, nhoff +
					   offsetof(struct iphdr, daddr),
					   sizeof(buf), &buf);
		return daddr && *daddr == inner->key.addr4[inner->from_hi];
	}
	daddr6 = skb_header_pointer(skb, nhoff +
				    offsetof(struct ipv6hdr, daddr),
				    sizeof(buf6), &buf6);
	return daddr6 && ipv6_addr_equal(daddr6,
					 &inner->key.addr6[inner->from_hi]);
}

/**
 * ft_l4_name() - what a protocol is called in messages
 * @l4proto: IPPROTO_*
 *
 * Context: any.
 * Return: its name, or NULL if it is known by its number only.
 */
const char *ft_l4_name(u8 l4proto)
{
	switch (l4proto) {
	case IPPROTO_TCP:
		return "tcp";
	case IPPROTO_UDP:
		return "udp";
	case IPPROTO_UDPLITE:
		return "udplite";
	case IPPROTO_SCTP:
		return "sctp";
	case IPPROTO_ICMP:
		return "icmp";
	case IPPROTO_ICMPV6:
		return "icmpv6";
	case IPPROTO_GRE:
		return "gre";
	default:
		return NULL;
	}
}

/**
 * ft_key_set() - identity of a flow from addresses and ports
 * @key: filled
 * @family: NFPROTO_IPV4 or NFPROTO_IPV6
 * @l4proto: IPPROTO_*
 * @zone: conntrack zone
 * @src: source address
 * @dst: destination address
 * @sport: source port; ICMP: the id; GRE: 0
 * @dport: destination port; ICMP: type << 8 | code, the type as @src sends it;
 *	GRE version 1: the call id; version 0: 0
 *
 * The same key as ft_tuple_get() makes of a packet from @src to @dst.
 *
 * Context: any.
 * Return: whether @src is the upper endpoint.
 */
bool ft_key_set(struct ft_key *key, u8 family, u8 l4proto, u16 zone,
		const union nf_inet_addr *src, const union nf_inet_addr *dst,
		__be16 sport, __be16 dport)
{
	u8 type, request;

	/* Field by field: memset() is a call on the path of every new flow. */
	key->port[0] = 0;
	key->port[1] = 0;
	key->addr6[0] = (struct in6_addr){};
	key->addr6[1] = (struct in6_addr){};
	key->family = family;
	key->l4proto = l4proto;
	key->zone = zone;
	set_address(key, 0, src);
	set_address(key, 1, dst);

	switch (l4proto) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
	case IPPROTO_SCTP:
	case IPPROTO_DCCP:
	case IPPROTO_GRE:
		key->port[0] = sport;
		key->port[1] = dport;
		return order(key, true) > 0;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		type = ntohs(dport) >> 8;
		key->port[0] = sport;
		key->port[1] = dport;
		if (ft_icmp_kind_of(family, type, &request) != FT_ICMP_REPLY)
			return order_icmp(key, false);
		key->port[1] = htons(request << 8 | (ntohs(dport) & 0xff));
		return order_icmp(key, true);
	default:
		return order(key, false) > 0;
	}
}

/**
 * ft_key_from_tuple() - identity of a flow from a tuple of nf_conntrack's
 * @key: filled
 * @tuple: of either direction; those of a translated flow make different keys
 * @zone: conntrack zone
 *
 * Context: any.
 * Return: whether the tuple's source is the upper endpoint.
 */
bool ft_key_from_tuple(struct ft_key *key, const struct nf_conntrack_tuple *tuple, u16 zone)
{
	return ft_key_set(key, tuple->src.l3num, tuple->dst.protonum, zone, &tuple->src.u3,
			  &tuple->dst.u3, tuple->src.u.all, tuple->dst.u.all);
}
EXPORT_SYMBOL_NS_GPL(ft_key_from_tuple, FT_SYMBOL_NS);

/**
 * ft_key_hash() - keyed hash of a flow's identity
 * @key: the identity
 * @secret: the namespace's random key
 *
 * SipHash-1-3, as of the kernel's hash tables: it tells a flow's place in the table, which
 * nobody outside of the kernel learns. Ids that are told are made of it by siphash().
 *
 * Hashed are the addresses, of IPv6 in full, and then ports, zone and protocol, which are
 * seven bytes: with the length they make the last word. The length tells the family.
 *
 * Context: any.
 * Return: 64 bits; the table takes the bucket from the lower half and the tag
 * from the upper one.
 */
u64 ft_key_hash(const struct ft_key *key, const siphash_key_t *secret)
{
	const u64 *word = (const u64 *)key;
	u64 rest = le64_to_cpup((const __le64 *)&key->port) & GENMASK_ULL(55, 0);
	struct ft_siphash13 hash;

	static_assert(FT_KEY_HEAD == 2 * sizeof(u64) && sizeof(*key) == 6 * sizeof(u64));
	static_assert(offsetof(struct ft_key, family) == FT_KEY_HEAD - 1);

	ft_siphash13_begin(&hash, secret);
	/* Of IPv6, addr4 follows from addr6. */
	if (key->family == NFPROTO_IPV4) {
		ft_siphash13_word(&hash, word[0]);
		return ft_siphash13_end(&hash, rest, 2 * sizeof(u64) - 1);
	}
	ft_siphash13_word(&hash, word[2]);
	ft_siphash13_word(&hash, word[3]);
	ft_siphash13_word(&hash, word[4]);
	ft_siphash13_word(&hash, word[5]);
	return ft_siphash13_end(&hash, rest, 5 * sizeof(u64) - 1);
}
EXPORT_SYMBOL_NS_GPL(ft_key_hash, FT_SYMBOL_NS);
