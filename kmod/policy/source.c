// SPDX-License-Identifier: GPL-2.0
#include <linux/bitfield.h>
#include <linux/bottom_half.h>
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/lockdep.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/random.h>
#include <linux/ratelimit.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/siphash.h>
#include <linux/slab.h>
/* Needs cpu_relax(), and does not say so in every kernel. */
#include <linux/list_bl.h>

#include "base/fault_inject.h"
#include "base/settings.h"
#include "base/stats.h"
#include "base/tenant.h"
#include "flow/flow.h"
#include "flow/table.h"
#include "net.h"
#include "policy/source.h"

/* How often sources that are to be forgotten are looked for. */
#define SWEEP_PERIOD	(5 * HZ)
/* Buckets between two chances for others to run. */
#define SWEEP_SLICE	256

/**
 * struct record - a source that is known
 * @node: in its bucket
 * @source: which one
 * @count: flows that it holds
 * @due: ktime_get_ns() at which its next flow would be due if it kept to the
 *	rate; how far that lies ahead says how much of the burst is used up
 */
struct record {
	struct hlist_bl_node node;
	struct ft_source source;
	u32 count;
	u64 due;
};

/**
 * struct ft_source_table - the sources that are known
 * @secret: key of the hash
 * @mask: buckets, minus one
 * @mark: what FT_FLOW_SOURCE of a flow is that is counted here
 * @prefix: what makes a source
 * @records: how many there are
 * @bucket: chains of records; a bucket's bit lock protects the chain and the
 *	records in it
 */
struct ft_source_table {
	siphash_aligned_key_t secret;
	u32 mask;
	u32 mark;
	struct ft_source_prefix prefix;
	atomic_t records;
	struct hlist_bl_head bucket[];
};

/* The two marks; a flow that is not counted has none. */
#define MARK_A	FIELD_PREP(FT_FLOW_SOURCE, 1)
#define MARK_B	FIELD_PREP(FT_FLOW_SOURCE, 2)

/**
 * ft_source_cut() - leave of an address what makes it a source
 * @source: a whole address; cut to the prefix
 * @prefix: bits that count
 *
 * Context: any; pure.
 */
void ft_source_cut(struct ft_source *source, struct ft_source_prefix prefix)
{
	unsigned int bits, i, n;

	bits = source->family == NFPROTO_IPV4 ? prefix.v4 : prefix.v6;
	for (i = 0; i < ARRAY_SIZE(source->addr); i++, bits -= n) {
		n = min(bits, 32U);
		source->addr[i] &= n ? htonl(~0U << (32 - n)) : 0;
	}
}

/**
 * ft_source_get() - one end of a flow, its whole address
 * @source: filled
 * @key: the flow
 * @end: which end, 0: the lower, 1: the upper one
 *
 * Context: any; pure.
 */
void ft_source_get(struct ft_source *source, const struct ft_key *key,
		   unsigned int end)
{
	memset(source, 0, sizeof(*source));
	source->family = key->family;
	if (key->family == NFPROTO_IPV4)
		source->addr[0] = key->addr4[end];
	else
		memcpy(source->addr, &key->addr6[end], sizeof(source->addr));
}

static struct hlist_bl_head *bucket_of(struct ft_source_table *table,
				       const struct ft_key *key, u32 word,
				       struct ft_source *source)
{
	u64 hash;

	ft_source_get(source, key, !!(word & FT_FLOW_ORIG_HI));
	ft_source_cut(source, table->prefix);
	hash = siphash(source, sizeof(*source), &table->secret);
	return &table->bucket[hash & table->mask];
}

static struct record *source_find(struct hlist_bl_head *bucket,
				  const struct ft_source *source)
{
	struct hlist_bl_node *node;
	struct record *record;

	hlist_bl_for_each_entry(record, node, bucket, node) {
		if (ft_source_equal(&record->source, source))
			return record;
	}
	return NULL;
}

/* The limits. Takes the flow into account if it may be. */
static enum ft_source_verdict charge_record(const struct ft_net *tn,
					    struct record *record, bool exempt)
{
	u32 max = ft_setting(&tn->set, SRC_MAX);
	u64 interval = READ_ONCE(tn->sources.interval);
	u64 tolerance = READ_ONCE(tn->sources.tolerance);
	u64 now;

