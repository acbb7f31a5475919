// SPDX-License-Identifier: GPL-2.0
/*
 * Flow objects: their lock, and the arena that they live in.
 *
 * An arena takes memory in chunks of 64 KiB, which a directory maps from the
 * upper bits of an index. Free objects wait in a magazine per CPU, and beyond
 * that in a bitmap per chunk, so that a chunk whose objects are all free can be
 * told and given back. Chunks are made ahead by a work item; an allocation
 * that finds none ready tries to make one itself.
 */
#include <linux/bitmap.h>
#include <linux/export.h>
#include <linux/gfp.h>
#include <linux/list.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/preempt.h>
#include <linux/prefetch.h>
#include <linux/random.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "base/fault_inject.h"
#include "base/tenant.h"
#include "flow/flow.h"

/* Index space of a chunk: enough for the smallest object. */
#define SLOT_BITS	9
#define SLOTS_MAX	BIT(SLOT_BITS)
#define SLOT_MASK	(SLOTS_MAX - 1)
#define CHUNK_BYTES	FT_ARENA_CHUNK
#define CHUNK_ORDER	get_order(CHUNK_BYTES)
/* Two levels from chunk number to chunk: an arena's top, and leaves. */
#define LEAF_BITS	10
#define LEAF_SIZE	BIT(LEAF_BITS)
#define TOP_SIZE	512
#define CHUNKS_MAX	(TOP_SIZE * LEAF_SIZE)

/* Objects that a magazine holds; with its lock and count, 128 bytes. */
#define MAGAZINE	28

/* Fewer free objects than this: make chunks ahead. */
#define LOW_WATER	256
/* Chunks made at once: an eighth of what there is, between these. A million
 * flows pay one byte each for sixteen.
 */
#define AHEAD_MIN	1
#define AHEAD_MAX	16
/* When chunks are given back: so long after there were too many empty ones. */
#define SHRINK_DELAY	HZ
/* And so often in any case: a magazine may hold the last object of a chunk. */
#define SHRINK_PERIOD	(30 * HZ)
/* Chunks taken out of reach under one hold of the lock. */
#define SHRINK_BATCH	64

static_assert(CHUNK_BYTES / sizeof(struct ft_flow) <= SLOTS_MAX);
static_assert(BIT(SLOT_BITS + LEAF_BITS + ilog2(TOP_SIZE)) - 1 <= FT_INDEX_OBJECT);

/**
 * struct chunk - what is to know about a chunk
 * @list: in ft_arena.partial or, with all objects free, ft_arena.empties; in
 *	neither with none free
 * @mem: the objects
 * @no: its number: index >> SLOT_BITS
 * @free: bits set in @slots
 * @slots: free objects, those in magazines not included
 *
 * Protected by ft_arena.lock. The bitmap is one cache line, so that giving and
 * taking touches no object: they are cold.
 */
struct chunk {
	struct list_head list;
	void *mem;
	u32 no;
	u32 free;
	DECLARE_BITMAP(slots, SLOTS_MAX);
};

/**
 * struct leaf - from the lower bits of a chunk number to the chunk
 * @mem: memory of each, NULL: none. RCU readers, written under ft_arena.lock
 * @chunk: what is to know about each; protected by ft_arena.lock
 */
struct leaf {
	void __rcu *mem[LEAF_SIZE];
	struct chunk *chunk[LEAF_SIZE];
};

/**
 * struct magazine - free objects at hand on one CPU
 * @lock: protects the rest; taken with BH disabled, before ft_arena.lock.
 *	Only the shrinker comes from elsewhere
 * @n: how many
 * @index: their indexes
 */
struct magazine {
	spinlock_t lock; /* protects n, index */
	u32 n;
	u32 index[MAGAZINE];
};

