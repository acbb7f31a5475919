// SPDX-License-Identifier: GPL-2.0
#include <linux/delay.h>

#include "ft_conntrack.h"
#include "ft_packet.h"
#include "guard/feed.h"
#include "guard/guard.h"
#include "guard/heavy.h"
#include "proto/conntrack.h"

#define STAT(name)	FLOWTRACK_A_STATS_##name
#define ASSURED		(IPS_SEEN_REPLY | IPS_ASSURED)

static enum ft_guard_answer make_room(struct ft_net *tn)
{
	static const struct ft_guard_newcomer anybody;

	return ft_ct_make_room(tn, &anybody);
}

/* What an entry is worth, from its state and status. */
static void words(struct kunit *test)
{
	static const struct {
		const char *name;
		u8 l4proto, state;
		unsigned long status;
		enum flowtrack_class want;
	} cases[] = {
		{ "UDP, no answer", IPPROTO_UDP, 0, 0,
		  FLOWTRACK_CLASS_EMBRYONIC },
		{ "UDP, answered", IPPROTO_UDP, 0, IPS_SEEN_REPLY,
		  FLOWTRACK_CLASS_REPLIED },
		{ "UDP, goes on", IPPROTO_UDP, 0, ASSURED,
		  FLOWTRACK_CLASS_ASSURED },
		{ "a SYN", IPPROTO_TCP, TCP_CONNTRACK_SYN_SENT, 0,
		  FLOWTRACK_CLASS_EMBRYONIC },
		{ "a SYN-ACK proves nothing", IPPROTO_TCP,
		  TCP_CONNTRACK_SYN_RECV, IPS_SEEN_REPLY,
		  FLOWTRACK_CLASS_EMBRYONIC },
		{ "established", IPPROTO_TCP, TCP_CONNTRACK_ESTABLISHED,
		  ASSURED, FLOWTRACK_CLASS_ASSURED },
		{ "picked up, not answered", IPPROTO_TCP,
		  TCP_CONNTRACK_ESTABLISHED, 0, FLOWTRACK_CLASS_EMBRYONIC },
		{ "one side has closed", IPPROTO_TCP, TCP_CONNTRACK_CLOSE_WAIT,
		  ASSURED, FLOWTRACK_CLASS_ASSURED },
		{ "both have", IPPROTO_TCP, TCP_CONNTRACK_TIME_WAIT, ASSURED,
		  FLOWTRACK_CLASS_CLOSING },
		{ "reset", IPPROTO_TCP, TCP_CONNTRACK_CLOSE, ASSURED,
		  FLOWTRACK_CLASS_CLOSING },
		{ "SCTP shut down", IPPROTO_SCTP,
		  SCTP_CONNTRACK_SHUTDOWN_ACK_SENT, ASSURED,
		  FLOWTRACK_CLASS_CLOSING },
		{ "SCTP", IPPROTO_SCTP, SCTP_CONNTRACK_ESTABLISHED, ASSURED,
		  FLOWTRACK_CLASS_ASSURED },
	};
	struct nf_conn *ct = nf_ct_tmpl_alloc(&init_net, &nf_ct_zone_dflt,
					      GFP_KERNEL);
	unsigned int i;
	u16 padto;
	u32 word;

	KUNIT_ASSERT_NOT_NULL(test, ct);
	padto = ct->proto.tmpl_padto;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		ct->tuplehash[0].tuple.dst.protonum = cases[i].l4proto;
		ct->status = cases[i].status;
		if (cases[i].l4proto == IPPROTO_TCP)
			ct->proto.tcp.state = cases[i].state;
		else
			ct->proto.sctp.state = cases[i].state;
		word = ft_proto_conntrack_word(ct);
		KUNIT_EXPECT_EQ_MSG(test, ft_word_class(word), cases[i].want,
				    "%s", cases[i].name);
		KUNIT_EXPECT_EQ_MSG(test, !!(word & FT_FLOW_SEEN_REPLY),
				    !!(cases[i].status & IPS_SEEN_REPLY), "%s",
				    cases[i].name);
		if (cases[i].l4proto != IPPROTO_UDP)
			KUNIT_EXPECT_EQ_MSG(test, ft_word_state(word),
					    cases[i].state, "%s",
					    cases[i].name);
	}
	ct->proto.tmpl_padto = padto;
	nf_ct_tmpl_free(ct);
}

