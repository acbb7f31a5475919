// SPDX-License-Identifier: GPL-2.0
/*
 * What is shown of a flow; JSON is read back.
 */
#include <arpa/inet.h>
#include <jansson.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <netinet/in.h>
#include <string.h>

#include "json.h"
#include "cmd.h"
#include "filter.h"
#include "monitor.h"
#include "names.h"
#include "print.h"
#include "test.h"

#define TCP	"tcp established src=10.0.0.2 dst=10.0.1.2 sport=4242 dport=443 "
#define TCP_COLUMNS							\
	"tcp  established src=10.0.0.2        dst=10.0.1.2        " SPORTS
#define SPORTS	"sport=4242  dport=443   "
#define COUNTERS	"[packets=3 bytes=180 | packets=2 bytes=120]"
#define CLASS	" class=assured age=1"
#define REPLY_NAT							\
	"reply-src=10.0.1.2 reply-dst=10.0.0.99 reply-sport=443 "	\
	"reply-dport=1024 "
#define ID	" id=4294967296"
#define TIMES	" start=1700000000.000000000 stop=1700000001.500000000"
#define ADDR6	"src=2001:db8::1 dst=2001:db8::2 "
#define PING	"type=128 code=0 icmpid=77 "
#define GUARDED6							\
	"tracker=guarded class=embryonic id=18446744073709551615"
#define REPLY6	"reply-src=2001:db8::2 reply-dst=2001:db8::1 "
#define LEVEL	"table=flowtrack count=900 room=1000 fill=90.0% rate=77 "			\
		"closing=1 embryonic=2 replied=3 assured=4 "
#define MOST	"source=192.0.2.7/24 source_share=50.1% "			\
		"service=tcp/443 service_share=100.0% "
#define DONE	"policy=drop adaptive_closing=1000 "			\
		"adaptive_embryonic=999 adaptive_replied=998 "		\
		"adaptive_assured=997 since=61 evicted=10 dropped=11 "	\
		"passed=12 refused=13 "
#define REST6	"timeout=29 class=embryonic id=18446744073709551615"

static char buf[OUT_LINE];

static const char *line(const struct flow *f, bool columns, bool color)
{
	*print_flow(buf, f, columns, color) = '\0';
	return buf;
}

static void lines(void)
{
	struct flow f;

	sample_tcp(&f, 0);
	EXPECT_STR(line(&f, false, false),
		   TCP COUNTERS " timeout=53 mark=0x1 zone=5" CLASS ID);
	EXPECT_STR(line(&f, true, false),
		   TCP_COLUMNS COUNTERS " timeout=53 mark=0x1 zone=5" CLASS ID);
	/* neither accounting, mark nor zone */
	f.has &= ~(FLOW_BIT(COUNTERS_ORIG) | FLOW_BIT(COUNTERS_REPLY));
	f.mark = 0;
	f.zone = 0;
	EXPECT_STR(line(&f, false, false),
		   TCP "timeout=53" CLASS ID);
	f.has |= FLOW_BIT(START) | FLOW_BIT(STOP) | FLOW_BIT(REASON);
	f.start = 1700000000000000000ULL;
	f.stop = 1700000001500000000ULL;
	f.reason = FLOWTRACK_REASON_CLOSED;
	EXPECT_STR(line(&f, false, false),
		   TCP "timeout=53" CLASS TIMES ID " reason=closed");
	sample_icmp6(&f);
	EXPECT_STR(line(&f, false, false),
		   "icmpv6 unreplied " ADDR6 PING REST6);
	f.l4proto = 89;
	f.tuple[ORIG].has &= ~(TUPLE_BIT(ICMP_ID) | TUPLE_BIT(ICMP_TYPE));
	f.state = 99;
	EXPECT_STR(line(&f, false, false),
		   "proto=89 99 " ADDR6 REST6);
}

