// SPDX-License-Identifier: GPL-2.0
#include <linux/bottom_half.h>
#include <linux/err.h>
#include <linux/export.h>
#include <linux/in.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/string.h>
#include <linux/timekeeping.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_conntrack_acct.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/netfilter/nf_conntrack_ecache.h>
#include <net/netfilter/nf_conntrack_labels.h>
#include <net/netfilter/nf_conntrack_timestamp.h>
#include <net/netfilter/nf_conntrack_zones.h>
#include <net/netfilter/nf_nat.h>

#include "base/settings.h"
#include "flow/flow.h"
#include "flow/table.h"
#include "flow/tuple.h"
#include "net.h"
#include "proto/conntrack.h"
#include "track/carrier.h"
#include "track/end.h"
#include "track/family.h"
#include "track/hand_over.h"
#include "track/nat_setup.h"

/**
 * struct hand_over - argument of hand_over_one()
 * @tn: namespace
 * @families: of the flows, enum ft_hooks_family
 * @mapping: FT_FLOW_SNAT, FT_FLOW_DNAT: those that have one of these
 * @assured: those that are, or else the others
 */
struct hand_over {
	struct ft_net *tn;
	unsigned int families;
	u32 mapping;
	bool assured;
};

static void copy_masq(struct nf_conn *ct, u32 masq)
{
#if IS_ENABLED(CONFIG_NF_NAT_MASQUERADE)
	struct nf_conn_nat *nat = masq ? nf_ct_ext_add(ct, NF_CT_EXT_NAT, GFP_ATOMIC) : NULL;

	if (nat)
		nat->masq_index = masq;
#endif
}

static void copy_counters(struct nf_conn *ct, const struct ft_flow *flow)
{
	struct nf_conn_acct *acct = nf_ct_acct_ext_add(ct, GFP_ATOMIC);
	unsigned int dir;

	for (dir = 0; acct && dir < IP_CT_DIR_MAX; dir++) {
		atomic64_set(&acct->counter[dir].packets, flow->packets[dir]);
		atomic64_set(&acct->counter[dir].bytes, flow->bytes[dir]);
	}
}

static void copy_start(struct nf_conn *ct, const struct ft_flow *flow)
{
#ifdef CONFIG_NF_CONNTRACK_TIMESTAMP
	struct nf_conn_tstamp *tstamp = nf_ct_tstamp_ext_add(ct, GFP_ATOMIC);

	if (tstamp)
		tstamp->start = ktime_get_real_ns() - (ktime_get_boottime_ns() - flow->born);
#endif
}

/*
 * Packets may come before our flow ends, and nf_conntrack would not know of them: it takes
 * the windows from the next ones, as it does for an entry that ctnetlink makes. What it
 * finds outside of a window it does not translate, and this machine would answer it.
 *
 * The windows of a connection that begins stay: only its SYN tells what acknowledges it.
 * td_maxack stays, too. It goes with a flag, resets are compared with it, and an old one
 * does no harm.
 */
static void forget_windows(struct ip_ct_tcp *tcp)
{
	unsigned int dir;

	if (tcp->state < TCP_CONNTRACK_ESTABLISHED || tcp->state == TCP_CONNTRACK_SYN_SENT2)
		return;
	for (dir = 0; dir < IP_CT_DIR_MAX; dir++) {
		tcp->seen[dir].td_end = 0;
		tcp->seen[dir].td_maxend = 0;
		tcp->seen[dir].td_maxwin = 0;
	}
}

/* Extensions come before the entry counts as confirmed. */
static void copy_state(struct nf_conn *ct, const struct ft_flow6 *copy, u32 word)
{
	const struct ft_flow *flow = &copy->f;

	copy_masq(ct, copy->nat.masq);
	copy_counters(ct, flow);
	copy_start(ct, flow);
	nf_ct_ecache_ext_add(ct, 0, 0, GFP_ATOMIC);
	nf_ct_labels_ext_add(ct);
	ct->status |= IPS_CONFIRMED | ft_proto_conntrack_status(word);
	ct->timeout = nfct_time_stamp + max(ft_flow_left(flow, ft_now()), 0);
#ifdef CONFIG_NF_CONNTRACK_MARK
	ct->mark = flow->mark;
#endif
	memset(&ct->proto, 0, sizeof(ct->proto));
	ft_proto_to_conntrack(ct, flow, word);
	if (flow->key.l4proto == IPPROTO_TCP)
		forget_windows(&ct->proto.tcp);
}

/* Context: RCU read side, BH disabled. Return: the entry, in the table; NULL: it has no place. */
static struct nf_conn *make_entry(const struct ft_net *tn, const struct ft_flow6 *copy, u32 word)
{
	struct nf_conntrack_tuple orig, plain, reply;
	struct nf_conntrack_zone zone;
	struct ft_key key;
	struct nf_conn *ct;

	ft_flow_key(&copy->f, &key);
	nf_ct_zone_init(&zone, key.zone, NF_CT_DEFAULT_ZONE_DIR, 0);
	ft_carrier_tuple(&orig, &key, word & FT_FLOW_ORIG_HI, false);
	ft_nat_key(&copy->f, &copy->nat, &key);
	ft_carrier_tuple(&reply, &key, word & FT_FLOW_REPLY_HI, true);
	if (!nf_ct_invert_tuple(&plain, &orig))
		return NULL;
	ct = nf_conntrack_alloc(tn->net, &zone, &orig, &plain, GFP_ATOMIC);
	if (IS_ERR(ct))
		return NULL;
	if (!ft_nat_setup(ct, &reply, word))
		goto err_free;
	copy_state(ct, copy, word);
	if (nf_conntrack_hash_check_insert(ct))
		goto err_free;
	return ct;

err_free:
	nf_conntrack_free(ct);
	return NULL;
}

