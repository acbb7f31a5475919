// SPDX-License-Identifier: GPL-2.0
/*
 * Settings: asked for, read from words, printed. What show and set share.
 */
#include <assert.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <string.h>

#include "err.h"
#include "names.h"
#include "nl.h"
#include "out.h"
#include "parse.h"
#include "settings.h"

static_assert(__FLOWTRACK_A_SETTINGS_MAX <= 64, "too many settings");

struct values {
	__u32 *value;
	__u64 *has;
	__u64 *follow;
};

static int settings_message(const struct nlmsghdr *nlh, void *data)
{
	const struct values *v = data;
	const struct nlattr *a;

	mnl_attr_for_each(a, nlh, GENL_HDRLEN) {
		unsigned int type = mnl_attr_get_type(a);

		if (type == FLOWTRACK_A_SETTINGS_FOLLOWING &&
		    !mnl_attr_validate(a, MNL_TYPE_U64))
			*v->follow = mnl_attr_get_u64(a);
		if (type >= __FLOWTRACK_A_SETTINGS_MAX ||
		    mnl_attr_validate(a, MNL_TYPE_U32))
			continue;
		v->value[type] = mnl_attr_get_u32(a);
		*v->has |= 1ULL << type;
	}
	return 0;
}

/**
 * get_settings() - ask for all settings
 * @nl: socket
 * @value: filled in, by FLOWTRACK_A_SETTINGS_*
 * @has: bits of those that the kernel has
 * @follow: bits of those that follow nf_conntrack's
 *
 * Return: an exit code.
 */
int get_settings(struct nl *nl, __u32 *value, __u64 *has, __u64 *follow)
{
	struct values v = { .value = value, .has = has, .follow = follow };

	*has = 0;
	*follow = 0;
	return nl_talk(nl, nl_request(nl, FLOWTRACK_CMD_SETTINGS_GET),
		       settings_message, &v);
}

/**
 * settings_as_set() - make of values what set takes to bring them back
 * @value: by FLOWTRACK_A_SETTINGS_*; changed
 * @follow: bits of those that follow nf_conntrack's
 */
void settings_as_set(__u32 *value, __u64 follow)
{
	int attr;

	for (attr = 1; attr < __FLOWTRACK_A_SETTINGS_MAX; attr++)
		if (follow >> attr & 1)
			value[attr] = FLOWTRACK_SETTING_AUTO;
	if (value[FLOWTRACK_A_SETTINGS_BUCKETS_AUTO])
		value[FLOWTRACK_A_SETTINGS_BUCKETS] = 0;
}

/* A number that the module chose is told from one that was set. */
static const char *chosen(int attr, const __u32 *value, __u64 follow)
{
	bool automatic = attr == FLOWTRACK_A_SETTINGS_BUCKETS &&
			 value[FLOWTRACK_A_SETTINGS_BUCKETS_AUTO];

	return automatic || follow >> attr & 1 ? SETTING_AUTO ":" : "";
}

/**
 * print_setting() - print one setting, as parse_settings() reads it
 * @o: output
 * @attr: FLOWTRACK_A_SETTINGS_*
 * @value: values of all; 0 where the kernel did not say
 * @follow: bits of those that follow nf_conntrack's
 * @json: as a member of an object
 * @first: no comma before it
 */
void print_setting(struct out *o, int attr, const __u32 *value, __u64 follow, bool json,
		   bool first)
{
	const struct setting *s = &settings[attr];
	const char *word = s->names ? name_of(s->names, value[attr]) : NULL;
	const char *quote;

	/* As it is sent, not as it is shown. */
	if (s->follows && value[attr] == FLOWTRACK_SETTING_AUTO)
		word = SETTING_AUTO;
	quote = word && json ? "\"" : "";

	if (json)
		out_fmt(o, "%s\"%s\":", first ? "" : ",", s->name);
	else
		out_fmt(o, "%s=%s", s->name, chosen(attr, value, follow));
	if (word)
		out_fmt(o, "%s%s%s", quote, word, quote);
	else
		out_fmt(o, s->kind == SETTING_HEX && !json ? "0x%x" : "%u", value[attr]);
	if (!json)
		out_str(o, "\n");
}

