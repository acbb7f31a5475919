# shellcheck shell=bash
# shellcheck disable=SC2034 # used by those that source it
# SPDX-License-Identifier: GPL-2.0-only
#
# What the runners share: where things are, the cache of what is slow to make, and how a part of the check reports
# its counts. Source it, never run it.

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
CACHE=${FLOWTRACK_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/flowtrack}
LOGS=$TOP/build/logs
JOBS=${JOBS:-$(nproc)}
# Debian's python modules (scapy, yaml, jsonschema) belong to Debian's python, whatever python3 PATH finds first.
PYTHON=/usr/bin/python3
export LC_ALL=C.UTF-8
# The module is compiled for each kernel, by lint, dkms and the tests: ccache compiles what it has seen only once. It tells
# what the compiler said each time.
export CCACHE_DIR=$CACHE/ccache CCACHE_MAXSIZE=4G
case :$PATH: in
*:/usr/lib/ccache:*) ;;
*) PATH=/usr/lib/ccache:$PATH ;;
esac

# The kernels on which everything is tested; the meta packages decide which build of each. Besides there are "newest",
# the newest that Debian has for its stable release (roots.sh), "newest-arm64", those of kernel.sh, "6.12-debug" and
# "6.12-kcsan", and Debian's with PREEMPT_RT, "6.1-rt" and "6.12-rt".
KERNELS=(6.1 6.12)

die() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 2
}

note() {
	printf '# %s\n' "$*" >&2
}

# is_late TIME: has it come? In seconds since the epoch; empty: there is no such time.
is_late() {
	[ -n "$1" ] && [ "$(date +%s)" -ge "$1" ]
}

# This machine's Debian release, and its own kernel.
# shellcheck disable=SC1091 # not ours
CODENAME=$(. /etc/os-release && echo "${VERSION_CODENAME:-}") 2>/dev/null || CODENAME=
case $CODENAME in
trixie) OWN_KERNEL=6.12 ;;
*) OWN_KERNEL=6.1 ;;
esac

# Debian's meta packages: a release's own kernel has no number in its name.
meta_suffix() {
	case $1 in
	"$OWN_KERNEL") echo amd64 ;;
	*) echo "$1-amd64" ;;
	esac
}

# kernel_elsewhere VERSION: roots.sh's name of a kernel that this release has no packages of; fails for one that it has.
kernel_elsewhere() {
	case $CODENAME/$1 in
	*/newest | */newest-arm64) echo "$1" ;;
	trixie/6.1) echo 12-6.1 ;;
	bookworm/13-6.12) echo "$1" ;;
	*) return 1 ;;
	esac
}

# 6.12 -> 6.12.117+deb12-amd64: the release whose headers are installed. The image must be of the same build.
kernel_release() {
	local dep root
	if root=$(kernel_elsewhere "$1"); then
		"$TOP/tools/testing/roots.sh" release "$root" || die "Debian's archive has no kernel $root"
		return
	fi
	case $1 in
	*-debug | *-kcsan) cat "$("$TOP/tools/testing/kernel.sh" build "${1##*-}")/include/config/kernel.release"; return ;;
	*-rt)
		dep=$(kernel_release "${1%-rt}")
		echo "${dep%-amd64}-rt-amd64"
		return
		;;
	esac
	dep=$(dpkg-query -W -f '${Depends}' "linux-headers-$(meta_suffix "$1")" 2>/dev/null |
		grep -o 'linux-headers-[^ ,]*' | head -n 1) || true
	[ -n "$dep" ] || die "no kernel headers for $1: run tools/testing/deps.sh"
	echo "${dep#linux-headers-}"
}

# Where the compiler finds the tree and the directory for its products, whatever clone it is: ccache compares paths, too.
PLACE=$CACHE/place

# in_place OUT COMMAND...: with the tree as $PLACE/src, and the directory OUT as $PLACE/out. What it says has the real paths.
in_place() (
	out=$1
	shift
	set -o pipefail
	mkdir -p "$PLACE"/{src,out} "$out"
	# shellcheck disable=SC2016 # for the inner shell
	unshare -m sh -c 'mount --bind "$1" "$3/src" && mount --bind "$2" "$3/out" && shift 3 && exec "$@"' \
		sh "$TOP" "$out" "$PLACE" "$@" 2>&1 | sed -u "s|$PLACE/src/|$TOP/|g; s|$PLACE/out/|$out/|g"
)

