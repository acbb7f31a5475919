// SPDX-License-Identifier: GPL-2.0
/*
 * The doctor: each finding made to appear from a healthy machine, and recorded
 * inputs read.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "doctor.h"
#include "names.h"
#include "test.h"

#define N_OF(array)	(sizeof(array) / sizeof((array)[0]))
#define SET(name)	f->value[FLOWTRACK_A_SETTINGS_##name]
#define STAT(name)	f->stats.value[FLOWTRACK_A_STATS_##name]

/* Nothing is to be found in these. */
static void healthy(struct facts *f)
{
	memset(f, 0, sizeof(*f));
	f->loaded = true;
	strcpy(f->tool, "1.2");
	strcpy(f->module, "1.2");
	strcpy(f->host.kernel, "6.12.9-amd64");
	strcpy(f->host.newest, "6.12.9-amd64");
	f->host.built = true;
	f->host.headers = true;
	f->host.newest_built = true;
	f->host.newest_headers = true;
	f->host.memory = 8ULL << 30;
	f->host.conntrack = true;
	f->host.count = 10;
	f->host.max = 65536;
	f->host.buckets = 65536;
	f->host.total_max = 1000000;
	f->rules.known = true;
	f->rules.has = RULES_BIT(CT);
	f->has = ~0ULL;
	f->follow = 1ULL << FLOWTRACK_A_SETTINGS_ACCT |
		    1ULL << FLOWTRACK_A_SETTINGS_TCP_TIMEOUT_ESTABLISHED |
		    1ULL << FLOWTRACK_A_SETTINGS_TCP_TIMEOUT_SYN_SENT |
		    1ULL << FLOWTRACK_A_SETTINGS_TCP_TIMEOUT_SYN_RECV |
		    1ULL << FLOWTRACK_A_SETTINGS_TCP_TIMEOUT_FIN_WAIT |
		    1ULL << FLOWTRACK_A_SETTINGS_TCP_TIMEOUT_CLOSE_WAIT |
		    1ULL << FLOWTRACK_A_SETTINGS_UDP_TIMEOUT |
		    1ULL << FLOWTRACK_A_SETTINGS_UDP_TIMEOUT_STREAM |
		    1ULL << FLOWTRACK_A_SETTINGS_ICMP_TIMEOUT |
		    1ULL << FLOWTRACK_A_SETTINGS_ICMPV6_TIMEOUT;
	SET(ENABLE) = 2;
	SET(GUARD) = 1;
	SET(MAX_FLOWS) = 100000;
	SET(COUNT) = 1000;
	SET(BUCKETS) = 512;
	SET(BUCKETS_AUTO) = 1;
}

static void pin(struct facts *f, int attr, __u32 value)
{
	f->value[attr] = value;
	f->follow &= ~(1ULL << attr);
}

static void not_loaded(struct facts *f)
{
	f->loaded = false;
}

static void not_built(struct facts *f)
{
	f->loaded = false;
	f->host.built = false;
}

static void no_headers(struct facts *f)
{
	not_built(f);
	f->host.headers = false;
}

static void secure_boot(struct facts *f)
{
	f->loaded = false;
	f->host.signed_only = true;
}

static void full(struct facts *f)
{
	SET(COUNT) = 100000;
	STAT(FULL_DROP) = 77;
	f->talkers = true;
	f->source = (struct top_entry){ .family = AF_INET, .addr = { 192, 0, 2, 7 }, .prefix = 32,
					.share = 605 };
	f->service = (struct top_entry){ .l4proto = 6, .port = 80, .share = 900 };
}

static void nearly_full(struct facts *f)
{
	SET(COUNT) = 80000;
}

static void has_dropped(struct facts *f)
{
	STAT(FULL_DROP) = 5;
}

static void has_evicted(struct facts *f)
{
	STAT(EVICT_ASSURED) = 6;
}

static void conntrack_full(struct facts *f)
{
	f->host.count = 65536;
}

static void conntrack_nearly_full(struct facts *f)
{
	f->host.count = 60000;
}

static void unguarded(struct facts *f)
{
	SET(GUARD) = 0;
}

static void small_hash(struct facts *f)
{
	SET(BUCKETS_AUTO) = 0;
}

