// SPDX-License-Identifier: GPL-2.0
/*
 * Packets through the registered hooks of the first namespace, from
 * PRE_ROUTING to LOCAL_IN, with what a ruleset would see in between.
 */
#include <linux/netfilter.h>
#include <net/netfilter/nf_conntrack.h>

#include "base/notify.h"
#include "ft_kunit.h"
#include "proto/proto.h"
#include "track/mode.h"
#include "track/carrier.h"

#define CLIENT	FT_IP(198, 51, 100, 2)
#define SERVER	FT_IP(198, 51, 100, 1)
#define ROUTER	FT_IP(198, 51, 100, 77)

static int accept(struct net *net, struct sock *sk, struct sk_buff *skb)
{
	return 0;
}

static struct sk_buff *ip_packet(struct kunit *test, __be32 src, __be32 dst,
				 u8 proto, const void *l4, unsigned int len)
{
	struct sk_buff *skb = alloc_skb(256, GFP_KERNEL);
	struct iphdr *iph;

	KUNIT_ASSERT_NOT_NULL(test, skb);
	skb_reserve(skb, 64);
	skb_reset_network_header(skb);
	iph = skb_put_zero(skb, sizeof(*iph));
	iph->version = 4;
	iph->ihl = 5;
	iph->ttl = 64;
	iph->tot_len = htons(sizeof(*iph) + len);
	iph->protocol = proto;
	iph->saddr = src;
	iph->daddr = dst;
	ip_send_check(iph);
	skb_put_data(skb, l4, len);
	skb_set_transport_header(skb, sizeof(*iph));
	skb->protocol = htons(ETH_P_IP);
	skb->dev = init_net.loopback_dev;
	skb->ip_summed = CHECKSUM_UNNECESSARY;
	return skb;
}

static struct sk_buff *udp_packet(struct kunit *test, __be32 src, __be32 dst,
				  u16 sport, u16 dport)
{
	struct udphdr udp = {
		.source = htons(sport),
		.dest = htons(dport),
		.len = htons(sizeof(udp)),
	};

	return ip_packet(test, src, dst, IPPROTO_UDP, &udp, sizeof(udp));
}

static bool run(struct sk_buff *skb, unsigned int hook, struct net_device *in,
		struct net_device *out)
{
	int ret;

	rcu_read_lock();
	ret = nf_hook(NFPROTO_IPV4, hook, &init_net, NULL, skb, in, out, accept);
	rcu_read_unlock();
	return ret == 1;
}

static bool pre(struct sk_buff *skb)
{
	return run(skb, NF_INET_PRE_ROUTING, skb->dev, NULL);
}

static bool in(struct sk_buff *skb)
{
	return run(skb, NF_INET_LOCAL_IN, skb->dev, NULL);
}

static enum ip_conntrack_info ctinfo_of(const struct sk_buff *skb)
{
	enum ip_conntrack_info ctinfo;

	return nf_ct_get(skb, &ctinfo) ? ctinfo : IP_CT_NUMBER;
}

static u64 stat(unsigned int attr)
{
	return ft_kunit_stat(ft_pernet(&init_net), attr);
}

/* All the way, as a packet that the ruleset accepts; returns what it saw. */
static enum ip_conntrack_info pass(struct kunit *test, struct sk_buff *skb)
{
	enum ip_conntrack_info seen;

	KUNIT_ASSERT_TRUE(test, pre(skb));
	seen = ctinfo_of(skb);
	KUNIT_ASSERT_TRUE(test, in(skb));
	/* Nothing of ours goes on to the socket. */
	KUNIT_EXPECT_EQ(test, skb->_nfct, 0UL);
	kfree_skb(skb);
	return seen;
}

static int hooks_init(struct kunit *test)
{
	struct ft_net *tn = ft_pernet(&init_net);

	KUNIT_ASSERT_EQ(test, ft_settings_set(tn, FLOWTRACK_A_SETTINGS_ENABLE,
					      FT_ENABLE_ON, NULL), 0);
	/* Whatever else is loaded: every flow is ours from its first packet. */
	tn->set.v[FLOWTRACK_A_SETTINGS_ADOPT] = FT_ADOPT_NEVER;
	ft_flow_end_all(tn, FLOWTRACK_REASON_FLUSHED);
	return 0;
}

static void hooks_exit(struct kunit *test)
{
	struct ft_net *tn = ft_pernet(&init_net);

	tn->set.v[FLOWTRACK_A_SETTINGS_ADOPT] = FT_ADOPT_AUTO;
	ft_settings_set(tn, FLOWTRACK_A_SETTINGS_ENABLE, FT_ENABLE_AUTO, NULL);
	ft_flow_end_all(tn, FLOWTRACK_REASON_FLUSHED);
}

static void new_then_established(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, pass(test, udp_packet(test, CLIENT, SERVER, 1, 53)),
			IP_CT_NEW);
	KUNIT_EXPECT_EQ(test, atomic_read(&ft_pernet(&init_net)->count), 1);
	KUNIT_EXPECT_EQ(test, pass(test, udp_packet(test, CLIENT, SERVER, 1, 53)),
			IP_CT_NEW);
	KUNIT_EXPECT_EQ(test, pass(test, udp_packet(test, SERVER, CLIENT, 53, 1)),
			IP_CT_ESTABLISHED_REPLY);
	KUNIT_EXPECT_EQ(test, pass(test, udp_packet(test, CLIENT, SERVER, 1, 53)),
			IP_CT_ESTABLISHED);
	KUNIT_EXPECT_EQ(test, pass(test, udp_packet(test, CLIENT, SERVER, 2, 53)),
			IP_CT_NEW);
	KUNIT_EXPECT_EQ(test, atomic_read(&ft_pernet(&init_net)->count), 2);
}

