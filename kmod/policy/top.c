// SPDX-License-Identifier: GPL-2.0
#include <linux/cpumask.h>
#include <linux/jhash.h>
#include <linux/jiffies.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/preempt.h>
#include <linux/random.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <net/netfilter/nf_conntrack_acct.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/netfilter/nf_conntrack_zones.h>

#include "base/settings.h"
#include "base/tenant.h"
#include "flow/flow.h"
#include "flow/shadow.h"
#include "flow/table.h"
#include "flow/tuple.h"
#include "net.h"
#include "policy/top.h"

/* Buckets between two chances for others to run. */
#define TOP_SLICE	256

/* Jiffies that a resize of the shadows' table may take before they are looked at anyway. */
#define TOP_PATIENCE	5

/* Shadows looked at in one place then. */
#define TOP_CLUSTER	64

/* How long the rings stay after the last request. */
#define TOP_LINGER	(60 * HZ)

/* Fraction bits of a birth's weight in a rate. */
#define RATE_SHIFT	16

/* Slots of the hash that counts; what is counted fits into half of it. */
#define COUNT_SLOTS	BIT(17)

/* Flows of both tables, and births. */
#define NOTES		(2 * FT_TOP_SAMPLE + FT_TOP_BIRTHS)

/* The hash has their indexes plus one. */
static_assert(NOTES <= COUNT_SLOTS / 2 && NOTES <= U16_MAX);
static_assert(sizeof(struct ft_top_key) == 24);

/**
 * struct birth - a flow that began
 * @source: initiator's address, uncut
 * @dest: responder's address
 * @external: address that NAT gave the initiator; family 0: it has its own
 * @port: responder's port, or 0
 * @l4proto: IPPROTO_*
 */
struct birth {
	struct ft_source source;
	struct ft_source dest;
	struct ft_source external;
	__be16 port;
	u8 l4proto;
};

/**
 * struct ring - the last births on a CPU
 * @head: births so far; written by that CPU only
 * @mark: @head as it was at the two times of ft_top_rings.marked
 * @birth: the births; number n is at n modulo the size
 */
struct ring {
	u32 head;
	u32 mark[2];
	struct birth birth[FT_TOP_RING];
};

/**
 * struct ft_top_rings - the rings of all CPUs
 * @rcu: for freeing them
 * @marked: jiffies; the older one begins the window of the next report
 * @ring: by CPU
 */
struct ft_top_rings {
	struct rcu_head rcu;
	unsigned long marked[2];
	struct ring *ring[];
};

/**
 * struct count - a key and how often it was met
 * @key: the key
 * @own: own flows in the sample
 * @guarded: guarded flows in the sample
 * @own_bytes: what these own flows have carried
 * @guarded_bytes: what these guarded flows have
 * @rate: sum of the weights of its births, with RATE_SHIFT bits of fraction
 */
struct count {
	struct ft_top_key key;
	u32 own;
	u32 guarded;
	u64 own_bytes;
	u64 guarded_bytes;
	u64 rate;
};

/**
 * struct survey - a report in the making
 * @report: the report
 * @net: namespace
 * @seed: of the hash
 * @n: own flows, guarded flows and births noted so far, in this order
 * @own: of these are own flows
 * @flows: of these are flows
 * @note: what was noted
 * @bytes: by note: what a flow has carried, in both directions
 * @weight: by note: what a birth adds to a rate
 * @counts: entries of @count in use
 * @count: counts of one kind
 * @slot: hash of @count, by index plus one; 0: free
 */
struct survey {
	struct ft_top_report *report;
	struct net *net;
	u32 seed;
	u32 n;
	u32 own;
	u32 flows;
	struct birth note[NOTES];
	u64 bytes[2 * FT_TOP_SAMPLE];
	u64 weight[FT_TOP_BIRTHS];
	u32 counts;
	struct count count[NOTES];
	u16 slot[COUNT_SLOTS];
};

/* @answer: NULL: what NAT makes of it is not known. */
static void describe_birth(struct birth *birth, const struct ft_key *key,
			   const struct ft_key *answer, u32 word)
{
	unsigned int from = !!(word & FT_FLOW_ORIG_HI);

	ft_source_get(&birth->source, key, from);
	ft_source_get(&birth->dest, key, !from);
	if (answer && word & FT_FLOW_SNAT)
		ft_source_get(&birth->external, answer, !(word & FT_FLOW_REPLY_HI));
	else
		birth->external = (struct ft_source){};
	birth->port = ft_l4_has_ports(key->l4proto) ? key->port[!from] : 0;
	birth->l4proto = key->l4proto;
}

