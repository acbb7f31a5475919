// SPDX-License-Identifier: GPL-2.0
/*
 * Values on the command line.
 */
#include <limits.h>
#include <netinet/in.h>
#include <string.h>

#include "parse.h"
#include "test.h"

/* Half of what 64 bits can hold of milliseconds. */
#define EONS	"4294967295w4294967295w4294967295w4294967295w"

static void durations(void)
{
	static const struct {
		const char *s;
		long long ms;	/* -1: bad */
	} cases[] = {
		{ "0", 0 }, { "1", 1000 }, { "1.5", 1500 }, { "90s", 90000 },
		{ "500ms", 500 }, { "5m", 300000 }, { "2h", 7200000 },
		{ "5d", 432000000 }, { "1w", 604800000 }, { "1h30m", 5400000 },
		{ "0.25m", 15000 }, { "53.999", 53999 }, { "1.0009", 1000 },
		{ "", -1 }, { "s", -1 }, { "5x", -1 }, { "-5", -1 },
		{ EONS EONS, -1 },
		{ "5m3", -1 }, { "1.", -1 }, { ".5", -1 }, { "5 m", -1 },
		{ "99999999999", -1 }, { "1e3", -1 }, { "5mm", -1 },
	};
	__u64 ms;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool ok = parse_duration(cases[i].s, &ms);
		bool good = cases[i].ms >= 0;

		if (ok != good ||
		    (ok && (long long)ms != cases[i].ms))
			test_failed(__FILE__, __LINE__, "'%s': %d %lld",
				    cases[i].s, ok, (long long)ms);
	}
}

static void ages(void)
{
	__u32 min, max;

	EXPECT(parse_age(">10m", &min, &max) && min == 600 && max == UINT_MAX);
	EXPECT(parse_age(">=5", &min, &max) && min == 5);
	EXPECT(parse_age("<1h", &min, &max) && min == 0 && max == 3599);
	EXPECT(parse_age("<=1h", &min, &max) && max == 3600);
	EXPECT(parse_age("10s-2m", &min, &max) && min == 10 && max == 120);
	EXPECT(parse_age("7", &min, &max) && min == 7 && max == 7);
	EXPECT(!parse_age("<0", &min, &max));
	EXPECT(!parse_age("9-3", &min, &max));
	EXPECT(!parse_age(">", &min, &max));
	EXPECT(!parse_age("1.5", &min, &max));
	EXPECT(!parse_age("-5", &min, &max));
}

static void networks(void)
{
	struct addr a;

	EXPECT(parse_prefix("10.1.2.3/8", &a) && a.family == AF_INET &&
	       a.len == 8 && !memcmp(a.b, "\x0a\0\0\0", 4));
	EXPECT(parse_prefix("10.1.2.255/31", &a) && a.b[3] == 254);
	EXPECT(parse_prefix("0.0.0.0/0", &a) && a.len == 0);
	EXPECT(parse_prefix("2001:db8::ffff/113", &a) && a.len == 113 &&
	       a.b[14] == 0x80 && a.b[15] == 0);
	EXPECT(parse_prefix("::1", &a) && a.len == 128);
	EXPECT(!parse_prefix("10.0.0.0/33", &a));
	EXPECT(!parse_prefix("10.0.0/8", &a));
	EXPECT(!parse_prefix("10.0.0.0/", &a));
	EXPECT(!parse_prefix("10.0.0.0/-1", &a));
	EXPECT(!parse_prefix("::/129", &a));
	EXPECT(!parse_prefix("/8", &a));
	EXPECT(!parse_prefix("host/8", &a));
}

static void ports(void)
{
	__u16 min, max;

	EXPECT(parse_ports("443", IPPROTO_TCP, &min, &max) && min == 443 &&
	       max == 443);
	EXPECT(parse_ports("0-65535", 0, &min, &max) && !min && max == 65535);
	EXPECT(parse_ports("0x1bb", 0, &min, &max) && min == 443);
	EXPECT(!parse_ports("65536", 0, &min, &max));
	EXPECT(!parse_ports("5-3", 0, &min, &max));
	EXPECT(!parse_ports("5-", 0, &min, &max));
	EXPECT(!parse_ports("-5", 0, &min, &max));
	EXPECT(!parse_ports("no-such-service", IPPROTO_TCP, &min, &max));
	if (parse_ports("ssh", IPPROTO_TCP, &min, &max))
		EXPECT_INT(min, 22);
}

static void marks_and_numbers(void)
{
	__u32 v, mask;
	__u64 n;

	EXPECT(parse_masked("0x10/0xf0", &v, &mask) && v == 16 && mask == 240);
	EXPECT(parse_masked("7", &v, &mask) && v == 7 && mask == UINT_MAX);
	EXPECT(!parse_masked("7/", &v, &mask));
	EXPECT(!parse_masked("/7", &v, &mask));
	EXPECT(!parse_u32("4294967296", &v));
	EXPECT(!parse_u32("0x", &v));
	EXPECT(!parse_u32("+1", &v));
	EXPECT(!parse_u32(" 1", &v));
	EXPECT(!parse_u32("", &v));
	EXPECT(parse_size("1M", 1 << 30, &v) && v == 1 << 20);
	EXPECT(parse_size("64k", 1 << 30, &v) && v == 65536);
	EXPECT(parse_size("1024M", 1 << 30, &v) && v == 1 << 30);
	EXPECT(!parse_size("1025M", 1 << 30, &v));
	EXPECT(!parse_size("M", 1 << 30, &v) && !parse_size("", 1 << 30, &v));
	EXPECT(!parse_size("1MM", 1 << 30, &v) && !parse_size("1G", 1 << 30, &v));
	EXPECT(parse_u64("18446744073709551615", ULLONG_MAX, &n) &&
	       n == ULLONG_MAX);
	EXPECT(!parse_u64("18446744073709551616", ULLONG_MAX, &n));
}

const struct test parse_tests[] = {
	{ "durations", durations },
	{ "ages", ages },
	{ "networks", networks },
	{ "ports", ports },
	{ "marks and numbers", marks_and_numbers },
	{ NULL, NULL },
};
