// SPDX-License-Identifier: GPL-2.0
/*
 * flowtrack watch: fill, classes and rates over time.
 */
#include <time.h>
#include <unistd.h>

#include "cmd.h"
#include "nl.h"
#include "watch.h"

#define DEFAULT_DELAY	2

/* Where there is no screen: a line for each look. */
static int watch_lines(struct nl *nl, unsigned int delay, __u64 count)
{
	const struct timespec pause = { .tv_sec = delay };
	static struct watch w;
	char line[256];
	int code;

	for (;;) {
		code = watch_look(nl, &w);
		if (code)
			return code;
		if (w.n == 1) {
			watch_text_head(line, sizeof(line));
			out_fmt(&std, "%s\n", line);
		}
		watch_text(&w, line, sizeof(line));
		out_fmt(&std, "%s\n", line);
		if (!out_flush(&std) || (count && w.n >= count))
			return EXIT_OK;
		nanosleep(&pause, NULL);
	}
}

int cmd_watch(const struct options *opts, int argc, char **argv)
{
	unsigned int delay = opts->delay ? opts->delay : DEFAULT_DELAY;
	bool screen = isatty(std.fd) && isatty(STDIN_FILENO);
	static struct nl nl, events;
	bool told = false;
	int code, err;

	if (argc)
		return err_set(EXIT_USAGE, "unknown word '%s': watch takes none", argv[0]);
	if (opts->json)
		return err_set(EXIT_USAGE, "watch is for people; 'stats' has JSON");
	code = nl_open(&nl, opts->netns);
	if (code)
		return code;
	if (screen) {
		/* Takes a privilege that the rest does not. The namespace has been entered. */
		told = !nl_open(&events, NULL) && !nl_subscribe(&events, true);
		err_clear();
		code = watch_screen(&nl, told ? &events : NULL, delay, opts->count);
		nl_close(&events);
	} else {
		code = watch_lines(&nl, delay, opts->count);
	}
	nl_close(&nl);
	err = out_close(&std);
	return code ? code : err;
}
