/* SPDX-License-Identifier: GPL-2.0 */
/*
 * 6.17 gave system_unbound_wq the name system_dfl_wq, and since 7.2 a kernel
 * complains of work that is queued by the old name.
 */
#ifndef _FT_COMPAT_LINUX_WORKQUEUE_H
#define _FT_COMPAT_LINUX_WORKQUEUE_H

#include_next <linux/workqueue.h>

#ifndef FT_HAVE_SYSTEM_DFL_WQ
#define system_dfl_wq	system_unbound_wq
#endif

#endif /* _FT_COMPAT_LINUX_WORKQUEUE_H */
