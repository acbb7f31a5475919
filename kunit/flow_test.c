// SPDX-License-Identifier: GPL-2.0
#include <kunit/test.h>
#include <linux/bottom_half.h>
#include <linux/delay.h>
#include <linux/random.h>
#include <linux/vmalloc.h>

#include "flow/flow.h"

static void arena_free_action(void *arena)
{
	ft_arena_destroy(arena);
}

static struct ft_arena *arena_new(struct kunit *test, size_t size)
{
	struct ft_arena *arena = ft_arena_create(size, 0);

	KUNIT_ASSERT_NOT_NULL(test, arena);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, arena_free_action,
							arena), 0);
	return arena;
}

static struct ft_flow *alloc(struct ft_arena *arena, u32 *index)
{
	struct ft_flow *flow;

	local_bh_disable();
	flow = ft_arena_alloc(arena, index);
	local_bh_enable();
	return flow;
}

static void give(struct ft_arena *arena, struct ft_flow *flow, u32 index)
{
	local_bh_disable();
	ft_arena_free(arena, flow, index);
	local_bh_enable();
}

static struct ft_flow *at(struct ft_arena *arena, u32 index)
{
	struct ft_flow *flow;

	rcu_read_lock();
	flow = ft_arena_at(arena, index);
	rcu_read_unlock();
	return flow;
}

static struct ft_flow *wake(struct ft_flow *flow, u32 addr)
{
	local_bh_disable();
	ft_flow_lock(flow);
	flow->key.family = NFPROTO_IPV4;
	flow->key.addr4[0] = htonl(addr);
	flow->deadline = ft_now() + HZ * 60;
	ft_flow_unlock(flow, FT_FLOW_SEEN_REPLY);
	local_bh_enable();
	return flow;
}

static void key_of(struct ft_key *key, u32 addr)
{
	memset(key, 0, sizeof(*key));
	key->family = NFPROTO_IPV4;
	key->addr4[0] = htonl(addr);
}

static void lock_keeps_bits(struct kunit *test)
{
	struct ft_arena *arena = arena_new(test, sizeof(struct ft_flow));
	struct ft_flow *flow;
	u32 index;

	flow = alloc(arena, &index);
	KUNIT_ASSERT_NOT_NULL(test, flow);
	KUNIT_EXPECT_EQ(test, atomic_read(&flow->word), (int)FT_FLOW_DEAD);
	local_bh_disable();
	ft_flow_lock(flow);
	KUNIT_EXPECT_EQ(test, atomic_read(&flow->word),
			(int)(FT_FLOW_DEAD | FT_FLOW_LOCK));
	/* The lock bit in what is stored does not count. */
	ft_flow_unlock(flow, FT_FLOW_ASSURED | FT_FLOW_LOCK);
	local_bh_enable();
	KUNIT_EXPECT_EQ(test, atomic_read(&flow->word), (int)FT_FLOW_ASSURED);
	/* Freed: dead, whatever it was, and of no family. */
	give(arena, flow, index);
	KUNIT_EXPECT_EQ(test, atomic_read(&flow->word), (int)FT_FLOW_DEAD);
	KUNIT_EXPECT_EQ(test, flow->key.family, 0);
}

static void lock_key_checks(struct kunit *test)
{
	struct ft_arena *arena = arena_new(test, sizeof(struct ft_flow));
	struct ft_flow *flow;
	struct ft_key key;
	u32 index;

	flow = alloc(arena, &index);
	KUNIT_ASSERT_NOT_NULL(test, flow);
	key_of(&key, 1);
	local_bh_disable();
	/* Dead. */
	KUNIT_EXPECT_FALSE(test, ft_flow_lock_key(flow, &key));
	wake(flow, 1);
	KUNIT_EXPECT_TRUE(test, ft_flow_lock_key(flow, &key));
	ft_flow_unlock(flow, FT_FLOW_SEEN_REPLY);
	/* Another one. */
	key_of(&key, 2);
	KUNIT_EXPECT_FALSE(test, ft_flow_lock_key(flow, &key));
	/* Expired: its successor may be in the table. */
	key_of(&key, 1);
	flow->deadline = ft_now();
	KUNIT_EXPECT_FALSE(test, ft_flow_lock_key(flow, &key));
	/* A refusal leaves it unlocked and unchanged. */
	KUNIT_EXPECT_EQ(test, atomic_read(&flow->word), (int)FT_FLOW_SEEN_REPLY);
	local_bh_enable();
}

