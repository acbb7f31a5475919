// SPDX-License-Identifier: GPL-2.0
/*
 * Settings: what there is, and what is allowed. control.c makes them true.
 *
 * Names and defaults are nf_conntrack's wherever the meaning is. One default
 * differs on purpose: an established TCP connection that says nothing is kept
 * for 15 hours, not 5 days.
 */
#include <linux/ctype.h>
#include <linux/in.h>
#include <linux/kernel.h>
#include <linux/netlink.h>
#include <linux/string.h>

#include "base/limits.h"
#include "base/settings.h"

#define A(name)		FLOWTRACK_A_SETTINGS_##name

#define SETTING(n, k)							\
	.name = #n, .procname = "nf_flowtrack_" #n, .kind = (k)

#define NUMBER(n, lowest, highest, initial)				\
	{ SETTING(n, FT_SETTING_NUMBER),				\
	  .min = (lowest), .max = (highest), .def = (initial) }

#define SWITCH(n, initial)	NUMBER(n, 0, 1, initial)

/* nf_conntrack's, until it is set. */
#define FOLLOWS(n, highest, initial)					\
	{ SETTING(n, FT_SETTING_NUMBER),				\
	  .max = (highest), .def = (initial), .follows = true }

#define SECONDS(n, initial)						\
	{ SETTING(n, FT_SETTING_SECONDS), .follows = true,		\
	  .min = 1, .max = FT_TIMEOUT_MAX, .def = (initial) }

/* Bounds memory; 0 is the default: by size of the machine, by use. */
#define MEMORY(n, lowest, highest)					\
	{ SETTING(n, FT_SETTING_NUMBER),				\
	  .min = (lowest), .max = (highest), .memory = true }

/* One of a list of names, of which the first may be out of the question. */
#define ENUM(n, list, lowest, initial)					\
	{ SETTING(n, FT_SETTING_ENUM), .names = (list),			\
	  .min = (lowest), .max = ARRAY_SIZE(list) - 1, .def = (initial) }

/* Switches at first: the numbers are still what is shown. */
static const char * const switch_or_auto_names[] = {
	[FT_ENABLE_OFF] = "0",
	[FT_ENABLE_ON] = "1",
	[FT_ENABLE_AUTO] = "auto",
};

static_assert((int)FT_ENABLE_OFF == (int)FT_LOOKAHEAD_OFF);
static_assert((int)FT_ENABLE_ON == (int)FT_LOOKAHEAD_ON);
static_assert((int)FT_ENABLE_AUTO == (int)FT_LOOKAHEAD_AUTO);

/* What evict falls back to, and what becomes of a source's flow, is drop or pass. */
static const char * const policy_names[] = {
	[FLOWTRACK_POLICY_EVICT] = "evict",
	[FLOWTRACK_POLICY_DROP] = "drop",
	[FLOWTRACK_POLICY_PASS] = "pass",
};

static const char * const adopt_names[] = {
	[FT_ADOPT_AUTO] = "auto",
	[FT_ADOPT_ALWAYS] = "always",
	[FT_ADOPT_NEVER] = "never",
};

static const char * const nat_names[] = {
	[FT_NAT_AUTO] = "auto",
	[FT_NAT_SNAT] = "snat",
	[FT_NAT_ALL] = "all",
	[FT_NAT_NEVER] = "never",
};

