/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The families that may be tracked in a namespace.
 */
#ifndef _FT_TRACK_FAMILY_H
#define _FT_TRACK_FAMILY_H

#include <linux/bits.h>

/**
 * enum ft_hooks_family - what hooks are registered for
 * @FT_HOOKS_IPV4: IPv4
 * @FT_HOOKS_IPV6: IPv6
 */
enum ft_hooks_family {
	FT_HOOKS_IPV4 = BIT(0),
	FT_HOOKS_IPV6 = BIT(1),
};

#endif /* _FT_TRACK_FAMILY_H */
