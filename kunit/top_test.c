// SPDX-License-Identifier: GPL-2.0
#include <linux/delay.h>
#include <linux/prandom.h>
#include <linux/sort.h>

#include "ft_conntrack.h"

/* Those that a flow has which is not translated: as all here. */
#define PLAIN_KINDS	FLOWTRACK_TOP_KIND_EXTERNAL
#define FLOWS	FLOWTRACK_TOP_ORDER_FLOWS
#define RATE	FLOWTRACK_TOP_ORDER_RATE
#define BYTES	FLOWTRACK_TOP_ORDER_BYTES
#define SOURCE	FLOWTRACK_TOP_KIND_SOURCE
#define DEST	FLOWTRACK_TOP_KIND_DESTINATION
#define SERVICE	FLOWTRACK_TOP_KIND_SERVICE

/**
 * struct opening - a flow to be
 * @source: low bits of the initiator's address
 * @dest: low bits of the responder's
 * @port: responder's port
 * @sport: initiator's port
 * @l4proto: IPPROTO_*
 * @v6: IPv6; the source is 64 bits, the rest of the address is @sport
 */
struct opening {
	u32 source;
	u32 dest;
	u16 port;
	u16 sport;
	u8 l4proto;
	bool v6;
};

static void set_addresses(const struct opening *opening,
			  union nf_inet_addr *src, union nf_inet_addr *dst)
{
	memset(src, 0, sizeof(*src));
	memset(dst, 0, sizeof(*dst));
	if (opening->v6) {
		src->ip6[0] = htonl(0x20010db8);
		src->ip6[1] = htonl(opening->source);
		src->ip6[3] = htonl(opening->sport);
		dst->ip6[0] = htonl(0x20010db8);
		dst->ip6[2] = htonl(opening->dest);
	} else {
		/* Half of them have the lower address. */
		src->ip = htonl(0x0a000000 + opening->source);
		dst->ip = htonl((opening->dest & 1 ? 0x09000000 : 0x0b000000) +
				opening->dest);
	}
}

static enum ft_admission open_flow(struct ft_net *tn,
				   const struct opening *opening)
{
	enum ft_admission admission;
	union nf_inet_addr src, dst;
	struct ft_birth birth = {
		.timeout = 300 * HZ,
		.word = FLOWTRACK_CLASS_EMBRYONIC << 5,
	};

	set_addresses(opening, &src, &dst);
	if (ft_key_set(&birth.key, opening->v6 ? NFPROTO_IPV6 : NFPROTO_IPV4,
		       opening->l4proto, 0, &src, &dst, htons(opening->sport),
		       htons(opening->port)))
		birth.word |= FT_FLOW_ORIG_HI;
	birth.hash = ft_key_hash(&birth.key, ft_table_secret(tn->table));
	rcu_read_lock();
	local_bh_disable();
	admission = ft_flow_admit(tn, &birth);
	local_bh_enable();
	rcu_read_unlock();
	return admission;
}

/* The shadow of a flow that nf_conntrack would have. */
static bool guard_flow(struct ft_net *tn, const struct opening *opening)
{
	struct ft_shadows *shadows = &tn->guard.shadows;
	struct ft_shadow_key key = {
		.port = { htons(opening->sport), htons(opening->port) },
		.l4proto = opening->l4proto,
		.bits = NF_CT_DEFAULT_ZONE_DIR |
			(opening->v6 ? FT_SHADOW_V6 : 0),
	};
	int err;

	set_addresses(opening, &key.addr[0], &key.addr[1]);
	for (;;) {
		rcu_read_lock();
		err = ft_shadow_add(shadows, &key, FLOWTRACK_CLASS_EMBRYONIC,
				    ft_now() + 300 * HZ, ft_now());
		rcu_read_unlock();
		if (err != -EBUSY)
			return !err;
		flush_work(&shadows->hash.run_work);
	}
}

/* The report as of now; nobody replaces it while a test looks at it. */
static struct ft_top_report *survey_now(struct kunit *test, struct ft_net *tn)
{
	struct ft_top_report *report;

	report = rcu_dereference_raw(tn->top.report);
	if (report)
		report->when = jiffies - HZ;
	KUNIT_ASSERT_EQ(test, ft_top_refresh(tn), 0);
	return rcu_dereference_raw(tn->top.report);
}

static void follow_size(struct ft_net *tn)
{
	flush_work(&tn->resize_work);
	flush_work(&tn->guard.shadows.hash.run_work);
}

static const struct {
	const char *name;
	u32 sampled;
	u32 held[20];
	unsigned int heavy;
} heavy_table[] = {
	{ "an empty table", 0, {}, 0 },
	{ "one has all", 1000, { 1000 }, 1 },
	{ "four greedy ones, one that holds a tenth", 1000,
	  { 225, 225, 225, 225, 100 }, 4 },
	{ "of two, both are over three eighths", 1000, { 500, 500 }, 2 },
	{ "the smaller one is not", 1000, { 700, 300 }, 1 },
	{ "it is exactly at the level", 1000, { 625, 375 }, 1 },
	{ "a flood of single flows, and one that holds a tenth", 1000,
	  { 100, 1, 1, 1, 1, 1 }, 0 },
	{ "single flows are three quarters", 1000, { 250, 1, 1 }, 0 },
	{ "single flows are a bit less", 1000, { 251, 1, 1 }, 1 },
	{ "each too small to be told from chance", 1000,
	  { 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31 },
	  0 },
	{ "more than there may be", 1000,
	  { 50, 50, 50, 50, 50, 50, 50, 50, 50, 50, 50, 50, 50, 50, 50, 50, 50,
	    50, 50, 50 }, 16 },
};

