// SPDX-License-Identifier: GPL-2.0
#include <linux/in.h>
#include <linux/ktime.h>
#include <linux/netlink.h>
#include <linux/nf_flowtrack.h>
#include <linux/slab.h>
#include <net/ipv6.h>
#include <net/netlink.h>

#include "base/extack.h"
#include "flow/flow.h"
#include "flow/tuple.h"
#include "netlink/filter.h"
#include "netlink/tuple.h"
#include "proto/proto.h"

#define A(name)		FLOWTRACK_A_FILTER_##name
#define GIVEN(name)	BIT(FLOWTRACK_A_FILTER_##name)

/* The attributes of an end. */
static const struct {
	u8 addr;
	u8 prefix;
	u8 port_min;
	u8 port_max;
} ends[FT_FILTER_ENDS] = {
	[FT_FILTER_SRC] = { A(SRC), A(SRC_PREFIX), A(SPORT_MIN), A(SPORT_MAX) },
	[FT_FILTER_DST] = { A(DST), A(DST_PREFIX), A(DPORT_MIN), A(DPORT_MAX) },
	[FT_FILTER_REPLY_SRC] = { A(REPLY_SRC), A(REPLY_SRC_PREFIX), A(REPLY_SPORT_MIN),
				  A(REPLY_SPORT_MAX) },
	[FT_FILTER_REPLY_DST] = { A(REPLY_DST), A(REPLY_DST_PREFIX), A(REPLY_DPORT_MIN),
				  A(REPLY_DPORT_MAX) },
	[FT_FILTER_EITHER] = { A(HOST), A(HOST_PREFIX), A(PORT_MIN), A(PORT_MAX) },
};

/* The bits of parts are other ones than those of ft_filter.given. */
static_assert(A(PORT_MAX) < 32);

static int check_address(const struct nlattr *attr,
			 struct netlink_ext_ack *extack)
{
	if (nla_len(attr) == sizeof(struct in_addr) ||
	    nla_len(attr) == sizeof(struct in6_addr))
		return 0;
	return FT_NETLINK_BAD(extack, attr, "an address has 4 or 16 bytes");
}

const struct nla_policy ft_filter_any_policy[FLOWTRACK_A_ANY_MAX + 1] = {
	[FLOWTRACK_A_ANY_FILTER] = NLA_POLICY_NESTED(ft_filter_policy),
};

/* Also of parts, whose own parts and trackers are refused later. */
const struct nla_policy ft_filter_policy[FLOWTRACK_A_FILTER_MAX + 1] = {
	[A(FAMILY)] = NLA_POLICY_RANGE(NLA_U8, AF_INET, AF_INET6),
	[A(L4PROTO)] = { .type = NLA_U8 },
	[A(SRC)] = NLA_POLICY_VALIDATE_FN(NLA_BINARY, check_address,
					  sizeof(struct in6_addr)),
	[A(SRC_PREFIX)] = NLA_POLICY_MAX(NLA_U8, 128),
	[A(DST)] = NLA_POLICY_VALIDATE_FN(NLA_BINARY, check_address,
					  sizeof(struct in6_addr)),
	[A(DST_PREFIX)] = NLA_POLICY_MAX(NLA_U8, 128),
	[A(SPORT_MIN)] = { .type = NLA_U16 },
	[A(SPORT_MAX)] = { .type = NLA_U16 },
	[A(DPORT_MIN)] = { .type = NLA_U16 },
	[A(DPORT_MAX)] = { .type = NLA_U16 },
	[A(STATE)] = { .type = NLA_U8 },
	[A(CLASS)] = NLA_POLICY_MAX(NLA_U8, FLOWTRACK_CLASS_ASSURED),
	[A(MARK)] = { .type = NLA_U32 },
	[A(MARK_MASK)] = { .type = NLA_U32 },
	[A(ZONE)] = { .type = NLA_U16 },
	[A(AGE_MIN)] = { .type = NLA_U32 },
	[A(AGE_MAX)] = { .type = NLA_U32 },
	[A(TRACKER)] = NLA_POLICY_MASK(NLA_U8, FLOWTRACK_TRACKER_OWN |
					       FLOWTRACK_TRACKER_GUARDED),
	[A(REPLY_SRC)] = NLA_POLICY_VALIDATE_FN(NLA_BINARY, check_address,
						sizeof(struct in6_addr)),
	[A(REPLY_SRC_PREFIX)] = NLA_POLICY_MAX(NLA_U8, 128),
	[A(REPLY_DST)] = NLA_POLICY_VALIDATE_FN(NLA_BINARY, check_address,
						sizeof(struct in6_addr)),
	[A(REPLY_DST_PREFIX)] = NLA_POLICY_MAX(NLA_U8, 128),
	[A(REPLY_SPORT_MIN)] = { .type = NLA_U16 },
	[A(REPLY_SPORT_MAX)] = { .type = NLA_U16 },
	[A(REPLY_DPORT_MIN)] = { .type = NLA_U16 },
	[A(REPLY_DPORT_MAX)] = { .type = NLA_U16 },
	[A(HOST)] = NLA_POLICY_VALIDATE_FN(NLA_BINARY, check_address,
					   sizeof(struct in6_addr)),
	[A(HOST_PREFIX)] = NLA_POLICY_MAX(NLA_U8, 128),
	[A(PORT_MIN)] = { .type = NLA_U16 },
	[A(PORT_MAX)] = { .type = NLA_U16 },
	[A(ANY)] = NLA_POLICY_NESTED(ft_filter_any_policy),
	[A(NOT)] = NLA_POLICY_NESTED(ft_filter_policy),
};

