// SPDX-License-Identifier: GPL-2.0
/*
 * A kernel for the tests: sending and receiving of libmnl end here. It has a
 * table of so many flows, fails when told to, and keeps the last request.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cmd.h"
#include "flow.h"
#include "test.h"
#include "verb.h"

#define FAMILY		42
#define DATAGRAM	8192
#define PENDING		256

struct fake fake;

static char pending[PENDING][DATAGRAM] ALIGNED;
static size_t pending_len[PENDING];
static unsigned int head, tail;

/* A dump in progress. */
static struct {
	bool active;
	bool interrupted;
	__u32 seq;
	unsigned int next;
	int cmd;
	__u8 show;
} dump;

void fake_reset(void)
{
	memset(&fake, 0, sizeof(fake));
	fake.fail_at = -1;
	memset(&dump, 0, sizeof(dump));
	head = 0;
	tail = 0;
}

/* The last request, but for those that look for the family. */
const struct nlmsghdr *fake_request(void)
{
	return (const void *)fake.request;
}

static void queue(const struct nlmsghdr *nlh)
{
	memcpy(pending[tail % PENDING], nlh, nlh->nlmsg_len);
	pending_len[tail++ % PENDING] = nlh->nlmsg_len;
}

static void put_extack(struct nlmsghdr *nlh)
{
	nlh->nlmsg_flags |= NLM_F_ACK_TLVS;
	if (fake.message)
		mnl_attr_put_strz(nlh, NLMSGERR_ATTR_MSG, fake.message);
	if (fake.offset)
		mnl_attr_put_u32(nlh, NLMSGERR_ATTR_OFFS, fake.offset);
	if (fake.missing)
		mnl_attr_put_u32(nlh, NLMSGERR_ATTR_MISS_TYPE, fake.missing);
}

static void queue_error(const struct nlmsghdr *req, int err)
{
	char buf[1024] ALIGNED;
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct nlmsgerr *e;

	nlh->nlmsg_type = NLMSG_ERROR;
	nlh->nlmsg_seq = req->nlmsg_seq;
	nlh->nlmsg_flags = NLM_F_CAPPED;
	e = mnl_nlmsg_put_extra_header(nlh, sizeof(*e));
	e->error = -err;
	e->msg = *req;
	if (err)
		put_extack(nlh);
	queue(nlh);
}

static void queue_done(__u32 seq)
{
	char buf[1024] ALIGNED;
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	__s32 *err;

	nlh->nlmsg_type = NLMSG_DONE;
	nlh->nlmsg_seq = seq;
	nlh->nlmsg_flags = NLM_F_MULTI;
	if (dump.interrupted)
		nlh->nlmsg_flags |= NLM_F_DUMP_INTR;
	err = mnl_nlmsg_put_extra_header(nlh, sizeof(*err));
	*err = -fake.done_error;
	if (fake.done_error)
		put_extack(nlh);
	queue(nlh);
}

static struct nlmsghdr *reply(void *buf, const struct nlmsghdr *req, int flags)
{
	const struct genlmsghdr *asked = mnl_nlmsg_get_payload(req);
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct genlmsghdr *genl;

	nlh->nlmsg_type = FAMILY;
	nlh->nlmsg_seq = req->nlmsg_seq;
	nlh->nlmsg_flags = flags;
	genl = mnl_nlmsg_put_extra_header(nlh, sizeof(*genl));
	genl->cmd = asked->cmd;
	return nlh;
}

static void answer_family(const struct nlmsghdr *req)
{
	struct nlattr *groups, *group;
	struct nlmsghdr *nlh;
	char buf[1024] ALIGNED;

	if (fake.no_family) {
		queue_error(req, ENOENT);
		return;
	}
	nlh = reply(buf, req, 0);
	nlh->nlmsg_type = GENL_ID_CTRL;
	mnl_attr_put_u16(nlh, CTRL_ATTR_FAMILY_ID, FAMILY);
	groups = mnl_attr_nest_start(nlh, CTRL_ATTR_MCAST_GROUPS);
	group = mnl_attr_nest_start(nlh, 1);
	mnl_attr_put_u32(nlh, CTRL_ATTR_MCAST_GRP_ID, 7);
	mnl_attr_put_strz(nlh, CTRL_ATTR_MCAST_GRP_NAME, "events");
	mnl_attr_nest_end(nlh, group);
	group = mnl_attr_nest_start(nlh, 2);
	mnl_attr_put_u32(nlh, CTRL_ATTR_MCAST_GRP_ID, 8);
	mnl_attr_put_strz(nlh, CTRL_ATTR_MCAST_GRP_NAME, "pressure");
	mnl_attr_nest_end(nlh, group);
	mnl_attr_nest_end(nlh, groups);
	queue(nlh);
	queue_error(req, 0);
}