static void heavy_by_table(struct kunit *test)
{
	unsigned int i, n;

	for (i = 0; i < ARRAY_SIZE(heavy_table); i++) {
		for (n = 0; n < 20 && heavy_table[i].held[n]; n++)
			;
		KUNIT_EXPECT_EQ_MSG(test,
				    ft_top_heavy_count(heavy_table[i].held, n,
						       heavy_table[i].sampled),
				    heavy_table[i].heavy, "%s",
				    heavy_table[i].name);
	}
}

/* By definition: with all cut to what the k-th has, is it still too much? */
static unsigned int heavy_twin(const u32 *held, unsigned int n, u32 sampled)
{
	unsigned int large = 0, heavy = 0, i, k;
	u64 rest, sum;

	rest = sampled;
	while (large < n && large < 16 && held[large] * 32ULL >= sampled)
		rest -= held[large++];
	if (rest * 4 >= sampled * 3ULL)
		return 0;
	for (k = 0; k < large; k++) {
		sum = rest;
		for (i = 0; i < large; i++)
			sum += min(held[i], held[k]);
		heavy += sum * 4 > sampled * 3ULL;
	}
	return heavy;
}

static int descending(const void *a, const void *b)
{
	u32 x = *(const u32 *)a, y = *(const u32 *)b;

	return x < y ? 1 : x > y ? -1 : 0;
}

static void heavy_by_twin(struct kunit *test)
{
	u32 seed = get_random_u32();
	struct rnd_state rnd;
	u32 held[24], sampled;
	unsigned int round, i, n, some = 0;

	prandom_seed_state(&rnd, seed);
	for (round = 0; round < 200000; round++) {
		n = prandom_u32_state(&rnd) % 24;
		sampled = prandom_u32_state(&rnd) % 500;
		for (i = 0; i < n; i++) {
			held[i] = 1 + prandom_u32_state(&rnd) %
				  (round % 2 ? 30 : 400);
			sampled += held[i];
		}
		sort(held, n, sizeof(*held), descending, NULL);
		some += !!heavy_twin(held, n, sampled);
		KUNIT_ASSERT_EQ_MSG(test, ft_top_heavy_count(held, n, sampled),
				    heavy_twin(held, n, sampled),
				    "seed %u, round %u", seed, round);
	}
	KUNIT_EXPECT_GT(test, some, 10000);
}

#define PEERS	200u

/* Number of one of @n, the first ones more often: like 1 / (number + 1). */
static u32 zipf(struct rnd_state *rnd, u32 n)
{
	u32 v = prandom_u32_state(rnd) % n;

	return prandom_u32_state(rnd) % (v + 1);
}

/* Which source is greedy in nf_conntrack, and for what. */
#define GREEDY		7u
#define GREEDY_PORT	9u

/**
 * struct census - an exact count of the flows that a test opened
 * @total: all
 * @source: by source
 * @dest: by destination
 * @port: by port
 * @portless: without one
 */
struct census {
	u32 total;
	u32 source[PEERS];
	u32 dest[PEERS];
	u32 port[PEERS];
	u32 portless;
};

/* Own flows, or guarded ones: a fifth of those are of one greedy source. */
static void populate(struct kunit *test, struct ft_net *tn,
		     struct rnd_state *rnd, u32 n, struct census *census,
		     bool guarded)
{
	struct opening o = {};
	u32 i;

	memset(census, 0, sizeof(*census));
	for (i = 0; i < n; i++) {
		o.source = zipf(rnd, PEERS);
		o.dest = zipf(rnd, PEERS);
		o.port = zipf(rnd, PEERS);
		if (guarded && i % 5 == 0) {
			o.source = GREEDY;
			o.port = GREEDY_PORT;
		}
		o.sport = prandom_u32_state(rnd);
		o.v6 = o.source % 4 == 3;
		o.l4proto = i % 16 == 0 ? IPPROTO_GRE :
			    i % 3 == 0 ? IPPROTO_TCP : IPPROTO_UDP;
		/* One service each: the port says which protocol. */
		if (o.l4proto != IPPROTO_GRE)
			o.l4proto = o.port % 2 ? IPPROTO_TCP : IPPROTO_UDP;
		if (guarded ? !guard_flow(tn, &o) :
			      open_flow(tn, &o) != FT_ADMIT_OK)
			continue;
		census->total++;
		census->source[o.source]++;
		census->dest[o.dest]++;
		if (o.l4proto == IPPROTO_GRE)
			census->portless++;
		else
			census->port[o.port]++;
		if (i % 256 == 0)
			follow_size(tn);
	}
	follow_size(tn);
	KUNIT_ASSERT_GE(test, census->total, n / 2);
}

