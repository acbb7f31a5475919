// SPDX-License-Identifier: GPL-2.0
#include <linux/delay.h>
#include <linux/mm.h>
#include <linux/prandom.h>
#include <linux/slab.h>
#include <net/netfilter/nf_conntrack_acct.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/netfilter/nf_conntrack_zones.h>

#include "base/fault_inject.h"
#include "ft_kunit.h"
#include "track/carrier.h"
#include "track/pool.h"

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
	ct = &carrier->ct;
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

/* Of a translated flow a carrier has both tuples, and says to nf_nat what to do. */
static void carrier_of_a_translated_flow(struct kunit *test)
{
	static const u32 words[] = { FT_FLOW_SNAT, FT_FLOW_DNAT, FT_FLOW_NAT, 0 };
	static const unsigned long bits[] = { IPS_SRC_NAT, IPS_DST_NAT, IPS_NAT_MASK, 0 };
	union nf_inet_addr client = { .ip = FT_IP(10, 0, 0, 2) };
	union nf_inet_addr server = { .ip = FT_IP(192, 0, 2, 1) };
	union nf_inet_addr outer = { .ip = FT_IP(203, 0, 113, 9) };
	const struct nf_conntrack_tuple *orig, *reply;
	struct ft_net *tn = ft_kunit_net(test, 10);
	struct ft_key key, answer;
	struct ft_carrier *carrier;
	struct ft_view view = {};
	u32 word = 0;
	unsigned int i;

	if (ft_key_set(&key, NFPROTO_IPV4, IPPROTO_UDP, 3, &client, &server, htons(1), htons(53)))
		word |= FT_FLOW_ORIG_HI;
	if (ft_key_set(&answer, NFPROTO_IPV4, IPPROTO_UDP, 3, &server, &outer, htons(53),
		       htons(7)))
		word |= FT_FLOW_REPLY_HI;
	view.key = &key;
	view.answer = &answer;
	view.masq = 17;
	for (i = 0; i < ARRAY_SIZE(words); i++) {
		view.word = word | words[i];
		local_bh_disable();
		carrier = ft_carrier_get(tn);
		if (carrier)
			ft_carrier_fill(carrier, &view);
		local_bh_enable();
		KUNIT_ASSERT_NOT_NULL(test, carrier);
		orig = nf_ct_tuple(&carrier->ct, IP_CT_DIR_ORIGINAL);
		reply = nf_ct_tuple(&carrier->ct, IP_CT_DIR_REPLY);
		KUNIT_EXPECT_EQ(test, orig->src.u3.ip, client.ip);
		KUNIT_EXPECT_EQ(test, orig->dst.u.udp.port, htons(53));
		KUNIT_EXPECT_EQ(test, reply->src.u3.ip, server.ip);
		KUNIT_EXPECT_EQ(test, reply->dst.u3.ip, words[i] ? outer.ip : client.ip);
		KUNIT_EXPECT_EQ(test, reply->dst.u.udp.port, htons(words[i] ? 7 : 1));
		KUNIT_EXPECT_EQ(test, carrier->ct.status & IPS_NAT_MASK, bits[i]);
		KUNIT_EXPECT_EQ(test, carrier->masq, words[i] ? 17 : 0);
		KUNIT_EXPECT_EQ(test, nf_ct_zone(&carrier->ct)->id, 3);
	}
}

/* A translated flow, in no table, with any ends. */
struct translated {
	struct ft_key key[2];
	struct ft_flow *flow;
	u32 index;
	u32 word;
};

static void random_end(struct rnd_state *rnd, union nf_inet_addr *addr, u8 family)
{
	*addr = (union nf_inet_addr){};
	prandom_bytes_state(rnd, addr, family == NFPROTO_IPV6 ? 16 : 4);
}

