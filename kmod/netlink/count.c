// SPDX-License-Identifier: GPL-2.0
/*
 * count-get: how many flows there are of each kind, in one pass.
 */
#include <linux/ktime.h>
#include <linux/netlink.h>
#include <linux/nf_flowtrack.h>
#include <linux/sched/signal.h>
#include <linux/skbuff.h>
#include <net/genetlink.h>
#include <net/netlink.h>

#include "base/extack.h"
#include "base/settings.h"
#include "base/tally.h"
#include "flow/flow.h"
#include "flow/table.h"
#include "flow/tuple.h"
#include "net.h"
#include "netlink/count.h"
#include "netlink/encode.h"
#include "netlink/family.h"
#include "netlink/filter.h"
#include "netlink/guarded.h"
#include "netlink/top.h"
#include "policy/source.h"

#define A(name)		FLOWTRACK_A_COUNT_##name
#define E(name)		FLOWTRACK_A_COUNT_ENTRY_##name

/* Entries of a reply if none is asked for. */
#define DEFAULT_LIMIT	64

/* A pass that a resize spoils is made again, so many times. */
#define TRIES		10

#define HEAD_SIZE	(8 * nla_total_size(sizeof(u32)))
/* A nest, two numbers, and a source: a nest again. */
#define ENTRY_SIZE	(nla_total_size(0) + 2 * nla_total_size(sizeof(u32)) + \
			 FT_NETLINK_TOP_ENTRY_SIZE)

/**
 * struct count - a count
 * @tn: namespace
 * @tally: what was counted
 * @by: enum flowtrack_count_by
 * @prefix: what makes a source of an address
 * @filter: which flows are counted
 * @now: ktime_get_boottime_ns()
 */
struct count {
	struct ft_net *tn;
	struct ft_tally *tally;
	u8 by;
	struct ft_source_prefix prefix;
	struct ft_filter filter;
	u64 now;
};

/* What a flow is counted as; FLOWTRACK_COUNT_BY_SOURCE: a struct ft_source. */
static void tally_key_of(struct ft_tally_key *key, const struct count *count,
			 const struct ft_flow6 *copy)
{
	u32 word = atomic_read(&copy->f.word);
	struct ft_source source;
	struct ft_key flow;

	BUILD_BUG_ON(sizeof(source) != sizeof(*key));
	memset(key, 0, sizeof(*key));
	switch (count->by) {
	case FLOWTRACK_COUNT_BY_CLASS:
		key->v[0] = ft_word_class(word);
		break;
	case FLOWTRACK_COUNT_BY_STATE:
		key->v[1] = ft_word_state(word);
		fallthrough;
	case FLOWTRACK_COUNT_BY_PROTO:
		key->v[0] = copy->f.key.l4proto;
		break;
	case FLOWTRACK_COUNT_BY_ZONE:
		key->v[0] = copy->f.key.zone;
		break;
	case FLOWTRACK_COUNT_BY_MARK:
		key->v[0] = copy->f.mark;
		break;
	case FLOWTRACK_COUNT_BY_SOURCE:
		ft_flow_key(&copy->f, &flow);
		ft_source_get(&source, &flow, !!(word & FT_FLOW_ORIG_HI));
		ft_source_cut(&source, count->prefix);
		memcpy(key, &source, sizeof(*key));
		break;
	}
}

static void count_copy(const struct ft_flow6 *copy, void *arg)
{
	struct count *count = arg;
	struct ft_tally_key key;

	tally_key_of(&key, count, copy);
	ft_tally_add(count->tally, &key);
}

static int count_own(struct ft_flow *flow, u32 index, void *arg)
{
	struct count *count = arg;
	struct ft_flow6 copy;

	if (ft_netlink_snapshot(flow, READ_ONCE(flow->gen), &copy) &&
	    ft_filter_match_own(&count->filter, &copy, count->now))
		count_copy(&copy, count);
	return 0;
}

/* One pass. Return: 0; -EINTR; -EAGAIN: a resize may have shown flows twice. */
static int count_all(struct count *count)
{
	struct ft_net *tn = count->tn;
	u32 generation = ft_table_generation(tn->table);
	int err = 0;

	ft_tally_reset(count->tally);
	if (count->filter.trackers & FLOWTRACK_TRACKER_OWN)
		err = ft_table_for_each(tn->table, true, count_own, count);
	if (!err && generation != ft_table_generation(tn->table))
		return -EAGAIN;
	if (!err && count->filter.trackers & FLOWTRACK_TRACKER_GUARDED)
		err = ft_netlink_guarded_each(tn, &count->filter, count_copy, count);
	return err;
}

