// SPDX-License-Identifier: GPL-2.0
/*
 * flowtrack reload: another build of the module in the place of the one that is
 * loaded, without a flow or a setting lost, in all network namespaces.
 *
 * In a namespace that has flows, packets are held up from the moment that its
 * table is saved until it is restored, see freeze.c: what is saved is what there
 * is, and no packet meets an empty table. What can fail is tried before that,
 * and where there is no way back, nothing is begun.
 *
 * Flows are kept in memory, ready to be sent, see replay.c: to write them as text and to
 * read it takes longer than all else. Most of that is done before packets wait; then those
 * that have changed are asked for. A file has them, too, as they were a moment before, in
 * case that this program is killed; it is written anew if they cannot be restored.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cmd.h"
#include "filter.h"
#include "freeze.h"
#include "module.h"
#include "netns.h"
#include "nl.h"
#include "print.h"
#include "replay.h"
#include "rundir.h"
#include "settings.h"
#include "version.h"

#define PARAMS_SIZE	1024
/* Flows are restored by so many processes at most, each of which gets so many flows at least. */
#define PARTS		8
#define PART_FLOWS	2048
/* So often is looked at what has changed, before packets wait. */
#define ROUNDS		2
/* Packets wait for so many seconds at most. */
#define WAIT_MAX	60

/**
 * struct place - a network namespace
 * @busy: it has flows
 * @held: its packets are held up
 * @frozen: by this
 * @written: its file is of this program
 * @head: what a saved table begins with, its settings among that
 * @flows: its flows
 * @left: they are not all restored
 */
struct place {
	bool busy;
	bool held;
	bool written;
	struct mnl_socket *frozen;
	char *head;
	struct replay flows;
	bool left;
};

/**
 * struct part - what became of a part of a namespace's flows
 * @code: exit code
 * @sum: in numbers
 * @why: message of @code
 */
struct part {
	int code;
	struct restored sum;
	char why[512];
};

/**
 * struct reload - a module being swapped
 * @next: what is to be loaded
 * @back: what is loaded now
 * @has_back: its file is known
 * @loaded: which of them is, in the end
 * @gone: the old one was unloaded
 * @ended: flows that are saved were ended, some at least
 * @force: what is not necessary may fail
 * @params: that the module was loaded with
 * @ctnetlink: the second module is loaded, too
 * @old: version of before
 * @now: version that is loaded in the end
 * @list: all namespaces
 * @place: the same, by index
 * @path: where tables are saved
 * @sum: what became of the flows
 * @start: when packets were held up first
 * @away: milliseconds for which they were
 */
struct reload {
	struct module_file next;
	struct module_file back;
	bool has_back;
	const struct module_file *loaded;
	bool gone;
	bool ended;
	bool force;
	char params[PARAMS_SIZE];
	bool ctnetlink;
	char old[VERSION_SIZE];
	char now[VERSION_SIZE];
	struct netns_list list;
	struct place *place;
	char path[PATH_MAX];
	struct restored sum;
	struct timespec start;
	unsigned int away;
};

static void saved_path(const struct reload *r, unsigned int i, char *path, size_t size)
{
	snprintf(path, size, "%s/%u", r->path, i);
}

/* In each namespace that has flows, or in each of the others, until it fails in one. */
static int in_each(struct reload *r, bool busy, int (*fn)(struct reload *r, unsigned int i))
{
	unsigned int i;
	int code = EXIT_OK;

	for (i = 0; i < r->list.n && !code; i++) {
		if (r->place[i].busy != busy)
			continue;
		code = netns_enter(&r->list.of[i]);
		if (!code)
			code = fn(r, i);
		if (code)
			err_prefix("namespace %s: ", r->list.of[i].name);
	}
	return code;
}

/* Writes what is kept of a namespace as restore reads it. */
static int write_one(struct reload *r, unsigned int i)
{
	struct place *place = &r->place[i];
	static struct out file;
	struct printer printer = { .o = &file, .form = PRINT_SAVE, .head = place->head };
	char path[PATH_MAX + 16];
	int fd, code;

	saved_path(r, i, path, sizeof(path));
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_set(EXIT_USAGE, "%s: %s", path, strerror(errno));
	place->written = true;
	out_init(&file, fd);
	printer_begin(&printer);
	out_fmt(&file, "# network namespace %s\n", r->list.of[i].name);
	replay_print(&place->flows, &printer);
	code = out_close(&file);
	close(fd);
	return code;
}

