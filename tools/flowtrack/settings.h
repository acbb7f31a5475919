/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What show and set share.
 */
#ifndef FT_SETTINGS_H
#define FT_SETTINGS_H

#include <linux/nf_flowtrack.h>
#include <linux/types.h>
#include <stdbool.h>

struct out;

int unknown_setting(const char *name);
int parse_setting(int attr, const char *word, __u32 *value);
int parse_settings(int argc, char **argv, __u32 *value, __u64 *has);
void print_setting(struct out *o, int attr, __u32 value, bool json, bool first);

#endif /* FT_SETTINGS_H */