static void dropped_packet_leaves_nothing(struct kunit *test)
{
	u64 inserted = stat(FLOWTRACK_A_STATS_INSERT);
	struct sk_buff *skb;
	unsigned int i;

	for (i = 0; i < 1000; i++) {
		skb = udp_packet(test, CLIENT, SERVER, 1000 + i, 53);
		KUNIT_ASSERT_TRUE(test, pre(skb));
		KUNIT_EXPECT_EQ(test, ctinfo_of(skb), IP_CT_NEW);
		kfree_skb(skb);
	}
	KUNIT_EXPECT_EQ(test, atomic_read(&ft_pernet(&init_net)->count), 0);
	KUNIT_EXPECT_EQ(test, stat(FLOWTRACK_A_STATS_INSERT), inserted);
}

static void mark_stays_with_its_flow(struct kunit *test)
{
	enum ip_conntrack_info ctinfo;
	struct sk_buff *skb;

	skb = udp_packet(test, CLIENT, SERVER, 1, 53);
	KUNIT_ASSERT_TRUE(test, pre(skb));
	nf_ct_get(skb, &ctinfo)->mark = 0xabc;
	KUNIT_ASSERT_TRUE(test, in(skb));
	kfree_skb(skb);

	skb = udp_packet(test, SERVER, CLIENT, 53, 1);
	KUNIT_ASSERT_TRUE(test, pre(skb));
	KUNIT_EXPECT_EQ(test, nf_ct_get(skb, &ctinfo)->mark, 0xabc);
	nf_ct_get(skb, &ctinfo)->mark = 0xdef;
	KUNIT_ASSERT_TRUE(test, in(skb));
	kfree_skb(skb);

	skb = udp_packet(test, CLIENT, SERVER, 1, 53);
	KUNIT_ASSERT_TRUE(test, pre(skb));
	KUNIT_EXPECT_EQ(test, nf_ct_get(skb, &ctinfo)->mark, 0xdef);
	kfree_skb(skb);

	/* Another flow has none. */
	skb = udp_packet(test, CLIENT, SERVER, 2, 53);
	KUNIT_ASSERT_TRUE(test, pre(skb));
	KUNIT_EXPECT_EQ(test, nf_ct_get(skb, &ctinfo)->mark, 0);
	kfree_skb(skb);
}

/* INVALID to the ruleset: no conntrack, and not untracked either. */
static void invalid_has_no_conntrack(struct kunit *test)
{
	u64 invalid = stat(FLOWTRACK_A_STATS_INVALID);
	enum ip_conntrack_info ctinfo;
	struct sk_buff *skb;

	skb = ip_packet(test, CLIENT, SERVER, IPPROTO_TCP, "abcd", 4);
	KUNIT_ASSERT_TRUE(test, pre(skb));
	KUNIT_EXPECT_NULL(test, nf_ct_get(skb, &ctinfo));
	KUNIT_EXPECT_NE(test, ctinfo, IP_CT_UNTRACKED);
	KUNIT_ASSERT_TRUE(test, in(skb));
	KUNIT_EXPECT_EQ(test, stat(FLOWTRACK_A_STATS_INVALID), invalid + 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&ft_pernet(&init_net)->count), 0);
	kfree_skb(skb);
}

static void notrack_is_honoured(struct kunit *test)
{
	struct sk_buff *skb = udp_packet(test, CLIENT, SERVER, 1, 53);
	enum ip_conntrack_info ctinfo;

	nf_ct_set(skb, NULL, IP_CT_UNTRACKED);
	KUNIT_ASSERT_TRUE(test, pre(skb));
	KUNIT_EXPECT_NULL(test, nf_ct_get(skb, &ctinfo));
	KUNIT_EXPECT_EQ(test, ctinfo, IP_CT_UNTRACKED);
	KUNIT_ASSERT_TRUE(test, in(skb));
	KUNIT_EXPECT_EQ(test, atomic_read(&ft_pernet(&init_net)->count), 0);
	kfree_skb(skb);
}

/* ICMP port unreachable from @from to the client, about client to server. */
static struct sk_buff *port_unreachable(struct kunit *test, __be32 from,
					__be32 to, u16 sport)
{
	struct {
		struct icmphdr icmp;
		struct iphdr iph;
		struct udphdr udp;
	} __packed error = {
		.icmp = { .type = ICMP_DEST_UNREACH, .code = ICMP_PORT_UNREACH },
		.iph = {
			.version = 4,
			.ihl = 5,
			.ttl = 60,
			.tot_len = htons(sizeof(struct iphdr) +
					 sizeof(struct udphdr)),
			.protocol = IPPROTO_UDP,
			.saddr = CLIENT,
			.daddr = SERVER,
		},
		.udp = {
			.source = htons(sport),
			.dest = htons(53),
			.len = htons(sizeof(struct udphdr)),
		},
	};

	ip_send_check(&error.iph);
	error.icmp.checksum = csum_fold(csum_partial(&error, sizeof(error), 0));
	return ip_packet(test, from, to, IPPROTO_ICMP, &error, sizeof(error));
}

static void icmp_error_is_related(struct kunit *test)
{
	pass(test, udp_packet(test, CLIENT, SERVER, 1, 53));
	KUNIT_EXPECT_EQ(test, pass(test, port_unreachable(test, SERVER, CLIENT, 1)),
			IP_CT_RELATED_REPLY);
	/* A router on the way may say it, too. */
	KUNIT_EXPECT_EQ(test, pass(test, port_unreachable(test, ROUTER, CLIENT, 1)),
			IP_CT_RELATED_REPLY);
	/* About no flow, or to a host that it does not concern: INVALID. */
	KUNIT_EXPECT_EQ(test, pass(test, port_unreachable(test, SERVER, CLIENT, 2)),
			IP_CT_NUMBER);
	KUNIT_EXPECT_EQ(test, pass(test, port_unreachable(test, SERVER, ROUTER, 1)),
			IP_CT_NUMBER);
	KUNIT_EXPECT_EQ(test, atomic_read(&ft_pernet(&init_net)->count), 1);
}

