// SPDX-License-Identifier: GPL-2.0
/*
 * Parsing: tables of headers, every truncation of each, what nf_conntrack
 * makes of the same bytes, and bytes that make no sense.
 */
#include <linux/if_tunnel.h>
#include <linux/random.h>
#include <linux/siphash.h>
#include <net/ndisc.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_conntrack_core.h>

#include "ft_packet.h"

#define V4	NFPROTO_IPV4
#define V6	NFPROTO_IPV6
#define ZONE	0x1234

static enum ft_parse parse(struct kunit *test, const struct ft_packet *p,
			   enum ft_shape shape, struct ft_pkt *pkt,
			   enum ft_invalid *reason)
{
	struct sk_buff *skb = ft_skb(test, p, p->len, shape);
	enum ft_parse ret;

	memset(pkt, 0xee, sizeof(*pkt));
	*reason = FT_INVALID_COUNT;
	ret = ft_tuple_get(skb, ft_family(p), ZONE, pkt, reason);
	kfree_skb(skb);
	return ret;
}

/* --- types of ICMP -------------------------------------------------------- */

static const u8 v4_pairs[][2] = {
	{ 8, 0 }, { 13, 14 }, { 15, 16 }, { 17, 18 },
};

static const u8 v6_pairs[][2] = { { 128, 129 }, { 139, 140 } };

static const u8 v4_errors[] = { 3, 4, 5, 11, 12 };

static const u8 v6_untracked[] = {
	130, 131, 132, 133, 134, 135, 136, 143, 151, 152,
};

static enum ft_icmp_kind naive_kind(u8 family, u8 type, u8 *request)
{
	const u8 (*pairs)[2] = family == V4 ? v4_pairs : v6_pairs;
	unsigned int n = family == V4 ? ARRAY_SIZE(v4_pairs) :
					ARRAY_SIZE(v6_pairs);
	unsigned int i;

	*request = 0;
	for (i = 0; i < n; i++) {
		if (pairs[i][0] != type && pairs[i][1] != type)
			continue;
		*request = pairs[i][0];
		return pairs[i][0] == type ? FT_ICMP_REQUEST : FT_ICMP_REPLY;
	}
	if (family == V4)
		return memchr(v4_errors, type, sizeof(v4_errors)) ?
		       FT_ICMP_ERROR : FT_ICMP_INVALID;
	if (type < 128 || type == 137)
		return FT_ICMP_ERROR;
	return memchr(v6_untracked, type, sizeof(v6_untracked)) ?
	       FT_ICMP_UNTRACKED : FT_ICMP_INVALID;
}

static void icmp_kinds(struct kunit *test)
{
	struct nf_conntrack_tuple tuple, reply;
	u8 request, naive_request, family;
	enum ft_icmp_kind kind;
	unsigned int type;
	bool paired;

	for (family = V4; family <= V6; family += V6 - V4) {
		for (type = 0; type < 256; type++) {
			kind = ft_icmp_kind_of(family, type, &request);
			KUNIT_EXPECT_EQ_MSG(test, kind,
					    naive_kind(family, type, &naive_request),
					    "type %u", type);
			KUNIT_EXPECT_EQ_MSG(test, request, naive_request,
					    "type %u", type);

			/* What nf_conntrack can turn around has two sides. */
			memset(&tuple, 0, sizeof(tuple));
			tuple.src.l3num = family;
			tuple.dst.protonum = family == V4 ? IPPROTO_ICMP :
							    IPPROTO_ICMPV6;
			tuple.dst.u.icmp.type = type;
			paired = kind == FT_ICMP_REQUEST ||
				 kind == FT_ICMP_REPLY;
			KUNIT_EXPECT_EQ_MSG(test, paired,
					    nf_ct_invert_tuple(&reply, &tuple),
					    "type %u", type);
			if (kind == FT_ICMP_REQUEST)
				KUNIT_EXPECT_EQ(test, reply.dst.u.icmp.type,
						ft_icmp_reply_type(family, type));
		}
	}
}

/* --- whole packets -------------------------------------------------------- */

enum l4 { TCP, UDP, UDPLITE, SCTP, ICMP, GRE0, GRE0_KEY, GRE0_CKEY, GRE1, OTHER,
	  L4S };

static const char * const l4_names[] = {
	"tcp", "udp", "udplite", "sctp", "icmp", "gre", "gre key",
	"gre checksum key", "pptp", "esp",
};

/* Bytes of the transport header that a parse can't do without. */
static const unsigned int l4_need[L4S] = {
	[TCP] = 4, [UDP] = 4, [UDPLITE] = 4, [SCTP] = 4, [ICMP] = 8,
};

static u8 l4_proto(u8 family, enum l4 l4)
{
	switch (l4) {
	case TCP:
		return IPPROTO_TCP;
	case UDP:
		return IPPROTO_UDP;
	case UDPLITE:
		return IPPROTO_UDPLITE;
	case SCTP:
		return IPPROTO_SCTP;
	case ICMP:
		return family == V4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	case OTHER:
		return IPPROTO_ESP;
	default:
		return IPPROTO_GRE;
	}
}

static void put_gre(struct ft_packet *p, enum l4 l4, u16 hi, u16 lo)
{
	struct {
		__be16 flags;
		__be16 protocol;
		__be16 half[4];
	} greh = {};
	unsigned int at = 0;

	switch (l4) {
	case GRE0_CKEY:
		greh.flags = GRE_CSUM;
		at = 2;
		fallthrough;
	case GRE0_KEY:
		greh.flags |= GRE_KEY;
		break;
	case GRE1:
		greh.flags = GRE_VERSION_1 | GRE_KEY;
		greh.protocol = GRE_PROTO_PPP;
		break;
	default:
		break;
	}
	greh.half[at] = htons(hi);
	greh.half[at + 1] = htons(lo);
	ft_put(p, &greh, sizeof(greh));
}

static void put_l4(struct ft_packet *p, u8 family, enum l4 l4, u16 sport,
		   u16 dport)
{
	switch (l4) {
	case TCP:
		ft_put_tcp(p, sport, dport);
		break;
	case UDP:
	case UDPLITE:
		ft_put_udp(p, sport, dport, 4);
		break;
	case SCTP:
		ft_put_sctp(p, sport, dport, 1);
		break;
	case ICMP:
		ft_put_icmp(p, family == V4 ? ICMP_ECHO : ICMPV6_ECHO_REQUEST,
			    0, sport);
		break;
	case OTHER:
		ft_put(p, "payload", 7);
		break;
	default:
		put_gre(p, l4, sport, dport);
		break;
	}
}

static void make(struct ft_packet *p, u8 family, enum l4 l4, u8 src, u8 dst,
		 u16 sport, u16 dport)
{
	ft_start(p, family, src, dst, l4_proto(family, l4));
	put_l4(p, family, l4, sport, dport);
	ft_end_ip(p);
}

