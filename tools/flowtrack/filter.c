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

static_assert(FLOWTRACK_A_FILTER_PORT_MAX < 32, "struct terms.has is too small");

#define BIT_OF(name)	(1U << FLOWTRACK_A_FILTER_##name)

/* Words with a value: the attribute that is asked for. */
static const struct {
	const char *key;
	__u8 attr;
} valued[] = {
	{ "proto", FLOWTRACK_A_FILTER_L4PROTO },
	{ "state", FLOWTRACK_A_FILTER_STATE },
	{ "class", FLOWTRACK_A_FILTER_CLASS },
	{ "mark", FLOWTRACK_A_FILTER_MARK },
	{ "zone", FLOWTRACK_A_FILTER_ZONE },
	{ "age", FLOWTRACK_A_FILTER_AGE_MIN },
};

static const char * const keys[] = {
	"tcp", "udp", "udplite", "icmp", "icmpv6", "sctp", "gre", "proto",
	"ipv4", "ipv6", "src", "dst", "sport", "dport", "host", "port", "state",
	"class", "mark", "zone", "age", "own", "guarded", "reply-src",
	"reply-dst", "reply-sport", "reply-dport", "not",
};

const struct names filter_keys = { keys, sizeof(keys) / sizeof(keys[0]) };

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
	END("host", "port", HOST, PORT),
#undef END
};

/*
 * What needs the protocol, which may be said later: names of services and of
 * states. The words are read twice, these in the second round.
 */
#define LATE_WORDS	(BIT_OF(STATE) | BIT_OF(SPORT_MIN) | BIT_OF(DPORT_MIN) |	\
			 BIT_OF(REPLY_SPORT_MIN) | BIT_OF(REPLY_DPORT_MIN) |	\
			 BIT_OF(PORT_MIN))

static bool want_family(struct terms *t, __u8 family)
{
	if (t->has & BIT_OF(FAMILY))
		return t->family == family;
	t->has |= BIT_OF(FAMILY);
	t->family = family;
	return true;
}

/* The bit of the attribute that a word with a value asks for; 0: none does. */
static __u32 bit_of_word(const char *key, int *end)
{
	size_t i;

	for (*end = 0; *end < FILTER_ENDS; ++*end) {
		if (!strcmp(key, ends[*end].addr))
			return 1U << ends[*end].addr_attr;
		if (!strcmp(key, ends[*end].port))
			return 1U << ends[*end].min_attr;
	}
	for (i = 0; i < sizeof(valued) / sizeof(valued[0]); i++)
		if (!strcmp(key, valued[i].key))
			return 1U << valued[i].attr;
	return 0;
}

/**
 * filter_key_has_value() - whether a value belongs to a word of the filter
 * @key: word
 */
bool filter_key_has_value(const char *key)
{
	int end;

	return bit_of_word(key, &end);
}

static int parse_state(const struct terms *all, struct terms *t, const char *state)
{
	const struct names *names;
	char list[256];
	int v;

	if (!(all->has & BIT_OF(L4PROTO)))
		return err_set(EXIT_USAGE,
			       "'state %s' needs a protocol, such as tcp",
			       state);
	names = proto_states(all->l4proto);
	v = value_of(names, state);
	if (v < 0) {
		name_list(names, list, sizeof(list));
		return err_set(EXIT_USAGE,
			       "bad value '%s' of 'state': expected one of %s",
			       state, list);
	}
	t->state = v;
	/* The kernel reads it as one of this protocol. */
	t->l4proto = all->l4proto;
	t->has |= BIT_OF(L4PROTO);
	return EXIT_OK;
}

static int parse_port(const struct words *w, const struct terms *all, struct terms *t, int end,
		      const char *value)
{
	bool known = all->has & BIT_OF(L4PROTO);

	if (known && !proto_has_ports(all->l4proto))
		return err_set(EXIT_USAGE,
			       "'%s' needs tcp, udp, udplite or sctp", w->key);
	if (!parse_ports(value, known ? all->l4proto : 0, &t->port_min[end], &t->port_max[end]))
		return words_bad(w, value, "0 to 65535, FROM-TO, or the name of a service");
	return EXIT_OK;
}

