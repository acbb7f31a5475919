// SPDX-License-Identifier: GPL-2.0
/*
 * Scripted connections, and each cell of the state table against the same
 * said in another way. Every packet meets the real nf_conntrack, too.
 */
#include "ft_packet.h"
#include "ft_tcp_duo.h"

#define ST_SS	FLOWTRACK_TCP_STATE_SYN_SENT
#define ST_SR	FLOWTRACK_TCP_STATE_SYN_RECV
#define ST_ES	FLOWTRACK_TCP_STATE_ESTABLISHED
#define ST_FW	FLOWTRACK_TCP_STATE_FIN_WAIT
#define ST_CW	FLOWTRACK_TCP_STATE_CLOSE_WAIT
#define ST_LA	FLOWTRACK_TCP_STATE_LAST_ACK
#define ST_TW	FLOWTRACK_TCP_STATE_TIME_WAIT
#define ST_CL	FLOWTRACK_TCP_STATE_CLOSE
#define ST_S2	FLOWTRACK_TCP_STATE_SYN_SENT2

#define F_FIN	TCPHDR_FIN
#define F_SYN	TCPHDR_SYN
#define F_RST	TCPHDR_RST
#define F_PSH	TCPHDR_PSH
#define F_ACK	TCPHDR_ACK
#define F_URG	TCPHDR_URG

/* What is expected after a packet, besides the outcome. */
#define ASSURED		BIT(0)
#define T_RETRANS	BIT(1)	/* timeout max_retrans */
#define T_UNACKED	BIT(2)	/* timeout unacknowledged */
#define LIMITED		BIT(3)	/* INVALID, and what is left is cut */
/* What a packet has. */
#define RAW_SEQ		BIT(4)	/* the number is not relative */
#define NO_WIN		BIT(5)	/* a window of zero, not the usual one */
/* The timeout depends on the numbers: nf_conntrack is right. */
#define T_ANY		BIT(6)

#define WIN	1000

/* Options by name. */
enum opts { NONE, SCALE2, SCALE3, SCALE_SACK, SCALE_BAD, SACK, STAMP, TORN };

static const struct {
	u8 len;
	u8 b[12];
} opts[] = {
	[NONE] = { 0 },
	[SCALE2] = { 4, { 1, 3, 3, 2 } },
	[SCALE3] = { 3, { 3, 3, 3 } },
	[SCALE_SACK] = { 8, { 4, 2, 1, 3, 3, 7, 0, 0 } },
	[SCALE_BAD] = { 3, { 3, 3, 255 } },
	[SACK] = { 12, { 1, 1, 5, 10 } },	/* the block is filled in */
	[STAMP] = { 12, { 1, 1, 8, 10, 9, 9, 9, 9, 9, 9, 9, 9 } },
	[TORN] = { 8, { 1, 5, 1, 3, 3, 7, 3, 0 } },
};

/*
 * One packet. Sequence numbers count from the sender's first, acknowledgments
 * from that of the other side: every script runs with several of those.
 */
struct line {
	u8 side;
	u8 flags;
	s32 seq;
	s32 ack;
	u16 len;
	struct {
		u8 outcome;
		u8 state;
		enum ft_invalid reason;
	} want;
	u8 extra;
	enum opts opts;
	s32 sack[2];
};

#define A	0
#define B	1
#define OPENS(s)	{ FT_TCP_OPENS, s, 0 }
#define GOES(s)		{ FT_TCP_ACCEPTS, s, 0 }
#define STAYS(s)	{ FT_TCP_KEEPS, s, 0 }
#define ENDS		{ FT_TCP_ENDS, 0, 0 }
#define BAD(s, why)	{ FT_TCP_INVALID, s, FT_INVALID_TCP_##why }

/* A handshake, up to the packet that makes the flow assured. */
static const struct line handshake[] = {
	{ A, F_SYN, 0, 0, 0, OPENS(ST_SS) },
	{ B, F_SYN | F_ACK, 0, 1, 0, GOES(ST_SR) },
	{ A, F_ACK, 1, 1, 0, GOES(ST_ES), ASSURED },
};

#define LINES_MAX	16

/* A connection: after a handshake, or from the very beginning. */
enum from { OPENED, SCRATCH };

struct script {
	const char *name;
	struct {
		unsigned int attr;
		u32 value;
	} set;
	enum from from;
	struct line lines[LINES_MAX];
};

#define LOOSE(v)	{ FLOWTRACK_A_SETTINGS_TCP_LOOSE, v }
#define LIBERAL		{ FLOWTRACK_A_SETTINGS_TCP_BE_LIBERAL, 1 }
#define IGNORE_RST	{ FLOWTRACK_A_SETTINGS_TCP_IGNORE_INVALID_RST, 1 }
#define RETRANS(v)	{ FLOWTRACK_A_SETTINGS_TCP_MAX_RETRANS, v }

