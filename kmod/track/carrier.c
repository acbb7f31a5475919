// SPDX-License-Identifier: GPL-2.0
/*
 * Carriers. Each CPU has a ring of them, which grows when all are in flight
 * (packets held by NFQUEUE keep theirs) and is given back at unload.
 *
 * Why a carrier has the status bits that it has, IPS_*:
 *
 *	CONFIRMED	nf_conntrack_in() and nf_confirm() take it as it is
 *	SRC/DST_NAT_DONE nat chains have nothing to set up
 *	DYING		nf_ct_delete() finds that somebody else deletes it
 *	OFFLOAD		"flow add" finds it offloaded already
 *	TEMPLATE	only at unload: whoever puts the last reference frees it
 *			without nf_conntrack's slab or count being involved
 */
#include <linux/bottom_half.h>
#include <linux/percpu.h>
#include <linux/slab.h>
#include <net/netfilter/nf_conntrack_acct.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/netfilter/nf_conntrack_zones.h>

#include "base/stats.h"
#include "flow/tuple.h"
#include "net.h"
#include "track/carrier.h"

#if !IS_ENABLED(CONFIG_NF_NAT)
#error "nf_flowtrack needs a kernel with CONFIG_NF_NAT: nf_conn.nat_bysource"
#endif

#define CARRIER_STATUS	(IPS_CONFIRMED | IPS_NAT_DONE_MASK | IPS_DYING | \
			 IPS_OFFLOAD)

/* Most carriers of one CPU: NFQUEUE holds 1024 packets unless told otherwise. */
#define RING_MAX	8192
/* Carriers looked at before a ring grows, and before it gives up. */
#define RING_LOOKS	4
#define RING_LOOKS_FULL	256

/**
 * struct ring - carriers of one CPU
 * @cursor: the one that was used last; NULL: none yet
 * @count: how many there are
 *
 * Touched by its CPU with BH disabled.
 */
struct ring {
	struct ft_carrier *cursor;
	unsigned int count;
};

static DEFINE_PER_CPU(struct ring, rings);

struct hlist_node *ft_carrier_magic;

static struct ft_carrier *carrier_create(struct net *net)
{
	struct ft_carrier *carrier;
	struct nf_conn *ct;

	carrier = kzalloc(sizeof(*carrier), GFP_ATOMIC | __GFP_NOWARN);
	if (!carrier)
		return NULL;
	ct = nf_ct_tmpl_alloc(net, &nf_ct_zone_dflt, GFP_ATOMIC | __GFP_NOWARN);
	if (!ct)
		goto err_carrier;

	/* Extensions can't be added once CONFIRMED is set. */
	if (!nf_ct_ext_add(ct, NF_CT_EXT_ACCT, GFP_ATOMIC | __GFP_NOWARN))
		goto err_ct;
	carrier->padto = ct->proto.tmpl_padto;
	/* nf_ct_set_closing(), called by "reject", takes it. */
	spin_lock_init(&ct->lock);
	ct->nat_bysource.next = (struct hlist_node *)carrier;
	ct->nat_bysource.pprev = &ft_carrier_magic;
	ct->status = CARRIER_STATUS;
	carrier->ct = ct;
	return carrier;

err_ct:
	nf_ct_tmpl_free(ct);
err_carrier:
	kfree(carrier);
	return NULL;
}

/* Let go of a carrier; a packet that still has it frees its nf_conn. */
static void carrier_release(struct ft_carrier *carrier)
{
	struct nf_conn *ct = carrier->ct;

	ct->proto.tmpl_padto = carrier->padto;
	ct->nat_bysource.pprev = NULL;
	/* Pairs with the reference count's release in nf_ct_put(). */
	smp_store_release(&ct->status, IPS_TEMPLATE);
	nf_ct_put(ct);
	kfree(carrier);
}

static bool carrier_is_free(const struct ft_carrier *carrier)
{
	/*
	 * Pairs with the release in nf_ct_put(): what the previous packet's
	 * owner read or wrote happened before.
	 */
	if (refcount_read(&carrier->ct->ct_general.use) != 1)
		return false;
	smp_acquire__after_ctrl_dep();
	return true;
}

/**
 * ft_carrier_get() - a carrier for one packet
 * @tn: namespace of the packet
 *
 * The caller fills it and attaches it with ft_carrier_attach(), or leaves it.
 *
 * Context: BH disabled, from here until it is attached.
 * Return: the carrier, or NULL: no memory, or too many packets in flight.
 */
struct ft_carrier *ft_carrier_get(struct ft_net *tn)
{
	struct ring *ring = this_cpu_ptr(&rings);
	struct ft_carrier *carrier = ring->cursor;
	unsigned int looks;

	if (likely(carrier)) {
		looks = ring->count < RING_MAX ? RING_LOOKS : RING_LOOKS_FULL;
		while (looks--) {
			carrier = carrier->next;
			if (carrier_is_free(carrier))
				goto found;
		}
		if (ring->count >= RING_MAX)
			return NULL;
	}

	carrier = carrier_create(tn->net);
	if (!carrier)
		return NULL;
	if (ring->cursor) {
		carrier->next = ring->cursor->next;
		ring->cursor->next = carrier;
	} else {
		carrier->next = carrier;
	}
	ring->count++;
	ft_stat_inc(tn, CARRIER_GROWN);
found:
	ring->cursor = carrier;
	carrier->tn = tn;
	carrier->index = FT_INDEX_NONE;
	carrier->invalid = false;
	carrier->pending = false;
	carrier->aim = FT_AIM_NONE;
	write_pnet(&carrier->ct->ct_net, tn->net);
	return carrier;
}

