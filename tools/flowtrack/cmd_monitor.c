// SPDX-License-Identifier: GPL-2.0
/*
 * flowtrack monitor: flows as they begin, change and end; and the table, as it
 * fills and has room again. Here is what listens: monitor.c prints.
 *
 * The module may be unloaded and loaded again meanwhile. With it goes the family,
 * and with that the membership of its groups, without a word: nlctrl tells of
 * that, on a socket of its own, so that no flood of events hides it.
 */
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "cmd.h"
#include "filter.h"
#include "flow.h"
#include "module.h"
#include "monitor.h"
#include "nl.h"

/* Events between two looks for a signal. */
#define BATCH	256

/**
 * struct listener - what the monitor listens to
 * @m: prints
 * @nl: events
 * @ctrl: families that come and go
 * @pressure: watermarks, not flows
 * @lost: events were lost; told when those from before were printed
 * @drops: of the socket, when that was told last
 * @reopen: a signal says that the log was rotated
 * @conntrack: has nf_conntrack report its events; NULL: nobody wants them
 */
struct listener {
	struct monitor *m;
	struct nl *nl;
	struct nl *ctrl;
	bool pressure;
	bool lost;
	__u64 drops;
	int reopen;
	struct mnl_socket *conntrack;
	__u16 before;
};

/* Prints one notification. Return: false to end. */
static bool show(const struct listener *l, int i)
{
	const struct nlmsghdr *nlh = (const void *)(l->nl->buf + i * NL_EVENT_SIZE);
	bool more = true;
	int len;

	for (len = l->nl->len[i]; more && mnl_nlmsg_ok(nlh, len);
	     nlh = mnl_nlmsg_next(nlh, &len))
		if (nlh->nlmsg_type == l->nl->family || nlh->nlmsg_type == l->before)
			more = monitor_message(nlh, l->m) == 0;
	return more;
}

/*
 * The flows of the table, after a loss: on another socket, since events go on.
 * What they tell may be in the list already.
 */
static bool resync(struct listener *l)
{
	static struct nl nl;
	struct nlmsghdr *req;
	int code;

	/* The namespace has been entered already. */
	code = nl_open(&nl, NULL);
	if (code == EXIT_NO_MODULE) {
		err_clear();
		return true;
	}
	if (code)
		return false;
	l->m->listed = 0;
	req = nl_request(&nl, FLOWTRACK_CMD_FLOW_GET);
	filter_put(req, l->m->filter);
	code = nl_dump(&nl, req, monitor_listed, NULL, l->m);
	nl_close(&nl);
	if (code)
		return false;
	monitor_synced(l->m, l->m->listed);
	return true;
}

/* All events of before the loss have been printed: now it is told. */
static bool tell_lost(struct listener *l)
{
	__u64 drops = nl_drops(l->nl);

	l->lost = false;
	monitor_lost(l->m, drops - l->drops);
	l->drops = drops;
	return !l->m->opts->resync || resync(l);
}

/* Takes some. Return: how many; 0: there were none, or it is to end. */
static int take_some(struct listener *l, bool *more)
{
	int n = nl_receive_events(l->nl);
	int i;

	if (n == -EINTR)
		return 0;
	if (n == -EAGAIN) {
		if (l->lost)
			*more = tell_lost(l);
		return 0;
	}
	if (n == -ENOBUFS) {
		l->lost = true;
		return 1;
	}
	if (n < 0) {
		err_set(EXIT_REFUSED, "cannot receive: %s", strerror(-n));
		*more = false;
		return 0;
	}
	for (i = 0; *more && i < n; i++)
		*more = show(l, i);
	return n;
}

/*
 * Takes what is there, and writes it at once: a reader shall see an event when
 * it comes, but of a thousand not each one by itself. Return: false to end.
 */
static bool take(struct listener *l)
{
	int n = 0, some = 1;
	bool more = true;

	while (more && some && n < BATCH) {
		some = take_some(l, &more);
		n += some;
	}
	return out_flush(l->m->o) && more;
}

/* The module was unloaded, or is there again. Return: false to end. */
static bool take_family(struct listener *l)
{
	const __u16 before = l->nl->family;
	enum nl_family_change change = nl_family_changed(l->ctrl, l->nl);

	if (change == NL_FAMILY_GONE)
		warn("the module was unloaded: waiting for it to be loaded again");
	if (change != NL_FAMILY_NEW)
		return true;
	l->before = before;
	if (nl_subscribe(l->nl, l->pressure))
		return false;
	warn("the module was loaded again: here are its events");
	return !l->m->opts->resync || (resync(l) && out_flush(l->m->o));
}

/* Signals arrive at a file descriptor, so none is missed. */
static int signal_fd(int sig, int other)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, sig);
	sigaddset(&set, other);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

static int open_log(const char *name)
{
	int fd = open(name, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);

	if (fd < 0)
		err_set(EXIT_USAGE, "%s: %s", name, strerror(errno));
	return fd;
}

