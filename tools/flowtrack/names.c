// SPDX-License-Identifier: GPL-2.0
/*
 * The words for the numbers of the netlink interface: tables, and what looks
 * something up in them.
 */
#include <linux/nf_flowtrack.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "flows.h"
#include "names.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define NAMES(table)	{ .name = (table), .n = ARRAY_SIZE(table) }

static const char * const tcp_states[] = {
	[FLOWTRACK_TCP_STATE_NONE] = "none",
	[FLOWTRACK_TCP_STATE_SYN_SENT] = "syn_sent",
	[FLOWTRACK_TCP_STATE_SYN_RECV] = "syn_recv",
	[FLOWTRACK_TCP_STATE_ESTABLISHED] = "established",
	[FLOWTRACK_TCP_STATE_FIN_WAIT] = "fin_wait",
	[FLOWTRACK_TCP_STATE_CLOSE_WAIT] = "close_wait",
	[FLOWTRACK_TCP_STATE_LAST_ACK] = "last_ack",
	[FLOWTRACK_TCP_STATE_TIME_WAIT] = "time_wait",
	[FLOWTRACK_TCP_STATE_CLOSE] = "close",
	[FLOWTRACK_TCP_STATE_SYN_SENT2] = "syn_sent2",
};

static const char * const sctp_states[] = {
	[FLOWTRACK_SCTP_STATE_NONE] = "none",
	[FLOWTRACK_SCTP_STATE_CLOSED] = "closed",
	[FLOWTRACK_SCTP_STATE_COOKIE_WAIT] = "cookie_wait",
	[FLOWTRACK_SCTP_STATE_COOKIE_ECHOED] = "cookie_echoed",
	[FLOWTRACK_SCTP_STATE_ESTABLISHED] = "established",
	[FLOWTRACK_SCTP_STATE_SHUTDOWN_SENT] = "shutdown_sent",
	[FLOWTRACK_SCTP_STATE_SHUTDOWN_RECD] = "shutdown_recd",
	[FLOWTRACK_SCTP_STATE_SHUTDOWN_ACK_SENT] = "shutdown_ack_sent",
	[FLOWTRACK_SCTP_STATE_HEARTBEAT_SENT] = "heartbeat_sent",
};

static const char * const flow_states[] = {
	[FLOWTRACK_FLOW_STATE_UNREPLIED] = "unreplied",
	[FLOWTRACK_FLOW_STATE_REPLIED] = "replied",
	[FLOWTRACK_FLOW_STATE_STREAM] = "stream",
};

static const char * const classes[] = {
	[FLOWTRACK_CLASS_CLOSING] = "closing",
	[FLOWTRACK_CLASS_EMBRYONIC] = "embryonic",
	[FLOWTRACK_CLASS_REPLIED] = "replied",
	[FLOWTRACK_CLASS_ASSURED] = "assured",
};

static const char * const reasons[] = {
	[FLOWTRACK_REASON_TIMEOUT] = "timeout",
	[FLOWTRACK_REASON_CLOSED] = "closed",
	[FLOWTRACK_REASON_EVICTED] = "evicted",
	[FLOWTRACK_REASON_DELETED] = "deleted",
	[FLOWTRACK_REASON_FLUSHED] = "flushed",
};

static const char * const policies[] = {
	[FLOWTRACK_POLICY_EVICT] = "evict",
	[FLOWTRACK_POLICY_DROP] = "drop",
	[FLOWTRACK_POLICY_PASS] = "pass",
};

static const char * const trackers[] = {
	[FLOWTRACK_TRACKER_OWN] = "own",
	[FLOWTRACK_TRACKER_GUARDED] = "guarded",
};

static const char * const top_kinds[] = {
	[FLOWTRACK_TOP_KIND_SOURCE] = "source",
	[FLOWTRACK_TOP_KIND_DESTINATION] = "destination",
	[FLOWTRACK_TOP_KIND_SERVICE] = "service",
	[FLOWTRACK_TOP_KIND_EXTERNAL] = "external",
};

static const char * const top_orders[] = {
	[FLOWTRACK_TOP_ORDER_FLOWS] = "flows",
	[FLOWTRACK_TOP_ORDER_RATE] = "rate",
	[FLOWTRACK_TOP_ORDER_BYTES] = "bytes",
};

static const char * const count_bys[] = {
	[FLOWTRACK_COUNT_BY_CLASS] = "class",
	[FLOWTRACK_COUNT_BY_STATE] = "state",
	[FLOWTRACK_COUNT_BY_PROTO] = "proto",
	[FLOWTRACK_COUNT_BY_ZONE] = "zone",
	[FLOWTRACK_COUNT_BY_MARK] = "mark",
	[FLOWTRACK_COUNT_BY_SOURCE] = "source",
};

static const char * const levels[] = {
	[FLOWTRACK_LEVEL_LOW] = "low",
	[FLOWTRACK_LEVEL_HIGH] = "high",
};