/* What nlctrl tells of a family that comes or goes. */
void fake_family(int cmd, const char *name, __u16 id, __u32 group)
{
	struct nlattr *groups, *nest;
	struct nlmsghdr *nlh;
	struct genlmsghdr *genl;
	char buf[1024] ALIGNED;

	nlh = mnl_nlmsg_put_header(buf);
	nlh->nlmsg_type = GENL_ID_CTRL;
	genl = mnl_nlmsg_put_extra_header(nlh, sizeof(*genl));
	genl->cmd = cmd;
	mnl_attr_put_strz(nlh, CTRL_ATTR_FAMILY_NAME, name);
	mnl_attr_put_u16(nlh, CTRL_ATTR_FAMILY_ID, id);
	groups = mnl_attr_nest_start(nlh, CTRL_ATTR_MCAST_GROUPS);
	nest = mnl_attr_nest_start(nlh, 1);
	mnl_attr_put_u32(nlh, CTRL_ATTR_MCAST_GRP_ID, group);
	mnl_attr_put_strz(nlh, CTRL_ATTR_MCAST_GRP_NAME, "events");
	mnl_attr_nest_end(nlh, nest);
	mnl_attr_nest_end(nlh, groups);
	queue(nlh);
}

static void put_stats(struct nlmsghdr *nlh, int cpu)
{
	int i;

	if (cpu >= 0)
		mnl_attr_put_u32(nlh, FLOWTRACK_A_STATS_CPU, cpu);
	for (i = FLOWTRACK_A_STATS_FOUND; i < FLOWTRACK_A_STATS_PAD; i++)
		mnl_attr_put_u64(nlh, i, i * 100 + (cpu > 0 ? cpu : 0));
}

static void put_host(struct nlmsghdr *nlh, bool v6, __u8 kind)
{
	static const __u8 addr6[16] = { 0x20, 0x01, 0x0d, 0xb8 };
	static const __u8 addr4[4] = { 192, 0, 2, 7 };

	mnl_attr_put_u8(nlh, FLOWTRACK_A_TOP_ENTRY_FAMILY,
			v6 ? AF_INET6 : AF_INET);
	if (v6)
		mnl_attr_put(nlh, FLOWTRACK_A_TOP_ENTRY_ADDR6, 16, addr6);
	else
		mnl_attr_put(nlh, FLOWTRACK_A_TOP_ENTRY_ADDR4, 4, addr4);
	mnl_attr_put_u8(nlh, FLOWTRACK_A_TOP_ENTRY_PREFIX,
			!v6 ? 32 : kind ? 128 : 64);
}