/* The log was renamed: what comes belongs to a new file. Return: false to end. */
static bool reopen_log(struct listener *l)
{
	struct signalfd_siginfo info;
	int fd;

	if (read(l->reopen, &info, sizeof(info)) != sizeof(info) || !l->m->opts->log)
		return true;
	if (!out_flush(l->m->o))
		return false;
	fd = open_log(l->m->opts->log);
	if (fd < 0)
		return false;
	close(l->m->o->fd);
	l->m->o->fd = fd;
	return true;
}

static int watch(struct listener *l)
{
	struct pollfd fds[] = {
		{ .fd = nl_fd(l->nl), .events = POLLIN },
		{ .fd = nl_fd(l->ctrl), .events = POLLIN },
		{ .fd = l->m->o->stop_fd, .events = POLLIN },
		{ .fd = l->m->o->fd },	/* POLLERR: nobody reads any more */
		{ .fd = l->reopen, .events = POLLIN },
	};

	for (;;) {
		if (poll(fds, 5, l->lost ? 0 : -1) < 0) {
			if (errno == EINTR)
				continue;
			return err_set(EXIT_USAGE, "poll: %s", strerror(errno));
		}
		if (fds[2].revents || fds[3].revents)
			return EXIT_OK;
		if ((fds[0].revents || l->lost) && !take(l))
			return err_msg()[0] ? EXIT_REFUSED : EXIT_OK;
		if (fds[1].revents && !take_family(l))
			return err_msg()[0] ? EXIT_REFUSED : EXIT_OK;
		if (fds[4].revents && !reopen_log(l))
			return err_msg()[0] ? EXIT_USAGE : EXIT_OK;
		fds[3].fd = l->m->o->fd;
	}
}

/*
 * Events of guarded flows are nf_conntrack's, which tells one module only. Where that is
 * not flowtrack's, they were not asked for by name.
 */
static int hear_conntrack(struct listener *l)
{
	struct filter guarded = *l->m->filter;
	__u64 count = 0;
	int code;

	if (module_loaded(MODULE_CTNETLINK))
		return nl_wake_conntrack(&l->conntrack);
	guarded.trackers = FLOWTRACK_TRACKER_GUARDED;
	code = count_flows(l->nl, &guarded, &count);
	if (!code && count)
		warn("guarded flows (%llu match) have no events here without the module "
		     MODULE_CTNETLINK, count);
	return code;
}

/* Events first: from then on nothing is missed, the end of the family neither. */
static int listen_to(struct listener *l, const struct options *opts)
{
	int code;

	/* Before the first of them can be lost. */
	l->drops = nl_drops(l->nl);
	code = nl_buffer(l->nl, opts->buffer);
	if (!code)
		code = nl_subscribe(l->nl, l->pressure);
	if (!code)
		code = nl_open_ctrl(l->ctrl);
	if (code)
		return code;
	/* Reloaded between the two: the first one has no group any more. */
	return nl_same_family(l->nl) ? EXIT_OK : nl_subscribe(l->nl, l->pressure);
}

int cmd_monitor(const struct options *opts, int argc, char **argv)
{
	struct monitor m = { .o = &std, .opts = opts };
	static struct nl nl, ctrl;
	struct listener l = { .m = &m, .nl = &nl, .ctrl = &ctrl, .reopen = -1 };
	struct filter f;
	bool pressure;
	int code, err;

	pressure = argc && !strcmp(argv[0], "pressure");
	if (pressure && argc > 1)
		return err_set(EXIT_USAGE,
			       "unknown word '%s': monitor pressure takes none",
			       argv[1]);
	code = filter_parse(&f, pressure ? 0 : argc, argv, opts->family);
	if (code)
		return code;
	if (filter_wants(&f, FLOWTRACK_TRACKER_GUARDED) && !module_loaded(MODULE_CTNETLINK))
		return err_set(EXIT_REFUSED,
			       "'guarded': nf_conntrack tells of its flows where the module "
			       MODULE_CTNETLINK " is loaded");
	filter_default(&f, FLOWTRACK_TRACKER_OWN | FLOWTRACK_TRACKER_GUARDED);
	if (pressure && opts->resync)
		return err_set(EXIT_USAGE, "--resync lists flows: monitor pressure has none");
	if (pressure && opts->events)
		return err_set(EXIT_USAGE, "--event is about flows: monitor pressure has none");
	m.filter = &f;
	/* As long as names are those of the caller's namespaces. */
	if (opts->log) {
		std.fd = open_log(opts->log);
		if (std.fd < 0)
			return EXIT_USAGE;
	}
	code = nl_open(&nl, opts->netns);
	if (code)
		return code;
	l.pressure = pressure;
	if (!pressure && filter_wants(&f, FLOWTRACK_TRACKER_GUARDED))
		code = hear_conntrack(&l);
	if (!code)
		code = listen_to(&l, opts);
	if (!code) {
		std.stop_fd = signal_fd(SIGINT, SIGTERM);
		if (opts->log)
			l.reopen = signal_fd(SIGHUP, SIGHUP);
		code = watch(&l);
	}
	if (l.conntrack)
		mnl_socket_close(l.conntrack);
	nl_close(&ctrl);
	nl_close(&nl);
	err = out_close(&std);
	return code ? code : err;
}
