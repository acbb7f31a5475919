#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Translated flows in flowtrack's own table: a packet becomes what nf_conntrack alone makes of it, and nothing is in
nf_conntrack's table. The same cases pass without the module."""

import os
import re
import select
import socket
import struct

from lib_ctnetlink import *

FAMILIES = (4, 6)
C2 = {4: "10.9.1.3", 6: "fd09:1::3"}
ECHO = {4: ICMP, 6: ICMP6}
NAT = nft_stamps() + """
table inet nat {
	chain pre {
		type nat hook prerouting priority -100
		iif rc ip daddr 10.9.1.1 udp dport 5000 dnat ip to 10.9.2.2:6000
		iif rc ip daddr 10.9.1.1 tcp dport 5000 dnat ip to 10.9.2.2:6000
		iif rc ip6 daddr fd09:1::1 udp dport 5000 dnat ip6 to [fd09:2::2]:6000
		iif rc ip daddr 10.9.1.1 udp dport 5001 dnat ip to 10.9.1.3:6001
		iif rc ip6 daddr fd09:1::1 udp dport 5001 dnat ip6 to [fd09:1::3]:6001
	}
	chain post {
		type nat hook postrouting priority 100
		oif rs udp dport 6000 counter accept
		oif rs tcp dport 6000 counter accept
		oif rs masquerade
		oif rc udp dport 6001 masquerade
	}
}"""
BOTH = NAT.replace("udp dport 6000 counter accept", "udp dport 6000 counter masquerade")


def setup():
    rig = Rig()
    if FLOWTRACK:
        rig.r.sysctl("nat", "all")
    for family, mac in ((4, rig.macs["cr"]), (6, rig.macs["cr"])):
        rig.r.ip(f"neigh add {C2[family]} lladdr {':'.join(f'{b:02x}' for b in mac)} nud permanent dev rc")
    return rig


def addresses(packet):
    """(source, destination, source port, destination port) of a packet; of ICMP only the addresses."""
    family = socket.AF_INET if packet[0] >> 4 == 4 else socket.AF_INET6
    src, dst = (packet[12:16], packet[16:20]) if family == socket.AF_INET else (packet[8:24], packet[24:40])
    proto, l4 = l4_of(packet)
    ports = () if proto in (ICMP, ICMP6) else struct.unpack("!HH", l4[:4])
    return socket.inet_ntop(family, src), socket.inet_ntop(family, dst), *ports


def state(packet):
    return stamp_name(packet[1] >> 2 if packet[0] >> 4 == 4 else (packet[0] << 8 | packet[1]) >> 6 & 63)


def good_checksums(packet):
    """A receiver of the packet would take it."""
    proto, l4 = l4_of(packet)
    if packet[0] >> 4 == 4 and checksum(packet[:(packet[0] & 15) * 4]):
        return False
    if proto == ICMP:
        return not checksum(l4)
    src, dst = addresses(packet)[:2]
    return not checksum(pseudo(src, dst, proto, len(l4)) + l4)


def go(rig, side, packet, wanted, what, back=False):
    """Send; one packet comes out (@back: where it came in), with these addresses. Return: it."""
    out = rig.send(side, packet)
    out = rig.back if back else out
    equal([addresses(p) for p in out], [wanted], what)
    check(good_checksums(out[0]), f"{what}: checksum")
    return out[0]


def fresh(rig, ruleset=NAT):
    rig.reset(ruleset)
    rig.r.conntrack_flush()


def own(rig, n):
    """How many flows there are, and all of them flowtrack's."""
    if FLOWTRACK:
        equal((int(rig.r.sysctl("count")), rig.r.conntrack_count()), (n, 0), "flows here and in nf_conntrack")
    else:
        equal(rig.r.conntrack_count(), n, "flows")


def u(family, src, dst, sport, dport, data=b"x"):
    return ip(src, dst, UDP, udp(src, dst, sport, dport, data), 1)


@case("masquerade, UDP: both ways, with states, counted in both tuples")
def _(rig):
    fresh(rig)
    for family in FAMILIES:
        c, s, rs = Rig.C[family], Rig.S[family], Rig.RS[family]
        p = go(rig, "c", u(family, c, s, 1000, 53), (rs, s, 1000, 53), "query")
        equal(state(p), "new/o", "state of the query")
        p = go(rig, "s", u(family, s, rs, 53, 1000), (s, c, 53, 1000), "answer")
        equal(state(p), "est/r+s", "state of the answer")
        p = go(rig, "c", u(family, c, s, 1000, 53), (rs, s, 1000, 53), "second query")
        equal(state(p), "est/o+s", "state of the second query")
        flow = rig.r.flow(family=family)
        equal((flow["orig"]["src"], flow["orig"]["dst"], flow["reply"]["src"], flow["reply"]["dst"]), (c, s, s, rs),
              "tuples")
        equal((flow["orig"]["sport"], flow["orig"]["dport"], flow["reply"]["sport"], flow["reply"]["dport"]),
              (1000, 53, 53, 1000), "ports")
    own(rig, 2)


@case("masquerade, TCP: a connection from SYN to TIME_WAIT")
def _(rig):
    fresh(rig)
    for family in FAMILIES:
        c, s, rs = Rig.C[family], Rig.S[family], Rig.RS[family]
        for side, flags, seq, ack, data, wanted in (
                ("c", "S", 100, 0, b"", "new/o"), ("s", "SA", 500, 101, b"", "est/r+s"),
                ("c", "A", 101, 501, b"", "est/o+sa"),
                ("c", "PA", 101, 501, b"x" * 10, "est/o+sa"), ("s", "A", 501, 111, b"", "est/r+sa"),
                ("s", "FA", 501, 111, b"", "est/r+sa"), ("c", "FA", 111, 502, b"", "est/o+sa"),
                ("s", "A", 502, 112, b"", "est/r+sa")):
            src, dst, ports, out = (c, s, (2000, 80), (rs, s, 2000, 80)) if side == "c" else \
                (s, rs, (80, 2000), (s, c, 80, 2000))
            p = go(rig, side, ip(src, dst, TCP, tcp(src, dst, *ports, flags, seq, ack, data=data), 1), out,
                   f"{flags} from {side}")
            equal(state(p), wanted, f"state of {flags} from {side}")
        equal(rig.r.flow(family=family)["state"], "time_wait", "state of the flow")
    own(rig, 2)


@case("masquerade, echo: requests and replies")
def _(rig):
    fresh(rig)
    for family in FAMILIES:
        c, s, rs, proto = Rig.C[family], Rig.S[family], Rig.RS[family], ECHO[family]
        for _ in range(2):
            p = go(rig, "c", ip(c, s, proto, echo(c, s, 7), 1), (rs, s), "request")
            ident = struct.unpack("!H", l4_of(p)[1][4:6])[0]
            p = go(rig, "s", ip(s, rs, proto, echo(s, rs, ident, reply=True), 1), (s, c), "reply")
            equal(struct.unpack("!H", l4_of(p)[1][4:6])[0], 7, "id of the reply")
            equal(state(p), "est/r+s", "state of the reply")
    own(rig, 2)


