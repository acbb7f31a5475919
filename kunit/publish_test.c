// SPDX-License-Identifier: GPL-2.0
#include <net/netfilter/nf_conntrack_acct.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/netfilter/nf_conntrack_zones.h>

#include "ft_kunit.h"
#include "track/carrier.h"

static struct sk_buff *empty_skb(struct kunit *test)
{
	struct sk_buff *skb = alloc_skb(64, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, skb);
	return skb;
}

/* Give a packet a carrier, as the hooks do. */
static struct ft_carrier *give(struct ft_net *tn, struct sk_buff *skb)
{
	struct ft_carrier *carrier;

	local_bh_disable();
	carrier = ft_carrier_get(tn);
	if (carrier)
		ft_carrier_attach(carrier, skb, IP_CT_NEW);
	local_bh_enable();
	return carrier;
}

static void carrier_says_what_the_flow_is(struct kunit *test)
{
	const struct nf_conntrack_tuple *orig, *reply;
	struct ft_net *tn = ft_kunit_net(test, 10);
	union nf_inet_addr src = { .ip = FT_IP(203, 0, 113, 9) };
	union nf_inet_addr dst = { .ip = FT_IP(192, 0, 2, 1) };
	struct ft_carrier *carrier;
	struct ft_view view = {};
	struct nf_conn_acct *acct;
	struct ft_key key;
	struct nf_conn *ct;

	/* The initiator is the upper endpoint. */
	KUNIT_EXPECT_TRUE(test, ft_key_set(&key, NFPROTO_IPV4, IPPROTO_TCP, 5,
					   &src, &dst, htons(4242), htons(443)));
	view.key = &key;
	view.word = FT_FLOW_ORIG_HI | FT_FLOW_SEEN_REPLY |
		    FLOWTRACK_TCP_STATE_ESTABLISHED << 8;
	view.left = 100 * HZ;
	view.mark = 0x1234;
	view.acct = true;
	view.packets[0] = 3;
	view.bytes[1] = 1500;

	local_bh_disable();
	carrier = ft_carrier_get(tn);
	if (carrier)
		ft_carrier_fill(carrier, &view);
	local_bh_enable();
	KUNIT_ASSERT_NOT_NULL(test, carrier);
	ct = carrier->ct;
	orig = nf_ct_tuple(ct, IP_CT_DIR_ORIGINAL);
	reply = nf_ct_tuple(ct, IP_CT_DIR_REPLY);
	KUNIT_EXPECT_EQ(test, orig->src.u3.ip, src.ip);
	KUNIT_EXPECT_EQ(test, orig->dst.u3.ip, dst.ip);
	KUNIT_EXPECT_EQ(test, orig->src.u.tcp.port, htons(4242));
	KUNIT_EXPECT_EQ(test, orig->dst.u.tcp.port, htons(443));
	KUNIT_EXPECT_EQ(test, orig->dst.dir, IP_CT_DIR_ORIGINAL);
	KUNIT_EXPECT_EQ(test, reply->src.u3.ip, dst.ip);
	KUNIT_EXPECT_EQ(test, reply->dst.u.tcp.port, htons(4242));
	KUNIT_EXPECT_EQ(test, reply->dst.dir, IP_CT_DIR_REPLY);
	KUNIT_EXPECT_EQ(test, nf_ct_l3num(ct), NFPROTO_IPV4);
	KUNIT_EXPECT_EQ(test, nf_ct_protonum(ct), IPPROTO_TCP);
	KUNIT_EXPECT_EQ(test, nf_ct_zone(ct)->id, 5);
	KUNIT_EXPECT_EQ(test, ct->mark, 0x1234);
	KUNIT_EXPECT_TRUE(test, ct->status & IPS_SEEN_REPLY);
	KUNIT_EXPECT_FALSE(test, ct->status & IPS_ASSURED);
	KUNIT_EXPECT_TRUE(test, nf_ct_is_confirmed(ct));
	KUNIT_EXPECT_FALSE(test, nf_ct_is_template(ct));
	KUNIT_EXPECT_LE(test, nf_ct_expires(ct), 100UL * HZ);
	KUNIT_EXPECT_GE(test, nf_ct_expires(ct), 99UL * HZ);
	acct = nf_conn_acct_find(ct);
	KUNIT_ASSERT_NOT_NULL(test, acct);
	KUNIT_EXPECT_EQ(test, atomic64_read(&acct->counter[0].packets), 3);
	KUNIT_EXPECT_EQ(test, atomic64_read(&acct->counter[1].bytes), 1500);
	/* The next packet's flow counts nothing, and so does what it carries. */
	view.acct = false;
	ft_carrier_fill(carrier, &view);
	KUNIT_EXPECT_EQ(test, atomic64_read(&acct->counter[0].packets), 0);
	KUNIT_EXPECT_EQ(test, atomic64_read(&acct->counter[1].bytes), 0);
	/* nf_conntrack may not delete it. */
	KUNIT_EXPECT_FALSE(test, nf_ct_delete(ct, 0, 0));
	KUNIT_EXPECT_EQ(test, refcount_read(&ct->ct_general.use), 1);
}

