// SPDX-License-Identifier: GPL-2.0
#include <linux/once.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/siphash.h>
#include <linux/slab.h>
#include <net/netfilter/nf_conntrack_tuple.h>
#include <net/netfilter/nf_conntrack_zones.h>

#include "base/fault_inject.h"
#include "base/siphash13.h"
#include "base/tenant.h"
#include "flow/flow.h"
#include "flow/shadow.h"
#include "flow/tuple.h"

/* Buckets looked at for each shadow of a sample: the table is 30 % full. */
#define SAMPLE_BUCKETS	4
/* Buckets between two chances for others to run. */
#define EACH_SLICE	256

static struct kmem_cache *cache;

static u64 pair_word(__be32 a, __be32 b)
{
	return (u64)(__force u32)a << 32 | (__force u32)b;
}

/* Peers choose addresses and ports: what they can't know must be in the hash. */
static u32 hash_key(const void *data, u32 len, u32 seed)
{
	static siphash_key_t secret __read_mostly;
	const struct ft_shadow_key *key = data;
	struct ft_siphash13 hash;
	unsigned int i;

	get_random_once(&secret, sizeof(secret));
	/* Not into the result: a chain would stay one whatever the seed. */
	ft_siphash13_begin(&hash, &(siphash_key_t){
				.key = { secret.key[0] ^ seed, secret.key[1] } });
	ft_siphash13_word(&hash, (u64)(__force u16)key->port[0] << 48 |
				 (u64)(__force u16)key->port[1] << 32 |
				 (u32)key->zone << 16 | key->l4proto << 8 | key->bits);
	if (!(key->bits & FT_SHADOW_V6)) {
		ft_siphash13_word(&hash, pair_word(key->addr[0].ip, key->addr[1].ip));
		return ft_siphash13_end(&hash, 0, 2 * sizeof(u64));
	}
	for (i = 0; i < 2; i++) {
		ft_siphash13_word(&hash, pair_word(key->addr[i].ip6[0], key->addr[i].ip6[1]));
		ft_siphash13_word(&hash, pair_word(key->addr[i].ip6[2], key->addr[i].ip6[3]));
	}
	return ft_siphash13_end(&hash, 0, 5 * sizeof(u64));
}

/* Not memcmp(): a call, of some machines byte by byte. */
static int compare_key(struct rhashtable_compare_arg *arg, const void *obj)
{
	const u32 *a = arg->key, *b = (const void *)&((const struct ft_shadow *)obj)->key;
	u32 differ = 0;
	unsigned int i;

	static_assert(sizeof(struct ft_shadow_key) % sizeof(*a) == 0);
	for (i = 0; i < sizeof(struct ft_shadow_key) / sizeof(*a); i++)
		differ |= a[i] ^ b[i];
	return differ != 0;
}

static const struct rhashtable_params params = {
	.key_len = sizeof(struct ft_shadow_key),
	.key_offset = offsetof(struct ft_shadow, key),
	.head_offset = offsetof(struct ft_shadow, node),
	.hashfn = hash_key,
	.obj_cmpfn = compare_key,
	.automatic_shrinking = true,
};

/**
 * ft_shadow_cache_init() - make the memory that shadows come from
 *
 * Return: 0 or -ENOMEM.
 */
int ft_shadow_cache_init(void)
{
	cache = kmem_cache_create("nf_flowtrack_shadow",
				  sizeof(struct ft_shadow), 0,
				  SLAB_TYPESAFE_BY_RCU, NULL);
	return cache ? 0 : -ENOMEM;
}

/**
 * ft_shadow_cache_exit() - give it back
 *
 * Context: may sleep; no namespace has shadows any more.
 */
void ft_shadow_cache_exit(void)
{
	kmem_cache_destroy(cache);
}

/**
 * ft_shadows_init() - prepare a namespace for shadows
 * @shadows: filled
 * @memcg: control group to be charged, that outlives it; NULL: nobody
 *
 * Return: 0 or -ENOMEM.
 */
