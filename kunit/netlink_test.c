// SPDX-License-Identifier: GPL-2.0
/*
 * The netlink family through a socket, in the initial namespace: what goes in
 * comes out, what is wrong is refused with the reason.
 */
#include <net/netfilter/nf_conntrack.h>

#include "ft_talk.h"
#include "netlink/encode.h"

#define A(name)		FLOWTRACK_A_FLOW_##name
#define T(name)		FLOWTRACK_A_TUPLE_##name

static const u8 addr6[2][16] = {
	{ 0x20, 0x01, 0x0d, 0xb8, [15] = 9 },
	{ 0x20, 0x01, 0x0d, 0xb8, [15] = 1 },
};

/*
 * struct sample - a flow to add, and what it must look like
 * @name: for messages
 * @family: AF_INET or AF_INET6
 * @l4proto: IPPROTO_*
 * @zone: zone
 * @src: IPv4 source; IPv6: index in addr6
 * @dst: likewise
 * @port: source and destination; ICMP: id and type << 8 | code
 * @gre_key: GRE
 * @reply_type: ICMP: what the reply tuple must have
 * @state: 0xff: not given
 * @status: bits
 * @class: what it must be
 * @want_state: likewise
 */
static const struct sample {
	const char *name;
	u8 family;
	u8 l4proto;
	u16 zone;
	u32 src;
	u32 dst;
	u16 port[2];
	u32 gre_key;
	u8 reply_type;
	u8 state;
	u32 status;
	u8 class;
	u8 want_state;
} samples[] = {
	{ "tcp", AF_INET, IPPROTO_TCP, 0, 0x0a000001, 0xc0000201,
	  { 40000, 22 }, .state = FLOWTRACK_TCP_STATE_ESTABLISHED,
	  .status = 3, .class = FLOWTRACK_CLASS_ASSURED,
	  .want_state = FLOWTRACK_TCP_STATE_ESTABLISHED },
	{ "tcp from above", AF_INET, IPPROTO_TCP, 7, 0xc0000201, 0x0a000001,
	  { 40000, 22 }, .state = FLOWTRACK_TCP_STATE_SYN_SENT,
	  .class = FLOWTRACK_CLASS_EMBRYONIC,
	  .want_state = FLOWTRACK_TCP_STATE_SYN_SENT },
	{ "tcp by default", AF_INET, IPPROTO_TCP, 0, 0x0a000002, 0xc0000201,
	  { 1, 2 }, .state = 0xff, .status = 1,
	  .class = FLOWTRACK_CLASS_REPLIED,
	  .want_state = FLOWTRACK_TCP_STATE_ESTABLISHED },
	{ "udp", AF_INET, IPPROTO_UDP, 0, 0x0a000001, 0xc0000201,
	  { 53, 53 }, .state = 0xff, .class = FLOWTRACK_CLASS_EMBRYONIC,
	  .want_state = FLOWTRACK_FLOW_STATE_UNREPLIED },
	{ "udp stream", AF_INET, IPPROTO_UDP, 65535, 0x0a000001, 0xc0000201,
	  { 54, 53 }, .state = FLOWTRACK_FLOW_STATE_STREAM, .status = 3,
	  .class = FLOWTRACK_CLASS_ASSURED,
	  .want_state = FLOWTRACK_FLOW_STATE_STREAM },
	{ "udp to itself", AF_INET, IPPROTO_UDP, 0, 0x0a000001, 0x0a000001,
	  { 9, 8 }, .state = 0xff, .class = FLOWTRACK_CLASS_EMBRYONIC },
	{ "udp6", AF_INET6, IPPROTO_UDP, 0, 0, 1, { 1000, 53 },
	  .state = 0xff, .status = 1, .class = FLOWTRACK_CLASS_REPLIED,
	  .want_state = FLOWTRACK_FLOW_STATE_REPLIED },
	{ "tcp6", AF_INET6, IPPROTO_TCP, 0, 1, 0, { 1000, 80 },
	  .state = FLOWTRACK_TCP_STATE_TIME_WAIT, .status = 3,
	  .class = FLOWTRACK_CLASS_CLOSING,
	  .want_state = FLOWTRACK_TCP_STATE_TIME_WAIT },
	{ "sctp", AF_INET, IPPROTO_SCTP, 0, 0x0a000001, 0xc0000201,
	  { 2905, 2905 }, .state = FLOWTRACK_SCTP_STATE_ESTABLISHED,
	  .status = 3, .class = FLOWTRACK_CLASS_ASSURED,
	  .want_state = FLOWTRACK_SCTP_STATE_ESTABLISHED },
	{ "ping", AF_INET, IPPROTO_ICMP, 0, 0xc0000201, 0x0a000001,
	  { 77, 8 << 8 }, .reply_type = 0, .state = 0xff,
	  .class = FLOWTRACK_CLASS_EMBRYONIC },
	{ "timestamp", AF_INET, IPPROTO_ICMP, 0, 0xc0000201, 0x0a000001,
	  { 77, 13 << 8 }, .reply_type = 14, .state = 0xff, .status = 1,
	  .class = FLOWTRACK_CLASS_REPLIED, .want_state = 1 },
	{ "ping6", AF_INET6, IPPROTO_ICMPV6, 0, 0, 1, { 78, 128 << 8 },
	  .reply_type = 129, .state = 0xff,
	  .class = FLOWTRACK_CLASS_EMBRYONIC },
	{ "gre", AF_INET, IPPROTO_GRE, 0, 0xc0000201, 0x0a000001,
	  .gre_key = 0x12345678, .state = 0xff,
	  .class = FLOWTRACK_CLASS_EMBRYONIC },
	{ "ospf", AF_INET, 89, 0, 0xc0000201, 0x0a000001, .state = 0xff,
	  .class = FLOWTRACK_CLASS_EMBRYONIC },
};

static bool is_icmp(const struct sample *s)
{
	return s->l4proto == IPPROTO_ICMP || s->l4proto == IPPROTO_ICMPV6;
}

/* @reply: as the responder sends. */
static void put_tuple(struct sk_buff *skb, const struct sample *s, bool reply)
{
	struct nlattr *nest = nla_nest_start(skb, A(ORIG));
	u32 src = reply ? s->dst : s->src, dst = reply ? s->src : s->dst;

	if (s->family == AF_INET) {
		nla_put_be32(skb, T(SRC4), htonl(src));
		nla_put_be32(skb, T(DST4), htonl(dst));
	} else {
		nla_put(skb, T(SRC6), 16, addr6[src]);
		nla_put(skb, T(DST6), 16, addr6[dst]);
	}
	if (ft_l4_has_ports(s->l4proto)) {
		nla_put_be16(skb, T(SPORT), htons(s->port[reply]));
		nla_put_be16(skb, T(DPORT), htons(s->port[!reply]));
	}
	if (is_icmp(s)) {
		nla_put_be16(skb, T(ICMP_ID), htons(s->port[0]));
		nla_put_u8(skb, T(ICMP_TYPE), reply ? s->reply_type :
			   s->port[1] >> 8);
		nla_put_u8(skb, T(ICMP_CODE), s->port[1] & 0xff);
	}
	if (s->l4proto == IPPROTO_GRE)
		nla_put_be32(skb, T(GRE_KEY), htonl(s->gre_key));
	nla_nest_end(skb, nest);
}

static void put_name(struct sk_buff *skb, const struct sample *s, bool reply)
{
	nla_put_u8(skb, A(L4PROTO), s->l4proto);
	if (s->zone)
		nla_put_u16(skb, A(ZONE), s->zone);
	put_tuple(skb, s, reply);
}

/* As userland does it: without padding, which only the kernel adds. */
static void put_u64(struct sk_buff *skb, unsigned int attr, u64 v)
{
	nla_put(skb, attr, sizeof(v), &v);
}

static void put_counters(struct sk_buff *skb, unsigned int attr, u64 packets)
{
	struct nlattr *nest = nla_nest_start(skb, attr);

	put_u64(skb, FLOWTRACK_A_COUNTERS_PACKETS, packets);
	put_u64(skb, FLOWTRACK_A_COUNTERS_BYTES, packets * 100);
	nla_nest_end(skb, nest);
}

static void put_tcp_dir(struct sk_buff *skb, unsigned int attr, u32 first)
{
	struct nlattr *nest = nla_nest_start(skb, attr);

	nla_put_u32(skb, FLOWTRACK_A_TCP_DIR_END, first);
	nla_put_u32(skb, FLOWTRACK_A_TCP_DIR_MAXEND, first + 1);
	nla_put_u32(skb, FLOWTRACK_A_TCP_DIR_MAXWIN, first + 2);
	nla_put_u32(skb, FLOWTRACK_A_TCP_DIR_MAXACK, first + 3);
	nla_put_u8(skb, FLOWTRACK_A_TCP_DIR_SCALE, 14);
	nla_put_u8(skb, FLOWTRACK_A_TCP_DIR_FLAGS, first & 0xff);
	nla_nest_end(skb, nest);
}

