/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The table of the verbs, and that of the options.
 */
#ifndef FT_VERB_H
#define FT_VERB_H

#include <getopt.h>
#include <stddef.h>

#include "cmd.h"

/* Long options without a letter; those that only some verbs have are bits. */
enum long_option {
	OPT_COLOR = 256,
	OPT_ALL,
	OPT_DRY_RUN,
	OPT_CPU,
	OPT_TIMESTAMPS,
	OPT_IGNORE_EXISTING,
	OPT_COUNT,
	OPT_ONCE,
	OPT_DELAY,
	OPT_SETTINGS,
	OPT_BUFFER,
	OPT_RESYNC,
	OPT_SORT,
	OPT_HUMAN,
	OPT_EVENT,
	OPT_LOG,
	OPT_OPENMETRICS,
	OPT_CONFIRM,
	OPT_FORCE,
	OPT_TOP,
	OPT_END,
};

#define ONLY(opt)	(1U << ((opt) - OPT_ALL))

/**
 * enum takes - what kind of words follow a verb
 * @TAKES_NOTHING: none
 * @TAKES_FILTER: a filter
 * @TAKES_COUNT: a filter, and what to count by in front of it
 * @TAKES_MONITOR: a filter, or the word pressure
 * @TAKES_TUPLE: what identifies a flow
 * @TAKES_FLOW: that, and the flow's properties
 * @TAKES_TOP: whose flows, and in which order
 * @TAKES_VALUES: settings, each with its value
 * @TAKES_SETTINGS: settings
 * @TAKES_FILE: a file
 */
enum takes {
	TAKES_NOTHING,
	TAKES_FILTER,
	TAKES_COUNT,
	TAKES_MONITOR,
	TAKES_TUPLE,
	TAKES_FLOW,
	TAKES_TOP,
	TAKES_VALUES,
	TAKES_SETTINGS,
	TAKES_FILE,
};

/**
 * struct verb - a verb
 * @name: word
 * @run: what it does
 * @takes: what kind of words follow it
 * @only: options that not every verb has, ONLY(OPT_*)
 * @usage: what follows the name
 * @help: one line
 */
struct verb {
	const char *name;
	cmd_fn run;
	enum takes takes;
	unsigned int only;
	const char *usage;
	const char *help;
};

extern const struct verb verbs[];
extern const size_t n_verbs;
extern const struct option long_options[];

const struct verb *find_verb(const char *name);
int option_of(int c);
bool verb_has_option(const struct verb *verb, int option);

#endif /* FT_VERB_H */
