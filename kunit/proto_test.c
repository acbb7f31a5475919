// SPDX-License-Identifier: GPL-2.0
/*
 * The switchboard: every protocol gets its own machine, and what the fast path
 * is told agrees with what that machine does.
 */
#include <linux/random.h>
#include <net/ip6_checksum.h>
#include <net/sctp/checksum.h>

#include "ft_packet.h"

#define V4	NFPROTO_IPV4
#define V6	NFPROTO_IPV6

static const u8 protos[] = {
	IPPROTO_TCP, IPPROTO_UDP, IPPROTO_UDPLITE, IPPROTO_ICMP, IPPROTO_ICMPV6,
	IPPROTO_SCTP, IPPROTO_GRE, IPPROTO_ESP, IPPROTO_IPIP, 0, 255,
};

/* A first packet of each protocol, without a checksum. */
static void make(struct ft_packet *p, u8 family, u8 proto)
{
	static const struct sctp_chunkhdr init = {
		.type = SCTP_CID_INIT, .length = cpu_to_be16(20),
	};

	ft_start(p, family, 1, 2, proto);
	switch (proto) {
	case IPPROTO_TCP:
		ft_put_tcp(p, 1000, 80);
		break;
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
		ft_put_udp(p, 1000, 80, 9);
		break;
	case IPPROTO_ICMP:
		ft_put_icmp(p, ICMP_ECHO, 0, 5);
		break;
	case IPPROTO_ICMPV6:
		ft_put_icmp(p, ICMPV6_ECHO_REQUEST, 0, 5);
		break;
	case IPPROTO_SCTP:
		ft_put_sctp(p, 1000, 80, 0);
		ft_put(p, &init, sizeof(init));
		ft_put(p, NULL, 16);
		break;
	default:
		ft_put(p, NULL, 20);
		break;
	}
	ft_end_ip(p);
}

/* Sixteen bits, one's complement, over pseudo header and transport. */
static __sum16 naive_sum(const struct ft_packet *p, u8 proto)
{
	unsigned int addrs = ft_family(p) == V4 ? 12 : 8;
	unsigned int len = p->len - p->l4, i;
	u32 sum = 0;

	if (proto == IPPROTO_ICMP)
		addrs = p->l4;
	else
		sum = proto + len;
	for (i = addrs; i < p->len; i++)
		sum += i % 2 ? p->b[i] : p->b[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (__force __sum16)htons(~sum);
}

/* Offset of the checksum in the transport header. */
static unsigned int sum_offset(u8 proto)
{
	switch (proto) {
	case IPPROTO_TCP:
		return 16;
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
		return 6;
	default:
		return 2;
	}
}

static enum ft_invalid check(struct kunit *test, const struct ft_packet *p,
			     unsigned int hook, bool checksum)
{
	struct sk_buff *skb = ft_skb(test, p, p->len, FT_SHAPE_LINEAR);
	enum ft_invalid reason;
	struct ft_pkt pkt;

	KUNIT_ASSERT_EQ(test, ft_tuple_get(skb, ft_family(p), 0, &pkt, &reason),
			FT_PARSE_OK);
	reason = ft_proto_check(skb, &pkt, hook, checksum);
	kfree_skb(skb);
	return reason;
}

/* Bad ones are INVALID where packets come in, if that is wanted. */
static void checksums(struct kunit *test)
{
	struct ft_packet *p = kunit_kmalloc(test, sizeof(*p), GFP_KERNEL);
	unsigned int i, hook;
	__sum16 sum;
	u8 family;

	for (i = 0; i < 2 * ARRAY_SIZE(protos); i++) {
		u8 proto = protos[i / 2];
		bool summed = true;

		family = i % 2 ? V6 : V4;
		if (proto == (family == V4 ? IPPROTO_ICMPV6 : IPPROTO_ICMP) ||
		    (family == V6 && !proto))
			continue;
		make(p, family, proto);
		switch (proto) {
		case IPPROTO_SCTP:
			/* CRC32c; zero is not it. */
			break;
		case IPPROTO_TCP:
		case IPPROTO_UDP:
		case IPPROTO_UDPLITE:
		case IPPROTO_ICMP:
		case IPPROTO_ICMPV6:
			sum = naive_sum(p, proto);
			memcpy(&p->b[p->l4 + sum_offset(proto)], &sum, 2);
			KUNIT_EXPECT_EQ_MSG(test, check(test, p,
							NF_INET_PRE_ROUTING,
							true),
					    FT_INVALID_NONE, "protocol %u",
					    proto);
			p->b[p->l4 + sum_offset(proto)] ^= 0x11;
			break;
		default:
			summed = false;
			break;
		}
		for (hook = 0; hook < NF_INET_NUMHOOKS; hook++) {
			KUNIT_EXPECT_EQ_MSG(test, check(test, p, hook, true),
					    summed && hook == NF_INET_PRE_ROUTING ?
					    FT_INVALID_CHECKSUM : FT_INVALID_NONE,
					    "protocol %u, hook %u", proto, hook);
			KUNIT_EXPECT_EQ(test, check(test, p, hook, false),
					FT_INVALID_NONE);
		}
	}
}

/* A header that is cut short is INVALID for its own reason. */
static void headers(struct kunit *test)
{
	static const struct {
		u8 proto, len;
		enum ft_invalid reason;
	} cases[] = {
		{ IPPROTO_TCP, 4, FT_INVALID_TCP_HEADER },
		{ IPPROTO_TCP, 19, FT_INVALID_TCP_HEADER },
		{ IPPROTO_UDP, 7, FT_INVALID_UDP_HEADER },
		{ IPPROTO_UDPLITE, 7, FT_INVALID_UDP_HEADER },
		{ IPPROTO_SCTP, 11, FT_INVALID_SCTP_HEADER },
		{ IPPROTO_GRE, 0, FT_INVALID_NONE },
		{ IPPROTO_ESP, 0, FT_INVALID_NONE },
	};
	struct ft_packet *p = kunit_kmalloc(test, sizeof(*p), GFP_KERNEL);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		make(p, V4, cases[i].proto);
		p->len = p->l4 + cases[i].len;
		ft_end_ip(p);
		KUNIT_EXPECT_EQ_MSG(test, check(test, p, NF_INET_LOCAL_OUT, true),
				    cases[i].reason, "protocol %u, %u bytes",
				    cases[i].proto, cases[i].len);
	}
}

