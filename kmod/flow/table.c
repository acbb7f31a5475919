// SPDX-License-Identifier: GPL-2.0
/*
 * The flow table. table.h says what it is; here is how.
 *
 * A slot is one word: index of the flow plus one (zero: empty), 16 bits of the
 * hash as tag, and, for scans that touch no flow, class and coarse deadline.
 * A bit beside the index says that the slot is for the flow's second key.
 * Flows are never moved between slots of a bucket, and only the last line of a
 * chain is ever unlinked, when it is empty: so a reader that scans a bucket
 * while it is changed misses nothing that was there before and is there after,
 * and a position in a chain keeps its meaning.
 *
 * Beside the buckets there is a word for each, a filter after Bloom: the bits of
 * all tags that are in the bucket. A key whose bits are not set is not in, and its
 * bucket need not be read. Sixteen filters are in a cache line, so that what is
 * looked for in vain, which is what a flood is made of, costs no miss where
 * filters fit into the CPU's cache and buckets do not.
 */
#include <linux/bitops.h>
#include <linux/bottom_half.h>
#include <linux/bug.h>
#include <linux/cache.h>
#include <linux/err.h>
#include <linux/export.h>
#include <linux/in.h>
#include <linux/log2.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/nf_flowtrack.h>
#include <linux/prefetch.h>
#include <linux/random.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
/* Needs cpu_relax(), and does not say so in every kernel. */
#include <linux/bit_spinlock.h>

#include "base/fault_inject.h"
#include "base/limits.h"
#include "base/tenant.h"
#include "flow/sieve.h"
#include "flow/table.h"
#include "flow/tuple.h"

/* A slot is read and written in one access. */
static_assert(sizeof(unsigned long) == sizeof(u64));

/* Bits of bucket.head below the link; lines are 64-byte aligned. */
#define HEAD_LOCK	0	/* bit number: bit lock */
#define HEAD_MOVED	BIT(1)	/* a resize took this bucket's flows along */
#define HEAD_LINK	(~63UL)	/* next line, or 0 */

/* The filter of a bucket whose flows have moved: look at the bucket. */
#define FILTER_MOVED	U32_MAX

/* A slot's fields. An index has this bit nowhere else. */
#define SLOT_SECOND		BIT(29)	/* for the second key of a translated flow */
#define SLOT_TAG_SHIFT		32
#define SLOT_DEADLINE_SHIFT	48
#define SLOT_CLASS_SHIFT	61
#define SLOT_DEADLINE_BITS	13
#define SLOT_DEADLINE_MASK	(BIT(SLOT_DEADLINE_BITS) - 1)

/* What an index and one are, as a slot has them. */
static_assert(!((FT_INDEX_OBJECT + 1) & (SLOT_SECOND | FT_INDEX_NAT | FT_INDEX_V6)));

/* Slots per bucket at which an automatic size grows, and shrinks. */
#define LOAD_GROW	5
#define LOAD_SHRINK_SHIFT 1	/* half a flow per bucket */

/* Flows that make a sample, and lines looked at for it at most. */
#define SAMPLE_ENOUGH	12u
/* Flows brought in meanwhile, as many as will be looked at (pressure.h). */
#define SAMPLE_AHEAD	5
#define SAMPLE_LINES_MAX 128

/* How far ahead of itself a scan fetches: a microsecond of it. */
#define VISIT_AHEAD	32

/* A resize leaves most of the lines that a chain may have to newcomers. */
#define RESIZE_FILL_MAX	(FT_CHAIN_MAX / 8 * FT_SLOTS)

/* Overflow lines freed at once, after a grace period. */
#define TRASH_LINES	29

/* Buckets looked at before others get a chance to run. */
#define SCAN_BATCH	16
/*
 * How many buckets ahead of the one that it moves a resize fetches where their
 * flows will go, and the flows themselves.
 */
#define MOVE_AHEAD	4
#define MOVE_AHEAD_FLOWS (2 * MOVE_AHEAD)

/**
 * struct bucket - a cache line of slots: a bucket, or what overflows from one
 * @head: lock and moved bit (bucket only), link to the next line
 * @slot: see above. Written under the bucket's lock, but for the class and
 *	deadline, which ft_table_expired() may replace by compare and exchange
 */
struct bucket {
	unsigned long head;
	u64 slot[FT_SLOTS];
} __aligned(64);

static_assert(sizeof(struct bucket) == 64);

/**
 * struct array - the buckets
 * @mask: number of buckets, minus one
 * @overflow: overflow lines in use
 * @next: where a resize moves the flows to
 * @b: the buckets
 * @filter: one for each bucket: tag_bits() of all that is in it, or
 *	FILTER_MOVED. Written under the bucket's lock, read by anyone
 */
struct array {
	u32 mask;
	atomic_t overflow;
	struct array __rcu *next;
	struct bucket *b;
	u32 *filter;
};

/* The two bits of an index above all others: FT_INDEX_V6, FT_INDEX_NAT. */
#define KIND_SHIFT	30
#define ARENAS		4

/**
 * struct ft_table - a flow table
 * @cur: where every lookup begins
 * @arenas: of the flows by kind, see arena_of()
 * @memcg: charged for the memory of flows and buckets; NULL: nobody
 * @secret: key of the hash
 * @sieve: pairs of addresses that there are flows of
 * @resize_lock: one resize at a time; taken by process context
 * @generation: changes when a resize begins and when it ends
 * @seconds: slots for second keys: how many flows are translated
 */
struct ft_table {
	struct array __rcu *cur;
	struct ft_arena *arenas[ARENAS];
	struct mem_cgroup *memcg;
	siphash_aligned_key_t secret;
	struct ft_sieve sieve;
	struct mutex resize_lock; /* protects cur (writes), array.next */
	u32 generation;
	atomic_t seconds ____cacheline_aligned_in_smp;
};

static struct kmem_cache *line_cache;

/**
 * ft_table_cache_init() - prepare for overflow lines
 *
 * Return: 0 or -ENOMEM.
 */
int ft_table_cache_init(void)
{
	line_cache = kmem_cache_create("nf_flowtrack_line",
				       sizeof(struct bucket),
				       sizeof(struct bucket), 0, NULL);
	return line_cache ? 0 : -ENOMEM;
}

/**
 * ft_table_cache_exit() - undo ft_table_cache_init()
 */
void ft_table_cache_exit(void)
{
	/* Lines may still wait for their grace period, see trash_free(). */
	rcu_barrier();
	kmem_cache_destroy(line_cache);
}

/* Seconds in step with jiffies, which deadlines are counted in. */
static u32 coarse_in(u32 left)
{
	return (u32)div_u64(get_jiffies_64() + left, HZ);
}

static u32 coarse_now(void)
{
	return coarse_in(0);
}

/*
 * Class and coarse deadline of a flow as a slot has them. It is early by less
 * than a second, and never late: an expired flow is found by the next scan.
 */
static u64 slot_hint(const struct ft_flow *flow)
{
	s32 left = max(ft_flow_left(flow, ft_now()), 0);
	u32 deadline = coarse_in(min(left, FT_HINT_MAX_SECONDS * HZ));
	u64 class = ft_word_class(atomic_read(&flow->word));

	return (u64)(deadline & SLOT_DEADLINE_MASK) << SLOT_DEADLINE_SHIFT |
	       class << SLOT_CLASS_SHIFT;
}

static u64 slot_make(u32 index, u16 tag, u64 hint)
{
	return (u64)(index + 1) | (u64)tag << SLOT_TAG_SHIFT | hint;
}

static u32 slot_index(u64 slot)
{
	return ((u32)slot & ~SLOT_SECOND) - 1;
}

/* Is it the slot of a second key? */
static bool slot_second(u64 slot)
{
	return slot & SLOT_SECOND;
}

static u16 slot_tag(u64 slot)
{
	return slot >> SLOT_TAG_SHIFT;
}

/* Seconds until the coarse deadline; it is never further away than half of
 * what the field can hold.
 */
static s32 slot_left(u64 slot, u32 now)
{
	u32 deadline = (slot >> SLOT_DEADLINE_SHIFT) & SLOT_DEADLINE_MASK;

	return sign_extend32(deadline - now, SLOT_DEADLINE_BITS - 1);
}

static u16 hash_tag(u64 hash)
{
	return hash >> 48;
}

/* What a tag sets in its bucket's filter: two bits, or one. */
static u32 tag_bits(u16 tag)
{
	return BIT(tag & 31) | BIT(tag >> 5 & 31);
}