/**
 * ft_top_born() - take note of a flow that began
 * @tn: namespace
 * @key: its identity
 * @answer: FT_FLOW_SNAT: its second key; else it is not read
 * @word: its bits
 *
 * Context: BH disabled, RCU read side.
 */
void ft_top_born(struct ft_net *tn, const struct ft_key *key, const struct ft_key *answer, u32 word)
{
	const struct ft_top_rings *rings = rcu_dereference(tn->top.rings);
	struct ring *ring;
	u32 head;

	if (likely(!rings))
		return;
	/* One at a time, also where PREEMPT_RT lets two tasks disable BH on a CPU. */
	preempt_disable();
	ring = rings->ring[smp_processor_id()];
	head = ring->head;
	describe_birth(&ring->birth[head % FT_TOP_RING], key, answer, word);
	/* Pairs with the acquire in note_births(): the birth is there. */
	smp_store_release(&ring->head, head + 1);
	/*
	 * Pairs with the smp_rmb() in note_births(): a reader that sees the
	 * next birth overwrite an old one sees the head that says so.
	 */
	smp_wmb();
	preempt_enable();
}

/* Of the flow that is noted next. */
static void note_bytes(struct survey *survey, struct ft_top_part *part, u64 bytes)
{
	survey->bytes[survey->n] = bytes;
	part->bytes += bytes;
}

/* All of a translated flow is of one life; else the answers might be another's. */
static bool read_flow(struct ft_flow *flow, u32 index, struct ft_key *key, struct ft_key *answer,
		      u32 *word)
{
	struct ft_flow6 copy;

	if (!(index & FT_INDEX_NAT))
		return ft_flow_peek(flow, key, word);
	if (!ft_flow_snapshot(flow, 0, &copy))
		return false;
	*word = atomic_read(&copy.f.word);
	ft_flow_key(&copy.f, key);
	ft_nat_key(&copy.f, &copy.nat, answer);
	return true;
}

static int note_flow(struct ft_flow *flow, u32 index, void *arg)
{
	struct survey *survey = arg;
	struct ft_key key, answer;
	u32 word;

	if (survey->n == FT_TOP_SAMPLE)
		return 1;
	if (!read_flow(flow, index, &key, &answer, &word))
		return 0;
	note_bytes(survey, &survey->report->own,
		   READ_ONCE(flow->bytes[FT_DIR_ORIG]) + READ_ONCE(flow->bytes[FT_DIR_REPLY]));
	describe_birth(&survey->note[survey->n++], &key, &answer, word);
	survey->report->own.census.n[ft_word_class(word)]++;
	return 0;
}

/*
 * Note the flows of buckets in a row, from a random one on. The hash is keyed:
 * which flows share a bucket, or are neighbours, is as good as random, so this
 * is a uniform sample, and the bucket lines are read in sequence. Return: true
 * if all flows were noted.
 */
static bool note_flows(struct ft_net *tn, struct survey *survey)
{
	u32 buckets = ft_table_buckets(tn->table);
	u32 limit = min(buckets, FT_TOP_LINES);
	struct ft_cursor cursor = {
		.generation = ft_table_generation(tn->table),
	};
	u32 looked = 0, from, end = buckets;
	int more;

	if (limit < buckets || atomic_read(&tn->count) > FT_TOP_SAMPLE)
		cursor.bucket = get_random_u32() & (buckets - 1);
	while (looked < limit) {
		from = cursor.bucket;
		rcu_read_lock();
		more = ft_table_walk(tn->table, &cursor,
				     min(min_t(u32, TOP_SLICE, end - from),
					 limit - looked),
				     note_flow, survey);
		rcu_read_unlock();
		cond_resched();
		looked += cursor.bucket - from;
		/* A full sample, or a table that has just become smaller. */
		if (more ? cursor.bucket == from : cursor.bucket < end)
			break;
		if (cursor.bucket >= end) {
			end = buckets - looked;
			cursor.bucket = 0;
			cursor.slot = 0;
		}
	}
	survey->own = survey->n;
	survey->report->own.sampled = survey->n;
	survey->report->own.total = atomic_read(&tn->count);
	/* An odd generation: a resize is under way. */
	if (looked < buckets || cursor.generation & 1 ||
	    cursor.generation != ft_table_generation(tn->table))
		return false;
	survey->report->own.total = survey->n;
	return true;
}

