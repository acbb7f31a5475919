// SPDX-License-Identifier: GPL-2.0-only
/*
 * Those that the services are for: connections that carry data all along, new
 * web clients, logins, idle connections, datagrams. All from sockets of the
 * kernel, each from an address of its own.
 *
 * Standard input says what to do:
 *   phase NAME     new web clients, logins and datagrams from now on, counted
 *                  under this name, whenever they end
 *   off            no new ones
 *   idle N K       open N idle connections, K of them with keepalive
 *   end            ask every open connection for one more answer, and report
 * Standard output: "up N" (streams that were answered), "idle N", and the
 * report as one line of JSON.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "traffic.h"

static const char usage[] =
	"usage: traffic clients -d ADDRESS -s SOURCES [-A ADDRESS] [-C ADDRESS] [-n STREAMS]\n"
	"                       [-e SECONDS] [-w RATE] [-l SECONDS] [-u RATE] [-L SECONDS] [-k SECONDS]\n"
	"-d who serves  -s prefix of the clients' addresses  -A who logs in\n"
	"-C who else serves: with each login there goes one to it, past all that is tested\n"
	"-n connections that carry a line each -e seconds  -w web clients a second\n"
	"-l one login each so many seconds  -u datagrams a second\n"
	"-L time limit of a web client and of a login  -k keepalive interval\n";

/* How long the last answer may take. */
#define LAST_ANSWER	10.0
/* Opening: connections a second, and how long an answer may take. */
#define OPEN_RATE	150
#define OPEN_LIMIT	15.0
/* Datagrams whose phase is remembered. */
#define PROBES		65536
#define PHASES		8

enum kind { STREAM = 1, IDLE, KEPT, WEB, LOGIN, CONTROL };

/**
 * struct peer - one connection of a client
 * @next: list of those that have a time limit
 * @kind: what it is for
 * @fd: socket, or -1 after it failed
 * @phase: when it began, as an index
 * @turn: STREAM, IDLE: lines sent
 * @waiting: a line was sent and its echo is not complete
 * @answered: lines that came back
 * @got: bytes that came back, of this line or page
 * @since: when it was opened or the line was sent
 * @due: STREAM: when the next line is due
 */
struct peer {
	struct peer *next;
	enum kind kind;
	int fd;
	int phase;
	unsigned int turn;
	bool waiting;
	unsigned int answered;
	size_t got;
	double since;
	double due;
};

/**
 * struct kind_count - how one kind of client fared in a phase
 * @tried: that began
 * @served: that had all they wanted in time
 * @unconnected: no connection in time
 * @unanswered: connected, no complete answer in time
 * @refused: an error from the other side
 * @first: when the first one had been served
 * @ms: time of each one served
 * @room: entries in @ms
 */
struct kind_count {
	unsigned int tried;
	unsigned int served;
	unsigned int unconnected;
	unsigned int unanswered;
	unsigned int refused;
	double first;
	float *ms;
	unsigned int room;
};

static struct phase {
	char name[256];
	double begin;
	double end;
	struct kind_count web;
	struct kind_count login;
	struct kind_count control;
	unsigned int probes_sent;
	unsigned int probes_answered;
	unsigned int lines;
	double longest;
} phases[PHASES];

static struct prefix pool;
static uint32_t server, admin, control;
static double every = 1, limit = 3, login_every, web_rate, probe_rate;
static int keepalive = 5;

static int phase = -1, phases_used;
static int ep, probe_fd = -1;
static struct peer *streams, *idles, *brief;
static unsigned int n_streams, n_idles;
static uint8_t probe_phase[PROBES];
static bool probe_seen[PROBES];
static uint32_t probe_serial, client_serial;
static bool ending;

static int source_socket(int type, uint32_t address, uint32_t target,
			 uint16_t port)
{
	struct sockaddr_in from = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(address),
	};
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(target),
		.sin_port = htons(port),
	};
	int fd, one = 1;

	fd = socket(AF_INET, type | SOCK_NONBLOCK, 0);
	if (fd < 0)
		die("socket");
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&from, sizeof(from)))
		die("bind");
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) &&
	    errno != EINPROGRESS)
		die("connect");
	return fd;
}

