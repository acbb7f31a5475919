// SPDX-License-Identifier: GPL-2.0
/*
 * nf_conntrack's part after nf_conntrack_netlink.c: Jay Schulist, Harald Welte,
 * Patrick McHardy, Pablo Neira Ayuso.
 */
#include <linux/module.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/timekeeping.h>
#include <net/netfilter/nf_conntrack_acct.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/netfilter/nf_conntrack_ecache.h>
#include <net/netfilter/nf_conntrack_helper.h>
#include <net/netfilter/nf_conntrack_labels.h>
#include <net/netfilter/nf_conntrack_seqadj.h>
#include <net/netfilter/nf_conntrack_synproxy.h>
#include <net/netfilter/nf_conntrack_timestamp.h>
#include <net/netfilter/nf_nat.h>

#include "ctnetlink/change.h"
#include "ctnetlink/create.h"
#include "ctnetlink/parse.h"
#include "ctnetlink/stand_in.h"
#include "flow/flow.h"
#include "flow/table.h"
#include "flow/tuple.h"
#include "net.h"
#include "proto/conntrack.h"
#include "track/add.h"
#include "track/birth.h"
#include "track/consumers.h"
#include "track/family.h"
#include "track/mode.h"
#include "track/unique.h"

/* Choices of nf_nat that flows of ours have, one after the other. */
#define TRIES	16

/* Does a request name anything that only nf_conntrack can keep? */
static bool needs_conntrack(const struct nlattr * const cda[])
{
	return cda[CTA_NAT_SRC] || cda[CTA_NAT_DST] || cda[CTA_HELP] || cda[CTA_TUPLE_MASTER] ||
	       cda[CTA_SEQ_ADJ_ORIG] || cda[CTA_SEQ_ADJ_REPLY] || cda[CTA_SYNPROXY] ||
	       cda[CTA_LABELS];
}

static void set_birth(struct ft_stand_in *stand_in, const struct ft_net *tn,
		      const struct ft_ctnl_birth *birth)
{
	struct nf_conn *ct = &stand_in->ct;
	unsigned int dir;

	ft_stand_in_clear(stand_in, tn);
	for (dir = 0; dir < IP_CT_DIR_MAX; dir++)
		ct->tuplehash[dir].tuple = birth->tuple[dir];
#ifdef CONFIG_NF_CONNTRACK_ZONES
	ct->zone = birth->zone;
#endif
	ct->status = IPS_CONFIRMED;
}

/* Of ICMP ours begin with a request. An entry of nf_conntrack may begin with the answer. */
static bool begins_with_answer(const struct nf_conntrack_tuple *orig)
{
	enum ft_icmp_kind kind;

	return ft_tuple_is_icmp(orig, &kind) && kind != FT_ICMP_REQUEST;
}

/* Does any packet look for it in our table, and will it go on doing so? */
static bool tracks_family(const struct ft_net *tn, u8 family)
{
	return READ_ONCE(tn->hooked) & ft_hooks_family_of(family) &&
	       !READ_ONCE(tn->handing_over);
}

/**
 * ft_ctnl_birth_own() - is a connection to be a flow of ours?
 * @tn: namespace
 * @cda: attributes of the request
 * @birth: what of them has been read
 *
 * Context: process.
 * Return: true if so; else it is one for nf_conntrack.
 */
bool ft_ctnl_birth_own(struct ft_net *tn, const struct nlattr * const cda[],
		       const struct ft_ctnl_birth *birth)
{
	struct ft_stand_in stand_in;
	bool own;

	if (!tracks_family(tn, birth->family) || needs_conntrack(cda) ||
	    begins_with_answer(&birth->tuple[IP_CT_DIR_ORIGINAL]))
		return false;
	set_birth(&stand_in, tn, birth);
	rcu_read_lock();
	own = ft_consumers_need(tn, birth->family) != FT_NEED_ALL &&
	      ft_mode_adoptable(&stand_in.ct);
	rcu_read_unlock();
	return own;
}

