/* SPDX-License-Identifier: GPL-2.0 */
/* Before 6.12 it is <asm/unaligned.h>. */
#ifndef _FT_COMPAT_LINUX_UNALIGNED_H
#define _FT_COMPAT_LINUX_UNALIGNED_H

#ifdef FT_HAVE_LINUX_UNALIGNED
#include_next <linux/unaligned.h>
#else
#include <asm/unaligned.h>
#endif

#endif /* _FT_COMPAT_LINUX_UNALIGNED_H */