static void random_translated(struct kunit *test, struct rnd_state *rnd, struct ft_net *tn,
			      struct translated *t)
{
	static const u8 protocols[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP };
	u8 l4proto = protocols[prandom_u32_state(rnd) % ARRAY_SIZE(protocols)];
	u8 family = prandom_u32_state(rnd) % 2 ? NFPROTO_IPV6 : NFPROTO_IPV4;
	union nf_inet_addr ends[2];
	unsigned int i;

	t->word = prandom_u32_state(rnd) % 2 ? FT_FLOW_SNAT : FT_FLOW_DNAT;
	for (i = 0; i < 2; i++) {
		random_end(rnd, &ends[0], family);
		random_end(rnd, &ends[1], family);
		if (ft_key_set(&t->key[i], family, l4proto, 7, &ends[0], &ends[1],
			       htons(prandom_u32_state(rnd)), htons(prandom_u32_state(rnd))))
			t->word |= i ? FT_FLOW_REPLY_HI : FT_FLOW_ORIG_HI;
	}
	t->flow = ft_table_alloc_nat(tn->table, family, &t->index);
	KUNIT_ASSERT_NOT_NULL(test, t->flow);
	memcpy(&t->flow->key, &t->key[0], sizeof(t->flow->key));
	if (family == NFPROTO_IPV6)
		memcpy(ft_flow_addr6(t->flow), t->key[0].addr6, sizeof(t->key[0].addr6));
	ft_nat_set(ft_flow_nat(t->flow, family), &t->key[1], 17);
}

/* The short way says the same as the long one, for every packet, after any other packet. */
static void carrier_of_a_translated_flow_in_short(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 10);
	struct nf_conntrack_tuple *orig, *reply;
	struct nf_conntrack_tuple want[2];
	struct ft_carrier *carrier;
	struct rnd_state rnd;
	struct translated t;
	unsigned int n, dir;
	unsigned long nat;
	bool hi;

	prandom_seed_state(&rnd, 9);
	for (n = 0; n < 2000; n++) {
		struct ft_view view = { .masq = 17 };

		local_bh_disable();
		random_translated(test, &rnd, tn, &t);
		carrier = ft_carrier_get(tn);
		KUNIT_ASSERT_NOT_NULL(test, carrier);
		orig = &carrier->ct.tuplehash[IP_CT_DIR_ORIGINAL].tuple;
		reply = &carrier->ct.tuplehash[IP_CT_DIR_REPLY].tuple;
		view.key = &t.key[0];
		view.answer = &t.key[1];
		view.word = t.word;
		ft_carrier_fill(carrier, &view);
		want[0] = *orig;
		want[1] = *reply;

		dir = n % 2 ? FT_DIR_REPLY : FT_DIR_ORIG;
		carrier = ft_carrier_get(tn);
		/* The sender of a packet that was looked at ahead is a guess. */
		hi = prandom_u32_state(&rnd) % 2;
		ft_carrier_aim(carrier, &t.key[dir], hi);
		carrier->masq = 0;
		nat = ft_carrier_aim_nat(carrier, &t.key[dir], t.flow, t.word, dir);
		ft_table_free(tn->table, t.flow, t.index);
		local_bh_enable();
		KUNIT_EXPECT_TRUE(test, nf_ct_tuple_equal(orig, &want[0]));
		KUNIT_EXPECT_TRUE(test, nf_ct_tuple_equal(reply, &want[1]));
		KUNIT_EXPECT_EQ(test, orig->dst.dir, want[0].dst.dir);
		KUNIT_EXPECT_EQ(test, reply->dst.dir, want[1].dst.dir);
		KUNIT_EXPECT_EQ(test, carrier->masq, 17);
		KUNIT_EXPECT_EQ(test, nf_ct_zone(&carrier->ct)->id, 7);
		KUNIT_EXPECT_EQ(test, nat, t.word & FT_FLOW_SNAT ? IPS_SRC_NAT : IPS_DST_NAT);
	}
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
			orig = nf_ct_tuple(&carrier->ct, IP_CT_DIR_ORIGINAL);
			reply = nf_ct_tuple(&carrier->ct, IP_CT_DIR_REPLY);
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
	KUNIT_EXPECT_PTR_EQ(test, ft_carrier_of(&carrier->ct), carrier);
	kfree_skb(skb);

	tmpl = nf_ct_tmpl_alloc(&init_net, &nf_ct_zone_dflt, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, tmpl);
	KUNIT_EXPECT_NULL(test, ft_carrier_of(tmpl));
	nf_ct_tmpl_free(tmpl);
}

