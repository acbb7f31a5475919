// SPDX-License-Identifier: GPL-2.0
#include <linux/seq_file.h>

#include "base/stats.h"
#include "ft_kunit.h"
#include "net.h"
#include "proc.h"

/* What lnstat(8) takes. */
#define MAX_COLUMNS	32
#define MAX_LINE	1024

static char *show(struct kunit *test, const struct ft_net *tn,
		  const struct ft_proc_file *file, int cpu)
{
	struct seq_file seq = { .size = 4 * MAX_LINE };

	seq.buf = kunit_kzalloc(test, seq.size, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, seq.buf);
	ft_proc_show(&seq, tn, file, cpu);
	KUNIT_ASSERT_LT(test, seq.count, MAX_LINE);
	return seq.buf;
}

static unsigned int columns(const char *line)
{
	unsigned int n = 1;

	for (; *line; line++)
		n += *line == ' ';
	return n;
}

/* Values of this moment, in the sum only: they are no counters of a CPU. */
static bool is_gauge(unsigned int attr)
{
	return (attr >= FLOWTRACK_A_STATS_ADAPTIVE_CLOSING &&
		attr <= FLOWTRACK_A_STATS_ADAPTIVE_ASSURED) ||
	       (attr >= FLOWTRACK_A_STATS_RESERVED_USED &&
		attr <= FLOWTRACK_A_STATS_CONNTRACK_FILL);
}

static void each_counter_once(struct kunit *test)
{
	unsigned int seen[__FLOWTRACK_A_STATS_MAX] = { 0 };
	unsigned int i, k;

	for (i = 0; i < ft_proc_n_files; i++)
		for (k = 0; k < ft_proc_files[i].n; k++)
			seen[ft_proc_files[i].columns[k].counter]++;
	for (i = FLOWTRACK_A_STATS_FOUND; i < __FLOWTRACK_A_STATS_MAX; i++) {
		if (i == FLOWTRACK_A_STATS_PAD || is_gauge(i))
			KUNIT_EXPECT_EQ_MSG(test, seen[i], 0, "attribute %u", i);
		else
			KUNIT_EXPECT_EQ_MSG(test, seen[i], 1, "attribute %u", i);
	}
}

static void lines(struct kunit *test)
{
	struct ft_net *tn = kunit_kzalloc(test, sizeof(*tn), GFP_KERNEL);
	char *names, *values;
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, tn);
	KUNIT_ASSERT_EQ(test, ft_stats_init(tn), 0);
	atomic_set(&tn->count, 0xabc);
	per_cpu_ptr(tn->stats, 0)->v[FLOWTRACK_A_STATS_FOUND] = 1ULL << 36;
	for (i = 0; i < ft_proc_n_files; i++) {
		const struct ft_proc_file *file = &ft_proc_files[i];

		names = show(test, tn, file, -1);
		values = show(test, tn, file, 0);
		KUNIT_EXPECT_EQ(test, columns(names), file->n + 1);
		KUNIT_EXPECT_EQ(test, columns(values), file->n + 1);
		KUNIT_EXPECT_LE(test, columns(names), MAX_COLUMNS);
		KUNIT_EXPECT_PTR_EQ(test, strchr(names, '\n') + 1,
				    names + strlen(names));
	}
	names = show(test, tn, &ft_proc_files[0], -1);
	values = show(test, tn, &ft_proc_files[0], 0);
	KUNIT_EXPECT_PTR_EQ(test, strstr(names, "entries found new "), names);
	KUNIT_EXPECT_PTR_EQ(test, strstr(values, "00000abc 1000000000 00000000 "),
			    values);
	ft_stats_exit(tn);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(each_counter_once),
	KUNIT_CASE(lines),
	{}
};

static struct kunit_suite suite = {
	.name = "ft_proc",
	.test_cases = cases,
};

kunit_test_suite(suite);
