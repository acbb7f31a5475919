// SPDX-License-Identifier: GPL-2.0
#include <linux/random.h>
#include <net/sctp/checksum.h>

#include "ft_packet.h"
#include "proto/sctp.h"

#define V4	NFPROTO_IPV4

#define TAG_A	0x11111111	/* of packets that the initiator sends */
#define TAG_B	0x22222222	/* of packets that the responder sends */

enum {
	NO = FLOWTRACK_SCTP_STATE_NONE,
	CL = FLOWTRACK_SCTP_STATE_CLOSED,
	CW = FLOWTRACK_SCTP_STATE_COOKIE_WAIT,
	CE = FLOWTRACK_SCTP_STATE_COOKIE_ECHOED,
	EST = FLOWTRACK_SCTP_STATE_ESTABLISHED,
	SHS = FLOWTRACK_SCTP_STATE_SHUTDOWN_SENT,
	SR = FLOWTRACK_SCTP_STATE_SHUTDOWN_RECD,
	SA = FLOWTRACK_SCTP_STATE_SHUTDOWN_ACK_SENT,
	HS = FLOWTRACK_SCTP_STATE_HEARTBEAT_SENT,
	STATES,
	INVALID = 0xff,
};

/**
 * struct chunk - a chunk to be
 * @type: its type
 * @flags: its flags
 * @tag: INIT, INIT ACK: the tag it asks for
 */
struct chunk {
	u8 type;
	u8 flags;
	u32 tag;
};

#define MAX_CHUNKS	4

static void put_chunk(struct ft_packet *p, const struct chunk *c)
{
	struct sctp_chunkhdr ch = { .type = c->type, .flags = c->flags };
	struct sctp_inithdr inith = { .init_tag = htonl(c->tag) };
	bool init = c->type == SCTP_CID_INIT || c->type == SCTP_CID_INIT_ACK;
	/* Not a multiple of four: the padding does not count as length. */
	unsigned int body = init ? sizeof(inith) : 5;

	ch.length = htons(sizeof(ch) + body);
	ft_put(p, &ch, sizeof(ch));
	ft_put(p, init ? &inith : NULL, body);
	ft_put(p, NULL, -body & 3);
}

static void make(struct ft_packet *p, u32 vtag, const struct chunk *c,
		 unsigned int n)
{
	unsigned int i;

	ft_start(p, V4, 1, 2, IPPROTO_SCTP);
	ft_put_sctp(p, 1000, 2000, vtag);
	for (i = 0; i < n; i++)
		put_chunk(p, &c[i]);
	ft_end_ip(p);
}

/**
 * struct assoc - an association under test
 * @test: the test
 * @p: the packet under construction
 * @step: last step; word is the flow's
 * @state: the flow's
 * @there: the flow exists
 * @shape: how the next packet lies in memory
 */
struct assoc {
	struct kunit *test;
	struct ft_packet p;
	struct ft_step step;
	union ft_proto_state state;
	bool there;
	enum ft_shape shape;
};

static struct assoc *assoc(struct kunit *test)
{
	struct assoc *a = kunit_kzalloc(test, sizeof(*a), GFP_KERNEL);

	a->test = test;
	a->step.set = ft_kunit_timeouts(test);
	return a;
}

/* Feed a->p as hooks.c would do it: what is not accepted changes no word. */
static enum ft_verdict feed(struct assoc *a, enum ft_dir dir)
{
	u32 before = a->there ? a->step.word : 0;
	union ft_proto_state old = a->state;
	enum ft_verdict verdict;
	enum ft_invalid reason;
	struct sk_buff *skb;
	struct ft_pkt pkt;

	skb = ft_skb(a->test, &a->p, a->p.len, a->shape);
	a->shape = (a->shape + 1) % FT_SHAPES;
	KUNIT_ASSERT_EQ(a->test, ft_tuple_get(skb, V4, 0, &pkt, &reason),
			FT_PARSE_OK);
	a->step.word = before;
	a->step.dir = dir;
	a->step.reason = FT_INVALID_COUNT;
	a->step.timeout = 0;
	if (a->there) {
		verdict = ft_sctp_packet(skb, &pkt, &a->step, &a->state);
	} else {
		verdict = ft_sctp_new(skb, &pkt, &a->step, &a->state);
		a->there = verdict == FT_VERDICT_ACCEPT;
		KUNIT_EXPECT_NE(a->test, verdict, FT_VERDICT_KEEP);
	}
	kfree_skb(skb);

	switch (verdict) {
	case FT_VERDICT_ACCEPT:
		KUNIT_EXPECT_EQ(a->test, a->step.timeout,
				ft_sctp_timeout(a->step.word, a->step.set));
		KUNIT_EXPECT_EQ(a->test, ft_word_class(a->step.word),
				ft_sctp_class(a->step.word));
		break;
	case FT_VERDICT_INVALID:
		KUNIT_EXPECT_NE(a->test, a->step.reason, FT_INVALID_NONE);
		KUNIT_EXPECT_LT(a->test, a->step.reason, FT_INVALID_COUNT);
		KUNIT_EXPECT_TRUE(a->test, !memcmp(&old, &a->state, sizeof(old)));
		fallthrough;
	default:
		a->step.word = before;
		break;
	}
	return verdict;
}

static enum ft_verdict send(struct assoc *a, enum ft_dir dir, u32 vtag, u8 type,
			    u8 flags, u32 tag)
{
	struct chunk c = { type, flags, tag };

	make(&a->p, vtag, &c, 1);
	return feed(a, dir);
}

static u8 state_of(const struct assoc *a)
{
	return ft_word_state(a->step.word);
}

