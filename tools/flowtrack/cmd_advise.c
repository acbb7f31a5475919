// SPDX-License-Identifier: GPL-2.0
/*
 * flowtrack advise: look at the load for a while, and say which sizes and
 * timeouts it needs.
 */
#include <libmnl/libmnl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "advise.h"
#include "cmd.h"
#include "doctor.h"
#include "filter.h"
#include "flow.h"
#include "netns.h"
#include "nl.h"
#include "settings.h"

#define LOOK		10	/* seconds, by default */
#define SET(name)	FLOWTRACK_A_SETTINGS_##name
#define STAT(name)	FLOWTRACK_A_STATS_##name

static __u64 evicted(const struct stats *s)
{
	return s->value[STAT(EVICT_EMBRYONIC)] + s->value[STAT(EVICT_REPLIED)] +
	       s->value[STAT(EVICT_ASSURED)];
}

static __u64 refused(const struct stats *s)
{
	return s->value[STAT(FULL_DROP)] + s->value[STAT(FULL_PASS)];
}

static void take_peaks(struct load *l, const struct stats *s)
{
	if (s->value[STAT(FLOWS)] > l->peak)
		l->peak = s->value[STAT(FLOWS)];
	if (s->value[STAT(CONNTRACK)] > l->conntrack)
		l->conntrack = s->value[STAT(CONNTRACK)];
	l->conntrack_max = s->value[STAT(CONNTRACK_MAX)];
	l->embryonic = s->value[STAT(FLOWS_EMBRYONIC)];
}

static int watch(struct load *l, struct nl *nl)
{
	struct stats first, now;
	__u32 i;
	int code;

	code = stats_get(nl, &first);
	if (!code)
		take_peaks(l, &first);
	now = first;
	for (i = 0; i < l->seconds && !code; i++) {
		sleep(1);
		code = stats_get(nl, &now);
		if (!code)
			take_peaks(l, &now);
	}
	if (code)
		return code;
	l->opened = now.value[STAT(INSERT)] - first.value[STAT(INSERT)];
	l->refused = refused(&now) - refused(&first);
	l->evicted = evicted(&now) - evicted(&first);
	return EXIT_OK;
}

/* A packet sets the timeout of its flow: what is gone of it is how long none came. */
static int take_established(const struct nlmsghdr *nlh, void *data)
{
	struct load *l = data;
	struct flow f;

	if (flow_parse(nlh, &f) || !flow_has(&f, FLOWTRACK_A_FLOW_TIMEOUT))
		return 0;
	l->established++;
	if (l->established_timeout > f.timeout / 1000 + ADVISE_IDLE)
		l->idle++;
	return 0;
}

static bool forget_established(void *data)
{
	struct load *l = data;

	l->established = 0;
	l->idle = 0;
	return true;
}

static int look_at_established(struct load *l, struct nl *nl)
{
	char own[] = "own", tcp[] = "tcp", state[] = "state=established", *words[3];
	struct nlmsghdr *req;
	struct filter filter;
	int code;

	words[0] = own;
	words[1] = tcp;
	words[2] = state;
	code = filter_parse(&filter, 3, words, 0);
	if (code)
		return code;
	req = nl_request(nl, FLOWTRACK_CMD_FLOW_GET);
	filter_put(req, &filter);
	return nl_dump(nl, req, take_established, forget_established, l);
}

static int look(struct load *l, struct nl *nl)
{
	__u32 value[__FLOWTRACK_A_SETTINGS_MAX] = { 0 };
	static struct facts facts;
	static struct top top;
	__u64 has, follow;
	int code;

	code = get_settings(nl, value, &has, &follow);
	if (code)
		return code;
	l->max = value[SET(MAX_FLOWS)];
	l->established_timeout = value[SET(TCP_TIMEOUT_ESTABLISHED)];
	l->src_max = value[SET(SRC_MAX)];
	code = watch(l, nl);
	if (!code)
		code = look_at_established(l, nl);
	if (!code)
		code = top_get(nl, &top, FLOWTRACK_TOP_KIND_SOURCE, FLOWTRACK_TOP_ORDER_FLOWS, 1);
	if (!code && top.n)
		l->source = top.entry[0].share;
	/* The table has grown with the load. */
	if (!code)
		code = get_settings(nl, value, &has, &follow);
	l->buckets = value[SET(BUCKETS)];
	l->buckets_auto = value[SET(BUCKETS_AUTO)];
	files_host(&facts, "");
	l->memory = facts.host.memory;
	return code;
}

static void print_text(const struct load *l, const struct advice *advice, unsigned int n)
{
	unsigned int i;

	out_fmt(&std, "# in %u s: %llu flows at most, %llu new ones, %llu had no place\n",
		l->seconds, l->peak, l->opened, l->refused + l->evicted);
	for (i = 0; i < n; i++) {
		out_fmt(&std, "# %s\n", advice[i].why);
		if (advice[i].command[0])
			out_fmt(&std, "%s\n", advice[i].command);
	}
}

static void print_json(const struct load *l, const struct advice *advice, unsigned int n)
{
	const char *command;
	unsigned int i;
	char *p;

	out_fmt(&std, "{\"seconds\":%u,\"flows\":%llu,\"opened\":%llu,\"lost\":%llu,\"advice\":[",
		l->seconds, l->peak, l->opened, l->refused + l->evicted);
	for (i = 0; i < n; i++) {
		out_str(&std, i ? ",\n{\"command\":" : "\n{\"command\":");
		command = advice[i].command;
		p = out_room(&std);
		p = *command ? put_json(p, command, sizeof(advice->command)) : put_lit(p, "null");
		p = put_lit(p, ",\"why\":");
		p = put_json(p, advice[i].why, sizeof(advice[i].why));
		p = put_lit(p, "}");
		out_commit(&std, p);
	}
	out_str(&std, "\n]}\n");
}

int cmd_advise(const struct options *opts, int argc, char **argv)
{
	struct load load = { .seconds = opts->delay ? opts->delay : LOOK };
	struct advice advice[ADVICE_MAX];
	static struct nl nl;
	unsigned int i, n;
	int code;

	if (argc)
		return err_set(EXIT_USAGE, "unknown word '%s': advise takes none", argv[0]);
	code = nl_open(&nl, opts->netns);
	if (code)
		return code;
	code = look(&load, &nl);
	nl_close(&nl);
	if (code)
		return code;
	n = advise(&load, advice);
	for (i = 0; i < n; i++)
		netns_command(advice[i].command, sizeof(advice[i].command), opts->netns);
	if (opts->json)
		print_json(&load, advice, n);
	else
		print_text(&load, advice, n);
	return out_close(&std);
}
