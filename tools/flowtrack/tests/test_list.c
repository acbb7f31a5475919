// SPDX-License-Identifier: GPL-2.0
/*
 * Lists for people: the table, its order, and the pager; on a pseudo terminal.
 */
#include <errno.h>
#include <jansson.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd.h"
#include "flows.h"
#include "pretty.h"
#include "test.h"

#define TABLE_HEAD							\
	"PROTO  STATE        SOURCE         DESTINATION   PACKETS  BYTES  AGE  EXPIRES  CLASS\n"
#define TABLE_LINE(port)						\
	"tcp    established  10.0.0.2:" port "  10.0.1.2:443        5    300"	\
	"    1       53  assured  mark 0x1 zone 5\n"
#define PING		"icmpv6  unreplied  2001:db8::1  2001:db8::2 type 128 id 77"
#define TRANSLATED	"tcp    established  10.0.0.2:4242  10.0.1.2:443"
#define NAT		"guarded nat 10.0.1.2:443 10.0.0.99:4242"

static struct options plain;

/*
 * Runs list in a child whose standard output is a terminal of so many lines.
 * Return: what arrived on the terminal, without carriage returns.
 */
static const char *on_terminal(const struct options *opts, const char *line, int rows, int *status)
{
	static char screen[1 << 20], raw[sizeof(screen)];
	struct winsize size = { .ws_row = rows, .ws_col = 120 };
	int master, slave, argc, code;
	size_t len = 0, i, n = 0;
	char **argv;
	ssize_t got;
	pid_t pid;

	EXPECT(!openpty(&master, &slave, NULL, NULL, &size));
	fflush(stdout);
	pid = fork();
	if (!pid) {
		close(master);
		out_init(&std, slave);
		argc = test_words(line, &argv);
		code = cmd_list(opts, argc, argv);
		err_print();
		_exit(code);
	}
	close(slave);
	do {
		got = read(master, raw + len, sizeof(raw) - len);
		len += got > 0 ? got : 0;
	} while (got > 0 || (got < 0 && errno == EINTR));
	close(master);
	EXPECT(waitpid(pid, status, 0) == pid);
	for (i = 0; i < len; i++)
		if (raw[i] != '\r')
			screen[n++] = raw[i];
	screen[n] = '\0';
	*status = WIFEXITED(*status) ? WEXITSTATUS(*status) : -1;
	return screen;
}

static void terminal(void)
{
	struct options oneline = { .oneline = true }, color = { .color = true };
	const char *screen;
	int status;

	fake_reset();
	fake.flows = 2;
	setenv("PAGER", "", 1);
	EXPECT_STR(on_terminal(&plain, "", 24, &status),
		   TABLE_HEAD TABLE_LINE("4242") TABLE_LINE("4243"));
	EXPECT_INT(status, EXIT_OK);
	/* for programs that have a terminal */
	EXPECT(!strncmp(on_terminal(&oneline, "", 24, &status), "tcp established src=", 20));
	screen = on_terminal(&color, "", 24, &status);
	EXPECT(strstr(screen, "  \033[32massured\033[0m  mark"));
	EXPECT(strstr(screen, "tcp    \033[32mestablished\033[0m  10.0.0.2:4242  10."));
	/* no table of nothing */
	fake.flows = 0;
	EXPECT_STR(on_terminal(&plain, "", 24, &status), "");
	EXPECT_INT(status, EXIT_OK);
	/* what is no terminal has lines for programs, as ever */
	fake.flows = 1;
	screen = run_verb(cmd_list, &plain, "", &status);
	EXPECT(strstr(screen, " src=10.0.0.2        dst=10.0.1.2 "));
	fake.error = EPERM;
	on_terminal(&plain, "", 24, &status);
	EXPECT_INT(status, EXIT_NO_PERMISSION);
}