/* Ports in the key of a packet from host 1 to host 2, and from 2 to 1. */
static void whole_packets(struct kunit *test)
{
	static const u16 want[L4S][2][2] = {
		[TCP] = { { 1000, 80 }, { 80, 1000 } },
		[UDP] = { { 1000, 80 }, { 80, 1000 } },
		[UDPLITE] = { { 1000, 80 }, { 80, 1000 } },
		[SCTP] = { { 1000, 80 }, { 80, 1000 } },
		[GRE0] = { { 0, 0 }, { 0, 0 } },
		[GRE0_KEY] = { { 0, 0 }, { 0, 0 } },
		[GRE0_CKEY] = { { 0, 0 }, { 0, 0 } },
		[GRE1] = { { 0, 80 }, { 80, 0 } },
		[OTHER] = { { 0, 0 }, { 0, 0 } },
	};
	enum ft_invalid reason;
	struct ft_packet *p;
	struct ft_pkt pkt;
	enum ft_shape shape;
	unsigned int hdr;
	bool down;
	u8 family;
	enum l4 l4;

	p = kunit_kmalloc(test, sizeof(*p), GFP_KERNEL);
	for (l4 = 0; l4 < 2 * 2 * FT_SHAPES * L4S; l4++) {
		enum l4 kind = l4 % L4S;

		shape = l4 / L4S % FT_SHAPES;
		family = l4 / L4S / FT_SHAPES % 2 ? V6 : V4;
		down = l4 / L4S / FT_SHAPES / 2;
		make(p, family, kind, down ? 2 : 1, down ? 1 : 2, 1000, 80);
		KUNIT_ASSERT_EQ_MSG(test, parse(test, p, shape, &pkt, &reason),
				    FT_PARSE_OK, "%s", l4_names[kind]);
		KUNIT_EXPECT_EQ(test, reason, FT_INVALID_NONE);
		hdr = family == V4 ? 20 : 40;
		KUNIT_EXPECT_EQ(test, pkt.l4off, hdr);
		KUNIT_EXPECT_EQ(test, pkt.l4len, p->len - hdr);
		KUNIT_EXPECT_EQ(test, pkt.family, family);
		KUNIT_EXPECT_EQ(test, pkt.key.family, family);
		KUNIT_EXPECT_EQ(test, pkt.key.zone, ZONE);
		KUNIT_EXPECT_EQ(test, pkt.key.l4proto, l4_proto(family, kind));
		KUNIT_EXPECT_EQ_MSG(test, pkt.from_hi, down && kind != ICMP,
				    "%s", l4_names[kind]);
		if (kind == ICMP) {
			u8 type = family == V4 ? 8 : 128;

			KUNIT_EXPECT_EQ(test, pkt.key.port[0], htons(1000));
			KUNIT_EXPECT_EQ(test, pkt.key.port[1], htons(type << 8));
			KUNIT_EXPECT_EQ(test, pkt.icmp_type, type);
			continue;
		}
		KUNIT_EXPECT_EQ_MSG(test, ntohs(pkt.key.port[0]),
				    want[kind][down][0], "%s", l4_names[kind]);
		KUNIT_EXPECT_EQ_MSG(test, ntohs(pkt.key.port[1]),
				    want[kind][down][1], "%s", l4_names[kind]);
		if (family == V4) {
			KUNIT_EXPECT_EQ(test, pkt.key.addr4[0], FT_IP4(1));
			KUNIT_EXPECT_EQ(test, pkt.key.addr4[1], FT_IP4(2));
			KUNIT_EXPECT_TRUE(test, !memchr_inv(pkt.key.addr6, 0,
							    sizeof(pkt.key.addr6)));
		} else {
			struct in6_addr a = ft_ip6(1), b = ft_ip6(2);

			KUNIT_EXPECT_TRUE(test, ipv6_addr_equal(&pkt.key.addr6[0], &a));
			KUNIT_EXPECT_TRUE(test, ipv6_addr_equal(&pkt.key.addr6[1], &b));
			KUNIT_EXPECT_EQ(test, pkt.key.addr4[0],
					htonl(0x20010db8 ^ 1));
			KUNIT_EXPECT_EQ(test, pkt.key.addr4[1],
					htonl(0x20010db8 ^ 2));
		}
	}
}

/*
 * Every truncation: by the wire, where the header promises more, and by the
 * sender, where it tells the truth.
 */
static void truncated(struct kunit *test)
{
	enum ft_invalid reason;
	struct ft_packet *p;
	enum ft_shape shape;
	struct ft_pkt pkt;
	struct sk_buff *skb;
	unsigned int len, hdr;
	enum ft_parse ret;
	u8 family;
	enum l4 l4;

	p = kunit_kmalloc(test, sizeof(*p), GFP_KERNEL);
	for (l4 = 0; l4 < 2 * L4S; l4++) {
		family = l4 / L4S ? V6 : V4;
		hdr = family == V4 ? 20 : 40;
		make(p, family, l4 % L4S, 1, 2, 1000, 80);
		for (len = 0; len < p->len; len++) {
			for (shape = 0; shape < FT_SHAPES; shape++) {
				skb = ft_skb(test, p, len, shape);
				ret = ft_tuple_get(skb, family, 0, &pkt, &reason);
				KUNIT_EXPECT_EQ(test, ret, FT_PARSE_INVALID);
				KUNIT_EXPECT_EQ_MSG(test, reason,
						    FT_INVALID_TRUNCATED,
						    "%s, %u bytes",
						    l4_names[l4 % L4S], len);
				kfree_skb(skb);
			}
		}
		for (len = hdr; len <= p->len; len++) {
			ft_set_len(p, 0, len);
			for (shape = 0; shape < FT_SHAPES; shape++) {
				skb = ft_skb(test, p, len, shape);
				ret = ft_tuple_get(skb, family, 0, &pkt, &reason);
				KUNIT_EXPECT_EQ_MSG(test, ret,
						    len - hdr < l4_need[l4 % L4S] ?
						    FT_PARSE_INVALID : FT_PARSE_OK,
						    "%s, %u bytes",
						    l4_names[l4 % L4S], len);
				kfree_skb(skb);
			}
		}
	}
}

/* GRE headers too short for their key, unknown versions, not PPP. */
static void gre(struct kunit *test)
{
	static const struct {
		const char *name;
		__be16 flags;
		__be16 protocol;
		unsigned int len;
		enum ft_parse want;
		u16 port[2];
	} cases[] = {
		{ "no header at all", 0, 0, 0, FT_PARSE_OK, { 0, 0 } },
		{ "key cut off", GRE_KEY, 0, 7, FT_PARSE_OK, { 0, 0 } },
		{ "key just there", GRE_KEY, 0, 8, FT_PARSE_OK, { 0, 0 } },
		{ "key behind routing", GRE_KEY | GRE_ROUTING, 0, 12,
		  FT_PARSE_OK, { 0, 0 } },
		{ "key behind both", GRE_KEY | GRE_ROUTING | GRE_CSUM, 0, 12,
		  FT_PARSE_OK, { 0, 0 } },
		{ "key behind both, cut off", GRE_KEY | GRE_ROUTING, 0, 11,
		  FT_PARSE_OK, { 0, 0 } },
		{ "sequence is no key", GRE_SEQ, 0, 12, FT_PARSE_OK, { 0, 0 } },
		{ "version 2", GRE_KEY | htons(2), 0, 12, FT_PARSE_OK, { 0, 0 } },
		{ "version 7", GRE_KEY | GRE_VERSION, 0, 12, FT_PARSE_OK,
		  { 0, 0 } },
		{ "call id", GRE_KEY | GRE_VERSION_1, GRE_PROTO_PPP, 12,
		  FT_PARSE_OK, { 0, 2 } },
		{ "call id cut off", GRE_KEY | GRE_VERSION_1, GRE_PROTO_PPP, 7,
		  FT_PARSE_OK, { 0, 0 } },
		{ "not PPP, cut off", GRE_KEY | GRE_VERSION_1, 0, 7,
		  FT_PARSE_OK, { 0, 0 } },
		{ "not PPP", GRE_KEY | GRE_VERSION_1, 0, 8, FT_PARSE_INVALID },
	};
	enum ft_invalid reason;
	struct ft_packet *p;
	struct ft_pkt pkt;
	unsigned int i;

	p = kunit_kmalloc(test, sizeof(*p), GFP_KERNEL);
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		__be16 h[6] = { cases[i].flags, cases[i].protocol,
				htons(1), htons(2), htons(3), htons(4) };

		ft_start(p, V4, 1, 2, IPPROTO_GRE);
		ft_put(p, h, cases[i].len);
		ft_end_ip(p);
		KUNIT_EXPECT_EQ_MSG(test,
				    parse(test, p, FT_SHAPE_SPLIT, &pkt, &reason),
				    cases[i].want, "%s", cases[i].name);
		if (cases[i].want == FT_PARSE_INVALID) {
			KUNIT_EXPECT_EQ(test, reason, FT_INVALID_GRE_HEADER);
			continue;
		}
		KUNIT_EXPECT_EQ_MSG(test, ntohs(pkt.key.port[0]),
				    cases[i].port[0], "%s", cases[i].name);
		KUNIT_EXPECT_EQ_MSG(test, ntohs(pkt.key.port[1]),
				    cases[i].port[1], "%s", cases[i].name);
	}
}

