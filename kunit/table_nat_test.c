// SPDX-License-Identifier: GPL-2.0
/*
 * Translated flows in the table: found by either key, there with both or not at all,
 * against a naive twin (which flow has which key), with resizes in between.
 */
#include <kunit/test.h>
#include <linux/bottom_half.h>
#include <linux/delay.h>
#include <linux/prandom.h>

#include "base/fault_inject.h"
#include "ft_stress.h"
#include "flow/sieve.h"
#include "flow/table.h"

/* Flows; key number i + FLOWS is a second one, and so may be another's first. */
#define FLOWS	4000
#define NONE	U32_MAX

static void table_free_action(void *table)
{
	ft_table_destroy(table);
}

static struct ft_table *table_new(struct kunit *test, u32 buckets)
{
	struct ft_table *table = ft_table_create(buckets);

	KUNIT_ASSERT_FALSE(test, IS_ERR(table));
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, table_free_action, table), 0);
	return table;
}

static u64 hash_of(struct ft_table *table, const struct ft_key *key)
{
	return ft_key_hash(key, ft_table_secret(table));
}

/* Enter flow @i with the keys of numbers @i and @second; NONE: not translated. */
static int enter(struct ft_table *table, u32 i, u32 second, u32 timeout)
{
	struct ft_flow *flow, *clash;
	struct ft_key key, answer;
	struct ft_nat *nat;
	u32 index, word;
	int err;

	ft_stress_key(&key, i);
	rcu_read_lock();
	local_bh_disable();
	flow = second == NONE ? ft_table_alloc(table, key.family, &index) :
				ft_table_alloc_nat(table, key.family, &index);
	if (!flow) {
		err = -ENOBUFS;
		goto out;
	}
	word = FT_FLOW_DEAD | FLOWTRACK_CLASS_EMBRYONIC << 5;
	ft_flow_lock(flow);
	memcpy(&flow->key, &key, sizeof(flow->key));
	if (key.family == NFPROTO_IPV6)
		memcpy(ft_flow_addr6(flow), key.addr6, sizeof(key.addr6));
	if (second != NONE) {
		ft_stress_key(&answer, second);
		nat = ft_flow_nat(flow, key.family);
		memcpy(nat->port, answer.port, sizeof(nat->port));
		nat->masq = i;
		if (key.family == NFPROTO_IPV6)
			memcpy(nat->addr6, answer.addr6, sizeof(nat->addr6));
		else
			memcpy(nat->addr4, answer.addr4, sizeof(nat->addr4));
		word |= FT_FLOW_SNAT | FT_FLOW_REPLY_HI;
	}
	flow->deadline = ft_now() + timeout;
	flow->mark = i;
	ft_flow_unlock(flow, word);
	if (second == NONE)
		err = ft_table_insert(table, flow, index, hash_of(table, &key), &clash);
	else
		err = ft_table_insert_nat(table, flow, index, hash_of(table, &key),
					  hash_of(table, &answer), &clash);
	if (err)
		ft_table_free(table, flow, index);
out:
	local_bh_enable();
	rcu_read_unlock();
	return err;
}

/* Which flow has key number @n? */
static u32 owner(struct ft_table *table, u32 n)
{
	struct ft_flow *flow;
	struct ft_key key;
	u32 index, i = NONE;

	ft_stress_key(&key, n);
	rcu_read_lock();
	flow = ft_table_lookup(table, &key, hash_of(table, &key), &index);
	if (flow && ft_table_at(table, index) == flow)
		i = flow->mark;
	rcu_read_unlock();
	return i;
}

static bool leave(struct ft_table *table, u32 n)
{
	struct ft_key key, first;
	struct ft_flow *flow;
	bool left = false;
	u32 index;

	ft_stress_key(&key, n);
	rcu_read_lock();
	local_bh_disable();
	flow = ft_table_lookup(table, &key, hash_of(table, &key), &index);
	if (flow && ft_flow_kill(flow, flow->gen)) {
		ft_flow_key(flow, &first);
		left = ft_table_remove(table, index, hash_of(table, &first));
		ft_table_free(table, flow, index);
	}
	local_bh_enable();
	rcu_read_unlock();
	return left;
}

