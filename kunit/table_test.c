// SPDX-License-Identifier: GPL-2.0
/*
 * The table against a naive twin (a plain array of what is in), with resizes in
 * the middle of everything.
 */
#include <kunit/test.h>
#include <linux/bottom_half.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/random.h>
#include <linux/sched/signal.h>
#include <linux/workqueue.h>

#include "base/fault_inject.h"
#include "base/limits.h"
#include "ft_stress.h"
#include "flow/table.h"

static void table_free_action(void *table)
{
	ft_table_destroy(table);
}

static struct ft_table *table_new(struct kunit *test, u32 buckets)
{
	struct ft_table *table = ft_table_create(buckets);

	KUNIT_ASSERT_FALSE(test, IS_ERR(table));
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, table_free_action,
							table), 0);
	return table;
}

/* Key number @i: every fourth one IPv6. */
static void key_of(struct ft_key *key, u32 i)
{
	ft_stress_key(key, i);
}

static u64 hash_of(struct ft_table *table, const struct ft_key *key)
{
	return ft_key_hash(key, ft_table_secret(table));
}

/* Make a flow and enter it under a hash, as track/admit.c does. */
static int enter_as(struct ft_table *table, u32 i, u64 hash, u32 timeout,
		    enum flowtrack_class class, u32 *index)
{
	struct ft_flow *flow, *clash;
	struct ft_key key;
	int err;

	key_of(&key, i);
	rcu_read_lock();
	local_bh_disable();
	flow = ft_table_alloc(table, key.family, index);
	if (!flow) {
		err = -ENOBUFS;
		goto out;
	}
	ft_flow_lock(flow);
	memcpy(&flow->key, &key, sizeof(flow->key));
	if (key.family == NFPROTO_IPV6)
		memcpy(ft_flow_addr6(flow), key.addr6, sizeof(key.addr6));
	flow->deadline = ft_now() + timeout;
	flow->mark = i;
	/* Dead until it is in. */
	ft_flow_unlock(flow, class << 5 | FT_FLOW_DEAD);
	err = ft_table_insert(table, flow, *index, hash, &clash);
	if (err)
		ft_table_free(table, flow, *index);
out:
	local_bh_enable();
	rcu_read_unlock();
	return err;
}

static int enter(struct ft_table *table, u32 i)
{
	struct ft_key key;
	u32 index;

	key_of(&key, i);
	return enter_as(table, i, hash_of(table, &key), 600 * HZ,
			FLOWTRACK_CLASS_EMBRYONIC, &index);
}

static bool has(struct ft_table *table, u32 i)
{
	struct ft_flow *flow;
	struct ft_key key;
	bool right, may;
	u32 index;

	key_of(&key, i);
	rcu_read_lock();
	/* Asked first: what is entered meanwhile may be found without. */
	may = ft_table_may_have(table, hash_of(table, &key));
	flow = ft_table_lookup(table, &key, hash_of(table, &key), &index);
	right = may && flow && flow->mark == i && ft_table_at(table, index) == flow;
	rcu_read_unlock();
	return right;
}

static bool leave(struct ft_table *table, u32 i)
{
	struct ft_flow *flow;
	struct ft_key key;
	bool left = false;
	u32 index;
	u64 hash;

	key_of(&key, i);
	hash = hash_of(table, &key);
	rcu_read_lock();
	local_bh_disable();
	flow = ft_table_lookup(table, &key, hash, &index);
	if (flow && ft_flow_kill(flow, flow->gen)) {
		left = ft_table_remove(table, index, hash);
		ft_table_free(table, flow, index);
	}
	local_bh_enable();
	rcu_read_unlock();
	return left;
}

static void insert_lookup_remove(struct kunit *test)
{
	struct ft_table *table = table_new(test, 64);
	u32 i;

	for (i = 0; i < 8; i++) {
		KUNIT_EXPECT_FALSE(test, has(table, i));
		KUNIT_EXPECT_EQ(test, enter(table, i), 0);
		KUNIT_EXPECT_TRUE(test, has(table, i));
		KUNIT_EXPECT_EQ(test, enter(table, i), -EEXIST);
	}
	for (i = 0; i < 8; i++) {
		KUNIT_EXPECT_TRUE(test, leave(table, i));
		KUNIT_EXPECT_FALSE(test, leave(table, i));
		KUNIT_EXPECT_FALSE(test, has(table, i));
	}
}

/* What may_have says of a table that most of the flows asked for are not in. */
static void may_have(struct kunit *test)
{
	struct ft_table *table = table_new(test, 1024);
	unsigned int may = 0;
	struct ft_key key;
	u32 i;

	for (i = 0; i < 1000; i++) {
		key_of(&key, i);
		rcu_read_lock();
		may += ft_table_may_have(table, hash_of(table, &key));
		rcu_read_unlock();
	}
	KUNIT_EXPECT_EQ(test, may, 0);
	KUNIT_EXPECT_EQ(test, enter(table, 0), 0);
	for (i = 0; i < 1000; i++) {
		key_of(&key, i);
		rcu_read_lock();
		may += ft_table_may_have(table, hash_of(table, &key));
		rcu_read_unlock();
	}
	KUNIT_EXPECT_GE(test, may, 1);
	/* Others of its bucket may have its bits. */
	KUNIT_EXPECT_LE(test, may, 5);
}

