/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One space of tuples: no two flows that live answer to the same packets,
 * whichever of the two tables has them.
 *
 * NAT looks for a free port in nf_conntrack's table alone. So beside NAT the
 * other table is asked before a flow is entered, under a lock that both sides
 * take: what is adopted looks for entries of nf_conntrack; what is translated
 * looks for flows of ours. If it meets one, nf_nat is shown it, and chooses once
 * more.
 */
#ifndef _FT_TRACK_UNIQUE_H
#define _FT_TRACK_UNIQUE_H

#include <linux/spinlock.h>
#include <linux/types.h>

struct ft_key;
struct ft_net;
struct net;
struct nf_conn;
struct nf_conntrack_tuple;
struct nf_conntrack_zone;
struct nf_hook_state;
struct sk_buff;

/**
 * struct ft_unique_pair - the locks of both tuples of a translated flow
 * @first: the one taken first
 * @second: the other one; the same if one lock has both
 */
struct ft_unique_pair {
	spinlock_t *first; /* protects entering, see locks[] */
	spinlock_t *second; /* likewise */
};

void ft_unique_init(void);
spinlock_t *ft_unique_lock(const struct ft_key *key);
void ft_unique_unlock(spinlock_t *lock);
bool ft_unique_in_conntrack(struct net *net,
			    const struct nf_conntrack_zone *zone,
			    const struct nf_conntrack_tuple *tuple);
bool ft_unique_adoptable(const struct nf_conn *ct);
bool ft_unique_addable(const struct ft_net *tn, const struct ft_key *key, bool orig_hi,
		       const struct ft_key *answer, bool reply_hi);
bool ft_unique_try(const struct ft_net *tn, const struct ft_key *key,
		   const struct ft_key *answer, u64 reply, struct ft_unique_pair *pair);
bool ft_unique_translated(struct ft_net *tn, struct sk_buff *skb, struct nf_conn *ct,
			  const struct nf_hook_state *state, struct ft_unique_pair *pair);
void ft_unique_release(const struct ft_unique_pair *pair);

int ft_unique_enter(const struct ft_net *tn, struct nf_conn *ct);
struct nf_conn *ft_unique_block(struct ft_net *tn, struct nf_conn *ct);
void ft_unique_unblock(struct nf_conn *entry);

bool ft_unique_propose(struct sk_buff *skb, struct nf_conn *ct, const struct nf_hook_state *state,
		       const struct nf_conntrack_tuple *had);

#endif /* _FT_TRACK_UNIQUE_H */
