// SPDX-License-Identifier: GPL-2.0
/*
 * A flow in words: what get and add are told, and the lines of a saved table,
 * which are written and read here.
 */
#include <arpa/inet.h>
#include <limits.h>
#include <string.h>

#include "err.h"
#include "flow.h"
#include "names.h"
#include "out.h"
#include "parse.h"

enum key {
	KEY_IPV4, KEY_IPV6, KEY_PROTO, KEY_SRC, KEY_DST, KEY_SPORT, KEY_DPORT,
	KEY_ICMPID, KEY_TYPE, KEY_CODE, KEY_KEY, KEY_ZONE, KEY_ID,
	KEY_STATE, KEY_STATUS, KEY_TIMEOUT, KEY_MARK, KEY_PACKETS, KEY_BYTES,
	KEY_REPLY_PACKETS, KEY_REPLY_BYTES, KEY_TCP, KEY_REPLY_TCP, KEY_VTAG,
	KEY_REPLY_VTAG, KEY_START, KEY_REPLY_SRC, KEY_REPLY_DST, KEY_REPLY_SPORT,
	KEY_REPLY_DPORT, KEY_REPLY_ICMPID, KEY_MASQ,
	/* protocols, for the suggestion of a close word only */
	KEY_PROTOS,
};

static const char * const keys[] = {
	[KEY_IPV4] = "ipv4",
	[KEY_IPV6] = "ipv6",
	[KEY_PROTO] = "proto",
	[KEY_SRC] = "src",
	[KEY_DST] = "dst",
	[KEY_SPORT] = "sport",
	[KEY_DPORT] = "dport",
	[KEY_ICMPID] = "icmpid",
	[KEY_TYPE] = "type",
	[KEY_CODE] = "code",
	[KEY_KEY] = "key",
	[KEY_ZONE] = "zone",
	[KEY_ID] = "id",
	[KEY_STATE] = "state",
	[KEY_STATUS] = "status",
	[KEY_TIMEOUT] = "timeout",
	[KEY_MARK] = "mark",
	[KEY_PACKETS] = "packets",
	[KEY_BYTES] = "bytes",
	[KEY_REPLY_PACKETS] = "reply-packets",
	[KEY_REPLY_BYTES] = "reply-bytes",
	[KEY_TCP] = "tcp-window",
	[KEY_REPLY_TCP] = "reply-tcp-window",
	[KEY_VTAG] = "vtag",
	[KEY_REPLY_VTAG] = "reply-vtag",
	[KEY_START] = "start",
	[KEY_REPLY_SRC] = "reply-src",
	[KEY_REPLY_DST] = "reply-dst",
	[KEY_REPLY_SPORT] = "reply-sport",
	[KEY_REPLY_DPORT] = "reply-dport",
	[KEY_REPLY_ICMPID] = "reply-icmpid",
	[KEY_MASQ] = "masq",
	[KEY_PROTOS] = "tcp", "udp", "udplite", "icmp", "icmpv6", "sctp", "gre",
};

#define PORT_WANTED	"0 to 65535, or the name of a service"
#define N_KEYS	(sizeof(keys) / sizeof(keys[0]))

const struct names flow_keys = { keys, N_KEYS }, tuple_keys = { keys, KEY_ID + 1 };

/**
 * struct reading - the words read so far
 * @f: the flow
 * @seen: bits by enum key
 * @family: of the addresses; 0: none yet
 * @state: to be looked up when the protocol is known
 * @port: likewise, by direction
 */
struct reading {
	struct flow *f;
	__u64 seen;
	__u8 family;
	const char *state;
	const char *port[2][2];
};

#define KEY_BIT(key)	(1ULL << (key))

static bool saw(const struct reading *r, enum key key)
{
	return r->seen >> key & 1;
}

/* END,MAXEND,MAXWIN,MAXACK,SCALE,FLAGS */
static bool parse_window(const char *s, struct flow_tcp *t)
{
	static const __u32 max[6] = {
		UINT_MAX, UINT_MAX, UINT_MAX, UINT_MAX, 255, 255
	};
	__u64 v[6];
	char buf[16];
	size_t len;
	int i;

	for (i = 0; i < 6; i++) {
		len = strcspn(s, ",");
		if (len >= sizeof(buf) || s[len] != (i < 5 ? ',' : '\0'))
			return false;
		memcpy(buf, s, len);
		buf[len] = '\0';
		if (!parse_u64(buf, max[i], &v[i]))
			return false;
		s += len + 1;
	}
	t->end = v[0];
	t->maxend = v[1];
	t->maxwin = v[2];
	t->maxack = v[3];
	t->scale = v[4];
	t->flags = v[5];
	return true;
}

