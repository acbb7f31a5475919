// SPDX-License-Identifier: GPL-2.0
/*
 * SCTP (RFC 9260), seen from the middle, with the states and the rules of
 * nf_conntrack_proto_sctp.c as of Linux 6.12.
 *
 * A state tells what passed by, not what an endpoint is in:
 *
 *	NONE			nothing yet: never the state of a flow
 *	CLOSED			INIT of the initiator; or the end of it all
 *	COOKIE_WAIT		INIT ACK of the responder
 *	COOKIE_ECHOED		COOKIE ECHO
 *	ESTABLISHED		COOKIE ACK; or a second path's HEARTBEAT ACK
 *	SHUTDOWN_SENT		SHUTDOWN of the initiator
 *	SHUTDOWN_RECD		SHUTDOWN of the responder
 *	SHUTDOWN_ACK_SENT	SHUTDOWN ACK
 *	HEARTBEAT_SENT		HEARTBEAT of a path that nobody knew before: the
 *				association was set up over another one
 *
 * The verification tag decides which packets belong to the association: each
 * side chose, in its INIT or INIT ACK, the tag that the other has to put into
 * every packet.
 *
 * One thing is stricter than in nf_conntrack: a packet takes effect as a whole
 * or not at all. There, the chunks before an invalid one count, and so do
 * those next to a HEARTBEAT with a wrong tag.
 */
#include <linux/bits.h>
#include <linux/in.h>
#include <linux/nf_flowtrack.h>
#include <linux/sctp.h>
#include <linux/string.h>
#include <net/sctp/checksum.h>

#include "base/invalid.h"
#include "base/settings.h"
#include "flow/flow.h"
#include "proto/generic.h"
#include "proto/sctp.h"

/* ft_sctp.flags */
#define HEARTBEAT_FAILED	BIT(0)	/* HEARTBEAT had a wrong tag */
#define INIT_SEEN(dir)		(BIT(1) << (dir)) /* INIT that is not answered */

#define STATES			(FLOWTRACK_SCTP_STATE_HEARTBEAT_SENT + 1)
#define CHUNKS			(SCTP_CID_SHUTDOWN_COMPLETE + 1)

#define STAY	0	/* not a move, or none at all: NONE is no target */
#define REFUSE	0xff	/* not valid there */
#define ST_NO	FLOWTRACK_SCTP_STATE_NONE
#define ST_CL	FLOWTRACK_SCTP_STATE_CLOSED
#define ST_CW	FLOWTRACK_SCTP_STATE_COOKIE_WAIT
#define ST_CE	FLOWTRACK_SCTP_STATE_COOKIE_ECHOED
#define ST_ES	FLOWTRACK_SCTP_STATE_ESTABLISHED
#define ST_SS	FLOWTRACK_SCTP_STATE_SHUTDOWN_SENT
#define ST_SR	FLOWTRACK_SCTP_STATE_SHUTDOWN_RECD
#define ST_SA	FLOWTRACK_SCTP_STATE_SHUTDOWN_ACK_SENT
#define ST_HS	FLOWTRACK_SCTP_STATE_HEARTBEAT_SENT

/* An ABORT ends whatever is going on. */
#define ALL_TO_CLOSED \
	[ST_CL] = ST_CL, [ST_CW] = ST_CL, [ST_CE] = ST_CL, [ST_ES] = ST_CL, \
	[ST_SS] = ST_CL, [ST_SR] = ST_CL, [ST_SA] = ST_CL

/* A flow begins with its initiator; and a HEARTBEAT has one answer. */
#define NOT_AS_ANSWER \
	[ST_NO] = REFUSE, [ST_HS] = REFUSE

/*
 * Moves by direction, type of chunk and state. What is not listed stays where
 * it is; so does any chunk of another type (DATA, SACK, ...).
 */
