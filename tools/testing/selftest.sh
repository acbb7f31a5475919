#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The system tests: one guest per kernel, in it every selftests/*.sh and *.py, one after the other; on the newest kernel
# some of them (NEWEST), when the first of the other guests is through. Two guests run side by side. Where the machine
# has no two CPUs for each of them, they have one: two emulated CPUs that wait for each other take twice the time. Tests
# that say "# CPUS: 2" are about what happens on two at once, and follow in a guest that has two. Where both guests want
# more than there is, a test that measures time may fail for want of it: a few that failed run once more, in a guest that
# has the machine for itself, and that says so. Only what the kernel complained of in the first run still counts. A guest
# that its emulator killed is another matter: the rest of the tests run in one whose CPUs take turns.
#
#   selftest.sh [--update] [-k VERSION] [TEST...]        VERSION: 6.1, 6.12, newest, newest-arm64, 6.1-rt, 6.12-rt,
#                                                      6.12-debug or 6.12-kcsan
#
# A test prints KTAP and exits with 0 (passed), 1 (failed) or 4 (skipped). It finds FT_KO (the module), FT_TOOL (the
# tool), KERNEL (VERSION) and RESULTS (a directory that outlives the guest) in its environment, may take
# DEFAULT_TIMEOUT seconds unless a line "# TIMEOUT: SECONDS" in it says otherwise, and starts without the module
# loaded. TEST is a file's name, with or without .sh or .py.
# Checked from outside: the expected number of cases, the kernel's log and taint, that the module can be unloaded.
# FT_CPUS: how many CPUs a guest has, whatever its tests say.
# FT_UNTIL: tests that have not begun by then are not run, and count as skipped: see check.sh.
# --update writes the counts of this run into selftests/expected. FT_TESTS: another directory than selftests.

# shellcheck disable=SC2153 # KERNEL and RESULTS come from vm.sh
set -euo pipefail
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

# scenarios.sh has a directory of its own. Exported by an FT_ name, so that the guest sees the same.
export FT_TESTS=${FT_TESTS:-$TOP/tools/testing/selftests}
TESTS=$FT_TESTS
DEFAULT_TIMEOUT=120
# Of a guest, if the machine has them.
CPUS=2
# Tests of a guest that may run again: if more have failed, that is not for want of time.
AGAIN_MAX=3
# On the newest kernel, and on arm64: what an API that has changed would break.
NEWEST=(states_nft.py nat_beside.py policies.py emergency.py ctnetlink.py unload.py ynl.py stress.py)
# With PREEMPT_RT: where packets, timers and user space meet on a CPU.
RT=(states_nft.py nfqueue.py events.py guard.py ahead.py netns.py unload.py stress.py hotplug.py)
# A kernel with all checks is so many times slower, and so is an emulated CPU of another kind.
DEBUG_FACTOR=5
FOREIGN_FACTOR=2

test_timeout() {
	local seconds
	seconds=$(sed -n 's/^# *TIMEOUT: *\([0-9]*\).*/\1/p' "$1" | head -n 1)
	echo $((${seconds:-$DEFAULT_TIMEOUT} * ${FT_SLOW:-1}))
}

all_tests() {
	find "$TESTS" -maxdepth 1 \( -name '*.sh' -o -name '*.py' \) ! -name 'lib*' -printf '%f\n' | sort
}

# NAME, NAME.sh or NAME.py -> the file's name.
find_test() {
	local name
	for name in "$1" "$1.sh" "$1.py"; do
		if [ -f "$TESTS/$name" ]; then
			echo "$name"
			return
		fi
	done
	die "no test '$1' in ${TESTS#"$TOP/"}"
}

# From here to guest(): what runs in the guest.
taint() {
	cat /proc/sys/kernel/tainted
}

mark() {
	# As an error, so that it is on the console too, where the log of a dying kernel is.
	echo "<3>flowtrack-selftest: $*" >/dev/kmsg
}

