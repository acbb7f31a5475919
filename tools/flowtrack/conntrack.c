// SPDX-License-Identifier: GPL-2.0
#include <string.h>

#include "conntrack.h"

/**
 * struct habit - an option of conntrack(8), and what it is here
 * @letter: one letter; 0: it has none, or this is another name for it
 * @name: long name, the same that conntrack's table has
 * @here: what to write instead
 */
static const struct habit {
	char letter;
	const char *name;
	const char *here;
} habits[] = {
	/* What it does. */
	{ 'L', "dump", "'flowtrack list [FILTER]'" },
	{ 'G', "get", "'flowtrack get TUPLE'" },
	{ 'D', "delete", "'flowtrack del FILTER'" },
	{ 'I', "create", "'flowtrack add TUPLE'" },
	{ 'A', "add", "'flowtrack add TUPLE'" },
	{ 'U', "update", "not in flowtrack; 'conntrack -U' does it, with nf_flowtrack_ctnetlink" },
	{ 'E', "event", "'flowtrack monitor [FILTER]'" },
	{ 'F', "flush", "'flowtrack flush'" },
	{ 'C', "count", "'flowtrack count [FILTER]'" },
	{ 'S', "stats", "'flowtrack stats'" },
	{ 'R', "load-file", "'flowtrack restore FILE', which reads what 'flowtrack save' wrote" },
	/* What it does it with. */
	{ 's', "src", "the word 'src ADDR'" },
	{ 0, "orig-src", "the word 'src ADDR'" },
	{ 'd', "dst", "the word 'dst ADDR'" },
	{ 0, "orig-dst", "the word 'dst ADDR'" },
	{ 'r', "reply-src", "the word 'reply-src ADDR'" },
	{ 'q', "reply-dst", "the word 'reply-dst ADDR'" },
	{ 'n', "src-nat", "the words 'guarded reply-dst ADDR'" },
	{ 'g', "dst-nat", "the words 'guarded reply-src ADDR'" },
	{ 'j', "any-nat", "the words 'guarded host ADDR'" },
	{ 'p', "protonum", "a word of its own: 'tcp', 'udp', 'proto N'" },
	{ 0, "proto", "a word of its own: 'tcp', 'udp', 'proto N'" },
	{ 'f', "family", "-4 or -6" },
	{ 't', "timeout", "the word 'timeout TIME', of 'flowtrack add'" },
	{ 'u', "status", "the word 'class NAME' in a filter, 'status NAME' of 'flowtrack add'" },
	{ 'm', "mark", "the word 'mark N[/MASK]'" },
	{ 'w', "zone", "the word 'zone N'" },
	{ 0, "orig-zone", "the word 'zone N'; zones of one direction are nf_conntrack's" },
	{ 0, "reply-zone", "the word 'zone N'; zones of one direction are nf_conntrack's" },
	{ 'i', "id", "the words 'id N' behind get or del" },
	{ 'b', "buffer-size", "--buffer, of 'flowtrack monitor'" },
	{ 'e', "event-mask", "--event, of 'flowtrack monitor'" },
	{ 'o', "output", "-j, and --timestamps of 'flowtrack monitor'; ids are always shown" },
	{ 'z', "zero", "not in flowtrack: counters only grow" },
	{ 'c', "secmark", "not in flowtrack, which stores no SELinux labels" },
	{ 'l', "label", "not in flowtrack: flows with labels stay in nf_conntrack" },
	{ 0, "label-add", "not in flowtrack: flows with labels stay in nf_conntrack" },
	{ 0, "label-del", "not in flowtrack: flows with labels stay in nf_conntrack" },
	{ 0, "sport", "the word 'sport N'" },
	{ 0, "orig-port-src", "the word 'sport N'" },
	{ 0, "dport", "the word 'dport N'" },
	{ 0, "orig-port-dst", "the word 'dport N'" },
	{ 0, "reply-port-src", "the word 'reply-sport N'" },
	{ 0, "reply-port-dst", "the word 'reply-dport N'" },
	{ 0, "state", "the word 'state NAME'" },
	{ 0, "mask-src", "'src ADDR/LEN'" },
	{ 0, "mask-dst", "'dst ADDR/LEN'" },
	{ 0, "tuple-src", "not in flowtrack: expectations are nf_conntrack's" },
	{ 0, "tuple-dst", "not in flowtrack: expectations are nf_conntrack's" },
};

#define N_HABITS	(sizeof(habits) / sizeof(habits[0]))

/**
 * conntrack_letter() - what an option of conntrack is here
 * @letter: the option
 *
 * Return: what to write instead; NULL: conntrack has no such option.
 */
const char *conntrack_letter(int letter)
{
	size_t i;

	for (i = 0; i < N_HABITS; i++)
		if (letter && habits[i].letter == letter)
			return habits[i].here;
	return NULL;
}

/**
 * conntrack_option() - what a long option of conntrack is here
 * @name: its name, without hyphens; a verb of conntrack's will do
 * @len: bytes of it
 *
 * Return: what to write instead; NULL: conntrack has no such option.
 */
const char *conntrack_option(const char *name, size_t len)
{
	size_t i;

	for (i = 0; i < N_HABITS; i++)
		if (strlen(habits[i].name) == len && !memcmp(habits[i].name, name, len))
			return habits[i].here;
	return NULL;
}