/* Beside on and off. */
static const char * const enables[] = {
	[2] = "auto",
};

static const char * const adopts[] = { "auto", "always", "never" };

static const char * const nats[] = { "auto", "snat", "all", "never" };

static const char * const statuses[] = { "seen_reply", "assured" };

static const char * const stats[] = {
	[FLOWTRACK_A_STATS_CPU] = "cpu",
	[FLOWTRACK_A_STATS_FOUND] = "found",
	[FLOWTRACK_A_STATS_NEW] = "new",
	[FLOWTRACK_A_STATS_INSERT] = "insert",
	[FLOWTRACK_A_STATS_CLASH] = "clash",
	[FLOWTRACK_A_STATS_INVALID] = "invalid",
	[FLOWTRACK_A_STATS_UNTRACKED] = "untracked",
	[FLOWTRACK_A_STATS_BYPASS] = "bypass",
	[FLOWTRACK_A_STATS_RELATED] = "related",
	[FLOWTRACK_A_STATS_ADOPTED] = "adopted",
	[FLOWTRACK_A_STATS_EXPIRE] = "expire",
	[FLOWTRACK_A_STATS_CLOSE] = "close",
	[FLOWTRACK_A_STATS_DELETE] = "delete",
	[FLOWTRACK_A_STATS_FULL] = "full",
	[FLOWTRACK_A_STATS_EVICT_CLOSING] = "evict_closing",
	[FLOWTRACK_A_STATS_EVICT_EMBRYONIC] = "evict_embryonic",
	[FLOWTRACK_A_STATS_EVICT_REPLIED] = "evict_replied",
	[FLOWTRACK_A_STATS_EVICT_ASSURED] = "evict_assured",
	[FLOWTRACK_A_STATS_FULL_DROP] = "full_drop",
	[FLOWTRACK_A_STATS_FULL_PASS] = "full_pass",
	[FLOWTRACK_A_STATS_CHAIN_TOOLONG] = "chain_toolong",
	[FLOWTRACK_A_STATS_NOMEM] = "nomem",
	[FLOWTRACK_A_STATS_CARRIER_GROWN] = "carrier_grown",
	[FLOWTRACK_A_STATS_CARRIER_NONE] = "carrier_none",
	[FLOWTRACK_A_STATS_NAT_PORTS_FULL] = "nat_ports_full",
	[FLOWTRACK_A_STATS_NAT_EVICT] = "nat_evict",
	[FLOWTRACK_A_STATS_RESIZE] = "resize",
	[FLOWTRACK_A_STATS_EVENT_LOST] = "event_lost",
	[FLOWTRACK_A_STATS_EVICT_EXPIRED] = "evict_expired",
	[FLOWTRACK_A_STATS_EVICT_IDLE] = "evict_idle",
	[FLOWTRACK_A_STATS_EVICT_HEAVY] = "evict_heavy",
	[FLOWTRACK_A_STATS_EXPIRE_ADAPTIVE] = "expire_adaptive",
	[FLOWTRACK_A_STATS_ADAPTIVE_CLOSING] = "adaptive_closing",
	[FLOWTRACK_A_STATS_ADAPTIVE_EMBRYONIC] = "adaptive_embryonic",
	[FLOWTRACK_A_STATS_ADAPTIVE_REPLIED] = "adaptive_replied",
	[FLOWTRACK_A_STATS_ADAPTIVE_ASSURED] = "adaptive_assured",
	[FLOWTRACK_A_STATS_RESERVED] = "reserved",
	[FLOWTRACK_A_STATS_GUARD_FULL] = "guard_full",
	[FLOWTRACK_A_STATS_GUARD_EVICT_CLOSING] = "guard_evict_closing",
	[FLOWTRACK_A_STATS_GUARD_EVICT_EMBRYONIC] = "guard_evict_embryonic",
	[FLOWTRACK_A_STATS_GUARD_EVICT_REPLIED] = "guard_evict_replied",
	[FLOWTRACK_A_STATS_GUARD_EVICT_ASSURED] = "guard_evict_assured",
	[FLOWTRACK_A_STATS_GUARD_DROP] = "guard_drop",
	[FLOWTRACK_A_STATS_GUARD_PASS] = "guard_pass",
	[FLOWTRACK_A_STATS_GUARD_FORGOT] = "guard_forgot",
	[FLOWTRACK_A_STATS_SRC_MAX_REFUSED] = "src_max_refused",
	[FLOWTRACK_A_STATS_SRC_RATE_REFUSED] = "src_rate_refused",
	[FLOWTRACK_A_STATS_SRC_PASS] = "src_pass",
	[FLOWTRACK_A_STATS_FULL_NOBODY] = "full_nobody",
	[FLOWTRACK_A_STATS_FULL_NOMEM] = "full_nomem",
	[FLOWTRACK_A_STATS_FULL_DROP_CLOSING] = "full_drop_closing",
	[FLOWTRACK_A_STATS_FULL_DROP_EMBRYONIC] = "full_drop_embryonic",
	[FLOWTRACK_A_STATS_FULL_DROP_REPLIED] = "full_drop_replied",
	[FLOWTRACK_A_STATS_FULL_DROP_ASSURED] = "full_drop_assured",
	[FLOWTRACK_A_STATS_FULL_PASS_CLOSING] = "full_pass_closing",
	[FLOWTRACK_A_STATS_FULL_PASS_EMBRYONIC] = "full_pass_embryonic",
	[FLOWTRACK_A_STATS_FULL_PASS_REPLIED] = "full_pass_replied",
	[FLOWTRACK_A_STATS_FULL_PASS_ASSURED] = "full_pass_assured",
	[FLOWTRACK_A_STATS_RESERVED_USED] = "reserved_used",
	[FLOWTRACK_A_STATS_FLOWS] = "flows",
	[FLOWTRACK_A_STATS_FLOWS_MAX] = "flows_max",
	[FLOWTRACK_A_STATS_FLOWS_FILL] = "flows_fill",
	[FLOWTRACK_A_STATS_FLOWS_CLOSING] = "flows_closing",
	[FLOWTRACK_A_STATS_FLOWS_EMBRYONIC] = "flows_embryonic",
	[FLOWTRACK_A_STATS_FLOWS_REPLIED] = "flows_replied",
	[FLOWTRACK_A_STATS_FLOWS_ASSURED] = "flows_assured",
	[FLOWTRACK_A_STATS_GUARDED] = "guarded",
	[FLOWTRACK_A_STATS_GUARDED_CLOSING] = "guarded_closing",
	[FLOWTRACK_A_STATS_GUARDED_EMBRYONIC] = "guarded_embryonic",
	[FLOWTRACK_A_STATS_GUARDED_REPLIED] = "guarded_replied",
	[FLOWTRACK_A_STATS_GUARDED_ASSURED] = "guarded_assured",
	[FLOWTRACK_A_STATS_CONNTRACK] = "conntrack",
	[FLOWTRACK_A_STATS_CONNTRACK_MAX] = "conntrack_max",
	[FLOWTRACK_A_STATS_CONNTRACK_FILL] = "conntrack_fill",
	[FLOWTRACK_A_STATS_LOOKAHEAD] = "lookahead",
};

