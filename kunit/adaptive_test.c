// SPDX-License-Identifier: GPL-2.0
#include <kunit/test.h>
#include <linux/jiffies.h>

#include "policy/adaptive.h"

#define CLOSING		FLOWTRACK_CLASS_CLOSING
#define EMBRYONIC	FLOWTRACK_CLASS_EMBRYONIC
#define REPLIED		FLOWTRACK_CLASS_REPLIED
#define ASSURED		FLOWTRACK_CLASS_ASSURED

static void factor_table(struct kunit *test)
{
	static const struct {
		const char *name;
		u32 count, room, start, end, want;
	} cases[] = {
		{ "empty", 0, 1000, 60, 120, 1000 },
		{ "at the start", 600, 1000, 60, 120, 1000 },
		{ "just above", 601, 1000, 60, 120, 998 },
		{ "half way", 900, 1000, 60, 120, 500 },
		{ "full", 1000, 1000, 60, 120, 333 },
		{ "just below the end", 1199, 1000, 60, 120, 1 },
		{ "at the end", 1200, 1000, 60, 120, 0 },
		{ "above", U32_MAX, 1000, 60, 120, 0 },
		{ "off by start", 1000, 1000, 0, 120, 1000 },
		{ "off by end", 1000, 1000, 60, 0, 1000 },
		{ "an end in reach", 100, 100, 50, 100, 0 },
		{ "the largest table", 1U << 27, 1U << 27, 60, 120, 333 },
		{ "no room at all", 2, 0, 60, 120, 0 },
		{ "a steep slope", 999, 1000, 99, 100, 100 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++)
		KUNIT_EXPECT_EQ_MSG(test,
				    ft_adaptive_factor(cases[i].count,
						       cases[i].room,
						       cases[i].start,
						       cases[i].end),
				    cases[i].want, "%s", cases[i].name);
}

/* Fuller never means longer, whatever the settings. */
static void factor_falls(struct kunit *test)
{
	u32 start, end, count, before, now;

	for (start = 1; start < 1000; start += 37) {
		for (end = start + 1; end <= 1000; end += 61) {
			before = FT_ADAPTIVE_WHOLE;
			for (count = 0; count <= 10100; count += 10) {
				now = ft_adaptive_factor(count, 1000, start, end);
				KUNIT_ASSERT_LE(test, now, before);
				before = now;
			}
			KUNIT_ASSERT_EQ(test, before, 0);
		}
	}
}

static void limits(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, ft_adaptive_limit(ASSURED, 54000 * HZ, 333),
			17982 * HZ);
	KUNIT_EXPECT_EQ(test, ft_adaptive_limit(ASSURED, 54000 * HZ, 1000),
			54000 * HZ);
	/* The floor of each class, and a timeout that is shorter than it. */
	KUNIT_EXPECT_EQ(test, ft_adaptive_limit(CLOSING, 120 * HZ, 0), HZ);
	KUNIT_EXPECT_EQ(test, ft_adaptive_limit(EMBRYONIC, 120 * HZ, 0), 3 * HZ);
	KUNIT_EXPECT_EQ(test, ft_adaptive_limit(REPLIED, 30 * HZ, 0), 10 * HZ);
	KUNIT_EXPECT_EQ(test, ft_adaptive_limit(ASSURED, 54000 * HZ, 0), 60 * HZ);
	KUNIT_EXPECT_EQ(test, ft_adaptive_limit(ASSURED, 20 * HZ, 500), 60 * HZ);
	/* The longest timeout there can be. */
	KUNIT_EXPECT_EQ(test, ft_adaptive_limit(ASSURED, S32_MAX / 2, 500),
			S32_MAX / 4);
}

/* A class suffers for itself and its betters, not for what is below it. */
static void by_class(struct kunit *test)
{
	struct ft_census flood = { .n = { 0, 900, 0, 100 } };
	struct ft_census closing = { .n = { 700, 100, 100, 100 } };
	struct ft_census giants = { .n = { 0, 0, 0, 1000 } };
	struct ft_adaptive a;
	unsigned int i;

	ft_adaptive_init(&a);
	KUNIT_EXPECT_TRUE(test, ft_adaptive_update(&a, &flood, 1000, 60, 120, 0));
	KUNIT_EXPECT_EQ(test, a.factor[CLOSING], 333);
	KUNIT_EXPECT_EQ(test, a.factor[EMBRYONIC], 333);
	KUNIT_EXPECT_EQ(test, a.factor[REPLIED], 1000);
	KUNIT_EXPECT_EQ(test, a.factor[ASSURED], 1000);
	KUNIT_EXPECT_TRUE(test, ft_adaptive_update(&a, &closing, 1000, 60, 120, 0));
	KUNIT_EXPECT_EQ(test, a.factor[CLOSING], 333);
	KUNIT_EXPECT_EQ(test, a.factor[EMBRYONIC], 1000);
	KUNIT_EXPECT_TRUE(test, ft_adaptive_update(&a, &giants, 1000, 60, 120, 0));
	for (i = 0; i < FT_CLASSES; i++)
		KUNIT_EXPECT_EQ(test, a.factor[i], 333);
	KUNIT_EXPECT_FALSE(test, ft_adaptive_update(&a, &giants, 2000, 60, 120, 0));
	KUNIT_EXPECT_FALSE(test, ft_adaptive_update(&a, &giants, 1000, 0, 120, 0));
}

static void shortage_is_shown(struct kunit *test)
{
	struct ft_census none = {};
	u32 now = U32_MAX - HZ;
	struct ft_adaptive a;

	ft_adaptive_init(&a);
	ft_adaptive_update(&a, &none, 1000, 60, 120, now);
	KUNIT_EXPECT_EQ(test, ft_adaptive_shown(&a, ASSURED), 1000);
	ft_adaptive_scarce(&a);
	KUNIT_EXPECT_EQ(test, ft_adaptive_shown(&a, ASSURED), 0);
	KUNIT_EXPECT_EQ(test, ft_adaptive_shown(&a, REPLIED), 0);
	KUNIT_EXPECT_EQ(test, ft_adaptive_shown(&a, EMBRYONIC), 1000);
	ft_adaptive_update(&a, &none, 1000, 60, 120, now);
	now += FT_ADAPTIVE_MEMORY - 1;
	ft_adaptive_update(&a, &none, 1000, 60, 120, now);
	KUNIT_EXPECT_EQ(test, ft_adaptive_shown(&a, ASSURED), 0);
	ft_adaptive_update(&a, &none, 1000, 60, 120, now + 1);
	KUNIT_EXPECT_EQ(test, ft_adaptive_shown(&a, ASSURED), 1000);
}

static struct kunit_case adaptive_cases[] = {
	KUNIT_CASE(factor_table),
	KUNIT_CASE(factor_falls),
	KUNIT_CASE(limits),
	KUNIT_CASE(by_class),
	KUNIT_CASE(shortage_is_shown),
	{}
};

static struct kunit_suite adaptive_suite = {
	.name = "ft_adaptive",
	.test_cases = adaptive_cases,
};

kunit_test_suite(adaptive_suite);