@case("dnat: forwarded UDP and TCP")
def _(rig):
    fresh(rig)
    for family in FAMILIES:
        c, s, rc = Rig.C[family], Rig.S[family], Rig.RC[family]
        for _ in range(2):
            go(rig, "c", u(family, c, rc, 3000, 5000), (c, s, 3000, 6000), "query")
            go(rig, "s", u(family, s, c, 6000, 3000), (rc, c, 5000, 3000), "answer")
    c, s, rc = Rig.C[4], Rig.S[4], Rig.RC[4]
    go(rig, "c", ip(c, rc, TCP, tcp(c, rc, 3001, 5000, "S", 100), 1), (c, s, 3001, 6000), "SYN")
    p = go(rig, "s", ip(s, c, TCP, tcp(s, c, 6000, 3001, "SA", 500, 101), 1), (rc, c, 5000, 3001), "SYN/ACK")
    equal(state(p), "est/r+s", "state of the SYN/ACK")
    own(rig, 3)


@case("dnat and masquerade at once, and hairpin")
def _(rig):
    fresh(rig, BOTH)
    for family in FAMILIES:
        c, s, rc, rs, c2 = Rig.C[family], Rig.S[family], Rig.RC[family], Rig.RS[family], C2[family]
        for _ in range(2):
            go(rig, "c", u(family, c, rc, 3000, 5000), (rs, s, 3000, 6000), "query")
            go(rig, "s", u(family, s, rs, 6000, 3000), (rc, c, 5000, 3000), "answer")
            go(rig, "c", u(family, c, rc, 3002, 5001), (rc, c2, 3002, 6001), "query to a neighbour", back=True)
            go(rig, "c", u(family, c2, rc, 6001, 3002), (rc, c, 5001, 3002), "its answer", back=True)
    own(rig, 4)


@case("two clients with one port: each hears its own answers")
def _(rig):
    fresh(rig)
    for family in FAMILIES:
        s, rs = Rig.S[family], Rig.RS[family]
        ports = {}
        for n in range(8):
            client = Rig.C[family] if n == 0 else Rig.C[family].rsplit("." if family == 4 else ":", 1)[0] + \
                ("." if family == 4 else ":") + f"{n + 20}"
            out = rig.send("c", u(family, client, s, 4000, 53))
            equal(len(out), 1, "queries on the server's side")
            port = addresses(out[0])[2]
            equal(addresses(out[0]), (rs, s, port, 53), "query")
            check(port not in ports, f"port {port} for {client} and for {ports.get(port)}")
            ports[port] = client
        rig.r.ip(*(f"neigh replace {client} lladdr {':'.join(f'{b:02x}' for b in rig.macs['cr'])} nud permanent dev rc"
                   for client in ports.values()))
        for port, client in ports.items():
            go(rig, "s", u(family, s, rs, 53, port), (s, client, 53, 4000), f"answer to port {port}")
            go(rig, "c", u(family, client, s, 4000, 53), (rs, s, port, 53), f"second query of {client}")
    own(rig, 16)


FOUR_PORTS = nft_stamps() + """
table ip nat {
	chain post {
		type nat hook postrouting priority 100
		oif rs udp dport 53 masquerade to :2000-2003
	}
}"""


def use_four_ports(rig):
    """Four clients, who have all of the ports. Return: which one each has."""
    fresh(rig, FOUR_PORTS)
    s, rs = Rig.S[4], Rig.RS[4]
    ports = []
    for n in range(4):
        rig.r.ip(f"neigh replace 10.9.1.{n + 20} lladdr {':'.join(f'{b:02x}' for b in rig.macs['cr'])} nud permanent dev rc")
        out = rig.send("c", u(4, f"10.9.1.{n + 20}", s, 4100, 53))
        equal([addresses(p)[:2] for p in out], [(rs, s)], f"query of client {n}")
        ports.append(addresses(out[0])[2])
    equal(set(ports), {2000, 2001, 2002, 2003}, "ports")
    return ports


@case("a range of ports that is used up, all answered: the next client is dropped, and counted")
def _(rig):
    before = rig.r.tool_json("stats") if FLOWTRACK else {}
    s, rs = Rig.S[4], Rig.RS[4]
    for n, port in enumerate(use_four_ports(rig)):
        go(rig, "s", u(4, s, rs, 53, port), (s, f"10.9.1.{n + 20}", 53, 4100), f"answer to client {n}")
    equal(rig.send("c", u(4, "10.9.1.30", s, 4100, 53)), [], "queries of one client too many")
    if FLOWTRACK:
        after = rig.r.tool_json("stats")
        equal((after["nat_ports_full"] - before["nat_ports_full"], after["nat_evict"] - before["nat_evict"]), (1, 0),
              "dropped for want of a port, and evicted")
        check("NAT has no port of 10.9.2.1 left towards 10.9.2.2" in run("dmesg")[1], "nothing in the log")
    # Towards another server each port is free.
    rig.r.ip(f"neigh replace 10.9.2.9 lladdr {':'.join(f'{b:02x}' for b in rig.macs['sr'])} nud permanent dev rs")
    equal(len(rig.send("c", u(4, "10.9.1.30", "10.9.2.9", 4100, 53))), 1, "queries to another server")
    own(rig, 5)


@case("a range of ports that is used up, one of them unanswered: that one gives way", only="flowtrack")
def _(rig):
    before = rig.r.tool_json("stats")
    s, rs = Rig.S[4], Rig.RS[4]
    ports = use_four_ports(rig)
    for n in (0, 1, 3):
        go(rig, "s", u(4, s, rs, 53, ports[n]), (s, f"10.9.1.{n + 20}", 53, 4100), f"answer to client {n}")
    go(rig, "c", u(4, "10.9.1.30", s, 4100, 53), (rs, s, ports[2], 53), "query of the fifth client")
    own(rig, 4)
    after = rig.r.tool_json("stats")
    equal((after["nat_ports_full"] - before["nat_ports_full"], after["nat_evict"] - before["nat_evict"]), (0, 1),
          "dropped for want of a port, and evicted")
    rig.r.ip(f"neigh replace 10.9.1.30 lladdr {':'.join(f'{b:02x}' for b in rig.macs['cr'])} nud permanent dev rc")
    go(rig, "s", u(4, s, rs, 53, ports[2]), (s, "10.9.1.30", 53, 4100), "answer to the fifth client")
    go(rig, "c", u(4, "10.9.1.30", s, 4100, 53), (rs, s, ports[2], 53), "second query of the fifth client")
    for n in (0, 1, 3):
        go(rig, "c", u(4, f"10.9.1.{n + 20}", s, 4100, 53), (rs, s, ports[n], 53), f"second query of client {n}")
    # All have had an answer now: the one that has lost its port gets none.
    equal(rig.send("c", u(4, "10.9.1.22", s, 4100, 53)), [], "queries of the client that gave way")
    own(rig, 4)


