// SPDX-License-Identifier: GPL-2.0
/*
 * Flows as lines, and the printer that a dump feeds.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "cmd.h"
#include "err.h"
#include "json.h"
#include "names.h"
#include "print.h"

/* Columns: what most flows need. Longer fields push the rest to the right. */
enum {
	WIDTH_PROTO = 4,
	WIDTH_STATE = 11,
	WIDTH_ADDR4 = 19,	/* src=255.255.255.255 */
	WIDTH_ADDR6 = 29,
	WIDTH_PORT = 11,	/* sport=65535 */
};

/* The escape sequence that stands for a flow's class. */
const char *class_color(const struct flow *f)
{
	if (!flow_has(f, FLOWTRACK_A_FLOW_CLASS))
		return "";
	switch (f->class) {
	case FLOWTRACK_CLASS_ASSURED:
		return COLOR_GREEN;
	case FLOWTRACK_CLASS_REPLIED:
		return COLOR_CYAN;
	case FLOWTRACK_CLASS_EMBRYONIC:
		return COLOR_YELLOW;
	default:
		return COLOR_DIM;
	}
}

static inline char *end_field(char *p, const char *from, int width)
{
	if (width)
		return put_pad(p, from, width);
	*p++ = ' ';
	return p;
}

static inline char *put_word(char *p, const struct names *names, unsigned int v)
{
	const char *name = name_of(names, v);

	return name ? put_str(p, name) : put_u64(p, v);
}

static char *print_tuple(char *p, const struct flow *f, bool columns)
{
	const struct flow_tuple *t = &f->tuple[ORIG];
	const char *from = p;

	if (t->has & (TUPLE_BIT(SRC4) | TUPLE_BIT(SRC6))) {
		bool v4 = t->has & TUPLE_BIT(SRC4);
		int width = columns ? v4 ? WIDTH_ADDR4 : WIDTH_ADDR6 : 0;

		p = put_lit(p, "src=");
		p = v4 ? put_ip4(p, t->src) : put_ip6(p, t->src);
		p = end_field(p, from, width);
		from = p;
		p = put_lit(p, "dst=");
		p = v4 ? put_ip4(p, t->dst) : put_ip6(p, t->dst);
		p = end_field(p, from, width);
	}
	if (t->has & TUPLE_BIT(SPORT)) {
		from = p;
		p = put_lit(p, "sport=");
		p = put_u64(p, ntohs(t->sport));
		p = end_field(p, from, columns ? WIDTH_PORT : 0);
		from = p;
		p = put_lit(p, "dport=");
		p = put_u64(p, ntohs(t->dport));
		p = end_field(p, from, columns ? WIDTH_PORT : 0);
	} else if (t->has & TUPLE_BIT(ICMP_ID)) {
		from = p;
		p = put_lit(p, "type=");
		p = put_u64(p, t->icmp_type);
		p = put_lit(p, " code=");
		p = put_u64(p, t->icmp_code);
		p = put_lit(p, " icmpid=");
		p = put_u64(p, ntohs(t->icmp_id));
		p = end_field(p, from, columns ? 2 * WIDTH_PORT + 1 : 0);
	} else if (t->has & TUPLE_BIT(GRE_KEY)) {
		from = p;
		p = put_lit(p, "key=");
		p = put_hex(p, ntohl(t->gre_key));
		p = end_field(p, from, columns ? 2 * WIDTH_PORT + 1 : 0);
	} else if (columns) {
		p = put_pad(p, p, 2 * WIDTH_PORT + 1);
	}
	return p;
}

static char *print_counters(char *p, const struct flow *f)
{
	p = put_lit(p, "[packets=");
	p = put_u64(p, f->packets[ORIG]);
	p = put_lit(p, " bytes=");
	p = put_u64(p, f->bytes[ORIG]);
	p = put_lit(p, " | packets=");
	p = put_u64(p, f->packets[REPLY]);
	p = put_lit(p, " bytes=");
	p = put_u64(p, f->bytes[REPLY]);
	return put_lit(p, "] ");
}

static char *print_state(char *p, const struct flow *f, bool columns, bool color)
{
	const char *escape = color ? class_color(f) : "";
	const char *from;

	p = put_str(p, escape);
	/* where the word would begin without the escapes */
	from = p;
	p = put_word(p, proto_states(f->l4proto), f->state);
	if (*escape) {
		p = put_lit(p, COLOR_OFF);
		from += sizeof(COLOR_OFF) - 1;
	}
	return end_field(p, from, columns ? WIDTH_STATE : 0);
}

/* When it began and ended, which one it was, and why it ended. */
static char *print_life(char *p, const struct flow *f)
{
	if (flow_has(f, FLOWTRACK_A_FLOW_AGE)) {
		p = put_lit(p, "age=");
		p = put_u64(p, f->age / 1000);
		*p++ = ' ';
	}
	if (flow_has(f, FLOWTRACK_A_FLOW_START)) {
		p = put_lit(p, "start=");
		p = put_billionths(p, f->start);
		*p++ = ' ';
	}
	if (flow_has(f, FLOWTRACK_A_FLOW_STOP)) {
		p = put_lit(p, "stop=");
		p = put_billionths(p, f->stop);
		*p++ = ' ';
	}
	if (flow_has(f, FLOWTRACK_A_FLOW_ID)) {
		p = put_lit(p, "id=");
		p = put_u64(p, f->id);
		*p++ = ' ';
	}
	if (flow_has(f, FLOWTRACK_A_FLOW_REASON)) {
		p = put_lit(p, "reason=");
		p = put_word(p, &reason_names, f->reason);
		*p++ = ' ';
	}
	return p;
}

