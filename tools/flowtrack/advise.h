/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Sizes and timeouts that a load needs.
 */
#ifndef FT_ADVISE_H
#define FT_ADVISE_H

#include <linux/types.h>
#include <stdbool.h>

#define ADVICE_MAX	8

/* Of the timeouts of idle established TCP: how long. */
#define ADVISE_IDLE	7200	/* seconds; keepalives come as often, by default */

/**
 * struct load - what was seen of a namespace
 * @seconds: how long one looked
 * @peak: flows at most
 * @max: how many there may be
 * @buckets: of the table
 * @buckets_auto: they follow the number of flows
 * @opened: flows entered meanwhile
 * @refused: newcomers that a full table had no place for
 * @evicted: flows that had to go for newcomers
 * @embryonic: flows with no answer
 * @established: flows of TCP that are established
 * @idle: of those have been silent for ADVISE_IDLE seconds or more
 * @established_timeout: seconds that they are kept
 * @source: share of the flows that the busiest source has, per mille; 0: not known
 * @src_max: flows that a source may have; 0: no limit
 * @conntrack: entries of nf_conntrack at most
 * @conntrack_max: how many there may be; 0: not loaded
 * @memory: bytes of the machine
 */
struct load {
	__u32 seconds;
	__u64 peak;
	__u64 max;
	__u64 buckets;
	bool buckets_auto;
	__u64 opened;
	__u64 refused;
	__u64 evicted;
	__u64 embryonic;
	__u64 established;
	__u64 idle;
	__u32 established_timeout;
	__u32 source;
	__u64 src_max;
	__u64 conntrack;
	__u64 conntrack_max;
	__u64 memory;
};

/**
 * struct advice - what to do, and why
 * @command: command; empty: nothing is to be done
 * @why: reason
 */
struct advice {
	char command[256];
	char why[256];
};

unsigned int advise(const struct load *load, struct advice advice[ADVICE_MAX]);

#endif /* FT_ADVISE_H */