/* Out through lo and in again: tracked once, with one carrier. */
static void loopback_is_tracked_once(struct kunit *test)
{
	struct ft_net *tn = ft_pernet(&init_net);
	struct net_device *lo = init_net.loopback_dev;
	enum ip_conntrack_info ctinfo;
	struct ft_birth birth = {};
	struct ft_flow *flow;
	struct sk_buff *skb;
	struct nf_conn *ct;
	u32 index;

	union nf_inet_addr src = { .ip = CLIENT }, dst = { .ip = SERVER };

	tn->set.v[FLOWTRACK_A_SETTINGS_ACCT] = 1;
	skb = udp_packet(test, CLIENT, SERVER, 1, 53);
	KUNIT_ASSERT_TRUE(test, run(skb, NF_INET_LOCAL_OUT, NULL, lo));
	KUNIT_ASSERT_TRUE(test, run(skb, NF_INET_POST_ROUTING, NULL, lo));
	ct = nf_ct_get(skb, &ctinfo);
	KUNIT_EXPECT_NOT_NULL(test, ct);
	KUNIT_EXPECT_EQ(test, atomic_read(&tn->count), 1);
	KUNIT_ASSERT_TRUE(test, pre(skb));
	KUNIT_EXPECT_PTR_EQ(test, nf_ct_get(skb, &ctinfo), ct);
	KUNIT_EXPECT_EQ(test, ctinfo, IP_CT_NEW);
	KUNIT_ASSERT_TRUE(test, in(skb));
	KUNIT_EXPECT_EQ(test, skb->_nfct, 0UL);
	kfree_skb(skb);
	tn->set.v[FLOWTRACK_A_SETTINGS_ACCT] = 0;

	ft_key_set(&birth.key, NFPROTO_IPV4, IPPROTO_UDP, 0, &src, &dst,
		   htons(1), htons(53));
	rcu_read_lock();
	flow = ft_table_lookup(tn->table, &birth.key,
			       ft_key_hash(&birth.key,
					   ft_table_secret(tn->table)), &index);
	KUNIT_EXPECT_NOT_NULL(test, flow);
	if (flow)
		KUNIT_EXPECT_EQ(test, flow->packets[FT_DIR_ORIG], 1);
	rcu_read_unlock();
	KUNIT_EXPECT_EQ(test, atomic_read(&tn->count), 1);
}

/* What "reject" answers carries the state of its cause, and admits nothing. */
static void answer_of_reject_admits_nothing(struct kunit *test)
{
	struct sk_buff *skb = udp_packet(test, CLIENT, SERVER, 1, 53);
	struct sk_buff *answer = udp_packet(test, SERVER, CLIENT, 53, 1);
	struct net_device *lo = init_net.loopback_dev;
	enum ip_conntrack_info ctinfo;
	struct nf_conn *ct;

	KUNIT_ASSERT_TRUE(test, pre(skb));
	ct = nf_ct_get(skb, &ctinfo);
	KUNIT_ASSERT_NOT_NULL(test, ct);
	nf_conntrack_get(&ct->ct_general);
	nf_ct_set(answer, ct, IP_CT_RELATED_REPLY);
	kfree_skb(skb);
	KUNIT_ASSERT_TRUE(test, run(answer, NF_INET_LOCAL_OUT, NULL, lo));
	KUNIT_ASSERT_TRUE(test, run(answer, NF_INET_POST_ROUTING, NULL, lo));
	kfree_skb(answer);
	KUNIT_EXPECT_EQ(test, atomic_read(&ft_pernet(&init_net)->count), 0);
	KUNIT_EXPECT_EQ(test, refcount_read(&ct->ct_general.use), 1);
}

static void bypass_mark_leaves_alone(struct kunit *test)
{
	struct ft_net *tn = ft_pernet(&init_net);
	u64 bypassed = stat(FLOWTRACK_A_STATS_BYPASS);
	struct sk_buff *skb = udp_packet(test, CLIENT, SERVER, 1, 53);
	enum ip_conntrack_info ctinfo;
	struct nf_conn *ct;

	tn->set.v[FLOWTRACK_A_SETTINGS_BYPASS_MARK] = 0x40;
	tn->set.v[FLOWTRACK_A_SETTINGS_BYPASS_MASK] = 0xf0;
	skb->mark = 0x4f;
	KUNIT_ASSERT_TRUE(test, pre(skb));
	ct = nf_ct_get(skb, &ctinfo);
	KUNIT_EXPECT_TRUE(test, !ct || !ft_carrier_of(ct));
	KUNIT_EXPECT_EQ(test, stat(FLOWTRACK_A_STATS_BYPASS), bypassed + 1);
	kfree_skb(skb);
	skb = udp_packet(test, CLIENT, SERVER, 1, 53);
	skb->mark = 0x5f;
	KUNIT_EXPECT_EQ(test, pass(test, skb), IP_CT_NEW);
	tn->set.v[FLOWTRACK_A_SETTINGS_BYPASS_MASK] = 0;
}

