#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Debian's kernels that this machine's release does not have: their headers, with the compiler that they want, unpacked
# from packages into a directory that a command can be run in (a newer libc than the machine's may be needed).
#
#   roots.sh list                       KERNEL RELEASE ARCH, one a line, of all that there is to build for
#   roots.sh build KERNEL B=DIR ARG...  the module for it, in DIR: make ARG... in the root. 4: cannot be had from the archive
#                                       any more; the last line says what.
#   roots.sh dkms KERNEL                the module by the dkms of its release: what dkms.sh says. 4: as above
#   roots.sh clang KERNEL B=DIR ARG...  the same by the clang of its release
#   roots.sh tool KERNEL B=DIR          the tool for its architecture, in DIR
#   roots.sh image KERNEL DIR           the packages of its image, unpacked into DIR
#   roots.sh userland KERNEL            a root file system of its release and architecture, in which tests can run
#   roots.sh release KERNEL             its release, 7.3.4+deb13-amd64
#   roots.sh sources RELEASE            a Debian release by its name: the lines for its sources.list
#   roots.sh upstream RELEASE PACKAGE DIR   the source of a package, as its authors released it, into DIR
#
# Where packages come from is what this machine's apt says. Versions are those of now: asked for once in a while.

set -euo pipefail
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

# KERNEL, Debian release, the suite that has it, its meta packages' suffix and architecture, and the compiler that its
# headers want, in words. The newest of backports and of sid, whatever that is.
FOREIGN='
12-6.1        bookworm  bookworm        amd64  gcc-12
13-6.12       trixie  trixie            amd64  gcc-14
newest        trixie  trixie-backports  amd64  gcc-14
newest-arm64  trixie  trixie-backports  arm64  gcc-14, cross
sid           sid     sid               amd64  its gcc
'
# What the system tests start, and what a shell wants.
USERLAND=(bash libc-bin coreutils util-linux mount kmod grep sed gawk findutils diffutils procps psmisc hostname base-passwd netbase
	busybox-static iproute2 nftables conntrack iputils-ping netcat-openbsd iperf3 python3 python3-yaml)
# Lists of packages that are older than this are asked for anew.
LISTS_MINUTES=720

field() {
	local line
	line=$(grep -E "^$1 " <<<"$FOREIGN") || die "no kernel '$1' (roots.sh list)"
	awk -v n="$2" '{ print $n }' <<<"$line"
}

# The machine's own mirror, and the keys it trusts.
sources() {
	local release=$1 uri key=/usr/share/keyrings/debian-archive-keyring.gpg
	# shellcheck disable=SC2016 # apt's format
	uri=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -E '/debian/?$' | head -n 1)
	uri=${uri%/}
	[ -n "$uri" ] || return 1
	echo "deb [signed-by=$key] $uri $release main"
	if [ "$release" != sid ]; then
		echo "deb [signed-by=$key] $uri-security $release-security main"
		echo "deb [signed-by=$key] $uri $release-backports main"
	fi
}

# apt of another release: with lists, cache and state of its own.
foreign_apt() {
	local command=$1 dir=$CACHE/apt-$2
	shift 2
	"$command" -q -o Dir::State::Lists="$dir/lists" -o Dir::Etc::sourcelist="$dir/sources.list" \
		-o Dir::Etc::sourceparts=/dev/null -o Dir::Cache="$dir/cache" -o Dir::State::status="$dir/status" \
		-o Dir::Etc::preferencesparts=/dev/null -o Dir::Etc::preferences=/dev/null -o APT::Sandbox::User=root \
		-o Debug::NoLocking=1 -o APT::Architectures::=amd64 -o APT::Architectures::=arm64 "$@"
}

# Fresh lists of a release; old ones will do where there is no network.
lists() {
	local release=$1 dir=$CACHE/apt-$1
	mkdir -p "$dir"/{lists/partial,cache/archives/partial} "$LOGS"
	: >"$dir/status"
	sources "$release" >"$dir/sources.list.new" || return 1
	if ! cmp -s "$dir/sources.list.new" "$dir/sources.list" || [ -z "$(find "$dir/updated" -mmin -$LISTS_MINUTES 2>/dev/null)" ]; then
		mv "$dir/sources.list.new" "$dir/sources.list"
		if foreign_apt apt-get "$release" update >"$LOGS/roots-apt-$release.log" 2>&1; then
			touch "$dir/updated"
		else
			note "no fresh lists of $release: $LOGS/roots-apt-$release.log"
		fi
	fi
	[ -e "$dir/updated" ]
}

