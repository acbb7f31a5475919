// SPDX-License-Identifier: GPL-2.0
#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_conntrack_core.h>

#include "ft_conntrack.h"
#include "ft_talk.h"
#include "base/notify.h"
#include "guard/wake.h"

#define A(name)		FLOWTRACK_A_PRESSURE_##name

/* Twenty places in the initial namespace. */
static void set_max(void *max)
{
	struct ft_net *tn = ft_pernet(&init_net);

	ft_settings_set(tn, FLOWTRACK_A_SETTINGS_MAX_FLOWS, (unsigned long)max,
			NULL);
	ft_net_scan_soon(tn);
	flush_delayed_work(&tn->gc_work);
}

static struct ft_talk *small_table(struct kunit *test)
{
	struct ft_net *tn = ft_pernet(&init_net);
	unsigned long max = tn->set.v[FLOWTRACK_A_SETTINGS_MAX_FLOWS];
	struct ft_talk *ctl = ft_talk_open(test);

	ft_talk_flush(ctl);
	set_max((void *)20UL);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, set_max,
							(void *)max), 0);
	return ctl;
}

static struct ft_talk *listen(struct kunit *test)
{
	struct ft_talk *talk = ft_talk_open(test);

	ft_talk_option(talk, NETLINK_ADD_MEMBERSHIP,
		       ft_genl_family.mcgrp_offset + FT_MCGRP_PRESSURE);
	return talk;
}

static void expect_event(struct ft_talk *talk, enum flowtrack_level level,
			 struct nlattr **tb)
{
	const struct nlmsghdr *nlh = (void *)talk->buf;
	const struct genlmsghdr *genlh = nlmsg_data(nlh);

	KUNIT_ASSERT_TRUE(talk->test, ft_talk_recv(talk));
	KUNIT_EXPECT_EQ(talk->test, nlh->nlmsg_type, ft_genl_family.id);
	KUNIT_EXPECT_EQ(talk->test, genlh->cmd, FLOWTRACK_CMD_PRESSURE_NTF);
	ft_talk_parse(talk, nlh, tb, FLOWTRACK_A_PRESSURE_MAX);
	KUNIT_ASSERT_NOT_NULL(talk->test, tb[A(LEVEL)]);
	KUNIT_EXPECT_EQ(talk->test, nla_get_u8(tb[A(LEVEL)]), level);
}

static void fill(struct kunit *test, struct ft_talk *ctl, u32 from, u32 to)
{
	u32 i;

	for (i = from; i < to; i++)
		KUNIT_ASSERT_EQ(test, ft_talk_add(ctl, i), 0);
	flush_delayed_work(&ft_pernet(&init_net)->gc_work);
}

/* The shadows of guarded flows, of one source, to one service. */
static void guarded(struct kunit *test, bool there)
{
	struct ft_shadows *shadows = &ft_pernet(&init_net)->guard.shadows;
	struct ft_shadow_key key = {
		.addr = { { .ip = FT_IP(10, 0, 7, 7) },
			  { .ip = FT_IP(192, 0, 2, 1) } },
		.port = { 0, htons(443) },
		.l4proto = IPPROTO_TCP,
	};
	u32 i, word;

	for (i = 0; i < 50; i++) {
		key.port[0] = htons(i);
		if (!there) {
			ft_shadow_drop(shadows, &key, &word);
			continue;
		}
		rcu_read_lock();
		KUNIT_EXPECT_EQ(test,
				ft_shadow_add(shadows, &key, 0,
					      ft_now() + HZ, ft_now()), 0);
		rcu_read_unlock();
	}
}

