// SPDX-License-Identifier: GPL-2.0
#include <kunit/test.h>
#include <linux/prandom.h>
#include <net/netfilter/nf_conntrack_tuple.h>
#include <net/netfilter/nf_conntrack_zones.h>

#include "flow/shadow.h"

#define CLOSING		FLOWTRACK_CLASS_CLOSING
#define EMBRYONIC	FLOWTRACK_CLASS_EMBRYONIC
#define ASSURED		FLOWTRACK_CLASS_ASSURED

static void shadows_free(void *shadows)
{
	ft_shadows_exit(shadows);
}

static struct ft_shadows *shadows_make(struct kunit *test)
{
	struct ft_shadows *shadows;

	shadows = kunit_kzalloc(test, sizeof(*shadows), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, shadows);
	KUNIT_ASSERT_EQ(test, ft_shadows_init(shadows, NULL), 0);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, shadows_free,
							shadows), 0);
	return shadows;
}

/* The key of flow number @i. */
static struct ft_shadow_key key_of(u32 i)
{
	struct ft_shadow_key key = {};

	key.addr[0].ip = htonl(0x0a000000 + i / 4);
	key.addr[1].ip = htonl(0xc0000201);
	key.port[0] = htons(1000 + i % 4);
	key.port[1] = htons(53);
	key.l4proto = IPPROTO_UDP;
	key.bits = NF_CT_DEFAULT_ZONE_DIR;
	return key;
}

static int add(struct ft_shadows *shadows, u32 i, enum flowtrack_class class,
	       u32 deadline)
{
	struct ft_shadow_key key = key_of(i);
	int err;

	rcu_read_lock();
	err = ft_shadow_add(shadows, &key, class, deadline, 0);
	rcu_read_unlock();
	return err;
}

static bool drop(struct ft_shadows *shadows, u32 i)
{
	struct ft_shadow_key key = key_of(i);
	u32 word;

	return ft_shadow_drop(shadows, &key, &word);
}

/* From a flow of nf_conntrack to a key and back: nothing is lost. */
static void keys(struct kunit *test)
{
	static const struct {
		const char *name;
		u8 family, l4proto, dir;
		u16 zone;
	} cases[] = {
		{ "IPv4", NFPROTO_IPV4, IPPROTO_TCP, NF_CT_DEFAULT_ZONE_DIR, 0 },
		{ "IPv6", NFPROTO_IPV6, IPPROTO_UDP, NF_CT_DEFAULT_ZONE_DIR, 7 },
		{ "zone of one direction", NFPROTO_IPV4, IPPROTO_ICMP,
		  NF_CT_ZONE_DIR_ORIG, 65535 },
		{ "zone of the other", NFPROTO_IPV6, IPPROTO_GRE,
		  NF_CT_ZONE_DIR_REPL, 1 },
	};
	struct nf_conntrack_tuple tuple, back;
	struct nf_conntrack_zone zone, zback;
	struct ft_shadow_key key;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		memset(&tuple, 0, sizeof(tuple));
		get_random_bytes(&tuple.src.u3, sizeof(tuple.src.u3));
		get_random_bytes(&tuple.dst.u3, sizeof(tuple.dst.u3));
		tuple.src.u.all = htons(i + 1);
		tuple.dst.u.all = htons(0x0800 + i);
		tuple.src.l3num = cases[i].family;
		tuple.dst.protonum = cases[i].l4proto;
		nf_ct_zone_init(&zone, cases[i].zone, cases[i].dir, 0);
		ft_shadow_key_set(&key, &tuple, &zone);
		ft_shadow_key_tuple(&key, &back, &zback);
		KUNIT_EXPECT_MEMEQ_MSG(test, &back, &tuple, sizeof(tuple), "%s",
				       cases[i].name);
		KUNIT_EXPECT_EQ_MSG(test, zback.id, zone.id, "%s",
				    cases[i].name);
		KUNIT_EXPECT_EQ_MSG(test, zback.dir, zone.dir, "%s",
				    cases[i].name);
	}
}

/* What tells two flows apart tells their shadows apart. */
static void keys_differ(struct kunit *test)
{
	struct ft_shadows *shadows = shadows_make(test);
	struct ft_shadow_key key = key_of(0), other;
	unsigned int i;

	rcu_read_lock();
	KUNIT_EXPECT_EQ(test, ft_shadow_add(shadows, &key, CLOSING, 1, 0), 0);
	for (i = 0; i < sizeof(key); i++) {
		other = key;
		((u8 *)&other)[i] ^= 1;
		KUNIT_EXPECT_NULL_MSG(test, ft_shadow_find(shadows, &other),
				      "byte %u", i);
	}
	KUNIT_EXPECT_NOT_NULL(test, ft_shadow_find(shadows, &key));
	rcu_read_unlock();
}

