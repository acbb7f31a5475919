#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Ways of a packet through the kernel: loopback, routed, bridged with br_netfilter, through a VRF."""

import re
import socket

from lib import *

FAMILIES = (4, 6)
LOOPBACK = {4: "127.0.0.1", 6: "::1"}


def kind(family):
    return socket.AF_INET if family == 4 else socket.AF_INET6


@case("loopback: a socket that talks to itself")
def _(_rig):
    ns = Ns("self")
    ns.nft("""
table inet t {
	counter new { }
	counter established { }
	chain in {
		type filter hook input priority 0
		ct state invalid drop
		udp dport 4001 ct state new counter name new
		udp dport 4001 ct state established counter name established
	}
}""")
    for family in FAMILIES:
        tcp_sock = ns.socket(kind(family), socket.SOCK_STREAM)
        tcp_sock.settimeout(10)
        tcp_sock.bind((LOOPBACK[family], 4000))
        tcp_sock.connect((LOOPBACK[family], 4000))
        tcp_sock.send(b"x" * 100)
        equal(len(tcp_sock.recv(100)), 100, "bytes that came back")
        tcp_sock.close()
        udp_sock = ns.socket(kind(family), socket.SOCK_DGRAM)
        udp_sock.settimeout(10)
        udp_sock.bind((LOOPBACK[family], 4001))
        udp_sock.connect((LOOPBACK[family], 4001))
        for _ in range(20):
            udp_sock.send(b"x")
            udp_sock.recv(10)
        udp_sock.close()
    seen = [int(re.search(r"packets (\d+)", ns.run("nft", "list", "counter", "inet", "t", name)[1])[1])
            for name in ("new", "established")]
    equal(seen, [2, 38], "datagrams that were new, and of an established flow")
    ns.delete()


@case("loopback: one flow for a conversation, each packet counted once")
def _(rig):
    rig.r.sysctl("acct", 1)
    rig.reset()
    for family in FAMILIES:
        server = rig.r.socket(kind(family), socket.SOCK_DGRAM)
        server.bind((LOOPBACK[family], 4001))
        client = rig.r.socket(kind(family), socket.SOCK_DGRAM)
        client.bind((LOOPBACK[family], 4000))
        for n in range(3):
            client.sendto(b"x" * 10, (LOOPBACK[family], 4001))
            server.recv(100)
            server.sendto(b"y" * 20, (LOOPBACK[family], 4000))
            client.recv(100)
        flow = rig.r.flow(family=family)
        equal([flow["orig"]["packets"], flow["reply"]["packets"]], [3, 3], f"IPv{family}: packets of {flow}")
        equal(flow["orig"]["sport"], 4000, "port of the initiator")
        client.close()
        server.close()
    rig.r.sysctl("acct", 0)
    rig.check_not_in_conntrack()


@case("loopback: TCP, states in output and input")
def _(rig):
    rules = "\n".join(f"""
	chain {hook} {{
		type filter hook {hook} priority 0
		tcp dport 4002 ct state new counter name {hook}_new
		tcp sport 4002 ct state established counter name {hook}_reply
		ct state invalid counter name {hook}_invalid
	}}
	counter {hook}_new {{ }}
	counter {hook}_reply {{ }}
	counter {hook}_invalid {{ }}""" for hook in ("output", "input", "prerouting", "postrouting"))
    rig.reset("table inet t {" + rules + "\n}")
    for family in FAMILIES:
        server = rig.r.socket(kind(family), socket.SOCK_STREAM)
        server.bind((LOOPBACK[family], 4002))
        server.listen(1)
        client = rig.r.socket(kind(family), socket.SOCK_STREAM)
        client.connect((LOOPBACK[family], 4002))
        peer, _ = server.accept()
        client.send(b"hello")
        peer.recv(10)
        for s in (peer, client, server):
            s.close()
    out = rig.r.run("nft", "list", "counters")[1]
    counts = dict(re.findall(r"counter (\w+) \{\s+packets (\d+)", out))
    for hook in ("output", "input", "prerouting", "postrouting"):
        equal(counts[f"{hook}_new"], "2", f"new packets in {hook}")
        equal(counts[f"{hook}_invalid"], "0", f"invalid packets in {hook}")
        check(int(counts[f"{hook}_reply"]) >= 4, f"replies in {hook}: {counts}")
    rig.reset(nft_stamps())


