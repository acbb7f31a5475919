/* SPDX-License-Identifier: GPL-2.0 */
/*
 * flowtrack top: what the kernel says of the top talkers, and lines of it.
 */
#ifndef FT_TOP_H
#define FT_TOP_H

#include <linux/nf_flowtrack.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#define TOP_MAX		64	/* entries that the kernel has at most */
#define TOP_NAME_SIZE	64
#define TOP_KINDS	(FLOWTRACK_TOP_KIND_EXTERNAL + 1)

struct nl;
struct nlattr;
struct out;

/**
 * struct top_entry - a source, destination, service or external address
 * @family: AF_INET or AF_INET6; 0: a service
 * @addr: address
 * @prefix: bits of it
 * @l4proto: service: IPPROTO_*
 * @port: service: port, in host byte order; 0: none
 * @flows: flows, own and guarded; in a notification own ones only
 * @guarded: of these are guarded
 * @rate: new flows per second
 * @share: per mille of what the list is ordered by
 * @bytes: what these flows have carried
 */
struct top_entry {
	__u8 family;
	__u8 addr[16];
	__u8 prefix;
	__u8 l4proto;
	__u16 port;
	__u32 flows;
	__u32 guarded;
	__u32 rate;
	__u32 share;
	__u64 bytes;
};

/**
 * struct top - a list
 * @kind: enum flowtrack_top_kind
 * @order: enum flowtrack_top_order
 * @total: flows, own and guarded
 * @guarded: of these are guarded
 * @sampled: of these were looked at
 * @exact: all were
 * @window: milliseconds that rates are of; 0: there are none yet
 * @births: new flows that were looked at
 * @rate: new flows per second, all
 * @bytes: what the flows have carried; 0: that is not counted
 * @n: entries
 * @entry: the entries
 */
struct top {
	__u8 kind;
	__u8 order;
	__u32 total;
	__u32 guarded;
	__u32 sampled;
	bool exact;
	__u32 window;
	__u32 births;
	__u32 rate;
	__u64 bytes;
	unsigned int n;
	struct top_entry entry[TOP_MAX];
};

void top_take_entry(struct top_entry *e, const struct nlattr *nest);
void top_entry_name(const struct top_entry *e, char *buf, size_t size);
void top_json_who(struct out *o, const struct top_entry *e);
int top_get(struct nl *nl, struct top *top, __u8 kind, __u8 order,
	    unsigned int limit);
void top_title(const struct top *top, char *buf, size_t size);
void top_head(const struct top *top, char *buf, size_t size);
void top_line(const struct top *top, unsigned int i, char *buf, size_t size);
int top_screen(struct nl *nl, __u8 kind, __u8 order, unsigned int limit,
	       unsigned int delay);

#endif /* FT_TOP_H */
