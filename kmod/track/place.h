/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Places: each flow has one of its namespace and one of all namespaces. Both
 * are taken before a flow is entered, so that the limits are exact.
 */
#ifndef _FT_TRACK_PLACE_H
#define _FT_TRACK_PLACE_H

#include <linux/types.h>

struct ft_net;

bool ft_place_take(struct ft_net *tn, bool reserved);
void ft_place_give(struct ft_net *tn);
const char *ft_place_short(const struct ft_net *tn, u32 *count);

#endif /* _FT_TRACK_PLACE_H */