/**
 * struct ft_arena - flow objects of one size
 * @object_size: bytes of an object
 * @per_chunk: objects in a chunk
 * @magazines: per CPU
 * @memcg: charged for chunks; NULL: nobody
 * @lock: protects what follows, and all chunks; BH disabled, innermost
 * @partial: chunks with some objects free, allocated from the front
 * @empties: chunks with all objects free, allocated from when @partial is empty
 * @count: chunks that there are
 * @empty: chunks in @empties
 * @leaves: leaves that there are
 * @free: free objects in all chunks, those in magazines not included
 * @hint: no chunk number below is unused
 * @hurry: @shrink_work is due soon, not just some time
 * @ahead_work: makes chunks
 * @shrink_work: gives them back
 * @dying: no work is queued any more
 * @top: leaves by the upper bits of a chunk number; each is published once,
 *	under @lock, and stays
 */
struct ft_arena {
	u32 object_size;
	u32 per_chunk;
	struct magazine __percpu *magazines;
	struct mem_cgroup *memcg;

	spinlock_t lock ____cacheline_aligned_in_smp; /* protects the below */
	struct list_head partial;
	struct list_head empties;
	u32 count;
	u32 empty;
	u32 leaves;
	u32 free;
	u32 hint;
	bool hurry;
	struct work_struct ahead_work;
	struct delayed_work shrink_work;
	bool dying;
	struct leaf __rcu *top[TOP_SIZE] ____cacheline_aligned_in_smp;
};

static bool kill_if(struct ft_flow *flow, u32 gen, const u32 *deadline)
{
	u32 word;
	bool won;

	ft_flow_lock(flow);
	word = atomic_read(&flow->word);
	won = flow->gen == gen && !(word & FT_FLOW_DEAD) &&
	      (!deadline || flow->deadline == *deadline);
	ft_flow_unlock(flow, won ? word | FT_FLOW_DEAD : word);
	return won;
}

/**
 * ft_flow_kill() - mark a flow as ended
 * @flow: the flow
 * @gen: generation meant
 *
 * Context: BH disabled, RCU read side.
 * Return: true for the one caller that ended it: the object is now its own, to
 * take out of the table and to free.
 */
bool ft_flow_kill(struct ft_flow *flow, u32 gen)
{
	return kill_if(flow, gen, NULL);
}

/**
 * ft_flow_kill_idle() - mark a flow as ended, unless a packet came
 * @flow: the flow
 * @gen: generation meant
 * @deadline: of that generation, read before it was decided that the flow ends
 *
 * A packet that met the flow before its deadline may hold its lock until after
 * that, and move the deadline then: a decision by the old deadline must not win
 * against that packet.
 *
 * Context: BH disabled, RCU read side.
 * Return: as ft_flow_kill(); false, too, if the deadline is another one by now.
 */
bool ft_flow_kill_idle(struct ft_flow *flow, u32 gen, u32 deadline)
{
	return kill_if(flow, gen, &deadline);
}

/**
 * ft_flow_key() - the identity of a flow
 * @flow: the flow
 * @key: filled
 *
 * Context: the flow's lock is held, or the flow is the caller's own, or the
 * caller compares generations.
 */
void ft_flow_key(const struct ft_flow *flow, struct ft_key *key)
{
	memcpy(key, &flow->key, FT_KEY_HEAD);
	if (key->family == NFPROTO_IPV6) {
		memcpy(key->addr6, ft_flow_addr6((struct ft_flow *)flow),
		       sizeof(key->addr6));
		return;
	}
	/* In pieces: memset() is a call on the path of every new flow. */
	key->addr6[0] = (struct in6_addr){};
	key->addr6[1] = (struct in6_addr){};
}
EXPORT_SYMBOL_NS_GPL(ft_flow_key, FT_SYMBOL_NS);

/**
 * ft_nat_set() - fill in what a translated flow has besides
 * @nat: of a flow that is dead, and locked
 * @answer: its second key, of the family and protocol of the first one
 * @masq: number of the device whose address it borrows; 0: none
 *
 * Context: BH disabled.
 */
void ft_nat_set(struct ft_nat *nat, const struct ft_key *answer, u32 masq)
{
	nat->port[0] = answer->port[0];
	nat->port[1] = answer->port[1];
	nat->masq = masq;
	if (answer->family == NFPROTO_IPV6)
		memcpy(nat->addr6, answer->addr6, sizeof(nat->addr6));
	else
		memcpy(nat->addr4, answer->addr4, sizeof(nat->addr4));
}

