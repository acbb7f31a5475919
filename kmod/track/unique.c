// SPDX-License-Identifier: GPL-2.0
#include <linux/bottom_half.h>
#include <linux/cache.h>
#include <linux/err.h>
#include <linux/export.h>
#include <linux/init.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/netfilter.h>
#include <linux/printk.h>
#include <linux/random.h>
#include <linux/ratelimit.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/netfilter/nf_conntrack_zones.h>

#include "base/stats.h"
#include "base/tenant.h"
#include "flow/flow.h"
#include "flow/sieve.h"
#include "flow/table.h"
#include "flow/tuple.h"
#include "guard/room.h"
#include "net.h"
#include "track/carrier.h"
#include "track/consumers.h"
#include "track/evict.h"
#include "track/nat_setup.h"
#include "track/unique.h"

#define LOCKS		256
/* Tuples of flows of ours that nf_nat may choose, one after the other. */
#define TRIES		64
/* The same, while each costs an entry of nf_conntrack's, whose table is full. */
#define TRIES_FULL	8
/* Choices of nf_nat that are taken in the table that it can see, likewise. */
#define TRIES_IN_VAIN	4

/*
 * Each protects the entering, into either table, of flows whose tuple selects
 * it. Taken with BH off, before any lock of a table.
 */
static spinlock_t locks[LOCKS];

/* Odd, and secret: nobody shall find tuples that all select one lock. */
static u64 lock_factor __ro_after_init;

/**
 * ft_unique_init() - prepare the locks
 */
void __init ft_unique_init(void)
{
	unsigned int i;

	lock_factor = get_random_u64() | 1;
	for (i = 0; i < LOCKS; i++)
		spin_lock_init(&locks[i]);
}

/**
 * struct ends - what of a tuple selects its lock, the same from either end
 * @addr: the addresses; of IPv6, ft_fold6() of them
 * @port: the ports; 0 where there are none: an id is not at one of the ends
 */
struct ends {
	__be32 addr[2];
	__be16 port[2];
};

static void ends_of_key(struct ends *ends, const struct ft_key *key)
{
	bool ports = ft_l4_has_ports(key->l4proto);
	unsigned int i;

	for (i = 0; i < 2; i++) {
		ends->addr[i] = key->addr4[i];
		ends->port[i] = ports ? key->port[i] : 0;
	}
}

static __be32 fold(const union nf_inet_addr *addr, u8 family)
{
	return family == NFPROTO_IPV4 ? addr->ip : ft_fold6(&addr->in6);
}

static void ends_of_tuple(struct ends *ends, const struct nf_conntrack_tuple *tuple)
{
	bool ports = ft_l4_has_ports(tuple->dst.protonum);

	ends->addr[0] = fold(&tuple->src.u3, tuple->src.l3num);
	ends->addr[1] = fold(&tuple->dst.u3, tuple->src.l3num);
	ends->port[0] = ports ? tuple->src.u.all : 0;
	ends->port[1] = ports ? tuple->dst.u.all : 0;
}

static u64 end_number(const struct ends *ends, unsigned int i)
{
	return (u64)(__force u32)ends->addr[i] << 16 | (__force u16)ends->port[i];
}

/* Each end before the two are added: peers choose both, and could keep their sum. */
static u64 mix_end(const struct ends *ends, unsigned int i)
{
	u64 mixed = end_number(ends, i) * lock_factor;

	return mixed ^ mixed >> 32;
}

/* No hash of the tuple: what most new flows need of it is this lock alone. */
static unsigned int lock_number(const struct ends *ends)
{
	return (mix_end(ends, 0) + mix_end(ends, 1)) * lock_factor >> (64 - ilog2(LOCKS));
}

/**
 * ft_unique_lock() - the lock of a tuple
 * @key: of the flow as it leaves this machine
 *
 * Context: BH disabled.
 * Return: the lock, held.
 */
