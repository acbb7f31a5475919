// SPDX-License-Identifier: GPL-2.0
/*
 * What the machine's files say: kernels and modules, nf_conntrack, alarms and
 * settings that an admin wrote down.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "doctor.h"
#include "err.h"
#include "names.h"
#include "settings.h"

#define N_OF(array)	(sizeof(array) / sizeof((array)[0]))
#define SECURE_BOOT	"/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
/* Of directories that are searched: how deep, and how much of a file. */
#define DEPTH		5
#define FILE_SIZE	1048576

static FILE *open_file(const char *root, const char *path)
{
	char full[PATH_MAX];

	snprintf(full, sizeof(full), "%s%s", root, path);
	return fopen(full, "re");
}

static bool is_there(const char *root, const char *path)
{
	char full[PATH_MAX];

	snprintf(full, sizeof(full), "%s%s", root, path);
	return !access(full, F_OK);
}

/* Whether a line of a file has a word. */
static bool file_has(FILE *file, const char *word)
{
	char line[8192];
	bool has = false;

	while (file && !has && fgets(line, sizeof(line), file))
		has = strstr(line, word);
	if (file)
		fclose(file);
	return has;
}

/**
 * files_number() - read a number
 * @root: what stands before all paths; "" but for tests
 * @path: file
 * @v: set to it
 *
 * Return: false if there is none.
 */
bool files_number(const char *root, const char *path, __u64 *v)
{
	FILE *file = open_file(root, path);
	unsigned long long value;
	bool good;

	if (!file)
		return false;
	good = fscanf(file, "%llu", &value) == 1;
	fclose(file);
	if (good)
		*v = value;
	return good;
}

/* Whether depmod knows a module for a kernel; it may be compressed. */
static bool has_module(const char *root, const char *kernel)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "/lib/modules/%s/modules.dep", kernel);
	return file_has(open_file(root, path), "/nf_flowtrack.ko");
}

static bool has_headers(const char *root, const char *kernel)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "/lib/modules/%s/build/Makefile", kernel);
	return is_there(root, path);
}

/* The newest kernel that can be booted; a directory without modules is what a removal left. */
static void find_newest(struct host *h, const char *root)
{
	char path[PATH_MAX];
	struct dirent *entry;
	DIR *dir;

	snprintf(h->newest, sizeof(h->newest), "%s", h->kernel);
	snprintf(path, sizeof(path), "%s/lib/modules", root);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		snprintf(path, sizeof(path), "/lib/modules/%s/modules.dep", entry->d_name);
		if (entry->d_name[0] != '.' && strlen(entry->d_name) < sizeof(h->newest) &&
		    strverscmp(entry->d_name, h->newest) > 0 && is_there(root, path))
			strcpy(h->newest, entry->d_name);
	}
	if (dir)
		closedir(dir);
}

/* Secure Boot locks the kernel down; signatures may be enforced without it. */
static bool is_signed_only(const char *root)
{
	FILE *file = open_file(root, SECURE_BOOT);
	unsigned char variable[5] = { 0 };
	bool on;

	on = file && fread(variable, 1, sizeof(variable), file) == sizeof(variable) && variable[4];
	if (file)
		fclose(file);
	return on || file_has(open_file(root, "/sys/module/module/parameters/sig_enforce"), "Y");
}

/* A module that is in use, or that reads conntracks by being there. */
static void take_modules(struct host *h, const char *root)
{
	static const char * const tc[] = {
		"act_connmark ", "act_ctinfo ", "act_ct ", "act_ipt ",
	};
	FILE *file = open_file(root, "/proc/modules");
	char line[1024];
	int used;
	size_t i;

	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%*s %*u %d", &used) != 1)
			continue;
		h->openvswitch |= !strncmp(line, "openvswitch ", 12);
		h->ctnetlink |= !strncmp(line, "nf_flowtrack_ctnetlink ", 23);
		h->ipvs |= !strncmp(line, "ip_vs ", 6) && used;
		for (i = 0; i < N_OF(tc); i++)
			h->tc |= !strncmp(line, tc[i], strlen(tc[i])) && used;
	}
	if (file)
		fclose(file);
}

