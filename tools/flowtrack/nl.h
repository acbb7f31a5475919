/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The way to the kernel: open, request, dump.
 *
 * Every function returns an exit code; on failure the message is set, from
 * what the kernel said and which attribute it named.
 */
#ifndef FT_NL_H
#define FT_NL_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

struct attr_names;
struct mnl_socket;
struct nlattr;
struct nlmsghdr;

/* What libmnl builds or reads messages in. */
#define NL_ALIGNED	__attribute__((aligned(8)))
#define NL_REQUEST_SIZE	4096
#define NL_BUF_SIZE	(64 * 1024)	/* the kernel fills at most 32 KiB */
#define NL_EVENT_SIZE	(4 * 1024)	/* a notification: the kernel's are shorter */
#define NL_EVENTS	(NL_BUF_SIZE / NL_EVENT_SIZE)

/**
 * struct nl - a socket of the family, in one network namespace
 * @sk: socket
 * @seq: sequence number of the last request
 * @family: number of the family
 * @events: number of the multicast group of flows
 * @pressure: number of the multicast group of watermarks
 * @interrupted: a dump was inconsistent in spite of the repetitions
 * @req: the request being made
 * @buf: what is received
 * @len: lengths of notifications: each has NL_EVENT_SIZE of @buf
 */
struct nl {
	struct mnl_socket *sk;
	__u32 seq;
	__u16 family;
	__u32 events;
	__u32 pressure;
	bool interrupted;
	char req[NL_REQUEST_SIZE] NL_ALIGNED;
	char buf[NL_BUF_SIZE] NL_ALIGNED;
	unsigned int len[NL_EVENTS];
};

/* Returns negative to stop; with no message set, that is a success. */
typedef int (*nl_message_fn)(const struct nlmsghdr *nlh, void *data);
/* Returns true if what was received can be forgotten, to dump again. */
typedef bool (*nl_restart_fn)(void *data);
/* One answer to a batch: @index of the request, an errno, or 0. */
typedef int (*nl_answer_fn)(unsigned int index, int err, void *data);

int enter_netns(const char *netns);
int nl_open(struct nl *nl, const char *netns);
void nl_close(struct nl *nl);
__u64 nl_number(const struct nlattr *a);
struct nlmsghdr *nl_request(struct nl *nl, int cmd);
int nl_talk(struct nl *nl, struct nlmsghdr *req, nl_message_fn fn, void *data);
int nl_dump(struct nl *nl, struct nlmsghdr *req, nl_message_fn fn,
	    nl_restart_fn restart, void *data);

struct nlmsghdr *nl_append(struct nl *nl, void *at, int cmd);
int nl_batch(struct nl *nl, const void *batch, size_t len, unsigned int n,
	     nl_message_fn message, nl_answer_fn fn, void *data);

/* What became of the family. */
enum nl_family_change {
	NL_FAMILY_SAME,
	NL_FAMILY_GONE,		/* the module was unloaded */
	NL_FAMILY_NEW,		/* it was loaded */
};

int nl_buffer(struct nl *nl, __u32 wanted);
__u64 nl_drops(const struct nl *nl);
int nl_open_ctrl(struct nl *ctrl);
bool nl_same_family(struct nl *nl);
enum nl_family_change nl_family_changed(struct nl *ctrl, struct nl *nl);
int nl_subscribe(struct nl *nl, bool pressure);
int nl_wake_conntrack(struct mnl_socket **sk);
int nl_fd(const struct nl *nl);
long nl_receive(struct nl *nl);
int nl_receive_events(struct nl *nl);

int nl_error(const struct nlmsghdr *req, const struct nlmsghdr *err);

#endif /* FT_NL_H */