const struct ft_setting_desc ft_setting_descs[__FLOWTRACK_A_SETTINGS_MAX] = {
	[A(ENABLE)] = ENUM(enable, switch_or_auto_names, FT_ENABLE_OFF, FT_ENABLE_AUTO),
	[A(MAX_FLOWS)] = MEMORY(max, 1, FT_FLOWS_MAX),
	[A(COUNT)] = {
		SETTING(count, FT_SETTING_NUMBER),
		.max = FT_FLOWS_MAX,
		.readonly = true,
	},
	[A(BUCKETS)] = MEMORY(buckets, 0, FT_BUCKETS_MAX),
	[A(BUCKETS_AUTO)] = {
		SETTING(buckets_auto, FT_SETTING_NUMBER),
		.max = 1,
		.def = 1,
		.readonly = true,
	},
	[A(FULL_POLICY)] = ENUM(full_policy, policy_names, FLOWTRACK_POLICY_EVICT,
				FLOWTRACK_POLICY_EVICT),
	[A(FULL_FALLBACK)] = ENUM(full_fallback, policy_names, FLOWTRACK_POLICY_DROP,
				  FLOWTRACK_POLICY_DROP),
	[A(SRC_COUNT)] = {
		SETTING(src_count, FT_SETTING_NUMBER),
		.max = FT_FLOWS_MAX,
		.readonly = true,
	},
	[A(SRC_MAX)] = NUMBER(src_max, 0, FT_FLOWS_MAX, 0),
	[A(SRC_RATE)] = NUMBER(src_rate, 0, 1000000, 0),
	[A(SRC_BURST)] = NUMBER(src_burst, 1, 1000000, 50),
	[A(SRC_POLICY)] = ENUM(src_policy, policy_names, FLOWTRACK_POLICY_DROP,
			       FLOWTRACK_POLICY_DROP),
	[A(SRC_PREFIX4)] = NUMBER(src_prefix4, 1, 32, 32),
	[A(SRC_PREFIX6)] = NUMBER(src_prefix6, 1, 128, 64),
	[A(ADOPT)] = ENUM(adopt, adopt_names, FT_ADOPT_AUTO, FT_ADOPT_AUTO),
	[A(NAT)] = ENUM(nat, nat_names, FT_NAT_AUTO, FT_NAT_AUTO),
	[A(BYPASS_MARK)] = NUMBER(bypass_mark, 0, U32_MAX, 0),
	[A(BYPASS_MASK)] = NUMBER(bypass_mask, 0, U32_MAX, 0),
	[A(ACCT)] = FOLLOWS(acct, 1, 0),
	[A(TIMESTAMP)] = FOLLOWS(timestamp, 1, 0),
	[A(CHECKSUM)] = FOLLOWS(checksum, 1, 1),
	[A(LOG_INVALID)] = FOLLOWS(log_invalid, 255, 0),
	[A(EVENTS)] = SWITCH(events, 1),
	[A(TCP_LOOSE)] = FOLLOWS(tcp_loose, 1, 1),
	[A(TCP_BE_LIBERAL)] = FOLLOWS(tcp_be_liberal, 1, 0),
	[A(TCP_IGNORE_INVALID_RST)] = FOLLOWS(tcp_ignore_invalid_rst, 1, 0),
	[A(TCP_MAX_RETRANS)] = FOLLOWS(tcp_max_retrans, 255, 3),
	[A(GENERIC_TIMEOUT)] = SECONDS(generic_timeout, 600),
	[A(TCP_TIMEOUT_SYN_SENT)] = SECONDS(tcp_timeout_syn_sent, 120),
	[A(TCP_TIMEOUT_SYN_RECV)] = SECONDS(tcp_timeout_syn_recv, 60),
	[A(TCP_TIMEOUT_ESTABLISHED)] = SECONDS(tcp_timeout_established, 54000),
	[A(TCP_TIMEOUT_FIN_WAIT)] = SECONDS(tcp_timeout_fin_wait, 120),
	[A(TCP_TIMEOUT_CLOSE_WAIT)] = SECONDS(tcp_timeout_close_wait, 60),
	[A(TCP_TIMEOUT_LAST_ACK)] = SECONDS(tcp_timeout_last_ack, 30),
	[A(TCP_TIMEOUT_TIME_WAIT)] = SECONDS(tcp_timeout_time_wait, 120),
	[A(TCP_TIMEOUT_CLOSE)] = SECONDS(tcp_timeout_close, 10),
	[A(TCP_TIMEOUT_MAX_RETRANS)] = SECONDS(tcp_timeout_max_retrans, 300),
	[A(TCP_TIMEOUT_UNACKNOWLEDGED)] =
		SECONDS(tcp_timeout_unacknowledged, 300),
	[A(UDP_TIMEOUT)] = SECONDS(udp_timeout, 30),
	[A(UDP_TIMEOUT_STREAM)] = SECONDS(udp_timeout_stream, 120),
	[A(ICMP_TIMEOUT)] = SECONDS(icmp_timeout, 30),
	[A(ICMPV6_TIMEOUT)] = SECONDS(icmpv6_timeout, 30),
	[A(SCTP_TIMEOUT_CLOSED)] = SECONDS(sctp_timeout_closed, 10),
	[A(SCTP_TIMEOUT_COOKIE_WAIT)] = SECONDS(sctp_timeout_cookie_wait, 3),
	[A(SCTP_TIMEOUT_COOKIE_ECHOED)] =
		SECONDS(sctp_timeout_cookie_echoed, 3),
	[A(SCTP_TIMEOUT_ESTABLISHED)] = SECONDS(sctp_timeout_established, 210),
	[A(SCTP_TIMEOUT_SHUTDOWN_SENT)] =
		SECONDS(sctp_timeout_shutdown_sent, 3),
	[A(SCTP_TIMEOUT_SHUTDOWN_RECD)] =
		SECONDS(sctp_timeout_shutdown_recd, 3),
	[A(SCTP_TIMEOUT_SHUTDOWN_ACK_SENT)] =
		SECONDS(sctp_timeout_shutdown_ack_sent, 3),
	[A(SCTP_TIMEOUT_HEARTBEAT_SENT)] =
		SECONDS(sctp_timeout_heartbeat_sent, 30),
	[A(GRE_TIMEOUT)] = SECONDS(gre_timeout, 30),
	[A(GRE_TIMEOUT_STREAM)] = SECONDS(gre_timeout_stream, 180),
	[A(ADAPTIVE_START)] = NUMBER(adaptive_start, 0, 1000, 60),
	[A(ADAPTIVE_END)] = NUMBER(adaptive_end, 0, 1000, 120),
	[A(WATERMARK_LOW)] = NUMBER(watermark_low, 0, 100, 75),
	[A(WATERMARK_HIGH)] = NUMBER(watermark_high, 0, 100, 90),
	[A(RESERVED)] = NUMBER(reserved, 0, FT_FLOWS_MAX, 0),
	[A(RESERVED_MARK)] = NUMBER(reserved_mark, 0, U32_MAX, 0),
	[A(RESERVED_MASK)] = NUMBER(reserved_mask, 0, U32_MAX, 0),
	[A(LOOKAHEAD)] = ENUM(lookahead, switch_or_auto_names, FT_LOOKAHEAD_OFF, FT_LOOKAHEAD_AUTO),
	[A(GUARD)] = SWITCH(guard, 1),
	[A(GUARDED)] = {
		SETTING(guarded, FT_SETTING_NUMBER),
		.max = FT_FLOWS_MAX,
		.readonly = true,
	},
};