static const struct script scripts[] = {
	{ "open, talk, close", {}, OPENED, {
		{ A, F_ACK | F_PSH, 1, 1, 100, GOES(ST_ES), ASSURED | T_UNACKED },
		{ B, F_ACK, 1, 101, 0, GOES(ST_ES), ASSURED },
		{ B, F_ACK | F_PSH, 1, 101, 500, GOES(ST_ES), ASSURED | T_UNACKED },
		{ A, F_ACK, 101, 501, 0, GOES(ST_ES), ASSURED },
		{ A, F_FIN | F_ACK, 101, 501, 0, GOES(ST_FW), ASSURED },
		{ B, F_ACK, 501, 102, 0, GOES(ST_CW), ASSURED },
		{ B, F_FIN | F_ACK, 501, 102, 0, GOES(ST_LA), ASSURED },
		{ A, F_ACK, 102, 502, 0, GOES(ST_TW), ASSURED },
		/* The FIN again, and its ACK. */
		{ B, F_FIN | F_ACK, 501, 102, 0, GOES(ST_TW), ASSURED },
		{ A, F_ACK, 102, 502, 0, GOES(ST_TW), ASSURED },
	} },
	{ "the responder closes, FIN and ACK in one", {}, OPENED, {
		{ B, F_FIN | F_ACK, 1, 1, 10, GOES(ST_FW), ASSURED },
		{ A, F_FIN | F_ACK, 1, 12, 0, GOES(ST_LA), ASSURED },
		{ B, F_ACK, 12, 2, 0, GOES(ST_TW), ASSURED },
		/* The next connection, from the other host. */
		{ B, F_SYN, 5000, 0, 0, OPENS(ST_SS) },
		{ A, F_SYN | F_ACK, 7000, 5001, 0, GOES(ST_SR) },
	} },
	{ "both close at once", {}, OPENED, {
		{ A, F_FIN | F_ACK, 1, 1, 0, GOES(ST_FW), ASSURED },
		{ B, F_FIN | F_ACK, 1, 1, 0, GOES(ST_LA), ASSURED },
		{ A, F_ACK, 2, 2, 0, GOES(ST_TW), ASSURED },
		{ B, F_ACK, 2, 2, 0, GOES(ST_TW), ASSURED },
	} },
	{ "both open at once", {}, SCRATCH, {
		{ A, F_SYN, 0, 0, 0, OPENS(ST_SS) },
		/* As nf_conntrack: the deadline stays with the first SYN. */
		{ B, F_SYN, 0, 0, 0, STAYS(ST_S2) },
		{ B, F_SYN, 0, 0, 0, GOES(ST_S2) },
		{ A, F_SYN, 0, 0, 0, GOES(ST_S2) },
		{ A, F_SYN | F_ACK, 0, 1, 0, GOES(ST_SR) },
		{ A, F_SYN | F_ACK, 0, 1, 0, GOES(ST_SR) },
		{ B, F_SYN | F_ACK, 0, 1, 0, STAYS(ST_SR) },
		{ B, F_ACK, 1, 1, 0, GOES(ST_ES), ASSURED },
		{ A, F_ACK, 1, 1, 0, GOES(ST_ES), ASSURED },
	} },
	{ "SYN repeated", {}, SCRATCH, {
		{ A, F_SYN, 0, 0, 0, OPENS(ST_SS) },
		{ A, F_SYN, 0, 0, 0, STAYS(ST_SS) },
		/* With a new number it begins anew. */
		{ A, F_SYN, 70000, 0, 0, STAYS(ST_SS) },
		{ B, F_SYN | F_ACK, 0, 1, 0, STAYS(ST_SS) },
		/* The deadline moves once there was an answer. */
		{ A, F_SYN, 70000, 0, 0, GOES(ST_SS) },
		{ B, F_SYN | F_ACK, 0, 70001, 0, GOES(ST_SR) },
		{ B, F_SYN | F_ACK, 0, 70001, 0, STAYS(ST_SR) },
		{ A, F_ACK, 70001, 1, 0, GOES(ST_ES), ASSURED },
		{ B, F_SYN | F_ACK, 0, 70001, 0, STAYS(ST_ES), ASSURED },
	} },
	{ "refused", {}, SCRATCH, {
		{ A, F_SYN, 0, 0, 0, OPENS(ST_SS) },
		{ B, F_RST | F_ACK, 0, 1, 0, ENDS, RAW_SEQ },
		{ A, F_SYN, 0, 0, 0, OPENS(ST_SS) },
		/* Not an answer to that SYN. */
		{ B, F_RST | F_ACK, 0, 700, 0, BAD(ST_SS, ACK_OVER), RAW_SEQ },
		/* Given up by the host that asked. */
		{ A, F_RST, 1, 0, 0, ENDS },
	} },
	{ "the other side knows an old connection", {}, SCRATCH, {
		{ A, F_SYN, 0, 0, 0, OPENS(ST_SS) },
		{ B, F_ACK, 3000, 9000, 0, STAYS(ST_SS) },
		{ A, F_RST, 9000, 0, 0, GOES(ST_CL) },
		{ A, F_SYN, 0, 0, 0, OPENS(ST_SS) },
		{ B, F_SYN | F_ACK, 0, 1, 0, GOES(ST_SR) },
	} },
	{ "what does not open", {}, SCRATCH, {
		{ A, F_SYN | F_ACK, 0, 1, 0, BAD(0, MIDSTREAM) },
		{ A, F_FIN | F_ACK, 0, 1, 0, BAD(0, MIDSTREAM) },
		{ A, F_RST, 0, 1, 0, BAD(0, MIDSTREAM) },
		{ A, F_SYN | F_FIN, 0, 0, 0, BAD(0, FLAGS) },
		{ A, F_SYN, 0, 0, 0, OPENS(ST_SS) },
		{ A, F_SYN | F_ACK, 1, 1, 0, BAD(ST_SS, STATE) },
		{ A, F_ACK, 1, 1, 0, BAD(ST_SS, STATE) },
		{ A, F_FIN | F_ACK, 1, 1, 0, BAD(ST_SS, STATE) },
		{ B, F_FIN | F_ACK, 1, 1, 0, BAD(ST_SS, STATE) },
		{ B, 0, 1, 1, 0, BAD(ST_SS, FLAGS) },
	} },
	{ "picked up", LOOSE(1), SCRATCH, {
		{ A, F_ACK, 5000, 9000, 100, OPENS(ST_ES), T_ANY },
		{ A, F_ACK, 5100, 9000, 100, GOES(ST_ES), T_ANY },
		{ B, F_ACK, 9000, 5200, 0, GOES(ST_ES), T_ANY },
		/* The window scale is not known: nothing is out of window. */
		{ B, F_ACK, 99000, 5200, 1000, GOES(ST_ES), ASSURED | T_ANY },
		{ A, F_ACK, 5200, 100000, 0, GOES(ST_ES), ASSURED | T_ANY },
	} },
	{ "picked up, and refused", LOOSE(1), SCRATCH, {
		{ A, F_ACK, 5000, 9000, 100, OPENS(ST_ES), T_ANY },
		{ B, F_RST, 9000, 0, 0, ENDS },
	} },
	{ "not picked up", LOOSE(0), SCRATCH, {
		{ A, F_ACK, 5000, 9000, 100, BAD(0, MIDSTREAM) },
		{ A, F_SYN, 0, 0, 0, OPENS(ST_SS) },
	} },
	{ "beyond the window", {}, OPENED, {
		{ A, F_ACK, 1002, 1, 1000, BAD(ST_ES, SEQ_OVER), ASSURED },
		{ B, F_ACK, 1002, 1, 1000, BAD(ST_ES, SEQ_OVER), ASSURED },
		{ B, F_ACK, 900000, 1, 1, BAD(ST_ES, SEQ_OVER), ASSURED },
		/* Up to the edge is fine. */
		{ A, F_ACK, 1, 1, 1000, GOES(ST_ES), ASSURED | T_UNACKED },
		{ B, F_ACK, 1, 1001, 1000, GOES(ST_ES), ASSURED | T_UNACKED },
		{ A, F_ACK, 1001, 1001, 0, GOES(ST_ES), ASSURED },
	} },
	{ "more than there is room for", {}, OPENED, {
		{ A, F_ACK, 1002, 1, 998, STAYS(ST_ES), ASSURED },
		{ A, F_ACK, 1002, 1, 999, BAD(ST_ES, SEQ_OVER), ASSURED },
		{ A, F_ACK, 1001, 2, 998, BAD(ST_ES, ACK_OVER), ASSURED },
		/* If the other side took it, so do we. */
		{ B, F_ACK, 1, 2000, 0, GOES(ST_ES), ASSURED },
	} },
	{ "before the window", {}, OPENED, {
		{ A, F_ACK, 1, 1, 1000, GOES(ST_ES), ASSURED | T_UNACKED },
		{ B, F_ACK, 1, 1001, 0, GOES(ST_ES), ASSURED },
		{ A, F_ACK, 1001, 1, 1000, GOES(ST_ES), ASSURED | T_UNACKED },
		{ B, F_ACK, 1, 2001, 0, GOES(ST_ES), ASSURED },
		/* The first one, of which the last octet is in the window. */
		{ A, F_ACK, 1, 1, 1000, GOES(ST_ES), ASSURED },
		{ A, F_ACK, 1, 1, 999, STAYS(ST_ES), ASSURED },
		{ A, F_ACK, -9000, 1, 0, STAYS(ST_ES), ASSURED },
	} },
	{ "acknowledgments", {}, OPENED, {
		{ A, F_ACK, 1, 2, 0, BAD(ST_ES, ACK_OVER), ASSURED },
		{ B, F_ACK, 1, 2, 0, BAD(ST_ES, ACK_OVER), ASSURED },
		{ B, F_ACK, 1, 1, 500, GOES(ST_ES), ASSURED | T_UNACKED },
		{ A, F_ACK, 1, 502, 0, BAD(ST_ES, ACK_OVER), ASSURED },
		{ A, F_ACK, 1, 501 - 66000, 0, GOES(ST_ES), ASSURED | T_UNACKED },
		{ A, F_ACK, 1, 500 - 66000, 0, STAYS(ST_ES), ASSURED },
		{ A, F_ACK, 1, 501, 0, GOES(ST_ES), ASSURED },
	} },
	{ "windows are not enforced", LIBERAL, OPENED, {
		{ A, F_ACK, 70000, 1, 1, GOES(ST_ES), ASSURED },
		{ B, F_ACK, -70000, 500000, 1, GOES(ST_ES), ASSURED },
		{ A, F_FIN | F_ACK, 70001, 2, 1, GOES(ST_FW), ASSURED },
		{ B, F_RST, 70001, 0, 0, GOES(ST_CL), ASSURED },
	} },
	{ "liberal, but not with a RST", LIBERAL, OPENED, {
		{ B, F_ACK, 1, 1, 500, GOES(ST_ES), ASSURED | T_UNACKED },
		{ A, F_ACK, 1, 501, 0, GOES(ST_ES), ASSURED },
		{ B, F_RST, 500, 0, 0, BAD(ST_ES, RST), ASSURED },
		{ B, F_RST, 501, 0, 0, GOES(ST_CL), ASSURED },
	} },
	{ "retransmission", {}, OPENED, {
		{ A, F_ACK, 1, 1, 100, GOES(ST_ES), ASSURED | T_UNACKED },
		{ A, F_ACK, 1, 1, 100, GOES(ST_ES), ASSURED | T_UNACKED },
		{ A, F_ACK, 1, 1, 100, GOES(ST_ES), ASSURED | T_UNACKED },
		{ A, F_ACK, 1, 1, 100, GOES(ST_ES), ASSURED | T_RETRANS },
		{ A, F_ACK, 1, 1, 100, GOES(ST_ES), ASSURED | T_RETRANS },
		{ B, F_ACK, 1, 101, 0, GOES(ST_ES), ASSURED },
	} },
	{ "retransmission, none allowed", RETRANS(1), OPENED, {
		{ A, F_ACK, 1, 1, 100, GOES(ST_ES), ASSURED | T_UNACKED },
		{ A, F_ACK, 1, 1, 100, GOES(ST_ES), ASSURED | T_RETRANS },
	} },
	{ "keepalive", {}, OPENED, {
		{ A, F_ACK, 0, 1, 0, GOES(ST_ES), ASSURED },
		{ B, F_ACK, 1, 1, 0, GOES(ST_ES), ASSURED },
		{ A, F_ACK, 0, 1, 1, GOES(ST_ES), ASSURED },
		{ B, F_ACK, 1, 1, 0, GOES(ST_ES), ASSURED },
	} },
	{ "closed window, and probes", {}, OPENED, {
		{ A, F_ACK, 1, 1, 1000, GOES(ST_ES), ASSURED | T_UNACKED },
		{ B, F_ACK, 1, 1001, 0, GOES(ST_ES), ASSURED | T_RETRANS | NO_WIN },
		/* One octet to probe it. */
		{ A, F_ACK, 1001, 1, 1, GOES(ST_ES), ASSURED | T_UNACKED },
		{ B, F_ACK, 1, 1001, 0, GOES(ST_ES), ASSURED | T_UNACKED | NO_WIN },
		{ A, F_ACK, 1001, 1, 1, GOES(ST_ES), ASSURED | T_UNACKED },
		{ B, F_ACK, 1, 1002, 0, GOES(ST_ES), ASSURED },
	} },
	{ "window scale of both", {}, SCRATCH, {
		{ A, F_SYN, 0, 0, 0, OPENS(ST_SS), .opts = SCALE2 },
		{ B, F_SYN | F_ACK, 0, 1, 0, GOES(ST_SR), .opts = SCALE3 },
		/* That of a SYN counts as it is. */
		{ A, F_ACK, 1002, 1, 1000, BAD(ST_SR, SEQ_OVER) },
		{ A, F_ACK, 1, 1, 0, GOES(ST_ES), ASSURED },
		{ B, F_ACK, 4002, 1, 4000, BAD(ST_ES, SEQ_OVER), ASSURED },
		{ B, F_ACK, 4001, 1, 1, GOES(ST_ES), ASSURED | T_UNACKED },
		{ A, F_ACK, 8002, 4002, 8000, BAD(ST_ES, SEQ_OVER), ASSURED },
		{ A, F_ACK, 8001, 4002, 1, GOES(ST_ES), ASSURED | T_UNACKED },
	} },
	{ "window scale of one", {}, SCRATCH, {
		{ A, F_SYN, 0, 0, 0, OPENS(ST_SS), .opts = SCALE_SACK },
		{ B, F_SYN | F_ACK, 0, 1, 0, GOES(ST_SR), .opts = STAMP },
		{ A, F_ACK, 1, 1, 0, GOES(ST_ES), ASSURED },
		{ B, F_ACK, 1002, 1, 1000, BAD(ST_ES, SEQ_OVER), ASSURED },
		{ B, F_ACK, 1001, 1, 1, GOES(ST_ES), ASSURED | T_UNACKED },
	} },
	{ "window scale beyond 14", {}, SCRATCH, {
		{ A, F_SYN, 0, 0, 0, OPENS(ST_SS), .opts = SCALE_BAD },
		{ B, F_SYN | F_ACK, 0, 1, 0, GOES(ST_SR), .opts = SCALE_BAD },
		{ A, F_ACK, 1, 1, 0, GOES(ST_ES), ASSURED },
		{ B, F_ACK, 1 + (1000 << 14), 1, 1, GOES(ST_ES), ASSURED | T_UNACKED },
	} },
	{ "options cut off, options without sense", {}, SCRATCH, {
		{ A, F_SYN, 0, 0, 0, OPENS(ST_SS), .opts = TORN },
		{ B, F_SYN | F_ACK, 0, 1, 0, GOES(ST_SR), .opts = TORN },
		{ A, F_ACK, 1, 1, 0, GOES(ST_ES), ASSURED, .opts = TORN },
		{ B, F_ACK, 1002, 1, 1000, BAD(ST_ES, SEQ_OVER), ASSURED },
	} },
	{ "selective acknowledgments", {}, SCRATCH, {
		{ A, F_SYN, 0, 0, 0, OPENS(ST_SS), .opts = SCALE_SACK },
		{ B, F_SYN | F_ACK, 0, 1, 0, GOES(ST_SR), .opts = SCALE_SACK },
		{ A, F_ACK, 1, 1, 0, GOES(ST_ES), ASSURED },
		{ A, F_ACK, 1, 1, 100, GOES(ST_ES), ASSURED | T_UNACKED },
		{ A, F_ACK, 101, 1, 100, GOES(ST_ES), ASSURED | T_UNACKED },
		{ B, F_ACK, 1, 1, 0, GOES(ST_ES), ASSURED | T_UNACKED,
		  .opts = SACK, .sack = { 101, 201 } },
		/* Never sent. */
		{ B, F_ACK, 1, 1, 0, BAD(ST_ES, ACK_OVER), ASSURED,
		  .opts = SACK, .sack = { 101, 202 } },
		{ A, F_ACK, 1, 1, 100, GOES(ST_ES), ASSURED | T_UNACKED },
		{ B, F_ACK, 1, 201, 0, GOES(ST_ES), ASSURED },
	} },
	{ "selective acknowledgments not agreed on", {}, OPENED, {
		{ A, F_ACK, 1, 1, 100, GOES(ST_ES), ASSURED | T_UNACKED },
		{ B, F_ACK, 1, 1, 0, GOES(ST_ES), ASSURED | T_UNACKED,
		  .opts = SACK, .sack = { 101, 900 } },
	} },
	{ "RST", {}, OPENED, {
		{ A, F_ACK, 1, 1, 100, GOES(ST_ES), ASSURED | T_UNACKED },
		{ B, F_ACK, 1, 101, 0, GOES(ST_ES), ASSURED },
		/* In the window, but not exact: may be forged. */
		{ B, F_RST, 2, 0, 0, GOES(ST_ES), ASSURED | T_UNACKED },
		{ B, F_RST, 0, 0, 0, BAD(ST_ES, RST), ASSURED },
		{ A, F_RST, 100, 0, 0, BAD(ST_ES, RST), ASSURED },
		{ B, F_RST, 80000, 0, 0, BAD(ST_ES, SEQ_OVER), ASSURED },
		/* The challenge ACK, and the RST that it asked for. */
		{ A, F_ACK, 101, 1, 0, GOES(ST_ES), ASSURED | T_UNACKED },
		{ B, F_RST, 1, 0, 0, GOES(ST_CL), ASSURED },
		{ B, F_RST, 5, 0, 0, GOES(ST_CL), ASSURED },
		{ A, F_ACK, 101, 1, 0, GOES(ST_CL), ASSURED },
	} },
	{ "RST of any number", IGNORE_RST, OPENED, {
		{ A, F_ACK, 1, 1, 100, GOES(ST_ES), ASSURED | T_UNACKED },
		{ B, F_ACK, 1, 101, 0, GOES(ST_ES), ASSURED },
		{ A, F_RST, 50, 0, 0, GOES(ST_ES), ASSURED | T_UNACKED },
		{ A, F_RST, 80000, 0, 0, BAD(ST_ES, SEQ_OVER), ASSURED },
	} },
	{ "RST right after data", {}, OPENED, {
		{ B, F_ACK, 1, 1, 100, GOES(ST_ES), ASSURED | T_UNACKED },
		{ B, F_RST, 101, 0, 0, GOES(ST_CL), ASSURED },
		/* Only an aborted connection may begin again. */
		{ A, F_SYN, 5000, 0, 0, STAYS(ST_CL), ASSURED },
	} },
	{ "RST, then the next connection", {}, OPENED, {
		{ A, F_RST, 1, 0, 0, GOES(ST_CL), ASSURED },
		{ A, F_SYN, 0, 0, 0, OPENS(ST_SS) },
	} },
	{ "RST without ACK field, in a handshake", {}, SCRATCH, {
		{ A, F_SYN, 0, 0, 0, OPENS(ST_SS) },
		{ B, F_SYN | F_ACK, 0, 1, 0, GOES(ST_SR) },
		{ A, F_RST, 1, 0, 0, GOES(ST_CL) },
	} },
	{ "both end out of window", {}, OPENED, {
		{ A, F_FIN | F_ACK, 70000, 1, 0, BAD(ST_ES, SEQ_OVER), ASSURED },
		{ A, F_FIN | F_ACK, 70000, 1, 0, BAD(ST_ES, SEQ_OVER), ASSURED },
		{ B, F_FIN | F_ACK, 1, 70001, 0, BAD(ST_ES, ACK_OVER),
		  ASSURED | LIMITED },
		{ B, F_ACK, 1, 70001, 0, BAD(ST_ES, ACK_OVER), ASSURED },
	} },
	{ "TIME_WAIT, and again", {}, OPENED, {
		{ A, F_FIN | F_ACK, 1, 1, 0, GOES(ST_FW), ASSURED },
		{ B, F_FIN | F_ACK, 1, 2, 0, GOES(ST_LA), ASSURED },
		{ A, F_ACK, 2, 2, 0, GOES(ST_TW), ASSURED },
		{ B, F_SYN | F_ACK, 0, 1, 0, STAYS(ST_TW), ASSURED },
		{ A, F_SYN, 90000, 0, 0, OPENS(ST_SS) },
		{ B, F_SYN | F_ACK, 90000, 90001, 0, GOES(ST_SR) },
		{ A, F_ACK, 90001, 90001, 0, GOES(ST_ES), ASSURED },
	} },
	{ "SYN in a connection: both know better", {}, OPENED, {
		{ A, F_SYN, 90000, 0, 0, STAYS(ST_ES), ASSURED, .opts = SCALE2 },
		{ B, F_SYN | F_ACK, 50000, 90002, 0, STAYS(ST_ES), ASSURED },
		{ A, F_SYN, 90000, 0, 0, STAYS(ST_ES), ASSURED, .opts = SCALE2 },
		{ B, F_SYN | F_ACK, 50000, 90001, 0, GOES(ST_SR), ASSURED,
		  .opts = SCALE3 },
		{ A, F_ACK, 90001, 50001, 0, GOES(ST_ES), ASSURED },
		{ B, F_ACK, 54002, 90001, 4000, BAD(ST_ES, SEQ_OVER), ASSURED },
	} },
	{ "SYN in a connection: challenged", {}, OPENED, {
		{ A, F_SYN, 90000, 0, 0, STAYS(ST_ES), ASSURED },
		{ B, F_ACK, 1, 1, 0, GOES(ST_ES), ASSURED },
		{ A, F_RST, 1, 0, 0, GOES(ST_CL), ASSURED },
		{ A, F_SYN, 90000, 0, 0, OPENS(ST_SS) },
	} },
	{ "SYN in a connection: refused", {}, OPENED, {
		{ A, F_SYN, 90000, 0, 0, STAYS(ST_ES), ASSURED },
		{ B, F_RST | F_ACK, 70000, 90001, 0, GOES(ST_CL), ASSURED },
	} },
	{ "SYN in LAST_ACK: the challenge ACK is not the last one", {}, OPENED, {
		{ A, F_FIN | F_ACK, 1, 1, 0, GOES(ST_FW), ASSURED },
		{ B, F_FIN | F_ACK, 1, 2, 0, GOES(ST_LA), ASSURED },
		{ A, F_SYN, 90000, 0, 0, STAYS(ST_LA), ASSURED },
		{ B, F_ACK, 2, 2, 0, STAYS(ST_LA), ASSURED },
		{ B, F_ACK, 2, 2, 0, GOES(ST_TW), ASSURED },
	} },
	{ "data in the SYN", {}, SCRATCH, {
		{ A, F_SYN, 0, 0, 300, OPENS(ST_SS) },
		{ B, F_SYN | F_ACK, 0, 301, 0, GOES(ST_SR) },
		{ B, F_ACK, 1, 301, 100, GOES(ST_SR) },
		{ A, F_ACK, 301, 101, 0, GOES(ST_ES), ASSURED },
	} },
	{ "FIN before the handshake is over", {}, SCRATCH, {
		{ A, F_SYN, 0, 0, 0, OPENS(ST_SS) },
		{ B, F_SYN | F_ACK, 0, 1, 0, GOES(ST_SR) },
		{ A, F_FIN | F_ACK, 1, 1, 20, GOES(ST_FW) },
		{ B, F_ACK, 1, 22, 0, GOES(ST_CW) },
		{ B, F_FIN | F_ACK, 1, 22, 0, GOES(ST_LA) },
		{ A, F_ACK, 22, 2, 0, GOES(ST_TW) },
	} },
	{ "any flags that may be there", {}, SCRATCH, {
		{ A, F_SYN | TCPHDR_ECE | TCPHDR_CWR, 0, 0, 0, OPENS(ST_SS) },
		{ B, F_SYN | F_ACK | TCPHDR_ECE, 0, 1, 0, GOES(ST_SR) },
		{ A, F_ACK | F_PSH | F_URG, 1, 1, 0, GOES(ST_ES), ASSURED },
		{ A, F_ACK | F_SYN | F_URG, 1, 1, 0, BAD(ST_ES, FLAGS), ASSURED },
		{ A, F_URG, 1, 1, 0, BAD(ST_ES, FLAGS), ASSURED },
		{ A, F_FIN, 1, 1, 0, BAD(ST_ES, FLAGS), ASSURED },
		{ A, F_FIN | F_ACK | F_URG, 1, 1, 0, GOES(ST_FW), ASSURED },
	} },
};

