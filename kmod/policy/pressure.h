/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What happens when there is no room: a pure function of policy, classes and
 * ages. It decides; evict.c and guard/room.c carry out.
 */
#ifndef _FT_POLICY_PRESSURE_H
#define _FT_POLICY_PRESSURE_H

#include <linux/types.h>
#include <linux/nf_flowtrack.h>

#include "flow/table.h"

/* Slots that a sample has at most. */
#define FT_PRESSURE_SAMPLE	56
/* Flows looked at for one victim; and so many before the answered ones. */
#define FT_PRESSURE_LOOKS	14
#define FT_PRESSURE_LOOKS_FIRST	5

/**
 * enum ft_decision - what to do with a newcomer
 * @FT_DECISION_EVICT: end the victim, then enter the newcomer
 * @FT_DECISION_DROP: drop its packet
 * @FT_DECISION_PASS: let its packet through with no entry
 */
enum ft_decision {
	FT_DECISION_EVICT,
	FT_DECISION_DROP,
	FT_DECISION_PASS,
};

/**
 * enum ft_rank - why a flow may be evicted, the best reason first
 * @FT_RANK_EXPIRED: its deadline has passed; nothing is lost
 * @FT_RANK_CLOSING: closing, and nothing is due any more
 * @FT_RANK_CLOSING_LAST_DUE: closing; its last packet will be INVALID
 * @FT_RANK_EMBRYONIC_HEAVY: not answered, of a source that holds too much
 * @FT_RANK_EMBRYONIC: not answered, and idle for longer than the floor
 * @FT_RANK_IDLE_HEAVY: idle for a moment, of a source that holds too much
 * @FT_RANK_IDLE_REPLIED: replied, and idle for longer than the floor
 * @FT_RANK_IDLE_ASSURED: assured, and idle for longer than the floor
 * @FT_RANK_YOUNG: not answered yet; the answer may be on its way
 * @FT_RANK_REPLIED: replied, for a newcomer that has had an answer, too
 * @FT_RANK_NEVER: not to be evicted
 */
enum ft_rank {
	FT_RANK_EXPIRED,
	FT_RANK_CLOSING,
	FT_RANK_CLOSING_LAST_DUE,
	FT_RANK_EMBRYONIC_HEAVY,
	FT_RANK_EMBRYONIC,
	FT_RANK_IDLE_HEAVY,
	FT_RANK_IDLE_REPLIED,
	FT_RANK_IDLE_ASSURED,
	FT_RANK_YOUNG,
	FT_RANK_REPLIED,
	FT_RANK_NEVER,
};

/**
 * struct ft_newcomer - a flow that asks for a place
 * @class: enum flowtrack_class
 * @heavy: of a source that holds too much: spares handshakes of others
 * @idle: may evict flows that had an answer when they are idle
 * @fair: may evict flows that had an answer if they are of a source that
 *	holds too much, and idle for a moment
 */
struct ft_newcomer {
	enum flowtrack_class class;
	bool heavy;
	bool idle;
	bool fair;
};

enum ft_rank ft_pressure_rank(const struct ft_newcomer *newcomer,
			      const struct ft_candidate *candidate);
enum ft_decision ft_pressure_decide(enum flowtrack_policy policy,
				    enum flowtrack_policy fallback,
				    const struct ft_newcomer *newcomer,
				    const struct ft_candidate *candidates,
				    unsigned int n, unsigned int *victim,
				    enum ft_rank *rank);

/* Find out about n candidates by looking at their flows. */
typedef void (*ft_look_fn)(const void *arg, struct ft_candidate *candidates,
			   unsigned int n);

void ft_pressure_newcomer(struct ft_newcomer *newcomer,
			  enum flowtrack_class class, bool heavy, bool lends,
			  bool adaptive);
void ft_pressure_crowd(struct ft_newcomer *newcomer,
		       const struct ft_candidate *candidates, unsigned int n);
bool ft_pressure_borrows(const struct ft_newcomer *newcomer, enum ft_rank rank);
bool ft_pressure_settled(const struct ft_newcomer *newcomer, enum ft_rank rank);
enum ft_decision ft_pressure_choose(enum flowtrack_policy fallback,
				    const struct ft_newcomer *newcomer,
				    const struct ft_candidate *candidates,
				    unsigned int n, ft_look_fn look,
				    const void *arg,
				    struct ft_candidate *victim,
				    enum ft_rank *rank);

#endif /* _FT_POLICY_PRESSURE_H */
