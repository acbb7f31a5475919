/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Room in nf_conntrack's table: whether a newcomer may go there, and whose entry
 * gives way to it.
 */
#ifndef _FT_GUARD_ROOM_H
#define _FT_GUARD_ROOM_H

#include <linux/types.h>

#include "guard/guard.h"
#include "net.h"
#include "policy/source.h"

struct nf_conn;
struct nf_conntrack_zone;
struct sk_buff;

/**
 * struct ft_guard_newcomer - a packet whose flow nf_conntrack does not know
 * @source: its sender, the whole address
 * @reserved: has the reserved mark
 * @exempt: the limits for sources do not hold for it
 */
struct ft_guard_newcomer {
	struct ft_source source;
	bool reserved;
	bool exempt;
};

u32 ft_guard_kept(u32 max, u32 cpus, u32 reserved);
bool ft_guard_fits(const struct ft_net *tn);
bool ft_guard_open(const struct ft_net *tn, const struct sk_buff *skb, u8 pf,
		   const struct nf_conntrack_zone *zone,
		   struct ft_guard_newcomer *newcomer);
enum ft_guard_answer ft_guard_make_room(struct ft_net *tn,
					const struct ft_guard_newcomer *newcomer);
bool ft_guard_another(struct ft_net *tn, const struct nf_conn *ct, u32 mark);

/**
 * ft_guard_roomy() - may every packet go on to nf_conntrack?
 * @tn: namespace
 *
 * Context: any.
 * Return: true if nf_conntrack has room, or nobody minds that it has none.
 */
static inline bool ft_guard_roomy(const struct ft_net *tn)
{
	return likely(ft_guard_calm(&tn->guard)) || ft_guard_fits(tn);
}

#endif /* _FT_GUARD_ROOM_H */
