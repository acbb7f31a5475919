// SPDX-License-Identifier: GPL-2.0
/*
 * The grammar of filters, what is sent, and what matches.
 */
#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <limits.h>
#include <linux/genetlink.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "filter.h"
#include "flow.h"
#include "nl.h"
#include "test.h"

#define WITH_PORTS	"sport 1000-2000 dport 443"
#define WITH_REST	" guarded mark 1 age 5-9 zone 3 class assured"

static int parse(struct filter *f, const char *line)
{
	char **argv;
	int argc = test_words(line, &argv);

	err_clear();
	return filter_parse(f, argc, argv, 0);
}

static void good_words(void)
{
	struct filter f;

	EXPECT_INT(parse(&f, ""), 0);
	EXPECT(filter_empty(&f));
	EXPECT_INT(parse(&f, "tcp dst 10.0.0.0/8 dport 443 state established"),
		   0);
	EXPECT_INT(f.all.l4proto, IPPROTO_TCP);
	EXPECT_INT(f.all.family, AF_INET);
	EXPECT_INT(f.all.addr[FILTER_DST].len, 8);
	EXPECT_INT(f.all.port_min[FILTER_DST], 443);
	EXPECT_INT(f.all.port_max[FILTER_DST], 443);
	EXPECT_INT(f.all.state, FLOWTRACK_TCP_STATE_ESTABLISHED);
	/* any order; values behind an equals sign */
	EXPECT_INT(parse(&f, "state=cookie-echoed zone=7 proto=132"), 0);
	EXPECT_INT(f.all.state, FLOWTRACK_SCTP_STATE_COOKIE_ECHOED);
	EXPECT_INT(f.all.zone, 7);
	EXPECT_INT(parse(&f, "class closing mark 0x10/0xf0 age >5m ipv6"), 0);
	EXPECT_INT(f.all.class, FLOWTRACK_CLASS_CLOSING);
	EXPECT_INT(f.all.mark, 16);
	EXPECT_INT(f.all.mark_mask, 0xf0);
	EXPECT_INT(f.all.age_min, 300);
	EXPECT_INT(f.all.family, AF_INET6);
	EXPECT_INT(parse(&f, "icmpv6"), 0);
	EXPECT_INT(f.all.family, AF_INET6);
	EXPECT_INT(parse(&f, "proto 89 state unreplied"), 0);
	EXPECT_INT(parse(&f, "guarded own tcp"), 0);
	EXPECT(filter_wants(&f, FLOWTRACK_TRACKER_OWN));
	EXPECT(filter_wants(&f, FLOWTRACK_TRACKER_GUARDED));
	/* All of one tracker is all: del asks for --all. */
	EXPECT_INT(parse(&f, "guarded"), 0);
	EXPECT(filter_empty(&f));
	EXPECT(!filter_wants(&f, FLOWTRACK_TRACKER_OWN));
	filter_default(&f, FLOWTRACK_TRACKER_OWN);
	EXPECT(!filter_wants(&f, FLOWTRACK_TRACKER_OWN));
	/* Lists and exceptions are parts; one value is not. */
	EXPECT_INT(parse(&f, "tcp dport http,443,8000-8080 not src 10.0.0.0/8,::1 zone 1"), 0);
	EXPECT_INT(f.parts, 5);
	/* Ports are read last: their names need the protocol. */
	EXPECT_INT(f.part[1].list, 0);
	EXPECT_INT(f.part[1].terms.family, AF_INET6);
	EXPECT_INT(f.part[2].list, 1);
	EXPECT_INT(f.part[2].terms.port_min[FILTER_DST], 80);
	EXPECT_INT(f.part[4].list, 1);
	EXPECT_INT(f.all.has, 1U << FLOWTRACK_A_FILTER_L4PROTO | 1U << FLOWTRACK_A_FILTER_ZONE);
	EXPECT_INT(parse(&f, "not tcp not ipv6 not dport 1 not dport 2 host 10.0.0.1"), 0);
	EXPECT_INT(f.parts, 4);
	EXPECT(!filter_empty(&f));
	EXPECT_INT(parse(&f, "not udp"), 0);
	EXPECT(!filter_empty(&f));
	EXPECT_INT(parse(&f, "proto gre"), 0);
	EXPECT_INT(f.all.l4proto, IPPROTO_GRE);
}