static const char * const sorts[] = {
	[ORDER_BYTES] = "bytes",
	[ORDER_PACKETS] = "packets",
	[ORDER_AGE] = "age",
};

static const char * const events[] = { "new", "update", "destroy" };

const struct names event_names = NAMES(events);
const struct names sort_names = NAMES(sorts);
const struct names tcp_state_names = NAMES(tcp_states);
const struct names sctp_state_names = NAMES(sctp_states);
const struct names flow_state_names = NAMES(flow_states);
const struct names class_names = NAMES(classes);
const struct names reason_names = NAMES(reasons);
const struct names tracker_names = NAMES(trackers);
const struct names policy_names = NAMES(policies);
const struct names adopt_names = NAMES(adopts);
const struct names nat_names = NAMES(nats);
const struct names enable_names = NAMES(enables);
const struct names top_kind_names = NAMES(top_kinds);
const struct names top_order_names = NAMES(top_orders);
const struct names count_by_names = NAMES(count_bys);
const struct names level_names = NAMES(levels);
const struct names status_names = NAMES(statuses);
const struct names stats_names = NAMES(stats);

static const struct {
	const char *name;
	__u8 proto;
} protos[] = {
	{ "tcp", IPPROTO_TCP },
	{ "udp", IPPROTO_UDP },
	{ "udplite", IPPROTO_UDPLITE },
	{ "icmp", IPPROTO_ICMP },
	{ "icmpv6", IPPROTO_ICMPV6 },
	{ "sctp", IPPROTO_SCTP },
	{ "gre", IPPROTO_GRE },
};

#define SETTING(n, k)	{ .name = (n), .kind = SETTING_##k }
#define NUMBER(n)	SETTING(n, NUMBER)
#define SWITCH(n)	SETTING(n, SWITCH)
#define FOLLOWS(n, k)	{ .name = (n), .kind = SETTING_##k, .follows = true }
#define HEX(n)		SETTING(n, HEX)
#define SECONDS(n)	FOLLOWS(n, SECONDS)
#define READONLY(n)	{ .name = (n), .readonly = true }
#define SWITCH_OR(n, w)	{ .name = (n), .kind = SETTING_SWITCH, .names = &(w) }
#define NAMED(n, w)	{ .name = (n), .kind = SETTING_NAME, .names = &(w) }

