// SPDX-License-Identifier: GPL-2.0
/*
 * While flowtrack reload has no module, every packet waits: what goes back into the
 * table is made ready before, so that sending it is all that is left. And before packets
 * wait: then the module tells by a digest of each flow which ones have changed since.
 */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
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
#define FETCH_FLOWS	128	/* answers fit in the socket */
#define FETCH_ROOM	64	/* for a request that names a flow */

/**
 * struct kept - a flow
 * @id: its id
 * @digest: what it was like
 * @at: where its request is
 * @round: in which it was seen last
 */
struct kept {
	__u64 id;
	__u64 digest;
	size_t at;
	unsigned int round;
};

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

/* Room for one more of @n things of @one bytes. */
static void *grow(void *of, size_t n, size_t *room, size_t one)
{
	size_t more = *room ? 2 * *room : 4096;
	void *grown;

	if (n < *room)
		return of;
	grown = realloc(of, more * one);
	if (grown)
		*room = more;
	else
		err_set(EXIT_REFUSED, "out of memory");
	return grown;
}

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

/* The slot of an id, or where it is to be; there is a free one always. */
static __u32 *slot_of(const struct replay *r, __u64 id)
{
	size_t i = (id * 0x9e3779b97f4a7c15ULL) >> 32;

	for (;; i++) {
		__u32 *slot = &r->slots[i & (r->n_slots - 1)];

		if (!*slot || r->kept[*slot - 1].id == id)
			return slot;
	}
}

/* Half of the slots are free, or more. */
static int make_slots(struct replay *r)
{
	size_t n = r->n_slots ? 2 * r->n_slots : 4 * 4096, i;
	__u32 *slots;

	if (2 * (r->n_kept + 1) <= r->n_slots)
		return 0;
	slots = calloc(n, sizeof(*slots));
	if (!slots) {
		err_set(EXIT_REFUSED, "out of memory");
		return -ENOMEM;
	}
	free(r->slots);
	r->slots = slots;
	r->n_slots = n;
	for (i = 0; i < r->n_kept; i++)
		*slot_of(r, r->kept[i].id) = i + 1;
	return 0;
}

/* It was seen in this round. */
static void seen(struct replay *r, struct kept *kept)
{
	/* Twice in a dump that a resize disturbed. */
	r->n += kept->round != r->round;
	kept->round = r->round;
}

/* What is kept of a flow, or a new place for that. */
static struct kept *kept_of(struct replay *r, __u64 id)
{
	struct kept *grown;
	__u32 *slot;

	if (make_slots(r))
		return NULL;
	grown = grow(r->kept, r->n_kept, &r->room, sizeof(*r->kept));
	if (!grown)
		return NULL;
	r->kept = grown;
	slot = slot_of(r, id);
	if (!*slot) {
		r->kept[r->n_kept].id = id;
		r->kept[r->n_kept].round = 0;
		*slot = ++r->n_kept;
	}
	return &r->kept[*slot - 1];
}

static struct nlmsghdr *request_of(const struct replay *r, const struct kept *kept)
{
	return (void *)(r->buf + kept->at);
}

/* The next flow of the last round, from number *@i on. */
static const struct kept *next_kept(const struct replay *r, size_t *i)
{
	while (*i < r->n_kept) {
		const struct kept *kept = &r->kept[(*i)++];

		if (kept->round == r->round)
			return kept;
	}
	return NULL;
}

static int parse(const struct nlmsghdr *nlh, struct flow *f)
{
	if (!flow_parse(nlh, f) && flow_has(f, FLOWTRACK_A_FLOW_ID))
		return 0;
	err_set(EXIT_REFUSED, "malformed message from the kernel");
	return -EBADMSG;
}

static bool time_is_up(struct replay *r, const struct flow *f)
{
	const bool up = flow_has(f, FLOWTRACK_A_FLOW_TIMEOUT) && !f->timeout;

	r->over += up;
	return up;
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
	struct kept *kept;
	struct flow f;

	if (parse(nlh, &f))
		return -EBADMSG;
	if (time_is_up(r, &f))
		return 0;
	kept = kept_of(r, f.id);
	if (!kept || make_room(r))
		return -ENOMEM;
	kept->digest = flow_has(&f, FLOWTRACK_A_FLOW_DIGEST) ? f.digest : 0;
	kept->at = r->len;
	seen(r, kept);
	if (!flow_has(&f, FLOWTRACK_A_FLOW_START))
		flow_guess_start(&f, k->now);
	f.has &= ~FLOW_BIT(ID);
	req = nl_append(k->nl, r->buf + r->len, FLOWTRACK_CMD_FLOW_ADD);
	flow_put(req, &f);
	r->len += NLMSG_ALIGN(req->nlmsg_len);
	return 0;
}

/* Before the table is looked at. */
static bool look_again(void *data)
{
	struct replay *r = ((struct keep *)data)->r;

	r->round++;
	r->n = 0;
	r->over = 0;
	r->n_stale = 0;
	return true;
}

static bool keep_again(void *data)
{
	struct replay *r = ((struct keep *)data)->r;

	r->len = 0;
	r->n_kept = 0;
	memset(r->slots, 0, r->n_slots * sizeof(*r->slots));
	return look_again(data);
}

static struct nlmsghdr *ask(struct nl *nl, enum flowtrack_show show)
{
	/* Without a filter, these are the module's own flows. */
	struct nlmsghdr *req = nl_request(nl, FLOWTRACK_CMD_FLOW_GET);

	if (show)
		mnl_attr_put_u8(req, FLOWTRACK_A_FLOW_SHOW, show);
	return req;
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
	int code;

