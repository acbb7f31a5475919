// SPDX-License-Identifier: GPL-2.0
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/prandom.h>

#include "base/fault_inject.h"
#include "ft_kunit.h"
#include "policy/source.h"

#define S(name)		FLOWTRACK_A_SETTINGS_##name
#define ST(name)	FLOWTRACK_A_STATS_##name

static const struct {
	const char *name;
	u8 family;
	u8 prefix;
	u32 addr[4];
	u32 want[4];
} prefixes[] = {
	{ "v4/32", NFPROTO_IPV4, 32, { 0xc0000207 }, { 0xc0000207 } },
	{ "v4/31", NFPROTO_IPV4, 31, { 0xc0000207 }, { 0xc0000206 } },
	{ "v4/24", NFPROTO_IPV4, 24, { 0xc0000207 }, { 0xc0000200 } },
	{ "v4/1", NFPROTO_IPV4, 1, { 0xc0000207 }, { 0x80000000 } },
	{ "v6/128", NFPROTO_IPV6, 128, { 0x20010db8, 1, 2, 3 },
	  { 0x20010db8, 1, 2, 3 } },
	{ "v6/127", NFPROTO_IPV6, 127, { 0x20010db8, 1, 2, 3 },
	  { 0x20010db8, 1, 2, 2 } },
	{ "v6/97", NFPROTO_IPV6, 97, { 1, 1, 2, 0xffffffff },
	  { 1, 1, 2, 0x80000000 } },
	{ "v6/96", NFPROTO_IPV6, 96, { 1, 1, 2, 3 }, { 1, 1, 2 } },
	{ "v6/64", NFPROTO_IPV6, 64, { 0x20010db8, 1, 2, 3 },
	  { 0x20010db8, 1 } },
	{ "v6/63", NFPROTO_IPV6, 63, { 0x20010db8, 3, 2, 3 },
	  { 0x20010db8, 2 } },
	{ "v6/48", NFPROTO_IPV6, 48, { 0x20010db8, 0x12345678, 2, 3 },
	  { 0x20010db8, 0x12340000 } },
	{ "v6/1", NFPROTO_IPV6, 1, { 0xffffffff, 1, 2, 3 }, { 0x80000000 } },
};

/* Both ends of a flow, whichever comes first in its key. */
static void prefix_table(struct kunit *test)
{
	struct ft_source_prefix prefix;
	union nf_inet_addr addr, peer;
	struct ft_source source;
	unsigned int i, w, side;
	struct ft_key key;
	bool from_hi;

	for (i = 0; i < ARRAY_SIZE(prefixes); i++) {
		prefix.v4 = prefixes[i].prefix;
		prefix.v6 = prefixes[i].prefix;
		for (side = 0; side < 2; side++) {
			memset(&peer, side ? 0xff : 0, sizeof(peer));
			for (w = 0; w < 4; w++)
				addr.all[w] = (__force u32)
					      htonl(prefixes[i].addr[w]);
			from_hi = ft_key_set(&key, prefixes[i].family,
					     IPPROTO_UDP, 0, &addr, &peer, 1,
					     1);
			KUNIT_EXPECT_EQ(test, from_hi, !side);
			ft_source_get(&source, &key, from_hi);
			ft_source_cut(&source, prefix);
			KUNIT_EXPECT_EQ(test, source.family,
					(u32)prefixes[i].family);
			for (w = 0; w < 4; w++)
				KUNIT_EXPECT_EQ_MSG(test,
						    ntohl(source.addr[w]),
						    prefixes[i].want[w],
						    "%s, word %u",
						    prefixes[i].name, w);
		}
	}
}

