/* SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause) */
/*
 * Generic netlink interface of nf_flowtrack.
 *
 * The reference is Documentation/netlink.rst; the machine-readable one is
 * Documentation/netlink/specs/flowtrack.yaml. Attribute numbers never change
 * and never get a second meaning: new ones are appended.
 */
#ifndef _UAPI_LINUX_NF_FLOWTRACK_H
#define _UAPI_LINUX_NF_FLOWTRACK_H

#define FLOWTRACK_FAMILY_NAME		"flowtrack"
#define FLOWTRACK_FAMILY_VERSION	1

/* Multicast groups. */
#define FLOWTRACK_MCGRP_EVENTS		"events"
#define FLOWTRACK_MCGRP_PRESSURE	"pressure"

/* What a full table does with a newcomer: settings full-policy, full-fallback. */
enum flowtrack_policy {
	FLOWTRACK_POLICY_EVICT,
	FLOWTRACK_POLICY_DROP,
	FLOWTRACK_POLICY_PASS,
};

/* Of a setting that follows nf_conntrack's: set to this it follows again. */
#define FLOWTRACK_SETTING_AUTO	0xffffffff

/* How much a flow is worth keeping, least valuable first. */
enum flowtrack_class {
	FLOWTRACK_CLASS_CLOSING,
	FLOWTRACK_CLASS_EMBRYONIC,
	FLOWTRACK_CLASS_REPLIED,
	FLOWTRACK_CLASS_ASSURED,
};

/* What the top talkers are counted by. */
enum flowtrack_top_kind {
	FLOWTRACK_TOP_KIND_SOURCE,	/* initiator's address, or its prefix */
	FLOWTRACK_TOP_KIND_DESTINATION,	/* responder's address */
	FLOWTRACK_TOP_KIND_SERVICE,	/* protocol and responder's port */
	FLOWTRACK_TOP_KIND_EXTERNAL,	/* address that NAT gave the initiator */
};

/* What the top talkers have most of. */
enum flowtrack_top_order {
	FLOWTRACK_TOP_ORDER_FLOWS,	/* flows in the table */
	FLOWTRACK_TOP_ORDER_RATE,	/* flows opened per second */
	FLOWTRACK_TOP_ORDER_BYTES,	/* bytes that its flows have carried */
};

/* What flows are counted by. */
enum flowtrack_count_by {
	FLOWTRACK_COUNT_BY_CLASS,
	FLOWTRACK_COUNT_BY_STATE,	/* of a protocol */
	FLOWTRACK_COUNT_BY_PROTO,
	FLOWTRACK_COUNT_BY_ZONE,
	FLOWTRACK_COUNT_BY_MARK,
	FLOWTRACK_COUNT_BY_SOURCE,	/* a prefix, as the limits of sources have it */
};

/* Which watermark was crossed. */
enum flowtrack_level {
	FLOWTRACK_LEVEL_LOW,	/* the table came down below watermark-low */
	FLOWTRACK_LEVEL_HIGH,	/* the table reached watermark-high */
};

/* Bits of the flow attribute status. */
enum flowtrack_status {
	FLOWTRACK_STATUS_SEEN_REPLY	= 1 << 0,
	FLOWTRACK_STATUS_ASSURED	= 1 << 1,
};

/* What tracks a flow: flow attribute tracker; bits of that of filters. */
enum flowtrack_tracker {
	FLOWTRACK_TRACKER_OWN		= 1 << 0, /* nf_flowtrack's table */
	FLOWTRACK_TRACKER_GUARDED	= 1 << 1, /* nf_conntrack's, guarded */
};

/* What a reply to flow-get has: flow attribute show. */
enum flowtrack_show {
	FLOWTRACK_SHOW_ALL,		/* all but the digest */
	FLOWTRACK_SHOW_DIGEST,		/* the digest, too */
	FLOWTRACK_SHOW_DIGEST_ONLY,	/* id, timeout and digest */
};

/* States of a TCP flow (flow attribute state). */
enum flowtrack_tcp_state {
	FLOWTRACK_TCP_STATE_NONE,
	FLOWTRACK_TCP_STATE_SYN_SENT,
	FLOWTRACK_TCP_STATE_SYN_RECV,
	FLOWTRACK_TCP_STATE_ESTABLISHED,
	FLOWTRACK_TCP_STATE_FIN_WAIT,
	FLOWTRACK_TCP_STATE_CLOSE_WAIT,
	FLOWTRACK_TCP_STATE_LAST_ACK,
	FLOWTRACK_TCP_STATE_TIME_WAIT,
	FLOWTRACK_TCP_STATE_CLOSE,
	FLOWTRACK_TCP_STATE_SYN_SENT2,
};

