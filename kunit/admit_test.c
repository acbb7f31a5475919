// SPDX-License-Identifier: GPL-2.0
/* How flows are admitted, evicted, and ended: admit.c, evict.c, end.c, place.c. */
#include "base/fault_inject.h"
#include "ft_kunit.h"
#include "track/evict.h"

#define CLOSING		FLOWTRACK_CLASS_CLOSING
#define EMBRYONIC	FLOWTRACK_CLASS_EMBRYONIC
#define REPLIED		FLOWTRACK_CLASS_REPLIED
#define ASSURED		FLOWTRACK_CLASS_ASSURED

static void set_policy(struct ft_net *tn, u32 policy, u32 fallback)
{
	tn->set.v[FLOWTRACK_A_SETTINGS_FULL_POLICY] = policy;
	tn->set.v[FLOWTRACK_A_SETTINGS_FULL_FALLBACK] = fallback;
}

static void admit_up_to_max(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 100);
	u32 i;

	set_policy(tn, FLOWTRACK_POLICY_DROP, FLOWTRACK_POLICY_DROP);
	for (i = 0; i < 100; i++)
		KUNIT_ASSERT_EQ(test, ft_kunit_admit(tn, i, EMBRYONIC, 30 * HZ),
				FT_ADMIT_OK);
	KUNIT_EXPECT_EQ(test, ft_kunit_admit(tn, 100, EMBRYONIC, 30 * HZ),
			FT_ADMIT_DROP);
	KUNIT_EXPECT_EQ(test, atomic_read(&tn->count), 100);
	KUNIT_EXPECT_FALSE(test, ft_kunit_has(tn, 100));
	KUNIT_EXPECT_EQ(test, ft_kunit_stat(tn, FLOWTRACK_A_STATS_INSERT), 100);
	KUNIT_EXPECT_EQ(test, ft_kunit_stat(tn, FLOWTRACK_A_STATS_FULL), 1);
	KUNIT_EXPECT_EQ(test, ft_kunit_stat(tn, FLOWTRACK_A_STATS_FULL_DROP), 1);
	for (i = 0; i < 100; i++)
		KUNIT_EXPECT_TRUE(test, ft_kunit_has(tn, i));
}

static void admit_clash(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 1);

	KUNIT_EXPECT_EQ(test, ft_kunit_admit(tn, 7, EMBRYONIC, 30 * HZ),
			FT_ADMIT_OK);
	/* At the limit, too: what is in needs no room. */
	KUNIT_EXPECT_EQ(test, ft_kunit_admit(tn, 7, EMBRYONIC, 30 * HZ),
			FT_ADMIT_CLASH);
	tn->set.v[FLOWTRACK_A_SETTINGS_MAX_FLOWS] = 10;
	KUNIT_EXPECT_EQ(test, ft_kunit_admit(tn, 7, EMBRYONIC, 30 * HZ),
			FT_ADMIT_CLASH);
	KUNIT_EXPECT_EQ(test, atomic_read(&tn->count), 1);
	KUNIT_EXPECT_EQ(test, ft_kunit_stat(tn, FLOWTRACK_A_STATS_CLASH), 2);
	KUNIT_EXPECT_EQ(test, ft_kunit_stat(tn, FLOWTRACK_A_STATS_INSERT), 1);
}

static void policy_pass(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 1);

	set_policy(tn, FLOWTRACK_POLICY_PASS, FLOWTRACK_POLICY_DROP);
	ft_kunit_admit(tn, 1, EMBRYONIC, 30 * HZ);
	KUNIT_EXPECT_EQ(test, ft_kunit_admit(tn, 2, EMBRYONIC, 30 * HZ),
			FT_ADMIT_PASS);
	KUNIT_EXPECT_TRUE(test, ft_kunit_has(tn, 1));
	KUNIT_EXPECT_FALSE(test, ft_kunit_has(tn, 2));
	KUNIT_EXPECT_EQ(test, ft_kunit_stat(tn, FLOWTRACK_A_STATS_FULL_PASS), 1);
}

