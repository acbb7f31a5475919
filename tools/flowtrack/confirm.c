// SPDX-License-Identifier: GPL-2.0
/*
 * Settings on trial. A process of its own waits for the time to be up, so that
 * the terminal and the session that made the change may die of it. A file has
 * the settings of before, as show prints them; while it is there the trial goes
 * on. The one that removes it, with the lock held, has decided: the confirmation, or the
 * process that takes the settings back.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/nf_flowtrack.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "confirm.h"
#include "err.h"
#include "names.h"
#include "nl.h"
#include "out.h"
#include "rundir.h"
#include "settings.h"

#define TRIAL		"unconfirmed"
/* A module that is being reloaded is back by then. */
#define MODULE_TRIES	100
#define MODULE_TRY_MS	100
/* And settings that are refused. */
#define TAKE_BACK_TRIES	3
#define TAKE_BACK_TRY_MS	500

/**
 * struct trial - settings on trial
 * @path: the file
 * @fd: the file, locked by the process that waits
 * @old: settings of before, by FLOWTRACK_A_SETTINGS_*
 * @has: bits of those that were changed
 * @seconds: how long the process waits
 */
struct trial {
	char path[PATH_MAX];
	int fd;
	__u32 old[__FLOWTRACK_A_SETTINGS_MAX];
	__u64 has;
	__u32 seconds;
};

/* Only one at a time: what two would go back to depends on which one is first. */
static int one_is_there(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool alone = fd >= 0 && !flock(fd, LOCK_SH | LOCK_NB);

	if (fd >= 0)
		close(fd);
	err_set(EXIT_REFUSED,
		"a change waits to be confirmed: 'flowtrack confirm' keeps it");
	if (alone)
		err_add("; what was to take it back is gone: 'flowtrack set $(cat %s)' does it",
			path);
	return EXIT_REFUSED;
}

static int cannot(const char *what)
{
	return err_set(EXIT_USAGE, "%s: %s", what, strerror(errno));
}

/* Makes the file, with what it takes to undo the change. */
static int trial_file(struct trial *t)
{
	static struct out o;
	int attr;

	t->fd = open(t->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (t->fd < 0)
		return errno == EEXIST ? one_is_there(t->path) : cannot(t->path);
	out_init(&o, t->fd);
	for (attr = 1; attr < __FLOWTRACK_A_SETTINGS_MAX; attr++)
		if (t->has >> attr & 1)
			print_setting(&o, attr, t->old, 0, false, true);
	if (out_flush(&o) && !flock(t->fd, LOCK_EX | LOCK_NB))
		return EXIT_OK;
	cannot(t->path);
	unlink(t->path);
	close(t->fd);
	return EXIT_USAGE;
}

/* Whether the file is still the one of this trial. */
static bool trial_goes_on(const struct trial *t)
{
	struct stat mine, there;

	return !fstat(t->fd, &mine) && !stat(t->path, &there) &&
	       mine.st_dev == there.st_dev && mine.st_ino == there.st_ino;
}

/*
 * One refused, together with the others: because it does not go with how things are now, say.
 * The others go back without it. Return: as of the one that did not.
 */
static int send_each(struct nl *nl, const struct trial *t, __u64 has)
{
	int attr, err, code = EXIT_OK;
	char why[256] = "";

	for (attr = 1; attr < __FLOWTRACK_A_SETTINGS_MAX; attr++) {
		if (!(has >> attr & 1))
			continue;
		err = send_set(nl, t->old, 1ULL << attr);
		if (!err)
			continue;
		code = err;
		snprintf(why, sizeof(why), "%s: %s", settings[attr].name, err_msg());
	}
	return code ? err_set(code, "%s", why) : EXIT_OK;
}

/* The settings of before, as far as a module that was loaded meanwhile has them. */
static int send_old(const struct trial *t)
{
	__u32 value[__FLOWTRACK_A_SETTINGS_MAX] = { 0 };
	__u64 has = 0, follow = 0;
	static struct nl nl;
	int i, code;

	for (i = 0; i < MODULE_TRIES; i++) {
		code = nl_open(&nl, NULL);
		if (code != EXIT_NO_MODULE)
			break;
		poll(NULL, 0, MODULE_TRY_MS);
	}
	if (code)
		return code;
	code = get_settings(&nl, value, &has, &follow);
	if (!code)
		code = send_set(&nl, t->old, t->has & has);
	/* A second round: what one was refused for may have gone back in the first. */
	for (i = 0; code && has && i < 2; i++)
		code = send_each(&nl, t, t->has & has);
	nl_close(&nl);
	return code;
}

static void take_back(const struct trial *t)
{
	int lock, code, i;
	bool locked;

	/* Without the lock, if need be: it keeps others from changing them at the same time. */
	locked = !rundir_lock(&lock);
	if (trial_goes_on(t)) {
		code = send_old(t);
		for (i = 1; code && code != EXIT_NO_MODULE && i < TAKE_BACK_TRIES; i++) {
			poll(NULL, 0, TAKE_BACK_TRY_MS);
			code = send_old(t);
		}
		/* With the module its settings went, the new ones, too. */
		if (code && code != EXIT_NO_MODULE) {
			/* The file stays: it has what they were. */
			syslog(LOG_ERR,
			       "settings were not confirmed, and are in %s: not all can be taken back: %s",
			       t->path, err_msg());
		} else {
			syslog(LOG_NOTICE, "settings were not confirmed in time: taken back");
			unlink(t->path);
		}
	}
	if (locked)
		rundir_unlock(lock);
}

/*
 * Waits until the time is up, the file is gone, or somebody ends the process:
 * what cannot wait any longer takes the settings back at once.
 */
static void wait_for_word(const struct trial *t)
{
	struct pollfd fds[2] = { { .events = POLLIN }, { .events = POLLIN } };
	struct timespec now, end;
	char event[4096];
	sigset_t set;
	long ms;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fds[0].fd = inotify_init1(IN_CLOEXEC);
	inotify_add_watch(fds[0].fd, t->path, IN_ATTRIB);
	fds[1].fd = signalfd(-1, &set, SFD_CLOEXEC);
	clock_gettime(CLOCK_BOOTTIME, &end);
	end.tv_sec += t->seconds;
	while (trial_goes_on(t)) {
		clock_gettime(CLOCK_BOOTTIME, &now);
		ms = (end.tv_sec - now.tv_sec) * 1000L + (end.tv_nsec - now.tv_nsec) / 1000000;
		if (ms <= 0 || !poll(fds, 2, ms < INT_MAX ? ms : INT_MAX) || fds[1].revents)
			return;
		/* Is the file gone, or was only its time changed? */
		if (fds[0].revents && read(fds[0].fd, event, sizeof(event)) < 0)
			return;
	}
}

static void detach(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), fd;

	setsid();
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	for (fd = 0; fd <= 2; fd++)
		dup2(null, fd);
	if (chdir("/"))
		_exit(1);
}