/* The table and the settings of the current namespace. */
static int keep_one(struct reload *r, unsigned int i,
		    int (*how)(struct replay *flows, struct nl *nl))
{
	struct place *place = &r->place[i];
	static struct out head;
	static struct nl nl;
	int code;

	free(place->head);
	place->head = NULL;
	code = nl_open(&nl, NULL);
	if (code)
		return code;
	code = save_head(&nl, true, &head);
	if (!code) {
		place->head = strdup(head.buf);
		code = place->head ? how(&place->flows, &nl) :
				     err_set(EXIT_REFUSED, "out of memory");
	}
	nl_close(&nl);
	return code;
}

/* In a file, before anything happens: what packets enter meanwhile may be missing. */
static int save_one(struct reload *r, unsigned int i)
{
	int code = keep_one(r, i, replay_dump);

	if (code && code != EXIT_INTERRUPTED)
		return code;
	return write_one(r, i);
}

/* What has changed since. One that changes its size meanwhile is looked at again later. */
static int follow_one(struct reload *r, unsigned int i)
{
	int code = keep_one(r, i, replay_update);

	return code == EXIT_INTERRUPTED ? EXIT_OK : code;
}

/* When nothing is entered any more: a table that still changes its size is refused. */
static int keep_frozen(struct reload *r, unsigned int i)
{
	int code = keep_one(r, i, replay_update);

	if (code == EXIT_INTERRUPTED)
		return err_set(EXIT_REFUSED, "the table goes on changing its size: try again");
	return code;
}

static int restore_settings(struct nl *nl, const struct place *place)
{
	FILE *head = fmemopen(place->head, strlen(place->head), "r");
	struct restored none;
	int code;

	if (!head)
		return err_set(EXIT_REFUSED, "out of memory");
	code = restore_table(nl, head, "settings", RESTORE_KNOWN_SETTINGS, &none);
	fclose(head);
	return code;
}

/* Part @part of @of of a namespace's flows. */
static void restore_part(const struct place *place, unsigned int part, unsigned int of,
			 struct part *p)
{
	static struct nl nl;

	memset(p, 0, sizeof(*p));
	p->code = nl_open(&nl, NULL);
	if (!p->code)
		p->code = replay_send(&place->flows, &nl, part, of, &p->sum);
	nl_close(&nl);
	snprintf(p->why, sizeof(p->why), "%s", err_msg());
}

/* By a process of its own. Return: where it tells what became of it; negative: there is none. */
static int start_part(const struct place *place, unsigned int part, unsigned int of)
{
	/* The process holds packets up, too: for what is left of the time. */
	unsigned int left = alarm(0);
	struct part p;
	int fds[2];
	pid_t pid;

	alarm(left);

	if (pipe2(fds, O_CLOEXEC))
		return -1;
	pid = fork();
	if (!pid) {
		alarm(left);
		restore_part(place, part, of, &p);
		_exit(write(fds[1], &p, sizeof(p)) != sizeof(p));
	}
	close(fds[1]);
	if (pid > 0)
		return fds[0];
	close(fds[0]);
	return -1;
}

/* Without a word from the process, the part is entered here: what is there then is no failure. */
static void end_part(const struct place *place, unsigned int part, unsigned int of, int fd,
		     struct part *p)
{
	const bool told = fd >= 0 && read(fd, p, sizeof(*p)) == sizeof(*p);

	if (fd >= 0) {
		close(fd);
		while (wait(NULL) < 0 && errno == EINTR)
			;
	}
	if (!told)
		restore_part(place, part, of, p);
}

/* The kernel enters flows on as many CPUs as ask it to. */
static unsigned int parts_of(const struct place *place)
{
	const size_t most = place->flows.n / PART_FLOWS;
	cpu_set_t cpus;
	int n;

	n = sched_getaffinity(0, sizeof(cpus), &cpus) ? 1 : CPU_COUNT(&cpus);
	if (n > PARTS)
		n = PARTS;
	return most < 1 ? 1 : most < (size_t)n ? most : (size_t)n;
}

