/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A flow of ours by the tuple that a request names.
 */
#ifndef _FT_CTNETLINK_OWN_H
#define _FT_CTNETLINK_OWN_H

#include <linux/nf_flowtrack.h>
#include <linux/types.h>

#include "flow/flow.h"

struct ft_net;
struct nlattr;
struct nf_conntrack_tuple;
struct nf_conntrack_zone;

/**
 * struct ft_own - a flow that was found
 * @flow: the flow; may end at any time
 * @index: its index
 * @copy: what it was, generation included
 */
struct ft_own {
	struct ft_flow *flow;
	u32 index;
	struct ft_flow6 copy;
};

bool ft_own_snapshot(struct ft_own *own, struct ft_flow *flow, u32 index);
bool ft_own_find(const struct ft_net *tn, const struct nf_conntrack_zone *zone,
		 const struct nf_conntrack_tuple *tuple, struct ft_own *own);
void ft_own_zero(struct ft_own *own);
void ft_own_unzero(const struct ft_own *own);
int ft_own_change(struct ft_net *tn, struct ft_own *own, const struct nlattr * const cda[]);
int ft_own_change_queued(struct ft_net *tn, struct ft_own *own, const struct nlattr * const cda[]);
bool ft_own_end(struct ft_net *tn, const struct ft_own *own, enum flowtrack_reason reason);

#endif /* _FT_CTNETLINK_OWN_H */
