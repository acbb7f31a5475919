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

	code = filter_parse_any(&f, argc, argv, opts->family);
	return code ? code : delete_flows(opts, &f);
}
