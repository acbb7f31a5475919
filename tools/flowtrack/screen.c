// SPDX-License-Identifier: GPL-2.0
#include <curses.h>
#include <locale.h>
#include <signal.h>

#include "screen.h"

static volatile sig_atomic_t ended;
static SCREEN *screen;

static void end(int sig)
{
	(void)sig;
	ended = 1;
}

/**
 * screen_begin() - take the terminal
 *
 * Keys are read one by one. SIGINT and SIGTERM end getch(), see
 * screen_ended(); the terminal is given back by screen_end() all the same.
 *
 * Return: false if the terminal can't show a screen.
 */
bool screen_begin(void)
{
	struct sigaction action = { .sa_handler = end };

	setlocale(LC_CTYPE, "");
	screen = newterm(NULL, stdout, stdin);
	if (!screen)
		return false;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	cbreak();
	noecho();
	curs_set(0);
	return true;
}

void screen_end(void)
{
	endwin();
	delscreen(screen);
}

/**
 * screen_ended() - whether a signal asks to end
 *
 * Return: true from then on.
 */
bool screen_ended(void)
{
	return ended;
}