/* --- IP headers ----------------------------------------------------------- */

static void ipv4_headers(struct kunit *test)
{
	enum ft_invalid reason;
	struct ft_packet *p;
	struct iphdr *iph;
	struct ft_pkt pkt;
	unsigned int ihl;

	p = kunit_kmalloc(test, sizeof(*p), GFP_KERNEL);
	iph = (struct iphdr *)p->b;

	/* Options: the ports are behind them. */
	for (ihl = 0; ihl < 16; ihl++) {
		ft_start(p, V4, 1, 2, IPPROTO_UDP);
		if (ihl > 5)
			ft_put(p, NULL, (ihl - 5) * 4);
		ft_put_udp(p, 5, 6, 0);
		ft_end_ip(p);
		iph->ihl = ihl;
		if (ihl < 5) {
			KUNIT_EXPECT_EQ(test, parse(test, p, 0, &pkt, &reason),
					FT_PARSE_INVALID);
			KUNIT_EXPECT_EQ(test, reason, FT_INVALID_IP_HEADER);
			continue;
		}
		KUNIT_EXPECT_EQ(test, parse(test, p, FT_SHAPE_CHAIN, &pkt,
					    &reason), FT_PARSE_OK);
		KUNIT_EXPECT_EQ(test, pkt.key.port[0], htons(5));
		KUNIT_EXPECT_EQ(test, pkt.l4off, ihl * 4);
		KUNIT_EXPECT_EQ(test, pkt.l4len, 8);
	}

	make(p, V4, UDP, 1, 2, 5, 6);
	iph->frag_off = htons(IP_DF | IP_CE);
	KUNIT_EXPECT_EQ(test, parse(test, p, 0, &pkt, &reason), FT_PARSE_OK);
	/* A first fragment has its ports. */
	iph->frag_off = htons(IP_MF);
	KUNIT_EXPECT_EQ(test, parse(test, p, 0, &pkt, &reason), FT_PARSE_OK);
	for (ihl = 1; ihl <= IP_OFFSET; ihl <<= 1) {
		iph->frag_off = htons(ihl);
		KUNIT_EXPECT_EQ(test, parse(test, p, 0, &pkt, &reason),
				FT_PARSE_INVALID);
		KUNIT_EXPECT_EQ(test, reason, FT_INVALID_FRAGMENT);
	}
	iph->frag_off = 0;

	/* BIG TCP has no room for the length. */
	iph->tot_len = 0;
	KUNIT_EXPECT_EQ(test, parse(test, p, 0, &pkt, &reason), FT_PARSE_OK);
	KUNIT_EXPECT_EQ(test, pkt.l4len, p->len - 20);
	/* The end of the datagram counts, not what a bridge padded. */
	iph->tot_len = htons(30);
	KUNIT_EXPECT_EQ(test, parse(test, p, 0, &pkt, &reason), FT_PARSE_OK);
	KUNIT_EXPECT_EQ(test, pkt.l4len, 10);
	iph->tot_len = htons(19);
	KUNIT_EXPECT_EQ(test, parse(test, p, 0, &pkt, &reason), FT_PARSE_INVALID);
	KUNIT_EXPECT_EQ(test, reason, FT_INVALID_IP_HEADER);
	iph->tot_len = htons(p->len + 1);
	KUNIT_EXPECT_EQ(test, parse(test, p, 0, &pkt, &reason), FT_PARSE_INVALID);
	KUNIT_EXPECT_EQ(test, reason, FT_INVALID_TRUNCATED);
}

/* An extension header of @len bytes, the next one of type @next. */
static void put_ext(struct ft_packet *p, u8 type, u8 next, unsigned int len)
{
	u8 *ext = ft_put(p, NULL, len);

	ext[0] = next;
	if (type == NEXTHDR_AUTH)
		ext[1] = len / 4 - 2;
	else if (type != NEXTHDR_FRAGMENT)
		ext[1] = len / 8 - 1;
}

static void ipv6_headers(struct kunit *test)
{
	static const struct {
		const char *name;
		u8 type[5];
		u8 len[5];
		u16 frag;	/* of the first fragment header */
		enum ft_invalid want;
	} cases[] = {
		{ "none", { IPPROTO_UDP } },
		{ "hop by hop", { NEXTHDR_HOP, IPPROTO_UDP }, { 8 } },
		{ "routing, long", { NEXTHDR_ROUTING, IPPROTO_UDP }, { 40 } },
		{ "destination twice",
		  { NEXTHDR_DEST, NEXTHDR_DEST, IPPROTO_UDP }, { 8, 16 } },
		{ "authentication", { NEXTHDR_AUTH, IPPROTO_UDP }, { 24 } },
		{ "atomic fragment", { NEXTHDR_FRAGMENT, IPPROTO_UDP }, { 8 } },
		{ "first fragment", { NEXTHDR_FRAGMENT, IPPROTO_UDP }, { 8 }, 1 },
		{ "reserved bits", { NEXTHDR_FRAGMENT, IPPROTO_UDP }, { 8 }, 6 },
		{ "second fragment", { NEXTHDR_FRAGMENT, IPPROTO_UDP }, { 8 },
		  8, FT_INVALID_FRAGMENT },
		{ "last fragment", { NEXTHDR_FRAGMENT, IPPROTO_UDP }, { 8 },
		  0xfff8, FT_INVALID_FRAGMENT },
		{ "all in one",
		  { NEXTHDR_HOP, NEXTHDR_ROUTING, NEXTHDR_FRAGMENT,
		    NEXTHDR_DEST, IPPROTO_UDP }, { 8, 24, 8, 16 } },
		{ "fragment of the inner ones",
		  { NEXTHDR_HOP, NEXTHDR_FRAGMENT, NEXTHDR_DEST, IPPROTO_UDP },
		  { 8, 8, 16 }, 0x100, FT_INVALID_FRAGMENT },
		{ "no next header", { NEXTHDR_NONE }, {}, 0,
		  FT_INVALID_IP_HEADER },
		{ "no next header, later", { NEXTHDR_DEST, NEXTHDR_NONE }, { 8 },
		  0, FT_INVALID_IP_HEADER },
	};
	unsigned int i, j, len, cut;
	enum ft_invalid reason;
	struct ft_packet *p;
	struct ft_pkt pkt;
	enum ft_parse ret;

	p = kunit_kmalloc(test, sizeof(*p), GFP_KERNEL);
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		const u8 *type = cases[i].type;
		__be16 frag = htons(cases[i].frag);

		ft_start(p, V6, 1, 2, type[0]);
		for (j = 0; cases[i].len[j]; j++) {
			put_ext(p, type[j], type[j + 1], cases[i].len[j]);
			if (type[j] == NEXTHDR_FRAGMENT) {
				memcpy(&p->b[p->len - 6], &frag, 2);
				frag = 0;
			}
		}
		len = p->len;
		ft_put_udp(p, 5, 6, 3);
		ft_end_ip(p);
		ret = parse(test, p, i % FT_SHAPES, &pkt, &reason);
		KUNIT_EXPECT_EQ_MSG(test, reason, cases[i].want, "%s",
				    cases[i].name);
		KUNIT_EXPECT_EQ(test, ret == FT_PARSE_OK, !cases[i].want);
		if (cases[i].want)
			continue;
		KUNIT_EXPECT_EQ(test, pkt.key.port[1], htons(6));
		KUNIT_EXPECT_EQ(test, pkt.l4off, len);
		KUNIT_EXPECT_EQ(test, pkt.l4len, 11);

		/* The sender may stop anywhere in it. */
		for (cut = 40; cut < len + 4; cut++) {
			struct ft_packet *q = kmemdup(p, sizeof(*p), GFP_KERNEL);

			KUNIT_ASSERT_NOT_NULL(test, q);
			q->len = cut;
			ft_set_len(q, 0, cut);
			ret = parse(test, q, i % FT_SHAPES, &pkt, &reason);
			KUNIT_EXPECT_EQ_MSG(test, reason, FT_INVALID_TRUNCATED,
					    "%s, %u", cases[i].name, cut);
			kfree(q);
		}
	}

	/* A jumbogram or BIG TCP; here the length field says zero. */
	make(p, V6, UDP, 1, 2, 5, 6);
	((struct ipv6hdr *)p->b)->payload_len = 0;
	KUNIT_EXPECT_EQ(test, parse(test, p, 0, &pkt, &reason), FT_PARSE_OK);
	KUNIT_EXPECT_EQ(test, pkt.l4len, p->len - 40);
	/* The length ends within the extension headers. */
	ft_start(p, V6, 1, 2, NEXTHDR_DEST);
	put_ext(p, NEXTHDR_DEST, IPPROTO_ESP, 16);
	ft_end_ip(p);
	((struct ipv6hdr *)p->b)->payload_len = htons(15);
	KUNIT_EXPECT_EQ(test, parse(test, p, 0, &pkt, &reason), FT_PARSE_INVALID);
	KUNIT_EXPECT_EQ(test, reason, FT_INVALID_IP_HEADER);
}

