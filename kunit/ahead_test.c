// SPDX-License-Identifier: GPL-2.0
/*
 * Lists of packets that lo of the first namespace receives. They get as far as
 * routing, which has no way for them: ft_track() has seen them by then.
 */
#include <linux/delay.h>
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>
#include <net/netfilter/nf_conntrack.h>

#include "ft_kunit.h"
#include "track/ahead.h"
#include "track/family.h"

#define A(name)		FLOWTRACK_A_SETTINGS_##name
#define CLIENT		FT_IP(198, 51, 100, 2)
#define SERVER		FT_IP(198, 51, 100, 1)
#define LIST		8
#define PORT		5000

/* What the hook between the receiver and ft_track() does to a packet. */
enum meddling {
	MEDDLE_NOT,
	MEDDLE_PORT,
	MEDDLE_TAKE,
};

static enum meddling meddling;
static struct ft_net *stranger;
/* Destination port of the last packet, as it was tracked. */
static __be16 published;

static unsigned int meddle(void *priv, struct sk_buff *skb, const struct nf_hook_state *state)
{
	struct udphdr *udp = (void *)(ip_hdr(skb) + 1);

	switch (meddling) {
	case MEDDLE_NOT:
		break;
	case MEDDLE_PORT:
		udp->dest = htons(ntohs(udp->dest) + 1000);
		break;
	case MEDDLE_TAKE:
		if (ft_ahead_take(stranger, skb, NFPROTO_IPV4, NF_CT_DEFAULT_ZONE_ID))
			return NF_DROP;
		break;
	}
	return NF_ACCEPT;
}

static unsigned int note(void *priv, struct sk_buff *skb, const struct nf_hook_state *state)
{
	enum ip_conntrack_info ctinfo;
	struct nf_conn *ct = nf_ct_get(skb, &ctinfo);

	if (ct)
		published = ct->tuplehash[IP_CT_DIR_ORIGINAL].tuple.dst.u.udp.port;
	return NF_ACCEPT;
}

static const struct nf_hook_ops ops[] = {
	{ .hook = meddle, .pf = NFPROTO_IPV4, .hooknum = NF_INET_PRE_ROUTING,
	  .priority = NF_IP_PRI_RAW },
	{ .hook = note, .pf = NFPROTO_IPV4, .hooknum = NF_INET_PRE_ROUTING,
	  .priority = NF_IP_PRI_MANGLE },
};

static u64 stat(unsigned int attr)
{
	return ft_kunit_stat(ft_pernet(&init_net), attr);
}

static struct sk_buff *packet(struct kunit *test, u8 family, u16 port)
{
	struct sk_buff *skb = alloc_skb(256, GFP_KERNEL);
	struct ipv6hdr *ip6h;
	struct udphdr *udp;
	struct iphdr *iph;

	KUNIT_ASSERT_NOT_NULL(test, skb);
	skb_reserve(skb, 64);
	skb_reset_mac_header(skb);
	skb_reset_network_header(skb);
	if (family == NFPROTO_IPV4) {
		iph = skb_put_zero(skb, sizeof(*iph));
		iph->version = 4;
		iph->ihl = 5;
		iph->ttl = 64;
		iph->tot_len = htons(sizeof(*iph) + sizeof(*udp));
		iph->protocol = IPPROTO_UDP;
		iph->saddr = CLIENT;
		iph->daddr = SERVER;
		ip_send_check(iph);
		skb->protocol = htons(ETH_P_IP);
	} else {
		ip6h = skb_put_zero(skb, sizeof(*ip6h));
		ip6h->version = 6;
		ip6h->hop_limit = 64;
		ip6h->payload_len = htons(sizeof(*udp));
		ip6h->nexthdr = IPPROTO_UDP;
		ip6h->saddr.s6_addr32[0] = htonl(0x20010db8);
		ip6h->saddr.s6_addr32[3] = htonl(2);
		ip6h->daddr.s6_addr32[0] = htonl(0x20010db8);
		ip6h->daddr.s6_addr32[3] = htonl(1);
		skb->protocol = htons(ETH_P_IPV6);
	}
	udp = skb_put_zero(skb, sizeof(*udp));
	udp->source = htons(1024);
	udp->dest = htons(port);
	udp->len = htons(sizeof(*udp));
	skb->ip_summed = CHECKSUM_UNNECESSARY;
	skb->dev = init_net.loopback_dev;
	skb->pkt_type = PACKET_HOST;
	return skb;
}

