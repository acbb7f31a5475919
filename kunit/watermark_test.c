// SPDX-License-Identifier: GPL-2.0
#include <linux/delay.h>
#include <linux/in.h>
#include <linux/prandom.h>

#include "ft_kunit.h"

#define NONE	FT_CROSSING_NONE
#define HIGH	FT_CROSSING_HIGH
#define LOW	FT_CROSSING_LOW

static const struct {
	const char *name;
	bool above;
	u32 count;
	u32 room;
	u32 low;
	u32 high;
	enum ft_crossing crossing;
} crossings[] = {
	{ "empty", false, 0, 1000, 75, 90, NONE },
	{ "just below the high one", false, 899, 1000, 75, 90, NONE },
	{ "the high one", false, 900, 1000, 75, 90, HIGH },
	{ "full", false, 1000, 1000, 75, 90, HIGH },
	{ "more than full", false, 5000, 1000, 75, 90, HIGH },
	{ "above already", true, 1000, 1000, 75, 90, NONE },
	{ "in between, from above", true, 760, 1000, 75, 90, NONE },
	{ "in between, from below", false, 760, 1000, 75, 90, NONE },
	{ "the low one", true, 750, 1000, 75, 90, NONE },
	{ "below the low one", true, 749, 1000, 75, 90, LOW },
	{ "empty again", true, 0, 1000, 75, 90, LOW },
	{ "below, and was", false, 749, 1000, 75, 90, NONE },
	{ "a part of a flow counts as one", false, 90, 101, 75, 90, NONE },
	{ "which is the next one", false, 91, 101, 75, 90, HIGH },
	{ "room for one: it is there", false, 1, 1, 75, 90, HIGH },
	{ "room for one: it has gone", true, 0, 1, 75, 90, LOW },
	{ "room for two", true, 1, 2, 75, 90, LOW },
	{ "no room, no flow", false, 0, 0, 75, 90, NONE },
	{ "no room, and a flow", false, 1, 0, 75, 90, HIGH },
	{ "full is the high one", false, 999, 1000, 1, 100, NONE },
	{ "full is the high one: reached", false, 1000, 1000, 1, 100, HIGH },
	{ "low is one per cent", true, 10, 1000, 1, 100, NONE },
	{ "low is one per cent: left", true, 9, 1000, 1, 100, LOW },
	{ "low is off", false, 1000, 1000, 0, 90, NONE },
	{ "high is off", false, 1000, 1000, 75, 0, NONE },
	{ "off, and was above", true, 0, 1000, 75, 0, NONE },
	{ "as many as there can be", false, 120795955, BIT(27), 75, 90, NONE },
	{ "as many as there can be: reached", false, 120795956, BIT(27), 75, 90,
	  HIGH },
};

static void cross_by_table(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(crossings); i++)
		KUNIT_EXPECT_EQ_MSG(test,
				    ft_watermark_cross(crossings[i].above,
						       crossings[i].count,
						       crossings[i].room,
						       crossings[i].low,
						       crossings[i].high),
				    crossings[i].crossing, "%s",
				    crossings[i].name);
}

/*
 * A random walk: what is told takes turns, each time at its own watermark, and
 * nothing is told of a level that stays between them.
 */
static void cross_twin(struct kunit *test)
{
	u32 seed = get_random_u32();
	u32 told = 0, round, step;
	struct rnd_state rnd;

	prandom_seed_state(&rnd, seed);
	for (round = 0; round < 200; round++) {
		u64 room = 1 + prandom_u32_state(&rnd) % 3000;
		u64 low = 1 + prandom_u32_state(&rnd) % 99;
		u64 high = low + 1 + prandom_u32_state(&rnd) % (100 - low);
		s64 count = prandom_u32_state(&rnd) % (room + 1);
		s64 pace = 1 + room / 20;
		bool above = false;

		for (step = 0; step < 1000; step++) {
			enum ft_crossing crossing, naive = NONE;

			count += prandom_u32_state(&rnd) % (2 * pace + 1);
			count = clamp_t(s64, count - pace, 0, room);
			if (!above && count && count * 100 >= room * high)
				naive = HIGH;
			/* A low watermark below one flow is an empty table. */
			if (above && (!count || count * 100 < room * low))
				naive = LOW;
			crossing = ft_watermark_cross(above, count, room, low,
						      high);
			KUNIT_ASSERT_EQ_MSG(test, crossing, naive,
					    "seed %u: %lld of %llu, %llu to %llu",
					    seed, count, room, low, high);
			told += crossing != NONE;
			above = crossing == NONE ? above : crossing == HIGH;
		}
	}
	KUNIT_EXPECT_GT(test, told, 400);
}

