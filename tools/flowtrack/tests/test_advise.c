// SPDX-License-Identifier: GPL-2.0
/*
 * Advice for loads.
 */
#include <string.h>

#include "advise.h"
#include "netns.h"
#include "test.h"

/* A table that fits. */
static const struct load calm = {
	.seconds = 10, .peak = 20000, .max = 262144, .buckets = 4096, .buckets_auto = true,
	.opened = 1000, .embryonic = 100, .established = 10000, .idle = 10,
	.established_timeout = 54000, .source = 100, .conntrack = 10, .conntrack_max = 65536,
	.memory = 8ULL << 30,
};

static struct advice advice[ADVICE_MAX];

/* Whether a command that begins so is advised, for a reason with these words. */
static bool advised(const struct load *l, const char *command, const char *why)
{
	unsigned int i, n = advise(l, advice);

	for (i = 0; i < n; i++)
		if (advice[i].command[0] && !strncmp(advice[i].command, command, strlen(command)))
			return strstr(advice[i].why, why);
	return false;
}

static unsigned int commands(const struct load *l)
{
	unsigned int i, n = advise(l, advice), found = 0;

	for (i = 0; i < n; i++)
		found += advice[i].command[0] != '\0';
	return found;
}

static void nothing_to_do(void)
{
	struct load l = calm;

	EXPECT_INT(commands(&l), 0);
	/* An empty machine, and a small one. */
	l.peak = 0;
	EXPECT_INT(commands(&l), 0);
	l = calm;
	l.memory = 0;
	EXPECT_INT(commands(&l), 0);
	l = calm;
	l.buckets_auto = false;
	EXPECT_INT(commands(&l), 0);
}

static void sizes(void)
{
	struct load l = calm;

	l.max = 25000;
	EXPECT(advised(&l, "flowtrack set max 40000", "20000 flows were seen, 0 had no place"));
	/* Half of those that came had no place: there would be twice as many. */
	l.peak = 25000;
	l.evicted = 400;
	l.refused = 600;
	l.opened = 999;
	EXPECT(advised(&l, "flowtrack set max 100000", "25000 flows were seen, 1000 had no place"));
	l.memory = 100 << 20;
	EXPECT(advised(&l, "flowtrack set max 92000", "an eighth of the memory"));
	l = calm;
	l.max = 100000000;
	EXPECT(advised(&l, "flowtrack set max 40000", "more than an eighth of the memory"));
	l = calm;
	l.buckets_auto = false;
	l.buckets = 256;
	EXPECT(advised(&l, "flowtrack set buckets auto", "room for 1792 flows"));
	l.buckets = 1 << 20;
	EXPECT(advised(&l, "flowtrack set buckets auto", "more than the table can ever use"));
	l = calm;
	l.conntrack = 60000;
	EXPECT(advised(&l, "sysctl -w net.netfilter.nf_conntrack_max=120000", "60000 entries"));
}

static void timeouts(void)
{
	struct load l = calm;

	l.idle = 9000;
	EXPECT_INT(commands(&l), 0);
	l.max = 32000;
	l.idle = 9000;
	EXPECT(advised(&l, "flowtrack set tcp_timeout_established 7200", "9000 of 10000"));
	l.established_timeout = 7200;
	EXPECT(!advised(&l, "flowtrack set tcp_timeout_established", ""));
	l.embryonic = 15000;
	EXPECT(advised(&l, "flowtrack set tcp_timeout_syn_sent 30", "15000 of 20000 flows"));
	l.source = 700;
	EXPECT(advised(&l, "flowtrack set src_max 8000", "70%"));
	l.src_max = 5;
	EXPECT(!advised(&l, "flowtrack set src_max", ""));
}

/* With -n, what is printed is about that network namespace. */
static void of_a_namespace(void)
{
	char command[64];

	snprintf(command, sizeof(command), "flowtrack set max 5");
	netns_command(command, sizeof(command), NULL);
	EXPECT_STR(command, "flowtrack set max 5");
	netns_command(command, sizeof(command), "blue");
	EXPECT_STR(command, "flowtrack -n blue set max 5");
	netns_command(command, sizeof(command), "red");
	EXPECT_STR(command, "flowtrack -n blue set max 5");
	snprintf(command, sizeof(command), "flowtrack set max 5");
	netns_command(command, sizeof(command), "my ns");
	EXPECT_STR(command, "flowtrack -n 'my ns' set max 5");
	snprintf(command, sizeof(command), "sysctl -w net.netfilter.nf_conntrack_max=5");
	netns_command(command, sizeof(command), "blue");
	EXPECT_STR(command, "sysctl -w net.netfilter.nf_conntrack_max=5");
}

const struct test advise_tests[] = {
	{ "a load that fits", nothing_to_do },
	{ "sizes", sizes },
	{ "timeouts and sources", timeouts },
	{ "commands for a network namespace", of_a_namespace },
	{ NULL, NULL },
};
