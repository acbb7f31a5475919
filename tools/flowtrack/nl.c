// SPDX-License-Identifier: GPL-2.0
/*
 * Generic netlink: finding the family, requests, dumps, and turning what the
 * kernel says of a failure into a message.
 */
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <limits.h>
#include <linux/genetlink.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/nf_flowtrack.h>
#include <linux/sock_diag.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "err.h"
#include "names.h"
#include "nl.h"
#include "parse.h"

/* How often a dump is repeated that the kernel flags as inconsistent. */
#define DUMP_ATTEMPTS	5

static const struct attr_names *attrs_of(const struct nlmsghdr *req)
{
	const struct genlmsghdr *genl = mnl_nlmsg_get_payload(req);

	if (req->nlmsg_type == GENL_ID_CTRL)
		return NULL;
	switch (genl->cmd) {
	case FLOWTRACK_CMD_SETTINGS_GET:
	case FLOWTRACK_CMD_SETTINGS_SET:
		return settings_attrs();
	case FLOWTRACK_CMD_STATS_GET:
		return &stats_attrs;
	case FLOWTRACK_CMD_TOP_GET:
		return &top_attrs;
	case FLOWTRACK_CMD_COUNT_GET:
		return &count_attrs;
	default:
		return &flow_attrs;
	}
}

static const char *attr_name(const struct attr_names *names, unsigned int type,
			     char *buf, size_t size)
{
	if (names && type < names->n && names->name[type])
		return names->name[type];
	snprintf(buf, size, "%u", type);
	return buf;
}

/* The attribute at @offset of a request, with the nests that it is in. */
static void attr_path(const struct nlmsghdr *req, unsigned int offset,
		      char *path, size_t size)
{
	const struct attr_names *names = attrs_of(req);
	const char *base = (const char *)req, *end = base + req->nlmsg_len;
	const char *at = base + NLMSG_HDRLEN + GENL_HDRLEN;
	size_t len = 0;
	char buf[16];

	path[0] = '\0';
	while (at + NLA_HDRLEN <= end) {
		const struct nlattr *a = (const void *)at;
		unsigned int type = mnl_attr_get_type(a);

		if (a->nla_len < NLA_HDRLEN)
			return;
		if (base + offset >= at + NLA_ALIGN(a->nla_len)) {
			at += NLA_ALIGN(a->nla_len);
			continue;
		}
		len += snprintf(path + len, size - len, "%s%s", len ? "." : "",
				attr_name(names, type, buf, sizeof(buf)));
		if (base + offset <= at || len >= size)
			return;
		end = at + a->nla_len;
		at += NLA_HDRLEN;
		names = names && type < names->n && names->nested ?
			names->nested[type] : NULL;
	}
}

struct extack {
	const char *msg;
	const struct nlattr *offset;
	const struct nlattr *missing;
	const struct nlattr *missing_nest;
	const struct nlattr *policy;
};

