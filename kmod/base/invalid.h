/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Why a packet is INVALID: the reasons, and their names. report.c tells them.
 */
#ifndef _FT_BASE_INVALID_H
#define _FT_BASE_INVALID_H

/**
 * enum ft_invalid - why a packet is INVALID; ft_invalid_name() has the words
 * @FT_INVALID_NONE: valid
 * @FT_INVALID_TRUNCATED: truncated packet
 * @FT_INVALID_IP_HEADER: inconsistent IP header
 * @FT_INVALID_FRAGMENT: unexpected fragment
 * @FT_INVALID_TCP_HEADER: inconsistent TCP header
 * @FT_INVALID_TCP_FLAGS: invalid TCP flag combination
 * @FT_INVALID_TCP_STATE: TCP packet not valid in this state
 * @FT_INVALID_TCP_MIDSTREAM: TCP packet of no known connection
 * @FT_INVALID_TCP_SEQ_OVER: TCP sequence over the upper bound
 * @FT_INVALID_TCP_SEQ_UNDER: TCP sequence under the lower bound
 * @FT_INVALID_TCP_ACK_OVER: TCP acknowledgment over the upper bound
 * @FT_INVALID_TCP_ACK_UNDER: TCP acknowledgment under the lower bound
 * @FT_INVALID_TCP_RST: TCP reset out of sequence
 * @FT_INVALID_TCP_SYN_ACK: TCP SYN-ACK out of sync
 * @FT_INVALID_UDP_HEADER: inconsistent UDP header
 * @FT_INVALID_ICMP_HEADER: inconsistent ICMP header
 * @FT_INVALID_ICMP_TYPE: ICMP type opens no flow
 * @FT_INVALID_ICMP_INNER: ICMP error with unusable inner packet
 * @FT_INVALID_ICMP_NO_FLOW: ICMP error about no known flow
 * @FT_INVALID_ICMP_OUTER: ICMP error from where the flow does not go
 * @FT_INVALID_ICMP_WINDOW: ICMP error about a segment out of window
 * @FT_INVALID_SCTP_HEADER: inconsistent SCTP header
 * @FT_INVALID_SCTP_VTAG: SCTP verification tag does not match
 * @FT_INVALID_SCTP_STATE: SCTP chunk not valid in this state
 * @FT_INVALID_GRE_HEADER: inconsistent GRE header
 * @FT_INVALID_CHECKSUM: bad checksum
 * @FT_INVALID_COUNT: how many there are
 */
enum ft_invalid {
	FT_INVALID_NONE,
	FT_INVALID_TRUNCATED,
	FT_INVALID_IP_HEADER,
	FT_INVALID_FRAGMENT,
	FT_INVALID_TCP_HEADER,
	FT_INVALID_TCP_FLAGS,
	FT_INVALID_TCP_STATE,
	FT_INVALID_TCP_MIDSTREAM,
	FT_INVALID_TCP_SEQ_OVER,
	FT_INVALID_TCP_SEQ_UNDER,
	FT_INVALID_TCP_ACK_OVER,
	FT_INVALID_TCP_ACK_UNDER,
	FT_INVALID_TCP_RST,
	FT_INVALID_TCP_SYN_ACK,
	FT_INVALID_UDP_HEADER,
	FT_INVALID_ICMP_HEADER,
	FT_INVALID_ICMP_TYPE,
	FT_INVALID_ICMP_INNER,
	FT_INVALID_ICMP_NO_FLOW,
	FT_INVALID_ICMP_OUTER,
	FT_INVALID_ICMP_WINDOW,
	FT_INVALID_SCTP_HEADER,
	FT_INVALID_SCTP_VTAG,
	FT_INVALID_SCTP_STATE,
	FT_INVALID_GRE_HEADER,
	FT_INVALID_CHECKSUM,
	FT_INVALID_COUNT
};

const char *ft_invalid_name(enum ft_invalid reason);

#endif /* _FT_BASE_INVALID_H */
