/* SPDX-License-Identifier: GPL-2.0 */
/*
 * 6.6 tells the registration of sysctls how many there are. Before, a table
 * ended with an empty entry: callers append one, which is never looked at where
 * the size counts.
 */
#ifndef _FT_COMPAT_NET_NET_NAMESPACE_H
#define _FT_COMPAT_NET_NET_NAMESPACE_H

#include_next <net/net_namespace.h>

#ifndef FT_HAVE_REGISTER_NET_SYSCTL_SZ
#define register_net_sysctl_sz(net, path, table, size)	\
	((void)(size), register_net_sysctl(net, path, table))
#endif

#endif /* _FT_COMPAT_NET_NET_NAMESPACE_H */