static void extack_parse(struct extack *x, const struct nlmsghdr *nlh,
			 size_t head)
{
	const struct nlattr *a;

	memset(x, 0, sizeof(*x));
	if (!(nlh->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	mnl_attr_for_each(a, nlh, head) {
		switch (mnl_attr_get_type(a)) {
		case NLMSGERR_ATTR_MSG:
			if (!mnl_attr_validate(a, MNL_TYPE_NUL_STRING))
				x->msg = mnl_attr_get_str(a);
			break;
		case NLMSGERR_ATTR_OFFS:
			if (!mnl_attr_validate(a, MNL_TYPE_U32))
				x->offset = a;
			break;
		case NLMSGERR_ATTR_MISS_TYPE:
			if (!mnl_attr_validate(a, MNL_TYPE_U32))
				x->missing = a;
			break;
		case NLMSGERR_ATTR_MISS_NEST:
			if (!mnl_attr_validate(a, MNL_TYPE_U32))
				x->missing_nest = a;
			break;
		case NLMSGERR_ATTR_POLICY:
			x->policy = a;
			break;
		}
	}
}

/* The range that the kernel's policy allows, if it says so. */
static void add_range(const struct nlattr *policy)
{
	const struct nlattr *a, *min = NULL, *max = NULL;

	mnl_attr_for_each_nested(a, policy) {
		if (mnl_attr_get_type(a) == NL_POLICY_TYPE_ATTR_MIN_VALUE_U)
			min = a;
		if (mnl_attr_get_type(a) == NL_POLICY_TYPE_ATTR_MAX_VALUE_U)
			max = a;
	}
	if (min && max && !mnl_attr_validate(min, MNL_TYPE_U64) &&
	    !mnl_attr_validate(max, MNL_TYPE_U64))
		err_add(", allowed is %llu to %llu",
			(unsigned long long)mnl_attr_get_u64(min),
			(unsigned long long)mnl_attr_get_u64(max));
}

static int exit_code(int err)
{
	switch (err) {
	case EPERM:
	case EACCES:
		return EXIT_NO_PERMISSION;
	case ENOENT:
		return EXIT_NOT_FOUND;
	default:
		return EXIT_REFUSED;
	}
}

/**
 * nl_error() - the message of a failed request
 * @req: the request
 * @nlh: NLMSG_ERROR or NLMSG_DONE, with a negative errno first
 *
 * Return: an exit code; the message is set.
 */
int nl_error(const struct nlmsghdr *req, const struct nlmsghdr *nlh)
{
	const struct nlmsgerr *e = mnl_nlmsg_get_payload(nlh);
	const struct attr_names *names = attrs_of(req), *inner = names;
	int err = -e->error, code = exit_code(err);
	size_t head = sizeof(e->error);
	char path[128], buf[16];
	struct extack x;

	if (nlh->nlmsg_type == NLMSG_ERROR) {
		head = sizeof(*e);
		if (!(nlh->nlmsg_flags & NLM_F_CAPPED))
			head += e->msg.nlmsg_len - NLMSG_HDRLEN;
	}
	extack_parse(&x, nlh, head);

	if (x.msg)
		err_set(code, "%s", x.msg);
	else if (code == EXIT_NOT_FOUND)
		err_set(code, "no such flow");
	else if (code == EXIT_NO_PERMISSION)
		err_set(code, "CAP_NET_ADMIN is needed in this network namespace");
	else
		err_set(code, "the kernel refused the request");
	if (x.offset) {
		attr_path(req, mnl_attr_get_u32(x.offset), path, sizeof(path));
		if (path[0])
			err_add(" (attribute %s)", path);
	}
	if (x.missing) {
		__u32 type = mnl_attr_get_u32(x.missing);

		path[0] = '\0';
		if (x.missing_nest) {
			attr_path(req, mnl_attr_get_u32(x.missing_nest), path,
				  sizeof(path));
			if (names && names->nested) {
				unsigned int i;

				for (i = 0; i < names->n; i++)
					if (names->name[i] &&
					    !strcmp(names->name[i], path))
						inner = names->nested[i];
			}
		}
		err_add(" (attribute %s%s%s is missing)", path,
			path[0] ? "." : "",
			attr_name(inner, type, buf, sizeof(buf)));
	}
	if (x.policy)
		add_range(x.policy);
	if (!x.msg && code == EXIT_REFUSED)
		err_add(": %s", strerror(err));
	return code;
}

static int socket_error(const char *what)
{
	int code = errno == EPERM || errno == EACCES ? EXIT_NO_PERMISSION :
						       EXIT_USAGE;

	return err_set(code, "%s: %s", what, strerror(errno));
}

/**
 * enter_netns() - make a network namespace the current one
 * @netns: a name of ip-netns(8), a path, or the number of a process
 *
 * Return: an exit code.
 */
int enter_netns(const char *netns)
{
	char path[PATH_MAX];
	__u64 pid;
	int fd, err;

	if (strchr(netns, '/')) {
		snprintf(path, sizeof(path), "%s", netns);
	} else {
		snprintf(path, sizeof(path), "/run/netns/%s", netns);
		if (access(path, F_OK) && parse_u64(netns, INT_MAX, &pid))
			snprintf(path, sizeof(path), "/proc/%d/ns/net",
				 (int)pid);
	}
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		err = err_set(errno == EACCES ? EXIT_NO_PERMISSION : EXIT_USAGE,
			      "no network namespace '%s': %s: %s", netns, path,
			      strerror(errno));
		return err;
	}
	err = EXIT_OK;
	if (setns(fd, CLONE_NEWNET))
		err = err_set(errno == EPERM ? EXIT_NO_PERMISSION : EXIT_USAGE,
			      "cannot enter network namespace '%s': %s", netns,
			      strerror(errno));
	close(fd);
	return err;
}

static int family_message(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *a, *group, *field;
	struct nl *nl = data;

	mnl_attr_for_each(a, nlh, GENL_HDRLEN) {
		if (mnl_attr_get_type(a) == CTRL_ATTR_FAMILY_ID)
			nl->family = mnl_attr_get_u16(a);
		if (mnl_attr_get_type(a) != CTRL_ATTR_MCAST_GROUPS)
			continue;
		mnl_attr_for_each_nested(group, a) {
			const char *name = "";
			__u32 id = 0;

			mnl_attr_for_each_nested(field, group) {
				switch (mnl_attr_get_type(field)) {
				case CTRL_ATTR_MCAST_GRP_NAME:
					name = mnl_attr_get_str(field);
					break;
				case CTRL_ATTR_MCAST_GRP_ID:
					id = mnl_attr_get_u32(field);
					break;
				}
			}
			if (!strcmp(name, FLOWTRACK_MCGRP_EVENTS))
				nl->events = id;
			if (!strcmp(name, FLOWTRACK_MCGRP_PRESSURE))
				nl->pressure = id;
		}
	}
	return 0;
}

static int find_family(struct nl *nl)
{
	struct nlmsghdr *req;
	int code;

	nl->family = GENL_ID_CTRL;
	req = nl_request(nl, CTRL_CMD_GETFAMILY);
	mnl_attr_put_strz(req, CTRL_ATTR_FAMILY_NAME, FLOWTRACK_FAMILY_NAME);
	code = nl_talk(nl, req, family_message, nl);
	if (code == EXIT_NOT_FOUND)
		return err_set(EXIT_NO_MODULE,
			       "the module is not loaded: modprobe nf_flowtrack");
	return code;
}

/**
 * nl_open() - open the socket and find the family
 * @nl: filled in
 * @netns: network namespace to enter first; NULL: stay
 *
 * Return: an exit code.
 */
int nl_open(struct nl *nl, const char *netns)
{
	int one = 1, size = 1 << 20, code, fd;

	nl->seq = 0;
	nl->events = 0;
	nl->pressure = 0;
	nl->interrupted = false;
	nl->sk = NULL;
	if (netns) {
		code = enter_netns(netns);
		if (code)
			return code;
	}
	nl->sk = mnl_socket_open(NETLINK_GENERIC);
	if (!nl->sk || mnl_socket_bind(nl->sk, 0, MNL_SOCKET_AUTOPID) < 0) {
		code = socket_error("cannot open a netlink socket");
		nl_close(nl);
		return code;
	}
	/* None of these is vital: messages get shorter, dumps slower. */
	mnl_socket_setsockopt(nl->sk, NETLINK_EXT_ACK, &one, sizeof(one));
	mnl_socket_setsockopt(nl->sk, NETLINK_CAP_ACK, &one, sizeof(one));
	mnl_socket_setsockopt(nl->sk, NETLINK_GET_STRICT_CHK, &one,
			      sizeof(one));
	fd = mnl_socket_get_fd(nl->sk);
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)))
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));

	code = find_family(nl);
	if (code)
		nl_close(nl);
	return code;
}

