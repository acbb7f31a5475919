#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The KUnit suites: builds the module with kunit/*_test.c linked in, loads it into a User-Mode Linux that has KASAN,
# lockdep, kmemleak and the rest, unloads it, and judges the kernel's log.
#
#   kunit.sh [--update] [SUITE]      --update writes the counts of this run into kunit/expected

set -euo pipefail
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

update=()
suite=

# Runs inside. The marks tell the judge what is the kernel's own start, and that the end was reached.
guest() {
	local ko=$1 suite=$2 leak=/sys/kernel/debug/kmemleak
	[ -z "$suite" ] || printf %s "$suite" >/sys/module/kunit/parameters/filter_glob
	# Leaks of the boot are not ours.
	echo scan >$leak && echo clear >$leak
	echo "flowtrack-kunit: begin" >/dev/kmsg
	insmod "$ko" || echo "WARNING: insmod failed" >/dev/kmsg
	rmmod nf_flowtrack || echo "WARNING: rmmod failed" >/dev/kmsg
	# kmemleak ignores what is younger than 5 s, and believes only what two scans agree on.
	sleep 5.5
	echo scan >$leak && echo scan >$leak
	sed 's/^/kmemleak: /' $leak >/dev/kmsg
	echo "flowtrack-kunit: end" >/dev/kmsg
}

if [ "${1:-}" = --guest ]; then
	guest "$2" "${3:-}"
	exit
fi
if [ "${1:-}" = --update ]; then
	update=(--update)
	shift
fi
suite=${1:-}

kdir=$("$TOP/tools/testing/uml.sh" build kunit)
mkdir -p "$LOGS"
build_log=$LOGS/kunit-build.log
# W=1 is lint's; here warnings must not hide in a log that nobody reads either.
if ! make -C "$TOP" module KDIR="$kdir" KUNIT=1 B="$TOP/build/uml-kunit" -j"$JOBS" >"$build_log" 2>&1; then
	cat "$build_log"
	die "the module does not build with its KUnit suites"
fi
log=$LOGS/kunit-dmesg.log
rm -f "$log"
status=0
FLOWTRACK_UML_DMESG=$log "$TOP/tools/testing/uml.sh" run -t "${KUNIT_TIMEOUT:-300}" kunit \
	"$TOP/tools/testing/kunit.sh" --guest "$TOP/build/uml-kunit/nf_flowtrack.ko" "$suite" || status=$?
[ $status -eq 0 ] || note "the User-Mode Linux ended with status $status"
judge kunit --expected "$TOP/kunit/expected" "${update[@]}" ${suite:+--only "$suite"} "$log" || status=1
report_counts "${judged[@]}"
exit $status