/* What an entry of nf_conntrack has carried, if it counts. */
static u64 guarded_bytes(struct net *net, const struct ft_shadow_key *key)
{
	struct nf_conntrack_tuple_hash *found;
	struct nf_conntrack_tuple tuple;
	const struct nf_conn_acct *acct;
	struct nf_conntrack_zone zone;
	struct nf_conn *ct;
	u64 bytes = 0;

	if (!READ_ONCE(net->ct.sysctl_acct))
		return 0;
	ft_shadow_key_tuple(key, &tuple, &zone);
	found = nf_conntrack_find_get(net, &zone, &tuple);
	if (!found)
		return 0;
	ct = nf_ct_tuplehash_to_ctrack(found);
	acct = nf_conn_acct_find(ct);
	if (acct)
		bytes = atomic64_read(&acct->counter[IP_CT_DIR_ORIGINAL].bytes) +
			atomic64_read(&acct->counter[IP_CT_DIR_REPLY].bytes);
	nf_ct_put(ct);
	return bytes;
}

static int note_shadow(struct ft_shadow *shadow, void *arg)
{
	struct survey *survey = arg;
	/* Of a flow that was there a moment ago, or of two. */
	struct ft_shadow_key shadowed = shadow->key;
	struct ft_key key;
	u32 word;

	if (survey->n - survey->own == FT_TOP_SAMPLE)
		return -ENOSPC;
	word = ft_shadow_flow_key(&shadowed, &key);
	note_bytes(survey, &survey->report->guarded, guarded_bytes(survey->net, &shadowed));
	describe_birth(&survey->note[survey->n++], &key, NULL, word);
	survey->report->guarded.census.n[ft_shadow_class(READ_ONCE(shadow->word))]++;
	return 0;
}

/*
 * Note the shadows of buckets in a row, from a random one on, which are a
 * uniform sample as those of the table are. Return: 0: of all buckets; -ENOSPC:
 * of as many as were needed, or as may be looked at; -EAGAIN: the hash table is
 * being resized.
 */
static int walk_shadows(struct ft_shadows *shadows, struct survey *survey)
{
	bool all = ft_shadow_count(shadows) <= FT_TOP_SAMPLE;
	u32 buckets, limit, looked, slice;
	struct ft_shadow_cursor cursor;
	int more;

	rcu_read_lock();
	buckets = ft_shadow_begin(shadows, &cursor, all ? 0 : get_random_u32());
	rcu_read_unlock();
	limit = min(buckets, FT_TOP_LINES);
	for (looked = 0; looked < limit; looked += slice) {
		slice = min3((u32)TOP_SLICE, buckets - cursor.bucket,
			     limit - looked);
		rcu_read_lock();
		more = ft_shadow_walk(shadows, &cursor, slice, note_shadow,
				      survey);
		rcu_read_unlock();
		cond_resched();
		if (more < 0)
			return more;
		if (!more)
			cursor.bucket = 0;
	}
	return looked == buckets ? 0 : -ENOSPC;
}

/*
 * Note as many of them, here and there, some twice: while they are resized. They
 * are in two hash tables then, one of which may still be empty.
 */
static void sample_shadows(struct ft_shadows *shadows, struct survey *survey)
{
	struct ft_shadow *cluster[TOP_CLUSTER];
	u32 i, k, n;

	for (i = 0; i < 2 * FT_TOP_SAMPLE / TOP_CLUSTER; i++) {
		rcu_read_lock();
		n = ft_shadow_sample(shadows, get_random_u32(), cluster,
				     TOP_CLUSTER);
		for (k = 0; k < n; k++)
			note_shadow(cluster[k], survey);
		rcu_read_unlock();
		cond_resched();
	}
}

/* Note guarded flows. Return: true if it was all of them. */
static bool note_guarded(struct ft_net *tn, struct survey *survey)
{
	struct ft_shadows *shadows = &tn->guard.shadows;
	struct ft_top_part *part = &survey->report->guarded;
	unsigned int tries;
	int err;

	for (tries = 0; tries < TOP_PATIENCE; tries++) {
		err = walk_shadows(shadows, survey);
		if (err != -EAGAIN)
			break;
		survey->n = survey->own;
		part->census = (struct ft_census){};
		part->bytes = 0;
		schedule_timeout_uninterruptible(1);
	}
	if (err == -EAGAIN)
		sample_shadows(shadows, survey);
	survey->flows = survey->n;
	part->sampled = survey->n - survey->own;
	part->total = err ? ft_shadow_count(shadows) : part->sampled;
	return !err;
}

