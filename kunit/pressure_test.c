// SPDX-License-Identifier: GPL-2.0
#include <kunit/test.h>
#include <linux/jiffies.h>
#include <linux/random.h>

#include "policy/pressure.h"

#define CLOSING		FLOWTRACK_CLASS_CLOSING
#define EMBRYONIC	FLOWTRACK_CLASS_EMBRYONIC
#define REPLIED		FLOWTRACK_CLASS_REPLIED
#define ASSURED		FLOWTRACK_CLASS_ASSURED
#define EVICT		FLOWTRACK_POLICY_EVICT
#define DROP		FLOWTRACK_POLICY_DROP
#define PASS		FLOWTRACK_POLICY_PASS
#define KNOWN		FT_CANDIDATE_KNOWN
#define GONE		FT_CANDIDATE_GONE
#define LAST_DUE		(FT_CANDIDATE_KNOWN | FT_CANDIDATE_LAST_DUE)
#define HEAVY		(FT_CANDIDATE_KNOWN | FT_CANDIDATE_HEAVY)

/* A candidate: idle and left in seconds. */
#define C(c, i, l, f) \
	{ .class = (c), .idle = (i) * HZ, .left = (l), .flags = (f) }

static const struct ft_newcomer first_packet = {
	.class = EMBRYONIC, .idle = true, .fair = true,
};

static const struct ft_newcomer not_idle = {
	.class = EMBRYONIC, .fair = true,
};

static const struct ft_newcomer forged = { .class = EMBRYONIC };

static const struct ft_newcomer restored = {
	.class = ASSURED, .idle = true, .fair = true,
};

static const struct ft_newcomer greedy = {
	.class = EMBRYONIC, .idle = true, .fair = true, .heavy = true,
};

struct decide_case {
	const char *name;
	enum flowtrack_policy policy, fallback;
	const struct ft_newcomer *newcomer;
	struct ft_candidate c[4];
	unsigned int n;
	enum ft_decision want;
	unsigned int victim;
};

