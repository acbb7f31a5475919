/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Included before kmod/table.c, by the compiler's command line: what the table
 * does with BHs off is timed.
 */
#ifndef _FT_STRESS_CLOCK_H
#define _FT_STRESS_CLOCK_H

#include <linux/bottom_half.h>

void ft_stress_bh_disable(void);
void ft_stress_bh_enable(void);

#define local_bh_disable	ft_stress_bh_disable
#define local_bh_enable		ft_stress_bh_enable

#endif /* _FT_STRESS_CLOCK_H */
