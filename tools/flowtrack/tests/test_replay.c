// SPDX-License-Identifier: GPL-2.0
/*
 * A table that is kept in memory, and sent again.
 */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cmd.h"
#include "flow.h"
#include "nl.h"
#include "print.h"
#include "replay.h"
#include "test.h"

static struct nl nl;

/* Request @i of all that were kept, be it of use still or not. */
static const struct nlmsghdr *kept(const struct replay *r, size_t i)
{
	const char *at = r->buf;

	while (i--)
		at += NLMSG_ALIGN(((const struct nlmsghdr *)at)->nlmsg_len);
	return (const void *)at;
}

static void begin(struct replay *r, unsigned int flows)
{
	memset(r, 0, sizeof(*r));
	fake_reset();
	fake.flows = flows;
	EXPECT_INT(nl_open(&nl, NULL), EXIT_OK);
	EXPECT_INT(replay_dump(r, &nl), EXIT_OK);
	EXPECT_INT(r->n, flows);
	fake.requests = 0;
}

static void end(struct replay *r)
{
	replay_free(r);
	nl_close(&nl);
	err_clear();
}

/* All that flow-add takes, and nothing else: it refuses what it does not know. */
static void keeps(void)
{
	static const int refused[] = { FLOWTRACK_A_FLOW_ID, FLOWTRACK_A_FLOW_CLASS,
				       FLOWTRACK_A_FLOW_AGE, FLOWTRACK_A_FLOW_REPLY,
				       FLOWTRACK_A_FLOW_TRACKER };
	struct flow want, got = { 0 };
	struct replay r;
	size_t i;

	begin(&r, 1000);
	for (i = 0; i < r.n; i += 333) {
		sample_tcp(&want, i);
		EXPECT(!flow_parse(kept(&r, i), &got));
		EXPECT(!memcmp(&got.tuple[ORIG], &want.tuple[ORIG], sizeof(got.tuple[ORIG])));
		EXPECT_INT(got.timeout, want.timeout);
		EXPECT_INT(got.mark, want.mark);
		EXPECT_INT(got.bytes[REPLY], want.bytes[REPLY]);
		EXPECT_INT(got.tcp[REPLY].scale, want.tcp[REPLY].scale);
		EXPECT(wall_clock() - got.start >= want.age * 1000000);
		EXPECT(wall_clock() - got.start < (want.age + 60000) * 1000000);
	}
	for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		EXPECT(!flow_has(&got, refused[i]));
	/* What was kept before is forgotten, and what is over is only counted. */
	fake.flows = 10;
	fake.over = 3;
	EXPECT_INT(replay_dump(&r, &nl), EXIT_OK);
	EXPECT_INT(r.n, 7);
	EXPECT_INT(r.over, 3);
	end(&r);
}

/* What replay_print() makes of it. */
static const char *print(const struct replay *r)
{
	static char text[8 << 20];
	static struct out o;
	struct printer p = { .o = &o, .form = PRINT_SAVE, .head = "" };
	int fd = memfd_create("lines", MFD_CLOEXEC);
	ssize_t len;

	out_init(&o, fd);
	printer_begin(&p);
	replay_print(r, &p);
	EXPECT_INT(out_close(&o), EXIT_OK);
	len = pread(fd, text, sizeof(text) - 1, 0);
	text[len > 0 ? len : 0] = '\0';
	close(fd);
	return text;
}

/* How many flows are like that. */
static unsigned int like(const struct replay *r, const char *what)
{
	const char *at = print(r);
	unsigned int n = 0;

	for (; (at = strstr(at, what)); at++)
		n++;
	return n;
}

/* What is sent, by ports: each of [from, to) once, and no other. */
static void sends_these(const struct replay *r, unsigned int from, unsigned int to)
{
	static unsigned int seen[65536];
	struct restored sum = { 0 };
	const char *at = print(r);
	unsigned int port, wrong = 0;

	EXPECT_INT(r->n, to - from);
	EXPECT_INT(replay_send(r, &nl, 0, 2, &sum), EXIT_OK);
	EXPECT_INT(replay_send(r, &nl, 1, 2, &sum), EXIT_OK);
	EXPECT_INT(sum.restored, to - from);
	memset(seen, 0, sizeof(seen));
	for (; (at = strstr(at, "sport=")); at++)
		seen[atoi(at + 6) & 0xffff]++;
	for (port = 0; port < 65536; port++)
		wrong += seen[port] != (port >= 4242 + from && port < 4242 + to);
	EXPECT_INT(wrong, 0);
}

/* What has changed since is asked for, and nothing else: but time has passed for all. */
static void updates(void)
{
	struct replay r;

	begin(&r, 1000);
	fake.fetched = 0;
	fake.changed = 200;
	fake.later = 1999;
	EXPECT_INT(replay_update(&r, &nl), EXIT_OK);
	EXPECT_INT(fake.fetched, 200);
	EXPECT_INT(like(&r, "mark=0x2"), 200);
	EXPECT_INT(like(&r, "mark=0x1"), 800);
	EXPECT_INT(like(&r, "timeout=52"), 1000);
	sends_these(&r, 0, 1000);
	/* New ones, ends, and a flow that has no time left: each by itself. */
	fake.fetched = 0;
	fake.flows = 1100;
	EXPECT_INT(replay_update(&r, &nl), EXIT_OK);
	EXPECT_INT(fake.fetched, 100);
	sends_these(&r, 0, 1100);
	fake.fetched = 0;
	fake.gone = 300;
	fake.over = 310;
	EXPECT_INT(replay_update(&r, &nl), EXIT_OK);
	EXPECT_INT(fake.fetched, 0);
	EXPECT_INT(r.over, 10);
	sends_these(&r, 310, 1100);
	EXPECT_INT(like(&r, "mark=0x2"), 0);
	end(&r);
}

