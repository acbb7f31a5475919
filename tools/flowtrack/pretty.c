// SPDX-License-Identifier: GPL-2.0
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "flow.h"
#include "names.h"
#include "out.h"
#include "pretty.h"
#include "print.h"

/* The longest: an address with a port and an ICMP query. */
#define CELL	96

static const struct {
	const char *head;
	bool right;
} columns[PRETTY_COLUMNS] = {
	[PRETTY_PROTO] = { "PROTO", false },
	[PRETTY_STATE] = { "STATE", false },
	[PRETTY_SOURCE] = { "SOURCE", false },
	[PRETTY_DESTINATION] = { "DESTINATION", false },
	[PRETTY_PACKETS] = { "PACKETS", true },
	[PRETTY_BYTES] = { "BYTES", true },
	[PRETTY_AGE] = { "AGE", true },
	[PRETTY_EXPIRES] = { "EXPIRES", true },
	[PRETTY_CLASS] = { "CLASS", false },
};

/**
 * pretty_size() - a number of bytes or packets in four or five characters
 * @buf: filled in, 8 bytes
 * @v: number
 */
void pretty_size(char *buf, __u64 v)
{
	static const char units[] = "kMGTPE";
	unsigned int unit = 0, tenths;
	__u64 next = v;

	if (v < 1024) {
		snprintf(buf, 8, "%u", (unsigned int)v);
		return;
	}
	while (next >= 1024 * 1024) {
		next /= 1024;
		unit++;
	}
	tenths = next % 1024 * 10 / 1024;
	next /= 1024;
	if (next < 10)
		snprintf(buf, 8, "%u.%u%c", (unsigned int)next, tenths, units[unit]);
	else
		snprintf(buf, 8, "%u%c", (unsigned int)next, units[unit]);
}

/**
 * pretty_time() - a time in its two largest units
 * @buf: filled in, 24 bytes
 * @seconds: the time
 */
void pretty_time(char *buf, __u64 seconds)
{
	if (seconds < 60)
		snprintf(buf, 24, "%llus", seconds);
	else if (seconds < 3600)
		snprintf(buf, 24, "%llum%02llus", seconds / 60, seconds % 60);
	else if (seconds < 86400)
		snprintf(buf, 24, "%lluh%02llum", seconds / 3600, seconds / 60 % 60);
	else
		snprintf(buf, 24, "%llud%02lluh", seconds / 86400, seconds / 3600 % 24);
}

static void put_number(char *cell, const struct pretty *pr, __u64 v)
{
	if (pr->human)
		pretty_size(cell, v);
	else
		snprintf(cell, CELL, "%llu", v);
}

static void put_period(char *cell, const struct pretty *pr, __u64 ms)
{
	if (pr->human)
		pretty_time(cell, ms / 1000);
	else
		snprintf(cell, CELL, "%llu", ms / 1000);
}

/* One end of a direction, with what the protocol has in the place of a port. */
static char *put_end(char *p, const struct flow_tuple *t, bool source)
{
	const __u8 *addr = source ? t->src : t->dst;
	bool port = t->has & TUPLE_BIT(SPORT);

	if (t->has & TUPLE_BIT(SRC4)) {
		p = put_ip4(p, addr);
	} else if (t->has & TUPLE_BIT(SRC6)) {
		if (port)
			*p++ = '[';
		p = put_ip6(p, addr);
		if (port)
			*p++ = ']';
	}
	if (port) {
		*p++ = ':';
		p = put_u64(p, ntohs(source ? t->sport : t->dport));
	}
	if (!source && t->has & TUPLE_BIT(ICMP_ID)) {
		p = put_lit(p, " type ");
		p = put_u64(p, t->icmp_type);
		p = put_lit(p, " id ");
		p = put_u64(p, ntohs(t->icmp_id));
	}
	if (!source && t->has & TUPLE_BIT(GRE_KEY)) {
		p = put_lit(p, " key ");
		p = put_hex(p, ntohl(t->gre_key));
	}
	return p;
}

static void put_end_cell(char *cell, const struct flow *f, bool source)
{
	*put_end(cell, &f->tuple[ORIG], source) = '\0';
}

/* Answers that come from, or go to, somewhere else: NAT. */
static char *put_nat(char *p, const struct flow *f)
{
	const struct flow_tuple *t = &f->tuple[REPLY];

	if (!flow_translated(f))
		return p;
	p = put_lit(p, "nat ");
	p = put_end(p, t, true);
	*p++ = ' ';
	p = put_end(p, t, false);
	*p++ = ' ';
	return p;
}

/* What few flows have, and no column is worth. */
static void put_rest(char *cell, const struct flow *f)
{
	char *p = cell;

	if (flow_has(f, FLOWTRACK_A_FLOW_TRACKER) && f->tracker == FLOWTRACK_TRACKER_GUARDED)
		p = put_lit(p, "guarded ");
	if (flow_has(f, FLOWTRACK_A_FLOW_MARK) && f->mark) {
		p = put_lit(p, "mark ");
		p = put_hex(p, f->mark);
		*p++ = ' ';
	}
	if (flow_has(f, FLOWTRACK_A_FLOW_ZONE) && f->zone) {
		p = put_lit(p, "zone ");
		p = put_u64(p, f->zone);
		*p++ = ' ';
	}
	if (flow_has(f, FLOWTRACK_A_FLOW_REPLY))
		p = put_nat(p, f);
	if (p > cell)
		p--;
	*p = '\0';
}