/* A flood of newcomers evicts its like; what has proved more stays. */
static void policy_evict(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 200);
	u64 evicted;
	u32 i;

	set_policy(tn, FLOWTRACK_POLICY_EVICT, FLOWTRACK_POLICY_DROP);
	for (i = 0; i < 50; i++)
		ft_kunit_admit(tn, i, ASSURED, 300 * HZ);
	for (; i < 100; i++)
		ft_kunit_admit(tn, i, REPLIED, 30 * HZ);
	for (; i < 200; i++)
		ft_kunit_admit(tn, i, EMBRYONIC, 30 * HZ);
	for (; i < 5000; i++)
		ft_kunit_admit(tn, i, EMBRYONIC, 30 * HZ);
	KUNIT_EXPECT_EQ(test, atomic_read(&tn->count), 200);
	for (i = 0; i < 100; i++)
		KUNIT_EXPECT_TRUE_MSG(test, ft_kunit_has(tn, i), "flow %u", i);
	evicted = ft_kunit_stat(tn, FLOWTRACK_A_STATS_EVICT_EMBRYONIC);
	KUNIT_EXPECT_EQ(test, evicted +
			ft_kunit_stat(tn, FLOWTRACK_A_STATS_FULL_DROP), 4800);
	/* With 200 flows in 64 buckets a sample reaches one nearly always. */
	KUNIT_EXPECT_GT(test, evicted, 4700);
	KUNIT_EXPECT_EQ(test, ft_kunit_stat(tn, FLOWTRACK_A_STATS_EVICT_REPLIED),
			0);
	KUNIT_EXPECT_EQ(test, ft_kunit_stat(tn, FLOWTRACK_A_STATS_EVICT_ASSURED),
			0);
}

static void policy_evict_fallback(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 10);
	u32 i;

	set_policy(tn, FLOWTRACK_POLICY_EVICT, FLOWTRACK_POLICY_PASS);
	for (i = 0; i < 10; i++)
		ft_kunit_admit(tn, i, ASSURED, 300 * HZ);
	KUNIT_EXPECT_EQ(test, ft_kunit_admit(tn, 10, EMBRYONIC, 30 * HZ),
			FT_ADMIT_PASS);
	set_policy(tn, FLOWTRACK_POLICY_EVICT, FLOWTRACK_POLICY_DROP);
	KUNIT_EXPECT_EQ(test, ft_kunit_admit(tn, 10, EMBRYONIC, 30 * HZ),
			FT_ADMIT_DROP);
	for (i = 0; i < 10; i++)
		KUNIT_EXPECT_TRUE(test, ft_kunit_has(tn, i));
}

