// SPDX-License-Identifier: GPL-2.0
/*
 * Buffered output, and the formatting of numbers and addresses.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "err.h"
#include "out.h"

#define BILLION	1000000000

static const char hexdigits[] = "0123456789abcdef";

struct out std;

void out_init(struct out *o, int fd)
{
	o->fd = fd;
	o->stop_fd = -1;
	o->err = 0;
	o->len = 0;
	o->written = 0;
}

/* Return: how much of @len can be written without a wait; 0: stopped. */
static size_t wait_for_room(const struct out *o, size_t len)
{
	struct pollfd fds[] = {
		{ .fd = o->fd, .events = POLLOUT },
		{ .fd = o->stop_fd, .events = POLLIN },
	};

	if (o->stop_fd < 0)
		return len;
	while (poll(fds, 2, -1) < 0 && errno == EINTR)
		;
	if (!fds[0].revents)
		return 0;
	/* A pipe that can be written to has room for that much. */
	return len < PIPE_BUF ? len : PIPE_BUF;
}

/**
 * out_flush() - write what waits
 * @o: output
 *
 * Return: false once a write has failed.
 */
bool out_flush(struct out *o)
{
	size_t done = 0, len;
	ssize_t n;

	while (done < o->len && !o->err) {
		len = wait_for_room(o, o->len - done);
		if (!len) {
			o->err = ECANCELED;
			break;
		}
		n = write(o->fd, o->buf + done, len);
		if (n >= 0)
			done += n;
		else if (errno != EINTR)
			o->err = errno;
	}
	o->written += done;
	o->len = 0;
	return !o->err;
}

/**
 * out_close() - write the rest
 * @o: output
 *
 * Return: an exit code. A reader that went away, or was not waited for, is no
 * error.
 */
int out_close(struct out *o)
{
	if (out_flush(o) || o->err == EPIPE || o->err == ECANCELED)
		return EXIT_OK;
	return err_set(EXIT_USAGE, "cannot write: %s", strerror(o->err));
}

/* For what is printed once, not a million times; longer strings are cut. */
void out_str(struct out *o, const char *s)
{
	size_t len = strnlen(s, OUT_LINE);

	out_commit(o, put_mem(out_room(o), s, len));
}

void out_fmt(struct out *o, const char *fmt, ...)
{
	char buf[OUT_LINE];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	out_str(o, buf);
}

/* @v below 100, as two digits. */
static inline char *put_two(char *p, unsigned int v)
{
	p[0] = '0' + v / 10;
	p[1] = '0' + v % 10;
	return p + 2;
}

static inline unsigned int count_digits(__u32 v)
{
	if (v < 100000) {
		if (v < 100)
			return v < 10 ? 1 : 2;
		return v < 1000 ? 3 : v < 10000 ? 4 : 5;
	}
	if (v < 10000000)
		return v < 1000000 ? 6 : 7;
	return v < 100000000 ? 8 : v < 1000000000 ? 9 : 10;
}

/* Most numbers are small. */
static char *put_u32(char *p, __u32 v)
{
	char *end = p + count_digits(v), *q = end;

	while (v >= 100) {
		q -= 2;
		put_two(q, v % 100);
		v /= 100;
	}
	if (v >= 10)
		put_two(p, v);
	else
		*p = '0' + v;
	return end;
}

/* All nine digits of @v. */
static char *put_nine(char *p, __u32 v)
{
	int i;

	for (i = 8; i >= 0; i--) {
		p[i] = '0' + v % 10;
		v /= 10;
	}
	return p + 9;
}

char *put_u64(char *p, __u64 v)
{
	if (v <= UINT_MAX)
		return put_u32(p, v);
	p = put_u64(p, v / BILLION);
	return put_nine(p, v % BILLION);
}

char *put_hex(char *p, __u64 v)
{
	int shift = 60;

	*p++ = '0';
	*p++ = 'x';
	while (shift && !(v >> shift))
		shift -= 4;
	for (; shift >= 0; shift -= 4)
		*p++ = hexdigits[v >> shift & 15];
	return p;
}

/* @v thousandths, as a number with three decimals. */
char *put_thousandths(char *p, __u64 v)
{
	unsigned int frac = v % 1000;

	p = put_u64(p, v / 1000);
	*p++ = '.';
	*p++ = '0' + frac / 100;
	return put_two(p, frac % 100);
}

/* @v billionths, as a number with nine decimals. */
char *put_billionths(char *p, __u64 v)
{
	p = put_u64(p, v / BILLION);
	*p++ = '.';
	return put_nine(p, v % BILLION);
}

static char *put_octet(char *p, __u8 v)
{
	if (v >= 100) {
		*p++ = '0' + v / 100;
		return put_two(p, v % 100);
	}
	if (v >= 10)
		return put_two(p, v);
	*p++ = '0' + v;
	return p;
}

char *put_ip4(char *p, const __u8 *addr)
{
	p = put_octet(p, addr[0]);
	*p++ = '.';
	p = put_octet(p, addr[1]);
	*p++ = '.';
	p = put_octet(p, addr[2]);
	*p++ = '.';
	return put_octet(p, addr[3]);
}

static char *put_hex16(char *p, unsigned int v)
{
	if (v >= 0x1000)
		*p++ = hexdigits[v >> 12];
	if (v >= 0x100)
		*p++ = hexdigits[v >> 8 & 15];
	if (v >= 0x10)
		*p++ = hexdigits[v >> 4 & 15];
	*p++ = hexdigits[v & 15];
	return p;
}

/* As inet_ntop() has it (RFC 5952), at a tenth of the time. */
char *put_ip6(char *p, const __u8 *addr)
{
	int best = -1, best_len = 1;
	unsigned int word[8];
	int i, j;

	for (i = 0; i < 8; i++)
		word[i] = addr[2 * i] << 8 | addr[2 * i + 1];
	for (i = 0; i < 8; i = j + 1) {
		for (j = i; j < 8 && !word[j]; j++)
			;
		if (j - i > best_len) {
			best = i;
			best_len = j - i;
		}
	}
	/* ::a.b.c.d and ::ffff:a.b.c.d */
	if (!best &&
	    (best_len == 6 || (best_len == 5 && word[5] == 0xffff))) {
		if (best_len == 5)
			p = put_lit(p, "::ffff:");
		else
			p = put_lit(p, "::");
		return put_ip4(p, addr + 12);
	}
	for (i = 0; i < 8; i++) {
		if (i == best) {
			*p++ = ':';
			if (i + best_len == 8)
				*p++ = ':';
			i += best_len - 1;
			continue;
		}
		if (i)
			*p++ = ':';
		p = put_hex16(p, word[i]);
	}
	return p;
}

/* A JSON string with its quotes; cut after @max bytes of @s. */
char *put_json(char *p, const char *s, size_t max)
{
	*p++ = '"';
	for (; *s && max; s++, max--) {
		unsigned char c = *s;

		if (c == '"' || c == '\\') {
			*p++ = '\\';
			*p++ = c;
		} else if (c < 0x20 || c >= 0x7f) {
			p = put_lit(p, "\\u00");
			*p++ = hexdigits[c >> 4];
			*p++ = hexdigits[c & 15];
		} else {
			*p++ = c;
		}
	}
	*p++ = '"';
	return p;
}
