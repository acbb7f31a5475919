/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How large things may be asked to be.
 */
#ifndef _FT_BASE_LIMITS_H
#define _FT_BASE_LIMITS_H

#include <linux/bits.h>
#include <linux/jiffies.h>
#include <linux/limits.h>
#include <linux/types.h>

/* Most flows that "max" can ask for. */
#define FT_FLOWS_MAX	BIT(27)

/* Longest timeout in seconds: deadlines are 32-bit jiffies, compared signed. */
#define FT_TIMEOUT_MAX	((u32)(S32_MAX / HZ / 2))

/* Buckets of a table; so many take 4 GiB, and 256 MiB of filters. */
#define FT_BUCKETS_MIN	64u
#define FT_BUCKETS_MAX	BIT(26)

#endif /* _FT_BASE_LIMITS_H */
