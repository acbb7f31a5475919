/* SPDX-License-Identifier: GPL-2.0 */
/*
 * 6.3 gave struct netlink_ext_ack a buffer for messages with numbers in them.
 * Before, a message had to be a string that never goes away.
 */
#ifndef _FT_COMPAT_LINUX_NETLINK_H
#define _FT_COMPAT_LINUX_NETLINK_H

#include_next <linux/netlink.h>

#ifndef NL_SET_ERR_MSG_FMT
#include <linux/kernel.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/string.h>

#define NETLINK_MAX_FMTMSG_LEN	80
#define FT_FMTMSG_BUFFERS	32

/*
 * The task that asked sends the answer, too, before it asks again. So one buffer is
 * enough for a task, however many requests of others fail meanwhile. A buffer goes to
 * another task in turn: one that is still needed may be written again if as many other
 * tasks as there are buffers have a request that fails meanwhile. That answer then
 * shows the wrong text, and no more: netlink_ack() measures the string first and copies
 * it later, so all have the same length, filled up with blanks, and never a zero before
 * the end.
 */
static inline const char *__printf(1, 2) ft_compat_fmtmsg(const char *fmt, ...)
{
	static struct {
		/* Never followed: it may be gone. */
		const void *task;
		char text[NETLINK_MAX_FMTMSG_LEN];
	} buffers[FT_FMTMSG_BUFFERS];
	/* Protects turn, and buffers against other writers. */
	static DEFINE_SPINLOCK(lock);
	static unsigned int turn;
	char text[NETLINK_MAX_FMTMSG_LEN];
	va_list args;
	unsigned int i;
	int len;

	va_start(args, fmt);
	len = vscnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	memset(text + len, ' ', sizeof(text) - 1 - len);

	spin_lock(&lock);
	for (i = 0; i < FT_FMTMSG_BUFFERS; i++)
		if (buffers[i].task == current)
			break;
	if (i == FT_FMTMSG_BUFFERS)
		i = turn++ % FT_FMTMSG_BUFFERS;
	buffers[i].task = current;
	/* The zero at the end is there from the start. */
	memcpy(buffers[i].text, text, sizeof(text) - 1);
	spin_unlock(&lock);
	return buffers[i].text;
}

#define NL_SET_ERR_MSG_FMT(extack, fmt, args...) do {			\
	struct netlink_ext_ack *__extack = (extack);			\
									\
	if (__extack)							\
		__extack->_msg = ft_compat_fmtmsg(fmt, ##args);		\
} while (0)

#define NL_SET_ERR_MSG_ATTR_FMT(extack, attr, fmt, args...) do {	\
	struct netlink_ext_ack *__extack_attr = (extack);		\
									\
	NL_SET_ERR_MSG_FMT(__extack_attr, fmt, ##args);			\
	NL_SET_BAD_ATTR(__extack_attr, attr);				\
} while (0)
#endif

#endif /* _FT_COMPAT_LINUX_NETLINK_H */