spinlock_t *ft_unique_lock(const struct ft_key *key)
{
	struct ends ends;
	spinlock_t *lock; /* of the tuple */

	ends_of_key(&ends, key);
	lock = &locks[lock_number(&ends)];

	spin_lock(lock);
	/* Held on return, and sparse does not follow a lock through a pointer. */
	__release(lock);
	return lock;
}

/**
 * ft_unique_unlock() - release the lock of a tuple
 * @lock: what ft_unique_lock() returned
 *
 * Context: BH disabled.
 */
void ft_unique_unlock(spinlock_t *lock)
{
	__acquire(lock);
	spin_unlock(lock);
}

/**
 * ft_unique_in_conntrack() - has nf_conntrack an entry with a tuple?
 * @net: namespace
 * @zone: zone of both directions
 * @tuple: of either direction
 *
 * Context: RCU read side.
 * Return: true if so.
 */
bool ft_unique_in_conntrack(struct net *net,
			    const struct nf_conntrack_zone *zone,
			    const struct nf_conntrack_tuple *tuple)
{
	struct nf_conntrack_tuple_hash *h;

	h = nf_conntrack_find_get(net, zone, tuple);
	if (!h)
		return false;
	nf_ct_put(nf_ct_tuplehash_to_ctrack(h));
	return true;
}

/**
 * ft_unique_adoptable() - has nf_conntrack no entry that answers to a flow?
 * @ct: the flow, unconfirmed, and counted as an entry of its namespace
 *
 * nf_nat has looked already; a translated flow may have been entered since. If @ct is
 * the namespace's only entry there is none: an entry is counted when it is made, and
 * one that is made from now on is entered under the lock of the flow, or seen by NAT.
 * But for those of ft_hand_over(): a flow of ours leaves our table behind its entry's
 * making. So a caller has looked there first.
 *
 * Context: RCU read side, lock of the flow held.
 * Return: true if the flow may become ours.
 */
bool ft_unique_adoptable(const struct nf_conn *ct)
{
	const struct nf_conntrack_zone *zone = nf_ct_zone(ct);
	struct net *net = nf_ct_net(ct);

	/* Pairs with the lock of the bucket that a flow leaves when its entry is counted. */
	smp_rmb();
	if (nf_conntrack_count(net) <= 1)
		return true;
	return !ft_unique_in_conntrack(net, zone,
				       nf_ct_tuple(ct, IP_CT_DIR_REPLY)) &&
	       !ft_unique_in_conntrack(net, zone,
				       nf_ct_tuple(ct, IP_CT_DIR_ORIGINAL));
}

/**
 * ft_unique_addable() - has nf_conntrack no entry with the tuples of a flow?
 * @tn: namespace
 * @key: of a flow that no packet opened
 * @orig_hi: the upper endpoint of @key is the initiator
 * @answer: the key of its answers: @key, unless it is translated
 * @reply_hi: the upper endpoint of @answer answers
 *
 * Context: RCU read side, locks of the flow held.
 * Return: true if the flow may become ours.
 */
bool ft_unique_addable(const struct ft_net *tn, const struct ft_key *key, bool orig_hi,
		       const struct ft_key *answer, bool reply_hi)
{
	struct nf_conntrack_tuple tuple;
	struct nf_conntrack_zone zone;

	nf_ct_zone_init(&zone, key->zone, NF_CT_DEFAULT_ZONE_DIR, 0);
	ft_carrier_tuple(&tuple, key, orig_hi, false);
	if (ft_unique_in_conntrack(tn->net, &zone, &tuple))
		return false;
	ft_carrier_tuple(&tuple, answer, reply_hi, true);
	return !ft_unique_in_conntrack(tn->net, &zone, &tuple);
}

