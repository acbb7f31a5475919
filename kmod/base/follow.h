/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Settings that follow those of nf_conntrack, until they are set themselves.
 *
 * What an administrator, or a rule (connbytes, "ct bytes": accounting), has turned
 * in nf_conntrack means here what it means there, so that nobody needs to turn it
 * twice. Only what differs from nf_conntrack's default matters, or is changed.
 */
#ifndef _FT_BASE_FOLLOW_H
#define _FT_BASE_FOLLOW_H

#include <linux/spinlock.h>
#include <linux/types.h>
#include <net/netns/conntrack.h>

struct ft_settings;
struct net;

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
 */
struct ft_follow {
	spinlock_t lock; /* protects own, seen (writes) */
	u64 own;
	struct ft_follow_seen seen;
};

void ft_follow_init(struct ft_follow *follow, struct ft_settings *set,
		    const struct net *net);
void ft_follow_own(struct ft_follow *follow, u64 which);
bool ft_follow(struct ft_follow *follow, struct ft_settings *set,
	       const struct net *net);

#endif /* _FT_BASE_FOLLOW_H */
