/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The in-kernel half of the benchmark: it sends prepared packets through the
 * real hooks of a namespace and takes the time. What to run, how often and in
 * which order is the driver's business, see bench.py.
 */
#ifndef _FT_BENCH_H
#define _FT_BENCH_H

#include <linux/skbuff.h>
#include <linux/types.h>

/* Packets prepared, then timed, at once: what a NIC's poll hands over. */
#define BENCH_BATCH	64

/**
 * enum bench_kind - what the packets are
 * @BENCH_UDP: UDP
 * @BENCH_SYN: TCP, first of a handshake
 * @BENCH_SYN_ACK: TCP, second
 * @BENCH_ACK: TCP, third
 * @BENCH_DATA: TCP, a segment with data that moves the window
 * @BENCH_WINDOW: TCP, an acknowledgment that announces another window
 * @BENCH_KINDS: how many there are
 */
enum bench_kind {
	BENCH_UDP,
	BENCH_SYN,
	BENCH_SYN_ACK,
	BENCH_ACK,
	BENCH_DATA,
	BENCH_WINDOW,
	BENCH_KINDS,
};

/**
 * struct bench_run - one run, as the driver asks for it
 * @who: slot of the namespace, see bench_main.c
 * @family: 4 or 6
 * @kind: enum bench_kind
 * @reply: packets of the responder
 * @forward: PRE_ROUTING, FORWARD, POST_ROUTING; else PRE_ROUTING, LOCAL_IN
 * @receive: not the hooks alone: lists of that many packets are received by the device,
 *	routed, forwarded, and taken back by another device, or delivered, and taken back
 *	before a socket is looked for; 0: the hooks alone
 * @drop: the ruleset drops the packets
 * @expect: enum ip_conntrack_info that the ruleset must see
 * @first: number of the first flow
 * @flows: how many flows there are to choose from
 * @packets: how many packets to send
 * @burst: packets of the same flow, one after the other
 * @seed: of the random choice of flows; 0: one after the other
 * @skew: not all of them are chosen as often, but by Zipf's law with an exponent of 1.1: then
 *	this is @flows^-0.1, in units of 2^-63; 0: all are
 * @step: counts on from run to run, so that TCP makes progress
 * @port: destination port of the flows
 * @cpus: CPUs that send at the same time, @packets each; 0: the writer does
 * @server: last byte of the responder's address, as a reply has it; IPv4
 * @client: first byte of the initiator's address, likewise
 * @apart: between the first flows of one CPU and the next
 */
struct bench_run {
	u64 who;
	u64 family;
	u64 kind;
	u64 reply;
	u64 forward;
	u64 receive;
	u64 drop;
	u64 expect;
	u64 first;
	u64 flows;
	u64 packets;
	u64 burst;
	u64 seed;
	u64 skew;
	u64 step;
	u64 port;
	u64 server;
	u64 client;
	u64 cpus;
	u64 apart;
};

u64 bench_mix(u64 x);
u64 bench_pick(const struct bench_run *run, u64 n);
struct sk_buff *bench_skb_alloc(struct net_device *dev);
void bench_skb_set(struct sk_buff *skb, const struct bench_run *run, u64 flow,
		   u64 step);

int bench_floor(u64 buckets, u64 flows, u64 reads, u64 *ps);

#endif /* _FT_BENCH_H */