const struct setting settings[__FLOWTRACK_A_SETTINGS_MAX] = {
	[FLOWTRACK_A_SETTINGS_ENABLE] = SWITCH_OR("enable", enable_names),
	[FLOWTRACK_A_SETTINGS_MAX_FLOWS] = NUMBER("max"),
	[FLOWTRACK_A_SETTINGS_COUNT] = READONLY("count"),
	[FLOWTRACK_A_SETTINGS_BUCKETS] = SETTING("buckets", AUTOMATIC),
	[FLOWTRACK_A_SETTINGS_FULL_POLICY] = NAMED("full_policy", policy_names),
	[FLOWTRACK_A_SETTINGS_FULL_FALLBACK] =
		NAMED("full_fallback", policy_names),
	[FLOWTRACK_A_SETTINGS_ADOPT] = NAMED("adopt", adopt_names),
	[FLOWTRACK_A_SETTINGS_NAT] = NAMED("nat", nat_names),
	[FLOWTRACK_A_SETTINGS_BYPASS_MARK] = HEX("bypass_mark"),
	[FLOWTRACK_A_SETTINGS_BYPASS_MASK] = HEX("bypass_mask"),
	[FLOWTRACK_A_SETTINGS_ACCT] = FOLLOWS("acct", SWITCH),
	[FLOWTRACK_A_SETTINGS_TIMESTAMP] = FOLLOWS("timestamp", SWITCH),
	[FLOWTRACK_A_SETTINGS_CHECKSUM] = FOLLOWS("checksum", SWITCH),
	[FLOWTRACK_A_SETTINGS_LOG_INVALID] = FOLLOWS("log_invalid", NUMBER),
	[FLOWTRACK_A_SETTINGS_EVENTS] = SWITCH("events"),
	[FLOWTRACK_A_SETTINGS_TCP_LOOSE] = FOLLOWS("tcp_loose", SWITCH),
	[FLOWTRACK_A_SETTINGS_TCP_BE_LIBERAL] = FOLLOWS("tcp_be_liberal", SWITCH),
	[FLOWTRACK_A_SETTINGS_TCP_IGNORE_INVALID_RST] =
		FOLLOWS("tcp_ignore_invalid_rst", SWITCH),
	[FLOWTRACK_A_SETTINGS_TCP_MAX_RETRANS] = FOLLOWS("tcp_max_retrans", NUMBER),
	[FLOWTRACK_A_SETTINGS_GENERIC_TIMEOUT] = SECONDS("generic_timeout"),
	[FLOWTRACK_A_SETTINGS_TCP_TIMEOUT_SYN_SENT] =
		SECONDS("tcp_timeout_syn_sent"),
	[FLOWTRACK_A_SETTINGS_TCP_TIMEOUT_SYN_RECV] =
		SECONDS("tcp_timeout_syn_recv"),
	[FLOWTRACK_A_SETTINGS_TCP_TIMEOUT_ESTABLISHED] =
		SECONDS("tcp_timeout_established"),
	[FLOWTRACK_A_SETTINGS_TCP_TIMEOUT_FIN_WAIT] =
		SECONDS("tcp_timeout_fin_wait"),
	[FLOWTRACK_A_SETTINGS_TCP_TIMEOUT_CLOSE_WAIT] =
		SECONDS("tcp_timeout_close_wait"),
	[FLOWTRACK_A_SETTINGS_TCP_TIMEOUT_LAST_ACK] =
		SECONDS("tcp_timeout_last_ack"),
	[FLOWTRACK_A_SETTINGS_TCP_TIMEOUT_TIME_WAIT] =
		SECONDS("tcp_timeout_time_wait"),
	[FLOWTRACK_A_SETTINGS_TCP_TIMEOUT_CLOSE] = SECONDS("tcp_timeout_close"),
	[FLOWTRACK_A_SETTINGS_TCP_TIMEOUT_MAX_RETRANS] =
		SECONDS("tcp_timeout_max_retrans"),
	[FLOWTRACK_A_SETTINGS_TCP_TIMEOUT_UNACKNOWLEDGED] =
		SECONDS("tcp_timeout_unacknowledged"),
	[FLOWTRACK_A_SETTINGS_UDP_TIMEOUT] = SECONDS("udp_timeout"),
	[FLOWTRACK_A_SETTINGS_UDP_TIMEOUT_STREAM] =
		SECONDS("udp_timeout_stream"),
	[FLOWTRACK_A_SETTINGS_ICMP_TIMEOUT] = SECONDS("icmp_timeout"),
	[FLOWTRACK_A_SETTINGS_ICMPV6_TIMEOUT] = SECONDS("icmpv6_timeout"),
	[FLOWTRACK_A_SETTINGS_SCTP_TIMEOUT_CLOSED] =
		SECONDS("sctp_timeout_closed"),
	[FLOWTRACK_A_SETTINGS_SCTP_TIMEOUT_COOKIE_WAIT] =
		SECONDS("sctp_timeout_cookie_wait"),
	[FLOWTRACK_A_SETTINGS_SCTP_TIMEOUT_COOKIE_ECHOED] =
		SECONDS("sctp_timeout_cookie_echoed"),
	[FLOWTRACK_A_SETTINGS_SCTP_TIMEOUT_ESTABLISHED] =
		SECONDS("sctp_timeout_established"),
	[FLOWTRACK_A_SETTINGS_SCTP_TIMEOUT_SHUTDOWN_SENT] =
		SECONDS("sctp_timeout_shutdown_sent"),
	[FLOWTRACK_A_SETTINGS_SCTP_TIMEOUT_SHUTDOWN_RECD] =
		SECONDS("sctp_timeout_shutdown_recd"),
	[FLOWTRACK_A_SETTINGS_SCTP_TIMEOUT_SHUTDOWN_ACK_SENT] =
		SECONDS("sctp_timeout_shutdown_ack_sent"),
	[FLOWTRACK_A_SETTINGS_SCTP_TIMEOUT_HEARTBEAT_SENT] =
		SECONDS("sctp_timeout_heartbeat_sent"),
	[FLOWTRACK_A_SETTINGS_GRE_TIMEOUT] = SECONDS("gre_timeout"),
	[FLOWTRACK_A_SETTINGS_GRE_TIMEOUT_STREAM] =
		SECONDS("gre_timeout_stream"),
	[FLOWTRACK_A_SETTINGS_SRC_PREFIX4] = NUMBER("src_prefix4"),
	[FLOWTRACK_A_SETTINGS_SRC_PREFIX6] = NUMBER("src_prefix6"),
	[FLOWTRACK_A_SETTINGS_ADAPTIVE_START] = NUMBER("adaptive_start"),
	[FLOWTRACK_A_SETTINGS_ADAPTIVE_END] = NUMBER("adaptive_end"),
	[FLOWTRACK_A_SETTINGS_RESERVED] = NUMBER("reserved"),
	[FLOWTRACK_A_SETTINGS_RESERVED_MARK] = HEX("reserved_mark"),
	[FLOWTRACK_A_SETTINGS_RESERVED_MASK] = HEX("reserved_mask"),
	[FLOWTRACK_A_SETTINGS_LOOKAHEAD] = SWITCH_OR("lookahead", enable_names),
	[FLOWTRACK_A_SETTINGS_GUARD] = SWITCH("guard"),
	[FLOWTRACK_A_SETTINGS_GUARDED] = READONLY("guarded"),
	[FLOWTRACK_A_SETTINGS_BUCKETS_AUTO] = READONLY("buckets_auto"),
	[FLOWTRACK_A_SETTINGS_SRC_COUNT] = READONLY("src_count"),
	[FLOWTRACK_A_SETTINGS_SRC_MAX] = NUMBER("src_max"),
	[FLOWTRACK_A_SETTINGS_SRC_RATE] = NUMBER("src_rate"),
	[FLOWTRACK_A_SETTINGS_SRC_BURST] = NUMBER("src_burst"),
	[FLOWTRACK_A_SETTINGS_SRC_POLICY] = NAMED("src_policy", policy_names),
	[FLOWTRACK_A_SETTINGS_WATERMARK_LOW] = NUMBER("watermark_low"),
	[FLOWTRACK_A_SETTINGS_WATERMARK_HIGH] = NUMBER("watermark_high"),
};

