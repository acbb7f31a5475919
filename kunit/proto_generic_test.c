// SPDX-License-Identifier: GPL-2.0
#include <linux/random.h>

#include "ft_packet.h"
#include "proto/generic.h"

#define UNREPLIED	FLOWTRACK_FLOW_STATE_UNREPLIED
#define REPLIED		FLOWTRACK_FLOW_STATE_REPLIED
#define STREAM		FLOWTRACK_FLOW_STATE_STREAM

static void begins(struct kunit *test)
{
	struct ft_step step = {
		.set = ft_kunit_timeouts(test), .now = 4711, .update = true,
	};
	union ft_proto_state state;

	memset(&state, 0xee, sizeof(state));
	KUNIT_EXPECT_EQ(test, ft_generic_new(NULL, NULL, &step, &state),
			FT_VERDICT_ACCEPT);
	KUNIT_EXPECT_EQ(test, ft_word_state(step.word), UNREPLIED);
	KUNIT_EXPECT_EQ(test, ft_word_class(step.word),
			FLOWTRACK_CLASS_EMBRYONIC);
	KUNIT_EXPECT_EQ(test, step.word & (FT_FLOW_SEEN_REPLY | FT_FLOW_ASSURED),
			0);
	KUNIT_EXPECT_EQ(test, step.timeout,
			(100 + FLOWTRACK_A_SETTINGS_GENERIC_TIMEOUT) * HZ);
	KUNIT_EXPECT_FALSE(test, step.update);
	KUNIT_EXPECT_EQ(test, state.stream.since, 4711);
}

/* Packet by packet: direction, stream or not, and what comes of it. */
static void advances(struct kunit *test)
{
	static const struct {
		enum ft_dir dir;
		bool stream;
		u8 state;
		enum flowtrack_class class;
		bool update;
	} steps[] = {
		{ FT_DIR_ORIG, false, UNREPLIED, FLOWTRACK_CLASS_EMBRYONIC },
		{ FT_DIR_ORIG, true, UNREPLIED, FLOWTRACK_CLASS_EMBRYONIC },
		/* The reply itself makes no stream. */
		{ FT_DIR_REPLY, true, REPLIED, FLOWTRACK_CLASS_REPLIED, true },
		{ FT_DIR_REPLY, false, REPLIED, FLOWTRACK_CLASS_REPLIED },
		{ FT_DIR_ORIG, false, REPLIED, FLOWTRACK_CLASS_REPLIED },
		{ FT_DIR_ORIG, true, STREAM, FLOWTRACK_CLASS_ASSURED, true },
		{ FT_DIR_ORIG, true, STREAM, FLOWTRACK_CLASS_ASSURED },
		{ FT_DIR_REPLY, false, STREAM, FLOWTRACK_CLASS_ASSURED },
	};
	struct ft_step step = { .word = FT_FLOW_ORIG_HI };
	unsigned int i;

	ft_step_set(&step, UNREPLIED, FLOWTRACK_CLASS_EMBRYONIC);
	for (i = 0; i < ARRAY_SIZE(steps); i++) {
		step.dir = steps[i].dir;
		ft_generic_advance(&step, steps[i].stream);
		KUNIT_EXPECT_EQ_MSG(test, ft_word_state(step.word),
				    steps[i].state, "step %u", i);
		KUNIT_EXPECT_EQ_MSG(test, ft_word_class(step.word),
				    steps[i].class, "step %u", i);
		KUNIT_EXPECT_EQ_MSG(test, step.update, steps[i].update,
				    "step %u", i);
		KUNIT_EXPECT_EQ_MSG(test, !!(step.word & FT_FLOW_SEEN_REPLY),
				    steps[i].state >= REPLIED, "step %u", i);
		KUNIT_EXPECT_EQ_MSG(test, !!(step.word & FT_FLOW_ASSURED),
				    steps[i].state == STREAM, "step %u", i);
		KUNIT_EXPECT_TRUE(test, step.word & FT_FLOW_ORIG_HI);
	}
}

/* An unknown protocol never gets further than REPLIED, and has one timeout. */
static void packets(struct kunit *test)
{
	struct ft_step step = { .set = ft_kunit_timeouts(test) };
	bool replied = false, settled;
	union ft_proto_state state;
	unsigned int i;
	u32 before;

	ft_generic_new(NULL, NULL, &step, &state);
	for (i = 0; i < 200; i++) {
		step.now += get_random_u32();
		step.dir = i > 50 && get_random_u32_below(2);
		before = step.word;
		settled = ft_generic_steady(before, &step);
		KUNIT_EXPECT_EQ(test, ft_generic_packet(NULL, NULL, &step, &state),
				FT_VERDICT_ACCEPT);
		replied |= step.dir == FT_DIR_REPLY;
		KUNIT_EXPECT_EQ(test, ft_word_state(step.word),
				replied ? REPLIED : UNREPLIED);
		KUNIT_EXPECT_EQ(test, settled, before == step.word);
		KUNIT_EXPECT_EQ(test, step.timeout,
				(100 + FLOWTRACK_A_SETTINGS_GENERIC_TIMEOUT) * HZ);
	}
	KUNIT_EXPECT_TRUE(test, replied);
}

static struct kunit_case generic_cases[] = {
	KUNIT_CASE(begins),
	KUNIT_CASE(advances),
	KUNIT_CASE(packets),
	{}
};

static struct kunit_suite generic_suite = {
	.name = "ft_proto_generic",
	.test_cases = generic_cases,
};

kunit_test_suite(generic_suite);