@case("routed: each packet counted once")
def _(rig):
    rig.r.sysctl("acct", 1)
    rig.reset()
    for family in FAMILIES:
        for _ in range(3):
            rig.stamp("c", rig.packet("c", UDP, udp(Rig.C[family], Rig.S[family], 4003, 53), family))
            rig.stamp("s", rig.packet("s", UDP, udp(Rig.S[family], Rig.C[family], 53, 4003), family))
        flow = rig.r.flow(family=family, osport=4003)
        equal([flow["orig"]["packets"], flow["reply"]["packets"]], [3, 3], "packets")
    rig.r.sysctl("acct", 0)


@case("broadcast and multicast that come in are new")
def _(rig):
    rig.reset(nft_stamps() + """
table inet t {
	counter new { }
	chain in {
		type filter hook input priority 0
		udp dport { 67, 5353 } ct state new counter name new
	}
}""")
    for packet in (ip4("0.0.0.0", "255.255.255.255", UDP, udp("0.0.0.0", "255.255.255.255", 68, 67)),
                   ip4(Rig.C[4], "10.9.1.255", UDP, udp(Rig.C[4], "10.9.1.255", 68, 67)),
                   ip4(Rig.C[4], "224.0.0.1", UDP, udp(Rig.C[4], "224.0.0.1", 5353, 5353)),
                   ip6(Rig.C[6], "ff02::1", UDP, udp(Rig.C[6], "ff02::1", 5353, 5353))):
        rig.c.send(packet)
        rig.c.flush()
    check("packets 4" in rig.r.run("nft", "list", "counters")[1], rig.r.run("nft", "list", "counters")[1])


def make_bridge(rig):
    run("modprobe", "-q", "br_netfilter", ok=False)
    rig.r.ip("link add br0 type bridge", "link set rc master br0", "link set rs master br0", "link set br0 up",
             "addr del 10.9.1.1/24 dev rc", "addr del 10.9.2.1/24 dev rs", "addr add 10.9.1.1/16 dev br0",
             "addr del fd09:1::1/64 dev rc", "addr del fd09:2::1/64 dev rs", "addr add fd09:1::1/32 dev br0 nodad")
    for name in ("iptables", "ip6tables"):
        rig.r.sysctl(f"net.bridge.bridge-nf-call-{name}", 1)
    # The other side is on the same link now.
    rig.c.router_mac, rig.s.router_mac = rig.macs["sr"], rig.macs["cr"]
    rig.s.router = {4: "10.9.1.1", 6: "fd09:1::1"}


def bridge_rig():
    rig = Rig()
    make_bridge(rig)
    return rig


@case("bridged, br_netfilter: states of what only passes")
def _(_rig):
    rig = bridge_rig()
    for family in FAMILIES:
        rig.udp("c", family, 4010, 53, "new/o")
        rig.udp("s", family, 53, 4010, "est/r+s")
        rig.udp("c", family, 4010, 53, "est/o+s")
        t = Tcp(rig, family, sport=4010).open()
        t.send("c", "PA", "est/o+sa", 1, 1, data=b"x" * 100)
        t.send("c", "PA", "inv", 10000000, 1, data=b"x" * 100)
        rig.echo("c", family, 5, "new/o")
        rig.echo("s", family, 5, "est/r+s", reply=True)
    rig.check_not_in_conntrack()
    remove(rig)


@case("bridged, br_netfilter: each packet counted once")
def _(_rig):
    rig = bridge_rig()
    rig.r.sysctl("acct", 1)
    for family in FAMILIES:
        for _ in range(3):
            rig.stamp("c", rig.packet("c", UDP, udp(Rig.C[family], Rig.S[family], 4011, 53), family))
            rig.stamp("s", rig.packet("s", UDP, udp(Rig.S[family], Rig.C[family], 53, 4011), family))
        flow = rig.r.flow(family=family, osport=4011)
        equal([flow["orig"]["packets"], flow["reply"]["packets"]], [3, 3], "packets")
    remove(rig)