# A mirror may lack a file of a source package. apt says so, and keeps what it has got, and found to have the right sum.
upstream() {
	local release=$1 package=$2 dir=$3 lists=$CACHE/apt-$1-src log=$LOGS/upstream-$2.log tar
	mkdir -p "$lists"/{lists/partial,cache/archives/partial} "$dir" "$LOGS"
	: >"$lists/status"
	sources "$release" | sed -n '1s/^deb /deb-src /p' >"$lists/sources.list"
	foreign_apt apt-get "$release-src" update >"$log" 2>&1 || note "no fresh lists of $release: $log"
	(cd "$dir" && foreign_apt apt-get "$release-src" source --download-only "$package") >>"$log" 2>&1 || true
	for tar in "$dir/$package"_*.orig.tar.*[!c]; do
		[ -e "$tar" ] && tar -C "$dir" --strip-components=1 -xf "$tar" && rm "$tar" && return
	done
	grep -E '^(E|Err):' "$log" >&2
	return 1
}

# depends KERNEL META: what the newest META of its suite depends on, first of all.
depends() {
	local release suite meta=$2 version
	release=$(field "$1" 2) suite=$(field "$1" 3)
	version=$(foreign_apt apt-cache "$release" madison "$meta" | awk -F'|' -v suite="$suite" '
		{ gsub(/ /, "", $2); split($3, word, " "); split(word[2], where, "/") }
		where[1] == suite || where[1] == suite "-security" { print $2 }' | sort -V | tail -n 1)
	[ -n "$version" ] || return 1
	foreign_apt apt-cache "$release" show "$meta=$version" | sed -n 's/^Depends: //p' |
		tr -d ' ' | tr ',' '\n' | sed -n 's/^\(linux-headers-[0-9][^(]*\).*/\1/p' | head -n 1
}

# The release of a kernel: 7.3.4+deb13-amd64.
release_of() {
	local arch package
	lists "$(field "$1" 2)" || return 1
	arch=$(field "$1" 4)
	package=$(depends "$1" "linux-headers-$arch$([ "$arch" = amd64 ] || echo ":$arch")") || return 1
	[ -n "$package" ] || return 1
	echo "${package#linux-headers-}"
}

# uris RELEASE [OPTION...] PACKAGE...: what would be installed, by name and version; for the cache's key.
uris() {
	local release=$1
	shift
	foreign_apt apt-get "$release" install --print-uris -y --no-install-recommends "$@" | awk '/^\047/ { print $2, $4 }' | sort
}

unpack_fill() {
	local dir=$1 release=$2 deb compiler archives=$1/download log=$LOGS/roots-$2.log
	shift 2
	mkdir -p "$LOGS" "$archives/partial"
	foreign_apt apt-get "$release" -o Dir::Cache::Archives="$archives" install --download-only -y --no-install-recommends \
		"$@" >"$log" 2>&1 || {
		tail -n 5 "$log"
		return 1
	}
	# Before anything is unpacked into it: the packages of a merged /usr expect the links.
	mkdir -p "$dir/usr"/{bin,sbin,lib,lib64}
	ln -s usr/bin usr/sbin usr/lib usr/lib64 "$dir/"
	for deb in "$archives"/*.deb; do
		dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$dir" --keep-directory-symlink || return 1
	done
	rm -rf "$archives"
	# What their maintainers' scripts would have done.
	ln -sf bash "$dir/usr/bin/sh"
	ln -sf gawk "$dir/usr/bin/awk"
	mkdir -p "$dir"/{proc,dev,tmp,src,out,usr/lib/ccache}
	for compiler in "$dir"/usr/bin/{,*-linux-gnu-}gcc{,-[0-9]*}; do
		[ ! -e "$dir/usr/bin/ccache" ] || [ ! -e "$compiler" ] || ln -s ../../bin/ccache "$dir/usr/lib/ccache/${compiler##*/}"
	done
}

# One root for all kernels of a Debian release. Prints its directory.
root_of() {
	local release=$1 name packages=(make gcc ccache binutils sparse perl-base bash coreutils sed grep gawk findutils diffutils
		util-linux pahole libc-bin python3-minimal "$([ "$1" = bookworm ] && echo libelf1 || echo libelf1t64)")
	lists "$release" || return 1
	while read -r name; do
		packages+=("linux-headers-$(release_of "$name")$([ "$(field "$name" 4)" = amd64 ] || echo ":$(field "$name" 4)")")
	done < <(awk -v r="$release" '$2 == r { print $1 }' <<<"$FOREIGN")
	[ "$release" != trixie ] || packages+=(gcc-aarch64-linux-gnu dkms openssl libc6-dev-arm64-cross pkgconf-bin
		libmnl-dev:arm64 libncurses-dev:arm64 libjansson-dev:arm64)
	cache_make "root-$release" "$(uris "$release" "${packages[@]}") $(declare -f unpack_fill)" \
		unpack_fill "$release" "${packages[@]}"
}

