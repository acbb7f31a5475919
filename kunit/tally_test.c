// SPDX-License-Identifier: GPL-2.0
#include <linux/prandom.h>

#include "base/tally.h"
#include "ft_kunit.h"

static void free_tally(void *tally)
{
	ft_tally_free(tally);
}

static struct ft_tally *begin(struct kunit *test)
{
	struct ft_tally *tally = ft_tally_alloc();

	KUNIT_ASSERT_NOT_NULL(test, tally);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, free_tally, tally), 0);
	return tally;
}

static void add(struct ft_tally *tally, u32 what, u32 n)
{
	struct ft_tally_key key = { .v = { what, ~what } };

	while (n--)
		ft_tally_add(tally, &key);
}

/* How often a tally says that something was met; 0: it does not know it. */
static u32 told(const struct ft_tally *tally, u32 what)
{
	u32 i;

	for (i = 0; i < tally->n; i++) {
		if (tally->entry[i].key.v[0] == what && tally->entry[i].key.v[1] == ~what)
			return tally->entry[i].n;
	}
	return 0;
}

/* As many different things as it has places for are counted exactly. */
static void exact(struct kunit *test)
{
	struct ft_tally *tally = begin(test);
	u32 i;

	for (i = 0; i < FT_TALLY_KEYS; i++)
		add(tally, i, i % 3 + 1);
	KUNIT_EXPECT_EQ(test, tally->n, FT_TALLY_KEYS);
	KUNIT_EXPECT_EQ(test, tally->short_by, 0);
	KUNIT_EXPECT_EQ(test, tally->total, 16383);
	ft_tally_sort(tally);
	for (i = 1; i < tally->n; i++)
		KUNIT_ASSERT_GE(test, tally->entry[i - 1].n, tally->entry[i].n);
	KUNIT_EXPECT_EQ(test, tally->entry[0].n, 3);
	KUNIT_EXPECT_EQ(test, tally->entry[FT_TALLY_KEYS - 1].n, 1);
	ft_tally_reset(tally);
	add(tally, 7, 2);
	KUNIT_EXPECT_EQ(test, tally->n, 1);
	KUNIT_EXPECT_EQ(test, told(tally, 7), 2);
	KUNIT_EXPECT_EQ(test, tally->total, 2);
}

/* One more: what was met once is given up, what was met often stays. */
static void one_more(struct kunit *test)
{
	struct ft_tally *tally = begin(test);
	u32 i;

	add(tally, 0, 1000);
	for (i = 1; i < FT_TALLY_KEYS; i++)
		add(tally, i, 1);
	add(tally, FT_TALLY_KEYS, 1);
	KUNIT_EXPECT_EQ(test, tally->n, 2);
	KUNIT_EXPECT_EQ(test, tally->short_by, 1);
	KUNIT_EXPECT_EQ(test, told(tally, 0), 999);
	KUNIT_EXPECT_EQ(test, told(tally, FT_TALLY_KEYS), 1);
}

/* A flood of things, each met a few times, does not hide those that are met often. */
static void bounded(struct kunit *test)
{
	const u32 often = 20, rounds = 3000;
	struct ft_tally *tally = begin(test);
	u32 seed = get_random_u32(), i, k, n;
	struct rnd_state rnd;

	prandom_seed_state(&rnd, seed);
	for (i = 0; i < rounds; i++) {
		for (k = 0; k < often; k++)
			add(tally, k, k + 1);
		for (k = 0; k < 200; k++)
			add(tally, 1000 + prandom_u32_state(&rnd) % 1000000, 1);
		if (i % 256 == 0)
			cond_resched();
	}
	KUNIT_EXPECT_EQ(test, tally->total, rounds * (often * (often + 1) / 2 + 200));
	KUNIT_EXPECT_GT(test, tally->short_by, 0);
	KUNIT_EXPECT_LE(test, (u64)tally->short_by * FT_TALLY_KEYS, 4ULL * tally->total);
	for (k = 0; k < often; k++) {
		n = told(tally, k);
		KUNIT_EXPECT_LE_MSG(test, n, rounds * (k + 1), "seed %u", seed);
		KUNIT_EXPECT_GE_MSG(test, n + tally->short_by, rounds * (k + 1), "seed %u", seed);
	}
	ft_tally_sort(tally);
	for (k = 0; k < often; k++)
		KUNIT_EXPECT_EQ_MSG(test, tally->entry[k].key.v[0], often - 1 - k, "seed %u", seed);
}

static struct kunit_case tally_cases[] = {
	KUNIT_CASE(exact),
	KUNIT_CASE(one_more),
	KUNIT_CASE_SLOW(bounded),
	{}
};

static struct kunit_suite tally_suite = {
	.name = "ft_tally",
	.test_cases = tally_cases,
};

kunit_test_suite(tally_suite);
