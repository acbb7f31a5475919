// SPDX-License-Identifier: GPL-2.0
/*
 * Runs the tests and says in KTAP what came of them.
 */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test.h"

const char *tool_path;

static bool failed;
static const char *skipped;

static const struct {
	const char *name;
	const struct test *tests;
} suites[] = {
	{ "names", names_tests },
	{ "out", out_tests },
	{ "parse", parse_tests },
	{ "filter", filter_tests },
	{ "words", words_tests },
	{ "flow", flow_tests },
	{ "print", print_tests },
	{ "metrics", metrics_tests },
	{ "nl", nl_tests },
	{ "complete", complete_tests },
	{ "confirm", confirm_tests },
	{ "doctor", doctor_tests },
	{ "advise", advise_tests },
	{ "program", program_tests },
	{ "replay", replay_tests },
	{ "cmd", cmd_tests },
	{ "list", list_tests },
	{ "reload", reload_tests },
	{ "watch", watch_tests },
	{ "cli", cli_tests },
};

#define N_SUITES	(sizeof(suites) / sizeof(suites[0]))

void test_failed(const char *file, int line, const char *fmt, ...)
{
	const char *base = strrchr(file, '/');
	va_list ap;

	failed = true;
	printf("# %s:%d: ", base ? base + 1 : file, line);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
}

void test_skip(const char *why)
{
	skipped = why;
}

void expect_str(const char *file, int line, const char *got, const char *want)
{
	if (strcmp(got, want))
		test_failed(file, line, "got '%s', want '%s'", got, want);
}

void expect_int(const char *file, int line, long long got, long long want)
{
	if (got != want)
		test_failed(file, line, "got %lld, want %lld", got, want);
}

int test_words(const char *line, char ***argv)
{
	static char buf[4096], *words[64];
	char *word, *at;
	int argc = 0;

	snprintf(buf, sizeof(buf), "%s", line);
	for (word = strtok_r(buf, " ", &at); word && argc < 63;
	     word = strtok_r(NULL, " ", &at))
		words[argc++] = word;
	words[argc] = NULL;
	*argv = words;
	return argc;
}

void test_json(const char *verb, const char *text)
{
	const char *name = getenv("FLOWTRACK_TEST_JSON");
	FILE *file = name ? fopen(name, "a") : NULL;

	if (!file)
		return;
	fprintf(file, "\036%s\n%s", verb, text);
	fclose(file);
}

int main(int argc, char **argv)
{
	unsigned int n = 0, bad = 0;
	const struct test *t;
	size_t i;

	signal(SIGPIPE, SIG_IGN);
	setvbuf(stdout, NULL, _IOLBF, 0);
	tool_path = argc > 1 ? argv[1] : "./flowtrack";
	for (i = 0; i < N_SUITES; i++)
		for (t = suites[i].tests; t->name; t++)
			n++;
	printf("KTAP version 1\n1..%u\n", n);
	n = 0;
	for (i = 0; i < N_SUITES; i++) {
		for (t = suites[i].tests; t->name; t++) {
			failed = false;
			skipped = NULL;
			t->run();
			printf("%s %u %s: %s%s%s\n", failed ? "not ok" : "ok",
			       ++n, suites[i].name, t->name,
			       skipped ? " # SKIP " : "",
			       skipped ? skipped : "");
			bad += failed;
		}
	}
	return bad ? 1 : 0;
}