userland_fill() {
	local dir=$1
	unpack_fill "$@" || return 1
	mkdir -p "$dir"/{etc,home,root,run,sys,var/tmp}
	cp "$dir/usr/share/base-passwd/passwd.master" "$dir/etc/passwd"
	cp "$dir/usr/share/base-passwd/group.master" "$dir/etc/group"
}

userland() {
	local release arch what
	release=$(field "$1" 2) arch=$(field "$1" 4)
	lists "$release" || return 1
	# Packages for any architecture would else be this machine's.
	what=(-o "APT::Architecture=$arch" "${USERLAND[@]}")
	cache_make "userland-$arch" "$(uris "$release" "${what[@]}") $(declare -f unpack_fill userland_fill)" \
		userland_fill "$release" "${what[@]}"
}

# in_root ROOT OUT COMMAND...: the tree is there as /src, the directory OUT as /out.
in_root() {
	# shellcheck disable=SC2016 # for the inner shell
	env -u MAKEFLAGS -u MAKELEVEL unshare -m sh -c '
		root=$1 top=$2 out=$3
		shift 3
		mount --bind "$root" "$root"
		mount -t proc proc "$root/proc" && mount --rbind /dev "$root/dev" && mount -t tmpfs tmp "$root/tmp" &&
			mount --bind "$top" "$root/src" && mount --bind "$out" "$root/out" &&
			exec chroot "$root" /usr/bin/env -i PATH=/usr/lib/ccache:/usr/sbin:/usr/bin LC_ALL=C HOME=/tmp \
				CCACHE_DIR=/var/cache/ccache CCACHE_MAXSIZE=2G "$@"' \
		sh "$1" "$TOP" "${@:2}"
}