	if (r->slots)
		keep_again(&k);
	else
		look_again(&k);
	r->digests = true;
	code = nl_dump(nl, ask(nl, FLOWTRACK_SHOW_DIGEST), keep, keep_again, &k);
	if (code && !r->n_kept) {
		/* The module may be one from before there were any. */
		err_clear();
		r->digests = false;
		code = nl_dump(nl, ask(nl, FLOWTRACK_SHOW_ALL), keep, keep_again, &k);
	}
	return !code && nl->interrupted ? EXIT_INTERRUPTED : code;
}

/* A flow that is as it was has less time, and nothing else. */
static int look(const struct nlmsghdr *nlh, void *data)
{
	struct replay *r = ((struct keep *)data)->r;
	struct nlattr *a;
	__u64 *stale;
	struct kept *kept;
	struct flow f;
	__u32 *slot, ms;

	if (parse(nlh, &f))
		return -EBADMSG;
	if (time_is_up(r, &f))
		return 0;
	slot = slot_of(r, f.id);
	kept = *slot ? &r->kept[*slot - 1] : NULL;
	if (kept && flow_has(&f, FLOWTRACK_A_FLOW_DIGEST) && kept->digest == f.digest) {
		ms = f.timeout;
		mnl_attr_for_each(a, request_of(r, kept), GENL_HDRLEN)
			if (mnl_attr_get_type(a) == FLOWTRACK_A_FLOW_TIMEOUT)
				memcpy(mnl_attr_get_payload(a), &ms, sizeof(ms));
		seen(r, kept);
		return 0;
	}
	stale = grow(r->stale, r->n_stale, &r->stale_room, sizeof(*r->stale));
	if (!stale)
		return -ENOMEM;
	r->stale = stale;
	stale[r->n_stale++] = f.id;
	return 0;
}

/* A flow that has ended meanwhile is not missed. */
static int fetched(unsigned int index, int err, void *data)
{
	(void)index;
	(void)data;
	return err == ENOENT ? 0 : -1;
}

static int fetch_stale(struct keep *k)
{
	static char batch[FETCH_FLOWS * FETCH_ROOM] NL_ALIGNED;
	struct replay *r = k->r;
	struct nlmsghdr *req;
	unsigned int n = 0;
	size_t len = 0, i;
	int code;

	for (i = 0; i < r->n_stale; i++) {
		req = nl_append(k->nl, batch + len, FLOWTRACK_CMD_FLOW_GET);
		mnl_attr_put_u64(req, FLOWTRACK_A_FLOW_ID, r->stale[i]);
		mnl_attr_put_u8(req, FLOWTRACK_A_FLOW_SHOW, FLOWTRACK_SHOW_DIGEST);
		len += NLMSG_ALIGN(req->nlmsg_len);
		if (++n < FETCH_FLOWS && i + 1 < r->n_stale)
			continue;
		req->nlmsg_flags |= NLM_F_ACK;
		code = nl_batch(k->nl, batch, len, n, keep, fetched, k);
		if (code)
			return code;
		n = 0;
		len = 0;
	}
	return EXIT_OK;
}

/**
 * replay_update() - keep the flows as they are by now
 * @r: replay, from replay_dump()
 * @nl: socket, of the same network namespace
 *
 * As replay_dump(). But of flows that are as they were, the module sends their digests
 * only, which takes a small part of the time.
 *
 * Return: an exit code; EXIT_INTERRUPTED: some may be missing.
 */
int replay_update(struct replay *r, struct nl *nl)
{
	struct keep k = { .r = r, .nl = nl, .now = wall_clock() };
	int code;

	if (!r->digests || !r->slots)
		return replay_dump(r, nl);
	look_again(&k);
	code = nl_dump(nl, ask(nl, FLOWTRACK_SHOW_DIGEST_ONLY), look, look_again, &k);
	if (code || nl->interrupted)
		return code ? code : EXIT_INTERRUPTED;
	/* One by one, they take longer than all of them in a dump. */
	if (r->n_stale > r->n)
		return replay_dump(r, nl);
	return fetch_stale(&k);
}

/**
 * replay_print() - print the flows
 * @r: replay
 * @p: printer
 */
void replay_print(const struct replay *r, struct printer *p)
{
	const struct kept *kept;
	struct flow f;
	size_t i = 0;

	while ((kept = next_kept(r, &i)))
		if (!flow_parse(request_of(r, kept), &f))
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
static size_t fill(char *batch, struct nl *nl, const struct replay *r, size_t *at, unsigned int n)
{
	struct nlmsghdr *nlh = NULL;
	size_t len = 0;

	while (n--) {
		const struct nlmsghdr *req = request_of(r, next_kept(r, at));

		nlh = memcpy(batch + len, req, req->nlmsg_len);
		nlh->nlmsg_type = nl->family;
		nlh->nlmsg_seq = ++nl->seq;
		len += NLMSG_ALIGN(nlh->nlmsg_len);
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
	struct sending s = { .sum = sum };
	size_t at = 0, len;
	unsigned int n;
	__u64 done;
	int code;

	while (s.first < r->n * part / of) {
		next_kept(r, &at);
		s.first++;
	}
	for (; s.first < end; s.first += n) {
		n = end - s.first < BATCH_FLOWS ? end - s.first : BATCH_FLOWS;
		len = fill(batch, nl, r, &at, n);
		done = sum->failed + sum->existing;
		code = nl_batch(nl, batch, len, n, NULL, answer, &s);
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
	free(r->kept);
	free(r->slots);
	free(r->stale);
	memset(r, 0, sizeof(*r));
}
