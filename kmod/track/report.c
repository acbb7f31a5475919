// SPDX-License-Identifier: GPL-2.0
#include <linux/in.h>
#include <linux/net.h>
#include <linux/netfilter.h>
#include <net/netfilter/nf_log.h>

#include "base/invalid.h"
#include "base/settings.h"
#include "base/stats.h"
#include "net.h"
#include "track/report.h"
#include "track/trace.h"

/**
 * ft_log_invalid() - count, trace and, where wanted, log an INVALID packet
 * @tn: namespace
 * @skb: the packet
 * @state: where it is
 * @l4proto: its transport protocol, 0 if unknown
 * @reason: what is wrong with it
 *
 * The setting log_invalid has nf_conntrack's meaning: a protocol number, or 255
 * for all, or 0 for none. Unlike there the log is limited in rate: the sender
 * of the packets must not decide how much is logged.
 *
 * Context: softirq or process context, RCU read side; no flow lock held, since
 * a logger may look at flows.
 */
void ft_log_invalid(struct ft_net *tn, const struct sk_buff *skb,
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