# make_module B=DIRECTORY MAKE-ARGUMENT...: with all warnings, for lint and for the tests alike, so that it is the same text
# and the same flags for ccache.
make_module() {
	local out=${1#B=}
	shift
	if unshare -m true 2>/dev/null; then
		in_place "$out" make -C "$PLACE/src" module B="$PLACE/out" -j"$JOBS" W=1 "$@"
	else
		make -C "$TOP" module B="$out" -j"$JOBS" W=1 "$@"
	fi
}

# build_for VERSION B=DIRECTORY MAKE-ARGUMENT...: the module for a kernel, with the compiler that it wants.
build_for() {
	local version=$1 kdir root
	shift
	if root=$(kernel_elsewhere "$version"); then
		"$TOP/tools/testing/roots.sh" build "$root" "$@" -j"$JOBS" W=1
		return
	fi
	case $version in
	*-debug | *-kcsan) kdir=$("$TOP/tools/testing/kernel.sh" build "${version##*-}") ;;
	*-rt) kdir=$("$TOP/tools/testing/vm.sh" headers "$version") ;;
	*) kdir=/usr/src/linux-headers-$(kernel_release "$version") ;;
	esac
	[ -n "${kdir:-}" ] && make_module "$@" KDIR="$kdir"
}

package_version() {
	# shellcheck disable=SC2016 # dpkg's format, not the shell's
	dpkg-query -W -f '${Version}' "$1" 2>/dev/null || die "package $1 is missing: run tools/testing/deps.sh"
}

# The cache: one directory per entry, named KIND-HASH, where the hash covers every input. An entry appears by
# rename, so it is complete or absent; cache_make prints its path.
#   cache_make KIND INPUTS FUNCTION [ARG...]     FUNCTION is called as FUNCTION DIR ARG... to fill DIR
# Inputs: any text. Put a file in by its content, not by its name.
cache_make() {
	local kind=$1 inputs=$2 fill=$3 hash entry tmp
	shift 3
	hash=$(printf '%s' "$inputs" | sha256sum | cut -c1-12)
	entry=$CACHE/$kind-$hash
	mkdir -p "$CACHE"
	(
		# Two runs at once must not both spend ten minutes on the same kernel.
		flock 9
		if [ ! -d "$entry" ]; then
			tmp=$(mktemp -d "$CACHE/.tmp.$kind.XXXXXX")
			chmod 755 "$tmp"
			note "making $kind-$hash (cached from then on)"
			# What is compiled once is not for ccache to remember.
			if ! CCACHE_DISABLE=1 "$fill" "$tmp" "$@" >&2; then
				rm -rf "$tmp"
				exit 1
			fi
			mv "$tmp" "$entry"
			cache_prune "$kind" "$entry"
		fi
	) 9>"$CACHE/.lock.$kind" || return 1
	touch "$entry"
	echo "$entry"
}

# Keep the entry in use and the one before it: switching branches back and forth must not rebuild each time.
cache_prune() {
	local kind=$1 keep=$2 old
	find "$CACHE" -maxdepth 1 -type d -name ".tmp.$kind.*" -mmin +120 -exec rm -rf {} +
	find "$CACHE" -maxdepth 1 -type d -regex ".*/$kind-[0-9a-f]*" ! -path "$keep" -printf '%T@ %p\n' |
		sort -rn | tail -n +2 | cut -d' ' -f2- | while read -r old; do
		rm -rf "$old"
	done
}

# What vm.sh ends with when the emulator killed a guest, and the emulator that does not: its CPUs take turns.
EMULATOR_FAULT=123
ONE_AT_A_TIME=tcg,thread=single

# What uml.sh ends with where a User-Mode Linux cannot run: nothing that is tested in one is to blame then.
NO_UML=126

# The source of a kernel series, as Debian ships it, with the patches of uml/ that are for it: for UML, checkpatch, ynl
# and trees that clang can build against.
kernel_source() {
	local v=$1 patches
	mapfile -t patches < <(find "$TOP/tools/testing/uml" -name "$v-*.patch" | sort)
	cache_make "source-$v" "$(package_version "linux-source-$v") $(declare -f source_fill) $(cat /dev/null "${patches[@]}")" \
		source_fill "$v" "${patches[@]}"
}

