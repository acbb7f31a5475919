/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Metrics: read from /proc, printed in Prometheus' text format.
 */
#ifndef FT_METRICS_H
#define FT_METRICS_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#include "top.h"

#define METRIC_NAME	40	/* bytes of a name, at most */

struct nl;
struct out;

/**
 * struct metric - one value of one namespace
 * @name: without the prefix that all have
 * @gauge: of this moment; false: a counter
 * @value: value
 */
struct metric {
	char name[METRIC_NAME];
	bool gauge;
	__u64 value;
};

/* Lists of top talkers that are metrics. */
#define METRIC_TOPS	2

/**
 * struct metrics_of - the values of a namespace
 * @netns: its name; NULL: the one that the program was started in
 * @metric: values
 * @n: how many
 * @top: lists of top talkers, each with no entry unless there is one
 */
struct metrics_of {
	char *netns;
	struct metric metric[96];
	unsigned int n;
	struct top top[METRIC_TOPS];
};

/**
 * struct metrics - the values of one namespace or more
 * @of: by namespace
 * @n: how many namespaces
 */
struct metrics {
	struct metrics_of *of;
	unsigned int n;
};

void metrics_init(struct metrics *m);
int metrics_read(struct metrics *m, const char *proc, const char *netns);
void metrics_read_top(struct metrics *m, struct nl *nl, unsigned int limit);
void metrics_print(const struct metrics *m, struct out *o, bool openmetrics);
void metrics_free(struct metrics *m);
const char *metric_help(const char *name);

#endif /* FT_METRICS_H */
