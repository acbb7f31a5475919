// SPDX-License-Identifier: GPL-2.0
/*
 * Flows as JSON objects.
 *
 * Written directly: a flow through jansson took 5.6 us, 5.6 s for a million
 * of them, and its numbers read 53.999000000000002. What is written here is
 * read back with jansson by the unit tests.
 */
#include <arpa/inet.h>

#include "flow.h"
#include "json.h"
#include "names.h"
#include "out.h"

static char *put_name(char *p, const char *name, unsigned int value)
{
	*p++ = '"';
	p = name ? put_str(p, name) : put_u64(p, value);
	*p++ = '"';
	return p;
}

static char *put_window(char *p, const struct flow_tcp *t)
{
	p = put_lit(p, ",\"window\":{\"end\":");
	p = put_u64(p, t->end);
	p = put_lit(p, ",\"maxend\":");
	p = put_u64(p, t->maxend);
	p = put_lit(p, ",\"maxwin\":");
	p = put_u64(p, t->maxwin);
	p = put_lit(p, ",\"maxack\":");
	p = put_u64(p, t->maxack);
	p = put_lit(p, ",\"scale\":");
	p = put_u64(p, t->scale);
	p = put_lit(p, ",\"flags\":");
	p = put_u64(p, t->flags);
	*p++ = '}';
	return p;
}

static char *put_dir(char *p, const struct flow *f, const struct flow_tuple *t,
		     int dir, bool windows)
{
	bool v4 = t->has & TUPLE_BIT(SRC4);

	p = put_lit(p, "{\"src\":\"");
	p = v4 ? put_ip4(p, t->src) : put_ip6(p, t->src);
	p = put_lit(p, "\",\"dst\":\"");
	p = v4 ? put_ip4(p, t->dst) : put_ip6(p, t->dst);
	*p++ = '"';
	if (t->has & TUPLE_BIT(SPORT)) {
		p = put_lit(p, ",\"sport\":");
		p = put_u64(p, ntohs(t->sport));
		p = put_lit(p, ",\"dport\":");
		p = put_u64(p, ntohs(t->dport));
	}
	if (t->has & TUPLE_BIT(ICMP_ID)) {
		p = put_lit(p, ",\"type\":");
		p = put_u64(p, t->icmp_type);
		p = put_lit(p, ",\"code\":");
		p = put_u64(p, t->icmp_code);
		p = put_lit(p, ",\"id\":");
		p = put_u64(p, ntohs(t->icmp_id));
	}
	if (t->has & TUPLE_BIT(GRE_KEY)) {
		p = put_lit(p, ",\"key\":");
		p = put_u64(p, ntohl(t->gre_key));
	}
	if (flow_has(f, FLOWTRACK_A_FLOW_COUNTERS_ORIG + dir)) {
		p = put_lit(p, ",\"packets\":");
		p = put_u64(p, f->packets[dir]);
		p = put_lit(p, ",\"bytes\":");
		p = put_u64(p, f->bytes[dir]);
	}
	if (flow_has(f, FLOWTRACK_A_FLOW_VTAG_ORIG + dir)) {
		p = put_lit(p, ",\"vtag\":");
		p = put_u64(p, ntohl(f->vtag[dir]));
	}
	if (windows && flow_has(f, FLOWTRACK_A_FLOW_TCP_ORIG + dir))
		p = put_window(p, &f->tcp[dir]);
	*p++ = '}';
	return p;
}

/**
 * json_flow() - write a flow as a JSON object
 * @p: room for OUT_LINE bytes
 * @f: flow
 * @windows: with TCP's view of both directions
 *
 * Return: behind the closing brace.
 */
char *json_flow(char *p, const struct flow *f, bool windows)
{
	const struct flow_tuple *reply = &f->tuple[REPLY];
	struct flow_tuple inverted;

	*p++ = '{';
	if (flow_has(f, FLOWTRACK_A_FLOW_ID)) {
		/* A number of 64 bits is not safe with every reader. */
		p = put_lit(p, "\"id\":\"");
		p = put_u64(p, f->id);
		p = put_lit(p, "\",");
	}
	if (f->family == AF_INET)
		p = put_lit(p, "\"family\":\"ipv4\",\"proto\":");
	else
		p = put_lit(p, "\"family\":\"ipv6\",\"proto\":");
	p = put_name(p, proto_name(f->l4proto), f->l4proto);
	if (flow_has(f, FLOWTRACK_A_FLOW_STATE)) {
		p = put_lit(p, ",\"state\":");
		p = put_name(p, name_of(proto_states(f->l4proto), f->state),
			     f->state);
	}
	if (flow_has(f, FLOWTRACK_A_FLOW_TRACKER)) {
		p = put_lit(p, ",\"tracker\":");
		p = put_name(p, name_of(&tracker_names, f->tracker),
			     f->tracker);
	}
	if (flow_has(f, FLOWTRACK_A_FLOW_CLASS)) {
		p = put_lit(p, ",\"class\":");
		p = put_name(p, name_of(&class_names, f->class), f->class);
	}
	if (flow_has(f, FLOWTRACK_A_FLOW_STATUS)) {
		if (f->status & FLOWTRACK_STATUS_SEEN_REPLY)
			p = put_lit(p, ",\"seen_reply\":true");
		else
			p = put_lit(p, ",\"seen_reply\":false");
		if (f->status & FLOWTRACK_STATUS_ASSURED)
			p = put_lit(p, ",\"assured\":true");
		else
			p = put_lit(p, ",\"assured\":false");
	}
	if (flow_has(f, FLOWTRACK_A_FLOW_ORIG)) {
		if (!flow_has(f, FLOWTRACK_A_FLOW_REPLY)) {
			flow_invert(f, &inverted);
			reply = &inverted;
		}
		p = put_lit(p, ",\"orig\":");
		p = put_dir(p, f, &f->tuple[ORIG], ORIG, windows);
		p = put_lit(p, ",\"reply\":");
		p = put_dir(p, f, reply, REPLY, windows);
	}
	if (flow_has(f, FLOWTRACK_A_FLOW_TIMEOUT)) {
		p = put_lit(p, ",\"timeout\":");
		p = put_thousandths(p, f->timeout);
	}
	p = put_lit(p, ",\"mark\":");
	p = put_u64(p, flow_has(f, FLOWTRACK_A_FLOW_MARK) ? f->mark : 0);
	p = put_lit(p, ",\"zone\":");
	p = put_u64(p, flow_has(f, FLOWTRACK_A_FLOW_ZONE) ? f->zone : 0);
	if (flow_has(f, FLOWTRACK_A_FLOW_AGE)) {
		p = put_lit(p, ",\"age\":");
		p = put_thousandths(p, f->age);
	}
	if (flow_has(f, FLOWTRACK_A_FLOW_START)) {
		p = put_lit(p, ",\"start\":");
		p = put_billionths(p, f->start);
	}
	if (flow_has(f, FLOWTRACK_A_FLOW_STOP)) {
		p = put_lit(p, ",\"stop\":");
		p = put_billionths(p, f->stop);
	}
	if (flow_has(f, FLOWTRACK_A_FLOW_REASON)) {
		p = put_lit(p, ",\"reason\":");
		p = put_name(p, name_of(&reason_names, f->reason), f->reason);
	}
	*p++ = '}';
	return p;
}
