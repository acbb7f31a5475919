// SPDX-License-Identifier: GPL-2.0
/*
 * Telling why a packet is INVALID.
 */
#include <linux/in.h>
#include <linux/net.h>
#include <linux/netfilter.h>
#include <net/netfilter/nf_log.h>

#include "invalid.h"
#include "net.h"
#include "stats.h"
#include "trace.h"

static const char * const reason_words[FT_INVALID_COUNT] = {
	[FT_INVALID_NONE] = "valid",
	[FT_INVALID_TRUNCATED] = "truncated packet",
	[FT_INVALID_IP_HEADER] = "inconsistent IP header",
	[FT_INVALID_FRAGMENT] = "unexpected fragment",
	[FT_INVALID_TCP_HEADER] = "inconsistent TCP header",
	[FT_INVALID_TCP_FLAGS] = "invalid TCP flag combination",
	[FT_INVALID_TCP_STATE] = "TCP packet not valid in this state",
	[FT_INVALID_TCP_MIDSTREAM] = "TCP packet of no known connection",
	[FT_INVALID_TCP_SEQ_OVER] = "TCP sequence over the upper bound",
	[FT_INVALID_TCP_SEQ_UNDER] = "TCP sequence under the lower bound",
	[FT_INVALID_TCP_ACK_OVER] = "TCP acknowledgment over the upper bound",
	[FT_INVALID_TCP_ACK_UNDER] = "TCP acknowledgment under the lower bound",
	[FT_INVALID_TCP_RST] = "TCP reset out of sequence",
	[FT_INVALID_TCP_SYN_ACK] = "TCP SYN-ACK out of sync",
	[FT_INVALID_UDP_HEADER] = "inconsistent UDP header",
	[FT_INVALID_ICMP_HEADER] = "inconsistent ICMP header",
	[FT_INVALID_ICMP_TYPE] = "ICMP type opens no flow",
	[FT_INVALID_ICMP_INNER] = "ICMP error with unusable inner packet",
	[FT_INVALID_ICMP_NO_FLOW] = "ICMP error about no known flow",
	[FT_INVALID_ICMP_OUTER] = "ICMP error from where the flow does not go",
	[FT_INVALID_ICMP_WINDOW] = "ICMP error about a segment out of window",
	[FT_INVALID_SCTP_HEADER] = "inconsistent SCTP header",
	[FT_INVALID_SCTP_VTAG] = "SCTP verification tag does not match",
	[FT_INVALID_SCTP_STATE] = "SCTP chunk not valid in this state",
	[FT_INVALID_GRE_HEADER] = "inconsistent GRE header",
	[FT_INVALID_CHECKSUM] = "bad checksum",
};

/**
 * ft_invalid_name() - the words for a reason
 * @reason: the reason
 *
 * Context: any.
 * Return: a string that never goes away; never NULL.
 */
const char *ft_invalid_name(enum ft_invalid reason)
{
	if ((unsigned int)reason >= FT_INVALID_COUNT)
		return "unknown reason";
	return reason_words[reason];
}

/**
 * ft_invalid() - count, trace and, where wanted, log an INVALID packet
 * @tn: namespace
 * @skb: the packet
 * @state: where it is
 * @l4proto: its transport protocol, 0 if unknown
 * @reason: what is wrong with it
 *
 * The setting log_invalid has nf_conntrack's meaning: a protocol number, or
 * 255 for all, or 0 for none. Unlike there the log is limited in rate: who
 * sends the packets must not decide how much is logged.
 *
 * Context: softirq or process context, RCU read side; no flow lock held, since
 * a logger may look at flows.
 */
void ft_invalid(struct ft_net *tn, const struct sk_buff *skb,
		const struct nf_hook_state *state, u8 l4proto,
		enum ft_invalid reason)
{
	u32 log;

	ft_stat_inc(tn, INVALID);
	trace_nf_flowtrack_invalid(tn->net, skb, l4proto, reason);

	log = ft_setting(&tn->set, LOG_INVALID);
	if (!log || (log != l4proto && log != IPPROTO_RAW) || !net_ratelimit())
		return;
	nf_log_packet(tn->net, state->pf, state->hook, skb, state->in,
		      state->out, NULL, "nf_flowtrack: %s ",
		      ft_invalid_name(reason));
}