static void has_tags(struct assoc *a, u32 orig, u32 reply)
{
	KUNIT_EXPECT_EQ(a->test, ntohl(a->state.sctp.vtag[0]), orig);
	KUNIT_EXPECT_EQ(a->test, ntohl(a->state.sctp.vtag[1]), reply);
}

/* --- a life --------------------------------------------------------------- */

static void establish(struct assoc *a)
{
	struct kunit *test = a->test;

	/* The initiator asks for TAG_B, the responder for TAG_A. */
	KUNIT_EXPECT_EQ(test, send(a, 0, 0, SCTP_CID_INIT, 0, TAG_B),
			FT_VERDICT_ACCEPT);
	KUNIT_EXPECT_EQ(test, state_of(a), CL);
	KUNIT_EXPECT_EQ(test, ft_word_class(a->step.word),
			FLOWTRACK_CLASS_EMBRYONIC);
	has_tags(a, 0, TAG_B);
	KUNIT_EXPECT_EQ(test, send(a, 1, TAG_B, SCTP_CID_INIT_ACK, 0, TAG_A),
			FT_VERDICT_ACCEPT);
	KUNIT_EXPECT_TRUE(test, a->step.update);
	KUNIT_EXPECT_EQ(test, state_of(a), CW);
	KUNIT_EXPECT_EQ(test, ft_word_class(a->step.word),
			FLOWTRACK_CLASS_REPLIED);
	has_tags(a, TAG_A, TAG_B);
	KUNIT_EXPECT_EQ(test, send(a, 0, TAG_A, SCTP_CID_COOKIE_ECHO, 0, 0),
			FT_VERDICT_ACCEPT);
	KUNIT_EXPECT_EQ(test, state_of(a), CE);
	KUNIT_EXPECT_FALSE(test, a->step.word & FT_FLOW_ASSURED);
	KUNIT_EXPECT_EQ(test, send(a, 1, TAG_B, SCTP_CID_COOKIE_ACK, 0, 0),
			FT_VERDICT_ACCEPT);
	KUNIT_EXPECT_EQ(test, state_of(a), EST);
	KUNIT_EXPECT_TRUE(test, a->step.word & FT_FLOW_ASSURED);
	KUNIT_EXPECT_EQ(test, ft_word_class(a->step.word),
			FLOWTRACK_CLASS_ASSURED);
}

static void life(struct kunit *test)
{
	struct assoc *a;
	int dir;

	/* Either side may begin the end. */
	for (dir = 0; dir < 2; dir++) {
		u32 tag[2] = { TAG_A, TAG_B };

		a = assoc(test);
		establish(a);
		KUNIT_EXPECT_EQ(test, send(a, 0, TAG_A, SCTP_CID_DATA, 0, 0),
				FT_VERDICT_ACCEPT);
		KUNIT_EXPECT_FALSE(test, a->step.update);
		KUNIT_EXPECT_EQ(test, send(a, 1, TAG_B, SCTP_CID_SACK, 0, 0),
				FT_VERDICT_ACCEPT);
		KUNIT_EXPECT_EQ(test, state_of(a), EST);
		KUNIT_EXPECT_EQ(test, send(a, dir, tag[dir], SCTP_CID_SHUTDOWN,
					   0, 0), FT_VERDICT_ACCEPT);
		KUNIT_EXPECT_EQ(test, state_of(a), dir ? SR : SHS);
		KUNIT_EXPECT_EQ(test, send(a, !dir, tag[!dir],
					   SCTP_CID_SHUTDOWN_ACK, 0, 0),
				FT_VERDICT_ACCEPT);
		KUNIT_EXPECT_EQ(test, state_of(a), SA);
		KUNIT_EXPECT_EQ(test, ft_word_class(a->step.word),
				FLOWTRACK_CLASS_CLOSING);
		KUNIT_EXPECT_EQ(test, send(a, dir, tag[dir],
					   SCTP_CID_SHUTDOWN_COMPLETE, 0, 0),
				FT_VERDICT_ACCEPT);
		KUNIT_EXPECT_EQ(test, state_of(a), CL);
		KUNIT_EXPECT_EQ(test, ft_word_class(a->step.word),
				FLOWTRACK_CLASS_CLOSING);

		/* The next one over the same ports does not prolong it ... */
		KUNIT_EXPECT_EQ(test, send(a, 0, 0, SCTP_CID_INIT, 0, 7),
				FT_VERDICT_KEEP);
		has_tags(a, TAG_A, 7);
		/* ... but is let through. */
		KUNIT_EXPECT_EQ(test, send(a, 1, 7, SCTP_CID_INIT_ACK, 0, 8),
				FT_VERDICT_ACCEPT);
		KUNIT_EXPECT_EQ(test, state_of(a), CW);
	}
}

