// SPDX-License-Identifier: GPL-2.0
/*
 * proto/tcp.c against the kernel's own nf_conntrack, on random packets.
 *
 * Two generators. One makes connections: what a host would send next, with a
 * share of numbers that lie on the very edges of the windows. The other takes
 * every state of a flow, kind of segment and kind of number that the rules tell
 * apart, and lets both take one step from there.
 *
 * After each packet both must agree in everything that they keep, and on the
 * timeout. What they deliberately do not agree on is not generated:
 * - 256 equal segments in a row: see tcp_retrans_saturates;
 * - less than two minutes left when a FIN or RST is out of window: what is left
 *   is always more here;
 * - a flow with no windows: see tcp_entered.
 */
#include <linux/prandom.h>

#include "ft_tcp_duo.h"

#define STATES		(FLOWTRACK_TCP_STATE_SYN_SENT2 + 1)
#define CONNECTIONS	12000
#define PACKETS		24

/**
 * struct fuzz - a generator
 * @d: what it feeds
 * @rnd: where all its numbers come from
 * @chaos: of 256 numbers, how many are not what a host would send
 * @sent: the packets of this connection
 * @n: how many
 * @fed: packets altogether
 * @met: how often a kind of segment met a state, by direction
 * @outcomes: how often each of them was seen
 * @reasons: likewise
 * @cuts: timeouts by what cut them: see tally()
 * @assured: flows that became assured
 * @limits: deadlines that came near
 */
struct fuzz {
	struct ft_tcp_duo *d;
	struct rnd_state rnd;
	u8 chaos;
	struct ft_tcp_sent sent[PACKETS];
	unsigned int n;
	u32 fed;
	u32 met[STATES][2][FT_TCP_KINDS];
	u32 outcomes[FT_TCP_OUTCOMES];
	u32 reasons[FT_INVALID_COUNT];
	u32 cuts[3];
	u32 assured;
	u32 limits;
};

static u32 below(struct fuzz *f, u32 n)
{
	return prandom_u32_state(&f->rnd) % n;
}

static bool odd(struct fuzz *f)
{
	return (prandom_u32_state(&f->rnd) & 0xff) < f->chaos;
}

static u32 one_of(struct fuzz *f, const u32 *v, u32 n)
{
	return v[below(f, n)];
}

#define ONE_OF(f, ...) ({						\
	const u32 _v[] = { __VA_ARGS__ };				\
	one_of(f, _v, ARRAY_SIZE(_v));					\
})

/* Where things break: around zero, where signs change, anywhere. */
static u32 any_number(struct fuzz *f)
{
	return ONE_OF(f, 0, 1, U32_MAX, 0x7fffffff, 0x80000000,
		      U32_MAX - below(f, 70000), 0x80000000 - below(f, 70000),
		      prandom_u32_state(&f->rnd));
}

/* One octet more or less. */
static u32 near(struct fuzz *f)
{
	return below(f, 5) - 2;
}

/* Sequence numbers that the rules compare with, for a segment of @len. */
static u32 edge_seq(struct fuzz *f, const struct ft_tcp *tcp, int dir, u32 len)
{
	return near(f) +
	       ONE_OF(f, tcp->end[dir], tcp->end[dir] - 1, tcp->end[dir] - len,
		      tcp->maxend[dir], tcp->maxend[dir] - len,
		      tcp->end[dir] - tcp->maxwin[!dir],
		      tcp->end[dir] - tcp->maxwin[!dir] - len,
		      tcp->maxend[dir] + tcp->maxwin[!dir] - len,
		      tcp->maxack[!dir], tcp->last_seq, tcp->last_end,
		      tcp->last_ack, 0, any_number(f));
}

static u32 edge_ack(struct fuzz *f, const struct ft_tcp *tcp, int dir)
{
	return near(f) +
	       ONE_OF(f, tcp->end[!dir], tcp->end[!dir] + 1, tcp->last_end,
		      tcp->end[!dir] - 66000,
		      tcp->end[!dir] - max(tcp->maxwin[dir], 66000u),
		      tcp->maxack[dir], tcp->last_seq, tcp->last_ack, 0,
		      any_number(f));
}

