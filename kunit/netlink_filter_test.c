// SPDX-License-Identifier: GPL-2.0
#include <linux/netlink.h>
#include <linux/prandom.h>
#include <net/netlink.h>

#include "ft_kunit.h"
#include "netlink/filter.h"

#define A(name)		FLOWTRACK_A_FILTER_##name

/* A filter as it was asked for, and the naive reading of it. */
struct naive {
	bool has[FLOWTRACK_A_FILTER_MAX + 1];
	u32 v[FLOWTRACK_A_FILTER_MAX + 1];
	u8 addr[2][20]; /* four bytes more than any address has */
	u8 addr_len[2];
};

static int put_naive(struct sk_buff *skb, const struct naive *n)
{
	unsigned int i;
	int err = 0;

	for (i = 1; i <= FLOWTRACK_A_FILTER_MAX && !err; i++) {
		if (!n->has[i])
			continue;
		switch (i) {
		case A(SRC):
		case A(DST):
			err = nla_put(skb, i, n->addr_len[i == A(DST)],
				      n->addr[i == A(DST)]);
			break;
		case A(SPORT_MIN) ... A(DPORT_MAX):
		case A(ZONE):
			err = nla_put_u16(skb, i, n->v[i]);
			break;
		case A(MARK):
		case A(MARK_MASK):
		case A(AGE_MIN):
		case A(AGE_MAX):
			err = nla_put_u32(skb, i, n->v[i]);
			break;
		default:
			err = nla_put_u8(skb, i, n->v[i]);
			break;
		}
	}
	return err;
}

static int parse_naive(struct kunit *test, const struct naive *n,
		       struct ft_filter *filter, struct netlink_ext_ack *extack)
{
	struct sk_buff *skb = nlmsg_new(NLMSG_DEFAULT_SIZE, GFP_KERNEL);
	struct nlattr *nest;
	int err;

	KUNIT_ASSERT_NOT_NULL(test, skb);
	nest = nla_nest_start(skb, FLOWTRACK_A_FLOW_FILTER);
	KUNIT_EXPECT_EQ(test, put_naive(skb, n), 0);
	nla_nest_end(skb, nest);
	err = ft_filter_parse(filter, nest, extack);
	nlmsg_free(skb);
	return err;
}

static void set(struct naive *n, unsigned int attr, u32 v)
{
	n->has[attr] = true;
	n->v[attr] = v;
}

static void set_addr(struct naive *n, unsigned int end, unsigned int len,
		     u8 first)
{
	n->has[end ? A(DST) : A(SRC)] = true;
	n->addr_len[end] = len;
	memset(n->addr[end], first, sizeof(n->addr[end]));
}