static void take_memory(struct host *h, const char *root)
{
	FILE *file = open_file(root, "/proc/meminfo");
	unsigned long long kb;

	if (file && fscanf(file, "MemTotal: %llu", &kb) == 1)
		h->memory = kb * 1024;
	if (file)
		fclose(file);
}

/**
 * files_host() - look at the machine
 * @f: its host, loaded and versions are filled in
 * @root: what stands before all paths; "" but for tests
 */
void files_host(struct facts *f, const char *root)
{
	struct host *h = &f->host;
	struct utsname name;

	if (!h->kernel[0] && !uname(&name))
		snprintf(h->kernel, sizeof(h->kernel), "%s", name.release);
	f->loaded = is_there(root, "/sys/module/nf_flowtrack");
	snprintf(f->tool, sizeof(f->tool), "%s", tool_version);
	module_version(root, f->module, sizeof(f->module));
	find_newest(h, root);
	h->built = has_module(root, h->kernel);
	h->headers = has_headers(root, h->kernel);
	h->newest_built = has_module(root, h->newest);
	h->newest_headers = has_headers(root, h->newest);
	h->signed_only = is_signed_only(root);
	take_memory(h, root);
	take_modules(h, root);
	h->conntrack =
		files_number(root, "/proc/sys/net/netfilter/nf_conntrack_count", &h->count) &&
		files_number(root, "/proc/sys/net/netfilter/nf_conntrack_max", &h->max) &&
		files_number(root, "/proc/sys/net/netfilter/nf_conntrack_buckets", &h->buckets);
	files_number(root, "/sys/module/nf_flowtrack/parameters/total_max", &h->total_max);
}

/* Whether a file looks at nf_conntrack's count, and not at flowtrack's. */
static bool is_blind(FILE *file)
{
	static char text[FILE_SIZE + 1];
	size_t n;

	if (!file)
		return false;
	n = fread(text, 1, FILE_SIZE, file);
	fclose(file);
	text[n] = '\0';
	return (strstr(text, "nf_conntrack_count") || strstr(text, "nf_conntrack_entries")) &&
	       !strstr(text, "nf_flowtrack");
}

static void search(struct facts *f, const char *root, const char *path, unsigned int depth)
{
	char full[PATH_MAX], below[DOCTOR_PATH];
	struct dirent *entry;
	struct stat st;
	DIR *dir;

	snprintf(full, sizeof(full), "%s%s", root, path);
	if (f->alarms == DOCTOR_ALARMS || lstat(full, &st))
		return;
	if (S_ISREG(st.st_mode) && is_blind(open_file(root, path)))
		snprintf(f->alarm[f->alarms++], DOCTOR_PATH, "%s", path);
	dir = S_ISDIR(st.st_mode) && depth ? opendir(full) : NULL;
	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] != '.' &&
		    snprintf(below, sizeof(below), "%s/%s", path, entry->d_name) < DOCTOR_PATH)
			search(f, root, below, depth - 1);
	}
	if (dir)
		closedir(dir);
}

/**
 * files_alarms() - look for alarms on the table that flowtrack leaves empty
 * @f: added to
 * @root: what stands before all paths; "" but for tests
 */
void files_alarms(struct facts *f, const char *root)
{
	static const char * const dirs[] = {
		"/etc/prometheus", "/etc/alertmanager", "/etc/grafana", "/etc/zabbix",
		"/etc/telegraf", "/etc/netdata", "/etc/collectd", "/etc/nagios", "/etc/icinga2",
		"/etc/munin", "/etc/monit", "/etc/cron.d", "/etc/cron.hourly", "/etc/cron.daily",
	};
	size_t i;

	for (i = 0; i < N_OF(dirs); i++)
		search(f, root, dirs[i], DEPTH);
}