/* Whatever it was aimed at, and by whichever packet: what counts is the flow. */
static void carrier_is_aimed_again(struct kunit *test)
{
	static const u32 words[] = { 0, FT_FLOW_ORIG_HI };
	struct ft_net *tn = ft_kunit_net(test, 10);
	union nf_inet_addr lo = { .ip = FT_IP(192, 0, 2, 1) };
	union nf_inet_addr hi = { .ip = FT_IP(203, 0, 113, 9) };
	const struct nf_conntrack_tuple *orig, *reply;
	struct ft_carrier *carrier;
	unsigned int aimed, i;
	struct ft_key key;
	bool from_hi;

	ft_key_set(&key, NFPROTO_IPV4, IPPROTO_UDP, 0, &lo, &hi, htons(1),
		   htons(2));
	for (i = 0; i < ARRAY_SIZE(words); i++) {
		struct ft_view view = { .key = &key, .word = words[i] };

		for (aimed = FT_AIM_NONE; aimed <= FT_AIM_HI; aimed++) {
			local_bh_disable();
			carrier = ft_carrier_get(tn);
			if (carrier && aimed != FT_AIM_NONE)
				ft_carrier_aim(carrier, &key,
					       aimed == FT_AIM_HI);
			if (carrier)
				ft_carrier_fill(carrier, &view);
			local_bh_enable();
			KUNIT_ASSERT_NOT_NULL(test, carrier);
			from_hi = words[i];
			orig = nf_ct_tuple(carrier->ct, IP_CT_DIR_ORIGINAL);
			reply = nf_ct_tuple(carrier->ct, IP_CT_DIR_REPLY);
			KUNIT_EXPECT_EQ(test, orig->src.u3.ip,
					from_hi ? hi.ip : lo.ip);
			KUNIT_EXPECT_EQ(test, orig->dst.u.udp.port,
					htons(from_hi ? 1 : 2));
			KUNIT_EXPECT_EQ(test, reply->src.u3.ip, orig->dst.u3.ip);
			KUNIT_EXPECT_EQ(test, reply->dst.u.udp.port,
					orig->src.u.udp.port);
			KUNIT_EXPECT_EQ(test, orig->dst.dir, IP_CT_DIR_ORIGINAL);
			KUNIT_EXPECT_EQ(test, reply->dst.dir, IP_CT_DIR_REPLY);
		}
	}
}

