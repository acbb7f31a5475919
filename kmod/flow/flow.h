/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The flow object and the memory that it lives in.
 *
 * A flow is 128 bytes for IPv4, 192 for IPv6, in two (three) cache lines: what
 * a lookup and a packet of a connectionless protocol need is in the first one.
 * A translated flow has a struct ft_nat besides, elsewhere in the chunk of memory that the
 * flow is in: so that has a place of its own, and other flows have not one byte of it.
 *
 * Lifetime. Flow memory is type-stable: as long as a reader is in an RCU
 * read-side section, an index that it found in the table leads to *a* flow
 * object, maybe dead, maybe another one by now. A writer takes the flow's lock
 * with ft_flow_lock_key(), which checks that it still is the flow wanted. A
 * reader checks the key first, and accepts that the flow may die while it
 * looks. So a hit takes no reference, and a freed object is reused at once.
 * Memory goes back to the system in whole chunks, after a grace period.
 */
#ifndef _FT_FLOW_FLOW_H
#define _FT_FLOW_FLOW_H

#include <linux/align.h>
#include <linux/atomic.h>
#include <linux/bitfield.h>
#include <linux/bits.h>
#include <linux/cache.h>
#include <linux/jiffies.h>
#include <linux/nf_flowtrack.h>
#include <linux/percpu.h>
#include <linux/spinlock.h>
#include <linux/stddef.h>
#include <linux/types.h>
#include <linux/workqueue.h>

#include "flow/tuple.h"

/* Bits of ft_flow.word; all but the lock are stable while it is held. */
#define FT_FLOW_LOCK		BIT(0)	/* bit lock, see ft_flow_lock() */
#define FT_FLOW_DEAD		BIT(1)	/* ended, or never began */
#define FT_FLOW_SEEN_REPLY	BIT(2)	/* the responder answered */
#define FT_FLOW_ASSURED		BIT(3)	/* worth keeping: traffic both ways */
#define FT_FLOW_ORIG_HI		BIT(4)	/* initiator is the upper endpoint */
#define FT_FLOW_CLASS		GENMASK(6, 5)	/* enum flowtrack_class */
#define FT_FLOW_STATE		GENMASK(15, 8)	/* state of the protocol */
#define FT_FLOW_SOURCE		GENMASK(17, 16)	/* how its source counts it */
#define FT_FLOW_SNAT		BIT(18)	/* the initiator's endpoint is translated */
#define FT_FLOW_DNAT		BIT(19)	/* the responder's is */
#define FT_FLOW_NAT		(FT_FLOW_SNAT | FT_FLOW_DNAT)
#define FT_FLOW_REPLY_HI	BIT(20)	/* of its second key, the upper endpoint answers */
#define FT_FLOW_FIXED		BIT(21)	/* packets do not move its deadline */
#define FT_FLOW_UNTOLD_NEW	BIT(22)	/* not all could be told that it began */
#define FT_FLOW_UNTOLD_CHANGE	BIT(23)	/* nor that it has changed */
#define FT_FLOW_UNTOLD		(FT_FLOW_UNTOLD_NEW | FT_FLOW_UNTOLD_CHANGE)
#define FT_FLOW_NAMED		BIT(24)	/* a program knew it before it began: ft_stand_in_name() */

/**
 * enum ft_dir - direction of a packet within its flow
 * @FT_DIR_ORIG: sent by the initiator
 * @FT_DIR_REPLY: sent by the responder
 *
 * The values are those of enum ip_conntrack_dir.
 */
enum ft_dir {
	FT_DIR_ORIG,
	FT_DIR_REPLY,
};

