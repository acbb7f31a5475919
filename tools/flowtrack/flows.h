/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Flows that are kept: to be put in order, or to be measured before the first
 * of them is printed.
 */
#ifndef FT_FLOWS_H
#define FT_FLOWS_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#include "flow.h"

/**
 * enum flow_order - what flows are put in order by; largest first
 * @ORDER_NONE: as they came
 * @ORDER_BYTES: bytes of both directions
 * @ORDER_PACKETS: packets of both directions
 * @ORDER_AGE: time since the first packet
 */
enum flow_order {
	ORDER_NONE,
	ORDER_BYTES,
	ORDER_PACKETS,
	ORDER_AGE,
};

/**
 * struct flows - flows that are kept
 * @flow: the flows
 * @n: how many
 * @room: how many @flow has room for
 */
struct flows {
	struct flow *flow;
	size_t n;
	size_t room;
};

bool flows_add(struct flows *flows, const struct flow *f);
void flows_sort(struct flows *flows, enum flow_order order);
bool flow_has_key(const struct flow *f, enum flow_order order);
void flows_free(struct flows *flows);

#endif /* FT_FLOWS_H */