/*
 * Deadlines and the time of the last packet move in steps of a second, forward;
 * backward, and classes, at once.
 */
static void updates(struct kunit *test)
{
	static const struct {
		const char *name;
		bool packet;
		u32 bits;
		s32 gain, after;
		s32 want, want_seen;
	} cases[] = {
		{ "nothing new", true, EMBRYONIC, 0, 0, 0, 0 },
		{ "less than a second", true, EMBRYONIC, HZ - 1, HZ - 1, 0, 0 },
		{ "a second", true, EMBRYONIC, HZ, HZ, HZ, HZ },
		{ "a fixed timeout", true, EMBRYONIC, -HZ, 3 * HZ, -HZ,
		  3 * HZ },
		{ "nearer", true, EMBRYONIC, -1, 0, -1, 0 },
		{ "another class", true, ASSURED, 1, 1, 0, 0 },
		{ "late", true, CLOSING | FT_SHADOW_LAST_DUE, 1, 1, 0, 0 },
		{ "looked at: as it was", false, EMBRYONIC, 0, 9 * HZ, 0, 0 },
		{ "looked at: another class", false, ASSURED, 0, 9 * HZ, 0, 0 },
		{ "looked at: it had a packet", false, EMBRYONIC, 9 * HZ,
		  9 * HZ, 9 * HZ, 9 * HZ },
	};
	struct ft_shadows *shadows = shadows_make(test);
	u32 base = (U32_MAX - HZ / 2) & FT_SHADOW_SEEN;
	struct ft_shadow_key key = key_of(0);
	struct ft_shadow *shadow;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		rcu_read_lock();
		ft_shadow_add(shadows, &key, EMBRYONIC, base, base);
		shadow = ft_shadow_find(shadows, &key);
		KUNIT_ASSERT_NOT_NULL(test, shadow);
		if (cases[i].packet)
			KUNIT_EXPECT_EQ_MSG(test,
					    ft_shadow_packet(shadow, cases[i].bits,
							     base + cases[i].gain,
							     base + cases[i].after),
					    cases[i].bits == ASSURED, "%s",
					    cases[i].name);
		else
			ft_shadow_update(shadow, cases[i].bits,
					 base + cases[i].gain,
					 base + cases[i].after);
		KUNIT_EXPECT_EQ_MSG(test, shadow->deadline,
				    base + cases[i].want, "%s", cases[i].name);
		KUNIT_EXPECT_EQ_MSG(test, shadow->word & ~FT_SHADOW_SEEN,
				    cases[i].bits, "%s", cases[i].name);
		KUNIT_EXPECT_EQ_MSG(test, shadow->word & FT_SHADOW_SEEN,
				    (base + cases[i].want_seen) &
				    FT_SHADOW_SEEN, "%s", cases[i].name);
		rcu_read_unlock();
		KUNIT_EXPECT_TRUE(test, drop(shadows, 0));
	}
	add(shadows, 0, EMBRYONIC, base);
	/* A shadow that is there is brought up to date by another one. */
	KUNIT_EXPECT_EQ(test, add(shadows, 0, ASSURED, base + 2 * HZ), -EEXIST);
	rcu_read_lock();
	shadow = ft_shadow_find(shadows, &key);
	KUNIT_EXPECT_EQ(test, ft_shadow_class(shadow->word), ASSURED);
	KUNIT_EXPECT_EQ(test, ft_shadow_left(shadow, base), 2 * HZ);
	rcu_read_unlock();
	KUNIT_EXPECT_EQ(test, ft_shadow_count(shadows), 1);
}

/*
 * Never more than it was, whenever the packets came, and never much less; of a
 * flow that nobody answered never less, and never much more.
 */