/**
 * struct ft_tcp - window tracking state of a TCP flow, by direction
 * @end: highest sequence number sent, plus one
 * @maxend: highest sequence number that the other side allowed
 * @maxwin: largest window that this side announced, scaled
 * @maxack: highest acknowledgment that this side sent
 * @scale: window scale of this side, 0 to 14
 * @flags: enum flowtrack_tcp_flags
 * @last_seq: sequence number of the last segment that changed anything
 * @last_ack: its acknowledgment
 * @last_end: its end
 * @last_win: its window, unscaled
 * @last_kind: what it was, enum ft_tcp_kind
 * @last_dir: its direction, enum ft_dir
 * @retrans: how often it was retransmitted
 * @last_scale: window scale of an ignored SYN
 * @last_flags: option flags of an ignored SYN, and FT_TCP_LAST_SLIPPED
 */
struct ft_tcp {
	u32 end[2];
	u32 maxend[2];
	u32 maxwin[2];
	u32 maxack[2];
	u8 scale[2];
	u8 flags[2];
	u32 last_seq;
	u32 last_ack;
	u32 last_end;
	u16 last_win;
	u8 last_kind;
	u8 last_dir;
	u8 retrans;
	u8 last_scale;
	u8 last_flags;
};

/**
 * struct ft_sctp - state of an SCTP association, by direction
 * @vtag: verification tag that packets of this direction must carry; 0: unknown
 * @flags: proto/sctp.c
 * @last_dir: direction of the last INIT
 */
struct ft_sctp {
	__be32 vtag[2];
	u8 flags;
	u8 last_dir;
};

/**
 * struct ft_stream - state of UDP, UDP-Lite, GRE, ICMP, and other protocols
 * @since: jiffies32 at the first packet: a stream is older than two seconds
 */
struct ft_stream {
	u32 since;
};

/**
 * union ft_proto_state - what the flow's protocol keeps, 56 bytes; what else
 *	is in them may be left from another flow
 * @tcp: TCP
 * @sctp: SCTP
 * @stream: all others
 */
union ft_proto_state {
	struct ft_tcp tcp;
	struct ft_sctp sctp;
	struct ft_stream stream;
};

/**
 * struct ft_flow - a flow
 * @word: lock and bits, FT_FLOW_*
 * @gen: generation; changes whenever the object is freed
 * @deadline: jiffies32 at which the flow ends unless a packet comes. Written
 *	under the lock, read by anyone
 * @mark: conntrack mark. Written under the lock, read by anyone
 * @packets: by direction, while accounting is on
 * @bytes: by direction, while accounting is on; of the IP packets
 * @key: identity; the IPv6 addresses are in ft_flow6.addr6
 * @key.addr4: see ft_key
 * @born: when the first packet was accepted, ktime_get_boottime_ns(), exact if
 *	the setting timestamp was on, else to the tick
 * @proto: what the protocol keeps
 */
struct ft_flow {
	atomic_t word;
	u32 gen;
	u32 deadline;
	u32 mark;
	u64 packets[2];
	u64 bytes[2];
	struct {
		__be32 addr4[2];
		__be16 port[2];
		u16 zone;
		u8 l4proto;
		u8 family;
	} key __aligned(8);

	/* second cache line */
	u64 born;
	union ft_proto_state proto;
} __aligned(64);

/**
 * struct ft_nat - what a translated flow has besides
 * @port: as ft_key.port, of the answers
 * @masq: number of the device whose address the flow has borrowed; 0: none
 * @addr4: IPv4: as ft_key.addr4, of the answers
 * @addr6: IPv6: likewise; an IPv4 flow has no room for them
 *
 * Answers to a translated flow have another key than its other packets: the
 * second one. Written, and read, as ft_flow.key is.
 */
struct ft_nat {
	__be16 port[2];
	u32 masq;
	union {
		__be32 addr4[2];
		struct in6_addr addr6[2];
	};
};

/**
 * struct ft_flow6 - an IPv6 flow, or a copy of any
 * @f: what all flows have
 * @addr6: lower and upper address
 * @nat: in a copy of a translated flow: what that has besides
 */
struct ft_flow6 {
	struct ft_flow f;
	struct in6_addr addr6[2];
	struct ft_nat nat;
};

