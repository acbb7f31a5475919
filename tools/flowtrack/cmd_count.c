// SPDX-License-Identifier: GPL-2.0
/*
 * flowtrack count: how many flows there are, or match.
 */
#include <libmnl/libmnl.h>

#include "cmd.h"
#include "filter.h"
#include "nl.h"
#include "settings.h"

static int count_message(const struct nlmsghdr *nlh, void *data)
{
	__u64 *count = data;

	(void)nlh;
	++*count;
	return 0;
}

static bool count_restart(void *data)
{
	__u64 *count = data;

	*count = 0;
	return true;
}

/**
 * count_flows() - how many flows match
 * @nl: socket
 * @f: filter
 * @count: set to the number
 *
 * Return: an exit code.
 */
int count_flows(struct nl *nl, const struct filter *f, __u64 *count)
{
	struct nlmsghdr *req = nl_request(nl, FLOWTRACK_CMD_FLOW_GET);

	*count = 0;
	filter_put(req, f);
	return nl_dump(nl, req, count_message, count_restart, count);
}

int cmd_count(const struct options *opts, int argc, char **argv)
{
	__u32 value[__FLOWTRACK_A_SETTINGS_MAX] = { 0 };
	__u64 count = 0, has = 0, follow = 0;
	static struct nl nl;
	struct filter f;
	bool all;
	int code;

	code = filter_parse(&f, argc, argv, opts->family);
	if (code)
		return code;
	filter_default(&f, FLOWTRACK_TRACKER_OWN | FLOWTRACK_TRACKER_GUARDED);
	/* Then the kernel knows without counting. */
	all = filter_empty(&f);
	code = nl_open(&nl, opts->netns);
	if (code)
		return code;
	if (all) {
		code = get_settings(&nl, value, &has, &follow);
		if (filter_wants(&f, FLOWTRACK_TRACKER_OWN))
			count += value[FLOWTRACK_A_SETTINGS_COUNT];
		if (filter_wants(&f, FLOWTRACK_TRACKER_GUARDED))
			count += value[FLOWTRACK_A_SETTINGS_GUARDED];
	} else {
		code = count_flows(&nl, &f, &count);
	}
	nl_close(&nl);
	if (code)
		return code;
	if (opts->json && all)
		out_fmt(&std, "{\"count\":%llu,\"own\":%u,\"guarded\":%u,\"max\":%u}\n", count,
			value[FLOWTRACK_A_SETTINGS_COUNT], value[FLOWTRACK_A_SETTINGS_GUARDED],
			value[FLOWTRACK_A_SETTINGS_MAX_FLOWS]);
	else if (opts->json)
		out_fmt(&std, "{\"count\":%llu%s}\n", count,
			nl.interrupted ? ",\"interrupted\":true" : "");
	else
		out_fmt(&std, "%llu\n", count);
	code = out_close(&std);
	return code || !nl.interrupted ? code : EXIT_INTERRUPTED;
}