static void pager(void)
{
	const char *screen;
	int status;

	fake_reset();
	setenv("PAGER", "sed s/^/paged:/", 1);
	fake.flows = 22;
	screen = on_terminal(&plain, "", 24, &status);
	EXPECT(!strstr(screen, "paged:"));
	fake.flows = 23;
	screen = on_terminal(&plain, "", 24, &status);
	EXPECT(!strncmp(screen, "paged:PROTO", 11));
	EXPECT(strstr(screen, "\npaged:tcp    established  10.0.0.2:4264  "));
	EXPECT_INT(status, EXIT_OK);
	/* more than are kept, and a pager that has seen enough */
	fake.flows = 6000;
	screen = on_terminal(&plain, "", 24, &status);
	EXPECT(strstr(screen, "10.0.0.2:10241  10.0.1.2:443 "));
	setenv("PAGER", "head -n 3", 1);
	screen = on_terminal(&plain, "", 24, &status);
	EXPECT_INT(status, EXIT_OK);
	EXPECT(!strstr(screen, "4245"));
	/* without one, and a terminal that does not know its size */
	setenv("PAGER", "", 1);
	screen = on_terminal(&plain, "", 24, &status);
	EXPECT(strstr(screen, "10.0.0.2:10241  "));
	setenv("PAGER", "sed s/^/paged:/", 1);
	screen = on_terminal(&plain, "", 0, &status);
	EXPECT(!strstr(screen, "paged:"));
	unsetenv("PAGER");
}

/* With somebody else's rights no command of the environment is run. */
static void pager_secure(void)
{
	const char *screen, *path = getenv("PATH");
	char dir[] = "/tmp/flowtrack-test-XXXXXX", less[64], saved[4096];
	FILE *file;
	int status;

	snprintf(saved, sizeof(saved), "%s", path ? path : "/usr/bin:/bin");
	EXPECT(mkdtemp(dir));
	snprintf(less, sizeof(less), "%s/less", dir);
	file = fopen(less, "w");
	EXPECT(file);
	fputs("#!/bin/sh\n/bin/echo less $LESS, secure=$LESSSECURE\n/bin/cat >/dev/null\n", file);
	fchmod(fileno(file), 0755);
	fclose(file);
	setenv("PATH", dir, 1);
	unsetenv("LESS");
	unsetenv("PAGER");

	fake_reset();
	fake.flows = 50;
	screen = on_terminal(&plain, "", 24, &status);
	EXPECT_STR(screen, "less FRSX, secure=\n");
	setenv("PAGER", "/bin/echo broken out", 1);
	setenv("SUDO_UID", "1000", 1);
	screen = on_terminal(&plain, "", 24, &status);
	EXPECT_STR(screen, "less FRSX, secure=1\n");
	/* not installed */
	unlink(less);
	screen = on_terminal(&plain, "", 24, &status);
	EXPECT(!strncmp(screen, TABLE_HEAD, strlen(TABLE_HEAD)));
	unsetenv("SUDO_UID");
	unsetenv("PAGER");
	setenv("PATH", saved, 1);
	rmdir(dir);
}

