// SPDX-License-Identifier: GPL-2.0
#include "ft_conntrack.h"
#include "ft_packet.h"
#include "guard.h"

#define STAT(name)	FLOWTRACK_A_STATS_##name
#define ASSURED		(IPS_SEEN_REPLY | IPS_ASSURED)

/* The limit of nf_conntrack, which is everybody's: put back after the test. */
static unsigned int max_before;

static int guard_test_init(struct kunit *test)
{
	max_before = nf_conntrack_max;
	return 0;
}

static void guard_test_exit(struct kunit *test)
{
	nf_conntrack_max = max_before;
}

static struct ft_net *guard_net(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 100);

	KUNIT_ASSERT_EQ(test, nf_conntrack_count(&init_net), 0);
	return tn;
}

static enum ft_guard_answer make_room_for(struct ft_net *tn,
					  const struct ft_guard_newcomer *who)
{
	enum ft_guard_answer answer;

	rcu_read_lock();
	answer = ft_guard_make_room(tn, who);
	rcu_read_unlock();
	return answer;
}

static enum ft_guard_answer make_room(struct ft_net *tn)
{
	static const struct ft_guard_newcomer anybody;

	return make_room_for(tn, &anybody);
}

static void sweep(struct ft_net *tn)
{
	/* As after a second. */
	mod_delayed_work(system_unbound_wq, &tn->guard.work, 0);
	flush_delayed_work(&tn->guard.work);
}

/* What an entry is worth, from its state and status. */
static void words(struct kunit *test)
{
	static const struct {
		const char *name;
		u8 l4proto, state;
		unsigned long status;
		enum flowtrack_class want;
	} cases[] = {
		{ "UDP, no answer", IPPROTO_UDP, 0, 0,
		  FLOWTRACK_CLASS_EMBRYONIC },
		{ "UDP, answered", IPPROTO_UDP, 0, IPS_SEEN_REPLY,
		  FLOWTRACK_CLASS_REPLIED },
		{ "UDP, goes on", IPPROTO_UDP, 0, ASSURED,
		  FLOWTRACK_CLASS_ASSURED },
		{ "a SYN", IPPROTO_TCP, TCP_CONNTRACK_SYN_SENT, 0,
		  FLOWTRACK_CLASS_EMBRYONIC },
		{ "a SYN-ACK proves nothing", IPPROTO_TCP,
		  TCP_CONNTRACK_SYN_RECV, IPS_SEEN_REPLY,
		  FLOWTRACK_CLASS_EMBRYONIC },
		{ "established", IPPROTO_TCP, TCP_CONNTRACK_ESTABLISHED,
		  ASSURED, FLOWTRACK_CLASS_ASSURED },
		{ "picked up, not answered", IPPROTO_TCP,
		  TCP_CONNTRACK_ESTABLISHED, 0, FLOWTRACK_CLASS_EMBRYONIC },
		{ "one side has closed", IPPROTO_TCP, TCP_CONNTRACK_CLOSE_WAIT,
		  ASSURED, FLOWTRACK_CLASS_ASSURED },
		{ "both have", IPPROTO_TCP, TCP_CONNTRACK_TIME_WAIT, ASSURED,
		  FLOWTRACK_CLASS_CLOSING },
		{ "reset", IPPROTO_TCP, TCP_CONNTRACK_CLOSE, ASSURED,
		  FLOWTRACK_CLASS_CLOSING },
		{ "SCTP shut down", IPPROTO_SCTP,
		  SCTP_CONNTRACK_SHUTDOWN_ACK_SENT, ASSURED,
		  FLOWTRACK_CLASS_CLOSING },
		{ "SCTP", IPPROTO_SCTP, SCTP_CONNTRACK_ESTABLISHED, ASSURED,
		  FLOWTRACK_CLASS_ASSURED },
	};
	struct nf_conn *ct = nf_ct_tmpl_alloc(&init_net, &nf_ct_zone_dflt,
					      GFP_KERNEL);
	unsigned int i;
	u16 padto;
	u32 word;

	KUNIT_ASSERT_NOT_NULL(test, ct);
	padto = ct->proto.tmpl_padto;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		ct->tuplehash[0].tuple.dst.protonum = cases[i].l4proto;
		ct->status = cases[i].status;
		if (cases[i].l4proto == IPPROTO_TCP)
			ct->proto.tcp.state = cases[i].state;
		else
			ct->proto.sctp.state = cases[i].state;
		word = ft_guard_word(ct);
		KUNIT_EXPECT_EQ_MSG(test, ft_word_class(word), cases[i].want,
				    "%s", cases[i].name);
		KUNIT_EXPECT_EQ_MSG(test, !!(word & FT_FLOW_SEEN_REPLY),
				    !!(cases[i].status & IPS_SEEN_REPLY), "%s",
				    cases[i].name);
		if (cases[i].l4proto != IPPROTO_UDP)
			KUNIT_EXPECT_EQ_MSG(test, ft_word_state(word),
					    cases[i].state, "%s",
					    cases[i].name);
	}
	ct->proto.tmpl_padto = padto;
	nf_ct_tmpl_free(ct);
}

