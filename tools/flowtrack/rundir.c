// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "err.h"
#include "rundir.h"

const char *rundir = "/run/flowtrack";

/**
 * rundir_path() - name a file of the directory
 * @path: filled in
 * @size: of @path
 * @name: name
 */
void rundir_path(char *path, size_t size, const char *name)
{
	snprintf(path, size, "%s/%s", rundir, name);
}

static int cannot(const char *path)
{
	return err_set(errno == EACCES || errno == EPERM ? EXIT_NO_PERMISSION : EXIT_USAGE,
		       "%s: %s", path, strerror(errno));
}

/**
 * rundir_lock() - make the directory, and wait until nobody else is at it
 * @fd: set to what rundir_unlock() wants; the lock is gone when all copies of it are closed
 *
 * Return: an exit code.
 */
int rundir_lock(int *fd)
{
	char path[PATH_MAX];

	if (mkdir(rundir, 0700) && errno != EEXIST)
		return cannot(rundir);
	rundir_path(path, sizeof(path), "lock");
	*fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (*fd < 0)
		return cannot(path);
	while (flock(*fd, LOCK_EX)) {
		if (errno == EINTR)
			continue;
		close(*fd);
		return cannot(path);
	}
	return EXIT_OK;
}

void rundir_unlock(int fd)
{
	close(fd);
}
