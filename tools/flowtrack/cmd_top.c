// SPDX-License-Identifier: GPL-2.0
/*
 * flowtrack top: who holds most flows, and who opens most.
 */
#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "cmd.h"
#include "names.h"
#include "nl.h"
#include "top.h"

#define DEFAULT_LIMIT	10

/* The kernel makes a new report after a second; a bit later it is there. */
static const struct timespec next_report = { .tv_sec = 1, .tv_nsec = 100000000 };

static __u32 number(const struct nlattr *a)
{
	if (!mnl_attr_validate(a, MNL_TYPE_U32))
		return mnl_attr_get_u32(a);
	if (!mnl_attr_validate(a, MNL_TYPE_U16))
		return mnl_attr_get_u16(a);
	if (!mnl_attr_validate(a, MNL_TYPE_U8))
		return mnl_attr_get_u8(a);
	return 0;
}

static void take_address(struct top_entry *e, const struct nlattr *a,
			 size_t len)
{
	if (mnl_attr_get_payload_len(a) == len)
		memcpy(e->addr, mnl_attr_get_payload(a), len);
}

/**
 * top_take_entry() - read an entry
 * @e: filled in
 * @nest: attribute
 */
void top_take_entry(struct top_entry *e, const struct nlattr *nest)
{
	const struct nlattr *a;

	memset(e, 0, sizeof(*e));
	mnl_attr_for_each_nested(a, nest) {
		switch (mnl_attr_get_type(a)) {
		case FLOWTRACK_A_TOP_ENTRY_FAMILY:
			e->family = number(a);
			break;
		case FLOWTRACK_A_TOP_ENTRY_ADDR4:
			take_address(e, a, 4);
			break;
		case FLOWTRACK_A_TOP_ENTRY_ADDR6:
			take_address(e, a, 16);
			break;
		case FLOWTRACK_A_TOP_ENTRY_PREFIX:
			e->prefix = number(a);
			break;
		case FLOWTRACK_A_TOP_ENTRY_L4PROTO:
			e->l4proto = number(a);
			break;
		case FLOWTRACK_A_TOP_ENTRY_PORT:
			e->port = ntohs(number(a));
			break;
		case FLOWTRACK_A_TOP_ENTRY_FLOWS:
			e->flows = number(a);
			break;
		case FLOWTRACK_A_TOP_ENTRY_RATE:
			e->rate = number(a);
			break;
		case FLOWTRACK_A_TOP_ENTRY_SHARE:
			e->share = number(a);
			break;
		case FLOWTRACK_A_TOP_ENTRY_GUARDED:
			e->guarded = number(a);
			break;
		}
	}
}

static int top_message(const struct nlmsghdr *nlh, void *data)
{
	struct top *top = data;
	const struct nlattr *a;

	mnl_attr_for_each(a, nlh, GENL_HDRLEN) {
		switch (mnl_attr_get_type(a)) {
		case FLOWTRACK_A_TOP_TOTAL:
			top->total = number(a);
			break;
		case FLOWTRACK_A_TOP_SAMPLED:
			top->sampled = number(a);
			break;
		case FLOWTRACK_A_TOP_EXACT:
			top->exact = number(a);
			break;
		case FLOWTRACK_A_TOP_WINDOW:
			top->window = number(a);
			break;
		case FLOWTRACK_A_TOP_BIRTHS:
			top->births = number(a);
			break;
		case FLOWTRACK_A_TOP_RATE:
			top->rate = number(a);
			break;
		case FLOWTRACK_A_TOP_ENTRY:
			if (top->n < TOP_MAX)
				top_take_entry(&top->entry[top->n++], a);
			break;
		case FLOWTRACK_A_TOP_GUARDED:
			top->guarded = number(a);
			break;
		}
	}
	return 0;
}

/**
 * top_get() - ask for a list
 * @nl: socket
 * @top: filled in
 * @kind: enum flowtrack_top_kind
 * @order: enum flowtrack_top_order
 * @limit: entries at most
 *
 * Return: an exit code.
 */