/* Answered flows that nobody has heard of for long make room, others never. */
static void policy_evict_idle(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 200);
	u32 i, kept = 0;

	set_policy(tn, FLOWTRACK_POLICY_EVICT, FLOWTRACK_POLICY_DROP);
	/* Of this timeout, what is not left is how long a flow was idle. */
	tn->set.v[FLOWTRACK_A_SETTINGS_UDP_TIMEOUT] = 1000;
	for (i = 0; i < 100; i++)
		ft_kunit_admit(tn, i, ASSURED, (1000 - 59) * HZ);
	for (; i < 200; i++)
		ft_kunit_admit(tn, i, ASSURED, (1000 - 62 - i) * HZ);

	tn->set.v[FLOWTRACK_A_SETTINGS_ADAPTIVE_START] = 0;
	KUNIT_EXPECT_EQ(test, ft_kunit_admit(tn, 300, EMBRYONIC, 1000 * HZ),
			FT_ADMIT_DROP);
	KUNIT_EXPECT_EQ(test, ft_adaptive_shown(&tn->adaptive, ASSURED), 1000);

	tn->set.v[FLOWTRACK_A_SETTINGS_ADAPTIVE_START] = 60;
	for (i = 300; i < 350; i++)
		KUNIT_EXPECT_EQ_MSG(test,
				    ft_kunit_admit(tn, i, EMBRYONIC, 1000 * HZ),
				    FT_ADMIT_OK, "newcomer %u", i - 300);
	KUNIT_EXPECT_EQ(test, atomic_read(&tn->count), 200);
	KUNIT_EXPECT_EQ(test, ft_adaptive_shown(&tn->adaptive, ASSURED), 0);
	KUNIT_EXPECT_GT(test, ft_kunit_stat(tn, FLOWTRACK_A_STATS_EVICT_ASSURED),
			0);
	KUNIT_EXPECT_EQ(test, ft_kunit_stat(tn, FLOWTRACK_A_STATS_EVICT_IDLE),
			ft_kunit_stat(tn, FLOWTRACK_A_STATS_EVICT_ASSURED));
	for (i = 0; i < 100; i++)
		KUNIT_EXPECT_TRUE_MSG(test, ft_kunit_has(tn, i), "flow %u", i);

	/* A flood gets no further than its share: then it evicts itself. */
	for (i = 1000; i < 6000; i++)
		ft_kunit_admit(tn, i, EMBRYONIC, 1000 * HZ);
	for (i = 0; i < 200; i++)
		kept += ft_kunit_has(tn, i);
	KUNIT_EXPECT_GE(test, kept, 200 - FT_LOAN_MIN);
	KUNIT_EXPECT_LT(test, kept, 200);
	KUNIT_EXPECT_EQ(test, atomic_read(&tn->count), 200);
}

/* A flow becomes another class, as ft_track() does it. */
static void reclass(struct kunit *test, struct ft_net *tn, u32 i,
		    enum flowtrack_class class)
{
	struct ft_birth birth;
	struct ft_flow *flow;
	u32 index, from, to;

	ft_kunit_birth(tn, &birth, i, class, HZ);
	local_bh_disable();
	rcu_read_lock();
	flow = ft_table_lookup(tn->table, &birth.key, birth.hash, &index);
	if (!flow) {
		KUNIT_FAIL(test, "flow %u is not there", i);
		goto out;
	}
	ft_flow_lock(flow);
	from = atomic_read(&flow->word) & ~FT_FLOW_LOCK;
	to = (from & ~FT_FLOW_CLASS) | class << 5;
	ft_flow_unlock(flow, to);
	ft_flow_class_changed(tn, flow, index, birth.hash, from, to);
out:
	rcu_read_unlock();
	local_bh_enable();
}

/* So much is left of a flow's time. */
static void age(struct ft_net *tn, u32 i, u32 left)
{
	struct ft_birth birth;
	struct ft_flow *flow;
	u32 index;

	ft_kunit_birth(tn, &birth, i, ASSURED, HZ);
	rcu_read_lock();
	flow = ft_table_lookup(tn->table, &birth.key, birth.hash, &index);
	if (flow)
		WRITE_ONCE(flow->deadline, ft_now() + left);
	rcu_read_unlock();
}

/* A flow that completes its handshake leaves its loan to the next one, at once. */
static void handshakes_pay_back(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 400);
	u32 i;

	set_policy(tn, FLOWTRACK_POLICY_EVICT, FLOWTRACK_POLICY_DROP);
	tn->set.v[FLOWTRACK_A_SETTINGS_UDP_TIMEOUT] = 1000;
	for (i = 0; i < 400; i++)
		ft_kunit_admit(tn, i, ASSURED, (1000 - 62) * HZ);
	for (i = 1000; i < 1000 + 3 * FT_LOAN_MIN; i++) {
		KUNIT_ASSERT_EQ_MSG(test,
				    ft_kunit_admit(tn, i, EMBRYONIC, 1000 * HZ),
				    FT_ADMIT_OK, "newcomer %u", i - 1000);
		KUNIT_ASSERT_EQ(test, atomic_read(&tn->loan.lent), 1);
		reclass(test, tn, i, ASSURED);
		KUNIT_ASSERT_EQ(test, atomic_read(&tn->loan.lent), 0);
	}
	/* An answer alone is no proof. */
	ft_kunit_admit(tn, 2000, EMBRYONIC, 1000 * HZ);
	reclass(test, tn, 2000, REPLIED);
	reclass(test, tn, 2000, ASSURED);
	KUNIT_EXPECT_EQ(test, atomic_read(&tn->loan.lent), 1);
	/* What is not lent can't be paid back. */
	reclass(test, tn, 1000, EMBRYONIC);
	reclass(test, tn, 1000, ASSURED);
	reclass(test, tn, 1001, EMBRYONIC);
	reclass(test, tn, 1001, ASSURED);
	KUNIT_EXPECT_EQ(test, atomic_read(&tn->loan.lent), 0);
}

