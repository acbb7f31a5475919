// SPDX-License-Identifier: GPL-2.0
/*
 * TCP (RFC 9293), seen from the middle, with the states and the rules of
 * nf_conntrack_proto_tcp.c as of Linux 6.12. Windows are in tcp_window.c.
 *
 * Segments pass that may be wrong, wherever a TCP that gets them would answer
 * with something that tells (a challenge ACK of RFC 5961, a RST, a SYN-ACK): it
 * may be this machine that is out of sync. Such a segment leaves state and
 * deadline alone; it is noted, and what answers it is believed.
 *
 * Deliberately not as in nf_conntrack:
 * - the count of retransmissions stops at 255 and does not begin again at zero,
 *   which would give a dead connection its long timeout back;
 * - a flow that was entered by hand with no windows is treated as one picked up
 *   in the middle of a connection;
 * - an ICMP error is held against the window of what it quotes.
 */
#include <linux/bitfield.h>
#include <linux/bits.h>
#include <linux/nf_flowtrack.h>
#include <linux/string.h>
#include <net/tcp.h>

#include "base/invalid.h"
#include "base/settings.h"
#include "flow/flow.h"
#include "proto/checksum.h"
#include "proto/generic.h"
#include "proto/tcp.h"
#include "proto/tcp_window.h"

#define STATES	(FLOWTRACK_TCP_STATE_SYN_SENT2 + 1)

/* What an entry of the table of moves can be besides a state. */
#define KEEP	0xfd	/* pass, and note it */
#define REOPEN	0xfe	/* begin anew if the old one has ended; else KEEP */
#define REFUSE	0xff	/* not valid there */

#define ST_NO	FLOWTRACK_TCP_STATE_NONE
#define ST_SS	FLOWTRACK_TCP_STATE_SYN_SENT
#define ST_SR	FLOWTRACK_TCP_STATE_SYN_RECV
#define ST_ES	FLOWTRACK_TCP_STATE_ESTABLISHED
#define ST_FW	FLOWTRACK_TCP_STATE_FIN_WAIT
#define ST_CW	FLOWTRACK_TCP_STATE_CLOSE_WAIT
#define ST_LA	FLOWTRACK_TCP_STATE_LAST_ACK
#define ST_TW	FLOWTRACK_TCP_STATE_TIME_WAIT
#define ST_CL	FLOWTRACK_TCP_STATE_CLOSE
#define ST_S2	FLOWTRACK_TCP_STATE_SYN_SENT2

#define KIND_NONE	FT_TCP_KIND_NONE
#define KIND_RST	FT_TCP_KIND_RST
#define KIND_SYN	FT_TCP_KIND_SYN
#define KIND_SYN_ACK	FT_TCP_KIND_SYN_ACK
#define KIND_FIN	FT_TCP_KIND_FIN
#define KIND_ACK	FT_TCP_KIND_ACK

/* One side's moves by what it sends. */
#define MOVES(syn, syn_ack, fin, ack, rst) {	\
	[KIND_NONE] = REFUSE,			\
	[KIND_SYN] = syn,			\
	[KIND_SYN_ACK] = syn_ack,		\
	[KIND_FIN] = fin,			\
	[KIND_ACK] = ack,			\
	[KIND_RST] = rst,			\
}

#define NOTHING	MOVES(REFUSE, REFUSE, REFUSE, REFUSE, REFUSE)

/*
 * Where a segment leads: by state, direction and kind. In all states but the
 * first a RST closes; with which number it must come is in judge_rst().
 */