/* A host on the path of neither guesses no tag. */
static void wrong_tags(struct kunit *test)
{
	static const u8 plain[] = {
		SCTP_CID_DATA, SCTP_CID_SACK, SCTP_CID_ERROR,
		SCTP_CID_COOKIE_ACK, SCTP_CID_COOKIE_ECHO, SCTP_CID_SHUTDOWN,
		SCTP_CID_INIT_ACK, SCTP_CID_ABORT, SCTP_CID_SHUTDOWN_COMPLETE,
		SCTP_CID_HEARTBEAT_ACK, 192,
	};
	struct assoc *a = assoc(test);
	unsigned int i;
	int dir;

	establish(a);
	for (dir = 0; dir < 2; dir++) {
		u32 own = dir ? TAG_B : TAG_A, peer = dir ? TAG_A : TAG_B;

		for (i = 0; i < ARRAY_SIZE(plain); i++) {
			KUNIT_EXPECT_EQ_MSG(test, send(a, dir, own ^ 0x100,
						       plain[i], 0, 9),
					    FT_VERDICT_INVALID, "type %u",
					    plain[i]);
			KUNIT_EXPECT_EQ(test, a->step.reason,
					FT_INVALID_SCTP_VTAG);
			KUNIT_EXPECT_EQ(test, send(a, dir, peer, plain[i], 0, 9),
					FT_VERDICT_INVALID);
		}
		KUNIT_EXPECT_EQ(test, send(a, dir, own, SCTP_CID_INIT, 0, own),
				FT_VERDICT_INVALID);
		KUNIT_EXPECT_EQ(test, a->step.reason, FT_INVALID_SCTP_VTAG);
		has_tags(a, TAG_A, TAG_B);
		KUNIT_EXPECT_EQ(test, state_of(a), EST);

		/* The T bit wants the peer's tag, and nothing else. */
		KUNIT_EXPECT_EQ(test, send(a, dir, own, SCTP_CID_ABORT, 1, 0),
				FT_VERDICT_INVALID);
		KUNIT_EXPECT_EQ(test, send(a, dir, 5, SCTP_CID_ABORT, 1, 0),
				FT_VERDICT_INVALID);
		KUNIT_EXPECT_EQ(test, send(a, dir, peer,
					   SCTP_CID_SHUTDOWN_COMPLETE, 1, 0),
				FT_VERDICT_ACCEPT);
		KUNIT_EXPECT_EQ(test, state_of(a), EST);
	}
	KUNIT_EXPECT_EQ(test, send(a, 0, TAG_B, SCTP_CID_ABORT, 1, 0),
			FT_VERDICT_ACCEPT);
	KUNIT_EXPECT_EQ(test, state_of(a), CL);
}

/* RFC 9260 8.4: what opens a flow and what does not. */
static void out_of_the_blue(struct kunit *test)
{
	static const struct {
		const char *name;
		u32 vtag;
		struct chunk c[MAX_CHUNKS];
		unsigned int n;
		u8 state;
		u32 tags[2];
	} cases[] = {
		{ "INIT", 0, { { SCTP_CID_INIT, 0, 5 } }, 1, CL, { 0, 5 } },
		{ "INIT with a tag", 3, { { SCTP_CID_INIT, 0, 5 } }, 1, INVALID },
		{ "HEARTBEAT", 3, { { SCTP_CID_HEARTBEAT } }, 1, HS, { 3, 0 } },
		{ "HEARTBEAT twice", 3,
		  { { SCTP_CID_HEARTBEAT }, { SCTP_CID_HEARTBEAT } }, 2, HS,
		  { 3, 0 } },
		{ "SHUTDOWN ACK", 3, { { SCTP_CID_SHUTDOWN_ACK } }, 1, SA,
		  { 0, 3 } },
		{ "ABORT", 3, { { SCTP_CID_ABORT } }, 1, INVALID },
		{ "ABORT, no tag", 0, { { SCTP_CID_ABORT } }, 1, INVALID },
		{ "SHUTDOWN COMPLETE", 0, { { SCTP_CID_SHUTDOWN_COMPLETE } }, 1,
		  INVALID },
		{ "COOKIE ACK", 0, { { SCTP_CID_COOKIE_ACK } }, 1, INVALID },
		{ "COOKIE ECHO", 3, { { SCTP_CID_COOKIE_ECHO } }, 1, INVALID },
		{ "DATA", 0, { { SCTP_CID_DATA } }, 1, INVALID },
		{ "SACK", 0, { { SCTP_CID_SACK } }, 1, INVALID },
		{ "HEARTBEAT and DATA", 3,
		  { { SCTP_CID_HEARTBEAT }, { SCTP_CID_DATA } }, 2, INVALID },
		{ "unknown type", 0, { { 200 } }, 1, INVALID },
		{ "INIT ACK", 3, { { SCTP_CID_INIT_ACK, 0, 5 } }, 1, INVALID },
		{ "SHUTDOWN", 3, { { SCTP_CID_SHUTDOWN } }, 1, INVALID },
		{ "ERROR", 3, { { SCTP_CID_ERROR } }, 1, INVALID },
		{ "no chunk", 0, {}, 0, INVALID },
	};
	struct assoc *a;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		a = assoc(test);
		make(&a->p, cases[i].vtag, cases[i].c, cases[i].n);
		KUNIT_EXPECT_EQ_MSG(test, feed(a, 0) == FT_VERDICT_ACCEPT,
				    cases[i].state != INVALID, "%s",
				    cases[i].name);
		if (cases[i].state == INVALID)
			continue;
		KUNIT_EXPECT_EQ_MSG(test, state_of(a), cases[i].state, "%s",
				    cases[i].name);
		has_tags(a, cases[i].tags[0], cases[i].tags[1]);
		KUNIT_EXPECT_FALSE(test, a->step.word & FT_FLOW_ASSURED);
	}
}

