/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A TCP connection seen by proto/tcp.c and, packet by packet the same, by the
 * kernel's own nf_conntrack. After every packet all that both of them keep
 * about the connection must agree, down to the last sequence number.
 */
#ifndef _FT_TCP_DUO_H
#define _FT_TCP_DUO_H

#include <kunit/test.h>
#include <linux/ip.h>
#include <linux/netfilter_ipv4.h>
#include <linux/skbuff.h>
#include <linux/tcp.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/netfilter/nf_conntrack_l4proto.h>
#include <net/tcp.h>

#include "proto/tcp.h"
#include "proto/tcp_window.h"

#define FT_TCP_PAYLOAD_MAX	65000
/* Longer than any timeout: what is still there was not touched. */
#define FT_TCP_FAR		(S32_MAX / 2)

/* What one of two hosts sends, whichever of them opens the flow. */
struct ft_tcp_sent {
	u8 side;
	u8 flags;
	u32 seq;
	u32 ack;
	u16 win;
	u16 len;
	u8 opts_len;
	u8 opts[MAX_TCP_OPTION_SPACE];
};

enum ft_tcp_outcome {
	FT_TCP_INVALID,
	FT_TCP_OPENS,	/* a new flow, whether or not there was one before */
	FT_TCP_ACCEPTS,
	FT_TCP_KEEPS,	/* accepted, the deadline stays */
	FT_TCP_ENDS,	/* accepted, and the flow is gone */
	FT_TCP_OUTCOMES
};

/**
 * struct ft_tcp_duo - both views of a connection
 * @test: the test
 * @set: our settings; ft_tcp_duo_set() gives them to nf_conntrack
 * @skb: one packet, written anew for each
 * @saved: nf_conntrack's settings before the test
 * @ct: nf_conntrack's view, with a reference; NULL: it knows no flow
 * @open: we know a flow
 * @opener: side that opened our flow
 * @word: its bits
 * @state: what proto/tcp.c keeps of it
 * @step: the last packet's
 * @outcome: likewise
 * @left: timeout that nf_conntrack set with the last packet
 * @ticks: clock ticks that passed meanwhile
 */
struct ft_tcp_duo {
	struct kunit *test;
	struct ft_settings set;
	struct sk_buff *skb;
	struct nf_tcp_net saved;
	struct nf_conn *ct;
	bool open;
	u8 opener;
	u32 word;
	union ft_proto_state state;
	struct ft_step step;
	enum ft_tcp_outcome outcome;
	s32 left;
	u32 ticks;
};

static inline void ft_tcp_duo_reset(struct ft_tcp_duo *d)
{
	d->open = false;
	if (!d->ct)
		return;
	nf_ct_kill(d->ct);
	nf_ct_put(d->ct);
	d->ct = NULL;
}

static inline void ft_tcp_duo_free(void *data)
{
	struct ft_tcp_duo *d = data;

	ft_tcp_duo_reset(d);
	*nf_tcp_pernet(&init_net) = d->saved;
	kfree_skb(d->skb);
}

/* Timeouts that differ from each other; all else as it is by default. */
static inline void ft_tcp_duo_defaults(struct ft_settings *set)
{
	static const u32 v[__FLOWTRACK_A_SETTINGS_MAX] = {
		[FLOWTRACK_A_SETTINGS_TCP_LOOSE] = 1,
		[FLOWTRACK_A_SETTINGS_TCP_MAX_RETRANS] = 3,
		[FLOWTRACK_A_SETTINGS_TCP_TIMEOUT_SYN_SENT] = 121,
		[FLOWTRACK_A_SETTINGS_TCP_TIMEOUT_SYN_RECV] = 62,
		[FLOWTRACK_A_SETTINGS_TCP_TIMEOUT_ESTABLISHED] = 54003,
		[FLOWTRACK_A_SETTINGS_TCP_TIMEOUT_FIN_WAIT] = 124,
		[FLOWTRACK_A_SETTINGS_TCP_TIMEOUT_CLOSE_WAIT] = 65,
		[FLOWTRACK_A_SETTINGS_TCP_TIMEOUT_LAST_ACK] = 36,
		[FLOWTRACK_A_SETTINGS_TCP_TIMEOUT_TIME_WAIT] = 127,
		[FLOWTRACK_A_SETTINGS_TCP_TIMEOUT_CLOSE] = 18,
		[FLOWTRACK_A_SETTINGS_TCP_TIMEOUT_MAX_RETRANS] = 319,
		[FLOWTRACK_A_SETTINGS_TCP_TIMEOUT_UNACKNOWLEDGED] = 330,
	};

	memcpy(set->v, v, sizeof(v));
}