static u16 some_len(struct fuzz *f, const struct ft_tcp *tcp, int dir)
{
	u32 room = tcp->maxend[dir] - tcp->end[dir];

	switch (below(f, 16)) {
	case 0:
		return 1;
	case 1:
	case 2:
	case 3:
		return below(f, 1461);
	case 4:
		return below(f, FT_TCP_PAYLOAD_MAX);
	case 5:
		/* As much as there is room for, and a little more. */
		if (room < FT_TCP_PAYLOAD_MAX - 4)
			return room + below(f, 4);
		return 1460;
	case 6:
		room += tcp->maxwin[!dir];
		if (room < FT_TCP_PAYLOAD_MAX - 4)
			return room + below(f, 4);
		return 536;
	default:
		return 0;
	}
}

static void put_option(struct ft_tcp_sent *p, u8 kind, u8 len, const void *data)
{
	if (p->opts_len + len > sizeof(p->opts))
		return;
	p->opts[p->opts_len] = kind;
	if (len > 1)
		p->opts[p->opts_len + 1] = len;
	if (len > 2)
		memcpy(&p->opts[p->opts_len + 2], data, len - 2);
	p->opts_len += len;
}

static void put_sack(struct fuzz *f, struct ft_tcp_sent *p,
		     const struct ft_tcp *tcp, int dir)
{
	unsigned int blocks = 1 + below(f, 4), i;
	__be32 edges[8];

	for (i = 0; i < blocks; i++) {
		u32 right = tcp->end[!dir] - below(f, 3000);

		if (odd(f))
			right = edge_ack(f, tcp, dir);
		edges[2 * i] = htonl(right - below(f, 1000));
		edges[2 * i + 1] = htonl(right);
	}
	/* Of a length that no blocks have, now and then. */
	put_option(p, TCPOPT_SACK, 2 + 8 * blocks - (odd(f) ? below(f, 9) : 0),
		   edges);
}

static void some_options(struct fuzz *f, struct ft_tcp_sent *p,
			 const struct ft_tcp *tcp, int dir)
{
	u8 bytes[38], i;

	prandom_bytes_state(&f->rnd, bytes, sizeof(bytes));
	if (p->flags & TCPHDR_SYN) {
		if (below(f, 8))
			put_option(p, TCPOPT_MSS, TCPOLEN_MSS, bytes);
		if (below(f, 4)) {
			if (!odd(f))
				bytes[0] %= 15;
			put_option(p, TCPOPT_WINDOW, TCPOLEN_WINDOW, bytes);
		}
		if (below(f, 2))
			put_option(p, TCPOPT_NOP, 1, NULL);
		if (below(f, 4))
			put_option(p, TCPOPT_SACK_PERM, TCPOLEN_SACK_PERM, NULL);
	}
	switch (below(f, 8)) {
	case 0:
	case 1:
	case 2:
		put_option(p, TCPOPT_NOP, 1, NULL);
		put_option(p, TCPOPT_NOP, 1, NULL);
		put_option(p, TCPOPT_TIMESTAMP, TCPOLEN_TIMESTAMP, bytes);
		break;
	case 3:
		put_option(p, TCPOPT_NOP, 1, NULL);
		put_option(p, TCPOPT_NOP, 1, NULL);
		put_sack(f, p, tcp, dir);
		break;
	}
	if (!odd(f))
		return;
	/* Anything, made of bytes that are options more often than not. */
	p->opts_len = below(f, sizeof(p->opts) + 1);
	for (i = 0; i < p->opts_len; i++)
		p->opts[i] = ONE_OF(f, 0, 1, 2, 3, 3, 4, 5, 5, 8, 10, 18,
				    prandom_u32_state(&f->rnd));
}