static const struct decide_case decide_cases[] = {
	{ "nobody in reach, fall back to drop", EVICT, DROP, &first_packet,
	  {}, 0, FT_DECISION_DROP },
	{ "nobody in reach, fall back to pass", EVICT, PASS, &first_packet,
	  {}, 0, FT_DECISION_PASS },
	{ "policy drop looks at nobody", DROP, PASS, &first_packet,
	  { C(CLOSING, 9, 1, KNOWN) }, 1, FT_DECISION_DROP },
	{ "policy pass looks at nobody", PASS, DROP, &first_packet,
	  { C(CLOSING, 9, 1, KNOWN) }, 1, FT_DECISION_PASS },
	{ "closing before embryonic", EVICT, DROP, &first_packet,
	  { C(EMBRYONIC, 100, 1, KNOWN), C(CLOSING, 0, 100, 0) }, 2,
	  FT_DECISION_EVICT, 1 },
	{ "a connection that is over before one whose last ACK is due", EVICT,
	  DROP, &first_packet,
	  { C(CLOSING, 20, 10, LAST_DUE), C(CLOSING, 1, 119, KNOWN) }, 2,
	  FT_DECISION_EVICT, 1 },
	{ "a last ACK is due: before any that is not closing", EVICT,
	  DROP, &first_packet,
	  { C(EMBRYONIC, 20, 10, KNOWN), C(CLOSING, 1, 29, LAST_DUE) }, 2,
	  FT_DECISION_EVICT, 1 },
	{ "embryonic before replied", EVICT, DROP, &restored,
	  { C(REPLIED, 9, 1, KNOWN), C(EMBRYONIC, 1, 100, KNOWN) }, 2,
	  FT_DECISION_EVICT, 1 },
	{ "the oldest of a class, not the one that would end first", EVICT, DROP,
	  &first_packet, { C(EMBRYONIC, 4, 26, KNOWN), C(EMBRYONIC, 9, 111, KNOWN),
	  C(EMBRYONIC, 6, 24, KNOWN) }, 3, FT_DECISION_EVICT, 1 },
	{ "of two that nobody looked at, the one that would end first", EVICT,
	  DROP, &first_packet, { C(EMBRYONIC, 0, 30, 0), C(EMBRYONIC, 0, 3, 0) },
	  2, FT_DECISION_EVICT, 1 },
	{ "an unanswered newcomer can't evict a replied flow", EVICT, DROP,
	  &first_packet, { C(REPLIED, 10, 1, KNOWN) }, 1, FT_DECISION_DROP },
	{ "but one that is idle", EVICT, DROP, &first_packet,
	  { C(REPLIED, 11, 1, KNOWN) }, 1, FT_DECISION_EVICT, 0 },
	{ "an unanswered newcomer can't evict an assured flow", EVICT, PASS,
	  &first_packet, { C(ASSURED, 60, 1, KNOWN) }, 1, FT_DECISION_PASS },
	{ "but one that is idle", EVICT, PASS, &first_packet,
	  { C(ASSURED, 61, 1, KNOWN) }, 1, FT_DECISION_EVICT, 0 },
	{ "without adaptive timeouts no idle one either", EVICT, DROP,
	  &not_idle,
	  { C(ASSURED, 6000, 1, KNOWN), C(REPLIED, 6000, 1, KNOWN) }, 2,
	  FT_DECISION_DROP },
	{ "idle: replied before assured", EVICT, DROP, &first_packet,
	  { C(ASSURED, 6000, 1, KNOWN), C(REPLIED, 11, 1, KNOWN) }, 2,
	  FT_DECISION_EVICT, 1 },
	{ "a handshake on its way is worth more than an idle flow", EVICT, DROP,
	  &first_packet,
	  { C(EMBRYONIC, 0, 119, KNOWN), C(ASSURED, 61, 1, KNOWN) }, 2,
	  FT_DECISION_EVICT, 1 },
	{ "but not where that may not go", EVICT, DROP, &not_idle,
	  { C(EMBRYONIC, 0, 119, KNOWN), C(ASSURED, 6000, 1, KNOWN) }, 2,
	  FT_DECISION_EVICT, 0 },
	{ "an assured newcomer evicts a replied flow", EVICT, DROP, &restored,
	  { C(ASSURED, 1, 1, KNOWN), C(REPLIED, 1, 50, KNOWN) }, 2,
	  FT_DECISION_EVICT, 1 },
	{ "no newcomer evicts an assured flow that is not idle", EVICT, DROP,
	  &restored, { C(ASSURED, 1, 1, KNOWN), C(ASSURED, 60, 1, KNOWN) }, 2,
	  FT_DECISION_DROP },
	{ "an expired flow goes first, whatever it was", EVICT, DROP,
	  &first_packet,
	  { C(CLOSING, 9, 1, KNOWN), C(ASSURED, 1, 0, KNOWN) }, 2,
	  FT_DECISION_EVICT, 1 },
	{ "what a slot says of expiry is hearsay", EVICT, DROP, &first_packet,
	  { C(ASSURED, 0, -9, 0) }, 1, FT_DECISION_DROP },
	{ "a flow that has gone can't be evicted", EVICT, DROP, &first_packet,
	  { C(CLOSING, 0, 0, GONE) }, 1, FT_DECISION_DROP },
	{ "unanswered flows of a heavy source before others'", EVICT, DROP,
	  &first_packet,
	  { C(EMBRYONIC, 9, 1, KNOWN), C(EMBRYONIC, 0, 30, HEAVY) }, 2,
	  FT_DECISION_EVICT, 1 },
	{ "assured flows of a heavy source have a moment", EVICT, DROP,
	  &not_idle,
	  { C(ASSURED, 1, 999, HEAVY) }, 1, FT_DECISION_DROP },
	{ "and no more", EVICT, DROP, &not_idle,
	  { C(ASSURED, 2, 999, HEAVY) }, 1, FT_DECISION_EVICT, 0 },
	{ "before others' idle ones", EVICT, DROP, &first_packet,
	  { C(REPLIED, 99, 9, KNOWN), C(ASSURED, 2, 999, HEAVY) }, 2,
	  FT_DECISION_EVICT, 1 },
	{ "but not for any more of what may be forged", EVICT, DROP, &forged,
	  { C(ASSURED, 99, 999, HEAVY), C(EMBRYONIC, 0, 119, KNOWN) }, 2,
	  FT_DECISION_EVICT, 1 },
	{ "a heavy source evicts no handshake of another", EVICT, DROP,
	  &greedy, { C(EMBRYONIC, 3, 1, KNOWN), C(REPLIED, 9, 1, KNOWN),
	    C(ASSURED, 59, 1, KNOWN) }, 3, FT_DECISION_DROP },
	{ "but what is over", EVICT, DROP, &greedy,
	  { C(EMBRYONIC, 3, 1, KNOWN), C(CLOSING, 1, 1, KNOWN) }, 2,
	  FT_DECISION_EVICT, 1 },
	{ "or will not be answered", EVICT, DROP, &greedy,
	  { C(EMBRYONIC, 4, 1, KNOWN), C(ASSURED, 1, 1, HEAVY) }, 2,
	  FT_DECISION_EVICT, 0 },
	{ "or idle", EVICT, DROP, &greedy,
	  { C(EMBRYONIC, 3, 1, KNOWN), C(ASSURED, 99, 1, KNOWN) }, 2,
	  FT_DECISION_EVICT, 1 },
	{ "if it has none itself", EVICT, DROP, &greedy,
	  { C(ASSURED, 99, 1, KNOWN), C(ASSURED, 2, 1, HEAVY) }, 2,
	  FT_DECISION_EVICT, 1 },
};

