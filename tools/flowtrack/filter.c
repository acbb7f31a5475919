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
	"mark", "zone", "age", "own", "guarded",
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
		      const char *port_name[2])
{
	int v = want_word(f, w->key), err;
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
	if (!strcmp(w->key, "src"))
		return parse_addr_word(f, w, value, BIT_OF(SRC), &f->src);
	if (!strcmp(w->key, "dst"))
		return parse_addr_word(f, w, value, BIT_OF(DST), &f->dst);
	if (!strcmp(w->key, "sport") || !strcmp(w->key, "dport")) {
		/* Names of services depend on the protocol: look up later. */
		if (!want(f, *w->key == 's' ? BIT_OF(SPORT_MIN) :
					      BIT_OF(DPORT_MIN)))
			return words_twice(w);
		port_name[*w->key == 'd'] = value;
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
	const char *state = NULL, *port_name[2] = { NULL, NULL };
	struct words w;
	int err;

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
	if (port_name[0]) {
		err = parse_port(f, "sport", port_name[0], &f->sport_min,
				 &f->sport_max);
		if (err)
			return err;
	}
	if (port_name[1]) {
		err = parse_port(f, "dport", port_name[1], &f->dport_min,
				 &f->dport_max);
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
 * @nlh: request, with room for 256 bytes
 * @f: filter; an empty one becomes an empty nest, which all flows match
 */
void filter_put(struct nlmsghdr *nlh, const struct filter *f)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, FLOWTRACK_A_FLOW_FILTER);

	if (f->has & BIT_OF(FAMILY))
		mnl_attr_put_u8(nlh, FLOWTRACK_A_FILTER_FAMILY, f->family);
	if (f->has & BIT_OF(L4PROTO))
		mnl_attr_put_u8(nlh, FLOWTRACK_A_FILTER_L4PROTO, f->l4proto);
	if (f->has & BIT_OF(SRC)) {
		mnl_attr_put(nlh, FLOWTRACK_A_FILTER_SRC,
			     f->src.family == AF_INET ? 4 : 16, f->src.b);
		mnl_attr_put_u8(nlh, FLOWTRACK_A_FILTER_SRC_PREFIX, f->src.len);
	}
	if (f->has & BIT_OF(DST)) {
		mnl_attr_put(nlh, FLOWTRACK_A_FILTER_DST,
			     f->dst.family == AF_INET ? 4 : 16, f->dst.b);
		mnl_attr_put_u8(nlh, FLOWTRACK_A_FILTER_DST_PREFIX, f->dst.len);
	}
	if (f->has & BIT_OF(SPORT_MIN)) {
		mnl_attr_put_u16(nlh, FLOWTRACK_A_FILTER_SPORT_MIN,
				 f->sport_min);
		mnl_attr_put_u16(nlh, FLOWTRACK_A_FILTER_SPORT_MAX,
				 f->sport_max);
	}
	if (f->has & BIT_OF(DPORT_MIN)) {
		mnl_attr_put_u16(nlh, FLOWTRACK_A_FILTER_DPORT_MIN,
				 f->dport_min);
		mnl_attr_put_u16(nlh, FLOWTRACK_A_FILTER_DPORT_MAX,
				 f->dport_max);
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

	if (f->has & BIT_OF(FAMILY) && f->family != flow->family)
		return false;
	if (f->has & BIT_OF(L4PROTO) && f->l4proto != flow->l4proto)
		return false;
	if (f->has & BIT_OF(SRC) && !match_addr(&f->src, t->src))
		return false;
	if (f->has & BIT_OF(DST) && !match_addr(&f->dst, t->dst))
		return false;
	if (f->has & BIT_OF(SPORT_MIN) &&
	    (!(t->has & TUPLE_BIT(SPORT)) || ntohs(t->sport) < f->sport_min ||
	     ntohs(t->sport) > f->sport_max))
		return false;
	if (f->has & BIT_OF(DPORT_MIN) &&
	    (!(t->has & TUPLE_BIT(DPORT)) || ntohs(t->dport) < f->dport_min ||
	     ntohs(t->dport) > f->dport_max))
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
