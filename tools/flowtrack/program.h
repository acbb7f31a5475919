/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Other programs: run, and listened to.
 */
#ifndef FT_PROGRAM_H
#define FT_PROGRAM_H

#include <stddef.h>

int program_run(char *said, size_t size, const char *program, ...)
	__attribute__((sentinel));

#endif /* FT_PROGRAM_H */