/* States of an SCTP flow (flow attribute state). */
enum flowtrack_sctp_state {
	FLOWTRACK_SCTP_STATE_NONE,
	FLOWTRACK_SCTP_STATE_CLOSED,
	FLOWTRACK_SCTP_STATE_COOKIE_WAIT,
	FLOWTRACK_SCTP_STATE_COOKIE_ECHOED,
	FLOWTRACK_SCTP_STATE_ESTABLISHED,
	FLOWTRACK_SCTP_STATE_SHUTDOWN_SENT,
	FLOWTRACK_SCTP_STATE_SHUTDOWN_RECD,
	FLOWTRACK_SCTP_STATE_SHUTDOWN_ACK_SENT,
	FLOWTRACK_SCTP_STATE_HEARTBEAT_SENT,
};

/* States of a flow of any other protocol (flow attribute state). */
enum flowtrack_flow_state {
	FLOWTRACK_FLOW_STATE_UNREPLIED,
	FLOWTRACK_FLOW_STATE_REPLIED,
	FLOWTRACK_FLOW_STATE_STREAM,
};

/* Why a flow ended: flow attribute reason of a destroy notification. */
enum flowtrack_reason {
	FLOWTRACK_REASON_TIMEOUT,	/* its deadline passed */
	FLOWTRACK_REASON_CLOSED,	/* a new connection took its place */
	FLOWTRACK_REASON_EVICTED,	/* evicted at a full table */
	FLOWTRACK_REASON_DELETED,	/* flow-del naming or selecting it */
	FLOWTRACK_REASON_FLUSHED,	/* flow-del of everything */
};

/* One direction of a flow. Addresses and ports are in network byte order. */
enum {
	FLOWTRACK_A_TUPLE_SRC4 = 1,	/* u32 */
	FLOWTRACK_A_TUPLE_DST4,		/* u32 */
	FLOWTRACK_A_TUPLE_SRC6,		/* binary, 16 bytes */
	FLOWTRACK_A_TUPLE_DST6,		/* binary, 16 bytes */
	FLOWTRACK_A_TUPLE_SPORT,	/* u16: TCP, UDP, UDP-Lite, SCTP */
	FLOWTRACK_A_TUPLE_DPORT,	/* u16 */
	FLOWTRACK_A_TUPLE_ICMP_ID,	/* u16: ICMP, ICMPv6 */
	FLOWTRACK_A_TUPLE_ICMP_TYPE,	/* u8: of this direction */
	FLOWTRACK_A_TUPLE_ICMP_CODE,	/* u8 */
	FLOWTRACK_A_TUPLE_GRE_KEY,	/* u32: key (version 0) or call id (1) */

	__FLOWTRACK_A_TUPLE_MAX,
	FLOWTRACK_A_TUPLE_MAX = (__FLOWTRACK_A_TUPLE_MAX - 1)
};

/* Packets and bytes of one direction. */
enum {
	FLOWTRACK_A_COUNTERS_PACKETS = 1,	/* u64 */
	FLOWTRACK_A_COUNTERS_BYTES,		/* u64 */
	FLOWTRACK_A_COUNTERS_PAD,

	__FLOWTRACK_A_COUNTERS_MAX,
	FLOWTRACK_A_COUNTERS_MAX = (__FLOWTRACK_A_COUNTERS_MAX - 1)
};

/* TCP's view of one direction, for save and restore. */
enum {
	FLOWTRACK_A_TCP_DIR_END = 1,	/* u32: highest sequence number sent + 1 */
	FLOWTRACK_A_TCP_DIR_MAXEND,	/* u32: highest sequence number allowed */
	FLOWTRACK_A_TCP_DIR_MAXWIN,	/* u32: largest window seen, scaled */
	FLOWTRACK_A_TCP_DIR_MAXACK,	/* u32: highest acknowledgment seen */
	FLOWTRACK_A_TCP_DIR_SCALE,	/* u8: window scale, 0 to 14 */
	FLOWTRACK_A_TCP_DIR_FLAGS,	/* u8: enum flowtrack_tcp_flags */

	__FLOWTRACK_A_TCP_DIR_MAX,
	FLOWTRACK_A_TCP_DIR_MAX = (__FLOWTRACK_A_TCP_DIR_MAX - 1)
};

/* Bits of the TCP direction attribute flags. */
enum flowtrack_tcp_flags {
	FLOWTRACK_TCP_FLAGS_WINDOW_SCALE	= 1 << 0, /* window scaling offered */
	FLOWTRACK_TCP_FLAGS_SACK_PERM		= 1 << 1, /* SACK offered */
	FLOWTRACK_TCP_FLAGS_CLOSE_INIT		= 1 << 2, /* sent the first FIN */
	FLOWTRACK_TCP_FLAGS_BE_LIBERAL		= 1 << 3, /* window not checked */
	FLOWTRACK_TCP_FLAGS_DATA_UNACKED	= 1 << 4, /* data awaits an ACK */
	FLOWTRACK_TCP_FLAGS_MAXACK_SET		= 1 << 5, /* maxack is valid */
	FLOWTRACK_TCP_FLAGS_CHALLENGE_ACK	= 1 << 6, /* challenge ACK expected */
	FLOWTRACK_TCP_FLAGS_SIMULTANEOUS_OPEN	= 1 << 7, /* both sides sent SYN */
};

