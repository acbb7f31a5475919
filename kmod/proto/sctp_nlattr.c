// SPDX-License-Identifier: GPL-2.0
/*
 * SCTP's verification tags as netlink attributes: of a flow that is shown or
 * entered.
 */
#include <linux/in.h>
#include <linux/netlink.h>
#include <linux/nf_flowtrack.h>
#include <linux/skbuff.h>
#include <net/netlink.h>

#include "base/extack.h"
#include "flow/flow.h"
#include "proto/nlattr.h"

#define A(name)		FLOWTRACK_A_FLOW_##name

/**
 * ft_sctp_nlattr_size() - what ft_sctp_to_nlattr() adds to a message
 *
 * Return: bytes.
 */
size_t ft_sctp_nlattr_size(void)
{
	return 2 * nla_total_size(sizeof(u32));
}

/**
 * ft_sctp_to_nlattr() - encode the tags of an association
 * @skb: message
 * @sctp: state of the flow
 *
 * Context: any.
 * Return: 0 or -EMSGSIZE.
 */
int ft_sctp_to_nlattr(struct sk_buff *skb, const struct ft_sctp *sctp)
{
	return nla_put_be32(skb, A(VTAG_ORIG), sctp->vtag[FT_DIR_ORIG]) ?:
	       nla_put_be32(skb, A(VTAG_REPLY), sctp->vtag[FT_DIR_REPLY]);
}

/**
 * ft_sctp_from_nlattr() - read the tags of a flow that is entered
 * @attrs: FLOWTRACK_A_FLOW_*, each of them checked by its policy
 * @l4proto: protocol of the flow
 * @sctp: state of the flow, zeroed; filled if it is SCTP and they are there
 * @extack: for errors
 *
 * Context: any.
 * Return: 0, or -EINVAL with message and attribute in @extack.
 */
int ft_sctp_from_nlattr(struct nlattr **attrs, u8 l4proto, struct ft_sctp *sctp,
			struct netlink_ext_ack *extack)
{
	struct nlattr *orig = attrs[A(VTAG_ORIG)];
	struct nlattr *reply = attrs[A(VTAG_REPLY)];

	if (!orig && !reply)
		return 0;
	if (l4proto != IPPROTO_SCTP)
		return FT_NETLINK_BAD(extack, orig ?: reply,
				      "the protocol is not SCTP");
	if (orig)
		sctp->vtag[FT_DIR_ORIG] = nla_get_be32(orig);
	if (reply)
		sctp->vtag[FT_DIR_REPLY] = nla_get_be32(reply);
	return 0;
}