# in_build_root KERNEL B=DIR COMMAND...: in the root of its release, DIR is there as /out. 4: as roots.sh says it.
in_build_root() {
	local kernel=$1 out=${2#B=} root
	[ "$out" != "$2" ] || die "no B="
	shift 2
	root=$(root_of "$(field "$kernel" 2)") || {
		echo "the packages to build for $kernel cannot be had: skipped"
		return 4
	}
	mkdir -p "$out"
	in_root "$root" "$out" "$@"
}

# Arguments of make for a kernel's architecture, one a line.
cross() {
	local arch
	arch=$(field "$1" 4)
	[ "$arch" = amd64 ] || printf '%s\n' "ARCH=$arch" CROSS_COMPILE=aarch64-linux-gnu-
}

build() {
	local kernel=$1 out=$2 rel args
	shift 2
	rel=$(release_of "$kernel") || {
		echo "Debian's archive has no headers for $kernel: skipped"
		return 4
	}
	mapfile -t args < <(cross "$kernel")
	in_build_root "$kernel" "$out" make -C /src module B=/out KDIR="/usr/src/linux-headers-$rel" "${args[@]}" "$@"
}

# Debian's headers are configured for gcc. For clang the same configuration is prepared anew from the source package, of which
# that needs the Kconfig files and little more; Debian's list of symbols lets modpost tell a missing export.
clang_fill() {
	local dir=$1 release=$2 rel=$3 series=$4 code='*.[chS] *.dts *.dtsi *.rst *.json' pattern without=()
	shift 4
	unpack_fill "$dir" "$release" "$@" || return 1
	for pattern in $code; do
		without+=(--exclude="linux-source-$series/"{drivers,fs,sound,Documentation,tools/perf,tools/testing,arch/'[a-w]*'}"/$pattern")
	done
	mkdir "$dir/usr/src/source" "$dir/usr/src/clang"
	tar -C "$dir/usr/src/source" --strip-components=1 --anchored "${without[@]}" \
		-xf "$dir/usr/src/linux-source-$series.tar.xz" || return 1
	rm "$dir/usr/src/linux-source-$series.tar.xz"
	ln -s ../../bin/ccache "$dir/usr/lib/ccache/clang"
	# shellcheck disable=SC2016 # for the inner shell
	in_root "$dir" "$dir/tmp" nice bash -euc '
		cd /usr/src
		cp "$1/.config" clang/
		source/scripts/config --file clang/.config -d DEBUG_INFO_BTF -d MODULE_SIG -d SYSTEM_TRUSTED_KEYRING \
			--set-str SYSTEM_TRUSTED_KEYS "" -d WERROR
		make -C source O=/usr/src/clang LLVM=1 olddefconfig
		make -C clang LLVM=1 -j"$2" modules_prepare
		cp "$1/Module.symvers" clang/' bash "linux-headers-$rel" "$JOBS" >"$LOGS/clang-$rel.log" 2>&1
}

# What was fetched and cannot be prepared is a failure; only what cannot be fetched is skipped.
clang() {
	local kernel=$1 out=${2#B=} rel release series root packages log
	shift 2
	release=$(field "$kernel" 2)
	rel=$(release_of "$kernel") || {
		echo "Debian's archive has no headers for $kernel: skipped"
		return 4
	}
	series=$(grep -oE '^[0-9]+\.[0-9]+' <<<"$rel") log=$LOGS/clang-$rel.log
	packages=(clang lld llvm make gcc ccache binutils flex bison bc perl-base bash coreutils sed grep gawk findutils diffutils
		util-linux kmod python3-minimal libelf-dev libssl-dev libc6-dev "linux-headers-$rel" "linux-source-$series")
	rm -f "$log"
	root=$(cache_make "clang-root-$kernel" "$(uris "$release" "${packages[@]}") $(declare -f unpack_fill clang_fill)" \
		clang_fill "$release" "$rel" "$series" "${packages[@]}") || {
		[ ! -e "$log" ] || {
			tail -n 40 "$log"
			return 1
		}
		echo "what clang needs to build for $rel cannot be had: skipped"
		return 4
	}
	mkdir -p "$out"
	in_root "$root" "$out" make -C /src module B=/out KDIR=/usr/src/clang "$@"
}

tool() {
	local libraries=/usr/lib/aarch64-linux-gnu/pkgconfig
	[ "$(field "$1" 4)" = arm64 ] || die "tool: this machine's own is made by make"
	in_build_root "$1" "$2" make -C /src/tools/flowtrack O=/out CC=aarch64-linux-gnu-gcc \
		PKG_CONFIG="env PKG_CONFIG_LIBDIR=$libraries pkgconf"
}

# The module through that release's dkms: see dkms.sh.
dkms() {
	local kernel=$1 rel root
	if ! rel=$(release_of "$kernel") || ! root=$(root_of "$(field "$kernel" 2)"); then
		echo "the packages for dkms of $kernel cannot be had: skipped"
		return 4
	fi
	in_root "$root" "$LOGS" /src/tools/testing/dkms.sh --with /usr/sbin/dkms "/usr/src/linux-headers-$rel"
}

image() {
	local kernel=$1 dir=$2 rel release arch packages
	rel=$(release_of "$kernel") || return 1
	release=$(field "$kernel" 2) arch=$(field "$kernel" 4)
	# From 7.x on an image is a meta package of two others.
	packages=("linux-image-$rel:$arch")
	if foreign_apt apt-cache "$release" show "linux-binary-$rel:$arch" >/dev/null 2>&1; then
		packages=("linux-binary-$rel:$arch" "linux-modules-$rel:$arch")
	fi
	mkdir -p "$dir/download"
	(cd "$dir/download" && foreign_apt apt-get "$release" download "${packages[@]}") || return 1
	for deb in "$dir"/download/*.deb; do
		dpkg-deb -x "$deb" "$dir" || return 1
	done
	rm -rf "$dir/download"
}

case ${1:-} in
list) awk 'NF { print $1, $2, $4 }' <<<"$FOREIGN" ;;
build) build "${@:2}" ;;
dkms) dkms "${2:?which kernel?}" ;;
clang) clang "${@:2}" ;;
tool) tool "${2:?which kernel?}" "${3:?where to?}" ;;
userland) userland "${2:?which kernel?}" ;;
image) image "${2:?which kernel?}" "${3:?where to?}" ;;
release) release_of "${2:?which kernel?}" ;;
sources) sources "${2:?which Debian release?}" ;;
root) root_of "${2:?which Debian release?}" ;;
upstream) upstream "${2:?which Debian release?}" "${3:?which package?}" "${4:?where to?}" ;;
*) die "usage: roots.sh list | build KERNEL B=DIR ARG... | clang KERNEL B=DIR ARG... | dkms KERNEL | tool KERNEL B=DIR | image KERNEL DIR | userland KERNEL | release KERNEL | root RELEASE | sources RELEASE | upstream RELEASE PACKAGE DIR" ;;
esac