static const u8 moves[2][CHUNKS][STATES] = {
	[FT_DIR_ORIG] = {
		/* A start, a restart during shutdown, or after a HEARTBEAT. */
		[SCTP_CID_INIT] = {
			[ST_NO] = ST_CL, [ST_SS] = ST_CL, [ST_SR] = ST_CL,
			[ST_HS] = ST_CW,
		},
		/* The initiator does not answer itself. */
		[SCTP_CID_INIT_ACK] = { [ST_NO] = ST_CL, [ST_HS] = ST_CL },
		[SCTP_CID_ABORT] = {
			[ST_NO] = ST_CL, ALL_TO_CLOSED, [ST_HS] = ST_CL,
		},
		[SCTP_CID_SHUTDOWN] = {
			[ST_NO] = ST_CL, [ST_ES] = ST_SS, [ST_HS] = ST_CL,
		},
		/* Out of the blue it asks for a SHUTDOWN COMPLETE (8.4). */
		[SCTP_CID_SHUTDOWN_ACK] = {
			[ST_NO] = ST_SA, [ST_SS] = ST_SA, [ST_SR] = ST_SA,
			[ST_HS] = ST_SA,
		},
		[SCTP_CID_ERROR] = { [ST_NO] = ST_CL, [ST_HS] = ST_CL },
		[SCTP_CID_COOKIE_ECHO] = {
			[ST_NO] = ST_CL, [ST_CW] = ST_CE, [ST_HS] = ST_CL,
		},
		/* Where both sides had sent an INIT. */
		[SCTP_CID_COOKIE_ACK] = {
			[ST_NO] = ST_CL, [ST_CE] = ST_ES, [ST_HS] = ST_CL,
		},
		[SCTP_CID_SHUTDOWN_COMPLETE] = {
			[ST_NO] = ST_CL, [ST_SA] = ST_CL, [ST_HS] = ST_CL,
		},
		[SCTP_CID_HEARTBEAT] = { [ST_NO] = ST_HS },
		[SCTP_CID_HEARTBEAT_ACK] = { [ST_NO] = ST_CL },
	},
	[FT_DIR_REPLY] = {
		[SCTP_CID_INIT] = { NOT_AS_ANSWER },
		[SCTP_CID_INIT_ACK] = { NOT_AS_ANSWER, [ST_CL] = ST_CW },
		[SCTP_CID_ABORT] = { NOT_AS_ANSWER, ALL_TO_CLOSED },
		[SCTP_CID_SHUTDOWN] = { NOT_AS_ANSWER, [ST_ES] = ST_SR },
		[SCTP_CID_SHUTDOWN_ACK] = {
			NOT_AS_ANSWER, [ST_SS] = ST_SA, [ST_SR] = ST_SA,
		},
		/* The cookie was stale (5.2.6). */
		[SCTP_CID_ERROR] = { NOT_AS_ANSWER, [ST_CE] = ST_CL },
		/* Where both sides had sent an INIT. */
		[SCTP_CID_COOKIE_ECHO] = { NOT_AS_ANSWER, [ST_CW] = ST_CE },
		[SCTP_CID_COOKIE_ACK] = { NOT_AS_ANSWER, [ST_CE] = ST_ES },
		[SCTP_CID_SHUTDOWN_COMPLETE] = {
			NOT_AS_ANSWER, [ST_SA] = ST_CL,
		},
		[SCTP_CID_HEARTBEAT] = { [ST_NO] = REFUSE },
		[SCTP_CID_HEARTBEAT_ACK] = {
			[ST_NO] = REFUSE, [ST_HS] = ST_ES,
		},
	},
};

/* Chunks whose rule about the tag (8.5.1) is not the plain one. */
#define OWN_TAG_RULE \
	(BIT(SCTP_CID_INIT) | BIT(SCTP_CID_SHUTDOWN_COMPLETE) | \
	 BIT(SCTP_CID_COOKIE_ECHO) | BIT(SCTP_CID_ABORT) | \
	 BIT(SCTP_CID_SHUTDOWN_ACK) | BIT(SCTP_CID_HEARTBEAT) | \
	 BIT(SCTP_CID_HEARTBEAT_ACK))

/* Chunks that no packet out of the blue may have (8.4). */
#define NOT_FIRST \
	(BIT(SCTP_CID_ABORT) | BIT(SCTP_CID_SHUTDOWN_COMPLETE) | \
	 BIT(SCTP_CID_COOKIE_ACK))

static u8 next_state(enum ft_dir dir, u8 state, u8 type)
{
	u8 to;

	if (type >= CHUNKS || state >= STATES)
		return state;
	to = moves[dir][type][state];
	return to == STAY ? state : to;
}

