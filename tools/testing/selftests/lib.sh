# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What the tests in shell share: namespaces, the module, KTAP. Source it, never run it; see lib.py for FT_MODE.
#
#   plan 3
#   setup_net                      client - router - server: $C, $R, $S are the namespaces' names
#   begin "curl gets in"           starts a case
#   expect "what" COMMAND...       fails the case if the command does, and says so
#   finish                         ends the case
#   done_testing                   exits

set -u

LIB=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

FT_MODE=${FT_MODE:-flowtrack}
FT_KO=${FT_KO:-nf_flowtrack.ko}
FT_TOOL=${FT_TOOL:-flowtrack}
PREFIX=nf_$FT_MODE
export LC_ALL=C.UTF-8

C4=10.8.1.2 R4C=10.8.1.1 R4S=10.8.2.1 S4=10.8.2.2
C6=fd08:1::2 R6C=fd08:1::1 R6S=fd08:2::1 S6=fd08:2::2

case_number=0 case_name='' case_failed=0 case_start=0 failures=0 skip_reason=
namespaces=()

plan() {
	trap clean_up EXIT
	trap 'exit 1' TERM INT
	printf 'KTAP version 1\n1..%d\n' "$1"
}

note() {
	printf '%s\n' "$*" | sed 's/^/# /'
}

begin() {
	case_number=$((case_number + 1)) case_name=$1 case_failed=0 case_start=${EPOCHREALTIME/./} skip_reason=
}

fail() {
	case_failed=1
	note "$@"
}

skip() {
	skip_reason=$1
}

finish() {
	local tenths=$(((${EPOCHREALTIME/./} - case_start) / 100000))
	[ $tenths -le 30 ] || note "$((tenths / 10)).$((tenths % 10)) s:"
	if [ -n "$skip_reason" ]; then
		echo "ok $case_number $case_name # SKIP $skip_reason"
	elif [ $case_failed = 0 ]; then
		echo "ok $case_number $case_name"
	else
		failures=$((failures + 1))
		echo "not ok $case_number $case_name"
	fi
}

# expect WHAT COMMAND...: it must succeed.
expect() {
	local what=$1 out status=0
	shift
	out=$("$@" 2>&1) || status=$?
	[ $status -eq 0 ] && return 0
	fail "$what: exit status $status of: $*" "${out:0:2000}"
	return 1
}

# expect_not WHAT COMMAND...: it must fail.
expect_not() {
	local what=$1 out
	shift
	out=$("$@" 2>&1) || return 0
	fail "$what: succeeded, and must not: $*" "${out:0:2000}"
	return 1
}

# equal WHAT SEEN WANTED
equal() {
	[ "$2" = "$3" ] && return 0
	fail "$1: expected '$3', seen '$2'"
	return 1
}

# contains WHAT TEXT PART
contains() {
	[[ $2 == *"$3"* ]] && return 0
	fail "$1: '$3' is not in: ${2:0:2000}"
	return 1
}

