#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The part of the demo that runs in the guest; demo.sh starts it there. Two scenes: a server with a firewall, and a router
# that masquerades. Each is played twice with the same machines, ruleset, users and flood: first with nf_conntrack alone,
# then with nf_flowtrack. At the end of the first one nf_flowtrack is loaded as well: in the middle of a flood.
#
# Everything that it prints was measured in this run. It fails when what it claims did not happen.
# FT_KO and FT_TOOL: the module and the tool to show.

set -euo pipefail

HERE=$(dirname "$0")
TRAFFIC=(/usr/bin/python3 "$HERE/demo-traffic.py")
WORK=$(mktemp -d /tmp/demo.XXXXXX)

MAX=2048		# entries, in either table
FULL=$((MAX * 99 / 100))	# a guarded table has room for the next ones before they come
STREAMS=10		# long-lived connections
CLIENTS=10		# new web clients during the flood
FLOOD_RATE=250		# connections per second
FLOOD_COUNT=20000	# it ends when the new clients are done, and in any case
FLOOD_SECONDS=80	# after so many connections, or seconds
RECOVER_SECONDS=60	# how long to try to log in after the flood

SERVER=10.0.3.2
box=server		# whose table it is about

# What is known of each round: seen[ROUND,FACT]
declare -A seen
failures=0

die() {
	printf 'demo: %s\n' "$*" >&2
	exit 2
}

title() {
	printf '\n=== %s\n' "$*"
}

say() {
	printf '    %s\n' "$*"
}

# The ruleset as the kernel lists it; none of its rules counts anything.
ruleset() {
	in_ns "$box" nft -s list ruleset >"$WORK/$1.rules"
}

# Show a command as one would type it on the server or router, and run it there.
on_box() {
	printf '%s# %s\n' "$box" "$*"
	ip netns exec "$box" bash -c "$*"
}

in_ns() {
	ip netns exec "$@"
}

count() {
	in_ns "$box" sysctl -n "net.netfilter.nf_$1_count"
}

kernel_lines() {
	dmesg | grep -cE "$1" || true
}

# How often the kernel wanted to say it: the lines it printed, and those its rate limit kept back.
suppressed() {
	dmesg | awk '/net_ratelimit: [0-9]+ callbacks suppressed/ {
		for (i = 2; i <= NF; i++) if ($i == "callbacks") n += $(i - 1)
	} END { print n + 0 }'
}

report() {
	/usr/bin/python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$@"
}

wire() {
	ip link add "$3" netns "$1" type veth peer name "$4" netns "$2"
	ip -n "$1" addr add "$5" dev "$3"
	ip -n "$2" addr add "$6" dev "$4"
	ip -n "$1" link set "$3" up
	ip -n "$2" link set "$4" up
}

#    client 10.0.1.2 ---.
#                        router --- server 10.0.3.2
#    botnet 10.66.0.0/16 '
# The firewall is on the server, or on the router: then client and botnet are inside, behind its one address.
machines_up() {
	local ns
	for ns in client botnet router server; do
		ip netns add $ns
		ip -n $ns link set lo up
	done
	wire client router eth0 client 10.0.1.2/24 10.0.1.1/24
	wire botnet router eth0 botnet 10.0.2.2/24 10.0.2.1/24
	wire server router eth0 server 10.0.3.2/24 10.0.3.1/24
	ip -n client route add default via 10.0.1.1
	ip -n server route add default via 10.0.3.1
	ip -n router route add 10.66.0.0/16 via 10.0.2.2
	in_ns router sysctl -qw net.ipv4.ip_forward=1
	in_ns server sysctl -qw net.core.somaxconn=4096 net.ipv4.tcp_max_syn_backlog=4096
	in_ns botnet ping -q -c 1 -W 5 10.0.2.1 >/dev/null || die "the network does not come up"
}

machines_down() {
	local ns pid
	for ns in client botnet router server; do
		for pid in $(ip netns pids $ns); do
			kill "$pid" 2>/dev/null || true
		done
	done
	wait
	for ns in client botnet router server; do
		ip netns del $ns
	done
}