static void small_conntrack_hash(struct facts *f)
{
	f->host.max = 1000000;
	f->host.count = 100000;
}

static void short_timeout(struct facts *f)
{
	pin(f, FLOWTRACK_A_SETTINGS_TCP_TIMEOUT_ESTABLISHED, 300);
}

static void short_udp(struct facts *f)
{
	pin(f, FLOWTRACK_A_SETTINGS_UDP_TIMEOUT, 1);
}

static void five_days(struct facts *f)
{
	pin(f, FLOWTRACK_A_SETTINGS_TCP_TIMEOUT_ESTABLISHED, 432000);
	SET(COUNT) = 60000;
}

static void readers(struct facts *f)
{
	f->rules.has |= RULES_BIT(CT_COUNT) | RULES_BIT(TIMEOUT);
	f->host.openvswitch = true;
	SET(GUARDED) = 12;
}

static void masquerades(struct facts *f)
{
	f->rules.has |= RULES_BIT(NAT);
	SET(NAT) = value_of(&nat_names, "never");
}

static void publishes(struct facts *f)
{
	f->rules.has |= RULES_BIT(NAT) | RULES_BIT(DNAT);
	SET(NAT) = value_of(&nat_names, "auto");
}

static void bypass_mark(struct facts *f)
{
	SET(BYPASS_MARK) = 0x100;
	SET(BYPASS_MASK) = 0x100;
	f->rules.mark[f->rules.marks++] = 0x200;
}

static void reserved(struct facts *f)
{
	SET(RESERVED) = 100;
}

static void reserved_mark(struct facts *f)
{
	reserved(f);
	SET(RESERVED_MARK) = 1;
	SET(RESERVED_MASK) = 1;
}

static void never_adopt(struct facts *f)
{
	SET(ADOPT) = value_of(&adopt_names, "never");
	f->rules.has |= RULES_BIT(NAT);
}

static void never_timeout(struct facts *f)
{
	SET(ADOPT) = value_of(&adopt_names, "never");
	f->rules.has |= RULES_BIT(TIMEOUT);
}

static void bytes_rules(struct facts *f)
{
	f->rules.has |= RULES_BIT(BYTES);
	pin(f, FLOWTRACK_A_SETTINGS_ACCT, 0);
}

static void event_rules(struct facts *f)
{
	f->rules.has |= RULES_BIT(EVENT);
}

static void disabled(struct facts *f)
{
	SET(ENABLE) = 0;
}

static void no_rules(struct facts *f)
{
	f->rules.has = 0;
}

static void an_alarm(struct facts *f)
{
	strcpy(f->alarm[f->alarms++], "/etc/prometheus/rules.yml");
}

static void a_drift(struct facts *f)
{
	struct drift *d = &f->drift[f->drifts++];

	strcpy(d->file, "/etc/sysctl.d/x.conf");
	strcpy(d->word, "500000");
	d->attr = FLOWTRACK_A_SETTINGS_MAX_FLOWS;
}

static void a_full_tenant(struct facts *f)
{
	f->tenant[f->tenants++] = (struct tenant){ "web", 90, 100 };
}

static void too_many_tenants(struct facts *f)
{
	f->tenant[f->tenants++] = (struct tenant){ "web", 900000, 10000000 };
}

static void too_much_memory(struct facts *f)
{
	f->host.memory = 40000000;
}

static void no_memory(struct facts *f)
{
	STAT(NOMEM) = 3;
}

static void newer_kernel(struct facts *f)
{
	strcpy(f->host.newest, "6.12.10-amd64");
	f->host.newest_built = false;
	f->host.newest_headers = false;
}

static void other_version(struct facts *f)
{
	strcpy(f->module, "1.1");
}