/* May there be a flow of that hash in its bucket? */
static bool filter_passes(const struct array *array, u64 hash)
{
	u32 bits = tag_bits(hash_tag(hash));

	return (READ_ONCE(array->filter[(u32)hash & array->mask]) & bits) ==
	       bits;
}

static u32 *filter_of(const struct array *array, const struct bucket *bucket)
{
	return &array->filter[bucket - array->b];
}

/* With the bucket's lock held. */
static void filter_add(const struct array *array, const struct bucket *bucket,
		       u16 tag)
{
	u32 *filter = filter_of(array, bucket);

	WRITE_ONCE(*filter, *filter | tag_bits(tag));
}

static struct bucket *link_of(unsigned long head)
{
	return (struct bucket *)(head & HEAD_LINK);
}

static struct bucket *line_next(const struct bucket *line)
{
	/* Pairs with the release in line_append(): the line's slots are there. */
	return link_of(smp_load_acquire(&line->head));
}

static void bucket_lock(struct bucket *bucket)
	__acquires(bitlock)
{
	bit_spin_lock(HEAD_LOCK, &bucket->head);
}

static void bucket_unlock(struct bucket *bucket)
	__releases(bitlock)
{
	bit_spin_unlock(HEAD_LOCK, &bucket->head);
}

static bool bucket_moved(const struct bucket *bucket)
{
	/* Pairs with the release in bucket_move(): array.next is there. */
	return smp_load_acquire(&bucket->head) & HEAD_MOVED;
}

/*
 * Lock the bucket that a hash belongs into, wherever a resize may have taken
 * it. Lock order: a bucket of the old array before one of the new array, and
 * only the resize holds both; a flow's lock inside.
 */
static struct bucket *lock_for(const struct ft_table *table, u64 hash,
			       struct array **array)
	__acquires(bitlock)
{
	struct bucket *bucket;

	*array = rcu_dereference(table->cur);
	for (;;) {
		bucket = &(*array)->b[(u32)hash & (*array)->mask];
		bucket_lock(bucket);
		if (likely(!bucket_moved(bucket)))
			return bucket;
		bucket_unlock(bucket);
		*array = rcu_dereference((*array)->next);
	}
}

static struct ft_arena *arena_of(const struct ft_table *table, u32 index)
{
	static_assert(FT_INDEX_NAT >> KIND_SHIFT == 1 && FT_INDEX_V6 >> KIND_SHIFT == 2);

	return table->arenas[index >> KIND_SHIFT];
}

/**
 * ft_table_at() - the flow object of an index
 * @table: the table
 * @index: index as a slot has it; any number is safe
 *
 * Context: RCU read side.
 * Return: the object, dead or alive, or NULL.
 */
struct ft_flow *ft_table_at(const struct ft_table *table, u32 index)
{
	return ft_arena_at(arena_of(table, index), index & ~(FT_INDEX_V6 | FT_INDEX_NAT));
}
EXPORT_SYMBOL_NS_GPL(ft_table_at, FT_SYMBOL_NS);

/* Of a slot that is read whole before it is believed. */
static u16 line_tag(const struct bucket *line, unsigned int i)
{
	const u16 *part = (const u16 *)&line->slot[i];

	static_assert(SLOT_TAG_SHIFT == 2 * 16);

	return READ_ONCE(part[IS_ENABLED(CONFIG_CPU_BIG_ENDIAN) ? 1 : 2]);
}

/* Bits of the slots behind one, and before them the one that says whether it has a tag. */
static __always_inline unsigned int tagged_from(const struct bucket *line, unsigned int i,
						u16 tag, unsigned int behind)
{
	return behind * 2 + (line_tag(line, i) == tag);
}

/*
 * Slots of a line that have a tag, one bit each. Which one it is nobody can
 * predict, and a branch on it would keep the CPU from going on before the line
 * has come in: so there is none.
 */
static __always_inline unsigned int line_tagged(const struct bucket *line, u16 tag)
{
	unsigned int tagged;

	static_assert(FT_SLOTS == 7);

	tagged = tagged_from(line, 6, tag, 0);
	tagged = tagged_from(line, 5, tag, tagged);
	tagged = tagged_from(line, 4, tag, tagged);
	tagged = tagged_from(line, 3, tag, tagged);
	tagged = tagged_from(line, 2, tag, tagged);
	tagged = tagged_from(line, 1, tag, tagged);
	return tagged_from(line, 0, tag, tagged);
}

/*
 * All lines of a flow but the first that a packet will need, at once. Always inline: where
 * prefetch() is the compiler's own, GCC takes a function that does nothing else for one
 * without effect, and leaves the call out.
 */
static __always_inline void fetch_lines(struct ft_flow *flow, u64 slot, const struct ft_key *key)
{
	if (key->family == NFPROTO_IPV6)
		prefetch(ft_flow_addr6(flow));
	if (ft_l4_stateful(key->l4proto))
		prefetchw(&flow->born);
	if (slot & FT_INDEX_NAT)
		prefetch(ft_flow_nat(flow, key->family));
}

/* Find a live flow in a bucket. */
static struct ft_flow *bucket_find(const struct ft_table *table,
				   const struct bucket *line,
				   const struct ft_key *key, u16 tag,
				   u32 *index)
{
	unsigned int tagged;
	struct ft_flow *flow;
	u64 slot;

	for (; line; line = line_next(line)) {
		for (tagged = line_tagged(line, tag); tagged;
		     tagged &= tagged - 1) {
			/* Pairs with the release in slot_set(). */
			slot = READ_ONCE(line->slot[__ffs(tagged)]);
			if (slot_tag(slot) != tag || !(u32)slot)
				continue;
			flow = ft_table_at(table, slot_index(slot));
			if (unlikely(!flow))
				continue;
			fetch_lines(flow, slot, key);
			if (likely(ft_flow_matches(flow, key) &&
				   ft_flow_left(flow, ft_now()) > 0)) {
				*index = slot_index(slot);
				return flow;
			}
		}
	}
	return NULL;
}

/**
 * ft_table_prefetch() - bring in the bucket of a hash, and its filter
 * @table: the table
 * @hash: ft_key_hash()
 *
 * Context: RCU read side.
 */
void ft_table_prefetch(const struct ft_table *table, u64 hash)
{
	const struct array *array = rcu_dereference(table->cur);
	u32 b = (u32)hash & array->mask;

	prefetch(&array->filter[b]);
	prefetch(&array->b[b]);
}

/**
 * ft_table_prepare() - begin to look a key up
 * @table: the table
 * @key: the identity that will be looked up
 *
 * Context: RCU read side.
 * Return: ft_key_hash() of it; bucket and filter are on their way.
 */
u64 ft_table_prepare(const struct ft_table *table, const struct ft_key *key)
{
	u64 hash = ft_key_hash(key, &table->secret);

	ft_table_prefetch(table, hash);
	return hash;
}

/*
 * The flow of a bucket's first line that a hash probably is of: the slot has its tag, and the
 * flow the family of the key. It is asked for, and not waited for. Return: NULL: none.
 */
static __always_inline struct ft_flow *guess(const struct ft_table *table,
					     const struct bucket *line, const struct ft_key *key,
					     u16 tag, u32 *index)
{
	u32 v6 = key->family == NFPROTO_IPV6 ? FT_INDEX_V6 : 0;
	unsigned int tagged = line_tagged(line, tag);
	struct ft_flow *flow;
	u64 slot;

	if (!tagged)
		return NULL;
	/* Pairs with the release in slot_set(). */
	slot = READ_ONCE(line->slot[__ffs(tagged)]);
	/* Of an empty slot, too: no flow has FT_INDEX_NONE. */
	*index = slot_index(slot);
	if (unlikely((*index & FT_INDEX_V6) != v6))
		return NULL;
	flow = ft_table_at(table, *index);
	if (unlikely(!flow))
		return NULL;
	prefetch(flow);
	fetch_lines(flow, slot, key);
	return flow;
}

/**
 * ft_table_fetch() - bring in the flow of a key, if there is one
 * @table: the table
 * @key: its identity
 * @hash: ft_key_hash() of it, which ft_table_prepare() returned some time ago
 *
 * Only the first line of the bucket is looked at, and no flow waited for.
 *
 * Context: RCU read side.
 * Return: where the flow probably is, as ft_table_guess() means it, or FT_INDEX_NONE.
 */
u32 ft_table_fetch(const struct ft_table *table, const struct ft_key *key, u64 hash)
{
	const struct array *array = rcu_dereference(table->cur);
	u32 index;

	if (!filter_passes(array, hash) ||
	    !guess(table, &array->b[(u32)hash & array->mask], key, hash_tag(hash), &index))
		return FT_INDEX_NONE;
	return index;
}

