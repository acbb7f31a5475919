// SPDX-License-Identifier: GPL-2.0
/*
 * How the presence of a consumer is seen:
 *
 *	in use		its module is loaded, and somebody holds a reference:
 *			each rule, qdisc action or service has one. Which
 *			namespace it is in cannot be told: it counts for all.
 *	loaded		its module is, for what can be used without a reference
 *	hooks		it has hooks in the namespace
 *	helpers		one is in nf_ct_helper_hash
 *	labels		rules of the namespace that use them are counted by
 *			nf_conntrack
 *	objects		a table of nftables that has a chain in the namespace
 *			has them
 *	translated	a packet came in that was sent to somewhere else
 *
 * A consumer that is built into the kernel is seen by its hooks alone.
 */
#include <linux/bitmap.h>
#include <linux/export.h>
#include <linux/hash.h>
#include <linux/jiffies.h>
#include <linux/kobject.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/netfilter.h>
#include <linux/netfilter_bridge.h>
#include <linux/netfilter_ipv4.h>
#include <linux/netfilter_ipv6.h>
#include <linux/notifier.h>
#include <linux/rculist.h>
#include <linux/string.h>
#include <net/net_namespace.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_conntrack_helper.h>
#include <net/netfilter/nf_tables.h>

#include "net.h"
#include "track/consumers.h"

/**
 * enum sign - what tells that a consumer is there
 * @IN_USE: its module has references
 * @LOADED: its module is there
 * @BRIDGE_HOOKS: its module is there, and hooks of the bridge in the namespace
 */
enum sign {
	IN_USE,
	LOADED,
	BRIDGE_HOOKS,
};

/* Needs nothing by itself, see ft_consumers_redirect(). */
#define REDIRECT	FT_NEED_NOTHING

/**
 * struct consumer - a module that reads conntracks
 * @name: the module's
 * @sign: what tells that it is at work
 * @need: what it needs then
 * @origin: it asks where a translated packet came from, behind POST_ROUTING
 * @module: the module; NULL while it is not loaded. Written under look_lock;
 *	freed a grace period after the notifier has cleared it
 */
struct consumer {
	const char *name;
	enum sign sign;
	enum ft_need need;
	bool origin;
	struct module __rcu *module;
};

static struct consumer consumers[] = {
	/* Count the entries of a source. */
	{ "nft_connlimit",	IN_USE,		FT_NEED_ALL },
	{ "xt_connlimit",	IN_USE,		FT_NEED_ALL },
	/* Take the entry along past the ruleset. */
	{ "nft_flow_offload",	IN_USE,		FT_NEED_ALL },
	{ "act_ct",		IN_USE,		FT_NEED_ALL },
	/* Put their own state, and sequence numbers, into the entry. */
	{ "nft_synproxy",	IN_USE,		FT_NEED_ALL },
	{ "ipt_SYNPROXY",	IN_USE,		FT_NEED_ALL },
	{ "ip6t_SYNPROXY",	IN_USE,		FT_NEED_ALL },
	/* Look packets up before PRE_ROUTING, and behind POST_ROUTING. */
	{ "act_connmark",	IN_USE,		FT_NEED_ALL },
	{ "act_ctinfo",		IN_USE,		FT_NEED_ALL },
	{ "act_ipt",		IN_USE,		FT_NEED_ALL },
	/* Looks up, and enters, the flows of packets that cross its bridges. */
	{ "openvswitch",	LOADED,		FT_NEED_ALL },
	/* Tracks bridged packets by entries of its own. */
	{ "nf_conntrack_bridge", BRIDGE_HOOKS,	FT_NEED_ALL },
	/* Keep the security mark in the entry. */
	{ "xt_CONNSECMARK",	IN_USE,		FT_NEED_ALL },
	/* Change the unconfirmed entry's tuple; register helpers by netlink. */
	{ "ip_vs",		IN_USE,		FT_NEED_FIRST },
	{ "nfnetlink_cthelper",	LOADED,		FT_NEED_FIRST },
	/*
	 * The program that it serves asks for SO_ORIGINAL_DST of all it
	 * accepts.
	 */
	{ "nft_redir",		IN_USE,		REDIRECT },
	{ "xt_REDIRECT",	IN_USE,		REDIRECT },
	/* Tell hosts behind NAT apart: cake's nat, the flow classifier's nfct-src. */
	{ "sch_cake",		IN_USE,		FT_NEED_NOTHING, true },
	{ "cls_flow",		IN_USE,		FT_NEED_NOTHING, true },
};

static_assert(ARRAY_SIZE(consumers) <= BITS_PER_LONG);

/* Consumers whose module is loaded; written under look_lock. */
static unsigned long loaded;
/* A conntrack helper is registered; written under look_lock. */
static bool helpers_present;
static DEFINE_MUTEX(look_lock); /* protects consumers[].module, loaded, helpers_present (writes) */

