/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Sources: who opens flows. An initiator's address, cut to the prefix length
 * of the settings src_prefix4 and src_prefix6.
 */
#ifndef _FT_SOURCE_H
#define _FT_SOURCE_H

#include <linux/string.h>
#include <linux/types.h>

#include "tuple.h"

/**
 * struct ft_source - a source
 * @addr: address, network byte order; IPv4: the first word, the rest is zero
 * @family: NFPROTO_IPV4 or NFPROTO_IPV6
 *
 * There is no padding: sources are hashed and compared as memory.
 */
struct ft_source {
	__be32 addr[4];
	u32 family;
};

/**
 * struct ft_source_prefix - how many bits of an address make a source
 * @v4: bits of an IPv4 address, 1 to 32
 * @v6: bits of an IPv6 address, 1 to 128
 */
struct ft_source_prefix {
	u8 v4;
	u8 v6;
};

static inline bool ft_source_equal(const struct ft_source *a,
				   const struct ft_source *b)
{
	return !memcmp(a, b, sizeof(*a));
}

void ft_source_get(struct ft_source *source, const struct ft_key *key,
		   unsigned int end);
void ft_source_cut(struct ft_source *source, struct ft_source_prefix prefix);

#endif /* _FT_SOURCE_H */