/* UDP counts a flow as a stream from two seconds after its first packet on. */
#define AGE_ENOUGH	(60 * HZ)

static int read_own_birth(struct ft_birth *to, struct ft_stand_in *stand_in, struct ft_net *tn,
			  const struct nlattr * const cda[], const struct ft_ctnl_birth *birth)
{
	const struct nf_conntrack_tuple *orig = &birth->tuple[IP_CT_DIR_ORIGINAL];
	struct nf_conn *ct = &stand_in->ct;
	int err = 0;

	if (!cda[CTA_TIMEOUT])
		return -EINVAL;
	set_birth(stand_in, tn, birth);
	if (cda[CTA_STATUS])
		err = nf_ct_change_status_common(ct, ntohl(nla_get_be32(cda[CTA_STATUS])));
	if (!err && cda[CTA_PROTOINFO])
		err = ft_ctnl_change_protoinfo(ct, cda[CTA_PROTOINFO]);
	if (!err && cda[CTA_MARK])
		to->mark = ft_ctnl_new_mark(0, cda);
	if (!err)
		err = ft_stand_in_word(stand_in, &to->word);
	if (err)
		return err;
	ft_proto_from_conntrack(ct, &to->proto);
	if (ft_key_from_tuple(&to->key, orig, birth->zone.id))
		to->word |= FT_FLOW_ORIG_HI;
	if (!ft_l4_stateful(to->key.l4proto))
		to->proto.stream.since = ft_now() - (to->word & FT_FLOW_ASSURED ? AGE_ENOUGH : 0);
	to->hash = ft_key_hash(&to->key, ft_table_secret(tn->table));
	to->timeout = ft_ctnl_flow_timeout(cda[CTA_TIMEOUT]);
	to->born = ktime_get_boottime_ns();
	/* An administrator who enters a flow may exceed what a source may have. */
	to->exempt = true;
	return 0;
}

/**
 * ft_ctnl_create_own() - enter a flow into our table
 * @tn: namespace
 * @cda: attributes of the request
 * @birth: ft_ctnl_birth_own() is true of it
 *
 * Context: may sleep.
 * Return: 0; -EINVAL; -EBUSY; -EEXIST; -ENOMEM: no room.
 */
int ft_ctnl_create_own(struct ft_net *tn, const struct nlattr * const cda[],
		       const struct ft_ctnl_birth *birth)
{
	struct ft_stand_in stand_in;
	struct ft_birth flow = {};
	int err;

	err = read_own_birth(&flow, &stand_in, tn, cda, birth);
	if (err)
		return err;
	err = ft_flow_add(tn, &flow);
	return err == -ENOSPC ? -ENOMEM : err;
}

/* When the module is there, the request begins anew. */
static int load_helper(const char *name, const struct nf_conn *ct)
	__must_hold(RCU)
{
	int err = -EOPNOTSUPP;

	rcu_read_unlock();
	if (!request_module("nfct-helper-%s", name)) {
		rcu_read_lock();
		if (__nf_conntrack_helper_find(name, nf_ct_l3num(ct), nf_ct_protonum(ct)))
			err = -EAGAIN;
		return err;
	}
	rcu_read_lock();
	return err;
}

static int give_helper(struct nf_conn *ct, const struct nlattr *attr)
	__must_hold(RCU)
{
	struct nf_conntrack_helper *helper;
	struct nf_conn_help *help;
	struct nlattr *info;
	const char *name;
	int err;

	err = ft_ctnl_parse_help(attr, &name, &info);
	if (err)
		return err;
	helper = __nf_conntrack_helper_find(name, nf_ct_l3num(ct), nf_ct_protonum(ct));
	if (!helper)
		return load_helper(name, ct);
	help = nf_ct_helper_ext_add(ct, GFP_ATOMIC);
	if (!help)
		return -ENOMEM;
	if (ft_compat_helper_lives(helper) && helper->from_nlattr)
		helper->from_nlattr(info, ct);
	/* With this bit no rule assigns another helper. */
	ct->status |= IPS_HELPER;
	if (!ft_compat_helper_get(helper))
		return -ENOENT;
	RCU_INIT_POINTER(help->helper, helper);
	return 0;
}

