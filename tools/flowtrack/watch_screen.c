// SPDX-License-Identifier: GPL-2.0
/*
 * flowtrack watch on a terminal.
 */
#include <curses.h>
#include <langinfo.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <string.h>
#include <time.h>

#include "cmd.h"
#include "nl.h"
#include "pressure.h"
#include "screen.h"
#include "watch.h"

/* Lines above the first row. */
#define HEAD_LINES	2

/* The last message of a watermark, with the time. */
static struct out told;

static void take_message(const struct nl *nl, int i)
{
	const struct nlmsghdr *nlh = (const void *)(nl->buf + i * NL_EVENT_SIZE);
	static struct pressure pressure;
	int len = nl->len[i];
	char clock[16];
	struct tm tm;
	time_t now;

	for (; mnl_nlmsg_ok(nlh, len); nlh = mnl_nlmsg_next(nlh, &len)) {
		const struct genlmsghdr *genl = mnl_nlmsg_get_payload(nlh);

		if (nlh->nlmsg_type != nl->family || genl->cmd != FLOWTRACK_CMD_PRESSURE_NTF)
			continue;
		pressure_parse(nlh, &pressure);
		now = time(NULL);
		strftime(clock, sizeof(clock), "%H:%M:%S", localtime_r(&now, &tm));
		told.len = 0;
		out_fmt(&told, "%s %s ", clock,
			pressure.level == FLOWTRACK_LEVEL_HIGH ? "HIGH" : "LOW");
		pressure_text(&told, &pressure);
	}
}

static void take_messages(struct nl *events)
{
	int n, i;

	if (!events)
		return;
	while ((n = nl_receive_events(events)) > 0)
		for (i = 0; i < n; i++)
			take_message(events, i);
}

static void draw(const struct watch *w, unsigned int delay)
{
	static char line[4 * (WATCH_HISTORY + 128)];
	int rest = LINES - HEAD_LINES - WATCH_ROWS - 2;
	int i;

	erase();
	watch_title(w, line, sizeof(line));
	mvaddnstr(0, 0, line, COLS);
	for (i = 0; i < WATCH_ROWS && HEAD_LINES + i < LINES - 1; i++) {
		watch_line(w, i, COLS, line, sizeof(line));
		mvaddstr(HEAD_LINES + i, 0, line);
	}
	told.buf[told.len] = '\0';
	if (rest > 0)
		mvaddnstr(HEAD_LINES + WATCH_ROWS + 1, 0, told.buf, COLS * rest);
	attron(A_REVERSE);
	mvprintw(LINES - 1, 0, "%-*.*s", COLS, COLS, "q quit");
	attroff(A_REVERSE);
	if (COLS > 40)
		mvprintw(LINES - 1, COLS - 30, " a look every %u s, %u so far ", delay, w->n);
	refresh();
}

static long left_of(const struct timespec *until)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (until->tv_sec - now.tv_sec) * 1000 + (until->tv_nsec - now.tv_nsec) / 1000000;
}

/* Until the next look; a screen of another size is drawn at once. Return: false to end. */
static bool wait_for_key(const struct watch *w, unsigned int delay)
{
	struct timespec until;
	long left;
	int key;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += delay;
	while (!screen_ended() && (left = left_of(&until)) > 0) {
		timeout(left);
		key = getch();
		if (key == 'q')
			return false;
		if (key == KEY_RESIZE)
			draw(w, delay);
	}
	return !screen_ended();
}

/**
 * watch_screen() - show what happens until a key or a signal ends it
 * @nl: socket
 * @events: socket that the messages of watermarks come to; NULL: none do
 * @delay: seconds between two looks
 * @count: looks at most; 0: no limit
 *
 * Return: an exit code.
 */
int watch_screen(struct nl *nl, struct nl *events, unsigned int delay, __u64 count)
{
	static struct watch w;
	int code;

	out_init(&told, -1);
	if (!screen_begin())
		return err_set(EXIT_USAGE,
			       "the terminal can't show a screen: use a pipe, as in 'flowtrack watch | cat'");
	w.utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8");
	do {
		code = watch_look(nl, &w);
		if (code)
			break;
		take_messages(events);
		draw(&w, delay);
		if (count && w.n >= count)
			break;
	} while (wait_for_key(&w, delay));
	screen_end();
	return code;
}