static void bad_words(void)
{
	static const struct {
		const char *line;
		const char *says;
	} cases[] = {
		{ "dprt 5", "unknown word 'dprt', did you mean 'dport'?" },
		{ "tpc", "did you mean 'tcp'" },
		{ "tcp udp", "'udp' contradicts" },
		{ "tcp=5", "'tcp' takes no value" },
		{ "dport", "'dport' needs a value" },
		{ "dport=", "'dport' needs a value" },
		{ "dport 99999", "bad value '99999' of 'dport'" },
		{ "sport 7-5", "bad value '7-5' of 'sport'" },
		{ "src 10.0.0.256", "bad value '10.0.0.256' of 'src'" },
		{ "src 10.0.0.1 src 10.0.0.2", "'src' contradicts" },
		{ "src 10.0.0.1 dst ::1", "'dst ::1' is not IPv4" },
		{ "ipv6 src 10.0.0.1", "'src 10.0.0.1' is not IPv6" },
		{ "ipv4 ipv6", "'ipv6' contradicts" },
		{ "icmp src ::1", "icmp is not a protocol of IPv6" },
		{ "icmp sport 5", "'sport' needs tcp, udp" },
		{ "state established", "needs a protocol" },
		{ "tcp state replied", "expected one of none, syn_sent" },
		{ "class best", "bad value 'best' of 'class'" },
		{ "mark 1/2/3", "bad value '1/2/3' of 'mark'" },
		{ "mark 0x11/0x10", "bad value '0x11/0x10' of 'mark'" },
		{ "zone 65536", "bad value '65536' of 'zone'" },
		{ "proto 256", "bad value '256' of 'proto'" },
		{ "age old", "bad value 'old' of 'age'" },
		{ "id 5", "unknown word 'id'" },
		{ "guarded guarded", "'guarded' contradicts" },
		{ "own=1", "'own' takes no value" },
		{ "gaurded", "did you mean 'guarded'?" },
		{ "not", "'not' needs a word" },
		{ "tcp not", "'not' needs a word" },
		{ "not not tcp", "unknown word 'not'" },
		{ "not=tcp", "'not' takes no value" },
		{ "not own", "'not own': say 'guarded'" },
		{ "not src", "'src' needs a value" },
		{ "not tcp=5", "'tcp' takes no value" },
		{ "not state replied", "needs a protocol" },
		{ "icmp not port 5", "'port' needs tcp, udp" },
		{ "dport 80,", "bad value '' of 'dport'" },
		{ "dport ,80", "bad value ',80' of 'dport'" },
		{ "zone 1,70000", "bad value '70000' of 'zone'" },
		{ "dport 1,2 dport 3", "'dport' contradicts" },
		{ "ipv4 host 10.0.0.1,::1", "'host ::1' is not IPv4" },
	};
	struct filter f;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		EXPECT_INT(parse(&f, cases[i].line), EXIT_USAGE);
		if (!strstr(err_msg(), cases[i].says))
			test_failed(__FILE__, __LINE__, "'%s' says '%s'",
				    cases[i].line, err_msg());
	}
}

/* Each list is an any, and a request has room for all that may be said. */
static void parts_are_sent(void)
{
	unsigned int any = 0, not = 0, alternatives = 0;
	char buf[NL_REQUEST_SIZE] ALIGNED;
	const struct nlattr *a, *b;
	struct nlmsghdr *nlh;
	static const char addrs[] =
		"src 2001:db8::1 dst 2001:db8::2 reply-src 2001:db8::3 reply-dst 2001:db8::4";
	static const char ports[] = "sport 1-2 dport 3-4 reply-sport 5-6 reply-dport 7-8";
	static const char rest[] = "mark 1/1 class replied zone 4 age 1-2";
	struct filter f;
	char line[4096];
	size_t len;
	int i;

	nlh = mnl_nlmsg_put_header(buf);
	EXPECT_INT(parse(&f, "dport 80,443 not udp zone 1,2,3 not host 10.0.0.1"), 0);
	filter_put(nlh, &f);
	mnl_attr_for_each_nested(a, (struct nlattr *)mnl_nlmsg_get_payload(nlh)) {
		not += mnl_attr_get_type(a) == FLOWTRACK_A_FILTER_NOT;
		if (mnl_attr_get_type(a) != FLOWTRACK_A_FILTER_ANY)
			continue;
		any++;
		mnl_attr_for_each_nested(b, a)
			alternatives += mnl_attr_get_type(b) == FLOWTRACK_A_ANY_FILTER;
	}
	EXPECT_INT(any, 2);
	EXPECT_INT(alternatives, 5);
	EXPECT_INT(not, 2);

	len = snprintf(line, sizeof(line), "tcp own guarded %s %s %s not host 2001:db8::5", addrs,
		       ports, rest);
	for (i = 1; i < FILTER_PARTS; i++)
		len += snprintf(line + len, sizeof(line) - len, ",2001:db8::6/127");
	EXPECT_INT(parse(&f, line), 0);
	nlh = mnl_nlmsg_put_header(buf);
	mnl_nlmsg_put_extra_header(nlh, sizeof(struct genlmsghdr));
	filter_put(nlh, &f);
	EXPECT(nlh->nlmsg_len <= NL_REQUEST_SIZE);
	/* One more is too many. */
	snprintf(line + len, sizeof(line) - len, ",2001:db8::7");
	EXPECT_INT(parse(&f, line), EXIT_USAGE);
	EXPECT(strstr(err_msg(), "more than 64 values"));
	err_clear();
}

