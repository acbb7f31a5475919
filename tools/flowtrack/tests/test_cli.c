// SPDX-License-Identifier: GPL-2.0
/*
 * The program: options, exit codes, and what is on standard error.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "err.h"
#include "test.h"

static char out[65536], errs[65536];

static int run(const char *line)
{
	char command[1024];
	FILE *pipe;
	size_t n;
	int status;

	snprintf(command, sizeof(command),
		 "t=$(mktemp); '%s' %s 2>$t; c=$?; printf '\\001'; cat $t; rm $t; exit $c",
		 tool_path, line);
	pipe = popen(command, "r");
	if (!pipe)
		return -1;
	n = fread(out, 1, sizeof(out) - 1, pipe);
	out[n] = '\0';
	status = pclose(pipe);
	errs[0] = '\0';
	if (strchr(out, '\001')) {
		snprintf(errs, sizeof(errs), "%s", strchr(out, '\001') + 1);
		*strchr(out, '\001') = '\0';
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void usage_errors(void)
{
	static const struct {
		const char *line;
		const char *says;
	} cases[] = {
		{ "", "usage: flowtrack" },
		{ "listt", "unknown verb 'listt', did you mean 'list'?" },
		{ "frobnicate", "unknown verb 'frobnicate'" },
		{ "list --nonsense", "unknown option '--nonsense'" },
		{ "list -x", "unknown option '-x'" },
		{ "list --oneline=x", "option '--oneline' takes no value, 'x' was given" },
		{ "list --c", "option '--c' is ambiguous: --color, --cpu, --count" },
		{ "list -jx", "unknown option '-x'" },
		{ "list -n", "option '-n' needs a value" },
		{ "list --all", "'list' has no option '--all'" },
		{ "list --color=blue", "bad value 'blue' of '--color'" },
		{ "list -4 -6", "exclude each other" },
		{ "list -4 dst ::1", "'dst ::1' is not IPv4" },
		{ "list dprt 5", "did you mean 'dport'" },
		{ "monitor pressure tcp", "unknown word 'tcp'" },
		{ "monitor --count 0", "bad value '0' of '--count'" },
		{ "top -d 0", "bad value '0' of '--delay'" },
		{ "top -N x", "bad value 'x' of '--count'" },
		{ "monitor --event new,gone", "bad value 'new,gone' of '--event': expected new" },
		{ "monitor pressure --event new", "--event is about flows" },
		{ "monitor --log /no/such/file", "/no/such/file: No such file" },
		{ "list --event new", "'list' has no option '--event'" },
		{ "metrics --top 0", "bad value '0' of '--top': expected 1 to 64" },
		{ "metrics --top 65", "bad value '65' of '--top': expected 1 to 64" },
		{ "stats --top 5", "'stats' has no option '--top'" },
		{ "monitor --buffer 0", "bad value '0' of '--buffer'" },
		{ "monitor --buffer 1025M", "bad value '1025M' of '--buffer'" },
		{ "list --resync", "'list' has no option '--resync'" },
		{ "monitor pressure --resync", "--resync lists flows" },
		{ "list --sort size", "bad value 'size' of '--sort': expected bytes" },
		{ "list -N 5", "--count is for --sort" },
		{ "count --human", "'count' has no option '--human'" },
		{ "list --once", "'list' has no option '--once'" },
		{ "list -d 1", "'list' has no option '--delay'" },
		{ "del", "say --all" },
		{ "set", "set needs a setting" },
		{ "set --confirm 0 max 5", "bad value '0' of '--confirm'" },
		{ "set --confirm 2d max 5", "bad value '2d' of '--confirm'" },
		{ "show --confirm 5", "'show' has no option '--confirm'" },
		{ "confirm max", "confirm takes none" },
		{ "get tcp", "'src' is missing" },
		{ "add id 5", "unknown word 'id'" },
		{ "reload a b", "reload takes one file" },
		{ "-n x reload", "reload is about all namespaces" },
		{ "doctor full", "doctor takes none" },
		{ "advise -d 0", "bad value '0' of '--delay'" },
		{ "restore /no/such/file", "/no/such/file: No such file" },
		{ "-n no-such-netns list", "no network namespace" },
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		EXPECT_INT(run(cases[i].line), EXIT_USAGE);
		EXPECT_STR(out, "");
		if (!strstr(errs, cases[i].says))
			test_failed(__FILE__, __LINE__, "'%s' says '%s'",
				    cases[i].line, errs);
	}
}

/* Lines that conntrack(8) takes, and words of them. */
static void habits(void)
{
	static const struct {
		const char *line;
		const char *says;
	} cases[] = {
		{ "-L", "unknown option '-L': conntrack's '-L' is 'flowtrack list" },
		{ "-D -p tcp", "conntrack's '-D' is 'flowtrack del" },
		{ "-E", "conntrack's '-E' is 'flowtrack monitor" },
		{ "-C", "conntrack's '-C' is 'flowtrack count" },
		{ "-F", "conntrack's '-F' is 'flowtrack flush'" },
		{ "-S", "conntrack's '-S' is 'flowtrack stats'" },
		{ "-G", "conntrack's '-G' is 'flowtrack get" },
		{ "-I", "conntrack's '-I' is 'flowtrack add" },
		{ "-U", "'conntrack -U' does it" },
		{ "-R file", "conntrack's '-R' is 'flowtrack restore" },
		{ "--dump", "conntrack's '--dump' is 'flowtrack list" },
		{ "--delete", "conntrack's '--delete' is 'flowtrack del" },
		{ "--event", "conntrack's '--event' is 'flowtrack monitor" },
		{ "--count", "conntrack's '--count' is 'flowtrack count" },
		{ "delete tcp", "unknown verb 'delete': conntrack's 'delete' is" },
		{ "dump", "conntrack's 'dump' is 'flowtrack list" },
		{ "list --src 10.0.0.1", "conntrack's '--src' is the word 'src ADDR'" },
		{ "list --orig-dst=::1", "conntrack's '--orig-dst' is the word 'dst ADDR'" },
		{ "list -s 10.0.0.1", "conntrack's '-s' is the word 'src ADDR'" },
		{ "list -d 10.0.0.1", "conntrack's '-d' is the word 'dst ADDR'" },
		{ "list -d 10.0.0.0/8", "conntrack's '-d' is the word 'dst ADDR'" },
		{ "list -p tcp", "conntrack's '-p' is a word of its own: 'tcp'" },
		{ "list -f ipv6", "conntrack's '-f' is -4 or -6" },
		{ "list --dport 80", "conntrack's '--dport' is the word 'dport N'" },
		{ "list --reply-port-src 80", "is the word 'reply-sport N'" },
		{ "list --state ESTABLISHED", "is the word 'state NAME'" },
		{ "list -m 5", "is the word 'mark N[/MASK]'" },
		{ "list --zone 5", "is the word 'zone N'" },
		{ "list --id 5", "the words 'id N' behind get or del" },
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		EXPECT_INT(run(cases[i].line), EXIT_USAGE);
		if (!strstr(errs, cases[i].says))
			test_failed(__FILE__, __LINE__, "'%s' says '%s'", cases[i].line, errs);
	}
	/* What conntrack does not have is only unknown. */
	run("list -x");
	EXPECT(!strstr(errs, "conntrack"));
	run("list --nonsense");
	EXPECT(!strstr(errs, "conntrack"));
	run("top -d 0");
	EXPECT(!strstr(errs, "conntrack"));
}

