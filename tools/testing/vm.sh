#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Debian's stock kernels in QEMU, and those of kernel.sh, with the host's file system (read-only, and a tmpfs above it) as
# their root. arm64's has one of its own, made by roots.sh, and in it this tree and the cache, read-only, where they are here.
#
#   vm.sh image VERSION                    make the image if it is not cached; print its directory
#   vm.sh headers VERSION                  likewise the headers of one that has no packages installed: a KDIR for modules
#   vm.sh run [-m MEM] [-c CPUS] [-t SECONDS] [-i SECONDS] [-o DIR] [-w FILE] [-x] [-s] VERSION COMMAND [ARG...]
#                                          boot it, run COMMAND as root in it, pass on its output and exit status.
#                                          FILE names files that the guest copies into its memory first: opening
#                                          and mapping one there costs a tenth of what it does on the host's.
#                                          -x: COMMAND is process 1, writes what it says to $RESULTS/.stdout and its
#                                          status to $RESULTS/.status, and turns the machine off.
#                                          -s: with Secure Boot, see secure-boot.sh.
#                                          124: it did not end in time (-t), or said nothing for a while (-i; what
#                                          COMMAND writes to $RESULTS/.idle counts in its stead).
#                                          125: it died. 123: the emulator's fault, see killed_by_emulator() and hung_in_emulator().
#                                          One that does not come as far as its init is started again, see BOOTS.
# VERSION: 6.1, 6.12, newest, newest-arm64, 6.1-rt, 6.12-rt, 6.12-debug or 6.12-kcsan. DIR is shared with the guest, writable, as
# /run/results: what the guest leaves there stays.
# FLOWTRACK_CONSOLE: where its console goes, for one that runs beside another of the same version.
# The command's environment: what `export` says here under FT_, KERNEL, and RESULTS=/run/results.

set -euo pipefail
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

# What the initramfs must load to see the host's file system. crc32c first: others ask for it by name, and nothing
# in an initramfs would answer.
BOOT_MODULES=(crc32c_generic virtio_pci 9p 9pnet_virtio overlay)

download() {
	# As root: apt's own user cannot write into a cache below /root.
	if ! apt-get -q -o APT::Sandbox::User=root download "$@"; then
		apt-get -q update || true
		apt-get -q -o APT::Sandbox::User=root download "$@"
	fi
}

