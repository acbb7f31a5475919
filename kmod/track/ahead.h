/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Looking ahead: while a list of packets is received, the flows of the later
 * ones are brought into the cache, so that ft_track() need not wait for them.
 */
#ifndef _FT_TRACK_AHEAD_H
#define _FT_TRACK_AHEAD_H

#include <linux/types.h>

#include "flow/tuple.h"

struct ft_net;
struct sk_buff;

/**
 * struct ft_ahead - what was found out about a packet ahead of ft_track()
 * @pkt: the packet as ft_tuple_get() sees it, in the default zone
 * @hash: ft_key_hash() of its key, with the secret of the namespace @home
 * @home: number of the namespace, see ft_pool_net_init()
 * @index: where the flow probably is; FT_INDEX_NONE: not known
 */
struct ft_ahead {
	struct ft_pkt pkt;
	u64 hash;
	u32 home;
	u32 index;
};

void ft_ahead_set(struct ft_net *tn);
const struct ft_ahead *ft_ahead_take(const struct ft_net *tn, const struct sk_buff *skb,
				     u8 family, u16 zone);
void ft_ahead_adapt(void);
void ft_ahead_start(void);
void ft_ahead_stop(void);
int ft_ahead_init(void);
void ft_ahead_exit(void);

#endif /* _FT_TRACK_AHEAD_H */
