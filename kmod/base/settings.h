/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The settings of a network namespace: one array, indexed by the netlink
 * attribute, and one descriptor each. sysctl and netlink are two views of it.
 */
#ifndef _FT_BASE_SETTINGS_H
#define _FT_BASE_SETTINGS_H

#include <linux/bits.h>
#include <linux/build_bug.h>
#include <linux/jiffies.h>
#include <linux/nf_flowtrack.h>
#include <linux/types.h>

struct ft_net;
struct netlink_ext_ack;

/**
 * struct ft_settings - what an administrator can turn in one namespace
 * @v: values by FLOWTRACK_A_SETTINGS_*; timeouts are in seconds
 *
 * Written one word at a time with WRITE_ONCE() under ft_net.settings_lock,
 * read by anyone at any time through ft_setting().
 */
struct ft_settings {
	u32 v[__FLOWTRACK_A_SETTINGS_MAX];
};

#define ft_setting(set, name) \
	READ_ONCE((set)->v[FLOWTRACK_A_SETTINGS_##name])

/* Places for all, those not counted that only the reserved mark may take. */
static inline u32 ft_flow_room(const struct ft_settings *set)
{
	u32 reserved = ft_setting(set, RESERVED);
	u32 max = ft_setting(set, MAX_FLOWS);

	return max > reserved ? max - reserved : 0;
}

/* A timeout setting in jiffies. */
#define ft_timeout(set, name) \
	(ft_setting(set, name) * (u32)HZ)

/* Values of the setting enable. */
enum ft_enable {
	FT_ENABLE_OFF,
	FT_ENABLE_ON,
	FT_ENABLE_AUTO,
};

/* Values of the setting adopt. */
enum ft_adopt {
	FT_ADOPT_AUTO,
	FT_ADOPT_ALWAYS,
	FT_ADOPT_NEVER,
};

/* Values of the setting nat. */
enum ft_nat_owned {
	FT_NAT_AUTO,
	FT_NAT_SNAT,
	FT_NAT_ALL,
	FT_NAT_NEVER,
};

/* Does a packet's mark match what a setting asks for? No mask, no match. */
static inline bool ft_mark_matches(u32 mark, u32 wanted, u32 mask)
{
	return mask && (mark & mask) == wanted;
}

/**
 * ft_mark_reserved() - may a packet take a reserved entry?
 * @set: settings of the namespace
 * @mark: skb->mark
 *
 * Context: any.
 * Return: true if so.
 */
static inline bool ft_mark_reserved(const struct ft_settings *set, u32 mark)
{
	return ft_mark_matches(mark, ft_setting(set, RESERVED_MARK),
			       ft_setting(set, RESERVED_MASK));
}

/**
 * ft_mark_bypass() - does the ruleset want a packet left to nf_conntrack?
 * @set: settings of the namespace
 * @mark: skb->mark
 *
 * Context: any.
 * Return: true if so.
 */
static inline bool ft_mark_bypass(const struct ft_settings *set, u32 mark)
{
	return ft_mark_matches(mark, ft_setting(set, BYPASS_MARK),
			       ft_setting(set, BYPASS_MASK));
}

/* Values of the setting lookahead. */
enum ft_lookahead {
	FT_LOOKAHEAD_OFF,
	FT_LOOKAHEAD_ON,
	FT_LOOKAHEAD_AUTO,
};

/**
 * enum ft_setting_kind - how a setting is written and shown
 * @FT_SETTING_NUMBER: a number
 * @FT_SETTING_SECONDS: a number of seconds
 * @FT_SETTING_ENUM: one of ft_setting_desc.names
 */
enum ft_setting_kind {
	FT_SETTING_NUMBER,
	FT_SETTING_SECONDS,
	FT_SETTING_ENUM,
};

/**
 * struct ft_setting_desc - what is to know about a setting
 * @name: suffix of the sysctl after nf_flowtrack_; NULL: no such attribute
 * @procname: the whole name of the sysctl
 * @kind: how it is written and shown
 * @names: FT_SETTING_ENUM: the names, by value, up to @max
 * @min: smallest value accepted
 * @max: largest value accepted
 * @def: value in a new namespace unless a module parameter says otherwise
 * @readonly: shown, never written
 * @follows: nf_conntrack's of the same name, until it is set; set to
 *	FLOWTRACK_SETTING_AUTO it follows again
 * @memory: bounds memory that is not accounted to anyone: the administrator of
 *	a namespace in a user namespace of its own may not write it
 */
struct ft_setting_desc {
	const char *name;
	const char *procname;
	enum ft_setting_kind kind;
	const char * const *names;
	u32 min;
	u32 max;
	u32 def;
	bool readonly;
	bool follows;
	bool memory;
};

static_assert(__FLOWTRACK_A_SETTINGS_MAX <= 64);

extern const struct ft_setting_desc ft_setting_descs[__FLOWTRACK_A_SETTINGS_MAX];

const char *ft_setting_name(unsigned int attr, u32 value);
int ft_setting_value(unsigned int attr, const char *name);
unsigned int ft_setting_timeout_of(u8 l4proto, enum flowtrack_class class);
int ft_settings_check(struct ft_net *tn, unsigned int attr, u32 value,
		      struct netlink_ext_ack *extack);

#endif /* _FT_BASE_SETTINGS_H */
