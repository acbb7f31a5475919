// SPDX-License-Identifier: GPL-2.0
#include <linux/ktime.h>
#include <linux/sched/clock.h>

#include "ft_conntrack.h"
#include "guard/guard.h"
#include "guard/sweep.h"

#define ASSURED		(IPS_SEEN_REPLY | IPS_ASSURED)

/* A namespace with so many entries that have shadows; the test calls the sweep, and nobody else. */
static struct ft_net *sweep_net(struct kunit *test, u32 n)
{
	struct ft_net *tn = ft_ct_guard_net(test);
	struct nf_conn *ct;
	u32 i;

	nf_conntrack_max = 2 * n;
	for (i = 0; i < n; i++) {
		ct = ft_ct_udp(test, i, ASSURED, 600 * HZ);
		ft_ct_feed(tn, ct);
		ft_ct_drop(test, ct);
		if (!(i % 256))
			cond_resched();
	}
	KUNIT_ASSERT_EQ(test, ft_shadow_count(&tn->guard.shadows), n);
	cancel_delayed_work_sync(&tn->guard.work);
	tn->guard.others = 0;
	tn->guard.settled = true;
	tn->guard.sweep_after = 0;
	return tn;
}

static bool under_way(const struct ft_net *tn)
{
	return tn->guard.verify || tn->guard.cursor.table;
}

/* A look at all shadows is taken in parts, and the longer it took, the later is the next one. */
static void bounded(struct kunit *test)
{
	const u64 part = 50 * NSEC_PER_MSEC;
	const u32 n = 30000;
	struct ft_net *tn = sweep_net(test, n);
	u64 began = local_clock(), all = 0, took;
	u32 calls = 0;

	ft_ct_delete(0);
	do {
		took = ktime_get_ns();
		ft_guard_sweep(tn);
		took = ktime_get_ns() - took;
		all += took;
		KUNIT_ASSERT_LT(test, ++calls, 1000);
	} while (under_way(tn));
	kunit_info(test, "%u parts, %llu ns an entry\n", calls, all / n);
	/* User-Mode Linux's local_clock() goes by ticks of 10 ms, at both ends of a part. */
	KUNIT_EXPECT_LE(test, took, part + part / 2);
	KUNIT_EXPECT_GE(test, tn->guard.sweep_after, began + 30 * all);
	KUNIT_EXPECT_EQ(test, ft_shadow_count(&tn->guard.shadows), n - 1);

	/* One more has ended, but it is not time yet. */
	ft_ct_delete(1);
	ft_guard_sweep(tn);
	KUNIT_EXPECT_FALSE(test, under_way(tn));
	KUNIT_EXPECT_EQ(test, ft_shadow_count(&tn->guard.shadows), n - 1);
	tn->guard.sweep_after = local_clock();
	do {
		ft_guard_sweep(tn);
	} while (under_way(tn));
	KUNIT_EXPECT_EQ(test, ft_shadow_count(&tn->guard.shadows), n - 2);
}

static struct kunit_case guard_sweep_cases[] = {
	KUNIT_CASE_SLOW(bounded),
	{}
};

static struct kunit_suite guard_sweep_suite = {
	.name = "ft_guard_sweep",
	.init = ft_ct_init,
	.test_cases = guard_sweep_cases,
};

kunit_test_suite(guard_sweep_suite);
