/* SPDX-License-Identifier: GPL-2.0 */
/*
 * When translated flows end, beside the times that all flows end: those that have
 * borrowed an address when the device or the address goes, and all when nf_nat does.
 */
#ifndef _FT_TRACK_NAT_END_H
#define _FT_TRACK_NAT_END_H

#include <linux/list.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

struct ft_net;

/**
 * struct ft_nat_end - what a namespace has to end
 * @lock: protects the rest; BH disabled
 * @asked: what was asked for, see nat_end.c
 * @n: how much
 * @work: does it
 */
struct ft_nat_end {
	spinlock_t lock; /* protects asked, n */
	struct list_head asked;
	unsigned int n;
	struct work_struct work;
};

void ft_nat_end_net_init(struct ft_net *tn);
void ft_nat_end_net_exit(struct ft_net *tn);
int ft_nat_end_init(void);
void ft_nat_end_exit(void);

#endif /* _FT_TRACK_NAT_END_H */
