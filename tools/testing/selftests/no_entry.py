#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""A packet that the ruleset drops never costs an entry, wherever it is dropped."""

import socket

from lib import *

FAMILIES = (4, 6)


def drop_at(hook, what="meta mark 0"):
    return nft_stamps() + """
table inet t {
	chain c {
		type filter hook %s priority 10
		meta l4proto { tcp, udp } drop
		icmp type echo-request drop
		icmpv6 type echo-request drop
	}
}""" % hook


def tables(rig):
    """How many flows flowtrack has, and how many nf_conntrack."""
    return int(rig.r.sysctl("count")), rig.r.conntrack_count()


def hook_case(hook):
    @case(f"dropped in {hook}", only="flowtrack")
    def _(rig):
        rig.reset(drop_at(hook))
        for family in FAMILIES:
            dst = Rig.RC if hook == "input" else Rig.S
            for i in range(20):
                for proto, l4 in ((TCP, tcp(Rig.C[family], dst[family], 100 + i, 80, "S")),
                                  (UDP, udp(Rig.C[family], dst[family], 100 + i, 53)),
                                  (ICMP if family == 4 else ICMP6, echo(Rig.C[family], dst[family], i))):
                    rig.c.send(ip(Rig.C[family], dst[family], proto, l4))
        rig.c.flush()
        equal(rig.s.receive(), [], "packets that came through")
        equal(tables(rig), (0, 0), "flows here and in nf_conntrack")
        stats = rig.r.tool_json("stats")
        equal(stats["insert"], 0, "insertions")
        check(stats["new"] >= 120, f"new packets seen: {stats}")


for hook_name in ("prerouting", "forward", "input", "postrouting"):
    hook_case(hook_name)


@case("dropped in output: the router's own packets", only="flowtrack")
def _(rig):
    rig.reset(drop_at("output"))
    for family in FAMILIES:
        sock = rig.r.socket(socket.AF_INET if family == 4 else socket.AF_INET6, socket.SOCK_DGRAM)
        for i in range(10):
            try:
                sock.sendto(b"x", (Rig.C[family], 1000 + i))
            except PermissionError:
                pass
        sock.close()
    equal(tables(rig), (0, 0), "flows here and in nf_conntrack")


@case("dropped by a rate limit on new: what passes is entered, the rest is not", only="flowtrack")
def _(rig):
    rig.reset(nft_stamps() + """
table inet t {
	chain c {
		type filter hook forward priority 0; policy drop
		ct state established accept
		ct state new limit rate 1/hour burst 5 packets accept
	}
}""")
    for i in range(200):
        rig.c.send(ip4(Rig.C[4], Rig.S[4], UDP, udp(Rig.C[4], Rig.S[4], 1000 + i, 53)))
    rig.c.flush()
    equal(tables(rig), (5, 0), "flows here and in nf_conntrack")


@case("rejected: neither the packet nor the answer is entered", only="flowtrack")
def _(rig):
    rig.reset(nft_stamps() + """
table inet t {
	chain c {
		type filter hook forward priority 0
		meta l4proto tcp reject with tcp reset
		reject
	}
}""")
    for family in FAMILIES:
        for i in range(10):
            rig.c.send(ip(Rig.C[family], Rig.S[family], TCP, tcp(Rig.C[family], Rig.S[family], 100 + i, 80, "S")))
            rig.c.send(ip(Rig.C[family], Rig.S[family], UDP, udp(Rig.C[family], Rig.S[family], 100 + i, 80)))
    rig.c.flush()
    equal(tables(rig), (0, 0), "flows here and in nf_conntrack")


@case("no route, TTL exceeded, too big: nothing is entered", only="flowtrack")
def _(rig):
    rig.reset(nft_stamps())
    c, s = Rig.C[4], Rig.S[4]
    for i in range(10):
        rig.c.send(ip4(c, "192.0.2.1", UDP, udp(c, "192.0.2.1", 100 + i, 53)))
        rig.c.send(ip4(c, s, UDP, udp(c, s, 200 + i, 53), ttl=1))
    rig.r.ip("link set rs mtu 1280")
    for i in range(10):
        rig.c.send(ip4(c, s, UDP, udp(c, s, 300 + i, 53, bytes(1400)), frag=0x4000))
    rig.c.flush()
    rig.r.ip("link set rs mtu 1500")
    equal(tables(rig), (0, 0), "flows here and in nf_conntrack")


@case("a packet to a closed port is entered: it was accepted")
def _(rig):
    rig.reset(nft_stamps())
    rig.send("c", ip4(Rig.C[4], Rig.RC[4], UDP, udp(Rig.C[4], Rig.RC[4], 100, 9)))
    rig.r.flow(osport=100, odport=9)
    got = [l4_of(p)[1] for p in rig.back if l4_of(p)[0] == ICMP]
    check(got and got[0][:2] == b"\3\3", f"no port unreachable: {rig.back}")


main(Rig)