int ft_shadows_init(struct ft_shadows *shadows, struct mem_cgroup *memcg)
{
	shadows->memcg = memcg;
	spin_lock_init(&shadows->removal);
	return rhashtable_init(&shadows->hash, &params);
}

static void free_one(void *shadow, void *arg)
{
	kmem_cache_free(cache, shadow);
}

/**
 * ft_shadows_exit() - forget all
 * @shadows: that nobody else knows any more
 *
 * Context: may sleep.
 */
void ft_shadows_exit(struct ft_shadows *shadows)
{
	rhashtable_free_and_destroy(&shadows->hash, free_one, NULL);
}

/**
 * ft_shadow_key_set() - the key of a flow in nf_conntrack
 * @key: filled
 * @tuple: of the original direction
 * @zone: of the flow
 */
void ft_shadow_key_set(struct ft_shadow_key *key,
		       const struct nf_conntrack_tuple *tuple,
		       const struct nf_conntrack_zone *zone)
{
	key->addr[0] = tuple->src.u3;
	key->addr[1] = tuple->dst.u3;
	key->port[0] = tuple->src.u.all;
	key->port[1] = tuple->dst.u.all;
	key->zone = zone->id;
	key->l4proto = tuple->dst.protonum;
	key->bits = (zone->dir & FT_SHADOW_ZONE_DIR) |
		    (tuple->src.l3num == NFPROTO_IPV6 ? FT_SHADOW_V6 : 0);
}

/**
 * ft_shadow_key_tuple() - how to ask nf_conntrack for a flow
 * @key: the flow
 * @tuple: filled
 * @zone: filled
 */
void ft_shadow_key_tuple(const struct ft_shadow_key *key,
			 struct nf_conntrack_tuple *tuple,
			 struct nf_conntrack_zone *zone)
{
	memset(tuple, 0, sizeof(*tuple));
	tuple->src.u3 = key->addr[0];
	tuple->dst.u3 = key->addr[1];
	tuple->src.u.all = key->port[0];
	tuple->dst.u.all = key->port[1];
	tuple->src.l3num = key->bits & FT_SHADOW_V6 ? NFPROTO_IPV6 :
						      NFPROTO_IPV4;
	tuple->dst.protonum = key->l4proto;
	nf_ct_zone_init(zone, key->zone, key->bits & FT_SHADOW_ZONE_DIR, 0);
}

/**
 * ft_shadow_flow_key() - the identity that a guarded flow would have in the table
 * @key: the flow
 * @flow: filled; with the addresses that the initiator sends, before NAT
 *
 * Context: any; pure.
 * Return: FT_FLOW_* bits: the direction.
 */
u32 ft_shadow_flow_key(const struct ft_shadow_key *key, struct ft_key *flow)
{
	bool from_hi = ft_key_set(flow, key->bits & FT_SHADOW_V6 ?
				  NFPROTO_IPV6 : NFPROTO_IPV4, key->l4proto,
				  key->zone, &key->addr[0], &key->addr[1],
				  key->port[0], key->port[1]);

	return from_hi ? FT_FLOW_ORIG_HI : 0;
}

/**
 * ft_shadow_find() - the shadow of a flow
 * @shadows: of the namespace
 * @key: the flow
 *
 * Context: RCU read side, as long as the result is used.
 * Return: the shadow or NULL.
 */
struct ft_shadow *ft_shadow_find(struct ft_shadows *shadows,
				 const struct ft_shadow_key *key)
{
	return rhashtable_lookup(&shadows->hash, key, params);
}

static struct ft_shadow *shadow_alloc(struct ft_shadows *shadows)
{
	const gfp_t gfp = ft_tenant_gfp(shadows->memcg, GFP_ATOMIC | __GFP_NOWARN);
	struct mem_cgroup *outer = ft_tenant_charge(shadows->memcg);
	struct ft_shadow *shadow;

	shadow = ft_should_fail(FT_FAULT_SHADOW) ? NULL : kmem_cache_alloc(cache, gfp);
	ft_tenant_uncharge(shadows->memcg, outer);
	return shadow;
}