/* How many flows of an entry the census has; @found counts what it named. */
static u32 census_of(const struct census *census, unsigned int kind,
		     const struct ft_top_key *key)
{
	bool v6 = key->host.family == NFPROTO_IPV6;

	switch (kind) {
	case SOURCE:
		return census->source[v6 ? ntohl(key->host.addr[1]) :
				      ntohl(key->host.addr[0]) - 0x0a000000];
	case DEST:
		return census->dest[v6 ? ntohl(key->host.addr[2]) :
				    ntohl(key->host.addr[0]) & 0xffff];
	default:
		return key->l4proto == IPPROTO_GRE ? census->portless :
		       census->port[ntohs(key->port)];
	}
}

/* Tables that the samples cover: all numbers are exact, and in order. */
static void exact_when_small(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 20000);
	const struct ft_top_report *report;
	const struct ft_top_entry *entry;
	const struct ft_top_list *list;
	u32 seed = get_random_u32();
	u32 own, guarded;
	struct census *census;
	struct rnd_state rnd;
	unsigned int kind, i;

	census = kunit_kcalloc(test, 2, sizeof(*census), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, census);
	prandom_seed_state(&rnd, seed);
	populate(test, tn, &rnd, 6000, &census[0], false);
	populate(test, tn, &rnd, 3000, &census[1], true);
	report = survey_now(test, tn);
	KUNIT_EXPECT_TRUE(test, report->exact);
	KUNIT_EXPECT_EQ(test, report->own.sampled, census[0].total);
	KUNIT_EXPECT_EQ(test, report->own.total, census[0].total);
	KUNIT_EXPECT_EQ(test, report->guarded.sampled, census[1].total);
	KUNIT_EXPECT_EQ(test, report->guarded.total, census[1].total);
	KUNIT_EXPECT_EQ(test, report->list[FLOWTRACK_TOP_KIND_EXTERNAL][FLOWS].n, 0);
	for (kind = 0; kind < PLAIN_KINDS; kind++) {
		list = &report->list[kind][FLOWS];
		KUNIT_ASSERT_EQ(test, list->n, FT_TOP_MAX);
		for (i = 0; i < list->n; i++) {
			entry = &list->entry[i];
			own = census_of(&census[0], kind, &entry->key);
			guarded = census_of(&census[1], kind, &entry->key);
			/* A destination has IPv4 and IPv6 flows; see below. */
			if (kind != DEST) {
				KUNIT_EXPECT_EQ_MSG(test, entry->held, own,
						    "seed %u, kind %u, entry %u",
						    seed, kind, i);
				KUNIT_EXPECT_EQ_MSG(test, entry->guarded,
						    guarded,
						    "seed %u, kind %u, entry %u",
						    seed, kind, i);
			} else {
				KUNIT_EXPECT_LE(test, entry->held, own);
				KUNIT_EXPECT_LE(test, entry->guarded, guarded);
			}
			KUNIT_EXPECT_EQ(test, entry->flows,
					entry->held + entry->guarded);
			if (i)
				KUNIT_EXPECT_GE(test, entry[-1].flows,
						entry->flows);
		}
		list = &report->list[kind][FT_TOP_ORDER_OWN];
		for (i = 1; i < list->n; i++)
			KUNIT_EXPECT_GE(test, list->entry[i - 1].held,
					list->entry[i].held);
		list = &report->list[kind][FT_TOP_ORDER_GUARDED];
		for (i = 1; i < list->n; i++)
			KUNIT_EXPECT_GE(test, list->entry[i - 1].guarded, list->entry[i].guarded);
	}
}

/* How far off an entry is, in parts in a million of all flows. */
static s64 error_of(u32 told, u32 truth, u32 total)
{
	return abs(div_s64(1000000 * ((s64)told - truth), total));
}

/*
 * How far off are samples of which? 95 of 100 numbers must be within the bound,
 * and none far beyond it: not all of the samples are of different flows.
 */
static void expect_bound(struct kunit *test, struct ft_net *tn,
			 const struct census *census, u32 seed)
{
	u32 own = census[0].total, guarded = census[1].total;
	unsigned int round, kind, i, tries = 0, within = 0;
	/* Parts in a million: 0.98 / sqrt(16384) is 7656. */
	const s64 bound = 7656;
	const struct ft_top_report *report;
	const struct ft_top_entry *entry;
	u32 truth[2];
	s64 error;

	for (round = 0; round < 15; round++) {
		report = survey_now(test, tn);
		KUNIT_EXPECT_FALSE(test, report->exact);
		KUNIT_EXPECT_EQ(test, report->own.total, own);
		KUNIT_EXPECT_EQ(test, report->guarded.total, guarded);
		KUNIT_ASSERT_EQ(test, report->own.sampled,
				min(own, FT_TOP_SAMPLE));
		KUNIT_ASSERT_EQ(test, report->guarded.sampled,
				min(guarded, FT_TOP_SAMPLE));
		for (kind = 0; kind < PLAIN_KINDS; kind++) {
			if (kind == DEST)
				continue;
			for (i = 0; i < 10; i++) {
				entry = &report->list[kind][FLOWS].entry[i];
				truth[0] = census_of(&census[0], kind,
						     &entry->key);
				truth[1] = census_of(&census[1], kind,
						     &entry->key);
				error = error_of(entry->flows,
						 truth[0] + truth[1],
						 own + guarded);
				tries++;
				within += error <= bound;
				KUNIT_EXPECT_LE_MSG(test, error, 3 * bound,
						    "seed %u", seed);
				if (!guarded)
					continue;
				error = error_of(entry->guarded, truth[1],
						 guarded);
				tries++;
				within += error <= bound;
				KUNIT_EXPECT_LE_MSG(test, error, 3 * bound,
						    "seed %u", seed);
			}
		}
	}
	KUNIT_EXPECT_GE_MSG(test, within * 100, tries * 95, "seed %u", seed);
}

