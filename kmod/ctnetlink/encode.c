// SPDX-License-Identifier: GPL-2.0
/*
 * After nf_conntrack_netlink.c: Jay Schulist, Harald Welte, Patrick McHardy,
 * Pablo Neira Ayuso.
 */
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/security.h>
#include <net/netfilter/nf_conntrack_acct.h>
#include <net/netfilter/nf_conntrack_ecache.h>
#include <net/netfilter/nf_conntrack_helper.h>
#include <net/netfilter/nf_conntrack_l4proto.h>
#include <net/netfilter/nf_conntrack_labels.h>
#include <net/netfilter/nf_conntrack_seqadj.h>
#include <net/netfilter/nf_conntrack_synproxy.h>
#include <net/netfilter/nf_conntrack_timestamp.h>
#include <net/netfilter/nf_conntrack_zones.h>
#include <net/netlink.h>

#include "ctnetlink/encode.h"
#include "ctnetlink/stand_in.h"
#include "flow/tuple.h"
#include "net.h"
#include "track/carrier.h"

/**
 * ft_ctnl_msg_put() - begin a message
 * @skb: where
 * @head: what stands in its headers; type is that of the message
 * @subsys: NFNL_SUBSYS_CTNETLINK or _EXP
 * @family: NFPROTO_*
 * @res_id: nfgenmsg's, host order
 *
 * Return: its header, or NULL: no room.
 */
struct nlmsghdr *ft_ctnl_msg_put(struct sk_buff *skb, const struct ft_ctnl_head *head,
				 unsigned int subsys, u8 family, u16 res_id)
{
	return nfnl_msg_put(skb, head->portid, head->seq, nfnl_msg_type(subsys, head->type),
			    head->flags, family, NFNETLINK_V0, htons(res_id));
}

static int put_ip(struct sk_buff *skb, const struct nf_conntrack_tuple *tuple)
{
	struct nlattr *nest = nla_nest_start(skb, CTA_TUPLE_IP);
	int err = 0;

	if (!nest)
		return -EMSGSIZE;
	switch (tuple->src.l3num) {
	case NFPROTO_IPV4:
		err = nla_put_in_addr(skb, CTA_IP_V4_SRC, tuple->src.u3.ip) ?:
		      nla_put_in_addr(skb, CTA_IP_V4_DST, tuple->dst.u3.ip);
		break;
	case NFPROTO_IPV6:
		err = nla_put_in6_addr(skb, CTA_IP_V6_SRC, &tuple->src.u3.in6) ?:
		      nla_put_in6_addr(skb, CTA_IP_V6_DST, &tuple->dst.u3.in6);
		break;
	}
	nla_nest_end(skb, nest);
	return err;
}

static int put_l4(struct sk_buff *skb, const struct nf_conntrack_tuple *tuple)
{
	const struct nf_conntrack_l4proto *l4proto = nf_ct_l4proto_find(tuple->dst.protonum);
	struct nlattr *nest = nla_nest_start(skb, CTA_TUPLE_PROTO);
	int err;

	if (!nest)
		return -EMSGSIZE;
	err = nla_put_u8(skb, CTA_PROTO_NUM, tuple->dst.protonum);
	if (!err && l4proto->tuple_to_nlattr)
		err = l4proto->tuple_to_nlattr(skb, tuple);
	nla_nest_end(skb, nest);
	return err;
}

/* The zone, if it belongs to what @attr is about: @dir, one direction or both. */
static int put_zone(struct sk_buff *skb, int attr, const struct nf_conntrack_zone *zone, int dir)
{
	if (zone->id == NF_CT_DEFAULT_ZONE_ID || zone->dir != dir)
		return 0;
	return nla_put_be16(skb, attr, htons(zone->id));
}

static int put_tuple_zone(struct sk_buff *skb, int attr, const struct nf_conntrack_tuple *tuple,
			  const struct nf_conntrack_zone *zone, int dir)
{
	struct nlattr *nest = nla_nest_start(skb, attr);
	int err;

	if (!nest)
		return -EMSGSIZE;
	err = put_ip(skb, tuple) ?: put_l4(skb, tuple);
	if (!err && zone)
		err = put_zone(skb, CTA_TUPLE_ZONE, zone, dir);
	nla_nest_end(skb, nest);
	return err;
}

