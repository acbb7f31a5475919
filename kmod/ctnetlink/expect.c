// SPDX-License-Identifier: GPL-2.0
/*
 * After nf_conntrack_netlink.c: Jay Schulist, Harald Welte, Patrick McHardy,
 * Pablo Neira Ayuso.
 */
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/once.h>
#include <linux/siphash.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/netfilter/nf_conntrack_ecache.h>
#include <net/netfilter/nf_conntrack_expect.h>
#include <net/netfilter/nf_conntrack_helper.h>
#include <net/netfilter/nf_conntrack_l4proto.h>
#include <net/sock.h>

#include "ctnetlink/encode.h"
#include "ctnetlink/expect.h"
#include "ctnetlink/ops.h"
#include "ctnetlink/own.h"
#include "ctnetlink/parse.h"
#include "net.h"

const struct nla_policy ft_ctnl_expect_policy[CTA_EXPECT_MAX + 1] = {
	[CTA_EXPECT_MASTER]	= { .type = NLA_NESTED },
	[CTA_EXPECT_TUPLE]	= { .type = NLA_NESTED },
	[CTA_EXPECT_MASK]	= { .type = NLA_NESTED },
	[CTA_EXPECT_TIMEOUT]	= { .type = NLA_U32 },
	[CTA_EXPECT_ID]		= { .type = NLA_U32 },
	[CTA_EXPECT_HELP_NAME]	= { .type = NLA_NUL_STRING, .len = NF_CT_HELPER_NAME_LEN - 1 },
	[CTA_EXPECT_ZONE]	= { .type = NLA_U16 },
	[CTA_EXPECT_FLAGS]	= NLA_POLICY_MASK(NLA_BE32, NF_CT_EXPECT_MASK),
	[CTA_EXPECT_CLASS]	= { .type = NLA_U32 },
	[CTA_EXPECT_NAT]	= { .type = NLA_NESTED },
	[CTA_EXPECT_FN]		= { .type = NLA_NUL_STRING },
};

static const struct nla_policy nat_policy[CTA_EXPECT_NAT_MAX + 1] = {
	[CTA_EXPECT_NAT_DIR]	= NLA_POLICY_MAX(NLA_BE32, IP_CT_DIR_REPLY),
	[CTA_EXPECT_NAT_TUPLE]	= { .type = NLA_NESTED },
};

static __be32 expect_id(const struct nf_conntrack_expect *exp)
{
	static siphash_aligned_key_t seed;
	u64 tuple;

	net_get_random_once(&seed, sizeof(seed));
	tuple = siphash(&exp->tuple, sizeof(exp->tuple), &seed);
	return (__force __be32)siphash_4u64((unsigned long)exp,
					    (unsigned long)rcu_access_pointer(exp->helper),
					    (unsigned long)exp->master, tuple, &seed);
}

static int put_mask(struct sk_buff *skb, const struct nf_conntrack_expect *exp)
{
	struct nf_conntrack_tuple mask;

	memset(&mask, 0xff, sizeof(mask));
	mask.src.u3 = exp->mask.src.u3;
	mask.src.u.all = exp->mask.src.u.all;
	mask.src.l3num = exp->tuple.src.l3num;
	mask.dst.protonum = exp->tuple.dst.protonum;
	return ft_ctnl_put_tuple(skb, CTA_EXPECT_MASK, &mask);
}

/* Where NAT is to send the expected connection. */
static int put_nat(struct sk_buff *skb, const struct nf_conntrack_expect *exp)
{
#if IS_ENABLED(CONFIG_NF_NAT)
	const struct nf_conntrack_tuple *master = ft_compat_expect_master(exp);
	struct nf_conntrack_tuple tuple = {};
	struct nlattr *nest;
	int err;

	if (!memchr_inv(&exp->saved_addr, 0, sizeof(exp->saved_addr)) && !exp->saved_proto.all)
		return 0;
	nest = nla_nest_start(skb, CTA_EXPECT_NAT);
	if (!nest)
		return -EMSGSIZE;
	tuple.src.l3num = master->src.l3num;
	tuple.src.u3 = exp->saved_addr;
	tuple.dst.protonum = master->dst.protonum;
	tuple.src.u = exp->saved_proto;
	err = nla_put_be32(skb, CTA_EXPECT_NAT_DIR, htonl(exp->dir)) ?:
	      ft_ctnl_put_tuple(skb, CTA_EXPECT_NAT_TUPLE, &tuple);
	nla_nest_end(skb, nest);
	return err;
#else
	return 0;
#endif
}