static u32 timeout_of(const struct ft_settings *set, const struct line *l)
{
	if (l->extra & T_RETRANS)
		return ft_timeout(set, TCP_TIMEOUT_MAX_RETRANS);
	if (l->extra & T_UNACKED)
		return ft_timeout(set, TCP_TIMEOUT_UNACKNOWLEDGED);
	return ft_tcp_timeout((u32)l->want.state << 8, set);
}

static void play_line(struct ft_tcp_duo *d, const struct script *s,
		      const struct line *l, int at, const u32 *first)
{
	u32 unacked = ft_timeout(&d->set, TCP_TIMEOUT_UNACKNOWLEDGED);
	struct ft_tcp_sent p = {
		.side = l->side,
		.flags = l->flags,
		.seq = l->seq,
		.ack = l->ack,
		.len = l->len,
		.win = l->extra & NO_WIN ? 0 : WIN,
		.opts_len = opts[l->opts].len,
	};
	struct kunit *test = d->test;
	const char *differs;
	__be32 edge;
	int i;

	if (!(l->extra & RAW_SEQ))
		p.seq += first[l->side];
	if (l->flags & F_ACK)
		p.ack += first[!l->side];
	memcpy(p.opts, opts[l->opts].b, sizeof(opts[l->opts].b));
	for (i = 0; l->opts == SACK && i < 2; i++) {
		edge = htonl(l->sack[i] + first[!l->side]);
		memcpy(p.opts + 4 + 4 * i, &edge, sizeof(edge));
	}

	differs = ft_tcp_duo_feed(d, &p);
	KUNIT_EXPECT_TRUE_MSG(test, !differs, "%s, %d: nf_conntrack: %s",
			      s->name, at, differs);
	KUNIT_EXPECT_EQ_MSG(test, d->outcome, l->want.outcome,
			    "%s, %d: reason %d", s->name, at, d->step.reason);
	if (l->want.outcome == FT_TCP_INVALID)
		KUNIT_EXPECT_EQ_MSG(test, d->step.reason, l->want.reason,
				    "%s, %d", s->name, at);
	KUNIT_EXPECT_EQ_MSG(test, d->step.limit, l->extra & LIMITED ?
			    unacked : 0, "%s, %d", s->name, at);
	if (!d->open)
		return;
	KUNIT_EXPECT_EQ_MSG(test, ft_word_state(d->word), l->want.state,
			    "%s, %d", s->name, at);
	KUNIT_EXPECT_EQ_MSG(test, !!(d->word & FT_FLOW_ASSURED),
			    !!(l->extra & ASSURED), "%s, %d", s->name, at);
	if (l->extra & T_ANY || (l->want.outcome != FT_TCP_OPENS &&
				 l->want.outcome != FT_TCP_ACCEPTS))
		return;
	KUNIT_EXPECT_EQ_MSG(test, d->step.timeout, timeout_of(&d->set, l),
			    "%s, %d", s->name, at);
}