/* Two entries of each kind, and others. */
static void put_count(struct nlmsghdr *nlh, const struct nlmsghdr *req)
{
	const struct nlattr *a;
	struct nlattr *nest;
	__u8 by = 0;
	int i;

	mnl_attr_for_each(a, req, GENL_HDRLEN)
		if (mnl_attr_get_type(a) == FLOWTRACK_A_COUNT_BY)
			by = mnl_attr_get_u8(a);
	mnl_attr_put_u8(nlh, FLOWTRACK_A_COUNT_BY, by);
	mnl_attr_put_u32(nlh, FLOWTRACK_A_COUNT_TOTAL, 1000);
	mnl_attr_put_u32(nlh, FLOWTRACK_A_COUNT_OTHERS, 101);
	mnl_attr_put_u32(nlh, FLOWTRACK_A_COUNT_SHORT_BY, by == FLOWTRACK_COUNT_BY_SOURCE ? 3 : 0);
	for (i = 0; i < 2; i++) {
		nest = mnl_attr_nest_start(nlh, FLOWTRACK_A_COUNT_ENTRY);
		mnl_attr_put_u32(nlh, FLOWTRACK_A_COUNT_ENTRY_FLOWS, 600 - 301 * i);
		if (by == FLOWTRACK_COUNT_BY_CLASS)
			mnl_attr_put_u8(nlh, FLOWTRACK_A_COUNT_ENTRY_CLASS, 3 - i);
		if (by == FLOWTRACK_COUNT_BY_PROTO || by == FLOWTRACK_COUNT_BY_STATE)
			mnl_attr_put_u8(nlh, FLOWTRACK_A_COUNT_ENTRY_L4PROTO,
					i ? 89 : IPPROTO_TCP);
		if (by == FLOWTRACK_COUNT_BY_STATE)
			mnl_attr_put_u8(nlh, FLOWTRACK_A_COUNT_ENTRY_STATE,
					i ? 0 : FLOWTRACK_TCP_STATE_ESTABLISHED);
		if (by == FLOWTRACK_COUNT_BY_ZONE)
			mnl_attr_put_u16(nlh, FLOWTRACK_A_COUNT_ENTRY_ZONE, 5 * i);
		if (by == FLOWTRACK_COUNT_BY_MARK)
			mnl_attr_put_u32(nlh, FLOWTRACK_A_COUNT_ENTRY_MARK, 0xff * i);
		if (by == FLOWTRACK_COUNT_BY_SOURCE) {
			struct nlattr *host;

			host = mnl_attr_nest_start(nlh, FLOWTRACK_A_COUNT_ENTRY_SOURCE);
			put_host(nlh, i, 0);
			mnl_attr_nest_end(nlh, host);
		}
		mnl_attr_nest_end(nlh, nest);
	}
}

/* Two entries; rates from the second request on. */
static void put_top(struct nlmsghdr *nlh, const struct nlmsghdr *req)
{
	bool rates = fake.requests > 1;
	const struct nlattr *a;
	struct nlattr *nest;
	__u8 kind = 0;
	int i;

	mnl_attr_for_each(a, req, GENL_HDRLEN)
		if (mnl_attr_get_type(a) == FLOWTRACK_A_TOP_KIND)
			kind = mnl_attr_get_u8(a);
	mnl_attr_put_u32(nlh, FLOWTRACK_A_TOP_TOTAL, 65536);
	mnl_attr_put_u32(nlh, FLOWTRACK_A_TOP_SAMPLED, 16384);
	mnl_attr_put_u8(nlh, FLOWTRACK_A_TOP_EXACT, 0);
	mnl_attr_put_u32(nlh, FLOWTRACK_A_TOP_GUARDED, 5000);
	if (rates) {
		mnl_attr_put_u32(nlh, FLOWTRACK_A_TOP_WINDOW, 1000);
		mnl_attr_put_u32(nlh, FLOWTRACK_A_TOP_BIRTHS, 50);
		mnl_attr_put_u32(nlh, FLOWTRACK_A_TOP_RATE, 50);
	}
	if (fake.acct)
		mnl_attr_put_u64(nlh, FLOWTRACK_A_TOP_BYTES, 1ULL << 60);
	for (i = 0; i < 2; i++) {
		nest = mnl_attr_nest_start(nlh, FLOWTRACK_A_TOP_ENTRY);
		if (kind == FLOWTRACK_TOP_KIND_SERVICE) {
			mnl_attr_put_u8(nlh, FLOWTRACK_A_TOP_ENTRY_L4PROTO,
					i ? IPPROTO_ICMP : IPPROTO_TCP);
			if (!i)
				mnl_attr_put_u16(nlh,
						 FLOWTRACK_A_TOP_ENTRY_PORT,
						 htons(443));
		} else {
			put_host(nlh, i, kind);
		}
		mnl_attr_put_u32(nlh, FLOWTRACK_A_TOP_ENTRY_FLOWS, 4000 - i);
		if (rates)
			mnl_attr_put_u32(nlh, FLOWTRACK_A_TOP_ENTRY_RATE,
					 40 + i);
		mnl_attr_put_u32(nlh, FLOWTRACK_A_TOP_ENTRY_SHARE, 61 - i);
		mnl_attr_put_u32(nlh, FLOWTRACK_A_TOP_ENTRY_GUARDED, 300 - i);
		if (fake.acct)
			mnl_attr_put_u64(nlh, FLOWTRACK_A_TOP_ENTRY_BYTES, (1ULL << 50) - i);
		mnl_attr_nest_end(nlh, nest);
	}
}