static int add_sample(struct ft_talk *talk, const struct sample *s)
{
	struct sk_buff *skb = ft_talk_begin(talk, FLOWTRACK_CMD_FLOW_ADD,
					    NLM_F_ACK);
	struct ft_ack ack;

	nla_put_u8(skb, A(FAMILY), s->family);
	put_name(skb, s, false);
	if (s->state != 0xff)
		nla_put_u8(skb, A(STATE), s->state);
	nla_put_u32(skb, A(STATUS), s->status);
	nla_put_u32(skb, A(TIMEOUT), 100000);
	nla_put_u32(skb, A(MARK), 0xdeadbeef);
	put_counters(skb, A(COUNTERS_ORIG), 1ULL << 33);
	put_counters(skb, A(COUNTERS_REPLY), 5);
	if (s->l4proto == IPPROTO_TCP) {
		put_tcp_dir(skb, A(TCP_ORIG), 0xfffffff0);
		put_tcp_dir(skb, A(TCP_REPLY), 0x10);
	}
	if (s->l4proto == IPPROTO_SCTP) {
		nla_put_be32(skb, A(VTAG_ORIG), htonl(0x01020304));
		nla_put_be32(skb, A(VTAG_REPLY), htonl(0x05060708));
	}
	ft_talk(talk, &ack);
	if (ack.err && ack.err != -EEXIST)
		kunit_info(talk->test, "%s: %s", s->name, ack.msg);
	return ack.err;
}

static void expect_tuple(struct ft_talk *talk, const struct sample *s,
			 const struct nlattr *nest, bool reply)
{
	u32 src = reply ? s->dst : s->src, dst = reply ? s->src : s->dst;
	struct nlattr *tb[FLOWTRACK_A_TUPLE_MAX + 1];
	struct kunit *test = talk->test;

	ft_talk_nest(talk, nest, tb, FLOWTRACK_A_TUPLE_MAX);
	if (s->family == AF_INET) {
		KUNIT_ASSERT_NOT_NULL(test, tb[T(SRC4)]);
		KUNIT_ASSERT_NOT_NULL(test, tb[T(DST4)]);
		KUNIT_EXPECT_EQ(test, ntohl(nla_get_be32(tb[T(SRC4)])), src);
		KUNIT_EXPECT_EQ(test, ntohl(nla_get_be32(tb[T(DST4)])), dst);
		KUNIT_EXPECT_NULL(test, tb[T(SRC6)]);
	} else {
		KUNIT_ASSERT_NOT_NULL(test, tb[T(SRC6)]);
		KUNIT_ASSERT_NOT_NULL(test, tb[T(DST6)]);
		KUNIT_EXPECT_MEMEQ(test, nla_data(tb[T(SRC6)]), addr6[src], 16);
		KUNIT_EXPECT_MEMEQ(test, nla_data(tb[T(DST6)]), addr6[dst], 16);
		KUNIT_EXPECT_NULL(test, tb[T(SRC4)]);
	}
	KUNIT_ASSERT_EQ(test, !tb[T(SPORT)], !ft_l4_has_ports(s->l4proto));
	if (tb[T(SPORT)]) {
		KUNIT_ASSERT_NOT_NULL(test, tb[T(DPORT)]);
		KUNIT_EXPECT_EQ(test, ntohs(nla_get_be16(tb[T(SPORT)])),
				s->port[reply]);
		KUNIT_EXPECT_EQ(test, ntohs(nla_get_be16(tb[T(DPORT)])),
				s->port[!reply]);
	}
	KUNIT_ASSERT_EQ(test, !tb[T(ICMP_ID)], !is_icmp(s));
	if (tb[T(ICMP_ID)]) {
		KUNIT_EXPECT_EQ(test, ntohs(nla_get_be16(tb[T(ICMP_ID)])),
				s->port[0]);
		KUNIT_EXPECT_EQ(test, nla_get_u8(tb[T(ICMP_TYPE)]),
				reply ? s->reply_type : s->port[1] >> 8);
		KUNIT_EXPECT_EQ(test, nla_get_u8(tb[T(ICMP_CODE)]),
				s->port[1] & 0xff);
	}
	KUNIT_ASSERT_EQ(test, !tb[T(GRE_KEY)], s->l4proto != IPPROTO_GRE);
	if (tb[T(GRE_KEY)])
		KUNIT_EXPECT_EQ(test, ntohl(nla_get_be32(tb[T(GRE_KEY)])),
				s->gre_key);
}

static void expect_counters(struct ft_talk *talk, const struct nlattr *nest,
			    u64 packets)
{
	struct nlattr *tb[FLOWTRACK_A_COUNTERS_MAX + 1];

	ft_talk_nest(talk, nest, tb, FLOWTRACK_A_COUNTERS_MAX);
	KUNIT_EXPECT_EQ(talk->test,
			nla_get_u64(tb[FLOWTRACK_A_COUNTERS_PACKETS]), packets);
	KUNIT_EXPECT_EQ(talk->test,
			nla_get_u64(tb[FLOWTRACK_A_COUNTERS_BYTES]),
			packets * 100);
}

static void expect_tcp_dir(struct ft_talk *talk, const struct nlattr *nest,
			   u32 first)
{
	struct nlattr *tb[FLOWTRACK_A_TCP_DIR_MAX + 1];
	struct kunit *test = talk->test;

	ft_talk_nest(talk, nest, tb, FLOWTRACK_A_TCP_DIR_MAX);
	KUNIT_EXPECT_EQ(test, nla_get_u32(tb[FLOWTRACK_A_TCP_DIR_END]), first);
	KUNIT_EXPECT_EQ(test, nla_get_u32(tb[FLOWTRACK_A_TCP_DIR_MAXEND]),
			first + 1);
	KUNIT_EXPECT_EQ(test, nla_get_u32(tb[FLOWTRACK_A_TCP_DIR_MAXWIN]),
			first + 2);
	KUNIT_EXPECT_EQ(test, nla_get_u32(tb[FLOWTRACK_A_TCP_DIR_MAXACK]),
			first + 3);
	KUNIT_EXPECT_EQ(test, nla_get_u8(tb[FLOWTRACK_A_TCP_DIR_SCALE]), 14);
	KUNIT_EXPECT_EQ(test, nla_get_u8(tb[FLOWTRACK_A_TCP_DIR_FLAGS]),
			first & 0xff);
}

static void expect_sample(struct ft_talk *talk, const struct sample *s,
			  struct nlattr **tb)
{
	struct kunit *test = talk->test;
	u32 timeout;

	KUNIT_EXPECT_EQ(test, nla_get_u8(tb[A(FAMILY)]), s->family);
	KUNIT_EXPECT_EQ(test, nla_get_u8(tb[A(L4PROTO)]), s->l4proto);
	KUNIT_EXPECT_EQ(test, nla_get_u16(tb[A(ZONE)]), s->zone);
	expect_tuple(talk, s, tb[A(ORIG)], false);
	expect_tuple(talk, s, tb[A(REPLY)], true);
	KUNIT_EXPECT_EQ(test, nla_get_u8(tb[A(STATE)]), s->want_state);
	KUNIT_EXPECT_EQ(test, nla_get_u8(tb[A(CLASS)]), s->class);
	KUNIT_EXPECT_EQ(test, nla_get_u32(tb[A(STATUS)]), s->status);
	KUNIT_EXPECT_EQ(test, nla_get_u32(tb[A(MARK)]), 0xdeadbeef);
	timeout = nla_get_u32(tb[A(TIMEOUT)]);
	KUNIT_EXPECT_LE(test, timeout, 100000 + MSEC_PER_SEC / HZ);
	KUNIT_EXPECT_GT(test, timeout, 60000);
	KUNIT_EXPECT_LT(test, nla_get_u64(tb[A(AGE)]), 40000);
	KUNIT_EXPECT_NULL(test, tb[A(START)]);
	KUNIT_EXPECT_NULL(test, tb[A(STOP)]);
	KUNIT_EXPECT_NULL(test, tb[A(REASON)]);
	expect_counters(talk, tb[A(COUNTERS_ORIG)], 1ULL << 33);
	expect_counters(talk, tb[A(COUNTERS_REPLY)], 5);
	KUNIT_ASSERT_EQ(test, !tb[A(TCP_ORIG)], s->l4proto != IPPROTO_TCP);
	if (tb[A(TCP_ORIG)]) {
		expect_tcp_dir(talk, tb[A(TCP_ORIG)], 0xfffffff0);
		expect_tcp_dir(talk, tb[A(TCP_REPLY)], 0x10);
	}
	KUNIT_ASSERT_EQ(test, !tb[A(VTAG_ORIG)], s->l4proto != IPPROTO_SCTP);
	if (tb[A(VTAG_ORIG)]) {
		KUNIT_EXPECT_EQ(test, ntohl(nla_get_be32(tb[A(VTAG_ORIG)])),
				0x01020304);
		KUNIT_EXPECT_EQ(test, ntohl(nla_get_be32(tb[A(VTAG_REPLY)])),
				0x05060708);
	}
}

