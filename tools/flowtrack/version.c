// SPDX-License-Identifier: GPL-2.0
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "version.h"

const char tool_version[] = VERSION;

/**
 * module_version() - ask which version of the module is loaded
 * @root: what stands before /sys; "" but for tests
 * @buf: filled in; empty: none is
 * @size: of @buf
 */
void module_version(const char *root, char *buf, size_t size)
{
	char path[PATH_MAX];
	FILE *file;

	buf[0] = '\0';
	snprintf(path, sizeof(path), "%s/sys/module/nf_flowtrack/version", root);
	file = fopen(path, "re");
	if (!file)
		return;
	if (fgets(buf, size, file))
		buf[strcspn(buf, "\n")] = '\0';
	fclose(file);
}
