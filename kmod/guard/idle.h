/* SPDX-License-Identifier: GPL-2.0 */
/*
 * For how long an entry of nf_conntrack has had no packet. nf_conntrack does not
 * say so; its timeouts tell.
 */
#ifndef _FT_GUARD_IDLE_H
#define _FT_GUARD_IDLE_H

#include <linux/types.h>

struct nf_conn;

/* Nothing tells. */
#define FT_GUARD_IDLE_UNKNOWN	U32_MAX

u32 ft_guard_idle(const struct nf_conn *ct);

#endif /* _FT_GUARD_IDLE_H */
