/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Errors: a message, kept until someone prints it, and an exit code.
 */
#ifndef FT_ERR_H
#define FT_ERR_H

#include <stddef.h>

/* Exit codes of the tool; documented in flowtrack(8). */
enum exit_code {
	EXIT_OK,
	EXIT_USAGE,		/* arguments, a file, or another local failure */
	EXIT_REFUSED,		/* the kernel refused */
	EXIT_NOT_FOUND,		/* no such flow */
	EXIT_NO_PERMISSION,
	EXIT_NO_MODULE,		/* nf_flowtrack is not loaded */
	EXIT_INTERRUPTED,	/* the table changed its size under a dump */
};

int err_set(int code, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void err_add(const char *fmt, ...)
	__attribute__((format(printf, 1, 2)));
void err_prefix(const char *fmt, ...)
	__attribute__((format(printf, 1, 2)));
const char *err_msg(void);
void err_clear(void);
void err_print(void);
void warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif /* FT_ERR_H */