	if (exempt)
		goto ok;
	if (max && record->count >= max)
		return FT_SOURCE_MAX;
	if (interval) {
		now = ktime_get_ns();
		record->due = max(record->due, now);
		if (record->due > now + tolerance)
			return FT_SOURCE_RATE;
		record->due += interval;
	}
ok:
	record->count++;
	return FT_SOURCE_OK;
}

static struct record *record_create(const struct ft_net *tn)
{
	const gfp_t gfp = GFP_ATOMIC | __GFP_NOWARN;
	struct mem_cgroup *outer;
	struct record *record;

	outer = ft_tenant_charge(tn->memcg);
	record = kzalloc(sizeof(*record), ft_tenant_gfp(tn->memcg, gfp));
	ft_tenant_uncharge(tn->memcg, outer);
	return record;
}

static enum ft_source_verdict charge(struct ft_net *tn,
				     struct ft_source_table *table,
				     const struct ft_key *key, u32 word,
				     bool exempt)
{
	enum ft_source_verdict verdict;
	struct record *record, *spare = NULL;
	struct hlist_bl_head *bucket;
	struct ft_source source;

	bucket = bucket_of(table, key, word, &source);
	for (;;) {
		hlist_bl_lock(bucket);
		record = source_find(bucket, &source);
		if (record || spare)
			break;
		hlist_bl_unlock(bucket);
		/* Nothing is allocated under a bit lock. */
		if (!ft_should_fail(FT_FAULT_SOURCE))
			spare = record_create(tn);
		if (!spare)
			return FT_SOURCE_NOMEM;
		spare->source = source;
	}
	if (!record) {
		record = spare;
		spare = NULL;
		hlist_bl_add_head(&record->node, bucket);
		atomic_inc(&table->records);
	}
	verdict = charge_record(tn, record, exempt);
	hlist_bl_unlock(bucket);
	kfree(spare);
	return verdict;
}

/**
 * ft_source_charge() - count a flow to be, if its source may have it
 * @tn: namespace
 * @key: identity of the flow
 * @word: its bits; set to how it is counted, for ft_source_release()
 * @exempt: count it in any case: the limits are for what comes from outside
 *
 * Context: BH disabled, RCU read side up to the entry of the flow.
 * Return: the verdict.
 */
enum ft_source_verdict ft_source_charge(struct ft_net *tn,
					const struct ft_key *key, u32 *word,
					bool exempt)
{
	struct ft_source_table *table = rcu_dereference(tn->sources.table);
	enum ft_source_verdict verdict;

	*word &= ~FT_FLOW_SOURCE;
	if (likely(!table))
		return FT_SOURCE_OK;
	verdict = charge(tn, table, key, *word, exempt);
	if (verdict == FT_SOURCE_OK)
		*word |= table->mark;
	return verdict;
}

/**
 * ft_source_full() - would a new flow of a source be refused now?
 * @tn: namespace
 * @address: whole
 *
 * Context: RCU read side.
 * Return: true if so. It is counted as refused then.
 */
bool ft_source_full(struct ft_net *tn, const struct ft_source *address)
{
	struct ft_source_table *table = rcu_dereference(tn->sources.table);
	u32 max = ft_setting(&tn->set, SRC_MAX);
	struct ft_source source = *address;
	struct hlist_bl_head *bucket;
	bool many = false, fast = false;
	struct record *record;

	if (likely(!table))
		return false;
	ft_source_cut(&source, table->prefix);
	bucket = &table->bucket[siphash(&source, sizeof(source),
					&table->secret) & table->mask];
	local_bh_disable();
	hlist_bl_lock(bucket);
	record = source_find(bucket, &source);
	if (record) {
		many = max && record->count >= max;
		fast = READ_ONCE(tn->sources.interval) &&
		       record->due > ktime_get_ns() +
				     READ_ONCE(tn->sources.tolerance);
	}
	hlist_bl_unlock(bucket);
	local_bh_enable();
	if (many)
		ft_stat_inc(tn, SRC_MAX_REFUSED);
	else if (fast)
		ft_stat_inc(tn, SRC_RATE_REFUSED);
	return many || fast;
}