static void idle(struct kunit *test)
{
	struct ft_shadow shadow = {}, embryonic = {};
	u32 seed = get_random_u32();
	u32 now, last = 0, real, i;
	struct rnd_state rnd;

	prandom_seed_state(&rnd, seed);
	now = prandom_u32_state(&rnd);
	for (i = 0; i < 20000; i++) {
		now += prandom_u32_state(&rnd) % (i & 1 ? 7 * HZ : 50);
		if (!i || prandom_u32_state(&rnd) % 2) {
			ft_shadow_packet(&shadow, ASSURED, 0, now);
			ft_shadow_packet(&embryonic, EMBRYONIC, 0, now);
			last = now;
		}
		real = now - last;
		KUNIT_ASSERT_LE_MSG(test, ft_shadow_idle(shadow.word, now),
				    real, "seed %u step %u", seed, i);
		KUNIT_ASSERT_GE_MSG(test, ft_shadow_idle(shadow.word, now) +
				    FT_SHADOW_STEP + 32, real,
				    "seed %u step %u", seed, i);
		KUNIT_ASSERT_GE_MSG(test, ft_shadow_idle(embryonic.word, now),
				    real, "seed %u step %u", seed, i);
		KUNIT_ASSERT_LE_MSG(test, ft_shadow_idle(embryonic.word, now),
				    real + FT_SHADOW_STEP + 32,
				    "seed %u step %u", seed, i);
	}
	/* A packet that another CPU saw a moment later. */
	KUNIT_EXPECT_EQ(test, ft_shadow_idle(shadow.word, last - 1), 0);
	last = embryonic.word & FT_SHADOW_SEEN;
	KUNIT_EXPECT_EQ(test, ft_shadow_idle(embryonic.word, last - 1), 0);
}

/* How a source counts a flow outlives packets, and the caller that drops it is told. */
static void sources(struct kunit *test)
{
	const u32 mark[2] = { BIT(3), BIT(4) };
	struct ft_shadows *shadows = shadows_make(test);
	struct ft_shadow_key key = key_of(0), other = key_of(1);
	struct ft_shadow *shadow;
	u32 word = 0;

	rcu_read_lock();
	ft_shadow_add(shadows, &key, EMBRYONIC | mark[0], 1, 1);
	shadow = ft_shadow_find(shadows, &key);
	ft_shadow_packet(shadow, ASSURED, 9 * HZ, 9 * HZ);
	ft_shadow_update(shadow, CLOSING, 99 * HZ, 99 * HZ);
	/* A second one of the same flow is counted by the caller that brought it. */
	KUNIT_EXPECT_EQ(test, ft_shadow_add(shadows, &key, CLOSING | mark[1],
					    99 * HZ, 99 * HZ), -EEXIST);
	KUNIT_EXPECT_EQ(test, shadow->word & FT_SHADOW_SOURCE, mark[0]);
	rcu_read_unlock();
	KUNIT_EXPECT_FALSE(test, ft_shadow_set_source(shadows, &key, mark[0]));
	KUNIT_EXPECT_TRUE(test, ft_shadow_set_source(shadows, &key, mark[1]));
	KUNIT_EXPECT_FALSE(test, ft_shadow_set_source(shadows, &other, mark[1]));
	KUNIT_EXPECT_TRUE(test, ft_shadow_drop(shadows, &key, &word));
	KUNIT_EXPECT_EQ(test, word & FT_SHADOW_SOURCE, mark[1]);
	KUNIT_EXPECT_EQ(test, word & FT_SHADOW_CLASS, CLOSING);
	KUNIT_EXPECT_FALSE(test, ft_shadow_drop(shadows, &key, &word));
}

#define TWIN_FLOWS	3000
#define TWIN_STEPS	60000

/* Random operations; the twin is an array with a bit for each flow. */
static void twin(struct kunit *test)
{
	struct ft_shadows *shadows = shadows_make(test);
	u32 seed = get_random_u32(), count = 0, i, step;
	struct ft_shadow_key key;
	struct rnd_state rnd;
	u8 *there;
	bool got;
	int err;

	there = kunit_kzalloc(test, TWIN_FLOWS, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, there);
	prandom_seed_state(&rnd, seed);
	for (step = 0; step < TWIN_STEPS; step++) {
		/* Fill up, then empty: the table grows and shrinks. */
		bool adding = prandom_u32_state(&rnd) % 8 <
			      (step < TWIN_STEPS / 2 ? 6 : 2);

		i = prandom_u32_state(&rnd) % TWIN_FLOWS;
		key = key_of(i);
		rcu_read_lock();
		got = ft_shadow_find(shadows, &key);
		rcu_read_unlock();
		KUNIT_ASSERT_EQ_MSG(test, got, there[i], "seed %u step %u",
				    seed, step);
		if (adding) {
			err = add(shadows, i, i % 4, step);
			/* As fast as this it may not grow in time. */
			if (err == -EBUSY) {
				flush_work(&shadows->hash.run_work);
				continue;
			}
			KUNIT_ASSERT_EQ_MSG(test, err,
					    there[i] ? -EEXIST : 0,
					    "seed %u step %u", seed, step);
			count += !there[i];
			there[i] = true;
		} else {
			KUNIT_ASSERT_EQ_MSG(test, drop(shadows, i), there[i],
					    "seed %u step %u", seed, step);
			count -= there[i];
			there[i] = false;
		}
		KUNIT_ASSERT_EQ_MSG(test, ft_shadow_count(shadows), count,
				    "seed %u step %u", seed, step);
	}
}

