/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A table in memory, as the requests that enter its flows again.
 */
#ifndef FT_REPLAY_H
#define FT_REPLAY_H

#include <linux/types.h>
#include <stddef.h>

struct nl;
struct nlmsghdr;
struct printer;
struct restored;

/**
 * struct replay - the flows of a table
 * @buf: requests, one after the other
 * @len: bytes in use
 * @size: bytes
 * @n: requests
 * @over: flows whose time was up already
 */
struct replay {
	char *buf;
	size_t len;
	size_t size;
	size_t n;
	__u64 over;
};

int replay_dump(struct replay *r, struct nl *nl);
void replay_print(const struct replay *r, struct printer *p);
int replay_send(const struct replay *r, struct nl *nl, unsigned int part, unsigned int of,
		struct restored *sum);
void replay_free(struct replay *r);

#endif /* FT_REPLAY_H */
