/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The form of a saved table. The first line is SAVE_HEADER, a blank, a version.
 * A comment says when it was saved: SAVE_TIME and seconds since 1970, which a
 * tool of before takes for a comment. With settings, one on each line that
 * begins with SAVE_SETTING, the version is another one.
 */
#ifndef FT_SAVE_H
#define FT_SAVE_H

#define SAVE_HEADER		"flowtrack-save"
#define SAVE_VERSION		1
#define SAVE_VERSION_SETTINGS	2
#define SAVE_TIME		"saved="
#define SAVE_SETTING		"set"

#endif /* FT_SAVE_H */
