// SPDX-License-Identifier: GPL-2.0
#include <linux/random.h>
#include <net/ip6_checksum.h>

#include "ft_packet.h"
#include "proto/udp.h"

#define V4	NFPROTO_IPV4
#define V6	NFPROTO_IPV6

#define UNREPLIED	FLOWTRACK_FLOW_STATE_UNREPLIED
#define REPLIED		FLOWTRACK_FLOW_STATE_REPLIED
#define STREAM		FLOWTRACK_FLOW_STATE_STREAM

#define SHORT	((100 + FLOWTRACK_A_SETTINGS_UDP_TIMEOUT) * HZ)
#define LONG	((100 + FLOWTRACK_A_SETTINGS_UDP_TIMEOUT_STREAM) * HZ)

static struct ft_packet *datagram(struct kunit *test, u8 family, u8 proto,
				  unsigned int payload)
{
	struct ft_packet *p = kunit_kmalloc(test, sizeof(*p), GFP_KERNEL);
	unsigned int i;

	ft_start(p, family, 1, 2, proto);
	ft_put_udp(p, 1000, 53, payload);
	for (i = 0; i < payload; i++)
		p->b[p->len - payload + i] = i * 7 + 1;
	ft_end_ip(p);
	return p;
}

static struct udphdr *udp(struct ft_packet *p)
{
	return (struct udphdr *)&p->b[p->l4];
}

/* RFC 768, RFC 3828: over the pseudo header and @cover bytes. */
static void seal(struct ft_packet *p, u8 proto, unsigned int cover)
{
	unsigned int len = p->len - p->l4;
	__wsum sum;

	udp(p)->check = 0;
	sum = csum_partial(udp(p), cover, 0);
	if (ft_family(p) == V4)
		udp(p)->check = csum_tcpudp_magic(FT_IP4(1), FT_IP4(2), len,
						  proto, sum);
	else
		udp(p)->check = csum_ipv6_magic(&((struct ipv6hdr *)p->b)->saddr,
						&((struct ipv6hdr *)p->b)->daddr,
						len, proto, sum);
	if (!udp(p)->check)
		udp(p)->check = CSUM_MANGLED_0;
}

static enum ft_invalid check(struct kunit *test, const struct ft_packet *p,
			     enum ft_shape shape, bool checksum)
{
	struct sk_buff *skb = ft_skb(test, p, p->len, shape);
	enum ft_invalid reason;
	struct ft_pkt pkt;

	KUNIT_ASSERT_EQ(test, ft_tuple_get(skb, ft_family(p), 0, &pkt, &reason),
			FT_PARSE_OK);
	if (pkt.key.l4proto == IPPROTO_UDP)
		reason = ft_udp_check(skb, &pkt, NF_INET_PRE_ROUTING, checksum);
	else
		reason = ft_udplite_check(skb, &pkt, NF_INET_PRE_ROUTING,
					  checksum);
	kfree_skb(skb);
	return reason;
}

static void udp_length(struct kunit *test)
{
	static const struct {
		u16 len;
		enum ft_invalid want;
	} cases[] = {
		{ 0, FT_INVALID_UDP_HEADER }, { 7, FT_INVALID_UDP_HEADER },
		{ 8, FT_INVALID_NONE }, { 12, FT_INVALID_NONE },
		{ 18, FT_INVALID_NONE }, { 19, FT_INVALID_UDP_HEADER },
		{ 0xffff, FT_INVALID_UDP_HEADER },
	};
	enum ft_invalid reason;
	struct ft_packet *p = datagram(test, V4, IPPROTO_UDP, 10);
	unsigned int i, len;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		udp(p)->len = htons(cases[i].len);
		reason = check(test, p, i % FT_SHAPES, true);
		KUNIT_EXPECT_EQ_MSG(test, reason, cases[i].want, "length %u",
				    cases[i].len);
	}
	/* Ports are there, the header is not. */
	udp(p)->len = htons(8);
	for (len = 4; len <= 8; len++) {
		p->len = p->l4 + len;
		ft_end_ip(p);
		for (i = 0; i < FT_SHAPES; i++)
			KUNIT_EXPECT_EQ(test, check(test, p, i, false), len < 8 ?
					FT_INVALID_UDP_HEADER : FT_INVALID_NONE);
	}
}

