#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The tool's unit tests, built with the address and the undefined behaviour sanitizer.

set -euo pipefail
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

SANITIZE='-fsanitize=address,undefined -fno-sanitize-recover=all'

mkdir -p "$LOGS"
log=$LOGS/tool-test.log
status=0
make -s -C "$TOP/tools/flowtrack" check O="$TOP/build/tool-test" -j"$JOBS" CFLAGS="-O1 -g $SANITIZE" \
	</dev/null >"$log" 2>&1 || status=$?
judge plain "$log" $status || status=1
report_counts "${judged[@]}"
exit $status