/* What a host sends in a state: of 100, how many are of each kind. */
static const struct {
	u8 reply;	/* by the responder */
	u8 kinds[FT_TCP_KINDS][2];
} habits[STATES] = {
#define HABIT(r, syn, syn_ack, fin, ack, rst, syn2, syn_ack2, fin2, ack2, rst2) \
	{ r, {								\
		[FT_TCP_KIND_SYN] = { syn, syn2 },			\
		[FT_TCP_KIND_SYN_ACK] = { syn_ack, syn_ack2 },		\
		[FT_TCP_KIND_FIN] = { fin, fin2 },			\
		[FT_TCP_KIND_ACK] = { ack, ack2 },			\
		[FT_TCP_KIND_RST] = { rst, rst2 },			\
	} }
	[FLOWTRACK_TCP_STATE_NONE] =
		HABIT(50, 75, 2, 2, 19, 2, 75, 2, 2, 19, 2),
	[FLOWTRACK_TCP_STATE_SYN_SENT] =
		HABIT(70, 80, 3, 3, 8, 6, 12, 70, 2, 11, 5),
	[FLOWTRACK_TCP_STATE_SYN_SENT2] =
		HABIT(50, 30, 55, 3, 6, 6, 30, 50, 3, 11, 6),
	[FLOWTRACK_TCP_STATE_SYN_RECV] =
		HABIT(25, 6, 6, 4, 78, 6, 6, 35, 9, 40, 10),
	[FLOWTRACK_TCP_STATE_ESTABLISHED] =
		HABIT(50, 5, 2, 7, 79, 7, 3, 5, 7, 78, 7),
	[FLOWTRACK_TCP_STATE_FIN_WAIT] =
		HABIT(60, 5, 2, 30, 58, 5, 5, 5, 30, 55, 5),
	[FLOWTRACK_TCP_STATE_CLOSE_WAIT] =
		HABIT(60, 5, 2, 35, 53, 5, 5, 5, 35, 50, 5),
	[FLOWTRACK_TCP_STATE_LAST_ACK] =
		HABIT(45, 20, 3, 20, 52, 5, 5, 10, 20, 60, 5),
	[FLOWTRACK_TCP_STATE_TIME_WAIT] =
		HABIT(50, 35, 5, 15, 40, 5, 25, 20, 15, 35, 5),
	[FLOWTRACK_TCP_STATE_CLOSE] =
		HABIT(50, 35, 5, 10, 30, 20, 10, 30, 10, 30, 20),
};

static const u8 flags_of[FT_TCP_KINDS] = {
	[FT_TCP_KIND_RST] = TCPHDR_RST,
	[FT_TCP_KIND_SYN] = TCPHDR_SYN,
	[FT_TCP_KIND_SYN_ACK] = TCPHDR_SYN | TCPHDR_ACK,
	[FT_TCP_KIND_FIN] = TCPHDR_FIN | TCPHDR_ACK,
	[FT_TCP_KIND_ACK] = TCPHDR_ACK,
};

static u8 some_kind(struct fuzz *f, u8 state, int dir)
{
	int left = below(f, 100);
	u8 kind;

	for (kind = FT_TCP_KIND_RST; kind < FT_TCP_KIND_ACK; kind++) {
		left -= habits[state].kinds[kind][dir];
		if (left < 0)
			break;
	}
	return kind;
}

/* The next packet of the connection. */
static void invent(struct fuzz *f, struct ft_tcp_sent *p)
{
	const struct ft_tcp_duo *d = f->d;
	const struct ft_tcp *tcp = &d->state.tcp;
	u8 state = d->open ? ft_word_state(d->word) : 0;
	int dir;
	u8 kind;

	/* The very same again. */
	if (f->n && !below(f, 12)) {
		*p = f->sent[f->n - 1];
		return;
	}

	memset(p, 0, sizeof(*p));
	dir = below(f, 100) < habits[state].reply;
	p->side = d->open ? dir ^ d->opener : dir;
	kind = some_kind(f, state, dir);
	p->flags = flags_of[kind];
	if (kind == FT_TCP_KIND_RST && below(f, 2))
		p->flags |= TCPHDR_ACK;
	if (!below(f, 4))
		p->flags |= TCPHDR_PSH;
	if (!below(f, 500))
		p->flags = prandom_u32_state(&f->rnd);
	p->win = ONE_OF(f, 0, 1, 1000, 65535, 64240, tcp->last_win,
			below(f, 65536), below(f, 65536));

	if (!d->open) {
		/* What was before does not matter. */
		p->seq = any_number(f);
		p->ack = p->flags & TCPHDR_ACK ? any_number(f) : 0;
		p->len = kind == FT_TCP_KIND_ACK ? below(f, 1461) : 0;
	} else {
		if (kind == FT_TCP_KIND_ACK || odd(f))
			p->len = some_len(f, tcp, dir);
		p->seq = tcp->end[dir];
		/* First of its side; or of the next connection. */
		if (!tcp->maxwin[dir] ||
		    (kind == FT_TCP_KIND_SYN && below(f, 2)))
			p->seq = any_number(f);
		if (kind == FT_TCP_KIND_RST && !below(f, 4))
			p->seq = ONE_OF(f, tcp->maxack[!dir], tcp->last_ack,
					tcp->last_end, 0);
		p->ack = tcp->end[!dir];
		/* The answer to what was let through. */
		if (tcp->last_kind == FT_TCP_KIND_SYN && tcp->last_dir != dir &&
		    below(f, 2))
			p->ack = tcp->last_end;
		if (odd(f))
			p->seq = edge_seq(f, tcp, dir, p->len);
		if (odd(f))
			p->ack = edge_ack(f, tcp, dir);
		if (!(p->flags & TCPHDR_ACK) && below(f, 8))
			p->ack = 0;
	}
	some_options(f, p, tcp, dir);
}