/*
 * KASAN keeps what was freed from those who ask for memory, up to a 32nd of all there
 * is: have it filled with something else.
 */
static void empty_quarantine(void)
{
	unsigned long i;

	for (i = 0; i < totalram_pages() / 16; i++)
		kfree(kmalloc(PAGE_SIZE, GFP_KERNEL));
}

#define STALE 96

/* An entry of nf_conntrack that nothing is known of, in no table. */
static struct nf_conn *entry_alloc(struct kunit *test)
{
	const struct nf_conntrack_tuple tuple = { .src.l3num = NFPROTO_IPV4 };
	struct nf_conn *ct;

	ct = nf_conntrack_alloc(&init_net, &nf_ct_zone_dflt, &tuple, &tuple, GFP_KERNEL);
	KUNIT_ASSERT_FALSE(test, IS_ERR_OR_NULL(ct));
	return ct;
}

/* Fill @ct with @word, and free it. What nf_conntrack_free() looks at stays. */
static void spoil(struct nf_conn *ct, unsigned long word)
{
	unsigned long *at = (unsigned long *)ct->tuplehash;
	possible_net_t net = ct->ct_net;

	while ((void *)at < (void *)&ct->__nfct_init_offset)
		*at++ = word;
	ct->status = 0;
	ct->ct_net = net;
	nf_conntrack_free(ct);
}

/* nf_conntrack clears only a part of a new entry; its memory is handed on as it was. */
static void stale_memory_is_no_carrier(struct kunit *test)
{
	const unsigned long words[] = { ft_carrier_magic, ~ft_carrier_magic ^ FT_NOTE_STAYS,
					~ft_carrier_magic ^ FT_NOTES };
	static struct nf_conn *spoiled[STALE], *cts[20 * STALE];
	unsigned int i, j, again[ARRAY_SIZE(words)] = {};

	for (i = 0; i < STALE; i++)
		spoiled[i] = entry_alloc(test);
	for (i = 0; i < STALE; i++)
		spoil(spoiled[i], words[i % ARRAY_SIZE(words)]);
	empty_quarantine();
	for (i = 0; i < ARRAY_SIZE(cts); i++) {
		cts[i] = entry_alloc(test);
		for (j = 0; j < STALE; j++)
			again[j % ARRAY_SIZE(words)] += spoiled[j] == cts[i];
		KUNIT_EXPECT_NULL(test, ft_carrier_of(cts[i]));
		KUNIT_EXPECT_EQ(test, ft_carrier_notes(cts[i]), 0);
	}
	for (i = 0; i < ARRAY_SIZE(cts); i++)
		nf_conntrack_free(cts[i]);
	/* Else this has shown nothing. */
	for (i = 0; i < ARRAY_SIZE(words); i++)
		KUNIT_EXPECT_GT(test, again[i], 0);
}

/* A carrier of an accepted packet of flow @index, with a mark that it says. */
static struct ft_carrier *give_found(struct ft_net *tn, struct sk_buff *skb,
				     u32 index, u8 l4proto)
{
	union nf_inet_addr src = { .ip = FT_IP(10, 0, 0, 1) };
	union nf_inet_addr dst = { .ip = FT_IP(192, 0, 2, 1) };
	struct ft_view view = {};
	struct ft_carrier *carrier;
	struct ft_flow *flow;
	struct ft_key key;

	ft_key_set(&key, NFPROTO_IPV4, l4proto, 0, &src, &dst, htons(1000),
		   htons(53));
	view.key = &key;
	local_bh_disable();
	rcu_read_lock();
	carrier = ft_carrier_get(tn);
	flow = ft_table_at(tn->table, index);
	if (carrier && flow) {
		view.mark = flow->mark;
		carrier->index = index;
		carrier->gen = flow->gen;
	}
	if (carrier) {
		ft_carrier_fill(carrier, &view);
		ft_carrier_attach(carrier, skb, IP_CT_ESTABLISHED);
	}
	rcu_read_unlock();
	local_bh_enable();
	return carrier;
}

