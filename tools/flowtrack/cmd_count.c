// SPDX-License-Identifier: GPL-2.0
/*
 * flowtrack count: how many flows there are, or match, also by what they are like.
 */
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <linux/nf_flowtrack.h>
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "filter.h"
#include "names.h"
#include "nl.h"
#include "settings.h"
#include "top.h"

/* As many entries as the kernel has in an answer. */
#define ENTRIES		256
/* Sources, marks and zones may be many: the first of them, unless more are wanted. */
#define DEFAULT_LIMIT	10

static int count_message(const struct nlmsghdr *nlh, void *data)
{
	__u64 *count = data;

	(void)nlh;
	++*count;
	return 0;
}

static bool count_restart(void *data)
{
	__u64 *count = data;

	*count = 0;
	return true;
}

/**
 * count_flows() - how many flows match
 * @nl: socket
 * @f: filter
 * @count: set to the number
 *
 * Return: an exit code.
 */
int count_flows(struct nl *nl, const struct filter *f, __u64 *count)
{
	struct nlmsghdr *req = nl_request(nl, FLOWTRACK_CMD_FLOW_GET);

	*count = 0;
	filter_put(req, f);
	return nl_dump(nl, req, count_message, count_restart, count);
}

/**
 * struct count_entry - flows of one kind
 * @flows: how many
 * @value: class, zone or mark
 * @l4proto: protocol
 * @state: state of it
 * @source: source
 */
struct count_entry {
	__u32 flows;
	__u32 value;
	__u8 l4proto;
	__u8 state;
	struct top_entry source;
};

/**
 * struct count - flows by what they are like
 * @by: enum flowtrack_count_by
 * @total: how many were counted
 * @others: of these are in no entry
 * @short_by: an entry may have so many more
 * @n: entries
 * @entry: the entries
 */
struct count {
	__u8 by;
	__u32 total;
	__u32 others;
	__u32 short_by;
	unsigned int n;
	struct count_entry entry[ENTRIES];
};

static void take_entry(struct count_entry *e, const struct nlattr *nest)
{
	const struct nlattr *a;

	memset(e, 0, sizeof(*e));
	mnl_attr_for_each_nested(a, nest) {
		switch (mnl_attr_get_type(a)) {
		case FLOWTRACK_A_COUNT_ENTRY_FLOWS:
			e->flows = nl_number(a);
			break;
		case FLOWTRACK_A_COUNT_ENTRY_CLASS:
		case FLOWTRACK_A_COUNT_ENTRY_ZONE:
		case FLOWTRACK_A_COUNT_ENTRY_MARK:
			e->value = nl_number(a);
			break;
		case FLOWTRACK_A_COUNT_ENTRY_L4PROTO:
			e->l4proto = nl_number(a);
			break;
		case FLOWTRACK_A_COUNT_ENTRY_STATE:
			e->state = nl_number(a);
			break;
		case FLOWTRACK_A_COUNT_ENTRY_SOURCE:
			top_take_entry(&e->source, a);
			break;
		}
	}
}

static int by_message(const struct nlmsghdr *nlh, void *data)
{
	struct count *count = data;
	const struct nlattr *a;

	mnl_attr_for_each(a, nlh, GENL_HDRLEN) {
		switch (mnl_attr_get_type(a)) {
		case FLOWTRACK_A_COUNT_TOTAL:
			count->total = nl_number(a);
			break;
		case FLOWTRACK_A_COUNT_OTHERS:
			count->others = nl_number(a);
			break;
		case FLOWTRACK_A_COUNT_SHORT_BY:
			count->short_by = nl_number(a);
			break;
		case FLOWTRACK_A_COUNT_ENTRY:
			if (count->n < ENTRIES)
				take_entry(&count->entry[count->n++], a);
			break;
		}
	}
	return 0;
}

/* A word for a number, or the number. */
static const char *word(const char *name, unsigned int value, char *buf, size_t size)
{
	if (!name)
		snprintf(buf, size, "%u", value);
	return name ? name : buf;
}

static void entry_name(const struct count *count, const struct count_entry *e, char *buf,
		       size_t size)
{
	char proto[16], state[16];

	switch (count->by) {
	case FLOWTRACK_COUNT_BY_CLASS:
		snprintf(buf, size, "%s", word(name_of(&class_names, e->value), e->value, state,
					       sizeof(state)));
		break;
	case FLOWTRACK_COUNT_BY_STATE:
		snprintf(buf, size, "%s %s",
			 word(proto_name(e->l4proto), e->l4proto, proto, sizeof(proto)),
			 word(name_of(proto_states(e->l4proto), e->state), e->state, state,
			      sizeof(state)));
		break;
	case FLOWTRACK_COUNT_BY_PROTO:
		snprintf(buf, size, "%s",
			 word(proto_name(e->l4proto), e->l4proto, proto, sizeof(proto)));
		break;
	case FLOWTRACK_COUNT_BY_SOURCE:
		top_entry_name(&e->source, buf, size);
		break;
	case FLOWTRACK_COUNT_BY_MARK:
		snprintf(buf, size, "0x%x", e->value);
		break;
	default:
		snprintf(buf, size, "%u", e->value);
		break;
	}
}

static void put_line(const struct count *count, const char *name, __u32 flows)
{
	unsigned int part = count->total ? 1000ULL * flows / count->total : 0;

	out_fmt(&std, "%-44s %10u %3u.%u%%\n", name, flows, part / 10, part % 10);
}

