// SPDX-License-Identifier: GPL-2.0
/*
 * What the kernel may answer, and what becomes of it.
 */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <linux/nf_flowtrack.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "filter.h"
#include "flow.h"
#include "nl.h"
#include "test.h"

static struct nl nl;

static void open_fake(void)
{
	fake_reset();
	EXPECT_INT(nl_open(&nl, NULL), EXIT_OK);
	err_clear();
}

static void family(void)
{
	open_fake();
	EXPECT_INT(nl.family, 42);
	EXPECT_INT(nl.events, 7);
	EXPECT_INT(nl.pressure, 8);
	nl_close(&nl);
	fake.no_family = true;
	EXPECT_INT(nl_open(&nl, NULL), EXIT_NO_MODULE);
	EXPECT(strstr(err_msg(), "not loaded"));
	err_clear();
	EXPECT_INT(nl_open(&nl, "no-such-namespace"), EXIT_USAGE);
	EXPECT(strstr(err_msg(), "no-such-namespace"));
	err_clear();
}

static int talk(int err, const char *message, unsigned int offset,
		unsigned int missing, struct nlmsghdr *req)
{
	fake.error = err;
	fake.message = message;
	fake.offset = offset;
	fake.missing = missing;
	err_clear();
	return nl_talk(&nl, req, NULL, NULL);
}

static void refusals(void)
{
	struct nlmsghdr *req;
	struct nlattr *nest;
	struct filter f;
	unsigned int at;
	char **argv;
	int argc;

	open_fake();
	req = nl_request(&nl, FLOWTRACK_CMD_FLOW_DEL);
	argc = test_words("tcp zone 5", &argv);
	filter_parse(&f, argc, argv, 0);
	filter_put(req, &f);
	/* the nest, the protocol and the zone */
	nest = mnl_nlmsg_get_payload_offset(req, GENL_HDRLEN);
	at = (char *)nest - (char *)req;
	EXPECT_INT(talk(EINVAL, "is wrong", at, 0, req), EXIT_REFUSED);
	EXPECT_STR(err_msg(),
		   "is wrong (attribute filter)");
	talk(EINVAL, "is wrong", at + 4, 0, req);
	EXPECT_STR(err_msg(),
		   "is wrong (attribute filter.l4proto)");
	talk(ERANGE, NULL, at + 12, 0, req);
	EXPECT_STR(err_msg(),
		   "the kernel refused the request (attribute filter.zone): Numerical result out of range");
	talk(EINVAL, "incomplete", 0, FLOWTRACK_A_FLOW_ORIG, req);
	EXPECT_STR(err_msg(),
		   "incomplete (attribute orig is missing)");
	/* nonsense */
	talk(EINVAL, "x", 60000, 0, req);
	EXPECT_STR(err_msg(), "x");

	EXPECT_INT(talk(ENOENT, NULL, 0, 0, req), EXIT_NOT_FOUND);
	EXPECT_STR(err_msg(), "no such flow");
	EXPECT_INT(talk(EPERM, NULL, 0, 0, req), EXIT_NO_PERMISSION);
	EXPECT(strstr(err_msg(), "CAP_NET_ADMIN"));
	EXPECT_INT(talk(0, NULL, 0, 0, req), EXIT_OK);

	req = nl_request(&nl, FLOWTRACK_CMD_SETTINGS_SET);
	mnl_attr_put_u32(req, FLOWTRACK_A_SETTINGS_MAX_FLOWS, 1);
	talk(ERANGE, "too small", NLMSG_HDRLEN + GENL_HDRLEN, 0, req);
	EXPECT_STR(err_msg(),
		   "too small (attribute max)");
	err_clear();
	nl_close(&nl);
}

struct count {
	unsigned int flows;
	unsigned int restarts;
	bool allowed;
};

static int count_flow(const struct nlmsghdr *nlh, void *data)
{
	struct count *c = data;

	(void)nlh;
	c->flows++;
	return 0;
}

static bool restart(void *data)
{
	struct count *c = data;

	c->restarts++;
	c->flows = 0;
	return c->allowed;
}

static int dump(struct count *c)
{
	struct nlmsghdr *req = nl_request(&nl, FLOWTRACK_CMD_FLOW_GET);

	return nl_dump(&nl, req, count_flow, restart, c);
}

/* Standard error is not part of the test's output. */
static int stderr_away(void)
{
	int saved = dup(STDERR_FILENO);

	fflush(stderr);
	if (!freopen("/dev/null", "w", stderr))
		return saved;
	return saved;
}

static void stderr_back(int saved)
{
	fflush(stderr);
	dup2(saved, STDERR_FILENO);
	close(saved);
}

