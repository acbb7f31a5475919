#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Does a User-Mode Linux run whatever the CPU's FPU state is, and does it say so where it cannot? On this CPU, and on
# one that fpu_host.c makes of it. Prints KTAP.

set -euo pipefail
# shellcheck source=../common.sh
. "$(dirname "$0")/../common.sh"

UML=$TOP/tools/testing/uml.sh
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
number=0 failures=0

# Two that compute beside each other on one CPU: each must find its registers as it left them.
compute() {
	local program='BEGIN { for (i = 1; i < 400000; i++) s += sqrt(i) / (i + 0.5); printf "%.9f\n", s }'
	awk "$program" >"$1/first" &
	awk "$program" >"$1/second"
	wait
	cat "$1/first" "$1/second"
}

result() {
	number=$((number + 1))
	if [ "$1" = 0 ]; then
		echo "ok $number $2"
	else
		echo "not ok $number $2"
		sed 's/^/# /' "$WORK/out"
		failures=$((failures + 1))
	fi
}

# runs BYTES: with so much state, or with what this CPU has.
runs() {
	local dir=$WORK/${1:-own} status=0
	mkdir "$dir"
	FLOWTRACK_UML_DMESG=$dir/dmesg FLOWTRACK_UML_PRELOAD=${1:+$WORK/fpu.so} FT_FPU_BYTES=$1 \
		"$UML" run -t 60 kunit "$TOP/tools/testing/uml/hosts.sh" --guest "$dir" >"$WORK/out" 2>&1 || return 1
	grep -q "the host has ${1:-[1-9][0-9]*} bytes of FPU state" "$dir/dmesg" || status=1
	grep 'bytes of FPU state' "$dir/dmesg" >>"$WORK/out" || true
	[ "$(cat "$dir/first")" = "$right" ] && [ "$(cat "$dir/second")" = "$right" ] || status=1
	return $status
}

# One that takes no state at all cannot have processes: it must end, and the last line must say why.
refuses() {
	local status=0
	FLOWTRACK_UML_PRELOAD=$WORK/fpu.so FT_FPU_BYTES=0 "$UML" run -t 60 kunit /bin/true >"$WORK/out" 2>&1 || status=$?
	[ $status -eq $NO_UML ] && tail -n 1 "$WORK/out" | grep -q 'cannot run on this machine: .*ptrace set fp regs failed'
}

if [ "${1:-}" = --guest ]; then
	compute "$2"
	exit
fi

gcc -O2 -shared -fPIC -o "$WORK/fpu.so" "$TOP/tools/testing/uml/fpu_host.c"
right=$(compute "$WORK" | sort -u)
echo "1..4"
# A CPU with AMX has 11008 bytes; the last one is no CPU's yet.
for bytes in '' 11008 40000; do
	status=0
	runs "$bytes" || status=1
	result $status "a CPU with ${bytes:-its own} bytes of FPU state"
done
status=0
refuses || status=1
result $status "where it cannot run, it says why"
[ $failures -eq 0 ]