static const u8 moves[STATES][2][FT_TCP_KINDS] = {
	/* Nothing seen. An ACK may be of a connection older than we are. */
	[ST_NO] = {
		[FT_DIR_ORIG] = MOVES(ST_SS, REFUSE, REFUSE, ST_ES, REFUSE),
		[FT_DIR_REPLY] = NOTHING,
	},
	/*
	 * SYN of the initiator. A SYN of the other side is a simultaneous open;
	 * a mere ACK a half-open connection's, which asks for a RST.
	 */
	[ST_SS] = {
		[FT_DIR_ORIG] = MOVES(ST_SS, REFUSE, REFUSE, REFUSE, ST_CL),
		[FT_DIR_REPLY] = MOVES(ST_S2, ST_SR, REFUSE, KEEP, ST_CL),
	},
	/* SYN of both. Whose SYN-ACK comes first does not matter. */
	[ST_S2] = {
		[FT_DIR_ORIG] = MOVES(ST_S2, ST_SR, REFUSE, REFUSE, ST_CL),
		[FT_DIR_REPLY] = MOVES(ST_S2, ST_SR, REFUSE, KEEP, ST_CL),
	},
	/* SYN-ACK. The initiator's ACK ends the handshake. */
	[ST_SR] = {
		[FT_DIR_ORIG] = MOVES(KEEP, ST_SR, ST_FW, ST_ES, ST_CL),
		[FT_DIR_REPLY] = MOVES(REFUSE, KEEP, ST_FW, ST_SR, ST_CL),
	},
	/* A SYN here may be that of an initiator that lost its connection. */
	[ST_ES] = {
		[FT_DIR_ORIG] = MOVES(KEEP, REFUSE, ST_FW, ST_ES, ST_CL),
		[FT_DIR_REPLY] = MOVES(REFUSE, KEEP, ST_FW, ST_ES, ST_CL),
	},
	/* FIN of one side, or a copy of it: taken for that of the other. */
	[ST_FW] = {
		[FT_DIR_ORIG] = MOVES(KEEP, REFUSE, ST_LA, ST_CW, ST_CL),
		[FT_DIR_REPLY] = MOVES(REFUSE, KEEP, ST_LA, ST_CW, ST_CL),
	},
	/* ... and any ACK after it. */
	[ST_CW] = {
		[FT_DIR_ORIG] = MOVES(KEEP, REFUSE, ST_LA, ST_CW, ST_CL),
		[FT_DIR_REPLY] = MOVES(REFUSE, KEEP, ST_LA, ST_CW, ST_CL),
	},
	/* FIN of both. */
	[ST_LA] = {
		[FT_DIR_ORIG] = MOVES(KEEP, REFUSE, ST_LA, ST_TW, ST_CL),
		[FT_DIR_REPLY] = MOVES(REFUSE, KEEP, ST_LA, ST_TW, ST_CL),
	},
	/* All acknowledged. Either side may open the next one. */
	[ST_TW] = {
		[FT_DIR_ORIG] = MOVES(REOPEN, REFUSE, ST_TW, ST_TW, ST_CL),
		[FT_DIR_REPLY] = MOVES(REOPEN, KEEP, ST_TW, ST_TW, ST_CL),
	},
	/* RST. */
	[ST_CL] = {
		[FT_DIR_ORIG] = MOVES(REOPEN, REFUSE, ST_CL, ST_CL, ST_CL),
		[FT_DIR_REPLY] = MOVES(REFUSE, KEEP, ST_CL, ST_CL, ST_CL),
	},
};

/* What nf_conntrack may end early when its table is full. */
#define WINDING_DOWN \
	(BIT(ST_FW) | BIT(ST_CW) | BIT(ST_LA) | BIT(ST_TW) | BIT(ST_CL))

/* Flags that make a segment; the others may be set or not with any of them. */
#define COUNTED \
	(TCPHDR_FIN | TCPHDR_SYN | TCPHDR_RST | TCPHDR_ACK | TCPHDR_URG)

/* Those that are valid, one bit each: one shift, whatever comes. */
#define VALID_FLAGS \
	(BIT_ULL(TCPHDR_SYN) | \
	 BIT_ULL(TCPHDR_SYN | TCPHDR_URG) | \
	 BIT_ULL(TCPHDR_SYN | TCPHDR_ACK) | \
	 BIT_ULL(TCPHDR_RST) | \
	 BIT_ULL(TCPHDR_RST | TCPHDR_ACK) | \
	 BIT_ULL(TCPHDR_FIN | TCPHDR_ACK) | \
	 BIT_ULL(TCPHDR_FIN | TCPHDR_ACK | TCPHDR_URG) | \
	 BIT_ULL(TCPHDR_ACK) | \
	 BIT_ULL(TCPHDR_ACK | TCPHDR_URG))

static bool flags_ok(u8 flags)
{
	static_assert(COUNTED < 64);

	return VALID_FLAGS >> (flags & COUNTED) & 1;
}

/* The fixed header, if it and its options are all there. */
static const struct tcphdr *header(const struct sk_buff *skb,
				   const struct ft_pkt *pkt,
				   struct tcphdr *buf)
{
	const struct tcphdr *tcph;

	tcph = skb_header_pointer(skb, pkt->l4off, sizeof(*buf), buf);
	if (!tcph || tcph->doff * 4 < sizeof(*tcph) ||
	    tcph->doff * 4 > pkt->l4len)
		return NULL;
	return tcph;
}

/**
 * ft_tcp_check() - header and checksum of a TCP segment
 * @skb: the packet; its checksum state may change, see ft_checksum_bad()
 * @pkt: parsed
 * @hook: where the packet is
 * @checksum: verify the checksum
 *
 * Context: any.
 * Return: why the packet is INVALID, or FT_INVALID_NONE.
 */
