// SPDX-License-Identifier: GPL-2.0
#include <linux/kernel.h>
#include <linux/minmax.h>

#include "source.h"

/**
 * ft_source_cut() - leave of an address what makes it a source
 * @source: a whole address; cut to the prefix
 * @prefix: bits that count
 *
 * Context: any; pure.
 */
void ft_source_cut(struct ft_source *source, struct ft_source_prefix prefix)
{
	unsigned int bits, i, n;

	bits = source->family == NFPROTO_IPV4 ? prefix.v4 : prefix.v6;
	for (i = 0; i < ARRAY_SIZE(source->addr); i++, bits -= n) {
		n = min(bits, 32U);
		source->addr[i] &= n ? htonl(~0U << (32 - n)) : 0;
	}
}

/**
 * ft_source_get() - one end of a flow, its whole address
 * @source: filled
 * @key: the flow
 * @end: which end, 0: the lower, 1: the upper one
 *
 * Context: any; pure.
 */
void ft_source_get(struct ft_source *source, const struct ft_key *key,
		   unsigned int end)
{
	memset(source, 0, sizeof(*source));
	source->family = key->family;
	if (key->family == NFPROTO_IPV4)
		source->addr[0] = key->addr4[end];
	else
		memcpy(source->addr, &key->addr6[end], sizeof(source->addr));
}
