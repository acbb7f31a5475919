// SPDX-License-Identifier: GPL-2.0
/*
 * The checks: each looks at the facts, and says what is wrong and which command
 * mends it. They read nothing themselves.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "doctor.h"
#include "names.h"

#define N_OF(array)	(sizeof(array) / sizeof((array)[0]))
#define SET(name)	FLOWTRACK_A_SETTINGS_##name
#define STAT(name)	FLOWTRACK_A_STATS_##name

#define NEARLY_FULL	80	/* per cent */
#define SLOTS		7	/* of a bucket */
#define FLOW_BYTES	144	/* of IPv4, with its share of the table */
#define CHAIN_LONG	8	/* entries of nf_conntrack for one bucket */
#define FIVE_DAYS	432000

static __u32 setting(const struct facts *f, int attr)
{
	return f->value[attr];
}

static bool is_word(const struct facts *f, int attr, const char *word)
{
	const char *name = name_of(settings[attr].names, f->value[attr]);

	return name && !strcmp(name, word);
}

static __u64 stat(const struct facts *f, int attr)
{
	return f->stats.value[attr];
}

/* Whether the module has a setting, and somebody has set it. */
static bool is_set(const struct facts *f, int attr)
{
	return f->has >> attr & 1 && !(f->follow >> attr & 1);
}

static bool has_rules(const struct facts *f, unsigned int bits)
{
	return f->rules.has & bits;
}

static unsigned int percent(__u64 part, __u64 whole)
{
	return whole ? part * 100 / whole : 0;
}