static void birth_from(struct ft_net *tn, struct ft_birth *birth, u32 source,
		       u16 port, bool v6)
{
	union nf_inet_addr src = {}, dst = {};

	memset(birth, 0, sizeof(*birth));
	if (v6) {
		src.ip6[0] = htonl(0x20010db8);
		src.ip6[1] = htonl(source);
		src.ip6[3] = htonl(port);
		dst.ip6[0] = htonl(port & 1 ? 0x20000000 : 0x30000000);
	} else {
		src.ip = htonl(0x0a000000 + source);
		/* Either end comes first. */
		dst.ip = htonl(port & 1 ? 0x09000000 : 0x0b000000);
	}
	if (ft_key_set(&birth->key, v6 ? NFPROTO_IPV6 : NFPROTO_IPV4,
		       IPPROTO_UDP, 0, &src, &dst, htons(port), htons(53)))
		birth->word |= FT_FLOW_ORIG_HI;
	birth->word |= (u32)FLOWTRACK_CLASS_EMBRYONIC << 5;
	birth->timeout = 300 * HZ;
	birth->hash = ft_key_hash(&birth->key, ft_table_secret(tn->table));
}

static enum ft_admission admit(struct ft_net *tn, struct ft_birth *birth)
{
	enum ft_admission admission;

	rcu_read_lock();
	local_bh_disable();
	admission = ft_flow_admit(tn, birth);
	local_bh_enable();
	rcu_read_unlock();
	return admission;
}

static enum ft_admission open_from(struct ft_net *tn, u32 source, u16 port)
{
	struct ft_birth birth;

	birth_from(tn, &birth, source, port, false);
	return admit(tn, &birth);
}

static bool close_from(struct ft_net *tn, u32 source, u16 port)
{
	struct ft_birth birth;
	struct ft_flow *flow;
	bool ended = false;
	u32 index;

	birth_from(tn, &birth, source, port, false);
	rcu_read_lock();
	local_bh_disable();
	flow = ft_table_lookup(tn->table, &birth.key, birth.hash, &index);
	if (flow)
		ended = ft_flow_end(tn, flow, index, flow->gen,
				    FLOWTRACK_REASON_DELETED);
	local_bh_enable();
	rcu_read_unlock();
	return ended;
}

static void set(struct kunit *test, struct ft_net *tn, unsigned int attr,
		u32 value)
{
	KUNIT_ASSERT_EQ(test, ft_settings_set(tn, attr, value, NULL), 0);
}

/* So many, not one more; the end of one makes room for one. */
static void max_is_exact(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 1000);
	struct ft_birth birth;
	u32 i;

	set(test, tn, S(SRC_MAX), 10);
	for (i = 0; i < 10; i++)
		KUNIT_EXPECT_EQ(test, open_from(tn, 1, i), FT_ADMIT_OK);
	KUNIT_EXPECT_EQ(test, open_from(tn, 1, 10), FT_ADMIT_DROP);
	KUNIT_EXPECT_EQ(test, ft_kunit_stat(tn, ST(SRC_MAX_REFUSED)), 1);
	/* What is in already is no newcomer. */
	KUNIT_EXPECT_EQ(test, open_from(tn, 1, 5), FT_ADMIT_CLASH);
	KUNIT_EXPECT_EQ(test, ft_kunit_stat(tn, ST(SRC_MAX_REFUSED)), 1);
	KUNIT_EXPECT_EQ(test, open_from(tn, 2, 10), FT_ADMIT_OK);
	KUNIT_EXPECT_EQ(test, ft_source_count(tn), 2);

	KUNIT_EXPECT_TRUE(test, close_from(tn, 1, 3));
	KUNIT_EXPECT_EQ(test, open_from(tn, 1, 10), FT_ADMIT_OK);
	KUNIT_EXPECT_EQ(test, open_from(tn, 1, 11), FT_ADMIT_DROP);

	/* This machine's own, and the administrator's. */
	birth_from(tn, &birth, 1, 12, false);
	birth.exempt = true;
	KUNIT_EXPECT_EQ(test, admit(tn, &birth), FT_ADMIT_OK);
	KUNIT_EXPECT_TRUE(test, close_from(tn, 1, 5));
	KUNIT_EXPECT_EQ(test, open_from(tn, 1, 13), FT_ADMIT_DROP);

	set(test, tn, S(SRC_POLICY), FLOWTRACK_POLICY_PASS);
	KUNIT_EXPECT_EQ(test, open_from(tn, 1, 14), FT_ADMIT_PASS);
	KUNIT_EXPECT_EQ(test, ft_kunit_stat(tn, ST(SRC_PASS)), 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&tn->count), 11);
	/* The last flow of a source takes the source along. */
	ft_flow_end_all(tn, FLOWTRACK_REASON_FLUSHED);
	KUNIT_EXPECT_EQ(test, ft_source_count(tn), 0);
	set(test, tn, S(SRC_MAX), 0);
	KUNIT_EXPECT_NULL(test, rcu_dereference_raw(tn->sources.table));
}