static void play(struct ft_tcp_duo *d, const struct script *s, const u32 *first)
{
	unsigned int i;

	for (i = 0; s->from == OPENED && i < ARRAY_SIZE(handshake); i++)
		play_line(d, s, &handshake[i], -1, first);
	for (i = 0; i < LINES_MAX; i++)
		/* The rest is empty. */
		if (s->lines[i].flags || s->lines[i].want.reason)
			play_line(d, s, &s->lines[i], i, first);
	ft_tcp_duo_reset(d);
}

static void tcp_scripts(struct kunit *test)
{
	/* Where sequence numbers wrap, and where their differences do. */
	static const u32 first[][2] = {
		{ 1000000, 5000000 }, { -3, -500 }, { -1002, -1 },
		{ 0x7fffffff, 0x80000000 }, { 0x7ffffff0, -100 },
		{ 0xdeadbeef, 0x0badcafe },
	};
	struct ft_tcp_duo *d = ft_tcp_duo(test);
	const struct script *s;
	unsigned int i;

	for (s = scripts; s < scripts + ARRAY_SIZE(scripts); s++) {
		ft_tcp_duo_defaults(&d->set);
		if (s->set.attr)
			d->set.v[s->set.attr] = s->set.value;
		ft_tcp_duo_set(d);
		for (i = 0; i < ARRAY_SIZE(first); i++)
			play(d, s, first[i]);
	}
}

