// SPDX-License-Identifier: GPL-2.0
#include <linux/delay.h>

#include "ft_kunit.h"

/* Every flow is gone and counted within two seconds of its deadline. */
static void expire_in_time(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 10000);
	unsigned long end;
	u32 i;

	for (i = 0; i < 1000; i++)
		ft_kunit_admit(tn, i, FLOWTRACK_CLASS_EMBRYONIC,
			       i % 2 ? HZ : 300 * HZ);
	end = jiffies + 3 * HZ + HZ / 2;
	while (atomic_read(&tn->count) > 500 && time_before(jiffies, end))
		msleep(20);
	KUNIT_EXPECT_EQ(test, atomic_read(&tn->count), 500);
	KUNIT_EXPECT_EQ(test, ft_kunit_stat(tn, FLOWTRACK_A_STATS_EXPIRE), 500);
	for (i = 0; i < 1000; i++)
		KUNIT_EXPECT_EQ(test, ft_kunit_has(tn, i), i % 2 == 0);
}

/* A flow past its deadline is not found, whether or not expiry has run. */
static void expired_is_never_found(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 10);

	ft_kunit_admit(tn, 1, FLOWTRACK_CLASS_EMBRYONIC, 2);
	KUNIT_EXPECT_TRUE(test, ft_kunit_has(tn, 1));
	while (ft_kunit_stat(tn, FLOWTRACK_A_STATS_EXPIRE) == 0 &&
	       ft_kunit_has(tn, 1))
		schedule_timeout_uninterruptible(1);
	KUNIT_EXPECT_EQ(test, ft_kunit_stat(tn, FLOWTRACK_A_STATS_EXPIRE), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&tn->count), 1);
	/* Its successor gets in beside it. */
	KUNIT_EXPECT_EQ(test, ft_kunit_admit(tn, 1, FLOWTRACK_CLASS_EMBRYONIC,
					     30 * HZ), FT_ADMIT_OK);
	KUNIT_EXPECT_TRUE(test, ft_kunit_has(tn, 1));
}

/* An empty namespace schedules nothing. */
static void idle_when_empty(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 10);
	unsigned long end = jiffies + 4 * HZ;

	KUNIT_EXPECT_FALSE(test, delayed_work_pending(&tn->gc_work));
	ft_kunit_admit(tn, 1, FLOWTRACK_CLASS_EMBRYONIC, 2);
	KUNIT_EXPECT_TRUE(test, delayed_work_pending(&tn->gc_work));
	while (atomic_read(&tn->count) && time_before(jiffies, end))
		msleep(20);
	KUNIT_EXPECT_EQ(test, atomic_read(&tn->count), 0);
	flush_delayed_work(&tn->gc_work);
	KUNIT_EXPECT_FALSE(test, delayed_work_pending(&tn->gc_work));
}

static struct kunit_case gc_cases[] = {
	KUNIT_CASE_SLOW(expire_in_time),
	KUNIT_CASE(expired_is_never_found),
	KUNIT_CASE_SLOW(idle_when_empty),
	{}
};

static struct kunit_suite gc_suite = {
	.name = "ft_gc",
	.test_cases = gc_cases,
};

kunit_test_suite(gc_suite);
