/* SPDX-License-Identifier: GPL-2.0 */
/*
 * SipHash-1-3, all 64 bits of it: one round for a word and three at the end, where
 * the kernel's siphash() has two and four.
 *
 * It is what the kernel's hsiphash() computes on 64-bit machines, which returns half of
 * it. As with that, the result may place something in a hash table, and must not leave
 * the kernel: no attack on it is known, but its margin is smaller than that of siphash().
 *
 * Words are given one by one, so that data of a length known at compile time takes no
 * loop, and no copy.
 */
#ifndef _FT_BASE_SIPHASH13_H
#define _FT_BASE_SIPHASH13_H

#include <linux/siphash.h>
#include <linux/types.h>

/**
 * struct ft_siphash13 - a hash being computed
 * @v: its four words
 */
struct ft_siphash13 {
	u64 v[4];
};

static __always_inline void ft_siphash13_round(struct ft_siphash13 *h)
{
	SIPHASH_PERMUTATION(h->v[0], h->v[1], h->v[2], h->v[3]);
}

/**
 * ft_siphash13_begin() - begin to hash
 * @h: to be set
 * @key: secret
 *
 * Context: any.
 */
static __always_inline void ft_siphash13_begin(struct ft_siphash13 *h, const siphash_key_t *key)
{
	h->v[0] = SIPHASH_CONST_0 ^ key->key[0];
	h->v[1] = SIPHASH_CONST_1 ^ key->key[1];
	h->v[2] = SIPHASH_CONST_2 ^ key->key[0];
	h->v[3] = SIPHASH_CONST_3 ^ key->key[1];
}

/**
 * ft_siphash13_word() - hash the next eight bytes
 * @h: the hash
 * @word: the bytes, as the CPU reads them
 *
 * Context: any.
 */
static __always_inline void ft_siphash13_word(struct ft_siphash13 *h, u64 word)
{
	h->v[3] ^= word;
	ft_siphash13_round(h);
	h->v[0] ^= word;
}

/**
 * ft_siphash13_end() - the hash of all words, and of a few bytes behind them
 * @h: the hash; of no more use
 * @rest: the bytes that are left, 7 at most: the highest byte is zero
 * @len: bytes in all, those of all words included
 *
 * Context: any.
 * Return: 64 bits.
 */
static __always_inline u64 ft_siphash13_end(struct ft_siphash13 *h, u64 rest, unsigned int len)
{
	ft_siphash13_word(h, rest | (u64)len << 56);
	h->v[2] ^= 0xff;
	ft_siphash13_round(h);
	ft_siphash13_round(h);
	ft_siphash13_round(h);
	return h->v[0] ^ h->v[1] ^ h->v[2] ^ h->v[3];
}

#endif /* _FT_BASE_SIPHASH13_H */