/* Whatever ends an entry, its shadow goes with the next look. */
static void forgets(struct kunit *test)
{
	struct ft_net *tn = ft_ct_guard_net(test);
	struct nf_conn *ct[4];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ct); i++) {
		ct[i] = ft_ct_udp(test, i, ASSURED, 60 * HZ);
		ft_ct_feed(tn, ct[i]);
		ft_ct_feed(tn, ct[i]);
	}
	KUNIT_EXPECT_EQ(test, ft_shadow_count(&tn->guard.shadows), 4);
	ft_ct_sweep(tn);
	KUNIT_EXPECT_EQ(test, ft_shadow_count(&tn->guard.shadows), 4);

	/* Deleted, and so fed no more. */
	nf_ct_delete(ct[0], 0, 0);
	ft_ct_feed(tn, ct[0]);
	ft_ct_drop(test, ct[0]);
	ft_ct_sweep(tn);
	KUNIT_EXPECT_EQ(test, ft_shadow_count(&tn->guard.shadows), 3);
	ft_ct_feed(tn, ct[1]);
	/* Timed out: nobody has collected it yet. */
	WRITE_ONCE(ct[1]->timeout, nfct_time_stamp - 1);
	ft_ct_feed(tn, ct[1]);
	ft_ct_drop(test, ct[1]);
	KUNIT_EXPECT_FALSE(test, ft_ct_has(1));
	ft_ct_sweep(tn);
	KUNIT_EXPECT_EQ(test, ft_shadow_count(&tn->guard.shadows), 2);
	KUNIT_EXPECT_EQ(test, nf_conntrack_count(&init_net), 2);

	for (i = 2; i < ARRAY_SIZE(ct); i++)
		ft_ct_drop(test, ct[i]);
	ft_ct_end_all();
	ft_ct_sweep(tn);
	KUNIT_EXPECT_EQ(test, ft_shadow_count(&tn->guard.shadows), 0);
	KUNIT_EXPECT_EQ(test, ft_kunit_stat(tn, STAT(GUARD_FORGOT)), 4);
}

/* A packet that has nothing new to tell need not look for the shadow. */
static void noted(struct kunit *test)
{
	struct ft_net *tn = ft_ct_guard_net(test);
	struct nf_conn *ct = ft_ct_udp(test, 1, 0, 60 * HZ);
	unsigned long status = ct->status;

	KUNIT_EXPECT_FALSE(test, ft_guard_fed(ct));
	/* While there is room nothing is known, and so nothing noted. */
	tn->guard.calm_max = nf_conntrack_max;
	ft_ct_feed(tn, ct);
	KUNIT_EXPECT_EQ(test, ct->status, status);
	tn->guard.calm_max = FT_GUARD_AWAKE;
	ft_ct_feed(tn, ct);
	KUNIT_EXPECT_TRUE(test, ft_guard_fed(ct));
	KUNIT_EXPECT_EQ(test, (u32)ct->status, (u32)status);

	/* It is answered, and goes on: each of that is news, once. */
	set_bit(IPS_SEEN_REPLY_BIT, &ct->status);
	KUNIT_EXPECT_FALSE(test, ft_guard_fed(ct));
	ft_ct_feed(tn, ct);
	KUNIT_EXPECT_TRUE(test, ft_guard_fed(ct));
	set_bit(IPS_ASSURED_BIT, &ct->status);
	KUNIT_EXPECT_FALSE(test, ft_guard_fed(ct));
	ft_ct_feed(tn, ct);
	KUNIT_EXPECT_TRUE(test, ft_guard_fed(ct));
	KUNIT_EXPECT_EQ(test, (u32)ct->status, (u32)status | ASSURED);

	/* And after a while that it still does. */
	msleep(1200);
	KUNIT_EXPECT_FALSE(test, ft_guard_fed(ct));
	ft_ct_feed(tn, ct);
	KUNIT_EXPECT_TRUE(test, ft_guard_fed(ct));
	ft_ct_drop(test, ct);
}

/* States of one class have other timeouts. */
static void noted_state(struct kunit *test)
{
	static const u8 states[] = {
		TCP_CONNTRACK_ESTABLISHED, TCP_CONNTRACK_FIN_WAIT, TCP_CONNTRACK_CLOSE_WAIT,
		TCP_CONNTRACK_LAST_ACK, TCP_CONNTRACK_TIME_WAIT, TCP_CONNTRACK_CLOSE,
	};
	struct nf_conntrack_tuple orig, reply;
	struct ft_net *tn = ft_ct_guard_net(test);
	struct nf_conn *ct;
	unsigned int i;

	ft_ct_tuple(&orig, 1);
	orig.dst.protonum = IPPROTO_TCP;
	nf_ct_invert_tuple(&reply, &orig);
	ct = ft_ct_entry(test, &orig, &reply, ASSURED, 60 * HZ);
	for (i = 0; i < ARRAY_SIZE(states); i++) {
		ct->proto.tcp.state = states[i];
		KUNIT_EXPECT_FALSE_MSG(test, ft_guard_fed(ct), "state %u", states[i]);
		ft_ct_feed(tn, ct);
		KUNIT_EXPECT_TRUE_MSG(test, ft_guard_fed(ct), "state %u", states[i]);
	}
	ft_ct_drop(test, ct);
}