/**
 * print_flow() - write a flow as a line
 * @p: room for OUT_LINE bytes
 * @f: flow
 * @columns: align the fields
 * @color: with escape sequences
 *
 * The form is documented in flowtrack(8) and stable: fields may be added.
 *
 * Return: behind the last character; the newline is the caller's.
 */
char *print_flow(char *p, const struct flow *f, bool columns, bool color)
{
	const char *name = proto_name(f->l4proto), *from = p;

	if (name) {
		p = put_str(p, name);
	} else {
		p = put_lit(p, "proto=");
		p = put_u64(p, f->l4proto);
	}
	p = end_field(p, from, columns ? WIDTH_PROTO : 0);
	if (flow_has(f, FLOWTRACK_A_FLOW_STATE))
		p = print_state(p, f, columns, color);
	p = print_tuple(p, f, columns);
	if (f->has & (FLOW_BIT(COUNTERS_ORIG) | FLOW_BIT(COUNTERS_REPLY)))
		p = print_counters(p, f);
	if (flow_has(f, FLOWTRACK_A_FLOW_TIMEOUT)) {
		p = put_lit(p, "timeout=");
		p = put_u64(p, f->timeout / 1000);
		*p++ = ' ';
	}
	if (flow_has(f, FLOWTRACK_A_FLOW_MARK) && f->mark) {
		p = put_lit(p, "mark=");
		p = put_hex(p, f->mark);
		*p++ = ' ';
	}
	if (flow_has(f, FLOWTRACK_A_FLOW_ZONE) && f->zone) {
		p = put_lit(p, "zone=");
		p = put_u64(p, f->zone);
		*p++ = ' ';
	}
	/* Behind the blank that ends the field before, there is none to begin with. */
	p = flow_answers(p - 1, f);
	*p++ = ' ';
	if (flow_has(f, FLOWTRACK_A_FLOW_TRACKER)) {
		p = put_lit(p, "tracker=");
		p = put_word(p, &tracker_names, f->tracker);
		*p++ = ' ';
	}
	if (flow_has(f, FLOWTRACK_A_FLOW_CLASS)) {
		p = put_lit(p, "class=");
		p = put_word(p, &class_names, f->class);
		*p++ = ' ';
	}
	return print_life(p, f) - 1;
}

void printer_init(struct printer *p, struct out *o, const struct options *opts)
{
	p->o = o;
	p->form = opts->json ? PRINT_JSON :
		  opts->oneline ? PRINT_ONELINE : PRINT_COLUMNS;
	p->color = opts->color;
	p->windows = false;
	p->head = "";
	p->flows = 0;
}

void printer_begin(struct printer *p)
{
	if (p->form == PRINT_JSON)
		out_str(p->o, "[");
	else if (p->form == PRINT_SAVE)
		out_str(p->o, p->head);
}

/**
 * printer_flow() - print a flow
 * @pr: printer
 * @f: flow
 *
 * Return: negative to end the dump.
 */
int printer_flow(struct printer *pr, struct flow *f)
{
	char *p = out_room(pr->o);

	switch (pr->form) {
	case PRINT_JSON:
		if (pr->flows)
			*p++ = ',';
		*p++ = '\n';
		p = json_flow(p, f, pr->windows);
		break;
	case PRINT_SAVE:
		if (!flow_has(f, FLOWTRACK_A_FLOW_START))
			flow_guess_start(f, wall_clock());
		p = flow_line(p, f);
		break;
	default:
		p = print_flow(p, f, pr->form == PRINT_COLUMNS, pr->color);
		*p++ = '\n';
	}
	out_commit(pr->o, p);
	pr->flows++;
	return out_failed(pr->o) ? -EIO : 0;
}

/**
 * printer_message() - print the flow in a message
 * @nlh: message
 * @data: struct printer
 *
 * Return: negative to end the dump.
 */
int printer_message(const struct nlmsghdr *nlh, void *data)
{
	struct printer *pr = data;

	if (flow_parse(nlh, &pr->flow) < 0) {
		err_set(EXIT_REFUSED, "malformed message from the kernel");
		return -EBADMSG;
	}
	return printer_flow(pr, &pr->flow);
}

/**
 * printer_restart() - forget what was printed, if nothing has left yet
 * @data: struct printer
 *
 * Return: true if the dump can begin anew.
 */
bool printer_restart(void *data)
{
	struct printer *p = data;

	if (p->o->written)
		return false;
	p->o->len = 0;
	p->flows = 0;
	printer_begin(p);
	return true;
}

void printer_end(struct printer *p)
{
	if (p->form == PRINT_JSON)
		out_str(p->o, p->flows ? "\n]\n" : "]\n");
}
