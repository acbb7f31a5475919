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

#include <linux/netfilter.h>
#include <linux/types.h>

#include "base/settings.h"
#include "flow/flow.h"
#include "net.h"

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

/**
 * ft_mode_adopting_still() - has ft_mode_adopting() been true in this jiffy?
 * @tn: namespace
 * @pf: family
 *
 * For packets that are left to nf_conntrack without a look at them. What they would have
 * had to ask for is in many places.
 *
 * Context: RCU read side.
 * Return: true if so, unless the setting says never since. Where a consumer has gone
 * meanwhile, it is as if the packet had come earlier.
 */
static inline bool ft_mode_adopting_still(const struct ft_net *tn, u8 pf)
{
	return READ_ONCE(tn->adopting[pf == NFPROTO_IPV6]) == ft_now() &&
	       ft_setting(&tn->set, ADOPT) != FT_ADOPT_NEVER;
}

#endif /* _FT_TRACK_MODE_H */