static bool is_forgiven(const struct ft_net *tn, const struct record *record,
			u64 now)
{
	return !record->count &&
	       (!READ_ONCE(tn->sources.interval) || record->due <= now);
}

/*
 * The source that a bucket forgets when another one has lost its last flow: one
 * that is forgiven, or, if too many are remembered, the one that will be
 * forgiven first.
 */
static struct record *forget_one(const struct ft_net *tn,
				 struct hlist_bl_head *bucket)
{
	struct record *record, *first = NULL;
	struct hlist_bl_node *node;
	unsigned int idle = 0;
	u64 now = ktime_get_ns();

	hlist_bl_for_each_entry(record, node, bucket, node) {
		if (record->count)
			continue;
		idle++;
		if (!first || record->due < first->due)
			first = record;
	}
	if (!first || (idle <= FT_SOURCE_IDLE && !is_forgiven(tn, first, now)))
		return NULL;
	hlist_bl_del(&first->node);
	return first;
}

/* @unused: no flow came of it, so that it doesn't count for the rate, either. */
static void release(struct ft_net *tn, struct ft_source_table *table,
		    const struct ft_key *key, u32 word, bool unused)
{
	u64 interval = READ_ONCE(tn->sources.interval);
	struct record *record, *gone = NULL;
	struct hlist_bl_head *bucket;
	struct ft_source source;

	bucket = bucket_of(table, key, word, &source);
	hlist_bl_lock(bucket);
	record = source_find(bucket, &source);
	if (record && unused)
		record->due -= min(interval, record->due);
	if (!WARN_ON_ONCE(!record || !record->count) && !--record->count)
		gone = forget_one(tn, bucket);
	hlist_bl_unlock(bucket);
	if (gone) {
		atomic_dec(&table->records);
		kfree(gone);
	}
	if (interval && !delayed_work_pending(&tn->sources.sweep) &&
	    !READ_ONCE(tn->dying))
		queue_delayed_work(tn->wq, &tn->sources.sweep,
				   SWEEP_PERIOD);
}

static void give_back(struct ft_net *tn, const struct ft_key *key, u32 word,
		      bool unused)
{
	struct ft_source_table *table;

	if (likely(!(word & FT_FLOW_SOURCE)))
		return;
	table = rcu_dereference(tn->sources.table);
	/* A table that is gone had counted the flow: there is nothing to give back. */
	if (table && (word & FT_FLOW_SOURCE) == table->mark)
		release(tn, table, key, word, unused);
}

/**
 * ft_source_release() - a flow has ended, or was not entered
 * @tn: namespace
 * @key: its identity
 * @word: its bits, as ft_source_charge() set them
 *
 * Context: BH disabled, RCU read side.
 */
void ft_source_release(struct ft_net *tn, const struct ft_key *key, u32 word)
{
	give_back(tn, key, word, false);
}

/**
 * ft_source_uncharge() - a flow to be was there already
 * @tn: namespace
 * @key: its identity
 * @word: its bits, as ft_source_charge() set them
 * @exempt: as it was for ft_source_charge()
 *
 * First packets of one flow that were held together (NFQUEUE) are one new flow,
 * and count for the rate of their source once.
 *
 * Context: BH disabled, RCU read side.
 */
void ft_source_uncharge(struct ft_net *tn, const struct ft_key *key, u32 word,
			bool exempt)
{
	give_back(tn, key, word, !exempt);
}

/**
 * ft_source_refused() - count a refusal and, now and then, log it
 * @tn: namespace
 * @key: identity of the flow that was to be
 * @word: its bits
 * @verdict: why
 *
 * Context: any.
 */
void ft_source_refused(struct ft_net *tn, const struct ft_key *key, u32 word,
		       enum ft_source_verdict verdict)
{
	struct ft_source_prefix prefix = {
		.v4 = ft_setting(&tn->set, SRC_PREFIX4),
		.v6 = ft_setting(&tn->set, SRC_PREFIX6),
	};
	struct ft_source source;
	bool rate = verdict == FT_SOURCE_RATE;
	u32 limit;