static void is_sent(void)
{
	const struct nlattr *attr[FLOWTRACK_A_FILTER_MAX + 1] = { NULL }, *a;
	struct nlattr *nest;
	struct nlmsghdr *nlh;
	char buf[1024] ALIGNED;
	struct filter f;

	nlh = mnl_nlmsg_put_header(buf);
	EXPECT_INT(parse(&f, "tcp src 10.1.0.0/16 dst 10.2.3.4 " WITH_PORTS
			 WITH_REST " state close"),
		   0);
	filter_put(nlh, &f);
	nest = mnl_nlmsg_get_payload(nlh);
	EXPECT_INT(mnl_attr_get_type(nest), FLOWTRACK_A_FLOW_FILTER);
	EXPECT(nest->nla_type & NLA_F_NESTED);
	mnl_attr_for_each_nested(a, nest)
		attr[mnl_attr_get_type(a)] = a;
#define U(t)	attr[FLOWTRACK_A_FILTER_##t]
	EXPECT_INT(mnl_attr_get_u8(U(FAMILY)), AF_INET);
	EXPECT_INT(mnl_attr_get_u8(U(TRACKER)), FLOWTRACK_TRACKER_GUARDED);
	EXPECT_INT(mnl_attr_get_u8(U(L4PROTO)), IPPROTO_TCP);
	EXPECT_INT(mnl_attr_get_payload_len(U(SRC)), 4);
	EXPECT(!memcmp(mnl_attr_get_payload(U(SRC)), "\x0a\x01\0\0", 4));
	EXPECT_INT(mnl_attr_get_u8(U(SRC_PREFIX)), 16);
	EXPECT_INT(mnl_attr_get_u8(U(DST_PREFIX)), 32);
	/* host byte order */
	EXPECT_INT(mnl_attr_get_u16(U(SPORT_MIN)), 1000);
	EXPECT_INT(mnl_attr_get_u16(U(SPORT_MAX)), 2000);
	EXPECT_INT(mnl_attr_get_u16(U(DPORT_MIN)), 443);
	EXPECT_INT(mnl_attr_get_u16(U(DPORT_MAX)), 443);
	EXPECT_INT(mnl_attr_get_u8(U(STATE)), FLOWTRACK_TCP_STATE_CLOSE);
	EXPECT_INT(mnl_attr_get_u8(U(CLASS)), FLOWTRACK_CLASS_ASSURED);
	EXPECT_INT(mnl_attr_get_u32(U(MARK)), 1);
	EXPECT_INT(mnl_attr_get_u32(U(MARK_MASK)), UINT_MAX);
	EXPECT_INT(mnl_attr_get_u16(U(ZONE)), 3);
	EXPECT_INT(mnl_attr_get_u32(U(AGE_MIN)), 5);
	EXPECT_INT(mnl_attr_get_u32(U(AGE_MAX)), 9);
#undef U
	parts_are_sent();
	/* The empty filter is an empty nest. */
	nlh = mnl_nlmsg_put_header(buf);
	parse(&f, "");
	filter_put(nlh, &f);
	EXPECT_INT(mnl_attr_get_payload_len(mnl_nlmsg_get_payload(nlh)), 0);
}