/* Own and guarded flows; four times more than a sample are a large table. */
static const struct {
	u32 own;
	u32 guarded;
} mixes[] = {
	{ 70000, 0 },
	{ 70000, 3000 },
	{ 3000, 70000 },
	{ 30000, 70000 },
};

static void within_the_bound(struct kunit *test)
{
	u32 seed = get_random_u32();
	struct census *census;
	struct rnd_state rnd;
	struct ft_net *tn;
	unsigned int i;

	census = kunit_kcalloc(test, 2, sizeof(*census), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, census);
	prandom_seed_state(&rnd, seed);
	for (i = 0; i < ARRAY_SIZE(mixes); i++) {
		tn = ft_kunit_net(test, 100000);
		populate(test, tn, &rnd, mixes[i].own, &census[0], false);
		populate(test, tn, &rnd, mixes[i].guarded, &census[1], true);
		expect_bound(test, tn, census, seed);
	}
}

/*
 * A resize of the shadows that does not end: they are not left out. An insertion
 * into a full table begins it, and the worker waits for the mutex.
 */
static void while_resized(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 1000);
	struct rhashtable *hash = &tn->guard.shadows.hash;
	struct ft_shadow_cursor cursor = {};
	struct opening o = { .l4proto = IPPROTO_UDP, .port = 53 };
	const struct ft_top_report *report;
	const struct ft_top_entry *entry;
	u32 i, n;
	int more;

	for (n = 0; n < 40000; n++) {
		o.source = n % 4 ? 1 : 2;
		o.sport = n;
		KUNIT_ASSERT_TRUE(test, guard_flow(tn, &o));
	}
	follow_size(tn);
	mutex_lock(&hash->mutex);
	for (i = 0; i < 100000; i++, n++) {
		o.source = n % 4 ? 1 : 2;
		o.sport = n;
		o.dest = n >> 16 << 1;
		KUNIT_ASSERT_TRUE(test, guard_flow(tn, &o));
		rcu_read_lock();
		cursor = (struct ft_shadow_cursor){};
		more = ft_shadow_walk(&tn->guard.shadows, &cursor, 0, NULL,
				      NULL);
		rcu_read_unlock();
		if (more == -EAGAIN)
			break;
	}
	n++;
	report = survey_now(test, tn);
	mutex_unlock(&hash->mutex);
	KUNIT_ASSERT_EQ(test, more, -EAGAIN);
	KUNIT_EXPECT_FALSE(test, report->exact);
	KUNIT_EXPECT_EQ(test, report->guarded.total, n);
	KUNIT_EXPECT_EQ(test, report->guarded.sampled, FT_TOP_SAMPLE);
	KUNIT_ASSERT_EQ(test, report->list[SOURCE][FLOWS].n, 2);
	entry = report->list[SOURCE][FLOWS].entry;
	/* Three quarters, give or take eight standard deviations. */
	KUNIT_EXPECT_LE(test, error_of(entry->flows, n - n / 4, n), 40000);
	KUNIT_EXPECT_EQ(test, entry->guarded, entry->flows);
	follow_size(tn);
	KUNIT_EXPECT_EQ(test, survey_now(test, tn)->guarded.sampled,
			FT_TOP_SAMPLE);
}

