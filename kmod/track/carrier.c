// SPDX-License-Identifier: GPL-2.0
#include <linux/atomic.h>
#include <linux/export.h>
#include <linux/nf_flowtrack.h>
#include <linux/random.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <net/netfilter/nf_conntrack_acct.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/netfilter/nf_conntrack_extend.h>
#include <net/netfilter/nf_conntrack_zones.h>

#include "base/fault_inject.h"
#include "base/notify.h"
#include "base/settings.h"
#include "base/tenant.h"
#include "flow/flow.h"
#include "flow/table.h"
#include "flow/tuple.h"
#include "net.h"
#include "track/admit.h"
#include "track/carrier.h"

unsigned long ft_carrier_magic __ro_after_init;
EXPORT_SYMBOL_NS_GPL(ft_carrier_magic, FT_SYMBOL_NS);

static struct ft_carrier *carrier_make(struct ft_net *tn, gfp_t gfp)
{
	struct ft_carrier *carrier;
	struct nf_conn *ct;

	if (ft_should_fail(FT_FAULT_CARRIER))
		return NULL;
	/*
	 * Not nf_ct_tmpl_alloc(): freeing @ct must free all of the carrier. Every
	 * allocation of this size is aligned for the bits of ctinfo.
	 */
	carrier = kzalloc(sizeof(*carrier), gfp);
	if (!carrier)
		return NULL;
	ct = &carrier->ct;
	refcount_set(&ct->ct_general.use, 1);
	/* nf_ct_set_closing(), called by "reject", takes it. */
	spin_lock_init(&ct->lock);
	write_pnet(&ct->ct_net, tn->net);
	nf_ct_zone_add(ct, &nf_ct_zone_dflt);

	/* Extensions can't be added once CONFIRMED is set. */
	if (!nf_ct_ext_add(ct, NF_CT_EXT_ACCT, gfp)) {
		kfree(carrier);
		return NULL;
	}
	ft_compat_ct_ext_keep(ct->ext);
	ct->tuplehash[IP_CT_DIR_ORIGINAL].hnnode.pprev =
		(struct hlist_nulls_node **)ft_carrier_magic;
	ct->status = FT_CARRIER_STATUS;
	carrier->home = tn->home;
	carrier->index = FT_INDEX_NONE;
	return carrier;
}

/**
 * ft_carrier_create() - make a carrier
 * @tn: namespace, whose tenant is charged
 *
 * Context: any.
 * Return: the carrier, or NULL: no memory.
 */
struct ft_carrier *ft_carrier_create(struct ft_net *tn)
{
	const gfp_t gfp = GFP_ATOMIC | __GFP_NOWARN;
	struct ft_carrier *carrier;
	struct mem_cgroup *outer;

	outer = ft_tenant_charge(tn->memcg);
	carrier = carrier_make(tn, ft_tenant_gfp(tn->memcg, gfp));
	ft_tenant_uncharge(tn->memcg, outer);
	return carrier;
}

/**
 * ft_carrier_release() - let go of a carrier: the last packet frees it
 * @carrier: no hook of ours will see it again, or it is free
 *
 * CONFIRMED stays: nf_confirm(), which may see it when our hooks are gone, must
 * not enter it into a table.
 *
 * Context: any.
 */
void ft_carrier_release(struct ft_carrier *carrier)
{
	set_bit(IPS_TEMPLATE_BIT, &carrier->ct.status);
	/* The CPU that puts the last reference sees the bit: nf_ct_put() has release semantics. */
	nf_ct_put(&carrier->ct);
}

static void carrier_gone(struct rcu_head *rcu)
{
	ft_carrier_release(container_of(rcu, struct ft_carrier, rcu));
}

/**
 * ft_carrier_leave() - let go of a carrier that a packet has
 * @carrier: in no list any more
 *
 * Between ft_track() and nf_conntrack's hook right behind it must not become a
 * template: nf_conntrack_in() would track the packet itself. A packet that has
 * passed ft_track() is through after a grace period; a packet that comes there
 * later finds it leaving, and gets another one.
 *
 * Context: any.
 */
void ft_carrier_leave(struct ft_carrier *carrier)
{
	WRITE_ONCE(carrier->leaving, true);
	call_rcu(&carrier->rcu, carrier_gone);
}

/* The two ends of a tuple that has @family and protocol already. */
static __always_inline void set_ends(struct nf_conntrack_tuple *tuple, u8 family,
				     const __be32 *addr4, const struct in6_addr *addr6,
				     const __be16 *port, unsigned int from)
{
	if (family == NFPROTO_IPV4) {
		tuple->src.u3.ip = addr4[from];
		tuple->dst.u3.ip = addr4[!from];
	} else {
		tuple->src.u3.in6 = addr6[from];
		tuple->dst.u3.in6 = addr6[!from];
	}
	tuple->src.u.all = port[from];
	tuple->dst.u.all = port[!from];
}

