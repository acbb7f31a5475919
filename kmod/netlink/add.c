// SPDX-License-Identifier: GPL-2.0
/*
 * flow-add: a flow that no packet opened, as saved elsewhere or before.
 */
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/netdevice.h>
#include <linux/netlink.h>
#include <linux/nf_flowtrack.h>
#include <linux/timekeeping.h>
#include <net/genetlink.h>
#include <net/ipv6.h>
#include <net/netlink.h>

#include "base/extack.h"
#include "base/limits.h"
#include "base/settings.h"
#include "flow/flow.h"
#include "flow/table.h"
#include "flow/tuple.h"
#include "net.h"
#include "netlink/add.h"
#include "netlink/family.h"
#include "netlink/tuple.h"
#include "proto/proto.h"
#include "track/add.h"
#include "track/birth.h"

#define A(name)		FLOWTRACK_A_FLOW_##name

const struct nla_policy ft_counters_policy[FLOWTRACK_A_COUNTERS_MAX + 1] = {
	[FLOWTRACK_A_COUNTERS_PACKETS] = { .type = NLA_U64 },
	[FLOWTRACK_A_COUNTERS_BYTES] = { .type = NLA_U64 },
};

static int read_counters(struct genl_info *info, struct ft_birth *birth,
			 enum ft_dir dir)
{
	unsigned int attr = dir == FT_DIR_ORIG ? A(COUNTERS_ORIG) :
						 A(COUNTERS_REPLY);
	struct nlattr *tb[FLOWTRACK_A_COUNTERS_MAX + 1];
	int err;

	if (!info->attrs[attr])
		return 0;
	err = nla_parse_nested(tb, FLOWTRACK_A_COUNTERS_MAX, info->attrs[attr],
			       ft_counters_policy, info->extack);
	if (err)
		return err;
	if (tb[FLOWTRACK_A_COUNTERS_PACKETS])
		birth->packets[dir] =
			nla_get_u64(tb[FLOWTRACK_A_COUNTERS_PACKETS]);
	if (tb[FLOWTRACK_A_COUNTERS_BYTES])
		birth->bytes[dir] = nla_get_u64(tb[FLOWTRACK_A_COUNTERS_BYTES]);
	return 0;
}

static int check_state(struct genl_info *info, u8 l4proto, u8 state, bool replied)
{
	if (state > ft_proto_state_max(l4proto))
		return FT_NETLINK_BAD(info->extack, info->attrs[A(STATE)],
				      "the protocol has no such state");
	if (ft_l4_stateful(l4proto)) {
		/* NONE is the state before the first packet: no flow is in it. */
		if (!state)
			return FT_NETLINK_BAD(info->extack, info->attrs[A(STATE)],
					      "no flow is in state none");
		return 0;
	}
	if (state >= FLOWTRACK_FLOW_STATE_REPLIED && !replied)
		return FT_NETLINK_BAD(info->extack, info->attrs[A(STATE)],
				      "the state needs the status seen-reply");
	return 0;
}

static int read_state(struct genl_info *info, struct ft_birth *birth)
{
	struct nlattr *attr = info->attrs[A(STATUS)];
	u8 l4proto = birth->key.l4proto, state;
	u32 status = attr ? nla_get_u32(attr) : 0;
	bool replied = status & FLOWTRACK_STATUS_SEEN_REPLY;
	int err;

	if (status & FLOWTRACK_STATUS_ASSURED && !replied)
		return FT_NETLINK_BAD(info->extack, info->attrs[A(STATUS)],
				      "assured needs seen-reply");
	state = ft_proto_state_default(l4proto, replied);
	if (info->attrs[A(STATE)]) {
		state = nla_get_u8(info->attrs[A(STATE)]);
		err = check_state(info, l4proto, state, replied);
		if (err)
			return err;
	}
	if (replied)
		birth->word |= FT_FLOW_SEEN_REPLY;
	if (status & FLOWTRACK_STATUS_ASSURED)
		birth->word |= FT_FLOW_ASSURED;
	birth->word = ft_proto_word(l4proto, birth->word, state);
	return 0;
}

