/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What newcomers that may be forged can take of idle connections: places are
 * lent to them, up to a share of the table.
 *
 * A first packet costs its sender nothing, and evicts a connection that is
 * idle as easily as that of a real client would. So unanswered flows hold no
 * more than a share of the table by this; a client that completes its handshake
 * has paid its place back, and the next one may have it at once.
 */
#ifndef _FT_POLICY_LOAN_H
#define _FT_POLICY_LOAN_H

#include <linux/atomic.h>
#include <linux/types.h>

/* One place in so many may be lent, or so many in a small table. */
#define FT_LOAN_SHARE	8
#define FT_LOAN_MIN	64

/**
 * struct ft_loan - places of idle flows that unanswered ones took
 * @lent: so many, not paid back yet; 0 to @limit, above it for as long as
 *	@limit has fallen. Written by newcomers that meet a full table and by
 *	handshakes that complete after that, not by other packets
 * @limit: of @lent; written once a second by the worker that counts
 */
struct ft_loan {
	atomic_t lent;
	u32 limit;
};

void ft_loan_init(struct ft_loan *loan);
bool ft_loan_open(const struct ft_loan *loan);
bool ft_loan_take(struct ft_loan *loan);
void ft_loan_repay(struct ft_loan *loan);
void ft_loan_update(struct ft_loan *loan, u32 lent, u32 unanswered, u32 room);

#endif /* _FT_POLICY_LOAN_H */