static u64 grown(struct ft_net *tn)
{
	return ft_kunit_stat(tn, FLOWTRACK_A_STATS_CARRIER_GROWN);
}

/* @n packets, each of which is through before the next one comes. */
static void pass(struct kunit *test, struct ft_net *tn, unsigned int n)
{
	struct sk_buff *skb = empty_skb(test);

	while (n--) {
		KUNIT_ASSERT_NOT_NULL(test, give(tn, skb));
		ft_carrier_detach(skb);
	}
	kfree_skb(skb);
}

/* @n packets, two of which are in flight at any time. */
static void pass_in_pairs(struct kunit *test, struct ft_net *tn, unsigned int n)
{
	struct sk_buff *skbs[2] = { empty_skb(test), empty_skb(test) };
	unsigned int i;

	for (i = 0; i < n; i++) {
		if (i >= 2)
			ft_carrier_detach(skbs[i % 2]);
		KUNIT_ASSERT_NOT_NULL(test, give(tn, skbs[i % 2]));
	}
	kfree_skb(skbs[0]);
	kfree_skb(skbs[1]);
}

/* Whatever is held, all others get a carrier, and mostly one that there is. */
static void hold(struct kunit *test, unsigned int n)
{
	struct ft_net *tn = ft_kunit_net(test, 10), *other = ft_kunit_net(test, 10);
	struct ft_carrier *carrier;
	struct sk_buff **skbs;
	u64 before, others;
	unsigned int i;

	skbs = kvcalloc(n, sizeof(*skbs), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, skbs);
	pass(test, other, 1);
	others = grown(other);
	for (i = 0; i < n; i++) {
		skbs[i] = empty_skb(test);
		carrier = give(tn, skbs[i]);
		KUNIT_ASSERT_NOT_NULL(test, carrier);
		KUNIT_EXPECT_EQ(test, refcount_read(&carrier->ct.ct_general.use),
				2);
	}
	before = grown(tn);
	KUNIT_EXPECT_EQ(test, before, n);
	pass(test, tn, 20000);
	KUNIT_EXPECT_LE(test, grown(tn), before + 1);
	pass_in_pairs(test, tn, 20000);
	/* What is held goes where nobody looks, or leaves the pool. */
	KUNIT_EXPECT_LE(test, grown(tn), before + n + 10);
	before = grown(tn);
	pass_in_pairs(test, tn, 20000);
	KUNIT_EXPECT_LE(test, grown(tn), before + 10);
	/* Others do not notice. */
	pass(test, other, 1000);
	KUNIT_EXPECT_EQ(test, grown(other), others);
	KUNIT_EXPECT_EQ(test,
			ft_kunit_stat(tn, FLOWTRACK_A_STATS_CARRIER_NONE), 0);
	for (i = 0; i < n; i++)
		kfree_skb(skbs[i]);
	kvfree(skbs);
}

static void four_are_held(struct kunit *test)
{
	hold(test, 4);
}

static void hundreds_are_held(struct kunit *test)
{
	hold(test, 300);
}

static void more_are_held_than_a_pool_has(struct kunit *test)
{
	hold(test, 10000);
}