	if (rate)
		ft_stat_inc(tn, SRC_RATE_REFUSED);
	else
		ft_stat_inc(tn, SRC_MAX_REFUSED);
	if (!ft_tenant_may_log(tn->net) || !__ratelimit(&tn->sources.log))
		return;
	ft_source_get(&source, key, !!(word & FT_FLOW_ORIG_HI));
	ft_source_cut(&source, prefix);
	limit = rate ? ft_setting(&tn->set, SRC_RATE) :
		       ft_setting(&tn->set, SRC_MAX);
	if (key->family == NFPROTO_IPV4)
		pr_warn("nf_flowtrack: netns %u: source %pI4/%u refused, %s %u; see net.netfilter.nf_flowtrack_%s\n",
			tn->net->ns.inum, source.addr, prefix.v4,
			rate ? "new flows a second over" : "flows at",
			limit, rate ? "src_rate" : "src_max");
	else
		pr_warn("nf_flowtrack: netns %u: source %pI6c/%u refused, %s %u; see net.netfilter.nf_flowtrack_%s\n",
			tn->net->ns.inum, source.addr, prefix.v6,
			rate ? "new flows a second over" : "flows at",
			limit, rate ? "src_rate" : "src_max");
}

/**
 * ft_source_count() - how many sources are known
 * @tn: namespace
 *
 * Context: any.
 * Return: sources that hold flows, or whose rate is remembered; 0 while none
 * are counted.
 */
u32 ft_source_count(const struct ft_net *tn)
{
	const struct ft_source_table *table;
	u32 n;

	rcu_read_lock();
	table = rcu_dereference(tn->sources.table);
	n = table ? atomic_read(&table->records) : 0;
	rcu_read_unlock();
	return n;
}

static void table_free(struct ft_source_table *table)
{
	struct hlist_bl_node *node, *next;
	struct record *record;
	u32 i;

	if (!table)
		return;
	for (i = 0; i <= table->mask; i++) {
		hlist_bl_for_each_entry_safe(record, node, next,
					     &table->bucket[i], node)
			kfree(record);
	}
	kvfree(table);
}

static struct ft_source_table *table_of(struct ft_net *tn)
{
	return rcu_dereference_protected(tn->sources.table,
					 lockdep_is_held(&tn->settings_lock) ||
					 tn->dying);
}

/* Take a source whose rate is forgiven out of a bucket. */
static struct record *take_forgiven(struct ft_net *tn,
				    struct hlist_bl_head *bucket)
{
	struct hlist_bl_node *node;
	u64 now = ktime_get_ns();
	struct record *record;

	hlist_bl_lock(bucket);
	hlist_bl_for_each_entry(record, node, bucket, node) {
		if (!is_forgiven(tn, record, now))
			continue;
		hlist_bl_del(&record->node);
		hlist_bl_unlock(bucket);
		return record;
	}
	hlist_bl_unlock(bucket);
	return NULL;
}

static void sweep_bucket(struct ft_net *tn, struct ft_source_table *table,
			 struct hlist_bl_head *bucket)
{
	struct record *record;

	if (hlist_bl_empty(bucket))
		return;
	local_bh_disable();
	while ((record = take_forgiven(tn, bucket))) {
		atomic_dec(&table->records);
		kfree(record);
	}
	local_bh_enable();
}

static void sweep_work(struct work_struct *work)
{
	struct ft_net *tn = container_of(to_delayed_work(work), struct ft_net,
					 sources.sweep);
	const u64 began = ktime_get_ns();
	struct ft_source_table *table;
	u32 b = 0, end;

	do {
		rcu_read_lock();
		table = rcu_dereference(tn->sources.table);
		for (end = b + SWEEP_SLICE; table && b < end; b++) {
			if (b > table->mask)
				table = NULL;
			else
				sweep_bucket(tn, table, &table->bucket[b]);
		}
		rcu_read_unlock();
		cond_resched();
	} while (table);
	/* The sources that are left may hold no flow whose end would start the sweep. */
	if (ft_source_count(tn) && READ_ONCE(tn->sources.interval) &&
	    !READ_ONCE(tn->dying))
		queue_delayed_work(tn->wq, &tn->sources.sweep,
				   SWEEP_PERIOD);
	ft_tenant_rest(tn->tenant, began, &tn->dying);
}