/**
 * ft_table_may_have() - might there be a flow of that hash?
 * @table: the table
 * @hash: ft_key_hash() of a key of it
 *
 * Context: RCU read side.
 * Return: false if ft_table_lookup() would find none; reads one word.
 */
bool ft_table_may_have(const struct ft_table *table, u64 hash)
{
	return filter_passes(rcu_dereference(table->cur), hash);
}

/**
 * ft_table_lookup() - find a flow
 * @table: the table
 * @key: its identity; of a translated flow, either of its keys
 * @hash: ft_key_hash() of it
 * @index: set to its index if found
 *
 * Context: RCU read side. No lock, nothing written.
 * Return: the flow, which may end at any time (see flow.h), or NULL. Expired
 * flows are not found.
 */
struct ft_flow *ft_table_lookup(const struct ft_table *table,
				const struct ft_key *key, u64 hash, u32 *index)
{
	const struct array *array = rcu_dereference(table->cur);
	const struct bucket *bucket;
	struct ft_flow *flow;

	for (;;) {
		/*
		 * What is in a bucket has its bits in the filter from before
		 * the bucket is unlocked until after it has been taken out; and
		 * once flows of the bucket can be elsewhere all bits are set.
		 */
		if (!filter_passes(array, hash))
			return NULL;
		bucket = &array->b[(u32)hash & array->mask];
		flow = bucket_find(table, bucket, key, hash_tag(hash), index);
		if (likely(flow))
			return flow;
		/*
		 * Slots first, then the moved bit; pairs with the release in
		 * bucket_move(). A bit that is not set after all slots were
		 * read says that the new array had none of this bucket's flows
		 * while they were: what was in was in a slot. A moved bucket
		 * keeps its slots, so that a flow that is found in one need not
		 * be looked for again.
		 */
		smp_rmb();
		if (likely(!bucket_moved(bucket)))
			return NULL;
		array = rcu_dereference(array->next);
	}
}
EXPORT_SYMBOL_NS_GPL(ft_table_lookup, FT_SYMBOL_NS);

/**
 * ft_table_guess() - find what is probably the flow of a key
 * @table: the table
 * @key: its identity; of a translated flow, either of its keys
 * @hash: ft_key_hash() of it
 * @index: set to its index if found
 *
 * For those who find out themselves what they have got, as they must in any case: a flow may
 * end at any time. It has the tag of the hash, and the family of the key, so that once in some
 * ten thousand times it is another flow; or it has expired.
 *
 * Context: RCU read side. No lock, nothing written.
 * Return: a flow object, dead or alive, which is on its way into the cache; if it is not the
 * flow, ft_table_lookup() tells which is. NULL: there is none.
 */
struct ft_flow *ft_table_guess(const struct ft_table *table,
			       const struct ft_key *key, u64 hash, u32 *index)
{
	const struct array *array = rcu_dereference(table->cur);
	struct ft_flow *flow;

	if (!filter_passes(array, hash))
		return NULL;
	flow = guess(table, &array->b[(u32)hash & array->mask], key, hash_tag(hash), index);
	return likely(flow) ? flow : ft_table_lookup(table, key, hash, index);
}

static struct ft_flow *alloc_kind(struct ft_table *table, u32 kind, u32 *index)
{
	struct ft_flow *flow = ft_arena_alloc(arena_of(table, kind), index);

	if (flow)
		*index |= kind;
	return flow;
}

/**
 * ft_table_alloc() - get an object for a new flow that is not translated
 * @table: the table
 * @family: NFPROTO_IPV4 or NFPROTO_IPV6
 * @index: set to its index
 *
 * Context: BH disabled.
 * Return: the object, dead, or NULL if there is no memory.
 */
struct ft_flow *ft_table_alloc(struct ft_table *table, u8 family, u32 *index)
{
	return alloc_kind(table, family == NFPROTO_IPV6 ? FT_INDEX_V6 : 0, index);
}

/**
 * ft_table_alloc_nat() - get an object for a new translated flow
 * @table: the table
 * @family: NFPROTO_IPV4 or NFPROTO_IPV6
 * @index: set to its index
 *
 * Context: BH disabled.
 * Return: the object, dead, with a struct ft_nat, or NULL if there is no memory.
 */
struct ft_flow *ft_table_alloc_nat(struct ft_table *table, u8 family, u32 *index)
{
	return alloc_kind(table, FT_INDEX_NAT | (family == NFPROTO_IPV6 ? FT_INDEX_V6 : 0),
			  index);
}

/**
 * ft_table_free() - give the object of a flow back
 * @table: the table
 * @flow: the flow, dead and removed
 * @index: its index
 *
 * Context: BH disabled.
 */
void ft_table_free(struct ft_table *table, struct ft_flow *flow, u32 index)
{
	ft_arena_free(arena_of(table, index), flow,
		      index & ~(FT_INDEX_V6 | FT_INDEX_NAT));
}

/* Publish a slot: its readers see the flow that it names. */
static void slot_set(u64 *slot, u64 value)
{
	/*
	 * Pairs with the address dependency of readers, from the slot through
	 * the index to the flow.
	 */
	smp_store_release(slot, value);
}

static u64 *bucket_free_slot(struct bucket *line, struct bucket **last,
			     unsigned int *lines)
{
	unsigned int i;

	*lines = 0;
	for (; line; line = link_of(line->head)) {
		*last = line;
		(*lines)++;
		for (i = 0; i < FT_SLOTS; i++) {
			if (!line->slot[i])
				return &line->slot[i];
		}
	}
	return NULL;
}

/* Make a locked bucket's filter anew, of the tags that are in. */
static void filter_renew(const struct array *array, const struct bucket *bucket)
{
	u32 *filter = filter_of(array, bucket);
	const struct bucket *line;
	unsigned int i;
	u32 bits = 0;
	u64 slot;

	for (line = bucket; line; line = link_of(line->head)) {
		for (i = 0; i < FT_SLOTS; i++) {
			slot = READ_ONCE(line->slot[i]);
			if ((u32)slot)
				bits |= tag_bits(slot_tag(slot));
		}
	}
	WRITE_ONCE(*filter, bits);
}

static struct bucket *line_alloc(gfp_t gfp)
{
	if (ft_should_fail(FT_FAULT_LINE))
		return NULL;
	return kmem_cache_alloc(line_cache, gfp);
}

/* Append a line, its first slot filled, to a locked bucket. */
static void line_append(struct array *array, struct bucket *last,
			struct bucket *line, u64 slot)
{
	memset(line, 0, sizeof(*line));
	line->slot[0] = slot;
	atomic_inc(&array->overflow);
	/* Pairs with the acquire in line_next(). The lock bit may be in it. */
	smp_store_release(&last->head, last->head | (unsigned long)line);
}

/*
 * The live flow of a key in a locked bucket. A packet that saw it alive may be
 * about to move its deadline: only under its lock "expired" is for good.
 */
static struct ft_flow *bucket_clash(const struct ft_table *table,
				    const struct bucket *line,
				    const struct ft_key *key, u16 tag)
{
	struct ft_flow *flow;
	unsigned int tagged;
	u64 slot;

	for (; line; line = link_of(line->head)) {
		for (tagged = line_tagged(line, tag); tagged; tagged &= tagged - 1) {
			slot = READ_ONCE(line->slot[__ffs(tagged)]);
			if (!(u32)slot)
				continue;
			flow = ft_table_at(table, slot_index(slot));
			if (WARN_ON_ONCE(!flow) || !ft_flow_matches(flow, key))
				continue;
			if (!ft_flow_lock_key(flow, key))
				continue;
			ft_flow_unlock(flow, atomic_read(&flow->word));
			return flow;
		}
	}
	return NULL;
}

/**
 * struct place - where a key of a flow that is being entered belongs
 * @key: the key
 * @slot: what stands for it in its bucket
 * @tag: of its hash
 * @bucket: that bucket, locked
 * @array: the array that it is in
 * @p: the slot, once it is set
 */
struct place {
	struct ft_key key;
	u64 slot;
	u16 tag;
	struct bucket *bucket;
	struct array *array;
	u64 *p;
};