/* Words separated by commas, or "none". */
static bool parse_status(const char *s, __u32 *status)
{
	char buf[32];
	size_t len;
	int v;

	*status = 0;
	if (!strcmp(s, "none"))
		return true;
	for (;;) {
		len = strcspn(s, ",");
		if (len >= sizeof(buf))
			return false;
		memcpy(buf, s, len);
		buf[len] = '\0';
		v = value_of(&status_names, buf);
		if (v < 0)
			return false;
		*status |= 1U << v;
		if (!s[len])
			return true;
		s += len + 1;
	}
}

static int read_proto(struct reading *r, struct words *w, enum key key, const char *value)
{
	int n = proto_value(value);
	__u64 v;

	(void)key;
	if (n < 0 && !parse_u64(value, 255, &v))
		return words_bad(w, value, "0 to 255");
	r->f->l4proto = n < 0 ? v : (__u64)n;
	r->f->has |= FLOW_BIT(L4PROTO);
	return EXIT_OK;
}

static int read_addr(struct reading *r, struct words *w, enum key key, const char *value)
{
	bool reply = key == KEY_REPLY_SRC || key == KEY_REPLY_DST;
	bool src = key == KEY_SRC || key == KEY_REPLY_SRC;
	struct flow_tuple *t = &r->f->tuple[reply];
	struct addr addr;

	if (!parse_addr(value, &addr))
		return words_bad(w, value, "an address");
	if (r->family && r->family != addr.family)
		return err_set(EXIT_USAGE, "'%s %s' is not %s", w->key, value,
			       r->family == AF_INET ? "IPv4" : "IPv6");
	r->family = addr.family;
	memcpy(src ? t->src : t->dst, addr.b, addr.family == AF_INET ? 4 : 16);
	return EXIT_OK;
}

/* Names of services depend on the protocol: read_ports() looks them up. */
static int read_port(struct reading *r, struct words *w, enum key key, const char *value)
{
	bool reply = key == KEY_REPLY_SPORT || key == KEY_REPLY_DPORT;

	(void)w;
	r->port[reply][key == KEY_DPORT || key == KEY_REPLY_DPORT] = value;
	return EXIT_OK;
}

static int read_icmpid(struct reading *r, struct words *w, enum key key, const char *value)
{
	struct flow_tuple *t = &r->f->tuple[key == KEY_REPLY_ICMPID];
	__u64 v;

	if (!parse_u64(value, 65535, &v))
		return words_bad(w, value, "0 to 65535");
	t->icmp_id = htons(v);
	t->has |= TUPLE_BIT(ICMP_ID);
	return EXIT_OK;
}

static int read_type(struct reading *r, struct words *w, enum key key, const char *value)
{
	struct flow_tuple *t = &r->f->tuple[ORIG];
	__u64 v;

	if (!parse_u64(value, 255, &v))
		return words_bad(w, value, "0 to 255");
	if (key == KEY_TYPE) {
		t->icmp_type = v;
		t->has |= TUPLE_BIT(ICMP_TYPE);
	} else {
		t->icmp_code = v;
		t->has |= TUPLE_BIT(ICMP_CODE);
	}
	return EXIT_OK;
}

static int read_key(struct reading *r, struct words *w, enum key key, const char *value)
{
	struct flow_tuple *t = &r->f->tuple[ORIG];
	__u32 v;

	(void)key;
	if (!parse_u32(value, &v))
		return words_bad(w, value, "a number of 32 bits");
	t->gre_key = htonl(v);
	t->has |= TUPLE_BIT(GRE_KEY);
	return EXIT_OK;
}

static int read_zone(struct reading *r, struct words *w, enum key key, const char *value)
{
	__u64 v;

	(void)key;
	if (!parse_u64(value, 65535, &v))
		return words_bad(w, value, "0 to 65535");
	r->f->zone = v;
	r->f->has |= FLOW_BIT(ZONE);
	return EXIT_OK;
}