static const struct {
	const char *name;
	struct ft_census census;
	u32 share;
	u8 l4proto;
	enum flowtrack_policy policy;
	unsigned int help;
} helps[] = {
	{ "one source holds a quarter", {{ 0, 100, 0, 900 }}, 250, IPPROTO_TCP,
	  FLOWTRACK_POLICY_EVICT, FLOWTRACK_A_SETTINGS_SRC_MAX },
	{ "a bit less, connections in use", {{ 0, 100, 0, 900 }}, 249,
	  IPPROTO_TCP, FLOWTRACK_POLICY_EVICT, FLOWTRACK_A_SETTINGS_MAX_FLOWS },
	{ "a SYN flood", {{ 10, 900, 0, 100 }}, 1, IPPROTO_TCP,
	  FLOWTRACK_POLICY_EVICT, FLOWTRACK_A_SETTINGS_TCP_TIMEOUT_SYN_RECV },
	{ "a SYN flood, and nothing is evicted", {{ 10, 900, 0, 100 }}, 1,
	  IPPROTO_TCP, FLOWTRACK_POLICY_DROP, FLOWTRACK_A_SETTINGS_FULL_POLICY },
	{ "a UDP flood", {{ 10, 900, 0, 100 }}, 1, IPPROTO_UDP,
	  FLOWTRACK_POLICY_EVICT, FLOWTRACK_A_SETTINGS_UDP_TIMEOUT },
	{ "unanswered, of another protocol", {{ 10, 900, 0, 100 }}, 1,
	  IPPROTO_GRE, FLOWTRACK_POLICY_EVICT, FLOWTRACK_A_SETTINGS_MAX_FLOWS },
	{ "finished connections", {{ 900, 10, 0, 100 }}, 1, IPPROTO_TCP,
	  FLOWTRACK_POLICY_EVICT, FLOWTRACK_A_SETTINGS_TCP_TIMEOUT_TIME_WAIT },
	{ "finished ones, passed", {{ 900, 10, 0, 100 }}, 1, IPPROTO_TCP,
	  FLOWTRACK_POLICY_PASS, FLOWTRACK_A_SETTINGS_FULL_POLICY },
	{ "answered queries", {{ 0, 10, 900, 100 }}, 1, IPPROTO_UDP,
	  FLOWTRACK_POLICY_DROP, FLOWTRACK_A_SETTINGS_UDP_TIMEOUT },
	{ "answered, of another protocol", {{ 0, 10, 900, 100 }}, 1,
	  IPPROTO_SCTP, FLOWTRACK_POLICY_EVICT, FLOWTRACK_A_SETTINGS_MAX_FLOWS },
	{ "nothing is known", {{ 0, 0, 0, 0 }}, 0, 0, FLOWTRACK_POLICY_DROP,
	  FLOWTRACK_A_SETTINGS_MAX_FLOWS },
};

static void help_by_table(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(helps); i++)
		KUNIT_EXPECT_EQ_MSG(test,
				    ft_watermark_help(&helps[i].census,
						      helps[i].share,
						      helps[i].l4proto,
						      helps[i].policy),
				    helps[i].help, "%s", helps[i].name);
}

/* What gc_work does next, it does now. */
static void run_gc(struct ft_net *tn)
{
	ft_net_scan_soon(tn);
	flush_delayed_work(&tn->gc_work);
}

static void fill(struct kunit *test, struct ft_net *tn, u32 from, u32 to)
{
	u32 i;

	for (i = from; i < to; i++)
		KUNIT_ASSERT_EQ(test,
				ft_kunit_admit(tn, i, FLOWTRACK_CLASS_ASSURED,
					       300 * HZ), FT_ADMIT_OK);
}

