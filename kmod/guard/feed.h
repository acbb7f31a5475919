/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What passes the hooks feeds the shadows: each flow that stays in nf_conntrack
 * has one. What a walk over nf_conntrack's table finds does, too.
 */
#ifndef _FT_GUARD_FEED_H
#define _FT_GUARD_FEED_H

#include <linux/types.h>

#include "guard/guard.h"

struct ft_net;
struct nf_conn;

bool ft_guard_fed(const struct nf_conn *ct);
enum ft_guard_answer ft_guard_feed(struct ft_net *tn, struct nf_conn *ct, bool exempt);
int ft_guard_remember(struct ft_net *tn, const struct nf_conn *ct);

#endif /* _FT_GUARD_FEED_H */