static const struct sctp_chunkhdr *chunk_at(const struct sk_buff *skb,
					    unsigned int off,
					    struct sctp_chunkhdr *buf)
{
	return skb_header_pointer(skb, off, sizeof(*buf), buf);
}

/* Never stands still: the sender may still write to what survey() read. */
static unsigned int chunk_next(unsigned int off,
			       const struct sctp_chunkhdr *chunk)
{
	return off + max(ALIGN(ntohs(chunk->length), 4), 4);
}

static unsigned int chunk_first(const struct ft_pkt *pkt)
{
	return pkt->l4off + sizeof(struct sctphdr);
}

/* The tag that INIT and INIT ACK ask for. */
static bool init_tag(const struct sk_buff *skb, unsigned int off, __be32 *tag)
{
	const struct sctp_inithdr *inith;
	struct sctp_inithdr buf;

	inith = skb_header_pointer(skb, off + sizeof(struct sctp_chunkhdr),
				   sizeof(buf), &buf);
	if (!inith)
		return false;
	*tag = inith->init_tag;
	return true;
}

/*
 * Which chunks a packet has: INIT, INIT ACK and SHUTDOWN COMPLETE are alone in
 * theirs, the COOKIE chunks come first (6.10).
 */
static bool survey(const struct sk_buff *skb, const struct ft_pkt *pkt,
		   u32 *seen)
{
	const struct sctp_chunkhdr *chunk;
	struct sctp_chunkhdr buf;
	unsigned int off, count;
	bool alone = false;

	*seen = 0;
	count = 0;
	for (off = chunk_first(pkt); (chunk = chunk_at(skb, off, &buf));
	     off = chunk_next(off, chunk)) {
		if (!chunk->length)
			return false;
		switch (chunk->type) {
		case SCTP_CID_INIT:
		case SCTP_CID_INIT_ACK:
		case SCTP_CID_SHUTDOWN_COMPLETE:
			alone = true;
			fallthrough;
		case SCTP_CID_COOKIE_ECHO:
		case SCTP_CID_COOKIE_ACK:
			if (count)
				return false;
			break;
		default:
			if (alone)
				return false;
			break;
		}
		if (chunk->type < CHUNKS)
			*seen |= BIT(chunk->type);
		count++;
	}
	return count;
}

/**
 * ft_sctp_check() - header and checksum of an SCTP packet
 * @skb: the packet; its header may be moved and its checksum state may change
 * @pkt: parsed
 * @hook: where the packet is
 * @checksum: verify the checksum
 *
 * Context: any.
 * Return: why the packet is INVALID, or FT_INVALID_NONE.
 */
enum ft_invalid ft_sctp_check(struct sk_buff *skb, const struct ft_pkt *pkt,
			      unsigned int hook, bool checksum)
{
	const struct sctphdr *sctph;

	if (pkt->l4len < sizeof(*sctph))
		return FT_INVALID_SCTP_HEADER;
	if (!checksum || skb->ip_summed != CHECKSUM_NONE)
		return FT_INVALID_NONE;

	/* The computation writes zero over the checksum for its time. */
	if (skb_ensure_writable(skb, pkt->l4off + sizeof(*sctph)))
		return FT_INVALID_SCTP_HEADER;
	sctph = (const struct sctphdr *)(skb->data + pkt->l4off);
	if (sctph->checksum != sctp_compute_cksum(skb, pkt->l4off))
		return FT_INVALID_CHECKSUM;
	skb->ip_summed = CHECKSUM_UNNECESSARY;
	return FT_INVALID_NONE;
}

/* ABORT and SHUTDOWN COMPLETE: with the T bit the tag is the peer's (8.5.1). */
static bool reflected_tag_ok(const struct ft_sctp *sctp, enum ft_dir dir,
			     const struct sctp_chunkhdr *chunk, __be32 tag)
{
	if (chunk->flags & SCTP_CHUNK_FLAG_T)
		return tag == sctp->vtag[!dir];
	return tag == sctp->vtag[dir];
}

/*
 * HEARTBEAT and HEARTBEAT ACK probe a path of which the tags may not be known,
 * or be known wrong after a restart that took another path. @mixed: there are
 * chunks besides. Sets @keep if the packet passes on suspicion.
 */
