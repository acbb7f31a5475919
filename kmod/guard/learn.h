/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Entries of nf_conntrack that no packet has made known are learned, by a walk
 * over its table: those that were there before the module came, and those whose
 * shadow found no memory.
 */
#ifndef _FT_GUARD_LEARN_H
#define _FT_GUARD_LEARN_H

#include <linux/types.h>

struct ft_net;

bool ft_guard_knows(const struct ft_net *tn);
void ft_guard_learn(struct ft_net *tn);

#endif /* _FT_GUARD_LEARN_H */
