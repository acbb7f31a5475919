// SPDX-License-Identifier: GPL-2.0
/*
 * After nf_conntrack_netlink.c: Jay Schulist, Harald Welte, Patrick McHardy,
 * Pablo Neira Ayuso.
 */
#include <linux/log2.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/netfilter/nf_conntrack_helper.h>
#include <net/netfilter/nf_conntrack_l4proto.h>
#include <net/netfilter/nf_conntrack_labels.h>
#include <net/netfilter/nf_conntrack_seqadj.h>
#include <net/netfilter/nf_conntrack_synproxy.h>

#include "base/limits.h"
#include "ctnetlink/change.h"
#include "track/carrier.h"

static const struct nla_policy help_policy[CTA_HELP_MAX + 1] = {
	[CTA_HELP_NAME]	= { .type = NLA_NUL_STRING, .len = NF_CT_HELPER_NAME_LEN - 1 },
};

static const struct nla_policy protoinfo_policy[CTA_PROTOINFO_MAX + 1] = {
	[CTA_PROTOINFO_TCP]	= { .type = NLA_NESTED },
	[CTA_PROTOINFO_DCCP]	= { .type = NLA_NESTED },
	[CTA_PROTOINFO_SCTP]	= { .type = NLA_NESTED },
};

static const struct nla_policy seqadj_policy[CTA_SEQADJ_MAX + 1] = {
	[CTA_SEQADJ_CORRECTION_POS]	= { .type = NLA_U32 },
	[CTA_SEQADJ_OFFSET_BEFORE]	= { .type = NLA_U32 },
	[CTA_SEQADJ_OFFSET_AFTER]	= { .type = NLA_U32 },
};

static const struct nla_policy synproxy_policy[CTA_SYNPROXY_MAX + 1] = {
	[CTA_SYNPROXY_ISN]	= { .type = NLA_U32 },
	[CTA_SYNPROXY_ITS]	= { .type = NLA_U32 },
	[CTA_SYNPROXY_TSOFF]	= { .type = NLA_U32 },
};

/**
 * ft_ctnl_parse_help() - which helper?
 * @attr: CTA_HELP
 * @name: set to its name
 * @info: set to what is for the helper itself, or NULL
 *
 * Context: any.
 * Return: 0 or -EINVAL.
 */
int ft_ctnl_parse_help(const struct nlattr *attr, const char **name, struct nlattr **info)
{
	struct nlattr *tb[CTA_HELP_MAX + 1];
	int err;

	err = nla_parse_nested_deprecated(tb, CTA_HELP_MAX, attr, help_policy, NULL);
	if (err)
		return err;
	if (!tb[CTA_HELP_NAME])
		return -EINVAL;
	*name = nla_data(tb[CTA_HELP_NAME]);
	*info = tb[CTA_HELP_INFO];
	return 0;
}

/* Take the helper away from a connection. */
static int drop_helper(struct nf_conn *ct, struct nf_conn_help *help)
{
	if (help && rcu_access_pointer(help->helper)) {
		nf_ct_remove_expectations(ct);
		RCU_INIT_POINTER(help->helper, NULL);
	}
	return 0;
}

/* The helper of an expected connection may only be set to the one that it has. */
static int same_helper(const struct nf_conn_help *help, const char *name)
{
	const struct nf_conntrack_helper *helper;

	helper = help ? rcu_dereference(help->helper) : NULL;
	return helper && !strcmp(helper->name, name) ? 0 : -EBUSY;
}

static int keep_helper(struct nf_conn *ct, const struct nf_conn_help *help, const char *name,
		       struct nlattr *info)
{
	struct nf_conntrack_helper *helper;

	helper = __nf_conntrack_helper_find(name, nf_ct_l3num(ct), nf_ct_protonum(ct));
	/* A connection that has begun can't be given a helper. */
	if (!helper || !help)
		return -EOPNOTSUPP;
	if (rcu_access_pointer(help->helper) != helper)
		return -EBUSY;
	if (ft_compat_helper_lives(helper) && helper->from_nlattr)
		helper->from_nlattr(info, ct);
	return 0;
}

