/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the kernel tells when a table reaches a watermark.
 */
#ifndef FT_PRESSURE_H
#define FT_PRESSURE_H

#include "top.h"

#define PRESSURE_CLASSES	(FLOWTRACK_CLASS_ASSURED + 1)

struct nlmsghdr;
struct out;

/**
 * struct pressure - a notification
 * @table: whose table: enum flowtrack_tracker
 * @level: enum flowtrack_level
 * @count: flows
 * @room: how many there may be, without the reserved ones
 * @fill: @count, per mille of @room
 * @rate: new flows per second; of flowtrack's table only
 * @flows: by class
 * @source: holds most flows
 * @service: what most are to
 * @has_source: @source is known
 * @has_service: @service is known
 * @policy: enum flowtrack_policy
 * @factor: permille left of timeouts, by class
 * @since: milliseconds since the last notification
 * @evicted: flows evicted since
 * @dropped: newcomers dropped since
 * @passed: newcomers let through with no entry since
 * @refused: newcomers refused for their source since
 * @sysctl: name of the one that helps
 */
struct pressure {
	__u8 table;
	__u8 level;
	__u32 count;
	__u32 room;
	__u32 fill;
	__u32 rate;
	__u32 flows[PRESSURE_CLASSES];
	struct top_entry source;
	struct top_entry service;
	bool has_source;
	bool has_service;
	__u8 policy;
	__u32 factor[PRESSURE_CLASSES];
	__u64 since;
	__u64 evicted;
	__u64 dropped;
	__u64 passed;
	__u64 refused;
	char sysctl[64];
};

void pressure_parse(const struct nlmsghdr *nlh, struct pressure *p);
void pressure_text(struct out *o, const struct pressure *p);
void pressure_json(struct out *o, const struct pressure *p);

#endif /* FT_PRESSURE_H */
