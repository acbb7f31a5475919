// SPDX-License-Identifier: GPL-2.0
/*
 * Attributes to struct flow and back. The reader is on the path of a dump of
 * millions, hence no libmnl callbacks and no allocation.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <linux/genetlink.h>
#include <libmnl/libmnl.h>
#include <string.h>
#include <time.h>

#include "flow.h"

static_assert(__FLOWTRACK_A_FLOW_MAX <= 32, "struct flow.has is too small");

/* Walks through attributes; stops at the first one that is malformed. */
#define for_each_attr(a, start, len)					\
	for ((a) = (start);						\
	     (len) >= (int)sizeof(*(a)) &&				\
	     (a)->nla_len >= sizeof(*(a)) && (a)->nla_len <= (len);	\
	     (len) -= NLA_ALIGN((a)->nla_len),				\
	     (a) = (const void *)((const char *)(a) + NLA_ALIGN((a)->nla_len)))

static inline const void *data_of(const struct nlattr *a)
{
	return (const char *)a + NLA_HDRLEN;
}

static inline int len_of(const struct nlattr *a)
{
	return a->nla_len - NLA_HDRLEN;
}

/* Copies the value if the attribute has one of that size. */
#define GET(a, to)							\
	(len_of(a) >= (int)sizeof(to) ?					\
	 (memcpy(&(to), data_of(a), sizeof(to)), true) : false)

static bool parse_tuple(const struct nlattr *nest, struct flow_tuple *t)
{
	int len = len_of(nest);
	const struct nlattr *a;
	bool ok = true;

	t->has = 0;
	for_each_attr(a, data_of(nest), len) {
		unsigned int type = a->nla_type & NLA_TYPE_MASK;

		switch (type) {
		case FLOWTRACK_A_TUPLE_SRC4:
			ok &= len_of(a) >= 4;
			if (ok)
				memcpy(t->src, data_of(a), 4);
			break;
		case FLOWTRACK_A_TUPLE_DST4:
			ok &= len_of(a) >= 4;
			if (ok)
				memcpy(t->dst, data_of(a), 4);
			break;
		case FLOWTRACK_A_TUPLE_SRC6:
			ok &= GET(a, t->src);
			break;
		case FLOWTRACK_A_TUPLE_DST6:
			ok &= GET(a, t->dst);
			break;
		case FLOWTRACK_A_TUPLE_SPORT:
			ok &= GET(a, t->sport);
			break;
		case FLOWTRACK_A_TUPLE_DPORT:
			ok &= GET(a, t->dport);
			break;
		case FLOWTRACK_A_TUPLE_ICMP_ID:
			ok &= GET(a, t->icmp_id);
			break;
		case FLOWTRACK_A_TUPLE_ICMP_TYPE:
			ok &= GET(a, t->icmp_type);
			break;
		case FLOWTRACK_A_TUPLE_ICMP_CODE:
			ok &= GET(a, t->icmp_code);
			break;
		case FLOWTRACK_A_TUPLE_GRE_KEY:
			ok &= GET(a, t->gre_key);
			break;
		default:
			continue;
		}
		t->has |= 1U << type;
	}
	return ok && len < NLA_ALIGNTO;
}

static bool parse_counters(const struct nlattr *nest, __u64 *packets,
			   __u64 *bytes)
{
	int len = len_of(nest);
	const struct nlattr *a;
	bool ok = true;

	*packets = 0;
	*bytes = 0;
	for_each_attr(a, data_of(nest), len) {
		switch (a->nla_type & NLA_TYPE_MASK) {
		case FLOWTRACK_A_COUNTERS_PACKETS:
			ok &= GET(a, *packets);
			break;
		case FLOWTRACK_A_COUNTERS_BYTES:
			ok &= GET(a, *bytes);
			break;
		}
	}
	return ok && len < NLA_ALIGNTO;
}

static bool parse_tcp(const struct nlattr *nest, struct flow_tcp *t)
{
	int len = len_of(nest);
	const struct nlattr *a;
	bool ok = true;

	memset(t, 0, sizeof(*t));
	for_each_attr(a, data_of(nest), len) {
		switch (a->nla_type & NLA_TYPE_MASK) {
		case FLOWTRACK_A_TCP_DIR_END:
			ok &= GET(a, t->end);
			break;
		case FLOWTRACK_A_TCP_DIR_MAXEND:
			ok &= GET(a, t->maxend);
			break;
		case FLOWTRACK_A_TCP_DIR_MAXWIN:
			ok &= GET(a, t->maxwin);
			break;
		case FLOWTRACK_A_TCP_DIR_MAXACK:
			ok &= GET(a, t->maxack);
			break;
		case FLOWTRACK_A_TCP_DIR_SCALE:
			ok &= GET(a, t->scale);
			break;
		case FLOWTRACK_A_TCP_DIR_FLAGS:
			ok &= GET(a, t->flags);
			break;
		}
	}
	return ok && len < NLA_ALIGNTO;
}