enum ft_invalid ft_tcp_check(struct sk_buff *skb, const struct ft_pkt *pkt,
			     unsigned int hook, bool checksum)
{
	const struct tcphdr *tcph;
	struct tcphdr buf __uninitialized;

	tcph = header(skb, pkt, &buf);
	if (!tcph)
		return FT_INVALID_TCP_HEADER;
	if (!flags_ok(tcp_flag_byte(tcph)))
		return FT_INVALID_TCP_FLAGS;
	if (checksum && ft_checksum_bad(skb, hook, pkt->l4off, IPPROTO_TCP, pkt->family))
		return FT_INVALID_CHECKSUM;
	return FT_INVALID_NONE;
}

static u8 kind_of(const struct tcphdr *tcph)
{
	if (tcph->rst)
		return KIND_RST;
	if (tcph->syn)
		return tcph->ack ? KIND_SYN_ACK : KIND_SYN;
	if (tcph->fin)
		return KIND_FIN;
	return tcph->ack ? KIND_ACK : KIND_NONE;
}

/* Right edge of the highest SACK block (RFC 2018): no later than @best? */
static u32 sack_edge(const u8 *blocks, unsigned int len, u32 best)
{
	unsigned int i;
	__be32 edge;

	for (i = 0; i + TCPOLEN_SACK_PERBLOCK <= len;
	     i += TCPOLEN_SACK_PERBLOCK) {
		memcpy(&edge, blocks + i + sizeof(edge), sizeof(edge));
		if (after(ntohl(edge), best))
			best = ntohl(edge);
	}
	return best;
}

/* One option; what has not the length it should have means nothing. */
static void read_option(struct ft_tcp_seg *seg, u8 kind, const u8 *data,
			unsigned int len, bool *sacked)
{
	switch (kind) {
	case TCPOPT_WINDOW:
		if (len != TCPOLEN_WINDOW - 2)
			return;
		seg->scale = min_t(u8, data[0], TCP_MAX_WSCALE);
		seg->offers |= FLOWTRACK_TCP_FLAGS_WINDOW_SCALE;
		return;
	case TCPOPT_SACK_PERM:
		if (len == TCPOLEN_SACK_PERM - 2)
			seg->offers |= FLOWTRACK_TCP_FLAGS_SACK_PERM;
		return;
	case TCPOPT_SACK:
		/* Blocks are what is left of 40 bytes: five at most. */
		if (*sacked || !len || len & (TCPOLEN_SACK_PERBLOCK - 1))
			return;
		*sacked = true;
		seg->sack = sack_edge(data, len, seg->sack);
		return;
	}
}

/* What nearly every segment has: a timestamp and nothing else. */
static bool only_timestamp(const void *opts, unsigned int len)
{
	const __be32 *head = opts;

	return len == TCPOLEN_TSTAMP_ALIGNED &&
	       *head == htonl(TCPOPT_NOP << 24 | TCPOPT_NOP << 16 |
			      TCPOPT_TIMESTAMP << 8 | TCPOLEN_TIMESTAMP);
}

/* Options up to the end, or to the first that makes no sense. */
static void read_options(struct ft_tcp_seg *seg, const u8 *opts,
			 unsigned int len)
{
	bool sacked = false;
	unsigned int i = 0;

	seg->has_options = true;
	if (only_timestamp(opts, len))
		return;
	while (i < len && opts[i] != TCPOPT_EOL) {
		if (opts[i] == TCPOPT_NOP) {
			i++;
			continue;
		}
		if (len - i < 2 || opts[i + 1] < 2 || opts[i + 1] > len - i)
			return;
		read_option(seg, opts[i], &opts[i + 2], opts[i + 1] - 2,
			    &sacked);
		i += opts[i + 1];
	}
}

static bool read_segment(const struct sk_buff *skb, const struct ft_pkt *pkt,
			 struct ft_tcp_seg *seg)
{
	__be32 buf[MAX_TCP_OPTION_SPACE / sizeof(__be32)] __uninitialized;
	const struct tcphdr *tcph;
	struct tcphdr header_buf __uninitialized;
	unsigned int len;
	const u8 *opts;

	tcph = header(skb, pkt, &header_buf);
	if (!tcph)
		return false;

	*seg = (struct ft_tcp_seg) {
		.seq = ntohl(tcph->seq),
		.end = ntohl(tcph->seq) + pkt->l4len - tcph->doff * 4 +
		       tcph->syn + tcph->fin,
		.ack = ntohl(tcph->ack_seq),
		.sack = ntohl(tcph->ack_seq),
		.win = ntohs(tcph->window),
		.kind = kind_of(tcph),
		.has_syn = tcph->syn,
		.has_ack = tcph->ack,
	};

	len = tcph->doff * 4 - sizeof(*tcph);
	if (!len)
		return true;
	opts = skb_header_pointer(skb, pkt->l4off + sizeof(*tcph), len, buf);
	if (opts)
		read_options(seg, opts, len);
	return true;
}