/* Starts the process that waits; its parent ends, so that nobody need wait for it. */
static int start_waiting(const struct trial *t, int lock)
{
	pid_t pid = fork();

	if (pid < 0)
		return cannot("fork");
	if (pid) {
		waitpid(pid, NULL, 0);
		return EXIT_OK;
	}
	close(lock);
	detach();
	if (fork())
		_exit(0);
	openlog("flowtrack", LOG_PID, LOG_DAEMON);
	wait_for_word(t);
	take_back(t);
	_exit(0);
}

static int try_settings(struct trial *t, struct nl *nl, const __u32 *value, __u64 has, int lock)
{
	__u64 follow, there;
	int code;

	code = get_settings(nl, t->old, &there, &follow);
	if (code)
		return code;
	settings_as_set(t->old, follow);
	t->has = has & there;
	code = trial_file(t);
	if (code)
		return code;
	/* From here on the change goes back whatever becomes of this process. */
	code = start_waiting(t, lock);
	if (!code)
		code = send_set(nl, value, has);
	if (code)
		unlink(t->path);
	close(t->fd);
	return code;
}

/**
 * confirm_set() - change settings, until they are confirmed or the time is up
 * @nl: socket
 * @value: by FLOWTRACK_A_SETTINGS_*
 * @has: bits of those that change
 * @seconds: how much time there is
 *
 * Return: an exit code; after an error nothing has changed.
 */
int confirm_set(struct nl *nl, const __u32 *value, __u64 has, __u32 seconds)
{
	struct trial t = { .seconds = seconds };
	int lock, code;

	code = rundir_lock(&lock);
	if (code)
		return code;
	rundir_path(t.path, sizeof(t.path), TRIAL);
	code = try_settings(&t, nl, value, has, lock);
	rundir_unlock(lock);
	return code;
}

/**
 * confirm_keep() - keep what is on trial
 *
 * Return: an exit code; EXIT_NOT_FOUND: nothing is.
 */
int confirm_keep(void)
{
	char path[PATH_MAX];
	int lock, code;

	code = rundir_lock(&lock);
	if (code)
		return code;
	rundir_path(path, sizeof(path), TRIAL);
	if (!unlink(path))
		code = EXIT_OK;
	else if (errno == ENOENT)
		code = err_set(EXIT_NOT_FOUND,
			       "nothing waits to be confirmed, or it was taken back already");
	else
		code = cannot(path);
	rundir_unlock(lock);
	return code;
}
