#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Everything that judges the text: compilers at their most talkative, sparse, checkpatch, documentation.
#
#   lint.sh [CHECK...]      all checks, or those named;  lint.sh --list names them
#
# A check is a function check_NAME. It passes when it returns 0 and prints nothing, and is skipped when it returns
# NOT_HERE: what it needs is not in Debian's archive any more, as it says.

set -euo pipefail
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
cd "$TOP"

NOT_HERE=4

# Tracked files and those about to be; a tree without git has no others. NAMES are globs, or pathspecs for git.
files() {
	if git -c safe.directory='*' rev-parse --git-dir >/dev/null 2>&1; then
		git -c safe.directory='*' ls-files -co --exclude-standard -- "$@"
	else
		find . -path ./build -prune -o -type f -print | sed 's,^\./,,' | while read -r f; do
			for glob in "$@"; do
				# shellcheck disable=SC2053 # a glob
				[[ $f != $glob ]] || echo "$f"
			done
		done
	fi | sort -u | while read -r f; do [ ! -f "$f" ] || echo "$f"; done
}

# Warnings in a compiler's output. What a build against Debian's headers always says is left out, and what is said of
# the kernel's own headers: sparse dislikes some of them.
warnings() {
	grep -E '[Ww]arning|WARNING|[Ee]rror|undefined!' "$1" |
		grep -vE 'the compiler differs from the one used|Skipping BTF generation' |
		grep -vE "^(/usr/src/linux-headers-[^ ]*|\\./|$CACHE/[^ ]*/)(include|arch)/" || true
}

# Arguments for make. With C=2, kbuild of 7.x asks first whether sparse knows __typeof_unqual__. Debian's sparse does not,
# and Debian's headers lack the script that asks: kbuild says in one line that it checks nothing, and goes on. What C=2 sets
# is given itself, so that nobody asks.
SPARSE=(C=2 CF=-D__CHECK_ENDIAN__)
SPARSE_7=(KBUILD_CHECKSRC=2 CF='-D__CHECK_ENDIAN__ -D__typeof_unqual__=__typeof__')

# sparse_ran LOG MAKE-ARGUMENT...: if it was asked to. What MODULE_LICENSE() and the like assert in 7.x, it cannot evaluate.
sparse_ran() {
	local log=$1
	shift
	[[ " $*" != *CF=* ]] || grep -q '^  CHECK ' "$log" || echo "sparse did not run: $log"
	[[ " $*" != *KBUILD_CHECKSRC=* ]] || sed -i '/main\.c:[0-9]*:1: error: bad constant expression$/d' "$log"
}

# build_warnings NAME MAKE-ARGUMENT...: builds from nothing, because an object that is there says nothing. The products are
# looked at, too, by the command in JUDGE, if it is set.
build_warnings() {
	local name=$1 log=$LOGS/lint-$1.log found
	shift
	rm -rf "$TOP/build/lint-$name"
	if ! make_module B="$TOP/build/lint-$name" "$@" >"$log" 2>&1; then
		tail -n 60 "$log"
		return 1
	fi
	found=$(
		sparse_ran "$log" "$@"
		warnings "$log"
		[ -z "${JUDGE:-}" ] || "$JUDGE" "$TOP/build/lint-$name" 2>&1
	) || true
	rm -rf "$TOP/build/lint-$name"
	[ -z "$found" ] || {
		printf '%s\n' "$found"
		return 1
	}
}

# All modules share 8 KiB (PERCPU_MODULE_RESERVE) for this: one that finds no room there can't be loaded.
static_percpu() {
	readelf -SW "$1" | sed -n 's/^ *\[ *[0-9]*\] *\.data\.\.percpu/percpu/p' |
		awk -v module="${1##*/}" '$5 !~ /^0*$/ { print module ": static per-CPU data, 0x" $5 " bytes: use alloc_percpu()" }'
}

# judge_products DIRECTORY: the layout of structures, and which object uses which.
judge_products() {
	local out module
	tools/testing/layout.py "$1/nf_flowtrack.ko"
	for module in "$1"/nf_*.ko; do
		static_percpu "$module"
	done
	out=$(tools/testing/docs/check_layers.py "$1" 2>&1) || printf '%s\n' "$out"
}

