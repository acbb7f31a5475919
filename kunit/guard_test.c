// SPDX-License-Identifier: GPL-2.0
#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/netfilter/nf_conntrack_zones.h>

#include "ft_kunit.h"
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

static void entry_end(void *data)
{
	struct nf_conn *ct = data;

	nf_ct_delete(ct, 0, 0);
	nf_ct_put(ct);
}

static void tuple_of(struct nf_conntrack_tuple *tuple, u32 i)
{
	memset(tuple, 0, sizeof(*tuple));
	tuple->src.u3.ip = htonl(0x0a000000 + i);
	tuple->dst.u3.ip = FT_IP(192, 0, 2, 1);
	tuple->src.u.udp.port = htons(1000);
	tuple->dst.u.udp.port = htons(53);
	tuple->src.l3num = NFPROTO_IPV4;
	tuple->dst.protonum = IPPROTO_UDP;
}

/*
 * An entry of nf_conntrack: UDP flow number @i. The test holds a reference
 * until it ends; drop() gives it back, for those that may be deleted.
 */
static struct nf_conn *entry(struct kunit *test, u32 i, unsigned long status,
			     u32 timeout)
{
	struct nf_conntrack_tuple orig, reply;
	struct nf_conn *ct;

	tuple_of(&orig, i);
	nf_ct_invert_tuple(&reply, &orig);
	ct = nf_conntrack_alloc(&init_net, &nf_ct_zone_dflt, &orig, &reply,
				GFP_KERNEL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, ct);
	ct->timeout = nfct_time_stamp + timeout;
	ct->status = status | IPS_CONFIRMED;
	rcu_read_lock();
	KUNIT_ASSERT_EQ(test, nf_conntrack_hash_check_insert(ct), 0);
	rcu_read_unlock();
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, entry_end, ct),
			0);
	return ct;
}

static void drop(struct kunit *test, struct nf_conn *ct)
{
	kunit_remove_action(test, entry_end, ct);
	nf_ct_put(ct);
}

static int end_one(struct nf_conn *ct, void *arg)
{
	return 1;
}

static void end_all(void)
{
	struct nf_ct_iter_data iter = { .net = &init_net };

	nf_ct_iterate_cleanup_net(end_one, &iter);
}

static void feed(struct ft_net *tn, struct nf_conn *ct)
{
	rcu_read_lock();
	ft_guard_feed(tn, ct);
	rcu_read_unlock();
}

static enum ft_guard_answer make_room(struct ft_net *tn)
{
	enum ft_guard_answer answer;

	rcu_read_lock();
	answer = ft_guard_make_room(tn);
	rcu_read_unlock();
	return answer;
}

static bool has_entry(u32 i)
{
	struct nf_conntrack_tuple_hash *found;
	struct nf_conntrack_tuple tuple;

	tuple_of(&tuple, i);
	found = nf_conntrack_find_get(&init_net, &nf_ct_zone_dflt, &tuple);
	if (found)
		nf_ct_put(nf_ct_tuplehash_to_ctrack(found));
	return found;
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
		ct[i] = entry(test, i, ASSURED, 60 * HZ);
		feed(tn, ct[i]);
		feed(tn, ct[i]);
	}
	KUNIT_EXPECT_EQ(test, ft_shadow_count(&tn->guard.shadows), 4);
	sweep(tn);
	KUNIT_EXPECT_EQ(test, ft_shadow_count(&tn->guard.shadows), 4);

	/* Deleted, and so fed no more. */
	nf_ct_delete(ct[0], 0, 0);
	feed(tn, ct[0]);
	drop(test, ct[0]);
	sweep(tn);
	KUNIT_EXPECT_EQ(test, ft_shadow_count(&tn->guard.shadows), 3);
	feed(tn, ct[1]);
	/* Timed out: nobody has collected it yet. */
	WRITE_ONCE(ct[1]->timeout, nfct_time_stamp - 1);
	feed(tn, ct[1]);
	drop(test, ct[1]);
	KUNIT_EXPECT_FALSE(test, has_entry(1));
	sweep(tn);
	KUNIT_EXPECT_EQ(test, ft_shadow_count(&tn->guard.shadows), 2);
	KUNIT_EXPECT_EQ(test, nf_conntrack_count(&init_net), 2);

	for (i = 2; i < ARRAY_SIZE(ct); i++)
		drop(test, ct[i]);
	end_all();
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
		ct[i] = entry(test, i, ASSURED, 60 * HZ);
		if (i >= 3)
			feed(tn, ct[i]);
	}
	sweep(tn);
	KUNIT_EXPECT_EQ(test, ft_shadow_count(&tn->guard.shadows), 3);
	KUNIT_EXPECT_EQ(test, tn->guard.others, 3);
	nf_ct_delete(ct[3], 0, 0);
	drop(test, ct[3]);
	sweep(tn);
	KUNIT_EXPECT_EQ(test, ft_shadow_count(&tn->guard.shadows), 2);
	/* Its next packet makes it known. */
	feed(tn, ct[0]);
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
		ct = entry(test, i, i < 7 ? ASSURED : 0, (60 - i) * HZ);
		feed(tn, ct);
		drop(test, ct);
	}
	nf_conntrack_max = 10;
	/* 7, 8 and 9 have not been answered; 9 ends first. */
	for (i = 9; i > 6; i--) {
		KUNIT_EXPECT_EQ(test, make_room(tn), FT_GUARD_GO);
		KUNIT_EXPECT_FALSE_MSG(test, has_entry(i), "%u", i);
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
	end_all();
}

