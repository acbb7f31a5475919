// SPDX-License-Identifier: GPL-2.0
/*
 * Watch: what it makes of the counters, and the screen, on a pseudo terminal.
 */
#include <errno.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd.h"
#include "test.h"
#include "watch.h"

#define A(name)		FLOWTRACK_A_STATS_##name

static char line[4096];

static const char *row(const struct watch *w, enum watch_row i, int columns)
{
	watch_line(w, i, columns, line, sizeof(line));
	return line;
}

/* Flows come, 100 a second, faster and faster. */
static void grow(struct watch *w, unsigned int looks)
{
	struct watch_look look = { 0 };
	unsigned int i;

	memset(w, 0, sizeof(*w));
	look.value[A(FLOWS_MAX)] = 1000;
	for (i = 0; i < looks; i++) {
		look.ms = 5000 + i * 2000;
		look.value[A(FLOWS)] = i * 100;
		look.value[A(INSERT)] = 1000000 + i * i * 100;
		look.value[A(FLOWS_ASSURED)] = i * 80;
		look.value[A(FLOWS_CLOSING)] = i * 20;
		look.value[A(FULL_DROP)] = i > 3 ? i : 0;
		watch_add(w, &look);
	}
}

static void courses(void)
{
	static struct watch w;
	struct watch_look look;

	grow(&w, 1);
	EXPECT_STR(row(&w, WATCH_FILL, 50), "fill               0.0%           _ max 0.0%");
	/* one look has no rate */
	EXPECT_STR(row(&w, WATCH_NEW, 50), "new                   -             max 0/s");
	grow(&w, 9);
	EXPECT_STR(row(&w, WATCH_FILL, 50), "fill              80.0%   _.::-==++ max 80.0%");
	EXPECT_STR(row(&w, WATCH_NEW, 50), "new               750/s    .:--=+*# max 750/s");
	EXPECT_STR(row(&w, WATCH_ENDED, 50), "ended             700/s    _.:-=+*# max 700/s");
	EXPECT_STR(row(&w, WATCH_DROPPED, 50), "dropped             1/s    ___#==== max 2/s");
	/* classes have one scale */
	EXPECT_STR(row(&w, WATCH_ASSURED, 50), "assured             640   _.:-==+*# max 640");
	EXPECT_STR(row(&w, WATCH_CLOSING, 50), "closing             160   _.....::: max 160");
	/* as much as there is room for, in blocks; or the value alone */
	w.utf8 = true;
	EXPECT_STR(row(&w, WATCH_FILL, 43), "fill              80.0%  ▅▆▆ max 80.0%");
	EXPECT_STR(row(&w, WATCH_FILL, 30), "fill              80.0%");
	/* loaded anew: nothing runs backwards */
	look = w.last;
	look.ms += 1000;
	memset(&look.value, 0, sizeof(look.value));
	watch_add(&w, &look);
	EXPECT(strstr(row(&w, WATCH_NEW, 50), " 0/s "));
	watch_title(&w, line, sizeof(line));
	EXPECT_STR(line, "flowtrack: 0 of 0 flows; nf_conntrack: 0 of 0, 0 guarded");
	/* more looks than are remembered, on a screen as wide as any */
	grow(&w, 3 * WATCH_HISTORY);
	w.utf8 = true;
	EXPECT(strlen(row(&w, WATCH_FILL, 5000)) < 4 * WATCH_HISTORY);
}

static void lines(void)
{
	struct options two = { .count = 2, .delay = 1 };
	const char *out;
	int code;

	fake_reset();
	out = run_verb(cmd_watch, &two, "", &code);
	EXPECT_INT(code, EXIT_OK);
	EXPECT(!strncmp(out, "     fill%      new/s    ended/s ", 33));
	EXPECT(strstr(out, "\n       0.0          -          - "));
	EXPECT(strstr(out, "\n       0.0          0          0 "));
	two.json = true;
	run_verb(cmd_watch, &two, "", &code);
	EXPECT_INT(code, EXIT_USAGE);
	two.json = false;
	run_verb(cmd_watch, &two, "tcp", &code);
	EXPECT_INT(code, EXIT_USAGE);
	fake.no_family = true;
	run_verb(cmd_watch, &two, "", &code);
	EXPECT_INT(code, EXIT_NO_MODULE);
	err_clear();
}

/* Reads from a terminal until it has said something, @from bytes on. */
static bool screen_says(int fd, char *screen, size_t *len, size_t from, const char *what)
{
	ssize_t n;

	screen[*len] = '\0';
	while (*len < from || !strstr(screen + from, what)) {
		n = read(fd, screen + *len, (1 << 20) - 1 - *len);
		if (n <= 0 && errno != EINTR)
			return false;
		*len += n > 0 ? n : 0;
		screen[*len] = '\0';
	}
	return true;
}

static pid_t start(int *fd, const struct options *opts)
{
	struct winsize size = { .ws_row = 24, .ws_col = 80 };
	pid_t pid;

	fflush(stdout);
	pid = forkpty(fd, NULL, NULL, &size);
	if (pid)
		return pid;
	setenv("TERM", "xterm", 1);
	setenv("LC_ALL", "C.UTF-8", 1);
	out_init(&std, STDOUT_FILENO);
	alarm(60);
	_exit(cmd_watch(opts, 0, NULL));
}

static void on_screen(void)
{
	struct winsize small = { .ws_row = 20, .ws_col = 61 };
	struct options opts = { .delay = 1 };
	static char screen[1 << 20];
	size_t len = 0, before;
	int fd, status = -1;
	pid_t pid;

	fake_reset();
	pid = start(&fd, &opts);
	EXPECT(screen_says(fd, screen, &len, 0, "\033[?1049h"));
	EXPECT(screen_says(fd, screen, &len, 0, "▁"));
	EXPECT(screen_says(fd, screen, &len, 0, "flowtrack: 0 of 0 flows"));
	EXPECT(screen_says(fd, screen, &len, 0, "embryonic"));
	before = len;
	ioctl(fd, TIOCSWINSZ, &small);
	EXPECT(screen_says(fd, screen, &len, before, "embryonic"));
	EXPECT(write(fd, "xq", 2) == 2);
	/* given back as it was */
	EXPECT(screen_says(fd, screen, &len, before, "\033[?1049l"));
	EXPECT(waitpid(pid, &status, 0) == pid);
	EXPECT_INT(status, 0);
	close(fd);

	/* a signal, and enough looks */
	len = 0;
	pid = start(&fd, &opts);
	EXPECT(screen_says(fd, screen, &len, 0, "q quit"));
	kill(pid, SIGTERM);
	EXPECT(screen_says(fd, screen, &len, 0, "\033[?1049l"));
	EXPECT(waitpid(pid, &status, 0) == pid);
	EXPECT_INT(status, 0);
	close(fd);
	len = 0;
	opts.count = 1;
	pid = start(&fd, &opts);
	EXPECT(screen_says(fd, screen, &len, 0, "\033[?1049l"));
	EXPECT(waitpid(pid, &status, 0) == pid);
	EXPECT_INT(status, 0);
	close(fd);
}

const struct test watch_tests[] = {
	{ "rates and courses", courses },
	{ "lines, where there is no screen", lines },
	{ "a screen: size, keys, signals, and the terminal given back", on_screen },
	{ NULL, NULL },
};