/* It wakes when it is in, and only then. */
static void insert_wakes(struct kunit *test)
{
	struct ft_table *table = table_new(test, 64);
	struct ft_flow *flow, *other, *clash;
	u32 index, index2;
	struct ft_key key;
	u64 hash;

	key_of(&key, 1);
	hash = hash_of(table, &key);
	rcu_read_lock();
	local_bh_disable();
	flow = ft_table_alloc(table, key.family, &index);
	other = ft_table_alloc(table, key.family, &index2);
	KUNIT_EXPECT_TRUE(test, flow && other);
	if (!flow || !other)
		goto out;
	memcpy(&flow->key, &key, sizeof(flow->key));
	memcpy(&other->key, &key, sizeof(other->key));
	flow->deadline = ft_now() + HZ;
	other->deadline = ft_now() + HZ;
	KUNIT_EXPECT_EQ(test, 0, ft_table_insert(table, flow, index, hash, &clash));
	KUNIT_EXPECT_NULL(test, clash);
	KUNIT_EXPECT_FALSE(test, atomic_read(&flow->word) &
			   (FT_FLOW_DEAD | FT_FLOW_LOCK));
	KUNIT_EXPECT_EQ(test, -EEXIST, ft_table_insert(table, other, index2,
						       hash, &clash));
	KUNIT_EXPECT_PTR_EQ(test, clash, flow);
	KUNIT_EXPECT_EQ(test, (int)FT_FLOW_DEAD, atomic_read(&other->word));
	ft_table_free(table, other, index2);
out:
	local_bh_enable();
	rcu_read_unlock();
}

/* One bucket takes FT_CHAIN_MAX lines, every flow of it is found, no more. */
static void chain_limit(struct kunit *test)
{
	const u32 most = FT_CHAIN_MAX * FT_SLOTS;
	struct ft_table *table = table_new(test, 64);
	u32 i, n = 0, index;
	struct ft_key key;
	size_t before;

	before = ft_table_bytes(table);
	for (i = 0; n < most && i < 100000; i++) {
		key_of(&key, i);
		if (hash_of(table, &key) & 63)
			continue;
		KUNIT_ASSERT_EQ(test, enter(table, i), 0);
		n++;
	}
	KUNIT_ASSERT_EQ(test, n, most);
	KUNIT_EXPECT_GE(test, ft_table_bytes(table),
			before + (FT_CHAIN_MAX - 1) * 64);
	KUNIT_EXPECT_EQ(test, enter_as(table, 1000001, 0, HZ, 0, &index), -ENOSPC);
	for (i = 0, n = 0; n < most; i++) {
		key_of(&key, i);
		if (hash_of(table, &key) & 63)
			continue;
		KUNIT_ASSERT_TRUE(test, has(table, i));
		n++;
	}
	/* A slot that was left is taken again. */
	for (i = 0; !leave(table, i); i++)
		;
	KUNIT_EXPECT_EQ(test, enter(table, i), 0);
	/* Growing takes the chain apart; shrinking puts it together again. */
	KUNIT_EXPECT_EQ(test, ft_table_resize(table, 4096), 0);
	KUNIT_EXPECT_EQ(test, ft_table_resize(table, 64), 0);
	for (i = 0, n = 0; n < most; i++) {
		key_of(&key, i);
		if (hash_of(table, &key) & 63)
			continue;
		KUNIT_ASSERT_TRUE(test, has(table, i));
		n++;
	}
}

/* An expired flow is not found, does not clash, and does not hide its heir. */
static void expired_equal(struct kunit *test)
{
	struct ft_table *table = table_new(test, 64);
	struct ft_key key;
	u32 first, second;
	u64 hash;

	key_of(&key, 5);
	hash = hash_of(table, &key);
	KUNIT_EXPECT_EQ(test, enter_as(table, 5, hash, 0, 0, &first), 0);
	KUNIT_EXPECT_FALSE(test, has(table, 5));
	KUNIT_EXPECT_EQ(test, enter_as(table, 5, hash, 60 * HZ, 0, &second), 0);
	KUNIT_EXPECT_NE(test, first, second);
	KUNIT_EXPECT_TRUE(test, has(table, 5));
	rcu_read_lock();
	local_bh_disable();
	KUNIT_EXPECT_TRUE(test, ft_table_remove(table, first, hash));
	KUNIT_EXPECT_FALSE(test, ft_table_remove(table, first, hash));
	local_bh_enable();
	rcu_read_unlock();
	KUNIT_EXPECT_TRUE(test, has(table, 5));
}

static int count_flow(struct ft_flow *flow, u32 index, void *arg)
{
	(*(u32 *)arg)++;
	return 0;
}

static u32 count_all(struct ft_table *table)
{
	struct ft_cursor cursor = {};
	u32 n = 0;

	rcu_read_lock();
	ft_table_walk(table, &cursor, U32_MAX, count_flow, &n);
	rcu_read_unlock();
	return n;
}

/* What expiry does on its way, whether or not a flow has expired. */
static void scan(struct ft_table *table)
{
	struct ft_cursor cursor = {};
	u32 n;

	rcu_read_lock();
	ft_table_expired(table, &cursor, U32_MAX, count_flow, &n, NULL);
	rcu_read_unlock();
}