static int restore_one(struct reload *r, unsigned int i)
{
	struct place *place = &r->place[i];
	unsigned int n, of = parts_of(place);
	int fds[PARTS], code;
	static struct nl nl;
	struct part p;

	code = nl_open(&nl, NULL);
	if (!code)
		code = restore_settings(&nl, place);
	nl_close(&nl);
	if (code)
		return code;
	r->sum.over += place->flows.over;
	/* The first one is for this process. */
	fds[0] = -1;
	for (n = 1; n < of; n++)
		fds[n] = start_part(place, n, of);
	for (n = 0; n < of; n++) {
		end_part(place, n, of, fds[n], &p);
		r->sum.restored += p.sum.restored;
		r->sum.existing += p.sum.existing;
		r->sum.failed += p.sum.failed;
		if (p.code && !code)
			code = err_set(p.code, "%s", p.why);
		place->left |= p.sum.failed;
	}
	return code;
}

/* One that fails is left in its file, and the others come all the same. */
static int restore_all(struct reload *r, bool busy)
{
	int code = EXIT_OK, err;
	unsigned int i;

	for (i = 0; i < r->list.n; i++) {
		if (r->place[i].busy != busy)
			continue;
		err = netns_enter(&r->list.of[i]);
		if (!err)
			err = restore_one(r, i);
		if (!err)
			continue;
		r->place[i].left = true;
		warn("namespace %s: %s", r->list.of[i].name, err_msg());
		if (!code)
			code = err;
	}
	return code ? err_set(code, "not all is restored: the rest is in %s", r->path) : code;
}

static void thaw_all(struct reload *r)
{
	unsigned int i;

	alarm(0);
	for (i = 0; i < r->list.n; i++) {
		if (r->place[i].held)
			thaw(r->place[i].frozen);
		r->place[i].frozen = NULL;
		r->place[i].held = false;
	}
}

/* Whatever it is that does not end: packets pass again when this program ends. */
static void waited_too_long(int sig)
{
	static const char why[] =
		"flowtrack: packets waited for too long: /run/flowtrack/reload has the flows\n";

	(void)sig;
	_exit(write(STDERR_FILENO, why, sizeof(why) - 1) < 0 ? EXIT_USAGE : EXIT_REFUSED);
}

static int freeze_one(struct reload *r, unsigned int i)
{
	int code;

	if (r->place[i].held)
		return EXIT_OK;
	code = freeze(&r->place[i].frozen);
	r->place[i].held = !code;
	/* What it takes to load modules of nftables is before that. */
	if (!code && !r->start.tv_sec) {
		clock_gettime(CLOCK_MONOTONIC, &r->start);
		signal(SIGALRM, waited_too_long);
		alarm(WAIT_MAX);
	}
	return code;
}

static int freeze_all(struct reload *r)
{
	int code = in_each(r, true, freeze_one);

	if (!code || !r->force)
		return code;
	warn("%s; a connection that is translated may be reset", err_msg());
	err_clear();
	return EXIT_OK;
}

/* Does the current namespace have flows? */
static int look_at_one(struct reload *r, unsigned int i)
{
	__u32 value[__FLOWTRACK_A_SETTINGS_MAX];
	__u64 has, follow;
	static struct nl nl;
	int code;

	code = nl_open(&nl, NULL);
	if (code)
		return code;
	code = get_settings(&nl, value, &has, &follow);
	nl_close(&nl);
	r->place[i].busy = !code && value[FLOWTRACK_A_SETTINGS_COUNT];
	return code;
}

/*
 * A module that goes hands its translated flows over to nf_conntrack, where those that
 * are saved would meet them. Nobody is told of ends that are none: the setting comes back
 * with those that were saved.
 */
static int end_flows(struct reload *r, unsigned int i)
{
	static const __u32 quiet[__FLOWTRACK_A_SETTINGS_MAX];
	char own[] = "own", *word = own;
	struct filter own_flows;
	static struct nl nl;
	struct nlmsghdr *req;
	int code;

	(void)r;
	(void)i;
	code = filter_parse(&own_flows, 1, &word, 0);
	if (!code)
		code = nl_open(&nl, NULL);
	if (!code)
		code = send_set(&nl, quiet, 1ULL << FLOWTRACK_A_SETTINGS_EVENTS);
	if (!code) {
		req = nl_request(&nl, FLOWTRACK_CMD_FLOW_DEL);
		filter_put(req, &own_flows);
		code = nl_talk(&nl, req, NULL, NULL);
	}
	nl_close(&nl);
	return code;
}

