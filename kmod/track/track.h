/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The way in: a packet meets its flow, and the ruleset is told what it is.
 */
#ifndef _FT_TRACK_TRACK_H
#define _FT_TRACK_TRACK_H

struct nf_hook_state;
struct sk_buff;

unsigned int ft_track(void *priv, struct sk_buff *skb,
		      const struct nf_hook_state *state);

#endif /* _FT_TRACK_TRACK_H */