/* "net.netfilter.nf_flowtrack_max = 5", with slashes for dots if someone likes them. */
static bool split_line(char *line, char **name, char **value)
{
	char *at;

	line += strspn(line, " \t-");
	at = strchr(line, '=');
	if (!at || line[0] == '#' || line[0] == ';')
		return false;
	*name = strtok(line, " \t=");
	*value = strtok(NULL, " \t\r\n=");
	if (!*name || !*value)
		return false;
	for (at = *name; *at; at++)
		if (*at == '/')
			*at = '.';
	return !strncmp(*name, "net.netfilter.nf_flowtrack_", 27);
}

static void note_drift(struct facts *f, const char *path, int attr, const char *word)
{
	struct drift *d;
	unsigned int i;

	/* A later file has the last word. */
	for (i = 0; i < f->drifts && f->drift[i].attr != attr; i++)
		;
	if (i == DOCTOR_DRIFTS)
		return;
	d = &f->drift[i];
	snprintf(d->file, sizeof(d->file), "%s", path);
	snprintf(d->word, sizeof(d->word), "%s", word);
	d->attr = attr;
	if (i == f->drifts)
		f->drifts++;
}

static void read_sysctls(struct facts *f, const char *root, const char *path)
{
	FILE *file = open_file(root, path);
	char line[1024], *name, *value;
	int attr;

	while (file && fgets(line, sizeof(line), file)) {
		if (!split_line(line, &name, &value))
			continue;
		attr = setting_find(name);
		if (attr >= 0)
			note_drift(f, path, attr, value);
	}
	if (file)
		fclose(file);
}

static int is_conf(const struct dirent *entry)
{
	const char *dot = strrchr(entry->d_name, '.');

	return dot && !strcmp(dot, ".conf");
}

/* Whether a setting is what a file says; in doubt it is. */
static bool holds(const struct facts *f, const struct drift *d)
{
	__u32 value[__FLOWTRACK_A_SETTINGS_MAX] = { 0 };
	char word[128], *words = word;
	__u64 has;

	snprintf(word, sizeof(word), "%s=%s", settings[d->attr].name, d->word);
	if (!(f->has >> d->attr & 1) || parse_settings(1, &words, value, &has)) {
		err_clear();
		return true;
	}
	if (settings[d->attr].follows && value[d->attr] == FLOWTRACK_SETTING_AUTO)
		return f->follow >> d->attr & 1;
	if (d->attr == FLOWTRACK_A_SETTINGS_BUCKETS)
		return !value[d->attr] == !!f->value[FLOWTRACK_A_SETTINGS_BUCKETS_AUTO];
	return value[d->attr] == f->value[d->attr];
}

/**
 * files_drifts() - compare settings with what sysctl.d says
 * @f: has settings; drifts are added
 * @root: what stands before all paths; "" but for tests
 */
void files_drifts(struct facts *f, const char *root)
{
	static const char * const dirs[] = {
		"/usr/lib/sysctl.d", "/run/sysctl.d", "/etc/sysctl.d",
	};
	char full[PATH_MAX], path[DOCTOR_PATH];
	struct dirent **entry;
	unsigned int k;
	size_t i;
	int n, j;

	for (i = 0; i < N_OF(dirs); i++) {
		snprintf(full, sizeof(full), "%s%s", root, dirs[i]);
		n = scandir(full, &entry, is_conf, alphasort);
		for (j = 0; j < n; j++) {
			if (snprintf(path, sizeof(path), "%s/%s", dirs[i], entry[j]->d_name) <
			    DOCTOR_PATH)
				read_sysctls(f, root, path);
			free(entry[j]);
		}
		if (n >= 0)
			free(entry);
	}
	read_sysctls(f, root, "/etc/sysctl.conf");
	for (k = 0; k < f->drifts;) {
		if (holds(f, &f->drift[k]))
			f->drift[k] = f->drift[--f->drifts];
		else
			k++;
	}
}