/* No two packets in flight share a carrier; dropped packets give theirs back. */
static void one_carrier_one_packet(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 10);
	static struct ft_carrier *seen[60];
	static struct sk_buff *skbs[60];
	unsigned int i, j, twice = 0;
	u64 before;

	for (i = 0; i < ARRAY_SIZE(skbs); i++) {
		skbs[i] = empty_skb(test);
		seen[i] = give(tn, skbs[i]);
		KUNIT_ASSERT_NOT_NULL(test, seen[i]);
		for (j = 0; j < i; j++)
			twice += seen[i] == seen[j];
	}
	KUNIT_EXPECT_EQ(test, twice, 0);
	for (i = 0; i < ARRAY_SIZE(skbs); i++) {
		kfree_skb(skbs[i]);
		KUNIT_EXPECT_EQ(test, refcount_read(&seen[i]->ct.ct_general.use),
				1);
	}
	/* All are free: as many again need none that is new. */
	before = grown(tn);
	for (i = 0; i < ARRAY_SIZE(skbs); i++) {
		skbs[i] = empty_skb(test);
		KUNIT_EXPECT_NOT_NULL(test, give(tn, skbs[i]));
	}
	KUNIT_EXPECT_EQ(test, before, grown(tn));
	for (i = 0; i < ARRAY_SIZE(skbs); i++) {
		ft_carrier_detach(skbs[i]);
		KUNIT_EXPECT_EQ(test, skbs[i]->_nfct, 0UL);
		kfree_skb(skbs[i]);
	}
}

/* The one that is in the cache: that which the last packet had. */
static void last_in_is_first_out(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 10);
	struct sk_buff *a = empty_skb(test), *b = empty_skb(test);
	struct ft_carrier *first, *second;

	first = give(tn, a);
	second = give(tn, b);
	KUNIT_EXPECT_PTR_NE(test, first, second);
	ft_carrier_detach(a);
	ft_carrier_detach(b);
	KUNIT_EXPECT_PTR_EQ(test, give(tn, a), second);
	KUNIT_EXPECT_PTR_EQ(test, give(tn, b), first);
	kfree_skb(a);
	kfree_skb(b);
}

/* A burst is over: what it took goes back to the system, by itself. */
static void pool_shrinks(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 10);
	static struct sk_buff *skbs[100];
	unsigned int i;
	u64 before;

	for (i = 0; i < ARRAY_SIZE(skbs); i++) {
		skbs[i] = empty_skb(test);
		KUNIT_ASSERT_NOT_NULL(test, give(tn, skbs[i]));
	}
	before = grown(tn);
	KUNIT_EXPECT_EQ(test, before, ARRAY_SIZE(skbs));
	for (i = 0; i < ARRAY_SIZE(skbs); i++)
		kfree_skb(skbs[i]);
	/* Looked at by 64, halved each 20 ms. */
	msleep(1000);
	for (i = 0; i < ARRAY_SIZE(skbs); i++) {
		skbs[i] = empty_skb(test);
		KUNIT_ASSERT_NOT_NULL(test, give(tn, skbs[i]));
	}
	KUNIT_EXPECT_GE(test, grown(tn), before + ARRAY_SIZE(skbs) - 2);
	for (i = 0; i < ARRAY_SIZE(skbs); i++)
		kfree_skb(skbs[i]);
}