static int read_id(struct reading *r, struct words *w, enum key key, const char *value)
{
	(void)key;
	if (!parse_u64(value, ULLONG_MAX, &r->f->id))
		return words_bad(w, value, "a number");
	r->f->has |= FLOW_BIT(ID);
	return EXIT_OK;
}

/* States depend on the protocol, too: complete() looks them up. */
static int read_state(struct reading *r, struct words *w, enum key key, const char *value)
{
	(void)w;
	(void)key;
	r->state = value;
	return EXIT_OK;
}

static int read_status(struct reading *r, struct words *w, enum key key, const char *value)
{
	(void)key;
	if (!parse_status(value, &r->f->status))
		return words_bad(w, value, "none, seen_reply, or seen_reply,assured");
	r->f->has |= FLOW_BIT(STATUS);
	return EXIT_OK;
}

static int read_timeout(struct reading *r, struct words *w, enum key key, const char *value)
{
	(void)key;
	if (!parse_duration(value, &r->f->timeout) || r->f->timeout > UINT_MAX)
		return words_bad(w, value,
				 "seconds, or a number with unit ms, s, m, h, d; at most 49 days");
	r->f->has |= FLOW_BIT(TIMEOUT);
	return EXIT_OK;
}

static int read_mark(struct reading *r, struct words *w, enum key key, const char *value)
{
	(void)key;
	if (!parse_u32(value, &r->f->mark))
		return words_bad(w, value, "a number of 32 bits");
	r->f->has |= FLOW_BIT(MARK);
	return EXIT_OK;
}

static int read_counter(struct reading *r, struct words *w, enum key key, const char *value)
{
	int dir = key == KEY_PACKETS || key == KEY_BYTES ? ORIG : REPLY;
	__u64 *to = key == KEY_PACKETS || key == KEY_REPLY_PACKETS ? &r->f->packets[dir] :
								     &r->f->bytes[dir];

	if (!parse_u64(value, ULLONG_MAX, to))
		return words_bad(w, value, "a number");
	r->f->has |= dir == ORIG ? FLOW_BIT(COUNTERS_ORIG) : FLOW_BIT(COUNTERS_REPLY);
	return EXIT_OK;
}

static int read_window(struct reading *r, struct words *w, enum key key, const char *value)
{
	int dir = key == KEY_TCP ? ORIG : REPLY;

	if (!parse_window(value, &r->f->tcp[dir]))
		return words_bad(w, value, "END,MAXEND,MAXWIN,MAXACK,SCALE,FLAGS");
	r->f->has |= dir == ORIG ? FLOW_BIT(TCP_ORIG) : FLOW_BIT(TCP_REPLY);
	return EXIT_OK;
}

static int read_vtag(struct reading *r, struct words *w, enum key key, const char *value)
{
	int dir = key == KEY_VTAG ? ORIG : REPLY;
	__u32 v;

	if (!parse_u32(value, &v))
		return words_bad(w, value, "a number of 32 bits");
	r->f->vtag[dir] = htonl(v);
	r->f->has |= dir == ORIG ? FLOW_BIT(VTAG_ORIG) : FLOW_BIT(VTAG_REPLY);
	return EXIT_OK;
}

static int read_start(struct reading *r, struct words *w, enum key key, const char *value)
{
	(void)key;
	if (!parse_time(value, &r->f->start))
		return words_bad(w, value, "seconds since 1970, with up to nine decimals");
	r->f->has |= FLOW_BIT(START);
	return EXIT_OK;
}

static int read_masq(struct reading *r, struct words *w, enum key key, const char *value)
{
	(void)key;
	if (!*value || strlen(value) >= sizeof(r->f->masq))
		return words_bad(w, value, "the name of a device");
	strcpy(r->f->masq, value);
	r->f->has |= FLOW_BIT(MASQ);
	return EXIT_OK;
}

