// SPDX-License-Identifier: GPL-2.0
/*
 * Flows in ctnetlink's attributes, and back.
 */
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/prandom.h>
#include <net/netlink.h>

#include "ctnetlink/encode.h"
#include "ctnetlink/filter.h"
#include "ctnetlink/parse.h"
#include "ctnetlink/stand_in.h"
#include "ft_kunit.h"
#include "proto/conntrack.h"
#include "proto/proto.h"

#define ROUNDS	2000
#define HEAD	(NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(struct nfgenmsg)))

static const u8 protocols[] = {
	IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP, IPPROTO_ICMP, IPPROTO_GRE, IPPROTO_ESP,
};

static void random_protocol(struct rnd_state *rnd, struct ft_flow *flow)
{
	unsigned int dir;

	for (dir = 0; dir < 2; dir++) {
		if (flow->key.l4proto == IPPROTO_TCP) {
			flow->proto.tcp.flags[dir] = prandom_u32_state(rnd);
			flow->proto.tcp.scale[dir] = prandom_u32_state(rnd) % 15;
		} else if (flow->key.l4proto == IPPROTO_SCTP) {
			flow->proto.sctp.vtag[dir] = htonl(prandom_u32_state(rnd));
		}
	}
}

/* Any flow that could be there. */
static void random_flow(struct rnd_state *rnd, struct ft_flow6 *copy)
{
	u8 l4proto = protocols[prandom_u32_state(rnd) % ARRAY_SIZE(protocols)];
	u8 family = prandom_u32_state(rnd) % 2 ? NFPROTO_IPV6 : NFPROTO_IPV4;
	union nf_inet_addr src = {}, dst = {};
	struct ft_key key;
	u32 word = 0;
	u8 state;

	memset(copy, 0, sizeof(*copy));
	prandom_bytes_state(rnd, &src, family == NFPROTO_IPV6 ? 16 : 4);
	prandom_bytes_state(rnd, &dst, family == NFPROTO_IPV6 ? 16 : 4);
	if (l4proto == IPPROTO_ICMP)
		l4proto = family == NFPROTO_IPV6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
	if (ft_key_set(&key, family, l4proto, prandom_u32_state(rnd) % 3, &src, &dst,
		       htons(prandom_u32_state(rnd)),
		       l4proto == IPPROTO_ICMP ? htons(8 << 8) :
		       l4proto == IPPROTO_ICMPV6 ? htons(128 << 8) :
						   htons(prandom_u32_state(rnd))))
		word |= FT_FLOW_ORIG_HI;
	if (l4proto == IPPROTO_ESP)
		memset(key.port, 0, sizeof(key.port));
	memcpy(&copy->f.key, &key, sizeof(copy->f.key));
	memcpy(copy->addr6, key.addr6, sizeof(copy->addr6));
	if (ft_l4_stateful(l4proto)) {
		state = 1 + prandom_u32_state(rnd) % ft_proto_state_max(l4proto);
		word |= prandom_u32_state(rnd) & (FT_FLOW_SEEN_REPLY | FT_FLOW_ASSURED);
	} else {
		state = prandom_u32_state(rnd) % (ft_proto_state_max(l4proto) + 1);
		if (state >= FLOWTRACK_FLOW_STATE_REPLIED)
			word |= FT_FLOW_SEEN_REPLY;
		if (state == FLOWTRACK_FLOW_STATE_STREAM)
			word |= FT_FLOW_ASSURED;
	}
	word |= prandom_u32_state(rnd) & FT_FLOW_FIXED;
	atomic_set(&copy->f.word, ft_proto_word(l4proto, word, state));
	copy->f.deadline = ft_now() + prandom_u32_state(rnd) % (1000 * HZ);
	copy->f.mark = prandom_u32_state(rnd);
	copy->f.packets[0] = prandom_u32_state(rnd);
	random_protocol(rnd, &copy->f);
}

/* One that has been another flow says the same as one that was cleared. */
static void set_in_turn(struct ft_stand_in *stand_in, const struct ft_net *tn,
			const struct ft_flow6 *copy, u32 i)
{
	if (i % 10)
		ft_stand_in_again(stand_in, tn, copy);
	else
		ft_stand_in_set(stand_in, tn, copy);
}

