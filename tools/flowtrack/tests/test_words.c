// SPDX-License-Identifier: GPL-2.0
/*
 * Flows in words: get, add, and the lines of a saved table.
 */
#include <arpa/inet.h>
#include <string.h>

#include "err.h"
#include "flow.h"
#include "out.h"
#include "test.h"

static int parse(struct flow *f, const char *line, int which)
{
	char **argv;
	int argc = test_words(line, &argv);

	err_clear();
	return flow_words(f, argc, argv, 0, which);
}

static void tuples(void)
{
	struct flow f;

	EXPECT_INT(parse(&f, "tcp src 10.0.0.2 dst 10.0.1.2 sport 4242 dport 443 zone 5",
			 WORDS_ID), 0);
	EXPECT_INT(f.has, FLOW_BIT(L4PROTO) | FLOW_BIT(FAMILY) |
		   FLOW_BIT(ORIG) | FLOW_BIT(ZONE));
	EXPECT_INT(f.tuple[ORIG].sport, htons(4242));
	EXPECT_INT(f.tuple[ORIG].dport, htons(443));
	EXPECT_INT(f.tuple[ORIG].src[3], 2);
	/* as it stands in the output */
	EXPECT_INT(parse(&f, "dport=443 sport=4242 dst=::2 src=::1 udp", 0), 0);
	EXPECT_INT(f.family, AF_INET6);
	EXPECT_INT(parse(&f, "icmp src 1.1.1.1 dst 2.2.2.2 icmpid 7", 0), 0);
	EXPECT_INT(f.tuple[ORIG].icmp_type, 8);
	EXPECT(f.tuple[ORIG].has & TUPLE_BIT(ICMP_CODE));
	EXPECT_INT(parse(&f, "icmpv6 src ::1 dst ::2 icmpid 7", 0), 0);
	EXPECT_INT(f.tuple[ORIG].icmp_type, 128);
	EXPECT_INT(parse(&f, "gre src ::1 dst ::2 key 0x10", 0), 0);
	EXPECT_INT(f.tuple[ORIG].gre_key, htonl(16));
	EXPECT_INT(parse(&f, "proto 89 src 1.1.1.1 dst 2.2.2.2", 0), 0);
	EXPECT_INT(parse(&f, "id 12345678901234567890", WORDS_ID), 0);
	EXPECT_INT(f.has, FLOW_BIT(ID));
}

static void bad_flows(void)
{
	static const struct {
		const char *line;
		const char *says;
		int which;
	} cases[] = {
		{ "", "a protocol is missing", WORDS_ID },
		{ "tcp", "'src' is missing", 0 },
		{ "tcp src 1.1.1.1", "'dst' is missing", 0 },
		{ "tcp src 1.1.1.1 dst 2.2.2.2 sport 1", "tcp needs 'dport'",
		  0 },
		{ "tcp src 1.1.1.1 dst 2.2.2.2 sport 1 dport 1-2",
		  "bad value '1-2' of 'dport'", 0 },
		{ "tcp src 1.1.1.1 dst ::2", "'dst ::2' is not IPv4", 0 },
		{ "tcp src 1.1.1.0/24", "bad value '1.1.1.0/24' of 'src'", 0 },
		{ "icmp src 1.1.1.1 dst 2.2.2.2", "icmp needs 'icmpid'", 0 },
		{ "icmp src ::1 dst ::2 icmpid 1", "icmp is not a protocol", 0 },
		{ "icmp src 1.1.1.1 dst 2.2.2.2 icmpid 1 sport 2",
		  "'sport' is a word for tcp", 0 },
		{ "udp src 1.1.1.1 dst 2.2.2.2 sport 1 dport 2 key 5",
		  "'key' is a word for gre only", 0 },
		{ "udp src 1.1.1.1 dst 2.2.2.2 sport 1 dport 2 type 5",
		  "'type' is a word for icmp", 0 },
		{ "id 5", "unknown word 'id'", 0 },
		{ "id 5 tcp", "'id' names a flow alone", WORDS_ID },
		{ "tcp timeout 5", "unknown word 'timeout'", WORDS_ID },
		{ "timeuot 5", "did you mean 'timeout'", WORDS_STATE },
		{ "id 5", "unknown word 'id'", WORDS_STATE },
		{ "tcp src 1.1.1.1 dst 2.2.2.2 sport 1 dport 2 state stream",
		  "bad value 'stream' of 'state'", WORDS_STATE },
		{ "udp src 1.1.1.1 dst 2.2.2.2 sport 1 dport 2 tcp-window 1,2,3,4,5,6",
		  "'tcp-window' is a word for tcp only", WORDS_STATE },
		{ "tcp tcp-window 1,2,3,4,5", "bad value '1,2,3,4,5'",
		  WORDS_STATE },
		{ "tcp tcp-window 1,2,3,4,5,6,", "bad value", WORDS_STATE },
		{ "tcp tcp-window 1,2,3,4,5,256", "bad value", WORDS_STATE },
		{ "tcp status dead", "bad value 'dead' of 'status'",
		  WORDS_STATE },
		{ "tcp timeout 50d", "bad value '50d' of 'timeout'",
		  WORDS_STATE },
		{ "tcp start 1.0123456789", "bad value", WORDS_STATE },
		{ "tcp start 1.", "bad value", WORDS_STATE },
		{ "tcp mark", "'mark' needs a value", WORDS_STATE },
		{ "tcp mark 1 mark 2", "'mark' contradicts", WORDS_STATE },
		{ "udp src 1.1.1.1 dst 2.2.2.2 sport 1 dport 2 reply-src 2.2.2.2",
		  "'reply-dst' is missing", WORDS_STATE },
		{ "udp src 1.1.1.1 dst 2.2.2.2 sport 1 dport 2 reply-src 2.2.2.2 reply-dst 3.3.3.3",
		  "udp needs 'reply-sport'", WORDS_STATE },
		{ "proto 89 src ::1 dst ::2 reply-src ::2 reply-dst ::3 reply-dport 1",
		  "'reply-dport' is a word for tcp", WORDS_STATE },
		{ "udp src 1.1.1.1 dst 2.2.2.2 sport 1 dport 2 reply-src ::2",
		  "'reply-src ::2' is not IPv4",
		  WORDS_STATE },
		{ "udp src 1.1.1.1 dst 2.2.2.2 sport 1 dport 2 masq eth0", "'reply-src' is missing",
		  WORDS_STATE },
		{ "udp masq a-name-of-sixteen", "the name of a device", WORDS_STATE },
	};
	struct flow f;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		EXPECT_INT(parse(&f, cases[i].line, cases[i].which),
			   EXIT_USAGE);
		if (!strstr(err_msg(), cases[i].says))
			test_failed(__FILE__, __LINE__, "'%s' says '%s'",
				    cases[i].line, err_msg());
	}
}

