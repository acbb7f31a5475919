// SPDX-License-Identifier: GPL-2.0-only
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "raw.h"
#include "traffic.h"

static void put16(uint8_t *p, uint16_t v)
{
	p[0] = v >> 8;
	p[1] = v;
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v);
}

static uint16_t get16(const uint8_t *p)
{
	return p[0] << 8 | p[1];
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static uint32_t sum(const uint8_t *p, size_t n, uint32_t start)
{
	for (; n > 1; n -= 2, p += 2)
		start += get16(p);
	return n ? start + (p[0] << 8) : start;
}

static uint16_t fold(uint32_t s)
{
	s = (s & 0xffff) + (s >> 16);
	return ~((s & 0xffff) + (s >> 16));
}

void raw_open(struct raw *raw, const char *dev, const char *gateway_mac)
{
	struct sockaddr_ll where = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_IP),
		.sll_ifindex = if_nametoindex(dev),
	};
	struct ifreq request = { 0 };
	int buffer = 8 << 20;
	unsigned int mac[6];
	size_t i;

	memset(raw, 0, sizeof(*raw));
	if (!where.sll_ifindex)
		die("no interface '%s'", dev);
	if (sscanf(gateway_mac, "%x:%x:%x:%x:%x:%x", &mac[0], &mac[1], &mac[2],
		   &mac[3], &mac[4], &mac[5]) != 6)
		die("'%s' is not an Ethernet address", gateway_mac);
	raw->fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, htons(ETH_P_IP));
	if (raw->fd < 0 ||
	    bind(raw->fd, (struct sockaddr *)&where, sizeof(where)))
		die("no packet socket on %s", dev);
	setsockopt(raw->fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof(buffer));
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", dev);
	if (ioctl(raw->fd, SIOCGIFHWADDR, &request))
		die("no address of %s", dev);
	for (i = 0; i < 6; i++)
		raw->ether[i] = mac[i];
	memcpy(raw->ether + 6, request.ifr_hwaddr.sa_data, 6);
	put16(raw->ether + 12, ETH_P_IP);
}

/* Send what waits. What the interface refuses is lost, as on a full wire. */
void raw_flush(struct raw *raw)
{
	struct mmsghdr messages[RAW_BATCH] = { 0 };
	struct iovec parts[RAW_BATCH];
	unsigned int i = 0;
	int n;

	for (i = 0; i < raw->waiting; i++) {
		parts[i].iov_base = raw->frames[i];
		parts[i].iov_len = raw->sizes[i];
		messages[i].msg_hdr.msg_iov = &parts[i];
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	for (i = 0; i < raw->waiting; i += n) {
		n = sendmmsg(raw->fd, messages + i, raw->waiting - i, 0);
		if (n > 0) {
			raw->sent += n;
			continue;
		}
		if (errno != ENOBUFS && errno != EAGAIN && errno != EINTR)
			die("cannot send");
		raw->refused++;
		n = 1;
	}
	raw->waiting = 0;
}

/* The next frame, with its Ethernet and IP headers; what follows is zero. */
static uint8_t *start(struct raw *raw, uint32_t saddr, uint32_t daddr,
		      uint8_t protocol, unsigned int size)
{
	uint8_t *frame, *ip;

	if (raw->waiting == RAW_BATCH)
		raw_flush(raw);
	frame = raw->frames[raw->waiting];
	raw->sizes[raw->waiting++] = 34 + size;
	memset(frame, 0, 34 + size);
	memcpy(frame, raw->ether, 14);
	ip = frame + 14;
	ip[0] = 0x45;
	put16(ip + 2, 20 + size);
	put16(ip + 6, 0x4000);
	ip[8] = 64;
	ip[9] = protocol;
	put32(ip + 12, saddr);
	put32(ip + 16, daddr);
	put16(ip + 10, fold(sum(ip, 20, 0)));
	return ip + 20;
}

/* Checksum of what follows an IP header, with the pseudo header. */
static uint16_t checksum(const uint8_t *l4, unsigned int size, uint8_t protocol)
{
	return fold(sum(l4 - 8, size + 8, protocol + size));
}

void raw_tcp(struct raw *raw, const struct segment *s)
{
	/* A SYN as of a real client: it says its segment size. */
	unsigned int head = s->flags & TH_SYN ? 24 : 20;
	uint8_t *tcp = start(raw, s->saddr, s->daddr, IPPROTO_TCP,
			     head + s->size);

	put16(tcp, s->sport);
	put16(tcp + 2, s->dport);
	put32(tcp + 4, s->seq);
	put32(tcp + 8, s->ack);
	tcp[12] = head << 2;
	tcp[13] = s->flags;
	put16(tcp + 14, 65535);
	if (head > 20)
		put32(tcp + 20, 0x02040000 | 1460);
	memset(tcp + head, 'x', s->size);
	put16(tcp + 16, checksum(tcp, head + s->size, IPPROTO_TCP));
}

void raw_udp(struct raw *raw, uint32_t saddr, uint32_t daddr, uint16_t sport,
	     uint16_t dport)
{
	uint8_t *udp = start(raw, saddr, daddr, IPPROTO_UDP, 12);
	uint16_t check;

	put16(udp, sport);
	put16(udp + 2, dport);
	put16(udp + 4, 12);
	check = checksum(udp, 12, IPPROTO_UDP);
	put16(udp + 6, check ? check : 0xffff);
}

/* 1: a TCP segment came in; 0: something else did; -1: nothing. */
int raw_receive(struct raw *raw, struct segment *s)
{
	struct sockaddr_ll from;
	socklen_t length = sizeof(from);
	unsigned int head, total;
	uint8_t frame[2048];
	const uint8_t *ip = frame + 14, *tcp;
	ssize_t n;

	n = recvfrom(raw->fd, frame, sizeof(frame), 0, (struct sockaddr *)&from,
		     &length);
	if (n < 0)
		return -1;
	head = (ip[0] & 15) * 4;
	if (from.sll_pkttype == PACKET_OUTGOING || n < 54 ||
	    ip[9] != IPPROTO_TCP || n < 34 + (ssize_t)head)
		return 0;
	tcp = ip + head;
	total = get16(ip + 2);
	*s = (struct segment){
		.saddr = get32(ip + 12),
		.daddr = get32(ip + 16),
		.sport = get16(tcp),
		.dport = get16(tcp + 2),
		.seq = get32(tcp + 4),
		.ack = get32(tcp + 8),
		.flags = tcp[13],
	};
	head += tcp[12] >> 4 << 2;
	s->size = total > head ? total - head : 0;
	return 1;
}