static void open_peer(struct peer *peer, enum kind kind, uint32_t address,
		      double t)
{
	struct epoll_event event = {
		.events = EPOLLIN | EPOLLOUT | EPOLLET,
		.data.ptr = peer,
	};
	static const uint16_t ports[] = {
		[STREAM] = ECHO_PORT,
		[IDLE] = ECHO_PORT,
		[KEPT] = ECHO_PORT,
		[WEB] = WEB_PORT,
		[LOGIN] = LOGIN_PORT,
		[CONTROL] = LOGIN_PORT,
	};

	*peer = (struct peer){ .kind = kind, .phase = phase, .since = t };
	peer->fd = source_socket(SOCK_STREAM, address,
				 kind == CONTROL ? control : server,
				 ports[kind]);
	if (kind == KEPT) {
		int one = 1;

		setsockopt(peer->fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
		setsockopt(peer->fd, IPPROTO_TCP, TCP_KEEPIDLE, &keepalive,
			   sizeof(keepalive));
		setsockopt(peer->fd, IPPROTO_TCP, TCP_KEEPINTVL, &keepalive,
			   sizeof(keepalive));
	}
	if (epoll_ctl(ep, EPOLL_CTL_ADD, peer->fd, &event))
		die("epoll");
}

static void close_peer(struct peer *peer)
{
	if (peer->fd >= 0)
		close(peer->fd);
	peer->fd = -1;
}

/* Start a client that is there for one answer only. */
static void open_brief(enum kind kind, uint32_t address, double t)
{
	struct peer *peer = malloc(sizeof(*peer));

	if (!peer)
		die("no memory");
	open_peer(peer, kind, address, t);
	peer->next = brief;
	brief = peer;
}

static struct kind_count *count_of(const struct peer *peer)
{
	struct phase *p = &phases[peer->phase];

	switch (peer->kind) {
	case WEB:
		return &p->web;
	case LOGIN:
		return &p->login;
	default:
		return &p->control;
	}
}

/* One that began at @since was served at @t. */
static void record(struct kind_count *count, double since, double t)
{
	if (count->served == count->room) {
		count->room = count->room ? 2 * count->room : 256;
		count->ms = realloc(count->ms, count->room * sizeof(*count->ms));
		if (!count->ms)
			die("no memory");
	}
	if (!count->served)
		count->first = t;
	count->ms[count->served++] = (t - since) * 1000;
}

/* The lines of a connection that carries them have this form, and length. */
static int line_of(const struct peer *peer, char *line, size_t size)
{
	return snprintf(line, size, "line %u of this connection\n", peer->turn);
}

static void say(struct peer *peer, double t)
{
	char line[64];
	int n;

	peer->turn++;
	n = line_of(peer, line, sizeof(line));
	peer->got = 0;
	peer->since = t;
	peer->waiting = true;
	if (send(peer->fd, line, n, MSG_NOSIGNAL) != n)
		close_peer(peer);
}

static void hear(struct peer *peer, const char *data, ssize_t n, double t)
{
	char line[64];
	int size = line_of(peer, line, sizeof(line));

	if (!peer->waiting || peer->got + n > (size_t)size ||
	    memcmp(line + peer->got, data, n)) {
		/* Not what was sent. */
		close_peer(peer);
		return;
	}
	peer->got += n;
	if (peer->got < (size_t)size)
		return;
	peer->waiting = false;
	peer->answered++;
	peer->due = peer->since + every;
	if (peer->kind == STREAM && phase >= 0) {
		phases[phase].lines++;
		if (t - peer->since > phases[phase].longest)
			phases[phase].longest = t - peer->since;
	}
}

static void on_readable(struct peer *peer, double t)
{
	static const char hello[] = "welcome\r\n";
	char data[8192];
	ssize_t n;

	while (peer->fd >= 0) {
		n = recv(peer->fd, data, sizeof(data), 0);
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			if (n == 0 && peer->kind == WEB &&
			    peer->got == PAGE_SIZE_BYTES)
				record(count_of(peer), peer->since, t);
			else if (peer->kind >= WEB)
				count_of(peer)->refused++;
			close_peer(peer);
		} else if (peer->kind == WEB) {
			peer->got += n;
		} else if (peer->kind == LOGIN || peer->kind == CONTROL) {
			if (peer->turn == 0) {
				peer->turn = 1;
				send(peer->fd, "login\r\n", 7, MSG_NOSIGNAL);
			} else if ((size_t)n == strlen(hello) &&
				   !memcmp(data, hello, n)) {
				record(count_of(peer), peer->since, t);
				close_peer(peer);
			}
		} else {
			hear(peer, data, n, t);
		}
	}
}