/*
 * The state table told as rules: what a host may send, given what was seen.
 * Numbers are good and nothing odd was noted. REOPENS: a new flow.
 */
#define REOPENS	100
#define KEPT	101
#define WRONG	102

static int rule(int state, bool initiator, int kind)
{
	bool opening = state == ST_SS || state == ST_S2;
	bool over = state == ST_TW || state == ST_CL;

	switch (kind) {
	case FT_TCP_KIND_RST:
		return ST_CL;
	case FT_TCP_KIND_SYN:
		if (initiator && state == ST_SS)
			return ST_SS;
		if (opening)
			return ST_S2;
		if (initiator)
			return over ? REOPENS : KEPT;
		return state == ST_TW ? REOPENS : WRONG;
	case FT_TCP_KIND_SYN_ACK:
		/* A host that asked does not answer, unless both did ask. */
		if (initiator)
			return state == ST_S2 || state == ST_SR ? ST_SR : WRONG;
		return opening ? ST_SR : KEPT;
	case FT_TCP_KIND_FIN:
		if (opening)
			return WRONG;
		if (state == ST_SR || state == ST_ES)
			return ST_FW;
		return over ? state : ST_LA;
	case FT_TCP_KIND_ACK:
		if (opening)
			return initiator ? WRONG : KEPT;
		if (state == ST_SR)
			return initiator ? ST_ES : ST_SR;
		if (state == ST_FW || state == ST_CW)
			return ST_CW;
		return state == ST_LA ? ST_TW : state;
	}
	return WRONG;
}

/* A flow in some state, both sides idle: 2000 sent by A, 3000 by B. */
static void idle(struct ft_tcp_duo *d, u8 state, u32 bits)
{
	struct ft_tcp *tcp = &d->state.tcp;

	memset(tcp, 0, sizeof(*tcp));
	tcp->end[0] = 2000;
	tcp->end[1] = 3000;
	tcp->maxend[0] = tcp->end[0] + WIN;
	tcp->maxend[1] = tcp->end[1] + WIN;
	tcp->maxwin[0] = WIN;
	tcp->maxwin[1] = WIN;
	tcp->maxack[0] = tcp->end[1];
	tcp->maxack[1] = tcp->end[0];
	tcp->flags[0] = FLOWTRACK_TCP_FLAGS_MAXACK_SET;
	tcp->flags[1] = FLOWTRACK_TCP_FLAGS_MAXACK_SET;
	tcp->last_win = WIN;
	d->opener = 0;
	d->word = (u32)state << 8 | bits;
	d->word |= (u32)ft_tcp_class(d->word) << 5;
}

