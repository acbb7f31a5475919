// SPDX-License-Identifier: GPL-2.0
#include <linux/random.h>
#include <net/ip6_checksum.h>

#include "ft_packet.h"
#include "proto/icmp.h"

#define V4	NFPROTO_IPV4
#define V6	NFPROTO_IPV6

static u8 icmp_proto(u8 family)
{
	return family == V4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
}

static struct ft_packet *message(struct kunit *test, u8 family, u8 src, u8 dst,
				 u8 type)
{
	struct ft_packet *p = kunit_kmalloc(test, sizeof(*p), GFP_KERNEL);

	ft_start(p, family, src, dst, icmp_proto(family));
	ft_put_icmp(p, type, 0, 99);
	ft_put(p, "some payload", 13);
	ft_end_ip(p);
	return p;
}

static void seal(struct ft_packet *p)
{
	struct icmphdr *icmph = (struct icmphdr *)&p->b[p->l4];
	unsigned int len = p->len - p->l4;
	struct ipv6hdr *ip6h = (struct ipv6hdr *)p->b;

	icmph->checksum = 0;
	if (ft_family(p) == V4)
		icmph->checksum = ip_compute_csum(icmph, len);
	else
		icmph->checksum = csum_ipv6_magic(&ip6h->saddr, &ip6h->daddr,
						  len, IPPROTO_ICMPV6,
						  csum_partial(icmph, len, 0));
}

static enum ft_invalid check(struct kunit *test, const struct ft_packet *p,
			     bool checksum)
{
	struct sk_buff *skb = ft_skb(test, p, p->len, FT_SHAPE_SPLIT);
	enum ft_invalid reason;
	struct ft_pkt pkt;

	KUNIT_ASSERT_NE(test, ft_tuple_get(skb, ft_family(p), 0, &pkt, &reason),
			FT_PARSE_INVALID);
	reason = ft_icmp_check(skb, &pkt, NF_INET_PRE_ROUTING, checksum);
	kfree_skb(skb);
	return reason;
}

/* Requests, errors and what is not tracked: all have a checksum. */
static void checksum(struct kunit *test)
{
	static const struct {
		u8 family, type;
	} cases[] = {
		{ V4, ICMP_ECHO }, { V4, ICMP_ECHOREPLY },
		{ V4, ICMP_DEST_UNREACH }, { V6, ICMPV6_ECHO_REQUEST },
		{ V6, ICMPV6_PKT_TOOBIG }, { V6, 135 },
	};
	struct ft_packet *p;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		p = message(test, cases[i].family, 1, 2, cases[i].type);
		seal(p);
		KUNIT_EXPECT_EQ(test, check(test, p, true), FT_INVALID_NONE);
		p->b[p->len - 2] ^= 1;
		KUNIT_EXPECT_EQ(test, check(test, p, true), FT_INVALID_CHECKSUM);
		KUNIT_EXPECT_EQ(test, check(test, p, false), FT_INVALID_NONE);
	}
}

/* The datagram ends before the header does, in a frame that goes on. */
static void header(struct kunit *test)
{
	struct ft_packet *p = message(test, V4, 1, 2, ICMP_ECHO);

	ft_set_len(p, 0, 20 + 8);
	KUNIT_EXPECT_EQ(test, check(test, p, false), FT_INVALID_NONE);
	ft_set_len(p, 0, 20 + 7);
	KUNIT_EXPECT_EQ(test, check(test, p, false), FT_INVALID_ICMP_HEADER);
}

static void parse(struct kunit *test, const struct ft_packet *p,
		  struct ft_pkt *pkt)
{
	struct sk_buff *skb = ft_skb(test, p, p->len, FT_SHAPE_LINEAR);
	enum ft_invalid reason;

	KUNIT_ASSERT_EQ(test, ft_tuple_get(skb, ft_family(p), 0, pkt, &reason),
			FT_PARSE_OK);
	kfree_skb(skb);
}

/* Requests open, replies do not, and nothing is ever assured. */
static void exchange(struct kunit *test)
{
	static const struct {
		u8 family, request;
	} cases[] = {
		{ V4, ICMP_ECHO }, { V4, ICMP_TIMESTAMP },
		{ V4, ICMP_INFO_REQUEST }, { V4, ICMP_ADDRESS },
		{ V6, ICMPV6_ECHO_REQUEST }, { V6, ICMPV6_NI_QUERY },
	};
	struct ft_step step = { .set = ft_kunit_timeouts(test) };
	struct ft_pkt request, reply;
	union ft_proto_state state;
	unsigned int i, n;
	u32 timeout;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		u8 family = cases[i].family;
		/* The requester has the higher address, the lower one, the same. */
		u8 src = 1 + i % 3, dst = 2;

		timeout = (100 + (family == V4 ?
				  FLOWTRACK_A_SETTINGS_ICMP_TIMEOUT :
				  FLOWTRACK_A_SETTINGS_ICMPV6_TIMEOUT)) * HZ;
		parse(test, message(test, family, src, dst, cases[i].request),
		      &request);
		parse(test, message(test, family, dst, src,
				    ft_icmp_reply_type(family, cases[i].request)),
		      &reply);

		step.word = 0;
		step.reason = FT_INVALID_NONE;
		KUNIT_EXPECT_EQ(test, ft_icmp_new(NULL, &reply, &step, &state),
				FT_VERDICT_INVALID);
		KUNIT_EXPECT_EQ(test, step.reason, FT_INVALID_ICMP_TYPE);
		step.word = 0;
		step.dir = FT_DIR_ORIG;
		KUNIT_EXPECT_EQ(test, ft_icmp_new(NULL, &request, &step, &state),
				FT_VERDICT_ACCEPT);
		KUNIT_EXPECT_EQ(test, step.timeout, timeout);
		step.word |= request.from_hi ? FT_FLOW_ORIG_HI : 0;
		KUNIT_EXPECT_EQ(test, ft_word_class(step.word),
				FLOWTRACK_CLASS_EMBRYONIC);
		for (n = 0; n < 10; n++) {
			struct ft_pkt *pkt = n % 2 ? &reply : &request;
			u32 before = step.word;
			bool steady;

			step.dir = ft_word_dir(step.word, pkt->from_hi);
			KUNIT_EXPECT_EQ(test, step.dir,
					n % 2 ? FT_DIR_REPLY : FT_DIR_ORIG);
			steady = ft_icmp_steady(pkt->key.l4proto, before, &step);
			KUNIT_EXPECT_EQ(test, steady, n != 1);
			KUNIT_EXPECT_EQ(test, step.timeout, timeout);
			KUNIT_EXPECT_EQ(test, ft_icmp_packet(NULL, pkt, &step,
							     &state),
					FT_VERDICT_ACCEPT);
			KUNIT_EXPECT_EQ(test, steady, step.word == before);
			KUNIT_EXPECT_EQ(test, step.timeout, timeout);
			KUNIT_EXPECT_EQ(test, !!(step.word & FT_FLOW_SEEN_REPLY),
					n >= 1);
			KUNIT_EXPECT_FALSE(test, step.word & FT_FLOW_ASSURED);
		}
	}
}

static struct kunit_case icmp_cases[] = {
	KUNIT_CASE(checksum),
	KUNIT_CASE(header),
	KUNIT_CASE(exchange),
	{}
};

static struct kunit_suite icmp_suite = {
	.name = "ft_proto_icmp",
	.test_cases = icmp_cases,
};

kunit_test_suite(icmp_suite);