enum {
	FLOWTRACK_A_FLOW_ID = 1,	/* u64: unique while the flow lives */
	FLOWTRACK_A_FLOW_FAMILY,	/* u8: AF_INET or AF_INET6 */
	FLOWTRACK_A_FLOW_L4PROTO,	/* u8: IPPROTO_* */
	FLOWTRACK_A_FLOW_ZONE,		/* u16 */
	FLOWTRACK_A_FLOW_ORIG,		/* nest: tuple, as the initiator sends */
	FLOWTRACK_A_FLOW_REPLY,		/* nest: tuple, as the responder sends */
	FLOWTRACK_A_FLOW_STATE,		/* u8: enum of the protocol's states */
	FLOWTRACK_A_FLOW_CLASS,		/* u8: enum flowtrack_class */
	FLOWTRACK_A_FLOW_STATUS,	/* u32: bits of enum flowtrack_status */
	FLOWTRACK_A_FLOW_TIMEOUT,	/* u32: milliseconds left */
	FLOWTRACK_A_FLOW_MARK,		/* u32 */
	FLOWTRACK_A_FLOW_COUNTERS_ORIG,	/* nest: counters */
	FLOWTRACK_A_FLOW_COUNTERS_REPLY, /* nest: counters */
	FLOWTRACK_A_FLOW_AGE,		/* u64: milliseconds since the first packet */
	FLOWTRACK_A_FLOW_START,		/* u64: nanoseconds since the epoch */
	FLOWTRACK_A_FLOW_STOP,		/* u64: likewise, in destroy only */
	FLOWTRACK_A_FLOW_TCP_ORIG,	/* nest: tcp-dir */
	FLOWTRACK_A_FLOW_TCP_REPLY,	/* nest: tcp-dir */
	FLOWTRACK_A_FLOW_VTAG_ORIG,	/* u32, network byte order: SCTP */
	FLOWTRACK_A_FLOW_VTAG_REPLY,	/* u32, network byte order: SCTP */
	FLOWTRACK_A_FLOW_REASON,	/* u8: enum flowtrack_reason */
	FLOWTRACK_A_FLOW_FILTER,	/* nest: filter, requests only */
	FLOWTRACK_A_FLOW_DELETED,	/* u32: how many flows a flow-del ended */
	FLOWTRACK_A_FLOW_PAD,
	FLOWTRACK_A_FLOW_TRACKER,	/* u8: enum flowtrack_tracker, one of them */
	FLOWTRACK_A_FLOW_MASQ,		/* string: device whose address it has borrowed */
	FLOWTRACK_A_FLOW_SHOW,		/* u8: enum flowtrack_show, requests only */
	FLOWTRACK_A_FLOW_DIGEST,	/* u64: another one when the flow has changed */

	__FLOWTRACK_A_FLOW_MAX,
	FLOWTRACK_A_FLOW_MAX = (__FLOWTRACK_A_FLOW_MAX - 1)
};

/*
 * A flow matches a filter when it matches every attribute given. Addresses
 * and ports are those of the original direction.
 */
enum {
	FLOWTRACK_A_FILTER_FAMILY = 1,	/* u8: AF_INET or AF_INET6 */
	FLOWTRACK_A_FILTER_L4PROTO,	/* u8 */
	FLOWTRACK_A_FILTER_SRC,		/* binary, 4 or 16 bytes */
	FLOWTRACK_A_FILTER_SRC_PREFIX,	/* u8: bits, default all */
	FLOWTRACK_A_FILTER_DST,		/* binary, 4 or 16 bytes */
	FLOWTRACK_A_FILTER_DST_PREFIX,	/* u8: bits, default all */
	FLOWTRACK_A_FILTER_SPORT_MIN,	/* u16, host byte order */
	FLOWTRACK_A_FILTER_SPORT_MAX,	/* u16, host byte order, default the min */
	FLOWTRACK_A_FILTER_DPORT_MIN,	/* u16, host byte order */
	FLOWTRACK_A_FILTER_DPORT_MAX,	/* u16, host byte order, default the min */
	FLOWTRACK_A_FILTER_STATE,	/* u8: needs l4proto */
	FLOWTRACK_A_FILTER_CLASS,	/* u8: enum flowtrack_class */
	FLOWTRACK_A_FILTER_MARK,	/* u32 */
	FLOWTRACK_A_FILTER_MARK_MASK,	/* u32: default all ones */
	FLOWTRACK_A_FILTER_ZONE,	/* u16 */
	FLOWTRACK_A_FILTER_AGE_MIN,	/* u32: seconds since the first packet */
	FLOWTRACK_A_FILTER_AGE_MAX,	/* u32 */
	FLOWTRACK_A_FILTER_TRACKER,	/* u8: bits of enum flowtrack_tracker, default own */
	/* as the answers have them, which NAT makes others than the packets' */
	FLOWTRACK_A_FILTER_REPLY_SRC,		/* binary, 4 or 16 bytes */
	FLOWTRACK_A_FILTER_REPLY_SRC_PREFIX,	/* u8: bits, default all */
	FLOWTRACK_A_FILTER_REPLY_DST,		/* binary, 4 or 16 bytes */
	FLOWTRACK_A_FILTER_REPLY_DST_PREFIX,	/* u8: bits, default all */
	FLOWTRACK_A_FILTER_REPLY_SPORT_MIN,	/* u16, host byte order */
	FLOWTRACK_A_FILTER_REPLY_SPORT_MAX,	/* u16, host byte order, default the min */
	FLOWTRACK_A_FILTER_REPLY_DPORT_MIN,	/* u16, host byte order */
	FLOWTRACK_A_FILTER_REPLY_DPORT_MAX,	/* u16, host byte order, default the min */
	/* of either end, as the packets or as the answers have them */
	FLOWTRACK_A_FILTER_HOST,		/* binary, 4 or 16 bytes */
	FLOWTRACK_A_FILTER_HOST_PREFIX,		/* u8: bits, default all */
	FLOWTRACK_A_FILTER_PORT_MIN,		/* u16, host byte order */
	FLOWTRACK_A_FILTER_PORT_MAX,		/* u16, host byte order, default the min */
	/* parts, without tracker, any and not; both may be repeated */
	FLOWTRACK_A_FILTER_ANY,			/* nest: any: a flow must match one of them */
	FLOWTRACK_A_FILTER_NOT,			/* nest: filter: a flow must not match it */

