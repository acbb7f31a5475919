// SPDX-License-Identifier: GPL-2.0
/*
 * flowtrack save: the table, and the settings if asked for, as lines that
 * restore reads.
 */
#include <time.h>

#include "cmd.h"
#include "filter.h"
#include "names.h"
#include "nl.h"
#include "print.h"
#include "save.h"
#include "settings.h"

/**
 * save_head() - what stands before the flows of a saved table
 * @nl: socket
 * @with_settings: the settings, too
 * @head: its buffer is set to a string
 *
 * It is kept, since a dump may begin anew.
 *
 * Return: an exit code.
 */
int save_head(struct nl *nl, bool with_settings, struct out *head)
{
	__u32 value[__FLOWTRACK_A_SETTINGS_MAX] = { 0 };
	struct timespec ts;
	int attr, code;
	__u64 has = 0, follow = 0;

	clock_gettime(CLOCK_REALTIME, &ts);
	out_init(head, -1);
	out_fmt(head, "%s %d\n# %s%lld.%03ld\n", SAVE_HEADER,
		with_settings ? SAVE_VERSION_SETTINGS : SAVE_VERSION, SAVE_TIME,
		(long long)ts.tv_sec, ts.tv_nsec / 1000000);
	if (with_settings) {
		code = get_settings(nl, value, &has, &follow);
		if (code)
			return code;
	}
	for (attr = 1; attr < __FLOWTRACK_A_SETTINGS_MAX; attr++) {
		if (!(has >> attr & 1) || !settings[attr].name || settings[attr].readonly)
			continue;
		out_str(head, SAVE_SETTING " ");
		print_setting(head, attr, value, follow, false, true);
	}
	*out_room(head) = '\0';
	return EXIT_OK;
}

/*
 * Flows of nf_conntrack cannot be restored: unless told "own", save says how
 * many there are.
 */
static int tell_guarded(struct nl *nl, const struct filter *f)
{
	struct filter guarded = *f;
	__u64 count = 0;
	int code;

	if (filter_wants(f, FLOWTRACK_TRACKER_OWN))
		return EXIT_OK;
	filter_default(&guarded, FLOWTRACK_TRACKER_GUARDED);
	code = count_flows(nl, &guarded, &count);
	if (!code && count)
		warn("%llu guarded flow%s match%s: nf_conntrack's flows cannot be restored",
		     count, count == 1 ? "" : "s", count == 1 ? "es" : "");
	return code;
}

/**
 * save_table() - print flows as restore reads them, or as JSON
 * @nl: socket
 * @opts: options
 * @f: which flows
 *
 * Return: an exit code.
 */
int save_table(struct nl *nl, const struct options *opts, const struct filter *f)
{
	static struct out head;
	struct printer p;
	int code = EXIT_OK;

	printer_init(&p, &std, opts);
	if (opts->json) {
		p.windows = true;
	} else {
		p.form = PRINT_SAVE;
		p.head = head.buf;
		code = save_head(nl, opts->settings, &head);
	}
	if (!code)
		code = list_flows(nl, f, &p);
	return code;
}

int cmd_save(const struct options *opts, int argc, char **argv)
{
	static struct nl nl;
	struct filter f;
	int code;

	code = filter_parse(&f, argc, argv, opts->family);
	if (code)
		return code;
	if (filter_wants(&f, FLOWTRACK_TRACKER_GUARDED))
		return err_set(EXIT_USAGE,
			       "'guarded': nf_conntrack's flows cannot be restored");
	if (opts->json && opts->settings)
		return err_set(EXIT_USAGE, "--settings is for restore, which reads no JSON");
	code = nl_open(&nl, opts->netns);
	if (code)
		return code;
	code = save_table(&nl, opts, &f);
	if (!code)
		code = tell_guarded(&nl, &f);
	nl_close(&nl);
	return code;
}
