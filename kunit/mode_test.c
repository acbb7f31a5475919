// SPDX-License-Identifier: GPL-2.0
#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/netfilter/nf_conntrack_extend.h>
#include <net/netfilter/nf_conntrack_helper.h>
#include <net/netfilter/nf_conntrack_zones.h>

#include "ft_kunit.h"
#include "track/consumers.h"
#include "track/mode.h"

static void conntrack_free(void *ct)
{
	nf_ct_tmpl_free(ct);
}

/* A conntrack as the ruleset leaves it when nothing special was done to it. */
static struct nf_conn *conntrack(struct kunit *test, u8 zone_dir)
{
	struct nf_conntrack_zone zone;
	struct nf_conn *ct;

	nf_ct_zone_init(&zone, 1, zone_dir, 0);
	ct = nf_ct_tmpl_alloc(&init_net, &zone, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, ct);
	ct->status = 0;
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, conntrack_free, ct),
			0);
	return ct;
}

static void adoptable_by_status(struct kunit *test)
{
	static const struct {
		unsigned long status;
		bool want;
	} cases[] = {
		{ 0, true },
		{ IPS_NAT_DONE_MASK, true },
		{ IPS_SEEN_REPLY, true },
		{ IPS_SRC_NAT, false },
		{ IPS_DST_NAT, false },
		{ IPS_SRC_NAT | IPS_NAT_DONE_MASK, false },
		{ IPS_EXPECTED, false },
		{ IPS_SEQ_ADJUST, false },
		{ IPS_HELPER, false },
		{ IPS_FIXED_TIMEOUT, false },
		{ IPS_OFFLOAD, false },
	};
	struct nf_conn *ct = conntrack(test, NF_CT_DEFAULT_ZONE_DIR);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		ct->status = cases[i].status;
		KUNIT_EXPECT_EQ_MSG(test, ft_mode_adoptable(ct), cases[i].want,
				    "status %#lx", cases[i].status);
	}
	ct->status = 0;
	ct->tuplehash[IP_CT_DIR_ORIGINAL].tuple.dst.protonum = IPPROTO_DCCP;
	KUNIT_EXPECT_FALSE(test, ft_mode_adoptable(ct));
	ct->tuplehash[IP_CT_DIR_ORIGINAL].tuple.dst.protonum = 0;
	ct->master = ct;
	KUNIT_EXPECT_FALSE(test, ft_mode_adoptable(ct));
	ct->master = NULL;
	KUNIT_EXPECT_FALSE(test,
			   ft_mode_adoptable(conntrack(test,
						       NF_CT_ZONE_DIR_ORIG)));
}

static void adoptable_by_reply(struct kunit *test)
{
	struct nf_conn *ct = conntrack(test, NF_CT_DEFAULT_ZONE_DIR);
	struct nf_conntrack_tuple *orig, *reply;

	orig = &ct->tuplehash[IP_CT_DIR_ORIGINAL].tuple;
	reply = &ct->tuplehash[IP_CT_DIR_REPLY].tuple;
	orig->src.l3num = NFPROTO_IPV4;
	orig->src.u3.ip = FT_IP(198, 51, 100, 2);
	orig->src.u.udp.port = htons(1000);
	orig->dst.u3.ip = FT_IP(198, 51, 100, 1);
	orig->dst.u.udp.port = htons(53);
	orig->dst.protonum = IPPROTO_UDP;
	nf_ct_invert_tuple(reply, orig);
	KUNIT_EXPECT_TRUE(test, ft_mode_adoptable(ct));
	reply->src.u3.ip = FT_IP(198, 51, 100, 3);
	KUNIT_EXPECT_FALSE(test, ft_mode_adoptable(ct));
	nf_ct_invert_tuple(reply, orig);
	reply->src.u.udp.port = htons(54);
	KUNIT_EXPECT_FALSE(test, ft_mode_adoptable(ct));
}