/* Lines that fell empty are taken back from the end, and only from there. */
static void chain_trimmed(struct kunit *test)
{
	const u32 lines = 6, most = lines * FT_SLOTS;
	struct ft_table *table = table_new(test, 64);
	u32 i, n, ids[6 * FT_SLOTS];
	size_t empty, full;
	struct ft_key key;

	/* Memory for the objects first, so that only lines come and go. */
	KUNIT_ASSERT_EQ(test, enter(table, 0), 0);
	KUNIT_ASSERT_EQ(test, enter(table, 1), 0);
	KUNIT_ASSERT_TRUE(test, leave(table, 0) && leave(table, 1));
	empty = ft_table_bytes(table);
	for (i = 0, n = 0; n < most; i++) {
		key_of(&key, i);
		if ((hash_of(table, &key) & 63) != 5)
			continue;
		KUNIT_ASSERT_EQ(test, enter(table, i), 0);
		ids[n++] = i;
	}
	full = ft_table_bytes(table);
	KUNIT_EXPECT_EQ(test, full, empty + (lines - 1) * 64);
	scan(table);
	KUNIT_EXPECT_EQ(test, ft_table_bytes(table), full);

	/* The third line, in the middle: it must stay where it is. */
	for (n = 2 * FT_SLOTS; n < 3 * FT_SLOTS; n++)
		KUNIT_ASSERT_TRUE(test, leave(table, ids[n]));
	scan(table);
	KUNIT_EXPECT_EQ(test, ft_table_bytes(table), full);
	/* The last two, but for one flow of the last but one. */
	for (n = 4 * FT_SLOTS + 1; n < most; n++)
		KUNIT_ASSERT_TRUE(test, leave(table, ids[n]));
	scan(table);
	KUNIT_EXPECT_EQ(test, ft_table_bytes(table), full - 64);
	KUNIT_EXPECT_TRUE(test, has(table, ids[4 * FT_SLOTS]));
	/* All but what is in the first line. */
	for (n = FT_SLOTS; n <= 4 * FT_SLOTS; n++)
		leave(table, ids[n]);
	scan(table);
	KUNIT_EXPECT_EQ(test, ft_table_bytes(table), empty);
	for (n = 0; n < FT_SLOTS; n++)
		KUNIT_EXPECT_TRUE(test, has(table, ids[n]));
	/* And it grows again. */
	for (n = FT_SLOTS; n < most; n++)
		KUNIT_ASSERT_EQ(test, enter(table, ids[n]), 0);
	for (n = 0; n < most; n++)
		KUNIT_EXPECT_TRUE(test, has(table, ids[n]));
	KUNIT_EXPECT_EQ(test, ft_table_bytes(table), full);
}

static void faults_off(void *unused)
{
	WRITE_ONCE(ft_faults, 0);
}

/* Memory is out: an error, and nothing changed. */
static void out_of_memory(struct kunit *test)
{
	struct ft_table *table = table_new(test, 64);
	u32 i, n, index, last = 0;
	struct ft_table *other;
	struct ft_key key;

	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, faults_off, NULL),
			0);
	/* No line to overflow into. */
	WRITE_ONCE(ft_faults, FT_FAULT_LINE);
	for (i = 0, n = 0; n <= FT_SLOTS; i++) {
		key_of(&key, i);
		if ((hash_of(table, &key) & 63) != 5)
			continue;
		KUNIT_ASSERT_EQ(test, enter(table, i),
				n < FT_SLOTS ? 0 : -ENOMEM);
		last = i;
		n++;
	}
	KUNIT_EXPECT_FALSE(test, has(table, last));
	KUNIT_EXPECT_EQ(test, count_all(table), FT_SLOTS);
	WRITE_ONCE(ft_faults, 0);
	KUNIT_EXPECT_EQ(test, enter(table, last), 0);
	KUNIT_EXPECT_TRUE(test, has(table, last));

	/* No array to move into. */
	n = ft_table_generation(table);
	WRITE_ONCE(ft_faults, FT_FAULT_ARRAY);
	KUNIT_EXPECT_EQ(test, ft_table_resize(table, 128), -ENOMEM);
	KUNIT_EXPECT_EQ(test, ft_table_buckets(table), 64);
	KUNIT_EXPECT_EQ(test, ft_table_generation(table), n);
	other = ft_table_create(64);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(other), -ENOMEM);

	/* No memory for flows. */
	WRITE_ONCE(ft_faults, 0);
	other = table_new(test, 64);
	WRITE_ONCE(ft_faults, FT_FAULT_CHUNK);
	key_of(&key, 1);
	KUNIT_EXPECT_EQ(test, enter_as(other, 1, 0, HZ, 0, &index), -ENOBUFS);
	WRITE_ONCE(ft_faults, 0);
	KUNIT_EXPECT_EQ(test, enter(other, 1), 0);
}

/* Chains would get too long: refused, and nothing changed. */
static void resize_too_small(struct kunit *test)
{
	const u32 most = FT_CHAIN_MAX / 8 * FT_SLOTS * 64;
	struct ft_table *table = table_new(test, 1024);
	u32 i;

	for (i = 0; i <= most; i++)
		KUNIT_ASSERT_EQ(test, enter(table, i), 0);
	KUNIT_EXPECT_EQ(test, ft_table_resize(table, 64), -ENOSPC);
	KUNIT_EXPECT_EQ(test, ft_table_buckets(table), 1024);
	KUNIT_EXPECT_EQ(test, count_all(table), most + 1);
	KUNIT_EXPECT_TRUE(test, leave(table, 0));
	KUNIT_EXPECT_EQ(test, ft_table_resize(table, 64), 0);
	KUNIT_EXPECT_EQ(test, count_all(table), most);
	for (i = 1; i <= most; i++)
		KUNIT_ASSERT_TRUE(test, has(table, i));
}

#define TWIN	6000

