// SPDX-License-Identifier: GPL-2.0
/*
 * flowtrack doctor: what is wrong here, and which command mends it.
 */
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "doctor.h"
#include "netns.h"
#include "nl.h"
#include "settings.h"

/* Exit codes of this verb, as plugins of monitoring programs have them. */
static const char * const severities[] = {
	[FINDING_NOTICE] = "notice",
	[FINDING_WARNING] = "warning",
	[FINDING_ERROR] = "error",
};

/*
 * As sh(1) reads them, in sbin or not. Both kinds of iptables may be in use, and
 * to ask the old one would load its modules.
 */
#define SH(command)	"PATH=$PATH:/usr/sbin:/sbin; exec 2>/dev/null; " command

static const struct {
	const char *command;
	void (*read)(struct rules *r, FILE *file);
} programs[] = {
	{ SH("nft -j list ruleset"), rules_from_nft },
	{ SH("iptables-nft-save || iptables-save"), rules_from_iptables },
	{ SH("ip6tables-nft-save || ip6tables-save"), rules_from_iptables },
	{ SH("grep -q . /proc/net/ip_tables_names && iptables-legacy-save"),
	  rules_from_iptables },
	{ SH("grep -q . /proc/net/ip6_tables_names && ip6tables-legacy-save"),
	  rules_from_iptables },
};

/* A program that is not there has nothing to say. */
static void read_rules(struct rules *r)
{
	FILE *pipe;
	size_t i;

	for (i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
		pipe = popen(programs[i].command, "re");
		if (!pipe)
			continue;
		programs[i].read(r, pipe);
		pclose(pipe);
	}
}

/* To see the busiest source takes a privilege: without it the rest is told. */
static void read_talkers(struct facts *f, struct nl *nl)
{
	static struct top top;

	if (top_get(nl, &top, FLOWTRACK_TOP_KIND_SOURCE, FLOWTRACK_TOP_ORDER_FLOWS, 1) || !top.n)
		return;
	f->source = top.entry[0];
	if (top_get(nl, &top, FLOWTRACK_TOP_KIND_SERVICE, FLOWTRACK_TOP_ORDER_FLOWS, 1) || !top.n)
		return;
	f->service = top.entry[0];
	f->talkers = true;
}

static int read_module(struct facts *f)
{
	static struct nl nl;
	int code;

	code = nl_open(&nl, NULL);
	if (code)
		return code;
	code = get_settings(&nl, f->value, &f->has, &f->follow);
	if (!code)
		code = stats_get(&nl, &f->stats);
	if (!code) {
		read_talkers(f, &nl);
		err_clear();
	}
	nl_close(&nl);
	return code;
}

/* Namespaces that cannot be entered are left out; it ends in the one that it began in. */
static void read_namespaces(struct facts *f)
{
	struct netns_list list;
	unsigned int i;
	struct tenant t;

	if (netns_all(&list))
		err_clear();
	for (i = 1; i < list.n && f->tenants < DOCTOR_NETNS; i++) {
		if (netns_enter(&list.of[i])) {
			err_clear();
			break;
		}
		if (!files_number("", "/proc/sys/net/netfilter/nf_flowtrack_count", &t.count) ||
		    !files_number("", "/proc/sys/net/netfilter/nf_flowtrack_max", &t.max))
			continue;
		snprintf(t.name, sizeof(t.name), "%s", list.of[i].name);
		f->tenant[f->tenants++] = t;
	}
	if (i > 1 && netns_enter(&list.of[0]))
		err_clear();
	netns_free(&list);
}

static void print_text(const struct findings *found)
{
	unsigned int i;

	for (i = 0; i < found->n; i++) {
		const struct finding *one = &found->of[i];

		out_fmt(&std, "%s: %s\n", severities[one->severity], one->text);
		if (one->fix[0])
			out_fmt(&std, "    %s\n", one->fix);
	}
	if (!found->n)
		out_str(&std, "nothing found\n");
}

static void print_json(const struct findings *found, int worst)
{
	unsigned int i;
	char *p;

	out_fmt(&std, "{\"status\":\"%s\",\"findings\":[", worst ? severities[worst] : "ok");
	for (i = 0; i < found->n; i++) {
		const struct finding *one = &found->of[i];

		out_fmt(&std, "%s\n{\"severity\":\"%s\",\"check\":\"%s\",\"text\":", i ? "," : "",
			severities[one->severity], one->check);
		p = put_json(out_room(&std), one->text, sizeof(one->text));
		p = put_lit(p, ",\"fix\":");
		p = one->fix[0] ? put_json(p, one->fix, sizeof(one->fix)) : put_lit(p, "null");
		p = put_lit(p, "}");
		out_commit(&std, p);
	}
	out_str(&std, "\n]}\n");
}

int cmd_doctor(const struct options *opts, int argc, char **argv)
{
	static struct findings found;
	static struct facts facts;
	unsigned int i;
	int code, worst;

	if (argc)
		return err_set(EXIT_USAGE, "unknown word '%s': doctor takes none", argv[0]);
	if (opts->netns) {
		code = enter_netns(opts->netns);
		if (code)
			return code;
	}
	files_host(&facts, "");
	if (facts.loaded) {
		code = read_module(&facts);
		if (code)
			return code;
		/* sysctl.d is the machine's own. */
		if (!opts->netns)
			files_drifts(&facts, "");
		files_alarms(&facts, "");
		read_rules(&facts.rules);
		read_namespaces(&facts);
	}
	doctor_check(&facts, &found);
	for (i = 0; i < found.n; i++)
		netns_command(found.of[i].fix, sizeof(found.of[i].fix), opts->netns);
	worst = found.n ? found.of[0].severity : FINDING_NOTICE;
	if (opts->json)
		print_json(&found, worst);
	else
		print_text(&found);
	code = out_close(&std);
	return code ? code : worst;
}
