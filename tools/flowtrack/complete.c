// SPDX-License-Identifier: GPL-2.0
/*
 * flowtrack complete: what may stand next on the command line, for the shells'
 * completion. It knows the tables that the verbs read, so that it offers
 * neither more nor less than they take. It asks neither the kernel nor for a
 * privilege.
 */
#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "complete.h"
#include "err.h"
#include "filter.h"
#include "flow.h"
#include "names.h"
#include "out.h"
#include "verb.h"

#define NETNS_DIR	"/run/netns"

/**
 * struct line - the words so far
 * @argv: those in front of the one that is being written
 * @argc: how many
 * @word: what there is of that one
 * @len: of @word
 */
struct line {
	char **argv;
	int argc;
	const char *word;
	size_t len;
};

static void offer(const struct line *l, const char *word)
{
	if (word && !strncmp(word, l->word, l->len))
		out_fmt(&std, "%s\n", word);
}

static void offer_names(const struct line *l, const struct names *names)
{
	unsigned int i;

	for (i = 0; i < names->n; i++)
		offer(l, names->name[i]);
}

static void offer_netns(const struct line *l)
{
	DIR *dir = opendir(NETNS_DIR);
	struct dirent *entry;

	if (!dir)
		return;
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			offer(l, entry->d_name);
	closedir(dir);
}

/* The protocol that the words name; -1: none. */
static int proto_of(const struct line *l)
{
	int i, proto;

	for (i = 0; i < l->argc; i++) {
		proto = proto_value(l->argv[i]);
		if (proto >= 0)
			return proto;
	}
	return -1;
}

static void offer_states(const struct line *l)
{
	int proto = proto_of(l);

	if (proto >= 0) {
		offer_names(l, proto_states(proto));
		return;
	}
	offer_names(l, &tcp_state_names);
	offer_names(l, &sctp_state_names);
	offer_names(l, &flow_state_names);
}

/* Values of a word of a filter or of a flow, where they are words themselves. */
static void offer_value(const struct line *l, const char *key)
{
	if (!strcmp(key, "state"))
		offer_states(l);
	else if (!strcmp(key, "class"))
		offer_names(l, &class_names);
	else if (!strcmp(key, "status"))
		offer_names(l, &status_names);
}

static void offer_filter(const struct line *l)
{
	const char *last = l->argc ? l->argv[l->argc - 1] : "";

	if (filter_key_has_value(last))
		offer_value(l, last);
	else
		offer_names(l, &filter_keys);
}

/* A word of a flow has a value, unless it is a protocol or a family. */
static bool flow_key_has_value(const char *key)
{
	return value_of(&flow_keys, key) >= 0 && proto_value(key) < 0 &&
	       strcmp(key, "ipv4") && strcmp(key, "ipv6");
}

static void offer_flow(const struct line *l, const struct names *keys)
{
	const char *last = l->argc ? l->argv[l->argc - 1] : "";
	unsigned int i;

	if (flow_key_has_value(last)) {
		offer_value(l, last);
		return;
	}
	offer_names(l, keys);
	/* Among the words of a tuple there are none of protocols. */
	for (i = keys->n; i < flow_keys.n; i++)
		if (proto_value(flow_keys.name[i]) >= 0)
			offer(l, flow_keys.name[i]);
}

static void offer_settings(const struct line *l, bool writable)
{
	int attr;

	for (attr = 1; attr < __FLOWTRACK_A_SETTINGS_MAX; attr++)
		if (settings[attr].name && !(writable && settings[attr].readonly))
			offer(l, settings[attr].name);
}

static void offer_setting_value(const struct line *l, const char *name)
{
	int attr = setting_find(name);

	if (attr < 0)
		return;
	switch (settings[attr].kind) {
	case SETTING_NAME:
		offer_names(l, settings[attr].names);
		break;
	case SETTING_SWITCH:
		offer(l, "on");
		offer(l, "off");
		break;
	case SETTING_AUTOMATIC:
		offer(l, "auto");
		break;
	default:
		break;
	}
}

