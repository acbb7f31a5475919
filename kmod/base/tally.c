// SPDX-License-Identifier: GPL-2.0
#include <linux/bitops.h>
#include <linux/jhash.h>
#include <linux/mm.h>
#include <linux/random.h>
#include <linux/sort.h>
#include <linux/string.h>

#include "base/tally.h"

/* The hash has indexes plus one, and is never more than a quarter full. */
static_assert(FT_TALLY_KEYS < U16_MAX);

/**
 * ft_tally_alloc() - an empty tally
 *
 * Context: may sleep.
 * Return: the tally, charged to the caller; NULL: no memory.
 */
struct ft_tally *ft_tally_alloc(void)
{
	struct ft_tally *tally;

	tally = kvmalloc(sizeof(*tally), GFP_KERNEL_ACCOUNT);
	if (tally)
		ft_tally_reset(tally);
	return tally;
}

/**
 * ft_tally_free() - free a tally
 * @tally: the tally, or NULL
 *
 * Context: may sleep.
 */
void ft_tally_free(struct ft_tally *tally)
{
	kvfree(tally);
}

/**
 * ft_tally_reset() - begin anew
 * @tally: the tally
 *
 * Context: any.
 */
void ft_tally_reset(struct ft_tally *tally)
{
	tally->n = 0;
	tally->seed = get_random_u32();
	tally->short_by = 0;
	tally->total = 0;
	memset(tally->slot, 0, sizeof(tally->slot));
}

/* The slot of a key: its own, or the free one where it belongs. */
static u16 *slot_of(struct ft_tally *tally, const struct ft_tally_key *key)
{
	u32 i = jhash2(key->v, ARRAY_SIZE(key->v), tally->seed);
	u16 *slot;

	for (;; i++) {
		slot = &tally->slot[i % FT_TALLY_SLOTS];
		if (!*slot || !memcmp(&tally->entry[*slot - 1].key, key, sizeof(*key)))
			return slot;
	}
}

/* The least power of two that half of the counts are no greater than. */
static u32 common_count(const struct ft_tally *tally)
{
	u32 n[33] = {}, seen = 0, i;

	for (i = 0; i < tally->n; i++)
		n[fls(tally->entry[i].n - 1)]++;
	for (i = 0; i < 31; i++) {
		seen += n[i];
		if (2 * seen >= tally->n)
			break;
	}
	return BIT(i);
}

/*
 * Make half of the entries vanish, or more. Of the others more than half of what
 * is taken off was there, so that all of it together is bounded by the total.
 */
static void thin_out(struct ft_tally *tally)
{
	u32 off = common_count(tally), i, kept = 0;
	struct ft_tally_entry *entry;

	memset(tally->slot, 0, sizeof(tally->slot));
	for (i = 0; i < tally->n; i++) {
		if (tally->entry[i].n <= off)
			continue;
		entry = &tally->entry[kept++];
		*entry = tally->entry[i];
		entry->n -= off;
		*slot_of(tally, &entry->key) = kept;
	}
	tally->n = kept;
	tally->short_by += off;
}

/**
 * ft_tally_add() - something was met
 * @tally: the tally
 * @key: what
 *
 * Context: any. Now and then all entries are looked at.
 */
void ft_tally_add(struct ft_tally *tally, const struct ft_tally_key *key)
{
	struct ft_tally_entry *entry;
	u16 *slot;

	tally->total++;
	slot = slot_of(tally, key);
	if (!*slot && tally->n == FT_TALLY_KEYS) {
		thin_out(tally);
		slot = slot_of(tally, key);
	}
	if (!*slot) {
		entry = &tally->entry[tally->n];
		entry->key = *key;
		entry->n = 0;
		*slot = ++tally->n;
	}
	tally->entry[*slot - 1].n++;
}

/* By key if both were met as often: the order is the same each time. */
static int compare_entries(const void *a, const void *b)
{
	const struct ft_tally_entry *one = a, *two = b;

	if (one->n != two->n)
		return one->n < two->n ? 1 : -1;
	return memcmp(&one->key, &two->key, sizeof(one->key));
}

/**
 * ft_tally_sort() - what was met most often, first
 * @tally: the tally; nothing is added any more
 *
 * Context: may sleep: takes a millisecond or two.
 */
void ft_tally_sort(struct ft_tally *tally)
{
	sort(tally->entry, tally->n, sizeof(tally->entry[0]), compare_entries, NULL);
}
