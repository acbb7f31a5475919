#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The benchmark: nf_conntrack and nf_flowtrack side by side in a User-Mode Linux that has no debugging, which runs
# natively, on one CPU; what a second CPU is worth is measured on Debian's 6.12 in QEMU. Writes build/bench.json and
# build/bench.md, and prints the latter.
#
#   bench.sh [--quick] [--case REGEX] [BENCH.PY OPTION...]
#                    --quick: small tables, for the sanity of it, not for figures
#                    --case: only cases whose name it finds, see the file "expected"

set -euo pipefail
# shellcheck source=../testing/common.sh
. "$(dirname "$0")/../testing/common.sh"

options=() case='' smp_options=(--rounds 7 --packets 40000) memory=8G seconds=3000
if [ "${1:-}" = --quick ]; then
	shift
	smp_options=(--rounds 1 --packets 4000)
	options=(--quick --sizes 10000 --main 10000 --rounds 2 --packets 20000 --idle 1)
	memory=1G seconds=300
fi
if [ "${1:-}" = --case ]; then
	case=$2
	shift 2
fi
options+=(--case "$case" --cpu "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)")
case " $* " in *" --sizes "*) memory=8G seconds=3000 ;; esac

[ "$(id -u)" -eq 0 ] || die "must be root: the guest shares the file system: sudo make bench"
harness=$TOP/build/uml-bench-harness
log=$LOGS/bench-build.log
mkdir -p "$harness" "$LOGS"
kdir=$("$TOP/tools/testing/uml.sh" build bench)
cp -rsf "$TOP/tools/bench/." "$harness/"
if ! { make_module B="$TOP/build/uml-bench" KDIR="$kdir" && make -C "$TOP" tool &&
	env -u MAKEFLAGS -u MAKELEVEL make -C "$kdir" ARCH=um M="$harness" modules; } >"$log" 2>&1; then
	cat "$log"
	die "the module or its benchmark does not build"
fi

# On Debian's kernel with two CPUs, as the system tests: its times are an emulator's, but not what CPUs wait for.
smp() {
	local rel kdir harness machine results=$LOGS/bench-smp log=$LOGS/bench-smp-build.log
	rel=$(kernel_release 6.12)
	kdir=/usr/src/linux-headers-$rel harness=$TOP/build/$rel-bench-harness
	rm -rf "$results"
	mkdir -p "$results" "$harness"
	cp -rsf "$TOP/tools/bench/." "$harness/"
	if ! { build_for 6.12 B="$TOP/build/$rel" &&
		env -u MAKEFLAGS -u MAKELEVEL make -C "$kdir" M="$harness" modules; } >"$log" 2>&1; then
		cat "$log"
		return 1
	fi
	machine=("$TOP/tools/testing/vm.sh" run -m 2G -t 600 -i 120 -o "$results" 6.12 "$TOP/tools/bench/smp.py"
		--module "$TOP/build/$rel/nf_flowtrack.ko" --harness "$harness/ft_bench.ko"
		--tool "$TOP/tools/flowtrack/flowtrack" --out /run/results/bench-smp.json "${smp_options[@]}")
	# Not in one whose CPUs take turns: it is about two that do not.
	"${machine[@]}" || { [ $? -eq $EMULATOR_FAULT ] && "${machine[@]}"; } || return
	cp "$results/bench-smp.json" "$TOP/build/"
}

rm -f "$TOP"/build/bench{,-smp}.json "$TOP/build/bench.md"
status=0
"$TOP/tools/testing/uml.sh" run -m $memory -t $seconds bench "$TOP/tools/bench/bench.py" \
	--module "$TOP/build/uml-bench/nf_flowtrack.ko" --harness "$harness/ft_bench.ko" \
	--tool "$TOP/tools/flowtrack/flowtrack" --out "$TOP/build/bench.json" "${options[@]}" "$@" || status=$?
if [ $status -eq $NO_UML ]; then
	echo "not ok bench: not run, since User-Mode Linux cannot run on this machine (see above)"
	report_counts 0 1 0
	exit 1
fi
[ $status -eq 0 ] || note "the User-Mode Linux ended with status $status"
! grep '^smp-' "$TOP/tools/bench/expected" | grep -qE -- "$case" || smp || { status=$?; note "the guest with two CPUs ended with status $status"; }
out=$("$PYTHON" "$TOP/tools/bench/report.py" "$TOP/build/bench.json" "$TOP/build/bench-smp.json" \
	"$TOP/tools/bench/expected" "$TOP/build/bench.md" "$case") || status=1
printf '\n'
sed '$d' <<<"$out"
read -ra counts < <(tail -n 1 <<<"$out" | sed -n 's/^counts //p') || true
[ ${#counts[@]} -eq 3 ] || counts=(0 1 0)
[ $status -eq 0 ] || [ "${counts[1]}" -gt 0 ] || counts[1]=1
report_counts "${counts[@]}"
exit $status