/**
 * ft_ctnl_change_helper() - change what a helper keeps, or take the helper away
 * @ct: a connection that has begun
 * @cda: attributes, CTA_HELP among them
 *
 * Context: any.
 * Return: 0; -EINVAL; -EBUSY; -EOPNOTSUPP.
 */
int ft_ctnl_change_helper(struct nf_conn *ct, const struct nlattr * const cda[])
{
	struct nf_conn_help *help = nfct_help(ct);
	struct nlattr *info;
	const char *name;
	int err;

	err = ft_ctnl_parse_help(cda[CTA_HELP], &name, &info);
	if (err)
		return err;
	rcu_read_lock();
	if (ct->master)
		err = same_helper(help, name);
	else if (!*name)
		err = drop_helper(ct, help);
	else
		err = keep_helper(ct, help, name, info);
	rcu_read_unlock();
	return err;
}

/**
 * ft_ctnl_change_protoinfo() - change the state of the protocol
 * @ct: the connection
 * @attr: CTA_PROTOINFO
 *
 * Context: any.
 * Return: 0 or -EINVAL.
 */
int ft_ctnl_change_protoinfo(struct nf_conn *ct, const struct nlattr *attr)
{
	const struct nf_conntrack_l4proto *l4proto = nf_ct_l4proto_find(nf_ct_protonum(ct));
	struct nlattr *tb[CTA_PROTOINFO_MAX + 1];
	int err;

	err = nla_parse_nested_deprecated(tb, CTA_PROTOINFO_MAX, attr, protoinfo_policy, NULL);
	if (!err && l4proto->from_nlattr)
		err = l4proto->from_nlattr(tb, ct);
	return err;
}

static int read_seqadj(struct nf_ct_seqadj *seq, const struct nlattr *attr)
{
	struct nlattr *tb[CTA_SEQADJ_MAX + 1];
	int err;

	err = nla_parse_nested_deprecated(tb, CTA_SEQADJ_MAX, attr, seqadj_policy, NULL);
	if (err)
		return err;
	if (!tb[CTA_SEQADJ_CORRECTION_POS] || !tb[CTA_SEQADJ_OFFSET_BEFORE] ||
	    !tb[CTA_SEQADJ_OFFSET_AFTER])
		return -EINVAL;
	seq->correction_pos = ntohl(nla_get_be32(tb[CTA_SEQADJ_CORRECTION_POS]));
	seq->offset_before = ntohl(nla_get_be32(tb[CTA_SEQADJ_OFFSET_BEFORE]));
	seq->offset_after = ntohl(nla_get_be32(tb[CTA_SEQADJ_OFFSET_AFTER]));
	return 0;
}

/**
 * ft_ctnl_change_seqadj() - change by how much sequence numbers are adjusted
 * @ct: the connection
 * @cda: attributes
 *
 * Context: any.
 * Return: 0 or -EINVAL.
 */
int ft_ctnl_change_seqadj(struct nf_conn *ct, const struct nlattr * const cda[])
{
	struct nf_conn_seqadj *seqadj = nfct_seqadj(ct);
	unsigned int dir;
	int err = 0;

	if (!seqadj)
		return 0;
	spin_lock_bh(&ct->lock);
	for (dir = 0; dir < IP_CT_DIR_MAX && !err; dir++) {
		if (!cda[CTA_SEQ_ADJ_ORIG + dir])
			continue;
		err = read_seqadj(&seqadj->seq[dir], cda[CTA_SEQ_ADJ_ORIG + dir]);
		if (!err)
			set_bit(IPS_SEQ_ADJUST_BIT, &ct->status);
	}
	spin_unlock_bh(&ct->lock);
	return err;
}

