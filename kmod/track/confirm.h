/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The way out: what the ruleset accepted is entered or stored.
 */
#ifndef _FT_TRACK_CONFIRM_H
#define _FT_TRACK_CONFIRM_H

struct nf_hook_state;
struct sk_buff;

unsigned int ft_confirm(void *priv, struct sk_buff *skb,
			const struct nf_hook_state *state);

#endif /* _FT_TRACK_CONFIRM_H */