/* Note a CPU's births since its older mark, @limit of them at most. */
static void note_births(struct survey *survey, const struct ring *ring,
			u32 limit)
{
	/* Pairs with the release in ft_top_born(). */
	u32 head = smp_load_acquire(&ring->head);
	u32 born = head - ring->mark[0];
	u32 n = min(born, limit);
	u32 first = survey->n;
	u32 lost, i;
	u64 weight;

	if (!n)
		return;
	for (i = 0; i < n; i++)
		survey->note[first + i] =
			ring->birth[(head - n + i) % FT_TOP_RING];
	/*
	 * Pairs with smp_wmb() in ft_top_born(). What may have been overwritten
	 * meanwhile, from the oldest on, is not used: the one that is being
	 * written is not in the head yet.
	 */
	smp_rmb();
	lost = READ_ONCE(ring->head) - head + n;
	lost = lost >= FT_TOP_RING ? min(lost - FT_TOP_RING + 1, n) : 0;
	memmove(&survey->note[first], &survey->note[first + lost],
		(n - lost) * sizeof(survey->note[0]));
	n -= lost;
	if (!n)
		return;
	weight = div_u64(div_u64((u64)born * MSEC_PER_SEC << RATE_SHIFT,
				 survey->report->window), n);
	for (i = 0; i < n; i++)
		survey->weight[first + i - survey->flows] = weight;
	survey->n += n;
}

/* Begin the next window. The older mark is one to two reports old. */
static void mark_rings(struct ft_top_rings *rings)
{
	struct ring *ring;
	int cpu;

	rings->marked[0] = rings->marked[1];
	rings->marked[1] = jiffies;
	for_each_possible_cpu(cpu) {
		ring = rings->ring[cpu];
		ring->mark[0] = ring->mark[1];
		ring->mark[1] = READ_ONCE(ring->head);
	}
}

static void note_all_births(struct ft_top_rings *rings, struct survey *survey)
{
	struct ft_top_report *report = survey->report;
	u32 limit = min(FT_TOP_BIRTHS / num_possible_cpus(), FT_TOP_RING);
	unsigned long since = rings->marked[0];
	u32 born = 0;
	int cpu;

	/* Less than half a second gives no rate. */
	if (time_before(jiffies, since + HZ / 2))
		return;
	report->window = jiffies_to_msecs(jiffies - since);
	for_each_possible_cpu(cpu) {
		born += READ_ONCE(rings->ring[cpu]->head) -
			rings->ring[cpu]->mark[0];
		note_births(survey, rings->ring[cpu], limit);
		cond_resched();
	}
	report->births = survey->n - survey->flows;
	report->rate = div_u64((u64)born * MSEC_PER_SEC, report->window);
}

/* Return: false if it has nothing of that kind. */
static bool top_key_of(struct ft_top_key *key, const struct birth *birth,
		       enum flowtrack_top_kind kind, struct ft_source_prefix prefix)
{
	memset(key, 0, sizeof(*key));
	switch (kind) {
	case FLOWTRACK_TOP_KIND_SOURCE:
		key->host = birth->source;
		ft_source_cut(&key->host, prefix);
		break;
	case FLOWTRACK_TOP_KIND_DESTINATION:
		key->host = birth->dest;
		break;
	case FLOWTRACK_TOP_KIND_SERVICE:
		key->port = birth->port;
		key->l4proto = birth->l4proto;
		break;
	case FLOWTRACK_TOP_KIND_EXTERNAL:
		key->host = birth->external;
		return key->host.family;
	}
	return true;
}

static struct count *count_of(struct survey *survey,
			      const struct ft_top_key *key)
{
	u32 i = jhash2((const u32 *)key, sizeof(*key) / sizeof(u32),
		       survey->seed);
	struct count *count;

	for (;; i++) {
		u16 *slot = &survey->slot[i % COUNT_SLOTS];

		if (!*slot) {
			count = &survey->count[survey->counts];
			count->key = *key;
			count->own = 0;
			count->guarded = 0;
			count->own_bytes = 0;
			count->guarded_bytes = 0;
			count->rate = 0;
			*slot = ++survey->counts;
			return count;
		}
		count = &survey->count[*slot - 1];
		if (!memcmp(&count->key, key, sizeof(*key)))
			return count;
	}
}

