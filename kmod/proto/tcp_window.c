// SPDX-License-Identifier: GPL-2.0
/*
 * Windows of a TCP connection as they look from the middle.
 *
 * After Guido van Rooij, "Real Stateful TCP Packet Filtering in IP Filter"
 * (2000), with the bounds that nf_conntrack_proto_tcp.c has as of Linux 6.12.
 * We see what one side sends before the other one does, or what the other one
 * never gets, so that the rules are wider than those of RFC 9293 3.10.7.4. Of
 * the side that sends, s, and the one that receives, r, we keep
 *
 *	end	highest sequence number sent, plus one
 *	maxend	right edge of the widest window that the other side offered
 *	maxwin	widest window offered; 0: this side has sent nothing yet
 *	maxack	highest acknowledgment sent
 *
 * and a segment fits if it
 *
 *	begins no later than maxend of s		else SEQ_OVER
 *	ends no earlier than end of s - maxwin of r	else SEQ_UNDER
 *	acknowledges no more than end of r		else ACK_OVER
 *	and no less than end of r - a generous window	else ACK_UNDER
 *
 * where SACK blocks count as acknowledgments.
 */
#include <linux/minmax.h>
#include <linux/nf_flowtrack.h>
#include <net/tcp.h>

#include "proto/tcp_window.h"

#define SACK_PERM	FLOWTRACK_TCP_FLAGS_SACK_PERM
#define WINDOW_SCALE	FLOWTRACK_TCP_FLAGS_WINDOW_SCALE
#define BE_LIBERAL	FLOWTRACK_TCP_FLAGS_BE_LIBERAL
#define DATA_UNACKED	FLOWTRACK_TCP_FLAGS_DATA_UNACKED
#define MAXACK_SET	FLOWTRACK_TCP_FLAGS_MAXACK_SET

/*
 * How far an acknowledgment may lag behind, at least: a window without scaling
 * and what may be on the way beyond it.
 */
#define ACK_LAG_MIN	66000u

/* Zero means that a side is not known, so what is known has at least one. */
static u32 known_window(u32 win)
{
	return win ?: 1;
}

/* What a SYN offers replaces what an earlier one did, if it has options. */
static void take_offers(struct ft_tcp *tcp, enum ft_dir dir,
			const struct ft_tcp_seg *seg)
{
	if (!seg->has_options)
		return;
	tcp->scale[dir] = seg->scale;
	tcp->flags[dir] = (tcp->flags[dir] & BE_LIBERAL) | seg->offers;
}

/**
 * ft_tcp_window_open() - a side begins, with a SYN
 * @tcp: state of the flow
 * @dir: direction of the SYN
 * @seg: the SYN
 *
 * The window of a SYN is never scaled (RFC 7323 2.2).
 */
void ft_tcp_window_open(struct ft_tcp *tcp, enum ft_dir dir,
			const struct ft_tcp_seg *seg)
{
	tcp->end[dir] = seg->end;
	tcp->maxend[dir] = seg->end;
	tcp->maxwin[dir] = known_window(seg->win);
	take_offers(tcp, dir, seg);
	/* Both must offer scaling; the responder's SYN settles it. */
	if (dir == FT_DIR_REPLY &&
	    !(tcp->flags[0] & tcp->flags[1] & WINDOW_SCALE)) {
		tcp->scale[0] = 0;
		tcp->scale[1] = 0;
	}
}

/* Nothing is known of either side, so neither window scale nor SACK are. */
static void be_liberal(struct ft_tcp *tcp)
{
	tcp->flags[0] |= SACK_PERM | BE_LIBERAL;
	tcp->flags[1] |= SACK_PERM | BE_LIBERAL;
}

/**
 * ft_tcp_window_pick_up() - a flow begins in the middle of a connection
 * @tcp: state of the flow, all zero
 * @dir: direction of the first segment that is seen
 * @seg: that segment
 */
void ft_tcp_window_pick_up(struct ft_tcp *tcp, enum ft_dir dir,
			   const struct ft_tcp_seg *seg)
{
	tcp->end[dir] = seg->end;
	tcp->maxwin[dir] = known_window(seg->win);
	tcp->maxend[dir] = seg->end + tcp->maxwin[dir];
	be_liberal(tcp);
}

/**
 * ft_tcp_window_forget() - a side is about to begin anew
 * @tcp: state of the flow
 * @dir: the side
 */
void ft_tcp_window_forget(struct ft_tcp *tcp, enum ft_dir dir)
{
	tcp->end[dir] = 0;
	tcp->maxend[dir] = 0;
	tcp->maxwin[dir] = 0;
	tcp->maxack[dir] = 0;
	tcp->scale[dir] = 0;
	tcp->flags[dir] &= BE_LIBERAL;
}