/* A newcomer that is not entered in the end gives back what it took. */
static void refused_is_not_counted(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 3);
	u32 i;

	tn->set.v[S(FULL_POLICY)] = FLOWTRACK_POLICY_DROP;
	set(test, tn, S(SRC_MAX), 5);
	for (i = 0; i < 3; i++)
		KUNIT_EXPECT_EQ(test, open_from(tn, 1, i), FT_ADMIT_OK);
	for (; i < 20; i++)
		KUNIT_EXPECT_EQ(test, open_from(tn, 1 + i % 2, i),
				FT_ADMIT_DROP);
	KUNIT_EXPECT_EQ(test, ft_source_count(tn), 1);
	KUNIT_EXPECT_EQ(test, open_from(tn, 1, 0), FT_ADMIT_CLASH);
	set(test, tn, S(MAX_FLOWS), 100);
	for (i = 20; i < 22; i++)
		KUNIT_EXPECT_EQ(test, open_from(tn, 1, i), FT_ADMIT_OK);
	KUNIT_EXPECT_EQ(test, open_from(tn, 1, 22), FT_ADMIT_DROP);
	KUNIT_EXPECT_EQ(test, ft_kunit_stat(tn, ST(SRC_MAX_REFUSED)), 1);
}

/* All flows are counted when the limit comes, and when the prefix changes. */
static void recount(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 10000);
	struct ft_birth birth;
	u32 i;

	for (i = 0; i < 3000; i++)
		KUNIT_ASSERT_EQ(test, open_from(tn, i % 3, i), FT_ADMIT_OK);
	set(test, tn, S(SRC_MAX), 1001);
	KUNIT_EXPECT_EQ(test, ft_source_count(tn), 3);
	for (i = 0; i < 3; i++) {
		KUNIT_EXPECT_EQ(test, open_from(tn, i, 5000), FT_ADMIT_OK);
		KUNIT_EXPECT_EQ(test, open_from(tn, i, 5001), FT_ADMIT_DROP);
	}
	/* Lowered: none ends, none gets in. */
	set(test, tn, S(SRC_MAX), 10);
	KUNIT_EXPECT_EQ(test, atomic_read(&tn->count), 3003);
	KUNIT_EXPECT_TRUE(test, close_from(tn, 1, 5000));
	KUNIT_EXPECT_EQ(test, open_from(tn, 1, 5000), FT_ADMIT_DROP);

	/* One source now, and those that come next belong to it. */
	set(test, tn, S(SRC_PREFIX4), 24);
	KUNIT_EXPECT_EQ(test, ft_source_count(tn), 1);
	set(test, tn, S(SRC_MAX), 3003);
	KUNIT_EXPECT_EQ(test, open_from(tn, 77, 1), FT_ADMIT_OK);
	KUNIT_EXPECT_EQ(test, open_from(tn, 78, 1), FT_ADMIT_DROP);
	KUNIT_EXPECT_EQ(test, open_from(tn, 256, 1), FT_ADMIT_OK);

	/* Off and on, with flows that ended or came in between. */
	set(test, tn, S(SRC_MAX), 0);
	KUNIT_EXPECT_TRUE(test, close_from(tn, 77, 1));
	KUNIT_EXPECT_EQ(test, open_from(tn, 79, 1), FT_ADMIT_OK);
	set(test, tn, S(SRC_MAX), 3003);
	KUNIT_EXPECT_EQ(test, open_from(tn, 78, 1), FT_ADMIT_DROP);
	KUNIT_EXPECT_TRUE(test, close_from(tn, 79, 1));
	KUNIT_EXPECT_EQ(test, open_from(tn, 78, 1), FT_ADMIT_OK);

	/* A /64 is one, another one is another. */
	set(test, tn, S(SRC_MAX), 2);
	for (i = 0; i < 6; i++) {
		birth_from(tn, &birth, i / 3, i, true);
		KUNIT_EXPECT_EQ(test, admit(tn, &birth), i % 3 < 2 ?
				FT_ADMIT_OK : FT_ADMIT_DROP);
	}
	ft_flow_end_all(tn, FLOWTRACK_REASON_FLUSHED);
	KUNIT_EXPECT_EQ(test, ft_source_count(tn), 0);
}

