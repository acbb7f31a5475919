// SPDX-License-Identifier: GPL-2.0
/*
 * The verbs, with a kernel that test_fake.c plays.
 */
#include <errno.h>
#include <jansson.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <linux/nf_flowtrack.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cmd.h"
#include "module.h"
#include "names.h"
#include "settings.h"
#include "test.h"

#define BOTH		(FLOWTRACK_TRACKER_OWN | FLOWTRACK_TRACKER_GUARDED)
#define PORTS		"sport 1 dport 2"
#define SET_REST							\
	"adopt=never tcp_timeout_established=5d acct on bypass_mark 0xff"
#define COUNTERS	"[packets=3 bytes=180 | packets=2 bytes=120]"
#define REST		" timeout=53 mark=0x1 zone=5 class=assured age=1 id="
#define LINE(sport, id)							\
	"tcp established src=10.0.0.2 dst=10.0.1.2 sport=" sport	\
	" dport=443 " COUNTERS REST id "\n"

static struct options plain = { .oneline = true };
static struct options json = { .json = true };

static int request_cmd(void)
{
	const struct genlmsghdr *genl = mnl_nlmsg_get_payload(fake_request());

	return genl->cmd;
}

static const struct nlattr *request_attr(int type)
{
	const struct nlattr *a;

	mnl_attr_for_each(a, fake_request(), GENL_HDRLEN)
		if (mnl_attr_get_type(a) == type)
			return a;
	return NULL;
}

/* Whose flows the filter is about; 0: it does not say. */
static int request_trackers(void)
{
	const struct nlattr *nest = request_attr(FLOWTRACK_A_FLOW_FILTER), *a;

	if (nest)
		mnl_attr_for_each_nested(a, nest)
			if (mnl_attr_get_type(a) == FLOWTRACK_A_FILTER_TRACKER)
				return mnl_attr_get_u8(a);
	return 0;
}

static json_t *run_json(cmd_fn verb, const char *line)
{
	json_error_t err;
	const char *out;
	json_t *j;
	int code;

	out = run_verb(verb, &json, line, &code);
	EXPECT_INT(code, EXIT_OK);
	j = json_loads(out, JSON_REJECT_DUPLICATES, &err);
	if (!j)
		test_failed(__FILE__, __LINE__, "%s: %s", err.text, out);
	return j;
}

static json_int_t field(const json_t *j, const char *name)
{
	return json_integer_value(json_object_get(j, name));
}

static void list(void)
{
	const char *out;
	int code;
	json_t *j;

	fake_reset();
	fake.flows = 2;
	out = run_verb(cmd_list, &plain, "", &code);
	EXPECT_INT(code, EXIT_OK);
	EXPECT_STR(out, LINE("4242", "4294967296") LINE("4243", "4294967297"));
	EXPECT_INT(request_trackers(), FLOWTRACK_TRACKER_OWN |
				       FLOWTRACK_TRACKER_GUARDED);
	run_verb(cmd_list, &plain, "tcp", &code);
	EXPECT_INT(request_trackers(), FLOWTRACK_TRACKER_OWN |
				       FLOWTRACK_TRACKER_GUARDED);
	run_verb(cmd_list, &plain, "tcp own", &code);
	EXPECT_INT(request_trackers(), FLOWTRACK_TRACKER_OWN);
	run_verb(cmd_list, &plain, "guarded", &code);
	EXPECT_INT(request_trackers(), FLOWTRACK_TRACKER_GUARDED);

	fake.flows = 300;
	j = run_json(cmd_list, "");
	EXPECT_INT(json_array_size(j), 300);
	json_decref(j);
	fake.flows = 0;
	j = run_json(cmd_list, "");
	EXPECT(json_is_array(j) && !json_array_size(j));
	json_decref(j);
	/* An error leaves no half of an array. */
	fake.error = EPERM;
	out = run_verb(cmd_list, &json, "", &code);
	EXPECT_INT(code, EXIT_NO_PERMISSION);
	EXPECT_STR(out, "");
	err_clear();
}

static void get(void)
{
	const char *out;
	int code;
	json_t *j;

	fake_reset();
	out = run_verb(cmd_get, &plain, "id 7", &code);
	EXPECT_INT(code, EXIT_OK);
	EXPECT(!strncmp(out, "tcp established src=10.0.0.2 ", 29));
	EXPECT_INT(request_cmd(), FLOWTRACK_CMD_FLOW_GET);
	EXPECT(!(fake_request()->nlmsg_flags & NLM_F_ROOT));
	EXPECT_INT(mnl_attr_get_u64(request_attr(FLOWTRACK_A_FLOW_ID)), 7);
	j = run_json(cmd_get, "udp src ::1 dst ::2 sport 1 dport 2");
	EXPECT(json_is_object(j));
	EXPECT(json_object_get(json_object_get(j, "orig"), "window"));
	json_decref(j);
	fake.error = ENOENT;
	run_verb(cmd_get, &plain, "id 7", &code);
	EXPECT_INT(code, EXIT_NOT_FOUND);
	err_clear();
}

