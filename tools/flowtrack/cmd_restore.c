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

#define BATCH_FLOWS	100	/* acknowledgments of failures fit in the socket */
#define MAX_WORDS	32
#define MAX_COMPLAINTS	20

/**
 * struct restore - a table being restored
 * @nl: socket
 * @name: of the file, for messages
 * @ignore_existing: a flow that is there already is no failure
 * @line: number of the current line
 * @lines: numbers of the lines in the batch
 * @n: flows in the batch
 * @len: bytes in the batch
 * @restored: flows entered
 * @existing: flows that were there
 * @failed: lines that were bad or refused
 * @code: exit code of the first failure
 * @batch: requests
 */
struct restore {
	struct nl *nl;
	const char *name;
	bool ignore_existing;
	__u64 line;
	__u64 lines[BATCH_FLOWS];
	unsigned int n;
	size_t len;
	__u64 restored;
	__u64 existing;
	__u64 failed;
	int code;
	char batch[BATCH_FLOWS * 512 + NL_REQUEST_SIZE] NL_ALIGNED;
};

static void complain(struct restore *r, __u64 line, int code)
{
	if (!r->failed++)
		r->code = code;
	if (r->failed <= MAX_COMPLAINTS)
		warn("%s:%llu: %s", r->name, line, err_msg());
	else if (r->failed == MAX_COMPLAINTS + 1)
		warn("more lines failed; they are only counted");
	err_clear();
}

static int answer(unsigned int index, int err, void *data)
{
	struct restore *r = data;

	r->restored--;
	if (err == EPERM || err == EACCES)
		return -1;
	if (err == EEXIST && r->ignore_existing)
		r->existing++;
	else
		complain(r, r->lines[index], EXIT_REFUSED);
	return 0;
}

static int send_batch(struct restore *r, struct nlmsghdr *last)
{
	unsigned int n = r->n;
	size_t len = r->len;

	if (!n)
		return EXIT_OK;
	last->nlmsg_flags |= NLM_F_ACK;
	r->n = 0;
	r->len = 0;
	r->restored += n;
	return nl_batch(r->nl, r->batch, len, n, answer, r);
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
		return err_set(EXIT_USAGE,
			       "%s:%llu: not a saved table: the first line is '%s VERSION'",
			       r->name, r->line, SAVE_HEADER);
	if (version != SAVE_VERSION)
		return err_set(EXIT_USAGE,
			       "%s:%llu: version %llu of the format is not %d",
			       r->name, r->line, version, SAVE_VERSION);
	return EXIT_OK;
}

static int restore_lines(struct restore *r, FILE *file)
{
	struct nlmsghdr *nlh = NULL;
	bool header = false;
	size_t size = 0;
	char *line = NULL;
	int code = EXIT_OK;
	struct timespec ts;
	ssize_t len;
	__u64 now;

	clock_gettime(CLOCK_REALTIME, &ts);
	now = ts.tv_sec * 1000000000ULL + ts.tv_nsec;
	while (!code && (len = getline(&line, &size, file)) >= 0) {
		char *argv[MAX_WORDS];
		struct flow f;
		int argc;

		r->line++;
		if (line[len - 1] != '\n') {
			err_set(EXIT_USAGE, "the file ends within this line");
			complain(r, r->line, EXIT_USAGE);
			break;
		}
		if (strlen(line) != (size_t)len) {
			err_set(EXIT_USAGE, "a NUL character");
			complain(r, r->line, EXIT_USAGE);
			continue;
		}
		argc = split(line, argv);
		if (!argc || (argc > 0 && argv[0][0] == '#'))
			continue;
		if (!header) {
			code = check_header(r, argc, argv);
			header = true;
			continue;
		}
		if (argc < 0) {
			err_set(EXIT_USAGE, "too many words");
			complain(r, r->line, EXIT_USAGE);
			continue;
		}
		if (flow_words(&f, argc, argv, 0, WORDS_STATE)) {
			complain(r, r->line, EXIT_USAGE);
			continue;
		}
		/* Saved where the clock was ahead: no reason to refuse it. */
		if (f.start > now)
			f.has &= ~FLOW_BIT(START);
		nlh = nl_append(r->nl, r->batch + r->len,
				FLOWTRACK_CMD_FLOW_ADD);
		flow_put(nlh, &f);
		r->len += NLMSG_ALIGN(nlh->nlmsg_len);
		r->lines[r->n++] = r->line;
		if (r->n == BATCH_FLOWS)
			code = send_batch(r, nlh);
	}
	if (!code && ferror(file))
		code = err_set(EXIT_USAGE, "%s: %s", r->name, strerror(errno));
	if (!code && !header)
		code = err_set(EXIT_USAGE, "%s: the file is empty", r->name);
	if (!code)
		code = send_batch(r, nlh);
	free(line);
	return code;
}

int cmd_restore(const struct options *opts, int argc, char **argv)
{
	static struct restore r;
	static struct nl nl;
	FILE *file = stdin;
	int code, err;

	if (argc > 1)
		return err_set(EXIT_USAGE, "unknown word '%s': restore takes one file",
			       argv[1]);
	memset(&r, 0, offsetof(struct restore, batch));
	r.nl = &nl;
	r.name = argc && strcmp(argv[0], "-") ? argv[0] : "standard input";
	r.ignore_existing = opts->ignore_existing;
	/* Before the namespace changes: /sys and /proc may be others there. */
	if (argc && strcmp(argv[0], "-")) {
		file = fopen(argv[0], "re");
		if (!file)
			return err_set(EXIT_USAGE, "%s: %s", argv[0],
				       strerror(errno));
	}
	code = nl_open(&nl, opts->netns);
	if (!code)
		code = restore_lines(&r, file);
	nl_close(&nl);
	if (file != stdin)
		fclose(file);
	if (code)
		return code;
	if (opts->json) {
		out_fmt(&std, "{\"restored\":%llu,\"existing\":%llu,\"failed\":%llu}\n",
			r.restored, r.existing, r.failed);
	} else {
		out_fmt(&std, "%llu flow%s restored", r.restored,
			r.restored == 1 ? "" : "s");
		if (r.existing)
			out_fmt(&std, ", %llu existed", r.existing);
		if (r.failed)
			out_fmt(&std, ", %llu failed", r.failed);
		out_str(&std, "\n");
	}
	err = out_close(&std);
	return r.failed ? r.code : err;
}
