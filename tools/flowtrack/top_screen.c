// SPDX-License-Identifier: GPL-2.0
/*
 * flowtrack top on a terminal: one list, refreshed every few seconds.
 */
#include <curses.h>
#include <limits.h>
#include <string.h>

#include "cmd.h"
#include "names.h"
#include "nl.h"
#include "screen.h"
#include "top.h"

/* Lines above the first entry, and below the last one. */
#define HEAD_LINES	3
#define FOOT_LINES	2

static const char keys[] =
	"s source  d destination  p service  e external  f by flows  r by rate  b by bytes  q quit";

static void draw(const struct top *top)
{
	char line[128];
	unsigned int i;

	erase();
	top_title(top, line, sizeof(line));
	mvaddnstr(0, 0, line, COLS);
	top_head(top, line, sizeof(line));
	attron(A_REVERSE);
	mvprintw(HEAD_LINES - 1, 0, "%-*.*s", COLS, COLS, line);
	attroff(A_REVERSE);
	for (i = 0; i < top->n && (int)i < LINES - HEAD_LINES - FOOT_LINES;
	     i++) {
		top_line(top, i, line, sizeof(line));
		mvaddnstr(HEAD_LINES + i, 0, line, COLS);
	}
	mvaddnstr(LINES - 1, 0, keys, COLS);
	refresh();
}

/* Return: false to end. */
static bool take_key(int key, __u8 *kind, __u8 *order)
{
	switch (key) {
	case 's':
		*kind = FLOWTRACK_TOP_KIND_SOURCE;
		break;
	case 'd':
		*kind = FLOWTRACK_TOP_KIND_DESTINATION;
		break;
	case 'p':
		*kind = FLOWTRACK_TOP_KIND_SERVICE;
		break;
	case 'e':
		*kind = FLOWTRACK_TOP_KIND_EXTERNAL;
		break;
	case 'f':
		*order = FLOWTRACK_TOP_ORDER_FLOWS;
		break;
	case 'r':
		*order = FLOWTRACK_TOP_ORDER_RATE;
		break;
	case 'b':
		*order = FLOWTRACK_TOP_ORDER_BYTES;
		break;
	case 'q':
		return false;
	}
	return true;
}

/**
 * top_screen() - show a list until a key or a signal ends it
 * @nl: socket
 * @kind: enum flowtrack_top_kind, to begin with
 * @order: enum flowtrack_top_order, to begin with
 * @limit: entries at most; 0: as many as fit
 * @delay: seconds between two looks
 *
 * Return: an exit code.
 */
int top_screen(struct nl *nl, __u8 kind, __u8 order, unsigned int limit,
	       unsigned int delay)
{
	static struct top top;
	int code;

	if (!screen_begin())
		return err_set(EXIT_USAGE,
			       "the terminal can't show a screen: use --once");
	timeout(delay > INT_MAX / 1000 ? INT_MAX : (int)delay * 1000);
	do {
		code = top_get(nl, &top, kind, order, limit ? limit : TOP_MAX);
		if (code)
			break;
		draw(&top);
	} while (take_key(getch(), &kind, &order) && !screen_ended());
	screen_end();
	return code;
}
