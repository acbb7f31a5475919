/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Checksums of received packets, which the NIC mostly has looked at.
 */
#ifndef _FT_PROTO_CHECKSUM_H
#define _FT_PROTO_CHECKSUM_H

#include <linux/netfilter.h>
#include <linux/skbuff.h>

/**
 * ft_checksum_bad() - is the checksum of a packet wrong?
 * @skb: the packet, skb->data at its IP header; the state of its checksum may change
 * @hook: where it is
 * @off: offset of the header that has the checksum, from skb->data
 * @l4proto: IPPROTO_*
 * @family: NFPROTO_IPV4 or NFPROTO_IPV6
 *
 * nf_checksum(), without the calls where it would find nothing to compute.
 *
 * Context: any.
 * Return: true if so.
 */
static inline bool ft_checksum_bad(struct sk_buff *skb, unsigned int hook, unsigned int off,
				   u8 l4proto, u8 family)
{
	if (skb->ip_summed == CHECKSUM_UNNECESSARY || skb->ip_summed == CHECKSUM_PARTIAL)
		return false;
	return nf_checksum(skb, hook, off, l4proto, family);
}

#endif /* _FT_PROTO_CHECKSUM_H */