static const struct illness {
	void (*make)(struct facts *f);
	enum severity severity;
	const char *check;
	const char *text;
	const char *fix;
} illnesses[] = {
	{ not_loaded, FINDING_ERROR, "module", "is not loaded", "modprobe nf_flowtrack" },
	{ not_built, FINDING_ERROR, "module", "no nf_flowtrack for this kernel, 6.12.9-amd64",
	  "dkms autoinstall -k 6.12.9-amd64" },
	{ no_headers, FINDING_ERROR, "module", "nor its headers",
	  "apt install linux-headers-6.12.9-amd64 && dkms" },
	{ secure_boot, FINDING_WARNING, "secure-boot", "signed modules only", "mokutil --import" },
	{ full, FINDING_ERROR, "full",
	  "77 newcomers were dropped; 192.0.2.7 holds 60% of all flows, 90% are to tcp 80",
	  "flowtrack set max 200000" },
	{ nearly_full, FINDING_WARNING, "full", "nearly full, 80000 of", "set max 200000" },
	{ has_dropped, FINDING_NOTICE, "past", "5 newcomers were dropped", "set max 200000" },
	{ has_evicted, FINDING_NOTICE, "past", "6 assured flows were evicted", "set max 200000" },
	{ conntrack_full, FINDING_ERROR, "conntrack-full", "table is full, 65536 of 65536",
	  "nf_conntrack_max=131072" },
	{ conntrack_nearly_full, FINDING_WARNING, "conntrack-full", "nearly full, 60000",
	  "nf_conntrack_max=131072" },
	{ unguarded, FINDING_WARNING, "guard", "not guarded", "flowtrack set guard on" },
	{ small_hash, FINDING_WARNING, "hash", "fixed at 512 buckets", "set buckets auto" },
	{ small_conntrack_hash, FINDING_WARNING, "hash", "nf_conntrack's hash has 65536 buckets",
	  "echo 250000 > /sys/module/nf_conntrack/parameters/hashsize" },
	{ short_timeout, FINDING_WARNING, "timeouts", "tcp_timeout_established is 300 seconds",
	  "flowtrack set tcp_timeout_established auto" },
	{ short_udp, FINDING_WARNING, "timeouts", "udp_timeout is 1 s", "set udp_timeout auto" },
	{ five_days, FINDING_WARNING, "timeouts", "432000 seconds in a table 60% full",
	  "set tcp_timeout_established auto" },
	{ readers, FINDING_NOTICE, "consumers",
	  ": ct count or connlimit (all new flows), ct timeout (what has one), openvswitch",
	  "flowtrack list guarded" },
	{ masquerades, FINDING_NOTICE, "consumers", ": NAT (what it translates)", "list guarded" },
	{ publishes, FINDING_NOTICE, "consumers", ": NAT (what it sends elsewhere)",
	  "flowtrack list guarded" },
	{ bypass_mark, FINDING_WARNING, "marks", "bypass mark, 0x100/0x100", "set bypass_mark 0" },
	{ reserved, FINDING_WARNING, "marks", "100 entries are reserved", "set reserved 0" },
	{ reserved_mark, FINDING_WARNING, "marks", "no rule gives the mark", "set reserved 0" },
	{ never_adopt, FINDING_ERROR, "rules", "adopt is never", "flowtrack set adopt auto" },
	{ never_timeout, FINDING_ERROR, "rules", "or ct timeout", "flowtrack set adopt auto" },
	{ bytes_rules, FINDING_WARNING, "rules", "acct is off", "flowtrack set acct auto" },
	{ event_rules, FINDING_NOTICE, "rules", "'ct event'", "flowtrack set events off" },
	{ disabled, FINDING_WARNING, "enabled", "is off in this namespace", "set enable auto" },
	{ no_rules, FINDING_NOTICE, "enabled", "nothing is tracked", "" },
	{ an_alarm, FINDING_WARNING, "alarms", "/etc/prometheus/rules.yml looks", "editor" },
	{ a_drift, FINDING_WARNING, "sysctls", "/etc/sysctl.d/x.conf has nf_flowtrack_max = 500000",
	  "flowtrack set max 500000" },
	{ a_full_tenant, FINDING_WARNING, "namespaces", "namespace web has 90 of 100 flows",
	  "flowtrack -n web set max 200" },
	{ too_many_tenants, FINDING_WARNING, "namespaces", "901000 of 1000000 flows (total_max)",
	  "total_max=2000000" },
	{ too_much_memory, FINDING_WARNING, "memory", "13 MB, more than a quarter",
	  "flowtrack set max 69444" },
	{ no_memory, FINDING_NOTICE, "memory", "no memory for 3 flows", "" },
	{ newer_kernel, FINDING_WARNING, "next-boot", "6.12.10-amd64, has no nf_flowtrack, and no",
	  "apt install linux-headers-6.12.10-amd64" },
	{ other_version, FINDING_WARNING, "versions", "version 1.2, the loaded module 1.1",
	  "flowtrack reload" },
};