static int set_family(struct ft_filter *filter, const struct nlattr *attr,
		      u8 family, struct netlink_ext_ack *extack)
{
	if (filter->family && filter->family != family)
		return FT_NETLINK_BAD(extack, attr,
				      "address and family do not agree");
	filter->family = family;
	filter->given |= GIVEN(FAMILY);
	return 0;
}

static int parse_address(struct ft_filter *filter, struct nlattr **tb,
			 const struct nlattr *nest, unsigned int end,
			 struct netlink_ext_ack *extack)
{
	unsigned int attr = ends[end].addr, len_attr = ends[end].prefix;
	unsigned int bits, prefix, i;
	u8 *mask, *addr;
	int err;

	if (!tb[attr] && tb[len_attr])
		return FT_NETLINK_MISSING(extack, nest, attr,
					  "a prefix length needs its address");
	if (!tb[attr])
		return 0;

	bits = nla_len(tb[attr]) * BITS_PER_BYTE;
	err = set_family(filter, tb[attr], bits == 32 ? NFPROTO_IPV4 :
			 NFPROTO_IPV6, extack);
	if (err)
		return err;
	prefix = tb[len_attr] ? nla_get_u8(tb[len_attr]) : bits;
	if (prefix > bits)
		return FT_NETLINK_BAD(extack, tb[len_attr],
				      "an IPv4 prefix has at most 32 bits");

	addr = (u8 *)&filter->addr[end];
	mask = (u8 *)&filter->mask[end];
	nla_memcpy(addr, tb[attr], sizeof(filter->addr[end]));
	for (i = 0; i < sizeof(filter->mask[end]); i++) {
		mask[i] = prefix >= 8 ? 0xff : (u8)(0xff00 >> prefix);
		addr[i] &= mask[i];
		prefix -= min(prefix, 8u);
	}
	filter->given |= BIT(attr);
	return 0;
}

static int parse_ports(struct ft_filter *filter, struct nlattr **tb,
		       const struct nlattr *nest, unsigned int end,
		       struct netlink_ext_ack *extack)
{
	unsigned int lowest = ends[end].port_min, highest = ends[end].port_max;

	if (!tb[lowest] && tb[highest])
		return FT_NETLINK_MISSING(extack, nest, lowest,
					  "the end of a port range needs its beginning");
	if (!tb[lowest])
		return 0;
	filter->port_min[end] = nla_get_u16(tb[lowest]);
	filter->port_max[end] = tb[highest] ? nla_get_u16(tb[highest]) :
					      filter->port_min[end];
	if (filter->port_max[end] < filter->port_min[end])
		return FT_NETLINK_BAD(extack, tb[highest],
				      "the port range ends before it begins");
	if (tb[A(L4PROTO)] && !ft_l4_has_ports(filter->l4proto))
		return FT_NETLINK_BAD(extack, tb[lowest],
				      "the protocol has no ports");
	filter->given |= BIT(lowest);
	return 0;
}