/* Enter a key into its locked bucket. Return: 0; -EAGAIN: a line is wanted; -ENOSPC. */
static int place_enter(struct place *place, struct bucket **line)
{
	struct bucket *last;
	unsigned int lines;
	u64 *free;

	free = bucket_free_slot(place->bucket, &last, &lines);
	if (!free && lines >= FT_CHAIN_MAX)
		return -ENOSPC;
	if (!free && !*line)
		return -EAGAIN;
	if (free) {
		slot_set(free, place->slot);
		place->p = free;
	} else {
		line_append(place->array, last, *line, place->slot);
		place->p = &(*line)->slot[0];
		*line = NULL;
	}
	filter_add(place->array, place->bucket, place->tag);
	return 0;
}

static void place_leave(const struct place *place)
{
	WRITE_ONCE(*place->p, 0);
	filter_renew(place->array, place->bucket);
}

/* Sparse can't follow a lock that may be held. */
static bool bucket_trylock(struct bucket *bucket)
{
	if (!bit_spin_trylock(HEAD_LOCK, &bucket->head))
		return false;
	__release(bitlock);
	return true;
}

/* Likewise. */
static void bucket_unlock_tried(struct bucket *bucket)
{
	__acquire(bitlock);
	bucket_unlock(bucket);
}

/*
 * Lock the buckets of two keys, which may be one. Any order would do for two
 * buckets of one array, and a resize says otherwise: so the second is tried, and
 * on failure the first given back.
 */
static void lock_both(const struct ft_table *table, struct place *a, u64 hash_a,
		      struct place *b, u64 hash_b)
	__acquires(bitlock)
{
	for (;; cpu_relax()) {
		a->bucket = lock_for(table, hash_a, &a->array);
		b->array = rcu_dereference(table->cur);
		for (;;) {
			b->bucket = &b->array->b[(u32)hash_b & b->array->mask];
			if (b->bucket == a->bucket)
				return;
			if (!bucket_trylock(b->bucket))
				break;
			if (likely(!bucket_moved(b->bucket)))
				return;
			bucket_unlock_tried(b->bucket);
			b->array = rcu_dereference(b->array->next);
		}
		bucket_unlock(a->bucket);
	}
}

static void unlock_both(const struct place *a, const struct place *b)
	__releases(bitlock)
{
	if (b->bucket != a->bucket)
		bucket_unlock_tried(b->bucket);
	bucket_unlock(a->bucket);
}

static void wake(struct ft_flow *flow)
{
	/* A stale reader may hold its lock for a moment. */
	ft_flow_lock(flow);
	ft_flow_unlock(flow, atomic_read(&flow->word) & ~FT_FLOW_DEAD);
}

/**
 * ft_table_insert() - enter a flow, and wake it
 * @table: the table
 * @flow: the flow, complete, but still dead; from ft_table_alloc()
 * @index: its index
 * @hash: ft_key_hash() of its key
 * @clash: set on -EEXIST: the live flow of its key that is in already
 *
 * FT_FLOW_DEAD is cleared here, once the flow is in: a stale reader that has
 * the object at hand from its former life, which may have been that of the same
 * key, must not get the chance to end a flow that is not in yet.
 *
 * A dead or expired flow of the same key does not clash: it can't come back,
 * see ft_flow_lock_key(), and lookups pass it by.
 *
 * Context: BH disabled, RCU read side; the flow's lock is not held.
 * Return: 0; -EEXIST; -ENOSPC, the bucket has FT_CHAIN_MAX lines, all taken;
 * -ENOMEM. On an error the flow is dead as before, and free to be given back.
 */
int ft_table_insert(struct ft_table *table, struct ft_flow *flow, u32 index,
		    u64 hash, struct ft_flow **clash)
{
	struct bucket *bucket, *last, *line = NULL;
	u16 tag = hash_tag(hash);
	unsigned int lines;
	struct array *array;
	struct ft_key key;
	u64 *free, slot;
	int err = 0;

	/* Ours alone until it wakes. */
	ft_flow_key(flow, &key);
	/* Before the bucket's lock is given back: a reader that finds the flow finds the bit. */
	ft_sieve_add(&table->sieve, &key);
	slot = slot_make(index, tag, slot_hint(flow));

again:
	bucket = lock_for(table, hash, &array);
	*clash = bucket_clash(table, bucket, &key, tag);
	if (*clash) {
		err = -EEXIST;
		goto out;
	}
	free = bucket_free_slot(bucket, &last, &lines);
	if (likely(free)) {
		slot_set(free, slot);
		goto wake;
	}
	if (lines >= FT_CHAIN_MAX) {
		err = -ENOSPC;
		goto out;
	}
	if (!line) {
		/* Rare, and nothing to do under a lock that others spin on. */
		bucket_unlock(bucket);
		line = line_alloc(GFP_ATOMIC | __GFP_NOWARN);
		if (!line)
			return -ENOMEM;
		goto again;
	}
	line_append(array, last, line, slot);
	line = NULL;
wake:
	filter_add(array, bucket, tag);
	/*
	 * Inside the bucket's lock: neither a resize nor an insert of the same
	 * key may meet it dead.
	 */
	wake(flow);
out:
	bucket_unlock(bucket);
	if (unlikely(line))
		kmem_cache_free(line_cache, line);
	return err;
}

/**
 * ft_table_insert_nat() - enter a translated flow, and wake it
 * @table: the table
 * @flow: the flow, complete, but still dead; from ft_table_alloc_nat()
 * @index: its index
 * @hash: ft_key_hash() of its first key
 * @second: ft_key_hash() of the other one
 * @clash: set on -EEXIST: the live flow of one of its keys that is in already
 *
 * As ft_table_insert(): with both keys, or with none.
 *
 * Context: BH disabled, RCU read side; the flow's lock is not held.
 * Return: as ft_table_insert().
 */
int ft_table_insert_nat(struct ft_table *table, struct ft_flow *flow, u32 index,
			u64 hash, u64 second, struct ft_flow **clash)
{
	struct bucket *line = NULL;
	struct place a, b;
	int err;

	ft_flow_key(flow, &a.key);
	ft_flow_answer_key(flow, &b.key);
	ft_sieve_add(&table->sieve, &a.key);
	ft_sieve_add(&table->sieve, &b.key);
	a.tag = hash_tag(hash);
	b.tag = hash_tag(second);
	a.slot = slot_make(index, a.tag, slot_hint(flow));
	b.slot = slot_make(index, b.tag, 0) | SLOT_SECOND;
again:
	lock_both(table, &a, hash, &b, second);
	*clash = bucket_clash(table, a.bucket, &a.key, a.tag) ?:
		 bucket_clash(table, b.bucket, &b.key, b.tag);
	if (*clash) {
		err = -EEXIST;
		goto out;
	}
	err = place_enter(&a, &line);
	if (err)
		goto out;
	err = place_enter(&b, &line);
	if (err)
		place_leave(&a);
	else
		wake(flow);
out:
	unlock_both(&a, &b);
	if (err == -EAGAIN) {
		line = line_alloc(GFP_ATOMIC | __GFP_NOWARN);
		if (line)
			goto again;
		err = -ENOMEM;
	}
	if (!err)
		atomic_inc(&table->seconds);
	if (unlikely(line))
		kmem_cache_free(line_cache, line);
	return err;
}

/* The slot of an index in a locked bucket; @second: SLOT_SECOND or 0. */
static u64 *bucket_slot_of(struct bucket *line, u32 index, u32 second)
{
	unsigned int i;

	for (; line; line = link_of(line->head)) {
		for (i = 0; i < FT_SLOTS; i++) {
			if ((u32)line->slot[i] == ((index + 1) | second))
				return &line->slot[i];
		}
	}
	return NULL;
}

#ifdef CONFIG_NF_FLOWTRACK_KUNIT
/**
 * ft_table_filters_stale() - filters that say more, or less, than is in
 * @table: the table, at rest
 *
 * Context: RCU read side.
 * Return: how many.
 */
u32 ft_table_filters_stale(const struct ft_table *table)
{
	const struct array *array = rcu_dereference(table->cur);
	u32 stale = 0;
	u32 b, was;

	for (b = 0; b <= array->mask; b++) {
		was = array->filter[b];
		filter_renew(array, &array->b[b]);
		stale += array->filter[b] != was;
	}
	return stale;
}
#endif

static bool remove_slot(struct ft_table *table, u32 index, u32 second, u64 hash)
{
	struct bucket *bucket;
	struct array *array;
	u64 *slot;

	bucket = lock_for(table, hash, &array);
	slot = bucket_slot_of(bucket, index, second);
	if (slot) {
		WRITE_ONCE(*slot, 0);
		filter_renew(array, bucket);
	}
	bucket_unlock(bucket);
	return slot;
}