/* One idle flow in twenty: the one that any of the searches found goes. */
static void policy_evict_found(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 400);
	u32 i, admitted = 0;

	set_policy(tn, FLOWTRACK_POLICY_EVICT, FLOWTRACK_POLICY_DROP);
	tn->set.v[FLOWTRACK_A_SETTINGS_UDP_TIMEOUT] = 1000;
	for (i = 0; i < 380; i++)
		ft_kunit_admit(tn, i, ASSURED, 1000 * HZ);
	for (; i < 400; i++)
		ft_kunit_admit(tn, i, ASSURED, (1000 - 62) * HZ);
	for (i = 1000; i < 1300; i++) {
		tn->adaptive.hopeless = ft_now() - 1;
		if (ft_kunit_admit(tn, i, EMBRYONIC, 1000 * HZ) != FT_ADMIT_OK)
			continue;
		admitted++;
		/* Answered for good, and idle: as many as there were. */
		reclass(test, tn, i, ASSURED);
		age(tn, i, (1000 - 62) * HZ);
	}
	/* Nine of ten; by the last two searches alone it was every second. */
	KUNIT_EXPECT_GE(test, admitted, 215);
}

/* The oldest of those that are looked at: a handshake has time to complete. */
static void policy_evict_oldest(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 500);
	u32 i, old = 0, young = 0;

	set_policy(tn, FLOWTRACK_POLICY_EVICT, FLOWTRACK_POLICY_DROP);
	for (i = 0; i < 250; i++)
		ft_kunit_admit(tn, i, EMBRYONIC, 20 * HZ);
	for (; i < 500; i++)
		ft_kunit_admit(tn, i, EMBRYONIC, 30 * HZ);
	for (; i < 600; i++)
		KUNIT_EXPECT_EQ(test, ft_kunit_admit(tn, i, EMBRYONIC, 30 * HZ),
				FT_ADMIT_OK);
	for (i = 0; i < 250; i++)
		old += ft_kunit_has(tn, i);
	for (; i < 500; i++)
		young += ft_kunit_has(tn, i);
	/* Five are looked at: about eight younger ones go by chance, not 35. */
	KUNIT_EXPECT_LT(test, old, 185);
	KUNIT_EXPECT_GT(test, young, 215);
}

/* Two go for one that comes, until the new limit holds. */
static void max_lowered(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 200);
	u32 i;

	set_policy(tn, FLOWTRACK_POLICY_EVICT, FLOWTRACK_POLICY_DROP);
	for (i = 0; i < 200; i++)
		ft_kunit_admit(tn, i, EMBRYONIC, 30 * HZ);
	tn->set.v[FLOWTRACK_A_SETTINGS_MAX_FLOWS] = 150;
	KUNIT_EXPECT_EQ(test, ft_kunit_admit(tn, i++, EMBRYONIC, 30 * HZ),
			FT_ADMIT_OK);
	KUNIT_EXPECT_EQ(test, atomic_read(&tn->count), 199);
	for (; i < 400; i++)
		ft_kunit_admit(tn, i, EMBRYONIC, 30 * HZ);
	KUNIT_EXPECT_EQ(test, atomic_read(&tn->count), 150);
}