static bool heartbeat_tag_ok(struct ft_sctp *sctp, enum ft_dir dir, u8 type,
			     __be32 tag, bool mixed, bool *keep)
{
	if (!sctp->vtag[dir]) {
		sctp->vtag[dir] = tag;
		return true;
	}
	if (tag == sctp->vtag[dir]) {
		sctp->flags &= ~HEARTBEAT_FAILED;
		return true;
	}

	if (mixed || *keep)
		return false;
	if (type == SCTP_CID_HEARTBEAT) {
		sctp->flags |= HEARTBEAT_FAILED;
		sctp->last_dir = dir;
		*keep = true;
		return true;
	}
	/* The other side did answer: then both know better than we do. */
	if (!(sctp->flags & HEARTBEAT_FAILED) || sctp->last_dir == dir)
		return false;
	sctp->flags &= ~HEARTBEAT_FAILED;
	sctp->vtag[dir] = tag;
	sctp->vtag[!dir] = 0;
	return true;
}

/*
 * INIT: the tag it asks for is what the other side must send. One that repeats
 * the tag known is a retransmission and no second attempt.
 */
static void note_init(struct ft_sctp *sctp, enum ft_dir dir, u8 state,
		      __be32 tag)
{
	if (state == ST_NO || sctp->vtag[!dir] != tag) {
		if (sctp->flags & INIT_SEEN(dir))
			sctp->flags &= ~INIT_SEEN(!dir);
		sctp->flags |= INIT_SEEN(dir);
	}
	sctp->vtag[!dir] = tag;
}

/*
 * INIT ACK: it must answer an INIT of the other side, unless nothing is known;
 * and where both sides sent an INIT (5.2.1) the tag must be that of the
 * sender's own.
 */
static bool note_init_ack(struct ft_sctp *sctp, enum ft_dir dir, __be32 tag)
{
	bool asked = sctp->flags & INIT_SEEN(!dir);
	bool asks = sctp->flags & INIT_SEEN(dir);
	__be32 known = sctp->vtag[!dir];

	if (!asked && known && known != tag)
		return false;
	if (asked && asks && known != tag)
		return false;
	sctp->vtag[!dir] = tag;
	return true;
}

static enum ft_verdict sctp_refuse(struct ft_step *step, enum ft_invalid reason)
{
	step->reason = reason;
	return FT_VERDICT_INVALID;
}

/*
 * All chunks of the packet are good, and lead from state @first to @state.
 * @keep: the packet shall not renew the flow.
 */
static enum ft_verdict sctp_settle(struct ft_step *step, u8 first, u8 state,
				   bool assured, bool keep)
{
	/* The first answer counts as one even if it leaves the rest alone. */
	if (keep) {
		if (step->dir == FT_DIR_ORIG || step->word & FT_FLOW_SEEN_REPLY)
			return FT_VERDICT_KEEP;
		state = first;
	}
	step->update = state != first;
	if (assured)
		step->word |= FT_FLOW_ASSURED;
	if (step->dir == FT_DIR_REPLY && !(step->word & FT_FLOW_SEEN_REPLY)) {
		step->word |= FT_FLOW_SEEN_REPLY;
		step->update = true;
	}
	ft_step_set(step, state, FLOWTRACK_CLASS_EMBRYONIC);
	ft_step_set(step, state, ft_sctp_class(step->word));
	step->timeout = ft_sctp_timeout(step->word, step->set);
	return FT_VERDICT_ACCEPT;
}

/* Take the packet's chunks one by one. @sctp is the caller's copy. */
static enum ft_verdict sctp_run(const struct sk_buff *skb, const struct ft_pkt *pkt,
				u32 seen, __be32 tag, struct ft_step *step,
				struct ft_sctp *sctp)
{
	const struct sctp_chunkhdr *chunk;
	u8 state, first, before, after;
	enum ft_dir dir = step->dir;
	struct sctp_chunkhdr buf;
	bool assured = false;
	bool keep = false;
	unsigned int off;
	__be32 asked;

	if (!(seen & OWN_TAG_RULE) && tag != sctp->vtag[dir])
		return sctp_refuse(step, FT_INVALID_SCTP_VTAG);

