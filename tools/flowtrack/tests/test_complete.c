// SPDX-License-Identifier: GPL-2.0
/*
 * Completion: each table is offered where its words are taken.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "complete.h"
#include "filter.h"
#include "flow.h"
#include "names.h"
#include "out.h"
#include "test.h"
#include "verb.h"

/* What is offered for a line; what is being written is the last word, a dot for an empty one. */
static const char *offers(const char *line)
{
	static char text[16384];
	static char empty[1];
	char **argv;
	size_t n;
	int argc;
	FILE *file = tmpfile();

	argc = test_words(line, &argv);
	if (argc && !strcmp(argv[argc - 1], "."))
		argv[argc - 1] = empty;
	out_init(&std, fileno(file));
	EXPECT_INT(complete(argc, argv), 0);
	rewind(file);
	n = fread(text, 1, sizeof(text) - 1, file);
	text[n] = '\0';
	fclose(file);
	return text;
}

static bool has(const char *text, const char *word)
{
	size_t len = strlen(word);
	const char *at;

	for (at = strstr(text, word); at; at = strstr(at + 1, word))
		if ((at == text || at[-1] == '\n') && at[len] == '\n')
			return true;
	return false;
}

static void expect_all(const char *line, const struct names *names)
{
	const char *text = offers(line);
	unsigned int i;

	for (i = 0; i < names->n; i++)
		if (names->name[i] && !has(text, names->name[i]))
			test_failed(__FILE__, __LINE__, "'%s': no '%s'", line, names->name[i]);
}

static void exactly(void)
{
	static const struct {
		const char *line;
		const char *offers;
	} cases[] = {
		{ "fl", "flush\n" },
		{ "nothing .", "" },
		{ "stats .", "" },
		{ "stats --c", "--color\n--cpu\n" },
		{ "show --cp", "" },
		{ "--netns", "--netns\n" },
		{ "-j lis", "list\n" },
		{ "-n somewhere lis", "list\n" },
		{ "list cl", "class\n" },
		{ "list class e", "embryonic\n" },
		{ "list --sort by", "bytes\n" },
		{ "monitor --event d", "destroy\n" },
		{ "list tcp state estab", "established\n" },
		{ "list src .", "" },
		{ "list src 192.0.2.1 own sp", "sport\n" },
		{ "add tcp st", "state\nstatus\nstart\n" },
		{ "get sctp sp", "sport\n" },
		{ "get st", "" },
		{ "get udp", "udp\nudplite\n" },
		{ "count b", "by\n" },
		{ "count tcp b", "" },
		{ "count by cl", "class\n" },
		{ "count by class cl", "class\n" },
		{ "monitor pr", "proto\npressure\n" },
		{ "list press", "" },
		{ "set full_policy e", "evict\n" },
		{ "set full_policy evict full_fallback p", "pass\n" },
		{ "set coun", "" },
		{ "show coun", "count\n" },
		{ "set buckets a", "auto\n" },
		{ "restore .", COMPLETE_FILES "\n" },
		{ "top so", "source\n" },
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *want = strdup(cases[i].offers), *word, *at;
		const char *got = offers(cases[i].line);

		/* In whatever order. */
		for (word = strtok_r(want, "\n", &at); word; word = strtok_r(NULL, "\n", &at))
			if (!has(got, word))
				test_failed(__FILE__, __LINE__, "'%s': no '%s'",
					    cases[i].line, word);
		if (strlen(got) != strlen(cases[i].offers))
			test_failed(__FILE__, __LINE__, "'%s': '%s'", cases[i].line, got);
		free(want);
	}
}

static void tables(void)
{
	const char *text;
	char line[64];
	size_t i;
	int attr;

	text = offers(".");
	for (i = 0; i < n_verbs; i++)
		if (!has(text, verbs[i].name))
			test_failed(__FILE__, __LINE__, "no '%s'", verbs[i].name);
	for (i = 0; i < n_verbs; i++) {
		if (verbs[i].takes != TAKES_FILTER && verbs[i].takes != TAKES_COUNT &&
		    verbs[i].takes != TAKES_MONITOR)
			continue;
		snprintf(line, sizeof(line), "%s .", verbs[i].name);
		expect_all(line, &filter_keys);
	}
	expect_all("add .", &flow_keys);
	expect_all("get .", &tuple_keys);
	expect_all("list class .", &class_names);
	expect_all("list tcp state .", &tcp_state_names);
	expect_all("list sctp state .", &sctp_state_names);
	expect_all("list state .", &tcp_state_names);
	expect_all("add status .", &status_names);
	expect_all("top .", &top_kind_names);
	expect_all("top .", &top_order_names);
	expect_all("set full_policy .", &policy_names);
	text = offers("show .");
	for (attr = 1; attr < __FLOWTRACK_A_SETTINGS_MAX; attr++)
		if (settings[attr].name && !has(text, settings[attr].name))
			test_failed(__FILE__, __LINE__, "no '%s'", settings[attr].name);
	text = offers("--");
	for (i = 0; long_options[i].name; i++) {
		snprintf(line, sizeof(line), "--%s", long_options[i].name);
		if (!has(text, line))
			test_failed(__FILE__, __LINE__, "no '%s'", line);
	}
}

const struct test complete_tests[] = {
	{ "what may stand next", exactly },
	{ "every verb, option, word, setting and state", tables },
	{ NULL, NULL },
};