/**
 * ft_nat_key() - the second key of a translated flow
 * @flow: the flow, or a copy of it
 * @nat: what it has besides
 * @key: filled
 *
 * Context: as ft_flow_key().
 */
void ft_nat_key(const struct ft_flow *flow, const struct ft_nat *nat, struct ft_key *key)
{
	unsigned int end;

	key->port[0] = nat->port[0];
	key->port[1] = nat->port[1];
	key->zone = flow->key.zone;
	key->l4proto = flow->key.l4proto;
	key->family = flow->key.family;
	for (end = 0; end < 2; end++) {
		if (key->family == NFPROTO_IPV6) {
			key->addr6[end] = nat->addr6[end];
			key->addr4[end] = ft_fold6(&nat->addr6[end]);
		} else {
			key->addr6[end] = (struct in6_addr){};
			key->addr4[end] = nat->addr4[end];
		}
	}
}
EXPORT_SYMBOL_NS_GPL(ft_nat_key, FT_SYMBOL_NS);

/**
 * ft_flow_answer_key() - the second key of a translated flow
 * @flow: the flow, no copy
 * @key: filled
 *
 * Context: as ft_flow_key().
 */
void ft_flow_answer_key(const struct ft_flow *flow, struct ft_key *key)
{
	ft_nat_key(flow, ft_flow_nat(flow, flow->key.family), key);
}

static bool nat_names(const struct ft_nat *nat, const struct ft_key *key)
{
	const u32 *a = (const u32 *)nat->addr6;
	const u32 *b = (const u32 *)key->addr6;
	unsigned int i;

	if (READ_ONCE(nat->port[0]) != key->port[0] || READ_ONCE(nat->port[1]) != key->port[1])
		return false;
	if (key->family == NFPROTO_IPV4)
		return READ_ONCE(nat->addr4[0]) == key->addr4[0] &&
		       READ_ONCE(nat->addr4[1]) == key->addr4[1];
	for (i = 0; i < sizeof(nat->addr6) / (sizeof(*a)); i++) {
		if (READ_ONCE(a[i]) != b[i])
			return false;
	}
	return true;
}

/* What both keys of a flow have in common. */
static bool same_kind(const struct ft_flow *flow, const struct ft_key *key)
{
	return READ_ONCE(flow->key.family) == key->family &&
	       READ_ONCE(flow->key.l4proto) == key->l4proto &&
	       READ_ONCE(flow->key.zone) == key->zone;
}

/**
 * ft_flow_answers() - is that the second key of a translated flow?
 * @flow: translated, dead or alive; no copy
 * @key: that
 *
 * Context: as ft_flow_matches().
 * Return: true if so.
 */
bool ft_flow_answers(const struct ft_flow *flow, const struct ft_key *key)
{
	/* A tag may be that of a flow of the other family. */
	return same_kind(flow, key) && nat_names(ft_flow_nat(flow, key->family), key);
}
EXPORT_SYMBOL_NS_GPL(ft_flow_answers, FT_SYMBOL_NS);

/**
 * ft_copy_matches() - is this a copy of the flow of that key?
 * @copy: from ft_flow_snapshot()
 * @key: identity wanted; of a translated flow, either of its keys
 *
 * Context: any.
 * Return: true if so.
 */
bool ft_copy_matches(const struct ft_flow6 *copy, const struct ft_key *key)
{
	return ft_flow_named(&copy->f, key) ||
	       (atomic_read(&copy->f.word) & FT_FLOW_NAT && same_kind(&copy->f, key) &&
		nat_names(&copy->nat, key));
}
EXPORT_SYMBOL_NS_GPL(ft_copy_matches, FT_SYMBOL_NS);

/**
 * ft_flow_nat_dir() - ft_flow_dir() of a translated flow
 * @flow: the flow
 * @word: its bits
 * @key: of a packet, one of the flow's keys
 * @from_hi: the upper endpoint of @key sends the packet
 * @dir: set
 *
 * Context: as ft_flow_matches().
 * Return: false if the packet is none of the flow's.
 */