static __always_inline void tuple_ends(struct nf_conntrack_tuple *tuple, const struct ft_key *key,
				       unsigned int from)
{
	set_ends(tuple, key->family, key->addr4, key->addr6, key->port, from);
}

/* As tuple_ends(), both tuples of a flow. */
static __always_inline void tuples_ends(struct nf_conntrack_tuple *orig,
					struct nf_conntrack_tuple *reply,
					const struct ft_key *key, unsigned int from)
{
	if (key->family == NFPROTO_IPV4) {
		orig->src.u3.ip = key->addr4[from];
		reply->dst.u3.ip = key->addr4[from];
		orig->dst.u3.ip = key->addr4[!from];
		reply->src.u3.ip = key->addr4[!from];
	} else {
		orig->src.u3.in6 = key->addr6[from];
		reply->dst.u3.in6 = key->addr6[from];
		orig->dst.u3.in6 = key->addr6[!from];
		reply->src.u3.in6 = key->addr6[!from];
	}
	orig->src.u.all = key->port[from];
	reply->dst.u.all = key->port[from];
	orig->dst.u.all = key->port[!from];
	reply->src.u.all = key->port[!from];
}

/**
 * ft_carrier_tuple() - one direction of a flow, as nf_conntrack would have it
 * @tuple: filled
 * @key: the flow's identity
 * @from_hi: the upper endpoint sends
 * @reply: it is not the initiator
 *
 * Context: any.
 */
void ft_carrier_tuple(struct nf_conntrack_tuple *tuple, const struct ft_key *key,
		      bool from_hi, bool reply)
{
	u8 type;

	tuple->src.u3.in6 = (struct in6_addr){};
	tuple->dst.u3.in6 = (struct in6_addr){};
	tuple->src.l3num = key->family;
	tuple->dst.protonum = key->l4proto;
	tuple->dst.dir = reply ? IP_CT_DIR_REPLY : IP_CT_DIR_ORIGINAL;
	tuple_ends(tuple, key, from_hi);

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
	}
}
EXPORT_SYMBOL_NS_GPL(ft_carrier_tuple, FT_SYMBOL_NS);

/* The counters of a flow; zero, once accounting is off again. */
static void fill_counters(struct ft_carrier *carrier, const struct ft_view *view)
{
	struct nf_conn_acct *acct = nf_conn_acct_find(&carrier->ct);
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
 * ft_carrier_aim() - make a carrier say which endpoints a flow has
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
	struct nf_conntrack_tuple *orig, *reply;
	struct nf_conn *ct = &carrier->ct;

	orig = &ct->tuplehash[IP_CT_DIR_ORIGINAL].tuple;
	reply = &ct->tuplehash[IP_CT_DIR_REPLY].tuple;
	/* After a packet of the same protocols only the ends are others. */
	if (likely(orig->src.l3num == key->family && orig->dst.protonum == key->l4proto &&
		   ft_l4_has_ports(key->l4proto))) {
		tuples_ends(orig, reply, key, orig_hi);
	} else {
		ft_carrier_tuple(orig, key, orig_hi, false);
		ft_carrier_tuple(reply, key, !orig_hi, true);
	}
#ifdef CONFIG_NF_CONNTRACK_ZONES
	nf_ct_zone_init(&ct->zone, key->zone, NF_CT_DEFAULT_ZONE_DIR, 0);
#endif
	carrier->aim = orig_hi ? FT_AIM_HI : FT_AIM_LO;
}

static unsigned long nat_status(u32 word)
{
	return (word & FT_FLOW_SNAT ? IPS_SRC_NAT : 0) | (word & FT_FLOW_DNAT ? IPS_DST_NAT : 0);
}

/**
 * ft_carrier_aim_nat() - make a carrier say which endpoints a translated flow has
 * @carrier: from ft_carrier_get(), and through ft_carrier_aim() with @key
 * @key: of the packet, one of the flow's two; of a protocol with ports
 * @flow: the flow, no copy
 * @word: its bits
 * @dir: of the packet: FT_DIR_ORIG: @key is the first key, FT_DIR_REPLY: the second
 *
 * Context: BH disabled; as ft_flow_matches().
 * Return: what nf_nat is to do, IPS_*.
 */
