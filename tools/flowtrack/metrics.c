// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "metrics.h"
#include "out.h"
#include "top.h"

#define PREFIX		"nf_flowtrack_"
#define N_OF(array)	(sizeof(array) / sizeof((array)[0]))

/* In /proc/net/stat, as the module has them. */
static const char * const stat_files[] = {
	"nf_flowtrack", "nf_flowtrack_full", "nf_flowtrack_guard",
};

/* Sysctls that are gauges; those of nf_conntrack are not there without it. */
static const struct {
	const char *file;
	const char *name;
	bool needed;
} gauges[] = {
	{ "nf_flowtrack_count", "entries", true },
	{ "nf_flowtrack_max", "entries_limit", true },
	{ "nf_conntrack_count", "conntrack_entries", false },
	{ "nf_conntrack_max", "conntrack_entries_limit", false },
};

/* Lists of top talkers; an entry's name is the label. */
static const struct {
	const char *name;
	const char *label;
	__u8 kind;
	const char *help;
} tops[METRIC_TOPS] = {
	{ "top_source_flows", "source", FLOWTRACK_TOP_KIND_SOURCE,
	  "Flows of the sources that have most." },
	{ "top_external_flows", "external", FLOWTRACK_TOP_KIND_EXTERNAL,
	  "Flows that have a port of an external address of NAT, of those that have most." },
};

static const struct {
	const char *name;
	const char *help;
} helps[] = {
	{ "entries", "Flows in the table." },
	{ "entries_limit", "Flows that the table may have." },
	{ "conntrack_entries", "Entries in the table of nf_conntrack." },
	{ "conntrack_entries_limit", "Entries that the table of nf_conntrack may have." },
	{ "found", "Packets that met their flow." },
	{ "new", "Packets that met no flow and may open one." },
	{ "insert", "Flows entered." },
	{ "clash", "Flows that another CPU had entered first." },
	{ "invalid", "Packets that the ruleset saw as invalid." },
	{ "untracked", "Packets left alone, or published as untracked." },
	{ "bypass", "Packets left to nf_conntrack." },
	{ "related", "ICMP errors about a flow." },
	{ "adopted", "Flows taken over from nf_conntrack." },
	{ "expire", "Flows ended by their timeout." },
	{ "expire_adaptive", "Flows ended before their timeout, since the table fills." },
	{ "close", "Flows ended by their successor." },
	{ "delete", "Flows ended by request." },
	{ "chain_toolong", "Flows not entered, since the chain of a bucket was too long." },
	{ "nomem", "Allocations that failed." },
	{ "carrier_grown", "Carriers allocated." },
	{ "carrier_none", "Packets dropped for want of a carrier." },
	{ "nat_ports_full", "New connections dropped, since NAT had no port left for them." },
	{ "nat_evict", "Flows evicted for a new one that needed their port." },
	{ "resize", "Resizes of the table." },
	{ "event_lost", "Notifications that were not delivered." },
	{ "lookahead", "Packets whose flow was looked for before they were tracked." },
	{ "full", "Newcomers that met a full table." },
	{ "evict_closing", "Closing flows evicted." },
	{ "evict_embryonic", "Embryonic flows evicted." },
	{ "evict_replied", "Replied flows evicted." },
	{ "evict_assured", "Assured flows evicted." },
	{ "evict_expired", "Flows evicted after their deadline." },
	{ "evict_idle", "Flows evicted since they were idle." },
	{ "evict_heavy", "Flows evicted since their source holds too many." },
	{ "reserved", "Flows that took a reserved entry." },
	{ "full_drop", "Newcomers dropped at a full table." },
	{ "full_drop_closing", "Of those dropped, closing ones." },
	{ "full_drop_embryonic", "Of those dropped, embryonic ones." },
	{ "full_drop_replied", "Of those dropped, replied ones." },
	{ "full_drop_assured", "Of those dropped, assured ones." },
	{ "full_pass", "Newcomers let through a full table without an entry." },
	{ "full_pass_closing", "Of those let through, closing ones." },
	{ "full_pass_embryonic", "Of those let through, embryonic ones." },
	{ "full_pass_replied", "Of those let through, replied ones." },
	{ "full_pass_assured", "Of those let through, assured ones." },
	{ "full_nobody", "Newcomers at a full table for which nothing could be evicted." },
	{ "full_nomem", "Newcomers at a full table for which there was no memory." },
	{ "src_max_refused", "Newcomers whose source had too many flows." },
	{ "src_rate_refused", "Newcomers whose source opened flows too fast." },
	{ "src_pass", "Of those refused for their source, let through without an entry." },
	{ "guard_full", "Newcomers that the table of nf_conntrack had no room for." },
	{ "guard_evict_closing", "Closing flows deleted from the table of nf_conntrack." },
	{ "guard_evict_embryonic", "Embryonic flows deleted from the table of nf_conntrack." },
	{ "guard_evict_replied", "Replied flows deleted from the table of nf_conntrack." },
	{ "guard_evict_assured", "Assured flows deleted from the table of nf_conntrack." },
	{ "guard_drop", "Newcomers to the table of nf_conntrack dropped." },
	{ "guard_pass", "Newcomers to the table of nf_conntrack let through without an entry." },
	{ "guard_forgot", "Guarded flows that nf_conntrack ended itself." },
};

