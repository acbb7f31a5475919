// SPDX-License-Identifier: GPL-2.0
/*
 * flowtrack set: change settings, all in one request.
 */
#include <libmnl/libmnl.h>
#include <string.h>

#include "cmd.h"
#include "names.h"
#include "nl.h"
#include "parse.h"
#include "settings.h"

int unknown_setting(const char *name)
{
	const char *near = setting_close(name);

	err_set(EXIT_USAGE, "unknown setting '%s'", name);
	if (near)
		err_add(", did you mean '%s'?", near);
	else
		err_add(": see 'flowtrack show'");
	return EXIT_USAGE;
}

/**
 * parse_setting() - read the value of a setting
 * @attr: FLOWTRACK_A_SETTINGS_*
 * @word: as typed; a number will do for every setting
 * @value: filled in
 *
 * Return: an exit code.
 */
int parse_setting(int attr, const char *word, __u32 *value)
{
	const struct setting *s = &settings[attr];
	const char *wanted = "a number of 32 bits";
	char list[64];
	int v;

	if (parse_u32(word, value))
		return EXIT_OK;
	switch (s->kind) {
	case SETTING_SWITCH:
		v = same_word(word, "on") || same_word(word, "yes") ? 1 :
		    same_word(word, "off") || same_word(word, "no") ? 0 : -1;
		if (v >= 0) {
			*value = v;
			return EXIT_OK;
		}
		wanted = "on, off or a number";
		break;
	case SETTING_SECONDS:
		if (parse_seconds(word, value))
			return EXIT_OK;
		wanted = "whole seconds, or numbers with units s, m, h, d";
		break;
	case SETTING_WORD:
		v = value_of(s->words, word);
		if (v >= 0) {
			*value = v;
			return EXIT_OK;
		}
		name_list(s->words, list, sizeof(list));
		return err_set(EXIT_USAGE,
			       "bad value '%s' of '%s': expected one of %s",
			       word, s->name, list);
	default:
		break;
	}
	return err_set(EXIT_USAGE, "bad value '%s' of '%s': expected %s", word,
		       s->name, wanted);
}

/**
 * parse_settings() - read settings with their values
 * @argc: how many words
 * @argv: NAME VALUE or NAME=VALUE, again and again
 * @value: filled in, by FLOWTRACK_A_SETTINGS_*
 * @has: bits of those that were given
 *
 * Return: an exit code.
 */
int parse_settings(int argc, char **argv, __u32 *value, __u64 *has)
{
	const char *word = NULL;
	struct words w;
	int attr, code;

	*has = 0;
	words_init(&w, argc, argv);
	while (words_next(&w)) {
		attr = setting_find(w.key);
		if (attr < 0)
			return unknown_setting(w.key);
		if (settings[attr].readonly)
			return err_set(EXIT_USAGE,
				       "'%s' can only be read", w.key);
		code = words_value(&w, &word);
		if (code)
			return code;
		if (*has >> attr & 1)
			return words_twice(&w);
		code = parse_setting(attr, word, &value[attr]);
		if (code)
			return code;
		*has |= 1ULL << attr;
	}
	return EXIT_OK;
}

int cmd_set(const struct options *opts, int argc, char **argv)
{
	__u32 value[__FLOWTRACK_A_SETTINGS_MAX];
	static struct nl nl;
	struct nlmsghdr *req;
	bool first = true;
	__u64 has;
	int attr, code;

	if (!argc)
		return err_set(EXIT_USAGE,
			       "set needs a setting and its value");
	code = parse_settings(argc, argv, value, &has);
	if (code)
		return code;
	code = nl_open(&nl, opts->netns);
	if (code)
		return code;
	req = nl_request(&nl, FLOWTRACK_CMD_SETTINGS_SET);
	for (attr = 1; attr < __FLOWTRACK_A_SETTINGS_MAX; attr++)
		if (has >> attr & 1)
			mnl_attr_put_u32(req, attr, value[attr]);
	code = nl_talk(&nl, req, NULL, NULL);
	nl_close(&nl);
	if (code || !opts->json)
		return code;
	out_str(&std, "{");
	for (attr = 1; attr < __FLOWTRACK_A_SETTINGS_MAX; attr++) {
		if (!(has >> attr & 1))
			continue;
		print_setting(&std, attr, value[attr], true, first);
		first = false;
	}
	out_str(&std, "}\n");
	return out_close(&std);
}