load_ruleset() {
	in_ns server nft -f - <<'RULES'
table inet filter {
	chain input {
		type filter hook input priority filter; policy drop;
		iifname lo accept
		ct state established,related accept
		ct state invalid drop
		tcp dport 22 ct state new limit rate 5/minute accept
		tcp dport 80 accept
	}
}
RULES
}

# The one of a router at home or at work; the server sees the router's address only.
load_router_ruleset() {
	in_ns router nft -f - <<'RULES'
table inet filter {
	chain forward {
		type filter hook forward priority filter; policy drop;
		ct state established,related accept
		ct state invalid drop
		iifname { client, botnet } oifname server accept
	}
}
table ip nat {
	chain postrouting {
		type nat hook postrouting priority srcnat;
		oifname server masquerade
	}
}
RULES
}

web() {
	in_ns client curl -s -o /dev/null --max-time "$1" "http://$SERVER/"
}

login() {
	in_ns client "${TRAFFIC[@]}" login $SERVER "$1"
}

start_users() {
	local i
	# Not through in_ns(): a signal must reach the program itself, not a shell that waits for it.
	ip netns exec server "${TRAFFIC[@]}" serve &
	for i in $(seq 50); do
		in_ns server ss -Htln 'sport = 80' | grep -q . && break
		sleep 0.2
	done
	ip netns exec client "${TRAFFIC[@]}" streams $SERVER $STREAMS "$WORK/$1.streams" &
	streams=$!
	for i in $(seq 50); do
		[ ! -e "$WORK/$1.streams.up" ] || break
		sleep 0.2
	done
	[ -e "$WORK/$1.streams.up" ] || die "the long-lived connections do not come up"
	web 10 || die "the web server does not answer before the flood"
	seen[$1,login_before]=$(login 10) || die "no login before the flood"
	say "$STREAMS long-lived connections, one web page, one login (${seen[$1,login_before]} ms)"
}

# New clients that come while the table is full: a web page each second, and two logins.
new_clients() {
	local i pids=() web_ok=0 login_ok=0 times=()
	for i in $(seq $CLIENTS); do
		{ web 5 && : >"$WORK/$1.web.$i"; } &
		pids+=($!)
		if ((i == 2 || i == 7)); then
			login 5 >"$WORK/$1.login.$i" &
			pids+=($!)
		fi
		sleep 1
	done
	for i in "${pids[@]}"; do
		wait "$i" || true
	done
	for i in $(seq $CLIENTS); do
		[ ! -e "$WORK/$1.web.$i" ] || web_ok=$((web_ok + 1))
	done
	for i in 2 7; do
		[ -s "$WORK/$1.login.$i" ] || continue
		login_ok=$((login_ok + 1))
		times+=("$(cat "$WORK/$1.login.$i")")
	done
	seen[$1,web]=$web_ok
	seen[$1,login]=$login_ok
	seen[$1,login_ms]=${times[*]:-}
}

# Seconds from the end of the flood to the first login that succeeds; "-" if there is none.
recover() {
	local start=$SECONDS waited
	while waited=$((SECONDS - start)) && ((waited < RECOVER_SECONDS)); do
		if login 3 >/dev/null; then
			echo $waited
			return
		fi
		sleep 1
	done
	echo -
}

start_flood() {
	local mac
	mac=$(ip -n router -br link show dev botnet | awk '{ print $3 }')
	ip netns exec botnet "${TRAFFIC[@]}" flood eth0 "$mac" $SERVER $FLOOD_RATE $FLOOD_COUNT $FLOOD_SECONDS "$WORK/$1.flood" &
	flood=$!
}

wait_until_full() {
	for waited in $(seq $FLOOD_SECONDS); do
		(($(count "$1") < FULL)) || break
		kill -0 "$flood" 2>/dev/null || die "the flood ended and did not fill the table ($(count "$1") of $MAX)"
		sleep 1
	done
}

