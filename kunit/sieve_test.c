// SPDX-License-Identifier: GPL-2.0
/* The pairs of addresses that flows are between; with a table see table_nat_test.c. */
#include <kunit/test.h>
#include <linux/prandom.h>

#include "flow/flow.h"
#include "flow/sieve.h"
#include "flow/tuple.h"

#define BITS	BIT(FT_SIEVE_SHIFT)

static void sieve_free(void *sieve)
{
	ft_sieve_exit(sieve);
}

static struct ft_sieve *sieve_new(struct kunit *test)
{
	struct ft_sieve *sieve = kunit_kzalloc(test, sizeof(*sieve), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, sieve);
	KUNIT_ASSERT_EQ(test, ft_sieve_init(sieve), 0);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, sieve_free, sieve), 0);
	return sieve;
}

static struct ft_key key_of(u32 i)
{
	return (struct ft_key){ .addr4 = { htonl(0x0a000000 + i), htonl(0xc0000201) } };
}

static bool has(const struct ft_sieve *sieve, u32 i)
{
	struct ft_key key = key_of(i);
	bool has;

	rcu_read_lock();
	/* As an answer has them. */
	has = ft_sieve_has(sieve, ft_sieve_pair(key.addr4[1], key.addr4[0]));
	rcu_read_unlock();
	return has;
}

static void add(struct ft_sieve *sieve, u32 i)
{
	struct ft_key key = key_of(i);

	rcu_read_lock();
	ft_sieve_add(sieve, &key);
	rcu_read_unlock();
}

/* Neither neighbours nor strangers share a bit more often than chance has it. */
static void pairs(struct kunit *test)
{
	unsigned long *bits = kunit_kcalloc(test, BITS_TO_LONGS(BITS), sizeof(*bits), GFP_KERNEL);
	struct rnd_state rnd;
	__be32 a, b;
	u32 i, n;

	KUNIT_ASSERT_NOT_NULL(test, bits);
	prandom_seed_state(&rnd, 5);
	for (n = 0; n < 2; n++) {
		bitmap_zero(bits, BITS);
		for (i = 0; i < 2000; i++) {
			a = n ? (__force __be32)prandom_u32_state(&rnd) : htonl(0xc0a80000 + i);
			b = n ? (__force __be32)prandom_u32_state(&rnd) : htonl(0xc0000201);
			KUNIT_ASSERT_LT(test, ft_sieve_pair(a, b), BITS);
			KUNIT_ASSERT_EQ(test, ft_sieve_pair(a, b), ft_sieve_pair(b, a));
			__set_bit(ft_sieve_pair(a, b), bits);
		}
		KUNIT_EXPECT_GT(test, bitmap_weight(bits, BITS), 1850);
	}
}

static void remembers(struct kunit *test)
{
	struct ft_sieve *sieve = sieve_new(test);
	u32 i, by_chance = 0;

	KUNIT_EXPECT_FALSE(test, ft_sieve_stale(sieve, 0));
	for (i = 0; i < 1000; i++)
		add(sieve, i);
	for (i = 0; i < 1000; i++) {
		KUNIT_ASSERT_TRUE(test, has(sieve, i));
		by_chance += has(sieve, 100000 + i);
	}
	/* A thousand of 32768 are set. */
	KUNIT_EXPECT_LT(test, by_chance, 80);
	KUNIT_EXPECT_FALSE(test, ft_sieve_stale(sieve, 1000));
	KUNIT_EXPECT_TRUE(test, ft_sieve_stale(sieve, 0));
	for (; i < 3000; i++)
		add(sieve, i);
	KUNIT_EXPECT_TRUE(test, ft_sieve_stale(sieve, 100));
}

/* What is added while the bits are made anew is known all the time, and afterwards. */
static void anew(struct kunit *test)
{
	struct ft_sieve *sieve = sieve_new(test);
	u32 i;

	for (i = 0; i < 3; i++) {
		add(sieve, 10 * i + 1);
		add(sieve, 10 * i + 2);
		ft_sieve_begin(sieve);
		KUNIT_EXPECT_TRUE(test, has(sieve, 10 * i + 1));
		add(sieve, 10 * i + 3);
		KUNIT_EXPECT_TRUE(test, has(sieve, 10 * i + 3));
		add(sieve, 10 * i + 2);
		ft_sieve_end(sieve);
		KUNIT_EXPECT_FALSE(test, has(sieve, 10 * i + 1));
		KUNIT_EXPECT_TRUE(test, has(sieve, 10 * i + 2));
		KUNIT_EXPECT_TRUE(test, has(sieve, 10 * i + 3));
		if (i)
			KUNIT_EXPECT_FALSE(test, has(sieve, 10 * i - 7));
	}
}

/* TCP and UDP are told by their addresses, of either family and in either order. */
static void headers(struct kunit *test)
{
	struct ft_sieve *sieve = sieve_new(test);
	struct ipv6hdr ip6h = { .nexthdr = IPPROTO_TCP };
	struct iphdr iph = { .protocol = IPPROTO_UDP };
	struct ft_key key = key_of(1);

	iph.saddr = key.addr4[1];
	iph.daddr = key.addr4[0];
	ip6h.saddr.s6_addr32[0] = htonl(0x20010db8);
	ip6h.saddr.s6_addr32[3] = htonl(1);
	ip6h.daddr.s6_addr32[0] = htonl(0x20010db9);
	ip6h.daddr.s6_addr32[3] = htonl(2);
	rcu_read_lock();
	KUNIT_EXPECT_FALSE(test, ft_sieve_may_have_header(sieve, &iph, NFPROTO_IPV4));
	KUNIT_EXPECT_FALSE(test, ft_sieve_may_have_header(sieve, &ip6h, NFPROTO_IPV6));
	iph.protocol = IPPROTO_ICMP;
	ip6h.nexthdr = IPPROTO_SCTP;
	KUNIT_EXPECT_TRUE(test, ft_sieve_may_have_header(sieve, &iph, NFPROTO_IPV4));
	KUNIT_EXPECT_TRUE(test, ft_sieve_may_have_header(sieve, &ip6h, NFPROTO_IPV6));
	iph.protocol = IPPROTO_TCP;
	ip6h.nexthdr = IPPROTO_UDP;
	ft_sieve_add(sieve, &key);
	KUNIT_EXPECT_TRUE(test, ft_sieve_may_have_header(sieve, &iph, NFPROTO_IPV4));
	KUNIT_EXPECT_FALSE(test, ft_sieve_may_have_header(sieve, &ip6h, NFPROTO_IPV6));
	key.addr4[0] = ft_fold6(&ip6h.daddr);
	key.addr4[1] = ft_fold6(&ip6h.saddr);
	ft_sieve_add(sieve, &key);
	KUNIT_EXPECT_TRUE(test, ft_sieve_may_have_header(sieve, &ip6h, NFPROTO_IPV6));
	rcu_read_unlock();
}

static struct kunit_case sieve_cases[] = {
	KUNIT_CASE(pairs),
	KUNIT_CASE(remembers),
	KUNIT_CASE(anew),
	KUNIT_CASE(headers),
	{}
};

static struct kunit_suite sieve_suite = {
	.name = "ft_sieve",
	.test_cases = sieve_cases,
};

kunit_test_suite(sieve_suite);