static void udp_checksum(struct kunit *test)
{
	enum ft_shape shape;
	struct ft_packet *p;
	u8 family;

	for (family = V4; family <= V6; family += V6 - V4) {
		p = datagram(test, family, IPPROTO_UDP, 41);
		for (shape = 0; shape < FT_SHAPES; shape++) {
			/* nf_ip_checksum() needs the IP header in one piece. */
			if (shape == FT_SHAPE_PAGED)
				continue;
			seal(p, IPPROTO_UDP, p->len - p->l4);
			KUNIT_EXPECT_EQ(test, check(test, p, shape, true),
					FT_INVALID_NONE);
			p->b[p->len - 1] ^= 0x40;
			KUNIT_EXPECT_EQ(test, check(test, p, shape, true),
					FT_INVALID_CHECKSUM);
			KUNIT_EXPECT_EQ(test, check(test, p, shape, false),
					FT_INVALID_NONE);
			/* None at all is fine, in both families. */
			udp(p)->check = 0;
			KUNIT_EXPECT_EQ(test, check(test, p, shape, true),
					FT_INVALID_NONE);
		}
	}
}

static void udplite_coverage(struct kunit *test)
{
	unsigned int cover, len, i;
	struct ft_packet *p;
	u8 family;

	for (family = V4; family <= V6; family += V6 - V4) {
		p = datagram(test, family, IPPROTO_UDPLITE, 21);
		len = p->len - p->l4;
		for (cover = 0; cover < len + 3; cover++) {
			udp(p)->len = htons(cover);
			if (cover && (cover < 8 || cover > len)) {
				udp(p)->check = 1;
				KUNIT_EXPECT_EQ(test, check(test, p, 0, true),
						FT_INVALID_UDP_HEADER);
				continue;
			}
			seal(p, IPPROTO_UDPLITE, cover ?: len);
			KUNIT_EXPECT_EQ_MSG(test, check(test, p, 0, true),
					    FT_INVALID_NONE, "coverage %u", cover);
			/* What is not covered may break. */
			for (i = 0; i < len; i++) {
				p->b[p->l4 + i] ^= 0x10;
				if (i < 4 || i >= 8)
					KUNIT_EXPECT_EQ_MSG(test,
							    check(test, p, 0, true),
							    i < (cover ?: len) ?
							    FT_INVALID_CHECKSUM :
							    FT_INVALID_NONE,
							    "coverage %u, byte %u",
							    cover, i);
				p->b[p->l4 + i] ^= 0x10;
			}
			/* There must be a checksum. */
			udp(p)->check = 0;
			KUNIT_EXPECT_EQ(test, check(test, p, 0, false),
					FT_INVALID_UDP_HEADER);
		}
	}
}

struct flow {
	struct ft_flow f;
	struct ft_pkt pkt;
	struct ft_step step;
};

static struct flow *begin(struct kunit *test, u8 proto, u32 now)
{
	struct flow *flow = kunit_kzalloc(test, sizeof(*flow), GFP_KERNEL);

	flow->pkt.key.l4proto = proto;
	flow->f.key.l4proto = proto;
	flow->step.set = ft_kunit_timeouts(test);
	flow->step.now = now;
	KUNIT_EXPECT_EQ(test, ft_udp_new(NULL, &flow->pkt, &flow->step,
					 &flow->f.proto), FT_VERDICT_ACCEPT);
	KUNIT_EXPECT_EQ(test, ft_word_state(flow->step.word), UNREPLIED);
	KUNIT_EXPECT_EQ(test, flow->step.timeout, SHORT);
	return flow;
}

/* One packet; what the fast path would have said is checked along the way. */
static u8 packet(struct kunit *test, struct flow *flow, u32 now, enum ft_dir dir)
{
	struct ft_step *step = &flow->step, fast;
	u32 before = step->word;
	bool steady;

	step->now = now;
	step->dir = dir;
	fast = *step;
	fast.timeout = 0;
	steady = ft_udp_steady(&flow->f, before, &fast);
	KUNIT_EXPECT_EQ(test, ft_udp_packet(NULL, &flow->pkt, step,
					    &flow->f.proto), FT_VERDICT_ACCEPT);
	KUNIT_EXPECT_EQ(test, steady, step->word == before);
	KUNIT_EXPECT_EQ(test, step->update, step->word != before);
	if (steady)
		KUNIT_EXPECT_EQ(test, fast.timeout, step->timeout);
	KUNIT_EXPECT_EQ(test, step->timeout, ft_udp_timeout(step->word,
							    step->set));
	KUNIT_EXPECT_EQ(test, step->timeout,
			ft_word_state(step->word) == STREAM ? LONG : SHORT);
	return ft_word_state(step->word);
}

