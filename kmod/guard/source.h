/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Guarded flows by their sources: each counts with its source as a flow of our own
 * does, under the same limits, in the same lists of the sources that hold and open most.
 */
#ifndef _FT_GUARD_SOURCE_H
#define _FT_GUARD_SOURCE_H

#include <linux/types.h>

#include "guard/guard.h"
#include "policy/source.h"

struct ft_net;
struct ft_shadow_key;

void ft_guard_source(struct ft_source *source, const struct ft_shadow_key *key);
enum ft_source_verdict ft_guard_charge(struct ft_net *tn, const struct ft_shadow_key *key,
				       bool exempt, u32 *bits);
void ft_guard_release(struct ft_net *tn, const struct ft_shadow_key *key, u32 bits);
enum ft_guard_answer ft_guard_refuse_source(struct ft_net *tn);
void ft_guard_born(struct ft_net *tn, const struct ft_shadow_key *key);
void ft_guard_recount(struct ft_net *tn);

#endif /* _FT_GUARD_SOURCE_H */
