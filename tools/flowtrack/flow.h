/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A flow: read from a netlink message or from words, written to a request or
 * to a line of a saved table.
 */
#ifndef FT_FLOW_H
#define FT_FLOW_H

#include <linux/nf_flowtrack.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

struct nlmsghdr;

#define FLOW_DEVICE_SIZE	16	/* IFNAMSIZ */

/* Directions, and the index of everything that a flow has twice. */
enum { ORIG, REPLY };

/**
 * struct flow_tuple - one direction; bytes as on the wire
 * @has: bits by FLOWTRACK_A_TUPLE_*: what follows is known
 * @src: 4 or 16 bytes
 * @dst: likewise
 * @sport: port
 * @dport: port
 * @icmp_id: identifier
 * @icmp_type: of this direction
 * @icmp_code: code
 * @gre_key: key
 */
struct flow_tuple {
	__u32 has;
	__u8 src[16];
	__u8 dst[16];
	__be16 sport;
	__be16 dport;
	__be16 icmp_id;
	__u8 icmp_type;
	__u8 icmp_code;
	__be32 gre_key;
};

/**
 * struct flow_tcp - TCP's view of one direction, see FLOWTRACK_A_TCP_DIR_*
 */
struct flow_tcp {
	__u32 end;
	__u32 maxend;
	__u32 maxwin;
	__u32 maxack;
	__u8 scale;
	__u8 flags;
};

/**
 * struct flow - a flow
 * @has: bits by FLOWTRACK_A_FLOW_*: what follows is known
 * @id: see FLOWTRACK_A_FLOW_*, here and below
 * @timeout: milliseconds
 * @age: milliseconds
 * @start: nanoseconds since the epoch
 * @stop: nanoseconds since the epoch
 * @digest: of all that may change
 * @status: bits of enum flowtrack_status
 * @mark: mark
 * @zone: zone
 * @family: AF_INET or AF_INET6
 * @l4proto: IPPROTO_*
 * @state: by protocol
 * @class: enum flowtrack_class
 * @reason: enum flowtrack_reason
 * @tracker: enum flowtrack_tracker
 * @tuple: by direction
 * @packets: by direction
 * @bytes: by direction
 * @tcp: by direction
 * @vtag: by direction
 * @masq: name of the device whose address it has borrowed
 */
struct flow {
	__u32 has;
	__u64 id;
	__u64 timeout;
	__u64 age;
	__u64 start;
	__u64 stop;
	__u64 digest;
	__u32 status;
	__u32 mark;
	__u16 zone;
	__u8 family;
	__u8 l4proto;
	__u8 state;
	__u8 class;
	__u8 reason;
	__u8 tracker;
	struct flow_tuple tuple[2];
	__u64 packets[2];
	__u64 bytes[2];
	struct flow_tcp tcp[2];
	__be32 vtag[2];
	char masq[FLOW_DEVICE_SIZE];
};

#define FLOW_BIT(name)		(1U << FLOWTRACK_A_FLOW_##name)
#define TUPLE_BIT(name)		(1U << FLOWTRACK_A_TUPLE_##name)

static inline bool flow_has(const struct flow *f, unsigned int attr)
{
	return f->has >> attr & 1;
}

int flow_parse(const struct nlmsghdr *nlh, struct flow *f);
__u64 wall_clock(void);
void flow_guess_start(struct flow *f, __u64 now);
void flow_put(struct nlmsghdr *nlh, const struct flow *f);
bool flow_translated(const struct flow *f);
void flow_invert(const struct flow *f, struct flow_tuple *reply);

/* Which words flow_words() takes, beyond those of a tuple. */
#define WORDS_ID	1	/* "id N" alone will do */
#define WORDS_STATE	2	/* all that flow-add takes */

extern const struct names flow_keys, tuple_keys;

int flow_words(struct flow *f, int argc, char **argv, __u8 family, int which);
char *flow_answers(char *p, const struct flow *f);
char *flow_line(char *p, const struct flow *f);

#endif /* FT_FLOW_H */