/**
 * ft_ctnl_put_tuple() - encode a tuple
 * @skb: message
 * @attr: the attribute that it becomes
 * @tuple: the tuple
 *
 * Context: any.
 * Return: 0 or -EMSGSIZE.
 */
int ft_ctnl_put_tuple(struct sk_buff *skb, int attr, const struct nf_conntrack_tuple *tuple)
{
	return put_tuple_zone(skb, attr, tuple, NULL, 0);
}

/* What every message about a connection begins with. */
static int put_tuples(struct sk_buff *skb, const struct nf_conn *ct)
{
	const struct nf_conntrack_zone *zone = nf_ct_zone(ct);

	return put_tuple_zone(skb, CTA_TUPLE_ORIG, nf_ct_tuple(ct, IP_CT_DIR_ORIGINAL), zone,
			      NF_CT_ZONE_DIR_ORIG) ?:
	       put_tuple_zone(skb, CTA_TUPLE_REPLY, nf_ct_tuple(ct, IP_CT_DIR_REPLY), zone,
			      NF_CT_ZONE_DIR_REPL) ?:
	       put_zone(skb, CTA_ZONE, zone, NF_CT_DEFAULT_ZONE_DIR);
}

static int put_ct_status(struct sk_buff *skb, const struct nf_conn *ct)
{
	return nla_put_be32(skb, CTA_STATUS, htonl(READ_ONCE(ct->status) & ~FT_STATUS_OURS));
}

/* In seconds. Until an entry is in a table, its timeout is a duration. */
static int put_timeout(struct sk_buff *skb, const struct nf_conn *ct, bool skip_zero)
{
	long timeout;

	timeout = (nf_ct_is_confirmed(ct) ? nf_ct_expires(ct) : READ_ONCE(ct->timeout)) / HZ;
	if (skip_zero && !timeout)
		return 0;
	return nla_put_be32(skb, CTA_TIMEOUT, htonl(timeout));
}

static int put_protoinfo(struct sk_buff *skb, struct nf_conn *ct, bool destroy)
{
	const struct nf_conntrack_l4proto *l4proto = nf_ct_l4proto_find(nf_ct_protonum(ct));
	struct nlattr *nest;
	int err;

	if (!l4proto->to_nlattr)
		return 0;
	nest = nla_nest_start(skb, CTA_PROTOINFO);
	if (!nest)
		return -EMSGSIZE;
	err = l4proto->to_nlattr(skb, nest, ct, destroy);
	nla_nest_end(skb, nest);
	return err;
}

static int put_helper(struct sk_buff *skb, const struct nf_conn *ct)
{
	const struct nf_conn_help *help = nfct_help(ct);
	struct nf_conntrack_helper *helper;
	struct nlattr *nest;
	int err = 0;

	if (!help)
		return 0;
	rcu_read_lock();
	helper = rcu_dereference(help->helper);
	if (!helper)
		goto out;
	err = -EMSGSIZE;
	nest = nla_nest_start(skb, CTA_HELP);
	if (!nest || nla_put_string(skb, CTA_HELP_NAME, helper->name))
		goto out;
	err = 0;
	if (ft_compat_helper_lives(helper) && helper->to_nlattr)
		helper->to_nlattr(skb, ct);
	nla_nest_end(skb, nest);
out:
	rcu_read_unlock();
	return err;
}