/* What tracks it; and if nf_conntrack does, what NAT makes of the answers. */
static void trackers(void)
{
	struct flow f;
	json_t *j;

	sample_tcp(&f, 0);
	f.has &= ~(FLOW_BIT(COUNTERS_ORIG) | FLOW_BIT(COUNTERS_REPLY) |
		   FLOW_BIT(MARK) | FLOW_BIT(ZONE));
	f.has |= FLOW_BIT(TRACKER);
	f.tracker = FLOWTRACK_TRACKER_OWN;
	EXPECT_STR(line(&f, false, false),
		   TCP "timeout=53 tracker=own" CLASS ID);
	f.tracker = FLOWTRACK_TRACKER_GUARDED;
	EXPECT_STR(line(&f, false, false),
		   TCP "timeout=53 tracker=guarded" CLASS ID);
	f.tuple[REPLY].dst[3] = 99;
	f.tuple[REPLY].dport = htons(1024);
	EXPECT_STR(line(&f, false, false),
		   TCP "timeout=53 " REPLY_NAT "tracker=guarded" CLASS ID);
	*json_flow(buf, &f, false) = '\0';
	j = json_loads(buf, JSON_REJECT_DUPLICATES, NULL);
	EXPECT_STR(json_string_value(json_object_get(j, "tracker")), "guarded");
	EXPECT_INT(json_integer_value(json_object_get(json_object_get(j, "reply"),
						      "dport")), 1024);
	json_decref(j);
	sample_icmp6(&f);
	f.has |= FLOW_BIT(TRACKER);
	f.tracker = FLOWTRACK_TRACKER_GUARDED;
	EXPECT_STR(line(&f, false, false),
		   "icmpv6 unreplied " ADDR6 PING "timeout=29 " GUARDED6);
	f.tuple[REPLY].icmp_id = htons(78);
	EXPECT(strstr(line(&f, false, false),
		      " " REPLY6 "reply-icmpid=78 " GUARDED6));
}

static void colors(void)
{
	struct flow f;

	sample_tcp(&f, 0);
	line(&f, false, true);
	EXPECT(strstr(buf, "tcp " COLOR_GREEN "established" COLOR_OFF " src="));
	/* columns are where they are without */
	f.state = FLOWTRACK_TCP_STATE_CLOSE;
	f.class = FLOWTRACK_CLASS_CLOSING;
	line(&f, true, true);
	EXPECT(strstr(buf, "tcp  " COLOR_DIM "close" COLOR_OFF "       src="));
}

/* The longest line is far from filling the room there is. */
static void longest(void)
{
	struct flow f;
	size_t len;

	memset(&f, 0xff, sizeof(f));
	f.has = ~0U;
	f.family = AF_INET6;
	f.tuple[0].has = ~0U & ~(TUPLE_BIT(SRC4) | TUPLE_BIT(DST4));
	f.tuple[1].has = f.tuple[0].has;
	len = print_flow(buf, &f, true, true) - buf;
	EXPECT(len < OUT_LINE / 4);
	len = json_flow(buf, &f, true) - buf;
	EXPECT(len < OUT_LINE / 2);
	len = flow_line(buf, &f) - buf;
	EXPECT(len < OUT_LINE / 2);
}

static json_t *object(const struct flow *f, bool windows)
{
	json_error_t err;
	json_t *o;

	*json_flow(buf, f, windows) = '\0';
	o = json_loads(buf, JSON_REJECT_DUPLICATES, &err);
	if (!o)
		test_failed(__FILE__, __LINE__, "%s: %s", err.text, buf);
	return o;
}

static void json_objects(void)
{
	const char *id, *family, *proto, *state, *class, *src, *rdst;
	int seen, assured, sport, rdport, mark, zone, n;
	json_int_t packets, rbytes, maxack;
	double timeout, age;
	json_t *o, *reply;
	struct flow f;

	sample_tcp(&f, 0);
	o = object(&f, true);
	n = json_unpack(o, "{sssssssssssbsbs{sssisI}s{sssisIs{sI}}sfsfsisi!}",
			"id", &id, "family", &family, "proto", &proto, "state",
			&state, "class", &class, "seen_reply", &seen, "assured",
			&assured, "orig", "src", &src, "sport", &sport,
			"packets", &packets, "reply", "dst", &rdst, "dport",
			&rdport, "bytes", &rbytes, "window", "maxack", &maxack,
			"timeout", &timeout, "age", &age, "mark", &mark, "zone",
			&zone);
	EXPECT_INT(n, 0);
	if (!n) {
		EXPECT_STR(id, "4294967296");
		EXPECT_STR(family, "ipv4");
		EXPECT_STR(proto, "tcp");
		EXPECT_STR(state, "established");
		EXPECT_STR(class, "assured");
		EXPECT(seen && assured);
		EXPECT_STR(src, "10.0.0.2");
		EXPECT_STR(rdst, "10.0.0.2");
		EXPECT_INT(sport, 4242);
		EXPECT_INT(rdport, 4242);
		EXPECT_INT(packets, 3);
		EXPECT_INT(rbytes, 120);
		EXPECT_INT(maxack, 2596069104);
		EXPECT_INT(timeout * 1000 + 0.5, 53999);
		EXPECT_INT(age * 1000 + 0.5, 1200);
		EXPECT_INT(mark, 1);
		EXPECT_INT(zone, 5);
	}
	json_decref(o);

	/* A window is shown only where asked for. */
	o = object(&f, false);
	EXPECT(!json_object_get(json_object_get(o, "orig"), "window"));
	json_decref(o);

	/* The reply is worked out when the message has none. */
	f.has &= ~FLOW_BIT(REPLY);
	o = object(&f, false);
	reply = json_object_get(o, "reply");
	EXPECT_INT(json_integer_value(json_object_get(reply, "sport")), 443);
	json_decref(o);

	/* More than a double can hold: a string, and a number to its last digit. */
	f.id = 18446744073709551615ULL;
	f.bytes[ORIG] = 9007199254740993;
	o = object(&f, false);
	EXPECT_STR(json_string_value(json_object_get(o, "id")),
		   "18446744073709551615");
	EXPECT_INT(json_integer_value(json_object_get(json_object_get(o, "orig"),
						      "bytes")),
		   9007199254740993);
	json_decref(o);
}

