/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Segments, and the windows that they have to lie in. Pure arithmetic: knows
 * neither packets nor settings.
 */
#ifndef _FT_PROTO_TCP_WINDOW_H
#define _FT_PROTO_TCP_WINDOW_H

#include <linux/nf_flowtrack.h>
#include <linux/types.h>

#include "flow/flow.h"

/**
 * enum ft_tcp_kind - what a segment is, the first that applies
 * @FT_TCP_KIND_NONE: none of the below: not valid; in a flow: none seen yet
 * @FT_TCP_KIND_RST: RST, whatever else
 * @FT_TCP_KIND_SYN: SYN
 * @FT_TCP_KIND_SYN_ACK: SYN with ACK
 * @FT_TCP_KIND_FIN: FIN
 * @FT_TCP_KIND_ACK: ACK
 * @FT_TCP_KINDS: how many there are
 */
enum ft_tcp_kind {
	FT_TCP_KIND_NONE,
	FT_TCP_KIND_RST,
	FT_TCP_KIND_SYN,
	FT_TCP_KIND_SYN_ACK,
	FT_TCP_KIND_FIN,
	FT_TCP_KIND_ACK,
	FT_TCP_KINDS
};

/**
 * struct ft_tcp_seg - a segment: header and options in host byte order
 * @seq: sequence number
 * @end: sequence number after its last octet; SYN and FIN count as one each
 * @ack: acknowledgment number, as it is in the header
 * @sack: right edge of the highest SACK block, or @ack
 * @win: window, unscaled
 * @kind: enum ft_tcp_kind
 * @scale: window scale that it offers, 0 to 14
 * @offers: FLOWTRACK_TCP_FLAGS_WINDOW_SCALE and _SACK_PERM if it offers them
 * @has_syn: SYN is set
 * @has_ack: ACK is set: @ack means something
 * @has_options: there are options, whatever they are
 */
struct ft_tcp_seg {
	u32 seq;
	u32 end;
	u32 ack;
	u32 sack;
	u16 win;
	u8 kind;
	u8 scale;
	u8 offers;
	bool has_syn;
	bool has_ack;
	bool has_options;
};

/**
 * enum ft_tcp_fit - how a segment lies in the windows
 * @FT_TCP_FIT: it fits; the windows have moved on
 * @FT_TCP_OVERSHOT: more data than the receiver's window has room for
 * @FT_TCP_SEQ_OVER: beyond the receiver's window
 * @FT_TCP_SEQ_UNDER: long since acknowledged
 * @FT_TCP_ACK_OVER: acknowledges what has not been sent
 * @FT_TCP_ACK_UNDER: acknowledgment of long ago
 */
enum ft_tcp_fit {
	FT_TCP_FIT,
	FT_TCP_OVERSHOT,
	FT_TCP_SEQ_OVER,
	FT_TCP_SEQ_UNDER,
	FT_TCP_ACK_OVER,
	FT_TCP_ACK_UNDER,
};

/*
 * Not of enum flowtrack_tcp_flags, but next to them in ft_tcp.last_flags: a
 * segment passed only because windows are not enforced, so they may be off.
 */
#define FT_TCP_LAST_SLIPPED	FLOWTRACK_TCP_FLAGS_BE_LIBERAL

void ft_tcp_window_open(struct ft_tcp *tcp, enum ft_dir dir,
			const struct ft_tcp_seg *seg);
void ft_tcp_window_pick_up(struct ft_tcp *tcp, enum ft_dir dir,
			   const struct ft_tcp_seg *seg);
void ft_tcp_window_forget(struct ft_tcp *tcp, enum ft_dir dir);
enum ft_tcp_fit ft_tcp_window(struct ft_tcp *tcp, u8 state, enum ft_dir dir,
			      const struct ft_tcp_seg *seg, bool liberal);
bool ft_tcp_window_plain(struct ft_tcp *tcp, enum ft_dir dir, u32 seq, u32 len, u32 ack, u16 win);
bool ft_tcp_window_has_sent(const struct ft_tcp *tcp, enum ft_dir dir, u32 seq);

#endif /* _FT_PROTO_TCP_WINDOW_H */