static void set_module(struct consumer *consumer, struct module *module)
{
	unsigned long bit = BIT(consumer - consumers);

	lockdep_assert_held(&look_lock);
	rcu_assign_pointer(consumer->module, module);
	WRITE_ONCE(loaded, module ? loaded | bit : loaded & ~bit);
}

static void look_for_helpers(void)
{
	bool present = false;
	unsigned int i;

	lockdep_assert_held(&look_lock);
	rcu_read_lock();
	for (i = 0; i < nf_ct_helper_hsize && !present; i++)
		present = !hlist_empty(&nf_ct_helper_hash[i]);
	rcu_read_unlock();
	WRITE_ONCE(helpers_present, present);
}

/*
 * Modules make their things known in their init, before LIVE is announced, and
 * take them back in their exit, before GOING is. One that fails to load
 * announces GOING.
 */
static int module_changed(struct notifier_block *nb, unsigned long action,
			  void *data)
{
	struct module *module = data;
	unsigned int i;

	if (action != MODULE_STATE_LIVE && action != MODULE_STATE_GOING)
		return NOTIFY_DONE;
	mutex_lock(&look_lock);
	for (i = 0; i < ARRAY_SIZE(consumers); i++)
		if (!strcmp(module->name, consumers[i].name))
			set_module(&consumers[i], action == MODULE_STATE_LIVE ?
				   module : NULL);
	look_for_helpers();
	mutex_unlock(&look_lock);
	return NOTIFY_DONE;
}

static struct notifier_block module_nb = {
	.notifier_call = module_changed,
};

/* A module that was loaded before this one: as /sys/module has it. */
static void look_for_module(struct consumer *consumer)
{
	struct kset *kset = THIS_MODULE->mkobj.kobj.kset;
	struct kobject *kobj = kset_find_obj(kset, consumer->name);
	struct module *module;

	if (!kobj)
		return;
	/* NULL: built in. */
	module = container_of(kobj, struct module_kobject, kobj)->mod;
	/*
	 * A module that leaves says so before the notifier is called, and that
	 * waits for look_lock.
	 */
	if (module && READ_ONCE(module->state) == MODULE_STATE_LIVE)
		set_module(consumer, module);
	kobject_put(kobj);
}

/**
 * ft_consumers_look() - look which consumers are there
 *
 * Context: may sleep.
 */
void ft_consumers_look(void)
{
	unsigned int i;

	mutex_lock(&look_lock);
	for (i = 0; i < ARRAY_SIZE(consumers); i++)
		look_for_module(&consumers[i]);
	look_for_helpers();
	mutex_unlock(&look_lock);
}

/**
 * ft_consumers_init() - start to watch consumers come and go
 *
 * Return: 0 or the error of register_module_notifier().
 */
int ft_consumers_init(void)
{
	int err = register_module_notifier(&module_nb);

	if (err)
		return err;
	ft_consumers_look();
	return 0;
}

/**
 * ft_consumers_exit() - stop watching
 */
void ft_consumers_exit(void)
{
	unregister_module_notifier(&module_nb);
}

/*
 * The first hook of this priority that is no chain of nftables, or NULL. From behind:
 * they are in order, and what is looked for is among the last. Only one that has just been
 * removed is not: until a shorter array is there, its place says INT_MIN.
 */
static const struct nf_hook_entry *
find_hook(const struct nf_hook_entries *entries, int priority)
{
	const struct nf_hook_entry *found = NULL;
	const struct nf_hook_ops *op;
	struct nf_hook_ops **ops;
	unsigned int i;

	if (!entries)
		return NULL;
	ops = nf_hook_entries_get_hook_ops(entries);
	for (i = entries->num_hook_entries; i; i--) {
		op = READ_ONCE(ops[i - 1]);
		if (op->priority == priority && op->hook_ops_type != NF_HOOK_OP_NF_TABLES)
			found = &entries->hooks[i - 1];
		if (op->priority < priority && op->priority != INT_MIN)
			break;
	}
	return found;
}

static bool bridge_tracked(const struct net *net)
{
#ifdef CONFIG_NETFILTER_FAMILY_BRIDGE
	return find_hook(rcu_dereference(net->nf.hooks_bridge[NF_BR_PRE_ROUTING]),
			 NF_IP_PRI_CONNTRACK);
#else
	return false;
#endif
}

/* Does a rule of this namespace use labels? */
static bool labels_used(const struct net *net)
{
#ifdef CONFIG_NF_CONNTRACK_LABELS
	/* An unsigned int in some kernels, an atomic_t in others. */
	static_assert(sizeof(net->ct.labels_used) == sizeof(int));

	return READ_ONCE(*(const int *)&net->ct.labels_used);
#else
	return false;
#endif
}