/* By what flows have carried: the one that has most is first, however few it holds. */
static void bytes(struct kunit *test)
{
	const u64 carried[] = { 5, 1ULL << 40, 70000, 0 };
	struct ft_net *tn = ft_kunit_net(test, 100);
	struct opening opening = { .dest = 1, .port = 53, .l4proto = IPPROTO_UDP };
	const struct ft_top_report *report;
	const struct ft_top_list *list;
	struct ft_flow *flow;
	unsigned int i, k;
	struct ft_key key;
	u32 index;

	for (i = 0; i < ARRAY_SIZE(carried); i++) {
		union nf_inet_addr src, dst;

		opening.source = i;
		for (k = 0; k < 2; k++) {
			opening.sport = 1000 + k;
			KUNIT_ASSERT_EQ(test, open_flow(tn, &opening), FT_ADMIT_OK);
			set_addresses(&opening, &src, &dst);
			ft_key_set(&key, NFPROTO_IPV4, IPPROTO_UDP, 0, &src, &dst,
				   htons(opening.sport), htons(opening.port));
			rcu_read_lock();
			flow = ft_table_lookup(tn->table, &key,
					       ft_key_hash(&key, ft_table_secret(tn->table)),
					       &index);
			if (flow)
				flow->bytes[k] = carried[i];
			rcu_read_unlock();
			KUNIT_ASSERT_NOT_NULL(test, flow);
		}
	}
	report = survey_now(test, tn);
	KUNIT_EXPECT_EQ(test, report->bytes, 2 * (5 + (1ULL << 40) + 70000));
	list = &report->list[SOURCE][BYTES];
	/* What has carried nothing is not in it. */
	KUNIT_ASSERT_EQ(test, list->n, 3);
	KUNIT_EXPECT_EQ(test, list->entry[0].bytes, 2ULL << 40);
	KUNIT_EXPECT_EQ(test, list->entry[1].bytes, 140000);
	KUNIT_EXPECT_EQ(test, list->entry[2].bytes, 10);
	KUNIT_EXPECT_EQ(test, list->entry[2].flows, 2);
	KUNIT_EXPECT_EQ(test, report->list[SOURCE][FLOWS].n, 4);
	KUNIT_EXPECT_EQ(test, report->list[SERVICE][BYTES].entry[0].bytes, report->bytes);
}

static const struct {
	const char *name;
	struct opening opening;
	__be16 port;
} guarded_table[] = {
	{ "the initiator has the lower address",
	  { 1, 2, 80, 5000, IPPROTO_TCP }, htons(80) },
	{ "it has the upper one", { 1, 3, 443, 5000, IPPROTO_TCP }, htons(443) },
	{ "and the upper port", { 1, 3, 5000, 80, IPPROTO_UDP }, htons(5000) },
	{ "IPv6", { 1, 2, 53, 5000, IPPROTO_UDP, true }, htons(53) },
	{ "SCTP, IPv6", { 70000, 2, 36412, 36412, IPPROTO_SCTP, true },
	  htons(36412) },
	{ "a ping: type and id are no ports",
	  { 1, 3, ICMP_ECHO << 8, 77, IPPROTO_ICMP } },
	{ "a ping, IPv6", { 1, 2, 128 << 8, 77, IPPROTO_ICMPV6, true } },
	{ "GRE: nor are keys", { 1, 3, 9, 8, IPPROTO_GRE } },
	{ "a protocol without ports", { 1, 2, 0, 0, IPPROTO_ESP } },
};

/* What is told of a single guarded flow, as its initiator sends it. */
static void guarded_by_table(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 100);
	const struct ft_top_list (*list)[FT_TOP_ORDERS_ALL];
	const struct ft_top_report *report;
	struct ft_source source, dest;
	union nf_inet_addr src, dst;
	struct ft_shadow_key key;
	unsigned int i, kind;
	u8 family;
	u32 word;

	for (i = 0; i < ARRAY_SIZE(guarded_table); i++) {
		const struct opening *o = &guarded_table[i].opening;
		const char *name = guarded_table[i].name;

		KUNIT_ASSERT_TRUE(test, guard_flow(tn, o));
		report = survey_now(test, tn);
		KUNIT_EXPECT_TRUE(test, report->exact);
		list = report->list;
		for (kind = 0; kind < PLAIN_KINDS; kind++) {
			KUNIT_ASSERT_EQ_MSG(test, list[kind][FLOWS].n, 1, "%s",
					    name);
			KUNIT_EXPECT_EQ(test, list[kind][FLOWS].entry[0].flows,
					1);
			KUNIT_EXPECT_EQ(test,
					list[kind][FLOWS].entry[0].guarded, 1);
			KUNIT_EXPECT_EQ(test, list[kind][FT_TOP_ORDER_OWN].n,
					0);
			KUNIT_EXPECT_EQ(test, list[kind][FT_TOP_ORDER_GUARDED].n, 1);
		}
		set_addresses(o, &src, &dst);
		family = o->v6 ? NFPROTO_IPV6 : NFPROTO_IPV4;
		source = (struct ft_source){ .family = family };
		dest = source;
		memcpy(source.addr, &src, sizeof(src));
		memcpy(dest.addr, &dst, sizeof(dst));
		/* By default an IPv6 source is a /64. */
		if (o->v6)
			memset(&source.addr[2], 0, 2 * sizeof(__be32));
		KUNIT_EXPECT_MEMEQ_MSG(test,
				       &list[SOURCE][FLOWS].entry[0].key.host,
				       &source, sizeof(source), "%s", name);
		KUNIT_EXPECT_MEMEQ_MSG(test,
				       &list[DEST][FLOWS].entry[0].key.host,
				       &dest, sizeof(dest), "%s", name);
		KUNIT_EXPECT_EQ_MSG(test,
				    list[SERVICE][FLOWS].entry[0].key.port,
				    guarded_table[i].port, "%s", name);
		KUNIT_EXPECT_EQ_MSG(test,
				    list[SERVICE][FLOWS].entry[0].key.l4proto,
				    o->l4proto, "%s", name);
		memset(&key, 0, sizeof(key));
		key.addr[0] = src;
		key.addr[1] = dst;
		key.port[0] = htons(o->sport);
		key.port[1] = htons(o->port);
		key.l4proto = o->l4proto;
		key.bits = NF_CT_DEFAULT_ZONE_DIR |
			   (o->v6 ? FT_SHADOW_V6 : 0);
		KUNIT_ASSERT_TRUE(test, ft_shadow_drop(&tn->guard.shadows, &key,
						       &word));
	}
}