/* What reads the value of a word; the first two have none. */
static int (* const readers[KEY_PROTOS])(struct reading *r, struct words *w, enum key key,
					 const char *value) = {
	[KEY_PROTO] = read_proto,
	[KEY_SRC] = read_addr,
	[KEY_DST] = read_addr,
	[KEY_SPORT] = read_port,
	[KEY_DPORT] = read_port,
	[KEY_ICMPID] = read_icmpid,
	[KEY_TYPE] = read_type,
	[KEY_CODE] = read_type,
	[KEY_KEY] = read_key,
	[KEY_ZONE] = read_zone,
	[KEY_ID] = read_id,
	[KEY_STATE] = read_state,
	[KEY_STATUS] = read_status,
	[KEY_TIMEOUT] = read_timeout,
	[KEY_MARK] = read_mark,
	[KEY_PACKETS] = read_counter,
	[KEY_BYTES] = read_counter,
	[KEY_REPLY_PACKETS] = read_counter,
	[KEY_REPLY_BYTES] = read_counter,
	[KEY_TCP] = read_window,
	[KEY_REPLY_TCP] = read_window,
	[KEY_VTAG] = read_vtag,
	[KEY_REPLY_VTAG] = read_vtag,
	[KEY_START] = read_start,
	[KEY_REPLY_SRC] = read_addr,
	[KEY_REPLY_DST] = read_addr,
	[KEY_REPLY_SPORT] = read_port,
	[KEY_REPLY_DPORT] = read_port,
	[KEY_REPLY_ICMPID] = read_icmpid,
	[KEY_MASQ] = read_masq,
};

static int read_word(struct reading *r, struct words *w, int which)
{
	int proto = proto_value(w->key), err;
	const char *value = NULL;
	size_t limit, key;

	if (which & WORDS_STATE)
		limit = N_KEYS;
	else
		limit = which & WORDS_ID ? KEY_ID + 1 : KEY_ID;
	if (proto >= 0) {
		key = KEY_PROTO;
	} else {
		for (key = 0; key < limit && key < KEY_PROTOS; key++)
			if (!strcmp(keys[key], w->key))
				break;
		if (key == limit || key >= KEY_PROTOS ||
		    (key == KEY_ID && !(which & WORDS_ID)))
			return words_unknown(w, keys, limit);
	}
	if (saw(r, key))
		return words_twice(w);
	r->seen |= KEY_BIT(key);
	if (proto >= 0 || key == KEY_IPV4 || key == KEY_IPV6) {
		__u8 family = key == KEY_IPV4 ? AF_INET : AF_INET6;

		err = words_no_value(w);
		if (err)
			return err;
		if (proto >= 0) {
			r->f->l4proto = proto;
			r->f->has |= FLOW_BIT(L4PROTO);
			return EXIT_OK;
		}
		if (r->family && r->family != family)
			return words_twice(w);
		r->family = family;
		return EXIT_OK;
	}
	err = words_value(w, &value);
	if (err)
		return err;
	return readers[key](r, w, key, value);
}

static int read_ports(struct reading *r, int dir)
{
	const char * const *key = &keys[dir == ORIG ? KEY_SPORT : KEY_REPLY_SPORT];
	struct flow_tuple *t = &r->f->tuple[dir];
	__u16 min, max;
	int i;

	for (i = 0; i < 2; i++) {
		if (!r->port[dir][i])
			return err_set(EXIT_USAGE, "%s needs '%s'",
				       proto_name(r->f->l4proto), key[i]);
		if (!parse_ports(r->port[dir][i], r->f->l4proto, &min, &max) ||
		    min != max)
			return err_set(EXIT_USAGE, "bad value '%s' of '%s': expected "
				       PORT_WANTED, r->port[dir][i], key[i]);
		if (i)
			t->dport = htons(min);
		else
			t->sport = htons(min);
	}
	t->has |= TUPLE_BIT(SPORT) | TUPLE_BIT(DPORT);
	return EXIT_OK;
}

static int misplaced(const struct reading *r, __u64 wanted, const char *what)
{
	int key;

	for (key = 0; key < KEY_PROTOS; key++)
		if (r->seen & wanted & KEY_BIT(key))
			return err_set(EXIT_USAGE, "'%s' is a word for %s only",
				       keys[key], what);
	return EXIT_OK;
}

static int find_state(struct reading *r)
{
	const struct names *states = proto_states(r->f->l4proto);
	int v = value_of(states, r->state);
	char list[256];

	if (v < 0) {
		name_list(states, list, sizeof(list));
		return err_set(EXIT_USAGE,
			       "bad value '%s' of 'state': expected one of %s",
			       r->state, list);
	}
	r->f->state = v;
	r->f->has |= FLOW_BIT(STATE);
	return EXIT_OK;
}

