/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Expiry: ends the flows whose deadline has passed.
 */
#ifndef _FT_TRACK_GC_H
#define _FT_TRACK_GC_H

struct ft_net;

void ft_gc_init(struct ft_net *tn);
void ft_gc_exit(struct ft_net *tn);

#endif /* _FT_TRACK_GC_H */
