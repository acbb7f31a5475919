/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _FT_COMPAT_LINUX_ICMPV6_H
#define _FT_COMPAT_LINUX_ICMPV6_H

#include_next <linux/icmpv6.h>

/* Multicast router solicitation, RFC 4286; without a name in 6.1. */
#ifndef ICMPV6_MRDISC_SOL
#define ICMPV6_MRDISC_SOL	152
#endif

#endif /* _FT_COMPAT_LINUX_ICMPV6_H */
