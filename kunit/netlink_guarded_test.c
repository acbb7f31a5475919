// SPDX-License-Identifier: GPL-2.0
/*
 * Guarded flows through a socket, in the initial namespace.
 */
#include <net/netfilter/nf_conntrack_acct.h>
#include <net/netfilter/nf_conntrack_timestamp.h>

#include "ft_conntrack.h"
#include "ft_talk.h"
#include "netlink/filter.h"
#include "netlink/guarded.h"

#define A(name)		FLOWTRACK_A_FLOW_##name
#define T(name)		FLOWTRACK_A_TUPLE_##name
#define OWN		FLOWTRACK_TRACKER_OWN
#define GUARDED		FLOWTRACK_TRACKER_GUARDED
#define ASSURED		(IPS_SEEN_REPLY | IPS_ASSURED)
/* nf_conntrack's flows come from 1000; one that it has cannot be added. */
#define OWN_PORT	1001
#define FLOWS		2000

static void forget_all(void *data)
{
	struct ft_net *tn = ft_pernet(&init_net);

	ft_ct_end_all();
	ft_ct_look(tn);
	/* Small again, so that it has to grow. */
	flush_work(&tn->guard.shadows.hash.run_work);
}

static struct ft_talk *begin(struct kunit *test)
{
	struct ft_talk *talk = ft_talk_open(test);

	ft_talk_flush(talk);
	forget_all(NULL);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, forget_all, NULL),
			0);
	KUNIT_ASSERT_EQ(test, nf_conntrack_count(&init_net), 0);
	ft_guard_show(ft_pernet(&init_net));
	KUNIT_ASSERT_EQ(test,
			ft_shadow_count(&ft_pernet(&init_net)->guard.shadows), 0);
	return talk;
}

/* Guarded flow number @i, which nobody but nf_conntrack holds. */
static void guarded(struct kunit *test, u32 i)
{
	struct nf_conn *ct = ft_ct_udp(test, i, i % 2 ? ASSURED : 0, 60 * HZ);

	ft_ct_feed(ft_pernet(&init_net), ct);
	ft_ct_drop(test, ct);
}

static void put_filter(struct sk_buff *skb, u8 trackers, u32 prefix)
{
	struct nlattr *nest = nla_nest_start(skb, A(FILTER));

	if (trackers)
		nla_put_u8(skb, FLOWTRACK_A_FILTER_TRACKER, trackers);
	if (prefix) {
		nla_put_be32(skb, FLOWTRACK_A_FILTER_SRC, htonl(0x0a000000));
		nla_put_u8(skb, FLOWTRACK_A_FILTER_SRC_PREFIX, prefix);
	}
	nla_nest_end(skb, nest);
}

/* How often a dump showed each flow, by tracker. */
struct dumped {
	u32 flows[GUARDED + 1];
	u32 parts;
	bool interrupted;
	bool done;
	u8 seen[GUARDED + 1][FLOWS];
};

static void take_part(struct ft_talk *talk, struct dumped *d)
{
	struct nlattr *tb[FLOWTRACK_A_FLOW_MAX + 1];
	struct nlattr *tuple[FLOWTRACK_A_TUPLE_MAX + 1];
	const struct nlmsghdr *nlh;
	int rem = talk->len;
	u8 tracker;
	u32 i;

	d->parts++;
	for (nlh = (void *)talk->buf; nlmsg_ok(nlh, rem);
	     nlh = nlmsg_next(nlh, &rem)) {
		KUNIT_ASSERT_NE(talk->test, nlh->nlmsg_type, NLMSG_ERROR);
		d->interrupted |= nlh->nlmsg_flags & NLM_F_DUMP_INTR;
		if (nlh->nlmsg_type == NLMSG_DONE) {
			d->done = true;
			return;
		}
		ft_talk_parse(talk, nlh, tb, FLOWTRACK_A_FLOW_MAX);
		ft_talk_nest(talk, tb[A(ORIG)], tuple, FLOWTRACK_A_TUPLE_MAX);
		i = ntohl(nla_get_be32(tuple[T(SRC4)])) - 0x0a000000;
		tracker = nla_get_u8(tb[A(TRACKER)]);
		KUNIT_ASSERT_LT(talk->test, i, FLOWS);
		KUNIT_ASSERT_TRUE(talk->test,
				  tracker == OWN || tracker == GUARDED);
		d->seen[tracker][i]++;
		d->flows[tracker]++;
	}
}

