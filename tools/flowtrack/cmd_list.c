// SPDX-License-Identifier: GPL-2.0
/*
 * flowtrack list: the flows of the table, and those that are guarded.
 */
#include <libmnl/libmnl.h>

#include "cmd.h"
#include "filter.h"
#include "nl.h"
#include "print.h"

/**
 * list_flows() - print the flows that match
 * @nl: socket
 * @f: filter
 * @p: printer
 *
 * Return: an exit code.
 */
int list_flows(struct nl *nl, const struct filter *f, struct printer *p)
{
	struct nlmsghdr *req = nl_request(nl, FLOWTRACK_CMD_FLOW_GET);
	int code, err;

	filter_put(req, f);
	printer_begin(p);
	code = nl_dump(nl, req, printer_message, printer_restart, p);
	/* An array is closed even then, for the sake of its reader. */
	if (!code || p->flows)
		printer_end(p);
	else
		p->o->len = 0;
	err = out_close(p->o);
	if (code || err)
		return code ? code : err;
	return nl->interrupted ? EXIT_INTERRUPTED : EXIT_OK;
}

int cmd_list(const struct options *opts, int argc, char **argv)
{
	static struct nl nl;
	struct printer p;
	struct filter f;
	int code;

	code = filter_parse(&f, argc, argv, opts->family);
	if (code)
		return code;
	filter_default(&f, FLOWTRACK_TRACKER_OWN | FLOWTRACK_TRACKER_GUARDED);
	code = nl_open(&nl, opts->netns);
	if (code)
		return code;
	printer_init(&p, &std, opts);
	code = list_flows(&nl, &f, &p);
	nl_close(&nl);
	return code;
}
