/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What rules wrote to the conntrack of a packet that was dropped.
 */
#ifndef _FT_TRACK_DROPPED_H
#define _FT_TRACK_DROPPED_H

int ft_dropped_init(void);
void ft_dropped_exit(void);

#endif /* _FT_TRACK_DROPPED_H */