static struct dumped *dumped_make(struct kunit *test)
{
	struct dumped *d = kunit_kzalloc(test, sizeof(*d), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, d);
	return d;
}

static void dump(struct ft_talk *talk, struct dumped *d, u8 trackers,
		 u32 prefix)
{
	memset(d, 0, sizeof(*d));
	put_filter(ft_talk_begin(talk, FLOWTRACK_CMD_FLOW_GET, NLM_F_DUMP),
		   trackers, prefix);
	ft_talk_send(talk);
	while (!d->done && ft_talk_recv(talk))
		take_part(talk, d);
	KUNIT_EXPECT_TRUE(talk->test, d->done);
}

/* Shadows are in one table when it has done with its resize. */
static void settle(void)
{
	struct ft_net *tn = ft_pernet(&init_net);

	flush_work(&tn->guard.shadows.hash.run_work);
	flush_work(&tn->resize_work);
}

/* Each flow once, in as many messages as it takes; and only those asked for. */
static void dumps(struct kunit *test)
{
	static const struct {
		u8 trackers;
		u32 prefix;
		u32 own, guarded;
	} cases[] = {
		{ 0, 0, FLOWS / 2, 0 },
		{ OWN, 0, FLOWS / 2, 0 },
		{ GUARDED, 0, 0, FLOWS },
		{ OWN | GUARDED, 0, FLOWS / 2, FLOWS },
		/* 10.0.0.0/25 */
		{ OWN | GUARDED, 25, 128, 128 },
		{ GUARDED, 25, 0, 128 },
	};
	struct ft_talk *talk = begin(test);
	struct dumped *d = dumped_make(test);
	unsigned int c;
	u32 i;

	for (i = 0; i < FLOWS; i++)
		guarded(test, i);
	for (i = 0; i < FLOWS / 2; i++)
		KUNIT_ASSERT_EQ(test, ft_talk_add_from(talk, i, OWN_PORT), 0);
	settle();
	for (c = 0; c < ARRAY_SIZE(cases); c++) {
		dump(talk, d, cases[c].trackers, cases[c].prefix);
		KUNIT_EXPECT_FALSE_MSG(test, d->interrupted, "case %u", c);
		KUNIT_EXPECT_EQ_MSG(test, d->flows[OWN], cases[c].own,
				    "case %u", c);
		KUNIT_EXPECT_EQ_MSG(test, d->flows[GUARDED], cases[c].guarded,
				    "case %u", c);
		for (i = 0; i < cases[c].guarded; i++)
			KUNIT_EXPECT_EQ_MSG(test, d->seen[GUARDED][i], 1,
					    "case %u flow %u", c, i);
		if (!cases[c].prefix)
			KUNIT_EXPECT_GT_MSG(test, d->parts, 3, "case %u", c);
	}
	/* What nf_conntrack has ended is not shown, though it has a shadow. */
	ft_ct_end_all();
	dump(talk, d, GUARDED, 0);
	KUNIT_EXPECT_EQ(test, d->flows[GUARDED], 0);
	ft_talk_flush(talk);
}

/* A resize in the middle is told, and all that stay are shown. */
static void dump_interrupted(struct kunit *test)
{
	struct ft_talk *talk = begin(test);
	struct dumped *d = dumped_make(test);
	u32 i;

	for (i = 0; i < FLOWS / 2; i++)
		guarded(test, i);
	settle();
	put_filter(ft_talk_begin(talk, FLOWTRACK_CMD_FLOW_GET, NLM_F_DUMP),
		   GUARDED, 0);
	ft_talk_send(talk);
	KUNIT_ASSERT_TRUE(test, ft_talk_recv(talk));
	take_part(talk, d);
	KUNIT_EXPECT_FALSE(test, d->done);
	for (; i < FLOWS; i++)
		guarded(test, i);
	settle();
	while (!d->done && ft_talk_recv(talk))
		take_part(talk, d);
	KUNIT_EXPECT_TRUE(test, d->done);
	KUNIT_EXPECT_TRUE(test, d->interrupted);
	for (i = 0; i < FLOWS; i++)
		KUNIT_EXPECT_GE_MSG(test, d->seen[GUARDED][i], 1, "flow %u", i);
}

