/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The versions of the tool and of the loaded module.
 */
#ifndef FT_VERSION_H
#define FT_VERSION_H

#include <stddef.h>

#define VERSION_SIZE	64

extern const char tool_version[];

void module_version(const char *root, char *buf, size_t size);

#endif /* FT_VERSION_H */
