/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Translated flows of ours become nf_conntrack's when tracking ends, and those that
 * ctnetlink must reach when it goes.
 *
 * When tracking ends, nothing is left that tells nf_nat how their packets are translated.
 * A flow that is not translated needs no successor: nf_conntrack takes up its packets as
 * they come.
 */
#ifndef _FT_TRACK_HAND_OVER_H
#define _FT_TRACK_HAND_OVER_H

struct ft_net;

void ft_hand_over(struct ft_net *tn, unsigned int families);
void ft_hand_over_done(struct ft_net *tn);
void ft_hand_over_unreachable(void);

#endif /* _FT_TRACK_HAND_OVER_H */