static void stand_in_and_back(struct kunit *test)
{
	const u32 mine = FT_FLOW_ORIG_HI;
	struct ft_net *tn = ft_kunit_net(test, 10);
	struct ft_stand_in *stand_in;
	union ft_proto_state proto;
	struct ft_flow6 copy;
	struct rnd_state rnd;
	u32 i, word, dir;

	stand_in = kunit_kzalloc(test, sizeof(*stand_in), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, stand_in);
	prandom_seed_state(&rnd, 1);
	for (i = 0; i < ROUNDS; i++) {
		random_flow(&rnd, &copy);
		set_in_turn(stand_in, tn, &copy, i);
		memset(&proto, 0, sizeof(proto));
		KUNIT_ASSERT_EQ(test, ft_stand_in_word(stand_in, &word), 0);
		ft_proto_from_conntrack(&stand_in->ct, &proto);
		KUNIT_ASSERT_EQ_MSG(test, word, (u32)atomic_read(&copy.f.word) & ~mine,
				    "flow %u of protocol %u", i, copy.f.key.l4proto);
		for (dir = 0; dir < 2 && copy.f.key.l4proto == IPPROTO_TCP; dir++) {
			KUNIT_ASSERT_EQ(test, proto.tcp.flags[dir], copy.f.proto.tcp.flags[dir]);
			KUNIT_ASSERT_EQ(test, proto.tcp.scale[dir], copy.f.proto.tcp.scale[dir]);
		}
		for (dir = 0; dir < 2 && copy.f.key.l4proto == IPPROTO_SCTP; dir++)
			KUNIT_ASSERT_EQ(test, (__force u32)proto.sctp.vtag[dir],
					(__force u32)copy.f.proto.sctp.vtag[dir]);
	}
}

/* Attributes of the message that is in @skb. */
static void parse(struct kunit *test, struct sk_buff *skb, struct nlattr **tb)
{
	KUNIT_ASSERT_EQ(test, nla_parse_deprecated(tb, CTA_MAX,
						   (const struct nlattr *)(skb->data + HEAD),
						   skb->len - HEAD, NULL, NULL), 0);
}

static void encode_and_parse(struct kunit *test)
{
	struct ft_ctnl_head head = { .portid = 1, .type = IPCTNL_MSG_CT_GET };
	struct sk_buff *skb = alloc_skb(4096, GFP_KERNEL);
	struct ft_net *tn = ft_kunit_net(test, 10);
	const struct nlattr * const *cda;
	struct ft_stand_in *stand_in;
	struct nf_conntrack_tuple tuple;
	struct nlattr *tb[CTA_MAX + 1];
	struct ft_ctnl_filter *filter;
	struct nf_conntrack_zone zone;
	struct ft_flow6 copy;
	struct rnd_state rnd;
	unsigned int i, dir;

	stand_in = kunit_kzalloc(test, sizeof(*stand_in), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, stand_in);
	KUNIT_ASSERT_NOT_NULL(test, skb);
	cda = (const struct nlattr * const *)tb;
	prandom_seed_state(&rnd, 2);
	for (i = 0; i < ROUNDS; i++) {
		tn->set.v[FLOWTRACK_A_SETTINGS_TIMESTAMP] = i % 2;
		random_flow(&rnd, &copy);
		set_in_turn(stand_in, tn, &copy, i);
		skb_trim(skb, 0);
		KUNIT_ASSERT_EQ(test, ft_ctnl_put_ct(skb, &head, &stand_in->ct, htonl(7), true), 0);
		parse(test, skb, tb);
		KUNIT_ASSERT_EQ(test, ntohl(nla_get_be32(tb[CTA_MARK])), copy.f.mark);
		KUNIT_ASSERT_EQ(test, !tb[CTA_TIMESTAMP], i % 2 == 0);
		for (dir = 0; dir < IP_CT_DIR_MAX; dir++) {
			KUNIT_ASSERT_EQ(test, ft_ctnl_parse_zone(NULL, &zone), 0);
			KUNIT_ASSERT_EQ(test, ft_ctnl_parse_tuple(cda, &tuple, CTA_TUPLE_ORIG + dir,
								  copy.f.key.family, &zone), 0);
			KUNIT_ASSERT_TRUE(test, nf_ct_tuple_equal(&tuple,
								  nf_ct_tuple(&stand_in->ct, dir)));
		}
		/* Its own mark and status select it; another mark does not. */
		filter = ft_ctnl_filter_create(cda, copy.f.key.family);
		KUNIT_ASSERT_FALSE(test, IS_ERR_OR_NULL(filter));
		KUNIT_EXPECT_TRUE(test, ft_ctnl_filter_match(filter, &stand_in->ct));
		stand_in->ct.mark ^= 1;
		KUNIT_EXPECT_FALSE(test, ft_ctnl_filter_match(filter, &stand_in->ct));
		kfree(filter);
	}
	kfree_skb(skb);
}

