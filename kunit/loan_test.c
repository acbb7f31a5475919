// SPDX-License-Identifier: GPL-2.0
#include <kunit/test.h>
#include <linux/prandom.h>
#include <linux/random.h>

#include "policy/loan.h"

/* What is left to lend after a count, and what is still lent. */
static void counted(struct kunit *test)
{
	static const struct {
		const char *name;
		u32 lent, unanswered, room;
		u32 want_limit, want_lent;
	} cases[] = {
		{ "an eighth", 0, 0, 65536, 8192, 0 },
		{ "a small table", 0, 0, 80, 64, 0 },
		{ "no table at all", 0, 0, 0, 64, 0 },
		{ "others are there", 0, 8000, 65536, 192, 0 },
		{ "others are enough", 0, 8192, 65536, 0, 0 },
		{ "others are too many", 0, U32_MAX, 65536, 0, 0 },
		{ "all of them were lent a place", 100, 100, 65536, 8192, 100 },
		{ "and others came", 100, 150, 65536, 8142, 100 },
		{ "some have ended", 100, 60, 65536, 8192, 60 },
		{ "all have ended", 100, 0, 65536, 8192, 0 },
		{ "the room has shrunk", 8192, 8192, 800, 100, 8192 },
	};
	struct ft_loan loan;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		ft_loan_init(&loan);
		atomic_set(&loan.lent, cases[i].lent);
		ft_loan_update(&loan, cases[i].lent, cases[i].unanswered,
			       cases[i].room);
		KUNIT_EXPECT_EQ_MSG(test, loan.limit, cases[i].want_limit, "%s",
				    cases[i].name);
		KUNIT_EXPECT_EQ_MSG(test, atomic_read(&loan.lent),
				    cases[i].want_lent, "%s", cases[i].name);
		KUNIT_EXPECT_EQ_MSG(test, ft_loan_open(&loan),
				    cases[i].want_lent < cases[i].want_limit,
				    "%s", cases[i].name);
	}
}

/* What was lent or paid back while it was counted is not mixed up with that. */
static void counted_late(struct kunit *test)
{
	struct ft_loan loan;

	ft_loan_init(&loan);
	atomic_set(&loan.lent, 40);
	/* Ten, before 30 more took a place. */
	ft_loan_update(&loan, 10, 10, 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&loan.lent), 40);
	KUNIT_EXPECT_EQ(test, loan.limit, 64);
	/* 40 then, all but five have ended; all but three had paid back. */
	atomic_set(&loan.lent, 3);
	ft_loan_update(&loan, 40, 5, 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&loan.lent), 0);
}

/* Against a twin that remembers the holder of each place. */
static void random_loans(struct kunit *test)
{
	u32 seed = get_random_u32(), others = 0, own = 0, i, room = 2000;
	struct rnd_state rnd;
	struct ft_loan loan;

	prandom_seed_state(&rnd, seed);
	ft_loan_init(&loan);
	ft_loan_update(&loan, 0, 0, room);
	for (i = 0; i < 100000; i++) {
		switch (prandom_u32_state(&rnd) % 8) {
		case 0 ... 3:
			if (ft_loan_take(&loan))
				own++;
			else
				KUNIT_ASSERT_GE_MSG(test, own, loan.limit,
						    "seed %u step %u", seed, i);
			break;
		case 4:
			/* Paid back; by one that has nothing, for once. */
			own -= !!own;
			ft_loan_repay(&loan);
			break;
		case 5:
			/* Ends unanswered: known when it is counted. */
			if (own && prandom_u32_state(&rnd) % 2) {
				own--;
				ft_loan_update(&loan, own + 1, own + others,
					       room);
				/* The others may hide that. */
				own = atomic_read(&loan.lent);
			}
			break;
		case 6:
			others = prandom_u32_state(&rnd) % 300;
			ft_loan_update(&loan, own, own + others, room);
			KUNIT_ASSERT_EQ_MSG(test, loan.limit,
					    room / FT_LOAN_SHARE -
					    min(others, room / FT_LOAN_SHARE),
					    "seed %u step %u", seed, i);
			break;
		default:
			KUNIT_ASSERT_EQ_MSG(test, ft_loan_open(&loan),
					    own < loan.limit, "seed %u step %u",
					    seed, i);
			break;
		}
		KUNIT_ASSERT_EQ_MSG(test, atomic_read(&loan.lent), own,
				    "seed %u step %u", seed, i);
	}
}

static struct kunit_case loan_cases[] = {
	KUNIT_CASE(counted),
	KUNIT_CASE(counted_late),
	KUNIT_CASE(random_loans),
	{}
};

static struct kunit_suite loan_suite = {
	.name = "ft_loan",
	.test_cases = loan_cases,
};

kunit_test_suite(loan_suite);