@case("ports that clash while nf_conntrack's table is full: its entries that nobody answered give way", only="flowtrack")
def _(rig):
    fresh(rig, FOUR_PORTS)
    rig.r.nft("table ip raw { chain pre { type filter hook prerouting priority raw; udp dport 9999 meta mark set 1; }; }")
    limit, entries = "/proc/sys/net/netfilter/nf_conntrack_max", 100
    with open(limit) as f:
        before = f.read()
    s, rs = Rig.S[4], Rig.RS[4]
    log = Kmsg()
    stats = rig.r.tool_json("stats")
    try:
        for name in ("bypass_mark", "bypass_mask"):
            rig.r.sysctl(name, 1)
        for n in range(entries):
            rig.send("c", u(4, Rig.C[4], s, 3000 + n, 9999))
        equal(rig.r.conntrack_count(), entries, "entries of nf_conntrack's")
        # One more for each CPU has room: the newcomer itself, and no other.
        with open(limit, "w") as f:
            f.write(str(entries + os.cpu_count()))
        rig.send("c", u(4, Rig.C[4], s, 3000, 9999))
        busywait(20, lambda: int(rig.r.sysctl("guarded")) == entries, "all entries are known")
        # NAT chooses by chance: in one of eleven rounds it meets no port that is taken.
        for sport in range(4100, 4106):
            ports = []
            for n in range(4):
                out = rig.send("c", u(4, f"10.9.1.{n + 20}", s, sport, 53))
                equal([addresses(p)[:2] for p in out], [(rs, s)], f"query of client {n}")
                ports.append(addresses(out[0])[2])
            equal(set(ports), {2000, 2001, 2002, 2003}, "ports")
            equal(int(rig.r.sysctl("count")), 4, "flows")
            after = rig.r.tool_json("stats")
            if after["guard_evict_embryonic"] > stats["guard_evict_embryonic"]:
                break
            rig.r.tool("del", "own", "dport", "53")
    finally:
        with open(limit, "w") as f:
            f.write(before)
        for name in ("bypass_mark", "bypass_mask"):
            rig.r.sysctl(name, 0)
    equal([line for line in log.read() if "nf_conntrack: table full" in line], [], "what nf_conntrack says")
    log.close()
    equal(after["nat_ports_full"] - stats["nat_ports_full"], 0, "dropped for want of a port")
    # A second CPU's place may have been enough.
    check(after["guard_evict_embryonic"] > stats["guard_evict_embryonic"] or os.cpu_count() > 1, f"no entry gave way: {after}")


@case("a socket of the router's with the port of a masqueraded flow: neither hears the other")
def _(rig):
    fresh(rig)
    c, s, rs = Rig.C[4], Rig.S[4], Rig.RS[4]
    go(rig, "c", u(4, c, s, 4500, 53), (rs, s, 4500, 53), "query")
    with rig.r.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(5)
        sock.bind((rs, 4500))
        rig.s.flush()
        sock.sendto(b"r", (s, 53))
        out = [p for p in rig.s.flush() if l4_of(p)[0] == UDP]
        equal(len(out), 1, "the router's queries")
        port = addresses(out[0])[2]
        check(port != 4500, "the router's query has the port of the client's flow")
        go(rig, "s", u(4, s, rs, 53, 4500), (s, c, 53, 4500), "answer to the client")
        rig.send("s", u(4, s, rs, 53, port, b"to the router"))
        equal(sock.recv(100), b"to the router", "what the router heard")


@case("what comes the other way with a flow's addresses is no packet of it")
def _(rig):
    fresh(rig)
    for family in FAMILIES:
        c, s, rs = Rig.C[family], Rig.S[family], Rig.RS[family]
        go(rig, "c", u(family, c, s, 1100, 53), (rs, s, 1100, 53), "query")
        # The server knows the client's own address, and asks from the port that was asked.
        out = rig.send("s", u(family, s, c, 53, 1100))
        equal([addresses(p)[:2] for p in out], [(s, c)], "the server's own query")
        equal(state(out[0]), "new/o", "its state")
        port = addresses(out[0])[2]
        out = rig.send("c", u(family, c, s, 1100, port))
        equal(addresses(out[0])[:2], (rs if port == 53 else c, s), "what the client answers")
        go(rig, "s", u(family, s, rs, 53, 1100), (s, c, 53, 1100), "answer to the first query")


@case("ICMP errors about translated packets, from outside, from inside, and from the router")
def _(rig):
    fresh(rig)
    for family in FAMILIES:
        c, s, rs, proto = Rig.C[family], Rig.S[family], Rig.RS[family], ECHO[family]
        query = u(family, c, s, 1200, 53)
        out = go(rig, "c", query, (rs, s, 1200, 53), "query")
        answer = go(rig, "s", u(family, s, rs, 53, 1200), (s, c, 53, 1200), "answer")

        def error(src, dst, quoted, hops):
            if family == 4:
                return ip(src, dst, proto, icmp4(*((11, 0) if hops else (3, 3)), 0, quoted), 1)
            return ip(src, dst, proto, icmp6(src, dst, *((3, 0) if hops else (1, 4)), 0, quoted), 1)
        # A port that is closed, and hops that run out: what traceroute looks for.
        for hops in (False, True):
            for side, src, dst, quoted, wanted, inner in (
                    ("s", s, rs, out, (s, c), (c, s, 1200, 53)), ("c", c, s, answer, (rs, s), (s, rs, 53, 1200))):
                p = go(rig, side, error(src, dst, quoted, hops), wanted, f"error from {side}")
                equal(state(p).split("/")[0], "rel", f"state of the error from {side}")
                equal(addresses(l4_of(p)[1][8:]), inner, f"what the error from {side} quotes")
        # Its hops run out in the router: as traceroute does.
        short = ip(c, s, UDP, udp(c, s, 1200, 53), 1, **({"ttl": 1} if family == 4 else {"hlim": 1}))
        rig.send("c", short)
        back = [p for p in rig.back if l4_of(p)[0] == proto]
        equal([addresses(p) for p in back], [(Rig.RC[family], c)], "error of the router")
        equal(addresses(l4_of(back[0])[1][8:]), (c, s, 1200, 53), "what it quotes")