static void json_of_anything(void)
{
	static const __u8 protos[] = { 1, 6, 17, 47, 58, 89, 132, 136, 255 };
	struct flow f;
	size_t i;
	int state;

	for (i = 0; i < sizeof(protos); i++) {
		for (state = 0; state < 12; state++) {
			sample_icmp6(&f);
			f.id = i;
			f.has = state & 1 ? ~0U : f.has;
			f.l4proto = protos[i];
			f.state = state;
			f.class = state;
			f.reason = state;
			f.tuple[0].has = state & 2 ? ~0U : f.tuple[0].has;
			json_decref(object(&f, true));
			line(&f, true, true);
		}
	}
}

static json_t *monitor_json(struct out *o)
{
	o->buf[o->len] = '\0';
	test_json("monitor", o->buf);
	return json_loadb(o->buf, o->len, JSON_REJECT_DUPLICATES, NULL);
}

static void monitor_lines(void)
{
	static struct out o;
	struct options opts = { .oneline = true };
	struct monitor m = { .o = &o, .opts = &opts };
	struct filter filter;
	struct flow f;
	char msg[2048] ALIGNED;
	json_t *j, *flow;

	out_init(&o, -1);
	m.filter = &filter;
	filter_parse(&filter, 0, NULL, 0);
	sample_icmp6(&f);
	msg_flow(msg, 0, FLOWTRACK_CMD_FLOW_NEW_NTF, 0, &f);
	EXPECT_INT(monitor_message((void *)msg, &m), 0);
	o.buf[o.len] = '\0';
	EXPECT_STR(o.buf, "[NEW]     icmpv6 unreplied " ADDR6 PING REST6 "\n");
	o.len = 0;
	f.has |= FLOW_BIT(REASON);
	f.reason = FLOWTRACK_REASON_TIMEOUT;
	msg_flow(msg, 0, FLOWTRACK_CMD_FLOW_DESTROY_NTF, 0, &f);
	EXPECT_INT(monitor_message((void *)msg, &m), 0);
	o.buf[o.len] = '\0';
	EXPECT(!strncmp(o.buf, "[DESTROY] icmpv6", 16));
	EXPECT(strstr(o.buf, " reason=timeout\n"));
	o.len = 0;
	monitor_lost(&m, 0);
	o.buf[o.len] = '\0';
	EXPECT(!strncmp(o.buf, "[LOST]    events were lost", 26));
	o.len = 0;
	monitor_lost(&m, 42);
	o.buf[o.len] = '\0';
	EXPECT(!strncmp(o.buf, "[LOST]    42 events were lost", 29));
	/* the table, after a loss */
	o.len = 0;
	EXPECT_INT(monitor_listed((void *)msg, &m), 0);
	monitor_synced(&m, m.listed);
	o.buf[o.len] = '\0';
	EXPECT(!strncmp(o.buf, "[SYNC]    icmpv6", 16));
	EXPECT(strstr(o.buf, "\n[SYNCED]  1 flows are in the table"));

	/* NDJSON, and an end after so many */
	opts.json = true;
	opts.timestamps = true;
	opts.count = 3;
	o.len = 0;
	f.id = 1;
	msg_flow(msg, 0, FLOWTRACK_CMD_FLOW_UPDATE_NTF, 0, &f);
	EXPECT_INT(monitor_message((void *)msg, &m), -1);
	j = monitor_json(&o);
	EXPECT_STR(json_string_value(json_object_get(j, "event")), "update");
	flow = json_object_get(j, "flow");
	EXPECT_STR(json_string_value(json_object_get(flow, "reason")),
		   "timeout");
	EXPECT(json_real_value(json_object_get(j, "time")) > 1e9);
	json_decref(j);
	o.len = 0;
	monitor_lost(&m, 42);
	j = monitor_json(&o);
	EXPECT_STR(json_string_value(json_object_get(j, "event")), "lost");
	EXPECT_INT(json_integer_value(json_object_get(j, "events")), 42);
	json_decref(j);
	o.len = 0;
	monitor_synced(&m, 7);
	j = monitor_json(&o);
	EXPECT_INT(json_integer_value(json_object_get(j, "flows")), 7);
	json_decref(j);

	/* Only what was asked for. */
	o.len = 0;
	opts.events = 1U << value_of(&event_names, "destroy") | 1U << value_of(&event_names, "new");
	EXPECT_INT(monitor_message((void *)msg, &m), 0);
	EXPECT_INT(o.len, 0);
	opts.events = 1U << value_of(&event_names, "update");
	EXPECT_INT(monitor_message((void *)msg, &m), -1);
	EXPECT(o.len > 0);
	opts.events = 0;

	/* What does not match is not shown; nor are replies to requests. */
	o.len = 0;
	filter.all.has = 1U << FLOWTRACK_A_FILTER_L4PROTO;
	filter.all.l4proto = 6;
	EXPECT_INT(monitor_message((void *)msg, &m), 0);
	EXPECT_INT(o.len, 0);
	filter.all.has = 0;
	msg_flow(msg, 0, FLOWTRACK_CMD_FLOW_GET, 0, &f);
	EXPECT_INT(monitor_message((void *)msg, &m), 0);
	EXPECT_INT(o.len, 0);
}