/* RCU read side. */
static int expect_put_helper(struct sk_buff *skb, const struct nf_conntrack_expect *exp)
{
	const struct nf_conntrack_helper *helper = rcu_dereference(exp->helper);
	const struct nf_ct_helper_expectfn *fn;
	int err = 0;

	if (helper)
		err = nla_put_string(skb, CTA_EXPECT_HELP_NAME, helper->name);
	fn = nf_ct_helper_expectfn_find_by_symbol(exp->expectfn);
	if (!err && fn)
		err = nla_put_string(skb, CTA_EXPECT_FN, fn->name);
	return err;
}

/* RCU read side. */
static int put_expect(struct sk_buff *skb, const struct ft_ctnl_head *head,
		      const struct nf_conntrack_expect *exp)
{
	s32 left = (s32)(READ_ONCE(exp->timeout) - nfct_time_stamp) / HZ;
	struct nlmsghdr *nlh;

	nlh = ft_ctnl_msg_put(skb, head, NFNL_SUBSYS_CTNETLINK_EXP, exp->tuple.src.l3num, 0);
	if (!nlh)
		return -EMSGSIZE;
	if (ft_ctnl_put_tuple(skb, CTA_EXPECT_TUPLE, &exp->tuple) ||
	    put_mask(skb, exp) ||
	    ft_ctnl_put_tuple(skb, CTA_EXPECT_MASTER, ft_compat_expect_master(exp)) ||
	    put_nat(skb, exp) ||
	    nla_put_be32(skb, CTA_EXPECT_TIMEOUT, htonl(max(left, 0))) ||
	    nla_put_be32(skb, CTA_EXPECT_ID, expect_id(exp)) ||
	    nla_put_be32(skb, CTA_EXPECT_FLAGS, htonl(exp->flags & NF_CT_EXPECT_MASK)) ||
	    nla_put_be32(skb, CTA_EXPECT_CLASS, htonl(exp->class)) ||
	    expect_put_helper(skb, exp)) {
		nlmsg_cancel(skb, nlh);
		return -EMSGSIZE;
	}
	nlmsg_end(skb, nlh);
	return 0;
}

static struct ft_ctnl_head answer_head(const struct sk_buff *skb, const struct nlmsghdr *nlh)
{
	struct ft_ctnl_head head = ft_ctnl_head_of(skb, nlh);

	head.type = IPCTNL_MSG_EXP_NEW;
	head.flags = NLM_F_MULTI;
	return head;
}

/**
 * struct dump - a dump between two messages; lives in netlink_callback.ctx
 * @master: connection whose expectations are shown, referenced; NULL: all
 * @last: the expectation that did not fit, as expect_last_id() has it; 0: none
 * @bucket: the bucket that is next
 * @done: all of @master's were shown
 */
struct dump {
	struct nf_conn *master;
	unsigned long last;
	unsigned int bucket;
	bool done;
};

static struct dump *expect_dump_of(struct netlink_callback *cb)
{
	return (struct dump *)cb->ctx;
}

static unsigned long expect_last_id(const struct nf_conntrack_expect *exp)
{
	return (__force u32)expect_id(exp) ?: 1;
}

/* Return: false: it does not fit. */
static bool show(struct sk_buff *skb, struct netlink_callback *cb,
		 const struct nf_conntrack_expect *exp)
{
	const struct nfgenmsg *nfmsg = nlmsg_data(cb->nlh);
	struct ft_ctnl_head head = answer_head(cb->skb, cb->nlh);
	struct dump *dump = expect_dump_of(cb);

	if (nfmsg->nfgen_family && exp->tuple.src.l3num != nfmsg->nfgen_family)
		return true;
	if (dump->last && dump->last != expect_last_id(exp))
		return true;
	dump->last = 0;
	if (!put_expect(skb, &head, exp))
		return true;
	dump->last = expect_last_id(exp);
	return false;
}