/* Random operations, with a resize now and then, against what should be in. */
static void random_twin(struct kunit *test)
{
	static const u32 sizes[] = { 64, 128, 512, 1024, 4096, 256, 64, 2048 };
	struct ft_table *table = table_new(test, 64);
	struct rnd_state rnd;
	u32 round, i, in = 0;
	bool *twin;

	twin = kunit_kcalloc(test, TWIN, sizeof(*twin), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, twin);
	prandom_seed_state(&rnd, 42);
	for (round = 0; round < 400000; round++) {
		i = prandom_u32_state(&rnd) % TWIN;
		switch (prandom_u32_state(&rnd) % 4) {
		case 0:
			/* As many as 64 buckets can hold with some room. */
			if (!twin[i] && in >= 3500)
				break;
			KUNIT_ASSERT_EQ(test, enter(table, i),
					twin[i] ? -EEXIST : 0);
			in += !twin[i];
			twin[i] = true;
			break;
		case 1:
			KUNIT_ASSERT_EQ(test, leave(table, i), twin[i]);
			in -= twin[i];
			twin[i] = false;
			break;
		default:
			KUNIT_ASSERT_EQ(test, has(table, i), twin[i]);
			break;
		}
		if (round % 10000 == 0) {
			KUNIT_ASSERT_EQ(test, 0,
					ft_table_resize(table,
							sizes[round / 10000 %
							      ARRAY_SIZE(sizes)]));
			scan(table);
			KUNIT_ASSERT_EQ(test, count_all(table), in);
			KUNIT_ASSERT_EQ(test, ft_stress_stale(table), 0);
		}
	}
	for (i = 0; i < TWIN; i++)
		KUNIT_ASSERT_EQ(test, has(table, i), twin[i]);
	/* The way it is between resizes, too: with flows, and without. */
	KUNIT_EXPECT_EQ(test, ft_stress_stale(table), 0);
	for (i = 0; i < TWIN; i++)
		leave(table, i);
	KUNIT_EXPECT_EQ(test, ft_stress_stale(table), 0);
}

/**
 * struct checker - a thread that looks at every flow all the time
 * @table: the table
 * @flows: flows 0 to @flows - 1 are in
 * @missed: lookups that missed
 * @lost: flows entered while a resize ran that were not found, or not ended
 * @unseen: full walks that did not see them all
 * @between: rounds that began or ended while a resize ran
 * @rounds: how often it looked at all
 */
struct checker {
	struct ft_table *table;
	u32 flows;
	u32 missed;
	u32 lost;
	u32 unseen;
	u32 between;
	u32 rounds;
};

static int see_flow(struct ft_flow *flow, u32 index, void *arg)
{
	if (flow->mark < 4000)
		__set_bit(flow->mark, arg);
	return 0;
}

/* One walk, whatever a resize does: every flow that stays is in it. */
static bool walk_sees_all(struct ft_table *table, u32 flows)
{
	static DECLARE_BITMAP(seen, 4000);
	struct ft_cursor cursor = {};

	bitmap_zero(seen, 4000);
	rcu_read_lock();
	ft_table_walk(table, &cursor, U32_MAX, see_flow, seen);
	rcu_read_unlock();
	return bitmap_weight(seen, 4000) == flows;
}

static int check_all(void *data)
{
	struct checker *checker = data;
	u32 i = 0;

	while (!kthread_should_stop()) {
		if (!has(checker->table, i))
			checker->missed++;
		if (i % 512 == 0) {
			checker->unseen += !walk_sees_all(checker->table,
							  checker->flows);
		}
		/* Odd: a resize is under way. Some buckets are moved. */
		if (i % 16 == 0 && ft_table_generation(checker->table) & 1) {
			u32 extra = 20000 + i;

			checker->between++;
			if (enter(checker->table, extra) ||
			    enter(checker->table, extra) != -EEXIST ||
			    !has(checker->table, extra) ||
			    !leave(checker->table, extra) ||
			    has(checker->table, extra))
				checker->lost++;
		}
		if (++i == checker->flows) {
			i = 0;
			WRITE_ONCE(checker->rounds, checker->rounds + 1);
		}
		/* Give way in the middle of the resize, again and again. */
		if (i % 16 == 0)
			schedule();
	}
	return 0;
}

/* No lookup that would have hit before a resize misses during it. */
static void resize_loses_nothing(struct kunit *test)
{
	struct ft_table *table = table_new(test, 1024);
	struct checker checker = { .table = table, .flows = 4000 };
	struct task_struct *thread;
	u32 i, round, generation;

	for (i = 0; i < checker.flows; i++)
		KUNIT_ASSERT_EQ(test, enter(table, i), 0);
	thread = kthread_run(check_all, &checker, "ft_checker");
	KUNIT_ASSERT_FALSE(test, IS_ERR(thread));
	generation = ft_table_generation(table);
	for (round = 0; round < 30; round++) {
		KUNIT_EXPECT_EQ(test, ft_table_resize(table, round % 2 ? 1024 :
						      16384), 0);
		/* Others come and go meanwhile. */
		for (i = 0; i < 200; i++) {
			KUNIT_EXPECT_EQ(test, enter(table, 10000 + i), 0);
			KUNIT_EXPECT_TRUE(test, leave(table, 10000 + i));
		}
		schedule_timeout_uninterruptible(1);
	}
	kthread_stop(thread);
	KUNIT_EXPECT_GT(test, checker.rounds, 2);
	KUNIT_EXPECT_GT(test, checker.between, 2);
	KUNIT_EXPECT_EQ(test, checker.missed, 0);
	KUNIT_EXPECT_EQ(test, checker.lost, 0);
	KUNIT_EXPECT_EQ(test, checker.unseen, 0);
	KUNIT_EXPECT_EQ(test, ft_table_generation(table), generation + 60);
}