/* State, and what follows from it and from the segment's direction. */
static void settle(struct ft_step *step, u8 state)
{
	u32 before = step->word;

	if (step->dir == FT_DIR_REPLY)
		step->word |= FT_FLOW_SEEN_REPLY;
	ft_step_set(step, state, FLOWTRACK_CLASS_EMBRYONIC);
	ft_step_set(step, state, ft_tcp_class(step->word));
	step->update = step->update ||
		       (step->word ^ before) & (FT_FLOW_STATE | FT_FLOW_SEEN_REPLY);
}

static enum ft_verdict keep(struct ft_step *step, u8 state)
{
	settle(step, state);
	return FT_VERDICT_KEEP;
}

static enum ft_verdict tcp_refuse(struct ft_step *step, enum ft_invalid reason)
{
	step->reason = reason;
	return FT_VERDICT_INVALID;
}

/* Has the connection ended, so that a SYN of @dir opens the next one? */
static bool has_ended(const struct ft_tcp *tcp, enum ft_dir dir)
{
	return (tcp->flags[0] | tcp->flags[1]) &
	       FLOWTRACK_TCP_FLAGS_CLOSE_INIT ||
	       (tcp->last_dir == dir && tcp->last_kind == KIND_RST);
}

/* A SYN-ACK answers a SYN that was noted: both know what we do not. */
static bool answers_noted_syn(const struct ft_tcp *tcp, enum ft_dir dir,
			      const struct ft_tcp_seg *seg)
{
	return seg->kind == KIND_SYN_ACK && tcp->last_kind == KIND_SYN &&
	       tcp->last_dir != dir && seg->ack == tcp->last_end;
}

/* The connection is the one that the noted SYN opened. */
static void follow_noted_syn(struct ft_tcp *tcp)
{
	const struct ft_tcp_seg syn = {
		.end = tcp->last_end,
		.win = tcp->last_win,
		.scale = tcp->last_scale,
		.offers = tcp->last_flags &
			  (FLOWTRACK_TCP_FLAGS_WINDOW_SCALE |
			   FLOWTRACK_TCP_FLAGS_SACK_PERM),
		.has_options = true,
	};

	tcp->last_flags &= ~FLOWTRACK_TCP_FLAGS_CHALLENGE_ACK;
	/* The window is enforced from here on, whatever was before. */
	tcp->flags[FT_DIR_ORIG] = 0;
	ft_tcp_window_forget(tcp, FT_DIR_REPLY);
	ft_tcp_window_open(tcp, FT_DIR_ORIG, &syn);
}

/* Note a segment that passes though it does not belong here. */
static void note(struct ft_tcp *tcp, u8 state, enum ft_dir dir,
		 const struct ft_tcp_seg *seg)
{
	tcp->last_kind = seg->kind;
	tcp->last_dir = dir;
	tcp->last_seq = seg->seq;
	tcp->last_end = seg->end;
	tcp->last_win = seg->win;

	if (seg->kind == KIND_SYN && dir == FT_DIR_ORIG) {
		tcp->last_scale = seg->scale;
		tcp->last_flags &= FT_TCP_LAST_SLIPPED;
		tcp->last_flags |= seg->offers;
		/*
		 * The responder may answer with a challenge ACK, which must
		 * not pass for the one that ends the connection.
		 */
		if (state == ST_LA)
			tcp->last_flags |= FLOWTRACK_TCP_FLAGS_CHALLENGE_ACK;
	}
	/* A half-open connection's; the initiator's RST will name it. */
	if (seg->kind == KIND_ACK && dir == FT_DIR_REPLY && state == ST_SS)
		tcp->last_ack = seg->ack;
}

/* Is this the challenge ACK to a SYN in LAST_ACK? */
static bool is_challenge(const struct ft_tcp *tcp, u8 state, enum ft_dir dir,
			 const struct ft_tcp_seg *seg)
{
	return state == ST_LA && seg->kind == KIND_ACK &&
	       tcp->last_kind == KIND_SYN && tcp->last_dir != dir &&
	       tcp->last_flags & FLOWTRACK_TCP_FLAGS_CHALLENGE_ACK;
}

/*
 * enum rst - what to make of a RST
 * @RST_IN_WINDOW: it closes if it lies in the window
 * @RST_TRUSTED: it closes
 * @RST_CHALLENGED: it may be forged: the receiver will ask (RFC 5961 3.2), and
 *	a true one comes again with the right number
 * @RST_REFUSED: it cannot be true
 */
enum rst {
	RST_IN_WINDOW,
	RST_TRUSTED,
	RST_CHALLENGED,
	RST_REFUSED,
};