static void up_and_down(struct kunit *test)
{
	struct nlattr *tb[FLOWTRACK_A_PRESSURE_MAX + 1];
	struct nlattr *top[FLOWTRACK_A_TOP_ENTRY_MAX + 1];
	struct ft_net *tn = ft_pernet(&init_net);
	struct ft_talk *ctl = small_table(test);
	struct ft_talk *talk = listen(test);
	unsigned int i;

	/* Of those it says nothing: they do not fill this table. */
	guarded(test, true);
	fill(test, ctl, 1, 18);
	KUNIT_EXPECT_FALSE(test, ft_talk_recv(talk));
	fill(test, ctl, 18, 19);
	expect_event(talk, FLOWTRACK_LEVEL_HIGH, tb);
	guarded(test, false);
	for (i = A(LEVEL); i <= A(SYSCTL); i++)
		KUNIT_ASSERT_NOT_NULL_MSG(test, tb[i], "attribute %u", i);
	KUNIT_EXPECT_EQ(test, nla_get_u8(tb[A(TABLE)]), FLOWTRACK_TRACKER_OWN);
	KUNIT_EXPECT_EQ(test, nla_get_u32(tb[A(COUNT)]), 18);
	KUNIT_EXPECT_EQ(test, nla_get_u32(tb[A(ROOM)]), 20);
	KUNIT_EXPECT_EQ(test, nla_get_u32(tb[A(FILL)]), 900);
	KUNIT_EXPECT_GT(test, nla_get_u32(tb[A(RATE)]), 0);
	KUNIT_EXPECT_EQ(test, nla_get_u32(tb[A(CLOSING)]), 0);
	KUNIT_EXPECT_EQ(test, nla_get_u32(tb[A(EMBRYONIC)]), 18);
	KUNIT_EXPECT_EQ(test, nla_get_u32(tb[A(REPLIED)]), 0);
	KUNIT_EXPECT_EQ(test, nla_get_u32(tb[A(ASSURED)]), 0);
	KUNIT_EXPECT_EQ(test, nla_get_u8(tb[A(POLICY)]), FLOWTRACK_POLICY_EVICT);
	KUNIT_EXPECT_LT(test, nla_get_u32(tb[A(ADAPTIVE_EMBRYONIC)]), 1000);
	KUNIT_EXPECT_EQ(test, nla_get_u32(tb[A(ADAPTIVE_ASSURED)]), 1000);
	ft_talk_nest(talk, tb[A(SOURCE)], top, FLOWTRACK_A_TOP_ENTRY_MAX);
	KUNIT_ASSERT_NOT_NULL(test, top[FLOWTRACK_A_TOP_ENTRY_ADDR4]);
	ft_talk_nest(talk, tb[A(SERVICE)], top, FLOWTRACK_A_TOP_ENTRY_MAX);
	KUNIT_ASSERT_NOT_NULL(test, top[FLOWTRACK_A_TOP_ENTRY_PORT]);
	KUNIT_EXPECT_EQ(test,
			ntohs(nla_get_be16(top[FLOWTRACK_A_TOP_ENTRY_PORT])),
			53);
	KUNIT_EXPECT_EQ(test, nla_get_u32(top[FLOWTRACK_A_TOP_ENTRY_FLOWS]),
			18);
	KUNIT_EXPECT_EQ(test, nla_get_u32(top[FLOWTRACK_A_TOP_ENTRY_SHARE]),
			1000);
	KUNIT_EXPECT_NULL(test, top[FLOWTRACK_A_TOP_ENTRY_GUARDED]);
	KUNIT_EXPECT_STREQ(test, nla_data(tb[A(SYSCTL)]),
			   "nf_flowtrack_udp_timeout");

	/* Full, and some are evicted: that has been told. */
	fill(test, ctl, 19, 26);
	KUNIT_EXPECT_FALSE(test, ft_talk_recv(talk));
	KUNIT_EXPECT_EQ(test, ft_talk_flush(ctl), 20);
	flush_delayed_work(&tn->gc_work);
	expect_event(talk, FLOWTRACK_LEVEL_LOW, tb);
	KUNIT_EXPECT_EQ(test, nla_get_u32(tb[A(COUNT)]), 0);
	KUNIT_EXPECT_EQ(test, nla_get_u64(tb[A(EVICTED)]), 5);
	KUNIT_EXPECT_EQ(test, nla_get_u64(tb[A(DROPPED)]), 0);
	KUNIT_EXPECT_EQ(test, nla_get_u64(tb[A(PASSED)]), 0);
	KUNIT_EXPECT_EQ(test, nla_get_u64(tb[A(REFUSED)]), 0);
	KUNIT_EXPECT_FALSE(test, ft_talk_recv(talk));
}

static void look_at_conntrack(struct ft_net *tn)
{
	ft_guard_kick(tn);
	flush_delayed_work(&tn->guard.work);
}