static void add(void)
{
	json_t *j;
	int code;

	fake_reset();
	run_verb(cmd_add, &plain, "tcp src 1.1.1.1 dst 2.2.2.2 " PORTS
		 " state established status seen_reply,assured timeout 5m",
		 &code);
	EXPECT_INT(code, EXIT_OK);
	EXPECT_INT(request_cmd(), FLOWTRACK_CMD_FLOW_ADD);
	EXPECT_INT(mnl_attr_get_u32(request_attr(FLOWTRACK_A_FLOW_TIMEOUT)),
		   300000);
	EXPECT_INT(mnl_attr_get_u32(request_attr(FLOWTRACK_A_FLOW_STATUS)), 3);
	j = run_json(cmd_add, "proto 89 src 1.1.1.1 dst 2.2.2.2");
	EXPECT_INT(field(j, "added"), 1);
	json_decref(j);
	/* Generic netlink refuses flags that it has no meaning for. */
	EXPECT_INT(fake_request()->nlmsg_flags, NLM_F_REQUEST | NLM_F_ACK);
	fake.error = EEXIST;
	fake.message = "the flow exists";
	run_verb(cmd_add, &plain, "proto 89 src 1.1.1.1 dst 2.2.2.2", &code);
	EXPECT_INT(code, EXIT_REFUSED);
	EXPECT_STR(err_msg(), "the flow exists");
	err_clear();
}

static void del(void)
{
	struct options all = { .oneline = true, .all = true };
	struct options dry = { .oneline = true, .dry_run = true };
	const struct nlattr *a;
	const char *out;
	int code;
	json_t *j;

	fake_reset();
	fake.flows = 3;
	out = run_verb(cmd_del, &plain, "tcp dport 443", &code);
	EXPECT_STR(out, "3 flows deleted\n");
	EXPECT_INT(request_cmd(), FLOWTRACK_CMD_FLOW_DEL);
	a = request_attr(FLOWTRACK_A_FLOW_FILTER);
	EXPECT(a && mnl_attr_get_payload_len(a));
	/* The flows that list shows. */
	EXPECT_INT(request_trackers(), BOTH);
	run_verb(cmd_flush, &plain, "", &code);
	EXPECT_INT(request_trackers(), BOTH);
	run_verb(cmd_flush, &plain, "own", &code);
	EXPECT_INT(request_trackers(), FLOWTRACK_TRACKER_OWN);

	/* Nothing is deleted by forgetting words. */
	fake.requests = 0;
	run_verb(cmd_del, &plain, "", &code);
	EXPECT_INT(code, EXIT_USAGE);
	run_verb(cmd_del, &all, "tcp", &code);
	EXPECT_INT(code, EXIT_USAGE);
	run_verb(cmd_del, &plain, "guarded", &code);
	EXPECT_INT(code, EXIT_USAGE);
	run_verb(cmd_del, &plain, "mark 0/0", &code);
	EXPECT_INT(code, EXIT_USAGE);
	run_verb(cmd_del, &plain, "age >0", &code);
	EXPECT_INT(code, EXIT_USAGE);
	EXPECT_INT(fake.requests, 0);
	run_verb(cmd_del, &all, "guarded", &code);
	EXPECT_INT(code, EXIT_OK);
	EXPECT_INT(request_trackers(), FLOWTRACK_TRACKER_GUARDED);

	out = run_verb(cmd_del, &all, "", &code);
	EXPECT_INT(code, EXIT_OK);
	EXPECT_INT(request_trackers(), BOTH);

	fake.flows = 1;
	out = run_verb(cmd_del, &plain, "id=9", &code);
	EXPECT_STR(out, "1 flow deleted\n");
	EXPECT_INT(mnl_attr_get_u64(request_attr(FLOWTRACK_A_FLOW_ID)), 9);

	out = run_verb(cmd_del, &dry, "tcp", &code);
	EXPECT(!strncmp(out, "tcp established", 15));
	EXPECT_INT(request_cmd(), FLOWTRACK_CMD_FLOW_GET);
	out = run_verb(cmd_del, &dry, "id 9", &code);
	EXPECT(!strncmp(out, "tcp established", 15));
	EXPECT_INT(request_cmd(), FLOWTRACK_CMD_FLOW_GET);

	j = run_json(cmd_del, "tcp");
	EXPECT_INT(field(j, "deleted"), 1);
	json_decref(j);
	j = run_json(cmd_flush, "");
	EXPECT_INT(field(j, "deleted"), 1);
	json_decref(j);
	EXPECT_INT(request_trackers(), BOTH);
	err_clear();
}