/* Whatever ends an entry, its shadow goes with the next look. */
static void forgets(struct kunit *test)
{
	struct ft_net *tn = guard_net(test);
	struct nf_conn *ct[4];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ct); i++) {
		ct[i] = ft_ct_udp(test, i, ASSURED, 60 * HZ);
		ft_ct_feed(tn, ct[i]);
		ft_ct_feed(tn, ct[i]);
	}
	KUNIT_EXPECT_EQ(test, ft_shadow_count(&tn->guard.shadows), 4);
	sweep(tn);
	KUNIT_EXPECT_EQ(test, ft_shadow_count(&tn->guard.shadows), 4);

	/* Deleted, and so fed no more. */
	nf_ct_delete(ct[0], 0, 0);
	ft_ct_feed(tn, ct[0]);
	ft_ct_drop(test, ct[0]);
	sweep(tn);
	KUNIT_EXPECT_EQ(test, ft_shadow_count(&tn->guard.shadows), 3);
	ft_ct_feed(tn, ct[1]);
	/* Timed out: nobody has collected it yet. */
	WRITE_ONCE(ct[1]->timeout, nfct_time_stamp - 1);
	ft_ct_feed(tn, ct[1]);
	ft_ct_drop(test, ct[1]);
	KUNIT_EXPECT_FALSE(test, ft_ct_has(1));
	sweep(tn);
	KUNIT_EXPECT_EQ(test, ft_shadow_count(&tn->guard.shadows), 2);
	KUNIT_EXPECT_EQ(test, nf_conntrack_count(&init_net), 2);

	for (i = 2; i < ARRAY_SIZE(ct); i++)
		ft_ct_drop(test, ct[i]);
	ft_ct_end_all();
	sweep(tn);
	KUNIT_EXPECT_EQ(test, ft_shadow_count(&tn->guard.shadows), 0);
	KUNIT_EXPECT_EQ(test, ft_kunit_stat(tn, STAT(GUARD_FORGOT)), 4);
}

/* An entry that came before us hides nothing. */
static void others(struct kunit *test)
{
	struct ft_net *tn = guard_net(test);
	struct nf_conn *ct[6];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ct); i++) {
		ct[i] = ft_ct_udp(test, i, ASSURED, 60 * HZ);
		if (i >= 3)
			ft_ct_feed(tn, ct[i]);
	}
	sweep(tn);
	KUNIT_EXPECT_EQ(test, ft_shadow_count(&tn->guard.shadows), 3);
	KUNIT_EXPECT_EQ(test, tn->guard.others, 3);
	nf_ct_delete(ct[3], 0, 0);
	ft_ct_drop(test, ct[3]);
	sweep(tn);
	KUNIT_EXPECT_EQ(test, ft_shadow_count(&tn->guard.shadows), 2);
	/* Its next packet makes it known. */
	ft_ct_feed(tn, ct[0]);
	sweep(tn);
	KUNIT_EXPECT_EQ(test, ft_shadow_count(&tn->guard.shadows), 3);
	KUNIT_EXPECT_EQ(test, tn->guard.others, 2);
}

/* The least valuable goes, and those that are worth more stay. */
static void makes_room(struct kunit *test)
{
	struct ft_net *tn = guard_net(test);
	u32 cpus = num_online_cpus(), i;
	struct nf_conn *ct;

	for (i = 0; i < 10; i++) {
		ct = ft_ct_udp(test, i, i < 7 ? ASSURED : 0, (60 - i) * HZ);
		ft_ct_feed(tn, ct);
		ft_ct_drop(test, ct);
	}
	nf_conntrack_max = 10;
	/* 7, 8 and 9 have not been answered; 9 ends first. */
	for (i = 9; i > 6; i--) {
		KUNIT_EXPECT_EQ(test, make_room(tn), FT_GUARD_GO);
		KUNIT_EXPECT_FALSE_MSG(test, ft_ct_has(i), "%u", i);
		KUNIT_EXPECT_EQ(test, nf_conntrack_count(&init_net), i);
		KUNIT_EXPECT_EQ(test, ft_shadow_count(&tn->guard.shadows), i);
		nf_conntrack_max = i + cpus - 1;
	}
	KUNIT_EXPECT_EQ(test,
			ft_kunit_stat(tn, STAT(GUARD_EVICT_EMBRYONIC)), 3);
	/* Of the rest nobody may be displaced. */
	KUNIT_EXPECT_EQ(test, make_room(tn), FT_GUARD_DROP);
	tn->set.v[FLOWTRACK_A_SETTINGS_FULL_FALLBACK] = FLOWTRACK_POLICY_PASS;
	KUNIT_EXPECT_EQ(test, make_room(tn), FT_GUARD_PASS);
	KUNIT_EXPECT_EQ(test, nf_conntrack_count(&init_net), 7);
	KUNIT_EXPECT_EQ(test, ft_kunit_stat(tn, STAT(GUARD_FULL)), 5);
	KUNIT_EXPECT_EQ(test, ft_kunit_stat(tn, STAT(GUARD_DROP)), 1);
	KUNIT_EXPECT_EQ(test, ft_kunit_stat(tn, STAT(GUARD_PASS)), 1);
	ft_ct_end_all();
}

