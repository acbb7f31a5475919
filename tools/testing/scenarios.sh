#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The scenarios: which clients are served when a table fills, with nf_conntrack alone and with nf_flowtrack, on stock
# kernels in QEMU. Each file of scenarios/ is one; it has the number that nf_flowtrack must reach.
#
#   scenarios.sh [--update] [-k VERSION] [NAME...]
#   scenarios.sh --quick         some of them, shorter, on one kernel: what the check runs
#
# Writes build/scenarios.md and build/scenarios.json: all figures, side by side, and the commands that they came from.
# They hold the scenarios of this run only; the quick ones are in build/scenarios-quick.md and .json.

set -euo pipefail
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

HERE=$TOP/tools/testing/scenarios

QUICK=(syn_flood greedy)

arguments=() kernels=("${KERNELS[@]}") output=scenarios
while [ $# -gt 0 ]; do
	case $1 in
	-k) kernels=("$2") && shift ;;
	--quick)
		arguments+=("${QUICK[@]}") kernels=(6.12) output=scenarios-quick
		export FT_QUICK=1
		;;
	*) arguments+=("$1") ;;
	esac
	shift
done

mkdir -p "$LOGS"
make -C "$HERE/traffic" O="$TOP/build/traffic" -j"$JOBS" >"$LOGS/traffic-build.log" 2>&1 || {
	cat "$LOGS/traffic-build.log" >&2
	die "the traffic generators do not build"
}
export FT_TESTS=$HERE FT_TRAFFIC=$TOP/build/traffic/traffic SELFTEST_TIMEOUT=3600
rm -rf "$LOGS"/scenarios-*
counts=$(mktemp)
trap 'rm -f "$counts"' EXIT
passed=0 failed=0 skipped=0
# One kernel after the other: two guests at once would slow each other down.
for kernel in "${kernels[@]}"; do
	: >"$counts"
	FLOWTRACK_COUNTS=$counts "$TOP/tools/testing/selftest.sh" -k "$kernel" "${arguments[@]}" |
		sed -E '/^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$/d' || true
	read -r _ p f s <"$counts" || p=0 f=1 s=0
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
done
"$PYTHON" "$TOP/tools/testing/scenarios_report.py" "$LOGS" "$TOP/build/$output" || failed=$((failed + 1))
report_counts $passed $failed $skipped
[ $failed -eq 0 ] && [ $((passed + skipped)) -gt 0 ]
