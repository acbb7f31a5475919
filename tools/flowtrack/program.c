// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "program.h"

#define MAX_WORDS	8
/* So often is looked whether a program that says nothing has ended. */
#define LOOK_MS		100

/* For those who became root without root's path. */
#define MORE_PATH	"/usr/sbin:/sbin:/usr/bin:/bin"

static void run_child(char * const *argv, int out)
{
	const char *path = getenv("PATH");
	char longer[4096];

	snprintf(longer, sizeof(longer), "%s%s" MORE_PATH, path ? path : "", path ? ":" : "");
	setenv("PATH", longer, 1);
	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
	execvp(argv[0], argv);
	dprintf(STDERR_FILENO, "%s: %s", argv[0], strerror(errno));
	_exit(127);
}

/*
 * Until it is closed, or the program has ended: what that has left behind, a daemon, may have it
 * open still. Return: the program has ended, and @status is set.
 */
static bool read_all(int fd, char *said, size_t size, pid_t pid, int *status)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	bool ended = false;
	size_t len = 0;
	char rest[256];
	ssize_t n;

	for (;;) {
		bool fits = len < size - 1;

		if (poll(&poll_fd, 1, ended ? 0 : LOOK_MS) <= 0) {
			if (ended)
				break;
			ended = waitpid(pid, status, WNOHANG) == pid;
			continue;
		}
		n = read(fd, fits ? said + len : rest, fits ? size - 1 - len : sizeof(rest));
		if (n > 0 && fits)
			len += n;
		if (!n || (n < 0 && errno != EINTR))
			break;
	}
	said[len] = '\0';
	return ended;
}

static void one_line(char *said)
{
	size_t len = strlen(said);

	while (len && said[len - 1] == '\n')
		said[--len] = '\0';
	while (strchr(said, '\n'))
		*strchr(said, '\n') = ' ';
}

/**
 * program_run() - run a program, and wait for it
 * @said: set to what it printed, on one line; what does not fit is left out
 * @size: of @said
 * @program: its name, or path; its arguments follow, and NULL
 *
 * Return: its exit status; 127 or more: it could not be run, or was killed.
 */
int program_run(char *said, size_t size, const char *program, ...)
{
	char *argv[MAX_WORDS + 1] = { (char *)program };
	int fds[2], status = 0, words = 1;
	bool ended = false;
	va_list ap;
	pid_t pid;

	va_start(ap, program);
	while (words < MAX_WORDS && (argv[words] = va_arg(ap, char *)))
		words++;
	va_end(ap);

	said[0] = '\0';
	if (pipe2(fds, O_CLOEXEC))
		return 127;
	pid = fork();
	if (!pid)
		run_child(argv, fds[1]);
	close(fds[1]);
	if (pid > 0)
		ended = read_all(fds[0], said, size, pid, &status);
	close(fds[0]);
	one_line(said);
	if (pid < 0 || (!ended && waitpid(pid, &status, 0) < 0))
		return 127;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