static void decide_table(struct kunit *test)
{
	const struct decide_case *c;
	unsigned int i, victim;
	enum ft_rank rank;

	for (i = 0; i < ARRAY_SIZE(decide_cases); i++) {
		c = &decide_cases[i];
		victim = UINT_MAX;
		KUNIT_EXPECT_EQ_MSG(test, c->want,
				    ft_pressure_decide(c->policy, c->fallback,
						       c->newcomer, c->c, c->n,
						       &victim, &rank),
				    "%s", c->name);
		KUNIT_EXPECT_EQ_MSG(test, rank == FT_RANK_NEVER,
				    c->want != FT_DECISION_EVICT, "%s", c->name);
		if (c->want == FT_DECISION_EVICT)
			KUNIT_EXPECT_EQ_MSG(test, c->victim, victim, "%s",
					    c->name);
	}
}

/* The rules once more, told from the side of the flow that may have to go. */
static bool may_go(const struct ft_candidate *c, const struct ft_newcomer *who)
{
	bool known = c->flags & KNOWN, heavy = c->flags & FT_CANDIDATE_HEAVY;
	unsigned int floor = c->class == ASSURED ? 60 : 10;

	if (c->flags & GONE)
		return false;
	if (c->class == CLOSING || (known && c->left <= 0))
		return true;
	if (c->class == EMBRYONIC)
		return heavy || !who->heavy || c->idle > 3 * HZ;
	if (who->fair && heavy && c->idle > HZ)
		return true;
	if (who->idle && c->idle > floor * HZ)
		return true;
	return c->class == REPLIED && who->class >= REPLIED && !who->heavy;
}

/*
 * Every combination of class, idle time, time left, knowledge, source,
 * and newcomer: a candidate may go exactly if it has a rank.
 */