static int read_timeout(struct genl_info *info, const struct ft_net *tn,
			struct ft_birth *birth)
{
	struct nlattr *attr = info->attrs[A(TIMEOUT)];
	u64 ms;

	if (!attr) {
		birth->timeout = ft_proto_timeout(birth->key.l4proto,
						  birth->key.family,
						  birth->word, &tn->set);
		return 0;
	}
	ms = nla_get_u32(attr);
	if (ms > (u64)FT_TIMEOUT_MAX * MSEC_PER_SEC) {
		NL_SET_ERR_MSG_ATTR_FMT(info->extack, attr,
					"at most %u seconds", FT_TIMEOUT_MAX);
		return -EINVAL;
	}
	birth->timeout = div_u64(ms * HZ + MSEC_PER_SEC - 1, MSEC_PER_SEC);
	return 0;
}

/* A stream is older than two seconds: how much older does not matter. */
#define AGE_ENOUGH	(60 * (u64)NSEC_PER_SEC)

static int read_start(struct genl_info *info, struct ft_birth *birth)
{
	struct nlattr *attr = info->attrs[A(START)];
	u64 start, now, age = 0;

	if (attr) {
		start = nla_get_u64(attr);
		now = ktime_get_real_ns();
		if (start > now)
			return FT_NETLINK_BAD(info->extack, info->attrs[A(START)],
					      "starts in the future");
		age = now - start;
	}
	/* A start before the boot wraps around: only differences count. */
	birth->born = ktime_get_boottime_ns() - age;
	if (!ft_l4_stateful(birth->key.l4proto))
		birth->proto.stream.since = ft_now() -
			(u32)nsecs_to_jiffies(min(age, AGE_ENOUGH));
	return 0;
}

/* Addresses and ports of one end of a flow in each of its keys: are they the same? */
static bool same_end(const struct ft_key *a, unsigned int i, const struct ft_key *b,
		     unsigned int j)
{
	if (ft_l4_has_ports(a->l4proto) && a->port[i] != b->port[j])
		return false;
	return a->family == NFPROTO_IPV4 ? a->addr4[i] == b->addr4[j] :
					   ipv6_addr_equal(&a->addr6[i], &b->addr6[j]);
}

static bool same_addresses(const struct ft_key *key)
{
	return key->family == NFPROTO_IPV4 ? key->addr4[0] == key->addr4[1] :
					     ipv6_addr_equal(&key->addr6[0], &key->addr6[1]);
}

/* Which end do its answers have another one of? Return: FT_FLOW_SNAT, FT_FLOW_DNAT. */
static u32 mapping_of(const struct ft_key *key, bool orig_hi, const struct ft_key *answer,
		      bool reply_hi)
{
	u32 word = 0;

	if (!same_end(key, orig_hi, answer, !reply_hi))
		word |= FT_FLOW_SNAT;
	if (!same_end(key, !orig_hi, answer, reply_hi))
		word |= FT_FLOW_DNAT;
	/* The id of ICMP is of both ends: either way nf_nat changes it. */
	if (!word && !ft_l4_has_ports(key->l4proto) && key->port[0] != answer->port[0])
		word = FT_FLOW_SNAT;
	return word;
}

static int read_masq(struct genl_info *info, const struct ft_net *tn, struct ft_birth *birth)
{
	struct nlattr *attr = info->attrs[A(MASQ)];
	const struct net_device *dev;

	if (!attr)
		return 0;
	if (!(birth->word & FT_FLOW_SNAT))
		return FT_NETLINK_BAD(info->extack, attr, "the flow has its own source");
	rcu_read_lock();
	dev = dev_get_by_name_rcu(tn->net, nla_data(attr));
	if (dev)
		birth->masq = dev->ifindex;
	rcu_read_unlock();
	return birth->masq ? 0 : FT_NETLINK_BAD(info->extack, attr, "no such device");
}