static void tell(struct fuzz *f)
{
	unsigned int i;

	for (i = 0; i < f->n; i++) {
		const struct ft_tcp_sent *p = &f->sent[i];

		kunit_info(f->d->test,
			   "%u: side %u flags %02x seq %u ack %u win %u len %u options %*phN\n",
			   i, p->side, p->flags, p->seq, p->ack, p->win, p->len,
			   p->opts_len, p->opts);
	}
}

static void tally(struct fuzz *f, const struct ft_tcp_sent *p, bool open,
		  u32 before)
{
	const struct ft_tcp_duo *d = f->d;
	const struct ft_settings *set = &d->set;
	u32 usual = ft_tcp_timeout(d->word, set);

	f->fed++;
	f->outcomes[d->outcome]++;
	if (d->outcome == FT_TCP_INVALID)
		f->reasons[d->step.reason]++;
	if (d->step.limit)
		f->limits++;
	if (d->outcome == FT_TCP_ACCEPTS && d->step.timeout != usual) {
		if (d->step.timeout == ft_timeout(set, TCP_TIMEOUT_MAX_RETRANS))
			f->cuts[d->state.tcp.retrans ? 0 : 1]++;
		else
			f->cuts[2]++;
	}
	if (d->word & ~before & FT_FLOW_ASSURED)
		f->assured++;
}

/* A flow's state tells what meets it, before the packet changes it. */
static void meet(struct fuzz *f, const struct ft_tcp_sent *p)
{
	const struct ft_tcp_duo *d = f->d;
	int dir = d->open ? p->side ^ d->opener : 0;
	u8 state = d->open ? ft_word_state(d->word) : 0;
	u8 kind = FT_TCP_KIND_NONE;

	if (p->flags & TCPHDR_RST)
		kind = FT_TCP_KIND_RST;
	else if (p->flags & TCPHDR_SYN)
		kind = p->flags & TCPHDR_ACK ? FT_TCP_KIND_SYN_ACK :
					       FT_TCP_KIND_SYN;
	else if (p->flags & TCPHDR_FIN)
		kind = FT_TCP_KIND_FIN;
	else if (p->flags & TCPHDR_ACK)
		kind = FT_TCP_KIND_ACK;
	f->met[state][dir][kind]++;
}

static bool feed(struct fuzz *f, const struct ft_tcp_sent *p)
{
	struct ft_tcp_duo *d = f->d;
	u32 before = d->open ? d->word : 0;
	const char *differs;

	meet(f, p);
	differs = ft_tcp_duo_feed(d, p);
	tally(f, p, d->open, before);
	if (!differs)
		return true;
	KUNIT_FAIL(d->test, "nf_conntrack does not agree: %s\n", differs);
	kunit_info(d->test, "we: outcome %d reason %d state %u timeout %u\n",
		   d->outcome, d->step.reason, ft_word_state(d->word),
		   d->step.timeout);
	tell(f);
	return false;
}

static void some_settings(struct fuzz *f)
{
	struct ft_settings *set = &f->d->set;

	ft_tcp_duo_defaults(set);
	set->v[FLOWTRACK_A_SETTINGS_TCP_LOOSE] = !!below(f, 5);
	set->v[FLOWTRACK_A_SETTINGS_TCP_BE_LIBERAL] = !below(f, 6);
	set->v[FLOWTRACK_A_SETTINGS_TCP_IGNORE_INVALID_RST] = !below(f, 5);
	set->v[FLOWTRACK_A_SETTINGS_TCP_MAX_RETRANS] = below(f, 5);
	/* Which of them is the shorter one decides what cuts first. */
	if (below(f, 2))
		set->v[FLOWTRACK_A_SETTINGS_TCP_TIMEOUT_UNACKNOWLEDGED] =
			ONE_OF(f, 20, 64, 125, 300, 60000);
	if (below(f, 2))
		set->v[FLOWTRACK_A_SETTINGS_TCP_TIMEOUT_MAX_RETRANS] =
			ONE_OF(f, 21, 63, 122, 301, 61000);
	ft_tcp_duo_set(f->d);
}

static struct fuzz *fuzz(struct kunit *test, u64 seed)
{
	struct fuzz *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, f);
	f->d = ft_tcp_duo(test);
	prandom_seed_state(&f->rnd, seed);
	return f;
}

