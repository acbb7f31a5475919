/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Buffered output. A dump of a million flows prints through this: a caller
 * asks for room once per line, writes with the put_*() functions, which check
 * nothing, and commits the line.
 */
#ifndef FT_OUT_H
#define FT_OUT_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define OUT_SIZE	(256 * 1024)
#define OUT_LINE	4096	/* room for the longest line */

/**
 * struct out - a buffer in front of a file descriptor
 * @fd: where it goes
 * @stop_fd: readable when nothing is to be waited for any more, or -1
 * @err: errno of the first failed write; nothing is written after it.
 *	ECANCELED: stopped with nobody reading
 * @len: bytes waiting in @buf
 * @written: bytes that left
 * @buf: the buffer
 */
struct out {
	int fd;
	int stop_fd;
	int err;
	size_t len;
	__u64 written;
	char buf[OUT_SIZE];
};

/* Standard output of the verbs. */
extern struct out std;

void out_init(struct out *o, int fd);
bool out_flush(struct out *o);
int out_close(struct out *o);
void out_str(struct out *o, const char *s);
void out_fmt(struct out *o, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/**
 * out_room() - begin a line
 * @o: output
 *
 * Return: where at least OUT_LINE bytes may be written.
 */
static inline char *out_room(struct out *o)
{
	if (o->len + OUT_LINE > sizeof(o->buf))
		out_flush(o);
	return o->buf + o->len;
}

/**
 * out_commit() - end a line
 * @o: output
 * @end: behind the last byte written since out_room()
 */
static inline void out_commit(struct out *o, char *end)
{
	o->len = end - o->buf;
}

static inline bool out_failed(const struct out *o)
{
	return o->err;
}

#define put_lit(p, lit)	put_mem(p, lit, sizeof(lit) - 1)

static inline char *put_mem(char *p, const void *mem, size_t len)
{
	memcpy(p, mem, len);
	return p + len;
}

static inline char *put_str(char *p, const char *s)
{
	while (*s)
		*p++ = *s++;
	return p;
}

/* Fills up with blanks until @width bytes stand since @from; at least one. */
static inline char *put_pad(char *p, const char *from, int width)
{
	const char *end = from + width;

	memset(p, ' ', 32);	/* more than a width, and one instruction */
	return p < end ? p + (end - p) + 1 : p + 1;
}

char *put_u64(char *p, __u64 v);
char *put_hex(char *p, __u64 v);
char *put_thousandths(char *p, __u64 v);
char *put_billionths(char *p, __u64 v);
char *put_ip4(char *p, const __u8 *addr);
char *put_ip6(char *p, const __u8 *addr);
char *put_json(char *p, const char *s, size_t max);

#endif /* FT_OUT_H */
