// SPDX-License-Identifier: GPL-2.0
#include <linux/atomic.h>
#include <net/net_namespace.h>

#include "base/settings.h"
#include "base/stats.h"
#include "net.h"
#include "track/place.h"

/*
 * Entries of all namespaces are bounded by ft_params.total_max, and nobody but
 * the initial namespace may take all:
 *
 *	the initial one		total_max
 *	all others together	what it leaves: its own max is held for it, up to
 *				half of total_max
 *	tenants together	half of that: the other half is held for those
 *				that the machine's own root made
 *	a tenant		a quarter of that, in however many namespaces
 */
static atomic_t total, others, tenants;

static u32 others_max(void)
{
	u32 kept = ft_setting(&ft_pernet(&init_net)->set, MAX_FLOWS);

	return ft_params.total_max - min(kept, ft_params.total_max / 2);
}

static u32 tenants_max(void)
{
	return others_max() / 2;
}

static u32 tenant_max(void)
{
	return tenants_max() / 4;
}

/* Take one of @limit places; exact, whatever other CPUs do. */
static bool take_place(atomic_t *count, u32 limit)
{
	int c = atomic_read(count);

	do {
		if ((u32)c >= limit)
			return false;
	} while (!atomic_try_cmpxchg(count, &c, c + 1));
	return true;
}

/* Take a place of the share that the machine has for this kind of namespace. */
static bool take_share(struct ft_net *tn)
{
	if (net_eq(tn->net, &init_net))
		return true;
	if (!take_place(&others, others_max()))
		return false;
	if (!tn->tenant)
		return true;
	if (!take_place(&tenants, tenants_max()))
		goto err_others;
	if (!take_place(&tn->tenant->flows, tenant_max()))
		goto err_tenants;
	return true;

err_tenants:
	atomic_dec(&tenants);
err_others:
	atomic_dec(&others);
	return false;
}

static void give_share(struct ft_net *tn)
{
	if (net_eq(tn->net, &init_net))
		return;
	atomic_dec(&others);
	if (!tn->tenant)
		return;
	atomic_dec(&tenants);
	atomic_dec(&tn->tenant->flows);
}

/*
 * Take one of the places of all namespaces. A reserved packet of the initial
 * namespace gets in however many places the others hold. Reserved packets of
 * other namespaces do not, or the sum would have no bound.
 */
static bool take_total(struct ft_net *tn, bool reserved, bool *kept)
{
	u32 beyond = ft_setting(&tn->set, RESERVED);

	if (!take_share(tn))
		return false;
	if (take_place(&total, ft_params.total_max))
		return true;
	*kept = true;
	if (reserved && net_eq(tn->net, &init_net) &&
	    take_place(&total, ft_params.total_max + beyond))
		return true;
	give_share(tn);
	return false;
}

/**
 * ft_place_take() - take a place for a newcomer
 * @tn: namespace
 * @reserved: it may have one of the last ones, which are kept for packets with
 *	the reserved mark
 *
 * max may fall below what is reserved for a moment, while both change.
 *
 * Context: any.
 * Return: false if there is none, in the namespace or in all of them.
 */
bool ft_place_take(struct ft_net *tn, bool reserved)
{
	u32 max = ft_setting(&tn->set, MAX_FLOWS);
	bool kept = false;

	if (!take_place(&tn->count, ft_flow_room(&tn->set))) {
		kept = true;
		if (!reserved || !take_place(&tn->count, max))
			return false;
	}
	if (!take_total(tn, reserved, &kept)) {
		atomic_dec(&tn->count);
		return false;
	}
	if (kept)
		ft_stat_inc(tn, RESERVED);
	return true;
}

/**
 * ft_place_give() - give back the place of a flow that has ended
 * @tn: namespace
 *
 * Context: any.
 */
void ft_place_give(struct ft_net *tn)
{
	atomic_dec(&total);
	give_share(tn);
	atomic_dec(&tn->count);
}

/**
 * ft_place_short() - which limit leaves a newcomer no place?
 * @tn: namespace
 * @count: set to how many flows meet it
 *
 * A hint for the log: places come and go meanwhile.
 *
 * Context: any.
 * Return: whose flows those are; NULL: the namespace's own.
 */
const char *ft_place_short(const struct ft_net *tn, u32 *count)
{
	*count = atomic_read(&tn->count);
	if (*count >= ft_flow_room(&tn->set))
		return NULL;
	*count = atomic_read(&total);
	if (*count >= ft_params.total_max)
		return "all namespaces";
	if (net_eq(tn->net, &init_net))
		return NULL;
	*count = atomic_read(&others);
	if (*count >= others_max())
		return "all namespaces but the initial one";
	if (!tn->tenant)
		return NULL;
	*count = atomic_read(&tenants);
	if (*count >= tenants_max())
		return "all user namespaces";
	*count = atomic_read(&tn->tenant->flows);
	return *count >= tenant_max() ? "this user's namespaces" : NULL;
}