/**
 * ft_ctnl_change_synproxy() - change what synproxy keeps
 * @ct: the connection
 * @attr: CTA_SYNPROXY
 *
 * Context: any.
 * Return: 0 or -EINVAL.
 */
int ft_ctnl_change_synproxy(struct nf_conn *ct, const struct nlattr *attr)
{
	struct nf_conn_synproxy *synproxy = nfct_synproxy(ct);
	struct nlattr *tb[CTA_SYNPROXY_MAX + 1];
	int err;

	if (!synproxy)
		return 0;
	err = nla_parse_nested_deprecated(tb, CTA_SYNPROXY_MAX, attr, synproxy_policy, NULL);
	if (err)
		return err;
	if (!tb[CTA_SYNPROXY_ISN] || !tb[CTA_SYNPROXY_ITS] || !tb[CTA_SYNPROXY_TSOFF])
		return -EINVAL;
	synproxy->isn = ntohl(nla_get_be32(tb[CTA_SYNPROXY_ISN]));
	synproxy->its = ntohl(nla_get_be32(tb[CTA_SYNPROXY_ITS]));
	synproxy->tsoff = ntohl(nla_get_be32(tb[CTA_SYNPROXY_TSOFF]));
	return 0;
}

/**
 * ft_ctnl_change_labels() - change labels
 * @ct: the connection
 * @cda: attributes, CTA_LABELS among them
 *
 * Context: any.
 * Return: 0; -EINVAL; -ENOSPC: it has none; -EOPNOTSUPP.
 */
int ft_ctnl_change_labels(struct nf_conn *ct, const struct nlattr * const cda[])
{
#ifdef CONFIG_NF_CONNTRACK_LABELS
	const struct nlattr *mask = cda[CTA_LABELS_MASK];
	unsigned int len = nla_len(cda[CTA_LABELS]);

	if (len % sizeof(u32) || (mask && (!len || nla_len(mask) != len)))
		return -EINVAL;
	return nf_connlabels_replace(ct, nla_data(cda[CTA_LABELS]), mask ? nla_data(mask) : NULL,
				     len / sizeof(u32));
#else
	return -EOPNOTSUPP;
#endif
}

/**
 * ft_ctnl_new_mark() - the mark that a request asks for
 * @mark: the one that is there
 * @cda: attributes, CTA_MARK among them
 *
 * Return: the mark.
 */
u32 ft_ctnl_new_mark(u32 mark, const struct nlattr * const cda[])
{
	u32 keep = cda[CTA_MARK_MASK] ? ~ntohl(nla_get_be32(cda[CTA_MARK_MASK])) : 0;

	return (mark & keep) ^ ntohl(nla_get_be32(cda[CTA_MARK]));
}

/**
 * ft_ctnl_change_mark() - change the mark
 * @ct: the connection
 * @cda: attributes, CTA_MARK among them
 *
 * Context: any.
 */
void ft_ctnl_change_mark(struct nf_conn *ct, const struct nlattr * const cda[])
{
#ifdef CONFIG_NF_CONNTRACK_MARK
	u32 mark = ft_ctnl_new_mark(READ_ONCE(ct->mark), cda);

	if (mark != READ_ONCE(ct->mark))
		WRITE_ONCE(ct->mark, mark);
#endif
}

/**
 * ft_ctnl_new_timeout() - the timeout that a request asks for
 * @attr: CTA_TIMEOUT
 *
 * Return: jiffies from now.
 */
u64 ft_ctnl_new_timeout(const struct nlattr *attr)
{
	return (u64)ntohl(nla_get_be32(attr)) * HZ;
}

/**
 * ft_ctnl_flow_timeout() - the timeout that a request asks for, for a flow of ours
 * @attr: CTA_TIMEOUT
 *
 * Return: jiffies from now, no more than a flow may have.
 */
u32 ft_ctnl_flow_timeout(const struct nlattr *attr)
{
	return min_t(u64, ft_ctnl_new_timeout(attr), (u64)FT_TIMEOUT_MAX * HZ);
}

