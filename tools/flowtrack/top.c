// SPDX-License-Identifier: GPL-2.0
/*
 * Top talkers: asked for, and in words.
 */
#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "names.h"
#include "nl.h"
#include "out.h"
#include "top.h"

static void take_address(struct top_entry *e, const struct nlattr *a,
			 size_t len)
{
	if (mnl_attr_get_payload_len(a) == len)
		memcpy(e->addr, mnl_attr_get_payload(a), len);
}

/**
 * top_take_entry() - read an entry
 * @e: filled in
 * @nest: attribute
 */
void top_take_entry(struct top_entry *e, const struct nlattr *nest)
{
	const struct nlattr *a;

	memset(e, 0, sizeof(*e));
	mnl_attr_for_each_nested(a, nest) {
		switch (mnl_attr_get_type(a)) {
		case FLOWTRACK_A_TOP_ENTRY_FAMILY:
			e->family = nl_number(a);
			break;
		case FLOWTRACK_A_TOP_ENTRY_ADDR4:
			take_address(e, a, 4);
			break;
		case FLOWTRACK_A_TOP_ENTRY_ADDR6:
			take_address(e, a, 16);
			break;
		case FLOWTRACK_A_TOP_ENTRY_PREFIX:
			e->prefix = nl_number(a);
			break;
		case FLOWTRACK_A_TOP_ENTRY_L4PROTO:
			e->l4proto = nl_number(a);
			break;
		case FLOWTRACK_A_TOP_ENTRY_PORT:
			e->port = ntohs(nl_number(a));
			break;
		case FLOWTRACK_A_TOP_ENTRY_FLOWS:
			e->flows = nl_number(a);
			break;
		case FLOWTRACK_A_TOP_ENTRY_RATE:
			e->rate = nl_number(a);
			break;
		case FLOWTRACK_A_TOP_ENTRY_SHARE:
			e->share = nl_number(a);
			break;
		case FLOWTRACK_A_TOP_ENTRY_GUARDED:
			e->guarded = nl_number(a);
			break;
		case FLOWTRACK_A_TOP_ENTRY_BYTES:
			e->bytes = nl_number(a);
			break;
		}
	}
}

static int top_message(const struct nlmsghdr *nlh, void *data)
{
	struct top *top = data;
	const struct nlattr *a;

	mnl_attr_for_each(a, nlh, GENL_HDRLEN) {
		switch (mnl_attr_get_type(a)) {
		case FLOWTRACK_A_TOP_TOTAL:
			top->total = nl_number(a);
			break;
		case FLOWTRACK_A_TOP_SAMPLED:
			top->sampled = nl_number(a);
			break;
		case FLOWTRACK_A_TOP_EXACT:
			top->exact = nl_number(a);
			break;
		case FLOWTRACK_A_TOP_WINDOW:
			top->window = nl_number(a);
			break;
		case FLOWTRACK_A_TOP_BIRTHS:
			top->births = nl_number(a);
			break;
		case FLOWTRACK_A_TOP_RATE:
			top->rate = nl_number(a);
			break;
		case FLOWTRACK_A_TOP_ENTRY:
			if (top->n < TOP_MAX)
				top_take_entry(&top->entry[top->n++], a);
			break;
		case FLOWTRACK_A_TOP_GUARDED:
			top->guarded = nl_number(a);
			break;
		case FLOWTRACK_A_TOP_BYTES:
			top->bytes = nl_number(a);
			break;
		}
	}
	return 0;
}

/**
 * top_get() - ask for a list
 * @nl: socket
 * @top: filled in
 * @kind: enum flowtrack_top_kind
 * @order: enum flowtrack_top_order
 * @limit: entries at most
 *
 * Return: an exit code.
 */
int top_get(struct nl *nl, struct top *top, __u8 kind, __u8 order,
	    unsigned int limit)
{
	struct nlmsghdr *req = nl_request(nl, FLOWTRACK_CMD_TOP_GET);

	memset(top, 0, sizeof(*top));
	top->kind = kind;
	top->order = order;
	mnl_attr_put_u8(req, FLOWTRACK_A_TOP_KIND, kind);
	mnl_attr_put_u8(req, FLOWTRACK_A_TOP_ORDER, order);
	mnl_attr_put_u32(req, FLOWTRACK_A_TOP_LIMIT, limit);
	return nl_talk(nl, req, top_message, top);
}