/* Requests that are refused: what, which attribute, and why. */
static const struct refusal {
	const char *why;
	unsigned int attr[3];
	u32 v[3];
	unsigned int addr_len;
	unsigned int bad;
	unsigned int missing;
} refusals[] = {
	{ "state without protocol", { A(STATE) }, { 1 }, 0, 0, A(L4PROTO) },
	{ "no such state", { A(L4PROTO), A(STATE) }, { IPPROTO_UDP, 3 }, 0,
	  A(STATE), 0 },
	{ "no such class", { A(CLASS) }, { 4 }, 0, A(CLASS), 0 },
	{ "no such family", { A(FAMILY) }, { 1 }, 0, A(FAMILY), 0 },
	{ "address of no family", { }, { }, 5, A(SRC), 0 },
	{ "address too long", { }, { }, 17, A(SRC), 0 },
	{ "address too short", { }, { }, 1, A(SRC), 0 },
	{ "family and address", { A(FAMILY) }, { NFPROTO_IPV6 }, 4, A(SRC), 0 },
	{ "prefix without address", { A(SRC_PREFIX) }, { 8 }, 0, 0, A(SRC) },
	{ "prefix without address", { A(DST_PREFIX) }, { 8 }, 0, 0, A(DST) },
	{ "IPv4 prefix too long", { A(SRC_PREFIX) }, { 33 }, 4, A(SRC_PREFIX),
	  0 },
	{ "IPv6 prefix too long", { A(SRC_PREFIX) }, { 129 }, 16, A(SRC_PREFIX),
	  0 },
	{ "range without beginning", { A(SPORT_MAX) }, { 1 }, 0, 0,
	  A(SPORT_MIN) },
	{ "range without beginning", { A(DPORT_MAX) }, { 1 }, 0, 0,
	  A(DPORT_MIN) },
	{ "range backwards", { A(SPORT_MIN), A(SPORT_MAX) }, { 2, 1 }, 0,
	  A(SPORT_MAX), 0 },
	{ "ports of ICMP", { A(L4PROTO), A(DPORT_MIN) }, { IPPROTO_ICMP, 1 }, 0,
	  A(DPORT_MIN), 0 },
	{ "mask without mark", { A(MARK_MASK) }, { 1 }, 0, 0, A(MARK) },
	{ "tracked by nobody", { A(TRACKER) }, { 0 }, 0, A(TRACKER), 0 },
	{ "no such tracker", { A(TRACKER) }, { 4 }, 0, A(TRACKER), 0 },
	{ "ages backwards", { A(AGE_MIN), A(AGE_MAX) }, { 2, 1 }, 0, A(AGE_MAX),
	  0 },
};

static void refused(struct kunit *test)
{
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(refusals); i++) {
		const struct refusal *r = &refusals[i];
		struct netlink_ext_ack extack = {};
		struct ft_filter filter;
		struct naive n = {};
		int err;

		for (j = 0; j < ARRAY_SIZE(r->attr) && r->attr[j]; j++)
			set(&n, r->attr[j], r->v[j]);
		if (r->addr_len)
			set_addr(&n, 0, r->addr_len, 1);
		err = parse_naive(test, &n, &filter, &extack);
		KUNIT_EXPECT_LT_MSG(test, err, 0, "%s", r->why);
		KUNIT_EXPECT_NOT_NULL_MSG(test, extack._msg, "%s", r->why);
		KUNIT_EXPECT_EQ_MSG(test, extack.miss_type, r->missing, "%s",
				    r->why);
		KUNIT_EXPECT_EQ_MSG(test, !extack.bad_attr, !r->bad, "%s",
				    r->why);
	}
}

static void edges(struct kunit *test)
{
	struct netlink_ext_ack extack = {};
	struct ft_flow6 copy = {};
	struct ft_filter filter;
	struct naive n = {};
	u64 s = NSEC_PER_SEC;

	/* Nothing given: everything matches. */
	KUNIT_EXPECT_EQ(test, parse_naive(test, &n, &filter, &extack), 0);
	KUNIT_EXPECT_EQ(test, filter.given, 0);
	KUNIT_EXPECT_EQ(test, filter.trackers, FLOWTRACK_TRACKER_OWN);
	KUNIT_EXPECT_TRUE(test, ft_filter_match(&filter, &copy, NULL, 0));
	KUNIT_EXPECT_TRUE(test, ft_filter_match(&filter, &copy, NULL, U64_MAX / 2));

	/* Ages are full seconds: 2 is from 2 to just below 3. */
	set(&n, A(AGE_MIN), 2);
	set(&n, A(AGE_MAX), 2);
	KUNIT_EXPECT_EQ(test, parse_naive(test, &n, &filter, &extack), 0);
	copy.f.born = 10 * s;
	KUNIT_EXPECT_FALSE(test, ft_filter_match(&filter, &copy, NULL, 12 * s - 1));
	KUNIT_EXPECT_TRUE(test, ft_filter_match(&filter, &copy, NULL, 12 * s));
	KUNIT_EXPECT_TRUE(test, ft_filter_match(&filter, &copy, NULL, 13 * s - 1));
	KUNIT_EXPECT_FALSE(test, ft_filter_match(&filter, &copy, NULL, 13 * s));
	/* Born a little later than "now", and before the boot. */
	KUNIT_EXPECT_FALSE(test, ft_filter_match(&filter, &copy, NULL, 9 * s));
	copy.f.born = -s;
	KUNIT_EXPECT_TRUE(test, ft_filter_match(&filter, &copy, NULL, s));

	/* The greatest age there is. */
	memset(&n, 0, sizeof(n));
	set(&n, A(AGE_MAX), U32_MAX);
	set(&n, A(AGE_MIN), U32_MAX);
	KUNIT_EXPECT_EQ(test, parse_naive(test, &n, &filter, &extack), 0);
	KUNIT_EXPECT_FALSE(test, ft_filter_match(&filter, &copy, NULL, s));

	/* A prefix of no bits says no more than the family. */
	memset(&n, 0, sizeof(n));
	set_addr(&n, 0, 4, 1);
	set(&n, A(SRC_PREFIX), 0);
	KUNIT_EXPECT_EQ(test, parse_naive(test, &n, &filter, &extack), 0);
	copy.f.key.family = NFPROTO_IPV4;
	KUNIT_EXPECT_TRUE(test, ft_filter_match(&filter, &copy, NULL, 0));
	copy.f.key.family = NFPROTO_IPV6;
	KUNIT_EXPECT_FALSE(test, ft_filter_match(&filter, &copy, NULL, 0));
}

