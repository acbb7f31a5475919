/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What conntrack(8) calls things, for the errors of those who come from it.
 */
#ifndef FT_CONNTRACK_H
#define FT_CONNTRACK_H

#include <stddef.h>

const char *conntrack_letter(int letter);
const char *conntrack_option(const char *name, size_t len);

#endif /* FT_CONNTRACK_H */
