#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# In a booted machine, see boot-guest.sh: types what README says after its packages have been installed, and looks at what
# that has come to.
#
# shellcheck disable=SC2317 # functions that ok() calls

cd /usr/src/flowtrack || exit
bad=0

# ok WHAT COMMAND...
ok() {
	local what=$1 said
	shift
	if said=$("$@" 2>&1); then
		echo "ok $what"
	else
		echo "not ok $what"
		tail -n 20 <<<"$said" | sed 's/^/    /'
		bad=1
	fi
}

metrics_are_there() {
	systemctl start flowtrack-metrics.service &&
		grep -q '^nf_flowtrack_entries_limit [1-9]' /var/lib/prometheus/node-exporter/flowtrack.prom
}

tracks() {
	nft add table inet t && nft add chain inet t in '{ type filter hook input priority 0; }' &&
		nft add rule inet t in ct state established accept || return
	for _ in $(seq 20); do
		python3 -c 'import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", 9))'
		! flowtrack list udp dport 9 | grep -q tracker=own || return 0
		sleep 0.5
	done
	return 1
}

# What the doctor warns of is this machine's matter.
typed() {
	local status=0
	sh -c "$1" || status=$?
	case $1 in
	*doctor) [ "$status" -le 1 ] ;;
	*) return "$status" ;;
	esac
}

mapfile -t lines < <(tools/testing/readme.sh)
for line in "${lines[@]:3}"; do
	ok "README: $line" typed "$line"
done
ok "the unit is active" systemctl is-active flowtrack
ok "the unit comes with the next boot" systemctl is-enabled flowtrack
ok "the module is loaded" test -d /sys/module/nf_flowtrack
ok "a rule's connections are tracked" tracks
ok "the timer of the metrics is active" systemctl is-active flowtrack-metrics.timer
ok "metrics are there" metrics_are_there
exit $bad