/* What can be saved of a flow is the same after save and restore. */
static void round_trip(const struct flow *f, const char *want)
{
	static char line[OUT_LINE], again[OUT_LINE];
	struct flow g;
	char *end;

	end = flow_line(line, f);
	EXPECT(end[-1] == '\n');
	end[-1] = '\0';
	if (want)
		EXPECT_STR(line, want);
	EXPECT_INT(parse(&g, line, WORDS_STATE), 0);
	EXPECT_STR(err_msg(), "");
	end = flow_line(again, &g);
	end[-1] = '\0';
	EXPECT_STR(again, line);
	EXPECT_INT(g.family, f->family);
	EXPECT_INT(g.state, f->state);
	EXPECT_INT(g.status, f->status);
	EXPECT_INT(g.timeout, f->timeout);
	EXPECT_INT(g.mark, f->mark);
	EXPECT_INT(g.zone, f->zone);
	EXPECT_INT(g.start, f->start);
	EXPECT(!memcmp(g.packets, f->packets, sizeof(g.packets)));
	EXPECT(!memcmp(g.bytes, f->bytes, sizeof(g.bytes)));
	EXPECT(!memcmp(g.tcp, f->tcp, sizeof(g.tcp)));
	EXPECT(!memcmp(g.vtag, f->vtag, sizeof(g.vtag)));
	EXPECT(!memcmp(&g.tuple[ORIG], &f->tuple[ORIG],
		       sizeof(g.tuple[ORIG])));
	if (flow_has(f, FLOWTRACK_A_FLOW_REPLY) && flow_translated(f))
		EXPECT(!memcmp(&g.tuple[REPLY], &f->tuple[REPLY], sizeof(g.tuple[REPLY])));
	EXPECT_STR(g.masq, f->masq);
}

#define SAVED_TUPLE							\
	"tcp src=10.0.0.2 dst=10.0.1.2 sport=4242 dport=443 zone=5 "
#define SAVED_STATE							\
	"state=established status=seen_reply,assured timeout=53.999 mark=0x1 "
#define SAVED_COUNTERS							\
	"packets=3 bytes=180 reply-packets=2 reply-bytes=120 "
#define WINDOW	"tcp-window=305419896,305485432,65536,2596069104,"
#define SAVED_WINDOWS	WINDOW "7,0x23 reply-" WINDOW "9,0x23 "
#define SAVED_PING							\
	"icmpv6 src=2001:db8::1 dst=2001:db8::2 icmpid=77 type=128 code=0"