static void adoptable_by_extension(struct kunit *test)
{
	struct nf_conn *ct = conntrack(test, NF_CT_DEFAULT_ZONE_DIR);
	struct nf_conn_help *help;

	KUNIT_ASSERT_NOT_NULL(test,
			      nf_ct_ext_add(ct, NF_CT_EXT_ACCT, GFP_KERNEL));
	KUNIT_EXPECT_TRUE(test, ft_mode_adoptable(ct));
	/* The extension alone says nothing: a helper must be in it. */
	help = nf_ct_ext_add(ct, NF_CT_EXT_HELPER, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, help);
	KUNIT_EXPECT_TRUE(test, ft_mode_adoptable(ct));
	rcu_assign_pointer(help->helper, (struct nf_conntrack_helper *)test);
	KUNIT_EXPECT_FALSE(test, ft_mode_adoptable(ct));
	RCU_INIT_POINTER(help->helper, NULL);
	KUNIT_ASSERT_NOT_NULL(test,
			      nf_ct_ext_add(ct, NF_CT_EXT_SEQADJ, GFP_KERNEL));
	KUNIT_EXPECT_FALSE(test, ft_mode_adoptable(ct));
}

static void template_with_more_than_a_zone(struct kunit *test)
{
	struct nf_conn *tmpl = conntrack(test, NF_CT_DEFAULT_ZONE_DIR);

	KUNIT_EXPECT_TRUE(test, ft_mode_template_plain(tmpl));
	tmpl->status = IPS_TEMPLATE | IPS_HELPER;
	KUNIT_EXPECT_FALSE(test, ft_mode_template_plain(tmpl));
	tmpl->status = IPS_TEMPLATE;
	nf_ct_ext_add(tmpl, NF_CT_EXT_HELPER, GFP_KERNEL);
	KUNIT_EXPECT_FALSE(test, ft_mode_template_plain(tmpl));
	tmpl = conntrack(test, NF_CT_ZONE_DIR_REPL);
	KUNIT_EXPECT_FALSE(test, ft_mode_template_plain(tmpl));
}

static void modes(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 10);
	enum ft_need need;

	rcu_read_lock();
	need = ft_consumers_need(tn, NFPROTO_IPV4);
	tn->set.v[FLOWTRACK_A_SETTINGS_ADOPT] = FT_ADOPT_ALWAYS;
	KUNIT_EXPECT_TRUE(test, ft_mode_adopting(tn, NFPROTO_IPV4));
	tn->set.v[FLOWTRACK_A_SETTINGS_ADOPT] = FT_ADOPT_NEVER;
	KUNIT_EXPECT_FALSE(test, ft_mode_adopting(tn, NFPROTO_IPV4));
	tn->set.v[FLOWTRACK_A_SETTINGS_ADOPT] = FT_ADOPT_AUTO;
	KUNIT_EXPECT_EQ(test, ft_mode_adopting(tn, NFPROTO_IPV4),
			need != FT_NEED_NOTHING);
	rcu_read_unlock();
}

/* What was found out in this jiffy holds until it ends, for that family; but never is never. */
static void adopting_still(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 10);
	u32 now;

	rcu_read_lock();
	tn->set.v[FLOWTRACK_A_SETTINGS_ADOPT] = FT_ADOPT_ALWAYS;
	tn->adopting[0] = ft_now() - 1;
	tn->adopting[1] = ft_now() - 1;
	KUNIT_EXPECT_FALSE(test, ft_mode_adopting_still(tn, NFPROTO_IPV6));
	do {
		now = ft_now();
		KUNIT_EXPECT_TRUE(test, ft_mode_adopting(tn, NFPROTO_IPV6));
	} while (ft_now() != now);
	KUNIT_EXPECT_EQ(test, tn->adopting[1], now);
	KUNIT_EXPECT_FALSE(test, ft_mode_adopting_still(tn, NFPROTO_IPV4));
	tn->adopting[1] = ft_now() + 1000 * HZ;
	KUNIT_EXPECT_FALSE(test, ft_mode_adopting_still(tn, NFPROTO_IPV6));
	tn->set.v[FLOWTRACK_A_SETTINGS_ADOPT] = FT_ADOPT_NEVER;
	KUNIT_EXPECT_FALSE(test, ft_mode_adopting(tn, NFPROTO_IPV6));
	tn->adopting[1] = ft_now();
	KUNIT_EXPECT_FALSE(test, ft_mode_adopting_still(tn, NFPROTO_IPV6));
	rcu_read_unlock();
}

static struct kunit_case mode_cases[] = {
	KUNIT_CASE(adoptable_by_status),
	KUNIT_CASE(adoptable_by_reply),
	KUNIT_CASE(adoptable_by_extension),
	KUNIT_CASE(template_with_more_than_a_zone),
	KUNIT_CASE(modes),
	KUNIT_CASE(adopting_still),
	{}
};

static struct kunit_suite mode_suite = {
	.name = "ft_mode",
	.test_cases = mode_cases,
};

kunit_test_suite(mode_suite);
