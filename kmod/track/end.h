/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The end of a flow: the one way out of the table.
 */
#ifndef _FT_TRACK_END_H
#define _FT_TRACK_END_H

#include <linux/types.h>
#include <linux/nf_flowtrack.h>

struct ft_flow;
struct ft_net;

bool ft_flow_end(struct ft_net *tn, struct ft_flow *flow, u32 index, u32 gen,
		 enum flowtrack_reason reason);
bool ft_flow_leave(struct ft_net *tn, struct ft_flow *flow, u32 index, u32 gen);
bool ft_flow_expire(struct ft_net *tn, struct ft_flow *flow, u32 index, u32 gen,
		    u32 deadline);
bool ft_flow_evict(struct ft_net *tn, struct ft_flow *flow, u32 index, u32 gen,
		   u32 deadline);
u32 ft_flow_end_all(struct ft_net *tn, enum flowtrack_reason reason);

#endif /* _FT_TRACK_END_H */