/* Both know some flow; its state does not matter. */
static void open_some(struct ft_tcp_duo *d)
{
	const struct ft_tcp_sent syn = { .flags = F_SYN };

	/* Not one that the other side has opened since. */
	if (d->open && d->opener)
		ft_tcp_duo_reset(d);
	if (d->open)
		return;
	KUNIT_ASSERT_NULL(d->test, ft_tcp_duo_feed(d, &syn));
	KUNIT_ASSERT_TRUE(d->test, d->open);
}

static const u8 flags_of[FT_TCP_KINDS] = {
	[FT_TCP_KIND_RST] = F_RST,
	[FT_TCP_KIND_SYN] = F_SYN,
	[FT_TCP_KIND_SYN_ACK] = F_SYN | F_ACK,
	[FT_TCP_KIND_FIN] = F_FIN | F_ACK,
	[FT_TCP_KIND_ACK] = F_ACK,
};

static void tcp_cells(struct kunit *test)
{
	struct ft_tcp_duo *d = ft_tcp_duo(test);
	enum ft_tcp_outcome outcome;
	const char *differs;
	int state, side, kind, want;

	for (state = ST_SS; state <= ST_S2; state++) {
		for (side = 0; side < 2; side++) {
			for (kind = FT_TCP_KIND_RST; kind < FT_TCP_KINDS; kind++) {
				struct ft_tcp_sent p = {
					.side = side,
					.flags = flags_of[kind],
					.win = WIN,
				};

				open_some(d);
				idle(d, state, FT_FLOW_SEEN_REPLY);
				d->state.tcp.flags[0] |=
					FLOWTRACK_TCP_FLAGS_CLOSE_INIT;
				ft_tcp_duo_put(d);
				p.seq = d->state.tcp.end[side];
				p.ack = d->state.tcp.end[!side];
				differs = ft_tcp_duo_feed(d, &p);
				KUNIT_EXPECT_TRUE_MSG(test, !differs,
						      "%d %d %d: %s", state,
						      side, kind, differs);

				want = rule(state, side == 0, kind);
				outcome = FT_TCP_ACCEPTS;
				if (want == REOPENS) {
					outcome = FT_TCP_OPENS;
					want = ST_SS;
				} else if (want == KEPT) {
					outcome = FT_TCP_KEEPS;
					want = state;
				} else if (want == WRONG) {
					outcome = FT_TCP_INVALID;
					want = state;
				}
				KUNIT_EXPECT_EQ_MSG(test, d->outcome, outcome,
						    "%d %d %d", state, side, kind);
				KUNIT_EXPECT_EQ_MSG(test, ft_word_state(d->word),
						    want, "%d %d %d", state,
						    side, kind);
			}
		}
	}
}

/* Every combination of flags, in a flow and without one. */
static void tcp_flags(struct kunit *test)
{
	struct ft_tcp_duo *d = ft_tcp_duo(test);
	struct ft_tcp_sent p = { .seq = 2000, .ack = 3000, .win = WIN };
	const char *differs;
	int flags, in_flow;
	struct ft_pkt pkt;

	for (flags = 0; flags < 256; flags++) {
		u8 f = flags & (F_FIN | F_SYN | F_RST | F_ACK | F_URG);
		/* Exactly one of SYN, RST, FIN; or none of them, but ACK. */
		int acts = hweight8(f & (F_FIN | F_SYN | F_RST));
		bool good = acts == 1 || (!acts && f & F_ACK);

		if (f & F_FIN && !(f & F_ACK))
			good = false;
		if (f & F_URG && (f & F_RST || (f & F_SYN && f & F_ACK)))
			good = false;
		p.flags = flags;
		ft_tcp_duo_write(d, &p, &pkt);
		KUNIT_EXPECT_EQ_MSG(test, ft_tcp_check(d->skb, &pkt, NF_INET_LOCAL_IN, false),
				    good ? FT_INVALID_NONE : FT_INVALID_TCP_FLAGS,
				    "%02x", flags);
		for (in_flow = 0; in_flow < 2; in_flow++) {
			ft_tcp_duo_reset(d);
			if (in_flow) {
				open_some(d);
				idle(d, ST_ES, FT_FLOW_SEEN_REPLY);
				ft_tcp_duo_put(d);
			}
			differs = ft_tcp_duo_feed(d, &p);
			KUNIT_EXPECT_TRUE_MSG(test, !differs, "%02x: %s", flags,
					      differs);
		}
	}
}

/* Header cut off, options cut off, in every shape that an skb has. */
static void tcp_header(struct kunit *test)
{
	struct ft_packet *p = kunit_kmalloc(test, sizeof(*p), GFP_KERNEL);
	struct ft_settings *set = ft_kunit_timeouts(test);
	struct ft_step step = { .set = set };
	unsigned int len, doff, shape;
	union ft_proto_state state;
	enum ft_invalid reason;
	struct sk_buff *skb;
	struct ft_pkt pkt;
	bool good;

	for (doff = 0; doff < 16; doff++) {
		ft_start(p, NFPROTO_IPV4, 1, 2, IPPROTO_TCP);
		ft_put_tcp(p, 1000, 80);
		((struct tcphdr *)&p->b[p->l4])->doff = doff;
		ft_put(p, NULL, 60);
		memset(&p->b[p->l4 + 20], TCPOPT_NOP, 60);
		/* An option that has no length any more. */
		if (doff > 5)
			p->b[p->l4 + doff * 4 - 1] = TCPOPT_WINDOW;
		for (len = 20; len <= p->len; len++) {
			good = doff >= 5 && len >= 20 + doff * 4;
			memset(&pkt, 0, sizeof(pkt));
			pkt.key.l4proto = IPPROTO_TCP;
			pkt.family = NFPROTO_IPV4;
			pkt.l4off = 20;
			pkt.l4len = len - 20;
			shape = (len + doff) % FT_SHAPES;
			skb = ft_skb(test, p, len, shape);
			reason = ft_tcp_check(skb, &pkt, NF_INET_LOCAL_IN, false);
			KUNIT_EXPECT_EQ_MSG(test, reason, good ? FT_INVALID_NONE :
					    FT_INVALID_TCP_HEADER,
					    "doff %u len %u", doff, len);
			/* It may have changed since it was checked. */
			step.word = 0;
			step.reason = FT_INVALID_NONE;
			KUNIT_EXPECT_EQ(test, ft_tcp_new(skb, &pkt, &step, &state),
					good ? FT_VERDICT_ACCEPT :
					FT_VERDICT_INVALID);
			KUNIT_EXPECT_EQ(test, step.reason, reason);
			step.word = (u32)ST_SS << 8;
			KUNIT_EXPECT_EQ(test, ft_tcp_packet(skb, &pkt, &step, &state),
					good ? FT_VERDICT_KEEP :
					FT_VERDICT_INVALID);
			kfree_skb(skb);
		}
	}
}