/* The first entry of each kind, as text and as JSON. */
static void count_by(void)
{
	static const struct {
		const char *words;
		const char *text[2];
		const char *json;
	} cases[] = {
		{ "by class", { "assured ", "replied " }, "{\"class\":\"assured\",\"flows\":600}" },
		{ "by state", { "tcp established ", "89 unreplied " },
		  "{\"proto\":\"tcp\",\"state\":\"established\",\"flows\":600}" },
		{ "by proto udp", { "tcp ", "89 " }, "{\"proto\":\"tcp\",\"flows\":600}" },
		{ "by zone", { "0 ", "5 " }, "{\"zone\":0,\"flows\":600}" },
		{ "by mark", { "0x0 ", "0xff " }, "{\"mark\":0,\"flows\":600}" },
		{ "by source", { "192.0.2.7 ", "2001:db8::/64 " },
		  "{\"address\":\"192.0.2.7\",\"prefix\":32,\"flows\":600}" },
	};
	struct options three = { .count = 3 }, many = { .count = 257 };
	const char *out, *line;
	json_t *j, *entry;
	char *dump;
	size_t i;
	int code;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		fake_reset();
		out = run_verb(cmd_count, &plain, cases[i].words, &code);
		EXPECT_INT(code, 0);
		EXPECT_INT(request_cmd(), FLOWTRACK_CMD_COUNT_GET);
		EXPECT(!strncmp(out, cases[i].text[0], strlen(cases[i].text[0])));
		EXPECT(strstr(out, " 600  60.0%\n"));
		line = strchr(out, '\n') + 1;
		EXPECT(!strncmp(line, cases[i].text[1], strlen(cases[i].text[1])));
		EXPECT(strstr(line, "\nothers ") && strstr(line, "\ntotal "));
		EXPECT_INT(!!strstr(out, "up to 3 more"), !strcmp(cases[i].words, "by source"));
		j = run_json(cmd_count, cases[i].words);
		EXPECT_INT(field(j, "total"), 1000);
		EXPECT_INT(field(j, "others"), 101);
		entry = json_array_get(json_object_get(j, "counts"), 0);
		dump = json_dumps(entry, JSON_COMPACT);
		EXPECT_STR(dump, cases[i].json);
		free(dump);
		json_decref(j);
	}
	run_verb(cmd_count, &three, "by source tcp", &code);
	EXPECT_INT(code, 0);
	run_verb(cmd_count, &three, "tcp", &code);
	EXPECT_INT(code, EXIT_USAGE);
	run_verb(cmd_count, &many, "by source", &code);
	EXPECT_INT(code, EXIT_USAGE);
	run_verb(cmd_count, &plain, "by", &code);
	EXPECT_INT(code, EXIT_USAGE);
	run_verb(cmd_count, &plain, "by weight", &code);
	EXPECT_INT(code, EXIT_USAGE);
	run_verb(cmd_count, &plain, "by class tpc", &code);
	EXPECT_INT(code, EXIT_USAGE);
	err_clear();
}

static void count(void)
{
	const char *out;
	int code;
	json_t *j;

	fake_reset();
	fake.flows = 123;
	out = run_verb(cmd_count, &plain, "", &code);
	EXPECT_STR(out, "124\n");	/* one of them guarded */
	EXPECT_INT(request_cmd(), FLOWTRACK_CMD_SETTINGS_GET);
	out = run_verb(cmd_count, &plain, "own", &code);
	EXPECT_STR(out, "123\n");
	EXPECT_INT(request_cmd(), FLOWTRACK_CMD_SETTINGS_GET);
	out = run_verb(cmd_count, &plain, "tcp", &code);
	EXPECT_STR(out, "123\n");
	EXPECT_INT(request_cmd(), FLOWTRACK_CMD_FLOW_GET);
	EXPECT_INT(request_trackers(), BOTH);
	out = run_verb(cmd_count, &plain, "guarded udp", &code);
	EXPECT_STR(out, "123\n");
	EXPECT_INT(request_cmd(), FLOWTRACK_CMD_FLOW_GET);
	EXPECT_INT(request_trackers(), FLOWTRACK_TRACKER_GUARDED);
	out = run_verb(cmd_count, &plain, "guarded", &code);
	EXPECT_STR(out, "1\n");
	j = run_json(cmd_count, "");
	EXPECT_INT(field(j, "count"), 124);
	EXPECT_INT(field(j, "own"), 123);
	EXPECT_INT(field(j, "guarded"), 1);
	EXPECT_INT(field(j, "max"), 1);
	json_decref(j);
	j = run_json(cmd_count, "udp");
	EXPECT_INT(field(j, "count"), 123);
	EXPECT(!json_object_get(j, "max"));
	json_decref(j);
}

