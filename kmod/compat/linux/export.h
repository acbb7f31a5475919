/* SPDX-License-Identifier: GPL-2.0 */
/* Since 6.13 the namespace of a symbol is a string. */
#ifndef _FT_COMPAT_LINUX_EXPORT_H
#define _FT_COMPAT_LINUX_EXPORT_H

#include_next <linux/export.h>

/* What nf_flowtrack exports is for its own modules. */
#ifdef FT_HAVE_STRING_SYMBOL_NS
#define FT_SYMBOL_NS	"NF_FLOWTRACK"
#else
#define FT_SYMBOL_NS	NF_FLOWTRACK
#endif

#endif /* _FT_COMPAT_LINUX_EXPORT_H */