static int put_counter(struct sk_buff *skb, struct nf_conn_counter *counter, int attr, bool zero)
{
	struct nlattr *nest;
	u64 packets, bytes;
	int err;

	if (zero) {
		packets = atomic64_xchg(&counter->packets, 0);
		bytes = atomic64_xchg(&counter->bytes, 0);
	} else {
		packets = atomic64_read(&counter->packets);
		bytes = atomic64_read(&counter->bytes);
	}
	nest = nla_nest_start(skb, attr);
	if (!nest)
		return -EMSGSIZE;
	err = nla_put_be64(skb, CTA_COUNTERS_PACKETS, cpu_to_be64(packets), CTA_COUNTERS_PAD) ?:
	      nla_put_be64(skb, CTA_COUNTERS_BYTES, cpu_to_be64(bytes), CTA_COUNTERS_PAD);
	nla_nest_end(skb, nest);
	return err;
}

static int put_counters(struct sk_buff *skb, const struct nf_conn *ct, bool zero)
{
	struct nf_conn_acct *acct = nf_conn_acct_find(ct);

	if (!acct)
		return 0;
	return put_counter(skb, &acct->counter[IP_CT_DIR_ORIGINAL], CTA_COUNTERS_ORIG, zero) ?:
	       put_counter(skb, &acct->counter[IP_CT_DIR_REPLY], CTA_COUNTERS_REPLY, zero);
}

static int put_timestamp(struct sk_buff *skb, const struct nf_conn *ct)
{
	const struct nf_conn_tstamp *tstamp = nf_conn_tstamp_find(ct);
	struct nlattr *nest;
	int err;

	if (!tstamp)
		return 0;
	nest = nla_nest_start(skb, CTA_TIMESTAMP);
	if (!nest)
		return -EMSGSIZE;
	err = nla_put_be64(skb, CTA_TIMESTAMP_START, cpu_to_be64(tstamp->start),
			   CTA_TIMESTAMP_PAD);
	if (!err && tstamp->stop)
		err = nla_put_be64(skb, CTA_TIMESTAMP_STOP, cpu_to_be64(tstamp->stop),
				   CTA_TIMESTAMP_PAD);
	nla_nest_end(skb, nest);
	return err;
}

static int put_mark(struct sk_buff *skb, const struct nf_conn *ct, bool zero)
{
#ifdef CONFIG_NF_CONNTRACK_MARK
	u32 mark = READ_ONCE(ct->mark);

	if (mark || zero)
		return nla_put_be32(skb, CTA_MARK, htonl(mark));
#endif
	return 0;
}

static u32 secmark(const struct nf_conn *ct)
{
#ifdef CONFIG_NF_CONNTRACK_SECMARK
	return ct->secmark;
#else
	return 0;
#endif
}

static size_t secctx_size(const struct nf_conn *ct)
{
#ifdef CONFIG_NF_CONNTRACK_SECMARK
	int len = ft_compat_secctx_len(ct->secmark);

	if (len >= 0)
		return nla_total_size(0) +	/* CTA_SECCTX */
		       nla_total_size(len);	/* CTA_SECCTX_NAME */
#endif
	return 0;
}

static int put_secctx(struct sk_buff *skb, const struct nf_conn *ct)
{
#ifdef CONFIG_NF_CONNTRACK_SECMARK
	struct lsm_context ctx;
	struct nlattr *nest;
	int err = -EMSGSIZE;

	if (ft_compat_secctx_get(ct->secmark, &ctx))
		return 0;
	nest = nla_nest_start(skb, CTA_SECCTX);
	if (nest) {
		err = nla_put_string(skb, CTA_SECCTX_NAME, ctx.context);
		nla_nest_end(skb, nest);
	}
	ft_compat_secctx_put(&ctx);
	return err;
#else
	return 0;
#endif
}

static int put_labels(struct sk_buff *skb, const struct nf_conn *ct)
{
	struct nf_conn_labels *labels = nf_ct_labels_find(ct);

	if (!labels || !memchr_inv(labels->bits, 0, sizeof(labels->bits)))
		return 0;
	return nla_put(skb, CTA_LABELS, sizeof(labels->bits), labels->bits);
}

static int put_master(struct sk_buff *skb, const struct nf_conn *ct)
{
	if (!(ct->status & IPS_EXPECTED))
		return 0;
	return ft_ctnl_put_tuple(skb, CTA_TUPLE_MASTER,
				 nf_ct_tuple(ct->master, IP_CT_DIR_ORIGINAL));
}

