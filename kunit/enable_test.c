// SPDX-License-Identifier: GPL-2.0
#include <linux/netfilter_ipv4.h>
#include <linux/netfilter_ipv6.h>
#include <net/netfilter/nf_conntrack.h>

#include "ft_kunit.h"
#include "track/enable.h"
#include "track/family.h"
#include "track/hooks.h"

#define BOTH	(FT_HOOKS_IPV4 | FT_HOOKS_IPV6)

static void free_hooks(void *data)
{
	ft_hooks_set(data, 0);
	ft_hooks_exit(data);
}

/* Not among those that the worker looks at. */
static struct ft_net *hooks_net(struct kunit *test, u32 enable)
{
	struct ft_net *tn = ft_kunit_net(test, 100);

	KUNIT_ASSERT_EQ(test, ft_hooks_init(tn), 0);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, free_hooks, tn), 0);
	tn->set.v[FLOWTRACK_A_SETTINGS_ENABLE] = enable;
	return tn;
}

static void put_ipv4(void *net)
{
	nf_ct_netns_put(net, NFPROTO_IPV4);
}

static void ask_ipv4(struct kunit *test)
{
	KUNIT_ASSERT_EQ(test, nf_ct_netns_get(&init_net, NFPROTO_IPV4), 0);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, put_ipv4,
							&init_net), 0);
}

static void applied(struct kunit *test)
{
	struct ft_net *tn = hooks_net(test, FT_ENABLE_OFF);

	KUNIT_EXPECT_EQ(test, ft_enable_apply(tn, FT_ENABLE_AUTO), 0);
	KUNIT_EXPECT_EQ(test, tn->hooked, 0);
	KUNIT_EXPECT_EQ(test, ft_enable_apply(tn, FT_ENABLE_ON), 0);
	KUNIT_EXPECT_EQ(test, tn->hooked, BOTH);
	/* Nobody asks: at once. */
	KUNIT_EXPECT_EQ(test, ft_enable_apply(tn, FT_ENABLE_AUTO), 0);
	KUNIT_EXPECT_EQ(test, tn->hooked, 0);
	ask_ipv4(test);
	KUNIT_EXPECT_EQ(test, ft_enable_apply(tn, FT_ENABLE_AUTO), 0);
	KUNIT_EXPECT_EQ(test, tn->hooked, FT_HOOKS_IPV4);
	KUNIT_EXPECT_EQ(test, ft_enable_apply(tn, FT_ENABLE_OFF), 0);
	KUNIT_EXPECT_EQ(test, tn->hooked, 0);
}

/* By family, with the first look that finds it; gone with the second. */
static void followed(struct kunit *test)
{
	struct ft_net *tn = hooks_net(test, FT_ENABLE_AUTO);

	ft_enable_follow(tn);
	KUNIT_EXPECT_EQ(test, tn->hooked, 0);
	KUNIT_ASSERT_EQ(test, nf_ct_netns_get(&init_net, NFPROTO_IPV4), 0);
	ft_enable_follow(tn);
	KUNIT_EXPECT_EQ(test, tn->hooked, FT_HOOKS_IPV4);
	KUNIT_ASSERT_EQ(test, nf_ct_netns_get(&init_net, NFPROTO_IPV6), 0);
	ft_enable_follow(tn);
	KUNIT_EXPECT_EQ(test, tn->hooked, BOTH);

	nf_ct_netns_put(&init_net, NFPROTO_IPV6);
	ft_enable_follow(tn);
	KUNIT_EXPECT_EQ(test, tn->hooked, BOTH);
	ft_enable_follow(tn);
	KUNIT_EXPECT_EQ(test, tn->hooked, FT_HOOKS_IPV4);

	/* Taken away and loaded anew between two looks, or across one. */
	nf_ct_netns_put(&init_net, NFPROTO_IPV4);
	ft_enable_follow(tn);
	KUNIT_EXPECT_EQ(test, tn->hooked, FT_HOOKS_IPV4);
	KUNIT_ASSERT_EQ(test, nf_ct_netns_get(&init_net, NFPROTO_IPV4), 0);
	ft_enable_follow(tn);
	KUNIT_EXPECT_EQ(test, tn->hooked, FT_HOOKS_IPV4);

	nf_ct_netns_put(&init_net, NFPROTO_IPV4);
	ft_enable_follow(tn);
	ft_enable_follow(tn);
	KUNIT_EXPECT_EQ(test, tn->hooked, 0);
}

static void not_followed(struct kunit *test)
{
	struct ft_net *tn = hooks_net(test, FT_ENABLE_OFF);

	ask_ipv4(test);
	ft_enable_follow(tn);
	KUNIT_EXPECT_EQ(test, tn->hooked, 0);

	/* Nothing comes back to life in a namespace that goes away. */
	tn->set.v[FLOWTRACK_A_SETTINGS_ENABLE] = FT_ENABLE_AUTO;
	tn->dying = true;
	ft_enable_follow(tn);
	KUNIT_EXPECT_EQ(test, tn->hooked, 0);
}

static unsigned int accept(void *priv, struct sk_buff *skb,
			   const struct nf_hook_state *state)
{
	return NF_ACCEPT;
}

/* A chain may stand where nf_conntrack would. */
static void chain_at_its_priority(struct kunit *test)
{
	struct ft_net *tn = hooks_net(test, FT_ENABLE_AUTO);
	struct nf_hook_ops chain = {
		.hook = accept,
		.pf = NFPROTO_IPV4,
		.hooknum = NF_INET_PRE_ROUTING,
		.priority = NF_IP_PRI_CONNTRACK,
		.hook_ops_type = NF_HOOK_OP_NF_TABLES,
	};

	KUNIT_ASSERT_EQ(test, nf_register_net_hook(&init_net, &chain), 0);
	ft_enable_follow(tn);
	nf_unregister_net_hook(&init_net, &chain);
	KUNIT_EXPECT_EQ(test, tn->hooked, 0);
}

static struct kunit_case enable_cases[] = {
	KUNIT_CASE(applied),
	KUNIT_CASE(followed),
	KUNIT_CASE(not_followed),
	KUNIT_CASE(chain_at_its_priority),
	{}
};

static struct kunit_suite enable_suite = {
	.name = "ft_enable",
	.test_cases = enable_cases,
};

kunit_test_suite(enable_suite);