/* The second key goes with the flow. */
static noinline_for_stack void remove_second(struct ft_table *table, u32 index)
{
	const struct ft_flow *flow = ft_table_at(table, index);
	struct ft_key key;

	if (WARN_ON_ONCE(!flow))
		return;
	ft_flow_answer_key(flow, &key);
	if (remove_slot(table, index, SLOT_SECOND, ft_key_hash(&key, &table->secret)))
		atomic_dec(&table->seconds);
}

/**
 * ft_table_remove() - take a flow out of the table
 * @table: the table
 * @index: its index; the flow is dead
 * @hash: ft_key_hash() of its key, the first one if it has two
 *
 * Context: BH disabled, RCU read side.
 * Return: false if it was not in.
 */
bool ft_table_remove(struct ft_table *table, u32 index, u64 hash)
{
	if (index & FT_INDEX_NAT)
		remove_second(table, index);
	return remove_slot(table, index, 0, hash);
}

/**
 * ft_table_hint() - bring a flow's slot up to date with its class and deadline
 * @table: the table
 * @index: its index
 * @hash: ft_key_hash() of its key, the first one if it has two
 *
 * Context: BH disabled, RCU read side.
 * Return: false if the flow is not in.
 */
bool ft_table_hint(struct ft_table *table, u32 index, u64 hash)
{
	struct ft_flow *flow = ft_table_at(table, index);
	struct bucket *bucket;
	struct array *array;
	u64 *slot;

	if (!flow)
		return false;
	bucket = lock_for(table, hash, &array);
	slot = bucket_slot_of(bucket, index, 0);
	if (slot)
		WRITE_ONCE(*slot, slot_make(index, slot_tag(*slot),
					    slot_hint(flow)));
	bucket_unlock(bucket);
	return slot;
}

/**
 * ft_table_sample() - what could be evicted near a hash
 * @table: the table
 * @hash: where to begin
 * @wanted: look for flows of this class or below
 * @out: filled from the slots alone
 * @n: room in @out
 *
 * Looks at the bucket of @hash and those after it, until 12 flows have been
 * found; then on, until there is one that is wanted or whose coarse deadline has
 * passed. At 128 lines at most. With no room left in @out, the one that ends the
 * search takes the last place.
 *
 * Context: RCU read side.
 * Return: how many were filled in.
 */
unsigned int ft_table_sample(const struct ft_table *table, u64 hash,
			     enum flowtrack_class wanted,
			     struct ft_candidate *out, unsigned int n)
{
	const struct array *array = rcu_dereference(table->cur);
	struct ft_candidate candidate = {};
	const struct bucket *line;
	unsigned int ahead = SAMPLE_AHEAD;
	unsigned int found = 0;
	unsigned int lines = 0;
	u32 now = coarse_now();
	u32 b = (u32)hash;
	bool any = false;
	unsigned int i;
	bool fits;
	u64 slot;

	while (lines < SAMPLE_LINES_MAX && lines <= array->mask &&
	       (!any || found < min(n, SAMPLE_ENOUGH))) {
		line = &array->b[b & array->mask];
		prefetch(&array->b[(b + 1) & array->mask]);
		prefetch(&array->b[(b + 2) & array->mask]);
		if (unlikely(bucket_moved(line))) {
			array = rcu_dereference(array->next);
			continue;
		}
		for (; line; line = line_next(line), lines++) {
			for (i = 0; i < FT_SLOTS; i++) {
				slot = READ_ONCE(line->slot[i]);
				if (!(u32)slot || slot_second(slot))
					continue;
				candidate.index = slot_index(slot);
				candidate.class = slot >> SLOT_CLASS_SHIFT;
				candidate.left = slot_left(slot, now);
				fits = candidate.class <= wanted ||
				       candidate.left <= 0;
				if (ahead &&
				    candidate.class <= FLOWTRACK_CLASS_EMBRYONIC) {
					prefetch(ft_table_at(table,
							     candidate.index));
					ahead--;
				}
				if (found < n)
					out[found++] = candidate;
				else if (fits && !any)
					out[n - 1] = candidate;
				any |= fits;
			}
		}
		b++;
	}
	return found;
}

/**
 * struct trash - overflow lines that readers may still be in
 * @rcu: for call_rcu()
 * @n: how many
 * @line: the lines
 */
struct trash {
	struct rcu_head rcu;
	unsigned int n;
	struct bucket *line[TRASH_LINES];
};

static void trash_free(struct rcu_head *rcu)
{
	struct trash *trash = container_of(rcu, struct trash, rcu);

	while (trash->n)
		kmem_cache_free(line_cache, trash->line[--trash->n]);
	kfree(trash);
}

/**
 * struct visit - a scan of buckets
 * @table: the table
 * @fn: called for flows
 * @arg: its argument
 * @expired: only flows that have expired; others get their hint renewed
 * @now: coarse_now(), for @expired
 * @budget: buckets that may still be looked at
 * @skip: slots of this bucket that were dealt with before
 * @seen: slots of this bucket passed so far
 * @trash: lines that fell empty
 * @census: for @expired: counts what the slots say; may be NULL
 */
struct visit {
	const struct ft_table *table;
	ft_walk_fn fn;
	void *arg;
	bool expired;
	u32 now;
	s64 budget;
	u32 skip;
	u32 seen;
	struct trash *trash;
	struct ft_census *census;
};

/* A slot whose hint has passed: has its flow, too? Else renew the hint. */
static bool visit_expired(struct ft_flow *flow, u64 *p, u64 slot)
{
	u64 renewed;

	if (ft_flow_left(flow, ft_now()) <= 0)
		return true;
	renewed = slot_make(slot_index(slot), slot_tag(slot), slot_hint(flow));
	/* Another CPU has changed the slot meanwhile, and what it wrote is newer. */
	if (renewed != slot)
		cmpxchg64(p, slot, renewed);
	return false;
}

static int visit_slot(struct visit *visit, u64 *p)
{
	struct ft_flow *flow;
	u64 slot = READ_ONCE(*p);

	if (!(u32)slot || slot_second(slot))
		return 0;
	if (visit->expired && slot_left(slot, visit->now) > 0)
		return 0;
	flow = ft_table_at(visit->table, slot_index(slot));
	if (!flow || atomic_read(&flow->word) & FT_FLOW_DEAD)
		return 0;
	if (visit->expired && !visit_expired(flow, p, slot))
		return 0;
	return visit->fn(flow, slot_index(slot), visit->arg);
}

static bool line_empty(const struct bucket *line)
{
	unsigned int i;

	for (i = 0; i < FT_SLOTS; i++) {
		if (READ_ONCE(line->slot[i]))
			return false;
	}
	return true;
}

/* Unlink the last line of a chain if it is empty. With the bucket's lock held. */
static struct bucket *chain_trim(struct array *array, struct bucket *bucket)
{
	struct bucket *last = bucket, *before = NULL, *next;

	while ((next = link_of(last->head))) {
		before = last;
		last = next;
	}
	if (!before || !line_empty(last))
		return NULL;
	/* Readers that are in it find it empty, and its link NULL. */
	WRITE_ONCE(before->head, before->head & ~HEAD_LINK);
	atomic_dec(&array->overflow);
	return last;
}

/* Take back the lines that fell empty at the end of a bucket's chain. */
static void bucket_trim(struct visit *visit, struct array *array,
			struct bucket *bucket)
{
	struct bucket *line, *last = bucket, *next;

	while ((next = line_next(last)))
		last = next;
	if (last == bucket || !line_empty(last))
		return;
	do {
		/* There is no memory for the list of lines to free: the next scan tries again. */
		if (!visit->trash)
			visit->trash = kzalloc(sizeof(*visit->trash),
					       GFP_ATOMIC | __GFP_NOWARN);
		if (!visit->trash)
			return;
		local_bh_disable();
		bucket_lock(bucket);
		line = bucket_moved(bucket) ? NULL : chain_trim(array, bucket);
		bucket_unlock(bucket);
		local_bh_enable();
		if (!line)
			return;
		visit->trash->line[visit->trash->n++] = line;
		if (visit->trash->n == TRASH_LINES) {
			call_rcu(&visit->trash->rcu, trash_free);
			visit->trash = NULL;
		}
	} while (true);
}

/* Bits of a count in line_due(): enough for FT_CHAIN_MAX lines. */
#define COUNT_BITS	16

static_assert(FT_CLASSES * COUNT_BITS <= 64);

/*
 * Has any hint in a line passed? And how many flows of each class are there?
 * No branch depends on what is in the slots.
 */