bool ft_flow_nat_dir(const struct ft_flow *flow, u32 word, const struct ft_key *key,
		     bool from_hi, enum ft_dir *dir)
{
	if (ft_flow_named(flow, key)) {
		*dir = FT_DIR_ORIG;
		return from_hi == !!(word & FT_FLOW_ORIG_HI);
	}
	*dir = FT_DIR_REPLY;
	return from_hi == !!(word & FT_FLOW_REPLY_HI);
}
EXPORT_SYMBOL_NS_GPL(ft_flow_nat_dir, FT_SYMBOL_NS);

/**
 * ft_flow_peek() - read a flow's identity without its lock
 * @flow: the flow
 * @key: filled
 * @word: set to its bits
 *
 * Context: RCU read side. Nothing is written.
 * Return: false if no flow lives there, or if it ended meanwhile.
 */
bool ft_flow_peek(const struct ft_flow *flow, struct ft_key *key, u32 *word)
{
	u32 gen = READ_ONCE(flow->gen);

	/* Pairs with the release in ft_flow_unlock(), as the one below. */
	smp_rmb();
	*word = atomic_read(&flow->word) & ~FT_FLOW_LOCK;
	if (*word & FT_FLOW_DEAD)
		return false;
	ft_flow_key(flow, key);
	/* All was read before what follows: it is that of one flow. */
	smp_rmb();
	return READ_ONCE(flow->gen) == gen;
}

/**
 * ft_flow_copy() - copy a flow that nobody changes
 * @flow: the flow; its lock is held, or it is dead and the caller's
 * @copy: filled
 */
void ft_flow_copy(const struct ft_flow *flow, struct ft_flow6 *copy)
{
	bool ipv6 = flow->key.family == NFPROTO_IPV6;

	memcpy(&copy->f, flow, sizeof(copy->f));
	if (ipv6)
		memcpy(copy->addr6, ft_flow_addr6((struct ft_flow *)flow), sizeof(copy->addr6));
	else
		memset(copy->addr6, 0, sizeof(copy->addr6));
	if (atomic_read(&flow->word) & FT_FLOW_NAT)
		memcpy(&copy->nat, ft_flow_nat(flow, flow->key.family),
		       ipv6 ? FT_NAT6_BYTES : FT_NAT4_BYTES);
}

/**
 * ft_flow_snapshot() - copy a flow
 * @flow: the flow
 * @gen: generation meant; 0: whatever lives there
 * @copy: filled
 *
 * Context: RCU read side; disables BH itself.
 * Return: false if that flow has ended.
 */
bool ft_flow_snapshot(struct ft_flow *flow, u32 gen, struct ft_flow6 *copy)
{
	bool alive;
	u32 word;

	local_bh_disable();
	ft_flow_lock(flow);
	word = atomic_read(&flow->word) & ~FT_FLOW_LOCK;
	alive = !(word & FT_FLOW_DEAD) && (!gen || flow->gen == gen);
	if (alive) {
		ft_flow_copy(flow, copy);
		atomic_set(&copy->f.word, word);
	}
	ft_flow_unlock(flow, word);
	local_bh_enable();
	return alive;
}
EXPORT_SYMBOL_NS_GPL(ft_flow_snapshot, FT_SYMBOL_NS);

/**
 * ft_flow_untold() - what has happened to a flow is to be told with its next packet
 * @flow: the flow
 * @gen: its generation; if it has ended there is nothing more to tell
 * @untold: of FT_FLOW_UNTOLD
 *
 * Context: BH disabled, RCU read side; the flow's lock is not held.
 */
void ft_flow_untold(struct ft_flow *flow, u32 gen, u32 untold)
{
	u32 word;

	ft_flow_lock(flow);
	word = atomic_read(&flow->word);
	if (flow->gen == gen && !(word & FT_FLOW_DEAD))
		word |= untold;
	ft_flow_unlock(flow, word);
}
EXPORT_SYMBOL_NS_GPL(ft_flow_untold, FT_SYMBOL_NS);

static struct ft_flow *object_at(const struct ft_arena *arena, void *mem,
				 u32 slot)
{
	return mem + (size_t)slot * arena->object_size;
}

