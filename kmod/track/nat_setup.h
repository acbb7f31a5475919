/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A mapping that is known is given to an entry of nf_conntrack, as ctnetlink gives one.
 */
#ifndef _FT_TRACK_NAT_SETUP_H
#define _FT_TRACK_NAT_SETUP_H

#include <linux/types.h>

struct nf_conn;
struct nf_conntrack_tuple;

bool ft_nat_setup_source(struct nf_conn *ct, const struct nf_conntrack_tuple *reply);
bool ft_nat_setup(struct nf_conn *ct, const struct nf_conntrack_tuple *reply, u32 word);

#endif /* _FT_TRACK_NAT_SETUP_H */