/* Policy drop at a full table: the packet goes; pass: it stays, with no entry. */
static void full_table_verdicts(struct kunit *test)
{
	struct ft_net *tn = ft_pernet(&init_net);
	u32 max = tn->set.v[FLOWTRACK_A_SETTINGS_MAX_FLOWS];
	struct sk_buff *skb;

	tn->set.v[FLOWTRACK_A_SETTINGS_MAX_FLOWS] = 1;
	pass(test, udp_packet(test, CLIENT, SERVER, 1, 53));
	tn->set.v[FLOWTRACK_A_SETTINGS_FULL_POLICY] = FLOWTRACK_POLICY_DROP;
	skb = udp_packet(test, CLIENT, SERVER, 2, 53);
	KUNIT_ASSERT_TRUE(test, pre(skb));
	/* NF_DROP frees the packet. */
	KUNIT_EXPECT_FALSE(test, in(skb));
	tn->set.v[FLOWTRACK_A_SETTINGS_FULL_POLICY] = FLOWTRACK_POLICY_PASS;
	KUNIT_EXPECT_EQ(test, pass(test, udp_packet(test, CLIENT, SERVER, 2, 53)),
			IP_CT_NEW);
	KUNIT_EXPECT_EQ(test, atomic_read(&tn->count), 1);
	tn->set.v[FLOWTRACK_A_SETTINGS_FULL_POLICY] = FLOWTRACK_POLICY_EVICT;
	KUNIT_EXPECT_EQ(test, pass(test, udp_packet(test, CLIENT, SERVER, 2, 53)),
			IP_CT_NEW);
	KUNIT_EXPECT_EQ(test, atomic_read(&tn->count), 1);
	KUNIT_EXPECT_EQ(test, pass(test, udp_packet(test, SERVER, CLIENT, 53, 2)),
			IP_CT_ESTABLISHED_REPLY);
	tn->set.v[FLOWTRACK_A_SETTINGS_MAX_FLOWS] = max;
}

/* Copies of a packet share what it carries: all are refused, or one enters the flow. */
static void clones_fare_alike(struct kunit *test)
{
	struct ft_net *tn = ft_pernet(&init_net);
	u32 max = tn->set.v[FLOWTRACK_A_SETTINGS_MAX_FLOWS];
	u64 inserted = stat(FLOWTRACK_A_STATS_INSERT);
	struct sk_buff *skb, *clone[2];
	unsigned int i, round;

	tn->set.v[FLOWTRACK_A_SETTINGS_FULL_POLICY] = FLOWTRACK_POLICY_DROP;
	for (round = 0; round < 2; round++) {
		tn->set.v[FLOWTRACK_A_SETTINGS_MAX_FLOWS] = 1 + round;
		if (!round)
			pass(test, udp_packet(test, CLIENT, SERVER, 1, 53));
		skb = udp_packet(test, CLIENT, SERVER, 2, 53);
		KUNIT_ASSERT_TRUE(test, pre(skb));
		for (i = 0; i < ARRAY_SIZE(clone); i++) {
			clone[i] = skb_clone(skb, GFP_KERNEL);
			KUNIT_ASSERT_NOT_NULL(test, clone[i]);
		}
		/* NF_DROP frees the packet. */
		for (i = 0; i < ARRAY_SIZE(clone); i++) {
			KUNIT_EXPECT_EQ_MSG(test, in(clone[i]), round, "clone %u", i);
			if (round)
				kfree_skb(clone[i]);
		}
		KUNIT_EXPECT_EQ(test, in(skb), round);
		if (round)
			kfree_skb(skb);
		KUNIT_EXPECT_EQ(test, atomic_read(&tn->count), 1 + round);
	}
	KUNIT_EXPECT_EQ(test, stat(FLOWTRACK_A_STATS_INSERT), inserted + 2);
	tn->set.v[FLOWTRACK_A_SETTINGS_FULL_POLICY] = FLOWTRACK_POLICY_EVICT;
	tn->set.v[FLOWTRACK_A_SETTINGS_MAX_FLOWS] = max;
}

/* A flow that is adopted has a reserved entry for the mark that its packet came with. */
static void adopted_reserved(struct kunit *test)
{
	struct ft_net *tn = ft_pernet(&init_net);
	u32 max = tn->set.v[FLOWTRACK_A_SETTINGS_MAX_FLOWS];
	struct sk_buff *skb;
	unsigned int i;

	KUNIT_ASSERT_EQ(test, nf_ct_netns_get(&init_net, NFPROTO_IPV4), 0);
	tn->set.v[FLOWTRACK_A_SETTINGS_ADOPT] = FT_ADOPT_ALWAYS;
	tn->set.v[FLOWTRACK_A_SETTINGS_FULL_POLICY] = FLOWTRACK_POLICY_DROP;
	tn->set.v[FLOWTRACK_A_SETTINGS_MAX_FLOWS] = 3;
	tn->set.v[FLOWTRACK_A_SETTINGS_RESERVED] = 2;
	tn->set.v[FLOWTRACK_A_SETTINGS_RESERVED_MARK] = 0x22;
	tn->set.v[FLOWTRACK_A_SETTINGS_RESERVED_MASK] = 0xff;
	/* One that fills the room; none, a mark that is lost, one that a rule sets. */
	for (i = 0; i < 4; i++) {
		skb = udp_packet(test, CLIENT, SERVER, 10 + i, 53);
		/* Not of this machine itself. */
		skb->skb_iif = 1;
		skb->mark = i == 2 ? 0x22 : 0;
		KUNIT_EXPECT_TRUE(test, pre(skb));
		skb->mark = i == 3 ? 0x22 : 0;
		KUNIT_EXPECT_EQ_MSG(test, in(skb), i != 1, "packet %u", i);
		if (i != 1)
			kfree_skb(skb);
	}
	KUNIT_EXPECT_EQ(test, atomic_read(&tn->count), 3);
	KUNIT_EXPECT_EQ(test, nf_conntrack_count(&init_net), 0);
	tn->set.v[FLOWTRACK_A_SETTINGS_FULL_POLICY] = FLOWTRACK_POLICY_EVICT;
	tn->set.v[FLOWTRACK_A_SETTINGS_RESERVED] = 0;
	tn->set.v[FLOWTRACK_A_SETTINGS_RESERVED_MARK] = 0;
	tn->set.v[FLOWTRACK_A_SETTINGS_RESERVED_MASK] = 0;
	tn->set.v[FLOWTRACK_A_SETTINGS_MAX_FLOWS] = max;
	nf_ct_netns_put(&init_net, NFPROTO_IPV4);
}

