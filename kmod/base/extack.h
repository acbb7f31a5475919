/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What is wrong with a request: the message and the attribute that its sender
 * gets to see.
 */
#ifndef _FT_BASE_EXTACK_H
#define _FT_BASE_EXTACK_H

#include <linux/errno.h>
#include <linux/netlink.h>

/* An attribute is wrong. Macros, because the core wants its messages literal. */
#define FT_NETLINK_BAD(extack, attr, message)				\
	({								\
		NL_SET_ERR_MSG_ATTR(extack, attr, message);		\
		-EINVAL;						\
	})

/* Attribute number @attr is not in @nest; NULL: not in the message. */
#define FT_NETLINK_MISSING(extack, nest, attr, message)			\
	({								\
		struct netlink_ext_ack *__missing_ack = (extack);	\
									\
		NL_SET_ERR_MSG(__missing_ack, message);			\
		NL_SET_ERR_ATTR_MISS(__missing_ack, nest, attr);	\
		-EINVAL;						\
	})

#endif /* _FT_BASE_EXTACK_H */