/* Added, found by either tuple and by id, ended, and gone. */
static void samples_round(struct kunit *test)
{
	struct ft_talk *talk = ft_talk_open(test);
	struct nlattr *tb[FLOWTRACK_A_FLOW_MAX + 1];
	struct sk_buff *skb;
	struct ft_ack ack;
	unsigned int i, round;
	u64 id = 0;

	ft_talk_flush(talk);
	for (i = 0; i < ARRAY_SIZE(samples); i++)
		KUNIT_ASSERT_EQ_MSG(test, add_sample(talk, &samples[i]), 0, "%s",
				    samples[i].name);
	for (i = 0; i < ARRAY_SIZE(samples); i++)
		KUNIT_EXPECT_EQ(test, add_sample(talk, &samples[i]), -EEXIST);
	for (i = 0; i < ARRAY_SIZE(samples); i++) {
		const struct sample *s = &samples[i];

		for (round = 0; round < 3; round++) {
			skb = ft_talk_begin(talk, FLOWTRACK_CMD_FLOW_GET, 0);
			if (round == 2)
				put_u64(skb, A(ID), id);
			else
				put_name(skb, s, round == 1);
			ft_talk_parse(talk, ft_talk(talk, &ack), tb,
				      FLOWTRACK_A_FLOW_MAX);
			expect_sample(talk, s, tb);
			if (round)
				KUNIT_EXPECT_EQ(test, nla_get_u64(tb[A(ID)]),
						id);
			id = nla_get_u64(tb[A(ID)]);
		}
		skb = ft_talk_begin(talk, FLOWTRACK_CMD_FLOW_DEL, 0);
		if (i % 2)
			put_u64(skb, A(ID), id);
		else
			put_name(skb, s, i % 4);
		ft_talk_parse(talk, ft_talk(talk, &ack), tb,
			      FLOWTRACK_A_FLOW_MAX);
		KUNIT_EXPECT_EQ(test, nla_get_u32(tb[A(DELETED)]), 1);

		skb = ft_talk_begin(talk, FLOWTRACK_CMD_FLOW_GET, 0);
		put_u64(skb, A(ID), id);
		KUNIT_EXPECT_NULL(test, ft_talk(talk, &ack));
		KUNIT_EXPECT_EQ(test, ack.err, -ENOENT);
		skb = ft_talk_begin(talk, FLOWTRACK_CMD_FLOW_DEL, 0);
		put_name(skb, s, false);
		ft_talk(talk, &ack);
		KUNIT_EXPECT_EQ(test, ack.err, -ENOENT);
		KUNIT_EXPECT_STREQ(test, ack.msg, "no such flow");
	}
	KUNIT_EXPECT_EQ(test, atomic_read(&ft_pernet(&init_net)->count), 0);
}

static void put_u8(struct sk_buff *skb, unsigned int attr, u8 v)
{
	nla_put_u8(skb, attr, v);
}

static void udp(struct sk_buff *skb)
{
	ft_talk_tuple4(skb, IPPROTO_UDP, 1, 2, 3, 4);
}

static void no_tuple(struct sk_buff *skb)
{
	put_u8(skb, A(L4PROTO), IPPROTO_UDP);
}

static void no_protocol(struct sk_buff *skb)
{
	struct nlattr *nest = nla_nest_start(skb, A(ORIG));

	nla_put_be32(skb, T(SRC4), htonl(1));
	nla_put_be32(skb, T(DST4), htonl(2));
	nla_nest_end(skb, nest);
}

static void no_port(struct sk_buff *skb)
{
	no_protocol(skb);
	put_u8(skb, A(L4PROTO), IPPROTO_TCP);
}

static void no_dst(struct sk_buff *skb)
{
	struct nlattr *nest = nla_nest_start(skb, A(ORIG));

	nla_put(skb, T(SRC6), 16, addr6[0]);
	nla_nest_end(skb, nest);
	put_u8(skb, A(L4PROTO), 89);
}

static void wrong_family(struct sk_buff *skb)
{
	udp(skb);
	put_u8(skb, A(FAMILY), AF_INET6);
}

static void no_family(struct sk_buff *skb)
{
	udp(skb);
	put_u8(skb, A(FAMILY), AF_UNIX);
}

static void odd_family(struct sk_buff *skb)
{
	udp(skb);
	put_u8(skb, A(FAMILY), AF_AX25);
}

static void short_address(struct sk_buff *skb)
{
	struct nlattr *nest = nla_nest_start(skb, A(ORIG));

	nla_put(skb, T(SRC6), 15, addr6[0]);
	nla_nest_end(skb, nest);
}

static void ports_of_icmp(struct sk_buff *skb)
{
	ft_talk_tuple4(skb, IPPROTO_ICMP, 1, 2, 3, 4);
}

static void icmp_reply(struct sk_buff *skb)
{
	struct nlattr *nest = nla_nest_start(skb, A(ORIG));

	nla_put_be32(skb, T(SRC4), htonl(1));
	nla_put_be32(skb, T(DST4), htonl(2));
	nla_put_be16(skb, T(ICMP_ID), htons(1));
	nla_put_u8(skb, T(ICMP_TYPE), 0);
	nla_nest_end(skb, nest);
	put_u8(skb, A(L4PROTO), IPPROTO_ICMP);
}

static void icmp6_in_ipv4(struct sk_buff *skb)
{
	no_protocol(skb);
	put_u8(skb, A(L4PROTO), IPPROTO_ICMPV6);
}

static void id_in_add(struct sk_buff *skb)
{
	udp(skb);
	put_u64(skb, A(ID), 1);
}

static void state_none(struct sk_buff *skb)
{
	ft_talk_tuple4(skb, IPPROTO_TCP, 1, 2, 3, 4);
	put_u8(skb, A(STATE), FLOWTRACK_TCP_STATE_NONE);
}

static void no_such_state(struct sk_buff *skb)
{
	udp(skb);
	put_u8(skb, A(STATE), 3);
}

static void unreplied_stream(struct sk_buff *skb)
{
	udp(skb);
	put_u8(skb, A(STATE), FLOWTRACK_FLOW_STATE_STREAM);
}

static void assured_alone(struct sk_buff *skb)
{
	udp(skb);
	nla_put_u32(skb, A(STATUS), FLOWTRACK_STATUS_ASSURED);
}

static void no_such_status(struct sk_buff *skb)
{
	udp(skb);
	nla_put_u32(skb, A(STATUS), 4);
}

static void no_timeout(struct sk_buff *skb)
{
	udp(skb);
	nla_put_u32(skb, A(TIMEOUT), 0);
}

static void one_tcp_dir(struct sk_buff *skb)
{
	ft_talk_tuple4(skb, IPPROTO_TCP, 1, 2, 3, 4);
	put_tcp_dir(skb, A(TCP_ORIG), 1);
}

static void tcp_of_udp(struct sk_buff *skb)
{
	udp(skb);
	put_tcp_dir(skb, A(TCP_ORIG), 1);
	put_tcp_dir(skb, A(TCP_REPLY), 1);
}

static void half_tcp_dir(struct sk_buff *skb)
{
	struct nlattr *nest;

	ft_talk_tuple4(skb, IPPROTO_TCP, 1, 2, 3, 4);
	put_tcp_dir(skb, A(TCP_ORIG), 1);
	nest = nla_nest_start(skb, A(TCP_REPLY));
	nla_put_u32(skb, FLOWTRACK_A_TCP_DIR_END, 1);
	nla_nest_end(skb, nest);
}

static void vtag_of_udp(struct sk_buff *skb)
{
	udp(skb);
	nla_put_be32(skb, A(VTAG_REPLY), htonl(1));
}

static void future(struct sk_buff *skb)
{
	udp(skb);
	put_u64(skb, A(START), U64_MAX);
}

static void nothing(struct sk_buff *skb)
{
}

static void two_names(struct sk_buff *skb)
{
	udp(skb);
	put_u64(skb, A(ID), 1);
}

static void zone_of_id(struct sk_buff *skb)
{
	put_u64(skb, A(ID), 1);
	nla_put_u16(skb, A(ZONE), 1);
}

static void unknown_id(struct sk_buff *skb)
{
	put_u64(skb, A(ID), 0x7fffffff);
}

static void id_without_generation(struct sk_buff *skb)
{
	put_u64(skb, A(ID), 0);
}

static void empty_filter(struct sk_buff *skb)
{
	nla_nest_end(skb, nla_nest_start(skb, A(FILTER)));
}

static void bad_filter(struct sk_buff *skb)
{
	struct nlattr *nest = nla_nest_start(skb, A(FILTER));

	nla_put_u8(skb, FLOWTRACK_A_FILTER_CLASS, 4);
	nla_nest_end(skb, nest);
}

static void long_mark(struct sk_buff *skb)
{
	udp(skb);
	put_u64(skb, A(MARK), 1);
}

static void attribute_beyond(struct sk_buff *skb)
{
	nla_put_u32(skb, FLOWTRACK_A_FLOW_MAX + 1, 1);
}

static void setting_count(struct sk_buff *skb)
{
	nla_put_u32(skb, FLOWTRACK_A_SETTINGS_COUNT, 1);
}

static void setting_fallback(struct sk_buff *skb)
{
	nla_put_u32(skb, FLOWTRACK_A_SETTINGS_ACCT, 1);
	nla_put_u32(skb, FLOWTRACK_A_SETTINGS_FULL_FALLBACK, 0);
}

static void setting_short(struct sk_buff *skb)
{
	nla_put_u8(skb, FLOWTRACK_A_SETTINGS_ACCT, 1);
}

static void put_answer(struct sk_buff *skb, u32 src, u32 dst, u16 sport, u16 dport)
{
	struct nlattr *nest = nla_nest_start(skb, A(REPLY));

	nla_put_be32(skb, T(SRC4), htonl(src));
	nla_put_be32(skb, T(DST4), htonl(dst));
	nla_put_be16(skb, T(SPORT), htons(sport));
	nla_put_be16(skb, T(DPORT), htons(dport));
	nla_nest_end(skb, nest);
}

static void half_answer(struct sk_buff *skb)
{
	struct nlattr *nest;

	udp(skb);
	nest = nla_nest_start(skb, A(REPLY));
	nla_put_be32(skb, T(SRC4), htonl(2));
	nla_nest_end(skb, nest);
}

static void icmp_answer(struct sk_buff *skb)
{
	struct nlattr *nest;
	u8 dir;

	for (dir = 0; dir < 2; dir++) {
		nest = nla_nest_start(skb, dir ? A(REPLY) : A(ORIG));
		nla_put_be32(skb, T(SRC4), htonl(dir ? 2 : 1));
		nla_put_be32(skb, T(DST4), htonl(dir ? 9 : 2));
		nla_put_be16(skb, T(ICMP_ID), htons(1));
		/* An echo request, and the answer to one for a timestamp. */
		nla_put_u8(skb, T(ICMP_TYPE), dir ? ICMP_TIMESTAMPREPLY : ICMP_ECHO);
		nla_nest_end(skb, nest);
	}
	put_u8(skb, A(L4PROTO), IPPROTO_ICMP);
}

