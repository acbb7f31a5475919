// SPDX-License-Identifier: GPL-2.0
#include <linux/icmp.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/netfilter/nf_conntrack_zones.h>
#include <net/netfilter/nf_nat.h>
#include <net/netlink.h>

#include "flow/flow.h"
#include "ft_kunit.h"
#include "track/nat_setup.h"

#define SRC	NF_NAT_MANIP_SRC
#define DST	NF_NAT_MANIP_DST
#define BOTH	(FT_FLOW_SNAT | FT_FLOW_DNAT)

/* In the place of nf_nat: it does what it is asked for, and remembers that. */

/**
 * struct asked - what the hook was asked for
 * @calls: how often, by end
 * @plain: calls that asked to leave that end as it is
 * @port: the last one named, by end; 0: none
 * @wrong: calls of which something could not be read
 * @contrary: choose another port than that asked for
 */
struct asked {
	unsigned int calls[2];
	unsigned int plain[2];
	u16 port[2];
	unsigned int wrong;
	bool contrary;
};

static struct asked asked;

/* As nf_nat reads them. Return: false: there is no range. */
static bool read_range(const struct nlattr *attr, u8 family, union nf_inet_addr *addr,
		       __be16 *port)
{
	struct nlattr *tb[CTA_NAT_MAX + 1], *proto[CTA_PROTONAT_MAX + 1];
	unsigned int type = family == NFPROTO_IPV4 ? CTA_NAT_V4_MINIP : CTA_NAT_V6_MINIP;

	if (!attr)
		return false;
	if (nla_parse_nested_deprecated(tb, CTA_NAT_MAX, attr, NULL, NULL) || !tb[type]) {
		asked.wrong++;
		return false;
	}
	memcpy(addr, nla_data(tb[type]), nla_len(tb[type]));
	*port = 0;
	if (!tb[CTA_NAT_PROTO])
		return true;
	if (nla_parse_nested_deprecated(proto, CTA_PROTONAT_MAX, tb[CTA_NAT_PROTO], NULL,
					NULL) ||
	    !proto[CTA_PROTONAT_PORT_MIN])
		asked.wrong++;
	else
		*port = nla_get_be16(proto[CTA_PROTONAT_PORT_MIN]);
	return true;
}

static int choose(struct nf_conn *ct, enum nf_nat_manip_type manip, const struct nlattr *attr)
{
	struct nf_conntrack_tuple out, reply = *nf_ct_tuple(ct, IP_CT_DIR_REPLY);
	union nf_inet_addr addr = {};
	__be16 port = 0;

	asked.calls[manip]++;
	ct->status |= manip == NF_NAT_MANIP_SRC ? IPS_SRC_NAT_DONE : IPS_DST_NAT_DONE;
	if (!read_range(attr, reply.src.l3num, &addr, &port)) {
		asked.plain[manip]++;
		return 0;
	}
	asked.port[manip] = ntohs(port);
	if (asked.contrary)
		be16_add_cpu(&port, 1);
	nf_ct_invert_tuple(&out, &reply);
	if (manip == NF_NAT_MANIP_SRC) {
		ct->status |= IPS_SRC_NAT;
		out.src.u3 = addr;
		out.src.u.all = port ?: out.src.u.all;
	} else {
		ct->status |= IPS_DST_NAT;
		out.dst.u3 = addr;
		out.dst.u.all = port ?: out.dst.u.all;
	}
	nf_ct_invert_tuple(&reply, &out);
	nf_conntrack_alter_reply(ct, &reply);
	return 0;
}

static void forget_source(struct nf_conn *ct)
{
}

static const struct nf_nat_hook fake = {
	.parse_nat_setup = choose,
	.remove_nat_bysrc = forget_source,
};

/* The one that was there: another suite may have loaded nf_nat. */
static const struct nf_nat_hook *hook_before;

static void hook_restore(void *data)
{
	rcu_assign_pointer(nf_nat_hook, hook_before);
	synchronize_rcu();
}

