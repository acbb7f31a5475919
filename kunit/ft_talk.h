/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the suites of the netlink family share: a socket as userland has one, so
 * that policies, permissions and extended acknowledgments are the real ones.
 * It talks to the initial namespace.
 */
#ifndef _FT_TALK_H
#define _FT_TALK_H

#include <linux/file.h>
#include <linux/netlink.h>
#include <linux/socket.h>
#include <net/genetlink.h>
#include <net/sock.h>

#include "ft_kunit.h"
#include "netlink/family.h"
#include "netlink/netlink.h"

#define FT_TALK_BUFFER	32768

/**
 * struct ft_talk - a socket and the request that is being made
 * @test: for assertions
 * @file: makes the socket look like one of userland
 * @sock: the socket
 * @req: request under construction
 * @hdr: its generic netlink header
 * @sent: copy of the last request
 * @buf: what was received last
 * @len: bytes of it
 * @seq: of the last request
 */
struct ft_talk {
	struct kunit *test;
	struct file *file;
	struct socket *sock;
	struct sk_buff *req;
	void *hdr;
	u8 sent[1024];
	u8 *buf;
	int len;
	u32 seq;
};

/**
 * struct ft_ack - an acknowledgment
 * @err: negative errno or 0
 * @msg: message; empty if none
 * @bad: type of the attribute to blame, 0: none
 * @missing: type of the attribute that is missing, 0: none
 */
struct ft_ack {
	int err;
	char msg[128];
	unsigned int bad;
	unsigned int missing;
};

static inline void ft_talk_close(void *data)
{
	struct ft_talk *talk = data;

	fput(talk->file);
	/* Now: the next test must not find this one listening. */
	flush_delayed_fput();
}

static inline void ft_talk_option(struct ft_talk *talk, int option, int value)
{
	KUNIT_ASSERT_EQ(talk->test,
			talk->sock->ops->setsockopt(talk->sock, SOL_NETLINK,
						    option,
						    KERNEL_SOCKPTR(&value),
						    sizeof(value)), 0);
}

static inline struct ft_talk *ft_talk_open(struct kunit *test)
{
	struct ft_talk *talk = kunit_kzalloc(test, sizeof(*talk), GFP_KERNEL);
	struct sockaddr_nl any = { .nl_family = AF_NETLINK };

	KUNIT_ASSERT_NOT_NULL(test, talk);
	talk->test = test;
	talk->buf = kunit_kzalloc(test, FT_TALK_BUFFER, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, talk->buf);
	KUNIT_ASSERT_EQ(test, sock_create_kern(&init_net, AF_NETLINK, SOCK_RAW,
					       NETLINK_GENERIC, &talk->sock), 0);
	talk->file = sock_alloc_file(talk->sock, 0, NULL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, talk->file);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, ft_talk_close,
							talk), 0);
	/* Without an address it would pass for the sender of notifications. */
	KUNIT_ASSERT_EQ(test, kernel_bind(talk->sock, (struct sockaddr *)&any,
					  sizeof(any)), 0);
	ft_talk_option(talk, NETLINK_EXT_ACK, 1);
	ft_talk_option(talk, NETLINK_CAP_ACK, 1);
	return talk;
}