unsigned long ft_carrier_aim_nat(struct ft_carrier *carrier, const struct ft_key *key,
				 const struct ft_flow *flow, u32 word, enum ft_dir dir)
{
	struct nf_conntrack_tuple *reply = &carrier->ct.tuplehash[IP_CT_DIR_REPLY].tuple;
	struct nf_conntrack_tuple *orig = &carrier->ct.tuplehash[IP_CT_DIR_ORIGINAL].tuple;
	const struct ft_nat *nat = ft_flow_nat(flow, key->family);
	bool reply_hi = word & FT_FLOW_REPLY_HI;
	bool orig_hi = word & FT_FLOW_ORIG_HI;

	if (dir == FT_DIR_ORIG) {
		if (unlikely(carrier->aim != (orig_hi ? FT_AIM_HI : FT_AIM_LO)))
			tuple_ends(orig, key, orig_hi);
		set_ends(reply, key->family, nat->addr4, nat->addr6, nat->port, reply_hi);
	} else {
		set_ends(orig, key->family, flow->key.addr4,
			 ft_flow_addr6((struct ft_flow *)flow), flow->key.port, orig_hi);
		tuple_ends(reply, key, reply_hi);
	}
	carrier->aim = FT_AIM_NONE;
	carrier->masq = READ_ONCE(nat->masq);
	return nat_status(word);
}

/* Both directions of a translated flow. Return: what nf_nat is to do, IPS_*. */
static noinline_for_stack unsigned long aim_translated(struct ft_carrier *carrier,
						       const struct ft_view *view)
{
	bool orig_hi = view->word & FT_FLOW_ORIG_HI;
	struct nf_conn *ct = &carrier->ct;

	if (carrier->aim != (orig_hi ? FT_AIM_HI : FT_AIM_LO)) {
		ft_carrier_tuple(&ct->tuplehash[IP_CT_DIR_ORIGINAL].tuple, view->key, orig_hi,
				 false);
#ifdef CONFIG_NF_CONNTRACK_ZONES
		nf_ct_zone_init(&ct->zone, view->key->zone, NF_CT_DEFAULT_ZONE_DIR, 0);
#endif
	}
	ft_carrier_tuple(&ct->tuplehash[IP_CT_DIR_REPLY].tuple, view->answer,
			 view->word & FT_FLOW_REPLY_HI, true);
	carrier->aim = FT_AIM_NONE;
	carrier->masq = view->masq;
	return nat_status(view->word);
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
	unsigned long nat = 0;

	carrier->masq = 0;
	if (unlikely(view->word & FT_FLOW_NAT))
		nat = aim_translated(carrier, view);
	else if (carrier->aim != (orig_hi ? FT_AIM_HI : FT_AIM_LO))
		ft_carrier_aim(carrier, view->key, orig_hi);
	ft_carrier_say(carrier, view->key->l4proto, view->word, view->left, view->mark, nat);
	if (view->acct || carrier->counted)
		fill_counters(carrier, view);
}

/**
 * ft_carrier_copy() - make a carrier say what another one says
 * @to: from ft_carrier_get()
 * @from: one that a packet has
 *
 * Context: BH disabled.
 */
void ft_carrier_copy(struct ft_carrier *to, const struct ft_carrier *from)
{
	struct nf_conn_acct *counters = nf_conn_acct_find(&to->ct);
	const struct nf_conn_acct *source = nf_conn_acct_find(&from->ct);
	struct nf_conn *ct = &to->ct;
	unsigned int dir;

	for (dir = 0; dir < IP_CT_DIR_MAX; dir++) {
		ct->tuplehash[dir].tuple = from->ct.tuplehash[dir].tuple;
		if (!counters || !source)
			continue;
		atomic64_set(&counters->counter[dir].packets,
			     atomic64_read(&source->counter[dir].packets));
		atomic64_set(&counters->counter[dir].bytes,
			     atomic64_read(&source->counter[dir].bytes));
	}
#ifdef CONFIG_NF_CONNTRACK_ZONES
	ct->zone = from->ct.zone;
#endif
	WRITE_ONCE(ct->status, READ_ONCE(from->ct.status) & ~IPS_TEMPLATE);
	WRITE_ONCE(ct->timeout, READ_ONCE(from->ct.timeout));
#ifdef CONFIG_NF_CONNTRACK_MARK
	WRITE_ONCE(ct->mark, READ_ONCE(from->ct.mark));
#endif
#ifdef CONFIG_NF_CONNTRACK_SECMARK
	WRITE_ONCE(ct->secmark, READ_ONCE(from->ct.secmark));
#endif
	ct->proto = from->ct.proto;
	to->index = from->index;
	to->gen = from->gen;
	to->mark = from->mark;
	to->masq = from->masq;
	to->state = from->state;
	to->l4proto = from->l4proto;
	to->pending = from->pending;
	to->counted = true;
	to->changed = from->changed;
	to->named = from->named;
	to->aim = from->aim;
	to->birth = from->birth;
}