/* Until the test ends, nf_nat is @hook, which was asked for nothing yet. */
static void hook_set(struct kunit *test, const struct nf_nat_hook *hook)
{
	asked = (struct asked){};
	hook_before = rcu_access_pointer(nf_nat_hook);
	rcu_assign_pointer(nf_nat_hook, hook);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, hook_restore, NULL), 0);
}

static void ct_free(void *ct)
{
	nf_conntrack_free(ct);
}

/* An entry in no table, of a flow that is not translated. */
static struct nf_conn *entry_new(struct kunit *test, const struct nf_conntrack_tuple *orig)
{
	struct nf_conntrack_tuple reply;
	struct nf_conn *ct;

	KUNIT_ASSERT_TRUE(test, nf_ct_invert_tuple(&reply, orig));
	ct = nf_conntrack_alloc(&init_net, &nf_ct_zone_dflt, orig, &reply, GFP_KERNEL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, ct);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, ct_free, ct), 0);
	return ct;
}

static void address_set(union nf_inet_addr *addr, u8 family, u8 host)
{
	memset(addr, 0, sizeof(*addr));
	if (family == NFPROTO_IPV4)
		addr->ip = FT_IP(192, 0, 2, host);
	else
		addr->in6 = (struct in6_addr){ .s6_addr32 = {
			htonl(0x20010db8), 0, 0, htonl(host) } };
}

static void tuple_set(struct nf_conntrack_tuple *tuple, u8 family, u8 src, u16 sport, u8 dst,
		      u16 dport)
{
	memset(tuple, 0, sizeof(*tuple));
	tuple->src.l3num = family;
	tuple->dst.protonum = IPPROTO_TCP;
	address_set(&tuple->src.u3, family, src);
	address_set(&tuple->dst.u3, family, dst);
	tuple->src.u.tcp.port = htons(sport);
	tuple->dst.u.tcp.port = htons(dport);
}

static bool set_up(struct nf_conn *ct, const struct nf_conntrack_tuple *reply, u32 word)
{
	bool done;

	rcu_read_lock();
	done = ft_nat_setup(ct, reply, word);
	rcu_read_unlock();
	return done;
}

static bool has_reply(const struct nf_conn *ct, const struct nf_conntrack_tuple *reply)
{
	return nf_ct_tuple_equal(nf_ct_tuple(ct, IP_CT_DIR_REPLY), reply);
}

/* nf_nat is asked for each end once: for a mapping, or to leave it as it is. */
static void ends(struct kunit *test)
{
	static const struct {
		const char *name;
		u32 word;
		u8 family, server, client;
		u16 server_port, client_port;
	} cases[] = {
		{ "source", FT_FLOW_SNAT, NFPROTO_IPV4, 2, 9, 80, 2000 },
		{ "destination", FT_FLOW_DNAT, NFPROTO_IPV4, 8, 1, 8080, 1000 },
		{ "both", BOTH, NFPROTO_IPV4, 8, 9, 8080, 2000 },
		{ "both, IPv6", BOTH, NFPROTO_IPV6, 8, 9, 8080, 2000 },
		{ "address only", FT_FLOW_SNAT, NFPROTO_IPV4, 2, 9, 80, 1000 },
	};
	struct nf_conntrack_tuple orig, reply;
	struct nf_conn *ct;
	unsigned int i;

	hook_set(test, &fake);
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		asked = (struct asked){};
		tuple_set(&orig, cases[i].family, 1, 1000, 2, 80);
		tuple_set(&reply, cases[i].family, cases[i].server, cases[i].server_port,
			  cases[i].client, cases[i].client_port);
		ct = entry_new(test, &orig);
		KUNIT_EXPECT_TRUE_MSG(test, set_up(ct, &reply, cases[i].word), "%s", cases[i].name);
		KUNIT_EXPECT_TRUE_MSG(test, has_reply(ct, &reply), "%s", cases[i].name);
		KUNIT_EXPECT_EQ_MSG(test, !!(ct->status & IPS_SRC_NAT),
				    !!(cases[i].word & FT_FLOW_SNAT), "%s", cases[i].name);
		KUNIT_EXPECT_EQ_MSG(test, !!(ct->status & IPS_DST_NAT),
				    !!(cases[i].word & FT_FLOW_DNAT), "%s", cases[i].name);
		KUNIT_EXPECT_EQ_MSG(test, asked.calls[SRC], 1, "%s", cases[i].name);
		KUNIT_EXPECT_EQ_MSG(test, asked.calls[DST], 1, "%s", cases[i].name);
		KUNIT_EXPECT_EQ_MSG(test, asked.plain[SRC], !(cases[i].word & FT_FLOW_SNAT),
				    "%s", cases[i].name);
		KUNIT_EXPECT_EQ_MSG(test, asked.plain[DST], !(cases[i].word & FT_FLOW_DNAT),
				    "%s", cases[i].name);
		KUNIT_EXPECT_EQ_MSG(test, asked.wrong, 0, "%s", cases[i].name);
	}
}