/* It has left its pool: nobody's table may take it in, and it frees itself. */
static void carrier_outlives_its_pool(struct kunit *test)
{
	static struct sk_buff *skbs[4097]; /* one more than a pool has */
	struct ft_net *tn = ft_kunit_net(test, 10);
	struct ft_carrier *carrier, *left = NULL, *copy;
	unsigned int i, gone = 0, leaving = 0;
	enum ip_conntrack_info ctinfo;
	struct nf_conn *ct;

	for (i = 0; i < ARRAY_SIZE(skbs); i++) {
		skbs[i] = empty_skb(test);
		KUNIT_ASSERT_NOT_NULL(test, give(tn, skbs[i]));
	}
	for (i = 0; i < ARRAY_SIZE(skbs); i++) {
		carrier = ft_carrier_of(nf_ct_get(skbs[i], &ctinfo));
		KUNIT_ASSERT_NOT_NULL(test, carrier);
		if (carrier->leaving) {
			leaving++;
			left = carrier;
			gone = i;
		}
	}
	KUNIT_ASSERT_EQ(test, leaving, 1);
	rcu_barrier();
	ct = nf_ct_get(skbs[gone], &ctinfo);
	KUNIT_EXPECT_PTR_EQ(test, ct, &left->ct);
	KUNIT_EXPECT_TRUE(test, nf_ct_is_template(ct));
	KUNIT_EXPECT_TRUE(test, nf_ct_is_confirmed(ct));
	KUNIT_EXPECT_EQ(test, refcount_read(&ct->ct_general.use), 1);
	KUNIT_EXPECT_PTR_EQ(test, ft_carrier_of(ct), left);
	KUNIT_EXPECT_EQ(test, nf_conntrack_confirm(skbs[gone]), NF_ACCEPT);
	KUNIT_EXPECT_EQ(test, refcount_read(&ct->ct_general.use), 1);

	/* What takes its place says the same, and is no template. */
	ct->mark = 7;
	left->mark = 5;
	left->named = true;
	local_bh_disable();
	copy = ft_carrier_get(tn);
	if (copy) {
		ft_carrier_copy(copy, left);
		KUNIT_EXPECT_FALSE(test, nf_ct_is_template(&copy->ct));
		KUNIT_EXPECT_FALSE(test, copy->leaving);
		KUNIT_EXPECT_EQ(test, copy->ct.mark, 7);
		KUNIT_EXPECT_EQ(test, copy->mark, 5);
		KUNIT_EXPECT_TRUE(test, copy->named);
	}
	local_bh_enable();
	KUNIT_EXPECT_NOT_NULL(test, copy);
	for (i = 0; i < ARRAY_SIZE(skbs); i++)
		kfree_skb(skbs[i]);
}

/* Memory is short: that costs the packet, and nothing goes wrong. */
static void no_memory_for_a_carrier(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 10);
	struct sk_buff *a = empty_skb(test), *b = empty_skb(test);
	struct ft_carrier *first = give(tn, a);

	KUNIT_EXPECT_NOT_NULL(test, first);
	WRITE_ONCE(ft_faults, FT_FAULT_CARRIER);
	KUNIT_EXPECT_NULL(test, give(tn, b));
	KUNIT_EXPECT_NULL(test, give(tn, b));
	ft_carrier_detach(a);
	KUNIT_EXPECT_PTR_EQ(test, give(tn, b), first);
	WRITE_ONCE(ft_faults, 0);
	kfree_skb(a);
	kfree_skb(b);
}

/* What a rule wrote is the next packet's to see, whatever became of this one. */
static void written_mark_stays(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 10);
	struct ft_carrier *carrier, *next;
	struct ft_birth birth;
	struct ft_flow *flow;
	struct sk_buff *skb;
	u32 index;

	KUNIT_ASSERT_EQ(test, ft_kunit_admit(tn, 1, FLOWTRACK_CLASS_ASSURED,
					     100 * HZ), FT_ADMIT_OK);
	ft_kunit_birth(tn, &birth, 1, 0, 0);
	rcu_read_lock();
	flow = ft_table_lookup(tn->table, &birth.key, birth.hash, &index);
	rcu_read_unlock();
	KUNIT_ASSERT_NOT_NULL(test, flow);

	/* Dropped: at once. */
	skb = empty_skb(test);
	carrier = give_found(tn, skb, index, IPPROTO_UDP);
	KUNIT_ASSERT_NOT_NULL(test, carrier);
	WRITE_ONCE(carrier->ct.mark, 1);
	KUNIT_EXPECT_EQ(test, flow->mark, 0);
	kfree_skb(skb);
	KUNIT_EXPECT_EQ(test, flow->mark, 1);

	/* Consumed by somebody: when its carrier is taken again. */
	skb = empty_skb(test);
	carrier = give_found(tn, skb, index, IPPROTO_UDP);
	KUNIT_ASSERT_NOT_NULL(test, carrier);
	KUNIT_EXPECT_EQ(test, carrier->ct.mark, 1);
	WRITE_ONCE(carrier->ct.mark, 2);
	consume_skb(skb);
	skb = empty_skb(test);
	next = give_found(tn, skb, index, IPPROTO_UDP);
	KUNIT_EXPECT_EQ(test, flow->mark, 2);
	KUNIT_EXPECT_EQ(test, next->ct.mark, 2);

	/* Or by the next sweep, also while nothing else comes. */
	WRITE_ONCE(next->ct.mark, 3);
	consume_skb(skb);
	msleep(100);
	KUNIT_EXPECT_EQ(test, flow->mark, 3);

	/* The flow has ended, and its object may be another's. */
	skb = empty_skb(test);
	carrier = give_found(tn, skb, index, IPPROTO_UDP);
	KUNIT_ASSERT_NOT_NULL(test, carrier);
	carrier->gen++;
	WRITE_ONCE(carrier->ct.mark, 4);
	kfree_skb(skb);
	KUNIT_EXPECT_EQ(test, flow->mark, 3);
}