/*
 * struct shown - an entry, and what must be shown of it
 * @name: for messages
 * @family: AF_INET or AF_INET6
 * @l4proto: IPPROTO_*
 * @status: IPS_*
 * @state: of TCP
 * @nat: the address that answers go to, last byte; 0: no NAT
 * @port: source and destination; ICMP: id and type << 8 | code; GRE: the call ids
 * @reply_port: likewise
 * @class: enum flowtrack_class
 */
static const struct shown {
	const char *name;
	u8 family, l4proto;
	unsigned long status;
	u8 state;
	u8 nat;
	u16 port[2], reply_port[2];
	u8 class;
} shown[] = {
	{ "masqueraded", AF_INET, IPPROTO_TCP, ASSURED | IPS_SRC_NAT,
	  TCP_CONNTRACK_ESTABLISHED, 9, { 4000, 80 }, { 80, 1024 },
	  FLOWTRACK_CLASS_ASSURED },
	{ "no NAT", AF_INET, IPPROTO_UDP, 0, 0, 0, { 4000, 53 }, { 53, 4000 },
	  FLOWTRACK_CLASS_EMBRYONIC },
	{ "ping", AF_INET, IPPROTO_ICMP, IPS_SEEN_REPLY | IPS_SRC_NAT, 0, 9,
	  { 77, 8 << 8 }, { 78, 0 }, FLOWTRACK_CLASS_REPLIED },
	{ "IPv6", AF_INET6, IPPROTO_UDP, ASSURED, 0, 9, { 4000, 53 },
	  { 53, 4000 }, FLOWTRACK_CLASS_ASSURED },
	{ "PPTP", AF_INET, IPPROTO_GRE, ASSURED, 0, 0, { 7, 9 }, { 9, 7 },
	  FLOWTRACK_CLASS_ASSURED },
};

static void shown_tuples(const struct shown *s, struct nf_conntrack_tuple *t)
{
	unsigned int dir;

	memset(t, 0, 2 * sizeof(*t));
	for (dir = 0; dir < 2; dir++) {
		t[dir].src.l3num = s->family;
		t[dir].dst.protonum = s->l4proto;
		t[dir].dst.dir = dir;
		t[dir].src.u.all = htons(s->port[0]);
		t[dir].dst.u.all = htons(s->port[1]);
	}
	t[1].src.u.all = htons(s->reply_port[0]);
	t[1].dst.u.all = htons(s->reply_port[1]);
	t[0].src.u3.ip = FT_IP(192, 0, 2, 200);
	t[0].dst.u3.ip = FT_IP(192, 0, 2, 7);
	t[1].src.u3.ip = FT_IP(192, 0, 2, 7);
	t[1].dst.u3.ip = FT_IP(192, 0, 2, s->nat ?: 200);
	if (s->family == AF_INET)
		return;
	for (dir = 0; dir < 2; dir++) {
		t[dir].src.u3.in6.s6_addr[15] = t[dir].src.u3.ip ? 1 + dir : 0;
		t[dir].dst.u3.in6.s6_addr[15] = dir ? s->nat : 2;
	}
}

/* As a message has it: what is the lower endpoint's in the upper half. */
static u32 gre_key(const struct nf_conntrack_tuple *t)
{
	bool from_hi = ntohl(t->src.u3.ip) > ntohl(t->dst.u3.ip);
	u16 src = ntohs(t->src.u.all), dst = ntohs(t->dst.u.all);

	return from_hi ? (u32)dst << 16 | src : (u32)src << 16 | dst;
}

