# SPDX-License-Identifier: GPL-2.0-only
#
#   make                        the module for this kernel, and the tool
#   make KDIR=DIR               ... for another kernel (its headers, or a prepared source tree)
#   sudo make install           both, and the manual page
#   sudo make check             every test; `make help` lists the parts

# A container or a build machine runs a kernel whose headers it does not have: take the newest that are there.
KDIR ?= $(or $(wildcard /lib/modules/$(shell uname -r)/build),$(patsubst %/.config,%,$(shell \
	ls -d /usr/src/linux-headers-*/.config 2>/dev/null | sort -V | tail -n 1)))
# Not include/config/kernel.release: Debian's 6.1 headers have the upstream version there, without the ABI number.
KREL := $(shell sed -n 's/^.define UTS_RELEASE "\(.*\)"/\1/p' $(KDIR)/include/generated/utsrelease.h 2>/dev/null)

PREFIX ?= /usr/local
LIBEXECDIR ?= $(PREFIX)/libexec
UNITDIR ?= $(PREFIX)/lib/systemd/system
MODPROBEDIR ?= $(PREFIX)/lib/modprobe.d
DOCDIR ?= $(PREFIX)/share/doc/flowtrack
INCLUDEDIR ?= $(PREFIX)/include
PKGCONFIGDIR ?= $(PREFIX)/share/pkgconfig
# Where ynl looks for a family by its name.
YNLDIR ?= $(PREFIX)/share/ynl/specs

# One directory per kernel and variant; its sources are symbolic links, its products stay there.
B ?= $(CURDIR)/build/$(KREL)$(if $(filter 1,$(KUNIT)),-kunit)$(if $(filter 1,$(STRESS)),-stress)
LINKED = Kbuild dkms.conf kmod uapi $(if $(filter 1,$(KUNIT) $(STRESS)),kunit) $(if $(filter 1,$(STRESS)),$(T)/stress)
# What the kernel was made for, and with, is in its configuration. A User-Mode Linux tree does not remember that it is one;
# ARCH in the environment may be what a distribution calls it (aarch64), and so may a name that the kernel does not have.
config = $(shell grep -sxoE '$(1)' $(KDIR)/.config | head -n 1)
KARCH = $(if $(call config,CONFIG_UML=y),ARCH=um)$(if $(call config,CONFIG_ARM64=y),ARCH=arm64 $(KCROSS))
KCROSS = $(if $(filter aarch64,$(shell uname -m))$(CROSS_COMPILE)$(LLVM),,CROSS_COMPILE=aarch64-linux-gnu-)
# A kernel that clang built takes modules of clang only: same flags, same instrumentation. Unless told otherwise.
ifeq ($(origin CC)$(LLVM),default)
KCC = $(if $(call config,CONFIG_CC_IS_CLANG=y),$(if $(call config,CONFIG_LD_IS_LLD=y),LLVM=1,CC=clang))
endif
KBUILD = +$(MAKE) -C $(KDIR) $(KARCH) $(KCC) M=$(B) $(if $(KUNIT),KUNIT=$(KUNIT)) $(if $(STRESS),STRESS=$(STRESS))
# A kernel's own key is seldom there. Without one kbuild would try, and print what failed.
KSIGN = $(if $(wildcard $(KDIR)/$(patsubst CONFIG_MODULE_SIG_KEY="%",%,$(call config,CONFIG_MODULE_SIG_KEY=".+"))),,\
	CONFIG_MODULE_SIG_ALL=)

T = tools/testing

all: module tool

# Two builds at once (of two terminals, of two tests) would write the same files: the second one waits.
module: $(if $(KREL),,no-headers)
	@mkdir -p $(B)
	+@flock $(B)/.lock $(MAKE) --no-print-directory module-locked

module-locked:
	@find $(B) -xtype l -delete
	@cp -rsf $(addprefix $(CURDIR)/,$(LINKED)) $(B)/
	$(KBUILD) modules

no-headers:
	@echo "no kernel headers at '$(KDIR)': install linux-headers-$(shell uname -r) or say make KDIR=..." >&2
	@false

tool:
	+$(MAKE) -C tools/flowtrack

