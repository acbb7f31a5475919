#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Debian's packages, and the source package, of this tree as git knows it: build/deb/*.deb, *.dsc and what belongs to it.
#
#   deb.sh [VERSION]    another version than debian/changelog's and dkms.conf's, for the tests of an upgrade

set -euo pipefail
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

out=$TOP/build/deb
version=$(sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' "$TOP/dkms.conf")
[ "$version" = "$(dpkg-parsechangelog -l "$TOP/debian/changelog" -S Version)" ] ||
	die "debian/changelog and dkms.conf are of different versions"

# The builder writes beside the directory that it builds in, and into it.
tree=$out/nf-flowtrack-${1:-$version}
mkdir -p "$out" "$LOGS"
rm -rf "$tree"
copy_tree "$tree"
if [ -n "${1:-}" ]; then
	sed -i "s/^PACKAGE_VERSION=.*/PACKAGE_VERSION=\"$1\"/" "$tree/dkms.conf"
	sed -i "1s/($version)/($1)/" "$tree/debian/changelog"
fi
log=$LOGS/deb-${1:-$version}.log
(cd "$tree" && env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS dpkg-buildpackage -us -uc -j"$JOBS") >"$log" 2>&1 || {
	tail -n 40 "$log"
	die "no package; the whole output is in $log"
}
rm -rf "$tree"
ls "$out"/*_"${1:-$version}"_*.deb
