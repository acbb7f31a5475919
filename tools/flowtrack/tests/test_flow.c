// SPDX-License-Identifier: GPL-2.0
/*
 * Flows in messages.
 */
#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <stdlib.h>
#include <string.h>

#include "flow.h"
#include "test.h"

static void same_flow(const struct flow *f)
{
	struct nlmsghdr *nlh;
	char buf[2048] ALIGNED;
	struct flow g;

	nlh = msg_flow(buf, 1, FLOWTRACK_CMD_FLOW_GET, 0, f);
	memset(&g, 0, sizeof(g));
	EXPECT_INT(flow_parse(nlh, &g), 0);
	EXPECT_INT(g.has, f->has);
	EXPECT_INT(g.id, f->id);
	EXPECT_INT(g.family, f->family);
	EXPECT_INT(g.l4proto, f->l4proto);
	EXPECT_INT(g.zone, f->zone);
	EXPECT_INT(g.state, f->state);
	EXPECT_INT(g.class, f->class);
	EXPECT_INT(g.status, f->status);
	EXPECT_INT(g.timeout, f->timeout);
	EXPECT_INT(g.mark, f->mark);
	EXPECT_INT(g.age, f->age);
	EXPECT_INT(g.start, f->start);
	EXPECT_INT(g.stop, f->stop);
	EXPECT_INT(g.reason, f->reason);
	EXPECT(!memcmp(g.tuple, f->tuple, sizeof(g.tuple)));
	EXPECT(!memcmp(g.packets, f->packets, sizeof(g.packets)));
	EXPECT(!memcmp(g.bytes, f->bytes, sizeof(g.bytes)));
	EXPECT(!memcmp(g.tcp, f->tcp, sizeof(g.tcp)));
	EXPECT(!memcmp(g.vtag, f->vtag, sizeof(g.vtag)));
}

static void round_trip(void)
{
	struct flow f;

	sample_tcp(&f, 7);
	same_flow(&f);
	f.has |= FLOW_BIT(START) | FLOW_BIT(STOP) | FLOW_BIT(REASON) |
		 FLOW_BIT(VTAG_ORIG) | FLOW_BIT(VTAG_REPLY);
	f.start = 1700000000000000001ULL;
	f.stop = f.start + 5;
	f.reason = FLOWTRACK_REASON_EVICTED;
	f.has |= FLOW_BIT(TRACKER);
	f.tracker = FLOWTRACK_TRACKER_GUARDED;
	f.vtag[ORIG] = htonl(1);
	f.vtag[REPLY] = htonl(2);
	same_flow(&f);
	sample_icmp6(&f);
	same_flow(&f);
	memset(&f, 0, sizeof(f));
	same_flow(&f);
}

static void ports_are_in_network_order(void)
{
	const struct nlattr *a, *b;
	struct nlmsghdr *nlh;
	char buf[2048] ALIGNED;
	struct flow f;
	int found = 0;

	sample_tcp(&f, 0);
	nlh = mnl_nlmsg_put_header(buf);
	flow_put(nlh, &f);
	mnl_attr_for_each(a, nlh, 0) {
		if (mnl_attr_get_type(a) != FLOWTRACK_A_FLOW_ORIG)
			continue;
		mnl_attr_for_each_nested(b, a) {
			const __u8 *v = mnl_attr_get_payload(b);

			if (mnl_attr_get_type(b) == FLOWTRACK_A_TUPLE_DPORT)
				found += v[0] == 443 >> 8 && v[1] == (443 & 255);
			if (mnl_attr_get_type(b) == FLOWTRACK_A_TUPLE_SRC4)
				found += v[0] == 10 && v[3] == 2;
		}
	}
	EXPECT_INT(found, 2);
}

/* The kernel refuses attributes that flow-add has no use for. */
static void only_what_add_takes(void)
{
	__u32 allowed = FLOW_BIT(FAMILY) | FLOW_BIT(L4PROTO) | FLOW_BIT(ZONE) |
			FLOW_BIT(ORIG) | FLOW_BIT(STATE) | FLOW_BIT(STATUS) |
			FLOW_BIT(TIMEOUT) | FLOW_BIT(MARK) |
			FLOW_BIT(COUNTERS_ORIG) | FLOW_BIT(COUNTERS_REPLY) |
			FLOW_BIT(START) | FLOW_BIT(TCP_ORIG) |
			FLOW_BIT(TCP_REPLY) | FLOW_BIT(VTAG_ORIG) |
			FLOW_BIT(VTAG_REPLY) | FLOW_BIT(MASQ);
	const struct nlattr *a;
	struct nlmsghdr *nlh;
	char buf[2048] ALIGNED;
	struct flow f;

	sample_tcp(&f, 0);
	f.has = ~FLOW_BIT(ID);
	nlh = mnl_nlmsg_put_header(buf);
	flow_put(nlh, &f);
	EXPECT(nlh->nlmsg_len <= 512);
	mnl_attr_for_each(a, nlh, 0)
		EXPECT(allowed >> mnl_attr_get_type(a) & 1);

	/* The longest: a translated one over IPv6. */
	f.family = AF_INET6;
	f.tuple[REPLY].dport++;
	strcpy(f.masq, "fifteen-letters");
	nlh = mnl_nlmsg_put_header(buf);
	flow_put(nlh, &f);
	EXPECT(nlh->nlmsg_len <= 512);
	allowed |= FLOW_BIT(REPLY);
	mnl_attr_for_each(a, nlh, 0)
		EXPECT(allowed >> mnl_attr_get_type(a) & 1);
}