/**
 * ft_shadow_add() - remember a flow
 * @shadows: of the namespace
 * @key: the flow
 * @bits: FT_SHADOW_CLASS, FT_SHADOW_LAST_DUE, FT_SHADOW_SOURCE
 * @deadline: jiffies32 when it ends
 * @now: jiffies32: a packet of it came
 *
 * Context: RCU read side, any.
 * Return: 0; -EEXIST, and the shadow there is has been brought up to date;
 * -ENOMEM; -EBUSY or -E2BIG: the table can't grow as fast.
 */
int ft_shadow_add(struct ft_shadows *shadows, const struct ft_shadow_key *key,
		  u32 bits, u32 deadline, u32 now)
{
	struct ft_shadow *shadow, *old;

	shadow = shadow_alloc(shadows);
	if (!shadow)
		return -ENOMEM;
	shadow->key = *key;
	WRITE_ONCE(shadow->deadline, deadline);
	WRITE_ONCE(shadow->word, bits | (now & FT_SHADOW_SEEN));
	old = rhashtable_lookup_get_insert_fast(&shadows->hash, &shadow->node,
						params);
	if (!old)
		return 0;
	kmem_cache_free(cache, shadow);
	if (IS_ERR(old))
		return PTR_ERR(old);
	ft_shadow_packet(old, bits & ~FT_SHADOW_SOURCE, deadline, now);
	return -EEXIST;
}

/*
 * Two CPUs may be at it: each of them writes what was true a moment ago. Return:
 * true for the one that wrote that a handshake has been completed.
 */
static bool set_word(struct ft_shadow *shadow, u32 bits, u32 seen)
{
	u32 old = READ_ONCE(shadow->word);
	u32 word = bits | (seen & FT_SHADOW_SEEN) | (old & FT_SHADOW_SOURCE);

	/* If another CPU was faster, the result is the same. */
	return old != word && cmpxchg(&shadow->word, old, word) == old &&
	       ft_shadow_class(old) == FLOWTRACK_CLASS_EMBRYONIC &&
	       ft_shadow_class(word) == FLOWTRACK_CLASS_ASSURED;
}

static void set_deadline(struct ft_shadow *shadow, u32 deadline)
{
	s32 gain = deadline - READ_ONCE(shadow->deadline);

	if (gain < 0 || gain >= FT_SHADOW_STEP)
		WRITE_ONCE(shadow->deadline, deadline);
}

/**
 * ft_shadow_packet() - a packet of the flow came
 * @shadow: the shadow
 * @bits: FT_SHADOW_CLASS, FT_SHADOW_LAST_DUE
 * @deadline: jiffies32 when it ends
 * @now: jiffies32
 *
 * Context: RCU read side. Writes to no cache line when the bits have not changed
 * and less than FT_SHADOW_STEP has passed.
 * Return: true for the packet that completed its handshake.
 */
bool ft_shadow_packet(struct ft_shadow *shadow, u32 bits, u32 deadline, u32 now)
{
	u32 seen = READ_ONCE(shadow->word) & FT_SHADOW_SEEN;
	s32 since = now - seen;

	if (since < 0 || since >= FT_SHADOW_STEP)
		seen = now;
	set_deadline(shadow, deadline);
	return set_word(shadow, bits, seen);
}

/**
 * ft_shadow_update() - bring a shadow in line with its entry
 * @shadow: the shadow
 * @bits: FT_SHADOW_CLASS, FT_SHADOW_LAST_DUE
 * @deadline: jiffies32 when it ends
 * @now: jiffies32
 *
 * An entry that lives longer than its shadow knew has had a packet that passed
 * no hook of ours.
 *
 * Context: RCU read side. Writes to no cache line when nothing has changed.
 */
void ft_shadow_update(struct ft_shadow *shadow, u32 bits, u32 deadline, u32 now)
{
	s32 gain = deadline - READ_ONCE(shadow->deadline);

	set_word(shadow, bits, gain >= FT_SHADOW_STEP ? now :
			       READ_ONCE(shadow->word));
	set_deadline(shadow, deadline);
}