/* The last entries are for those with the mark, whatever the policy is. */
/**
 * struct refusals - counters of newcomers without a place
 * @v: all, of these for want of a victim, for want of memory, then by class
 */
struct refusals {
	u64 v[3 + FT_CLASSES];
};

static void count_refusals(struct ft_net *tn, bool pass,
			   struct refusals *refusals)
{
	unsigned int first = pass ? FLOWTRACK_A_STATS_FULL_PASS_CLOSING :
				    FLOWTRACK_A_STATS_FULL_DROP_CLOSING;
	unsigned int i;

	refusals->v[0] = ft_kunit_stat(tn, pass ? FLOWTRACK_A_STATS_FULL_PASS :
						  FLOWTRACK_A_STATS_FULL_DROP);
	refusals->v[1] = ft_kunit_stat(tn, FLOWTRACK_A_STATS_FULL_NOBODY);
	refusals->v[2] = ft_kunit_stat(tn, FLOWTRACK_A_STATS_FULL_NOMEM);
	for (i = 0; i < FT_CLASSES; i++)
		refusals->v[3 + i] = ft_kunit_stat(tn, first + i);
}

/* What is refused is counted by what becomes of it, by reason, and by class. */
static void refusals_by_reason(struct kunit *test)
{
	static const struct {
		const char *name;
		u32 policy;
		u32 fallback;
		u32 max;
		enum flowtrack_class class;
		bool pass;
		struct refusals told;
	} table[] = {
		{ "drop", FLOWTRACK_POLICY_DROP, FLOWTRACK_POLICY_PASS, 5,
		  EMBRYONIC, false, {{ 1, 0, 0, 0, 1, 0, 0 }} },
		{ "pass", FLOWTRACK_POLICY_PASS, FLOWTRACK_POLICY_DROP, 5,
		  ASSURED, true, {{ 1, 0, 0, 0, 0, 0, 1 }} },
		{ "nothing to evict, drop", FLOWTRACK_POLICY_EVICT,
		  FLOWTRACK_POLICY_DROP, 5, CLOSING, false,
		  {{ 1, 1, 0, 1, 0, 0, 0 }} },
		{ "nothing to evict, pass", FLOWTRACK_POLICY_EVICT,
		  FLOWTRACK_POLICY_PASS, 5, REPLIED, true,
		  {{ 1, 1, 0, 0, 0, 1, 0 }} },
		{ "no memory, evict and drop", FLOWTRACK_POLICY_EVICT,
		  FLOWTRACK_POLICY_DROP, 9, EMBRYONIC, false,
		  {{ 1, 0, 1, 0, 1, 0, 0 }} },
		{ "no memory, evict and pass", FLOWTRACK_POLICY_EVICT,
		  FLOWTRACK_POLICY_PASS, 9, EMBRYONIC, true,
		  {{ 1, 0, 1, 0, 1, 0, 0 }} },
		{ "no memory, pass", FLOWTRACK_POLICY_PASS,
		  FLOWTRACK_POLICY_DROP, 9, ASSURED, true,
		  {{ 1, 0, 1, 0, 0, 0, 1 }} },
	};
	struct refusals told, other;
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(table); i++) {
		struct ft_net *tn = ft_kunit_net(test, table[i].max);

		set_policy(tn, table[i].policy, table[i].fallback);
		for (j = 0; j < 5; j++)
			ft_kunit_admit(tn, j, ASSURED, 54000 * HZ);
		/* To count the newcomer's source takes memory. */
		if (table[i].max > 5) {
			ft_settings_set(tn, FLOWTRACK_A_SETTINGS_SRC_MAX, 1,
					NULL);
			ft_faults = FT_FAULT_SOURCE;
		}
		KUNIT_EXPECT_EQ_MSG(test, ft_kunit_admit(tn, 9, table[i].class,
							 30 * HZ),
				    table[i].pass ? FT_ADMIT_PASS :
						    FT_ADMIT_DROP,
				    "%s", table[i].name);
		ft_faults = 0;
		count_refusals(tn, table[i].pass, &told);
		count_refusals(tn, !table[i].pass, &other);
		for (j = 0; j < ARRAY_SIZE(told.v); j++) {
			KUNIT_EXPECT_EQ_MSG(test, told.v[j], table[i].told.v[j],
					    "%s, %u", table[i].name, j);
			if (j < 1 || j > 2)
				KUNIT_EXPECT_EQ_MSG(test, other.v[j], 0,
						    "%s, %u", table[i].name, j);
		}
	}
}

