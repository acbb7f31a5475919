/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The birth of a flow: whether it may be entered, and its entry.
 */
#ifndef _FT_TRACK_ADMIT_H
#define _FT_TRACK_ADMIT_H

#include "track/birth.h"

struct ft_flow;
struct ft_net;

void ft_flow_admit_soon(const struct ft_net *tn, u64 hash);
enum ft_admission ft_flow_admit(struct ft_net *tn, struct ft_birth *birth);
void ft_flow_class_changed(struct ft_net *tn, struct ft_flow *flow, u32 index,
			   u64 hash, u32 from, u32 to);

#endif /* _FT_TRACK_ADMIT_H */
