# SPDX-License-Identifier: GPL-2.0-only
#
# Included by Kbuild. What a kernel has is asked of its headers, not of its version: distributions backport (Debian's
# 6.12.117 has a name of 6.17). Only what the preprocessor cannot ask stands here, variables, functions and types; a
# macro is asked for by #ifndef in the wrapper header itself. A wrapper header kmod/compat/PATH/NAME.h stands for
# include/PATH/NAME.h, and uses the FT_HAVE_ macros below.

ifeq ($(wildcard $(srctree)/include/linux/workqueue.h),)
$(error nf_flowtrack: no kernel headers in '$(srctree)/include')
endif
ifneq ($(shell test "$(VERSION)" -gt 6 || test "$(VERSION)" -eq 6 -a "$(PATCHLEVEL)" -ge 1 || echo older),)
$(error nf_flowtrack needs Linux 6.1 or later, and this is $(VERSION).$(PATCHLEVEL))
endif
# What dkms asks for before it begins. `make clean` reads no configuration.
ft-lacking := $(if $(CONFIG_MODULES),$(foreach option,$(shell sed -n 's/^BUILD_EXCLUSIVE_CONFIG="\(.*\)"/\1/p' \
	$(src)/dkms.conf),$(if $($(option)),,$(option))))
ifneq ($(strip $(ft-lacking)),)
$(error nf_flowtrack needs a kernel with $(strip $(ft-lacking)))
endif

# $(call ft-have,NAME,HEADER,REGULAR-EXPRESSION): -DFT_HAVE_NAME if a line of the header matches; no
# parenthesis in the expression, make counts them.
ft-have = $(if $(shell grep -E '$(3)' $(srctree)/include/$(2)),-DFT_HAVE_$(1))

ccflags-y += $(call ft-have,SYSTEM_DFL_WQ,linux/workqueue.h,\bsystem_dfl_wq;)
ccflags-y += $(call ft-have,REGISTER_NET_SYSCTL_SZ,net/net_namespace.h,\bregister_net_sysctl_sz\b)
ccflags-y += $(call ft-have,REFCOUNT_SET_RELEASE,linux/refcount.h,\brefcount_set_release\b)
ccflags-y += $(call ft-have,GENL_INFO_DUMP,net/genetlink.h,\bgenl_info_dump\b)
ccflags-y += $(call ft-have,CONST_CTL_TABLE,linux/sysctl.h,\bproc_handler.const struct ctl_table\b)
ccflags-y += $(call ft-have,NF_CT_EXT_GEN_ID,net/netfilter/nf_conntrack_extend.h,\bunsigned int gen_id;)
ccflags-y += $(call ft-have,STRING_SYMBOL_NS,linux/module.h,define MODULE_IMPORT_NS.ns.\s+MODULE_INFO.import_ns. ns.$$)
ccflags-y += $(call ft-have,LSM_CONTEXT,linux/security.h,\bsecurity_secid_to_secctx.u32 secid. struct lsm_context\b)
ccflags-y += $(call ft-have,CTA_TIMESTAMP_EVENT,uapi/linux/netfilter/nfnetlink_conntrack.h,\bCTA_TIMESTAMP_EVENT\b)
ccflags-y += $(call ft-have,HELPER_CT_REFCNT,net/netfilter/nf_conntrack_helper.h,\brefcount_t ct_refcnt;)
ccflags-y += $(call ft-have,EXPECT_EVENT_MASK,net/netfilter/nf_conntrack_expect.h,\bu16 event_mask;)
ccflags-y += $(call ft-have,EXPECT_MASTER_TUPLE,net/netfilter/nf_conntrack_expect.h,\bstruct nf_conntrack_tuple master_tuple;)
ccflags-y += $(call ft-have,KFREE_SKB_RX_SK,trace/events/skb.h,\bstruct sock \*rx_sk\b)
ccflags-y += $(call ft-have,KFREE_SKB_CONST_SK,trace/events/skb.h,\bconst struct sock \*rx_sk\b)
ccflags-y += $(if $(wildcard $(srctree)/include/linux/unaligned.h),-DFT_HAVE_LINUX_UNALIGNED)
