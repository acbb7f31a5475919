// SPDX-License-Identifier: GPL-2.0
#include <string.h>

#include "verb.h"

const struct verb verbs[] = {
	{ "list", cmd_list, TAKES_FILTER, ONLY(OPT_SORT) | ONLY(OPT_HUMAN) | ONLY(OPT_COUNT),
	  "[FILTER] [--sort bytes|packets|age [-N N]] [--human]", "print flows" },
	{ "get", cmd_get, TAKES_TUPLE, 0, "TUPLE | id N", "print one flow" },
	{ "add", cmd_add, TAKES_FLOW, 0, "TUPLE [state NAME] [timeout TIME] [...]",
	  "enter a flow" },
	{ "del", cmd_del, TAKES_FILTER, ONLY(OPT_ALL) | ONLY(OPT_DRY_RUN),
	  "FILTER | id N | --all [--dry-run]", "delete flows" },
	{ "flush", cmd_flush, TAKES_FILTER, ONLY(OPT_DRY_RUN), "[FILTER] [--dry-run]",
	  "delete all flows" },
	{ "count", cmd_count, TAKES_COUNT, ONLY(OPT_COUNT), "[by WHAT] [FILTER] [-N N]",
	  "print how many flows there are, by class, state, ..." },
	{ "monitor", cmd_monitor, TAKES_MONITOR,
	  ONLY(OPT_TIMESTAMPS) | ONLY(OPT_COUNT) | ONLY(OPT_BUFFER) | ONLY(OPT_RESYNC) |
	  ONLY(OPT_EVENT) | ONLY(OPT_LOG),
	  "[FILTER | pressure] [--event EVENT] [--log FILE] ...",
	  "print flows as they begin, change and end" },
	{ "stats", cmd_stats, TAKES_NOTHING, ONLY(OPT_CPU), "[--cpu]", "print counters" },
	{ "metrics", cmd_metrics, TAKES_NOTHING,
	  ONLY(OPT_ALL) | ONLY(OPT_COUNT) | ONLY(OPT_TOP) | ONLY(OPT_OPENMETRICS),
	  "[--all [-N N]] [--top N] [--openmetrics]",
	  "print counters for Prometheus" },
	{ "top", cmd_top, TAKES_TOP, ONLY(OPT_ONCE) | ONLY(OPT_DELAY) | ONLY(OPT_COUNT),
	  "[KIND] [flows|rate] [--once] [-d SECONDS] [-N N]",
	  "show what holds, or opens, most flows" },
	{ "watch", cmd_watch, TAKES_NOTHING, ONLY(OPT_DELAY) | ONLY(OPT_COUNT),
	  "[-d SECONDS] [-N N]", "show fill, classes and rates over time" },
	{ "doctor", cmd_doctor, TAKES_NOTHING, 0, "", "find what is wrong, and what mends it" },
	{ "advise", cmd_advise, TAKES_NOTHING, ONLY(OPT_DELAY), "[-d SECONDS]",
	  "say which sizes and timeouts the load needs" },
	{ "set", cmd_set, TAKES_VALUES, ONLY(OPT_CONFIRM), "NAME VALUE... [--confirm SECONDS]",
	  "change settings" },
	{ "confirm", cmd_confirm, TAKES_NOTHING, 0, "", "keep what set --confirm changed" },
	{ "show", cmd_show, TAKES_SETTINGS, 0, "[NAME...]", "print settings" },
	{ "save", cmd_save, TAKES_FILTER, ONLY(OPT_SETTINGS), "[FILTER] [--settings]",
	  "print flows for restore" },
	{ "restore", cmd_restore, TAKES_FILE, ONLY(OPT_IGNORE_EXISTING),
	  "[FILE] [--ignore-existing]", "enter flows that save printed" },
	{ "reload", cmd_reload, TAKES_FILE, ONLY(OPT_FORCE), "[MODULE] [--force]",
	  "load the module anew, and keep its flows" },
};

const size_t n_verbs = sizeof(verbs) / sizeof(verbs[0]);

const struct option long_options[] = {
	{ "json", no_argument, NULL, 'j' },
	{ "netns", required_argument, NULL, 'n' },
	{ "oneline", no_argument, NULL, 'o' },
	{ "ipv4", no_argument, NULL, '4' },
	{ "ipv6", no_argument, NULL, '6' },
	{ "color", optional_argument, NULL, OPT_COLOR },
	{ "version", no_argument, NULL, 'V' },
	{ "help", no_argument, NULL, 'h' },
	{ "all", no_argument, NULL, OPT_ALL },
	{ "dry-run", no_argument, NULL, OPT_DRY_RUN },
	{ "cpu", no_argument, NULL, OPT_CPU },
	{ "timestamps", no_argument, NULL, OPT_TIMESTAMPS },
	{ "ignore-existing", no_argument, NULL, OPT_IGNORE_EXISTING },
	{ "count", required_argument, NULL, 'N' },
	{ "once", no_argument, NULL, OPT_ONCE },
	{ "delay", required_argument, NULL, 'd' },
	{ "settings", no_argument, NULL, OPT_SETTINGS },
	{ "buffer", required_argument, NULL, OPT_BUFFER },
	{ "resync", no_argument, NULL, OPT_RESYNC },
	{ "sort", required_argument, NULL, OPT_SORT },
	{ "human", no_argument, NULL, OPT_HUMAN },
	{ "event", required_argument, NULL, OPT_EVENT },
	{ "openmetrics", no_argument, NULL, OPT_OPENMETRICS },
	{ "log", required_argument, NULL, OPT_LOG },
	{ "confirm", required_argument, NULL, OPT_CONFIRM },
	{ "force", no_argument, NULL, OPT_FORCE },
	{ "top", required_argument, NULL, OPT_TOP },
	{ NULL, 0, NULL, 0 },
};

const struct verb *find_verb(const char *name)
{
	size_t i;

	for (i = 0; i < n_verbs; i++)
		if (!strcmp(verbs[i].name, name))
			return &verbs[i];
	return NULL;
}

/* Letters of options that only some verbs have. */
int option_of(int c)
{
	switch (c) {
	case 'd':
		return OPT_DELAY;
	case 'N':
		return OPT_COUNT;
	default:
		return c;
	}
}

/**
 * verb_has_option() - whether a verb has an option
 * @verb: verb
 * @option: what getopt_long(3) says of it, by option_of()
 *
 * Return: true for what every verb has, too.
 */
bool verb_has_option(const struct verb *verb, int option)
{
	return option < OPT_ALL || verb->only & ONLY(option);
}