/* First packet and one more: the state and its timeout are the protocol's. */
static void machines(struct kunit *test)
{
	static const struct {
		u8 proto, family, state;
		unsigned int timeout;
	} cases[] = {
		{ IPPROTO_TCP, V4, FLOWTRACK_TCP_STATE_SYN_SENT,
		  FLOWTRACK_A_SETTINGS_TCP_TIMEOUT_SYN_SENT },
		{ IPPROTO_UDP, V4, 0, FLOWTRACK_A_SETTINGS_UDP_TIMEOUT },
		{ IPPROTO_UDPLITE, V6, 0, FLOWTRACK_A_SETTINGS_UDP_TIMEOUT },
		{ IPPROTO_ICMP, V4, 0, FLOWTRACK_A_SETTINGS_ICMP_TIMEOUT },
		{ IPPROTO_ICMPV6, V6, 0, FLOWTRACK_A_SETTINGS_ICMPV6_TIMEOUT },
		{ IPPROTO_SCTP, V4, FLOWTRACK_SCTP_STATE_CLOSED,
		  FLOWTRACK_A_SETTINGS_SCTP_TIMEOUT_CLOSED },
		{ IPPROTO_GRE, V6, 0, FLOWTRACK_A_SETTINGS_GRE_TIMEOUT },
		{ IPPROTO_ESP, V4, 0, FLOWTRACK_A_SETTINGS_GENERIC_TIMEOUT },
		{ 255, V6, 0, FLOWTRACK_A_SETTINGS_GENERIC_TIMEOUT },
	};
	struct ft_packet *p = kunit_kmalloc(test, sizeof(*p), GFP_KERNEL);
	struct ft_step step = { .set = ft_kunit_timeouts(test), .now = 5 };
	struct ft_flow *flow = kunit_kzalloc(test, sizeof(*flow), GFP_KERNEL);
	enum ft_invalid reason;
	struct sk_buff *skb;
	struct ft_pkt pkt;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		make(p, cases[i].family, cases[i].proto);
		skb = ft_skb(test, p, p->len, FT_SHAPE_LINEAR);
		KUNIT_ASSERT_EQ(test, ft_tuple_get(skb, cases[i].family, 0, &pkt,
						   &reason), FT_PARSE_OK);
		step.word = 0;
		step.dir = FT_DIR_ORIG;
		KUNIT_EXPECT_EQ(test, ft_proto_new(skb, &pkt, &step,
						   &flow->proto),
				FT_VERDICT_ACCEPT);
		KUNIT_EXPECT_EQ_MSG(test, ft_word_state(step.word),
				    cases[i].state, "protocol %u",
				    cases[i].proto);
		KUNIT_EXPECT_EQ_MSG(test, step.timeout,
				    (100 + cases[i].timeout) * HZ,
				    "protocol %u", cases[i].proto);
		KUNIT_EXPECT_EQ(test, step.timeout,
				ft_proto_timeout(cases[i].proto, cases[i].family,
						 step.word, step.set));
		KUNIT_EXPECT_EQ(test, ft_word_class(step.word),
				FLOWTRACK_CLASS_EMBRYONIC);
		KUNIT_EXPECT_EQ(test, ft_proto_class(cases[i].proto, step.word),
				FLOWTRACK_CLASS_EMBRYONIC);

		if (cases[i].proto != IPPROTO_TCP &&
		    cases[i].proto != IPPROTO_SCTP) {
			step.dir = FT_DIR_REPLY;
			KUNIT_EXPECT_EQ(test, ft_proto_packet(skb, &pkt, &step,
							      &flow->proto),
					FT_VERDICT_ACCEPT);
			KUNIT_EXPECT_EQ(test, ft_word_state(step.word),
					FLOWTRACK_FLOW_STATE_REPLIED);
			KUNIT_EXPECT_EQ(test, ft_proto_class(cases[i].proto,
							     step.word),
					FLOWTRACK_CLASS_REPLIED);
			KUNIT_EXPECT_TRUE(test, ft_proto_quoted(skb, &pkt, 0,
								&flow->proto));
		}
		kfree_skb(skb);
	}
}

