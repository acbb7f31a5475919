/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The listeners that are told what happens to flows. The netlink family registers
 * itself here while it is there, and so does ctnetlink; the code that tells them
 * knows nothing of messages.
 */
#ifndef _FT_BASE_NOTIFY_H
#define _FT_BASE_NOTIFY_H

#include <linux/bits.h>
#include <linux/types.h>
#include <linux/nf_flowtrack.h>

struct ft_flow6;
struct ft_net;
struct ft_watermark_event;
struct genl_family;
struct nf_conn;

/* Indexes of the multicast groups. */
enum ft_mcgrp {
	FT_MCGRP_EVENTS,
	FT_MCGRP_PRESSURE,
};

/* What a packet that has passed the rules has changed of its flow. */
#define FT_CHANGED_STATE	BIT(0)
#define FT_CHANGED_MARK		BIT(1)
/* No listener could be told before that the flow began. */
#define FT_CHANGED_NEW		BIT(2)

/**
 * struct ft_notifier - what encodes and sends
 * @family: whose groups have listeners or not; NULL: ctnetlink's
 * @flow: a flow began, changed or ended; see ft_notify_flow()
 * @pressure: a watermark was crossed; see ft_notify_pressure(); ctnetlink has none
 * @changed: a packet or its rules changed a flow; see ft_notify_changed(); ctnetlink only
 * @guarded: an entry of nf_conntrack began, changed or ended; see ft_notify_guarded(); the
 *	family only
 *
 * @flow and @changed return 0, or -ENOBUFS: a listener that asked to miss nothing has
 * missed it.
 */
struct ft_notifier {
	const struct genl_family *family;
	int (*flow)(struct ft_net *tn, unsigned int cmd,
		    const struct ft_flow6 *copy, u32 index,
		    enum flowtrack_reason reason);
	void (*pressure)(struct ft_net *tn,
			 const struct ft_watermark_event *event);
	int (*changed)(struct ft_net *tn, const struct ft_flow6 *copy,
		       u32 index, unsigned int what);
	void (*guarded)(struct ft_net *tn, unsigned int cmd, const struct nf_conn *ct);
};

void ft_notify_register(const struct ft_notifier *n);
void ft_notify_unregister(const struct ft_notifier *n);
bool ft_notify_ctnetlink(void);
bool ft_notify_wanted(const struct ft_net *tn);
int ft_notify_flow(struct ft_net *tn, unsigned int cmd,
		   const struct ft_flow6 *copy, u32 index,
		   enum flowtrack_reason reason);
void ft_notify_pressure(struct ft_net *tn,
			const struct ft_watermark_event *event);
int ft_notify_changed(struct ft_net *tn, const struct ft_flow6 *copy,
		      u32 index, unsigned int what);
void ft_notify_guarded(struct ft_net *tn, unsigned int cmd, const struct nf_conn *ct);

#endif /* _FT_BASE_NOTIFY_H */
