// SPDX-License-Identifier: GPL-2.0
#include <stdarg.h>
#include <stdio.h>

#include "advise.h"

#define FLOW_BYTES	144	/* of IPv4, with its share of the table */
#define SLOTS		7	/* of a bucket */
#define MAX_LEAST	16384	/* a table that costs nothing to speak of */

struct list {
	struct advice *of;
	unsigned int n;
};

static void say(struct list *list, const char *command, const char *why, ...)
	__attribute__((format(printf, 3, 4)));

/* @command: what make() made, or "". */
static void say(struct list *list, const char *command, const char *why, ...)
{
	struct advice *one = &list->of[list->n++];
	va_list ap;

	snprintf(one->command, sizeof(one->command), "%s", command);
	va_start(ap, why);
	vsnprintf(one->why, sizeof(one->why), why, ap);
	va_end(ap);
}

static const char *make(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static const char *make(const char *fmt, ...)
{
	static char command[128];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(command, sizeof(command), fmt, ap);
	va_end(ap);
	return command;
}

/* A number that one can remember: two digits, up. */
static __u64 round_up(__u64 n)
{
	__u64 unit = 1;

	while (n / unit >= 100)
		unit *= 10;
	return (n + unit - 1) / unit * unit;
}

/*
 * Twice what was seen: a look is short, and days differ. A full table shows less
 * than there is: those that it refused or evicted would be in it, too.
 */
static __u64 room_needed(const struct load *l)
{
	__u64 lost = l->refused + l->evicted, room = 2 * l->peak;

	if (lost)
		room += 2 * l->peak * lost / (l->opened + 1);
	return room > MAX_LEAST ? room : MAX_LEAST;
}

static void advise_max(const struct load *l, struct list *list)
{
	__u64 room = room_needed(l), most = l->memory / 8 / FLOW_BYTES;
	bool scarce = l->memory && room > most;

	if (scarce)
		room = most;
	if (l->max < room - room / 4)
		say(list, make("flowtrack set max %llu", round_up(room)),
		    "%llu flows were seen, %llu had no place: twice that%s, %llu MB", l->peak,
		    l->refused + l->evicted, scarce ? ", or an eighth of the memory" : "",
		    round_up(room) * FLOW_BYTES >> 20);
	else if (l->memory && l->max > most && l->max > 4 * room)
		say(list, make("flowtrack set max %llu", round_up(room)),
		    "%llu flows were seen; %llu would take %llu MB, more than an eighth of the memory",
		    l->peak, l->max, l->max * FLOW_BYTES >> 20);
	else
		say(list, "", "max is %llu, and %llu flows were seen: it is large enough", l->max,
		    l->peak);
}

static void advise_buckets(const struct load *l, struct list *list)
{
	if (!l->buckets_auto && l->buckets * SLOTS < l->peak)
		say(list, "flowtrack set buckets auto",
		    "%llu buckets are fixed, and have room for %llu flows: chains are long",
		    l->buckets, l->buckets * SLOTS);
	else if (!l->buckets_auto && l->buckets > 2 * l->max)
		say(list, "flowtrack set buckets auto",
		    "%llu buckets are fixed, more than the table can ever use", l->buckets);
	else
		say(list, "", "%llu buckets %s", l->buckets,
		    l->buckets_auto ? "follow the number of flows" : "are fixed, and fit");
}

static void advise_timeouts(const struct load *l, struct list *list)
{
	if (l->established_timeout > ADVISE_IDLE && l->idle * 3 > l->peak && l->peak * 2 > l->max)
		say(list, make("flowtrack set tcp_timeout_established %u", ADVISE_IDLE),
		    "%llu of %llu established connections are silent for two hours, a third of the table",
		    l->idle, l->established);
	if (l->embryonic * 2 > l->peak && l->peak * 2 > l->max)
		say(list, "flowtrack set tcp_timeout_syn_sent 30 udp_timeout 15",
		    "%llu of %llu flows have had no answer, in a table that is more than half full",
		    l->embryonic, l->peak);
}

static void advise_sources(const struct load *l, struct list *list)
{
	if (l->source > 500 && !l->src_max && l->peak * 2 > l->max)
		say(list, make("flowtrack set src_max %llu", round_up(l->max / 4)),
		    "one source has %u%% of all flows: it could fill the table alone",
		    l->source / 10);
}

static void advise_conntrack(const struct load *l, struct list *list)
{
	__u64 room = round_up(2 * l->conntrack);

	if (l->conntrack_max && l->conntrack * 2 > l->conntrack_max)
		say(list, make("sysctl -w net.netfilter.nf_conntrack_max=%llu", room),
		    "nf_conntrack has %llu entries of %llu: what NAT and helpers need stays there",
		    l->conntrack, l->conntrack_max);
}

/**
 * advise() - say what a load needs
 * @load: the load
 * @advice: filled in
 *
 * Return: how many pieces of advice there are.
 */
unsigned int advise(const struct load *load, struct advice advice[ADVICE_MAX])
{
	struct list list = { .of = advice };

	advise_max(load, &list);
	advise_buckets(load, &list);
	advise_timeouts(load, &list);
	advise_sources(load, &list);
	advise_conntrack(load, &list);
	return list.n;
}
