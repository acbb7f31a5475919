/* SPDX-License-Identifier: GPL-2.0 */
/*
 * /proc/net/stat/nf_flowtrack*: counters for everybody to read.
 */
#ifndef _FT_PROC_H
#define _FT_PROC_H

#include <linux/types.h>

struct ft_net;
struct seq_file;

/**
 * struct ft_proc_column - a column of a file
 * @name: in capital letters; small ones in the file
 * @counter: FLOWTRACK_A_STATS_*
 */
struct ft_proc_column {
	const char *name;
	u8 counter;
};

/**
 * struct ft_proc_file - a file in /proc/net/stat
 * @name: of the file
 * @columns: the second one and those after it; the first is of entries
 * @n: how many of them; with the column of entries at most 32, since lnstat(8)
 *	takes no more
 */
struct ft_proc_file {
	const char *name;
	const struct ft_proc_column *columns;
	unsigned int n;
};

extern const struct ft_proc_file ft_proc_files[];
extern const unsigned int ft_proc_n_files;

int ft_proc_init(struct ft_net *tn);
void ft_proc_exit(struct ft_net *tn);
void ft_proc_show(struct seq_file *seq, const struct ft_net *tn,
		  const struct ft_proc_file *file, int cpu);

#endif /* _FT_PROC_H */