	__FLOWTRACK_A_FILTER_MAX,
	FLOWTRACK_A_FILTER_MAX = (__FLOWTRACK_A_FILTER_MAX - 1)
};

/* What FLOWTRACK_A_FILTER_ANY has. */
enum {
	FLOWTRACK_A_ANY_FILTER = 1,	/* nest: filter; repeated */

	__FLOWTRACK_A_ANY_MAX,
	FLOWTRACK_A_ANY_MAX = (__FLOWTRACK_A_ANY_MAX - 1)
};

/* Counters since the namespace was made. All u64, but for cpu (u32). */
enum {
	FLOWTRACK_A_STATS_CPU = 1,	/* u32: absent in the sum */
	FLOWTRACK_A_STATS_FOUND,	/* packets that met their flow */
	FLOWTRACK_A_STATS_NEW,		/* packets that met none and may open one */
	FLOWTRACK_A_STATS_INSERT,	/* flows entered */
	FLOWTRACK_A_STATS_CLASH,	/* flow was entered by another CPU first */
	FLOWTRACK_A_STATS_INVALID,	/* packets published as invalid */
	FLOWTRACK_A_STATS_UNTRACKED,	/* packets left alone or published untracked */
	FLOWTRACK_A_STATS_BYPASS,	/* packets left to nf_conntrack */
	FLOWTRACK_A_STATS_RELATED,	/* ICMP errors about a flow */
	FLOWTRACK_A_STATS_ADOPTED,	/* flows taken over from nf_conntrack */
	FLOWTRACK_A_STATS_EXPIRE,	/* flows ended by timeout */
	FLOWTRACK_A_STATS_CLOSE,	/* flows ended by their successor */
	FLOWTRACK_A_STATS_DELETE,	/* flows ended by request */
	FLOWTRACK_A_STATS_FULL,		/* newcomers that met a full table */
	FLOWTRACK_A_STATS_EVICT_CLOSING, /* flows evicted, by class */
	FLOWTRACK_A_STATS_EVICT_EMBRYONIC,
	FLOWTRACK_A_STATS_EVICT_REPLIED,
	FLOWTRACK_A_STATS_EVICT_ASSURED,
	FLOWTRACK_A_STATS_FULL_DROP,	/* newcomers dropped at a full table */
	FLOWTRACK_A_STATS_FULL_PASS,	/* newcomers let through with no entry */
	FLOWTRACK_A_STATS_CHAIN_TOOLONG, /* insertions refused: bucket chain */
	FLOWTRACK_A_STATS_NOMEM,	/* allocations that failed */
	FLOWTRACK_A_STATS_CARRIER_GROWN, /* carriers allocated */
	FLOWTRACK_A_STATS_CARRIER_NONE,	/* packets dropped for want of one */
	FLOWTRACK_A_STATS_NAT_PORTS_FULL, /* new ones dropped: NAT had no tuple left */
	FLOWTRACK_A_STATS_NAT_EVICT,	/* evicted for the tuple that NAT gave them */
	FLOWTRACK_A_STATS_RESIZE,	/* table resizes */
	FLOWTRACK_A_STATS_EVENT_LOST,	/* notifications not delivered */
	FLOWTRACK_A_STATS_PAD,
	FLOWTRACK_A_STATS_EVICT_EXPIRED, /* evicted after their deadline */
	FLOWTRACK_A_STATS_EVICT_IDLE,	/* evicted for being idle */
	FLOWTRACK_A_STATS_EVICT_HEAVY,	/* evicted for their source */
	FLOWTRACK_A_STATS_EXPIRE_ADAPTIVE, /* ended before their timeout */
	FLOWTRACK_A_STATS_ADAPTIVE_CLOSING, /* permille left of timeouts */
	FLOWTRACK_A_STATS_ADAPTIVE_EMBRYONIC, /* in the sum only, as the next */
	FLOWTRACK_A_STATS_ADAPTIVE_REPLIED,
	FLOWTRACK_A_STATS_ADAPTIVE_ASSURED,
	FLOWTRACK_A_STATS_RESERVED,	/* flows that took a reserved entry */
	FLOWTRACK_A_STATS_GUARD_FULL,	/* newcomers that nf_conntrack had no room for */
	FLOWTRACK_A_STATS_GUARD_EVICT_CLOSING, /* flows deleted from nf_conntrack, by class */
	FLOWTRACK_A_STATS_GUARD_EVICT_EMBRYONIC,
	FLOWTRACK_A_STATS_GUARD_EVICT_REPLIED,
	FLOWTRACK_A_STATS_GUARD_EVICT_ASSURED,
	FLOWTRACK_A_STATS_GUARD_DROP,	/* newcomers to nf_conntrack dropped */
	FLOWTRACK_A_STATS_GUARD_PASS,	/* newcomers to nf_conntrack let through with no entry */
	FLOWTRACK_A_STATS_GUARD_FORGOT,	/* guarded flows that nf_conntrack ended itself */
	FLOWTRACK_A_STATS_SRC_MAX_REFUSED, /* newcomers over src-max */
	FLOWTRACK_A_STATS_SRC_RATE_REFUSED, /* newcomers over src-rate */
	FLOWTRACK_A_STATS_SRC_PASS,	/* of these, let through with no entry */
	FLOWTRACK_A_STATS_FULL_NOBODY,	/* of full-drop and full-pass: evict found none */
	FLOWTRACK_A_STATS_FULL_NOMEM,	/* of full-drop and full-pass: no memory */
	FLOWTRACK_A_STATS_FULL_DROP_CLOSING, /* full-drop, by class of the newcomer */
	FLOWTRACK_A_STATS_FULL_DROP_EMBRYONIC,
	FLOWTRACK_A_STATS_FULL_DROP_REPLIED,
	FLOWTRACK_A_STATS_FULL_DROP_ASSURED,
	FLOWTRACK_A_STATS_FULL_PASS_CLOSING, /* full-pass, likewise */
	FLOWTRACK_A_STATS_FULL_PASS_EMBRYONIC,
	FLOWTRACK_A_STATS_FULL_PASS_REPLIED,
	FLOWTRACK_A_STATS_FULL_PASS_ASSURED,
	FLOWTRACK_A_STATS_RESERVED_USED, /* reserved entries in use; in the sum only */
	FLOWTRACK_A_STATS_FLOWS,	/* own flows now; in the sum only, as the next */
	FLOWTRACK_A_STATS_FLOWS_MAX,	/* as many as there may be, without the reserved ones */
	FLOWTRACK_A_STATS_FLOWS_FILL,	/* flows, per mille of these */
	FLOWTRACK_A_STATS_FLOWS_CLOSING, /* own flows, by class */
	FLOWTRACK_A_STATS_FLOWS_EMBRYONIC,
	FLOWTRACK_A_STATS_FLOWS_REPLIED,
	FLOWTRACK_A_STATS_FLOWS_ASSURED,
	FLOWTRACK_A_STATS_GUARDED,	/* guarded flows */
	FLOWTRACK_A_STATS_GUARDED_CLOSING, /* by class; of more than 16384 an estimate */
	FLOWTRACK_A_STATS_GUARDED_EMBRYONIC,
	FLOWTRACK_A_STATS_GUARDED_REPLIED,
	FLOWTRACK_A_STATS_GUARDED_ASSURED,
	FLOWTRACK_A_STATS_CONNTRACK,	/* entries of nf_conntrack, guarded or not */
	FLOWTRACK_A_STATS_CONNTRACK_MAX, /* as many as there may be; 0: no limit */
	FLOWTRACK_A_STATS_CONNTRACK_FILL, /* entries, per mille of these */
	FLOWTRACK_A_STATS_LOOKAHEAD,	/* packets looked for before they were tracked */