static void reserved_entries(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 100);
	struct ft_birth birth;
	u32 i;

	set_policy(tn, FLOWTRACK_POLICY_DROP, FLOWTRACK_POLICY_DROP);
	tn->set.v[FLOWTRACK_A_SETTINGS_RESERVED] = 10;
	tn->set.v[FLOWTRACK_A_SETTINGS_RESERVED_MARK] = 0x20;
	KUNIT_EXPECT_FALSE(test, ft_mark_reserved(&tn->set, 0x20));
	tn->set.v[FLOWTRACK_A_SETTINGS_RESERVED_MASK] = 0xf0;
	KUNIT_EXPECT_TRUE(test, ft_mark_reserved(&tn->set, 0x12f));
	KUNIT_EXPECT_FALSE(test, ft_mark_reserved(&tn->set, 0x30));
	for (i = 0; i < 90; i++)
		KUNIT_ASSERT_EQ(test, ft_kunit_admit(tn, i, ASSURED, 30 * HZ),
				FT_ADMIT_OK);
	KUNIT_EXPECT_EQ(test, ft_kunit_admit(tn, 90, ASSURED, 30 * HZ),
			FT_ADMIT_DROP);
	rcu_read_lock();
	local_bh_disable();
	for (i = 200; i < 211; i++) {
		ft_kunit_birth(tn, &birth, i, EMBRYONIC, 30 * HZ);
		birth.reserved = true;
		KUNIT_EXPECT_EQ(test, ft_flow_admit(tn, &birth),
				i < 210 ? FT_ADMIT_OK : FT_ADMIT_DROP);
	}
	local_bh_enable();
	rcu_read_unlock();
	KUNIT_EXPECT_EQ(test, ft_kunit_stat(tn, FLOWTRACK_A_STATS_RESERVED), 10);
	KUNIT_EXPECT_EQ(test, atomic_read(&tn->count), 100);
	/* Others may evict, but the headroom does not become theirs. */
	set_policy(tn, FLOWTRACK_POLICY_EVICT, FLOWTRACK_POLICY_DROP);
	KUNIT_EXPECT_EQ(test, ft_kunit_admit(tn, 300, EMBRYONIC, 30 * HZ),
			FT_ADMIT_OK);
	KUNIT_EXPECT_EQ(test, atomic_read(&tn->count), 100);
}

/* Flow number @i, as the table has it. In a read-side section, with softirqs off. */
static struct ft_flow *find(struct kunit *test, struct ft_net *tn, u32 i, u32 *index)
{
	struct ft_birth birth;
	struct ft_flow *flow;

	ft_kunit_birth(tn, &birth, i, EMBRYONIC, 0);
	flow = ft_table_lookup(tn->table, &birth.key, birth.hash, index);
	KUNIT_EXPECT_NOT_NULL(test, flow);
	return flow;
}

