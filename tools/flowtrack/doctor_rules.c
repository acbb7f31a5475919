// SPDX-License-Identifier: GPL-2.0
/*
 * What a ruleset has that matters to connection tracking: from 'nft -j list
 * ruleset' and from iptables-save. Nothing here judges it.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "doctor.h"

#define N_OF(array)	(sizeof(array) / sizeof((array)[0]))

#define CT		RULES_BIT(CT)
#define NAT		(CT | RULES_BIT(NAT))
#define DNAT		(NAT | RULES_BIT(DNAT))
#define REDIRECT	(DNAT | RULES_BIT(REDIRECT))

/* Statements and expressions of nftables, by the key that their object has. */
static const struct {
	const char *key;
	unsigned int has;
} nft_keys[] = {
	{ "ct", CT },
	{ "ct count", CT | RULES_BIT(CT_COUNT) },
	{ "ct helper", CT | RULES_BIT(HELPER) },
	{ "ct timeout", CT | RULES_BIT(TIMEOUT) },
	{ "ct expectation", CT | RULES_BIT(EXPECTATION) },
	{ "secmark", CT | RULES_BIT(SECMARK) },
	{ "flow", CT | RULES_BIT(FLOWTABLE) },
	{ "synproxy", CT | RULES_BIT(SYNPROXY) },
	{ "masquerade", NAT },
	{ "snat", NAT },
	{ "dnat", DNAT },
	{ "redirect", REDIRECT },
};

/* What "ct" is asked for, or told. */
static const struct {
	const char *key;
	unsigned int has;
} ct_keys[] = {
	{ "bytes", RULES_BIT(BYTES) },
	{ "packets", RULES_BIT(BYTES) },
	{ "avgpkt", RULES_BIT(BYTES) },
	{ "label", RULES_BIT(LABEL) },
	{ "secmark", RULES_BIT(SECMARK) },
	{ "event", RULES_BIT(EVENT) },
	{ "helper", RULES_BIT(HELPER) },
};

/* Words of iptables-save; each with the blank in front of it. */
static const struct {
	const char *words;
	unsigned int has;
} iptables_words[] = {
	{ " -m conntrack", CT },
	{ " -m state", CT },
	{ " -m connmark", CT },
	{ " -m connbytes", CT | RULES_BIT(BYTES) },
	{ " -m connlimit", CT | RULES_BIT(CT_COUNT) },
	{ " -m connlabel", CT | RULES_BIT(LABEL) },
	{ " -m helper", CT | RULES_BIT(HELPER) },
	{ " --helper ", CT | RULES_BIT(HELPER) },
	{ " -j CT", CT },
	{ " --timeout ", CT | RULES_BIT(TIMEOUT) },
	{ " -j CONNSECMARK", CT | RULES_BIT(SECMARK) },
	{ " --ctevents ", CT | RULES_BIT(EVENT) },
	{ " -j CONNMARK", CT },
	{ " -j SYNPROXY", CT | RULES_BIT(SYNPROXY) },
	{ " -j FLOWOFFLOAD", CT | RULES_BIT(FLOWTABLE) },
	{ " -j MASQUERADE", NAT },
	{ " -j SNAT", NAT },
	{ " -j DNAT", DNAT },
	{ " -j REDIRECT", REDIRECT },
	{ " -j NETMAP", DNAT },
	/* The packet's mark is the connection's: whatever that is. */
	{ " --restore-mark", RULES_BIT(ANY_MARK) },
};

static void add_mark(struct rules *r, __u32 mark)
{
	if (r->marks < DOCTOR_MARKS)
		r->mark[r->marks++] = mark;
	else
		r->has |= RULES_BIT(ANY_MARK);
}

/* The numbers of an expression; one that has none depends on the packet. */
static unsigned int add_marks(struct rules *r, json_t *value)
{
	unsigned int n = 0;
	const char *key;
	json_t *inner;
	size_t i;

	if (json_is_integer(value)) {
		add_mark(r, json_integer_value(value));
		return 1;
	}
	json_object_foreach(value, key, inner)
		n += add_marks(r, inner);
	json_array_foreach(value, i, inner)
		n += add_marks(r, inner);
	return n;
}