@case("path MTU: a host outside, and the router, say what is too big")
def _(rig):
    fresh(rig)
    for family in FAMILIES:
        c, s, rs, proto = Rig.C[family], Rig.S[family], Rig.RS[family], ECHO[family]
        out = go(rig, "c", u(family, c, s, 1210, 53), (rs, s, 1210, 53), "query")
        error = icmp4(3, 4, 1300, out) if family == 4 else icmp6(s, rs, 2, 0, 1300, out)
        p = go(rig, "s", ip(s, rs, proto, error, 1), (s, c), "error from outside")
        equal((l4_of(p)[1][0], struct.unpack("!I", l4_of(p)[1][4:8])[0]), (3 if family == 4 else 2, 1300), "type and MTU")
        equal(addresses(l4_of(p)[1][8:]), (c, s, 1210, 53), "what it quotes")
    rig.r.ip("link set rs mtu 1300")
    try:
        for family in FAMILIES:
            c, s, proto = Rig.C[family], Rig.S[family], ECHO[family]
            big = ip(c, s, UDP, udp(c, s, 1210, 53, b"x" * 1380), 1, **({"frag": 0x4000} if family == 4 else {}))
            equal(rig.send("c", big), [], "a packet that is too big")
            back = [p for p in rig.back if l4_of(p)[0] == proto]
            equal([addresses(p) for p in back], [(Rig.RC[family], c)], "error of the router")
            equal(struct.unpack("!I", l4_of(back[0])[1][4:8])[0], 1300, "MTU")
            equal(addresses(l4_of(back[0])[1][8:]), (c, s, 1210, 53), "what it quotes")
    finally:
        rig.r.ip("link set rs mtu 1500")


FW4 = nft_stamps() + """
table inet fw4 {
	chain forward {
		type filter hook forward priority filter; policy drop;
		ct state vmap { established : accept, related : accept }
		iifname rc jump forward_lan
		iifname rs jump forward_wan
	}
	chain forward_lan {
		meta nfproto ipv4 oifname rs ct state invalid counter drop
		oifname rs counter accept
	}
	chain forward_wan {
		ct status dnat accept
		meta l4proto tcp reject with tcp reset
		reject with icmpx port-unreachable
	}
	chain dstnat {
		type nat hook prerouting priority dstnat; policy accept;
		iifname rs jump dstnat_wan
	}
	chain dstnat_wan {
		meta nfproto ipv4 udp dport 8053 counter dnat ip to 10.9.1.2:53
		meta nfproto ipv4 tcp dport 8080 counter dnat ip to 10.9.1.2:80
	}
	chain srcnat {
		type nat hook postrouting priority srcnat; policy accept;
		oifname rs jump srcnat_wan
	}
	chain srcnat_wan {
		meta nfproto ipv4 masquerade
	}
	chain mangle_forward {
		type filter hook forward priority mangle; policy accept;
		oifname rs tcp flags syn / syn,fin,rst tcp option maxseg size set rt mtu
	}
}"""


@case("a router's ruleset as OpenWrt's fw4 makes it")
def _(rig):
    fresh(rig, FW4)
    c, s, rs = Rig.C[4], Rig.S[4], Rig.RS[4]
    go(rig, "c", u(4, c, s, 1700, 53), (rs, s, 1700, 53), "query from the LAN")
    go(rig, "s", u(4, s, rs, 53, 1700), (s, c, 53, 1700), "answer")
    for flags, side, seq, ack in (("S", "c", 100, 0), ("SA", "s", 500, 101), ("A", "c", 101, 501)):
        src, dst, ports, out = (c, s, (1701, 80), (rs, s, 1701, 80)) if side == "c" else \
            (s, rs, (80, 1701), (s, c, 80, 1701))
        go(rig, side, ip(src, dst, TCP, tcp(src, dst, *ports, flags, seq, ack), 1), out, f"{flags} from {side}")
    # From outside: a port that is forwarded, and one that is not.
    go(rig, "s", u(4, s, rs, 1702, 8053), (s, c, 1702, 53), "query from outside")
    go(rig, "c", u(4, c, s, 53, 1702), (rs, s, 8053, 1702), "its answer")
    go(rig, "s", ip(s, rs, TCP, tcp(s, rs, 1703, 8080, "S", 100), 1), (s, c, 1703, 80), "SYN from outside")
    go(rig, "c", ip(c, s, TCP, tcp(c, s, 80, 1703, "SA", 500, 101), 1), (rs, s, 8080, 1703), "its SYN/ACK")
    equal(rig.send("s", u(4, s, c, 1704, 53)), [], "straight from outside")
    # IPv6 is not translated.
    go(rig, "c", u(6, Rig.C[6], Rig.S[6], 1705, 53), (Rig.C[6], Rig.S[6], 1705, 53), "IPv6 query")
    go(rig, "s", u(6, Rig.S[6], Rig.C[6], 53, 1705), (Rig.S[6], Rig.C[6], 53, 1705), "IPv6 answer")
    equal(rig.send("s", u(6, Rig.S[6], Rig.C[6], 1706, 53)), [], "straight from outside, IPv6")
    own(rig, 5)


CGNAT = nft_stamps() + """
table ip cgnat {
	chain post {
		type nat hook postrouting priority srcnat; policy accept;
		oif rs ip saddr vmap { 10.9.1.2 : jump first, 10.9.1.3 : jump second }
		oif rs snat to 10.9.2.101-10.9.2.103 persistent
	}
	chain first {
		meta l4proto { tcp, udp } snat to 10.9.2.100:1024-2047
	}
	chain second {
		meta l4proto { tcp, udp } snat to 10.9.2.100:2048-3071
	}
}"""


@case("carrier-grade NAT: a block of ports for each subscriber, and a pool of addresses")
def _(rig):
    fresh(rig, CGNAT)
    c, s = Rig.C[4], Rig.S[4]
    other, far = "10.9.1.40", "10.9.2.9"
    rig.r.ip(f"neigh replace {other} lladdr {':'.join(f'{b:02x}' for b in rig.macs['cr'])} nud permanent dev rc",
             f"neigh replace {far} lladdr {':'.join(f'{b:02x}' for b in rig.macs['sr'])} nud permanent dev rs")
    for client, block in ((c, range(1024, 2048)), (C2[4], range(2048, 3072))):
        for sport in (1800, 5000, block[0] + 7):
            out = rig.send("c", u(4, client, s, sport, 53))
            equal([addresses(p)[:2] for p in out], [("10.9.2.100", s)], f"query of {client} from {sport}")
            port = addresses(out[0])[2]
            check(port in block, f"{client} gets port {port}")
            equal(port == sport, sport in block, f"a port in the block is kept: {sport}, {port}")
            go(rig, "s", u(4, s, "10.9.2.100", 53, port), (s, client, 53, sport), f"answer to {client}")
            go(rig, "c", u(4, client, s, sport, 53), ("10.9.2.100", s, port, 53), f"second query of {client}")
    out = rig.send("c", u(4, other, s, 1900, 53)) + rig.send("c", u(4, other, far, 1900, 53))
    equal(len(out), 2, "queries of a client of the pool")
    equal(len({addresses(p)[0] for p in out}), 1, "its addresses towards two servers")
    check(addresses(out[0])[0] in ("10.9.2.101", "10.9.2.102", "10.9.2.103"), f"not of the pool: {addresses(out[0])}")
    own(rig, 8)