static void tcp_connections(struct kunit *test)
{
	static const u8 chaos[] = { 0, 8, 24, 64, 128 };
	struct fuzz *f = fuzz(test, 9293);
	struct ft_tcp_sent *p;
	int i, state, dir, kind;
	unsigned int unmet = 0;

	for (i = 0; i < CONNECTIONS; i++) {
		ft_tcp_duo_reset(f->d);
		some_settings(f);
		f->chaos = chaos[below(f, ARRAY_SIZE(chaos))];
		for (f->n = 0; f->n < PACKETS;) {
			p = &f->sent[f->n];
			invent(f, p);
			f->n++;
			if (!feed(f, p)) {
				kunit_info(test, "connection %d\n", i);
				return;
			}
		}
		cond_resched();
	}

	/* A generator that does not get everywhere proves nothing. */
	for (state = 0; state < STATES; state++)
		for (dir = 0; dir < (state ? 2 : 1); dir++)
			for (kind = FT_TCP_KIND_RST; kind < FT_TCP_KINDS; kind++)
				unmet += f->met[state][dir][kind] < 30;
	KUNIT_EXPECT_EQ(test, unmet, 0);
	for (i = 0; i < FT_TCP_OUTCOMES; i++)
		KUNIT_EXPECT_GT_MSG(test, f->outcomes[i], f->fed / 200,
				    "outcome %d", i);
	KUNIT_EXPECT_GT(test, f->reasons[FT_INVALID_TCP_FLAGS], 100);
	KUNIT_EXPECT_GT(test, f->reasons[FT_INVALID_TCP_STATE], 100);
	KUNIT_EXPECT_GT(test, f->reasons[FT_INVALID_TCP_MIDSTREAM], 100);
	KUNIT_EXPECT_GT(test, f->reasons[FT_INVALID_TCP_SEQ_OVER], 100);
	KUNIT_EXPECT_GT(test, f->reasons[FT_INVALID_TCP_ACK_OVER], 100);
	KUNIT_EXPECT_GT(test, f->reasons[FT_INVALID_TCP_RST], 100);
	for (i = 0; i < ARRAY_SIZE(f->cuts); i++)
		KUNIT_EXPECT_GT_MSG(test, f->cuts[i], 100, "timeout %d", i);
	KUNIT_EXPECT_GT(test, f->assured, 1000);
	KUNIT_EXPECT_GT(test, f->limits, 10);
	kunit_info(test, "%u packets, %u connections assured, %u invalid, %u kept\n",
		   f->fed, f->assured, f->outcomes[FT_TCP_INVALID],
		   f->outcomes[FT_TCP_KEEPS]);
}

/* A flow in a state, with all that is kept about it at random. */
static void pretend(struct fuzz *f, u8 state, u32 bits, u8 last_kind, u8 last_dir)
{
	struct ft_tcp_duo *d = f->d;
	struct ft_tcp *tcp = &d->state.tcp;
	int dir;

	memset(tcp, 0, sizeof(*tcp));
	for (dir = 0; dir < 2; dir++) {
		tcp->end[dir] = any_number(f);
		tcp->maxwin[dir] = 1 + below(f, 1 << below(f, 24));
		tcp->flags[dir] = prandom_u32_state(&f->rnd) & 0x37;
		if (!below(f, 8))
			tcp->flags[dir] |= FLOWTRACK_TCP_FLAGS_BE_LIBERAL;
		if (tcp->flags[dir] & FLOWTRACK_TCP_FLAGS_WINDOW_SCALE)
			tcp->scale[dir] = below(f, 15);
	}
	/* A responder that was not heard of yet. */
	if (!below(f, 4)) {
		tcp->end[1] = 0;
		tcp->maxwin[1] = 0;
		tcp->flags[1] &= FLOWTRACK_TCP_FLAGS_BE_LIBERAL;
	}
	for (dir = 0; dir < 2; dir++) {
		tcp->maxend[dir] = tcp->end[dir] + below(f, 1 + tcp->maxwin[!dir]);
		if (tcp->flags[dir] & FLOWTRACK_TCP_FLAGS_MAXACK_SET)
			tcp->maxack[dir] = tcp->end[!dir] - below(f, 3) * 500;
	}
	tcp->last_kind = last_kind;
	tcp->last_dir = last_dir;
	tcp->last_seq = any_number(f);
	tcp->last_end = below(f, 2) ? any_number(f) : tcp->end[last_dir];
	tcp->last_ack = below(f, 2) ? any_number(f) : tcp->end[!last_dir];
	tcp->last_win = below(f, 3) * 500;
	tcp->retrans = below(f, 5);
	tcp->last_scale = below(f, 15);
	tcp->last_flags = prandom_u32_state(&f->rnd) & 0xc3;
	/* In nf_conntrack a noted SYN has taken this one away. */
	if (last_kind == FT_TCP_KIND_SYN)
		tcp->last_flags &= ~FLOWTRACK_TCP_FLAGS_SIMULTANEOUS_OPEN;

	d->opener = 0;
	d->word = (u32)state << 8 | bits;
	d->word |= (u32)ft_tcp_class(d->word) << 5;
	ft_tcp_duo_put(d);
}

