// SPDX-License-Identifier: GPL-2.0
/*
 * flowtrack restore: enter the flows of a saved table.
 */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cmd.h"
#include "flow.h"
#include "nl.h"
#include "parse.h"
#include "save.h"
#include "settings.h"

#define BATCH_FLOWS	100	/* acknowledgments of failures fit in the socket */
#define MAX_WORDS	32
#define MAX_COMPLAINTS	20

/**
 * struct restore - a table being restored
 * @nl: socket
 * @name: of the file, for messages
 * @ignore_existing: a flow that is there already is no failure
 * @line: number of the current line
 * @version: of the format; 0: no header yet
 * @flows: lines that were flows
 * @value: settings, by FLOWTRACK_A_SETTINGS_*
 * @has: bits of those that the file has
 * @lines: numbers of the lines in the batch
 * @n: flows in the batch
 * @len: bytes in the batch
 * @last: its last request
 * @sum: what became of the lines
 * @known_only: settings that the module does not have are passed over
 * @now: nanoseconds since 1970
 * @age: milliseconds since the table was saved; 0: not known
 * @code: exit code of the first failure
 * @batch: requests
 */
struct restore {
	struct nl *nl;
	const char *name;
	bool ignore_existing;
	__u64 line;
	unsigned int version;
	__u64 flows;
	__u32 value[__FLOWTRACK_A_SETTINGS_MAX];
	__u64 has;
	__u64 lines[BATCH_FLOWS];
	unsigned int n;
	size_t len;
	struct nlmsghdr *last;
	struct restored sum;
	bool known_only;
	__u64 now;
	__u64 age;
	int code;
	char batch[BATCH_FLOWS * 512 + NL_REQUEST_SIZE] NL_ALIGNED;
};

static void complain(struct restore *r, __u64 line, int code)
{
	if (!r->sum.failed++)
		r->code = code;
	if (r->sum.failed <= MAX_COMPLAINTS)
		warn("%s:%llu: %s", r->name, line, err_msg());
	else if (r->sum.failed == MAX_COMPLAINTS + 1)
		warn("more lines failed; they are only counted");
	err_clear();
}

static int answer(unsigned int index, int err, void *data)
{
	struct restore *r = data;

	if (err == EPERM || err == EACCES)
		return -1;
	if (err == EEXIST && r->ignore_existing)
		r->sum.existing++;
	else
		complain(r, r->lines[index], EXIT_REFUSED);
	return 0;
}

/* The settings of the file, all of them or none. */
static int send_settings(struct restore *r)
{
	__u32 value[__FLOWTRACK_A_SETTINGS_MAX] = { 0 };
	__u64 has, follow;
	int code;

	if (!r->has)
		return EXIT_OK;
	if (r->known_only) {
		code = get_settings(r->nl, value, &has, &follow);
		if (code)
			return code;
		r->has &= has;
	}
	code = send_set(r->nl, r->value, r->has);
	if (code)
		err_prefix("%s: settings: ", r->name);
	return code;
}

static int send_batch(struct restore *r)
{
	unsigned int n = r->n, done = r->sum.failed + r->sum.existing;
	size_t len = r->len;
	int code;

	if (!n)
		return EXIT_OK;
	r->last->nlmsg_flags |= NLM_F_ACK;
	r->n = 0;
	r->len = 0;
	code = nl_batch(r->nl, r->batch, len, n, NULL, answer, r);
	/* After a hard error nobody can tell: none of these is counted. */
	if (!code)
		r->sum.restored += n - (r->sum.failed + r->sum.existing - done);
	return code;
}

/* Splits a line in place. A line longer than any that save writes is bad. */
static int split(char *line, char **argv)
{
	int argc = 0;
	char *word, *at;

	for (word = strtok_r(line, " \t\r\n", &at); word;
	     word = strtok_r(NULL, " \t\r\n", &at)) {
		if (argc == MAX_WORDS)
			return -1;
		argv[argc++] = word;
	}
	return argc;
}