/* A notification with everything, as the kernel makes it; or the least. */
static const struct nlmsghdr *pressure_message(char *to, bool all)
{
	static const __u8 addr[4] = { 192, 0, 2, 7 };
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(to);
	struct genlmsghdr *genl;
	struct nlattr *nest;
	int i;

	genl = mnl_nlmsg_put_extra_header(nlh, sizeof(*genl));
	genl->cmd = FLOWTRACK_CMD_PRESSURE_NTF;
	if (!all)
		return nlh;
	mnl_attr_put_u8(nlh, FLOWTRACK_A_PRESSURE_LEVEL, FLOWTRACK_LEVEL_HIGH);
	mnl_attr_put_u32(nlh, FLOWTRACK_A_PRESSURE_COUNT, 900);
	mnl_attr_put_u32(nlh, FLOWTRACK_A_PRESSURE_ROOM, 1000);
	mnl_attr_put_u32(nlh, FLOWTRACK_A_PRESSURE_FILL, 900);
	mnl_attr_put_u32(nlh, FLOWTRACK_A_PRESSURE_RATE, 77);
	for (i = 0; i < 4; i++) {
		mnl_attr_put_u32(nlh, FLOWTRACK_A_PRESSURE_CLOSING + i, i + 1);
		mnl_attr_put_u32(nlh, FLOWTRACK_A_PRESSURE_ADAPTIVE_CLOSING + i,
				 1000 - i);
	}
	nest = mnl_attr_nest_start(nlh, FLOWTRACK_A_PRESSURE_SOURCE);
	mnl_attr_put_u8(nlh, FLOWTRACK_A_TOP_ENTRY_FAMILY, AF_INET);
	mnl_attr_put(nlh, FLOWTRACK_A_TOP_ENTRY_ADDR4, 4, addr);
	mnl_attr_put_u8(nlh, FLOWTRACK_A_TOP_ENTRY_PREFIX, 24);
	mnl_attr_put_u32(nlh, FLOWTRACK_A_TOP_ENTRY_FLOWS, 450);
	mnl_attr_put_u32(nlh, FLOWTRACK_A_TOP_ENTRY_SHARE, 501);
	mnl_attr_nest_end(nlh, nest);
	nest = mnl_attr_nest_start(nlh, FLOWTRACK_A_PRESSURE_SERVICE);
	mnl_attr_put_u8(nlh, FLOWTRACK_A_TOP_ENTRY_L4PROTO, IPPROTO_TCP);
	mnl_attr_put_u16(nlh, FLOWTRACK_A_TOP_ENTRY_PORT, htons(443));
	mnl_attr_put_u32(nlh, FLOWTRACK_A_TOP_ENTRY_FLOWS, 900);
	mnl_attr_put_u32(nlh, FLOWTRACK_A_TOP_ENTRY_SHARE, 1000);
	mnl_attr_nest_end(nlh, nest);
	mnl_attr_put_u8(nlh, FLOWTRACK_A_PRESSURE_POLICY, FLOWTRACK_POLICY_DROP);
	mnl_attr_put_u64(nlh, FLOWTRACK_A_PRESSURE_SINCE, 61234);
	for (i = 0; i < 4; i++)
		mnl_attr_put_u64(nlh, FLOWTRACK_A_PRESSURE_EVICTED + i, 10 + i);
	mnl_attr_put_strz(nlh, FLOWTRACK_A_PRESSURE_SYSCTL,
			  "nf_flowtrack_src_max");
	return nlh;
}