static struct facts facts;
static struct findings found;

static const struct finding *find(const struct illness *one)
{
	unsigned int i;

	for (i = 0; i < found.n; i++)
		if (found.of[i].severity == one->severity && !strcmp(found.of[i].check, one->check))
			return &found.of[i];
	return NULL;
}

static void each_finding(void)
{
	const struct finding *finding;
	size_t i;

	healthy(&facts);
	doctor_check(&facts, &found);
	EXPECT_INT(found.n, 0);
	for (i = 0; i < N_OF(illnesses); i++) {
		healthy(&facts);
		illnesses[i].make(&facts);
		doctor_check(&facts, &found);
		finding = find(&illnesses[i]);
		if (!finding || !strstr(finding->text, illnesses[i].text) ||
		    !strstr(finding->fix, illnesses[i].fix) ||
		    !illnesses[i].fix[0] != !finding->fix[0])
			test_failed(__FILE__, __LINE__, "'%s': %s, %s", illnesses[i].text,
				    finding ? finding->text : "-", finding ? finding->fix : "-");
	}
}

/* What would be a finding in one machine is none in another. */
static void no_finding(void)
{
	struct facts *f = &facts;

	healthy(f);
	bypass_mark(f);
	f->rules.mark[f->rules.marks++] = 0x1100;
	reserved_mark(f);
	f->rules.mark[f->rules.marks++] = 1;
	doctor_check(f, &found);
	EXPECT_INT(found.n, 0);
	healthy(f);
	bypass_mark(f);
	f->rules.known = false;
	doctor_check(f, &found);
	EXPECT_INT(found.n, 0);
	/* Timeouts that follow are nf_conntrack's own business. */
	healthy(f);
	SET(TCP_TIMEOUT_ESTABLISHED) = 60;
	doctor_check(f, &found);
	EXPECT_INT(found.n, 0);
	/* Translated flows that flowtrack tracks itself. */
	healthy(f);
	masquerades(f);
	SET(NAT) = value_of(&nat_names, "auto");
	doctor_check(f, &found);
	EXPECT_INT(found.n, 0);
	healthy(f);
	publishes(f);
	f->host.ctnetlink = true;
	doctor_check(f, &found);
	EXPECT_INT(found.n, 0);
	healthy(f);
	publishes(f);
	SET(NAT) = value_of(&nat_names, "all");
	doctor_check(f, &found);
	EXPECT_INT(found.n, 0);
}

/* What reads nf_conntrack is told by name, whichever it is. */
static void consumers(void)
{
	static const struct {
		unsigned int has;
		const char *what;
	} rules[] = {
		{ RULES_BIT(CT_COUNT), "ct count or connlimit (all new flows)" },
		{ RULES_BIT(FLOWTABLE), "a flowtable (all new flows)" },
		{ RULES_BIT(SYNPROXY), "synproxy (all new flows)" },
		{ RULES_BIT(LABEL), "labels (all new flows)" },
		{ RULES_BIT(SECMARK), "security marks (all new flows)" },
		{ RULES_BIT(BRIDGE), "a bridge that tracks (all new flows)" },
		{ RULES_BIT(NAT) | RULES_BIT(DNAT), "NAT (what it sends elsewhere)" },
		{ RULES_BIT(REDIRECT), "redirect (what comes in)" },
		{ RULES_BIT(HELPER), "helpers (what they help)" },
		{ RULES_BIT(TIMEOUT), "ct timeout (what has one)" },
		{ RULES_BIT(EXPECTATION), "ct expectation (what has one)" },
	};
	struct facts *f = &facts;
	const char *text;
	size_t i;

	for (i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		healthy(f);
		SET(NAT) = value_of(&nat_names, "auto");
		f->rules.has |= rules[i].has;
		doctor_check(f, &found);
		EXPECT_INT(found.n, 1);
		EXPECT_STR(found.of[0].check, "consumers");
		/* It, and no other. */
		text = strstr(found.of[0].text, ": ");
		EXPECT_STR(text ? text + 2 : "", rules[i].what);
	}
}