static void expect_tuple(struct ft_talk *talk, const struct nlattr *nest,
			 const struct nf_conntrack_tuple *t, const char *name)
{
	struct nlattr *tb[FLOWTRACK_A_TUPLE_MAX + 1];
	unsigned int len = t->src.l3num == AF_INET ? 4 : 16;

	ft_talk_nest(talk, nest, tb, FLOWTRACK_A_TUPLE_MAX);
	KUNIT_EXPECT_MEMEQ_MSG(talk->test,
			       nla_data(tb[len == 4 ? T(SRC4) : T(SRC6)]),
			       &t->src.u3, len, "%s", name);
	KUNIT_EXPECT_MEMEQ_MSG(talk->test,
			       nla_data(tb[len == 4 ? T(DST4) : T(DST6)]),
			       &t->dst.u3, len, "%s", name);
	if (t->dst.protonum == IPPROTO_ICMP) {
		KUNIT_EXPECT_EQ_MSG(talk->test, nla_get_be16(tb[T(ICMP_ID)]),
				    t->src.u.icmp.id, "%s", name);
		KUNIT_EXPECT_EQ_MSG(talk->test, nla_get_u8(tb[T(ICMP_TYPE)]),
				    t->dst.u.icmp.type, "%s", name);
		return;
	}
	if (t->dst.protonum == IPPROTO_GRE) {
		KUNIT_EXPECT_EQ_MSG(talk->test, ntohl(nla_get_be32(tb[T(GRE_KEY)])),
				    gre_key(t), "%s", name);
		return;
	}
	KUNIT_EXPECT_EQ_MSG(talk->test, nla_get_be16(tb[T(SPORT)]),
			    t->src.u.all, "%s", name);
	KUNIT_EXPECT_EQ_MSG(talk->test, nla_get_be16(tb[T(DPORT)]),
			    t->dst.u.all, "%s", name);
}

static void put_name(struct sk_buff *skb, const struct nf_conntrack_tuple *t)
{
	bool v4 = t->src.l3num == AF_INET;
	struct nlattr *nest;

	nla_put_u8(skb, A(L4PROTO), t->dst.protonum);
	nest = nla_nest_start(skb, A(ORIG));
	nla_put(skb, v4 ? T(SRC4) : T(SRC6), v4 ? 4 : 16, &t->src.u3);
	nla_put(skb, v4 ? T(DST4) : T(DST6), v4 ? 4 : 16, &t->dst.u3);
	if (t->dst.protonum == IPPROTO_ICMP) {
		nla_put_be16(skb, T(ICMP_ID), t->src.u.icmp.id);
		nla_put_u8(skb, T(ICMP_TYPE), t->dst.u.icmp.type);
	} else if (t->dst.protonum == IPPROTO_GRE) {
		nla_put_be32(skb, T(GRE_KEY), htonl(gre_key(t)));
	} else {
		nla_put_be16(skb, T(SPORT), t->src.u.all);
		nla_put_be16(skb, T(DPORT), t->dst.u.all);
	}
	nla_nest_end(skb, nest);
}

/* By the tuple of either direction, what the entry says is shown. */
static void gets(struct kunit *test)
{
	struct nlattr *tb[FLOWTRACK_A_FLOW_MAX + 1];
	struct ft_talk *talk = begin(test);
	struct nf_conntrack_tuple t[2];
	const struct nlmsghdr *nlh;
	unsigned int i, dir;
	struct nf_conn *ct;
	struct ft_ack ack;
	u32 left;

	for (i = 0; i < ARRAY_SIZE(shown); i++) {
		const struct shown *s = &shown[i];

		shown_tuples(s, t);
		ct = ft_ct_entry(test, &t[0], &t[1], s->status, 60 * HZ);
		ct->mark = 0x1000 + i;
		if (s->l4proto == IPPROTO_TCP)
			ct->proto.tcp.state = s->state;
		/* Not guarded yet. */
		put_name(ft_talk_begin(talk, FLOWTRACK_CMD_FLOW_GET, 0), &t[0]);
		KUNIT_EXPECT_NULL_MSG(test, ft_talk(talk, &ack), "%s", s->name);
		KUNIT_EXPECT_EQ_MSG(test, ack.err, -ENOENT, "%s", s->name);
		ft_ct_feed(ft_pernet(&init_net), ct);
		for (dir = 0; dir < 2; dir++) {
			put_name(ft_talk_begin(talk, FLOWTRACK_CMD_FLOW_GET, 0),
				 &t[dir]);
			nlh = ft_talk(talk, &ack);
			KUNIT_ASSERT_NOT_NULL_MSG(test, nlh, "%s, %u: %s",
						  s->name, dir, ack.msg);
			ft_talk_parse(talk, nlh, tb, FLOWTRACK_A_FLOW_MAX);
			expect_tuple(talk, tb[A(ORIG)], &t[0], s->name);
			expect_tuple(talk, tb[A(REPLY)], &t[1], s->name);
			KUNIT_EXPECT_EQ_MSG(test, nla_get_u8(tb[A(TRACKER)]),
					    GUARDED, "%s", s->name);
			KUNIT_EXPECT_EQ_MSG(test, nla_get_u8(tb[A(FAMILY)]),
					    s->family, "%s", s->name);
			KUNIT_EXPECT_EQ_MSG(test, nla_get_u8(tb[A(CLASS)]),
					    s->class, "%s", s->name);
			KUNIT_EXPECT_EQ_MSG(test, nla_get_u32(tb[A(STATUS)]) &
					    FLOWTRACK_STATUS_ASSURED,
					    s->status & IPS_ASSURED ?
					    FLOWTRACK_STATUS_ASSURED : 0, "%s",
					    s->name);
			KUNIT_EXPECT_EQ_MSG(test, nla_get_u32(tb[A(MARK)]),
					    0x1000 + i, "%s", s->name);
			KUNIT_EXPECT_EQ_MSG(test, nla_get_u64(tb[A(ID)]),
					    swab32(nf_ct_get_id(ct)), "%s",
					    s->name);
			if (s->l4proto == IPPROTO_TCP)
				KUNIT_EXPECT_EQ_MSG(test,
						    nla_get_u8(tb[A(STATE)]),
						    s->state, "%s", s->name);
			left = nla_get_u32(tb[A(TIMEOUT)]);
			KUNIT_EXPECT_GT_MSG(test, left, 30000, "%s", s->name);
			KUNIT_EXPECT_LE_MSG(test, left, 60000, "%s", s->name);
			KUNIT_EXPECT_NULL_MSG(test, tb[A(AGE)], "%s", s->name);
			KUNIT_EXPECT_NULL_MSG(test, tb[A(COUNTERS_ORIG)], "%s",
					      s->name);
		}
	}
}

