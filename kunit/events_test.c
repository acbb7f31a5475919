// SPDX-License-Identifier: GPL-2.0
#include "netlink/events.h"
#include "ft_talk.h"
#include "base/notify.h"
#include "track/carrier.h"
#include "track/pool.h"

#define A(name)		FLOWTRACK_A_FLOW_##name

static void join(struct ft_talk *talk)
{
	ft_talk_option(talk, NETLINK_ADD_MEMBERSHIP,
		       ft_genl_family.mcgrp_offset + FT_MCGRP_EVENTS);
}

static void set_setting(struct ft_talk *talk, unsigned int attr, u32 value)
{
	struct sk_buff *skb = ft_talk_begin(talk, FLOWTRACK_CMD_SETTINGS_SET,
					    NLM_F_ACK);
	struct ft_ack ack;

	nla_put_u32(skb, attr, value);
	ft_talk(talk, &ack);
	KUNIT_EXPECT_EQ(talk->test, ack.err, 0);
}

/* The next notification has this command; its attributes are in @tb. */
static void expect_event(struct ft_talk *talk, u8 cmd, struct nlattr **tb)
{
	const struct nlmsghdr *nlh = (void *)talk->buf;
	const struct genlmsghdr *genlh = nlmsg_data(nlh);

	KUNIT_ASSERT_TRUE(talk->test, ft_talk_recv(talk));
	KUNIT_EXPECT_EQ(talk->test, nlh->nlmsg_type, ft_genl_family.id);
	KUNIT_EXPECT_EQ(talk->test, nlh->nlmsg_seq, 0);
	KUNIT_EXPECT_EQ(talk->test, genlh->cmd, cmd);
	ft_talk_parse(talk, nlh, tb, FLOWTRACK_A_FLOW_MAX);
	KUNIT_EXPECT_NOT_NULL(talk->test, tb[A(ID)]);
	KUNIT_EXPECT_NOT_NULL(talk->test, tb[A(ORIG)]);
}

static void wanted(struct kunit *test)
{
	struct ft_net *tn = ft_pernet(&init_net);
	struct ft_talk *talk = ft_talk_open(test);
	struct ft_talk *ctl = ft_talk_open(test);

	rcu_read_lock();
	KUNIT_EXPECT_FALSE(test, ft_notify_wanted(tn));
	rcu_read_unlock();
	join(talk);
	rcu_read_lock();
	KUNIT_EXPECT_TRUE(test, ft_notify_wanted(tn));
	rcu_read_unlock();
	set_setting(ctl, FLOWTRACK_A_SETTINGS_EVENTS, 0);
	rcu_read_lock();
	KUNIT_EXPECT_FALSE(test, ft_notify_wanted(tn));
	rcu_read_unlock();
	set_setting(ctl, FLOWTRACK_A_SETTINGS_EVENTS, 1);
}

/* Enter flow number @i, of which @talk hears. Return: its id. */
static u64 add(struct kunit *test, struct ft_talk *ctl, struct ft_talk *talk, u32 i,
	       struct nlattr **tb)
{
	KUNIT_EXPECT_EQ(test, ft_talk_add(ctl, i), 0);
	expect_event(talk, FLOWTRACK_CMD_FLOW_NEW_NTF, tb);
	return nla_get_u64(tb[A(ID)]);
}

static void life_of_a_flow(struct kunit *test)
{
	struct nlattr *tb[FLOWTRACK_A_FLOW_MAX + 1];
	struct ft_net *tn = ft_pernet(&init_net);
	struct ft_talk *talk = ft_talk_open(test);
	struct ft_talk *ctl = ft_talk_open(test);
	u64 id;

	ft_talk_flush(ctl);
	join(talk);
	id = add(test, ctl, talk, 1, tb);
	KUNIT_EXPECT_NULL(test, tb[A(REASON)]);
	KUNIT_EXPECT_NULL(test, tb[A(START)]);
	KUNIT_EXPECT_NULL(test, tb[A(STOP)]);

	tn->set.v[FLOWTRACK_A_SETTINGS_TIMESTAMP] = 1;
	KUNIT_EXPECT_EQ(test, ft_talk_flush(ctl), 1);
	expect_event(talk, FLOWTRACK_CMD_FLOW_DESTROY_NTF, tb);
	KUNIT_EXPECT_EQ(test, nla_get_u64(tb[A(ID)]), id);
	KUNIT_ASSERT_NOT_NULL(test, tb[A(REASON)]);
	KUNIT_EXPECT_EQ(test, nla_get_u8(tb[A(REASON)]),
			FLOWTRACK_REASON_FLUSHED);
	KUNIT_ASSERT_NOT_NULL(test, tb[A(START)]);
	KUNIT_ASSERT_NOT_NULL(test, tb[A(STOP)]);
	KUNIT_EXPECT_LE(test, nla_get_u64(tb[A(START)]),
			nla_get_u64(tb[A(STOP)]));

	/* While it is on, what begins says when. */
	add(test, ctl, talk, 2, tb);
	KUNIT_EXPECT_NOT_NULL(test, tb[A(START)]);
	KUNIT_EXPECT_NULL(test, tb[A(STOP)]);
	tn->set.v[FLOWTRACK_A_SETTINGS_TIMESTAMP] = 0;
	ft_talk_flush(ctl);
	expect_event(talk, FLOWTRACK_CMD_FLOW_DESTROY_NTF, tb);
	KUNIT_EXPECT_NULL(test, tb[A(STOP)]);
	KUNIT_EXPECT_FALSE(test, ft_talk_recv(talk));
}