static void resize_refused(struct kunit *test)
{
	struct ft_table *table = table_new(test, 64);
	u64 need, have;
	u32 i;

	/* 4 GiB of buckets: more than the machines of this test have. */
	if (ft_table_fits(FT_BUCKETS_MAX, &need, &have))
		kunit_skip(test, "this machine could carry it");
	for (i = 0; i < 50; i++)
		enter(table, i);
	KUNIT_EXPECT_EQ(test, ft_table_resize(table, FT_BUCKETS_MAX), -ENOMEM);
	KUNIT_EXPECT_EQ(test, ft_table_buckets(table), 64);
	for (i = 0; i < 50; i++)
		KUNIT_EXPECT_TRUE(test, has(table, i));
}

static void sizes_are_rounded(struct kunit *test)
{
	static const struct { u32 ask, get; } cases[] = {
		{ 1, 64 }, { 64, 64 }, { 65, 128 }, { 1000, 1024 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++)
		KUNIT_EXPECT_EQ(test, cases[i].get,
				ft_table_buckets(table_new(test, cases[i].ask)));
}

/* Growing and shrinking by count: within bounds, and no swinging. */
static void wanted_size(struct kunit *test)
{
	struct ft_table *table = table_new(test, 64);
	u32 before, count, wanted;

	for (count = 1; count < 100000; count += count / 7 + 1) {
		before = ft_table_buckets(table);
		wanted = ft_table_wanted(table, count);
		KUNIT_ASSERT_EQ(test, ft_table_resize(table, wanted), 0);
		KUNIT_EXPECT_EQ(test, ft_table_wanted(table, count), wanted);
		KUNIT_EXPECT_LE(test, count, wanted * 5);
		if (wanted == before)
			continue;
		/* Content for a good while, in both directions. */
		KUNIT_EXPECT_EQ(test, ft_table_wanted(table, count + count / 2),
				wanted);
		KUNIT_EXPECT_EQ(test, ft_table_wanted(table, count - count / 2),
				wanted);
	}
	for (; count; count -= count / 7 + 1) {
		wanted = ft_table_wanted(table, count);
		KUNIT_ASSERT_EQ(test, ft_table_resize(table, wanted), 0);
		KUNIT_EXPECT_EQ(test, ft_table_wanted(table, count), wanted);
		if (wanted > 64)
			KUNIT_EXPECT_LE(test, wanted, 2 * count + 1);
	}
}

/**
 * struct tally - what a walk saw
 * @seen: how often each flow
 * @n: calls
 * @stop_every: stop the walk at each so manieth call
 * @stopped_at: mark of the flow it was stopped at last
 */
struct tally {
	u8 *seen;
	u32 n;
	u32 stop_every;
	u32 stopped_at;
};

static int tally_flow(struct ft_flow *flow, u32 index, void *arg)
{
	struct tally *tally = arg;

	tally->n++;
	if (tally->stop_every && tally->n % tally->stop_every == 0 &&
	    tally->stopped_at != flow->mark) {
		tally->stopped_at = flow->mark;
		return 1;
	}
	tally->seen[flow->mark]++;
	return 0;
}

static void walk_sees_each_once(struct kunit *test)
{
	struct ft_table *table = table_new(test, 128);
	struct ft_cursor cursor = {};
	struct tally tally = { .stop_every = 7, .stopped_at = U32_MAX };
	u32 i;
	int more;

	tally.seen = kunit_kzalloc(test, 1500, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, tally.seen);
	/* With overflow lines. */
	for (i = 0; i < 1500; i++)
		KUNIT_ASSERT_EQ(test, enter(table, i), 0);
	do {
		rcu_read_lock();
		more = ft_table_walk(table, &cursor, 3, tally_flow, &tally);
		rcu_read_unlock();
	} while (more);
	for (i = 0; i < 1500; i++)
		KUNIT_ASSERT_EQ_MSG(test, tally.seen[i], 1, "flow %u", i);
}

static int end_flow(struct ft_flow *flow, u32 index, void *arg)
{
	struct tally *tally = arg;

	tally->n++;
	tally->seen[flow->mark]++;
	return 0;
}

/* A resize between two calls: it ends, and says that it must be done again. */
static void walk_over_resize(struct kunit *test)
{
	static const u32 sizes[] = { 1024, 64, 256 };
	struct ft_table *table = table_new(test, 256);
	struct tally tally = {};
	struct ft_cursor cursor;
	u32 i, calls, resized = 0, rounds = 0;
	int more;

	tally.seen = kunit_kzalloc(test, 1500, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, tally.seen);
	for (i = 0; i < 1500; i++)
		KUNIT_ASSERT_EQ(test, enter(table, i), 0);
	do {
		memset(tally.seen, 0, 1500);
		cursor = (struct ft_cursor){
			.generation = ft_table_generation(table),
		};
		calls = 0;
		do {
			rcu_read_lock();
			more = ft_table_walk(table, &cursor, 10, tally_flow,
					     &tally);
			rcu_read_unlock();
			if (++calls == 3 && resized < ARRAY_SIZE(sizes)) {
				u32 size = sizes[resized++];

				KUNIT_ASSERT_EQ(test, 0,
						ft_table_resize(table, size));
			}
			KUNIT_ASSERT_LT(test, calls, 200);
		} while (more);
		rounds++;
	} while (cursor.generation != ft_table_generation(table));
	KUNIT_EXPECT_EQ(test, rounds, ARRAY_SIZE(sizes) + 1);
	for (i = 0; i < 1500; i++)
		KUNIT_ASSERT_EQ_MSG(test, tally.seen[i], 1, "flow %u", i);
}

/*
 * A resize between two calls: a walk that goes on nevertheless leaves no flow out, wherever
 * it stood, in the middle of a bucket as well.
 */
static void walk_misses_none(struct kunit *test)
{
	static const u32 sizes[] = { 64, 1024, 128, 64, 512, 256 };
	struct ft_table *table = table_new(test, 256);
	u32 i, at, calls, resized;
	int more;

	for (i = 0; i < 1500; i++)
		KUNIT_ASSERT_EQ(test, enter(table, i), 0);
	for (at = 1; at < 100; at += 7) {
		struct tally tally = { .stop_every = 11, .stopped_at = U32_MAX };
		struct ft_cursor cursor = {};

		tally.seen = kunit_kzalloc(test, 1500, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, tally.seen);
		calls = 0;
		resized = 0;
		do {
			rcu_read_lock();
			more = ft_table_walk(table, &cursor, 3, tally_flow, &tally);
			rcu_read_unlock();
			if (++calls % at == 0 && resized < ARRAY_SIZE(sizes))
				KUNIT_ASSERT_EQ(test, 0,
						ft_table_resize(table, sizes[resized++]));
			KUNIT_ASSERT_LT(test, calls, 10000);
		} while (more);
		KUNIT_EXPECT_GT(test, resized, 0);
		for (i = 0; i < 1500; i++)
			KUNIT_ASSERT_GE_MSG(test, tally.seen[i], 1, "flow %u", i);
		KUNIT_ASSERT_EQ(test, 0, ft_table_resize(table, 256));
	}
}

/* Never more buckets than asked for, and none twice. */
static void walk_keeps_budget(struct kunit *test)
{
	struct ft_table *table = table_new(test, 1024);
	struct ft_cursor cursor = {};
	u32 calls = 0, before, n = 0;
	int more;

	do {
		before = cursor.bucket;
		rcu_read_lock();
		more = ft_table_walk(table, &cursor, 100, count_flow, &n);
		rcu_read_unlock();
		KUNIT_EXPECT_LE(test, cursor.bucket - before, 100);
		calls++;
	} while (more && calls < 100);
	KUNIT_EXPECT_EQ(test, calls, 11);
	KUNIT_EXPECT_EQ(test, n, 0);
}

/**
 * struct each - argument of each_flow()
 * @work: resizes the table
 * @table: the table
 * @tally: what was seen
 * @err: of the resize
 */
struct each {
	struct work_struct work;
	struct ft_table *table;
	struct tally tally;
	int err;
};

static void each_resize(struct work_struct *work)
{
	struct each *each = container_of(work, struct each, work);

	each->err = ft_table_resize(each->table, 1024);
}

/* Slow enough for the worker to get its turn before the walk is over. */
static int each_flow(struct ft_flow *flow, u32 index, void *arg)
{
	struct each *each = arg;

	if (each->tally.n == 100)
		schedule_work(&each->work);
	if (each->tally.n % 10 == 0)
		mdelay(1);
	return tally_flow(flow, index, &each->tally);
}

static struct each *each_new(struct kunit *test)
{
	struct each *each = kunit_kzalloc(test, sizeof(*each), GFP_KERNEL);
	u32 i;

	KUNIT_ASSERT_NOT_NULL(test, each);
	INIT_WORK(&each->work, each_resize);
	each->table = table_new(test, 4096);
	each->tally.seen = kunit_kzalloc(test, 1500, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, each->tally.seen);
	for (i = 0; i < 1500; i++)
		KUNIT_ASSERT_EQ(test, enter(each->table, i), 0);
	return each;
}

/* The table is resized under the walk: it sees all nevertheless. */
static void each_misses_none(struct kunit *test)
{
	struct each *each = each_new(test);
	u32 i, before = ft_table_generation(each->table);

	KUNIT_EXPECT_EQ(test, ft_table_for_each(each->table, false, each_flow,
						each), 0);
	/* As seen by the walk: had it come later, this would test nothing. */
	KUNIT_EXPECT_NE(test, ft_table_generation(each->table), before);
	flush_work(&each->work);
	KUNIT_EXPECT_EQ(test, each->err, 0);
	for (i = 0; i < 1500; i++)
		KUNIT_ASSERT_GE_MSG(test, each->tally.seen[i], 1, "flow %u", i);
}

/* Killed, a request ends at once; what must be complete goes on. */
static void each_killed(struct kunit *test)
{
	struct each *each = each_new(test);
	int err;

	allow_signal(SIGKILL);
	send_sig(SIGKILL, current, 1);
	err = ft_table_for_each(each->table, true, tally_flow, &each->tally);
	KUNIT_EXPECT_EQ(test, err, -EINTR);
	KUNIT_EXPECT_LT(test, each->tally.n, 1500);
	each->tally.n = 0;
	err = ft_table_for_each(each->table, false, tally_flow, &each->tally);
	KUNIT_EXPECT_EQ(test, err, 0);
	KUNIT_EXPECT_EQ(test, each->tally.n, 1500);
	flush_signals(current);
	disallow_signal(SIGKILL);
}

/* Hints that passed, flows that did not: looked at once, then left alone. */
static void expired_scan(struct kunit *test)
{
	struct ft_table *table = table_new(test, 64);
	struct ft_cursor cursor = {};
	struct tally tally = {};
	struct ft_flow *flow;
	struct ft_key key;
	u32 i, index[100];

	tally.seen = kunit_kzalloc(test, 100, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, tally.seen);
	for (i = 0; i < 100; i++) {
		key_of(&key, i);
		KUNIT_ASSERT_EQ(test, enter_as(table, i, hash_of(table, &key),
					       i < 50 ? HZ / 2 : 600 * HZ, 0,
					       &index[i]), 0);
	}
	/* Ten of them got a packet meanwhile. */
	for (i = 0; i < 10; i++) {
		rcu_read_lock();
		flow = ft_table_at(table, index[i]);
		flow->deadline = ft_now() + 600 * HZ;
		rcu_read_unlock();
	}
	rcu_read_lock();
	KUNIT_EXPECT_EQ(test, ft_table_expired(table, &cursor, U32_MAX, end_flow,
					       &tally, NULL), 0);
	rcu_read_unlock();
	/* Whatever the hints say, nobody's deadline has passed; then all have. */
	KUNIT_EXPECT_EQ(test, tally.n, 0);
	msleep(520);
	cursor = (struct ft_cursor){};
	rcu_read_lock();
	KUNIT_EXPECT_EQ(test, ft_table_expired(table, &cursor, U32_MAX, end_flow,
					       &tally, NULL), 0);
	rcu_read_unlock();
	KUNIT_EXPECT_EQ(test, tally.n, 40);
	/* The slots of those that go on say so now: no look for ten minutes. */
	for (i = 0; i < 10; i++) {
		struct ft_candidate out[56];
		u32 n, found = 0;

		key_of(&key, i);
		rcu_read_lock();
		n = ft_table_sample(table, hash_of(table, &key),
				    FLOWTRACK_CLASS_ASSURED, out, ARRAY_SIZE(out));
		rcu_read_unlock();
		while (n--)
			found += out[n].index == index[i] && out[n].left > 500;
		KUNIT_EXPECT_EQ(test, found, 1);
	}
	for (i = 0; i < 100; i++)
		KUNIT_EXPECT_EQ(test, tally.seen[i], i >= 10 && i < 50);
}

static void sample_tells_class_and_time(struct kunit *test)
{
	struct ft_candidate out[100];
	struct ft_table *table = table_new(test, 64);
	u32 i, n, index, seen[4] = {};
	struct ft_key key;

	rcu_read_lock();
	KUNIT_EXPECT_EQ(test, ft_table_sample(table, 0,
					      FLOWTRACK_CLASS_ASSURED, out,
					      ARRAY_SIZE(out)), 0);
	rcu_read_unlock();
	/* In a sparse table it goes as far as it takes. */
	KUNIT_ASSERT_EQ(test, enter_as(table, 0, 1, HZ, 0, &index), 0);
	rcu_read_lock();
	KUNIT_EXPECT_EQ(test, ft_table_sample(table, 2,
					      FLOWTRACK_CLASS_ASSURED, out,
					      ARRAY_SIZE(out)), 1);
	local_bh_disable();
	ft_flow_kill(ft_table_at(table, index), ft_table_at(table, index)->gen);
	ft_table_remove(table, index, 1);
	local_bh_enable();
	rcu_read_unlock();
	for (i = 0; i < 100; i++) {
		key_of(&key, i);
		KUNIT_ASSERT_EQ(test, enter_as(table, i, hash_of(table, &key),
					       (i % 4 + 1) * 1000 * HZ, i % 4,
					       &index), 0);
	}
	rcu_read_lock();
	n = ft_table_sample(table, 12345, FLOWTRACK_CLASS_ASSURED, out,
			    ARRAY_SIZE(out));
	for (i = 0; i < n; i++) {
		struct ft_flow *flow = ft_table_at(table, out[i].index);

		KUNIT_EXPECT_NOT_NULL(test, flow);
		KUNIT_EXPECT_EQ(test, out[i].class, flow->mark % 4);
		/* A coarse deadline says no more than it has bits for. */
		KUNIT_EXPECT_GE(test, out[i].left,
				min((out[i].class + 1) * 1000 - 1, 4094));
		KUNIT_EXPECT_LE(test, out[i].left,
				min((out[i].class + 1) * 1000, 4095));
		seen[out[i].class]++;
	}
	rcu_read_unlock();
	/* Those of a line more than it takes. */
	KUNIT_EXPECT_GE(test, n, 12);
	KUNIT_EXPECT_LT(test, n, 12 + FT_SLOTS);
	KUNIT_EXPECT_EQ(test, seen[0] + seen[1] + seen[2] + seen[3], n);
	rcu_read_lock();
	KUNIT_EXPECT_EQ(test, ft_table_sample(table, 12345,
					      FLOWTRACK_CLASS_ASSURED, out,
					      5), 5);
	rcu_read_unlock();
}

/* A class that changed shows in samples once the slot was brought up to date. */
static void hint_follows_flow(struct kunit *test)
{
	struct ft_table *table = table_new(test, 64);
	struct ft_candidate out[8];
	struct ft_flow *flow;
	struct ft_key key;
	u32 index;
	u64 hash;

	key_of(&key, 1);
	hash = hash_of(table, &key);
	KUNIT_ASSERT_EQ(test, enter_as(table, 1, hash, 100 * HZ,
				       FLOWTRACK_CLASS_EMBRYONIC, &index), 0);
	rcu_read_lock();
	local_bh_disable();
	flow = ft_table_at(table, index);
	ft_flow_lock(flow);
	flow->deadline = ft_now() + 10 * HZ;
	ft_flow_unlock(flow, FLOWTRACK_CLASS_ASSURED << 5);
	KUNIT_EXPECT_TRUE(test, ft_table_hint(table, index, hash));
	KUNIT_EXPECT_FALSE(test, ft_table_hint(table, index + 1, hash));
	KUNIT_EXPECT_EQ(test, ft_table_sample(table, hash,
					      FLOWTRACK_CLASS_ASSURED, out,
					      8), 1);
	KUNIT_EXPECT_EQ(test, out[0].class, FLOWTRACK_CLASS_ASSURED);
	KUNIT_EXPECT_LE(test, out[0].left, 11);
	local_bh_enable();
	rcu_read_unlock();
}

/* A guess goes by family and tag: two flows of one hash, and one of the other family. */
static void guesses(struct kunit *test)
{
	struct ft_table *table = table_new(test, 64);
	u32 decoy, other, own, index;
	struct ft_flow *flow;
	struct ft_key key;
	u64 hash;

	key_of(&key, 1);
	hash = hash_of(table, &key);
	rcu_read_lock();
	KUNIT_EXPECT_NULL(test, ft_table_guess(table, &key, hash, &index));
	KUNIT_EXPECT_EQ(test, ft_table_fetch(table, &key, hash), FT_INDEX_NONE);
	/* IPv6: never. */
	KUNIT_ASSERT_EQ(test, enter_as(table, 4, hash, HZ, FLOWTRACK_CLASS_CLOSING, &other), 0);
	KUNIT_EXPECT_NULL(test, ft_table_guess(table, &key, hash, &index));
	KUNIT_EXPECT_EQ(test, ft_table_fetch(table, &key, hash), FT_INDEX_NONE);
	KUNIT_ASSERT_EQ(test, enter(table, 1), 0);
	KUNIT_ASSERT_NOT_NULL(test, ft_table_lookup(table, &key, hash, &own));
	/* Behind the other one: found, as the sure way leads there. */
	KUNIT_EXPECT_PTR_EQ(test, ft_table_guess(table, &key, hash, &index),
			    ft_table_at(table, own));
	KUNIT_EXPECT_EQ(test, index, own);
	local_bh_disable();
	flow = ft_table_at(table, other);
	KUNIT_ASSERT_TRUE(test, ft_flow_kill(flow, flow->gen));
	KUNIT_ASSERT_TRUE(test, ft_table_remove(table, other, hash));
	ft_table_free(table, flow, other);
	local_bh_enable();
	KUNIT_EXPECT_EQ(test, ft_table_fetch(table, &key, hash), own);

	/* Takes the place that is free, which is the first one. */
	KUNIT_ASSERT_EQ(test, enter_as(table, 2, hash, HZ, FLOWTRACK_CLASS_CLOSING, &decoy), 0);
	KUNIT_EXPECT_PTR_EQ(test, ft_table_guess(table, &key, hash, &index),
			    ft_table_at(table, decoy));
	KUNIT_EXPECT_EQ(test, index, decoy);
	KUNIT_EXPECT_EQ(test, ft_table_fetch(table, &key, hash), decoy);
	KUNIT_EXPECT_PTR_EQ(test, ft_table_lookup(table, &key, hash, &index),
			    ft_table_at(table, own));
	rcu_read_unlock();
}

static void stress(struct kunit *test)
{
	struct ft_stress *s = kunit_kzalloc(test, sizeof(*s), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, s);
	s->table = table_new(test, 64);
	KUNIT_EXPECT_EQ(test, ft_stress(s, 2 * num_online_cpus(), 3000), 0);
	kunit_info(test, "%d lookups, %d inserts, %d resizes",
		   atomic_read(&s->lookups), atomic_read(&s->inserts),
		   atomic_read(&s->resizes));
	KUNIT_EXPECT_GT(test, atomic_read(&s->lookups), 1000);
	KUNIT_EXPECT_GT(test, atomic_read(&s->inserts), 1000);
	KUNIT_EXPECT_GT(test, atomic_read(&s->resizes), 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&s->missed), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&s->unseen), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&s->early), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&s->twins), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&s->left), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&s->ends), atomic_read(&s->inserts));
}

