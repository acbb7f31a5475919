// SPDX-License-Identifier: GPL-2.0
/*
 * flowtrack set: change settings, all in one request.
 */
#include <linux/nf_flowtrack.h>

#include "cmd.h"
#include "confirm.h"
#include "nl.h"
#include "settings.h"

int cmd_set(const struct options *opts, int argc, char **argv)
{
	__u32 value[__FLOWTRACK_A_SETTINGS_MAX] = { 0 };
	static struct nl nl;
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
	code = opts->confirm ? confirm_set(&nl, value, has, opts->confirm) :
			       send_set(&nl, value, has);
	nl_close(&nl);
	if (code)
		return code;
	if (opts->confirm && !opts->json)
		out_fmt(&std, "taken back in %u s, unless 'flowtrack confirm' comes\n",
			opts->confirm);
	if (!opts->json)
		return out_close(&std);
	out_str(&std, "{");
	for (attr = 1; attr < __FLOWTRACK_A_SETTINGS_MAX; attr++) {
		if (!(has >> attr & 1))
			continue;
		print_setting(&std, attr, value, 0, true, first);
		first = false;
	}
	out_str(&std, "}\n");
	return out_close(&std);
}
