#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The tool's unit tests, built with the address and the undefined behaviour sanitizer; and the JSON that the verbs print
# there, against its schema.

set -euo pipefail
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

SANITIZE='-fsanitize=address,undefined -fno-sanitize-recover=all'

mkdir -p "$LOGS"
log=$LOGS/tool-test.log
export FLOWTRACK_TEST_JSON=$LOGS/tool-json
rm -f "$FLOWTRACK_TEST_JSON"
status=0
make -s -C "$TOP/tools/flowtrack" check O="$TOP/build/tool-test" -j"$JOBS" CFLAGS="-O1 -g $SANITIZE" \
	</dev/null >"$log" 2>&1 || status=$?
judge plain "$log" $status || status=1
if said=$("$PYTHON" "$TOP/tools/testing/schema.py" "$FLOWTRACK_TEST_JSON" 2>&1); then
	judged[0]=$((judged[0] + 1))
else
	printf 'not ok schema: the JSON is not as it says\n%s\n' "$said"
	judged[1]=$((judged[1] + 1)) status=1
fi
report_counts "${judged[@]}"
exit $status
