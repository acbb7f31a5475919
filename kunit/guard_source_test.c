// SPDX-License-Identifier: GPL-2.0
#include "ft_conntrack.h"
#include "guard/guard.h"
#include "guard/source.h"
#include "policy/source.h"

#define STAT(name)	FLOWTRACK_A_STATS_##name
#define SET(name)	FLOWTRACK_A_SETTINGS_##name

static const __be32 one = FT_IP(10, 1, 1, 1), two = FT_IP(10, 1, 1, 2);

/* The first packet of flow @i of a source: what becomes of it? */
static enum ft_guard_answer packet(struct kunit *test, struct ft_net *tn, __be32 who, u32 i,
				   bool exempt)
{
	struct nf_conntrack_tuple orig, reply;
	enum ft_guard_answer answer;
	struct nf_conn *ct;

	ft_ct_tuple(&orig, 0);
	orig.src.u3.ip = who;
	orig.src.u.udp.port = htons(1000 + i);
	nf_ct_invert_tuple(&reply, &orig);
	ct = nf_conntrack_alloc(&init_net, &nf_ct_zone_dflt, &orig, &reply,
				GFP_KERNEL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, ct);
	ct->timeout = 500 * HZ;
	rcu_read_lock();
	answer = ft_guard_feed(tn, ct, exempt);
	rcu_read_unlock();
	nf_conntrack_free(ct);
	return answer;
}

/* A namespace where @one has two flows, and then may have @max. */
static struct ft_net *limited_net(struct kunit *test, u32 max)
{
	struct ft_net *tn = ft_ct_guard_net(test);
	u32 i;

	for (i = 0; i < 2; i++)
		KUNIT_EXPECT_EQ(test, packet(test, tn, one, i, false), FT_GUARD_GO);
	KUNIT_ASSERT_EQ(test, ft_settings_set(tn, SET(SRC_MAX), max, NULL), 0);
	return tn;
}

static void unlimit(struct kunit *test, struct ft_net *tn)
{
	KUNIT_ASSERT_EQ(test, ft_settings_set(tn, SET(SRC_MAX), 0, NULL), 0);
}

/* The source of a guarded flow is the sender of its first packet, by the whole address. */
static void source_of(struct kunit *test)
{
	struct nf_conntrack_tuple tuple;
	struct ft_shadow_key key;
	struct ft_source source;

	ft_ct_tuple(&tuple, 7);
	ft_shadow_key_set(&key, &tuple, &nf_ct_zone_dflt);
	ft_guard_source(&source, &key);
	KUNIT_EXPECT_EQ(test, source.family, NFPROTO_IPV4);
	KUNIT_EXPECT_EQ(test, source.addr[0], htonl(0x0a000007));
	KUNIT_EXPECT_EQ(test, source.addr[3], 0);
	tuple.src.l3num = NFPROTO_IPV6;
	tuple.src.u3.ip6[0] = htonl(0x20010db8);
	tuple.src.u3.ip6[3] = htonl(9);
	ft_shadow_key_set(&key, &tuple, &nf_ct_zone_dflt);
	ft_guard_source(&source, &key);
	KUNIT_EXPECT_EQ(test, source.family, NFPROTO_IPV6);
	KUNIT_EXPECT_EQ(test, source.addr[0], htonl(0x20010db8));
	KUNIT_EXPECT_EQ(test, source.addr[3], htonl(9));
}