/* There is a bucket for four flows, whatever max was when it all began. */
static void sizes(struct kunit *test)
{
	static const struct {
		const char *name;
		u32 max, want;
	} cases[] = {
		{ "to begin with", 4000, 1024 },
		{ "raised a little", 4095, 1024 },
		{ "raised", 4096, 2048 },
		{ "by far", 1000000, 262144 },
		{ "lowered", 130000, 262144 },
		{ "lowered by far", 60000, 16384 },
		{ "a few", 100, 64 },
		{ "as few as there are", 3, 64 },
		{ "too many", 100000000, FT_SOURCE_BUCKETS_MAX },
	};
	struct ft_net *tn = ft_kunit_net(test, 4000);
	unsigned int i;

	set(test, tn, S(SRC_MAX), 3);
	for (i = 0; i < 3; i++)
		KUNIT_ASSERT_EQ(test, open_from(tn, 1, i), FT_ADMIT_OK);
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		set(test, tn, S(MAX_FLOWS), cases[i].max);
		KUNIT_EXPECT_EQ_MSG(test, ft_source_buckets(tn), cases[i].want,
				    "%s", cases[i].name);
		KUNIT_EXPECT_EQ_MSG(test, open_from(tn, 1, 3), FT_ADMIT_DROP,
				    "%s", cases[i].name);
		KUNIT_EXPECT_EQ(test, ft_source_count(tn), 1);
	}
	KUNIT_EXPECT_TRUE(test, close_from(tn, 1, 2));
	KUNIT_EXPECT_EQ(test, open_from(tn, 1, 3), FT_ADMIT_OK);
}

/* Random openings, ends and changes against arrays. */
static void twin(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 10000);
	u32 seed = get_random_u32(), limit = 0, held[8] = {};
	bool open[8][64] = {};
	struct rnd_state rnd;
	unsigned int i, s, p;

	prandom_seed_state(&rnd, seed);
	for (i = 0; i < 30000; i++) {
		s = prandom_u32_state(&rnd) % 8;
		p = prandom_u32_state(&rnd) % 64;
		if (i % 500 == 0) {
			limit = prandom_u32_state(&rnd) % 3 ?
				1 + prandom_u32_state(&rnd) % 50 : 0;
			set(test, tn, S(SRC_MAX), limit);
		}
		if (prandom_u32_state(&rnd) % 5 < 2) {
			KUNIT_ASSERT_EQ_MSG(test, close_from(tn, s, p),
					    open[s][p], "seed %u, step %u",
					    seed, i);
			held[s] -= open[s][p];
			open[s][p] = false;
			continue;
		}
		KUNIT_ASSERT_EQ_MSG(test, open_from(tn, s, p),
				    open[s][p] ? FT_ADMIT_CLASH :
				    limit && held[s] >= limit ? FT_ADMIT_DROP :
				    FT_ADMIT_OK, "seed %u, step %u", seed, i);
		if (!open[s][p] && (!limit || held[s] < limit)) {
			open[s][p] = true;
			held[s]++;
		}
	}
}