static int check_header(struct restore *r, int argc, char **argv)
{
	__u64 version;

	if (argc != 2 || strcmp(argv[0], SAVE_HEADER) ||
	    !parse_u64(argv[1], 1000, &version))
		return err_set(EXIT_USAGE, "not a saved table: the first line is '%s VERSION'",
			       SAVE_HEADER);
	if (version < SAVE_VERSION || version > SAVE_VERSION_SETTINGS)
		return err_set(EXIT_USAGE, "version %llu of the format is neither %d nor %d",
			       version, SAVE_VERSION, SAVE_VERSION_SETTINGS);
	r->version = version;
	return EXIT_OK;
}

/*
 * A comment, or when the table was saved: what a flow had left then, it has no
 * more. A clock that was ahead of this one says nothing.
 */
static void take_comment(struct restore *r, int argc, char **argv)
{
	__u64 saved;

	if (argc != 2 || strcmp(argv[0], "#") ||
	    strncmp(argv[1], SAVE_TIME, sizeof(SAVE_TIME) - 1) ||
	    !parse_time(argv[1] + sizeof(SAVE_TIME) - 1, &saved))
		return;
	r->age = saved < r->now ? (r->now - saved) / 1000000 : 0;
}

/* Takes off what went by since the table was saved. Return: false if nothing is left. */
static bool take_age(struct restore *r, struct flow *f)
{
	if (!flow_has(f, FLOWTRACK_A_FLOW_TIMEOUT))
		return true;
	if (f->timeout <= r->age && r->age) {
		r->sum.over++;
		return false;
	}
	f->timeout -= r->age;
	return true;
}

/* Settings come before the first flow, so that there is room for it. */
static int take_settings(struct restore *r, int argc, char **argv)
{
	__u64 has;
	int code;

	if (r->version < SAVE_VERSION_SETTINGS || r->flows)
		return err_set(EXIT_USAGE, "settings stand before the flows of version %d",
			       SAVE_VERSION_SETTINGS);
	code = parse_settings(argc, argv, r->value, &has);
	if (!code)
		r->has |= has;
	return code;
}

/**
 * take_line() - read a line of the table
 * @r: restore
 * @line: line; split in place
 * @len: of @line
 * @f: filled in if it is a flow
 * @flow: set to whether it is
 *
 * Return: an exit code.
 */
static int take_line(struct restore *r, char *line, size_t len, struct flow *f, bool *flow)
{
	char *argv[MAX_WORDS];
	bool comment;
	int argc;

	*flow = false;
	if (line[len - 1] != '\n')
		return err_set(EXIT_USAGE, "the file ends within this line");
	if (strlen(line) != len)
		return err_set(EXIT_USAGE, "a NUL character");
	/* However many words it has. */
	comment = line[strspn(line, " \t")] == '#';
	argc = split(line, argv);
	if (!argc || comment) {
		take_comment(r, argc, argv);
		return EXIT_OK;
	}
	if (!r->version)
		return check_header(r, argc, argv);
	if (argc < 0)
		return err_set(EXIT_USAGE, "too many words");
	if (!strcmp(argv[0], SAVE_SETTING))
		return take_settings(r, argc - 1, argv + 1);
	*flow = true;
	return flow_words(f, argc, argv, 0, WORDS_STATE);
}

/* Enters a flow, with others. */
static int take_flow(struct restore *r, struct flow *f)
{
	struct nlmsghdr *nlh;

	if (!take_age(r, f))
		return EXIT_OK;
	/* Saved where the clock was ahead: no reason to refuse it. */
	if (f->start > r->now)
		f->has &= ~FLOW_BIT(START);
	nlh = nl_append(r->nl, r->batch + r->len, FLOWTRACK_CMD_FLOW_ADD);
	flow_put(nlh, f);
	r->last = nlh;
	r->len += NLMSG_ALIGN(nlh->nlmsg_len);
	r->lines[r->n++] = r->line;
	return r->n == BATCH_FLOWS ? send_batch(r) : EXIT_OK;
}