static bool show_bucket(struct sk_buff *skb, struct netlink_callback *cb)
{
	const struct net *net = sock_net(skb->sk);
	struct nf_conntrack_expect *exp;

	hlist_for_each_entry_rcu(exp, &nf_ct_expect_hash[expect_dump_of(cb)->bucket], hnode) {
		if (!nf_ct_exp_is_expired(exp) && net_eq(nf_ct_exp_net(exp), net) &&
		    !show(skb, cb, exp))
			return false;
	}
	return true;
}

static bool show_master(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct nf_conn_help *help = nfct_help(expect_dump_of(cb)->master);
	struct nf_conntrack_expect *exp;

	if (!help)
		return true;
	hlist_for_each_entry_rcu(exp, &help->expectations, lnode) {
		if (!show(skb, cb, exp))
			return false;
	}
	return true;
}

/* Show a list. If the expectation to go on with has ended, begin the list again. */
static bool show_list(struct sk_buff *skb, struct netlink_callback *cb,
		      bool (*list)(struct sk_buff *skb, struct netlink_callback *cb))
{
	struct dump *dump = expect_dump_of(cb);
	bool complete;

	complete = list(skb, cb);
	if (complete && dump->last) {
		dump->last = 0;
		complete = list(skb, cb);
	}
	return complete;
}

static int dump_expectations(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct dump *dump = expect_dump_of(cb);

	rcu_read_lock();
	if (dump->master && !dump->done)
		dump->done = show_list(skb, cb, show_master);
	while (!dump->master && dump->bucket < nf_ct_expect_hsize &&
	       show_list(skb, cb, show_bucket))
		dump->bucket++;
	rcu_read_unlock();
	return skb->len;
}

static int expect_dump_start(struct netlink_callback *cb)
{
	struct dump *dump = expect_dump_of(cb);

	BUILD_BUG_ON(sizeof(*dump) > sizeof(cb->ctx));
	memset(dump, 0, sizeof(*dump));
	dump->master = cb->data;
	if (dump->master)
		nf_conntrack_get(&dump->master->ct_general);
	return 0;
}

static int expect_dump_done(struct netlink_callback *cb)
{
	nf_ct_put(expect_dump_of(cb)->master);
	return 0;
}

/* Which expectation is meant, and in which zone? */
static int parse_zone_tuple(const struct nlattr * const cda[], u32 type, u8 family,
			    struct nf_conntrack_zone *zone, struct nf_conntrack_tuple *tuple)
{
	return ft_ctnl_parse_zone(cda[CTA_EXPECT_ZONE], zone) ?:
	       ft_ctnl_parse_tuple(cda, tuple, type, family, NULL);
}

/* No entry of nf_conntrack is the master: a flow of ours is as good as one without a helper. */
static int no_master(struct net *net, const struct nf_conntrack_zone *zone,
		     const struct nf_conntrack_tuple *tuple, int without_helper)
{
	struct ft_own own;
	bool ours;

	rcu_read_lock();
	ours = ft_own_find(ft_pernet(net), zone, tuple, &own);
	rcu_read_unlock();
	return ours ? without_helper : -ENOENT;
}

static int begin_dump(struct sk_buff *skb, const struct nfnl_info *info,
		      const struct nlattr * const cda[])
{
	struct netlink_dump_control control = {
		.start = expect_dump_start,
		.dump = dump_expectations,
		.done = expect_dump_done,
	};
	struct nf_conntrack_tuple_hash *found;
	struct nf_conntrack_tuple tuple;
	struct nf_conntrack_zone zone;
	struct nf_conn *master;
	int err;

	if (!cda[CTA_EXPECT_MASTER])
		return netlink_dump_start(info->sk, skb, info->nlh, &control);
	err = parse_zone_tuple(cda, CTA_EXPECT_MASTER, info->nfmsg->nfgen_family, &zone, &tuple);
	if (err)
		return err;
	found = nf_conntrack_find_get(info->net, &zone, &tuple);
	if (!found)
		return no_master(info->net, &zone, &tuple, 0);
	master = nf_ct_tuplehash_to_ctrack(found);
	/* For a connection that expects nothing, not even the end of a dump is sent. */
	if (nfct_help(master)) {
		control.data = master;
		err = netlink_dump_start(info->sk, skb, info->nlh, &control);
	}
	nf_ct_put(master);
	return err;
}