/* How many of a part's flows are of a kind, if @n of the sampled ones are; or bytes. */
static u64 estimate(u64 n, const struct ft_top_part *part)
{
	u32 rest;

	if (!n)
		return 0;
	n = div_u64_rem(n, part->sampled, &rest);
	return n * part->total + div_u64((u64)rest * part->total, part->sampled);
}

/* Count what was noted by one kind of key. */
static void count_kind(struct survey *survey, enum flowtrack_top_kind kind)
{
	const struct ft_top_report *report = survey->report;
	struct ft_top_key key;
	struct count *count;
	u32 i;

	survey->counts = 0;
	memset(survey->slot, 0, sizeof(survey->slot));
	for (i = 0; i < survey->n; i++) {
		if (i % 1024 == 0)
			cond_resched();
		if (!top_key_of(&key, &survey->note[i], kind, report->prefix))
			continue;
		count = count_of(survey, &key);
		if (i < survey->own) {
			count->own++;
			count->own_bytes += survey->bytes[i];
		} else if (i < survey->flows) {
			count->guarded++;
			count->guarded_bytes += survey->bytes[i];
		} else {
			count->rate += survey->weight[i - survey->flows];
		}
	}
}

static u64 worth(const struct ft_top_entry *entry, unsigned int order)
{
	switch (order) {
	case FLOWTRACK_TOP_ORDER_FLOWS:
		return (u64)entry->flows << 32 | entry->rate;
	case FLOWTRACK_TOP_ORDER_RATE:
		return (u64)entry->rate << 32 | entry->flows;
	case FLOWTRACK_TOP_ORDER_BYTES:
		return entry->bytes;
	case FT_TOP_ORDER_GUARDED:
		return (u64)entry->guarded << 32 | entry->rate;
	default:
		return (u64)entry->held << 32 | entry->rate;
	}
}

/* Put an entry in its place in a list, if it is among the first. */
static void list_add_entry(struct ft_top_list *list,
			   const struct ft_top_entry *entry, unsigned int order)
{
	u64 value = worth(entry, order);
	u32 i = list->n;

	/* An entry that has nothing of what the list is about is not in it. */
	if (order == FLOWTRACK_TOP_ORDER_BYTES ? !value : !(value >> 32))
		return;
	while (i && worth(&list->entry[i - 1], order) < value)
		i--;
	if (i == FT_TOP_MAX)
		return;
	if (list->n < FT_TOP_MAX)
		list->n++;
	memmove(&list->entry[i + 1], &list->entry[i],
		(list->n - 1 - i) * sizeof(*entry));
	list->entry[i] = *entry;
}

static void list_kind(struct survey *survey, enum flowtrack_top_kind kind)
{
	struct ft_top_report *report = survey->report;
	const struct count *count;
	struct ft_top_entry entry;
	unsigned int order;
	u32 i;

	for (i = 0; i < survey->counts; i++) {
		count = &survey->count[i];
		entry.key = count->key;
		entry.held = count->own;
		entry.guarded = estimate(count->guarded, &report->guarded);
		entry.flows = estimate(count->own, &report->own) +
			      entry.guarded;
		entry.rate = (count->rate + BIT(RATE_SHIFT - 1)) >> RATE_SHIFT;
		entry.bytes = estimate(count->own_bytes, &report->own) +
			      estimate(count->guarded_bytes, &report->guarded);
		for (order = 0; order < FT_TOP_ORDERS_ALL; order++)
			list_add_entry(&report->list[kind][order], &entry,
				       order);
		if (i % 1024 == 0)
			cond_resched();
	}
}

/**
 * ft_top_heavy_count() - how many of the first sources are heavy
 * @held: flows in the sample of a table by source, in descending order
 * @n: how many sources
 * @sampled: flows in the sample
 *
 * Imagine that the table were emptied to three quarters of what it holds, and
 * these shared fairly: each source keeps what it has, up to a common level. A
 * source is heavy if it is above that level, and holds one in
 * FT_TOP_HEAVY_SHARE of all flows at least, so that chance makes no source
 * heavy. If the sources that hold little hold more than three quarters
 * together, as in a flood from forged addresses, no source is heavy, whatever
 * it holds.
 *
 * Context: any; pure.
 * Return: number of heavy sources, FT_TOP_HEAVY at most.
 */
