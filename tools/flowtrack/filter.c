// SPDX-License-Identifier: GPL-2.0
/*
 * The filter: from words, to a request, and applied to a flow. The kernel
 * applies it to a dump; the tool itself only to notifications.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <libmnl/libmnl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "err.h"
#include "filter.h"
#include "flow.h"
#include "names.h"

static_assert(__FLOWTRACK_A_FILTER_MAX <= 32, "struct filter.has is too small");

#define PORTS_WANTED	"0 to 65535, FROM-TO, or the name of a service"

#define BIT_OF(name)	(1U << FLOWTRACK_A_FILTER_##name)

static const char * const keys[] = {
	"tcp", "udp", "udplite", "icmp", "icmpv6", "sctp", "gre", "proto",
	"ipv4", "ipv6", "src", "dst", "sport", "dport", "state", "class",
	"mark", "zone", "age", "own", "guarded", "reply-src", "reply-dst",
	"reply-sport", "reply-dport",
};

/* The ends of a flow: their words and attributes. */
static const struct {
	const char *addr;
	const char *port;
	__u8 addr_attr;
	__u8 prefix_attr;
	__u8 min_attr;
	__u8 max_attr;
} ends[FILTER_ENDS] = {
#define END(addr, port, P, S)						\
	{ addr, port, FLOWTRACK_A_FILTER_##P, FLOWTRACK_A_FILTER_##P##_PREFIX,	\
	  FLOWTRACK_A_FILTER_##S##_MIN, FLOWTRACK_A_FILTER_##S##_MAX }
	END("src", "sport", SRC, SPORT),
	END("dst", "dport", DST, DPORT),
	END("reply-src", "reply-sport", REPLY_SRC, REPLY_SPORT),
	END("reply-dst", "reply-dport", REPLY_DST, REPLY_DPORT),
#undef END
};

/* Notes that an attribute is wanted; false if it was already. */
static bool want(struct filter *f, __u32 bit)
{
	if (f->has & bit)
		return false;
	f->has |= bit;
	return true;
}

static bool want_family(struct filter *f, __u8 family)
{
	if (f->has & BIT_OF(FAMILY))
		return f->family == family;
	f->has |= BIT_OF(FAMILY);
	f->family = family;
	return true;
}

static bool want_proto(struct filter *f, __u8 proto)
{
	f->l4proto = proto;
	return want(f, BIT_OF(L4PROTO));
}

/* Both may be said, neither twice. */
static bool want_tracker(struct filter *f, __u8 tracker)
{
	if (f->trackers & tracker)
		return false;
	f->has |= BIT_OF(TRACKER);
	f->trackers |= tracker;
	return true;
}

/* A word without a value: 1 if it is one, and may be said; 0; -1: not one. */
static int want_word(struct filter *f, const char *key)
{
	int v = proto_value(key);

	if (v >= 0)
		return want_proto(f, v);
	if (!strcmp(key, "ipv4"))
		return want_family(f, AF_INET);
	if (!strcmp(key, "ipv6"))
		return want_family(f, AF_INET6);
	v = value_of(&tracker_names, key);
	return v < 0 ? -1 : want_tracker(f, v);
}

static int parse_addr_word(struct filter *f, struct words *w, const char *value,
			   __u32 bit, struct addr *addr)
{
	if (!parse_prefix(value, addr))
		return words_bad(w, value, "an address or network, ADDR[/LEN]");
	if (!want(f, bit))
		return words_twice(w);
	if (!want_family(f, addr->family))
		return err_set(EXIT_USAGE, "'%s %s' is not %s", w->key, value,
			       f->family == AF_INET ? "IPv4" : "IPv6");
	return EXIT_OK;
}

static int parse_word(struct filter *f, struct words *w, const char **state,
		      const char *port_name[FILTER_ENDS])
{
	int v = want_word(f, w->key), err, end;
	const char *value = NULL;
	__u64 n;

	if (v >= 0) {
		err = words_no_value(w);
		if (err)
			return err;
		return v ? EXIT_OK : words_twice(w);
	}
	for (n = 0; n < sizeof(keys) / sizeof(keys[0]); n++)
		if (!strcmp(keys[n], w->key))
			break;
	if (n == sizeof(keys) / sizeof(keys[0]))
		return words_unknown(w, keys, n);

	err = words_value(w, &value);
	if (err)
		return err;
	if (!strcmp(w->key, "proto")) {
		v = proto_value(value);
		if (v < 0 && !parse_u64(value, 255, &n))
			return words_bad(w, value, "0 to 255");
		return want_proto(f, v < 0 ? n : (__u64)v) ? EXIT_OK :
							     words_twice(w);
	}
	for (end = 0; end < FILTER_ENDS; end++) {
		if (!strcmp(w->key, ends[end].addr))
			return parse_addr_word(f, w, value, 1U << ends[end].addr_attr,
					       &f->addr[end]);
		if (strcmp(w->key, ends[end].port))
			continue;
		/* Names of services depend on the protocol: look up later. */
		if (!want(f, 1U << ends[end].min_attr))
			return words_twice(w);
		port_name[end] = value;
		return EXIT_OK;
	}
	if (!strcmp(w->key, "state")) {
		*state = value;
		return want(f, BIT_OF(STATE)) ? EXIT_OK : words_twice(w);
	}
	if (!strcmp(w->key, "class")) {
		v = value_of(&class_names, value);
		if (v < 0)
			return words_bad(w, value,
					 "closing, embryonic, replied or assured");
		f->class = v;
		return want(f, BIT_OF(CLASS)) ? EXIT_OK : words_twice(w);
	}
	if (!strcmp(w->key, "mark")) {
		if (!parse_masked(value, &f->mark, &f->mark_mask))
			return words_bad(w, value, "N or N/MASK, 32 bits");
		if (f->mark & ~f->mark_mask)
			return words_bad(w, value, "no bit outside of the mask");
		return want(f, BIT_OF(MARK)) ? EXIT_OK : words_twice(w);
	}
	if (!strcmp(w->key, "zone")) {
		if (!parse_u64(value, 65535, &n))
			return words_bad(w, value, "0 to 65535");
		f->zone = n;
		return want(f, BIT_OF(ZONE)) ? EXIT_OK : words_twice(w);
	}
	if (!parse_age(value, &f->age_min, &f->age_max))
		return words_bad(w, value,
				 ">N, <N, N-M or N with units s, m, h, d");
	return want(f, BIT_OF(AGE_MIN)) ? EXIT_OK : words_twice(w);
}

static int parse_state(struct filter *f, const char *state)
{
	const struct names *names;
	char list[256];
	int v;

	if (!(f->has & BIT_OF(L4PROTO)))
		return err_set(EXIT_USAGE,
			       "'state %s' needs a protocol, such as tcp",
			       state);
	names = proto_states(f->l4proto);
	v = value_of(names, state);
	if (v < 0) {
		name_list(names, list, sizeof(list));
		return err_set(EXIT_USAGE,
			       "bad value '%s' of 'state': expected one of %s",
			       state, list);
	}
	f->state = v;
	return EXIT_OK;
}

static int parse_port(struct filter *f, const char *key, const char *value,
		      __u16 *min, __u16 *max)
{
	bool known = f->has & BIT_OF(L4PROTO);

	if (known && !proto_has_ports(f->l4proto))
		return err_set(EXIT_USAGE,
			       "'%s' needs tcp, udp, udplite or sctp", key);
	if (!parse_ports(value, known ? f->l4proto : 0, min, max))
		return err_set(EXIT_USAGE, "bad value '%s' of '%s': expected "
			       PORTS_WANTED, value, key);
	return EXIT_OK;
}

/**
 * filter_parse() - read a filter from words
 * @f: filled in
 * @argc: how many words
 * @argv: words
 * @family: AF_INET or AF_INET6 if an option says so, or 0
 *
 * Return: an exit code.
 */
int filter_parse(struct filter *f, int argc, char **argv, __u8 family)
{
	const char *state = NULL, *port_name[FILTER_ENDS] = { NULL };
	struct words w;
	int err, end;

	memset(f, 0, sizeof(*f));
	if (family)
		want_family(f, family);
	words_init(&w, argc, argv);
	while (words_next(&w)) {
		err = parse_word(f, &w, &state, port_name);
		if (err)
			return err;
	}
	if (f->has & BIT_OF(L4PROTO) && proto_is_icmp(f->l4proto) &&
	    !want_family(f, f->l4proto == IPPROTO_ICMP ? AF_INET : AF_INET6))
		return err_set(EXIT_USAGE, "%s is not a protocol of %s",
			       proto_name(f->l4proto),
			       f->family == AF_INET ? "IPv4" : "IPv6");
	if (state) {
		err = parse_state(f, state);
		if (err)
			return err;
	}
	for (end = 0; end < FILTER_ENDS; end++) {
		if (!port_name[end])
			continue;
		err = parse_port(f, ends[end].port, port_name[end], &f->port_min[end],
				 &f->port_max[end]);
		if (err)
			return err;
	}
	return EXIT_OK;
}

/**
 * filter_empty() - does it match all flows of those who track them?
 * @f: filter
 *
 * Return: true if it does.
 */
bool filter_empty(const struct filter *f)
{
	__u32 has = f->has & ~BIT_OF(TRACKER);

	/* Words that leave nothing out say nothing: "mark 0/0", "age >0". */
	if (!f->mark_mask)
		has &= ~BIT_OF(MARK);
	if (!f->age_min && f->age_max == UINT_MAX)
		has &= ~BIT_OF(AGE_MIN);
	return !has;
}

/**
 * filter_wants() - were the flows of a tracker asked for?
 * @f: filter
 * @tracker: whose
 *
 * Return: true if so.
 */
bool filter_wants(const struct filter *f, enum flowtrack_tracker tracker)
{
	return f->trackers & tracker;
}

/**
 * filter_default() - whose flows are meant if the words do not say
 * @f: filter
 * @trackers: bits of enum flowtrack_tracker
 */
void filter_default(struct filter *f, __u8 trackers)
{
	if (f->has & BIT_OF(TRACKER))
		return;
	f->has |= BIT_OF(TRACKER);
	f->trackers = trackers;
}

/**
 * filter_put() - write a filter to a request
 * @nlh: request, with room for 512 bytes
 * @f: filter; an empty one becomes an empty nest, which all flows match
 */
void filter_put(struct nlmsghdr *nlh, const struct filter *f)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, FLOWTRACK_A_FLOW_FILTER);
	int end;

	if (f->has & BIT_OF(FAMILY))
		mnl_attr_put_u8(nlh, FLOWTRACK_A_FILTER_FAMILY, f->family);
	if (f->has & BIT_OF(L4PROTO))
		mnl_attr_put_u8(nlh, FLOWTRACK_A_FILTER_L4PROTO, f->l4proto);
	for (end = 0; end < FILTER_ENDS; end++) {
		if (f->has & 1U << ends[end].addr_attr) {
			mnl_attr_put(nlh, ends[end].addr_attr,
				     f->addr[end].family == AF_INET ? 4 : 16, f->addr[end].b);
			mnl_attr_put_u8(nlh, ends[end].prefix_attr, f->addr[end].len);
		}
		if (f->has & 1U << ends[end].min_attr) {
			mnl_attr_put_u16(nlh, ends[end].min_attr, f->port_min[end]);
			mnl_attr_put_u16(nlh, ends[end].max_attr, f->port_max[end]);
		}
	}
	if (f->has & BIT_OF(STATE))
		mnl_attr_put_u8(nlh, FLOWTRACK_A_FILTER_STATE, f->state);
	if (f->has & BIT_OF(CLASS))
		mnl_attr_put_u8(nlh, FLOWTRACK_A_FILTER_CLASS, f->class);
	if (f->has & BIT_OF(MARK)) {
		mnl_attr_put_u32(nlh, FLOWTRACK_A_FILTER_MARK, f->mark);
		mnl_attr_put_u32(nlh, FLOWTRACK_A_FILTER_MARK_MASK,
				 f->mark_mask);
	}
	if (f->has & BIT_OF(ZONE))
		mnl_attr_put_u16(nlh, FLOWTRACK_A_FILTER_ZONE, f->zone);
	if (f->has & BIT_OF(AGE_MIN)) {
		if (f->age_min)
			mnl_attr_put_u32(nlh, FLOWTRACK_A_FILTER_AGE_MIN,
					 f->age_min);
		if (f->age_max != UINT_MAX)
			mnl_attr_put_u32(nlh, FLOWTRACK_A_FILTER_AGE_MAX,
					 f->age_max);
	}
	if (f->has & BIT_OF(TRACKER))
		mnl_attr_put_u8(nlh, FLOWTRACK_A_FILTER_TRACKER, f->trackers);
	mnl_attr_nest_end(nlh, nest);
}

