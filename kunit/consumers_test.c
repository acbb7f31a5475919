// SPDX-License-Identifier: GPL-2.0
#include <linux/netfilter_ipv4.h>
#include <net/net_namespace.h>
#include <net/netfilter/nf_conntrack_helper.h>
#include <net/netfilter/nf_tables.h>

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

static enum ft_need need(struct ft_net *tn, u8 pf)
{
	enum ft_need need;

	rcu_read_lock();
	need = ft_consumers_need(tn, pf);
	rcu_read_unlock();
	return need;
}

/* A helper that registers must see flows first, once it is looked for. */
static void helpers(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 10);

	test_helper.help = no_help;
	test_helper.expect_policy = &test_policy;
	KUNIT_EXPECT_EQ(test, need(tn, NFPROTO_IPV4), FT_NEED_NOTHING);
	KUNIT_ASSERT_EQ(test, nf_conntrack_helper_register(&test_helper), 0);
	ft_consumers_look();
	KUNIT_EXPECT_EQ(test, need(tn, NFPROTO_IPV4), FT_NEED_FIRST);
	KUNIT_EXPECT_EQ(test, need(tn, NFPROTO_IPV6), FT_NEED_FIRST);
	nf_conntrack_helper_unregister(&test_helper);
	ft_consumers_look();
	KUNIT_EXPECT_EQ(test, need(tn, NFPROTO_IPV4), FT_NEED_NOTHING);
}

#ifdef CONFIG_NF_CONNTRACK_LABELS
/* Labels are in the entry, which a rule may read or write at any time. */
static void labels(struct kunit *test)
{
	int *used = (int *)&init_net.ct.labels_used;
	struct ft_net *tn = ft_kunit_net(test, 10);

	KUNIT_ASSERT_EQ(test, *used, 0);
	*used = 1;
	KUNIT_EXPECT_EQ(test, need(tn, NFPROTO_IPV4), FT_NEED_ALL);
	*used = 0;
	KUNIT_EXPECT_EQ(test, need(tn, NFPROTO_IPV4), FT_NEED_NOTHING);
}
#endif

static unsigned int pass(void *priv, struct sk_buff *skb,
			 const struct nf_hook_state *state)
{
	return NF_ACCEPT;
}

/*
 * As nf_remove_net_hook() leaves the hooks until there is a shorter array: what the last one
 * was has the lowest priority now. That hides none of those before it.
 */
static void one_is_removed(struct kunit *test, struct ft_net *tn)
{
	static struct nf_hook_ops gone = { .priority = INT_MIN };
	static struct nf_hook_ops behind = {
		.hook = pass,
		.pf = NFPROTO_IPV4,
		.hooknum = NF_INET_PRE_ROUTING,
		.priority = NF_IP_PRI_LAST,
	};
	struct nf_hook_ops **ops, *was;
	struct nf_hook_entries *entries;

	KUNIT_ASSERT_EQ(test, nf_register_net_hook(&init_net, &behind), 0);
	entries = rcu_dereference_protected(init_net.nf.hooks_ipv4[NF_INET_PRE_ROUTING], true);
	ops = nf_hook_entries_get_hook_ops(entries) + entries->num_hook_entries - 1;
	was = *ops;
	KUNIT_EXPECT_PTR_EQ(test, was, &behind);
	WRITE_ONCE(*ops, &gone);
	KUNIT_EXPECT_EQ(test, need(tn, NFPROTO_IPV4), FT_NEED_FIRST);
	WRITE_ONCE(*ops, was);
	nf_unregister_net_hook(&init_net, &behind);
}

