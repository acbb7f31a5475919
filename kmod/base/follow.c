// SPDX-License-Identifier: GPL-2.0
#include <linux/bits.h>
#include <linux/jiffies.h>
#include <linux/minmax.h>
#include <linux/netfilter/nf_conntrack_sctp.h>
#include <linux/netfilter/nf_conntrack_tcp.h>
#include <linux/string.h>
#include <net/net_namespace.h>

#include "base/follow.h"
#include "base/settings.h"

#define A(name)		FLOWTRACK_A_SETTINGS_##name

/**
 * struct source - where a setting of ours is taken from
 * @offset: in struct ft_follow_seen
 * @size: bytes: 1 is a number, 4 a timeout in jiffies; 0: the kernel was built
 *	without that protocol
 */
struct source {
	u16 offset;
	u16 size;
};

#define NUMBER(m)	{ offsetof(struct ft_follow_seen, m), sizeof(u8) }
#define JIFFIES(m)	{ offsetof(struct ft_follow_seen, m), sizeof(int) }
#define TCP(name)	JIFFIES(proto.tcp.timeouts[TCP_CONNTRACK_##name])
#define SCTP(name)	JIFFIES(proto.sctp.timeouts[SCTP_CONNTRACK_##name])

static const struct source sources[__FLOWTRACK_A_SETTINGS_MAX] = {
	[A(ACCT)] = NUMBER(acct),
	[A(TIMESTAMP)] = NUMBER(timestamp),
	[A(CHECKSUM)] = NUMBER(checksum),
	[A(LOG_INVALID)] = NUMBER(log_invalid),
	[A(TCP_LOOSE)] = NUMBER(proto.tcp.tcp_loose),
	[A(TCP_BE_LIBERAL)] = NUMBER(proto.tcp.tcp_be_liberal),
	[A(TCP_IGNORE_INVALID_RST)] = NUMBER(proto.tcp.tcp_ignore_invalid_rst),
	[A(TCP_MAX_RETRANS)] = NUMBER(proto.tcp.tcp_max_retrans),
	[A(GENERIC_TIMEOUT)] = JIFFIES(proto.generic.timeout),
	[A(TCP_TIMEOUT_SYN_SENT)] = TCP(SYN_SENT),
	[A(TCP_TIMEOUT_SYN_RECV)] = TCP(SYN_RECV),
	[A(TCP_TIMEOUT_ESTABLISHED)] = TCP(ESTABLISHED),
	[A(TCP_TIMEOUT_FIN_WAIT)] = TCP(FIN_WAIT),
	[A(TCP_TIMEOUT_CLOSE_WAIT)] = TCP(CLOSE_WAIT),
	[A(TCP_TIMEOUT_LAST_ACK)] = TCP(LAST_ACK),
	[A(TCP_TIMEOUT_TIME_WAIT)] = TCP(TIME_WAIT),
	[A(TCP_TIMEOUT_CLOSE)] = TCP(CLOSE),
	[A(TCP_TIMEOUT_MAX_RETRANS)] = TCP(RETRANS),
	[A(TCP_TIMEOUT_UNACKNOWLEDGED)] = TCP(UNACK),
	[A(UDP_TIMEOUT)] = JIFFIES(proto.udp.timeouts[UDP_CT_UNREPLIED]),
	[A(UDP_TIMEOUT_STREAM)] = JIFFIES(proto.udp.timeouts[UDP_CT_REPLIED]),
	[A(ICMP_TIMEOUT)] = JIFFIES(proto.icmp.timeout),
	[A(ICMPV6_TIMEOUT)] = JIFFIES(proto.icmpv6.timeout),
#ifdef CONFIG_NF_CT_PROTO_SCTP
	[A(SCTP_TIMEOUT_CLOSED)] = SCTP(CLOSED),
	[A(SCTP_TIMEOUT_COOKIE_WAIT)] = SCTP(COOKIE_WAIT),
	[A(SCTP_TIMEOUT_COOKIE_ECHOED)] = SCTP(COOKIE_ECHOED),
	[A(SCTP_TIMEOUT_ESTABLISHED)] = SCTP(ESTABLISHED),
	[A(SCTP_TIMEOUT_SHUTDOWN_SENT)] = SCTP(SHUTDOWN_SENT),
	[A(SCTP_TIMEOUT_SHUTDOWN_RECD)] = SCTP(SHUTDOWN_RECD),
	[A(SCTP_TIMEOUT_SHUTDOWN_ACK_SENT)] = SCTP(SHUTDOWN_ACK_SENT),
	[A(SCTP_TIMEOUT_HEARTBEAT_SENT)] = SCTP(HEARTBEAT_SENT),
#endif
#ifdef CONFIG_NF_CT_PROTO_GRE
	[A(GRE_TIMEOUT)] = JIFFIES(proto.gre.timeouts[GRE_CT_UNREPLIED]),
	[A(GRE_TIMEOUT_STREAM)] = JIFFIES(proto.gre.timeouts[GRE_CT_REPLIED]),
#endif
};

/* nf_conntrack's own default, five days, is none of the administrator's. */
#define CT_ESTABLISHED_DEFAULT	(5 * 24 * 3600)

