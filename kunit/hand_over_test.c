// SPDX-License-Identifier: GPL-2.0
#include <linux/kmod.h>
#include <linux/string.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/netfilter/nf_conntrack_zones.h>
#include <net/netfilter/nf_nat.h>

#include "ft_kunit.h"
#include "track/add.h"
#include "track/carrier.h"
#include "track/family.h"
#include "track/hand_over.h"

#define OUTSIDE		FT_IP(203, 0, 113, 1)
#define SERVER		FT_IP(192, 0, 2, 1)
#define INSIDE		FT_IP(10, 0, 0, 99)
#define MARK		0x7777
#define DEVICE		17

/* Beyond half of all sequence numbers. */
#define HIGH		0xc0000000

static int load_nat(struct kunit_suite *suite)
{
	request_module("nf_nat");
	return rcu_access_pointer(nf_nat_hook) ? 0 : -ENOENT;
}

/* Number @i, whose source becomes OUTSIDE; @inside: where it goes to, if not where it meant to. */
static void describe(struct ft_net *tn, struct ft_birth *birth, u8 i, u8 state, __be32 inside)
{
	union nf_inet_addr from = { .ip = FT_IP(10, 0, 0, i) };
	union nf_inet_addr to = { .ip = SERVER };
	union nf_inet_addr ext = { .ip = OUTSIDE };
	bool assured = state == FLOWTRACK_TCP_STATE_ESTABLISHED;
	unsigned int dir;

	memset(birth, 0, sizeof(*birth));
	birth->word = ft_word_set(FT_FLOW_SNAT, state, assured ? FLOWTRACK_CLASS_ASSURED :
						       FLOWTRACK_CLASS_EMBRYONIC);
	if (assured)
		birth->word |= FT_FLOW_SEEN_REPLY | FT_FLOW_ASSURED;
	if (ft_key_set(&birth->key, NFPROTO_IPV4, IPPROTO_TCP, 0, &from, &to, htons(1000),
		       htons(80)))
		birth->word |= FT_FLOW_ORIG_HI;
	if (inside) {
		birth->word |= FT_FLOW_DNAT;
		to.ip = inside;
	}
	if (ft_key_set(&birth->answer, NFPROTO_IPV4, IPPROTO_TCP, 0, &to, &ext, htons(80),
		       htons(2000 + i)))
		birth->word |= FT_FLOW_REPLY_HI;
	birth->timeout = 60 * HZ;
	birth->mark = MARK;
	birth->masq = DEVICE;
	birth->hash = ft_key_hash(&birth->key, ft_table_secret(tn->table));
	birth->second = ft_key_hash(&birth->answer, ft_table_secret(tn->table));
	for (dir = 0; dir < IP_CT_DIR_MAX; dir++) {
		birth->proto.tcp.end[dir] = HIGH + 10;
		birth->proto.tcp.maxend[dir] = HIGH + 1000;
		birth->proto.tcp.maxwin[dir] = 1000;
		birth->proto.tcp.maxack[dir] = HIGH;
		birth->proto.tcp.scale[dir] = 7;
		birth->proto.tcp.flags[dir] = IP_CT_TCP_FLAG_MAXACK_SET |
					      IP_CT_TCP_FLAG_WINDOW_SCALE;
	}
}

static void enter(struct kunit *test, struct ft_net *tn, struct ft_birth *birth, u8 i, u8 state,
		  __be32 inside)
{
	enum ft_admission admission;

	describe(tn, birth, i, state, inside);
	rcu_read_lock();
	local_bh_disable();
	admission = ft_flow_admit(tn, birth);
	local_bh_enable();
	rcu_read_unlock();
	KUNIT_ASSERT_EQ(test, admission, FT_ADMIT_OK);
}

static bool is_ours(struct ft_net *tn, const struct ft_birth *birth)
{
	bool found;
	u32 index;

	rcu_read_lock();
	found = ft_table_lookup(tn->table, &birth->key, birth->hash, &index);
	rcu_read_unlock();
	return found;
}

static void kill_entry(void *ct)
{
	nf_ct_kill(ct);
	nf_ct_put(ct);
}

/* The entry of a flow that was; it goes with the test. NULL: there is none. */
static struct nf_conn *entry_of(struct kunit *test, const struct ft_birth *birth)
{
	struct nf_conntrack_tuple_hash *found;
	struct nf_conntrack_tuple tuple = {};
	struct nf_conn *ct;

