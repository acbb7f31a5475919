// SPDX-License-Identifier: GPL-2.0
/*
 * flowtrack save: the table as lines that restore reads.
 */
#include "cmd.h"
#include "filter.h"
#include "nl.h"
#include "print.h"

int cmd_save(const struct options *opts, int argc, char **argv)
{
	static struct nl nl;
	struct printer p;
	struct filter f;
	int code;

	code = filter_parse(&f, argc, argv, opts->family);
	if (code)
		return code;
	if (filter_wants(&f, FLOWTRACK_TRACKER_GUARDED))
		return err_set(EXIT_USAGE,
			       "'guarded': nf_conntrack's flows cannot be restored");
	code = nl_open(&nl, opts->netns);
	if (code)
		return code;
	printer_init(&p, &std, opts);
	if (opts->json)
		p.windows = true;
	else
		p.form = PRINT_SAVE;
	code = list_flows(&nl, &f, &p);
	nl_close(&nl);
	return code;
}
