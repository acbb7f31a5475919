// SPDX-License-Identifier: GPL-2.0
/*
 * flowtrack set: change settings, all in one request.
 */
#include <libmnl/libmnl.h>
#include <linux/nf_flowtrack.h>

#include "cmd.h"
#include "nl.h"
#include "settings.h"

int cmd_set(const struct options *opts, int argc, char **argv)
{
	__u32 value[__FLOWTRACK_A_SETTINGS_MAX];
	static struct nl nl;
	struct nlmsghdr *req;
	bool first = true;
	__u64 has;
	int attr, code;

	if (!argc)
		return err_set(EXIT_USAGE,
			       "set needs a setting and its value");
	code = parse_settings(argc, argv, value, &has);
	if (code)
		return code;
	code = nl_open(&nl, opts->netns);
	if (code)
		return code;
	req = nl_request(&nl, FLOWTRACK_CMD_SETTINGS_SET);
	for (attr = 1; attr < __FLOWTRACK_A_SETTINGS_MAX; attr++)
		if (has >> attr & 1)
			mnl_attr_put_u32(req, attr, value[attr]);
	code = nl_talk(&nl, req, NULL, NULL);
	nl_close(&nl);
	if (code || !opts->json)
		return code;
	out_str(&std, "{");
	for (attr = 1; attr < __FLOWTRACK_A_SETTINGS_MAX; attr++) {
		if (!(has >> attr & 1))
			continue;
		print_setting(&std, attr, value[attr], true, first);
		first = false;
	}
	out_str(&std, "}\n");
	return out_close(&std);
}
