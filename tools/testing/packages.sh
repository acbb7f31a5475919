#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The packages of `make deb` in a Debian of its own: built, judged by lintian, installed, booted, upgraded,
# downgraded, purged.
#
#   packages.sh [RELEASE [PHASE]]    12 or 13, by default this machine's; all phases, or one of build_and_install, boots,
#                                    replace_and_purge, readme

set -euo pipefail
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

NEXT=0.1.99
skipped=0

apt() {
	DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 --no-install-recommends \
		--allow-downgrades "$@" </dev/null
}

# Every file there is, but for what apt and dpkg remember, and logs.
all_files() {
	find / -xdev \( -path /usr/src/flowtrack -o -path /var/cache -o -path /var/lib/apt -o -path /var/lib/dpkg -o -path /var/log \
		-o -path /root -o -path /tmp -o -path /proc -o -path /sys -o -path /dev -o -path /run \) -prune -o -print |
		grep -vE '/(mandb|\.updated|modules\.[a-z.]*|mok\.(key|pub)|ld\.so\.cache)$|^/var/lib/(systemd|ucf)' | sort
}

# is_built VERSION: for each kernel whose headers are there, and for no other version.
is_built() {
	local headers rel ko said
	for headers in /usr/src/linux-headers-*-amd64; do
		rel=${headers#/usr/src/linux-headers-}
		ko=$(find "/lib/modules/$rel/updates/dkms" -name 'nf_flowtrack.ko*' 2>/dev/null)
		[ -n "$ko" ] || { echo "no module for $rel"; return 1; }
		[ "$(modinfo -F version "$ko")" = "$1" ] || { modinfo "$ko"; return 1; }
		[ "$(modinfo -F vermagic "$ko" | cut -d' ' -f1)" = "$rel" ] || { modinfo "$ko"; return 1; }
	done
	said=$(dkms status nf_flowtrack | grep -v "nf_flowtrack/$1,") || return 0
	echo "dkms knows another version: $said"
	return 1
}

tool_is() {
	[ "$(flowtrack -V | head -n 1)" = "flowtrack $1" ]
}

# A kernel that the module cannot be built for must not keep its own package from being installed.
other_kernel_installs() {
	local rel=5.14.0-1-amd64
	mkdir -p "/lib/modules/$rel/build/include/generated"
	cp "$(find /usr/src/linux-headers-*-amd64 -maxdepth 1 -name .config | head -n 1)" "/lib/modules/$rel/build/.config"
	printf 'all:\n\tfalse\n' >"/lib/modules/$rel/build/Makefile"
	/etc/kernel/postinst.d/dkms "$rel"
}

unit_is() {
	systemd-analyze verify --recursive-errors=no flowtrack.service && [ "$(systemctl is-enabled flowtrack)" = "$1" ]
}

# has_files PACKAGE NAME...: the files are that package's; of documentation, a container's dpkg may leave out what it owns.
has_files() {
	local list name
	list=$(dpkg -L "$1")
	for name in "${@:2}"; do
		grep -qxF "/usr/$name" <<<"$list" || grep -qxF "/usr/$name.gz" <<<"$list" || { echo "no $name"; return 1; }
	done
}

builds_against_interface() {
	apt install ./build/deb/nf-flowtrack-dev_*.deb pkgconf &&
		printf '#include <linux/nf_flowtrack.h>\nint main(void) { return FLOWTRACK_CMD_MAX - FLOWTRACK_CMD_MAX; }\n' >/tmp/uses.c &&
		cc -Wall -Werror -I"$(pkg-config --variable=includedir nf-flowtrack)" -o /tmp/uses /tmp/uses.c && /tmp/uses &&
		[ -f "$(pkg-config --variable=spec nf-flowtrack)" ]
}

# The log of flows, as monitoring.rst says it.
log_unit_is_sound() {
	local examples=/usr/share/doc/flowtrack/examples status=0
	# A container's dpkg may leave documentation out.
	[ -d $examples ] || examples=tools/monitoring
	mkdir -p /etc/systemd/system/flowtrack-log.service.d
	cp $examples/flowtrack-log.service /etc/systemd/system/
	cp $examples/flowtrack-log-file.conf /etc/systemd/system/flowtrack-log.service.d/
	systemd-analyze verify --recursive-errors=no flowtrack-log.service || status=1
	rm -r /etc/systemd/system/flowtrack-log.service*
	return $status
}

nothing_is_left() {
	all_files >/root/files-after
	! comm -13 /root/files-before /root/files-after | grep .
}

# In the Debian of its own.
build_and_install() {
	local version=$1
	# What a run that failed left half installed would fail whatever apt does next; what one that was killed did, too.
	dpkg --configure -a >/dev/null 2>&1 || true
	apt purge flowtrack nf-flowtrack-dkms nf-flowtrack-dev >/dev/null 2>&1 || true
	{
		apt update || true
		apt install linux-headers-amd64 dkms ccache lintian kmod systemd-sysv nftables procps libjansson4 libmnl0 libncursesw6 &&
			apt build-dep ./
	} >"$LOGS/packages-apt.log" 2>&1 || { tail -n 20 "$LOGS/packages-apt.log"; die "no packages"; }
	# dkms builds the same four times; sudo, too, has this directory in front of the compiler's.
	ln -sf /usr/bin/ccache /usr/local/bin/gcc
	ln -sf /usr/bin/ccache "/usr/local/bin/$(basename "$(readlink /usr/bin/gcc)")"
	rm -rf build/deb /lib/modules/5.14.0-1-amd64
	all_files >/root/files-before

	ok "make deb" make deb
	ok "the packages of the next version" tools/testing/deb.sh $NEXT
	ok "lintian" lintian --allow-root --fail-on error,warning build/deb/nf-flowtrack_"$version"_*.changes
	ok "install" apt install ./build/deb/{flowtrack,nf-flowtrack-dkms}_"$version"_*.deb
	ok "the module is built" is_built "$version"
	ok "autopkgtest: the module for every kernel" debian/tests/modules
	ok "the tool is of that version" tool_is "$version"
	ok "the unit is there, and not enabled" unit_is disabled
	ok "the unit of the log of flows" log_unit_is_sound
	ok "manual pages, schema and examples are there" has_files flowtrack share/man/man8/flowtrack.8.gz \
		share/man/man4/nf_flowtrack.4.gz share/man/man7/flowtrack-conntrack.7.gz \
		share/flowtrack/schema/flowtrack-1.json share/doc/flowtrack/tldr.md
	ok "a program can be built against the interface" builds_against_interface
	# dkms 3.0.10 calls it a failure, whatever the module says; Debian 12 has no kernel that is too old.
	[ "$CODENAME" = bookworm ] || ok "an unsupported kernel can be installed" other_kernel_installs
	rm -rf /lib/modules/5.14.0-1-amd64
}

replace_and_purge() {
	local version=$1
	ok "the unit can be enabled" systemctl enable flowtrack
	ok "upgrade" apt install ./build/deb/{flowtrack,nf-flowtrack-dkms}_"$NEXT"_*.deb
	ok "the new module is built" is_built "$NEXT"
	ok "the tool is the new one" tool_is "$NEXT"
	ok "the unit is still enabled" unit_is enabled
	ok "downgrade" apt install ./build/deb/{flowtrack,nf-flowtrack-dkms}_"$version"_*.deb
	ok "the old module is back" is_built "$version"
	ok "the tool is the old one" tool_is "$version"
	ok "purge" apt purge flowtrack nf-flowtrack-dkms nf-flowtrack-dev
	ok "nothing is left behind" nothing_is_left
}

# count SAID: the lines of what was said that are results.
count() {
	passed=$((passed + $(grep -c '^ok' <<<"$1" || true)))
	failed=$((failed + $(grep -c '^not ok' <<<"$1" || true)))
}

# What README says: its first three commands in the Debian of its own, the others in a guest, which has no network.
readme_install() {
	local line kernel
	apt purge flowtrack nf-flowtrack-dkms nf-flowtrack-dev >/dev/null 2>&1 || true
	rm -rf build/deb
	{ apt update || true; apt install sudo systemd-sysv nftables python3-minimal; } >"$LOGS/packages-apt.log" 2>&1 || die "no packages"
	# It would ask.
	echo 'APT::Get::Assume-Yes "true";' >/etc/apt/apt.conf.d/99-readme
	while read -r line; do
		ok "README: $line" sh -c "DEBIAN_FRONTEND=noninteractive; export DEBIAN_FRONTEND; $line"
	done < <(tools/testing/readme.sh | head -n 3)
	rm /etc/apt/apt.conf.d/99-readme
	# The package builds for the newest kernel here, and one that is older may be what boots: then dkms.service builds.
	for kernel in /lib/modules/*; do
		dkms autoinstall -k "${kernel##*/}" >>"$LOGS/packages-apt.log" 2>&1 || true
	done
}