/* Ended, but not taken out yet, when a resize comes: it is not counted any more. */
static void ends_over_a_resize(struct kunit *test)
{
	struct ft_table *table = table_new(test, 64);
	struct ft_flow *flow;
	struct ft_key key;
	bool killed;
	u32 index;

	KUNIT_ASSERT_EQ(test, enter(table, 1, FLOWS + 1, 100 * HZ), 0);
	KUNIT_ASSERT_EQ(test, enter(table, 2, FLOWS + 2, 100 * HZ), 0);
	KUNIT_EXPECT_EQ(test, ft_table_translated(table), 2);
	ft_stress_key(&key, 1);
	rcu_read_lock();
	local_bh_disable();
	flow = ft_table_lookup(table, &key, hash_of(table, &key), &index);
	killed = flow && ft_flow_kill(flow, flow->gen);
	local_bh_enable();
	rcu_read_unlock();
	KUNIT_ASSERT_TRUE(test, killed);
	KUNIT_ASSERT_EQ(test, ft_table_resize(table, 128), 0);
	rcu_read_lock();
	local_bh_disable();
	ft_table_remove(table, index, hash_of(table, &key));
	ft_table_free(table, flow, index);
	local_bh_enable();
	rcu_read_unlock();
	KUNIT_EXPECT_EQ(test, ft_table_translated(table), 1);
	KUNIT_EXPECT_TRUE(test, leave(table, FLOWS + 2));
	KUNIT_EXPECT_EQ(test, ft_table_translated(table), 0);
}

static int count_one(struct ft_flow *flow, u32 index, void *arg)
{
	u8 *seen = arg;

	seen[flow->mark]++;
	return 0;
}

static void found_by_both(struct kunit *test)
{
	struct ft_table *table = table_new(test, 64);
	u32 i;

	/* Of each family; a key that another flow has is refused, whichever it is. */
	for (i = 0; i < 8; i++) {
		KUNIT_ASSERT_EQ(test, enter(table, i, i + FLOWS, HZ * 600), 0);
		KUNIT_EXPECT_EQ(test, owner(table, i), i);
		KUNIT_EXPECT_EQ(test, owner(table, i + FLOWS), i);
		KUNIT_EXPECT_EQ(test, enter(table, i, i + 2 * FLOWS, HZ * 600), -EEXIST);
		KUNIT_EXPECT_EQ(test, owner(table, i + 2 * FLOWS), NONE);
		KUNIT_EXPECT_EQ(test, enter(table, i + 8, i + FLOWS, HZ * 600), -EEXIST);
		KUNIT_EXPECT_EQ(test, owner(table, i + 8), NONE);
		KUNIT_EXPECT_EQ(test, enter(table, i + FLOWS, NONE, HZ * 600), -EEXIST);
	}
	for (i = 0; i < 8; i++) {
		KUNIT_EXPECT_TRUE(test, leave(table, i % 2 ? i : i + FLOWS));
		KUNIT_EXPECT_EQ(test, owner(table, i), NONE);
		KUNIT_EXPECT_EQ(test, owner(table, i + FLOWS), NONE);
		KUNIT_EXPECT_EQ(test, enter(table, i + FLOWS, NONE, HZ * 600), 0);
	}
	KUNIT_EXPECT_EQ(test, ft_stress_stale(table), 0);
}

static void faults_off(void *unused)
{
	WRITE_ONCE(ft_faults, 0);
}

/* No line for the second key: the first one is not in, either. */
static void all_or_nothing(struct kunit *test)
{
	struct ft_table *table = table_new(test, 64);
	u32 i, n, second = 0;
	struct ft_key key;

	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, faults_off, NULL), 0);
	for (i = 0, n = 0; n <= FT_SLOTS; i++) {
		ft_stress_key(&key, i);
		if ((hash_of(table, &key) & 63) != 5)
			continue;
		second = i;
		if (n++ < FT_SLOTS)
			KUNIT_ASSERT_EQ(test, enter(table, i, NONE, HZ * 600), 0);
	}
	for (i = second + 4; ; i += 4) {
		ft_stress_key(&key, i);
		if ((hash_of(table, &key) & 63) != 5)
			break;
	}
	WRITE_ONCE(ft_faults, FT_FAULT_LINE);
	KUNIT_EXPECT_EQ(test, enter(table, i, second, HZ * 600), -ENOMEM);
	KUNIT_EXPECT_EQ(test, owner(table, i), NONE);
	KUNIT_EXPECT_EQ(test, owner(table, second), NONE);
	KUNIT_EXPECT_EQ(test, ft_stress_stale(table), 0);
	WRITE_ONCE(ft_faults, 0);
	KUNIT_EXPECT_EQ(test, enter(table, i, second, HZ * 600), 0);
	KUNIT_EXPECT_EQ(test, owner(table, second), i);
}

