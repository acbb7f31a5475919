/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Translated flows of ours become nf_conntrack's when tracking ends.
 *
 * Nothing is left then that tells nf_nat how their packets are translated. A flow that
 * is not translated needs no successor: nf_conntrack takes up its packets as they come.
 */
#ifndef _FT_TRACK_HAND_OVER_H
#define _FT_TRACK_HAND_OVER_H

struct ft_net;

void ft_hand_over(struct ft_net *tn, unsigned int families);
void ft_hand_over_done(struct ft_net *tn);

#endif /* _FT_TRACK_HAND_OVER_H */