/* What answers of own flows are like follows from the flow. */
static void replies(struct kunit *test)
{
	struct ft_filter filter = {
		.given = BIT(A(REPLY_SRC)) | BIT(A(REPLY_DPORT_MIN)),
		.family = NFPROTO_IPV4,
		.age_end = U64_MAX,
	};
	struct ft_flow6 copy = {};
	unsigned int hi;

	copy.f.key.family = NFPROTO_IPV4;
	copy.f.key.l4proto = IPPROTO_UDP;
	for (hi = 0; hi < 2; hi++) {
		/* From 10.0.0.1:1000 to 10.0.0.2:53. */
		atomic_set(&copy.f.word, hi ? FT_FLOW_ORIG_HI : 0);
		copy.f.key.addr4[hi] = htonl(0x0a000001);
		copy.f.key.addr4[!hi] = htonl(0x0a000002);
		copy.f.key.port[hi] = htons(1000);
		copy.f.key.port[!hi] = htons(53);
		filter.addr[FT_FILTER_REPLY_SRC].ip = htonl(0x0a000002);
		filter.mask[FT_FILTER_REPLY_SRC].ip = htonl(0xffffffff);
		filter.port_min[FT_FILTER_REPLY_DST] = 1000;
		filter.port_max[FT_FILTER_REPLY_DST] = 1000;
		KUNIT_EXPECT_TRUE(test, ft_filter_match(&filter, &copy, NULL, 0));
		filter.port_min[FT_FILTER_REPLY_DST] = 53;
		KUNIT_EXPECT_TRUE(test, ft_filter_match(&filter, &copy, NULL, 0));
		filter.port_max[FT_FILTER_REPLY_DST] = 53;
		KUNIT_EXPECT_FALSE(test, ft_filter_match(&filter, &copy, NULL, 0));
		filter.port_max[FT_FILTER_REPLY_DST] = 1000;
		filter.addr[FT_FILTER_REPLY_SRC].ip = htonl(0x0a000001);
		KUNIT_EXPECT_FALSE(test, ft_filter_match(&filter, &copy, NULL, 0));
	}
}

/* A filter of parts: @part are in the lists @list, or exceptions (0), in a row. */
static int parse_parts(struct kunit *test, const struct naive *whole, const struct naive *part,
		       const u8 *list, unsigned int n, struct ft_filter *filter,
		       struct netlink_ext_ack *extack)
{
	struct sk_buff *skb = nlmsg_new(4 * NLMSG_DEFAULT_SIZE, GFP_KERNEL);
	struct nlattr *nest, *any = NULL, *inner;
	unsigned int i;
	int err;

