// SPDX-License-Identifier: GPL-2.0-only
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "traffic.h"

atomic_bool stopped;

static uint64_t random_state = 1;

void die(const char *format, ...)
{
	int error = errno;
	va_list args;

	va_start(args, format);
	fputs("traffic: ", stderr);
	vfprintf(stderr, format, args);
	if (error)
		fprintf(stderr, " (errno: %s)", strerror(error));
	fputc('\n', stderr);
	va_end(args);
	exit(2);
}

/* Seconds, of a clock that never jumps. */
double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static void on_signal(int signo)
{
	(void)signo;
	stopped = true;
}

void catch_signals(void)
{
	struct sigaction action = { .sa_handler = on_signal };

	/* No SA_RESTART: a thread that waits is to wake up. */
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
}

void many_files(void)
{
	struct rlimit limit = { MANY_FILES, MANY_FILES };

	/* Without root's rights the process gets what there is. */
	if (setrlimit(RLIMIT_NOFILE, &limit) &&
	    !getrlimit(RLIMIT_NOFILE, &limit)) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/* Both sides of a comparison get the same packets: by the same seed. */
void seed_random(uint64_t seed)
{
	random_state = seed * 0x9e3779b97f4a7c15ULL + 1;
}

/* splitmix64 */
uint64_t random64(void)
{
	uint64_t z = random_state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

double parse_number(const char *text, double min, double max)
{
	double value;
	char *end;

	errno = 0;
	value = strtod(text, &end);
	if (end == text || *end || value < min || value > max)
		die("'%s' is not a number from %g to %g", text, min, max);
	return value;
}

/* ADDRESS or ADDRESS/LENGTH */
struct prefix parse_prefix(const char *text)
{
	struct prefix prefix = { .size = 1 };
	const char *slash = strchr(text, '/');
	char address[INET_ADDRSTRLEN];
	struct in_addr in;

	errno = 0;
	if (slash)
		prefix.size = 1U << (32 - (int)parse_number(slash + 1, 8, 32));
	snprintf(address, sizeof(address), "%.*s",
		 slash ? (int)(slash - text) : (int)strlen(text), text);
	if (inet_pton(AF_INET, address, &in) != 1)
		die("'%s' is not an IPv4 address or prefix", text);
	prefix.net = ntohl(in.s_addr);
	if (prefix.net & (prefix.size - 1))
		die("'%s' has bits beyond its prefix", text);
	return prefix;
}

/* One of ATTACK_OPTIONS; false: it is none. */
bool attack_option(struct attack *attack, int opt, const char *value)
{
	switch (opt) {
	case 'i':
		attack->dev = value;
		return true;
	case 'g':
		attack->mac = value;
		return true;
	case 's':
		attack->sources = parse_prefix(value);
		return true;
	case 'd':
		attack->target = parse_prefix(value);
		return true;
	case 'p':
		attack->port = parse_number(value, 1, 65535);
		return true;
	case 'r':
		attack->rate = parse_number(value, 1, 1e6);
		return true;
	case 'n':
		attack->count = parse_number(value, 1, 1e7);
		return true;
	case 't':
		attack->seconds = parse_number(value, 0.1, 600);
		return true;
	default:
		return false;
	}
}

/* An attack without a bound is none of ours. */
bool attack_complete(const struct attack *attack)
{
	return attack->dev && attack->mac && attack->sources.size &&
	       attack->target.size && attack->rate && attack->count &&
	       attack->seconds;
}

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
} commands[] = {
	{ "serve", cmd_serve, "web, login and echo service" },
	{ "clients", cmd_clients, "those that the services are for" },
	{ "flood", cmd_flood, "packets from forged sources" },
	{ "greedy", cmd_greedy, "few sources that open and keep connections" },
};

int main(int argc, char **argv)
{
	size_t i;

	for (i = 0; argc > 1 && i < sizeof(commands) / sizeof(*commands); i++)
		if (!strcmp(argv[1], commands[i].name))
			return commands[i].run(argc - 1, argv + 1);
	for (i = 0; i < sizeof(commands) / sizeof(*commands); i++)
		fprintf(stderr, "traffic %-8s  %s\n", commands[i].name,
			commands[i].help);
	return 2;
}
