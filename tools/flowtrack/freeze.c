// SPDX-License-Identifier: GPL-2.0
/*
 * While the module is swapped, no packet may meet a table that lacks its flow:
 * an answer to a translated connection would be taken for one to this machine,
 * and reset it; windows would move on unseen. So packets are dropped, and sent
 * again: a table of nftables, in front of everything, drops what comes in. What
 * this machine sends goes to a queue where nobody listens, since a drop would be
 * an error of the program that sends.
 *
 * The table belongs to a socket: it is gone with this program, whatever becomes
 * of that.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "err.h"
#include "freeze.h"

#define TABLE		"flowtrack-reload"
#define PRIORITY	(-450)	/* before packets are defragmented */
#define QUEUE		65535	/* the last one, which programs do not take by default */

static struct nlmsghdr *begin(struct mnl_nlmsg_batch *batch, int type, int flags, int family)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(mnl_nlmsg_batch_current(batch));
	struct nfgenmsg *nfg;

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
	nfg->nfgen_family = family;
	nfg->version = NFNETLINK_V0;
	nfg->res_id = type < NLMSG_MIN_TYPE + 2 ? htons(NFNL_SUBSYS_NFTABLES) : 0;
	return nlh;
}

static struct nlmsghdr *begin_nft(struct mnl_nlmsg_batch *batch, int cmd, int flags)
{
	return begin(batch, NFNL_SUBSYS_NFTABLES << 8 | cmd, NLM_F_CREATE | flags, NFPROTO_INET);
}

static void put_table(struct mnl_nlmsg_batch *batch)
{
	struct nlmsghdr *nlh = begin_nft(batch, NFT_MSG_NEWTABLE, NLM_F_EXCL);

	mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, TABLE);
	mnl_attr_put_u32(nlh, NFTA_TABLE_FLAGS, htonl(NFT_TABLE_F_OWNER));
	mnl_nlmsg_batch_next(batch);
}

static void put_chain(struct mnl_nlmsg_batch *batch, const char *name, int hook, int policy)
{
	struct nlmsghdr *nlh = begin_nft(batch, NFT_MSG_NEWCHAIN, 0);
	struct nlattr *nest;

	mnl_attr_put_strz(nlh, NFTA_CHAIN_TABLE, TABLE);
	mnl_attr_put_strz(nlh, NFTA_CHAIN_NAME, name);
	nest = mnl_attr_nest_start(nlh, NFTA_CHAIN_HOOK);
	mnl_attr_put_u32(nlh, NFTA_HOOK_HOOKNUM, htonl(hook));
	mnl_attr_put_u32(nlh, NFTA_HOOK_PRIORITY, htonl(PRIORITY));
	mnl_attr_nest_end(nlh, nest);
	mnl_attr_put_u32(nlh, NFTA_CHAIN_POLICY, htonl(policy));
	mnl_attr_put_strz(nlh, NFTA_CHAIN_TYPE, "filter");
	mnl_nlmsg_batch_next(batch);
}

static void put_queue(struct mnl_nlmsg_batch *batch, const char *chain)
{
	struct nlmsghdr *nlh = begin_nft(batch, NFT_MSG_NEWRULE, NLM_F_APPEND);
	struct nlattr *list, *elem, *data;

	mnl_attr_put_strz(nlh, NFTA_RULE_TABLE, TABLE);
	mnl_attr_put_strz(nlh, NFTA_RULE_CHAIN, chain);
	list = mnl_attr_nest_start(nlh, NFTA_RULE_EXPRESSIONS);
	elem = mnl_attr_nest_start(nlh, NFTA_LIST_ELEM);
	mnl_attr_put_strz(nlh, NFTA_EXPR_NAME, "queue");
	data = mnl_attr_nest_start(nlh, NFTA_EXPR_DATA);
	mnl_attr_put_u16(nlh, NFTA_QUEUE_NUM, htons(QUEUE));
	mnl_attr_put_u16(nlh, NFTA_QUEUE_TOTAL, htons(1));
	mnl_attr_nest_end(nlh, data);
	mnl_attr_nest_end(nlh, elem);
	mnl_attr_nest_end(nlh, list);
	nlh->nlmsg_flags |= NLM_F_ACK;
	mnl_nlmsg_batch_next(batch);
}

/* The last message is acknowledged; whatever fails is told of before. */
static int send_batch(struct mnl_socket *sk, struct mnl_nlmsg_batch *batch)
{
	char buf[8192];
	const struct nlmsghdr *nlh = (const void *)buf;
	const struct nlmsgerr *e;
	ssize_t n;

	n = mnl_socket_sendto(sk, mnl_nlmsg_batch_head(batch), mnl_nlmsg_batch_size(batch));
	if (n >= 0)
		n = mnl_socket_recvfrom(sk, buf, sizeof(buf));
	if (n < 0)
		return -errno;
	if (!mnl_nlmsg_ok(nlh, n) || nlh->nlmsg_type != NLMSG_ERROR)
		return -EPROTO;
	e = mnl_nlmsg_get_payload(nlh);
	return e->error;
}

/**
 * freeze() - let no packet through the current network namespace
 * @sk: set to what thaw() wants
 *
 * Return: an exit code.
 */
int freeze(struct mnl_socket **sk)
{
	struct mnl_nlmsg_batch *batch;
	char buf[8192];
	int err;

	*sk = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	if (!*sk || mnl_socket_bind(*sk, 0, MNL_SOCKET_AUTOPID) < 0) {
		err = -errno;
		goto failed;
	}
	batch = mnl_nlmsg_batch_start(buf, sizeof(buf));
	begin(batch, NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC);
	mnl_nlmsg_batch_next(batch);
	put_table(batch);
	put_chain(batch, "in", NF_INET_PRE_ROUTING, NF_DROP);
	put_chain(batch, "out", NF_INET_LOCAL_OUT, NF_ACCEPT);
	put_queue(batch, "out");
	begin(batch, NFNL_MSG_BATCH_END, 0, AF_UNSPEC);
	mnl_nlmsg_batch_next(batch);
	err = send_batch(*sk, batch);
	mnl_nlmsg_batch_stop(batch);
	if (!err)
		return EXIT_OK;
failed:
	thaw(*sk);
	*sk = NULL;
	return err_set(EXIT_REFUSED, "packets cannot be held up: nftables: %s", strerror(-err));
}

void thaw(struct mnl_socket *sk)
{
	if (sk)
		mnl_socket_close(sk);
}
