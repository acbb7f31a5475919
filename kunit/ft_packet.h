/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Packets for the suites of tuple.c and of the protocols: bytes first, then an
 * skb of them in one of several shapes.
 */
#ifndef _FT_PACKET_H
#define _FT_PACKET_H

#include <kunit/test.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/sctp.h>
#include <linux/skbuff.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <net/checksum.h>
#include <net/ip.h>
#include <net/ipv6.h>

#include "proto/proto.h"

#define FT_PACKET_MAX	1024

/**
 * struct ft_packet - bytes of a packet, from the IP header on
 * @b: the bytes
 * @len: how many
 * @ip: offset of the IP header written last
 * @l4: offset of the transport header written last
 */
struct ft_packet {
	u8 b[FT_PACKET_MAX];
	unsigned int len;
	unsigned int ip;
	unsigned int l4;
};

/* How the bytes lie in the skb. */
enum ft_shape {
	FT_SHAPE_LINEAR,
	FT_SHAPE_PAGED,		/* nothing linear */
	FT_SHAPE_SPLIT,		/* 21 bytes linear, the rest in two pages */
	FT_SHAPE_CHAIN,		/* 9 bytes linear, the rest in a frag list */
	FT_SHAPES
};

#define FT_IP4(d)	htonl(0xc0000200 + (d))	/* 192.0.2.d, RFC 5737 */

static inline struct in6_addr ft_ip6(u8 d)
{
	struct in6_addr a = { .s6_addr = { 0x20, 0x01, 0x0d, 0xb8 } };

	a.s6_addr[15] = d;
	return a;
}

static inline void *ft_put(struct ft_packet *p, const void *data,
			   unsigned int len)
{
	void *at = &p->b[p->len];

	if (WARN_ON(p->len + len > sizeof(p->b)))
		return p->b;
	if (data)
		memcpy(at, data, len);
	else
		memset(at, 0, len);
	p->len += len;
	return at;
}

/* An IP header of @family from host @src to host @dst. */
static inline void ft_put_ip(struct ft_packet *p, u8 family, u8 src, u8 dst,
			     u8 proto)
{
	p->ip = p->len;
	if (family == NFPROTO_IPV4) {
		struct iphdr iph = {
			.version = 4,
			.ihl = 5,
			.ttl = 64,
			.protocol = proto,
			.saddr = FT_IP4(src),
			.daddr = FT_IP4(dst),
		};

		ft_put(p, &iph, sizeof(iph));
	} else {
		struct ipv6hdr ip6h = {
			.version = 6,
			.hop_limit = 255,
			.nexthdr = proto,
			.saddr = ft_ip6(src),
			.daddr = ft_ip6(dst),
		};

		ft_put(p, &ip6h, sizeof(ip6h));
	}
	p->l4 = p->len;
}

/* Lengths and the header checksum of the IP header at @ip, for @len bytes. */
static inline void ft_set_len(struct ft_packet *p, unsigned int ip,
			      unsigned int len)
{
	struct iphdr *iph = (struct iphdr *)&p->b[ip];
	struct ipv6hdr *ip6h = (struct ipv6hdr *)&p->b[ip];

	if (iph->version == 4) {
		iph->tot_len = htons(len);
		iph->check = 0;
		iph->check = ip_fast_csum(iph, iph->ihl);
	} else {
		ip6h->payload_len = htons(len - sizeof(*ip6h));
	}
}

static inline void ft_end_ip(struct ft_packet *p)
{
	ft_set_len(p, p->ip, p->len - p->ip);
}

static inline void ft_start(struct ft_packet *p, u8 family, u8 src, u8 dst,
			    u8 proto)
{
	memset(p, 0, sizeof(*p));
	ft_put_ip(p, family, src, dst, proto);
}

static inline void ft_put_udp(struct ft_packet *p, u16 sport, u16 dport,
			      unsigned int payload)
{
	struct udphdr udph = {
		.source = htons(sport),
		.dest = htons(dport),
		.len = htons(sizeof(udph) + payload),
	};

	p->l4 = p->len;
	ft_put(p, &udph, sizeof(udph));
	ft_put(p, NULL, payload);
}

