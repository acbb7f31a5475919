/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The pairs of addresses that flows of a table are between, one bit for each.
 *
 * A packet between two addresses whose bit is not set is of no flow in the table, and
 * has not to be parsed to know that. Addresses only: they are all that has to be read.
 *
 * A new flow sets its bit, and a packet reads one, so where the bits are set already
 * nobody writes. Nothing clears a bit. Instead, all are made anew now and then from the
 * flows that there are, see ft_sieve_begin().
 */
#ifndef _FT_FLOW_SIEVE_H
#define _FT_FLOW_SIEVE_H

#include <linux/bitops.h>
#include <linux/compiler.h>
#include <linux/hash.h>
#include <linux/types.h>

#define FT_SIEVE_SHIFT	15

struct ft_key;
struct sk_buff;

/**
 * struct ft_sieve - pairs of addresses
 * @bits: two sets of them, in one piece of memory
 * @cur: which one packets ask
 * @both: new flows set their bit in both, as the other one is being made
 */
struct ft_sieve {
	unsigned long *bits[2];
	u8 cur;
	bool both;
};

int ft_sieve_init(struct ft_sieve *sieve);
void ft_sieve_exit(struct ft_sieve *sieve);
void ft_sieve_add(struct ft_sieve *sieve, const struct ft_key *key);
bool ft_sieve_may_have(const struct ft_sieve *sieve, const struct sk_buff *skb, u8 family);
bool ft_sieve_stale(const struct ft_sieve *sieve, u32 flows);
void ft_sieve_begin(struct ft_sieve *sieve);
void ft_sieve_end(struct ft_sieve *sieve);

/**
 * ft_sieve_pair() - the bit of a pair of addresses
 * @a: an address; of IPv6, ft_fold6() of it
 * @b: the other one; the same in either order
 *
 * Context: any; pure.
 * Return: its number.
 */
static inline u32 ft_sieve_pair(__be32 a, __be32 b)
{
	const u32 x = (__force u32)a, y = (__force u32)b;

	return hash_64((u64)(x ^ y) << 32 | (u32)(x + y), FT_SIEVE_SHIFT);
}

/**
 * ft_sieve_has() - might a flow be between two addresses?
 * @sieve: of the table
 * @pair: ft_sieve_pair() of them
 *
 * Context: RCU read side.
 * Return: false if there is none; true if there is one, was one, or others have the
 * same bit.
 */
static inline bool ft_sieve_has(const struct ft_sieve *sieve, u32 pair)
{
	return test_bit(pair, sieve->bits[READ_ONCE(sieve->cur)]);
}

#endif /* _FT_FLOW_SIEVE_H */