	__FLOWTRACK_A_STATS_MAX,
	FLOWTRACK_A_STATS_MAX = (__FLOWTRACK_A_STATS_MAX - 1)
};

/*
 * Settings of a network namespace, all u32. Each is also the sysctl
 * net.netfilter.nf_flowtrack_<name>; ranges are in Documentation/sysctl.rst.
 */
enum {
	FLOWTRACK_A_SETTINGS_ENABLE = 1,
	FLOWTRACK_A_SETTINGS_MAX_FLOWS,		/* sysctl nf_flowtrack_max */
	FLOWTRACK_A_SETTINGS_COUNT,		/* read only */
	FLOWTRACK_A_SETTINGS_BUCKETS,
	FLOWTRACK_A_SETTINGS_FULL_POLICY,	/* enum flowtrack_policy */
	FLOWTRACK_A_SETTINGS_FULL_FALLBACK,	/* enum flowtrack_policy, not evict */
	FLOWTRACK_A_SETTINGS_ADOPT,		/* 0 auto, 1 always, 2 never */
	FLOWTRACK_A_SETTINGS_BYPASS_MARK,
	FLOWTRACK_A_SETTINGS_BYPASS_MASK,
	FLOWTRACK_A_SETTINGS_ACCT,
	FLOWTRACK_A_SETTINGS_TIMESTAMP,
	FLOWTRACK_A_SETTINGS_CHECKSUM,
	FLOWTRACK_A_SETTINGS_LOG_INVALID,
	FLOWTRACK_A_SETTINGS_EVENTS,
	FLOWTRACK_A_SETTINGS_TCP_LOOSE,
	FLOWTRACK_A_SETTINGS_TCP_BE_LIBERAL,
	FLOWTRACK_A_SETTINGS_TCP_IGNORE_INVALID_RST,
	FLOWTRACK_A_SETTINGS_TCP_MAX_RETRANS,
	FLOWTRACK_A_SETTINGS_GENERIC_TIMEOUT,	/* timeouts: seconds */
	FLOWTRACK_A_SETTINGS_TCP_TIMEOUT_SYN_SENT,
	FLOWTRACK_A_SETTINGS_TCP_TIMEOUT_SYN_RECV,
	FLOWTRACK_A_SETTINGS_TCP_TIMEOUT_ESTABLISHED,
	FLOWTRACK_A_SETTINGS_TCP_TIMEOUT_FIN_WAIT,
	FLOWTRACK_A_SETTINGS_TCP_TIMEOUT_CLOSE_WAIT,
	FLOWTRACK_A_SETTINGS_TCP_TIMEOUT_LAST_ACK,
	FLOWTRACK_A_SETTINGS_TCP_TIMEOUT_TIME_WAIT,
	FLOWTRACK_A_SETTINGS_TCP_TIMEOUT_CLOSE,
	FLOWTRACK_A_SETTINGS_TCP_TIMEOUT_MAX_RETRANS,
	FLOWTRACK_A_SETTINGS_TCP_TIMEOUT_UNACKNOWLEDGED,
	FLOWTRACK_A_SETTINGS_UDP_TIMEOUT,
	FLOWTRACK_A_SETTINGS_UDP_TIMEOUT_STREAM,
	FLOWTRACK_A_SETTINGS_ICMP_TIMEOUT,
	FLOWTRACK_A_SETTINGS_ICMPV6_TIMEOUT,
	FLOWTRACK_A_SETTINGS_SCTP_TIMEOUT_CLOSED,
	FLOWTRACK_A_SETTINGS_SCTP_TIMEOUT_COOKIE_WAIT,
	FLOWTRACK_A_SETTINGS_SCTP_TIMEOUT_COOKIE_ECHOED,
	FLOWTRACK_A_SETTINGS_SCTP_TIMEOUT_ESTABLISHED,
	FLOWTRACK_A_SETTINGS_SCTP_TIMEOUT_SHUTDOWN_SENT,
	FLOWTRACK_A_SETTINGS_SCTP_TIMEOUT_SHUTDOWN_RECD,
	FLOWTRACK_A_SETTINGS_SCTP_TIMEOUT_SHUTDOWN_ACK_SENT,
	FLOWTRACK_A_SETTINGS_SCTP_TIMEOUT_HEARTBEAT_SENT,
	FLOWTRACK_A_SETTINGS_GRE_TIMEOUT,
	FLOWTRACK_A_SETTINGS_GRE_TIMEOUT_STREAM,
	FLOWTRACK_A_SETTINGS_SRC_PREFIX4,	/* bits of an address */
	FLOWTRACK_A_SETTINGS_SRC_PREFIX6,	/* likewise */
	FLOWTRACK_A_SETTINGS_ADAPTIVE_START,	/* per cent of max; 0: off */
	FLOWTRACK_A_SETTINGS_ADAPTIVE_END,	/* per cent of max; 0: off */
	FLOWTRACK_A_SETTINGS_RESERVED,		/* entries */
	FLOWTRACK_A_SETTINGS_RESERVED_MARK,
	FLOWTRACK_A_SETTINGS_RESERVED_MASK,
	FLOWTRACK_A_SETTINGS_GUARD,
	FLOWTRACK_A_SETTINGS_GUARDED,		/* read only */
	FLOWTRACK_A_SETTINGS_SRC_COUNT,		/* read only */
	FLOWTRACK_A_SETTINGS_SRC_MAX,		/* flows of a source; 0: no limit */
	FLOWTRACK_A_SETTINGS_SRC_RATE,		/* new ones per second; 0: no limit */
	FLOWTRACK_A_SETTINGS_SRC_BURST,
	FLOWTRACK_A_SETTINGS_SRC_POLICY,	/* enum flowtrack_policy, not evict */
	FLOWTRACK_A_SETTINGS_WATERMARK_LOW,	/* per cent of max; 0: off */
	FLOWTRACK_A_SETTINGS_WATERMARK_HIGH,	/* per cent of max; 0: off */
	FLOWTRACK_A_SETTINGS_BUCKETS_AUTO,	/* read only: nobody fixed buckets */
	FLOWTRACK_A_SETTINGS_FOLLOWING,		/* u64, read only: those that do, a bit each */
	FLOWTRACK_A_SETTINGS_NAT,		/* 0 auto, 1 snat, 2 all, 3 never */
	FLOWTRACK_A_SETTINGS_LOOKAHEAD,		/* 0: no, 1: yes, 2: where it is worth it */