/* An entry that came before us hides nothing. */
static void others(struct kunit *test)
{
	struct ft_net *tn = ft_ct_guard_net(test);
	struct nf_conn *ct[6];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ct); i++) {
		ct[i] = ft_ct_udp(test, i, ASSURED, 60 * HZ);
		if (i >= 3)
			ft_ct_feed(tn, ct[i]);
	}
	ft_ct_sweep(tn);
	KUNIT_EXPECT_EQ(test, ft_shadow_count(&tn->guard.shadows), 3);
	KUNIT_EXPECT_EQ(test, tn->guard.others, 3);
	nf_ct_delete(ct[3], 0, 0);
	ft_ct_drop(test, ct[3]);
	ft_ct_sweep(tn);
	KUNIT_EXPECT_EQ(test, ft_shadow_count(&tn->guard.shadows), 2);
	/* Its next packet makes it known. */
	ft_ct_feed(tn, ct[0]);
	ft_ct_sweep(tn);
	KUNIT_EXPECT_EQ(test, ft_shadow_count(&tn->guard.shadows), 3);
	KUNIT_EXPECT_EQ(test, tn->guard.others, 2);
}

/* The least valuable goes, and those that are worth more stay. */
static void makes_room(struct kunit *test)
{
	struct ft_net *tn = ft_ct_guard_net(test);
	u32 cpus = num_online_cpus(), i;
	struct nf_conn *ct;

	/* The entry that ends first is made first: then idle for longest, too, if a tick comes. */
	for (i = 10; i-- > 0;) {
		ct = ft_ct_udp(test, i, i < 7 ? ASSURED : 0, (60 - i) * HZ);
		ft_ct_feed(tn, ct);
		ft_ct_drop(test, ct);
	}
	nf_conntrack_max = 10;
	/* 7, 8 and 9 have not been answered; 9 ends first. */
	for (i = 9; i > 6; i--) {
		KUNIT_EXPECT_EQ(test, make_room(tn), FT_GUARD_GO);
		KUNIT_EXPECT_FALSE_MSG(test, ft_ct_has(i), "%u", i);
		KUNIT_EXPECT_EQ(test, nf_conntrack_count(&init_net), i);
		KUNIT_EXPECT_EQ(test, ft_shadow_count(&tn->guard.shadows), i);
		nf_conntrack_max = i + cpus - 1;
	}
	KUNIT_EXPECT_EQ(test,
			ft_kunit_stat(tn, STAT(GUARD_EVICT_EMBRYONIC)), 3);
	/* Of the rest no flow may be evicted. */
	KUNIT_EXPECT_EQ(test, make_room(tn), FT_GUARD_DROP);
	tn->set.v[FLOWTRACK_A_SETTINGS_FULL_FALLBACK] = FLOWTRACK_POLICY_PASS;
	KUNIT_EXPECT_EQ(test, make_room(tn), FT_GUARD_PASS);
	KUNIT_EXPECT_EQ(test, nf_conntrack_count(&init_net), 7);
	KUNIT_EXPECT_EQ(test, ft_kunit_stat(tn, STAT(GUARD_FULL)), 5);
	KUNIT_EXPECT_EQ(test, ft_kunit_stat(tn, STAT(GUARD_DROP)), 1);
	KUNIT_EXPECT_EQ(test, ft_kunit_stat(tn, STAT(GUARD_PASS)), 1);
	ft_ct_end_all();
}

/* However small the table, and many the CPUs: an empty one has room, a full one has none. */
static void kept_free(struct kunit *test)
{
	u32 max, cpus, reserved, kept;

	for (max = 1; max <= 40; max++) {
		for (cpus = 1; cpus <= 40; cpus++) {
			for (reserved = 0; reserved <= 50; reserved += 5) {
				kept = ft_guard_kept(max, cpus, reserved);
				KUNIT_ASSERT_LE_MSG(test, kept, max, "%u CPUs, %u reserved",
						    cpus, reserved);
				KUNIT_ASSERT_GE(test, kept, 1);
			}
			if (max >= 2 * cpus)
				KUNIT_ASSERT_EQ(test, ft_guard_kept(max, cpus, 0), cpus);
		}
	}
	KUNIT_EXPECT_EQ(test, ft_guard_kept(262144, 256, 1000), 1256);
}

