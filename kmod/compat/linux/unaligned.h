/* SPDX-License-Identifier: GPL-2.0 */
/* Came out of asm/ in 6.12. */
#ifndef _FT_COMPAT_LINUX_UNALIGNED_H
#define _FT_COMPAT_LINUX_UNALIGNED_H

#if __has_include_next(<linux/unaligned.h>)
#include_next <linux/unaligned.h>
#else
#include <asm/unaligned.h>
#endif

#endif /* _FT_COMPAT_LINUX_UNALIGNED_H */
