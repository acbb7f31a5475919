/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How often each of many things was met, in memory that does not grow.
 *
 * Up to FT_TALLY_KEYS different things are counted exactly. When there are more,
 * as much is taken off every count as makes half of them vanish, and the tally
 * goes on (Misra and Gries, "Finding repeated elements", 1982): what was met often
 * stays, and each count is too low by ft_tally.short_by at most, which is no more
 * than 4 / FT_TALLY_KEYS of all that was counted.
 */
#ifndef _FT_BASE_TALLY_H
#define _FT_BASE_TALLY_H

#include <linux/types.h>

#define FT_TALLY_KEYS	8192u
#define FT_TALLY_SLOTS	(4 * FT_TALLY_KEYS)

/**
 * struct ft_tally_key - what is counted
 * @v: whatever it is, as words; those that are not used are zero
 */
struct ft_tally_key {
	u32 v[5];
};

/**
 * struct ft_tally_entry - one of the things
 * @key: what
 * @n: how often it was met, or a bit less
 */
struct ft_tally_entry {
	struct ft_tally_key key;
	u32 n;
};

/**
 * struct ft_tally - counts
 * @n: entries in use
 * @seed: of the hash
 * @short_by: how much any count may be too low; 0: they are exact
 * @total: how often anything was met
 * @slot: hash of @entry, by index plus one; 0: free
 * @entry: the counts
 */
struct ft_tally {
	u32 n;
	u32 seed;
	u32 short_by;
	u32 total;
	u16 slot[FT_TALLY_SLOTS];
	struct ft_tally_entry entry[FT_TALLY_KEYS];
};

struct ft_tally *ft_tally_alloc(void);
void ft_tally_free(struct ft_tally *tally);
void ft_tally_reset(struct ft_tally *tally);
void ft_tally_add(struct ft_tally *tally, const struct ft_tally_key *key);
void ft_tally_sort(struct ft_tally *tally);

#endif /* _FT_BASE_TALLY_H */