static const char * const tuple_attr[] = {
	[FLOWTRACK_A_TUPLE_SRC4] = "src4",
	[FLOWTRACK_A_TUPLE_DST4] = "dst4",
	[FLOWTRACK_A_TUPLE_SRC6] = "src6",
	[FLOWTRACK_A_TUPLE_DST6] = "dst6",
	[FLOWTRACK_A_TUPLE_SPORT] = "sport",
	[FLOWTRACK_A_TUPLE_DPORT] = "dport",
	[FLOWTRACK_A_TUPLE_ICMP_ID] = "icmp_id",
	[FLOWTRACK_A_TUPLE_ICMP_TYPE] = "icmp_type",
	[FLOWTRACK_A_TUPLE_ICMP_CODE] = "icmp_code",
	[FLOWTRACK_A_TUPLE_GRE_KEY] = "gre_key",
};

static const char * const counters_attr[] = {
	[FLOWTRACK_A_COUNTERS_PACKETS] = "packets",
	[FLOWTRACK_A_COUNTERS_BYTES] = "bytes",
};

static const char * const tcp_dir_attr[] = {
	[FLOWTRACK_A_TCP_DIR_END] = "end",
	[FLOWTRACK_A_TCP_DIR_MAXEND] = "maxend",
	[FLOWTRACK_A_TCP_DIR_MAXWIN] = "maxwin",
	[FLOWTRACK_A_TCP_DIR_MAXACK] = "maxack",
	[FLOWTRACK_A_TCP_DIR_SCALE] = "scale",
	[FLOWTRACK_A_TCP_DIR_FLAGS] = "flags",
};

