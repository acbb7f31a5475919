/* SPDX-License-Identifier: GPL-2.0 */
/*
 * All network namespaces of the machine, as far as this program can reach them.
 */
#ifndef FT_NETNS_H
#define FT_NETNS_H

#include <sys/types.h>

#define NETNS_NAME	128

/**
 * struct netns - a network namespace
 * @name: as -n takes it: a name of ip-netns(8), a path, or a process
 * @fd: keeps it
 * @ino: tells it from the others
 */
struct netns {
	char name[NETNS_NAME];
	int fd;
	ino_t ino;
};

/**
 * struct netns_list - some of them
 * @of: the first one is that of the program
 * @n: how many
 */
struct netns_list {
	struct netns *of;
	unsigned int n;
};

int netns_all(struct netns_list *list);
int netns_enter(const struct netns *netns);
void netns_free(struct netns_list *list);
void netns_command(char *command, size_t size, const char *netns);

#endif /* FT_NETNS_H */
