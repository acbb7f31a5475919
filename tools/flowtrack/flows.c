// SPDX-License-Identifier: GPL-2.0
#include <stdlib.h>

#include "flows.h"

/**
 * flows_add() - keep a flow
 * @flows: flows
 * @f: flow
 *
 * Return: false if there is no memory.
 */
bool flows_add(struct flows *flows, const struct flow *f)
{
	struct flow *more;
	size_t room;

	if (flows->n == flows->room) {
		room = flows->room ? 2 * flows->room : 256;
		more = reallocarray(flows->flow, room, sizeof(*more));
		if (!more)
			return false;
		flows->flow = more;
		flows->room = room;
	}
	flows->flow[flows->n++] = *f;
	return true;
}

/**
 * flow_has_key() - whether it is known where a flow stands in an order
 * @f: flow
 * @order: order
 *
 * Return: false where the flow would stand last for lack of a number.
 */
bool flow_has_key(const struct flow *f, enum flow_order order)
{
	switch (order) {
	case ORDER_BYTES:
	case ORDER_PACKETS:
		return f->has & (FLOW_BIT(COUNTERS_ORIG) | FLOW_BIT(COUNTERS_REPLY));
	case ORDER_AGE:
		return flow_has(f, FLOWTRACK_A_FLOW_AGE);
	default:
		return true;
	}
}

static __u64 both(const struct flow *f, const __u64 *count)
{
	return (flow_has(f, FLOWTRACK_A_FLOW_COUNTERS_ORIG) ? count[ORIG] : 0) +
	       (flow_has(f, FLOWTRACK_A_FLOW_COUNTERS_REPLY) ? count[REPLY] : 0);
}

static __u64 key_of(const struct flow *f, enum flow_order order)
{
	switch (order) {
	case ORDER_BYTES:
		return both(f, f->bytes);
	case ORDER_PACKETS:
		return both(f, f->packets);
	case ORDER_AGE:
		return flow_has(f, FLOWTRACK_A_FLOW_AGE) ? f->age : 0;
	default:
		return 0;
	}
}

/* Equals stand by their number, so that two lists of the same are the same. */
static int compare(const void *a, const void *b, void *order)
{
	const struct flow *left = a, *right = b;
	__u64 l = key_of(left, *(enum flow_order *)order);
	__u64 r = key_of(right, *(enum flow_order *)order);

	if (l != r)
		return l > r ? -1 : 1;
	return left->id < right->id ? -1 : left->id > right->id;
}

/**
 * flows_sort() - put flows in order
 * @flows: flows
 * @order: order
 */
void flows_sort(struct flows *flows, enum flow_order order)
{
	if (flows->n && order != ORDER_NONE)
		qsort_r(flows->flow, flows->n, sizeof(*flows->flow), compare, &order);
}

void flows_free(struct flows *flows)
{
	free(flows->flow);
	*flows = (struct flows){ 0 };
}
