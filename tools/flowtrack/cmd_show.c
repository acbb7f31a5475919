// SPDX-License-Identifier: GPL-2.0
/*
 * flowtrack show: the settings.
 */
#include <linux/nf_flowtrack.h>

#include "cmd.h"
#include "names.h"
#include "nl.h"
#include "settings.h"

/* The tool knows them, a module of another version does not. */
static int missing(__u64 which)
{
	const char *sep = "";
	int attr;

	err_set(EXIT_REFUSED, "the module has no setting ");
	for (attr = 1; attr < __FLOWTRACK_A_SETTINGS_MAX; attr++) {
		if (!(which >> attr & 1))
			continue;
		err_add("%s'%s'", sep, settings[attr].name);
		sep = ", ";
	}
	return EXIT_REFUSED;
}

int cmd_show(const struct options *opts, int argc, char **argv)
{
	__u32 value[__FLOWTRACK_A_SETTINGS_MAX] = { 0 };
	__u64 has = 0, wanted = 0, follow = 0;
	static struct nl nl;
	bool first = true;
	int i, attr, code;

	for (i = 0; i < argc; i++) {
		attr = setting_find(argv[i]);
		if (attr < 0)
			return unknown_setting(argv[i]);
		wanted |= 1ULL << attr;
	}
	code = nl_open(&nl, opts->netns);
	if (code)
		return code;
	code = get_settings(&nl, value, &has, &follow);
	nl_close(&nl);
	if (code)
		return code;
	if (wanted & ~has)
		return missing(wanted & ~has);
	if (!wanted)
		wanted = has;
	if (opts->json)
		out_str(&std, "{");
	for (attr = 1; attr < __FLOWTRACK_A_SETTINGS_MAX; attr++) {
		if (!(wanted >> attr & 1) || !settings[attr].name)
			continue;
		print_setting(&std, attr, value, follow, opts->json, first);
		first = false;
	}
	if (opts->json)
		out_str(&std, "}\n");
	return out_close(&std);
}