static void stats(void)
{
	struct options cpu = { .cpu = true };
	const char *out;
	int code;
	json_t *j;

	fake_reset();
	fake.flows = 2;		/* CPUs */
	out = run_verb(cmd_stats, &plain, "", &code);
	EXPECT(!strncmp(out, "found                 200\nnew                   300\n", 52));
	EXPECT(!strstr(out, "cpu"));
	out = run_verb(cmd_stats, &cpu, "", &code);
	EXPECT_INT(code, EXIT_OK);
	EXPECT(!strncmp(out, "cpu=0 found=200 new=300 ", 24));
	EXPECT(strstr(out, "\ncpu=1 found=201 new=301 "));
	j = run_json(cmd_stats, "");
	EXPECT_INT(field(j, "evict_closing"), 1500);
	EXPECT(!json_object_get(j, "cpu"));
	json_decref(j);
	json.cpu = true;
	j = run_json(cmd_stats, "");
	EXPECT_INT(json_array_size(j), 2);
	EXPECT_INT(field(json_array_get(j, 1), "cpu"), 1);
	json_decref(j);
	json.cpu = false;
	run_verb(cmd_stats, &plain, "tcp", &code);
	EXPECT_INT(code, EXIT_USAGE);
	err_clear();
}

static void show(void)
{
	const char *out;
	int code;
	json_t *j;

	fake_reset();
	out = run_verb(cmd_show, &plain, "", &code);
	EXPECT(!strncmp(out, "enable=1\nmax=1\ncount=0\nbuckets=auto:1\nfull_policy=drop\n", 55));
	EXPECT(strstr(out, "\nbypass_mask=0x1\n"));
	EXPECT(strstr(out, "\nadopt=always\n"));
	out = run_verb(cmd_show, &plain, "udp_timeout max", &code);
	EXPECT_STR(out, "max=1\nudp_timeout=1\n");
	j = run_json(cmd_show, "");
	EXPECT_INT(json_object_size(j), FLOWTRACK_A_SETTINGS_MAX - 1);
	EXPECT_INT(field(j, "max"), 1);
	EXPECT_STR(json_string_value(json_object_get(j, "full_policy")),
		   "drop");
	json_decref(j);
	/* A number that somebody fixed is told from one that was chosen. */
	fake.setting = FLOWTRACK_A_SETTINGS_BUCKETS_AUTO;
	fake.value = 0;
	EXPECT_STR(run_verb(cmd_show, &plain, "buckets", &code), "buckets=1\n");
	/* One that follows nf_conntrack's is told from one that was set. */
	fake.follow = 1ULL << FLOWTRACK_A_SETTINGS_ACCT;
	EXPECT_STR(run_verb(cmd_show, &plain, "acct checksum", &code), "acct=auto:1\nchecksum=1\n");
	j = run_json(cmd_show, "acct");
	EXPECT_INT(field(j, "acct"), 1);
	json_decref(j);
	fake.follow = 0;
	/* What a module of old lacks is named. */
	fake.settings_max = FLOWTRACK_A_SETTINGS_WATERMARK_LOW;
	run_verb(cmd_show, &plain, "max watermark_high buckets_auto", &code);
	EXPECT_INT(code, EXIT_REFUSED);
	EXPECT_STR(err_msg(), "the module has no setting 'watermark_high', 'buckets_auto'");
	EXPECT_STR(run_verb(cmd_show, &plain, "buckets", &code), "buckets=1\n");
	run_verb(cmd_show, &plain, "maxx", &code);
	EXPECT_INT(code, EXIT_USAGE);
	EXPECT_STR(err_msg(), "unknown setting 'maxx', did you mean 'max'?");
	err_clear();
}

static __u32 sent(int attr)
{
	const struct nlattr *a = request_attr(attr);

	return a ? mnl_attr_get_u32(a) : 4242424242;
}

static void set(void)
{
	static const char * const bad[] = {
		"", "max", "mix 5", "count 5", "max lots", "max 4294967296",
		"full_policy never", "tcp_timeout_established 1.5", "max 5 max 6",
		"acct maybe", "bypass_mark 0xfffffffff", "count=5", "max 7 count 5",
		"buckets automatic", "buckets auto:", "buckets auto:x", "max auto",
		"acct auto:", "udp_timeout auto:x", "src_max auto", "bypass_mark auto",
		"events auto",
	};
	const char *out;
	size_t i;
	int code;

	fake_reset();
	out = run_verb(cmd_set, &plain, "max 65536 full_policy pass " SET_REST,
		       &code);
	EXPECT_INT(code, EXIT_OK);
	EXPECT_STR(out, "");
	EXPECT_INT(fake.requests, 1);
	EXPECT_INT(request_cmd(), FLOWTRACK_CMD_SETTINGS_SET);
	EXPECT_INT(sent(FLOWTRACK_A_SETTINGS_MAX_FLOWS), 65536);
	EXPECT_INT(sent(FLOWTRACK_A_SETTINGS_FULL_POLICY),
		   FLOWTRACK_POLICY_PASS);
	EXPECT_INT(sent(FLOWTRACK_A_SETTINGS_ADOPT), 2);
	EXPECT_INT(sent(FLOWTRACK_A_SETTINGS_TCP_TIMEOUT_ESTABLISHED), 432000);
	EXPECT_INT(sent(FLOWTRACK_A_SETTINGS_ACCT), 1);
	EXPECT_INT(sent(FLOWTRACK_A_SETTINGS_BYPASS_MARK), 255);
	EXPECT(!request_attr(FLOWTRACK_A_SETTINGS_ENABLE));
	fake.requests = 0;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		run_verb(cmd_set, &plain, bad[i], &code);
		if (code != EXIT_USAGE || !err_msg()[0])
			test_failed(__FILE__, __LINE__, "'%s'", bad[i]);
	}
	EXPECT_INT(fake.requests, 0);
	err_clear();
}