void nl_close(struct nl *nl)
{
	if (nl->sk)
		mnl_socket_close(nl->sk);
	nl->sk = NULL;
}

/* Begins a request at @at, where NL_REQUEST_SIZE bytes are free. */
struct nlmsghdr *nl_append(struct nl *nl, void *at, int cmd)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(at);
	struct genlmsghdr *genl;

	nlh->nlmsg_type = nl->family;
	nlh->nlmsg_flags = NLM_F_REQUEST;
	nlh->nlmsg_seq = ++nl->seq;
	genl = mnl_nlmsg_put_extra_header(nlh, sizeof(*genl));
	genl->cmd = cmd;
	genl->version = nl->family == GENL_ID_CTRL ? 1 :
						     FLOWTRACK_FAMILY_VERSION;
	return nlh;
}

/**
 * nl_number() - the number in an attribute
 * @a: attribute, 1, 2, 4, or 8 bytes wide
 *
 * Return: the number; 0 if the attribute is of another width.
 */
__u64 nl_number(const struct nlattr *a)
{
	if (!mnl_attr_validate(a, MNL_TYPE_U64))
		return mnl_attr_get_u64(a);
	if (!mnl_attr_validate(a, MNL_TYPE_U32))
		return mnl_attr_get_u32(a);
	if (!mnl_attr_validate(a, MNL_TYPE_U16))
		return mnl_attr_get_u16(a);
	if (!mnl_attr_validate(a, MNL_TYPE_U8))
		return mnl_attr_get_u8(a);
	return 0;
}