/* Shadows are hints: what the entry says now decides. */
static void looks_again(struct kunit *test)
{
	struct ft_net *tn = ft_ct_guard_net(test);
	struct nf_conn *ct[4];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ct); i++) {
		ct[i] = ft_ct_udp(test, i, 0, (10 + i) * HZ);
		ft_ct_feed(tn, ct[i]);
	}
	nf_conntrack_max = ARRAY_SIZE(ct);
	/* Became valuable without a packet; offloaded; its packet is queued. */
	ct[0]->status |= ASSURED;
	ct[1]->status |= IPS_OFFLOAD;
	nf_conntrack_get(&ct[2]->ct_general);
	ft_ct_drop(test, ct[0]);
	ft_ct_drop(test, ct[1]);
	ft_ct_drop(test, ct[3]);
	KUNIT_EXPECT_EQ(test, make_room(tn), FT_GUARD_GO);
	KUNIT_EXPECT_TRUE(test, ft_ct_has(0));
	KUNIT_EXPECT_TRUE(test, ft_ct_has(1));
	KUNIT_EXPECT_TRUE(test, ft_ct_has(2));
	KUNIT_EXPECT_FALSE(test, ft_ct_has(3));
	nf_ct_put(ct[2]);
	ft_ct_drop(test, ct[2]);
	ft_ct_end_all();
}

/* A place that a gone entry left is found, whatever ended the entry. */
static void gone_already(struct kunit *test)
{
	struct ft_net *tn = ft_ct_guard_net(test);
	struct nf_conn *ct[2];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ct); i++) {
		ct[i] = ft_ct_udp(test, i, ASSURED, 10 * HZ);
		ft_ct_feed(tn, ct[i]);
	}
	nf_conntrack_max = ARRAY_SIZE(ct);
	WRITE_ONCE(ct[1]->timeout, nfct_time_stamp - 1);
	ft_ct_feed(tn, ct[1]);
	ft_ct_drop(test, ct[0]);
	ft_ct_drop(test, ct[1]);
	KUNIT_EXPECT_EQ(test, make_room(tn), FT_GUARD_GO);
	KUNIT_EXPECT_TRUE(test, ft_ct_has(0));
	KUNIT_EXPECT_EQ(test, nf_conntrack_count(&init_net), 1);
	KUNIT_EXPECT_EQ(test, ft_kunit_stat(tn, STAT(GUARD_FORGOT)), 1);
	ft_ct_end_all();
}

/* The last places are for those with the mark; others take one for one. */
static void reserved(struct kunit *test)
{
	const struct ft_guard_newcomer admin = { .reserved = true };
	struct ft_net *tn = ft_ct_guard_net(test);
	u32 cpus = num_online_cpus(), i;
	struct nf_conn *ct;

	tn->set.v[FLOWTRACK_A_SETTINGS_RESERVED] = 3;
	for (i = 0; i < 10; i++) {
		ct = ft_ct_udp(test, i, i < 8 ? ASSURED : 0, 60 * HZ);
		ft_ct_feed(tn, ct);
		ft_ct_drop(test, ct);
	}
	/* Two of the three reserved places are in use. */
	nf_conntrack_max = 11 + cpus - 1;
	KUNIT_EXPECT_EQ(test, make_room(tn), FT_GUARD_GO);
	KUNIT_EXPECT_EQ(test, nf_conntrack_count(&init_net), 9);
	KUNIT_EXPECT_EQ(test, ft_ct_make_room(tn, &admin), FT_GUARD_GO);
	KUNIT_EXPECT_EQ(test, nf_conntrack_count(&init_net), 9);
	KUNIT_EXPECT_EQ(test, ft_kunit_stat(tn, STAT(RESERVED)), 1);
	/* Where others are refused it gets one, as long as there are some. */
	tn->set.v[FLOWTRACK_A_SETTINGS_FULL_POLICY] = FLOWTRACK_POLICY_DROP;
	KUNIT_EXPECT_EQ(test, make_room(tn), FT_GUARD_DROP);
	KUNIT_EXPECT_EQ(test, ft_ct_make_room(tn, &admin), FT_GUARD_GO);
	nf_conntrack_max = 9 + cpus - 1;
	KUNIT_EXPECT_EQ(test, ft_ct_make_room(tn, &admin), FT_GUARD_DROP);
	KUNIT_EXPECT_EQ(test, ft_kunit_stat(tn, STAT(RESERVED)), 2);
	ft_ct_end_all();
}

