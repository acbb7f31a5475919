/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Settings: asked for, read from words, printed. What show and set share.
 */
#ifndef FT_SETTINGS_H
#define FT_SETTINGS_H

#include <linux/nf_flowtrack.h>
#include <linux/types.h>
#include <stdbool.h>

/* Of a setting that the module may choose by itself. */
#define SETTING_AUTO	"auto"

struct nl;
struct out;

int get_settings(struct nl *nl, __u32 *value, __u64 *has, __u64 *follow);
void settings_as_set(__u32 *value, __u64 follow);
int unknown_setting(const char *name);
int parse_settings(int argc, char **argv, __u32 *value, __u64 *has);
int send_set(struct nl *nl, const __u32 *value, __u64 has);
void print_setting(struct out *o, int attr, const __u32 *value, __u64 follow, bool json,
		   bool first);

#endif /* FT_SETTINGS_H */