/**
 * metric_help() - what a metric is about
 * @name: of the metric, without prefix
 *
 * Return: a sentence; NULL if the tool does not know the metric, which a module
 * of another version may have.
 */
const char *metric_help(const char *name)
{
	size_t i;

	for (i = 0; i < N_OF(helps); i++)
		if (!strcmp(helps[i].name, name))
			return helps[i].help;
	return NULL;
}

void metrics_init(struct metrics *m)
{
	memset(m, 0, sizeof(*m));
}

void metrics_free(struct metrics *m)
{
	unsigned int i;

	for (i = 0; i < m->n; i++)
		free(m->of[i].netns);
	free(m->of);
}

static struct metric *metric_of(struct metrics_of *of, const char *name, bool gauge)
{
	struct metric *metric = &of->metric[of->n];

	if (of->n == N_OF(of->metric) || strlen(name) >= sizeof(metric->name))
		return NULL;
	of->n++;
	snprintf(metric->name, sizeof(metric->name), "%s", name);
	metric->gauge = gauge;
	metric->value = 0;
	return metric;
}

/*
 * A line of names, then one of hexadecimal numbers for each CPU. The column of
 * entries, the first one, is no counter, and the same in all of them.
 */
static bool read_stat(struct metrics_of *of, FILE *file)
{
	unsigned int first = of->n, n = 0, i;
	char line[4096], *word, *at, *end;

	if (!fgets(line, sizeof(line), file))
		return false;
	for (word = strtok_r(line, "\n ", &at); word; word = strtok_r(NULL, "\n ", &at))
		if (n++ && !metric_of(of, word, false))
			return false;
	while (fgets(line, sizeof(line), file)) {
		i = 0;
		for (word = strtok_r(line, "\n ", &at); word;
		     word = strtok_r(NULL, "\n ", &at), i++) {
			__u64 value = strtoull(word, &end, 16);

			if (*end || i >= n)
				return false;
			if (i)
				of->metric[first + i - 1].value += value;
		}
		if (i != n)
			return false;
	}
	return n > 1;
}

static int read_stats(struct metrics_of *of, const char *proc)
{
	char path[PATH_MAX];
	bool good;
	FILE *file;
	size_t i;

	for (i = 0; i < N_OF(stat_files); i++) {
		snprintf(path, sizeof(path), "%s/net/stat/%s", proc, stat_files[i]);
		file = fopen(path, "re");
		if (!file)
			return err_set(EXIT_NO_MODULE, "%s: %s: is nf_flowtrack loaded?", path,
				       strerror(errno));
		good = read_stat(of, file);
		fclose(file);
		if (!good)
			return err_set(EXIT_REFUSED, "%s: not what this tool can read", path);
	}
	return EXIT_OK;
}

static int read_gauges(struct metrics_of *of, const char *proc)
{
	unsigned long long value;
	struct metric *metric;
	char path[PATH_MAX];
	FILE *file;
	size_t i;
	int n;

	for (i = 0; i < N_OF(gauges); i++) {
		snprintf(path, sizeof(path), "%s/sys/net/netfilter/%s", proc, gauges[i].file);
		file = fopen(path, "re");
		if (!file && !gauges[i].needed)
			continue;
		if (!file)
			return err_set(EXIT_NO_MODULE, "%s: %s", path, strerror(errno));
		n = fscanf(file, "%llu", &value);
		fclose(file);
		metric = metric_of(of, gauges[i].name, true);
		if (n != 1 || !metric)
			return err_set(EXIT_REFUSED, "%s: not what this tool can read", path);
		metric->value = value;
	}
	return EXIT_OK;
}

/**
 * metrics_read() - read the values of the current network namespace
 * @m: metrics; the namespace is added
 * @proc: where procfs is, /proc but for tests
 * @netns: its name; NULL: the one that the program was started in
 *
 * Return: an exit code; nothing is added then.
 */
int metrics_read(struct metrics *m, const char *proc, const char *netns)
{
	struct metrics_of *of;
	int code;

	of = realloc(m->of, (m->n + 1) * sizeof(*of));
	if (!of)
		return err_set(EXIT_REFUSED, "out of memory");
	m->of = of;
	of += m->n;
	memset(of, 0, sizeof(*of));
	code = read_gauges(of, proc);
	if (!code)
		code = read_stats(of, proc);
	if (code)
		return code;
	of->netns = netns ? strdup(netns) : NULL;
	m->n++;
	return EXIT_OK;
}