static bool has_name(const struct ft_setting_desc *desc, u32 value)
{
	return value >= desc->min && value <= desc->max;
}

/**
 * ft_setting_name() - the name of a value of a setting
 * @attr: FLOWTRACK_A_SETTINGS_* of a setting that has names
 * @value: a value that it may have
 *
 * Context: any.
 * Return: the name.
 */
const char *ft_setting_name(unsigned int attr, u32 value)
{
	return ft_setting_descs[attr].names[value];
}

/**
 * ft_setting_value() - the value of a name
 * @attr: FLOWTRACK_A_SETTINGS_* of a setting that has names
 * @name: the name; may end in a newline
 *
 * Context: any.
 * Return: the value, or -EINVAL if the setting has no such name.
 */
int ft_setting_value(unsigned int attr, const char *name)
{
	const struct ft_setting_desc *desc = &ft_setting_descs[attr];
	unsigned int i;

	for (i = desc->min; i <= desc->max; i++) {
		if (sysfs_streq(name, desc->names[i]))
			return i;
	}
	return -EINVAL;
}

/**
 * ft_setting_timeout_of() - which timeout most flows of a kind have
 * @l4proto: IPPROTO_*; 0: not known
 * @class: enum flowtrack_class
 *
 * Only where it is worth an administrator's while: a timeout that can be lowered
 * without harm to clients.
 *
 * Context: any.
 * Return: FLOWTRACK_A_SETTINGS_*, or 0 if there is none to name.
 */