/**
 * ft_arena_at() - the object of an index
 * @arena: the arena
 * @index: any number
 *
 * Context: RCU read side. The memory stays until the end of it, whatever
 * becomes of the flow.
 * Return: the object, or NULL if there is none.
 */
struct ft_flow *ft_arena_at(const struct ft_arena *arena, u32 index)
{
	u32 slot = index & SLOT_MASK;
	u32 no = index >> SLOT_BITS;
	const struct leaf *leaf;
	void *mem;

	if (unlikely(no >= CHUNKS_MAX || slot >= arena->per_chunk))
		return NULL;
	leaf = rcu_dereference(arena->top[no >> LEAF_BITS]);
	if (unlikely(!leaf))
		return NULL;
	mem = rcu_dereference(leaf->mem[no & (LEAF_SIZE - 1)]);
	if (unlikely(!mem))
		return NULL;
	return object_at(arena, mem, slot);
}

static struct leaf *leaf_of(struct ft_arena *arena, u32 no)
{
	return rcu_dereference_protected(arena->top[no >> LEAF_BITS],
					 lockdep_is_held(&arena->lock));
}

static struct chunk *chunk_of(struct ft_arena *arena, u32 index)
{
	u32 no = index >> SLOT_BITS;

	return leaf_of(arena, no)->chunk[no & (LEAF_SIZE - 1)];
}

static void chunk_destroy(struct chunk *chunk)
{
	free_pages((unsigned long)chunk->mem, CHUNK_ORDER);
	kfree(chunk);
}

/* A chunk of dead objects that nobody knows yet. */
static struct chunk *chunk_create(const struct ft_arena *arena, gfp_t gfp)
{
	/* Ids of a chunk that comes back must not repeat soon. */
	u32 gen = get_random_u32() | 1;
	struct ft_flow *flow;
	struct chunk *chunk;
	u32 i;

	if (ft_should_fail(FT_FAULT_CHUNK))
		return NULL;
	gfp = ft_tenant_gfp(arena->memcg, gfp);
	chunk = kzalloc(sizeof(*chunk), gfp);
	if (!chunk)
		return NULL;
	chunk->mem = (void *)__get_free_pages(gfp | __GFP_ZERO | __GFP_COMP,
					      CHUNK_ORDER);
	if (!chunk->mem) {
		kfree(chunk);
		return NULL;
	}
	for (i = 0; i < arena->per_chunk; i++) {
		flow = object_at(arena, chunk->mem, i);
		atomic_set(&flow->word, FT_FLOW_DEAD);
		flow->gen = gen;
	}
	bitmap_set(chunk->slots, 0, arena->per_chunk);
	chunk->free = arena->per_chunk;
	return chunk;
}

/* The lowest unused number; with its leaf, if there is one already. */
static bool unused_number(struct ft_arena *arena, u32 *no)
{
	const struct leaf *leaf;
	u32 i;

	lockdep_assert_held(&arena->lock);
	for (i = arena->hint; i < CHUNKS_MAX; i++) {
		leaf = leaf_of(arena, i);
		if (!leaf || !leaf->chunk[i & (LEAF_SIZE - 1)]) {
			arena->hint = i;
			*no = i;
			return true;
		}
	}
	return false;
}