/* Let nf_conntrack have our settings. It has none for SYN_SENT2. */
static inline void ft_tcp_duo_set(struct ft_tcp_duo *d)
{
	struct nf_tcp_net *tn = nf_tcp_pernet(&init_net);
	const struct ft_settings *set = &d->set;

	tn->tcp_loose = ft_setting(set, TCP_LOOSE);
	tn->tcp_be_liberal = ft_setting(set, TCP_BE_LIBERAL);
	tn->tcp_max_retrans = ft_setting(set, TCP_MAX_RETRANS);
	tn->tcp_ignore_invalid_rst = ft_setting(set, TCP_IGNORE_INVALID_RST);
	tn->timeouts[TCP_CONNTRACK_SYN_SENT] =
		ft_timeout(set, TCP_TIMEOUT_SYN_SENT);
	tn->timeouts[TCP_CONNTRACK_SYN_SENT2] =
		ft_timeout(set, TCP_TIMEOUT_SYN_SENT);
	tn->timeouts[TCP_CONNTRACK_SYN_RECV] =
		ft_timeout(set, TCP_TIMEOUT_SYN_RECV);
	tn->timeouts[TCP_CONNTRACK_ESTABLISHED] =
		ft_timeout(set, TCP_TIMEOUT_ESTABLISHED);
	tn->timeouts[TCP_CONNTRACK_FIN_WAIT] =
		ft_timeout(set, TCP_TIMEOUT_FIN_WAIT);
	tn->timeouts[TCP_CONNTRACK_CLOSE_WAIT] =
		ft_timeout(set, TCP_TIMEOUT_CLOSE_WAIT);
	tn->timeouts[TCP_CONNTRACK_LAST_ACK] =
		ft_timeout(set, TCP_TIMEOUT_LAST_ACK);
	tn->timeouts[TCP_CONNTRACK_TIME_WAIT] =
		ft_timeout(set, TCP_TIMEOUT_TIME_WAIT);
	tn->timeouts[TCP_CONNTRACK_CLOSE] = ft_timeout(set, TCP_TIMEOUT_CLOSE);
	tn->timeouts[TCP_CONNTRACK_RETRANS] =
		ft_timeout(set, TCP_TIMEOUT_MAX_RETRANS);
	tn->timeouts[TCP_CONNTRACK_UNACK] =
		ft_timeout(set, TCP_TIMEOUT_UNACKNOWLEDGED);
}

static inline struct ft_tcp_duo *ft_tcp_duo(struct kunit *test)
{
	struct ft_tcp_duo *d = kunit_kzalloc(test, sizeof(*d), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, d);
	d->test = test;
	d->skb = alloc_skb(sizeof(struct iphdr) + sizeof(struct tcphdr) +
			   MAX_TCP_OPTION_SPACE + FT_TCP_PAYLOAD_MAX,
			   GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, d->skb);
	d->saved = *nf_tcp_pernet(&init_net);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, ft_tcp_duo_free,
							d), 0);
	ft_tcp_duo_defaults(&d->set);
	ft_tcp_duo_set(d);
	return d;
}

/* The bytes of a packet; payload is what happens to be there. */
static inline void ft_tcp_duo_write(struct ft_tcp_duo *d,
				    const struct ft_tcp_sent *p,
				    struct ft_pkt *pkt)
{
	unsigned int doff = sizeof(struct tcphdr) + ALIGN(p->opts_len, 4);
	unsigned int len = sizeof(struct iphdr) + doff + p->len;
	struct sk_buff *skb = d->skb;
	struct tcphdr *tcph;
	struct iphdr *iph;