/* As many extension headers as anybody needs, and no more. */
static void ipv6_many_headers(struct kunit *test)
{
	enum ft_invalid reason;
	struct ft_packet *p;
	struct ft_pkt pkt;
	unsigned int n, i;

	p = kunit_kmalloc(test, sizeof(*p), GFP_KERNEL);
	for (n = 1; n < 100; n++) {
		ft_start(p, V6, 1, 2, NEXTHDR_DEST);
		for (i = 1; i <= n; i++)
			put_ext(p, NEXTHDR_DEST, i == n ? IPPROTO_ESP :
				NEXTHDR_DEST, 8);
		ft_end_ip(p);
		KUNIT_EXPECT_EQ_MSG(test, parse(test, p, 0, &pkt, &reason),
				    n <= 32 ? FT_PARSE_OK : FT_PARSE_INVALID,
				    "%u headers", n);
	}
}

/* --- ICMP ----------------------------------------------------------------- */

static void icmp_flows(struct kunit *test)
{
	struct ft_pkt there, back, other;
	enum ft_invalid reason;
	struct ft_packet *p;
	u8 family, request;
	unsigned int i;

	p = kunit_kmalloc(test, sizeof(*p), GFP_KERNEL);
	for (i = 0; i < ARRAY_SIZE(v4_pairs) + ARRAY_SIZE(v6_pairs); i++) {
		const u8 *pair = i < ARRAY_SIZE(v4_pairs) ? v4_pairs[i] :
				 v6_pairs[i - ARRAY_SIZE(v4_pairs)];
		u8 proto;
		int hosts;

		family = i < ARRAY_SIZE(v4_pairs) ? V4 : V6;
		proto = family == V4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
		/* 1 asks 2, 2 asks 1, 1 asks itself. */
		for (hosts = 0; hosts < 3; hosts++) {
			u8 a = hosts == 1 ? 2 : 1;
			u8 b = hosts == 0 ? 2 : 1;

			ft_start(p, family, a, b, proto);
			ft_put_icmp(p, pair[0], 3, 77);
			ft_end_ip(p);
			KUNIT_ASSERT_EQ(test, parse(test, p, FT_SHAPE_SPLIT,
						    &there, &reason), FT_PARSE_OK);
			ft_start(p, family, b, a, proto);
			ft_put_icmp(p, pair[1], 3, 77);
			ft_end_ip(p);
			KUNIT_ASSERT_EQ(test, parse(test, p, FT_SHAPE_PAGED,
						    &back, &reason), FT_PARSE_OK);
			KUNIT_EXPECT_TRUE(test, !memcmp(&there.key, &back.key,
							sizeof(there.key)));
			KUNIT_EXPECT_FALSE(test, there.from_hi);
			KUNIT_EXPECT_TRUE(test, back.from_hi);
			ft_icmp_kind_of(family, pair[0], &request);
			KUNIT_EXPECT_EQ(test, there.key.port[1],
					htons(request << 8 | 3));
			if (a == b)
				continue;

			/* One host's request is no reply to the other's. */
			ft_start(p, family, b, a, proto);
			ft_put_icmp(p, pair[0], 3, 77);
			ft_end_ip(p);
			KUNIT_ASSERT_EQ(test, parse(test, p, 0, &other, &reason),
					FT_PARSE_OK);
			KUNIT_EXPECT_TRUE(test, memcmp(&there.key, &other.key,
						       sizeof(there.key)));
		}
	}
}

/* Every type, in its own family and in the wrong one. */
static void icmp_types(struct kunit *test)
{
	static const enum ft_parse want[] = {
		[FT_ICMP_REQUEST] = FT_PARSE_OK,
		[FT_ICMP_REPLY] = FT_PARSE_OK,
		[FT_ICMP_ERROR] = FT_PARSE_ERROR,
		[FT_ICMP_UNTRACKED] = FT_PARSE_UNTRACKED,
		[FT_ICMP_INVALID] = FT_PARSE_INVALID,
	};
	enum ft_invalid reason;
	struct ft_packet *p;
	struct ft_pkt pkt;
	unsigned int type;
	u8 family, request;

	p = kunit_kmalloc(test, sizeof(*p), GFP_KERNEL);
	for (type = 0; type < 512; type++) {
		family = type < 256 ? V4 : V6;
		ft_start(p, family, 1, 2, family == V4 ? IPPROTO_ICMP :
			 IPPROTO_ICMPV6);
		ft_put_icmp(p, type, 0, 77);
		ft_end_ip(p);
		KUNIT_EXPECT_EQ_MSG(test, parse(test, p, 0, &pkt, &reason),
				    want[naive_kind(family, type, &request)],
				    "type %u", type);
		KUNIT_EXPECT_EQ(test, pkt.icmp_type, type & 0xff);
		KUNIT_EXPECT_EQ(test, pkt.l4off, family == V4 ? 20 : 40);
		KUNIT_EXPECT_EQ(test, pkt.l4len, 8);

		ft_start(p, family, 1, 2, family == V4 ? IPPROTO_ICMPV6 :
			 IPPROTO_ICMP);
		ft_put_icmp(p, type, 0, 77);
		ft_end_ip(p);
		KUNIT_EXPECT_EQ(test, parse(test, p, 0, &pkt, &reason),
				FT_PARSE_INVALID);
		KUNIT_EXPECT_EQ(test, reason, FT_INVALID_ICMP_TYPE);
	}
}

static enum ft_parse inner(struct kunit *test, const struct ft_packet *p,
			   unsigned int len, enum ft_shape shape,
			   struct ft_pkt *in, bool *to_sender)
{
	struct sk_buff *skb = ft_skb(test, p, len, shape);
	enum ft_invalid reason;
	struct ft_pkt outer;
	enum ft_parse ret;

