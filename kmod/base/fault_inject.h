/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Allocations that fail on demand: how the suites get to where memory is out.
 * Without the suites it is nothing.
 */
#ifndef _FT_BASE_FAULT_INJECT_H
#define _FT_BASE_FAULT_INJECT_H

#include <linux/bits.h>
#include <linux/compiler.h>
#include <linux/types.h>

#define FT_FAULT_CHUNK	BIT(0)	/* 64 KiB of flow objects */
#define FT_FAULT_LINE	BIT(1)	/* an overflow line */
#define FT_FAULT_ARRAY	BIT(2)	/* an array of buckets */
#define FT_FAULT_SOURCE	BIT(3)	/* a source */
#define FT_FAULT_CARRIER	BIT(4)	/* a carrier */
#define FT_FAULT_SHADOW	BIT(5)	/* a shadow */
#define FT_FAULT_SOURCES	BIT(6)	/* the table of sources */

#ifdef CONFIG_NF_FLOWTRACK_KUNIT
/* Written by a suite. */
extern unsigned long ft_faults;

static inline bool ft_should_fail(unsigned long which)
{
	return READ_ONCE(ft_faults) & which;
}
#else
static inline bool ft_should_fail(unsigned long which)
{
	return false;
}
#endif

#endif /* _FT_BASE_FAULT_INJECT_H */