/* Two samples are of different flows, and between them all can be met. */
static void samples_differ(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 100000);
	struct opening o = { .l4proto = IPPROTO_UDP, .port = 53 };
	const struct ft_top_list *list;
	u32 i, first, differs = 0;

	for (i = 0; i < 3 * FT_TOP_SAMPLE; i++) {
		o.source = i % 2;
		o.sport = i;
		o.dest = i >> 16 << 1;
		KUNIT_ASSERT_EQ(test, open_flow(tn, &o), FT_ADMIT_OK);
		if (i % 256 == 0)
			follow_size(tn);
	}
	follow_size(tn);
	list = survey_now(test, tn)->list[SOURCE];
	first = list->entry[0].held;
	for (i = 0; i < 10; i++) {
		list = survey_now(test, tn)->list[SOURCE];
		KUNIT_EXPECT_EQ(test, list->n, 2);
		differs += list->entry[0].held != first;
	}
	KUNIT_EXPECT_GT(test, differs, 0);
}

/* Births are counted from the first question on, and weighed by time. */
static void rates(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 100000);
	struct opening o = { .l4proto = IPPROTO_TCP, .port = 80 };
	const struct ft_top_report *report;
	const struct ft_top_list *list;
	u32 i;

	for (i = 0; i < 100; i++) {
		o.sport = i;
		open_flow(tn, &o);
	}
	report = survey_now(test, tn);
	KUNIT_EXPECT_EQ(test, report->window, 0);
	KUNIT_EXPECT_EQ(test, report->births, 0);
	KUNIT_EXPECT_EQ(test, report->list[SOURCE][RATE].n, 0);
	for (i = 0; i < 800; i++) {
		o.sport = 1000 + i;
		o.source = i % 4 ? 1 : 2;
		o.port = i % 2 ? 80 : 443;
		o.dest = 8;
		open_flow(tn, &o);
	}
	msleep(1100);
	report = survey_now(test, tn);
	KUNIT_EXPECT_GE(test, report->window, 1000);
	KUNIT_EXPECT_EQ(test, report->births, 800);
	KUNIT_EXPECT_EQ(test, report->rate, 800000 / report->window);
	list = &report->list[SOURCE][RATE];
	KUNIT_ASSERT_EQ(test, list->n, 2);
	KUNIT_EXPECT_EQ(test, list->entry[0].key.host.addr[0],
			htonl(0x0a000001));
	KUNIT_EXPECT_LE(test, abs((int)list->entry[0].rate -
				  (int)(600000 / report->window)), 1);
	KUNIT_EXPECT_LE(test, abs((int)list->entry[1].rate -
				  (int)(200000 / report->window)), 1);
	/* The source that holds most opened none. */
	KUNIT_EXPECT_EQ(test, report->list[SOURCE][FLOWS].n, 3);
	KUNIT_EXPECT_EQ(test, report->list[SERVICE][RATE].n, 2);
	KUNIT_EXPECT_EQ(test, report->list[DEST][RATE].n, 1);
}

/* More births than a CPU remembers: the shares are estimates, the sum not. */
static void rates_beyond_the_ring(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 100000);
	struct opening o = { .l4proto = IPPROTO_TCP, .port = 80 };
	const struct ft_top_report *report;
	const struct ft_top_list *list;
	u32 seed = get_random_u32();
	struct rnd_state rnd;
	u32 i, part;

	prandom_seed_state(&rnd, seed);
	survey_now(test, tn);
	for (i = 0; i < 5 * FT_TOP_RING; i++) {
		o.sport = i;
		o.source = prandom_u32_state(&rnd) % 4 ? 1 : 2;
		KUNIT_ASSERT_EQ(test, open_flow(tn, &o), FT_ADMIT_OK);
	}
	msleep(1100);
	report = survey_now(test, tn);
	/* The oldest one might be being overwritten. */
	KUNIT_EXPECT_EQ(test, report->births, FT_TOP_RING - 1);
	KUNIT_EXPECT_EQ(test, report->rate,
			5 * FT_TOP_RING * 1000 / report->window);
	list = &report->list[SOURCE][RATE];
	KUNIT_ASSERT_EQ(test, list->n, 2);
	part = list->entry[1].rate * 1000 / report->rate;
	/* 25 %, plus or minus more than five standard deviations. */
	KUNIT_EXPECT_GE_MSG(test, part, 180, "seed %u", seed);
	KUNIT_EXPECT_LE_MSG(test, part, 320, "seed %u", seed);
}

