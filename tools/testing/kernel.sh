#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Kernels for QEMU that Debian does not have, built from its source: with what makes a kernel complain.
#
#   kernel.sh build debug|kcsan        make it if it is not cached; print its directory: a KDIR for modules, with
#                                      arch/x86/boot/bzImage in it, and root/lib/modules/RELEASE
# debug: KASAN, lockdep, PROVE_RCU, debugging of objects, kmemleak, UBSAN. kcsan: data races.

set -euo pipefail
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

SERIES=6.12

# What a ruleset, a device or a socket of the tests may want. Debian decides which of it is a module.
NETWORK='NF_|NFT_|NETFILTER_|IP_NF|IP6_NF|IP_VS|IP_SET|BRIDGE|NET_SCH|NET_CLS|NET_ACT|NET_EMATCH|INET_|INET6_|IP_|IPV6_|XFRM|TUN='
NETWORK+='|VETH=|DUMMY=|MACVLAN=|IPVLAN=|NET_VRF=|IFB=|VLAN_8021Q|NET_IPIP|NET_IPGRE|VXLAN=|GENEVE=|NET_UDP_TUNNEL|NET_FOU'
NETWORK+='|PACKET|UNIX=|NETLINK_DIAG|NET_L3_MASTER|IP_SCTP|SCTP|IP_DCCP|LLC|STP|OPENVSWITCH|CRYPTO_(HMAC|SHA1|SHA256|MD5|CRC32C)'
NETWORK+='|TCP_CONG|SYN_COOKIES|RPS|XPS|NLMON|BONDING|NET_TEAM'

debian_options() {
	grep -E "^CONFIG_($NETWORK)" "/usr/src/linux-headers-$(kernel_release $SERIES)/.config" | grep -vE '^CONFIG_(IP_PNP|UNIXWARE)'
}

# What is asked for by name, and must be in the end.
fragments() {
	cat "$TOP/tools/testing/vm/base.config" "$TOP/tools/testing/vm/$1.config"
	[ "$1" != debug ] || sed -E '/KUNIT|FRAME_WARN|DEBUG_INFO_NONE|FTRACE|TRACERS/d' "$TOP/kunit/debug.config"
}

kernel_fill() {
	local dir=$1 flavour=$2 src=$3
	fragments "$flavour" >"$dir/fragment"
	{ debian_options; cat "$dir/fragment"; } >"$dir/wanted"
	build_kernel "kernel-$flavour" "$dir" "$src" x86_64 bzImage
}

build() {
	local flavour=$1 src
	case $flavour in
	debug | kcsan) ;;
	*) die "unknown flavour '$flavour' (debug, kcsan)" ;;
	esac
	src=$(kernel_source $SERIES)
	cache_make "kernel-$flavour" "$src $(gcc --version | head -n 1) $(fragments "$flavour") $(debian_options)
		$(declare -f kernel_fill build_kernel)" kernel_fill "$flavour" "$src"
}

case ${1:-} in
build) build "${2:?which flavour? debug or kcsan}" ;;
*) die "usage: kernel.sh build debug|kcsan" ;;
esac