static void kill_by_generation(struct kunit *test)
{
	struct ft_arena *arena = arena_new(test, sizeof(struct ft_flow));
	struct ft_flow *flow, *again;
	struct ft_flow6 copy;
	u32 index, gen, dead, other, word;
	struct ft_key key;

	flow = alloc(arena, &index);
	KUNIT_ASSERT_NOT_NULL(test, flow);
	wake(flow, 1);
	gen = flow->gen;
	KUNIT_EXPECT_NE(test, gen, 0);
	local_bh_disable();
	KUNIT_EXPECT_FALSE(test, ft_flow_kill(flow, gen + 1));
	KUNIT_EXPECT_TRUE(test, ft_flow_snapshot(flow, gen, &copy));
	KUNIT_EXPECT_TRUE(test, ft_flow_snapshot(flow, 0, &copy));
	KUNIT_EXPECT_FALSE(test, ft_flow_snapshot(flow, gen + 1, &copy));
	KUNIT_EXPECT_EQ(test, atomic_read(&copy.f.word), (int)FT_FLOW_SEEN_REPLY);
	KUNIT_EXPECT_TRUE(test, ft_flow_kill(flow, gen));
	KUNIT_EXPECT_FALSE(test, ft_flow_kill(flow, gen));
	KUNIT_EXPECT_FALSE(test, ft_flow_snapshot(flow, 0, &copy));
	local_bh_enable();
	give(arena, flow, index);
	KUNIT_EXPECT_NE(test, flow->gen, gen);
	/* A look at it now finds the generation of its next life. */
	KUNIT_EXPECT_FALSE(test, ft_flow_alive(flow, &dead, &word));
	KUNIT_EXPECT_FALSE(test, ft_flow_peek(flow, &key, &word));
	/* The magazine hands out what came back last. */
	again = alloc(arena, &other);
	KUNIT_EXPECT_PTR_EQ(test, again, flow);
	KUNIT_EXPECT_EQ(test, other, index);
	wake(again, 1);
	KUNIT_EXPECT_TRUE(test, ft_flow_alive(again, &other, &word));
	KUNIT_EXPECT_EQ(test, other, dead);
	KUNIT_EXPECT_FALSE(test, ft_flow_kill(again, gen));
}

/* An end that was decided by the deadline loses against a packet that moved it meanwhile. */
static void kill_idle(struct kunit *test)
{
	struct ft_arena *arena = arena_new(test, sizeof(struct ft_flow));
	struct ft_flow *flow;
	u32 index, gen, seen;

	flow = alloc(arena, &index);
	KUNIT_ASSERT_NOT_NULL(test, flow);
	wake(flow, 1);
	gen = flow->gen;
	local_bh_disable();
	flow->deadline = ft_now();
	seen = flow->deadline;
	/* A packet that had the lock before that moves it. */
	flow->deadline = ft_now() + 30 * HZ;
	KUNIT_EXPECT_FALSE(test, ft_flow_kill_idle(flow, gen, seen));
	KUNIT_EXPECT_FALSE(test, atomic_read(&flow->word) & (FT_FLOW_DEAD | FT_FLOW_LOCK));
	seen = flow->deadline;
	KUNIT_EXPECT_FALSE(test, ft_flow_kill_idle(flow, gen + 1, seen));
	KUNIT_EXPECT_TRUE(test, ft_flow_kill_idle(flow, gen, seen));
	KUNIT_EXPECT_FALSE(test, ft_flow_kill_idle(flow, gen, seen));
	local_bh_enable();
	give(arena, flow, index);
}

static void garbage_index(struct kunit *test)
{
	struct ft_arena *arena = arena_new(test, FT_FLOW6_BYTES);
	struct rnd_state rnd;
	u32 index, i;

	KUNIT_EXPECT_NULL(test, at(arena, 0));
	KUNIT_ASSERT_NOT_NULL(test, alloc(arena, &index));
	KUNIT_EXPECT_NOT_NULL(test, at(arena, 0));
	/* 341 objects of 192 bytes in 64 KiB, of an index space of 512. */
	KUNIT_EXPECT_NOT_NULL(test, at(arena, 340));
	KUNIT_EXPECT_NULL(test, at(arena, 341));
	KUNIT_EXPECT_NULL(test, at(arena, 511));
	KUNIT_EXPECT_NULL(test, at(arena, 512));
	KUNIT_EXPECT_NULL(test, at(arena, U32_MAX));
	KUNIT_EXPECT_NULL(test, at(arena, S32_MAX));
	prandom_seed_state(&rnd, 1);
	for (i = 0; i < 100000; i++)
		at(arena, prandom_u32_state(&rnd));
}

#define MANY	20000

