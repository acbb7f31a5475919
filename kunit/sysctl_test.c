// SPDX-License-Identifier: GPL-2.0
#include <linux/sysctl.h>

#include "ft_kunit.h"

#define A(name)		FLOWTRACK_A_SETTINGS_##name

/*
 * The files of the initial namespace, as they are registered, but with a
 * namespace behind them that nothing else uses.
 */
static struct ctl_table *find(struct kunit *test, struct ft_net *tn,
			      const char *name)
{
	struct ctl_table *copy = kunit_kzalloc(test, sizeof(*copy), GFP_KERNEL);
	const struct ctl_table *ctl = ft_pernet(&init_net)->sysctl_table;

	KUNIT_ASSERT_NOT_NULL(test, copy);
	KUNIT_ASSERT_NOT_NULL(test, ctl);
	for (; ctl->procname; ctl++) {
		if (strcmp(ctl->procname, name))
			continue;
		*copy = *ctl;
		copy->data = tn;
		return copy;
	}
	KUNIT_FAIL_AND_ABORT(test, "no %s", name);
}

static int write_at(struct ctl_table *ctl, const char *text, loff_t pos)
{
	size_t len = strlen(text);
	char buf[64];

	strscpy(buf, text, sizeof(buf));
	return ctl->proc_handler(ctl, 1, buf, &len, &pos);
}

static const char *show(struct kunit *test, struct ctl_table *ctl)
{
	char *buf = kunit_kzalloc(test, 64, GFP_KERNEL);
	size_t len = 63;
	loff_t pos = 0;

	KUNIT_ASSERT_NOT_NULL(test, buf);
	KUNIT_ASSERT_EQ(test, ctl->proc_handler(ctl, 0, buf, &len, &pos), 0);
	buf[len] = '\0';
	return buf;
}

static const struct attempt {
	const char *name;
	const char *text;
	int err;
	const char *after;
} attempts[] = {
	{ "nf_flowtrack_max", "123\n", 0, "123\n" },
	{ "nf_flowtrack_max", "0x20", 0, "32\n" },
	{ "nf_flowtrack_max", "134217728", 0, "134217728\n" },
	{ "nf_flowtrack_max", "134217729", -EINVAL, "134217728\n" },
	{ "nf_flowtrack_max", "0", -EINVAL, "134217728\n" },
	{ "nf_flowtrack_max", "-1", -EINVAL, "134217728\n" },
	{ "nf_flowtrack_max", "many", -EINVAL, "134217728\n" },
	{ "nf_flowtrack_max", "7x", -EINVAL, "134217728\n" },
	{ "nf_flowtrack_max", "\t\n", -EINVAL, "134217728\n" },
	{ "nf_flowtrack_max", "4294967297", -EINVAL, "134217728\n" },
	{ "nf_flowtrack_acct", "1", 0, "1\n" },
	{ "nf_flowtrack_acct", "2", -EINVAL, "1\n" },
	{ "nf_flowtrack_acct", "auto", 0, "0\n" },
	{ "nf_flowtrack_acct", "automatic", -EINVAL, "0\n" },
	{ "nf_flowtrack_max", "auto", -EINVAL, "134217728\n" },
	{ "nf_flowtrack_bypass_mark", "0xffffffff", 0, "4294967295\n" },
	{ "nf_flowtrack_udp_timeout", "1", 0, "1\n" },
	{ "nf_flowtrack_udp_timeout", "0", -EINVAL, "1\n" },
	{ "nf_flowtrack_udp_timeout", "auto\n", 0, "30\n" },
	{ "nf_flowtrack_udp_timeout", "4294967295", 0, "30\n" },
	{ "nf_flowtrack_full_policy", "drop\n", 0, "drop\n" },
	{ "nf_flowtrack_full_policy", "2", 0, "pass\n" },
	{ "nf_flowtrack_full_policy", "3", -EINVAL, "pass\n" },
	{ "nf_flowtrack_full_policy", "evic", -EINVAL, "pass\n" },
	{ "nf_flowtrack_full_policy", "", 0, "pass\n" },
	{ "nf_flowtrack_full_policy", "\n", -EINVAL, "pass\n" },
	{ "nf_flowtrack_full_policy", "evict-and-something-very-long",
	  -EINVAL, "pass\n" },
	{ "nf_flowtrack_full_fallback", "pass", 0, "pass\n" },
	{ "nf_flowtrack_full_fallback", "evict", -EINVAL, "pass\n" },
	{ "nf_flowtrack_full_fallback", "0", -EINVAL, "pass\n" },
	{ "nf_flowtrack_adopt", "never", 0, "never\n" },
	{ "nf_flowtrack_adopt", "auto", 0, "auto\n" },
	{ "nf_flowtrack_buckets", "128", 0, "128\n" },
	{ "nf_flowtrack_buckets", "63", -EINVAL, "128\n" },
	{ "nf_flowtrack_count", "1", -EPERM, "0\n" },
};