/* Under nf_conntrack_expect_lock. */
static struct nf_conntrack_expect *find_get(struct net *net, const struct nf_conntrack_zone *zone,
					    const struct nf_conntrack_tuple *tuple,
					    const struct nlattr *id)
{
	struct nf_conntrack_expect *exp = nf_ct_expect_find_get(net, zone, tuple);

	if (exp && id && nla_get_be32(id) != expect_id(exp)) {
		nf_ct_expect_put(exp);
		return NULL;
	}
	return exp;
}

/**
 * ft_ctnl_expect_get() - show expectations
 * @skb: request
 * @info: likewise
 * @cda: its attributes
 *
 * Return: 0; -EINVAL; -ENOENT; -ENOMEM; -EOPNOTSUPP.
 */
int ft_ctnl_expect_get(struct sk_buff *skb, const struct nfnl_info *info,
		       const struct nlattr * const cda[])
{
	u32 type = cda[CTA_EXPECT_TUPLE] ? CTA_EXPECT_TUPLE : CTA_EXPECT_MASTER;
	struct ft_ctnl_head head = answer_head(skb, info->nlh);
	struct nf_conntrack_expect *exp;
	struct nf_conntrack_tuple tuple;
	struct nf_conntrack_zone zone;
	struct sk_buff *answer;
	int err;

	if (info->nlh->nlmsg_flags & NLM_F_DUMP)
		return begin_dump(skb, info, cda);
	if (!cda[type])
		return -EINVAL;
	err = parse_zone_tuple(cda, type, info->nfmsg->nfgen_family, &zone, &tuple);
	if (err)
		return err;
	answer = nlmsg_new(NLMSG_DEFAULT_SIZE, GFP_KERNEL);
	if (!answer)
		return -ENOMEM;
	err = -ENOENT;
	spin_lock_bh(&nf_conntrack_expect_lock);
	exp = find_get(info->net, &zone, &tuple, cda[CTA_EXPECT_ID]);
	if (exp) {
		rcu_read_lock();
		err = put_expect(answer, &head, exp) ? -ENOMEM : 0;
		rcu_read_unlock();
		nf_ct_expect_put(exp);
	}
	spin_unlock_bh(&nf_conntrack_expect_lock);
	if (err) {
		kfree_skb(answer);
		return err;
	}
	return nfnetlink_unicast(answer, info->net, head.portid);
}

static bool has_helper(struct nf_conntrack_expect *exp, void *name)
{
	const struct nf_conntrack_helper *helper;

	helper = rcu_dereference_protected(exp->helper,
					   lockdep_is_held(&nf_conntrack_expect_lock));
	return helper && !strcmp(helper->name, name);
}

static bool any(struct nf_conntrack_expect *exp, void *data)
{
	return true;
}

/**
 * ft_ctnl_expect_delete() - delete an expectation, those of a helper, or all
 * @skb: request
 * @info: likewise
 * @cda: its attributes
 *
 * Return: 0; -EINVAL; -ENOENT; -EOPNOTSUPP.
 */
int ft_ctnl_expect_delete(struct sk_buff *skb, const struct nfnl_info *info,
			  const struct nlattr * const cda[])
{
	const struct nlattr *name = cda[CTA_EXPECT_HELP_NAME];
	int report = nlmsg_report(info->nlh);
	struct nf_conntrack_expect *exp;
	struct nf_conntrack_tuple tuple;
	struct nf_conntrack_zone zone;
	int err;

	if (!cda[CTA_EXPECT_TUPLE]) {
		nf_ct_expect_iterate_net(info->net, name ? has_helper : any,
					 name ? nla_data(name) : NULL, NETLINK_CB(skb).portid,
					 report);
		return 0;
	}
	err = parse_zone_tuple(cda, CTA_EXPECT_TUPLE, info->nfmsg->nfgen_family, &zone, &tuple);
	if (err)
		return err;
	spin_lock_bh(&nf_conntrack_expect_lock);
	exp = find_get(info->net, &zone, &tuple, cda[CTA_EXPECT_ID]);
	if (exp)
		nf_ct_unlink_expect_report(exp, NETLINK_CB(skb).portid, report);
	spin_unlock_bh(&nf_conntrack_expect_lock);
	if (!exp)
		return -ENOENT;
	nf_ct_expect_put(exp);
	return 0;
}