/* Both sides send INIT at the same time (5.2.1), and the first one answers. */
static void collision(struct kunit *test)
{
	struct assoc *a = assoc(test);

	KUNIT_EXPECT_EQ(test, send(a, 0, 0, SCTP_CID_INIT, 0, TAG_B),
			FT_VERDICT_ACCEPT);
	/* An answer, if not to the question: the flow is replied. */
	KUNIT_EXPECT_EQ(test, send(a, 1, 0, SCTP_CID_INIT, 0, TAG_A),
			FT_VERDICT_ACCEPT);
	KUNIT_EXPECT_EQ(test, state_of(a), CL);
	KUNIT_EXPECT_TRUE(test, a->step.word & FT_FLOW_SEEN_REPLY);
	/* Again: it prolongs nothing. */
	KUNIT_EXPECT_EQ(test, send(a, 1, 0, SCTP_CID_INIT, 0, TAG_A),
			FT_VERDICT_KEEP);
	has_tags(a, TAG_A, TAG_B);
	/* An INIT ACK must name the tag that its sender's INIT asked for. */
	KUNIT_EXPECT_EQ(test, send(a, 1, TAG_B, SCTP_CID_INIT_ACK, 0, 77),
			FT_VERDICT_INVALID);
	KUNIT_EXPECT_EQ(test, a->step.reason, FT_INVALID_SCTP_VTAG);
	KUNIT_EXPECT_EQ(test, send(a, 1, TAG_B, SCTP_CID_INIT_ACK, 0, TAG_A),
			FT_VERDICT_ACCEPT);
	KUNIT_EXPECT_EQ(test, state_of(a), CW);
	KUNIT_EXPECT_EQ(test, send(a, 0, TAG_A, SCTP_CID_COOKIE_ECHO, 0, 0),
			FT_VERDICT_ACCEPT);
	KUNIT_EXPECT_EQ(test, send(a, 1, TAG_B, SCTP_CID_COOKIE_ACK, 0, 0),
			FT_VERDICT_ACCEPT);
	KUNIT_EXPECT_EQ(test, state_of(a), EST);
	has_tags(a, TAG_A, TAG_B);
	/* No INIT is open now: an INIT ACK answers nothing. */
	KUNIT_EXPECT_EQ(test, send(a, 1, TAG_B, SCTP_CID_INIT_ACK, 0, 77),
			FT_VERDICT_INVALID);
}

/* A second path, then a restart that went over another one. */
static void heartbeats(struct kunit *test)
{
	static const struct chunk beat_data[] = {
		{ SCTP_CID_HEARTBEAT }, { SCTP_CID_DATA },
	};
	static const struct chunk beat_down[] = {
		{ SCTP_CID_HEARTBEAT }, { SCTP_CID_SHUTDOWN },
	};
	static const struct chunk beat_abort[] = {
		{ SCTP_CID_HEARTBEAT }, { SCTP_CID_ABORT, 1 },
	};
	struct assoc *a = assoc(test);

	KUNIT_EXPECT_EQ(test, send(a, 0, TAG_A, SCTP_CID_HEARTBEAT, 0, 0),
			FT_VERDICT_ACCEPT);
	KUNIT_EXPECT_EQ(test, state_of(a), HS);
	/* Nothing but an answer is one. */
	KUNIT_EXPECT_EQ(test, send(a, 1, 0, SCTP_CID_INIT, 0, 1),
			FT_VERDICT_INVALID);
	KUNIT_EXPECT_EQ(test, a->step.reason, FT_INVALID_SCTP_STATE);
	KUNIT_EXPECT_EQ(test, send(a, 1, TAG_B, SCTP_CID_HEARTBEAT_ACK, 0, 0),
			FT_VERDICT_ACCEPT);
	KUNIT_EXPECT_EQ(test, state_of(a), EST);
	KUNIT_EXPECT_TRUE(test, a->step.word & FT_FLOW_ASSURED);
	has_tags(a, TAG_A, TAG_B);

	/* New tags: suspicion, then proof by the other side. */
	KUNIT_EXPECT_EQ(test, send(a, 1, 6, SCTP_CID_HEARTBEAT_ACK, 0, 0),
			FT_VERDICT_INVALID);
	make(&a->p, 5, beat_data, 2);
	KUNIT_EXPECT_EQ(test, feed(a, 0), FT_VERDICT_INVALID);
	KUNIT_EXPECT_EQ(test, send(a, 0, 5, SCTP_CID_HEARTBEAT, 0, 0),
			FT_VERDICT_KEEP);
	has_tags(a, TAG_A, TAG_B);
	KUNIT_EXPECT_EQ(test, send(a, 0, 6, SCTP_CID_HEARTBEAT_ACK, 0, 0),
			FT_VERDICT_INVALID);
	KUNIT_EXPECT_EQ(test, send(a, 1, 6, SCTP_CID_HEARTBEAT_ACK, 0, 0),
			FT_VERDICT_ACCEPT);
	has_tags(a, 0, 6);
	KUNIT_EXPECT_EQ(test, send(a, 0, 5, SCTP_CID_HEARTBEAT, 0, 0),
			FT_VERDICT_ACCEPT);
	has_tags(a, 5, 6);

	/* The right tag ends the suspicion. */
	KUNIT_EXPECT_EQ(test, send(a, 0, 4, SCTP_CID_HEARTBEAT, 0, 0),
			FT_VERDICT_KEEP);
	KUNIT_EXPECT_EQ(test, send(a, 0, 5, SCTP_CID_HEARTBEAT, 0, 0),
			FT_VERDICT_ACCEPT);
	KUNIT_EXPECT_EQ(test, send(a, 1, 3, SCTP_CID_HEARTBEAT_ACK, 0, 0),
			FT_VERDICT_INVALID);

	/* What rides on a suspicious one has no effect. */
	make(&a->p, 4, beat_down, 2);
	KUNIT_EXPECT_EQ(test, feed(a, 0), FT_VERDICT_KEEP);
	KUNIT_EXPECT_EQ(test, state_of(a), EST);
	make(&a->p, 5, beat_down, 2);
	KUNIT_EXPECT_EQ(test, feed(a, 0), FT_VERDICT_ACCEPT);
	KUNIT_EXPECT_EQ(test, state_of(a), SHS);

	/* Not even if it is the first answer, which has to be noted. */
	a->there = false;
	KUNIT_EXPECT_EQ(test, send(a, 0, 3, SCTP_CID_SHUTDOWN_ACK, 0, 0),
			FT_VERDICT_ACCEPT);
	make(&a->p, 0, beat_abort, 2);
	KUNIT_EXPECT_EQ(test, feed(a, 1), FT_VERDICT_ACCEPT);
	KUNIT_EXPECT_EQ(test, state_of(a), SA);
	KUNIT_EXPECT_TRUE(test, a->step.word & FT_FLOW_SEEN_REPLY);
}

