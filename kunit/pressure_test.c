// SPDX-License-Identifier: GPL-2.0
#include <kunit/test.h>
#include <linux/random.h>

#include "pressure.h"

#define CLOSING		FLOWTRACK_CLASS_CLOSING
#define EMBRYONIC	FLOWTRACK_CLASS_EMBRYONIC
#define REPLIED		FLOWTRACK_CLASS_REPLIED
#define ASSURED		FLOWTRACK_CLASS_ASSURED
#define EVICT		FLOWTRACK_POLICY_EVICT
#define DROP		FLOWTRACK_POLICY_DROP
#define PASS		FLOWTRACK_POLICY_PASS

struct decide_case {
	const char *name;
	enum flowtrack_policy policy, fallback;
	enum flowtrack_class newcomer;
	struct ft_candidate c[4];
	unsigned int n;
	enum ft_decision want;
	unsigned int victim;
};

static const struct decide_case decide_cases[] = {
	{ "nobody in reach, fall back to drop", EVICT, DROP, EMBRYONIC,
	  {}, 0, FT_DECISION_DROP },
	{ "nobody in reach, fall back to pass", EVICT, PASS, EMBRYONIC,
	  {}, 0, FT_DECISION_PASS },
	{ "policy drop looks at nobody", DROP, PASS, EMBRYONIC,
	  { { 1, CLOSING, 1 } }, 1, FT_DECISION_DROP },
	{ "policy pass looks at nobody", PASS, DROP, EMBRYONIC,
	  { { 1, CLOSING, 1 } }, 1, FT_DECISION_PASS },
	{ "closing before embryonic", EVICT, DROP, EMBRYONIC,
	  { { 1, EMBRYONIC, 1 }, { 2, CLOSING, 100 } }, 2,
	  FT_DECISION_EVICT, 1 },
	{ "embryonic before replied", EVICT, DROP, REPLIED,
	  { { 1, REPLIED, 1 }, { 2, EMBRYONIC, 100 } }, 2,
	  FT_DECISION_EVICT, 1 },
	{ "the oldest of a class", EVICT, DROP, EMBRYONIC,
	  { { 1, EMBRYONIC, 30 }, { 2, EMBRYONIC, 3 }, { 3, EMBRYONIC, 9 } }, 3,
	  FT_DECISION_EVICT, 1 },
	{ "an unanswered newcomer can't displace a replied flow", EVICT, DROP,
	  EMBRYONIC, { { 1, REPLIED, 1 } }, 1, FT_DECISION_DROP },
	{ "an unanswered newcomer can't displace an assured flow", EVICT, PASS,
	  EMBRYONIC, { { 1, ASSURED, 1 } }, 1, FT_DECISION_PASS },
	{ "an assured newcomer displaces a replied flow", EVICT, DROP, ASSURED,
	  { { 1, ASSURED, 1 }, { 2, REPLIED, 50 } }, 2, FT_DECISION_EVICT, 1 },
	{ "nobody displaces an assured flow", EVICT, DROP, ASSURED,
	  { { 1, ASSURED, 1 }, { 2, ASSURED, 1 } }, 2, FT_DECISION_DROP },
	{ "an expired flow goes first, whatever it was", EVICT, DROP, EMBRYONIC,
	  { { 1, CLOSING, 1 }, { 2, ASSURED, 0 } }, 2, FT_DECISION_EVICT, 1 },
};

static void decide_table(struct kunit *test)
{
	const struct decide_case *c;
	unsigned int i, victim;

	for (i = 0; i < ARRAY_SIZE(decide_cases); i++) {
		c = &decide_cases[i];
		victim = UINT_MAX;
		KUNIT_EXPECT_EQ_MSG(test, c->want,
				    ft_pressure_decide(c->policy, c->fallback,
						       c->newcomer, c->c, c->n,
						       &victim),
				    "%s", c->name);
		if (c->want == FT_DECISION_EVICT)
			KUNIT_EXPECT_EQ_MSG(test, c->victim, victim, "%s",
					    c->name);
	}
}

/* The rules once more, as one number: the lowest rank goes; -1 stays. */
static int rank(const struct ft_candidate *c, enum flowtrack_class newcomer)
{
	if (c->left <= 0)
		return 0;
	if (c->class == ASSURED || (c->class == REPLIED && newcomer <= EMBRYONIC))
		return -1;
	return (1 + c->class) * 100000 + c->left;
}

/* Millions of random samples: never a forbidden victim, never a better one. */
static void decide_twin(struct kunit *test)
{
	struct ft_candidate c[FT_PRESSURE_SAMPLE];
	unsigned int round, i, n, victim;
	enum flowtrack_class newcomer;
	enum ft_decision decision;
	struct rnd_state rnd;
	int best, r;

	prandom_seed_state(&rnd, 4711);
	for (round = 0; round < 200000; round++) {
		n = prandom_u32_state(&rnd) % (ARRAY_SIZE(c) + 1);
		newcomer = prandom_u32_state(&rnd) % 4;
		best = -1;
		for (i = 0; i < n; i++) {
			c[i].index = i;
			c[i].class = prandom_u32_state(&rnd) % 4;
			/* Mostly what nobody may displace. */
			if (prandom_u32_state(&rnd) % 4)
				c[i].class = ASSURED;
			c[i].left = prandom_u32_state(&rnd) % 64 ?
				    prandom_u32_state(&rnd) % 8192 : 0;
			if (c[i].class == ASSURED && c[i].left <= 0 &&
			    prandom_u32_state(&rnd) % 8)
				c[i].left = 1;
			r = rank(&c[i], newcomer);
			if (r >= 0 && (best < 0 || r < best))
				best = r;
		}
		victim = UINT_MAX;
		decision = ft_pressure_decide(EVICT, DROP, newcomer, c, n,
					      &victim);
		if (best < 0) {
			KUNIT_ASSERT_EQ(test, decision, FT_DECISION_DROP);
			continue;
		}
		KUNIT_ASSERT_EQ(test, decision, FT_DECISION_EVICT);
		KUNIT_ASSERT_LT(test, victim, n);
		KUNIT_ASSERT_EQ(test, rank(&c[victim], newcomer), best);
	}
}

static struct kunit_case pressure_cases[] = {
	KUNIT_CASE(decide_table),
	KUNIT_CASE_SLOW(decide_twin),
	{}
};

static struct kunit_suite pressure_suite = {
	.name = "ft_pressure",
	.test_cases = pressure_cases,
};

kunit_test_suite(pressure_suite);