/* Shadows are hints: what the entry says now decides. */
static void looks_again(struct kunit *test)
{
	struct ft_net *tn = guard_net(test);
	struct nf_conn *ct[4];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ct); i++) {
		ct[i] = entry(test, i, 0, (10 + i) * HZ);
		feed(tn, ct[i]);
	}
	nf_conntrack_max = ARRAY_SIZE(ct);
	/* Became valuable without a packet; offloaded; its packet is queued. */
	ct[0]->status |= ASSURED;
	ct[1]->status |= IPS_OFFLOAD;
	nf_conntrack_get(&ct[2]->ct_general);
	drop(test, ct[0]);
	drop(test, ct[1]);
	drop(test, ct[3]);
	KUNIT_EXPECT_EQ(test, make_room(tn), FT_GUARD_GO);
	KUNIT_EXPECT_TRUE(test, has_entry(0));
	KUNIT_EXPECT_TRUE(test, has_entry(1));
	KUNIT_EXPECT_TRUE(test, has_entry(2));
	KUNIT_EXPECT_FALSE(test, has_entry(3));
	nf_ct_put(ct[2]);
	drop(test, ct[2]);
	end_all();
}

/* A place that a gone entry left is found, whoever ended it. */
static void gone_already(struct kunit *test)
{
	struct ft_net *tn = guard_net(test);
	struct nf_conn *ct[2];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ct); i++) {
		ct[i] = entry(test, i, ASSURED, 10 * HZ);
		feed(tn, ct[i]);
	}
	nf_conntrack_max = ARRAY_SIZE(ct);
	WRITE_ONCE(ct[1]->timeout, nfct_time_stamp - 1);
	feed(tn, ct[1]);
	drop(test, ct[0]);
	drop(test, ct[1]);
	KUNIT_EXPECT_EQ(test, make_room(tn), FT_GUARD_GO);
	KUNIT_EXPECT_TRUE(test, has_entry(0));
	KUNIT_EXPECT_EQ(test, nf_conntrack_count(&init_net), 1);
	KUNIT_EXPECT_EQ(test, ft_kunit_stat(tn, STAT(GUARD_FORGOT)), 1);
	end_all();
}

static void switched_off(struct kunit *test)
{
	struct ft_net *tn = guard_net(test);
	struct nf_conn *ct = entry(test, 0, 0, 10 * HZ);
	struct nf_conn *other = entry(test, 1, 0, 10 * HZ);

	tn->set.v[FLOWTRACK_A_SETTINGS_GUARD] = 0;
	feed(tn, ct);
	KUNIT_EXPECT_EQ(test, ft_shadow_count(&tn->guard.shadows), 0);
	tn->set.v[FLOWTRACK_A_SETTINGS_GUARD] = 1;
	/* No more shadows than there can be entries. */
	nf_conntrack_max = 1;
	feed(tn, ct);
	feed(tn, other);
	KUNIT_EXPECT_EQ(test, ft_shadow_count(&tn->guard.shadows), 1);
}

static struct kunit_case guard_cases[] = {
	KUNIT_CASE(words),
	KUNIT_CASE(forgets),
	KUNIT_CASE(others),
	KUNIT_CASE(makes_room),
	KUNIT_CASE(looks_again),
	KUNIT_CASE(gone_already),
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
