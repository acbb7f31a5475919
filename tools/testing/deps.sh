#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Installs the Debian packages that building and testing need. Does nothing, quickly, when all are there.

set -euo pipefail
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

build=(build-essential ccache make pkg-config libmnl-dev libncurses-dev libjansson-dev linux-headers-amd64)
# What building User-Mode Linux and preparing trees for clang takes.
kernels=(linux-source-6.12 zstd flex bison bc xz-utils cpio kmod rsync libelf-dev libssl-dev clang lld llvm)
tests=(qemu-system-x86 busybox-static iproute2 iputils-ping nftables iptables conntrack procps iperf3 curl socat
	netcat-openbsd hping3 tcpdump lksctp-tools util-linux python3 python3-scapy util-linux-extra psmisc
	sip-tester ipvsadm libwrap0)
lint=(sparse dwarves codespell yamllint mandoc shellcheck python3-yaml python3-jsonschema perl fish zsh systemd logrotate
	rpm rpmlint cpio fakeroot)

# What only one release has; the other kernels are unpacked from the other release's packages, see roots.sh.
case $CODENAME in
bookworm) kernels+=(linux-headers-6.12-amd64 linux-source-6.1) ;;
trixie) ;;
*) note "neither Debian 12 nor 13 (${CODENAME:-no VERSION_CODENAME in /etc/os-release}): packages may be missing" ;;
esac

missing() {
	local have package
	have=" $(dpkg-query -W -f '${db:Status-Status}/${Package} ' 2>/dev/null) "
	for package in "${build[@]}" "${kernels[@]}" "${tests[@]}" "${lint[@]}"; do
		[[ $have == *" installed/$package "* ]] || echo "$package"
	done
}

apt() {
	DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 "$@" </dev/null
}

install_packages() {
	[ "$(id -u)" -eq 0 ] || die "missing packages; as root: apt-get install $*"
	mkdir -p "$LOGS"
	note "installing: $*"
	# A cloud image's package lists are from the day it was made: old kernel packages leave the archive.
	if ! { apt update && apt install --no-install-recommends "$@"; } >"$LOGS/apt.log" 2>&1; then
		tail -n 30 "$LOGS/apt.log" >&2
		die "apt-get failed; the whole output is in $LOGS/apt.log"
	fi
}

# The headers are installed by apt, the matching images are unpacked into the cache. When the installed headers are
# so old that their image has left the archive, both move on together.
match_images() {
	local v
	for v in "${KERNELS[@]}"; do
		"$TOP/tools/testing/vm.sh" image "$v" >/dev/null && continue
		! kernel_elsewhere "$v" >/dev/null || die "cannot get a $v kernel image"
		note "no image that matches the installed $v headers: updating them"
		install_packages "linux-headers-$(meta_suffix "$v")"
		"$TOP/tools/testing/vm.sh" image "$v" >/dev/null || die "cannot get a $v kernel image"
	done
}

mapfile -t wanted < <(missing)
[ ${#wanted[@]} -eq 0 ] || install_packages "${wanted[@]}"
match_images
servers >/dev/null || die "cannot get the packages ${SERVERS[*]}"
