/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The pairs of addresses that flows of a table are between, one bit for each.
 *
 * A packet between two addresses whose bit is not set is of no flow in the table, and
 * has not to be parsed to know that. Addresses only: they are all that has to be read.
 *
 * A new flow sets its bit, and a packet reads one, so where the bits are set already
 * nobody writes. Nothing clears a bit. Instead, all are made anew now and then from the
 * flows that there are, see ft_sieve_begin().
 */
#ifndef _FT_FLOW_SIEVE_H
#define _FT_FLOW_SIEVE_H

#include <linux/bitops.h>
#include <linux/compiler.h>
#include <linux/hash.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/netfilter.h>
#include <linux/types.h>

#include "flow/tuple.h"

#define FT_SIEVE_SHIFT	15

struct sk_buff;

/**
 * struct ft_sieve - pairs of addresses
 * @bits: two sets of them, in one piece of memory
 * @cur: which one packets ask
 * @both: new flows set their bit in both, as the other one is being made
 */
struct ft_sieve {
	unsigned long *bits[2];
	u8 cur;
	bool both;
};

int ft_sieve_init(struct ft_sieve *sieve);
void ft_sieve_exit(struct ft_sieve *sieve);
void ft_sieve_add(struct ft_sieve *sieve, const struct ft_key *key);
bool ft_sieve_may_have(const struct ft_sieve *sieve, const struct sk_buff *skb, u8 family);
bool ft_sieve_stale(const struct ft_sieve *sieve, u32 flows);
void ft_sieve_begin(struct ft_sieve *sieve);
void ft_sieve_end(struct ft_sieve *sieve);

/**
 * ft_sieve_pair() - the bit of a pair of addresses
 * @a: an address; of IPv6, ft_fold6() of it
 * @b: the other one; the same in either order
 *
 * Context: any; pure.
 * Return: its number.
 */
static inline u32 ft_sieve_pair(__be32 a, __be32 b)
{
	const u32 x = (__force u32)a, y = (__force u32)b;

	return hash_64((u64)(x ^ y) << 32 | (u32)(x + y), FT_SIEVE_SHIFT);
}

/**
 * ft_sieve_has() - might a flow be between two addresses?
 * @sieve: of the table
 * @pair: ft_sieve_pair() of them
 *
 * Context: RCU read side.
 * Return: false if there is none; true if there is one, was one, or others have the
 * same bit.
 */
static inline bool ft_sieve_has(const struct ft_sieve *sieve, u32 pair)
{
	return test_bit(pair, sieve->bits[READ_ONCE(sieve->cur)]);
}

/**
 * ft_sieve_may_have_header() - might a packet be of a flow?
 * @sieve: of the table
 * @header: of the packet: struct iphdr or struct ipv6hdr
 * @family: NFPROTO_IPV4 or NFPROTO_IPV6
 *
 * The sieve is asked for TCP and UDP only. Any host may send an ICMP error: its flow is the
 * one that it quotes.
 *
 * Context: RCU read side.
 * Return: false if no flow is between the addresses of the packet.
 */
static inline bool ft_sieve_may_have_header(const struct ft_sieve *sieve, const void *header,
					    u8 family)
{
	const struct ipv6hdr *ip6h = header;
	const struct iphdr *iph = header;
	__be32 from, to;
	u8 l4proto;

	if (likely(family == NFPROTO_IPV4)) {
		l4proto = iph->protocol;
		from = iph->saddr;
		to = iph->daddr;
	} else {
		l4proto = ip6h->nexthdr;
		from = ft_fold6(&ip6h->saddr);
		to = ft_fold6(&ip6h->daddr);
	}
	return (l4proto != IPPROTO_TCP && l4proto != IPPROTO_UDP) ||
	       ft_sieve_has(sieve, ft_sieve_pair(from, to));
}

#endif /* _FT_FLOW_SIEVE_H */