# boots_alone ROOT DIR: autopkgtest's test that boots, with that Debian's packages, and the kernel and modules in DIR. The
# emulator is this machine's.
boots_alone() {
	mkdir -p "$2/bin"
	ln -sf "$1/usr/sbin/flowtrack" "$2/bin/"
	ROOT=$2 PATH=$2/bin:$PATH "$TOP/debian/tests/boots"
}

# boot_root RELEASE BOOT...: the kernel of that Debian, in QEMU, with what has been installed; once for each.
boot_root() {
	local release=$1 kernel root image rel out modules n said
	shift
	case $release/$CODENAME in
	12/*) kernel=6.1 ;;
	13/trixie) kernel=6.12 ;;
	*) kernel=13-6.12 ;;
	esac
	root=$("$TOP/tools/testing/on-debian.sh" --root "$release")
	rel=$(kernel_release "$kernel")
	if [ ! -d "$root/lib/modules/$rel/updates" ]; then
		echo "not ok boot: nothing was built for $rel, the kernel of Debian $release"
		failed=$((failed + 1))
		return
	fi
	image=$("$TOP/tools/testing/vm.sh" image "$kernel")
	out=$(mktemp -d "$TOP/build/boot.XXXXXX")
	# Here, because depmod reads every module: in the guest that takes minutes.
	modules=$out/root/lib/modules/$rel
	mkdir -p "$modules"
	cp -a "$image/lib/modules/$rel/." "$modules"
	cp -a "$root/lib/modules/$rel/updates" "$modules"
	depmod -b "$out/root" "$rel"
	cp -a "$image/boot" "$out/root/"
	if [ "$1" = readme ]; then
		:
	elif [ "$release/$CODENAME" = 12/bookworm ] || [ "$release/$CODENAME" = 13/trixie ]; then
		ok "autopkgtest: it boots" boots_alone "$root" "$out/root"
	else
		# Its libraries are not this machine's.
		echo "ok autopkgtest: it boots # SKIP the tool is of another Debian than this machine"
		skipped=$((skipped + 1))
	fi
	for n in "$@"; do
		said=$(FLOWTRACK_CONSOLE=$LOGS/packages-boot-$n.log "$TOP/tools/testing/vm.sh" run -x -t 900 -o "$out" "$kernel" \
			"$TOP/tools/testing/boot-guest.sh" "$root" "$modules" "$rel" "$n" 2>&1) || true
		grep -E '^(ok|not ok|    )' <<<"$said" || printf '%s\n' "$said" | tail -n 20
		count "$said"
		# A guest that died says nothing of it.
		[ "$(grep -cE '^(not )?ok' <<<"$said" || true)" -eq "${CHECKS[$n]}" ] || {
			echo "not ok boot $n: not all of ${CHECKS[$n]} checks"
			failed=$((failed + 1))
		}
	done
	rm -rf "$out"
}

# How much boot-check.sh and readme-check.sh look at, by boot.
declare -A CHECKS=([1]=12 [2]=14 [3]=15 [readme]=9)

# A phase in the other Debian: its lines are shown, and counted.
phase() {
	local said
	said=$("$TOP/tools/testing/on-debian.sh" "$1" tools/testing/packages.sh --here "$2" 2>&1) || true
	printf '%s\n' "$said"
	count "$said"
	grep -q '^# done$' <<<"$said" || failed=$((failed + 1))
}

run() {
	local phase
	[ "$(id -u)" -eq 0 ] || die "must be root"
	mkdir -p "$LOGS"
	for phase in ${2:-build_and_install boots replace_and_purge readme}; do
		case $phase in
		boots) boot_root "$1" 1 2 3 ;;
		readme) phase "$1" readme_install && boot_root "$1" readme ;;
		*) phase "$1" "$phase" ;;
		esac
	done
	report_counts $passed $failed $skipped
	[ $failed -eq 0 ]
}

case ${1:-} in
--here)
	mkdir -p "$LOGS"
	"$2" "$(sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' dkms.conf)"
	echo '# done'
	;;
12 | 13) run "$@" ;;
'') if [ "$CODENAME" = trixie ]; then run 13; else run 12; fi ;;
*) die "usage: packages.sh [12|13 [PHASE]]" ;;
esac