static __u8 show_of(const struct nlmsghdr *req)
{
	const struct nlattr *a;

	mnl_attr_for_each(a, req, GENL_HDRLEN)
		if (mnl_attr_get_type(a) == FLOWTRACK_A_FLOW_SHOW)
			return mnl_attr_get_u8(a);
	return FLOWTRACK_SHOW_ALL;
}

/* Flow @i, as much of it as was asked for. */
static struct nlmsghdr *show(void *buf, __u32 seq, int cmd, int flags, unsigned int i, __u8 what)
{
	struct nlmsghdr *nlh;
	struct flow f;

	sample_tcp(&f, i);
	f.timeout -= fake.later;
	if (i < fake.over)
		f.timeout = 0;
	f.mark += i < fake.changed;
	if (what == FLOWTRACK_SHOW_DIGEST_ONLY)
		f.has = FLOW_BIT(ID) | FLOW_BIT(TIMEOUT);
	nlh = msg_flow(buf, seq, cmd, flags, &f);
	if (what)
		mnl_attr_put_u64(nlh, FLOWTRACK_A_FLOW_DIGEST, f.mark);
	return nlh;
}

static void answer_get(const struct nlmsghdr *req)
{
	const struct nlattr *a;
	char buf[2048] ALIGNED;
	__u64 id = 0;

	mnl_attr_for_each(a, req, GENL_HDRLEN)
		if (mnl_attr_get_type(a) == FLOWTRACK_A_FLOW_ID)
			id = mnl_attr_get_u64(a);
	/* Others are of no sample: any will do. */
	id = id >> 32 ? (__u32)id : 0;
	fake.fetched++;
	if (id < fake.gone)
		queue_error(req, ENOENT);
	else
		queue(show(buf, req->nlmsg_seq, FLOWTRACK_CMD_FLOW_GET, 0, id, show_of(req)));
}

static void answer_do(const struct nlmsghdr *req)
{
	const struct genlmsghdr *genl = mnl_nlmsg_get_payload(req);
	struct nlmsghdr *nlh;
	char buf[8192] ALIGNED;
	int i;

	switch (genl->cmd) {
	case FLOWTRACK_CMD_FLOW_GET:
		answer_get(req);
		break;
	case FLOWTRACK_CMD_FLOW_DEL:
		nlh = reply(buf, req, 0);
		mnl_attr_put_u32(nlh, FLOWTRACK_A_FLOW_DELETED, fake.flows);
		queue(nlh);
		break;
	case FLOWTRACK_CMD_SETTINGS_GET:
		nlh = reply(buf, req, 0);
		for (i = 1; i <= (fake.settings_max ?: FLOWTRACK_A_SETTINGS_MAX); i++)
			if (i == FLOWTRACK_A_SETTINGS_FOLLOWING)
				mnl_attr_put_u64(nlh, i, fake.follow);
			else
				mnl_attr_put_u32(nlh, i, i == fake.setting ? fake.value :
					 i == FLOWTRACK_A_SETTINGS_COUNT ? fake.flows : 1);
		queue(nlh);
		break;
	case FLOWTRACK_CMD_STATS_GET:
		nlh = reply(buf, req, 0);
		put_stats(nlh, -1);
		queue(nlh);
		break;
	case FLOWTRACK_CMD_COUNT_GET:
		nlh = reply(buf, req, 0);
		put_count(nlh, req);
		queue(nlh);
		break;
	case FLOWTRACK_CMD_TOP_GET:
		nlh = reply(buf, req, 0);
		put_top(nlh, req);
		queue(nlh);
		break;
	}
	queue_error(req, 0);
}