static int parse_end(const struct words *w, struct terms *t, int end, const char *value)
{
	if (!parse_prefix(value, &t->addr[end]))
		return words_bad(w, value, "an address or network, ADDR[/LEN]");
	if (!want_family(t, t->addr[end].family))
		return err_set(EXIT_USAGE, "'%s %s' is not %s", w->key, value,
			       t->family == AF_INET ? "IPv4" : "IPv6");
	return EXIT_OK;
}

/**
 * parse_value() - one value of a word
 * @w: the word
 * @bit: of the attribute that it asks for
 * @end: if it is one of an end: which
 * @all: what all flows are like
 * @t: where it goes: @all, or a part
 * @value: value
 *
 * Return: an exit code.
 */
static int parse_value(const struct words *w, __u32 bit, int end, const struct terms *all,
		       struct terms *t, const char *value)
{
	__u64 n;
	int v;

	t->has |= bit;
	if (end < FILTER_ENDS)
		return bit & LATE_WORDS ? parse_port(w, all, t, end, value) :
					  parse_end(w, t, end, value);
	switch (bit) {
	case BIT_OF(L4PROTO):
		v = proto_value(value);
		if (v < 0 && !parse_u64(value, 255, &n))
			return words_bad(w, value, "0 to 255");
		t->l4proto = v < 0 ? n : (__u64)v;
		return EXIT_OK;
	case BIT_OF(STATE):
		return parse_state(all, t, value);
	case BIT_OF(CLASS):
		v = value_of(&class_names, value);
		if (v < 0)
			return words_bad(w, value,
					 "closing, embryonic, replied or assured");
		t->class = v;
		return EXIT_OK;
	case BIT_OF(MARK):
		if (!parse_masked(value, &t->mark, &t->mark_mask))
			return words_bad(w, value, "N or N/MASK, 32 bits");
		if (t->mark & ~t->mark_mask)
			return words_bad(w, value, "no bit outside of the mask");
		return EXIT_OK;
	case BIT_OF(ZONE):
		if (!parse_u64(value, 65535, &n))
			return words_bad(w, value, "0 to 65535");
		t->zone = n;
		return EXIT_OK;
	default:
		if (!parse_age(value, &t->age_min, &t->age_max))
			return words_bad(w, value,
					 ">N, <N, N-M or N with units s, m, h, d");
		return EXIT_OK;
	}
}

/* The terms of a new part; NULL, with a message: there are too many. */
static struct terms *add_part(struct filter *f, unsigned int list)
{
	if (f->parts == FILTER_PARTS) {
		err_set(EXIT_USAGE, "more than %d values in lists and behind 'not'",
			FILTER_PARTS);
		return NULL;
	}
	f->part[f->parts].list = list;
	return &f->part[f->parts++].terms;
}

/* VALUE[,VALUE]...: one goes into @f->all, several are parts; with @not all are. */
static int parse_values(struct filter *f, const struct words *w, __u32 bit, int end,
			const char *values, bool not)
{
	bool several = strchr(values, ',');
	unsigned int list = 0;
	struct terms *t;
	char value[64];
	size_t len;
	int err;

	if (!not && several)
		list = ++f->lists;
	for (;; values += len + 1) {
		len = strcspn(values, ",");
		if (!len || len >= sizeof(value))
			return words_bad(w, values, "VALUE or VALUE,VALUE...");
		memcpy(value, values, len);
		value[len] = '\0';
		t = not || several ? add_part(f, list) : &f->all;
		if (!t)
			return EXIT_USAGE;
		err = parse_value(w, bit, end, &f->all, t, value);
		if (err)
			return err;
		/* All flows are of one family, and so must this one be. */
		if (!not && several && t->has & BIT_OF(FAMILY) && f->all.has & BIT_OF(FAMILY) &&
		    t->family != f->all.family)
			return err_set(EXIT_USAGE, "'%s %s' is not %s", w->key, value,
				       f->all.family == AF_INET ? "IPv4" : "IPv6");
		if (!values[len])
			return EXIT_OK;
	}
}