static int parse_nat(const struct nlattr *attr, struct nf_conntrack_expect *exp, u8 family)
{
#if IS_ENABLED(CONFIG_NF_NAT)
	struct nlattr *tb[CTA_EXPECT_NAT_MAX + 1];
	struct nf_conntrack_tuple tuple;
	int err;

	err = nla_parse_nested_deprecated(tb, CTA_EXPECT_NAT_MAX, attr, nat_policy, NULL);
	if (err)
		return err;
	if (!tb[CTA_EXPECT_NAT_DIR] || !tb[CTA_EXPECT_NAT_TUPLE])
		return -EINVAL;
	err = ft_ctnl_parse_tuple((const struct nlattr * const *)tb, &tuple, CTA_EXPECT_NAT_TUPLE,
				  family, NULL);
	if (err)
		return err;
	exp->saved_addr = tuple.src.u3;
	exp->saved_proto = tuple.src.u;
	exp->dir = ntohl(nla_get_be32(tb[CTA_EXPECT_NAT_DIR]));
	return 0;
#else
	return -EOPNOTSUPP;
#endif
}

static int read_optional(struct nf_conntrack_expect *exp, const struct nlattr * const cda[],
			 u8 family)
{
	struct nf_ct_helper_expectfn *fn;

	if (cda[CTA_EXPECT_FLAGS])
		exp->flags = ntohl(nla_get_be32(cda[CTA_EXPECT_FLAGS])) & ~NF_CT_EXPECT_USERSPACE;
	if (cda[CTA_EXPECT_FN]) {
		fn = nf_ct_helper_expectfn_find_by_name(nla_data(cda[CTA_EXPECT_FN]));
		if (!fn)
			return -EINVAL;
		exp->expectfn = fn->expectfn;
	}
	return cda[CTA_EXPECT_NAT] ? parse_nat(cda[CTA_EXPECT_NAT], exp, family) : 0;
}

/* RCU read side. @assign: the helper of the expected connection, or NULL. */
static struct nf_conntrack_expect *make(const struct nlattr * const cda[], struct nf_conn *master,
					struct nf_conntrack_helper *assign,
					const struct nf_conntrack_tuple *tuple,
					const struct nf_conntrack_tuple *mask)
{
	const struct nlattr *class = cda[CTA_EXPECT_CLASS];
	struct nf_conn_help *help = nfct_help(master);
	struct nf_conntrack_helper *helper;
	struct nf_conntrack_expect *exp;
	int err;

	helper = help ? rcu_dereference(help->helper) : NULL;
	if (!helper)
		return ERR_PTR(-EOPNOTSUPP);
	if (class && ntohl(nla_get_be32(class)) > helper->expect_class_max)
		return ERR_PTR(-EINVAL);
	exp = nf_ct_expect_alloc(master);
	if (!exp)
		return ERR_PTR(-ENOMEM);
	exp->class = class ? ntohl(nla_get_be32(class)) : 0;
	exp->master = master;
	ft_compat_expect_set_master(exp);
	ft_compat_expect_set_events(exp);
	write_pnet(&exp->net, nf_ct_net(master));
#ifdef CONFIG_NF_CONNTRACK_ZONES
	exp->zone = master->zone;
#endif
	rcu_assign_pointer(exp->helper, helper);
	rcu_assign_pointer(exp->assign_helper, assign);
	exp->tuple = *tuple;
	exp->mask.src.u3 = mask->src.u3;
	exp->mask.src.u.all = mask->src.u.all;
	err = read_optional(exp, cda, nf_ct_l3num(master));
	if (err) {
		nf_ct_expect_put(exp);
		return ERR_PTR(err);
	}
	return exp;
}

