/* SPDX-License-Identifier: GPL-2.0 */
/*
 * 6.11 made the ctl_table that a proc_handler gets const. A handler declares
 * its argument FT_CTL_CONST struct ctl_table *.
 */
#ifndef _FT_COMPAT_LINUX_SYSCTL_H
#define _FT_COMPAT_LINUX_SYSCTL_H

#include_next <linux/sysctl.h>

#ifdef FT_HAVE_CONST_CTL_TABLE
#define FT_CTL_CONST	const
#else
#define FT_CTL_CONST
#endif

#endif /* _FT_COMPAT_LINUX_SYSCTL_H */