static void save_and_restore(void)
{
	struct flow f;

	sample_tcp(&f, 0);
	f.has |= FLOW_BIT(START);
	f.start = 1700000000123456789ULL;
	round_trip(&f, SAVED_TUPLE SAVED_STATE SAVED_COUNTERS SAVED_WINDOWS
		   "start=1700000000.123456789");
	f.packets[ORIG] = ~0ULL;
	f.bytes[REPLY] = ~0ULL;
	f.mark = ~0U;
	f.timeout = ~0U;
	f.tcp[ORIG].maxend = ~0U;
	f.tcp[ORIG].flags = 255;
	round_trip(&f, NULL);

	sample_icmp6(&f);
	round_trip(&f, SAVED_PING " state=unreplied status=none timeout=29.001");

	sample_tcp(&f, 1);
	f.l4proto = IPPROTO_SCTP;
	f.state = FLOWTRACK_SCTP_STATE_SHUTDOWN_ACK_SENT;
	f.has &= ~(FLOW_BIT(TCP_ORIG) | FLOW_BIT(TCP_REPLY));
	f.has |= FLOW_BIT(VTAG_ORIG) | FLOW_BIT(VTAG_REPLY);
	memset(f.tcp, 0, sizeof(f.tcp));
	f.vtag[ORIG] = htonl(0x01020304);
	f.vtag[REPLY] = htonl(0xdeadbeef);
	round_trip(&f, NULL);

	sample_tcp(&f, 1);
	f.l4proto = IPPROTO_GRE;
	f.state = FLOWTRACK_FLOW_STATE_STREAM;
	f.has &= ~(FLOW_BIT(TCP_ORIG) | FLOW_BIT(TCP_REPLY));
	memset(f.tcp, 0, sizeof(f.tcp));
	f.tuple[ORIG].has = TUPLE_BIT(SRC4) | TUPLE_BIT(DST4) |
			    TUPLE_BIT(GRE_KEY);
	f.tuple[ORIG].sport = 0;
	f.tuple[ORIG].dport = 0;
	f.tuple[ORIG].gre_key = htonl(0x10);
	flow_invert(&f, &f.tuple[REPLY]);
	round_trip(&f, NULL);

	f.l4proto = 89;
	f.tuple[ORIG].has = TUPLE_BIT(SRC4) | TUPLE_BIT(DST4);
	f.tuple[ORIG].gre_key = 0;
	flow_invert(&f, &f.tuple[REPLY]);
	round_trip(&f, NULL);
}

#define SAVED_ANSWERS							\
	"reply-src=10.0.1.2 reply-dst=192.0.2.1 reply-sport=443 reply-dport=1024 masq=eth0 zone=5 "
#define SAVED_BORROWED							\
	"tcp src=10.0.0.2 dst=10.0.1.2 sport=4242 dport=443 " SAVED_ANSWERS SAVED_STATE

/* What answers to a translated flow are like is in its line, of others it is not. */
static void saved_mapping(void)
{
	static const char outer[] = { (char)192, 0, 2, 1 };
	struct flow f;

	sample_tcp(&f, 0);
	f.has &= ~(FLOW_BIT(TCP_ORIG) | FLOW_BIT(TCP_REPLY) | FLOW_BIT(COUNTERS_ORIG) |
		   FLOW_BIT(COUNTERS_REPLY));
	memset(f.tcp, 0, sizeof(f.tcp));
	memset(f.packets, 0, sizeof(f.packets));
	memset(f.bytes, 0, sizeof(f.bytes));
	f.has |= FLOW_BIT(REPLY) | FLOW_BIT(MASQ) | FLOW_BIT(START);
	f.start = 1700000000000000000ULL;
	strcpy(f.masq, "eth0");
	flow_invert(&f, &f.tuple[REPLY]);
	memcpy(f.tuple[REPLY].dst, outer, sizeof(outer));
	f.tuple[REPLY].dport = htons(1024);
	round_trip(&f, SAVED_BORROWED "start=1700000000.000000000");

	sample_icmp6(&f);
	f.has |= FLOW_BIT(REPLY);
	flow_invert(&f, &f.tuple[REPLY]);
	round_trip(&f, SAVED_PING " state=unreplied status=none timeout=29.001");
	f.tuple[REPLY].icmp_id = htons(78);
	round_trip(&f, NULL);
}

const struct test words_tests[] = {
	{ "tuples", tuples },
	{ "bad flows are refused with a reason", bad_flows },
	{ "a line of save is read back as it was", save_and_restore },
	{ "a translated flow is saved with what answers to it are like", saved_mapping },
	{ NULL, NULL },
};
