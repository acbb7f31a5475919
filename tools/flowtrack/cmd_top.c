// SPDX-License-Identifier: GPL-2.0
/*
 * flowtrack top: the sources, destinations, services and external addresses with most flows.
 */
#include <time.h>
#include <unistd.h>

#include "cmd.h"
#include "names.h"
#include "nl.h"
#include "top.h"

#define DEFAULT_LIMIT	10

/* The kernel makes a new report after a second; a bit later it is there. */
static const struct timespec next_report = { .tv_sec = 1, .tv_nsec = 100000000 };

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
		if (top->bytes)
			out_fmt(&std, ",\"bytes\":%llu", (unsigned long long)e->bytes);
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
	if (top->bytes)
		out_fmt(&std, ",\"bytes\":%llu", (unsigned long long)top->bytes);
}

/* One kind, or all of them; with rates, which need two reports. */
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
		} else if (first == last || kind != FLOWTRACK_TOP_KIND_EXTERNAL || top.n) {
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
				       "unknown word '%s': expected source, destination, service, external, flows, rate or bytes",
				       argv[i]);
		*order = value;
	}
	return EXIT_OK;
}

int cmd_top(const struct options *opts, int argc, char **argv)
{
	__u8 order = FLOWTRACK_TOP_ORDER_FLOWS;
	/* A screen needs keys, too: without a terminal to type at, getch() never waits. */
	bool once = opts->once || opts->json || !isatty(std.fd) || !isatty(STDIN_FILENO);
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