/* A bad line is told of, and the next one is read; without a header, none is. */
static int restore_line(struct restore *r, char *line, size_t len)
{
	bool flow, cut = line[len - 1] != '\n';
	struct flow f;
	int code;

	r->line++;
	code = take_line(r, line, len, &f, &flow);
	if (code && !r->version && !cut) {
		err_prefix("%s:%llu: ", r->name, r->line);
		return code;
	}
	if (code) {
		complain(r, r->line, code);
		return EXIT_OK;
	}
	if (!flow)
		return EXIT_OK;
	if (!r->flows++) {
		code = send_settings(r);
		if (code)
			return code;
	}
	return take_flow(r, &f);
}

static int restore_lines(struct restore *r, FILE *file)
{
	int code = EXIT_OK;
	struct timespec ts;
	char *line = NULL;
	size_t size = 0;
	ssize_t len;

	clock_gettime(CLOCK_REALTIME, &ts);
	r->now = ts.tv_sec * 1000000000ULL + ts.tv_nsec;
	while (!code && (len = getline(&line, &size, file)) >= 0)
		code = restore_line(r, line, len);
	if (!code && ferror(file))
		code = err_set(EXIT_USAGE, "%s: %s", r->name, strerror(errno));
	if (!code && !r->version && !r->sum.failed)
		code = err_set(EXIT_USAGE, "%s: the file is empty", r->name);
	if (!code && !r->flows)
		code = send_settings(r);
	if (!code)
		code = send_batch(r);
	free(line);
	return code;
}

static void print_summary(const struct restored *r, bool json)
{
	if (json) {
		out_fmt(&std, "{\"restored\":%llu,\"existing\":%llu,\"failed\":%llu",
			r->restored, r->existing, r->failed);
		if (r->over)
			out_fmt(&std, ",\"over\":%llu", r->over);
		out_str(&std, "}\n");
		return;
	}
	out_fmt(&std, "%llu flow%s restored", r->restored, r->restored == 1 ? "" : "s");
	if (r->existing)
		out_fmt(&std, ", %llu existed", r->existing);
	if (r->over)
		out_fmt(&std, ", %llu over since the table was saved", r->over);
	if (r->failed)
		out_fmt(&std, ", %llu failed", r->failed);
	out_str(&std, "\n");
}

/**
 * restore_table() - enter the flows of a saved table
 * @nl: socket
 * @file: saved table
 * @name: of the file, for messages
 * @how: RESTORE_*
 * @sum: set to what became of them
 *
 * Bad lines, and flows that the kernel refuses, are told of and counted.
 *
 * Return: an exit code of what ended it; what was entered before that stays.
 */
int restore_table(struct nl *nl, FILE *file, const char *name, unsigned int how,
		  struct restored *sum)
{
	static struct restore r;
	int code;

	memset(&r, 0, offsetof(struct restore, batch));
	r.nl = nl;
	r.name = name;
	r.ignore_existing = how & RESTORE_IGNORE_EXISTING;
	r.known_only = how & RESTORE_KNOWN_SETTINGS;
	code = restore_lines(&r, file);
	*sum = r.sum;
	sum->code = r.code;
	return code;
}

int cmd_restore(const struct options *opts, int argc, char **argv)
{
	bool named = argc && strcmp(argv[0], "-");
	struct restored sum = { 0 };
	static struct nl nl;
	FILE *file = stdin;
	int code, err;

	if (argc > 1)
		return err_set(EXIT_USAGE, "unknown word '%s': restore takes one file",
			       argv[1]);
	/* Before the namespace changes: /sys and /proc may be others there. */
	if (named) {
		file = fopen(argv[0], "re");
		if (!file)
			return err_set(EXIT_USAGE, "%s: %s", argv[0],
				       strerror(errno));
	}
	code = nl_open(&nl, opts->netns);
	if (!code)
		code = restore_table(&nl, file, named ? argv[0] : "standard input",
				     opts->ignore_existing ? RESTORE_IGNORE_EXISTING : 0, &sum);
	nl_close(&nl);
	if (named)
		fclose(file);
	/* What was entered before a failure is said all the same. */
	if (code && !sum.restored && !sum.failed)
		return code;
	print_summary(&sum, opts->json);
	err = out_close(&std);
	if (code)
		return code;
	return sum.failed ? sum.code : err;
}