/* Packets of @n flows in one list. Return: how many were looked for ahead. */
static u64 receive(struct kunit *test, u8 family, unsigned int n)
{
	u64 before = stat(FLOWTRACK_A_STATS_LOOKAHEAD);
	struct sk_buff *skb;
	unsigned int i;
	LIST_HEAD(list);

	for (i = 0; i < n; i++) {
		skb = packet(test, family, PORT + i);
		list_add_tail(&skb->list, &list);
	}
	local_bh_disable();
	netif_receive_skb_list(&list);
	local_bh_enable();
	return stat(FLOWTRACK_A_STATS_LOOKAHEAD) - before;
}

static void set(struct kunit *test, enum ft_lookahead value)
{
	KUNIT_ASSERT_EQ(test, ft_settings_set(ft_pernet(&init_net), A(LOOKAHEAD), value, NULL), 0);
}

static int ahead_init(struct kunit *test)
{
	struct ft_net *tn = ft_pernet(&init_net);

	meddling = MEDDLE_NOT;
	KUNIT_ASSERT_EQ(test, ft_settings_set(tn, A(ENABLE), FT_ENABLE_ON, NULL), 0);
	set(test, FT_LOOKAHEAD_ON);
	/* Whatever else is loaded: every flow is ours from its first packet. */
	tn->set.v[A(ADOPT)] = FT_ADOPT_NEVER;
	return nf_register_net_hooks(&init_net, ops, ARRAY_SIZE(ops));
}

static void ahead_exit(struct kunit *test)
{
	struct ft_net *tn = ft_pernet(&init_net);

	nf_unregister_net_hooks(&init_net, ops, ARRAY_SIZE(ops));
	tn->set.v[A(ADOPT)] = FT_ADOPT_AUTO;
	ft_settings_set(tn, A(LOOKAHEAD), FT_LOOKAHEAD_AUTO, NULL);
	ft_settings_set(tn, A(ENABLE), FT_ENABLE_AUTO, NULL);
	ft_flow_end_all(tn, FLOWTRACK_REASON_FLUSHED);
}

/* Each packet of a list, of whatever length, is looked for once, and met NEW as without. */
static void lists(struct kunit *test)
{
	static const unsigned int lengths[] = { 1, 2, 3, 4, 5, 8, 16, 63, 64 };
	unsigned int i;
	u64 fresh;

	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		fresh = stat(FLOWTRACK_A_STATS_NEW);
		KUNIT_EXPECT_EQ(test, receive(test, NFPROTO_IPV4, lengths[i]), lengths[i]);
		KUNIT_EXPECT_EQ(test, receive(test, NFPROTO_IPV6, lengths[i]), lengths[i]);
		KUNIT_EXPECT_EQ(test, stat(FLOWTRACK_A_STATS_NEW) - fresh, 2 * lengths[i]);
	}
	/* More than are remembered: the last ones are. */
	KUNIT_EXPECT_EQ(test, receive(test, NFPROTO_IPV4, 100), 36);
	KUNIT_EXPECT_EQ(test, receive(test, NFPROTO_IPV4, LIST), LIST);
}

/* With flows in the table: found where they were said to be, or where they are. */
static void known_flows(struct kunit *test)
{
	struct ft_net *tn = ft_pernet(&init_net);
	u64 found = stat(FLOWTRACK_A_STATS_FOUND);
	struct ft_birth birth = { .timeout = 100 * HZ };
	union nf_inet_addr src = { .ip = CLIENT };
	union nf_inet_addr dst = { .ip = SERVER };
	unsigned int i;

	rcu_read_lock();
	local_bh_disable();
	for (i = 0; i < LIST; i++) {
		birth.word = FLOWTRACK_CLASS_EMBRYONIC << 5;
		if (ft_key_set(&birth.key, NFPROTO_IPV4, IPPROTO_UDP, 0, &src, &dst, htons(1024),
			       htons(PORT + i)))
			birth.word |= FT_FLOW_ORIG_HI;
		birth.hash = ft_key_hash(&birth.key, ft_table_secret(tn->table));
		KUNIT_EXPECT_EQ(test, ft_flow_admit(tn, &birth), FT_ADMIT_OK);
	}
	local_bh_enable();
	rcu_read_unlock();
	KUNIT_EXPECT_EQ(test, receive(test, NFPROTO_IPV4, 2 * LIST), 2 * LIST);
	KUNIT_EXPECT_EQ(test, stat(FLOWTRACK_A_STATS_FOUND) - found, LIST);
	ft_flow_end_all(tn, FLOWTRACK_REASON_FLUSHED);
	KUNIT_EXPECT_EQ(test, receive(test, NFPROTO_IPV4, LIST), LIST);
	KUNIT_EXPECT_EQ(test, stat(FLOWTRACK_A_STATS_FOUND) - found, LIST);
}

