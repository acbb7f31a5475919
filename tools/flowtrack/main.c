// SPDX-License-Identifier: GPL-2.0
/*
 * flowtrack: looks at and changes the flow table of nf_flowtrack.
 *
 * Here are the options and the table of the verbs; each verb is in its
 * cmd_*.c.
 */
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cmd.h"
#include "names.h"
#include "parse.h"

/* Of the JSON: greater when a member goes or means something else. */
#define SCHEMA_VERSION		"1"
#define MODULE_VERSION_FILE	"/sys/module/nf_flowtrack/version"

/* Long options without a letter; those that only some verbs have are bits. */
enum {
	OPT_COLOR = 256,
	OPT_ALL,
	OPT_DRY_RUN,
	OPT_CPU,
	OPT_TIMESTAMPS,
	OPT_IGNORE_EXISTING,
	OPT_COUNT,
	OPT_ONCE,
	OPT_DELAY,
	OPT_SETTINGS,
	OPT_BUFFER,
	OPT_RESYNC,
	OPT_END,
};

#define ONLY(opt)	(1U << ((opt) - OPT_ALL))

/**
 * struct verb - a verb
 * @name: word
 * @run: what it does
 * @only: options that not every verb has, ONLY(OPT_*)
 * @usage: what follows the name
 * @help: one line
 */
struct verb {
	const char *name;
	cmd_fn run;
	unsigned int only;
	const char *usage;
	const char *help;
};

static const struct verb verbs[] = {
	{ "list", cmd_list, 0, "[FILTER]", "print flows" },
	{ "get", cmd_get, 0, "TUPLE | id N", "print one flow" },
	{ "add", cmd_add, 0, "TUPLE [state NAME] [timeout TIME] [...]",
	  "enter a flow" },
	{ "del", cmd_del, ONLY(OPT_ALL) | ONLY(OPT_DRY_RUN),
	  "FILTER | id N | --all [--dry-run]", "delete flows" },
	{ "flush", cmd_flush, ONLY(OPT_DRY_RUN), "[FILTER] [--dry-run]",
	  "delete all flows" },
	{ "count", cmd_count, ONLY(OPT_COUNT), "[by WHAT] [FILTER] [-N N]",
	  "print how many flows there are, by class, state, ..." },
	{ "monitor", cmd_monitor,
	  ONLY(OPT_TIMESTAMPS) | ONLY(OPT_COUNT) | ONLY(OPT_BUFFER) | ONLY(OPT_RESYNC),
	  "[FILTER | pressure] [--timestamps] [--resync] ...",
	  "print flows as they begin, change and end" },
	{ "stats", cmd_stats, ONLY(OPT_CPU), "[--cpu]", "print counters" },
	{ "metrics", cmd_metrics, ONLY(OPT_ALL) | ONLY(OPT_COUNT), "[--all [-N N]]",
	  "print counters for Prometheus" },
	{ "top", cmd_top, ONLY(OPT_ONCE) | ONLY(OPT_DELAY) | ONLY(OPT_COUNT),
	  "[KIND] [flows|rate] [--once] [-d SECONDS] [-N N]",
	  "show what holds, or opens, most flows" },
	{ "set", cmd_set, 0, "NAME VALUE...", "change settings" },
	{ "show", cmd_show, 0, "[NAME...]", "print settings" },
	{ "save", cmd_save, ONLY(OPT_SETTINGS), "[FILTER] [--settings]",
	  "print flows for restore" },
	{ "restore", cmd_restore, ONLY(OPT_IGNORE_EXISTING),
	  "[FILE] [--ignore-existing]", "enter flows that save printed" },
};

#define N_VERBS	(sizeof(verbs) / sizeof(verbs[0]))

static const struct option long_options[] = {
	{ "json", no_argument, NULL, 'j' },
	{ "netns", required_argument, NULL, 'n' },
	{ "oneline", no_argument, NULL, 'o' },
	{ "ipv4", no_argument, NULL, '4' },
	{ "ipv6", no_argument, NULL, '6' },
	{ "color", optional_argument, NULL, OPT_COLOR },
	{ "version", no_argument, NULL, 'V' },
	{ "help", no_argument, NULL, 'h' },
	{ "all", no_argument, NULL, OPT_ALL },
	{ "dry-run", no_argument, NULL, OPT_DRY_RUN },
	{ "cpu", no_argument, NULL, OPT_CPU },
	{ "timestamps", no_argument, NULL, OPT_TIMESTAMPS },
	{ "ignore-existing", no_argument, NULL, OPT_IGNORE_EXISTING },
	{ "count", required_argument, NULL, 'N' },
	{ "once", no_argument, NULL, OPT_ONCE },
	{ "delay", required_argument, NULL, 'd' },
	{ "settings", no_argument, NULL, OPT_SETTINGS },
	{ "buffer", required_argument, NULL, OPT_BUFFER },
	{ "resync", no_argument, NULL, OPT_RESYNC },
	{ NULL, 0, NULL, 0 },
};