def ask(rig, family, client, server, sport, dport):
    """A query: (address, port) that the server sees."""
    out = rig.send("c", u(family, client, server, sport, dport))
    equal([(addresses(p)[1], addresses(p)[3]) for p in out], [(server, dport)], f"query of {client} to {server}")
    check(good_checksums(out[0]), f"query of {client} to {server}: checksum")
    return addresses(out[0])[0], addresses(out[0])[2]


FAR = {4: "10.9.2.9", 6: "fd09:2::9"}


@case("one source has one address and port towards all servers (RFC 4787), whatever the rule says that it gets")
def _(rig):
    rig.r.ip(*(f"neigh replace {FAR[f]} lladdr {':'.join(f'{b:02x}' for b in rig.macs['sr'])} nud permanent dev rs"
               for f in FAMILIES))
    for number, target in enumerate(("masquerade", "masquerade to :3000-3100",
                                     "meta nfproto ipv4 snat ip to 10.9.2.101-10.9.2.103",
                                     "meta nfproto ipv6 snat ip6 to fd09:2::101-fd09:2::103")):
        fresh(rig, nft_stamps() + f"table inet nat {{\n\tchain post {{\n\t\ttype nat hook postrouting priority 100\n"
                                  f"\t\toif rs meta l4proto udp {target}\n\t}}\n}}")
        for family in FAMILIES:
            if f"ipv{10 - family}" in target:
                continue
            c, c2, s = Rig.C[family], C2[family], Rig.S[family]
            sport = 4600 + number
            ask(rig, family, c2, s, sport, 53)
            had = ask(rig, family, c, s, sport, 53)
            for server, dport in ((s, 54), (FAR[family], 53), (FAR[family], 54)):
                equal(ask(rig, family, c, server, sport, dport), had, f"{target}: the client, as {server}:{dport} sees it")
            for server, dport in ((s, 53), (FAR[family], 54)):
                go(rig, "s", u(family, server, had[0], dport, had[1]), (server, c, dport, sport), f"{target}: answer")
                equal(ask(rig, family, c, server, sport, dport), had, f"{target}: second query")
            # Where another client has it, there is a port of its own for each.
            check(ask(rig, family, c2, FAR[family], sport, 53) != had, f"{target}: two clients have one port")
        own(rig, 12 if target.startswith("masq") else 6)


@case("one source has one port, flows from before included: restored ones", only="flowtrack")
def _(rig):
    fresh(rig)
    c, s = Rig.C[4], Rig.S[4]
    ask(rig, 4, C2[4], s, 4700, 53)
    had = ask(rig, 4, c, s, 4700, 53)
    check(had[1] != 4700, "two clients have one port")
    saved = rig.r.tool("save")[1]
    rig.r.tool("flush")
    rig.r.tool("restore", text=saved)
    equal(ask(rig, 4, c, s, 4700, 54), had, "the client, as another port sees it")
    own(rig, 3)


@case("random and fully-random: a port by chance for each flow, of the range that the rule gives; it is kept")
def _(rig):
    rig.r.ip(f"neigh replace {FAR[4]} lladdr {':'.join(f'{b:02x}' for b in rig.macs['sr'])} nud permanent dev rs")
    c, s = Rig.C[4], Rig.S[4]
    for target, ports in (("masquerade random", range(1024, 65536)), ("masquerade fully-random", range(1024, 65536)),
                          ("masquerade to :3000-3999 random", range(3000, 4000)),
                          ("snat ip to 10.9.2.1:3000-3999 fully-random", range(3000, 4000))):
        fresh(rig, nft_stamps() + f"table inet nat {{\n\tchain post {{\n\t\ttype nat hook postrouting priority 100\n"
                                  f"\t\toif rs meta l4proto udp {target}\n\t}}\n}}")
        # Of one source, towards two servers: no flow has the port of another one but by chance, see RFC 4787 above.
        had = {(server, dport): ask(rig, 4, c, server, 3500, dport) for server in (s, FAR[4]) for dport in range(53, 58)}
        seen = {port for _, port in had.values()}
        check(seen <= set(ports), f"{target}: ports {seen}")
        check(len(seen) >= 8, f"{target}: the ports of ten flows are {seen}")
        for (server, dport), mapped in had.items():
            go(rig, "s", u(4, server, mapped[0], dport, mapped[1]), (server, c, dport, 3500), f"{target}: answer")
            equal(ask(rig, 4, c, server, 3500, dport), mapped, f"{target}: second query")
        own(rig, 10)


