/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tracepoints of the system "nf_flowtrack": a flow began, ended, was evicted;
 * a packet was found invalid.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM nf_flowtrack

#if !defined(_FT_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _FT_TRACE_H

#include <linux/skbuff.h>
#include <linux/tracepoint.h>
#include <net/net_namespace.h>

#include "base/invalid.h"
#include "flow/flow.h"

/* A flow as all its tracepoints print it: initiator first. */
DECLARE_EVENT_CLASS(nf_flowtrack_flow,
	TP_PROTO(const struct net *net, const struct ft_flow6 *copy, u32 index,
		 unsigned int reason),
	TP_ARGS(net, copy, index, reason),
	TP_STRUCT__entry(
		__field(unsigned int, netns)
		__field(u64, id)
		__field(u8, family)
		__field(u8, l4proto)
		__field(u8, state)
		__field(u8, class)
		__field(u16, zone)
		__field(u16, port_orig)
		__field(u16, port_reply)
		__field(unsigned int, reason)
		__array(u8, orig, 16)
		__array(u8, reply, 16)
	),
	TP_fast_assign(
		u32 word = atomic_read(&copy->f.word);
		unsigned int hi = !!(word & FT_FLOW_ORIG_HI);
		bool v6 = copy->f.key.family == NFPROTO_IPV6;
		struct in6_addr mapped[2];

		ipv6_addr_set_v4mapped(copy->f.key.addr4[hi], &mapped[0]);
		ipv6_addr_set_v4mapped(copy->f.key.addr4[!hi], &mapped[1]);
		__entry->netns = net->ns.inum;
		__entry->id = (u64)copy->f.gen << 32 | index;
		__entry->family = copy->f.key.family;
		__entry->l4proto = copy->f.key.l4proto;
		__entry->state = ft_word_state(word);
		__entry->class = ft_word_class(word);
		__entry->zone = copy->f.key.zone;
		__entry->port_orig = ntohs(copy->f.key.port[hi]);
		__entry->port_reply = ntohs(copy->f.key.port[!hi]);
		__entry->reason = reason;
		memcpy(__entry->orig, v6 ? &copy->addr6[hi] : &mapped[0], 16);
		memcpy(__entry->reply, v6 ? &copy->addr6[!hi] : &mapped[1], 16);
	),
	TP_printk("netns=%u id=%llu proto=%u src=%pI6c dst=%pI6c sport=%u dport=%u zone=%u state=%u class=%u reason=%u",
		  __entry->netns, __entry->id, __entry->l4proto,
		  __entry->orig, __entry->reply, __entry->port_orig,
		  __entry->port_reply, __entry->zone, __entry->state,
		  __entry->class, __entry->reason)
);

DEFINE_EVENT(nf_flowtrack_flow, nf_flowtrack_new,
	TP_PROTO(const struct net *net, const struct ft_flow6 *copy, u32 index,
		 unsigned int reason),
	TP_ARGS(net, copy, index, reason)
);

DEFINE_EVENT(nf_flowtrack_flow, nf_flowtrack_destroy,
	TP_PROTO(const struct net *net, const struct ft_flow6 *copy, u32 index,
		 unsigned int reason),
	TP_ARGS(net, copy, index, reason)
);

DEFINE_EVENT(nf_flowtrack_flow, nf_flowtrack_evict,
	TP_PROTO(const struct net *net, const struct ft_flow6 *copy, u32 index,
		 unsigned int reason),
	TP_ARGS(net, copy, index, reason)
);

TRACE_EVENT(nf_flowtrack_invalid,
	TP_PROTO(const struct net *net, const struct sk_buff *skb, u8 l4proto,
		 unsigned int reason),
	TP_ARGS(net, skb, l4proto, reason),
	TP_STRUCT__entry(
		__field(unsigned int, netns)
		__field(const void *, skbaddr)
		__field(unsigned int, len)
		__field(u8, l4proto)
		__field(unsigned int, reason)
	),
	TP_fast_assign(
		__entry->netns = net->ns.inum;
		__entry->skbaddr = skb;
		__entry->len = skb->len;
		__entry->l4proto = l4proto;
		__entry->reason = reason;
	),
	TP_printk("netns=%u skbaddr=%p len=%u proto=%u reason=%s",
		  __entry->netns, __entry->skbaddr, __entry->len,
		  __entry->l4proto, ft_invalid_name(__entry->reason))
);

#endif /* _FT_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH track
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