/* The new module, or the old one again. */
static int swap(struct reload *r)
{
	char why[PATH_MAX + 512];
	int code;

	r->ended = true;
	code = in_each(r, true, end_flows);
	if (!code)
		code = module_unload(MODULE);
	if (code) {
		r->loaded = &r->back;
		return code;
	}
	r->gone = true;
	r->loaded = &r->next;
	code = module_load(&r->next, r->params);
	if (!code)
		return EXIT_OK;
	snprintf(why, sizeof(why), "%s does not load: %s", r->next.path, err_msg());
	r->loaded = r->has_back && !module_load(&r->back, r->params) ? &r->back : NULL;
	err_set(EXIT_REFUSED, "%s; ", why);
	if (r->loaded)
		err_add("the old module is back, and its flows are");
	else
		err_add("%s: the flows are in %s", r->has_back ? "the old one neither" :
			"there is no way back", r->path);
	return EXIT_REFUSED;
}

static unsigned int ms_since(const struct timespec *start)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (now.tv_sec - start->tv_sec) * 1000 + (now.tv_nsec - start->tv_nsec) / 1000000;
}

/* From the first packet that is held up to the last. */
static int swap_frozen(struct reload *r)
{
	unsigned int round;
	char why[1024];
	int code, err;

	/* The code and the data of all of this are in memory then. */
	code = in_each(r, true, save_one);
	/* Each of them takes less time than the one before, and less changes in it. */
	for (round = 0; round < ROUNDS && !code; round++)
		code = in_each(r, true, follow_one);
	/* Some that had no flows may have some by now. */
	if (!code)
		code = in_each(r, false, look_at_one);
	if (!code)
		code = freeze_all(r);
	if (!code)
		code = in_each(r, false, look_at_one);
	if (!code)
		code = freeze_all(r);
	if (!code)
		code = in_each(r, true, keep_frozen);
	if (!code)
		code = swap(r);
	/* What was wrong with the new module is the news, whatever follows. */
	snprintf(why, sizeof(why), "%s", err_msg());
	err = r->ended && r->loaded ? restore_all(r, true) : EXIT_OK;
	thaw_all(r);
	if (r->start.tv_sec)
		r->away = ms_since(&r->start);
	if (r->gone && r->loaded && restore_all(r, false) && !err)
		err = EXIT_REFUSED;
	if (code)
		return err_set(code, "%s", why);
	return err;
}

/* conntrack's own protocol has it loaded, and it holds the first one. */
static int swap_both(struct reload *r)
{
	char why[1024];
	int code;

	r->ctnetlink = module_loaded(MODULE_CTNETLINK);
	code = r->ctnetlink ? module_unload_ctnetlink() : EXIT_OK;
	if (!code)
		/* None counts as busy before. */
		code = in_each(r, false, look_at_one);
	if (!code)
		code = in_each(r, false, save_one);
	if (!code)
		code = swap_frozen(r);
	if (!r->ctnetlink || !module_loaded(MODULE) || module_loaded(MODULE_CTNETLINK))
		return code;
	snprintf(why, sizeof(why), "%s", err_msg());
	if (module_load_ctnetlink(r->loaded ? r->loaded : &r->back)) {
		warn("%s", err_msg());
		code = code ? code : EXIT_REFUSED;
	}
	return code ? err_set(code, "%s", why) : EXIT_OK;
}

/* Everything that may fail, while the old module is there. */
static int prepare(struct reload *r, const struct options *opts, const char *path)
{
	struct rlimit files;
	int code;

	if (!module_loaded(MODULE))
		return err_set(EXIT_NO_MODULE, "the module is not loaded: modprobe " MODULE);
	if (geteuid())
		return err_set(EXIT_NO_PERMISSION, "only root loads modules");
	code = module_find(&r->next, path);
	if (code)
		return code;
	r->force = opts->force;
	r->has_back = module_find_loaded(&r->back, &r->next);
	if (!r->has_back && !opts->force)
		return err_set(EXIT_USAGE,
			       "no file of the loaded module is left to go back to: --force does without");
	module_version("", r->old, sizeof(r->old));
	module_params(r->params, sizeof(r->params));
	rundir_path(r->path, sizeof(r->path), "reload");
	if (mkdir(r->path, 0700) && errno != EEXIST)
		return err_set(EXIT_USAGE, "%s: %s", r->path, strerror(errno));
	/* An empty one goes, and comes again. */
	if (!opts->force && (rmdir(r->path) || mkdir(r->path, 0700)))
		return err_set(EXIT_REFUSED,
			       "%s has flows that an earlier reload could not restore: restore them, and remove it; or --force",
			       r->path);
	/* A descriptor and a socket for each namespace. */
	if (!getrlimit(RLIMIT_NOFILE, &files)) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	code = netns_all(&r->list);
	if (code)
		return code;
	r->place = calloc(r->list.n, sizeof(*r->place));
	return r->place ? EXIT_OK : err_set(EXIT_REFUSED, "out of memory");
}

