// SPDX-License-Identifier: GPL-2.0
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "nl.h"
#include "watch.h"

#define A(name)		FLOWTRACK_A_STATS_##name

/* A line: the name, the value of now, its course, and the largest value of that. */
#define NAME_WIDTH	12
#define VALUE_WIDTH	10
#define MAX_WIDTH	14

static const struct {
	const char *name;
	const char *unit;
} rows[WATCH_ROWS] = {
	[WATCH_FILL] = { "fill", "%" },
	[WATCH_NEW] = { "new", "/s" },
	[WATCH_ENDED] = { "ended", "/s" },
	[WATCH_EVICTED] = { "evicted", "/s" },
	[WATCH_DROPPED] = { "dropped", "/s" },
	[WATCH_CLOSING] = { "closing", "" },
	[WATCH_EMBRYONIC] = { "embryonic", "" },
	[WATCH_REPLIED] = { "replied", "" },
	[WATCH_ASSURED] = { "assured", "" },
	[WATCH_CONNTRACK] = { "conntrack", "" },
};

static int look_message(const struct nlmsghdr *nlh, void *data)
{
	struct watch_look *look = data;
	const struct nlattr *a;

	mnl_attr_for_each(a, nlh, GENL_HDRLEN)
		if (mnl_attr_get_type(a) < __FLOWTRACK_A_STATS_MAX)
			look->value[mnl_attr_get_type(a)] = nl_number(a);
	return 0;
}

/**
 * watch_look() - ask the kernel
 * @nl: socket
 * @w: the answer is added
 *
 * Return: an exit code.
 */
int watch_look(struct nl *nl, struct watch *w)
{
	static struct watch_look look;
	struct timespec now;
	int code;

	memset(&look, 0, sizeof(look));
	code = nl_talk(nl, nl_request(nl, FLOWTRACK_CMD_STATS_GET), look_message, &look);
	if (code)
		return code;
	clock_gettime(CLOCK_MONOTONIC, &now);
	look.ms = now.tv_sec * 1000ULL + now.tv_nsec / 1000000;
	watch_add(w, &look);
	return 0;
}

/* Counters of what the row is about; 0: none, it is a gauge. */
static __u64 counted(const struct watch_look *look, enum watch_row row)
{
	const __u64 *v = look->value;

	switch (row) {
	case WATCH_NEW:
		return v[A(INSERT)];
	case WATCH_ENDED:
		return v[A(INSERT)] - v[A(FLOWS)];
	case WATCH_EVICTED:
		return v[A(EVICT_CLOSING)] + v[A(EVICT_EMBRYONIC)] + v[A(EVICT_REPLIED)] +
		       v[A(EVICT_ASSURED)];
	case WATCH_DROPPED:
		return v[A(FULL_DROP)] + v[A(GUARD_DROP)];
	default:
		return 0;
	}
}

static __u32 rate(const struct watch *w, const struct watch_look *look, enum watch_row row)
{
	__u64 ms = look->ms - w->last.ms;
	__s64 more = counted(look, row) - counted(&w->last, row);

	if (!w->n || !ms)
		return WATCH_UNKNOWN;
	/* The module was loaded anew; or flows and counters are not of one moment. */
	return more < 0 ? 0 : (more * 1000 + ms / 2) / ms;
}

static __u32 point_of(const struct watch *w, const struct watch_look *look, enum watch_row row)
{
	const __u64 *v = look->value;

	switch (row) {
	case WATCH_FILL:
		return v[A(FLOWS_MAX)] ? v[A(FLOWS)] * 1000 / v[A(FLOWS_MAX)] : 0;
	case WATCH_CLOSING:
		return v[A(FLOWS_CLOSING)];
	case WATCH_EMBRYONIC:
		return v[A(FLOWS_EMBRYONIC)];
	case WATCH_REPLIED:
		return v[A(FLOWS_REPLIED)];
	case WATCH_ASSURED:
		return v[A(FLOWS_ASSURED)];
	case WATCH_CONNTRACK:
		return v[A(CONNTRACK)];
	default:
		return rate(w, look, row);
	}
}

/**
 * watch_add() - remember a look
 * @w: looks
 * @look: this one
 */
void watch_add(struct watch *w, const struct watch_look *look)
{
	unsigned int i;

	for (i = 0; i < WATCH_ROWS; i++)
		w->point[i][w->n % WATCH_HISTORY] = point_of(w, look, i);
	w->last = *look;
	w->n++;
}

/* The value of so many looks ago. */
static __u32 past(const struct watch *w, enum watch_row row, unsigned int ago)
{
	if (ago >= w->n || ago >= WATCH_HISTORY)
		return WATCH_UNKNOWN;
	return w->point[row][(w->n - 1 - ago) % WATCH_HISTORY];
}