	skb_trim(skb, 0);
	skb_reset_network_header(skb);
	iph = skb_put(skb, len);
	memset(iph, 0, sizeof(*iph) + doff);
	iph->version = 4;
	iph->ihl = 5;
	iph->ttl = 64;
	iph->protocol = IPPROTO_TCP;
	iph->tot_len = htons(len);
	iph->saddr = htonl(0xc0000201 + p->side);
	iph->daddr = htonl(0xc0000201 + !p->side);

	tcph = (struct tcphdr *)(iph + 1);
	tcph->source = htons(p->side ? 80 : 40000);
	tcph->dest = htons(p->side ? 40000 : 80);
	tcph->seq = htonl(p->seq);
	tcph->ack_seq = htonl(p->ack);
	tcph->doff = doff / 4;
	((u8 *)tcph)[13] = p->flags;
	tcph->window = htons(p->win);
	memcpy(tcph + 1, p->opts, p->opts_len);

	memset(pkt, 0, sizeof(*pkt));
	pkt->key.l4proto = IPPROTO_TCP;
	pkt->key.family = NFPROTO_IPV4;
	pkt->family = NFPROTO_IPV4;
	pkt->l4off = sizeof(*iph);
	pkt->l4len = len - sizeof(*iph);
}

static inline enum ft_tcp_outcome ft_tcp_duo_ours(struct ft_tcp_duo *d,
						  const struct ft_tcp_sent *p,
						  const struct ft_pkt *pkt)
{
	struct ft_step *step = &d->step;
	enum ft_verdict verdict;

	memset(step, 0, sizeof(*step));
	step->set = &d->set;
	step->now = ft_now();
	step->reason = ft_tcp_check(d->skb, pkt, NF_INET_LOCAL_IN, false);
	if (step->reason)
		return FT_TCP_INVALID;

	if (d->open) {
		step->word = d->word;
		step->dir = p->side == d->opener ? FT_DIR_ORIG : FT_DIR_REPLY;
		verdict = ft_tcp_packet(d->skb, pkt, step, &d->state);
		switch (verdict) {
		case FT_VERDICT_ACCEPT:
			d->word = step->word;
			if (step->timeout)
				return FT_TCP_ACCEPTS;
			d->open = false;
			return FT_TCP_ENDS;
		case FT_VERDICT_KEEP:
			d->word = step->word;
			return FT_TCP_KEEPS;
		case FT_VERDICT_INVALID:
			KUNIT_EXPECT_NE(d->test, step->reason, FT_INVALID_NONE);
			return FT_TCP_INVALID;
		case FT_VERDICT_REOPEN:
			d->open = false;
			break;
		case FT_VERDICT_DROP:
			KUNIT_FAIL(d->test, "verdict DROP");
			return FT_TCP_INVALID;
		}
	}

	step->word = 0;
	step->dir = FT_DIR_ORIG;
	if (ft_tcp_new(d->skb, pkt, step, &d->state) != FT_VERDICT_ACCEPT) {
		KUNIT_EXPECT_NE(d->test, step->reason, FT_INVALID_NONE);
		return FT_TCP_INVALID;
	}
	d->open = true;
	d->opener = p->side;
	d->word = step->word;
	return FT_TCP_OPENS;
}