static void to_itself(struct sk_buff *skb)
{
	udp(skb);
	put_answer(skb, 9, 9, 4, 3);
}

static void masq_alone(struct sk_buff *skb)
{
	udp(skb);
	nla_put_string(skb, A(MASQ), "lo");
}

static void masq_nowhere(struct sk_buff *skb)
{
	udp(skb);
	put_answer(skb, 2, 9, 4, 3);
	nla_put_string(skb, A(MASQ), "no-such-device");
}

static void long_device(struct sk_buff *skb)
{
	udp(skb);
	nla_put_string(skb, A(MASQ), "more-than-fifteen");
}

static void no_such_show(struct sk_buff *skb)
{
	udp(skb);
	nla_put_u8(skb, A(SHOW), FLOWTRACK_SHOW_DIGEST_ONLY + 1);
}

static void show(struct sk_buff *skb)
{
	udp(skb);
	nla_put_u8(skb, A(SHOW), FLOWTRACK_SHOW_DIGEST);
}

static const struct refusal {
	u8 cmd;
	void (*put)(struct sk_buff *skb);
	int err;
	unsigned int bad;
	unsigned int missing;
	const char *msg;
} refusals[] = {
	{ FLOWTRACK_CMD_FLOW_ADD, no_tuple, -EINVAL, 0, A(ORIG), "no tuple" },
	{ FLOWTRACK_CMD_FLOW_ADD, no_protocol, -EINVAL, 0, A(L4PROTO),
	  "no protocol" },
	{ FLOWTRACK_CMD_FLOW_ADD, no_port, -EINVAL, 0, T(SPORT),
	  "no source port" },
	{ FLOWTRACK_CMD_FLOW_ADD, no_dst, -EINVAL, 0, T(DST6),
	  "no destination address" },
	{ FLOWTRACK_CMD_FLOW_ADD, wrong_family, -EINVAL, T(SRC4), 0,
	  "an IPv4 address in an IPv6 flow" },
	{ FLOWTRACK_CMD_FLOW_ADD, no_family, -ERANGE, A(FAMILY), 0, NULL },
	{ FLOWTRACK_CMD_FLOW_ADD, odd_family, -EINVAL, A(FAMILY), 0,
	  "must be AF_INET or AF_INET6" },
	{ FLOWTRACK_CMD_FLOW_ADD, short_address, -ERANGE, T(SRC6), 0, NULL },
	{ FLOWTRACK_CMD_FLOW_ADD, ports_of_icmp, -EINVAL, T(SPORT), 0,
	  "the protocol has no ports" },
	{ FLOWTRACK_CMD_FLOW_ADD, icmp_reply, -EINVAL, T(ICMP_TYPE), 0,
	  "no flow begins with this ICMP type" },
	{ FLOWTRACK_CMD_FLOW_ADD, icmp6_in_ipv4, -EINVAL, A(L4PROTO), 0,
	  "ICMP goes with IPv4 and ICMPv6 with IPv6" },
	{ FLOWTRACK_CMD_FLOW_ADD, id_in_add, -EINVAL, A(ID), 0, NULL },
	{ FLOWTRACK_CMD_FLOW_ADD, state_none, -EINVAL, A(STATE), 0,
	  "no flow is in state none" },
	{ FLOWTRACK_CMD_FLOW_ADD, no_such_state, -EINVAL, A(STATE), 0,
	  "the protocol has no such state" },
	{ FLOWTRACK_CMD_FLOW_ADD, unreplied_stream, -EINVAL, A(STATE), 0,
	  "the state needs the status seen-reply" },
	{ FLOWTRACK_CMD_FLOW_ADD, assured_alone, -EINVAL, A(STATUS), 0,
	  "assured needs seen-reply" },
	{ FLOWTRACK_CMD_FLOW_ADD, no_such_status, -EINVAL, A(STATUS), 0, NULL },
	{ FLOWTRACK_CMD_FLOW_ADD, no_timeout, -ERANGE, A(TIMEOUT), 0, NULL },
	{ FLOWTRACK_CMD_FLOW_ADD, one_tcp_dir, -EINVAL, 0, A(TCP_REPLY),
	  "TCP state of both directions or of none" },
	{ FLOWTRACK_CMD_FLOW_ADD, half_tcp_dir, -EINVAL, 0,
	  FLOWTRACK_A_TCP_DIR_MAXEND,
	  "the TCP state of a direction is incomplete" },
	{ FLOWTRACK_CMD_FLOW_ADD, tcp_of_udp, -EINVAL, A(TCP_ORIG), 0,
	  "the protocol is not TCP" },
	{ FLOWTRACK_CMD_FLOW_ADD, vtag_of_udp, -EINVAL, A(VTAG_REPLY), 0,
	  "the protocol is not SCTP" },
	{ FLOWTRACK_CMD_FLOW_ADD, future, -EINVAL, A(START), 0,
	  "starts in the future" },
	{ FLOWTRACK_CMD_FLOW_ADD, half_answer, -EINVAL, 0, T(DST4),
	  "no destination address" },
	{ FLOWTRACK_CMD_FLOW_ADD, icmp_answer, -EINVAL, A(REPLY), 0,
	  "not the answer to this request" },
	{ FLOWTRACK_CMD_FLOW_ADD, to_itself, -EINVAL, A(REPLY), 0,
	  "its directions cannot be told apart" },
	{ FLOWTRACK_CMD_FLOW_ADD, masq_alone, -EINVAL, A(MASQ), 0,
	  "the flow has its own source" },
	{ FLOWTRACK_CMD_FLOW_ADD, masq_nowhere, -EINVAL, A(MASQ), 0, "no such device" },
	{ FLOWTRACK_CMD_FLOW_ADD, long_device, -EINVAL, A(MASQ), 0, NULL },
	{ FLOWTRACK_CMD_FLOW_ADD, long_mark, -EINVAL, A(MARK), 0, NULL },
	{ FLOWTRACK_CMD_FLOW_ADD, attribute_beyond, -EINVAL, 0, 0, NULL },
	{ FLOWTRACK_CMD_FLOW_GET, nothing, -EINVAL, 0, A(ID),
	  "which flow? neither id nor orig nor filter" },
	{ FLOWTRACK_CMD_FLOW_GET, two_names, -EINVAL, A(ORIG), 0,
	  "more than one of id, orig and filter" },
	{ FLOWTRACK_CMD_FLOW_GET, zone_of_id, -EINVAL, A(ZONE), 0,
	  "goes with orig only" },
	{ FLOWTRACK_CMD_FLOW_GET, unknown_id, -ENOENT, 0, 0, "no such flow" },
	{ FLOWTRACK_CMD_FLOW_GET, id_without_generation, -ENOENT, 0, 0,
	  "no such flow" },
	{ FLOWTRACK_CMD_FLOW_GET, empty_filter, -EINVAL, A(FILTER), 0,
	  "a filter is for dumps" },
	{ FLOWTRACK_CMD_FLOW_GET, no_such_show, -ERANGE, A(SHOW), 0, NULL },
	{ FLOWTRACK_CMD_FLOW_ADD, show, -EINVAL, A(SHOW), 0, NULL },
	{ FLOWTRACK_CMD_FLOW_DEL, show, -EINVAL, A(SHOW), 0, NULL },
	{ FLOWTRACK_CMD_FLOW_DEL, nothing, -EINVAL, 0, A(ID), NULL },
	{ FLOWTRACK_CMD_FLOW_DEL, udp, -ENOENT, 0, 0, "no such flow" },
	{ FLOWTRACK_CMD_FLOW_DEL, bad_filter, -ERANGE, FLOWTRACK_A_FILTER_CLASS,
	  0, NULL },
	{ FLOWTRACK_CMD_STATS_GET, no_tuple, -EINVAL, 0, 0, NULL },
	{ FLOWTRACK_CMD_SETTINGS_GET, setting_count, -EINVAL, 0, 0, NULL },
	{ FLOWTRACK_CMD_SETTINGS_SET, nothing, -EINVAL, 0, 0,
	  "no setting given" },
	{ FLOWTRACK_CMD_SETTINGS_SET, setting_count, -EPERM,
	  FLOWTRACK_A_SETTINGS_COUNT, 0, "count is read only" },
	{ FLOWTRACK_CMD_SETTINGS_SET, setting_fallback, -EINVAL,
	  FLOWTRACK_A_SETTINGS_FULL_FALLBACK, 0,
	  "no such value 0, use one of 1 (drop) 2 (pass)" },
	{ FLOWTRACK_CMD_SETTINGS_SET, setting_short, -EINVAL,
	  FLOWTRACK_A_SETTINGS_ACCT, 0, NULL },
};

static void refused(struct kunit *test)
{
	struct ft_talk *talk = ft_talk_open(test);
	unsigned int i;

	ft_talk_flush(talk);
	for (i = 0; i < ARRAY_SIZE(refusals); i++) {
		const struct refusal *r = &refusals[i];
		struct ft_ack ack;

		r->put(ft_talk_begin(talk, r->cmd, NLM_F_ACK));
		KUNIT_EXPECT_NULL_MSG(test, ft_talk(talk, &ack), "case %u", i);
		KUNIT_EXPECT_EQ_MSG(test, ack.err, r->err, "case %u: %s", i,
				    ack.msg);
		KUNIT_EXPECT_EQ_MSG(test, ack.missing, r->missing, "case %u", i);
		if (r->bad)
			KUNIT_EXPECT_EQ_MSG(test, ack.bad, r->bad, "case %u", i);
		if (r->msg)
			KUNIT_EXPECT_STREQ(test, ack.msg, r->msg);
		else
			KUNIT_EXPECT_TRUE_MSG(test, ack.msg[0], "case %u", i);
	}
	KUNIT_EXPECT_EQ(test, atomic_read(&ft_pernet(&init_net)->count), 0);
	KUNIT_EXPECT_EQ(test, ft_pernet(&init_net)->set.v[FLOWTRACK_A_SETTINGS_ACCT],
			0);
}