/* Make one chunk known. Context: any that @gfp allows. */
static bool chunk_add(struct ft_arena *arena, gfp_t gfp)
{
	struct mem_cgroup *outer;
	struct leaf *leaf = NULL;
	struct chunk *chunk;
	bool added = false;
	u32 no;

	outer = ft_tenant_charge(arena->memcg);
	chunk = chunk_create(arena, gfp);
	ft_tenant_uncharge(arena->memcg, outer);
	if (!chunk)
		return false;

	spin_lock_bh(&arena->lock);
	if (!unused_number(arena, &no))
		goto out;
	if (!leaf_of(arena, no)) {
		/* Once in half a million objects. */
		spin_unlock_bh(&arena->lock);
		leaf = kzalloc(sizeof(*leaf), gfp);
		spin_lock_bh(&arena->lock);
		if (!leaf || !unused_number(arena, &no))
			goto out;
		if (!leaf_of(arena, no)) {
			rcu_assign_pointer(arena->top[no >> LEAF_BITS], leaf);
			arena->leaves++;
			leaf = NULL;
		}
	}
	chunk->no = no;
	leaf_of(arena, no)->chunk[no & (LEAF_SIZE - 1)] = chunk;
	/* Pairs with rcu_dereference() in ft_arena_at(): all are dead. */
	rcu_assign_pointer(leaf_of(arena, no)->mem[no & (LEAF_SIZE - 1)],
			   chunk->mem);
	list_add_tail(&chunk->list, &arena->empties);
	arena->count++;
	arena->empty++;
	arena->free += chunk->free;
	added = true;
	if (!arena->dying)
		queue_delayed_work(system_dfl_wq, &arena->shrink_work,
				   SHRINK_PERIOD);
out:
	spin_unlock_bh(&arena->lock);
	kfree(leaf);
	if (!added)
		chunk_destroy(chunk);
	return added;
}

static void ahead_work(struct work_struct *work)
{
	struct ft_arena *arena = container_of(work, struct ft_arena, ahead_work);
	u32 n = clamp_t(u32, READ_ONCE(arena->count) / 8, AHEAD_MIN, AHEAD_MAX);

	while (n-- && !READ_ONCE(arena->dying)) {
		if (!chunk_add(arena, GFP_KERNEL | __GFP_NOWARN | __GFP_NORETRY))
			break;
		cond_resched();
	}
}

/* Take a free object out of a chunk. */
static u32 chunk_take(struct ft_arena *arena, struct chunk *chunk)
{
	u32 slot = find_first_bit(chunk->slots, arena->per_chunk);

	lockdep_assert_held(&arena->lock);
	if (chunk->free == arena->per_chunk) {
		arena->empty--;
		list_move(&chunk->list, &arena->partial);
	}
	__clear_bit(slot, chunk->slots);
	arena->free--;
	if (!--chunk->free)
		list_del(&chunk->list);
	return slot;
}

/* Put a free object back into its chunk. */
static void chunk_give(struct ft_arena *arena, u32 index)
{
	struct chunk *chunk = chunk_of(arena, index);

	lockdep_assert_held(&arena->lock);
	/* Freed twice: better to lose an object than to hand it out twice. */
	if (WARN_ON_ONCE(__test_and_set_bit(index & SLOT_MASK, chunk->slots)))
		return;
	arena->free++;
	/* At the end: the front is used up first, the others become empty. */
	if (!chunk->free++)
		list_add_tail(&chunk->list, &arena->partial);
	if (chunk->free == arena->per_chunk) {
		arena->empty++;
		list_move_tail(&chunk->list, &arena->empties);
	}
}

/* Half a magazine full. Context: the magazine's lock. */
static void refill(struct ft_arena *arena, struct magazine *mag)
{
	struct ft_flow *flow;
	struct chunk *chunk;
	u32 slot;

	lockdep_assert_held(&mag->lock);
	spin_lock(&arena->lock);
	while (mag->n < MAGAZINE / 2) {
		chunk = list_first_entry_or_null(&arena->partial, struct chunk,
						 list);
		if (!chunk)
			chunk = list_first_entry_or_null(&arena->empties,
							 struct chunk, list);
		if (!chunk)
			break;
		slot = chunk_take(arena, chunk);
		/* Cold, and all of it will be written soon. */
		flow = object_at(arena, chunk->mem, slot);
		prefetchw(flow);
		prefetchw(&flow->born);
		mag->index[mag->n++] = chunk->no << SLOT_BITS | slot;
	}
	if (arena->free < LOW_WATER && !arena->dying)
		queue_work(system_dfl_wq, &arena->ahead_work);
	spin_unlock(&arena->lock);
}

/* More than a quarter lies idle in chunks that could be given back. */
static bool wasteful(const struct ft_arena *arena)
{
	lockdep_assert_held(&arena->lock);
	return arena->empty > 1 + arena->count / 4;
}