/* Are sources counted with these settings? */
static bool sources_wanted(const struct ft_settings *set)
{
	return ft_setting(set, SRC_MAX) || ft_setting(set, SRC_RATE);
}

static u32 buckets_for(const struct ft_settings *set)
{
	u32 buckets = roundup_pow_of_two(ft_setting(set, MAX_FLOWS) / 4 + 1);

	return clamp_t(u32, buckets, FT_SOURCE_BUCKETS_MIN,
		       FT_SOURCE_BUCKETS_MAX);
}

/* Would a table do for so many buckets, or would most of it lie idle? */
static bool fits(const struct ft_source_table *table, u32 buckets)
{
	return table->mask >= buckets - 1 && table->mask / 8 < buckets;
}

/**
 * ft_source_prepare() - do what can fail for new settings
 * @tn: namespace
 * @set: the settings as they will be
 * @next: set to the table that will be needed instead of the one that is
 *	there, or NULL; for ft_source_apply()
 *
 * Context: may sleep; settings_lock is held.
 * Return: 0 or -ENOMEM.
 */
int ft_source_prepare(struct ft_net *tn, const struct ft_settings *set,
		      struct ft_source_table **next)
{
	struct ft_source_table *old = table_of(tn), *table;
	struct ft_source_prefix prefix = {
		.v4 = ft_setting(set, SRC_PREFIX4),
		.v6 = ft_setting(set, SRC_PREFIX6),
	};
	u32 buckets = buckets_for(set);

	lockdep_assert_held(&tn->settings_lock);
	*next = NULL;
	if (!sources_wanted(set) ||
	    (old && old->prefix.v4 == prefix.v4 &&
	     old->prefix.v6 == prefix.v6 && fits(old, buckets)))
		return 0;
	table = ft_should_fail(FT_FAULT_SOURCES) ? NULL :
		kvzalloc(struct_size(table, bucket, buckets),
			 GFP_KERNEL_ACCOUNT);
	if (!table)
		return -ENOMEM;
	get_random_bytes(&table->secret, sizeof(table->secret));
	table->mask = buckets - 1;
	table->prefix = prefix;
	*next = table;
	return 0;
}

/**
 * struct recount - argument of recount_flow()
 * @tn: namespace
 * @table: where all flows are to be counted
 * @failed: flows for which there was no memory
 */
struct recount {
	struct ft_net *tn;
	struct ft_source_table *table;
	u32 failed;
};

/* Count a flow that is not counted in this table yet. */
static int recount_flow(struct ft_flow *flow, u32 index, void *arg)
{
	struct recount *recount = arg;
	struct ft_source_table *table = recount->table;
	u32 gen = READ_ONCE(flow->gen);
	u32 mark = table->mark;
	bool marked = false;
	struct ft_key key;
	u32 word;

	/* Pairs with the release in ft_flow_unlock(): all is of this gen. */
	smp_rmb();
	if (!ft_flow_peek(flow, &key, &word) ||
	    (word & FT_FLOW_SOURCE) == table->mark)
		return 0;
	local_bh_disable();
	if (charge(recount->tn, table, &key, word, true) != FT_SOURCE_OK) {
		recount->failed++;
		/* A later table would take the mark that it has for its own. */
		mark = 0;
	}
	ft_flow_lock(flow);
	word = atomic_read(&flow->word);
	if (flow->gen == gen && !(word & FT_FLOW_DEAD)) {
		word = (word & ~FT_FLOW_SOURCE) | mark;
		marked = true;
	}
	ft_flow_unlock(flow, word);
	/* The flow ended meanwhile, and gave nothing back. */
	if (!marked && mark)
		release(recount->tn, table, &key, word, false);
	local_bh_enable();
	return 0;
}

/*
 * Count the flows that were there before the table was. Flows that are entered
 * from now on are counted in it, see ft_source_apply().
 */
