/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Settings on trial: taken back unless somebody confirms them.
 */
#ifndef FT_CONFIRM_H
#define FT_CONFIRM_H

#include <linux/types.h>

struct nl;

int confirm_set(struct nl *nl, const __u32 *value, __u64 has, __u32 seconds);
int confirm_keep(void);

#endif /* FT_CONFIRM_H */