/* How the flow is translated, if it is. */
static int read_mapping(struct genl_info *info, const struct ft_net *tn, struct ft_birth *birth)
{
	struct nlattr *attr = info->attrs[A(REPLY)];
	const bool orig_hi = birth->word & FT_FLOW_ORIG_HI;
	bool reply_hi;
	u32 mapping;
	int err;

	if (!attr)
		return read_masq(info, tn, birth);
	if (!ft_l4_nat(birth->key.l4proto, birth->key.port[0], birth->key.port[1]))
		return FT_NETLINK_BAD(info->extack, attr, "translated PPTP is nf_conntrack's");
	err = ft_netlink_get_answer(info, &birth->key, &birth->answer, &reply_hi);
	if (err)
		return err;
	mapping = mapping_of(&birth->key, orig_hi, &birth->answer, reply_hi);
	if (!mapping)
		return read_masq(info, tn, birth);
	if (ft_key_equal(&birth->key, &birth->answer) || same_addresses(&birth->key) ||
	    same_addresses(&birth->answer))
		return FT_NETLINK_BAD(info->extack, attr, "its directions cannot be told apart");
	birth->word |= mapping | (reply_hi ? FT_FLOW_REPLY_HI : 0);
	birth->second = ft_key_hash(&birth->answer, ft_table_secret(tn->table));
	return read_masq(info, tn, birth);
}

/* Everything about the flow. */
static int read_birth(struct genl_info *info, struct ft_net *tn,
		      struct ft_birth *birth)
{
	bool from_hi;
	int err;

	memset(birth, 0, sizeof(*birth));
	err = ft_netlink_get_key(info, &birth->key, &from_hi, true);
	if (err)
		return err;
	if (ft_l4_left(birth->key.l4proto))
		return FT_NETLINK_BAD(info->extack, info->attrs[A(L4PROTO)],
				      "a protocol that is left to nf_conntrack");
	birth->hash = ft_key_hash(&birth->key, ft_table_secret(tn->table));
	birth->word = from_hi ? FT_FLOW_ORIG_HI : 0;
	birth->exempt = true;
	if (info->attrs[A(MARK)])
		birth->mark = nla_get_u32(info->attrs[A(MARK)]);
	return read_mapping(info, tn, birth) ?:
	       read_state(info, birth) ?:
	       read_timeout(info, tn, birth) ?:
	       ft_proto_from_nlattr(info->attrs, birth->key.l4proto,
				    &birth->proto, info->extack) ?:
	       read_counters(info, birth, FT_DIR_ORIG) ?:
	       read_counters(info, birth, FT_DIR_REPLY) ?:
	       read_start(info, birth);
}

/**
 * ft_netlink_flow_add() - enter a flow
 * @skb: request
 * @info: likewise
 *
 * At a full table it fares like the flow of a packet.
 *
 * Return: 0; -EINVAL; -EEXIST; -ENOSPC: no room; -EBUSY: see ft_flow_add().
 */
int ft_netlink_flow_add(struct sk_buff *skb, struct genl_info *info)
{
	struct ft_net *tn = ft_netlink_net(info);
	struct ft_birth birth;
	int err;

	err = read_birth(info, tn, &birth);
	if (err)
		return err;

	err = ft_flow_add(tn, &birth);
	switch (err) {
	case -EEXIST:
		GENL_SET_ERR_MSG(info, "the flow exists, here or in nf_conntrack");
		break;
	case -EBUSY:
		GENL_SET_ERR_MSG(info, "translated flows are being handed over to nf_conntrack");
		break;
	case -ENOSPC:
		NL_SET_ERR_MSG_FMT(info->extack, "no room: %d of %u flows",
				   atomic_read(&tn->count),
				   ft_setting(&tn->set, MAX_FLOWS));
		break;
	}
	return err;
}