/* When is a newcomer asked for its worth? */
static void opens(struct kunit *test)
{
	static const struct {
		const char *name;
		u32 free, reserved, mark;
		bool known, off, want, want_reserved;
	} cases[] = {
		{ "room", 1, 0, 0, false, false, true },
		{ "none", 0, 0, 0, false, false, false },
		{ "none, but it is known", 0, 0, 0, true, false, true },
		{ "none, and not guarded", 0, 0, 0, false, true, true },
		{ "what is left is reserved", 2, 2, 0, false, false, false },
		{ "one more", 3, 2, 0, false, false, true },
		{ "with the mark", 2, 2, 7, false, false, false, true },
		{ "half of the table at most", 12, 1000, 0, false, false,
		  true },
		{ "which it is", 8, 1000, 0, false, false, false },
	};
	struct ft_net *tn = ft_ct_guard_net(test);
	struct ft_guard_newcomer newcomer;
	unsigned int i, entries = 10;
	struct ft_packet p;
	struct sk_buff *skb;
	bool open;

	for (i = 0; i < entries; i++)
		ft_ct_udp(test, i, ASSURED, 60 * HZ);
	tn->set.v[FLOWTRACK_A_SETTINGS_RESERVED_MARK] = 7;
	tn->set.v[FLOWTRACK_A_SETTINGS_RESERVED_MASK] = 0xff;
	ft_start(&p, NFPROTO_IPV4, 77, 1, IPPROTO_UDP);
	ft_put_udp(&p, 1000, 53, 10);
	ft_end_ip(&p);
	skb = ft_skb(test, &p, p.len, FT_SHAPE_LINEAR);
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		nf_conntrack_max = entries + num_online_cpus() - 1 +
				   cases[i].free;
		tn->set.v[FLOWTRACK_A_SETTINGS_RESERVED] = cases[i].reserved;
		tn->set.v[FLOWTRACK_A_SETTINGS_GUARD] = !cases[i].off;
		skb->mark = cases[i].mark;
		ip_hdr(skb)->saddr = FT_IP4(77);
		if (cases[i].known)
			ip_hdr(skb)->saddr = htonl(0x0a000003);
		newcomer.reserved = false;
		rcu_read_lock();
		open = ft_guard_open(tn, skb, NFPROTO_IPV4, &nf_ct_zone_dflt,
				     &newcomer);
		rcu_read_unlock();
		KUNIT_EXPECT_EQ_MSG(test, open, cases[i].want, "%s",
				    cases[i].name);
		KUNIT_EXPECT_EQ_MSG(test, newcomer.reserved,
				    cases[i].want_reserved, "%s",
				    cases[i].name);
	}
	kfree_skb(skb);
}

/* As if the packet of a flow that its shadow knows had come @ago jiffies before. */
static void known_since(struct ft_net *tn, struct nf_conn *ct, u32 ago)
{
	struct ft_shadow_key key;
	struct ft_shadow *shadow;

	ft_shadow_key_set(&key, nf_ct_tuple(ct, IP_CT_DIR_ORIGINAL),
			  nf_ct_zone(ct));
	rcu_read_lock();
	shadow = ft_shadow_find(&tn->guard.shadows, &key);
	shadow->word = (shadow->word & ~FT_SHADOW_SEEN) |
		       ((ft_now() - ago) & FT_SHADOW_SEEN);
	rcu_read_unlock();
}

/* As if the last packet of a flow had come @ago jiffies before. */
static void age(struct ft_net *tn, struct nf_conn *ct, u32 ago)
{
	known_since(tn, ct, ago + FT_SHADOW_STEP + 32);
}

/* Flows in use: so many that a sample has half of them. */
static void in_use(struct kunit *test, struct ft_net *tn)
{
	struct nf_conn *ct;
	u32 i;

	for (i = 0; i < 64; i++) {
		ct = ft_ct_udp(test, i, ASSURED, 500 * HZ);
		ft_ct_feed(tn, ct);
		ft_ct_drop(test, ct);
	}
}

/* How often of @tries is one flow, idle for @ago, found among in_use()? */
static u32 found_among(struct kunit *test, struct ft_net *tn, u32 tries,
		       unsigned long status, u32 ago, bool hopeless)
{
	struct nf_conn *ct;
	u32 i, found = 0;

	for (i = 0; i < tries; i++) {
		ct = ft_ct_udp(test, 1000 + i, status, 500 * HZ);
		ft_ct_feed(tn, ct);
		age(tn, ct, ago);
		ft_ct_drop(test, ct);
		atomic_set(&tn->guard.loan.lent, 0);
		nf_conntrack_max = nf_conntrack_count(&init_net);
		tn->guard.hopeless = ft_now() - !hopeless;
		if (make_room(tn) == FT_GUARD_GO) {
			found++;
			continue;
		}
		KUNIT_EXPECT_LE(test, ft_now() - tn->guard.hopeless, HZ);
		ft_ct_delete(1000 + i);
		ft_ct_sweep(tn);
	}
	return found;
}