static int put_seqadj_dir(struct sk_buff *skb, const struct nf_ct_seqadj *seq, int attr)
{
	struct nlattr *nest = nla_nest_start(skb, attr);
	int err;

	if (!nest)
		return -EMSGSIZE;
	err = nla_put_be32(skb, CTA_SEQADJ_CORRECTION_POS, htonl(seq->correction_pos)) ?:
	      nla_put_be32(skb, CTA_SEQADJ_OFFSET_BEFORE, htonl(seq->offset_before)) ?:
	      nla_put_be32(skb, CTA_SEQADJ_OFFSET_AFTER, htonl(seq->offset_after));
	nla_nest_end(skb, nest);
	return err;
}

static int put_seqadj(struct sk_buff *skb, struct nf_conn *ct)
{
	struct nf_conn_seqadj *seqadj = nfct_seqadj(ct);
	int err;

	if (!(ct->status & IPS_SEQ_ADJUST) || !seqadj)
		return 0;
	spin_lock_bh(&ct->lock);
	err = put_seqadj_dir(skb, &seqadj->seq[IP_CT_DIR_ORIGINAL], CTA_SEQ_ADJ_ORIG) ?:
	      put_seqadj_dir(skb, &seqadj->seq[IP_CT_DIR_REPLY], CTA_SEQ_ADJ_REPLY);
	spin_unlock_bh(&ct->lock);
	return err;
}

static int put_synproxy(struct sk_buff *skb, struct nf_conn *ct)
{
	struct nf_conn_synproxy *synproxy = nfct_synproxy(ct);
	struct nlattr *nest;
	int err;

	if (!synproxy)
		return 0;
	nest = nla_nest_start(skb, CTA_SYNPROXY);
	if (!nest)
		return -EMSGSIZE;
	err = nla_put_be32(skb, CTA_SYNPROXY_ISN, htonl(synproxy->isn)) ?:
	      nla_put_be32(skb, CTA_SYNPROXY_ITS, htonl(synproxy->its)) ?:
	      nla_put_be32(skb, CTA_SYNPROXY_TSOFF, htonl(synproxy->tsoff));
	nla_nest_end(skb, nest);
	return err;
}

static int put_info(struct sk_buff *skb, struct nf_conn *ct, __be32 id)
{
	int err;

	err = put_ct_status(skb, ct) ?:
	      put_mark(skb, ct, true) ?:
	      put_secctx(skb, ct) ?:
	      nla_put_be32(skb, CTA_ID, id) ?:
	      nla_put_be32(skb, CTA_USE, htonl(refcount_read(&ct->ct_general.use))) ?:
	      put_master(skb, ct);
	if (err || test_bit(IPS_OFFLOAD_BIT, &ct->status))
		return err;
	return put_timeout(skb, ct, false) ?: put_protoinfo(skb, ct, false);
}

/* What is in @ct's extensions. */
static int put_ext(struct sk_buff *skb, struct nf_conn *ct, bool zero)
{
	return put_counters(skb, ct, zero) ?:
	       put_timestamp(skb, ct) ?:
	       put_helper(skb, ct) ?:
	       put_labels(skb, ct) ?:
	       put_seqadj(skb, ct) ?:
	       put_synproxy(skb, ct);
}

/**
 * ft_ctnl_put_ct() - answer with a connection
 * @skb: message
 * @head: of the request; its type is that of the request, and
 *	IPCTNL_MSG_CT_GET_CTRZERO zeroes the counters of @ct
 * @ct: the connection; its extensions stay while this runs: it is referenced, or its
 *	bucket is locked
 * @id: its id
 * @ext: with what is in its extensions
 *
 * Context: any.
 * Return: 0, or -EMSGSIZE with the message as it was.
 */