/* A packet takes effect as a whole or not at all. */
static void all_or_nothing(struct kunit *test)
{
	static const struct chunk c[] = {
		{ SCTP_CID_SHUTDOWN }, { SCTP_CID_ABORT, 1 },
	};
	struct assoc *a = assoc(test);

	establish(a);
	make(&a->p, TAG_A, c, 2);
	KUNIT_EXPECT_EQ(test, feed(a, 0), FT_VERDICT_INVALID);
	KUNIT_EXPECT_EQ(test, state_of(a), EST);
	make(&a->p, TAG_A, c, 1);
	KUNIT_EXPECT_EQ(test, feed(a, 0), FT_VERDICT_ACCEPT);
	KUNIT_EXPECT_EQ(test, state_of(a), SHS);
}

/* --- the table ------------------------------------------------------------ */

/* Two letters a state, SHUTDOWN_SENT is "sh", HEARTBEAT_SENT "hs"; -- is invalid. */
#define UNCHANGED "noclcwceesshsrsahs"

static const struct {
	u8 type;
	/*		from  no cl cw ce es ss sr sa hs */
	const char *to[2];
} rows[] = {
	{ SCTP_CID_INIT,	{ "clclcwceesclclsacw", "--clcwceesshsrsa--" } },
	{ SCTP_CID_INIT_ACK,	{ "clclcwceesshsrsacl", "--cwcwceesshsrsa--" } },
	{ SCTP_CID_ABORT,	{ "clclclclclclclclcl", "--clclclclclclcl--" } },
	{ SCTP_CID_SHUTDOWN,	{ "clclcwceshshsrsacl", "--clcwcesrshsrsa--" } },
	{ SCTP_CID_SHUTDOWN_ACK, { "saclcwceessasasasa", "--clcwceessasasa--" } },
	{ SCTP_CID_ERROR,	{ "clclcwceesshsrsacl", "--clcwclesshsrsa--" } },
	{ SCTP_CID_COOKIE_ECHO,	{ "clclceceesshsrsacl", "--clceceesshsrsa--" } },
	{ SCTP_CID_COOKIE_ACK,	{ "clclcwesesshsrsacl", "--clcwesesshsrsa--" } },
	{ SCTP_CID_SHUTDOWN_COMPLETE,
				{ "clclcwceesshsrclcl", "--clcwceesshsrcl--" } },
	{ SCTP_CID_HEARTBEAT,	{ "hsclcwceesshsrsahs", "--clcwceesshsrsahs" } },
	{ SCTP_CID_HEARTBEAT_ACK, { "clclcwceesshsrsahs", "--clcwceesshsrsaes" } },
	/* And what changes nothing. */
	{ SCTP_CID_DATA,	{ UNCHANGED, UNCHANGED } },
	{ SCTP_CID_SACK,	{ UNCHANGED, UNCHANGED } },
	{ 12,			{ UNCHANGED, UNCHANGED } },
	{ 15,			{ UNCHANGED, UNCHANGED } },
	{ 0xc0,			{ UNCHANGED, UNCHANGED } },
	{ 0xff,			{ UNCHANGED, UNCHANGED } },
};

static u8 table(enum ft_dir dir, u8 state, u8 type)
{
	static const char names[STATES][3] = {
		[NO] = "no", [CL] = "cl", [CW] = "cw", [CE] = "ce",
		[EST] = "es", [SHS] = "sh", [SR] = "sr", [SA] = "sa",
		[HS] = "hs",
	};
	const char *to = UNCHANGED;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].type == type)
			to = rows[i].to[dir];
	for (i = 0; i < STATES; i++)
		if (!strncmp(to + 2 * state, names[i], 2))
			return i;
	return INVALID;
}

/* Each chunk with good tags in each state, in both directions. */
static void transitions(struct kunit *test)
{
	struct assoc *a = assoc(test);
	enum ft_verdict verdict;
	u8 from, want;
	unsigned int i;
	int dir;
	u32 tag;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		for (dir = 0; dir < 2; dir++) {
			for (from = CL; from < STATES; from++) {
				a->there = true;
				a->state.sctp.vtag[0] = htonl(TAG_A);
				a->state.sctp.vtag[1] = htonl(TAG_B);
				a->state.sctp.flags = 0;
				a->step.word = FT_FLOW_SEEN_REPLY;
				ft_step_set(&a->step, from, 0);
				tag = dir ? TAG_B : TAG_A;
				if (rows[i].type == SCTP_CID_INIT)
					tag = 0;
				verdict = send(a, dir, tag, rows[i].type, 0,
					       dir ? TAG_A : TAG_B);
				want = table(dir, from, rows[i].type);
				if (want == INVALID) {
					KUNIT_EXPECT_EQ(test, verdict,
							FT_VERDICT_INVALID);
					KUNIT_EXPECT_EQ(test, a->step.reason,
							FT_INVALID_SCTP_STATE);
					continue;
				}
				KUNIT_EXPECT_EQ(test, verdict,
						rows[i].type == SCTP_CID_INIT &&
						from == CL ? FT_VERDICT_KEEP :
						FT_VERDICT_ACCEPT);
				KUNIT_EXPECT_EQ_MSG(test, state_of(a), want,
						    "type %u, %s, from %u",
						    rows[i].type,
						    dir ? "reply" : "orig", from);
				KUNIT_EXPECT_EQ(test,
						!!(a->step.word & FT_FLOW_ASSURED),
						want == EST && from != EST);
			}
		}
	}
}

