/* SPDX-License-Identifier: GPL-2.0 */
/* Newer kernels (7.2) count the users of a helper, which may lose its code while it has some. */
#ifndef _FT_COMPAT_NET_NF_CONNTRACK_HELPER_H
#define _FT_COMPAT_NET_NF_CONNTRACK_HELPER_H

#include_next <net/netfilter/nf_conntrack_helper.h>

static inline bool ft_compat_helper_get(struct nf_conntrack_helper *helper)
{
#ifdef FT_HAVE_HELPER_CT_REFCNT
	return refcount_inc_not_zero(&helper->ct_refcnt);
#else
	return true;
#endif
}

static inline bool ft_compat_helper_lives(const struct nf_conntrack_helper *helper)
{
#ifdef FT_HAVE_HELPER_CT_REFCNT
	return rcu_access_pointer(helper->help);
#else
	return true;
#endif
}

#endif /* _FT_COMPAT_NET_NF_CONNTRACK_HELPER_H */