/* While searches are in vain, a flood must not make each packet search. */
static void hopeless(struct kunit *test)
{
	struct ft_net *tn = ft_ct_guard_net(test);
	u32 found;

	in_use(test, tn);
	/* 7 in 8 with three samples, and half with one. */
	found = found_among(test, tn, 300, 0, 5 * HZ, false);
	KUNIT_EXPECT_GE(test, found, 225);
	found = found_among(test, tn, 300, 0, 5 * HZ, true);
	KUNIT_EXPECT_LE(test, found, 205);
	KUNIT_EXPECT_GE(test, found, 95);
	ft_ct_end_all();
}

/* An answered entry goes, too, whichever of the samples had it. */
static void spare(struct kunit *test)
{
	struct ft_net *tn = ft_ct_guard_net(test);

	in_use(test, tn);
	/* By the last sample alone it was half of them. */
	KUNIT_EXPECT_GE(test,
			found_among(test, tn, 300, ASSURED, 62 * HZ, false),
			215);
	ft_ct_end_all();
}

/* Nor is a search given up that has found somebody. */
static void spare_hopeless(struct kunit *test)
{
	struct ft_net *tn = ft_ct_guard_net(test);

	in_use(test, tn);
	/* Half are in the first sample; a quarter in the second one as well. */
	KUNIT_EXPECT_GE(test,
			found_among(test, tn, 300, ASSURED, 62 * HZ, true),
			105);
	ft_ct_end_all();
}

/* A flood turns the table over within a second: the older entry goes first even so. */
static void young(struct kunit *test)
{
	struct ft_net *tn = ft_ct_guard_net(test);
	struct nf_conn *ct;
	u32 i;

	/* So many that a sample has them all. */
	for (i = 0; i < 30; i++) {
		ct = ft_ct_udp(test, i, 0, 500 * HZ);
		ft_ct_feed(tn, ct);
		known_since(tn, ct, i == 17 ? 0 : 64 + i);
		ft_ct_drop(test, ct);
	}
	for (i = 29; i; i--) {
		nf_conntrack_max = i + num_online_cpus();
		KUNIT_EXPECT_EQ(test, make_room(tn), FT_GUARD_GO);
		KUNIT_EXPECT_EQ(test, nf_conntrack_count(&init_net), i);
		KUNIT_EXPECT_TRUE_MSG(test, ft_ct_has(17), "%u left", i);
	}
	ft_ct_end_all();
}

/* Idle for a minute: they go before a newcomer is refused, up to a limit. */
static void idle(struct kunit *test)
{
	struct ft_net *tn = ft_ct_guard_net(test);
	u32 cpus = num_online_cpus(), i;
	struct nf_conn *ct;

	/* So many that a sample has them all. */
	for (i = 0; i < 30; i++) {
		ct = ft_ct_udp(test, i, i < 20 ? ASSURED : IPS_SEEN_REPLY,
			       500 * HZ);
		ft_ct_feed(tn, ct);
		age(tn, ct, i < 20 ? 58 * HZ : 8 * HZ);
		if (i == 7 || i == 23)
			age(tn, ct, i == 7 ? 62 * HZ : 12 * HZ);
		ft_ct_drop(test, ct);
	}
	/* Longer than the floor of its class; what had one answer goes first. */
	tn->set.v[FLOWTRACK_A_SETTINGS_ADAPTIVE_START] = 0;
	nf_conntrack_max = 30;
	KUNIT_EXPECT_EQ(test, make_room(tn), FT_GUARD_DROP);
	tn->set.v[FLOWTRACK_A_SETTINGS_ADAPTIVE_START] = 60;
	KUNIT_EXPECT_EQ(test, make_room(tn), FT_GUARD_GO);
	KUNIT_EXPECT_FALSE(test, ft_ct_has(23));
	nf_conntrack_max = 29 + cpus - 1;
	/* It had the place of one that was idle. */
	KUNIT_EXPECT_EQ(test, atomic_read(&tn->guard.loan.lent), 1);
	tn->guard.loan.limit = 1;
	KUNIT_EXPECT_EQ(test, make_room(tn), FT_GUARD_DROP);
	tn->guard.loan.limit = 2;
	KUNIT_EXPECT_EQ(test, make_room(tn), FT_GUARD_GO);
	KUNIT_EXPECT_FALSE(test, ft_ct_has(7));
	KUNIT_EXPECT_EQ(test, atomic_read(&tn->guard.loan.lent), 2);
	/* The others are in use. */
	nf_conntrack_max = 28 + cpus - 1;
	tn->guard.loan.limit = 10;
	KUNIT_EXPECT_EQ(test, make_room(tn), FT_GUARD_DROP);
	KUNIT_EXPECT_EQ(test, nf_conntrack_count(&init_net), 28);
	KUNIT_EXPECT_EQ(test, ft_kunit_stat(tn, STAT(GUARD_EVICT_REPLIED)), 1);
	KUNIT_EXPECT_EQ(test, ft_kunit_stat(tn, STAT(GUARD_EVICT_ASSURED)), 1);
	/* One that had a packet which we have not seen is not idle. */
	nf_conntrack_max = 1000;
	ct = ft_ct_udp(test, 50, ASSURED, 500 * HZ);
	ft_ct_feed(tn, ct);
	age(tn, ct, 100 * HZ);
	ct->timeout += 100 * HZ;
	nf_conntrack_max = 29 + cpus - 1;
	ft_ct_drop(test, ct);
	KUNIT_EXPECT_EQ(test, make_room(tn), FT_GUARD_DROP);
	KUNIT_EXPECT_TRUE(test, ft_ct_has(50));
	ft_ct_end_all();
}