static int ask_id(struct ft_talk *talk, u8 cmd, u64 id, u64 *shown_id)
{
	struct nlattr *tb[FLOWTRACK_A_FLOW_MAX + 1];
	const struct nlmsghdr *nlh;
	struct ft_ack ack;

	nla_put_u64_64bit(ft_talk_begin(talk, cmd, 0), A(ID), id, A(PAD));
	nlh = ft_talk(talk, &ack);
	if (!nlh)
		return ack.err;
	ft_talk_parse(talk, nlh, tb, FLOWTRACK_A_FLOW_MAX);
	if (shown_id)
		*shown_id = nla_get_u64(tb[A(ID)]);
	return 0;
}

/* The id that a dump shows names the flow, for get and for del. */
static void ids(struct kunit *test)
{
	struct ft_talk *talk = begin(test);
	struct nf_conn *ct;
	u64 id[20], seen;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(id); i++) {
		ct = ft_ct_udp(test, i, ASSURED, 60 * HZ);
		ft_ct_feed(ft_pernet(&init_net), ct);
		id[i] = swab32(nf_ct_get_id(ct));
		ft_ct_drop(test, ct);
	}
	for (i = 0; i < ARRAY_SIZE(id); i++) {
		KUNIT_EXPECT_EQ(test, ask_id(talk, FLOWTRACK_CMD_FLOW_GET, id[i], &seen), 0);
		KUNIT_EXPECT_EQ(test, seen, id[i]);
	}
	KUNIT_EXPECT_EQ(test, ask_id(talk, FLOWTRACK_CMD_FLOW_DEL, id[7], NULL), 0);
	KUNIT_EXPECT_EQ(test, nf_conntrack_count(&init_net), ARRAY_SIZE(id) - 1);
	KUNIT_EXPECT_EQ(test, ask_id(talk, FLOWTRACK_CMD_FLOW_GET, id[7], &seen), -ENOENT);
	KUNIT_EXPECT_EQ(test, ask_id(talk, FLOWTRACK_CMD_FLOW_DEL, id[7], NULL), -ENOENT);
	KUNIT_EXPECT_EQ(test, ask_id(talk, FLOWTRACK_CMD_FLOW_GET, id[8], &seen), 0);
	/* An id of an own flow that is gone: no guarded flow is like it. */
	KUNIT_EXPECT_EQ(test, ask_id(talk, FLOWTRACK_CMD_FLOW_DEL, id[8] | 1ULL << 32, NULL),
			-ENOENT);
	KUNIT_EXPECT_EQ(test, nf_conntrack_count(&init_net), ARRAY_SIZE(id) - 1);
}