/* A carrier that is used again has nothing of its last packet's. */
static void nothing_is_left_of_the_last_packet(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 10);
	struct sk_buff *skb = empty_skb(test);
	struct ft_carrier *carrier;

	carrier = give_found(tn, skb, FT_INDEX_NONE, IPPROTO_TCP);
	KUNIT_ASSERT_NOT_NULL(test, carrier);
#ifdef CONFIG_NF_CONNTRACK_SECMARK
	carrier->ct.secmark = 42;
#endif
	carrier->ct.mark = 43;
	carrier->ct.proto.tcp.state = FLOWTRACK_TCP_STATE_CLOSE;
	carrier->ct.proto.tcp.seen[1].td_end = 44;
	set_bit(IPS_ASSURED_BIT, &carrier->ct.status);
	ft_carrier_detach(skb);
	KUNIT_EXPECT_PTR_EQ(test, give_found(tn, skb, FT_INDEX_NONE,
					     IPPROTO_SCTP), carrier);
#ifdef CONFIG_NF_CONNTRACK_SECMARK
	KUNIT_EXPECT_EQ(test, carrier->ct.secmark, 0);
#endif
	KUNIT_EXPECT_EQ(test, carrier->ct.mark, 0);
	KUNIT_EXPECT_EQ(test, carrier->ct.status,
			(unsigned long)FT_CARRIER_STATUS);
	KUNIT_EXPECT_NULL(test, memchr_inv(&carrier->ct.proto, 0,
					   sizeof(carrier->ct.proto)));
	kfree_skb(skb);
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

static struct kunit_case carrier_cases[] = {
	KUNIT_CASE(carrier_says_what_the_flow_is),
	KUNIT_CASE(carrier_of_a_translated_flow),
	KUNIT_CASE(carrier_of_a_translated_flow_in_short),
	KUNIT_CASE(carrier_is_aimed_again),
	KUNIT_CASE(carrier_is_told_apart),
	KUNIT_CASE_SLOW(stale_memory_is_no_carrier),
	KUNIT_CASE(one_carrier_one_packet),
	KUNIT_CASE(last_in_is_first_out),
	KUNIT_CASE(four_are_held),
	KUNIT_CASE(hundreds_are_held),
	KUNIT_CASE(more_are_held_than_a_pool_has),
	KUNIT_CASE(pool_shrinks),
	KUNIT_CASE(carrier_outlives_its_pool),
	KUNIT_CASE(no_memory_for_a_carrier),
	KUNIT_CASE(written_mark_stays),
	KUNIT_CASE(nothing_is_left_of_the_last_packet),
	KUNIT_CASE(template_is_put),
	{}
};

static struct kunit_suite carrier_suite = {
	.name = "ft_carrier",
	.test_cases = carrier_cases,
};

kunit_test_suite(carrier_suite);