	KUNIT_ASSERT_EQ(test, ft_tuple_get(skb, ft_family(p), ZONE, &outer,
					   &reason), FT_PARSE_ERROR);
	reason = FT_INVALID_COUNT;
	ret = ft_tuple_inner(skb, &outer, in, &reason);
	KUNIT_EXPECT_EQ(test, reason, ret == FT_PARSE_INVALID ?
			FT_INVALID_ICMP_INNER : FT_INVALID_NONE);
	*to_sender = ret == FT_PARSE_OK &&
		     ft_pkt_to_sender(skb, ft_family(p), in);
	kfree_skb(skb);
	return ret;
}

/*
 * Router 9 tells host 1, which is @orig's sender, about a packet that host 1
 * had sent to host 2; then host 2 about one that it had sent to host 1.
 */
static void errors(struct kunit *test)
{
	struct ft_pkt direct, in;
	enum ft_invalid reason;
	struct ft_packet *p, *q;
	unsigned int l4, hdr, len, need;
	bool to_sender;
	u8 family;
	bool down;

	p = kunit_kmalloc(test, sizeof(*p), GFP_KERNEL);
	q = kunit_kmalloc(test, sizeof(*q), GFP_KERNEL);
	for (l4 = 0; l4 < 4 * L4S; l4++) {
		enum l4 kind = l4 % L4S;
		u8 src, dst;

		family = l4 / L4S % 2 ? V6 : V4;
		down = l4 / L4S / 2;
		src = down ? 2 : 1;
		dst = down ? 1 : 2;
		hdr = family == V4 ? 20 : 40;
		make(q, family, kind, src, dst, 1000, 80);
		KUNIT_ASSERT_EQ(test, parse(test, q, 0, &direct, &reason),
				FT_PARSE_OK);

		ft_start(p, family, 9, src, family == V4 ? IPPROTO_ICMP :
			 IPPROTO_ICMPV6);
		ft_put_icmp(p, family == V4 ? ICMP_DEST_UNREACH :
			    ICMPV6_DEST_UNREACH, 1, 0);
		ft_put(p, q->b, q->len);
		need = hdr + 8 + hdr + l4_need[kind];
		for (len = hdr + 8; len <= p->len; len++) {
			ft_set_len(p, 0, len);
			memset(&in, 0xee, sizeof(in));
			KUNIT_EXPECT_EQ_MSG(test, inner(test, p, len,
							l4 % FT_SHAPES, &in,
							&to_sender),
					    len < need ? FT_PARSE_INVALID :
					    FT_PARSE_OK, "%s, %u of %u",
					    l4_names[kind], len, p->len);
			/* GRE finds its key later. */
			if (len < need || (kind >= GRE0_KEY && len < need + 12))
				continue;
			KUNIT_EXPECT_TRUE(test, !memcmp(&in.key, &direct.key,
							sizeof(in.key)));
			KUNIT_EXPECT_EQ(test, in.from_hi, direct.from_hi);
			KUNIT_EXPECT_EQ(test, in.l4off,
					hdr + 8 + direct.l4off);
			KUNIT_EXPECT_EQ(test, in.l4len, direct.l4len);
			KUNIT_EXPECT_TRUE(test, to_sender);
		}

		/* Quoting a stranger's flow to @dst is not to its sender. */
		if (family == V4) {
			((struct iphdr *)p->b)->daddr = FT_IP4(dst);
			ft_set_len(p, 0, p->len);
		} else {
			((struct ipv6hdr *)p->b)->daddr = ft_ip6(dst);
		}
		KUNIT_EXPECT_EQ(test, inner(test, p, p->len, FT_SHAPE_PAGED,
					    &in, &to_sender), FT_PARSE_OK);
		KUNIT_EXPECT_FALSE(test, to_sender);
	}
}

static void errors_refused(struct kunit *test)
{
	struct ft_packet *p;
	struct iphdr *iph;
	struct ft_pkt in;
	bool to_sender;

	p = kunit_kmalloc(test, sizeof(*p), GFP_KERNEL);

	/* A fragment that is not the first has no ports. */
	ft_start(p, V4, 9, 1, IPPROTO_ICMP);
	ft_put_icmp(p, ICMP_TIME_EXCEEDED, 1, 0);
	ft_put_ip(p, V4, 1, 2, IPPROTO_UDP);
	ft_put_udp(p, 5, 6, 0);
	ft_end_ip(p);
	iph = (struct iphdr *)&p->b[p->ip];
	ft_set_len(p, 0, p->len);
	KUNIT_EXPECT_EQ(test, inner(test, p, p->len, 0, &in, &to_sender),
			FT_PARSE_OK);
	iph->frag_off = htons(IP_MF);
	KUNIT_EXPECT_EQ(test, inner(test, p, p->len, 0, &in, &to_sender),
			FT_PARSE_OK);
	iph->frag_off = htons(100);
	KUNIT_EXPECT_EQ(test, inner(test, p, p->len, 0, &in, &to_sender),
			FT_PARSE_INVALID);
	iph->frag_off = 0;
	/* Its length is what some hosts get wrong: nothing depends on it. */
	iph->tot_len = htons(7);
	KUNIT_EXPECT_EQ(test, inner(test, p, p->len, 0, &in, &to_sender),
			FT_PARSE_OK);
	KUNIT_EXPECT_EQ(test, in.l4len, 0);

	/* An error about an error, and about nobody's business. */
	ft_start(p, V4, 9, 1, IPPROTO_ICMP);
	ft_put_icmp(p, ICMP_DEST_UNREACH, 1, 0);
	ft_put_ip(p, V4, 1, 2, IPPROTO_ICMP);
	ft_put_icmp(p, ICMP_DEST_UNREACH, 1, 0);
	ft_end_ip(p);
	ft_set_len(p, 0, p->len);
	KUNIT_EXPECT_EQ(test, inner(test, p, p->len, 0, &in, &to_sender),
			FT_PARSE_INVALID);
	ft_start(p, V6, 9, 1, IPPROTO_ICMPV6);
	ft_put_icmp(p, ICMPV6_PKT_TOOBIG, 0, 0);
	ft_put_ip(p, V6, 1, 2, IPPROTO_ICMPV6);
	ft_put_icmp(p, NDISC_NEIGHBOUR_SOLICITATION, 0, 0);
	ft_end_ip(p);
	ft_set_len(p, 0, p->len);
	KUNIT_EXPECT_EQ(test, inner(test, p, p->len, 0, &in, &to_sender),
			FT_PARSE_INVALID);
}