static int count_again(struct count *count)
{
	unsigned int tries = 0;
	int err;

	while ((err = count_all(count)) == -EAGAIN && ++tries < TRIES) {
		if (fatal_signal_pending(current))
			return -EINTR;
		schedule_timeout_killable(1);
	}
	return err;
}

static int put_tally_key(struct sk_buff *skb, const struct count *count,
			 const struct ft_tally_key *key)
{
	struct ft_source source;
	struct nlattr *nest;

	switch (count->by) {
	case FLOWTRACK_COUNT_BY_CLASS:
		return nla_put_u8(skb, E(CLASS), key->v[0]);
	case FLOWTRACK_COUNT_BY_STATE:
		return nla_put_u8(skb, E(L4PROTO), key->v[0]) ?:
		       nla_put_u8(skb, E(STATE), key->v[1]);
	case FLOWTRACK_COUNT_BY_PROTO:
		return nla_put_u8(skb, E(L4PROTO), key->v[0]);
	case FLOWTRACK_COUNT_BY_ZONE:
		return nla_put_u16(skb, E(ZONE), key->v[0]);
	case FLOWTRACK_COUNT_BY_MARK:
		return nla_put_u32(skb, E(MARK), key->v[0]);
	default:
		memcpy(&source, key, sizeof(source));
		nest = nla_nest_start(skb, E(SOURCE));
		if (!nest || ft_netlink_put_host(skb, &source, source.family == NFPROTO_IPV4 ?
						 count->prefix.v4 : count->prefix.v6))
			return -EMSGSIZE;
		nla_nest_end(skb, nest);
		return 0;
	}
}

static int put_count(struct sk_buff *skb, const struct count *count, u32 limit)
{
	const struct ft_tally *tally = count->tally;
	u32 i, others = tally->total;
	struct nlattr *nest;

	for (i = 0; i < min(limit, tally->n); i++)
		others -= tally->entry[i].n;
	if (nla_put_u8(skb, A(BY), count->by) ||
	    nla_put_u32(skb, A(TOTAL), tally->total) ||
	    nla_put_u32(skb, A(OTHERS), others) ||
	    nla_put_u32(skb, A(SHORT_BY), tally->short_by))
		return -EMSGSIZE;
	for (i = 0; i < min(limit, tally->n); i++) {
		nest = nla_nest_start(skb, A(ENTRY));
		if (!nest || nla_put_u32(skb, E(FLOWS), tally->entry[i].n) ||
		    put_tally_key(skb, count, &tally->entry[i].key))
			return -EMSGSIZE;
		nla_nest_end(skb, nest);
	}
	return 0;
}

static int count_reply(struct genl_info *info, struct count *count, u32 limit)
{
	struct sk_buff *msg;
	void *hdr;
	int err;

	count->tally = ft_tally_alloc();
	if (!count->tally)
		return -ENOMEM;
	err = count_again(count);
	if (err == -EAGAIN)
		GENL_SET_ERR_MSG(info, "the table is being resized over and over: ask again");
	if (err)
		goto out;
	ft_tally_sort(count->tally);
	msg = ft_netlink_reply(info, HEAD_SIZE + limit * ENTRY_SIZE, &hdr);
	err = -ENOMEM;
	if (msg)
		err = ft_netlink_send(info, msg, hdr, put_count(msg, count, limit));
out:
	ft_tally_free(count->tally);
	return err;
}

/**
 * ft_netlink_count_get() - how many flows there are of each kind
 * @skb: request
 * @info: likewise
 *
 * Return: 0; -EINVAL; -ENOMEM; -EINTR; -EAGAIN: too many resizes.
 */
int ft_netlink_count_get(struct sk_buff *skb, struct genl_info *info)
{
	struct ft_net *tn = ft_netlink_net(info);
	struct count count = {
		.tn = tn,
		.prefix.v4 = ft_setting(&tn->set, SRC_PREFIX4),
		.prefix.v6 = ft_setting(&tn->set, SRC_PREFIX6),
		.filter.trackers = FLOWTRACK_TRACKER_OWN,
		.filter.age_end = U64_MAX,
		.now = ktime_get_boottime_ns(),
	};
	u32 limit = DEFAULT_LIMIT;
	int err = 0;

	if (!info->attrs[A(BY)])
		return FT_NETLINK_MISSING(info->extack, NULL, A(BY), "by what are flows counted?");
	count.by = nla_get_u8(info->attrs[A(BY)]);
	if (info->attrs[A(LIMIT)])
		limit = nla_get_u32(info->attrs[A(LIMIT)]);
	if (info->attrs[A(FILTER)])
		err = ft_filter_parse(&count.filter, info->attrs[A(FILTER)], info->extack);
	if (!err)
		err = count_reply(info, &count, limit);
	ft_filter_free(&count.filter);
	return err;
}