unsigned int ft_top_heavy_count(const u32 *held, unsigned int n, u32 sampled)
{
	/* Quarters of what the first k may keep together; now k is 0. */
	s64 room = -(s64)sampled;
	unsigned int k;

	for (k = 0; k < n && k < FT_TOP_HEAVY; k++) {
		if ((u64)held[k] * FT_TOP_HEAVY_SHARE < sampled)
			break;
		/* Is the level of the first k above the next one? */
		if (4 * (s64)held[k] * k <= room)
			break;
		room += 4 * (s64)held[k];
	}
	return room > 0 ? k : 0;
}

/*
 * Of the own table only: what fills nf_conntrack's is no reason to evict a flow
 * here. guard/heavy.c finds the heavy sources there.
 */
static void find_heavy(struct ft_top_report *report)
{
	const struct ft_top_list *list =
		&report->list[FLOWTRACK_TOP_KIND_SOURCE][FT_TOP_ORDER_OWN];
	u32 held[FT_TOP_HEAVY + 1];
	u32 i, n;

	n = min_t(u32, list->n, ARRAY_SIZE(held));
	for (i = 0; i < n; i++)
		held[i] = list->entry[i].held;
	report->n_heavy = ft_top_heavy_count(held, n, report->own.sampled);
	for (i = 0; i < report->n_heavy; i++)
		report->heavy[i] = list->entry[i].key.host;
}

/* Is the table nearly full, or were newcomers refused since the last look? */
static bool heavy_pressed(struct ft_net *tn)
{
	u64 max = ft_setting(&tn->set, MAX_FLOWS);

	return READ_ONCE(tn->top.refused) ||
	       (u64)atomic_read(&tn->count) * 10 >= max * 9;
}

static void rings_free(struct ft_top_rings *rings)
{
	int cpu;

	if (!rings)
		return;
	for_each_possible_cpu(cpu)
		kvfree(rings->ring[cpu]);
	kfree(rings);
}

static void rings_free_rcu(struct rcu_head *rcu)
{
	rings_free(container_of(rcu, struct ft_top_rings, rcu));
}

static struct ft_top_rings *rings_of(struct ft_net *tn)
{
	return rcu_dereference_protected(tn->top.rings,
					 lockdep_is_held(&tn->top.lock));
}

/* Remember births from now on, if they are not already. */
static int rings_start(struct ft_net *tn)
{
	struct ft_top_rings *rings;
	int cpu;

	lockdep_assert_held(&tn->top.lock);
	if (rings_of(tn))
		return 0;
	rings = kzalloc(struct_size(rings, ring, nr_cpu_ids),
			GFP_KERNEL_ACCOUNT);
	if (!rings)
		return -ENOMEM;
	for_each_possible_cpu(cpu) {
		rings->ring[cpu] = kvzalloc_node(sizeof(*rings->ring[cpu]),
						 GFP_KERNEL_ACCOUNT,
						 cpu_to_node(cpu));
		if (!rings->ring[cpu]) {
			rings_free(rings);
			return -ENOMEM;
		}
	}
	rings->marked[0] = jiffies;
	rings->marked[1] = jiffies;
	/* Pairs with rcu_dereference() in ft_top_born(). */
	rcu_assign_pointer(tn->top.rings, rings);
	return 0;
}

static void rings_stop(struct ft_net *tn)
{
	struct ft_top_rings *rings = rings_of(tn);

	lockdep_assert_held(&tn->top.lock);
	if (!rings)
		return;
	RCU_INIT_POINTER(tn->top.rings, NULL);
	call_rcu(&rings->rcu, rings_free_rcu);
}

static struct ft_top_report *report_of(struct ft_net *tn)
{
	return rcu_dereference_protected(tn->top.report,
					 lockdep_is_held(&tn->top.lock));
}

