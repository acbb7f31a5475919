/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Shadows: what flowtrack remembers of a flow that nf_conntrack tracks.
 *
 * A shadow says which flow it is, how much that is worth, and how long it lasts
 * unless a packet comes. It names the flow by its tuple and holds no reference:
 * code that wants the real entry looks it up, and forgets the shadow of one
 * that is gone.
 *
 * A resizable hash table of its own and not a walk over nf_conntrack's: that
 * one is shared by all namespaces and keeps its size, so that a sample of it
 * may hold nothing of ours. This one follows the number of shadows: a few
 * buckets anywhere are a sample.
 */
#ifndef _FT_FLOW_SHADOW_H
#define _FT_FLOW_SHADOW_H

#include <linux/bits.h>
#include <linux/jiffies.h>
#include <linux/minmax.h>
#include <linux/netfilter.h>
#include <linux/rhashtable.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/nf_flowtrack.h>

struct ft_key;
struct mem_cgroup;
struct nf_conntrack_tuple;
struct nf_conntrack_zone;

/* Bits of ft_shadow.word. */
#define FT_SHADOW_CLASS		GENMASK(1, 0)	/* enum flowtrack_class */
#define FT_SHADOW_LAST_DUE		BIT(2)		/* its last packet is due */
#define FT_SHADOW_SOURCE	GENMASK(4, 3)	/* how its source counts it */
#define FT_SHADOW_SEEN		GENMASK(31, 5)	/* jiffies32 of a packet */

/* A packet that comes sooner after the last one dirties no cache line. */
#define FT_SHADOW_STEP		HZ

/* Bits of ft_shadow_key.bits. */
#define FT_SHADOW_ZONE_DIR	GENMASK(1, 0)	/* nf_conntrack_zone.dir */
#define FT_SHADOW_V6		BIT(2)

/**
 * struct ft_shadow_key - identity of a flow in nf_conntrack
 * @addr: source and destination as the initiator sends
 * @port: what the tuple has as source and as destination: ports; ICMP: id, and
 *	type and code; GRE: keys
 * @zone: conntrack zone
 * @l4proto: IPPROTO_*
 * @bits: FT_SHADOW_ZONE_DIR, FT_SHADOW_V6
 *
 * Without padding: keys are hashed and compared as memory.
 */
struct ft_shadow_key {
	union nf_inet_addr addr[2];
	__be16 port[2];
	u16 zone;
	u8 l4proto;
	u8 bits;
};

/**
 * struct ft_shadow - a shadow
 * @node: in ft_shadows.hash
 * @key: the flow
 * @deadline: jiffies32 when nf_conntrack would end it; a hint
 * @word: class, FT_SHADOW_LAST_DUE, and when a packet came, no more than
 *	FT_SHADOW_STEP before the last one; hints. FT_SHADOW_SOURCE is none: it
 *	changes under ft_shadows.removal only; the caller that drops the shadow
 *	gets it
 *
 * Type-stable: within an RCU read-side section a shadow that was found may
 * become that of another flow. The key is copied and the real entry looked up
 * before anything is done to a flow; a hint in the wrong shadow is put right by
 * the next packet or look.
 */
struct ft_shadow {
	struct rhash_head node;
	struct ft_shadow_key key;
	u32 deadline;
	u32 word;
};

/* With the allocator's link, which may not overlay it: a cache line. */
static_assert(sizeof(struct ft_shadow) + sizeof(void *) <= 64);
static_assert(sizeof(struct ft_shadow_key) == 40);

/**
 * struct ft_shadows - the shadows of one namespace
 * @hash: by key
 * @memcg: charged for the memory of shadows; NULL: nobody
 * @removal: protects the way out: a shadow that was found under it is not
 *	removed by anyone else before it is released
 */
struct ft_shadows {
	struct rhashtable hash;
	struct mem_cgroup *memcg;
	spinlock_t removal; /* protects removals from hash */
};

/**
 * struct ft_shadow_cursor - where a walk stands
 * @table: the bucket table that it is in; compared, never followed
 * @last: the shadow of @bucket that was visited last: those of a bucket are
 *	visited by address; compared, never followed
 * @bucket: next bucket
 *
 * Zero, or from ft_shadow_begin(), to begin with.
 */