/* Take the locks of both tuples of a translated flow; of a lower address first. */
static void lock_pair(struct ft_unique_pair *pair, const struct ends *orig,
		      const struct ends *reply)
{
	unsigned int a = lock_number(orig), b = lock_number(reply);

	pair->first = &locks[min(a, b)];
	pair->second = &locks[max(a, b)];
	spin_lock(pair->first);
	/* Held on return, see ft_unique_lock(). */
	__release(pair->first);
	if (pair->second == pair->first)
		return;
	spin_lock_nested(pair->second, SINGLE_DEPTH_NESTING);
	__release(pair->second);
}

/**
 * ft_unique_release() - release the locks of a translated flow
 * @pair: from ft_unique_try() or ft_unique_translated()
 *
 * Context: BH disabled.
 */
void ft_unique_release(const struct ft_unique_pair *pair)
{
	if (pair->second != pair->first)
		ft_unique_unlock(pair->second);
	ft_unique_unlock(pair->first);
}

/* Return: ft_key_hash() of it. */
static u64 answer_key(const struct ft_net *tn, const struct nf_conn *ct, struct ft_key *key)
{
	ft_key_from_tuple(key, nf_ct_tuple(ct, IP_CT_DIR_REPLY), nf_ct_zone(ct)->id);
	return ft_key_hash(key, ft_table_secret(tn->table));
}

/* Take the locks of both. Return: no flow of ours can be between the ends of @reply. */
static bool lock_sieved(const struct ft_net *tn, struct ft_unique_pair *pair,
			const struct ends *orig, const struct ends *reply)
{
	lock_pair(pair, orig, reply);
	/* A flow of ours that was entered under the lock is in the sieve. */
	return likely(!ft_sieve_has(tn->sieve,
				    ft_sieve_pair(reply->addr[0], reply->addr[1])));
}

/**
 * ft_unique_try() - take the locks of a translated flow
 * @tn: namespace
 * @key: its first key
 * @answer: its second key
 * @reply: ft_key_hash() of that
 * @pair: filled if they are held
 *
 * Context: RCU read side, BH disabled.
 * Return: false if a flow of ours has the same answers: no lock is held then.
 */
bool ft_unique_try(const struct ft_net *tn, const struct ft_key *key,
		   const struct ft_key *answer, u64 reply, struct ft_unique_pair *pair)
{
	struct ends ends[2];
	u32 index;

	ends_of_key(&ends[0], key);
	ends_of_key(&ends[1], answer);
	if (lock_sieved(tn, pair, &ends[0], &ends[1]) ||
	    !ft_table_lookup(tn->table, answer, reply, &index))
		return true;
	ft_unique_release(pair);
	return false;
}

/* As ft_unique_try(): what nf_conntrack is to keep mostly needs no key. */
static bool try_entry(const struct ft_net *tn, const struct nf_conn *ct,
		      struct ft_unique_pair *pair)
{
	struct ends ends[2];
	struct ft_key key;
	u64 hash;
	u32 index;

	ends_of_tuple(&ends[0], nf_ct_tuple(ct, IP_CT_DIR_ORIGINAL));
	ends_of_tuple(&ends[1], nf_ct_tuple(ct, IP_CT_DIR_REPLY));
	if (lock_sieved(tn, pair, &ends[0], &ends[1]))
		return true;
	hash = answer_key(tn, ct, &key);
	if (!ft_table_lookup(tn->table, &key, hash, &index))
		return true;
	ft_unique_release(pair);
	return false;
}

/* Has a flow of ours a tuple? */
static bool is_taken(const struct ft_net *tn, const struct nf_conn *ct, enum ip_conntrack_dir dir)
{
	struct ft_key key;
	u32 index;

	ft_key_from_tuple(&key, nf_ct_tuple(ct, dir), nf_ct_zone_id(nf_ct_zone(ct), dir));
	return ft_table_lookup(tn->table, &key, ft_key_hash(&key, ft_table_secret(tn->table)),
			       &index);
}