static struct finding *find(struct findings *found, enum severity severity, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Notes a finding; fix() says what mends it. */
static struct finding *find(struct findings *found, enum severity severity, const char *fmt, ...)
{
	static struct finding lost;
	struct finding *one = &lost;
	va_list ap;

	if (found->n < N_OF(found->of))
		one = &found->of[found->n++];
	one->severity = severity;
	one->check = found->check;
	one->fix[0] = '\0';
	va_start(ap, fmt);
	vsnprintf(one->text, sizeof(one->text), fmt, ap);
	va_end(ap);
	return one;
}

static void fix(struct finding *one, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void fix(struct finding *one, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(one->fix, sizeof(one->fix), fmt, ap);
	va_end(ap);
}

/* Adds to the text what fills the table. */
static void add_talkers(const struct facts *f, struct finding *one)
{
	char source[TOP_NAME_SIZE], service[TOP_NAME_SIZE];
	size_t len = strlen(one->text);

	if (!f->talkers)
		return;
	top_entry_name(&f->source, source, sizeof(source));
	top_entry_name(&f->service, service, sizeof(service));
	snprintf(one->text + len, sizeof(one->text) - len,
		 "; %s holds %u%% of all flows, %u%% are to %s", source, f->source.share / 10,
		 f->service.share / 10, service);
}

/* A module that is not loaded, and why it may not be. */
static void check_module(const struct facts *f, struct findings *found)
{
	const struct host *h = &f->host;
	struct finding *one;

	if (f->loaded)
		return;
	if (h->built) {
		one = find(found, FINDING_ERROR,
			   "nf_flowtrack is not loaded: nf_conntrack tracks all connections");
		fix(one, "modprobe nf_flowtrack");
		return;
	}
	one = find(found, FINDING_ERROR, "there is no nf_flowtrack for this kernel, %s%s",
		   h->kernel, h->headers ? "" : ", nor its headers, to build it");
	if (h->headers)
		fix(one, "dkms autoinstall -k %s", h->kernel);
	else
		fix(one, "apt install linux-headers-%s && dkms autoinstall -k %s", h->kernel,
		    h->kernel);
}

/* A kernel that would refuse it. */
static void check_secure_boot(const struct facts *f, struct findings *found)
{
	if (f->loaded || !f->host.signed_only)
		return;
	fix(find(found, FINDING_WARNING,
		 "this kernel takes signed modules only: the key of nf_flowtrack must be enrolled"),
	    "mokutil --import /var/lib/dkms/mok.pub");
}

/* The kernel of the next boot. */
static void check_next_boot(const struct facts *f, struct findings *found)
{
	const struct host *h = &f->host;
	struct finding *one;

	if (!strcmp(h->newest, h->kernel) || h->newest_built)
		return;
	one = find(found, FINDING_WARNING,
		   "the newest kernel, %s, has no nf_flowtrack%s: the next boot is without it",
		   h->newest, h->newest_headers ? "" : ", and no headers to build it");
	if (h->newest_headers)
		fix(one, "dkms autoinstall -k %s", h->newest);
	else
		fix(one, "apt install linux-headers-%s", h->newest);
}

static void check_versions(const struct facts *f, struct findings *found)
{
	if (!f->loaded || !f->module[0] || !strcmp(f->module, f->tool))
		return;
	fix(find(found, FINDING_WARNING, "flowtrack is version %s, the loaded module %s", f->tool,
		 f->module), "flowtrack reload");
}

/* Whether newcomers to a full table suffer, or the policy has an answer. */
static void check_full(const struct facts *f, struct findings *found)
{
	__u64 count = setting(f, SET(COUNT)), max = setting(f, SET(MAX_FLOWS));
	__u64 dropped = stat(f, STAT(FULL_DROP));
	struct finding *one;

	if (!f->loaded || percent(count, max) < NEARLY_FULL)
		return;
	if (count + setting(f, SET(RESERVED)) >= max && dropped)
		one = find(found, FINDING_ERROR,
			   "the table is full, %llu of %llu flows: %llu newcomers were dropped",
			   count, max, dropped);
	else
		one = find(found, FINDING_WARNING, "the table is %s, %llu of %llu flows",
			   count >= max ? "full" : "nearly full", count, max);
	add_talkers(f, one);
	fix(one, "flowtrack set max %llu", 2 * max);
}

/* What happened while nobody looked. Counters never go back: a warning would stay. */
static void check_past(const struct facts *f, struct findings *found)
{
	__u64 count = setting(f, SET(COUNT)), max = setting(f, SET(MAX_FLOWS));

	if (!f->loaded || percent(count, max) >= NEARLY_FULL)
		return;
	if (stat(f, STAT(FULL_DROP)))
		fix(find(found, FINDING_NOTICE,
			 "the table was full before: %llu newcomers were dropped",
			 stat(f, STAT(FULL_DROP))), "flowtrack set max %llu", 2 * max);
	else if (stat(f, STAT(EVICT_ASSURED)))
		fix(find(found, FINDING_NOTICE,
			 "the table was full before: %llu assured flows were evicted",
			 stat(f, STAT(EVICT_ASSURED))), "flowtrack set max %llu", 2 * max);
}

/* nf_conntrack's own table, and the guard of it. */
static void check_conntrack_full(const struct facts *f, struct findings *found)
{
	const struct host *h = &f->host;
	struct finding *one;

	if (!h->conntrack || percent(h->count, h->max) < NEARLY_FULL)
		return;
	one = find(found, h->count >= h->max - h->max / 100 ? FINDING_ERROR : FINDING_WARNING,
		   "nf_conntrack's table is %s, %llu of %llu entries",
		   h->count >= h->max ? "full" : "nearly full", h->count, h->max);
	if (f->loaded)
		add_talkers(f, one);
	fix(one, "sysctl -w net.netfilter.nf_conntrack_max=%llu", 2 * h->max);
}

static void check_guard(const struct facts *f, struct findings *found)
{
	if (!f->loaded || setting(f, SET(GUARD)) || !f->host.conntrack || !f->host.count)
		return;
	fix(find(found, FINDING_WARNING,
		 "nf_conntrack's table, of %llu entries, is not guarded",
		 f->host.count), "flowtrack set guard on");
}

/* Hashes that an admin made too small. */
static void check_hash(const struct facts *f, struct findings *found)
{
	__u64 buckets = setting(f, SET(BUCKETS)), max = setting(f, SET(MAX_FLOWS));
	const struct host *h = &f->host;

	if (f->loaded && !setting(f, SET(BUCKETS_AUTO)) && max > buckets * SLOTS)
		fix(find(found, FINDING_WARNING,
			 "the table is fixed at %llu buckets, room for %llu flows, and may have %llu",
			 buckets, buckets * SLOTS, max), "flowtrack set buckets auto");
	if (h->conntrack && h->max > h->buckets * CHAIN_LONG && h->count > h->buckets)
		fix(find(found, FINDING_WARNING,
			 "nf_conntrack's hash has %llu buckets for %llu entries: chains are long",
			 h->buckets, h->max),
		    "echo %llu > /sys/module/nf_conntrack/parameters/hashsize", h->max / 4);
}

/* Timeouts that were set, and that admins regret. */
static const struct {
	int attr;
	__u32 least;
	const char *why;
} timeouts[] = {
	{ SET(TCP_TIMEOUT_ESTABLISHED), 600,
	  "silent connections, of ssh and databases, are forgotten" },
	{ SET(TCP_TIMEOUT_SYN_SENT), 10, "a repeated SYN finds no flow" },
	{ SET(TCP_TIMEOUT_SYN_RECV), 10, "a slow handshake finds no flow" },
	{ SET(TCP_TIMEOUT_FIN_WAIT), 10, "the end of a connection is INVALID" },
	{ SET(TCP_TIMEOUT_CLOSE_WAIT), 10, "the end of a connection is INVALID" },
	{ SET(UDP_TIMEOUT), 5, "a slow answer of DNS is NEW" },
	{ SET(UDP_TIMEOUT_STREAM), 30, "keepalives of VPN and SIP come too late" },
	{ SET(ICMP_TIMEOUT), 2, "a slow answer to ping is INVALID" },
	{ SET(ICMPV6_TIMEOUT), 2, "a slow answer to ping is INVALID" },
};

static void check_timeouts(const struct facts *f, struct findings *found)
{
	__u64 count = setting(f, SET(COUNT)), max = setting(f, SET(MAX_FLOWS));
	size_t i;

	if (!f->loaded)
		return;
	for (i = 0; i < N_OF(timeouts); i++) {
		int attr = timeouts[i].attr;

		if (is_set(f, attr) && setting(f, attr) < timeouts[i].least)
			fix(find(found, FINDING_WARNING, "%s is %u seconds: %s",
				 settings[attr].name, setting(f, attr), timeouts[i].why),
			    "flowtrack set %s auto", settings[attr].name);
	}
	if (is_set(f, SET(TCP_TIMEOUT_ESTABLISHED)) &&
	    setting(f, SET(TCP_TIMEOUT_ESTABLISHED)) >= FIVE_DAYS && percent(count, max) >= 50)
		fix(find(found, FINDING_WARNING,
			 "tcp_timeout_established is %u seconds in a table %u%% full: the dead stay",
			 setting(f, SET(TCP_TIMEOUT_ESTABLISHED)), percent(count, max)),
		    "flowtrack set tcp_timeout_established auto");
}

/* What keeps flows in nf_conntrack: compatibility.rst has the same. */
static const struct {
	unsigned int has;
	const char *what;
} readers[] = {
	{ RULES_BIT(CT_COUNT), "ct count or connlimit (all new flows)" },
	{ RULES_BIT(FLOWTABLE), "a flowtable (all new flows)" },
	{ RULES_BIT(SYNPROXY), "synproxy (all new flows)" },
	{ RULES_BIT(LABEL), "labels (all new flows)" },
	{ RULES_BIT(SECMARK), "security marks (all new flows)" },
	{ RULES_BIT(BRIDGE), "a bridge that tracks (all new flows)" },
	{ RULES_BIT(REDIRECT), "redirect (what comes in)" },
	{ RULES_BIT(HELPER), "helpers (what they help)" },
	{ RULES_BIT(TIMEOUT), "ct timeout (what has one)" },
	{ RULES_BIT(EXPECTATION), "ct expectation (what has one)" },
};

/* NAT keeps what flowtrack does not adopt with its mapping. */
static const char *kept_by_nat(const struct facts *f)
{
	if (!has_rules(f, RULES_BIT(NAT)))
		return NULL;
	if (is_word(f, SET(NAT), "never"))
		return "NAT (what it translates)";
	if (!has_rules(f, RULES_BIT(DNAT)) || is_word(f, SET(NAT), "all") ||
	    (is_word(f, SET(NAT), "auto") && f->host.ctnetlink))
		return NULL;
	return "NAT (what it sends elsewhere)";
}

static void add_reader(char *list, size_t size, const char *what)
{
	size_t len = strlen(list);

	snprintf(list + len, size - len, "%s%s", len ? ", " : "", what);
}

static void check_consumers(const struct facts *f, struct findings *found)
{
	char list[384] = "";
	const char *nat;
	size_t i;

	if (!f->loaded)
		return;
	nat = kept_by_nat(f);
	if (nat)
		add_reader(list, sizeof(list), nat);
	for (i = 0; i < N_OF(readers); i++)
		if (has_rules(f, readers[i].has))
			add_reader(list, sizeof(list), readers[i].what);
	if (f->host.openvswitch)
		add_reader(list, sizeof(list), "openvswitch (all new flows)");
	if (f->host.tc)
		add_reader(list, sizeof(list), "tc (all new flows)");
	if (f->host.ipvs)
		add_reader(list, sizeof(list), "IPVS (what it balances)");
	if (list[0])
		fix(find(found, FINDING_NOTICE,
			 "%u flows stay in nf_conntrack, guarded, since these read it: %s",
			 setting(f, SET(GUARDED)), list), "flowtrack list guarded");
}

/* Settings and rules that wait for each other. */
static void check_marks(const struct facts *f, struct findings *found)
{
	struct finding *one;

	if (!f->loaded || !f->rules.known)
		return;
	if (setting(f, SET(BYPASS_MASK)) &&
	    !rules_give_mark(&f->rules, setting(f, SET(BYPASS_MARK)),
			     setting(f, SET(BYPASS_MASK)))) {
		one = find(found, FINDING_WARNING,
			   "no rule gives a packet the bypass mark, %#x/%#x: it has no effect",
			   setting(f, SET(BYPASS_MARK)), setting(f, SET(BYPASS_MASK)));
		fix(one, "flowtrack set bypass_mark 0 bypass_mask 0");
	}
	if (!setting(f, SET(RESERVED)))
		return;
	if (setting(f, SET(RESERVED_MASK)) &&
	    rules_give_mark(&f->rules, setting(f, SET(RESERVED_MARK)),
			    setting(f, SET(RESERVED_MASK))))
		return;
	one = find(found, FINDING_WARNING,
		   "%u entries are reserved, and no rule gives the mark to take them",
		   setting(f, SET(RESERVED)));
	fix(one, "flowtrack set reserved 0");
}

static void check_rules(const struct facts *f, struct findings *found)
{
	bool never = is_word(f, SET(ADOPT), "never");

	if (!f->loaded || !f->rules.known)
		return;
	if (never && has_rules(f, RULES_BIT(NAT) | RULES_BIT(HELPER) | RULES_BIT(CT_COUNT) |
				  RULES_BIT(FLOWTABLE) | RULES_BIT(SYNPROXY) |
				  RULES_BIT(TIMEOUT) | RULES_BIT(EXPECTATION)))
		fix(find(found, FINDING_ERROR,
			 "adopt is never: new flows get no NAT, helper, ct count or ct timeout"),
		    "flowtrack set adopt auto");
	if (has_rules(f, RULES_BIT(BYTES)) && is_set(f, SET(ACCT)) && !setting(f, SET(ACCT)))
		fix(find(found, FINDING_WARNING,
			 "acct is off: rules on a connection's bytes or packets never match"),
		    "flowtrack set acct auto");
	if (has_rules(f, RULES_BIT(EVENT)))
		fix(find(found, FINDING_NOTICE,
			 "'ct event' does nothing to flowtrack's flows: all events are told"),
		    "flowtrack set events off");
}

static void check_enabled(const struct facts *f, struct findings *found)
{
	if (!f->loaded || !f->rules.known)
		return;
	if (!setting(f, SET(ENABLE)) && has_rules(f, RULES_BIT(CT)))
		fix(find(found, FINDING_WARNING,
			 "flowtrack is off in this namespace, whose rules ask for tracking"),
		    "flowtrack set enable auto");
	else if (is_word(f, SET(ENABLE), "auto") && !has_rules(f, RULES_BIT(CT)))
		find(found, FINDING_NOTICE,
		     "no rule of this namespace asks for tracking: nothing is tracked");
}

static void check_alarms(const struct facts *f, struct findings *found)
{
	unsigned int i;

	for (i = 0; i < f->alarms && f->loaded; i++)
		fix(find(found, FINDING_WARNING,
			 "%s looks at nf_conntrack's count only, while flowtrack's fills",
			 f->alarm[i]), "editor %s # add nf_flowtrack_count / nf_flowtrack_max",
		    f->alarm[i]);
}

static void check_sysctls(const struct facts *f, struct findings *found)
{
	unsigned int i;

	for (i = 0; i < f->drifts && f->loaded; i++) {
		const struct drift *d = &f->drift[i];

		fix(find(found, FINDING_WARNING, "%s has nf_flowtrack_%s = %s, which does not hold",
			 d->file, settings[d->attr].name, d->word),
		    "flowtrack set %s %s", settings[d->attr].name, d->word);
	}
}

static void check_namespaces(const struct facts *f, struct findings *found)
{
	__u64 total = setting(f, SET(COUNT));
	unsigned int i;

	for (i = 0; i < f->tenants && f->loaded; i++) {
		const struct tenant *t = &f->tenant[i];

		total += t->count;
		if (percent(t->count, t->max) >= NEARLY_FULL)
			fix(find(found, FINDING_WARNING,
				 "network namespace %s has %llu of %llu flows", t->name, t->count,
				 t->max), "flowtrack -n %s set max %llu", t->name, 2 * t->max);
	}
	if (f->loaded && percent(total, f->host.total_max) >= NEARLY_FULL)
		fix(find(found, FINDING_WARNING,
			 "all namespaces together have %llu of %llu flows (total_max)", total,
			 f->host.total_max),
		    "echo options nf_flowtrack total_max=%llu > %s && flowtrack reload",
		    2 * f->host.total_max, "/etc/modprobe.d/flowtrack-max.conf");
}

static void check_memory(const struct facts *f, struct findings *found)
{
	__u64 most = (__u64)setting(f, SET(MAX_FLOWS)) * FLOW_BYTES, room = f->host.memory / 4;

	if (!f->loaded)
		return;
	if (f->host.memory && most > room)
		fix(find(found, FINDING_WARNING,
			 "max is %u flows, %llu MB, more than a quarter of the memory",
			 setting(f, SET(MAX_FLOWS)), most >> 20), "flowtrack set max %llu",
		    room / FLOW_BYTES);
	if (stat(f, STAT(NOMEM)) || stat(f, STAT(CARRIER_NONE)))
		find(found, FINDING_NOTICE,
		     "the kernel had no memory for %llu flows and %llu packets",
		     stat(f, STAT(NOMEM)), stat(f, STAT(CARRIER_NONE)));
}

static const struct check {
	const char *name;
	void (*run)(const struct facts *f, struct findings *found);
} checks[] = {
	{ "module", check_module },
	{ "secure-boot", check_secure_boot },
	{ "full", check_full },
	{ "conntrack-full", check_conntrack_full },
	{ "rules", check_rules },
	{ "past", check_past },
	{ "guard", check_guard },
	{ "namespaces", check_namespaces },
	{ "memory", check_memory },
	{ "hash", check_hash },
	{ "timeouts", check_timeouts },
	{ "marks", check_marks },
	{ "enabled", check_enabled },
	{ "sysctls", check_sysctls },
	{ "alarms", check_alarms },
	{ "next-boot", check_next_boot },
	{ "versions", check_versions },
	{ "consumers", check_consumers },
};

/**
 * doctor_check() - look for all that is wrong
 * @f: facts
 * @found: filled in, worst first
 */
void doctor_check(const struct facts *f, struct findings *found)
{
	unsigned int i, k;
	size_t c;

	found->n = 0;
	for (c = 0; c < N_OF(checks); c++) {
		found->check = checks[c].name;
		checks[c].run(f, found);
	}
	/* Of equal ones, the table's order stays. */
	for (i = 1; i < found->n; i++) {
		struct finding one = found->of[i];

		for (k = i; k && found->of[k - 1].severity < one.severity; k--)
			found->of[k] = found->of[k - 1];
		found->of[k] = one;
	}
}