static void dumps(void)
{
	struct count c = { .allowed = true };

	open_fake();
	fake.flows = 1000;
	EXPECT_INT(dump(&c), EXIT_OK);
	EXPECT_INT(c.flows, 1000);
	EXPECT_INT(c.restarts, 0);

	fake.flows = 0;
	c.flows = 0;
	EXPECT_INT(dump(&c), EXIT_OK);
	EXPECT_INT(c.flows, 0);
	EXPECT(!nl.interrupted);
	nl_close(&nl);
}

static void inconsistent_dumps(void)
{
	struct count c = { .allowed = true };
	int saved;

	/* repeated until it is consistent */
	open_fake();
	fake.flows = 30;
	fake.interrupt = 2;
	EXPECT_INT(dump(&c), EXIT_OK);
	EXPECT_INT(c.restarts, 2);
	EXPECT_INT(c.flows, 30);
	EXPECT(!nl.interrupted);
	nl_close(&nl);

	/* but not for ever, */
	open_fake();
	fake.flows = 30;
	fake.interrupt = 100;
	saved = stderr_away();
	EXPECT_INT(dump(&c), EXIT_OK);
	EXPECT_INT(c.restarts, 2 + 4);
	EXPECT(nl.interrupted);
	nl_close(&nl);

	/* nor when the output has gone */
	open_fake();
	fake.flows = 30;
	fake.interrupt = 1;
	c.allowed = false;
	EXPECT_INT(dump(&c), EXIT_OK);
	EXPECT(nl.interrupted);
	stderr_back(saved);
	nl_close(&nl);
}

static void failing_dumps(void)
{
	struct count c = { .allowed = true };

	open_fake();
	fake.error = EINVAL;
	fake.message = "no such filter";
	EXPECT_INT(dump(&c), EXIT_REFUSED);
	EXPECT_STR(err_msg(), "no such filter");
	err_clear();
	fake.error = 0;
	fake.flows = 5;
	fake.done_error = ENOMEM;
	fake.message = "out of memory";
	EXPECT_INT(dump(&c), EXIT_REFUSED);
	EXPECT_STR(err_msg(), "out of memory");
	err_clear();
	nl_close(&nl);
}

static void lost_answers(void)
{
	struct count c = { .allowed = true };
	struct nlmsghdr *req;

	/* A dump is made again, what is left of the first is skipped. */
	open_fake();
	fake.flows = 100;
	fake.enobufs = 1;
	EXPECT_INT(dump(&c), EXIT_OK);
	EXPECT_INT(c.restarts, 1);
	EXPECT_INT(c.flows, 100);
	nl_close(&nl);

	open_fake();
	fake.enobufs = 1;
	req = nl_request(&nl, FLOWTRACK_CMD_STATS_GET);
	EXPECT_INT(nl_talk(&nl, req, NULL, NULL), EXIT_REFUSED);
	EXPECT(strstr(err_msg(), "lost"));
	err_clear();
	nl_close(&nl);
}

/* The module is unloaded and loaded again: with another number, and another group. */
static void reloads(void)
{
	static struct nl ctrl;

	open_fake();
	fake_family(CTRL_CMD_DELFAMILY, "other", 5, 6);
	EXPECT_INT(nl_family_changed(&ctrl, &nl), NL_FAMILY_SAME);
	EXPECT_INT(nl.family, 42);
	fake_family(CTRL_CMD_DELFAMILY, FLOWTRACK_FAMILY_NAME, 42, 7);
	EXPECT_INT(nl_family_changed(&ctrl, &nl), NL_FAMILY_GONE);
	fake_family(CTRL_CMD_NEWFAMILY, "other", 5, 6);
	EXPECT_INT(nl_family_changed(&ctrl, &nl), NL_FAMILY_SAME);
	fake_family(CTRL_CMD_NEWFAMILY, FLOWTRACK_FAMILY_NAME, 51, 19);
	EXPECT_INT(nl_family_changed(&ctrl, &nl), NL_FAMILY_NEW);
	EXPECT_INT(nl.family, 51);
	EXPECT_INT(nl.events, 19);
	/* nobody told: asked for, it is another one than before */
	EXPECT(!nl_same_family(&nl));
	EXPECT_INT(nl.family, 42);
	EXPECT_INT(nl.events, 7);
	EXPECT(nl_same_family(&nl));
	err_clear();
	nl_close(&nl);
}

const struct test nl_tests[] = {
	{ "the family is found, or the module missing", family },
	{ "a refusal names message and attribute", refusals },
	{ "dumps", dumps },
	{ "an inconsistent dump is repeated, then flagged",
	  inconsistent_dumps },
	{ "failing dumps", failing_dumps },
	{ "lost answers", lost_answers },
	{ "a family that goes and comes", reloads },
	{ NULL, NULL },
};