/* The value that a setting has from nf_conntrack's. */
static u32 value_of(const struct ft_follow_seen *seen, unsigned int attr)
{
	const struct ft_setting_desc *desc = &ft_setting_descs[attr];
	const void *from = (const void *)seen + sources[attr].offset;
	u32 value;

	if (!sources[attr].size)
		return desc->def;
	if (sources[attr].size == sizeof(u8))
		value = *(const u8 *)from;
	else
		value = *(const unsigned int *)from / HZ;
	if (attr == A(TCP_TIMEOUT_ESTABLISHED) &&
	    value == CT_ESTABLISHED_DEFAULT)
		value = desc->def;
	return clamp(value, desc->min, desc->max);
}

static void look_at_conntrack(struct ft_follow_seen *seen, const struct net *net)
{
	seen->acct = READ_ONCE(net->ct.sysctl_acct);
	seen->timestamp = READ_ONCE(net->ct.sysctl_tstamp);
	seen->checksum = READ_ONCE(net->ct.sysctl_checksum);
	seen->log_invalid = READ_ONCE(net->ct.sysctl_log_invalid);
	/* Padding and all: it is compared as memory. */
	memcpy(&seen->proto, &net->ct.nf_ct_proto, sizeof(seen->proto));
}

static bool is_same(const struct ft_follow_seen *seen, const struct net *net)
{
	return seen->acct == READ_ONCE(net->ct.sysctl_acct) &&
	       seen->timestamp == READ_ONCE(net->ct.sysctl_tstamp) &&
	       seen->checksum == READ_ONCE(net->ct.sysctl_checksum) &&
	       seen->log_invalid == READ_ONCE(net->ct.sysctl_log_invalid) &&
	       !memcmp(&seen->proto, &net->ct.nf_ct_proto, sizeof(seen->proto));
}

/*
 * The settings that have changed since they were last seen, and those of
 * @anyway.
 */
static void take(struct ft_follow *follow, struct ft_settings *set,
		 const struct ft_follow_seen *now, u64 anyway)
{
	unsigned int attr;
	u32 value;

	for (attr = 0; attr < ARRAY_SIZE(sources); attr++) {
		if (!ft_setting_descs[attr].follows ||
		    follow->own & BIT_ULL(attr))
			continue;
		value = value_of(now, attr);
		if (anyway & BIT_ULL(attr) ||
		    value != value_of(&follow->seen, attr))
			WRITE_ONCE(set->v[attr], value);
	}
	memcpy(&follow->seen, now, sizeof(*now));
}

/**
 * ft_follow_init() - take over what nf_conntrack has in a namespace
 * @follow: of a namespace that nobody else knows yet
 * @set: its settings, with their defaults
 * @net: the namespace
 */
void ft_follow_init(struct ft_follow *follow, struct ft_settings *set,
		    const struct net *net)
{
	struct ft_follow_seen now;

	spin_lock_init(&follow->lock);
	look_at_conntrack(&now, net);
	take(follow, set, &now, U64_MAX);
}

/**
 * ft_follow_which() - the settings that follow
 * @follow: of the namespace
 *
 * Context: process or softirq.
 * Return: bits by FLOWTRACK_A_SETTINGS_*.
 */
u64 ft_follow_which(struct ft_follow *follow)
{
	unsigned int attr;
	u64 which = 0;

	for (attr = 0; attr < ARRAY_SIZE(sources); attr++) {
		if (ft_setting_descs[attr].follows)
			which |= BIT_ULL(attr);
	}
	spin_lock_bh(&follow->lock);
	which &= ~follow->own;
	spin_unlock_bh(&follow->lock);
	return which;
}

/**
 * ft_follow_own() - settings are about to be set themselves
 * @follow: of the namespace
 * @which: by FLOWTRACK_A_SETTINGS_*; they follow no longer
 *
 * Context: process or softirq. What is written to them afterwards stays.
 */
void ft_follow_own(struct ft_follow *follow, u64 which)
{
	spin_lock_bh(&follow->lock);
	follow->own |= which;
	spin_unlock_bh(&follow->lock);
}

/**
 * ft_follow_again() - settings are to follow again
 * @follow: of the namespace
 * @set: its settings: those have nf_conntrack's value from now on
 * @net: the namespace
 * @which: by FLOWTRACK_A_SETTINGS_*; those that can
 *
 * Context: process or softirq.
 */
void ft_follow_again(struct ft_follow *follow, struct ft_settings *set,
		     const struct net *net, u64 which)
{
	struct ft_follow_seen now;

	spin_lock_bh(&follow->lock);
	follow->own &= ~which;
	look_at_conntrack(&now, net);
	take(follow, set, &now, which);
	spin_unlock_bh(&follow->lock);
}

/**
 * ft_follow_look() - compare all settings with nf_conntrack's
 * @follow: of the namespace
 * @set: its settings
 * @net: the namespace
 *
 * Context: process or softirq.
 * Return: true if something has changed, and was taken over.
 */
bool ft_follow_look(struct ft_follow *follow, struct ft_settings *set,
		    const struct net *net)
{
	struct ft_follow_seen now;

	WRITE_ONCE(follow->looked, (u32)jiffies);
	if (is_same(&follow->seen, net))
		return false;
	spin_lock_bh(&follow->lock);
	look_at_conntrack(&now, net);
	take(follow, set, &now, 0);
	spin_unlock_bh(&follow->lock);
	return true;
}