	__FLOWTRACK_A_SETTINGS_MAX,
	FLOWTRACK_A_SETTINGS_MAX = (__FLOWTRACK_A_SETTINGS_MAX - 1)
};

/* Top talkers: a list of one kind in one order. */
enum {
	FLOWTRACK_A_TOP_KIND = 1,	/* u8: enum flowtrack_top_kind */
	FLOWTRACK_A_TOP_ORDER,		/* u8: enum flowtrack_top_order */
	FLOWTRACK_A_TOP_LIMIT,		/* u32: entries at most; requests only */
	FLOWTRACK_A_TOP_TOTAL,		/* u32: flows, own and guarded */
	FLOWTRACK_A_TOP_SAMPLED,	/* u32: flows that were looked at */
	FLOWTRACK_A_TOP_EXACT,		/* u8: 1: all were; 0: a sample */
	FLOWTRACK_A_TOP_WINDOW,		/* u32: milliseconds that rates are of */
	FLOWTRACK_A_TOP_BIRTHS,		/* u32: new flows that were looked at */
	FLOWTRACK_A_TOP_RATE,		/* u32: new flows per second, all */
	FLOWTRACK_A_TOP_ENTRY,		/* nest: top-entry, one for each */
	FLOWTRACK_A_TOP_GUARDED,	/* u32: guarded flows */
	FLOWTRACK_A_TOP_BYTES,		/* u64: of the flows, both directions */
	FLOWTRACK_A_TOP_PAD,

