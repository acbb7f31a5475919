// SPDX-License-Identifier: GPL-2.0
/*
 * The generic netlink family "flowtrack".
 *
 * This file: its operations and what each of them accepts. An
 * attribute that an operation has no use for is refused, never ignored.
 *
 * Operations run in parallel: all that they touch has its own locking. A
 * request's socket keeps its namespace, and a dump the module, alive.
 */
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/nf_flowtrack.h>
#include <linux/skbuff.h>
#include <net/genetlink.h>
#include <net/netlink.h>

#include "base/notify.h"
#include "netlink/add.h"
#include "netlink/count.h"
#include "netlink/dump.h"
#include "netlink/events.h"
#include "netlink/family.h"
#include "netlink/filter.h"
#include "netlink/flow.h"
#include "netlink/netlink.h"
#include "netlink/pressure.h"
#include "netlink/settings.h"
#include "netlink/stats.h"
#include "netlink/top.h"
#include "netlink/tuple.h"
#include "policy/top.h"
#include "proto/nlattr.h"

#define A(name)		FLOWTRACK_A_FLOW_##name

/* flow-get, flow-del: a flow by id or tuple, or a filter; flow-get alone shows. */
static const struct nla_policy select_policy[] = {
	[A(ID)] = { .type = NLA_U64 },
	[A(FAMILY)] = NLA_POLICY_RANGE(NLA_U8, AF_INET, AF_INET6),
	[A(L4PROTO)] = { .type = NLA_U8 },
	[A(ZONE)] = { .type = NLA_U16 },
	[A(ORIG)] = NLA_POLICY_NESTED(ft_tuple_policy),
	[A(FILTER)] = NLA_POLICY_NESTED(ft_filter_policy),
	[A(SHOW)] = NLA_POLICY_MAX(NLA_U8, FLOWTRACK_SHOW_DIGEST_ONLY),
};

static const struct nla_policy add_policy[] = {
	[A(FAMILY)] = NLA_POLICY_RANGE(NLA_U8, AF_INET, AF_INET6),
	[A(L4PROTO)] = { .type = NLA_U8 },
	[A(ZONE)] = { .type = NLA_U16 },
	[A(ORIG)] = NLA_POLICY_NESTED(ft_tuple_policy),
	[A(REPLY)] = NLA_POLICY_NESTED(ft_tuple_policy),
	[A(STATE)] = { .type = NLA_U8 },
	[A(STATUS)] = NLA_POLICY_MASK(NLA_U32, FLOWTRACK_STATUS_SEEN_REPLY |
					       FLOWTRACK_STATUS_ASSURED),
	[A(TIMEOUT)] = NLA_POLICY_MIN(NLA_U32, 1),
	[A(MARK)] = { .type = NLA_U32 },
	[A(COUNTERS_ORIG)] = NLA_POLICY_NESTED(ft_counters_policy),
	[A(COUNTERS_REPLY)] = NLA_POLICY_NESTED(ft_counters_policy),
	[A(START)] = { .type = NLA_U64 },
	[A(MASQ)] = { .type = NLA_NUL_STRING, .len = IFNAMSIZ - 1 },
	FT_PROTO_NLATTR_POLICY
};

static const struct nla_policy top_policy[] = {
	[FLOWTRACK_A_TOP_KIND] =
		NLA_POLICY_MAX(NLA_U8, FLOWTRACK_TOP_KIND_EXTERNAL),
	[FLOWTRACK_A_TOP_ORDER] =
		NLA_POLICY_MAX(NLA_U8, FLOWTRACK_TOP_ORDER_BYTES),
	[FLOWTRACK_A_TOP_LIMIT] = NLA_POLICY_RANGE(NLA_U32, 1, FT_TOP_MAX),
};

static const struct nla_policy count_policy[] = {
	[FLOWTRACK_A_COUNT_BY] = NLA_POLICY_MAX(NLA_U8, FLOWTRACK_COUNT_BY_SOURCE),
	[FLOWTRACK_A_COUNT_FILTER] = NLA_POLICY_NESTED(ft_filter_policy),
	[FLOWTRACK_A_COUNT_LIMIT] = NLA_POLICY_RANGE(NLA_U32, 1, FT_NETLINK_COUNT_MAX),
};

/*
 * Without a policy the core refuses every attribute. Counters and settings are
 * for everybody, as nf_conntrack's in /proc/net/stat and as sysctls are.
 */
static const struct genl_ops ops[] = {
	{
		.cmd = FLOWTRACK_CMD_FLOW_GET,
		.flags = GENL_UNS_ADMIN_PERM,
		.policy = select_policy,
		.maxattr = ARRAY_SIZE(select_policy) - 1,
		.doit = ft_netlink_flow_get,
		.start = ft_netlink_flow_dump_start,
		.dumpit = ft_netlink_flow_dump,
		.done = ft_netlink_flow_dump_done,
	},
	{
		.cmd = FLOWTRACK_CMD_FLOW_ADD,
		.flags = GENL_UNS_ADMIN_PERM,
		.policy = add_policy,
		.maxattr = ARRAY_SIZE(add_policy) - 1,
		.doit = ft_netlink_flow_add,
	},
	{
		.cmd = FLOWTRACK_CMD_FLOW_DEL,
		.flags = GENL_UNS_ADMIN_PERM,
		.policy = select_policy,
		.maxattr = A(FILTER),
		.doit = ft_netlink_flow_del,
	},
	{
		.cmd = FLOWTRACK_CMD_STATS_GET,
		.doit = ft_netlink_stats_get,
		.dumpit = ft_netlink_stats_dump,
	},
	{
		.cmd = FLOWTRACK_CMD_SETTINGS_GET,
		.doit = ft_netlink_settings_get,
	},
	{
		.cmd = FLOWTRACK_CMD_SETTINGS_SET,
		.flags = GENL_UNS_ADMIN_PERM,
		.policy = ft_settings_policy,
		.maxattr = FLOWTRACK_A_SETTINGS_MAX,
		.doit = ft_netlink_settings_set,
	},
	{
		.cmd = FLOWTRACK_CMD_TOP_GET,
		.flags = GENL_UNS_ADMIN_PERM,
		.policy = top_policy,
		.maxattr = ARRAY_SIZE(top_policy) - 1,
		.doit = ft_netlink_top_get,
	},
	{
		.cmd = FLOWTRACK_CMD_COUNT_GET,
		.flags = GENL_UNS_ADMIN_PERM,
		.policy = count_policy,
		.maxattr = ARRAY_SIZE(count_policy) - 1,
		.doit = ft_netlink_count_get,
	},
};

static const struct ft_notifier notifier = {
	.family = &ft_genl_family,
	.flow = ft_events_flow,
	.pressure = ft_netlink_pressure,
	.guarded = ft_events_guarded,
};

/**
 * ft_netlink_init() - register the family
 *
 * Context: may sleep.
 * Return: 0 or the error of genl_register_family().
 */
int __init ft_netlink_init(void)
{
	int err;

	ft_genl_family.ops = ops;
	ft_genl_family.n_ops = ARRAY_SIZE(ops);
	err = genl_register_family(&ft_genl_family);
	if (!err)
		ft_notify_register(&notifier);
	return err;
}

/**
 * ft_netlink_exit() - unregister the family
 *
 * Context: may sleep. On return no request is being worked on, and nothing is
 * being sent.
 */
void ft_netlink_exit(void)
{
	ft_notify_unregister(&notifier);
	genl_unregister_family(&ft_genl_family);
}