static void module_missing(void)
{
	static const char * const verbs[] = {
		"list", "-j list tcp", "get id 5", "del --all", "flush",
		"count", "monitor", "stats --cpu", "set max 5", "show",
		"advise", "reload", "save", "add proto 89 src 1.1.1.1 dst 2.2.2.2",
		"restore </dev/null",
	};
	size_t i;

	if (!access("/sys/module/nf_flowtrack", F_OK)) {
		test_skip("nf_flowtrack is loaded");
		return;
	}
	/* Not a failure of the program, but what it is asked for. */
	EXPECT_INT(run("doctor"), 2);
	EXPECT(strstr(out, "error: ") && strstr(out, "nf_flowtrack"));
	EXPECT_STR(errs, "");
	for (i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		EXPECT_INT(run(verbs[i]), EXIT_NO_MODULE);
		EXPECT_STR(out, "");
		EXPECT(strstr(errs, "flowtrack: the module is not loaded"));
	}
}

/* A command as a page has it, up to what is the shell's; {{braces}} are an example. */
static void try_command(const char *page, char *command)
{
	static const char * const ends[] = { " && ", "; ", " > ", "`", "\n" };
	char *from, *to;
	size_t i;
	int code;

	for (i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		to = strstr(command, ends[i]);
		if (to)
			*to = '\0';
	}
	for (from = to = command; *from; from++)
		if (*from != '{' && *from != '}')
			*to++ = *from;
	*to = '\0';
	/* It reads its file first. */
	code = run(strncmp(command, "restore ", 8) ? command : "restore </dev/null");
	if (code != EXIT_NO_MODULE)
		test_failed(__FILE__, __LINE__, "%s: 'flowtrack %s' has exit code %d: %s", page,
			    command, code, errs);
}

/* Each command that a page names is one that the tool understands. */
static void commands_of_pages(void)
{
	static const struct {
		const char *page;
		const char *begin;
		int at_least;
	} pages[] = {
		{ "flowtrack-conntrack.7", ".Dl flowtrack ", 40 },
		{ "tldr.md", "`sudo flowtrack ", 8 },
	};
	char line[512];
	FILE *file;
	size_t i;
	int n;

	if (!access("/sys/module/nf_flowtrack", F_OK)) {
		test_skip("nf_flowtrack is loaded");
		return;
	}
	for (i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
		file = fopen(pages[i].page, "r");
		EXPECT(file);
		for (n = 0; file && fgets(line, sizeof(line), file);) {
			if (strncmp(line, pages[i].begin, strlen(pages[i].begin)))
				continue;
			try_command(pages[i].page, line + strlen(pages[i].begin));
			n++;
		}
		EXPECT(n >= pages[i].at_least);
		if (file)
			fclose(file);
	}
}

static void help_and_version(void)
{
	EXPECT_INT(run("--help"), EXIT_OK);
	EXPECT(strstr(out, "usage: flowtrack") && strstr(out, "restore"));
	EXPECT_STR(errs, "");
	EXPECT_INT(run("set -h"), EXIT_OK);
	EXPECT(strstr(out, "usage: flowtrack set NAME VALUE"));
	EXPECT_INT(run("-V"), EXIT_OK);
	EXPECT(!strncmp(out, "flowtrack ", 10));
	EXPECT(strstr(out, "\nnf_flowtrack "));
	EXPECT_INT(run("-jV"), EXIT_OK);
	EXPECT(!strncmp(out, "{\"flowtrack\":\"", 14));
	EXPECT_INT(run("-V >/dev/full"), EXIT_USAGE);
}

const struct test cli_tests[] = {
	{ "usage errors", usage_errors },
	{ "errors that know conntrack's options", habits },
	{ "exit code of a missing module", module_missing },
	{ "commands of the manual pages", commands_of_pages },
	{ "help and version", help_and_version },
	{ NULL, NULL },
};
