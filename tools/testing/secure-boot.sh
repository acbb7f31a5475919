#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A machine with Secure Boot: firmware (OVMF) that enforces its keys, a kernel image that is signed with one of them. The
# module is refused unless it is signed with a key that the firmware knows, as README says.
#
#   secure-boot.sh [-k VERSION]
#
# The key is the one that Debian's OVMF has enrolled for such tests, for which everybody has the other half.

set -euo pipefail
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

MODULES=(nf_flowtrack nf_flowtrack_ctnetlink)
PACKAGES=(ovmf sbsigntool systemd-boot-efi)
OK=7

# refused FILE: by the kernel, for want of a key that it knows, and in words that tools/boot/boot explains.
refused() {
	local said
	! said=$(insmod "$1" 2>&1) || return 1
	echo "$said"
	[ ! -e /sys/module/nf_flowtrack ] && [[ $(explained "$said") == *"Secure Boot refuses the module"* ]]
}

# What flowtrack.service says of an error of modprobe's.
explained() {
	(eval "$(sed -n '/^explain() {/,/^}/p' "$TOP/tools/boot/boot")" && explain "$1" 2>&1)
}

tracks() {
	nft 'table inet t { chain in { type filter hook input priority 0; ct state new accept; }; }' &&
		ping -q -c 2 127.0.0.1 && [ "$("$FT_TOOL" count icmp)" -gt 0 ]
}

guest() {
	mount -t securityfs securityfs /sys/kernel/security 2>/dev/null || true
	modprobe efivarfs && mount -t efivarfs efivarfs /sys/firmware/efi/efivars
	modprobe -a nf_conntrack nf_defrag_ipv4 nf_defrag_ipv6 nfnetlink
	ok "the firmware enforces Secure Boot" grep -qi 'secure boot enabled' <(dmesg)
	ok "the kernel is locked down" grep -q '\[integrity\]' /sys/kernel/security/lockdown
	ok "a module without a signature is refused, and the unit says why" refused "$FT_KO"
	ok "a module with another one's signature, too" refused "$FT_FORGED"
	ok "flowtrack doctor says so" grep -q 'signed modules only' <("$FT_TOOL" doctor)
	ok "signed with the firmware's key it loads" insmod "$FT_SIGNED/${MODULES[0]}.ko" enable=1
	ok "it tracks, and so does the second module" eval "insmod $FT_SIGNED/${MODULES[1]}.ko && tracks"
}

if [ "${1:-}" = --guest ]; then
	guest
	exit
fi

firmware_fill() {
	local dir=$1 deb
	mkdir "$dir/download" && (cd "$dir/download" && apt-get -q -o APT::Sandbox::User=root download "${PACKAGES[@]}") || return 1
	for deb in "$dir"/download/*.deb; do
		dpkg-deb -x "$deb" "$dir" || return 1
	done
	rm -rf "${dir:?}/download"
	openssl pkey -in "$dir/usr/share/ovmf/PkKek-1-snakeoil.key" -passin pass:snakeoil -out "$dir/key.pem"
}

# The kernel, what its initramfs is, and its command line in one file, which the firmware starts by itself.
bootable() {
	local out=$1 image=$2 options=$3 stub=$firmware/usr/lib/systemd/boot/efi/linuxx64.efi.stub
	mkdir -p "$out/EFI/BOOT"
	printf '%s' "$options" >"$out/cmdline"
	objcopy --add-section .cmdline="$out/cmdline" --change-section-vma .cmdline=0x30000 \
		--add-section .linux="$(realpath "$image/vmlinuz")" --change-section-vma .linux=0x2000000 \
		--add-section .initrd="$image/initrd" --change-section-vma .initrd=0x4000000 "$stub" "$out/unsigned.efi"
	"$firmware/usr/bin/sbsign" --key "$firmware/key.pem" --cert "$firmware/usr/share/ovmf/PkKek-1-snakeoil.pem" \
		--output "$out/EFI/BOOT/BOOTX64.EFI" "$out/unsigned.efi"
}

# For vm.sh: what tells QEMU to boot that way, an argument a line.
if [ "${1:-}" = --machine ]; then
	firmware=$(cache_make firmware "${PACKAGES[*]} $(declare -f firmware_fill)" firmware_fill)
	mkdir -p "$LOGS"
	bootable "$2" "$3" "$4" >"$LOGS/secure-boot.log" 2>&1 || {
		cat "$LOGS/secure-boot.log" >&2
		die "no bootable file"
	}
	cp "$firmware/usr/share/OVMF/OVMF_VARS_4M.snakeoil.fd" "$2/variables"
	printf '%s\n' -machine q35,smm=on -global driver=cfi.pflash01,property=secure,value=on \
		-drive "if=pflash,unit=0,format=raw,readonly=on,file=$firmware/usr/share/OVMF/OVMF_CODE_4M.secboot.fd" \
		-drive "if=pflash,unit=1,format=raw,file=$2/variables" \
		-drive "if=virtio,format=raw,readonly=on,file=fat:$2"
	exit
fi

version=6.12
[ "${1:-}" != -k ] || version=$2
[ "$(id -u)" -eq 0 ] || die "must be root: the guest shares the file system"
mkdir -p "$LOGS"
rel=$(kernel_release "$version")
build_for "$version" B="$TOP/build/$rel" -j"$JOBS" >"$LOGS/secure-boot-module.log" 2>&1 || {
	cat "$LOGS/secure-boot-module.log"
	die "the module does not build for $version"
}
make -C "$TOP" tool >"$LOGS/tool-build.log" 2>&1 || die "the tool does not build"
firmware=$(cache_make firmware "${PACKAGES[*]} $(declare -f firmware_fill)" firmware_fill)
signed=$TOP/build/$rel/signed
mkdir -p "$signed/forged"
openssl req -new -x509 -newkey rsa:2048 -nodes -subj /CN=forger -keyout "$signed/forged/key.pem" -out "$signed/forged/cert.pem" 2>/dev/null
sign=$(readlink -f "/usr/src/linux-headers-$rel/scripts")/sign-file
for module in "${MODULES[@]}"; do
	"$sign" sha256 "$firmware/key.pem" "$firmware/usr/share/ovmf/PkKek-1-snakeoil.pem" \
		"$TOP/build/$rel/$module.ko" "$signed/$module.ko"
	"$sign" sha256 "$signed/forged/key.pem" "$signed/forged/cert.pem" "$TOP/build/$rel/$module.ko" "$signed/forged/$module.ko"
done
export FT_KO=$TOP/build/$rel/nf_flowtrack.ko FT_FORGED=$signed/forged/nf_flowtrack.ko FT_SIGNED=$signed
export FT_TOOL=$TOP/tools/flowtrack/flowtrack
said=$("$TOP/tools/testing/vm.sh" run -s -t 900 "$version" "$TOP/tools/testing/secure-boot.sh" --guest 2>&1) || true
printf '%s\n' "$said"
passed=$(grep -c '^ok' <<<"$said") || true
report_counts "$passed" $((OK - passed)) 0
[ "$passed" -eq $OK ]