/* A packet that a rule has changed is tracked as what it is. */
static void changed(struct kunit *test)
{
	meddling = MEDDLE_PORT;
	KUNIT_EXPECT_EQ(test, receive(test, NFPROTO_IPV4, LIST), 0);
	KUNIT_EXPECT_EQ(test, ntohs(published), PORT + LIST - 1 + 1000);
	meddling = MEDDLE_NOT;
	KUNIT_EXPECT_EQ(test, receive(test, NFPROTO_IPV4, LIST), LIST);
	KUNIT_EXPECT_EQ(test, ntohs(published), PORT + LIST - 1);
}

/* Another namespace has another secret: it takes nothing over, and each packet is taken once. */
static void namespaces(struct kunit *test)
{
	stranger = ft_kunit_net(test, 10);
	meddling = MEDDLE_TAKE;
	KUNIT_EXPECT_EQ(test, receive(test, NFPROTO_IPV4, LIST), 0);
	KUNIT_EXPECT_EQ(test, ntohs(published), PORT + LIST - 1);
}

static void not_wanted(struct kunit *test)
{
	set(test, FT_LOOKAHEAD_OFF);
	KUNIT_EXPECT_EQ(test, receive(test, NFPROTO_IPV4, LIST), 0);
	set(test, FT_LOOKAHEAD_ON);
	KUNIT_EXPECT_EQ(test, receive(test, NFPROTO_IPV4, LIST), LIST);
}

static void want(struct ft_net *tn, unsigned int families)
{
	mutex_lock(&tn->settings_lock);
	tn->hooked = families;
	ft_ahead_set(tn);
	mutex_unlock(&tn->settings_lock);
}

static void want_no_more(void *tn)
{
	want(tn, 0);
}

/* Where packets come one by one a CPU gives up, unless it is told to go on. */
static void one_by_one(struct kunit *test)
{
	struct ft_net *other = ft_kunit_net(test, 10);
	unsigned int i;

	/* It keeps the receiver, whatever ft_ahead_adapt() thinks meanwhile. */
	other->set.v[A(LOOKAHEAD)] = FT_LOOKAHEAD_ON;
	want(other, FT_HOOKS_IPV4);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, want_no_more, other), 0);
	for (i = 0; i < 200; i++)
		KUNIT_ASSERT_EQ(test, receive(test, NFPROTO_IPV4, 1), 1);
	set(test, FT_LOOKAHEAD_AUTO);
	KUNIT_EXPECT_EQ(test, receive(test, NFPROTO_IPV4, LIST), 0);
	/* It looks again before long. */
	for (i = 0; i < 1024; i++)
		receive(test, NFPROTO_IPV4, 1);
	KUNIT_EXPECT_EQ(test, receive(test, NFPROTO_IPV4, LIST), LIST);
}

/* And the whole machine gives up, for a while. */
static void not_worth_it(struct kunit *test)
{
	unsigned int i;

	/* What came before may have made it give up. */
	set(test, FT_LOOKAHEAD_AUTO);
	for (i = 0; i < 200 && receive(test, NFPROTO_IPV4, LIST) != LIST; i++) {
		msleep(50);
		ft_ahead_adapt();
	}
	KUNIT_ASSERT_EQ(test, receive(test, NFPROTO_IPV4, LIST), LIST);
	ft_ahead_adapt();
	for (i = 0; i < 2000; i++)
		receive(test, NFPROTO_IPV4, 1);
	ft_ahead_adapt();
	/* Not even those of a CPU that does not doze. */
	for (i = 0; i < 200; i++)
		KUNIT_ASSERT_EQ(test, receive(test, NFPROTO_IPV4, LIST), 0);
	/* A namespace that wants it gets it. */
	set(test, FT_LOOKAHEAD_ON);
	KUNIT_EXPECT_EQ(test, receive(test, NFPROTO_IPV4, LIST), LIST);
}