/* The newcomer that reaches the watermark has it looked at, nobody else. */
static void tripped_once(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 100);
	struct ft_watermark *w = &tn->watermark;

	KUNIT_EXPECT_EQ(test, w->trip, 90);
	fill(test, tn, 0, 89);
	KUNIT_EXPECT_EQ(test, w->trip, 90);
	KUNIT_EXPECT_FALSE(test, w->tripped);
	fill(test, tn, 89, 90);
	/* This waits for what is queued, and not for the timer. */
	flush_work(&tn->gc_work.work);
	KUNIT_EXPECT_TRUE(test, w->above);
	KUNIT_EXPECT_EQ(test, w->trip, U32_MAX);
	fill(test, tn, 90, 95);
	KUNIT_EXPECT_FALSE(test, w->tripped);
	run_gc(tn);
	KUNIT_EXPECT_TRUE(test, w->above);
	KUNIT_EXPECT_EQ(test, w->trip, U32_MAX);

	/* Between the watermarks it stays; below the low one it is new. */
	ft_settings_set(tn, FLOWTRACK_A_SETTINGS_MAX_FLOWS, 126, NULL);
	run_gc(tn);
	KUNIT_EXPECT_TRUE(test, w->above);
	ft_settings_set(tn, FLOWTRACK_A_SETTINGS_MAX_FLOWS, 127, NULL);
	run_gc(tn);
	KUNIT_EXPECT_FALSE(test, w->above);
	KUNIT_EXPECT_EQ(test, w->trip, 115);
	/* What is reserved is not room for all. */
	ft_settings_set(tn, FLOWTRACK_A_SETTINGS_RESERVED, 27, NULL);
	run_gc(tn);
	KUNIT_EXPECT_TRUE(test, w->above);
	ft_flow_end_all(tn, FLOWTRACK_REASON_FLUSHED);
	run_gc(tn);
	KUNIT_EXPECT_FALSE(test, w->above);
	KUNIT_EXPECT_EQ(test, w->trip, 90);
}

/* Flows that come and go make gc_work run early once, not over and over. */
static void called_for_nothing(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 10);
	struct ft_watermark *w = &tn->watermark;

	fill(test, tn, 0, 8);
	/* As if the ninth one had gone before gc_work ran. */
	ft_watermark_trip(tn);
	KUNIT_EXPECT_TRUE(test, w->tripped);
	flush_delayed_work(&tn->gc_work);
	KUNIT_EXPECT_FALSE(test, w->above);
	KUNIT_EXPECT_EQ(test, w->trip, U32_MAX);
	fill(test, tn, 8, 9);
	KUNIT_EXPECT_FALSE(test, w->tripped);
	run_gc(tn);
	KUNIT_EXPECT_TRUE(test, w->above);
}

/* Without a watermark nothing is looked at, and what was above is no more. */
static void switched_off(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 10);
	struct ft_watermark *w = &tn->watermark;
	unsigned int off;

	for (off = FLOWTRACK_A_SETTINGS_WATERMARK_LOW;
	     off <= FLOWTRACK_A_SETTINGS_WATERMARK_HIGH; off++) {
		u32 on = tn->set.v[off];

		fill(test, tn, 0, 10);
		run_gc(tn);
		KUNIT_EXPECT_TRUE(test, w->above);
		KUNIT_EXPECT_EQ(test, ft_settings_set(tn, off, 0, NULL), 0);
		run_gc(tn);
		KUNIT_EXPECT_FALSE(test, w->above);
		KUNIT_EXPECT_EQ(test, w->trip, U32_MAX);
		KUNIT_EXPECT_EQ(test, ft_settings_set(tn, off, on, NULL), 0);
		run_gc(tn);
		KUNIT_EXPECT_TRUE(test, w->above);
		ft_flow_end_all(tn, FLOWTRACK_REASON_FLUSHED);
		run_gc(tn);
	}
}

