// SPDX-License-Identifier: GPL-2.0
#include "ft_kunit.h"
#include "source.h"

static const struct {
	const char *name;
	u8 family;
	u8 prefix;
	u32 addr[4];
	u32 want[4];
} prefixes[] = {
	{ "v4/32", NFPROTO_IPV4, 32, { 0xc0000207 }, { 0xc0000207 } },
	{ "v4/31", NFPROTO_IPV4, 31, { 0xc0000207 }, { 0xc0000206 } },
	{ "v4/24", NFPROTO_IPV4, 24, { 0xc0000207 }, { 0xc0000200 } },
	{ "v4/1", NFPROTO_IPV4, 1, { 0xc0000207 }, { 0x80000000 } },
	{ "v6/128", NFPROTO_IPV6, 128, { 0x20010db8, 1, 2, 3 },
	  { 0x20010db8, 1, 2, 3 } },
	{ "v6/127", NFPROTO_IPV6, 127, { 0x20010db8, 1, 2, 3 },
	  { 0x20010db8, 1, 2, 2 } },
	{ "v6/97", NFPROTO_IPV6, 97, { 1, 1, 2, 0xffffffff },
	  { 1, 1, 2, 0x80000000 } },
	{ "v6/96", NFPROTO_IPV6, 96, { 1, 1, 2, 3 }, { 1, 1, 2 } },
	{ "v6/64", NFPROTO_IPV6, 64, { 0x20010db8, 1, 2, 3 },
	  { 0x20010db8, 1 } },
	{ "v6/63", NFPROTO_IPV6, 63, { 0x20010db8, 3, 2, 3 },
	  { 0x20010db8, 2 } },
	{ "v6/48", NFPROTO_IPV6, 48, { 0x20010db8, 0x12345678, 2, 3 },
	  { 0x20010db8, 0x12340000 } },
	{ "v6/1", NFPROTO_IPV6, 1, { 0xffffffff, 1, 2, 3 }, { 0x80000000 } },
};

/* Both ends of a flow, whichever comes first in its key. */
static void prefix_table(struct kunit *test)
{
	struct ft_source_prefix prefix;
	union nf_inet_addr addr, peer;
	struct ft_source source;
	unsigned int i, w, side;
	struct ft_key key;
	bool from_hi;

	for (i = 0; i < ARRAY_SIZE(prefixes); i++) {
		prefix.v4 = prefixes[i].prefix;
		prefix.v6 = prefixes[i].prefix;
		for (side = 0; side < 2; side++) {
			memset(&peer, side ? 0xff : 0, sizeof(peer));
			for (w = 0; w < 4; w++)
				addr.all[w] = (__force u32)
					      htonl(prefixes[i].addr[w]);
			from_hi = ft_key_set(&key, prefixes[i].family,
					     IPPROTO_UDP, 0, &addr, &peer, 1,
					     1);
			KUNIT_EXPECT_EQ(test, from_hi, !side);
			ft_source_get(&source, &key, from_hi);
			ft_source_cut(&source, prefix);
			KUNIT_EXPECT_EQ(test, source.family,
					(u32)prefixes[i].family);
			for (w = 0; w < 4; w++)
				KUNIT_EXPECT_EQ_MSG(test,
						    ntohl(source.addr[w]),
						    prefixes[i].want[w],
						    "%s, word %u",
						    prefixes[i].name, w);
		}
	}
}

static struct kunit_case source_cases[] = {
	KUNIT_CASE(prefix_table),
	{}
};

static struct kunit_suite source_suite = {
	.name = "ft_source",
	.test_cases = source_cases,
};

kunit_test_suite(source_suite);
