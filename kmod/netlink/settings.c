// SPDX-License-Identifier: GPL-2.0
/*
 * settings-get, settings-set: what the sysctls show, in one piece.
 */
#include <linux/netlink.h>
#include <linux/nf_flowtrack.h>
#include <linux/user_namespace.h>
#include <net/genetlink.h>
#include <net/netlink.h>

#include "base/follow.h"
#include "base/settings.h"
#include "control.h"
#include "net.h"
#include "netlink/family.h"
#include "netlink/settings.h"

/* Ranges are checked in settings.c, for netlink and sysctl alike. */
const struct nla_policy ft_settings_policy[FLOWTRACK_A_SETTINGS_MAX + 1] = {
	[1 ... FLOWTRACK_A_SETTINGS_MAX] = { .type = NLA_U32 },
};

/**
 * ft_netlink_settings_get() - show all settings
 * @skb: request
 * @info: likewise
 *
 * Return: 0 or -ENOMEM.
 */
int ft_netlink_settings_get(struct sk_buff *skb, struct genl_info *info)
{
	struct ft_net *tn = ft_netlink_net(info);
	struct sk_buff *msg;
	unsigned int i;
	int err = 0;
	void *hdr;

	msg = ft_netlink_reply(info, FLOWTRACK_A_SETTINGS_MAX *
			       nla_total_size(sizeof(u32)) +
			       nla_total_size_64bit(sizeof(u64)), &hdr);
	if (!msg)
		return -ENOMEM;
	for (i = 1; i <= FLOWTRACK_A_SETTINGS_MAX && !err; i++) {
		if (ft_setting_descs[i].name)
			err = nla_put_u32(msg, i, ft_settings_get(tn, i));
	}
	err = err ?: nla_put_u64_64bit(msg, FLOWTRACK_A_SETTINGS_FOLLOWING,
				       ft_follow_which(&tn->follow), 0);
	return ft_netlink_send(info, msg, hdr, err);
}

/* See mode_of() in sysctl.c; here the host's administrator may. */
static int check_permission(struct sk_buff *skb, struct genl_info *info,
			    unsigned int attr)
{
	if (!ft_setting_descs[attr].memory ||
	    genl_info_net(info)->user_ns == &init_user_ns ||
	    netlink_capable(skb, CAP_NET_ADMIN))
		return 0;
	NL_SET_ERR_MSG_ATTR(info->extack, info->attrs[attr],
			    "bounds memory: only from the initial user namespace");
	return -EPERM;
}

/**
 * ft_netlink_settings_set() - change settings, all that are named or none
 * @skb: request
 * @info: likewise
 *
 * Return: 0; -EINVAL; -EPERM; as ft_settings_apply().
 */
int ft_netlink_settings_set(struct sk_buff *skb, struct genl_info *info)
{
	struct ft_settings wanted;
	unsigned int bad, i;
	u64 which = 0;
	int err;

	for (i = 1; i <= FLOWTRACK_A_SETTINGS_MAX; i++) {
		if (!info->attrs[i])
			continue;
		err = check_permission(skb, info, i);
		if (err)
			return err;
		wanted.v[i] = nla_get_u32(info->attrs[i]);
		which |= BIT_ULL(i);
	}
	if (!which) {
		GENL_SET_ERR_MSG(info, "no setting given");
		return -EINVAL;
	}
	err = ft_settings_apply(ft_netlink_net(info), &wanted, which, &bad,
				info->extack);
	if (err)
		NL_SET_BAD_ATTR(info->extack, info->attrs[bad]);
	return err;
}
