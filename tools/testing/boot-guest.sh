#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Boots an installed Debian in a guest of vm.sh, as process 1: its packages are what is tested, with systemd.
#
#   boot-guest.sh ROOT MODULES RELEASE N    ROOT: on-debian.sh's, with the packages in it; MODULES: the kernel's, and what
#                                           dkms has built; N: which boot it is, see boot-check.sh; readme: nobody has
#                                           enabled anything yet, see readme-check.sh
# What /var/lib/flowtrack has is kept from boot to boot in $RESULTS/state.

set -euo pipefail
root=$1 all=$2 rel=$3 n=$4
exec >>"$RESULTS/.stdout" 2>&1
modules=$root/lib/modules/$rel

mount --bind "$root" "$root"
mkdir -p /run/modules/{up,work} "$RESULTS/state" "$root/var/lib/flowtrack"
mount -t overlay -o "lowerdir=$all,upperdir=/run/modules/up,workdir=/run/modules/work" overlay "$modules"
mount --bind "$RESULTS/state" "$root/var/lib/flowtrack"

check=boot-check.sh
if [ "$n" = readme ]; then
	check=readme-check.sh
	chroot "$root" systemctl -q disable flowtrack
else
	# The admin's part.
	printf 'net.netfilter.nf_flowtrack_max = 5555\nnet.netfilter.nf_flowtrack_udp_timeout = 77\n' >"$root/etc/sysctl.d/90-firewall.conf"
	printf '#!/usr/sbin/nft -f\ntable inet filter {\n chain input {\n  type filter hook input priority filter;\n  ct state established accept\n }\n}\n' \
		>"$root/etc/nftables.conf"
	chroot "$root" systemctl -q enable flowtrack nftables
	# In the place of those that are not installed: nothing but an order keeps them from being the first.
	for unit in docker containerd kubelet libvirtd netfilter-persistent iptables ip6tables firewalld ufw; do
		printf '[Unit]\nDefaultDependencies=no\n[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n[Install]\nWantedBy=sysinit.target\n' \
			>"$root/etc/systemd/system/$unit.service"
		chroot "$root" systemctl -q enable "$unit"
	done
fi
cp "${0%/*}/$check" "$root/usr/local/sbin/boot-check"
cat >"$root/etc/systemd/system/boot-check.service" <<UNIT
[Unit]
After=flowtrack.service nftables.service
[Service]
Type=oneshot
ExecStart=/bin/sh -c '/usr/local/sbin/boot-check $n >>/run/results/.stdout 2>&1; echo \$? >/run/results/.status; dmesg >/run/results/.dmesg'
ExecStartPost=/bin/systemctl --no-block poweroff
[Install]
WantedBy=multi-user.target
UNIT
chroot "$root" systemctl -q enable boot-check
chroot "$root" systemctl -q set-default multi-user.target

for dir in dev proc sys run; do
	mount --move "/$dir" "$root/$dir"
done
cd "$root"
mkdir -p mnt
pivot_root . mnt
exec chroot . /sbin/init </dev/console >/dev/console 2>&1