gcc_sparse() {
	JUDGE=judge_products build_warnings "gcc-$1" KDIR="/usr/src/linux-headers-$(kernel_release "$1")" "${SPARSE[@]}"
}
check_gcc_sparse_6_1() {
	local root
	if root=$(kernel_elsewhere 6.1); then
		foreign "$root" "${SPARSE[@]}"
	else
		gcc_sparse 6.1
	fi
}
check_gcc_sparse_6_12() { gcc_sparse 6.12; }

# Kernels of other Debian releases, each with the compiler that its headers want: see roots.sh.
foreign() {
	local kernel=$1 dir=$TOP/build/lint-foreign-$1 log=$LOGS/lint-foreign-$1.log status=0
	shift
	rm -rf "$dir"
	"$TOP/tools/testing/roots.sh" "${BY:-build}" "$kernel" B="$dir" -j"$JOBS" W=1 "$@" >"$log" 2>&1 || status=$?
	rm -rf "$dir"
	case $status in
	0) sparse_ran "$log" "$@"; warnings "$log" ;;
	4) tail -n 1 "$log" ;;
	*) tail -n 60 "$log" ;;
	esac
	return $status
}
check_gcc_sparse_debian13() { foreign 13-6.12 "${SPARSE[@]}"; }
check_gcc_sparse_newest() { foreign newest "${SPARSE_7[@]}"; }
check_gcc_arm64_newest() { foreign newest-arm64; }
check_gcc_sparse_sid() { foreign sid "${SPARSE_7[@]}"; }

# A build for a kernel that has ctnetlink built in says that the second module is left out, and dkms does not wait for
# it; other builds do not.
check_built_in() {
	local value said headers config=$LOGS/lint-built-in
	mkdir -p "$config"
	headers=/usr/src/linux-headers-$(kernel_release 6.12 | sed 's/-amd64//')-common
	for value in m y ''; do
		# shellcheck disable=SC2016 # for make
		said=$(printf 'src := .\ninclude Kbuild\nall:; @echo $(obj-m)\n' |
			make -s -f - srctree="$headers" VERSION=6 PATCHLEVEL=12 CONFIG_NF_CT_NETLINK="$value" 2>&1)
		case $value:$said in
		"m:nf_flowtrack.o nf_flowtrack_ctnetlink.o" | ":nf_flowtrack.o") ;;
		"y:this kernel has nf_conntrack_netlink built in: "*" is not built
nf_flowtrack.o") ;;
		*) echo "CONFIG_NF_CT_NETLINK=$value: $said" ;;
		esac
		echo "CONFIG_NF_CT_NETLINK=$value" >"$config/.config"
		# shellcheck disable=SC2016,SC1091 # for the inner shell
		said=$value:$(kernel_source_dir=$config kernelver=x bash -euc '. ./dkms.conf; echo "${BUILT_MODULE_NAME[@]}"')
		case $said in
		"m:nf_flowtrack nf_flowtrack_ctnetlink" | "y:nf_flowtrack" | :*) ;;
		*) echo "dkms.conf, for CONFIG_NF_CT_NETLINK=$said" ;;
		esac
	done
}

# A kernel that is too old is refused by a sentence, not by what does not compile.
check_too_old() {
	local kernel said headers
	headers=/usr/src/linux-headers-$(kernel_release 6.12 | sed 's/-amd64//')-common
	for kernel in 5.15 6.0 6.1 6.12 7.3; do
		# shellcheck disable=SC2016 # for make
		said=$(printf 'src := .\ninclude Kbuild\nall:; @echo built\n' |
			make -s -f - srctree="$headers" VERSION="${kernel%.*}" PATCHLEVEL="${kernel#*.}" 2>&1) || true
		case $kernel:$said in
		5.15:*"needs Linux 6.1 or later, and this is 5.15"* | 6.0:*"needs Linux 6.1 or later, and this is 6.0"*) ;;
		6.1:built | 6.12:built | 7.3:built) ;;
		*) echo "Linux $kernel: $said" ;;
		esac
	done
}