static int expect_enter(struct sk_buff *skb, const struct nfnl_info *info,
			const struct nlattr * const cda[], const struct nf_conntrack_zone *zone,
			const struct nf_conntrack_tuple *tuple)
{
	u8 family = info->nfmsg->nfgen_family;
	struct nf_conntrack_tuple mask, master_tuple;
	struct nf_conntrack_tuple_hash *found;
	struct nf_conntrack_expect *exp;
	struct nf_conn *master;
	int err;

	err = ft_ctnl_parse_tuple(cda, &mask, CTA_EXPECT_MASK, family, NULL) ?:
	      ft_ctnl_parse_tuple(cda, &master_tuple, CTA_EXPECT_MASTER, family, NULL);
	if (err)
		return err;
	found = nf_conntrack_find_get(info->net, zone, &master_tuple);
	if (!found)
		return no_master(info->net, zone, &master_tuple, -EOPNOTSUPP);
	master = nf_ct_tuplehash_to_ctrack(found);
	rcu_read_lock();
	exp = make(cda, master, NULL, tuple, &mask);
	if (IS_ERR(exp)) {
		err = PTR_ERR(exp);
	} else {
		err = nf_ct_expect_related_report(exp, NETLINK_CB(skb).portid,
						  nlmsg_report(info->nlh), 0);
		nf_ct_expect_put(exp);
	}
	rcu_read_unlock();
	nf_ct_put(master);
	return err;
}

/**
 * ft_ctnl_expect_new() - change how long an expectation lasts, or enter one
 * @skb: request
 * @info: likewise
 * @cda: its attributes
 *
 * Return: 0; -EINVAL; -ENOENT; -EEXIST; -ENOMEM; -EOPNOTSUPP; -EMFILE: too many.
 */
int ft_ctnl_expect_new(struct sk_buff *skb, const struct nfnl_info *info,
		       const struct nlattr * const cda[])
{
	struct nf_conntrack_expect *exp;
	struct nf_conntrack_tuple tuple;
	struct nf_conntrack_zone zone;
	int err;

	if (!cda[CTA_EXPECT_TUPLE] || !cda[CTA_EXPECT_MASK] || !cda[CTA_EXPECT_MASTER])
		return -EINVAL;
	err = parse_zone_tuple(cda, CTA_EXPECT_TUPLE, info->nfmsg->nfgen_family, &zone, &tuple);
	if (err)
		return err;
	spin_lock_bh(&nf_conntrack_expect_lock);
	exp = __nf_ct_expect_find(info->net, &zone, &tuple);
	if (!exp)
		err = -ENOENT;
	else if (info->nlh->nlmsg_flags & NLM_F_EXCL)
		err = -EEXIST;
	else if (cda[CTA_EXPECT_TIMEOUT])
		WRITE_ONCE(exp->timeout, nfct_time_stamp +
			   ntohl(nla_get_be32(cda[CTA_EXPECT_TIMEOUT])) * HZ);
	spin_unlock_bh(&nf_conntrack_expect_lock);
	if (err == -ENOENT && info->nlh->nlmsg_flags & NLM_F_CREATE)
		return expect_enter(skb, info, cda, &zone, &tuple);
	return err;
}

/**
 * ft_ctnl_expect_attach() - enter an expectation of the connection of a packet in a queue
 * @attr: the expectation's attributes, nested
 * @ct: the connection
 * @portid: netlink port of the program
 * @report: it wants to be told
 *
 * Context: RCU read side.
 * Return: 0 or an error.
 */
int ft_ctnl_expect_attach(const struct nlattr *attr, struct nf_conn *ct, u32 portid, u32 report)
{
	struct nf_conntrack_helper *assign = NULL;
	struct nlattr *tb[CTA_EXPECT_MAX + 1];
	const struct nlattr * const *cda = (const struct nlattr * const *)tb;
	struct nf_conntrack_tuple tuple, mask;
	struct nf_conntrack_expect *exp;
	int err;

	err = nla_parse_nested_deprecated(tb, CTA_EXPECT_MAX, attr, ft_ctnl_expect_policy, NULL);
	if (err)
		return err;
	if (!cda[CTA_EXPECT_TUPLE] || !cda[CTA_EXPECT_MASK])
		return -EINVAL;
	err = ft_ctnl_parse_tuple(cda, &tuple, CTA_EXPECT_TUPLE, nf_ct_l3num(ct), NULL) ?:
	      ft_ctnl_parse_tuple(cda, &mask, CTA_EXPECT_MASK, nf_ct_l3num(ct), NULL);
	if (err)
		return err;
	if (cda[CTA_EXPECT_HELP_NAME]) {
		assign = __nf_conntrack_helper_find(nla_data(cda[CTA_EXPECT_HELP_NAME]),
						    nf_ct_l3num(ct), tuple.dst.protonum);
		if (!assign)
			return -EOPNOTSUPP;
	}
	exp = make(cda, ct, assign, &tuple, &mask);
	if (IS_ERR(exp))
		return PTR_ERR(exp);
	err = nf_ct_expect_related_report(exp, portid, report, 0);
	nf_ct_expect_put(exp);
	return err;
}

