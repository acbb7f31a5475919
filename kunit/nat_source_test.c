// SPDX-License-Identifier: GPL-2.0
#include <linux/delay.h>
#include <linux/rcupdate.h>
#include <linux/workqueue.h>

#include "ft_kunit.h"
#include "track/nat_source.h"

#define OUTSIDE		FT_IP(203, 0, 113, 1)

/* A translated flow to be, of client @host, to @dst; @masq: device that it is masqueraded on. */
static void translated(struct ft_net *tn, struct ft_birth *birth, u8 host, u16 port, __be32 dst,
		       u16 outside, u32 masq)
{
	union nf_inet_addr from = { .ip = FT_IP(10, 0, 0, host) };
	union nf_inet_addr ext = { .ip = OUTSIDE };
	union nf_inet_addr to = { .ip = dst };

	memset(birth, 0, sizeof(*birth));
	birth->word = FT_FLOW_SNAT;
	if (ft_key_set(&birth->key, NFPROTO_IPV4, IPPROTO_UDP, 0, &from, &to, htons(port),
		       htons(53)))
		birth->word |= FT_FLOW_ORIG_HI;
	if (ft_key_set(&birth->answer, NFPROTO_IPV4, IPPROTO_UDP, 0, &to, &ext, htons(53),
		       htons(outside)))
		birth->word |= FT_FLOW_REPLY_HI;
	birth->masq = masq;
	birth->timeout = 60 * HZ;
	birth->hash = ft_key_hash(&birth->key, ft_table_secret(tn->table));
	birth->second = ft_key_hash(&birth->answer, ft_table_secret(tn->table));
}

static void enter(struct kunit *test, struct ft_net *tn, struct ft_birth *birth)
{
	enum ft_admission admission;

	rcu_read_lock();
	local_bh_disable();
	admission = ft_flow_admit(tn, birth);
	ft_nat_source_note(tn, birth);
	local_bh_enable();
	rcu_read_unlock();
	KUNIT_ASSERT_EQ(test, admission, FT_ADMIT_OK);
	flush_work(&tn->nat_sources.work);
}

/* The port that a source has, of a flow to be; 0: nothing is known. */
static u16 had(struct ft_net *tn, struct ft_birth *birth)
{
	struct nf_conntrack_tuple reply = {};
	bool found;

	rcu_read_lock();
	local_bh_disable();
	found = ft_nat_source_find(tn, birth, &reply);
	local_bh_enable();
	rcu_read_unlock();
	return found && reply.dst.u3.ip == OUTSIDE ? ntohs(reply.dst.u.udp.port) : 0;
}

static void end(struct ft_net *tn, const struct ft_birth *birth)
{
	struct ft_flow *flow;
	u32 index;

	rcu_read_lock();
	local_bh_disable();
	flow = ft_table_lookup(tn->table, &birth->key, birth->hash, &index);
	if (flow)
		ft_flow_end(tn, flow, index, READ_ONCE(flow->gen), FLOWTRACK_REASON_DELETED);
	local_bh_enable();
	rcu_read_unlock();
}

static bool is_at(struct ft_net *tn, const struct ft_birth *birth, u32 index)
{
	u32 found = FT_INDEX_NONE;

	rcu_read_lock();
	ft_table_lookup(tn->table, &birth->key, birth->hash, &found);
	rcu_read_unlock();
	return found != FT_INDEX_NONE && found == index;
}

/* The first one is there before the memory is. Destinations sort before and behind the source. */
static void remembers(struct kunit *test)
{
	const __be32 dst[] = { FT_IP(192, 0, 2, 1), FT_IP(1, 2, 3, 4), FT_IP(192, 0, 2, 2) };
	struct ft_net *tn = ft_kunit_net(test, 100);
	struct ft_birth first, other;
	unsigned int i;

	translated(tn, &first, 1, 1000, dst[0], 3000, 0);
	KUNIT_EXPECT_EQ(test, had(tn, &first), 0);
	enter(test, tn, &first);
	KUNIT_EXPECT_TRUE(test, is_at(tn, &first, first.index));
	for (i = 0; i < ARRAY_SIZE(dst); i++) {
		translated(tn, &other, 1, 1000, dst[i], 4000, 0);
		KUNIT_EXPECT_EQ(test, had(tn, &other), 3000);
	}
	translated(tn, &other, 1, 1001, dst[1], 4000, 0);
	KUNIT_EXPECT_EQ(test, had(tn, &other), 0);
	translated(tn, &other, 2, 1000, dst[1], 4000, 0);
	KUNIT_EXPECT_EQ(test, had(tn, &other), 0);
	end(tn, &first);
	KUNIT_EXPECT_EQ(test, had(tn, &first), 0);
}

/* A source has a port for as long as one of its flows lives. */
static void any_of_them(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 100);
	struct ft_birth old, young, other;

	translated(tn, &old, 1, 1000, FT_IP(192, 0, 2, 1), 3000, 0);
	translated(tn, &young, 1, 1000, FT_IP(1, 2, 3, 4), 3000, 0);
	translated(tn, &other, 1, 1000, FT_IP(192, 0, 2, 9), 4000, 0);
	enter(test, tn, &old);
	enter(test, tn, &young);
	end(tn, &young);
	KUNIT_EXPECT_EQ(test, had(tn, &other), 3000);
	end(tn, &old);
	KUNIT_EXPECT_EQ(test, had(tn, &other), 0);
}