/*
 * All bits that a machine may leave behind, both directions, all ages: what
 * steady promises, packet does. And where packet would have changed nothing,
 * steady says so: else the fast path were a slow one.
 */
static void steady(struct kunit *test)
{
	static const u32 ages[] = { 0, 1, 2 * HZ, 2 * HZ + 1, 100 * HZ, -1 };
	struct ft_flow *flow = kunit_kzalloc(test, sizeof(*flow), GFP_KERNEL);
	const struct ft_settings *set = ft_kunit_timeouts(test);
	unsigned int i, bits, age, fast = 0, slow = 0;
	struct ft_pkt pkt = {};
	struct ft_step a, b;
	bool told;
	u8 state;

	for (i = 0; i < ARRAY_SIZE(protos); i++) {
		u8 proto = protos[i];

		flow->key.l4proto = proto;
		pkt.key.l4proto = proto;
		for (bits = 0; bits < 2 * 3 * ARRAY_SIZE(ages); bits++) {
			age = bits / 6;
			state = bits / 2 % 3;
			if (state > ft_proto_state_max(proto))
				continue;
			memset(&a, 0, sizeof(a));
			a.set = set;
			a.now = 1000 + ages[age];
			a.dir = bits % 2;
			flow->proto.stream.since = 1000;
			if (state >= FLOWTRACK_FLOW_STATE_REPLIED)
				a.word |= FT_FLOW_SEEN_REPLY;
			if (state == FLOWTRACK_FLOW_STATE_STREAM)
				a.word |= FT_FLOW_ASSURED;
			ft_step_set(&a, state, state + 1);
			b = a;
			told = ft_proto_steady(flow, b.word, &b);
			if (proto == IPPROTO_TCP || proto == IPPROTO_SCTP) {
				KUNIT_EXPECT_FALSE(test, told);
				continue;
			}
			KUNIT_EXPECT_EQ(test, ft_proto_packet(NULL, &pkt, &a,
							      &flow->proto),
					FT_VERDICT_ACCEPT);
			KUNIT_EXPECT_EQ_MSG(test, told, a.word == b.word,
					    "protocol %u, state %u, dir %u, age %u",
					    proto, state, a.dir, ages[age]);
			if (told)
				KUNIT_EXPECT_EQ(test, a.timeout, b.timeout);
			fast += told;
			slow += !told;
		}
	}
	KUNIT_EXPECT_GT(test, fast, 100);
	KUNIT_EXPECT_GT(test, slow, 50);
}

static void states(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, ft_proto_state_max(IPPROTO_TCP), 9);
	KUNIT_EXPECT_EQ(test, ft_proto_state_max(IPPROTO_SCTP), 8);
	KUNIT_EXPECT_EQ(test, ft_proto_state_max(IPPROTO_UDP), 2);
	KUNIT_EXPECT_EQ(test, ft_proto_state_max(IPPROTO_UDPLITE), 2);
	KUNIT_EXPECT_EQ(test, ft_proto_state_max(IPPROTO_GRE), 2);
	KUNIT_EXPECT_EQ(test, ft_proto_state_max(IPPROTO_ICMP), 1);
	KUNIT_EXPECT_EQ(test, ft_proto_state_max(IPPROTO_ICMPV6), 1);
	KUNIT_EXPECT_EQ(test, ft_proto_state_max(IPPROTO_ESP), 1);
}

/* Timeouts and classes of every state that netlink may restore. */
static void restored(struct kunit *test)
{
	const struct ft_settings *set = ft_kunit_timeouts(test);
	enum flowtrack_class class;
	unsigned int i, state;
	u32 word;

	for (i = 0; i < ARRAY_SIZE(protos); i++) {
		for (state = 0; state <= ft_proto_state_max(protos[i]); state++) {
			word = state << 8 | FT_FLOW_SEEN_REPLY;
			KUNIT_EXPECT_GE(test, ft_proto_timeout(protos[i], V4,
							       word, set),
					100 * HZ);
			class = ft_proto_class(protos[i], word);
			KUNIT_EXPECT_LE(test, class, FLOWTRACK_CLASS_REPLIED);
			class = ft_proto_class(protos[i], word & ~FT_FLOW_SEEN_REPLY);
			KUNIT_EXPECT_LE(test, class, FLOWTRACK_CLASS_REPLIED);
		}
	}
}

static struct kunit_case proto_cases[] = {
	KUNIT_CASE(checksums),
	KUNIT_CASE(headers),
	KUNIT_CASE(machines),
	KUNIT_CASE(steady),
	KUNIT_CASE(states),
	KUNIT_CASE(restored),
	{}
};

static struct kunit_suite proto_suite = {
	.name = "ft_proto",
	.test_cases = proto_cases,
};

kunit_test_suite(proto_suite);
