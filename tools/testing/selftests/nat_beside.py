#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""NAT and helpers beside flowtrack: they work, and what they do not need is tracked by flowtrack."""

import os
import socket
import struct

from lib import *

FAMILIES = (4, 6)
OTHER = {4: "10.9.2.3", 6: "fd09:2::3"}
# The server's side sees only the port 53 masqueraded; what goes elsewhere is left as it is.
NAT = nft_stamps() + """
table inet nat {
	chain post {
		type nat hook postrouting priority 100
		oif rs udp dport 53 masquerade
		oif rs tcp dport 80 masquerade
	}
	chain pre {
		type nat hook prerouting priority -100
		iif rc ip daddr 10.9.1.1 udp dport 5000 dnat ip to 10.9.2.2:6000
	}
}"""


def addresses(packet):
    """(source, destination, source port, destination port) of a packet."""
    family = socket.AF_INET if packet[0] >> 4 == 4 else socket.AF_INET6
    src, dst = (packet[12:16], packet[16:20]) if family == socket.AF_INET else (packet[8:24], packet[24:40])
    _, l4 = l4_of(packet)
    return socket.inet_ntop(family, src), socket.inet_ntop(family, dst), *struct.unpack("!HH", l4[:4])


def tables(rig):
    return int(rig.r.sysctl("count")), rig.r.conntrack_count()


@case("masquerade: the address changes on the way out and back", only="flowtrack")
def _(rig):
    rig.reset(NAT)
    for family in FAMILIES:
        out = rig.send("c", rig.packet("c", UDP, udp(Rig.C[family], Rig.S[family], 1000, 53), family))
        equal(len(out), 1, "packets")
        src, dst, sport, dport = addresses(out[0])
        equal((src, dst, dport), (Rig.RS[family], Rig.S[family], 53), "on the server's side")
        back = rig.send("s", ip(Rig.S[family], src, UDP, udp(Rig.S[family], src, 53, sport), 1))
        equal([addresses(p) for p in back], [(Rig.S[family], Rig.C[family], 53, 1000)], "on the client's side")
        out = rig.send("c", rig.packet("c", UDP, udp(Rig.C[family], Rig.S[family], 1000, 53), family))
        equal([addresses(p) for p in out], [(src, Rig.S[family], sport, 53)], "the second packet")
    equal(tables(rig), translated(2), "flows here and in nf_conntrack")


@case("masquerade of TCP: the whole connection", only="flowtrack")
def _(rig):
    rig.reset(NAT)
    rig.r.conntrack_flush()
    c, s, rs = Rig.C[4], Rig.S[4], Rig.RS[4]
    out = rig.send("c", rig.packet("c", TCP, tcp(c, s, 2000, 80, "S", 100), 4))
    sport = addresses(out[0])[2]
    for side, src, dst, ports, flags, seq, ack, data in (
            ("s", s, rs, (80, sport), "SA", 500, 101, b""), ("c", c, s, (2000, 80), "A", 101, 501, b""),
            ("c", c, s, (2000, 80), "PA", 101, 501, b"x" * 10), ("s", s, rs, (80, sport), "A", 501, 111, b"")):
        out = rig.send(side, ip(src, dst, TCP, tcp(src, dst, *ports, flags, seq, ack, data=data), 1))
        equal(len(out), 1, f"{flags} from {side}")
        wanted = (rs, s, sport, 80) if side == "c" else (s, c, 80, 2000)
        equal(addresses(out[0]), wanted, f"{flags} from {side}")
    equal(tables(rig), translated(1), "flows here and in nf_conntrack")


@case("dnat", only="flowtrack")
def _(rig):
    rig.reset(NAT)
    c = Rig.C[4]
    out = rig.send("c", ip4(c, Rig.RC[4], UDP, udp(c, Rig.RC[4], 3000, 5000)))
    equal([addresses(p) for p in out], [(c, Rig.S[4], 3000, 6000)], "on the server's side")
    back = rig.send("s", ip4(Rig.S[4], c, UDP, udp(Rig.S[4], c, 6000, 3000)))
    equal([addresses(p) for p in back], [(Rig.RC[4], c, 5000, 3000)], "on the client's side")


