/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The full table: which flow gives way to a newcomer, or what becomes of that.
 */
#ifndef _FT_TRACK_EVICT_H
#define _FT_TRACK_EVICT_H

#include <linux/types.h>

#include "track/birth.h"

struct ft_net;

/* Flows that ft_evict_among() chooses from, at most. */
#define FT_EVICT_AMONG	56

enum ft_admission ft_evict_for(struct ft_net *tn, const struct ft_birth *birth);
enum ft_admission ft_evict_nomem(struct ft_net *tn,
				 const struct ft_birth *birth);
int ft_evict_among(struct ft_net *tn, const u32 *indices, unsigned int n);

#endif /* _FT_TRACK_EVICT_H */