/* What is left to nf_conntrack, and errors about it, whatever is in it. */
static void left(struct kunit *test)
{
	enum ft_invalid reason;
	struct ft_packet *p;
	struct ft_pkt pkt;
	bool to_sender;
	unsigned int i;
	u8 family;

	p = kunit_kmalloc(test, sizeof(*p), GFP_KERNEL);
	for (i = 0; i < 2 * FT_SHAPES; i++) {
		family = i < FT_SHAPES ? V4 : V6;
		ft_start(p, family, 1, 2, IPPROTO_DCCP);
		ft_put_udp(p, 5, 6, 0);
		ft_end_ip(p);
		KUNIT_EXPECT_EQ(test, parse(test, p, i % FT_SHAPES, &pkt, &reason),
				FT_PARSE_LEFT);
		KUNIT_EXPECT_EQ(test, reason, FT_INVALID_NONE);
		ft_start(p, family, 9, 1, family == V4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
		ft_put_icmp(p, family == V4 ? ICMP_DEST_UNREACH : ICMPV6_DEST_UNREACH, 1, 0);
		ft_put_ip(p, family, 1, 2, IPPROTO_DCCP);
		ft_put_udp(p, 5, 6, 0);
		ft_end_ip(p);
		ft_set_len(p, 0, p->len);
		KUNIT_EXPECT_EQ(test, inner(test, p, p->len, i % FT_SHAPES, &pkt, &to_sender),
				FT_PARSE_LEFT);
	}
	KUNIT_EXPECT_TRUE(test, ft_l4_left(IPPROTO_DCCP));
	KUNIT_EXPECT_FALSE(test, ft_l4_left(IPPROTO_SCTP));
}

/* A redirect quotes a packet in an option, and only routers may send one. */
static void redirects(struct kunit *test)
{
	static const struct {
		const char *name;
		u8 code, hop_limit, scope, option, option_len;
		bool ok;
	} cases[] = {
		{ "a good one", 0, 255, 0xfe, ND_OPT_REDIRECT_HDR, 7, true },
		{ "code", 1, 255, 0xfe, ND_OPT_REDIRECT_HDR, 7, false },
		{ "forwarded", 0, 254, 0xfe, ND_OPT_REDIRECT_HDR, 7, false },
		{ "from afar", 0, 255, 0x20, ND_OPT_REDIRECT_HDR, 7, false },
		{ "other option", 0, 255, 0xfe, ND_OPT_TARGET_LL_ADDR, 7, false },
		{ "empty option", 0, 255, 0xfe, ND_OPT_REDIRECT_HDR, 0, false },
	};
	struct ft_packet *p;
	struct ft_pkt in;
	unsigned int i, len;
	enum ft_parse ret;
	bool to_sender;
	u8 *option;

	p = kunit_kmalloc(test, sizeof(*p), GFP_KERNEL);
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ipv6hdr *ip6h = (struct ipv6hdr *)p->b;

		ft_start(p, V6, 9, 1, IPPROTO_ICMPV6);
		ip6h->hop_limit = cases[i].hop_limit;
		ip6h->saddr.s6_addr[0] = cases[i].scope;
		ip6h->saddr.s6_addr[1] = 0x80;
		ft_put_icmp(p, NDISC_REDIRECT, cases[i].code, 0);
		ft_put(p, NULL, 32);	/* target, destination */
		option = ft_put(p, NULL, 8);
		option[0] = cases[i].option;
		option[1] = cases[i].option_len;
		ft_put_ip(p, V6, 1, 2, IPPROTO_UDP);
		ft_put_udp(p, 5, 6, 0);
		ft_end_ip(p);
		ft_set_len(p, 0, p->len);
		ret = inner(test, p, p->len, i % FT_SHAPES, &in, &to_sender);
		KUNIT_EXPECT_EQ_MSG(test, ret == FT_PARSE_OK, cases[i].ok, "%s",
				    cases[i].name);
		if (!cases[i].ok)
			continue;
		KUNIT_EXPECT_EQ(test, in.key.port[0], htons(5));
		KUNIT_EXPECT_TRUE(test, to_sender);
		for (len = 48; len < p->len - 4; len++) {
			ft_set_len(p, 0, len);
			KUNIT_EXPECT_EQ(test, inner(test, p, len, 0, &in,
						    &to_sender),
					FT_PARSE_INVALID);
		}
	}
}

/* --- canonical keys ------------------------------------------------------- */

/* The slow way: both endpoints as strings of bytes, then sorted. */
static bool naive_key(struct ft_key *key, u8 family, u8 proto, u16 zone,
		      const union nf_inet_addr *src,
		      const union nf_inet_addr *dst, __be16 sport, __be16 dport)
{
	unsigned int len = family == V4 ? 4 : 16, i, j;
	const union nf_inet_addr *addr[2] = { src, dst };
	__be16 port[2] = { sport, dport };
	bool ports, swap = false;
	u8 end[2][18] = {};

	ports = proto == IPPROTO_TCP || proto == IPPROTO_UDP ||
		proto == IPPROTO_UDPLITE || proto == IPPROTO_SCTP ||
		proto == IPPROTO_DCCP || proto == IPPROTO_GRE;
	for (i = 0; i < 2; i++) {
		memcpy(end[i], addr[i], len);
		if (ports)
			memcpy(end[i] + len, &port[i], 2);
	}
	for (i = 0; i < sizeof(end[0]); i++) {
		if (end[0][i] == end[1][i])
			continue;
		swap = end[0][i] > end[1][i];
		break;
	}

	memset(key, 0, sizeof(*key));
	for (i = 0; i < 2; i++) {
		unsigned int from = swap ? 1 - i : i;
		u8 folded[4] = {};

		for (j = 0; j < len; j++)
			folded[j % 4] ^= end[from][j];
		memcpy(&key->addr4[i], folded, 4);
		if (family == V6)
			memcpy(&key->addr6[i], end[from], 16);
		if (ports)
			key->port[i] = port[from];
	}
	key->zone = zone;
	key->l4proto = proto;
	key->family = family;
	return swap;
}

static void random_addr(union nf_inet_addr *addr)
{
	unsigned int i;

	/* Often equal, often different in one byte only, of any sign. */
	memset(addr, 0, sizeof(*addr));
	for (i = get_random_u32_below(3); i > 0; i--)
		((u8 *)addr)[get_random_u32_below(16)] = get_random_u8();
}

static void keys(struct kunit *test)
{
	static const u8 protos[] = {
		IPPROTO_TCP, IPPROTO_UDP, IPPROTO_UDPLITE, IPPROTO_SCTP,
		IPPROTO_GRE, IPPROTO_ESP, IPPROTO_DCCP,
	};
	union nf_inet_addr a, b;
	struct ft_key key, back, want;
	bool hi, hi_back, same;
	__be16 x, y;
	unsigned int i;
	u8 family, proto;

	for (i = 0; i < 200000; i++) {
		random_addr(&a);
		random_addr(&b);
		family = i % 2 ? V4 : V6;
		proto = protos[get_random_u32_below(ARRAY_SIZE(protos))];
		x = htons(get_random_u32_below(3) << 7);
		y = htons(get_random_u32_below(3) << 7);
		hi = ft_key_set(&key, family, proto, i, &a, &b, x, y);
		if (hi != naive_key(&want, family, proto, i, &a, &b, x, y) ||
		    memcmp(&key, &want, sizeof(key))) {
			KUNIT_FAIL(test, "key of %*ph -> %*ph %u", 16, &a, 16,
				   &b, proto);
			return;
		}
		hi_back = ft_key_set(&back, family, proto, i, &b, &a, y, x);
		same = !memcmp(key.addr6, key.addr6 + 1, 16) &&
		       key.addr4[0] == key.addr4[1] && key.port[0] == key.port[1];
		if (memcmp(&key, &back, sizeof(key)) || hi_back == (same || hi)) {
			KUNIT_FAIL(test, "the way back of %*ph -> %*ph %u", 16,
				   &a, 16, &b, proto);
			return;
		}
	}
}

