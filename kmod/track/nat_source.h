/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A source keeps its translated address and port towards all destinations.
 *
 * nf_nat gives a source (address, port, protocol) what it gave it last, as RFC 4787
 * asks, but does not see our flows. So what a source has is remembered here, and shown
 * to nf_nat before a new flow of that source gets something else.
 *
 * Nothing is remembered where nf_nat chooses the same without being told: where a
 * masqueraded flow keeps its own port.
 */
#ifndef _FT_TRACK_NAT_SOURCE_H
#define _FT_TRACK_NAT_SOURCE_H

#include <linux/types.h>
#include <linux/workqueue.h>

struct ft_birth;
struct ft_net;
struct ft_nat_lines;
struct nf_conntrack_tuple;

/**
 * struct ft_nat_sources - flows by source, of a namespace
 * @lines: those; NULL until there is something to remember
 * @again: jiffies: from then on memory is asked for
 * @work: makes them, and more of them when the table's limit has grown
 */
struct ft_nat_sources {
	struct ft_nat_lines __rcu *lines;
	unsigned long again;
	struct work_struct work;
};

void ft_nat_source_note(struct ft_net *tn, const struct ft_birth *birth);
bool ft_nat_source_find(const struct ft_net *tn, struct ft_birth *birth,
			struct nf_conntrack_tuple *reply);

void ft_nat_source_net_init(struct ft_net *tn);
void ft_nat_source_net_exit(struct ft_net *tn);

#endif /* _FT_TRACK_NAT_SOURCE_H */