# emergency ROUND: while nf_conntrack's table is full and the flood goes on, nf_flowtrack is loaded. Whom does it help, and
# when?
emergency() {
	local start i lines web=0
	say "in the middle of it: insmod ${FT_KO##*/}"
	insmod "$FT_KO" || die "the module does not load"
	start=${EPOCHREALTIME/./}
	for i in $(seq 20); do
		! web 1 || break
	done
	seen[$1,late_tenths]=$(((${EPOCHREALTIME/./} - start) / 100000))
	sleep 1
	lines=$(kernel_lines 'nf_conntrack: .*table full')
	for i in $(seq 5); do
		! web 2 || web=$((web + 1))
	done
	seen[$1,late_web]=$web
	seen[$1,late_lines]=$(($(kernel_lines 'nf_conntrack: .*table full') - lines))
	say "the first web page after ${seen[$1,late_tenths]} tenths of a second, then $web of 5"
}

# flood ROUND COUNTER: what fills the table, who comes meanwhile, and what is left afterwards.
flood() {
	local round=$1 counter=$2 flood waited lines held
	lines=$(kernel_lines 'nf_conntrack: .*table full')
	held=$(suppressed)
	say "the flood: short web connections, $FLOOD_RATE a second, from random sources"
	start_flood "$round"
	wait_until_full "$counter"
	say "full after $waited s: $(count "$counter") of $MAX; now new clients come"
	new_clients "$round"
	seen[$round,during]=$(kill -0 "$flood" 2>/dev/null && echo yes || echo no)
	seen[$round,count]=$(count "$counter")
	seen[$round,conntrack_count]=$(count conntrack)
	seen[$round,lines]=$(($(kernel_lines 'nf_conntrack: .*table full') - lines))
	seen[$round,held]=$(($(suppressed) - held))
	[ "$round" != router_alone ] || emergency "$round"
	kill -TERM "$flood" 2>/dev/null || true
	wait "$flood" || die "the flood failed"
	seen[$round,opened]=$(report "$WORK/$round.flood" opened)
	seen[$round,answered]=$(report "$WORK/$round.flood" answered)
	say "the flood has ended: ${seen[$round,answered]} of ${seen[$round,opened]} connections were answered"
	[ "$box" = router ] || seen[$round,recover]=$(recover)
	if [ "$round" = conntrack ]; then
		say "the flood once more, until the table is full"
		start_flood late
		wait_until_full "$counter"
		emergency "$round"
		kill -TERM "$flood" 2>/dev/null || true
		wait "$flood" || die "the second flood failed"
	fi
	kill -TERM $streams
	ruleset "$round"
	wait $streams || die "the long-lived connections left no report"
	seen[$round,kept]=$(report "$WORK/$round.streams" kept)
	seen[$round,bytes]=$(report "$WORK/$round.streams" bytes)
	[ -n "${seen[$round,late_web]:-}" ] || seen[$round,lines]=$(($(kernel_lines 'nf_conntrack: .*table full') - lines))
}

round_conntrack() {
	title "1. nf_conntrack alone, nf_conntrack_max = $MAX"
	machines_up
	load_ruleset
	on_box 'nft -s list chain inet filter input'
	start_users conntrack
	on_box 'conntrack -L 2>/dev/null | head -n 3'
	on_box 'conntrack -C'
	flood conntrack conntrack
	say "the kernel's log:"
	dmesg | grep 'table full' | tail -n 3
	machines_down
	rmmod nf_flowtrack || die "the module does not unload"
}

round_flowtrack() {
	title "2. the same with nf_flowtrack, nf_flowtrack_max = $MAX"
	say "insmod ${FT_KO##*/}; the ruleset is the same"
	insmod "$FT_KO" || die "the module does not load"
	machines_up
	load_ruleset
	on_box "sysctl -w net.netfilter.nf_flowtrack_max=$MAX"
	start_users flowtrack
	on_box 'flowtrack list | head -n 5'
	on_box "flowtrack stats | grep -v ' 0$'"
	on_box 'conntrack -C'
	flood flowtrack flowtrack
	on_box "flowtrack stats | grep -v ' 0$'"
	say "the kernel's log:"
	dmesg | grep 'nf_flowtrack' | tail -n 3 || true
	seen[flowtrack,rules]=$(diff "$WORK/conntrack.rules" "$WORK/flowtrack.rules" | grep -c '^[<>]' || true)
	machines_down
	rmmod nf_flowtrack || die "the module does not unload"
}