/* What netlink is given is what a packet has. */
static void keys_of_packets(struct kunit *test)
{
	union nf_inet_addr src, dst;
	enum ft_invalid reason;
	struct ft_packet *p;
	struct ft_pkt pkt;
	struct ft_key key;
	unsigned int i;
	u16 sport, dport;
	bool hi;

	p = kunit_kmalloc(test, sizeof(*p), GFP_KERNEL);
	for (i = 0; i < 20000; i++) {
		u8 family = i % 2 ? V4 : V6;
		enum l4 l4 = get_random_u32_below(GRE1);
		u8 a = get_random_u8(), b = get_random_u8();

		sport = get_random_u16();
		dport = get_random_u16();
		make(p, family, l4, a, b, sport, dport);
		if (l4 == ICMP) {
			u8 pair = get_random_u32_below(2);

			dport = (family == V4 ? v4_pairs : v6_pairs)[1][pair];
			dport = dport << 8 | 5;
			p->b[p->l4] = dport >> 8;
			p->b[p->l4 + 1] = 5;
		}
		if (l4 == GRE0 || l4 == GRE0_KEY || l4 == GRE0_CKEY) {
			sport = 0;
			dport = 0;
		}
		KUNIT_ASSERT_EQ(test, parse(test, p, 0, &pkt, &reason),
				FT_PARSE_OK);
		memset(&src, 0xff, sizeof(src));
		memset(&dst, 0xff, sizeof(dst));
		if (family == V4) {
			src.ip = FT_IP4(a);
			dst.ip = FT_IP4(b);
		} else {
			src.in6 = ft_ip6(a);
			dst.in6 = ft_ip6(b);
		}
		hi = ft_key_set(&key, family, l4_proto(family, l4), ZONE, &src,
				&dst, htons(sport), htons(dport));
		KUNIT_ASSERT_EQ_MSG(test, hi, pkt.opens_hi, "%s", l4_names[l4]);
		KUNIT_ASSERT_TRUE_MSG(test, !memcmp(&key, &pkt.key, sizeof(key)),
				      "%s", l4_names[l4]);
	}
}

/* --- nf_conntrack as the oracle, and noise -------------------------------- */

/* Valid more often than not: headers that lie in one place or two. */
static void noise(struct ft_packet *p)
{
	static const u8 exts[] = {
		NEXTHDR_HOP, NEXTHDR_ROUTING, NEXTHDR_FRAGMENT, NEXTHDR_AUTH,
		NEXTHDR_DEST, NEXTHDR_NONE,
	};
	u8 family = get_random_u32_below(2) ? V4 : V6;
	unsigned int n, i, ext, start;
	u8 proto, type;
	enum l4 l4 = get_random_u32_below(L4S);

	if (!get_random_u32_below(8)) {
		p->len = get_random_u32_below(200);
		get_random_bytes(p->b, p->len);
		p->b[0] = (family == V4 ? 0x40 : 0x60) | (p->b[0] & 0xf);
		return;
	}

	proto = l4_proto(family, l4);
	ft_start(p, family, get_random_u32_below(3), get_random_u32_below(3),
		 proto);
	if (family == V6) {
		n = get_random_u32_below(4);
		for (i = 0; i < n; i++) {
			type = exts[get_random_u32_below(ARRAY_SIZE(exts))];
			start = p->len;
			ext = (1 + get_random_u32_below(3)) * 8;
			if (type == NEXTHDR_FRAGMENT)
				ext = 8;
			put_ext(p, type, proto, ext);
			if (i)
				p->b[p->l4] = type;
			else
				p->b[6] = type;
			p->l4 = start;
		}
	}
	put_l4(p, family, l4, get_random_u32_below(3), get_random_u32_below(3));
	if (l4 == ICMP)
		p->b[p->l4] = get_random_u8();
	ft_end_ip(p);
	for (i = get_random_u32_below(3); i > 0; i--)
		p->b[get_random_u32_below(p->len)] = get_random_u8();
	if (!get_random_u32_below(4))
		p->len = get_random_u32_below(p->len + 1);
	p->b[0] = (family == V4 ? 0x40 : 0x60) | (p->b[0] & 0xf);
}

static bool oracle(const struct sk_buff *skb, unsigned int nhoff, u8 family,
		   struct nf_conntrack_tuple *tuple)
{
	bool ret;

	rcu_read_lock();
	ret = nf_ct_get_tuplepr(skb, nhoff, family, &init_net, tuple);
	rcu_read_unlock();
	return ret;
}

/* Refused for a reason that nf_conntrack does not look at: lengths. */
static bool stricter(const struct ft_packet *p, const struct ft_pkt *pkt)
{
	const struct ipv6hdr *ip6h = (const struct ipv6hdr *)p->b;
	const struct iphdr *iph = (const struct iphdr *)p->b;
	unsigned int end;

	if (ft_family(p) == V4) {
		if (iph->ihl < 5)
			return true;
		end = ntohs(iph->tot_len);
	} else {
		end = ntohs(ip6h->payload_len);
		if (end)
			end += sizeof(*ip6h);
	}
	return pkt->l4off > p->len ||
	       (end && (end > p->len || end < pkt->l4off));
}

static bool same_tuple(const struct ft_pkt *pkt,
		       const struct nf_conntrack_tuple *t)
{
	const struct ft_key *key = &pkt->key;
	bool from = pkt->from_hi;

	if (key->l4proto != t->dst.protonum)
		return false;
	if (key->family == V4 && (key->addr4[from] != t->src.u3.ip ||
				  key->addr4[!from] != t->dst.u3.ip))
		return false;
	if (key->family == V6 &&
	    (!ipv6_addr_equal(&key->addr6[from], &t->src.u3.in6) ||
	     !ipv6_addr_equal(&key->addr6[!from], &t->dst.u3.in6)))
		return false;
	switch (key->l4proto) {
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		return key->port[0] == t->src.u.icmp.id &&
		       pkt->icmp_type == t->dst.u.icmp.type &&
		       pkt->icmp_code == t->dst.u.icmp.code &&
		       (ntohs(key->port[1]) & 0xff) == t->dst.u.icmp.code;
	case IPPROTO_GRE:
		/* It knows the call id only. */
		return !t->dst.u.all ||
		       (key->port[from] == t->src.u.all &&
			key->port[!from] == t->dst.u.all);
	default:
		return key->port[from] == t->src.u.all &&
		       key->port[!from] == t->dst.u.all;
	}
}

/*
 * Half a million packets: nothing is read that is not there (KASAN), every shape
 * gives the same, nf_conntrack thinks likewise.
 */
static void fuzz(struct kunit *test)
{
	struct nf_conntrack_tuple tuple, inverse;
	unsigned int i, rounds, ok = 0, errors = 0;
	struct ft_pkt pkt, again, in;
	enum ft_invalid reason, reason2;
	enum ft_parse ret, ret2;
	struct ft_packet *p;
	struct sk_buff *skb;
	enum ft_shape shape;
	bool theirs;
	u8 family;

	p = kunit_kmalloc(test, sizeof(*p), GFP_KERNEL);
	for (rounds = 0; rounds < 25000; rounds++) {
		noise(p);
		family = ft_family(p);
		skb = ft_skb(test, p, p->len, FT_SHAPE_LINEAR);
		ret = ft_tuple_get(skb, family, 0, &pkt, &reason);
		theirs = oracle(skb, 0, family, &tuple);
		if (ret == FT_PARSE_INVALID) {
			KUNIT_ASSERT_NE(test, reason, FT_INVALID_NONE);
			KUNIT_ASSERT_LT(test, reason, FT_INVALID_COUNT);
			if (theirs)
				theirs = !stricter(p, &pkt) &&
					 nf_ct_invert_tuple(&inverse, &tuple) &&
					 (tuple.dst.protonum != IPPROTO_ICMPV6 ||
					  family == V6) &&
					 (tuple.dst.protonum != IPPROTO_ICMP ||
					  family == V4);
			KUNIT_ASSERT_FALSE_MSG(test, theirs, "%s: %*ph",
					       ft_invalid_name(reason), 64, p->b);
		} else {
			/* Of what is left its ports may be missing. */
			KUNIT_ASSERT_TRUE(test, theirs || ret == FT_PARSE_LEFT);
			KUNIT_ASSERT_LE(test, pkt.l4off + pkt.l4len, p->len);
		}
		if (ret == FT_PARSE_OK) {
			KUNIT_ASSERT_TRUE_MSG(test, same_tuple(&pkt, &tuple),
					      "%*ph", 64, p->b);
			ok++;
		}
		if (ret == FT_PARSE_ERROR) {
			ret2 = ft_tuple_inner(skb, &pkt, &in, &reason);
			KUNIT_ASSERT_EQ(test, ret2 != FT_PARSE_INVALID, !reason);
			errors++;
		}
		kfree_skb(skb);
		if (rounds % 4)
			continue;
		ret = ft_tuple_get((skb = ft_skb(test, p, p->len, 0)), family, 0,
				   &pkt, &reason);
		kfree_skb(skb);
		for (shape = 1; shape < FT_SHAPES; shape++) {
			skb = ft_skb(test, p, p->len, shape);
			ret2 = ft_tuple_get(skb, family, 0, &again, &reason2);
			KUNIT_ASSERT_EQ(test, ret, ret2);
			KUNIT_ASSERT_EQ(test, reason, reason2);
			KUNIT_ASSERT_TRUE(test, !memcmp(&pkt, &again,
							sizeof(pkt)));
			kfree_skb(skb);
		}
	}
	/* It must not have been refused for one reason all the time. */
	KUNIT_EXPECT_GT(test, ok, rounds / 10);
	/* 1.25 % are, and the standard deviation is 0.07 %. */
	KUNIT_EXPECT_GT(test, errors, rounds / 125);

	/* Mutations of one packet in place: cheap, so there are many. */
	for (rounds = 0; rounds < 40; rounds++) {
		noise(p);
		family = ft_family(p);
		p->len = max(p->len, 90u);
		skb = ft_skb(test, p, p->len, FT_SHAPE_LINEAR);
		for (i = 0; i < 12500; i++) {
			u32 r = get_random_u32();

			skb->data[(r & 0xffff) % p->len] = r >> 24;
			ret = ft_tuple_get(skb, family, 0, &pkt, &reason);
			if (ret == FT_PARSE_ERROR)
				ret = ft_tuple_inner(skb, &pkt, &in, &reason);
			if (reason ? ret != FT_PARSE_INVALID :
				     ret == FT_PARSE_INVALID)
				break;
		}
		KUNIT_EXPECT_EQ(test, i, 12500);
		kfree_skb(skb);
	}
}