static const char * const filter_attr[] = {
	[FLOWTRACK_A_FILTER_FAMILY] = "family",
	[FLOWTRACK_A_FILTER_L4PROTO] = "l4proto",
	[FLOWTRACK_A_FILTER_SRC] = "src",
	[FLOWTRACK_A_FILTER_SRC_PREFIX] = "src_prefix",
	[FLOWTRACK_A_FILTER_DST] = "dst",
	[FLOWTRACK_A_FILTER_DST_PREFIX] = "dst_prefix",
	[FLOWTRACK_A_FILTER_SPORT_MIN] = "sport_min",
	[FLOWTRACK_A_FILTER_SPORT_MAX] = "sport_max",
	[FLOWTRACK_A_FILTER_DPORT_MIN] = "dport_min",
	[FLOWTRACK_A_FILTER_DPORT_MAX] = "dport_max",
	[FLOWTRACK_A_FILTER_STATE] = "state",
	[FLOWTRACK_A_FILTER_CLASS] = "class",
	[FLOWTRACK_A_FILTER_MARK] = "mark",
	[FLOWTRACK_A_FILTER_MARK_MASK] = "mark_mask",
	[FLOWTRACK_A_FILTER_ZONE] = "zone",
	[FLOWTRACK_A_FILTER_AGE_MIN] = "age_min",
	[FLOWTRACK_A_FILTER_AGE_MAX] = "age_max",
	[FLOWTRACK_A_FILTER_TRACKER] = "tracker",
	[FLOWTRACK_A_FILTER_REPLY_SRC] = "reply_src",
	[FLOWTRACK_A_FILTER_REPLY_SRC_PREFIX] = "reply_src_prefix",
	[FLOWTRACK_A_FILTER_REPLY_DST] = "reply_dst",
	[FLOWTRACK_A_FILTER_REPLY_DST_PREFIX] = "reply_dst_prefix",
	[FLOWTRACK_A_FILTER_REPLY_SPORT_MIN] = "reply_sport_min",
	[FLOWTRACK_A_FILTER_REPLY_SPORT_MAX] = "reply_sport_max",
	[FLOWTRACK_A_FILTER_REPLY_DPORT_MIN] = "reply_dport_min",
	[FLOWTRACK_A_FILTER_REPLY_DPORT_MAX] = "reply_dport_max",
	[FLOWTRACK_A_FILTER_HOST] = "host",
	[FLOWTRACK_A_FILTER_HOST_PREFIX] = "host_prefix",
	[FLOWTRACK_A_FILTER_PORT_MIN] = "port_min",
	[FLOWTRACK_A_FILTER_PORT_MAX] = "port_max",
	[FLOWTRACK_A_FILTER_ANY] = "any",
	[FLOWTRACK_A_FILTER_NOT] = "not",
};

static const char * const flow_attr[] = {
	[FLOWTRACK_A_FLOW_ID] = "id",
	[FLOWTRACK_A_FLOW_FAMILY] = "family",
	[FLOWTRACK_A_FLOW_L4PROTO] = "l4proto",
	[FLOWTRACK_A_FLOW_ZONE] = "zone",
	[FLOWTRACK_A_FLOW_ORIG] = "orig",
	[FLOWTRACK_A_FLOW_REPLY] = "reply",
	[FLOWTRACK_A_FLOW_STATE] = "state",
	[FLOWTRACK_A_FLOW_CLASS] = "class",
	[FLOWTRACK_A_FLOW_STATUS] = "status",
	[FLOWTRACK_A_FLOW_TIMEOUT] = "timeout",
	[FLOWTRACK_A_FLOW_MARK] = "mark",
	[FLOWTRACK_A_FLOW_COUNTERS_ORIG] = "counters_orig",
	[FLOWTRACK_A_FLOW_COUNTERS_REPLY] = "counters_reply",
	[FLOWTRACK_A_FLOW_AGE] = "age",
	[FLOWTRACK_A_FLOW_START] = "start",
	[FLOWTRACK_A_FLOW_STOP] = "stop",
	[FLOWTRACK_A_FLOW_TCP_ORIG] = "tcp_orig",
	[FLOWTRACK_A_FLOW_TCP_REPLY] = "tcp_reply",
	[FLOWTRACK_A_FLOW_VTAG_ORIG] = "vtag_orig",
	[FLOWTRACK_A_FLOW_VTAG_REPLY] = "vtag_reply",
	[FLOWTRACK_A_FLOW_REASON] = "reason",
	[FLOWTRACK_A_FLOW_FILTER] = "filter",
	[FLOWTRACK_A_FLOW_DELETED] = "deleted",
	[FLOWTRACK_A_FLOW_TRACKER] = "tracker",
	[FLOWTRACK_A_FLOW_MASQ] = "masq",
	[FLOWTRACK_A_FLOW_SHOW] = "show",
	[FLOWTRACK_A_FLOW_DIGEST] = "digest",
};