static void matches(void)
{
	static const struct {
		const char *line;
		bool match;
	} cases[] = {
		{ "", true },
		{ "tcp", true }, { "udp", false },
		{ "ipv4", true }, { "ipv6", false },
		{ "src 10.0.0.2", true }, { "src 10.0.0.3", false },
		{ "src 10.0.0.3/31", true }, { "src 10.0.0.1/31", false },
		{ "src 0.0.0.0/0", true }, { "src ::/0", false },
		{ "dst 10.0.1.0/24", true }, { "dst 10.0.0.0/24", false },
		{ "sport 4242", true }, { "sport 4243-5000", false },
		{ "sport 4000-4242", true },
		{ "dport 443", true }, { "dport 1-442", false },
		{ "tcp state established", true },
		{ "tcp state close", false },
		{ "class assured", true }, { "class replied", false },
		{ "mark 1", true }, { "mark 0", false },
		{ "mark 0/2", true }, { "mark 1/0xff", true },
		{ "zone 5", true }, { "zone 0", false },
		{ "age 1", true }, { "age >1", true }, { "age <1", false },
		{ "age >2", false }, { "age <2", true }, { "age 0-1", true },
		{ "tcp src 10.0.0.2 dport 443 class assured zone 5", true },
		{ "tcp src 10.0.0.2 dport 443 class assured zone 6", false },
		{ "host 10.0.0.2", true }, { "host 10.0.1.2", true },
		{ "host 10.0.0.3", false }, { "host 10.0.2.0/23", false },
		{ "port 443", true }, { "port 4242", true }, { "port 444-4241", false },
		{ "dport 80,443", true }, { "dport 80,81", false },
		{ "dport 80,443 zone 4,6", false }, { "dport 80,443 zone 4,5", true },
		{ "proto udp,tcp port 443", true }, { "proto udp,sctp", false },
		{ "src ::1,10.0.0.2", true }, { "class closing,replied", false },
		{ "tcp state close,established", true }, { "age 0,1,5-6", true },
		{ "not tcp", false }, { "not udp", true }, { "not ipv6", true },
		{ "not ipv4", false }, { "not host 10.0.1.2", false },
		{ "tcp not state established", false }, { "tcp not state close", true },
		{ "not dport 80,443", false }, { "not dport 80,81", true },
		{ "not src 10.0.0.2 not src 10.0.0.3", false },
		{ "dport 80,443 not sport 4242", false },
	};
	struct filter f;
	struct flow flow, nat;
	size_t i;

	sample_tcp(&flow, 0);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		EXPECT_INT(parse(&f, cases[i].line), 0);
		if (filter_match(&f, &flow) != cases[i].match)
			test_failed(__FILE__, __LINE__, "'%s'", cases[i].line);
	}
	sample_tcp(&nat, 0);
	sample_icmp6(&flow);
	EXPECT(!parse(&f, "sport 0-65535") && !filter_match(&f, &flow));
	EXPECT(!parse(&f, "src 2001:db8::/32") && filter_match(&f, &flow));
	EXPECT(!parse(&f, "src 2001:db8::/127") && filter_match(&f, &flow));
	EXPECT(!parse(&f, "src 2001:db8::2") && !filter_match(&f, &flow));
	/* neither mark, zone nor age are in the message */
	EXPECT(!parse(&f, "mark 0 zone 0") && filter_match(&f, &flow));
	/* The answers of a flow without NAT are the other way round. */
	EXPECT(!parse(&f, "reply-src 10.0.1.2 reply-dst 10.0.0.0/24 reply-sport 443") &&
	       filter_match(&f, &nat));
	EXPECT(!parse(&f, "reply-dport 443") && !filter_match(&f, &nat));
	/* Behind a router that masquerades they go to it. */
	inet_pton(AF_INET, "203.0.113.1", nat.tuple[REPLY].dst);
	nat.tuple[REPLY].dport = htons(40001);
	EXPECT(!parse(&f, "reply-dst 203.0.113.1 reply-dport 40001") && filter_match(&f, &nat));
	EXPECT(!parse(&f, "reply-dst 10.0.0.0/24") && !filter_match(&f, &nat));
	EXPECT(!parse(&f, "host 203.0.113.1 port 40001") && filter_match(&f, &nat));
	EXPECT(!parse(&f, "not host 203.0.113.1") && !filter_match(&f, &nat));
	EXPECT(!parse(&f, "src 10.0.0.0/24") && filter_match(&f, &nat));
	EXPECT(parse(&f, "reply-dst 203.0.113.1 dst ::1"));
	EXPECT(parse(&f, "reply-dport 1 reply-dport 2"));
	err_clear();

	EXPECT(!parse(&f, "age >0") && !filter_match(&f, &flow));
}

/* Whatever is typed, it is accepted or refused with a message. */
static void garbage(void)
{
	static const char * const words[] = {
		"tcp", "proto", "src", "dst", "sport", "=", "a=b", "10.0.0.1",
		"::/", "/", "-", "1-2-3", ">", "<", "age", "mark", "0x", "state",
		"zone", "class", "99999999999999999999", "=5", "dport=1-",
		"\xff\xfe", "src=", "icmp", "ipv6", "1.2.3.4/5/6", "not", "host", "port", "1,2",
		",", "class=replied,assured,", "not=", "own",
	};
	const size_t n = sizeof(words) / sizeof(words[0]);
	char *argv[6];
	struct filter f;
	int i, j, code;

	srand(2);
	for (i = 0; i < 20000; i++) {
		for (j = 0; j < 6; j++)
			argv[j] = (char *)words[rand() % n];
		err_clear();
		code = filter_parse(&f, rand() % 7, argv, 0);
		if (!!code != !!err_msg()[0])
			EXPECT_STR(err_msg(), "");
	}
	err_clear();
}

const struct test filter_tests[] = {
	{ "good words", good_words },
	{ "bad words are named", bad_words },
	{ "what is sent", is_sent },
	{ "what matches", matches },
	{ "garbage", garbage },
	{ NULL, NULL },
};
