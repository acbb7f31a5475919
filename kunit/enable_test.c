// SPDX-License-Identifier: GPL-2.0
#include <linux/completion.h>
#include <linux/netfilter_ipv4.h>
#include <linux/netfilter_ipv6.h>
#include <linux/workqueue.h>
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

/* Hooks go by a work. */
static void follow(struct ft_net *tn)
{
	ft_enable_follow(tn);
	flush_work(&tn->hooks_work);
}

/* By family, with the first look that finds it; gone with the second. */
static void followed(struct kunit *test)
{
	struct ft_net *tn = hooks_net(test, FT_ENABLE_AUTO);

	follow(tn);
	KUNIT_EXPECT_EQ(test, tn->hooked, 0);
	KUNIT_ASSERT_EQ(test, nf_ct_netns_get(&init_net, NFPROTO_IPV4), 0);
	follow(tn);
	KUNIT_EXPECT_EQ(test, tn->hooked, FT_HOOKS_IPV4);
	KUNIT_ASSERT_EQ(test, nf_ct_netns_get(&init_net, NFPROTO_IPV6), 0);
	follow(tn);
	KUNIT_EXPECT_EQ(test, tn->hooked, BOTH);

	nf_ct_netns_put(&init_net, NFPROTO_IPV6);
	follow(tn);
	KUNIT_EXPECT_EQ(test, tn->hooked, BOTH);
	follow(tn);
	KUNIT_EXPECT_EQ(test, tn->hooked, FT_HOOKS_IPV4);

	/* Taken away and loaded anew between two looks, or across one. */
	nf_ct_netns_put(&init_net, NFPROTO_IPV4);
	follow(tn);
	KUNIT_EXPECT_EQ(test, tn->hooked, FT_HOOKS_IPV4);
	KUNIT_ASSERT_EQ(test, nf_ct_netns_get(&init_net, NFPROTO_IPV4), 0);
	follow(tn);
	KUNIT_EXPECT_EQ(test, tn->hooked, FT_HOOKS_IPV4);

	nf_ct_netns_put(&init_net, NFPROTO_IPV4);
	follow(tn);
	follow(tn);
	KUNIT_EXPECT_EQ(test, tn->hooked, 0);
}

/**
 * struct busy - a work that has others of its queue wait
 * @work: that
 * @go_on: until this is completed
 */
struct busy {
	struct work_struct work;
	struct completion go_on;
};

static void be_busy(struct work_struct *work)
{
	wait_for_completion(&container_of(work, struct busy, work)->go_on);
}

/* Of IPv6: nothing is handed over when tracking of IPv4 ends. */
static void translated(struct kunit *test, struct ft_net *tn)
{
	union nf_inet_addr from = { .ip6 = { htonl(0x20010db8), 0, 0, htonl(1) } };
	union nf_inet_addr to = { .ip6 = { htonl(0x20010db8), 0, 0, htonl(2) } };
	union nf_inet_addr ext = { .ip6 = { htonl(0x20010db8), 0, 0, htonl(3) } };
	struct ft_birth birth = { .word = FT_FLOW_SNAT, .timeout = 60 * HZ };
	enum ft_admission admission;

	if (ft_key_set(&birth.key, NFPROTO_IPV6, IPPROTO_UDP, 0, &from, &to, htons(1000),
		       htons(53)))
		birth.word |= FT_FLOW_ORIG_HI;
	if (ft_key_set(&birth.answer, NFPROTO_IPV6, IPPROTO_UDP, 0, &to, &ext, htons(53),
		       htons(1000)))
		birth.word |= FT_FLOW_REPLY_HI;
	birth.hash = ft_key_hash(&birth.key, ft_table_secret(tn->table));
	birth.second = ft_key_hash(&birth.answer, ft_table_secret(tn->table));
	rcu_read_lock();
	local_bh_disable();
	admission = ft_flow_admit(tn, &birth);
	local_bh_enable();
	rcu_read_unlock();
	KUNIT_ASSERT_EQ(test, admission, FT_ADMIT_OK);
}

/* The look at all namespaces does not wait for one that has flows to hand over. */
static void gone_by_a_work(struct kunit *test)
{
	struct ft_net *tn = hooks_net(test, FT_ENABLE_AUTO);
	struct workqueue_struct *outer = tn->wq;
	struct busy busy;

	init_completion(&busy.go_on);
	INIT_WORK_ONSTACK(&busy.work, be_busy);
	KUNIT_ASSERT_EQ(test, nf_ct_netns_get(&init_net, NFPROTO_IPV4), 0);
	ft_enable_follow(tn);
	KUNIT_EXPECT_EQ(test, tn->hooked, FT_HOOKS_IPV4);
	translated(test, tn);
	nf_ct_netns_put(&init_net, NFPROTO_IPV4);
	ft_enable_follow(tn);

	tn->wq = alloc_ordered_workqueue("ft_enable", 0);
	queue_work(tn->wq, &busy.work);
	ft_enable_follow(tn);
	KUNIT_EXPECT_EQ(test, tn->hooked, FT_HOOKS_IPV4);
	complete(&busy.go_on);
	flush_work(&tn->hooks_work);
	KUNIT_EXPECT_EQ(test, tn->hooked, 0);
	destroy_workqueue(tn->wq);
	destroy_work_on_stack(&busy.work);
	tn->wq = outer;
}

/* Meanwhile something asked again. */
static void stays_after_all(struct kunit *test)
{
	struct ft_net *tn = hooks_net(test, FT_ENABLE_AUTO);

	ask_ipv4(test);
	ft_enable_follow(tn);
	queue_work(tn->wq, &tn->hooks_work);
	flush_work(&tn->hooks_work);
	KUNIT_EXPECT_EQ(test, tn->hooked, FT_HOOKS_IPV4);
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
	KUNIT_CASE(gone_by_a_work),
	KUNIT_CASE(stays_after_all),
	KUNIT_CASE(not_followed),
	KUNIT_CASE(chain_at_its_priority),
	{}
};

static struct kunit_suite enable_suite = {
	.name = "ft_enable",
	.test_cases = enable_cases,
};

kunit_test_suite(enable_suite);