/**
 * unknown_setting() - the error for a word that is no setting
 * @name: the word
 *
 * Return: an exit code.
 */
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

/* "auto", and "auto:65536", which says as well what was chosen. */
static bool is_auto(const char *word)
{
	const size_t len = sizeof(SETTING_AUTO) - 1;
	__u32 v;

	if (strncmp(word, SETTING_AUTO, len))
		return false;
	return !word[len] || (word[len] == ':' && parse_u32(word + len + 1, &v));
}

/**
 * parse_setting() - read the value of a setting
 * @attr: FLOWTRACK_A_SETTINGS_*
 * @word: as typed; a number will do for every setting
 * @value: filled in
 *
 * Return: an exit code.
 */
static int parse_setting(int attr, const char *word, __u32 *value)
{
	const struct setting *s = &settings[attr];
	const char *wanted = "a number of 32 bits";
	char list[64];
	int v;

	if (parse_u32(word, value))
		return EXIT_OK;
	if (s->follows && is_auto(word)) {
		*value = FLOWTRACK_SETTING_AUTO;
		return EXIT_OK;
	}
	switch (s->kind) {
	case SETTING_AUTOMATIC:
		if (is_auto(word)) {
			*value = 0;
			return EXIT_OK;
		}
		wanted = "a number, or auto";
		break;
	case SETTING_SWITCH:
		v = same_word(word, "on") || same_word(word, "yes") ? 1 :
		    same_word(word, "off") || same_word(word, "no") ? 0 :
		    s->names ? value_of(s->names, word) : -1;
		if (v >= 0) {
			*value = v;
			return EXIT_OK;
		}
		wanted = s->names || s->follows ? "on, off, a number or auto" :
						  "on, off or a number";
		break;
	case SETTING_SECONDS:
		if (parse_seconds(word, value))
			return EXIT_OK;
		wanted = "whole seconds, numbers with units s, m, h, d, or auto";
		break;
	case SETTING_NAME:
		v = value_of(s->names, word);
		if (v >= 0) {
			*value = v;
			return EXIT_OK;
		}
		name_list(s->names, list, sizeof(list));
		return err_set(EXIT_USAGE,
			       "bad value '%s' of '%s': expected one of %s",
			       word, s->name, list);
	default:
		break;
	}
	return err_set(EXIT_USAGE, "bad value '%s' of '%s': expected %s", word,
		       s->name, wanted);
}

static int cannot_set(const char *name)
{
	return err_set(EXIT_USAGE, "'%s' can only be read", name);
}

/**
 * parse_settings() - read settings with their values
 * @argc: how many words
 * @argv: NAME VALUE or NAME=VALUE, again and again; among others, settings that
 *	can only be read are skipped if written NAME=VALUE, as show prints them
 * @value: filled in, by FLOWTRACK_A_SETTINGS_*
 * @has: bits of those that were given
 *
 * Return: an exit code.
 */
int parse_settings(int argc, char **argv, __u32 *value, __u64 *has)
{
	const char *word = NULL;
	char readonly[64] = "";
	struct words w;
	int attr, code;

	*has = 0;
	words_init(&w, argc, argv);
	while (words_next(&w)) {
		attr = setting_find(w.key);
		if (attr < 0)
			return unknown_setting(w.key);
		if (settings[attr].readonly && !w.value)
			return cannot_set(w.key);
		if (settings[attr].readonly) {
			memcpy(readonly, w.key, sizeof(readonly));
			continue;
		}
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
	return readonly[0] && !*has ? cannot_set(readonly) : EXIT_OK;
}

/**
 * send_set() - change settings, all of them or none
 * @nl: socket
 * @value: by FLOWTRACK_A_SETTINGS_*
 * @has: bits of those that change
 *
 * Return: an exit code.
 */
int send_set(struct nl *nl, const __u32 *value, __u64 has)
{
	struct nlmsghdr *req = nl_request(nl, FLOWTRACK_CMD_SETTINGS_SET);
	int attr;

	for (attr = 1; attr < __FLOWTRACK_A_SETTINGS_MAX; attr++)
		if (has >> attr & 1)
			mnl_attr_put_u32(req, attr, value[attr]);
	return nl_talk(nl, req, NULL, NULL);
}
