// SPDX-License-Identifier: GPL-2.0
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <libgen.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "err.h"
#include "module.h"
#include "program.h"
#include "rundir.h"

#define SYS_MODULE	"/sys/module/" MODULE
#define SAID		512
/* Somebody may be reading the table just now. */
#define UNLOAD_TRIES	20
#define UNLOAD_TRY_MS	25

/**
 * module_loaded() - whether a module is loaded
 * @name: its name
 *
 * Return: whether.
 */
bool module_loaded(const char *name)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "/sys/module/%s", name);
	return !access(path, F_OK);
}

/* What modinfo(8) says of a file. */
static bool module_info(const char *path, const char *field, char *value, size_t size)
{
	return !program_run(value, size, "modinfo", "-F", field, path, NULL) && value[0];
}

/* A module of another kernel, or another module, is found out before the old one goes. */
static int check_file(const char *path)
{
	char name[SAID], magic[SAID];
	struct utsname kernel;

	if (access(path, R_OK))
		return err_set(EXIT_USAGE, "%s: %s", path, strerror(errno));
	if (!module_info(path, "name", name, sizeof(name)) || strcmp(name, MODULE))
		return err_set(EXIT_USAGE, "%s: not the module " MODULE, path);
	uname(&kernel);
	if (!module_info(path, "vermagic", magic, sizeof(magic)))
		return err_set(EXIT_USAGE, "%s: no module of any kernel", path);
	magic[strcspn(magic, " ")] = '\0';
	if (strcmp(magic, kernel.release))
		return err_set(EXIT_USAGE, "%s: for kernel %s, and this is %s", path, magic,
			       kernel.release);
	return EXIT_OK;
}

/**
 * module_find() - find the file to load
 * @file: filled in
 * @path: file; NULL: the one that modprobe loads
 *
 * Return: an exit code.
 */
int module_find(struct module_file *file, const char *path)
{
	file->by_name = !path;
	if (!path && program_run(file->path, sizeof(file->path), "modinfo", "-n", MODULE, NULL))
		return err_set(EXIT_USAGE, "no module for this kernel: %s", file->path);
	if (path && !realpath(path, file->path))
		return err_set(EXIT_USAGE, "%s: %s", path, strerror(errno));
	return check_file(file->path);
}

static bool same_source(const char *path, const char *source)
{
	char other[SAID];

	return module_info(path, "srcversion", other, sizeof(other)) && !strcmp(other, source);
}

static bool find_among(struct module_file *file, const char *pattern, const char *source)
{
	bool found = false;
	glob_t paths;
	size_t i;

	if (!glob(pattern, 0, NULL, &paths)) {
		for (i = 0; i < paths.gl_pathc && !found; i++) {
			found = same_source(paths.gl_pathv[i], source);
			if (found)
				snprintf(file->path, sizeof(file->path), "%s", paths.gl_pathv[i]);
		}
	}
	globfree(&paths);
	return found;
}

/* In one line, without the newline; empty if there is none. */
static void read_line(const char *path, char *line, size_t size)
{
	FILE *file = fopen(path, "re");

	line[0] = '\0';
	if (!file)
		return;
	if (fgets(line, size, file))
		line[strcspn(line, "\n")] = '\0';
	fclose(file);
}

/**
 * module_find_loaded() - find a file of the module that is loaded
 * @file: filled in
 * @other: another one, which may be the same
 *
 * The kernel does not know where a module came from, but what it was made of.
 * An upgrade may have taken the file away; so the last one that was loaded here
 * is kept.
 *
 * Return: whether there is one.
 */
bool module_find_loaded(struct module_file *file, const struct module_file *other)
{
	static const char * const patterns[] = {
		"/lib/modules/%s/updates/" MODULE ".ko*",
		"/lib/modules/%s/updates/dkms/" MODULE ".ko*",
		"/lib/modules/%s/extra/" MODULE ".ko*",
		"/lib/modules/%s/extra/*/" MODULE ".ko*",
		"/var/lib/dkms/nf[-_]flowtrack/*/%s/*/module/" MODULE ".ko*",
	};
	char pattern[PATH_MAX], source[SAID];
	struct utsname kernel;
	size_t i;

	file->by_name = false;
	read_line(SYS_MODULE "/srcversion", source, sizeof(source));
	if (!source[0])
		return false;
	rundir_path(pattern, sizeof(pattern), MODULE ".ko*");
	if (find_among(file, pattern, source))
		return true;
	uname(&kernel);
	for (i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
		snprintf(pattern, sizeof(pattern), patterns[i], kernel.release);
		if (find_among(file, pattern, source))
			return true;
	}
	if (!same_source(other->path, source))
		return false;
	strcpy(file->path, other->path);
	return true;
}

/**
 * module_params() - the parameters that the module was loaded with
 * @params: filled in, as insmod(8) takes them
 * @size: of @params
 *
 * Without hashsize, which shows what was chosen: the number is a setting, too.
 */
