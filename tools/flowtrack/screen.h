/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The terminal as a screen, for top and watch.
 */
#ifndef FT_SCREEN_H
#define FT_SCREEN_H

#include <stdbool.h>

bool screen_begin(void);
void screen_end(void);
bool screen_ended(void);

#endif /* FT_SCREEN_H */
