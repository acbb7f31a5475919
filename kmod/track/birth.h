/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A flow to be, and what comes of it.
 */
#ifndef _FT_TRACK_BIRTH_H
#define _FT_TRACK_BIRTH_H

#include <linux/types.h>

#include "flow/flow.h"
#include "flow/tuple.h"

/**
 * struct ft_birth - a flow to be
 * @key: identity
 * @hash: its hash
 * @word: FT_FLOW_* bits: direction, state, class, status
 * @exempt: the limits for sources do not hold: this machine opens it, or its
 *	administrator enters it
 * @timeout: jiffies from now
 * @mark: conntrack mark
 * @reserved: may take a reserved entry, see ft_mark_reserved()
 * @masq: FT_FLOW_NAT: number of the device whose address it borrows; 0: none
 * @born: ktime_get_boottime_ns() when the first packet was accepted
 * @packets: counted so far, by direction
 * @bytes: likewise
 * @proto: what the protocol keeps
 * @answer: FT_FLOW_NAT: its second key
 * @second: FT_FLOW_NAT: hash of @answer
 * @source: FT_FLOW_SNAT: hash of its source, once ft_nat_source_find() needed it; 0: not yet
 * @index: where it is in the table, once ft_flow_admit() has entered it
 */
struct ft_birth {
	struct ft_key key;
	u64 hash;
	u32 word;
	bool exempt;
	u32 timeout;
	u32 mark;
	bool reserved;
	u32 masq;
	u64 born;
	u64 packets[2];
	u64 bytes[2];
	union ft_proto_state proto;
	struct ft_key answer;
	u64 second;
	u64 source;
	u32 index;
};

/**
 * enum ft_admission - what came of a flow that asked to be entered
 * @FT_ADMIT_OK: it is in the table
 * @FT_ADMIT_CLASH: another CPU entered the same flow first; the packet belongs
 *	to that one
 * @FT_ADMIT_PASS: no room; the packet goes on without an entry
 * @FT_ADMIT_DROP: no room; the packet is to be dropped
 */
enum ft_admission {
	FT_ADMIT_OK,
	FT_ADMIT_CLASH,
	FT_ADMIT_PASS,
	FT_ADMIT_DROP,
};

#endif /* _FT_TRACK_BIRTH_H */