/* By the acknowledgments that it should follow. */
static enum rst judge_rst_seq(const struct ft_tcp *tcp, bool established,
			      enum ft_dir dir, const struct ft_tcp_seg *seg,
			      bool ignore_invalid)
{
	u32 expected = tcp->maxack[!dir];

	/*
	 * Sent by a host without the connection, to answer a SYN let through.
	 */
	if (!seg->seq && !established)
		return RST_IN_WINDOW;
	if (before(seg->seq, expected) && !ignore_invalid)
		return RST_REFUSED;
	if (!established || seg->seq == expected)
		return RST_IN_WINDOW;
	/* The RST follows right after a segment that may still be on its way. */
	if (tcp->last_kind == KIND_ACK && tcp->last_dir == dir &&
	    seg->seq == tcp->last_end)
		return RST_IN_WINDOW;
	return RST_CHALLENGED;
}

/* Does a RST refuse what was let through or what passed one way only? */
static bool refuses_noted(const struct ft_tcp *tcp, u32 word, enum ft_dir dir,
			  const struct ft_tcp_seg *seg)
{
	if (seg->ack != tcp->last_end)
		return false;
	if (tcp->last_kind == KIND_SYN)
		return word & FT_FLOW_SEEN_REPLY && tcp->last_dir != dir;
	return tcp->last_kind == KIND_ACK && !(word & FT_FLOW_ASSURED);
}

/* Does a RST answer the half-open connection's ACK that was let through? */
static bool answers_half_open(const struct ft_tcp *tcp, u8 state,
			      const struct ft_tcp_seg *seg)
{
	return state == ST_SS && tcp->last_kind == KIND_ACK &&
	       tcp->last_dir == FT_DIR_REPLY && seg->seq == tcp->last_ack;
}

/* @stay: the state does not change, whether the RST passes or not. */
static enum rst judge_rst(const struct ft_tcp *tcp, u32 word, enum ft_dir dir,
			  const struct ft_tcp_seg *seg, bool ignore_invalid,
			  bool *stay)
{
	u8 state = ft_word_state(word);

	/* The next connection may have begun: all that is known is old. */
	if (BIT(state) & WINDING_DOWN)
		return RST_TRUSTED;

	/* After a SYN was let through acknowledgments may be another one's. */
	if (tcp->flags[!dir] & FLOWTRACK_TCP_FLAGS_MAXACK_SET &&
	    tcp->last_kind != KIND_SYN) {
		bool established = state == ST_ES && word & FT_FLOW_ASSURED;
		enum rst rst = judge_rst_seq(tcp, established, dir, seg,
					     ignore_invalid);

		if (rst != RST_CHALLENGED)
			return rst;
		*stay = true;
	}
	if (refuses_noted(tcp, word, dir, seg) ||
	    answers_half_open(tcp, state, seg))
		return RST_TRUSTED;
	return RST_IN_WINDOW;
}

static enum ft_verdict out_of_window(struct ft_step *step, struct ft_tcp *tcp,
				     const struct ft_tcp_seg *seg,
				     enum ft_tcp_fit fit)
{
	static const enum ft_invalid reasons[] = {
		[FT_TCP_OVERSHOT] = FT_INVALID_TCP_SEQ_OVER,
		[FT_TCP_SEQ_OVER] = FT_INVALID_TCP_SEQ_OVER,
		[FT_TCP_SEQ_UNDER] = FT_INVALID_TCP_SEQ_UNDER,
		[FT_TCP_ACK_OVER] = FT_INVALID_TCP_ACK_OVER,
		[FT_TCP_ACK_UNDER] = FT_INVALID_TCP_ACK_UNDER,
	};

	/* The receiver answers a late one with an ACK, or takes what fits. */
	if (fit != FT_TCP_SEQ_OVER && fit != FT_TCP_ACK_OVER)
		return keep(step, ft_word_state(step->word));

	/*
	 * If both sides want to end it the windows may be wrong, and nothing
	 * would ever end the flow: it need not stay for days.
	 */
	if (step->word & FT_FLOW_ASSURED &&
	    (seg->kind == KIND_FIN || seg->kind == KIND_RST)) {
		if (tcp->last_dir != step->dir &&
		    (tcp->last_kind == KIND_FIN || tcp->last_kind == KIND_RST)) {
			step->limit = ft_timeout(step->set,
						 TCP_TIMEOUT_UNACKNOWLEDGED);
		} else {
			tcp->last_kind = seg->kind;
			tcp->last_dir = step->dir;
		}
	}
	return tcp_refuse(step, reasons[fit]);
}