# busywait SECONDS COMMAND...: polls until it succeeds.
busywait() {
	local end=$((SECONDS + $1 + 1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.05
	done
}

done_testing() {
	[ $failures -eq 0 ]
	exit
}

flowtrack_mode() {
	[ "$FT_MODE" = flowtrack ]
}

module_loaded() {
	[ -d /sys/module/nf_flowtrack ]
}

# insmod does not look for what a module needs. A NAT module that an earlier test left behind would change the mode.
module_load() {
	module_loaded && return 0
	unload_nat
	modprobe -a nf_conntrack nf_defrag_ipv4 nf_defrag_ipv6 && insmod "$FT_KO"
}

module_unload() {
	module_loaded || return 0
	timeout -k 5 30 rmmod nf_flowtrack
}

unload_nat() {
	[ ! -d /sys/module/nf_nat ] ||
		modprobe -r -q nft_masq nft_nat nft_redir nft_chain_nat xt_MASQUERADE xt_nat xt_REDIRECT iptable_nat ip6table_nat \
			nf_nat 2>/dev/null || true
}

ns_add() {
	local name=ft-$1-$$
	ip netns add "$name" || exit 1
	namespaces+=("$name")
	ip -n "$name" link set lo up
	at "$name" sysctl -q -w net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0 \
		net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0
	echo_ns=$name
}

# ns_del NAME: with everything that runs in it.
ns_del() {
	local pids
	pids=$(ip netns pids "$1" 2>/dev/null)
	# shellcheck disable=SC2086 # a list
	[ -z "$pids" ] || kill -9 $pids 2>/dev/null
	ip netns del "$1" 2>/dev/null
}

# at NAMESPACE COMMAND...: not ip netns exec, which makes a mount namespace each time and mounts /sys in it.
at() {
	nsenter --net="/run/netns/$1" "${@:2}"
}

# Client, router and server, all with kernels that answer.
setup_net() {
	if flowtrack_mode; then
		module_load || exit 1
	fi
	ns_add c && C=$echo_ns
	ns_add r && R=$echo_ns
	ns_add s && S=$echo_ns
	ip -batch - <<-END || exit 1
		link add cr netns $C type veth peer name rc netns $R
		link add sr netns $S type veth peer name rs netns $R
	END
	setup_addresses "$C" cr $C4/24 $C6/64 $R4C $R6C
	setup_addresses "$S" sr $S4/24 $S6/64 $R4S $R6S
	setup_addresses "$R" rc $R4C/24 $R6C/64
	setup_addresses "$R" rs $R4S/24 $R6S/64
	at "$R" sysctl -q -w net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
}

# setup_addresses NAMESPACE DEVICE IPV4/LEN IPV6/LEN [GATEWAY4 GATEWAY6]
setup_addresses() {
	ip -n "$1" -batch - <<-END || exit 1
		addr add $3 dev $2
		addr add $4 dev $2 nodad
		link set $2 up
		${5:+route add default via $5}
		${6:+route add default via $6}
	END
}

# rules NAMESPACE: the ruleset on standard input replaces what was there.
rules() {
	{
		echo "flush ruleset"
		cat
	} | at "$1" nft -f - || fail "the ruleset does not load"
}

# set_sysctl NAMESPACE SUFFIX VALUE
set_sysctl() {
	at "$1" sysctl -q -w "net.netfilter.${PREFIX}_$2=$3"
}

get_sysctl() {
	at "$1" sysctl -n "net.netfilter.${PREFIX}_$2"
}

# A named counter's packets: counter NAMESPACE TABLE NAME
counter() {
	at "$1" nft list counter inet "$2" "$3" | sed -n 's/.*packets \([0-9]*\).*/\1/p'
}

# With flowtrack, nf_conntrack's table stays empty.
expect_conntrack_empty() {
	local n
	flowtrack_mode || return 0
	for n in "$@"; do
		equal "nf_conntrack_count in $n" "$(at "$n" sysctl -n net.netfilter.nf_conntrack_count)" 0
	done
}

# start NAMESPACE COMMAND...: in the background; its process is $started.
start() {
	(exec nsenter --net="/run/netns/$1" "${@:2}") >/dev/null 2>&1 &
	started=$!
}

# listening PID PROTOCOL(t|u) PORT: on IPv6 in the namespace of a process. Without starting a program: a test that waits
# must not take the processor from the server.
listening() {
	local port address state
	local -A file=([t]=tcp6 [u]=udp6)
	printf -v port '%04X' "$3"
	while read -r _ address _ state _; do
		[[ $address != *:$port || $state != 0[A7] ]] || return 0
	done <"/proc/$1/net/${file[$2]}"
	return 1
}

# http_server NAMESPACE PORT: serves the current directory on IPv4 and IPv6.
http_server() {
	start "$1" /usr/bin/python3 -m http.server --bind :: "$2"
	busywait 20 listening $started t "$2" || fail "no HTTP server on port $2"
}

# server NAMESPACE tcp:PORT|udp:PORT...: see lib_server.py.
server() {
	local ns=$1 word
	shift
	start "$ns" /usr/bin/python3 "$LIB/lib_server.py" "$@"
	for word in "$@"; do
		busywait 20 listening $started "${word:0:1}" "${word#*:}" || fail "no server on $word"
	done
}

# flow_count NAMESPACE FILTER...: how many.
flow_count() {
	local ns=$1
	shift
	if flowtrack_mode; then
		at "$ns" "$FT_TOOL" count "$@"
	else
		at "$ns" conntrack -L 2>/dev/null | wc -l
	fi
}

clean_up() {
	local ns
	for ns in "${namespaces[@]}"; do
		ns_del "$ns"
	done
	wait 2>/dev/null
	module_unload || echo "# the module cannot be unloaded"
}