/**
 * ft_shadow_drop() - forget a flow
 * @shadows: of the namespace
 * @key: the flow, not a part of its shadow
 * @word: set to its bits, if it was there
 *
 * Context: any but hard interrupts.
 * Return: true for the one caller that did it.
 */
bool ft_shadow_drop(struct ft_shadows *shadows, const struct ft_shadow_key *key,
		    u32 *word)
{
	struct ft_shadow *shadow;

	spin_lock_bh(&shadows->removal);
	rcu_read_lock();
	shadow = rhashtable_lookup(&shadows->hash, key, params);
	rcu_read_unlock();
	if (shadow && rhashtable_remove_fast(&shadows->hash, &shadow->node,
					     params))
		shadow = NULL;
	if (shadow)
		*word = READ_ONCE(shadow->word);
	spin_unlock_bh(&shadows->removal);
	if (!shadow)
		return false;
	kmem_cache_free(cache, shadow);
	return true;
}

/**
 * ft_shadow_set_source() - note how the source of a flow counts it
 * @shadows: of the namespace
 * @key: the flow
 * @source: FT_SHADOW_SOURCE
 *
 * Context: any but hard interrupts.
 * Return: false if it is noted already, or there is no such flow.
 */
bool ft_shadow_set_source(struct ft_shadows *shadows,
			  const struct ft_shadow_key *key, u32 source)
{
	struct ft_shadow *shadow;
	bool set = false;
	u32 old;

	spin_lock_bh(&shadows->removal);
	rcu_read_lock();
	shadow = rhashtable_lookup(&shadows->hash, key, params);
	rcu_read_unlock();
	if (shadow) {
		old = READ_ONCE(shadow->word);
		do {
			set = (old & FT_SHADOW_SOURCE) != source;
		} while (set && !try_cmpxchg(&shadow->word, &old,
					     (old & ~FT_SHADOW_SOURCE) | source));
	}
	spin_unlock_bh(&shadows->removal);
	return set;
}

/**
 * ft_shadow_sample() - a few shadows, anywhere
 * @shadows: of the namespace
 * @random: where to begin
 * @out: filled
 * @n: how many are wanted
 *
 * Context: RCU read side, as long as the result is used.
 * Return: how many there are in @out; fewer than @n if the table is nearly
 * empty, or was a moment ago.
 */
unsigned int ft_shadow_sample(struct ft_shadows *shadows, u32 random,
			      struct ft_shadow **out, unsigned int n)
{
	struct rhashtable *hash = &shadows->hash;
	struct bucket_table *table = rht_dereference_rcu(hash->tbl, hash);
	unsigned int got = 0, i, buckets, want;
	struct bucket_table *next;
	struct rhash_head *pos;

	/* While the table is resized its shadows are in two of them, or more. */
	for (; table && got < n; table = next) {
		next = rht_dereference_rcu(table->future_tbl, hash);
		want = next ? got + (n - got) / 2 : n;
		buckets = min(table->size, n * SAMPLE_BUCKETS);
		for (i = 0; i < buckets && got < want; i++) {
			rht_for_each_rcu(pos, table,
					 (random + i) & (table->size - 1)) {
				if (got == want)
					break;
				out[got++] = rht_obj(hash, pos);
			}
		}
	}
	return got;
}

/*
 * The shadow of a bucket with the lowest address above @last. One that is
 * dropped may be in another bucket a moment later, and lead there: then the
 * chain does not end in what marks the end of this one.
 */
static struct ft_shadow *next_in_bucket(struct bucket_table *table, u32 bucket,
					const void *last)
{
	struct ft_shadow *shadow, *next;
	struct rhash_head *pos;

	do {
		next = NULL;
		rht_for_each_rcu(pos, table, bucket) {
			shadow = container_of(pos, struct ft_shadow, node);
			if ((void *)shadow > last && (!next || shadow < next))
				next = shadow;
		}
	} while (pos != RHT_NULLS_MARKER(rht_bucket(table, bucket)));
	return next;
}