/* The rate is of the last second or two, and of no time before the flows. */
static void rate_window(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 10000);
	struct ft_watermark *w = &tn->watermark;
	unsigned long began;

	msleep(1200);
	began = jiffies;
	fill(test, tn, 0, 100);
	run_gc(tn);
	KUNIT_EXPECT_TRUE(test, w->running);
	KUNIT_EXPECT_TRUE(test, time_after_eq(w->when[0], began));
	KUNIT_EXPECT_EQ(test, w->born[0], 0);
	msleep(1100);
	run_gc(tn);
	msleep(1100);
	fill(test, tn, 100, 150);
	run_gc(tn);
	KUNIT_EXPECT_EQ(test, w->born[0], 100);
	KUNIT_EXPECT_GE(test, w->born[1], 100);
	KUNIT_EXPECT_TRUE(test, time_after_eq(jiffies, w->when[0] + HZ));
	ft_flow_end_all(tn, FLOWTRACK_REASON_FLUSHED);
	run_gc(tn);
	KUNIT_EXPECT_FALSE(test, w->running);
}

/* Of nf_conntrack's table nf_conntrack's sysctls help, but for what is flowtrack's. */
static void sysctl_by_table(struct kunit *test)
{
	static const struct {
		enum flowtrack_tracker table;
		unsigned int help;
		const char *name;
	} cases[] = {
		{ FLOWTRACK_TRACKER_OWN, FLOWTRACK_A_SETTINGS_MAX_FLOWS, "nf_flowtrack_max" },
		{ FLOWTRACK_TRACKER_OWN, FLOWTRACK_A_SETTINGS_SRC_MAX, "nf_flowtrack_src_max" },
		{ FLOWTRACK_TRACKER_GUARDED, FLOWTRACK_A_SETTINGS_MAX_FLOWS, "nf_conntrack_max" },
		{ FLOWTRACK_TRACKER_GUARDED, FLOWTRACK_A_SETTINGS_TCP_TIMEOUT_TIME_WAIT,
		  "nf_conntrack_tcp_timeout_time_wait" },
		{ FLOWTRACK_TRACKER_GUARDED, FLOWTRACK_A_SETTINGS_SRC_MAX, "nf_flowtrack_src_max" },
		{ FLOWTRACK_TRACKER_GUARDED, FLOWTRACK_A_SETTINGS_FULL_POLICY,
		  "nf_flowtrack_full_policy" },
	};
	char buf[FT_WATERMARK_SYSCTL_SIZE];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ft_watermark_event event = {
			.table = cases[i].table,
			.help = cases[i].help,
		};

		KUNIT_EXPECT_STREQ(test, ft_watermark_sysctl(&event, buf, sizeof(buf)),
				   cases[i].name);
	}
}

/* nf_conntrack's table has a level of its own, unless it has no limit. */
static void conntrack_level(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 100);
	struct ft_watermark w = {};

	ft_watermark_prepare(&w, U32_MAX);
	ft_watermark_conntrack(tn, &w, 899, 1000);
	KUNIT_EXPECT_FALSE(test, w.above);
	ft_watermark_conntrack(tn, &w, 900, 1000);
	KUNIT_EXPECT_TRUE(test, w.above);
	KUNIT_EXPECT_FALSE(test, tn->watermark.above);
	ft_watermark_conntrack(tn, &w, 750, 1000);
	KUNIT_EXPECT_TRUE(test, w.above);
	ft_watermark_conntrack(tn, &w, 749, 1000);
	KUNIT_EXPECT_FALSE(test, w.above);
	ft_watermark_conntrack(tn, &w, 1000, 1000);
	KUNIT_EXPECT_TRUE(test, w.above);
	ft_watermark_conntrack(tn, &w, 1000, 0);
	KUNIT_EXPECT_FALSE(test, w.above);
}

static struct kunit_case watermark_cases[] = {
	KUNIT_CASE(cross_by_table),
	KUNIT_CASE(cross_twin),
	KUNIT_CASE(help_by_table),
	KUNIT_CASE(tripped_once),
	KUNIT_CASE(called_for_nothing),
	KUNIT_CASE(switched_off),
	KUNIT_CASE_SLOW(rate_window),
	KUNIT_CASE(sysctl_by_table),
	KUNIT_CASE(conntrack_level),
	{}
};

static struct kunit_suite watermark_suite = {
	.name = "ft_watermark",
	.test_cases = watermark_cases,
};

kunit_test_suite(watermark_suite);
