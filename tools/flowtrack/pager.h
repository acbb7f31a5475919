/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A pager between what is printed and the terminal.
 */
#ifndef FT_PAGER_H
#define FT_PAGER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct out;

/**
 * struct pager - a pager that runs
 * @pid: its process; 0: none
 * @terminal: what was the output's file descriptor before
 */
struct pager {
	pid_t pid;
	int terminal;
};

bool pager_wanted(const struct out *o, size_t lines);
void pager_start(struct pager *pager, struct out *o);
void pager_end(struct pager *pager, struct out *o);

#endif /* FT_PAGER_H */
