// SPDX-License-Identifier: GPL-2.0
#include <linux/atomic.h>
#include <net/net_namespace.h>

#include "base/settings.h"
#include "base/stats.h"
#include "net.h"
#include "track/place.h"

/* Flows of all namespaces, bounded by ft_params.total_max. */
static atomic_t total;

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

/*
 * Take one of the places of all namespaces. The machine's own admin gets in
 * however much the others hold; theirs do not, or the sum had no bound.
 */
static bool take_total(const struct ft_net *tn, bool reserved, bool *kept)
{
	u32 beyond = ft_setting(&tn->set, RESERVED);

	if (take_place(&total, ft_params.total_max))
		return true;
	*kept = true;
	return reserved && net_eq(tn->net, &init_net) &&
	       take_place(&total, ft_params.total_max + beyond);
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
	atomic_dec(&tn->count);
}

/**
 * ft_place_total() - how many flows all namespaces have
 *
 * Context: any.
 * Return: their number, bounded by ft_params.total_max.
 */
u32 ft_place_total(void)
{
	return atomic_read(&total);
}
