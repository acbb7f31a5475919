// SPDX-License-Identifier: GPL-2.0
/*
 * Other programs.
 */
#include <stddef.h>
#include <time.h>

#include "program.h"
#include "test.h"

static char said[16];

static void runs(void)
{
	struct timespec began, now;

	EXPECT_INT(program_run(said, sizeof(said), "sh", "-c", "echo a; echo b >&2; exit 3", NULL),
		   3);
	EXPECT_STR(said, "a b");
	EXPECT_INT(program_run(said, sizeof(said), "true", NULL), 0);
	EXPECT_STR(said, "");
	/* A daemon that it leaves behind has its output still. */
	clock_gettime(CLOCK_MONOTONIC, &began);
	EXPECT_INT(program_run(said, sizeof(said), "sh", "-c", "sleep 20 & echo a; exit 4", NULL),
		   4);
	EXPECT_STR(said, "a");
	clock_gettime(CLOCK_MONOTONIC, &now);
	EXPECT(now.tv_sec - began.tv_sec < 10);
	/* What does not fit is left out, and waited for. */
	EXPECT_INT(program_run(said, sizeof(said), "seq", "1", "100000", NULL), 0);
	EXPECT_STR(said, "1 2 3 4 5 6 7 8");
}

static void does_not(void)
{
	EXPECT_INT(program_run(said, sizeof(said), "no-such-program", NULL), 127);
	EXPECT_INT(program_run(said, sizeof(said), "sh", "-c", "kill -9 $$", NULL), 137);
}

const struct test program_tests[] = {
	{ "what it printed, and how it ended", runs },
	{ "one that is not there, and one that is killed", does_not },
	{ NULL, NULL },
};