/* --- the twin ------------------------------------------------------------- */

/**
 * struct twin - an association as nf_conntrack keeps it
 * @state: state
 * @vtag: tags, host byte order
 * @init: an INIT is open, by direction
 * @failed: a HEARTBEAT had a wrong tag
 * @last_dir: its direction
 * @seen_reply: likewise
 * @assured: likewise
 * @there: the flow exists
 */
struct twin {
	u8 state;
	u32 vtag[2];
	bool init[2];
	bool failed;
	u8 last_dir;
	bool seen_reply;
	bool assured;
	bool there;
};

static bool has(const struct chunk *c, unsigned int n, u8 type)
{
	while (n--)
		if (c[n].type == type)
			return true;
	return false;
}

static bool layout_ok(const struct chunk *c, unsigned int n)
{
	unsigned int i;

	if (n > 1 && (has(c, n, SCTP_CID_INIT) || has(c, n, SCTP_CID_INIT_ACK) ||
		      has(c, n, SCTP_CID_SHUTDOWN_COMPLETE)))
		return false;
	for (i = 1; i < n; i++)
		if (c[i].type == SCTP_CID_COOKIE_ECHO ||
		    c[i].type == SCTP_CID_COOKIE_ACK)
			return false;
	return n > 0;
}

/* One packet through nf_conntrack_sctp_packet(), told in its order. */
static enum ft_verdict twin_packet(struct twin *t, enum ft_dir dir, u32 tag,
				   const struct chunk *c, unsigned int n)
{
	static const u8 exempt[] = {
		SCTP_CID_INIT, SCTP_CID_SHUTDOWN_COMPLETE, SCTP_CID_COOKIE_ECHO,
		SCTP_CID_ABORT, SCTP_CID_SHUTDOWN_ACK, SCTP_CID_HEARTBEAT,
		SCTP_CID_HEARTBEAT_ACK,
	};
	bool confirmed = t->there, ignore = false, strict = true;
	struct twin w = *t;
	unsigned int i;
	u8 old, new;

	if (!layout_ok(c, n))
		return FT_VERDICT_INVALID;
	if (!confirmed) {
		memset(&w, 0, sizeof(w));
		if (has(c, n, SCTP_CID_ABORT) || has(c, n, SCTP_CID_COOKIE_ACK) ||
		    has(c, n, SCTP_CID_SHUTDOWN_COMPLETE))
			return FT_VERDICT_INVALID;
		for (i = 0; i < n; i++) {
			new = table(0, NO, c[i].type);
			if (new == NO || new == INVALID)
				return FT_VERDICT_INVALID;
			if (c[i].type == SCTP_CID_INIT) {
				if (tag)
					return FT_VERDICT_INVALID;
				w.vtag[1] = c[i].tag;
			} else if (c[i].type == SCTP_CID_HEARTBEAT) {
				w.vtag[0] = tag;
			} else if (c[i].type == SCTP_CID_SHUTDOWN_ACK) {
				w.vtag[1] = tag;
			}
		}
	}
	for (i = 0; i < ARRAY_SIZE(exempt); i++)
		if (has(c, n, exempt[i]))
			strict = false;
	if (strict && tag != w.vtag[dir])
		return FT_VERDICT_INVALID;

	for (i = 0; i < n; i++) {
		u8 type = c[i].type;

		if (type == SCTP_CID_INIT && tag)
			return FT_VERDICT_INVALID;
		if (type == SCTP_CID_ABORT || type == SCTP_CID_SHUTDOWN_COMPLETE)
			if (tag != w.vtag[c[i].flags & 1 ? !dir : dir])
				return FT_VERDICT_INVALID;
		if (type == SCTP_CID_COOKIE_ECHO && tag != w.vtag[dir])
			return FT_VERDICT_INVALID;
		if (type == SCTP_CID_COOKIE_ACK)
			memset(w.init, 0, sizeof(w.init));
		if (type == SCTP_CID_HEARTBEAT || type == SCTP_CID_HEARTBEAT_ACK) {
			if (!w.vtag[dir]) {
				w.vtag[dir] = tag;
			} else if (tag != w.vtag[dir]) {
				if (has(c, n, SCTP_CID_DATA) || ignore)
					return FT_VERDICT_INVALID;
				if (type == SCTP_CID_HEARTBEAT) {
					w.failed = true;
					w.last_dir = dir;
					ignore = true;
					continue;
				}
				if (!w.failed || w.last_dir == dir)
					return FT_VERDICT_INVALID;
				w.failed = false;
				w.vtag[dir] = tag;
				w.vtag[!dir] = 0;
			} else {
				w.failed = false;
			}
		}

		old = w.state;
		new = table(dir, old, type);
		if (new == INVALID)
			return FT_VERDICT_INVALID;
		if (type == SCTP_CID_INIT) {
			if (old == NO || w.vtag[!dir] != c[i].tag) {
				if (w.init[dir] && w.init[!dir])
					w.init[!dir] = false;
				w.init[dir] = true;
			}
			w.vtag[!dir] = c[i].tag;
			if (new == CL && old == CL && confirmed)
				ignore = true;
		} else if (type == SCTP_CID_INIT_ACK) {
			u32 known = w.vtag[!dir];

			if (!w.init[!dir] && known && known != c[i].tag)
				return FT_VERDICT_INVALID;
			if (w.init[dir] && w.init[!dir] && known != c[i].tag)
				return FT_VERDICT_INVALID;
			w.vtag[!dir] = c[i].tag;
		}
		w.state = new;
		if (old != new && new == EST)
			w.assured = true;
	}
	w.there = true;
	if (ignore) {
		/* Here flowtrack is stricter: no moves, no bits. */
		w.state = t->state;
		w.assured = t->assured;
	}
	if (dir == FT_DIR_REPLY)
		w.seen_reply = true;
	ignore = ignore && w.seen_reply == t->seen_reply;
	*t = w;
	return ignore ? FT_VERDICT_KEEP : FT_VERDICT_ACCEPT;
}