/* A limit holds for guarded flows, and those that were there before it count. */
static void refuses(struct kunit *test)
{
	struct ft_guard_newcomer who = { .source.family = NFPROTO_IPV4 };
	struct ft_net *tn = limited_net(test, 3);

	KUNIT_EXPECT_EQ(test, packet(test, tn, one, 2, false), FT_GUARD_GO);
	/* Known, and counted once. */
	KUNIT_EXPECT_EQ(test, packet(test, tn, one, 2, false), FT_GUARD_GO);
	KUNIT_EXPECT_EQ(test, packet(test, tn, one, 3, false), FT_GUARD_DROP);
	KUNIT_EXPECT_EQ(test, ft_shadow_count(&tn->guard.shadows), 3);
	KUNIT_EXPECT_EQ(test, packet(test, tn, two, 0, false), FT_GUARD_GO);
	/* It evicts nothing, either. */
	who.source.addr[0] = one;
	KUNIT_EXPECT_EQ(test, ft_ct_make_room(tn, &who), FT_GUARD_DROP);
	KUNIT_EXPECT_EQ(test, ft_kunit_stat(tn, STAT(GUARD_FULL)), 0);
	KUNIT_EXPECT_EQ(test, ft_kunit_stat(tn, STAT(SRC_MAX_REFUSED)), 2);
	KUNIT_EXPECT_EQ(test, ft_kunit_stat(tn, STAT(SRC_PASS)), 0);
	unlimit(test, tn);
}

/* src_policy may let the packet go on; the reserved mark has no limit, but counts. */
static void passes(struct kunit *test)
{
	struct ft_net *tn = limited_net(test, 2);

	tn->set.v[SET(SRC_POLICY)] = FLOWTRACK_POLICY_PASS;
	KUNIT_EXPECT_EQ(test, packet(test, tn, one, 2, false), FT_GUARD_PASS);
	KUNIT_EXPECT_EQ(test, ft_kunit_stat(tn, STAT(SRC_PASS)), 1);
	KUNIT_EXPECT_EQ(test, ft_shadow_count(&tn->guard.shadows), 2);
	KUNIT_EXPECT_EQ(test, packet(test, tn, one, 3, true), FT_GUARD_GO);
	KUNIT_EXPECT_EQ(test, ft_shadow_count(&tn->guard.shadows), 3);
	unlimit(test, tn);
}

/* By another prefix two addresses are one source: all are counted again. */
static void recounts(struct kunit *test)
{
	struct ft_net *tn = limited_net(test, 3);

	KUNIT_EXPECT_EQ(test, packet(test, tn, two, 0, false), FT_GUARD_GO);
	KUNIT_EXPECT_EQ(test, ft_source_count(tn), 2);
	KUNIT_ASSERT_EQ(test, ft_settings_set(tn, SET(SRC_PREFIX4), 24, NULL), 0);
	KUNIT_EXPECT_EQ(test, ft_source_count(tn), 1);
	KUNIT_EXPECT_EQ(test, packet(test, tn, two, 1, false), FT_GUARD_DROP);
	unlimit(test, tn);
}

/* A flow that ended counts no more, whatever ended it. */
static void gives_back(struct kunit *test)
{
	struct ft_net *tn = limited_net(test, 2);

	KUNIT_EXPECT_EQ(test, packet(test, tn, one, 2, false), FT_GUARD_DROP);
	KUNIT_EXPECT_EQ(test, ft_source_count(tn), 1);
	/* None of these entries is in nf_conntrack's table: all are forgotten. */
	ft_ct_sweep(tn);
	ft_ct_sweep(tn);
	KUNIT_EXPECT_EQ(test, ft_shadow_count(&tn->guard.shadows), 0);
	KUNIT_EXPECT_EQ(test, ft_source_count(tn), 0);
	KUNIT_EXPECT_EQ(test, packet(test, tn, one, 9, false), FT_GUARD_GO);
	ft_ct_sweep(tn);
	ft_ct_sweep(tn);
	unlimit(test, tn);
}

static struct kunit_case guard_source_cases[] = {
	KUNIT_CASE(source_of),
	KUNIT_CASE(refuses),
	KUNIT_CASE(passes),
	KUNIT_CASE(recounts),
	KUNIT_CASE(gives_back),
	{}
};

static struct kunit_suite guard_source_suite = {
	.name = "ft_guard_source",
	.init = ft_ct_init,
	.test_cases = guard_source_cases,
};

kunit_test_suite(guard_source_suite);
