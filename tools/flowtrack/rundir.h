/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tool keeps until the next boot, and the lock of those that change it.
 */
#ifndef FT_RUNDIR_H
#define FT_RUNDIR_H

#include <stddef.h>

/* Where; tests have another one. */
extern const char *rundir;

void rundir_path(char *path, size_t size, const char *name);
int rundir_lock(int *fd);
void rundir_unlock(int fd);

#endif /* FT_RUNDIR_H */
