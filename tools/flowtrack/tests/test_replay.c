// SPDX-License-Identifier: GPL-2.0
/*
 * A table that is kept in memory, and sent again.
 */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <string.h>

#include "cmd.h"
#include "flow.h"
#include "nl.h"
#include "print.h"
#include "replay.h"
#include "test.h"

static struct nl nl;

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
	{ "a dump that was inconsistent is kept anew", interrupted },
	{ "it is sent in parts, each flow once", sends },
	{ "what is there is no failure; what is forbidden ends it", fails },
	{ NULL, NULL },
};
