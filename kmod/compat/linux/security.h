/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Newer kernels have a struct lsm_context (6.14), older ones a pointer and a length.
 */
#ifndef _FT_COMPAT_LINUX_SECURITY_H
#define _FT_COMPAT_LINUX_SECURITY_H

#include_next <linux/security.h>

#ifdef FT_HAVE_LSM_CONTEXT

static inline int ft_compat_secctx_len(u32 secid)
{
	return security_secid_to_secctx(secid, NULL);
}

static inline int ft_compat_secctx_get(u32 secid, struct lsm_context *ctx)
{
	int len = security_secid_to_secctx(secid, ctx);

	return len < 0 ? len : 0;
}

static inline void ft_compat_secctx_put(struct lsm_context *ctx)
{
	security_release_secctx(ctx);
}

#else

struct lsm_context {
	char *context;
	u32 len;
};

static inline int ft_compat_secctx_len(u32 secid)
{
	u32 len;
	int err = security_secid_to_secctx(secid, NULL, &len);

	return err ?: len;
}

static inline int ft_compat_secctx_get(u32 secid, struct lsm_context *ctx)
{
	return security_secid_to_secctx(secid, &ctx->context, &ctx->len);
}

static inline void ft_compat_secctx_put(struct lsm_context *ctx)
{
	security_release_secctx(ctx->context, ctx->len);
}

#endif

#endif /* _FT_COMPAT_LINUX_SECURITY_H */