static bool get_u32(const struct nlattr *a, __u64 *v)
{
	__u32 v32;

	if (!GET(a, v32))
		return false;
	*v = v32;
	return true;
}

static bool get_name(const struct nlattr *a, char name[FLOW_DEVICE_SIZE])
{
	int len = len_of(a);

	if (len < 1 || len > FLOW_DEVICE_SIZE)
		return false;
	memcpy(name, data_of(a), len);
	return !name[len - 1];
}

/* Attributes of one direction. Return: -1: it is none; 0: malformed; 1. */
static int parse_direction(const struct nlattr *a, unsigned int type, struct flow *f)
{
	switch (type) {
	case FLOWTRACK_A_FLOW_ORIG:
		return parse_tuple(a, &f->tuple[ORIG]);
	case FLOWTRACK_A_FLOW_REPLY:
		return parse_tuple(a, &f->tuple[REPLY]);
	case FLOWTRACK_A_FLOW_COUNTERS_ORIG:
		return parse_counters(a, &f->packets[ORIG], &f->bytes[ORIG]);
	case FLOWTRACK_A_FLOW_COUNTERS_REPLY:
		return parse_counters(a, &f->packets[REPLY], &f->bytes[REPLY]);
	case FLOWTRACK_A_FLOW_TCP_ORIG:
		return parse_tcp(a, &f->tcp[ORIG]);
	case FLOWTRACK_A_FLOW_TCP_REPLY:
		return parse_tcp(a, &f->tcp[REPLY]);
	case FLOWTRACK_A_FLOW_VTAG_ORIG:
		return GET(a, f->vtag[ORIG]);
	case FLOWTRACK_A_FLOW_VTAG_REPLY:
		return GET(a, f->vtag[REPLY]);
	default:
		return -1;
	}
}

/* Attributes of the flow. Return: likewise. */
static int parse_attr(const struct nlattr *a, unsigned int type, struct flow *f)
{
	switch (type) {
	case FLOWTRACK_A_FLOW_ID:
		return GET(a, f->id);
	case FLOWTRACK_A_FLOW_FAMILY:
		return GET(a, f->family);
	case FLOWTRACK_A_FLOW_L4PROTO:
		return GET(a, f->l4proto);
	case FLOWTRACK_A_FLOW_ZONE:
		return GET(a, f->zone);
	case FLOWTRACK_A_FLOW_STATE:
		return GET(a, f->state);
	case FLOWTRACK_A_FLOW_CLASS:
		return GET(a, f->class);
	case FLOWTRACK_A_FLOW_STATUS:
		return GET(a, f->status);
	case FLOWTRACK_A_FLOW_TIMEOUT:
		return get_u32(a, &f->timeout);
	case FLOWTRACK_A_FLOW_MARK:
		return GET(a, f->mark);
	case FLOWTRACK_A_FLOW_AGE:
		return GET(a, f->age);
	case FLOWTRACK_A_FLOW_START:
		return GET(a, f->start);
	case FLOWTRACK_A_FLOW_STOP:
		return GET(a, f->stop);
	case FLOWTRACK_A_FLOW_REASON:
		return GET(a, f->reason);
	case FLOWTRACK_A_FLOW_TRACKER:
		return GET(a, f->tracker);
	case FLOWTRACK_A_FLOW_MASQ:
		return get_name(a, f->masq);
	case FLOWTRACK_A_FLOW_DIGEST:
		return GET(a, f->digest);
	default:
		return parse_direction(a, type, f);
	}
}

/**
 * flow_parse() - read a flow from a message
 * @nlh: reply or notification of the family
 * @f: filled in; what the message does not have is not touched but for
 *	&flow.has
 *
 * Return: 0, or negative if the message is malformed.
 */
int flow_parse(const struct nlmsghdr *nlh, struct flow *f)
{
	int len = (int)nlh->nlmsg_len - (int)(NLMSG_HDRLEN + GENL_HDRLEN);
	const struct nlattr *a;
	bool ok = true;
	int known;

	f->has = 0;
	a = (const void *)((const char *)nlh + NLMSG_HDRLEN + GENL_HDRLEN);
	for_each_attr(a, a, len) {
		unsigned int type = a->nla_type & NLA_TYPE_MASK;

		known = parse_attr(a, type, f);
		if (known < 0)
			continue;
		ok &= known;
		f->has |= 1U << type;
	}
	return ok && len < NLA_ALIGNTO ? 0 : -1;
}

/**
 * wall_clock() - what time it is
 *
 * Return: nanoseconds since 1970.
 */