static u32 new_status(const struct nlattr *attr)
{
	return ntohl(nla_get_be32(attr));
}

/**
 * ft_ctnl_change() - change a connection of nf_conntrack's table
 * @ct: its entry
 * @cda: what to
 *
 * Context: may sleep.
 * Return: 0; -EINVAL; -EBUSY; -EPERM; -ETIME; -ENOSPC; -EOPNOTSUPP. What stands before
 * what is wrong has been changed.
 */
int ft_ctnl_change(struct nf_conn *ct, const struct nlattr * const cda[])
{
	int err = 0;

	/* Mappings and masters are given to new connections only. */
	if (cda[CTA_NAT_SRC] || cda[CTA_NAT_DST] || cda[CTA_TUPLE_MASTER])
		return -EOPNOTSUPP;
	if (cda[CTA_HELP])
		err = ft_ctnl_change_helper(ct, cda);
	if (!err && cda[CTA_TIMEOUT])
		err = __nf_ct_change_timeout(ct, ft_ctnl_new_timeout(cda[CTA_TIMEOUT]));
	if (!err && cda[CTA_STATUS])
		err = nf_ct_change_status_common(ct, new_status(cda[CTA_STATUS]));
	if (!err && cda[CTA_PROTOINFO])
		err = ft_ctnl_change_protoinfo(ct, cda[CTA_PROTOINFO]);
	if (err)
		return err;
	if (cda[CTA_MARK])
		ft_ctnl_change_mark(ct, cda);
	if (cda[CTA_SEQ_ADJ_ORIG] || cda[CTA_SEQ_ADJ_REPLY])
		err = ft_ctnl_change_seqadj(ct, cda);
	if (!err && cda[CTA_SYNPROXY])
		err = ft_ctnl_change_synproxy(ct, cda[CTA_SYNPROXY]);
	if (!err && cda[CTA_LABELS])
		err = ft_ctnl_change_labels(ct, cda);
	return err;
}

/**
 * ft_ctnl_update_status() - change the status as a verdict may
 * @ct: the connection
 * @attr: CTA_STATUS
 *
 * Less strict than a request: programs send back what they were given, with bits flipped.
 *
 * Context: any.
 * Return: 0; -EBUSY: there was an answer, or it is assured, and @attr says otherwise.
 */
int ft_ctnl_update_status(struct nf_conn *ct, const struct nlattr *attr)
{
	unsigned long status = new_status(attr);
	unsigned long missing = READ_ONCE(ct->status) & ~status;

	if (missing & (IPS_SEEN_REPLY | IPS_ASSURED))
		return -EBUSY;
	__nf_ct_change_status(ct, status, ~status);
	return 0;
}

/**
 * ft_ctnl_change_queued() - change the connection of a packet in a queue
 * @ct: its entry in nf_conntrack, confirmed or not
 * @cda: what to
 *
 * Context: RCU read side.
 * Return: as ft_ctnl_change().
 */
int ft_ctnl_change_queued(struct nf_conn *ct, const struct nlattr * const cda[])
{
	int err = 0;

	if (cda[CTA_TIMEOUT])
		err = __nf_ct_change_timeout(ct, ft_ctnl_new_timeout(cda[CTA_TIMEOUT]));
	if (!err && cda[CTA_TIMEOUT] && !nf_ct_is_confirmed(ct))
		set_bit(ilog2(FT_STATUS_TIMED), &ct->status);
	if (!err && cda[CTA_STATUS])
		err = ft_ctnl_update_status(ct, cda[CTA_STATUS]);
	if (!err && cda[CTA_HELP])
		err = ft_ctnl_change_helper(ct, cda);
	if (!err && cda[CTA_LABELS])
		err = ft_ctnl_change_labels(ct, cda);
	if (!err && cda[CTA_MARK])
		ft_ctnl_change_mark(ct, cda);
	return err;
}