/* A flow that begins in nf_conntrack is a birth, one that was there is none. */
static void rates_of_guarded(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 100);
	struct nf_conntrack_tuple orig, reply;
	const struct ft_top_report *report;
	const struct ft_top_list *list;
	struct nf_conn *ct;
	u32 i;

	ct = ft_ct_udp(test, 0, 0, 60 * HZ);
	survey_now(test, tn);
	ft_ct_feed(tn, ct);
	for (i = 1; i < 9; i++) {
		ft_ct_tuple(&orig, i < 7 ? 1 : 2);
		orig.src.u.udp.port = htons(i);
		nf_ct_invert_tuple(&reply, &orig);
		ct = nf_conntrack_alloc(&init_net, &nf_ct_zone_dflt, &orig,
					&reply, GFP_KERNEL);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, ct);
		ft_ct_feed(tn, ct);
		/* Its second packet. */
		ft_ct_feed(tn, ct);
		nf_conntrack_free(ct);
	}
	msleep(1100);
	report = survey_now(test, tn);
	KUNIT_EXPECT_EQ(test, report->births, 8);
	KUNIT_EXPECT_EQ(test, report->rate, 8000 / report->window);
	list = &report->list[SOURCE][RATE];
	KUNIT_ASSERT_EQ(test, list->n, 2);
	KUNIT_EXPECT_EQ(test, list->entry[0].key.host.addr[0],
			htonl(0x0a000001));
	KUNIT_EXPECT_EQ(test, report->list[SERVICE][RATE].entry[0].key.port,
			htons(53));
	ft_ct_end_all();
}

/* However many ask, there is one report a second. */
static void once_a_second(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 100);
	const struct ft_top_report *report;
	unsigned int i, made = 0;
	unsigned long end;

	KUNIT_ASSERT_EQ(test, ft_top_refresh(tn), 0);
	report = rcu_dereference_raw(tn->top.report);
	end = jiffies + 2 * HZ + HZ / 2;
	for (i = 0; time_before(jiffies, end); i++) {
		KUNIT_ASSERT_EQ(test, ft_top_refresh(tn), 0);
		made += rcu_dereference_raw(tn->top.report) != report;
		report = rcu_dereference_raw(tn->top.report);
		cond_resched();
	}
	KUNIT_EXPECT_GT(test, i, 100);
	/* Two, or one on a machine that stood still for a while. */
	KUNIT_EXPECT_GE(test, made, 1);
	KUNIT_EXPECT_LE(test, made, 2);
}

/* A minute after the last question nothing is left of the rings. */
static void rings_end(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 100);

	/* A reader that has no use for rates does not make the packet path pay for them. */
	KUNIT_EXPECT_EQ(test, ft_top_sample(tn), 0);
	KUNIT_EXPECT_NOT_NULL(test, rcu_dereference_raw(tn->top.report));
	KUNIT_EXPECT_NULL(test, rcu_dereference_raw(tn->top.rings));
	survey_now(test, tn);
	KUNIT_EXPECT_NOT_NULL(test, rcu_dereference_raw(tn->top.rings));
	flush_delayed_work(&tn->top.work);
	KUNIT_EXPECT_NOT_NULL(test, rcu_dereference_raw(tn->top.rings));
	KUNIT_EXPECT_TRUE(test, delayed_work_pending(&tn->top.work));
	tn->top.wanted = jiffies;
	flush_delayed_work(&tn->top.work);
	KUNIT_EXPECT_NULL(test, rcu_dereference_raw(tn->top.rings));
	KUNIT_EXPECT_FALSE(test, delayed_work_pending(&tn->top.work));
}

/* A look is of this moment, and goes on only while the table is nearly full. */
static void look(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 100);
	struct opening o = { .l4proto = IPPROTO_TCP, .port = 80 };
	u32 n;

	tn->set.v[FLOWTRACK_A_SETTINGS_WATERMARK_HIGH] = 0;
	for (n = 1; n <= 90; n++) {
		o.sport = n;
		o.source = n;
		KUNIT_ASSERT_EQ(test, open_flow(tn, &o), FT_ADMIT_OK);
		ft_top_look(tn);
		KUNIT_EXPECT_EQ(test, rcu_dereference_raw(tn->top.report)->own.total,
				n);
		KUNIT_EXPECT_EQ(test, delayed_work_pending(&tn->top.work),
				n == 90);
	}
	KUNIT_EXPECT_NULL(test, rcu_dereference_raw(tn->top.rings));
	ft_flow_end_all(tn, FLOWTRACK_REASON_FLUSHED);
	flush_delayed_work(&tn->top.work);
	KUNIT_EXPECT_FALSE(test, delayed_work_pending(&tn->top.work));
}

static bool is_heavy(struct ft_net *tn, u32 source, u32 low, bool v6)
{
	union nf_inet_addr src = {}, dst = {};
	struct ft_key key;
	bool from_hi, heavy;

	if (v6) {
		src.ip6[0] = htonl(0x20010db8);
		src.ip6[1] = htonl(source);
		src.ip6[3] = htonl(low);
	} else {
		src.ip = htonl(0x0a000000 + source);
	}
	from_hi = ft_key_set(&key, v6 ? NFPROTO_IPV6 : NFPROTO_IPV4,
			     IPPROTO_TCP, 0, &src, &dst, 1, 2);
	rcu_read_lock();
	heavy = ft_top_heavy(tn, &key, from_hi ? FT_FLOW_ORIG_HI : 0);
	rcu_read_unlock();
	return heavy;
}