/* { "mangle": { "key": { "meta": { "key": "mark" } }, "value": ... } } */
static void take_mangle(struct rules *r, json_t *mangle)
{
	json_t *meta = json_object_get(json_object_get(mangle, "key"), "meta");
	const char *key = json_string_value(json_object_get(meta, "key"));

	if (key && !strcmp(key, "mark") && !add_marks(r, json_object_get(mangle, "value")))
		r->has |= RULES_BIT(ANY_MARK);
}

static void take_ct(struct rules *r, json_t *ct)
{
	const char *key = json_string_value(json_object_get(ct, "key"));
	size_t i;

	for (i = 0; key && i < N_OF(ct_keys); i++)
		if (!strcmp(ct_keys[i].key, key))
			r->has |= ct_keys[i].has;
}

static void take_nft(struct rules *r, json_t *at)
{
	const char *key;
	json_t *inner;
	size_t i;

	json_array_foreach(at, i, inner)
		take_nft(r, inner);
	json_object_foreach(at, key, inner) {
		for (i = 0; i < N_OF(nft_keys); i++)
			if (!strcmp(nft_keys[i].key, key))
				r->has |= nft_keys[i].has;
		if (!strcmp(key, "ct"))
			take_ct(r, inner);
		if (!strcmp(key, "mangle"))
			take_mangle(r, inner);
		take_nft(r, inner);
	}
}

static void take_rule(struct rules *r, json_t *rule)
{
	const char *family = json_string_value(json_object_get(rule, "family"));
	unsigned int others = r->has;

	r->has = 0;
	take_nft(r, json_object_get(rule, "expr"));
	if (family && !strcmp(family, "bridge") && r->has & CT)
		r->has |= RULES_BIT(BRIDGE);
	r->has |= others;
}

/**
 * rules_from_nft() - read what 'nft -j list ruleset' prints
 * @r: added to
 * @json: its output; what is no JSON changes nothing
 */
void rules_from_nft(struct rules *r, FILE *json)
{
	json_t *root = json_loadf(json, 0, NULL), *item;
	const char *type;
	size_t i;

	if (!root)
		return;
	r->known = true;
	/* A table, a set or an object that no rule uses does nothing. */
	json_array_foreach(json_object_get(root, "nftables"), i, item) {
		type = json_string_value(json_object_get(json_object_get(item, "chain"), "type"));
		if (type && !strcmp(type, "nat"))
			r->has |= NAT;
		take_rule(r, json_object_get(item, "rule"));
	}
	json_decref(root);
}

/* " --set-xmark 0x100/0x100" of MARK; CONNMARK's is the connection's. */
static void take_iptables_mark(struct rules *r, const char *line)
{
	static const char * const options[] = { " --set-xmark ", " --set-mark ", " --or-mark " };
	const char *at;
	size_t i;

	if (!strstr(line, " -j MARK"))
		return;
	for (i = 0; i < N_OF(options); i++) {
		at = strstr(line, options[i]);
		if (at)
			add_mark(r, strtoul(at + strlen(options[i]), NULL, 0));
	}
}

/**
 * rules_from_iptables() - read what iptables-save prints
 * @r: added to
 * @save: its output
 */
void rules_from_iptables(struct rules *r, FILE *save)
{
	char line[4096];
	size_t i;

	while (fgets(line, sizeof(line), save)) {
		if (line[0] == '*')
			r->known = true;
		if (strncmp(line, "-A ", 3))
			continue;
		for (i = 0; i < N_OF(iptables_words); i++)
			if (strstr(line, iptables_words[i].words))
				r->has |= iptables_words[i].has;
		take_iptables_mark(r, line);
	}
}

/**
 * rules_give_mark() - whether a rule may give a packet a mark
 * @r: rulesets
 * @mark: the mark
 * @mask: bits of it that count
 *
 * Return: true in doubt.
 */
bool rules_give_mark(const struct rules *r, __u32 mark, __u32 mask)
{
	unsigned int i;

	if (!r->known || r->has & RULES_BIT(ANY_MARK))
		return true;
	for (i = 0; i < r->marks; i++)
		if ((r->mark[i] & mask) == (mark & mask))
			return true;
	return false;
}