/* What the caller does not say. */
static void defaults(struct kunit *test)
{
	struct ft_talk *talk = ft_talk_open(test);
	struct nlattr *tb[FLOWTRACK_A_FLOW_MAX + 1];
	struct ft_net *tn = ft_pernet(&init_net);
	struct sk_buff *skb;
	struct ft_ack ack;
	u32 timeout;

	ft_talk_flush(talk);
	udp(ft_talk_begin(talk, FLOWTRACK_CMD_FLOW_ADD, NLM_F_ACK));
	ft_talk(talk, &ack);
	KUNIT_EXPECT_EQ(test, ack.err, 0);
	udp(ft_talk_begin(talk, FLOWTRACK_CMD_FLOW_GET, 0));
	ft_talk_parse(talk, ft_talk(talk, &ack), tb, FLOWTRACK_A_FLOW_MAX);
	timeout = nla_get_u32(tb[A(TIMEOUT)]);
	KUNIT_EXPECT_LE(test, timeout, 30000);
	KUNIT_EXPECT_GT(test, timeout, 20000);
	KUNIT_EXPECT_EQ(test, nla_get_u32(tb[A(MARK)]), 0);
	KUNIT_EXPECT_EQ(test, nla_get_u32(tb[A(STATUS)]), 0);
	/* Not counted, so not shown. */
	KUNIT_EXPECT_NULL(test, tb[A(COUNTERS_ORIG)]);
	tn->set.v[FLOWTRACK_A_SETTINGS_ACCT] = 1;
	udp(ft_talk_begin(talk, FLOWTRACK_CMD_FLOW_GET, 0));
	ft_talk_parse(talk, ft_talk(talk, &ack), tb, FLOWTRACK_A_FLOW_MAX);
	tn->set.v[FLOWTRACK_A_SETTINGS_ACCT] = 0;
	KUNIT_EXPECT_NOT_NULL(test, tb[A(COUNTERS_ORIG)]);
	ft_talk_flush(talk);

	/* It began an hour ago, before this machine was started. */
	skb = ft_talk_begin(talk, FLOWTRACK_CMD_FLOW_ADD, NLM_F_ACK);
	udp(skb);
	put_u64(skb, A(START), ktime_get_real_ns() -
		3600ULL * NSEC_PER_SEC);
	ft_talk(talk, &ack);
	KUNIT_EXPECT_EQ(test, ack.err, 0);
	tn->set.v[FLOWTRACK_A_SETTINGS_TIMESTAMP] = 1;
	udp(ft_talk_begin(talk, FLOWTRACK_CMD_FLOW_GET, 0));
	ft_talk_parse(talk, ft_talk(talk, &ack), tb, FLOWTRACK_A_FLOW_MAX);
	tn->set.v[FLOWTRACK_A_SETTINGS_TIMESTAMP] = 0;
	KUNIT_EXPECT_GE(test, nla_get_u64(tb[A(AGE)]), 3600000);
	KUNIT_EXPECT_LT(test, nla_get_u64(tb[A(AGE)]), 3660000);
	KUNIT_ASSERT_NOT_NULL(test, tb[A(START)]);
	KUNIT_EXPECT_LT(test, nla_get_u64(tb[A(START)]), ktime_get_real_ns() -
			3599ULL * NSEC_PER_SEC);
	ft_talk_flush(talk);
}

/* A flow that is translated: shown as it was entered, and neither of its tuples is free. */
static void mapping(struct kunit *test)
{
	/* Answers as the tuple has it; other addresses and ports; other ports only. */
	static const struct {
		u32 src, dst;
		u16 sport, dport;
		bool masq;
	} cases[] = {
		{ 2, 1, 4, 3, false },
		{ 2, 9, 4, 7, true },
		{ 8, 1, 6, 3, false },
		{ 8, 9, 6, 7, true },
		{ 2, 1, 4, 7, false },
	};
	struct ft_talk *talk = ft_talk_open(test);
	struct nlattr *tb[FLOWTRACK_A_FLOW_MAX + 1], *t[FLOWTRACK_A_TUPLE_MAX + 1];
	struct sk_buff *skb;
	struct ft_ack ack;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		ft_talk_flush(talk);
		skb = ft_talk_begin(talk, FLOWTRACK_CMD_FLOW_ADD, NLM_F_ACK);
		udp(skb);
		put_answer(skb, cases[i].src, cases[i].dst, cases[i].sport, cases[i].dport);
		if (cases[i].masq)
			nla_put_string(skb, A(MASQ), "lo");
		ft_talk(talk, &ack);
		KUNIT_ASSERT_EQ_MSG(test, ack.err, 0, "case %u: %s", i, ack.msg);
		/* By the other tuple. */
		skb = ft_talk_begin(talk, FLOWTRACK_CMD_FLOW_GET, 0);
		ft_talk_tuple4(skb, IPPROTO_UDP, cases[i].src, cases[i].dst, cases[i].sport,
			       cases[i].dport);
		ft_talk_parse(talk, ft_talk(talk, &ack), tb, FLOWTRACK_A_FLOW_MAX);
		nla_parse_nested(t, FLOWTRACK_A_TUPLE_MAX, tb[A(REPLY)], NULL, NULL);
		KUNIT_EXPECT_EQ(test, nla_get_be32(t[T(SRC4)]), htonl(cases[i].src));
		KUNIT_EXPECT_EQ(test, nla_get_be32(t[T(DST4)]), htonl(cases[i].dst));
		KUNIT_EXPECT_EQ(test, nla_get_be16(t[T(SPORT)]), htons(cases[i].sport));
		KUNIT_EXPECT_EQ(test, nla_get_be16(t[T(DPORT)]), htons(cases[i].dport));
		nla_parse_nested(t, FLOWTRACK_A_TUPLE_MAX, tb[A(ORIG)], NULL, NULL);
		KUNIT_EXPECT_EQ(test, nla_get_be32(t[T(DST4)]), htonl(2));
		KUNIT_EXPECT_EQ(test, !!tb[A(MASQ)], cases[i].masq);
		if (tb[A(MASQ)])
			KUNIT_EXPECT_STREQ(test, nla_data(tb[A(MASQ)]), "lo");

		/* Again; and another flow that would have the same answers. */
		skb = ft_talk_begin(talk, FLOWTRACK_CMD_FLOW_ADD, NLM_F_ACK);
		udp(skb);
		ft_talk(talk, &ack);
		KUNIT_EXPECT_EQ(test, ack.err, -EEXIST);
		skb = ft_talk_begin(talk, FLOWTRACK_CMD_FLOW_ADD, NLM_F_ACK);
		ft_talk_tuple4(skb, IPPROTO_UDP, 5, 6, 7, 8);
		put_answer(skb, cases[i].src, cases[i].dst, cases[i].sport, cases[i].dport);
		ft_talk(talk, &ack);
		KUNIT_EXPECT_EQ(test, ack.err, -EEXIST);
		KUNIT_EXPECT_EQ(test, atomic_read(&ft_pernet(&init_net)->count), 1);
	}
	ft_talk_flush(talk);
}

static void full(struct kunit *test)
{
	struct ft_talk *talk = ft_talk_open(test);
	struct ft_net *tn = ft_pernet(&init_net);
	u32 max = tn->set.v[FLOWTRACK_A_SETTINGS_MAX_FLOWS];
	struct ft_ack ack;
	u32 i;

	ft_talk_flush(talk);
	tn->set.v[FLOWTRACK_A_SETTINGS_MAX_FLOWS] = 5;
	tn->set.v[FLOWTRACK_A_SETTINGS_FULL_POLICY] = FLOWTRACK_POLICY_DROP;
	for (i = 0; i < 5; i++)
		KUNIT_EXPECT_EQ(test, ft_talk_add(talk, i), 0);
	udp(ft_talk_begin(talk, FLOWTRACK_CMD_FLOW_ADD, NLM_F_ACK));
	ft_talk(talk, &ack);
	KUNIT_EXPECT_EQ(test, ack.err, -ENOSPC);
	KUNIT_EXPECT_STREQ(test, ack.msg, "no room: 5 of 5 flows");
	tn->set.v[FLOWTRACK_A_SETTINGS_FULL_POLICY] = FLOWTRACK_POLICY_EVICT;
	tn->set.v[FLOWTRACK_A_SETTINGS_MAX_FLOWS] = max;
	KUNIT_EXPECT_EQ(test, ft_talk_flush(talk), 5);
}

/**
 * struct dumped - what a dump brought
 * @flows: how many
 * @parts: datagrams
 * @interrupted: at least one was flagged NLM_F_DUMP_INTR
 * @done: it ended as it should
 * @seen: by number of the flow, how often
 */
struct dumped {
	u32 flows;
	u32 parts;
	bool interrupted;
	bool done;
	u8 seen[1000];
};