/* Number of the flow that a shadow is of. */
static u32 number_of(const struct ft_shadow *shadow)
{
	return (ntohl(shadow->key.addr[0].ip) - 0x0a000000) * 4 +
	       ntohs(shadow->key.port[0]) - 1000;
}

/*
 * A sample has as many as were asked for, from anywhere: a caller that samples often
 * enough sees every flow, and none twice in one sample.
 */
static void samples(struct kunit *test)
{
	struct ft_shadows *shadows = shadows_make(test);
	struct ft_shadow *out[32];
	u32 n, i, k, round, sum;
	u8 *seen, *now;

	rcu_read_lock();
	KUNIT_EXPECT_EQ(test, ft_shadow_sample(shadows, 1, out, 32), 0);
	rcu_read_unlock();
	add(shadows, 5, EMBRYONIC, 1);
	rcu_read_lock();
	KUNIT_EXPECT_EQ(test, ft_shadow_sample(shadows, 1, out, 32), 1);
	KUNIT_EXPECT_EQ(test, number_of(out[0]), 5);
	rcu_read_unlock();

	seen = kunit_kzalloc(test, TWIN_FLOWS, GFP_KERNEL);
	now = kunit_kzalloc(test, TWIN_FLOWS, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, seen);
	KUNIT_ASSERT_NOT_NULL(test, now);
	for (i = 0; i < TWIN_FLOWS; i++) {
		while (add(shadows, i, i % 4, i) == -EBUSY)
			flush_work(&shadows->hash.run_work);
	}
	flush_work(&shadows->hash.run_work);
	for (round = 0; round < 4000; round++) {
		memset(now, 0, TWIN_FLOWS);
		rcu_read_lock();
		n = ft_shadow_sample(shadows, get_random_u32(), out, 32);
		for (k = 0; k < n; k++) {
			i = number_of(out[k]);
			seen[i] = true;
			now[i]++;
		}
		rcu_read_unlock();
		KUNIT_ASSERT_EQ(test, n, 32);
		for (k = 0; k < n; k++)
			KUNIT_ASSERT_EQ(test, now[number_of(out[k])], 1);
	}
	for (i = 0, sum = 0; i < TWIN_FLOWS; i++)
		sum += seen[i];
	KUNIT_EXPECT_EQ(test, sum, TWIN_FLOWS);
}

/* A visitor that drops every flow whose number is not a multiple of seven. */
static int visit(struct ft_shadow *shadow, void *arg)
{
	struct ft_shadow_key key = shadow->key;
	u32 i = number_of(shadow), word;
	u8 *seen = arg;

	seen[i]++;
	if (i % 7)
		ft_shadow_drop((void *)*(unsigned long *)(arg + TWIN_FLOWS),
			       &key, &word);
	return 0;
}