	__FLOWTRACK_A_TOP_MAX,
	FLOWTRACK_A_TOP_MAX = (__FLOWTRACK_A_TOP_MAX - 1)
};

/* A source or destination has family, addr4 or addr6, and prefix. */
enum {
	FLOWTRACK_A_TOP_ENTRY_FAMILY = 1, /* u8: AF_INET or AF_INET6 */
	FLOWTRACK_A_TOP_ENTRY_ADDR4,	/* u32, network byte order */
	FLOWTRACK_A_TOP_ENTRY_ADDR6,	/* binary, 16 bytes */
	FLOWTRACK_A_TOP_ENTRY_PREFIX,	/* u8: bits of the address */
	FLOWTRACK_A_TOP_ENTRY_L4PROTO,	/* u8: of a service: IPPROTO_* */
	FLOWTRACK_A_TOP_ENTRY_PORT,	/* u16, network byte order: likewise */
	FLOWTRACK_A_TOP_ENTRY_FLOWS,	/* u32: flows, own and guarded */
	FLOWTRACK_A_TOP_ENTRY_RATE,	/* u32: new ones per second, of both */
	FLOWTRACK_A_TOP_ENTRY_SHARE,	/* u32: per mille of what it is ordered by */
	FLOWTRACK_A_TOP_ENTRY_GUARDED,	/* u32: of flows, guarded ones */
	FLOWTRACK_A_TOP_ENTRY_BYTES,	/* u64: of flows, both directions */
	FLOWTRACK_A_TOP_ENTRY_PAD,

	__FLOWTRACK_A_TOP_ENTRY_MAX,
	FLOWTRACK_A_TOP_ENTRY_MAX = (__FLOWTRACK_A_TOP_ENTRY_MAX - 1)
};

/* How many flows there are of each kind. */
enum {
	FLOWTRACK_A_COUNT_BY = 1,	/* u8: enum flowtrack_count_by */
	FLOWTRACK_A_COUNT_FILTER,	/* nest: filter: which; requests only */
	FLOWTRACK_A_COUNT_LIMIT,	/* u32: entries at most; requests only */
	FLOWTRACK_A_COUNT_TOTAL,	/* u32: flows that were counted */
	FLOWTRACK_A_COUNT_OTHERS,	/* u32: of these, flows that no entry has */
	FLOWTRACK_A_COUNT_SHORT_BY,	/* u32: an entry may be too low by so many; 0: exact */
	FLOWTRACK_A_COUNT_ENTRY,	/* nest: count-entry, one for each kind */