	KUNIT_ASSERT_NOT_NULL(test, skb);
	nest = nla_nest_start(skb, FLOWTRACK_A_FLOW_FILTER);
	KUNIT_EXPECT_EQ(test, put_naive(skb, whole), 0);
	for (i = 0; i < n; i++) {
		if (list[i] && !any)
			any = nla_nest_start(skb, A(ANY));
		inner = nla_nest_start(skb, list[i] ? FLOWTRACK_A_ANY_FILTER : A(NOT));
		KUNIT_EXPECT_EQ(test, put_naive(skb, &part[i]), 0);
		nla_nest_end(skb, inner);
		if (any && (i + 1 == n || list[i + 1] != list[i])) {
			nla_nest_end(skb, any);
			any = NULL;
		}
	}
	nla_nest_end(skb, nest);
	err = ft_filter_parse(filter, nest, extack);
	nlmsg_free(skb);
	return err;
}

/* Parts that are refused, and the greatest filter that is not. */
static void parts_refused(struct kunit *test)
{
	static const struct {
		const char *why;
		unsigned int attr;
		u32 v;
		unsigned int n;
		int err;
	} cases[] = {
		{ "as many as may be", A(ZONE), 1, FT_FILTER_PARTS, 0 },
		{ "one more", A(ZONE), 1, FT_FILTER_PARTS + 1, -EINVAL },
		{ "tracker in a part", A(TRACKER), FLOWTRACK_TRACKER_OWN, 1, -EINVAL },
		{ "bad value in a part", A(CLASS), 4, 1, -ERANGE },
		{ "bad attribute in a part", A(STATE), 1, 1, -EINVAL },
		{ "a part that says nothing", 0, 0, 1, -EINVAL },
	};
	struct naive *part = kunit_kcalloc(test, FT_FILTER_PARTS + 1, sizeof(*part), GFP_KERNEL);
	u8 list[FT_FILTER_PARTS + 1] = {};
	struct naive whole = {};
	unsigned int i, k, as;

	KUNIT_ASSERT_NOT_NULL(test, part);
	for (i = 0; i < 2 * ARRAY_SIZE(cases); i++) {
		struct netlink_ext_ack extack = {};
		struct ft_filter filter;

		/* Once as exceptions, once as alternatives. */
		as = i & 1;
		for (k = 0; k < cases[i / 2].n; k++) {
			memset(&part[k], 0, sizeof(part[k]));
			if (cases[i / 2].attr)
				set(&part[k], cases[i / 2].attr, cases[i / 2].v);
			list[k] = as;
		}
		KUNIT_EXPECT_EQ_MSG(test, cases[i / 2].err,
				    parse_parts(test, &whole, part, list, cases[i / 2].n, &filter,
						&extack), "%s", cases[i / 2].why);
		KUNIT_EXPECT_EQ_MSG(test, !extack._msg, !cases[i / 2].err, "%s", cases[i / 2].why);
		ft_filter_free(&filter);
	}
}

/* A part in a part, and a list of nothing. */
static void parts_nested(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < 3; i++) {
		struct sk_buff *skb = nlmsg_new(NLMSG_DEFAULT_SIZE, GFP_KERNEL);
		struct nlattr *nest, *part, *inner;
		struct netlink_ext_ack extack = {};
		struct ft_filter filter;

		KUNIT_ASSERT_NOT_NULL(test, skb);
		nest = nla_nest_start(skb, FLOWTRACK_A_FLOW_FILTER);
		part = nla_nest_start(skb, i == 2 ? A(ANY) : A(NOT));
		if (i < 2) {
			inner = nla_nest_start(skb, i ? A(ANY) : A(NOT));
			nla_nest_end(skb, inner);
		}
		nla_nest_end(skb, part);
		nla_nest_end(skb, nest);
		KUNIT_EXPECT_EQ(test, ft_filter_parse(&filter, nest, &extack), -EINVAL);
		KUNIT_EXPECT_NOT_NULL(test, extack._msg);
		KUNIT_EXPECT_NOT_NULL(test, extack.bad_attr);
		ft_filter_free(&filter);
		nlmsg_free(skb);
	}
}