#define ATTRS(table)	{ .name = (table), .n = ARRAY_SIZE(table) }

static const struct attr_names tuple_attrs = ATTRS(tuple_attr);
static const struct attr_names counters_attrs = ATTRS(counters_attr);
static const struct attr_names tcp_dir_attrs = ATTRS(tcp_dir_attr);
static const struct attr_names filter_attrs;

static const char * const any_attr[] = {
	[FLOWTRACK_A_ANY_FILTER] = "filter",
};

static const struct attr_names * const any_nested[ARRAY_SIZE(any_attr)] = {
	[FLOWTRACK_A_ANY_FILTER] = &filter_attrs,
};

static const struct attr_names any_attrs = {
	.name = any_attr,
	.n = ARRAY_SIZE(any_attr),
	.nested = any_nested,
};

static const struct attr_names * const filter_nested[ARRAY_SIZE(filter_attr)] = {
	[FLOWTRACK_A_FILTER_ANY] = &any_attrs,
	[FLOWTRACK_A_FILTER_NOT] = &filter_attrs,
};

static const struct attr_names filter_attrs = {
	.name = filter_attr,
	.n = ARRAY_SIZE(filter_attr),
	.nested = filter_nested,
};

static const struct attr_names * const flow_nested[ARRAY_SIZE(flow_attr)] = {
	[FLOWTRACK_A_FLOW_ORIG] = &tuple_attrs,
	[FLOWTRACK_A_FLOW_REPLY] = &tuple_attrs,
	[FLOWTRACK_A_FLOW_COUNTERS_ORIG] = &counters_attrs,
	[FLOWTRACK_A_FLOW_COUNTERS_REPLY] = &counters_attrs,
	[FLOWTRACK_A_FLOW_TCP_ORIG] = &tcp_dir_attrs,
	[FLOWTRACK_A_FLOW_TCP_REPLY] = &tcp_dir_attrs,
	[FLOWTRACK_A_FLOW_FILTER] = &filter_attrs,
};

const struct attr_names flow_attrs = {
	.name = flow_attr,
	.n = ARRAY_SIZE(flow_attr),
	.nested = flow_nested,
};

const struct attr_names stats_attrs = ATTRS(stats);

static const char * const top_attr[] = {
	[FLOWTRACK_A_TOP_KIND] = "kind",
	[FLOWTRACK_A_TOP_ORDER] = "order",
	[FLOWTRACK_A_TOP_LIMIT] = "limit",
	[FLOWTRACK_A_TOP_TOTAL] = "total",
	[FLOWTRACK_A_TOP_SAMPLED] = "sampled",
	[FLOWTRACK_A_TOP_EXACT] = "exact",
	[FLOWTRACK_A_TOP_WINDOW] = "window",
	[FLOWTRACK_A_TOP_BIRTHS] = "births",
	[FLOWTRACK_A_TOP_RATE] = "rate",
	[FLOWTRACK_A_TOP_ENTRY] = "entry",
	[FLOWTRACK_A_TOP_GUARDED] = "guarded",
	[FLOWTRACK_A_TOP_BYTES] = "bytes",
};

const struct attr_names top_attrs = ATTRS(top_attr);

static const char * const count_attr[] = {
	[FLOWTRACK_A_COUNT_BY] = "by",
	[FLOWTRACK_A_COUNT_FILTER] = "filter",
	[FLOWTRACK_A_COUNT_LIMIT] = "limit",
	[FLOWTRACK_A_COUNT_TOTAL] = "total",
	[FLOWTRACK_A_COUNT_OTHERS] = "others",
	[FLOWTRACK_A_COUNT_SHORT_BY] = "short_by",
	[FLOWTRACK_A_COUNT_ENTRY] = "entry",
};

static const struct attr_names * const count_nested[ARRAY_SIZE(count_attr)] = {
	[FLOWTRACK_A_COUNT_FILTER] = &filter_attrs,
};

const struct attr_names count_attrs = {
	.name = count_attr,
	.n = ARRAY_SIZE(count_attr),
	.nested = count_nested,
};

/* The settings are named in one place, settings[]. */
const struct attr_names *settings_attrs(void)
{
	static const char *name[__FLOWTRACK_A_SETTINGS_MAX];
	static const struct attr_names attrs = ATTRS(name);
	unsigned int i;

	for (i = 0; i < attrs.n; i++)
		name[i] = settings[i].name;
	return &attrs;
}

/**
 * name_of() - the word for a value
 * @names: table
 * @value: value
 *
 * Return: NULL if this tool has no word for it.
 */
const char *name_of(const struct names *names, unsigned int value)
{
	return value < names->n ? names->name[value] : NULL;
}