/* A protocol or a family as a word. Return: an exit code; -1: it is neither. */
static int parse_flag(struct filter *f, struct words *w, bool not)
{
	struct terms *t = &f->all;
	int proto = proto_value(w->key), err;
	__u8 family = 0;

	if (!strcmp(w->key, "ipv4"))
		family = AF_INET;
	if (!strcmp(w->key, "ipv6"))
		family = AF_INET6;
	if (proto < 0 && !family)
		return -1;
	err = words_no_value(w);
	if (err)
		return err;
	if (not)
		t = add_part(f, 0);
	if (!t)
		return EXIT_USAGE;
	if (family)
		return want_family(t, family) ? EXIT_OK : words_twice(w);
	if (!not && f->said & BIT_OF(L4PROTO))
		return words_twice(w);
	if (!not)
		f->said |= BIT_OF(L4PROTO);
	t->has |= BIT_OF(L4PROTO);
	t->l4proto = proto;
	return EXIT_OK;
}

/* Both may be said, neither twice. Return: an exit code; -1: it is no such word. */
static int parse_tracker(struct filter *f, struct words *w, bool not)
{
	int tracker = value_of(&tracker_names, w->key), err;

	if (tracker < 0)
		return -1;
	err = words_no_value(w);
	if (err)
		return err;
	if (not)
		return err_set(EXIT_USAGE, "'not %s': say '%s'", w->key,
			       tracker == FLOWTRACK_TRACKER_OWN ? "guarded" : "own");
	if (f->trackers & tracker)
		return words_twice(w);
	f->trackers |= tracker;
	return EXIT_OK;
}

/* A word, of one of the two rounds, and what belongs to it. */
static int parse_word(struct filter *f, struct words *w, bool late)
{
	bool not = !strcmp(w->key, "not");
	const char *values;
	int err, end;
	__u32 bit;

	if (not) {
		err = words_no_value(w);
		if (err)
			return err;
		if (!words_next(w))
			return err_set(EXIT_USAGE, "'not' needs a word behind it");
	}
	bit = bit_of_word(w->key, &end);
	if (!bit) {
		err = late ? EXIT_OK : parse_flag(f, w, not);
		if (err < 0)
			err = parse_tracker(f, w, not);
		return err < 0 ? words_unknown(w, filter_keys.name, filter_keys.n) : err;
	}
	err = words_value(w, &values);
	if (err || !(bit & LATE_WORDS) == late)
		return err;
	if (!not && f->said & bit)
		return words_twice(w);
	if (!not)
		f->said |= bit;
	return parse_values(f, w, bit, end, values, not);
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
	struct words w;
	int err, late;

	memset(f, 0, sizeof(*f));
	if (family)
		want_family(&f->all, family);
	for (late = 0; late < 2; late++) {
		words_init(&w, argc, argv);
		while (words_next(&w)) {
			err = parse_word(f, &w, late);
			if (err)
				return err;
		}
	}
	if (f->all.has & BIT_OF(L4PROTO) && proto_is_icmp(f->all.l4proto) &&
	    !want_family(&f->all, f->all.l4proto == IPPROTO_ICMP ? AF_INET : AF_INET6))
		return err_set(EXIT_USAGE, "%s is not a protocol of %s",
			       proto_name(f->all.l4proto),
			       f->all.family == AF_INET ? "IPv4" : "IPv6");
	return EXIT_OK;
}

/**
 * filter_empty() - does it match all flows of the trackers it names?
 * @f: filter
 *
 * Return: true if it does.
 */
bool filter_empty(const struct filter *f)
{
	__u32 has = f->all.has;

	/* Words that leave nothing out say nothing: "mark 0/0", "age >0". */
	if (!f->all.mark_mask)
		has &= ~BIT_OF(MARK);
	if (!f->all.age_min && f->all.age_max == UINT_MAX)
		has &= ~BIT_OF(AGE_MIN);
	return !has && !f->parts;
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
	if (!f->trackers)
		f->trackers = trackers;
}