# The suites too; only the User-Mode Linux kernel has KUnit. Without sparse: KUnit's own macros turn every value that
# they compare into a long long, and sparse minds that for each big-endian one. In `make check`, kunit.sh has just built
# the same from nothing, and left what the compiler said.
check_gcc_kunit() {
	local kdir
	if [ -s "${FLOWTRACK_KUNIT_LOG:-}" ]; then
		warnings "$FLOWTRACK_KUNIT_LOG"
		return
	fi
	kdir=$("$TOP/tools/testing/uml.sh" build kunit) || return 1
	build_warnings gcc-kunit KDIR="$kdir" KUNIT=1
}

# Debian's headers are configured for gcc. For clang the same configuration is prepared anew, and borrows Debian's
# symbol list, so that modpost can tell a missing export.
clang_tree_fill() {
	local dir=$1 src=$2 headers=$3 log=$LOGS/clang-tree-build.log
	cp "$headers/.config" "$dir/.config"
	"$src/scripts/config" --file "$dir/.config" -d DEBUG_INFO_BTF -d MODULE_SIG -d SYSTEM_TRUSTED_KEYRING \
		--set-str SYSTEM_TRUSTED_KEYS '' -d GCC_PLUGINS -d WERROR
	if ! {
		env -u MAKEFLAGS -u MAKELEVEL make -C "$src" O="$dir" LLVM=1 olddefconfig &&
			env -u MAKEFLAGS -u MAKELEVEL nice make -C "$dir" LLVM=1 -j"$JOBS" modules_prepare
	} >"$log" 2>&1; then
		tail -n 40 "$log"
		return 1
	fi
	cp "$headers/Module.symvers" "$dir/"
}

