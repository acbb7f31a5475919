// SPDX-License-Identifier: GPL-2.0
/*
 * count-get through a socket, in the initial namespace.
 */
#include "ft_conntrack.h"
#include "ft_talk.h"

#define A(name)		FLOWTRACK_A_COUNT_##name
#define E(name)		FLOWTRACK_A_COUNT_ENTRY_##name
#define F(name)		FLOWTRACK_A_FILTER_##name

static const struct nlmsghdr *ask(struct ft_talk *talk, u8 by, u32 limit, u8 trackers, u16 zone)
{
	struct sk_buff *skb = ft_talk_begin(talk, FLOWTRACK_CMD_COUNT_GET, 0);
	struct nlattr *nest;
	struct ft_ack ack;

	nla_put_u8(skb, A(BY), by);
	if (limit)
		nla_put_u32(skb, A(LIMIT), limit);
	nest = nla_nest_start(skb, A(FILTER));
	nla_put_u8(skb, F(TRACKER), trackers);
	if (zone)
		nla_put_u16(skb, F(ZONE), zone);
	nla_nest_end(skb, nest);
	return ft_talk(talk, &ack);
}

/* Entry number @i, from 0 on. Return: how many there are. */
static unsigned int entry(struct ft_talk *talk, const struct nlmsghdr *nlh, unsigned int i,
			  struct nlattr **tb)
{
	const struct nlattr *attr;
	unsigned int n = 0;
	int rem;

	nlmsg_for_each_attr(attr, nlh, GENL_HDRLEN, rem) {
		if (nla_type(attr) == A(ENTRY) && n++ == i)
			ft_talk_nest(talk, attr, tb, E(MAX));
	}
	return n;
}

static void expect(struct ft_talk *talk, const struct nlmsghdr *nlh, u32 total, u32 others)
{
	struct nlattr *tb[A(MAX) + 1];

	ft_talk_parse(talk, nlh, tb, A(MAX));
	KUNIT_EXPECT_EQ(talk->test, nla_get_u32(tb[A(TOTAL)]), total);
	KUNIT_EXPECT_EQ(talk->test, nla_get_u32(tb[A(OTHERS)]), others);
	KUNIT_EXPECT_EQ(talk->test, nla_get_u32(tb[A(SHORT_BY)]), 0);
}