int top_get(struct nl *nl, struct top *top, __u8 kind, __u8 order,
	    unsigned int limit)
{
	struct nlmsghdr *req = nl_request(nl, FLOWTRACK_CMD_TOP_GET);

	memset(top, 0, sizeof(*top));
	top->kind = kind;
	top->order = order;
	mnl_attr_put_u8(req, FLOWTRACK_A_TOP_KIND, kind);
	mnl_attr_put_u8(req, FLOWTRACK_A_TOP_ORDER, order);
	mnl_attr_put_u32(req, FLOWTRACK_A_TOP_LIMIT, limit);
	return nl_talk(nl, req, top_message, top);
}

static void address(const struct top_entry *e, char *buf, size_t size)
{
	if (!inet_ntop(e->family, e->addr, buf, size))
		snprintf(buf, size, "?");
}

static void put_proto(const struct top_entry *e, char *buf, size_t size)
{
	const char *name = proto_name(e->l4proto);

	if (name)
		snprintf(buf, size, "%s", name);
	else
		snprintf(buf, size, "proto %u", e->l4proto);
}

/**
 * top_entry_name() - who or what an entry is about
 * @e: entry
 * @buf: filled in
 * @size: of @buf, TOP_NAME_SIZE
 */
void top_entry_name(const struct top_entry *e, char *buf, size_t size)
{
	size_t len;

	if (e->family) {
		address(e, buf, size);
		len = strlen(buf);
		if (e->prefix < (e->family == AF_INET ? 32 : 128))
			snprintf(buf + len, size - len, "/%u", e->prefix);
		return;
	}
	put_proto(e, buf, size);
	len = strlen(buf);
	if (proto_has_ports(e->l4proto))
		snprintf(buf + len, size - len, " %u", e->port);
}

/**
 * top_title() - what is known of all flows, in one line
 * @top: the list
 * @buf: filled in
 * @size: of @buf
 */
void top_title(const struct top *top, char *buf, size_t size)
{
	int len;

	len = snprintf(buf, size, "%u flows", top->total);
	if (top->guarded)
		len += snprintf(buf + len, size - len, ", %u guarded",
				top->guarded);
	if (!top->exact)
		len += snprintf(buf + len, size - len, ", %u looked at",
				top->sampled);
	if (top->window)
		snprintf(buf + len, size - len, ", %u new a second", top->rate);
}

/**
 * top_head() - the names of the columns
 * @top: the list
 * @buf: filled in
 * @size: of @buf
 */
void top_head(const struct top *top, char *buf, size_t size)
{
	snprintf(buf, size, "%10s %10s %10s %7s  %s", "flows", "guarded",
		 "new/s", "share", name_of(&top_kind_names, top->kind));
}

/**
 * top_line() - an entry, in one line
 * @top: the list
 * @i: which entry
 * @buf: filled in
 * @size: of @buf
 */
void top_line(const struct top *top, unsigned int i, char *buf, size_t size)
{
	const struct top_entry *e = &top->entry[i];
	char name[TOP_NAME_SIZE], rate[16] = "-";

	top_entry_name(e, name, sizeof(name));
	if (top->window)
		snprintf(rate, sizeof(rate), "%u", e->rate);
	snprintf(buf, size, "%10u %10u %10s %5u.%u%%  %s", e->flows, e->guarded,
		 rate, e->share / 10, e->share % 10, name);
}

static void print_text(const struct top *top)
{
	char line[128];
	unsigned int i;

	top_head(top, line, sizeof(line));
	out_fmt(&std, "%s\n", line);
	for (i = 0; i < top->n; i++) {
		top_line(top, i, line, sizeof(line));
		out_fmt(&std, "%s\n", line);
	}
}

/**
 * top_json_who() - who or what an entry is about, as members of an object
 * @o: where to
 * @e: entry
 */
void top_json_who(struct out *o, const struct top_entry *e)
{
	char name[TOP_NAME_SIZE];

	if (e->family) {
		address(e, name, sizeof(name));
		out_fmt(o, "\"address\":\"%s\",\"prefix\":%u", name, e->prefix);
		return;
	}
	put_proto(e, name, sizeof(name));
	out_fmt(o, "\"proto\":\"%s\"", name);
	if (proto_has_ports(e->l4proto))
		out_fmt(o, ",\"port\":%u", e->port);
}