static void take_part(struct ft_talk *talk, struct dumped *d)
{
	struct nlattr *tb[FLOWTRACK_A_FLOW_MAX + 1];
	struct nlattr *tuple[FLOWTRACK_A_TUPLE_MAX + 1];
	const struct nlmsghdr *nlh;
	int rem = talk->len;
	u32 i;

	d->parts++;
	for (nlh = (void *)talk->buf; nlmsg_ok(nlh, rem);
	     nlh = nlmsg_next(nlh, &rem)) {
		KUNIT_ASSERT_NE(talk->test, nlh->nlmsg_type, NLMSG_ERROR);
		d->interrupted |= nlh->nlmsg_flags & NLM_F_DUMP_INTR;
		if (nlh->nlmsg_type == NLMSG_DONE) {
			d->done = true;
			return;
		}
		KUNIT_EXPECT_TRUE(talk->test, nlh->nlmsg_flags & NLM_F_MULTI);
		KUNIT_EXPECT_EQ(talk->test, nlh->nlmsg_seq, talk->seq);
		ft_talk_parse(talk, nlh, tb, FLOWTRACK_A_FLOW_MAX);
		ft_talk_nest(talk, tb[A(ORIG)], tuple, FLOWTRACK_A_TUPLE_MAX);
		i = ntohl(nla_get_be32(tuple[T(SRC4)])) - 0x0a000000;
		KUNIT_ASSERT_LT(talk->test, i, ARRAY_SIZE(d->seen));
		d->seen[i]++;
		d->flows++;
	}
}

static struct dumped *dump_of(struct kunit *test)
{
	struct dumped *d = kunit_kzalloc(test, sizeof(*d), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, d);
	return d;
}

static void dumps(struct kunit *test)
{
	struct ft_talk *talk = ft_talk_open(test);
	struct dumped *d = dump_of(test);
	struct sk_buff *skb;
	struct nlattr *nest;
	struct ft_ack ack;
	u32 i;

	ft_talk_flush(talk);
	for (i = 0; i < 500; i++)
		KUNIT_ASSERT_EQ(test, ft_talk_add(talk, i), 0);
	flush_work(&ft_pernet(&init_net)->resize_work);

	ft_talk_begin(talk, FLOWTRACK_CMD_FLOW_GET, NLM_F_DUMP);
	ft_talk_send(talk);
	while (!d->done && ft_talk_recv(talk))
		take_part(talk, d);
	KUNIT_EXPECT_TRUE(test, d->done);
	KUNIT_EXPECT_FALSE(test, d->interrupted);
	KUNIT_EXPECT_GT(test, d->parts, 3);
	KUNIT_EXPECT_EQ(test, d->flows, 500);
	for (i = 0; i < 500; i++)
		KUNIT_EXPECT_EQ_MSG(test, d->seen[i], 1, "flow %u", i);

	/* Filtered: 10.0.0.64/26. */
	memset(d, 0, sizeof(*d));
	skb = ft_talk_begin(talk, FLOWTRACK_CMD_FLOW_GET, NLM_F_DUMP);
	nest = nla_nest_start(skb, A(FILTER));
	nla_put_be32(skb, FLOWTRACK_A_FILTER_SRC, htonl(0x0a000040));
	nla_put_u8(skb, FLOWTRACK_A_FILTER_SRC_PREFIX, 26);
	nla_nest_end(skb, nest);
	ft_talk_send(talk);
	while (!d->done && ft_talk_recv(talk))
		take_part(talk, d);
	KUNIT_EXPECT_TRUE(test, d->done);
	KUNIT_EXPECT_EQ(test, d->flows, 64);
	for (i = 64; i < 128; i++)
		KUNIT_EXPECT_EQ_MSG(test, d->seen[i], 1, "flow %u", i);

	/* What can't be dumped is said at once. */
	udp(ft_talk_begin(talk, FLOWTRACK_CMD_FLOW_GET, NLM_F_DUMP));
	KUNIT_EXPECT_NULL(test, ft_talk(talk, &ack));
	KUNIT_EXPECT_EQ(test, ack.err, -EINVAL);
	KUNIT_EXPECT_STREQ(test, ack.msg, "a dump takes nothing but filter and show");
	bad_filter(ft_talk_begin(talk, FLOWTRACK_CMD_FLOW_GET, NLM_F_DUMP));
	KUNIT_EXPECT_NULL(test, ft_talk(talk, &ack));
	KUNIT_EXPECT_EQ(test, ack.err, -ERANGE);
	KUNIT_EXPECT_EQ(test, ack.bad, FLOWTRACK_A_FILTER_CLASS);
	ft_talk_flush(talk);
}

static u64 digest_of(struct ft_talk *talk, u64 id)
{
	struct nlattr *tb[FLOWTRACK_A_FLOW_MAX + 1];
	struct sk_buff *skb;
	struct ft_ack ack;

	skb = ft_talk_begin(talk, FLOWTRACK_CMD_FLOW_GET, 0);
	put_u64(skb, A(ID), id);
	nla_put_u8(skb, A(SHOW), FLOWTRACK_SHOW_DIGEST);
	ft_talk_parse(talk, ft_talk(talk, &ack), tb, FLOWTRACK_A_FLOW_MAX);
	KUNIT_ASSERT_NOT_NULL(talk->test, tb[A(DIGEST)]);
	KUNIT_EXPECT_NOT_NULL(talk->test, tb[A(ORIG)]);
	return nla_get_u64(tb[A(DIGEST)]);
}

/* What a packet, or a program, may change of a flow. */
static void change(struct ft_flow *flow, unsigned int what)
{
	u32 word;

	ft_flow_lock(flow);
	word = atomic_read(&flow->word);
	switch (what) {
	case 0:
		word |= FT_FLOW_SEEN_REPLY;
		break;
	case 1:
		word = ft_word_set(word, FLOWTRACK_FLOW_STATE_STREAM, FLOWTRACK_CLASS_ASSURED);
		break;
	case 2:
		flow->deadline += HZ;
		break;
	case 3:
		flow->mark = 7;
		break;
	case 4:
		flow->packets[FT_DIR_REPLY]++;
		break;
	case 5:
		flow->bytes[FT_DIR_ORIG]++;
		break;
	case 6:
		flow->proto.tcp.maxack[FT_DIR_REPLY]++;
		break;
	case 7:
		flow->proto.tcp.flags[FT_DIR_ORIG] ^= FLOWTRACK_TCP_FLAGS_MAXACK_SET;
		break;
	}
	ft_flow_unlock(flow, word);
}

/* What is no change: who has been told, how the source counts it, and that time passes. */
static void digests(struct kunit *test)
{
	struct nlattr *tb[FLOWTRACK_A_FLOW_MAX + 1], *nest;
	struct ft_talk *talk = ft_talk_open(test);
	struct ft_net *tn = ft_pernet(&init_net);
	const struct nlmsghdr *nlh;
	struct ft_flow *flow;
	u64 id, digest, now;
	struct sk_buff *skb;
	struct ft_ack ack;
	unsigned int i, n;

	ft_talk_flush(talk);
	udp(ft_talk_begin(talk, FLOWTRACK_CMD_FLOW_ADD, NLM_F_ACK));
	ft_talk(talk, &ack);
	KUNIT_ASSERT_EQ(test, ack.err, 0);
	udp(ft_talk_begin(talk, FLOWTRACK_CMD_FLOW_GET, 0));
	ft_talk_parse(talk, ft_talk(talk, &ack), tb, FLOWTRACK_A_FLOW_MAX);
	KUNIT_EXPECT_NULL(test, tb[A(DIGEST)]);
	id = nla_get_u64(tb[A(ID)]);
	digest = digest_of(talk, id);
	/* It stays where it is: nobody else ends it. */
	rcu_read_lock();
	flow = ft_table_at(tn->table, (u32)id);
	rcu_read_unlock();
	KUNIT_ASSERT_NOT_NULL(test, flow);
	ft_flow_lock(flow);
	ft_flow_unlock(flow, atomic_read(&flow->word) ^ (FT_FLOW_UNTOLD | FT_FLOW_SOURCE));
	KUNIT_EXPECT_EQ(test, digest_of(talk, id), digest);
	ft_flow_lock(flow);
	ft_flow_unlock(flow, atomic_read(&flow->word) ^ (FT_FLOW_UNTOLD | FT_FLOW_SOURCE));
	msleep(20);
	KUNIT_EXPECT_EQ(test, digest_of(talk, id), digest);
	for (i = 0; i < 8; i++) {
		change(flow, i);
		now = digest_of(talk, id);
		KUNIT_EXPECT_NE_MSG(test, now, digest, "change %u", i);
		digest = now;
	}

	/* In a dump the same, and nothing else with it. */
	skb = ft_talk_begin(talk, FLOWTRACK_CMD_FLOW_GET, NLM_F_DUMP);
	nla_put_u8(skb, A(SHOW), FLOWTRACK_SHOW_DIGEST_ONLY);
	nlh = ft_talk(talk, &ack);
	ft_talk_parse(talk, nlh, tb, FLOWTRACK_A_FLOW_MAX);
	for (i = 1, n = 0; i <= FLOWTRACK_A_FLOW_MAX; i++)
		n += tb[i] && i != A(PAD);
	KUNIT_EXPECT_EQ(test, n, 3);
	KUNIT_ASSERT_TRUE(test, tb[A(ID)] && tb[A(TIMEOUT)] && tb[A(DIGEST)]);
	KUNIT_EXPECT_EQ(test, nla_get_u64(tb[A(ID)]), id);
	KUNIT_EXPECT_EQ(test, nla_get_u64(tb[A(DIGEST)]), digest);
	KUNIT_EXPECT_GT(test, nla_get_u32(tb[A(TIMEOUT)]), 0);
	while (ft_talk_recv(talk))
		;

	/* nf_conntrack's have none. */
	skb = ft_talk_begin(talk, FLOWTRACK_CMD_FLOW_GET, NLM_F_DUMP);
	nest = nla_nest_start(skb, A(FILTER));
	nla_put_u8(skb, FLOWTRACK_A_FILTER_TRACKER,
		   FLOWTRACK_TRACKER_OWN | FLOWTRACK_TRACKER_GUARDED);
	nla_nest_end(skb, nest);
	nla_put_u8(skb, A(SHOW), FLOWTRACK_SHOW_DIGEST);
	KUNIT_EXPECT_NULL(test, ft_talk(talk, &ack));
	KUNIT_EXPECT_EQ(test, ack.err, -EINVAL);
	KUNIT_EXPECT_EQ(test, ack.bad, A(SHOW));
	KUNIT_EXPECT_STREQ(test, ack.msg, "guarded flows have no digest");
	ft_talk_flush(talk);
}

