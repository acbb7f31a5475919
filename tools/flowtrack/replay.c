// SPDX-License-Identifier: GPL-2.0
/*
 * While flowtrack reload has no module, every packet waits: what goes back into the
 * table is made ready before, so that sending it is all that is left.
 */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/nf_flowtrack.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "flow.h"
#include "nl.h"
#include "print.h"
#include "replay.h"

#define ROOM		1024	/* for a request; flow_put() wants half of it */
#define BATCH_FLOWS	128	/* acknowledgments of failures fit in the socket */
#define MAX_COMPLAINTS	20

/**
 * struct keep - a dump being kept
 * @r: where
 * @nl: socket
 * @now: when it began, nanoseconds since 1970
 */
struct keep {
	struct replay *r;
	struct nl *nl;
	__u64 now;
};

static int make_room(struct replay *r)
{
	size_t size = r->size ? 2 * r->size : 64 * ROOM;
	char *grown;

	if (r->size - r->len >= ROOM)
		return 0;
	grown = realloc(r->buf, size);
	if (!grown) {
		err_set(EXIT_REFUSED, "out of memory");
		return -ENOMEM;
	}
	r->buf = grown;
	r->size = size;
	return 0;
}

/*
 * A flow keeps the time that it has left: while packets wait, none can renew it. Its
 * number was of the table that it was in.
 */
static int keep(const struct nlmsghdr *nlh, void *data)
{
	struct keep *k = data;
	struct replay *r = k->r;
	struct nlmsghdr *req;
	struct flow f;

	if (flow_parse(nlh, &f) < 0) {
		err_set(EXIT_REFUSED, "malformed message from the kernel");
		return -EBADMSG;
	}
	if (flow_has(&f, FLOWTRACK_A_FLOW_TIMEOUT) && !f.timeout) {
		r->over++;
		return 0;
	}
	if (!flow_has(&f, FLOWTRACK_A_FLOW_START))
		flow_guess_start(&f, k->now);
	f.has &= ~FLOW_BIT(ID);
	if (make_room(r))
		return -ENOMEM;
	req = nl_append(k->nl, r->buf + r->len, FLOWTRACK_CMD_FLOW_ADD);
	flow_put(req, &f);
	r->len += NLMSG_ALIGN(req->nlmsg_len);
	r->n++;
	return 0;
}

static bool keep_again(void *data)
{
	struct keep *k = data;

	k->r->len = 0;
	k->r->n = 0;
	k->r->over = 0;
	return true;
}

/**
 * replay_dump() - keep the flows of the module's table
 * @r: replay; what it had is forgotten, and its memory is used again
 * @nl: socket
 *
 * Return: an exit code; EXIT_INTERRUPTED: some may be missing.
 */
int replay_dump(struct replay *r, struct nl *nl)
{
	struct keep k = { .r = r, .nl = nl, .now = wall_clock() };
	struct nlmsghdr *req;
	int code;

	keep_again(&k);
	/* Without a filter, these are the module's own flows. */
	req = nl_request(nl, FLOWTRACK_CMD_FLOW_GET);
	code = nl_dump(nl, req, keep, keep_again, &k);
	return !code && nl->interrupted ? EXIT_INTERRUPTED : code;
}

static const struct nlmsghdr *after(const struct nlmsghdr *req)
{
	return (const void *)((const char *)req + NLMSG_ALIGN(req->nlmsg_len));
}

/**
 * replay_print() - print the flows
 * @r: replay
 * @p: printer
 */
void replay_print(const struct replay *r, struct printer *p)
{
	const struct nlmsghdr *req = (const void *)r->buf;
	struct flow f;
	size_t i;

	for (i = 0; i < r->n; i++, req = after(req))
		if (!flow_parse(req, &f))
			printer_flow(p, &f);
}

/**
 * struct sending - requests on their way
 * @sum: what became of those before
 * @first: number of the first one of a batch
 */
struct sending {
	struct restored *sum;
	size_t first;
};

static int answer(unsigned int index, int err, void *data)
{
	struct sending *s = data;

	if (err == EPERM || err == EACCES)
		return -1;
	if (err == EEXIST) {
		s->sum->existing++;
		return 0;
	}
	if (!s->sum->failed++)
		s->sum->code = EXIT_REFUSED;
	if (s->sum->failed <= MAX_COMPLAINTS)
		warn("flow %zu: %s", s->first + index + 1, err_msg());
	else if (s->sum->failed == MAX_COMPLAINTS + 1)
		warn("more flows failed; they are only counted");
	err_clear();
	return 0;
}

/* Copies requests for the family as it is now. Return: bytes. */
static size_t fill(char *batch, struct nl *nl, const struct nlmsghdr **req, unsigned int n)
{
	struct nlmsghdr *nlh = NULL;
	size_t len = 0;

	while (n--) {
		nlh = memcpy(batch + len, *req, (*req)->nlmsg_len);
		nlh->nlmsg_type = nl->family;
		nlh->nlmsg_seq = ++nl->seq;
		len += NLMSG_ALIGN(nlh->nlmsg_len);
		*req = after(*req);
	}
	if (nlh)
		nlh->nlmsg_flags |= NLM_F_ACK;
	return len;
}

/**
 * replay_send() - enter flows
 * @r: replay
 * @nl: socket
 * @part: which part of them, from 0
 * @of: of so many
 * @sum: added to
 *
 * A flow that is there already is no failure. Others are told of and counted.
 *
 * Return: an exit code of what ended it; what was entered before that stays.
 */
int replay_send(const struct replay *r, struct nl *nl, unsigned int part, unsigned int of,
		struct restored *sum)
{
	static char batch[BATCH_FLOWS * ROOM] NL_ALIGNED;
	const size_t end = r->n * (part + 1) / of;
	const struct nlmsghdr *req = (const void *)r->buf;
	struct sending s = { .sum = sum };
	__u64 done;
	size_t len;
	unsigned int n;
	int code;

	while (s.first < r->n * part / of) {
		req = after(req);
		s.first++;
	}
	for (; s.first < end; s.first += n) {
		n = end - s.first < BATCH_FLOWS ? end - s.first : BATCH_FLOWS;
		len = fill(batch, nl, &req, n);
		done = sum->failed + sum->existing;
		code = nl_batch(nl, batch, len, n, answer, &s);
		/* After a hard error nobody can tell: none of these is counted. */
		if (code)
			return code;
		sum->restored += n - (sum->failed + sum->existing - done);
	}
	return EXIT_OK;
}

void replay_free(struct replay *r)
{
	free(r->buf);
	memset(r, 0, sizeof(*r));
}