static void random_packets(struct kunit *test)
{
	static const u8 types[] = {
		0, 1, 1, 2, 2, 3, 4, 4, 5, 5, 6, 7, 8, 9, 10, 10, 11, 11, 14, 200,
	};
	static const u32 tags[] = { 0, 1, 2, 3 };
	unsigned int round, i, j, n, accepted = 0, kept = 0;
	enum ft_verdict verdict, want;
	unsigned long reached = 0;
	struct chunk c[MAX_CHUNKS];
	struct assoc *a;
	struct twin t;
	int dir;
	u32 tag;

	a = assoc(test);
	/*
	 * The rarest state is reached in one of 45 rounds: by chance not in the
	 * first 500 of one run in 100000.
	 */
	for (round = 0; round < 500 || (reached != BIT(STATES) - 2 &&
					round < 5000); round++) {
		memset(&t, 0, sizeof(t));
		a->there = false;
		a->step.word = 0;
		for (i = 0; i < 40; i++) {
			dir = t.there && get_random_u32_below(2);
			n = get_random_u32_below(4) ? 1 :
			    get_random_u32_below(MAX_CHUNKS + 1);
			for (j = 0; j < n; j++) {
				c[j].type = types[get_random_u32_below(ARRAY_SIZE(types))];
				c[j].flags = !get_random_u32_below(4);
				c[j].tag = tags[get_random_u32_below(ARRAY_SIZE(tags))];
			}
			/* Good tags more often than not. */
			tag = tags[get_random_u32_below(ARRAY_SIZE(tags))];
			if (get_random_u32_below(3))
				tag = n && c[0].type == SCTP_CID_INIT ? 0 :
				      t.vtag[dir];
			make(&a->p, tag, c, n);
			verdict = feed(a, dir);
			want = twin_packet(&t, dir, tag, c, n);
			KUNIT_ASSERT_EQ_MSG(test, verdict, want,
					    "type %u of %u, tag %u, dir %d, state %u",
					    c[0].type, n, tag, dir, t.state);
			KUNIT_ASSERT_EQ(test, a->there, t.there);
			if (!t.there)
				continue;
			KUNIT_ASSERT_EQ(test, state_of(a), t.state);
			KUNIT_ASSERT_EQ(test, ntohl(a->state.sctp.vtag[0]),
					t.vtag[0]);
			KUNIT_ASSERT_EQ(test, ntohl(a->state.sctp.vtag[1]),
					t.vtag[1]);
			KUNIT_ASSERT_EQ(test, !!(a->step.word &
						 FT_FLOW_SEEN_REPLY),
					t.seen_reply);
			KUNIT_ASSERT_EQ(test, !!(a->step.word & FT_FLOW_ASSURED),
					t.assured);
			accepted += verdict == FT_VERDICT_ACCEPT;
			kept += verdict == FT_VERDICT_KEEP;
			reached |= BIT(t.state);
		}
	}
	KUNIT_EXPECT_GT(test, accepted, 1500);
	KUNIT_EXPECT_GT(test, kept, 20);
	KUNIT_EXPECT_EQ(test, reached, BIT(STATES) - 2);
}

/* --- headers, checksum ---------------------------------------------------- */

static enum ft_invalid check(struct kunit *test, const struct ft_packet *p,
			     enum ft_shape shape, bool checksum, u8 ip_summed)
{
	struct sk_buff *skb = ft_skb(test, p, p->len, shape);
	enum ft_invalid reason;
	struct ft_pkt pkt;
	u8 after;

	KUNIT_ASSERT_EQ(test, ft_tuple_get(skb, ft_family(p), 0, &pkt, &reason),
			FT_PARSE_OK);
	skb->ip_summed = ip_summed;
	reason = ft_sctp_check(skb, &pkt, NF_INET_PRE_ROUTING, checksum);
	after = skb->ip_summed;
	if (!reason && checksum && ip_summed == CHECKSUM_NONE)
		ip_summed = CHECKSUM_UNNECESSARY;
	KUNIT_EXPECT_EQ(test, after, ip_summed);
	kfree_skb(skb);
	return reason;
}

