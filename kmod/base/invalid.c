// SPDX-License-Identifier: GPL-2.0
/*
 * The words for why a packet is INVALID.
 */
#include "base/invalid.h"

static const char * const reason_names[FT_INVALID_COUNT] = {
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
	return reason_names[reason];
}
