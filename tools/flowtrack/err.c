// SPDX-License-Identifier: GPL-2.0
/*
 * The message of the last error. The function that finds an error sets it, a
 * caller that knows where it happened adds that, main() prints it.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "err.h"

static char msg[1024];

/**
 * err_set() - note an error
 * @code: enum exit_code
 * @fmt: message, no newline
 *
 * Return: @code.
 */
int err_set(int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	return code;
}

/* Appends to the message. */
void err_add(const char *fmt, ...)
{
	size_t len = strlen(msg);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(msg + len, sizeof(msg) - len, fmt, ap);
	va_end(ap);
}

/* Says where it happened, before the message. */
void err_prefix(const char *fmt, ...)
{
	char tail[sizeof(msg)];
	va_list ap;
	int len;

	memcpy(tail, msg, sizeof(tail));
	va_start(ap, fmt);
	len = vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	if (len >= 0 && (size_t)len < sizeof(msg))
		snprintf(msg + len, sizeof(msg) - len, "%s", tail);
}

const char *err_msg(void)
{
	return msg;
}

void err_clear(void)
{
	msg[0] = '\0';
}

/* What comes from a file, or from the kernel, must not steer the terminal. */
static void print_plain(const char *text)
{
	char line[2 * sizeof(msg)];
	size_t i;

	snprintf(line, sizeof(line), "%s", text);
	for (i = 0; line[i]; i++)
		if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
			line[i] = '?';
	fprintf(stderr, "flowtrack: %s\n", line);
}

void err_print(void)
{
	if (msg[0])
		print_plain(msg);
	err_clear();
}

void warn(const char *fmt, ...)
{
	char text[2 * sizeof(msg)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	print_plain(text);
}