clang() {
	local src headers tree
	if kernel_elsewhere "$1" >/dev/null; then
		echo "this release of Debian has no source of $1"
		return $NOT_HERE
	fi
	src=$(kernel_source "$1") || return 1
	headers=/usr/src/linux-headers-$(kernel_release "$1")
	tree=$(cache_make "clang-$1" "$src $(sha256sum <"$headers/.config") $(command clang --version | head -n 1)
		$(declare -f clang_tree_fill)" clang_tree_fill "$src" "$headers") || return 1
	# That this kernel was built with clang the Makefile finds out by itself.
	build_warnings "clang-$1" KDIR="$tree"
}
check_clang_6_1() { clang 6.1; }
check_clang_6_12() { clang 6.12; }
check_clang_newest() { BY=clang foreign newest; }

check_dkms_newest() { tools/testing/roots.sh dkms newest; }
check_dkms() { tools/testing/dkms.sh "$OWN_KERNEL"; }

check_tool() {
	local cc dir=$TOP/build/lint-tool
	for cc in gcc clang; do
		rm -rf "$dir"
		make -C tools/flowtrack O="$dir" -j"$JOBS" CC=$cc >"$LOGS/lint-tool-$cc.log" 2>&1 || {
			cat "$LOGS/lint-tool-$cc.log"
			return 1
		}
		warnings "$LOGS/lint-tool-$cc.log"
	done
	rm -rf "$dir"
}

# The tool's tables are tested by its own tests; this is about what three shells make of what it says.
check_completion() {
	make -s -C tools/flowtrack O="$TOP/build/lint-completion" -j"$JOBS" >"$LOGS/lint-completion.log" 2>&1 || {
		cat "$LOGS/lint-completion.log"
		return 1
	}
	tools/testing/completion.sh "$TOP/build/lint-completion/flowtrack"
	rm -rf "$TOP/build/lint-completion"
}

# checkpatch IGNORED-TYPES FILE...: of the files that it has found nothing in, the cache has a mark, by all that it saw.
checkpatch() {
	local src ignore=$1 key marks=$CACHE/checkpatch hash name said status=0
	local -A mark
	shift
	src=$(kernel_source 6.12) || return 1
	[ $# -gt 0 ] || return 0
	mkdir -p "$marks"
	key=$(sha256sum <<<"$src $ignore $(declare -f checkpatch)" | cut -c1-16)
	while read -r hash name; do
		mark[$name]=$marks/$key-${hash:0:32}-${name//\//-}
	done < <(sha256sum "$@")
	for name in "$@"; do
		[ ! -e "${mark[$name]}" ] || { touch "${mark[$name]}"; unset "mark[$name]"; }
	done
	[ ${#mark[@]} -gt 0 ] || return 0
	said=$(printf '%s\0' "${!mark[@]}" | xargs -0 -P "$JOBS" -n 8 perl "$src/scripts/checkpatch.pl" --no-tree --strict \
		--show-types --terse --no-summary --ignore "$ignore" -f 2>&1) || status=$?
	# 123: it ran to its end, and found something.
	case $status in
	0 | 123) ;;
	*) echo "checkpatch: exit status $status: $said"; return 1 ;;
	esac
	for name in "${!mark[@]}"; do
		[[ $said == *"$name:"* ]] || : >"${mark[$name]}"
	done
	find "$marks" -type f -mtime +30 -delete
	grep -vE "$(IFS='|'; echo "${WAIVED[*]}")" <<<"$said" || true
}

# What checkpatch takes for a mistake and is none: FILE:LINE: LEVEL:TYPE: as regular expressions.
WAIVED=(
	# What a test writes into a sysctl on purpose.
	'kunit/sysctl_test.c:[0-9]+: WARNING:QUOTED_WHITESPACE_BEFORE_NEWLINE'
	'^$'
	# Macros that make a static initialiser, where nothing is evaluated twice, or the head of a for loop.
	'(settings|names)\.c:[0-9]+: CHECK:MACRO_ARG_REUSE:'
	'tools/flowtrack/flow\.c:[0-9]+: CHECK:MACRO_ARG_REUSE: Macro argument reuse .(a|len)'
	# What a signal handler writes.
	'tools/flowtrack/screen\.c:[0-9]+: WARNING:VOLATILE:'
	# TRACE_EVENT() has its own layout, the one of include/trace/events.
	'trace\.h:[0-9]+: .*(OPEN_ENDED_LINE|TRAILING_SEMICOLON|SPACING|PARENTHESIS_ALIGNMENT|COMPLEX_MACRO):'
)

check_checkpatch() {
	local -a kernel user
	# FILE_PATH_CHANGES: MAINTAINERS is the kernel's.
	mapfile -t kernel < <(files 'kmod/*.[ch]' 'uapi/*.h' 'kunit/*.[ch]' 'tools/bench/*.[ch]' | grep -v '^kmod/compat/')
	checkpatch FILE_PATH_CHANGES "${kernel[@]}"
	# Compat headers exist to ask for the version.
	mapfile -t kernel < <(files 'kmod/compat/*.h')
	checkpatch FILE_PATH_CHANGES,LINUX_VERSION_CODE,CONSTANT_COMPARISON "${kernel[@]}"
	# Userland has stdint's types, but neither kstrtoul, ARRAY_SIZE, __printf, nor strscpy.
	mapfile -t user < <(files 'tools/flowtrack/*.[ch]' 'tools/testing/*.[ch]')
	checkpatch FILE_PATH_CHANGES,PREFER_KERNEL_TYPES,CONSIDER_KSTRTO,SSCANF_TO_KSTRTO,NAKED_SSCANF,ARRAY_SIZE,PREFER_DEFINED_ATTRIBUTE_MACRO,STRCPY \
		"${user[@]}"
}

check_kernel_doc() {
	local src
	src=$(kernel_source 6.12) || return 1
	files 'kmod/*.[ch]' 'uapi/*.h' 'kunit/*.h' | xargs -r perl "$src/scripts/kernel-doc" -none -Wall 2>&1 |
		grep -vE '^$|[0-9]+ warnings as|no structured comments found' || true
}

check_codespell() {
	files '*' | grep -vE '^(COPYING|build/)|\.patch$' | xargs -r codespell -L "${CODESPELL_IGNORE:-ect,iif,nd,oif,parm,te}"
}

check_shellcheck() {
	{
		files '*.sh'
		echo .ci/run
		files tools/packaging/PKGBUILD debian/tests/modules debian/tests/boots
	} | xargs -r shellcheck -x -P SCRIPTDIR -s bash
}

check_python() {
	files '*.py' | xargs -r "$PYTHON" -c 'import ast, sys
for name in sys.argv[1:]:
    try:
        ast.parse(open(name).read(), name)
    except SyntaxError as e:
        print(e)'
}

# The rules that the kernel's own specs are held to.
check_yamllint() {
	local rules='document-start: disable, brackets: {max-spaces-inside: 1}, line-length: {max: 120}'
	rules+=', comments: {min-spaces-from-content: 1}'
	files '*.yaml' '*.yml' | xargs -r yamllint -f parsable -d "{extends: default, rules: {$rules}}"
}

check_netlink_spec() {
	local src spec=Documentation/netlink/specs/flowtrack.yaml
	src=$(kernel_source 6.12) || return 1
	[ -f $spec ] || {
		echo "no $spec"
		return 1
	}
	PYTHONDONTWRITEBYTECODE=1 "$PYTHON" - "$src" $spec <<'PY' 2>&1
import sys
src, spec = sys.argv[1:]
sys.path.insert(0, src + "/tools/net/ynl")
from lib import SpecFamily
import yaml
with open(spec) as f:
    protocol = yaml.safe_load(f).get("protocol", "genetlink")
SpecFamily(spec, f"{src}/Documentation/netlink/{protocol}.yaml")
PY
}

check_man() {
	files 'tools/*.[78]' | xargs -r mandoc -T lint -W warning
	python3 tools/flowtrack/man4.py Documentation/sysctl.rst | mandoc -T lint -W warning
}

# What `make install` puts where, but for the module: complete, of use, and gone after `make uninstall`.
check_install() {
	local to page
	to=$(mktemp -d)
	for page in install-tool install-boot install-dev; do
		make -s "$page" DESTDIR="$to" PREFIX=/usr >"$LOGS/lint-install.log" 2>&1 || cat "$LOGS/lint-install.log"
	done
	for page in man4/nf_flowtrack.4 man7/flowtrack-conntrack.7 man8/flowtrack.8; do
		mandoc -T lint -W warning "$to/usr/share/man/$page"
	done
	# shellcheck disable=SC2046 # flags
	echo '#include <linux/nf_flowtrack.h>' | gcc -fsyntax-only -x c -Wall -Werror \
		$(PKG_CONFIG_LIBDIR=$to/usr/share/pkgconfig pkg-config --define-variable=includedir="$to/usr/include" \
			--cflags nf-flowtrack) -
	[ -f "$to$(PKG_CONFIG_LIBDIR=$to/usr/share/pkgconfig pkg-config --variable=spec nf-flowtrack)" ] || echo 'no spec'
	make -s uninstall DESTDIR="$to" PREFIX=/usr KDIR=/nonexistent >"$LOGS/lint-install.log" 2>&1 || cat "$LOGS/lint-install.log"
	find "$to" -type f
	rm -rf "$to"
}

# The packages for Fedora and EL10, as far as Debian can build and judge them.
check_rpm() { tools/testing/rpm.sh --check; }
check_rpm_kmod() { in_place "$TOP/build/rpm" "$PLACE/src/tools/testing/rpm.sh" --kmod; }

# Other distributions'.
check_arch() { tools/testing/examples.sh arch; }
check_nix() { tools/testing/examples.sh nix; }

# Units and logrotate's file are examples: the tool that they name is not installed here.
check_units() {
	local dir unit said
	dir=$(mktemp -d)
	mkdir -p "$dir/flowtrack-log.service.d"
	cp tools/monitoring/*.service tools/monitoring/*.timer tools/boot/*.service "$dir/"
	sed -i 's|=flowtrack |=/bin/true |; s|@LIBEXECDIR@/flowtrack/boot|/bin/true|' "$dir"/*.service
	SYSTEMD_UNIT_PATH="$dir:" systemd-analyze verify --man=no --recursive-errors=no "$dir"/*.service "$dir"/*.timer 2>&1
	# What ours comes before cannot come before ours.
	for unit in nftables netfilter-persistent iptables ip6tables firewalld ufw docker containerd kubelet libvirtd other; do
		printf '[Unit]\nDefaultDependencies=no\nRequires=flowtrack.service\nBefore=flowtrack.service\n[Service]\nType=oneshot\nExecStart=/bin/true\n' \
			>"$dir/$unit.service"
		said=$(SYSTEMD_UNIT_PATH="$dir:" systemd-analyze verify --man=no "$dir/$unit.service" 2>&1 | grep 'order is cyclic')
		rm "$dir/$unit.service"
		case $unit:$said in
		other: | [!o]*:?*) ;;
		*) echo "flowtrack.service and $unit.service: which comes first?" ;;
		esac
	done
	sed 's|=flowtrack |=/bin/true |' tools/monitoring/flowtrack-log-file.conf >"$dir/flowtrack-log.service.d/file.conf"
	mkdir -p "$dir/flowtrack-metrics.service.d"
	cp tools/monitoring/flowtrack-metrics-top.conf "$dir/flowtrack-metrics.service.d/top.conf"
	SYSTEMD_UNIT_PATH="$dir:" systemd-analyze verify --man=no --recursive-errors=no "$dir/flowtrack-log.service" \
		"$dir/flowtrack-metrics.service" 2>&1
	install -m 644 tools/monitoring/flowtrack-log.logrotate "$dir/logrotate"
	logrotate --debug --state "$dir/state" "$dir/logrotate" 2>&1 | grep -iE 'error|warning|unknown' | grep -v 'debug mode'
	rm -rf "$dir"
}

check_spdx() {
	local f
	files '*.[ch]' '*.sh' '*.py' '*.yaml' '*.rst' '*.config' '*.[78]' '*Kbuild' '*Makefile' '.ci/run' dkms.conf |
		while read -r f; do
			head -n 3 "$f" | grep -q SPDX-License-Identifier || echo "$f: no SPDX line"
		done
}

check_version_checks() {
	files 'kmod/*' 'kunit/*' 'tools/*.[ch]' 'uapi/*' | grep -v '^kmod/compat/' |
		xargs -r grep -nE 'LINUX_VERSION_CODE|KERNEL_VERSION *\(' || true
}

check_vm() { tools/testing/vm-check.sh; }

# What the documentation says is compared with the code by scripts of its own.
check_docs() {
	local script
	for script in tools/testing/docs/*.py; do
		[ -x "$script" ] || continue
		"$PYTHON" "$script" >"$LOGS/lint-docs.log" 2>&1 || {
			echo "$script:"
			cat "$LOGS/lint-docs.log"
		}
	done
}

all_checks() {
	# In the order in which they are written here.
	sed -n 's/^check_\([a-z0-9_]*\)().*/\1/p' "$0"
}

run_check() {
	local name=$1 out status=0 start=$SECONDS
	out=$(
		set +e +o pipefail
		"check_$name" 2>&1
	) || status=$?
	out=$(grep -v '^# making' <<<"$out") || true
	if [ $status -eq $NOT_HERE ]; then
		echo "ok $name # SKIP $(tail -n 1 <<<"$out")"
		skipped=$((skipped + 1))
	elif [ $status -eq 0 ] && [ -z "$out" ]; then
		echo "ok $name ($((SECONDS - start)) s)"
		passed=$((passed + 1))
	else
		echo "not ok $name ($((SECONDS - start)) s)"
		head -n "${LINT_LINES:-60}" <<<"${out:-exit status $status}" | sed 's/^/    /'
		failed=$((failed + 1))
	fi
}

if [ "${1:-}" = --list ]; then
	all_checks
	exit
fi
mkdir -p "$LOGS"
[ $# -gt 0 ] || mapfile -t checks < <(all_checks)
[ $# -eq 0 ] || checks=("$@")
passed=0 failed=0 skipped=0
for check in "${checks[@]}"; do
	declare -F "check_$check" >/dev/null || die "no check '$check' (lint.sh --list)"
	if is_late "${LINT_UNTIL:-}"; then
		echo "ok $check # SKIP no time was left for it"
		skipped=$((skipped + 1))
		continue
	fi
	run_check "$check"
done
report_counts $passed $failed $skipped
[ $failed -eq 0 ] && [ $passed -gt 0 ]
