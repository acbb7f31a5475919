/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The connection of a packet, for NFQUEUE and NFLOG.
 */
#ifndef _FT_CTNETLINK_GLUE_H
#define _FT_CTNETLINK_GLUE_H

void ft_ctnl_glue_init(void);
void ft_ctnl_glue_exit(void);

#endif /* _FT_CTNETLINK_GLUE_H */
