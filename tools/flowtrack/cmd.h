/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The verbs, each in a file of its own, and what they are told.
 */
#ifndef FT_CMD_H
#define FT_CMD_H

#include <linux/types.h>
#include <stdbool.h>
#include <stdio.h>

#include "err.h"
#include "out.h"

/**
 * struct options - what options said
 * @json: -j
 * @oneline: -o
 * @color: --color, resolved
 * @all: --all
 * @dry_run: --dry-run
 * @cpu: --cpu
 * @timestamps: --timestamps
 * @ignore_existing: --ignore-existing
 * @version: -V: the verb is not run
 * @help: -h: likewise
 * @family: -4, -6: AF_INET, AF_INET6, or 0
 * @netns: -n
 * @settings: --settings
 * @resync: --resync
 * @force: --force
 * @confirm: --confirm, seconds; 0: not given
 * @buffer: --buffer, bytes; 0: the default
 * @once: --once
 * @human: --human
 * @openmetrics: --openmetrics
 * @events: --event, bits by enum monitor_event; 0: all
 * @log: --log
 * @sort: --sort: enum flow_order; 0: as they come
 * @count: --count; 0: no limit
 * @delay: --delay, seconds; 0: the default
 * @top: --top; 0: not given
 */
struct options {
	bool json;
	bool oneline;
	bool color;
	bool all;
	bool dry_run;
	bool cpu;
	bool timestamps;
	bool ignore_existing;
	bool settings;
	bool resync;
	bool force;
	__u32 confirm;
	__u32 buffer;
	bool once;
	bool human;
	bool openmetrics;
	bool version;
	bool help;
	__u8 family;
	int sort;
	unsigned int events;
	const char *log;
	const char *netns;
	__u64 count;
	__u32 delay;
	unsigned int top;
};

/* A verb: runs with the words that follow it; returns an exit code. */
typedef int (*cmd_fn)(const struct options *opts, int argc, char **argv);

int cmd_add(const struct options *opts, int argc, char **argv);
int cmd_advise(const struct options *opts, int argc, char **argv);
int cmd_confirm(const struct options *opts, int argc, char **argv);
int cmd_count(const struct options *opts, int argc, char **argv);
int cmd_del(const struct options *opts, int argc, char **argv);
int cmd_doctor(const struct options *opts, int argc, char **argv);
int cmd_flush(const struct options *opts, int argc, char **argv);
int cmd_get(const struct options *opts, int argc, char **argv);
int cmd_list(const struct options *opts, int argc, char **argv);
int cmd_metrics(const struct options *opts, int argc, char **argv);
int cmd_monitor(const struct options *opts, int argc, char **argv);
int cmd_reload(const struct options *opts, int argc, char **argv);
int cmd_restore(const struct options *opts, int argc, char **argv);
int cmd_save(const struct options *opts, int argc, char **argv);
int cmd_set(const struct options *opts, int argc, char **argv);
int cmd_show(const struct options *opts, int argc, char **argv);
int cmd_stats(const struct options *opts, int argc, char **argv);
int cmd_top(const struct options *opts, int argc, char **argv);
int cmd_watch(const struct options *opts, int argc, char **argv);

/* What more than one verb does. */
struct filter;
struct nl;
struct out;
struct printer;

/**
 * struct restored - what became of the flows of a saved table
 * @restored: flows entered
 * @existing: flows that were there
 * @failed: lines that were bad or refused
 * @over: flows whose time was up before the file was read
 * @code: exit code of the first failure
 */
struct restored {
	__u64 restored;
	__u64 existing;
	__u64 failed;
	__u64 over;
	int code;
};

/* How: a flow that is there already is no failure; settings that the module lacks are none. */
#define RESTORE_IGNORE_EXISTING	1
#define RESTORE_KNOWN_SETTINGS	2

int restore_table(struct nl *nl, FILE *file, const char *name, unsigned int how,
		  struct restored *sum);
int save_head(struct nl *nl, bool with_settings, struct out *head);
int save_table(struct nl *nl, const struct options *opts, const struct filter *f);
int count_flows(struct nl *nl, const struct filter *f, __u64 *count);
int list_flows(struct nl *nl, const struct filter *f, struct printer *p);
int delete_flows(const struct options *opts, const struct filter *f);

#endif /* FT_CMD_H */