/* A resize in the middle is not hidden. */
static void dump_interrupted(struct kunit *test)
{
	struct ft_talk *talk = ft_talk_open(test);
	struct ft_talk *ctl = ft_talk_open(test);
	struct ft_net *tn = ft_pernet(&init_net);
	struct dumped *d = dump_of(test);
	u32 i;

	ft_talk_flush(talk);
	for (i = 0; i < 500; i++)
		KUNIT_ASSERT_EQ(test, ft_talk_add(talk, i), 0);
	ft_talk_begin(talk, FLOWTRACK_CMD_FLOW_GET, NLM_F_DUMP);
	ft_talk_send(talk);
	KUNIT_ASSERT_TRUE(test, ft_talk_recv(talk));
	take_part(talk, d);
	KUNIT_EXPECT_FALSE(test, d->done);
	KUNIT_EXPECT_EQ(test, ft_settings_set(tn, FLOWTRACK_A_SETTINGS_BUCKETS,
					      2048, NULL), 0);
	while (!d->done && ft_talk_recv(talk))
		take_part(talk, d);
	KUNIT_EXPECT_TRUE(test, d->done);
	KUNIT_EXPECT_TRUE(test, d->interrupted);

	/* A dump that nobody reads to its end holds nothing up. */
	ft_talk_begin(talk, FLOWTRACK_CMD_FLOW_GET, NLM_F_DUMP);
	ft_talk_send(talk);
	KUNIT_EXPECT_EQ(test, ft_talk_flush(ctl), 500);
	ft_settings_set(tn, FLOWTRACK_A_SETTINGS_BUCKETS, 0, NULL);
}

static void delete_filtered(struct kunit *test)
{
	struct nlattr *tb[FLOWTRACK_A_FLOW_MAX + 1];
	struct ft_talk *talk = ft_talk_open(test);
	struct ft_net *tn = ft_pernet(&init_net);
	struct sk_buff *skb;
	struct nlattr *nest;
	struct ft_ack ack;
	unsigned int round;
	u32 i;

	ft_talk_flush(talk);
	for (i = 0; i < 300; i++)
		KUNIT_ASSERT_EQ(test, ft_talk_add(talk, i), 0);
	/* 10.0.0.128/25; the second time there is nothing left of it. */
	for (round = 0; round < 2; round++) {
		skb = ft_talk_begin(talk, FLOWTRACK_CMD_FLOW_DEL, 0);
		nest = nla_nest_start(skb, A(FILTER));
		nla_put_be32(skb, FLOWTRACK_A_FILTER_SRC, htonl(0x0a0000f7));
		nla_put_u8(skb, FLOWTRACK_A_FILTER_SRC_PREFIX, 25);
		nla_nest_end(skb, nest);
		ft_talk_parse(talk, ft_talk(talk, &ack), tb,
			      FLOWTRACK_A_FLOW_MAX);
		KUNIT_EXPECT_EQ(test, nla_get_u32(tb[A(DELETED)]),
				round ? 0 : 128);
	}
	KUNIT_EXPECT_EQ(test, atomic_read(&tn->count), 172);
	for (i = 0; i < 300; i++) {
		skb = ft_talk_begin(talk, FLOWTRACK_CMD_FLOW_GET, 0);
		ft_talk_tuple4(skb, IPPROTO_UDP, 0x0a000000 + i, 0xc0000201,
			       1000, 53);
		KUNIT_EXPECT_EQ(test, !ft_talk(talk, &ack), i >= 128 && i < 256);
	}
	KUNIT_EXPECT_EQ(test, ft_talk_flush(talk), 172);
}

/* A flow that has expired is not shown, whether it was collected or not. */
static void expired(struct kunit *test)
{
	struct ft_talk *talk = ft_talk_open(test);
	struct sk_buff *skb;
	struct ft_ack ack;

	ft_talk_flush(talk);
	skb = ft_talk_begin(talk, FLOWTRACK_CMD_FLOW_ADD, NLM_F_ACK);
	udp(skb);
	nla_put_u32(skb, A(TIMEOUT), 1);
	ft_talk(talk, &ack);
	KUNIT_EXPECT_EQ(test, ack.err, 0);
	msleep(2 * MSEC_PER_SEC / HZ + 1);
	udp(ft_talk_begin(talk, FLOWTRACK_CMD_FLOW_GET, 0));
	KUNIT_EXPECT_NULL(test, ft_talk(talk, &ack));
	KUNIT_EXPECT_EQ(test, ack.err, -ENOENT);
	ft_talk_begin(talk, FLOWTRACK_CMD_FLOW_GET, NLM_F_DUMP);
	ft_talk_send(talk);
	KUNIT_ASSERT_TRUE(test, ft_talk_recv(talk));
	KUNIT_EXPECT_EQ(test, ((struct nlmsghdr *)talk->buf)->nlmsg_type,
			NLMSG_DONE);
}

static void statistics(struct kunit *test)
{
	struct ft_talk *talk = ft_talk_open(test);
	struct ft_net *tn = ft_pernet(&init_net);
	struct ft_stats sum;
	struct nlattr **tb;
	struct ft_ack ack;
	unsigned int i;

	tb = kunit_kcalloc(test, FLOWTRACK_A_STATS_MAX + 1, sizeof(*tb), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, tb);
	ft_talk_begin(talk, FLOWTRACK_CMD_STATS_GET, 0);
	ft_talk_parse(talk, ft_talk(talk, &ack), tb, FLOWTRACK_A_STATS_MAX);
	ft_stats_sum(tn, &sum);
	KUNIT_EXPECT_NULL(test, tb[FLOWTRACK_A_STATS_CPU]);
	KUNIT_EXPECT_GT(test, sum.v[FLOWTRACK_A_STATS_INSERT], 0);
	for (i = 0; i < FT_CLASSES; i++)
		sum.v[FLOWTRACK_A_STATS_ADAPTIVE_CLOSING + i] =
			ft_adaptive_shown(&tn->adaptive, i);
	for (i = FLOWTRACK_A_STATS_FOUND; i <= FLOWTRACK_A_STATS_MAX; i++) {
		if (i == FLOWTRACK_A_STATS_PAD)
			continue;
		KUNIT_ASSERT_NOT_NULL(test, tb[i]);
		/* What there is now is looked at in level(). */
		if (i < FLOWTRACK_A_STATS_FLOWS || i > FLOWTRACK_A_STATS_CONNTRACK_FILL)
			KUNIT_EXPECT_EQ_MSG(test, nla_get_u64(tb[i]), sum.v[i],
					    "counter %u", i);
	}
}

static void statistics_by_cpu(struct kunit *test)
{
	static const unsigned int gauges[] = {
		FLOWTRACK_A_STATS_ADAPTIVE_CLOSING, FLOWTRACK_A_STATS_ADAPTIVE_ASSURED,
		FLOWTRACK_A_STATS_RESERVED_USED, FLOWTRACK_A_STATS_FLOWS,
		FLOWTRACK_A_STATS_CONNTRACK_FILL,
	};
	struct nlattr *tb[FLOWTRACK_A_STATS_MAX + 1];
	struct ft_talk *talk = ft_talk_open(test);
	const struct nlmsghdr *nlh;
	unsigned int i, cpus = 0;
	int rem;

	ft_talk_begin(talk, FLOWTRACK_CMD_STATS_GET, NLM_F_DUMP);
	ft_talk_send(talk);
	KUNIT_ASSERT_TRUE(test, ft_talk_recv(talk));
	rem = talk->len;
	for (nlh = (void *)talk->buf; nlmsg_ok(nlh, rem);
	     nlh = nlmsg_next(nlh, &rem)) {
		if (nlh->nlmsg_type == NLMSG_DONE)
			break;
		ft_talk_parse(talk, nlh, tb, FLOWTRACK_A_STATS_MAX);
		KUNIT_ASSERT_NOT_NULL(test, tb[FLOWTRACK_A_STATS_CPU]);
		KUNIT_EXPECT_EQ(test, nla_get_u32(tb[FLOWTRACK_A_STATS_CPU]),
				cpus);
		KUNIT_EXPECT_NOT_NULL(test,
				      tb[FLOWTRACK_A_STATS_EXPIRE_ADAPTIVE]);
		KUNIT_EXPECT_NOT_NULL(test, tb[FLOWTRACK_A_STATS_RESERVED]);
		/* What is true of the namespace as a whole is no counter. */
		for (i = 0; i < ARRAY_SIZE(gauges); i++)
			KUNIT_EXPECT_NULL(test, tb[gauges[i]]);
		cpus++;
	}
	KUNIT_EXPECT_EQ(test, cpus, num_possible_cpus());
}

static u64 reserved_used(struct ft_talk *talk)
{
	return ft_talk_gauge(talk, FLOWTRACK_A_STATS_RESERVED_USED);
}