/* A burst at once, then one each interval; sources do not share. */
static void rate(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 10000);
	unsigned int i, before, ok = 0, least = 0;
	u64 start, last, ns, credit = 0;
	unsigned long begin;

	set(test, tn, S(SRC_BURST), 5);
	set(test, tn, S(SRC_RATE), 1);
	/* First packets of a flow that is there count for nothing. */
	for (i = 0; i < 8; i++)
		KUNIT_EXPECT_EQ(test, open_from(tn, 3, 0), i ?
				FT_ADMIT_CLASH : FT_ADMIT_OK);
	for (i = 1; i < 6; i++)
		KUNIT_EXPECT_EQ(test, open_from(tn, 3, i), i < 5 ?
				FT_ADMIT_OK : FT_ADMIT_DROP);
	ft_flow_end_all(tn, FLOWTRACK_REASON_FLUSHED);
	for (i = 0; i < 8; i++)
		KUNIT_EXPECT_EQ(test, open_from(tn, 1, i), i < 5 ?
				FT_ADMIT_OK : FT_ADMIT_DROP);
	KUNIT_EXPECT_EQ(test, ft_kunit_stat(tn, ST(SRC_RATE_REFUSED)), 4);
	KUNIT_EXPECT_EQ(test, open_from(tn, 2, 0), FT_ADMIT_OK);
	/* No flow is left, and it is not forgotten how many there were. */
	ft_flow_end_all(tn, FLOWTRACK_REASON_FLUSHED);
	KUNIT_EXPECT_EQ(test, ft_source_count(tn), 3);
	KUNIT_EXPECT_EQ(test, open_from(tn, 1, 9), FT_ADMIT_DROP);

	/* 100 a second, over half a second, and what was the burst. */
	set(test, tn, S(SRC_RATE), 100);
	before = atomic_read(&tn->count);
	begin = jiffies;
	start = ktime_get_ns();
	last = start;
	for (i = 0; time_before(jiffies, begin + HZ / 2); i++) {
		ok += open_from(tn, 3, i) == FT_ADMIT_OK;
		/* On a busy machine some is lost: a burst is all one can save. */
		ns = ktime_get_ns();
		credit = min_t(u64, credit + ns - last, 49 * NSEC_PER_MSEC);
		last = ns;
		if (credit >= 10 * NSEC_PER_MSEC) {
			credit -= 10 * NSEC_PER_MSEC;
			least++;
		}
		usleep_range(500, 1000);
	}
	ns = ktime_get_ns() - start;
	KUNIT_EXPECT_EQ(test, atomic_read(&tn->count) - before, ok);
	KUNIT_EXPECT_LE(test, ok, 5 + ns / 10000000 + 1);
	KUNIT_EXPECT_GE(test, ok + 1, least);
	/* A source that a slower rate slowed down is not slow for long. */
	msleep(20);
	KUNIT_EXPECT_EQ(test, open_from(tn, 1, 10), FT_ADMIT_OK);
	/* With its rate forgiven, and no flow, a source is forgotten. */
	ft_flow_end_all(tn, FLOWTRACK_REASON_FLUSHED);
	msleep(150);
	KUNIT_EXPECT_TRUE(test, delayed_work_pending(&tn->sources.sweep));
	flush_delayed_work(&tn->sources.sweep);
	KUNIT_EXPECT_EQ(test, ft_source_count(tn), 0);
	KUNIT_EXPECT_FALSE(test, delayed_work_pending(&tn->sources.sweep));
}

