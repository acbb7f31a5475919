/* SPDX-License-Identifier: GPL-2.0 */
/*
 * flowtrack watch: how full the table is, with what, and what comes and goes;
 * now, and over the time that was watched.
 */
#ifndef FT_WATCH_H
#define FT_WATCH_H

#include <linux/nf_flowtrack.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

/* So many looks are remembered: a wide screen. */
#define WATCH_HISTORY	512
/* There was no look, or none before it that a rate could be of. */
#define WATCH_UNKNOWN	(~0U)

struct nl;

enum watch_row {
	WATCH_FILL,
	WATCH_NEW,
	WATCH_ENDED,
	WATCH_EVICTED,
	WATCH_DROPPED,
	WATCH_CLOSING,
	WATCH_EMBRYONIC,
	WATCH_REPLIED,
	WATCH_ASSURED,
	WATCH_CONNTRACK,
	WATCH_ROWS,
};

/**
 * struct watch_look - what the kernel said
 * @ms: when, milliseconds of the monotonic clock
 * @value: by FLOWTRACK_A_STATS_*
 */
struct watch_look {
	__u64 ms;
	__u64 value[__FLOWTRACK_A_STATS_MAX];
};

/**
 * struct watch - all looks
 * @utf8: the terminal has blocks of eight heights
 * @n: how many looks there were
 * @last: the last one
 * @point: of each row the last WATCH_HISTORY values, a ring: permille, per
 *	second, or flows
 */
struct watch {
	bool utf8;
	unsigned int n;
	struct watch_look last;
	__u32 point[WATCH_ROWS][WATCH_HISTORY];
};

int watch_look(struct nl *nl, struct watch *w);
void watch_add(struct watch *w, const struct watch_look *look);
void watch_title(const struct watch *w, char *buf, size_t size);
void watch_line(const struct watch *w, enum watch_row row, int columns, char *buf, size_t size);
void watch_text_head(char *buf, size_t size);
void watch_text(const struct watch *w, char *buf, size_t size);
int watch_screen(struct nl *nl, struct nl *events, unsigned int delay, __u64 count);

#endif /* FT_WATCH_H */
