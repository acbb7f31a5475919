#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The examples for distributions that are not Debian's or Fedora's kin, as far as their own tools, which Debian has, can
# judge them. Prints what is wrong.
#
#   examples.sh arch       makepkg makes both packages of PKGBUILD, and the right files are in them
#   examples.sh nix        nix-instantiate reads default.nix
# 4: Debian's archive does not have the tool, as the last line says.

set -euo pipefail
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

NOT_HERE=4
version=$(sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' "$TOP/dkms.conf")

# Unpacked: installed, they would bring more than they are for. The libraries that are not there come with them.
unpack_fill() {
	local dir=$1 deb needed
	shift
	mkdir -p "$dir/download"
	mapfile -t needed < <(apt-get -q -s --no-install-recommends install "$@" 2>/dev/null |
		awk '$1 == "Inst" && $2 ~ /^lib/ && $2 !~ /perl/ { print $2 }')
	# As root: apt's own user cannot write into a cache below /root.
	(cd "$dir/download" && apt-get -q -o APT::Sandbox::User=root download "$@" "${needed[@]}") >"$LOGS/examples.log" 2>&1 || return 1
	for deb in "$dir"/download/*.deb; do
		dpkg-deb -x "$deb" "$dir" || return 1
	done
	rm -rf "${dir:?}/download"
}

# unpacked NAME PACKAGE...
unpacked() {
	local name=$1
	shift
	cache_make "$name" "$* $(declare -f unpack_fill)" unpack_fill "$@" 2>/dev/null || {
		echo "cannot be downloaded: $*"
		return $NOT_HERE
	}
}

arch() {
	local x work log=$LOGS/examples-arch.log package file list
	x=$(unpacked makepkg makepkg libarchive-tools) || { echo "$x"; return $NOT_HERE; }
	command -v fakeroot >/dev/null || { echo "fakeroot is not installed"; return $NOT_HERE; }
	work=$(mktemp -d)
	# shellcheck disable=SC2064 # as it is now
	trap "rm -rf '$work'" EXIT
	mkdir -p "$work/bin" "$work/arch"
	# It asks which packages of Arch are installed: whichever it wants.
	printf '#!/bin/sh\n' >"$work/bin/pacman"
	chmod 755 "$work" "$work/bin/pacman"
	# Of this version, or makepkg does not find it.
	copy_tree "$work/nf-flowtrack-$version"
	tar -C "$work" --owner=0 --group=0 -czf "$work/arch/nf-flowtrack-$version.tar.gz" "nf-flowtrack-$version"
	cp "$TOP/tools/packaging/PKGBUILD" "$work/arch/"
	# The cache may be where only root may look.
	cp -r "$x/usr" "$x/etc" "$work/"
	# It does not run as root.
	chown -R nobody "$work/arch"
	(
		cd "$work/arch"
		setpriv --reuid=nobody --regid=nogroup --clear-groups env -u MAKELEVEL MAKEFLAGS="-j$JOBS" HOME="$work/arch" LC_ALL=C.UTF-8 \
			CCACHE_DISABLE=1 CCACHE_DIR="$work/arch" \
			PATH="$work/bin:$work/usr/bin:$PATH" LIBRARY="$work/usr/share/makepkg" \
			LD_LIBRARY_PATH="$(echo "$work"/usr/lib/*-linux-gnu)" \
			bash "$work/usr/bin/makepkg" --config "$work/etc/makepkg.conf" --nodeps --nocheck
	) >"$log" 2>&1 || { tail -n 30 "$log"; return 1; }
	for file in flowtrack:usr/bin/flowtrack flowtrack:usr/lib/systemd/system/flowtrack.service \
		flowtrack:usr/share/man/man8/flowtrack.8.gz flowtrack:usr/include/linux/nf_flowtrack.h \
		"nf_flowtrack-dkms:usr/src/nf_flowtrack-$version/dkms.conf" \
		nf_flowtrack-dkms:usr/lib/modprobe.d/nf_flowtrack.conf; do
		package=$(find "$work/arch" -maxdepth 1 -name "${file%%:*}-$version-1-*.pkg.tar*" ! -name '*.src.*')
		list=$([ -z "$package" ] || tar -tf "$package" 2>&1) || true
		grep -qxF "${file#*:}" <<<"$list" || echo "${file%%:*}: no ${file#*:}"
	done
}

nix() {
	local x
	x=$(unpacked nix nix-bin) || { echo "$x"; return $NOT_HERE; }
	HOME=$LOGS LD_LIBRARY_PATH=$x/usr/lib/nix:$(echo "$x"/usr/lib/*-linux-gnu) \
		"$x/usr/bin/nix-instantiate" --parse "$TOP/tools/packaging/default.nix" 2>&1 >/dev/null | grep -v "^warning: the group 'nixbld'" || true
	grep -q "version = \"$version\";" "$TOP/tools/packaging/default.nix" || echo "default.nix and dkms.conf are of different versions"
}

mkdir -p "$LOGS"
case ${1:-} in
arch | nix) "$1" ;;
*) die "usage: examples.sh arch|nix" ;;
esac
