// SPDX-License-Identifier: GPL-2.0
/*
 * /proc/net/stat/nf_flowtrack*: the counters, one line for each CPU, in the form
 * of nf_conntrack's file there and of lnstat(8). Everybody may read them, so
 * that what collects metrics needs no privilege.
 */
#include <linux/atomic.h>
#include <linux/cpumask.h>
#include <linux/ctype.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <linux/seq_file_net.h>
#include <net/net_namespace.h>

#include "base/stats.h"
#include "net.h"
#include "proc.h"

/* Of the first line, the names. */
#define CPU_NAMES	(-1)

/* A column is called as its counter, which the tool does, too. */
#define S(counter)	{ #counter, FLOWTRACK_A_STATS_##counter }

static const struct ft_proc_column traffic[] = {
	S(FOUND), S(NEW), S(INSERT), S(CLASH), S(INVALID), S(UNTRACKED),
	S(BYPASS), S(RELATED), S(ADOPTED), S(EXPIRE), S(EXPIRE_ADAPTIVE),
	S(CLOSE), S(DELETE), S(CHAIN_TOOLONG), S(NOMEM), S(CARRIER_GROWN),
	S(CARRIER_NONE), S(NAT_PORTS_FULL), S(NAT_EVICT), S(RESIZE), S(EVENT_LOST),
	S(LOOKAHEAD),
};

static const struct ft_proc_column full[] = {
	S(FULL), S(EVICT_CLOSING), S(EVICT_EMBRYONIC), S(EVICT_REPLIED),
	S(EVICT_ASSURED), S(EVICT_EXPIRED), S(EVICT_IDLE), S(EVICT_HEAVY),
	S(RESERVED), S(FULL_DROP), S(FULL_DROP_CLOSING),
	S(FULL_DROP_EMBRYONIC), S(FULL_DROP_REPLIED), S(FULL_DROP_ASSURED),
	S(FULL_PASS), S(FULL_PASS_CLOSING), S(FULL_PASS_EMBRYONIC),
	S(FULL_PASS_REPLIED), S(FULL_PASS_ASSURED), S(FULL_NOBODY),
	S(FULL_NOMEM), S(SRC_MAX_REFUSED), S(SRC_RATE_REFUSED), S(SRC_PASS),
};

static const struct ft_proc_column guard[] = {
	S(GUARD_FULL), S(GUARD_EVICT_CLOSING), S(GUARD_EVICT_EMBRYONIC),
	S(GUARD_EVICT_REPLIED), S(GUARD_EVICT_ASSURED), S(GUARD_DROP),
	S(GUARD_PASS), S(GUARD_FORGOT),
};

#undef S

const struct ft_proc_file ft_proc_files[] = {
	{ "nf_flowtrack", traffic, ARRAY_SIZE(traffic) },
	{ "nf_flowtrack_full", full, ARRAY_SIZE(full) },
	{ "nf_flowtrack_guard", guard, ARRAY_SIZE(guard) },
};

const unsigned int ft_proc_n_files = ARRAY_SIZE(ft_proc_files);

static void show_names(struct seq_file *seq, const struct ft_proc_file *file)
{
	const char *at;
	unsigned int i;

	seq_puts(seq, "entries");
	for (i = 0; i < file->n; i++) {
		seq_putc(seq, ' ');
		for (at = file->columns[i].name; *at; at++)
			seq_putc(seq, tolower(*at));
	}
	seq_putc(seq, '\n');
}

/**
 * ft_proc_show() - write a line of a file
 * @seq: where to
 * @tn: namespace
 * @file: the file
 * @cpu: a possible CPU, or -1 for the line of names
 *
 * The first column, the flows of the table, is the same in each line, as it is
 * in nf_conntrack's file.
 *
 * Context: may sleep.
 */
void ft_proc_show(struct seq_file *seq, const struct ft_net *tn,
		  const struct ft_proc_file *file, int cpu)
{
	struct ft_stats stats;
	unsigned int i;

	if (cpu == CPU_NAMES) {
		show_names(seq, file);
		return;
	}
	ft_stats_cpu(tn, cpu, &stats);
	seq_printf(seq, "%08x", atomic_read(&tn->count));
	for (i = 0; i < file->n; i++)
		seq_printf(seq, " %08llx", stats.v[file->columns[i].counter]);
	seq_putc(seq, '\n');
}

/* Position 0 is the names, position N the first possible CPU from N - 1 on. */
static void *at_cpu(loff_t *pos)
{
	int cpu;

	if (!*pos)
		return SEQ_START_TOKEN;
	for (cpu = *pos - 1; cpu < nr_cpu_ids; cpu++) {
		if (!cpu_possible(cpu))
			continue;
		*pos = cpu + 1;
		/* Only the number means something: neither NULL nor the token. */
		return (void *)(cpu + 2UL);
	}
	return NULL;
}

static void *seq_start(struct seq_file *seq, loff_t *pos)
{
	return at_cpu(pos);
}

static void *seq_next(struct seq_file *seq, void *v, loff_t *pos)
{
	++*pos;
	return at_cpu(pos);
}

static void seq_stop(struct seq_file *seq, void *v)
{
}

static int seq_show(struct seq_file *seq, void *v)
{
	const struct ft_proc_file *file = pde_data(file_inode(seq->file));
	int cpu = v == SEQ_START_TOKEN ? CPU_NAMES : (unsigned long)v - 2;

	ft_proc_show(seq, ft_pernet(seq_file_net(seq)), file, cpu);
	return 0;
}

static const struct seq_operations seq_ops = {
	.start	= seq_start,
	.next	= seq_next,
	.stop	= seq_stop,
	.show	= seq_show,
};

static void remove_files(struct net *net, unsigned int n)
{
	while (n--)
		remove_proc_entry(ft_proc_files[n].name, net->proc_net_stat);
}

/**
 * ft_proc_init() - make the files of a namespace
 * @tn: namespace, with counters
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int ft_proc_init(struct ft_net *tn)
{
	unsigned int i;

	if (!IS_ENABLED(CONFIG_PROC_FS))
		return 0;
	for (i = 0; i < ft_proc_n_files; i++) {
		if (proc_create_net_data(ft_proc_files[i].name, 0444,
					 tn->net->proc_net_stat, &seq_ops,
					 sizeof(struct seq_net_private),
					 (void *)&ft_proc_files[i]))
			continue;
		remove_files(tn->net, i);
		return -ENOMEM;
	}
	return 0;
}

/**
 * ft_proc_exit() - take the files of a namespace away
 * @tn: namespace
 *
 * Context: may sleep; all readers have finished when it returns.
 */
void ft_proc_exit(struct ft_net *tn)
{
	if (IS_ENABLED(CONFIG_PROC_FS))
		remove_files(tn->net, ft_proc_n_files);
}