# A test that dies must not fail its successors: no namespaces, no module.
clean_up() {
	local name=$1 ns pids
	for ns in /run/netns/*; do
		[ -e "$ns" ] || continue
		ns=${ns##*/}
		pids=$(ip netns pids "$ns")
		# shellcheck disable=SC2086 # a list
		[ -z "$pids" ] || kill -9 $pids 2>/dev/null || true
		ip netns del "$ns"
	done
	! grep -q '^nf_tables ' /proc/modules || nft flush ruleset || true
	! grep -q '^nf_flowtrack_ctnetlink ' /proc/modules || rmmod nf_flowtrack_ctnetlink || true
	if grep -q '^nf_flowtrack ' /proc/modules && ! timeout -k 5 $((30 * FT_SLOW)) rmmod nf_flowtrack; then
		echo "the module cannot be unloaded" >>"$RESULTS/$name.leftover"
	fi
}

run_test() {
	local name=$1 file=$TESTS/$1 status=0 start before tenths
	mark "begin $name"
	# What the test may take, and clean_up().
	echo $(($(test_timeout "$file") + 60 * FT_SLOW)) >"$RESULTS/.idle"
	start=${EPOCHREALTIME/./}
	before=$(taint)
	case $name in
	*.py) set -- /usr/bin/python3 "$file" ;;
	*) set -- /bin/bash "$file" ;;
	esac
	# In a directory of its own: a relative path in a test must not depend on who ran before.
	(cd "$(mktemp -d)" && timeout -k 10 "$(test_timeout "$file")" "$@") </dev/null >"$RESULTS/$name.log" 2>&1 || status=$?
	clean_up "$name" >>"$RESULTS/$name.log" 2>&1
	echo "$before $(taint)" >"$RESULTS/$name.taint"
	tenths=$(((${EPOCHREALTIME/./} - start) / 100000))
	echo "$((tenths / 10)).$((tenths % 10))" >"$RESULTS/$name.seconds"
	mark "end $name"
	echo "$status" >"$RESULTS/$name.status"
	echo "# [$KERNEL] $name: exit $status after $((tenths / 10)) s"
}

guest() {
	local name i
	# Streamed, so that it survives the guest, and a test that clears the log hides nothing.
	dmesg -w >"$RESULTS/kmsg" &
	forget_leaks
	for name in "$@"; do
		if is_late "${FT_UNTIL:-}"; then
			: >"$RESULTS/$name.unrun"
			continue
		fi
		run_test "$name"
	done
	log_leaks
	mark "end of-all-tests"
	for ((i = 0; i < 50; i++)); do
		! grep -q 'end of-all-tests' "$RESULTS/kmsg" || break
		sleep 0.1
	done
}

if [ "${1:-}" = --guest ]; then
	shift
	guest "$@"
	exit
fi

build_module() {
	local version=$1 rel log=$LOGS/module-$1-build.log
	rel=$(kernel_release "$version")
	{
		build_for "$version" B="$TOP/build/$rel" &&
			build_for "$version" B="$TOP/build/$rel-stress" STRESS=1
	} >"$log" 2>&1 || {
		cat "$log" >&2
		die "the module does not build for $version"
	}
	echo "$TOP/build/$rel/nf_flowtrack.ko"
}

# What others wrote, from its source: the programs of the kernel's tests of netfilter, and the library's examples of
# clients of ctnetlink.
foreign_programs() {
	local out=$TOP/build/foreign selftests file
	selftests=$(kernel_source 6.12)/tools/testing/selftests
	mkdir -p "$out"
	for file in "$selftests"/net/netfilter/{conntrack_dump_flush,conntrack_reverse_clash,nf_queue,sctp_collision}.c; do
		cc -O2 -I"$selftests" -I"$selftests/net" -o "$out/$(basename "$file" .c)" "$file" -lmnl
	done
	for file in "$FT_SERVERS"/usr/share/doc/libnetfilter-conntrack-dev/examples/nfct-mnl-*.c; do
		cc -O2 -I"$FT_SERVERS/usr/include" -o "$out/$(basename "$file" .c)" "$file" -l:libnetfilter_conntrack.so.3 -lmnl
	done
	echo "$out"
}