static bool open_some(struct ft_tcp_duo *d)
{
	const struct ft_tcp_sent syn = { .flags = TCPHDR_SYN };

	/* Not one that the other side has opened since. */
	if (d->open && d->opener)
		ft_tcp_duo_reset(d);
	if (!d->open)
		ft_tcp_duo_feed(d, &syn);
	KUNIT_EXPECT_TRUE(d->test, d->open && d->ct);
	return d->open && d->ct;
}

#define SEQS	8
#define ACKS	4

/* One segment against a pretended flow. */
static bool one_step(struct fuzz *f, int dir, u8 kind, int which_seq,
		     int which_ack)
{
	const struct ft_tcp *tcp = &f->d->state.tcp;
	struct ft_tcp_sent *p = &f->sent[0];
	const u32 seqs[SEQS] = {
		tcp->end[dir], tcp->maxack[!dir], tcp->maxack[!dir] - 1, 0,
		tcp->last_end, tcp->last_ack, tcp->maxend[dir] + 1,
		edge_seq(f, tcp, dir, 0),
	};
	const u32 acks[ACKS] = {
		tcp->end[!dir], tcp->last_end, 0, edge_ack(f, tcp, dir),
	};

	memset(p, 0, sizeof(*p));
	f->n = 1;
	p->side = dir;
	p->flags = flags_of[kind];
	if (kind == FT_TCP_KIND_RST && below(f, 2))
		p->flags |= TCPHDR_ACK;
	p->seq = seqs[which_seq];
	p->ack = acks[which_ack];
	p->win = below(f, 3) * 500;
	p->len = below(f, 2) ? some_len(f, tcp, dir) : 0;
	if (below(f, 2))
		some_options(f, p, tcp, dir);
	return feed(f, p);
}

/* One of @n, for a number that counts through all combinations. */
static u32 digit(u32 *number, u32 n)
{
	u32 d = *number % n;

	*number /= n;
	return d;
}

static void tcp_steps(struct kunit *test)
{
	static const u32 bits[] = {
		0, FT_FLOW_SEEN_REPLY, FT_FLOW_SEEN_REPLY | FT_FLOW_ASSURED,
	};
	struct fuzz *f = fuzz(test, 5961);
	u32 i;

	f->chaos = 40;
	for (i = 0;; i++) {
		u32 rest = i;
		u32 seq = digit(&rest, SEQS);
		u32 ack = digit(&rest, ACKS);
		u32 last_dir = digit(&rest, 2);
		u32 last_kind = digit(&rest, FT_TCP_KINDS);
		u32 bit = digit(&rest, ARRAY_SIZE(bits));
		u32 kind = FT_TCP_KIND_RST + digit(&rest, FT_TCP_KINDS - 1);
		u32 dir = digit(&rest, 2);
		u32 state = 1 + digit(&rest, STATES - 1);

		if (rest)
			break;
		if (!seq && !ack)
			some_settings(f);
		if (!open_some(f->d))
			return;
		pretend(f, state, bits[bit], last_kind, last_dir);
		if (!one_step(f, dir, kind, seq, ack)) {
			kunit_info(test, "state %u kind %u bits %x last %u %u\n",
				   state, kind, bits[bit], last_kind, last_dir);
			return;
		}
		cond_resched();
	}
	KUNIT_EXPECT_EQ(test, f->fed, i);
	kunit_info(test, "%u packets\n", f->fed);
}

static struct kunit_case cases[] = {
	KUNIT_CASE_SLOW(tcp_connections),
	KUNIT_CASE_SLOW(tcp_steps),
	{}
};

static struct kunit_suite suite = {
	.name = "ft_proto_tcp_random",
	.test_cases = cases,
};

kunit_test_suite(suite);