static void on_event(struct peer *peer, uint32_t events, double t)
{
	static const char request[] = "GET / HTTP/1.0\r\n\r\n";

	if (events & EPOLLOUT && !peer->turn && !(events & EPOLLERR)) {
		if (peer->kind == WEB) {
			peer->turn = 1;
			send(peer->fd, request, strlen(request), MSG_NOSIGNAL);
		} else if (peer->kind < WEB) {
			double since = peer->since;

			say(peer, t);
			/* The first answer is counted from the SYN on. */
			peer->since = since;
		}
	}
	if (events & (EPOLLIN | EPOLLERR | EPOLLHUP))
		on_readable(peer, t);
}

static void probe_answers(void)
{
	uint32_t serial;

	while (recv(probe_fd, &serial, sizeof(serial), 0) == sizeof(serial)) {
		serial %= PROBES;
		if (!probe_seen[serial]) {
			probe_seen[serial] = true;
			phases[probe_phase[serial]].probes_answered++;
		}
	}
}

static void probe(void)
{
	uint32_t serial = probe_serial++;

	probe_phase[serial % PROBES] = phase;
	probe_seen[serial % PROBES] = false;
	phases[phase].probes_sent++;
	send(probe_fd, &serial, sizeof(serial), 0);
}

/* How many should have begun since the phase did, at that rate? */
static unsigned int due_by(double rate, double t)
{
	return (t - phases[phase].begin) * rate + 1;
}

static void newcomers(double t)
{
	struct phase *p = &phases[phase];

	while (web_rate && p->web.tried < due_by(web_rate, t)) {
		p->web.tried++;
		/* Addresses above those of the streams, one after the other. */
		open_brief(WEB, pool.net + pool.size / 2 +
			   client_serial++ % (pool.size / 4), t);
	}
	while (login_every && p->login.tried < due_by(1 / login_every, t)) {
		p->login.tried++;
		open_brief(LOGIN, admin, t);
		if (control) {
			p->control.tried++;
			open_brief(CONTROL, admin, t);
		}
	}
	while (probe_rate && p->probes_sent < due_by(probe_rate, t))
		probe();
}

static void lines_and_limits(double t)
{
	struct peer **link = &brief, *peer;
	unsigned int i;

	for (i = 0; i < n_streams; i++) {
		peer = &streams[i];
		if (peer->fd >= 0 && peer->answered && !peer->waiting &&
		    peer->due <= t && !ending)
			say(peer, t);
	}
	while ((peer = *link)) {
		if (peer->fd >= 0 && t < peer->since + limit) {
			link = &peer->next;
			continue;
		}
		if (peer->fd >= 0) {
			struct tcp_info info = { 0 };
			socklen_t size = sizeof(info);

			getsockopt(peer->fd, IPPROTO_TCP, TCP_INFO, &info,
				   &size);
			if (info.tcpi_state == TCP_SYN_SENT)
				count_of(peer)->unconnected++;
			else
				count_of(peer)->unanswered++;
			close_peer(peer);
		}
		*link = peer->next;
		free(peer);
	}
}

static void turn_round(int ms)
{
	struct epoll_event events[128];
	int i, n = epoll_wait(ep, events, 128, ms);
	double t = now();

	for (i = 0; i < n; i++)
		if (events[i].data.ptr == &probe_fd)
			probe_answers();
		else if (events[i].data.ptr)
			on_event(events[i].data.ptr, events[i].events, t);
	if (phase >= 0)
		newcomers(t);
	lines_and_limits(t);
}

static unsigned int answered_at_least_once(const struct peer *peers,
					   unsigned int n)
{
	unsigned int i, yes = 0;

	for (i = 0; i < n; i++)
		yes += peers[i].answered > 0;
	return yes;
}