/* Timeout of a state, cut short for a side that does not answer. */
static __always_inline u32 timeout_after(const struct ft_settings *set,
					 const struct ft_tcp *tcp, u8 state, u8 kind, u32 word)
{
	u32 unacked = ft_timeout(set, TCP_TIMEOUT_UNACKNOWLEDGED);
	u32 retrans = ft_timeout(set, TCP_TIMEOUT_MAX_RETRANS);
	u32 timeout = ft_tcp_timeout(word, set);

	if (tcp->retrans >= ft_setting(set, TCP_MAX_RETRANS) &&
	    timeout > retrans)
		return retrans;
	/* A RST that was challenged; or data that waits for an ACK. */
	if (((kind == KIND_RST && state == ST_ES) ||
	     (tcp->flags[0] | tcp->flags[1]) &
	     FLOWTRACK_TCP_FLAGS_DATA_UNACKED) && timeout > unacked)
		return unacked;
	/* The window is closed: the sender probes, the receiver answers. */
	if (!tcp->last_win && timeout > retrans)
		return retrans;
	return timeout;
}

/* The segment belongs here, and leads from @old to @state. */
static enum ft_verdict tcp_advance(struct ft_step *step, struct ft_tcp *tcp,
				   const struct ft_tcp_seg *seg, u8 old, u8 state)
{
	bool replied = step->word & FT_FLOW_SEEN_REPLY;
	bool assured = step->word & FT_FLOW_ASSURED;
	u32 unacked;

	tcp->last_kind = seg->kind;
	tcp->last_dir = step->dir;
	if (state == ST_FW && old != ST_FW)
		tcp->flags[step->dir] |= FLOWTRACK_TCP_FLAGS_CLOSE_INIT;

	/* Assured when both have spoken and the initiator has gone on. */
	if (replied && !assured && state == ST_ES && (old == ST_SR || old == ST_ES)) {
		step->word |= FT_FLOW_ASSURED;
		step->update = true;
	}
	/* Most segments of a connection change nothing of that. */
	if (state != old || !replied || !assured)
		settle(step, state);
	step->timeout = timeout_after(step->set, tcp, state, seg->kind,
				      step->word);
	if (replied)
		return FT_VERDICT_ACCEPT;

	/* Refused at once: there was no connection, and is none to remember. */
	if (seg->kind == KIND_RST)
		step->timeout = 0;
	/*
	 * A client that reuses the port must not keep an unanswered SYN alive.
	 */
	if (seg->kind == KIND_SYN && old == ST_SS)
		return FT_VERDICT_KEEP;
	/* Picked up, and one way only as yet. */
	unacked = ft_timeout(step->set, TCP_TIMEOUT_UNACKNOWLEDGED);
	if (state == ST_ES && step->timeout > unacked)
		step->timeout = unacked;
	return FT_VERDICT_ACCEPT;
}

/* A segment meets its flow; a first one meets the flow that it opens. */
static enum ft_verdict tcp_run(struct ft_step *step, struct ft_tcp *tcp,
			       const struct ft_tcp_seg *seg)
{
	u8 old = ft_word_state(step->word);
	enum ft_dir dir = step->dir;
	enum rst rst = RST_IN_WINDOW;
	bool stay = false;
	u8 state = REFUSE;

	step->update = false;
	step->limit = 0;
	if (old < STATES)
		state = moves[old][dir][seg->kind];

	switch (state) {
	case REFUSE:
		return tcp_refuse(step, FT_INVALID_TCP_STATE);
	case REOPEN:
		if (has_ended(tcp, dir))
			return FT_VERDICT_REOPEN;
		fallthrough;
	case KEEP:
		if (!answers_noted_syn(tcp, dir, seg)) {
			note(tcp, old, dir, seg);
			return keep(step, old);
		}
		follow_noted_syn(tcp);
		state = ST_SR;
		break;
	case ST_TW:
		if (!is_challenge(tcp, old, dir, seg))
			break;
		tcp->last_flags &= ~FLOWTRACK_TCP_FLAGS_CHALLENGE_ACK;
		return keep(step, old);
	case ST_S2:
		tcp->last_flags |= FLOWTRACK_TCP_FLAGS_SIMULTANEOUS_OPEN;
		break;
	case ST_SR:
		/* Either side may end the handshake of a simultaneous open. */
		if (dir == FT_DIR_REPLY && seg->kind == KIND_ACK &&
		    tcp->last_flags & FLOWTRACK_TCP_FLAGS_SIMULTANEOUS_OPEN)
			state = ST_ES;
		break;
	case ST_CL:
		if (seg->kind != KIND_RST)
			break;
		rst = judge_rst(tcp, step->word, dir, seg,
				ft_setting(step->set, TCP_IGNORE_INVALID_RST),
				&stay);
		if (stay)
			state = old;
		break;
	}

	if (rst == RST_REFUSED)
		return tcp_refuse(step, FT_INVALID_TCP_RST);
	if (rst == RST_IN_WINDOW) {
		enum ft_tcp_fit fit;

		fit = ft_tcp_window(tcp, old, dir, seg,
				    ft_setting(step->set, TCP_BE_LIBERAL));
		if (fit != FT_TCP_FIT)
			return out_of_window(step, tcp, seg, fit);
	}
	return tcp_advance(step, tcp, seg, old, state);
}