/* Errors, too: what nf_conntrack reads of the quoted packet. */
static void fuzz_inner(struct kunit *test)
{
	struct nf_conntrack_tuple tuple, inverse;
	unsigned int rounds, ok = 0, hdr;
	struct ft_packet *p, *q;
	struct ft_pkt pkt, in;
	enum ft_invalid reason;
	struct sk_buff *skb;
	enum ft_parse ret;
	bool theirs;
	u8 family;

	p = kunit_kmalloc(test, sizeof(*p), GFP_KERNEL);
	q = kunit_kmalloc(test, sizeof(*q), GFP_KERNEL);
	for (rounds = 0; rounds < 20000; rounds++) {
		noise(q);
		family = ft_family(q);
		ft_start(p, family, 9, 1, family == V4 ? IPPROTO_ICMP :
			 IPPROTO_ICMPV6);
		ft_put_icmp(p, family == V4 ? ICMP_TIME_EXCEEDED :
			    ICMPV6_TIME_EXCEED, 0, 0);
		ft_put(p, q->b, q->len);
		ft_set_len(p, 0, p->len);
		hdr = family == V4 ? 28 : 48;
		skb = ft_skb(test, p, p->len, rounds % FT_SHAPES);
		KUNIT_ASSERT_EQ(test, ft_tuple_get(skb, family, 0, &pkt, &reason),
				FT_PARSE_ERROR);
		ret = ft_tuple_inner(skb, &pkt, &in, &reason);
		theirs = oracle(skb, hdr, family, &tuple) &&
			 nf_ct_invert_tuple(&inverse, &tuple);
		kfree_skb(skb);
		if (ret == FT_PARSE_OK) {
			KUNIT_ASSERT_TRUE(test, theirs);
			KUNIT_ASSERT_TRUE_MSG(test, same_tuple(&in, &tuple),
					      "%*ph", 64, q->b);
			ok++;
			continue;
		}
		if (ret == FT_PARSE_LEFT)
			continue;
		/* Here, too, a header must be whole and of its family. */
		if (theirs && (tuple.dst.protonum == IPPROTO_ICMP ||
			       tuple.dst.protonum == IPPROTO_ICMPV6))
			theirs = (tuple.dst.protonum == IPPROTO_ICMP) ==
				 (family == V4);
		if (theirs)
			theirs = family == V4 ? (q->b[0] & 0xf) >= 5 :
				 in.l4off <= p->len && in.l4off;
		KUNIT_ASSERT_FALSE_MSG(test, theirs, "%*ph", 64, q->b);
	}
	KUNIT_EXPECT_GT(test, ok, rounds / 10);
}

/* --- the hash ------------------------------------------------------------- */

/* On 64-bit machines the kernel's own SipHash-1-3 is hsiphash(), which has 32 bits of it. */
static void hashes(struct kunit *test)
{
	unsigned int i, same_tag = 0, same_low = 0;
	u8 bytes[sizeof(struct ft_key)] __aligned(8);
	u64 hash, last = 0;
	siphash_key_t secret;
	hsiphash_key_t half;
	struct ft_key key;
	unsigned int len;

	get_random_bytes(&secret, sizeof(secret));
	half.key[0] = secret.key[0];
	half.key[1] = secret.key[1];
	for (i = 0; i < 2000; i++) {
		get_random_bytes(&key, sizeof(key));
		key.family = i % 2 ? V4 : V6;
		hash = ft_key_hash(&key, &secret);
		if (key.family == V4) {
			len = offsetof(struct ft_key, family);
			memcpy(bytes, &key, len);
		} else {
			len = offsetof(struct ft_key, family) - offsetof(struct ft_key, port);
			memcpy(bytes, key.addr6, sizeof(key.addr6));
			memcpy(bytes + sizeof(key.addr6), key.port, len);
			len += sizeof(key.addr6);
		}
		KUNIT_ASSERT_EQ(test, (u32)hash, hsiphash(bytes, len, &half));
		same_tag += hash >> 48 == last >> 48;
		same_low += (hash & 0xffff) == (hash >> 48);
		last = hash;
		/* Of IPv4, nothing behind the head counts; of IPv6, addr4 does not. */
		if (key.family == V4)
			get_random_bytes(key.addr6, sizeof(key.addr6));
		else
			get_random_bytes(key.addr4, sizeof(key.addr4));
		KUNIT_ASSERT_EQ(test, hash, ft_key_hash(&key, &secret));
		secret.key[i % 2]++;
		KUNIT_ASSERT_NE(test, hash, ft_key_hash(&key, &secret));
		secret.key[i % 2]--;
	}
	/* Once in 65536, both. */
	KUNIT_EXPECT_LT(test, same_tag, 5);
	KUNIT_EXPECT_LT(test, same_low, 5);
}

static struct kunit_case tuple_cases[] = {
	KUNIT_CASE(icmp_kinds),
	KUNIT_CASE(whole_packets),
	KUNIT_CASE(truncated),
	KUNIT_CASE(gre),
	KUNIT_CASE(ipv4_headers),
	KUNIT_CASE(ipv6_headers),
	KUNIT_CASE(ipv6_many_headers),
	KUNIT_CASE(icmp_flows),
	KUNIT_CASE(icmp_types),
	KUNIT_CASE(errors),
	KUNIT_CASE(errors_refused),
	KUNIT_CASE(left),
	KUNIT_CASE(redirects),
	KUNIT_CASE(keys),
	KUNIT_CASE(hashes),
	KUNIT_CASE_SLOW(keys_of_packets),
	KUNIT_CASE_SLOW(fuzz),
	KUNIT_CASE_SLOW(fuzz_inner),
	{}
};

static struct kunit_suite tuple_suite = {
	.name = "ft_tuple",
	.test_cases = tuple_cases,
};

kunit_test_suite(tuple_suite);
