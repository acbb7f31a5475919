/* SPDX-License-Identifier: GPL-2.0-only */
/* Packets made by hand, sent and received past the kernel's own stack. */
#ifndef _RAW_H
#define _RAW_H

#include <stddef.h>
#include <stdint.h>

#define TH_FIN	0x01
#define TH_SYN	0x02
#define TH_RST	0x04
#define TH_PSH	0x08
#define TH_ACK	0x10

/* Frames handed over with one system call. */
#define RAW_BATCH	32
#define RAW_FRAME	128

/**
 * struct raw - a packet socket on one interface
 * @fd: the socket
 * @ether: head of all frames: gateway, own address, IPv4
 * @frames: waiting to be sent
 * @sizes: of these
 * @waiting: how many
 * @sent: frames that the kernel took
 * @refused: and those that it did not
 */
struct raw {
	int fd;
	uint8_t ether[14];
	uint8_t frames[RAW_BATCH][RAW_FRAME];
	size_t sizes[RAW_BATCH];
	unsigned int waiting;
	uint64_t sent;
	uint64_t refused;
};

/**
 * struct segment - a TCP segment, in host order
 * @saddr: source
 * @daddr: destination
 * @seq: sequence number
 * @ack: acknowledgment number
 * @size: bytes of payload; sending, at most 16, all 'x'
 * @sport: source port
 * @dport: destination port
 * @flags: TH_*
 */
struct segment {
	uint32_t saddr;
	uint32_t daddr;
	uint32_t seq;
	uint32_t ack;
	unsigned int size;
	uint16_t sport;
	uint16_t dport;
	uint8_t flags;
};

void raw_open(struct raw *raw, const char *dev, const char *gateway_mac);
void raw_flush(struct raw *raw);
void raw_tcp(struct raw *raw, const struct segment *s);
void raw_udp(struct raw *raw, uint32_t saddr, uint32_t daddr, uint16_t sport,
	     uint16_t dport);
int raw_receive(struct raw *raw, struct segment *s);

#endif /* _RAW_H */
