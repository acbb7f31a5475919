// SPDX-License-Identifier: GPL-2.0
/*
 * top-get through a socket, in the initial namespace.
 */
#include "ft_talk.h"

#define A(name)		FLOWTRACK_A_TOP_##name
#define E(name)		FLOWTRACK_A_TOP_ENTRY_##name

/* The next request gets a new report. */
static void let_it_age(void)
{
	struct ft_top_report *report;

	rcu_read_lock();
	report = rcu_dereference(ft_pernet(&init_net)->top.report);
	if (report)
		report->when = jiffies - HZ;
	rcu_read_unlock();
}

static const struct nlmsghdr *ask(struct ft_talk *talk, u8 kind, u8 order,
				  u32 limit)
{
	struct sk_buff *skb = ft_talk_begin(talk, FLOWTRACK_CMD_TOP_GET, 0);
	struct ft_ack ack;

	nla_put_u8(skb, A(KIND), kind);
	nla_put_u8(skb, A(ORDER), order);
	nla_put_u32(skb, A(LIMIT), limit);
	return ft_talk(talk, &ack);
}

static unsigned int entries(const struct nlmsghdr *nlh)
{
	const struct nlattr *attr;
	unsigned int n = 0;
	int rem;

	nlmsg_for_each_attr(attr, nlh, GENL_HDRLEN, rem)
		n += nla_type(attr) == A(ENTRY);
	return n;
}

static void lists(struct kunit *test)
{
	struct ft_talk *talk = ft_talk_open(test);
	struct nlattr *tb[A(MAX) + 1], *entry[E(MAX) + 1];
	const struct nlmsghdr *nlh;
	u32 i;

	ft_talk_flush(talk);
	for (i = 0; i < 80; i++)
		KUNIT_ASSERT_EQ(test, ft_talk_add(talk, i), 0);
	let_it_age();
	nlh = ask(talk, FLOWTRACK_TOP_KIND_SERVICE, FLOWTRACK_TOP_ORDER_FLOWS,
		  10);
	ft_talk_parse(talk, nlh, tb, A(MAX));
	KUNIT_EXPECT_EQ(test, nla_get_u8(tb[A(KIND)]),
			FLOWTRACK_TOP_KIND_SERVICE);
	KUNIT_EXPECT_EQ(test, nla_get_u32(tb[A(TOTAL)]), 80);
	KUNIT_EXPECT_EQ(test, nla_get_u32(tb[A(SAMPLED)]), 80);
	KUNIT_EXPECT_EQ(test, nla_get_u8(tb[A(EXACT)]), 1);
	KUNIT_EXPECT_EQ(test, nla_get_u32(tb[A(GUARDED)]), 0);
	KUNIT_EXPECT_EQ(test, entries(nlh), 1);
	ft_talk_nest(talk, tb[A(ENTRY)], entry, E(MAX));
	KUNIT_EXPECT_EQ(test, nla_get_u8(entry[E(L4PROTO)]), IPPROTO_UDP);
	KUNIT_EXPECT_EQ(test, nla_get_be16(entry[E(PORT)]), htons(53));
	KUNIT_EXPECT_EQ(test, nla_get_u32(entry[E(FLOWS)]), 80);
	KUNIT_EXPECT_EQ(test, nla_get_u32(entry[E(SHARE)]), 1000);
	KUNIT_EXPECT_NULL(test, entry[E(FAMILY)]);

	nlh = ask(talk, FLOWTRACK_TOP_KIND_DESTINATION,
		  FLOWTRACK_TOP_ORDER_FLOWS, 10);
	ft_talk_parse(talk, nlh, tb, A(MAX));
	KUNIT_EXPECT_EQ(test, entries(nlh), 1);
	ft_talk_nest(talk, tb[A(ENTRY)], entry, E(MAX));
	KUNIT_EXPECT_EQ(test, nla_get_u8(entry[E(FAMILY)]), AF_INET);
	KUNIT_EXPECT_EQ(test, nla_get_be32(entry[E(ADDR4)]),
			FT_IP(192, 0, 2, 1));
	KUNIT_EXPECT_EQ(test, nla_get_u8(entry[E(PREFIX)]), 32);

	/* All that a reply may hold fits in it. */
	nlh = ask(talk, FLOWTRACK_TOP_KIND_SOURCE, FLOWTRACK_TOP_ORDER_FLOWS,
		  64);
	ft_talk_parse(talk, nlh, tb, A(MAX));
	KUNIT_EXPECT_EQ(test, entries(nlh), 64);
	nlh = ask(talk, FLOWTRACK_TOP_KIND_SOURCE, FLOWTRACK_TOP_ORDER_FLOWS,
		  3);
	ft_talk_parse(talk, nlh, tb, A(MAX));
	KUNIT_EXPECT_EQ(test, entries(nlh), 3);

	/* By default the ten first sources by flows. */
	ft_talk_begin(talk, FLOWTRACK_CMD_TOP_GET, 0);
	nlh = ft_talk(talk, &(struct ft_ack){});
	ft_talk_parse(talk, nlh, tb, A(MAX));
	KUNIT_EXPECT_EQ(test, entries(nlh), 10);
	KUNIT_EXPECT_EQ(test, nla_get_u8(tb[A(KIND)]), 0);
	KUNIT_EXPECT_EQ(test, nla_get_u8(tb[A(ORDER)]), 0);
	ft_talk_flush(talk);
}

static const struct {
	unsigned int attr;
	u32 value;
	bool wide;
} bad[] = {
	{ A(KIND), FLOWTRACK_TOP_KIND_EXTERNAL + 1 },
	{ A(ORDER), FLOWTRACK_TOP_ORDER_BYTES + 1 },
	{ A(LIMIT), 0, true },
	{ A(LIMIT), 65, true },
	{ A(TOTAL), 1, true },
	{ A(KIND), 1, true },
};

static void refused(struct kunit *test)
{
	struct ft_talk *talk = ft_talk_open(test);
	struct sk_buff *skb;
	struct ft_ack ack;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		skb = ft_talk_begin(talk, FLOWTRACK_CMD_TOP_GET, NLM_F_ACK);
		if (bad[i].wide)
			nla_put_u32(skb, bad[i].attr, bad[i].value);
		else
			nla_put_u8(skb, bad[i].attr, bad[i].value);
		KUNIT_EXPECT_NULL(test, ft_talk(talk, &ack));
		KUNIT_EXPECT_LT_MSG(test, ack.err, 0, "number %u", i);
		KUNIT_EXPECT_EQ_MSG(test, ack.bad, bad[i].attr, "number %u", i);
	}
}

static struct kunit_case netlink_top_cases[] = {
	KUNIT_CASE(lists),
	KUNIT_CASE(refused),
	{}
};

static struct kunit_suite netlink_top_suite = {
	.name = "ft_netlink_top",
	.test_cases = netlink_top_cases,
};

kunit_test_suite(netlink_top_suite);