static int expect_put_cpu_stats(struct sk_buff *skb, const struct ft_ctnl_head *head,
				unsigned int cpu, const struct ip_conntrack_stat *st)
{
	/*
	 * The number of the other subsystem is no slip: nf_conntrack_netlink sends it, and
	 * programs expect it.
	 */
	struct nlmsghdr *nlh = ft_ctnl_msg_put(skb, head, NFNL_SUBSYS_CTNETLINK, AF_UNSPEC, cpu);

	if (!nlh)
		return -EMSGSIZE;
	if (nla_put_be32(skb, CTA_STATS_EXP_NEW, htonl(st->expect_new)) ||
	    nla_put_be32(skb, CTA_STATS_EXP_CREATE, htonl(st->expect_create)) ||
	    nla_put_be32(skb, CTA_STATS_EXP_DELETE, htonl(st->expect_delete))) {
		nlmsg_cancel(skb, nlh);
		return -EMSGSIZE;
	}
	nlmsg_end(skb, nlh);
	return 0;
}

static int expect_dump_cpus(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct ft_ctnl_head head = ft_ctnl_head_of(cb->skb, cb->nlh);

	head.type = IPCTNL_MSG_EXP_GET_STATS_CPU;
	return ft_ctnl_dump_cpus(skb, cb, head, expect_put_cpu_stats);
}

/**
 * ft_ctnl_expect_get_stats_cpu() - counters of expectations, by CPU
 * @skb: request
 * @info: likewise
 * @cda: its attributes
 *
 * Return: 0 or an error of netlink_dump_start().
 */
int ft_ctnl_expect_get_stats_cpu(struct sk_buff *skb, const struct nfnl_info *info,
				 const struct nlattr * const cda[])
{
	struct netlink_dump_control control = { .dump = expect_dump_cpus };

	if (!(info->nlh->nlmsg_flags & NLM_F_DUMP))
		return 0;
	return netlink_dump_start(info->sk, skb, info->nlh, &control);
}

/**
 * ft_ctnl_expect_event() - tell what has happened to an expectation
 * @events: bits of enum ip_conntrack_expect_events
 * @item: the expectation, and whose doing it is
 *
 * Context: RCU read side; nf_conntrack_expect_lock.
 * Return: 0.
 */
int ft_ctnl_expect_event(unsigned int events, const struct nf_exp_event *item)
{
	bool destroy = events & BIT(IPEXP_DESTROY);
	unsigned int group = destroy ? NFNLGRP_CONNTRACK_EXP_DESTROY : NFNLGRP_CONNTRACK_EXP_NEW;
	struct net *net = nf_ct_exp_net(item->exp);
	struct ft_ctnl_head head = {
		.portid = item->portid,
		.type = destroy ? IPCTNL_MSG_EXP_DELETE : IPCTNL_MSG_EXP_NEW,
		.flags = destroy ? 0 : NLM_F_CREATE | NLM_F_EXCL,
	};
	struct sk_buff *skb;

	if (!(events & (BIT(IPEXP_DESTROY) | BIT(IPEXP_NEW))))
		return 0;
	if (!item->report && !nfnetlink_has_listeners(net, group))
		return 0;
	skb = nlmsg_new(NLMSG_DEFAULT_SIZE, GFP_ATOMIC);
	if (!skb || put_expect(skb, &head, item->exp)) {
		kfree_skb(skb);
		nfnetlink_set_err(net, 0, 0, -ENOBUFS);
		return 0;
	}
	nfnetlink_send(skb, net, item->portid, group, item->report, GFP_ATOMIC);
	return 0;
}