/* A conntrack of nf_conntrack's own is never taken for a carrier. */
static void carrier_is_told_apart(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 10);
	struct sk_buff *skb = empty_skb(test);
	struct ft_carrier *carrier;
	struct nf_conn *tmpl;

	carrier = give(tn, skb);
	KUNIT_ASSERT_NOT_NULL(test, carrier);
	KUNIT_EXPECT_PTR_EQ(test, ft_carrier_of(carrier->ct), carrier);
	kfree_skb(skb);

	tmpl = nf_ct_tmpl_alloc(&init_net, &nf_ct_zone_dflt, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, tmpl);
	KUNIT_EXPECT_NULL(test, ft_carrier_of(tmpl));
	nf_ct_tmpl_free(tmpl);
}

#define IN_FLIGHT	300

/* No two packets in flight share a carrier; dropped packets give theirs back. */
static void one_carrier_one_packet(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 10);
	struct ft_carrier **seen;
	struct sk_buff **skbs;
	unsigned int i, j;
	u64 grown;

	seen = kunit_kcalloc(test, IN_FLIGHT, sizeof(*seen), GFP_KERNEL);
	skbs = kunit_kcalloc(test, IN_FLIGHT, sizeof(*skbs), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, seen);
	KUNIT_ASSERT_NOT_NULL(test, skbs);
	for (i = 0; i < IN_FLIGHT; i++) {
		skbs[i] = empty_skb(test);
		seen[i] = give(tn, skbs[i]);
		KUNIT_ASSERT_NOT_NULL(test, seen[i]);
		KUNIT_EXPECT_EQ(test,
				refcount_read(&seen[i]->ct->ct_general.use), 2);
		for (j = 0; j < i; j++)
			KUNIT_ASSERT_PTR_NE(test, seen[i], seen[j]);
	}
	for (i = 0; i < IN_FLIGHT; i++) {
		kfree_skb(skbs[i]);
		KUNIT_EXPECT_EQ(test,
				refcount_read(&seen[i]->ct->ct_general.use), 1);
	}
	/* All are free: another round allocates none. */
	grown = ft_kunit_stat(tn, FLOWTRACK_A_STATS_CARRIER_GROWN);
	for (i = 0; i < IN_FLIGHT; i++) {
		skbs[0] = empty_skb(test);
		KUNIT_EXPECT_NOT_NULL(test, give(tn, skbs[0]));
		ft_carrier_detach(skbs[0]);
		KUNIT_EXPECT_EQ(test, skbs[0]->_nfct, 0UL);
		kfree_skb(skbs[0]);
	}
	KUNIT_EXPECT_EQ(test, grown,
			ft_kunit_stat(tn, FLOWTRACK_A_STATS_CARRIER_GROWN));
	KUNIT_EXPECT_EQ(test,
			ft_kunit_stat(tn, FLOWTRACK_A_STATS_CARRIER_NONE), 0);
}

/* Attaching puts the template that the ruleset gave the packet. */
static void template_is_put(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 10);
	struct sk_buff *skb = empty_skb(test);
	struct nf_conn *tmpl;

	tmpl = nf_ct_tmpl_alloc(&init_net, &nf_ct_zone_dflt, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, tmpl);
	nf_conntrack_get(&tmpl->ct_general);
	nf_ct_set(skb, tmpl, IP_CT_NEW);
	KUNIT_EXPECT_NOT_NULL(test, give(tn, skb));
	KUNIT_EXPECT_EQ(test, refcount_read(&tmpl->ct_general.use), 1);
	nf_ct_put(tmpl);
	kfree_skb(skb);
}

static struct kunit_case publish_cases[] = {
	KUNIT_CASE(carrier_says_what_the_flow_is),
	KUNIT_CASE(carrier_is_aimed_again),
	KUNIT_CASE(carrier_is_told_apart),
	KUNIT_CASE(one_carrier_one_packet),
	KUNIT_CASE(template_is_put),
	{}
};

static struct kunit_suite publish_suite = {
	.name = "ft_publish",
	.test_cases = publish_cases,
};

kunit_test_suite(publish_suite);