static inline void ft_put_tcp(struct ft_packet *p, u16 sport, u16 dport)
{
	struct tcphdr tcph = {
		.source = htons(sport),
		.dest = htons(dport),
		.doff = 5,
		.syn = 1,
		.window = htons(1000),
	};

	p->l4 = p->len;
	ft_put(p, &tcph, sizeof(tcph));
}

static inline void ft_put_icmp(struct ft_packet *p, u8 type, u8 code, u16 id)
{
	struct icmphdr icmph = {
		.type = type,
		.code = code,
		.un.echo.id = htons(id),
		.un.echo.sequence = htons(7),
	};

	p->l4 = p->len;
	ft_put(p, &icmph, sizeof(icmph));
}

static inline void ft_put_sctp(struct ft_packet *p, u16 sport, u16 dport,
			       u32 vtag)
{
	struct sctphdr sctph = {
		.source = htons(sport),
		.dest = htons(dport),
		.vtag = htonl(vtag),
	};

	p->l4 = p->len;
	ft_put(p, &sctph, sizeof(sctph));
}

static inline void ft_packet_page(struct kunit *test, struct sk_buff *skb,
				  const void *data, unsigned int len)
{
	struct page *page;

	if (!len)
		return;
	page = alloc_page(GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, page);
	/* Not at the start, and with what is no part of it around. */
	memset(page_address(page), 0xff, PAGE_SIZE);
	memcpy(page_address(page) + 13, data, len);
	skb_add_rx_frag(skb, skb_shinfo(skb)->nr_frags, page, 13, len, len);
}

/*
 * The first @len bytes of a packet as an skb; free it with kfree_skb(). What
 * follows in the packet follows in memory, too: who reads beyond the end finds
 * what looks good.
 */
static inline struct sk_buff *ft_skb(struct kunit *test,
				     const struct ft_packet *p,
				     unsigned int len, enum ft_shape shape)
{
	static const unsigned int linear[FT_SHAPES] = {
		[FT_SHAPE_LINEAR] = FT_PACKET_MAX,
		[FT_SHAPE_SPLIT] = 21,
		[FT_SHAPE_CHAIN] = 9,
	};
	unsigned int head = min(len, linear[shape]);
	struct sk_buff *skb, *tail;
	unsigned int half;

	skb = alloc_skb(FT_PACKET_MAX + 64, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, skb);
	skb_reserve(skb, 64);
	skb_reset_network_header(skb);
	memcpy(skb->data, p->b, p->len);
	skb_put(skb, head);
	skb->protocol = p->b[0] >> 4 == 4 ? htons(ETH_P_IP) : htons(ETH_P_IPV6);

	switch (shape) {
	case FT_SHAPE_CHAIN:
		if (len == head)
			break;
		tail = alloc_skb(len - head, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, tail);
		skb_put_data(tail, p->b + head, len - head);
		skb_shinfo(skb)->frag_list = tail;
		skb->len += tail->len;
		skb->data_len += tail->len;
		skb->truesize += tail->truesize;
		break;
	default:
		half = (len - head) / 2;
		ft_packet_page(test, skb, p->b + head, half);
		ft_packet_page(test, skb, p->b + head + half,
			       len - head - half);
		break;
	}
	KUNIT_ASSERT_EQ(test, skb->len, len);
	return skb;
}

static inline u8 ft_family(const struct ft_packet *p)
{
	return p->b[0] >> 4 == 4 ? NFPROTO_IPV4 : NFPROTO_IPV6;
}

/* Settings in which every timeout is another one: 100 + number seconds. */
static inline struct ft_settings *ft_kunit_timeouts(struct kunit *test)
{
	struct ft_settings *set = kunit_kzalloc(test, sizeof(*set), GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, set);
	for (i = 0; i < ARRAY_SIZE(set->v); i++)
		set->v[i] = 100 + i;
	return set;
}

#endif /* _FT_PACKET_H */