static void print_json(const struct top *top)
{
	unsigned int i;

	out_fmt(&std, ",\"%s\":[", name_of(&top_kind_names, top->kind));
	for (i = 0; i < top->n; i++) {
		const struct top_entry *e = &top->entry[i];

		out_str(&std, i ? ",\n{" : "\n{");
		top_json_who(&std, e);
		out_fmt(&std, ",\"flows\":%u,\"guarded\":%u", e->flows,
			e->guarded);
		if (top->window)
			out_fmt(&std, ",\"rate\":%u", e->rate);
		out_fmt(&std, ",\"share\":%u.%03u}", e->share / 1000,
			e->share % 1000);
	}
	out_str(&std, "\n]");
}

static void print_json_title(const struct top *top)
{
	out_fmt(&std, "{\"total\":%u,\"guarded\":%u,\"sampled\":%u", top->total,
		top->guarded, top->sampled);
	out_fmt(&std, ",\"exact\":%s,\"order\":\"%s\"",
		top->exact ? "true" : "false",
		name_of(&top_order_names, top->order));
	if (top->window)
		out_fmt(&std, ",\"window_ms\":%u,\"births\":%u,\"rate\":%u",
			top->window, top->births, top->rate);
}

/* One kind, or all three; with rates, which need two reports. */
static int print_once(struct nl *nl, const struct options *opts, int kind,
		      __u8 order)
{
	unsigned int limit = opts->count ? opts->count : DEFAULT_LIMIT;
	int first = kind < 0 ? 0 : kind;
	int last = kind < 0 ? TOP_KINDS - 1 : kind;
	static struct top top;
	char line[128];
	int code;

	code = top_get(nl, &top, first, order, limit);
	if (!code && !top.window) {
		nanosleep(&next_report, NULL);
		code = top_get(nl, &top, first, order, limit);
	}
	if (code)
		return code;
	if (opts->json) {
		print_json_title(&top);
	} else {
		top_title(&top, line, sizeof(line));
		out_fmt(&std, "%s\n", line);
	}
	for (kind = first; kind <= last; kind++) {
		code = kind == first ? EXIT_OK :
				       top_get(nl, &top, kind, order, limit);
		if (code) {
			std.len = 0;
			return code;
		}
		if (opts->json) {
			print_json(&top);
		} else {
			if (first != last)
				out_str(&std, "\n");
			print_text(&top);
		}
	}
	if (opts->json)
		out_str(&std, "}\n");
	return EXIT_OK;
}

static int parse_words(int argc, char **argv, int *kind, __u8 *order)
{
	int i, value;

	for (i = 0; i < argc; i++) {
		value = value_of(&top_kind_names, argv[i]);
		if (value >= 0) {
			if (*kind >= 0)
				return err_set(EXIT_USAGE, "'%s': one kind only",
					       argv[i]);
			*kind = value;
			continue;
		}
		value = value_of(&top_order_names, argv[i]);
		if (value < 0)
			return err_set(EXIT_USAGE,
				       "unknown word '%s': expected source, destination, service, flows or rate",
				       argv[i]);
		*order = value;
	}
	return EXIT_OK;
}

int cmd_top(const struct options *opts, int argc, char **argv)
{
	__u8 order = FLOWTRACK_TOP_ORDER_FLOWS;
	bool once = opts->once || opts->json || !isatty(std.fd);
	static struct nl nl;
	int kind = -1;
	int code, err;

	if (opts->count > TOP_MAX)
		return err_set(EXIT_USAGE,
			       "bad value '%llu' of '--count': expected 1 to %u",
			       opts->count, TOP_MAX);
	code = parse_words(argc, argv, &kind, &order);
	if (code)
		return code;
	code = nl_open(&nl, opts->netns);
	if (code)
		return code;
	if (once)
		code = print_once(&nl, opts, kind, order);
	else
		code = top_screen(&nl, kind < 0 ? 0 : kind, order, opts->count,
				  opts->delay ? opts->delay : 2);
	nl_close(&nl);
	err = out_close(&std);
	return code ? code : err;
}