__u64 wall_clock(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

/**
 * flow_guess_start() - give a flow that has an age the time of its first packet
 * @f: flow
 * @now: nanoseconds since 1970
 *
 * An age is gone when the flow is restored, a time is not.
 */
void flow_guess_start(struct flow *f, __u64 now)
{
	const __u64 age = f->age * 1000000;

	if (!flow_has(f, FLOWTRACK_A_FLOW_AGE) || now < age)
		return;
	f->start = now - age;
	f->has |= FLOW_BIT(START);
}

static void put_tuple(struct nlmsghdr *nlh, unsigned int type,
		      const struct flow *f, const struct flow_tuple *t)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, type);

	if (f->family == AF_INET) {
		mnl_attr_put(nlh, FLOWTRACK_A_TUPLE_SRC4, 4, t->src);
		mnl_attr_put(nlh, FLOWTRACK_A_TUPLE_DST4, 4, t->dst);
	} else {
		mnl_attr_put(nlh, FLOWTRACK_A_TUPLE_SRC6, 16, t->src);
		mnl_attr_put(nlh, FLOWTRACK_A_TUPLE_DST6, 16, t->dst);
	}
	if (t->has & TUPLE_BIT(SPORT))
		mnl_attr_put_u16(nlh, FLOWTRACK_A_TUPLE_SPORT, t->sport);
	if (t->has & TUPLE_BIT(DPORT))
		mnl_attr_put_u16(nlh, FLOWTRACK_A_TUPLE_DPORT, t->dport);
	if (t->has & TUPLE_BIT(ICMP_ID))
		mnl_attr_put_u16(nlh, FLOWTRACK_A_TUPLE_ICMP_ID, t->icmp_id);
	if (t->has & TUPLE_BIT(ICMP_TYPE))
		mnl_attr_put_u8(nlh, FLOWTRACK_A_TUPLE_ICMP_TYPE, t->icmp_type);
	if (t->has & TUPLE_BIT(ICMP_CODE))
		mnl_attr_put_u8(nlh, FLOWTRACK_A_TUPLE_ICMP_CODE, t->icmp_code);
	if (t->has & TUPLE_BIT(GRE_KEY))
		mnl_attr_put_u32(nlh, FLOWTRACK_A_TUPLE_GRE_KEY, t->gre_key);
	mnl_attr_nest_end(nlh, nest);
}

static void put_counters(struct nlmsghdr *nlh, unsigned int type,
			 const struct flow *f, int dir)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, type);

	mnl_attr_put_u64(nlh, FLOWTRACK_A_COUNTERS_PACKETS, f->packets[dir]);
	mnl_attr_put_u64(nlh, FLOWTRACK_A_COUNTERS_BYTES, f->bytes[dir]);
	mnl_attr_nest_end(nlh, nest);
}

static void put_tcp(struct nlmsghdr *nlh, unsigned int type,
		    const struct flow_tcp *t)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, type);

	mnl_attr_put_u32(nlh, FLOWTRACK_A_TCP_DIR_END, t->end);
	mnl_attr_put_u32(nlh, FLOWTRACK_A_TCP_DIR_MAXEND, t->maxend);
	mnl_attr_put_u32(nlh, FLOWTRACK_A_TCP_DIR_MAXWIN, t->maxwin);
	mnl_attr_put_u32(nlh, FLOWTRACK_A_TCP_DIR_MAXACK, t->maxack);
	mnl_attr_put_u8(nlh, FLOWTRACK_A_TCP_DIR_SCALE, t->scale);
	mnl_attr_put_u8(nlh, FLOWTRACK_A_TCP_DIR_FLAGS, t->flags);
	mnl_attr_nest_end(nlh, nest);
}

/**
 * flow_put() - write a flow to a request
 * @nlh: request, with room for 512 bytes
 * @f: flow
 *
 * What follows from the rest is left out: class and age, which the kernel refuses, and
 * the reply tuple of a flow that is not translated.
 */