/* More than one by one are worth; and more than there is room for. */
static void updates_many(void)
{
	struct replay r;

	begin(&r, 100);
	fake.fetched = 0;
	fake.flows = 5000;
	EXPECT_INT(replay_update(&r, &nl), EXIT_OK);
	EXPECT_INT(fake.fetched, 0);
	sends_these(&r, 0, 5000);
	fake.flows = 9500;
	EXPECT_INT(replay_update(&r, &nl), EXIT_OK);
	EXPECT_INT(fake.fetched, 4500);
	fake.flows = 18000;
	EXPECT_INT(replay_update(&r, &nl), EXIT_OK);
	EXPECT_INT(fake.fetched, 4500 + 8500);
	sends_these(&r, 0, 18000);
	end(&r);
}

/* It ends between being told of and being asked for. */
static void updates_missed(void)
{
	struct replay r;

	begin(&r, 1000);
	fake.changed = 10;
	fake.fail_at = 3;
	fake.fail_errno = ENOENT;
	EXPECT_INT(replay_update(&r, &nl), EXIT_OK);
	EXPECT_INT(r.n, 999);
	EXPECT_INT(like(&r, "mark=0x2"), 9);
	fake.changed = 0;
	fake.fail_errno = ENOMEM;
	EXPECT_INT(replay_update(&r, &nl), EXIT_REFUSED);
	end(&r);
}

/* A module from before there were digests, and a table that changes its size. */
static void updates_all(void)
{
	struct replay r = { 0 };

	fake_reset();
	fake.no_digests = true;
	fake.flows = 1000;
	EXPECT_INT(nl_open(&nl, NULL), EXIT_OK);
	EXPECT_INT(replay_dump(&r, &nl), EXIT_OK);
	EXPECT_INT(r.n, 1000);
	fake.changed = 200;
	EXPECT_INT(replay_update(&r, &nl), EXIT_OK);
	EXPECT_INT(like(&r, "mark=0x2"), 200);
	sends_these(&r, 0, 1000);
	end(&r);

	begin(&r, 1000);
	fake.changed = 200;
	fake.requests = 0;
	fake.interrupt = 1;
	EXPECT_INT(replay_update(&r, &nl), EXIT_OK);
	EXPECT_INT(like(&r, "mark=0x2"), 200);
	sends_these(&r, 0, 1000);
	end(&r);
}

static void interrupted(void)
{
	struct replay r = { 0 };

	fake_reset();
	fake.flows = 100;
	fake.interrupt = 2;
	EXPECT_INT(nl_open(&nl, NULL), EXIT_OK);
	EXPECT_INT(replay_dump(&r, &nl), EXIT_OK);
	EXPECT_INT(r.n, 100);
	end(&r);
}

static void sends(void)
{
	struct restored sum = { 0 };
	const struct nlmsghdr *nlh;
	struct replay r;
	unsigned int part;
	int left;

	begin(&r, 1000);
	/* The module is another one: so is the number of its family. */
	nl.family++;
	for (part = 0; part < 3; part++)
		EXPECT_INT(replay_send(&r, &nl, part, 3, &sum), EXIT_OK);
	EXPECT_INT(sum.restored, 1000);
	EXPECT_INT(fake.requests, 1000);
	/* Only the last one of a batch is acknowledged. */
	nlh = fake_request();
	for (left = fake.request_len; mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left)) {
		EXPECT_INT(nlh->nlmsg_type, nl.family);
		EXPECT_INT(!!(nlh->nlmsg_flags & NLM_F_ACK),
			   left == (int)NLMSG_ALIGN(nlh->nlmsg_len));
	}
	end(&r);
}

static void fails(void)
{
	struct restored sum = { 0 };
	struct replay r;

	begin(&r, 300);
	fake.fail_at = 7;
	fake.fail_errno = EEXIST;
	EXPECT_INT(replay_send(&r, &nl, 0, 1, &sum), EXIT_OK);
	EXPECT_INT(sum.existing, 3);
	EXPECT_INT(sum.restored, 297);
	EXPECT_INT(sum.failed, 0);
	end(&r);

	/* no permission: no use going on */
	memset(&sum, 0, sizeof(sum));
	begin(&r, 300);
	fake.error = EPERM;
	EXPECT_INT(replay_send(&r, &nl, 0, 1, &sum), EXIT_NO_PERMISSION);
	EXPECT_INT(sum.restored, 0);
	EXPECT_INT(fake.requests, 128);
	end(&r);
}

const struct test replay_tests[] = {
	{ "a table is kept as the requests that enter its flows", keeps },
	{ "what has changed since is asked for, and what has ended is not sent", updates },
	{ "a table of which most is new is kept anew, and one that grows has room", updates_many },
	{ "a flow that ends before it is asked for is not missed", updates_missed },
	{ "a module without digests is asked for all, as after a resize", updates_all },
	{ "a dump that was inconsistent is kept anew", interrupted },
	{ "it is sent in parts, each flow once", sends },
	{ "what is there is no failure; what is forbidden ends it", fails },
	{ NULL, NULL },
};
