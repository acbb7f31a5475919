/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Heavy sources of guarded flows: those that would have to give some up if all
 * flows were shared out, and how many places unanswered newcomers may still
 * take.
 *
 * As top.c does it for the table: from a sample, once a second while there is
 * no room.
 */
#ifndef _FT_GUARD_HEAVY_H
#define _FT_GUARD_HEAVY_H

#include <linux/types.h>

struct ft_net;
struct ft_source;

void ft_guard_heavy_look(struct ft_net *tn);
void ft_guard_heavy_forget(struct ft_net *tn);
bool ft_guard_heavy_any(const struct ft_net *tn);
bool ft_guard_is_heavy(const struct ft_net *tn, const struct ft_source *address);

#endif /* _FT_GUARD_HEAVY_H */
