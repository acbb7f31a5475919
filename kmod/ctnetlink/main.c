// SPDX-License-Identifier: GPL-2.0
/*
 * nf_flowtrack_ctnetlink: ctnetlink for both tables, in the place of
 * nf_conntrack_netlink.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>

#include "ctnetlink/events.h"
#include "ctnetlink/expect.h"
#include "ctnetlink/glue.h"
#include "ctnetlink/ops.h"
#include "ctnetlink/parse.h"
#include "ctnetlink/undelivered.h"
#include "track/hand_over.h"

static bool keep_own;

static const struct nfnl_callback callbacks[IPCTNL_MSG_MAX] = {
	[IPCTNL_MSG_CT_NEW] = {
		.call		= ft_ctnl_new,
		.type		= NFNL_CB_MUTEX,
		.attr_count	= CTA_MAX,
		.policy		= ft_ctnl_policy,
	},
	[IPCTNL_MSG_CT_GET] = {
		.call		= ft_ctnl_get,
		.type		= NFNL_CB_MUTEX,
		.attr_count	= CTA_MAX,
		.policy		= ft_ctnl_policy,
	},
	[IPCTNL_MSG_CT_DELETE] = {
		.call		= ft_ctnl_delete,
		.type		= NFNL_CB_MUTEX,
		.attr_count	= CTA_MAX,
		.policy		= ft_ctnl_policy,
	},
	[IPCTNL_MSG_CT_GET_CTRZERO] = {
		.call		= ft_ctnl_get,
		.type		= NFNL_CB_MUTEX,
		.attr_count	= CTA_MAX,
		.policy		= ft_ctnl_policy,
	},
	[IPCTNL_MSG_CT_GET_STATS_CPU] = {
		.call		= ft_ctnl_get_stats_cpu,
		.type		= NFNL_CB_MUTEX,
	},
	[IPCTNL_MSG_CT_GET_STATS] = {
		.call		= ft_ctnl_get_stats,
		.type		= NFNL_CB_MUTEX,
	},
	[IPCTNL_MSG_CT_GET_DYING] = {
		.call		= ft_ctnl_get_dying,
		.type		= NFNL_CB_MUTEX,
	},
	[IPCTNL_MSG_CT_GET_UNCONFIRMED] = {
		.call		= ft_ctnl_get_unconfirmed,
		.type		= NFNL_CB_MUTEX,
	},
};

static const struct nfnl_callback expect_callbacks[IPCTNL_MSG_EXP_MAX] = {
	[IPCTNL_MSG_EXP_NEW] = {
		.call		= ft_ctnl_expect_new,
		.type		= NFNL_CB_MUTEX,
		.attr_count	= CTA_EXPECT_MAX,
		.policy		= ft_ctnl_expect_policy,
	},
	[IPCTNL_MSG_EXP_GET] = {
		.call		= ft_ctnl_expect_get,
		.type		= NFNL_CB_MUTEX,
		.attr_count	= CTA_EXPECT_MAX,
		.policy		= ft_ctnl_expect_policy,
	},
	[IPCTNL_MSG_EXP_DELETE] = {
		.call		= ft_ctnl_expect_delete,
		.type		= NFNL_CB_MUTEX,
		.attr_count	= CTA_EXPECT_MAX,
		.policy		= ft_ctnl_expect_policy,
	},
	[IPCTNL_MSG_EXP_GET_STATS_CPU] = {
		.call		= ft_ctnl_expect_get_stats_cpu,
		.type		= NFNL_CB_MUTEX,
	},
};

static const struct nfnetlink_subsystem subsys = {
	.name		= "conntrack",
	.subsys_id	= NFNL_SUBSYS_CTNETLINK,
	.cb_count	= IPCTNL_MSG_MAX,
	.cb		= callbacks,
};

static const struct nfnetlink_subsystem expect_subsys = {
	.name		= "conntrack_expect",
	.subsys_id	= NFNL_SUBSYS_CTNETLINK_EXP,
	.cb_count	= IPCTNL_MSG_EXP_MAX,
	.cb		= expect_callbacks,
};

static int __init ft_ctnl_init(void)
{
	int err;

	/* Before there are requests: one asks for them. */
	err = ft_undelivered_init();
	if (err)
		return err;
	err = nfnetlink_subsys_register(&subsys);
	if (err == -EBUSY)
		pr_err("nf_conntrack_netlink is loaded: stop what uses it, then modprobe -r nf_conntrack_netlink\n");
	if (err)
		goto err_undelivered;
	err = nfnetlink_subsys_register(&expect_subsys);
	if (err)
		goto err_subsys;
	err = ft_ctnl_events_init();
	if (err)
		goto err_expect;
	ft_ctnl_glue_init();
	return 0;

err_expect:
	nfnetlink_subsys_unregister(&expect_subsys);
err_subsys:
	nfnetlink_subsys_unregister(&subsys);
err_undelivered:
	ft_undelivered_exit();
	return err;
}

static void __exit ft_ctnl_exit(void)
{
	ft_ctnl_glue_exit();
	ft_ctnl_events_exit();
	nfnetlink_subsys_unregister(&expect_subsys);
	nfnetlink_subsys_unregister(&subsys);
	/* Wait until no packet is in the glue any more, and no request in a callback. */
	synchronize_rcu();
	ft_undelivered_exit();
	if (!keep_own)
		ft_hand_over_unreachable();
}

module_init(ft_ctnl_init);
module_exit(ft_ctnl_exit);

module_param(keep_own, bool, 0600);
MODULE_PARM_DESC(keep_own, "When the module goes, flows whose destination is translated stay flowtrack's: it is about to come back. 0 (default) or 1. Writable; flowtrack reload writes it");

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("ctnetlink for the flows of nf_flowtrack and of nf_conntrack");
MODULE_IMPORT_NS(FT_SYMBOL_NS);