/* Open @n peers from @address on, and wait for their first answers. */
static struct peer *open_many(unsigned int n, unsigned int kept,
			      enum kind kind, uint32_t address)
{
	struct peer *peers = calloc(n + 1, sizeof(*peers));
	double start = now(), t;
	unsigned int i = 0, j;

	if (!peers)
		die("no memory");
	while ((t = now()) < start + (double)n / OPEN_RATE + OPEN_LIMIT &&
	       answered_at_least_once(peers, i) < n) {
		for (; i < n && i < (t - start) * OPEN_RATE; i++)
			/* Those with keepalive are spread among the others. */
			open_peer(&peers[i],
				  (uint64_t)i * kept % n < kept ? KEPT : kind,
				  address + i, t);
		turn_round(5);
	}
	for (j = 0; j < n; j++)
		if (!peers[j].answered)
			close_peer(&peers[j]);
	return peers;
}

static void begin_phase(const char *name, double t)
{
	if (phase >= 0)
		phases[phase].end = t;
	if (phases_used == PHASES)
		die("too many phases");
	phase = phases_used++;
	snprintf(phases[phase].name, sizeof(phases[phase].name), "%s", name);
	phases[phase].begin = t;
}

static bool has_time_limit(void)
{
	return brief;
}

/* One more answer of everyone who ever had one. */
static void last_answers(struct peer *peers, unsigned int n)
{
	double start = now();
	unsigned int i, open;

	do {
		open = 0;
		for (i = 0; i < n; i++) {
			struct peer *peer = &peers[i];

			if (peer->fd < 0)
				continue;
			/* What is on its way is not the last one yet. */
			if (!peer->waiting && peer->since < start &&
			    peer->answered)
				say(peer, now());
			open += peer->waiting || peer->since < start;
		}
		turn_round(5);
	} while (open && now() < start + LAST_ANSWER);
	for (i = 0; i < n; i++)
		if (peers[i].waiting)
			close_peer(&peers[i]);
}

static int compare_floats(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;

	return x < y ? -1 : x > y;
}

static void report_count(const char *name, struct kind_count *c, double begin)
{
	unsigned int n = c->served;

	qsort(c->ms, n, sizeof(*c->ms), compare_floats);
	printf(", \"%s\": {\"tried\": %u, \"served\": %u, \"unconnected\": %u, ",
	       name, c->tried, n, c->unconnected);
	printf("\"unanswered\": %u, \"refused\": %u, ", c->unanswered,
	       c->refused);
	if (n)
		printf("\"ms_median\": %.0f, \"ms_p99\": %.0f, \"ms_max\": %.0f, ",
		       c->ms[n / 2], c->ms[(n - 1) * 99 / 100], c->ms[n - 1]);
	else
		printf("\"ms_median\": null, \"ms_p99\": null, \"ms_max\": null, ");
	if (n)
		printf("\"ms_first\": %.0f}", (c->first - begin) * 1000);
	else
		printf("\"ms_first\": null}");
}

static void report_peers(const char *name, const struct peer *peers,
			 unsigned int n, enum kind kind)
{
	unsigned int i, asked = 0, opened = 0, kept = 0;
	unsigned long long lines = 0;

	for (i = 0; i < n; i++) {
		if (peers[i].kind != kind)
			continue;
		asked++;
		opened += peers[i].answered > 0;
		kept += peers[i].answered && peers[i].fd >= 0;
		lines += peers[i].answered;
	}
	printf(", \"%s\": {\"asked\": %u, \"opened\": %u, \"kept\": %u, \"lines\": %llu}",
	       name, asked, opened, kept, lines);
}