/**
 * nl_request() - begin a request
 * @nl: socket
 * @cmd: FLOWTRACK_CMD_*
 *
 * Return: the request, for attributes to be put in.
 */
struct nlmsghdr *nl_request(struct nl *nl, int cmd)
{
	return nl_append(nl, nl->req, cmd);
}

static int send_all(struct nl *nl, const void *buf, size_t len)
{
	ssize_t n;

	do {
		n = mnl_socket_sendto(nl->sk, buf, len);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? socket_error("cannot send a request") : EXIT_OK;
}

/**
 * nl_receive() - receive a datagram into nl.buf
 * @nl: socket
 *
 * Return: its length, or a negative errno.
 */
long nl_receive(struct nl *nl)
{
	ssize_t n = mnl_socket_recvfrom(nl->sk, nl->buf, sizeof(nl->buf));

	return n < 0 ? -errno : n;
}

/**
 * nl_receive_events() - receive the notifications that are there
 * @nl: socket; its buf and len are filled
 *
 * As many as fit, with one system call: it costs more than what it fetches.
 *
 * Return: how many, or a negative errno; -EAGAIN: there is none.
 */
int nl_receive_events(struct nl *nl)
{
	struct mmsghdr msgs[NL_EVENTS] = {};
	struct iovec iov[NL_EVENTS];
	int i, n;

	for (i = 0; i < NL_EVENTS; i++) {
		iov[i].iov_base = nl->buf + i * NL_EVENT_SIZE;
		iov[i].iov_len = NL_EVENT_SIZE;
		msgs[i].msg_hdr.msg_iov = &iov[i];
		msgs[i].msg_hdr.msg_iovlen = 1;
	}
	n = recvmmsg(mnl_socket_get_fd(nl->sk), msgs, NL_EVENTS, MSG_DONTWAIT,
		     NULL);
	if (n < 0)
		return -errno;
	for (i = 0; i < n; i++)
		nl->len[i] = msgs[i].msg_len;
	return n;
}

/* How a request goes on after a datagram. */
enum {
	GO_ON = -1,	/* or an exit code */
	INTERRUPTED = -2,
};

static int take_datagram(struct nl *nl, int len, const struct nlmsghdr *req,
			 bool *interrupted, nl_message_fn fn, void *data)
{
	const struct nlmsghdr *nlh;
	const __s32 *err;

	for (nlh = (const void *)nl->buf; mnl_nlmsg_ok(nlh, len);
	     nlh = mnl_nlmsg_next(nlh, &len)) {
		if (nlh->nlmsg_seq != req->nlmsg_seq)
			continue;
		if (nlh->nlmsg_flags & NLM_F_DUMP_INTR)
			*interrupted = true;
		switch (nlh->nlmsg_type) {
		case NLMSG_ERROR:
		case NLMSG_DONE:
			err = mnl_nlmsg_get_payload(nlh);
			if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*err) ||
			    *err >= 0)
				return EXIT_OK;
			return nl_error(req, nlh);
		case NLMSG_NOOP:
			break;
		case NLMSG_OVERRUN:
			return INTERRUPTED;
		default:
			if (nlh->nlmsg_type < NLMSG_MIN_TYPE || !fn)
				break;
			if (fn(nlh, data) < 0)
				return err_msg()[0] ? EXIT_REFUSED : EXIT_OK;
		}
	}
	return GO_ON;
}

