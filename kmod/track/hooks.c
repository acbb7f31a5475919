// SPDX-License-Identifier: GPL-2.0
/*
 * The life of a packet.
 *
 *	PRE_ROUTING, LOCAL_OUT	before nf_conntrack	ft_track
 *	PRE_ROUTING, LOCAL_OUT	after nf_conntrack	ft_strip_invalid
 *	LOCAL_IN, POST_ROUTING	last but nf_conntrack	ft_confirm
 *
 * Between the first and the last the ruleset reads what ft_track published.
 * No flow is allocated before ft_confirm: a packet that the ruleset drops costs
 * one lookup.
 */
#include <linux/netfilter_ipv4.h>
#include <linux/netfilter_ipv6.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <net/net_namespace.h>
#include <net/netfilter/ipv4/nf_defrag_ipv4.h>
#include <net/netfilter/ipv6/nf_defrag_ipv6.h>
#include <net/netfilter/nf_conntrack.h>

#include "base/settings.h"
#include "guard/watch.h"
#include "net.h"
#include "track/ahead.h"
#include "track/carrier.h"
#include "track/confirm.h"
#include "track/family.h"
#include "track/hand_over.h"
#include "track/hooks.h"
#include "track/track.h"

/* Note a mark that was set in raw: rules may set another one from here on. */
static void note_mark(const struct ft_net *tn, const struct sk_buff *skb,
		      struct nf_conn *ct)
{
	unsigned long notes = 0;

	if (ft_mark_bypass(&tn->set, skb->mark))
		notes |= FT_NOTE_STAYS;
	if (ft_mark_reserved(&tn->set, skb->mark))
		notes |= FT_NOTE_RESERVED;
	if (unlikely(notes))
		ft_carrier_note(ct, notes);
}

/*
 * Right behind nf_conntrack, before any rule of the ruleset but those in raw.
 *
 * nf_conntrack has let an INVALID packet pass as untracked; now the ruleset
 * must see it as what it is: a packet with no conntrack. And what the mark of a first
 * packet says of its flow is noted in the new conntrack.
 */
static unsigned int ft_strip_invalid(void *priv, struct sk_buff *skb,
				     const struct nf_hook_state *state)
{
	const struct ft_carrier *carrier;
	enum ip_conntrack_info ctinfo;
	const struct ft_net *tn = priv;
	struct nf_conn *ct;

	ct = nf_ct_get(skb, &ctinfo);
	if (!ct)
		return NF_ACCEPT;
	if (ctinfo == IP_CT_UNTRACKED) {
		carrier = ft_carrier_of(ct);
		if (carrier && carrier->invalid)
			ft_carrier_detach(skb);
	} else if (ctinfo == IP_CT_NEW && !nf_ct_is_confirmed(ct) &&
		   !nf_ct_is_template(ct)) {
		note_mark(tn, skb, ct);
	}
	return NF_ACCEPT;
}

#define FT_HOOK(_fn, _pf, _hook, _prio) \
	{ .hook = (_fn), .pf = (_pf), .hooknum = (_hook), .priority = (_prio) }

/*
 * They are registered in this order: whatever ft_track() publishes meets the hooks that
 * look at it.
 */
static const struct nf_hook_ops hook_ops[] = {
	FT_HOOK(ft_confirm, NFPROTO_IPV4, NF_INET_LOCAL_IN,
		NF_IP_PRI_CONNTRACK_CONFIRM - 1),
	FT_HOOK(ft_confirm, NFPROTO_IPV4, NF_INET_POST_ROUTING,
		NF_IP_PRI_CONNTRACK_CONFIRM - 1),
	FT_HOOK(ft_strip_invalid, NFPROTO_IPV4, NF_INET_PRE_ROUTING,
		NF_IP_PRI_CONNTRACK + 1),
	FT_HOOK(ft_strip_invalid, NFPROTO_IPV4, NF_INET_LOCAL_OUT,
		NF_IP_PRI_CONNTRACK + 1),
	FT_HOOK(ft_track, NFPROTO_IPV4, NF_INET_PRE_ROUTING,
		NF_IP_PRI_CONNTRACK - 1),
	FT_HOOK(ft_track, NFPROTO_IPV4, NF_INET_LOCAL_OUT,
		NF_IP_PRI_CONNTRACK - 1),
	FT_HOOK(ft_confirm, NFPROTO_IPV6, NF_INET_LOCAL_IN,
		NF_IP6_PRI_LAST - 1),
	FT_HOOK(ft_confirm, NFPROTO_IPV6, NF_INET_POST_ROUTING,
		NF_IP6_PRI_LAST - 1),
	FT_HOOK(ft_strip_invalid, NFPROTO_IPV6, NF_INET_PRE_ROUTING,
		NF_IP6_PRI_CONNTRACK + 1),
	FT_HOOK(ft_strip_invalid, NFPROTO_IPV6, NF_INET_LOCAL_OUT,
		NF_IP6_PRI_CONNTRACK + 1),
	FT_HOOK(ft_track, NFPROTO_IPV6, NF_INET_PRE_ROUTING,
		NF_IP6_PRI_CONNTRACK - 1),
	FT_HOOK(ft_track, NFPROTO_IPV6, NF_INET_LOCAL_OUT,
		NF_IP6_PRI_CONNTRACK - 1),
};

