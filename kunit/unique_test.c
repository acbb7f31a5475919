// SPDX-License-Identifier: GPL-2.0
#include <linux/bitmap.h>
#include <linux/random.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/netfilter/nf_conntrack_zones.h>

#include "ft_kunit.h"
#include "track/unique.h"

#define RUNS	2000
#define TUPLES	4096

static const u8 protocols[] = {
	IPPROTO_TCP, IPPROTO_UDP, IPPROTO_UDPLITE, IPPROTO_SCTP, IPPROTO_ICMP, IPPROTO_ESP,
};

static spinlock_t *lock_of(const struct ft_key *key)
{
	spinlock_t *lock; /* of the tuple */

	local_bh_disable();
	lock = ft_unique_lock(key);
	ft_unique_unlock(lock);
	local_bh_enable();
	return lock;
}

/* Few addresses and ports: ends are equal now and then. */
static void random_end(union nf_inet_addr *addr, u8 family)
{
	memset(addr, 0, sizeof(*addr));
	if (family == NFPROTO_IPV4)
		addr->ip = FT_IP(10, 0, 0, get_random_u32_below(4));
	else
		addr->in6 = (struct in6_addr){ .s6_addr32 = {
			htonl(0x20010db8), 0, 0, htonl(get_random_u32_below(4)) } };
}

/* A flow, and one to answer to: half of them are translated. */
static void random_tuples(struct nf_conntrack_tuple *orig, struct nf_conntrack_tuple *reply)
{
	u8 family = get_random_u32_below(2) ? NFPROTO_IPV4 : NFPROTO_IPV6;
	u8 l4proto = protocols[get_random_u32_below(ARRAY_SIZE(protocols))];
	bool icmp = l4proto == IPPROTO_ICMP;

	memset(orig, 0, sizeof(*orig));
	random_end(&orig->src.u3, family);
	random_end(&orig->dst.u3, family);
	orig->src.l3num = family;
	orig->dst.protonum = icmp && family == NFPROTO_IPV6 ? IPPROTO_ICMPV6 : l4proto;
	if (icmp) {
		orig->src.u.icmp.id = htons(get_random_u32_below(4));
		orig->dst.u.icmp.type = family == NFPROTO_IPV4 ? ICMP_ECHO : ICMPV6_ECHO_REQUEST;
	} else if (ft_l4_has_ports(l4proto)) {
		orig->src.u.all = htons(1000 + get_random_u32_below(4));
		orig->dst.u.all = htons(1000 + get_random_u32_below(4));
	}
	nf_ct_invert_tuple(reply, orig);
	if (!get_random_u32_below(2))
		return;
	random_end(&reply->dst.u3, family);
	if (ft_l4_has_ports(l4proto))
		reply->dst.u.all = htons(1000 + get_random_u32_below(4));
}

/* A flow has the same locks, entered with keys or with nf_conntrack's tuples. */
static void same_locks(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 100);
	struct nf_conntrack_tuple orig, reply;
	struct ft_unique_pair by_key, by_ct;
	struct ft_key key, answer;
	struct nf_conn *ct;
	unsigned int i;
	bool free;

	for (i = 0; i < RUNS; i++) {
		random_tuples(&orig, &reply);
		ft_key_from_tuple(&key, &orig, NF_CT_DEFAULT_ZONE_ID);
		ft_key_from_tuple(&answer, &reply, NF_CT_DEFAULT_ZONE_ID);
		ct = nf_conntrack_alloc(&init_net, &nf_ct_zone_dflt, &orig, &reply, GFP_KERNEL);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, ct);
		rcu_read_lock();
		local_bh_disable();
		/* Without a flow of ours nothing is looked at but the entry. */
		free = ft_unique_translated(tn, NULL, ct, NULL, &by_ct);
		if (free)
			ft_unique_release(&by_ct);
		if (ft_unique_try(tn, &key, &answer,
				  ft_key_hash(&answer, ft_table_secret(tn->table)), &by_key))
			ft_unique_release(&by_key);
		local_bh_enable();
		rcu_read_unlock();
		nf_conntrack_free(ct);
		KUNIT_ASSERT_TRUE(test, free);
		KUNIT_ASSERT_PTR_EQ(test, by_ct.first, by_key.first);
		KUNIT_ASSERT_PTR_EQ(test, by_ct.second, by_key.second);
		KUNIT_ASSERT_TRUE(test, by_ct.first == lock_of(&key) ||
				  by_ct.second == lock_of(&key));
		KUNIT_ASSERT_TRUE(test, by_ct.first == lock_of(&answer) ||
				  by_ct.second == lock_of(&answer));
	}
}