/* A first packet of a flow that is there gets back what it has cost: an exempt one nothing. */
static void clash_gets_its_cost(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 100);
	struct ft_birth birth;
	unsigned int i;

	set(test, tn, S(SRC_BURST), 3);
	set(test, tn, S(SRC_RATE), 1);
	for (i = 0; i < 2; i++)
		KUNIT_EXPECT_EQ(test, open_from(tn, 1, i), FT_ADMIT_OK);
	for (i = 0; i < 10; i++)
		KUNIT_EXPECT_EQ(test, open_from(tn, 1, 0), FT_ADMIT_CLASH);
	KUNIT_EXPECT_EQ(test, open_from(tn, 1, 2), FT_ADMIT_OK);
	birth_from(tn, &birth, 1, 0, false);
	birth.exempt = true;
	for (i = 0; i < 10; i++)
		KUNIT_EXPECT_EQ(test, admit(tn, &birth), FT_ADMIT_CLASH);
	KUNIT_EXPECT_EQ(test, open_from(tn, 1, 3), FT_ADMIT_DROP);
	/* Nor does one that is over the rate wear the burst down further, or open a flow. */
	KUNIT_EXPECT_EQ(test, open_from(tn, 1, 0), FT_ADMIT_CLASH);
	KUNIT_EXPECT_EQ(test, atomic_read(&tn->count), 3);
}

/* A flood from ever new sources: what is remembered of it is bounded. */
static void bounded(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 100);
	u32 i, most = 0;

	set(test, tn, S(SRC_RATE), 1);
	for (i = 0; i < 50000; i++) {
		open_from(tn, i, 1);
		most = max(most, ft_source_count(tn));
	}
	KUNIT_EXPECT_EQ(test, atomic_read(&tn->count), 100);
	KUNIT_EXPECT_LE(test, most, 101 + 64 * FT_SOURCE_IDLE);
	KUNIT_EXPECT_GT(test, most, 200);
}

static void no_memory(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 100);

	ft_faults = FT_FAULT_SOURCES;
	KUNIT_EXPECT_EQ(test, ft_settings_set(tn, S(SRC_MAX), 5, NULL),
			-ENOMEM);
	KUNIT_EXPECT_EQ(test, tn->set.v[S(SRC_MAX)], 0);
	ft_faults = 0;
	KUNIT_EXPECT_EQ(test, open_from(tn, 1, 1), FT_ADMIT_OK);
	set(test, tn, S(SRC_MAX), 5);
	ft_faults = FT_FAULT_SOURCE;
	/* A known source needs no memory. */
	KUNIT_EXPECT_EQ(test, open_from(tn, 1, 2), FT_ADMIT_OK);
	KUNIT_EXPECT_EQ(test, open_from(tn, 2, 2), FT_ADMIT_DROP);
	KUNIT_EXPECT_EQ(test, ft_kunit_stat(tn, ST(NOMEM)), 1);
	ft_faults = 0;
	KUNIT_EXPECT_EQ(test, open_from(tn, 2, 2), FT_ADMIT_OK);
	/* Flows that could not be counted are not given back either. */
	ft_faults = 0;
	set(test, tn, S(SRC_MAX), 0);
	ft_flow_end_all(tn, FLOWTRACK_REASON_FLUSHED);
}

/*
 * A flow that one table could not count has the mark of the one before it, which the next
 * one has, too: it is counted there all the same, and given back once.
 */
static void recount_without_memory(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 100);
	u32 i;

	set(test, tn, S(SRC_MAX), 5);
	KUNIT_EXPECT_EQ(test, open_from(tn, 1, 1), FT_ADMIT_OK);
	ft_faults = FT_FAULT_SOURCE;
	set(test, tn, S(SRC_PREFIX4), 24);
	ft_faults = 0;
	KUNIT_EXPECT_EQ(test, ft_kunit_stat(tn, ST(NOMEM)), 1);
	KUNIT_EXPECT_EQ(test, ft_source_count(tn), 0);
	set(test, tn, S(SRC_PREFIX4), 32);
	KUNIT_EXPECT_EQ(test, ft_source_count(tn), 1);
	for (i = 2; i < 6; i++)
		KUNIT_EXPECT_EQ(test, open_from(tn, 1, i), FT_ADMIT_OK);
	KUNIT_EXPECT_EQ(test, open_from(tn, 1, 6), FT_ADMIT_DROP);
	KUNIT_EXPECT_TRUE(test, close_from(tn, 1, 1));
	KUNIT_EXPECT_EQ(test, open_from(tn, 1, 6), FT_ADMIT_OK);
	ft_flow_end_all(tn, FLOWTRACK_REASON_FLUSHED);
	KUNIT_EXPECT_EQ(test, ft_source_count(tn), 0);
}

