/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Birth and death of a flow: admission at the limit, entry into the table, and
 * the one way out of it. Counts, statistics, events and tracepoints follow
 * from these two places.
 */
#ifndef _FT_LIFECYCLE_H
#define _FT_LIFECYCLE_H

#include <linux/types.h>
#include <linux/nf_flowtrack.h>

#include "flow.h"
#include "net.h"

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
 * @born: ktime_get_boottime_ns() when the first packet was accepted
 * @packets: counted so far, by direction
 * @bytes: likewise
 * @proto: what the protocol keeps
 */
struct ft_birth {
	struct ft_key key;
	u64 hash;
	u32 word;
	bool exempt;
	u32 timeout;
	u32 mark;
	bool reserved;
	u64 born;
	u64 packets[2];
	u64 bytes[2];
	union ft_proto_state proto;
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

void ft_flow_admit_soon(const struct ft_net *tn, u64 hash);
enum ft_admission ft_flow_admit(struct ft_net *tn, const struct ft_birth *birth);
bool ft_flow_end(struct ft_net *tn, struct ft_flow *flow, u32 index, u32 gen,
		 enum flowtrack_reason reason);
u32 ft_flow_end_all(struct ft_net *tn, enum flowtrack_reason reason);
void ft_flow_class_changed(struct ft_net *tn, struct ft_flow *flow, u32 index,
			   u64 hash, u32 from, u32 to);

int ft_lifecycle_init(struct ft_net *tn, u32 buckets);
void ft_lifecycle_exit(struct ft_net *tn);

#endif /* _FT_LIFECYCLE_H */
