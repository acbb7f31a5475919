/* SPDX-License-Identifier: GPL-2.0 */
/*
 * 6.3 gave struct netlink_ext_ack a buffer for messages with numbers in them.
 * Before, a message had to be a string that never goes away.
 */
#ifndef _FT_COMPAT_LINUX_NETLINK_H
#define _FT_COMPAT_LINUX_NETLINK_H

#include_next <linux/netlink.h>

#ifndef NL_SET_ERR_MSG_FMT
#include <linux/atomic.h>
#include <linux/kernel.h>
#include <linux/string.h>

#define NETLINK_MAX_FMTMSG_LEN	80
#define FT_FMTMSG_BUFFERS	16

/*
 * Buffers taken in turn. One may be written again before the answer that shows
 * it has been sent, if sixteen other requests fail meanwhile. That answer then
 * shows the wrong text, and no more: netlink_ack() measures the string first
 * and copies it later, so all have the same length, filled up with blanks, and
 * never a zero before the end.
 */
static inline const char *__printf(1, 2) ft_compat_fmtmsg(const char *fmt, ...)
{
	static char buffers[FT_FMTMSG_BUFFERS][NETLINK_MAX_FMTMSG_LEN];
	static atomic_t turn;
	char text[NETLINK_MAX_FMTMSG_LEN];
	va_list args;
	char *buf;
	int len;

	va_start(args, fmt);
	len = vscnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	memset(text + len, ' ', sizeof(text) - 1 - len);

	buf = buffers[(u32)atomic_inc_return(&turn) % FT_FMTMSG_BUFFERS];
	/* The zero at the end is there from the start. */
	memcpy(buf, text, sizeof(text) - 1);
	return buf;
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