static int receive_reply(struct nl *nl, const struct nlmsghdr *req,
			 bool *interrupted, nl_message_fn fn, void *data)
{
	int code;
	long n;

	do {
		n = nl_receive(nl);
		if (n == -EINTR)
			code = GO_ON;
		else if (n == -ENOBUFS)
			code = INTERRUPTED;
		else if (n < 0)
			code = err_set(EXIT_REFUSED, "cannot receive: %s",
				       strerror(-n));
		else
			code = take_datagram(nl, n, req, interrupted, fn, data);
	} while (code == GO_ON);
	return code;
}

/**
 * nl_talk() - make a request and wait for its end
 * @nl: socket
 * @req: request
 * @fn: called with each message of the answer; may be NULL
 * @data: for @fn
 *
 * Return: an exit code.
 */
int nl_talk(struct nl *nl, struct nlmsghdr *req, nl_message_fn fn, void *data)
{
	bool interrupted = false;
	int code;

	req->nlmsg_flags |= NLM_F_ACK;
	code = send_all(nl, req, req->nlmsg_len);
	if (!code)
		code = receive_reply(nl, req, &interrupted, fn, data);
	if (code == INTERRUPTED)
		code = err_set(EXIT_REFUSED,
			       "the answer was lost: out of buffer space");
	return code;
}

/**
 * nl_dump() - make a request with many answers
 * @nl: socket
 * @req: request
 * @fn: called with each message
 * @restart: forgets what @fn was given, so that an inconsistent dump can be
 *	repeated; may be NULL
 * @data: for @fn and @restart
 *
 * A dump that stays inconsistent is not a failure: nl.interrupted is set, a
 * warning is on standard error.
 *
 * Return: an exit code.
 */
int nl_dump(struct nl *nl, struct nlmsghdr *req, nl_message_fn fn,
	    nl_restart_fn restart, void *data)
{
	bool interrupted;
	int attempt, code;

	req->nlmsg_flags |= NLM_F_DUMP;
	for (attempt = 1;; attempt++) {
		interrupted = false;
		code = send_all(nl, req, req->nlmsg_len);
		if (!code)
			code = receive_reply(nl, req, &interrupted, fn, data);
		if (code == INTERRUPTED) {
			/* What may still come has a sequence number of old. */
			interrupted = true;
			code = EXIT_OK;
		}
		if (code || !interrupted)
			return code;
		if (attempt == DUMP_ATTEMPTS || !restart || !restart(data))
			break;
		req->nlmsg_seq = ++nl->seq;
	}
	nl->interrupted = true;
	warn("the table changed its size during the dump: flows may be missing or appear twice");
	return EXIT_OK;
}

/**
 * nl_batch() - make many requests at once
 * @nl: socket
 * @batch: requests of nl_append(), one after the other; only the last one has
 *	NLM_F_ACK
 * @len: bytes
 * @n: how many requests
 * @message: called with each message of an answer; may be NULL
 * @fn: called for each that failed, the message being set
 * @data: for both
 *
 * Return: an exit code; what single requests came to is told to @fn only.
 */
