#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What happens when the table is full, with nf_conntrack alone and with nf_flowtrack: demo-guest.sh, on a stock Debian
# kernel in QEMU. Nothing of it touches the host's network.
#
#   demo.sh [-k VERSION]        6.1 or 6.12; by default what the machine's release of Debian has

set -euo pipefail
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

version=$OWN_KERNEL
while getopts k: opt; do
	case $opt in
	k) version=$OPTARG ;;
	*) die "usage: demo.sh [-k VERSION]" ;;
	esac
done

"$TOP/tools/testing/deps.sh"
start=$SECONDS
rel=$(kernel_release "$version")
mkdir -p "$LOGS"
note "building the module for $rel, and the tool"
if ! make -C "$TOP" -j"$JOBS" KDIR="/usr/src/linux-headers-$rel" module tool >"$LOGS/demo-build.log" 2>&1; then
	tail -n 30 "$LOGS/demo-build.log" >&2
	die "the build failed; the whole output is in $LOGS/demo-build.log"
fi
export FT_KO=$TOP/build/$rel/nf_flowtrack.ko FT_TOOL=$TOP/tools/flowtrack/flowtrack
note "starting a virtual machine with Debian's stock kernel $rel"
machine=("$TOP/tools/testing/vm.sh" run -t 900 "$version" "$TOP/tools/testing/demo-guest.sh") status=0
"${machine[@]}" || status=$?
if [ "$status" -eq $EMULATOR_FAULT ]; then
	note "once more, in one that this cannot happen to"
	status=0
	FLOWTRACK_ACCEL=$ONE_AT_A_TIME "${machine[@]}" || status=$?
fi
note "took $((SECONDS - start)) s after the downloads"
exit "$status"
