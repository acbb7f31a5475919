/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Why a packet is INVALID: the reasons, their names, and telling them to the
 * log (sysctl log_invalid), the tracepoint and the counter.
 */
#ifndef _FT_INVALID_H
#define _FT_INVALID_H

#include <linux/types.h>

struct ft_net;
struct nf_hook_state;
struct sk_buff;

/* Reason and the words that the log and the tracepoint use for it. */
#define FT_INVALID_REASONS(R)						\
	R(NONE,			"valid")				\
	R(TRUNCATED,		"truncated packet")			\
	R(IP_HEADER,		"inconsistent IP header")		\
	R(FRAGMENT,		"unexpected fragment")			\
	R(TCP_HEADER,		"inconsistent TCP header")		\
	R(TCP_FLAGS,		"invalid TCP flag combination")		\
	R(TCP_STATE,		"TCP packet not valid in this state")	\
	R(TCP_MIDSTREAM,	"TCP packet of no known connection")	\
	R(TCP_SEQ_OVER,		"TCP sequence over the upper bound")	\
	R(TCP_SEQ_UNDER,	"TCP sequence under the lower bound")	\
	R(TCP_ACK_OVER,		"TCP acknowledgment over the upper bound") \
	R(TCP_ACK_UNDER,	"TCP acknowledgment under the lower bound") \
	R(TCP_RST,		"TCP reset out of sequence")		\
	R(TCP_SYN_ACK,		"TCP SYN-ACK out of sync")		\
	R(UDP_HEADER,		"inconsistent UDP header")		\
	R(ICMP_HEADER,		"inconsistent ICMP header")		\
	R(ICMP_TYPE,		"ICMP type opens no flow")		\
	R(ICMP_INNER,		"ICMP error with unusable inner packet") \
	R(ICMP_NO_FLOW,		"ICMP error about no known flow")	\
	R(ICMP_OUTER,		"ICMP error from where the flow does not go") \
	R(ICMP_WINDOW,		"ICMP error about a segment out of window") \
	R(SCTP_HEADER,		"inconsistent SCTP header")		\
	R(SCTP_VTAG,		"SCTP verification tag does not match")	\
	R(SCTP_STATE,		"SCTP chunk not valid in this state")	\
	R(GRE_HEADER,		"inconsistent GRE header")		\
	R(CHECKSUM,		"bad checksum")

#define FT_INVALID_ENUM(name, words) FT_INVALID_##name,
/* enum ft_invalid - reasons; FT_INVALID_NONE is 0, "no objection" */
enum ft_invalid {
	FT_INVALID_REASONS(FT_INVALID_ENUM)
	FT_INVALID_COUNT
};

#undef FT_INVALID_ENUM

const char *ft_invalid_name(enum ft_invalid reason);
void ft_invalid(struct ft_net *tn, const struct sk_buff *skb,
		const struct nf_hook_state *state, u8 l4proto,
		enum ft_invalid reason);

#endif /* _FT_INVALID_H */
