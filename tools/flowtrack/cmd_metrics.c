// SPDX-License-Identifier: GPL-2.0
/*
 * flowtrack metrics: counters and gauges in Prometheus' text format. They come from
 * files that everybody may read, so that they need no privilege; only another
 * network namespace does, and top talkers, which are for those who may see flows.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "metrics.h"
#include "nl.h"

#define NETNS_DIR	"/run/netns"
/* Namespaces besides the current one, unless --count says how many. */
#define NETNS_MAX	64

/* Left out where not even a socket is allowed. */
static void take_top(struct metrics *m, unsigned int limit)
{
	static struct nl nl;

	if (nl_open(&nl, NULL)) {
		err_clear();
		return;
	}
	metrics_read_top(m, &nl, limit);
	nl_close(&nl);
}

/* Reads what a namespace has, as a member of it. Return: an exit code. */
static int take(struct metrics *m, const char *netns, unsigned int top)
{
	int code;

	if (netns) {
		code = enter_netns(netns);
		if (code)
			return code;
	}
	code = metrics_read(m, "/proc", netns);
	if (!code && top)
		take_top(m, top);
	return code;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char * const *)a, *(char * const *)b);
}

/* The names of ip-netns(8), in order. Return: how many, or -1 with errno. */
static int netns_names(char ***names)
{
	DIR *dir = opendir(NETNS_DIR);
	struct dirent *entry;
	int n = 0, size = 0;
	char **grown;

	*names = NULL;
	if (!dir)
		return errno == ENOENT ? 0 : -1;
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		if (n == size) {
			size = size ? 2 * size : 64;
			grown = realloc(*names, size * sizeof(**names));
			if (!grown)
				break;
			*names = grown;
		}
		(*names)[n] = strdup(entry->d_name);
		if (!(*names)[n])
			break;
		n++;
	}
	closedir(dir);
	if (n)
		qsort(*names, n, sizeof(**names), by_name);
	return n;
}

/* The named namespaces, without those that are gone meanwhile or have no flowtrack. */
static int take_named(struct metrics *m, __u64 most, unsigned int top)
{
	char **names;
	int i, n;

	n = netns_names(&names);
	if (n < 0)
		return err_set(EXIT_REFUSED, NETNS_DIR ": %s", strerror(errno));
	for (i = 0; i < n; i++) {
		if ((__u64)i == most)
			warn("%d of %d namespaces; --count says how many are shown", i, n);
		if ((__u64)i < most && take(m, names[i], top))
			err_clear();
		free(names[i]);
	}
	free(names);
	return EXIT_OK;
}

int cmd_metrics(const struct options *opts, int argc, char **argv)
{
	struct metrics m;
	int code;

	if (argc)
		return err_set(EXIT_USAGE, "unknown word '%s': metrics takes none", argv[0]);
	if (opts->json)
		return err_set(EXIT_USAGE,
			       "metrics have Prometheus' text format; 'stats' has JSON");
	if (opts->all && opts->netns)
		return err_set(EXIT_USAGE, "--all and --netns exclude each other");
	metrics_init(&m);
	code = take(&m, opts->netns, opts->top);
	if (!code && opts->all)
		code = take_named(&m, opts->count ? opts->count : NETNS_MAX, opts->top);
	if (!code)
		metrics_print(&m, &std, opts->openmetrics);
	metrics_free(&m);
	return code ? code : out_close(&std);
}