/* An entry of a source: its flow number @i. */
static struct nf_conn *flow_of(struct kunit *test, struct ft_net *tn, __be32 who,
			       u32 i, unsigned long status)
{
	struct nf_conntrack_tuple orig, reply;
	struct nf_conn *ct;

	ft_ct_tuple(&orig, 0);
	orig.src.u3.ip = who;
	orig.src.u.udp.port = htons(1000 + i);
	nf_ct_invert_tuple(&reply, &orig);
	ct = ft_ct_entry(test, &orig, &reply, status, 500 * HZ);
	ft_ct_feed(tn, ct);
	age(tn, ct, 2 * HZ);
	ft_ct_drop(test, ct);
	return ct;
}

static bool is_heavy(struct ft_net *tn, __be32 who)
{
	struct ft_source source = { .addr = { who }, .family = NFPROTO_IPV4 };
	bool heavy;

	rcu_read_lock();
	heavy = ft_guard_is_heavy(tn, &source);
	rcu_read_unlock();
	return heavy;
}

/* A source that holds too much gives, though it is in use; others do not. */
static void heavy(struct kunit *test)
{
	const struct ft_guard_newcomer somebody = {
		.source = { .addr = { FT_IP(192, 0, 2, 99) },
			    .family = NFPROTO_IPV4 },
	};
	const __be32 greedy = FT_IP(10, 1, 1, 1);
	struct ft_guard_newcomer greedy_one = { .source.family = NFPROTO_IPV4 };
	struct ft_net *tn = ft_ct_guard_net(test);
	u32 cpus = num_online_cpus(), i;

	greedy_one.source.addr[0] = greedy;
	for (i = 0; i < 60; i++)
		flow_of(test, tn, greedy, i, ASSURED);
	for (i = 0; i < 40; i++)
		flow_of(test, tn, htonl(0x0a020000 + i), 0, ASSURED);
	nf_conntrack_max = 200;
	ft_ct_sweep(tn);
	KUNIT_EXPECT_FALSE_MSG(test, is_heavy(tn, greedy), "there is room");
	nf_conntrack_max = 100 + cpus - 1;
	ft_ct_sweep(tn);
	KUNIT_EXPECT_TRUE(test, is_heavy(tn, greedy));
	KUNIT_EXPECT_FALSE(test, is_heavy(tn, htonl(0x0a020000)));
	/* Of a prefix that is the greedy source's, too. */
	tn->set.v[FLOWTRACK_A_SETTINGS_SRC_PREFIX4] = 24;
	ft_ct_sweep(tn);
	KUNIT_EXPECT_TRUE(test, is_heavy(tn, greedy ^ htonl(1)));
	tn->set.v[FLOWTRACK_A_SETTINGS_SRC_PREFIX4] = 32;
	ft_ct_sweep(tn);

	tn->guard.loan.limit = 5;
	for (i = 0; i < 15; i++) {
		/* Others up to the limit; the greedy source always. */
		if (i == 5)
			KUNIT_EXPECT_EQ(test, ft_ct_make_room(tn, &somebody),
					FT_GUARD_DROP);
		KUNIT_EXPECT_EQ(test, ft_ct_make_room(tn, i < 5 ? &somebody :
							      &greedy_one),
				FT_GUARD_GO);
		nf_conntrack_max--;
	}
	KUNIT_EXPECT_EQ(test, nf_conntrack_count(&init_net), 85);
	KUNIT_EXPECT_EQ(test, atomic_read(&tn->guard.loan.lent), 5);
	for (i = 0; i < 40; i++) {
		struct nf_conntrack_tuple_hash *found;
		struct nf_conntrack_tuple tuple;

		ft_ct_tuple(&tuple, 0);
		tuple.src.u3.ip = htonl(0x0a020000 + i);
		found = nf_conntrack_find_get(&init_net, &nf_ct_zone_dflt,
					      &tuple);
		KUNIT_ASSERT_NOT_NULL_MSG(test, found, "%u", i);
		nf_ct_put(nf_ct_tuplehash_to_ctrack(found));
	}
	/* With room again the greedy source is like all others. */
	nf_conntrack_max = 1000;
	ft_ct_sweep(tn);
	ft_ct_sweep(tn);
	KUNIT_EXPECT_FALSE(test, is_heavy(tn, greedy));
	KUNIT_EXPECT_TRUE(test, ft_loan_open(&tn->guard.loan));
	ft_ct_end_all();
}