#define KEYS2(a, b)	(KEY_BIT(KEY_##a) | KEY_BIT(KEY_##b))

/* The answers to a translated flow: all of their tuple, or nothing. */
static int complete_reply(struct reading *r)
{
	const __u64 any = KEYS2(REPLY_SRC, REPLY_DST) | KEYS2(REPLY_SPORT, REPLY_DPORT) |
			  KEYS2(REPLY_ICMPID, MASQ);
	struct flow_tuple *reply = &r->f->tuple[REPLY];
	struct flow *f = r->f;
	struct flow_tuple want;

	if (!(r->seen & any))
		return EXIT_OK;
	if (!saw(r, KEY_REPLY_SRC) || !saw(r, KEY_REPLY_DST))
		return err_set(EXIT_USAGE, "'%s' is missing",
			       saw(r, KEY_REPLY_SRC) ? "reply-dst" : "reply-src");
	flow_invert(f, &want);
	reply->has = want.has;
	f->has |= FLOW_BIT(REPLY);
	if (proto_is_icmp(f->l4proto)) {
		if (!saw(r, KEY_REPLY_ICMPID))
			reply->icmp_id = want.icmp_id;
		reply->icmp_type = want.icmp_type;
		reply->icmp_code = want.icmp_code;
	} else if (saw(r, KEY_REPLY_ICMPID)) {
		return misplaced(r, KEY_BIT(KEY_REPLY_ICMPID), "icmp and icmpv6");
	}
	if (proto_has_ports(f->l4proto))
		return read_ports(r, REPLY);
	return misplaced(r, KEYS2(REPLY_SPORT, REPLY_DPORT), "tcp, udp, udplite and sctp");
}

/* Whether the words together name one flow. */
static int complete(struct reading *r)
{
	struct flow_tuple *t = &r->f->tuple[ORIG];
	struct flow *f = r->f;
	int err = EXIT_OK;

	if (!(f->has & FLOW_BIT(L4PROTO)))
		return err_set(EXIT_USAGE,
			       "a protocol is missing: tcp, udp, ... or proto N");
	if (!saw(r, KEY_SRC) || !saw(r, KEY_DST))
		return err_set(EXIT_USAGE, "'%s' is missing",
			       saw(r, KEY_SRC) ? "dst" : "src");
	f->family = r->family;
	f->has |= FLOW_BIT(FAMILY) | FLOW_BIT(ORIG);
	t->has |= f->family == AF_INET ? TUPLE_BIT(SRC4) | TUPLE_BIT(DST4) :
					 TUPLE_BIT(SRC6) | TUPLE_BIT(DST6);
	if (proto_is_icmp(f->l4proto)) {
		if (f->family != (f->l4proto == IPPROTO_ICMP ? AF_INET :
							       AF_INET6))
			return err_set(EXIT_USAGE,
				       "%s is not a protocol of %s",
				       proto_name(f->l4proto),
				       f->family == AF_INET ? "IPv4" : "IPv6");
		if (!saw(r, KEY_ICMPID))
			return err_set(EXIT_USAGE, "%s needs 'icmpid'",
				       proto_name(f->l4proto));
		if (!saw(r, KEY_TYPE))	/* echo request */
			t->icmp_type = f->family == AF_INET ? 8 : 128;
		t->has |= TUPLE_BIT(ICMP_TYPE) | TUPLE_BIT(ICMP_CODE);
	} else {
		err = misplaced(r, KEYS2(ICMPID, TYPE) | KEY_BIT(KEY_CODE),
				"icmp and icmpv6");
	}
	if (!err && proto_has_ports(f->l4proto))
		err = read_ports(r, ORIG);
	else if (!err)
		err = misplaced(r, KEYS2(SPORT, DPORT),
				"tcp, udp, udplite and sctp");
	if (!err && f->l4proto == IPPROTO_GRE)
		t->has |= TUPLE_BIT(GRE_KEY);
	else if (!err)
		err = misplaced(r, KEY_BIT(KEY_KEY), "gre");
	if (!err && f->l4proto != IPPROTO_TCP)
		err = misplaced(r, KEYS2(TCP, REPLY_TCP), "tcp");
	if (!err && f->l4proto != IPPROTO_SCTP)
		err = misplaced(r, KEYS2(VTAG, REPLY_VTAG), "sctp");
	if (!err)
		err = complete_reply(r);
	return err || !r->state ? err : find_state(r);
}

