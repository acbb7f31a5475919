// SPDX-License-Identifier: GPL-2.0
/*
 * flowtrack flush: end all flows, or those that match.
 */
#include "cmd.h"
#include "filter.h"

int cmd_flush(const struct options *opts, int argc, char **argv)
{
	struct filter f;
	int code;

	code = filter_parse(&f, argc, argv, opts->family);
	if (code)
		return code;
	filter_default(&f, FLOWTRACK_TRACKER_OWN | FLOWTRACK_TRACKER_GUARDED);
	return delete_flows(opts, &f);
}