/* A walk sees every shadow once, even if what it sees is dropped. */
static void walks(struct kunit *test)
{
	struct ft_shadows *shadows = shadows_make(test);
	struct ft_shadow_cursor cursor = {};
	u32 i, left = 0;
	int more;
	u8 *seen;

	seen = kunit_kzalloc(test, TWIN_FLOWS + sizeof(long), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, seen);
	*(unsigned long *)(seen + TWIN_FLOWS) = (unsigned long)shadows;
	for (i = 0; i < TWIN_FLOWS; i++) {
		while (add(shadows, i, i % 4, i) == -EBUSY)
			flush_work(&shadows->hash.run_work);
	}
	flush_work(&shadows->hash.run_work);
	do {
		rcu_read_lock();
		more = ft_shadow_walk(shadows, &cursor, 50, visit, seen);
		rcu_read_unlock();
		if (more == -EAGAIN)
			break;
	} while (more);
	for (i = 0; i < TWIN_FLOWS; i++) {
		left += i % 7 == 0;
		/* Unless it was resized, because of the drops. */
		if (more != -EAGAIN)
			KUNIT_ASSERT_EQ_MSG(test, seen[i], 1, "%u", i);
		KUNIT_ASSERT_LE_MSG(test, seen[i], 1, "%u", i);
	}
	/* From the beginning, until a pass is complete: nothing is left over. */
	while (more == -EAGAIN) {
		flush_work(&shadows->hash.run_work);
		rcu_read_lock();
		more = ft_shadow_walk(shadows, &cursor, U32_MAX, visit, seen);
		rcu_read_unlock();
	}
	KUNIT_EXPECT_EQ(test, more, 0);
	KUNIT_EXPECT_EQ(test, ft_shadow_count(shadows), left);
}

/* More than there is room for, at once: the table is replaced under the walk. */
static int crowd(struct ft_shadow *shadow, void *arg)
{
	struct ft_shadows *shadows = arg;
	struct ft_shadow_key key;
	u32 i;

	for (i = 0; i < TWIN_FLOWS &&
	     !rcu_access_pointer(rcu_dereference(shadows->hash.tbl)->future_tbl); i++) {
		key = key_of(i);
		ft_shadow_add(shadows, &key, ASSURED, 0, 0);
	}
	return 0;
}

/* What the buckets take, of which nobody is charged. */
static u32 bucket_bytes(struct ft_shadows *shadows)
{
	const struct bucket_table *tbl;
	u32 bytes;

	flush_work(&shadows->hash.run_work);
	rcu_read_lock();
	tbl = rcu_dereference(shadows->hash.tbl);
	bytes = tbl->size * sizeof(tbl->buckets[0]);
	rcu_read_unlock();
	return bytes;
}

/* The buckets become more and fewer with the shadows, as policies.rst says. */
static void buckets(struct kunit *test)
{
	struct ft_shadows *shadows = shadows_make(test);
	u32 before, i;

	before = bucket_bytes(shadows);
	for (i = 0; i < TWIN_FLOWS; i++) {
		while (add(shadows, i, ASSURED, i) == -EBUSY)
			flush_work(&shadows->hash.run_work);
	}
	KUNIT_EXPECT_GT(test, bucket_bytes(shadows), before);
	KUNIT_EXPECT_LE(test, bucket_bytes(shadows), 32 * TWIN_FLOWS);
	for (i = 0; i < TWIN_FLOWS; i++)
		KUNIT_ASSERT_TRUE_MSG(test, drop(shadows, i), "%u", i);
	KUNIT_EXPECT_LE(test, bucket_bytes(shadows), before);
}

/* A resize that begins in the last part counts as well. */
static void resized_at_the_end(struct kunit *test)
{
	struct ft_shadows *shadows = shadows_make(test);
	struct ft_shadow_cursor cursor = {};
	int more, resized;

	KUNIT_ASSERT_EQ(test, add(shadows, TWIN_FLOWS, ASSURED, 0), 0);
	rcu_read_lock();
	more = ft_shadow_walk(shadows, &cursor, U32_MAX, crowd, shadows);
	resized = !!rcu_access_pointer(rcu_dereference(shadows->hash.tbl)->future_tbl);
	rcu_read_unlock();
	KUNIT_ASSERT_TRUE(test, resized);
	KUNIT_EXPECT_EQ(test, more, -EAGAIN);
	KUNIT_EXPECT_NULL(test, cursor.table);
}

static int count(struct ft_shadow *shadow, void *arg)
{
	u8 *seen = arg;

	seen[number_of(shadow)]++;
	return 0;
}