/* The first packet after two seconds that finds the flow replied. */
static void udp_stream(struct kunit *test)
{
	static const u32 starts[] = { 0, 1000, -1, -HZ, -2 * HZ, -2 * HZ - 1 };
	struct flow *flow;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(starts); i++) {
		u32 t = starts[i];

		flow = begin(test, IPPROTO_UDP, t);
		KUNIT_EXPECT_EQ(test, packet(test, flow, t, 0), UNREPLIED);
		KUNIT_EXPECT_EQ(test, packet(test, flow, t + 1, 1), REPLIED);
		KUNIT_EXPECT_EQ(test, packet(test, flow, t + 1, 0), REPLIED);
		KUNIT_EXPECT_EQ(test, packet(test, flow, t + 2 * HZ, 1), REPLIED);
		/* Came here before the flow's first packet did elsewhere. */
		KUNIT_EXPECT_EQ(test, packet(test, flow, t - 1, 0), REPLIED);
		KUNIT_EXPECT_FALSE(test, flow->step.word & FT_FLOW_ASSURED);
		KUNIT_EXPECT_EQ(test, packet(test, flow, t + 2 * HZ + 1, 0),
				STREAM);
		KUNIT_EXPECT_TRUE(test, flow->step.word & FT_FLOW_ASSURED);
		/* For good, whatever the clock says. */
		KUNIT_EXPECT_EQ(test, packet(test, flow, t + 1, 1), STREAM);
		KUNIT_EXPECT_EQ(test, packet(test, flow, t + (1u << 31), 0),
				STREAM);

		/* A late reply is not a stream, the packet after it is. */
		flow = begin(test, IPPROTO_UDP, t);
		KUNIT_EXPECT_EQ(test, packet(test, flow, t + 20 * HZ, 0),
				UNREPLIED);
		KUNIT_EXPECT_EQ(test, packet(test, flow, t + 40 * HZ, 1),
				REPLIED);
		KUNIT_EXPECT_EQ(test, packet(test, flow, t + 40 * HZ, 1),
				STREAM);
		/* As late as 32 bits allow. */
		flow = begin(test, IPPROTO_UDP, t);
		KUNIT_EXPECT_EQ(test, packet(test, flow, t + (1u << 31) + 9, 1),
				REPLIED);
		KUNIT_EXPECT_EQ(test, packet(test, flow, t + (1u << 31) + 9, 0),
				STREAM);
	}
}

/* UDP-Lite does not wait. */
static void udplite_stream(struct kunit *test)
{
	struct flow *flow = begin(test, IPPROTO_UDPLITE, 5);

	KUNIT_EXPECT_EQ(test, packet(test, flow, 5, 0), UNREPLIED);
	KUNIT_EXPECT_EQ(test, packet(test, flow, 5 + 9 * HZ, 0), UNREPLIED);
	KUNIT_EXPECT_EQ(test, packet(test, flow, 5 + 9 * HZ, 1), REPLIED);
	KUNIT_EXPECT_EQ(test, packet(test, flow, 5 + 9 * HZ, 0), STREAM);
}

/* nf_conntrack's own words for it, on random traffic. */
static void udp_twin(struct kunit *test)
{
	unsigned int round, i;
	struct flow *flow;

	for (round = 0; round < 200; round++) {
		u8 proto = round % 2 ? IPPROTO_UDP : IPPROTO_UDPLITE;
		u32 start = get_random_u32(), now = start;
		bool seen_reply = false, assured = false;
		u64 age = 0;

		flow = begin(test, proto, now);
		for (i = 0; i < 60; i++) {
			u32 gap = get_random_u32_below(HZ / 4 + 1), timeout = SHORT;
			enum ft_dir dir = !get_random_u32_below(4);

			age += gap;
			now += gap;
			if (seen_reply && (proto == IPPROTO_UDPLITE ||
					   age > 2 * HZ)) {
				timeout = LONG;
				assured = true;
			}
			seen_reply |= dir == FT_DIR_REPLY;
			packet(test, flow, now, dir);
			KUNIT_ASSERT_EQ(test, flow->step.timeout, timeout);
			KUNIT_ASSERT_EQ(test, !!(flow->step.word &
						 FT_FLOW_SEEN_REPLY), seen_reply);
			KUNIT_ASSERT_EQ(test, !!(flow->step.word &
						 FT_FLOW_ASSURED), assured);
		}
	}
}

static struct kunit_case udp_cases[] = {
	KUNIT_CASE(udp_length),
	KUNIT_CASE(udp_checksum),
	KUNIT_CASE(udplite_coverage),
	KUNIT_CASE(udp_stream),
	KUNIT_CASE(udplite_stream),
	KUNIT_CASE(udp_twin),
	{}
};

static struct kunit_suite udp_suite = {
	.name = "ft_proto_udp",
	.test_cases = udp_cases,
};

kunit_test_suite(udp_suite);
