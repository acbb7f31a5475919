// SPDX-License-Identifier: GPL-2.0
/*
 * flowtrack add: enter a flow.
 */
#include <libmnl/libmnl.h>

#include "cmd.h"
#include "flow.h"
#include "nl.h"

int cmd_add(const struct options *opts, int argc, char **argv)
{
	static struct nl nl;
	struct nlmsghdr *req;
	struct flow f;
	int code;

	code = flow_words(&f, argc, argv, opts->family, WORDS_STATE);
	if (code)
		return code;
	code = nl_open(&nl, opts->netns);
	if (code)
		return code;
	req = nl_request(&nl, FLOWTRACK_CMD_FLOW_ADD);
	flow_put(req, &f);
	code = nl_talk(&nl, req, NULL, NULL);
	nl_close(&nl);
	if (code)
		return code;
	if (opts->json)
		out_str(&std, "{\"added\":1}\n");
	return out_close(&std);
}