static void worst_first(void)
{
	unsigned int i;

	healthy(&facts);
	readers(&facts);
	other_version(&facts);
	an_alarm(&facts);
	full(&facts);
	doctor_check(&facts, &found);
	EXPECT(found.n >= 4);
	EXPECT_STR(found.of[0].check, "full");
	for (i = 1; i < found.n; i++)
		EXPECT(found.of[i].severity <= found.of[i - 1].severity);
	EXPECT_STR(found.of[1].check, "alarms");
	EXPECT_STR(found.of[found.n - 1].check, "consumers");
}

/* As nft 1.0.6 and iptables-save 1.8.9 print them, but for the quotation marks. */
#define RULE(expr)	"{'nftables':[{'rule':{'expr':[" expr "]}}]}"
static const struct ruleset {
	const char *text;
	unsigned int has;
} nft_rules[] = {
	{ "{'nftables': [{'metainfo': {'version': '1.0.6'}}]}", 0 },
	{ RULE("{'match':{'op':'in','left':{'ct':{'key':'state'}},'right':['new']}},{'drop':null}"),
	  RULES_BIT(CT) },
	{ "{'nftables':[{'chain':{'family':'ip','type':'nat','hook':'postrouting'}}]}",
	  RULES_BIT(CT) | RULES_BIT(NAT) },
	{ RULE("{'masquerade':null}"),
	  RULES_BIT(CT) | RULES_BIT(NAT) },
	{ RULE("{'dnat':{'addr':'10.0.0.1','port':80}}"),
	  RULES_BIT(CT) | RULES_BIT(NAT) | RULES_BIT(DNAT) },
	{ RULE("{'redirect':{'port':80}}"),
	  RULES_BIT(CT) | RULES_BIT(NAT) | RULES_BIT(DNAT) | RULES_BIT(REDIRECT) },
	{ RULE("{'mangle':{'key':{'ct':{'key':'secmark'}},'value':{'meta':{'key':'secmark'}}}}"),
	  RULES_BIT(CT) | RULES_BIT(SECMARK) },
	{ "{'nftables':[{'rule':{'expr':[{'ct':{}}]}},{'rule':{'family':'bridge','expr':[]}}]}",
	  RULES_BIT(CT) },
	{ "{'nftables':[{'rule':{'family':'bridge','expr':[{'ct':{'key':'state'}}]}}]}",
	  RULES_BIT(CT) | RULES_BIT(BRIDGE) },
	{ RULE("{'ct count':{'val':20,'inv':true}},{'drop':null}"),
	  RULES_BIT(CT) | RULES_BIT(CT_COUNT) },
	{ RULE("{'flow':{'op':'add','flowtable':'@f'}}"),
	  RULES_BIT(CT) | RULES_BIT(FLOWTABLE) },
	{ "{'nftables':[{'rule':{'expr':[{'ct timeout':'short'}]}},{'ct timeout':{'name':'x'}}]}",
	  RULES_BIT(CT) | RULES_BIT(TIMEOUT) },
	{ "{'nftables':[{'ct helper':{'name':'ftp','type':'ftp'}}]}", 0 },
	{ RULE("{'match':{'op':'>','left':{'ct':{'key':'bytes','dir':'original'}},'right':5}}"),
	  RULES_BIT(CT) | RULES_BIT(BYTES) },
	{ RULE("{'mangle':{'key':{'meta':{'key':'mark'}},'value':{'ct':{'key':'mark'}}}}"),
	  RULES_BIT(CT) | RULES_BIT(ANY_MARK) },
	{ "no JSON", 0 },
}, iptables_rules[] = {
	{ "*filter\n-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\nCOMMIT\n",
	  RULES_BIT(CT) },
	{ "*nat\n-A POSTROUTING -s 10.0.0.0/8 -j MASQUERADE\n", RULES_BIT(CT) | RULES_BIT(NAT) },
	{ "*nat\n-A PREROUTING -p tcp -j DNAT --to-destination 10.0.0.1\n",
	  RULES_BIT(CT) | RULES_BIT(NAT) | RULES_BIT(DNAT) },
	{ "*nat\n-A PREROUTING -p tcp -j REDIRECT --to-ports 3128\n",
	  RULES_BIT(CT) | RULES_BIT(NAT) | RULES_BIT(DNAT) | RULES_BIT(REDIRECT) },
	{ "*security\n-A INPUT -j CONNSECMARK --save\n", RULES_BIT(CT) | RULES_BIT(SECMARK) },
	{ "*filter\n-A INPUT -p tcp -m connlimit --connlimit-above 9 -j DROP\n",
	  RULES_BIT(CT) | RULES_BIT(CT_COUNT) },
	{ "*raw\n-A PREROUTING -p tcp --dport 21 -j CT --helper ftp\n",
	  RULES_BIT(CT) | RULES_BIT(HELPER) },
	{ "*mangle\n-A PREROUTING -j CONNMARK --restore-mark --nfmask 0xffffffff\n",
	  RULES_BIT(CT) | RULES_BIT(ANY_MARK) },
	{ "*filter\n:INPUT ACCEPT [0:0]\n# -m conntrack\n", 0 },
};