/* What there is now, and how full that is. */
static void level(struct kunit *test)
{
	struct ft_talk *talk = ft_talk_open(test);
	struct ft_net *tn = ft_pernet(&init_net);
	u32 *v = tn->set.v;
	u32 max = v[FLOWTRACK_A_SETTINGS_MAX_FLOWS];
	u32 i;

	ft_talk_flush(talk);
	for (i = 0; i < 8; i++)
		KUNIT_ASSERT_EQ(test, ft_talk_add(talk, i), 0);
	v[FLOWTRACK_A_SETTINGS_MAX_FLOWS] = 20;
	v[FLOWTRACK_A_SETTINGS_RESERVED] = 4;
	ft_net_scan_soon(tn);
	flush_delayed_work(&tn->gc_work);
	KUNIT_EXPECT_EQ(test, ft_talk_gauge(talk, FLOWTRACK_A_STATS_FLOWS), 8);
	KUNIT_EXPECT_EQ(test, ft_talk_gauge(talk, FLOWTRACK_A_STATS_FLOWS_MAX), 16);
	KUNIT_EXPECT_EQ(test, ft_talk_gauge(talk, FLOWTRACK_A_STATS_FLOWS_FILL), 500);
	KUNIT_EXPECT_EQ(test, ft_talk_gauge(talk, FLOWTRACK_A_STATS_FLOWS_EMBRYONIC), 8);
	KUNIT_EXPECT_EQ(test, ft_talk_gauge(talk, FLOWTRACK_A_STATS_FLOWS_ASSURED), 0);
	KUNIT_EXPECT_EQ(test, ft_talk_gauge(talk, FLOWTRACK_A_STATS_CONNTRACK_MAX),
			nf_conntrack_max);
	v[FLOWTRACK_A_SETTINGS_RESERVED] = 0;
	v[FLOWTRACK_A_SETTINGS_MAX_FLOWS] = max;
	ft_talk_flush(talk);
	/* Nobody has counted the classes since: an empty table has none. */
	KUNIT_EXPECT_EQ(test, ft_talk_gauge(talk, FLOWTRACK_A_STATS_FLOWS_EMBRYONIC), 0);
}

/* How many of the reserved entries are taken now. */
static void reserved(struct kunit *test)
{
	struct ft_talk *talk = ft_talk_open(test);
	struct ft_net *tn = ft_pernet(&init_net);
	u32 *v = tn->set.v;
	u32 max = v[FLOWTRACK_A_SETTINGS_MAX_FLOWS];
	u32 i;

	ft_talk_flush(talk);
	for (i = 0; i < 8; i++)
		KUNIT_ASSERT_EQ(test, ft_talk_add(talk, i), 0);
	KUNIT_EXPECT_EQ(test, reserved_used(talk), 0);
	v[FLOWTRACK_A_SETTINGS_MAX_FLOWS] = 10;
	v[FLOWTRACK_A_SETTINGS_RESERVED] = 2;
	KUNIT_EXPECT_EQ(test, reserved_used(talk), 0);
	v[FLOWTRACK_A_SETTINGS_RESERVED] = 5;
	KUNIT_EXPECT_EQ(test, reserved_used(talk), 3);
	/* No more than there are, though there are more flows than max. */
	v[FLOWTRACK_A_SETTINGS_MAX_FLOWS] = 6;
	KUNIT_EXPECT_EQ(test, reserved_used(talk), 5);
	v[FLOWTRACK_A_SETTINGS_RESERVED] = 0;
	v[FLOWTRACK_A_SETTINGS_MAX_FLOWS] = max;
	ft_talk_flush(talk);
}

static void settings(struct kunit *test)
{
	struct nlattr *tb[FLOWTRACK_A_SETTINGS_MAX + 1];
	struct ft_talk *talk = ft_talk_open(test);
	struct ft_net *tn = ft_pernet(&init_net);
	struct ft_settings before = tn->set;
	struct sk_buff *skb;
	struct ft_ack ack;
	unsigned int i;

	skb = ft_talk_begin(talk, FLOWTRACK_CMD_SETTINGS_SET, NLM_F_ACK);
	nla_put_u32(skb, FLOWTRACK_A_SETTINGS_UDP_TIMEOUT, 77);
	nla_put_u32(skb, FLOWTRACK_A_SETTINGS_BYPASS_MASK, U32_MAX);
	ft_talk(talk, &ack);
	KUNIT_EXPECT_EQ(test, ack.err, 0);
	ft_talk_begin(talk, FLOWTRACK_CMD_SETTINGS_GET, 0);
	ft_talk_parse(talk, ft_talk(talk, &ack), tb, FLOWTRACK_A_SETTINGS_MAX);
	for (i = 1; i <= FLOWTRACK_A_SETTINGS_MAX; i++) {
		u32 want = ft_settings_get(tn, i);

		if (i == FLOWTRACK_A_SETTINGS_UDP_TIMEOUT)
			want = 77;
		if (i == FLOWTRACK_A_SETTINGS_BYPASS_MASK)
			want = U32_MAX;
		KUNIT_ASSERT_NOT_NULL(test, tb[i]);
		if (i == FLOWTRACK_A_SETTINGS_FOLLOWING) {
			KUNIT_EXPECT_EQ(test, nla_get_u64(tb[i]), ft_follow_which(&tn->follow));
			KUNIT_EXPECT_FALSE(test, nla_get_u64(tb[i]) &
					   BIT_ULL(FLOWTRACK_A_SETTINGS_UDP_TIMEOUT));
			KUNIT_EXPECT_TRUE(test, nla_get_u64(tb[i]) &
					  BIT_ULL(FLOWTRACK_A_SETTINGS_ICMP_TIMEOUT));
			continue;
		}
		KUNIT_EXPECT_EQ_MSG(test, nla_get_u32(tb[i]), want,
				    "setting %u", i);
	}

	/* One of them is wrong: none is changed. */
	skb = ft_talk_begin(talk, FLOWTRACK_CMD_SETTINGS_SET, NLM_F_ACK);
	nla_put_u32(skb, FLOWTRACK_A_SETTINGS_UDP_TIMEOUT, 78);
	nla_put_u32(skb, FLOWTRACK_A_SETTINGS_GRE_TIMEOUT, 0);
	ft_talk(talk, &ack);
	KUNIT_EXPECT_EQ(test, ack.err, -EINVAL);
	KUNIT_EXPECT_EQ(test, ack.bad, FLOWTRACK_A_SETTINGS_GRE_TIMEOUT);
	KUNIT_EXPECT_EQ(test, strncmp(ack.msg, "gre_timeout 0: must be 1 to ",
				      28), 0);
	KUNIT_EXPECT_EQ(test, ft_settings_get(tn, FLOWTRACK_A_SETTINGS_UDP_TIMEOUT),
			77);
	tn->set = before;
}

/* The largest flow there is, with all that a notification adds, fits. */
static void size(struct kunit *test)
{
	struct ft_flow6 copy = {
		.f.gen = U32_MAX,
		.f.key.family = NFPROTO_IPV6,
		.f.key.l4proto = IPPROTO_TCP,
		.f.packets = { 1, 1 },
	};
	size_t size = ft_netlink_flow_size(), used, flow;
	struct ft_net *tn = ft_pernet(&init_net);
	struct sk_buff *skb;

	skb = alloc_skb(4096, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, skb);
	tn->set.v[FLOWTRACK_A_SETTINGS_TIMESTAMP] = 1;
	KUNIT_EXPECT_EQ(test, ft_netlink_show_flow(skb, tn, &copy, U32_MAX - 1,
						   FLOWTRACK_SHOW_DIGEST), 0);
	flow = skb->len;
	nla_put_u8(skb, A(REASON), 1);
	nla_put_u64_64bit(skb, A(STOP), 1, A(PAD));
	used = skb->len;
	nlmsg_free(skb);
	KUNIT_EXPECT_LE(test, used, size);
	/* Nor is it a waste. */
	KUNIT_EXPECT_GT(test, used + 64, size);

	/*
	 * Too little room is an error, wherever the message ends. In steps of 8:
	 * where a message begins decides how much padding it needs.
	 */
	for (used = 0; used < flow + 8; used += 8) {
		skb = alloc_skb(used, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, skb);
		/* kmalloc() may have given more than was asked for. */
		skb_reserve(skb, skb_tailroom(skb) - used);
		KUNIT_EXPECT_EQ_MSG(test, ft_netlink_show_flow(skb, tn, &copy, 1,
							       FLOWTRACK_SHOW_DIGEST),
				    used < flow ? -EMSGSIZE : 0, "%zu bytes",
				    used);
		nlmsg_free(skb);
	}
	tn->set.v[FLOWTRACK_A_SETTINGS_TIMESTAMP] = 0;
}

static struct kunit_case netlink_cases[] = {
	KUNIT_CASE(samples_round),
	KUNIT_CASE(refused),
	KUNIT_CASE(defaults),
	KUNIT_CASE(mapping),
	KUNIT_CASE(full),
	KUNIT_CASE(dumps),
	KUNIT_CASE(digests),
	KUNIT_CASE(dump_interrupted),
	KUNIT_CASE(delete_filtered),
	KUNIT_CASE(expired),
	KUNIT_CASE(statistics),
	KUNIT_CASE(statistics_by_cpu),
	KUNIT_CASE(reserved),
	KUNIT_CASE(level),
	KUNIT_CASE(settings),
	KUNIT_CASE(size),
	{}
};

static struct kunit_suite netlink_suite = {
	.name = "ft_netlink",
	.test_cases = netlink_cases,
};

kunit_test_suite(netlink_suite);