/* As nf_conntrack does, when the packet has passed the rules. */
static noinline_for_stack void notify_changed(struct ft_net *tn, struct ft_flow *flow,
					      const struct ft_carrier *carrier,
					      unsigned int what)
{
	struct ft_flow6 copy;

	if (ft_notify_wanted(tn) && ft_flow_snapshot(flow, carrier->gen, &copy) &&
	    ft_notify_changed(tn, &copy, carrier->index, what))
		ft_flow_untold(flow, carrier->gen, what & FT_CHANGED_NEW ?
			       FT_FLOW_UNTOLD : FT_FLOW_UNTOLD_CHANGE);
}

/**
 * ft_carrier_settle() - store what the ruleset did to the conntrack of a packet, and tell of it
 * @tn: namespace of the carrier
 * @carrier: one that ft_carrier_written() is true of
 *
 * Context: BH disabled, RCU read side; no lock of a flow or a bucket held.
 */
void ft_carrier_settle(struct ft_net *tn, struct ft_carrier *carrier)
{
	u32 mark = READ_ONCE(carrier->ct.mark);
	struct ft_flow *flow;
	u32 timeout, was, word;
	unsigned int what = 0;
	bool closed;

	/* Storing once is enough, also where clones share the carrier. */
	closed = carrier->l4proto == IPPROTO_TCP &&
		 READ_ONCE(carrier->ct.proto.tcp.state) ==
		 FLOWTRACK_TCP_STATE_CLOSE &&
		 carrier->state != FLOWTRACK_TCP_STATE_CLOSE;
	if (carrier->l4proto == IPPROTO_TCP)
		WRITE_ONCE(carrier->state,
			   READ_ONCE(carrier->ct.proto.tcp.state));
	flow = ft_table_at(tn->table, carrier->index);
	if (!flow)
		return;
	ft_flow_lock(flow);
	word = atomic_read(&flow->word) & ~FT_FLOW_LOCK;
	if (flow->gen != carrier->gen || word & FT_FLOW_DEAD) {
		ft_flow_unlock(flow, word);
		WRITE_ONCE(carrier->mark, mark);
		WRITE_ONCE(carrier->changed, false);
		return;
	}
	was = word;
	/* Clones share it: under the lock one of them tells. */
	if (carrier->changed) {
		what = FT_CHANGED_STATE;
		if (word & FT_FLOW_UNTOLD_NEW)
			what |= FT_CHANGED_NEW;
		word &= ~FT_FLOW_UNTOLD;
	}
	WRITE_ONCE(carrier->changed, false);
	if (mark != carrier->mark && mark != flow->mark) {
		WRITE_ONCE(flow->mark, mark);
		what |= FT_CHANGED_MARK;
	}
	/* "reject with tcp reset" closes the connection it rejects. */
	closed = closed && ft_word_state(word) != FLOWTRACK_TCP_STATE_CLOSE;
	if (closed)
		word = ft_word_set(word, FLOWTRACK_TCP_STATE_CLOSE,
				   FLOWTRACK_CLASS_CLOSING);
	/* As nf_conntrack_tcp_set_closing(), which tells nothing of one that it leaves alone. */
	if (closed && !(word & FT_FLOW_FIXED)) {
		what |= FT_CHANGED_STATE;
		timeout = ft_timeout(&tn->set, TCP_TIMEOUT_CLOSE);
		if ((s32)(ft_now() + timeout - flow->deadline) < 0)
			WRITE_ONCE(flow->deadline, ft_now() + timeout);
	}
	ft_flow_unlock(flow, word);
	WRITE_ONCE(carrier->mark, mark);
	if (what)
		notify_changed(tn, flow, carrier, what);
	if (closed) {
		struct ft_key key;

		ft_flow_key(flow, &key);
		ft_flow_class_changed(tn, flow, carrier->index,
				      ft_key_hash(&key, ft_table_secret(tn->table)),
				      was, word);
	}
}

/**
 * ft_carrier_init() - prepare for carriers
 */
void __init ft_carrier_init(void)
{
	ft_carrier_magic = get_random_long() | 1;
}

/**
 * ft_carrier_exit() - wait until no carrier leads into the module any more
 *
 * Context: may sleep; no namespace is left.
 */
void ft_carrier_exit(void)
{
	/* carrier_gone() */
	rcu_barrier();
}