static void put_cell(char *cell, const struct pretty *pr, const struct flow *f,
		     enum pretty_column column)
{
	bool counted = f->has & (FLOW_BIT(COUNTERS_ORIG) | FLOW_BIT(COUNTERS_REPLY));
	const char *name = NULL;

	*cell = '\0';
	switch (column) {
	case PRETTY_PROTO:
		name = proto_name(f->l4proto);
		snprintf(cell, CELL, name ? "%s" : "%.0s%u", name ? name : "", f->l4proto);
		break;
	case PRETTY_STATE:
		if (flow_has(f, FLOWTRACK_A_FLOW_STATE))
			name = name_of(proto_states(f->l4proto), f->state);
		snprintf(cell, CELL, "%s", name ? name : "-");
		break;
	case PRETTY_SOURCE:
		put_end_cell(cell, f, true);
		break;
	case PRETTY_DESTINATION:
		put_end_cell(cell, f, false);
		break;
	case PRETTY_PACKETS:
		if (counted)
			put_number(cell, pr, f->packets[ORIG] + f->packets[REPLY]);
		break;
	case PRETTY_BYTES:
		if (counted)
			put_number(cell, pr, f->bytes[ORIG] + f->bytes[REPLY]);
		break;
	case PRETTY_AGE:
		if (flow_has(f, FLOWTRACK_A_FLOW_AGE))
			put_period(cell, pr, f->age);
		break;
	case PRETTY_EXPIRES:
		if (flow_has(f, FLOWTRACK_A_FLOW_TIMEOUT))
			put_period(cell, pr, f->timeout);
		break;
	case PRETTY_CLASS:
		if (flow_has(f, FLOWTRACK_A_FLOW_CLASS))
			name = name_of(&class_names, f->class);
		snprintf(cell, CELL, "%s", name ? name : "");
		break;
	default:
		break;
	}
}

void pretty_init(struct pretty *pr, bool human, bool color)
{
	memset(pr, 0, sizeof(*pr));
	pr->human = human;
	pr->color = color;
}

/**
 * pretty_measure() - make room for a flow
 * @pr: table
 * @f: flow
 */
void pretty_measure(struct pretty *pr, const struct flow *f)
{
	char cell[4 * CELL];
	unsigned int i, len;

	for (i = 0; i < PRETTY_COLUMNS; i++) {
		put_cell(cell, pr, f, i);
		len = strlen(cell);
		if (!len)
			continue;
		if (!pr->width[i])
			pr->width[i] = strlen(columns[i].head);
		if (len > pr->width[i])
			pr->width[i] = len;
	}
}

/* A cell, and what keeps it apart from the next one. */
static char *end_cell(char *p, const char *cell, const struct pretty *pr,
		      enum pretty_column column, const char *escape)
{
	int pad = (int)pr->width[column] - (int)strlen(cell);

	if (pad < 0)
		pad = 0;
	if (columns[column].right)
		p += sprintf(p, "%*s", pad, "");
	p = put_str(p, escape);
	p = put_str(p, cell);
	if (*escape)
		p = put_lit(p, COLOR_OFF);
	if (!columns[column].right)
		p += sprintf(p, "%*s", pad, "");
	return put_lit(p, "  ");
}

static char *trim(char *p)
{
	while (p[-1] == ' ')
		p--;
	return p;
}

/**
 * pretty_head() - the names of the columns
 * @p: room for OUT_LINE bytes
 * @pr: table
 *
 * Return: behind the last character; the newline is the caller's.
 */
char *pretty_head(char *p, const struct pretty *pr)
{
	unsigned int i;

	for (i = 0; i < PRETTY_COLUMNS; i++)
		if (pr->width[i])
			p = end_cell(p, columns[i].head, pr, i, "");
	return trim(p);
}

/**
 * pretty_flow() - a flow as a line of the table
 * @p: room for OUT_LINE bytes
 * @pr: table
 * @f: flow
 *
 * What is longer than what was measured pushes the rest to the right.
 *
 * Return: behind the last character; the newline is the caller's.
 */
char *pretty_flow(char *p, const struct pretty *pr, const struct flow *f)
{
	const char *escape = pr->color ? class_color(f) : "";
	char cell[4 * CELL];
	unsigned int i;

	for (i = 0; i < PRETTY_COLUMNS; i++) {
		bool colored = i == PRETTY_STATE || i == PRETTY_CLASS;

		if (!pr->width[i])
			continue;
		put_cell(cell, pr, f, i);
		p = end_cell(p, cell, pr, i, colored && *cell ? escape : "");
	}
	put_rest(cell, f);
	return trim(put_str(p, cell));
}