/**
 * ft_unique_enter() - enter a connection that no packet has opened into nf_conntrack's table
 * @tn: namespace
 * @ct: its entry, translated if it is to be
 *
 * Context: RCU read side, process.
 * Return: 0; -EADDRINUSE: a flow of ours has the tuple of its answers; -EEXIST: one has the
 * other tuple; and those of nf_conntrack_hash_check_insert().
 */
int ft_unique_enter(const struct ft_net *tn, struct nf_conn *ct)
{
	struct ft_unique_pair pair;
	struct ends ends[2];
	int err;

	ends_of_tuple(&ends[0], nf_ct_tuple(ct, IP_CT_DIR_ORIGINAL));
	ends_of_tuple(&ends[1], nf_ct_tuple(ct, IP_CT_DIR_REPLY));
	local_bh_disable();
	lock_pair(&pair, &ends[0], &ends[1]);
	if (is_taken(tn, ct, IP_CT_DIR_ORIGINAL))
		err = -EEXIST;
	else if (is_taken(tn, ct, IP_CT_DIR_REPLY))
		err = -EADDRINUSE;
	else
		err = nf_conntrack_hash_check_insert(ct);
	ft_unique_release(&pair);
	local_bh_enable();
	return err;
}
EXPORT_SYMBOL_NS_GPL(ft_unique_enter, FT_SYMBOL_NS);

/**
 * struct blocked - what NAT has chosen, and is not to choose again
 * @entry: keeps it from that, see block()
 * @index: the flow of ours that has it; FT_INDEX_NONE: it is not translated
 */
struct blocked {
	struct nf_conn *entry;
	u32 index;
};

/* Tuples and status, IPS_*, of the flow of ours in the way of @ct, if that is translated. */
static bool translated_tuples(const struct ft_net *tn, const struct nf_conn *ct,
			      struct nf_conntrack_tuple *orig, struct nf_conntrack_tuple *reply,
			      unsigned long *status, u32 *index)
{
	struct ft_key key, answer;
	struct ft_flow *flow;
	u64 hash;
	u32 word;

	hash = answer_key(tn, ct, &key);
	flow = ft_table_lookup(tn->table, &key, hash, index);
	if (!flow || !(*index & FT_INDEX_NAT) || !ft_flow_lock_key(flow, &key)) {
		*index = FT_INDEX_NONE;
		return false;
	}
	word = atomic_read(&flow->word) & ~FT_FLOW_LOCK;
	ft_flow_key(flow, &key);
	ft_flow_answer_key(flow, &answer);
	ft_flow_unlock(flow, word);
	ft_carrier_tuple(orig, &key, word & FT_FLOW_ORIG_HI, false);
	ft_carrier_tuple(reply, &answer, word & FT_FLOW_REPLY_HI, true);
	*status = (word & FT_FLOW_SNAT ? IPS_SRC_NAT : 0) |
		  (word & FT_FLOW_DNAT ? IPS_DST_NAT : 0);
	return true;
}

/*
 * Let nf_nat see what it must not choose: an entry that answers to the same
 * packets as @ct would, and that ends no connection if NAT is short of ports. A
 * translated flow is shown with its own two tuples. With other tuples nf_nat would
 * misjudge the entry: one that has the original tuple of @ct looks like the same flow;
 * one that is not translated and whose original tuple is the reply tuple of @ct looks
 * like a flow that both sides have opened at the same time.
 */
static int block(struct ft_net *tn, struct nf_conn *ct, u32 mark, struct blocked *blocked)
{
	struct nf_conntrack_tuple orig, reply = *nf_ct_tuple(ct, IP_CT_DIR_REPLY);
	unsigned long status = 0;
	struct nf_conn *new;
	int err;

	if (!translated_tuples(tn, ct, &orig, &reply, &status, &blocked->index) &&
	    !nf_ct_invert_tuple(&orig, &reply))
		return -EINVAL;
	if (!ft_guard_another(tn, ct, mark))
		return -ENOSPC;
	new = nf_conntrack_alloc(nf_ct_net(ct), nf_ct_zone(ct), &orig, &reply,
				 GFP_ATOMIC);
	if (IS_ERR(new))
		return PTR_ERR(new);
	new->status = IPS_CONFIRMED | IPS_FIXED_TIMEOUT | status;
	new->timeout = nfct_time_stamp + HZ;
	err = nf_conntrack_hash_check_insert(new);
	if (err)
		nf_conntrack_free(new);
	else
		blocked->entry = new;
	return err;
}