/* First segment of a side, and no SYN: take it as it comes. */
static void window_learn(struct ft_tcp *tcp, enum ft_dir dir,
			 const struct ft_tcp_seg *seg)
{
	/* Only if the flow was entered by hand: packets pick one side up. */
	if (!tcp->maxwin[!dir])
		be_liberal(tcp);

	tcp->end[dir] = seg->end;
	tcp->maxwin[dir] = known_window((u32)seg->win << tcp->scale[dir]);
	tcp->maxend[dir] = seg->end + tcp->maxwin[dir];
	if (!tcp->maxwin[!dir]) {
		tcp->end[!dir] = seg->sack;
		tcp->maxend[!dir] = seg->sack;
	} else if (seg->sack == tcp->end[!dir] + 1) {
		/* Answers a keepalive that was not seen. */
		tcp->end[!dir]++;
	}
}

/* A SYN may begin anew until the handshake is over (RFC 9293 3.10.7). */
static bool begins_anew(const struct ft_tcp *tcp, u8 state, enum ft_dir dir,
			const struct ft_tcp_seg *seg)
{
	return seg->has_syn && after(seg->end, tcp->end[dir]) &&
	       (state == FLOWTRACK_TCP_STATE_SYN_SENT ||
		state == FLOWTRACK_TCP_STATE_SYN_RECV);
}

/*
 * Numbers that mean nothing become those that fit: the acknowledgment of a
 * segment without ACK, or of a RST of stacks that set ACK and leave it zero;
 * and the sequence number of a RST that refuses a SYN.
 */
static void fill_in(const struct ft_tcp *tcp, u8 state, enum ft_dir dir,
		    struct ft_tcp_seg *seg)
{
	bool rst = seg->kind == FT_TCP_KIND_RST;

	if (!seg->has_ack || (rst && !seg->ack)) {
		seg->ack = tcp->end[!dir];
		seg->sack = tcp->end[!dir];
	}
	if (rst && !seg->seq && state == FLOWTRACK_TCP_STATE_SYN_SENT) {
		seg->seq = tcp->end[dir];
		seg->end = tcp->end[dir];
	}
}

/* The rules at the top of this file. */
static __always_inline enum ft_tcp_fit judge(const struct ft_tcp *tcp, enum ft_dir dir,
					     const struct ft_tcp_seg *seg)
{
	u32 room = tcp->maxwin[!dir];
	u32 lag = max(tcp->maxwin[dir], ACK_LAG_MIN);
	bool seq_under = room && before(seg->end, tcp->end[dir] - room);
	bool ack_over = after(seg->sack, tcp->end[!dir]);
	bool ack_under = before(seg->sack, tcp->end[!dir] - lag);

	if (after(seg->seq, tcp->maxend[dir])) {
		u32 excess = seg->end - tcp->maxend[dir] + 1;

		if (excess <= room && !seq_under && !ack_over && !ack_under)
			return FT_TCP_OVERSHOT;
		return FT_TCP_SEQ_OVER;
	}
	if (ack_over)
		return FT_TCP_ACK_OVER;
	if (seq_under)
		return FT_TCP_SEQ_UNDER;
	if (ack_under)
		return FT_TCP_ACK_UNDER;
	return FT_TCP_FIT;
}

/* The segment fits: what does it tell? */
static __always_inline void window_advance(struct ft_tcp *tcp, enum ft_dir dir,
					   const struct ft_tcp_seg *seg)
{
	u32 win = seg->win;
	u32 edge;

	if (!seg->has_syn)
		win <<= tcp->scale[dir];

	/* What is selectively acknowledged lies inside the window. */
	tcp->maxwin[dir] = max(tcp->maxwin[dir], win + seg->sack - seg->ack);
	if (after(seg->end, tcp->end[dir])) {
		tcp->end[dir] = seg->end;
		tcp->flags[dir] |= DATA_UNACKED;
	}
	if (seg->has_ack && (!(tcp->flags[dir] & MAXACK_SET) ||
			     after(seg->ack, tcp->maxack[dir]))) {
		tcp->maxack[dir] = seg->ack;
		tcp->flags[dir] |= MAXACK_SET;
	}

	/* It ends beyond the window that we knew of: there must be one. */
	if (tcp->maxwin[!dir] && after(seg->end, tcp->maxend[dir]))
		tcp->maxwin[!dir] += seg->end - tcp->maxend[dir];
	/* One octet may probe a window that is closed. */
	edge = seg->sack + win;
	if (!before(edge, tcp->maxend[!dir]))
		tcp->maxend[!dir] = edge + !win;
	if (seg->ack == tcp->end[!dir])
		tcp->flags[!dir] &= ~DATA_UNACKED;
}

/* How often has the last segment been repeated? */
static __always_inline void count_repeats(struct ft_tcp *tcp, enum ft_dir dir,
					  const struct ft_tcp_seg *seg)
{
	if (tcp->last_dir == dir && tcp->last_seq == seg->seq &&
	    tcp->last_ack == seg->ack && tcp->last_end == seg->end &&
	    tcp->last_win == seg->win) {
		/* nf_conntrack begins again at zero. */
		if (tcp->retrans < U8_MAX)
			tcp->retrans++;
		return;
	}
	tcp->last_dir = dir;
	tcp->last_seq = seg->seq;
	tcp->last_ack = seg->ack;
	tcp->last_end = seg->end;
	tcp->last_win = seg->win;
	tcp->retrans = 0;
}

