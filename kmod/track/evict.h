/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The full table: which flow gives way to a newcomer, or what becomes of that.
 */
#ifndef _FT_TRACK_EVICT_H
#define _FT_TRACK_EVICT_H

#include "track/birth.h"

struct ft_net;

enum ft_admission ft_evict_for(struct ft_net *tn, const struct ft_birth *birth);
enum ft_admission ft_evict_nomem(struct ft_net *tn,
				 const struct ft_birth *birth);

#endif /* _FT_TRACK_EVICT_H */
