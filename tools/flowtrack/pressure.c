// SPDX-License-Identifier: GPL-2.0
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <stdio.h>
#include <string.h>

#include "names.h"
#include "nl.h"
#include "out.h"
#include "pressure.h"

#define A(name)		FLOWTRACK_A_PRESSURE_##name

/**
 * pressure_parse() - read a notification
 * @nlh: message
 * @p: filled in; what the message does not have is zero
 */
void pressure_parse(const struct nlmsghdr *nlh, struct pressure *p)
{
	const struct nlattr *a;

	memset(p, 0, sizeof(*p));
	p->table = FLOWTRACK_TRACKER_OWN;
	mnl_attr_for_each(a, nlh, GENL_HDRLEN) {
		unsigned int type = mnl_attr_get_type(a);

		switch (type) {
		case A(TABLE):
			p->table = nl_number(a);
			break;
		case A(LEVEL):
			p->level = nl_number(a);
			break;
		case A(COUNT):
			p->count = nl_number(a);
			break;
		case A(ROOM):
			p->room = nl_number(a);
			break;
		case A(FILL):
			p->fill = nl_number(a);
			break;
		case A(RATE):
			p->rate = nl_number(a);
			break;
		case A(CLOSING) ... A(ASSURED):
			p->flows[type - A(CLOSING)] = nl_number(a);
			break;
		case A(SOURCE):
			top_take_entry(&p->source, a);
			p->has_source = true;
			break;
		case A(SERVICE):
			top_take_entry(&p->service, a);
			p->has_service = true;
			break;
		case A(POLICY):
			p->policy = nl_number(a);
			break;
		case A(ADAPTIVE_CLOSING) ... A(ADAPTIVE_ASSURED):
			p->factor[type - A(ADAPTIVE_CLOSING)] = nl_number(a);
			break;
		case A(SINCE):
			p->since = nl_number(a);
			break;
		case A(EVICTED):
			p->evicted = nl_number(a);
			break;
		case A(DROPPED):
			p->dropped = nl_number(a);
			break;
		case A(PASSED):
			p->passed = nl_number(a);
			break;
		case A(REFUSED):
			p->refused = nl_number(a);
			break;
		case A(SYSCTL):
			if (!mnl_attr_validate(a, MNL_TYPE_NUL_STRING))
				snprintf(p->sysctl, sizeof(p->sysctl), "%s",
					 mnl_attr_get_str(a));
			break;
		}
	}
}

static const char *table_name(const struct pressure *p)
{
	return p->table == FLOWTRACK_TRACKER_GUARDED ? "nf_conntrack" : "flowtrack";
}

static const char *word(const struct names *names, unsigned int value)
{
	const char *name = name_of(names, value);

	return name ? name : "unknown";
}

/* "tcp/80" is one word, where top has two. */
static void text_entry(struct out *o, const char *what,
		       const struct top_entry *e)
{
	char name[TOP_NAME_SIZE];
	char *blank;

	top_entry_name(e, name, sizeof(name));
	blank = strchr(name, ' ');
	if (blank)
		*blank = '/';
	out_fmt(o, " %s=%s %s_share=%u.%u%%", what, name, what, e->share / 10,
		e->share % 10);
}

/**
 * pressure_text() - print a notification as words, without a newline
 * @o: where to
 * @p: notification
 */
void pressure_text(struct out *o, const struct pressure *p)
{
	unsigned int i;

	out_fmt(o, "table=%s count=%u room=%u fill=%u.%u%%", table_name(p), p->count, p->room,
		p->fill / 10, p->fill % 10);
	if (p->table == FLOWTRACK_TRACKER_OWN)
		out_fmt(o, " rate=%u", p->rate);
	for (i = 0; i < PRESSURE_CLASSES; i++)
		out_fmt(o, " %s=%u", word(&class_names, i), p->flows[i]);
	if (p->has_source)
		text_entry(o, "source", &p->source);
	if (p->has_service)
		text_entry(o, "service", &p->service);
	out_fmt(o, " policy=%s", word(&policy_names, p->policy));
	for (i = 0; i < PRESSURE_CLASSES; i++)
		out_fmt(o, " adaptive_%s=%u", word(&class_names, i),
			p->factor[i]);
	out_fmt(o, " since=%llu evicted=%llu dropped=%llu passed=%llu",
		p->since / 1000, p->evicted, p->dropped, p->passed);
	out_fmt(o, " refused=%llu sysctl=net.netfilter.%s", p->refused,
		p->sysctl);
}

static void json_entry(struct out *o, const char *what,
		       const struct top_entry *e)
{
	out_fmt(o, ",\"%s\":{", what);
	top_json_who(o, e);
	out_fmt(o, ",\"flows\":%u,\"share\":%u.%03u}", e->flows,
		e->share / 1000, e->share % 1000);
}

/**
 * pressure_json() - print a notification as a JSON object
 * @o: where to
 * @p: notification
 */
void pressure_json(struct out *o, const struct pressure *p)
{
	unsigned int i;

	out_fmt(o, "{\"table\":\"%s\",\"count\":%u,\"room\":%u,\"fill\":%u.%03u",
		table_name(p), p->count, p->room, p->fill / 1000, p->fill % 1000);
	if (p->table == FLOWTRACK_TRACKER_OWN)
		out_fmt(o, ",\"rate\":%u", p->rate);
	for (i = 0; i < PRESSURE_CLASSES; i++)
		out_fmt(o, ",\"%s\":%u", word(&class_names, i), p->flows[i]);
	if (p->has_source)
		json_entry(o, "source", &p->source);
	if (p->has_service)
		json_entry(o, "service", &p->service);
	out_fmt(o, ",\"policy\":\"%s\"", word(&policy_names, p->policy));
	for (i = 0; i < PRESSURE_CLASSES; i++)
		out_fmt(o, ",\"adaptive_%s\":%u", word(&class_names, i),
			p->factor[i]);
	out_fmt(o, ",\"since\":%llu.%03llu,\"evicted\":%llu", p->since / 1000,
		p->since % 1000, p->evicted);
	out_fmt(o, ",\"dropped\":%llu,\"passed\":%llu,\"refused\":%llu",
		p->dropped, p->passed, p->refused);
	out_fmt(o, ",\"sysctl\":\"net.netfilter.%s\"}", p->sysctl);
}
