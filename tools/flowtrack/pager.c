// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "out.h"
#include "pager.h"

/* Quit if it fits, colours, no wrapped lines, leave the text on the screen. */
#define LESS_OPTIONS	"FRSX"

/**
 * pager_wanted() - whether lines do not fit on the terminal
 * @o: output
 * @lines: how many
 *
 * Return: false as well if it is no terminal, or one without a size.
 */
bool pager_wanted(const struct out *o, size_t lines)
{
	struct winsize size;

	return isatty(o->fd) && !ioctl(o->fd, TIOCGWINSZ, &size) && size.ws_row &&
	       lines >= size.ws_row;
}

/*
 * A user who may run just this program with another user's rights shall not get a
 * shell from the pager.
 */
static bool with_foreign_rights(void)
{
	return getuid() != geteuid() || getenv("SUDO_UID") || getenv("PKEXEC_UID") ||
	       getenv("DOAS_USER");
}

/* @command is for the shell; without one it is less. */
static bool spawn(struct pager *pager, char *command, int from, int to)
{
	char *argv[4] = { command ? "sh" : "less", command ? "-c" : NULL, command };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t usual;
	int err;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, from, STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&actions, to, STDOUT_FILENO);
	sigemptyset(&usual);
	sigaddset(&usual, SIGPIPE);
	sigaddset(&usual, SIGINT);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigdefault(&attr, &usual);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF);
	err = posix_spawnp(&pager->pid, argv[0], &actions, &attr, argv, environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	return !err;
}

/**
 * pager_start() - send an output through a pager from now on
 * @pager: set
 * @o: output, to a terminal
 *
 * $PAGER is a command for the shell; none is meant if it is empty. Without the
 * variable it is less. Where that is not installed the output goes on as it was.
 */
void pager_start(struct pager *pager, struct out *o)
{
	char *command = getenv("PAGER");
	bool secure = with_foreign_rights();
	int pipe[2];

	pager->pid = 0;
	if (command && !*command)
		return;
	if (pipe2(pipe, O_CLOEXEC))
		return;
	setenv("LESS", LESS_OPTIONS, 0);
	if (secure)
		setenv("LESSSECURE", "1", 1);
	if (!spawn(pager, secure ? NULL : command, pipe[0], o->fd)) {
		pager->pid = 0;
		close(pipe[1]);
	} else {
		/* What the pager makes of it, is its matter. */
		signal(SIGINT, SIG_IGN);
		pager->terminal = o->fd;
		o->fd = pipe[1];
	}
	close(pipe[0]);
}

/**
 * pager_end() - wait for the pager, if there is one
 * @pager: pager
 * @o: output, all of which has been written
 */
void pager_end(struct pager *pager, struct out *o)
{
	if (!pager->pid)
		return;
	close(o->fd);
	o->fd = pager->terminal;
	while (waitpid(pager->pid, NULL, 0) < 0 && errno == EINTR)
		;
	pager->pid = 0;
	signal(SIGINT, SIG_DFL);
}