install: install-module install-modprobe install-tool install-boot install-dev

# By kbuild, which signs and compresses as this kernel's own modules are, and knows where they are.
install-module: module
	$(KBUILD) KERNELRELEASE=$(KREL) INSTALL_MOD_PATH=$(DESTDIR) INSTALL_MOD_DIR=updates $(KSIGN) cmd_depmod= modules_install
	$(if $(DESTDIR),,depmod -a $(KREL))

# Which of the two modules that speak ctnetlink is loaded.
install-modprobe:
	install -D -m 644 tools/boot/nf_flowtrack.modprobe $(DESTDIR)$(MODPROBEDIR)/nf_flowtrack.conf

# What `dkms install nf_flowtrack/VERSION` wants to find.
DKMS_DIR = $(DESTDIR)/usr/src/nf_flowtrack-$(VERSION)
install-dkms:
	rm -rf $(DKMS_DIR)
	install -d $(DKMS_DIR)
	cp -r COPYING Kbuild Makefile dkms.conf kmod uapi $(DKMS_DIR)/

# Debian's packages, in build/deb.
deb:
	tools/testing/deb.sh

# Fedora's, in build/rpm.
rpm:
	tools/testing/rpm.sh

install-tool:
	+$(MAKE) -C tools/flowtrack install DESTDIR=$(DESTDIR) PREFIX=$(PREFIX)

