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
	struct prefix sources = { 0 }, destinations = { 0 };
	const char *dev = NULL, *mac = NULL;
	double rate = 0, seconds = 0, start, t;
	uint64_t count = 0, made = 0, due;
	uint16_t port = 0;
	bool syn;
	int opt;

	if (argc < 2 || (strcmp(argv[1], "syn") && strcmp(argv[1], "udp"))) {
		fputs(usage, stderr);
		return 2;
	}
	syn = !strcmp(argv[1], "syn");
	seed_random(1);
	while ((opt = getopt(argc - 1, argv + 1, "i:g:s:d:p:r:n:t:S:")) != -1) {
		switch (opt) {
		case 'i':
			dev = optarg;
			break;
		case 'g':
			mac = optarg;
			break;
		case 's':
			sources = parse_prefix(optarg);
			break;
		case 'd':
			destinations = parse_prefix(optarg);
			break;
		case 'p':
			port = parse_number(optarg, 1, 65535);
			break;
		case 'r':
			rate = parse_number(optarg, 1, 1e6);
			break;
		case 'n':
			count = parse_number(optarg, 1, 1e7);
			break;
		case 't':
			seconds = parse_number(optarg, 0.1, 600);
			break;
		case 'S':
			seed_random(parse_number(optarg, 0, 1e9));
			break;
		default:
			fputs(usage, stderr);
			return 2;
		}
	}
	if (!dev || !mac || !sources.size || !destinations.size || !rate ||
	    !count || !seconds)
		die("flood: something is missing\n%s", usage);

	catch_signals();
	raw_open(&raw, dev, mac);
	start = now();
	while (!stopped && made < count && (t = now() - start) < seconds) {
		due = t * rate;
		if (due > count)
			due = count;
		/* Behind by more than a tenth: do not make up in one burst. */
		if (due > made + rate / 10 + 1)
			due = made + rate / 10 + 1;
		while (made < due) {
			send_one(syn, &sources, &destinations, port);
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