/**
 * ft_tcp_new() - first segment of a flow
 * @skb: the packet
 * @pkt: parsed
 * @step: filled
 * @state: filled, unless INVALID
 *
 * A SYN opens a connection. Any ACK may be of one that was there before us; the
 * setting tcp_loose says whether to believe that.
 *
 * Context: any.
 * Return: FT_VERDICT_ACCEPT or FT_VERDICT_INVALID.
 */
enum ft_verdict ft_tcp_new(const struct sk_buff *skb, const struct ft_pkt *pkt,
			   struct ft_step *step, union ft_proto_state *state)
{
	struct ft_tcp_seg seg;

	if (!read_segment(skb, pkt, &seg))
		return tcp_refuse(step, FT_INVALID_TCP_HEADER);

	switch (moves[ST_NO][FT_DIR_ORIG][seg.kind]) {
	case ST_SS:
		memset(state, 0, sizeof(*state));
		ft_tcp_window_open(&state->tcp, FT_DIR_ORIG, &seg);
		break;
	case ST_ES:
		if (!ft_setting(step->set, TCP_LOOSE))
			return tcp_refuse(step, FT_INVALID_TCP_MIDSTREAM);
		memset(state, 0, sizeof(*state));
		ft_tcp_window_pick_up(&state->tcp, FT_DIR_ORIG, &seg);
		break;
	default:
		return tcp_refuse(step, FT_INVALID_TCP_MIDSTREAM);
	}
	return tcp_run(step, &state->tcp, &seg);
}

/*
 * A segment with ACK, and neither SYN, FIN nor RST; a timestamp, and no other option. Return:
 * its header, which is in one piece; NULL: it is another segment.
 */
static const struct tcphdr *read_plain(const struct sk_buff *skb, const struct ft_pkt *pkt,
				       unsigned int *hdrlen)
{
	const struct tcphdr *tcph = (const struct tcphdr *)(skb->data + pkt->l4off);
	const __be32 flags = TCP_FLAG_SYN | TCP_FLAG_FIN | TCP_FLAG_RST | TCP_FLAG_ACK;
	unsigned int len = sizeof(*tcph);

	if (skb_headlen(skb) < pkt->l4off + len ||
	    (tcp_flag_word(tcph) & flags) != TCP_FLAG_ACK)
		return NULL;
	if (tcph->doff * 4 != len) {
		len += TCPOLEN_TSTAMP_ALIGNED;
		if (tcph->doff * 4 != len || skb_headlen(skb) < pkt->l4off + len ||
		    !only_timestamp(tcph + 1, TCPOLEN_TSTAMP_ALIGNED))
			return NULL;
	}
	*hdrlen = len;
	return pkt->l4len < len ? NULL : tcph;
}

/*
 * As tcp_run(), in one piece: for an ACK that fits, of a connection that both sides have
 * established, which stays as it is. Return: false: it is another segment, and nothing has
 * changed.
 */
static bool run_plain(const struct sk_buff *skb, const struct ft_pkt *pkt, struct ft_step *step,
		      struct ft_tcp *tcp)
{
	const u32 bits = FT_FLOW_STATE | FT_FLOW_SEEN_REPLY | FT_FLOW_ASSURED;
	const struct tcphdr *tcph;
	unsigned int hdrlen;

	if ((step->word & bits) != (FIELD_PREP(FT_FLOW_STATE, ST_ES) | FT_FLOW_SEEN_REPLY |
				    FT_FLOW_ASSURED))
		return false;
	tcph = read_plain(skb, pkt, &hdrlen);
	if (!tcph || !ft_tcp_window_plain(tcp, step->dir, ntohl(tcph->seq), pkt->l4len - hdrlen,
					  ntohl(tcph->ack_seq), ntohs(tcph->window)))
		return false;
	tcp->last_kind = KIND_ACK;
	tcp->last_dir = step->dir;
	step->timeout = timeout_after(step->set, tcp, ST_ES, KIND_ACK,
				      FIELD_PREP(FT_FLOW_STATE, ST_ES));
	step->update = false;
	step->limit = 0;
	return true;
}