# Programs that tests start over and over.
WARM=(bash ip nft conntrack python3 iptables-nft iptables-legacy iptables-nft-restore modprobe sysctl timeout nsenter ping curl nc ss
	tc iperf3 ipvsadm sleep sed grep cat cut head tail mktemp rm)

# What a guest shall have in its memory: programs, the libraries of them, and Python's.
warm_files() {
	local program
	{
		for program in "${WARM[@]}" "$FT_TOOL"; do
			program=$(PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin command -v "$program") || continue
			echo "$program"
			ldd "$program" 2>/dev/null | grep -o '/[^ ]*' || true
		done
		echo /etc/ld.so.cache
		PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$TOP/tools/testing/selftests "$PYTHON" -c '
import sys, hashlib, http.server, selectors, yaml, lib_net
for module in list(sys.modules.values()):
    print(getattr(module, "__cached__", None) or getattr(module, "__file__", None))'
	} | xargs -d '\n' realpath -q -e | sort -u
}

# Downloads and builds, one kernel after the other.
prepare() {
	modules[$1]=$(build_module "$1")
	"$TOP/tools/testing/vm.sh" image "$1" >/dev/null
}

# run_guest VERSION CPUS TEST...
run_guest() {
	local version=$1 cpus=${FT_CPUS:-$2} results=$LOGS/${TESTS##*/}-$1
	shift 2
	rm -rf "$results"
	mkdir -p "$results"
	export FT_SLOW=1
	case $version in
	*-debug | *-kcsan) FT_SLOW=$DEBUG_FACTOR ;;
	*-arm64) FT_SLOW=$FOREIGN_FACTOR ;;
	esac
	FT_KO=${modules[$version]} FT_STRESS_KO=$TOP/build/$(kernel_release "$version")-stress/ft_stress.ko \
		"$TOP/tools/testing/vm.sh" run -c "$cpus" -m "${SELFTEST_MEM:-$((FT_SLOW > 1 ? 4 : 2))G}" \
		-t "$((${SELFTEST_TIMEOUT:-3600} * FT_SLOW))" -i $((120 * FT_SLOW)) \
		-o "$results" -w "$LOGS/warm" "$version" "$TOP/tools/testing/selftest.sh" --guest "$@"
}

# Names of the tests whose cases failed in a guest that came to its end. Not of those that hung.
failed_tests() {
	local results=$1 name status
	shift
	for name in "$@"; do
		status=$(cat "$results/$name.status" 2>/dev/null) || return 0
		[ "$status" != 1 ] || echo "$name"
	done
}

