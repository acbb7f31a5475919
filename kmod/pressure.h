/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What happens when there is no room: a pure function of policy, classes and
 * ages. It decides; lifecycle.c carries out.
 */
#ifndef _FT_PRESSURE_H
#define _FT_PRESSURE_H

#include <linux/types.h>
#include <linux/nf_flowtrack.h>

#include "table.h"

/* Slots looked at for a victim: about eight bucket lines. */
#define FT_PRESSURE_SAMPLE	56

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

enum ft_decision ft_pressure_decide(enum flowtrack_policy policy,
				    enum flowtrack_policy fallback,
				    enum flowtrack_class newcomer,
				    const struct ft_candidate *candidates,
				    unsigned int n, unsigned int *victim);

#endif /* _FT_PRESSURE_H */