@case("other protocols: UDP-Lite, SCTP with ports that NAT has to change, and one without ports")
def _(rig):
    fresh(rig)
    # nf_conntrack checks UDP-Lite's checksum by the rules of UDP.
    rig.r.sysctl("net.netfilter.nf_conntrack_checksum", 0)
    # Three seconds are not long for a kernel that checks itself.
    rig.r.sysctl("net.netfilter.nf_conntrack_sctp_timeout_cookie_wait", 60)
    try:
        for family in FAMILIES:
            s, rs = Rig.S[family], Rig.RS[family]
            clients = Rig.C[family], C2[family]

            def lite(src, dst, sport, dport):
                return ip(src, dst, UDPLITE, udp(src, dst, sport, dport, b"lite", 0, UDPLITE), 1)

            def init(src, dst, sport, dport):
                return ip(src, dst, SCTP, sctp(sport, dport, 0, sctp_init(7)), 1)

            def init_ack(src, dst, sport, dport):
                return ip(src, dst, SCTP, sctp(sport, dport, 7, sctp_init(9, ack=True)), 1)
            for ask_, answer in ((lite, lite), (init, init_ack)):
                had = []
                for client in clients:
                    out = rig.send("c", ask_(client, s, 5300, 9))
                    equal([(*addresses(p)[:2], addresses(p)[3]) for p in out], [(rs, s, 9)], f"{ask_.__name__} of {client}")
                    had.append(addresses(out[0])[2])
                    if ask_ is init:
                        l4 = l4_of(out[0])[1]
                        equal(l4, sctp(had[-1], 9, 0, sctp_init(7)), f"INIT of {client}, with its checksum")
                equal((had[0], had[0] == had[1]), (5300, False), f"ports of two clients with one port, {ask_.__name__}")
                for client, port in zip(clients, had):
                    out = rig.send("s", answer(s, rs, 9, port))
                    equal([addresses(p) for p in out], [(s, client, 9, 5300)], f"{answer.__name__} to {client}")
                    equal(state(out[0]).split("/")[0], "est", f"state of {answer.__name__}")
            # ESP, say: nothing but addresses.
            for _ in range(2):
                out = rig.send("c", ip(clients[0], s, 50, b"encrypted", 1))
                equal([addresses(p)[:2] for p in out], [(rs, s)], "without ports")
                out = rig.send("s", ip(s, rs, 50, b"encrypted", 1))
                equal([addresses(p)[:2] for p in out], [(s, clients[0])], "its answer")
        # GRE: its keys may differ in the two directions, and are not looked at.
        for family in FAMILIES:
            c, s, rs = Rig.C[family], Rig.S[family], Rig.RS[family]
            for key in (None, 5):
                equal([addresses(p)[:2] for p in rig.send("c", ip(c, s, GRE, gre(), 1))], [(rs, s)], "GRE")
                out = rig.send("s", ip(s, rs, GRE, gre(key), 1))
                equal([addresses(p)[:2] for p in out], [(s, c)], "its answer")
                equal(state(out[0]).split("/")[0], "est", "state of the answer")
        own(rig, 12)
        if FLOWTRACK:
            saved = rig.r.tool("save")[1]
            rig.r.tool("flush")
            equal(parse_json(rig.r.tool("-j", "restore", text=saved)[1]), {"restored": 12, "existing": 0, "failed": 0}, "restore")
            for family in FAMILIES:
                out = rig.send("s", ip(Rig.S[family], Rig.RS[family], GRE, gre(), 1))
                equal([addresses(p)[:2] for p in out], [(Rig.S[family], Rig.C[family])], "answer after the restore")
            own(rig, 12)
        # The call ids of PPTP's are not those of its ends: it stays where it is.
        for family in FAMILIES:
            c, s, rs = Rig.C[family], Rig.S[family], Rig.RS[family]
            for _ in range(2):
                equal([addresses(p)[:2] for p in rig.send("c", ip(c, s, GRE, gre(5, 1), 1))], [(rs, s)], "GRE, version 1")
        equal(rig.r.conntrack_count(), 2 if FLOWTRACK else 14, "flows in nf_conntrack")
    finally:
        rig.r.sysctl("net.netfilter.nf_conntrack_checksum", 1)
        rig.r.sysctl("net.netfilter.nf_conntrack_sctp_timeout_cookie_wait", 3)


@case("a full table of translated flows: classes, the reserve, sources before translation, short timeouts",
      only="flowtrack")
def _(rig):
    c, s, rs = Rig.C[4], Rig.S[4], Rig.RS[4]
    names = ("reserved", "max", "full_policy", "adaptive_start", "reserved_mark", "reserved_mask", "src_max", "udp_timeout")
    before = {name: rig.r.sysctl(name) for name in names}

    def ports():
        return {f["orig"]["sport"] for f in rig.r.flows()}

    def query(sport, client=c):
        return len(rig.send("c", u(4, client, s, sport, 53)))

    def start(**settings):
        fresh(rig, NAT + "\ntable ip raw {\n\tchain pre {\n\t\ttype filter hook prerouting priority raw\n"
                         "\t\tudp sport 5198-5199 meta mark set 0x22\n\t}\n}")
        for name in names:
            rig.r.sysctl(name, settings.get(name, before[name]))
        return rig.r.tool_json("stats")
    try:
        told = start(max=8, adaptive_start=0)
        for sport in range(5100, 5108):
            equal(query(sport), 1, "queries")
        for sport in range(5100, 5104):
            go(rig, "s", u(4, s, rs, 53, sport), (s, c, 53, sport), "answer")
        for sport in range(5110, 5116):
            equal(query(sport), 1, "newcomers")
        own(rig, 8)
        check(ports() >= set(range(5100, 5104)), f"flows that had an answer are missing: {ports()}")
        now = rig.r.tool_json("stats")
        equal([now[n] - told[n] for n in ("evict_embryonic", "evict_replied", "full_drop")], [6, 0, 0], "evicted, dropped")

        start(max=4, reserved=1, reserved_mark=0x22, reserved_mask=0xff, full_policy="drop", adaptive_start=0)
        equal([query(sport) for sport in (5100, 5101, 5102, 5103, 5198, 5199)], [1, 1, 1, 0, 1, 0], "who got in")
        own(rig, 4)

        start(src_max=2)
        equal([query(sport) for sport in (5100, 5101, 5102)], [1, 1, 0], "one source")
        equal([query(sport, C2[4]) for sport in (5100, 5104)], [1, 1], "another one, with the same external address")
        own(rig, 4)

        told = start(max=10, adaptive_start=10, udp_timeout=12)
        for sport in range(5100, 5109):
            query(sport)
        busywait(40, lambda: rig.r.tool_json("stats")["expire_adaptive"] > told["expire_adaptive"], "a flow ends early")
    finally:
        for name in names:
            rig.r.sysctl(name, before[name])


@case("events of translated flows have both tuples; filters know either side", only="flowtrack")
def _(rig):
    fresh(rig)
    c, s, rs = Rig.C[4], Rig.S[4], Rig.RS[4]
    monitor = rig.r.popen(TOOL, "-j", "monitor", "reply-dst", rs, text=False, bufsize=0)
    try:
        busywait(20, lambda: genl_listeners(rig.r), "the monitor's subscription")
        go(rig, "c", u(4, c, s, 5400, 53), (rs, s, 5400, 53), "query")
        equal([rig.r.tool("count", "own", "reply-dst", addr)[1].strip() for addr in (rs, c)], ["1", "0"], "flows by it")
        equal(len(rig.r.tool_json("list", "reply-src", s, "reply-dport", "5400")), 1, "flows by the answers' tuple")
        rig.r.tool("del", "reply-dst", rs, "reply-dport", "5400")
        own(rig, 0)
        said = b""
        while said.count(b"\n") < 2:
            check(select.select([monitor.stdout], [], [], 20)[0], f"no event within 20 s, after {said}")
            said += os.read(monitor.stdout.fileno(), 1 << 16)
        seen = [(e["event"], e["flow"]["orig"]["src"], e["flow"]["reply"]["dst"]) for e in parse_json(said.decode())]
        equal(seen, [("new", c, rs), ("destroy", c, rs)], "events")
    finally:
        monitor.terminate()
        monitor.wait(10)