static void update(struct kunit *test)
{
	struct nlattr *tb[FLOWTRACK_A_FLOW_MAX + 1];
	struct ft_net *tn = ft_pernet(&init_net);
	struct ft_talk *talk = ft_talk_open(test);
	struct ft_flow6 copy = {
		.f.gen = 3,
		.f.key.family = NFPROTO_IPV4,
		.f.key.l4proto = IPPROTO_UDP,
	};

	join(talk);
	rcu_read_lock();
	local_bh_disable();
	ft_events_flow(tn, FLOWTRACK_CMD_FLOW_UPDATE_NTF, &copy, 9, 0);
	local_bh_enable();
	rcu_read_unlock();
	expect_event(talk, FLOWTRACK_CMD_FLOW_UPDATE_NTF, tb);
	KUNIT_EXPECT_EQ(test, nla_get_u64(tb[A(ID)]), 3ULL << 32 | 9);
	KUNIT_EXPECT_NULL(test, tb[A(REASON)]);
}

/* What a packet has changed is told when it has passed the rules, once. */
static void changed_by_a_packet(struct kunit *test)
{
	struct nlattr *tb[FLOWTRACK_A_FLOW_MAX + 1];
	struct ft_net *tn = ft_pernet(&init_net);
	struct ft_talk *talk = ft_talk_open(test);
	struct ft_talk *ctl = ft_talk_open(test);
	struct ft_carrier *carrier;
	struct ft_flow *flow;
	u64 id;

	ft_talk_flush(ctl);
	join(talk);
	id = add(test, ctl, talk, 1, tb);

	rcu_read_lock();
	local_bh_disable();
	carrier = ft_carrier_get(tn);
	flow = ft_table_at(tn->table, (u32)id);
	if (carrier && flow) {
		carrier->index = (u32)id;
		carrier->gen = id >> 32;
		carrier->mark = carrier->ct.mark;
		carrier->changed = true;
		/* Of another generation: nothing becomes of it. */
		ft_flow_untold(flow, carrier->gen + 1, FT_FLOW_UNTOLD);
		KUNIT_EXPECT_EQ(test, atomic_read(&flow->word) & FT_FLOW_UNTOLD, 0);
		ft_flow_untold(flow, carrier->gen, FT_FLOW_UNTOLD_NEW);
		KUNIT_EXPECT_EQ(test, atomic_read(&flow->word) & FT_FLOW_UNTOLD,
				FT_FLOW_UNTOLD_NEW);
		KUNIT_EXPECT_TRUE(test, ft_carrier_written(carrier));
		ft_carrier_settle(tn, carrier);
		KUNIT_EXPECT_FALSE(test, ft_carrier_written(carrier));
		KUNIT_EXPECT_EQ(test, atomic_read(&flow->word) & FT_FLOW_UNTOLD, 0);
		ft_carrier_settle(tn, carrier);
		/* Marks are not the family's business. */
		WRITE_ONCE(carrier->ct.mark, carrier->mark + 1);
		ft_carrier_settle(tn, carrier);
		/* The flow has ended. */
		carrier->gen++;
		carrier->changed = true;
		ft_carrier_settle(tn, carrier);
		KUNIT_EXPECT_FALSE(test, ft_carrier_written(carrier));
	}
	local_bh_enable();
	rcu_read_unlock();
	KUNIT_ASSERT_NOT_NULL(test, carrier);
	KUNIT_ASSERT_NOT_NULL(test, flow);
	expect_event(talk, FLOWTRACK_CMD_FLOW_UPDATE_NTF, tb);
	KUNIT_EXPECT_EQ(test, nla_get_u64(tb[A(ID)]), id);
	KUNIT_EXPECT_FALSE(test, ft_talk_recv(talk));
	ft_talk_flush(ctl);
}