int ft_ctnl_put_ct(struct sk_buff *skb, const struct ft_ctnl_head *head, struct nf_conn *ct,
		   __be32 id, bool ext)
{
	struct ft_ctnl_head answer = *head;
	struct nlmsghdr *nlh;

	answer.type = IPCTNL_MSG_CT_NEW;
	if (head->portid)
		answer.flags |= NLM_F_MULTI;
	nlh = ft_ctnl_msg_put(skb, &answer, NFNL_SUBSYS_CTNETLINK, nf_ct_l3num(ct), 0);
	if (!nlh)
		return -EMSGSIZE;
	if (put_tuples(skb, ct) || put_info(skb, ct, id) ||
	    (ext && put_ext(skb, ct, head->type == IPCTNL_MSG_CT_GET_CTRZERO))) {
		nlmsg_cancel(skb, nlh);
		return -EMSGSIZE;
	}
	nlmsg_end(skb, nlh);
	return 0;
}

/**
 * ft_ctnl_put_queued() - encode the connection of a packet in a queue
 * @skb: message, an attribute of it; with room for ft_ctnl_event_size()
 * @ct: the connection, which nobody changes the extensions of: the packet is its first
 *	one, or it is confirmed
 * @id: its id
 *
 * Context: any.
 * Return: 0, or -EMSGSIZE with the message in an undefined state.
 */
int ft_ctnl_put_queued(struct sk_buff *skb, struct nf_conn *ct, __be32 id)
{
	int err;

	err = put_tuples(skb, ct) ?:
	      nla_put_be32(skb, CTA_ID, id) ?:
	      put_ct_status(skb, ct) ?:
	      put_timeout(skb, ct, false) ?:
	      put_protoinfo(skb, ct, false) ?:
	      put_counters(skb, ct, false) ?:
	      put_timestamp(skb, ct) ?:
	      put_helper(skb, ct);
	if (!err && secmark(ct))
		err = put_secctx(skb, ct);
	if (!err && ct->master)
		err = put_master(skb, ct);
	return err ?:
	       put_seqadj(skb, ct) ?:
	       put_synproxy(skb, ct) ?:
	       put_mark(skb, ct, true) ?:
	       put_labels(skb, ct);
}

/* Tuples, and what else the protocol has to say. */
static size_t proto_size(const struct nf_conn *ct)
{
	const struct nf_conntrack_l4proto *l4proto = nf_ct_l4proto_find(nf_ct_protonum(ct));
	size_t tuple;

	tuple = nla_total_size(0) +			/* CTA_TUPLE_ORIG, _REPLY or _MASTER */
		nla_total_size(0) +			/* CTA_TUPLE_IP */
		2 * nla_total_size(sizeof(struct in6_addr)) +
		nla_total_size(0) +			/* CTA_TUPLE_PROTO */
		nla_total_size(sizeof(u8));		/* CTA_PROTO_NUM */
	if (l4proto->nlattr_tuple_size)
		tuple += l4proto->nlattr_tuple_size();
	return 3 * tuple +
	       nla_total_size(0) +			/* CTA_PROTOINFO */
	       l4proto->nlattr_size;
}

static size_t ext_size(const struct nf_conn *ct)
{
	size_t u64_size = nla_total_size_64bit(sizeof(u64));
	size_t size = 0;

	if (nf_ct_ext_exist(ct, NF_CT_EXT_ACCT))
		size += 2 * (nla_total_size(0) + 2 * u64_size);
#ifdef CONFIG_NF_CONNTRACK_TIMESTAMP
	if (nf_ct_ext_exist(ct, NF_CT_EXT_TSTAMP))
		size += nla_total_size(0) + 2 * u64_size;
#endif
	if (nf_ct_labels_find(ct))
		size += nla_total_size(NF_CT_LABELS_MAX_SIZE);
	if (nfct_help(ct))
		size += nla_total_size(0) + nla_total_size(NF_CT_HELPER_NAME_LEN);
	/* CTA_SEQ_ADJ_ORIG and _REPLY, CTA_SYNPROXY */
	return size + 3 * (nla_total_size(0) + 3 * nla_total_size(sizeof(u32)));
}

/**
 * ft_ctnl_event_size() - bytes that an event, or the connection of a packet, takes at most
 * @ct: the connection
 *
 * Context: any.
 * Return: the number, without the netlink header.
 */