static void rank_exhaustive(struct kunit *test)
{
	static const u8 flags[] = { 0, KNOWN, GONE, LAST_DUE, HEAVY, HEAVY | LAST_DUE };
	static const u32 idle[] = { 0, 1, HZ, HZ + 1, 3 * HZ, 3 * HZ + 1,
				    10 * HZ, 10 * HZ + 1, 60 * HZ, 60 * HZ + 1,
				    U32_MAX };
	static const s16 left[] = { S16_MIN, -1, 0, 1, 100, S16_MAX };
	const unsigned int all = 32 * FT_CLASSES * ARRAY_SIZE(flags) *
				 ARRAY_SIZE(idle) * ARRAY_SIZE(left);
	struct ft_newcomer who;
	struct ft_candidate c;
	unsigned int n, rest;
	enum ft_rank rank;

	for (n = 0; n < all; n++) {
		rest = n;
		who.class = rest % 4;
		who.heavy = rest / 4 % 2;
		who.idle = rest / 8 % 2;
		who.fair = rest / 16 % 2;
		rest /= 32;
		c.class = rest % FT_CLASSES;
		rest /= FT_CLASSES;
		c.flags = flags[rest % ARRAY_SIZE(flags)];
		rest /= ARRAY_SIZE(flags);
		c.idle = c.flags & KNOWN ? idle[rest % ARRAY_SIZE(idle)] : 0;
		rest /= ARRAY_SIZE(idle);
		c.left = left[rest];
		rank = ft_pressure_rank(&who, &c);
		KUNIT_ASSERT_EQ_MSG(test, may_go(&c, &who),
				    rank != FT_RANK_NEVER,
				    "class %u flags %x idle %u left %d, case %u",
				    c.class, c.flags, c.idle, c.left, n);
	}
	KUNIT_EXPECT_EQ(test, n, 32 * 4 * 6 * 11 * 6);
}

/* Which of two goes: every ordered pair of reasons, in either order. */
static void rank_order(struct kunit *test)
{
	static const struct ft_candidate order[] = {
		C(ASSURED, 0, 0, KNOWN),
		C(CLOSING, 0, 9, KNOWN),
		C(CLOSING, 0, 9, LAST_DUE),
		C(EMBRYONIC, 0, 9, HEAVY),
		C(EMBRYONIC, 4, 9, KNOWN),
		C(ASSURED, 2, 9, HEAVY),
		C(REPLIED, 11, 9, KNOWN),
		C(ASSURED, 61, 9, KNOWN),
		C(EMBRYONIC, 1, 9, KNOWN),
		C(REPLIED, 1, 9, KNOWN),
		C(ASSURED, 1, 9, KNOWN),
	};
	struct ft_candidate sample[20];
	unsigned int i, j, k, victim;
	enum ft_rank rank;

	for (i = 0; i + 1 < ARRAY_SIZE(order); i++) {
		for (j = i + 1; j < ARRAY_SIZE(order); j++) {
			/* The others may not go. */
			for (k = 0; k < ARRAY_SIZE(sample); k++)
				sample[k] = order[ARRAY_SIZE(order) - 1];
			sample[3] = order[j];
			sample[7] = order[i];
			victim = UINT_MAX;
			ft_pressure_decide(EVICT, DROP, &restored, sample,
					   ARRAY_SIZE(sample), &victim, &rank);
			KUNIT_EXPECT_EQ_MSG(test, victim, 7, "%u, %u", i, j);
			swap(sample[3], sample[7]);
			ft_pressure_decide(EVICT, DROP, &restored, sample,
					   ARRAY_SIZE(sample), &victim, &rank);
			KUNIT_EXPECT_EQ_MSG(test, victim, 3, "%u, %u", j, i);
		}
	}
}

