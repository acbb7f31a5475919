#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# TIMEOUT: 240
#
# The stateful ruleset that everybody has, unchanged, with real clients and servers.

. "$(dirname "$0")/lib.sh"

plan 15
setup_net

cat >"rules.nft" <<'END'
table inet filter {
	counter invalid { }
	counter rest { }
	chain input {
		type filter hook input priority 0; policy drop
		iif lo accept
		ct state established,related accept
		ct state invalid counter name invalid drop
		icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert } accept
		icmp type echo-request accept
		icmpv6 type echo-request accept
		tcp dport 22 ct state new limit rate 5/minute burst 5 packets accept
		tcp dport 80 accept
		counter name rest drop
	}
	chain forward {
		type filter hook forward priority 0; policy drop
		ct state established,related accept
		ct state invalid counter name invalid drop
		iif rc tcp dport { 80, 5201 } accept
		iif rc udp dport 53 accept
		iif rc meta l4proto { icmp, icmpv6 } accept
	}
}
END
rules "$R" <rules.nft

echo "hello from the server" >index.html
http_server "$S" 80
http_server "$R" 80
server "$R" tcp:22 tcp:8080
server "$S" tcp:5202 udp:53
server "$C" tcp:7000

# ask NAMESPACE ADDRESS PORT: what comes back for a datagram, or the error.
ask() {
	# shellcheck disable=SC2016 # for the inner shell
	at "$1" bash -c 'exec 3<>"/dev/udp/$0/$1"; echo question >&3; timeout 10 dd bs=1000 count=1 status=none <&3' "$2" "$3" 2>&1
}

get() {
	at "$C" curl -s -m 20 "http://$1/index.html"
}

for where in "$R4C router over IPv4" "[$R6C] router over IPv6" "$S4 server over IPv4" "[$S6] server over IPv6"; do
	begin "curl: the web port of the ${where#* }"
	equal "page" "$(get "${where%% *}")" "hello from the server"
	finish
done

for where in "$R4C router over IPv4" "$R6C router over IPv6" "$S4 server over IPv4" "$S6 server over IPv6"; do
	begin "ping: the ${where#* }"
	expect "ping" at "$C" ping -q -c 2 -i 0.2 -W 10 "${where%% *}"
	finish
done

begin "a port that is not open to the world stays shut, and the world cannot connect back"
at "$C" nc -z -w 2 $R4C 8080 && fail "port 8080 of the router is open" &
waiting=($!)
at "$C" nc -z -w 2 $S4 22 && fail "port 22 of the server is open" &
waiting+=($!)
at "$S" nc -z -w 2 $C4 7000 && fail "port 7000 of the client is open" &
waiting+=($!)
at "$S" nc -z -w 2 $C6 7000 && fail "port 7000 of the client is open over IPv6" &
waiting+=($!)
for pid in "${waiting[@]}"; do
	! wait "$pid" || case_failed=1
done
finish

begin "the router's own connections work: replies are established"
equal "page" "$(at "$R" curl -s -m 20 http://$S4/index.html)" "hello from the server"
equal "page, IPv6" "$(at "$R" curl -s -m 20 "http://[$S6]/index.html")" "hello from the server"
equal "page over loopback" "$(at "$R" curl -s -m 20 http://127.0.0.1/index.html)" "hello from the server"
equal "page over loopback, IPv6" "$(at "$R" curl -s -m 20 "http://[::1]/index.html")" "hello from the server"
finish

begin "udp: a question to the server and its answer"
equal "answer" "$(ask "$C" $S4 53)" question
equal "answer, IPv6" "$(ask "$C" $S6 53)" question
finish

begin "ssh: five new connections get in at once, the sixth does not, the open ones live on"
# shellcheck disable=SC2317 # called through expect
established() {
	[ "$(at "$R" ss -Htn state established "sport = :22" | wc -l)" -ge 1 ]
}
exec {hold}> >(at "$C" nc $R4C 22 >/dev/null 2>&1)
# Or it is not the first, and the limit is reached without it.
busywait 10 established
got=0
for _ in 1 2 3 4; do
	! at "$C" nc -z -w 5 $R4C 22 || got=$((got + 1))
done
equal "connections that got in" $got 4
expect_not "connection number six" at "$C" nc -z -w 2 $R4C 22
expect "the first connection" established
echo "still there" >&"$hold"
# shellcheck disable=SC2317 # called through busywait
acked() {
	! at "$C" ss -Htni state established "dport = :22" | grep -q unacked
}
expect "data on the first connection is acknowledged" busywait 10 acked
exec {hold}>&-
finish

begin "closed ports of the server: RST and port unreachable come back, nobody waits for a timeout"
rules "$R" < <(sed 's/tcp dport { 80, 5201 }/tcp dport { 80, 81, 5201 }/; s/udp dport 53/udp dport 53-54/' rules.nft)
contains "connect to port 81" "$(at "$C" nc -v -w 10 $S4 81 2>&1)" refused
contains "connect to port 81, IPv6" "$(at "$C" nc -v -w 10 $S6 81 2>&1)" refused
contains "question to port 54" "$(ask "$C" $S4 54)" refused
contains "question to port 54, IPv6" "$(ask "$C" $S6 54)" refused
finish

begin "iperf3: a bulk transfer through the ruleset, nothing in it is invalid"
rules "$R" <rules.nft
start "$S" iperf3 -s -1
busywait 20 listening $started t 5201
before=$(counter "$R" filter invalid)
expect "iperf3" at "$C" iperf3 -c $S4 -n 1M -P 2
equal "packets counted as invalid" "$(counter "$R" filter invalid)" "$before"
finish

begin "all of that left nf_conntrack's table empty"
expect_conntrack_empty "$C" "$R" "$S"
if flowtrack_mode; then
	[ "$(flow_count "$R")" -gt 5 ] || fail "flowtrack tracks only $(flow_count "$R") flows"
fi
finish

done_testing