/**
 * ft_tcp_packet() - later segment of a flow
 * @skb: the packet
 * @pkt: parsed
 * @step: filled
 * @state: of the flow; what is kept about windows and the last segment may
 *	change whatever the verdict is
 *
 * A RST that refuses a flow nobody has answered ends it: ACCEPT with a timeout
 * of zero.
 *
 * Context: the flow's lock.
 * Return: FT_VERDICT_ACCEPT; FT_VERDICT_KEEP for what may be wrong, where the
 * receiver will tell; FT_VERDICT_REOPEN; or FT_VERDICT_INVALID.
 */
enum ft_verdict ft_tcp_packet(const struct sk_buff *skb,
			      const struct ft_pkt *pkt, struct ft_step *step,
			      union ft_proto_state *state)
{
	struct ft_tcp_seg seg;

	if (likely(run_plain(skb, pkt, step, &state->tcp)))
		return FT_VERDICT_ACCEPT;
	if (!read_segment(skb, pkt, &seg))
		return tcp_refuse(step, FT_INVALID_TCP_HEADER);
	return tcp_run(step, &state->tcp, &seg);
}

/**
 * ft_tcp_timeout() - timeout of a flow by its state alone
 * @word: its bits
 * @set: settings of the namespace
 *
 * Context: any.
 * Return: jiffies.
 */
u32 ft_tcp_timeout(u32 word, const struct ft_settings *set)
{
	switch (ft_word_state(word)) {
	case ST_SR:
		return ft_timeout(set, TCP_TIMEOUT_SYN_RECV);
	case ST_ES:
		return ft_timeout(set, TCP_TIMEOUT_ESTABLISHED);
	case ST_FW:
		return ft_timeout(set, TCP_TIMEOUT_FIN_WAIT);
	case ST_CW:
		return ft_timeout(set, TCP_TIMEOUT_CLOSE_WAIT);
	case ST_LA:
		return ft_timeout(set, TCP_TIMEOUT_LAST_ACK);
	case ST_TW:
		return ft_timeout(set, TCP_TIMEOUT_TIME_WAIT);
	case ST_CL:
		return ft_timeout(set, TCP_TIMEOUT_CLOSE);
	default:
		return ft_timeout(set, TCP_TIMEOUT_SYN_SENT);
	}
}

/**
 * ft_tcp_idle() - for how long has a flow had no packet?
 * @word: its bits
 * @left: jiffies until its deadline
 * @set: settings of the namespace
 *
 * A segment may have given it a timeout shorter than that of its state, see
 * timeout_after(). What is left then tells of a shorter time than it may have
 * been, never of a longer one.
 *
 * Context: any.
 * Return: jiffies.
 */
u32 ft_tcp_idle(u32 word, u32 left, const struct ft_settings *set)
{
	u32 unacked = ft_timeout(set, TCP_TIMEOUT_UNACKNOWLEDGED);
	u32 retrans = ft_timeout(set, TCP_TIMEOUT_MAX_RETRANS);
	u32 timeout = ft_tcp_timeout(word, set);

	if (left <= unacked)
		timeout = min(timeout, unacked);
	if (left <= retrans)
		timeout = min(timeout, retrans);
	return timeout > left ? timeout - left : 0;
}

/**
 * ft_tcp_class() - what a flow is worth
 * @word: its bits
 *
 * Until the handshake is over a flow may be that of a flood, whatever answers
 * it; so may one that was picked up and not answered.
 *
 * Context: any.
 * Return: the class.
 */
enum flowtrack_class ft_tcp_class(u32 word)
{
	switch (ft_word_state(word)) {
	case ST_NO:
	case ST_SS:
	case ST_S2:
	case ST_SR:
		return FLOWTRACK_CLASS_EMBRYONIC;
	case ST_LA:
	case ST_TW:
	case ST_CL:
		return FLOWTRACK_CLASS_CLOSING;
	default:
		return ft_generic_class(word);
	}
}

/**
 * ft_tcp_quoted() - could an ICMP error be about a segment that was sent?
 * @skb: the error
 * @inner: the quoted packet, of which eight bytes of TCP need to be there
 * @dir: direction of the quoted packet within the flow
 * @state: of the flow
 *
 * A host that did not see the connection can't guess the sequence number: RFC
 * 5927 4.1. nf_conntrack does not check it.
 *
 * Context: the flow's lock.
 * Return: false if it could not.
 */
bool ft_tcp_quoted(const struct sk_buff *skb, const struct ft_pkt *inner,
		   enum ft_dir dir, const union ft_proto_state *state)
{
	const __be32 *seq;
	__be32 buf;

	seq = skb_header_pointer(skb, inner->l4off +
				 offsetof(struct tcphdr, seq), sizeof(buf),
				 &buf);
	return seq && ft_tcp_window_has_sent(&state->tcp, dir, ntohl(*seq));
}