	ft_carrier_tuple(&tuple, &birth->key, birth->word & FT_FLOW_ORIG_HI, false);
	rcu_read_lock();
	found = nf_conntrack_find_get(&init_net, &nf_ct_zone_dflt, &tuple);
	rcu_read_unlock();
	if (!found)
		return NULL;
	ct = nf_ct_tuplehash_to_ctrack(found);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, kill_entry, ct), 0);
	return ct;
}

static void hand_over(struct ft_net *tn, unsigned int families)
{
	ft_hand_over(tn, families);
	ft_hand_over_done(tn);
}

/* It is translated as it was, and so are the answers. */
static void with_its_mapping(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 10);
	const struct nf_conntrack_tuple *reply;
	struct ft_birth birth;
	struct nf_conn *ct;

	enter(test, tn, &birth, 1, FLOWTRACK_TCP_STATE_ESTABLISHED, INSIDE);
	hand_over(tn, FT_HOOKS_IPV6);
	KUNIT_EXPECT_TRUE(test, is_ours(tn, &birth));
	KUNIT_EXPECT_NULL(test, entry_of(test, &birth));

	hand_over(tn, FT_HOOKS_IPV4);
	KUNIT_EXPECT_FALSE(test, is_ours(tn, &birth));
	ct = entry_of(test, &birth);
	KUNIT_ASSERT_NOT_NULL(test, ct);
	reply = nf_ct_tuple(ct, IP_CT_DIR_REPLY);
	KUNIT_EXPECT_EQ(test, reply->src.u3.ip, INSIDE);
	KUNIT_EXPECT_EQ(test, reply->src.u.tcp.port, htons(80));
	KUNIT_EXPECT_EQ(test, reply->dst.u3.ip, OUTSIDE);
	KUNIT_EXPECT_EQ(test, reply->dst.u.tcp.port, htons(2001));
	KUNIT_EXPECT_EQ(test, ct->status,
			IPS_CONFIRMED | IPS_SEEN_REPLY | IPS_ASSURED | IPS_NAT_MASK |
			IPS_NAT_DONE_MASK);
	KUNIT_EXPECT_EQ(test, ct->mark, MARK);
	KUNIT_ASSERT_NOT_NULL(test, nfct_nat(ct));
	KUNIT_EXPECT_EQ(test, nfct_nat(ct)->masq_index, DEVICE);
	KUNIT_EXPECT_LE(test, nf_ct_expires(ct), 60 * HZ);
	KUNIT_EXPECT_GT(test, nf_ct_expires(ct), 30 * HZ);
	/* It has not ended. */
	KUNIT_EXPECT_EQ(test, ft_kunit_stat(tn, FLOWTRACK_A_STATS_DELETE), 0);
}

/* What was acknowledged is right, or not said to be. */
static void established(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 10);
	const struct ip_ct_tcp_state *seen;
	struct ft_birth birth;
	struct nf_conn *ct;
	unsigned int dir;

	enter(test, tn, &birth, 1, FLOWTRACK_TCP_STATE_ESTABLISHED, 0);
	hand_over(tn, FT_HOOKS_IPV4);
	ct = entry_of(test, &birth);
	KUNIT_ASSERT_NOT_NULL(test, ct);
	KUNIT_EXPECT_EQ(test, ct->proto.tcp.state, TCP_CONNTRACK_ESTABLISHED);
	for (dir = 0; dir < IP_CT_DIR_MAX; dir++) {
		seen = &ct->proto.tcp.seen[dir];
		/* Learned from the next packets. */
		KUNIT_EXPECT_EQ(test, seen->td_maxwin, 0);
		KUNIT_EXPECT_EQ(test, seen->td_scale, 7);
		if (seen->flags & IP_CT_TCP_FLAG_MAXACK_SET)
			KUNIT_EXPECT_EQ(test, seen->td_maxack, HIGH);
	}
}

/* Only its SYN says what the answer acknowledges. */
static void begun(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 10);
	const struct ip_ct_tcp_state *seen;
	struct ft_birth birth;
	struct nf_conn *ct;

	enter(test, tn, &birth, 1, FLOWTRACK_TCP_STATE_SYN_SENT, 0);
	hand_over(tn, FT_HOOKS_IPV4);
	ct = entry_of(test, &birth);
	KUNIT_ASSERT_NOT_NULL(test, ct);
	KUNIT_EXPECT_EQ(test, ct->proto.tcp.state, TCP_CONNTRACK_SYN_SENT);
	seen = &ct->proto.tcp.seen[IP_CT_DIR_ORIGINAL];
	KUNIT_EXPECT_EQ(test, seen->td_end, HIGH + 10);
	KUNIT_EXPECT_EQ(test, seen->td_maxend, HIGH + 1000);
	KUNIT_EXPECT_EQ(test, seen->td_maxwin, 1000);
}