/* Unanswered flows that hold their share take nothing more of answered ones. */
static void loan(struct kunit *test)
{
	struct ft_net *tn = ft_ct_guard_net(test);
	struct nf_conn *ct;
	u32 i;

	nf_conntrack_max = 800;
	for (i = 0; i < 760; i++) {
		ct = ft_ct_udp(test, i, i % 19 ? ASSURED : 0, 500 * HZ);
		ft_ct_feed(tn, ct);
		ft_ct_drop(test, ct);
	}
	ft_ct_sweep(tn);
	/* An eighth of 800, of which 40 are there. */
	KUNIT_EXPECT_EQ(test, tn->guard.loan.limit, 60);
	/* A handshake that is completed pays back, an answer to UDP does not. */
	atomic_set(&tn->guard.loan.lent, 2);
	ct = ft_ct_udp(test, 1000, 0, 500 * HZ);
	ft_ct_feed(tn, ct);
	ct->status |= IPS_SEEN_REPLY;
	ft_ct_feed(tn, ct);
	KUNIT_EXPECT_EQ(test, atomic_read(&tn->guard.loan.lent), 2);
	ct->status &= ~IPS_SEEN_REPLY;
	ft_ct_feed(tn, ct);
	ct->status |= ASSURED;
	ft_ct_feed(tn, ct);
	ft_ct_feed(tn, ct);
	KUNIT_EXPECT_EQ(test, atomic_read(&tn->guard.loan.lent), 1);
	ft_ct_drop(test, ct);
	ft_ct_end_all();
}

static void switched_off(struct kunit *test)
{
	struct ft_net *tn = ft_ct_guard_net(test);
	struct nf_conn *ct = ft_ct_udp(test, 0, 0, 10 * HZ);
	struct nf_conn *other = ft_ct_udp(test, 1, 0, 10 * HZ);
	struct nf_conn *third = ft_ct_udp(test, 2, 0, 10 * HZ);

	tn->set.v[FLOWTRACK_A_SETTINGS_GUARD] = 0;
	ft_ct_feed(tn, ct);
	KUNIT_EXPECT_EQ(test, ft_shadow_count(&tn->guard.shadows), 0);
	tn->set.v[FLOWTRACK_A_SETTINGS_GUARD] = 1;
	/* No more shadows than there can be entries, or are, if the limit was lowered. */
	nf_conntrack_max = 1;
	ft_ct_feed(tn, ct);
	ft_ct_feed(tn, other);
	KUNIT_EXPECT_EQ(test, ft_shadow_count(&tn->guard.shadows), 2);
	ft_ct_drop(test, other);
	nf_ct_delete(other, 0, 0);
	ft_ct_feed(tn, third);
	KUNIT_EXPECT_EQ(test, ft_shadow_count(&tn->guard.shadows), 2);
}

static struct kunit_case guard_cases[] = {
	KUNIT_CASE(words),
	KUNIT_CASE(forgets),
	KUNIT_CASE(noted),
	KUNIT_CASE(noted_state),
	KUNIT_CASE(others),
	KUNIT_CASE(makes_room),
	KUNIT_CASE(kept_free),
	KUNIT_CASE(looks_again),
	KUNIT_CASE(gone_already),
	KUNIT_CASE(reserved),
	KUNIT_CASE(opens),
	KUNIT_CASE(hopeless),
	KUNIT_CASE(spare),
	KUNIT_CASE(spare_hopeless),
	KUNIT_CASE(young),
	KUNIT_CASE(idle),
	KUNIT_CASE(heavy),
	KUNIT_CASE(loan),
	KUNIT_CASE(switched_off),
	{}
};

static struct kunit_suite guard_suite = {
	.name = "ft_guard",
	.init = ft_ct_init,
	.test_cases = guard_cases,
};

kunit_test_suite(guard_suite);
