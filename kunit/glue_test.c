// SPDX-License-Identifier: GPL-2.0
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <net/netlink.h>

#include "ft_kunit.h"
#include "track/carrier.h"
#include "track/glue.h"

#define CT_ATTR		11

/* As nf_conntrack_netlink would: an id of the object, and its status. */
static int fake_build(struct sk_buff *skb, struct nf_conn *ct,
		      enum ip_conntrack_info ctinfo, u_int16_t ct_attr,
		      u_int16_t ct_info_attr)
{
	struct nlattr *nest = nla_nest_start(skb, ct_attr);

	if (!nest || nla_put_be32(skb, CTA_MARK, htonl(7)) ||
	    nla_put_be32(skb, CTA_ID, htonl((u32)(unsigned long)ct)) ||
	    nla_put_be32(skb, CTA_STATUS, htonl(ct->status)))
		return -ENOSPC;
	nla_nest_end(skb, nest);
	return 0;
}

static const struct nfnl_ct_hook fake = {
	.build = fake_build,
};

/**
 * struct told - what user space is told of a packet
 * @id: CTA_ID
 * @status: CTA_STATUS
 * @mark: CTA_MARK
 */
struct told {
	u32 id;
	u32 status;
	u32 mark;
};

static struct told tell(struct kunit *test, struct nf_conn *ct)
{
	struct sk_buff *skb = nlmsg_new(256, GFP_KERNEL);
	struct nlattr *tb[CTA_MAX + 1];
	struct told told = {};
	int err;

	KUNIT_ASSERT_NOT_NULL(test, skb);
	rcu_read_lock();
	err = rcu_dereference(nfnl_ct_hook)->build(skb, ct, IP_CT_NEW, CT_ATTR,
						   CT_ATTR + 1);
	rcu_read_unlock();
	KUNIT_EXPECT_EQ(test, err, 0);
	err = nla_parse_nested(tb, CTA_MAX, (struct nlattr *)skb->data, NULL,
			       NULL);
	KUNIT_EXPECT_EQ(test, err, 0);
	if (!err && tb[CTA_ID] && tb[CTA_STATUS] && tb[CTA_MARK]) {
		told.id = ntohl(nla_get_be32(tb[CTA_ID]));
		told.status = ntohl(nla_get_be32(tb[CTA_STATUS]));
		told.mark = ntohl(nla_get_be32(tb[CTA_MARK]));
	}
	kfree_skb(skb);
	return told;
}

static struct ft_carrier *carrier_of(struct kunit *test, struct ft_net *tn,
				     u16 sport, u32 word)
{
	struct ft_carrier *carrier = ft_carrier_create(tn);
	union nf_inet_addr src = { .ip = FT_IP(192, 0, 2, 1) };
	union nf_inet_addr dst = { .ip = FT_IP(192, 0, 2, 2) };
	struct ft_view view = { .word = word };
	struct ft_key key;

	KUNIT_ASSERT_NOT_NULL(test, carrier);
	ft_key_set(&key, NFPROTO_IPV4, IPPROTO_UDP, 0, &src, &dst, htons(sport),
		   htons(53));
	view.key = &key;
	local_bh_disable();
	ft_carrier_fill(carrier, &view);
	local_bh_enable();
	return carrier;
}

/* Two packets of a flow have two carriers, and one id. */
static void carriers_have_the_id_of_their_flow(struct kunit *test)
{
	const struct nfnl_ct_hook *real;
	struct ft_net *tn = ft_kunit_net(test, 10);
	struct ft_carrier *first, *second, *other;
	struct told told, again;

	first = carrier_of(test, tn, 1000, 0);
	second = carrier_of(test, tn, 1000, FT_FLOW_SEEN_REPLY);
	other = carrier_of(test, tn, 1001, 0);

	ft_glue_exit();
	real = rcu_replace_pointer(nfnl_ct_hook, &fake, true);
	KUNIT_ASSERT_EQ(test, ft_glue_init(), 0);

	first->pending = true;
	told = tell(test, &first->ct);
	KUNIT_EXPECT_EQ(test, told.mark, 7);
	KUNIT_EXPECT_EQ(test, told.status & ~IPS_NAT_DONE_MASK, 0);
	again = tell(test, &second->ct);
	KUNIT_EXPECT_EQ(test, again.id, told.id);
	KUNIT_EXPECT_EQ(test, again.status & ~IPS_NAT_DONE_MASK,
			IPS_SEEN_REPLY | IPS_CONFIRMED);
	KUNIT_EXPECT_NE(test, tell(test, &other->ct).id, told.id);

	/* And nothing of it is left behind. */
	ft_glue_exit();
	KUNIT_EXPECT_PTR_EQ(test, rcu_access_pointer(nfnl_ct_hook), &fake);
	rcu_assign_pointer(nfnl_ct_hook, real);
	KUNIT_EXPECT_EQ(test, ft_glue_init(), 0);

	ft_carrier_release(first);
	ft_carrier_release(second);
	ft_carrier_release(other);
}

static struct kunit_case glue_cases[] = {
	KUNIT_CASE(carriers_have_the_id_of_their_flow),
	{}
};

static struct kunit_suite glue_suite = {
	.name = "ft_glue",
	.test_cases = glue_cases,
};

kunit_test_suite(glue_suite);