/**
 * metrics_read_top() - ask for the top talkers of the current network namespace
 * @m: metrics; those of the namespace that was added last are added
 * @nl: socket
 * @limit: of each list, at most TOP_MAX
 *
 * A caller that may not see flows gets none, nor does one that asks a module without such
 * a list: neither is told.
 */
void metrics_read_top(struct metrics *m, struct nl *nl, unsigned int limit)
{
	struct metrics_of *of = &m->of[m->n - 1];
	unsigned int i;

	for (i = 0; i < METRIC_TOPS; i++) {
		if (!top_get(nl, &of->top[i], tops[i].kind, FLOWTRACK_TOP_ORDER_FLOWS, limit))
			continue;
		of->top[i].n = 0;
		err_clear();
	}
}

/* A label's value: backslash, quotation mark and end of line are two characters. */
static void print_label(struct out *o, const char *name, const char *value)
{
	out_fmt(o, "%s=\"", name);
	for (; *value; value++) {
		if (*value == '\n')
			out_str(o, "\\n");
		else if (*value == '"' || *value == '\\')
			out_fmt(o, "\\%c", *value);
		else
			out_fmt(o, "%c", *value);
	}
	out_str(o, "\"");
}

static void print_name(struct out *o, const struct metric *metric)
{
	out_fmt(o, PREFIX "%s%s", metric->name, metric->gauge ? "" : "_total");
}

/* In OpenMetrics the name of a counter has no suffix, but its value does. */
static void print_head(struct out *o, const struct metric *metric, bool openmetrics)
{
	const char *suffix = metric->gauge || openmetrics ? "" : "_total";
	const char *help = metric_help(metric->name);

	out_fmt(o, "# HELP " PREFIX "%s%s %s\n", metric->name, suffix,
		help ? help : "See the documentation of the module.");
	out_fmt(o, "# TYPE " PREFIX "%s%s %s\n", metric->name, suffix,
		metric->gauge ? "gauge" : "counter");
}

/* Whether a namespace in front of this one has the metric. */
static bool is_printed(const struct metrics *m, unsigned int of, const char *name)
{
	unsigned int i, k;

	for (i = 0; i < of; i++)
		for (k = 0; k < m->of[i].n; k++)
			if (!strcmp(m->of[i].metric[k].name, name))
				return true;
	return false;
}

static void print_family(struct out *o, const struct metrics *m, unsigned int first,
			 const struct metric *metric, bool openmetrics)
{
	unsigned int i, k;

	print_head(o, metric, openmetrics);
	for (i = first; i < m->n; i++) {
		for (k = 0; k < m->of[i].n; k++) {
			const struct metric *value = &m->of[i].metric[k];

			if (strcmp(value->name, metric->name))
				continue;
			print_name(o, value);
			if (m->of[i].netns) {
				out_str(o, "{");
				print_label(o, "netns", m->of[i].netns);
				out_str(o, "}");
			}
			out_fmt(o, " %llu\n", value->value);
		}
	}
}

static void print_top_of(struct out *o, const struct metrics_of *of, unsigned int list)
{
	const struct top *top = &of->top[list];
	char name[TOP_NAME_SIZE];
	unsigned int i;

	for (i = 0; i < top->n; i++) {
		out_fmt(o, PREFIX "%s{", tops[list].name);
		if (of->netns) {
			print_label(o, "netns", of->netns);
			out_str(o, ",");
		}
		top_entry_name(&top->entry[i], name, sizeof(name));
		print_label(o, tops[list].label, name);
		out_fmt(o, "} %u\n", top->entry[i].flows);
	}
}

static void print_top(struct out *o, const struct metrics *m, unsigned int list)
{
	unsigned int i, n = 0;

	for (i = 0; i < m->n; i++)
		n += m->of[i].top[list].n;
	if (!n)
		return;
	out_fmt(o, "# HELP " PREFIX "%s %s\n# TYPE " PREFIX "%s gauge\n", tops[list].name,
		tops[list].help, tops[list].name);
	for (i = 0; i < m->n; i++)
		print_top_of(o, &m->of[i], list);
}

/**
 * metrics_print() - write Prometheus' text format, as its node exporter reads it
 * @m: metrics
 * @o: where to
 * @openmetrics: OpenMetrics' text format instead, which the exporter does not
 *
 * All values of a metric stand together, as the formats want it.
 */
void metrics_print(const struct metrics *m, struct out *o, bool openmetrics)
{
	unsigned int i, k;

	for (i = 0; i < m->n; i++)
		for (k = 0; k < m->of[i].n; k++)
			if (!is_printed(m, i, m->of[i].metric[k].name))
				print_family(o, m, i, &m->of[i].metric[k], openmetrics);
	for (i = 0; i < METRIC_TOPS; i++)
		print_top(o, m, i);
	if (openmetrics)
		out_str(o, "# EOF\n");
}