/* Indexes are unique, lead to their object, and all memory comes back. */
static void many_objects(struct kunit *test, size_t size)
{
	struct ft_arena *arena = arena_new(test, size);
	size_t before = ft_arena_bytes(arena), full;
	unsigned long end;
	u32 i, *index;

	index = kunit_kcalloc(test, MANY, sizeof(*index), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, index);
	for (i = 0; i < MANY; i++) {
		struct ft_flow *flow = alloc(arena, &index[i]);

		KUNIT_ASSERT_NOT_NULL(test, flow);
		KUNIT_ASSERT_PTR_EQ(test, flow, at(arena, index[i]));
		KUNIT_ASSERT_EQ(test, atomic_read(&flow->word),
				(int)FT_FLOW_DEAD);
		/* Nobody else has it. */
		wake(flow, i);
		memset(&flow->proto, (u8)i, sizeof(flow->proto));
	}
	for (i = 0; i < MANY; i++) {
		struct ft_flow *flow = at(arena, index[i]);

		KUNIT_ASSERT_EQ(test, ntohl(flow->key.addr4[0]), i);
		KUNIT_ASSERT_NULL(test, memchr_inv(&flow->proto, (u8)i,
						   sizeof(flow->proto)));
	}
	full = ft_arena_bytes(arena);
	KUNIT_EXPECT_GE(test, full, MANY * size);
	/* What is made ahead is an eighth, and a chunk. */
	KUNIT_EXPECT_LE(test, full, MANY * size * 10 / 8 + 4 * 65536);

	for (i = 0; i < MANY; i++)
		give(arena, at(arena, index[i]), index[i]);
	/* All of it comes back, but for the directory. */
	end = jiffies + 10 * HZ;
	while (ft_arena_bytes(arena) > before + 65535 &&
	       time_before(jiffies, end))
		msleep(20);
	KUNIT_EXPECT_LE(test, ft_arena_bytes(arena), before + 65535);
	/* And it starts again. */
	KUNIT_EXPECT_NOT_NULL(test, alloc(arena, index));
}

static void many_objects4(struct kunit *test)
{
	many_objects(test, sizeof(struct ft_flow));
}

static void many_objects6(struct kunit *test)
{
	many_objects(test, FT_FLOW6_BYTES);
}

/* Few flows in many chunks, coming and going: they move together. */
static void churn_packs(struct kunit *test)
{
	struct ft_arena *arena = arena_new(test, sizeof(struct ft_flow));
	u32 i, live = 0, from = 0, *index;
	unsigned long end;
	size_t full;

	index = kunit_kcalloc(test, MANY, sizeof(*index), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, index);
	for (i = 0; i < MANY; i++)
		KUNIT_ASSERT_NOT_NULL(test, alloc(arena, &index[i]));
	full = ft_arena_bytes(arena);
	/* One in sixteen stays: no chunk gets empty. */
	for (i = 0; i < MANY; i++) {
		if (i % 16)
			give(arena, at(arena, index[i]), index[i]);
		else
			index[live++] = index[i];
	}
	/* Expiry ends them by the hundred, and as many new ones come. */
	end = jiffies + 10 * HZ;
	while (ft_arena_bytes(arena) > full / 3 && time_before(jiffies, end)) {
		u32 n = min(live - from, 200u);

		for (i = from; i < from + n; i++)
			give(arena, at(arena, index[i]), index[i]);
		for (i = from; i < from + n; i++)
			KUNIT_ASSERT_NOT_NULL(test, alloc(arena, &index[i]));
		from = from + n < live ? from + n : 0;
		msleep(50);
	}
	KUNIT_EXPECT_LE(test, ft_arena_bytes(arena), full / 3);
}

/* Random allocation and freeing against a list of what is out. */
static void random_twin(struct kunit *test)
{
	struct ft_arena *arena = arena_new(test, sizeof(struct ft_flow));
	u32 *index, n = 0, i, at_most = 3000, pick;
	struct rnd_state rnd;

	index = kunit_kcalloc(test, at_most, sizeof(*index), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, index);
	prandom_seed_state(&rnd, 7);
	for (i = 0; i < 300000; i++) {
		/* Phases of growing and of shrinking. */
		bool grow = prandom_u32_state(&rnd) % 100 <
			    (i / 20000 % 2 ? 40 : 60);

		if (grow && n < at_most) {
			struct ft_flow *flow = alloc(arena, &index[n]);

			KUNIT_ASSERT_NOT_NULL(test, flow);
			/* Free objects are dead: else somebody has it. */
			KUNIT_ASSERT_TRUE(test, atomic_read(&flow->word) &
					  FT_FLOW_DEAD);
			wake(flow, index[n]);
			n++;
		} else if (!grow && n) {
			struct ft_flow *flow;

			pick = prandom_u32_state(&rnd) % n;
			flow = at(arena, index[pick]);
			KUNIT_ASSERT_EQ(test, ntohl(flow->key.addr4[0]),
					index[pick]);
			KUNIT_ASSERT_TRUE(test, ft_flow_kill(flow, flow->gen));
			give(arena, flow, index[pick]);
			index[pick] = index[--n];
		}
		if (i % 5000 == 0)
			schedule_timeout_uninterruptible(1);
	}
}

static struct kunit_case flow_cases[] = {
	KUNIT_CASE(lock_keeps_bits),
	KUNIT_CASE(lock_key_checks),
	KUNIT_CASE(kill_by_generation),
	KUNIT_CASE(kill_idle),
	KUNIT_CASE(garbage_index),
	KUNIT_CASE_SLOW(many_objects4),
	KUNIT_CASE_SLOW(many_objects6),
	KUNIT_CASE_SLOW(churn_packs),
	KUNIT_CASE_SLOW(random_twin),
	{}
};

static struct kunit_suite flow_suite = {
	.name = "ft_flow",
	.test_cases = flow_cases,
};

kunit_test_suite(flow_suite);
