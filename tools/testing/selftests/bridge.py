#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""A bridge with br_netfilter that filters with iptables' physdev and states; containers on macvlan devices; a router
in a VRF that masquerades."""

from lib_net import *


def make_bridge():
    net = Net()
    load_modules("br_netfilter")
    net.r.ip("link add br0 type bridge", "link set dev rc master br0", "link set dev rs master br0",
             "link set dev br0 up", "addr del 10.9.1.1/24 dev rc", "addr del 10.9.2.1/24 dev rs")
    for name in ("iptables", "ip6tables"):
        net.r.sysctl(f"net.bridge.bridge-nf-call-{name}", 1)
    # Both hosts are on one link now.
    for ns, dev, there in ((net.c, "cr", 2), (net.s, "sr", 1)):
        ns.ip(f"route add 10.9.{there}.0/24 dev {dev}", f"route add fd09:{there}::/64 dev {dev}")
    return net


def refused(client, addr, port):
    try:
        connect(client, addr, port, timeout=1).close()
    except TimeoutError:
        return True
    return False


@case("a bridge that filters: from one side only, by iptables' physdev and ctstate")
def _():
    net = make_bridge()
    for command, icmp in (("iptables", ""), ("ip6tables", "-A FORWARD -p ipv6-icmp -j ACCEPT\n")):
        net.r.run(f"{command}-nft-restore", text=f"""*filter
:FORWARD DROP [0:0]
-A FORWARD -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT
{icmp}-A FORWARD -m physdev --physdev-is-bridged --physdev-in rc --physdev-out rs -p tcp --dport 80 -j ACCEPT
-A FORWARD -m physdev --physdev-is-bridged --physdev-in rc -p udp --dport 53 -m conntrack --ctstate NEW -j ACCEPT
COMMIT
""")
    net.forget()
    for family in FAMILIES:
        for proto, port in (("tcp", 80), ("udp", 53)):
            with Talk(net.c, net.s, Net.S[family], port, proto=proto) as talk:
                talk.alive()
        with listen(net.c, Net.C[family], 80):
            check(refused(net.s, Net.C[family], 80), f"IPv{family}: the other way is open")
    # The bridge itself reports its multicast groups, when it pleases.
    for proto in ("tcp", "udp"):
        net.where((2, 0), f"{proto} connections", proto=proto)
    Ns.delete_all()


@case("a bridge that redirects what passes to itself, by the nat table")
def _():
    net = make_bridge()
    net.r.ip("addr add 10.9.1.1/16 dev br0")
    net.r.run("iptables-nft", "-t", "nat", "-A", "PREROUTING", "-m", "physdev", "--physdev-in", "rc", "-p", "tcp",
              "--dport", "80", "-j", "REDIRECT", "--to-ports", "3128")
    net.forget()
    with Talk(net.c, net.r, "10.9.1.1", 3128, to=(Net.S[4], 80)) as talk:
        talk.alive()
        equal(talk.peer[0], Net.C[4], "the client that the proxy sees")
    with Talk(net.c, net.s, Net.S[4], 81) as talk:
        talk.alive()
    net.where((0, 1), "redirected", odport=80)
    net.where((1, 0), "passed on", odport=81)
    Ns.delete_all()


@case("containers on macvlan devices of the router: their own namespace tracks them")
def _():
    net = Net()
    ns = Ns("m")
    net.r.ip("link add mv link rs type macvlan mode bridge", f"link set dev mv netns {ns.name}")
    ns.ip("link set dev mv up", "addr add 10.9.2.9/24 dev mv", "addr add fd09:2::9/64 dev mv nodad")
    ns.nft("""
table inet filter {
	chain in {
		type filter hook input priority 0; policy drop
		ct state established,related accept
		tcp dport 80 ct state new accept
		meta l4proto icmpv6 accept
	}
}""")
    for family in FAMILIES:
        addr = "fd09:2::9" if family == 6 else "10.9.2.9"
        with Talk(net.s, ns, addr, 80) as talk:
            talk.alive()
        with Talk(ns, net.s, Net.S[family], 53, proto="udp") as talk:
            talk.alive()
        with listen(ns, addr, 81):
            check(refused(net.s, addr, 81), f"IPv{family}: port 81 is open")
        equal(len(ns.flows(family=family, odport=53)), 1, f"IPv{family}: connections to port 53 in the container")
    if FLOWTRACK:
        equal(net.r.flows(proto="tcp"), [], "connections that the router saw")
    Ns.delete_all()


@case("a router in a VRF that masquerades one port")
def _():
    net = Net()
    net.r.ip("link add vrf0 type vrf table 77", "link set dev vrf0 up", "link set dev rc master vrf0",
             "link set dev rs master vrf0", "addr replace fd09:1::1/64 dev rc nodad",
             "addr replace fd09:2::1/64 dev rs nodad")
    net.r.nft("""
table inet nat {
	chain post {
		type nat hook postrouting priority 100
		oifname rs tcp dport 80 masquerade
	}
}
table inet filter {
	counter invalid { }
	chain forward {
		type filter hook forward priority 0; policy drop
		ct state established,related accept
		ct state invalid counter name invalid drop
		tcp dport { 80, 81 } ct state new accept
		meta l4proto icmpv6 accept
	}
}""")
    net.forget()
    for family in FAMILIES:
        with Talk(net.c, net.s, Net.S[family], 80) as talk:
            talk.alive()
            equal(talk.peer[0], Net.RS[family], "the client that the server sees")
        with Talk(net.c, net.s, Net.S[family], 81) as talk:
            talk.alive()
            equal(talk.peer[0], Net.C[family], "the client that the server sees")
    net.where(translated(2), "masqueraded", odport=80)
    net.where((2, 0), "not translated", odport=81)
    equal(net.counters()["invalid"], 0, "packets that were invalid")
    Ns.delete_all()


main(teardown=teardown)