/* The tuple names a guarded flow for del, too. */
static void deletes_tuple(struct kunit *test)
{
	struct ft_talk *talk = begin(test);
	struct nf_conntrack_tuple t[2];
	struct nf_conn *ct;
	struct ft_ack ack;

	shown_tuples(&shown[0], t);
	ct = ft_ct_entry(test, &t[0], &t[1], shown[0].status, 60 * HZ);
	ft_ct_feed(ft_pernet(&init_net), ct);
	put_name(ft_talk_begin(talk, FLOWTRACK_CMD_FLOW_DEL, 0), &t[1]);
	KUNIT_EXPECT_NOT_NULL(test, ft_talk(talk, &ack));
	KUNIT_EXPECT_TRUE(test, nf_ct_is_dying(ct));
	put_name(ft_talk_begin(talk, FLOWTRACK_CMD_FLOW_DEL, 0), &t[1]);
	KUNIT_EXPECT_NULL(test, ft_talk(talk, &ack));
	KUNIT_EXPECT_EQ(test, ack.err, -ENOENT);
}

static u32 del_reply(struct ft_talk *talk, u32 addr, u8 prefix, u16 port)
{
	struct sk_buff *skb = ft_talk_begin(talk, FLOWTRACK_CMD_FLOW_DEL, 0);
	struct nlattr *tb[FLOWTRACK_A_FLOW_MAX + 1], *nest;
	const struct nlmsghdr *nlh;
	struct ft_ack ack;

	nest = nla_nest_start(skb, A(FILTER));
	nla_put_u8(skb, FLOWTRACK_A_FILTER_TRACKER, GUARDED);
	nla_put_be32(skb, FLOWTRACK_A_FILTER_REPLY_DST, htonl(addr));
	nla_put_u8(skb, FLOWTRACK_A_FILTER_REPLY_DST_PREFIX, prefix);
	nla_put_u16(skb, FLOWTRACK_A_FILTER_REPLY_DPORT_MIN, port);
	nla_nest_end(skb, nest);
	nlh = ft_talk(talk, &ack);
	KUNIT_ASSERT_NOT_NULL_MSG(talk->test, nlh, "%s", ack.msg);
	ft_talk_parse(talk, nlh, tb, FLOWTRACK_A_FLOW_MAX);
	return nla_get_u32(tb[A(DELETED)]);
}

/* What the world outside sees of a flow: the address and port that answers go to. */
static void by_reply(struct kunit *test)
{
	struct ft_talk *talk = begin(test);
	struct nf_conntrack_tuple t[2];
	struct nf_conn *ct;

	shown_tuples(&shown[0], t);
	ct = ft_ct_entry(test, &t[0], &t[1], shown[0].status, 60 * HZ);
	ft_ct_feed(ft_pernet(&init_net), ct);
	/* As the packets of the initiator have them, another port, another network. */
	KUNIT_EXPECT_EQ(test, del_reply(talk, 0xc00002c8, 32, 4000), 0);
	KUNIT_EXPECT_EQ(test, del_reply(talk, 0xc0000209, 32, 1025), 0);
	KUNIT_EXPECT_EQ(test, del_reply(talk, 0xc0000309, 24, 1024), 0);
	KUNIT_EXPECT_FALSE(test, nf_ct_is_dying(ct));
	KUNIT_EXPECT_EQ(test, del_reply(talk, 0xc0000200, 24, 1024), 1);
	KUNIT_EXPECT_TRUE(test, nf_ct_is_dying(ct));
}