@case("what rules see of a translated flow: status, and both tuples")
def _(rig):
    fresh(rig, NAT + """
table inet seen {
	chain forw {
		type filter hook forward priority 0
		ct status snat ct original ip saddr 10.9.1.2 ct reply ip daddr 10.9.2.1 counter comment "snat"
		ct status dnat ct original ip daddr 10.9.1.1 ct reply ip saddr 10.9.2.2 counter comment "dnat"
		ct state established ct status snat counter comment "answers"
		ct mark 7 counter comment "marked"
		ct mark set 7
	}
}""")
    c, s, rs, rc = Rig.C[4], Rig.S[4], Rig.RS[4], Rig.RC[4]
    for _ in range(2):
        go(rig, "c", u(4, c, s, 1300, 53), (rs, s, 1300, 53), "query")
        go(rig, "s", u(4, s, rs, 53, 1300), (s, c, 53, 1300), "answer")
        go(rig, "c", u(4, c, rc, 1301, 5000), (c, s, 1301, 6000), "query to the router")
        go(rig, "s", u(4, s, c, 6000, 1301), (rc, c, 5000, 1301), "answer from behind it")
    rules = rig.r.run("nft", "list", "chain", "inet", "seen", "forw")[1]
    counts = {line.split('"')[1]: int(line.split(" packets ")[1].split()[0]) for line in rules.splitlines()
              if "comment" in line}
    # nf_nat chooses the source behind this chain: the first packet is not translated yet.
    equal(counts, {"snat": 3, "dnat": 4, "answers": 3, "marked": 6}, "packets that matched")
    equal(sorted(f["mark"] for f in rig.r.flows()), [7, 7], "marks of the flows")


@case("iptables: the same")
def _(rig):
    rig.reset(nft_stamps())
    rig.r.conntrack_flush()
    for words in ("POSTROUTING -o rs -p udp --dport 53 -j MASQUERADE", "PREROUTING -i rc -p udp --dport 5000 -j DNAT "
                  "--to-destination 10.9.2.2:6000",
                  "POSTROUTING -o rs -p udp --dport 54 -j SNAT --to-source 10.9.2.77"):
        rig.r.run("iptables-nft", "-t", "nat", "-A", *words.split())
    c, s, rs, rc = Rig.C[4], Rig.S[4], Rig.RS[4], Rig.RC[4]
    for _ in range(2):
        go(rig, "c", u(4, c, s, 1400, 53), (rs, s, 1400, 53), "masqueraded")
        go(rig, "s", u(4, s, rs, 53, 1400), (s, c, 53, 1400), "its answer")
        go(rig, "c", u(4, c, s, 1400, 54), ("10.9.2.77", s, 1400, 54), "with SNAT")
        go(rig, "s", u(4, s, "10.9.2.77", 54, 1400), (s, c, 54, 1400), "its answer")
        go(rig, "c", u(4, c, rc, 1401, 5000), (c, s, 1401, 6000), "with DNAT")
        go(rig, "s", u(4, s, c, 6000, 1401), (rc, c, 5000, 1401), "its answer")
    own(rig, 3)
    rig.r.run("iptables-nft", "-t", "nat", "-F")


@case("masqueraded flows end with the address, and with the device")
def _(rig):
    fresh(rig)
    s, rs = Rig.S[4], Rig.RS[4]

    def count():
        return len(rig.r.flows(proto="udp"))

    def masqueraded():
        fresh(rig)
        rig.send("c", u(4, Rig.C[4], s, 1500, 53))
        rig.send("c", u(4, Rig.C[4], Rig.RC[4], 1501, 5000))
        equal(count(), 2, "flows")
    masqueraded()
    rig.r.ip("addr add 10.9.3.1/24 dev rs", "addr del 10.9.3.1/24 dev rs")
    equal(count(), 2, "flows after another address has gone")
    rig.r.ip(f"addr del {rs}/24 dev rs")
    busywait(10, lambda: count() == 1, "the masqueraded flow ends with its address")
    rig.r.ip(f"addr add {rs}/24 dev rs")
    fresh(rig)
    rig.send("c", u(6, Rig.C[6], Rig.S[6], 1500, 53))
    rig.send("c", u(6, Rig.C[6], Rig.RC[6], 1501, 5000))
    equal(count(), 2, "IPv6 flows")
    rig.r.ip(f"addr del {Rig.RS[6]}/64 dev rs")
    busywait(10, lambda: count() == 1, "the masqueraded IPv6 flow ends with its address")
    rig.r.ip(f"addr add {Rig.RS[6]}/64 dev rs nodad")
    masqueraded()
    with rig.r:
        set_link("rs", False)
    busywait(10, lambda: count() == 1, "the masqueraded flow ends with its device")
    with rig.r:
        set_link("rs")
    rig.r.ip(*(f"neigh replace {Rig.S[f]} lladdr {':'.join(f'{b:02x}' for b in rig.macs['sr'])} nud permanent dev rs"
               for f in FAMILIES), f"addr replace {Rig.RS[6]}/64 dev rs nodad")


@case("a masqueraded flow whose route moves to another device ends")
def _(rig):
    fresh(rig)
    c, rs = Rig.C[4], Rig.RS[4]
    far = "10.77.0.1"
    rig.r.ip("link add other type dummy", "link set other up", f"route replace {far}/32 via {Rig.S[4]} dev rs")
    go(rig, "c", u(4, c, far, 1600, 53), (rs, far, 1600, 53), "query")
    rig.r.ip(f"route replace {far}/32 dev other")
    equal(rig.send("c", u(4, c, far, 1600, 53)), [], "packets that went the old way")
    busywait(10, lambda: not rig.r.flows(osport=1600), "the flow ends")
    rig.r.ip("link del other")


@case("the setting: whose translated flows are", only="flowtrack")
def _(rig):
    c, s, rc = Rig.C[4], Rig.S[4], Rig.RC[4]
    for word, wanted in (("never", (0, 2)), ("snat", (1, 1)), ("all", (2, 0)), ("auto", (1, 1))):
        rig.r.sysctl("nat", word)
        fresh(rig)
        for _ in range(2):
            go(rig, "c", u(4, c, s, 1700, 53), (Rig.RS[4], s, 1700, 53), f"{word}: masqueraded")
            go(rig, "c", u(4, c, rc, 1701, 5000), (c, s, 1701, 6000), f"{word}: dnat")
        equal((int(rig.r.sysctl("count")), rig.r.conntrack_count()), wanted, f"{word}: flows here and in nf_conntrack")
    rig.r.sysctl("nat", "all")