/* Words differ neither by case nor by - and _. */
bool same_word(const char *a, const char *b)
{
	for (; *a || *b; a++, b++) {
		char x = *a == '-' ? '_' : *a;
		char y = *b == '-' ? '_' : *b;

		if (x >= 'A' && x <= 'Z')
			x += 'a' - 'A';
		if (y >= 'A' && y <= 'Z')
			y += 'a' - 'A';
		if (x != y)
			return false;
	}
	return true;
}

/**
 * value_of() - the value of a word
 * @names: table
 * @word: word
 *
 * Return: negative if there is none.
 */
int value_of(const struct names *names, const char *word)
{
	unsigned int i;

	for (i = 0; i < names->n; i++)
		if (names->name[i] && same_word(names->name[i], word))
			return i;
	return -1;
}

/* All words of a table, for error messages. */
void name_list(const struct names *names, char *buf, size_t size)
{
	size_t len = 0;
	unsigned int i;

	buf[0] = '\0';
	for (i = 0; i < names->n && len < size; i++)
		if (names->name[i])
			len += snprintf(buf + len, size - len, "%s%s",
					len ? ", " : "", names->name[i]);
}

/* Insertions, deletions, replacements and swaps that make @b out of @a. */
static unsigned int distance(const char *a, const char *b)
{
	unsigned int row[3][33], i, j, best;
	size_t n = strlen(a), m = strlen(b);

	if (n > 32 || m > 32)
		return 99;
	for (j = 0; j <= m; j++)
		row[0][j] = j;
	for (i = 1; i <= n; i++) {
		unsigned int *cur = row[i % 3], *up = row[(i - 1) % 3];

		cur[0] = i;
		for (j = 1; j <= m; j++) {
			best = up[j - 1] + (a[i - 1] != b[j - 1]);
			if (up[j] + 1 < best)
				best = up[j] + 1;
			if (cur[j - 1] + 1 < best)
				best = cur[j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
			    a[i - 2] == b[j - 1] &&
			    row[(i - 2) % 3][j - 2] + 1 < best)
				best = row[(i - 2) % 3][j - 2] + 1;
			cur[j] = best;
		}
	}
	return row[n % 3][m];
}

/**
 * close_word() - what a mistyped word may have meant
 * @word: as typed
 * @words: what there is; NULL entries are skipped
 * @n: how many
 *
 * Return: NULL if nothing is close.
 */
const char *close_word(const char *word, const char * const *words, size_t n)
{
	unsigned int limit = strlen(word) > 3 ? 2 : 1, d;
	const char *best = NULL;
	size_t i;

	for (i = 0; i < n; i++) {
		if (!words[i])
			continue;
		d = distance(word, words[i]);
		if (d <= limit) {
			best = words[i];
			limit = d ? d - 1 : 0;
			if (!d)
				break;
		}
	}
	return best;
}

/**
 * proto_name() - the word for a protocol
 * @proto: IPPROTO_*
 *
 * Return: NULL if it has no word of its own here; it is then "proto N".
 */
const char *proto_name(__u8 proto)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(protos); i++)
		if (protos[i].proto == proto)
			return protos[i].name;
	return NULL;
}

int proto_value(const char *word)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(protos); i++)
		if (same_word(protos[i].name, word))
			return protos[i].proto;
	return -1;
}

bool proto_has_ports(__u8 proto)
{
	return proto == IPPROTO_TCP || proto == IPPROTO_UDP ||
	       proto == IPPROTO_UDPLITE || proto == IPPROTO_SCTP ||
	       proto == IPPROTO_DCCP;
}

bool proto_is_icmp(__u8 proto)
{
	return proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6;
}

const struct names *proto_states(__u8 proto)
{
	switch (proto) {
	case IPPROTO_TCP:
		return &tcp_state_names;
	case IPPROTO_SCTP:
		return &sctp_state_names;
	default:
		return &flow_state_names;
	}
}

/**
 * setting_find() - the attribute of a setting
 * @name: suffix of its sysctl; the full name of the sysctl will do, too
 *
 * Return: FLOWTRACK_A_SETTINGS_*, or negative.
 */
int setting_find(const char *name)
{
	static const char prefix[] = "net.netfilter.";
	static const char prefix2[] = "nf_flowtrack_";
	unsigned int i;

	if (!strncmp(name, prefix, sizeof(prefix) - 1))
		name += sizeof(prefix) - 1;
	if (!strncmp(name, prefix2, sizeof(prefix2) - 1))
		name += sizeof(prefix2) - 1;
	for (i = 0; i < __FLOWTRACK_A_SETTINGS_MAX; i++)
		if (settings[i].name && same_word(settings[i].name, name))
			return i;
	return -1;
}

const char *setting_close(const char *name)
{
	const char *words[__FLOWTRACK_A_SETTINGS_MAX];
	unsigned int i;

	for (i = 0; i < __FLOWTRACK_A_SETTINGS_MAX; i++)
		words[i] = settings[i].name;
	return close_word(name, words, ARRAY_SIZE(words));
}