source_fill() {
	local dir=$1 v=$2 patch
	shift 2
	# The register headers of one graphics driver and the device trees are a third of the tree, and nothing here
	# compiles them. Kconfig files stay: every one of them is read.
	tar -C "$dir" --strip-components=1 -xf "/usr/src/linux-source-$v.tar.xz" \
		--exclude='*/drivers/gpu/drm/*.[ch]' --exclude='*/arch/*/boot/dts/*' --exclude='*/sound/*.c' \
		--exclude='*/drivers/net/ethernet/*.[ch]' --exclude='*/drivers/media/*.[ch]' \
		--exclude='*/drivers/net/wireless/*.[ch]' --exclude='*/drivers/staging/*.[ch]' \
		--exclude='*/drivers/scsi/*.[ch]' || return 1
	for patch in "$@"; do
		patch -d "$dir" -p1 -s <"$patch" || return 1
	done
}

# An option that Kconfig silently dropped would silently weaken the tests: every line asked for must be there.
check_config() {
	local config=$1 line name want bad=0
	shift
	while read -r line; do
		case $line in
		CONFIG_*=n) name=${line%=n} want="# ${line%=n} is not set" ;;
		CONFIG_*) name=${line%%=*} want=$line ;;
		'# CONFIG_'*' is not set') name=${line#\# } name=${name%% *} want=$line ;;
		*) continue ;;
		esac
		grep -qxF -- "$want" "$config" && continue
		# An option that does not exist or cannot be enabled is not written at all: that is "not set".
		if [[ $want == '#'* ]] && ! grep -q "^$name=" "$config"; then
			continue
		fi
		note "not in the final config: $want"
		bad=1
	done < <(cat "$@")
	return $bad
}

# build_kernel NAME DIR SOURCE ARCH TARGET: with the options in DIR/wanted, of which those in DIR/fragment must be there in the
# end. In DIR/root are its modules, installed.
build_kernel() {
	local name=$1 dir=$2 src=$3 arch=$4 target=$5 log=$LOGS/$1-build.log
	# Without -C the outer make's flags and directory would leak in.
	local make=(env -u MAKEFLAGS -u MAKELEVEL nice make ARCH="$arch")
	mkdir -p "$LOGS"
	if ! {
		"${make[@]}" -C "$src" O="$dir" KCONFIG_ALLCONFIG="$dir/wanted" allnoconfig &&
			check_config "$dir/.config" "$dir/fragment" &&
			"${make[@]}" -C "$dir" -j"$JOBS" "$target" modules &&
			"${make[@]}" -C "$dir" INSTALL_MOD_PATH="$dir/root" modules_install
	} >"$log" 2>&1; then
		tail -n 40 "$log"
		note "the kernel does not build: $log"
		return 1
	fi
	# What stays is what booting and building a module need. For UML vmlinux and linux are the same file.
	rm -f "$dir/vmlinux"
	find "$dir" \( -path "$dir/scripts" -o -path "$dir/tools" -o -path "$dir/root" \) -prune -o -type f \
		\( -name '*.o' -o -name '*.a' -o -name '*.ko' -o -name '.vmlinux*' -o -name '.tmp_vmlinux*' \) -exec rm -f {} +
}

# Programs that tests start in a guest, with their libraries: unpacked, not installed, because an installed server serves
# this machine as well. Of prometheus it is promtool, of fail2ban a line of its configuration, of the last one its examples.
SERVERS=(vsftpd tftpd-hpa prometheus prometheus-node-exporter conntrackd keepalived ulogd2 fail2ban python3-pyroute2 libnetfilter-conntrack-dev)
[ "$CODENAME" = bookworm ] || SERVERS+=(promtool)

servers() {
	cache_make servers "${SERVERS[*]} $(declare -f servers_fill)" servers_fill
}