/* In any room there is either all of a message, or nothing. In steps of 8: padding. */
static void no_room(struct kunit *test)
{
	struct ft_ctnl_head head = { .portid = 1, .type = IPCTNL_MSG_CT_GET };
	struct ft_net *tn = ft_kunit_net(test, 10);
	struct ft_stand_in *stand_in;
	unsigned int room, i, fits;
	struct ft_flow6 copy;
	struct rnd_state rnd;
	struct sk_buff *skb;
	int err;

	stand_in = kunit_kzalloc(test, sizeof(*stand_in), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, stand_in);
	prandom_seed_state(&rnd, 3);
	tn->set.v[FLOWTRACK_A_SETTINGS_TIMESTAMP] = 1;
	for (i = 0; i < 20; i++) {
		random_flow(&rnd, &copy);
		ft_stand_in_set(stand_in, tn, &copy);
		fits = 0;
		for (room = 0; room < 1024; room += 8) {
			skb = alloc_skb(1024, GFP_KERNEL);
			KUNIT_ASSERT_NOT_NULL(test, skb);
			skb_reserve(skb, skb_tailroom(skb) - room);
			err = ft_ctnl_put_ct(skb, &head, &stand_in->ct, htonl(7), true);
			if (err)
				KUNIT_EXPECT_EQ(test, skb->len, 0u);
			else
				KUNIT_EXPECT_EQ(test, skb->len, fits ?: skb->len);
			if (!err)
				fits = skb->len;
			kfree_skb(skb);
		}
		KUNIT_EXPECT_NE(test, fits, 0u);
	}
}

static void event_fits(struct kunit *test)
{
	static const unsigned int events[] = {
		BIT(IPCT_NEW) | BIT(IPCT_PROTOINFO) | BIT(IPCT_MARK), BIT(IPCT_DESTROY),
	};
	struct ft_net *tn = ft_kunit_net(test, 10);
	struct ft_ctnl_head head = {};
	struct ft_stand_in *stand_in;
	struct ft_flow6 copy;
	struct rnd_state rnd;
	struct sk_buff *skb;
	unsigned int i;

	stand_in = kunit_kzalloc(test, sizeof(*stand_in), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, stand_in);
	prandom_seed_state(&rnd, 4);
	tn->set.v[FLOWTRACK_A_SETTINGS_TIMESTAMP] = 1;
	for (i = 0; i < ROUNDS; i++) {
		random_flow(&rnd, &copy);
		ft_stand_in_set(stand_in, tn, &copy);
		ft_stand_in_stop(stand_in, 1);
		skb = alloc_skb(NLMSG_HDRLEN + ft_ctnl_event_size(&stand_in->ct), GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, skb);
		/* What alloc_skb() gives beyond what was asked for. */
		skb_reserve(skb, skb_tailroom(skb) - NLMSG_HDRLEN -
				 ft_ctnl_event_size(&stand_in->ct));
		KUNIT_EXPECT_EQ(test, ft_ctnl_put_event(skb, &head, &stand_in->ct, htonl(7),
							events[i % 2]), 0);
		kfree_skb(skb);
	}
}

static struct kunit_case cases[] = {
	KUNIT_CASE(stand_in_and_back),
	KUNIT_CASE(encode_and_parse),
	KUNIT_CASE(no_room),
	KUNIT_CASE(event_fits),
	{}
};

static struct kunit_suite suite = {
	.name = "ft_ctnetlink",
	.test_cases = cases,
};

kunit_test_suite(suite);
