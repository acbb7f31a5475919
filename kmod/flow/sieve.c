// SPDX-License-Identifier: GPL-2.0
#include <linux/bitmap.h>
#include <linux/bitops.h>
#include <linux/bits.h>
#include <linux/errno.h>
#include <linux/gfp.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/mm.h>
#include <linux/netfilter.h>
#include <linux/rcupdate.h>
#include <linux/skbuff.h>
#include <linux/slab.h>
#include <asm/barrier.h>

#include "flow/flow.h"
#include "flow/sieve.h"
#include "flow/tuple.h"

#define BITS	BIT(FT_SIEVE_SHIFT)
/* Bits that may be set without a flow, in any case. */
#define SLACK	(BITS / 64)

/**
 * ft_sieve_init() - make a sieve without flows
 * @sieve: filled
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int ft_sieve_init(struct ft_sieve *sieve)
{
	unsigned long *bits = kvcalloc(2 * BITS_TO_LONGS(BITS), sizeof(*bits),
				       GFP_KERNEL_ACCOUNT);

	if (!bits)
		return -ENOMEM;
	*sieve = (struct ft_sieve){ .bits = { bits, bits + BITS_TO_LONGS(BITS) } };
	return 0;
}

/**
 * ft_sieve_exit() - free its memory
 * @sieve: its last reader has gone
 */
void ft_sieve_exit(struct ft_sieve *sieve)
{
	kvfree(sieve->bits[0]);
}

static void set_pair(unsigned long *bits, u32 pair)
{
	if (!test_bit(pair, bits))
		set_bit(pair, bits);
}

/**
 * ft_sieve_add() - a flow is about to be entered
 * @sieve: of the table
 * @key: of the flow; one with two keys is added with each
 *
 * Context: RCU read side, until the flow is in the table.
 */
void ft_sieve_add(struct ft_sieve *sieve, const struct ft_key *key)
{
	const u32 pair = ft_sieve_pair(key->addr4[0], key->addr4[1]);

	set_pair(sieve->bits[READ_ONCE(sieve->cur)], pair);
	/* Pairs with ft_sieve_begin(): what is read then has been cleared before. */
	if (unlikely(smp_load_acquire(&sieve->both))) {
		set_pair(sieve->bits[0], pair);
		set_pair(sieve->bits[1], pair);
	}
}

/**
 * ft_sieve_may_have() - might a packet be of a flow, whose header may not be in one piece?
 * @sieve: of the table
 * @skb: the packet
 * @family: NFPROTO_IPV4 or NFPROTO_IPV6
 *
 * Context: RCU read side.
 * Return: see ft_sieve_may_have_header(); true if there is no header.
 */
bool ft_sieve_may_have(const struct ft_sieve *sieve, const struct sk_buff *skb, u8 family)
{
	const int len = family == NFPROTO_IPV4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);
	struct ipv6hdr buf;
	const void *header;

	static_assert(sizeof(struct iphdr) <= sizeof(buf));
	header = skb_header_pointer(skb, skb_network_offset(skb), len, &buf);
	return !header || ft_sieve_may_have_header(sieve, header, family);
}

/**
 * ft_sieve_stale() - are many bits set that no flow needs?
 * @sieve: of the table
 * @flows: keys that are in the table
 *
 * Context: any. Reads all of the bits.
 * Return: true if it is worth while to make them anew.
 */
bool ft_sieve_stale(const struct ft_sieve *sieve, u32 flows)
{
	return bitmap_weight(sieve->bits[sieve->cur], BITS) >
	       (flows ? 2 * (u64)flows + SLACK : 0);
}

/**
 * ft_sieve_begin() - begin to make the bits anew
 * @sieve: of the table
 *
 * The caller adds all flows of the table then, and calls ft_sieve_end().
 *
 * Context: may sleep; nobody else makes them anew.
 */
void ft_sieve_begin(struct ft_sieve *sieve)
{
	bitmap_zero(sieve->bits[!sieve->cur], BITS);
	/* Pairs with ft_sieve_add(). */
	smp_store_release(&sieve->both, true);
	/* Flows that were added to one only are in the table after that. */
	synchronize_rcu();
}

/**
 * ft_sieve_end() - all flows of the table have been added
 * @sieve: of the table
 *
 * Context: may sleep; nobody else makes the bits anew.
 */
void ft_sieve_end(struct ft_sieve *sieve)
{
	/* Pairs with the address that ft_sieve_has() reads from: the bits are set by then. */
	smp_store_release(&sieve->cur, !sieve->cur);
	/* Packets that still ask the other set find new flows there, too, until then. */
	synchronize_rcu();
	WRITE_ONCE(sieve->both, false);
}
