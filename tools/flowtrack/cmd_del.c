// SPDX-License-Identifier: GPL-2.0
/*
 * flowtrack del: end flows.
 */
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <string.h>

#include "cmd.h"
#include "filter.h"
#include "flow.h"
#include "nl.h"
#include "print.h"

static int deleted_message(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *a;
	__u32 *deleted = data;

	mnl_attr_for_each(a, nlh, GENL_HDRLEN)
		if (mnl_attr_get_type(a) == FLOWTRACK_A_FLOW_DELETED &&
		    !mnl_attr_validate(a, MNL_TYPE_U32))
			*deleted = mnl_attr_get_u32(a);
	return 0;
}

static int talk_delete(const struct options *opts, struct nl *nl,
		       struct nlmsghdr *req, __u32 deleted)
{
	int code = nl_talk(nl, req, deleted_message, &deleted);

	if (code)
		return code;
	if (opts->json)
		out_fmt(&std, "{\"deleted\":%u}\n", deleted);
	else
		out_fmt(&std, "%u flow%s deleted\n", deleted,
			deleted == 1 ? "" : "s");
	return out_close(&std);
}

/**
 * delete_flows() - end the flows that match and say how many
 * @opts: options
 * @f: filter; an empty one: all flows
 *
 * Return: an exit code.
 */
int delete_flows(const struct options *opts, const struct filter *f)
{
	static struct nl nl;
	struct nlmsghdr *req;
	struct printer p;
	int code;

	code = nl_open(&nl, opts->netns);
	if (code)
		return code;
	if (opts->dry_run) {
		printer_init(&p, &std, opts);
		code = list_flows(&nl, f, &p);
	} else {
		req = nl_request(&nl, FLOWTRACK_CMD_FLOW_DEL);
		filter_put(req, f);
		code = talk_delete(opts, &nl, req, 0);
	}
	nl_close(&nl);
	return code;
}

/* One flow, by its number. */
static int delete_id(const struct options *opts, const struct flow *f)
{
	static struct nl nl;
	struct nlmsghdr *req;
	struct printer p;
	int code, err;

	code = nl_open(&nl, opts->netns);
	if (code)
		return code;
	if (opts->dry_run) {
		printer_init(&p, &std, opts);
		req = nl_request(&nl, FLOWTRACK_CMD_FLOW_GET);
		flow_put(req, f);
		printer_begin(&p);
		code = nl_talk(&nl, req, printer_message, &p);
		if (code)
			std.len = 0;
		else
			printer_end(&p);
		err = out_close(&std);
		code = code ? code : err;
	} else {
		req = nl_request(&nl, FLOWTRACK_CMD_FLOW_DEL);
		flow_put(req, f);
		code = talk_delete(opts, &nl, req, 1);
	}
	nl_close(&nl);
	return code;
}

int cmd_del(const struct options *opts, int argc, char **argv)
{
	struct filter f;
	struct flow flow;
	int code;

	if (argc && (!strcmp(argv[0], "id") || !strncmp(argv[0], "id=", 3))) {
		code = flow_words(&flow, argc, argv, 0, WORDS_ID);
		return code ? code : delete_id(opts, &flow);
	}
	code = filter_parse_any(&f, argc, argv, opts->family);
	if (code)
		return code;
	if (filter_empty(&f) && !opts->all)
		return err_set(EXIT_USAGE,
			       "del without a filter deletes all: say --all");
	if (!filter_empty(&f) && opts->all)
		return err_set(EXIT_USAGE,
			       "--all contradicts the filter: use one of them");
	return delete_flows(opts, &f);
}
