/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Settings that follow those of nf_conntrack, until they are set themselves, and
 * again from when they are set to FLOWTRACK_SETTING_AUTO.
 *
 * What an administrator, or a rule (connbytes, "ct bytes": accounting), has turned
 * in nf_conntrack means here what it means there, so that nobody needs to turn it
 * twice. Only what differs from nf_conntrack's default matters, or is changed.
 */
#ifndef _FT_BASE_FOLLOW_H
#define _FT_BASE_FOLLOW_H

#include <linux/jiffies.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <net/net_namespace.h>

struct ft_settings;

/**
 * struct ft_follow_seen - what nf_conntrack's settings were
 * @acct: nf_conntrack_acct
 * @timestamp: nf_conntrack_timestamp
 * @checksum: nf_conntrack_checksum
 * @log_invalid: nf_conntrack_log_invalid
 * @proto: those of protocols
 */
struct ft_follow_seen {
	u8 acct;
	u8 timestamp;
	u8 checksum;
	u8 log_invalid;
	struct nf_ip_net proto;
};

/**
 * struct ft_follow - how the settings of a namespace follow
 * @lock: protects all
 * @own: settings that were set themselves, by FLOWTRACK_A_SETTINGS_*
 * @seen: what the others were taken from; compared without the lock
 * @looked: jiffies32 when timeouts were compared
 */
struct ft_follow {
	spinlock_t lock; /* protects own, seen (writes) */
	u64 own;
	struct ft_follow_seen seen;
	u32 looked;
};

void ft_follow_init(struct ft_follow *follow, struct ft_settings *set,
		    const struct net *net);
u64 ft_follow_which(struct ft_follow *follow);
void ft_follow_own(struct ft_follow *follow, u64 which);
void ft_follow_again(struct ft_follow *follow, struct ft_settings *set,
		     const struct net *net, u64 which);
bool ft_follow_look(struct ft_follow *follow, struct ft_settings *set,
		    const struct net *net);

/**
 * ft_follow_update() - take over what has changed in nf_conntrack's settings
 * @follow: of the namespace
 * @set: its settings
 * @net: the namespace
 *
 * A change is not announced, so each packet that opens a flow or is INVALID
 * looks for one. It compares numbers and switches. Timeouts, of which there are
 * many, are compared by the first such packet in a jiffy.
 *
 * Context: process or softirq.
 * Return: true if something has changed.
 */
static inline bool ft_follow_update(struct ft_follow *follow, struct ft_settings *set,
				    const struct net *net)
{
	const struct nf_tcp_net *tcp = &net->ct.nf_ct_proto.tcp;
	const struct ft_follow_seen *seen = &follow->seen;

	if (likely(READ_ONCE(follow->looked) == (u32)jiffies &&
		   seen->acct == READ_ONCE(net->ct.sysctl_acct) &&
		   seen->timestamp == READ_ONCE(net->ct.sysctl_tstamp) &&
		   seen->checksum == READ_ONCE(net->ct.sysctl_checksum) &&
		   seen->log_invalid == READ_ONCE(net->ct.sysctl_log_invalid) &&
		   seen->proto.tcp.tcp_loose == READ_ONCE(tcp->tcp_loose) &&
		   seen->proto.tcp.tcp_be_liberal ==
		   READ_ONCE(tcp->tcp_be_liberal) &&
		   seen->proto.tcp.tcp_ignore_invalid_rst ==
		   READ_ONCE(tcp->tcp_ignore_invalid_rst)))
		return false;
	return ft_follow_look(follow, set, net);
}

#endif /* _FT_BASE_FOLLOW_H */
