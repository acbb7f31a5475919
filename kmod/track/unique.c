// SPDX-License-Identifier: GPL-2.0
#include <linux/module.h>
#include <linux/netfilter.h>
#include <linux/random.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/netfilter/nf_conntrack_zones.h>
#include <net/netfilter/nf_nat.h>

#include "flow/table.h"
#include "flow/tuple.h"
#include "net.h"
#include "track/unique.h"

#define LOCKS		256
/* Ports that are tried, at random: those beside one that is taken are, too. */
#define TRIES		128

/*
 * Each protects the entering, into either table, of flows whose hash selects
 * it. Taken with BH off, before any lock of a table.
 */
static spinlock_t locks[LOCKS];

/**
 * ft_unique_init() - prepare the locks
 */
void ft_unique_init(void)
{
	unsigned int i;

	for (i = 0; i < LOCKS; i++)
		spin_lock_init(&locks[i]);
}

/**
 * ft_unique_lock() - the lock of a tuple
 * @hash: ft_key_hash() of the flow as it leaves this machine
 *
 * Context: BH disabled.
 * Return: the lock, held.
 */
spinlock_t *ft_unique_lock(u64 hash)
{
	spinlock_t *lock = &locks[hash % LOCKS];

	spin_lock(lock);
	return lock;
}

static bool in_conntrack(const struct nf_conn *ct,
			 const struct nf_conntrack_tuple *tuple)
{
	struct nf_conntrack_tuple_hash *h;

	h = nf_conntrack_find_get(nf_ct_net(ct), nf_ct_zone(ct), tuple);
	if (!h)
		return false;
	nf_ct_put(nf_ct_tuplehash_to_ctrack(h));
	return true;
}

/**
 * ft_unique_adoptable() - has nf_conntrack no entry that answers to a flow?
 * @ct: the flow, unconfirmed and not translated
 *
 * nf_nat has looked already; a translated flow may have been entered since.
 *
 * Context: RCU read side, lock of the flow held.
 * Return: true if the flow may become ours.
 */
bool ft_unique_adoptable(const struct nf_conn *ct)
{
	return !in_conntrack(ct, nf_ct_tuple(ct, IP_CT_DIR_REPLY)) &&
	       !in_conntrack(ct, nf_ct_tuple(ct, IP_CT_DIR_ORIGINAL));
}

/* Where a reply tuple has what was the sender's port, or the id of ICMP. */
static __be16 *sender_port(struct nf_conntrack_tuple *reply)
{
	u8 l4proto = reply->dst.protonum;

	if (ft_l4_has_ports(l4proto))
		return &reply->dst.u.all;
	if (l4proto == IPPROTO_ICMP || l4proto == IPPROTO_ICMPV6)
		return &reply->src.u.all;
	return NULL;
}

/* Is there a flow of ours that the same packets answer? Sets @hash. */
static bool in_table(const struct ft_net *tn, const struct nf_conn *ct,
		     const struct nf_conntrack_tuple *reply, u64 *hash)
{
	struct ft_key key;
	u32 index;

	ft_key_set(&key, reply->src.l3num, reply->dst.protonum,
		   nf_ct_zone(ct)->id, &reply->src.u3, &reply->dst.u3,
		   reply->src.u.all, reply->dst.u.all);
	*hash = ft_key_hash(&key, ft_table_secret(tn->table));
	return ft_table_lookup(tn->table, &key, *hash, &index);
}

/* Does either table have it? nf_nat has looked in its own, with no lock. */
static bool taken(const struct ft_net *tn, const struct nf_conn *ct,
		  const struct nf_conntrack_tuple *reply, u64 *hash)
{
	return in_table(tn, ct, reply, hash) ||
	       nf_conntrack_tuple_taken(reply, ct);
}

/* A port in the range that nf_nat keeps a port in; for ICMP, an id. */
static __be16 another_port(u16 was, bool icmp)
{
	u32 low = 1024, count = 65536 - 1024;

	if (icmp) {
		low = 0;
		count = 65536;
	} else if (was < 512) {
		low = 1;
		count = 511;
	} else if (was < 1024) {
		low = 600;
		count = 1024 - 600;
	}
	return htons(low + (get_random_u16() * count >> 16));
}

/*
 * Give a translated flow that is not entered yet another source port, and its
 * packet, which NAT has written to already.
 */
static bool take_port(struct sk_buff *skb, struct nf_conn *ct, __be16 port,
		      const struct nf_hook_state *state)
{
	typeof(nf_nat_packet) *translate;
	enum ip_conntrack_info ctinfo;
	unsigned int verdict;
	__be16 *place;

	/* This module needs no nf_nat, and does not keep it from leaving. */
	translate = symbol_get(nf_nat_packet);
	if (!translate)
		return false;
	place = sender_port(&ct->tuplehash[IP_CT_DIR_REPLY].tuple);
	/* find_appropriate_src() of other CPUs reads it. */
	WRITE_ONCE(*place, port);
	set_bit(IPS_SRC_NAT_BIT, &ct->status);
	nf_ct_get(skb, &ctinfo);
	verdict = translate(ct, ctinfo, state->hook, skb);
	symbol_put(nf_nat_packet);
	return verdict == NF_ACCEPT;
}

/**
 * ft_unique_translated() - see to it that a translated flow answers to nothing
 *	that answers to a flow of ours
 * @tn: namespace
 * @skb: the packet that opens it, behind NAT
 * @ct: its unconfirmed entry; its reply tuple and @skb change if need be
 * @state: where the packet is: LOCAL_IN or POST_ROUTING
 *
 * The caller enters @ct into nf_conntrack's table before it gives the lock
 * back: a flow that is adopted meanwhile waits, and finds the entry.
 *
 * Context: RCU read side, BH disabled.
 * Return: the lock of the flow, held; NULL: there is no port to be had, or no
 * memory, and the packet is to be dropped.
 */
spinlock_t *ft_unique_translated(struct ft_net *tn, struct sk_buff *skb,
				 struct nf_conn *ct,
				 const struct nf_hook_state *state)
{
	struct nf_conntrack_tuple reply = *nf_ct_tuple(ct, IP_CT_DIR_REPLY);
	__be16 *port = sender_port(&reply);
	unsigned int tries = TRIES;
	spinlock_t *lock; /* of the tuple */
	bool icmp;
	u16 was;
	u64 hash;

	in_table(tn, ct, &reply, &hash);
	lock = ft_unique_lock(hash);
	if (likely(!taken(tn, ct, &reply, &hash)))
		return lock;
	spin_unlock(lock);
	if (!port)
		return NULL;

	icmp = port == &reply.src.u.all;
	was = ntohs(*port);
	while (tries--) {
		*port = another_port(was, icmp);
		in_table(tn, ct, &reply, &hash);
		lock = ft_unique_lock(hash);
		if (!taken(tn, ct, &reply, &hash)) {
			if (take_port(skb, ct, *port, state))
				return lock;
			tries = 0;
		}
		spin_unlock(lock);
	}
	return NULL;
}
