#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# What must be so after the Nth boot of a machine with the packages, flowtrack.service enabled, settings in sysctl.d and a
# ruleset: in a guest, see boot-guest.sh.
#
# shellcheck disable=SC2317 # functions that ok() calls
#
#   1   nothing had been saved          2   flows had, properly          3   the file has been damaged

n=$1
flows=/var/lib/flowtrack/flows
bad=0

# ok WHAT COMMAND...
ok() {
	what=$1
	shift
	if said=$("$@" 2>&1); then
		echo "ok boot $n: $what"
	else
		echo "not ok boot $n: $what"
		printf '    %s\n' "$said"
		journalctl -b --no-pager -u flowtrack | tail -n 10 | sed 's/^/    /'
		bad=1
	fi
}

active() { systemctl is-active "$1"; }
setting() { sysctl "net.netfilter.nf_flowtrack_$1" | tee /dev/stderr | grep -q " = $2$"; }
since() { systemctl show -P "$2" "$1"; }
before() { [ "$(since "$1" ActiveEnterTimestampMonotonic)" -le "$(since "$2" InactiveExitTimestampMonotonic)" ]; }

# What begins without anything that the unit is a part of: the order is what the unit says of them.
before_others() {
	for unit in docker containerd kubelet libvirtd netfilter-persistent iptables ip6tables firewalld ufw; do
		if ! { active "$unit" && before flowtrack "$unit"; }; then
			echo "$unit"
			return 1
		fi
	done
}

enter() {
	flowtrack add tcp src 192.0.2.1 sport 1000 dst 198.51.100.1 dport 443 state established timeout 3600 &&
		flowtrack add udp src 2001:db8::1 sport 1001 dst 2001:db8::2 dport 53 timeout 3600
}

there() {
	flowtrack list dst 198.51.100.1 dport 443 | grep -q established &&
		flowtrack list udp dst 2001:db8::2 | grep -q .
}

without_module() {
	rm "$(modinfo -n nf_flowtrack)" && rm -rf "/lib/modules/$(uname -r)/build" &&
		! systemctl start flowtrack
}

# As Docker and others have it loaded: by the kernel's name for it.
asked_for() {
	rmmod nf_flowtrack_ctnetlink && modprobe nfnetlink-subsys-1 && one_view
}

one_view() {
	[ -d /sys/module/nf_flowtrack_ctnetlink ] && [ ! -d /sys/module/nf_conntrack_netlink ]
}

unloaded() {
	modprobe -r nf_flowtrack && [ ! -d /sys/module/nf_flowtrack ] && [ ! -d /sys/module/nf_flowtrack_ctnetlink ]
}

told() { journalctl -b --no-pager -u flowtrack | grep -F "install linux-headers-$(uname -r)"; }

ok "the unit is active" active flowtrack
ok "the module is loaded" test -d /sys/module/nf_flowtrack
ok "sysctl.d is applied: max" setting max 5555
ok "sysctl.d is applied: udp_timeout" setting udp_timeout 77
ok "the ruleset is loaded" active nftables
ok "the module was there before the ruleset" before flowtrack nftables
ok "before other rulesets, and before what runs containers" before_others
ok "and before the network" before flowtrack network-pre.target
ok "and ctnetlink for both tables" one_view
case $n in
1)
	ok "which is loaded when the kernel's own is asked for" asked_for
	ok "nothing to restore" test ! -e $flows
	ok "flows are entered" enter
	;;
2)
	ok "flows are there again" there
	ok "the file has been used" test ! -e $flows
	ok "the unit can be stopped" systemctl stop flowtrack
	ok "which saves" grep -q 198.51.100.1 $flows
	ok "and leaves nobody else to read it" test "$(stat -c %a /var/lib/flowtrack)" = 700
	# Not saved once more: the unit is not active.
	echo 'what is this' >$flows
	;;
3)
	ok "the damaged file is kept aside" test -s $flows.refused
	ok "and told of" sh -c 'journalctl -b --no-pager -u flowtrack | grep -q refused'
	ok "the unit can be stopped" systemctl stop flowtrack
	ok "and the modules unloaded" unloaded
	ok "without the module the unit fails" without_module
	ok "and says what to install" told
	;;
esac
exit $bad