/* A masqueraded flow that keeps its port takes no memory. */
static void natural(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 100);
	struct ft_birth birth;

	translated(tn, &birth, 1, 1000, FT_IP(192, 0, 2, 1), 1000, 2);
	enter(test, tn, &birth);
	KUNIT_EXPECT_NULL(test, rcu_access_pointer(tn->nat_sources.lines));
	translated(tn, &birth, 2, 1000, FT_IP(192, 0, 2, 1), 1001, 2);
	enter(test, tn, &birth);
	KUNIT_EXPECT_NOT_NULL(test, rcu_access_pointer(tn->nat_sources.lines));
	KUNIT_EXPECT_EQ(test, had(tn, &birth), 1001);
}

/* Of several addresses that a rule gives, NAT would choose another one: the port is not all. */
static void unnatural(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 100);
	struct ft_birth birth;

	translated(tn, &birth, 1, 1000, FT_IP(192, 0, 2, 1), 1000, 0);
	enter(test, tn, &birth);
	KUNIT_EXPECT_EQ(test, had(tn, &birth), 1000);
}

/* A flow that is over has nothing, collected or not. */
static void expires(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 100);
	struct ft_birth birth;

	translated(tn, &birth, 1, 1000, FT_IP(192, 0, 2, 1), 3000, 0);
	birth.timeout = HZ / 4;
	enter(test, tn, &birth);
	KUNIT_EXPECT_EQ(test, had(tn, &birth), 3000);
	msleep(300);
	KUNIT_EXPECT_EQ(test, had(tn, &birth), 0);
}

/* Where a flow was, others are: they are not taken for it. */
static void is_replaced(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 32);
	struct ft_birth first, other;
	u32 index, was;
	bool there = false;
	unsigned int i;

	translated(tn, &first, 1, 1000, FT_IP(192, 0, 2, 1), 3000, 0);
	enter(test, tn, &first);
	rcu_read_lock();
	KUNIT_EXPECT_NOT_NULL(test, ft_table_lookup(tn->table, &first.key, first.hash, &was));
	rcu_read_unlock();
	end(tn, &first);
	for (i = 0; i < 32 && !there; i++) {
		/* Until then its place is not given to another one. */
		synchronize_rcu();
		translated(tn, &other, 2, 1000 + i, FT_IP(192, 0, 2, 1), 4000 + i, 2);
		enter(test, tn, &other);
		rcu_read_lock();
		there = ft_table_lookup(tn->table, &other.key, other.hash, &index) && index == was;
		rcu_read_unlock();
	}
	KUNIT_EXPECT_TRUE(test, there);
	KUNIT_EXPECT_EQ(test, had(tn, &first), 0);
}

/* As many sources as flows may be: most are remembered, none gets another one's port. */
static void overflows(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 32);
	struct ft_birth birth;
	u32 known = 0;
	u16 port, i;

	for (i = 0; i < 32; i++) {
		translated(tn, &birth, 1, 1000 + i, FT_IP(192, 0, 2, 1), 3000 + i, 0);
		enter(test, tn, &birth);
	}
	for (i = 0; i < 32; i++) {
		translated(tn, &birth, 1, 1000 + i, FT_IP(1, 2, 3, 4), 4000 + i, 0);
		port = had(tn, &birth);
		KUNIT_EXPECT_TRUE(test, !port || port == 3000 + i);
		known += !!port;
	}
	KUNIT_EXPECT_GE(test, known, 16);
}

/* How many of sources 1000 to 1000 + @n - 1 have the port that translated() gave them. */
static u32 enter_many(struct kunit *test, struct ft_net *tn, u16 first, u16 n)
{
	struct ft_birth birth;
	u32 known = 0;
	u16 i;

	for (i = first; i < n; i++) {
		translated(tn, &birth, 1, 1000 + i, FT_IP(192, 0, 2, 1), 3000 + i, 0);
		enter(test, tn, &birth);
	}
	for (i = 0; i < n; i++) {
		translated(tn, &birth, 1, 1000 + i, FT_IP(1, 2, 3, 4), 20000 + i, 0);
		known += had(tn, &birth) == 3000 + i;
	}
	return known;
}

/* The limit of flowtrack's table is raised: a flow that finds no room brings more. */
static void grows(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 1);

	tn->set.v[FLOWTRACK_A_SETTINGS_MAX_FLOWS] = 1;
	KUNIT_EXPECT_EQ(test, enter_many(test, tn, 0, 1), 1);
	tn->set.v[FLOWTRACK_A_SETTINGS_MAX_FLOWS] = 2000;
	KUNIT_EXPECT_GE(test, enter_many(test, tn, 1, 500), 450);
}

/* There was no memory a moment ago: it is not asked for again. */
static void rests(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 100);

	WRITE_ONCE(tn->nat_sources.again, jiffies + 1000 * HZ);
	KUNIT_EXPECT_EQ(test, enter_many(test, tn, 0, 5), 0);
	WRITE_ONCE(tn->nat_sources.again, jiffies);
	KUNIT_EXPECT_EQ(test, enter_many(test, tn, 5, 10), 10);
}

static struct kunit_case nat_source_cases[] = {
	KUNIT_CASE(remembers),
	KUNIT_CASE(any_of_them),
	KUNIT_CASE(natural),
	KUNIT_CASE(unnatural),
	KUNIT_CASE(expires),
	KUNIT_CASE(is_replaced),
	KUNIT_CASE(overflows),
	KUNIT_CASE(grows),
	KUNIT_CASE(rests),
	{}
};

static struct kunit_suite nat_source_suite = {
	.name = "ft_nat_source",
	.test_cases = nat_source_cases,
};

kunit_test_suite(nat_source_suite);