/* The same options, whatever the shape of the skb. */
static void tcp_shapes(struct kunit *test)
{
	static const u8 some[] = { 2, 4, 5, 180, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0,
				   0, 0, 1, 3, 3, 9 };
	struct ft_packet *p = kunit_kmalloc(test, sizeof(*p), GFP_KERNEL);
	struct ft_settings *set = ft_kunit_timeouts(test);
	union ft_proto_state state;
	enum ft_invalid reason;
	struct sk_buff *skb;
	struct ft_pkt pkt;
	u8 family, shape;

	for (family = 0; family < 2; family++) {
		ft_start(p, family ? NFPROTO_IPV6 : NFPROTO_IPV4, 1, 2,
			 IPPROTO_TCP);
		ft_put_tcp(p, 1000, 80);
		((struct tcphdr *)&p->b[p->l4])->doff = 5 + sizeof(some) / 4;
		((struct tcphdr *)&p->b[p->l4])->seq = htonl(77);
		ft_put(p, some, sizeof(some));
		ft_put(p, NULL, 100);
		ft_end_ip(p);
		for (shape = 0; shape < FT_SHAPES; shape++) {
			struct ft_step step = { .set = set };

			skb = ft_skb(test, p, p->len, shape);
			KUNIT_ASSERT_EQ(test, ft_tuple_get(skb, ft_family(p), 0,
							   &pkt, &reason),
					FT_PARSE_OK);
			KUNIT_EXPECT_EQ(test, ft_tcp_new(skb, &pkt, &step, &state),
					FT_VERDICT_ACCEPT);
			KUNIT_EXPECT_EQ(test, state.tcp.end[0], 77 + 1 + 100);
			KUNIT_EXPECT_EQ(test, state.tcp.maxwin[0], 1000);
			KUNIT_EXPECT_EQ(test, state.tcp.scale[0], 9);
			KUNIT_EXPECT_EQ(test, state.tcp.flags[0],
					FLOWTRACK_TCP_FLAGS_WINDOW_SCALE |
					FLOWTRACK_TCP_FLAGS_SACK_PERM);
			kfree_skb(skb);
		}
	}
}

static void tcp_class(struct kunit *test)
{
	static const u8 class[] = {
		[ST_SS] = FLOWTRACK_CLASS_EMBRYONIC,
		[ST_S2] = FLOWTRACK_CLASS_EMBRYONIC,
		[ST_SR] = FLOWTRACK_CLASS_EMBRYONIC,
		[ST_LA] = FLOWTRACK_CLASS_CLOSING,
		[ST_TW] = FLOWTRACK_CLASS_CLOSING,
		[ST_CL] = FLOWTRACK_CLASS_CLOSING,
	};
	u32 seen, assured, word;
	int state;

	for (state = ST_SS; state <= ST_S2; state++) {
		for (seen = 0; seen <= FT_FLOW_SEEN_REPLY;
		     seen += FT_FLOW_SEEN_REPLY) {
			for (assured = 0; assured <= FT_FLOW_ASSURED;
			     assured += FT_FLOW_ASSURED) {
				u8 want = seen ? FLOWTRACK_CLASS_REPLIED :
						 FLOWTRACK_CLASS_EMBRYONIC;

				if (assured)
					want = FLOWTRACK_CLASS_ASSURED;
				if (state != ST_ES && state != ST_FW && state != ST_CW)
					want = class[state];
				word = (u32)state << 8 | seen | assured;
				KUNIT_EXPECT_EQ_MSG(test, ft_tcp_class(word),
						    want, "%d %x", state, word);
			}
		}
	}
}

/* A flood of SYNs never gets beyond embryonic, whatever the host answers. */
static void tcp_flood(struct kunit *test)
{
	struct ft_tcp_duo *d = ft_tcp_duo(test);
	struct ft_tcp_sent syn = { .flags = F_SYN, .seq = 5, .win = WIN };
	struct ft_tcp_sent answer = {
		.side = 1, .flags = F_SYN | F_ACK, .seq = 9, .ack = 6, .win = WIN,
	};
	int i;

	ft_tcp_duo_feed(d, &syn);
	KUNIT_EXPECT_TRUE(test, d->step.update);
	for (i = 0; i < 5; i++) {
		ft_tcp_duo_feed(d, &answer);
		KUNIT_EXPECT_EQ(test, d->step.update, i == 0);
		KUNIT_EXPECT_EQ(test, ft_word_state(d->word), ST_SR);
		KUNIT_EXPECT_EQ(test, ft_word_class(d->word),
				FLOWTRACK_CLASS_EMBRYONIC);
	}
}

/* A change of a setting counts from the next packet on. */
static void tcp_settings(struct kunit *test)
{
	struct ft_tcp_duo *d = ft_tcp_duo(test);
	struct ft_tcp_sent p = { .flags = F_ACK, .win = WIN };

	open_some(d);
	idle(d, ST_ES, FT_FLOW_SEEN_REPLY | FT_FLOW_ASSURED);
	ft_tcp_duo_put(d);
	p.seq = 2000;
	p.ack = 3000;
	KUNIT_EXPECT_NULL(test, ft_tcp_duo_feed(d, &p));
	KUNIT_EXPECT_EQ(test, d->step.timeout, 54003 * HZ);
	KUNIT_EXPECT_FALSE(test, d->step.update);
	d->set.v[FLOWTRACK_A_SETTINGS_TCP_TIMEOUT_ESTABLISHED] = 77;
	ft_tcp_duo_set(d);
	KUNIT_EXPECT_NULL(test, ft_tcp_duo_feed(d, &p));
	KUNIT_EXPECT_EQ(test, d->step.timeout, 77 * HZ);
}

/* What is worth a notification: the first answer, a state, assured. */
static void tcp_update(struct kunit *test)
{
	struct ft_tcp_duo *d = ft_tcp_duo(test);
	struct ft_tcp_sent a = {
		.flags = F_ACK, .seq = 2000, .ack = 3000, .win = WIN,
	};
	struct ft_tcp_sent b = {
		.side = 1, .flags = F_ACK, .seq = 3000, .ack = 2000, .win = WIN,
	};
	const struct {
		const struct ft_tcp_sent *p;
		bool update;
	} steps[] = {
		{ &a, true }, { &a, false }, { &b, true }, { &a, true },
		{ &b, false }, { &a, false },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(steps); i++) {
		KUNIT_EXPECT_NULL(test, ft_tcp_duo_feed(d, steps[i].p));
		KUNIT_EXPECT_EQ(test, ft_word_state(d->word), ST_ES);
		KUNIT_EXPECT_EQ_MSG(test, d->step.update, steps[i].update,
				    "%u", i);
	}
	KUNIT_EXPECT_TRUE(test, d->word & FT_FLOW_ASSURED);
	a.flags = F_FIN | F_ACK;
	KUNIT_EXPECT_NULL(test, ft_tcp_duo_feed(d, &a));
	KUNIT_EXPECT_TRUE(test, d->step.update);
}

/* Deliberately not as in nf_conntrack, which begins again at zero. */
static void tcp_retrans_saturates(struct kunit *test)
{
	struct ft_tcp_duo *d = ft_tcp_duo(test);
	struct ft_tcp_sent p = {
		.flags = F_ACK, .seq = 2000, .ack = 3000, .win = WIN,
	};
	int i;

	open_some(d);
	idle(d, ST_ES, FT_FLOW_SEEN_REPLY | FT_FLOW_ASSURED);
	ft_tcp_duo_put(d);
	for (i = 0; i < 256; i++)
		KUNIT_ASSERT_NULL(test, ft_tcp_duo_feed(d, &p));
	KUNIT_EXPECT_EQ(test, d->state.tcp.retrans, 255);
	KUNIT_EXPECT_STREQ(test, ft_tcp_duo_feed(d, &p), "timeout");
	KUNIT_EXPECT_EQ(test, d->state.tcp.retrans, 255);
	KUNIT_EXPECT_EQ(test, d->step.timeout, 319 * HZ);
	KUNIT_EXPECT_EQ(test, d->ct->proto.tcp.retrans, 0);
}

