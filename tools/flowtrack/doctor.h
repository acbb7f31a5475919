/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What may be wrong with connection tracking here: the facts, what they say of
 * the ruleset, and what the checks find in them.
 */
#ifndef FT_DOCTOR_H
#define FT_DOCTOR_H

#include <linux/nf_flowtrack.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "stats.h"
#include "top.h"
#include "version.h"

#define DOCTOR_RELEASE		65	/* bytes of a kernel's name, at most */
#define DOCTOR_PATH		256
#define DOCTOR_MARKS		64
#define DOCTOR_ALARMS		8
#define DOCTOR_DRIFTS		64
#define DOCTOR_NETNS		1024

/* What a ruleset has. */
enum rules_have {
	RULES_CT,		/* anything that asks for tracking */
	RULES_NAT,
	RULES_DNAT,		/* NAT that may send packets elsewhere */
	RULES_REDIRECT,		/* NAT to this machine itself */
	RULES_BRIDGE,		/* tracking of bridged packets */
	RULES_HELPER,
	RULES_CT_COUNT,		/* or connlimit */
	RULES_FLOWTABLE,
	RULES_SYNPROXY,
	RULES_LABEL,
	RULES_SECMARK,
	RULES_TIMEOUT,		/* objects of ct timeout */
	RULES_EXPECTATION,
	RULES_EVENT,		/* ct event set */
	RULES_BYTES,		/* counters of a connection */
	RULES_ANY_MARK,		/* marks that are not known before a packet comes */
};

#define RULES_BIT(what)		(1U << RULES_##what)

/**
 * struct rules - what the rulesets of nftables and iptables have
 * @known: at least one could be read
 * @has: bits of enum rules_have
 * @mark: marks that rules give to packets
 * @marks: how many
 */
struct rules {
	bool known;
	unsigned int has;
	__u32 mark[DOCTOR_MARKS];
	unsigned int marks;
};

/**
 * struct host - the machine
 * @kernel: the release that runs
 * @newest: the newest one that is installed
 * @built: there is a module for @kernel
 * @headers: there are headers of it
 * @newest_built: the same of @newest
 * @newest_headers: likewise
 * @signed_only: the kernel takes signed modules only
 * @memory: bytes
 * @openvswitch: loaded
 * @ipvs: loaded
 * @tc: an action of tc that reads conntracks is in use
 * @ctnetlink: nf_flowtrack_ctnetlink is loaded
 * @count: entries of nf_conntrack in this namespace
 * @max: how many there may be
 * @buckets: of its hash
 * @conntrack: nf_conntrack is loaded, and the three are known
 * @total_max: flows of all namespaces, at most; 0: not known
 */
struct host {
	char kernel[DOCTOR_RELEASE];
	char newest[DOCTOR_RELEASE];
	bool built;
	bool headers;
	bool newest_built;
	bool newest_headers;
	bool signed_only;
	__u64 memory;
	bool openvswitch;
	bool ipvs;
	bool tc;
	bool ctnetlink;
	__u64 count;
	__u64 max;
	__u64 buckets;
	bool conntrack;
	__u64 total_max;
};

/**
 * struct tenant - another network namespace
 * @name: as -n takes it
 * @count: flows
 * @max: how many there may be
 */
struct tenant {
	char name[128];
	__u64 count;
	__u64 max;
};

/**
 * struct drift - a setting that is not what a file says
 * @file: which one
 * @attr: FLOWTRACK_A_SETTINGS_*
 * @word: what it says
 */
struct drift {
	char file[DOCTOR_PATH];
	int attr;
	char word[64];
};

/**
 * struct facts - all that the checks look at
 * @loaded: the module is
 * @tool: version of the tool
 * @module: version of the module
 * @host: the machine
 * @rules: rulesets of the namespace
 * @value: settings, by FLOWTRACK_A_SETTINGS_*
 * @has: bits of those that the module has
 * @follow: bits of those that follow nf_conntrack's
 * @stats: counters
 * @source: what holds most flows; only if @talkers
 * @service: what most are to
 * @talkers: the kernel told
 * @alarm: files with an alarm that looks at nf_conntrack's count alone
 * @alarms: how many
 * @drift: settings that are not what a file of sysctl.d says
 * @drifts: how many
 * @tenant: other namespaces
 * @tenants: how many
 */
struct facts {
	bool loaded;
	char tool[VERSION_SIZE];
	char module[VERSION_SIZE];
	struct host host;
	struct rules rules;
	__u32 value[__FLOWTRACK_A_SETTINGS_MAX];
	__u64 has;
	__u64 follow;
	struct stats stats;
	struct top_entry source;
	struct top_entry service;
	bool talkers;
	char alarm[DOCTOR_ALARMS][DOCTOR_PATH];
	unsigned int alarms;
	struct drift drift[DOCTOR_DRIFTS];
	unsigned int drifts;
	struct tenant tenant[DOCTOR_NETNS];
	unsigned int tenants;
};

/* How bad a finding is. A notice needs no action. */
enum severity {
	FINDING_NOTICE,
	FINDING_WARNING,
	FINDING_ERROR,
};

/**
 * struct finding - something that an admin should know
 * @severity: how bad it is
 * @check: name of the check that found it
 * @text: what it is
 * @fix: the command that mends it; empty: none does
 */
struct finding {
	enum severity severity;
	const char *check;
	char text[512];
	char fix[512];
};

/**
 * struct findings - all of them
 * @check: name of the check that runs
 * @of: the findings
 * @n: how many
 */
struct findings {
	const char *check;
	struct finding of[128];
	unsigned int n;
};

/* doctor_rules.c */
void rules_from_nft(struct rules *r, FILE *json);
void rules_from_iptables(struct rules *r, FILE *save);
bool rules_give_mark(const struct rules *r, __u32 mark, __u32 mask);

/* doctor_files.c */
void files_host(struct facts *f, const char *root);
void files_alarms(struct facts *f, const char *root);
void files_drifts(struct facts *f, const char *root);
bool files_number(const char *root, const char *path, __u64 *v);

/* doctor_checks.c */
void doctor_check(const struct facts *f, struct findings *found);

#endif /* FT_DOCTOR_H */