/* What show prints, set takes: in any order, the number of buckets as it was. */
static void show_to_set(void)
{
	static char line[8192], reversed[8192];
	int code, i, argc;
	char *p, **argv;

	fake_reset();
	snprintf(line, sizeof(line), "%s", run_verb(cmd_show, &plain, "", &code));
	for (p = line; *p; p++)
		if (*p == '\n')
			*p = ' ';
	argc = test_words(line, &argv);
	reversed[0] = '\0';
	for (i = argc - 1; i >= 0; i--) {
		strcat(reversed, argv[i]);
		strcat(reversed, " ");
	}
	run_verb(cmd_set, &plain, reversed, &code);
	EXPECT_INT(code, EXIT_OK);
	EXPECT_STR(err_msg(), "");
	EXPECT_INT(request_cmd(), FLOWTRACK_CMD_SETTINGS_SET);
	EXPECT_INT(sent(FLOWTRACK_A_SETTINGS_BUCKETS), 0);
	EXPECT_INT(sent(FLOWTRACK_A_SETTINGS_WATERMARK_HIGH), 1);
	EXPECT(!request_attr(FLOWTRACK_A_SETTINGS_COUNT));
	EXPECT(!request_attr(FLOWTRACK_A_SETTINGS_BUCKETS_AUTO));
	run_verb(cmd_set, &plain, "buckets auto", &code);
	EXPECT_INT(sent(FLOWTRACK_A_SETTINGS_BUCKETS), 0);
	run_verb(cmd_set, &plain, "buckets=4096", &code);
	EXPECT_INT(sent(FLOWTRACK_A_SETTINGS_BUCKETS), 4096);
	run_verb(cmd_set, &plain, "acct auto udp_timeout=auto:30 log_invalid=6", &code);
	EXPECT_INT(sent(FLOWTRACK_A_SETTINGS_ACCT), FLOWTRACK_SETTING_AUTO);
	EXPECT_INT(sent(FLOWTRACK_A_SETTINGS_UDP_TIMEOUT), FLOWTRACK_SETTING_AUTO);
	EXPECT_INT(sent(FLOWTRACK_A_SETTINGS_LOG_INVALID), 6);
	EXPECT_STR(run_verb(cmd_set, &json, "acct auto udp_timeout 9", &code),
		   "{\"acct\":\"auto\",\"udp_timeout\":9}\n");
}