/* Of each family. */
#define HOOKS	(ARRAY_SIZE(hook_ops) / 2)
/* The last of these are ft_track()'s. */
#define ENTRIES	2

/* IPv4's come first. */
static struct nf_hook_ops *ops_of(struct ft_net *tn, enum ft_hooks_family family)
{
	return tn->hook_ops + (family == FT_HOOKS_IPV4 ? 0 : HOOKS);
}

/**
 * ft_hooks_init() - prepare the hooks of a namespace
 * @tn: namespace
 *
 * Return: 0 or -ENOMEM.
 */
int ft_hooks_init(struct ft_net *tn)
{
	unsigned int i;

	tn->hook_ops = kmemdup(hook_ops, sizeof(hook_ops),
			       GFP_KERNEL_ACCOUNT);
	if (!tn->hook_ops)
		return -ENOMEM;
	for (i = 0; i < ARRAY_SIZE(hook_ops); i++)
		tn->hook_ops[i].priv = tn;
	return 0;
}

/**
 * ft_hooks_exit() - forget the hooks of a namespace
 * @tn: namespace, its hooks unregistered a grace period ago
 */
void ft_hooks_exit(struct ft_net *tn)
{
	kfree(tn->hook_ops);
}

static int enable_defrag(struct ft_net *tn, enum ft_hooks_family family)
{
	return family == FT_HOOKS_IPV4 ? nf_defrag_ipv4_enable(tn->net) :
					 nf_defrag_ipv6_enable(tn->net);
}

static void disable_defrag(struct ft_net *tn, enum ft_hooks_family family)
{
	if (family == FT_HOOKS_IPV4)
		nf_defrag_ipv4_disable(tn->net);
	else
		nf_defrag_ipv6_disable(tn->net);
}

static int register_family(struct ft_net *tn, enum ft_hooks_family family)
{
	const struct nf_hook_ops *ops = ops_of(tn, family);
	int err;

	err = enable_defrag(tn, family);
	if (err)
		return err;
	err = nf_register_net_hooks(tn->net, ops, HOOKS - ENTRIES);
	if (err)
		goto err_defrag;
	/* If one of these cannot be, the other is unregistered. */
	err = nf_register_net_hooks(tn->net, ops + HOOKS - ENTRIES, ENTRIES);
	if (err)
		goto err_hooks;
	WRITE_ONCE(tn->hooked, tn->hooked | family);
	return 0;

err_hooks:
	synchronize_rcu_expedited();
	nf_unregister_net_hooks(tn->net, ops, HOOKS - ENTRIES);
err_defrag:
	disable_defrag(tn, family);
	return err;
}

static void unregister_family(struct ft_net *tn, enum ft_hooks_family family)
{
	const struct nf_hook_ops *ops = ops_of(tn, family);

	WRITE_ONCE(tn->hooked, tn->hooked & ~family);
	nf_unregister_net_hooks(tn->net, ops + HOOKS - ENTRIES, ENTRIES);
	/*
	 * Packets that ft_track() has seen meet the others. A namespace that nobody uses any
	 * more has none; where all go, hundreds of them wait one after the other.
	 */
	if (check_net(tn->net))
		synchronize_rcu_expedited();
	nf_unregister_net_hooks(tn->net, ops, HOOKS - ENTRIES);
	disable_defrag(tn, family);
}

static int set_families(struct ft_net *tn, unsigned int families)
{
	const unsigned int add = families & ~tn->hooked;
	const unsigned int drop = tn->hooked & ~families;
	int err;

	if (add & FT_HOOKS_IPV4) {
		err = register_family(tn, FT_HOOKS_IPV4);
		if (err)
			return err;
	}
	if (add & FT_HOOKS_IPV6) {
		err = register_family(tn, FT_HOOKS_IPV6);
		if (err)
			goto err_ipv4;
	}
	if (drop)
		ft_hand_over(tn, drop);
	if (drop & FT_HOOKS_IPV4)
		unregister_family(tn, FT_HOOKS_IPV4);
	if (drop & FT_HOOKS_IPV6)
		unregister_family(tn, FT_HOOKS_IPV6);
	if (drop)
		ft_hand_over_done(tn);
	if (add)
		ft_guard_start(tn);
	return 0;

err_ipv4:
	if (add & FT_HOOKS_IPV4)
		unregister_family(tn, FT_HOOKS_IPV4);
	return err;
}

/**
 * ft_hooks_set() - choose what is tracked in a namespace
 * @tn: namespace
 * @families: enum ft_hooks_family; 0: nothing
 *
 * Packets of a family that is not tracked any more and that NFQUEUE holds for
 * this namespace are dropped. A packet may still be inside a hook until a grace
 * period has passed.
 *
 * Context: may sleep; settings_lock held, or nobody else knows @tn.
 * Return: 0, or an error with the hooks as they were.
 */
int ft_hooks_set(struct ft_net *tn, unsigned int families)
{
	int err = set_families(tn, families);

	ft_ahead_set(tn);
	return err;
}
