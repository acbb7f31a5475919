#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Every test there is, from whatever state the machine is in: install, lint, KUnit, the system tests, a quick benchmark.
# The last line says "N passed, N failed, N skipped"; the exit status is 0 only if nothing failed.

set -euo pipefail
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

passed=0 failed=0 skipped=0
summary=()

# part NAME COMMAND...: a part that fails without having counted anything is one failure itself.
part() {
	local name=$1 start=$SECONDS status=0 p=0 f=0 s=0
	shift
	printf '\n== %s\n' "$name"
	: >"$FLOWTRACK_COUNTS"
	# The counts are summed here; a line like the last one must appear only once.
	"$@" 2>&1 | sed -E '/^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$/d' || status=$?
	read -r _ p f s < <(tail -n 1 "$FLOWTRACK_COUNTS") || true
	p=${p:-0} f=${f:-0} s=${s:-0}
	if [ $status -ne 0 ] && [ "$f" -eq 0 ]; then
		f=1
	elif [ $((p + f + s)) -eq 0 ]; then
		echo "not ok $name: it reported nothing"
		f=1
	fi
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
	summary+=("$(printf '%-10s %5d passed %3d failed %3d skipped %5d s' "$name" "$p" "$f" "$s" $((SECONDS - start)))")
}

deps() {
	"$TOP/tools/testing/deps.sh" && report_counts 1 0 0
}

[ "$(id -u)" -eq 0 ] || die "must be root: it installs packages, and the guests share the file system: sudo make check"
mkdir -p "$LOGS"
FLOWTRACK_COUNTS=$(mktemp)
export FLOWTRACK_COUNTS
trap 'rm -f "$FLOWTRACK_COUNTS"' EXIT

part deps deps
part lint "$TOP/tools/testing/lint.sh"
part tool "$TOP/tools/testing/tool.sh"
part kunit "$TOP/tools/testing/kunit.sh"
part selftest "$TOP/tools/testing/selftest.sh"
part scenarios "$TOP/tools/testing/scenarios.sh" --quick
part bench "$TOP/tools/bench/bench.sh" --quick

printf '\n'
printf '%s\n' "${summary[@]}"
printf 'in %d s\n%d passed, %d failed, %d skipped\n' $SECONDS $passed $failed $skipped
[ $failed -eq 0 ]
