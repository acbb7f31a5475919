// SPDX-License-Identifier: GPL-2.0
/*
 * Messages as the kernel makes them, for the tests and the benchmark.
 */
#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <string.h>

#include "flow.h"
#include "test.h"

static void put_u64(struct nlmsghdr *nlh, int type, __u64 v)
{
	/* The kernel aligns them with an empty attribute. */
	if (((unsigned long)mnl_nlmsg_get_payload_tail(nlh) & 7) == 0)
		mnl_attr_put(nlh, FLOWTRACK_A_FLOW_PAD, 0, NULL);
	mnl_attr_put_u64(nlh, type, v);
}

/**
 * msg_flow() - a flow as a reply or notification shows it
 * @buf: room for 1024 bytes
 * @seq: sequence number
 * @cmd: FLOWTRACK_CMD_*
 * @flags: NLM_F_*
 * @f: flow
 *
 * Return: the message.
 */
struct nlmsghdr *msg_flow(void *buf, __u32 seq, int cmd, int flags,
			  const struct flow *f)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf), *part;
	struct genlmsghdr *genl;
	struct flow_tuple reply;
	struct flow orig = *f;

	nlh->nlmsg_type = 42;
	nlh->nlmsg_flags = flags;
	nlh->nlmsg_seq = seq;
	genl = mnl_nlmsg_put_extra_header(nlh, sizeof(*genl));
	genl->cmd = cmd;
	genl->version = FLOWTRACK_FAMILY_VERSION;
	part = nlh;
	if (flow_has(f, FLOWTRACK_A_FLOW_ID))
		put_u64(nlh, FLOWTRACK_A_FLOW_ID, f->id);
	orig.has &= ~(FLOW_BIT(ID) | FLOW_BIT(START));
	flow_put(part, &orig);
	if (flow_has(f, FLOWTRACK_A_FLOW_REPLY)) {
		/* Through flow_put(), under the other number. */
		char tmp[512] ALIGNED;
		struct nlmsghdr *t = mnl_nlmsg_put_header(tmp);
		struct nlattr *a;

		flow_invert(f, &reply);
		orig.has = FLOW_BIT(ORIG);
		orig.tuple[ORIG] = reply;
		flow_put(t, &orig);
		a = mnl_nlmsg_get_payload(t);
		mnl_attr_put(nlh, FLOWTRACK_A_FLOW_REPLY | NLA_F_NESTED,
			     mnl_attr_get_payload_len(a),
			     mnl_attr_get_payload(a));
	}
	if (flow_has(f, FLOWTRACK_A_FLOW_CLASS))
		mnl_attr_put_u8(nlh, FLOWTRACK_A_FLOW_CLASS, f->class);
	if (flow_has(f, FLOWTRACK_A_FLOW_TRACKER))
		mnl_attr_put_u8(nlh, FLOWTRACK_A_FLOW_TRACKER, f->tracker);
	if (flow_has(f, FLOWTRACK_A_FLOW_AGE))
		put_u64(nlh, FLOWTRACK_A_FLOW_AGE, f->age);
	if (flow_has(f, FLOWTRACK_A_FLOW_START))
		put_u64(nlh, FLOWTRACK_A_FLOW_START, f->start);
	if (flow_has(f, FLOWTRACK_A_FLOW_STOP))
		put_u64(nlh, FLOWTRACK_A_FLOW_STOP, f->stop);
	if (flow_has(f, FLOWTRACK_A_FLOW_REASON))
		mnl_attr_put_u8(nlh, FLOWTRACK_A_FLOW_REASON, f->reason);
	return nlh;
}

/* An established TCP flow over IPv4, the @i-th of many. */
void sample_tcp(struct flow *f, unsigned int i)
{
	static const struct flow_tcp tcp = {
		.end = 305419896, .maxend = 305485432, .maxwin = 65536,
		.maxack = 2596069104, .scale = 7, .flags = 0x23,
	};
	__u32 src = htonl(0x0a000002 + i / 60000), dst = htonl(0x0a000102);

	memset(f, 0, sizeof(*f));
	f->has = FLOW_BIT(ID) | FLOW_BIT(FAMILY) | FLOW_BIT(L4PROTO) |
		 FLOW_BIT(ZONE) | FLOW_BIT(ORIG) | FLOW_BIT(REPLY) |
		 FLOW_BIT(STATE) | FLOW_BIT(CLASS) | FLOW_BIT(STATUS) |
		 FLOW_BIT(TIMEOUT) | FLOW_BIT(MARK) | FLOW_BIT(COUNTERS_ORIG) |
		 FLOW_BIT(COUNTERS_REPLY) | FLOW_BIT(AGE) | FLOW_BIT(TCP_ORIG) |
		 FLOW_BIT(TCP_REPLY);
	f->id = (1ULL << 32) + i;
	f->family = AF_INET;
	f->l4proto = IPPROTO_TCP;
	f->zone = 5;
	f->state = FLOWTRACK_TCP_STATE_ESTABLISHED;
	f->class = FLOWTRACK_CLASS_ASSURED;
	f->status = FLOWTRACK_STATUS_SEEN_REPLY | FLOWTRACK_STATUS_ASSURED;
	f->timeout = 53999;
	f->mark = 1;
	f->age = 1200;
	f->packets[ORIG] = 3;
	f->bytes[ORIG] = 180;
	f->packets[REPLY] = 2;
	f->bytes[REPLY] = 120;
	f->tcp[ORIG] = tcp;
	f->tcp[REPLY] = tcp;
	f->tcp[REPLY].scale = 9;
	memcpy(f->tuple[ORIG].src, &src, 4);
	memcpy(f->tuple[ORIG].dst, &dst, 4);
	f->tuple[ORIG].sport = htons(4242 + i % 60000);
	f->tuple[ORIG].dport = htons(443);
	f->tuple[ORIG].has = TUPLE_BIT(SRC4) | TUPLE_BIT(DST4) |
			     TUPLE_BIT(SPORT) | TUPLE_BIT(DPORT);
	flow_invert(f, &f->tuple[REPLY]);
}

/* An unanswered ping over IPv6. */
void sample_icmp6(struct flow *f)
{
	memset(f, 0, sizeof(*f));
	f->has = FLOW_BIT(ID) | FLOW_BIT(FAMILY) | FLOW_BIT(L4PROTO) |
		 FLOW_BIT(ORIG) | FLOW_BIT(REPLY) | FLOW_BIT(STATE) |
		 FLOW_BIT(CLASS) | FLOW_BIT(STATUS) | FLOW_BIT(TIMEOUT);
	f->id = 18446744073709551615ULL;
	f->family = AF_INET6;
	f->l4proto = IPPROTO_ICMPV6;
	f->class = FLOWTRACK_CLASS_EMBRYONIC;
	f->timeout = 29001;
	inet_pton(AF_INET6, "2001:db8::1", f->tuple[ORIG].src);
	inet_pton(AF_INET6, "2001:db8::2", f->tuple[ORIG].dst);
	f->tuple[ORIG].icmp_id = htons(77);
	f->tuple[ORIG].icmp_type = 128;
	f->tuple[ORIG].has = TUPLE_BIT(SRC6) | TUPLE_BIT(DST6) |
			     TUPLE_BIT(ICMP_ID) | TUPLE_BIT(ICMP_TYPE) |
			     TUPLE_BIT(ICMP_CODE);
	flow_invert(f, &f->tuple[REPLY]);
}