static void end_has_one_winner(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 10);
	struct ft_flow *flow;
	u32 index, gen;

	ft_kunit_admit(tn, 1, EMBRYONIC, 30 * HZ);
	rcu_read_lock();
	local_bh_disable();
	flow = find(test, tn, 1, &index);
	if (flow) {
		gen = flow->gen;
		KUNIT_EXPECT_TRUE(test,
				  ft_flow_end(tn, flow, index, gen,
					      FLOWTRACK_REASON_DELETED));
		KUNIT_EXPECT_FALSE(test,
				   ft_flow_end(tn, flow, index, gen,
					       FLOWTRACK_REASON_DELETED));
	}
	local_bh_enable();
	rcu_read_unlock();
	KUNIT_EXPECT_EQ(test, atomic_read(&tn->count), 0);
	KUNIT_EXPECT_FALSE(test, ft_kunit_has(tn, 1));
	KUNIT_EXPECT_EQ(test, ft_kunit_stat(tn, FLOWTRACK_A_STATS_DELETE), 1);
	/* The object is free again, and the same flow can come back. */
	KUNIT_EXPECT_EQ(test, ft_kunit_admit(tn, 1, EMBRYONIC, 30 * HZ),
			FT_ADMIT_OK);
}

/* A resize that there was no memory for is not asked for again by each new flow. */
static void resize_backs_off(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 10000);
	u32 before = ft_table_buckets(tn->table), i = 0;

	WRITE_ONCE(ft_faults, FT_FAULT_ARRAY);
	do {
		ft_kunit_admit(tn, i++, EMBRYONIC, 300 * HZ);
	} while (ft_table_wanted(tn->table, i) == before);
	flush_work(&tn->resize_work);
	KUNIT_EXPECT_EQ(test, ft_table_buckets(tn->table), before);
	KUNIT_EXPECT_NE(test, tn->resize_again, 0);
	/* Expiry asks once a second: not now. */
	cancel_delayed_work_sync(&tn->gc_work);
	flush_work(&tn->resize_work);
	ft_kunit_admit(tn, i++, EMBRYONIC, 300 * HZ);
	KUNIT_EXPECT_FALSE(test, work_busy(&tn->resize_work));
	WRITE_ONCE(ft_faults, 0);
	WRITE_ONCE(tn->resize_again, (jiffies - 1) ?: -1);
	ft_kunit_admit(tn, i++, EMBRYONIC, 300 * HZ);
	flush_work(&tn->resize_work);
	KUNIT_EXPECT_GT(test, ft_table_buckets(tn->table), before);
	KUNIT_EXPECT_EQ(test, tn->resize_again, 0);
}

/* A flow that a packet refreshed after it was found expired, or chosen, stays. */
static void refreshed_stays(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 10);
	struct ft_flow *flow;
	u32 index, deadline;

	ft_kunit_admit(tn, 1, EMBRYONIC, 30 * HZ);
	rcu_read_lock();
	local_bh_disable();
	flow = find(test, tn, 1, &index);
	if (flow) {
		deadline = flow->deadline;
		flow->deadline += HZ;
		KUNIT_EXPECT_FALSE(test, ft_flow_expire(tn, flow, index, flow->gen, deadline));
		KUNIT_EXPECT_FALSE(test, ft_flow_evict(tn, flow, index, flow->gen, deadline));
		KUNIT_EXPECT_TRUE(test, ft_flow_expire(tn, flow, index, flow->gen, deadline + HZ));
	}
	local_bh_enable();
	rcu_read_unlock();
	KUNIT_EXPECT_EQ(test, ft_kunit_stat(tn, FLOWTRACK_A_STATS_EXPIRE), 1);
	KUNIT_EXPECT_EQ(test, ft_kunit_stat(tn, FLOWTRACK_A_STATS_EVICT_EMBRYONIC), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&tn->count), 0);
}

/* Four thousand flows: the table grew on the way, and none is left over. */
static void flush_ends_all(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 10000);
	u32 i, before = ft_table_buckets(tn->table);

	for (i = 0; i < 4000; i++) {
		KUNIT_ASSERT_EQ(test, ft_kunit_admit(tn, i, EMBRYONIC, 30 * HZ),
				FT_ADMIT_OK);
		if (i % 64 == 0)
			flush_work(&tn->resize_work);
	}
	flush_work(&tn->resize_work);
	KUNIT_EXPECT_GT(test, ft_table_buckets(tn->table), before);
	KUNIT_EXPECT_GT(test, ft_kunit_stat(tn, FLOWTRACK_A_STATS_RESIZE), 0);
	for (i = 0; i < 4000; i++)
		KUNIT_ASSERT_TRUE_MSG(test, ft_kunit_has(tn, i), "flow %u", i);
	KUNIT_EXPECT_EQ(test, ft_flow_end_all(tn, FLOWTRACK_REASON_FLUSHED),
			4000);
	KUNIT_EXPECT_EQ(test, atomic_read(&tn->count), 0);
}