/* Nobody will send packets through a namespace that goes away. */
static bool is_needed(const struct ft_net *tn)
{
	return check_net(tn->net);
}

/* nf_conntrack would evict for it, or say in the log that packets are dropped. */
static bool entry_fits(const struct ft_net *tn)
{
	u32 max = READ_ONCE(nf_conntrack_max);

	return !max || nf_conntrack_count(tn->net) < max;
}

/* Our flow has ended meanwhile, and its end was told. */
static void take_back(struct nf_conn *ct)
{
	struct nf_conntrack_ecache *events = nf_ct_ecache_find(ct);

	if (events)
		events->ctmask = 0;
	nf_ct_delete(ct, 0, 0);
}

/*
 * At any time one of the tables has the flow: nobody can take its tuples. While both
 * have it, its packets find ours. Nobody is told of an end or a beginning: the counters
 * go on, and a log of what has ended would count them twice.
 */
static int hand_over_one(struct ft_flow *flow, u32 index, void *arg)
{
	const struct hand_over *over = arg;
	struct ft_net *tn = over->tn;
	struct ft_flow6 copy;
	struct nf_conn *ct;
	u32 word;

	if (!(index & FT_INDEX_NAT) || !is_needed(tn) || !entry_fits(tn) ||
	    !(over->families & (index & FT_INDEX_V6 ? FT_HOOKS_IPV6 : FT_HOOKS_IPV4)))
		return 0;
	local_bh_disable();
	if (!ft_flow_snapshot(flow, 0, &copy))
		goto out;
	word = atomic_read(&copy.f.word);
	if (!(word & over->mapping) || over->assured != !!(word & FT_FLOW_ASSURED) ||
	    ft_flow_left(&copy.f, ft_now()) <= 0)
		goto out;
	ct = make_entry(tn, &copy, word);
	if (!ct)
		goto out;
	if (!ft_flow_leave(tn, flow, index, copy.f.gen))
		take_back(ct);
	nf_ct_put(ct);
out:
	local_bh_enable();
	return 0;
}

/* Context: may sleep. */
static void hand_over_each(struct ft_net *tn, unsigned int families, u32 mapping)
{
	struct hand_over over = { .tn = tn, .families = families, .mapping = mapping };
	unsigned int pass;

	for (pass = 0; pass < 2; pass++) {
		over.assured = !pass;
		ft_table_for_each(tn->table, false, hand_over_one, &over);
	}
}

/**
 * ft_hand_over() - make translated flows nf_conntrack's
 * @tn: namespace; its hooks are there still
 * @families: what is tracked no more, enum ft_hooks_family
 *
 * No translated flow is adopted, or entered by a request, until ft_hand_over_done(). If
 * nf_conntrack has no room for all of them, those that are assured come first; the others
 * stay here.
 *
 * Context: may sleep; settings_lock held.
 */
void ft_hand_over(struct ft_net *tn, unsigned int families)
{
	if (!is_needed(tn))
		return;
	WRITE_ONCE(tn->handing_over, true);
	if (!ft_table_translated(tn->table))
		return;
	/* What read that before is in the table now. */
	synchronize_net();
	hand_over_each(tn, families, FT_FLOW_NAT);
}

/**
 * ft_hand_over_done() - translated flows may be adopted again
 * @tn: namespace, after ft_hand_over() and without the hooks
 *
 * Context: settings_lock held.
 */
void ft_hand_over_done(struct ft_net *tn)
{
	WRITE_ONCE(tn->handing_over, false);
}

static bool is_unreachable(const struct ft_net *tn)
{
	return ft_setting(&tn->set, NAT) == FT_NAT_AUTO && ft_table_translated(tn->table);
}

/* The next namespace that this round has not seen. Return: it, with a reference; NULL. */
static struct ft_net *next_unreachable(unsigned int round)
{
	struct ft_net *tn, *found = NULL;

	mutex_lock(&ft_nets_lock);
	list_for_each_entry(tn, &ft_nets, list) {
		if (tn->handed_over == round || !is_unreachable(tn))
			continue;
		tn->handed_over = round;
		if (maybe_get_net(tn->net)) {
			found = tn;
			break;
		}
	}
	mutex_unlock(&ft_nets_lock);
	return found;
}

/**
 * ft_hand_over_unreachable() - make nf_conntrack's what ctnetlink must reach
 *
 * With nf_flowtrack_nat at auto, flows whose destination is translated are ours only while
 * ctnetlink serves our table, see track/nat.c. Now it does not, and what publishes a port
 * deletes the flows of a rule that has changed in nf_conntrack's table. Tracking goes on.
 *
 * Namespaces wait for each other, and nobody else waits for them.
 *
 * Context: may sleep; takes ft_nets_lock and settings_lock; one at a time.
 * ft_notify_unregister() of ctnetlink's notifier has returned: no such flow is adopted any
 * more.
 */
void ft_hand_over_unreachable(void)
{
	static unsigned int round;
	struct ft_net *tn;

	round++;
	while ((tn = next_unreachable(round))) {
		mutex_lock(&tn->settings_lock);
		hand_over_each(tn, tn->hooked, FT_FLOW_DNAT);
		mutex_unlock(&tn->settings_lock);
		put_net(tn->net);
	}
}
EXPORT_SYMBOL_NS_GPL(ft_hand_over_unreachable, FT_SYMBOL_NS);