static void order(void)
{
	struct options by_age = { .sort = ORDER_AGE, .oneline = true };
	struct options two = { .sort = ORDER_BYTES, .count = 2, .json = true };
	struct options human = { .human = true }, bad = { .count = 5 };
	struct options both = { .human = true, .json = true };
	struct flows flows = { 0 };
	const char *out;
	struct flow f;
	json_t *j;
	int code;
	__u64 i;

	for (i = 0; i < 1000; i++) {
		sample_tcp(&f, i);
		f.id = i;
		f.bytes[ORIG] = i * 7 % 1000;
		f.packets[REPLY] = i * 3 % 1000;
		f.age = i / 2;
		EXPECT(flows_add(&flows, &f));
	}
	flows_sort(&flows, ORDER_BYTES);
	EXPECT_INT(flows.flow[0].bytes[ORIG], 999);
	EXPECT_INT(flows.flow[999].bytes[ORIG], 0);
	flows_sort(&flows, ORDER_PACKETS);
	EXPECT_INT(flows.flow[0].packets[REPLY], 999);
	flows_sort(&flows, ORDER_AGE);
	EXPECT_INT(flows.flow[0].id, 998);
	EXPECT_INT(flows.flow[1].id, 999);
	flows_free(&flows);
	EXPECT_INT(flows.n, 0);

	fake_reset();
	fake.flows = 20000;
	out = run_verb(cmd_list, &two, "", &code);
	EXPECT_INT(code, EXIT_OK);
	j = json_loads(out, 0, NULL);
	EXPECT_INT(json_array_size(j), 2);
	json_decref(j);
	fake.flows = 0;
	EXPECT_STR(run_verb(cmd_list, &two, "", &code), "[]\n");
	fake.flows = 3;
	out = run_verb(cmd_list, &by_age, "", &code);
	EXPECT(!strncmp(out, "tcp established src=10.0.0.2 ", 29));
	/* a dump that is repeated shows no flow twice */
	fake.interrupt = 1;
	out = run_verb(cmd_list, &by_age, "", &code);
	out = strstr(out, "sport=4244 ");
	EXPECT(out && !strstr(out + 1, "sport=4244 "));
	out = run_verb(cmd_list, &human, "", &code);
	EXPECT(strstr(out, "  5    300   1s      53s  assured  mark 0x1 zone 5\n"));
	run_verb(cmd_list, &bad, "", &code);
	EXPECT_INT(code, EXIT_USAGE);
	run_verb(cmd_list, &both, "", &code);
	EXPECT_INT(code, EXIT_USAGE);
	err_clear();
}

static void units(void)
{
	static const struct {
		__u64 value;
		const char *size;
		const char *time;
	} cases[] = {
		{ 0, "0", "0s" },
		{ 59, "59", "59s" },
		{ 60, "60", "1m00s" },
		{ 1023, "1023", "17m03s" },
		{ 1024, "1.0k", "17m04s" },
		{ 7384, "7.2k", "2h03m" },
		{ 90000, "87k", "1d01h" },
		{ 1048575, "1023k", "12d03h" },
		{ 1048576, "1.0M", "12d03h" },
		{ 432000ULL << 20, "421G", "5242880d00h" },
		{ ~0ULL, "15E", "213503982334601d07h" },
	};
	char buf[24];
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		pretty_size(buf, cases[i].value);
		EXPECT_STR(buf, cases[i].size);
		pretty_time(buf, cases[i].value);
		EXPECT_STR(buf, cases[i].time);
	}
}

static const char *table(const struct flow *f)
{
	static char buf[OUT_LINE];
	struct pretty pr;

	pretty_init(&pr, false, false);
	pretty_measure(&pr, f);
	*pretty_flow(buf, &pr, f) = '\0';
	return buf;
}

static void protocols(void)
{
	struct flow f;

	sample_icmp6(&f);
	EXPECT_STR(table(&f), PING "       29  embryonic");
	/* What the flow before it had, and the kernel does not say of this one, is no NAT. */
	f.has |= FLOW_BIT(REPLY);
	flow_invert(&f, &f.tuple[REPLY]);
	f.tuple[REPLY].sport = htons(1024);
	f.tuple[ORIG].sport = htons(40000);
	EXPECT_STR(table(&f), PING "       29  embryonic");
	sample_tcp(&f, 0);
	f.has &= ~(FLOW_BIT(COUNTERS_ORIG) | FLOW_BIT(COUNTERS_REPLY) | FLOW_BIT(MARK) |
		   FLOW_BIT(ZONE) | FLOW_BIT(AGE));
	f.has |= FLOW_BIT(TRACKER) | FLOW_BIT(REPLY);
	f.tracker = FLOWTRACK_TRACKER_GUARDED;
	f.tuple[REPLY].dst[3] = 99;
	EXPECT_STR(table(&f), TRANSLATED "       53  assured  " NAT);
}

const struct test list_tests[] = {
	{ "a table on a terminal, and nowhere else", terminal },
	{ "a long one goes through the pager", pager },
	{ "no foreign pager with foreign rights", pager_secure },
	{ "in order, the first ones, in whatever form", order },
	{ "units", units },
	{ "what protocols have in the place of ports", protocols },
	{ NULL, NULL },
};