/* What the kernel does when a request comes, before the sender goes on. */
ssize_t __wrap_mnl_socket_sendto(const struct mnl_socket *nl, const void *req,
				 size_t size)
{
	const struct nlmsghdr *nlh = req;
	int left = size, i;

	(void)nl;
	if (nlh->nlmsg_type == GENL_ID_CTRL) {
		answer_family(nlh);
		return size;
	}
	memcpy(fake.request, req, size);
	fake.request_len = size;
	if ((nlh->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP && !fake.error) {
		const struct genlmsghdr *genl = mnl_nlmsg_get_payload(nlh);

		fake.requests++;
		dump.show = genl->cmd == FLOWTRACK_CMD_FLOW_GET ? show_of(nlh) :
								  FLOWTRACK_SHOW_ALL;
		if (dump.show && fake.no_digests) {
			queue_error(nlh, EINVAL);
			return size;
		}
		dump.active = true;
		dump.seq = nlh->nlmsg_seq;
		dump.next = genl->cmd == FLOWTRACK_CMD_FLOW_GET ? fake.gone : 0;
		dump.cmd = genl->cmd;
		dump.interrupted = fake.requests <= fake.interrupt;
		return size;
	}
	for (i = 0; mnl_nlmsg_ok(nlh, left);
	     nlh = mnl_nlmsg_next(nlh, &left), i++) {
		const struct genlmsghdr *genl = mnl_nlmsg_get_payload(nlh);

		fake.requests++;
		fake.added += genl->cmd == FLOWTRACK_CMD_FLOW_ADD;
		if (i == fake.fail_at)
			queue_error(nlh, fake.fail_errno);
		else if (fake.error)
			queue_error(nlh, fake.error);
		else if (nlh->nlmsg_flags & NLM_F_ACK)
			answer_do(nlh);
		else if (genl->cmd == FLOWTRACK_CMD_FLOW_GET)
			answer_get(nlh);
	}
	return size;
}

static void fill_dump(void)
{
	char buf[2048] ALIGNED;
	struct nlmsghdr *nlh;
	size_t len = 0;

	while (dump.next < fake.flows && len + 1024 < DATAGRAM) {
		if (dump.cmd == FLOWTRACK_CMD_STATS_GET) {
			nlh = mnl_nlmsg_put_header(buf);
			nlh->nlmsg_seq = dump.seq;
			nlh->nlmsg_type = FAMILY;
			nlh->nlmsg_flags = NLM_F_MULTI;
			mnl_nlmsg_put_extra_header(nlh, GENL_HDRLEN);
			put_stats(nlh, dump.next);
		} else {
			nlh = show(buf, dump.seq, dump.cmd, NLM_F_MULTI, dump.next, dump.show);
		}
		memcpy(pending[tail % PENDING] + len, nlh, nlh->nlmsg_len);
		len += NLMSG_ALIGN(nlh->nlmsg_len);
		dump.next++;
	}
	if (len) {
		pending_len[tail++ % PENDING] = len;
		return;
	}
	queue_done(dump.seq);
	dump.active = false;
}

ssize_t __wrap_mnl_socket_recvfrom(const struct mnl_socket *nl, void *buf,
				   size_t size)
{
	size_t len;

	(void)nl;
	if (fake.enobufs && fake.requests) {
		fake.enobufs--;
		errno = ENOBUFS;
		return -1;
	}
	if (fake.enobufs_at && fake.requests >= fake.enobufs_at) {
		fake.enobufs_at = 0;
		errno = ENOBUFS;
		return -1;
	}
	if (head == tail && dump.active)
		fill_dump();
	if (head == tail) {
		errno = EDEADLK;	/* would wait for ever */
		return -1;
	}
	len = pending_len[head % PENDING];
	if (len > size) {
		errno = ENOSPC;
		return -1;
	}
	memcpy(buf, pending[head++ % PENDING], len);
	return len;
}

static void keep_json(cmd_fn run, const char *output)
{
	size_t i;

	for (i = 0; i < n_verbs; i++)
		if (verbs[i].run == run)
			test_json(verbs[i].name, output);
}

const char *run_verb(int (*verb)(const struct options *, int, char **),
		     const struct options *opts, const char *line, int *code)
{
	static char output[1 << 20];
	int fd = memfd_create("output", MFD_CLOEXEC), argc;
	char **argv;
	ssize_t n;

	err_clear();
	out_init(&std, fd);
	argc = test_words(line, &argv);
	*code = verb(opts, argc, argv);
	n = pread(fd, output, sizeof(output) - 1, 0);
	output[n > 0 ? n : 0] = '\0';
	close(fd);
	if (opts->json && !*code)
		keep_json(verb, output);
	return output;
}