static void unblock(struct nf_conn *blocker)
{
	nf_ct_kill(blocker);
	nf_ct_put(blocker);
}

/**
 * ft_unique_block() - keep NAT from a choice, of a connection that no packet has opened
 * @tn: namespace
 * @ct: what -EADDRINUSE of ft_unique_enter() was about; it may be freed then
 *
 * Context: RCU read side, process.
 * Return: for ft_unique_unblock(); ERR_PTR(): -EEXIST; -ENOSPC; -ENOMEM; -EINVAL.
 */
struct nf_conn *ft_unique_block(struct ft_net *tn, struct nf_conn *ct)
{
	struct blocked blocked;
	int err;

	local_bh_disable();
	err = block(tn, ct, 0, &blocked);
	local_bh_enable();
	return err ? ERR_PTR(err) : blocked.entry;
}
EXPORT_SYMBOL_NS_GPL(ft_unique_block, FT_SYMBOL_NS);

/**
 * ft_unique_unblock() - let NAT choose as it likes again
 * @entry: from ft_unique_block()
 *
 * Context: process.
 */
void ft_unique_unblock(struct nf_conn *entry)
{
	unblock(entry);
}
EXPORT_SYMBOL_NS_GPL(ft_unique_unblock, FT_SYMBOL_NS);

/* What the reply tuple was before NAT chose a source. */
static void unchosen_reply(const struct nf_conn *ct,
			   struct nf_conntrack_tuple *reply)
{
	const struct nf_conntrack_tuple *chosen =
		nf_ct_tuple(ct, IP_CT_DIR_REPLY);
	struct nf_conntrack_tuple orig = *nf_ct_tuple(ct, IP_CT_DIR_ORIGINAL);

	orig.dst.u3 = chosen->src.u3;
	/* Of ICMP there are type and code, which NAT leaves alone. */
	if (orig.dst.protonum != IPPROTO_ICMP &&
	    orig.dst.protonum != IPPROTO_ICMPV6)
		orig.dst.u.all = chosen->src.u.all;
	nf_ct_invert_tuple(reply, &orig);
}

/*
 * Send a packet through NAT's hook once more, as if it had not been there: its
 * rules, their ranges, and their counters see it twice.
 */
static bool translate_again(struct sk_buff *skb, struct nf_conn *ct,
			    const struct nf_hook_state *state)
{
	const struct nf_nat_hook *nat = rcu_dereference(nf_nat_hook);
	const struct nf_hook_entry *entry;
	unsigned int verdict = NF_ACCEPT;

	entry = ft_consumers_nat_hook(state->net, state->pf, state->hook);
	if (!entry || !nat)
		return false;
	/* Other CPUs that look at the flows of its source read the tuple. */
	if (ct->status & IPS_SRC_NAT_DONE)
		nat->remove_nat_bysrc(ct);
	unchosen_reply(ct, &ct->tuplehash[IP_CT_DIR_REPLY].tuple);
	/* First back to what it was, which is what the tuple says now. */
	if (ct->status & IPS_SRC_NAT)
		verdict = entry->hook(entry->priv, skb, state);
	ct->status &= ~(IPS_SRC_NAT | IPS_SRC_NAT_DONE);
	return verdict == NF_ACCEPT &&
	       entry->hook(entry->priv, skb, state) == NF_ACCEPT;
}

