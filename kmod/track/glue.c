// SPDX-License-Identifier: GPL-2.0
#include <linux/atomic.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/notifier.h>
#include <linux/random.h>
#include <linux/rcupdate.h>
#include <linux/siphash.h>
#include <linux/skbuff.h>
#include <linux/string.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_conntrack_zones.h>
#include <net/netlink.h>

#include "track/carrier.h"
#include "track/glue.h"

/*
 * nf_conntrack_netlink's hook, and ours, which calls it. Both are written while
 * nobody can call ours: it is not published, and a grace period has passed since
 * it was. nf_conntrack_netlink waits for one when it leaves, having taken back
 * what is published, ours or not.
 */
static const struct nfnl_ct_hook *theirs;
static struct nfnl_ct_hook ours;
static DEFINE_MUTEX(glue_lock); /* protects theirs, ours (writes) */

static siphash_key_t id_key;

/* The same for all packets of a flow, the one that opens it included. */
static __be32 flow_id(const struct nf_conn *ct)
{
	const struct nf_conntrack_tuple *orig =
		nf_ct_tuple(ct, IP_CT_DIR_ORIGINAL);
	struct {
		union nf_inet_addr src, dst;
		__be16 sport, dport;
		u16 zone;
		u8 l3num, protonum;
	} identity = {
		.src = orig->src.u3,
		.dst = orig->dst.u3,
		.sport = orig->src.u.all,
		.dport = orig->dst.u.all,
		.zone = nf_ct_zone(ct)->id,
		.l3num = orig->src.l3num,
		.protonum = orig->dst.protonum,
	};

	static_assert(sizeof(identity) == 2 * sizeof(union nf_inet_addr) + 8);
	return (__force __be32)siphash(&identity, sizeof(identity), &id_key);
}

/* The status that nf_conntrack's own entry would have. */
static u32 flow_status(const struct ft_carrier *carrier)
{
	u32 hidden = IPS_DYING | IPS_OFFLOAD | IPS_TEMPLATE;

	if (carrier->pending)
		hidden |= IPS_CONFIRMED;
	if (!rcu_access_pointer(nf_nat_hook))
		hidden |= IPS_NAT_DONE_MASK;
	return carrier->ct.status & ~hidden;
}

static int build(struct sk_buff *skb, struct nf_conn *ct,
		 enum ip_conntrack_info ctinfo, u_int16_t ct_attr,
		 u_int16_t ct_info_attr)
{
	const struct nlattr *nest = (void *)skb_tail_pointer(skb);
	const struct ft_carrier *carrier = ft_carrier_of(ct);
	struct nlattr *attr;
	int left, err;

	err = theirs->build(skb, ct, ctinfo, ct_attr, ct_info_attr);
	if (err || !carrier)
		return err;
	nla_for_each_nested(attr, nest, left) {
		switch (nla_type(attr)) {
		case CTA_ID:
			*(__be32 *)nla_data(attr) = flow_id(ct);
			break;
		case CTA_STATUS:
			*(__be32 *)nla_data(attr) = htonl(flow_status(carrier));
			break;
		}
	}
	return 0;
}

/* Whoever publishes or takes back a hook at the same time wins. */
static void install(void)
{
	const struct nfnl_ct_hook *found;

	mutex_lock(&glue_lock);
	rcu_read_lock();
	found = rcu_dereference(nfnl_ct_hook);
	if (found && found != &ours) {
		ours = *found;
		ours.build = build;
		theirs = found;
		/* Publishes the two above. */
		cmpxchg((__force const struct nfnl_ct_hook **)&nfnl_ct_hook,
			found, &ours);
	}
	rcu_read_unlock();
	mutex_unlock(&glue_lock);
}

static int module_changed(struct notifier_block *nb, unsigned long action,
			  void *data)
{
	const struct module *module = data;

	if (action == MODULE_STATE_LIVE &&
	    !strcmp(module->name, "nf_conntrack_netlink"))
		install();
	return NOTIFY_DONE;
}

static struct notifier_block module_nb = {
	.notifier_call = module_changed,
};

/**
 * ft_glue_init() - have our say in what is told of packets
 *
 * Return: 0 or the error of register_module_notifier().
 */
int ft_glue_init(void)
{
	int err;

	get_random_bytes(&id_key, sizeof(id_key));
	err = register_module_notifier(&module_nb);
	if (err)
		return err;
	install();
	return 0;
}

/**
 * ft_glue_exit() - leave it to nf_conntrack_netlink
 */
void ft_glue_exit(void)
{
	unregister_module_notifier(&module_nb);
	cmpxchg((__force const struct nfnl_ct_hook **)&nfnl_ct_hook, &ours,
		theirs);
	/* No packet is in build() any more. */
	synchronize_rcu();
}