/* NAT is where its hooks are: in this namespace, and for this family. */
static void nat_by_its_hooks(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 10);
	static const struct nf_nat_hook hook;
	static struct nf_hook_ops ops = {
		.hook = pass,
		.pf = NFPROTO_IPV4,
		.hooknum = NF_INET_PRE_ROUTING,
		.priority = NF_IP_PRI_NAT_DST,
	};
	const struct nf_nat_hook *real;

	real = rcu_replace_pointer(nf_nat_hook, &hook, true);
	KUNIT_EXPECT_EQ(test, need(tn, NFPROTO_IPV4), FT_NEED_NOTHING);
	if (nf_register_net_hook(&init_net, &ops)) {
		KUNIT_FAIL(test, "no hook");
		goto out;
	}
	KUNIT_EXPECT_EQ(test, need(tn, NFPROTO_IPV4), FT_NEED_FIRST);
	KUNIT_EXPECT_EQ(test, need(tn, NFPROTO_IPV6), FT_NEED_NOTHING);
	one_is_removed(test, tn);
	nf_unregister_net_hook(&init_net, &ops);
	ops.priority = NF_IP_PRI_NAT_DST + 1;
	if (!nf_register_net_hook(&init_net, &ops)) {
		KUNIT_EXPECT_EQ(test, need(tn, NFPROTO_IPV4), FT_NEED_NOTHING);
		nf_unregister_net_hook(&init_net, &ops);
	}
	ops.priority = NF_IP_PRI_NAT_DST;
out:
	rcu_assign_pointer(nf_nat_hook, real);
	synchronize_rcu();
}

#if IS_ENABLED(CONFIG_NF_TABLES)
/* A table's objects count as long as it has a chain at a hook. */
static void objects_of_tables(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 10);
	static struct nft_object_type type;
	static const struct nft_object_ops object_ops = { .type = &type };
	static struct nft_object object = { .ops = &object_ops };
	static struct nft_table table = {
		.objects = LIST_HEAD_INIT(table.objects),
	};
	static struct nft_chain chain = { .table = &table };
	static struct nf_hook_ops ops = {
		.hook = pass,
		.pf = NFPROTO_IPV4,
		.hooknum = NF_INET_PRE_ROUTING,
		.hook_ops_type = NF_HOOK_OP_NF_TABLES,
		.priv = &chain,
	};

	KUNIT_ASSERT_EQ(test, nf_register_net_hook(&init_net, &ops), 0);
	KUNIT_EXPECT_EQ(test, need(tn, NFPROTO_IPV4), FT_NEED_NOTHING);
	type.type = NFT_OBJECT_CT_TIMEOUT;
	list_add_tail_rcu(&object.list, &table.objects);
	table.hgenerator++;
	table.use++;
	/* As if a jiffy had passed. */
	tn->consumers.looked--;
	KUNIT_EXPECT_EQ(test, need(tn, NFPROTO_IPV4), FT_NEED_FIRST);
	type.type = NFT_OBJECT_SECMARK;
	tn->consumers.looked--;
	KUNIT_EXPECT_EQ(test, need(tn, NFPROTO_IPV4), FT_NEED_FIRST);
	table.hgenerator++;
	tn->consumers.looked--;
	KUNIT_EXPECT_EQ(test, need(tn, NFPROTO_IPV4), FT_NEED_ALL);
	list_del_rcu(&object.list);
	table.use--;
	tn->consumers.looked--;
	KUNIT_EXPECT_EQ(test, need(tn, NFPROTO_IPV4), FT_NEED_NOTHING);
	nf_unregister_net_hook(&init_net, &ops);
}
#endif

static struct kunit_case consumers_cases[] = {
	KUNIT_CASE(helpers),
#ifdef CONFIG_NF_CONNTRACK_LABELS
	KUNIT_CASE(labels),
#endif
	KUNIT_CASE(nat_by_its_hooks),
#if IS_ENABLED(CONFIG_NF_TABLES)
	KUNIT_CASE(objects_of_tables),
#endif
	{}
};

static struct kunit_suite consumers_suite = {
	.name = "ft_consumers",
	.test_cases = consumers_cases,
};

kunit_test_suite(consumers_suite);
