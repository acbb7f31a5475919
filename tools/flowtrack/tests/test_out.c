// SPDX-License-Identifier: GPL-2.0
/*
 * Formatting of numbers and addresses against the C library's.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "err.h"
#include "out.h"
#include "test.h"

static char buf[OUT_LINE];

static const char *end(char *p)
{
	*p = '\0';
	return buf;
}

static void numbers(void)
{
	unsigned long long v;
	char want[64];
	int i;

	for (i = 0; i < 64; i++) {
		for (v = (1ULL << i) - 2; v != (1ULL << i) + 2; v++) {
			snprintf(want, sizeof(want), "%llu", v);
			EXPECT_STR(end(put_u64(buf, v)), want);
			snprintf(want, sizeof(want), "0x%llx", v);
			EXPECT_STR(end(put_hex(buf, v)), want);
		}
	}
	for (v = 0; v < 2000; v++) {
		snprintf(want, sizeof(want), "%llu", v);
		EXPECT_STR(end(put_u64(buf, v)), want);
	}
	EXPECT_STR(end(put_thousandths(buf, 53999)), "53.999");
	EXPECT_STR(end(put_thousandths(buf, 1)), "0.001");
	EXPECT_STR(end(put_thousandths(buf, 60010)), "60.010");
	EXPECT_STR(end(put_billionths(buf, 1700000000000000001ULL)),
		   "1700000000.000000001");
	EXPECT_STR(end(put_billionths(buf, 0)), "0.000000000");
}

static void addresses_v4(void)
{
	char want[INET_ADDRSTRLEN];
	__u8 addr[4];
	int i, j;

	for (i = 0; i < 256; i++) {
		for (j = 0; j < 4; j++)
			addr[j] = i + 77 * j;
		inet_ntop(AF_INET, addr, want, sizeof(want));
		EXPECT_STR(end(put_ip4(buf, addr)), want);
	}
}

static void addresses_v6(void)
{
	static const char * const some[] = {
		"::", "::1", "::2", "1::", "fe80::1", "2001:db8::1",
		"::ffff:10.0.0.1", "::10.0.0.1", "::ffff:0:0", "::1:2",
		"1:0:0:2:0:0:0:3", "1:0:0:2:0:0:3:4", "0:1:0:1:0:1:0:1",
		"64:ff9b::c000:201", "::fffe:1:2", "::ffff:0:1:2", "1::2:0:0",
	};
	char want[INET6_ADDRSTRLEN];
	__u8 addr[16];
	size_t i;
	int n, j;

	for (i = 0; i < sizeof(some) / sizeof(some[0]); i++) {
		EXPECT_INT(inet_pton(AF_INET6, some[i], addr), 1);
		inet_ntop(AF_INET6, addr, want, sizeof(want));
		EXPECT_STR(end(put_ip6(buf, addr)), want);
	}
	/* All patterns of zero and other words, with some variety. */
	srand(1);
	for (n = 0; n < 256 * 64; n++) {
		for (j = 0; j < 8; j++) {
			unsigned int w = n >> j & 1 ? rand() & 0xffff : 0;

			if (n & 1 << 9)
				w &= 0xff;
			if (n & 1 << 10 && w)
				w = 0xffff;
			addr[2 * j] = w >> 8;
			addr[2 * j + 1] = w;
		}
		inet_ntop(AF_INET6, addr, want, sizeof(want));
		EXPECT_STR(end(put_ip6(buf, addr)), want);
	}
}

static void json_strings(void)
{
	EXPECT_STR(end(put_json(buf, "a\"b\\c\n\x01\xff", 100)),
		   "\"a\\\"b\\\\c\\u000a\\u0001\\u00ff\"");
	EXPECT_STR(end(put_json(buf, "abcdef", 3)), "\"abc\"");
	EXPECT_STR(end(put_pad(put_lit(buf, "ab"), buf, 4)), "ab   ");
	EXPECT_STR(end(put_pad(put_lit(buf, "abcdef"), buf, 4)), "abcdef ");
}

static void large_outputs_are_complete(void)
{
	static struct out o;
	int fd = memfd_create("out", MFD_CLOEXEC);
	char line[32], want[32];
	FILE *file;
	int i;

	out_init(&o, fd);
	for (i = 0; i < 100000; i++) {
		char *p = out_room(&o);

		p = put_u64(p, i);
		*p++ = '\n';
		out_commit(&o, p);
	}
	EXPECT_INT(out_close(&o), EXIT_OK);
	lseek(fd, 0, SEEK_SET);
	file = fdopen(fd, "r");
	for (i = 0; fgets(line, sizeof(line), file); i++) {
		snprintf(want, sizeof(want), "%d\n", i);
		if (strcmp(line, want)) {
			EXPECT_STR(line, want);
			break;
		}
	}
	EXPECT_INT(i, 100000);
	fclose(file);
}

static void write_errors(void)
{
	static struct out o;
	int fds[2];

	out_init(&o, open("/dev/full", O_WRONLY | O_CLOEXEC));
	out_str(&o, "x");
	EXPECT_INT(out_close(&o), EXIT_USAGE);
	EXPECT(strstr(err_msg(), "No space left"));
	err_clear();
	close(o.fd);

	EXPECT_INT(pipe(fds), 0);
	close(fds[0]);
	out_init(&o, fds[1]);
	out_str(&o, "x");
	EXPECT_INT(out_close(&o), EXIT_OK);
	EXPECT(out_failed(&o));
	close(fds[1]);
}

/* A pipe that nobody reads, and a stop: whole pages stand in it. */
static void stopped_while_nobody_reads(void)
{
	static struct out o;
	static char buf[OUT_SIZE];
	int fds[2], stop[2];
	ssize_t n;
	int i;

	EXPECT_INT(pipe(fds), 0);
	EXPECT_INT(pipe(stop), 0);
	EXPECT_INT(write(stop[1], "x", 1), 1);
	out_init(&o, fds[1]);
	o.stop_fd = stop[0];
	for (i = 0; i < 30000 && !out_failed(&o); i++)
		out_str(&o, "0123456789\n");
	EXPECT_INT(o.err, ECANCELED);
	EXPECT_INT(out_close(&o), EXIT_OK);
	n = read(fds[0], buf, sizeof(buf));
	EXPECT(n == (ssize_t)o.written);
	EXPECT(n > 0 && !(n % PIPE_BUF));
	close(fds[0]);
	close(fds[1]);
	close(stop[0]);
	close(stop[1]);
}

const struct test out_tests[] = {
	{ "numbers", numbers },
	{ "IPv4 addresses as inet_ntop() has them", addresses_v4 },
	{ "IPv6 addresses as inet_ntop() has them", addresses_v6 },
	{ "JSON strings and padding", json_strings },
	{ "large outputs are complete", large_outputs_are_complete },
	{ "write errors", write_errors },
	{ "stopped while nobody reads", stopped_while_nobody_reads },
	{ NULL, NULL },
};