/* The tool's stderr goes to a file that is returned. */
static const char *restore(const struct options *opts, const char *text,
			   int *code, char *messages, size_t size)
{
	char path[] = "/tmp/flowtrack-test-XXXXXX", errs[64];
	int fd = mkstemp(path), saved = dup(STDERR_FILENO), err;
	const char *out;
	ssize_t n;

	EXPECT(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
	snprintf(errs, sizeof(errs), "%s.err", path);
	fflush(stderr);
	if (!freopen(errs, "w+", stderr))
		EXPECT(!"freopen");
	out = run_verb(cmd_restore, opts, path, code);
	fflush(stderr);
	n = pread(fileno(stderr), messages, size - 1, 0);
	messages[n > 0 ? n : 0] = '\0';
	err = dup2(saved, fileno(stderr));
	EXPECT(err >= 0);
	close(saved);
	unlink(path);
	unlink(errs);
	return out;
}

#define GOOD	"proto=89 src=1.1.1.1 dst=2.2.2.2 timeout=5\n"

static void restores(void)
{
	struct options ignore = { .ignore_existing = true };
	static char text[64000], messages[8192];
	const char *out;
	int code, i;
	char *p;

	fake_reset();
	p = stpcpy(text, "flowtrack-save 1\n# a comment\n\n");
	for (i = 0; i < 250; i++)
		p = stpcpy(p, GOOD);
	out = restore(&plain, text, &code, messages, sizeof(messages));
	EXPECT_INT(code, EXIT_OK);
	EXPECT_STR(out, "250 flows restored\n");
	EXPECT_INT(fake.requests, 250);
	EXPECT_STR(messages, "");

	/* bad lines are named, the others entered */
	out = restore(&plain, "flowtrack-save 1\n" GOOD "udp nonsense\n" GOOD,
		      &code, messages, sizeof(messages));
	EXPECT_INT(code, EXIT_USAGE);
	EXPECT_STR(out, "2 flows restored, 1 failed\n");
	EXPECT(strstr(messages, ":3: unknown word 'nonsense'"));

	/* so are those that the kernel refuses, */
	fake_reset();
	fake.fail_at = 1;
	fake.fail_errno = EEXIST;
	fake.message = "the flow exists";
	out = restore(&plain, "flowtrack-save 1\n\n" GOOD GOOD GOOD, &code,
		      messages, sizeof(messages));
	EXPECT_INT(code, EXIT_REFUSED);
	EXPECT_STR(out, "2 flows restored, 1 failed\n");
	EXPECT(strstr(messages, ":4: the flow exists\n"));

	/* the last one of a batch, too */
	fake.fail_at = 2;
	out = restore(&ignore, "flowtrack-save 1\n" GOOD GOOD GOOD, &code,
		      messages, sizeof(messages));
	EXPECT_INT(code, EXIT_OK);
	EXPECT_STR(out, "2 flows restored, 1 existed\n");
	EXPECT_STR(messages, "");

	/* no permission: no use going on */
	fake_reset();
	fake.error = EPERM;
	restore(&plain, text, &code, messages, sizeof(messages));
	EXPECT_INT(code, EXIT_NO_PERMISSION);
	EXPECT_INT(fake.requests, 100);
	err_clear();
}

#define UDP(timeout)	"udp src=1.1.1.1 dst=2.2.2.2 sport=1 dport=2 timeout=" timeout "\n"

/* What went by since the table was saved is taken off; what is over is not entered. */
static void restore_later(void)
{
	static char text[1024], messages[1024];
	const char *out;
	__u32 left;
	int code;

	fake_reset();
	snprintf(text, sizeof(text), "flowtrack-save 1\n# saved=%lld.000\n" UDP("100") GOOD
		 UDP("600"), (long long)time(NULL) - 300);
	out = restore(&plain, text, &code, messages, sizeof(messages));
	EXPECT_INT(code, EXIT_OK);
	EXPECT_STR(out, "1 flow restored, 2 over since the table was saved\n");
	left = mnl_attr_get_u32(request_attr(FLOWTRACK_A_FLOW_TIMEOUT));
	EXPECT(left > 290000 && left <= 300000);
	out = restore(&json, text, &code, messages, sizeof(messages));
	EXPECT_STR(out, "{\"restored\":1,\"existing\":0,\"failed\":0,\"over\":2}\n");
	/* a clock that was ahead, and a comment that only looks like it */
	snprintf(text, sizeof(text), "flowtrack-save 1\n# saved=%lld\n# saved=yesterday\n"
		 UDP("100"), (long long)time(NULL) + 300);
	out = restore(&plain, text, &code, messages, sizeof(messages));
	EXPECT_STR(out, "1 flow restored\n");
	EXPECT_INT(mnl_attr_get_u32(request_attr(FLOWTRACK_A_FLOW_TIMEOUT)), 100000);
}

/* Settings of the file: in one request, before the flows; or nothing at all. */
static void restore_settings(void)
{
	static char messages[1024];
	const char *out;
	int code;

	fake_reset();
	out = restore(&plain, "flowtrack-save 2\nset max=5\nset buckets=auto:64\n", &code,
		      messages, sizeof(messages));
	EXPECT_INT(code, EXIT_OK);
	EXPECT_STR(out, "0 flows restored\n");
	EXPECT_INT(request_cmd(), FLOWTRACK_CMD_SETTINGS_SET);
	EXPECT_INT(sent(FLOWTRACK_A_SETTINGS_MAX_FLOWS), 5);
	EXPECT_INT(sent(FLOWTRACK_A_SETTINGS_BUCKETS), 0);
	out = restore(&plain, "flowtrack-save 2\nset max=5\n" GOOD, &code, messages,
		      sizeof(messages));
	EXPECT_STR(out, "1 flow restored\n");
	EXPECT_INT(fake.requests, 3);
	/* refused: no flow is entered either */
	fake_reset();
	fake.error = EINVAL;
	fake.message = "too many";
	restore(&plain, "flowtrack-save 2\nset max=5\n" GOOD, &code, messages, sizeof(messages));
	EXPECT_INT(code, EXIT_REFUSED);
	EXPECT(strstr(err_msg(), "settings: too many"));
	EXPECT_INT(fake.requests, 1);
	/* out of place, of the other version, unknown */
	fake_reset();
	out = restore(&plain, "flowtrack-save 2\n" GOOD "set max=5\n", &code, messages,
		      sizeof(messages));
	EXPECT_INT(code, EXIT_USAGE);
	EXPECT(strstr(messages, ":3: settings stand before the flows"));
	out = restore(&plain, "flowtrack-save 1\nset max=5\n" GOOD, &code, messages,
		      sizeof(messages));
	EXPECT_INT(code, EXIT_USAGE);
	out = restore(&plain, "flowtrack-save 2\nset maxx=5\n" GOOD, &code, messages,
		      sizeof(messages));
	EXPECT_STR(out, "1 flow restored, 1 failed\n");
	err_clear();
}

/* An error in the middle: what was entered before is said. */
static void restore_cut(void)
{
	static char text[64000], messages[8192];
	const char *out;
	int code, i;
	char *p;

	fake_reset();
	p = stpcpy(text, "flowtrack-save 1\n");
	for (i = 0; i < 250; i++)
		p = stpcpy(p, GOOD);
	fake.enobufs_at = 200;
	out = restore(&plain, text, &code, messages, sizeof(messages));
	EXPECT_INT(code, EXIT_REFUSED);
	EXPECT_STR(out, "100 flows restored\n");
	EXPECT(strstr(err_msg(), "cannot receive"));
	err_clear();
}

static void bad_files(void)
{
	static const struct {
		const char *text;
		const char *says;
	} cases[] = {
		{ "", "the file is empty" },
		{ GOOD, "not a saved table" },
		{ "flowtrack-save 3\n" GOOD, "version 3" },
		{ "flowtrack-save x\n", "not a saved table" },
	};
	static char messages[8192];
	const char *out;
	size_t i;
	int code;

	fake_reset();
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		restore(&plain, cases[i].text, &code, messages,
			sizeof(messages));
		EXPECT_INT(code, EXIT_USAGE);
		if (!strstr(err_msg(), cases[i].says))
			test_failed(__FILE__, __LINE__, "%s", err_msg());
		err_clear();
	}
	EXPECT_INT(fake.requests, 0);
	/* cut in the middle of a line that would still be a flow */
	out = restore(&plain, "flowtrack-save 1\n" GOOD
		      "udp src=1.1.1.1 dst=2.2.2.2 sport=5 dport=44", &code,
		      messages, sizeof(messages));
	EXPECT_INT(code, EXIT_USAGE);
	EXPECT_STR(out, "1 flow restored, 1 failed\n");
	EXPECT(strstr(messages, ":3: the file ends within this line"));
	run_verb(cmd_restore, &plain, "/no/such/file", &code);
	EXPECT_INT(code, EXIT_USAGE);
	err_clear();
}

