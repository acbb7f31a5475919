/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One packet's step through a protocol's state machine: what goes in, and what
 * comes out.
 */
#ifndef _FT_PROTO_STEP_H
#define _FT_PROTO_STEP_H

#include <linux/types.h>
#include <linux/nf_flowtrack.h>

#include "base/invalid.h"
#include "base/settings.h"
#include "flow/flow.h"

/**
 * enum ft_verdict - what a packet is to its flow
 * @FT_VERDICT_ACCEPT: it belongs to the flow; state and timeout are set
 * @FT_VERDICT_KEEP: it belongs to the flow, but the deadline does not change
 *	(a packet that TCP would answer with a challenge ACK)
 * @FT_VERDICT_INVALID: it does not; the reason says why
 * @FT_VERDICT_REOPEN: the flow has ended and this packet opens its successor:
 *	end the flow and treat the packet as one that met no flow
 * @FT_VERDICT_DROP: as INVALID, and the flow must end with it
 */
enum ft_verdict {
	FT_VERDICT_ACCEPT,
	FT_VERDICT_KEEP,
	FT_VERDICT_INVALID,
	FT_VERDICT_REOPEN,
	FT_VERDICT_DROP,
};

/**
 * struct ft_step - one packet's step through a state machine
 * @set: settings of the namespace
 * @now: ft_now()
 * @dir: direction of the packet within the flow; for a first packet ORIG
 * @word: in: bits of the flow, out: bits to store; for a first packet 0 in
 * @timeout: out: new timeout in jiffies, counted from now; 0: it ends at once
 * @limit: out, with INVALID: no more jiffies than these shall be left; 0: no
 *	matter
 * @reason: out, unless the verdict is ACCEPT or KEEP: why not
 * @update: out: the change is worth a notification (state, assured)
 *
 * A machine sets state and the bits SEEN_REPLY and ASSURED in @word, and the
 * class through ft_step_set().
 */
struct ft_step {
	const struct ft_settings *set;
	u32 now;
	enum ft_dir dir;
	u32 word;
	u32 timeout;
	u32 limit;
	enum ft_invalid reason;
	bool update;
};

/**
 * ft_step_set() - store state and class of a flow in a step
 * @step: the step
 * @state: state of the protocol
 * @class: what the flow is worth in that state
 */
static inline void ft_step_set(struct ft_step *step, u8 state,
			       enum flowtrack_class class)
{
	step->word = ft_word_set(step->word, state, class);
}

#endif /* _FT_PROTO_STEP_H */