void module_params(char *params, size_t size)
{
	char path[PATH_MAX], value[128];
	struct dirent *entry;
	size_t len = 0;
	DIR *dir;

	params[0] = '\0';
	dir = opendir(SYS_MODULE "/parameters");
	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.' || !strcmp(entry->d_name, "hashsize"))
			continue;
		snprintf(path, sizeof(path), SYS_MODULE "/parameters/%s", entry->d_name);
		read_line(path, value, sizeof(value));
		if (value[0] && len < size)
			len += snprintf(params + len, size - len, "%s%s=%s", len ? " " : "",
					entry->d_name, value);
	}
	if (dir)
		closedir(dir);
}

/**
 * module_unload() - unload a module
 * @name: its name
 *
 * Return: an exit code; EXIT_OK, too, if it is not loaded.
 */
int module_unload(const char *name)
{
	int i;

	for (i = 0; i < UNLOAD_TRIES; i++) {
		if (!syscall(SYS_delete_module, name, O_NONBLOCK) || errno == ENOENT)
			return EXIT_OK;
		if (errno != EAGAIN && errno != EBUSY)
			break;
		poll(NULL, 0, UNLOAD_TRY_MS);
	}
	return err_set(errno == EPERM ? EXIT_NO_PERMISSION : EXIT_REFUSED,
		       "%s cannot be unloaded: %s", name,
		       errno == EAGAIN ? "something uses it" : strerror(errno));
}

static void write_line(const char *path, const char *line)
{
	FILE *file = fopen(path, "we");

	if (!file)
		return;
	fputs(line, file);
	fclose(file);
}

/**
 * module_unload_ctnetlink() - unload the second module, which will be loaded again soon
 *
 * Flows that it must reach stay in the table meanwhile. A build without the parameter
 * leaves them there anyway.
 *
 * Return: an exit code.
 */
int module_unload_ctnetlink(void)
{
	static const char keep[] = "/sys/module/" MODULE_CTNETLINK "/parameters/keep_own";
	int code;

	write_line(keep, "1");
	code = module_unload(MODULE_CTNETLINK);
	if (code)
		write_line(keep, "0");
	return code;
}

/**
 * module_load() - load the module
 * @file: its file
 * @params: for insmod(8); modprobe has its own
 *
 * Return: an exit code.
 */
int module_load(const struct module_file *file, const char *params)
{
	char said[SAID];
	int status;

	if (file->by_name)
		status = program_run(said, sizeof(said), "modprobe", MODULE, NULL);
	else
		status = program_run(said, sizeof(said), "insmod", file->path, params, NULL);
	return status ? err_set(EXIT_REFUSED, "%s", said) : EXIT_OK;
}

/* The other module of the same build: beside it. */
static bool find_ctnetlink(const char *path, char *other, size_t size)
{
	char dir[PATH_MAX], pattern[PATH_MAX + 64];
	bool found = false;
	glob_t paths;

	snprintf(dir, sizeof(dir), "%s", path);
	snprintf(pattern, sizeof(pattern), "%s/" MODULE_CTNETLINK ".ko*", dirname(dir));
	if (!glob(pattern, 0, NULL, &paths)) {
		snprintf(other, size, "%s", paths.gl_pathv[0]);
		found = true;
	}
	globfree(&paths);
	return found;
}

/**
 * module_load_ctnetlink() - load the second module again
 * @file: file that the first one was loaded from
 *
 * Return: an exit code.
 */
int module_load_ctnetlink(const struct module_file *file)
{
	char path[PATH_MAX], said[SAID];
	int status;

	if (!file->by_name && file->path[0] && find_ctnetlink(file->path, path, sizeof(path)))
		status = program_run(said, sizeof(said), "insmod", path, NULL);
	else
		status = program_run(said, sizeof(said), "modprobe", MODULE_CTNETLINK, NULL);
	if (!status)
		return EXIT_OK;
	return err_set(EXIT_REFUSED, MODULE_CTNETLINK " does not load again: %s", said);
}

static void keep_file(const char *path)
{
	char copy[PATH_MAX], name[PATH_MAX], said[SAID];

	snprintf(name, sizeof(name), "%s", path);
	rundir_path(copy, sizeof(copy), basename(name));
	if (strcmp(copy, path))
		program_run(said, sizeof(said), "cp", "-p", "--", path, copy, NULL);
}

/**
 * module_keep() - keep what was loaded, as a way back from the next one
 * @file: its file
 */
void module_keep(const struct module_file *file)
{
	char path[PATH_MAX] = "", pattern[PATH_MAX];
	bool other = find_ctnetlink(file->path, path, sizeof(path));
	glob_t paths;
	size_t i;

	/* One that is compressed in another way has another name. */
	rundir_path(pattern, sizeof(pattern), MODULE "*.ko*");
	if (!glob(pattern, 0, NULL, &paths))
		for (i = 0; i < paths.gl_pathc; i++)
			if (strcmp(paths.gl_pathv[i], file->path) &&
			    strcmp(paths.gl_pathv[i], path))
				unlink(paths.gl_pathv[i]);
	globfree(&paths);
	keep_file(file->path);
	if (other)
		keep_file(path);
}