/* A listener that does not read: counted if it asked for that. */
static void loss(struct kunit *test)
{
	struct ft_net *tn = ft_pernet(&init_net);
	struct ft_talk *talk = ft_talk_open(test);
	struct ft_flow6 copy = {
		.f.key.family = NFPROTO_IPV6,
		.f.key.l4proto = IPPROTO_TCP,
	};
	u64 before, lost;
	unsigned int i;

	join(talk);
	ft_talk_option(talk, NETLINK_BROADCAST_ERROR, 1);
	talk->sock->sk->sk_rcvbuf = 4096;
	before = ft_kunit_stat(tn, FLOWTRACK_A_STATS_EVENT_LOST);
	rcu_read_lock();
	local_bh_disable();
	for (i = 0; i < 100; i++)
		ft_events_flow(tn, FLOWTRACK_CMD_FLOW_DESTROY_NTF, &copy, i,
			       FLOWTRACK_REASON_EVICTED);
	local_bh_enable();
	rcu_read_unlock();
	lost = ft_kunit_stat(tn, FLOWTRACK_A_STATS_EVENT_LOST) - before;
	KUNIT_EXPECT_GT(test, lost, 50);
	KUNIT_EXPECT_LT(test, lost, 100);

	/* Nobody listens: nothing is lost. */
	ft_talk_option(talk, NETLINK_DROP_MEMBERSHIP,
		       ft_genl_family.mcgrp_offset + FT_MCGRP_EVENTS);
	before += lost;
	rcu_read_lock();
	local_bh_disable();
	ft_events_flow(tn, FLOWTRACK_CMD_FLOW_NEW_NTF, &copy, 0, 0);
	local_bh_enable();
	rcu_read_unlock();
	KUNIT_EXPECT_EQ(test, ft_kunit_stat(tn, FLOWTRACK_A_STATS_EVENT_LOST),
			before);
}

static unsigned int told;

static int count_flow(struct ft_net *tn, unsigned int cmd, const struct ft_flow6 *copy,
		      u32 index, enum flowtrack_reason reason)
{
	told++;
	return 0;
}

static int count_changed(struct ft_net *tn, const struct ft_flow6 *copy, u32 index,
			 unsigned int what)
{
	told++;
	return 0;
}

/* Unless a program listens, and nf_conntrack_events allows it, ctnetlink is never called. */
static void ctnetlink_wanted(struct kunit *test)
{
	static const struct ft_notifier counter = {
		.flow = count_flow,
		.changed = count_changed,
	};
	struct ft_net *tn = ft_pernet(&init_net);
	struct ft_talk *ctl = ft_talk_open(test);
	bool listener = READ_ONCE(nf_ctnetlink_has_listener);
	u8 events = READ_ONCE(init_net.ct.sysctl_events);
	unsigned int i;

	ft_talk_flush(ctl);
	ft_notify_register(&counter);
	for (i = 0; i < 4; i++) {
		WRITE_ONCE(nf_ctnetlink_has_listener, i & 1);
		WRITE_ONCE(init_net.ct.sysctl_events, i & 2);
		told = 0;
		rcu_read_lock();
		KUNIT_EXPECT_EQ(test, ft_notify_wanted(tn), i == 3);
		rcu_read_unlock();
		KUNIT_EXPECT_EQ(test, ft_talk_add(ctl, i + 1), 0);
		KUNIT_EXPECT_EQ(test, ft_talk_flush(ctl), 1);
		/* It began, and it ended. */
		KUNIT_EXPECT_EQ(test, told, i == 3 ? 2 : 0);
	}
	/* Of a namespace that goes away nobody is told: nfnetlink's socket may be gone. */
	WRITE_ONCE(tn->dying, true);
	rcu_read_lock();
	KUNIT_EXPECT_FALSE(test, ft_notify_wanted(tn));
	rcu_read_unlock();
	WRITE_ONCE(tn->dying, false);
	WRITE_ONCE(nf_ctnetlink_has_listener, listener);
	WRITE_ONCE(init_net.ct.sysctl_events, events);
	ft_notify_unregister(&counter);
	/* And what is not there is not called. */
	told = 0;
	WRITE_ONCE(nf_ctnetlink_has_listener, true);
	KUNIT_EXPECT_EQ(test, ft_talk_add(ctl, 1), 0);
	KUNIT_EXPECT_EQ(test, ft_talk_flush(ctl), 1);
	KUNIT_EXPECT_EQ(test, told, 0);
	WRITE_ONCE(nf_ctnetlink_has_listener, listener);
}

static struct kunit_case events_cases[] = {
	KUNIT_CASE(wanted),
	KUNIT_CASE(ctnetlink_wanted),
	KUNIT_CASE(life_of_a_flow),
	KUNIT_CASE(update),
	KUNIT_CASE(changed_by_a_packet),
	KUNIT_CASE(loss),
	{}
};

static struct kunit_suite events_suite = {
	.name = "ft_events",
	.test_cases = events_cases,
};

kunit_test_suite(events_suite);