static void report(void)
{
	int i;

	printf("{\"phases\": {");
	for (i = 0; i < phases_used; i++) {
		struct phase *p = &phases[i];

		printf("%s\"%s\": {\"seconds\": %.1f", i ? ", " : "", p->name,
		       p->end - p->begin);
		report_count("web", &p->web, p->begin);
		report_count("login", &p->login, p->begin);
		report_count("control", &p->control, p->begin);
		printf(", \"lines\": %u, \"line_ms_max\": %.0f", p->lines,
		       p->longest * 1000);
		printf(", \"probes_sent\": %u, \"probes_answered\": %u}",
		       p->probes_sent, p->probes_answered);
	}
	printf("}");
	report_peers("streams", streams, n_streams, STREAM);
	report_peers("idle", idles, n_idles, IDLE);
	report_peers("idle_keepalive", idles, n_idles, KEPT);
	printf("}\n");
	fflush(stdout);
}

static void obey(const char *line)
{
	unsigned int n, kept;

	if (!strncmp(line, "phase ", 6)) {
		begin_phase(line + 6, now());
	} else if (!strcmp(line, "off")) {
		if (phase >= 0)
			phases[phase].end = now();
		/* A connection that has begun may end. */
		phase = -1;
		while (has_time_limit())
			turn_round(10);
		puts("off");
	} else if (sscanf(line, "idle %u %u", &n, &kept) == 2) {
		n_idles = n;
		idles = open_many(n, kept, IDLE, pool.net + pool.size / 4);
		printf("idle %u\n", answered_at_least_once(idles, n));
	} else if (!strcmp(line, "end")) {
		ending = true;
		last_answers(streams, n_streams);
		last_answers(idles, n_idles);
		report();
	} else {
		die("unknown command '%s'", line);
	}
	fflush(stdout);
}

static void loop(void)
{
	static char input[256];
	size_t have = 0;
	char *end;
	ssize_t n;

	while (!ending) {
		turn_round(5);
		n = read(STDIN_FILENO, input + have, sizeof(input) - 1 - have);
		if (n < 0 && errno == EAGAIN)
			continue;
		if (n <= 0)
			die("the runner is gone");
		have += n;
		input[have] = 0;
		while ((end = strchr(input, '\n'))) {
			*end = 0;
			obey(input);
			have -= end + 1 - input;
			memmove(input, end + 1, have + 1);
		}
	}
}

int cmd_clients(int argc, char **argv)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = &probe_fd };
	unsigned int wanted = 0;
	int opt;

	while ((opt = getopt(argc, argv, "d:s:A:C:n:e:w:l:u:L:k:")) != -1) {
		switch (opt) {
		case 'd':
			server = parse_prefix(optarg).net;
			break;
		case 's':
			pool = parse_prefix(optarg);
			break;
		case 'A':
			admin = parse_prefix(optarg).net;
			break;
		case 'C':
			control = parse_prefix(optarg).net;
			break;
		case 'n':
			wanted = parse_number(optarg, 0, 10000);
			break;
		case 'e':
			every = parse_number(optarg, 0.05, 100);
			break;
		case 'w':
			web_rate = parse_number(optarg, 0, 1000);
			break;
		case 'l':
			login_every = parse_number(optarg, 0.05, 100);
			break;
		case 'u':
			probe_rate = parse_number(optarg, 0, 1000);
			break;
		case 'L':
			limit = parse_number(optarg, 0.1, 60);
			break;
		case 'k':
			keepalive = parse_number(optarg, 1, 60);
			break;
		default:
			fputs(usage, stderr);
			return 2;
		}
	}
	if (!server || !pool.size)
		die("clients: something is missing\n%s", usage);
	if (pool.size < 65536)
		die("the clients' prefix is too long: /16 at most");

	many_files();
	signal(SIGPIPE, SIG_IGN);
	fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK);
	ep = epoll_create1(0);
	if (!admin)
		admin = pool.net + pool.size - 2;
	probe_fd = source_socket(SOCK_DGRAM, pool.net + pool.size - 3, server,
				 ECHO_PORT);
	epoll_ctl(ep, EPOLL_CTL_ADD, probe_fd, &event);
	streams = open_many(wanted, 0, STREAM, pool.net + 16);
	n_streams = wanted;
	printf("up %u\n", answered_at_least_once(streams, n_streams));
	fflush(stdout);
	loop();
	/* What is open stays so until nobody wants to look at it any more. */
	fcntl(STDIN_FILENO, F_SETFL, 0);
	while (read(STDIN_FILENO, &opt, sizeof(opt)) > 0)
		;
	return 0;
}