/* What a rule has rewritten is not adopted: the next packets come as this one did. */
static void rewritten_stays(struct kunit *test)
{
	struct ft_net *tn = ft_pernet(&init_net);
	enum ip_conntrack_info ctinfo;
	struct sk_buff *skb;
	struct nf_conn *ct;

	KUNIT_ASSERT_EQ(test, nf_ct_netns_get(&init_net, NFPROTO_IPV4), 0);
	tn->set.v[FLOWTRACK_A_SETTINGS_ADOPT] = FT_ADOPT_ALWAYS;
	skb = udp_packet(test, CLIENT, SERVER, 1, 53);
	KUNIT_EXPECT_TRUE(test, pre(skb));
	ct = nf_ct_get(skb, &ctinfo);
	udp_hdr(skb)->dest = htons(54);
	KUNIT_EXPECT_TRUE(test, in(skb));
	KUNIT_EXPECT_EQ(test, atomic_read(&tn->count), 0);
	KUNIT_EXPECT_EQ(test, nf_conntrack_count(&init_net), 1);
	if (ct)
		nf_ct_delete(ct, 0, 0);
	kfree_skb(skb);
	KUNIT_EXPECT_EQ(test, nf_conntrack_count(&init_net), 0);
	nf_ct_netns_put(&init_net, NFPROTO_IPV4);
}

/* nf_conntrack sees it first, nothing there wants it: ours when confirmed. */
static void adopted_at_confirm(struct kunit *test)
{
	struct ft_net *tn = ft_pernet(&init_net);
	enum ip_conntrack_info ctinfo;
	struct sk_buff *skb;
	struct nf_conn *ct;

	KUNIT_ASSERT_EQ(test, nf_ct_netns_get(&init_net, NFPROTO_IPV4), 0);
	tn->set.v[FLOWTRACK_A_SETTINGS_ADOPT] = FT_ADOPT_ALWAYS;
	skb = udp_packet(test, CLIENT, SERVER, 1, 53);
	KUNIT_EXPECT_TRUE(test, pre(skb));
	ct = nf_ct_get(skb, &ctinfo);
	KUNIT_EXPECT_NOT_NULL(test, ct);
	if (ct) {
		KUNIT_EXPECT_NULL(test, ft_carrier_of(ct));
		KUNIT_EXPECT_FALSE(test, nf_ct_is_confirmed(ct));
		ct->mark = 77;
	}
	KUNIT_EXPECT_TRUE(test, in(skb));
	KUNIT_EXPECT_EQ(test, skb->_nfct, 0UL);
	kfree_skb(skb);
	KUNIT_EXPECT_EQ(test, atomic_read(&tn->count), 1);
	KUNIT_EXPECT_EQ(test, nf_conntrack_count(&init_net), 0);

	/* From now on nf_conntrack is not asked. */
	skb = udp_packet(test, SERVER, CLIENT, 53, 1);
	KUNIT_EXPECT_TRUE(test, pre(skb));
	ct = nf_ct_get(skb, &ctinfo);
	KUNIT_EXPECT_NOT_NULL(test, ct);
	if (ct) {
		KUNIT_EXPECT_NOT_NULL(test, ft_carrier_of(ct));
		KUNIT_EXPECT_EQ(test, ct->mark, 77);
	}
	KUNIT_EXPECT_EQ(test, ctinfo, IP_CT_ESTABLISHED_REPLY);
	kfree_skb(skb);

	/* What NAT touched stays where it is. */
	skb = udp_packet(test, CLIENT, SERVER, 2, 53);
	KUNIT_EXPECT_TRUE(test, pre(skb));
	ct = nf_ct_get(skb, &ctinfo);
	if (ct)
		ct->status |= IPS_SRC_NAT;
	KUNIT_EXPECT_TRUE(test, in(skb));
	KUNIT_EXPECT_TRUE(test, skb->_nfct);
	KUNIT_EXPECT_EQ(test, atomic_read(&tn->count), 1);
	KUNIT_EXPECT_EQ(test, nf_conntrack_count(&init_net), 1);
	/* Other suites expect to find none. */
	if (ct)
		nf_ct_delete(ct, 0, 0);
	kfree_skb(skb);
	KUNIT_EXPECT_EQ(test, nf_conntrack_count(&init_net), 0);
	nf_ct_netns_put(&init_net, NFPROTO_IPV4);
}

/*
 * What is between addresses that no flow of ours is between goes on to nf_conntrack
 * unparsed. An error is of the flow that it quotes, sent by any host.
 */
