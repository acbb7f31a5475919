// SPDX-License-Identifier: GPL-2.0
/*
 * flowtrack monitor: flows as they begin, change and end; and the table, as it
 * fills and has room again.
 */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>

#include "cmd.h"
#include "filter.h"
#include "flow.h"
#include "monitor.h"
#include "names.h"
#include "nl.h"
#include "print.h"

/* Events between two looks for a signal. */
#define BATCH	256

static char *put_time(char *p, bool json)
{
	struct timespec ts;
	struct tm tm;
	size_t len;

	clock_gettime(CLOCK_REALTIME, &ts);
	if (json) {
		p = put_lit(p, "\"time\":");
		p = put_thousandths(p, ts.tv_sec * 1000ULL +
				    ts.tv_nsec / 1000000);
		*p++ = ',';
		return p;
	}
	localtime_r(&ts.tv_sec, &tm);
	len = strftime(p, 64, "%Y-%m-%dT%H:%M:%S.", &tm);
	p += len;
	*p++ = '0' + ts.tv_nsec / 100000000;
	*p++ = '0' + ts.tv_nsec / 10000000 % 10;
	*p++ = '0' + ts.tv_nsec / 1000000 % 10;
	p += strftime(p, 64, "%z", &tm);
	*p++ = ' ';
	return p;
}

static char *put_tag(char *p, const char *tag, const char *color, bool colored)
{
	const char *from = p;

	if (colored)
		p = put_str(p, color);
	from = p;
	*p++ = '[';
	p = put_str(p, tag);
	*p++ = ']';
	p = put_pad(p, from, 9);
	if (colored)
		p = put_lit(p, COLOR_OFF);
	return p;
}

/* Says that notifications were lost. */
void monitor_lost(struct monitor *m)
{
	char *p = out_room(m->o);

	if (m->opts->json) {
		*p++ = '{';
		if (m->opts->timestamps)
			p = put_time(p, true);
		p = put_lit(p, "\"event\":\"lost\"}\n");
	} else {
		if (m->opts->timestamps)
			p = put_time(p, false);
		p = put_tag(p, "LOST", COLOR_RED, m->opts->color);
		p = put_lit(p, "events were lost: they came faster than they were read\n");
	}
	out_commit(m->o, p);
}

/* Return: negative when enough were printed. */
static int count_event(struct monitor *m)
{
	m->events++;
	return m->opts->count && m->events >= m->opts->count ? -1 : 0;
}

static void print_pressure(struct monitor *m, const struct nlmsghdr *nlh)
{
	struct pressure *pressure = &m->pressure;
	char *p = out_room(m->o);
	bool high;

	pressure_parse(nlh, pressure);
	high = pressure->level == FLOWTRACK_LEVEL_HIGH;
	if (m->opts->json) {
		*p++ = '{';
		if (m->opts->timestamps)
			p = put_time(p, true);
		p = put_lit(p, "\"event\":\"");
		p = put_str(p, name_of(&level_names, high));
		p = put_lit(p, "\",\"pressure\":");
		out_commit(m->o, p);
		pressure_json(m->o, pressure);
		out_str(m->o, "}\n");
		return;
	}
	if (m->opts->timestamps)
		p = put_time(p, false);
	p = put_tag(p, high ? "HIGH" : "LOW", high ? COLOR_RED : COLOR_GREEN,
		    m->opts->color);
	out_commit(m->o, p);
	pressure_text(m->o, pressure);
	out_str(m->o, "\n");
}

/**
 * monitor_message() - print a notification
 * @nlh: message
 * @data: struct monitor
 *
 * Return: negative when enough were printed.
 */