static void print_text(const struct reload *r)
{
	out_fmt(&std, "nf_flowtrack %s, before %s: %llu flow%s restored in %u namespace%s",
		r->now, r->old, r->sum.restored, r->sum.restored == 1 ? "" : "s", r->list.n,
		r->list.n == 1 ? "" : "s");
	if (r->sum.existing)
		out_fmt(&std, ", %llu existed", r->sum.existing);
	if (r->sum.over)
		out_fmt(&std, ", %llu over meanwhile", r->sum.over);
	if (r->sum.failed)
		out_fmt(&std, ", %llu failed", r->sum.failed);
	out_fmt(&std, "; packets waited for %u ms\n", r->away);
}

static void print_json(const struct reload *r)
{
	char *p = out_room(&std);

	p = put_lit(p, "{\"old\":");
	p = put_json(p, r->old, VERSION_SIZE);
	p = put_lit(p, ",\"new\":");
	p = put_json(p, r->now, VERSION_SIZE);
	out_commit(&std, p);
	out_fmt(&std, ",\"namespaces\":%u,\"restored\":%llu,\"existing\":%llu,\"over\":%llu",
		r->list.n, r->sum.restored, r->sum.existing, r->sum.over);
	out_fmt(&std, ",\"failed\":%llu,\"away\":%u.%03u}\n", r->sum.failed, r->away / 1000,
		r->away % 1000);
}

/* What is not in a table has a file, with what was there when packets were held up. */
static void end_saved(struct reload *r)
{
	char path[PATH_MAX + 16];
	unsigned int i;

	for (i = 0; r->place && i < r->list.n; i++) {
		saved_path(r, i, path, sizeof(path));
		if (!r->place[i].written)
			continue;
		if (!r->place[i].left && (!r->gone || r->loaded))
			unlink(path);
		else if (write_one(r, i))
			warn("%s", err_msg());
	}
}

static int reload(struct reload *r, const struct options *opts, const char *path)
{
	char why[PATH_MAX + 1024];
	int code;

	code = prepare(r, opts, path);
	if (!code)
		code = swap_both(r);
	snprintf(why, sizeof(why), "%s", err_msg());
	end_saved(r);
	if (code)
		err_set(code, "%s", why);
	if (!code)
		module_keep(&r->next);
	if (!code)
		rmdir(r->path);
	module_version("", r->now, sizeof(r->now));
	if (!code && strcmp(r->now, tool_version))
		warn("the module is version %s, and this is flowtrack %s", r->now, tool_version);
	return code;
}

int cmd_reload(const struct options *opts, int argc, char **argv)
{
	static const int ignored[] = { SIGHUP, SIGINT, SIGTERM, SIGTSTP, SIGTTOU, SIGQUIT };
	static struct reload r;
	int code, lock;
	size_t i;

	if (argc > 1)
		return err_set(EXIT_USAGE, "unknown word '%s': reload takes one file", argv[1]);
	if (opts->netns)
		return err_set(EXIT_USAGE, "reload is about all namespaces: no --netns");
	memset(&r, 0, sizeof(r));
	/* Half of it is worse than all of it. */
	for (i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		signal(ignored[i], SIG_IGN);
	/* A trial that ends meanwhile waits: its settings are saved, and restored. */
	code = rundir_lock(&lock);
	if (code)
		return code;
	code = reload(&r, opts, argc ? argv[0] : NULL);
	rundir_unlock(lock);
	if (!code) {
		if (opts->json)
			print_json(&r);
		else
			print_text(&r);
	}
	for (i = 0; r.place && i < r.list.n; i++) {
		free(r.place[i].head);
		replay_free(&r.place[i].flows);
	}
	netns_free(&r.list);
	free(r.place);
	return code ? code : r.sum.failed ? EXIT_REFUSED : out_close(&std);
}