/* Which key a packet has, and from which end it comes, tells its direction. */
static void key_tells_direction(struct kunit *test)
{
	struct ft_table *table = table_new(test, 64);
	struct ft_flow *flow;
	struct ft_key key;
	enum ft_dir dir;
	u32 index, i, n;
	bool hi;
	u32 word;

	for (i = 0; i < 2; i++) {
		KUNIT_ASSERT_EQ(test, enter(table, i, i + FLOWS, HZ * 600), 0);
		for (n = 0; n < 4; n++) {
			hi = n & 1;
			ft_stress_key(&key, n & 2 ? i + FLOWS : i);
			rcu_read_lock();
			flow = ft_table_lookup(table, &key, hash_of(table, &key), &index);
			word = flow ? atomic_read(&flow->word) : 0;
			/* enter() has them opened from below, and answered from above. */
			KUNIT_EXPECT_EQ(test, flow && ft_flow_dir(flow, word, &key, hi, &dir),
					hi == !!(n & 2));
			KUNIT_EXPECT_EQ(test, dir, n & 2 ? FT_DIR_REPLY : FT_DIR_ORIG);
			rcu_read_unlock();
		}
	}
}

/* A copy has the second key; one that is not translated has none. */
static void copied(struct kunit *test)
{
	struct ft_table *table = table_new(test, 64);
	struct ft_flow6 copy = {};
	struct ft_key key, answer;
	struct ft_flow *flow;
	u32 index, i;

	for (i = 0; i < 2; i++) {
		KUNIT_ASSERT_EQ(test, enter(table, i, i + FLOWS, HZ * 600), 0);
		ft_stress_key(&key, i + FLOWS);
		rcu_read_lock();
		flow = ft_table_lookup(table, &key, hash_of(table, &key), &index);
		KUNIT_EXPECT_TRUE(test, flow && ft_flow_snapshot(flow, 0, &copy));
		rcu_read_unlock();
		KUNIT_EXPECT_TRUE(test, ft_copy_matches(&copy, &key));
		KUNIT_EXPECT_EQ(test, copy.nat.masq, i);
		ft_nat_key(&copy.f, &copy.nat, &answer);
		KUNIT_EXPECT_EQ(test, memcmp(&answer, &key, sizeof(key)), 0);
		ft_stress_key(&key, i);
		KUNIT_EXPECT_TRUE(test, ft_copy_matches(&copy, &key));
		ft_stress_key(&key, i + 4);
		KUNIT_EXPECT_FALSE(test, ft_copy_matches(&copy, &key));
	}
}

/* Scans look at first keys only. */
static void seen_once(struct kunit *test)
{
	struct ft_table *table = table_new(test, 64);
	struct ft_candidate out[16];
	struct ft_cursor cursor = {};
	struct ft_census census = {};
	unsigned int n, j;
	u8 *seen;
	u32 i;

	seen = kunit_kzalloc(test, 2 * FLOWS, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, seen);
	for (i = 0; i < 300; i++)
		KUNIT_ASSERT_EQ(test, enter(table, i, i + FLOWS, 1), 0);
	/* 600 slots in 64 buckets: more than fits well. */
	KUNIT_EXPECT_EQ(test, ft_table_wanted(table, 300), 256);
	rcu_read_lock();
	n = ft_table_sample(table, 7, FLOWTRACK_CLASS_ASSURED, out, ARRAY_SIZE(out));
	for (j = 0; j < n; j++)
		KUNIT_EXPECT_EQ(test, out[j].class, FLOWTRACK_CLASS_EMBRYONIC);
	KUNIT_EXPECT_EQ(test, ft_table_walk(table, &cursor, U32_MAX / 2, count_one, seen), 0);
	rcu_read_unlock();
	for (i = 0; i < 300; i++)
		KUNIT_ASSERT_EQ_MSG(test, seen[i], 1, "flow %u", i);
	cursor = (struct ft_cursor){};
	msleep(1100);
	rcu_read_lock();
	KUNIT_EXPECT_EQ(test, ft_table_expired(table, &cursor, U32_MAX / 2, count_one, seen,
					       &census), 0);
	rcu_read_unlock();
	for (i = 0; i < 300; i++)
		KUNIT_ASSERT_EQ_MSG(test, seen[i], 2, "flow %u", i);
	KUNIT_EXPECT_EQ(test, census.n[FLOWTRACK_CLASS_EMBRYONIC], 300);
	KUNIT_EXPECT_EQ(test, census.n[FLOWTRACK_CLASS_CLOSING], 0);
}