static inline enum ft_tcp_outcome ft_tcp_duo_theirs(struct ft_tcp_duo *d)
{
	const struct nf_hook_state state = {
		.hook = NF_INET_LOCAL_OUT,
		.pf = NFPROTO_IPV4,
		.net = &init_net,
	};
	enum ft_tcp_outcome outcome = FT_TCP_INVALID;
	enum ip_conntrack_info ctinfo;
	struct nf_conn *ct;
	u32 now;

	now = nfct_time_stamp;
	if (d->ct)
		WRITE_ONCE(d->ct->timeout, now + FT_TCP_FAR);
	rcu_read_lock();
	KUNIT_EXPECT_EQ(d->test, nf_conntrack_in(d->skb, &state), NF_ACCEPT);
	ct = nf_ct_get(d->skb, &ctinfo);
	if (ct && !nf_ct_is_confirmed(ct)) {
		KUNIT_EXPECT_EQ(d->test, __nf_conntrack_confirm(d->skb),
				NF_ACCEPT);
		ct = nf_ct_get(d->skb, &ctinfo);
		if (d->ct)
			nf_ct_put(d->ct);
		d->ct = ct;
		nf_conntrack_get(&ct->ct_general);
		outcome = FT_TCP_OPENS;
	}
	rcu_read_unlock();

	d->ticks = nfct_time_stamp - now;
	d->left = d->ct ? (s32)(READ_ONCE(d->ct->timeout) - now) : FT_TCP_FAR;
	if (ct && outcome != FT_TCP_OPENS) {
		if (nf_ct_is_dying(ct))
			outcome = FT_TCP_ENDS;
		else if (d->left == FT_TCP_FAR)
			outcome = FT_TCP_KEEPS;
		else
			outcome = FT_TCP_ACCEPTS;
	}
	nf_reset_ct(d->skb);
	if (outcome == FT_TCP_ENDS) {
		nf_ct_put(d->ct);
		d->ct = NULL;
	}
	return outcome;
}

/* nf_conntrack numbers the kinds of segments in its own way. */
static const u8 ft_tcp_their_kinds[] = {
	FT_TCP_KIND_SYN, FT_TCP_KIND_SYN_ACK, FT_TCP_KIND_FIN, FT_TCP_KIND_ACK,
	FT_TCP_KIND_RST, FT_TCP_KIND_NONE,
};

/* Not compared: what only we know, and what means nothing yet. */
static inline void ft_tcp_duo_view(const struct nf_conn *ct, u32 *word,
				   struct ft_tcp *tcp)
{
	const struct ip_ct_tcp *theirs = &ct->proto.tcp;
	int dir;

	memset(tcp, 0, sizeof(*tcp));
	for (dir = 0; dir < 2; dir++) {
		tcp->end[dir] = theirs->seen[dir].td_end;
		tcp->maxend[dir] = theirs->seen[dir].td_maxend;
		tcp->maxwin[dir] = theirs->seen[dir].td_maxwin;
		tcp->maxack[dir] = theirs->seen[dir].td_maxack;
		tcp->scale[dir] = theirs->seen[dir].td_scale;
		tcp->flags[dir] = theirs->seen[dir].flags;
	}
	tcp->last_seq = theirs->last_seq;
	tcp->last_ack = theirs->last_ack;
	tcp->last_end = theirs->last_end;
	tcp->last_win = theirs->last_win;
	tcp->last_kind = ft_tcp_their_kinds[theirs->last_index];
	tcp->last_dir = theirs->last_dir;
	tcp->retrans = theirs->retrans;
	tcp->last_scale = theirs->last_wscale;
	tcp->last_flags = theirs->last_flags;

	*word = (u32)theirs->state << 8;
	if (test_bit(IPS_SEEN_REPLY_BIT, &ct->status))
		*word |= FT_FLOW_SEEN_REPLY;
	if (test_bit(IPS_ASSURED_BIT, &ct->status))
		*word |= FT_FLOW_ASSURED;
}