static void passes_unparsed(struct kunit *test)
{
	struct ft_net *tn = ft_pernet(&init_net);
	struct sk_buff *skb;
	unsigned int i;
	u64 passed;

	KUNIT_ASSERT_EQ(test, nf_ct_netns_get(&init_net, NFPROTO_IPV4), 0);
	tn->set.v[FLOWTRACK_A_SETTINGS_ADOPT] = FT_ADOPT_ALWAYS;
	KUNIT_EXPECT_EQ(test, pass(test, udp_packet(test, CLIENT, SERVER, 1, 53)), IP_CT_NEW);
	KUNIT_EXPECT_EQ(test, atomic_read(&tn->count), 1);
	/* Its first packet was one of nf_conntrack's. */
	KUNIT_EXPECT_TRUE(test, tn->passed);
	for (i = 0; i < 2; i++) {
		passed = stat(FLOWTRACK_A_STATS_BYPASS);
		skb = udp_packet(test, ROUTER, SERVER, 1, 53);
		/* Without a header of UDP it would be INVALID to us. */
		skb_trim(skb, skb->len - i * sizeof(struct udphdr));
		KUNIT_EXPECT_TRUE(test, pre(skb));
		KUNIT_EXPECT_EQ(test, stat(FLOWTRACK_A_STATS_BYPASS), passed + 1);
		kfree_skb(skb);
	}
	KUNIT_EXPECT_EQ(test, pass(test, udp_packet(test, SERVER, CLIENT, 53, 1)),
			IP_CT_ESTABLISHED_REPLY);
	KUNIT_EXPECT_EQ(test, pass(test, port_unreachable(test, ROUTER, CLIENT, 1)),
			IP_CT_RELATED_REPLY);
	KUNIT_EXPECT_EQ(test, nf_conntrack_count(&init_net), 0);
	nf_ct_netns_put(&init_net, NFPROTO_IPV4);
}

/* Direct mode does not take a flow that nf_conntrack has. */
static void held_by_conntrack(struct kunit *test)
{
	struct ft_net *tn = ft_pernet(&init_net);
	enum ip_conntrack_info ctinfo;
	struct sk_buff *skb;
	struct nf_conn *ct;

	KUNIT_ASSERT_EQ(test, nf_ct_netns_get(&init_net, NFPROTO_IPV4), 0);
	tn->set.v[FLOWTRACK_A_SETTINGS_BYPASS_MARK] = 1;
	tn->set.v[FLOWTRACK_A_SETTINGS_BYPASS_MASK] = 1;
	skb = udp_packet(test, CLIENT, SERVER, 3, 53);
	skb->mark = 1;
	KUNIT_EXPECT_TRUE(test, pre(skb));
	KUNIT_EXPECT_TRUE(test, in(skb));
	kfree_skb(skb);
	tn->set.v[FLOWTRACK_A_SETTINGS_BYPASS_MASK] = 0;
	KUNIT_EXPECT_EQ(test, nf_conntrack_count(&init_net), 1);

	skb = udp_packet(test, SERVER, CLIENT, 53, 3);
	KUNIT_EXPECT_TRUE(test, pre(skb));
	ct = nf_ct_get(skb, &ctinfo);
	KUNIT_EXPECT_NOT_NULL(test, ct);
	KUNIT_EXPECT_TRUE(test, ct && !ft_carrier_of(ct));
	KUNIT_EXPECT_EQ(test, ctinfo, IP_CT_ESTABLISHED_REPLY);

	/* Any other flow is ours. */
	KUNIT_EXPECT_EQ(test, pass(test, udp_packet(test, CLIENT, SERVER, 4, 53)),
			IP_CT_NEW);
	KUNIT_EXPECT_EQ(test, atomic_read(&tn->count), 1);
	KUNIT_EXPECT_EQ(test, nf_conntrack_count(&init_net), 1);
	if (ct && !ft_carrier_of(ct))
		nf_ct_delete(ct, 0, 0);
	kfree_skb(skb);
	nf_ct_netns_put(&init_net, NFPROTO_IPV4);
}

static struct sk_buff *tcp_packet(struct kunit *test, bool answer, u32 seq, u32 ack, bool syn)
{
	struct tcphdr tcp = {
		.source = htons(answer ? 80 : 1),
		.dest = htons(answer ? 1 : 80),
		.seq = htonl(seq),
		.ack_seq = htonl(ack),
		.doff = sizeof(tcp) / 4,
		.syn = syn,
		.ack = !!ack,
		.window = htons(1000),
	};

	return ip_packet(test, answer ? SERVER : CLIENT, answer ? CLIENT : SERVER, IPPROTO_TCP,
			 &tcp, sizeof(tcp));
}

static struct sk_buff *tcp_reset(struct kunit *test, bool answer, u32 seq)
{
	struct tcphdr tcp = {
		.source = htons(answer ? 80 : 1),
		.dest = htons(answer ? 1 : 80),
		.seq = htonl(seq),
		.doff = sizeof(tcp) / 4,
		.rst = true,
	};

	return ip_packet(test, answer ? SERVER : CLIENT, answer ? CLIENT : SERVER, IPPROTO_TCP,
			 &tcp, sizeof(tcp));
}

/* A connection that is established. */
static struct ft_flow *tcp_open(struct kunit *test)
{
	const struct ft_table *table = ft_pernet(&init_net)->table;
	union nf_inet_addr src = { .ip = CLIENT }, dst = { .ip = SERVER };
	struct ft_flow *flow;
	struct ft_key key;
	u32 index;

	KUNIT_EXPECT_EQ(test, pass(test, tcp_packet(test, false, 100, 0, true)), IP_CT_NEW);
	KUNIT_EXPECT_EQ(test, pass(test, tcp_packet(test, true, 500, 101, true)),
			IP_CT_ESTABLISHED_REPLY);
	KUNIT_EXPECT_EQ(test, pass(test, tcp_packet(test, false, 101, 501, false)),
			IP_CT_ESTABLISHED);
	ft_key_set(&key, NFPROTO_IPV4, IPPROTO_TCP, 0, &src, &dst, htons(1), htons(80));
	rcu_read_lock();
	flow = ft_table_lookup(table, &key, ft_key_hash(&key, ft_table_secret(table)), &index);
	rcu_read_unlock();
	KUNIT_ASSERT_NOT_NULL(test, flow);
	return flow;
}