/**
 * filter_parse_any() - as filter_parse(), for a verb that is about the flows of both tables
 * @f: filled in; if the words do not say, it is about both
 * @argc: how many words
 * @argv: words
 * @family: likewise
 *
 * Return: an exit code.
 */
int filter_parse_any(struct filter *f, int argc, char **argv, __u8 family)
{
	int code = filter_parse(f, argc, argv, family);

	if (!code)
		filter_default(f, FLOWTRACK_TRACKER_OWN | FLOWTRACK_TRACKER_GUARDED);
	return code;
}

static void put_terms(struct nlmsghdr *nlh, const struct terms *t)
{
	int end;

	if (t->has & BIT_OF(FAMILY))
		mnl_attr_put_u8(nlh, FLOWTRACK_A_FILTER_FAMILY, t->family);
	if (t->has & BIT_OF(L4PROTO))
		mnl_attr_put_u8(nlh, FLOWTRACK_A_FILTER_L4PROTO, t->l4proto);
	for (end = 0; end < FILTER_ENDS; end++) {
		if (t->has & 1U << ends[end].addr_attr) {
			mnl_attr_put(nlh, ends[end].addr_attr,
				     t->addr[end].family == AF_INET ? 4 : 16, t->addr[end].b);
			mnl_attr_put_u8(nlh, ends[end].prefix_attr, t->addr[end].len);
		}
		if (t->has & 1U << ends[end].min_attr) {
			mnl_attr_put_u16(nlh, ends[end].min_attr, t->port_min[end]);
			mnl_attr_put_u16(nlh, ends[end].max_attr, t->port_max[end]);
		}
	}
	if (t->has & BIT_OF(STATE))
		mnl_attr_put_u8(nlh, FLOWTRACK_A_FILTER_STATE, t->state);
	if (t->has & BIT_OF(CLASS))
		mnl_attr_put_u8(nlh, FLOWTRACK_A_FILTER_CLASS, t->class);
	if (t->has & BIT_OF(MARK)) {
		mnl_attr_put_u32(nlh, FLOWTRACK_A_FILTER_MARK, t->mark);
		mnl_attr_put_u32(nlh, FLOWTRACK_A_FILTER_MARK_MASK,
				 t->mark_mask);
	}
	if (t->has & BIT_OF(ZONE))
		mnl_attr_put_u16(nlh, FLOWTRACK_A_FILTER_ZONE, t->zone);
	if (t->has & BIT_OF(AGE_MIN)) {
		mnl_attr_put_u32(nlh, FLOWTRACK_A_FILTER_AGE_MIN, t->age_min);
		if (t->age_max != UINT_MAX)
			mnl_attr_put_u32(nlh, FLOWTRACK_A_FILTER_AGE_MAX,
					 t->age_max);
	}
}

/* The exceptions, and the lists with their alternatives. */
static void put_parts(struct nlmsghdr *nlh, const struct filter *f)
{
	struct nlattr *any = NULL, *nest;
	unsigned int i, list = 0;

	for (i = 0; i < f->parts; i++) {
		if (any && f->part[i].list != list) {
			mnl_attr_nest_end(nlh, any);
			any = NULL;
		}
		list = f->part[i].list;
		if (list && !any)
			any = mnl_attr_nest_start(nlh, FLOWTRACK_A_FILTER_ANY);
		nest = mnl_attr_nest_start(nlh, list ? FLOWTRACK_A_ANY_FILTER :
						       FLOWTRACK_A_FILTER_NOT);
		put_terms(nlh, &f->part[i].terms);
		mnl_attr_nest_end(nlh, nest);
	}
	if (any)
		mnl_attr_nest_end(nlh, any);
}

/**
 * filter_put_as() - write a filter to a request
 * @nlh: request, with little else in it
 * @attr: attribute that the request has it as
 * @f: filter; an empty one becomes an empty nest, which all flows match
 */
void filter_put_as(struct nlmsghdr *nlh, __u16 attr, const struct filter *f)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, attr);

	put_terms(nlh, &f->all);
	if (f->trackers)
		mnl_attr_put_u8(nlh, FLOWTRACK_A_FILTER_TRACKER, f->trackers);
	put_parts(nlh, f);
	mnl_attr_nest_end(nlh, nest);
}

