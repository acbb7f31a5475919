// SPDX-License-Identifier: GPL-2.0-only
/*
 * The services: pages on port 80, a login on port 22, an echo on port 7 of TCP
 * and UDP.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "traffic.h"

#define BANNER	"SSH-2.0-scenario\r\n"
#define WELCOME	"welcome\r\n"

enum kind { LISTENER = 1, LOGIN, WEB, ECHO, UDP };

/* By file descriptor. */
static struct {
	enum kind kind;
	uint16_t port;
} files[MANY_FILES];

static char page[PAGE_SIZE_BYTES];
static int ep;

static void watch(int fd, enum kind kind, uint16_t port)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

	files[fd].kind = kind;
	files[fd].port = port;
	if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event))
		die("epoll");
}

static int bound(int type, uint16_t port)
{
	struct sockaddr_in any = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
	};
	int fd = socket(AF_INET, type | SOCK_NONBLOCK, 0), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (fd < 0 || bind(fd, (struct sockaddr *)&any, sizeof(any)))
		die("port %u is taken", port);
	return fd;
}

static void listen_on(uint16_t port)
{
	int fd = bound(SOCK_STREAM, port);

	if (listen(fd, 4096))
		die("listen");
	watch(fd, LISTENER, port);
}

static void welcome(int listener)
{
	static const enum kind kinds[] = {
		[LOGIN_PORT] = LOGIN,
		[WEB_PORT] = WEB,
		[ECHO_PORT] = ECHO,
	};
	uint16_t port = files[listener].port;
	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
		watch(fd, kinds[port], port);
		if (port == LOGIN_PORT &&
		    send(fd, BANNER, strlen(BANNER), MSG_NOSIGNAL) < 0)
			close(fd);
	}
}

static void serve(int fd)
{
	ssize_t n, sent = 0;
	char data[4096];
	bool done = true;

	n = recv(fd, data, sizeof(data), 0);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n > 0) {
		switch (files[fd].kind) {
		case LOGIN:
			sent = send(fd, WELCOME, strlen(WELCOME), MSG_NOSIGNAL);
			break;
		case WEB:
			sent = send(fd, page, sizeof(page), MSG_NOSIGNAL);
			break;
		default:
			sent = send(fd, data, n, MSG_NOSIGNAL);
			done = sent < 0;
		}
	}
	if (done)
		close(fd);
}

static void echo_datagrams(int fd)
{
	struct sockaddr_in from;
	socklen_t length = sizeof(from);
	char data[2048];
	ssize_t n;

	while ((n = recvfrom(fd, data, sizeof(data), 0,
			     (struct sockaddr *)&from, &length)) >= 0) {
		sendto(fd, data, n, 0, (struct sockaddr *)&from, length);
		length = sizeof(from);
	}
}

int cmd_serve(int argc, char **argv)
{
	struct epoll_event events[64];
	int i, n;

	(void)argv;
	if (argc != 1)
		die("usage: traffic serve");
	n = snprintf(page, sizeof(page),
		     "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n");
	memset(page + n, '.', sizeof(page) - n);

	many_files();
	catch_signals();
	ep = epoll_create1(0);
	listen_on(LOGIN_PORT);
	listen_on(WEB_PORT);
	listen_on(ECHO_PORT);
	watch(bound(SOCK_DGRAM, ECHO_PORT), UDP, ECHO_PORT);
	puts("up");
	fflush(stdout);
	while (!stopped) {
		n = epoll_wait(ep, events, 64, -1);
		for (i = 0; i < n; i++) {
			int fd = events[i].data.fd;

			if (files[fd].kind == LISTENER)
				welcome(fd);
			else if (files[fd].kind == UDP)
				echo_datagrams(fd);
			else
				serve(fd);
		}
	}
	return 0;
}