static void read_text(struct rules *r, void (*read)(struct rules *, FILE *), const char *text)
{
	char buf[1024], *quote;
	FILE *file;

	snprintf(buf, sizeof(buf), "%s", text);
	for (quote = buf; (quote = strchr(quote, '\''));)
		*quote = '"';
	file = fmemopen(buf, strlen(buf), "r");
	EXPECT(file);
	read(r, file);
	fclose(file);
}

static void rulesets(void)
{
	struct rules r;
	size_t i;

	for (i = 0; i < N_OF(nft_rules); i++) {
		memset(&r, 0, sizeof(r));
		read_text(&r, rules_from_nft, nft_rules[i].text);
		EXPECT_INT(r.has, nft_rules[i].has);
		EXPECT_INT(r.known, nft_rules[i].text[0] == '{');
	}
	for (i = 0; i < N_OF(iptables_rules); i++) {
		memset(&r, 0, sizeof(r));
		read_text(&r, rules_from_iptables, iptables_rules[i].text);
		EXPECT_INT(r.has, iptables_rules[i].has);
	}
}

static void marks(void)
{
	struct rules r = { 0 };

	EXPECT(rules_give_mark(&r, 5, 0xff));
	read_text(&r, rules_from_nft,
		  RULE("{'mangle':{'key':{'meta':{'key':'mark'}},'value':256}}"));
	read_text(&r, rules_from_nft,
		  RULE("{'mangle':{'key':{'meta':{'key':'mark'}},'value':{'|':[{'a':'b'},4]}}}"));
	read_text(&r, rules_from_iptables,
		  "*mangle\n-A PREROUTING -p tcp -j MARK --set-xmark 0x40/0xffffffff\n");
	EXPECT(rules_give_mark(&r, 0x100, 0x100));
	EXPECT(rules_give_mark(&r, 4, 0xf));
	EXPECT(rules_give_mark(&r, 0x40, 0xff));
	EXPECT(!rules_give_mark(&r, 0x80, 0x80));
	EXPECT(!rules_give_mark(&r, 5, 0xf));
}

static const struct file {
	const char *path;
	const char *text;
} files[] = {
	{ "/sys/module/nf_flowtrack/version", "1.1\n" },
	{ "/sys/module/nf_flowtrack/parameters/total_max", "5000\n" },
	{ "/sys/module/module/parameters/sig_enforce", "Y\n" },
	{ "/proc/modules", "act_ct 40960 1 - Live\nip_vs 200 0 - Live\nopenvswitch 9 0 -\n"
	  "nf_flowtrack_ctnetlink 90 0 -\n" },
	{ "/proc/meminfo", "MemTotal:        8000 kB\nMemFree: 5 kB\n" },
	{ "/proc/sys/net/netfilter/nf_conntrack_count", "7\n" },
	{ "/proc/sys/net/netfilter/nf_conntrack_max", "8\n" },
	{ "/proc/sys/net/netfilter/nf_conntrack_buckets", "9\n" },
	{ "/lib/modules/6.1.0-9-amd64/modules.dep",
	  "kernel/x.ko:\nupdates/dkms/nf_flowtrack.ko.xz: y\n" },
	{ "/lib/modules/6.1.0-9-amd64/build/Makefile", "" },
	{ "/lib/modules/6.1.0-10-amd64/modules.dep", "kernel/x.ko:\n" },
	{ "/lib/modules/6.1.0-11-amd64/modules.builtin", "" },
	{ "/etc/prometheus/rules/a.yml", "expr: node_nf_conntrack_entries > 5\n" },
	{ "/etc/prometheus/rules/b.yml",
	  "expr: node_nf_conntrack_entries > 5 or nf_flowtrack_entries > 5\n" },
	{ "/etc/zabbix/c.conf", "x,cat /proc/sys/net/netfilter/nf_conntrack_count\n" },
	{ "/etc/sysctl.d/10-a.conf",
	  "# comment\nnet.netfilter.nf_flowtrack_max = 5\nnet/netfilter/nf_flowtrack_acct=auto\n" },
	{ "/etc/sysctl.d/20-b.conf",
	  "net.netfilter.nf_flowtrack_max=600\nnet.netfilter.nf_flowtrack_reserved = 3\n"
	  "net.x=1\n" },
	{ "/etc/sysctl.d/ignored", "net.netfilter.nf_flowtrack_reserved = 4\n" },
	{ "/etc/sysctl.conf", "net.netfilter.nf_flowtrack_udp_timeout = nonsense\n" },
};

