/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The part of the monitor that prints, apart from the part that listens.
 */
#ifndef FT_MONITOR_H
#define FT_MONITOR_H

#include "flow.h"
#include "pressure.h"

struct filter;
struct nlmsghdr;
struct options;
struct out;

/**
 * struct monitor - prints notifications
 * @o: where to
 * @opts: options
 * @filter: which ones
 * @events: how many were printed
 * @listed: flows of the table that were printed since the last loss
 * @flow: the current one
 * @pressure: likewise, where a watermark was crossed
 */
struct monitor {
	struct out *o;
	const struct options *opts;
	const struct filter *filter;
	__u64 events;
	__u64 listed;
	struct flow flow;
	struct pressure pressure;
};

int monitor_listed(const struct nlmsghdr *nlh, void *data);
void monitor_lost(struct monitor *m, __u64 events);
void monitor_synced(struct monitor *m, __u64 flows);
int monitor_message(const struct nlmsghdr *nlh, void *data);

#endif /* FT_MONITOR_H */