/* From any bucket to the last one, and from the first one to there. */
static void walk_around(struct kunit *test)
{
	struct ft_shadows *shadows = shadows_make(test);
	struct ft_shadow_cursor cursor;
	u32 i, buckets, begin;
	u8 *seen;
	int more;

	seen = kunit_kzalloc(test, TWIN_FLOWS, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, seen);
	for (i = 1; i < 200; i++)
		KUNIT_ASSERT_EQ(test, add(shadows, i, EMBRYONIC, i), 0);
	flush_work(&shadows->hash.run_work);
	rcu_read_lock();
	for (i = 0; i < 100; i++) {
		buckets = ft_shadow_begin(shadows, &cursor, get_random_u32());
		begin = cursor.bucket;
		KUNIT_ASSERT_LT(test, begin, buckets);
		more = ft_shadow_walk(shadows, &cursor, buckets - begin, count,
				      seen);
		KUNIT_ASSERT_EQ(test, more, 0);
		cursor.bucket = 0;
		more = ft_shadow_walk(shadows, &cursor, begin, count, seen);
		KUNIT_ASSERT_EQ(test, more, 1);
	}
	rcu_read_unlock();
	for (i = 1; i < 200; i++)
		KUNIT_EXPECT_EQ_MSG(test, seen[i], 100, "%u", i);
	/* No walk of a table that has been replaced since. */
	rcu_read_lock();
	ft_shadow_begin(shadows, &cursor, 5);
	rcu_read_unlock();
	for (; i < 20 * buckets; i++) {
		while (add(shadows, i, EMBRYONIC, i) == -EBUSY)
			flush_work(&shadows->hash.run_work);
	}
	flush_work(&shadows->hash.run_work);
	rcu_read_lock();
	KUNIT_EXPECT_EQ(test, ft_shadow_walk(shadows, &cursor, 1, count, seen),
			-EAGAIN);
	rcu_read_unlock();
}

/* A message that is full after three shadows. */
struct message {
	u8 *seen;
	unsigned int room;
};

static int fill(struct ft_shadow *shadow, void *arg)
{
	struct message *msg = arg;

	if (!msg->room)
		return -EMSGSIZE;
	msg->room--;
	msg->seen[number_of(shadow)]++;
	return 0;
}

/* Stopped in the middle of a bucket, a walk goes on there. */
static void walk_stops(struct kunit *test)
{
	struct ft_shadows *shadows = shadows_make(test);
	struct ft_shadow_cursor cursor = {};
	struct message msg;
	u32 i, calls = 0;
	int more;

	msg.seen = kunit_kzalloc(test, TWIN_FLOWS, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, msg.seen);
	for (i = 0; i < TWIN_FLOWS; i++) {
		while (add(shadows, i, i % 4, i) == -EBUSY)
			flush_work(&shadows->hash.run_work);
	}
	flush_work(&shadows->hash.run_work);
	do {
		msg.room = 3;
		rcu_read_lock();
		more = ft_shadow_walk(shadows, &cursor, U32_MAX, fill, &msg);
		rcu_read_unlock();
		KUNIT_ASSERT_TRUE(test, more == 0 || more == -EMSGSIZE);
		KUNIT_ASSERT_LE(test, ++calls, TWIN_FLOWS / 3 + 1);
	} while (more);
	for (i = 0; i < TWIN_FLOWS; i++)
		KUNIT_EXPECT_EQ_MSG(test, msg.seen[i], 1, "%u", i);
}

/* What one seed has in one bucket is spread by the next: a chain does not outlive a rehash. */
static void seeds(struct kunit *test)
{
	const struct rhashtable_params *params = &shadows_make(test)->hash.p;
	u32 i, bucket, n = 0, most = 0;
	u8 in[256] = {};

	KUNIT_ASSERT_NOT_NULL(test, params->hashfn);
	for (i = 0; i < 20000; i++) {
		struct ft_shadow_key key = key_of(i);

		if (params->hashfn(&key, sizeof(key), 1) % ARRAY_SIZE(in))
			continue;
		n++;
		bucket = params->hashfn(&key, sizeof(key), 2) % ARRAY_SIZE(in);
		most = max_t(u32, most, ++in[bucket]);
	}
	KUNIT_EXPECT_GT(test, n, 40);
	KUNIT_EXPECT_LE(test, most, 8);
}

static struct kunit_case shadow_cases[] = {
	KUNIT_CASE(keys),
	KUNIT_CASE(keys_differ),
	KUNIT_CASE(updates),
	KUNIT_CASE(idle),
	KUNIT_CASE(sources),
	KUNIT_CASE(twin),
	KUNIT_CASE(samples),
	KUNIT_CASE(walks),
	KUNIT_CASE(buckets),
	KUNIT_CASE(resized_at_the_end),
	KUNIT_CASE(walk_around),
	KUNIT_CASE(walk_stops),
	KUNIT_CASE(seeds),
	{}
};

static struct kunit_suite shadow_suite = {
	.name = "ft_shadow",
	.test_cases = shadow_cases,
};

kunit_test_suite(shadow_suite);
