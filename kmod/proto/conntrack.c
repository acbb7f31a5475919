// SPDX-License-Identifier: GPL-2.0
#include <linux/export.h>
#include <linux/in.h>
#include <linux/minmax.h>
#include <linux/nf_flowtrack.h>
#include <net/tcp.h>
#include <net/netfilter/nf_conntrack.h>

#include "flow/flow.h"
#include "flow/tuple.h"
#include "proto/conntrack.h"
#include "proto/proto.h"

/* Of protocols without states the status says all. */
static u8 state_of_status(unsigned long status)
{
	if (status & IPS_ASSURED)
		return FLOWTRACK_FLOW_STATE_STREAM;
	return status & IPS_SEEN_REPLY ? FLOWTRACK_FLOW_STATE_REPLIED :
					 FLOWTRACK_FLOW_STATE_UNREPLIED;
}

/**
 * ft_proto_conntrack_word() - a flow of nf_conntrack in the terms of flowtrack
 * @ct: its entry
 *
 * Context: any; the entry is referenced, or the packet's own.
 * Return: FT_FLOW_* bits: status, state, class.
 */
u32 ft_proto_conntrack_word(const struct nf_conn *ct)
{
	unsigned long status = READ_ONCE(ct->status);
	u8 l4proto = nf_ct_protonum(ct);
	u32 word = 0;
	u8 state;

	if (status & IPS_SEEN_REPLY)
		word |= FT_FLOW_SEEN_REPLY;
	if (status & IPS_ASSURED)
		word |= FT_FLOW_ASSURED;
	switch (l4proto) {
	case IPPROTO_TCP:
		state = READ_ONCE(ct->proto.tcp.state);
		break;
	case IPPROTO_SCTP:
		state = READ_ONCE(ct->proto.sctp.state);
		break;
	default:
		state = state_of_status(status);
		break;
	}
	return ft_proto_word(l4proto, word, state);
}
EXPORT_SYMBOL_NS_GPL(ft_proto_conntrack_word, FT_SYMBOL_NS);

/**
 * ft_proto_conntrack_add() - give a flow the status that an entry of nf_conntrack has
 * @word: its FT_FLOW_* bits
 * @l4proto: IPPROTO_*
 * @status: IPS_*, of which IPS_SEEN_REPLY, IPS_ASSURED and IPS_FIXED_TIMEOUT count
 *
 * Context: any; pure.
 * Return: @word with what @status says besides.
 */
u32 ft_proto_conntrack_add(u32 word, u8 l4proto, unsigned long status)
{
	u8 state = ft_word_state(word);

	if (status & IPS_SEEN_REPLY)
		word |= FT_FLOW_SEEN_REPLY;
	if (status & IPS_ASSURED)
		word |= FT_FLOW_ASSURED;
	if (status & IPS_FIXED_TIMEOUT)
		word |= FT_FLOW_FIXED;
	if (!ft_l4_stateful(l4proto))
		state = max(state, min(state_of_status(status), ft_proto_state_max(l4proto)));
	return ft_proto_word(l4proto, word, state);
}
EXPORT_SYMBOL_NS_GPL(ft_proto_conntrack_add, FT_SYMBOL_NS);

static void tcp_to_conntrack(struct ip_ct_tcp *to, const struct ft_tcp *tcp, u32 word)
{
	unsigned int dir;

	to->state = ft_word_state(word);
	for (dir = 0; dir < IP_CT_DIR_MAX; dir++) {
		to->seen[dir].td_end = tcp->end[dir];
		to->seen[dir].td_maxend = tcp->maxend[dir];
		to->seen[dir].td_maxwin = tcp->maxwin[dir];
		to->seen[dir].td_maxack = tcp->maxack[dir];
		to->seen[dir].td_scale = tcp->scale[dir];
		to->seen[dir].flags = tcp->flags[dir];
	}
}

/**
 * ft_proto_to_conntrack() - tell an entry of nf_conntrack what is kept of a flow
 * @ct: the entry, of the flow's protocol; its protocol's part is zero, and is set
 * @flow: the flow
 * @word: its bits
 *
 * Context: any.
 */
void ft_proto_to_conntrack(struct nf_conn *ct, const struct ft_flow *flow, u32 word)
{
	unsigned int dir;

	switch (flow->key.l4proto) {
	case IPPROTO_TCP:
		tcp_to_conntrack(&ct->proto.tcp, &flow->proto.tcp, word);
		break;
	case IPPROTO_SCTP:
		ct->proto.sctp.state = ft_word_state(word);
		for (dir = 0; dir < IP_CT_DIR_MAX; dir++)
			ct->proto.sctp.vtag[dir] = flow->proto.sctp.vtag[dir];
		break;
	}
}
EXPORT_SYMBOL_NS_GPL(ft_proto_to_conntrack, FT_SYMBOL_NS);

/**
 * ft_proto_from_conntrack() - what a request may say of the protocol, from an entry
 * @ct: the entry, which nobody else changes
 * @state: of a flow of its protocol. TCP: flags and window scales are set; SCTP: tags;
 *	the rest stays
 *
 * Context: any; that of a change of @state.
 */
void ft_proto_from_conntrack(const struct nf_conn *ct, union ft_proto_state *state)
{
	const struct ip_ct_tcp_state *seen;
	unsigned int dir;

	switch (nf_ct_protonum(ct)) {
	case IPPROTO_TCP:
		for (dir = 0; dir < IP_CT_DIR_MAX; dir++) {
			seen = &ct->proto.tcp.seen[dir];
			state->tcp.flags[dir] = seen->flags;
			state->tcp.scale[dir] = min_t(u8, seen->td_scale, TCP_MAX_WSCALE);
		}
		break;
	case IPPROTO_SCTP:
		for (dir = 0; dir < IP_CT_DIR_MAX; dir++)
			state->sctp.vtag[dir] = ct->proto.sctp.vtag[dir];
		break;
	}
}
EXPORT_SYMBOL_NS_GPL(ft_proto_from_conntrack, FT_SYMBOL_NS);
