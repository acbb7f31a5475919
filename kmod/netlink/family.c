// SPDX-License-Identifier: GPL-2.0
/*
 * The family as its parts see it: groups to send to, and answers.
 */
#include <linux/module.h>
#include <linux/nf_flowtrack.h>
#include <linux/skbuff.h>
#include <net/genetlink.h>
#include <net/netlink.h>

#include "base/notify.h"
#include "base/stats.h"
#include "net.h"
#include "netlink/family.h"

/* Flows are as private when they are announced as when they are asked for. */
static const struct genl_multicast_group mcgrps[] = {
	[FT_MCGRP_EVENTS] = {
		.name = FLOWTRACK_MCGRP_EVENTS,
		.flags = GENL_MCAST_CAP_NET_ADMIN,
	},
	[FT_MCGRP_PRESSURE] = {
		.name = FLOWTRACK_MCGRP_PRESSURE,
		.flags = GENL_MCAST_CAP_NET_ADMIN,
	},
};

/* Its operations are netlink.c's, which knows what serves them. */
struct genl_family ft_genl_family __ro_after_init = {
	.name = FLOWTRACK_FAMILY_NAME,
	.version = FLOWTRACK_FAMILY_VERSION,
	.netnsok = true,
	.parallel_ops = true,
	.module = THIS_MODULE,
	.mcgrps = mcgrps,
	.n_mcgrps = ARRAY_SIZE(mcgrps),
};

/**
 * ft_netlink_reply() - begin the answer to a request
 * @info: the request
 * @payload: bytes of attributes at most
 * @hdr: set; for ft_netlink_send()
 *
 * Context: may sleep.
 * Return: the message, or NULL with the reason in the request's extack.
 */
struct sk_buff *ft_netlink_reply(struct genl_info *info, size_t payload,
				 void **hdr)
{
	struct sk_buff *skb = genlmsg_new(payload, GFP_KERNEL);

	if (skb) {
		*hdr = genlmsg_put_reply(skb, info, &ft_genl_family, 0,
					 info->genlhdr->cmd);
		if (*hdr)
			return skb;
	}
	nlmsg_free(skb);
	GENL_SET_ERR_MSG(info, "no memory for the answer");
	return NULL;
}

/**
 * ft_netlink_send() - end the answer to a request and send it
 * @info: the request
 * @skb: from ft_netlink_reply(); consumed
 * @hdr: likewise
 * @err: what came of filling it; not sent if an error
 *
 * Return: 0, @err, or the error of sending.
 */
int ft_netlink_send(struct genl_info *info, struct sk_buff *skb, void *hdr,
		    int err)
{
	if (err) {
		nlmsg_free(skb);
		GENL_SET_ERR_MSG(info, "the answer does not fit into a message");
		return err;
	}
	genlmsg_end(skb, hdr);
	return genlmsg_reply(skb, info);
}

/**
 * ft_genl_multicast() - send a notification
 * @tn: namespace
 * @group: its receivers
 * @skb: the notification, consumed; NULL: there was no memory for it
 * @err: what came of filling it; not sent if an error
 *
 * A notification is lost when there is no memory for it, or when a listener
 * that asked for such errors (NETLINK_BROADCAST_ERROR) does not keep up; other
 * listeners see ENOBUFS on their sockets. Losses are counted.
 *
 * Context: RCU read side; any but hard interrupts.
 */
void ft_genl_multicast(struct ft_net *tn, enum ft_mcgrp group,
		       struct sk_buff *skb, int err)
{
	if (!skb || err) {
		nlmsg_free(skb);
		ft_stat_inc(tn, EVENT_LOST);
		return;
	}
	err = genlmsg_multicast_netns(&ft_genl_family, tn->net, skb, 0, group,
				      GFP_ATOMIC);
	/* The last listener may have left just now. */
	if (err && err != -ESRCH)
		ft_stat_inc(tn, EVENT_LOST);
}