/* Either end is all four: the flow's, and what NAT made of them. */
static void either(struct kunit *test)
{
	struct ft_filter filter = {
		.given = BIT(A(HOST)),
		.family = NFPROTO_IPV4,
		.age_end = U64_MAX,
	};
	struct ft_flow6 copy = {}, reply = {};
	unsigned int i;

	copy.f.key.family = NFPROTO_IPV4;
	copy.f.key.l4proto = IPPROTO_UDP;
	reply.f.key = copy.f.key;
	for (i = 0; i < 2; i++) {
		copy.f.key.addr4[i] = htonl(0x0a000001 + i);
		copy.f.key.port[i] = htons(1000 + i);
		reply.f.key.addr4[i] = htonl(0x0a000003 + i);
		reply.f.key.port[i] = htons(1002 + i);
	}
	filter.mask[FT_FILTER_EITHER].ip = htonl(0xffffffff);
	for (i = 0; i < 6; i++) {
		filter.given = BIT(A(HOST));
		filter.addr[FT_FILTER_EITHER].ip = htonl(0x0a000000 + i);
		KUNIT_EXPECT_EQ(test, ft_filter_match(&filter, &copy, &reply, 0), i > 0 && i < 5);
		KUNIT_EXPECT_EQ(test, ft_filter_match(&filter, &copy, NULL, 0), i > 0 && i < 3);
		filter.given = BIT(A(PORT_MIN));
		filter.port_min[FT_FILTER_EITHER] = 999 + i;
		filter.port_max[FT_FILTER_EITHER] = 999 + i;
		KUNIT_EXPECT_EQ(test, ft_filter_match(&filter, &copy, &reply, 0), i > 0 && i < 5);
		KUNIT_EXPECT_EQ(test, ft_filter_match(&filter, &copy, NULL, 0), i > 0 && i < 3);
	}
}

/* An age that is not known matches none: nor is it an exception. */
static void no_age(struct kunit *test)
{
	struct ft_flow6 copy = { .f.born = FT_FILTER_NO_AGE };
	struct netlink_ext_ack extack = {};
	struct naive whole = {}, part = {};
	struct ft_filter filter;
	u8 exception = 0;

	set(&part, A(AGE_MIN), 0);
	KUNIT_ASSERT_EQ(test, parse_naive(test, &part, &filter, &extack), 0);
	KUNIT_EXPECT_FALSE(test, ft_filter_match(&filter, &copy, NULL, 0));
	KUNIT_ASSERT_EQ(test, parse_parts(test, &whole, &part, &exception, 1, &filter, &extack), 0);
	KUNIT_EXPECT_TRUE(test, ft_filter_match(&filter, &copy, NULL, 0));
	copy.f.born = 0;
	KUNIT_EXPECT_FALSE(test, ft_filter_match(&filter, &copy, NULL, 0));
	ft_filter_free(&filter);
}

static u32 pick(struct rnd_state *rnd, u32 n)
{
	return prandom_u32_state(rnd) % n;
}

static const u8 protocols[] = {
	IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP, IPPROTO_SCTP, IPPROTO_GRE, 89
};

