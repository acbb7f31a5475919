// SPDX-License-Identifier: GPL-2.0
/*
 * flowtrack: looks at and changes the flow table of nf_flowtrack.
 *
 * Here options are read; the verbs are in the table of verb.c, each with its
 * cmd_*.c.
 */
#include <limits.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cmd.h"
#include "complete.h"
#include "conntrack.h"
#include "names.h"
#include "parse.h"
#include "top.h"
#include "verb.h"
#include "version.h"

/* Of the JSON: greater when a member goes or means something else. */
#define SCHEMA_VERSION		"1"

/* Adds to the error what a word of conntrack's is here. Return: false if it is none. */
static bool tell_conntrack(const char *here, const char *word)
{
	if (here)
		err_add(": conntrack's '%.*s' is %s", (int)strcspn(word, "="), word, here);
	return here;
}

static int unknown_verb(const char *name)
{
	const char *names[n_verbs], *near;
	size_t i;

	for (i = 0; i < n_verbs; i++)
		names[i] = verbs[i].name;
	near = close_word(name, names, n_verbs);
	err_set(EXIT_USAGE, "unknown verb '%s'", name);
	if (tell_conntrack(conntrack_option(name, strlen(name)), name))
		return EXIT_USAGE;
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
		for (i = 0; i < n_verbs; i++)
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
	char module[VERSION_SIZE];

	module_version("", module, sizeof(module));
	if (opts->json) {
		char *p = out_room(&std);

		p = put_lit(p, "{\"flowtrack\":");
		p = put_json(p, tool_version, VERSION_SIZE);
		p = put_lit(p, ",\"nf_flowtrack\":");
		p = module[0] ? put_json(p, module, 64) : put_lit(p, "null");
		p = put_lit(p, ",\"schema\":" SCHEMA_VERSION "}\n");
		out_commit(&std, p);
	} else {
		out_fmt(&std, "flowtrack %s\nnf_flowtrack %s\n", tool_version,
			module[0] ? module : "(not loaded)");
		if (module[0] && strcmp(module, tool_version))
			out_str(&std, "the versions differ\n");
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

/* An option of one letter that this program does not have. */
static int bad_letter(void)
{
	const char letter[] = { '-', optopt, '\0' };

	err_set(EXIT_USAGE, "unknown option '%s'", letter);
	tell_conntrack(conntrack_letter(optopt), letter);
	return EXIT_USAGE;
}

static int bad_option(int c, char **argv)
{
	const char *word = argv[optind - 1];
	char list[256];
	size_t len;

	if (c == ':') {
		err_set(EXIT_USAGE, "option '%s' needs a value", word);
		if (!strncmp(word, "--", 2))
			tell_conntrack(conntrack_option(word + 2, strlen(word + 2)), word);
		return EXIT_USAGE;
	}
	if (strncmp(word, "--", 2))
		return bad_letter();
	len = strcspn(word, "=");
	switch (option_matches(word + 2, len - 2, list, sizeof(list))) {
	case 0:
		err_set(EXIT_USAGE, "unknown option '%.*s'", (int)len, word);
		tell_conntrack(conntrack_option(word + 2, len - 2), word);
		return EXIT_USAGE;
	case 1:
		return err_set(EXIT_USAGE, "option '%.*s' takes no value, '%s' was given",
			       (int)len, word, word + len + 1);
	default:
		return err_set(EXIT_USAGE, "option '%.*s' is ambiguous: %s", (int)len, word,
			       list);
	}
}

/* An option that another verb has; conntrack may have had it in mind. */
static int not_of_verb(const struct verb *verb, const struct option *o)
{
	err_set(EXIT_USAGE, "'%s' has no option '--%s'", verb->name, o->name);
	tell_conntrack(conntrack_option(o->name, strlen(o->name)), o->name);
	return EXIT_USAGE;
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
		return not_of_verb(verb, o);
	}
	return EXIT_OK;
}

/* conntrack's -d is an address. */
static int take_delay(struct options *opts)
{
	struct addr addr;
	__u64 delay;

	if (parse_u64(optarg, 86400, &delay) && delay) {
		opts->delay = delay;
		return EXIT_OK;
	}
	err_set(EXIT_USAGE, "bad value '%s' of '--delay': expected 1 to 86400 seconds", optarg);
	if (parse_prefix(optarg, &addr))
		tell_conntrack(conntrack_letter('d'), "-d");
	return EXIT_USAGE;
}

/* Options that are there or not, and where that is kept. */
static const struct {
	int c;
	size_t at;
} flags[] = {
	{ 'j', offsetof(struct options, json) },
	{ 'o', offsetof(struct options, oneline) },
	{ 'V', offsetof(struct options, version) },
	{ 'h', offsetof(struct options, help) },
	{ OPT_ALL, offsetof(struct options, all) },
	{ OPT_DRY_RUN, offsetof(struct options, dry_run) },
	{ OPT_CPU, offsetof(struct options, cpu) },
	{ OPT_TIMESTAMPS, offsetof(struct options, timestamps) },
	{ OPT_IGNORE_EXISTING, offsetof(struct options, ignore_existing) },
	{ OPT_RESYNC, offsetof(struct options, resync) },
	{ OPT_SETTINGS, offsetof(struct options, settings) },
	{ OPT_FORCE, offsetof(struct options, force) },
	{ OPT_ONCE, offsetof(struct options, once) },
	{ OPT_HUMAN, offsetof(struct options, human) },
	{ OPT_OPENMETRICS, offsetof(struct options, openmetrics) },
};

/* Return: whether it is one of them. */
static bool take_flag(struct options *opts, int c)
{
	size_t i;

	for (i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		if (flags[i].c != c)
			continue;
		*(bool *)((char *)opts + flags[i].at) = true;
		return true;
	}
	return false;
}

/* One or more, separated by commas. */
static int take_events(struct options *opts)
{
	char word[16];
	const char *p;
	size_t len;
	int event;

	for (p = optarg;; p += len + 1) {
		len = strcspn(p, ",");
		snprintf(word, sizeof(word), "%.*s", (int)len, p);
		event = value_of(&event_names, word);
		if (event < 0)
			return err_set(EXIT_USAGE,
				       "bad value '%s' of '--event': expected new, update, destroy, or some of them",
				       optarg);
		opts->events |= 1U << event;
		if (!p[len])
			return EXIT_OK;
	}
}

/* As many as the kernel keeps, at most: each is a time series. */
static int take_top(struct options *opts)
{
	__u64 top;

	if (!parse_u64(optarg, TOP_MAX, &top) || !top)
		return err_set(EXIT_USAGE, "bad value '%s' of '--top': expected 1 to %d",
			       optarg, TOP_MAX);
	opts->top = top;
	return EXIT_OK;
}

/* An option that is no flag. Return: an exit code. */
static int take_option(struct options *opts, int c, char **argv)
{
	switch (c) {
	case 'n':
		opts->netns = optarg;
		return EXIT_OK;
	case '4':
	case '6':
		if (opts->family && opts->family != (c == '4' ? AF_INET : AF_INET6))
			return err_set(EXIT_USAGE, "-4 and -6 exclude each other");
		opts->family = c == '4' ? AF_INET : AF_INET6;
		return EXIT_OK;
	case OPT_COLOR:
		return set_color(opts, optarg);
	case OPT_BUFFER:
		if (!parse_size(optarg, 1 << 30, &opts->buffer) || !opts->buffer)
			return err_set(EXIT_USAGE,
				       "bad value '%s' of '--buffer': expected bytes, or a number with unit k, M, at most 1024M",
				       optarg);
		return EXIT_OK;
	case OPT_CONFIRM:
		if (!parse_seconds(optarg, &opts->confirm) || !opts->confirm ||
		    opts->confirm > 86400)
			return err_set(EXIT_USAGE,
				       "bad value '%s' of '--confirm': expected 1 to 86400 seconds",
				       optarg);
		return EXIT_OK;
	case OPT_DELAY:
		return take_delay(opts);
	case OPT_COUNT:
		if (!parse_u64(optarg, ULLONG_MAX, &opts->count) || !opts->count)
			return err_set(EXIT_USAGE,
				       "bad value '%s' of '--count': expected a positive number",
				       optarg);
		return EXIT_OK;
	case OPT_EVENT:
		return take_events(opts);
	case OPT_TOP:
		return take_top(opts);
	case OPT_LOG:
		opts->log = optarg;
		return EXIT_OK;
	case OPT_SORT:
		opts->sort = value_of(&sort_names, optarg);
		if (opts->sort <= 0)
			return err_set(EXIT_USAGE,
				       "bad value '%s' of '--sort': expected bytes, packets or age",
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
		code = take_flag(opts, c) ? EXIT_OK : take_option(opts, c, argv);
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

	/* The options are those of the line that is being written. */
	if (argc > 1 && !strcmp(argv[1], "complete"))
		return complete(argc - 2, argv + 2);
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
