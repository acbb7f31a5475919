// SPDX-License-Identifier: GPL-2.0
/*
 * Floods against the policy, in simulated time: millions of newcomers at a full
 * table. The same arrivals meet two tables. One is sampled as the real one is,
 * and decided upon by ft_pressure_choose(). The other knows all its flows in the
 * order of their last packets, and always evicts the oldest of the least
 * valuable class: exact LRU. What is compared is how many flows of each kind
 * were never evicted, in permille of those that there were.
 */
#include <kunit/test.h>
#include <linux/jiffies.h>
#include <linux/list.h>
#include <linux/prandom.h>
#include <linux/vmalloc.h>

#include "policy/loan.h"
#include "policy/pressure.h"

#define ROOM		4096
#define SAMPLE		12	/* flows that make a sample */
#define FAR		512	/* in 128 lines, at four a bucket */

/* Ticks between a client's SYN and its answer: 100 ms. */
#define ANSWER		(HZ / 10)
/* How long a client's connection is busy, and then closed. */
#define BUSY		(2 * HZ)

enum kind { ACTIVE, IDLE, ANSWERED, CLIENT, FORGED, KINDS };

static const char * const kind_names[KINDS] = {
	"active", "idle", "answered", "client", "forged",
};

struct entry {
	struct list_head order;
	enum flowtrack_class class;
	enum kind kind;
	u32 last;
	u32 serial;
};

/* A table; @order is what the exact one decides by. */
struct sim {
	struct entry entry[ROOM];
	struct list_head order[FT_CLASSES];
	struct ft_census census;
	u32 count;
	struct ft_loan loan;
	u32 now;
	bool exact;
	u64 born[KINDS];
	u64 lost[KINDS];
	u64 refused;
	struct rnd_state rnd;
};

/**
 * struct flood - what is simulated
 * @name: for messages
 * @active: busy connections, a packet every 20 s
 * @idle: connections that say nothing, for an hour and longer
 * @answered: UDP exchanges with a packet every 4 s
 * @rate: forged newcomers per tick
 * @every: one newcomer in so many is a client that goes on when answered
 * @seconds: of simulated time
 * @slack: permille that survival may differ by
 */
struct flood {
	const char *name;
	u32 active, idle, answered, rate, every, seconds, slack;
};

static void set_class(struct sim *sim, struct entry *e,
		      enum flowtrack_class class)
{
	sim->census.n[e->class]--;
	e->class = class;
	sim->census.n[class]++;
}

static void touch(struct sim *sim, struct entry *e, enum flowtrack_class class)
{
	set_class(sim, e, class);
	e->last = sim->now;
	list_move_tail(&e->order, &sim->order[class]);
}

/* The oldest that the rules let go, of the first class that has one. */
static struct entry *exact_victim(struct sim *sim)
{
	static const u32 floor[FT_CLASSES] = { 0, 3 * HZ, 10 * HZ, 60 * HZ };
	struct entry *e, *young = NULL;
	unsigned int class;

	for (class = 0; class < FT_CLASSES; class++) {
		e = list_first_entry_or_null(&sim->order[class], struct entry,
					     order);
		if (!e)
			continue;
		if (!class || sim->now - e->last > floor[class]) {
			if (class < FLOWTRACK_CLASS_REPLIED ||
			    (ft_loan_open(&sim->loan) &&
			     sim->census.n[FLOWTRACK_CLASS_EMBRYONIC] *
			     FT_LOAN_SHARE <= ROOM))
				return e;
		} else if (class == FLOWTRACK_CLASS_EMBRYONIC) {
			young = e;
		}
	}
	return young;
}

static void sim_look(const void *arg, struct ft_candidate *candidates,
		     unsigned int n)
{
	const struct sim *sim = arg;

	for (; n--; candidates++) {
		candidates->idle = sim->now -
				   sim->entry[candidates->index].last;
		candidates->flags |= FT_CANDIDATE_KNOWN;
	}
}

/* As ft_table_sample(). Neighbours in the table are strangers to each other. */
static u32 sample(struct sim *sim, enum flowtrack_class wanted,
		  struct ft_candidate *c, u32 max)
{
	u32 i, n = 0, at = prandom_u32_state(&sim->rnd);
	bool any = false;
	struct entry *e;

	for (i = 0; i < SAMPLE || (!any && i < FAR); i++) {
		/* An odd stride walks through all of them. */
		e = &sim->entry[(at + i * 1237) % ROOM];
		any |= e->class <= wanted;
		n = min(i, max - 1);
		c[n] = (struct ft_candidate) {
			.index = e - sim->entry,
			.class = e->class,
			.left = 1,
		};
	}
	return n + 1;
}