	first = ft_word_state(step->word);
	state = first;
	for (off = chunk_first(pkt); (chunk = chunk_at(skb, off, &buf));
	     off = chunk_next(off, chunk)) {
		switch (chunk->type) {
		case SCTP_CID_INIT:
			if (tag)
				return sctp_refuse(step, FT_INVALID_SCTP_VTAG);
			break;
		case SCTP_CID_ABORT:
		case SCTP_CID_SHUTDOWN_COMPLETE:
			if (!reflected_tag_ok(sctp, dir, chunk, tag))
				return sctp_refuse(step, FT_INVALID_SCTP_VTAG);
			break;
		case SCTP_CID_COOKIE_ECHO:
			if (tag != sctp->vtag[dir])
				return sctp_refuse(step, FT_INVALID_SCTP_VTAG);
			break;
		case SCTP_CID_COOKIE_ACK:
			sctp->flags &= ~(INIT_SEEN(0) | INIT_SEEN(1));
			break;
		case SCTP_CID_HEARTBEAT:
		case SCTP_CID_HEARTBEAT_ACK:
			if (!heartbeat_tag_ok(sctp, dir, chunk->type, tag,
					      seen & BIT(SCTP_CID_DATA), &keep))
				return sctp_refuse(step, FT_INVALID_SCTP_VTAG);
			break;
		}

		before = state;
		after = next_state(dir, before, chunk->type);
		if (after == REFUSE)
			return sctp_refuse(step, FT_INVALID_SCTP_STATE);

		switch (chunk->type) {
		case SCTP_CID_INIT:
			if (!init_tag(skb, off, &asked))
				return sctp_refuse(step, FT_INVALID_SCTP_HEADER);
			note_init(sctp, dir, before, asked);
			/*
			 * A client that sends an INIT again and again, or takes
			 * the port for another association, must not keep the
			 * old flow alive.
			 */
			if (before == ST_CL && after == ST_CL)
				keep = true;
			break;
		case SCTP_CID_INIT_ACK:
			if (!init_tag(skb, off, &asked))
				return sctp_refuse(step, FT_INVALID_SCTP_HEADER);
			if (!note_init_ack(sctp, dir, asked))
				return sctp_refuse(step, FT_INVALID_SCTP_VTAG);
			break;
		}
		state = after;
		if (before != after && after == ST_ES)
			assured = true;
	}

	return sctp_settle(step, first, state, assured, keep);
}

static bool read_tag(const struct sk_buff *skb, const struct ft_pkt *pkt,
		     __be32 *tag)
{
	const struct sctphdr *sctph;
	struct sctphdr buf;

	sctph = skb_header_pointer(skb, pkt->l4off, sizeof(buf), &buf);
	if (!sctph)
		return false;
	*tag = sctph->vtag;
	return true;
}

/*
 * Tags that a packet out of the blue tells: INIT the one its answer will have,
 * HEARTBEAT its sender's, SHUTDOWN ACK the one of the SHUTDOWN COMPLETE that
 * reflects it (8.4).
 */
static enum ft_invalid sctp_learn(const struct sk_buff *skb,
				  const struct ft_pkt *pkt, __be32 tag,
				  struct ft_sctp *sctp)
{
	const struct sctp_chunkhdr *chunk;
	struct sctp_chunkhdr buf;
	unsigned int off;

	for (off = chunk_first(pkt); (chunk = chunk_at(skb, off, &buf));
	     off = chunk_next(off, chunk)) {
		/* DATA and the like tell nothing about an association. */
		if (next_state(FT_DIR_ORIG, ST_NO, chunk->type) == ST_NO)
			return FT_INVALID_SCTP_STATE;
		switch (chunk->type) {
		case SCTP_CID_INIT:
			if (tag)
				return FT_INVALID_SCTP_VTAG;
			if (!init_tag(skb, off, &sctp->vtag[FT_DIR_REPLY]))
				return FT_INVALID_SCTP_HEADER;
			break;
		case SCTP_CID_HEARTBEAT:
			sctp->vtag[FT_DIR_ORIG] = tag;
			break;
		case SCTP_CID_SHUTDOWN_ACK:
			sctp->vtag[FT_DIR_REPLY] = tag;
			break;
		}
	}
	return FT_INVALID_NONE;
}