/* Values from small sets, so that filters do match now and then. */
static void random_flow(struct rnd_state *rnd, struct ft_flow6 *copy)
{
	unsigned int end;

	memset(copy, 0, sizeof(*copy));
	copy->f.key.family = pick(rnd, 2) ? NFPROTO_IPV4 : NFPROTO_IPV6;
	copy->f.key.l4proto = protocols[pick(rnd, ARRAY_SIZE(protocols))];
	copy->f.key.zone = pick(rnd, 3);
	for (end = 0; end < 2; end++) {
		copy->f.key.port[end] = htons(pick(rnd, 4));
		copy->f.key.addr4[end] = htonl(0x01010100 + pick(rnd, 4));
		if (copy->f.key.family == NFPROTO_IPV4)
			continue;
		memset(&copy->addr6[end], 1, 16);
		copy->addr6[end].s6_addr[15] = pick(rnd, 4);
		copy->addr6[end].s6_addr[6] = pick(rnd, 2);
	}
	copy->f.mark = pick(rnd, 8);
	copy->f.born = (u64)pick(rnd, 5000) * NSEC_PER_MSEC;
	atomic_set(&copy->f.word, (pick(rnd, 2) ? FT_FLOW_ORIG_HI : 0) |
		   pick(rnd, 4) << 5 | pick(rnd, 2) << 8);
}

static void random_filter(struct rnd_state *rnd, struct naive *n)
{
	unsigned int end;

	memset(n, 0, sizeof(*n));
	if (!pick(rnd, 4))
		set(n, A(FAMILY), pick(rnd, 2) ? NFPROTO_IPV4 : NFPROTO_IPV6);
	if (!pick(rnd, 3)) {
		set(n, A(L4PROTO), protocols[pick(rnd, ARRAY_SIZE(protocols))]);
		if (!pick(rnd, 2))
			set(n, A(STATE), pick(rnd, 2));
	}
	for (end = 0; end < 2; end++) {
		if (!pick(rnd, 4)) {
			set_addr(n, end, pick(rnd, 2) ? 4 : 16, 1);
			n->addr[end][n->addr_len[end] - 1] = pick(rnd, 4);
			n->addr[end][6] = pick(rnd, 2);
			if (pick(rnd, 2))
				set(n, end ? A(DST_PREFIX) : A(SRC_PREFIX),
				    pick(rnd, n->addr_len[end] * 8 + 1));
		}
		if (!pick(rnd, 4)) {
			set(n, end ? A(DPORT_MIN) : A(SPORT_MIN), pick(rnd, 4));
			if (pick(rnd, 2))
				set(n, end ? A(DPORT_MAX) : A(SPORT_MAX),
				    pick(rnd, 4));
		}
	}
	if (!pick(rnd, 4))
		set(n, A(CLASS), pick(rnd, 4));
	if (!pick(rnd, 4)) {
		set(n, A(MARK), pick(rnd, 8));
		if (pick(rnd, 2))
			set(n, A(MARK_MASK), pick(rnd, 8));
	}
	if (!pick(rnd, 4))
		set(n, A(ZONE), pick(rnd, 3));
	if (!pick(rnd, 4))
		set(n, A(AGE_MIN), pick(rnd, 6));
	if (!pick(rnd, 4))
		set(n, A(AGE_MAX), pick(rnd, 6));
}

static bool naive_ports(u8 l4proto)
{
	return l4proto == IPPROTO_TCP || l4proto == IPPROTO_UDP ||
	       l4proto == IPPROTO_SCTP;
}

static bool naive_valid(const struct naive *n)
{
	unsigned int end;
	u8 family = n->has[A(FAMILY)] ? n->v[A(FAMILY)] : 0;

	for (end = 0; end < 2; end++) {
		unsigned int lo = end ? A(DPORT_MIN) : A(SPORT_MIN);
		unsigned int hi = end ? A(DPORT_MAX) : A(SPORT_MAX);

		if (n->has[end ? A(DST) : A(SRC)]) {
			u8 f = n->addr_len[end] == 4 ? NFPROTO_IPV4 :
						       NFPROTO_IPV6;

			if (family && family != f)
				return false;
			family = f;
		}
		if (n->has[lo] && n->has[hi] && n->v[hi] < n->v[lo])
			return false;
		if (n->has[lo] && n->has[A(L4PROTO)] &&
		    !naive_ports(n->v[A(L4PROTO)]))
			return false;
	}
	return !n->has[A(AGE_MIN)] || !n->has[A(AGE_MAX)] ||
	       n->v[A(AGE_MAX)] >= n->v[A(AGE_MIN)];
}

