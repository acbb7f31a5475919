#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The module through DKMS: built and installed with a signature, without a word of complaint, and a kernel that cannot
# have it is passed over. Prints what is wrong, and nothing if nothing is. The machine's own DKMS is not touched: all
# that would be written to /usr/src, /var/lib and /lib/modules goes to a directory of its own.
#
#   dkms.sh VERSION             with the dkms of this Debian release
#   dkms.sh --with DKMS KDIR    with a program, and the headers of some kernel; what the former does in the end

set -euo pipefail
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

dkms_fill() {
	local dir=$1
	mkdir -p "$LOGS"
	# As root: apt's own user cannot write into a cache below /root.
	(cd "$dir" && apt-get -q -o APT::Sandbox::User=root download dkms) >"$LOGS/dkms-download.log" 2>&1 || {
		cat "$LOGS/dkms-download.log"
		return 1
	}
	dpkg-deb -x "$dir"/*.deb "$dir" && rm -f "$dir"/*.deb
}

wrong=0

# complain WHAT LOG [MAKE-LOG]
complain() {
	wrong=1
	echo "$1:"
	tail -n 30 "$2" | sed 's/^/    /'
	if [ -n "${3:-}" ] && [ -e "$3" ]; then
		tail -n 15 "$3" | sed 's/^/    make: /'
	fi
}

# The version and the like of a kernel that has been made up: DIR RELEASE SED-EXPRESSION of its configuration.
made_up() {
	mkdir -p "$1/include/generated"
	sed "$3" "$kdir/.config" >"$1/.config"
	echo "#define UTS_RELEASE \"$2\"" >"$1/include/generated/utsrelease.h"
}

# is_passed_over WHAT RELEASE DIR: 77 says so. With another one the kernel's own package would fail to install.
is_passed_over() {
	local status=0
	"${dkms[@]}" build "$name/$version" -k "$2" --kernelsourcedir "$3" >"$work/log" 2>&1 || status=$?
	[ $status -eq 77 ] || complain "dkms build for $1: exit status $status, not 77" "$work/log"
}

# What it says that it should not; readelf is about the kernel's own image, as Debian's dkms of 12 looks at it.
says() {
	! grep -iE 'deprecat|warning|error' "$work/log" | grep -v '^readelf: ' >"$work/said" ||
		complain "dkms $1 for $rel says" "$work/said"
}

in_private() {
	local program=$1 kdir=$2 rel version name=nf_flowtrack ko
	local -a dkms
	# A root that is only unpacked has no other.
	export LC_ALL=C
	mkdir "$work/var"
	# Where it keeps, or makes, the key.
	mount --bind "$work/var" /var/lib
	mkdir /var/lib/dkms
	rel=$(sed -n 's/^.define UTS_RELEASE "\(.*\)"/\1/p' "$kdir/include/generated/utsrelease.h")
	version=$(sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' "$TOP/dkms.conf")
	mkdir -p "$work/modules/$rel"
	ln -s "$kdir" "$work/modules/$rel/build"
	make -s -C "$TOP" install-dkms DESTDIR="$work"
	dkms=("$program" --sourcetree "$work/usr/src" --dkmstree /var/lib/dkms --installtree "$work/modules" --no-depmod)

	"${dkms[@]}" add "$name/$version" >"$work/log" 2>&1 || complain "dkms add" "$work/log"
	is_passed_over "a kernel without NAT" "$rel" "$(made_up "$work/no-nat" "$rel" '/^CONFIG_NF_NAT=/d' && echo "$work/no-nat")"
	is_passed_over "5.14" 5.14.0-687.el9 "$(made_up "$work/old" 5.14.0-687.el9 '' && echo "$work/old")"

	"${dkms[@]}" build "$name/$version" -k "$rel" --kernelsourcedir "$kdir" -j "$JOBS" >"$work/log" 2>&1 ||
		complain "dkms build for $rel" "$work/log" "/var/lib/dkms/$name/$version/build/make.log"
	says build
	"${dkms[@]}" install "$name/$version" -k "$rel" --kernelsourcedir "$kdir" >"$work/log" 2>&1 ||
		complain "dkms install for $rel" "$work/log"
	says install
	ko=$(find "$work/modules" -name "$name.ko*")
	if [ -z "$ko" ]; then
		complain "no module has been installed" "$work/log"
	elif [ "$(modinfo -F vermagic "$ko" | cut -d' ' -f1)" != "$rel" ]; then
		modinfo "$ko" >"$work/said"
		complain "the module is for another kernel than $rel" "$work/said"
	elif ! modinfo -F signer "$ko" | grep -q .; then
		modinfo "$ko" >"$work/said"
		complain "the module is not signed" "$work/said"
	fi
	"${dkms[@]}" remove "$name/$version" --all >"$work/log" 2>&1 || complain "dkms remove" "$work/log"
	[ -z "$(find "$work/modules" -name "$name.ko*")" ] || complain "dkms remove left the module" "$work/log"
	return $wrong
}

case ${1:-} in
--private) work=$2 && in_private "$3" "$4" ;;
--with)
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
	env -u MAKEFLAGS -u MAKELEVEL unshare -m "$0" --private "$work" "${2:?dkms}" "${3:?KDIR}"
	;;
[0-9]*)
	[ "$(id -u)" -eq 0 ] || die "must be root: dkms wants it"
	tree=$(cache_make dkms "$(apt-cache show --no-all-versions dkms | sed -n 's/^Version: //p') $(declare -f dkms_fill)" dkms_fill)
	"$0" --with "$tree/usr/sbin/dkms" "/usr/src/linux-headers-$(kernel_release "$1")"
	;;
*) die "usage: dkms.sh VERSION | --with DKMS KDIR" ;;
esac
