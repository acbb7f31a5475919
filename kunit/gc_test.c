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

/*
 * Under pressure flows end early, within the sixteen seconds of a round: those
 * whose own class presses, after the time that is left to them.
 */
static void adaptive_timeouts(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 1000);
	unsigned long end;
	u32 i, left = 0;

	tn->set.v[FLOWTRACK_A_SETTINGS_UDP_TIMEOUT] = 1000;
	tn->set.v[FLOWTRACK_A_SETTINGS_ADAPTIVE_START] = 40;
	tn->set.v[FLOWTRACK_A_SETTINGS_ADAPTIVE_END] = 100;
	/* 70 per cent are embryonic or better: half of the timeout is left. */
	for (i = 0; i < 350; i++)
		ft_kunit_admit(tn, i, FLOWTRACK_CLASS_ASSURED, 10 * HZ);
	for (; i < 500; i++)
		ft_kunit_admit(tn, i, FLOWTRACK_CLASS_EMBRYONIC, 520 * HZ);
	for (; i < 700; i++)
		ft_kunit_admit(tn, i, FLOWTRACK_CLASS_EMBRYONIC, 400 * HZ);
	end = jiffies + 25 * HZ;
	while (ft_kunit_stat(tn, FLOWTRACK_A_STATS_EXPIRE_ADAPTIVE) < 1 &&
	       time_before(jiffies, end))
		msleep(20);
	KUNIT_EXPECT_EQ(test, ft_adaptive_shown(&tn->adaptive,
						FLOWTRACK_CLASS_ASSURED), 1000);
	KUNIT_EXPECT_LT(test, ft_adaptive_shown(&tn->adaptive,
						FLOWTRACK_CLASS_EMBRYONIC), 1000);
	/* Those that are as old as the oldest go until there is no pressure. */
	for (i = 350; i < 500; i++)
		KUNIT_EXPECT_TRUE(test, ft_kunit_has(tn, i));
	for (i = 0; i < 350; i++)
		left += ft_kunit_has(tn, i);
	KUNIT_EXPECT_EQ(test, left, 350);
	KUNIT_EXPECT_EQ(test, ft_kunit_stat(tn, FLOWTRACK_A_STATS_EXPIRE),
			ft_kunit_stat(tn, FLOWTRACK_A_STATS_EXPIRE_ADAPTIVE));
}

/* The census of a scan is what is in the table. */
static void census(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 10000);
	struct ft_cursor cursor = {};
	struct ft_census census = {};
	u32 i;

	for (i = 0; i < 1000; i++)
		ft_kunit_admit(tn, i, i % 10 < 4 ? FLOWTRACK_CLASS_ASSURED :
				      i % 10 < 7 ? FLOWTRACK_CLASS_REPLIED :
				      i % 10 < 9 ? FLOWTRACK_CLASS_EMBRYONIC :
						   FLOWTRACK_CLASS_CLOSING,
			       300 * HZ);
	flush_work(&tn->resize_work);
	rcu_read_lock();
	while (ft_table_expired(tn->table, &cursor, 7, NULL, NULL, &census))
		;
	rcu_read_unlock();
	KUNIT_EXPECT_EQ(test, census.n[FLOWTRACK_CLASS_CLOSING], 100);
	KUNIT_EXPECT_EQ(test, census.n[FLOWTRACK_CLASS_EMBRYONIC], 200);
	KUNIT_EXPECT_EQ(test, census.n[FLOWTRACK_CLASS_REPLIED], 300);
	KUNIT_EXPECT_EQ(test, census.n[FLOWTRACK_CLASS_ASSURED], 400);
}

static struct kunit_case gc_cases[] = {
	KUNIT_CASE_SLOW(expire_in_time),
	KUNIT_CASE(expired_is_never_found),
	KUNIT_CASE_SLOW(idle_when_empty),
	KUNIT_CASE_SLOW(adaptive_timeouts),
	KUNIT_CASE(census),
	{}
};

static struct kunit_suite gc_suite = {
	.name = "ft_gc",
	.test_cases = gc_cases,
};

kunit_test_suite(gc_suite);