# unpack DIR VERSION PACKAGE...
unpack() {
	local dir=$1 version=$2 log=$LOGS/$3.log deb
	shift 2
	mkdir -p "$dir/download" "$LOGS"
	if ! (cd "$dir/download" && download "${@/%/=$version}" >"$log" 2>&1); then
		cat "$log"
		note "$* $version, to match the installed headers, cannot be had"
		return 1
	fi
	for deb in "$dir"/download/*.deb; do
		dpkg-deb -x "$deb" "$dir" || return 1
	done
	rm -rf "${dir:?}/download"
}

image_fill() {
	local dir=$1 rel=$2 version=$3
	unpack "$dir" "$version" "linux-image-$rel" && image_arrange "$dir" "$rel"
}

# Not installed: what builds for each kernel whose headers are there would build for this one, too.
headers_fill() {
	local dir=$1 rel=$2 version=$3 kbuild=linux-kbuild-${2%-rt-amd64}
	unpack "$dir" "$version" "linux-headers-$rel" "linux-headers-${rel%-rt-amd64}-common-rt" || return 1
	# They expect each other in /usr/src, and the tools that are installed with other headers in /usr/lib.
	# shellcheck disable=SC2016 # make's
	sed -i 's|/usr/src/|$(dir $(realpath $(lastword $(MAKEFILE_LIST))))../|' "$dir/usr/src/linux-headers-$rel/Makefile"
	mkdir -p "$dir/usr/lib"
	ln -s "/usr/lib/$kbuild" "$dir/usr/lib/$kbuild"
}

headers() {
	local rel version
	rel=$(kernel_release "$1")
	version=$(package_version "linux-headers-$(kernel_release "${1%-rt}")")
	echo "$(cache_make "headers-$1" "$rel $version $(declare -f headers_fill)" headers_fill "$rel" "$version")/usr/src/linux-headers-$rel"
}

# Debian 12 has modules in /lib, Debian 13 in /usr/lib, and from 7.x on the kernel is beside them.
image_arrange() {
	local dir=$1 rel=$2
	if [ -d "$dir/usr/lib/modules" ]; then
		mkdir -p "$dir/lib"
		mv "$dir/usr/lib/modules" "$dir/lib/"
	fi
	rm -rf "${dir:?}/usr"
	depmod -b "$dir" "$rel" || return 1
	if [ -e "$dir/boot/vmlinuz-$rel" ]; then
		ln -s "boot/vmlinuz-$rel" "$dir/vmlinuz"
	else
		ln -s "lib/modules/$rel/vmlinuz" "$dir/vmlinuz"
	fi
	case $rel in
	*-arm64) make_initramfs "$dir" "$rel" "$(guest_root "$rel")/usr/bin/busybox" ;;
	*) make_initramfs "$dir" "$rel" "$(command -v busybox)" ;;
	esac
}

# What is the guest's root, by its kernel's release.
guest_root() {
	case $1 in
	*-arm64) "$TOP/tools/testing/roots.sh" userland newest-arm64 ;;
	*) echo / ;;
	esac
}

foreign_image_fill() {
	local dir=$1 kernel=$2 rel=$3
	"$TOP/tools/testing/roots.sh" image "$kernel" "$dir" >"$LOGS/image-$rel.log" 2>&1 || {
		tail -n 5 "$LOGS/image-$rel.log"
		return 1
	}
	image_arrange "$dir" "$rel"
}

built_image_fill() {
	local dir=$1 kdir=$2 rel=$3
	mkdir "$dir/boot"
	cp -r "$kdir/root/lib" "$dir/" && cp "$kdir/arch/x86/boot/bzImage" "$dir/boot/vmlinuz-$rel" || return 1
	image_arrange "$dir" "$rel"
}

# The modules in the order in which insmod must see them, unpacked: busybox reads neither modules.dep nor xz.
boot_modules() {
	local dir=$1 rel=$2 module
	for module in "${BOOT_MODULES[@]}"; do
		modprobe -d "$dir" -S "$rel" --show-depends "$module" 2>/dev/null || true
	done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }'
}

make_initramfs() {
	local dir=$1 rel=$2 busybox=$3 root=$1/initramfs module name
	mkdir -p "$root"/{bin,sbin,dev,proc,sys,lower,upper,root,modules}
	cp "$busybox" "$root/bin/busybox"
	ln -s ../bin/busybox "$root/sbin/modprobe"
	ln -s busybox "$root/bin/sh"
	for module in $(boot_modules "$dir" "$rel"); do
		name=$(basename "$module") name=${name%%.ko*}.ko
		case $module in
		*.xz) xz -dc "$module" >"$root/modules/$name" ;;
		*.zst) zstd -dcq "$module" >"$root/modules/$name" ;;
		*) cp "$module" "$root/modules/$name" ;;
		esac
		echo "$name" >>"$root/modules/order"
	done
	cat >"$root/init" <<'INIT'
#!/bin/sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t devtmpfs dev /dev
cd /modules && while read -r m; do insmod "$m" || echo "initramfs: $m does not load" >/dev/console; done <order
cd /
opts=trans=virtio,version=9p2000.L,msize=512000
mount -t 9p -o "$opts,ro,cache=loose" host /lower || echo "initramfs: no host root" >/dev/console
mount -t tmpfs -o size=75% tmpfs /upper
mkdir /upper/up /upper/work
mount -t overlay -o lowerdir=/lower,upperdir=/upper/up,workdir=/upper/work root /root
mkdir -p /root/run && mount -t tmpfs run /root/run && mkdir -p /root/run/results
mount -t 9p -o "$opts,cache=none" results /root/run/results
mount --move /dev /root/dev
umount /proc
exec switch_root /root /run/results/.init
INIT
	chmod 755 "$root/init"
	(cd "$root" && find . | cpio -o -H newc --quiet | gzip -1) >"$dir/initrd" || return 1
	rm -rf "$root"
}

image() {
	local rel version kdir how root
	mkdir -p "$LOGS"
	rel=$(kernel_release "$1")
	how="$(declare -f image_arrange guest_root boot_modules make_initramfs) ${BOOT_MODULES[*]}"
	if root=$(kernel_elsewhere "$1"); then
		cache_make "image-$1" "$rel $(declare -f foreign_image_fill) $how" foreign_image_fill "$root" "$rel"
		return
	fi
	case $1 in
	*-debug | *-kcsan)
		kdir=$("$TOP/tools/testing/kernel.sh" build "${1##*-}")
		cache_make "image-$1" "$kdir $(declare -f built_image_fill) $how" built_image_fill "$kdir" "$rel"
		;;
	*)
		version=$(package_version "linux-headers-$(kernel_release "${1%-rt}")")
		cache_make "image-$1" "$rel $version $(declare -f image_fill) $how" image_fill "$rel" "$version"
		;;
	esac
}

accel() {
	if [ -z "${FLOWTRACK_ACCEL:-}" ] && grep -qwE 'vmx|svm' /proc/cpuinfo && [ -w /dev/kvm ]; then
		echo kvm
	else
		# A /dev/kvm without the processor's support opens, and then hangs.
		echo "${FLOWTRACK_ACCEL:-tcg,thread=multi}"
	fi
}

# Without what makes an emulated CPU slower: strings copied byte by byte, a fifth level of page tables, and user memory that
# is opened and shut with each access. Tests take up to a fifth less. A debug kernel keeps the latter: it is a check.
cpu_model() {
	case $(accel):$version in
	kvm:* | *-debug | *-kcsan) echo max ;;
	*) echo max,-erms,-la57,-smap,-smep,-pku,-umip ;;
	esac
}

# The clock of an emulated x86 CPU is the host's TSC. A guest that measures it on a busy host may find a tenth of its
# frequency, and its time would be ten times faster: it is told. The other clock is the HPET, and to read it takes the
# emulator so long that a test needs a third more of the host's CPU.
clock_options() {
	local source=$TOP/tools/testing/vm/tsc.c dir
	if [[ $(accel) != kvm && $(uname -m) = x86_64 ]] && grep -qw constant_tsc /proc/cpuinfo && grep -qw nonstop_tsc /proc/cpuinfo; then
		dir=$(cache_make tsc "$(cat "$source")" tsc_fill "$source")
		echo "tsc_early_khz=$("$dir/tsc") tsc=reliable"
	else
		echo "tsc=unstable"
	fi
}

tsc_fill() {
	cc -O2 -o "$1/tsc" "$2"
}

# The second init, on the shared root: everything of the host's userland is there, and the image's modules.
write_init() {
	local out=$1 dir=$2 rel=$3 version=$4 one=$5
	shift 5
	{
		printf '#!/bin/bash\n# made by vm.sh\n'
		printf 'dir=%q rel=%q one=%q\nexport KERNEL=%q RESULTS=/run/results\n' "$dir" "$rel" "$one" "$version"
		export -p | grep -E '^declare -x FT_' || true
		printf 'declare -A shares=('
		[ "$(guest_root "$rel")" = / ] || printf '[top]=%q [cache]=%q' "$TOP" "$CACHE"
		printf ')\ncmd=('
		printf '%q ' "$@"
		printf ')\n'
		cat <<'INIT'
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 TERM=dumb
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t debugfs debugfs /sys/kernel/debug
mount -t tracefs tracefs /sys/kernel/tracing 2>/dev/null
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs shm /dev/shm
mount -t cgroup2 cgroup2 /sys/fs/cgroup
ln -sf /proc/self/fd /dev/fd
for share in "${!shares[@]}"; do
	mkdir -p "${shares[$share]}"
	mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000,ro,cache=loose "$share" "${shares[$share]}"
done
mkdir -p "/lib/modules/$rel"
mount --bind "$dir/lib/modules/$rel" "/lib/modules/$rel"
hostname guest
# A change of the attributes copies a file from the host's file system to the tmpfs above it.
[ ! -f /run/results/.warm ] || xargs -d '\n' touch -ac </run/results/.warm
ip link set lo up
cd /
echo "up $(cut -d' ' -f1 /proc/uptime)" >/run/results/.boot
[ "$one" = n ] || exec "${cmd[@]}" </dev/null >/dev/console 2>&1
"${cmd[@]}" </dev/null >/run/results/.stdout 2>&1
echo $? >/run/results/.status.tmp
dmesg >/run/results/.dmesg
mv /run/results/.status.tmp /run/results/.status
sync
echo o >/proc/sysrq-trigger
sleep 5
busybox poweroff -f
INIT
	} >"$out/.init"
	chmod 755 "$out/.init"
}

# QEMU before 8.1 (its commit deba78709ae8) may run an int3 that is no longer there: one that the kernel put into its
# text for a moment, to change it (a tracepoint, a jump label), while another CPU ran it. The kernel finds nothing that
# it stands for, and dies. What tells: the byte in front of the one that was to be next is none.
killed_by_emulator() {
	[[ $(accel) = *thread=multi ]] && awk '
		/int3: 0000 \[#1\]/ { int3 = 1 }
		int3 && /Code: / { for (i = 2; i <= NF; i++) if ($i ~ /^</) { found = $(i - 1) != "cc"; exit } }
		END { exit !found }' "$1"
}

# A CPU that changes the kernel's text waits for each other CPU to have seen it. On a busy host an emulated CPU may
# never answer, and the kernel says so: a stall, in text_poke(). If a function of ours is in any of the traces, that may be what keeps
# the other one, and the hang is ours.
hung_in_emulator() {
	[[ $(accel) = *thread=multi ]] && awk '
		/rcu: INFO: .*(detected stall|self-detected stall|detected expedited stall)/ { stall = 1 }
		stall && /text_poke/ { poke = 1 }
		stall && /\[(nf_flowtrack|ft_stress)/ { ours = 1 }
		END { exit !(poke && !ours) }' "$1"
}

# On a busy host an emulated kernel hangs or dies before its init once in some hundred times. Nothing of this tree is
# loaded by then. So the guest is started again, the last time with CPUs that take turns. It takes 15 s, and a minute
# beside four others.
BOOTS=3
BOOT_SECONDS=${FLOWTRACK_BOOT_SECONDS:-$((240 * ${FT_SLOW:-1}))}

# watch_guest PID DIR IDLE: ends one that does not get as far as its init, or then says nothing for IDLE seconds (0: for
# ever). One that hangs must not cost the sum of what all its tests are allowed.
watch_guest() {
	local pid=$1 dir=$2 idle=$3 start=$SECONDS last seconds
	while kill -0 "$pid" 2>/dev/null; do
		if [ ! -e "$dir/.boot" ]; then
			[ $((SECONDS - start)) -lt "$BOOT_SECONDS" ] || break
		elif [ "$idle" -gt 0 ]; then
			read -r seconds 2>/dev/null <"$dir/.idle" || seconds=
			last=$(stat -c %Y "$dir/.stdout" "$dir/.boot" | sort -n | tail -n 1)
			[ $(($(date +%s) - last)) -le "${seconds:-$idle}" ] || break
		fi
		sleep 0.3
	done
	kill "$pid" 2>/dev/null || true
}

# Starts what run() has put together, waits for its end, and returns QEMU's status.
machine() {
	local qemu pid tailpid status=0
	rm -f "$out"/.{boot,idle,status,dmesg}
	: >"$out/.stdout"
	case $rel in
	*-arm64)
		# Emulated, pointers would be signed by a cipher that takes longer than all the rest.
		qemu=(qemu-system-aarch64 -M virt -cpu "max,pauth-impdef=on"
			-accel "${FLOWTRACK_ACCEL:-tcg,thread=multi}"
			-fsdev "local,id=top,path=$TOP,security_model=none,readonly=on,multidevs=remap"
			-device "virtio-9p-pci,fsdev=top,mount_tag=top"
			-fsdev "local,id=cache,path=$CACHE,security_model=none,readonly=on,multidevs=remap"
			-device "virtio-9p-pci,fsdev=cache,mount_tag=cache")
		;;
	*)
		qemu=(qemu-system-x86_64 -accel "$(accel)" -cpu "$(cpu_model)")
		;;
	esac
	# Slowed down by its checks, a kernel gives up on the ACPI bytecode that says where interrupts of PCI go: on "pc" a loop
	# in it takes more than 30 s. On "q35" there is none.
	[[ $version != *-@(debug|kcsan) ]] || qemu+=(-machine q35)
	command -v "${qemu[0]}" >/dev/null || die "no ${qemu[0]} here: install Debian's qemu-system-arm or qemu-system-x86"
	timeout -k 5 "$seconds" "${qemu[@]}" "${boot[@]}" -smp "$cpus" -m "$mem" \
		-nodefaults -display none -no-reboot -serial "file:$console" \
		-fsdev local,id=host,path="$root",security_model=none,readonly=on,multidevs=remap \
		-device virtio-9p-pci,fsdev=host,mount_tag=host \
		-fsdev local,id=results,path="$out",security_model=none \
		-device virtio-9p-pci,fsdev=results,mount_tag=results \
		-device virtio-rng-pci </dev/null >"$console.qemu" 2>&1 &
	pid=$!
	tail -n +1 -s 0.2 -f --pid=$pid "$out/.stdout" &
	tailpid=$!
	watch_guest $pid "$out" "$idle"
	wait $pid || status=$?
	wait $tailpid || true
	return $status
}

run() {
	local mem=2G cpus=2 seconds=300 idle=0 warm='' one=n secure=n opt out='' dir rel version root status console options boot n
	local FLOWTRACK_ACCEL=${FLOWTRACK_ACCEL:-}
	OPTIND=1
	while getopts m:c:t:i:o:w:xs opt; do
		case $opt in
		m) mem=$OPTARG ;;
		c) cpus=$OPTARG ;;
		t) seconds=$OPTARG ;;
		i) idle=$OPTARG ;;
		o) out=$OPTARG ;;
		w) warm=$OPTARG ;;
		x) one=y ;;
		s) secure=y ;;
		*) die "run: unknown option" ;;
		esac
	done
	shift $((OPTIND - 1))
	[ $# -ge 2 ] || die "usage: vm.sh run [-m MEM] [-c CPUS] [-t SECONDS] [-i SECONDS] [-o DIR] [-w FILE] [-x] [-s] VERSION COMMAND [ARG...]"
	version=$1
	rel=$(kernel_release "$version")
	dir=$(image "$version")
	mkdir -p "$LOGS"
	console=${FLOWTRACK_CONSOLE:-$LOGS/vm-$version-console.log}
	[ -n "$out" ] || out=$(mktemp -d "${TMPDIR:-/tmp}/flowtrack-vm.XXXXXX")
	rm -f "$out/.warm"
	# With what modprobe reads each time.
	[ -z "$warm" ] || printf '%s\n' "$dir/lib/modules/$rel"/modules.*.bin | cat "$warm" - >"$out/.warm"
	write_init "$out" "$dir" "$rel" "$version" $one "${@:2}"

	root=$(guest_root "$rel")
	# A panic must end the machine at once (-no-reboot turns the reboot into an exit), and emulation is too slow
	# for the watchdogs' idea of stuck. Code that is not where it was before is translated again: norandmaps saves a third
	# of QEMU's time.
	options="loglevel=5 panic=-1 oops=panic nosoftlockup nowatchdog audit=0 mitigations=off random.trust_cpu=on
		rcupdate.rcu_cpu_stall_timeout=120 log_buf_len=4M norandmaps"
	case $rel in
	*-arm64) options+=" console=ttyAMA0" ;;
	# The check of the timer does not succeed on each busy host.
	*) options+=" console=ttyS0 no_timer_check $(clock_options)" ;;
	esac
	options=${options//[$'\n\t']/ }
	if [ $secure = y ]; then
		boot=$("$TOP/tools/testing/secure-boot.sh" --machine "$out/.esp" "$dir" "$options")
		mapfile -t boot <<<"$boot"
	else
		boot=(-kernel "$dir/vmlinuz" -initrd "$dir/initrd" -append "$options")
	fi
	for ((n = 1; ; n++)); do
		status=0
		machine || status=$?
		if [ -e "$out/.boot" ] || [ $n -eq $BOOTS ]; then
			break
		fi
		cp "$console" "$console.boot$n" || true
		note "the $version guest did not get as far as its init, in which nothing of ours is: again; console: $console.boot$n"
		[ $((n + 1)) -lt $BOOTS ] || FLOWTRACK_ACCEL=$ONE_AT_A_TIME
	done
	if [ -f "$out/.status" ]; then
		status=$(cat "$out/.status")
		[ ! -f "$out/.dmesg" ] || cp "$out/.dmesg" "$LOGS/vm-$version-dmesg.log"
	else
		# Silence is a failure, whatever QEMU thinks of its own exit.
		tail -n 40 "$console" "$console.qemu" >&2 || true
		if [ ! -e "$out/.boot" ]; then
			note "the $version guest did not get as far as its init in $BOOTS attempts (qemu: $status); console: $console"
			status=125
		elif hung_in_emulator "$console"; then
			note "the $version guest hung in the emulator: a CPU did not see changed text; console: $console"
			status=$EMULATOR_FAULT
		elif [ "$status" = 124 ] || [ "$status" -gt 128 ]; then
			note "the $version guest did not end within $seconds s, or was silent for too long; console: $console"
			status=124
		elif killed_by_emulator "$console"; then
			note "the $version guest was killed by the emulator, which ran an int3 that is not there; console: $console"
			status=$EMULATOR_FAULT
		else
			note "the $version guest died before the command ended (qemu: $status); console: $console"
			status=125
		fi
	fi
	[[ $out != "${TMPDIR:-/tmp}"/flowtrack-vm.* ]] || rm -rf "$out"
	return "$status"
}

case ${1:-} in
image) image "${2:?which kernel version?}" ;;
headers) headers "${2:?which kernel version?}" ;;
run) run "${@:2}" ;;
*) die "usage: vm.sh image VERSION | headers VERSION | run [-m MEM] [-c CPUS] [-t SECONDS] [-i SECONDS] [-o DIR] VERSION COMMAND [ARG...]" ;;
esac