static bool sieve_has(const struct ft_table *table, u32 n)
{
	struct ft_key key;
	bool has;

	ft_stress_key(&key, n);
	rcu_read_lock();
	has = ft_sieve_has(ft_table_sieve(table), ft_sieve_pair(key.addr4[1], key.addr4[0]));
	rcu_read_unlock();
	return has;
}

/* Random operations, with a resize now and then, against a list of each flow's keys. */
static void random_twin(struct kunit *test)
{
	static const u32 sizes[] = { 64, 128, 512, 1024, 4096, 256, 64, 2048 };
	struct ft_table *table = table_new(test, 64);
	u32 round, i, second, n, passed;
	u32 *has, *other;
	struct rnd_state rnd;
	int want;

	has = kunit_kcalloc(test, 2 * FLOWS, sizeof(*has), GFP_KERNEL);
	other = kunit_kcalloc(test, FLOWS, sizeof(*other), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, has);
	KUNIT_ASSERT_NOT_NULL(test, other);
	memset(has, 0xff, 2 * FLOWS * sizeof(*has));
	prandom_seed_state(&rnd, 15);
	for (round = 0; round < 60000; round++) {
		i = prandom_u32_state(&rnd) % FLOWS;
		n = prandom_u32_state(&rnd) % (2 * FLOWS);
		switch (prandom_u32_state(&rnd) % 8) {
		case 0 ... 2:
			/* Of the same family: as numbers are, by four. */
			second = (i + 4 * (n % (FLOWS / 2 - 1)) + 4) % (2 * FLOWS);
			want = has[i] == NONE && has[second] == NONE ? 0 : -EEXIST;
			KUNIT_ASSERT_EQ(test, enter(table, i, second, HZ * 600), want);
			if (!want) {
				has[i] = i;
				has[second] = i;
				other[i] = second;
			}
			break;
		case 3:
			want = has[i] == NONE ? 0 : -EEXIST;
			KUNIT_ASSERT_EQ(test, enter(table, i, NONE, HZ * 600), want);
			if (!want) {
				has[i] = i;
				other[i] = i;
			}
			break;
		case 4 ... 5:
			KUNIT_ASSERT_EQ(test, leave(table, n), has[n] != NONE);
			if (has[n] == NONE)
				break;
			i = has[n];
			has[other[i]] = NONE;
			has[i] = NONE;
			break;
		default:
			KUNIT_ASSERT_EQ(test, owner(table, n), has[n]);
			break;
		}
		if (round % 4000 == 0) {
			KUNIT_ASSERT_EQ(test, ft_table_resize(table, sizes[round / 4000 % 8]), 0);
			KUNIT_ASSERT_EQ(test, ft_stress_stale(table), 0);
			/* None, it is told: so it is sure to do it. */
			ft_table_sieve_renew(table, 0);
			for (n = 0, passed = 0; n < 2 * FLOWS; n++) {
				KUNIT_ASSERT_EQ_MSG(test, owner(table, n), has[n], "key %u", n);
				passed += sieve_has(table, n);
				KUNIT_ASSERT_TRUE_MSG(test, has[n] == NONE || sieve_has(table, n),
						      "key %u", n);
			}
			/* Half of the keys have no flow. */
			KUNIT_ASSERT_LT(test, passed, 2 * FLOWS * 3 / 4);
		}
	}
}

static struct kunit_case table_nat_cases[] = {
	KUNIT_CASE(found_by_both),
	KUNIT_CASE(all_or_nothing),
	KUNIT_CASE(key_tells_direction),
	KUNIT_CASE(copied),
	KUNIT_CASE(seen_once),
	KUNIT_CASE(ends_over_a_resize),
	KUNIT_CASE_SLOW(random_twin),
	{}
};

static struct kunit_suite table_nat_suite = {
	.name = "ft_table_nat",
	.test_cases = table_nat_cases,
};

kunit_test_suite(table_nat_suite);
