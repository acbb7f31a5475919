// SPDX-License-Identifier: GPL-2.0
/*
 * What the monitor prints.
 */
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <time.h>

#include "cmd.h"
#include "filter.h"
#include "flow.h"
#include "json.h"
#include "monitor.h"
#include "names.h"
#include "print.h"

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

static char *begin_line(char *p, const struct monitor *m, const char *tag, const char *name,
			const char *color)
{
	bool json = m->opts->json;

	if (json)
		*p++ = '{';
	if (m->opts->timestamps)
		p = put_time(p, json);
	if (!json)
		return put_tag(p, tag, color, m->opts->color);
	p = put_lit(p, "\"event\":\"");
	p = put_str(p, name);
	*p++ = '"';
	return p;
}

/**
 * monitor_lost() - say that notifications were lost
 * @m: monitor
 * @events: how many; 0: not known
 */
void monitor_lost(struct monitor *m, __u64 events)
{
	char *p = begin_line(out_room(m->o), m, "LOST", "lost", COLOR_RED);

	if (m->opts->json) {
		if (events) {
			p = put_lit(p, ",\"events\":");
			p = put_u64(p, events);
		}
		p = put_lit(p, "}\n");
	} else {
		if (events) {
			p = put_u64(p, events);
			*p++ = ' ';
		}
		p = put_lit(p, "events were lost: they came faster than they were read\n");
	}
	out_commit(m->o, p);
}

/**
 * monitor_synced() - say that the flows of the table have been printed
 * @m: monitor
 * @flows: how many there were
 */
void monitor_synced(struct monitor *m, __u64 flows)
{
	char *p = begin_line(out_room(m->o), m, "SYNCED", "synced", COLOR_CYAN);

	if (m->opts->json) {
		p = put_lit(p, ",\"flows\":");
		p = put_u64(p, flows);
		p = put_lit(p, "}\n");
	} else {
		p = put_u64(p, flows);
		p = put_lit(p, " flows are in the table: others of before have ended\n");
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

static void print_event(struct monitor *m, const char *tag, const char *name, const char *color)
{
	char *p = begin_line(out_room(m->o), m, tag, name, color);

	if (m->opts->json) {
		p = put_lit(p, ",\"flow\":");
		p = json_flow(p, &m->flow, false);
		*p++ = '}';
	} else {
		p = print_flow(p, &m->flow, !m->opts->oneline, m->opts->color);
	}
	*p++ = '\n';
	out_commit(m->o, p);
}

/**
 * monitor_listed() - print a flow of the table, after a loss
 * @nlh: message of a dump
 * @data: struct monitor
 *
 * Return: negative to end the dump.
 */
int monitor_listed(const struct nlmsghdr *nlh, void *data)
{
	struct monitor *m = data;

	if (flow_parse(nlh, &m->flow) < 0) {
		err_set(EXIT_REFUSED, "malformed message from the kernel");
		return -1;
	}
	print_event(m, "SYNC", "sync", COLOR_CYAN);
	m->listed++;
	return out_failed(m->o) ? -1 : 0;
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
		const char *color;
	} events[] = {
		{ "NEW", COLOR_GREEN },
		{ "UPDATE", COLOR_YELLOW },
		{ "DESTROY", COLOR_RED },
	};
	const struct genlmsghdr *genl = mnl_nlmsg_get_payload(nlh);
	struct monitor *m = data;
	int e;

	if (genl->cmd == FLOWTRACK_CMD_PRESSURE_NTF) {
		print_pressure(m, nlh);
		return count_event(m);
	}
	if (genl->cmd < FLOWTRACK_CMD_FLOW_NEW_NTF ||
	    genl->cmd > FLOWTRACK_CMD_FLOW_DESTROY_NTF)
		return 0;
	e = genl->cmd - FLOWTRACK_CMD_FLOW_NEW_NTF;
	if (m->opts->events && !(m->opts->events >> e & 1))
		return 0;
	if (flow_parse(nlh, &m->flow) < 0 || !filter_match(m->filter, &m->flow))
		return 0;
	print_event(m, events[e].tag, name_of(&event_names, e), events[e].color);
	return count_event(m);
}