/* It has so many seconds left, which are fixed, or not. */
static void set_left(struct ft_flow *flow, u32 seconds, bool fixed)
{
	u32 word;

	local_bh_disable();
	ft_flow_lock(flow);
	word = atomic_read(&flow->word) & ~(FT_FLOW_LOCK | FT_FLOW_FIXED);
	WRITE_ONCE(flow->deadline, ft_now() + seconds * HZ);
	flow->proto.tcp.last_kind = 0;
	ft_flow_unlock(flow, word | (fixed ? FT_FLOW_FIXED : 0));
	local_bh_enable();
}

static u32 seconds_left(const struct ft_flow *flow)
{
	return DIV_ROUND_CLOSEST(ft_flow_left(flow, ft_now()), HZ);
}

/* Both sides send a reset that is out of the window: nothing but that says that it is over. */
static void strange_resets(struct kunit *test)
{
	unsigned int side;
	struct sk_buff *skb;

	for (side = 0; side < 2; side++) {
		skb = tcp_reset(test, side, 0x40000000);
		KUNIT_EXPECT_TRUE(test, pre(skb));
		KUNIT_EXPECT_EQ(test, ctinfo_of(skb), IP_CT_NUMBER);
		kfree_skb(skb);
	}
}

/* As nf_tcp_handle_invalid(). */
static void strange_resets_shorten(struct kunit *test)
{
	struct ft_net *tn = ft_pernet(&init_net);
	u32 unacked = tn->set.v[FLOWTRACK_A_SETTINGS_TCP_TIMEOUT_UNACKNOWLEDGED];
	struct ft_flow *flow = tcp_open(test);

	set_left(flow, 36000, false);
	strange_resets(test);
	KUNIT_EXPECT_EQ(test, seconds_left(flow), unacked);
	set_left(flow, 36000, true);
	strange_resets(test);
	KUNIT_EXPECT_EQ(test, seconds_left(flow), 36000);
	/* And if it is nearly over. */
	tn->set.v[FLOWTRACK_A_SETTINGS_TCP_TIMEOUT_UNACKNOWLEDGED] = 60;
	set_left(flow, 100, false);
	strange_resets(test);
	KUNIT_EXPECT_EQ(test, seconds_left(flow), 100);
	set_left(flow, 130, false);
	strange_resets(test);
	KUNIT_EXPECT_EQ(test, seconds_left(flow), 60);
	tn->set.v[FLOWTRACK_A_SETTINGS_TCP_TIMEOUT_UNACKNOWLEDGED] = unacked;
}

static unsigned int told;

static int count_flow(struct ft_net *tn, unsigned int cmd, const struct ft_flow6 *copy,
		      u32 index, enum flowtrack_reason reason)
{
	return 0;
}

static int count_changed(struct ft_net *tn, const struct ft_flow6 *copy, u32 index,
			 unsigned int what)
{
	told |= what;
	return 0;
}

/* A rule that rejects with a reset sets the state, as nf_conntrack_tcp_set_closing(). */
static void rejected(struct kunit *test)
{
	enum ip_conntrack_info ctinfo;
	struct sk_buff *skb;
	struct nf_conn *ct;

	told = 0;
	skb = tcp_packet(test, true, 501, 101, false);
	KUNIT_ASSERT_TRUE(test, pre(skb));
	ct = nf_ct_get(skb, &ctinfo);
	KUNIT_ASSERT_NOT_NULL(test, ct);
	WRITE_ONCE(ct->proto.tcp.state, TCP_CONNTRACK_CLOSE);
	KUNIT_EXPECT_TRUE(test, in(skb));
	kfree_skb(skb);
}

static void reject_closes(struct kunit *test)
{
	static const struct ft_notifier counter = {
		.flow = count_flow,
		.changed = count_changed,
	};
	bool listener = READ_ONCE(nf_ctnetlink_has_listener);
	u8 events = READ_ONCE(init_net.ct.sysctl_events);
	struct ft_flow *flow = tcp_open(test);

	ft_notify_register(&counter);
	WRITE_ONCE(nf_ctnetlink_has_listener, true);
	WRITE_ONCE(init_net.ct.sysctl_events, 1);
	set_left(flow, 36000, true);
	rejected(test);
	KUNIT_EXPECT_EQ(test, ft_word_state(atomic_read(&flow->word)), FLOWTRACK_TCP_STATE_CLOSE);
	KUNIT_EXPECT_EQ(test, seconds_left(flow), 36000);
	KUNIT_EXPECT_EQ(test, told, 0);

	ft_flow_end_all(ft_pernet(&init_net), FLOWTRACK_REASON_FLUSHED);
	flow = tcp_open(test);
	rejected(test);
	KUNIT_EXPECT_EQ(test, ft_word_state(atomic_read(&flow->word)), FLOWTRACK_TCP_STATE_CLOSE);
	KUNIT_EXPECT_EQ(test, seconds_left(flow), 10);
	KUNIT_EXPECT_EQ(test, told, FT_CHANGED_STATE);
	WRITE_ONCE(nf_ctnetlink_has_listener, listener);
	WRITE_ONCE(init_net.ct.sysctl_events, events);
	ft_notify_unregister(&counter);
}

/* A flow to port 9 with the hash of the one from port 1 to @port. */
static struct ft_flow *decoy_enter(struct kunit *test, u8 l4proto, u16 port, u32 word, u64 *hash,
				   u32 *index)
{
	struct ft_table *table = ft_pernet(&init_net)->table;
	union nf_inet_addr src = { .ip = CLIENT }, dst = { .ip = SERVER };
	struct ft_flow *flow, *clash;
	struct ft_key key;
	bool hi;

	ft_key_set(&key, NFPROTO_IPV4, l4proto, 0, &src, &dst, htons(1), htons(port));
	*hash = ft_key_hash(&key, ft_table_secret(table));
	hi = ft_key_set(&key, NFPROTO_IPV4, l4proto, 0, &src, &dst, htons(1), htons(9));
	flow = ft_table_alloc(table, NFPROTO_IPV4, index);
	if (!flow)
		return NULL;
	ft_flow_lock(flow);
	memcpy(&flow->key, &key, sizeof(flow->key));
	memset(&flow->proto, 0, sizeof(flow->proto));
	flow->deadline = ft_now() + 100 * HZ;
	flow->mark = 0xbad;
	ft_flow_unlock(flow, word | (hi ? FT_FLOW_ORIG_HI : 0) | FT_FLOW_DEAD);
	if (!ft_table_insert(table, flow, *index, *hash, &clash))
		return flow;
	ft_table_free(table, flow, *index);
	return NULL;
}