/* Shadows are hints: what the entry says now decides. */
static void looks_again(struct kunit *test)
{
	struct ft_net *tn = guard_net(test);
	struct nf_conn *ct[4];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ct); i++) {
		ct[i] = ft_ct_udp(test, i, 0, (10 + i) * HZ);
		ft_ct_feed(tn, ct[i]);
	}
	nf_conntrack_max = ARRAY_SIZE(ct);
	/* Became valuable without a packet; offloaded; its packet is queued. */
	ct[0]->status |= ASSURED;
	ct[1]->status |= IPS_OFFLOAD;
	nf_conntrack_get(&ct[2]->ct_general);
	ft_ct_drop(test, ct[0]);
	ft_ct_drop(test, ct[1]);
	ft_ct_drop(test, ct[3]);
	KUNIT_EXPECT_EQ(test, make_room(tn), FT_GUARD_GO);
	KUNIT_EXPECT_TRUE(test, ft_ct_has(0));
	KUNIT_EXPECT_TRUE(test, ft_ct_has(1));
	KUNIT_EXPECT_TRUE(test, ft_ct_has(2));
	KUNIT_EXPECT_FALSE(test, ft_ct_has(3));
	nf_ct_put(ct[2]);
	ft_ct_drop(test, ct[2]);
	ft_ct_end_all();
}

/* A place that a gone entry left is found, whoever ended it. */
static void gone_already(struct kunit *test)
{
	struct ft_net *tn = guard_net(test);
	struct nf_conn *ct[2];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ct); i++) {
		ct[i] = ft_ct_udp(test, i, ASSURED, 10 * HZ);
		ft_ct_feed(tn, ct[i]);
	}
	nf_conntrack_max = ARRAY_SIZE(ct);
	WRITE_ONCE(ct[1]->timeout, nfct_time_stamp - 1);
	ft_ct_feed(tn, ct[1]);
	ft_ct_drop(test, ct[0]);
	ft_ct_drop(test, ct[1]);
	KUNIT_EXPECT_EQ(test, make_room(tn), FT_GUARD_GO);
	KUNIT_EXPECT_TRUE(test, ft_ct_has(0));
	KUNIT_EXPECT_EQ(test, nf_conntrack_count(&init_net), 1);
	KUNIT_EXPECT_EQ(test, ft_kunit_stat(tn, STAT(GUARD_FORGOT)), 1);
	ft_ct_end_all();
}

/* The last places are for those with the mark; others take one for one. */
static void reserved(struct kunit *test)
{
	const struct ft_guard_newcomer admin = { .reserved = true };
	struct ft_net *tn = guard_net(test);
	u32 cpus = num_online_cpus(), i;
	struct nf_conn *ct;

	tn->set.v[FLOWTRACK_A_SETTINGS_RESERVED] = 3;
	for (i = 0; i < 10; i++) {
		ct = ft_ct_udp(test, i, i < 8 ? ASSURED : 0, 60 * HZ);
		ft_ct_feed(tn, ct);
		ft_ct_drop(test, ct);
	}
	/* Two of the three reserved places are in use. */
	nf_conntrack_max = 11 + cpus - 1;
	KUNIT_EXPECT_EQ(test, make_room(tn), FT_GUARD_GO);
	KUNIT_EXPECT_EQ(test, nf_conntrack_count(&init_net), 9);
	KUNIT_EXPECT_EQ(test, make_room_for(tn, &admin), FT_GUARD_GO);
	KUNIT_EXPECT_EQ(test, nf_conntrack_count(&init_net), 9);
	KUNIT_EXPECT_EQ(test, ft_kunit_stat(tn, STAT(RESERVED)), 1);
	/* Where others are refused it gets one, as long as there are some. */
	tn->set.v[FLOWTRACK_A_SETTINGS_FULL_POLICY] = FLOWTRACK_POLICY_DROP;
	KUNIT_EXPECT_EQ(test, make_room(tn), FT_GUARD_DROP);
	KUNIT_EXPECT_EQ(test, make_room_for(tn, &admin), FT_GUARD_GO);
	nf_conntrack_max = 9 + cpus - 1;
	KUNIT_EXPECT_EQ(test, make_room_for(tn, &admin), FT_GUARD_DROP);
	KUNIT_EXPECT_EQ(test, ft_kunit_stat(tn, STAT(RESERVED)), 2);
	ft_ct_end_all();
}

