// SPDX-License-Identifier: GPL-2.0
#include <linux/random.h>

#include "ft_packet.h"
#include "proto/gre.h"

#define UNREPLIED	FLOWTRACK_FLOW_STATE_UNREPLIED
#define REPLIED		FLOWTRACK_FLOW_STATE_REPLIED
#define STREAM		FLOWTRACK_FLOW_STATE_STREAM

#define SHORT	((100 + FLOWTRACK_A_SETTINGS_GRE_TIMEOUT) * HZ)
#define LONG	((100 + FLOWTRACK_A_SETTINGS_GRE_TIMEOUT_STREAM) * HZ)

/* The tunnel is assured by the packet after the first reply, at any age. */
static void tunnel(struct kunit *test)
{
	static const struct {
		enum ft_dir dir;
		u8 state;
		u32 timeout;
	} steps[] = {
		{ FT_DIR_ORIG, UNREPLIED, SHORT },
		{ FT_DIR_ORIG, UNREPLIED, SHORT },
		{ FT_DIR_REPLY, REPLIED, SHORT },
		{ FT_DIR_REPLY, STREAM, LONG },
		{ FT_DIR_ORIG, STREAM, LONG },
	};
	struct ft_step step = { .set = ft_kunit_timeouts(test) };
	union ft_proto_state state;
	struct ft_step fast;
	unsigned int i;
	bool steady;
	u32 before;

	KUNIT_EXPECT_EQ(test, ft_gre_new(NULL, NULL, &step, &state),
			FT_VERDICT_ACCEPT);
	KUNIT_EXPECT_EQ(test, ft_word_state(step.word), UNREPLIED);
	KUNIT_EXPECT_EQ(test, step.timeout, SHORT);
	for (i = 0; i < ARRAY_SIZE(steps); i++) {
		before = step.word;
		step.dir = steps[i].dir;
		fast = step;
		steady = ft_gre_steady(before, &fast);
		KUNIT_EXPECT_EQ(test, ft_gre_packet(NULL, NULL, &step, &state),
				FT_VERDICT_ACCEPT);
		KUNIT_EXPECT_EQ_MSG(test, ft_word_state(step.word),
				    steps[i].state, "step %u", i);
		KUNIT_EXPECT_EQ_MSG(test, step.timeout, steps[i].timeout,
				    "step %u", i);
		KUNIT_EXPECT_EQ_MSG(test, !!(step.word & FT_FLOW_ASSURED),
				    steps[i].state == STREAM, "step %u", i);
		KUNIT_EXPECT_EQ_MSG(test, steady, step.word == before,
				    "step %u", i);
		if (steady)
			KUNIT_EXPECT_EQ(test, fast.timeout, step.timeout);
	}
}

/* Any bits that netlink may have put there: steady says what packet does. */
static void steady_is_true(struct kunit *test)
{
	const struct ft_settings *set = ft_kunit_timeouts(test);
	union ft_proto_state state = {};
	unsigned int bits;
	u8 s;

	for (bits = 0; bits < 8; bits++) {
		for (s = UNREPLIED; s <= STREAM; s++) {
			struct ft_step step = { .set = set, .dir = bits & 1 };
			struct ft_step fast;

			if (bits & 2)
				step.word |= FT_FLOW_SEEN_REPLY;
			if (bits & 4)
				step.word |= FT_FLOW_ASSURED;
			ft_step_set(&step, s, FLOWTRACK_CLASS_CLOSING);
			ft_step_set(&step, s, bits & 4 ? FLOWTRACK_CLASS_ASSURED :
				    bits & 2 ? FLOWTRACK_CLASS_REPLIED :
				    FLOWTRACK_CLASS_EMBRYONIC);
			fast = step;
			if (!ft_gre_steady(fast.word, &fast))
				continue;
			ft_gre_packet(NULL, NULL, &step, &state);
			KUNIT_EXPECT_EQ_MSG(test, step.word, fast.word,
					    "bits %u state %u", bits, s);
			KUNIT_EXPECT_EQ(test, step.timeout, fast.timeout);
		}
	}
}

static struct kunit_case gre_cases[] = {
	KUNIT_CASE(tunnel),
	KUNIT_CASE(steady_is_true),
	{}
};

static struct kunit_suite gre_suite = {
	.name = "ft_proto_gre",
	.test_cases = gre_cases,
};

kunit_test_suite(gre_suite);
