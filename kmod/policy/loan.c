// SPDX-License-Identifier: GPL-2.0
#include <linux/compiler.h>
#include <linux/minmax.h>

#include "policy/loan.h"

/**
 * ft_loan_init() - nothing is lent
 * @loan: of a namespace that nobody else knows yet, or that has no flows
 */
void ft_loan_init(struct ft_loan *loan)
{
	atomic_set(&loan->lent, 0);
	WRITE_ONCE(loan->limit, FT_LOAN_MIN);
}

/**
 * ft_loan_open() - may another place be lent?
 * @loan: of the namespace
 *
 * Context: any.
 * Return: true if so, as of now; ft_loan_take() may still refuse.
 */
bool ft_loan_open(const struct ft_loan *loan)
{
	return (u32)atomic_read(&loan->lent) < READ_ONCE(loan->limit);
}

/**
 * ft_loan_take() - lend one place
 * @loan: of the namespace
 *
 * Context: any. Exact, whatever other CPUs do.
 * Return: false if there is none to lend.
 */
bool ft_loan_take(struct ft_loan *loan)
{
	int lent = atomic_read(&loan->lent);

	do {
		if ((u32)lent >= READ_ONCE(loan->limit))
			return false;
	} while (!atomic_try_cmpxchg(&loan->lent, &lent, lent + 1));
	return true;
}

/**
 * ft_loan_repay() - an unanswered flow was answered, or got no place after all
 * @loan: of the namespace
 *
 * Whether it is one of those that took a place is not known: one less that
 * crowds the table is as good.
 *
 * Context: any. Writes to no cache line if nothing is lent.
 */
void ft_loan_repay(struct ft_loan *loan)
{
	if (atomic_read(&loan->lent) > 0)
		atomic_dec_if_positive(&loan->lent);
}

/**
 * ft_loan_update() - compare with what the table holds
 * @loan: of the namespace
 * @lent: what was lent when the count of @unanswered began
 * @unanswered: flows that are not answered, whatever place they took
 * @room: flows that there may be
 *
 * A flow that took a place and ended unanswered has given it back. Unanswered
 * flows that took no other flow's place leave less to lend.
 *
 * Context: the worker that counts.
 */
void ft_loan_update(struct ft_loan *loan, u32 lent, u32 unanswered, u32 room)
{
	u32 share = max_t(u32, room / FT_LOAN_SHARE, FT_LOAN_MIN);
	u32 others = unanswered - min(unanswered, lent);
	u32 gone = lent - min(unanswered, lent);
	int now = atomic_read(&loan->lent);

	WRITE_ONCE(loan->limit, share - min(share, others));
	/* Some loans may have been paid back since the count. */
	do {
		if (!gone)
			break;
	} while (!atomic_try_cmpxchg(&loan->lent, &now,
				     now - min_t(int, now, gone)));
}