/* Bit by bit. */
static bool naive_prefix(const u8 *a, const u8 *b, unsigned int bits)
{
	unsigned int i;

	for (i = 0; i < bits; i++)
		if ((a[i / 8] ^ b[i / 8]) >> (7 - i % 8) & 1)
			return false;
	return true;
}

static bool naive_match(const struct naive *n, const struct ft_flow6 *copy,
			u64 now)
{
	u32 word = atomic_read(&copy->f.word);
	u64 age = (now - copy->f.born) / NSEC_PER_SEC;
	unsigned int end;

	for (end = 0; end < 2; end++) {
		unsigned int at = end ^ !!(word & FT_FLOW_ORIG_HI);
		u16 port = ntohs(copy->f.key.port[at]);
		unsigned int addr = end ? A(DST) : A(SRC);
		unsigned int len = end ? A(DST_PREFIX) : A(SRC_PREFIX);
		unsigned int lo = end ? A(DPORT_MIN) : A(SPORT_MIN);
		unsigned int hi = end ? A(DPORT_MAX) : A(SPORT_MAX);
		bool v4 = copy->f.key.family == NFPROTO_IPV4;

		if (n->has[addr]) {
			if (n->addr_len[end] != (v4 ? 4 : 16))
				return false;
			if (!naive_prefix(n->addr[end],
					  v4 ? (u8 *)&copy->f.key.addr4[at] :
					       copy->addr6[at].s6_addr,
					  n->has[len] ? n->v[len] :
					  n->addr_len[end] * 8))
				return false;
		}
		if (n->has[lo] && (!naive_ports(copy->f.key.l4proto) ||
				   port < n->v[lo] ||
				   port > n->v[n->has[hi] ? hi : lo]))
			return false;
	}
	if (n->has[A(MARK)]) {
		u32 mask = n->has[A(MARK_MASK)] ? n->v[A(MARK_MASK)] : U32_MAX;

		if ((copy->f.mark & mask) != (n->v[A(MARK)] & mask))
			return false;
	}
	return !((n->has[A(FAMILY)] && n->v[A(FAMILY)] != copy->f.key.family) ||
		 (n->has[A(L4PROTO)] && n->v[A(L4PROTO)] != copy->f.key.l4proto) ||
		 (n->has[A(STATE)] && n->v[A(STATE)] != ((word >> 8) & 0xff)) ||
		 (n->has[A(CLASS)] && n->v[A(CLASS)] != ((word >> 5) & 3)) ||
		 (n->has[A(ZONE)] && n->v[A(ZONE)] != copy->f.key.zone) ||
		 (n->has[A(AGE_MIN)] && age < n->v[A(AGE_MIN)]) ||
		 (n->has[A(AGE_MAX)] && age > n->v[A(AGE_MAX)]));
}

static void twin(struct kunit *test)
{
	u64 now = 5ULL * NSEC_PER_SEC;
	unsigned int i, j, matched = 0, parsed = 0;
	struct rnd_state rnd;

	prandom_seed_state(&rnd, 42);
	for (i = 0; i < 4000; i++) {
		struct netlink_ext_ack extack = {};
		struct ft_filter filter;
		struct naive n;
		int err;

		random_filter(&rnd, &n);
		err = parse_naive(test, &n, &filter, &extack);
		KUNIT_ASSERT_EQ_MSG(test, !err, naive_valid(&n), "filter %u: %s",
				    i, extack._msg ?: "");
		if (err)
			continue;
		parsed++;
		for (j = 0; j < 20; j++) {
			struct ft_flow6 copy;
			bool want;

			random_flow(&rnd, &copy);
			want = naive_match(&n, &copy, now);
			KUNIT_ASSERT_EQ_MSG(test, want,
					    ft_filter_match(&filter, &copy, NULL, now),
					    "filter %u, flow %u", i, j);
			matched += want;
		}
	}
	/* Random, but not so random that nothing was tried. */
	KUNIT_EXPECT_GT(test, parsed, 1000);
	KUNIT_EXPECT_GT(test, matched, 1000);
	KUNIT_EXPECT_LT(test, matched, parsed * 20 / 2);
}

