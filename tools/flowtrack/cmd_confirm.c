// SPDX-License-Identifier: GPL-2.0
/*
 * flowtrack confirm: keep what 'set --confirm' changed.
 */
#include "cmd.h"
#include "confirm.h"

int cmd_confirm(const struct options *opts, int argc, char **argv)
{
	int code;

	if (argc)
		return err_set(EXIT_USAGE, "unknown word '%s': confirm takes none", argv[0]);
	code = confirm_keep();
	if (code)
		return code;
	out_str(&std, opts->json ? "{\"confirmed\":true}\n" : "the settings stay\n");
	return out_close(&std);
}
