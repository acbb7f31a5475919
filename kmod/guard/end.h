/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The end of a guarded flow: its shadow goes, and counts with its source no more.
 * Either nf_conntrack has ended the entry, or it is deleted by request.
 */
#ifndef _FT_GUARD_END_H
#define _FT_GUARD_END_H

#include <linux/types.h>

struct ft_net;
struct ft_shadow_key;
struct nf_conn;

bool ft_guard_drop(struct ft_net *tn, const struct ft_shadow_key *key);
bool ft_guard_forget(struct ft_net *tn, const struct ft_shadow_key *key);
bool ft_guard_end(struct ft_net *tn, const struct ft_shadow_key *key,
		  struct nf_conn *ct);

#endif /* _FT_GUARD_END_H */
