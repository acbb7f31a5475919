/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The flow table: a hash of 64-byte buckets, each one cache line.
 *
 *	word 0		header: lock bit, moved bit, link to an overflow line
 *	word 1 to 7	slots: index of the flow, 16-bit tag, class, coarse deadline
 *
 * A slot is a hint, the flow is the authority: readers find candidates by tag
 * without leaving the line, then check the flow's own key and deadline. So a
 * stale slot costs a look and never a wrong answer.
 *
 * Beside each bucket there is a word that says which tags may be in it, so that
 * most keys that are not in cost no look at their bucket.
 *
 * Lookups are lockless under RCU. Insert and remove lock one bucket. A resize
 * moves bucket after bucket into a new array while readers go on: a reader
 * that finds nothing in a bucket and then sees it marked as moved looks in the
 * new array, and the old bucket keeps its slots until no reader can see it.
 *
 * A translated flow has two keys, and for each of them a slot, in whichever
 * buckets these belong into. The slot of the second key says so, and no more than
 * where the flow is: scans pass it by, so that they see each flow once.
 *
 * The table does not know what a flow means, and does not count flows.
 */
#ifndef _FT_FLOW_TABLE_H
#define _FT_FLOW_TABLE_H

#include <linux/nf_flowtrack.h>
#include <linux/types.h>

#include "flow/flow.h"

#define FT_SLOTS		7		/* slots in a bucket line */
#define FT_CHAIN_MAX		64u		/* lines in a bucket, overflow included */
#define FT_HINT_MAX_SECONDS	4095		/* the slot's coarse deadline: 13 bits, signed */

struct ft_sieve;
struct ft_table;
struct mem_cgroup;

/* What was found out about a candidate by a look at its flow. */
#define FT_CANDIDATE_KNOWN	BIT(0)	/* it was looked at: idle, left are its own */
#define FT_CANDIDATE_GONE	BIT(1)	/* there is no such flow any more */
#define FT_CANDIDATE_LAST_DUE	BIT(2)	/* closing, and its last packet is due */
#define FT_CANDIDATE_HEAVY	BIT(3)	/* of a source that holds too much */

/**
 * struct ft_candidate - a flow that could be evicted
 * @index: the flow's index, family bit included
 * @idle: jiffies without a packet; 0 unless FT_CANDIDATE_KNOWN
 * @left: seconds until the coarse deadline, negative when it has passed
 * @class: enum flowtrack_class
 * @flags: FT_CANDIDATE_*
 *
 * A slot tells index, class and left without its flow being touched; the rest
 * takes a look at the flow.
 */
struct ft_candidate {
	u32 index;
	u32 idle;
	s16 left;
	u8 class;
	u8 flags;
};

/* Classes of flows, see enum flowtrack_class. */
#define FT_CLASSES	(FLOWTRACK_CLASS_ASSURED + 1)

/**
 * struct ft_census - flows by class
 * @n: how many slots say so, by enum flowtrack_class
 */
struct ft_census {
	u32 n[FT_CLASSES];
};

/**
 * struct ft_cursor - where a walk stands
 * @bucket: next bucket to look at
 * @slot: position in it, counted over its overflow lines
 * @buckets: of the array that @bucket is in; 0: of any
 * @at: generation when @slot was noted
 * @generation: of the bucket array when the walk began; it differs from
 *	ft_table_generation() once a resize has happened in between
 */
struct ft_cursor {
	u32 bucket;
	u32 slot;
	u32 buckets;
	u32 at;
	u32 generation;
};

int ft_table_cache_init(void);
void ft_table_cache_exit(void);

struct ft_table *ft_table_create(u32 buckets);
void ft_table_charge(struct ft_table *table, struct mem_cgroup *memcg);
void ft_table_destroy(struct ft_table *table);
const siphash_key_t *ft_table_secret(const struct ft_table *table);

void ft_table_prefetch(const struct ft_table *table, u64 hash);
u64 ft_table_prepare(const struct ft_table *table, const struct ft_key *key);
u32 ft_table_fetch(const struct ft_table *table, const struct ft_key *key, u64 hash);
bool ft_table_may_have(const struct ft_table *table, u64 hash);
struct ft_flow *ft_table_lookup(const struct ft_table *table,
				const struct ft_key *key, u64 hash, u32 *index);
struct ft_flow *ft_table_guess(const struct ft_table *table,
			       const struct ft_key *key, u64 hash, u32 *index);
struct ft_flow *ft_table_at(const struct ft_table *table, u32 index);

struct ft_flow *ft_table_alloc(struct ft_table *table, u8 family, u32 *index);
struct ft_flow *ft_table_alloc_nat(struct ft_table *table, u8 family, u32 *index);
void ft_table_free(struct ft_table *table, struct ft_flow *flow, u32 index);
int ft_table_insert(struct ft_table *table, struct ft_flow *flow, u32 index,
		    u64 hash, struct ft_flow **clash);
int ft_table_insert_nat(struct ft_table *table, struct ft_flow *flow, u32 index,
			u64 hash, u64 second, struct ft_flow **clash);
bool ft_table_remove(struct ft_table *table, u32 index, u64 hash);
bool ft_table_hint(struct ft_table *table, u32 index, u64 hash);

unsigned int ft_table_sample(const struct ft_table *table, u64 hash,
			     enum flowtrack_class wanted,
			     struct ft_candidate *out, unsigned int n);

typedef int (*ft_walk_fn)(struct ft_flow *flow, u32 index, void *arg);
int ft_table_walk(const struct ft_table *table, struct ft_cursor *cursor,
		  u32 buckets, ft_walk_fn fn, void *arg);
int ft_table_for_each(const struct ft_table *table, bool killable, ft_walk_fn fn,
		      void *arg);
int ft_table_expired(const struct ft_table *table, struct ft_cursor *cursor,
		     u32 buckets, ft_walk_fn fn, void *arg,
		     struct ft_census *census);

const struct ft_sieve *ft_table_sieve(const struct ft_table *table);
void ft_table_sieve_renew(struct ft_table *table, u32 count);

u32 ft_table_translated(const struct ft_table *table);
u32 ft_table_buckets(const struct ft_table *table);
u32 ft_table_generation(const struct ft_table *table);
bool ft_table_fits(u32 buckets, u64 *need, u64 *have);
int ft_table_resize(struct ft_table *table, u32 buckets);
u32 ft_table_wanted(const struct ft_table *table, u32 count);
size_t ft_table_bytes(const struct ft_table *table);
#ifdef CONFIG_NF_FLOWTRACK_KUNIT
u32 ft_table_filters_stale(const struct ft_table *table);
#endif

#endif /* _FT_FLOW_TABLE_H */
