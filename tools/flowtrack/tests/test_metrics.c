// SPDX-License-Identifier: GPL-2.0
/*
 * Metrics, from files like the module's.
 */
#include <errno.h>
#include <linux/nf_flowtrack.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "err.h"
#include "metrics.h"
#include "names.h"
#include "nl.h"
#include "out.h"
#include "test.h"

#define PROC	"/tmp/flowtrack-test.XXXXXX"

static char proc[sizeof(PROC)];

static const char * const dirs[] = {
	"/net", "/net/stat", "/sys", "/sys/net", "/sys/net/netfilter",
};

static struct file {
	const char *path;
	const char *text;
} files[] = {
	{ "/sys/net/netfilter/nf_flowtrack_count", "26\n" },
	{ "/sys/net/netfilter/nf_flowtrack_max", "1000\n" },
	{ "/sys/net/netfilter/nf_conntrack_count", "3\n" },
	{ "/net/stat/nf_flowtrack",
	  "entries found new\n0000001a 000000ff 00000001\n0000001a 1000000000 00000002\n" },
	{ "/net/stat/nf_flowtrack_full",
	  "entries full what_is_this\n0000001a 00000000 00000007\n" },
	{ "/net/stat/nf_flowtrack_guard", "entries guard_full\n0000001a 00000009\n" },
};

#define N_OF(array)	(sizeof(array) / sizeof((array)[0]))

static const char *at(const char *path)
{
	static char buf[128];

	snprintf(buf, sizeof(buf), "%s%s", proc, path);
	return buf;
}

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(at(path), "we");

	if (!file)
		return;
	fputs(text, file);
	fclose(file);
}

static void make_proc(void)
{
	size_t i;

	snprintf(proc, sizeof(proc), PROC);
	EXPECT(mkdtemp(proc));
	for (i = 0; i < N_OF(dirs); i++)
		EXPECT(!mkdir(at(dirs[i]), 0700));
	for (i = 0; i < N_OF(files); i++)
		write_file(files[i].path, files[i].text);
}

static void remove_proc(void)
{
	size_t i;

	for (i = 0; i < N_OF(files); i++)
		unlink(at(files[i].path));
	for (i = N_OF(dirs); i-- > 0;)
		rmdir(at(dirs[i]));
	rmdir(proc);
}

static const char *printed_as(const struct metrics *m, bool openmetrics)
{
	static struct out o;

	out_init(&o, -1);
	metrics_print(m, &o, openmetrics);
	*out_room(&o) = '\0';
	return o.buf;
}

static const char *printed(const struct metrics *m)
{
	return printed_as(m, false);
}

/* Counters lose their suffix where they are described, and there is an end. */
static void openmetrics(void)
{
	struct metrics m;
	const char *out;

	make_proc();
	metrics_init(&m);
	EXPECT_INT(metrics_read(&m, proc, NULL), EXIT_OK);
	out = printed_as(&m, true);
	EXPECT(strstr(out, "# HELP nf_flowtrack_entries Flows in the table.\n"
			   "# TYPE nf_flowtrack_entries gauge\nnf_flowtrack_entries 26\n"));
	EXPECT(strstr(out, "# HELP nf_flowtrack_new Packets that met no flow and may open one.\n"
			   "# TYPE nf_flowtrack_new counter\nnf_flowtrack_new_total 3\n"));
	EXPECT_STR(strstr(out, "# EOF"), "# EOF\n");
	metrics_free(&m);
	remove_proc();
}

static void values(void)
{
	struct metrics m;

	make_proc();
	metrics_init(&m);
	EXPECT_INT(metrics_read(&m, proc, NULL), EXIT_OK);
	EXPECT_STR(printed(&m),
		   "# HELP nf_flowtrack_entries Flows in the table.\n"
		   "# TYPE nf_flowtrack_entries gauge\n"
		   "nf_flowtrack_entries 26\n"
		   "# HELP nf_flowtrack_entries_limit Flows that the table may have.\n"
		   "# TYPE nf_flowtrack_entries_limit gauge\n"
		   "nf_flowtrack_entries_limit 1000\n"
		   "# HELP nf_flowtrack_conntrack_entries Entries in the table of nf_conntrack.\n"
		   "# TYPE nf_flowtrack_conntrack_entries gauge\n"
		   "nf_flowtrack_conntrack_entries 3\n"
		   "# HELP nf_flowtrack_found_total Packets that met their flow.\n"
		   "# TYPE nf_flowtrack_found_total counter\n"
		   "nf_flowtrack_found_total 68719476991\n"
		   "# HELP nf_flowtrack_new_total Packets that met no flow and may open one.\n"
		   "# TYPE nf_flowtrack_new_total counter\n"
		   "nf_flowtrack_new_total 3\n"
		   "# HELP nf_flowtrack_full_total Newcomers that met a full table.\n"
		   "# TYPE nf_flowtrack_full_total counter\n"
		   "nf_flowtrack_full_total 0\n"
		   "# HELP nf_flowtrack_what_is_this_total See the documentation of the module.\n"
		   "# TYPE nf_flowtrack_what_is_this_total counter\n"
		   "nf_flowtrack_what_is_this_total 7\n"
		   "# HELP nf_flowtrack_guard_full_total Newcomers that the table of nf_conntrack had no room for.\n"
		   "# TYPE nf_flowtrack_guard_full_total counter\n"
		   "nf_flowtrack_guard_full_total 9\n");
	metrics_free(&m);
	remove_proc();
}