static void offer_words_of(const struct line *l, const struct verb *verb)
{
	const char *last = l->argc ? l->argv[l->argc - 1] : "";
	struct line rest = *l;

	switch (verb->takes) {
	case TAKES_NOTHING:
		break;
	case TAKES_COUNT:
		if (l->argc == 1 && !strcmp(last, "by")) {
			offer_names(l, &count_by_names);
			break;
		}
		if (!l->argc)
			offer(l, "by");
		if (l->argc > 1 && !strcmp(l->argv[0], "by")) {
			rest.argv += 2;
			rest.argc -= 2;
		}
		offer_filter(&rest);
		break;
	case TAKES_MONITOR:
		if (!l->argc)
			offer(l, "pressure");
		offer_filter(l);
		break;
	case TAKES_FILTER:
		offer_filter(l);
		break;
	case TAKES_TUPLE:
		offer_flow(l, &tuple_keys);
		break;
	case TAKES_FLOW:
		offer_flow(l, &flow_keys);
		break;
	case TAKES_TOP:
		offer_names(l, &top_kind_names);
		offer_names(l, &top_order_names);
		break;
	case TAKES_VALUES:
		if (l->argc % 2)
			offer_setting_value(l, last);
		else
			offer_settings(l, true);
		break;
	case TAKES_SETTINGS:
		offer_settings(l, false);
		break;
	case TAKES_FILE:
		out_str(&std, COMPLETE_FILES "\n");
		break;
	}
}

static void offer_options(const struct line *l, const struct verb *verb)
{
	const struct option *o;
	char word[64];

	for (o = long_options; o->name; o++) {
		if (verb && !verb_has_option(verb, option_of(o->val)))
			continue;
		snprintf(word, sizeof(word), "--%s", o->name);
		offer(l, word);
	}
}

/* The option that a word is, if its value is the next word; NULL otherwise. */
static const struct option *option_with_value(const char *word)
{
	const struct option *o;

	if (word[0] != '-' || !word[1])
		return NULL;
	for (o = long_options; o->name; o++) {
		if (o->has_arg != required_argument)
			continue;
		if (word[1] == '-' ? !strcmp(word + 2, o->name) :
				     word[1] == o->val && !word[2])
			return o;
	}
	return NULL;
}

/**
 * complete() - print what may stand next on a command line
 * @argc: words behind the program's name
 * @argv: these; the last one is being written, and may be empty
 *
 * Return: an exit code; a line that makes no sense has nothing that may follow.
 */
int complete(int argc, char **argv)
{
	const struct verb *verb = NULL;
	const struct option *option;
	char *words[argc + 1];
	struct line l = { .argv = words };
	int i;

	if (!argc)
		return EXIT_OK;
	l.word = argv[argc - 1];
	l.len = strlen(l.word);
	for (i = 0; i < argc - 1; i++) {
		option = option_with_value(argv[i]);
		if (option && ++i == argc - 1) {
			if (option->val == 'n')
				offer_netns(&l);
			else if (option->val == OPT_SORT)
				offer_names(&l, &sort_names);
			else if (option->val == OPT_EVENT)
				offer_names(&l, &event_names);
			else if (option->val == OPT_LOG)
				out_str(&std, COMPLETE_FILES "\n");
			return out_close(&std);
		}
		if (option || argv[i][0] == '-')
			continue;
		if (verb)
			words[l.argc++] = argv[i];
		else
			verb = find_verb(argv[i]);
		if (!verb)
			return EXIT_OK;
	}
	if (l.word[0] == '-') {
		offer_options(&l, verb);
	} else if (verb) {
		offer_words_of(&l, verb);
	} else {
		for (i = 0; i < (int)n_verbs; i++)
			offer(&l, verbs[i].name);
	}
	return out_close(&std);
}