static int parse_protocol(struct ft_filter *filter, struct nlattr **tb,
			  const struct nlattr *nest,
			  struct netlink_ext_ack *extack)
{
	if (tb[A(FAMILY)]) {
		int err = ft_netlink_check_family(tb[A(FAMILY)], extack);

		if (err)
			return err;
		filter->family = nla_get_u8(tb[A(FAMILY)]);
		filter->given |= GIVEN(FAMILY);
	}
	if (tb[A(L4PROTO)]) {
		filter->l4proto = nla_get_u8(tb[A(L4PROTO)]);
		filter->given |= GIVEN(L4PROTO);
	}
	if (!tb[A(STATE)])
		return 0;
	if (!tb[A(L4PROTO)])
		return FT_NETLINK_MISSING(extack, nest, A(L4PROTO),
					  "a state needs the protocol that has it");
	filter->state = nla_get_u8(tb[A(STATE)]);
	filter->given |= GIVEN(STATE);
	if (filter->state > ft_proto_state_max(filter->l4proto))
		return FT_NETLINK_BAD(extack, tb[A(STATE)],
				      "the protocol has no such state");
	return 0;
}

static int parse_ages(struct ft_filter *filter, struct nlattr **tb,
		      struct netlink_ext_ack *extack)
{
	filter->age_end = U64_MAX;
	if (tb[A(AGE_MIN)]) {
		filter->age_min = (u64)nla_get_u32(tb[A(AGE_MIN)]) *
				  NSEC_PER_SEC;
		filter->given |= GIVEN(AGE_MIN);
	}
	if (tb[A(AGE_MAX)]) {
		/* An age is that many full seconds. */
		filter->age_end = ((u64)nla_get_u32(tb[A(AGE_MAX)]) + 1) *
				  NSEC_PER_SEC;
		filter->given |= GIVEN(AGE_MAX);
	}
	if (filter->age_end <= filter->age_min)
		return FT_NETLINK_BAD(extack, tb[A(AGE_MAX)],
				      "the greatest age is below the least");
	return 0;
}

static int parse_mark(struct ft_filter *filter, struct nlattr **tb,
		      const struct nlattr *nest, struct netlink_ext_ack *extack)
{
	if (!tb[A(MARK)] && tb[A(MARK_MASK)])
		return FT_NETLINK_MISSING(extack, nest, A(MARK),
					  "a mark's mask needs the mark");
	if (!tb[A(MARK)])
		return 0;
	filter->mark_mask = tb[A(MARK_MASK)] ?
			    nla_get_u32(tb[A(MARK_MASK)]) : U32_MAX;
	filter->mark = nla_get_u32(tb[A(MARK)]) & filter->mark_mask;
	filter->given |= GIVEN(MARK);
	return 0;
}

static int parse_tracker(struct ft_filter *filter, struct nlattr **tb,
			 struct netlink_ext_ack *extack)
{
	filter->trackers = tb[A(TRACKER)] ? nla_get_u8(tb[A(TRACKER)]) :
					    FLOWTRACK_TRACKER_OWN;
	if (!filter->trackers)
		return FT_NETLINK_BAD(extack, tb[A(TRACKER)],
				      "nobody tracks such flows");
	return 0;
}

/* What all parts of a filter may have, and its whole. */
static int parse_terms(struct ft_filter *filter, struct nlattr **tb,
		       const struct nlattr *nest, struct netlink_ext_ack *extack)
{
	unsigned int end;
	int err;

	err = parse_protocol(filter, tb, nest, extack);
	for (end = 0; end < FT_FILTER_ENDS && !err; end++) {
		err = parse_address(filter, tb, nest, end, extack);
		if (!err)
			err = parse_ports(filter, tb, nest, end, extack);
	}
	if (!err)
		err = parse_mark(filter, tb, nest, extack);
	if (!err)
		err = parse_ages(filter, tb, extack);
	if (err)
		return err;
	if (tb[A(CLASS)]) {
		filter->class = nla_get_u8(tb[A(CLASS)]);
		filter->given |= GIVEN(CLASS);
	}
	if (tb[A(ZONE)]) {
		filter->zone = nla_get_u16(tb[A(ZONE)]);
		filter->given |= GIVEN(ZONE);
	}
	return 0;
}

/* The next of the filter's parts, in @nest. */
static int parse_part(struct ft_filter *filter, const struct nlattr *nest, u8 list,
		      struct netlink_ext_ack *extack)
{
	struct ft_filter *part = &filter->parts[filter->n_parts++];
	struct nlattr *tb[FLOWTRACK_A_FILTER_MAX + 1];
	int err;