	__FLOWTRACK_A_COUNT_MAX,
	FLOWTRACK_A_COUNT_MAX = (__FLOWTRACK_A_COUNT_MAX - 1)
};

/* An entry has what it is counted by: a state with its protocol. */
enum {
	FLOWTRACK_A_COUNT_ENTRY_FLOWS = 1, /* u32 */
	FLOWTRACK_A_COUNT_ENTRY_CLASS,	/* u8: enum flowtrack_class */
	FLOWTRACK_A_COUNT_ENTRY_L4PROTO, /* u8: IPPROTO_* */
	FLOWTRACK_A_COUNT_ENTRY_STATE,	/* u8: by protocol */
	FLOWTRACK_A_COUNT_ENTRY_ZONE,	/* u16 */
	FLOWTRACK_A_COUNT_ENTRY_MARK,	/* u32 */
	FLOWTRACK_A_COUNT_ENTRY_SOURCE,	/* nest: top-entry: family, address, prefix */

	__FLOWTRACK_A_COUNT_ENTRY_MAX,
	FLOWTRACK_A_COUNT_ENTRY_MAX = (__FLOWTRACK_A_COUNT_ENTRY_MAX - 1)
};

/* A watermark was crossed: what fills the table, and what was done about it. */
enum {
	FLOWTRACK_A_PRESSURE_LEVEL = 1,	/* u8: enum flowtrack_level */
	FLOWTRACK_A_PRESSURE_COUNT,	/* u32: flows */
	FLOWTRACK_A_PRESSURE_ROOM,	/* u32: max-flows less reserved */
	FLOWTRACK_A_PRESSURE_FILL,	/* u32: count, per mille of room */
	FLOWTRACK_A_PRESSURE_RATE,	/* u32: new own flows per second */
	FLOWTRACK_A_PRESSURE_CLOSING,	/* u32: flows, by class */
	FLOWTRACK_A_PRESSURE_EMBRYONIC,
	FLOWTRACK_A_PRESSURE_REPLIED,
	FLOWTRACK_A_PRESSURE_ASSURED,
	FLOWTRACK_A_PRESSURE_SOURCE,	/* nest: top-entry, holds most */
	FLOWTRACK_A_PRESSURE_SERVICE,	/* nest: top-entry, what most are to */
	FLOWTRACK_A_PRESSURE_POLICY,	/* u8: enum flowtrack_policy */
	FLOWTRACK_A_PRESSURE_ADAPTIVE_CLOSING, /* u32: permille of timeouts, by class */
	FLOWTRACK_A_PRESSURE_ADAPTIVE_EMBRYONIC,
	FLOWTRACK_A_PRESSURE_ADAPTIVE_REPLIED,
	FLOWTRACK_A_PRESSURE_ADAPTIVE_ASSURED,
	FLOWTRACK_A_PRESSURE_SINCE,	/* u64: ms since the last notification */
	FLOWTRACK_A_PRESSURE_EVICTED,	/* u64: flows evicted since */
	FLOWTRACK_A_PRESSURE_DROPPED,	/* u64: newcomers dropped since */
	FLOWTRACK_A_PRESSURE_PASSED,	/* u64: let through with no entry since */
	FLOWTRACK_A_PRESSURE_REFUSED,	/* u64: refused for their source since */
	FLOWTRACK_A_PRESSURE_SYSCTL,	/* string: the sysctl that helps */
	FLOWTRACK_A_PRESSURE_PAD,
	FLOWTRACK_A_PRESSURE_TABLE,	/* u8: enum flowtrack_tracker: whose table it is */

	__FLOWTRACK_A_PRESSURE_MAX,
	FLOWTRACK_A_PRESSURE_MAX = (__FLOWTRACK_A_PRESSURE_MAX - 1)
};

enum {
	FLOWTRACK_CMD_FLOW_GET = 1,
	FLOWTRACK_CMD_FLOW_ADD,
	FLOWTRACK_CMD_FLOW_DEL,
	FLOWTRACK_CMD_STATS_GET,
	FLOWTRACK_CMD_SETTINGS_GET,
	FLOWTRACK_CMD_SETTINGS_SET,
	FLOWTRACK_CMD_FLOW_NEW_NTF,
	FLOWTRACK_CMD_FLOW_UPDATE_NTF,
	FLOWTRACK_CMD_FLOW_DESTROY_NTF,
	FLOWTRACK_CMD_TOP_GET,
	FLOWTRACK_CMD_PRESSURE_NTF,
	FLOWTRACK_CMD_COUNT_GET,

	__FLOWTRACK_CMD_MAX,
	FLOWTRACK_CMD_MAX = (__FLOWTRACK_CMD_MAX - 1)
};

#endif /* _UAPI_LINUX_NF_FLOWTRACK_H */