static void writes(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 100);
	struct ctl_table *ctl;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(attempts); i++) {
		const struct attempt *a = &attempts[i];

		ctl = find(test, tn, a->name);
		KUNIT_EXPECT_EQ_MSG(test, write_at(ctl, a->text, 0), a->err,
				    "%s = '%s'", a->name, a->text);
		KUNIT_EXPECT_STREQ(test, show(test, ctl), a->after);
	}
}

/* A write that does not begin the file changes nothing. */
static void second_write(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 100);

	write_at(find(test, tn, "nf_flowtrack_max"), "9", 1);
	KUNIT_EXPECT_EQ(test, tn->set.v[A(MAX_FLOWS)], 100);
	KUNIT_EXPECT_EQ(test, write_at(find(test, tn, "nf_flowtrack_full_policy"),
				       "drop", 2), 0);
	KUNIT_EXPECT_EQ(test, tn->set.v[A(FULL_POLICY)], FLOWTRACK_POLICY_EVICT);
	/* Nor does it fix the number that there happens to be. */
	write_at(find(test, tn, "nf_flowtrack_buckets"), "8", 1);
	KUNIT_EXPECT_EQ(test, tn->set.v[A(BUCKETS)], 0);
}

/* Every setting has a file, and no file is more writable than it should be. */
static void modes(struct kunit *test)
{
	const struct ctl_table *ctl = ft_pernet(&init_net)->sysctl_table;
	unsigned int n = 0;

	KUNIT_ASSERT_NOT_NULL(test, ctl);
	for (; ctl->procname; ctl++) {
		umode_t mode = 0644;

		if (!strcmp(ctl->procname, "nf_flowtrack_count") ||
		    !strcmp(ctl->procname, "nf_flowtrack_buckets_auto") ||
		    !strcmp(ctl->procname, "nf_flowtrack_guarded") ||
		    !strcmp(ctl->procname, "nf_flowtrack_src_count"))
			mode = 0444;

		KUNIT_EXPECT_EQ_MSG(test, ctl->mode, mode, "%s", ctl->procname);
		n++;
	}
	/* What tells which of them follow is none. */
	KUNIT_EXPECT_EQ(test, n, FLOWTRACK_A_SETTINGS_MAX - 1);
}

/* Each file shows its own setting. */
static void shows(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 100);
	const struct ft_setting_desc *desc;
	char want[16];
	unsigned int i;

	for (i = 1; i <= FLOWTRACK_A_SETTINGS_MAX; i++) {
		desc = &ft_setting_descs[i];
		if (!desc->name ||
		    desc->kind == FT_SETTING_ENUM || i == A(COUNT) || i == A(GUARDED) ||
		    i == A(BUCKETS) || i == A(BUCKETS_AUTO) || i == A(SRC_COUNT))
			continue;
		tn->set.v[i] = 1000 + i;
	}
	for (i = 1; i <= FLOWTRACK_A_SETTINGS_MAX; i++) {
		desc = &ft_setting_descs[i];
		if (!desc->name)
			continue;
		snprintf(want, sizeof(want), "%u\n", ft_settings_get(tn, i));
		if (desc->kind == FT_SETTING_ENUM)
			snprintf(want, sizeof(want), "%s\n",
				 desc->names[tn->set.v[i]]);
		KUNIT_EXPECT_STREQ(test, show(test, find(test, tn, desc->procname)),
				   want);
	}
}

static struct kunit_case sysctl_cases[] = {
	KUNIT_CASE(writes),
	KUNIT_CASE(second_write),
	KUNIT_CASE(modes),
	KUNIT_CASE(shows),
	{}
};

static struct kunit_suite sysctl_suite = {
	.name = "ft_sysctl",
	.test_cases = sysctl_cases,
};

kunit_test_suite(sysctl_suite);
