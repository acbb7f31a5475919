// SPDX-License-Identifier: GPL-2.0
/*
 * flowtrack get: one flow, by its tuple or its number.
 */
#include <libmnl/libmnl.h>

#include "cmd.h"
#include "flow.h"
#include "json.h"
#include "nl.h"
#include "print.h"

static int print_one(const struct nlmsghdr *nlh, void *data)
{
	struct printer *pr = data;
	char *p;

	if (pr->form != PRINT_JSON)
		return printer_message(nlh, pr);
	if (flow_parse(nlh, &pr->flow) < 0) {
		err_set(EXIT_REFUSED, "malformed message from the kernel");
		return -1;
	}
	p = json_flow(out_room(pr->o), &pr->flow, true);
	*p++ = '\n';
	out_commit(pr->o, p);
	return 0;
}

int cmd_get(const struct options *opts, int argc, char **argv)
{
	static struct nl nl;
	struct nlmsghdr *req;
	struct printer p;
	struct flow f;
	int code, err;

	code = flow_words(&f, argc, argv, opts->family, WORDS_ID);
	if (code)
		return code;
	code = nl_open(&nl, opts->netns);
	if (code)
		return code;
	printer_init(&p, &std, opts);
	req = nl_request(&nl, FLOWTRACK_CMD_FLOW_GET);
	flow_put(req, &f);
	code = nl_talk(&nl, req, print_one, &p);
	nl_close(&nl);
	err = out_close(&std);
	return code ? code : err;
}