/* The other way round: put nf_conntrack where we are. */
static inline void ft_tcp_duo_put(struct ft_tcp_duo *d)
{
	struct ip_ct_tcp *theirs = &d->ct->proto.tcp;
	const struct ft_tcp *tcp = &d->state.tcp;
	int dir, kind;

	memset(theirs, 0, sizeof(*theirs));
	for (dir = 0; dir < 2; dir++) {
		theirs->seen[dir].td_end = tcp->end[dir];
		theirs->seen[dir].td_maxend = tcp->maxend[dir];
		theirs->seen[dir].td_maxwin = tcp->maxwin[dir];
		theirs->seen[dir].td_maxack = tcp->maxack[dir];
		theirs->seen[dir].td_scale = tcp->scale[dir];
		theirs->seen[dir].flags = tcp->flags[dir];
	}
	theirs->last_seq = tcp->last_seq;
	theirs->last_ack = tcp->last_ack;
	theirs->last_end = tcp->last_end;
	theirs->last_win = tcp->last_win;
	for (kind = 0; ft_tcp_their_kinds[kind] != tcp->last_kind; kind++)
		;
	theirs->last_index = kind;
	theirs->last_dir = tcp->last_dir;
	theirs->retrans = tcp->retrans;
	theirs->last_wscale = tcp->last_scale;
	theirs->last_flags = tcp->last_flags;
	theirs->state = ft_word_state(d->word);
	assign_bit(IPS_SEEN_REPLY_BIT, &d->ct->status,
		   d->word & FT_FLOW_SEEN_REPLY);
	assign_bit(IPS_ASSURED_BIT, &d->ct->status, d->word & FT_FLOW_ASSURED);
}

/* What differs between the two after a packet; NULL: nothing. */
static inline const char *ft_tcp_duo_differ(struct ft_tcp_duo *d,
					    enum ft_tcp_outcome theirs)
{
	const u32 bits = FT_FLOW_STATE | FT_FLOW_SEEN_REPLY | FT_FLOW_ASSURED;
	struct ft_tcp ours = d->state.tcp, tcp;
	u32 timeout, word;

	if (d->outcome != theirs)
		return "outcome";
	if (d->open != !!d->ct)
		return "flow or none";
	if (!d->open)
		return NULL;

	timeout = FT_TCP_FAR;
	if (d->outcome == FT_TCP_OPENS || d->outcome == FT_TCP_ACCEPTS)
		timeout = d->step.timeout;
	else if (d->outcome == FT_TCP_INVALID && d->step.limit)
		timeout = d->step.limit;
	if (d->left - timeout > d->ticks)
		return "timeout";

	ft_tcp_duo_view(d->ct, &word, &tcp);
	if ((word ^ d->word) & bits)
		return "state or bits";
	if (ft_word_class(d->word) != ft_tcp_class(d->word))
		return "class";
	if (memcmp(ours.end, tcp.end, sizeof(ours.end)))
		return "end";
	if (memcmp(ours.maxend, tcp.maxend, sizeof(ours.maxend)))
		return "maxend";
	if (memcmp(ours.maxwin, tcp.maxwin, sizeof(ours.maxwin)))
		return "maxwin";
	if (memcmp(ours.maxack, tcp.maxack, sizeof(ours.maxack)))
		return "maxack";
	if (memcmp(ours.scale, tcp.scale, sizeof(ours.scale)))
		return "scale";
	if (memcmp(ours.flags, tcp.flags, sizeof(ours.flags)))
		return "flags";
	if (ours.last_kind != tcp.last_kind || ours.last_dir != tcp.last_dir)
		return "kind of the last segment";
	if (ours.last_seq != tcp.last_seq || ours.last_ack != tcp.last_ack ||
	    ours.last_end != tcp.last_end || ours.last_win != tcp.last_win)
		return "numbers of the last segment";
	if (ours.retrans != tcp.retrans)
		return "retransmissions";
	if (ours.last_scale != tcp.last_scale ||
	    (ours.last_flags & ~FT_TCP_LAST_SLIPPED) != tcp.last_flags)
		return "options of the last SYN";
	return NULL;
}

/* One packet for both. Return: what differs after it, or NULL. */
static inline const char *ft_tcp_duo_feed(struct ft_tcp_duo *d,
					  const struct ft_tcp_sent *p)
{
	struct ft_pkt pkt;

	ft_tcp_duo_write(d, p, &pkt);
	d->outcome = ft_tcp_duo_ours(d, p, &pkt);
	return ft_tcp_duo_differ(d, ft_tcp_duo_theirs(d));
}

#endif /* _FT_TCP_DUO_H */