static bool line_due(const struct bucket *line, u32 now, u64 *counts)
{
	bool due = false;
	unsigned int i;
	bool taken;
	u64 slot;

	for (i = 0; i < FT_SLOTS; i++) {
		slot = READ_ONCE(line->slot[i]);
		taken = ((u32)slot != 0) & ((slot & SLOT_SECOND) == 0);
		due |= taken & (slot_left(slot, now) <= 0);
		*counts += (u64)taken << (slot >> SLOT_CLASS_SHIFT) * COUNT_BITS;
	}
	return due;
}

static void census_add(struct ft_census *census, u64 counts)
{
	unsigned int i;

	for (i = 0; i < FT_CLASSES; i++)
		census->n[i] += (u16)(counts >> i * COUNT_BITS);
}

static int visit_lines(struct visit *visit, struct bucket *line)
{
	u64 counts = 0;
	unsigned int i;
	int err;

	for (; line; line = line_next(line)) {
		/* Most lines of an expiry scan end here. */
		if (visit->expired &&
		    likely(!line_due(line, visit->now, &counts))) {
			visit->seen += FT_SLOTS;
			continue;
		}
		for (i = 0; i < FT_SLOTS; i++) {
			if (visit->seen < visit->skip) {
				visit->seen++;
				continue;
			}
			err = visit_slot(visit, &line->slot[i]);
			if (err)
				return err;
			visit->seen++;
		}
	}
	if (visit->census)
		census_add(visit->census, counts);
	return 0;
}

/*
 * Visit a bucket; where a resize has moved it, the buckets of the new array
 * that its flows can be in. When the table shrinks these hold flows of other
 * buckets, too, which are visited more than once; when it grows one bucket may
 * become many, which all count against the budget.
 */
static int visit_bucket(struct visit *visit, struct array *array, u32 b)
{
	struct array *next;
	u32 common, i;
	int err;

	/* What is ahead, and what overflows from what has come in since. */
	prefetch(&array->b[(b + VISIT_AHEAD) & array->mask]);
	prefetch(link_of(READ_ONCE(array->b[(b + VISIT_AHEAD / 4) &
					    array->mask].head)));
	if (likely(!bucket_moved(&array->b[b]))) {
		visit->budget--;
		err = visit_lines(visit, &array->b[b]);
		if (visit->expired && unlikely(line_next(&array->b[b])))
			bucket_trim(visit, array, &array->b[b]);
		return err;
	}
	/* Where it has gone to, slots are others than those that were passed. */
	visit->skip = 0;
	next = rcu_dereference(array->next);
	common = min(array->mask, next->mask);
	for (i = b & common; i <= next->mask; i += common + 1) {
		err = visit_bucket(visit, next, i);
		if (err)
			return err;
	}
	return 0;
}

/*
 * Where a walk goes on that stood in an array of another size, so that no flow is left out.
 * A bucket of a larger array has flows of one bucket of the smaller; one of a smaller array
 * those of several, up to as many buckets ahead as it is smaller. And while a resize is
 * under way (the generation is odd) what is behind a slot may be moved.
 */
static void cursor_follow(struct ft_cursor *cursor, const struct ft_table *table, u32 buckets)
{
	const u32 generation = READ_ONCE(table->generation);

	if (cursor->at != generation || generation & 1 || cursor->buckets != buckets)
		cursor->slot = 0;
	cursor->at = generation;
	if (cursor->buckets > buckets)
		cursor->bucket -= min(cursor->bucket, cursor->buckets - buckets);
	cursor->buckets = buckets;
}

static int walk_buckets(struct visit *visit, struct ft_cursor *cursor)
{
	struct array *array = rcu_dereference(visit->table->cur);
	int more = 0;

	cursor_follow(cursor, visit->table, array->mask + 1);
	while (cursor->bucket <= array->mask) {
		more = 1;
		if (visit->budget <= 0)
			break;
		visit->skip = cursor->slot;
		visit->seen = 0;
		if (visit_bucket(visit, array, cursor->bucket)) {
			cursor->slot = visit->seen;
			break;
		}
		cursor->slot = 0;
		cursor->bucket++;
		more = 0;
	}
	if (visit->trash)
		call_rcu(&visit->trash->rcu, trash_free);
	return more;
}

/**
 * ft_table_walk() - visit flows
 * @table: the table
 * @cursor: where the walk stands, zero to begin but for the generation
 * @buckets: how many buckets to look at, at most
 * @fn: called for each flow that has not ended, expired or not; nonzero stops
 *	the walk at that flow, and it will be the first one of the next call
 * @arg: argument of @fn
 *
 * A flow that is in the table from the first call to the last is visited, and
 * once only, as long as the generation does not change. After a resize some may
 * be visited once more.
 *
 * Context: RCU read side, which may be left between two calls.
 * Return: 0 at the end, else there is more.
 */
int ft_table_walk(const struct ft_table *table, struct ft_cursor *cursor,
		  u32 buckets, ft_walk_fn fn, void *arg)
{
	struct visit visit = {
		.table = table,
		.fn = fn,
		.arg = arg,
		.budget = buckets,
	};

	return walk_buckets(&visit, cursor);
}
EXPORT_SYMBOL_NS_GPL(ft_table_walk, FT_SYMBOL_NS);

/* Buckets between two chances for others to run. */
#define EACH_SLICE	256

/**
 * ft_table_for_each() - visit every flow of a table
 * @table: the table
 * @killable: a signal that would kill the task ends the walk
 * @fn: called for each flow that has not ended, expired or not, in an RCU read
 *	side of its own; returns 0
 * @arg: argument of @fn
 *
 * If the table is resized meanwhile @fn may see a flow twice. A flow that is entered while
 * this runs may be missed.
 *
 * Context: may sleep.
 * Return: 0, or -EINTR if it was ended.
 */
