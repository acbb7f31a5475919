/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Adaptive timeouts: the fuller the table, the sooner an idle flow ends. Pure
 * arithmetic; gc.c applies it to the flows of the table.
 */
#ifndef _FT_POLICY_ADAPTIVE_H
#define _FT_POLICY_ADAPTIVE_H

#include <linux/nf_flowtrack.h>
#include <linux/types.h>

#include "base/settings.h"
#include "flow/table.h"

/* A factor is in permille: this one leaves a timeout as it is. */
#define FT_ADAPTIVE_WHOLE	1000u

/**
 * struct ft_adaptive - adaptive timeouts of one namespace
 * @factor: what is left of timeouts, permille, by class. Written by gc_work
 *	once a second, read by anyone
 * @scarce: a newcomer found only idle flows to evict. Set by
 *	admission, taken back by gc_work
 * @scarce_since: ft_now() when gc_work last saw it set; touched by gc_work only
 * @short_of_room: what readers are shown of it: eviction goes down to the
 *	floors, and has done so in the last FT_ADAPTIVE_MEMORY
 * @hopeless: ft_now() when a search for a victim last failed
 */
struct ft_adaptive {
	u32 factor[FT_CLASSES];
	bool scarce;
	bool short_of_room;
	u32 scarce_since;
	u32 hopeless;
};

/* How long the last shortage is shown, in jiffies. */
#define FT_ADAPTIVE_MEMORY	(10 * HZ)

/* Are adaptive timeouts on, by the settings of a namespace? */
static inline bool ft_adaptive_on(const struct ft_settings *set)
{
	return ft_setting(set, ADAPTIVE_START) && ft_setting(set, ADAPTIVE_END);
}

u32 ft_adaptive_factor(u32 count, u32 room, u32 start, u32 end);
u32 ft_adaptive_floor(enum flowtrack_class class);
u32 ft_adaptive_limit(enum flowtrack_class class, u32 timeout, u32 factor);

void ft_adaptive_init(struct ft_adaptive *adaptive);
bool ft_adaptive_update(struct ft_adaptive *adaptive,
			const struct ft_census *census, u32 room, u32 start,
			u32 end, u32 now);
void ft_adaptive_scarce(struct ft_adaptive *adaptive);
u32 ft_adaptive_shown(const struct ft_adaptive *adaptive,
		      enum flowtrack_class class);

#endif /* _FT_POLICY_ADAPTIVE_H */