/**
 * ft_shadow_begin() - begin a walk anywhere
 * @shadows: of the namespace
 * @cursor: filled
 * @random: where
 *
 * Such a walk ends with the last bucket: from there it may be sent on to the
 * first one.
 *
 * Context: RCU read side.
 * Return: how many buckets there are.
 */
u32 ft_shadow_begin(struct ft_shadows *shadows,
		    struct ft_shadow_cursor *cursor, u32 random)
{
	struct rhashtable *hash = &shadows->hash;
	const struct bucket_table *table = rht_dereference_rcu(hash->tbl, hash);

	*cursor = (struct ft_shadow_cursor){
		.table = table,
		.bucket = random & (table->size - 1),
	};
	return table->size;
}

/**
 * ft_shadow_walk() - a part of all shadows
 * @shadows: of the namespace
 * @cursor: where it stands; moved
 * @buckets: how many of them
 * @fn: called for each shadow, may drop it; ends the call if it returns an
 *	error
 * @arg: for @fn
 *
 * A shadow that is there from the first call to the last is visited once.
 *
 * Not rhashtable's own walk: that one counts the shadows it has seen, and
 * passes by others when some of those are dropped.
 *
 * Context: RCU read side.
 * Return: 1: there is more; 0: that was all; -EAGAIN: the table is being
 * resized, the cursor has been put back to the beginning; or what @fn said,
 * with the cursor at that shadow.
 */
int ft_shadow_walk(struct ft_shadows *shadows, struct ft_shadow_cursor *cursor,
		   u32 buckets, ft_shadow_fn fn, void *arg)
{
	struct rhashtable *hash = &shadows->hash;
	struct bucket_table *table;
	struct ft_shadow *shadow;
	int err;

	table = rht_dereference_rcu(hash->tbl, hash);
	if (!cursor->table)
		cursor->table = table;
	if (cursor->table != table ||
	    rht_dereference_rcu(table->future_tbl, hash)) {
		*cursor = (struct ft_shadow_cursor){};
		return -EAGAIN;
	}
	for (; buckets && cursor->bucket < table->size; buckets--) {
		while ((shadow = next_in_bucket(table, cursor->bucket,
						cursor->last))) {
			err = fn(shadow, arg);
			if (err)
				return err;
			cursor->last = shadow;
		}
		cursor->last = NULL;
		cursor->bucket++;
	}
	if (cursor->bucket < table->size)
		return 1;
	/*
	 * A resize that began during this part has taken shadows elsewhere. Pairs
	 * with rcu_assign_pointer() in rhashtable_rehash_attach(), which comes
	 * before the first of them is moved.
	 */
	smp_rmb();
	if (rht_dereference_rcu(table->future_tbl, hash) ||
	    rht_dereference_rcu(hash->tbl, hash) != table) {
		*cursor = (struct ft_shadow_cursor){};
		return -EAGAIN;
	}
	return 0;
}

/**
 * ft_shadow_for_each() - visit all shadows
 * @shadows: of the namespace
 * @killable: a signal that would kill the task ends the walk
 * @once: a resize of the hash table, after which shadows would be seen twice, ends it
 * @fn: called for each shadow, in an RCU read side of its own; may drop it; an error ends
 *	the walk
 * @arg: argument of @fn
 *
 * A resize, maybe because of shadows that @fn drops, begins the walk again when it is over.
 *
 * Context: may sleep.
 * Return: 0; -EINTR: killed; -EAGAIN: there was a resize, with @once; what @fn returned.
 */
int ft_shadow_for_each(struct ft_shadows *shadows, bool killable, bool once, ft_shadow_fn fn,
		       void *arg)
{
	struct ft_shadow_cursor cursor = {};
	int more;

	for (;;) {
		rcu_read_lock();
		more = ft_shadow_walk(shadows, &cursor, EACH_SLICE, fn, arg);
		rcu_read_unlock();
		if (!more)
			return 0;
		if (more < 0 && (more != -EAGAIN || once))
			return more;
		if (killable && fatal_signal_pending(current))
			return -EINTR;
		if (more == -EAGAIN)
			schedule_timeout_uninterruptible(1);
		cond_resched();
	}
}