unsigned int ft_setting_timeout_of(u8 l4proto, enum flowtrack_class class)
{
	/* Of TCP, whatever else most flows are: no other protocol has so many. */
	if (class == FLOWTRACK_CLASS_CLOSING)
		return A(TCP_TIMEOUT_TIME_WAIT);
	switch (l4proto) {
	case IPPROTO_TCP:
		return class == FLOWTRACK_CLASS_EMBRYONIC ?
		       A(TCP_TIMEOUT_SYN_RECV) : 0;
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
		return class <= FLOWTRACK_CLASS_REPLIED ? A(UDP_TIMEOUT) : 0;
	default:
		return 0;
	}
}

/* Say which names there are; the values are those of the uapi header. */
static void refuse_value(const struct ft_setting_desc *desc, u32 value,
			 struct netlink_ext_ack *extack)
{
	char list[48] = "";
	unsigned int i;
	int len = 0;

	for (i = desc->min; i <= desc->max; i++) {
		len += scnprintf(list + len, sizeof(list) - len, " %u", i);
		if (!isdigit(desc->names[i][0]))
			len += scnprintf(list + len, sizeof(list) - len,
					 " (%s)", desc->names[i]);
	}
	NL_SET_ERR_MSG_FMT(extack, "no such value %u, use one of%s", value, list);
}

/**
 * ft_settings_check() - could a setting have this value?
 * @tn: namespace
 * @attr: FLOWTRACK_A_SETTINGS_*
 * @value: value
 * @extack: gets the reason if not; may be NULL
 *
 * Changes nothing. What only the attempt can tell (is there the memory?) is
 * left to ft_settings_set().
 *
 * Context: any.
 * Return: 0; -EINVAL out of range; -EPERM read only; -EOPNOTSUPP no such
 * setting.
 */
int ft_settings_check(struct ft_net *tn, unsigned int attr, u32 value,
		      struct netlink_ext_ack *extack)
{
	const struct ft_setting_desc *desc;

	if (attr >= ARRAY_SIZE(ft_setting_descs) || !ft_setting_descs[attr].name) {
		NL_SET_ERR_MSG(extack, "no such setting");
		return -EOPNOTSUPP;
	}
	desc = &ft_setting_descs[attr];
	if (desc->readonly) {
		NL_SET_ERR_MSG_FMT(extack, "%s is read only", desc->name);
		return -EPERM;
	}
	if (desc->kind == FT_SETTING_ENUM) {
		if (has_name(desc, value))
			return 0;
		refuse_value(desc, value, extack);
		return -EINVAL;
	}
	if (value == FLOWTRACK_SETTING_AUTO && desc->follows)
		return 0;
	if (attr == A(BUCKETS) && value && value < FT_BUCKETS_MIN) {
		NL_SET_ERR_MSG_FMT(extack, "%u buckets: must be 0 (automatic) or %u to %u",
				   value, FT_BUCKETS_MIN, desc->max);
		return -EINVAL;
	}
	if (value < desc->min || value > desc->max) {
		NL_SET_ERR_MSG_FMT(extack, "%s %u: must be %u to %u",
				   desc->name, value, desc->min, desc->max);
		return -EINVAL;
	}
	return 0;
}