struct ft_shadow_cursor {
	const void *table;
	const void *last;
	u32 bucket;
};

typedef int (*ft_shadow_fn)(struct ft_shadow *shadow, void *arg);

int ft_shadow_cache_init(void);
void ft_shadow_cache_exit(void);
int ft_shadows_init(struct ft_shadows *shadows, struct mem_cgroup *memcg);
void ft_shadows_exit(struct ft_shadows *shadows);

void ft_shadow_key_set(struct ft_shadow_key *key,
		       const struct nf_conntrack_tuple *tuple,
		       const struct nf_conntrack_zone *zone);
void ft_shadow_key_tuple(const struct ft_shadow_key *key,
			 struct nf_conntrack_tuple *tuple,
			 struct nf_conntrack_zone *zone);
u32 ft_shadow_flow_key(const struct ft_shadow_key *key, struct ft_key *flow);

struct ft_shadow *ft_shadow_find(struct ft_shadows *shadows,
				 const struct ft_shadow_key *key);
int ft_shadow_add(struct ft_shadows *shadows, const struct ft_shadow_key *key,
		  u32 bits, u32 deadline, u32 now);
bool ft_shadow_packet(struct ft_shadow *shadow, u32 bits, u32 deadline,
		      u32 now);
void ft_shadow_update(struct ft_shadow *shadow, u32 bits, u32 deadline,
		      u32 now);
bool ft_shadow_drop(struct ft_shadows *shadows,
		    const struct ft_shadow_key *key, u32 *word);
bool ft_shadow_set_source(struct ft_shadows *shadows,
			  const struct ft_shadow_key *key, u32 source);
unsigned int ft_shadow_sample(struct ft_shadows *shadows, u32 random,
			      struct ft_shadow **out, unsigned int n);
u32 ft_shadow_begin(struct ft_shadows *shadows,
		    struct ft_shadow_cursor *cursor, u32 random);
int ft_shadow_walk(struct ft_shadows *shadows, struct ft_shadow_cursor *cursor,
		   u32 buckets, ft_shadow_fn fn, void *arg);
int ft_shadow_for_each(struct ft_shadows *shadows, bool killable, bool once, ft_shadow_fn fn,
		       void *arg);

/**
 * ft_shadow_count() - how many shadows there are
 * @shadows: of the namespace
 *
 * Context: any.
 * Return: the number.
 */
static inline u32 ft_shadow_count(const struct ft_shadows *shadows)
{
	return atomic_read(&shadows->hash.nelems);
}

/**
 * ft_shadow_left() - time until nf_conntrack would end the flow
 * @shadow: the shadow
 * @now: jiffies32
 *
 * Return: jiffies; zero or negative: due.
 */
static inline s32 ft_shadow_left(const struct ft_shadow *shadow, u32 now)
{
	return (s32)(READ_ONCE(shadow->deadline) - now);
}

/**
 * ft_shadow_class() - what the flow is worth
 * @word: ft_shadow.word
 *
 * Return: the class.
 */
static inline enum flowtrack_class ft_shadow_class(u32 word)
{
	return word & FT_SHADOW_CLASS;
}

/**
 * ft_shadow_idle() - time without a packet
 * @word: ft_shadow.word
 * @now: jiffies32
 *
 * A flood turns a table over within a second or two, and its victims have their
 * SYN-ACKs sent again after one: a handshake that is on its way is told from
 * them by tenths of a second. So what is not known counts against a flow that
 * nobody answered, where it counts in favour of others.
 *
 * Return: jiffies, at least; up to FT_SHADOW_STEP too few. EMBRYONIC: at most; up
 * to FT_SHADOW_STEP too many.
 */
static inline u32 ft_shadow_idle(u32 word, u32 now)
{
	s32 since = now - (word & FT_SHADOW_SEEN);

	if (ft_shadow_class(word) != FLOWTRACK_CLASS_EMBRYONIC)
		since -= FT_SHADOW_STEP + ~(u32)FT_SHADOW_SEEN;
	return max(since, 0);
}

#endif /* _FT_FLOW_SHADOW_H */