static inline struct sk_buff *ft_talk_begin(struct ft_talk *talk, u8 cmd,
					    int flags)
{
	talk->req = nlmsg_new(sizeof(talk->sent) - 64, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(talk->test, talk->req);
	talk->hdr = genlmsg_put(talk->req, 0, ++talk->seq, &ft_genl_family,
				NLM_F_REQUEST | flags, cmd);
	KUNIT_ASSERT_NOT_NULL(talk->test, talk->hdr);
	return talk->req;
}

static inline void ft_talk_send(struct ft_talk *talk)
{
	struct msghdr msg = {};
	struct kvec vec;

	genlmsg_end(talk->req, talk->hdr);
	vec.iov_base = talk->sent;
	vec.iov_len = talk->req->len;
	KUNIT_ASSERT_LE(talk->test, talk->req->len, sizeof(talk->sent));
	memcpy(talk->sent, talk->req->data, talk->req->len);
	nlmsg_free(talk->req);
	talk->req = NULL;
	KUNIT_ASSERT_EQ(talk->test,
			kernel_sendmsg(talk->sock, &msg, &vec, 1, vec.iov_len),
			(int)vec.iov_len);
}

/* Receive one datagram; false if there is none. */
static inline bool ft_talk_recv(struct ft_talk *talk)
{
	struct msghdr msg = {};
	struct kvec vec = { .iov_base = talk->buf, .iov_len = FT_TALK_BUFFER };

	talk->len = kernel_recvmsg(talk->sock, &msg, &vec, 1, vec.iov_len,
				   MSG_DONTWAIT);
	return talk->len > 0;
}

/* An error, or the end of a dump, which may be one. */
static inline void ft_talk_ack(struct ft_talk *talk,
			       const struct nlmsghdr *nlh, struct ft_ack *ack)
{
	int head = nlh->nlmsg_type == NLMSG_DONE ? sizeof(int) :
						   sizeof(struct nlmsgerr);
	const struct nlattr *attr = nlmsg_data(nlh) + head;
	int rem = nlmsg_len(nlh) - head;

	memset(ack, 0, sizeof(*ack));
	ack->err = *(const int *)nlmsg_data(nlh);
	for (; nla_ok(attr, rem); attr = nla_next(attr, &rem)) {
		const struct nlattr *bad;

		switch (nla_type(attr)) {
		case NLMSGERR_ATTR_MSG:
			nla_strscpy(ack->msg, attr, sizeof(ack->msg));
			break;
		case NLMSGERR_ATTR_OFFS:
			bad = (const struct nlattr *)(talk->sent +
						      nla_get_u32(attr));
			ack->bad = nla_type(bad);
			break;
		case NLMSGERR_ATTR_MISS_TYPE:
			ack->missing = nla_get_u32(attr);
			break;
		}
	}
}

/**
 * ft_talk() - send the request and take the answer
 * @talk: with a request
 * @ack: filled with the acknowledgment, if there was one
 *
 * Return: the reply, in the socket's buffer, or NULL.
 */
static inline const struct nlmsghdr *ft_talk(struct ft_talk *talk,
					     struct ft_ack *ack)
{
	const struct nlmsghdr *nlh;
	int rem;

	memset(ack, 0, sizeof(*ack));
	ft_talk_send(talk);
	while (ft_talk_recv(talk)) {
		rem = talk->len;
		for (nlh = (void *)talk->buf; nlmsg_ok(nlh, rem);
		     nlh = nlmsg_next(nlh, &rem)) {
			if (nlh->nlmsg_type != NLMSG_ERROR &&
			    nlh->nlmsg_type != NLMSG_DONE)
				return nlh;
			ft_talk_ack(talk, nlh, ack);
		}
	}
	return NULL;
}

/* Attributes of a reply or a notification. */
static inline void ft_talk_parse(struct ft_talk *talk,
				 const struct nlmsghdr *nlh, struct nlattr **tb,
				 int max)
{
	KUNIT_ASSERT_NOT_NULL(talk->test, nlh);
	KUNIT_ASSERT_EQ(talk->test, nlmsg_parse(nlh, GENL_HDRLEN, tb, max, NULL,
						NULL), 0);
}

static inline void ft_talk_nest(struct ft_talk *talk, const struct nlattr *nest,
				struct nlattr **tb, int max)
{
	KUNIT_ASSERT_NOT_NULL(talk->test, nest);
	KUNIT_ASSERT_EQ(talk->test, nla_parse_nested(tb, max, nest, NULL, NULL),
			0);
}

/* The tuple of a TCP or UDP flow over IPv4. */
static inline void ft_talk_tuple4(struct sk_buff *skb, u8 l4proto, u32 src,
				  u32 dst, u16 sport, u16 dport)
{
	struct nlattr *nest;

	nla_put_u8(skb, FLOWTRACK_A_FLOW_L4PROTO, l4proto);
	nest = nla_nest_start(skb, FLOWTRACK_A_FLOW_ORIG);
	nla_put_be32(skb, FLOWTRACK_A_TUPLE_SRC4, htonl(src));
	nla_put_be32(skb, FLOWTRACK_A_TUPLE_DST4, htonl(dst));
	nla_put_be16(skb, FLOWTRACK_A_TUPLE_SPORT, htons(sport));
	nla_put_be16(skb, FLOWTRACK_A_TUPLE_DPORT, htons(dport));
	nla_nest_end(skb, nest);
}

/* UDP flow number @i, through flow-add; returns the error. */
static inline int ft_talk_add_from(struct ft_talk *talk, u32 i, u16 sport)
{
	struct sk_buff *skb = ft_talk_begin(talk, FLOWTRACK_CMD_FLOW_ADD,
					    NLM_F_ACK);
	struct ft_ack ack;

	ft_talk_tuple4(skb, IPPROTO_UDP, 0x0a000000 + i, 0xc0000201, sport, 53);
	nla_put_u32(skb, FLOWTRACK_A_FLOW_TIMEOUT, 30000);
	ft_talk(talk, &ack);
	return ack.err;
}

static inline int ft_talk_add(struct ft_talk *talk, u32 i)
{
	return ft_talk_add_from(talk, i, 1000);
}

/* End all flows of the initial namespace. */
static inline u32 ft_talk_flush(struct ft_talk *talk)
{
	struct sk_buff *skb = ft_talk_begin(talk, FLOWTRACK_CMD_FLOW_DEL, 0);
	struct nlattr *tb[FLOWTRACK_A_FLOW_MAX + 1];
	struct ft_ack ack;

	nla_nest_end(skb, nla_nest_start(skb, FLOWTRACK_A_FLOW_FILTER));
	ft_talk_parse(talk, ft_talk(talk, &ack), tb, FLOWTRACK_A_FLOW_MAX);
	KUNIT_ASSERT_NOT_NULL(talk->test, tb[FLOWTRACK_A_FLOW_DELETED]);
	return nla_get_u32(tb[FLOWTRACK_A_FLOW_DELETED]);
}

/* One of the counters that stats-get has. */
static inline u64 ft_talk_gauge(struct ft_talk *talk, unsigned int attr)
{
	struct nlattr *tb[FLOWTRACK_A_STATS_MAX + 1];
	struct ft_ack ack;

	ft_talk_begin(talk, FLOWTRACK_CMD_STATS_GET, 0);
	ft_talk_parse(talk, ft_talk(talk, &ack), tb, FLOWTRACK_A_STATS_MAX);
	return nla_get_u64(tb[attr]);
}

#endif /* _FT_TALK_H */
