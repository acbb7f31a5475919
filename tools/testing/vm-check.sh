#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What vm.sh makes of a machine that hangs: in the place of QEMU there is a program that hangs as often as it is told.

set -euo pipefail
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

WORK=$(mktemp -d "${TMPDIR:-/tmp}/flowtrack-vm-check.XXXXXX")
trap 'rm -rf "$WORK"' EXIT
mkdir "$WORK/out"
cat >"$WORK/qemu-system-x86_64" <<'FAKE'
#!/bin/bash
# Hangs in the first FAKE_HANGS calls, then ends with the status 7, or falls silent behind its init.
cd "$FAKE_WORK"
echo "$*" >>calls
[ "$(wc -l <calls)" -gt "$FAKE_HANGS" ] || exec sleep 60
echo up >out/.boot
[ "$FAKE_SILENT" = n ] || { echo 1 >out/.idle && exec sleep 60; }
echo 7 >out/.status
FAKE
chmod 755 "$WORK/qemu-system-x86_64"

# expect NAME HANGS SILENT STATUS STARTS IN_TURNS
expect() {
	local name=$1 status=0 calls in_turns
	: >"$WORK/calls"
	FAKE_WORK=$WORK FAKE_HANGS=$2 FAKE_SILENT=$3 FLOWTRACK_BOOT_SECONDS=1 FLOWTRACK_CONSOLE=$WORK/console \
		PATH=$WORK:$PATH FLOWTRACK_ACCEL='' "$TOP/tools/testing/vm.sh" run -t 30 -i 20 -o "$WORK/out" "$OWN_KERNEL" true \
		>"$WORK/log" 2>&1 || status=$?
	calls=$(wc -l <"$WORK/calls")
	in_turns=$(tail -n 1 "$WORK/calls" | grep -c thread=single) || true
	if [ "$status $calls $in_turns" != "$4 $5 $6" ]; then
		cat "$WORK/log"
		die "$name: status, starts, whether the last one has CPUs that take turns: $status $calls $in_turns, not $4 $5 $6"
	fi
}

: >"$WORK/console"
expect "a guest that boots" 0 n 7 1 0
expect "a guest that hangs once before its init" 1 n 7 2 0
expect "a guest that never gets as far as its init" 9 n 125 3 1
expect "a guest that falls silent" 0 y 124 1 0