/* Own flows of many sources and guarded ones, one assured. */
static void by_all(struct kunit *test)
{
	const u8 both = FLOWTRACK_TRACKER_OWN | FLOWTRACK_TRACKER_GUARDED;
	struct ft_talk *talk = ft_talk_open(test);
	struct nlattr *e[E(MAX) + 1], *top[FLOWTRACK_A_TOP_ENTRY_MAX + 1];
	const struct nlmsghdr *nlh;
	struct nf_conn *ct;
	u32 i;

	ft_talk_flush(talk);
	for (i = 0; i < 300; i++)
		KUNIT_ASSERT_EQ(test, ft_talk_add(talk, i), 0);
	ft_guard_show(ft_pernet(&init_net));
	for (i = 0; i < 5; i++) {
		ct = ft_ct_udp(test, i, i ? 0 : IPS_ASSURED | IPS_SEEN_REPLY, 60 * HZ);
		WRITE_ONCE(ct->mark, 7);
		ft_ct_feed(ft_pernet(&init_net), ct);
		ft_ct_drop(test, ct);
	}

	nlh = ask(talk, FLOWTRACK_COUNT_BY_CLASS, 0, both, 0);
	expect(talk, nlh, 305, 0);
	KUNIT_EXPECT_EQ(test, entry(talk, nlh, 0, e), 2);
	KUNIT_EXPECT_EQ(test, nla_get_u8(e[E(CLASS)]), FLOWTRACK_CLASS_EMBRYONIC);
	KUNIT_EXPECT_EQ(test, nla_get_u32(e[E(FLOWS)]), 304);
	KUNIT_EXPECT_NULL(test, e[E(SOURCE)]);
	entry(talk, nlh, 1, e);
	KUNIT_EXPECT_EQ(test, nla_get_u8(e[E(CLASS)]), FLOWTRACK_CLASS_ASSURED);
	KUNIT_EXPECT_EQ(test, nla_get_u32(e[E(FLOWS)]), 1);

	nlh = ask(talk, FLOWTRACK_COUNT_BY_STATE, 0, FLOWTRACK_TRACKER_OWN, 0);
	expect(talk, nlh, 300, 0);
	KUNIT_EXPECT_EQ(test, entry(talk, nlh, 0, e), 1);
	KUNIT_EXPECT_EQ(test, nla_get_u8(e[E(L4PROTO)]), IPPROTO_UDP);
	KUNIT_EXPECT_EQ(test, nla_get_u8(e[E(STATE)]), FLOWTRACK_FLOW_STATE_UNREPLIED);

	nlh = ask(talk, FLOWTRACK_COUNT_BY_PROTO, 0, FLOWTRACK_TRACKER_GUARDED, 0);
	expect(talk, nlh, 5, 0);
	KUNIT_EXPECT_EQ(test, entry(talk, nlh, 0, e), 1);
	KUNIT_EXPECT_EQ(test, nla_get_u8(e[E(L4PROTO)]), IPPROTO_UDP);

	nlh = ask(talk, FLOWTRACK_COUNT_BY_MARK, 1, both, 0);
	expect(talk, nlh, 305, 5);
	KUNIT_EXPECT_EQ(test, entry(talk, nlh, 0, e), 1);
	KUNIT_EXPECT_EQ(test, nla_get_u32(e[E(MARK)]), 0);

	/* The filter applies; and nothing is nothing. */
	nlh = ask(talk, FLOWTRACK_COUNT_BY_ZONE, 0, both, 3);
	expect(talk, nlh, 0, 0);
	KUNIT_EXPECT_EQ(test, entry(talk, nlh, 0, e), 0);

	/* All that a reply may hold fits in it. */
	nlh = ask(talk, FLOWTRACK_COUNT_BY_SOURCE, 256, both, 0);
	KUNIT_EXPECT_EQ(test, entry(talk, nlh, 0, e), 256);
	ft_talk_nest(talk, e[E(SOURCE)], top, FLOWTRACK_A_TOP_ENTRY_MAX);
	KUNIT_EXPECT_EQ(test, nla_get_u8(top[FLOWTRACK_A_TOP_ENTRY_FAMILY]), AF_INET);
	KUNIT_EXPECT_NOT_NULL(test, top[FLOWTRACK_A_TOP_ENTRY_ADDR4]);
	KUNIT_EXPECT_EQ(test, nla_get_u8(top[FLOWTRACK_A_TOP_ENTRY_PREFIX]), 32);
	nlh = ask(talk, FLOWTRACK_COUNT_BY_SOURCE, 3, both, 0);
	KUNIT_EXPECT_EQ(test, entry(talk, nlh, 0, e), 3);
	ft_talk_flush(talk);
	ft_ct_end_all();
}

static void refused(struct kunit *test)
{
	static const struct {
		unsigned int attr;
		u32 value;
		bool wide;
	} bad[] = {
		{ A(LIMIT), 1, true },
		{ A(BY), FLOWTRACK_COUNT_BY_SOURCE + 1 },
		{ A(LIMIT), 0, true },
		{ A(LIMIT), 257, true },
		{ A(TOTAL), 1, true },
	};
	struct ft_talk *talk = ft_talk_open(test);
	struct sk_buff *skb;
	struct ft_ack ack;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		skb = ft_talk_begin(talk, FLOWTRACK_CMD_COUNT_GET, NLM_F_ACK);
		/* The first one lacks it. */
		if (i && bad[i].attr != A(BY))
			nla_put_u8(skb, A(BY), 0);
		if (bad[i].wide)
			nla_put_u32(skb, bad[i].attr, bad[i].value);
		else
			nla_put_u8(skb, bad[i].attr, bad[i].value);
		KUNIT_EXPECT_NULL(test, ft_talk(talk, &ack));
		KUNIT_EXPECT_LT_MSG(test, ack.err, 0, "number %u", i);
		KUNIT_EXPECT_EQ_MSG(test, i ? ack.bad : ack.missing, i ? bad[i].attr : A(BY),
				    "number %u", i);
	}
}

static struct kunit_case netlink_count_cases[] = {
	KUNIT_CASE(by_all),
	KUNIT_CASE(refused),
	{}
};

static struct kunit_suite netlink_count_suite = {
	.name = "ft_netlink_count",
	.test_cases = netlink_count_cases,
};

kunit_test_suite(netlink_count_suite);
