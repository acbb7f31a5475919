// SPDX-License-Identifier: GPL-2.0
#include <linux/in.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/rcupdate.h>
#include <linux/string.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/netfilter/nf_nat.h>
#include <net/netlink.h>

#include "flow/flow.h"
#include "track/nat_setup.h"

/* An attribute with a port in it. */
#define PORT_ROOM	(NLA_HDRLEN + NLA_ALIGN(sizeof(__be16)))

/**
 * struct range_attr - what a source or destination becomes, as ctnetlink's users say it
 * @nest: CTA_NAT_SRC or CTA_NAT_DST; nf_nat reads only what is in it
 * @room: of an address, and of a port in a nest of its own
 */
struct range_attr {
	struct nlattr nest;
	u8 room[NLA_HDRLEN + sizeof(struct in6_addr) + NLA_HDRLEN + PORT_ROOM];
} __aligned(NLA_ALIGNTO);

static struct nlattr *append(struct nlattr *nest, u16 type, const void *data, u16 len)
{
	struct nlattr *attr = (void *)nest + NLA_ALIGN(nest->nla_len);

	attr->nla_type = type;
	attr->nla_len = nla_attr_size(len);
	if (len)
		memcpy(nla_data(attr), data, len);
	nest->nla_len = NLA_ALIGN(nest->nla_len) + attr->nla_len;
	return attr;
}

/* @port: NULL: it stays. */
static void set_range(struct range_attr *range, u8 family, const union nf_inet_addr *addr,
		      const __be16 *port)
{
	struct nlattr *proto;

	memset(range, 0, sizeof(*range));
	range->nest.nla_len = NLA_HDRLEN;
	if (family == NFPROTO_IPV4)
		append(&range->nest, CTA_NAT_V4_MINIP, &addr->ip, sizeof(addr->ip));
	else
		append(&range->nest, CTA_NAT_V6_MINIP, &addr->in6, sizeof(addr->in6));
	if (!port)
		return;
	proto = append(&range->nest, CTA_NAT_PROTO, NULL, 0);
	append(proto, CTA_PROTONAT_PORT_MIN, port, sizeof(*port));
	range->nest.nla_len += proto->nla_len - NLA_HDRLEN;
}

/* Context: RCU read side. */
static bool set_up_end(struct nf_conn *ct, enum nf_nat_manip_type manip, const struct nlattr *range)
{
	const struct nf_nat_hook *nat = rcu_dereference(nf_nat_hook);

	return nat && !nat->parse_nat_setup(ct, manip, range);
}

/**
 * ft_nat_setup_source() - let nf_nat remember what the source of an entry has
 * @ct: the entry, in no table; its tuples are not translated
 * @reply: what its reply tuple becomes
 *
 * Context: RCU read side.
 * Return: false if nf_nat isn't there, or has chosen something else.
 */
bool ft_nat_setup_source(struct nf_conn *ct, const struct nf_conntrack_tuple *reply)
{
	struct nf_conntrack_tuple out;
	struct range_attr range;

	if (!nf_ct_invert_tuple(&out, reply))
		return false;
	set_range(&range, out.src.l3num, &out.src.u3, &out.src.u.all);
	return set_up_end(ct, NF_NAT_MANIP_SRC, &range.nest) &&
	       nf_ct_tuple_equal(nf_ct_tuple(ct, IP_CT_DIR_REPLY), reply);
}

static bool set_up_destination(struct nf_conn *ct, const struct nf_conntrack_tuple *reply)
{
	struct nf_conntrack_tuple out;
	struct range_attr range;
	bool icmp;

	if (!nf_ct_invert_tuple(&out, reply))
		return false;
	icmp = out.dst.protonum == IPPROTO_ICMP || out.dst.protonum == IPPROTO_ICMPV6;
	/* Of ICMP there are type and code, which nf_nat leaves alone. */
	set_range(&range, out.src.l3num, &out.dst.u3, icmp ? NULL : &out.dst.u.all);
	return set_up_end(ct, NF_NAT_MANIP_DST, &range.nest);
}

/**
 * ft_nat_setup() - translate an entry as a flow of ours is
 * @ct: the entry, in no table; its tuples are not translated
 * @reply: what its reply tuple becomes
 * @word: FT_FLOW_SNAT, FT_FLOW_DNAT: which ends are translated
 *
 * nf_nat is made to choose @reply: nothing else is in the ranges that it gets. So it
 * knows the entry as one that a rule has translated.
 *
 * Context: RCU read side.
 * Return: false if nf_nat isn't there, or has chosen something else.
 */
bool ft_nat_setup(struct nf_conn *ct, const struct nf_conntrack_tuple *reply, u32 word)
{
	if (!(word & FT_FLOW_DNAT ? set_up_destination(ct, reply) :
				    set_up_end(ct, NF_NAT_MANIP_DST, NULL)))
		return false;
	if (word & FT_FLOW_SNAT)
		return ft_nat_setup_source(ct, reply);
	return set_up_end(ct, NF_NAT_MANIP_SRC, NULL) &&
	       nf_ct_tuple_equal(nf_ct_tuple(ct, IP_CT_DIR_REPLY), reply);
}
