/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The first line of a saved table: SAVE_HEADER, a blank, a version.
 */
#ifndef FT_SAVE_H
#define FT_SAVE_H

#define SAVE_HEADER	"flowtrack-save"
#define SAVE_VERSION	1

#endif /* FT_SAVE_H */