void flow_put(struct nlmsghdr *nlh, const struct flow *f)
{
	if (flow_has(f, FLOWTRACK_A_FLOW_ID))
		mnl_attr_put_u64(nlh, FLOWTRACK_A_FLOW_ID, f->id);
	if (flow_has(f, FLOWTRACK_A_FLOW_FAMILY))
		mnl_attr_put_u8(nlh, FLOWTRACK_A_FLOW_FAMILY, f->family);
	if (flow_has(f, FLOWTRACK_A_FLOW_L4PROTO))
		mnl_attr_put_u8(nlh, FLOWTRACK_A_FLOW_L4PROTO, f->l4proto);
	if (flow_has(f, FLOWTRACK_A_FLOW_ZONE))
		mnl_attr_put_u16(nlh, FLOWTRACK_A_FLOW_ZONE, f->zone);
	if (flow_has(f, FLOWTRACK_A_FLOW_ORIG))
		put_tuple(nlh, FLOWTRACK_A_FLOW_ORIG, f, &f->tuple[ORIG]);
	if (flow_has(f, FLOWTRACK_A_FLOW_REPLY) && flow_translated(f))
		put_tuple(nlh, FLOWTRACK_A_FLOW_REPLY, f, &f->tuple[REPLY]);
	if (flow_has(f, FLOWTRACK_A_FLOW_MASQ))
		mnl_attr_put_strz(nlh, FLOWTRACK_A_FLOW_MASQ, f->masq);
	if (flow_has(f, FLOWTRACK_A_FLOW_STATE))
		mnl_attr_put_u8(nlh, FLOWTRACK_A_FLOW_STATE, f->state);
	if (flow_has(f, FLOWTRACK_A_FLOW_STATUS))
		mnl_attr_put_u32(nlh, FLOWTRACK_A_FLOW_STATUS, f->status);
	if (flow_has(f, FLOWTRACK_A_FLOW_TIMEOUT))
		mnl_attr_put_u32(nlh, FLOWTRACK_A_FLOW_TIMEOUT, f->timeout);
	if (flow_has(f, FLOWTRACK_A_FLOW_MARK))
		mnl_attr_put_u32(nlh, FLOWTRACK_A_FLOW_MARK, f->mark);
	if (flow_has(f, FLOWTRACK_A_FLOW_COUNTERS_ORIG))
		put_counters(nlh, FLOWTRACK_A_FLOW_COUNTERS_ORIG, f, ORIG);
	if (flow_has(f, FLOWTRACK_A_FLOW_COUNTERS_REPLY))
		put_counters(nlh, FLOWTRACK_A_FLOW_COUNTERS_REPLY, f, REPLY);
	if (flow_has(f, FLOWTRACK_A_FLOW_START))
		mnl_attr_put_u64(nlh, FLOWTRACK_A_FLOW_START, f->start);
	if (flow_has(f, FLOWTRACK_A_FLOW_TCP_ORIG))
		put_tcp(nlh, FLOWTRACK_A_FLOW_TCP_ORIG, &f->tcp[ORIG]);
	if (flow_has(f, FLOWTRACK_A_FLOW_TCP_REPLY))
		put_tcp(nlh, FLOWTRACK_A_FLOW_TCP_REPLY, &f->tcp[REPLY]);
	if (flow_has(f, FLOWTRACK_A_FLOW_VTAG_ORIG))
		mnl_attr_put_u32(nlh, FLOWTRACK_A_FLOW_VTAG_ORIG,
				 f->vtag[ORIG]);
	if (flow_has(f, FLOWTRACK_A_FLOW_VTAG_REPLY))
		mnl_attr_put_u32(nlh, FLOWTRACK_A_FLOW_VTAG_REPLY,
				 f->vtag[REPLY]);
}

/* Type of the message that answers an ICMP query. */
static __u8 icmp_answer(__u8 family, __u8 type)
{
	if (family == AF_INET6) {
		switch (type) {
		case 128:
		case 139:
			return type + 1;
		case 129:
		case 140:
			return type - 1;
		default:
			return type;
		}
	}
	switch (type) {
	case 0:
		return 8;
	case 8:
		return 0;
	case 13:
	case 15:
	case 17:
		return type + 1;
	case 14:
	case 16:
	case 18:
		return type - 1;
	default:
		return type;
	}
}

/**
 * flow_invert() - the tuple of the reply direction
 * @f: flow
 * @reply: filled in from the original direction
 */
void flow_invert(const struct flow *f, struct flow_tuple *reply)
{
	const struct flow_tuple *t = &f->tuple[ORIG];

	*reply = *t;
	memcpy(reply->src, t->dst, sizeof(reply->src));
	memcpy(reply->dst, t->src, sizeof(reply->dst));
	reply->sport = t->dport;
	reply->dport = t->sport;
	if (t->has & TUPLE_BIT(ICMP_TYPE))
		reply->icmp_type = icmp_answer(f->family, t->icmp_type);
}

/**
 * flow_translated() - do answers come from, or go to, somewhere else?
 * @f: flow, with both tuples
 */
bool flow_translated(const struct flow *f)
{
	const struct flow_tuple *t = &f->tuple[REPLY];
	size_t len = t->has & TUPLE_BIT(SRC4) ? 4 : 16;
	struct flow_tuple want;

	flow_invert(f, &want);
	/* What the kernel did not say is not there to be compared. */
	return memcmp(t->src, want.src, len) || memcmp(t->dst, want.dst, len) ||
	       (t->has & TUPLE_BIT(SPORT) && t->sport != want.sport) ||
	       (t->has & TUPLE_BIT(DPORT) && t->dport != want.dport) ||
	       (t->has & TUPLE_BIT(ICMP_ID) && t->icmp_id != want.icmp_id);
}