static bool says_nothing(const struct naive *n)
{
	return !memchr_inv(n->has, 0, sizeof(n->has));
}

/* A random filter that is valid, and says something. */
static void valid_filter(struct rnd_state *rnd, struct naive *n)
{
	do {
		random_filter(rnd, n);
	} while (!naive_valid(n) || says_nothing(n));
}

static bool naive_parts(const struct naive *part, const u8 *list, unsigned int n,
			const struct ft_flow6 *copy, u64 now)
{
	bool met[16] = {}, wanted[16] = {};
	unsigned int i;

	for (i = 0; i < n; i++) {
		bool match = naive_match(&part[i], copy, now);

		if (match && !list[i])
			return false;
		wanted[list[i]] = list[i];
		met[list[i]] |= match;
	}
	return !memcmp(met + 1, wanted + 1, sizeof(met) - 1);
}

/* Lists and exceptions in any order. */
static void twin_parts(struct kunit *test)
{
	struct naive *part = kunit_kcalloc(test, 6, sizeof(*part), GFP_KERNEL);
	u64 now = 5ULL * NSEC_PER_SEC;
	struct rnd_state rnd;
	unsigned int i, j, k, matched = 0, n;

	KUNIT_ASSERT_NOT_NULL(test, part);
	prandom_seed_state(&rnd, 43);
	for (i = 0; i < 1000; i++) {
		struct netlink_ext_ack extack = {};
		struct naive whole = {};
		struct ft_filter filter;
		u8 list[6], last = 0;

		if (pick(&rnd, 2))
			set(&whole, A(FAMILY), NFPROTO_IPV4);
		n = pick(&rnd, ARRAY_SIZE(list) + 1);
		for (k = 0; k < n; k++) {
			valid_filter(&rnd, &part[k]);
			if (!k || pick(&rnd, 2))
				last++;
			list[k] = pick(&rnd, 3) ? last : 0;
			if (!list[k])
				last++;
		}
		KUNIT_ASSERT_EQ_MSG(test, 0,
				    parse_parts(test, &whole, part, list, n, &filter, &extack),
				    "filter %u: %s", i, extack._msg ?: "");
		for (j = 0; j < 20; j++) {
			struct ft_flow6 copy;
			bool want;

			random_flow(&rnd, &copy);
			want = naive_match(&whole, &copy, now) &&
			       naive_parts(part, list, n, &copy, now);
			KUNIT_ASSERT_EQ_MSG(test, want, ft_filter_match(&filter, &copy, NULL, now),
					    "filter %u, flow %u", i, j);
			matched += want;
		}
		ft_filter_free(&filter);
	}
	KUNIT_EXPECT_GT(test, matched, 500);
	KUNIT_EXPECT_LT(test, matched, 18000);
}

static struct kunit_case netlink_filter_cases[] = {
	KUNIT_CASE(refused),
	KUNIT_CASE(edges),
	KUNIT_CASE(replies),
	KUNIT_CASE(twin),
	KUNIT_CASE(parts_refused),
	KUNIT_CASE(parts_nested),
	KUNIT_CASE(either),
	KUNIT_CASE(no_age),
	KUNIT_CASE(twin_parts),
	{}
};

static struct kunit_suite netlink_filter_suite = {
	.name = "ft_netlink_filter",
	.test_cases = netlink_filter_cases,
};

kunit_test_suite(netlink_filter_suite);