/* Newcomers are refused: who fills the table? Room again: nobody does. */
static void heavy_sources(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 1000);
	struct opening o = { .l4proto = IPPROTO_TCP, .port = 80 };
	const struct ft_top_entry *first;
	u32 i;

	tn->set.v[FLOWTRACK_A_SETTINGS_FULL_POLICY] = FLOWTRACK_POLICY_DROP;
	/* A message about a watermark needs the answer, too. */
	tn->set.v[FLOWTRACK_A_SETTINGS_WATERMARK_HIGH] = 0;
	for (i = 0; i < 1000; i++) {
		o.sport = i;
		o.v6 = i % 5 == 0;
		o.source = i % 5 == 1 ? 100 + i : i % 5;
		KUNIT_ASSERT_EQ(test, open_flow(tn, &o), FT_ADMIT_OK);
	}
	/* A source that fills nf_conntrack's table is not heavy in this one. */
	for (i = 0; i < 3000; i++) {
		o.sport = i;
		o.v6 = false;
		o.source = i % 2 ? 50 : 2;
		o.port = 443;
		KUNIT_ASSERT_TRUE(test, guard_flow(tn, &o));
	}
	o.source = 4;
	o.sport = 999;
	o.port = 80;
	KUNIT_EXPECT_FALSE(test, delayed_work_pending(&tn->top.work));
	KUNIT_EXPECT_FALSE(test, is_heavy(tn, 2, 0, false));
	KUNIT_EXPECT_EQ(test, open_flow(tn, &o), FT_ADMIT_CLASH);
	o.sport = 5000;
	KUNIT_EXPECT_EQ(test, open_flow(tn, &o), FT_ADMIT_DROP);
	KUNIT_EXPECT_TRUE(test, delayed_work_pending(&tn->top.work));
	flush_delayed_work(&tn->top.work);

	/* 200 each of four, one of them a /64; 200 others have one each. */
	for (i = 2; i < 5; i++)
		KUNIT_EXPECT_TRUE(test, is_heavy(tn, i, 0, false));
	KUNIT_EXPECT_TRUE(test, is_heavy(tn, 0, 77777, true));
	KUNIT_EXPECT_FALSE(test, is_heavy(tn, 1, 77777, true));
	KUNIT_EXPECT_FALSE(test, is_heavy(tn, 0, 0, false));
	KUNIT_EXPECT_FALSE(test, is_heavy(tn, 101, 0, false));
	KUNIT_EXPECT_FALSE(test, is_heavy(tn, 50, 0, false));
	rcu_read_lock();
	KUNIT_EXPECT_TRUE(test, ft_top_any_heavy(tn));
	first = ft_top_first(tn, SERVICE, FT_TOP_ORDER_OWN);
	KUNIT_EXPECT_NOT_NULL(test, first);
	if (first) {
		KUNIT_EXPECT_EQ(test, first->key.port, htons(80));
		KUNIT_EXPECT_EQ(test, first->held, 1000);
	}
	first = rcu_dereference(tn->top.report)->list[SERVICE][FLOWS].entry;
	KUNIT_EXPECT_EQ(test, first->key.port, htons(443));
	KUNIT_EXPECT_EQ(test, first->flows, 3000);
	first = rcu_dereference(tn->top.report)->list[SOURCE][FLOWS].entry;
	KUNIT_EXPECT_EQ(test, first->flows, 1700);
	rcu_read_unlock();

	/* It goes on by itself while the table is full, and ends with that. */
	KUNIT_EXPECT_TRUE(test, delayed_work_pending(&tn->top.work));
	flush_delayed_work(&tn->top.work);
	KUNIT_EXPECT_TRUE(test, is_heavy(tn, 2, 0, false));
	ft_flow_end_all(tn, FLOWTRACK_REASON_FLUSHED);
	flush_delayed_work(&tn->top.work);
	KUNIT_EXPECT_FALSE(test, is_heavy(tn, 2, 0, false));
	KUNIT_EXPECT_FALSE(test, delayed_work_pending(&tn->top.work));
}

static struct kunit_case top_cases[] = {
	KUNIT_CASE(heavy_by_table),
	KUNIT_CASE(heavy_by_twin),
	KUNIT_CASE(exact_when_small),
	KUNIT_CASE_SLOW(within_the_bound),
	KUNIT_CASE_SLOW(while_resized),
	KUNIT_CASE(bytes),
	KUNIT_CASE(guarded_by_table),
	KUNIT_CASE_SLOW(samples_differ),
	KUNIT_CASE_SLOW(rates),
	KUNIT_CASE_SLOW(rates_beyond_the_ring),
	KUNIT_CASE_SLOW(rates_of_guarded),
	KUNIT_CASE_SLOW(once_a_second),
	KUNIT_CASE(rings_end),
	KUNIT_CASE(look),
	KUNIT_CASE(heavy_sources),
	{}
};

static struct kunit_suite top_suite = {
	.name = "ft_top",
	.test_cases = top_cases,
};

kunit_test_suite(top_suite);