/* @first: the packet may open a flow: @sctp is zero. Only after ACCEPT or KEEP @sctp counts. */
static enum ft_verdict sctp_step(const struct sk_buff *skb, const struct ft_pkt *pkt,
				 struct ft_step *step, struct ft_sctp *sctp, bool first)
{
	enum ft_invalid reason;
	__be32 tag;
	u32 seen;

	if (!read_tag(skb, pkt, &tag) || !survey(skb, pkt, &seen))
		return sctp_refuse(step, FT_INVALID_SCTP_HEADER);
	if (first) {
		if (seen & NOT_FIRST)
			return sctp_refuse(step, FT_INVALID_SCTP_STATE);
		reason = sctp_learn(skb, pkt, tag, sctp);
		if (reason)
			return sctp_refuse(step, reason);
	}
	return sctp_run(skb, pkt, seen, tag, step, sctp);
}

/**
 * ft_sctp_new() - first packet of a flow
 * @skb: the packet
 * @pkt: parsed
 * @step: filled
 * @state: filled, unless INVALID
 *
 * Context: any.
 * Return: FT_VERDICT_ACCEPT or FT_VERDICT_INVALID.
 */
enum ft_verdict ft_sctp_new(const struct sk_buff *skb, const struct ft_pkt *pkt,
			    struct ft_step *step, union ft_proto_state *state)
{
	struct ft_sctp sctp = {};
	enum ft_verdict verdict;

	verdict = sctp_step(skb, pkt, step, &sctp, true);
	if (verdict != FT_VERDICT_ACCEPT)
		return verdict;
	memset(state, 0, sizeof(*state));
	state->sctp = sctp;
	return FT_VERDICT_ACCEPT;
}

/**
 * ft_sctp_packet() - later packet of a flow
 * @skb: the packet
 * @pkt: parsed
 * @step: filled
 * @state: of the flow; unchanged if INVALID
 *
 * Context: the flow's lock.
 * Return: FT_VERDICT_ACCEPT; FT_VERDICT_KEEP for an INIT that repeats another,
 * and for a HEARTBEAT with an unexpected tag; or FT_VERDICT_INVALID.
 */
enum ft_verdict ft_sctp_packet(const struct sk_buff *skb,
			       const struct ft_pkt *pkt, struct ft_step *step,
			       union ft_proto_state *state)
{
	struct ft_sctp sctp = state->sctp;
	enum ft_verdict verdict;

	verdict = sctp_step(skb, pkt, step, &sctp, false);
	if (verdict != FT_VERDICT_INVALID)
		state->sctp = sctp;
	return verdict;
}

/**
 * ft_sctp_timeout() - timeout of a flow
 * @word: its bits
 * @set: settings of the namespace
 *
 * Context: any.
 * Return: jiffies.
 */
u32 ft_sctp_timeout(u32 word, const struct ft_settings *set)
{
	switch (ft_word_state(word)) {
	case ST_CW:
		return ft_timeout(set, SCTP_TIMEOUT_COOKIE_WAIT);
	case ST_CE:
		return ft_timeout(set, SCTP_TIMEOUT_COOKIE_ECHOED);
	case ST_ES:
		return ft_timeout(set, SCTP_TIMEOUT_ESTABLISHED);
	case ST_SS:
		return ft_timeout(set, SCTP_TIMEOUT_SHUTDOWN_SENT);
	case ST_SR:
		return ft_timeout(set, SCTP_TIMEOUT_SHUTDOWN_RECD);
	case ST_SA:
		return ft_timeout(set, SCTP_TIMEOUT_SHUTDOWN_ACK_SENT);
	case ST_HS:
		return ft_timeout(set, SCTP_TIMEOUT_HEARTBEAT_SENT);
	default:
		return ft_timeout(set, SCTP_TIMEOUT_CLOSED);
	}
}

/**
 * ft_sctp_class() - what a flow is worth
 * @word: its bits
 *
 * CLOSED is the first state and the last one: only a flow that has seen a
 * reply can have ended.
 *
 * Context: any.
 * Return: the class.
 */
enum flowtrack_class ft_sctp_class(u32 word)
{
	u8 state = ft_word_state(word);

	if (state == ST_SA || (state == ST_CL && word & FT_FLOW_SEEN_REPLY))
		return FLOWTRACK_CLASS_CLOSING;
	return ft_generic_class(word);
}