/**
 * ft_tcp_window() - does a segment lie in the windows? If so, move them
 * @tcp: state of the flow
 * @state: enum flowtrack_tcp_state, before the segment
 * @dir: direction of the segment
 * @seg: the segment
 * @liberal: windows are kept, but not enforced
 *
 * Context: the flow's lock.
 * Return: how it lies; FT_TCP_FIT whatever it is if windows are not enforced.
 */
enum ft_tcp_fit ft_tcp_window(struct ft_tcp *tcp, u8 state, enum ft_dir dir,
			      const struct ft_tcp_seg *seg, bool liberal)
{
	struct ft_tcp_seg filled = *seg;
	enum ft_tcp_fit fit;

	/* A side that did not offer SACK does not read it (RFC 2018 2). */
	if (!(tcp->flags[!dir] & SACK_PERM))
		filled.sack = filled.ack;

	if (!tcp->maxwin[dir] && !seg->has_syn) {
		window_learn(tcp, dir, &filled);
	} else if (!tcp->maxwin[dir] || begins_anew(tcp, state, dir, seg)) {
		ft_tcp_window_open(tcp, dir, seg);
		/* Both open at once: there is nothing to hold it against. */
		if (dir == FT_DIR_REPLY && !seg->has_ack)
			return FT_TCP_FIT;
	}

	fill_in(tcp, state, dir, &filled);
	fit = judge(tcp, dir, &filled);
	if (fit == FT_TCP_FIT) {
		window_advance(tcp, dir, &filled);
		if (seg->kind == FT_TCP_KIND_ACK)
			count_repeats(tcp, dir, &filled);
		return FT_TCP_FIT;
	}

	/*
	 * Some stacks send more than they may. If the other side took it, all
	 * that follows would acknowledge what we know nothing of.
	 */
	if (fit == FT_TCP_OVERSHOT) {
		tcp->end[dir] = filled.end;
		tcp->flags[dir] |= DATA_UNACKED;
	}
	if (!liberal && !(tcp->flags[dir] & BE_LIBERAL))
		return fit;
	tcp->last_flags |= FT_TCP_LAST_SLIPPED;
	return FT_TCP_FIT;
}

/**
 * ft_tcp_window_plain() - as ft_tcp_window(), for a segment as most are
 * @tcp: state of the flow
 * @dir: direction of the segment
 * @seq: sequence number of an ACK without SACK blocks
 * @len: octets that it has
 * @ack: its acknowledgment
 * @win: its window, unscaled
 *
 * The compiler knows of such a segment what ft_tcp_window() has to ask.
 *
 * Context: the flow's lock.
 * Return: true if it fits into the windows of two sides that are known; else nothing has
 * changed, and ft_tcp_window() says what it is.
 */
bool ft_tcp_window_plain(struct ft_tcp *tcp, enum ft_dir dir, u32 seq, u32 len, u32 ack, u16 win)
{
	const struct ft_tcp_seg seg = {
		.seq = seq,
		.end = seq + len,
		.ack = ack,
		.sack = ack,
		.win = win,
		.kind = FT_TCP_KIND_ACK,
		.has_ack = true,
	};

	if (!tcp->maxwin[0] || !tcp->maxwin[1] || judge(tcp, dir, &seg) != FT_TCP_FIT)
		return false;
	window_advance(tcp, dir, &seg);
	count_repeats(tcp, dir, &seg);
	return true;
}

/**
 * ft_tcp_window_has_sent() - may a side have sent a segment not long ago?
 * @tcp: state of the flow
 * @dir: the side
 * @seq: sequence number of the segment, of which no more is known
 *
 * RFC 5927 4.1 wants it to be unacknowledged. An ICMP error may be slower than
 * the acknowledgment of a later copy, so a window more is granted.
 *
 * Context: the flow's lock.
 * Return: true if so, or if windows are not reliable.
 */
bool ft_tcp_window_has_sent(const struct ft_tcp *tcp, enum ft_dir dir, u32 seq)
{
	u32 lag = max(tcp->maxwin[!dir], ACK_LAG_MIN);

	if ((tcp->flags[0] | tcp->flags[1]) & BE_LIBERAL ||
	    tcp->last_flags & FT_TCP_LAST_SLIPPED)
		return true;
	/* One side unknown has sent nothing; two were entered by hand. */
	if (!tcp->maxwin[dir])
		return !tcp->maxwin[!dir];
	/* A SYN that was let through, but belongs to no window. */
	if (tcp->last_dir == dir && tcp->last_seq == seq)
		return true;
	return !before(seq, tcp->end[dir] - lag) && !after(seq, tcp->end[dir]);
}
