// SPDX-License-Identifier: GPL-2.0
/*
 * flowtrack show: the settings.
 */
#include <assert.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>

#include "cmd.h"
#include "names.h"
#include "nl.h"
#include "settings.h"

static_assert(__FLOWTRACK_A_SETTINGS_MAX <= 64, "too many settings");

struct values {
	__u32 *value;
	__u64 *has;
};

static int settings_message(const struct nlmsghdr *nlh, void *data)
{
	const struct values *v = data;
	const struct nlattr *a;

	mnl_attr_for_each(a, nlh, GENL_HDRLEN) {
		unsigned int type = mnl_attr_get_type(a);

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
 *
 * Return: an exit code.
 */
int get_settings(struct nl *nl, __u32 *value, __u64 *has)
{
	struct values v = { .value = value, .has = has };

	*has = 0;
	return nl_talk(nl, nl_request(nl, FLOWTRACK_CMD_SETTINGS_GET),
		       settings_message, &v);
}

/**
 * print_setting() - print one setting
 * @o: output
 * @attr: FLOWTRACK_A_SETTINGS_*
 * @value: value
 * @json: as a member of an object
 * @first: no comma before it
 */
void print_setting(struct out *o, int attr, __u32 value, bool json, bool first)
{
	const struct setting *s = &settings[attr];
	const char *word = s->words ? name_of(s->words, value) : NULL;
	const char *quote = word && json ? "\"" : "";

	if (json)
		out_fmt(o, "%s\"%s\":", first ? "" : ",", s->name);
	else
		out_fmt(o, "%s=", s->name);
	if (word)
		out_fmt(o, "%s%s%s", quote, word, quote);
	else
		out_fmt(o, s->kind == SETTING_HEX && !json ? "0x%x" : "%u",
			value);
	if (!json)
		out_str(o, "\n");
}

int cmd_show(const struct options *opts, int argc, char **argv)
{
	__u32 value[__FLOWTRACK_A_SETTINGS_MAX];
	__u64 has = 0, wanted = 0;
	static struct nl nl;
	bool first = true;
	int i, attr, code;

	for (i = 0; i < argc; i++) {
		attr = setting_find(argv[i]);
		if (attr < 0)
			return unknown_setting(argv[i]);
		wanted |= 1ULL << attr;
	}
	code = nl_open(&nl, opts->netns);
	if (code)
		return code;
	code = get_settings(&nl, value, &has);
	nl_close(&nl);
	if (code)
		return code;
	if (wanted & ~has)
		return err_set(EXIT_REFUSED,
			       "the module lacks some of these settings");
	if (!wanted)
		wanted = has;
	if (opts->json)
		out_str(&std, "{");
	for (attr = 1; attr < __FLOWTRACK_A_SETTINGS_MAX; attr++) {
		if (!(wanted >> attr & 1) || !settings[attr].name)
			continue;
		print_setting(&std, attr, value[attr], opts->json, first);
		first = false;
	}
	if (opts->json)
		out_str(&std, "}\n");
	return out_close(&std);
}