@case("with the second module: auto takes DNAT, conntrack shows both tuples, and deletes", only="flowtrack")
def _(rig):
    c, s, rc, rs = Rig.C[4], Rig.S[4], Rig.RC[4], Rig.RS[4]
    swap(OURS)
    rig.r.sysctl("nat", "auto")
    try:
        fresh(rig)
        go(rig, "c", u(4, c, s, 1750, 53), (rs, s, 1750, 53), "masqueraded")
        go(rig, "s", u(4, s, rs, 53, 1750), (s, c, 53, 1750), "its answer")
        go(rig, "c", u(4, c, rc, 1751, 5000), (c, s, 1751, 6000), "with DNAT")
        own(rig, 2)

        def shown(*words):
            out = rig.r.run("conntrack", *words)[1]
            return sorted(" ".join(w for w in line.split() if w.startswith(("src", "dst", "sport", "dport")))
                          for line in out.splitlines() if line.startswith("udp"))
        masqueraded = f"src={c} dst={s} sport=1750 dport=53 src={s} dst={rs} sport=53 dport=1750"
        dnat = f"src={c} dst={rc} sport=1751 dport=5000 src={s} dst={c} sport=6000 dport=1751"
        equal(shown("-L"), sorted((masqueraded, dnat)), "conntrack -L")
        equal(shown("-L", "--src-nat"), [masqueraded], "conntrack -L --src-nat")
        equal(shown("-L", "--dst-nat"), [dnat], "conntrack -L --dst-nat")
        equal(shown("-L", "--reply-dst", rs), [masqueraded], "conntrack -L --reply-dst")
        equal(shown("-G", "-p", "udp", "-s", c, "-d", rc, "--sport", "1751", "--dport", "5000"), [dnat], "conntrack -G")
        equal(shown("-D", "--dst-nat", "-p", "udp", "--orig-port-dst", "5000"), [dnat], "conntrack -D")
        equal(shown("-L"), [masqueraded], "conntrack -L after that")
        equal(rig.r.flow()["reply"]["dst"], rs, "address that answers go to, as flowtrack list has it")
        equal(len(rig.r.tool_json("list", "own", "reply-dst", rs)), 1, "flows by that address")
        equal(len(rig.r.tool_json("list", "own", "reply-dst", c)), 0, "flows by the client's")
    finally:
        rig.r.sysctl("nat", "all")
        swap(ORIGINAL)


@case("a redirected connection stays in nf_conntrack, where SO_ORIGINAL_DST looks for it", only="flowtrack")
def _(rig):
    fresh(rig, nft_stamps() + """
table ip nat {
	chain pre {
		type nat hook prerouting priority -100
		iif rc tcp dport 5050 dnat to 10.9.1.1:5051
	}
}""")
    c, s = Rig.C[4], Rig.S[4]
    with rig.r.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.bind((Rig.RC[4], 5051))
        sock.listen()
        rig.send("c", ip(c, s, TCP, tcp(c, s, 1800, 5050, "S", 100), 1))
        equal([addresses(p) for p in rig.back], [(s, c, 5050, 1800)], "SYN/ACK")
        equal((int(rig.r.sysctl("count")), rig.r.conntrack_count()), (0, 1), "flows here and in nf_conntrack")


@case("save and restore: translated flows go on with their mapping", only="flowtrack")
def _(rig):
    fresh(rig, BOTH)
    c, s, rc, rs = Rig.C[4], Rig.S[4], Rig.RC[4], Rig.RS[4]
    # Another client has the port already: what the flow gets nobody can guess.
    go(rig, "c", u(4, C2[4], s, 1950, 53), (rs, s, 1950, 53), "the other client's query")
    out = rig.send("c", u(4, c, s, 1950, 53))
    port = addresses(out[0])[2]
    check(port != 1950, "two clients have one port")
    go(rig, "s", u(4, s, rs, 53, port), (s, c, 53, 1950), "answer")
    go(rig, "c", u(6, Rig.C[6], Rig.S[6], 1950, 53), (Rig.RS[6], Rig.S[6], 1950, 53), "IPv6 query")
    go(rig, "c", ip(c, s, ICMP, echo(c, s, 9), 1), (rs, s), "echo request")
    go(rig, "c", ip(c, s, TCP, tcp(c, s, 1951, 80, "S", 100), 1), (rs, s, 1951, 80), "SYN")
    go(rig, "s", ip(s, rs, TCP, tcp(s, rs, 80, 1951, "SA", 500, 101), 1), (s, c, 80, 1951), "SYN/ACK")
    go(rig, "c", u(4, c, rc, 1952, 5000), (rs, s, 1952, 6000), "query, with another source and destination")
    own(rig, 6)
    before = rig.r.tool_json("list")
    saved = rig.r.tool("save")[1]
    equal(saved.count(" masq=rs"), 6, "flows that have borrowed an address")
    rig.r.tool("flush")
    equal(parse_json(rig.r.tool("-j", "restore", text=saved)[1]), {"restored": 6, "existing": 0, "failed": 0}, "restore")
    after = rig.r.tool_json("list")
    tuples = [sorted(repr((f["proto"], f["orig"], f["reply"])) for f in flows) for flows in (before, after)]
    equal(tuples[1], tuples[0], "tuples")
    go(rig, "s", u(4, s, rs, 53, port), (s, c, 53, 1950), "answer after the restore")
    go(rig, "c", u(4, c, s, 1950, 53), (rs, s, port, 53), "query after the restore")
    go(rig, "s", u(6, Rig.S[6], Rig.RS[6], 53, 1950), (Rig.S[6], Rig.C[6], 53, 1950), "IPv6 answer")
    go(rig, "s", ip(s, rs, ICMP, echo(s, rs, 9, reply=True), 1), (s, c), "echo reply")
    go(rig, "c", ip(c, s, TCP, tcp(c, s, 1951, 80, "A", 101, 501), 1), (rs, s, 1951, 80), "ACK")
    go(rig, "s", u(4, s, rs, 6000, 1952), (rc, c, 5000, 1952), "answer, with another source and destination")
    own(rig, 6)
    equal(rig.r.tool("restore", text=saved, ok=False)[0], 2, "restored once more: exit status")
    # A device that is not there, and a flow that has not borrowed its address.
    for what, line in (("no such device", saved.replace("masq=rs", "masq=nowhere")),
                       ("its own source", re.sub(r"reply-dst=10\.\S+ reply-sport=53 reply-dport=\d+",
                                                 "reply-dst=10.9.1.2 reply-sport=54 reply-dport=1950", saved))):
        rig.r.tool("flush")
        check(what in rig.r.tool("restore", text=line, ok=False)[2], f"restore does not say {what}")
    # They end with the address, as those that packets opened.
    rig.r.tool("flush")
    rig.r.tool("restore", text=saved)
    rig.r.ip("addr del 10.9.2.1/24 dev rs")
    busywait(10, lambda: int(rig.r.sysctl("count")) == 1, "flows with a borrowed address end")
    rig.r.ip("addr add 10.9.2.1/24 dev rs")


@case("nf_nat goes: translated flows end", only="flowtrack")
def _(rig):
    fresh(rig)
    rig.send("c", u(4, Rig.C[4], Rig.S[4], 1900, 53))
    equal(int(rig.r.sysctl("count")), 1, "flows")
    rig.r.nft("flush ruleset\n" + nft_stamps())
    unload_nat()
    check(not os.path.isdir("/sys/module/nf_nat"), "nf_nat is still loaded")
    busywait(10, lambda: int(rig.r.sysctl("count")) == 0, "translated flows end")


main(setup)