static bool match_addr(const struct addr *addr, const __u8 *b)
{
	unsigned int bytes = addr->len / 8, bits = addr->len % 8;

	if (memcmp(addr->b, b, bytes))
		return false;
	return !bits || !((addr->b[bytes] ^ b[bytes]) >> (8 - bits));
}

static bool match_end(const struct filter *f, int end, const struct flow_tuple *t)
{
	bool dst = end == FILTER_DST || end == FILTER_REPLY_DST;
	__u16 port = ntohs(dst ? t->dport : t->sport);

	if (f->has & 1U << ends[end].addr_attr && !match_addr(&f->addr[end], dst ? t->dst : t->src))
		return false;
	return !(f->has & 1U << ends[end].min_attr) ||
	       (t->has & TUPLE_BIT(SPORT) && port >= f->port_min[end] && port <= f->port_max[end]);
}

/**
 * filter_match() - does a flow match?
 * @f: filter
 * @flow: flow
 *
 * The same predicate as the kernel's: what a flow does not have, it does not
 * match.
 */
bool filter_match(const struct filter *f, const struct flow *flow)
{
	const struct flow_tuple *t = &flow->tuple[ORIG];
	__u64 secs = flow->age / 1000;
	struct flow_tuple reply;
	int end;

	flow_invert(flow, &reply);
	if (flow->has & FLOW_BIT(REPLY))
		reply = flow->tuple[REPLY];

	if (f->has & BIT_OF(FAMILY) && f->family != flow->family)
		return false;
	if (f->has & BIT_OF(L4PROTO) && f->l4proto != flow->l4proto)
		return false;
	for (end = 0; end < FILTER_ENDS; end++)
		if (!match_end(f, end, end < FILTER_REPLY_SRC ? t : &reply))
			return false;
	if (f->has & BIT_OF(STATE) &&
	    (!(flow->has & FLOW_BIT(STATE)) || f->state != flow->state))
		return false;
	if (f->has & BIT_OF(CLASS) &&
	    (!(flow->has & FLOW_BIT(CLASS)) || f->class != flow->class))
		return false;
	/* A mark or zone of zero may be left out of a message. */
	if (f->has & BIT_OF(MARK) &&
	    ((flow->has & FLOW_BIT(MARK) ? flow->mark : 0) & f->mark_mask) !=
	    f->mark)
		return false;
	if (f->has & BIT_OF(ZONE) &&
	    (flow->has & FLOW_BIT(ZONE) ? flow->zone : 0) != f->zone)
		return false;
	if (f->has & BIT_OF(AGE_MIN) &&
	    (!(flow->has & FLOW_BIT(AGE)) || secs < f->age_min ||
	     secs > f->age_max))
		return false;
	if (f->has & BIT_OF(TRACKER) &&
	    !(f->trackers & (flow->has & FLOW_BIT(TRACKER) ?
			     flow->tracker : FLOWTRACK_TRACKER_OWN)))
		return false;
	return true;
}