/* When is a newcomer asked for its worth? */
static void opens(struct kunit *test)
{
	static const struct {
		const char *name;
		u32 free, reserved, mark;
		bool known, off, want, want_reserved;
	} cases[] = {
		{ "room", 1, 0, 0, false, false, true },
		{ "none", 0, 0, 0, false, false, false },
		{ "none, but it is known", 0, 0, 0, true, false, true },
		{ "none, and not guarded", 0, 0, 0, false, true, true },
		{ "what is left is reserved", 2, 2, 0, false, false, false },
		{ "one more", 3, 2, 0, false, false, true },
		{ "with the mark", 2, 2, 7, false, false, false, true },
		{ "half of the table at most", 12, 1000, 0, false, false,
		  true },
		{ "which it is", 8, 1000, 0, false, false, false },
	};
	struct ft_net *tn = guard_net(test);
	struct ft_guard_newcomer newcomer;
	unsigned int i, entries = 10;
	struct ft_packet p;
	struct sk_buff *skb;
	bool open;

	for (i = 0; i < entries; i++)
		ft_ct_udp(test, i, ASSURED, 60 * HZ);
	tn->set.v[FLOWTRACK_A_SETTINGS_RESERVED_MARK] = 7;
	tn->set.v[FLOWTRACK_A_SETTINGS_RESERVED_MASK] = 0xff;
	ft_start(&p, NFPROTO_IPV4, 77, 1, IPPROTO_UDP);
	ft_put_udp(&p, 1000, 53, 10);
	ft_end_ip(&p);
	skb = ft_skb(test, &p, p.len, FT_SHAPE_LINEAR);
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		nf_conntrack_max = entries + num_online_cpus() - 1 +
				   cases[i].free;
		tn->set.v[FLOWTRACK_A_SETTINGS_RESERVED] = cases[i].reserved;
		tn->set.v[FLOWTRACK_A_SETTINGS_GUARD] = !cases[i].off;
		skb->mark = cases[i].mark;
		ip_hdr(skb)->saddr = FT_IP4(77);
		if (cases[i].known)
			ip_hdr(skb)->saddr = htonl(0x0a000003);
		newcomer.reserved = false;
		rcu_read_lock();
		open = ft_guard_open(tn, skb, NFPROTO_IPV4, &nf_ct_zone_dflt,
				     &newcomer);
		rcu_read_unlock();
		KUNIT_EXPECT_EQ_MSG(test, open, cases[i].want, "%s",
				    cases[i].name);
		KUNIT_EXPECT_EQ_MSG(test, newcomer.reserved,
				    cases[i].want_reserved, "%s",
				    cases[i].name);
	}
	kfree_skb(skb);
}

static void switched_off(struct kunit *test)
{
	struct ft_net *tn = guard_net(test);
	struct nf_conn *ct = ft_ct_udp(test, 0, 0, 10 * HZ);
	struct nf_conn *other = ft_ct_udp(test, 1, 0, 10 * HZ);

	tn->set.v[FLOWTRACK_A_SETTINGS_GUARD] = 0;
	ft_ct_feed(tn, ct);
	KUNIT_EXPECT_EQ(test, ft_shadow_count(&tn->guard.shadows), 0);
	tn->set.v[FLOWTRACK_A_SETTINGS_GUARD] = 1;
	/* No more shadows than there can be entries. */
	nf_conntrack_max = 1;
	ft_ct_feed(tn, ct);
	ft_ct_feed(tn, other);
	KUNIT_EXPECT_EQ(test, ft_shadow_count(&tn->guard.shadows), 1);
}

static struct kunit_case guard_cases[] = {
	KUNIT_CASE(words),
	KUNIT_CASE(forgets),
	KUNIT_CASE(others),
	KUNIT_CASE(makes_room),
	KUNIT_CASE(looks_again),
	KUNIT_CASE(gone_already),
	KUNIT_CASE(reserved),
	KUNIT_CASE(opens),
	KUNIT_CASE(switched_off),
	{}
};

static struct kunit_suite guard_suite = {
	.name = "ft_guard",
	.init = guard_test_init,
	.exit = guard_test_exit,
	.test_cases = guard_cases,
};

kunit_test_suite(guard_suite);