round_router_alone() {
	title "3. a router that masquerades, nf_conntrack alone, nf_conntrack_max = $MAX"
	box=router
	machines_up
	load_router_ruleset
	on_box 'nft -s list ruleset'
	start_users router_alone
	flood router_alone conntrack
	say "the kernel's log:"
	dmesg | grep 'table full' | tail -n 3
	machines_down
	rmmod nf_flowtrack || die "the module does not unload"
}

round_router_flowtrack() {
	title "4. the same with nf_flowtrack, nf_flowtrack_max = $MAX"
	say "insmod ${FT_KO##*/}; the ruleset is the same, and flowtrack tracks what it translates"
	insmod "$FT_KO" || die "the module does not load"
	machines_up
	load_router_ruleset
	on_box "sysctl -w net.netfilter.nf_flowtrack_max=$MAX"
	start_users router_flowtrack
	on_box 'flowtrack list reply-dst 10.0.3.1 | head -n 5'
	on_box 'conntrack -C'
	flood router_flowtrack flowtrack
	on_box "flowtrack stats | grep -v ' 0$'"
	seen[router_flowtrack,evicted]=$(in_ns router flowtrack stats | awk '$1 == "evict_closing" { print $2 }')
	say "the kernel's log:"
	dmesg | grep 'nf_flowtrack: netns' | tail -n 2 || true
	seen[router_flowtrack,rules]=$(diff "$WORK/router_alone.rules" "$WORK/router_flowtrack.rules" | grep -c '^[<>]' || true)
	machines_down
	rmmod nf_flowtrack || die "the module does not unload"
}

row() {
	printf '%-46s | %-26s | %-14s\n' "$@"
}

login_times() {
	[ -n "${seen[$1,login_ms]}" ] && echo "${seen[$1,login_ms]// /, } ms" || echo "none in 5 s"
}

recovery() {
	case ${seen[$1,recover]} in
	-) echo "not within $RECOVER_SECONDS s" ;;
	*) echo "${seen[$1,recover]} s" ;;
	esac
}

to_do() {
	if [ "${seen[$1,recover]}" = 0 ] && ((seen[$1,login] == 2)); then
		echo "nothing"
	else
		echo "wait, or raise the max"
	fi
}

# rows A B: what both scenes have in common, of two rounds.
rows() {
	local a=$1 b=$2
	row "" "nf_conntrack alone" "nf_flowtrack"
	row "----------------------------------------------" "--------------------------" "--------------"
	row "table, entries of max, while the clients came" "${seen[$a,count]} of $MAX" "${seen[$b,count]} of $MAX"
	row "connections of the flood, answered of opened" \
		"${seen[$a,answered]} of ${seen[$a,opened]}" "${seen[$b,answered]} of ${seen[$b,opened]}"
	row "long-lived connections kept" "${seen[$a,kept]} of $STREAMS" "${seen[$b,kept]} of $STREAMS"
	row "new web clients served while it was full" "${seen[$a,web]} of $CLIENTS" "${seen[$b,web]} of $CLIENTS"
	row "ssh logins while it was full" "${seen[$a,login]} of 2" "${seen[$b,login]} of 2"
	row "ssh login time before the flood" "${seen[$a,login_before]} ms" "${seen[$b,login_before]} ms"
	row "ssh login time while it was full" "$(login_times "$a")" "$(login_times "$b")"
	[ -z "${seen[$a,recover]:-}" ] || row "ssh login again after the flood" "$(recovery "$a")" "$(recovery "$b")"
	row "\"nf_conntrack: table full, dropping packet\"" \
		"${seen[$a,lines]} lines, ${seen[$a,held]} kept back" "${seen[$b,lines]} lines"
	row "nf_conntrack's own entries" "${seen[$a,conntrack_count]}" "${seen[$b,conntrack_count]}"
	row "rules that differ" "" "${seen[$b,rules]}"
	row "loaded in the middle of it: first web page" "" \
		"after $((seen[$a,late_tenths] / 10)).$((seen[$a,late_tenths] % 10)) s"
}

