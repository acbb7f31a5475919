// SPDX-License-Identifier: GPL-2.0
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <string.h>

#include "names.h"
#include "nl.h"
#include "stats.h"

/**
 * stats_parse() - read an answer
 * @nlh: message
 * @s: filled in
 */
void stats_parse(const struct nlmsghdr *nlh, struct stats *s)
{
	const struct nlattr *a;

	memset(s, 0, sizeof(*s));
	mnl_attr_for_each(a, nlh, GENL_HDRLEN) {
		unsigned int type = mnl_attr_get_type(a);

		if (!name_of(&stats_names, type))
			continue;
		if (!mnl_attr_validate(a, MNL_TYPE_U64))
			s->value[type] = mnl_attr_get_u64(a);
		else if (!mnl_attr_validate(a, MNL_TYPE_U32))
			s->value[type] = mnl_attr_get_u32(a);
		else
			continue;
		s->has[type] = true;
	}
}

static int stats_message(const struct nlmsghdr *nlh, void *data)
{
	stats_parse(nlh, data);
	return 0;
}

/**
 * stats_get() - ask for the counters of the namespace
 * @nl: socket
 * @s: filled in
 *
 * Return: an exit code.
 */
int stats_get(struct nl *nl, struct stats *s)
{
	memset(s, 0, sizeof(*s));
	return nl_talk(nl, nl_request(nl, FLOWTRACK_CMD_STATS_GET), stats_message, s);
}
