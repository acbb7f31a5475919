/* SPDX-License-Identifier: GPL-2.0-only */
/* The traffic of the scenarios: what its parts share. */
#ifndef _TRAFFIC_H
#define _TRAFFIC_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOGIN_PORT	22
#define WEB_PORT	80
#define ECHO_PORT	7

/* Size of the page that the web server answers with, head included. */
#define PAGE_SIZE_BYTES	4096

/* Files that one process may have open, at most. */
#define MANY_FILES	200000

/**
 * struct prefix - a range of IPv4 addresses, in host order
 * @net: its first address
 * @size: how many addresses, a power of two
 */
struct prefix {
	uint32_t net;
	uint32_t size;
};

/**
 * struct attack - what both commands that attack are told
 * @dev: interface
 * @mac: address of the gateway
 * @sources: addresses to send from
 * @target: and to
 * @port: destination port; 0: not given
 * @rate: packets or connections, per second
 * @count: how many, at most
 * @seconds: for how long, at most
 */
struct attack {
	const char *dev;
	const char *mac;
	struct prefix sources;
	struct prefix target;
	uint16_t port;
	double rate;
	uint64_t count;
	double seconds;
};

/* Their options, for getopt(). */
#define ATTACK_OPTIONS	"i:g:s:d:p:r:n:t:"

/* Set by SIGTERM and SIGINT once catch_signals() was called. */
extern atomic_bool stopped;

int cmd_serve(int argc, char **argv);
int cmd_clients(int argc, char **argv);
int cmd_flood(int argc, char **argv);
int cmd_greedy(int argc, char **argv);

void die(const char *format, ...)
	__attribute__((format(printf, 1, 2), noreturn));
double now(void);
void catch_signals(void);
void many_files(void);
void seed_random(uint64_t seed);
uint64_t random64(void);
double parse_number(const char *text, double min, double max);
struct prefix parse_prefix(const char *text);
bool attack_option(struct attack *attack, int opt, const char *value);
bool attack_complete(const struct attack *attack);

#endif /* _TRAFFIC_H */
