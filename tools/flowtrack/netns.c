// SPDX-License-Identifier: GPL-2.0
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "err.h"
#include "netns.h"

#define NAMED		"/run/netns/"

/* One that is there already, or that is gone, is passed over. Return: an exit code. */
static int add(struct netns_list *list, const char *path, const char *name)
{
	struct netns *grown;
	struct stat st;
	unsigned int i;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM))
		return err_set(EXIT_REFUSED, "network namespace '%s': %s", name, strerror(errno));
	if (fd < 0 || fstat(fd, &st)) {
		if (fd >= 0)
			close(fd);
		return EXIT_OK;
	}
	for (i = 0; i < list->n && list->of[i].ino != st.st_ino; i++)
		;
	grown = i < list->n ? NULL : realloc(list->of, (list->n + 1) * sizeof(*list->of));
	if (!grown) {
		close(fd);
		return i < list->n ? EXIT_OK : err_set(EXIT_REFUSED, "out of memory");
	}
	list->of = grown;
	snprintf(grown[i].name, sizeof(grown[i].name), "%s", name);
	grown[i].fd = fd;
	grown[i].ino = st.st_ino;
	list->n++;
	return EXIT_OK;
}

/* As mountinfo writes a path: blanks and backslashes as three octal digits. */
static void unescape(char *path)
{
	char *to = path;

	for (; *path; to++) {
		if (path[0] == '\\' && isdigit((unsigned char)path[1]) &&
		    isdigit((unsigned char)path[2]) && isdigit((unsigned char)path[3])) {
			*to = (path[1] - '0') << 6 | (path[2] - '0') << 3 | (path[3] - '0');
			path += 4;
		} else {
			*to = *path++;
		}
	}
	*to = '\0';
}

/* Those that something is mounted on: of ip-netns(8), Docker and others. */
static int add_mounted(struct netns_list *list)
{
	char line[2 * PATH_MAX], path[PATH_MAX];
	FILE *file = fopen("/proc/self/mountinfo", "re");
	int code = EXIT_OK;

	if (!file)
		return EXIT_OK;
	while (!code && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%*d %*d %*s net:%*s %4095s", path) != 1)
			continue;
		unescape(path);
		code = add(list, path, strncmp(path, NAMED, sizeof(NAMED) - 1) ? path :
				       path + sizeof(NAMED) - 1);
	}
	fclose(file);
	return code;
}

/* Those that a process is in. */
static int add_inhabited(struct netns_list *list)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;
	char path[PATH_MAX];
	int code = EXIT_OK;

	if (!dir)
		return EXIT_OK;
	while (!code && (entry = readdir(dir))) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		snprintf(path, sizeof(path), "/proc/%s/ns/net", entry->d_name);
		code = add(list, path, entry->d_name);
	}
	closedir(dir);
	return code;
}

/**
 * netns_all() - find all network namespaces
 * @list: filled in; without those that only a socket or a descriptor keeps
 *
 * Return: an exit code; @list is to be freed in any case.
 */
int netns_all(struct netns_list *list)
{
	int code;

	memset(list, 0, sizeof(*list));
	code = add(list, "/proc/self/ns/net", "/proc/self/ns/net");
	if (!code && !list->n)
		code = err_set(EXIT_USAGE, "/proc/self/ns/net: %s", strerror(errno));
	if (!code)
		code = add_mounted(list);
	return code ? code : add_inhabited(list);
}

/**
 * netns_enter() - make one of them the current one
 * @netns: which one
 *
 * Return: an exit code.
 */
int netns_enter(const struct netns *netns)
{
	if (!setns(netns->fd, CLONE_NEWNET))
		return EXIT_OK;
	return err_set(errno == EPERM ? EXIT_NO_PERMISSION : EXIT_USAGE,
		       "cannot enter network namespace '%s': %s", netns->name, strerror(errno));
}

/**
 * netns_command() - make a command that is to be printed one for a network namespace
 * @command: changed, if it is one of this program's that has a namespace
 * @size: of it
 * @netns: as -n takes it; NULL: the current one
 */
void netns_command(char *command, size_t size, const char *netns)
{
	static const char prog[] = "flowtrack ";
	const char *quote = strpbrk(netns ? netns : "", " \t*?$&;|<>()\\\"`#~") ? "'" : "";
	char rest[512];

	if (!netns || strncmp(command, prog, sizeof(prog) - 1) ||
	    !strncmp(command + sizeof(prog) - 1, "-n ", 3))
		return;
	snprintf(rest, sizeof(rest), "%s", command + sizeof(prog) - 1);
	snprintf(command, size, "%s-n %s%s%s %s", prog, quote, netns, quote, rest);
}

void netns_free(struct netns_list *list)
{
	while (list->n)
		close(list->of[--list->n].fd);
	free(list->of);
	list->of = NULL;
}