static void inverted(void)
{
	static const __u8 types4[][2] = {
		{ 8, 0 }, { 13, 14 }, { 15, 16 }, { 17, 18 }, { 42, 42 }
	};
	static const __u8 types6[][2] = {
		{ 128, 129 }, { 139, 140 }, { 138, 138 }, { 1, 1 }
	};
	struct flow_tuple t;
	struct flow f;
	size_t i;

	sample_tcp(&f, 0);
	flow_invert(&f, &t);
	EXPECT_INT(t.sport, htons(443));
	EXPECT_INT(t.dst[3], 2);
	sample_icmp6(&f);
	for (i = 0; i < sizeof(types6) / sizeof(types6[0]); i++) {
		f.tuple[ORIG].icmp_type = types6[i][0];
		flow_invert(&f, &t);
		EXPECT_INT(t.icmp_type, types6[i][1]);
		f.tuple[ORIG].icmp_type = types6[i][1];
		flow_invert(&f, &t);
		EXPECT_INT(t.icmp_type, types6[i][0]);
	}
	f.family = AF_INET;
	for (i = 0; i < sizeof(types4) / sizeof(types4[0]); i++) {
		f.tuple[ORIG].icmp_type = types4[i][0];
		flow_invert(&f, &t);
		EXPECT_INT(t.icmp_type, types4[i][1]);
		f.tuple[ORIG].icmp_type = types4[i][1];
		flow_invert(&f, &t);
		EXPECT_INT(t.icmp_type, types4[i][0]);
	}
}

/* Messages that are cut or changed are read within their bounds. */
static void malformed(void)
{
	struct nlmsghdr *nlh;
	char buf[2048] ALIGNED = { 0 }, *copy;
	struct flow f, g;
	unsigned int len, i;

	sample_tcp(&f, 0);
	nlh = msg_flow(buf, 1, FLOWTRACK_CMD_FLOW_GET, 0, &f);
	len = nlh->nlmsg_len;
	for (i = NLMSG_HDRLEN; i < len; i++) {
		copy = malloc(i);	/* the sanitizers know its end */
		memcpy(copy, buf, i);
		nlh = (void *)copy;
		nlh->nlmsg_len = i;
		flow_parse(nlh, &g);
		free(copy);
	}
	srand(3);
	for (i = 0; i < 20000; i++) {
		int n = rand() % 4 + 1;

		copy = malloc(len);
		memcpy(copy, buf, len);
		while (n--)
			copy[NLMSG_HDRLEN + rand() % (len - NLMSG_HDRLEN)] =
				rand();
		flow_parse((void *)copy, &g);
		free(copy);
	}
	/* too short a value */
	nlh = mnl_nlmsg_put_header(buf);
	mnl_nlmsg_put_extra_header(nlh, sizeof(struct genlmsghdr));
	mnl_attr_put_u8(nlh, FLOWTRACK_A_FLOW_MARK, 1);
	EXPECT(flow_parse(nlh, &g) < 0);
	/* an attribute of the future */
	nlh = mnl_nlmsg_put_header(buf);
	mnl_nlmsg_put_extra_header(nlh, sizeof(struct genlmsghdr));
	mnl_attr_put_u8(nlh, 200, 1);
	mnl_attr_put_u32(nlh, FLOWTRACK_A_FLOW_MARK, 1);
	EXPECT_INT(flow_parse(nlh, &g), 0);
	EXPECT_INT(g.has, FLOW_BIT(MARK));
}

const struct test flow_tests[] = {
	{ "a message is read as it was written", round_trip },
	{ "tuples are in network byte order", ports_are_in_network_order },
	{ "only what flow-add takes is sent", only_what_add_takes },
	{ "the reply tuple", inverted },
	{ "malformed messages", malformed },
	{ NULL, NULL },
};