int nl_batch(struct nl *nl, const void *batch, size_t len, unsigned int n,
	     nl_message_fn message, nl_answer_fn fn, void *data)
{
	__u32 first = nl->seq - n + 1;
	int code = send_all(nl, batch, len);

	while (!code) {
		const struct nlmsghdr *nlh;
		long got = nl_receive(nl);
		int left;

		if (got == -EINTR)
			continue;
		if (got < 0)
			return err_set(EXIT_REFUSED, "cannot receive: %s",
				       strerror(-got));
		left = got;
		for (nlh = (const void *)nl->buf; mnl_nlmsg_ok(nlh, left);
		     nlh = mnl_nlmsg_next(nlh, &left)) {
			const struct nlmsgerr *e = mnl_nlmsg_get_payload(nlh);
			const struct nlmsghdr *req = batch;
			unsigned int index = nlh->nlmsg_seq - first, i;

			if (message && nlh->nlmsg_type >= NLMSG_MIN_TYPE && index < n &&
			    message(nlh, data) < 0)
				return EXIT_REFUSED;
			if (nlh->nlmsg_type != NLMSG_ERROR || index >= n)
				continue;
			for (i = 0; i < index; i++)
				req = (const void *)((const char *)req +
					NLMSG_ALIGN(req->nlmsg_len));
			if (e->error) {
				nl_error(req, nlh);
				if (fn(index, -e->error, data) < 0)
					return exit_code(-e->error);
				err_clear();
			}
			if (index == n - 1)
				return EXIT_OK;
		}
	}
	return code;
}

/**
 * nl_subscribe() - receive notifications
 * @nl: socket
 * @pressure: of watermarks, not of flows
 *
 * Return: an exit code.
 */
int nl_subscribe(struct nl *nl, bool pressure)
{
	const __u32 *group = pressure ? &nl->pressure : &nl->events;
	int on = 1;

	if (!*group)
		return err_set(EXIT_REFUSED,
			       "the module has no multicast group '%s'",
			       pressure ? FLOWTRACK_MCGRP_PRESSURE :
					  FLOWTRACK_MCGRP_EVENTS);
	if (mnl_socket_setsockopt(nl->sk, NETLINK_ADD_MEMBERSHIP, (void *)group,
				  sizeof(*group)) < 0)
		return socket_error("cannot subscribe to events");
	/* What this socket loses counts in the module's event-lost, too. */
	mnl_socket_setsockopt(nl->sk, NETLINK_BROADCAST_ERROR, &on, sizeof(on));
	return EXIT_OK;
}

/**
 * nl_wake_conntrack() - have nf_conntrack report what happens to its flows
 * @sk: set to what has to stay open for as long
 *
 * By default it reports to its notifier, nf_flowtrack_ctnetlink, only of connections that
 * began while somebody listened to any of ctnetlink's groups. That of expectations that
 * end has next to no messages. None of them is read.
 *
 * Return: an exit code.
 */
int nl_wake_conntrack(struct mnl_socket **sk)
{
	int group = NFNLGRP_CONNTRACK_EXP_DESTROY, size = 0;

	*sk = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	if (!*sk || mnl_socket_bind(*sk, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    mnl_socket_setsockopt(*sk, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0)
		return socket_error("cannot subscribe to events of nf_conntrack");
	setsockopt(mnl_socket_get_fd(*sk), SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	return EXIT_OK;
}

/**
 * nl_buffer() - how much may wait to be received
 * @nl: socket
 * @wanted: bytes; 0: a default
 *
 * The kernel counts what it spends on messages, which is a multiple of what is
 * in them. A limit, not memory that is taken.
 *
 * Return: an exit code.
 */
int nl_buffer(struct nl *nl, __u32 wanted)
{
	/* Tens of thousands of flows may end in one moment. */
	int size = wanted ? wanted : 32 << 20, got = 0, fd = mnl_socket_get_fd(nl->sk);
	socklen_t len = sizeof(got);

	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)))
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	/* It shows twice what was asked for: its own share. */
	if (wanted && !getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &got, &len) && got / 2 < size)
		warn("the buffer has %d bytes, not %d: see the sysctl net.core.rmem_max", got / 2,
		     size);
	return EXIT_OK;
}