# Only put there: `systemctl enable --now flowtrack` is the admin's word.
install-boot:
	install -D -m 755 tools/boot/boot $(DESTDIR)$(LIBEXECDIR)/flowtrack/boot
	install -d $(DESTDIR)$(UNITDIR) $(DESTDIR)$(DOCDIR)/examples
	sed 's|@LIBEXECDIR@|$(LIBEXECDIR)|' tools/boot/flowtrack.service >$(DESTDIR)$(UNITDIR)/flowtrack.service
	install -m 644 tools/boot/*.conf tools/monitoring/* $(DESTDIR)$(DOCDIR)/examples/

# For programs that speak the netlink interface.
VERSION = $(shell sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' dkms.conf)
install-dev:
	install -D -m 644 uapi/linux/nf_flowtrack.h $(DESTDIR)$(INCLUDEDIR)/linux/nf_flowtrack.h
	install -D -m 644 Documentation/netlink/specs/flowtrack.yaml $(DESTDIR)$(YNLDIR)/flowtrack.yaml
	install -d $(DESTDIR)$(PKGCONFIGDIR)
	sed 's|@PREFIX@|$(PREFIX)|; s|@INCLUDEDIR@|$(INCLUDEDIR)|; s|@YNLDIR@|$(YNLDIR)|; s|@VERSION@|$(VERSION)|' \
		uapi/nf-flowtrack.pc.in >$(DESTDIR)$(PKGCONFIGDIR)/nf-flowtrack.pc

uninstall:
	rm -f $(foreach name,nf_flowtrack nf_flowtrack_ctnetlink,$(foreach dir,lib usr/lib,\
		$(DESTDIR)/$(dir)/modules/$(KREL)/updates/$(name).ko*))
	+$(MAKE) -C tools/flowtrack uninstall DESTDIR=$(DESTDIR) PREFIX=$(PREFIX)
	rm -f $(DESTDIR)$(UNITDIR)/flowtrack.service $(DESTDIR)$(PKGCONFIGDIR)/nf-flowtrack.pc
	rm -f $(DESTDIR)$(MODPROBEDIR)/nf_flowtrack.conf
	rm -f $(DESTDIR)$(INCLUDEDIR)/linux/nf_flowtrack.h $(DESTDIR)$(YNLDIR)/flowtrack.yaml
	rm -rf $(DESTDIR)$(LIBEXECDIR)/flowtrack $(DESTDIR)$(DOCDIR)
	$(if $(DESTDIR),,depmod -a $(KREL))

clean:
	rm -rf build
	+$(MAKE) -C tools/flowtrack clean

# The tests. Everything slow to make (kernels) is cached outside of the tree, see $(T)/common.sh.
deps:
	$(T)/deps.sh

lint:
	$(T)/lint.sh $(ONLY)

tool-test:
	$(T)/tool.sh

kunit:
	$(T)/kunit.sh $(if $(UPDATE),--update) '$(SUITE)'

selftest:
	$(T)/selftest.sh $(if $(UPDATE),--update) $(addprefix -k ,$(or $(KERNEL),$(if $(filter arm64,$(ARCH)),newest-arm64))) $(TEST)

package-test:
	$(T)/packages.sh $(RELEASE)

secure-boot-test:
	$(T)/secure-boot.sh $(addprefix -k ,$(KERNEL))

check:
	$(T)/check.sh

scenarios:
	$(T)/scenarios.sh $(if $(UPDATE),--update) $(if $(KERNEL),-k $(KERNEL)) $(NAME)

demo:
	$(T)/demo.sh

bench:
	tools/bench/bench.sh $(if $(filter 1,$(QUICK)),--quick) $(if $(CASE),--case '$(CASE)') $(if $(SIZE),--sizes $(SIZE))

help:
	@echo 'Build'
	@echo '  make [KDIR=DIR] [CC=clang|LLVM=1]       make all: build/KERNEL/nf_flowtrack.ko and tools/flowtrack/flowtrack'
	@echo '  make module, make tool                  one of them'
	@echo '  make clean                              remove what was built'
	@echo '  make help                               this list'
	@echo 'Install'
	@echo '  make install [DESTDIR=] [PREFIX=]       all of the following; PREFIX is /usr/local unless you say otherwise'
	@echo '  make install-module                     the modules, among those of the kernel that they were built for'
	@echo '  make install-modprobe                   the setting of modprobe: which ctnetlink is loaded'
	@echo '  make install-tool                       the tool, its manual page, completion for shells'
	@echo '  make install-boot                       the systemd unit that sets up at boot, and examples'
	@echo '  make install-dev                        the header, the netlink specification, for pkg-config'
	@echo '  make install-dkms [DESTDIR=]            instead of the modules: the sources to where dkms looks for them'
	@echo '  make uninstall [DESTDIR=] [PREFIX=]     what make install has installed'
	@echo '  make deb                                Debian packages, in build/deb'
	@echo '  make rpm                                packages for Fedora and EL10, in build/rpm'
	@echo 'See it at work'
	@echo '  make demo                               a full table, with and without flowtrack'
	@echo '  make bench [QUICK=1]                    nf_conntrack and nf_flowtrack side by side, in nanoseconds and bytes'
	@echo '  make bench CASE=REGEX [SIZE=N,...]      only cases of that name, at so many flows: CASE=group8/udp4 SIZE=1e6'
	@echo '  make scenarios [KERNEL=6.1] [NAME=NAME] who gets in while a table is full: nf_conntrack and nf_flowtrack'
	@echo 'Test'
	@echo '  make check                              all of the following; installs what they need first (as root)'
	@echo '  make deps                               the packages and kernel images that the tests need'
	@echo '  make lint [ONLY=CHECK]                  compilers, sparse, checkpatch, documentation; lint.sh --list'
	@echo '  make tool-test                          unit tests of the tool, with the address sanitizer'
	@echo '  make kunit [SUITE=NAME]                 unit tests in a User-Mode Linux with KASAN, lockdep, kmemleak'
	@echo '  make package-test [RELEASE=13]          the packages: install, boot, upgrade, purge, in a Debian of their own'
	@echo '  make secure-boot-test [KERNEL=6.12]     the module in a guest whose firmware enforces Secure Boot'
	@echo '  make selftest [KERNEL=6.1] [TEST=NAME]  system tests in QEMU; KERNEL: 6.1, 6.12, newest, 6.12-rt, 6.12-debug, 6.12-kcsan'
	@echo '  make selftest ARCH=arm64 [TEST=NAME]    some of them on the newest arm64 kernel (qemu-system-arm)'

# Each has its line in help.
.PHONY: all module tool install install-module install-dkms install-modprobe install-tool install-boot \
	install-dev deb rpm package-test secure-boot-test uninstall clean deps lint tool-test \
	kunit selftest check scenarios demo bench help
# Parts of the above.
.PHONY: module-locked no-headers