/* Where a flow is fetched from is where it is. */
static void hints(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 4000);
	unsigned int i, hits = 0, misses = 0;
	struct ft_birth birth;
	u32 index, hint;

	for (i = 0; i < 300; i++)
		KUNIT_ASSERT_EQ(test, ft_kunit_admit(tn, i, FLOWTRACK_CLASS_EMBRYONIC, HZ * 100),
				FT_ADMIT_OK);
	rcu_read_lock();
	for (i = 0; i < 600; i++) {
		ft_kunit_birth(tn, &birth, i, 0, 0);
		hint = ft_table_fetch(tn->table, &birth.key, birth.hash);
		if (ft_table_lookup(tn->table, &birth.key, birth.hash, &index))
			hits += hint == index;
		else
			misses += hint == FT_INDEX_NONE;
	}
	/* A few stand in a line that has overflowed, or have the tag of another one. */
	KUNIT_EXPECT_GT(test, hits, 250);
	KUNIT_EXPECT_GT(test, misses, 290);
	rcu_read_unlock();
}

static bool same(const struct ft_pkt *a, const struct ft_pkt *b)
{
	return !memcmp(&a->key, &b->key, sizeof(a->key)) && a->l4off == b->l4off &&
	       a->l4len == b->l4len && a->from_hi == b->from_hi &&
	       a->opens_hi == b->opens_hi && a->icmp_type == b->icmp_type &&
	       a->icmp_code == b->icmp_code && a->family == b->family;
}

/* As packet() answered: from the other endpoint. */
static void swap_ends(struct sk_buff *skb, u8 family)
{
	struct ipv6hdr *ip6h = ipv6_hdr(skb);
	struct iphdr *iph = ip_hdr(skb);
	struct udphdr *udp;

	if (family == NFPROTO_IPV4) {
		swap(iph->saddr, iph->daddr);
		udp = (void *)(iph + 1);
	} else {
		swap(ip6h->saddr, ip6h->daddr);
		udp = (void *)(ip6h + 1);
	}
	swap(udp->source, udp->dest);
}

/* One byte of a packet is changed: what is said to be the same must be. */
static void the_same_packet(struct kunit *test)
{
	static const u8 families[] = { NFPROTO_IPV4, NFPROTO_IPV6 };
	unsigned int i, byte, bit, changed = 0, senders = 0;
	struct ft_pkt pkt, again;
	enum ft_invalid reason;
	enum ft_parse parsed;
	struct sk_buff *skb;

	for (i = 0; i < 2 * ARRAY_SIZE(families); i++) {
		skb = packet(test, families[i % 2], 1024 * (i + 1));
		if (i >= ARRAY_SIZE(families))
			swap_ends(skb, families[i % 2]);
		KUNIT_ASSERT_EQ(test, ft_tuple_get(skb, families[i % 2], 0, &pkt, &reason),
				FT_PARSE_OK);
		senders |= BIT(pkt.from_hi);
		KUNIT_EXPECT_TRUE(test, ft_tuple_is(skb, families[i % 2], &pkt));
		KUNIT_EXPECT_FALSE(test, ft_tuple_is(skb, families[!(i % 2)], &pkt));
		for (byte = 0; byte < skb->len; byte++) {
			for (bit = 0; bit < 8; bit++) {
				skb->data[byte] ^= BIT(bit);
				parsed = ft_tuple_get(skb, families[i % 2], 0, &again, &reason);
				if (ft_tuple_is(skb, families[i % 2], &pkt))
					KUNIT_EXPECT_TRUE_MSG(test, parsed == FT_PARSE_OK &&
							      same(&pkt, &again),
							      "byte %u bit %u", byte, bit);
				else
					changed++;
				skb->data[byte] ^= BIT(bit);
			}
		}
		/* Cut short, or with its headers elsewhere. */
		for (byte = skb->len - 1; byte; byte--) {
			skb_trim(skb, byte);
			KUNIT_EXPECT_FALSE(test, ft_tuple_is(skb, families[i % 2], &pkt));
		}
		kfree_skb(skb);
	}
	KUNIT_EXPECT_GT(test, changed, 4 * 96);
	KUNIT_EXPECT_EQ(test, senders, BIT(false) | BIT(true));
}

static struct kunit_case ahead_cases[] = {
	KUNIT_CASE(lists),
	KUNIT_CASE(known_flows),
	KUNIT_CASE(changed),
	KUNIT_CASE(namespaces),
	KUNIT_CASE(not_wanted),
	KUNIT_CASE(one_by_one),
	KUNIT_CASE(not_worth_it),
	KUNIT_CASE(hints),
	KUNIT_CASE(the_same_packet),
	{}
};

static struct kunit_suite ahead_suite = {
	.name = "ft_ahead",
	.init = ahead_init,
	.exit = ahead_exit,
	.test_cases = ahead_cases,
};

kunit_test_suite(ahead_suite);
