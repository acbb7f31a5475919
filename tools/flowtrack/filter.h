/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which flows a verb is about: one grammar for all of them.
 */
#ifndef FT_FILTER_H
#define FT_FILTER_H

#include <linux/nf_flowtrack.h>
#include <linux/types.h>
#include <stdbool.h>

#include "parse.h"

struct flow;
struct names;
struct nlmsghdr;

/* Alternatives and exceptions of a filter: as many as the kernel takes. */
#define FILTER_PARTS	64

/* The ends of a flow: initiator and responder, as the answers have them, any of these. */
enum filter_end {
	FILTER_SRC,
	FILTER_DST,
	FILTER_REPLY_SRC,
	FILTER_REPLY_DST,
	FILTER_EITHER,
	FILTER_ENDS,
};

/**
 * struct terms - what a flow must be like, all of it
 * @has: bits by FLOWTRACK_A_FILTER_*: what follows was asked for
 * @family: AF_INET or AF_INET6
 * @l4proto: IPPROTO_*
 * @addr: networks, by enum filter_end
 * @port_min: first port, likewise, host byte order
 * @port_max: last one
 * @state: by protocol
 * @class: enum flowtrack_class
 * @mark: value of the bits in @mark_mask
 * @mark_mask: bits of the mark that count
 * @zone: zone
 * @age_min: seconds since the first packet
 * @age_max: likewise
 */
struct terms {
	__u32 has;
	__u8 family;
	__u8 l4proto;
	struct addr addr[FILTER_ENDS];
	__u16 port_min[FILTER_ENDS];
	__u16 port_max[FILTER_ENDS];
	__u8 state;
	__u8 class;
	__u32 mark;
	__u32 mark_mask;
	__u16 zone;
	__u32 age_min;
	__u32 age_max;
};

/**
 * struct filter - which flows are meant
 * @all: what all of them are like
 * @said: bits by FLOWTRACK_A_FILTER_*: words that may not be said again
 * @trackers: bits of enum flowtrack_tracker; 0: the words did not say
 * @lists: lists of alternatives
 * @parts: how many alternatives and exceptions there are
 * @part: these
 * @part.list: parts of one list are alternatives; 0: an exception
 * @part.terms: what the flows of this part are like
 */
struct filter {
	struct terms all;
	__u32 said;
	__u8 trackers;
	unsigned int lists;
	unsigned int parts;
	struct {
		unsigned int list;
		struct terms terms;
	} part[FILTER_PARTS];
};

extern const struct names filter_keys;

bool filter_key_has_value(const char *key);
int filter_parse(struct filter *f, int argc, char **argv, __u8 family);
int filter_parse_any(struct filter *f, int argc, char **argv, __u8 family);
bool filter_empty(const struct filter *f);
bool filter_wants(const struct filter *f, enum flowtrack_tracker tracker);
void filter_default(struct filter *f, __u8 trackers);
void filter_put_as(struct nlmsghdr *nlh, __u16 attr, const struct filter *f);
void filter_put(struct nlmsghdr *nlh, const struct filter *f);
bool filter_match(const struct filter *f, const struct flow *flow);

#endif /* FT_FILTER_H */