/**
 * nl_drops() - how many notifications the socket has lost
 * @nl: socket
 *
 * Return: the number since it was opened; 0 if the kernel does not tell.
 */
__u64 nl_drops(const struct nl *nl)
{
	__u32 info[SK_MEMINFO_VARS] = { 0 };
	socklen_t len = sizeof(info);

	if (getsockopt(mnl_socket_get_fd(nl->sk), SOL_SOCKET, SO_MEMINFO, info, &len))
		return 0;
	return info[SK_MEMINFO_DROPS];
}

/**
 * nl_open_ctrl() - listen to families that come and go
 * @ctrl: filled in
 *
 * Return: an exit code.
 */
int nl_open_ctrl(struct nl *ctrl)
{
	__u32 group = GENL_ID_CTRL;	/* of nlctrl's "notify": fixed in the kernel */

	ctrl->sk = mnl_socket_open(NETLINK_GENERIC);
	if (ctrl->sk && mnl_socket_bind(ctrl->sk, 0, MNL_SOCKET_AUTOPID) >= 0 &&
	    mnl_socket_setsockopt(ctrl->sk, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) >= 0)
		return EXIT_OK;
	return socket_error("cannot listen to families that come and go");
}

/**
 * nl_same_family() - is the family the one that it was?
 * @nl: socket; its numbers are made those that hold now
 *
 * Return: false if the module was reloaded, or is not there.
 */
bool nl_same_family(struct nl *nl)
{
	__u16 family = nl->family;
	__u32 events = nl->events;
	static struct nl now;

	if (nl_open(&now, NULL))
		return false;
	nl_close(&now);
	nl->family = now.family;
	nl->events = now.events;
	nl->pressure = now.pressure;
	return now.family == family && now.events == events;
}

/* Is a message of nlctrl about our family? */
static bool about_us(const struct nlmsghdr *nlh)
{
	const struct nlattr *a;

	mnl_attr_for_each(a, nlh, GENL_HDRLEN)
		if (mnl_attr_get_type(a) == CTRL_ATTR_FAMILY_NAME &&
		    !mnl_attr_validate(a, MNL_TYPE_NUL_STRING) &&
		    !strcmp(mnl_attr_get_str(a), FLOWTRACK_FAMILY_NAME))
			return true;
	return false;
}

/**
 * nl_family_changed() - what became of the family
 * @ctrl: of nl_open_ctrl(), with something to receive
 * @nl: socket whose family it is; gets the numbers of a new one
 *
 * If messages were lost, the family is asked for.
 *
 * Return: what happened last.
 */
enum nl_family_change nl_family_changed(struct nl *ctrl, struct nl *nl)
{
	enum nl_family_change change = NL_FAMILY_SAME;
	const struct nlmsghdr *nlh;
	long got = nl_receive(ctrl);
	int len;

	if (got == -ENOBUFS && !nl_same_family(nl)) {
		change = err_msg()[0] ? NL_FAMILY_GONE : NL_FAMILY_NEW;
		err_clear();
	}
	if (got <= 0)
		return change;
	len = got;
	for (nlh = (const void *)ctrl->buf; mnl_nlmsg_ok(nlh, len);
	     nlh = mnl_nlmsg_next(nlh, &len)) {
		const struct genlmsghdr *genl = mnl_nlmsg_get_payload(nlh);

		if (nlh->nlmsg_type != GENL_ID_CTRL || !about_us(nlh))
			continue;
		if (genl->cmd == CTRL_CMD_DELFAMILY)
			change = NL_FAMILY_GONE;
		if (genl->cmd == CTRL_CMD_NEWFAMILY) {
			family_message(nlh, nl);
			change = NL_FAMILY_NEW;
		}
	}
	return change;
}

int nl_fd(const struct nl *nl)
{
	return mnl_socket_get_fd(nl->sk);
}
