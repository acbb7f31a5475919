// SPDX-License-Identifier: GPL-2.0
/*
 * flowtrack reload without a module: two network namespaces, both of which the kernel of
 * test_fake.c plays.
 */
#include <linux/nf_flowtrack.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd.h"
#include "freeze.h"
#include "module.h"
#include "netns.h"
#include "rundir.h"
#include "test.h"
#include "test_reload.h"

#define SPACES	2

/* What the machine does, while the test runs: else the real functions do. */
static struct {
	bool on;
	bool refuses;	/* the new module does not load */
	int loads;
	int frozen;
	int most_frozen;
} machine;

bool __wrap_module_loaded(const char *name)
{
	return machine.on ? !strcmp(name, MODULE) : __real_module_loaded(name);
}

int __wrap_module_find(struct module_file *file, const char *path)
{
	if (!machine.on)
		return __real_module_find(file, path);
	strcpy(file->path, "new");
	return EXIT_OK;
}

bool __wrap_module_find_loaded(struct module_file *file, const struct module_file *other)
{
	if (!machine.on)
		return __real_module_find_loaded(file, other);
	strcpy(file->path, "old");
	return true;
}

int __wrap_module_unload(const char *name)
{
	return machine.on ? EXIT_OK : __real_module_unload(name);
}

int __wrap_module_load(const struct module_file *file, const char *params)
{
	if (!machine.on)
		return __real_module_load(file, params);
	machine.loads++;
	if (machine.refuses && !strcmp(file->path, "new"))
		return err_set(EXIT_REFUSED, "bad");
	return EXIT_OK;
}

void __wrap_module_keep(const struct module_file *file)
{
	if (!machine.on)
		__real_module_keep(file);
}

int __wrap_netns_all(struct netns_list *list)
{
	unsigned int i;

	if (!machine.on)
		return __real_netns_all(list);
	list->n = SPACES;
	list->of = calloc(SPACES, sizeof(*list->of));
	if (!list->of)
		return err_set(EXIT_REFUSED, "out of memory");
	for (i = 0; i < SPACES; i++) {
		snprintf(list->of[i].name, sizeof(list->of[i].name), "space %u", i);
		list->of[i].fd = -1;
	}
	return EXIT_OK;
}

int __wrap_netns_enter(const struct netns *netns)
{
	return machine.on ? EXIT_OK : __real_netns_enter(netns);
}

int __wrap_freeze(struct mnl_socket **sk)
{
	if (!machine.on)
		return __real_freeze(sk);
	*sk = NULL;
	if (++machine.frozen > machine.most_frozen)
		machine.most_frozen = machine.frozen;
	/* Meanwhile, some have run out of time. */
	fake.over = 3;
	return EXIT_OK;
}

void __wrap_thaw(struct mnl_socket *sk)
{
	if (!machine.on)
		__real_thaw(sk);
	else
		machine.frozen--;
}

uid_t __wrap_geteuid(void)
{
	return machine.on ? 0 : __real_geteuid();
}

/* As a shell runs it: it ignores signals, for good. */
static const char *run(const char *line, bool json, int *code)
{
	static const int ignored[] = {
		SIGHUP, SIGINT, SIGTERM, SIGTSTP, SIGTTOU, SIGQUIT, SIGALRM
	};
	const struct options opts = { .json = json };
	struct sigaction was[sizeof(ignored) / sizeof(ignored[0])];
	const char *before = rundir, *out;
	char dir[] = "/tmp/flowtrack-reload-XXXXXX", path[sizeof(dir) + 16];
	char left[sizeof(path)];
	struct stat st;
	size_t i;
	int fd;

	EXPECT(mkdtemp(dir));
	rundir = dir;
	for (i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		sigaction(ignored[i], NULL, &was[i]);
	memset(&machine, 0, sizeof(machine));
	machine.on = true;
	machine.refuses = strstr(line, "bad");
	snprintf(path, sizeof(path), "%s/reload", dir);
	snprintf(left, sizeof(left), "%s/reload/0", dir);
	if (strstr(line, "again")) {
		EXPECT(!mkdir(path, 0700));
		fd = open(left, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
		EXPECT(fd >= 0 && write(fd, "x", 1) == 1);
		close(fd);
	}
	out = run_verb(cmd_reload, &opts, line, code);
	machine.on = false;
	for (i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		sigaction(ignored[i], &was[i], NULL);
	rundir = before;
	/* What an earlier one has left is there still. */
	if (strstr(line, "again"))
		EXPECT(!stat(left, &st) && st.st_size == 1 && !unlink(left));
	snprintf(path, sizeof(path), "%s/lock", dir);
	unlink(path);
	snprintf(path, sizeof(path), "%s/reload", dir);
	rmdir(path);
	/* Nothing else is left. */
	EXPECT(!rmdir(dir));
	EXPECT_INT(machine.frozen, 0);
	EXPECT_INT(machine.most_frozen, strstr(line, "again") ? 0 : SPACES);
	return out;
}

static void counts(void)
{
	const char *out;
	int code;

	fake_reset();
	fake.flows = 100;
	out = run("", false, &code);
	EXPECT_INT(code, EXIT_OK);
	EXPECT(strstr(out, ": 194 flows restored in 2 namespaces, 6 over meanwhile; packets"));
	fake_reset();
	fake.flows = 100;
	out = run("", true, &code);
	EXPECT_INT(code, EXIT_OK);
	EXPECT(strstr(out, "\"namespaces\":2,\"restored\":194,"));
	EXPECT(strstr(out, ",\"existing\":0,\"over\":6,\"failed\":0,"));
	EXPECT_INT(machine.loads, 1);
}

static void goes_back(void)
{
	int code;

	fake_reset();
	fake.flows = 100;
	run("bad", true, &code);
	EXPECT_INT(code, EXIT_REFUSED);
	EXPECT_STR(err_msg(), "new does not load: bad; the old module is back, and its flows are");
	EXPECT_INT(machine.loads, 2);
	/* The last request: all of them are there again. */
	EXPECT_INT(fake.added, 2 * 97);
	err_clear();
}

/* An earlier one could not restore all: its files are the only copy. */
static void keeps_files(void)
{
	int code;

	fake_reset();
	fake.flows = 100;
	run("again", false, &code);
	EXPECT_INT(code, EXIT_REFUSED);
	EXPECT(strstr(err_msg(), "has flows that an earlier reload could not restore"));
	EXPECT_INT(machine.loads, 0);
	err_clear();
}

const struct test reload_tests[] = {
	{ "what is told is of all namespaces: flows restored, and flows that were over", counts },
	{ "a module that does not load: the old one is back, and so are the flows", goes_back },
	{ "files of an earlier one are not overwritten", keeps_files },
	{ NULL, NULL },
};