int monitor_message(const struct nlmsghdr *nlh, void *data)
{
	static const struct {
		const char *tag;
		const char *name;
		const char *color;
	} events[] = {
		{ "NEW", "new", COLOR_GREEN },
		{ "UPDATE", "update", COLOR_YELLOW },
		{ "DESTROY", "destroy", COLOR_RED },
	};
	const struct genlmsghdr *genl = mnl_nlmsg_get_payload(nlh);
	struct monitor *m = data;
	int e;
	char *p;

	if (genl->cmd == FLOWTRACK_CMD_PRESSURE_NTF) {
		print_pressure(m, nlh);
		return count_event(m);
	}
	if (genl->cmd < FLOWTRACK_CMD_FLOW_NEW_NTF ||
	    genl->cmd > FLOWTRACK_CMD_FLOW_DESTROY_NTF)
		return 0;
	e = genl->cmd - FLOWTRACK_CMD_FLOW_NEW_NTF;
	if (flow_parse(nlh, &m->flow) < 0 || !filter_match(m->filter, &m->flow))
		return 0;
	p = out_room(m->o);
	if (m->opts->json) {
		*p++ = '{';
		if (m->opts->timestamps)
			p = put_time(p, true);
		p = put_lit(p, "\"event\":\"");
		p = put_str(p, events[e].name);
		p = put_lit(p, "\",\"flow\":");
		p = json_flow(p, &m->flow, false);
		*p++ = '}';
	} else {
		if (m->opts->timestamps)
			p = put_time(p, false);
		p = put_tag(p, events[e].tag, events[e].color, m->opts->color);
		p = print_flow(p, &m->flow, !m->opts->oneline, m->opts->color);
	}
	*p++ = '\n';
	out_commit(m->o, p);
	return count_event(m);
}

/* Prints one notification. Return: false to end. */
static bool show(struct monitor *m, const struct nl *nl, int i)
{
	const struct nlmsghdr *nlh = (const void *)(nl->buf + i * NL_EVENT_SIZE);
	bool more = true;
	int len;

	for (len = nl->len[i]; more && mnl_nlmsg_ok(nlh, len);
	     nlh = mnl_nlmsg_next(nlh, &len))
		if (nlh->nlmsg_type == nl->family)
			more = monitor_message(nlh, m) == 0;
	return more;
}

/* Takes some. Return: how many; 0: there were none, or it is to end. */
static int take_some(struct monitor *m, struct nl *nl, bool *more)
{
	int n = nl_receive_events(nl);
	int i;

	if (n == -EINTR || n == -EAGAIN)
		return 0;
	if (n == -ENOBUFS) {
		monitor_lost(m);
		return 1;
	}
	if (n < 0) {
		err_set(EXIT_REFUSED, "cannot receive: %s", strerror(-n));
		*more = false;
		return 0;
	}
	for (i = 0; *more && i < n; i++)
		*more = show(m, nl, i);
	return n;
}

/*
 * Takes what is there, and writes it at once: a reader shall see an event when
 * it comes, but of a thousand not each one by itself. Return: false to end.
 */
static bool take(struct monitor *m, struct nl *nl)
{
	int n = 0, some = 1;
	bool more = true;

	while (more && some && n < BATCH) {
		some = take_some(m, nl, &more);
		n += some;
	}
	return out_flush(m->o) && more;
}

/* Signals that end it arrive at a file descriptor, so none is missed. */
static int signal_fd(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

static int watch(struct monitor *m, struct nl *nl)
{
	struct pollfd fds[] = {
		{ .fd = nl_fd(nl), .events = POLLIN },
		{ .fd = m->o->stop_fd, .events = POLLIN },
		{ .fd = m->o->fd },	/* POLLERR: nobody reads any more */
	};

	for (;;) {
		if (poll(fds, 3, -1) < 0) {
			if (errno == EINTR)
				continue;
			return err_set(EXIT_USAGE, "poll: %s", strerror(errno));
		}
		if (fds[1].revents || fds[2].revents)
			return EXIT_OK;
		if (fds[0].revents && !take(m, nl))
			return err_msg()[0] ? EXIT_REFUSED : EXIT_OK;
	}
}

int cmd_monitor(const struct options *opts, int argc, char **argv)
{
	struct monitor m = { .o = &std, .opts = opts };
	static struct nl nl;
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
	if (filter_wants(&f, FLOWTRACK_TRACKER_GUARDED))
		return err_set(EXIT_USAGE,
			       "'guarded': nf_conntrack's flows have their events at conntrack -E");
	m.filter = &f;
	code = nl_open(&nl, opts->netns);
	if (code)
		return code;
	code = nl_subscribe(&nl, pressure);
	if (!code) {
		std.stop_fd = signal_fd();
		code = watch(&m, &nl);
	}
	nl_close(&nl);
	err = out_close(&std);
	return code ? code : err;
}
