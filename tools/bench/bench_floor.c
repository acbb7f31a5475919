// SPDX-License-Identifier: GPL-2.0
/*
 * What a lookup can't do without: a line of an array of buckets, and a line of
 * an array of flows whose place only the first one tells. Nothing else is done
 * between the two, and the next read depends on the second one, as a packet's
 * header is not known before the packet before it is done with.
 */
#include <linux/gfp.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/timekeeping.h>

#include "bench.h"

#define BUCKET	64
#define FLOW	128
#define SLICE	4096
/* Added up, it keeps the walk from closing a circle. */
#define TURN	0x9e3779b1u
#define ORDER	min(MAX_PAGE_ORDER, 10)

/**
 * struct lines - an array in as few and large pieces as the kernel has
 * @piece: the pieces
 * @n: how many
 * @shift: log2 of the objects in a piece
 * @size: bytes of an object
 * @objects: how many objects there are
 */
struct lines {
	u8 **piece;
	unsigned int n;
	unsigned int shift;
	u64 size;
	u64 objects;
};

static void lines_free(struct lines *lines)
{
	unsigned int i;

	for (i = 0; lines->piece && i < lines->n; i++)
		free_pages((unsigned long)lines->piece[i], ORDER);
	kvfree(lines->piece);
}

static u64 *line_at(const struct lines *lines, u64 i)
{
	u64 in_piece = i & (BIT_ULL(lines->shift) - 1);

	return (u64 *)(lines->piece[i >> lines->shift] + in_piece * lines->size);
}

static int lines_alloc(struct lines *lines, u64 size, u64 objects)
{
	u64 i;

	lines->size = size;
	lines->objects = objects;
	lines->shift = ilog2((PAGE_SIZE << ORDER) / size);
	lines->n = (objects >> lines->shift) + 1;
	lines->piece = kvcalloc(lines->n, sizeof(*lines->piece), GFP_KERNEL);
	if (!lines->piece)
		return -ENOMEM;
	for (i = 0; i < lines->n; i++) {
		lines->piece[i] = (u8 *)__get_free_pages(GFP_KERNEL, ORDER);
		if (!lines->piece[i])
			return -ENOMEM;
	}
	for (i = 0; i < objects; i++)
		*line_at(lines, i) = bench_mix(i ^ size);
	return 0;
}

static u64 read_line(const struct lines *lines, u64 x)
{
	return READ_ONCE(*line_at(lines, (x & U32_MAX) * lines->objects >> 32));
}

/**
 * bench_floor() - time pairs of dependent random reads
 * @buckets: lines of 64 bytes in the first array
 * @flows: objects of 128 bytes in the second one
 * @reads: pairs to read
 * @ps: set to picoseconds for a pair, of the least disturbed 4096
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int bench_floor(u64 buckets, u64 flows, u64 reads, u64 *ps)
{
	struct lines first = {}, second = {};
	u64 i, n, x = 1, turn = 0, start;
	int err;

	err = lines_alloc(&first, BUCKET, buckets);
	if (!err)
		err = lines_alloc(&second, FLOW, flows);
	if (err)
		goto out;

	*ps = U64_MAX;
	for (; reads >= SLICE; reads -= n) {
		n = SLICE;
		start = ktime_get_ns();
		for (i = 0; i < n; i++) {
			x = read_line(&first, x + turn);
			x = read_line(&second, x);
			turn += TURN;
		}
		*ps = min(*ps, (ktime_get_ns() - start) * 1000 / n);
		cond_resched();
	}
out:
	lines_free(&first);
	lines_free(&second);
	return err;
}
