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
	local ko=$1 suite=$2
	[ -z "$suite" ] || printf %s "$suite" >/sys/module/kunit/parameters/filter_glob
	# Leaks of the boot are not ours.
	forget_leaks
	echo "flowtrack-kunit: begin" >/dev/kmsg
	insmod "$ko" || echo "WARNING: insmod failed" >/dev/kmsg
	# This kernel has it built in, so that ctnetlink for both tables cannot be there.
	dmesg | grep 'nf_flowtrack: nf_conntrack_netlink is built into this kernel: ' >/dev/null ||
		echo "WARNING: nobody is told that nf_conntrack_netlink is built in" >/dev/kmsg
	rmmod nf_flowtrack || echo "WARNING: rmmod failed" >/dev/kmsg
	log_leaks
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
# For lint, which reads the log: see check_gcc_kunit() there. An object that is there would say nothing.
[ -z "${FLOWTRACK_KUNIT_LOG:-}" ] || rm -rf "$TOP/build/uml-kunit"
if ! make_module B="$TOP/build/uml-kunit" KDIR="$kdir" KUNIT=1 >"$build_log" 2>&1; then
	cat "$build_log"
	die "the module does not build with its KUnit suites"
fi
if [ -n "${FLOWTRACK_KUNIT_LOG:-}" ]; then
	cp "$build_log" "$FLOWTRACK_KUNIT_LOG.tmp"
	mv "$FLOWTRACK_KUNIT_LOG.tmp" "$FLOWTRACK_KUNIT_LOG"
fi
log=$LOGS/kunit-dmesg.log
rm -f "$log"
status=0
FLOWTRACK_UML_DMESG=$log "$TOP/tools/testing/uml.sh" run -t "${KUNIT_TIMEOUT:-300}" kunit \
	"$TOP/tools/testing/kunit.sh" --guest "$TOP/build/uml-kunit/nf_flowtrack.ko" "$suite" || status=$?
if [ $status -eq $NO_UML ]; then
	echo "not ok kunit: not run, since User-Mode Linux cannot run on this machine (see above)"
	report_counts 0 1 0
	exit 1
fi
[ $status -eq 0 ] || note "the User-Mode Linux ended with status $status"
judge kunit --expected "$TOP/kunit/expected" "${update[@]}" ${suite:+--only "$suite"} "$log" || status=1
counts=("${judged[@]}")
if [ -z "$suite" ]; then
	hosts=$LOGS/uml-hosts.log hosts_status=0
	"$TOP/tools/testing/uml/hosts.sh" >"$hosts" 2>&1 || hosts_status=$?
	judge plain "$hosts" $hosts_status || status=1
	for i in 0 1 2; do
		counts[i]=$((counts[i] + judged[i]))
	done
fi
report_counts "${counts[@]}"
exit $status
