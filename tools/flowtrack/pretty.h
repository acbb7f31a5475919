/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Flows as a table for people: with a head, as wide as what stands in it.
 */
#ifndef FT_PRETTY_H
#define FT_PRETTY_H

#include <linux/types.h>
#include <stdbool.h>

struct flow;

enum pretty_column {
	PRETTY_PROTO,
	PRETTY_STATE,
	PRETTY_SOURCE,
	PRETTY_DESTINATION,
	PRETTY_PACKETS,
	PRETTY_BYTES,
	PRETTY_AGE,
	PRETTY_EXPIRES,
	PRETTY_CLASS,
	PRETTY_COLUMNS,
};

/**
 * struct pretty - the table
 * @human: numbers with units
 * @color: with escape sequences
 * @width: of the columns; 0: not shown, nothing would stand in it
 */
struct pretty {
	bool human;
	bool color;
	unsigned int width[PRETTY_COLUMNS];
};

void pretty_init(struct pretty *pr, bool human, bool color);
void pretty_measure(struct pretty *pr, const struct flow *f);
char *pretty_head(char *p, const struct pretty *pr);
char *pretty_flow(char *p, const struct pretty *pr, const struct flow *f);

void pretty_size(char *buf, __u64 v);
void pretty_time(char *buf, __u64 seconds);

#endif /* FT_PRETTY_H */