	err = nla_parse_nested(tb, FLOWTRACK_A_FILTER_MAX, nest, ft_filter_policy, extack);
	if (err)
		return err;
	if (tb[A(ANY)] || tb[A(NOT)])
		return FT_NETLINK_BAD(extack, tb[A(ANY)] ?: tb[A(NOT)],
				      "a part of a filter has no parts");
	if (tb[A(TRACKER)])
		return FT_NETLINK_BAD(extack, tb[A(TRACKER)],
				      "the tracker is that of the whole filter");
	part->list = list;
	err = parse_terms(part, tb, nest, extack);
	/* An exception that every flow matches would leave nothing. */
	if (!err && !part->given)
		return FT_NETLINK_BAD(extack, nest, "every flow matches this part");
	return err;
}

/* Alternatives and exceptions. */
static int count_parts(const struct nlattr *nest)
{
	const struct nlattr *attr, *part;
	int rem, left, n = 0;

	nla_for_each_nested(attr, nest, rem) {
		if (nla_type(attr) == A(NOT))
			n++;
		if (nla_type(attr) != A(ANY))
			continue;
		nla_for_each_nested(part, attr, left)
			n++;
	}
	return n;
}

static int parse_list(struct ft_filter *filter, const struct nlattr *nest, u8 list,
		      struct netlink_ext_ack *extack)
{
	const struct nlattr *part;
	int err, rem;

	if (!nla_len(nest))
		return FT_NETLINK_BAD(extack, nest, "no alternative in the list");
	nla_for_each_nested(part, nest, rem) {
		err = parse_part(filter, part, list, extack);
		if (err)
			return err;
	}
	return 0;
}

static int parse_parts(struct ft_filter *filter, const struct nlattr *nest,
		       struct netlink_ext_ack *extack)
{
	int n = count_parts(nest), err = 0, rem;
	const struct nlattr *attr;
	u8 list = 0;

	if (n > FT_FILTER_PARTS)
		return FT_NETLINK_BAD(extack, nest,
				      "more than 64 alternatives and exceptions");
	if (n) {
		filter->parts = kcalloc(n, sizeof(*filter->parts), GFP_KERNEL_ACCOUNT);
		if (!filter->parts)
			return -ENOMEM;
	}
	nla_for_each_nested(attr, nest, rem) {
		if (nla_type(attr) == A(NOT))
			err = parse_part(filter, attr, 0, extack);
		else if (nla_type(attr) == A(ANY))
			err = parse_list(filter, attr, ++list, extack);
		if (err)
			break;
	}
	return err;
}

/**
 * ft_filter_parse() - check a filter and translate it
 * @filter: filled; the caller frees it with ft_filter_free(), after an error, too
 * @nest: FLOWTRACK_A_FLOW_FILTER, validated by ft_filter_policy
 * @extack: gets message and attribute of an error
 *
 * Context: may sleep.
 * Return: 0; -EINVAL; -ENOMEM.
 */
int ft_filter_parse(struct ft_filter *filter, const struct nlattr *nest,
		    struct netlink_ext_ack *extack)
{
	struct nlattr *tb[FLOWTRACK_A_FILTER_MAX + 1];
	int err;

	memset(filter, 0, sizeof(*filter));
	err = nla_parse_nested(tb, FLOWTRACK_A_FILTER_MAX, nest,
			       ft_filter_policy, extack);
	if (!err)
		err = parse_terms(filter, tb, nest, extack);
	if (!err)
		err = parse_tracker(filter, tb, extack);
	if (!err)
		err = parse_parts(filter, nest, extack);
	return err;
}

/**
 * ft_filter_free() - free what a filter has
 * @filter: from ft_filter_parse(), or zero
 *
 * Context: any.
 */
void ft_filter_free(struct ft_filter *filter)
{
	kfree(filter->parts);
	filter->parts = NULL;
	filter->n_parts = 0;
}

static bool match_address(const struct ft_filter *filter,
			  const struct ft_flow6 *copy, unsigned int end,
			  unsigned int at)
{
	const union nf_inet_addr *want = &filter->addr[end];
	const union nf_inet_addr *mask = &filter->mask[end];

	if (filter->family == NFPROTO_IPV4)
		return (copy->f.key.addr4[at] & mask->ip) == want->ip;
	return !ipv6_masked_addr_cmp(&copy->addr6[at], &mask->in6, &want->in6);
}

static bool match_port(const struct ft_filter *filter,
		       const struct ft_flow6 *copy, unsigned int end,
		       unsigned int at)
{
	u16 port = ntohs(copy->f.key.port[at]);

	return ft_l4_has_ports(copy->f.key.l4proto) &&
	       port >= filter->port_min[end] && port <= filter->port_max[end];
}