/* Bytes of a flow object, and of what a translated one has besides. */
#define FT_FLOW4_BYTES	sizeof(struct ft_flow)
#define FT_FLOW6_BYTES	ALIGN(offsetofend(struct ft_flow6, addr6), 64)
#define FT_NAT4_BYTES	offsetofend(struct ft_nat, addr4)
#define FT_NAT6_BYTES	sizeof(struct ft_nat)

static_assert(FT_FLOW4_BYTES == 128);
static_assert(offsetof(struct ft_flow, born) == 64);
static_assert(FT_FLOW6_BYTES == 192);
static_assert(FT_NAT4_BYTES == 16);
static_assert(FT_NAT6_BYTES == 40);
/* What every packet needs is in the first line, TCP's state in the second. */
static_assert(offsetofend(struct ft_flow, key) == 64);
static_assert(offsetofend(struct ft_flow, proto) == 128);
static_assert(offsetof(struct ft_flow6, addr6) == 128);
static_assert(sizeof(((struct ft_flow *)0)->key) == FT_KEY_HEAD);

/*
 * An arena holds the flow objects of one namespace, of one address family, and
 * either those that are translated or those that are not. Objects are named by an
 * index; the table adds what kind of flow it is.
 */
#define FT_ARENA_CHUNK_SHIFT	16	/* bytes in a chunk: 64 KiB */
#define FT_ARENA_CHUNK		BIT(FT_ARENA_CHUNK_SHIFT)
#define FT_INDEX_V6		BIT(31)
#define FT_INDEX_NAT		BIT(30)
#define FT_INDEX_OBJECT		GENMASK(27, 0)
#define FT_INDEX_NONE		U32_MAX

/* Where in a chunk of translated flows their struct ft_nat begin. */
#define FT_NAT4_AT	(FT_ARENA_CHUNK / (FT_FLOW4_BYTES + FT_NAT4_BYTES) * FT_FLOW4_BYTES)
#define FT_NAT6_AT	(FT_ARENA_CHUNK / (FT_FLOW6_BYTES + FT_NAT6_BYTES) * FT_FLOW6_BYTES)

static_assert(FT_NAT4_AT % __alignof__(struct ft_nat) == 0);
static_assert(FT_NAT6_AT % __alignof__(struct ft_nat) == 0);

static inline struct in6_addr *ft_flow_addr6(struct ft_flow *flow)
{
	return container_of(flow, struct ft_flow6, f)->addr6;
}

/**
 * ft_flow_nat() - what a translated flow has besides
 * @flow: an object of an arena of translated flows, no copy
 * @family: what that is of, whatever becomes of @flow
 *
 * Chunks are aligned to their size.
 *
 * Return: that.
 */
static inline struct ft_nat *ft_flow_nat(const struct ft_flow *flow, u8 family)
{
	u32 offset = (unsigned long)flow % FT_ARENA_CHUNK;
	void *chunk = (void *)flow - offset;

	if (family == NFPROTO_IPV6)
		return chunk + FT_NAT6_AT + offset / FT_FLOW6_BYTES * FT_NAT6_BYTES;
	return chunk + FT_NAT4_AT + offset / FT_FLOW4_BYTES * FT_NAT4_BYTES;
}

bool ft_flow_answers(const struct ft_flow *flow, const struct ft_key *key);
bool ft_flow_nat_dir(const struct ft_flow *flow, u32 word, const struct ft_key *key,
		     bool from_hi, enum ft_dir *dir);

static inline u32 ft_now(void)
{
	return (u32)jiffies;
}

/**
 * ft_time_left() - time until a deadline
 * @deadline: jiffies32
 * @now: ft_now()
 *
 * Return: jiffies; zero or negative once it has passed.
 */
static inline s32 ft_time_left(u32 deadline, u32 now)
{
	return (s32)(deadline - now);
}

/**
 * ft_flow_left() - time until a flow ends
 * @flow: the flow
 * @now: ft_now()
 *
 * Return: jiffies; zero or negative once it has expired.
 */
static inline s32 ft_flow_left(const struct ft_flow *flow, u32 now)
{
	return ft_time_left(READ_ONCE(flow->deadline), now);
}

