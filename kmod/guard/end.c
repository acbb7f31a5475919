// SPDX-License-Identifier: GPL-2.0
#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_conntrack_core.h>

#include "base/stats.h"
#include "flow/shadow.h"
#include "guard/end.h"
#include "guard/source.h"
#include "net.h"

/**
 * ft_guard_drop() - remove the shadow of an entry that was deleted
 * @tn: namespace
 * @key: the flow
 *
 * Context: any but hard interrupts.
 * Return: false if there is none.
 */
bool ft_guard_drop(struct ft_net *tn, const struct ft_shadow_key *key)
{
	u32 word;

	if (!ft_shadow_drop(&tn->guard.shadows, key, &word))
		return false;
	ft_guard_release(tn, key, word);
	return true;
}

/**
 * ft_guard_forget() - remove the shadow of an entry that ended by itself
 * @tn: namespace
 * @key: the flow
 *
 * Context: any but hard interrupts.
 * Return: false if there is none.
 */
bool ft_guard_forget(struct ft_net *tn, const struct ft_shadow_key *key)
{
	if (!ft_guard_drop(tn, key))
		return false;
	ft_stat_inc(tn, GUARD_FORGOT);
	return true;
}

/**
 * ft_guard_end() - delete a guarded flow by request
 * @tn: namespace
 * @key: the flow
 * @ct: its entry, referenced
 *
 * Context: any but hard interrupts.
 * Return: false if nf_conntrack has ended it already.
 */
bool ft_guard_end(struct ft_net *tn, const struct ft_shadow_key *key,
		  struct nf_conn *ct)
{
	if (!nf_ct_delete(ct, 0, 0))
		return false;
	ft_guard_drop(tn, key);
	return true;
}