/**
 * ft_unique_propose() - let NAT choose again, and see what a flow's source has already
 * @skb: the packet that opens the flow, behind NAT
 * @ct: its unconfirmed entry, whose source is translated
 * @state: where the packet is: LOCAL_IN or POST_ROUTING
 * @had: the tuple of the answers to another flow of that source
 *
 * NAT finds an entry of that source, which is in no table, and takes what that has if the
 * rule allows it and it is free. @skb and the reply tuple of @ct change with its choice.
 *
 * Context: RCU read side, BH disabled.
 * Return: false: the packet is to be dropped.
 */
bool ft_unique_propose(struct sk_buff *skb, struct nf_conn *ct, const struct nf_hook_state *state,
		       const struct nf_conntrack_tuple *had)
{
	struct nf_conntrack_tuple plain, reply = *nf_ct_tuple(ct, IP_CT_DIR_REPLY);
	u32 max = READ_ONCE(nf_conntrack_max);
	struct nf_conn *entry;
	bool sent = true;

	reply.dst.u3 = had->dst.u3;
	if (reply.dst.protonum == IPPROTO_ICMP || reply.dst.protonum == IPPROTO_ICMPV6)
		reply.src.u = had->src.u;
	else
		reply.dst.u = had->dst.u;
	if (nf_ct_tuple_equal(&reply, nf_ct_tuple(ct, IP_CT_DIR_REPLY)))
		return true;
	/* Nothing is evicted for that. */
	if (max && nf_conntrack_count(state->net) >= max)
		return true;
	unchosen_reply(ct, &plain);
	entry = nf_conntrack_alloc(state->net, nf_ct_zone(ct), nf_ct_tuple(ct, IP_CT_DIR_ORIGINAL),
				   &plain, GFP_ATOMIC);
	if (IS_ERR(entry))
		return true;
	if (ft_nat_setup_source(entry, &reply))
		sent = translate_again(skb, ct, state);
	nf_conntrack_free(entry);
	return sent;
}

/* The packet leaves as if NAT had chosen that. */
static bool translate_as(struct sk_buff *skb, struct nf_conn *ct,
			 const struct nf_hook_state *state,
			 const struct nf_conntrack_tuple *reply)
{
	const struct nf_hook_entry *entry;

	entry = ft_consumers_nat_hook(state->net, state->pf, state->hook);
	if (!entry)
		return false;
	/*
	 * It stays in the list of its source. Another CPU that reads half of each tuple
	 * looks whether what it has read is in its range, and free.
	 */
	ct->tuplehash[IP_CT_DIR_REPLY].tuple = *reply;
	ct->status |= IPS_SRC_NAT;
	return entry->hook(entry->priv, skb, state) == NF_ACCEPT;
}

static void log_ports_full(struct ft_net *tn, const struct nf_conn *ct, const char *done)
{
	const struct nf_conntrack_tuple *reply = nf_ct_tuple(ct, IP_CT_DIR_REPLY);

	if (!ft_l4_has_ports(nf_ct_protonum(ct)) || !ft_tenant_may_log(tn->net) ||
	    !__ratelimit(&tn->ports_log))
		return;
	if (nf_ct_l3num(ct) == NFPROTO_IPV4)
		pr_warn("nf_flowtrack: netns %u: NAT has no port of %pI4 left towards %pI4, protocol %u, port %u: %s\n",
			tn->net->ns.inum, &reply->dst.u3.ip, &reply->src.u3.ip, nf_ct_protonum(ct),
			ntohs(reply->src.u.all), done);
	else
		pr_warn("nf_flowtrack: netns %u: NAT has no port of %pI6c left towards %pI6c, protocol %u, port %u: %s\n",
			tn->net->ns.inum, &reply->dst.u3.in6, &reply->src.u3.in6,
			nf_ct_protonum(ct), ntohs(reply->src.u.all), done);
}

/*
 * All tuples that NAT may choose are taken. The least valuable of the flows that have
 * them is evicted, and @ct gets its tuple. Return: false if none of them may be evicted.
 */