size_t ft_ctnl_event_size(const struct nf_conn *ct)
{
	return NLMSG_ALIGN(sizeof(struct nfgenmsg)) +
	       4 * nla_total_size(sizeof(u32)) +	/* CTA_ID, _STATUS, _TIMEOUT, _MARK */
	       nla_total_size(sizeof(u16)) +		/* CTA_ZONE or CTA_TUPLE_ZONE */
	       nla_total_size_64bit(sizeof(u64)) +	/* CTA_TIMESTAMP_EVENT */
	       proto_size(ct) + ext_size(ct) + secctx_size(ct);
}

static int put_end(struct sk_buff *skb, struct nf_conn *ct)
{
	return put_timeout(skb, ct, true) ?:
	       put_counters(skb, ct, false) ?:
	       put_timestamp(skb, ct) ?:
	       put_protoinfo(skb, ct, true);
}

static int put_change(struct sk_buff *skb, struct nf_conn *ct, unsigned int events)
{
	int err = put_timeout(skb, ct, false);

	if (!err && events & BIT(IPCT_PROTOINFO))
		err = put_protoinfo(skb, ct, false);
	if (!err)
		err = put_helper(skb, ct);
	if (!err && (events & BIT(IPCT_SECMARK) || secmark(ct)))
		err = put_secctx(skb, ct);
	if (!err && events & BIT(IPCT_LABEL))
		err = put_labels(skb, ct);
	if (!err && events & BIT(IPCT_RELATED))
		err = put_master(skb, ct);
	if (!err && events & BIT(IPCT_SEQADJ))
		err = put_seqadj(skb, ct);
	if (!err && events & BIT(IPCT_SYNPROXY))
		err = put_synproxy(skb, ct);
	return err;
}

/**
 * ft_ctnl_put_event() - tell what has happened to a connection
 * @skb: message, with room for ft_ctnl_event_size()
 * @head: of the message
 * @ct: the connection
 * @id: its id
 * @events: what has happened, bits of enum ip_conntrack_events
 *
 * Context: any.
 * Return: 0, or -EMSGSIZE with the message as it was.
 */
int ft_ctnl_put_event(struct sk_buff *skb, const struct ft_ctnl_head *head, struct nf_conn *ct,
		      __be32 id, unsigned int events)
{
	struct nlmsghdr *nlh;
	int err;

	nlh = ft_ctnl_msg_put(skb, head, NFNL_SUBSYS_CTNETLINK, nf_ct_l3num(ct), 0);
	if (!nlh)
		return -EMSGSIZE;
	err = put_tuples(skb, ct) ?:
	      nla_put_be32(skb, CTA_ID, id) ?:
	      put_ct_status(skb, ct);
	if (!err)
		err = events & BIT(IPCT_DESTROY) ? put_end(skb, ct) :
						   put_change(skb, ct, events);
	if (!err)
		err = put_mark(skb, ct, events & BIT(IPCT_MARK));
	if (!err)
		err = ft_compat_put_event_time(skb, ct);
	if (err) {
		nlmsg_cancel(skb, nlh);
		return -EMSGSIZE;
	}
	nlmsg_end(skb, nlh);
	return 0;
}

/**
 * ft_ctnl_ct_id() - CTA_ID of an entry of nf_conntrack
 * @ct: the entry, or one to be
 *
 * Context: any.
 * Return: the id, as nf_conntrack_netlink sends it: in the byte order of the CPU.
 */
__be32 ft_ctnl_ct_id(const struct nf_conn *ct)
{
	struct ft_key key;

	if (likely(!(READ_ONCE(ct->status) & FT_STATUS_NAMED)))
		return (__force __be32)nf_ct_get_id(ct);
	ft_key_from_tuple(&key, nf_ct_tuple(ct, IP_CT_DIR_ORIGINAL), nf_ct_zone(ct)->id);
	return ft_stand_in_name(ft_pernet(nf_ct_net(ct)), &key);
}