/* Deliberately not as in nf_conntrack: a flow entered by hand is liberal. */
static void tcp_entered(struct kunit *test)
{
	struct ft_settings *set = ft_kunit_timeouts(test);
	struct ft_tcp_duo *d = ft_tcp_duo(test);
	struct ft_tcp_sent p = { .flags = F_ACK, .win = WIN };
	union ft_proto_state state = {};
	struct ft_step step = { .set = set };
	struct ft_pkt pkt;
	int i;

	set->v[FLOWTRACK_A_SETTINGS_TCP_BE_LIBERAL] = 0;
	step.word = (u32)ST_ES << 8 | FT_FLOW_SEEN_REPLY | FT_FLOW_ASSURED;
	for (i = 0; i < 8; i++) {
		p.side = i & 1;
		p.seq = 1000000 * i;
		p.ack = 7000000 * i;
		step.dir = i & 1;
		ft_tcp_duo_write(d, &p, &pkt);
		KUNIT_EXPECT_EQ(test, ft_tcp_packet(d->skb, &pkt, &step, &state),
				FT_VERDICT_ACCEPT);
		KUNIT_EXPECT_EQ(test, ft_word_state(step.word), ST_ES);
		KUNIT_EXPECT_TRUE(test, state.tcp.maxwin[i & 1]);
	}
}

/* An ICMP error quotes at least eight octets: ports and sequence number. */
static bool quoted(struct kunit *test, const struct ft_tcp_duo *d,
		   enum ft_dir dir, u32 seq)
{
	struct ft_packet *p = kunit_kmalloc(test, sizeof(*p), GFP_KERNEL);
	__be32 tcp[2] = { htonl(0x9c400050), htonl(seq) };
	struct ft_pkt inner = {};
	struct sk_buff *skb;
	bool sent;

	ft_start(p, NFPROTO_IPV4, 1, 2, IPPROTO_ICMP);
	ft_put_icmp(p, ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, 0);
	ft_put_ip(p, NFPROTO_IPV4, 2, 1, IPPROTO_TCP);
	inner.l4off = p->len;
	inner.l4len = sizeof(tcp);
	ft_put(p, tcp, sizeof(tcp));
	skb = ft_skb(test, p, p->len, FT_SHAPE_SPLIT);
	sent = ft_tcp_quoted(skb, &inner, dir, &d->state);
	kfree_skb(skb);
	/* One octet less tells nothing. */
	skb = ft_skb(test, p, p->len - 1, FT_SHAPE_LINEAR);
	KUNIT_EXPECT_FALSE(test, ft_tcp_quoted(skb, &inner, dir, &d->state));
	kfree_skb(skb);
	kunit_kfree(test, p);
	return sent;
}

static void tcp_quoted(struct kunit *test)
{
	const u32 scaled = 100000;
	struct ft_tcp_duo *d = ft_tcp_duo(test);
	struct ft_tcp *tcp = &d->state.tcp;

	idle(d, ST_ES, FT_FLOW_SEEN_REPLY);
	KUNIT_EXPECT_TRUE(test, quoted(test, d, FT_DIR_ORIG, 2000));
	KUNIT_EXPECT_TRUE(test, quoted(test, d, FT_DIR_ORIG, 1500));
	KUNIT_EXPECT_FALSE(test, quoted(test, d, FT_DIR_ORIG, 2001));
	KUNIT_EXPECT_TRUE(test, quoted(test, d, FT_DIR_REPLY, 3000));
	KUNIT_EXPECT_FALSE(test, quoted(test, d, FT_DIR_REPLY, 3001));
	KUNIT_EXPECT_TRUE(test, quoted(test, d, FT_DIR_ORIG, 2000 - 66000));
	KUNIT_EXPECT_FALSE(test, quoted(test, d, FT_DIR_ORIG, 2000 - 66001));
	KUNIT_EXPECT_FALSE(test, quoted(test, d, FT_DIR_ORIG, 0x80000000));
	/* The window that counts is the receiver's. */
	tcp->maxwin[1] = scaled;
	KUNIT_EXPECT_TRUE(test, quoted(test, d, FT_DIR_ORIG, 2000 - scaled));
	KUNIT_EXPECT_FALSE(test, quoted(test, d, FT_DIR_ORIG, 1999 - scaled));
	KUNIT_EXPECT_FALSE(test, quoted(test, d, FT_DIR_REPLY, 3000 - 66001));

	/* A SYN that was let through, and noted. */
	tcp->last_seq = 0x40000000;
	tcp->last_dir = FT_DIR_ORIG;
	KUNIT_EXPECT_TRUE(test, quoted(test, d, FT_DIR_ORIG, 0x40000000));
	KUNIT_EXPECT_FALSE(test, quoted(test, d, FT_DIR_REPLY, 0x40000000));

	/* The responder has sent nothing yet. */
	idle(d, ST_SS, 0);
	tcp->maxwin[1] = 0;
	KUNIT_EXPECT_TRUE(test, quoted(test, d, FT_DIR_ORIG, 1999));
	KUNIT_EXPECT_FALSE(test, quoted(test, d, FT_DIR_REPLY, 3000));
	/* Entered by hand: nothing is known. */
	tcp->maxwin[0] = 0;
	KUNIT_EXPECT_TRUE(test, quoted(test, d, FT_DIR_REPLY, 12345));

	/* Windows that are not enforced are not to be trusted, either. */
	idle(d, ST_ES, FT_FLOW_SEEN_REPLY);
	tcp->flags[1] |= FLOWTRACK_TCP_FLAGS_BE_LIBERAL;
	KUNIT_EXPECT_TRUE(test, quoted(test, d, FT_DIR_ORIG, 0x80000000));
}

/* With be_liberal set: once something was out of window all is believed. */
static void tcp_quoted_liberal(struct kunit *test)
{
	struct ft_tcp_duo *d = ft_tcp_duo(test);
	struct ft_tcp_sent p = {
		.flags = F_ACK, .seq = 2000, .ack = 3000, .win = WIN,
	};

	d->set.v[FLOWTRACK_A_SETTINGS_TCP_BE_LIBERAL] = 1;
	ft_tcp_duo_set(d);
	open_some(d);
	idle(d, ST_ES, FT_FLOW_SEEN_REPLY);
	ft_tcp_duo_put(d);
	KUNIT_EXPECT_NULL(test, ft_tcp_duo_feed(d, &p));
	KUNIT_EXPECT_FALSE(test, quoted(test, d, FT_DIR_ORIG, 900000));
	p.seq = 900000;
	KUNIT_EXPECT_NULL(test, ft_tcp_duo_feed(d, &p));
	KUNIT_EXPECT_EQ(test, d->outcome, FT_TCP_ACCEPTS);
	KUNIT_EXPECT_TRUE(test, quoted(test, d, FT_DIR_ORIG, 900000));
}

static struct kunit_case cases[] = {
	KUNIT_CASE(tcp_scripts),
	KUNIT_CASE(tcp_cells),
	KUNIT_CASE(tcp_flags),
	KUNIT_CASE(tcp_header),
	KUNIT_CASE(tcp_shapes),
	KUNIT_CASE(tcp_class),
	KUNIT_CASE(tcp_flood),
	KUNIT_CASE(tcp_settings),
	KUNIT_CASE(tcp_update),
	KUNIT_CASE(tcp_retrans_saturates),
	KUNIT_CASE(tcp_entered),
	KUNIT_CASE(tcp_quoted),
	KUNIT_CASE(tcp_quoted_liberal),
	{}
};

static struct kunit_suite suite = {
	.name = "ft_proto_tcp",
	.test_cases = cases,
};

kunit_test_suite(suite);