static void address(const struct top_entry *e, char *buf, size_t size)
{
	if (!inet_ntop(e->family, e->addr, buf, size))
		snprintf(buf, size, "?");
}

static void put_proto(const struct top_entry *e, char *buf, size_t size)
{
	const char *name = proto_name(e->l4proto);

	if (name)
		snprintf(buf, size, "%s", name);
	else
		snprintf(buf, size, "proto %u", e->l4proto);
}

/**
 * top_entry_name() - what an entry is about
 * @e: entry
 * @buf: filled in
 * @size: of @buf, TOP_NAME_SIZE
 */
void top_entry_name(const struct top_entry *e, char *buf, size_t size)
{
	size_t len;

	if (e->family) {
		address(e, buf, size);
		len = strlen(buf);
		if (e->prefix < (e->family == AF_INET ? 32 : 128))
			snprintf(buf + len, size - len, "/%u", e->prefix);
		return;
	}
	put_proto(e, buf, size);
	len = strlen(buf);
	if (proto_has_ports(e->l4proto))
		snprintf(buf + len, size - len, " %u", e->port);
}

/**
 * top_title() - what is known of all flows, in one line
 * @top: the list
 * @buf: filled in
 * @size: of @buf
 */
void top_title(const struct top *top, char *buf, size_t size)
{
	int len;

	len = snprintf(buf, size, "%u flows", top->total);
	if (top->guarded)
		len += snprintf(buf + len, size - len, ", %u guarded",
				top->guarded);
	if (!top->exact)
		len += snprintf(buf + len, size - len, ", %u looked at",
				top->sampled);
	if (top->window)
		len += snprintf(buf + len, size - len, ", %u new a second", top->rate);
	if (top->bytes)
		snprintf(buf + len, size - len, ", %llu bytes", (unsigned long long)top->bytes);
	else if (top->order == FLOWTRACK_TOP_ORDER_BYTES)
		snprintf(buf + len, size - len, ", no bytes counted: see acct");
}

/**
 * top_head() - the names of the columns
 * @top: the list
 * @buf: filled in
 * @size: of @buf
 */
void top_head(const struct top *top, char *buf, size_t size)
{
	int len = snprintf(buf, size, "%10s %10s %10s ", "flows", "guarded", "new/s");

	if (top->bytes)
		len += snprintf(buf + len, size - len, "%15s ", "bytes");
	snprintf(buf + len, size - len, "%7s  %s", "share", name_of(&top_kind_names, top->kind));
}

/**
 * top_line() - an entry, in one line
 * @top: the list
 * @i: which entry
 * @buf: filled in
 * @size: of @buf
 */
void top_line(const struct top *top, unsigned int i, char *buf, size_t size)
{
	const struct top_entry *e = &top->entry[i];
	char name[TOP_NAME_SIZE], rate[16] = "-";
	int len;

	top_entry_name(e, name, sizeof(name));
	if (top->window)
		snprintf(rate, sizeof(rate), "%u", e->rate);
	len = snprintf(buf, size, "%10u %10u %10s ", e->flows, e->guarded, rate);
	if (top->bytes)
		len += snprintf(buf + len, size - len, "%15llu ", (unsigned long long)e->bytes);
	snprintf(buf + len, size - len, "%5u.%u%%  %s", e->share / 10, e->share % 10, name);
}

/**
 * top_json_who() - what an entry is about, as members of an object
 * @o: where to
 * @e: entry
 */
void top_json_who(struct out *o, const struct top_entry *e)
{
	char name[TOP_NAME_SIZE];

	if (e->family) {
		address(e, name, sizeof(name));
		out_fmt(o, "\"address\":\"%s\",\"prefix\":%u", name, e->prefix);
		return;
	}
	put_proto(e, name, sizeof(name));
	out_fmt(o, "\"proto\":\"%s\"", name);
	if (proto_has_ports(e->l4proto))
		out_fmt(o, ",\"port\":%u", e->port);
}
