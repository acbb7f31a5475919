#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# User-Mode Linux kernels for KUnit and for the benchmark.
#
#   uml.sh build [FLAVOUR]                  make it if it is not cached; print its directory (a KDIR for modules)
#   uml.sh run [-m MEM] [-t SECONDS] [FLAVOUR COMMAND [ARG...]
#                                           boot it on the host's file system, run COMMAND as root in it, pass on
#                                           its exit status. 124: it did not end in time. 125: it died. 126: it
#                                           cannot run on this machine, and the last line says why.
# FLAVOUR: kunit (default; KASAN, lockdep, kmemleak, ...) or bench (none of that).
# With FLOWTRACK_UML_DMESG=FILE, run leaves the kernel log there. FLOWTRACK_UML_PRELOAD: a library for its processes on
# the host, see uml/fpu_host.c.

set -euo pipefail
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

SERIES=6.12

fragments() {
	case $1 in
	kunit) echo "$TOP/kunit/uml.config $TOP/kunit/debug.config" ;;
	bench) echo "$TOP/kunit/uml.config $TOP/tools/bench/bench.config" ;;
	*) die "unknown flavour '$1' (kunit, bench)" ;;
	esac
}

# shellcheck disable=SC2046,SC2002 # a list of fragments
uml_fill() {
	local dir=$1 flavour=$2 src=$3
	cat $(fragments "$flavour") | tee "$dir/fragment" >"$dir/wanted"
	build_kernel "uml-$flavour" "$dir" "$src" um linux
}

build() {
	local flavour=$1 frags src inputs
	frags=$(fragments "$flavour")
	src=$(kernel_source $SERIES)
	# shellcheck disable=SC2086
	inputs="$src $(gcc --version | head -n 1) $(cat $frags)
		$(declare -f uml_fill build_kernel)"
	cache_make "uml-$flavour" "$inputs" uml_fill "$flavour" "$src"
}

# What runs as init inside. The results directory is on the host's file system, so a verdict survives the machine.
write_init() {
	local out=$1 kdir=$2
	shift 2
	{
		printf '#!/bin/bash\n# made by uml.sh\n'
		printf 'out=%q\nkdir=%q\ncmd=(' "$out" "$kdir"
		printf '%q ' "$@"
		printf ')\n'
		cat <<'INIT'
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 TERM=dumb
: >"$out/started"
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t debugfs debugfs /sys/kernel/debug
mount -t tmpfs run /run
mount -t tmpfs tmp /dev/shm 2>/dev/null
[ ! -d "$kdir/root/lib/modules" ] || mount --bind "$kdir/root/lib/modules" /lib/modules
ip link set lo up
cd "$(dirname "$out")" || :
"${cmd[@]}" </dev/null >"$out/stdout" 2>&1
echo $? >"$out/status.tmp"
dmesg >"$out/dmesg"
mv "$out/status.tmp" "$out/status"
sync
busybox poweroff -f
INIT
	} >"$out/init"
	chmod 755 "$out/init"
}

# UML's memory is a file. A container's /dev/shm is often too small for it, which would end in a bus error.
memory_dir() {
	local free
	free=$(df --output=avail -k /dev/shm 2>/dev/null | tail -n 1) || free=0
	if [ "$free" -gt 1300000 ]; then
		echo /dev/shm
	else
		echo /var/tmp
	fi
}

# why_not CONSOLE: what it said of its end, where its first process never ran.
why_not() {
	local what line=
	for what in 'errno = ' 'not syncing' 'Failed|Cannot|ermission denied|not permitted' .; do
		line=$(grep -aE "$what" "$1" | tail -n 1) && break
	done
	sed -E 's/^\[ *[0-9.]+\] //' <<<"${line:-it said nothing}"
}

# start MEMDIR COMMAND...: with huge pages under it if they can be had. A kernel on a real machine maps all of its
# memory by them, and a benchmark with 4 KiB pages measures the host's page walks.
start() {
	local dir=$1
	shift
	if [ -n "$dir" ]; then
		TMPDIR=$dir exec "$@"
	fi
	# shellcheck disable=SC2016 # for the inner shell
	exec unshare -m sh -c 'mount -t tmpfs -o huge=always,size=90% flowtrack "$0" && TMPDIR=$0 exec "$@"' \
		"$HUGE" "$@"
}

run() {
	local mem=1G seconds=300 opt kdir out status pid memdir HUGE
	OPTIND=1
	while getopts m:t: opt; do
		case $opt in
		m) mem=$OPTARG ;;
		t) seconds=$OPTARG ;;
		*) die "run: unknown option" ;;
		esac
	done
	shift $((OPTIND - 1))
	[ $# -ge 2 ] || die "usage: uml.sh run [-m MEM] [-t SECONDS] FLAVOUR COMMAND [ARG...]"
	kdir=$(build "$1")
	mkdir -p "$LOGS"
	out=$(mktemp -d "${TMPDIR:-/tmp}/flowtrack-uml.XXXXXX")
	write_init "$out" "$kdir" "${@:2}"
	memdir=$(memory_dir) HUGE=$out/memory
	mkdir "$HUGE"
	if [ "$1" = bench ] &&
		unshare -m mount -t tmpfs -o huge=always,size=90% flowtrack "$HUGE" 2>/dev/null; then
		memdir=
	fi
	# A randomised heap leaves a gap of up to a gigabyte that UML fills with memory of its own.
	start "$memdir" timeout -k 5 "$seconds" setarch -R \
		env ${FLOWTRACK_UML_PRELOAD:+"LD_PRELOAD=$FLOWTRACK_UML_PRELOAD"} "$kdir/linux" mem="$mem" umid="ft$$" \
		rootfstype=hostfs rw init="$out/init" con=null con0=fd:0,fd:1 panic=-1 oops=panic kasan_multi_shot \
		</dev/null >"$out/console" 2>&1 &
	pid=$!
	status=0
	wait $pid || status=$?
	[ ! -f "$out/stdout" ] || cat "$out/stdout"
	cp "$out/console" "$LOGS/uml-$1-console.log"
	if [ -n "${FLOWTRACK_UML_DMESG:-}" ]; then
		cp "$out/dmesg" "$FLOWTRACK_UML_DMESG" 2>/dev/null || cp "$out/console" "$FLOWTRACK_UML_DMESG"
	fi
	if [ -f "$out/status" ]; then
		status=$(cat "$out/status")
	else
		tail -n 25 "$out/console" >&2
		if [ ! -e "$out/started" ]; then
			note "User-Mode Linux cannot run on this machine: $(why_not "$out/console")"
			status=$NO_UML
		elif [ "$status" = 124 ]; then
			note "UML did not end within $seconds s"
		else
			note "UML died (exit $status) before the command ended"
			status=125
		fi
	fi
	rm -rf "$out"
	return "$status"
}

case ${1:-} in
build) build "${2:-kunit}" ;;
run) run "${@:2}" ;;
*) die "usage: uml.sh build [FLAVOUR] | run [-m MEM] [-t SECONDS] FLAVOUR COMMAND [ARG...]" ;;
esac