/**
 * flow_words() - read a flow from words
 * @f: filled in
 * @argc: how many words
 * @argv: words
 * @family: AF_INET or AF_INET6 if an option says so, or 0
 * @which: WORDS_ID, WORDS_STATE
 *
 * Return: an exit code.
 */
int flow_words(struct flow *f, int argc, char **argv, __u8 family, int which)
{
	struct reading r = { .f = f, .family = family };
	struct words w;
	int err;

	memset(f, 0, sizeof(*f));
	words_init(&w, argc, argv);
	while (words_next(&w)) {
		err = read_word(&r, &w, which);
		if (err)
			return err;
	}
	if (saw(&r, KEY_ID)) {
		if (r.seen != KEY_BIT(KEY_ID))
			return err_set(EXIT_USAGE,
				       "'id' names a flow alone: no other word goes with it");
		return EXIT_OK;
	}
	return complete(&r);
}

static char *put_counters(char *p, const char *prefix, __u64 packets,
			  __u64 bytes)
{
	*p++ = ' ';
	p = put_str(p, prefix);
	p = put_lit(p, "packets=");
	p = put_u64(p, packets);
	*p++ = ' ';
	p = put_str(p, prefix);
	p = put_lit(p, "bytes=");
	return put_u64(p, bytes);
}

static char *put_tcp(char *p, const struct flow_tcp *t)
{
	p = put_lit(p, "tcp-window=");
	p = put_u64(p, t->end);
	*p++ = ',';
	p = put_u64(p, t->maxend);
	*p++ = ',';
	p = put_u64(p, t->maxwin);
	*p++ = ',';
	p = put_u64(p, t->maxack);
	*p++ = ',';
	p = put_u64(p, t->scale);
	*p++ = ',';
	return put_hex(p, t->flags);
}

static char *put_status(char *p, __u32 status)
{
	unsigned int i;
	bool first = true;

	p = put_lit(p, " status=");
	for (i = 0; i < status_names.n; i++) {
		if (!(status >> i & 1))
			continue;
		if (!first)
			*p++ = ',';
		p = put_str(p, status_names.name[i]);
		first = false;
	}
	return first ? put_lit(p, "none") : p;
}

static char *put_tuple(char *p, const struct flow *f)
{
	const struct flow_tuple *t = &f->tuple[ORIG];

	p = put_lit(p, " src=");
	p = f->family == AF_INET ? put_ip4(p, t->src) : put_ip6(p, t->src);
	p = put_lit(p, " dst=");
	p = f->family == AF_INET ? put_ip4(p, t->dst) : put_ip6(p, t->dst);
	if (t->has & TUPLE_BIT(SPORT)) {
		p = put_lit(p, " sport=");
		p = put_u64(p, ntohs(t->sport));
		p = put_lit(p, " dport=");
		p = put_u64(p, ntohs(t->dport));
	}
	if (t->has & TUPLE_BIT(ICMP_ID)) {
		p = put_lit(p, " icmpid=");
		p = put_u64(p, ntohs(t->icmp_id));
		p = put_lit(p, " type=");
		p = put_u64(p, t->icmp_type);
		p = put_lit(p, " code=");
		p = put_u64(p, t->icmp_code);
	}
	if (t->has & TUPLE_BIT(GRE_KEY)) {
		p = put_lit(p, " key=");
		p = put_hex(p, ntohl(t->gre_key));
	}
	return p;
}

/* The kernel allows a name to have whatever is no blank, slash or colon. */
static char *put_device(char *p, const char *name)
{
	for (; *name; name++)
		*p++ = (unsigned char)*name > ' ' && *name != 0x7f ? *name : '?';
	return p;
}

/**
 * flow_answers() - write what the answers to a translated flow are like
 * @p: room for OUT_LINE bytes, less what is there already
 * @f: flow
 *
 * Return: behind what was written: words, each with a blank before it, or nothing.
 */