@case("flows that are not translated are flowtrack's, with the right states", only="flowtrack")
def _(rig):
    rig.reset(NAT)
    rig.r.conntrack_flush()
    for family in FAMILIES:
        rig.udp("c", family, 4000, 54, "new/o")
        rig.udp("s", family, 54, 4000, "est/r+s")
        rig.udp("c", family, 4000, 54, "est/o+s")
        t = Tcp(rig, family, sport=4001, dport=81).open()
        t.send("c", "PA", "est/o+sa", 1, 1, data=b"x" * 10)
        t.send("c", "PA", "inv", 100000000, 1, data=b"x" * 10)
        rig.echo("c", family, 40, "new/o")
        rig.echo("s", family, 40, "est/r+s", reply=True)
    equal(tables(rig), (6, 0), "flows here and in nf_conntrack")


@case("both kinds at once, marks and errors included", only="flowtrack")
def _(rig):
    rig.reset(NAT + """
table inet m {
	chain forw {
		type filter hook forward priority 0
		udp dport 55 ct mark set 5
	}
}""")
    rig.r.conntrack_flush()
    packet = rig.packet("c", UDP, udp(Rig.C[4], Rig.S[4], 5000, 55), 4)
    rig.expect("c", packet, "new/o")
    equal(rig.r.flow(osport=5000)["mark"], 5, "mark, set on the first packet")
    rig.expect("s", unreachable(rig, 4, packet), "rel/r")
    # An error about a masqueraded flow is translated back.
    out = rig.send("c", rig.packet("c", UDP, udp(Rig.C[4], Rig.S[4], 5001, 53), 4))
    error = ip4(Rig.S[4], Rig.RS[4], ICMP, icmp4(3, 3, 0, out[0]))
    back = [p for p in rig.send("s", error) if l4_of(p)[0] == ICMP]
    equal(len(back), 1, "errors that came back")
    equal(socket.inet_ntop(socket.AF_INET, back[0][16:20]), Rig.C[4], "destination of the error")
    equal(back[0][1] >> 2 & 7, STATES["related"], "state of the error")


@case("without NAT modules: direct again, nothing of nf_conntrack involved", only="flowtrack")
def _(rig):
    rig.r.nft("flush ruleset\n" + nft_stamps())
    rig.reset()
    rig.r.conntrack_flush()
    unload_nat()
    check(not os.path.isdir("/sys/module/nf_nat"), "nf_nat is still loaded")
    for family in FAMILIES:
        rig.udp("c", family, 6000, 53, "new/o")
        rig.udp("s", family, 53, 6000, "est/r+s")
    equal(tables(rig), (2, 0), "flows here and in nf_conntrack")


@case("adopt=always and never: who sees a new flow first", only="flowtrack")
def _(rig):
    for word in ("always", "never", "auto"):
        rig.r.sysctl("adopt", word)
        rig.reset()
        before = rig.r.tool_json("stats")
        for family in FAMILIES:
            rig.udp("c", family, 7000, 53, "new/o")
            rig.udp("s", family, 53, 7000, "est/r+s")
        now = rig.r.tool_json("stats")
        equal(tables(rig), (2, 0), f"{word}: flows here and in nf_conntrack")
        equal(now["adopted"] - before["adopted"], 2 if word == "always" else 0, f"{word}: flows adopted")


@case("a helper: FTP's data connection is related, in active mode")
def _(rig):
    rig.reset(nft_stamps() + """
table ip h {
	ct helper ftp { type "ftp" protocol tcp; }
	chain pre {
		type filter hook prerouting priority -150
		tcp dport 21 ct state new ct helper set "ftp"
	}
}""")
    rig.r.conntrack_flush()
    t = Tcp(rig, 4, sport=8000, dport=21).open()
    # The helper reads from the second line on.
    t.send("c", "PA", "est/o+sa", 1, 1, data=b"USER x\r\n")
    t.send("s", "A", "est/r+sa", 1, 9)
    command = f"PORT {Rig.C[4].replace('.', ',')},40,1\r\n".encode()
    t.send("c", "PA", "est/o+sa", 9, 1, data=command)
    t.send("s", "A", "est/r+sa", 1, 9 + len(command))
    data = Tcp(rig, 4, sport=20, dport=40 * 256 + 1, client="s")
    data.send("s", "S", "rel/o")
    data.send("c", "SA", "est/r+s", 0, 1)
    data.send("s", "A", "est/o+sa", 1, 1)
    rig.r.nft("flush ruleset\n" + nft_stamps())
    rig.r.conntrack_flush()


main(Rig)
