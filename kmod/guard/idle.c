// SPDX-License-Identifier: GPL-2.0
/*
 * Each packet sets the timeout of its entry anew, so an entry has been idle for
 * what is missing from that. Where a packet may have set one of several timeouts
 * the least that fits is taken: an entry in use must never look idle.
 */
#include <linux/in.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/netfilter/nf_conntrack_sctp.h>
#include <linux/netfilter/nf_conntrack_tcp.h>
#include <net/net_namespace.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_conntrack_extend.h>

#include "guard/idle.h"

/* By a timeout, if that may be the one that was set: a shorter one can't leave @left. */
static u32 by_timeout(const unsigned int *timeout, u32 left)
{
	u32 whole = READ_ONCE(*timeout);

	return whole >= left ? whole - left : FT_GUARD_IDLE_UNKNOWN;
}

/*
 * While an acknowledgment is due, or after a reset that was not believed, a
 * connection has another timeout than its state says.
 */
static u32 idle_tcp(const struct nf_tcp_net *tcp, const struct nf_conn *ct,
		    u32 left)
{
	static const u8 others[] = {
		TCP_CONNTRACK_RETRANS, TCP_CONNTRACK_UNACK, TCP_CONNTRACK_CLOSE,
	};
	u8 state = READ_ONCE(ct->proto.tcp.state);
	unsigned int i;
	u32 idle;

	if (state >= TCP_CONNTRACK_MAX)
		return FT_GUARD_IDLE_UNKNOWN;
	idle = by_timeout(&tcp->timeouts[state], left);
	for (i = 0; i < ARRAY_SIZE(others); i++)
		idle = min(idle, by_timeout(&tcp->timeouts[others[i]], left));
	return idle;
}

/* What goes both ways for long gets the second one, and becomes assured. */
static u32 idle_two(const unsigned int *unreplied, const unsigned int *replied,
		    bool assured, u32 left)
{
	u32 idle = by_timeout(replied, left);

	return assured ? idle : min(idle, by_timeout(unreplied, left));
}

#ifdef CONFIG_NF_CT_PROTO_SCTP
static u32 idle_sctp(const struct nf_sctp_net *sctp, const struct nf_conn *ct,
		     u32 left)
{
	u8 state = READ_ONCE(ct->proto.sctp.state);

	return state < SCTP_CONNTRACK_MAX ?
		       by_timeout(&sctp->timeouts[state], left) :
		       FT_GUARD_IDLE_UNKNOWN;
}
#endif

static u32 idle_proto(const struct nf_ip_net *proto, const struct nf_conn *ct,
		      u32 left)
{
	bool assured = READ_ONCE(ct->status) & IPS_ASSURED;

	switch (nf_ct_protonum(ct)) {
	case IPPROTO_TCP:
		return idle_tcp(&proto->tcp, ct, left);
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
		return idle_two(&proto->udp.timeouts[UDP_CT_UNREPLIED],
				&proto->udp.timeouts[UDP_CT_REPLIED], assured, left);
	case IPPROTO_ICMP:
		return by_timeout(&proto->icmp.timeout, left);
	case IPPROTO_ICMPV6:
		return by_timeout(&proto->icmpv6.timeout, left);
#ifdef CONFIG_NF_CT_PROTO_SCTP
	case IPPROTO_SCTP:
		return idle_sctp(&proto->sctp, ct, left);
#endif
#ifdef CONFIG_NF_CT_PROTO_GRE
	case IPPROTO_GRE:
		/* Set by the first packet, and kept. */
		return idle_two(&ct->proto.gre.timeout,
				&ct->proto.gre.stream_timeout, assured, left);
#endif
	case IPPROTO_DCCP:
		/* Some kernels track it, and each state has its timeout. */
		return FT_GUARD_IDLE_UNKNOWN;
	default:
		return by_timeout(&proto->generic.timeout, left);
	}
}

/* Does a timeout policy of the ruleset set its timeouts? */
static bool has_policy(const struct nf_conn *ct)
{
#ifdef CONFIG_NF_CONNTRACK_TIMEOUT
	return nf_ct_ext_exist(ct, NF_CT_EXT_TIMEOUT);
#else
	return false;
#endif
}

/**
 * ft_guard_idle() - for how long has an entry had no packet?
 * @ct: the entry, confirmed
 *
 * From nf_conntrack's timeouts as they are now: if one has been lowered since,
 * the answer is too little or unknown; if one has been raised, it is too much by
 * the difference, until the next packet.
 *
 * Context: any; the entry is referenced, or its bucket locked.
 * Return: jiffies; FT_GUARD_IDLE_UNKNOWN.
 */
u32 ft_guard_idle(const struct nf_conn *ct)
{
	s32 left = READ_ONCE(ct->timeout) - nfct_time_stamp;

	/* A flow table holds an offloaded one's timeout up. */
	if (READ_ONCE(ct->status) & (IPS_FIXED_TIMEOUT | IPS_OFFLOAD) ||
	    has_policy(ct))
		return FT_GUARD_IDLE_UNKNOWN;
	return idle_proto(&nf_ct_net(ct)->ct.nf_ct_proto, ct, max(left, 0));
}