@case("bridged, br_netfilter: a packet for the bridge's own address is tracked once")
def _(_rig):
    rig = bridge_rig()
    rig.r.sysctl("acct", 1)
    mac = bytes.fromhex(mac_of(rig, "br0"))
    rig.c.router_mac = mac
    server = rig.r.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((Rig.RC[4], 4012))
    server.settimeout(10)
    for n in range(3):
        rig.c.send(ip4(Rig.C[4], Rig.RC[4], UDP, udp(Rig.C[4], Rig.RC[4], 4012, 4012, b"x"), n + 1))
        _, peer = server.recvfrom(100)
        server.sendto(b"y", peer)
        rig.c.flush()
    flow = rig.r.flow(osport=4012)
    equal([flow["orig"]["packets"], flow["reply"]["packets"]], [3, 3], f"packets of {flow}")
    server.close()
    rig.check_not_in_conntrack()
    remove(rig)


def mac_of(rig, dev):
    out = rig.r.run("ip", "-o", "link", "show", dev)[1]
    return re.search(r"link/ether ([0-9a-f:]+)", out)[1].replace(":", "")


def remove(rig):
    for wire in (rig.c, rig.s):
        wire.sock.close()
    for ns in (rig.cns, rig.sns, rig.r):
        ns.delete()


def vrf_rig():
    rig = Rig(ruleset="")
    # Moving an interface into a VRF forgets its IPv6 addresses.
    rig.r.ip("link add vrf0 type vrf table 77", "link set vrf0 up", "link set rc master vrf0",
             "link set rs master vrf0")
    lines = []
    for dev, gw, peer, mac in (("rc", Rig.RC, Rig.C, "02:00:00:00:01:02"), ("rs", Rig.RS, Rig.S, "02:00:00:00:02:02")):
        lines += [f"addr replace {gw[6]}/64 dev {dev} nodad", f"neigh replace {peer[6]} lladdr {mac} nud permanent "
                  f"dev {dev}", f"neigh replace {peer[4]} lladdr {mac} nud permanent dev {dev}"]
    rig.r.ip(*lines)
    # The second pass, with the VRF as input, is what the rules after it see; the first is only counted.
    rig.r.nft(nft_stamps())
    return rig


@case("VRF: states of routed packets")
def _(_rig):
    rig = vrf_rig()
    for family in FAMILIES:
        rig.udp("c", family, 4020, 53, "new/o")
        rig.udp("s", family, 53, 4020, "est/r+s")
        rig.udp("c", family, 4020, 53, "est/o+s")
        t = Tcp(rig, family, sport=4020).open()
        t.send("c", "PA", "est/o+sa", 1, 1, data=b"x" * 100)
        t.send("s", "PA", "est/r+sa", 1, 101, data=b"x" * 100)
        t.send("c", "PA", "inv", 10000000, 1, data=b"x" * 100)
    rig.check_not_in_conntrack()
    remove(rig)


@case("VRF: a socket of the router in it")
def _(_rig):
    rig = vrf_rig()
    for family in FAMILIES:
        sock = rig.r.socket(kind(family), socket.SOCK_DGRAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"vrf0")
        sock.settimeout(10)
        sock.bind((Rig.RC[family], 4021))
        for n, wanted in ((0, "new/o"), (1, "est/o+s"), (2, "est/o+s")):
            sock.sendto(b"out", (Rig.C[family], 4022))
            out = [p for p in rig.c.flush() if l4_of(p)[0] == UDP]
            equal(len(out), 1, "packets that left")
            dscp = out[0][1] >> 2 if family == 4 else (out[0][0] << 8 | out[0][1]) >> 6 & 63
            equal(stamp_name(dscp), wanted, f"IPv{family}: packet {n}")
            rig.c.send(ip(Rig.C[family], Rig.RC[family], UDP, udp(Rig.C[family], Rig.RC[family], 4022, 4021), n + 1))
            sock.recv(100)
        equal(len(rig.r.flows(family=family, proto="udp")), 1, "flows")
        sock.close()
    rig.check_not_in_conntrack()
    remove(rig)


main(Rig)