servers_fill() {
	local dir=$1 deb needed
	mkdir -p "$dir/download" "$LOGS"
	mapfile -t needed < <(apt-get -q -s --no-install-recommends install "${SERVERS[@]}" 2>"$LOGS/servers.log" |
		awk '$1 == "Inst" && $2 ~ /^lib/ && $2 !~ /^libjs-/ { print $2 }')
	# As root: apt's own user cannot write into a cache below /root.
	if ! (cd "$dir/download" && apt-get -q -o APT::Sandbox::User=root download "${SERVERS[@]}" "${needed[@]}") >"$LOGS/servers.log" 2>&1; then
		cat "$LOGS/servers.log"
		return 1
	fi
	for deb in "$dir"/download/*.deb; do
		dpkg-deb -x "$deb" "$dir" || return 1
	done
	rm -rf "${dir:?}/download"
	# As their installation would: a guest takes a minute for it, each time.
	"$PYTHON" -m compileall -q "$dir/usr/lib/python3/dist-packages/pyroute2"
}

# conntrack-tools' own test suite, which no binary package has; from the release whose source a mirror was seen to have.
conntrack_tools() {
	cache_make conntrack-tools "$(declare -f conntrack_tools_fill)" conntrack_tools_fill
}

conntrack_tools_fill() {
	"$TOP/tools/testing/roots.sh" upstream trixie conntrack-tools "$1" && [ -d "$1/tests/conntrack/testsuite" ]
}

# In a guest whose kernel has kmemleak: forget what it has found, and put into the kernel's log what it finds since then.
KMEMLEAK=/sys/kernel/debug/kmemleak

forget_leaks() {
	[ ! -w $KMEMLEAK ] || { echo scan >$KMEMLEAK && echo clear >$KMEMLEAK; }
}

log_leaks() {
	[ -w $KMEMLEAK ] || return 0
	# kmemleak ignores what is younger than 5 s, and believes only what two scans agree on.
	sleep 5.5
	echo scan >$KMEMLEAK && echo scan >$KMEMLEAK
	# What was made before there was an init is nobody's: built by gcc 14 the kernel loses sight of some of it later.
	awk 'function tell() { if (block !~ /comm "swapper", pid 1,/) printf "%s", block; block = "" }
		/^unreferenced object/ { tell() }
		{ block = block "kmemleak: " $0 "\n" }
		END { tell() }' $KMEMLEAK | while IFS= read -r line; do
		echo "$line" >/dev/kmsg
	done
}

# judge ARGUMENT...: runs ktap.py, shows what it says, and leaves its counts in judged=(PASSED FAILED SKIPPED).
judge() {
	local out status=0
	out=$("$PYTHON" "$TOP/tools/testing/ktap.py" "$@") || status=$?
	sed '$d' <<<"$out"
	read -ra judged < <(tail -n 1 <<<"$out" | sed -n 's/^counts //p') || true
	[ ${#judged[@]} -eq 3 ] || judged=(0 1 0)
	return $status
}

# ok WHAT COMMAND...: a case of a test in shell. It must succeed; what it said is shown if it does not. Adds to $passed or
# $failed.
passed=0 failed=0
ok() {
	local what=$1 said status=0
	shift
	said=$("$@" 2>&1) || status=$?
	if [ $status -eq 0 ]; then
		echo "ok $what"
		passed=$((passed + 1))
	else
		echo "not ok $what: exit status $status"
		tail -n 30 <<<"$said" | sed 's/^/    /'
		failed=$((failed + 1))
	fi
}

# A part of the check ends with one line "counts PASSED FAILED SKIPPED" in the file that FLOWTRACK_COUNTS names;
# check.sh adds them up. A part that dies before this line counts as failed.
report_counts() {
	printf '%d passed, %d failed, %d skipped\n' "$1" "$2" "$3"
	[ -z "${FLOWTRACK_COUNTS:-}" ] || printf 'counts %d %d %d\n' "$1" "$2" "$3" >>"$FLOWTRACK_COUNTS"
}

# copy_tree DIR: the tree as git knows it, and what is about to be added; without git, all but what builds leave.
copy_tree() {
	local to=$1 file
	mkdir -p "$to"
	if git -C "$TOP" -c safe.directory='*' rev-parse --git-dir >/dev/null 2>&1; then
		# Listed, and there: not what is about to be removed.
		(cd "$TOP" && git -c safe.directory='*' ls-files -co --exclude-standard | while read -r file; do
			[ ! -e "$file" ] || cp --parents -p "$file" "$to/"
		done)
	else
		tar -C "$TOP" -c --exclude=./build --exclude='*.o' --exclude=./tools/flowtrack/flowtrack . | tar -x -C "$to"
	fi
}
