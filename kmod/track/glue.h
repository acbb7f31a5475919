/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What nfnetlink_queue and nfnetlink_log tell user space of a packet's flow.
 *
 * nf_conntrack_netlink writes it from what the packet carries. Of a carrier, two
 * things would be the carrier's, not the flow's: the id, by which programs tell
 * streams apart, and a few bits of the status.
 */
#ifndef _FT_TRACK_GLUE_H
#define _FT_TRACK_GLUE_H

int ft_glue_init(void);
void ft_glue_exit(void);

#endif /* _FT_TRACK_GLUE_H */
