// SPDX-License-Identifier: GPL-2.0
/*
 * Packets from flow numbers: nothing is kept per flow, so that the packets
 * themselves cost the caches the same whatever the number of flows is.
 */
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/math64.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <net/ip.h>

#include "bench.h"

#define ROOM		128
#define DATA_LEN	16
#define SCALE		14

/* What a SYN carries, padded: MSS, window scale, SACK permitted. */
static const u8 syn_options[12] = {
	2, 4, 5, 180, 3, 3, SCALE, 1, 4, 2, 1, 1,
};

/**
 * bench_mix() - a permutation of 64 bits that looks random (splitmix64)
 * @x: any number
 *
 * Return: its image.
 */
u64 bench_mix(u64 x)
{
	x += 0x9e3779b97f4a7c15ull;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
	return x ^ (x >> 31);
}

/*
 * Rank, from 0, of the flow that a packet is of, by Zipf's law: the share of all packets that
 * the first x flows have is (1 - x^-0.1) / (1 - flows^-0.1), solved for x. Fractions are in
 * units of 2^-63.
 */
static u64 zipf(const struct bench_run *run, u64 random)
{
	u64 t = BIT_ULL(63) - mul_u64_u64_shr(random, BIT_ULL(63) - run->skew, 64);
	u64 t2 = mul_u64_u64_shr(t, t, 63);
	u64 t4 = mul_u64_u64_shr(t2, t2, 63);
	u64 t8 = mul_u64_u64_shr(t4, t4, 63);
	u64 t10 = mul_u64_u64_shr(t8, t2, 63);

	return min(div64_u64(BIT_ULL(63), max(t10, 1ULL)), run->flows) - 1;
}

/**
 * bench_pick() - which flow a packet is of
 * @run: how flows are chosen
 * @n: number of the packet
 *
 * Return: the flow, counted from the first one of @run.
 */
u64 bench_pick(const struct bench_run *run, u64 n)
{
	u64 pick = div64_u64(n, run->burst), random;

	if (!run->seed)
		return pick;
	random = bench_mix(run->seed + pick);
	if (!run->skew)
		return (random >> 32) * run->flows >> 32;
	/* A prime: those with the most packets do not lie side by side. */
	div64_u64_rem(zipf(run, random) * 7919, run->flows, &pick);
	return pick;
}

/**
 * bench_skb_alloc() - a packet without content
 * @dev: where it comes in
 *
 * Return: the packet or NULL.
 */
struct sk_buff *bench_skb_alloc(struct net_device *dev)
{
	struct sk_buff *skb = alloc_skb(ROOM + NET_SKB_PAD, GFP_KERNEL);

	if (!skb)
		return NULL;
	skb_reserve(skb, NET_SKB_PAD);
	skb->dev = dev;
	return skb;
}

static void set_tcp(struct tcphdr *th, const struct bench_run *run, u64 flow,
		    u64 step, unsigned int *len)
{
	/* The responder's numbers differ from the initiator's. */
	u32 isn = (u32)bench_mix(flow);
	u32 peer = ~isn;

	if (run->reply)
		swap(isn, peer);
	*len = sizeof(*th);
	th->doff = sizeof(*th) / 4;
	th->ack = run->kind != BENCH_SYN;
	th->window = htons(0xffff);
	th->seq = htonl(isn + 1);
	th->ack_seq = htonl(th->ack ? peer + 1 : 0);

	switch (run->kind) {
	case BENCH_SYN:
	case BENCH_SYN_ACK:
		th->syn = 1;
		th->seq = htonl(isn);
		memcpy(th + 1, syn_options, sizeof(syn_options));
		*len += sizeof(syn_options);
		th->doff += sizeof(syn_options) / 4;
		break;
	case BENCH_DATA:
		th->psh = 1;
		th->seq = htonl(isn + 1 + (u32)step * DATA_LEN);
		*len += DATA_LEN;
		break;
	case BENCH_WINDOW:
		th->window = htons(0xffff - (step & 0xfff));
		break;
	}
}

/**
 * bench_skb_set() - make a packet of a flow
 * @skb: from bench_skb_alloc()
 * @run: what kind of packet
 * @flow: number of the flow, below 2^24 for IPv4
 * @step: a number that grows from packet to packet
 *
 * Checksums are said to be good, as a NIC would.
 */
void bench_skb_set(struct sk_buff *skb, const struct bench_run *run, u64 flow,
		   u64 step)
{
	u8 proto = run->kind == BENCH_UDP ? IPPROTO_UDP : IPPROTO_TCP;
	/* An odd factor: each flow has an address of its own. */
	u32 host = (u32)flow * 0x9e3779b1u & 0xffffff;
	unsigned int l4len = 0, iplen;
	__be16 *ports;
	void *l4;

	iplen = run->family == 4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);
	skb_trim(skb, 0);
	memset(skb->data, 0, iplen + sizeof(struct tcphdr));
	l4 = skb->data + iplen;
	ports = l4;
	ports[run->reply] = htons(1024 + bench_mix(flow) % 60000);
	ports[!run->reply] = htons(run->port);

	if (proto == IPPROTO_UDP) {
		struct udphdr *uh = l4;

		l4len = sizeof(*uh) + DATA_LEN;
		uh->len = htons(l4len);
	} else {
		set_tcp(l4, run, flow, step, &l4len);
	}

	if (run->family == 4) {
		struct iphdr *iph = (struct iphdr *)skb->data;
		__be32 a = htonl((u32)run->client << 24 | host);
		__be32 b = htonl(0xc0000200 | (run->server & 0xff));

		iph->version = 4;
		iph->ihl = 5;
		iph->ttl = 64;
		iph->tot_len = htons(iplen + l4len);
		iph->protocol = proto;
		iph->saddr = run->reply ? b : a;
		iph->daddr = run->reply ? a : b;
		ip_send_check(iph);
		skb->protocol = htons(ETH_P_IP);
	} else {
		struct ipv6hdr *ip6h = (struct ipv6hdr *)skb->data;
		struct in6_addr a = { .in6_u.u6_addr32 = {
			htonl(0x20010db8), htonl(host), htonl((u32)flow), htonl(1) } };
		struct in6_addr b = { .in6_u.u6_addr32 = {
			htonl(0x20010db8), htonl(0xffffffff), 0, htonl(2) } };

		ip6h->version = 6;
		ip6h->hop_limit = 64;
		ip6h->payload_len = htons(l4len);
		ip6h->nexthdr = proto;
		ip6h->saddr = run->reply ? b : a;
		ip6h->daddr = run->reply ? a : b;
		skb->protocol = htons(ETH_P_IPV6);
	}
	skb_put(skb, iplen + l4len);
	skb_reset_mac_header(skb);
	skb_reset_network_header(skb);
	skb_set_transport_header(skb, iplen);
	skb->ip_summed = CHECKSUM_UNNECESSARY;
	skb->pkt_type = PACKET_HOST;
	skb->mark = 0;
}