/* Empty a magazine down to @keep. Context: the magazine's lock. */
static void drain(struct ft_arena *arena, struct magazine *mag, u32 keep)
{
	lockdep_assert_held(&mag->lock);
	spin_lock(&arena->lock);
	while (mag->n > keep)
		chunk_give(arena, mag->index[--mag->n]);
	if (wasteful(arena) && !arena->hurry && !arena->dying) {
		arena->hurry = true;
		mod_delayed_work(system_dfl_wq, &arena->shrink_work,
				 SHRINK_DELAY);
	}
	spin_unlock(&arena->lock);
}

/**
 * ft_arena_alloc() - get a flow object
 * @arena: the arena
 * @index: set to its index
 *
 * The object is dead, and stale readers may look at it and lock it.
 *
 * Context: BH disabled.
 * Return: the object, or NULL if there is no memory.
 */
struct ft_flow *ft_arena_alloc(struct ft_arena *arena, u32 *index)
{
	struct magazine *mag = this_cpu_ptr(arena->magazines);
	struct ft_flow *flow;
	bool found;

	spin_lock(&mag->lock);
	if (!mag->n)
		refill(arena, mag);
	if (!mag->n) {
		spin_unlock(&mag->lock);
		if (!chunk_add(arena, GFP_ATOMIC | __GFP_NOWARN))
			return NULL;
		spin_lock(&mag->lock);
		refill(arena, mag);
	}
	found = mag->n;
	if (found)
		*index = mag->index[--mag->n];
	spin_unlock(&mag->lock);
	if (!found)
		return NULL;
	/* RCU: it can't be given back while one of its objects is out. */
	rcu_read_lock();
	flow = ft_arena_at(arena, *index);
	rcu_read_unlock();
	return flow;
}

/**
 * ft_arena_free() - give a flow object back
 * @arena: the arena
 * @flow: the object, dead and out of the table
 * @index: its index
 *
 * The object may be another flow at once: its generation tells.
 *
 * Context: BH disabled.
 */
void ft_arena_free(struct ft_arena *arena, struct ft_flow *flow, u32 index)
{
	struct magazine *mag = this_cpu_ptr(arena->magazines);

	ft_flow_lock(flow);
	/* Zero means "any" to ft_flow_snapshot(). */
	WRITE_ONCE(flow->gen, flow->gen + 1 ?: 1);
	flow->key.family = 0;
	ft_flow_unlock(flow, FT_FLOW_DEAD);

	spin_lock(&mag->lock);
	if (mag->n == MAGAZINE)
		drain(arena, mag, MAGAZINE / 2);
	mag->index[mag->n++] = index;
	spin_unlock(&mag->lock);
}

/* What to keep of the empty chunks: nothing where nothing is in use. */
static u32 spare_chunks(const struct ft_arena *arena)
{
	lockdep_assert_held(&arena->lock);
	return arena->count == arena->empty ? 0 : 1 + arena->count / 8;
}

/* Take empty chunks out of reach, a batch at most. */
static void collect_empty(struct ft_arena *arena, struct list_head *out)
{
	struct chunk *chunk;
	struct leaf *leaf;
	u32 n;

	lockdep_assert_held(&arena->lock);
	for (n = 0; n < SHRINK_BATCH; n++) {
		if (arena->empty <= spare_chunks(arena))
			break;
		chunk = list_last_entry(&arena->empties, struct chunk, list);
		leaf = leaf_of(arena, chunk->no);
		leaf->chunk[chunk->no & (LEAF_SIZE - 1)] = NULL;
		RCU_INIT_POINTER(leaf->mem[chunk->no & (LEAF_SIZE - 1)], NULL);
		arena->hint = min(arena->hint, chunk->no);
		arena->count--;
		arena->empty--;
		arena->free -= chunk->free;
		list_move(&chunk->list, out);
	}
}