table() {
	title "side by side: a server"
	rows conntrack flowtrack
	row "what the operator had to do" "$(to_do conntrack)" "$(to_do flowtrack)"
	title "side by side: a router that masquerades"
	rows router_alone router_flowtrack
	row "closed connections evicted for new ones" "" "${seen[router_flowtrack,evicted]}"
	echo
}

claim() {
	local what=$1
	shift
	if ! "$@"; then
		printf 'demo: NOT SEEN: %s\n' "$what" >&2
		failures=$((failures + 1))
	fi
}

# claims_of A B: what both scenes claim, of two rounds.
claims_of() {
	local a=$1 b=$2
	claim "$a: nf_conntrack says that its table is full" [ "${seen[$a,lines]}" -ge 1 ]
	# How many get in depends on whether nf_conntrack's collector comes by just then.
	claim "$a: new clients fail" [ $((seen[$a,web] + seen[$a,login])) -lt $((CLIENTS + 2)) ]
	claim "$a: the flood went on while the new clients came" [ "${seen[$a,during]}" = yes ]
	claim "$b: the flood went on while the new clients came" [ "${seen[$b,during]}" = yes ]
	claim "$b: the table was full" [ "${seen[$b,count]}" -ge $((MAX * 95 / 100)) ]
	claim "$b: the table stays within its max" [ "${seen[$b,count]}" -le $MAX ]
	claim "$b: every long-lived connection is kept" [ "${seen[$b,kept]}" -eq $STREAMS ]
	claim "$b: every new web client is served" [ "${seen[$b,web]}" -eq $CLIENTS ]
	claim "$b: both logins succeed" [ "${seen[$b,login]}" -eq 2 ]
	claim "$b: nf_conntrack does not say that its table is full" [ "${seen[$b,lines]}" -eq 0 ]
	claim "$b: both had the same ruleset" [ -s "$WORK/$b.rules" -a "${seen[$b,rules]}" -eq 0 ]
	# Starting curl is a good part of it.
	claim "$a: loaded meanwhile: a web client is served within 2 s" [ "${seen[$a,late_tenths]}" -le 20 ]
	claim "$a: loaded meanwhile: the next ones are served, too" [ "${seen[$a,late_web]}" -eq 5 ]
	claim "$a: loaded meanwhile: nf_conntrack does not say any more that its table is full" [ "${seen[$a,late_lines]}" -eq 0 ]
	claim "$a: loaded meanwhile: every long-lived connection is kept" [ "${seen[$a,kept]}" -eq $STREAMS ]
}

claims() {
	claims_of conntrack flowtrack
	claim "flowtrack: nf_conntrack's table stays empty" [ "${seen[flowtrack,conntrack_count]}" -eq 0 ]
	claims_of router_alone router_flowtrack
	# It counts a packet that opens a flow, until that is flowtrack's.
	claim "router_flowtrack: nf_conntrack's table stays empty" [ "${seen[router_flowtrack,conntrack_count]}" -le 16 ]
	claim "router_flowtrack: closed connections made room" [ "${seen[router_flowtrack,evicted]:-0}" -ge 1 ]
	claim "the kernel did not complain" [ "$(kernel_lines 'WARNING:|BUG:|Oops|general protection')" -eq 0 ]
}

[ -e "${FT_KO:?}" ] || die "no module at $FT_KO"
[ -x "${FT_TOOL:?}" ] || die "no tool at $FT_TOOL"
PATH=$(dirname "$FT_TOOL"):$PATH
title "kernel $(uname -r), $(nproc) CPUs; machines are network namespaces: client, botnet, router, server"
modprobe -a nf_conntrack nf_tables nf_defrag_ipv4 nf_defrag_ipv6
# As many buckets as entries, the kernel's own ratio: with more of them nf_conntrack would find less to drop.
sysctl -qw net.netfilter.nf_conntrack_max=$MAX net.netfilter.nf_conntrack_buckets=$MAX
round_conntrack
round_flowtrack
round_router_alone
round_router_flowtrack
table
claims
((failures == 0)) || exit 1
echo "demo: all of this was measured in this run, and all that is claimed was seen"
