/* SPDX-License-Identifier: GPL-2.0 */
/* Newer kernels note when the first event that has not been told yet happened. */
#ifndef _FT_COMPAT_NET_NF_CONNTRACK_ECACHE_H
#define _FT_COMPAT_NET_NF_CONNTRACK_ECACHE_H

#include_next <net/netfilter/nf_conntrack_ecache.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <net/netlink.h>

static inline int ft_compat_put_event_time(struct sk_buff *skb, const struct nf_conn *ct)
{
#if defined(FT_HAVE_CTA_TIMESTAMP_EVENT) && defined(CONFIG_NF_CONNTRACK_TIMESTAMP)
	const struct nf_conntrack_ecache *e = nf_ct_ecache_find(ct);
	u64 time = e ? local64_read(&e->timestamp) : 0;

	if (time)
		return nla_put_be64(skb, CTA_TIMESTAMP_EVENT, cpu_to_be64(time), CTA_TIMESTAMP_PAD);
#endif
	return 0;
}

/*
 * Newer kernels (7.3) copy from the master which events of an expectation are wanted, in
 * nf_ct_expect_init().
 */
static inline void ft_compat_expect_set_events(struct nf_conntrack_expect *exp)
{
#if defined(FT_HAVE_EXPECT_EVENT_MASK) && defined(CONFIG_NF_CONNTRACK_EVENTS)
	const struct nf_conntrack_ecache *ecache = nf_ct_ecache_find(exp->master);

	exp->event_mask = ecache ? ecache->expmask : 0;
#endif
}

#endif /* _FT_COMPAT_NET_NF_CONNTRACK_ECACHE_H */