static inline u8 ft_word_state(u32 word)
{
	return FIELD_GET(FT_FLOW_STATE, word);
}

static inline enum flowtrack_class ft_word_class(u32 word)
{
	return FIELD_GET(FT_FLOW_CLASS, word);
}

/**
 * ft_word_set() - bits of a flow with another state
 * @word: bits as they are, FT_FLOW_*
 * @state: state of the protocol
 * @class: what the flow is worth in that state
 *
 * Return: the bits.
 */
static inline u32 ft_word_set(u32 word, u8 state, enum flowtrack_class class)
{
	word &= ~(FT_FLOW_STATE | FT_FLOW_CLASS);
	return word | FIELD_PREP(FT_FLOW_STATE, state) |
	       FIELD_PREP(FT_FLOW_CLASS, class);
}

static inline enum ft_dir ft_word_dir(u32 word, bool from_hi)
{
	return from_hi == !!(word & FT_FLOW_ORIG_HI) ? FT_DIR_ORIG : FT_DIR_REPLY;
}

/**
 * ft_flow_dir() - direction of a packet within its flow
 * @flow: a flow of which the packet has one of the keys
 * @word: its bits
 * @key: of the packet
 * @from_hi: the upper endpoint of @key sends it
 * @dir: set
 *
 * Which key of a translated flow it is tells the direction; packets that have that
 * key, but come from the other end, are of no flow.
 *
 * Context: as ft_flow_matches().
 * Return: false if the packet is none of the flow's.
 */
static inline bool ft_flow_dir(const struct ft_flow *flow, u32 word, const struct ft_key *key,
			       bool from_hi, enum ft_dir *dir)
{
	*dir = ft_word_dir(word, from_hi);
	return likely(!(word & FT_FLOW_NAT)) || ft_flow_nat_dir(flow, word, key, from_hi, dir);
}

/**
 * ft_flow_alive() - begin to look at a flow without its lock
 * @flow: a flow object, dead or alive
 * @gen: set to its generation
 * @word: set to its bits
 *
 * A generation begins when an object is freed, and is that of the object while
 * it is dead and of its next life. So what is read belongs to that life only if
 * the object is alive *after* the generation was read: a dead object still has
 * the deadline of the life before.
 *
 * Context: RCU read side.
 * Return: false if it is dead: give up.
 */
static inline bool ft_flow_alive(const struct ft_flow *flow, u32 *gen, u32 *word)
{
	*gen = READ_ONCE(flow->gen);
	/* Pairs with the release in ft_flow_unlock(). */
	smp_rmb();
	*word = atomic_read(&flow->word) & ~FT_FLOW_LOCK;
	/* Likewise. */
	smp_rmb();
	return !(*word & FT_FLOW_DEAD);
}

/* Is that the first key of a flow, dead or alive? */
static inline bool ft_flow_named(const struct ft_flow *flow, const struct ft_key *key)
{
	const u64 *a = (const u64 *)&flow->key;
	const u64 *b = (const u64 *)key;

	if (READ_ONCE(a[0]) != b[0] || READ_ONCE(a[1]) != b[1])
		return false;
	if (key->family == NFPROTO_IPV6) {
		a = (const u64 *)ft_flow_addr6((struct ft_flow *)flow);
		b = (const u64 *)key->addr6;
		if ((a[0] ^ b[0]) | (a[1] ^ b[1]) | (a[2] ^ b[2]) |
		    (a[3] ^ b[3]))
			return false;
	}
	return true;
}

/**
 * ft_flow_matches() - is this the flow of that key?
 * @flow: a flow object, dead or alive; no copy of one
 * @key: identity wanted; of a translated flow, either of its keys
 *
 * Context: RCU read side, or the flow's lock.
 * Return: true if so; without the lock, at some moment during the call.
 */