static struct kunit_case table_cases[] = {
	KUNIT_CASE(insert_lookup_remove),
	KUNIT_CASE(may_have),
	KUNIT_CASE(insert_wakes),
	KUNIT_CASE(chain_limit),
	KUNIT_CASE(chain_trimmed),
	KUNIT_CASE(out_of_memory),
	KUNIT_CASE(expired_equal),
	KUNIT_CASE_SLOW(random_twin),
	KUNIT_CASE_SLOW(resize_loses_nothing),
	KUNIT_CASE(resize_refused),
	KUNIT_CASE(resize_too_small),
	KUNIT_CASE(sizes_are_rounded),
	KUNIT_CASE(wanted_size),
	KUNIT_CASE(walk_sees_each_once),
	KUNIT_CASE(walk_over_resize),
	KUNIT_CASE(walk_misses_none),
	KUNIT_CASE(walk_keeps_budget),
	KUNIT_CASE(each_misses_none),
	KUNIT_CASE(each_killed),
	KUNIT_CASE(expired_scan),
	KUNIT_CASE(sample_tells_class_and_time),
	KUNIT_CASE(hint_follows_flow),
	KUNIT_CASE(guesses),
	KUNIT_CASE_SLOW(stress),
	{}
};

static struct kunit_suite table_suite = {
	.name = "ft_table",
	.test_cases = table_cases,
};

kunit_test_suite(table_suite);