static void shrink_work(struct work_struct *work)
{
	struct ft_arena *arena = container_of(to_delayed_work(work),
					      struct ft_arena, shrink_work);
	struct chunk *chunk, *next;
	struct magazine *mag;
	LIST_HEAD(out);
	bool more;
	int cpu;

	/* What lies in magazines would pin a chunk each. */
	for_each_possible_cpu(cpu) {
		mag = per_cpu_ptr(arena->magazines, cpu);
		spin_lock_bh(&mag->lock);
		drain(arena, mag, 0);
		spin_unlock_bh(&mag->lock);
	}
	spin_lock_bh(&arena->lock);
	more = wasteful(arena) || arena->count == arena->empty;
	while (more) {
		collect_empty(arena, &out);
		more = arena->empty > spare_chunks(arena);
		spin_unlock_bh(&arena->lock);
		cond_resched();
		spin_lock_bh(&arena->lock);
	}
	arena->hurry = false;
	/* An arena without a chunk rests, until it gets one. */
	if (arena->count && !arena->dying)
		mod_delayed_work(system_dfl_wq, &arena->shrink_work,
				 SHRINK_PERIOD);
	spin_unlock_bh(&arena->lock);
	if (list_empty(&out))
		return;
	/* Readers may still look at what they found before. */
	synchronize_rcu();
	list_for_each_entry_safe(chunk, next, &out, list)
		chunk_destroy(chunk);
}

/**
 * ft_arena_create() - make an arena
 * @object_size: bytes of an object
 * @besides: bytes that each object has elsewhere in its chunk, behind all objects
 *
 * It has no memory for objects until the first one is wanted: an idle one is
 * some 4 KiB, and 128 bytes per CPU.
 *
 * Context: may sleep.
 * Return: the arena, or NULL.
 */
struct ft_arena *ft_arena_create(size_t object_size, size_t besides)
{
	struct ft_arena *arena;
	int cpu;

	arena = kzalloc(sizeof(*arena), GFP_KERNEL_ACCOUNT);
	if (!arena)
		return NULL;
	arena->magazines = alloc_percpu_gfp(struct magazine, GFP_KERNEL_ACCOUNT);
	if (!arena->magazines) {
		kfree(arena);
		return NULL;
	}
	for_each_possible_cpu(cpu)
		spin_lock_init(&per_cpu_ptr(arena->magazines, cpu)->lock);
	arena->object_size = object_size;
	arena->per_chunk = CHUNK_BYTES / (object_size + besides);
	spin_lock_init(&arena->lock);
	INIT_LIST_HEAD(&arena->partial);
	INIT_LIST_HEAD(&arena->empties);
	INIT_WORK(&arena->ahead_work, ahead_work);
	INIT_DELAYED_WORK(&arena->shrink_work, shrink_work);
	return arena;
}

/**
 * ft_arena_charge() - charge the memory for objects to somebody
 * @arena: arena without any
 * @memcg: control group that outlives it; NULL: nobody
 */
void ft_arena_charge(struct ft_arena *arena, struct mem_cgroup *memcg)
{
	arena->memcg = memcg;
}

/**
 * ft_arena_destroy() - free an arena
 * @arena: the arena; its objects are all dead, a grace period ago
 *
 * Context: may sleep.
 */
void ft_arena_destroy(struct ft_arena *arena)
{
	struct leaf *leaf;
	u32 i, j;

	spin_lock_bh(&arena->lock);
	arena->dying = true;
	spin_unlock_bh(&arena->lock);
	cancel_work_sync(&arena->ahead_work);
	cancel_delayed_work_sync(&arena->shrink_work);
	for (i = 0; i < TOP_SIZE; i++) {
		leaf = rcu_dereference_protected(arena->top[i], true);
		if (!leaf)
			continue;
		for (j = 0; j < LEAF_SIZE; j++) {
			if (leaf->chunk[j])
				chunk_destroy(leaf->chunk[j]);
		}
		kfree(leaf);
	}
	free_percpu(arena->magazines);
	kfree(arena);
}

/**
 * ft_arena_bytes() - memory that an arena holds
 * @arena: the arena
 *
 * Context: any.
 * Return: bytes.
 */
size_t ft_arena_bytes(const struct ft_arena *arena)
{
	return sizeof(*arena) +
	       num_possible_cpus() * sizeof(struct magazine) +
	       (size_t)READ_ONCE(arena->leaves) * sizeof(struct leaf) +
	       (size_t)READ_ONCE(arena->count) *
	       (CHUNK_BYTES + sizeof(struct chunk));
}