static void print_text(const struct count *count)
{
	char name[TOP_NAME_SIZE];
	unsigned int i;

	for (i = 0; i < count->n; i++) {
		entry_name(count, &count->entry[i], name, sizeof(name));
		put_line(count, name, count->entry[i].flows);
	}
	if (count->others)
		put_line(count, "others", count->others);
	put_line(count, "total", count->total);
	if (count->short_by)
		out_fmt(&std, "Each may have up to %u more, of the others.\n", count->short_by);
}

static void json_entry(const struct count *count, const struct count_entry *e)
{
	char proto[16], state[16];

	switch (count->by) {
	case FLOWTRACK_COUNT_BY_CLASS:
		out_fmt(&std, "\"class\":\"%s\"",
			word(name_of(&class_names, e->value), e->value, state, sizeof(state)));
		break;
	case FLOWTRACK_COUNT_BY_STATE:
	case FLOWTRACK_COUNT_BY_PROTO:
		out_fmt(&std, "\"proto\":\"%s\"",
			word(proto_name(e->l4proto), e->l4proto, proto, sizeof(proto)));
		if (count->by == FLOWTRACK_COUNT_BY_STATE)
			out_fmt(&std, ",\"state\":\"%s\"",
				word(name_of(proto_states(e->l4proto), e->state), e->state, state,
				     sizeof(state)));
		break;
	case FLOWTRACK_COUNT_BY_SOURCE:
		top_json_who(&std, &e->source);
		break;
	default:
		out_fmt(&std, "\"%s\":%u", name_of(&count_by_names, count->by), e->value);
		break;
	}
	out_fmt(&std, ",\"flows\":%u", e->flows);
}

static void print_json(const struct count *count)
{
	unsigned int i;

	out_fmt(&std, "{\"by\":\"%s\",\"total\":%u,\"others\":%u,\"short_by\":%u,\"counts\":[",
		name_of(&count_by_names, count->by), count->total, count->others,
		count->short_by);
	for (i = 0; i < count->n; i++) {
		out_str(&std, i ? ",\n{" : "\n{");
		json_entry(count, &count->entry[i]);
		out_str(&std, "}");
	}
	out_str(&std, "\n]}\n");
}

/* Few kinds are all shown. */
static __u32 default_limit(__u8 by)
{
	return by <= FLOWTRACK_COUNT_BY_PROTO ? ENTRIES : DEFAULT_LIMIT;
}

static int count_by(const struct options *opts, int argc, char **argv)
{
	static struct count count;
	static struct nl nl;
	struct nlmsghdr *req;
	struct filter f;
	int by, code;

	by = argc ? value_of(&count_by_names, argv[0]) : -1;
	if (by < 0)
		return err_set(EXIT_USAGE,
			       "'by' needs one of class, state, proto, zone, mark and source");
	if (opts->count > ENTRIES)
		return err_set(EXIT_USAGE, "bad value '%llu' of '--count': expected 1 to %u",
			       opts->count, ENTRIES);
	code = filter_parse_any(&f, argc - 1, argv + 1, opts->family);
	if (code)
		return code;
	code = nl_open(&nl, opts->netns);
	if (code)
		return code;
	memset(&count, 0, sizeof(count));
	count.by = by;
	req = nl_request(&nl, FLOWTRACK_CMD_COUNT_GET);
	mnl_attr_put_u8(req, FLOWTRACK_A_COUNT_BY, by);
	mnl_attr_put_u32(req, FLOWTRACK_A_COUNT_LIMIT, opts->count ? opts->count :
							default_limit(by));
	filter_put_as(req, FLOWTRACK_A_COUNT_FILTER, &f);
	code = nl_talk(&nl, req, by_message, &count);
	nl_close(&nl);
	if (code)
		return code;
	if (opts->json)
		print_json(&count);
	else
		print_text(&count);
	return out_close(&std);
}

int cmd_count(const struct options *opts, int argc, char **argv)
{
	__u32 value[__FLOWTRACK_A_SETTINGS_MAX] = { 0 };
	__u64 count = 0, has = 0, follow = 0;
	static struct nl nl;
	struct filter f;
	bool all;
	int code;

	if (argc && !strcmp(argv[0], "by"))
		return count_by(opts, argc - 1, argv + 1);
	if (opts->count)
		return err_set(EXIT_USAGE, "--count goes with 'count by' only");
	code = filter_parse_any(&f, argc, argv, opts->family);
	if (code)
		return code;
	/* Then the kernel knows without counting. */
	all = filter_empty(&f);
	code = nl_open(&nl, opts->netns);
	if (code)
		return code;
	if (all) {
		code = get_settings(&nl, value, &has, &follow);
		if (filter_wants(&f, FLOWTRACK_TRACKER_OWN))
			count += value[FLOWTRACK_A_SETTINGS_COUNT];
		if (filter_wants(&f, FLOWTRACK_TRACKER_GUARDED))
			count += value[FLOWTRACK_A_SETTINGS_GUARDED];
	} else {
		code = count_flows(&nl, &f, &count);
	}
	nl_close(&nl);
	if (code)
		return code;
	if (opts->json && all)
		out_fmt(&std, "{\"count\":%llu,\"own\":%u,\"guarded\":%u,\"max\":%u}\n", count,
			value[FLOWTRACK_A_SETTINGS_COUNT], value[FLOWTRACK_A_SETTINGS_GUARDED],
			value[FLOWTRACK_A_SETTINGS_MAX_FLOWS]);
	else if (opts->json)
		out_fmt(&std, "{\"count\":%llu%s}\n", count,
			nl.interrupted ? ",\"interrupted\":true" : "");
	else
		out_fmt(&std, "%llu\n", count);
	code = out_close(&std);
	return code || !nl.interrupted ? code : EXIT_INTERRUPTED;
}
