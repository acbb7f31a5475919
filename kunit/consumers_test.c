// SPDX-License-Identifier: GPL-2.0
#include <linux/netfilter_ipv4.h>
#include <net/net_namespace.h>
#include <net/netfilter/nf_conntrack_helper.h>

#include "ft_kunit.h"
#include "track/consumers.h"

static struct nf_conntrack_helper test_helper = {
	.name = "ft_kunit",
	.me = THIS_MODULE,
	.tuple.src.l3num = NFPROTO_IPV4,
	.tuple.dst.protonum = IPPROTO_UDP,
};

static int no_help(struct sk_buff *skb, unsigned int protoff,
		   struct nf_conn *ct, enum ip_conntrack_info ctinfo)
{
	return NF_ACCEPT;
}

static const struct nf_conntrack_expect_policy test_policy = {
	.max_expected = 1,
	.timeout = 1,
};

static enum ft_need need(u8 pf)
{
	enum ft_need need;

	rcu_read_lock();
	need = ft_consumers_need(&init_net, pf);
	rcu_read_unlock();
	return need;
}

/* A helper that registers must see flows first, once it is looked for. */
static void helpers(struct kunit *test)
{
	test_helper.help = no_help;
	test_helper.expect_policy = &test_policy;
	KUNIT_EXPECT_EQ(test, need(NFPROTO_IPV4), FT_NEED_NOTHING);
	KUNIT_ASSERT_EQ(test, nf_conntrack_helper_register(&test_helper), 0);
	ft_consumers_look();
	KUNIT_EXPECT_EQ(test, need(NFPROTO_IPV4), FT_NEED_FIRST);
	KUNIT_EXPECT_EQ(test, need(NFPROTO_IPV6), FT_NEED_FIRST);
	nf_conntrack_helper_unregister(&test_helper);
	ft_consumers_look();
	KUNIT_EXPECT_EQ(test, need(NFPROTO_IPV4), FT_NEED_NOTHING);
}

#ifdef CONFIG_NF_CONNTRACK_LABELS
/* Labels are in the entry, which a rule may read or write at any time. */
static void labels(struct kunit *test)
{
	int *used = (int *)&init_net.ct.labels_used;

	KUNIT_ASSERT_EQ(test, *used, 0);
	*used = 1;
	KUNIT_EXPECT_EQ(test, need(NFPROTO_IPV4), FT_NEED_ALL);
	*used = 0;
	KUNIT_EXPECT_EQ(test, need(NFPROTO_IPV4), FT_NEED_NOTHING);
}
#endif

static unsigned int pass(void *priv, struct sk_buff *skb,
			 const struct nf_hook_state *state)
{
	return NF_ACCEPT;
}

/* NAT is where its hooks are: in this namespace, and for this family. */
static void nat_by_its_hooks(struct kunit *test)
{
	static const struct nf_nat_hook hook;
	static struct nf_hook_ops ops = {
		.hook = pass,
		.pf = NFPROTO_IPV4,
		.hooknum = NF_INET_PRE_ROUTING,
		.priority = NF_IP_PRI_NAT_DST,
	};
	const struct nf_nat_hook *real;

	real = rcu_replace_pointer(nf_nat_hook, &hook, true);
	KUNIT_EXPECT_EQ(test, need(NFPROTO_IPV4), FT_NEED_NOTHING);
	if (nf_register_net_hook(&init_net, &ops)) {
		KUNIT_FAIL(test, "no hook");
		goto out;
	}
	KUNIT_EXPECT_EQ(test, need(NFPROTO_IPV4), FT_NEED_FIRST);
	KUNIT_EXPECT_EQ(test, need(NFPROTO_IPV6), FT_NEED_NOTHING);
	nf_unregister_net_hook(&init_net, &ops);
	ops.priority = NF_IP_PRI_NAT_DST + 1;
	if (!nf_register_net_hook(&init_net, &ops)) {
		KUNIT_EXPECT_EQ(test, need(NFPROTO_IPV4), FT_NEED_NOTHING);
		nf_unregister_net_hook(&init_net, &ops);
	}
	ops.priority = NF_IP_PRI_NAT_DST;
out:
	rcu_assign_pointer(nf_nat_hook, real);
	synchronize_rcu();
}

static struct kunit_case consumers_cases[] = {
	KUNIT_CASE(helpers),
#ifdef CONFIG_NF_CONNTRACK_LABELS
	KUNIT_CASE(labels),
#endif
	KUNIT_CASE(nat_by_its_hooks),
	{}
};

static struct kunit_suite consumers_suite = {
	.name = "ft_consumers",
	.test_cases = consumers_cases,
};

kunit_test_suite(consumers_suite);