# set_aside VERSION NAME: what a guest left, for the guest that follows it.
set_aside() {
	local results=$LOGS/${TESTS##*/}-$1
	rm -rf "$results-$2"
	mv "$results" "$results-$2"
	mv "$LOGS/vm-$1-console.log" "$LOGS/vm-$1-$2.log"
}

# bring_back VERSION NAME SUFFIX TEST...: as one, what was set aside, and for these tests the guest's since then. Both
# logs, each under the names of its tests.
bring_back() {
	local results=$LOGS/${TESTS##*/}-$1 version=$1 aside=$2 suffix=$3 name
	shift 3
	rm -rf "$results-$suffix"
	mv "$results" "$results-$suffix"
	mv "$results-$aside" "$results"
	for name in "$@"; do
		cp "$results-$suffix/$name".{status,log,seconds} "$results/" 2>/dev/null || rm -f "$results/$name.status"
		# What was wrong the first time stays so.
		cp -n "$results-$suffix/$name".{taint,leftover,unrun} "$results/" 2>/dev/null || true
	done
	cat "$results-$suffix/kmsg" >>"$results/kmsg"
	cat "$LOGS/vm-$version-console.log" >>"$LOGS/vm-$version-$aside.log"
	mv "$LOGS/vm-$version-$aside.log" "$LOGS/vm-$version-console.log"
}

# Does a test want two CPUs?
wants_two() {
	grep -q '^# *CPUS: *2' "$TESTS/$1"
}

# run_guests VERSION TEST...: in a guest of two CPUs, or, where there are fewer for it, as many as can be in one of one CPU
# first. TEST...: as in_order() has them.
run_guests() {
	local version=$1 name few=() many=() status=0
	shift
	for name in "$@"; do
		if [ "$guest_cpus" -ge $CPUS ] || wants_two "$name"; then
			many+=("$name")
		else
			few+=("$name")
		fi
	done
	if [ ${#few[@]} -gt 0 ]; then
		run_guest "$version" 1 "${few[@]}" || return
		[ ${#many[@]} -gt 0 ] || return 0
		set_aside "$version" one
	fi
	run_guest "$version" $CPUS "${many[@]}" || status=$?
	[ ${#few[@]} -eq 0 ] || bring_back "$version" one two "${many[@]}"
	return $status
}

# From the test on that the emulator interrupted. What its kernel said then is not counted, only shown.
go_on_elsewhere() {
	local version=$1 results=$LOGS/${TESTS##*/}-$1 status=0 log
	shift
	while [ -e "$results/$1.status" ]; do
		shift
	done
	echo "# [$version] the emulator killed the guest during $1:"
	grep -a -m 1 -A 12 -E 'int3: 0000|rcu: INFO: .*stall' "$LOGS/vm-$version-console.log" || true
	set_aside "$version" killed
	for log in "$results-killed/kmsg" "$LOGS/vm-$version-killed.log"; do
		sed -i -e "/flowtrack-selftest: begin $1\$/,\$d" -e '/int3: 0000 \[#1\]/,$d' "$log"
	done
	FLOWTRACK_ACCEL=$ONE_AT_A_TIME run_guest "$version" $CPUS "$@" || status=$?
	bring_back "$version" killed "then" "$@"
	return $status
}

again_alone() {
	local version=$1 results=$LOGS/${TESTS##*/}-$1 name late
	shift
	mapfile -t late < <(failed_tests "$results" "$@")
	[ ${#late[@]} -gt 0 ] && [ ${#late[@]} -le $AGAIN_MAX ] || return 0
	for name in "${late[@]}"; do
		echo "# [$version] $name failed beside the other guest:"
		grep -A 8 '^not ok' "$results/$name.log" | head -n 20 || true
	done
	set_aside "$version" beside
	# However late it is: what has failed must not count as not begun.
	FT_UNTIL='' run_guest "$version" $CPUS "${late[@]}" || note "the $version guest for these alone ended with status $?"
	bring_back "$version" beside alone "${late[@]}"
}

judge_guest() {
	local version=$1 status=$2
	local judging=("${options[@]}")
	shift 2
	# --all is about the kernels that run all tests.
	[ "$version" != newest ] || [ ${#newest[@]} -eq 0 ] ||
		mapfile -t judging < <(printf '%s\n' "${options[@]}" | grep -vxF -e --all -e '')
	[ "$status" -eq 0 ] || note "the $version guest ended with status $status"
	judge selftest --kernel "$version" --expected "$TESTS/expected" --console "$LOGS/vm-$version-console.log" \
		"${judging[@]}" "$LOGS/${TESTS##*/}-$version" "$@" || true
	passed=$((passed + judged[0])) failed=$((failed + judged[1])) skipped=$((skipped + judged[2]))
	[ "$status" -eq 0 ] || failed=$((failed + 1))
}

options=() kernels=("${KERNELS[@]}") names=() newest=()
while [ $# -gt 0 ]; do
	case $1 in
	--update) options+=(--update) ;;
	-k) kernels=("${2/#7*/newest}") one=$2 && shift ;;
	-*) die "usage: selftest.sh [--update] [-k VERSION] [TEST...]" ;;
	*) names+=("$(find_test "$1")") ;;
	esac
	shift
done
if [ ${#names[@]} -eq 0 ] && [ "${one:-}" = newest-arm64 ]; then
	names=("${NEWEST[@]}")
elif [ ${#names[@]} -eq 0 ] && [[ ${one:-} = *-rt ]]; then
	names=("${RT[@]}")
elif [ ${#names[@]} -eq 0 ]; then
	mapfile -t names < <(all_tests)
	options+=(--all)
	[ ${#names[@]} -gt 0 ] || die "no tests in $TESTS"
fi
if [ -z "${one:-}" ] && [ "$TESTS" = "$TOP/tools/testing/selftests" ]; then
	mapfile -t newest < <(printf '%s\n' "${names[@]}" | grep -xFf <(printf '%s\n' "${NEWEST[@]}"))
fi

mkdir -p "$LOGS"
export FT_TOOL=$TOP/tools/flowtrack/flowtrack
if [ "${one:-}" = newest-arm64 ]; then
	FT_TOOL=$TOP/build/tool-arm64/flowtrack
	"$TOP/tools/testing/roots.sh" tool newest-arm64 B="${FT_TOOL%/*}"
else
	make -C "$TOP" tool
fi >"$LOGS/tool-build.log" 2>&1 || {
	cat "$LOGS/tool-build.log" >&2
	die "the tool does not build"
}
# The kernel's own client of generic netlink families, whatever kernel runs.
FT_YNL=$(kernel_source 6.12)/tools/net/ynl
# What no test starts by the name of an installed program.
FT_SERVERS=$(servers)
FT_FOREIGN=$(foreign_programs 2>"$LOGS/foreign-build.log") || {
	cat "$LOGS/foreign-build.log" >&2
	die "the foreign programs do not build"
}
FT_CONNTRACK_TOOLS=$(conntrack_tools 2>"$LOGS/conntrack-tools.log") || FT_CONNTRACK_TOOLS=
export FT_YNL FT_SERVERS FT_FOREIGN FT_CONNTRACK_TOOLS
warm_files >"$LOGS/warm" || true
# Those of one CPU first, as run_guests() has them.
in_order() {
	local name
	for name in "$@"; do
		wants_two "$name" || echo "$name"
	done
	for name in "$@"; do
		! wants_two "$name" || echo "$name"
	done
}

# tests_of KERNEL: the names, one a line.
tests_of() {
	if [ "$1" = newest ] && [ ${#newest[@]} -gt 0 ]; then
		in_order "${newest[@]}"
	else
		in_order "${names[@]}"
	fi
}

start_guest() {
	local tests
	mapfile -t tests < <(tests_of "$1")
	run_guests "$1" "${tests[@]}" &
	guests[$!]=$1
}

declare -A modules guests ended
passed=0 failed=0 skipped=0
for kernel in "${kernels[@]}"; do
	prepare "$kernel"
done
# For each of those that run side by side.
guest_cpus=$((JOBS / ${#kernels[@]}))
for kernel in "${kernels[@]}"; do
	start_guest "$kernel"
done
# The newest takes the place of the first that is through. What it needs is built meanwhile, with what they leave.
later=()
if [ ${#newest[@]} -gt 0 ]; then
	if (kernel_release newest) >/dev/null; then
		later=(newest)
		(renice -n 19 $BASHPID && prepare newest) >/dev/null 2>&1 &
		preparing=$!
	else
		echo "# the newest kernel's packages cannot be had: not tested on it"
		skipped=$((skipped + ${#newest[@]}))
	fi
fi
while [ ${#guests[@]} -gt 0 ]; do
	status=0
	wait -n -p pid "${!guests[@]}" || status=$?
	ended[${guests[$pid]}]=$status
	unset "guests[$pid]"
	for kernel in "${later[@]}"; do
		# Again, for what it says if it cannot be.
		wait "$preparing" || true
		prepare "$kernel"
		start_guest "$kernel"
		kernels+=("$kernel")
	done
	later=()
done
for kernel in "${kernels[@]}"; do
	mapfile -t tests < <(tests_of "$kernel")
	if [ "${ended[$kernel]}" -eq $EMULATOR_FAULT ]; then
		status=0
		go_on_elsewhere "$kernel" "${tests[@]}" || status=$?
		ended[$kernel]=$status
	fi
	if [ ${#kernels[@]} -gt 1 ] && [ "${ended[$kernel]}" -eq 0 ]; then
		again_alone "$kernel" "${tests[@]}"
	fi
	judge_guest "$kernel" "${ended[$kernel]}" "${tests[@]}"
done
report_counts $passed $failed $skipped
[ $failed -eq 0 ] && [ $((passed + skipped)) -gt 0 ]