#if IS_ENABLED(CONFIG_NF_TABLES)
/*
 * What a table's objects do to the entry that is not confirmed yet, or keep in
 * it for as long as it lives.
 */
static enum ft_need table_need(const struct nft_table *table)
{
	enum ft_need need = FT_NEED_NOTHING;
	const struct nft_object *object;

	list_for_each_entry_rcu(object, &table->objects, list) {
		switch (object->ops->type->type) {
		case NFT_OBJECT_SECMARK:
			return FT_NEED_ALL;
		case NFT_OBJECT_CT_TIMEOUT:
		case NFT_OBJECT_CT_EXPECT:
			need = FT_NEED_FIRST;
			break;
		}
	}
	return need;
}

/* Goes through the tables that have a chain at a hook. */
static void look_at_tables(const struct nf_hook_entries *entries,
			   unsigned long *state, enum ft_need *need)
{
	const struct nft_table *table;
	const struct nf_hook_ops *op;
	struct nf_hook_ops **ops;
	unsigned int i;

	if (!entries)
		return;
	ops = nf_hook_entries_get_hook_ops(entries);
	for (i = 0; i < entries->num_hook_entries; i++) {
		/* Another one takes its place while it is being removed. */
		op = READ_ONCE(ops[i]);
		if (op->hook_ops_type != NF_HOOK_OP_NF_TABLES)
			continue;
		table = ((const struct nft_chain *)op->priv)->table;
		/* An added object takes a handle from hgenerator; a removed one lowers use. */
		*state = hash_long(*state + (unsigned long)table +
				   READ_ONCE(table->hgenerator), BITS_PER_LONG);
		/* Hashed, not just added: the lowest bits of the sum are not compared. */
		*state = hash_long(*state + READ_ONCE(table->use),
				   BITS_PER_LONG);
		if (need)
			*need = max(*need, table_need(table));
	}
}

static unsigned long look_at_hooks(const struct net *net, enum ft_need *need)
{
	unsigned long state = 0;
	unsigned int hook;

	for (hook = 0; hook < NF_INET_NUMHOOKS; hook++) {
		look_at_tables(rcu_dereference(net->nf.hooks_ipv4[hook]),
			       &state, need);
		look_at_tables(rcu_dereference(net->nf.hooks_ipv6[hook]),
			       &state, need);
	}
	return state;
}
#else
static unsigned long look_at_hooks(const struct net *net, enum ft_need *need)
{
	return 0;
}
#endif

/*
 * Objects are many, and nobody tells when one comes: the first that asks in a
 * jiffy looks whether a table has changed, and only then what it has.
 */
static enum ft_need objects_need(struct ft_net *tn)
{
	struct ft_consumers *known = &tn->consumers;
	unsigned long was = READ_ONCE(known->tables), now;
	enum ft_need need = FT_NEED_NOTHING;

	if (READ_ONCE(known->looked) == (u32)jiffies)
		return was & FT_NEED_MASK;
	WRITE_ONCE(known->looked, (u32)jiffies);
	now = look_at_hooks(tn->net, NULL) & ~FT_NEED_MASK;
	if (now == (was & ~FT_NEED_MASK))
		return was & FT_NEED_MASK;
	look_at_hooks(tn->net, &need);
	WRITE_ONCE(known->tables, now | need);
	return need;
}

static bool at_work(const struct consumer *consumer, const struct net *net)
{
	const struct module *module = rcu_dereference(consumer->module);

	if (!module)
		return false;
	switch (consumer->sign) {
	case IN_USE:
		return module_refcount((struct module *)module) > 0;
	case BRIDGE_HOOKS:
		return bridge_tracked(net);
	case LOADED:
		break;
	}
	return true;
}

static_assert((int)NF_IP_PRI_NAT_DST == (int)NF_IP6_PRI_NAT_DST);
static_assert((int)NF_IP_PRI_NAT_SRC == (int)NF_IP6_PRI_NAT_SRC);

/**
 * ft_consumers_nat_hook() - the hook of NAT at a place
 * @net: namespace
 * @pf: NFPROTO_IPV4 or NFPROTO_IPV6
 * @hook: NF_INET_*
 *
 * nf_nat has one for all its chains, of nftables and of iptables. Something else
 * of the same priority counts, too, while nf_nat is loaded.
 *
 * Context: RCU read side.
 * Return: the hook; NULL: no flow of @pf is translated there.
 */
const struct nf_hook_entry *
ft_consumers_nat_hook(const struct net *net, u8 pf, unsigned int hook)
{
	bool dst = hook == NF_INET_PRE_ROUTING || hook == NF_INET_LOCAL_OUT;

	if (!rcu_access_pointer(nf_nat_hook))
		return NULL;
	return find_hook(pf == NFPROTO_IPV6 ?
			 rcu_dereference(net->nf.hooks_ipv6[hook]) :
			 rcu_dereference(net->nf.hooks_ipv4[hook]),
			 dst ? NF_IP_PRI_NAT_DST : NF_IP_PRI_NAT_SRC);
}