/* Likewise, to one of those that are about flows. */
void filter_put(struct nlmsghdr *nlh, const struct filter *f)
{
	filter_put_as(nlh, FLOWTRACK_A_FLOW_FILTER, f);
}

static bool match_addr(const struct addr *addr, const __u8 *b)
{
	unsigned int bytes = addr->len / 8, bits = addr->len % 8;

	if (memcmp(addr->b, b, bytes))
		return false;
	return !bits || !((addr->b[bytes] ^ b[bytes]) >> (8 - bits));
}

static bool match_port(const struct terms *t, int end, const struct flow_tuple *tuple, bool dst)
{
	__u16 port = ntohs(dst ? tuple->dport : tuple->sport);

	return tuple->has & TUPLE_BIT(SPORT) && port >= t->port_min[end] &&
	       port <= t->port_max[end];
}

static bool match_end(const struct terms *t, int end, const struct flow_tuple tuple[2])
{
	int pos = end == FILTER_EITHER ? FILTER_SRC : end;
	int last = end == FILTER_EITHER ? FILTER_REPLY_DST : end;
	bool addr = !(t->has & 1U << ends[end].addr_attr);
	bool port = !(t->has & 1U << ends[end].min_attr);

	for (; pos <= last; pos++) {
		const struct flow_tuple *at = &tuple[pos >= FILTER_REPLY_SRC];
		bool dst = pos == FILTER_DST || pos == FILTER_REPLY_DST;

		addr = addr || match_addr(&t->addr[end], dst ? at->dst : at->src);
		port = port || match_port(t, end, at, dst);
	}
	return addr && port;
}

static bool match_terms(const struct terms *t, const struct flow *flow,
			const struct flow_tuple tuple[2])
{
	__u64 secs = flow->age / 1000;
	int end;

	if (t->has & BIT_OF(FAMILY) && t->family != flow->family)
		return false;
	if (t->has & BIT_OF(L4PROTO) && t->l4proto != flow->l4proto)
		return false;
	for (end = 0; end < FILTER_ENDS; end++)
		if (!match_end(t, end, tuple))
			return false;
	if (t->has & BIT_OF(STATE) &&
	    (!(flow->has & FLOW_BIT(STATE)) || t->state != flow->state))
		return false;
	if (t->has & BIT_OF(CLASS) &&
	    (!(flow->has & FLOW_BIT(CLASS)) || t->class != flow->class))
		return false;
	/* A mark or zone of zero may be left out of a message. */
	if (t->has & BIT_OF(MARK) &&
	    ((flow->has & FLOW_BIT(MARK) ? flow->mark : 0) & t->mark_mask) !=
	    t->mark)
		return false;
	if (t->has & BIT_OF(ZONE) &&
	    (flow->has & FLOW_BIT(ZONE) ? flow->zone : 0) != t->zone)
		return false;
	return !(t->has & BIT_OF(AGE_MIN)) ||
	       (flow->has & FLOW_BIT(AGE) && secs >= t->age_min && secs <= t->age_max);
}

/* One of each list, and no exception. */
static bool match_parts(const struct filter *f, const struct flow *flow,
			const struct flow_tuple tuple[2])
{
	unsigned int i = 0, list;
	bool met;

	while (i < f->parts) {
		list = f->part[i].list;
		met = false;
		do {
			met = met || match_terms(&f->part[i].terms, flow, tuple);
			i++;
		} while (list && i < f->parts && f->part[i].list == list);
		if (met == !list)
			return false;
	}
	return true;
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
	struct flow_tuple tuple[2] = { flow->tuple[ORIG] };

	if (flow->has & FLOW_BIT(REPLY))
		tuple[REPLY] = flow->tuple[REPLY];
	else
		flow_invert(flow, &tuple[REPLY]);
	if (f->trackers && !(f->trackers & (flow->has & FLOW_BIT(TRACKER) ?
					    flow->tracker : FLOWTRACK_TRACKER_OWN)))
		return false;
	return match_terms(&f->all, flow, tuple) && match_parts(f, flow, tuple);
}
