/* SPDX-License-Identifier: GPL-2.0 */
/*
 * 6.11 tells a probe of kfree_skb which socket was to have the packet, 7.x by a
 * pointer to const. A probe that does not care is FT_KFREE_SKB_PROBE(NAME), and
 * has data, skb, location and reason.
 */
#ifndef _FT_COMPAT_TRACE_EVENTS_SKB_H
#define _FT_COMPAT_TRACE_EVENTS_SKB_H

#include_next <trace/events/skb.h>

#ifdef FT_HAVE_KFREE_SKB_CONST_SK
#define FT_KFREE_SKB_SK	const struct sock *
#else
#define FT_KFREE_SKB_SK	struct sock *
#endif

#ifdef FT_HAVE_KFREE_SKB_RX_SK
#define FT_KFREE_SKB_PROBE(name)					\
	name(void *data, struct sk_buff *skb, void *location,		\
	     enum skb_drop_reason reason, FT_KFREE_SKB_SK rx_sk)
#else
#define FT_KFREE_SKB_PROBE(name)					\
	name(void *data, struct sk_buff *skb, void *location,		\
	     enum skb_drop_reason reason)
#endif

#endif /* _FT_COMPAT_TRACE_EVENTS_SKB_H */