char *flow_answers(char *p, const struct flow *f)
{
	const struct flow_tuple *t = &f->tuple[REPLY];
	bool v4 = t->has & TUPLE_BIT(SRC4);

	if (!flow_has(f, FLOWTRACK_A_FLOW_REPLY) || !flow_translated(f))
		return p;
	p = put_lit(p, " reply-src=");
	p = v4 ? put_ip4(p, t->src) : put_ip6(p, t->src);
	p = put_lit(p, " reply-dst=");
	p = v4 ? put_ip4(p, t->dst) : put_ip6(p, t->dst);
	if (t->has & TUPLE_BIT(SPORT)) {
		p = put_lit(p, " reply-sport=");
		p = put_u64(p, ntohs(t->sport));
		p = put_lit(p, " reply-dport=");
		p = put_u64(p, ntohs(t->dport));
	}
	if (t->has & TUPLE_BIT(ICMP_ID)) {
		p = put_lit(p, " reply-icmpid=");
		p = put_u64(p, ntohs(t->icmp_id));
	}
	if (flow_has(f, FLOWTRACK_A_FLOW_MASQ)) {
		p = put_lit(p, " masq=");
		p = put_device(p, f->masq);
	}
	return p;
}

/**
 * flow_line() - write a flow as a line of a saved table
 * @p: room for OUT_LINE bytes
 * @f: flow
 *
 * These are the words that flow_words() reads with WORDS_STATE. What the line
 * says is documented in flowtrack(8); a change that an older tool would
 * misread needs a new version in cmd_save.c.
 *
 * Return: behind the newline.
 */
char *flow_line(char *p, const struct flow *f)
{
	const char *name = proto_name(f->l4proto);

	if (name) {
		p = put_str(p, name);
	} else {
		p = put_lit(p, "proto=");
		p = put_u64(p, f->l4proto);
	}
	p = put_tuple(p, f);
	p = flow_answers(p, f);
	if (flow_has(f, FLOWTRACK_A_FLOW_ZONE) && f->zone) {
		p = put_lit(p, " zone=");
		p = put_u64(p, f->zone);
	}
	name = name_of(proto_states(f->l4proto), f->state);
	if (flow_has(f, FLOWTRACK_A_FLOW_STATE) && name) {
		p = put_lit(p, " state=");
		p = put_str(p, name);
	}
	if (flow_has(f, FLOWTRACK_A_FLOW_STATUS))
		p = put_status(p, f->status);
	if (flow_has(f, FLOWTRACK_A_FLOW_TIMEOUT)) {
		p = put_lit(p, " timeout=");
		p = put_thousandths(p, f->timeout);
	}
	if (flow_has(f, FLOWTRACK_A_FLOW_MARK) && f->mark) {
		p = put_lit(p, " mark=");
		p = put_hex(p, f->mark);
	}
	if (flow_has(f, FLOWTRACK_A_FLOW_COUNTERS_ORIG))
		p = put_counters(p, "", f->packets[ORIG], f->bytes[ORIG]);
	if (flow_has(f, FLOWTRACK_A_FLOW_COUNTERS_REPLY))
		p = put_counters(p, "reply-", f->packets[REPLY],
				 f->bytes[REPLY]);
	if (flow_has(f, FLOWTRACK_A_FLOW_TCP_ORIG)) {
		*p++ = ' ';
		p = put_tcp(p, &f->tcp[ORIG]);
	}
	if (flow_has(f, FLOWTRACK_A_FLOW_TCP_REPLY)) {
		p = put_lit(p, " reply-");
		p = put_tcp(p, &f->tcp[REPLY]);
	}
	if (flow_has(f, FLOWTRACK_A_FLOW_VTAG_ORIG)) {
		p = put_lit(p, " vtag=");
		p = put_hex(p, ntohl(f->vtag[ORIG]));
	}
	if (flow_has(f, FLOWTRACK_A_FLOW_VTAG_REPLY)) {
		p = put_lit(p, " reply-vtag=");
		p = put_hex(p, ntohl(f->vtag[REPLY]));
	}
	if (flow_has(f, FLOWTRACK_A_FLOW_START)) {
		p = put_lit(p, " start=");
		p = put_billionths(p, f->start);
	}
	*p++ = '\n';
	return p;
}
