/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The families that may be tracked in a namespace.
 */
#ifndef _FT_TRACK_FAMILY_H
#define _FT_TRACK_FAMILY_H

#include <linux/bits.h>
#include <linux/netfilter.h>
#include <linux/types.h>

/**
 * enum ft_hooks_family - what hooks are registered for
 * @FT_HOOKS_IPV4: IPv4
 * @FT_HOOKS_IPV6: IPv6
 */
enum ft_hooks_family {
	FT_HOOKS_IPV4 = BIT(0),
	FT_HOOKS_IPV6 = BIT(1),
};

/**
 * ft_hooks_family_of() - the family of a packet
 * @pf: NFPROTO_IPV4 or NFPROTO_IPV6
 *
 * Return: enum ft_hooks_family.
 */
static inline u8 ft_hooks_family_of(u8 pf)
{
	return pf == NFPROTO_IPV4 ? FT_HOOKS_IPV4 : FT_HOOKS_IPV6;
}

#endif /* _FT_TRACK_FAMILY_H */