static inline bool ft_flow_matches(const struct ft_flow *flow,
				   const struct ft_key *key)
{
	if (!ft_flow_named(flow, key) &&
	    (!(atomic_read(&flow->word) & FT_FLOW_NAT) || !ft_flow_answers(flow, key)))
		return false;
	return !(atomic_read(&flow->word) & FT_FLOW_DEAD);
}

/**
 * ft_flow_lock() - lock a flow object, whatever it is by now
 * @flow: the object
 *
 * Innermost of all locks but for the one of the table's bucket, inside of which
 * it may be taken, never the other way round.
 *
 * Context: BH disabled, or a packet on this CPU could spin on its own lock for
 * good. Preemption is disabled here, too: on PREEMPT_RT disabling BH does not.
 * RCU read side, unless the object is the caller's own.
 */
static inline void ft_flow_lock(struct ft_flow *flow)
{
	preempt_disable();
	/* Acquire pairs with the release in ft_flow_unlock(). */
	while (atomic_fetch_or_acquire(FT_FLOW_LOCK, &flow->word) &
	       FT_FLOW_LOCK) {
		while (atomic_read(&flow->word) & FT_FLOW_LOCK)
			cpu_relax();
	}
}

/**
 * ft_flow_unlock() - unlock a flow and store its bits
 * @flow: the flow
 * @word: all bits, FT_FLOW_*; the lock bit is ignored
 *
 * Others can only have tried to set the lock bit meanwhile, so a plain store
 * loses nothing.
 */
static inline void ft_flow_unlock(struct ft_flow *flow, u32 word)
{
	/* Release pairs with the acquire in ft_flow_lock(). */
	atomic_set_release(&flow->word, word & ~FT_FLOW_LOCK);
	preempt_enable();
}

/**
 * ft_flow_lock_key() - lock a flow if it still is the one of a key
 * @flow: an object that a lookup found
 * @key: identity wanted
 *
 * An expired flow is refused: its successor may be in the table already, and
 * refreshing it would make two of them.
 *
 * Context: BH disabled, RCU read side.
 * Return: true with the lock held, or false: it ended meanwhile.
 */
static inline bool ft_flow_lock_key(struct ft_flow *flow,
				    const struct ft_key *key)
{
	ft_flow_lock(flow);
	if (ft_flow_matches(flow, key) && ft_flow_left(flow, ft_now()) > 0)
		return true;
	ft_flow_unlock(flow, atomic_read(&flow->word));
	return false;
}

bool ft_flow_kill(struct ft_flow *flow, u32 gen);
bool ft_flow_kill_idle(struct ft_flow *flow, u32 gen, u32 deadline);
void ft_flow_key(const struct ft_flow *flow, struct ft_key *key);
void ft_flow_answer_key(const struct ft_flow *flow, struct ft_key *key);
void ft_nat_set(struct ft_nat *nat, const struct ft_key *answer, u32 masq);
void ft_nat_key(const struct ft_flow *flow, const struct ft_nat *nat, struct ft_key *key);
bool ft_copy_matches(const struct ft_flow6 *copy, const struct ft_key *key);
bool ft_flow_peek(const struct ft_flow *flow, struct ft_key *key, u32 *word);
void ft_flow_copy(const struct ft_flow *flow, struct ft_flow6 *copy);
void ft_flow_untold(struct ft_flow *flow, u32 gen, u32 untold);
bool ft_flow_snapshot(struct ft_flow *flow, u32 gen, struct ft_flow6 *copy);

struct ft_arena;
struct mem_cgroup;

struct ft_arena *ft_arena_create(size_t object_size, size_t besides);
void ft_arena_charge(struct ft_arena *arena, struct mem_cgroup *memcg);
void ft_arena_destroy(struct ft_arena *arena);
struct ft_flow *ft_arena_at(const struct ft_arena *arena, u32 index);
struct ft_flow *ft_arena_alloc(struct ft_arena *arena, u32 *index);
void ft_arena_free(struct ft_arena *arena, struct ft_flow *flow, u32 index);
size_t ft_arena_bytes(const struct ft_arena *arena);

#endif /* _FT_FLOW_FLOW_H */
