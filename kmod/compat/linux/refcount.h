/* SPDX-License-Identifier: GPL-2.0 */
/*
 * refcount_set_release() came with 6.14.
 */
#ifndef _FT_COMPAT_LINUX_REFCOUNT_H
#define _FT_COMPAT_LINUX_REFCOUNT_H

#include_next <linux/refcount.h>

#ifndef FT_HAVE_REFCOUNT_SET_RELEASE
static inline void refcount_set_release(refcount_t *r, int n)
{
	atomic_set_release(&r->refs, n);
}
#endif

#endif /* _FT_COMPAT_LINUX_REFCOUNT_H */