/**
 * ft_consumers_nat() - is there NAT in a namespace?
 * @net: namespace
 * @pf: NFPROTO_IPV4 or NFPROTO_IPV6
 *
 * All hooks of NAT come with the first chain.
 *
 * Context: RCU read side.
 * Return: true if a flow of @pf may be translated.
 */
bool ft_consumers_nat(const struct net *net, u8 pf)
{
	return ft_consumers_nat_hook(net, pf, NF_INET_PRE_ROUTING);
}

/* Where the first packet of a flow arrives, as translated. */
static unsigned int port_bit(const struct nf_conn *ct)
{
	return ntohs(nf_ct_tuple(ct, IP_CT_DIR_REPLY)->src.u.all) %
	       FT_CONSUMERS_PORTS;
}

/**
 * ft_consumers_redirected() - a flow comes in that NAT has sent here
 * @tn: namespace
 * @ct: the flow, unconfirmed, with another destination
 *
 * Context: RCU read side.
 */
void ft_consumers_redirected(struct ft_net *tn, const struct nf_conn *ct)
{
	unsigned int bit = port_bit(ct);

	if (!test_bit(bit, tn->consumers.ports))
		set_bit(bit, tn->consumers.ports);
}

/**
 * ft_consumers_redirect() - might a socket be asked for SO_ORIGINAL_DST?
 * @tn: namespace
 * @pf: NFPROTO_IPV4 or NFPROTO_IPV6
 * @ct: a flow that comes in, unconfirmed
 *
 * A transparent proxy asks for each connection that it accepts, also for one
 * that came to it as it is.
 *
 * Context: RCU read side.
 * Return: true if NAT has sent others to the same port, or there are rules that
 * redirect, and NAT in @tn.
 */
bool ft_consumers_redirect(const struct ft_net *tn, u8 pf,
			   const struct nf_conn *ct)
{
	unsigned long left = READ_ONCE(loaded);
	unsigned int i;

	if (test_bit(port_bit(ct), tn->consumers.ports))
		return true;
	for_each_set_bit(i, &left, ARRAY_SIZE(consumers))
		if (consumers[i].need == REDIRECT && !consumers[i].origin &&
		    at_work(&consumers[i], tn->net))
			return ft_consumers_nat(tn->net, pf);
	return false;
}

/**
 * ft_consumers_origin() - does somebody ask where translated packets came from?
 * @net: namespace
 *
 * The carrier is gone by then, and nf_conntrack's table is what is asked.
 *
 * Context: RCU read side.
 * Return: true if so.
 */
bool ft_consumers_origin(const struct net *net)
{
	unsigned long left = READ_ONCE(loaded);
	unsigned int i;

	for_each_set_bit(i, &left, ARRAY_SIZE(consumers))
		if (consumers[i].origin && at_work(&consumers[i], net))
			return true;
	return false;
}

/**
 * ft_consumers_need() - what is needed of nf_conntrack?
 * @tn: namespace
 * @pf: NFPROTO_IPV4 or NFPROTO_IPV6
 *
 * Context: RCU read side.
 * Return: the greatest need of those that are there.
 */
enum ft_need ft_consumers_need(struct ft_net *tn, u8 pf)
{
	unsigned long left = READ_ONCE(loaded);
	const struct net *net = tn->net;
	enum ft_need need;
	unsigned int i;

	if (labels_used(net))
		return FT_NEED_ALL;
	need = objects_need(tn);
	for_each_set_bit(i, &left, ARRAY_SIZE(consumers))
		if (consumers[i].need > need && at_work(&consumers[i], net))
			need = consumers[i].need;
	if (need == FT_NEED_NOTHING &&
	    (READ_ONCE(helpers_present) || ft_consumers_nat(net, pf)))
		need = FT_NEED_FIRST;
	return need;
}
EXPORT_SYMBOL_NS_GPL(ft_consumers_need, FT_SYMBOL_NS);

/**
 * ft_consumers_any() - is anything needed of nf_conntrack?
 * @tn: namespace
 * @pf: NFPROTO_IPV4 or NFPROTO_IPV6
 *
 * What is there most often is asked first: packets ask, not only flows.
 *
 * Context: RCU read side.
 * Return: true if ft_consumers_need() is more than nothing.
 */
bool ft_consumers_any(struct ft_net *tn, u8 pf)
{
	return READ_ONCE(helpers_present) || ft_consumers_nat(tn->net, pf) ||
	       ft_consumers_need(tn, pf) != FT_NEED_NOTHING;
}