static void write_files(const char *root)
{
	char path[PATH_MAX], *slash;
	FILE *file;
	size_t i;

	for (i = 0; i < N_OF(files); i++) {
		snprintf(path, sizeof(path), "%s%s", root, files[i].path);
		for (slash = path + strlen(root) + 1; (slash = strchr(slash, '/')); slash++) {
			*slash = '\0';
			mkdir(path, 0700);
			*slash = '/';
		}
		file = fopen(path, "we");
		EXPECT(file);
		fputs(files[i].text, file);
		fclose(file);
	}
}

static void remove_files(const char *root)
{
	char path[PATH_MAX];
	size_t i;

	for (i = 0; i < N_OF(files); i++) {
		snprintf(path, sizeof(path), "%s%s", root, files[i].path);
		unlink(path);
		while (strlen(path) > strlen(root)) {
			*strrchr(path, '/') = '\0';
			if (rmdir(path))
				break;
		}
	}
	EXPECT(access(root, F_OK));
}

static void machine(void)
{
	char root[] = "/tmp/flowtrack-test.XXXXXX";
	struct facts *f = &facts;

	EXPECT(mkdtemp(root));
	write_files(root);
	memset(f, 0, sizeof(*f));
	strcpy(f->host.kernel, "6.1.0-9-amd64");
	files_host(f, root);
	EXPECT(f->loaded && f->host.built && f->host.headers && f->host.signed_only);
	EXPECT_STR(f->module, "1.1");
	EXPECT_STR(f->host.newest, "6.1.0-10-amd64");
	EXPECT(!f->host.newest_built && !f->host.newest_headers);
	EXPECT_INT(f->host.memory, 8000 * 1024);
	EXPECT(f->host.tc && !f->host.ipvs && f->host.openvswitch && f->host.conntrack &&
	       f->host.ctnetlink);
	EXPECT_INT(f->host.count * 100 + f->host.max * 10 + f->host.buckets, 789);
	EXPECT_INT(f->host.total_max, 5000);
	files_alarms(f, root);
	EXPECT_INT(f->alarms, 2);
	EXPECT_STR(f->alarm[0], "/etc/prometheus/rules/a.yml");
	EXPECT_STR(f->alarm[1], "/etc/zabbix/c.conf");
	f->has = ~0ULL;
	f->follow = 1ULL << FLOWTRACK_A_SETTINGS_ACCT;
	SET(MAX_FLOWS) = 5;
	SET(RESERVED) = 3;
	files_drifts(f, root);
	EXPECT_INT(f->drifts, 1);
	EXPECT_STR(f->drift[0].file, "/etc/sysctl.d/20-b.conf");
	EXPECT_STR(f->drift[0].word, "600");
	remove_files(root);
}

const struct test doctor_tests[] = {
	{ "each finding appears, and a healthy machine has none", each_finding },
	{ "what is all right here", no_finding },
	{ "what reads nf_conntrack is told by name", consumers },
	{ "worst first", worst_first },
	{ "rulesets of nft and iptables", rulesets },
	{ "marks that rules give", marks },
	{ "files of the machine", machine },
	{ NULL, NULL },
};
