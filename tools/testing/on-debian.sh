#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A command in another release of Debian, made from its packages: what the README promises for a machine that has it.
#
#   on-debian.sh RELEASE COMMAND [ARG...]        on-debian.sh 13 make demo
#   on-debian.sh --root RELEASE                  its directory
#
# COMMAND runs as root in a copy of this tree, in a chroot. The chroot is kept in the cache, with what COMMAND installs,
# builds and downloads, its own ~/.cache/flowtrack among it; the copy is made anew each time, but for build/.

set -euo pipefail
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

codename() {
	case $1 in
	12) echo bookworm ;;
	13) echo trixie ;;
	*) die "which Debian? 12 or 13" ;;
	esac
}

# debootstrap is a script: unpacked, it runs anywhere.
debian_fill() {
	local dir=$1 release=$2 log=$LOGS/debian-$2.log tool=$1.tool sources mirror
	mkdir -p "$LOGS" "$tool"
	sources=$("$TOP/tools/testing/roots.sh" sources "$release") || return 1
	mirror=$(awk 'NR == 1 { print $3 }' <<<"$sources")
	# As root: apt's own user cannot write into a cache below /root.
	if ! {
		(cd "$tool" && apt-get -q -o APT::Sandbox::User=root download debootstrap && dpkg-deb -x ./*.deb .) &&
			DEBOOTSTRAP_DIR=$tool/usr/share/debootstrap bash "$tool/usr/sbin/debootstrap" --variant=minbase \
				--include=make,ca-certificates "$release" "$dir" "$mirror"
	} >"$log" 2>&1; then
		tail -n 20 "$log"
		rm -rf "$tool"
		return 1
	fi
	rm -rf "$tool"
	echo "$sources" >"$dir/etc/apt/sources.list"
	# No service of a package may start: it would serve this machine.
	printf '#!/bin/sh\nexit 101\n' >"$dir/usr/sbin/policy-rc.d"
	chmod 755 "$dir/usr/sbin/policy-rc.d"
	rm -f "$dir"/var/cache/apt/archives/*.deb
}

if [ "${1:-}" = --root ]; then
	cache_make "debian-$(codename "${2:-}")" "$(declare -f debian_fill)" debian_fill "$(codename "$2")"
	exit
fi
[ $# -ge 2 ] || die "usage: on-debian.sh RELEASE COMMAND [ARG...]"
[ "$(id -u)" -eq 0 ] || die "must be root: it makes a chroot"
release=$(codename "$1")
shift
root=$(cache_make "debian-$release" "$(declare -f debian_fill)" debian_fill "$release")
mkdir -p "$root/usr/src/flowtrack"
find "$root/usr/src/flowtrack" -mindepth 1 -maxdepth 1 ! -name build -exec rm -rf {} +
copy_tree "$root/usr/src/flowtrack"
for file in resolv.conf hosts; do
	cp -L "/etc/$file" "$root/etc/$file"
done
# shellcheck disable=SC2016 # for the inner shell
exec env -u MAKEFLAGS -u MAKELEVEL unshare -m sh -c '
	root=$1
	shift
	mount --bind "$root" "$root" && mount -t proc proc "$root/proc" && mount -t sysfs sys "$root/sys" &&
		mount --rbind /dev "$root/dev" && mount -t tmpfs run "$root/run" && mount -t tmpfs tmp "$root/tmp" &&
		exec chroot "$root" /usr/bin/env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
			LC_ALL=C.UTF-8 TERM=dumb ${http_proxy:+http_proxy="$http_proxy"} ${https_proxy:+https_proxy="$https_proxy"} \
			sh -c "cd /usr/src/flowtrack && exec \"\$@\"" sh "$@"' \
	sh "$root" "$@"