/* Age and counters, where nf_conntrack has them. */
static void extensions(struct kunit *test)
{
	struct nlattr *tb[FLOWTRACK_A_FLOW_MAX + 1];
	struct nlattr *counters[FLOWTRACK_A_COUNTERS_MAX + 1];
	struct ft_filter filter = {
		.given = BIT(FLOWTRACK_A_FILTER_AGE_MIN),
		.age_min = 2 * NSEC_PER_SEC,
		.age_end = U64_MAX,
	};
	struct ft_talk *talk = begin(test);
	struct nf_conntrack_tuple t[2];
	struct nf_conn_tstamp *tstamp;
	struct nf_conn_acct *acct;
	struct nf_conn *ct;
	struct ft_ack ack;

	ft_ct_tuple(&t[0], 1);
	nf_ct_invert_tuple(&t[1], &t[0]);
	ct = nf_conntrack_alloc(&init_net, &nf_ct_zone_dflt, &t[0], &t[1],
				GFP_KERNEL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, ct);
	/* Without a time no age matches, with one it does. */
	KUNIT_EXPECT_FALSE(test, ft_netlink_guarded_match(&filter, ct));
	tstamp = nf_ct_ext_add(ct, NF_CT_EXT_TSTAMP, GFP_KERNEL);
	acct = nf_ct_ext_add(ct, NF_CT_EXT_ACCT, GFP_KERNEL);
	KUNIT_ASSERT_TRUE(test, tstamp && acct);
	tstamp = nf_conn_tstamp_find(ct);
	acct = nf_conn_acct_find(ct);
	tstamp->start = ktime_get_real_ns() - 3 * NSEC_PER_SEC;
	atomic64_set(&acct->counter[1].packets, 5);
	KUNIT_EXPECT_TRUE(test, ft_netlink_guarded_match(&filter, ct));
	filter.age_min = 60 * NSEC_PER_SEC;
	KUNIT_EXPECT_FALSE(test, ft_netlink_guarded_match(&filter, ct));

	ct->timeout = nfct_time_stamp + 60 * HZ;
	ct->status = IPS_CONFIRMED;
	rcu_read_lock();
	KUNIT_ASSERT_EQ(test, nf_conntrack_hash_check_insert(ct), 0);
	rcu_read_unlock();
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, ft_ct_end, ct),
			0);
	ft_ct_feed(ft_pernet(&init_net), ct);
	put_name(ft_talk_begin(talk, FLOWTRACK_CMD_FLOW_GET, 0), &t[0]);
	ft_talk_parse(talk, ft_talk(talk, &ack), tb, FLOWTRACK_A_FLOW_MAX);
	KUNIT_ASSERT_TRUE(test, tb[A(AGE)] && tb[A(START)]);
	KUNIT_EXPECT_GE(test, nla_get_u64(tb[A(AGE)]), 3000);
	KUNIT_EXPECT_LT(test, nla_get_u64(tb[A(AGE)]), 60000);
	ft_talk_nest(talk, tb[A(COUNTERS_REPLY)], counters,
		     FLOWTRACK_A_COUNTERS_MAX);
	KUNIT_EXPECT_EQ(test,
			nla_get_u64(counters[FLOWTRACK_A_COUNTERS_PACKETS]), 5);
}

static u32 del(struct ft_talk *talk, u8 trackers, u32 prefix)
{
	struct nlattr *tb[FLOWTRACK_A_FLOW_MAX + 1];
	struct ft_ack ack;

	put_filter(ft_talk_begin(talk, FLOWTRACK_CMD_FLOW_DEL, 0), trackers,
		   prefix);
	ft_talk_parse(talk, ft_talk(talk, &ack), tb, FLOWTRACK_A_FLOW_MAX);
	KUNIT_ASSERT_NOT_NULL(talk->test, tb[A(DELETED)]);
	return nla_get_u32(tb[A(DELETED)]);
}

/* Guarded flows end only when they are asked for by that name. */
static void deletes(struct kunit *test)
{
	struct ft_talk *talk = begin(test);
	struct ft_net *tn = ft_pernet(&init_net);
	struct ft_ack ack;
	u32 i;

	for (i = 0; i < FLOWS; i++)
		guarded(test, i);
	for (i = 0; i < FLOWS / 2; i++)
		KUNIT_ASSERT_EQ(test, ft_talk_add_from(talk, i, OWN_PORT), 0);
	settle();
	KUNIT_EXPECT_EQ(test, del(talk, GUARDED, 25), 128);
	KUNIT_EXPECT_EQ(test, nf_conntrack_count(&init_net), FLOWS - 128);
	KUNIT_EXPECT_EQ(test, ft_shadow_count(&tn->guard.shadows), FLOWS - 128);
	KUNIT_EXPECT_FALSE(test, ft_ct_has(127));
	KUNIT_EXPECT_TRUE(test, ft_ct_has(128));
	KUNIT_EXPECT_EQ(test, atomic_read(&tn->count), FLOWS / 2);
	KUNIT_EXPECT_EQ(test, del(talk, 0, 25), 128);
	KUNIT_EXPECT_EQ(test, nf_conntrack_count(&init_net), FLOWS - 128);
	/* 10.0.0.0/24: what is left of both. */
	KUNIT_EXPECT_EQ(test, del(talk, OWN | GUARDED, 24), 256);
	KUNIT_EXPECT_EQ(test, del(talk, 0, 0), FLOWS / 2 - 256);
	KUNIT_EXPECT_EQ(test, nf_conntrack_count(&init_net), FLOWS - 256);
	KUNIT_EXPECT_EQ(test, del(talk, GUARDED, 0), FLOWS - 256);
	KUNIT_EXPECT_EQ(test, nf_conntrack_count(&init_net), 0);
	KUNIT_EXPECT_EQ(test, ft_shadow_count(&tn->guard.shadows), 0);
	/* Of nobody. */
	i = FLOWTRACK_A_FILTER_TRACKER;
	put_filter(ft_talk_begin(talk, FLOWTRACK_CMD_FLOW_DEL, 0), 4, 0);
	KUNIT_EXPECT_NULL(test, ft_talk(talk, &ack));
	KUNIT_EXPECT_EQ(test, ack.bad, i);
}