static const struct verb *find_verb(const char *name)
{
	size_t i;

	for (i = 0; i < N_VERBS; i++)
		if (!strcmp(verbs[i].name, name))
			return &verbs[i];
	return NULL;
}

static int unknown_verb(const char *name)
{
	const char *names[N_VERBS], *near;
	size_t i;

	for (i = 0; i < N_VERBS; i++)
		names[i] = verbs[i].name;
	near = close_word(name, names, N_VERBS);
	err_set(EXIT_USAGE, "unknown verb '%s'", name);
	if (near)
		err_add(", did you mean '%s'?", near);
	else
		err_add(": see 'flowtrack --help'");
	return EXIT_USAGE;
}

static void print_help(FILE *to, const struct verb *verb)
{
	size_t i;

	if (verb) {
		fprintf(to, "usage: flowtrack %s %s\n%s\n", verb->name,
			verb->usage, verb->help);
	} else {
		fputs("usage: flowtrack [OPTIONS] VERB ...\n\n", to);
		for (i = 0; i < N_VERBS; i++)
			fprintf(to, "  %-8s %-40s %s\n", verbs[i].name,
				verbs[i].usage, verbs[i].help);
	}
	fputs("\nFILTER, words in any order:\n"
	      "  tcp|udp|udplite|icmp|icmpv6|sctp|gre|proto N  ipv4|ipv6\n"
	      "  src ADDR[/LEN]  dst ADDR[/LEN]  sport N[-M]  dport N[-M]\n"
	      "  reply-src, reply-dst, reply-sport, reply-dport: as the answers have them\n"
	      "  host ADDR[/LEN]  port N[-M]: either end  WORD V,V...: any of these  not WORD V\n"
	      "  state NAME  class NAME  mark N[/MASK]  zone N  age >N|<N|N-M\n"
	      "  own|guarded\n"
	      "\nOPTIONS:\n"
	      "  -j, --json          JSON\n"
	      "  -o, --oneline       one blank between fields, no columns\n"
	      "  -n, --netns NETNS   name, path or process of a network namespace\n"
	      "  -4, --ipv4  -6, --ipv6\n"
	      "      --color[=auto|always|never]\n"
	      "  -V, --version  -h, --help\n"
	      "\nflowtrack(8) has the rest.\n", to);
}

static int print_version(const struct options *opts)
{
	char module[64] = "";
	FILE *file = fopen(MODULE_VERSION_FILE, "re");

	if (file) {
		if (fgets(module, sizeof(module), file))
			module[strcspn(module, "\n")] = '\0';
		fclose(file);
	}
	if (opts->json) {
		char *p = out_room(&std);

		p = put_lit(p, "{\"flowtrack\":");
		p = put_json(p, VERSION, 64);
		p = put_lit(p, ",\"nf_flowtrack\":");
		p = module[0] ? put_json(p, module, 64) : put_lit(p, "null");
		p = put_lit(p, ",\"schema\":" SCHEMA_VERSION "}\n");
		out_commit(&std, p);
	} else {
		out_fmt(&std, "flowtrack %s\nnf_flowtrack %s\n", VERSION,
			module[0] ? module : "(not loaded)");
	}
	return out_close(&std);
}

static int set_color(struct options *opts, const char *when)
{
	if (!when || !strcmp(when, "always"))
		opts->color = true;
	else if (!strcmp(when, "never"))
		opts->color = false;
	else if (strcmp(when, "auto"))
		return err_set(EXIT_USAGE,
			       "bad value '%s' of '--color': expected %s", when,
			       "auto, always or never");
	return EXIT_OK;
}

static void auto_color(struct options *opts)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	opts->color = isatty(STDOUT_FILENO) && !(no_color && *no_color) &&
		      term && strcmp(term, "dumb");
}

/* Which long options begin with the @len characters of @name; how many do? */
static unsigned int option_matches(const char *name, size_t len, char *list, size_t size)
{
	const struct option *o;
	unsigned int n = 0;
	size_t used = 0;

	list[0] = '\0';
	for (o = long_options; o->name; o++) {
		if (strncmp(o->name, name, len))
			continue;
		if (used < size)
			used += snprintf(list + used, size - used, "%s--%s",
					 n ? ", " : "", o->name);
		n++;
	}
	return n;
}

static int bad_option(int c, char **argv)
{
	const char *word = argv[optind - 1];
	char list[256];
	size_t len;

	if (c == ':')
		return err_set(EXIT_USAGE, "option '%s' needs a value", word);
	if (strncmp(word, "--", 2))
		return err_set(EXIT_USAGE, "unknown option '-%c'", optopt);
	len = strcspn(word, "=");
	switch (option_matches(word + 2, len - 2, list, sizeof(list))) {
	case 0:
		return err_set(EXIT_USAGE, "unknown option '%.*s'", (int)len, word);
	case 1:
		return err_set(EXIT_USAGE, "option '%.*s' takes no value, '%s' was given",
			       (int)len, word, word + len + 1);
	default:
		return err_set(EXIT_USAGE, "option '%.*s' is ambiguous: %s", (int)len, word,
			       list);
	}
}

