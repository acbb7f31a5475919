#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""IPVS on the router: a virtual service by NAT (with and without ipvs's own use of conntrack) and by direct routing."""

from lib_net import *

VIP = {4: "10.9.1.1", 6: "fd09:1::1"}
FILTER = """
table inet filter {
	chain in {
		type filter hook input priority 0; policy drop
		ct state established,related accept
		iif rc tcp dport 80 ct state new accept
		meta l4proto icmpv6 accept
	}
}
"""


def setup():
    net = Net()
    run("modprobe", "-a", "ip_vs", "ip_vs_rr")
    # A second real server; both also have the virtual address, which direct routing takes for granted.
    net.t = net.host("t", 3)
    net.listeners = []
    return net


def real(net, family):
    return ((net.s, Net.S[family]), (net.t, address(3, 2, family)))


def bracket(addr, port):
    return f"[{addr}]:{port}" if ":" in addr else f"{addr}:{port}"


def serve(net, family, how, listen_at=None):
    """Four connections to the virtual service; each real server gets two of them."""
    vip = bracket(VIP[family], 80)
    net.r.run("ipvsadm", "-C")
    while net.listeners:
        net.listeners.pop().close()
    net.r.run("ipvsadm", "-A", "-t", vip, "-s", "rr")
    listeners = []
    for ns, addr in real(net, family):
        net.r.run("ipvsadm", "-a", "-t", vip, "-r", bracket(addr, 80), how)
        listeners.append(listen(ns, listen_at or addr, 80))
        net.listeners.append(listeners[-1])
    got = [0, 0]
    for _ in range(4):
        with connect(net.c, VIP[family], 80) as sock:
            for i, listener in enumerate(listeners):
                listener.settimeout(0.3 if i == 0 else 10)
                try:
                    peer, (seen, *_) = listener.accept()
                except TimeoutError:
                    continue
                with peer:
                    equal(seen, Net.C[family], "the client that the real server sees")
                    peer.settimeout(10)
                    for _ in range(5):
                        sock.sendall(b"question")
                        equal(peer.recv(100), b"question", "the question")
                        peer.sendall(b"answer")
                        equal(sock.recv(100), b"answer", "the answer")
                got[i] += 1
                break
    equal(got, [2, 2], "connections of each real server")


@case("NAT")
def _(net):
    net.reset(FILTER)
    for family in FAMILIES:
        serve(net, family, "-m")


def keeps_conntrack(net, ruleset):
    """What ipvs writes into the conntrack is nf_conntrack's: the whole flow must be."""
    net.reset(ruleset)
    net.r.sysctl("net.ipv4.vs.conntrack", 1)
    for family in FAMILIES:
        serve(net, family, "-m")
    net.r.sysctl("net.ipv4.vs.conntrack", 0)
    net.where((0, 8), "connections", proto="tcp")


@case("NAT with net.ipv4.vs.conntrack=1, with no mark and no setting")
def _(net):
    keeps_conntrack(net, FILTER)


@case("NAT with net.ipv4.vs.conntrack=1, by the bypass mark")
def _(net):
    if FLOWTRACK:
        net.r.sysctl("bypass_mark", 0x100)
        net.r.sysctl("bypass_mask", 0x100)
    keeps_conntrack(net, FILTER + """
table inet raw {
	chain pre {
		type filter hook prerouting priority raw
		tcp dport 80 meta mark set 0x100
	}
}""")


@case("NAT with net.ipv4.vs.conntrack=1 in adopting mode")
def _(net):
    if FLOWTRACK:
        net.r.sysctl("adopt", "always")
    keeps_conntrack(net, FILTER)
    if FLOWTRACK:
        net.r.sysctl("adopt", "auto")


@case("direct routing: the answers do not come by")
def _(net):
    net.reset(FILTER)
    for family in FAMILIES:
        for ns, _addr in real(net, family):
            ns.ip(f"addr add {VIP[family]}/{128 if family == 6 else 32} dev lo {'nodad' if family == 6 else ''}")
    # Another way back for the real servers: not by the router, which has the address, too.
    for name, ns, net_ in (("s", net.s, 5), ("t", net.t, 6)):
        with ns:
            run("ip", "link", "add", f"d{name}", "type", "veth", "peer", "name", f"d{name}", "netns", net.c.name)
        for side, at in ((ns, 2), (net.c, 1)):
            side.ip(f"link set dev d{name} up", f"addr add 10.9.{net_}.{at}/24 dev d{name}",
                    f"addr add fd09:{net_}::{at}/64 dev d{name} nodad")
        ns.ip(f"route replace 10.9.1.0/24 via 10.9.{net_}.1", f"route replace fd09:1::/64 via fd09:{net_}::1")
    for family in FAMILIES:
        serve(net, family, "-g", VIP[family])


main(setup, teardown)
