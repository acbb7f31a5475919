// SPDX-License-Identifier: GPL-2.0
/*
 * flowtrack list: the flows of the table, and those that are guarded.
 */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <unistd.h>

#include "cmd.h"
#include "filter.h"
#include "flows.h"
#include "nl.h"
#include "pager.h"
#include "pretty.h"
#include "print.h"

/* So many flows say how wide columns are, and are more than a screen. */
#define FIRST_FLOWS	4096

/**
 * list_flows() - print the flows that match
 * @nl: socket
 * @f: filter
 * @p: printer
 *
 * Return: an exit code.
 */
int list_flows(struct nl *nl, const struct filter *f, struct printer *p)
{
	struct nlmsghdr *req = nl_request(nl, FLOWTRACK_CMD_FLOW_GET);
	int code, err;

	filter_put(req, f);
	printer_begin(p);
	code = nl_dump(nl, req, printer_message, printer_restart, p);
	/* An array is closed even then, for the sake of its reader. */
	if (!code || p->flows)
		printer_end(p);
	else
		p->o->len = 0;
	err = out_close(p->o);
	if (code || err)
		return code ? code : err;
	return nl->interrupted ? EXIT_INTERRUPTED : EXIT_OK;
}

/**
 * struct listing - flows that are kept before they are printed
 * @printer: prints them, unless @table
 * @table: a table for people
 * @pretty: that one
 * @pager: in front of it
 * @order: in which order
 * @limit: print so many at most; 0: all
 * @flows: what has been kept
 * @begun: printing has begun: what comes is not kept any more
 * @flow: the current one
 */
struct listing {
	struct printer printer;
	bool table;
	struct pretty pretty;
	struct pager pager;
	enum flow_order order;
	__u64 limit;
	struct flows flows;
	bool begun;
	struct flow flow;
};

static int print_one(struct listing *l, struct flow *f)
{
	struct out *o = l->printer.o;
	char *p;

	if (!l->table)
		return printer_flow(&l->printer, f);
	p = pretty_flow(out_room(o), &l->pretty, f);
	*p++ = '\n';
	out_commit(o, p);
	return out_failed(o) ? -EIO : 0;
}

/* The head, and the flows that have been kept. Return: negative to end the dump. */
static int begin(struct listing *l)
{
	struct out *o = l->printer.o;
	int err = 0;
	size_t i;
	char *p;

	l->begun = true;
	for (i = 0; l->table && i < l->flows.n; i++)
		pretty_measure(&l->pretty, &l->flows.flow[i]);
	if (l->table && l->flows.n) {
		/* The shell's prompt takes a line, too. */
		if (pager_wanted(o, l->flows.n + 1))
			pager_start(&l->pager, o);
		p = pretty_head(out_room(o), &l->pretty);
		*p++ = '\n';
		out_commit(o, p);
	}
	for (i = 0; !err && i < l->flows.n; i++)
		err = print_one(l, &l->flows.flow[i]);
	return err;
}

/* The first ones in order, whatever comes yet. */
static void cut(struct listing *l)
{
	flows_sort(&l->flows, l->order);
	if (l->limit && l->flows.n > l->limit)
		l->flows.n = l->limit;
}

static int keep(const struct nlmsghdr *nlh, void *data)
{
	struct listing *l = data;

	if (flow_parse(nlh, &l->flow) < 0) {
		err_set(EXIT_REFUSED, "malformed message from the kernel");
		return -EBADMSG;
	}
	if (l->begun)
		return print_one(l, &l->flow);
	if (!flows_add(&l->flows, &l->flow)) {
		err_set(EXIT_USAGE, "out of memory: too many flows to sort, see --count");
		return -ENOMEM;
	}
	if (l->order == ORDER_NONE)
		return l->flows.n < FIRST_FLOWS ? 0 : begin(l);
	if (l->limit && l->flows.n >= FIRST_FLOWS && l->flows.n / 2 >= l->limit)
		cut(l);
	return 0;
}

static bool keep_again(void *data)
{
	struct listing *l = data;

	l->flows.n = 0;
	return !l->begun;
}

static bool any_key(const struct listing *l)
{
	size_t i;

	for (i = 0; i < l->flows.n; i++)
		if (flow_has_key(&l->flows.flow[i], l->order))
			return true;
	return !l->flows.n;
}

static int list_kept(struct nl *nl, const struct filter *f, struct listing *l)
{
	struct nlmsghdr *req = nl_request(nl, FLOWTRACK_CMD_FLOW_GET);
	int code, err;

	filter_put(req, f);
	code = nl_dump(nl, req, keep, keep_again, l);
	if (!code && !l->begun) {
		cut(l);
		if (!any_key(l))
			warn("no flow has what it is to be sorted by: %s",
			     l->order == ORDER_AGE ?
			     "nf_conntrack knows no times, see nf_conntrack_timestamp" :
			     "nothing is counted, see the setting acct");
		printer_begin(&l->printer);
		begin(l);
		printer_end(&l->printer);
	}
	err = out_close(l->printer.o);
	pager_end(&l->pager, l->printer.o);
	flows_free(&l->flows);
	if (code || err)
		return code ? code : err;
	return nl->interrupted ? EXIT_INTERRUPTED : EXIT_OK;
}

/* On a terminal, or if asked for. */
static bool for_people(const struct options *opts)
{
	return opts->human || (isatty(std.fd) && !opts->json && !opts->oneline);
}

int cmd_list(const struct options *opts, int argc, char **argv)
{
	struct listing l = { .order = opts->sort, .limit = opts->count };
	static struct nl nl;
	struct filter f;
	int code;

	if (opts->count && !opts->sort)
		return err_set(EXIT_USAGE, "--count is for --sort: which flows are the first?");
	if (opts->human && (opts->json || opts->oneline))
		return err_set(EXIT_USAGE, "--human excludes -j and -o, which are for programs");
	code = filter_parse_any(&f, argc, argv, opts->family);
	if (code)
		return code;
	code = nl_open(&nl, opts->netns);
	if (code)
		return code;
	l.table = for_people(opts);
	pretty_init(&l.pretty, opts->human, opts->color);
	printer_init(&l.printer, &std, opts);
	if (l.table || l.order)
		code = list_kept(&nl, &f, &l);
	else
		code = list_flows(&nl, &f, &l.printer);
	nl_close(&nl);
	return code;
}