/* The list of sources counts all flows, and says how many are guarded. */
static void top(struct kunit *test)
{
	struct nlattr *tb[FLOWTRACK_A_TOP_MAX + 1];
	struct nlattr *entry[FLOWTRACK_A_TOP_ENTRY_MAX + 1];
	struct ft_talk *talk = begin(test);
	struct ft_top_report *report;
	const struct nlmsghdr *nlh;
	struct sk_buff *skb;
	u32 i;

	for (i = 0; i < 30; i++)
		guarded(test, i);
	for (i = 0; i < 10; i++)
		KUNIT_ASSERT_EQ(test, ft_talk_add_from(talk, i, OWN_PORT), 0);
	/* What went before may have left tables that are too large. */
	settle();
	ft_top_look(ft_pernet(&init_net));
	skb = ft_talk_begin(talk, FLOWTRACK_CMD_TOP_GET, 0);
	nla_put_u8(skb, FLOWTRACK_A_TOP_KIND, FLOWTRACK_TOP_KIND_SERVICE);
	nlh = ft_talk(talk, &(struct ft_ack){});
	ft_talk_parse(talk, nlh, tb, FLOWTRACK_A_TOP_MAX);
	KUNIT_EXPECT_EQ(test, nla_get_u32(tb[FLOWTRACK_A_TOP_TOTAL]), 40);
	KUNIT_EXPECT_EQ(test, nla_get_u32(tb[FLOWTRACK_A_TOP_SAMPLED]), 40);
	KUNIT_EXPECT_EQ(test, nla_get_u8(tb[FLOWTRACK_A_TOP_EXACT]), 1);
	KUNIT_EXPECT_EQ(test, nla_get_u32(tb[FLOWTRACK_A_TOP_GUARDED]), 30);
	ft_talk_nest(talk, tb[FLOWTRACK_A_TOP_ENTRY], entry,
		     FLOWTRACK_A_TOP_ENTRY_MAX);
	KUNIT_EXPECT_EQ(test, nla_get_u32(entry[FLOWTRACK_A_TOP_ENTRY_FLOWS]),
			40);
	KUNIT_EXPECT_EQ(test, nla_get_u32(entry[FLOWTRACK_A_TOP_ENTRY_GUARDED]),
			30);
	KUNIT_EXPECT_EQ(test, nla_get_u32(entry[FLOWTRACK_A_TOP_ENTRY_SHARE]),
			1000);
	/* The next request gets a new report. */
	rcu_read_lock();
	report = rcu_dereference(ft_pernet(&init_net)->top.report);
	report->when = jiffies - HZ;
	rcu_read_unlock();
	ft_talk_flush(talk);
}

static struct kunit_case netlink_guarded_cases[] = {
	KUNIT_CASE(dumps),
	KUNIT_CASE(dump_interrupted),
	KUNIT_CASE(gets),
	KUNIT_CASE(ids),
	KUNIT_CASE(deletes_tuple),
	KUNIT_CASE(by_reply),
	KUNIT_CASE(extensions),
	KUNIT_CASE(deletes),
	KUNIT_CASE(top),
	{}
};

static struct kunit_suite netlink_guarded_suite = {
	.name = "ft_netlink_guarded",
	.test_cases = netlink_guarded_cases,
};

kunit_test_suite(netlink_guarded_suite);