/* The bitwise CRC of RFC 9260 appendix A. */
static u32 naive_crc32c(const u8 *b, unsigned int len)
{
	u32 crc = ~0u;
	unsigned int i;

	while (len--) {
		crc ^= *b++;
		for (i = 0; i < 8; i++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	return ~crc;
}

static void checksum(struct kunit *test)
{
	static const struct chunk data[] = {
		{ SCTP_CID_DATA }, { SCTP_CID_DATA }, { SCTP_CID_DATA },
	};
	struct ft_packet *p = kunit_kmalloc(test, sizeof(*p), GFP_KERNEL);
	struct sctphdr *sctph;
	enum ft_shape shape;

	make(p, 1, data, ARRAY_SIZE(data));
	sctph = (struct sctphdr *)&p->b[p->l4];
	sctph->checksum = cpu_to_le32(naive_crc32c(&p->b[p->l4], p->len - p->l4));
	for (shape = 0; shape < FT_SHAPES; shape++) {
		KUNIT_EXPECT_EQ(test, check(test, p, shape, true, CHECKSUM_NONE),
				FT_INVALID_NONE);
		p->b[p->len - 3] ^= 2;
		KUNIT_EXPECT_EQ(test, check(test, p, shape, true, CHECKSUM_NONE),
				FT_INVALID_CHECKSUM);
		/* The card, or our own stack, vouches for it. */
		KUNIT_EXPECT_EQ(test, check(test, p, shape, true,
					    CHECKSUM_UNNECESSARY),
				FT_INVALID_NONE);
		KUNIT_EXPECT_EQ(test, check(test, p, shape, true,
					    CHECKSUM_PARTIAL), FT_INVALID_NONE);
		KUNIT_EXPECT_EQ(test, check(test, p, shape, false,
					    CHECKSUM_NONE), FT_INVALID_NONE);
		p->b[p->len - 3] ^= 2;
	}
	/* The whole header, or nothing. */
	for (p->len = p->l4 + 4; p->len < p->l4 + 12; p->len++) {
		ft_end_ip(p);
		KUNIT_EXPECT_EQ(test, check(test, p, 0, false, CHECKSUM_NONE),
				FT_INVALID_SCTP_HEADER);
	}
	ft_end_ip(p);
	KUNIT_EXPECT_EQ(test, check(test, p, 0, false, CHECKSUM_NONE),
			FT_INVALID_NONE);
}

/* Lengths that lie, and every truncation of an INIT. */
static void chunk_lengths(struct kunit *test)
{
	static const struct chunk init = { SCTP_CID_INIT, 0, 5 };
	static const struct chunk beats[] = {
		{ SCTP_CID_HEARTBEAT }, { SCTP_CID_HEARTBEAT },
	};
	struct assoc *a = assoc(test);
	struct sctp_chunkhdr *ch;
	unsigned int len, full;

	make(&a->p, 0, &init, 1);
	full = a->p.len;
	for (len = full - 20; len <= full; len++) {
		a->there = false;
		a->p.len = len;
		ft_end_ip(&a->p);
		KUNIT_EXPECT_EQ_MSG(test, feed(a, 0), len < full ?
				    FT_VERDICT_INVALID : FT_VERDICT_ACCEPT,
				    "%u of %u", len, full);
	}

	a->there = false;
	make(&a->p, 1, beats, 2);
	ch = (struct sctp_chunkhdr *)&a->p.b[a->p.l4 + 12];
	/* Zero would never end. */
	ch->length = 0;
	KUNIT_EXPECT_EQ(test, feed(a, 0), FT_VERDICT_INVALID);
	KUNIT_EXPECT_EQ(test, a->step.reason, FT_INVALID_SCTP_HEADER);
	/* Beyond the end: it is the last one. */
	ch->length = htons(0xffff);
	KUNIT_EXPECT_EQ(test, feed(a, 0), FT_VERDICT_ACCEPT);
}

/* Bytes that make no sense; KASAN watches. */
static void noise(struct kunit *test)
{
	static const struct chunk c[] = {
		{ SCTP_CID_HEARTBEAT }, { SCTP_CID_HEARTBEAT_ACK },
		{ SCTP_CID_SHUTDOWN },
	};
	struct assoc *a = assoc(test);
	unsigned int i, j;

	for (i = 0; i < 20000; i++) {
		make(&a->p, 1, c, 1 + i % 3);
		for (j = 0; j < 5; j++)
			a->p.b[a->p.l4 + 4 + get_random_u32_below(a->p.len -
								   a->p.l4 - 4)] =
				get_random_u8() & 0xf;
		if (i % 2) {
			a->p.len = a->p.l4 + 12 +
				   get_random_u32_below(a->p.len - a->p.l4 - 11);
			ft_end_ip(&a->p);
		}
		feed(a, a->there && i % 4 == 0);
		if (i % 64 == 0)
			a->there = false;
	}
}

static void timeouts(struct kunit *test)
{
	static const u32 want[STATES] = {
		[NO] = FLOWTRACK_A_SETTINGS_SCTP_TIMEOUT_CLOSED,
		[CL] = FLOWTRACK_A_SETTINGS_SCTP_TIMEOUT_CLOSED,
		[CW] = FLOWTRACK_A_SETTINGS_SCTP_TIMEOUT_COOKIE_WAIT,
		[CE] = FLOWTRACK_A_SETTINGS_SCTP_TIMEOUT_COOKIE_ECHOED,
		[EST] = FLOWTRACK_A_SETTINGS_SCTP_TIMEOUT_ESTABLISHED,
		[SHS] = FLOWTRACK_A_SETTINGS_SCTP_TIMEOUT_SHUTDOWN_SENT,
		[SR] = FLOWTRACK_A_SETTINGS_SCTP_TIMEOUT_SHUTDOWN_RECD,
		[SA] = FLOWTRACK_A_SETTINGS_SCTP_TIMEOUT_SHUTDOWN_ACK_SENT,
		[HS] = FLOWTRACK_A_SETTINGS_SCTP_TIMEOUT_HEARTBEAT_SENT,
	};
	const struct ft_settings *set = ft_kunit_timeouts(test);
	unsigned int i;

	for (i = 0; i < STATES; i++)
		KUNIT_EXPECT_EQ(test, ft_sctp_timeout(i << 8, set),
				(100 + want[i]) * HZ);
}

static struct kunit_case sctp_cases[] = {
	KUNIT_CASE(life),
	KUNIT_CASE(wrong_tags),
	KUNIT_CASE(out_of_the_blue),
	KUNIT_CASE(collision),
	KUNIT_CASE(heartbeats),
	KUNIT_CASE(all_or_nothing),
	KUNIT_CASE(transitions),
	KUNIT_CASE_SLOW(random_packets),
	KUNIT_CASE(checksum),
	KUNIT_CASE(chunk_lengths),
	KUNIT_CASE_SLOW(noise),
	KUNIT_CASE(timeouts),
	{}
};

static struct kunit_suite sctp_suite = {
	.name = "ft_proto_sctp",
	.test_cases = sctp_cases,
};

kunit_test_suite(sctp_suite);