static void namespaces(void)
{
	const char *text;
	struct metrics m;

	make_proc();
	metrics_init(&m);
	EXPECT_INT(metrics_read(&m, proc, NULL), EXIT_OK);
	EXPECT_INT(metrics_read(&m, proc, "a\"b\\c"), EXIT_OK);
	text = printed(&m);
	EXPECT(strstr(text, "gauge\nnf_flowtrack_entries 26\n"
			    "nf_flowtrack_entries{netns=\"a\\\"b\\\\c\"} 26\n# HELP"));
	/* Of each metric one description. */
	text = strstr(text, "# TYPE nf_flowtrack_found_total ");
	EXPECT(text && !strstr(text + 1, "# TYPE nf_flowtrack_found_total "));
	metrics_free(&m);
	remove_proc();
}

/* Top talkers of each namespace, behind the rest; who may not see them gets the rest alone. */
static void top_talkers(void)
{
	static struct nl nl;
	const char *text;
	struct metrics m;

	make_proc();
	metrics_init(&m);
	fake_reset();
	EXPECT_INT(nl_open(&nl, NULL), EXIT_OK);
	EXPECT_INT(metrics_read(&m, proc, NULL), EXIT_OK);
	metrics_read_top(&m, &nl, 7);
	EXPECT_INT(metrics_read(&m, proc, "a"), EXIT_OK);
	metrics_read_top(&m, &nl, 7);
	EXPECT_INT(metrics_read(&m, proc, "b"), EXIT_OK);
	fake.error = EPERM;
	metrics_read_top(&m, &nl, 7);
	EXPECT_STR(err_msg(), "");
	text = printed(&m);
	text = strstr(text, "# HELP nf_flowtrack_top_");
	EXPECT(text);
	EXPECT_STR(text ? text : "",
		   "# HELP nf_flowtrack_top_source_flows Flows of the sources that have most.\n"
		   "# TYPE nf_flowtrack_top_source_flows gauge\n"
		   "nf_flowtrack_top_source_flows{source=\"192.0.2.7\"} 4000\n"
		   "nf_flowtrack_top_source_flows{source=\"2001:db8::/64\"} 3999\n"
		   "nf_flowtrack_top_source_flows{netns=\"a\",source=\"192.0.2.7\"} 4000\n"
		   "nf_flowtrack_top_source_flows{netns=\"a\",source=\"2001:db8::/64\"} 3999\n"
		   "# HELP nf_flowtrack_top_external_flows Flows that have a port of an external address of NAT, of those that have most.\n"
		   "# TYPE nf_flowtrack_top_external_flows gauge\n"
		   "nf_flowtrack_top_external_flows{external=\"192.0.2.7\"} 4000\n"
		   "nf_flowtrack_top_external_flows{external=\"2001:db8::\"} 3999\n"
		   "nf_flowtrack_top_external_flows{netns=\"a\",external=\"192.0.2.7\"} 4000\n"
		   "nf_flowtrack_top_external_flows{netns=\"a\",external=\"2001:db8::\"} 3999\n");
	EXPECT(strstr(printed(&m), "nf_flowtrack_entries{netns=\"b\"} 26\n"));
	nl_close(&nl);
	metrics_free(&m);
	/* Without any of them, there is no head either. */
	metrics_init(&m);
	EXPECT_INT(metrics_read(&m, proc, NULL), EXIT_OK);
	EXPECT(!strstr(printed(&m), "_top_"));
	metrics_free(&m);
	remove_proc();
}

/* What cannot be read adds nothing. */
static void refused(void)
{
	static const struct file bad[] = {
		{ "/net/stat/nf_flowtrack", "" },
		{ "/net/stat/nf_flowtrack", "entries found\n0000001a 0000000x\n" },
		{ "/net/stat/nf_flowtrack", "entries found\n0000001a\n" },
		{ "/net/stat/nf_flowtrack", "entries found\n0000001a 00000001 00000002\n" },
		{ "/net/stat/nf_flowtrack", "entries\n0000001a\n" },
		{ "/sys/net/netfilter/nf_flowtrack_max", "many\n" },
	};
	struct metrics m;
	size_t i;

	for (i = 0; i < N_OF(bad); i++) {
		make_proc();
		write_file(bad[i].path, bad[i].text);
		metrics_init(&m);
		EXPECT_INT(metrics_read(&m, proc, NULL), EXIT_REFUSED);
		EXPECT_INT(m.n, 0);
		err_clear();
		metrics_free(&m);
		remove_proc();
	}
	metrics_init(&m);
	EXPECT_INT(metrics_read(&m, "/nowhere", NULL), EXIT_NO_MODULE);
	err_clear();
	metrics_free(&m);
}

/* Every counter of the module is described; gauges of the sum are not in its files. */
static void helps(void)
{
	unsigned int i;

	for (i = FLOWTRACK_A_STATS_FOUND; i < FLOWTRACK_A_STATS_RESERVED_USED; i++) {
		const char *name = stats_names.name[i];

		if (!name || !strncmp(name, "adaptive_", 9))
			continue;
		if (!metric_help(name))
			test_failed(__FILE__, __LINE__, "no description of '%s'", name);
	}
}

const struct test metrics_tests[] = {
	{ "values", values },
	{ "more than one namespace", namespaces },
	{ "files that are not the module's", refused },
	{ "every counter is described", helps },
	{ "OpenMetrics", openmetrics },
	{ "top talkers", top_talkers },
	{ NULL, NULL },
};