/* Letters of options that only some verbs have. */
static int option_of(int c)
{
	switch (c) {
	case 'd':
		return OPT_DELAY;
	case 'N':
		return OPT_COUNT;
	default:
		return c;
	}
}

static int check_only(const struct verb *verb, unsigned int given)
{
	int i;

	for (i = OPT_ALL; i < OPT_END; i++) {
		const struct option *o = long_options;

		if (!(given & ~verb->only & ONLY(i)))
			continue;
		while (option_of(o->val) != i)
			o++;
		return err_set(EXIT_USAGE, "'%s' has no option '--%s'",
			       verb->name, o->name);
	}
	return EXIT_OK;
}

/* Return: an exit code. */
static int take_option(struct options *opts, int c, char **argv)
{
	__u64 delay;

	switch (c) {
	case 'j':
		opts->json = true;
		return EXIT_OK;
	case 'n':
		opts->netns = optarg;
		return EXIT_OK;
	case 'o':
		opts->oneline = true;
		return EXIT_OK;
	case '4':
	case '6':
		if (opts->family && opts->family != (c == '4' ? AF_INET : AF_INET6))
			return err_set(EXIT_USAGE, "-4 and -6 exclude each other");
		opts->family = c == '4' ? AF_INET : AF_INET6;
		return EXIT_OK;
	case 'V':
		opts->version = true;
		return EXIT_OK;
	case 'h':
		opts->help = true;
		return EXIT_OK;
	case OPT_COLOR:
		return set_color(opts, optarg);
	case OPT_ALL:
		opts->all = true;
		return EXIT_OK;
	case OPT_DRY_RUN:
		opts->dry_run = true;
		return EXIT_OK;
	case OPT_CPU:
		opts->cpu = true;
		return EXIT_OK;
	case OPT_TIMESTAMPS:
		opts->timestamps = true;
		return EXIT_OK;
	case OPT_IGNORE_EXISTING:
		opts->ignore_existing = true;
		return EXIT_OK;
	case OPT_RESYNC:
		opts->resync = true;
		return EXIT_OK;
	case OPT_BUFFER:
		if (!parse_size(optarg, 1 << 30, &opts->buffer) || !opts->buffer)
			return err_set(EXIT_USAGE,
				       "bad value '%s' of '--buffer': expected bytes, or a number with unit k, M, at most 1024M",
				       optarg);
		return EXIT_OK;
	case OPT_SETTINGS:
		opts->settings = true;
		return EXIT_OK;
	case OPT_ONCE:
		opts->once = true;
		return EXIT_OK;
	case OPT_DELAY:
		if (!parse_u64(optarg, 86400, &delay) || !delay)
			return err_set(EXIT_USAGE,
				       "bad value '%s' of '--delay': expected 1 to 86400 seconds",
				       optarg);
		opts->delay = delay;
		return EXIT_OK;
	case OPT_COUNT:
		if (!parse_u64(optarg, ULLONG_MAX, &opts->count) || !opts->count)
			return err_set(EXIT_USAGE,
				       "bad value '%s' of '--count': expected a positive number",
				       optarg);
		return EXIT_OK;
	default:
		return bad_option(c, argv);
	}
}

/**
 * parse_options() - read the options, wherever they stand
 * @opts: filled in
 * @given: set to the ONLY() bits of those that were given
 * @argc: of main()
 * @argv: of main(); sorted: words from optind on
 *
 * Return: an exit code.
 */
static int parse_options(struct options *opts, unsigned int *given, int argc, char **argv)
{
	int c, code;

	auto_color(opts);
	opterr = 0;
	while ((c = getopt_long(argc, argv, ":jn:o46Vhd:N:", long_options,
				NULL)) != -1) {
		c = option_of(c);
		if (c >= OPT_ALL)
			*given |= ONLY(c);
		code = take_option(opts, c, argv);
		if (code)
			return code;
	}
	return EXIT_OK;
}

static int run(int argc, char **argv)
{
	const struct verb *verb = NULL;
	struct options opts = { 0 };
	unsigned int given = 0;
	int code;

	code = parse_options(&opts, &given, argc, argv);
	if (code)
		return code;
	if (opts.version)
		return print_version(&opts);
	argc -= optind;
	argv += optind;
	if (argc) {
		verb = find_verb(argv[0]);
		if (!verb && !strcmp(argv[0], "help"))
			opts.help = true;
		else if (!verb)
			return unknown_verb(argv[0]);
	}
	if (opts.help) {
		print_help(stdout, verb);
		return EXIT_OK;
	}
	if (!verb) {
		print_help(stderr, NULL);
		return EXIT_USAGE;
	}
	code = check_only(verb, given);
	return code ? code : verb->run(&opts, argc - 1, argv + 1);
}

int main(int argc, char **argv)
{
	int code;

	signal(SIGPIPE, SIG_IGN);
	out_init(&std, STDOUT_FILENO);
	code = run(argc, argv);
	err_print();
	return code;
}