#define THREADS		4u
#define RACE_MAX	40u

/**
 * struct race - several threads open and end flows of one source
 * @tn: namespace
 * @over: how often more flows were there than may be
 * @opened: flows entered
 * @refused: and refused
 * @running: threads
 */
struct race {
	struct ft_net *tn;
	atomic_t over, opened, refused, running;
};

static int race_thread(void *arg)
{
	struct race *race = arg;
	struct rnd_state rnd;
	unsigned int i;
	u16 port;

	prandom_seed_state(&rnd, get_random_u32());
	for (i = 0; i < 20000; i++) {
		port = prandom_u32_state(&rnd) % 200;
		if (prandom_u32_state(&rnd) % 3 == 0) {
			close_from(race->tn, 1, port);
		} else {
			switch (open_from(race->tn, 1, port)) {
			case FT_ADMIT_OK:
				atomic_inc(&race->opened);
				break;
			case FT_ADMIT_DROP:
				atomic_inc(&race->refused);
				break;
			default:
				break;
			}
		}
		/* Only flows of this source are in the table. */
		if (atomic_read(&race->tn->count) > (int)RACE_MAX)
			atomic_inc(&race->over);
		if (i % 16 == 0)
			schedule();
	}
	atomic_dec(&race->running);
	return 0;
}

static void race_with(struct kunit *test, bool recount)
{
	struct race race = { .tn = ft_kunit_net(test, 10000) };
	unsigned int i;

	set(test, race.tn, S(SRC_MAX), RACE_MAX);
	atomic_set(&race.running, THREADS);
	for (i = 0; i < THREADS; i++)
		KUNIT_ASSERT_FALSE(test, IS_ERR(kthread_run(race_thread, &race,
							    "ft_race")));
	while (atomic_read(&race.running)) {
		/* A new prefix, the same source: all are counted anew. */
		if (recount)
			set(test, race.tn, S(SRC_PREFIX4),
			    24 + get_random_u32() % 9);
		msleep(20);
	}
	/* A flow that comes while flows are counted may be one too many. */
	if (!recount)
		KUNIT_EXPECT_EQ(test, atomic_read(&race.over), 0);
	KUNIT_EXPECT_GT(test, atomic_read(&race.opened), 1000);
	KUNIT_EXPECT_GT(test, atomic_read(&race.refused), 1000);
	KUNIT_EXPECT_EQ(test, ft_source_count(race.tn), 1);
	ft_flow_end_all(race.tn, FLOWTRACK_REASON_FLUSHED);
	KUNIT_EXPECT_EQ(test, ft_source_count(race.tn), 0);
}

/* Never more than src_max, whatever happens at once. */
static void race(struct kunit *test)
{
	race_with(test, false);
}

/* Nothing is counted twice, or given back twice, while all is counted anew. */
static void race_recount(struct kunit *test)
{
	race_with(test, true);
}

static struct kunit_case source_cases[] = {
	KUNIT_CASE(prefix_table),
	KUNIT_CASE(max_is_exact),
	KUNIT_CASE(refused_is_not_counted),
	KUNIT_CASE(recount),
	KUNIT_CASE(sizes),
	KUNIT_CASE(twin),
	KUNIT_CASE_SLOW(rate),
	KUNIT_CASE(clash_gets_its_cost),
	KUNIT_CASE_SLOW(bounded),
	KUNIT_CASE(no_memory),
	KUNIT_CASE(recount_without_memory),
	KUNIT_CASE_SLOW(race),
	KUNIT_CASE_SLOW(race_recount),
	{}
};

static struct kunit_suite source_suite = {
	.name = "ft_source",
	.test_cases = source_cases,
};

kunit_test_suite(source_suite);
