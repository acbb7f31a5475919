#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# RPM packages, and the source package, of this tree as git knows it: build/rpm/*.rpm. On Fedora, and on Debian, whose rpm
# knows nothing of what is installed.
#
#   rpm.sh            builds them
#   rpm.sh --check    ... and judges them: rpmlint, and what is in them. Prints what is wrong.
#   rpm.sh --kmod     ... and builds the module for this machine's kernel from what the akmod package has

set -euo pipefail
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

out=$TOP/build/rpm
spec=$TOP/tools/packaging/nf-flowtrack.spec
version=$(sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' "$TOP/dkms.conf")
[ "$version" = "$(sed -n 's/^Version: *//p' "$spec")" ] || die "${spec#"$TOP/"} and dkms.conf are of different versions"

# build LOG ARG...: rpmbuild, with all that it makes below the output directory.
build() {
	local log=$1 options=()
	shift
	mkdir -p "$LOGS"
	# Where rpm is not what installs packages, it cannot know what is there; and there is no find-debuginfo.
	[ ! -e /etc/debian_version ] || options=(--nodeps --define 'debug_package %{nil}' --define '_build_id_links none')
	env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS rpmbuild "${options[@]}" --define "_topdir $out/top" --define "_rpmdir $out" \
		--define "_srcrpmdir $out" --define '_build_name_fmt %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm' \
		"$@" >"$log" 2>&1 || {
		tail -n 40 "$log"
		die "no package; the whole output is in $log"
	}
}

packages() {
	rm -rf "$out"
	mkdir -p "$out/top/SOURCES" "$out/top/SPECS"
	copy_tree "$out/nf-flowtrack-$version"
	tar -C "$out" --owner=0 --group=0 -czf "$out/top/SOURCES/nf-flowtrack-$version.tar.gz" "nf-flowtrack-$version"
	rm -rf "$out/nf-flowtrack-$version"
	cp "$spec" "$out/top/SPECS/"
	build "$LOGS/rpm.log" -ba "$out/top/SPECS/nf-flowtrack.spec"
	rm -rf "$out/top"
}

# has PACKAGE PATH...
has() {
	local list path
	list=$(rpm -qlp "$out/$1"-*.rpm)
	for path in "${@:2}"; do
		grep -qE "^$path\$" <<<"$list" || echo "$1 has no $path"
	done
}

check() {
	local file
	for file in PKGBUILD default.nix; do
		grep -qE "(pkgver=|version = \")$version" "$TOP/tools/packaging/$file" || echo "$file is of another version"
	done
	has flowtrack /usr/sbin/flowtrack /usr/lib/systemd/system/flowtrack.service '/usr/share/man/man8/flowtrack.8(.gz)?'
	has nf-flowtrack-devel /usr/include/linux/nf_flowtrack.h /usr/share/ynl/specs/flowtrack.yaml
	has nf_flowtrack-dkms "/usr/src/nf_flowtrack-$version/dkms.conf" "/usr/src/nf_flowtrack-$version/kmod/main.c"
	has nf_flowtrack-kmod-common /usr/lib/modprobe.d/nf_flowtrack.conf
	has akmod-nf_flowtrack /usr/src/akmods/nf_flowtrack-kmod.latest
	rpmlint -c "$TOP/tools/packaging/rpmlint.toml" "$spec" "$out"/*.rpm >"$LOGS/rpmlint.log" 2>&1 || true
	grep -E ': [EW]: ' "$LOGS/rpmlint.log" || grep -q '0 errors, 0 warnings' "$LOGS/rpmlint.log" || cat "$LOGS/rpmlint.log"
}

# As akmods does it.
kmod() {
	local rel=$1
	(cd "$out" && rpm2cpio akmod-nf_flowtrack-*.rpm | cpio -id --quiet)
	build "$LOGS/rpm-kmod.log" --rebuild --define "kernels $rel" "$(readlink -f "$out/usr/src/akmods/nf_flowtrack-kmod.latest")"
	rm -rf "${out:?}/usr" "${out:?}/top"
	has "kmod-nf_flowtrack-$rel" "/usr/lib/modules/$rel/updates/nf_flowtrack.ko.*" \
		"/usr/lib/modules/$rel/updates/nf_flowtrack_ctnetlink.ko.*"
}

packages
case ${1:-} in
--check) check ;;
--kmod) kmod "$(kernel_release "$OWN_KERNEL")" ;;
'') ls "$out"/*.rpm ;;
*) die "usage: rpm.sh [--check | --kmod]" ;;
esac