#if IS_ENABLED(CONFIG_NF_NAT)
/* Loads a module, without the locks that its own registration may want. */
static bool load_nat(const char *name)
	__must_hold(RCU)
{
	int err;

	rcu_read_unlock();
	nfnl_unlock(NFNL_SUBSYS_CTNETLINK);
	err = request_module("%s", name);
	nfnl_lock(NFNL_SUBSYS_CTNETLINK);
	rcu_read_lock();
	return !err;
}

static int set_up_manip(struct nf_conn *ct, enum nf_nat_manip_type manip, const struct nlattr *attr)
	__must_hold(RCU)
{
	const struct nf_nat_hook *hook = rcu_dereference(nf_nat_hook);
	char name[16];
	int err;

	if (!hook)
		return load_nat("nf-nat") && rcu_access_pointer(nf_nat_hook) ? -EAGAIN :
									     -EOPNOTSUPP;
	err = hook->parse_nat_setup(ct, manip, attr);
	if (err != -EAGAIN)
		return err;
	snprintf(name, sizeof(name), "nf-nat-%u", nf_ct_l3num(ct));
	return load_nat(name) ? -EAGAIN : -EOPNOTSUPP;
}
#endif

static int set_up_nat(struct nf_conn *ct, const struct nlattr * const cda[])
	__must_hold(RCU)
{
	if (!cda[CTA_NAT_DST] && !cda[CTA_NAT_SRC])
		return 0;
#if IS_ENABLED(CONFIG_NF_NAT)
	return set_up_manip(ct, NF_NAT_MANIP_DST, cda[CTA_NAT_DST]) ?:
	       set_up_manip(ct, NF_NAT_MANIP_SRC, cda[CTA_NAT_SRC]);
#else
	return -EOPNOTSUPP;
#endif
}

static int set_master(struct nf_conn *ct, struct net *net, const struct nlattr * const cda[],
		      const struct ft_ctnl_birth *birth)
{
	struct nf_conntrack_tuple_hash *found;
	struct nf_conntrack_tuple tuple;
	int err;

	err = ft_ctnl_parse_tuple(cda, &tuple, CTA_TUPLE_MASTER, birth->family, NULL);
	if (err)
		return err;
	found = nf_conntrack_find_get(net, &birth->zone, &tuple);
	if (!found)
		return -ENOENT;
	__set_bit(IPS_EXPECTED_BIT, &ct->status);
	ct->master = nf_ct_tuplehash_to_ctrack(found);
	return 0;
}

/* Extensions come before the entry counts as confirmed. */
static void add_extensions(struct nf_conn *ct)
{
	nf_ct_acct_ext_add(ct, GFP_ATOMIC);
	nf_ct_tstamp_ext_add(ct, GFP_ATOMIC);
	nf_ct_ecache_ext_add(ct, 0, 0, GFP_ATOMIC);
	nf_ct_labels_ext_add(ct);
	nfct_seqadj_ext_add(ct);
	nfct_synproxy_ext_add(ct);
	ct->status |= IPS_CONFIRMED;
}

static int set_state(struct nf_conn *ct, const struct nlattr * const cda[])
{
	int err = 0;

	__nf_ct_set_timeout(ct, ft_ctnl_new_timeout(cda[CTA_TIMEOUT]));
	if (cda[CTA_STATUS])
		err = nf_ct_change_status_common(ct, ntohl(nla_get_be32(cda[CTA_STATUS])));
	if (!err && (cda[CTA_SEQ_ADJ_ORIG] || cda[CTA_SEQ_ADJ_REPLY]))
		err = ft_ctnl_change_seqadj(ct, cda);
	memset(&ct->proto, 0, sizeof(ct->proto));
	if (!err && cda[CTA_PROTOINFO])
		err = ft_ctnl_change_protoinfo(ct, cda[CTA_PROTOINFO]);
	if (!err && cda[CTA_SYNPROXY])
		err = ft_ctnl_change_synproxy(ct, cda[CTA_SYNPROXY]);
	if (!err && cda[CTA_MARK])
		ft_ctnl_change_mark(ct, cda);
	return err;
}