/* As search_victim() of track/evict.c. */
static struct entry *sampled_victim(struct sim *sim)
{
	struct ft_newcomer here, who = {
		.class = FLOWTRACK_CLASS_EMBRYONIC,
		.idle = ft_loan_open(&sim->loan),
		.fair = ft_loan_open(&sim->loan),
	};
	enum flowtrack_class wanted = FLOWTRACK_CLASS_ASSURED;
	struct ft_candidate c[FT_PRESSURE_SAMPLE], victim, spare = {};
	enum ft_rank rank, spare_rank = FT_RANK_NEVER;
	u32 n, tries;

	for (tries = 0; tries < 5; tries++) {
		n = sample(sim, wanted, c, ARRAY_SIZE(c));
		here = who;
		ft_pressure_crowd(&here, c, n);
		wanted = who.idle ? FLOWTRACK_CLASS_CLOSING :
				    FLOWTRACK_CLASS_EMBRYONIC;
		ft_pressure_choose(FLOWTRACK_POLICY_DROP, &here, c, n,
				   sim_look, sim, &victim, &rank);
		if (rank != FT_RANK_NEVER &&
		    (tries >= 3 || ft_pressure_settled(&here, rank)))
			return &sim->entry[victim.index];
		if (tries >= 3 && spare_rank != FT_RANK_NEVER)
			break;
		if (rank < FT_RANK_NEVER && rank <= spare_rank) {
			spare = victim;
			spare_rank = rank;
		}
	}
	return spare_rank == FT_RANK_NEVER ? NULL : &sim->entry[spare.index];
}

static struct entry *arrive(struct sim *sim, enum kind kind,
			    enum flowtrack_class class, u32 serial)
{
	struct entry *e;

	sim->born[kind]++;
	if (sim->count < ROOM) {
		e = &sim->entry[sim->count++];
		sim->census.n[class]++;
		e->class = class;
		INIT_LIST_HEAD(&e->order);
	} else {
		e = sim->exact ? exact_victim(sim) : sampled_victim(sim);
		if (!e) {
			sim->refused++;
			sim->lost[kind]++;
			return NULL;
		}
		if (e->class >= FLOWTRACK_CLASS_REPLIED)
			ft_loan_take(&sim->loan);
		/* What is over can't be lost; nor is a client that was served. */
		if (e->class != FLOWTRACK_CLASS_CLOSING)
			sim->lost[e->kind]++;
	}
	e->kind = kind;
	e->serial = serial;
	touch(sim, e, class);
	return e;
}

/* A client's next step, if it still has its flow. */
static void go_on(struct sim *sim, struct entry *e, u32 serial,
		  enum flowtrack_class class)
{
	if (!e || e->serial != serial)
		return;
	if (e->class == FLOWTRACK_CLASS_EMBRYONIC)
		ft_loan_repay(&sim->loan);
	touch(sim, e, class);
}

/* What has to happen later, in the order in which it will. */
struct later {
	struct { struct entry *e; u32 serial, at; } item[65536];
	u16 head, tail;
};

static void remember(struct later *later, struct entry *e, u32 serial, u32 at)
{
	later->item[later->head].e = e;
	later->item[later->head].serial = serial;
	later->item[later->head++].at = at;
}

static void run(struct sim *sim, const struct flood *flood,
		struct later *answers, struct later *closes)
{
	u32 serial = 1, i, tick, n;
	struct entry *e;

	for (i = 0; i < FT_CLASSES; i++)
		INIT_LIST_HEAD(&sim->order[i]);
	prandom_seed_state(&sim->rnd, 99);
	ft_loan_init(&sim->loan);
	memset(answers, 0, sizeof(*answers));
	memset(closes, 0, sizeof(*closes));
	sim->now = 3600 * HZ;
	for (i = 0; i < flood->active; i++)
		arrive(sim, ACTIVE, FLOWTRACK_CLASS_ASSURED, serial++);
	for (i = 0; i < flood->answered; i++)
		arrive(sim, ANSWERED, FLOWTRACK_CLASS_REPLIED, serial++);
	for (i = 0; i < flood->idle; i++) {
		e = arrive(sim, IDLE, FLOWTRACK_CLASS_ASSURED, serial++);
		/* Older than all, and in order. */
		e->last = i;
		list_move_tail(&e->order, &sim->order[FLOWTRACK_CLASS_ASSURED]);
	}
	/* The exact table wants the oldest first. */
	for (i = 0; i < flood->active; i++)
		touch(sim, &sim->entry[i], FLOWTRACK_CLASS_ASSURED);

