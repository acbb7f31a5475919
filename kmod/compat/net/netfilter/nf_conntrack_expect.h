/* SPDX-License-Identifier: GPL-2.0 */
/* Newer kernels (7.2) copy the tuple of the master: it may be gone before. */
#ifndef _FT_COMPAT_NET_NF_CONNTRACK_EXPECT_H
#define _FT_COMPAT_NET_NF_CONNTRACK_EXPECT_H

#include_next <net/netfilter/nf_conntrack_expect.h>

static inline const struct nf_conntrack_tuple *
ft_compat_expect_master(const struct nf_conntrack_expect *exp)
{
#ifdef FT_HAVE_EXPECT_MASTER_TUPLE
	return &exp->master_tuple;
#else
	return &exp->master->tuplehash[IP_CT_DIR_ORIGINAL].tuple;
#endif
}

static inline void ft_compat_expect_set_master(struct nf_conntrack_expect *exp)
{
#ifdef FT_HAVE_EXPECT_MASTER_TUPLE
	exp->master_tuple = exp->master->tuplehash[IP_CT_DIR_ORIGINAL].tuple;
#endif
}

#endif /* _FT_COMPAT_NET_NF_CONNTRACK_EXPECT_H */