static void pressure_lines(void)
{
	static struct out o;
	struct options opts = {};
	struct monitor m = { .o = &o, .opts = &opts };
	char msg[2048] ALIGNED;
	struct nlmsghdr *nlh;
	json_t *j, *p;

	out_init(&o, -1);
	EXPECT_INT(monitor_message(pressure_message(msg, true), &m), 0);
	o.buf[o.len] = '\0';
	EXPECT_STR(o.buf,
		   "[HIGH]    " LEVEL MOST DONE
		   "sysctl=net.netfilter.nf_flowtrack_src_max\n");
	o.len = 0;
	EXPECT_INT(monitor_message(pressure_message(msg, false), &m), 0);
	o.buf[o.len] = '\0';
	EXPECT(!strncmp(o.buf, "[LOW]     table=flowtrack count=0 ", 34));
	EXPECT(!strstr(o.buf, "source="));
	/* nf_conntrack's table is another one, and nobody knows its rate. */
	nlh = (void *)pressure_message(msg, true);
	mnl_attr_put_u8(nlh, FLOWTRACK_A_PRESSURE_TABLE, FLOWTRACK_TRACKER_GUARDED);
	o.len = 0;
	EXPECT_INT(monitor_message(nlh, &m), 0);
	o.buf[o.len] = '\0';
	EXPECT(!strncmp(o.buf, "[HIGH]    table=nf_conntrack count=900 ", 39));
	EXPECT(!strstr(o.buf, "rate="));

	opts.json = true;
	opts.timestamps = true;
	opts.count = 3;
	o.len = 0;
	EXPECT_INT(monitor_message(pressure_message(msg, true), &m), -1);
	j = monitor_json(&o);
	EXPECT_STR(json_string_value(json_object_get(j, "event")), "high");
	EXPECT(json_real_value(json_object_get(j, "time")) > 1e9);
	p = json_object_get(j, "pressure");
	EXPECT_STR(json_string_value(json_object_get(p, "table")), "flowtrack");
	EXPECT_INT(json_integer_value(json_object_get(p, "assured")), 4);
	EXPECT(json_real_value(json_object_get(p, "fill")) == 0.9);
	EXPECT(json_real_value(json_object_get(p, "since")) == 61.234);
	EXPECT_STR(json_string_value(json_object_get(p, "sysctl")),
		   "net.netfilter.nf_flowtrack_src_max");
	p = json_object_get(p, "source");
	EXPECT_STR(json_string_value(json_object_get(p, "address")),
		   "192.0.2.7");
	EXPECT_INT(json_integer_value(json_object_get(p, "prefix")), 24);
	json_decref(j);
	o.len = 0;
	monitor_message(pressure_message(msg, false), &m);
	j = monitor_json(&o);
	EXPECT_STR(json_string_value(json_object_get(j, "event")), "low");
	json_decref(j);
}

const struct test print_tests[] = {
	{ "lines", lines },
	{ "tracker, and NAT", trackers },
	{ "colors", colors },
	{ "the longest line fits", longest },
	{ "JSON objects", json_objects },
	{ "JSON of any flow can be read", json_of_anything },
	{ "the monitor's lines", monitor_lines },
	{ "the monitor's lines of watermarks", pressure_lines },
	{ NULL, NULL },
};