	for (tick = 0; tick < flood->seconds * HZ; tick++) {
		sim->now++;
		if (tick % HZ == 0)
			ft_loan_update(&sim->loan,
				       atomic_read(&sim->loan.lent),
				       sim->census.n[FLOWTRACK_CLASS_EMBRYONIC],
				       ROOM);
		/* The busy ones by turns; those that were evicted are gone. */
		for (i = tick % (20 * HZ); i < flood->active; i += 20 * HZ)
			go_on(sim, &sim->entry[i], i + 1,
			      FLOWTRACK_CLASS_ASSURED);
		for (i = tick % (4 * HZ); i < flood->answered; i += 4 * HZ) {
			n = flood->active + i;
			go_on(sim, &sim->entry[n], n + 1,
			      FLOWTRACK_CLASS_REPLIED);
		}
		while (answers->tail != answers->head &&
		       answers->item[answers->tail].at == sim->now) {
			e = answers->item[answers->tail].e;
			n = answers->item[answers->tail++].serial;
			go_on(sim, e, n, FLOWTRACK_CLASS_ASSURED);
			remember(closes, e, n, sim->now + BUSY);
		}
		while (closes->tail != closes->head &&
		       closes->item[closes->tail].at == sim->now) {
			e = closes->item[closes->tail].e;
			n = closes->item[closes->tail++].serial;
			go_on(sim, e, n, FLOWTRACK_CLASS_CLOSING);
		}
		for (i = 0; i < flood->rate; i++) {
			if (serial % flood->every) {
				arrive(sim, FORGED, FLOWTRACK_CLASS_EMBRYONIC,
				       serial);
			} else {
				e = arrive(sim, CLIENT,
					   FLOWTRACK_CLASS_EMBRYONIC, serial);
				if (e)
					remember(answers, e, serial,
						 sim->now + ANSWER);
			}
			serial++;
		}
	}
}

static int survival(const struct sim *sim, enum kind kind)
{
	u64 born = sim->born[kind];

	return born ? div64_u64((born - sim->lost[kind]) * 1000, born) : 1000;
}

static void compare(struct kunit *test, const struct flood *flood)
{
	struct later *answers = vmalloc(sizeof(*answers));
	struct later *closes = vmalloc(sizeof(*closes));
	struct sim *exact = vzalloc(sizeof(*exact));
	struct sim *sampled = vzalloc(sizeof(*sampled));
	enum kind kind;

	KUNIT_EXPECT_TRUE(test, answers && closes && exact && sampled);
	if (!answers || !closes || !exact || !sampled)
		goto out;
	exact->exact = true;
	run(exact, flood, answers, closes);
	run(sampled, flood, answers, closes);
	for (kind = 0; kind < KINDS; kind++) {
		kunit_info(test, "%s: %s: of %llu, permille %d, exact %d",
			   flood->name, kind_names[kind], sampled->born[kind],
			   survival(sampled, kind), survival(exact, kind));
		KUNIT_EXPECT_LE_MSG(test, abs(survival(sampled, kind) -
					      survival(exact, kind)),
				    (int)flood->slack,
				    "%s: %s: %d, exact %d", flood->name,
				    kind_names[kind], survival(sampled, kind),
				    survival(exact, kind));
	}
	/* And what all this is for. */
	KUNIT_EXPECT_EQ(test, sampled->lost[ACTIVE], 0);
	KUNIT_EXPECT_EQ(test, sampled->lost[ANSWERED], 0);
	KUNIT_EXPECT_GE(test, survival(sampled, CLIENT), 990);
out:
	vfree(answers);
	vfree(closes);
	vfree(exact);
	vfree(sampled);
}

/* Nearly all that comes is forged, and the table turns over twice a second. */
static void forged_flood(struct kunit *test)
{
	static const struct flood flood = {
		.name = "flood", .active = 200, .answered = 100, .idle = 300,
		.rate = 40, .every = 100, .seconds = 1000, .slack = 10,
	};

	compare(test, &flood);
}

/*
 * Idle connections hold all; each newcomer is a client. The searches
 * read a third of this table, so that some closed connections are overlooked at
 * any time, and as many idle ones went in their stead: once, not for each
 * newcomer.
 */
static void idle_giants(struct kunit *test)
{
	static const struct flood flood = {
		.name = "giants", .active = 1000, .idle = ROOM - 1000,
		.rate = 1, .every = 1, .seconds = 10, .slack = 10,
	};

	compare(test, &flood);
}

/* Short connections that come and go: what is over makes room. */
static void turnover(struct kunit *test)
{
	static const struct flood flood = {
		.name = "turnover", .active = 500, .answered = 200, .idle = 500,
		.rate = 2, .every = 2, .seconds = 300, .slack = 10,
	};

	compare(test, &flood);
}

static struct kunit_case pressure_sim_cases[] = {
	KUNIT_CASE_SLOW(forged_flood),
	KUNIT_CASE_SLOW(idle_giants),
	KUNIT_CASE_SLOW(turnover),
	{}
};

static struct kunit_suite pressure_sim_suite = {
	.name = "ft_pressure_sim",
	.test_cases = pressure_sim_cases,
};

kunit_test_suite(pressure_sim_suite);
