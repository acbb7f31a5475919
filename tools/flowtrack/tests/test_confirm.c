// SPDX-License-Identifier: GPL-2.0
/*
 * Settings on trial. The process that waits has a copy of the fake kernel: what
 * it sends is seen in the guest; here, that it decides.
 */
#include <fcntl.h>
#include <limits.h>
#include <linux/nf_flowtrack.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd.h"
#include "rundir.h"
#include "test.h"

static const struct options plain, on_trial = { .confirm = 60 }, short_trial = { .confirm = 1 };

#define DIR_NAME	"/tmp/flowtrack-test.XXXXXX"

static char dir[sizeof(DIR_NAME)], trial[PATH_MAX];

static void begin(void)
{
	fake_reset();
	snprintf(dir, sizeof(dir), DIR_NAME);
	EXPECT(mkdtemp(dir));
	rundir = dir;
	rundir_path(trial, sizeof(trial), "unconfirmed");
}

static void end(void)
{
	char path[PATH_MAX];

	rundir_path(path, sizeof(path), "lock");
	unlink(path);
	unlink(trial);
	EXPECT(!rmdir(dir));
	err_clear();
}

/* Whether nobody holds the file's lock any more, within two seconds. */
static bool let_go(int fd)
{
	int i;

	for (i = 0; i < 200; i++) {
		if (!flock(fd, LOCK_EX | LOCK_NB))
			return true;
		poll(NULL, 0, 10);
	}
	return false;
}

static void in_time(void)
{
	char text[256] = "";
	int fd, code;

	begin();
	run_verb(cmd_confirm, &plain, "", &code);
	EXPECT_INT(code, EXIT_NOT_FOUND);
	EXPECT(strstr(err_msg(), "nothing waits to be confirmed"));
	fake.follow = 1ULL << FLOWTRACK_A_SETTINGS_UDP_TIMEOUT;
	EXPECT_STR(run_verb(cmd_set, &on_trial, "max 500 udp_timeout 7 buckets 64", &code),
		   "taken back in 60 s, unless 'flowtrack confirm' comes\n");
	EXPECT_INT(code, EXIT_OK);
	/* The file brings back what was there: chosen values as such. */
	fd = open(trial, O_RDONLY | O_CLOEXEC);
	EXPECT(read(fd, text, sizeof(text) - 1) > 0);
	EXPECT_STR(text, "max=1\nbuckets=auto:0\nudp_timeout=auto\n");
	EXPECT(flock(fd, LOCK_EX | LOCK_NB));
	run_verb(cmd_set, &on_trial, "max 600", &code);
	EXPECT_INT(code, EXIT_REFUSED);
	EXPECT(strstr(err_msg(), "a change waits to be confirmed") && !strstr(err_msg(), "gone"));
	EXPECT_STR(run_verb(cmd_confirm, &plain, "", &code), "the settings stay\n");
	EXPECT_INT(code, EXIT_OK);
	EXPECT(access(trial, F_OK));
	/* The process ends, long before its time. */
	EXPECT(let_go(fd));
	close(fd);
	end();
}

static void not_confirmed(void)
{
	int fd, code;

	begin();
	run_verb(cmd_set, &short_trial, "max 500", &code);
	EXPECT_INT(code, EXIT_OK);
	fd = open(trial, O_RDONLY | O_CLOEXEC);
	EXPECT(let_go(fd));
	close(fd);
	EXPECT(access(trial, F_OK));
	run_verb(cmd_confirm, &plain, "", &code);
	EXPECT_INT(code, EXIT_NOT_FOUND);
	end();
}

/* That the file's time is changed is no word. */
static void touched(void)
{
	int fd, code;

	begin();
	run_verb(cmd_set, &on_trial, "max 500", &code);
	EXPECT_INT(code, EXIT_OK);
	fd = open(trial, O_RDONLY | O_CLOEXEC);
	poll(NULL, 0, 200);
	EXPECT(!utimensat(AT_FDCWD, trial, NULL, 0));
	poll(NULL, 0, 300);
	EXPECT(flock(fd, LOCK_EX | LOCK_NB));
	run_verb(cmd_confirm, &plain, "", &code);
	EXPECT_INT(code, EXIT_OK);
	EXPECT(let_go(fd));
	close(fd);
	end();
}

static void refused(void)
{
	int fd, code;

	begin();
	fake.error = 22;
	run_verb(cmd_set, &on_trial, "max 500", &code);
	EXPECT_INT(code, EXIT_REFUSED);
	EXPECT(access(trial, F_OK));
	fake.error = 0;
	/* A file that nobody holds: its process was killed. */
	fd = open(trial, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	close(fd);
	run_verb(cmd_set, &on_trial, "max 500", &code);
	EXPECT_INT(code, EXIT_REFUSED);
	EXPECT(strstr(err_msg(), "is gone: 'flowtrack set $(cat "));
	run_verb(cmd_confirm, &plain, "", &code);
	EXPECT_INT(code, EXIT_OK);
	end();
}

const struct test confirm_tests[] = {
	{ "confirmed: the settings stay, and one at a time", in_time },
	{ "not confirmed: the trial ends by itself", not_confirmed },
	{ "the file is touched: the trial goes on", touched },
	{ "refused, and a process that is gone", refused },
	{ NULL, NULL },
};