static noinline_for_stack bool evict_one(struct ft_net *tn, struct sk_buff *skb,
					 struct nf_conn *ct, const struct nf_hook_state *state,
					 struct blocked *blocked, unsigned int n)
{
	u32 indices[FT_EVICT_AMONG], of[FT_EVICT_AMONG];
	unsigned int i, flows = 0;
	int victim;

	if (!(ct->status & IPS_SRC_NAT_DONE))
		return false;
	for (i = 0; i < n && flows < FT_EVICT_AMONG; i++) {
		if (blocked[i].index == FT_INDEX_NONE)
			continue;
		of[flows] = i;
		indices[flows++] = blocked[i].index;
	}
	victim = flows ? ft_evict_among(tn, indices, flows) : -1;
	if (victim < 0)
		return false;
	ft_stat_inc(tn, NAT_EVICT);
	return translate_as(skb, ct, state,
			    nf_ct_tuple(blocked[of[victim]].entry, IP_CT_DIR_REPLY));
}

/*
 * A flow of ours answers to the same packets: NAT shall choose another tuple. If
 * it can't, one of ours gives way. If none may, the packet is dropped, as when
 * nf_conntrack itself meets two flows with the same answers: of protocols without
 * ports, say.
 */
static noinline_for_stack bool
choose_again(struct ft_net *tn, struct sk_buff *skb, struct nf_conn *ct,
	     const struct nf_hook_state *state, struct ft_unique_pair *pair)
{
	unsigned int i, n = 0, in_vain = 0;
	struct blocked blocked[TRIES];
	struct nf_conntrack_tuple was;
	bool locked = false;
	int err = 0;

	/* The choice for an expected flow was its helper's, which has told the peer. */
	if (ct->master)
		return false;
	for (i = 0; i < TRIES && !locked; i++) {
		if (n >= TRIES_FULL && !ft_guard_roomy(tn))
			break;
		was = *nf_ct_tuple(ct, IP_CT_DIR_REPLY);
		err = block(tn, ct, skb->mark, &blocked[n]);
		if (!err)
			n++;
		else if (err != -EEXIST || ++in_vain > TRIES_IN_VAIN)
			break;
		if (!translate_again(skb, ct, state))
			break;
		if (nf_ct_tuple_equal(&was, nf_ct_tuple(ct, IP_CT_DIR_REPLY)))
			break;
		locked = try_entry(tn, ct, pair);
	}
	if (!locked) {
		locked = evict_one(tn, skb, ct, state, blocked, n) && try_entry(tn, ct, pair);
		if (locked || err != -ENOSPC)
			log_ports_full(tn, ct, locked ? "a less valuable connection was evicted" :
							"a new connection was dropped");
	}
	while (n--)
		unblock(blocked[n].entry);
	return locked;
}

/**
 * ft_unique_translated() - give a translated flow a reply tuple that no flow of ours has
 * @tn: namespace
 * @skb: the packet that opens it, behind NAT
 * @ct: its unconfirmed entry; its reply tuple and @skb change if need be
 * @state: where the packet is: LOCAL_IN or POST_ROUTING
 * @pair: filled: the locks of the flow, held
 *
 * The caller enters @ct into nf_conntrack's table, or the flow into ours, before it
 * gives the locks back: a flow that is adopted meanwhile waits, and finds it.
 *
 * Context: RCU read side, BH disabled.
 * Return: false: there is no tuple to be had, or no memory, no lock is held, and the
 * packet is to be dropped.
 */
bool ft_unique_translated(struct ft_net *tn, struct sk_buff *skb, struct nf_conn *ct,
			  const struct nf_hook_state *state, struct ft_unique_pair *pair)
{
	if (try_entry(tn, ct, pair) || choose_again(tn, skb, ct, state, pair))
		return true;
	ft_stat_inc(tn, NAT_PORTS_FULL);
	return false;
}
