/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Direct or adopting: does flowtrack or nf_conntrack see a new flow first?
 *
 * Direct: every flow is ours from its first packet. Adopting: something may
 * want it (consumers.h), so nf_conntrack sees it first, and it becomes ours
 * when it is confirmed if nothing did.
 */
#ifndef _FT_TRACK_MODE_H
#define _FT_TRACK_MODE_H

#include <linux/types.h>

struct ft_net;
struct nf_conn;
struct nf_hook_state;
struct sk_buff;

bool ft_mode_adopting(struct ft_net *tn, u8 pf);
bool ft_mode_conntrack_used(const struct ft_net *tn);
bool ft_mode_in_conntrack(const struct ft_net *tn, const struct sk_buff *skb,
			  u8 pf, u16 zone);
bool ft_mode_adopts(struct ft_net *tn, const struct nf_hook_state *state,
		    const struct nf_conn *ct);
bool ft_mode_plain(const struct nf_conn *ct);
bool ft_mode_adoptable(const struct nf_conn *ct);
bool ft_mode_template_plain(const struct nf_conn *tmpl);

#endif /* _FT_TRACK_MODE_H */