static int set_up(struct nf_conn *ct, struct net *net, const struct nlattr * const cda[],
		  const struct ft_ctnl_birth *birth)
	__must_hold(RCU)
{
	struct nf_conn_tstamp *tstamp;
	int err = 0;

	if (cda[CTA_HELP])
		err = give_helper(ct, cda[CTA_HELP]);
	if (!err)
		err = set_up_nat(ct, cda);
	if (err)
		return err;
	add_extensions(ct);
	err = set_state(ct, cda);
	if (!err && cda[CTA_TUPLE_MASTER])
		err = set_master(ct, net, cda, birth);
	if (err)
		return err;
	tstamp = nf_conn_tstamp_find(ct);
	if (tstamp)
		tstamp->start = ktime_get_real_ns();
	return ft_unique_enter(ft_pernet(net), ct);
}

/*
 * Enters it. -EADDRINUSE: NAT has chosen what a flow of ours has. Then @blocked, unless that is
 * NULL, is what keeps it from that choice; or ERR_PTR(): it may choose that again.
 */
static struct nf_conn *create(struct net *net, const struct nlattr * const cda[],
			      const struct ft_ctnl_birth *birth, struct nf_conn **blocked)
{
	struct nf_conn *ct;
	int err;

	ct = nf_conntrack_alloc(net, &birth->zone, &birth->tuple[IP_CT_DIR_ORIGINAL],
				&birth->tuple[IP_CT_DIR_REPLY], GFP_ATOMIC);
	if (IS_ERR(ct))
		return ERR_PTR(-ENOMEM);
	rcu_read_lock();
	err = set_up(ct, net, cda, birth);
	if (err == -EADDRINUSE && blocked)
		*blocked = ft_unique_block(ft_pernet(net), ct);
	rcu_read_unlock();
	if (!err)
		return ct;
	nf_ct_put(ct->master);
	nf_conntrack_free(ct);
	return ERR_PTR(err);
}

/**
 * ft_ctnl_create_conntrack() - enter a connection into nf_conntrack's table
 * @net: namespace
 * @cda: attributes of the request
 * @birth: what of them has been read
 *
 * If NAT is to choose what it looks like it chooses again while a flow of ours looks so.
 *
 * Context: may sleep; the mutex of NFNL_SUBSYS_CTNETLINK, which is let go of while a
 * module is being loaded.
 * Return: the entry, referenced; ERR_PTR(): -EAGAIN: once more; -EINVAL; -EEXIST; -ENOENT;
 * -ENOMEM; -EOPNOTSUPP and others.
 */
struct nf_conn *ft_ctnl_create_conntrack(struct net *net, const struct nlattr * const cda[],
					 const struct ft_ctnl_birth *birth)
{
	unsigned int n = 0, tries = cda[CTA_NAT_SRC] || cda[CTA_NAT_DST] ? TRIES : 0;
	struct nf_conn *blocked[TRIES];
	struct nf_conn *ct;

	if (!cda[CTA_TIMEOUT])
		return ERR_PTR(-EINVAL);
	for (;;) {
		ct = create(net, cda, birth, n < tries ? &blocked[n] : NULL);
		if (ct != ERR_PTR(-EADDRINUSE) || n == tries || IS_ERR(blocked[n]))
			break;
		n++;
	}
	while (n--)
		ft_unique_unblock(blocked[n]);
	if (ct == ERR_PTR(-EADDRINUSE))
		return ERR_PTR(-EEXIST);
	return ct;
}