static void key_between(struct ft_key *key, __be32 from, u16 sport, __be32 to, u16 dport)
{
	const union nf_inet_addr src = { .ip = from }, dst = { .ip = to };

	ft_key_set(key, NFPROTO_IPV4, IPPROTO_UDP, 0, &src, &dst, htons(sport), htons(dport));
}

static void ports_of_one(struct ft_key *key, unsigned int i)
{
	key_between(key, FT_IP(10, 0, 0, 1), 1024 + i, FT_IP(192, 0, 2, 1), 53);
}

/* What a peer who chooses both ports, or both addresses, can keep constant. */
static void ports_of_one_sum(struct ft_key *key, unsigned int i)
{
	key_between(key, FT_IP(10, 0, 0, 1), 1024 + i, FT_IP(192, 0, 2, 1), 60000 - i);
}

static void addresses_of_one_sum(struct ft_key *key, unsigned int i)
{
	key_between(key, htonl(0x0a000000 + i), 1000, htonl(0xc0000000 - i), 53);
}

/* How many locks do many such tuples select? */
static unsigned int locks_selected(void (*key_set)(struct ft_key *key, unsigned int i))
{
	spinlock_t *lowest = NULL, *lock;
	DECLARE_BITMAP(seen, 256) = {};
	unsigned int pass, i;
	struct ft_key key;

	for (pass = 0; pass < 2; pass++) {
		for (i = 0; i < TUPLES; i++) {
			key_set(&key, i);
			lock = lock_of(&key);
			if (!pass)
				lowest = !lowest || lock < lowest ? lock : lowest;
			else if (lock - lowest < 256)
				set_bit(lock - lowest, seen);
		}
	}
	return bitmap_weight(seen, 256);
}

/* Clients do not wait for each other, and nobody can make them. */
static void many_locks(struct kunit *test)
{
	KUNIT_EXPECT_GT(test, locks_selected(ports_of_one), 64);
	KUNIT_EXPECT_GT(test, locks_selected(ports_of_one_sum), 100);
	KUNIT_EXPECT_GT(test, locks_selected(addresses_of_one_sum), 100);
}

/* A flow of ours has the answers: no lock is held then. */
static void taken(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 100);
	struct ft_unique_pair pair;
	struct ft_birth birth;
	struct ft_key key;
	bool free;

	ft_kunit_birth(tn, &birth, 1, FLOWTRACK_CLASS_ASSURED, 60 * HZ);
	key = birth.key;
	key.addr4[0] ^= htonl(0x100);
	rcu_read_lock();
	local_bh_disable();
	free = ft_unique_try(tn, &key, &birth.key, birth.hash, &pair);
	if (free)
		ft_unique_release(&pair);
	local_bh_enable();
	rcu_read_unlock();
	KUNIT_EXPECT_TRUE(test, free);

	rcu_read_lock();
	local_bh_disable();
	KUNIT_EXPECT_EQ(test, ft_flow_admit(tn, &birth), FT_ADMIT_OK);
	free = ft_unique_try(tn, &key, &birth.key, birth.hash, &pair);
	if (free)
		ft_unique_release(&pair);
	local_bh_enable();
	rcu_read_unlock();
	KUNIT_EXPECT_FALSE(test, free);
	/* Would stand still if it were held. */
	lock_of(&birth.key);
	lock_of(&key);
}

static struct kunit_case unique_cases[] = {
	KUNIT_CASE(same_locks),
	KUNIT_CASE(many_locks),
	KUNIT_CASE(taken),
	{}
};

static struct kunit_suite unique_suite = {
	.name = "ft_unique",
	.test_cases = unique_cases,
};

kunit_test_suite(unique_suite);
