/* SPDX-License-Identifier: GPL-2.0 */
/*
 * 6.7 put the attributes of a dump request into a struct genl_info. Before,
 * struct genl_dumpit_info had them under the same name, which is all that is
 * used here: genl_info_dump(cb)->attrs.
 */
#ifndef _FT_COMPAT_NET_GENETLINK_H
#define _FT_COMPAT_NET_GENETLINK_H

#include_next <net/genetlink.h>

#ifndef FT_HAVE_GENL_INFO_DUMP
#define genl_info_dump(cb)	genl_dumpit_info(cb)
#endif

#endif /* _FT_COMPAT_NET_GENETLINK_H */