/* The others stay. */
static void assured_first(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 10);
	unsigned int was = nf_conntrack_max;
	struct ft_birth birth[3];
	unsigned int i;

	for (i = 0; i < 3; i++)
		enter(test, tn, &birth[i], i, i == 1 ? FLOWTRACK_TCP_STATE_ESTABLISHED :
						   FLOWTRACK_TCP_STATE_SYN_SENT, 0);
	nf_conntrack_max = nf_conntrack_count(&init_net) + 1;
	hand_over(tn, FT_HOOKS_IPV4);
	nf_conntrack_max = was;
	for (i = 0; i < 3; i++) {
		KUNIT_EXPECT_EQ(test, is_ours(tn, &birth[i]), i != 1);
		KUNIT_EXPECT_EQ(test, !entry_of(test, &birth[i]), i != 1);
	}
}

static int add(struct ft_net *tn, struct ft_birth *birth, u8 i, u32 mapping)
{
	describe(tn, birth, i, FLOWTRACK_TCP_STATE_ESTABLISHED, 0);
	birth->word &= ~FT_FLOW_NAT | mapping;
	return ft_flow_add(tn, birth);
}

/* What came now would be left behind: of a flow that is not translated nothing is lost. */
static void adding_meanwhile(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 10);
	struct ft_birth birth;

	ft_hand_over(tn, FT_HOOKS_IPV4);
	KUNIT_EXPECT_EQ(test, add(tn, &birth, 1, FT_FLOW_SNAT), -EBUSY);
	KUNIT_EXPECT_FALSE(test, is_ours(tn, &birth));
	KUNIT_EXPECT_EQ(test, add(tn, &birth, 2, 0), 0);
	KUNIT_EXPECT_TRUE(test, is_ours(tn, &birth));
	ft_hand_over_done(tn);
	KUNIT_EXPECT_EQ(test, add(tn, &birth, 1, FT_FLOW_SNAT), 0);
	KUNIT_EXPECT_TRUE(test, is_ours(tn, &birth));
}

static void hide(void *tn)
{
	ft_net_del(tn);
}

/* Programs that publish ports delete flows with another destination, and no others. */
static void out_of_reach(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 10);
	struct ft_birth snat, dnat;
	unsigned int i;

	/* It has no hooks that may come or go. */
	tn->set.v[FLOWTRACK_A_SETTINGS_ENABLE] = FT_ENABLE_ON;
	tn->hooked = FT_HOOKS_IPV4;
	ft_net_add(tn);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, hide, tn), 0);
	enter(test, tn, &snat, 1, FLOWTRACK_TCP_STATE_ESTABLISHED, 0);
	enter(test, tn, &dnat, 2, FLOWTRACK_TCP_STATE_ESTABLISHED, INSIDE);
	for (i = FT_NAT_AUTO + 1; i <= FT_NAT_NEVER; i++) {
		tn->set.v[FLOWTRACK_A_SETTINGS_NAT] = i;
		ft_hand_over_unreachable();
		KUNIT_EXPECT_TRUE(test, is_ours(tn, &dnat));
	}
	tn->set.v[FLOWTRACK_A_SETTINGS_NAT] = FT_NAT_AUTO;
	ft_hand_over_unreachable();
	KUNIT_EXPECT_TRUE(test, is_ours(tn, &snat));
	KUNIT_EXPECT_FALSE(test, is_ours(tn, &dnat));
	KUNIT_EXPECT_NOT_NULL(test, entry_of(test, &dnat));
	tn->hooked = 0;
}

static struct kunit_case hand_over_cases[] = {
	KUNIT_CASE(with_its_mapping),
	KUNIT_CASE(established),
	KUNIT_CASE(begun),
	KUNIT_CASE(assured_first),
	KUNIT_CASE(adding_meanwhile),
	KUNIT_CASE(out_of_reach),
	{}
};

static struct kunit_suite hand_over_suite = {
	.name = "ft_hand_over",
	.suite_init = load_nat,
	.test_cases = hand_over_cases,
};

kunit_test_suite(hand_over_suite);