/* Make a report and publish it. */
static int make_report(struct ft_net *tn)
{
	struct ft_top_rings *rings = rings_of(tn);
	struct ft_top_report *report, *old;
	struct survey *survey;
	unsigned int kind;

	lockdep_assert_held(&tn->top.lock);
	report = kvzalloc(sizeof(*report), GFP_KERNEL_ACCOUNT);
	survey = kvmalloc(sizeof(*survey), GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (!report || !survey) {
		kvfree(report);
		kvfree(survey);
		return -ENOMEM;
	}
	report->prefix.v4 = ft_setting(&tn->set, SRC_PREFIX4);
	report->prefix.v6 = ft_setting(&tn->set, SRC_PREFIX6);
	survey->report = report;
	survey->net = tn->net;
	survey->seed = get_random_u32();
	survey->n = 0;
	report->exact = note_flows(tn, survey);
	report->exact &= note_guarded(tn, survey);
	report->bytes = estimate(report->own.bytes, &report->own) +
			estimate(report->guarded.bytes, &report->guarded);
	if (rings) {
		note_all_births(rings, survey);
		mark_rings(rings);
	}
	for (kind = 0; kind < FT_TOP_KINDS; kind++) {
		count_kind(survey, kind);
		list_kind(survey, kind);
	}
	kvfree(survey);
	if (heavy_pressed(tn))
		find_heavy(report);
	report->when = jiffies;
	old = report_of(tn);
	/* Pairs with rcu_dereference() in its readers. */
	rcu_assign_pointer(tn->top.report, report);
	if (old)
		kvfree_rcu(old, rcu);
	return 0;
}

static bool is_fresh(const struct ft_top_report *report)
{
	return report && time_before(jiffies, report->when + HZ);
}

/**
 * ft_top_refresh() - see to it that there is a report, a second old at most
 * @tn: namespace
 *
 * However many ask, there is one report a second. Births are remembered from
 * the first time on, for as long as somebody asks once a minute.
 *
 * Context: may sleep; takes ft_top.lock.
 * Return: 0; -ENOMEM; -EINTR: the caller is being killed.
 */
int ft_top_refresh(struct ft_net *tn)
{
	int err;

	if (mutex_lock_killable(&tn->top.lock))
		return -EINTR;
	tn->top.wanted = jiffies + TOP_LINGER;
	err = rings_start(tn);
	if (!err && !is_fresh(report_of(tn)))
		err = make_report(tn);
	mutex_unlock(&tn->top.lock);
	if (!READ_ONCE(tn->dying))
		queue_delayed_work(tn->wq, &tn->top.work, HZ);
	return err;
}

/**
 * ft_top_sample() - likewise, for a caller that has no use for rates
 * @tn: namespace
 *
 * Births are not remembered for it: however often it is asked for, the packet path
 * pays nothing.
 *
 * Context: may sleep; takes ft_top.lock.
 * Return: 0; -ENOMEM; -EINTR: the caller is being killed.
 */
int ft_top_sample(struct ft_net *tn)
{
	int err = 0;

	if (mutex_lock_killable(&tn->top.lock))
		return -EINTR;
	if (!is_fresh(report_of(tn)))
		err = make_report(tn);
	mutex_unlock(&tn->top.lock);
	return err;
}

/**
 * ft_top_look() - see to it that the report is of this moment
 * @tn: namespace
 *
 * For a caller that does not ask often. Without memory the last report stays.
 * While the table is nearly full, it is followed by one each second.
 *
 * Context: process, may sleep; takes ft_top.lock. Not the packet path: a report
 * takes milliseconds.
 */
void ft_top_look(struct ft_net *tn)
{
	mutex_lock(&tn->top.lock);
	make_report(tn);
	mutex_unlock(&tn->top.lock);
	if (heavy_pressed(tn) && !READ_ONCE(tn->dying))
		queue_delayed_work(tn->wq, &tn->top.work, HZ);
}

static void top_work(struct work_struct *work)
{
	struct ft_net *tn = container_of(to_delayed_work(work), struct ft_net,
					 top.work);
	const u64 began = ktime_get_ns();
	struct ft_top_rings *rings;
	struct mem_cgroup *outer;
	bool full, wanted;

	outer = ft_tenant_charge(tn->memcg);
	mutex_lock(&tn->top.lock);
	full = heavy_pressed(tn);
	wanted = time_before(jiffies, tn->top.wanted);
	if (full) {
		/* Without memory for them there are no rates. */
		rings_start(tn);
		if (!is_fresh(report_of(tn)))
			make_report(tn);
		WRITE_ONCE(tn->top.refused, false);
	} else {
		if (report_of(tn))
			WRITE_ONCE(report_of(tn)->n_heavy, 0);
		rings = rings_of(tn);
		if (!wanted)
			rings_stop(tn);
		else if (rings && !time_before(jiffies, rings->marked[1] + HZ))
			mark_rings(rings);
	}
	mutex_unlock(&tn->top.lock);
	ft_tenant_uncharge(tn->memcg, outer);
	if ((full || wanted) && !READ_ONCE(tn->dying))
		queue_delayed_work(tn->wq, &tn->top.work, HZ);
	ft_tenant_rest(tn->tenant, began, &tn->dying);
}

/**
 * ft_top_refused() - a newcomer met a full table
 * @tn: namespace
 *
 * Find out which sources fill it: at once, but once a second at most.
 *
 * Context: any. Called for each newcomer that meets a full table: finding the
 * work queued already costs two reads.
 */
void ft_top_refused(struct ft_net *tn)
{
	const struct ft_top_report *report;
	unsigned long delay = 0;

	if (!READ_ONCE(tn->top.refused))
		WRITE_ONCE(tn->top.refused, true);
	if (delayed_work_pending(&tn->top.work) || READ_ONCE(tn->dying))
		return;
	rcu_read_lock();
	report = rcu_dereference(tn->top.report);
	if (is_fresh(report))
		delay = report->when + HZ - jiffies;
	rcu_read_unlock();
	queue_delayed_work(tn->wq, &tn->top.work,
			   min_t(unsigned long, delay, HZ));
}

/**
 * ft_top_first() - what had most flows at the last report
 * @tn: namespace
 * @kind: source, destination, service or external address
 * @order: of what; FT_TOP_ORDER_OWN and FT_TOP_ORDER_GUARDED are of one table
 *
 * Context: RCU read side, and the entry is good for as long.
 * Return: the entry, or NULL if there is none.
 */
const struct ft_top_entry *ft_top_first(const struct ft_net *tn, enum flowtrack_top_kind kind,
					unsigned int order)
{
	const struct ft_top_report *report = rcu_dereference(tn->top.report);

	if (!report || !report->list[kind][order].n)
		return NULL;
	return &report->list[kind][order].entry[0];
}

/**
 * ft_top_census() - the flows of a table by class
 * @part: what a report has of the table
 * @census: filled; an estimate if not all flows were looked at
 *
 * Context: any.
 */
void ft_top_census(const struct ft_top_part *part, struct ft_census *census)
{
	unsigned int i;

	for (i = 0; i < FT_CLASSES; i++)
		census->n[i] = estimate(part->census.n[i], part);
}

/**
 * ft_top_any_heavy() - are there heavy sources?
 * @tn: namespace
 *
 * Only while the table is nearly full, or newcomers are refused.
 *
 * Context: RCU read side.
 * Return: true if so.
 */
bool ft_top_any_heavy(const struct ft_net *tn)
{
	const struct ft_top_report *report = rcu_dereference(tn->top.report);

	return report && READ_ONCE(report->n_heavy);
}

/**
 * ft_top_heavy() - is a flow's initiator a heavy source?
 * @tn: namespace
 * @key: identity of the flow
 * @word: its bits, for the direction
 *
 * Context: RCU read side. No lock; as of a second ago, or two.
 * Return: true if so.
 */
bool ft_top_heavy(const struct ft_net *tn, const struct ft_key *key, u32 word)
{
	const struct ft_top_report *report = rcu_dereference(tn->top.report);
	struct ft_source source;
	u32 i, n;

	n = report ? READ_ONCE(report->n_heavy) : 0;
	if (!n)
		return false;
	ft_source_get(&source, key, !!(word & FT_FLOW_ORIG_HI));
	ft_source_cut(&source, report->prefix);
	for (i = 0; i < n; i++) {
		if (ft_source_equal(&report->heavy[i], &source))
			return true;
	}
	return false;
}

/**
 * ft_top_init() - prepare a namespace
 * @tn: namespace that nobody else knows yet
 */
void ft_top_init(struct ft_net *tn)
{
	mutex_init(&tn->top.lock);
	INIT_DELAYED_WORK(&tn->top.work, top_work);
	tn->top.wanted = jiffies;
}

/**
 * ft_top_exit() - forget all that was found
 * @tn: namespace, with dying set; no packet and no request reaches it any more
 *
 * Context: may sleep.
 */
void ft_top_exit(struct ft_net *tn)
{
	cancel_delayed_work_sync(&tn->top.work);
	rings_free(rcu_dereference_protected(tn->top.rings, true));
	kvfree(rcu_dereference_protected(tn->top.report, true));
}