/* nf_conntrack's table fills: what with, and which of its sysctls helps. */
static void conntrack(struct kunit *test)
{
	struct nlattr *tb[FLOWTRACK_A_PRESSURE_MAX + 1];
	struct nlattr *top[FLOWTRACK_A_TOP_ENTRY_MAX + 1];
	struct ft_net *tn = ft_pernet(&init_net);
	struct ft_talk *ctl = small_table(test);
	struct ft_talk *talk = listen(test);
	struct nf_conn *ct;
	u32 i;

	KUNIT_ASSERT_EQ(test, ft_ct_init(test), 0);
	KUNIT_ASSERT_EQ(test, nf_conntrack_count(&init_net), 0);
	nf_conntrack_max = 20;
	/* Flows of its own table are not what fills this one. */
	fill(test, ctl, 1, 10);
	for (i = 0; i < 18; i++) {
		look_at_conntrack(tn);
		KUNIT_EXPECT_FALSE(test, ft_talk_recv(talk));
		ct = ft_ct_udp(test, i, 0, 60 * HZ);
		ft_ct_feed(tn, ct);
		ft_ct_drop(test, ct);
	}
	look_at_conntrack(tn);
	expect_event(talk, FLOWTRACK_LEVEL_HIGH, tb);
	KUNIT_EXPECT_EQ(test, nla_get_u8(tb[A(TABLE)]), FLOWTRACK_TRACKER_GUARDED);
	KUNIT_EXPECT_EQ(test, nla_get_u32(tb[A(COUNT)]), 18);
	KUNIT_EXPECT_EQ(test, nla_get_u32(tb[A(ROOM)]), 20);
	KUNIT_EXPECT_EQ(test, nla_get_u32(tb[A(FILL)]), 900);
	KUNIT_EXPECT_NULL(test, tb[A(RATE)]);
	KUNIT_EXPECT_EQ(test, nla_get_u32(tb[A(EMBRYONIC)]), 18);
	KUNIT_EXPECT_EQ(test, nla_get_u32(tb[A(ASSURED)]), 0);
	KUNIT_ASSERT_NOT_NULL(test, tb[A(SERVICE)]);
	ft_talk_nest(talk, tb[A(SERVICE)], top, FLOWTRACK_A_TOP_ENTRY_MAX);
	KUNIT_EXPECT_EQ(test, nla_get_u8(top[FLOWTRACK_A_TOP_ENTRY_L4PROTO]), IPPROTO_UDP);
	KUNIT_EXPECT_EQ(test, nla_get_u32(top[FLOWTRACK_A_TOP_ENTRY_FLOWS]), 18);
	KUNIT_EXPECT_EQ(test, nla_get_u32(top[FLOWTRACK_A_TOP_ENTRY_SHARE]), 1000);
	KUNIT_EXPECT_STREQ(test, nla_data(tb[A(SYSCTL)]), "nf_conntrack_udp_timeout");

	KUNIT_EXPECT_EQ(test, ft_talk_gauge(ctl, FLOWTRACK_A_STATS_GUARDED), 18);
	KUNIT_EXPECT_EQ(test, ft_talk_gauge(ctl, FLOWTRACK_A_STATS_GUARDED_EMBRYONIC), 18);
	KUNIT_EXPECT_EQ(test, ft_talk_gauge(ctl, FLOWTRACK_A_STATS_CONNTRACK), 18);
	KUNIT_EXPECT_EQ(test, ft_talk_gauge(ctl, FLOWTRACK_A_STATS_CONNTRACK_MAX), 20);
	KUNIT_EXPECT_EQ(test, ft_talk_gauge(ctl, FLOWTRACK_A_STATS_CONNTRACK_FILL), 900);

	/* A larger limit is room again; and it is told also when nothing is left. */
	nf_conntrack_max = 200;
	look_at_conntrack(tn);
	expect_event(talk, FLOWTRACK_LEVEL_LOW, tb);
	KUNIT_EXPECT_EQ(test, nla_get_u8(tb[A(TABLE)]), FLOWTRACK_TRACKER_GUARDED);
	KUNIT_EXPECT_EQ(test, nla_get_u32(tb[A(COUNT)]), 18);
	KUNIT_EXPECT_EQ(test, nla_get_u32(tb[A(ROOM)]), 200);
	nf_conntrack_max = 20;
	look_at_conntrack(tn);
	expect_event(talk, FLOWTRACK_LEVEL_HIGH, tb);
	ft_ct_end_all();
	look_at_conntrack(tn);
	expect_event(talk, FLOWTRACK_LEVEL_LOW, tb);
	KUNIT_EXPECT_EQ(test, nla_get_u32(tb[A(COUNT)]), 0);
	KUNIT_EXPECT_FALSE(test, ft_talk_recv(talk));
}

/* A listener that does not read, and none at all. */
static void loss(struct kunit *test)
{
	struct ft_watermark_event event = {
		.table = FLOWTRACK_TRACKER_OWN,
		.help = FLOWTRACK_A_SETTINGS_MAX_FLOWS,
	};
	struct ft_net *tn = ft_pernet(&init_net);
	struct ft_talk *talk = listen(test);
	u64 before, lost;
	unsigned int i;

	ft_talk_option(talk, NETLINK_BROADCAST_ERROR, 1);
	talk->sock->sk->sk_rcvbuf = 4096;
	before = ft_kunit_stat(tn, FLOWTRACK_A_STATS_EVENT_LOST);
	rcu_read_lock();
	for (i = 0; i < 100; i++)
		ft_notify_pressure(tn, &event);
	rcu_read_unlock();
	lost = ft_kunit_stat(tn, FLOWTRACK_A_STATS_EVENT_LOST) - before;
	KUNIT_EXPECT_GT(test, lost, 50);
	KUNIT_EXPECT_LT(test, lost, 100);

	ft_talk_option(talk, NETLINK_DROP_MEMBERSHIP,
		       ft_genl_family.mcgrp_offset + FT_MCGRP_PRESSURE);
	rcu_read_lock();
	ft_notify_pressure(tn, &event);
	rcu_read_unlock();
	KUNIT_EXPECT_EQ(test, ft_kunit_stat(tn, FLOWTRACK_A_STATS_EVENT_LOST),
			before + lost);
}

static struct kunit_case netlink_pressure_cases[] = {
	KUNIT_CASE(up_and_down),
	KUNIT_CASE(conntrack),
	KUNIT_CASE(loss),
	{}
};

static struct kunit_suite netlink_pressure_suite = {
	.name = "ft_netlink_pressure",
	.test_cases = netlink_pressure_cases,
};

kunit_test_suite(netlink_pressure_suite);