/* An end of a flow, if it was asked for. */
static bool match_end(const struct ft_filter *filter, const struct ft_flow6 *copy,
		      unsigned int end, unsigned int at)
{
	if (filter->given & BIT(ends[end].addr) && !match_address(filter, copy, end, at))
		return false;
	return !(filter->given & BIT(ends[end].port_min)) || match_port(filter, copy, end, at);
}

/* Any of the ends, for the address and for the port. */
static bool match_either(const struct ft_filter *filter, const struct ft_flow6 *copy,
			 const struct ft_flow6 *reply)
{
	unsigned int end = FT_FILTER_EITHER;

	if (filter->given & GIVEN(HOST) &&
	    !match_address(filter, copy, end, 0) && !match_address(filter, copy, end, 1) &&
	    !match_address(filter, reply, end, 0) && !match_address(filter, reply, end, 1))
		return false;
	return !(filter->given & GIVEN(PORT_MIN)) ||
	       match_port(filter, copy, end, 0) || match_port(filter, copy, end, 1) ||
	       match_port(filter, reply, end, 0) || match_port(filter, reply, end, 1);
}

/* All but the parts. */
static bool match_terms(const struct ft_filter *filter, const struct ft_flow6 *copy,
			const struct ft_flow6 *reply, u64 now)
{
	u32 word = atomic_read(&copy->f.word);
	unsigned int orig = !!(word & FT_FLOW_ORIG_HI);
	unsigned int back = reply ? !!(atomic_read(&reply->f.word) & FT_FLOW_ORIG_HI) : !orig;
	u32 given = filter->given;
	/* Another CPU has entered the flow a moment ago: it has no age yet. */
	u64 age = max_t(s64, now - copy->f.born, 0);

	if (given & GIVEN(L4PROTO) && copy->f.key.l4proto != filter->l4proto)
		return false;
	if (given & GIVEN(FAMILY) && copy->f.key.family != filter->family)
		return false;
	if (given & GIVEN(ZONE) && copy->f.key.zone != filter->zone)
		return false;
	if (given & GIVEN(STATE) && ft_word_state(word) != filter->state)
		return false;
	if (given & GIVEN(CLASS) && ft_word_class(word) != filter->class)
		return false;
	if (given & GIVEN(MARK) &&
	    (copy->f.mark & filter->mark_mask) != filter->mark)
		return false;
	if (given & (GIVEN(AGE_MIN) | GIVEN(AGE_MAX)) &&
	    (copy->f.born == FT_FILTER_NO_AGE ||
	     age < filter->age_min || age >= filter->age_end))
		return false;
	if (!reply)
		reply = copy;
	return match_end(filter, copy, FT_FILTER_SRC, orig) &&
	       match_end(filter, copy, FT_FILTER_DST, !orig) &&
	       match_end(filter, reply, FT_FILTER_REPLY_SRC, back) &&
	       match_end(filter, reply, FT_FILTER_REPLY_DST, !back) &&
	       match_either(filter, copy, reply);
}

/* One of each list, and no exception. */
static bool match_parts(const struct ft_filter *filter, const struct ft_flow6 *copy,
			const struct ft_flow6 *reply, u64 now)
{
	const struct ft_filter *part = filter->parts, *end = part + filter->n_parts;

	while (part < end) {
		u8 list = part->list;
		bool met = false;

		do {
			met = met || match_terms(part, copy, reply, now);
			part++;
		} while (list && part < end && part->list == list);
		if (met == !list)
			return false;
	}
	return true;
}

/**
 * ft_filter_match() - does a flow match?
 * @filter: from ft_filter_parse()
 * @copy: the flow
 * @reply: tuple of the answers, as that of a flow which it opens; NULL: they come back to
 *	@copy as it is
 * @now: ktime_get_boottime_ns()
 *
 * Context: any.
 * Return: true if it matches all that was given.
 */
bool ft_filter_match(const struct ft_filter *filter, const struct ft_flow6 *copy,
		     const struct ft_flow6 *reply, u64 now)
{
	return match_terms(filter, copy, reply, now) && match_parts(filter, copy, reply, now);
}

/**
 * ft_filter_match_own() - does a flow of ours match?
 * @filter: from ft_filter_parse()
 * @copy: the flow
 * @now: ktime_get_boottime_ns()
 *
 * Context: any.
 * Return: true if it matches all that was given.
 */
bool ft_filter_match_own(const struct ft_filter *filter, const struct ft_flow6 *copy, u64 now)
{
	struct ft_flow6 reply;

	return ft_filter_match(filter, copy, ft_netlink_answers(copy, &reply), now);
}
