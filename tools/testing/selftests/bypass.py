#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The bypass mark, with what needs it: ct count and connlimit, flowtables, synproxy. Each works on marked flows,
as it does without a mark: see consumers.py."""

from lib_net import *

MARK = "meta mark set 0x100"
COUNT = """
table inet filter {{
	set each {{ type ipv4_addr; flags dynamic; size 100; }}
	set each6 {{ type ipv6_addr; flags dynamic; size 100; }}
	counter over {{ }}
	chain pre {{
		type filter hook prerouting priority raw
		tcp dport 80 {mark}
	}}
	chain refuse {{
		counter name over reject with tcp reset
	}}
	chain forward {{
		type filter hook forward priority 0
		tcp dport 80 ct state new add @each {{ ip saddr ct count over 3 }} jump refuse
		tcp dport 80 ct state new add @each6 {{ ip6 saddr ct count over 3 }} jump refuse
	}}
}}
"""
FLOWTABLE = """
table inet filter {{
	flowtable f {{ hook ingress priority 0; devices = {{ rc, rs }}; }}
	counter forwarded {{ }}
	chain pre {{
		type filter hook prerouting priority raw
		meta l4proto {{ tcp, udp }} th dport 80 {mark}
	}}
	chain forward {{
		type filter hook forward priority 0
		meta l4proto {{ tcp, udp }} ct state established flow add @f
		meta l4proto {{ tcp, udp }} counter name forwarded
	}}
}}
"""
SYNPROXY = """
table inet filter {{
	counter proxied {{ }}
	chain pre {{
		type filter hook prerouting priority raw
		tcp dport 80 {mark}
		tcp dport 80 tcp flags syn / fin,syn,rst,ack notrack
	}}
	chain forward {{
		type filter hook forward priority 0
		tcp dport 80 ct state invalid,untracked counter name proxied synproxy mss 1460 wscale 7 timestamp sack-perm
		ct state invalid drop
	}}
}}
"""


def opened(net, addr):
    """How many of six connections from one client were let in; all are held open."""
    count = 0
    for _ in range(6):
        try:
            net.open.append(connect(net.c, addr, 80))
            count += 1
        except ConnectionRefusedError:
            pass
    return count


def count_connections(net):
    net.open, listeners = [], [listen(net.s, Net.S[f], 80) for f in FAMILIES]
    counts = [opened(net, Net.S[f]) for f in FAMILIES]
    for sock in net.open + listeners:
        sock.close()
    return counts


@case("ct count: three connections for each source")
def _(net):
    net.reset(COUNT.format(mark=MARK))
    equal(count_connections(net), [3, 3], "connections let in")
    equal(net.counters()["over"], 6, "connections refused")


def connlimit(net, command, family):
    net.r.run(command, "-t", "raw", "-A", "PREROUTING", "-p", "tcp", "--dport", "80", "-j", "MARK", "--set-mark",
              "0x100")
    net.r.run(command, "-A", "FORWARD", "-p", "tcp", "--syn", "--dport", "80", "-m", "connlimit", "--connlimit-above",
              "3", "-j", "REJECT", "--reject-with", "tcp-reset")
    net.forget()
    net.open = []
    with listen(net.s, Net.S[family], 80):
        count = opened(net, Net.S[family])
    for sock in net.open:
        sock.close()
    for table in ("raw", "filter"):
        net.r.run(command, "-t", table, "-F")
    return count


@case("connlimit of iptables")
def _(net):
    net.reset("")
    for command, family in (("iptables-nft", 4), ("ip6tables-nft", 6), ("iptables-legacy", 4)):
        equal(connlimit(net, command, family), 3, f"{command}: connections let in")


def through_forward(net, proto, family):
    """How many packets of 20 rounds were seen by the forward chain."""
    with Talk(net.c, net.s, Net.S[family], 80, proto=proto) as talk:
        talk.alive(5)
        before = net.counters()["forwarded"]
        talk.alive(20)
        return net.counters()["forwarded"] - before


@case("a flowtable takes marked flows past the ruleset")
def _(net):
    net.reset(FLOWTABLE.format(mark=MARK))
    for family in FAMILIES:
        for proto in ("tcp", "udp"):
            seen = through_forward(net, proto, family)
            check(seen <= 2, f"{proto} over IPv{family}: {seen} packets of 20 rounds came by the forward chain")


def synproxy_cookies(net):
    """Cookies that clients answered rightly."""
    lines = net.r.read("/proc/thread-self/net/stat/synproxy").splitlines()
    column = lines[0].split().index("cookie_valid")
    return sum(int(line.split()[column], 16) for line in lines[1:])


def proxied(net, family):
    """A connection, of which the client has answered a cookie."""
    before = synproxy_cookies(net)
    with Talk(net.c, net.s, Net.S[family], 80) as talk:
        talk.alive()
    equal(synproxy_cookies(net) - before, 1, f"IPv{family}: cookies that were right")


@case("synproxy answers for the server until the client has")
def _(net):
    net.r.sysctl("net.netfilter.nf_conntrack_tcp_loose", 0)
    net.reset(SYNPROXY.format(mark=MARK))
    for family in FAMILIES:
        proxied(net, family)
    check(net.counters()["proxied"] >= 4, f"packets for synproxy: {net.counters()}")


@case("SYNPROXY of iptables")
def _(net):
    net.r.sysctl("net.netfilter.nf_conntrack_tcp_loose", 0)
    net.reset("")
    for command, family in (("iptables-nft", 4), ("ip6tables-nft", 6), ("iptables-legacy", 4)):
        web = "-p", "tcp", "--dport", "80"
        net.r.run(command, "-t", "raw", "-A", "PREROUTING", *web, "-j", "MARK", "--set-mark", "0x100")
        net.r.run(command, "-t", "raw", "-A", "PREROUTING", *web, "--syn", "-j", "CT", "--notrack")
        net.r.run(command, "-A", "FORWARD", *web, "-m", "conntrack", "--ctstate", "INVALID,UNTRACKED", "-j", "SYNPROXY",
                  "--sack-perm", "--timestamp", "--wscale", "7", "--mss", "1460")
        net.r.run(command, "-A", "FORWARD", "-m", "conntrack", "--ctstate", "INVALID", "-j", "DROP")
        proxied(net, family)
        for table in ("raw", "filter"):
            net.r.run(command, "-t", table, "-F")


# Last: NAT that was there once makes flows adopted.
RESTORE = """
table inet filter {{
	chain pre {{
		type filter hook prerouting priority raw
		tcp dport 80 {mark}
	}}
	chain mangle {{
		type filter hook prerouting priority mangle
		meta mark set ct mark
	}}
	chain forward {{
		type filter hook forward priority 0; policy drop
		ct state established accept
		tcp dport 80 ct state new accept
		meta l4proto icmpv6 accept
	}}
}}
table inet nat {{
	chain post {{
		type nat hook postrouting priority 100
	}}
}}
"""


@case("a rule restores the connection's mark behind the bypass mark: the connection stays in nf_conntrack")
def _(net):
    net.reset(RESTORE.format(mark=MARK))
    for family in FAMILIES:
        with Talk(net.c, net.s, Net.S[family], 80) as talk:
            talk.alive(5)
            net.where((0, 1), "marked", proto="tcp", odport=80, family=family)
    net.reset("")


main(marked_net, teardown)