int ft_table_for_each(const struct ft_table *table, bool killable, ft_walk_fn fn,
		      void *arg)
{
	struct ft_cursor cursor = {};
	int more;

	do {
		rcu_read_lock();
		more = ft_table_walk(table, &cursor, EACH_SLICE, fn, arg);
		rcu_read_unlock();
		if (killable && fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	} while (more);
	return 0;
}
EXPORT_SYMBOL_NS_GPL(ft_table_for_each, FT_SYMBOL_NS);

/**
 * ft_table_expired() - visit flows whose deadline has passed
 * @table: the table
 * @cursor: as for ft_table_walk()
 * @buckets: how many buckets to look at, at most
 * @fn: called for each expired flow; may end it, and returns 0
 * @arg: argument of @fn
 * @census: adds up what the slots say, expired flows included; may be NULL.
 *	Flows that a resize moves meanwhile may be counted twice, or not at all
 *
 * Reads bucket lines in sequence and touches a flow only once the coarse
 * deadline in its slot has passed. On its way it takes back overflow lines that
 * fell empty.
 *
 * Context: RCU read side, which may be left between two calls.
 * Return: 0 at the end, else there is more.
 */
int ft_table_expired(const struct ft_table *table, struct ft_cursor *cursor,
		     u32 buckets, ft_walk_fn fn, void *arg,
		     struct ft_census *census)
{
	struct visit visit = {
		.table = table,
		.fn = fn,
		.arg = arg,
		.expired = true,
		.now = coarse_now(),
		.budget = buckets,
		.census = census,
	};

	return walk_buckets(&visit, cursor);
}

static int sieve_one(struct ft_flow *flow, u32 index, void *arg)
{
	struct ft_table *table = arg;
	struct ft_key key;

	/* If it has ended, and is another one now, that one was added by itself. */
	ft_flow_key(flow, &key);
	ft_sieve_add(&table->sieve, &key);
	if (index & FT_INDEX_NAT) {
		ft_flow_answer_key(flow, &key);
		ft_sieve_add(&table->sieve, &key);
	}
	return 0;
}

/**
 * ft_table_sieve() - which addresses may flows be between?
 * @table: the table
 *
 * Return: what ft_sieve_has() tells that of.
 */
const struct ft_sieve *ft_table_sieve(const struct ft_table *table)
{
	return &table->sieve;
}

/**
 * ft_table_sieve_renew() - let the sieve forget flows that have ended, if they are many
 * @table: the table
 * @count: how many flows it has
 *
 * Context: may sleep; one at a time.
 */
void ft_table_sieve_renew(struct ft_table *table, u32 count)
{
	if (!ft_sieve_stale(&table->sieve, count + ft_table_translated(table)))
		return;
	ft_sieve_begin(&table->sieve);
	ft_table_for_each(table, false, sieve_one, table);
	ft_sieve_end(&table->sieve);
}

static void array_destroy(struct array *array)
{
	struct bucket *line, *next;
	u32 b;

	for (b = 0; b <= array->mask && atomic_read(&array->overflow); b++) {
		for (line = link_of(array->b[b].head); line; line = next) {
			next = link_of(line->head);
			kmem_cache_free(line_cache, line);
			atomic_dec(&array->overflow);
		}
		if (b % SCAN_BATCH == 0)
			cond_resched();
	}
	kvfree(array->filter);
	kvfree(array->b);
	kfree(array);
}

/* Buckets as they are allocated: a power of two within the range. */
static u32 round_buckets(u32 buckets)
{
	return roundup_pow_of_two(clamp(buckets, FT_BUCKETS_MIN,
					(u32)FT_BUCKETS_MAX));
}

/**
 * ft_table_fits() - could the memory carry a table of that size?
 * @buckets: number of buckets
 * @need: set to the bytes it takes
 * @have: set to the bytes there are, an eighth being left to others
 *
 * Context: any.
 * Return: true if so.
 */
bool ft_table_fits(u32 buckets, u64 *need, u64 *have)
{
	s64 pages = si_mem_available();

	*need = (u64)round_buckets(buckets) *
		(sizeof(struct bucket) + sizeof(u32));
	pages = max_t(s64, pages, 0);
	*have = ((u64)pages << PAGE_SHIFT) / 8 * 7;
	return *need <= *have;
}

/*
 * Huge pages, for fewer TLB misses: those that the kernel maps its own memory by
 * or, beyond what the page allocator has in one piece, where the architecture
 * maps them in vmalloc().
 */
static void *array_memory(size_t bytes, gfp_t gfp)
{
	gfp |= __GFP_ZERO | __GFP_NOWARN | __GFP_RETRY_MAYFAIL;

	return bytes > KMALLOC_MAX_SIZE ? vmalloc_huge(bytes, gfp) :
					  kvmalloc(bytes, gfp);
}

static struct array *array_create(u32 buckets, gfp_t gfp)
{
	struct array *array;
	u64 need, have;

	/* This is checked before anything is allocated: other users of memory must not suffer. */
	if (ft_should_fail(FT_FAULT_ARRAY) || !ft_table_fits(buckets, &need, &have))
		return NULL;
	array = kzalloc(sizeof(*array), gfp);
	if (!array)
		return NULL;
	array->b = array_memory(buckets * sizeof(*array->b), gfp);
	if (!array->b)
		goto err_array;
	array->filter = array_memory(buckets * sizeof(*array->filter), gfp);
	if (!array->filter)
		goto err_buckets;
	array->mask = buckets - 1;
	return array;

err_buckets:
	kvfree(array->b);
err_array:
	kfree(array);
	return NULL;
}

static void arenas_destroy(struct ft_table *table)
{
	unsigned int i;

	for (i = 0; i < ARENAS && table->arenas[i]; i++)
		ft_arena_destroy(table->arenas[i]);
}

static bool arenas_create(struct ft_table *table)
{
	const u32 nat = FT_INDEX_NAT >> KIND_SHIFT, v6 = FT_INDEX_V6 >> KIND_SHIFT;
	unsigned int i;

	for (i = 0; i < ARENAS; i++) {
		table->arenas[i] = ft_arena_create(i & v6 ? FT_FLOW6_BYTES : FT_FLOW4_BYTES,
						   !(i & nat) ? 0 :
						   i & v6 ? FT_NAT6_BYTES : FT_NAT4_BYTES);
		if (!table->arenas[i])
			goto err;
	}
	return true;

err:
	arenas_destroy(table);
	return false;
}

/**
 * ft_table_create() - make a table
 * @buckets: number of buckets, rounded up to a power of two
 *
 * Context: may sleep.
 * Return: the table, or ERR_PTR(-ENOMEM).
 */
struct ft_table *ft_table_create(u32 buckets)
{
	struct ft_table *table;
	struct array *array;

	table = kzalloc(sizeof(*table), GFP_KERNEL_ACCOUNT);
	if (!table)
		return ERR_PTR(-ENOMEM);
	array = array_create(round_buckets(buckets), GFP_KERNEL_ACCOUNT);
	if (!array)
		goto err_table;
	if (!arenas_create(table))
		goto err_array;
	if (ft_sieve_init(&table->sieve))
		goto err_arenas;
	RCU_INIT_POINTER(table->cur, array);
	get_random_bytes(&table->secret, sizeof(table->secret));
	mutex_init(&table->resize_lock);
	return table;

err_arenas:
	arenas_destroy(table);
err_array:
	array_destroy(array);
err_table:
	kfree(table);
	return ERR_PTR(-ENOMEM);
}

/**
 * ft_table_charge() - charge the memory for flows and buckets to somebody
 * @table: table without flows
 * @memcg: control group that outlives it; NULL: nobody
 */
void ft_table_charge(struct ft_table *table, struct mem_cgroup *memcg)
{
	unsigned int i;

	table->memcg = memcg;
	for (i = 0; i < ARENAS; i++)
		ft_arena_charge(table->arenas[i], memcg);
}

/**
 * ft_table_destroy() - free a table
 * @table: the table; all flows have ended and nobody else knows it any more
 *
 * Context: may sleep.
 */
void ft_table_destroy(struct ft_table *table)
{
	array_destroy(rcu_dereference_protected(table->cur, true));
	arenas_destroy(table);
	ft_sieve_exit(&table->sieve);
	kfree(table);
}

/**
 * ft_table_secret() - key of a table's hash
 * @table: the table
 *
 * Return: the key for ft_key_hash().
 */
const siphash_key_t *ft_table_secret(const struct ft_table *table)
{
	return &table->secret;
}
EXPORT_SYMBOL_NS_GPL(ft_table_secret, FT_SYMBOL_NS);

/**
 * ft_table_translated() - how many flows have two keys?
 * @table: the table
 *
 * Context: any.
 * Return: the number.
 */
u32 ft_table_translated(const struct ft_table *table)
{
	return atomic_read(&table->seconds);
}

/**
 * ft_table_buckets() - number of buckets
 * @table: the table
 *
 * Context: any.
 * Return: the number; while a resize runs still the old one.
 */
u32 ft_table_buckets(const struct ft_table *table)
{
	u32 buckets;

	rcu_read_lock();
	buckets = rcu_dereference(table->cur)->mask + 1;
	rcu_read_unlock();
	return buckets;
}

/**
 * ft_table_generation() - has a resize happened?
 * @table: the table
 *
 * Return: a number that changes when a resize begins and when it ends.
 */
u32 ft_table_generation(const struct ft_table *table)
{
	return READ_ONCE(table->generation);
}
EXPORT_SYMBOL_NS_GPL(ft_table_generation, FT_SYMBOL_NS);

/**
 * ft_table_wanted() - number of buckets for a number of flows
 * @table: the table
 * @count: flows
 *
 * Steps are large and thresholds apart, so that a count that swings does not
 * make the table follow each swing.
 *
 * Context: any; cheap.
 * Return: what the table has, unless that is far from what fits.
 */
u32 ft_table_wanted(const struct ft_table *table, u32 count)
{
	u32 buckets = ft_table_buckets(table);

	count += atomic_read(&table->seconds);
	if (count > (u64)buckets * LOAD_GROW)
		return round_buckets(count / 4);
	if (count < buckets >> LOAD_SHRINK_SHIFT)
		return round_buckets(count / 2);
	return buckets;
}

/**
 * struct spare - overflow lines at hand for a move under a lock
 * @line: chained through bucket.head
 * @n: how many
 */
struct spare {
	struct bucket *line;
	unsigned int n;
};

static void spare_fill(struct spare *spare, unsigned int n)
{
	struct bucket *line;

	while (spare->n < n) {
		/* An allocation of 64 bytes: not worth a way out of a half-done resize. */
		line = kmem_cache_alloc(line_cache, GFP_KERNEL | __GFP_NOFAIL);
		line->head = (unsigned long)spare->line;
		spare->line = line;
		spare->n++;
	}
}

static struct bucket *spare_take(struct spare *spare)
{
	struct bucket *line = spare->line;

	spare->line = (struct bucket *)line->head;
	spare->n--;
	return line;
}

static void spare_free(struct spare *spare)
{
	while (spare->n)
		kmem_cache_free(line_cache, spare_take(spare));
}

/* The key that a slot is for. Context: as ft_flow_key(). */
static void slot_key(const struct ft_flow *flow, u64 slot, struct ft_key *key)
{
	if (slot_second(slot))
		ft_flow_answer_key(flow, key);
	else
		ft_flow_key(flow, key);
}

/* Move one slot into the new array. With the old bucket's lock held. */
static void slot_move(struct ft_table *table, struct array *next, u64 slot,
		      struct spare *spare)
{
	struct bucket *bucket, *last;
	struct ft_flow *flow;
	unsigned int lines;
	struct ft_key key;
	bool alive;
	u64 *free;
	u64 hash;

	flow = ft_table_at(table, slot_index(slot));
	if (WARN_ON_ONCE(!flow))
		return;
	ft_flow_lock(flow);
	alive = !(atomic_read(&flow->word) & FT_FLOW_DEAD);
	if (alive)
		slot_key(flow, slot, &key);
	ft_flow_unlock(flow, atomic_read(&flow->word));
	/* The CPU that killed it will look in the new array, find nothing, and count nothing. */
	if (!alive) {
		if (slot_second(slot))
			atomic_dec(&table->seconds);
		return;
	}

	hash = ft_key_hash(&key, &table->secret);
	bucket = &next->b[(u32)hash & next->mask];
	bucket_lock(bucket);
	free = bucket_free_slot(bucket, &last, &lines);
	if (free)
		slot_set(free, slot);
	else
		line_append(next, last, spare_take(spare), slot);
	filter_add(next, bucket, slot_tag(slot));
	bucket_unlock(bucket);
}

static unsigned int bucket_lines(const struct bucket *line)
{
	unsigned int lines = 0;

	rcu_read_lock();
	for (; line; line = line_next(line))
		lines++;
	rcu_read_unlock();
	return lines;
}

/* Move one bucket into the new array; its slots stay for readers. */
static void bucket_move(struct ft_table *table, const struct array *old,
			struct array *next, struct bucket *bucket,
			struct spare *spare)
{
	struct bucket *line;
	unsigned int i;
	u64 slot;

	/*
	 * Where several buckets meet, a bucket's slots may need as many lines
	 * as they had. Inserts can append lines up to FT_CHAIN_MAX meanwhile.
	 */
	spare_fill(spare, max(bucket_lines(bucket), FT_CHAIN_MAX) + 1);

	rcu_read_lock();
	local_bh_disable();
	bucket_lock(bucket);
	for (line = bucket; line; line = link_of(line->head)) {
		for (i = 0; i < FT_SLOTS; i++) {
			/* A scan may renew the hint at any time. */
			slot = READ_ONCE(line->slot[i]);
			if (slot)
				slot_move(table, next, slot, spare);
		}
	}
	/*
	 * Pairs with smp_rmb() in ft_table_lookup(), the acquire in
	 * bucket_moved(), and that of the lock in lock_for(): a CPU that sees
	 * the bit sees array.next and the slots in there.
	 */
	smp_store_release(&bucket->head, bucket->head | HEAD_MOVED);
	WRITE_ONCE(*filter_of(old, bucket), FILTER_MOVED);
	bucket_unlock(bucket);
	local_bh_enable();
	rcu_read_unlock();
}

/* Bring in the flows of a line that is to be moved. */
static void fetch_flows(const struct ft_table *table,
			const struct bucket *line)
{
	struct ft_flow *flow;
	unsigned int i;
	u64 slot;

	for (i = 0; i < FT_SLOTS; i++) {
		slot = READ_ONCE(line->slot[i]);
		if (!(u32)slot)
			continue;
		flow = ft_table_at(table, slot_index(slot));
		prefetchw(flow);
		if (flow && slot_index(slot) & FT_INDEX_V6)
			prefetch(ft_flow_addr6(flow));
	}
}

/* And the buckets that they will be moved to. */
static void fetch_targets(const struct ft_table *table,
			  const struct array *next, const struct bucket *line)
{
	const struct ft_flow *flow;
	struct ft_key key;
	unsigned int i;
	u32 word, to;
	u64 slot;

	for (i = 0; i < FT_SLOTS; i++) {
		slot = READ_ONCE(line->slot[i]);
		/* Few flows have two keys. */
		if (!(u32)slot || slot_second(slot))
			continue;
		flow = ft_table_at(table, slot_index(slot));
		if (!flow || !ft_flow_peek(flow, &key, &word))
			continue;
		to = (u32)ft_key_hash(&key, &table->secret) & next->mask;
		prefetchw(&next->b[to]);
		prefetchw(&next->filter[to]);
	}
}

/*
 * What moving a bucket will need, so that it stays locked for as short as can
 * be: packets spin on it meanwhile. Few buckets have more than one line; where
 * one does, there may be 448 flows, too many to be fetched ahead of others.
 * Nothing is said by this: what is moved is looked at under the lock.
 */
static void move_ahead(const struct ft_table *table, const struct array *old,
		       const struct array *next, u32 b)
{
	const struct bucket *line;

	rcu_read_lock();
	if (b + MOVE_AHEAD_FLOWS <= old->mask)
		fetch_flows(table, &old->b[b + MOVE_AHEAD_FLOWS]);
	if (b + MOVE_AHEAD <= old->mask)
		fetch_targets(table, next, &old->b[b + MOVE_AHEAD]);
	for (line = line_next(&old->b[b]); line; line = line_next(line))
		fetch_flows(table, line);
	for (line = line_next(&old->b[b]); line; line = line_next(line))
		fetch_targets(table, next, line);
	rcu_read_unlock();
}

/* Slots taken: how many flows a smaller array would have to hold. */
static u64 array_used(const struct array *array)
{
	const struct bucket *line;
	unsigned int i;
	u64 used = 0;
	u32 b;

	for (b = 0; b <= array->mask; b++) {
		rcu_read_lock();
		for (line = &array->b[b]; line; line = line_next(line)) {
			for (i = 0; i < FT_SLOTS; i++)
				used += !!READ_ONCE(line->slot[i]);
		}
		rcu_read_unlock();
		if (b % SCAN_BATCH == 0)
			cond_resched();
	}
	return used;
}

/**
 * ft_table_resize() - change the number of buckets
 * @table: the table
 * @buckets: number wanted, rounded up to a power of two
 *
 * Live: packets go on, each bucket being locked for the moment that its flows
 * are moved, and no lookup misses a flow because of it.
 *
 * Context: may sleep, for as long as it takes to touch every flow.
 * Return: 0, or with nothing changed: -ENOMEM; -ENOSPC, the flows that are in
 * would make chains of more than an eighth of FT_CHAIN_MAX lines on average.
 */
int ft_table_resize(struct ft_table *table, u32 buckets)
{
	struct array *old, *next;
	struct mem_cgroup *outer;
	struct spare spare = {};
	int err = 0;
	u32 b;

	buckets = round_buckets(buckets);
	mutex_lock(&table->resize_lock);
	old = rcu_dereference_protected(table->cur,
					lockdep_is_held(&table->resize_lock));
	if (buckets == old->mask + 1)
		goto out;
	if (buckets <= old->mask &&
	    array_used(old) > (u64)buckets * RESIZE_FILL_MAX) {
		err = -ENOSPC;
		goto out;
	}
	outer = ft_tenant_charge(table->memcg);
	next = array_create(buckets, ft_tenant_gfp(table->memcg, GFP_KERNEL));
	ft_tenant_uncharge(table->memcg, outer);
	if (!next) {
		err = -ENOMEM;
		goto out;
	}

	WRITE_ONCE(table->generation, table->generation + 1);
	rcu_assign_pointer(old->next, next);
	for (b = 0; b <= old->mask; b++) {
		move_ahead(table, old, next, b);
		bucket_move(table, old, next, &old->b[b], &spare);
		cond_resched();
	}
	rcu_assign_pointer(table->cur, next);
	WRITE_ONCE(table->generation, table->generation + 1);
	/* Readers may be in the old array, and wander from it into the new. */
	synchronize_rcu();
	array_destroy(old);
	spare_free(&spare);
out:
	mutex_unlock(&table->resize_lock);
	return err;
}

/**
 * ft_table_bytes() - memory that a table holds, flows included
 * @table: the table
 *
 * Context: any.
 * Return: bytes.
 */
size_t ft_table_bytes(const struct ft_table *table)
{
	const struct array *array;
	unsigned int i;
	size_t bytes;

	rcu_read_lock();
	array = rcu_dereference(table->cur);
	bytes = sizeof(*table) + sizeof(*array) +
		((size_t)array->mask + 1 + atomic_read(&array->overflow)) *
		sizeof(struct bucket) +
		((size_t)array->mask + 1) * sizeof(*array->filter);
	rcu_read_unlock();
	for (i = 0; i < ARENAS; i++)
		bytes += ft_arena_bytes(table->arenas[i]);
	return bytes;
}
