// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "program.h"

#define MAX_WORDS	8

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
	int fds[2], status, words = 1;
	size_t len = 0;
	ssize_t n = 1;
	char rest[256];
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
	while (pid > 0 && n > 0) {
		bool fits = len < size - 1;

		n = read(fds[0], fits ? said + len : rest, fits ? size - 1 - len : sizeof(rest));
		if (n > 0 && fits)
			len += n;
		if (n < 0 && errno == EINTR)
			n = 1;
	}
	close(fds[0]);
	said[len] = '\0';
	while (len && said[len - 1] == '\n')
		said[--len] = '\0';
	while (strchr(said, '\n'))
		*strchr(said, '\n') = ' ';
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return 127;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
