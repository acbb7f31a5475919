// SPDX-License-Identifier: GPL-2.0
#include "ft_kunit.h"

static struct ft_net *stats_net(struct kunit *test)
{
	struct ft_net *tn = kunit_kzalloc(test, sizeof(*tn), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, tn);
	KUNIT_ASSERT_EQ(test, ft_stats_init(tn), 0);
	return tn;
}

static void counts(struct kunit *test)
{
	struct ft_net *tn = stats_net(test);
	struct ft_stats sum;
	unsigned int i;

	ft_stats_sum(tn, &sum);
	for (i = 0; i < ARRAY_SIZE(sum.v); i++)
		KUNIT_EXPECT_EQ_MSG(test, sum.v[i], 0, "counter %u", i);
	preempt_disable();
	ft_stat_inc(tn, FOUND);
	ft_stat_inc(tn, FOUND);
	ft_stat_add(tn, EVENT_LOST, 1ULL << 40);
	preempt_enable();
	ft_stats_sum(tn, &sum);
	for (i = 0; i < ARRAY_SIZE(sum.v); i++) {
		u64 want = 0;

		if (i == FLOWTRACK_A_STATS_FOUND)
			want = 2;
		if (i == FLOWTRACK_A_STATS_EVENT_LOST)
			want = 1ULL << 40;
		KUNIT_EXPECT_EQ_MSG(test, sum.v[i], want, "counter %u", i);
	}
	ft_stats_exit(tn);
	KUNIT_EXPECT_NULL(test, tn->stats);
}

/* Each CPU on its own, and their sum: also of those that are not online. */
static void by_cpu(struct kunit *test)
{
	struct ft_net *tn = stats_net(test);
	u64 want = 0, number = 1;
	struct ft_stats stats;
	int cpu;

	for_each_possible_cpu(cpu) {
		per_cpu_ptr(tn->stats, cpu)->v[FLOWTRACK_A_STATS_NEW] = number;
		per_cpu_ptr(tn->stats, cpu)->v[FLOWTRACK_A_STATS_FULL] = 7;
		want += number;
		number *= 10;
	}
	number = 1;
	for_each_possible_cpu(cpu) {
		ft_stats_cpu(tn, cpu, &stats);
		KUNIT_EXPECT_EQ(test, stats.v[FLOWTRACK_A_STATS_NEW], number);
		KUNIT_EXPECT_EQ(test, stats.v[FLOWTRACK_A_STATS_FULL], 7);
		KUNIT_EXPECT_EQ(test, stats.v[FLOWTRACK_A_STATS_FOUND], 0);
		number *= 10;
	}
	ft_stats_sum(tn, &stats);
	KUNIT_EXPECT_EQ(test, stats.v[FLOWTRACK_A_STATS_NEW], want);
	KUNIT_EXPECT_EQ(test, stats.v[FLOWTRACK_A_STATS_FULL],
			7 * num_possible_cpus());
	ft_stats_exit(tn);
}

static struct kunit_case stats_cases[] = {
	KUNIT_CASE(counts),
	KUNIT_CASE(by_cpu),
	{}
};

static struct kunit_suite stats_suite = {
	.name = "ft_stats",
	.test_cases = stats_cases,
};

kunit_test_suite(stats_suite);
