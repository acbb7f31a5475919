/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A connection in ctnetlink's attributes.
 *
 * What is encoded is a struct nf_conn: an entry of nf_conntrack, or a stand-in for
 * a flow of ours (stand_in.h). So that both look the same, only one encoder is
 * there. The order of attributes is that of nf_conntrack_netlink.
 */
#ifndef _FT_CTNETLINK_ENCODE_H
#define _FT_CTNETLINK_ENCODE_H

#include <linux/skbuff.h>
#include <linux/types.h>
#include <net/netfilter/nf_conntrack.h>

/**
 * struct ft_ctnl_head - what stands in a message's headers
 * @portid: netlink port that asked, or that the change of an event is due to
 * @seq: sequence number of the request; 0 in an event
 * @type: IPCTNL_MSG_*: in an answer of the request, in an event of the message
 * @flags: NLM_F_*
 */
struct ft_ctnl_head {
	u32 portid;
	u32 seq;
	u16 type;
	u16 flags;
};

struct nlmsghdr *ft_ctnl_msg_put(struct sk_buff *skb, const struct ft_ctnl_head *head,
				 unsigned int subsys, u8 family, u16 res_id);
int ft_ctnl_put_tuple(struct sk_buff *skb, int attr, const struct nf_conntrack_tuple *tuple);
int ft_ctnl_put_ct(struct sk_buff *skb, const struct ft_ctnl_head *head, struct nf_conn *ct,
		   __be32 id, bool ext);
int ft_ctnl_put_queued(struct sk_buff *skb, struct nf_conn *ct, __be32 id);
size_t ft_ctnl_event_size(const struct nf_conn *ct);
int ft_ctnl_put_event(struct sk_buff *skb, const struct ft_ctnl_head *head, struct nf_conn *ct,
		      __be32 id, unsigned int events);

__be32 ft_ctnl_ct_id(const struct nf_conn *ct);

#endif /* _FT_CTNETLINK_ENCODE_H */