static u32 index_of(struct ft_net *tn, u32 i)
{
	u32 index = FT_INDEX_NONE;
	struct ft_birth birth;

	ft_kunit_birth(tn, &birth, i, 0, 0);
	rcu_read_lock();
	ft_table_lookup(tn->table, &birth.key, birth.hash, &index);
	rcu_read_unlock();
	return index;
}

/* One of these, whatever else there is: the least valuable, and of its like the most idle. */
static void evict_among_some(struct kunit *test)
{
	static const int order[] = { 3, 2, 4, -1 };
	struct ft_net *tn = ft_kunit_net(test, 100);
	u32 indices[5];
	unsigned int i;
	int victim;

	ft_kunit_admit(tn, 0, ASSURED, 180 * HZ);
	ft_kunit_admit(tn, 1, REPLIED, 30 * HZ);
	ft_kunit_admit(tn, 2, EMBRYONIC, 10 * HZ);
	ft_kunit_admit(tn, 3, CLOSING, 30 * HZ);
	ft_kunit_admit(tn, 4, EMBRYONIC, 20 * HZ);
	/* Not asked for. */
	ft_kunit_admit(tn, 5, CLOSING, 5 * HZ);
	for (i = 0; i < ARRAY_SIZE(indices); i++)
		indices[i] = index_of(tn, i);

	tn->set.v[FLOWTRACK_A_SETTINGS_ADAPTIVE_START] = 100;
	set_policy(tn, FLOWTRACK_POLICY_DROP, FLOWTRACK_POLICY_DROP);
	rcu_read_lock();
	local_bh_disable();
	KUNIT_EXPECT_EQ(test, ft_evict_among(tn, indices, ARRAY_SIZE(indices)), -1);
	set_policy(tn, FLOWTRACK_POLICY_EVICT, FLOWTRACK_POLICY_DROP);
	for (i = 0; i < ARRAY_SIZE(order); i++) {
		victim = ft_evict_among(tn, indices, ARRAY_SIZE(indices));
		KUNIT_EXPECT_EQ_MSG(test, victim, order[i], "victim %u", i);
	}
	local_bh_enable();
	rcu_read_unlock();
	KUNIT_EXPECT_EQ(test, atomic_read(&tn->count), 3);
	for (i = 0; i < 6; i++)
		KUNIT_EXPECT_EQ_MSG(test, ft_kunit_has(tn, i), i < 2 || i == 5, "flow %u", i);
}

static struct kunit_case admit_cases[] = {
	KUNIT_CASE(evict_among_some),
	KUNIT_CASE(admit_up_to_max),
	KUNIT_CASE(admit_clash),
	KUNIT_CASE(policy_pass),
	KUNIT_CASE(policy_evict),
	KUNIT_CASE(policy_evict_fallback),
	KUNIT_CASE(policy_evict_idle),
	KUNIT_CASE(handshakes_pay_back),
	KUNIT_CASE(policy_evict_found),
	KUNIT_CASE(policy_evict_oldest),
	KUNIT_CASE(max_lowered),
	KUNIT_CASE(refusals_by_reason),
	KUNIT_CASE(reserved_entries),
	KUNIT_CASE(end_has_one_winner),
	KUNIT_CASE(refreshed_stays),
	KUNIT_CASE(resize_backs_off),
	KUNIT_CASE(flush_ends_all),
	{}
};

static struct kunit_suite admit_suite = {
	.name = "ft_admit",
	.test_cases = admit_cases,
};

kunit_test_suite(admit_suite);
