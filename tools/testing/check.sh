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

# run_part DIR COMMAND...: its counts, status and duration go to files of DIR.
run_part() {
	local dir=$1 start=$SECONDS status=0
	shift
	: >"$dir/counts"
	# The counts are summed here; a line like the last one must appear only once.
	FLOWTRACK_COUNTS=$dir/counts "$@" 2>&1 | sed -uE '/^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$/d' || status=$?
	echo "$status $((SECONDS - start))" >"$dir/status"
}

# sum_up NAME DIR: a part that fails without having counted anything is one failure itself.
sum_up() {
	local name=$1 dir=$2 status=1 seconds=0 p=0 f=0 s=0
	read -r status seconds <"$dir/status" || true
	read -r _ p f s < <(tail -n 1 "$dir/counts") || true
	p=${p:-0} f=${f:-0} s=${s:-0}
	if [ "$status" -ne 0 ] && [ "$f" -eq 0 ]; then
		f=1
	elif [ $((p + f + s)) -eq 0 ]; then
		echo "not ok $name: it reported nothing"
		f=1
	fi
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
	summary+=("$(printf '%-10s %5d passed %3d failed %3d skipped %5d s' "$name" "$p" "$f" "$s" "$seconds")")
}

# part NAME COMMAND...
part() {
	local name=$1 dir=$WORK/$1
	shift
	mkdir "$dir"
	printf '\n== %s\n' "$name"
	run_part "$dir" "$@"
	sum_up "$name" "$dir"
}

# Only with what nobody else wants of the CPUs.
when_idle() {
	if chrt -i 0 true 2>/dev/null; then
		chrt -i 0 "$@"
	else
		nice -n 19 "$@"
	fi
}

# begin_beside NAME COMMAND... and end_beside NAME: a part beside others, in which nothing depends on time.
begin_beside() {
	local name=$1 dir=$WORK/$1
	shift
	mkdir "$dir"
	# A process group of its own, which can be killed as a whole.
	set -m
	run_part "$dir" "$@" </dev/null >"$dir/out" 2>&1 &
	set +m
	beside[$name]=$!
}

end_beside() {
	local name=$1 dir=$WORK/$1
	wait "${beside[$name]}" || true
	unset "beside[$name]"
	printf '\n== %s\n' "$name"
	cat "$dir/out"
	sum_up "$name" "$dir"
}

clean_up() {
	local pid
	for pid in "${beside[@]}"; do
		kill -- "-$pid" 2>/dev/null || true
	done
	rm -rf "$WORK"
}

deps() {
	"$TOP/tools/testing/deps.sh" && report_counts 1 0 0
}

[ "$(id -u)" -eq 0 ] || die "must be root: it installs packages, and the guests share the file system: sudo make check"
mkdir -p "$LOGS"
WORK=$(mktemp -d)
declare -A beside=()
trap clean_up EXIT
trap 'exit 130' INT TERM

# CI gives a run 90 minutes, and some machines need more. What has not begun by then is skipped, and counted as skipped;
# what has begun comes to its end.
began=$(date +%s)
until_minute() {
	[ "${CI:-}" != true ] || echo $((began + $1 * 60))
}
LINT_UNTIL=$(until_minute 70)
export LINT_UNTIL

part deps deps
# The module with its suites is compiled once, for two parts.
export FLOWTRACK_KUNIT_LOG=$WORK/kunit-build.log
# Half of the compiling that there is: it takes whatever the others leave of the CPUs.
begin_beside lint when_idle "$TOP/tools/testing/lint.sh"
part tool "$TOP/tools/testing/tool.sh"
# Two User-Mode Linuxes, of one CPU each.
begin_beside bench "$TOP/tools/bench/bench.sh" --quick
part kunit "$TOP/tools/testing/kunit.sh"
end_beside bench
# As many packets and flows as fit: the whole tests have forty and four times as many.
export FT_TWINS=${FT_TWINS:-5000} FT_CHURN_FLOWS=${FT_CHURN_FLOWS:-25000}
FT_UNTIL=$(until_minute 53)
export FT_UNTIL
part selftest "$TOP/tools/testing/selftest.sh"
FT_UNTIL=$(until_minute 67)
# A system that boots has time limits of its own: beside one guest only.
begin_beside packages "$TOP/tools/testing/packages.sh"
part scenarios "$TOP/tools/testing/scenarios.sh" --quick
end_beside packages
end_beside lint

printf '\n'
printf '%s\n' "${summary[@]}"
printf 'in %d s\n%d passed, %d failed, %d skipped\n' $SECONDS $passed $failed $skipped
[ $failed -eq 0 ]
