/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A table in memory, as the requests that enter its flows again.
 */
#ifndef FT_REPLAY_H
#define FT_REPLAY_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

struct nl;
struct nlmsghdr;
struct printer;
struct restored;

struct kept;

/**
 * struct replay - the flows of a table
 * @buf: requests
 * @len: bytes in use
 * @size: bytes
 * @kept: a flow for each request in @buf, those that ended meanwhile among them
 * @n_kept: how many
 * @room: for how many
 * @slots: a hash table of ids: indices of @kept, plus one
 * @n_slots: its size, a power of two
 * @stale: ids of flows that have changed since they were kept, or are new
 * @n_stale: how many
 * @stale_room: for how many
 * @round: of looking at the table; a flow that was not seen in it has ended
 * @digests: the module has digests
 * @n: flows of the last round
 * @over: flows of the last round whose time was up already
 */
struct replay {
	char *buf;
	size_t len;
	size_t size;
	struct kept *kept;
	size_t n_kept;
	size_t room;
	__u32 *slots;
	size_t n_slots;
	__u64 *stale;
	size_t n_stale;
	size_t stale_room;
	unsigned int round;
	bool digests;
	size_t n;
	__u64 over;
};

int replay_dump(struct replay *r, struct nl *nl);
int replay_update(struct replay *r, struct nl *nl);
void replay_print(const struct replay *r, struct printer *p);
int replay_send(const struct replay *r, struct nl *nl, unsigned int part, unsigned int of,
		struct restored *sum);
void replay_free(struct replay *r);

#endif /* FT_REPLAY_H */