static __u32 largest(const struct watch *w, enum watch_row row, unsigned int looks)
{
	__u32 max = 0, v;

	while (looks--) {
		v = past(w, row, looks);
		if (v != WATCH_UNKNOWN && v > max)
			max = v;
	}
	return max;
}

/* Classes have one scale, so that their heights tell which is largest. */
static __u32 scale_of(const struct watch *w, enum watch_row row, unsigned int looks)
{
	__u32 max = 0, v;
	unsigned int i;

	if (row == WATCH_FILL)
		return 1000;
	if (row < WATCH_CLOSING || row > WATCH_ASSURED)
		return largest(w, row, looks);
	for (i = WATCH_CLOSING; i <= WATCH_ASSURED; i++) {
		v = largest(w, i, looks);
		if (v > max)
			max = v;
	}
	return max;
}

static const char *block(const struct watch *w, __u32 v, __u32 scale)
{
	static const char * const utf8[] = {
		"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█",
	};
	static const char * const ascii[] = { "_", ".", ":", "-", "=", "+", "*", "#" };
	unsigned int height;

	if (v == WATCH_UNKNOWN)
		return " ";
	height = v && scale ? 1 + v * 6ULL / scale : 0;
	if (height > 7)
		height = 7;
	return w->utf8 ? utf8[height] : ascii[height];
}

static void value_text(enum watch_row row, __u32 v, char *buf, size_t size)
{
	if (v == WATCH_UNKNOWN)
		snprintf(buf, size, "-");
	else if (row == WATCH_FILL)
		snprintf(buf, size, "%u.%u%%", v / 10, v % 10);
	else
		snprintf(buf, size, "%u%s", v, rows[row].unit);
}

/**
 * watch_line() - a row: its name, the value of now, and its course
 * @w: looks
 * @row: row
 * @columns: of the screen
 * @buf: filled in
 * @size: of @buf; a block takes three bytes
 */
void watch_line(const struct watch *w, enum watch_row row, int columns, char *buf, size_t size)
{
	int course = columns - NAME_WIDTH - VALUE_WIDTH - MAX_WIDTH - 4;
	char now[24], max[24];
	size_t len;
	__u32 scale;
	int i;

	if (course > WATCH_HISTORY)
		course = WATCH_HISTORY;
	value_text(row, past(w, row, 0), now, sizeof(now));
	len = snprintf(buf, size, "%-*s %*s", NAME_WIDTH, rows[row].name, VALUE_WIDTH, now);
	if (course < 1)
		return;
	scale = scale_of(w, row, course);
	buf[len++] = ' ';
	buf[len++] = ' ';
	for (i = course - 1; i >= 0 && len + 4 < size; i--)
		len += snprintf(buf + len, size - len, "%s", block(w, past(w, row, i), scale));
	value_text(row, largest(w, row, course), max, sizeof(max));
	snprintf(buf + len, size - len, " max %s", max);
}

/**
 * watch_title() - both tables, in one line
 * @w: looks
 * @buf: filled in
 * @size: of @buf
 */
void watch_title(const struct watch *w, char *buf, size_t size)
{
	const __u64 *v = w->last.value;

	snprintf(buf, size,
		 "flowtrack: %llu of %llu flows; nf_conntrack: %llu of %llu, %llu guarded",
		 v[A(FLOWS)], v[A(FLOWS_MAX)], v[A(CONNTRACK)], v[A(CONNTRACK_MAX)],
		 v[A(GUARDED)]);
}

/* Where there is no screen: a line for each look. */
void watch_text_head(char *buf, size_t size)
{
	unsigned int i;
	int len = 0;

	for (i = 0; i < WATCH_ROWS; i++) {
		char head[24];

		snprintf(head, sizeof(head), "%s%s", rows[i].name, rows[i].unit);
		len += snprintf(buf + len, size - len, "%s%10s", i ? " " : "", head);
	}
}

void watch_text(const struct watch *w, char *buf, size_t size)
{
	unsigned int i;
	int len = 0;

	for (i = 0; i < WATCH_ROWS; i++) {
		__u32 v = past(w, i, 0);
		char value[24];

		if (v == WATCH_UNKNOWN)
			snprintf(value, sizeof(value), "-");
		else if (i == WATCH_FILL)
			snprintf(value, sizeof(value), "%u.%u", v / 10, v % 10);
		else
			snprintf(value, sizeof(value), "%u", v);
		len += snprintf(buf + len, size - len, "%s%10s", i ? " " : "", value);
	}
}