static u32 mark_of(struct sk_buff *skb)
{
	enum ip_conntrack_info ctinfo;
	struct nf_conn *ct = nf_ct_get(skb, &ctinfo);

	return ct ? ct->mark : 0xbad;
}

/* The tag of a hash is that of another flow, which stands before a packet's own. */
static void not_the_flow(struct kunit *test)
{
	u32 replied = FT_FLOW_SEEN_REPLY | FT_FLOW_ASSURED;
	struct ft_net *tn = ft_pernet(&init_net);
	struct ft_flow *udp, *tcp;
	u32 udp_index, tcp_index;
	u64 udp_hash, tcp_hash;
	struct sk_buff *skb;

	rcu_read_lock();
	local_bh_disable();
	udp = decoy_enter(test, IPPROTO_UDP, 53,
			  ft_proto_word(IPPROTO_UDP, replied, FLOWTRACK_FLOW_STATE_STREAM),
			  &udp_hash, &udp_index);
	tcp = decoy_enter(test, IPPROTO_TCP, 80,
			  ft_proto_word(IPPROTO_TCP, replied, FLOWTRACK_TCP_STATE_ESTABLISHED),
			  &tcp_hash, &tcp_index);
	local_bh_enable();
	rcu_read_unlock();
	KUNIT_ASSERT_NOT_NULL(test, udp);
	KUNIT_ASSERT_NOT_NULL(test, tcp);

	KUNIT_EXPECT_EQ(test, pass(test, udp_packet(test, CLIENT, SERVER, 1, 53)), IP_CT_NEW);
	KUNIT_EXPECT_EQ(test, pass(test, udp_packet(test, CLIENT, SERVER, 1, 53)), IP_CT_NEW);
	KUNIT_EXPECT_EQ(test, pass(test, udp_packet(test, SERVER, CLIENT, 53, 1)),
			IP_CT_ESTABLISHED_REPLY);
	skb = udp_packet(test, CLIENT, SERVER, 1, 53);
	KUNIT_EXPECT_TRUE(test, pre(skb));
	KUNIT_EXPECT_EQ(test, ctinfo_of(skb), IP_CT_ESTABLISHED);
	KUNIT_EXPECT_EQ(test, mark_of(skb), 0);
	kfree_skb(skb);
	KUNIT_EXPECT_EQ(test, atomic_read(&tn->count), 1);

	KUNIT_EXPECT_EQ(test, pass(test, tcp_packet(test, false, 100, 0, true)), IP_CT_NEW);
	KUNIT_EXPECT_EQ(test, pass(test, tcp_packet(test, true, 500, 101, true)),
			IP_CT_ESTABLISHED_REPLY);
	KUNIT_EXPECT_EQ(test, pass(test, tcp_packet(test, false, 101, 501, false)),
			IP_CT_ESTABLISHED);
	KUNIT_EXPECT_EQ(test, pass(test, tcp_packet(test, true, 501, 101, false)),
			IP_CT_ESTABLISHED_REPLY);
	KUNIT_EXPECT_EQ(test, atomic_read(&tn->count), 2);
	/* Nothing came to them. */
	KUNIT_EXPECT_EQ(test, udp->proto.stream.since, 0);
	KUNIT_EXPECT_EQ(test, tcp->proto.tcp.maxwin[0] | tcp->proto.tcp.maxwin[1], 0);

	rcu_read_lock();
	local_bh_disable();
	if (ft_flow_kill(udp, udp->gen) && ft_table_remove(tn->table, udp_index, udp_hash))
		ft_table_free(tn->table, udp, udp_index);
	if (ft_flow_kill(tcp, tcp->gen) && ft_table_remove(tn->table, tcp_index, tcp_hash))
		ft_table_free(tn->table, tcp, tcp_index);
	local_bh_enable();
	rcu_read_unlock();
}

static struct kunit_case hooks_cases[] = {
	KUNIT_CASE(new_then_established),
	KUNIT_CASE(dropped_packet_leaves_nothing),
	KUNIT_CASE(mark_stays_with_its_flow),
	KUNIT_CASE(invalid_has_no_conntrack),
	KUNIT_CASE(notrack_is_honoured),
	KUNIT_CASE(icmp_error_is_related),
	KUNIT_CASE(loopback_is_tracked_once),
	KUNIT_CASE(answer_of_reject_admits_nothing),
	KUNIT_CASE(bypass_mark_leaves_alone),
	KUNIT_CASE(full_table_verdicts),
	KUNIT_CASE(held_by_conntrack),
	KUNIT_CASE(adopted_at_confirm),
	KUNIT_CASE(clones_fare_alike),
	KUNIT_CASE(adopted_reserved),
	KUNIT_CASE(rewritten_stays),
	KUNIT_CASE(passes_unparsed),
	KUNIT_CASE(strange_resets_shorten),
	KUNIT_CASE(reject_closes),
	KUNIT_CASE(not_the_flow),
	{}
};

static struct kunit_suite hooks_suite = {
	.name = "ft_hooks",
	.init = hooks_init,
	.exit = hooks_exit,
	.test_cases = hooks_cases,
};

kunit_test_suite(hooks_suite);