static __u64 request_number(int type)
{
	const struct nlattr *a = request_attr(type);

	if (!a)
		return 0;
	return mnl_attr_get_payload_len(a) == 1 ? mnl_attr_get_u8(a) :
						  mnl_attr_get_u32(a);
}

static void top(void)
{
	struct options five = { .count = 5 }, many = { .count = 65 };
	json_t *j, *list;
	const char *out;
	int code;

	/* It asks again for the rates. */
	fake_reset();
	out = run_verb(cmd_top, &plain, "service", &code);
	EXPECT_INT(code, EXIT_OK);
	EXPECT_INT(fake.requests, 2);
	EXPECT_INT(request_cmd(), FLOWTRACK_CMD_TOP_GET);
	EXPECT_INT(request_number(FLOWTRACK_A_TOP_KIND),
		   FLOWTRACK_TOP_KIND_SERVICE);
	EXPECT_INT(request_number(FLOWTRACK_A_TOP_ORDER),
		   FLOWTRACK_TOP_ORDER_FLOWS);
	EXPECT_INT(request_number(FLOWTRACK_A_TOP_LIMIT), 10);
	EXPECT_STR(out, "65536 flows, 5000 guarded, 16384 looked at, 50 new a second\n"
		   "     flows    guarded      new/s   share  service\n"
		   "      4000        300         40     6.1%  tcp 443\n"
		   "      3999        299         41     6.0%  icmp\n");
	out = run_verb(cmd_top, &five, "rate source", &code);
	EXPECT_INT(code, EXIT_OK);
	EXPECT_INT(request_number(FLOWTRACK_A_TOP_ORDER),
		   FLOWTRACK_TOP_ORDER_RATE);
	EXPECT_INT(request_number(FLOWTRACK_A_TOP_LIMIT), 5);
	EXPECT(strstr(out, "  192.0.2.7\n"));
	EXPECT(strstr(out, "  2001:db8::/64\n"));
	out = run_verb(cmd_top, &plain, "", &code);
	EXPECT(strstr(out, "\n\n     flows    guarded      new/s   share  destination\n"));
	EXPECT(strstr(out, "  2001:db8::\n"));

	j = run_json(cmd_top, "");
	EXPECT_INT(field(j, "total"), 65536);
	EXPECT_INT(field(j, "guarded"), 5000);
	EXPECT(json_is_false(json_object_get(j, "exact")));
	EXPECT_INT(field(j, "window_ms"), 1000);
	list = json_object_get(j, "source");
	EXPECT_INT(json_array_size(list), 2);
	EXPECT_INT(field(json_array_get(list, 1), "prefix"), 64);
	EXPECT_INT(field(json_array_get(list, 1), "guarded"), 299);
	EXPECT_STR(json_string_value(json_object_get(json_array_get(list, 0),
						     "address")), "192.0.2.7");
	EXPECT(json_real_value(json_object_get(json_array_get(list, 0),
					       "share")) == 0.061);
	list = json_object_get(j, "service");
	EXPECT_INT(field(json_array_get(list, 0), "port"), 443);
	EXPECT(!json_object_get(json_array_get(list, 1), "port"));
	EXPECT(!json_object_get(j, "bytes"));
	EXPECT(!json_object_get(json_array_get(list, 1), "bytes"));
	json_decref(j);
	out = run_verb(cmd_top, &plain, "bytes", &code);
	EXPECT_INT(request_number(FLOWTRACK_A_TOP_ORDER), FLOWTRACK_TOP_ORDER_BYTES);
	EXPECT(strstr(out, "no bytes counted: see acct"));

	fake.acct = true;
	out = run_verb(cmd_top, &plain, "bytes source", &code);
	EXPECT_INT(code, EXIT_OK);
	EXPECT(strstr(out, ", 1152921504606846976 bytes\n"
		   "     flows    guarded      new/s           bytes   share  source\n"
		   "      4000        300         40 1125899906842624     6.1%  192.0.2.7\n"));
	j = run_json(cmd_top, "bytes");
	EXPECT(json_integer_value(json_object_get(j, "bytes")) == 1LL << 60);
	list = json_object_get(j, "source");
	list = json_array_get(list, 1);
	EXPECT(json_integer_value(json_object_get(list, "bytes")) == (1LL << 50) - 1);
	json_decref(j);

	run_verb(cmd_top, &plain, "tcp", &code);
	EXPECT_INT(code, EXIT_USAGE);
	EXPECT(strstr(err_msg(), "'tcp'"));
	run_verb(cmd_top, &plain, "source service", &code);
	EXPECT_INT(code, EXIT_USAGE);
	run_verb(cmd_top, &many, "", &code);
	EXPECT_INT(code, EXIT_USAGE);
	fake.error = EPERM;
	out = run_verb(cmd_top, &json, "", &code);
	EXPECT_INT(code, EXIT_NO_PERMISSION);
	EXPECT_STR(out, "");
	err_clear();
}