/* A source keeps its port because nf_nat is told of it, not because it would do so anyway. */
static void ports_are_named(struct kunit *test)
{
	struct nf_conntrack_tuple orig, reply;

	hook_set(test, &fake);
	tuple_set(&orig, NFPROTO_IPV4, 1, 1000, 2, 80);
	tuple_set(&reply, NFPROTO_IPV4, 8, 80, 9, 1000);
	KUNIT_EXPECT_TRUE(test, set_up(entry_new(test, &orig), &reply, BOTH));
	KUNIT_EXPECT_EQ(test, asked.port[SRC], 1000);
	KUNIT_EXPECT_EQ(test, asked.port[DST], 80);
}

/* Of ICMP the source has an id; the destination has type and code, which stay. */
static void icmp(struct kunit *test)
{
	struct nf_conntrack_tuple orig, reply;

	hook_set(test, &fake);
	tuple_set(&orig, NFPROTO_IPV4, 1, 1000, 2, 0);
	orig.dst.protonum = IPPROTO_ICMP;
	orig.dst.u.icmp.type = ICMP_ECHO;
	orig.dst.u.icmp.code = 0;
	tuple_set(&reply, NFPROTO_IPV4, 8, 2000, 9, 0);
	reply.dst.protonum = IPPROTO_ICMP;
	reply.dst.u.icmp.type = ICMP_ECHOREPLY;
	reply.dst.u.icmp.code = 0;
	KUNIT_EXPECT_TRUE(test, set_up(entry_new(test, &orig), &reply, BOTH));
	KUNIT_EXPECT_EQ(test, asked.port[SRC], 2000);
	KUNIT_EXPECT_EQ(test, asked.port[DST], 0);
}

/* nf_nat has the last word. */
static void chosen_otherwise(struct kunit *test)
{
	struct nf_conntrack_tuple orig, reply;

	hook_set(test, &fake);
	asked.contrary = true;
	tuple_set(&orig, NFPROTO_IPV4, 1, 1000, 2, 80);
	tuple_set(&reply, NFPROTO_IPV4, 2, 80, 9, 2000);
	KUNIT_EXPECT_FALSE(test, set_up(entry_new(test, &orig), &reply, FT_FLOW_SNAT));
	tuple_set(&reply, NFPROTO_IPV4, 8, 8080, 1, 1000);
	KUNIT_EXPECT_FALSE(test, set_up(entry_new(test, &orig), &reply, FT_FLOW_DNAT));
}

static void without_nat(struct kunit *test)
{
	struct nf_conntrack_tuple orig, reply;

	hook_set(test, NULL);
	tuple_set(&orig, NFPROTO_IPV4, 1, 1000, 2, 80);
	tuple_set(&reply, NFPROTO_IPV4, 2, 80, 9, 2000);
	KUNIT_EXPECT_FALSE(test, set_up(entry_new(test, &orig), &reply, FT_FLOW_SNAT));
}

static struct kunit_case nat_setup_cases[] = {
	KUNIT_CASE(ends),
	KUNIT_CASE(ports_are_named),
	KUNIT_CASE(icmp),
	KUNIT_CASE(chosen_otherwise),
	KUNIT_CASE(without_nat),
	{}
};

static struct kunit_suite nat_setup_suite = {
	.name = "ft_nat_setup",
	.test_cases = nat_setup_cases,
};

kunit_test_suite(nat_setup_suite);
