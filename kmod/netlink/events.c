// SPDX-License-Identifier: GPL-2.0
#include <linux/ktime.h>
#include <linux/netlink.h>
#include <linux/nf_flowtrack.h>
#include <linux/timekeeping.h>
#include <net/genetlink.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/netlink.h>

#include "base/notify.h"
#include "base/settings.h"
#include "flow/flow.h"
#include "guard/watch.h"
#include "net.h"
#include "netlink/encode.h"
#include "netlink/events.h"
#include "netlink/family.h"
#include "netlink/guarded.h"

static int put_stop(struct sk_buff *skb, const struct ft_net *tn)
{
	if (!ft_setting(&tn->set, TIMESTAMP))
		return 0;
	return nla_put_u64_64bit(skb, FLOWTRACK_A_FLOW_STOP,
				 ktime_get_real_ns(), FLOWTRACK_A_FLOW_PAD);
}

static int put_flow_event(struct sk_buff *skb, const struct ft_net *tn,
			  unsigned int cmd, const struct ft_flow6 *copy, u32 index,
			  enum flowtrack_reason reason)
{
	void *hdr = genlmsg_put(skb, 0, 0, &ft_genl_family, 0, cmd);
	int err;

	if (!hdr)
		return -EMSGSIZE;
	err = ft_netlink_put_flow(skb, tn, copy, index);
	if (!err && cmd == FLOWTRACK_CMD_FLOW_DESTROY_NTF)
		err = nla_put_u8(skb, FLOWTRACK_A_FLOW_REASON, reason) ?: put_stop(skb, tn);
	genlmsg_end(skb, hdr);
	return err;
}

/**
 * ft_events_flow() - tell the listeners about a flow
 * @tn: namespace
 * @cmd: FLOWTRACK_CMD_FLOW_NEW_NTF, _UPDATE_NTF or _DESTROY_NTF
 * @copy: the flow
 * @index: its index
 * @reason: destroy: why it ended
 *
 * Context: RCU read side, softirq or BH disabled; ft_notify_wanted().
 * Return: 0: what is lost is counted, and not told again.
 */
int ft_events_flow(struct ft_net *tn, unsigned int cmd,
		   const struct ft_flow6 *copy, u32 index,
		   enum flowtrack_reason reason)
{
	struct sk_buff *skb = genlmsg_new(ft_netlink_flow_size(), GFP_ATOMIC);

	ft_genl_multicast(tn, FT_MCGRP_EVENTS, skb, skb ?
			  put_flow_event(skb, tn, cmd, copy, index, reason) : 0);
	return 0;
}

/* Of all reasons nf_conntrack leaves only that one to be seen. */
static int put_guarded_end(struct sk_buff *skb, const struct ft_net *tn,
			   const struct nf_conn *ct)
{
	int err = 0;

	if (nf_ct_is_expired(ct))
		err = nla_put_u8(skb, FLOWTRACK_A_FLOW_REASON, FLOWTRACK_REASON_TIMEOUT);
	return err ?: put_stop(skb, tn);
}

static int put_guarded_event(struct sk_buff *skb, const struct ft_net *tn,
			     unsigned int cmd, const struct nf_conn *ct)
{
	void *hdr = genlmsg_put(skb, 0, 0, &ft_genl_family, 0, cmd);
	int err;

	if (!hdr)
		return -EMSGSIZE;
	err = ft_netlink_put_guarded(skb, ct);
	if (!err && cmd == FLOWTRACK_CMD_FLOW_DESTROY_NTF)
		err = put_guarded_end(skb, tn, ct);
	genlmsg_end(skb, hdr);
	return err;
}

/**
 * ft_events_guarded() - tell the listeners about a guarded flow
 * @tn: namespace
 * @cmd: FLOWTRACK_CMD_FLOW_NEW_NTF, _UPDATE_NTF or _DESTROY_NTF
 * @ct: its entry, referenced
 *
 * An entry that nobody guards is not told of.
 *
 * Context: RCU read side; any but hard interrupts.
 */
void ft_events_guarded(struct ft_net *tn, unsigned int cmd, const struct nf_conn *ct)
{
	struct sk_buff *skb;

	if (!ft_guard_on(tn))
		return;
	skb = genlmsg_new(ft_netlink_flow_size(), GFP_ATOMIC);
	ft_genl_multicast(tn, FT_MCGRP_EVENTS, skb, skb ? put_guarded_event(skb, tn, cmd, ct) : 0);
}