static void saves(void)
{
	struct options settings_too = { .settings = true };
	static char text[1 << 16], messages[1024];
	const char *out;
	int code;
	json_t *j;

	fake_reset();
	fake.flows = 20;
	out = run_verb(cmd_save, &plain, "", &code);
	EXPECT_INT(code, EXIT_OK);
	EXPECT(!strncmp(out, "flowtrack-save 1\n# saved=", 25));
	EXPECT(strstr(out, "\ntcp src=10.0.0.2 "));
	/* an age becomes a time */
	EXPECT(strstr(out, " start=1") || strstr(out, " start=2"));
	snprintf(text, sizeof(text), "%s", out);
	out = restore(&plain, text, &code, messages, sizeof(messages));
	EXPECT_INT(code, EXIT_OK);
	EXPECT_STR(out, "20 flows restored\n");
	/* With settings the form is another one, which restore reads. */
	out = run_verb(cmd_save, &settings_too, "", &code);
	EXPECT(!strncmp(out, "flowtrack-save 2\n# saved=", 25));
	EXPECT(strstr(out, "\nset enable=1\nset max=1\nset buckets=auto:1\n"));
	EXPECT(!strstr(out, "set count"));
	snprintf(text, sizeof(text), "%s", out);
	out = restore(&plain, text, &code, messages, sizeof(messages));
	EXPECT_INT(code, EXIT_OK);
	EXPECT_STR(out, "20 flows restored\n");
	/* Flows of nf_conntrack can't be restored, and have events where it tells of them. */
	fake.requests = 0;
	run_verb(cmd_save, &plain, "guarded", &code);
	EXPECT_INT(code, EXIT_USAGE);
	if (!module_loaded(MODULE_CTNETLINK)) {
		run_verb(cmd_monitor, &plain, "guarded tcp", &code);
		EXPECT_INT(code, EXIT_REFUSED);
		EXPECT(strstr(err_msg(), MODULE_CTNETLINK));
	}
	EXPECT_INT(fake.requests, 0);
	err_clear();
	j = run_json(cmd_save, "");
	EXPECT_INT(json_array_size(j), 20);
	EXPECT(json_object_get(json_object_get(json_array_get(j, 0), "reply"),
			       "window"));
	json_decref(j);
}

const struct test cmd_tests[] = {
	{ "list", list },
	{ "get", get },
	{ "add", add },
	{ "del and flush", del },
	{ "count", count },
	{ "count by", count_by },
	{ "stats", stats },
	{ "top", top },
	{ "show", show },
	{ "set", set },
	{ "set takes what show prints", show_to_set },
	{ "save", saves },
	{ "restore", restores },
	{ "restore, a while after save", restore_later },
	{ "restore of settings", restore_settings },
	{ "restore that ends in the middle", restore_cut },
	{ "restore of bad files", bad_files },
	{ NULL, NULL },
};
