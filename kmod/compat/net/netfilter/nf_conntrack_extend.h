/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Some kernels (6.1) stamp the extensions of an nf_conn that is in no table, and
 * take them for invalid once any user of extensions was unloaded;
 * __nf_conntrack_confirm() takes the stamp away.
 */
#ifndef _FT_COMPAT_NET_NF_CONNTRACK_EXTEND_H
#define _FT_COMPAT_NET_NF_CONNTRACK_EXTEND_H

#include_next <net/netfilter/nf_conntrack_extend.h>

static inline void ft_compat_ct_ext_keep(struct nf_ct_ext *ext)
{
#ifdef FT_HAVE_NF_CT_EXT_GEN_ID
	ext->gen_id = 0;
#endif
}

#endif /* _FT_COMPAT_NET_NF_CONNTRACK_EXTEND_H */
