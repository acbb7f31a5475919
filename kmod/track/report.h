/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An INVALID packet is reported: to the counter, the tracepoint, and the log
 * where the setting log_invalid wants it.
 */
#ifndef _FT_TRACK_REPORT_H
#define _FT_TRACK_REPORT_H

#include <linux/types.h>

#include "base/invalid.h"

struct ft_net;
struct nf_hook_state;
struct sk_buff;

void ft_log_invalid(struct ft_net *tn, const struct sk_buff *skb,
		    const struct nf_hook_state *state, u8 l4proto,
		    enum ft_invalid reason);

#endif /* _FT_TRACK_REPORT_H */
