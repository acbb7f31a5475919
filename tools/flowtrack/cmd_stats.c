// SPDX-License-Identifier: GPL-2.0
/*
 * flowtrack stats: counters since the namespace was made.
 */
#include <linux/nf_flowtrack.h>
#include <stdbool.h>

#include "cmd.h"
#include "names.h"
#include "nl.h"
#include "stats.h"

/**
 * struct print - prints the counters of one or more CPUs
 * @json: as JSON
 * @cpu: one line per CPU
 * @n: how many sets were printed
 */
struct print {
	bool json;
	bool cpu;
	unsigned int n;
};

static int stats_message(const struct nlmsghdr *nlh, void *data)
{
	struct print *s = data;
	const char *sep = "";
	struct stats stats;
	unsigned int i;

	stats_parse(nlh, &stats);
	if (s->json)
		out_str(&std, !s->cpu ? "{" : s->n ? ",\n{" : "\n{");
	for (i = 0; i < stats_names.n; i++) {
		const char *name = stats_names.name[i];

		if (!stats.has[i] || !name)
			continue;
		if (s->json)
			out_fmt(&std, "%s\"%s\":%llu", sep, name, stats.value[i]);
		else if (s->cpu)
			out_fmt(&std, "%s%s=%llu", sep, name, stats.value[i]);
		else
			out_fmt(&std, "%-21s %llu\n", name, stats.value[i]);
		sep = s->json ? "," : " ";
	}
	if (s->json)
		out_str(&std, "}");
	else if (s->cpu)
		out_str(&std, "\n");
	s->n++;
	return 0;
}

static bool stats_restart(void *data)
{
	struct print *s = data;

	std.len = 0;
	s->n = 0;
	if (s->json)
		out_str(&std, "[");
	return true;
}

int cmd_stats(const struct options *opts, int argc, char **argv)
{
	struct print s = { .json = opts->json, .cpu = opts->cpu };
	static struct nl nl;
	struct nlmsghdr *req;
	int code, err;

	if (argc)
		return err_set(EXIT_USAGE, "unknown word '%s': stats takes none",
			       argv[0]);
	code = nl_open(&nl, opts->netns);
	if (code)
		return code;
	req = nl_request(&nl, FLOWTRACK_CMD_STATS_GET);
	if (opts->cpu) {
		if (opts->json)
			out_str(&std, "[");
		code = nl_dump(&nl, req, stats_message, stats_restart, &s);
		if (opts->json)
			out_str(&std, "\n]");
	} else {
		code = nl_talk(&nl, req, stats_message, &s);
	}
	nl_close(&nl);
	if (code) {
		std.len = 0;
		return code;
	}
	if (opts->json)
		out_str(&std, "\n");
	err = out_close(&std);
	if (err)
		return err;
	return nl.interrupted ? EXIT_INTERRUPTED : EXIT_OK;
}