/* Random samples: never a forbidden victim, never one when a better one is. */
static void decide_twin(struct kunit *test)
{
	struct ft_candidate c[FT_PRESSURE_SAMPLE];
	unsigned int round, i, n, victim;
	struct ft_newcomer who;
	enum ft_decision decision;
	enum ft_rank rank, r;
	struct rnd_state rnd;
	bool any;

	prandom_seed_state(&rnd, 4711);
	for (round = 0; round < 200000; round++) {
		n = prandom_u32_state(&rnd) % (ARRAY_SIZE(c) + 1);
		who.class = prandom_u32_state(&rnd) % 4;
		who.heavy = prandom_u32_state(&rnd) % 8 == 0;
		who.idle = prandom_u32_state(&rnd) % 2;
		who.fair = prandom_u32_state(&rnd) % 2;
		any = false;
		for (i = 0; i < n; i++) {
			/* Mostly what no newcomer may evict. */
			c[i].class = prandom_u32_state(&rnd) % 4 ? ASSURED :
				     prandom_u32_state(&rnd) % 4;
			c[i].flags = prandom_u32_state(&rnd) % 2 ? 0 :
				     prandom_u32_state(&rnd) % 16;
			c[i].idle = c[i].flags & KNOWN ?
				    prandom_u32_state(&rnd) % (80 * HZ) : 0;
			c[i].left = prandom_u32_state(&rnd) % 64 ?
				    prandom_u32_state(&rnd) % 4096 : 0;
			any |= may_go(&c[i], &who);
		}
		victim = UINT_MAX;
		decision = ft_pressure_decide(EVICT, DROP, &who, c, n, &victim,
					      &rank);
		KUNIT_ASSERT_EQ(test, decision == FT_DECISION_EVICT, any);
		if (!any)
			continue;
		KUNIT_ASSERT_LT(test, victim, n);
		KUNIT_ASSERT_TRUE(test, may_go(&c[victim], &who));
		KUNIT_ASSERT_EQ(test, rank,
				ft_pressure_rank(&who, &c[victim]));
		for (i = 0; i < n; i++) {
			r = ft_pressure_rank(&who, &c[i]);
			KUNIT_ASSERT_GE(test, r, rank);
			if (r == rank)
				KUNIT_ASSERT_LE(test, c[i].idle, c[victim].idle);
		}
	}
}

/* What an unanswered newcomer may take depends on loans, others trust. */
static void newcomer_rights(struct kunit *test)
{
	static const struct {
		bool heavy, lends, adaptive, idle, fair;
	} unanswered[] = {
		{ false, false, false,	false, false },
		{ false, false, true,	false, false },
		{ false, true, false,	false, true },
		{ false, true, true,	true, true },
		{ true, false, false,	false, true },
		{ true, false, true,	false, true },
		{ true, true, false,	false, true },
		{ true, true, true,	true, true },
	};
	struct ft_newcomer who;
	unsigned int i, class;

	for (i = 0; i < ARRAY_SIZE(unanswered); i++) {
		for (class = CLOSING; class <= ASSURED; class++) {
			bool had_answer = class >= REPLIED;

			ft_pressure_newcomer(&who, class, unanswered[i].heavy,
					     unanswered[i].lends,
					     unanswered[i].adaptive);
			KUNIT_EXPECT_EQ(test, (unsigned int)who.class, class);
			KUNIT_EXPECT_EQ(test, who.heavy, unanswered[i].heavy);
			KUNIT_EXPECT_EQ_MSG(test, who.idle, had_answer ?
					    unanswered[i].adaptive :
					    unanswered[i].idle,
					    "row %u, class %u", i, class);
			KUNIT_EXPECT_EQ_MSG(test, who.fair, had_answer ||
					    unanswered[i].fair,
					    "row %u, class %u", i, class);
		}
	}
}

static struct kunit_case pressure_cases[] = {
	KUNIT_CASE(decide_table),
	KUNIT_CASE(rank_exhaustive),
	KUNIT_CASE(rank_order),
	KUNIT_CASE(newcomer_rights),
	KUNIT_CASE_SLOW(decide_twin),
	{}
};

static struct kunit_suite pressure_suite = {
	.name = "ft_pressure",
	.test_cases = pressure_cases,
};

kunit_test_suite(pressure_suite);