/* Addresses and ports of one direction, as nf_conntrack would have them. */
static void fill_tuple(struct nf_conntrack_tuple *tuple,
		       const struct ft_key *key, bool from_hi, bool reply)
{
	unsigned int from = from_hi;
	u8 type;

	if (key->family == NFPROTO_IPV4) {
		tuple->src.u3.in6 = (struct in6_addr){};
		tuple->dst.u3.in6 = (struct in6_addr){};
		tuple->src.u3.ip = key->addr4[from];
		tuple->dst.u3.ip = key->addr4[!from];
	} else {
		tuple->src.u3.in6 = key->addr6[from];
		tuple->dst.u3.in6 = key->addr6[!from];
	}
	tuple->src.l3num = key->family;
	tuple->dst.protonum = key->l4proto;
	tuple->dst.dir = reply ? IP_CT_DIR_REPLY : IP_CT_DIR_ORIGINAL;

	switch (key->l4proto) {
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		type = ntohs(key->port[1]) >> 8;
		if (reply)
			type = ft_icmp_reply_type(key->family, type);
		tuple->src.u.icmp.id = key->port[0];
		tuple->dst.u.icmp.type = type;
		tuple->dst.u.icmp.code = ntohs(key->port[1]) & 0xff;
		break;
	case IPPROTO_GRE:
		tuple->src.u.all = 0;
		tuple->dst.u.all = 0;
		break;
	default:
		tuple->src.u.all = key->port[from];
		tuple->dst.u.all = key->port[!from];
		break;
	}
}

/* What a flow has counted; nothing, once accounting is off again. */
static void fill_counters(struct ft_carrier *carrier, const struct ft_view *view)
{
	struct nf_conn_acct *acct = nf_conn_acct_find(carrier->ct);
	int dir;

	carrier->counted = view->acct;
	for (dir = 0; acct && dir < IP_CT_DIR_MAX; dir++) {
		atomic64_set(&acct->counter[dir].packets,
			     view->acct ? view->packets[dir] : 0);
		atomic64_set(&acct->counter[dir].bytes,
			     view->acct ? view->bytes[dir] : 0);
	}
}

/**
 * ft_carrier_aim() - make a carrier say between whom a flow is
 * @carrier: from ft_carrier_get()
 * @key: the flow's identity
 * @orig_hi: the upper endpoint is the initiator
 *
 * Needs no flow, so that it can be done while one is still being looked for.
 *
 * Context: BH disabled.
 */
void ft_carrier_aim(struct ft_carrier *carrier, const struct ft_key *key,
		    bool orig_hi)
{
	struct nf_conn *ct = carrier->ct;

	fill_tuple(&ct->tuplehash[IP_CT_DIR_ORIGINAL].tuple, key, orig_hi, false);
	fill_tuple(&ct->tuplehash[IP_CT_DIR_REPLY].tuple, key, !orig_hi, true);
#ifdef CONFIG_NF_CONNTRACK_ZONES
	nf_ct_zone_init(&ct->zone, key->zone, NF_CT_DEFAULT_ZONE_DIR, 0);
#endif
	carrier->aim = orig_hi ? FT_AIM_HI : FT_AIM_LO;
}

/**
 * ft_carrier_fill() - make a carrier say what a flow is
 * @carrier: from ft_carrier_get(), and maybe through ft_carrier_aim() with the
 *	key of @view
 * @view: the flow
 *
 * Context: BH disabled.
 */
void ft_carrier_fill(struct ft_carrier *carrier, const struct ft_view *view)
{
	bool orig_hi = view->word & FT_FLOW_ORIG_HI;
	unsigned long status = CARRIER_STATUS;
	struct nf_conn *ct = carrier->ct;

	if (carrier->aim != (orig_hi ? FT_AIM_HI : FT_AIM_LO))
		ft_carrier_aim(carrier, view->key, orig_hi);
	if (view->word & FT_FLOW_SEEN_REPLY)
		status |= IPS_SEEN_REPLY;
	if (view->word & FT_FLOW_ASSURED)
		status |= IPS_ASSURED;
	WRITE_ONCE(ct->status, status);
	WRITE_ONCE(ct->timeout, nfct_time_stamp + view->left);
#ifdef CONFIG_NF_CONNTRACK_MARK
	WRITE_ONCE(ct->mark, view->mark);
#endif
	carrier->mark = view->mark;
	/* Only nfnetlink reads it, and "reject" sets it, see hooks.c. */
	if (view->key->l4proto == IPPROTO_TCP)
		ct->proto.tcp.state = ft_word_state(view->word);

	if (view->acct || carrier->counted)
		fill_counters(carrier, view);
}

/**
 * ft_publish_exit() - give all carriers back
 *
 * Context: may sleep; no hook is registered any more and none is running.
 */
void ft_publish_exit(void)
{
	struct ft_carrier *carrier, *next;
	struct ring *ring;
	int cpu;

	for_each_possible_cpu(cpu) {
		ring = per_cpu_ptr(&rings, cpu);
		carrier = ring->cursor;
		while (ring->count) {
			next = carrier->next;
			carrier_release(carrier);
			carrier = next;
			ring->count--;
		}
		ring->cursor = NULL;
	}
}
