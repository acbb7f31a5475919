// SPDX-License-Identifier: GPL-2.0
/*
 * What is counted and what reaches the log, told by a logger of our own.
 */
#include <linux/delay.h>
#include <linux/net.h>
#include <linux/netfilter.h>
#include <net/netfilter/nf_log.h>

#include "ft_packet.h"
#include "net.h"
#include "track/report.h"

static struct {
	unsigned int calls;
	u8 pf;
	unsigned int hook;
	char prefix[128];
} heard;

static void hear(struct net *net, u_int8_t pf, unsigned int hooknum,
		 const struct sk_buff *skb, const struct net_device *in,
		 const struct net_device *out, const struct nf_loginfo *li,
		 const char *prefix)
{
	heard.calls++;
	heard.pf = pf;
	heard.hook = hooknum;
	strscpy(heard.prefix, prefix, sizeof(heard.prefix));
}

static struct nf_logger logger = {
	.name = "ft_invalid_test",
	.type = NF_LOG_TYPE_LOG,
	.logfn = hear,
	.me = THIS_MODULE,
};

static const struct nf_logger *former;

static int invalid_init(struct kunit *test)
{
	struct ft_net *tn = kunit_kzalloc(test, sizeof(*tn), GFP_KERNEL);

	tn->net = &init_net;
	tn->stats = alloc_percpu(struct ft_stats);
	KUNIT_ASSERT_NOT_NULL(test, tn->stats);
	test->priv = tn;
	memset(&heard, 0, sizeof(heard));
	former = rcu_access_pointer(init_net.nf.nf_loggers[NFPROTO_IPV4]);
	rcu_assign_pointer(init_net.nf.nf_loggers[NFPROTO_IPV4], &logger);
	return 0;
}

static void invalid_exit(struct kunit *test)
{
	struct ft_net *tn = test->priv;

	rcu_assign_pointer(init_net.nf.nf_loggers[NFPROTO_IPV4], former);
	synchronize_rcu();
	free_percpu(tn->stats);
}

/* Tell @n times of a UDP packet; returns how often the log heard of it. */
static unsigned int tell(struct kunit *test, u32 log, u8 l4proto,
			 unsigned int n)
{
	struct nf_hook_state state = {
		.hook = NF_INET_LOCAL_OUT, .pf = NFPROTO_IPV4, .net = &init_net,
	};
	unsigned int before = heard.calls;
	struct ft_net *tn = test->priv;
	struct sk_buff *skb;

	skb = alloc_skb(64, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, skb);
	tn->set.v[FLOWTRACK_A_SETTINGS_LOG_INVALID] = log;
	rcu_read_lock();
	while (n--)
		ft_log_invalid(tn, skb, &state, l4proto, FT_INVALID_UDP_HEADER);
	rcu_read_unlock();
	kfree_skb(skb);
	return heard.calls - before;
}

static u64 counted(struct kunit *test)
{
	struct ft_net *tn = test->priv;
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += per_cpu_ptr(tn->stats, cpu)->v[FLOWTRACK_A_STATS_INVALID];
	return sum;
}

static void names(struct kunit *test)
{
	unsigned int i, j;

	for (i = 0; i < FT_INVALID_COUNT; i++) {
		KUNIT_ASSERT_NOT_NULL(test, ft_invalid_name(i));
		KUNIT_EXPECT_GT(test, strlen(ft_invalid_name(i)), 4);
		for (j = 0; j < i; j++)
			KUNIT_EXPECT_NE(test, strcmp(ft_invalid_name(i),
						     ft_invalid_name(j)), 0);
	}
	KUNIT_EXPECT_STREQ(test, ft_invalid_name(FT_INVALID_CHECKSUM),
			   "bad checksum");
	KUNIT_EXPECT_STREQ(test, ft_invalid_name(FT_INVALID_NONE), "valid");
	KUNIT_EXPECT_STREQ(test, ft_invalid_name(FT_INVALID_COUNT),
			   "unknown reason");
	KUNIT_EXPECT_STREQ(test, ft_invalid_name((enum ft_invalid)-1),
			   "unknown reason");
}

static void counts(struct kunit *test)
{
	struct ft_net *tn = test->priv;

	KUNIT_EXPECT_EQ(test, counted(test), 0);
	tell(test, 0, IPPROTO_UDP, 1000);
	KUNIT_EXPECT_EQ(test, counted(test), 1000);
	KUNIT_EXPECT_EQ(test, heard.calls, 0);
	tn->set.v[FLOWTRACK_A_SETTINGS_LOG_INVALID] = 0;
}

/* The setting names a protocol, or all of them. */
static void logs(struct kunit *test)
{
	unsigned int i;

	/* If others have used up the limit it is back after five seconds. */
	for (i = 0; i < 60 && !net_ratelimit(); i++)
		msleep(100);
	KUNIT_EXPECT_EQ(test, tell(test, 0, IPPROTO_UDP, 1), 0);
	KUNIT_EXPECT_EQ(test, tell(test, 0, 0, 1), 0);
	KUNIT_EXPECT_EQ(test, tell(test, IPPROTO_TCP, IPPROTO_UDP, 1), 0);
	KUNIT_EXPECT_EQ(test, tell(test, IPPROTO_UDP, IPPROTO_UDP, 1), 1);
	KUNIT_EXPECT_STREQ(test, heard.prefix,
			   "nf_flowtrack: inconsistent UDP header ");
	KUNIT_EXPECT_EQ(test, heard.pf, NFPROTO_IPV4);
	KUNIT_EXPECT_EQ(test, heard.hook, NF_INET_LOCAL_OUT);
	KUNIT_EXPECT_EQ(test, tell(test, 255, IPPROTO_UDP, 1), 1);
	KUNIT_EXPECT_EQ(test, tell(test, 255, 0, 1), 1);
	KUNIT_EXPECT_EQ(test, counted(test), 6);
}

/* A flood fills neither the disk nor the console. */
static void flood(struct kunit *test)
{
	unsigned int n = tell(test, 255, IPPROTO_UDP, 10000);

	KUNIT_EXPECT_LT(test, n, 100);
	KUNIT_EXPECT_EQ(test, counted(test), 10000);
}

static struct kunit_case invalid_cases[] = {
	KUNIT_CASE(names),
	KUNIT_CASE(counts),
	KUNIT_CASE(logs),
	KUNIT_CASE(flood),
	{}
};

static struct kunit_suite invalid_suite = {
	.name = "ft_invalid",
	.init = invalid_init,
	.exit = invalid_exit,
	.test_cases = invalid_cases,
};

kunit_test_suite(invalid_suite);
