/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Numbers of the netlink interface and the words for them.
 */
#ifndef FT_NAMES_H
#define FT_NAMES_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

/**
 * struct names - words by value
 * @name: the words; NULL: no such value
 * @n: how many values
 */
struct names {
	const char * const *name;
	unsigned int n;
};

extern const struct names tcp_state_names, sctp_state_names, flow_state_names;
extern const struct names class_names, reason_names, policy_names, adopt_names, nat_names,
			  enable_names;
extern const struct names top_kind_names, top_order_names, count_by_names;
extern const struct names tracker_names, level_names;
extern const struct names sort_names;		/* by enum flow_order */
extern const struct names event_names;		/* of flows, as their commands follow each other */
extern const struct names status_names;		/* by bit */
extern const struct names stats_names;		/* by attribute */

const char *name_of(const struct names *names, unsigned int value);
int value_of(const struct names *names, const char *word);
void name_list(const struct names *names, char *buf, size_t size);
bool same_word(const char *a, const char *b);
const char *close_word(const char *word, const char * const *words, size_t n);

const char *proto_name(__u8 proto);
int proto_value(const char *word);
bool proto_has_ports(__u8 proto);
bool proto_is_icmp(__u8 proto);
const struct names *proto_states(__u8 proto);

/**
 * enum setting_kind - how a setting is written and shown
 * @SETTING_NUMBER: decimal
 * @SETTING_SWITCH: a number that may also be written on or off
 * @SETTING_HEX: hexadecimal
 * @SETTING_SECONDS: a duration
 * @SETTING_NAME: one of some names
 * @SETTING_AUTOMATIC: decimal; 0 may also be written auto
 */
enum setting_kind {
	SETTING_NUMBER,
	SETTING_SWITCH,
	SETTING_HEX,
	SETTING_SECONDS,
	SETTING_NAME,
	SETTING_AUTOMATIC,
};

/**
 * struct setting - a setting of the namespace
 * @name: suffix of the sysctl after nf_flowtrack_; NULL: no such attribute
 * @kind: see there
 * @readonly: cannot be set
 * @follows: nf_conntrack's, until it is set; may also be written auto
 * @names: for SETTING_NAME; for SETTING_SWITCH: what it may be besides
 */
struct setting {
	const char *name;
	enum setting_kind kind;
	bool readonly;
	bool follows;
	const struct names *names;
};

extern const struct setting settings[];
int setting_find(const char *name);
const char *setting_close(const char *name);

/**
 * struct attr_names - the attributes of a nest, for error messages
 * @name: by attribute
 * @n: how many
 * @nested: by attribute, what is inside; may be NULL
 */
struct attr_names {
	const char * const *name;
	unsigned int n;
	const struct attr_names * const *nested;
};

extern const struct attr_names flow_attrs, stats_attrs, top_attrs, count_attrs;
const struct attr_names *settings_attrs(void);

#endif /* FT_NAMES_H */