static void recount_all(struct ft_net *tn, struct ft_source_table *table)
{
	struct recount recount = { .tn = tn, .table = table };

	ft_table_for_each(tn->table, false, recount_flow, &recount);
	if (recount.failed) {
		ft_stat_add(tn, NOMEM, recount.failed);
		if (ft_tenant_may_log(tn->net))
			pr_warn_ratelimited("nf_flowtrack: netns %u: no memory to count %u flows by source\n",
					    tn->net->ns.inum, recount.failed);
	}
}

/* No source is held up for longer than by the new rate. */
static void cut_dues(struct ft_source_table *table, u64 tolerance)
{
	struct hlist_bl_node *node;
	struct record *record;
	u64 latest;
	u32 b;

	for (b = 0; b <= table->mask; b++) {
		if (hlist_bl_empty(&table->bucket[b]))
			continue;
		local_bh_disable();
		hlist_bl_lock(&table->bucket[b]);
		latest = ktime_get_ns() + tolerance;
		hlist_bl_for_each_entry(record, node, &table->bucket[b], node)
			record->due = min(record->due, latest);
		hlist_bl_unlock(&table->bucket[b]);
		local_bh_enable();
		cond_resched();
	}
}

/**
 * ft_source_apply() - let new settings take effect
 * @tn: namespace; its settings are the new ones
 * @next: from ft_source_prepare(); becomes the namespace's
 *
 * When it returns each flow in the table is counted, also those that were there
 * before: a source may hold more than src_max of these, and gets no more until
 * it holds less. A flow that is opened before that may be one too many.
 *
 * Context: may sleep; settings_lock is held.
 * Return: true if there is a new table, by which guarded flows are not counted
 * yet: ft_guard_recount().
 */
bool ft_source_apply(struct ft_net *tn, struct ft_source_table *next)
{
	struct ft_source_table *old = table_of(tn);
	u32 rate = ft_setting(&tn->set, SRC_RATE);
	u64 interval = rate ? NSEC_PER_SEC / rate : 0;
	u64 tolerance = interval * (ft_setting(&tn->set, SRC_BURST) - 1);
	bool changed = interval != tn->sources.interval ||
		       tolerance != tn->sources.tolerance;

	lockdep_assert_held(&tn->settings_lock);
	WRITE_ONCE(tn->sources.tolerance, tolerance);
	WRITE_ONCE(tn->sources.interval, interval);
	if (!next && (!old || sources_wanted(&tn->set))) {
		if (old && changed)
			cut_dues(old, tolerance);
		return false;
	}
	/*
	 * No flow has the mark of the table before the last one any more: each
	 * table marks all flows that there are.
	 */
	if (next)
		next->mark = tn->sources.mark_a ? MARK_B : MARK_A;
	if (next)
		tn->sources.mark_a = !tn->sources.mark_a;
	/* Pairs with rcu_dereference() in ft_source_charge(). */
	rcu_assign_pointer(tn->sources.table, next);
	/* Each CPU that took the old one has entered its flow, or ended it. */
	synchronize_rcu();
	table_free(old);
	if (next)
		recount_all(tn, next);
	return next;
}

#ifdef CONFIG_NF_FLOWTRACK_KUNIT
/**
 * ft_source_buckets() - how large is the table of sources?
 * @tn: namespace, its settings at rest
 *
 * Return: buckets; 0 while sources are not counted.
 */
u32 ft_source_buckets(const struct ft_net *tn)
{
	const struct ft_source_table *table;

	table = rcu_dereference_protected(tn->sources.table, true);
	return table ? table->mask + 1 : 0;
}
#endif

/**
 * ft_source_init() - prepare a namespace
 * @tn: namespace that nobody else knows yet
 */
void ft_source_init(struct ft_net *tn)
{
	INIT_DELAYED_WORK(&tn->sources.sweep, sweep_work);
	ratelimit_state_init(&tn->sources.log, 10 * HZ, 1);
	ratelimit_set_flags(&tn->sources.log, RATELIMIT_MSG_ON_RELEASE);
}

/**
 * ft_source_exit() - forget all sources
 * @tn: namespace, with dying set and no flow left
 *
 * Context: may sleep.
 */
void ft_source_exit(struct ft_net *tn)
{
	cancel_delayed_work_sync(&tn->sources.sweep);
	table_free(table_of(tn));
}
